/* Insulation monitoring: rules N1 to N5 and G9. */
#include "rt/interlock/interlock_private.h"

static bool is_known(const struct step *st, const struct image_slot *image) {
    return is_fresh(st, &image->imd, st->config->interlock.t_imd_ms);
}

/* N4: the monitor tests itself; nothing may change what it measures. */
bool insulation_testing(const struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    return is_known(st, image) && (image->imd.value == IMD_STATE_TEST || image->imd_self_test == 1);
}

static bool is_low(const struct step *st, const struct image_slot *image) {
    const struct config_interlock *limit = &st->config->interlock;
    return is_fresh(st, &image->insulation_ohm, limit->t_imd_ms) &&
           image->insulation_ohm.value < limit->insulation_min_ohm;
}

bool insulation_sound(const struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    const struct config_interlock *limit = &st->config->interlock;
    return is_known(st, image) && image->imd.value == IMD_STATE_OK &&
           is_fresh(st, &image->insulation_ohm, limit->t_imd_ms) &&
           image->insulation_ohm.value >= limit->insulation_min_ohm;
}

/* N2, N5: passed when the self-test was seen running on the closed GC, ended well, insulation is sound and the PLC agrees.
 * A pass clears what earlier sessions latched. */
static void look_for_pass(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    const enum hlc_stage stage = st->view[slot].stage;
    if (is_known(st, image) && image->imd_self_test == 1) {
        own->imd_tested = true;
        own->imd_passed = false;
    }
    if (!own->imd_passed && own->imd_tested && image->imd_self_test == 2 && image->cable_check_ok &&
        (stage == HLC_STAGE_CABLE_CHECK || stage == HLC_STAGE_PRECHARGE) &&
        insulation_sound(st, slot)) {
        own->imd_passed = true;
        own->imd_failures = 0;
        own->latched &= ~(FAULT_BIT(FAULT_IMD_FAULT) | FAULT_BIT(FAULT_IMD_LOW));
    }
}

/* Causes while GC is closed. Before the self-test has ended the resistance tells nothing; the test itself simulates a
 * fault, so that neither counts while it runs. Its place is before the vehicle's contactor closes: later a monitor that
 * calls itself neither sound nor faulty excuses nothing (N3). */
static uint64_t causes(const struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    const enum hlc_stage stage = st->view[slot].stage;
    const bool charging = stage == HLC_STAGE_CURRENT_DEMAND;
    const bool energised = own->imd_enable && (own->imd_tested || charging);
    uint64_t found = 0;
    if (charging &&
        (!is_known(st, image) || image->imd.value == IMD_STATE_OFF || !image->imd_enabled)) {
        found |= FAULT_BIT(FAULT_IMD_STALE); /* G9 */
    }
    if (interlock_held(&own->imd_undecided_since_us, charging && insulation_testing(st, slot),
                       st->now_us, st->config->interlock.t_imd_ms)) {
        found |= FAULT_BIT(FAULT_IMD_STALE); /* a monitor that reaches no verdict watches nothing */
    }
    if (energised && !is_known(st, image)) {
        found |= FAULT_BIT(FAULT_IMD_STALE);
    }
    const bool excused = insulation_testing(st, slot) && stage <= HLC_STAGE_PRECHARGE;
    if (!energised || excused) {
        return found;
    }
    if (is_known(st, image) && image->imd.value == IMD_STATE_FAULT) {
        found |= FAULT_BIT(FAULT_IMD_FAULT);
    }
    if (is_known(st, image) && image->imd_self_test == 3) {
        found |= FAULT_BIT(FAULT_IMD_SELF_TEST);
    }
    if (is_low(st, image)) {
        found |= FAULT_BIT(FAULT_IMD_LOW);
    }
    return found;
}

/* Faults stay until GC is confirmed open; one cable check or session counts once (N5). */
uint64_t insulation_faults(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const uint64_t all = FAULT_BIT(FAULT_IMD_FAULT) | FAULT_BIT(FAULT_IMD_LOW) |
                         FAULT_BIT(FAULT_IMD_SELF_TEST) | FAULT_BIT(FAULT_IMD_STALE);
    uint64_t found = 0;
    if (gun_commanded(st, slot)) {
        look_for_pass(st, slot);
        found = causes(st, slot);
    } else {
        own->imd_undecided_since_us = 0;
        own->imd_tested = false;
        own->imd_passed = false;
        own->imd_failed = false;
    }
    if (!contactor_confirmed_open(st, slot, CONTACTOR_GC)) {
        found |= own->faults & all;
    }
    if (found != 0 && !own->imd_failed && gun_commanded(st, slot)) {
        own->imd_failed = true;
        own->imd_passed = false;
        own->imd_failures = (uint8_t)(own->imd_failures + (own->imd_failures < UINT8_MAX));
        interlock_note(st, RULE_N3, slot, COMPONENT_NONE);
    }
    if (own->imd_failed && own->imd_failures >= st->config->interlock.imd_fail_max) {
        found |= FAULT_BIT(FAULT_IMD_REPEATED);
    }
    return found;
}

/* N1: in each component the monitor of the gun that is closed, else the one that is on, else the first that is asked for.
 * That of an energised bus is enabled whether asked for or not. A side that joins gives its monitor up with the command
 * that joins it, and has it back when it is confirmed alone. */
static bool wants(const struct step *st, uint32_t slot) {
    const struct slot_view *view = &st->view[slot];
    const bool energised = view->bus_known && view->bus_mv > st->config->interlock.v_safe_mv;
    return st->request->slot[slot].imd_enable || energised;
}

static bool may_watch(const struct step *st, uint32_t slot) {
    return st->s->slot[slot].released && !st->out->slot[slot].gc && wants(st, slot);
}

/* The slots that share a monitor: components under hold, and those that a boundary joins in this very step. Each of them is
 * joined to one other at most (T5). */
static void share_monitors(struct step *st) {
    uint16_t into[RM_SLOTS_MAX] UNINITIALISED;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        into[slot] = (uint16_t)slot;
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        if (st->edge_joins[slot]) {
            into[st->component_hold[slot_after(st, slot)]] = st->component_hold[slot];
        }
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        st->watch[slot] = into[st->component_hold[slot]];
    }
}

void insulation_guard(struct step *st) {
    bool taken[RM_SLOTS_MAX] UNINITIALISED;
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        taken[slot] = false;
    }
    const uint16_t *shares = st->component_hold;
    if (st->joins) {
        share_monitors(st);
        shares = st->watch;
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        if (st->out->slot[slot].gc && wants(st, slot)) {
            taken[shares[slot]] = true;
            st->out->slot[slot].imd_enable = true;
        }
    }
    for (uint32_t slot = 0; slot < st->slots && st->lent; ++slot) {
        bool *other = &taken[shares[slot]];
        if (st->s->slot[slot].imd_enable && may_watch(st, slot) && !*other) {
            *other = true;
            st->out->slot[slot].imd_enable = true;
        }
    }
    for (uint32_t slot = 0; slot < st->slots; ++slot) {
        struct interlock_slot *own = &st->s->slot[slot];
        struct output_slot *out = &st->out->slot[slot];
        const struct request_slot *request = &st->request->slot[slot];
        bool *other = &taken[shares[slot]];
        if (may_watch(st, slot) && !*other) {
            *other = true;
            out->imd_enable = true;
        }
        if (out->imd_enable != request->imd_enable) {
            interlock_note(st, RULE_N1, slot, COMPONENT_NONE);
        }
        own->imd_enable = out->imd_enable;
        const bool checking = st->view[slot].stage == HLC_STAGE_CABLE_CHECK && out->gc;
        out->imd_self_test = request->imd_self_test && out->imd_enable && (checking || !own->live);
        if (request->imd_self_test && !out->imd_self_test) {
            interlock_note(st, RULE_N2, slot, COMPONENT_NONE);
        }
    }
}
