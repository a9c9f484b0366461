/* Modules and their contactors: health, M1 to M3 and M6, S8's "nothing rises". What remains of a wish after this file
 * is what the module itself may do; budget.c and limits.c then share current and power among them. */
#include "rt/interlock/interlock_private.h"

static bool is_healthy(const struct step *st, uint32_t slot, uint32_t module) {
    return st->s->slot[slot].module[module].fault == FAULT_NONE;
}

static bool is_lost(struct step *st, uint32_t slot, uint32_t module) {
    const struct image_module *image = &st->image->slot[slot].module[module];
    const int64_t last_rx_us = image->last_rx_us;
    const int64_t soft_us = (int64_t)st->config->interlock.t_mod_soft_ms * 1000;
    const bool lost = last_rx_us == 0 || image->bus_down || st->now_us - last_rx_us > soft_us;
    (void)interlock_held(&st->s->slot[slot].module[module].lost_since_us, lost, st->now_us,
                         T_MODULE_OFF_MS);
    return lost;
}

/* Faults of one module; its own verdict is left in its state. A stuck or welded MN keeps its module out by a latch; the
 * fault is present only as long as the contactor contradicts its command. */
static uint64_t look_at_module(struct step *st, uint32_t slot, uint32_t module) {
    const struct image_module *image = &st->image->slot[slot].module[module];
    const struct contactor_book *mn = &st->s->slot[slot].contactor[CONTACTOR_MN0 + module];
    struct interlock_module *own = &st->s->slot[slot].module[module];
    const bool lost = is_lost(st, slot, module);
    const bool latched = mn->stuck || mn->welded;
    const bool present = (image->alarm_bits & MODULE_ALARM_CONDEMNS) != 0 || own->excluded ||
                         mn->untrusted || (latched && mn->against >= EVIDENCE);
    if (latched) {
        st->s->slot[slot].latched |= FAULT_BIT(FAULT_MODULE_FAULT);
    }
    own->fault = lost ? FAULT_MODULE_LOST : present || latched ? FAULT_MODULE_FAULT : FAULT_NONE;
    return (lost ? FAULT_BIT(FAULT_MODULE_LOST) : 0) |
           (present ? FAULT_BIT(FAULT_MODULE_FAULT) : 0);
}

/* One module's fault takes that module out; only a slot without any healthy one stops its gun. */
uint64_t module_faults(struct step *st, uint32_t slot) {
    uint64_t found = 0;
    bool healthy = false;
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        found |= look_at_module(st, slot, module);
        healthy = healthy || is_healthy(st, slot, module);
    }
    return healthy ? found : found | FAULT_BIT(FAULT_NO_MODULES);
}

/* M1. Dead on both sides, or the module holds the bus voltage by itself: then the reading must be newer than the moment
 * it was told to, and than the moment it last left the bus, or it tells of the voltage it had there. */
static bool match(const struct step *st, uint32_t slot, uint32_t module) {
    const struct slot_view *view = &st->view[slot];
    const struct sample *voltage = &st->image->slot[slot].module[module].voltage_mv;
    const struct config_interlock *limit = &st->config->interlock;
    const struct interlock_module *own = &st->s->slot[slot].module[module];
    const int64_t left_us = st->s->slot[slot].contactor[CONTACTOR_MN0 + module].changed_us +
                            (int64_t)limit->t_open_ms * 1000;
    if (!view->bus_known || !is_fresh(st, voltage, st->module_stale_ms)) {
        return false;
    }
    if (view->bus_mv < limit->v_safe_mv && voltage->value < limit->v_safe_mv) {
        return !own->run;
    }
    return own->run && voltage->at_us > own->on_since_us && voltage->at_us > left_us &&
           difference_mv(own->set_mv, view->bus_mv) <= limit->dv_mn_mv &&
           difference_mv(voltage->value, view->bus_mv) <= limit->dv_mn_mv;
}

static enum rule_id mn_refused(const struct step *st, uint32_t slot, uint32_t module) {
    const struct interlock_slot *own = &st->s->slot[slot];
    if (!own->released) {
        return RULE_S15;
    }
    if (own->stop != STOP_CLASS_NONE) {
        return RULE_G3;
    }
    if (st->plan_late) {
        return RULE_S8;
    }
    if (insulation_testing(st, slot) || st->joint[st->component_hold[slot]].checking) {
        return RULE_N4;
    }
    if (!contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module)) {
        return RULE_S7;
    }
    return is_healthy(st, slot, module) && match(st, slot, module) ? RULE_NONE : RULE_M1;
}

/* A module that delivers and cannot be told to stop: its bus is down. Who can still be told is the vehicle that it feeds,
 * by an error stop; at its end GC opens, and MN not before. */
bool module_unreachable(const struct step *st, uint32_t slot) {
    bool found = false;
    for (uint32_t module = 0; module < st->config->slot[slot].module_count; ++module) {
        found = found || (st->image->slot[slot].module[module].bus_down &&
                          st->s->slot[slot].contactor[CONTACTOR_MN0 + module].command);
    }
    return found;
}

/* An emergency opens at once, but never before GC where an e-stop may wait for the current. A silent module is given a
 * moment to obey the off command, then it is cut off (M4). */
static bool must_open(const struct step *st, uint32_t slot, uint32_t module) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const int64_t lost_us = own->module[module].lost_since_us;
    const int64_t off_ms =
        st->image->slot[slot].module[module].bus_down ? T_FORCE_MS : T_MODULE_OFF_MS;
    const bool waits = st->out->slot[slot].gc || st->joint[st->component_hold[slot]].waits;
    return (own->stop == STOP_CLASS_EMERGENCY && !waits) ||
           (lost_us != 0 && st->now_us - lost_us >= off_ms * 1000);
}

static bool may_open(const struct step *st, uint32_t slot, uint32_t module) {
    const struct sample *current = &st->image->slot[slot].module[module].current_ma;
    const int32_t off_ma = st->config->interlock.i_off_ma;
    return is_fresh(st, current, st->module_stale_ms) && abs_i32(current->value) <= off_ma &&
           st->s->slot[slot].module[module].set_ma <= off_ma;
}

static bool guard_contactor(struct step *st, uint32_t slot, uint32_t module) {
    const unsigned kind = CONTACTOR_MN0 + module;
    const bool wanted = st->request->slot[slot].module[module].mn;
    if (!st->s->slot[slot].contactor[kind].command) {
        const enum rule_id refused = wanted ? mn_refused(st, slot, module) : RULE_NONE;
        if (refused != RULE_NONE) {
            interlock_note(st, refused, slot, kind);
        }
        return wanted && refused == RULE_NONE;
    }
    if (must_open(st, slot, module)) {
        if (wanted) {
            interlock_note(st, RULE_M4, slot, kind);
        }
        return false;
    }
    if (!wanted && !may_open(st, slot, module)) {
        interlock_note(st, RULE_M2, slot, kind);
        return true;
    }
    return wanted;
}

void module_contactors(struct step *st, uint32_t slot) {
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const bool closed = guard_contactor(st, slot, module);
        st->out->slot[slot].module[module].mn = closed;
        contactor_command(st, slot, CONTACTOR_MN0 + module, closed);
    }
}

/* GCs of the island, but this slot's own, that may be closed. */
static uint32_t guns_beside(const struct step *st, uint32_t slot) {
    const bool own = (st->view[slot].hold & KIND_BIT(CONTACTOR_GC)) != 0;
    return st->hold[st->component_hold[slot]].guns - (own ? 1u : 0u);
}

/* M3: is there a purpose in this slot for which its modules may deliver? */
static bool has_purpose(const struct step *st, uint32_t slot) {
    const uint16_t component = st->component_hold[slot];
    const struct power *power = &st->power[component];
    const struct slot_view *gun = &st->view[power->gun];
    const bool nobody = power->guns == 0 && st->may[st->component_may[slot]].guns == 0;
    if (power->guns == 0 && st->joint[component].joins) {
        return false; /* no current flows into the moment of joining */
    }
    switch (st->request->slot[slot].purpose) {
    case POWER_PURPOSE_SERVE:
        if (power->guns == 1) {
            return gun->serving && (gun->sure & KIND_BIT(CONTACTOR_GC)) != 0 &&
                   st->component_sure[slot] == st->component_sure[power->gun];
        }
        /* the precharge before GC closes onto a live inlet (G1) */
        return nobody && st->view[slot].stage >= HLC_STAGE_PRECHARGE &&
               st->view[slot].stage <= HLC_STAGE_POWER_DELIVERY;
    case POWER_PURPOSE_WELD_TEST: return power->guns == 0 && guns_beside(st, slot) == 0;
    case POWER_PURPOSE_MERGE:
    case POWER_PURPOSE_SELF_TEST: return nobody;
    case POWER_PURPOSE_NONE:
    case POWER_PURPOSE_COUNT: return false;
    }
    return false; /* an untrusted value beyond the enum */
}

int32_t module_temperature_permille(const struct config_interlock *limit,
                                    const struct sample *temperature, int64_t now_us,
                                    int32_t stale_ms) {
    if (!sample_fresh(temperature, now_us, stale_ms)) {
        return UNKNOWN_TEMPERATURE_PERMILLE;
    }
    if (temperature->value >= limit->module_stop_ddegc) {
        return 0;
    }
    if (temperature->value <= limit->module_derate_ddegc) {
        return 1000;
    }
    return (int32_t)((int64_t)(limit->module_stop_ddegc - temperature->value) * 1000 /
                     (limit->module_stop_ddegc - limit->module_derate_ddegc));
}

/* What the module told of its capability stays in force when it stops telling; its nameplate always does. */
int64_t module_capability_w(const struct config *config, const struct image *image, uint32_t slot,
                            uint32_t module) {
    const struct sample *told = &image->slot[slot].module[module].capability_w;
    const int32_t rated_w = config->slot[slot].module[module].rated_w;
    const int32_t power_w = told->valid ? min_i32(told->value, rated_w) : rated_w;
    return power_w > 0 ? power_w : 0;
}

/* M6: what of set_ma the module may give at its voltage. Divides only where the power does not suffice. */
static int32_t within_capability_ma(const struct step *st, uint32_t slot, uint32_t module,
                                    int32_t set_mv, int32_t set_ma) {
    const struct image_module *image = &st->image->slot[slot].module[module];
    const int64_t permille = module_temperature_permille(
        &st->config->interlock, &image->temperature_ddegc, st->now_us, st->slow_stale_ms);
    const int64_t power_uw =
        module_capability_w(st->config, st->image, slot, module) * 1000 * permille;
    const bool measured = is_fresh(st, &image->voltage_mv, st->module_stale_ms);
    const int64_t voltage_mv = measured ? image->voltage_mv.value : set_mv;
    int64_t current_ma = min_i32(set_ma, st->config->slot[slot].module[module].max_current_ma);
    if (image->capability_ma.valid && image->capability_ma.value < current_ma) {
        current_ma = image->capability_ma.value > 0 ? image->capability_ma.value : 0;
    }
    if (permille == 0) {
        return 0;
    }
    return (int32_t)(current_ma * voltage_mv > power_uw ? power_uw / voltage_mv : current_ma);
}

static bool in_range(const struct request_module *wanted) {
    return wanted->set_mv >= 0 && wanted->set_mv <= SET_MV_MAX && wanted->set_ma >= 0 &&
           wanted->set_ma <= SET_MA_MAX;
}

/* The rule that keeps this module off, RULE_NONE when it may run. */
static enum rule_id running_refused(const struct step *st, uint32_t slot, uint32_t module) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct request_module *wanted = &st->request->slot[slot].module[module];
    if (!own->released) {
        return RULE_S15;
    }
    if (own->stop == STOP_CLASS_EMERGENCY || own->demand == STOP_CLASS_EMERGENCY ||
        st->joint[st->component_hold[slot]].emergency) {
        return RULE_S1;
    }
    if (!is_healthy(st, slot, module)) {
        return RULE_M6;
    }
    if (!in_range(wanted)) {
        return RULE_S7;
    }
    if (st->plan_late && !own->module[module].run) {
        return RULE_S8;
    }
    if (st->out->slot[slot].module[module].mn && !wanted->mn) {
        return RULE_M2; /* its MN waits for the current to fall */
    }
    const unsigned purpose = st->request->slot[slot].purpose;
    return purpose == POWER_PURPOSE_NONE || purpose >= POWER_PURPOSE_COUNT ? RULE_M3 : RULE_NONE;
}

static void lower_to(struct step *st, uint32_t slot, uint32_t module, enum rule_id rule,
                     int32_t *value, int32_t bound) {
    if (*value > bound) {
        *value = bound;
        interlock_note(st, rule, slot, CONTACTORS_PER_SLOT + module);
    }
}

static void setpoint(struct step *st, uint32_t slot, uint32_t module, bool purpose) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct interlock_module *last = &own->module[module];
    const struct request_module *wanted = &st->request->slot[slot].module[module];
    struct request_module *out = &st->out->slot[slot].module[module];
    const enum rule_id refused = running_refused(st, slot, module);
    if (refused != RULE_NONE) {
        interlock_note(st, refused, slot, CONTACTORS_PER_SLOT + module);
        return;
    }
    const uint16_t mn = KIND_BIT(CONTACTOR_MN0 + module);
    const bool joined = (st->view[slot].sure & mn) != 0 && out->mn;
    out->run = true;
    out->set_mv = wanted->set_mv;
    out->set_ma = wanted->set_ma;
    lower_to(st, slot, module, RULE_M5, &out->set_mv,
             st->config->slot[slot].module[module].max_voltage_mv);
    if (!joined || !purpose) {
        /* Behind its surely open MN a module charges nothing but its own output, to the voltage that M1 asks for. */
        const bool alone = contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module) && !out->mn;
        lower_to(st, slot, module, RULE_M3, &out->set_ma,
                 alone && purpose ? st->config->interlock.i_cc_ma : 0);
    }
    if (st->plan_late) {
        lower_to(st, slot, module, RULE_S8, &out->set_mv, last->set_mv);
        lower_to(st, slot, module, RULE_S8, &out->set_ma, last->set_ma);
    }
    const struct power *power = &st->power[st->component_hold[slot]];
    const struct interlock_slot *served = power->guns == 1 ? &st->s->slot[power->gun] : own;
    if (served->normal_since_us != 0) {
        lower_to(st, slot, module, RULE_G4, &out->set_ma, last->set_ma);
    }
    lower_to(st, slot, module, RULE_M6, &out->set_ma,
             within_capability_ma(st, slot, module, out->set_mv, out->set_ma));
}

/* Needs the contactors' commands of this step and budget_islands(). */
void module_setpoints(struct step *st, uint32_t slot) {
    const bool purpose = has_purpose(st, slot);
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        if (st->request->slot[slot].module[module].run) {
            setpoint(st, slot, module, purpose);
        }
    }
}
