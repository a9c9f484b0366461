#include "shm/vocabulary.h"

#define NAME_OF(table, value)                                                                      \
    ((value) < sizeof(table) / sizeof((table)[0]) && (table)[value] != NULL ? (table)[value] : "?")

const char *gun_state_name(unsigned value) {
    static const char *const names[GUN_STATE_COUNT] = {
        [GUN_STATE_NONE] = "none",
        [GUN_STATE_UNAVAILABLE] = "unavailable",
        [GUN_STATE_AVAILABLE] = "available",
        [GUN_STATE_PLUGGED] = "plugged",
        [GUN_STATE_AUTHORISED] = "authorised",
        [GUN_STATE_LOCKED] = "locked",
        [GUN_STATE_CABLE_CHECK] = "cable check",
        [GUN_STATE_PRECHARGE] = "precharge",
        [GUN_STATE_CLOSING] = "closing",
        [GUN_STATE_CHARGING] = "charging",
        [GUN_STATE_RAMP_DOWN] = "ramp-down",
        [GUN_STATE_OPENING] = "opening",
        [GUN_STATE_WELD_CHECK] = "weld check",
        [GUN_STATE_DISCHARGE] = "discharge",
        [GUN_STATE_UNLOCK] = "unlock",
        [GUN_STATE_FINISHED] = "finished",
        [GUN_STATE_FAULTED] = "faulted",
    };
    return NAME_OF(names, value);
}

const char *stop_class_name(unsigned value) {
    static const char *const names[STOP_CLASS_COUNT] = {
        [STOP_CLASS_NONE] = "none",
        [STOP_CLASS_NORMAL] = "normal",
        [STOP_CLASS_ERROR] = "error",
        [STOP_CLASS_EMERGENCY] = "emergency",
    };
    return NAME_OF(names, value);
}

const char *stop_reason_name(unsigned value) {
    static const char *const names[STOP_REASON_COUNT] = {
        [STOP_REASON_NONE] = "none",
        [STOP_REASON_VEHICLE] = "vehicle",
        [STOP_REASON_REMOTE] = "remote",
        [STOP_REASON_LOCAL] = "local",
        [STOP_REASON_DEAUTHORISED] = "deauthorised",
        [STOP_REASON_UNPLUGGED] = "unplugged",
        [STOP_REASON_EMERGENCY_STOP] = "emergency stop",
        [STOP_REASON_FAULT] = "fault",
        [STOP_REASON_TIMEOUT] = "timeout",
        [STOP_REASON_RESTART] = "restart",
        [STOP_REASON_POWER_LOSS] = "power loss",
        [STOP_REASON_UNAVAILABLE] = "unavailable",
    };
    return NAME_OF(names, value);
}

const char *boundary_state_name(unsigned value) {
    static const char *const names[BOUNDARY_STATE_COUNT] = {
        [BOUNDARY_STATE_HOME] = "home",
        [BOUNDARY_STATE_PREPARING] = "preparing",
        [BOUNDARY_STATE_MATCHING] = "matching",
        [BOUNDARY_STATE_CLOSING_MC] = "closing MC",
        [BOUNDARY_STATE_CLOSING_BC] = "closing BC",
        [BOUNDARY_STATE_JOINED] = "joined",
        [BOUNDARY_STATE_UNLOADING] = "unloading",
        [BOUNDARY_STATE_OPENING] = "opening",
        [BOUNDARY_STATE_SETTLING] = "settling",
        [BOUNDARY_STATE_FAULTED] = "fused",
    };
    return NAME_OF(names, value);
}

const char *boundary_reason_name(unsigned value) {
    static const char *const names[BOUNDARY_REASON_COUNT] = {
        [BOUNDARY_REASON_NONE] = "none",
        [BOUNDARY_REASON_PLAN] = "plan",
        [BOUNDARY_REASON_RECLAIM] = "reclaim",
        [BOUNDARY_REASON_OWNER] = "owner's session",
        [BOUNDARY_REASON_PLANNER] = "planner late",
        [BOUNDARY_REASON_SHUTDOWN] = "shutdown",
        [BOUNDARY_REASON_INNER] = "slot before it leaves",
        [BOUNDARY_REASON_SLOT] = "slot faulted",
        [BOUNDARY_REASON_EMERGENCY] = "emergency",
        [BOUNDARY_REASON_MODULES] = "no usable module",
        [BOUNDARY_REASON_MN] = "MN did not close",
        [BOUNDARY_REASON_VOLTAGE] = "voltage not reached",
        [BOUNDARY_REASON_INSULATION] = "insulation",
        [BOUNDARY_REASON_TURN] = "no turn",
        [BOUNDARY_REASON_STUCK] = "did not close",
        [BOUNDARY_REASON_LOST] = "opened by itself",
        [BOUNDARY_REASON_LOADED] = "current stayed",
        [BOUNDARY_REASON_WELDED] = "did not open",
        [BOUNDARY_REASON_DISCHARGE] = "not discharged",
    };
    return NAME_OF(names, value);
}

const char *limit_reason_name(unsigned value) {
    static const char *const names[LIMIT_REASON_COUNT] = {
        [LIMIT_REASON_NONE] = "none",
        [LIMIT_REASON_VEHICLE] = "vehicle",
        [LIMIT_REASON_CONNECTOR] = "connector",
        [LIMIT_REASON_CABLE] = "cable",
        [LIMIT_REASON_TEMPERATURE] = "temperature",
        [LIMIT_REASON_MODULES] = "modules",
        [LIMIT_REASON_BOUNDARY] = "boundary",
        [LIMIT_REASON_GRID] = "grid",
        [LIMIT_REASON_LEASE] = "lease",
        [LIMIT_REASON_FAILSAFE] = "fail-safe",
        [LIMIT_REASON_PROFILE] = "profile",
        [LIMIT_REASON_CLASS] = "class",
        [LIMIT_REASON_FAULT] = "fault",
        [LIMIT_REASON_RAMP] = "ramp",
        [LIMIT_REASON_PLANNER] = "planner",
    };
    return NAME_OF(names, value);
}

const char *hlc_stage_name(unsigned value) {
    static const char *const names[HLC_STAGE_COUNT] = {
        [HLC_STAGE_NONE] = "none",
        [HLC_STAGE_SLAC] = "SLAC",
        [HLC_STAGE_SDP] = "SDP",
        [HLC_STAGE_SESSION_SETUP] = "session setup",
        [HLC_STAGE_SERVICE_DISCOVERY] = "service discovery",
        [HLC_STAGE_AUTHORISATION] = "authorisation",
        [HLC_STAGE_CHARGE_PARAMETERS] = "charge parameters",
        [HLC_STAGE_CABLE_CHECK] = "cable check",
        [HLC_STAGE_PRECHARGE] = "precharge",
        [HLC_STAGE_POWER_DELIVERY] = "power delivery",
        [HLC_STAGE_CURRENT_DEMAND] = "current demand",
        [HLC_STAGE_POWER_OFF] = "power off",
        [HLC_STAGE_WELDING_DETECTION] = "welding detection",
        [HLC_STAGE_SESSION_STOP] = "session stop",
        [HLC_STAGE_ERROR] = "error",
    };
    return NAME_OF(names, value);
}

const char *identity_kind_name(unsigned value) {
    static const char *const names[IDENTITY_COUNT] = {
        [IDENTITY_NONE] = "none",   [IDENTITY_RFID] = "RFID",   [IDENTITY_EVCCID] = "EVCCID",
        [IDENTITY_EMAID] = "eMAID", [IDENTITY_EVMAC] = "EVMAC",
    };
    return NAME_OF(names, value);
}

const char *auth_source_name(unsigned value) {
    static const char *const names[AUTH_SOURCE_COUNT] = {
        [AUTH_SOURCE_NONE] = "none",
        [AUTH_SOURCE_FREE_VEND] = "free vend",
        [AUTH_SOURCE_LOCAL_LIST] = "local list",
        [AUTH_SOURCE_REMOTE] = "remote",
    };
    return NAME_OF(names, value);
}

char cp_state_letter(unsigned value) {
    static const char letters[CP_STATE_COUNT] = {
        [CP_STATE_UNKNOWN] = 'U', [CP_STATE_A] = 'A', [CP_STATE_B] = 'B', [CP_STATE_C] = 'C',
        [CP_STATE_D] = 'D',       [CP_STATE_E] = 'E', [CP_STATE_F] = 'F',
    };
    return letters[value < CP_STATE_COUNT ? value : CP_STATE_UNKNOWN];
}

static_assert(RM_MODULES_PER_SLOT_MAX == 8, "contactor_kind_name() names eight module contactors");

const char *contactor_kind_name(unsigned value) {
    static const char *const names[CONTACTORS_PER_SLOT] = {
        [CONTACTOR_GC] = "GC",       [CONTACTOR_MC] = "MC",       [CONTACTOR_BC] = "BC",
        [CONTACTOR_MN0] = "MN0",     [CONTACTOR_MN0 + 1] = "MN1", [CONTACTOR_MN0 + 2] = "MN2",
        [CONTACTOR_MN0 + 3] = "MN3", [CONTACTOR_MN0 + 4] = "MN4", [CONTACTOR_MN0 + 5] = "MN5",
        [CONTACTOR_MN0 + 6] = "MN6", [CONTACTOR_MN0 + 7] = "MN7",
    };
    return NAME_OF(names, value);
}

const struct fault_info *fault_info(unsigned code) {
    static const struct fault_info table[FAULT_COUNT] = {
        [FAULT_NONE] = {"NONE", "", STOP_CLASS_NONE, false, "No fault."},
#define FAULT(name, rule, stop, latched, text)                                                     \
    [FAULT_##name] = {#name, rule, STOP_CLASS_##stop, latched, text},
        FAULT_TABLE(FAULT)
#undef FAULT
    };
    return &table[code < FAULT_COUNT ? code : FAULT_NONE];
}
