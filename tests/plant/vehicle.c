/* Vehicles: the talk with the charger from plug to unplug, the battery, and the vehicle's own patience.
 *
 * A vehicle sees the PLC's ISO 15118 front end (struct node), the voltage at its inlet, and its battery; never the host. */
#include <string.h>

#include "tests/plant/plant_private.h"

#define CABLE_CHECK_PATIENCE_US 30000000
#define PRECHARGE_PATIENCE_US   7000000
#define POWER_PATIENCE_US       5000000 /* at 0 kW after being served */
#define FIRST_POWER_PATIENCE_US 20000000
#define PATH_PATIENCE_US        5000000 /* for output enabled, after its own contactor closed */
#define LOCK_PATIENCE_US        20000000
#define AUTH_PATIENCE_US        300000000
#define RAMP_OUT_PATIENCE_US    4000000
#define WELDING_PATIENCE_US     5000000
#define PRECHARGE_WINDOW_V      20.0
#define CONTACTOR_LAG_US        25000
#define AFTER_CABLE_CHECK_US    4000000 /* goes on by then even if the voltage is left up */
#define PULL_US                 30000000
#define SAFE_V                  60.0

/* From plug: waiting for the wake-up, SLAC, SDP, session setup, service discovery. 12 s in all. */
static const double handshake_s[5] = {2.0, 5.0, 1.0, 2.5, 1.5};
static const enum hlc_stage handshake_stage[5] = {HLC_STAGE_NONE, HLC_STAGE_SLAC, HLC_STAGE_SDP,
                                                  HLC_STAGE_SESSION_SETUP,
                                                  HLC_STAGE_SERVICE_DISCOVERY};

static int64_t wait_us(struct plant *p, double seconds) {
    static const double scale[3] = {1.0, 0.25, 0.5 / 12.0};
    return (int64_t)(seconds * scale[p->options.handshake] * random_range(&p->random, 0.9, 1.1) *
                     1e6);
}

static void set_stage(struct plant *p, uint32_t slot, enum hlc_stage stage) {
    struct slot *s = &p->slot[slot];
    if (s->vehicle.stage != stage) {
        s->vehicle.stage = stage;
        s->node.changed |= 1u << NODE_CHARGE_INFO | 1u << NODE_EV_TARGETS;
        plant_event(p, PLANT_EVENT_STAGE, slot, "stage %s", hlc_stage_name(stage));
    }
}

static void set_cp(struct plant *p, uint32_t slot, enum cp_state cp) {
    struct slot *s = &p->slot[slot];
    if (s->vehicle.pilot_lost) {
        return; /* the wire says what is broken, not what the vehicle wants */
    }
    if (s->vehicle.cp != cp) {
        s->vehicle.cp = cp;
        s->node.changed |= 1u << NODE_PILOT;
    }
}

static void enter(struct plant *p, uint32_t slot, enum vehicle_phase phase, int64_t now_us,
                  int64_t wait) {
    struct vehicle *v = &p->slot[slot].vehicle;
    v->phase = phase;
    v->phase_us = now_us;
    v->wait_us = now_us + wait;
}

static void command_contactor(struct vehicle *v, bool close, int64_t now_us) {
    if (v->contactor_cmd != close) {
        v->contactor_cmd = close;
        v->contactor_us = now_us + CONTACTOR_LAG_US;
    }
}

/* Open-circuit voltage over SoC relative to nominal: a lithium-ion cell of 3.0, 3.45, 3.6, 3.68, 3.9, 4.17 V at 3.65 V. */
static double ocv_share(double soc_pct) {
    static const double at[6] = {0, 8, 30, 50, 80, 100},
                        share[6] = {0.822, 0.945, 0.986, 1.008, 1.068, 1.142};
    for (int i = 1; i < 6; i++) {
        if (soc_pct <= at[i]) {
            return share[i - 1] +
                   (share[i] - share[i - 1]) * (soc_pct - at[i - 1]) / (at[i] - at[i - 1]);
        }
    }
    return share[5];
}

struct plant_battery plant_model_battery(uint32_t index, double soc_pct) {
    const struct plant_model m = plant_model(index);
    const double max_a = ceil(m.max_w / (m.nominal_v * 0.97) / 5.0) * 5.0;
    return (struct plant_battery){
        .capacity_wh = m.usable_wh,
        .ocv_v = m.nominal_v * ocv_share(soc_pct),
        .max_v = ceil(m.nominal_v * 1.165 / 5.0) * 5.0,
        .max_a = max_a > 500 ? 500 : max_a,
        .max_w = m.max_w,
        /* 5 % of the voltage at full power */
        .resistance_ohm = 0.05 * m.nominal_v * m.nominal_v / m.max_w,
        .wish_w = fleet_power_w(index, soc_pct),
    };
}

static void size_battery(struct plant *p, struct vehicle *v, uint32_t model) {
    const struct plant_battery b = plant_model_battery(model, v->soc_pct);
    v->model = model;
    v->capacity_wh = b.capacity_wh;
    v->nominal_v = plant_model(model).nominal_v;
    v->ocv_v = b.ocv_v;
    v->max_v = b.max_v;
    v->max_w = b.max_w;
    v->max_a = b.max_a;
    v->resistance_ohm = b.resistance_ohm;
    v->ramp_a_s = random_range(&p->random, 20.0, 60.0);
    v->insulation_ohm = random_range(&p->random, 1.5e6, 8e6);
}

static void name_vehicle(struct plant *p, struct vehicle *v) {
    const uint64_t bits = random_u64(&p->random);
    for (int i = 0; i < 6; i++) {
        v->mac[i] = (uint8_t)(bits >> (8 * i));
    }
    v->mac[0] = (uint8_t)((v->mac[0] & 0xfc) | 0x02); /* locally administered, unicast */
    if (random_unit(&p->random) < 0.25) {
        static const char digits[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        memcpy(v->emaid, "DERMC", 5);
        for (int i = 5; i < 14; i++) {
            v->emaid[i] = digits[random_below(&p->random, sizeof(digits) - 1)];
        }
    }
}

void vehicle_arrive(struct plant *p, uint32_t slot, const struct plant_vehicle_wish *wish,
                    uint32_t model, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    double soc_in, soc_out, visit_s;
    fleet_draw_session(&p->random, &soc_in, &soc_out, &visit_s);
    memset(v, 0, sizeof(*v));
    v->plugged = true;
    v->soc_pct = wish->soc_pct >= 0 ? wish->soc_pct : soc_in;
    v->target_soc_pct = wish->target_soc_pct >= 0 ? wish->target_soc_pct : soc_out;
    v->stay_s = wish->stay_s >= 0 ? wish->stay_s : random_exponential(&p->random, 120.0);
    v->leave_us = v->contactor_us = v->no_power_us = v->stop_seen_us = v->output_lost_us = NEVER;
    v->plugged_us = now_us;
    v->depart_us = wish->visit_s > 0 ? now_us + (int64_t)(wish->visit_s * 1e6) : NEVER;
    size_battery(p, v, model);
    name_vehicle(p, v);
    s->node.session_epoch++;
    s->node.cable_check_ok = false;
    s->node.auth_granted = false;
    s->node.stop_request = 0;
    set_cp(p, slot, CP_STATE_B);
    enter(p, slot, VEHICLE_HANDSHAKE, now_us, wait_us(p, handshake_s[0]));
    s->node.changed |= 1u << NODE_CHARGE_INFO;
    p->report.arrivals++;
    const struct plant_model m = plant_model(model);
    plant_event(p, PLANT_EVENT_ARRIVAL, slot, "%s %s plugged in at %.0f %%, wants %.0f %%", m.brand,
                m.model, v->soc_pct, v->target_soc_pct);
}

/* ---- ends ---- */

static void session_over(struct plant *p, uint32_t slot, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (v->ended) {
        return;
    }
    v->ended = true;
    if (v->started) {
        if (v->failure != PLANT_FAILURE_NONE) {
            p->report.sessions_failed++;
            p->report.failures[v->failure]++;
        } else {
            p->report.sessions_completed++;
        }
    }
    plant_event(p, PLANT_EVENT_SESSION_END, slot, "session %s: %.2f kWh, SoC %.1f %%",
                v->failure != PLANT_FAILURE_NONE ? plant_failure_name(v->failure) : "completed",
                v->energy_wh / 1000.0, v->soc_pct);
    if (v->stay_s > 1e8) {
        return; /* stays until told to go */
    }
    const double stay_s = v->failure != PLANT_FAILURE_NONE && v->stay_s > 20 ? 20 : v->stay_s;
    v->leave_us = now_us + (int64_t)(stay_s * 1e6);
}

static void begin_power_off(struct plant *p, uint32_t slot, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (v->phase >= VEHICLE_POWER_OFF) {
        return;
    }
    if (v->phase < VEHICLE_CABLE_CHECK) {
        enter(p, slot, VEHICLE_SESSION_STOP, now_us, wait_us(p, 0.5));
        set_stage(p, slot, HLC_STAGE_SESSION_STOP);
        return;
    }
    enter(p, slot, VEHICLE_POWER_OFF, now_us, 0);
    set_stage(p, slot, HLC_STAGE_POWER_OFF);
}

void vehicle_fail(struct plant *p, uint32_t slot, enum plant_failure why, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (!v->plugged || v->phase >= VEHICLE_POWER_OFF) {
        return; /* already on its way out: the reason it has stands */
    }
    v->failed = true;
    v->failure = why;
    plant_event(p, PLANT_EVENT_STAGE, slot, "vehicle gives up: %s", plant_failure_name(why));
    begin_power_off(p, slot, now_us);
}

/* Everything at once: own contactor open, error to the charger. */
static void emergency(struct plant *p, uint32_t slot, enum plant_failure why, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (v->phase >= VEHICLE_SESSION_STOP) {
        return;
    }
    vehicle_fail(p, slot, why, now_us);
    v->target_a = 0;
    command_contactor(v, false, now_us);
    enter(p, slot, VEHICLE_SESSION_STOP, now_us, 500000);
    set_stage(p, slot, HLC_STAGE_ERROR);
    set_cp(p, slot, CP_STATE_B);
}

void vehicle_leave(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    session_over(p, slot, now_us);
    plant_event(p, PLANT_EVENT_DEPARTURE, slot, "unplugged");
    const struct vehicle nobody = {.cp = CP_STATE_A,
                                   .leave_us = NEVER,
                                   .contactor_us = NEVER,
                                   .no_power_us = NEVER,
                                   .depart_us = NEVER,
                                   .stop_seen_us = NEVER,
                                   .output_lost_us = NEVER,
                                   .phase = VEHICLE_DONE,
                                   .ended = true};
    *v = nobody;
    s->left_us = now_us;
    s->node.cable_check_ok = false;
    s->node.changed |= 1u << NODE_CHARGE_INFO | 1u << NODE_PILOT | 1u << NODE_EV_TARGETS;
    s->quiet = false;
}

void vehicle_unplug_by_force(struct plant *p, uint32_t slot, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    if (!v->plugged) {
        return;
    }
    if (v->started && !v->ended) {
        v->failed = true;
        if (v->failure == PLANT_FAILURE_NONE) {
            v->failure = PLANT_FAILURE_UNPLUGGED;
        }
    }
    vehicle_leave(p, slot, now_us);
}

void vehicle_pilot_lost(struct plant *p, uint32_t slot, enum cp_state broken) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (!v->plugged) {
        return;
    }
    v->pilot_lost = broken != CP_STATE_UNKNOWN;
    v->cp = v->pilot_lost ? broken : CP_STATE_B;
    s->node.changed |= 1u << NODE_PILOT;
}

/* ---- the stages ---- */

static void handshake(struct plant *p, uint32_t slot, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    unsigned step = (unsigned)v->stage; /* NONE, SLAC, SDP, setup, discovery are 0..4 */
    if (now_us < v->wait_us) {
        return;
    }
    if (++step < 5) {
        set_stage(p, slot, handshake_stage[step]);
        v->wait_us = now_us + wait_us(p, handshake_s[step]);
        if (v->stage == HLC_STAGE_SESSION_SETUP) {
            v->started = true;
            p->report.sessions_started++;
        }
        return;
    }
    set_stage(p, slot, HLC_STAGE_AUTHORISATION);
    enter(p, slot, VEHICLE_AUTHORISATION, now_us, AUTH_PATIENCE_US);
}

static void authorisation(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    if (s->node.auth_granted) {
        set_stage(p, slot, HLC_STAGE_CHARGE_PARAMETERS);
        s->node.changed |= 1u << NODE_EV_LIMITS | 1u << NODE_EV_ENERGY | 1u << NODE_EV_DISPLAY;
        enter(p, slot, VEHICLE_PARAMETERS, now_us, wait_us(p, 1.0));
    } else if (now_us >= s->vehicle.wait_us) {
        vehicle_fail(p, slot, PLANT_FAILURE_NO_AUTHORISATION, now_us);
    }
}

static void parameters(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    const int gun = p->config->slot[slot].gun;
    v->target_v = s->vehicle.ocv_v + v->lie_v;
    const bool needs_lock = gun >= 0 && p->config->connector[gun].require_lock;
    if (now_us >= v->wait_us && (s->node.locked || !needs_lock)) {
        set_cp(p, slot, CP_STATE_C);
        set_stage(p, slot, HLC_STAGE_CABLE_CHECK);
        enter(p, slot, VEHICLE_CABLE_CHECK, now_us, NEVER / 2);
    } else if (now_us - v->phase_us > LOCK_PATIENCE_US) {
        vehicle_fail(p, slot, PLANT_FAILURE_NO_LOCK, now_us);
    }
}

static void cable_check(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (s->node.cable_check_ok) {
        if (v->wait_us > now_us + AFTER_CABLE_CHECK_US) {
            v->wait_us = now_us + AFTER_CABLE_CHECK_US;
        }
        if (s->gun_v < SAFE_V || now_us >= v->wait_us) {
            v->target_v = v->ocv_v + v->lie_v;
            v->target_a = 2.0;
            set_stage(p, slot, HLC_STAGE_PRECHARGE);
            enter(p, slot, VEHICLE_PRECHARGE, now_us, NEVER / 2);
            return;
        }
    }
    if (now_us - v->phase_us > CABLE_CHECK_PATIENCE_US) {
        vehicle_fail(p, slot, PLANT_FAILURE_CABLE_CHECK, now_us);
    }
}

static void precharge(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    v->target_v = v->ocv_v + v->lie_v;
    v->target_a = 2.0;
    if (v->contactor) {
        set_stage(p, slot, HLC_STAGE_POWER_DELIVERY);
        enter(p, slot, VEHICLE_POWER_DELIVERY, now_us, 0);
        return;
    }
    if (fabs(s->gun_v - v->target_v) > PRECHARGE_WINDOW_V) {
        v->wait_us = NEVER / 2;
    } else if (v->wait_us == NEVER / 2) {
        v->wait_us = now_us + 200000; /* steady that long */
    } else if (now_us >= v->wait_us) {
        command_contactor(v, true, now_us);
    }
    if (now_us - v->phase_us > PRECHARGE_PATIENCE_US) {
        vehicle_fail(p, slot, PLANT_FAILURE_PRECHARGE, now_us);
    }
}

static void power_delivery(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (s->node.output_enabled) {
        if (v->wait_us <= v->phase_us) {
            v->wait_us = now_us + wait_us(p, 0.3);
        } else if (now_us >= v->wait_us) {
            set_stage(p, slot, HLC_STAGE_CURRENT_DEMAND);
            enter(p, slot, VEHICLE_CHARGE, now_us, 0);
            v->target_v = v->max_v - 3.0;
            v->target_a = 0;
        }
    } else if (now_us - v->phase_us > PATH_PATIENCE_US) {
        vehicle_fail(p, slot, PLANT_FAILURE_NO_POWER_PATH, now_us);
    }
}

static double wanted_a(const struct slot *s) {
    const struct vehicle *v = &s->vehicle;
    const double volts = s->gun_v > v->nominal_v * 0.5 ? s->gun_v : v->nominal_v;
    double a = fleet_power_w(v->model, v->soc_pct) / volts;
    a = a < v->max_a ? a : v->max_a;
    if (v->overdraw_factor > 0) {
        return v->max_a * v->overdraw_factor;
    }
    if (a > s->node.offer_a) { /* a vehicle never asks for more than it was offered */
        a = s->node.offer_a;
    }
    if (a * volts > s->node.offer_w) {
        a = s->node.offer_w / volts;
    }
    return a;
}

static void watch_power(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (s->battery_a > 1.0) {
        v->served = true;
        v->no_power_us = NEVER;
    } else if (v->no_power_us == NEVER) {
        v->no_power_us = now_us;
    } else if (now_us - v->no_power_us >
               (v->served ? POWER_PATIENCE_US : FIRST_POWER_PATIENCE_US)) {
        vehicle_fail(p, slot, PLANT_FAILURE_NO_POWER, now_us);
    }
}

static void charge(struct plant *p, uint32_t slot, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    const double want = wanted_a(s), step = v->ramp_a_s * dt_s, fall = 150.0 * dt_s;
    if (v->target_a < want) {
        v->target_a = want - v->target_a < step ? want : v->target_a + step;
    } else {
        v->target_a = v->target_a - want < fall ? want : v->target_a - fall;
    }
    watch_power(p, slot, now_us);
    const bool tapered = v->soc_pct > 97.0 && v->served && s->battery_a < 0.03 * v->max_a &&
                         now_us - v->phase_us > 60000000;
    if (v->soc_pct >= v->target_soc_pct || tapered) {
        v->complete = true;
        begin_power_off(p, slot, now_us);
    } else if (v->driver_stop) {
        begin_power_off(p, slot, now_us);
    }
}

static void power_off(struct plant *p, uint32_t slot, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    v->target_a = v->target_a > 300.0 * dt_s ? v->target_a - 300.0 * dt_s : 0;
    if (v->target_a > 0) {
        v->wait_us = now_us + 50000;
        return;
    }
    if ((s->battery_a < 1.0 && now_us >= v->wait_us) ||
        now_us - v->phase_us > RAMP_OUT_PATIENCE_US) {
        command_contactor(v, false, now_us);
    }
    if (!v->contactor && !v->contactor_cmd) {
        set_stage(p, slot, HLC_STAGE_WELDING_DETECTION);
        enter(p, slot, VEHICLE_WELDING, now_us, wait_us(p, 1.0));
    }
}

static void welding(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (now_us >= v->wait_us && (s->gun_v < SAFE_V || now_us - v->phase_us > WELDING_PATIENCE_US)) {
        set_stage(p, slot, HLC_STAGE_SESSION_STOP);
        enter(p, slot, VEHICLE_SESSION_STOP, now_us, wait_us(p, 0.5));
    }
}

static void session_stop(struct plant *p, uint32_t slot, int64_t now_us) {
    struct vehicle *v = &p->slot[slot].vehicle;
    set_cp(p, slot, CP_STATE_B);
    if (now_us >= v->wait_us) {
        set_stage(p, slot, HLC_STAGE_SESSION_STOP);
        enter(p, slot, VEHICLE_DONE, now_us, 0);
        session_over(p, slot, now_us);
    }
}

/* ---- what interrupts ---- */

static void obey_host(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (s->node.stop_request == 0) {
        v->stop_seen_us = NEVER;
        return;
    }
    if (v->stop_seen_us == NEVER) {
        v->stop_seen_us = now_us + (s->node.stop_request == 3
                                        ? 20000
                                        : 100000 + (int64_t)random_below(&p->random, 900000));
    }
    if (now_us < v->stop_seen_us) {
        return;
    }
    if (s->node.stop_request == 3) {
        emergency(p, slot, PLANT_FAILURE_HOST_EMERGENCY, now_us);
    } else if (s->node.stop_request == 2) {
        vehicle_fail(p, slot, PLANT_FAILURE_HOST_ERROR, now_us);
    } else if (v->energy_wh < 1.0) {
        vehicle_fail(p, slot, PLANT_FAILURE_HOST_STOP_EARLY, now_us);
    } else {
        begin_power_off(p, slot, now_us);
    }
}

/* The front end tells the vehicle when its own PLC has shut down; a dead PLC is noticed after 2 s without answers. */
static void watch_charger(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    const bool running = node_running(&s->node, now_us);
    const uint8_t reason = running ? node_fault_reason(p, s, now_us) : 0;
    const bool tells = reason != 0 && reason != 7;
    if (running && !tells) {
        v->output_lost_us = NEVER;
        return;
    }
    if (v->output_lost_us == NEVER) {
        v->output_lost_us = now_us + (running ? 100000 : 2000000);
    }
    if (now_us < v->output_lost_us || v->phase < VEHICLE_AUTHORISATION) {
        return;
    }
    const bool safety = reason == 4 || reason == 12 || (reason >= 1 && reason <= 3) || reason >= 10;
    emergency(p, slot,
              !running ? PLANT_FAILURE_PLC_LOST
              : safety ? PLANT_FAILURE_EMERGENCY
                       : PLANT_FAILURE_OUTPUT_LOST,
              now_us);
}

static void driver(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (now_us >= v->depart_us && !v->driver_stop) {
        v->driver_stop = true; /* has to go, whatever the battery says */
    }
    if (v->driver_stop && v->phase < VEHICLE_CHARGE && !v->ended) {
        begin_power_off(p, slot, now_us);
    }
    if (now_us < v->leave_us) {
        return;
    }
    if (!s->node.locked) {
        vehicle_leave(p, slot, now_us);
    } else if (!v->stranded && now_us - v->leave_us > PULL_US) {
        v->stranded = true; /* counted once; the driver pulls on */
        p->report.failures[PLANT_FAILURE_NOT_UNLOCKED]++;
        plant_event(p, PLANT_EVENT_SESSION_END, slot, "driver cannot unplug: still locked");
    }
}

static void integrate_battery(struct slot *s, double dt_s) {
    struct vehicle *v = &s->vehicle;
    if (!v->contactor) {
        return;
    }
    const double wh = s->battery_a * v->ocv_v * dt_s / 3600.0;
    v->soc_pct += 100.0 * wh / v->capacity_wh;
    v->ocv_v = v->nominal_v * ocv_share(v->soc_pct);
}

void vehicle_slow(struct plant *p, uint32_t slot, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (!v->plugged) {
        return;
    }
    integrate_battery(s, dt_s);
    if (v->pilot_lost && v->phase < VEHICLE_SESSION_STOP && v->phase >= VEHICLE_PARAMETERS) {
        emergency(p, slot, PLANT_FAILURE_VEHICLE_FAULT, now_us);
    }
    watch_charger(p, slot, now_us);
    obey_host(p, slot, now_us);
    if (v->stall_until_us > now_us) {
        return;
    }
    switch (v->phase) {
    case VEHICLE_HANDSHAKE: handshake(p, slot, now_us); break;
    case VEHICLE_AUTHORISATION: authorisation(p, slot, now_us); break;
    case VEHICLE_PARAMETERS: parameters(p, slot, now_us); break;
    case VEHICLE_CABLE_CHECK: cable_check(p, slot, now_us); break;
    case VEHICLE_PRECHARGE: precharge(p, slot, now_us); break;
    case VEHICLE_POWER_DELIVERY: power_delivery(p, slot, now_us); break;
    case VEHICLE_CHARGE: charge(p, slot, now_us, dt_s); break;
    case VEHICLE_POWER_OFF: power_off(p, slot, now_us, dt_s); break;
    case VEHICLE_WELDING: welding(p, slot, now_us); break;
    case VEHICLE_SESSION_STOP: session_stop(p, slot, now_us); break;
    case VEHICLE_DONE: break;
    }
    driver(p, slot, now_us);
}

void vehicle_tick(struct plant *p, uint32_t slot, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct vehicle *v = &s->vehicle;
    if (v->contactor_us <= now_us) {
        v->contactor_us = NEVER;
        v->contactor = v->contactor_cmd;
        s->quiet = false;
        plant_event(p, PLANT_EVENT_CONTACTOR, slot, "vehicle's contactor %s",
                    v->contactor ? "closed" : "open");
    }
}
