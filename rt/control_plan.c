/* What the planner is told, and whether what it says may be looked at. */
#include <string.h>

#include "rt/control_private.h"

#define SET_MV_MAX 1500000
#define SET_MA_MAX 1000000
#define MINUTE_US  INT64_C(60000000)

static bool slot_sound(const struct control *c, uint32_t slot, const struct proposal_slot *p) {
    if (p->owner < -1 || p->owner >= (int32_t)c->config->slots || p->budget_w < 0 ||
        p->offered_w < 0 || p->set_mv < 0 || p->set_mv > SET_MV_MAX || p->capacity_w < 0 ||
        p->guide_now_w < 0 || p->guide_later_w < 0 || (unsigned)p->reason >= LIMIT_REASON_COUNT) {
        return false;
    }
    for (uint32_t j = 0; j < c->config->slot[slot].module_count; j++) {
        const struct proposal_module *m = &p->module[j];
        if (m->set_mv < 0 || m->set_mv > SET_MV_MAX || m->set_ma < 0 || m->set_ma > SET_MA_MAX) {
            return false;
        }
    }
    return true;
}

/* The newest input given: whatever answers a later one answers none, and would shut out those that do. */
static uint64_t input_seq(const struct control *c) {
    return c->proposal.seq + 1;
}

bool control_proposal_sound(const struct control *c, const struct proposal *proposal,
                            int64_t now_us) {
    if (proposal->slots != c->config->slots || proposal->input_us > now_us ||
        proposal->guide_slot < -1 || proposal->guide_slot >= (int32_t)c->config->slots ||
        proposal->seq > input_seq(c) ||
        (c->have_proposal &&
         (proposal->seq < c->proposal.seq || proposal->input_us < c->proposal.input_us))) {
        return false;
    }
    for (uint32_t i = 0; i < c->config->slots; i++) {
        if (!slot_sound(c, i, &proposal->slot[i])) {
            return false;
        }
    }
    return true;
}

static int32_t fresh_or(const struct sample *s, int64_t now_us, int32_t max_age_ms,
                        int32_t otherwise) {
    return sample_fresh(s, now_us, max_age_ms) ? s->value : otherwise;
}

int32_t control_capability_w(const struct control *c, uint32_t slot, uint32_t module,
                             int64_t now_us) {
    return interlock_capability_w(c->config, &c->image, slot, module, now_us);
}

static void fill_module(const struct control *c, uint32_t slot, uint32_t module, int64_t now_us,
                        struct plan_module *out) {
    const struct config_module *k = &c->config->slot[slot].module[module];
    const struct image_module *m = &c->image.slot[slot].module[module];
    const struct interlock_slot *own = &c->interlock.slot[slot];
    const int32_t fresh_ms = c->config->interlock.t_mod_soft_ms;
    out->healthy = gun_module_usable(&c->image.slot[slot], own, module);
    out->connected =
        contactor_sure(&c->interlock, c->config, &c->image, slot, CONTACTOR_MN0 + module, now_us);
    out->capability_w = control_capability_w(c, slot, module, now_us);
    out->capability_ma = m->capability_ma.valid && m->capability_ma.value < k->max_current_ma
                             ? m->capability_ma.value
                             : k->max_current_ma;
    out->max_mv = k->max_voltage_mv;
    out->min_mv = k->min_voltage_mv;
    out->voltage_mv = fresh_or(&m->voltage_mv, now_us, fresh_ms, 0);
    out->current_ma = fresh_or(&m->current_ma, now_us, fresh_ms, 0);
    out->set_ma = own->module[module].set_ma;
    out->set_mv = own->module[module].set_mv;
    out->operations = own->contactor[CONTACTOR_MN0 + module].operations;
}

static int32_t committed_w(const struct control *c, uint32_t slot) {
    int64_t committed_uw = 0;
    for (uint32_t j = 0; j < c->config->slot[slot].module_count; j++) {
        committed_uw += c->interlock.slot[slot].module[j].committed_uw;
    }
    const int64_t w = committed_uw / ((int64_t)c->config->modules.efficiency_permille * 1000);
    return (int32_t)(w > INT32_MAX ? INT32_MAX : w);
}

/* Temperature, and the fallback current of a broken sensor, as a part of what connector and cable carry. */
static int32_t derate_permille(const struct control *c, uint32_t slot,
                               const struct config_connector *k) {
    const int32_t ma =
        k->max_current_ma < k->cable_max_current_ma ? k->max_current_ma : k->cable_max_current_ma;
    const int32_t limit_ma = gun_current_limit_ma(c->config, &c->interlock.slot[slot], slot);
    return ma > 0 ? (int32_t)((int64_t)limit_ma * 1000 / ma) : 0;
}

static void fill_gun(const struct control *c, uint32_t slot, int64_t now_us,
                     struct plan_slot *out) {
    const struct config_connector *k = &c->config->connector[c->config->slot[slot].gun];
    const struct control_slot *s = &c->slot[slot];
    const struct image_slot *image = &c->image.slot[slot];
    const enum gun_state state = s->gun.state;
    out->has_gun = true;
    out->state = state;
    out->demands = state >= GUN_STATE_CABLE_CHECK && state <= GUN_STATE_CHARGING;
    out->served = state == GUN_STATE_CHARGING;
    out->ramping_down = state >= GUN_STATE_RAMP_DOWN && state <= GUN_STATE_WELD_CHECK;
    out->faulted = state == GUN_STATE_FAULTED || state == GUN_STATE_UNAVAILABLE;
    out->priority_class = s->priority_class;
    out->target_mv = fresh_or(&image->ev_target_mv, now_us, 500, 0);
    out->target_ma = fresh_or(&image->ev_target_ma, now_us, 500, 0);
    out->ev_max_mv = image->ev_max_mv.valid ? image->ev_max_mv.value : 0;
    out->ev_max_ma = image->ev_max_ma.valid ? image->ev_max_ma.value : 0;
    out->ev_max_w = image->ev_max_w.valid ? image->ev_max_w.value : 0;
    out->connector_max_ma = k->max_current_ma;
    out->connector_max_w = k->max_power_w;
    out->connector_max_mv = k->max_voltage_mv;
    out->cable_max_ma = k->cable_max_current_ma;
    out->derate_permille = derate_permille(c, slot, k);
    out->profile_limit_w = s->profile.limit_w;
    out->power_w = (int32_t)((int64_t)fresh_or(&image->gun_mv, now_us, 1000, 0) *
                             fresh_or(&image->gun_ma, now_us, 1000, 0) / 1000000);
    out->arrival_us = s->plugged_us;
    out->arriving = state >= GUN_STATE_PLUGGED && state <= GUN_STATE_LOCKED;
    out->free = state == GUN_STATE_AVAILABLE && s->gun.operative && s->reserved_until_us == 0;
    out->soc_pct = sample_fresh(&image->soc_pct, now_us, CONTROL_SOC_MS) &&
                           image->soc_pct.value >= 0 && image->soc_pct.value <= 100
                       ? (uint8_t)image->soc_pct.value
                       : 255;
    if (image->departure_min.valid && image->departure_min.value > 0) {
        out->departure_us = image->departure_min.at_us + image->departure_min.value * MINUTE_US;
    }
}

/* May neighbours use this slot's modules: its gun surely off the bus and not about to come onto it, nothing latched. */
static bool is_blocked(const struct control *c, uint32_t slot, int64_t now_us) {
    const struct interlock_slot *own = &c->interlock.slot[slot];
    if (!own->released || own->stop != STOP_CLASS_NONE || own->live) {
        return true;
    }
    if (!control_has_gun(c, slot)) {
        return false;
    }
    const enum gun_state state = c->slot[slot].gun.state;
    const bool idle = state == GUN_STATE_AVAILABLE || state == GUN_STATE_FINISHED ||
                      (state == GUN_STATE_UNAVAILABLE && !c->slot[slot].gun.operative);
    return !idle || c->slot[slot].gun.own_latched != 0 ||
           contactor_may(&c->interlock, c->config, &c->image, slot, CONTACTOR_GC, now_us);
}

/* The guard lets no idle bus rise above the maximum of a vehicle that is still plugged in there. */
static int32_t lend_max_mv(const struct control *c, uint32_t slot) {
    const struct sample *maximum = &c->image.slot[slot].ev_max_mv;
    const int64_t plugged_us = c->interlock.slot[slot].plugged_since_us;
    return plugged_us != 0 && maximum->valid && maximum->at_us >= plugged_us && maximum->value > 0
               ? maximum->value
               : 0;
}

/* Locked: what holds a boundary as it is whoever asks. What merely delays it (current, dwell, a sequence under way) is
 * left to sequencer and guard. */
static void fill_edge(const struct control *c, uint32_t slot, int64_t now_us,
                      struct plan_edge *out) {
    const struct config_slot *k = &c->config->slot[slot];
    const struct interlock_slot *own = &c->interlock.slot[slot];
    const uint32_t beyond = (slot + 1) % c->config->slots;
    *out = (struct plan_edge){.fitted = k->has_mc, .max_ma = k->boundary_max_current_ma};
    if (!k->has_mc) {
        return;
    }
    out->may = out->sure = out->welded = true;
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; kind++) {
        const struct contactor_book *book = &own->contactor[kind];
        if (!book->fitted) {
            continue;
        }
        out->contactors++;
        out->may &= contactor_may(&c->interlock, c->config, &c->image, slot, kind, now_us);
        out->sure &= contactor_sure(&c->interlock, c->config, &c->image, slot, kind, now_us);
        out->welded &= book->welded;
        out->locked |= book->welded || book->stuck || book->untrusted;
        if (book->operations > out->operations) {
            out->operations = book->operations;
        }
        if ((book->command || book->operations > 0) && book->changed_us > out->changed_us) {
            out->changed_us = book->changed_us;
        }
    }
    out->may |= own->edge_closed; /* a pair on its way in: the second contactor follows the first */
    out->locked |= !own->released || !c->interlock.slot[beyond].released;
}

static void fill_rules(const struct config *config, struct plan_rules *out) {
    out->mode = config->planner.mode;
    out->slots_max = (uint32_t)config->interlock.max_slots;
    out->default_mv = config->default_voltage_mv;
    out->v_safe_mv = config->interlock.v_safe_mv;
    out->holding_s = config->planner.holding_s;
    out->operation_cost_kj = config->planner.operation_cost_kj;
    out->power_min_w = config->planner.power_min_w;
    out->dwell_us = (int64_t)config->interlock.t_dwell_ms * 1000;
    out->rotation_us = config->planner.rotation_min * MINUTE_US;
    out->departure_soon_us = config->planner.departure_soon_min * MINUTE_US;
}

void control_plan_input(const struct control *c, int64_t now_us, struct plan_input *out) {
    const struct config *config = c->config;
    out->seq = input_seq(c);
    out->now_us = now_us;
    out->slots = config->slots;
    out->site_limit_w = c->site_limit_w;
    out->site_limit_reason = c->site_reason;
    out->efficiency_permille = config->modules.efficiency_permille;
    out->i_cc_ma = config->interlock.i_cc_ma;
    fill_rules(config, &out->rules);
    for (uint32_t i = 0; i < config->slots; i++) {
        struct plan_slot *s = &out->slot[i];
        memset(s, 0, sizeof *s);
        s->profile_limit_w = INT64_MAX;
        s->derate_permille = 1000;
        s->soc_pct = 255;
        if (control_has_gun(c, i)) {
            fill_gun(c, i, now_us, s);
        }
        s->bus_mv = fresh_or(&c->image.slot[i].bus_mv, now_us, 1000, 0);
        s->committed_w = committed_w(c, i);
        s->blocked = is_blocked(c, i, now_us);
        s->lend_max_mv = lend_max_mv(c, i);
        fill_edge(c, i, now_us, &s->edge);
        s->module_count = config->slot[i].module_count;
        for (uint32_t j = 0; j < s->module_count; j++) {
            fill_module(c, i, j, now_us, &s->module[j]);
        }
    }
}
