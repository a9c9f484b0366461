/* Faults by name: what is injected, what it does to the physics, and how it ends. */
#include <linux/can/error.h>
#include <string.h>

#include "tests/plant/plant_private.h"

#define REPAIR_US 200000 /* contacts that move because a fault came or went */

enum fault_kind {
    F_PLC_SILENT = 0,
    F_PLC_RESTART,
    F_CRC_CORRUPT,
    F_FRAME_LOSS,
    F_FRAME_DELAY,
    F_FRAME_DUPLICATE,
    F_BUS_OFF,
    F_CONTACTOR_STUCK_OPEN,
    F_CONTACTOR_WELD,
    F_CONTACTOR_SLOW,
    F_CONTACTOR_BOUNCE,
    F_FEEDBACK_STALE,
    F_FEEDBACK_CONTRADICT,
    F_MODULE_TRIP,
    F_MODULE_SILENT,
    F_MODULE_OVERTEMP,
    F_OVER_VOLTAGE,
    F_IMD_FAULT,
    F_IMD_LOW,
    F_IMD_SELFTEST_FAIL,
    F_HOT_PIN,
    F_SENSOR_OPEN,
    F_SENSOR_SHORT,
    F_METER_JUMP,
    F_METER_SILENT,
    F_CP_LOSS,
    F_UNPLUG,
    F_LOCK_FAIL,
    F_ESTOP,
    F_SAFETY_OPEN,
    F_EARTH_FAULT,
    F_EV_LIES_VOLTAGE,
    F_EV_OVERDRAWS,
    F_EV_STOPS,
    F_EV_STAGE_STALL,
    F_SHORT_CIRCUIT,
    F_PLC_DEAF,
    F_BOOT_CONFIG,
    F_UPTIME_REORDER,
    F_SENSE_SILENT,
    F_SENSE_INVALID,
    F_IMD_NO_VERDICT,
    F_COUNT
};

/* clang-format off */
static const struct plant_fault_info table[F_COUNT] = {
    [F_PLC_SILENT]           = {"plc-silent",           PLANT_SCOPE_GUN,       "0 mute and deaf, 1 mute only",             0,     "the PLC stops talking (and hearing: its watchdog then opens everything)"},
    [F_PLC_RESTART]          = {"plc-restart",          PLANT_SCOPE_GUN,       "seconds of booting",                       1.5,   "the PLC restarts: contactors drop, it forgets everything"},
    [F_CRC_CORRUPT]          = {"crc-corrupt",          PLANT_SCOPE_GUN,       "% of its frames, both ways",               100,   "a bit of the frame is flipped on the way"},
    [F_FRAME_LOSS]           = {"frame-loss",           PLANT_SCOPE_GUN,       "% of its frames, both ways",               30,    "frames vanish"},
    [F_FRAME_DELAY]          = {"frame-delay",          PLANT_SCOPE_GUN,       "ms",                                       250,   "frames arrive late, both ways"},
    [F_FRAME_DUPLICATE]      = {"frame-duplicate",      PLANT_SCOPE_GUN,       "% of its frames",                          50,    "frames arrive twice"},
    [F_BUS_OFF]              = {"bus-off",              PLANT_SCOPE_INTERFACE, "0 the bus of the gun's PLC, 1 of its modules", 0, "the host's controller goes bus-off; while the fault lasts a restart fails"},
    [F_CONTACTOR_STUCK_OPEN] = {"contactor-stuck-open", PLANT_SCOPE_CONTACTOR, "",                                         0,     "contacts do not close; closed ones drop"},
    [F_CONTACTOR_WELD]       = {"contactor-weld",       PLANT_SCOPE_CONTACTOR, "",                                         0,     "contacts do not open once closed"},
    [F_CONTACTOR_SLOW]       = {"contactor-slow",       PLANT_SCOPE_CONTACTOR, "ms added",                                 150,   "operates and releases late"},
    [F_CONTACTOR_BOUNCE]     = {"contactor-bounce",     PLANT_SCOPE_CONTACTOR, "ms per bounce",                            3,     "contacts bounce four times when closing"},
    [F_FEEDBACK_STALE]       = {"feedback-stale",       PLANT_SCOPE_CONTACTOR, "",                                         0,     "the auxiliary contact stands still"},
    [F_FEEDBACK_CONTRADICT]  = {"feedback-contradict",  PLANT_SCOPE_CONTACTOR, "",                                         0,     "the auxiliary contact says the opposite"},
    [F_MODULE_TRIP]          = {"module-trip",          PLANT_SCOPE_MODULE,    "",                                         0,     "the module faults and delivers nothing"},
    [F_MODULE_SILENT]        = {"module-silent",        PLANT_SCOPE_MODULE,    "",                                         0,     "the module neither hears nor answers; goes on delivering until its own time-out"},
    [F_MODULE_OVERTEMP]      = {"module-overtemp",      PLANT_SCOPE_MODULE,    "degC",                                     80,    "the module runs that hot: derates from 75, nothing at 85, trips above 92"},
    [F_OVER_VOLTAGE]         = {"over-voltage",         PLANT_SCOPE_MODULE,    "0 still obeys off, 1 ignores off too",     0,     "the module runs away to its highest voltage and current"},
    [F_IMD_FAULT]            = {"imd-fault",            PLANT_SCOPE_GUN,       "",                                         0,     "the insulation monitor reports a device fault"},
    [F_IMD_LOW]              = {"imd-low",              PLANT_SCOPE_GUN,       "ohm",                                      20000, "insulation of vehicle or cable falls to that"},
    [F_IMD_SELFTEST_FAIL]    = {"imd-selftest-fail",    PLANT_SCOPE_GUN,       "",                                         0,     "the monitor's self-test fails"},
    [F_HOT_PIN]              = {"hot-pin",              PLANT_SCOPE_GUN,       "degC",                                     95,    "one DC pin heats up to that while current flows"},
    [F_SENSOR_OPEN]          = {"sensor-open",          PLANT_SCOPE_GUN,       "",                                         0,     "temperature sensor of the DC+ pin open (reads +3276.7)"},
    [F_SENSOR_SHORT]         = {"sensor-short",         PLANT_SCOPE_GUN,       "",                                         0,     "temperature sensor of the DC+ pin short (reads -3276.8)"},
    [F_METER_JUMP]           = {"meter-jump",           PLANT_SCOPE_GUN,       "kWh",                                      5,     "the register jumps once by that, up or down"},
    [F_METER_SILENT]         = {"meter-silent",         PLANT_SCOPE_GUN,       "",                                         0,     "the meter's frames stop"},
    [F_CP_LOSS]              = {"cp-loss",              PLANT_SCOPE_GUN,       "0 broken (A), 1 shorted (E), 2 no generator (F)", 0, "the control pilot is lost; the vehicle opens its contactor"},
    [F_UNPLUG]               = {"unplug",               PLANT_SCOPE_GUN,       "",                                         0,     "the plug is torn out"},
    [F_LOCK_FAIL]            = {"lock-fail",            PLANT_SCOPE_GUN,       "0 does not hold, 1 does not release",      0,     "the connector lock fails"},
    [F_ESTOP]                = {"estop",                PLANT_SCOPE_SITE,      "",                                         0,     "somebody presses the button (clear releases it)"},
    [F_SAFETY_OPEN]          = {"safety-open",          PLANT_SCOPE_GUN,       "",                                         0,     "safety chain of the PLC open (door)"},
    [F_EARTH_FAULT]          = {"earth-fault",          PLANT_SCOPE_GUN,       "",                                         0,     "the PLC reports an earth fault"},
    [F_EV_LIES_VOLTAGE]      = {"ev-lies-voltage",      PLANT_SCOPE_GUN,       "V",                                        60,    "the vehicle reports its battery that far off, and precharges to the wrong voltage"},
    [F_EV_OVERDRAWS]         = {"ev-overdraws",         PLANT_SCOPE_GUN,       "times its maximum current",                1.5,   "the vehicle asks for more than its own maximum and than it was offered"},
    [F_EV_STOPS]             = {"ev-stops",             PLANT_SCOPE_GUN,       "",                                         0,     "the vehicle opens its contactor under load and ends with an error"},
    [F_EV_STAGE_STALL]       = {"ev-stage-stall",       PLANT_SCOPE_GUN,       "seconds",                                  15,    "the vehicle stays in its stage"},
    [F_SHORT_CIRCUIT]        = {"short-circuit",        PLANT_SCOPE_GUN,       "ohm",                                      0.5,   "DC+ and DC- touch in the vehicle's inlet"},
    [F_PLC_DEAF]             = {"plc-deaf",             PLANT_SCOPE_GUN,       "",                                         0,     "the PLC speaks but hears nothing: no acknowledgement, and its watchdog opens everything"},
    [F_BOOT_CONFIG]          = {"boot-config",          PLANT_SCOPE_GUN,       "",                                         0,     "a BootConfig frame from a PLC that did not start anew and kept its contactors"},
    [F_UPTIME_REORDER]       = {"uptime-reorder",       PLANT_SCOPE_GUN,       "seconds",                                  1,     "a status frame that is older by that arrives after a newer one: uptime runs backwards once"},
    [F_SENSE_SILENT]         = {"slot-sense-silent",    PLANT_SCOPE_GUN,       "",                                         0,     "SlotSense stops: bus, gun and boundary are unmeasured"},
    [F_SENSE_INVALID]        = {"slot-sense-invalid",   PLANT_SCOPE_GUN,       "",                                         0,     "SlotSense goes on with its values marked invalid"},
    [F_IMD_NO_VERDICT]       = {"imd-no-verdict",       PLANT_SCOPE_GUN,       "ohm",                                      20000, "insulation falls to that and the monitor calls itself neither sound nor faulty"},
};
/* clang-format on */

const struct plant_fault_info *plant_fault_table(uint32_t *count) {
    *count = F_COUNT;
    return table;
}

static void set_estop(struct plant *p, bool pressed) {
    p->estop = pressed;
    for (uint32_t i = 0; i < p->slots; i++) {
        struct node *n = &p->slot[i].node;
        n->estop_input = pressed;
        n->estop_latched |= pressed;
        n->changed |= 1u << NODE_SAFETY | 1u << NODE_RELAY_STATUS | 1u << NODE_GCMC_STATUS;
    }
}

void plant_estop(struct plant *p, bool pressed) {
    if (p->estop != pressed) {
        plant_event(p, PLANT_EVENT_FAULT, UINT32_MAX, "emergency stop %s",
                    pressed ? "pressed" : "released");
        set_estop(p, pressed);
    }
}

static void send_error(struct plant *p, uint32_t interface, uint32_t bits) {
    const struct can_frame frame = {.can_id = CAN_ERR_FLAG | bits, .len = CAN_ERR_DLC};
    plant_send(p, interface, &frame, NULL);
}

static void set_bus_off(struct plant *p, uint32_t interface, bool on) {
    p->bus_off_held[interface] = on;
    if (on && !p->bus_off[interface]) {
        send_error(p, interface, CAN_ERR_BUSOFF);
        p->bus_off[interface] = true;
    }
}

/* Contacts that the fault itself moves, now or when it is mended. */
static void free_contacts(struct plant *p, struct slot *s, struct contactor *c) {
    c->injected_until_us = p->now_us + REPAIR_US;
    if (c->coil != c->closed && c->move_us == NEVER) {
        c->move_us = p->now_us;
        s->next_contactor_us = p->now_us;
    }
}

static void set_contactor_fault(struct plant *p, const struct active_fault *f, bool on) {
    struct slot *s = &p->slot[f->slot];
    struct contactor *c = &s->contactor[f->contactor];
    switch ((unsigned)f->kind) {
    case F_CONTACTOR_STUCK_OPEN:
        c->stuck_open = on;
        free_contacts(p, s, c);
        if (on && c->closed) {
            c->move_us = s->next_contactor_us = p->now_us;
        }
        break;
    case F_CONTACTOR_WELD:
        c->welded = on;
        if (!on) {
            free_contacts(p, s, c);
        }
        break;
    case F_CONTACTOR_SLOW: c->slow_ms = on ? f->value : 0; break;
    case F_CONTACTOR_BOUNCE: c->bounce_ms = on ? f->value : 0; break;
    default:
        c->feedback_fault = (int8_t)(!on ? 0 : f->kind == F_FEEDBACK_STALE ? 1 : 2);
        c->aux_us = p->now_us; /* a mended auxiliary contact follows again */
        s->next_contactor_us = p->now_us;
        s->node.changed |= 1u << NODE_GCMC_STATUS | 1u << NODE_RELAY_STATUS;
        break;
    }
}

static void set_module_fault(struct plant *p, const struct active_fault *f, bool on) {
    struct rectifier *r = &p->slot[f->slot].module[f->module];
    switch ((unsigned)f->kind) {
    case F_MODULE_TRIP: r->fault_trip = on; break;
    case F_MODULE_SILENT: r->silent = on; break;
    case F_MODULE_OVERTEMP:
        r->overtemp_c = on ? f->value : 0;
        r->tripped = r->tripped && on;
        break;
    default:
        r->runaway = on;
        r->runaway_deaf = on && f->value >= 0.5;
        r->tripped = r->tripped && on;
        break;
    }
}

static void set_wire_fault(struct plant *p, const struct active_fault *f, bool on) {
    struct comm_faults *c = &p->slot[f->slot].node.comm;
    const double share = on ? f->value / 100.0 : 0;
    switch ((unsigned)f->kind) {
    case F_PLC_SILENT:
        c->silent = on;
        c->deaf = on && f->value < 0.5;
        break;
    case F_PLC_DEAF: c->deaf = on; break;
    case F_CRC_CORRUPT: c->corrupt = share; break;
    case F_FRAME_LOSS: c->loss = share; break;
    case F_FRAME_DELAY: c->delay_us = on ? (int64_t)(f->value * 1000.0) : 0; break;
    default: c->duplicate = share; break;
    }
}

static void stop_vehicle(struct plant *p, uint32_t slot) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (v->contactor_cmd) {
        v->contactor_cmd = false;
        v->contactor_us = p->now_us;
    }
    vehicle_fail(p, slot, PLANT_FAILURE_VEHICLE_FAULT, p->now_us);
}

static void set_vehicle_fault(struct plant *p, const struct active_fault *f, bool on) {
    struct vehicle *v = &p->slot[f->slot].vehicle;
    static const enum cp_state broken[3] = {CP_STATE_A, CP_STATE_E, CP_STATE_F};
    switch ((unsigned)f->kind) {
    case F_IMD_LOW: v->insulation_ohm = on ? f->value : 3e6; break;
    case F_CP_LOSS:
        vehicle_pilot_lost(p, f->slot,
                           on ? broken[f->value < 0.5   ? 0
                                       : f->value < 1.5 ? 1
                                                        : 2]
                              : CP_STATE_UNKNOWN);
        break;
    case F_UNPLUG:
        if (on) {
            vehicle_unplug_by_force(p, f->slot, p->now_us);
        }
        break;
    case F_EV_LIES_VOLTAGE: v->lie_v = on ? f->value : 0; break;
    case F_EV_OVERDRAWS: v->overdraw_factor = on ? f->value : 0; break;
    case F_EV_STOPS:
        if (on) {
            stop_vehicle(p, f->slot);
        }
        break;
    case F_EV_STAGE_STALL:
        v->stall_until_us = on ? p->now_us + (int64_t)(f->value * 1e6) : 0;
        break;
    default: v->short_ohm = on ? f->value : 0; break;
    }
}

static int64_t uptime_before(const struct node *n, int64_t now_us, double seconds) {
    const int64_t then_us = now_us - (int64_t)(seconds * 1e6);
    return then_us > n->boot_us ? then_us : n->boot_us;
}

static void set_plc_fault(struct plant *p, const struct active_fault *f, bool on) {
    struct slot *s = &p->slot[f->slot];
    struct node *n = &s->node;
    switch ((unsigned)f->kind) {
    case F_PLC_RESTART:
        if (on) {
            node_boot(p, f->slot, p->now_us + (int64_t)(f->value * 1e6));
        }
        break;
    case F_IMD_FAULT: n->imd_fault = on; break;
    case F_IMD_SELFTEST_FAIL: n->imd_test_fails = on; break;
    case F_HOT_PIN: n->hot_pin_c = on ? f->value : 0; break;
    case F_SENSOR_OPEN: n->sensor_fault = on ? 1 : 0; break;
    case F_SENSOR_SHORT: n->sensor_fault = on ? 2 : 0; break;
    case F_METER_JUMP: n->meter_wh += on ? f->value * 1000.0 : 0; break;
    case F_METER_SILENT: n->meter_silent = on; break;
    case F_SENSE_SILENT: n->sense_silent = on; break;
    case F_SENSE_INVALID: n->sense_invalid = on; break;
    case F_IMD_NO_VERDICT:
        n->imd_undecided = on;
        s->vehicle.insulation_ohm = on ? f->value : 3e6;
        break;
    case F_BOOT_CONFIG:
        if (on) {
            node_transmit_boot(p, f->slot);
        }
        break;
    case F_UPTIME_REORDER:
        if (on) {
            node_transmit(p, f->slot, NODE_HW_STATUS, p->now_us);
            node_transmit(p, f->slot, NODE_HW_STATUS, uptime_before(n, p->now_us, f->value));
        }
        break;
    case F_LOCK_FAIL:
        n->lock_broken = on && f->value < 0.5;
        n->lock_stuck = on && f->value >= 0.5;
        break;
    case F_SAFETY_OPEN: n->chain_open = on; break;
    default: n->earth_fault = on; break;
    }
    n->changed |= 1u << NODE_SAFETY | 1u << NODE_IMD | 1u << NODE_TEMPERATURE;
}

static void set_fault(struct plant *p, const struct active_fault *f, bool on) {
    switch (table[f->kind].scope) {
    case PLANT_SCOPE_SITE: set_estop(p, on); return;
    case PLANT_SCOPE_INTERFACE: set_bus_off(p, f->interface, on); return;
    case PLANT_SCOPE_CONTACTOR: set_contactor_fault(p, f, on); return;
    case PLANT_SCOPE_MODULE: set_module_fault(p, f, on); return;
    case PLANT_SCOPE_GUN: break;
    }
    switch ((enum fault_kind)f->kind) {
    case F_PLC_SILENT:
    case F_CRC_CORRUPT:
    case F_FRAME_LOSS:
    case F_FRAME_DELAY:
    case F_PLC_DEAF:
    case F_FRAME_DUPLICATE: set_wire_fault(p, f, on); break;
    case F_IMD_LOW:
    case F_CP_LOSS:
    case F_UNPLUG:
    case F_EV_LIES_VOLTAGE:
    case F_EV_OVERDRAWS:
    case F_EV_STOPS:
    case F_EV_STAGE_STALL:
    case F_SHORT_CIRCUIT: set_vehicle_fault(p, f, on); break;
    case F_PLC_RESTART:
    case F_IMD_FAULT:
    case F_IMD_SELFTEST_FAIL:
    case F_HOT_PIN:
    case F_SENSOR_OPEN:
    case F_SENSOR_SHORT:
    case F_METER_JUMP:
    case F_METER_SILENT:
    case F_LOCK_FAIL:
    case F_SAFETY_OPEN:
    case F_BOOT_CONFIG:
    case F_UPTIME_REORDER:
    case F_SENSE_SILENT:
    case F_SENSE_INVALID:
    case F_IMD_NO_VERDICT:
    case F_EARTH_FAULT: set_plc_fault(p, f, on); break;
    case F_BUS_OFF:
    case F_CONTACTOR_STUCK_OPEN:
    case F_CONTACTOR_WELD:
    case F_CONTACTOR_SLOW:
    case F_CONTACTOR_BOUNCE:
    case F_FEEDBACK_STALE:
    case F_FEEDBACK_CONTRADICT:
    case F_MODULE_TRIP:
    case F_MODULE_SILENT:
    case F_MODULE_OVERTEMP:
    case F_OVER_VOLTAGE:
    case F_ESTOP:
    case F_COUNT: break; /* by scope, above */
    }
}

/* Faults whose answer by design is an emergency of the island: what opens then is not the host's fault. */
static void excuse(struct plant *p, const struct active_fault *f) {
    struct slot *s = &p->slot[f->slot];
    switch ((enum fault_kind)f->kind) {
    case F_CONTACTOR_WELD:
    case F_FEEDBACK_STALE:
    case F_FEEDBACK_CONTRADICT:
    case F_SHORT_CIRCUIT: judge_emergency(p, f->slot, table[f->kind].name, p->now_us); break;
    case F_CONTACTOR_BOUNCE:
        s->contactor[f->contactor].injected_until_us = p->now_us + REPAIR_US;
        break;
    case F_OVER_VOLTAGE:
        judge_emergency(p, f->slot, table[f->kind].name, p->now_us);
        s->judge.runaway_until_us = p->now_us + 2000000;
        break;
    case F_PLC_SILENT:
    case F_PLC_RESTART:
    case F_CRC_CORRUPT:
    case F_FRAME_LOSS:
    case F_FRAME_DELAY:
    case F_FRAME_DUPLICATE:
    case F_BUS_OFF:
    case F_CONTACTOR_STUCK_OPEN:
    case F_CONTACTOR_SLOW:
    case F_MODULE_TRIP:
    case F_MODULE_SILENT:
    case F_MODULE_OVERTEMP:
    case F_IMD_FAULT:
    case F_IMD_LOW:
    case F_IMD_SELFTEST_FAIL:
    case F_HOT_PIN:
    case F_SENSOR_OPEN:
    case F_SENSOR_SHORT:
    case F_METER_JUMP:
    case F_METER_SILENT:
    case F_CP_LOSS:
    case F_UNPLUG:
    case F_LOCK_FAIL:
    case F_ESTOP:
    case F_SAFETY_OPEN:
    case F_EARTH_FAULT:
    case F_EV_LIES_VOLTAGE:
    case F_EV_OVERDRAWS:
    case F_EV_STOPS:
    case F_EV_STAGE_STALL:
    case F_PLC_DEAF:
    case F_BOOT_CONFIG:
    case F_UPTIME_REORDER:
    case F_SENSE_SILENT:
    case F_SENSE_INVALID:
    case F_IMD_NO_VERDICT:
    case F_COUNT: break;
    }
}

static void end_fault(struct plant *p, struct active_fault *f) {
    f->used = false;
    set_fault(p, f, false);
    plant_event(p, PLANT_EVENT_FAULT, f->slot, "cleared: %s", table[f->kind].name);
}

static enum plant_result begin_fault(struct plant *p, struct active_fault f) {
    for (uint32_t i = 0; i < ACTIVE_FAULTS_MAX; i++) {
        struct active_fault *a = &p->fault[i];
        if (a->used && a->kind == f.kind && a->slot == f.slot && a->module == f.module &&
            a->contactor == f.contactor) {
            a->used = false; /* replaced: the new value and duration count */
        }
    }
    for (uint32_t i = 0; i < ACTIVE_FAULTS_MAX; i++) {
        if (!p->fault[i].used) {
            f.used = true;
            p->fault[i] = f;
            p->report.faults_injected++;
            plant_event(p, PLANT_EVENT_FAULT, f.slot, "injected: %s %g", table[f.kind].name,
                        f.value);
            set_fault(p, &f, true);
            excuse(p, &f);
            return PLANT_OK;
        }
    }
    return PLANT_BAD_VALUE;
}

static bool needs_vehicle(uint32_t kind) {
    return kind == F_UNPLUG || kind == F_CP_LOSS || kind == F_EV_LIES_VOLTAGE ||
           kind == F_EV_OVERDRAWS || kind == F_EV_STOPS || kind == F_EV_STAGE_STALL ||
           kind == F_IMD_LOW || kind == F_IMD_NO_VERDICT || kind == F_SHORT_CIRCUIT;
}

static uint32_t contactor_by_name(const char *name) {
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
        if (strcmp(contactor_kind_name(kind), name) == 0) {
            return kind;
        }
    }
    return CONTACTORS_PER_SLOT;
}

static enum plant_result place(const struct plant *p, const struct plant_fault *wanted,
                               struct active_fault *f) {
    if (table[f->kind].scope == PLANT_SCOPE_SITE) {
        f->slot = UINT32_MAX;
        return PLANT_OK;
    }
    if (wanted->gun == 0) {
        return PLANT_NEEDS_GUN;
    }
    f->slot = plant_slot_of_gun(p, wanted->gun);
    if (f->slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    const struct slot *s = &p->slot[f->slot];
    f->module = wanted->module < 0 ? UINT32_MAX : (uint32_t)wanted->module;
    if (table[f->kind].scope == PLANT_SCOPE_MODULE ||
        table[f->kind].scope == PLANT_SCOPE_INTERFACE) {
        if (f->module >= s->modules &&
            (table[f->kind].scope == PLANT_SCOPE_MODULE || f->value >= 0.5)) {
            return PLANT_NO_SUCH_MODULE;
        }
    }
    if (table[f->kind].scope == PLANT_SCOPE_INTERFACE) {
        f->interface = f->value >= 0.5 ? s->module[f->module].interface : s->node.interface;
    }
    if (table[f->kind].scope == PLANT_SCOPE_CONTACTOR) {
        f->contactor =
            wanted->contactor == NULL ? CONTACTOR_GC : contactor_by_name(wanted->contactor);
        if (f->contactor >= CONTACTORS_PER_SLOT || !s->contactor[f->contactor].fitted) {
            return PLANT_NO_SUCH_CONTACTOR;
        }
    }
    return needs_vehicle(f->kind) && !s->vehicle.plugged ? PLANT_EMPTY : PLANT_OK;
}

enum plant_result plant_inject(struct plant *p, const char *name,
                               const struct plant_fault *wanted) {
    struct active_fault f = {.kind = F_COUNT, .until_us = NEVER};
    for (uint32_t i = 0; i < F_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            f.kind = i;
        }
    }
    if (f.kind == F_COUNT) {
        return PLANT_NO_SUCH_FAULT;
    }
    f.value = isnan(wanted->value) ? table[f.kind].value_default : wanted->value;
    const bool may_be_negative = f.kind == F_METER_JUMP || f.kind == F_EV_LIES_VOLTAGE;
    if (!isfinite(f.value) || fabs(f.value) > 1e7 || (f.value < 0 && !may_be_negative) ||
        wanted->for_ms < 0 || (f.kind == F_SHORT_CIRCUIT && f.value <= 0) ||
        ((f.kind == F_IMD_LOW || f.kind == F_IMD_NO_VERDICT) && f.value < 1)) {
        return PLANT_BAD_VALUE;
    }
    const enum plant_result result = place(p, wanted, &f);
    if (result != PLANT_OK) {
        return result;
    }
    if (wanted->for_ms > 0) {
        f.until_us = p->now_us + wanted->for_ms * 1000;
    }
    return begin_fault(p, f);
}

enum plant_result plant_clear(struct plant *p, int gun) {
    const uint32_t slot = gun == 0 ? UINT32_MAX : plant_slot_of_gun(p, gun);
    if (gun != 0 && slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    for (uint32_t i = 0; i < ACTIVE_FAULTS_MAX; i++) {
        if (p->fault[i].used && (gun == 0 || p->fault[i].slot == slot)) {
            end_fault(p, &p->fault[i]);
        }
    }
    if (gun == 0) {
        plant_estop(p, false);
    }
    return PLANT_OK;
}

/* ---- the seeded schedule ---- */

static void draw_next(struct plant *p, int64_t now_us) {
    p->next_fault_us =
        p->options.faults_per_hour > 0
            ? now_us +
                  (int64_t)(random_exponential(&p->random, 3600.0 / p->options.faults_per_hour) *
                            1e6)
            : NEVER;
}

/* Mostly where a vehicle is: elsewhere little can go wrong. */
static uint32_t draw_slot(struct plant *p) {
    uint32_t slot = 0;
    for (int attempt = 0; attempt < 8; attempt++) {
        slot = random_below(&p->random, p->slots);
        if (p->slot[slot].gun != 0 && p->slot[slot].vehicle.plugged) {
            break;
        }
    }
    return slot;
}

static void scheduled(struct plant *p, int64_t now_us) {
    const uint32_t slot = draw_slot(p);
    const struct slot *s = &p->slot[slot];
    struct active_fault f = {.kind = random_below(&p->random, F_COUNT), .slot = slot};
    static const uint32_t kinds[3] = {CONTACTOR_GC, CONTACTOR_MN0, CONTACTOR_MN0 + 1};
    f.value = table[f.kind].value_default;
    f.module = s->modules > 0 ? random_below(&p->random, s->modules) : 0;
    f.contactor = kinds[random_below(&p->random, 3)];
    f.interface = s->node.interface;
    f.until_us = now_us + (int64_t)(random_range(&p->random, 1.0, 15.0) * 1e6);
    if (table[f.kind].scope == PLANT_SCOPE_SITE) {
        f.slot = UINT32_MAX;
        if (random_unit(&p->random) < 0.8) {
            return; /* the button stops everything: rarely */
        }
    } else if (needs_vehicle(f.kind) && !s->vehicle.plugged) {
        return;
    }
    if (table[f.kind].scope == PLANT_SCOPE_MODULE && s->modules == 0) {
        return;
    }
    if (table[f.kind].scope == PLANT_SCOPE_CONTACTOR && !s->contactor[f.contactor].fitted) {
        return;
    }
    (void)begin_fault(p, f);
}

void faults_slow(struct plant *p, int64_t now_us) {
    if (p->next_fault_us == 0) {
        draw_next(p, now_us);
    }
    if (now_us >= p->next_fault_us) {
        scheduled(p, now_us);
        draw_next(p, now_us);
    }
    if (p->report.faults_injected == 0) {
        return;
    }
    for (uint32_t i = 0; i < ACTIVE_FAULTS_MAX; i++) {
        struct active_fault *f = &p->fault[i];
        if (!f->used) {
            continue;
        }
        if (now_us >= f->until_us) {
            end_fault(p, f);
        } else if (f->slot != UINT32_MAX) {
            excuse(p, f);
        }
    }
}
