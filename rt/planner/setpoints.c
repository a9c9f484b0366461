#include "rt/planner/setpoints.h"

static bool runs(const struct modules *modules, uint32_t slot, uint32_t module) {
    return (modules->run[slot] >> module & 1u) != 0;
}

void setpoints_write(const struct plan_input *in, const struct island *island,
                     const struct modules *modules, int32_t set_mv, int32_t total_ma,
                     struct proposal *out) {
    struct island running = *island;
    for (uint32_t k = 0; k < running.slots; k++) {
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            if (!runs(modules, running.slot[k], j)) {
                running.able_ma[k][j] = 0;
            }
        }
    }
    const int64_t sum_ma = island_cap_edges(in, &running);
    const int64_t share_ma = total_ma < 0 ? 0 : total_ma < sum_ma ? total_ma : sum_ma;
    for (uint32_t k = 0; k < running.slots; k++) {
        struct proposal_slot *slot = &out->slot[running.slot[k]];
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            struct proposal_module *m = &slot->module[j];
            m->run = running.able_ma[k][j] > 0;
            m->set_mv = m->run ? set_mv : 0;
            m->set_ma = m->run ? (int32_t)(share_ma * running.able_ma[k][j] / sum_ma) : 0;
        }
    }
}
