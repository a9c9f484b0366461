#include "rt/planner/arc.h"

#include "rt/planner/partition.h"

static int32_t at_most(int64_t w, int64_t most_w) {
    return (int32_t)(w < most_w ? w : most_w);
}

int32_t arc_power_w(int32_t ma, int32_t mv) {
    if (ma <= 0 || mv <= 0) {
        return 0;
    }
    return at_most((int64_t)ma * mv / 1000000, INT32_MAX);
}

int32_t arc_module_w(const struct partition_module *module, int32_t mv) {
    if (module->max_w <= 0 || mv < module->min_mv || mv > module->max_mv) {
        return 0;
    }
    return at_most(arc_power_w(module->max_ma, mv), module->max_w);
}

int32_t arc_slot_w(const struct partition_slot *slot, int32_t mv) {
    uint32_t modules =
        slot->modules < RM_MODULES_PER_SLOT_MAX ? slot->modules : RM_MODULES_PER_SLOT_MAX;
    int64_t sum_w = 0;
    for (uint32_t m = 0; m < modules; m++) {
        sum_w += arc_module_w(&slot->module[m], mv);
    }
    return at_most(sum_w, INT32_MAX);
}

/* One side, outward. The flow is the smallest cut: all modules up to here, or those inside of a boundary plus its rating. */
static uint8_t side(const struct partition_input *in, uint32_t gun, uint32_t slots_max,
                    bool clockwise, int32_t *side_w) {
    int32_t mv = in->slot[gun].mv;
    int64_t inside_w = 0;
    int64_t cut_w = INT32_MAX;
    uint32_t at = gun;
    uint8_t n = 0;
    side_w[0] = 0;
    while (n + 1u < slots_max) {
        uint32_t next =
            clockwise ? (at + 1 == in->slots ? 0 : at + 1) : (at == 0 ? in->slots - 1 : at - 1);
        const struct partition_slot *crossed = &in->slot[clockwise ? at : next];
        if (crossed->edge == PARTITION_EDGE_KEEP_OPEN ||
            (in->mode == PARTITION_STATIC && crossed->edge == PARTITION_EDGE_FREE)) {
            break;
        }
        cut_w = at_most(inside_w + arc_power_w(crossed->edge_max_ma, mv), cut_w);
        inside_w += arc_slot_w(&in->slot[next], mv);
        at = next;
        side_w[++n] = at_most(inside_w, cut_w);
    }
    return n;
}

void arc_reach(const struct partition_input *in, uint32_t gun, uint32_t slots_max,
               struct arc_reach *out) {
    slots_max = slots_max < in->slots ? slots_max : in->slots;
    slots_max = slots_max < ARC_SLOTS_MAX ? slots_max : ARC_SLOTS_MAX;
    out->own_w = arc_slot_w(&in->slot[gun], in->slot[gun].mv);
    out->left = side(in, gun, slots_max, false, out->left_w);
    out->right = side(in, gun, slots_max, true, out->right_w);
}

int32_t arc_capacity_w(const struct arc_reach *reach, uint32_t left, uint32_t right) {
    assert(left <= reach->left && right <= reach->right);
    return at_most((int64_t)reach->own_w + reach->left_w[left] + reach->right_w[right], INT32_MAX);
}
