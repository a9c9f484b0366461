/* Islands of several slots: what one slot's faults mean for those that are joined to it, and what a step has to know of an
 * island before its boundaries move.
 *
 * A bus is one conductor: e-stop, an open safety chain, an earth fault or a PLC that calls itself faulty in one slot is
 * that of every slot joined to it (S1, S2). A slot whose PLC is lost is taken out of the island instead (S4): its modules
 * are off at once, its boundaries open, and the gun goes on with the others. Where it cannot be shown to be out in time,
 * the gun gets an error stop. Nothing here reaches beyond the island (S16). */
#include "rt/interlock/interlock_private.h"

/* In units of T_open: current falls, boundary opens, feedback says so. */
#define OVERDUE 3

/* A chain that nobody reads any more, because the PLC is lost, is not an open one. */
static uint64_t shared_faults(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const uint64_t chain = FAULT_BIT(FAULT_SAFETY_CHAIN);
    const uint64_t lost = FAULT_BIT(FAULT_PLC_LOST) | FAULT_BIT(FAULT_BUS_OFF);
    const uint64_t whole = chain | FAULT_BIT(FAULT_ESTOP) | FAULT_BIT(FAULT_EARTH_FAULT) |
                           FAULT_BIT(FAULT_PLC_INTERNAL);
    const uint64_t found = (own->faults | own->latched) & whole;
    const bool unread = (own->faults & lost) != 0 &&
                        !is_clear(st, &st->image->slot[slot].safety_ok, STALE_SWITCHES_MS);
    return unread ? found & ~chain : found;
}

/* T7: the slot of a fused pair that serves nobody any more cannot leave; its weld alone is no reason to stop the other. */
static bool is_fused_out(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const bool fused = own->edge_fused || st->s->slot[slot_before(st, slot)].edge_fused;
    return fused && faults_only_weld(own);
}

static bool overdue(struct step *st, uint32_t slot, const struct joint *joint) {
    struct interlock_slot *own = &st->s->slot[slot];
    const bool beside = joint->served && !gun_commanded(st, slot);
    return interlock_held(&own->edge_overdue_us,
                          beside && own->stop == STOP_CLASS_EMERGENCY && !is_fused_out(st, slot),
                          st->now_us, OVERDUE * st->config->interlock.t_open_ms);
}

/* Before the stops are derived from the faults. */
void island_faults(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct joint *joint = slot_joint(st, slot);
        joint->served |= gun_commanded(st, slot);
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct joint *joint = slot_joint(st, slot);
        if (joint->lent) {
            joint->shared |= shared_faults(st, slot);
            joint->unreachable |= module_unreachable(st, slot);
            joint->overdue |= overdue(st, slot, joint);
        }
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        const struct joint *joint = slot_joint(st, slot);
        struct interlock_slot *own = &st->s->slot[slot];
        if ((joint->shared & ~own->faults) != 0) {
            interlock_note(st, RULE_S1, slot, COMPONENT_NONE);
        }
        own->faults |= joint->shared;
        if (joint->overdue && gun_commanded(st, slot)) {
            own->faults |= FAULT_BIT(FAULT_CONTACTOR_FEEDBACK);
            interlock_note(st, RULE_S4, slot, COMPONENT_NONE);
        }
    }
}

static void look_at_gun(struct step *st, uint32_t slot, struct joint *joint) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const bool emergency = own->stop == STOP_CLASS_EMERGENCY || own->demand == STOP_CLASS_EMERGENCY;
    joint->emergency |= emergency;
    joint->leaving |= own->demand != STOP_CLASS_NONE;
    joint->served |= st->out->slot[slot].gc;
    joint->waits |= (st->out->slot[slot].gc && emergency);
    joint->checking |= st->view[slot].stage == HLC_STAGE_CABLE_CHECK ||
                       st->view[slot].stage == HLC_STAGE_PRECHARGE;
}

/* After the guns have been decided, before the boundaries are. */
void island_look(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        slot_joint(st, slot)->served = false;
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct joint *joint = slot_joint(st, slot);
        if (!joint->lent) {
            continue;
        }
        if ((st->view[slot].hold & st->view[slot].fitted & KIND_BIT(CONTACTOR_GC)) != 0) {
            look_at_gun(st, slot, joint);
        } else {
            joint->arriving |= st->s->slot[slot].plugged_since_us != 0;
        }
        joint->emergency |= st->hold[st->component_hold[slot]].guns > 1;
        joint->checking |= insulation_testing(st, slot);
        if (st->edge_hold[slot] &&
            st->component_sure[slot] != st->component_sure[slot_after(st, slot)]) {
            ++joint->unsettled;
        }
    }
}
