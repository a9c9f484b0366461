/* S15: after a start every slot is off until its contactors, and those of both its boundaries, have been read open. */
#include "rt/interlock/interlock_private.h"

/* A module on the module bus that was never heard cannot answer for its relay: it is taken out instead (M3). */
static bool answers(const struct step *st, uint32_t slot, unsigned kind) {
    if (kind < CONTACTOR_MN0) {
        return true;
    }
    const unsigned module = kind - CONTACTOR_MN0;
    return st->config->slot[slot].module[module].mn_on_plc ||
           st->image->slot[slot].module[module].last_rx_us != 0;
}

/* Read after the hold: what was read before it may show the last run's contactors on their way down. */
static bool reads_closed(const struct step *st, uint32_t slot, unsigned kind) {
    const struct image_contactor *feedback = contactor_image(st->config, st->image, slot, kind);
    return feedback->at_us >= st->s->slot[slot].hold_until_us &&
           (feedback->p == FEEDBACK_CLOSED || feedback->n == FEEDBACK_CLOSED);
}

/* true when all fitted contactors of [first, end) are surely open */
static bool all_open(const struct step *st, uint32_t slot, unsigned first, unsigned end) {
    for (unsigned kind = first; kind < end; ++kind) {
        if ((st->view[slot].may & KIND_BIT(kind)) != 0 && answers(st, slot, kind)) {
            return false;
        }
    }
    return true;
}

static bool any_closed(const struct step *st, uint32_t slot) {
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
        if ((st->view[slot].fitted & KIND_BIT(kind)) != 0 && reads_closed(st, slot, kind)) {
            return true;
        }
    }
    return false;
}

void boot_slot(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    if (own->released) {
        return;
    }
    const unsigned kinds = CONTACTOR_MN0 + st->config->slot[slot].module_count;
    const uint32_t behind = slot > 0 ? slot - 1 : st->slots - 1;
    const bool open = all_open(st, slot, CONTACTOR_GC, kinds);
    const bool edge_open = all_open(st, behind, CONTACTOR_MC, CONTACTOR_MN0);
    if (st->now_us < own->hold_until_us) {
        return;
    }
    if (any_closed(st, slot)) {
        own->faults |= FAULT_BIT(FAULT_CONTACTOR_BOOT_CLOSED);
        interlock_note(st, RULE_S15, slot, COMPONENT_NONE);
        return;
    }
    own->faults &= ~FAULT_BIT(FAULT_CONTACTOR_BOOT_CLOSED);
    own->released = open && edge_open;
}
