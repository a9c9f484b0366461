/* Boundaries, the way in: what has to be known of both sides before a contactor closes between them (E1, E3, E4, E6, E7,
 * T1, T2, T4, T5, T6, N4, S8, S15). Everything that may conduct counts (may); what is not known is no. A side is looked at
 * once for all its boundaries: linear in slots. */
#include "rt/interlock/interlock_private.h"

static void add_current(const struct step *st, uint32_t slot, struct side *side) {
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const struct sample *current = &st->image->slot[slot].module[module].current_ma;
        if (contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module)) {
            continue;
        }
        side->current_known = side->current_known && is_fresh(st, current, st->module_stale_ms);
        side->current_ma += abs_i32(current->value);
    }
    side->set_ma += st->view[slot].set_sum_ma;
}

static bool gun_settled(const struct step *st, uint32_t slot) {
    const uint16_t gc = KIND_BIT(CONTACTOR_GC);
    const struct slot_view *view = &st->view[slot];
    const bool closed = st->out->slot[slot].gc;
    return ((view->may & gc) != 0) == closed && ((view->sure & gc) != 0) == closed;
}

static void look_at_slot(struct step *st, uint32_t slot) {
    struct side *side = &st->side[st->component_may[slot]];
    const struct interlock_slot *own = &st->s->slot[slot];
    const bool closed = st->out->slot[slot].gc;
    side->checking |= insulation_testing(st, slot) ||
                      st->view[slot].stage == HLC_STAGE_CABLE_CHECK ||
                      st->view[slot].stage == HLC_STAGE_PRECHARGE;
    side->unsettled |= !gun_settled(st, slot) ||
                       (st->edge_may[slot] &&
                        st->component_sure[slot] != st->component_sure[slot_after(st, slot)]);
    side->stopping |= own->stop == STOP_CLASS_EMERGENCY ||
                      (closed && (own->stop != STOP_CLASS_NONE || own->demand != STOP_CLASS_NONE));
    side->monitored |= (own->imd_enable && insulation_sound(st, slot));
    add_current(st, slot, side);
}

static bool has_gun(const struct step *st, uint32_t side) {
    return st->may[side].guns != 0;
}

/* The donor's side gives nothing when it is joined: measured, and no more commanded than its precharge needs. */
static bool gives_nothing(const struct step *st, uint32_t side) {
    const struct config_interlock *limit = &st->config->interlock;
    return has_gun(st, side) ||
           (st->side[side].current_known && st->side[side].current_ma <= limit->i_off_ma &&
            st->side[side].set_ma <= limit->i_cc_ma);
}

static enum rule_id voltage_refused(const struct step *st, uint32_t slot, uint32_t a, uint32_t b) {
    const struct config_interlock *limit = &st->config->interlock;
    const struct slot_view *one = &st->view[slot];
    const struct slot_view *other = &st->view[slot_after(st, slot)];
    if (!one->bus_known || !other->bus_known ||
        difference_mv(one->bus_mv, other->bus_mv) > limit->dv_mc_mv || !gives_nothing(st, a) ||
        !gives_nothing(st, b)) {
        return RULE_E1;
    }
    const bool watched = (one->bus_mv < limit->v_safe_mv || st->side[a].monitored) &&
                         (other->bus_mv < limit->v_safe_mv || st->side[b].monitored);
    return watched ? RULE_NONE : RULE_E6;
}

static enum rule_id topology_refused(const struct step *st, uint32_t a, uint32_t b) {
    const struct island *one = &st->may[a];
    const struct island *other = &st->may[b];
    if (a == b) {
        return RULE_T2; /* so it is, too, when every other boundary may conduct */
    }
    if (one->slots + other->slots > st->config->interlock.max_slots) {
        return RULE_T6;
    }
    if (one->guns + other->guns > 1) {
        return RULE_T1;
    }
    return one->live + other->live > 1 ? RULE_T4 : RULE_NONE;
}

/* E7, and what is to close must be known to be open. */
static enum rule_id order_refused(const struct step *st, uint32_t slot, unsigned kind) {
    const struct slot_view *view = &st->view[slot];
    const struct interlock_slot *own = &st->s->slot[slot];
    const uint16_t mc = KIND_BIT(CONTACTOR_MC);
    const uint16_t bc = KIND_BIT(CONTACTOR_BC);
    if (kind == CONTACTOR_MC) {
        return (view->may & (mc | bc)) == 0 ? RULE_NONE : RULE_S7;
    }
    if ((view->fitted & bc) == 0 || (view->sure & mc) == 0 || !own->edge_closed) {
        return RULE_E7;
    }
    return (view->may & bc) == 0 ? RULE_NONE : RULE_S7;
}

static bool dwells(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const int64_t dwell_us = (int64_t)st->config->interlock.t_dwell_ms * 1000;
    return !own->edge_closed && own->edge_changed_us != 0 &&
           st->now_us - own->edge_changed_us < dwell_us;
}

static enum rule_id closing_refused(const struct step *st, uint32_t slot, unsigned kind) {
    const uint32_t a = st->component_may[slot];
    const uint32_t b = st->component_may[slot_after(st, slot)];
    const enum rule_id topology = topology_refused(st, a, b);
    const enum rule_id order = order_refused(st, slot, kind);
    if (!edge_fitted(st, slot, CONTACTOR_MC)) {
        return RULE_E1;
    }
    if (!st->s->slot[slot].released || !st->s->slot[slot_after(st, slot)].released) {
        return RULE_S15;
    }
    if (st->plan_late) {
        return RULE_S8;
    }
    if (order != RULE_NONE || topology != RULE_NONE) {
        return order != RULE_NONE ? order : topology;
    }
    if (edge_blocked(st, slot) || st->edge_leaves[slot] || st->side[a].stopping ||
        st->side[b].stopping) {
        return RULE_E4;
    }
    if (st->moved[a] || st->moved[b]) {
        return RULE_T5;
    }
    if (st->side[a].checking || st->side[b].checking) {
        return RULE_N4;
    }
    if (st->side[a].unsettled || st->side[b].unsettled) {
        return RULE_E4;
    }
    return dwells(st, slot) ? RULE_E3 : voltage_refused(st, slot, a, b);
}

/* MC first, then BC; asked for both at once, BC waits for MC without a word. */
static void close_one(struct step *st, uint32_t slot) {
    const struct request_slot *request = &st->request->slot[slot];
    const struct contactor_book *book = st->s->slot[slot].contactor;
    const bool wants_mc = request->mc && !book[CONTACTOR_MC].command;
    const bool wants_bc = request->bc && !book[CONTACTOR_BC].command && !wants_mc;
    if (!wants_mc && !wants_bc) {
        return;
    }
    const unsigned kind = wants_mc ? CONTACTOR_MC : CONTACTOR_BC;
    const enum rule_id refused = closing_refused(st, slot, kind);
    if (refused != RULE_NONE) {
        edge_refuse(st, slot, refused, kind);
        return;
    }
    st->moved[st->component_may[slot]] = true;
    st->moved[st->component_may[slot_after(st, slot)]] = true;
    edge_command(st, slot, kind, true);
}

void edge_close(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->side[slot] = (struct side){.current_known = true};
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        look_at_slot(st, slot);
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        close_one(st, slot);
    }
}
