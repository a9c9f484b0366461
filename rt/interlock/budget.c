/* Current and voltage of each island: M4, M5, N2 and the ramps of a stop. Components are those under hold: silence of a
 * neighbour's PLC takes nothing from a running gun (S16). */
#include "rt/interlock/interlock_private.h"

void budget_islands(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->power[slot] = (struct power){.low_mv = INT32_MAX};
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        if (st->out->slot[slot].gc) {
            struct power *power = &st->power[st->component_hold[slot]];
            ++power->guns;
            power->gun = (uint16_t)slot;
        }
    }
}

static void keep_lowest(int64_t *bound, int64_t limit) {
    if (limit < *bound) {
        *bound = limit;
    }
}

/* What vehicle, connector, cable and temperature allow while charging. */
static int64_t charging_ma(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    const struct config_connector *connector = slot_connector(st, slot);
    if (!is_fresh(st, &image->ev_target_ma, STALE_TARGETS_MS) || image->ev_target_ma.value < 0) {
        return 0; /* S7 */
    }
    int64_t bound_ma = image->ev_target_ma.value;
    if (image->ev_max_ma.valid) {
        keep_lowest(&bound_ma, image->ev_max_ma.value > 0 ? image->ev_max_ma.value : 0);
    }
    keep_lowest(&bound_ma, (int64_t)connector->max_current_ma * own->derate_permille / 1000);
    keep_lowest(&bound_ma, (int64_t)connector->cable_max_current_ma * own->derate_permille / 1000);
    if (own->sensor_broken) {
        keep_lowest(&bound_ma, st->config->interlock.sensor_fallback_ma);
    }
    return bound_ma;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The error ramp, or what brings from_ma to zero within T_FORCE_ZERO_MS where that is faster. */
static int64_t urgent_ma_s(const struct step *st, int64_t from_ma) {
    return larger(st->config->interlock.ramp_error_ma_s, from_ma * 1000 / T_FORCE_ZERO_MS + 1);
}

/* The permitted current falls toward a lower bound from what was commanded last: the vehicle's target is followed, not
 * jumped to, yet nothing flows above a lowered or lost target for longer than T_FORCE_ZERO_MS.
 * Only whole milliamperes are taken off and the clock advances by their time, so that frequent steps lose nothing. */
static int64_t follow(struct step *st, uint32_t slot, int64_t bound_ma) {
    struct interlock_slot *own = &st->s->slot[slot];
    const int64_t last_ma = st->power[st->component_hold[slot]].last_ma;
    if (bound_ma >= own->budget_ma) {
        own->budget_from_ma = 0;
        own->budget_ma = (int32_t)bound_ma;
        own->budget_us = st->now_us;
        return bound_ma;
    }
    if (last_ma < own->budget_ma) {
        own->budget_ma = last_ma > bound_ma ? (int32_t)last_ma : (int32_t)bound_ma;
    }
    own->budget_from_ma = (int32_t)larger(own->budget_from_ma, own->budget_ma);
    const int64_t ramp_ma_s = urgent_ma_s(st, own->budget_from_ma);
    const int64_t fall_ma = (st->now_us - own->budget_us) * ramp_ma_s / 1000000;
    if (own->budget_ma - fall_ma <= bound_ma) {
        own->budget_ma = (int32_t)bound_ma;
        own->budget_us = st->now_us;
    } else {
        own->budget_ma -= (int32_t)fall_ma;
        own->budget_us += fall_ma * 1000000 / ramp_ma_s;
    }
    return own->budget_ma;
}

static int64_t start_at(struct step *st, uint32_t slot, int64_t bound_ma) {
    st->s->slot[slot].budget_ma = (int32_t)bound_ma;
    st->s->slot[slot].budget_us = st->now_us;
    return bound_ma;
}

static int64_t stage_ma(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const enum hlc_stage stage = st->view[slot].stage;
    const int32_t check_ma = st->config->interlock.i_cc_ma;
    own->charge = gun_power_ready(st, slot);
    if (!st->view[slot].serving) {
        return start_at(st, slot, 0);
    }
    if (own->charge && !own->imd_passed) {
        interlock_note(st, RULE_N2, slot, CONTACTOR_GC);
        return start_at(st, slot, 0);
    }
    if (own->charge) {
        return follow(st, slot, charging_ma(st, slot));
    }
    if (stage < HLC_STAGE_CURRENT_DEMAND) {
        return start_at(st, slot, check_ma);
    }
    return follow(st, slot, 0);
}

/* The current a stop still allows: down by the ramp of its class. An error stop is at zero well before GC is forced
 * open, so that it opens without load. */
static int64_t stop_ma(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct config_interlock *limit = &st->config->interlock;
    int64_t since_us = own->normal_since_us;
    int64_t ramp_ma_s = limit->ramp_down_ma_s;
    if (since_us == 0) {
        return INT64_MAX;
    }
    if (own->error_since_us != 0) {
        since_us = own->error_since_us;
        ramp_ma_s = urgent_ma_s(st, own->stop_from_ma);
    }
    const int64_t left_ma = own->stop_from_ma - (st->now_us - since_us) * ramp_ma_s / 1000000;
    return left_ma > 0 ? left_ma : 0;
}

/* S8: what a plan that came too late still allows, whatever is asked for. */
static int64_t late_ma(struct step *st, uint32_t slot, int64_t last_ma) {
    struct interlock_slot *own = &st->s->slot[slot];
    const bool began = own->late_since_us == 0;
    if (!interlock_held(&own->late_since_us, st->plan_late, st->now_us, 0)) {
        return INT64_MAX;
    }
    if (began) {
        own->late_from_ma = (int32_t)last_ma;
    }
    const int64_t fall_ma =
        (st->now_us - own->late_since_us) * st->config->interlock.ramp_down_ma_s / 1000000;
    return larger(own->late_from_ma - fall_ma, 0);
}

static void bound_gun(struct step *st, struct power *power) {
    const uint32_t gun = power->gun;
    const struct config_connector *connector = slot_connector(st, gun);
    const bool checking = st->view[gun].stage == HLC_STAGE_CABLE_CHECK;
    power->bound_mv =
        min_i32(checking ? interlock_gun_cable_check_mv(st, gun) : st->view[gun].negotiated_mv,
                connector->max_voltage_mv);
    power->budget_ma = stage_ma(st, gun);
    keep_lowest(&power->budget_ma, stop_ma(st, gun));
    keep_lowest(&power->budget_ma, late_ma(st, gun, power->last_ma));
    const int64_t voltage_mv = min_i32(power->low_mv, power->bound_mv);
    const int64_t power_uw = (int64_t)connector->max_power_w * 1000000;
    if (power->budget_ma * voltage_mv > power_uw) {
        power->budget_ma = power_uw / voltage_mv;
    }
}

/* Without a closed gun: weld test, self-test, precharge: at most I_cc, and nothing the vehicle in this bay could not
 * bear if its GC were welded. */
static void bound_idle(struct step *st, uint32_t slot) {
    struct power *power = &st->power[st->component_hold[slot]];
    const struct config_connector *connector = slot_connector(st, slot);
    int32_t bound_mv = SET_MV_MAX;
    if (connector != NULL) {
        const int32_t negotiated_mv = st->view[slot].negotiated_mv;
        bound_mv = negotiated_mv != 0 ? min_i32(negotiated_mv, connector->max_voltage_mv)
                                      : connector->max_voltage_mv;
    }
    power->bound_mv = power->bound_mv == 0 ? bound_mv : min_i32(power->bound_mv, bound_mv);
    power->budget_ma = st->plan_late ? 0 : st->config->interlock.i_cc_ma; /* S8 */
}

static void bounds(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct power *power = &st->power[st->component_hold[slot]];
        if (power->guns == 0) {
            (void)start_at(st, slot, 0);
            st->s->slot[slot].charge = false;
            st->s->slot[slot].late_since_us = 0;
            bound_idle(st, slot);
        } else if (power->gun == slot) {
            bound_gun(st, power);
        }
    }
}

/* maxI of M4 for a module that is not commanded: what its books still hold, unless it is surely off the bus. */
static int64_t held_ma(const struct step *st, uint32_t slot, uint32_t module) {
    const int32_t committed_ma = st->s->slot[slot].module[module].committed_ma;
    const bool cut_off = contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module);
    return cut_off || committed_ma <= st->config->interlock.i_off_ma ? 0 : committed_ma;
}

/* A module about to join holds the bus voltage behind its open MN (M1, M3): not yet one of the island. */
static bool is_joined(const struct step *st, uint32_t slot, uint32_t module) {
    return (st->view[slot].sure & KIND_BIT(CONTACTOR_MN0 + module)) != 0;
}

static void sum_slot(struct step *st, uint32_t slot) {
    struct power *power = &st->power[st->component_hold[slot]];
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const struct request_module *out = &st->out->slot[slot].module[module];
        if (!out->run || !is_joined(st, slot, module)) {
            power->held_ma += held_ma(st, slot, module);
            continue;
        }
        power->set_ma += out->set_ma;
        power->last_ma += st->s->slot[slot].module[module].set_ma;
        power->low_mv = min_i32(power->low_mv, out->set_mv);
        power->high_mv = out->set_mv > power->high_mv ? out->set_mv : power->high_mv;
    }
}

/* M5: one voltage, the lowest that was asked for, within the bound. */
static void level_voltage(struct step *st, uint32_t slot, uint32_t module,
                          const struct power *power) {
    struct request_module *out = &st->out->slot[slot].module[module];
    int32_t level_mv = out->set_mv;
    if (is_joined(st, slot, module) && power->high_mv - power->low_mv > EQUAL_MV) {
        level_mv = power->low_mv;
    }
    level_mv = min_i32(level_mv, power->bound_mv);
    if (level_mv != out->set_mv) {
        out->set_mv = level_mv;
        interlock_note(st, RULE_M5, slot, CONTACTORS_PER_SLOT + module);
    }
}

/* M4: each running module gives up the same part. Rounding is carried from one to the next, so that the whole is given. */
static void share_current(struct step *st, uint32_t slot, uint32_t module, struct power *power) {
    struct request_module *out = &st->out->slot[slot].module[module];
    const int64_t left_ma =
        power->budget_ma > power->held_ma ? power->budget_ma - power->held_ma : 0;
    if (!is_joined(st, slot, module) || power->set_ma <= left_ma || out->set_ma == 0) {
        return;
    }
    const int64_t before_ma = power->shared_ma * left_ma / power->set_ma;
    power->shared_ma += out->set_ma;
    out->set_ma = (int32_t)(power->shared_ma * left_ma / power->set_ma - before_ma);
    interlock_note(st, RULE_M4, slot, CONTACTORS_PER_SLOT + module);
}

void budget_apply(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        sum_slot(st, slot);
    }
    bounds(st);
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct power *power = &st->power[st->component_hold[slot]];
        const uint32_t modules = st->config->slot[slot].module_count;
        for (uint32_t module = 0; module < modules; ++module) {
            if (st->out->slot[slot].module[module].run) {
                level_voltage(st, slot, module, power);
                share_current(st, slot, module, power);
            }
        }
    }
}
