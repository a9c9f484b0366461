/* The words that cross between processes: states, reasons, faults. Values are wire values of the shared
 * memory layout; append, never renumber (the layout version of layout.h goes up with every change).
 * Pure data; names for people come from the *_name functions in vocabulary.c, never NULL.
 */
#ifndef RINGMAIN_SHM_VOCABULARY_H
#define RINGMAIN_SHM_VOCABULARY_H

#include "shm/base.h"

/* The sequencer's state of one gun, in the order of a session (rt/sequencer/). */
enum gun_state {
    GUN_STATE_NONE = 0, /* slot without a gun */
    GUN_STATE_UNAVAILABLE, /* boot hold (rule S15), inoperative by command, or PLC not trusted; nobody plugged */
    GUN_STATE_AVAILABLE,
    GUN_STATE_PLUGGED,     /* vehicle there, waiting for authorisation */
    GUN_STATE_AUTHORISED,  /* authorised; lock commanded, waiting for it */
    GUN_STATE_LOCKED,      /* locked; waiting for the vehicle to ask for the cable check */
    GUN_STATE_CABLE_CHECK, /* GC closes dead (G2), insulation tested at the cable-check voltage */
    GUN_STATE_PRECHARGE,   /* bus follows the vehicle's voltage at <= 2 A */
    GUN_STATE_CLOSING,     /* vehicle closes its contactor; everything of ours confirmed closed */
    GUN_STATE_CHARGING,
    GUN_STATE_RAMP_DOWN,
    GUN_STATE_OPENING,
    GUN_STATE_WELD_CHECK,
    GUN_STATE_DISCHARGE,
    GUN_STATE_UNLOCK,
    GUN_STATE_FINISHED, /* session over, vehicle still plugged */
    GUN_STATE_FAULTED,
    GUN_STATE_COUNT
};

/* The three ways down, rules G4 and S2. Larger is more urgent. */
enum stop_class {
    STOP_CLASS_NONE = 0,
    STOP_CLASS_NORMAL,    /* ramp 100 A/s, open below I_open */
    STOP_CLASS_ERROR,     /* ramp 200 A/s, open within 1 s */
    STOP_CLASS_EMERGENCY, /* zero and open at once */
    STOP_CLASS_COUNT
};

/* Why a session ended. OCPP's reasons are derived from it in nrt. */
enum stop_reason {
    STOP_REASON_NONE = 0,
    STOP_REASON_VEHICLE, /* the vehicle finished or asked to stop */
    STOP_REASON_REMOTE,  /* command from nrt */
    STOP_REASON_LOCAL,   /* same token presented again, or stop button */
    STOP_REASON_DEAUTHORISED,
    STOP_REASON_UNPLUGGED, /* CP left C/D or connector gone */
    STOP_REASON_EMERGENCY_STOP,
    STOP_REASON_FAULT,   /* see the record's fault code */
    STOP_REASON_TIMEOUT, /* a stage of the start-up took too long */
    STOP_REASON_RESTART, /* ringmain-rt ended while the session ran */
    STOP_REASON_POWER_LOSS,
    STOP_REASON_UNAVAILABLE, /* made inoperative by command */
    STOP_REASON_COUNT
};

/* What bounds a gun's budget at this moment. */
enum limit_reason {
    LIMIT_REASON_NONE = 0, /* no demand */
    LIMIT_REASON_VEHICLE,
    LIMIT_REASON_CONNECTOR,
    LIMIT_REASON_CABLE,
    LIMIT_REASON_TEMPERATURE,
    LIMIT_REASON_MODULES,
    LIMIT_REASON_BOUNDARY,
    LIMIT_REASON_GRID,
    LIMIT_REASON_LEASE,
    LIMIT_REASON_FAILSAFE, /* no valid lease: the configured fail-safe limit */
    LIMIT_REASON_PROFILE,
    LIMIT_REASON_CLASS,
    LIMIT_REASON_FAULT,
    LIMIT_REASON_RAMP,    /* on the way to a higher bound */
    LIMIT_REASON_PLANNER, /* no fresh proposal: the guard ramps down on its own */
    LIMIT_REASON_COUNT
};

/* The sequencer of one slot as lender of its modules to a neighbour's gun, in the order of a loan (rt/sequencer/). */
enum boundary_state {
    BOUNDARY_STATE_HOME = 0,   /* nothing lent; the slot is its own gun's */
    BOUNDARY_STATE_PREPARING,  /* module contactors close on the dead bus */
    BOUNDARY_STATE_MATCHING,   /* own bus brought to the owner's voltage at <= I_cc */
    BOUNDARY_STATE_CLOSING_MC, /* equal voltages: the boundary's first contactor closes */
    BOUNDARY_STATE_CLOSING_BC, /* the second one, where fitted */
    BOUNDARY_STATE_JOINED,     /* modules feed the owner's gun */
    BOUNDARY_STATE_UNLOADING,  /* their current goes to zero, others take over */
    BOUNDARY_STATE_OPENING,    /* boundary told to open */
    BOUNDARY_STATE_SETTLING,   /* own bus discharges, module contactors open */
    BOUNDARY_STATE_FAULTED,    /* the boundary did not open: fused with its neighbour */
    BOUNDARY_STATE_COUNT
};

/* Why a slot went home, or what keeps it there. */
enum boundary_reason {
    BOUNDARY_REASON_NONE = 0,
    BOUNDARY_REASON_PLAN,       /* the planner wants it otherwise */
    BOUNDARY_REASON_RECLAIM,    /* a vehicle arrived at the slot's own gun */
    BOUNDARY_REASON_OWNER,      /* the owner's session ends or is not steady */
    BOUNDARY_REASON_PLANNER,    /* no fresh plan */
    BOUNDARY_REASON_SHUTDOWN,   /* the program ends */
    BOUNDARY_REASON_INNER,      /* the slot between it and the owner leaves */
    BOUNDARY_REASON_SLOT,       /* a fault of the slot itself */
    BOUNDARY_REASON_EMERGENCY,  /* emergency in the slot or of the owner */
    BOUNDARY_REASON_MODULES,    /* no usable module */
    BOUNDARY_REASON_MN,         /* module contactors did not close */
    BOUNDARY_REASON_VOLTAGE,    /* owner's voltage not reached in time */
    BOUNDARY_REASON_INSULATION, /* insulation of the lone bus not good in time */
    BOUNDARY_REASON_TURN,       /* its turn to close did not come in time */
    BOUNDARY_REASON_STUCK,      /* boundary contactor did not close */
    BOUNDARY_REASON_LOST,       /* boundary opened by itself, or its feedback is not trusted */
    BOUNDARY_REASON_LOADED,     /* current did not go away in time */
    BOUNDARY_REASON_WELDED,     /* boundary did not open */
    BOUNDARY_REASON_DISCHARGE,  /* bus did not discharge in time */
    BOUNDARY_REASON_COUNT
};

enum cp_state { /* IEC 61851-1 control pilot */
                CP_STATE_UNKNOWN = 0,
                CP_STATE_A,
                CP_STATE_B,
                CP_STATE_C,
                CP_STATE_D,
                CP_STATE_E,
                CP_STATE_F,
                CP_STATE_COUNT
};

enum hlc_stage { /* wire values of the CAN contract, section 3 */
                 HLC_STAGE_NONE = 0,
                 HLC_STAGE_SLAC,
                 HLC_STAGE_SDP,
                 HLC_STAGE_SESSION_SETUP,
                 HLC_STAGE_SERVICE_DISCOVERY,
                 HLC_STAGE_AUTHORISATION,
                 HLC_STAGE_CHARGE_PARAMETERS,
                 HLC_STAGE_CABLE_CHECK,
                 HLC_STAGE_PRECHARGE,
                 HLC_STAGE_POWER_DELIVERY,
                 HLC_STAGE_CURRENT_DEMAND,
                 HLC_STAGE_POWER_OFF,
                 HLC_STAGE_WELDING_DETECTION,
                 HLC_STAGE_SESSION_STOP,
                 HLC_STAGE_ERROR,
                 HLC_STAGE_COUNT
};

enum contactor_kind {
    CONTACTOR_GC = 0,
    CONTACTOR_MC,
    CONTACTOR_BC,
    CONTACTOR_MN0, /* .. MN0 + RM_MODULES_PER_SLOT_MAX - 1 */
    CONTACTORS_PER_SLOT = CONTACTOR_MN0 + RM_MODULES_PER_SLOT_MAX
};

enum identity_kind {
    IDENTITY_NONE = 0,
    IDENTITY_RFID,
    IDENTITY_EVCCID,
    IDENTITY_EMAID,
    IDENTITY_EVMAC,
    IDENTITY_COUNT
};

/* How the running session was authorised. */
enum auth_source {
    AUTH_SOURCE_NONE = 0,
    AUTH_SOURCE_FREE_VEND,
    AUTH_SOURCE_LOCAL_LIST,
    AUTH_SOURCE_REMOTE,
    AUTH_SOURCE_COUNT
};

/* The fault table: FAULT(name, rule, stop class, latched, sentence for the operator).
 * Latched faults clear only through COMMAND_CLEAR_FAULT (ESTOP: COMMAND_RESET_ESTOP); the others clear when their cause
 * is gone. IMD_FAULT and IMD_LOW also clear when a later cable check passes (rule N5): they end a session and forbid
 * charging, not a new cable check. The scope (slot, module, contactor) travels beside the code. */
/* clang-format off */
#define FAULT_TABLE(FAULT) \
    FAULT(ESTOP,                 "S2",  EMERGENCY, true,  "Emergency stop pressed. Release it, then reset.") \
    FAULT(SAFETY_CHAIN,          "S1",  EMERGENCY, false, "Safety chain open (door, tilt or wired interlock).") \
    FAULT(EARTH_FAULT,           "S1",  EMERGENCY, true,  "Earth fault reported by the PLC.") \
    FAULT(PLC_LOST,              "S4",  EMERGENCY, false, "PLC node silent: its slot is out of service until it is heard again.") \
    FAULT(PLC_COMM,              "S14", ERROR,     false, "PLC communication faulty: CRC or sequence errors.") \
    FAULT(PLC_ACK,               "S14", EMERGENCY, false, "PLC did not acknowledge three contactor commands in a row.") \
    FAULT(PLC_CRC_MODE,          "S14", EMERGENCY, false, "PLC and hub disagree on CRC8 (plc.useCRC8): restart after mending.") \
    FAULT(PLC_INTERNAL,          "S1",  EMERGENCY, false, "PLC reports an internal error or a forced off.") \
    FAULT(BUS_OFF,               "S4",  EMERGENCY, false, "CAN bus-off: interface restarts by itself.") \
    FAULT(CP_LOST,               "S9",  EMERGENCY, false, "Control pilot left C/D while energised (unplugged or broken).") \
    FAULT(CP_STALE,              "S7",  EMERGENCY, false, "Control pilot measurement stale.") \
    FAULT(LOCK,                  "G3",  ERROR,     false, "Connector lock not engaged.") \
    FAULT(UNLOCK_FAILED,         "G5",  NONE,      false, "Connector did not unlock.") \
    FAULT(CONTACTOR_STUCK_OPEN,  "S5",  ERROR,     true,  "Contactor did not close.") \
    FAULT(CONTACTOR_WELDED,      "G6",  EMERGENCY, true,  "Contactor welded: service needed with dead bus.") \
    FAULT(CONTACTOR_FEEDBACK,    "S6",  ERROR,     false, "Contactor feedback contradicts voltage or current.") \
    FAULT(CONTACTOR_BOOT_CLOSED, "S15", EMERGENCY, true,  "Contactor found closed at start: weld suspect.") \
    FAULT(IMD_FAULT,             "N3",  ERROR,     true,  "Insulation fault.") \
    FAULT(IMD_LOW,               "N3",  ERROR,     true,  "Insulation resistance below the limit.") \
    FAULT(IMD_SELF_TEST,         "N2",  ERROR,     false, "Insulation monitor self-test failed.") \
    FAULT(IMD_STALE,             "N3",  ERROR,     false, "Insulation monitor silent.") \
    FAULT(IMD_REPEATED,          "N5",  ERROR,     true,  "Cable check failed repeatedly: out of service.") \
    FAULT(OVERVOLTAGE_EMERGENCY, "S10", EMERGENCY, true,  "Output above the over-voltage limit.") \
    FAULT(OVERVOLTAGE,           "S10", ERROR,     false, "Output above the vehicle's maximum voltage.") \
    FAULT(OVERCURRENT,           "M4",  ERROR,     false, "Output current above what was commanded.") \
    FAULT(TEMPERATURE,           "S11", ERROR,     false, "Connector too hot.") \
    FAULT(TEMPERATURE_SENSOR,    "S11", NORMAL,    false, "Connector temperature sensor open or short.") \
    FAULT(METER_STALE,           "S7",  NORMAL,    false, "Energy meter silent.") \
    FAULT(METER_JUMP,            "S7",  NONE,      false, "Energy meter stepped: held and counted.") \
    FAULT(EV_TARGETS_STALE,      "S7",  NORMAL,    false, "Vehicle's targets stopped arriving.") \
    FAULT(CABLE_CHECK,           "G2",  ERROR,     false, "Cable check did not finish in time.") \
    FAULT(CABLE_SHORT,           "G2",  EMERGENCY, true,  "Short circuit found in the cable check.") \
    FAULT(PRECHARGE,             "G1",  ERROR,     false, "Precharge did not reach the vehicle's voltage in time.") \
    FAULT(DISCHARGE,             "G5",  NONE,      false, "Output did not fall below 60 V.") \
    FAULT(MODULE_LOST,           "M4",  NONE,      false, "Power module silent.") \
    FAULT(MODULE_FAULT,          "M6",  NONE,      true,  "Power module reports a fault.") \
    FAULT(NO_MODULES,            "M3",  NORMAL,    false, "No healthy power module in this slot.") \
    FAULT(VEHICLE_ERROR,         "",    NORMAL,    false, "The vehicle ended the session with an error.") \
    FAULT(STAGE_TIMEOUT,         "",    NORMAL,    false, "The vehicle did not go on in time.") \
    FAULT(PLANNER_LATE,          "S8",  NORMAL,    false, "Planner late or stopped: guard ramps down.") \
    FAULT(CONFIG_REFUSED,        "",    NORMAL,    false, "PLC refused a parameter (ConfigAck).") \
    FAULT(LATCH_UNKNOWN,         "S15", NORMAL,    false, "Latched faults of the last run unknown: waiting for the store.") \
    FAULT(VOLTAGE_UNKNOWN,       "S10", ERROR,     false, "Output voltage not measured while the gun is connected.") \
    FAULT(BOUNDARY,              "E4",  NONE,      true,  "Boundary contactor did not follow: nothing is shared over it until it is serviced.")
/* clang-format on */

enum fault_code {
    FAULT_NONE = 0,
#define FAULT(name, rule, stop, latched, text) FAULT_##name,
    FAULT_TABLE(FAULT)
#undef FAULT
        FAULT_COUNT
};

struct fault_info {
    const char *name; /* e.g. "IMD_LOW" */
    const char *rule; /* rule id of docs/hazards.md, "" where none */
    enum stop_class stop;
    bool latched;
    const char *text; /* for the operator */
};

/* The row of a code; the row of FAULT_NONE for anything out of range. Any thread, constant time. */
const struct fault_info *fault_info(unsigned code);

/* Names for people and logs ("charging", "Emergency stop" ...). "?" when out of range. Any thread. */
const char *gun_state_name(unsigned value);
const char *stop_class_name(unsigned value);
const char *stop_reason_name(unsigned value);
const char *limit_reason_name(unsigned value);
const char *boundary_state_name(unsigned value);
const char *boundary_reason_name(unsigned value);
const char *hlc_stage_name(unsigned value);
const char *identity_kind_name(unsigned value);
const char *auth_source_name(unsigned value);
char cp_state_letter(unsigned value); /* 'A'..'F', 'U' */
/* "GC", "MC", "BC", "MN0".. ; "?" when out of range */
const char *contactor_kind_name(unsigned value);

#endif
