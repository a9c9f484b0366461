#include "rt/planner/island.h"

#include <string.h>

int32_t island_module_ma(const struct plan_module *m, int32_t set_mv, int32_t now_mv) {
    if (!m->healthy || !m->connected || (m->max_mv > 0 && set_mv > m->max_mv) ||
        set_mv < m->min_mv) {
        return 0;
    }
    const int32_t by_power_ma = wish_current_ma(m->capability_w, now_mv);
    const int32_t ma = m->capability_ma < by_power_ma ? m->capability_ma : by_power_ma;
    return ma > 0 ? ma : 0;
}

void island_collect(const struct plan_input *in, uint32_t slots, const int16_t *feeds, uint32_t gun,
                    int32_t set_mv, int32_t now_mv, struct island *out) {
    uint32_t first = gun, length = 1;
    while (length < slots && length < ISLAND_SLOTS_MAX &&
           feeds[topology_previous(first, slots)] == (int16_t)gun) {
        first = topology_previous(first, slots);
        length++;
    }
    out->home = length - 1;
    uint32_t last = gun;
    while (length < slots && length < ISLAND_SLOTS_MAX &&
           feeds[topology_next(last, slots)] == (int16_t)gun) {
        last = topology_next(last, slots);
        length++;
    }
    out->slots = length;
    memset(out->able_ma, 0, sizeof out->able_ma);
    for (uint32_t k = 0, i = first; k < length; k++, i = topology_next(i, slots)) {
        const struct plan_slot *s = &in->slot[i];
        out->slot[k] = (uint16_t)i;
        for (uint32_t j = 0; j < s->module_count && j < RM_MODULES_PER_SLOT_MAX; j++) {
            out->able_ma[k][j] = island_module_ma(&s->module[j], set_mv, now_mv);
        }
    }
}

void island_keep(struct island *island, const uint8_t *run) {
    for (uint32_t k = 0; k < island->slots; k++) {
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            if ((run[island->slot[k]] >> j & 1u) == 0) {
                island->able_ma[k][j] = 0;
            }
        }
    }
}

static int64_t slot_ma(const struct island *island, uint32_t k) {
    int64_t ma = 0;
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        ma += island->able_ma[k][j];
    }
    return ma;
}

int64_t island_sum_ma(const struct island *island) {
    int64_t ma = 0;
    for (uint32_t k = 0; k < island->slots; k++) {
        ma += slot_ma(island, k);
    }
    return ma;
}

static void scale(struct island *island, uint32_t from, uint32_t to, int64_t part, int64_t whole) {
    for (uint32_t k = from; k < to; k++) {
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            island->able_ma[k][j] = (int32_t)(island->able_ma[k][j] * part / whole);
        }
    }
}

/* Slots [from, to) feed the gun through one boundary of that rating. */
static void cap(struct island *island, uint32_t from, uint32_t to, int32_t max_ma) {
    const int64_t rating_ma = max_ma > 0 ? max_ma : 0;
    int64_t sum_ma = 0;
    for (uint32_t k = from; k < to; k++) {
        sum_ma += slot_ma(island, k);
    }
    if (sum_ma > rating_ma) {
        scale(island, from, to, rating_ma, sum_ma);
    }
}

int64_t island_cap_edges(const struct plan_input *in, struct island *island) {
    for (uint32_t k = 0; k < island->home; k++) { /* outermost first */
        cap(island, 0, k + 1, in->slot[island->slot[k]].edge.max_ma);
    }
    for (uint32_t k = island->slots - 1; k > island->home; k--) {
        cap(island, k, island->slots, in->slot[island->slot[k - 1]].edge.max_ma);
    }
    return island_sum_ma(island);
}
