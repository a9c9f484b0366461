/* E5: what flows over each boundary, computed from setpoints. Ring contactors carry cumulated current: all that the modules
 * beyond it, seen from the gun, deliver. Where it is more than the boundary carries, everything beyond is cut by the same
 * fraction; a raise waits until the decrease that makes room for it is measured (S13). Nothing may flow over an edge that
 * is to open. An island is an arc; it is walked twice. Linear in slots. */
#include "rt/interlock/interlock_private.h"

#define FRACTION 65536

/* Of one slot, or of all slots beyond an edge. */
struct flow {
    int64_t low_ma;    /* commanded after this step's decreases */
    int64_t raise_ma;  /* wished on top */
    int64_t base_ma;   /* the most that may flow now */
    int64_t silent_ma; /* of modules that are out of command */
};

/* The sum of the side that has no gun; of the larger one where no gun is, or two are. */
int64_t flow_beyond_ma(const struct step *st, uint32_t slot) {
    const uint32_t joined = st->hold[st->component_hold[slot]].slots;
    const uint16_t gc = KIND_BIT(CONTACTOR_GC);
    int64_t sum_ma[2] = {0, 0};
    uint32_t guns[2] = {0, 0};
    uint32_t at = topology_first(st, slot);
    unsigned side = 0;
    for (uint32_t n = 0; n < joined; ++n, at = slot_after(st, at)) {
        sum_ma[side] += st->view[at].set_sum_ma;
        guns[side] += (st->view[at].hold & st->view[at].fitted & gc) != 0;
        side = at == slot ? 1 : side;
    }
    if ((guns[0] != 0) != (guns[1] != 0)) {
        return guns[0] != 0 ? sum_ma[1] : sum_ma[0];
    }
    return sum_ma[0] > sum_ma[1] ? sum_ma[0] : sum_ma[1];
}

static struct flow of_slot(const struct step *st, uint32_t slot) {
    struct flow flow = {0};
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const struct interlock_module *own = &st->s->slot[slot].module[module];
        const int32_t wished_ma = st->out->slot[slot].module[module].set_ma;
        const int32_t low_ma = min_i32(wished_ma, own->set_ma);
        if (contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module)) {
            continue;
        }
        flow.low_ma += low_ma;
        flow.raise_ma += wished_ma - low_ma;
        flow.base_ma += low_ma > own->committed_ma ? low_ma : own->committed_ma;
        flow.silent_ma += own->fault == FAULT_MODULE_LOST ? own->committed_ma : 0;
    }
    return flow;
}

static void add(struct flow *sum, const struct flow *flow) {
    sum->low_ma += flow->low_ma;
    sum->raise_ma += flow->raise_ma;
    sum->base_ma += flow->base_ma;
    sum->silent_ma += flow->silent_ma;
}

/* part / whole in 65536ths, rounded down; whole when it fits */
static int64_t fraction(int64_t part_ma, int64_t whole_ma) {
    if (part_ma >= whole_ma) {
        return FRACTION;
    }
    return part_ma <= 0 ? 0 : part_ma * FRACTION / whole_ma;
}

struct share {
    int64_t keep, raise;
};

static void narrow(const struct step *st, uint32_t edge, const struct flow *beyond,
                   struct share *share) {
    const int64_t limit_ma =
        st->edge_leaves[edge] || st->ring_held ? 0 : st->config->slot[edge].boundary_max_current_ma;
    const int64_t keep = fraction(limit_ma - beyond->silent_ma, beyond->low_ma);
    const int64_t raise = fraction(limit_ma - beyond->base_ma, beyond->raise_ma);
    share->keep = keep < share->keep ? keep : share->keep;
    share->raise = raise < share->raise ? raise : share->raise;
}

static void cut(struct step *st, uint32_t slot, const struct share *share) {
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        struct request_module *out = &st->out->slot[slot].module[module];
        const int64_t low_ma = min_i32(out->set_ma, st->s->slot[slot].module[module].set_ma);
        const int64_t allowed_ma =
            low_ma * share->keep / FRACTION + (out->set_ma - low_ma) * share->raise / FRACTION;
        if (contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module)) {
            continue; /* it charges its own output only */
        }
        if (out->set_ma > allowed_ma) {
            out->set_ma = (int32_t)allowed_ma;
            interlock_note(st, RULE_E5, slot, CONTACTORS_PER_SLOT + module);
        }
    }
}

/* From the far end to the gun the flows add up; from the gun to the far end the narrowest boundary counts. */
static void limit_side(struct step *st, uint32_t gun, uint32_t count, bool clockwise) {
    struct flow beyond[RM_SLOTS_MAX] UNINITIALISED; /* by distance from the gun, 1 the nearest */
    struct flow sum = {0};
    for (uint32_t n = count; n > 0; --n) {
        const uint32_t slot = clockwise ? (gun + n) % st->slots : (gun + st->slots - n) % st->slots;
        const struct flow flow = of_slot(st, slot);
        add(&sum, &flow);
        beyond[n - 1] = sum;
    }
    struct share share = {.keep = FRACTION, .raise = FRACTION};
    for (uint32_t n = 1; n <= count; ++n) {
        const uint32_t slot = clockwise ? (gun + n) % st->slots : (gun + st->slots - n) % st->slots;
        narrow(st, clockwise ? slot_before(st, slot) : slot, &beyond[n - 1], &share);
        cut(st, slot, &share);
    }
}

/* Needs the setpoints as M4 leaves them. Without a gun an island carries I_cc at the most (M3). */
void flow_apply(struct step *st) {
    for (uint32_t slot = 0; slot < st->slots && st->lent; ++slot) {
        const struct power *power = &st->power[st->component_hold[slot]];
        const uint32_t joined = st->hold[st->component_hold[slot]].slots;
        if (power->guns != 1 || power->gun != slot || joined == 1) {
            continue;
        }
        const uint32_t behind = (slot + st->slots - topology_first(st, slot)) % st->slots;
        limit_side(st, slot, behind, false);
        limit_side(st, slot, joined - 1 - behind, true);
    }
}
