/* Boundaries, the way out: rules E2 to E5, E7 and T5 for opening, and what opens a boundary whatever is asked for.
 *
 * A boundary opens without current: measured in two samples and as commanded (E2). What has to leave, because of a fault,
 * is told so by taking the current away first: nothing may flow over an edge that is to open (flow.c), so that it opens
 * calmly. In an emergency (S2, S4) it opens T_open after GC at the latest, whatever flows. Of a pair the contactors take
 * turns in opening first, and the second waits for the first one's word. Linear in slots. */
#include "rt/interlock/interlock_private.h"

#define T_APART_MS                                                                                 \
    500 /* T3: joined busses may differ for that long: their samples are not of one moment */

bool edge_fitted(const struct step *st, uint32_t slot, unsigned kind) {
    return (st->view[slot].fitted & KIND_BIT(kind)) != 0;
}

static bool is_commanded(const struct step *st, uint32_t slot, unsigned kind) {
    return st->s->slot[slot].contactor[kind].command;
}

void edge_refuse(struct step *st, uint32_t slot, enum rule_id rule, unsigned kind) {
    st->s->slot[slot].edge_refused = (uint16_t)rule;
    interlock_note(st, rule, slot, kind);
}

/* The way an edge goes changes with the first contactor of either way (E3). */
void edge_command(struct step *st, uint32_t slot, unsigned kind, bool closed) {
    struct interlock_slot *own = &st->s->slot[slot];
    if (own->edge_closed != closed) {
        own->edge_closed = closed;
        own->edge_changed_us = st->now_us;
    }
    contactor_command(st, slot, kind, closed);
    if (!closed) {
        st->view[slot].sure &= (uint16_t)~KIND_BIT(kind);
    } else if (!edge_fitted(st, slot, CONTACTOR_BC) || is_commanded(st, slot, CONTACTOR_BC)) {
        own->edge_lent = true;
        st->edge_joins[slot] = st->joins = true;
        slot_joint(st, slot)->joins = true;
        slot_joint(st, slot_after(st, slot))->joins = true;
    }
}

/* E4, the lasting causes: a contactor that does not do or tell what it should, a slot beside it that is out. */
static bool contactor_at_fault(const struct step *st, uint32_t slot) {
    if ((st->view[slot].faulty & BOUNDARY_BITS) == 0) {
        return false;
    }
    const struct contactor_book *mc = &st->s->slot[slot].contactor[CONTACTOR_MC];
    const struct contactor_book *bc = &st->s->slot[slot].contactor[CONTACTOR_BC];
    return mc->stuck || mc->welded || mc->untrusted || bc->stuck || bc->welded || bc->untrusted;
}

static bool is_out(const struct interlock_slot *own) {
    const uint64_t codes = FAULT_BIT(FAULT_CONTACTOR_FEEDBACK) | FAULT_BIT(FAULT_PLC_COMM) |
                           FAULT_BIT(FAULT_LATCH_UNKNOWN);
    return !own->released || own->stop == STOP_CLASS_EMERGENCY || (own->faults & codes) != 0;
}

bool edge_blocked(const struct step *st, uint32_t slot) {
    return (st->s->slot[slot].latched & FAULT_BIT(FAULT_BOUNDARY)) != 0 ||
           contactor_at_fault(st, slot) || st->out_of_service[slot] ||
           st->out_of_service[slot_after(st, slot)];
}

/* E2, one count per new sample. */
static void count_calm(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct sample *current = &st->image->slot[slot].boundary_ma;
    const bool low = is_fresh(st, current, st->sense_stale_ms) &&
                     abs_i32(current->value) <= st->config->interlock.i_open_ma;
    if (!low) {
        own->edge_calm = 0;
    } else if (current->at_us != own->edge_sample_us && own->edge_calm < EVIDENCE) {
        ++own->edge_calm;
    }
    own->edge_sample_us = current->at_us;
}

static bool is_calm(const struct step *st, uint32_t slot) {
    return st->s->slot[slot].edge_calm >= EVIDENCE &&
           flow_beyond_ma(st, slot) <= st->config->interlock.i_open_ma;
}

/* T3: it conducts by its feedback, yet its busses differ. */
static bool is_apart(struct step *st, uint32_t slot) {
    const struct slot_view *one = &st->view[slot];
    const struct slot_view *other = &st->view[slot_after(st, slot)];
    const bool differs = st->edge_hold[slot] && one->bus_known && other->bus_known &&
                         difference_mv(one->bus_mv, other->bus_mv) > st->config->interlock.dv_mc_mv;
    return interlock_held(&st->s->slot[slot].edge_apart_us, differs, st->now_us, T_APART_MS);
}

static bool has_emergency(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const bool gun = (st->view[slot].hold & KIND_BIT(CONTACTOR_GC)) != 0;
    return own->stop == STOP_CLASS_EMERGENCY || (gun && own->demand == STOP_CLASS_EMERGENCY) ||
           st->joint[st->component_hold[slot]].emergency;
}

/* A slot whose vehicle goes on to its cable check is wanted home (T4). */
static bool must_leave(struct step *st, uint32_t slot) {
    const uint32_t after = slot_after(st, slot);
    const int32_t max_slots = st->config->interlock.max_slots;
    const bool apart = is_apart(st, slot);
    return apart || contactor_at_fault(st, slot) || st->ring_held || st->view[slot].staged ||
           st->view[after].staged || st->hold[st->component_hold[slot]].slots > max_slots;
}

/* E7: which of the pair opens first alternates with each operation. */
static unsigned opens_first(const struct step *st, uint32_t slot) {
    const bool even = st->s->slot[slot].contactor[CONTACTOR_MC].operations % 2 == 0;
    return even ? CONTACTOR_MC : CONTACTOR_BC;
}

/* The contactor that may open now; CONTACTORS_PER_SLOT while the first one has not told yet that it did. */
static unsigned opens_next(const struct step *st, uint32_t slot) {
    if (!edge_fitted(st, slot, CONTACTOR_BC)) {
        return CONTACTOR_MC;
    }
    const bool mc = is_commanded(st, slot, CONTACTOR_MC);
    if (mc && is_commanded(st, slot, CONTACTOR_BC)) {
        return opens_first(st, slot);
    }
    const struct contactor_book *first =
        &st->s->slot[slot].contactor[mc ? CONTACTOR_BC : CONTACTOR_MC];
    const int64_t open_us = (int64_t)st->config->interlock.t_open_ms * 1000;
    const bool told = first->confirmed || st->now_us - first->changed_us >= open_us;
    return !told ? CONTACTORS_PER_SLOT : mc ? CONTACTOR_MC : CONTACTOR_BC;
}

/* E3: dwell is waived for a vehicle that arrives, and when the gun that borrowed is leaving or gone. */
static bool dwells(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct joint *joint = &st->joint[st->component_hold[slot]];
    const bool reclaim =
        st->request->slot[slot].reclaim || st->request->slot[slot_after(st, slot)].reclaim;
    const int64_t dwell_us = (int64_t)st->config->interlock.t_dwell_ms * 1000;
    return st->now_us - own->edge_changed_us < dwell_us && !(reclaim && joint->arriving) &&
           joint->served && !joint->leaving;
}

static enum rule_id opening_refused(const struct step *st, uint32_t slot, unsigned first) {
    const struct request_slot *request = &st->request->slot[slot];
    const struct joint *joint = &st->joint[st->component_hold[slot]];
    const bool own_unsettled = st->component_sure[slot] != st->component_sure[slot_after(st, slot)];
    if (!st->edge_hold[slot]) {
        return RULE_NONE; /* MC alone, BC never closed: nothing was joined */
    }
    if ((first == CONTACTOR_MC && request->mc) || (first == CONTACTOR_BC && request->bc)) {
        return RULE_E7;
    }
    if (joint->unsettled > (own_unsettled ? 1 : 0)) {
        return RULE_E4;
    }
    if (joint->checking) {
        return RULE_N4;
    }
    return dwells(st, slot) ? RULE_E3 : RULE_NONE;
}

static void open_at_once(struct step *st, uint32_t slot) {
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; ++kind) {
        if (is_commanded(st, slot, kind)) {
            edge_command(st, slot, kind, false);
        }
    }
    interlock_note(st, RULE_S2, slot, CONTACTOR_MC);
}

/* S2, S4: T_open after the guns of its island, or at once where its PLC is told FORCE_ALL_OFF in this step. */
static bool forced_now(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct joint *joint = &st->joint[st->component_hold[slot]];
    const bool all_off = faults_force_off(own) && !joint->served;
    return interlock_held(&own->edge_forced_us, own->edge_forced && !joint->waits, st->now_us,
                          all_off ? 0 : st->config->interlock.t_open_ms);
}

static void open_next(struct step *st, uint32_t slot, bool asked) {
    const uint16_t island = st->component_may[slot];
    const unsigned kind = opens_next(st, slot);
    enum rule_id refused = RULE_NONE;
    if (kind == CONTACTORS_PER_SLOT) {
        return;
    }
    if (asked) {
        refused = opening_refused(st, slot, kind);
    }
    if (refused == RULE_NONE && st->moved[island]) {
        refused = RULE_T5;
    }
    if (refused == RULE_NONE && !is_calm(st, slot)) {
        refused = RULE_E2;
    }
    if (refused != RULE_NONE) {
        edge_refuse(st, slot, refused, kind);
        return;
    }
    st->moved[island] = true;
    edge_command(st, slot, kind, false);
}

static void guard_opening(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct request_slot *request = &st->request->slot[slot];
    const bool bc = is_commanded(st, slot, CONTACTOR_BC);
    count_calm(st, slot);
    const bool leaves = must_leave(st, slot);
    own->edge_forced =
        own->edge_forced || has_emergency(st, slot) || has_emergency(st, slot_after(st, slot));
    if (forced_now(st, slot)) {
        open_at_once(st, slot);
    } else if (leaves || own->edge_forced || !own->edge_closed) {
        open_next(st, slot, false);
    } else if (!request->mc || (bc && !request->bc)) {
        open_next(st, slot, true);
    }
    st->edge_leaves[slot] = leaves || own->edge_forced || !own->edge_closed;
}

/* What of a boundary that is open was to open is forgotten. */
static void rest(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    own->edge_forced = false;
    own->edge_forced_us = own->edge_apart_us = 0;
}

static bool asks(const struct step *st, uint32_t slot) {
    const struct request_slot *request = &st->request->slot[slot];
    return (request->mc && !is_commanded(st, slot, CONTACTOR_MC)) ||
           (request->bc && !is_commanded(st, slot, CONTACTOR_BC));
}

/* Of most hubs most boundaries rest most of the time: what they need of the state is read once. */
static bool begin(struct step *st) {
    bool busy = false;
    st->joins = false;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct interlock_slot *own = &st->s->slot[slot];
        const struct request_slot *request = &st->request->slot[slot];
        st->moved[slot] = false;
        st->edge_leaves[slot] = false;
        st->edge_joins[slot] = false;
        st->out_of_service[slot] = is_out(own);
        own->edge_refused = RULE_NONE;
        busy =
            busy || request->mc || request->bc || (st->view[slot].commanded & BOUNDARY_BITS) != 0;
    }
    return busy;
}

static void move(struct step *st) {
    bool closing = false;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        if ((st->view[slot].commanded & BOUNDARY_BITS) != 0) {
            guard_opening(st, slot);
        } else {
            rest(st, slot);
        }
        closing = closing || asks(st, slot);
    }
    if (closing) {
        edge_close(st);
    }
    if (st->lent) {
        topology_sure(st);
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->out->slot[slot].mc = is_commanded(st, slot, CONTACTOR_MC);
        st->out->slot[slot].bc = is_commanded(st, slot, CONTACTOR_BC);
    }
}

void edge_guard(struct step *st) {
    if (begin(st)) {
        move(st);
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->s->slot[slot].edge_locked =
            edge_fitted(st, slot, CONTACTOR_MC) && edge_blocked(st, slot);
    }
}
