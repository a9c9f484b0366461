/* Components of the ring, two-sided: under may(edge) for everything that closes or is forbidden because it might
 * conduct, under hold(edge) for what stops running guns. Linear in slots. */
#include "rt/interlock/interlock_private.h"

/* The only place that knows which contactors make an edge: MC, and BC in series where fitted. */
static bool edge(const struct slot_view *view, uint16_t conducting) {
    const uint16_t mc = KIND_BIT(CONTACTOR_MC);
    const uint16_t bc = KIND_BIT(CONTACTOR_BC);
    return (view->fitted & mc) != 0 && (conducting & mc) != 0 &&
           ((view->fitted & bc) == 0 || (conducting & bc) != 0);
}

/* Labels every slot with the lowest slot of its component. joined[i]: slot i and its clockwise neighbour are one. A run
 * that goes on over the last edge belongs to slot 0. */
static void label(const bool *joined, uint32_t slots, uint16_t *component) {
    assert(slots >= 1);
    uint32_t tail = slots; /* first slot of the run that joins slot 0 from behind */
    while (tail > 0 && joined[tail - 1]) {
        --tail;
    }
    uint16_t lowest = 0;
    for (uint32_t slot = 0; slot < slots; ++slot) {
        if (slot >= tail) {
            lowest = 0;
        } else if (slot > 0 && !joined[slot - 1]) {
            lowest = (uint16_t)slot;
        }
        component[slot] = lowest;
    }
}

static bool ring_closed(const struct step *st, const bool *joined) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        if (!joined[slot]) {
            return false;
        }
    }
    return true;
}

void topology_sure(struct step *st) {
    bool sure[RM_SLOTS_MAX] UNINITIALISED;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        sure[slot] = edge(&st->view[slot], st->view[slot].sure);
    }
    label(sure, st->slots, st->component_sure);
}

void topology_evaluate(struct step *st) {
    st->lent = false;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        const struct slot_view *view = &st->view[slot];
        struct interlock_slot *own = &st->s->slot[slot];
        st->edge_may[slot] = edge(view, view->may);
        st->edge_hold[slot] = edge(view, view->hold);
        st->edge_stray[slot] = edge(view, view->stray);
        own->edge_lent = own->edge_lent && st->edge_hold[slot];
        own->edge_fused = own->edge_fused && st->edge_stray[slot];
        st->lent = st->lent || own->edge_lent;
    }
    label(st->edge_may, st->slots, st->component_may);
    label(st->edge_hold, st->slots, st->component_hold);
    topology_sure(st);
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->s->slot[slot].island_may = st->component_may[slot];
        st->s->slot[slot].island_sure = st->component_sure[slot];
    }
    st->ring_closed = ring_closed(st, st->edge_may);
    st->ring_held = ring_closed(st, st->edge_hold);
    if (st->ring_closed) {
        interlock_note(st, RULE_T2, 0, CONTACTOR_MC);
    }
}

static void count(struct island *island, const struct slot_view *view, uint16_t gc_conducts,
                  bool live) {
    ++island->slots;
    if ((gc_conducts & view->fitted & KIND_BIT(CONTACTOR_GC)) != 0) {
        ++island->guns;
    }
    if (live) {
        ++island->live;
    }
}

static void count_joint(struct step *st, uint32_t slot) {
    struct joint *joint = slot_joint(st, slot);
    joint->set_ma += st->view[slot].set_sum_ma;
    joint->staged = (uint16_t)(joint->staged + st->view[slot].staged);
    joint->stray |= st->edge_stray[slot] && !st->s->slot[slot].edge_fused;
    if (st->s->slot[slot].edge_lent) {
        joint->lent = true;
        st->may[st->component_may[slot]].lent |= !st->s->slot[slot].edge_fused;
    }
}

/* Guns and live slots of every component: T1 and T4 are questions to these counts. live[] under may is the state's
 * (a gun that might be energised), under hold the one that is not mere silence. */
void topology_count(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->may[slot] = (struct island){.slots = 0};
        st->hold[slot] = (struct island){.slots = 0};
        st->joint[slot] = (struct joint){.set_ma = 0};
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        const struct slot_view *view = &st->view[slot];
        count(&st->may[st->component_may[slot]], view, view->may, st->s->slot[slot].live);
        count(&st->hold[st->component_hold[slot]], view, view->hold,
              view->live_hold || view->staged);
        count_joint(st, slot);
    }
}

/* The slot at the counter-clockwise end of its island; in a ring that conducts everywhere, the next one. */
uint32_t topology_first(const struct step *st, uint32_t slot) {
    uint32_t at = slot;
    while (st->edge_hold[slot_before(st, at)] && slot_before(st, at) != slot) {
        at = slot_before(st, at);
    }
    return at;
}

/* T1, T2, T4 for a gun that is closed or asks to be: is there another on its island? A running gun is not stopped because
 * the vehicle of a slot that it borrows from goes on to its cable check early: that slot's GC stays open (T1), its inlet
 * is dead, and its boundaries are opening. Where anything conducts against its command the stage counts. */
bool topology_alone(const struct step *st, uint32_t slot, bool closing) {
    const struct slot_view *view = &st->view[slot];
    const uint16_t gc = KIND_BIT(CONTACTOR_GC);
    const struct island *island =
        closing ? &st->may[st->component_may[slot]] : &st->hold[st->component_hold[slot]];
    const bool own_gun = ((closing ? view->may : view->hold) & gc) != 0;
    const bool own_live = closing ? st->s->slot[slot].live : view->live_hold;
    const struct joint *joint = &st->joint[st->component_hold[slot]];
    uint32_t others = island->live - (own_live ? 1u : 0u);
    if (!closing && joint->lent && !joint->stray) {
        others -= joint->staged;
    }
    return island->guns == (own_gun ? 1 : 0) && others == 0 && !(closing && st->ring_closed);
}
