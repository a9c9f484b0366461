#include "rt/planner/setpoints.h"

void setpoints_write(const struct plan_input *in, const struct island *island,
                     const struct modules *modules, int32_t set_mv, int32_t total_ma,
                     struct proposal *out) {
    struct island running = *island;
    island_keep(&running, modules->run);
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

static int64_t allowed_uw(const struct proposal_slot *slot) {
    int64_t uw = 0;
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        uw += (int64_t)slot->module[j].set_mv * slot->module[j].set_ma;
    }
    return uw;
}

void setpoints_limit_rises(const struct plan_input *in, uint32_t slots, int32_t efficiency_permille,
                           struct proposal *out) {
    const int64_t per_w = (int64_t)efficiency_permille * 1000;
    int64_t rise_w[RM_SLOTS_MAX], allowed_w[RM_SLOTS_MAX], books_w = 0, rises_w = 0;
    for (uint32_t i = 0; i < slots; i++) {
        const int64_t held_w = in->slot[i].committed_w > 0 ? in->slot[i].committed_w : 0;
        allowed_w[i] = (allowed_uw(&out->slot[i]) + per_w - 1) / per_w;
        rise_w[i] = allowed_w[i] > held_w ? allowed_w[i] - held_w : 0;
        books_w += held_w + rise_w[i];
        rises_w += rise_w[i];
    }
    if (books_w <= in->site_limit_w || rises_w == 0) {
        return;
    }
    const int64_t excess_w = books_w - in->site_limit_w;
    const int64_t keep_w = rises_w > excess_w ? rises_w - excess_w : 0;
    for (uint32_t i = 0; i < slots; i++) {
        if (rise_w[i] == 0) {
            continue;
        }
        /* powers of slots stay far below 2^31, so these products fit */
        const int64_t to_w = allowed_w[i] - rise_w[i] + rise_w[i] * keep_w / rises_w;
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            struct proposal_module *m = &out->slot[i].module[j];
            m->set_ma = (int32_t)(m->set_ma * to_w / allowed_w[i]);
        }
    }
}
