/* Faults of a slot's own contactors and of both its boundaries': welded (G6, T7), stuck (S5), untrusted (S6), locked (E4).
 *
 * T7: a boundary that was lent and does not open has made two slots one. One of them goes on, with both busses: the one
 * that is served, else the one of the better class. The other is out of service until a person has been there; its GC stays
 * open (T1) and its modules off. A boundary that closed on its own, or was found closed, takes both out. */
#include "rt/interlock/interlock_private.h"

/* MC or BC alone welded does not conduct while the other is surely open: its edge stays locked, its slot goes on. */
static bool edge_welded(const struct step *st, uint32_t slot) {
    const struct contactor_book *book = st->s->slot[slot].contactor;
    return st->edge_stray[slot] && (book[CONTACTOR_MC].welded || book[CONTACTOR_BC].welded);
}

/* Feedback alone says that the edge conducts; after its verdict it is a weld. */
static bool edge_suspect(const struct step *st, uint32_t slot) {
    return st->edge_stray[slot] && !edge_welded(st, slot);
}

/* The last word of the edge's PLC was not that it is open: nothing closes beside it (T1), and a gun that waits for it
 * waits with a name. */
static bool edge_mute(const struct step *st, uint32_t slot) {
    return st->edge_may[slot] &&
           (st->view[slot].mute & (KIND_BIT(CONTACTOR_MC) | KIND_BIT(CONTACTOR_BC))) != 0;
}

/* It did not follow its command: E4 locks its boundary until a person has looked at it. */
static bool boundary_at_fault(const struct contactor_book *book) {
    return (book->stuck || book->welded) && book->against >= EVIDENCE;
}

static bool is_weld_latched(const struct step *st, uint32_t slot) {
    return (st->s->slot[slot].latched & FAULT_BIT(FAULT_CONTACTOR_WELDED)) != 0;
}

static uint32_t priority(const struct step *st, uint32_t slot) {
    const struct config_connector *connector = slot_connector(st, slot);
    return connector == NULL ? UINT32_MAX : connector->priority_class;
}

/* T7: which of two fused slots goes on: the one that is served, else the one of the better class, else the first. */
static uint32_t fused_head(const struct step *st, uint32_t edge) {
    const uint32_t after = slot_after(st, edge);
    if (gun_commanded(st, edge) != gun_commanded(st, after)) {
        return gun_commanded(st, edge) ? edge : after;
    }
    return priority(st, after) < priority(st, edge) ? after : edge;
}

/* A boundary that was lent and does not open fuses its slots; one that closed on its own takes both out. */
static void fuse(struct step *st, uint32_t edge) {
    struct interlock_slot *own = &st->s->slot[edge];
    const uint32_t after = slot_after(st, edge);
    if (!edge_welded(st, edge) || !own->edge_lent || is_weld_latched(st, edge) ||
        is_weld_latched(st, after)) {
        return;
    }
    const uint32_t tail = fused_head(st, edge) == edge ? after : edge;
    own->edge_fused = true;
    st->s->slot[tail].latched |= FAULT_BIT(FAULT_CONTACTOR_WELDED);
    interlock_note(st, RULE_T7, tail, COMPONENT_NONE);
}

/* A weld counts against a slot unless it is the one of a fused pair that goes on. */
static bool edge_weld_of(const struct step *st, uint32_t edge, uint32_t slot) {
    return edge_welded(st, edge) && !(st->s->slot[edge].edge_fused && !is_weld_latched(st, slot));
}

/* One that is to open and has not yet is no surprise to the gun that used it. */
static bool edge_suspect_of(const struct step *st, uint32_t edge, uint32_t slot) {
    return edge_suspect(st, edge) && !(st->s->slot[edge].edge_lent && gun_commanded(st, slot));
}

uint64_t faults_contactor(struct step *st, uint32_t slot) {
    fuse(st, slot);
    fuse(st, slot_before(st, slot));
    const struct contactor_book *book = st->s->slot[slot].contactor;
    const struct contactor_book *gc = &book[CONTACTOR_GC];
    const uint32_t behind = slot > 0 ? slot - 1 : st->slots - 1;
    const bool stray = (st->view[slot].stray & KIND_BIT(CONTACTOR_GC)) != 0 || gc->untrusted;
    const bool mute = !gun_commanded(st, slot) && (edge_mute(st, slot) || edge_mute(st, behind));
    const bool suspect = (stray && !gc->welded) || edge_suspect_of(st, slot, slot) ||
                         edge_suspect_of(st, behind, slot) || mute;
    const bool edge = edge_weld_of(st, slot, slot) || edge_weld_of(st, behind, slot);
    /* Dead and open again, the cause of a weld is gone and the latch alone remains. */
    const bool welded =
        ((gc->welded || edge_weld_of(st, slot, slot)) && !faults_dead_and_open(st, slot)) ||
        (edge_weld_of(st, behind, slot) && !faults_dead_and_open(st, behind));
    if ((gc->welded || edge) &&
        (st->s->slot[slot].latched & FAULT_BIT(FAULT_CONTACTOR_WELDED)) == 0) {
        st->s->slot[slot].latched |= FAULT_BIT(FAULT_CONTACTOR_WELDED);
        interlock_note(st, gc->welded ? RULE_G6 : RULE_T7, slot, COMPONENT_NONE);
    }
    return fault_if(welded, FAULT_CONTACTOR_WELDED) | fault_if(suspect, FAULT_CONTACTOR_FEEDBACK) |
           fault_if(gc->stuck && gc->against >= EVIDENCE, FAULT_CONTACTOR_STUCK_OPEN) |
           fault_if((st->view[slot].faulty & BOUNDARY_BITS) != 0 && !edge_welded(st, slot) &&
                        (boundary_at_fault(&book[CONTACTOR_MC]) ||
                         boundary_at_fault(&book[CONTACTOR_BC])),
                    FAULT_BOUNDARY) |
           (st->s->slot[slot].faults & FAULT_BIT(FAULT_CONTACTOR_BOOT_CLOSED)); /* boot.c */
}
