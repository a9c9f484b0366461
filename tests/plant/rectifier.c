/* Power modules: ramps, limits, temperature and protection. The electrical side is in electric.c, the wire in
 * rectifier_wire.c. */
#include "tests/plant/plant_private.h"

#define SOFT_START_US        300000
#define REFERENCE_UP_V_S     600.0
#define CURRENT_UP_A_S       400.0
#define CURRENT_DOWN_A_S     2500.0
#define OFF_BLEED_S          110e-6 /* discharge of an idle output */
#define AMBIENT_C            25.0
#define RISE_FULL_LOAD_C     35.0
#define THERMAL_S            120.0
#define DERATE_FROM_C        75.0
#define DERATE_TO_C          85.0
#define TRIP_C               92.0
#define SELF_PROTECT_EXTRA_V 60.0 /* module's own over-voltage trip above its rating */

void rectifier_init(struct rectifier *r, const struct config_module *config, int64_t now_us) {
    *r = (struct rectifier){.interface = config->interface,
                            .address = config->address,
                            .rated_w = config->rated_w,
                            .max_a = config->max_current_ma / 1000.0,
                            .max_v = config->max_voltage_mv / 1000.0,
                            .min_v = config->min_voltage_mv / 1000.0,
                            .mn_on_plc = config->mn_on_plc,
                            .temp_c = AMBIENT_C,
                            .heard_us = now_us,
                            .bleed_s = OFF_BLEED_S};
}

static double temperature_c(const struct rectifier *r) {
    return r->overtemp_c > r->temp_c ? r->overtemp_c : r->temp_c;
}

double rectifier_limit_a(const struct rectifier *r) {
    return r->lim_a;
}

/* Rated power left at this temperature. */
static double power_cap_w(const struct rectifier *r) {
    double t = temperature_c(r);
    double share = t <= DERATE_FROM_C ? 1.0 : (DERATE_TO_C - t) / (DERATE_TO_C - DERATE_FROM_C);
    return r->rated_w * (share < 0 ? 0 : share);
}

static void switch_off(struct rectifier *r) {
    r->converting = false;
    r->ref_v = 0;
    r->lim_a = 0;
    r->bleed_s = OFF_BLEED_S;
}

static double approach(double from, double to, double up, double down) {
    double step = to - from;
    return from + (step > up ? up : step < -down ? -down : step);
}

static void convert(struct rectifier *r, double dt_s) {
    double want_v = r->runaway ? r->max_v : r->set_v, want_a = r->runaway ? r->max_a : r->set_a;
    if (r->ref_v < want_v) {
        r->ref_v =
            approach(r->ref_v, want_v, (r->runaway ? 20.0 : 1.0) * REFERENCE_UP_V_S * dt_s, 0);
    } else {
        r->ref_v = want_v;
    }
    double cap_a = power_cap_w(r) / (r->v > r->min_v ? r->v : r->min_v > 1 ? r->min_v : 1);
    want_a = want_a < cap_a ? want_a : cap_a;
    want_a = want_a < r->max_a ? want_a : r->max_a;
    r->lim_a = approach(r->lim_a, want_a, CURRENT_UP_A_S * dt_s, CURRENT_DOWN_A_S * dt_s);
    r->bleed_s = r->v > r->ref_v + 2.0 ? OFF_BLEED_S : 0;
}

void rectifier_tick(struct plant *p, uint32_t slot, uint32_t module, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct rectifier *r = &s->module[module];
    const bool wants = (r->on || r->runaway_deaf) && !r->tripped && !r->fault_trip;
    if (!wants) {
        if (r->converting) {
            switch_off(r);
        }
        return;
    }
    if (!r->converting) {
        if (r->start_us == NEVER) {
            r->start_us = now_us + SOFT_START_US;
        }
        if (now_us < r->start_us) {
            return;
        }
        r->converting = true;
        r->ref_v = r->v; /* starts into what is there, no step */
    }
    s->quiet = false;
    convert(r, PLANT_TICK_US * 1e-6);
    if (r->v > r->max_v + SELF_PROTECT_EXTRA_V) {
        r->tripped = true;
    }
}

void rectifier_slow(struct plant *p, uint32_t slot, uint32_t module, int64_t now_us, double dt_s) {
    struct slot *s = &p->slot[slot];
    struct rectifier *r = &s->module[module];
    double load = r->rated_w > 0 ? r->v * r->a / r->rated_w : 0;
    r->temp_c += (AMBIENT_C + RISE_FULL_LOAD_C * load - r->temp_c) * dt_s / THERMAL_S;
    if (temperature_c(r) > TRIP_C) {
        r->tripped = true;
    }
    if (!r->on) {
        r->start_us = NEVER;
    }
    if (r->on && now_us - r->heard_us > (int64_t)p->config->modules.self_off_ms * 1000) {
        r->on = false;
        plant_event(p, PLANT_EVENT_NODE, slot, "module %u switched itself off: bus silent", module);
    }
    if (!r->mn_on_plc) { /* its own output relay follows its state, closing at matched voltage */
        struct contactor *mn = &s->contactor[CONTACTOR_MN0 + module];
        if (r->on && !mn->coil && (fabs(r->v - s->bus_v) < 10.0 || (r->v < 60 && s->bus_v < 60))) {
            contactor_set(p, mn, true, now_us);
            s->next_contactor_us = now_us;
        } else if (!r->on && mn->coil && fabs(mn->current_a) < 1.0) {
            contactor_set(p, mn, false, now_us);
            s->next_contactor_us = now_us;
        }
    }
}
