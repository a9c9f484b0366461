#include "rt/planner/islands.h"

#define EDGE_COST         1000u  /* of an unworn contactor */
#define OPERATIONS_DOUBLE 20000u /* so worn it costs twice as much */

static enum partition_mode mode_of(enum sharing_mode mode) {
    switch (mode) {
    case SHARING_MODE_FIRST_COME: return PARTITION_FIRST_COME;
    case SHARING_MODE_TOTAL: return PARTITION_TOTAL;
    case SHARING_MODE_STATIC: return PARTITION_STATIC;
    case SHARING_MODE_LEXIMIN:
    case SHARING_MODE_COUNT: break;
    }
    return PARTITION_LEXIMIN;
}

static void ask_edge(const struct plan_edge *e, struct partition_slot *out) {
    const uint64_t worn = EDGE_COST + (uint64_t)EDGE_COST * e->operations / OPERATIONS_DOUBLE;
    const uint64_t cost = worn * (e->contactors > 0 ? e->contactors : 1);
    out->edge = !e->fitted             ? PARTITION_EDGE_KEEP_OPEN
                : !e->locked           ? PARTITION_EDGE_FREE
                : e->sure || e->welded ? PARTITION_EDGE_KEEP_CLOSED
                                       : PARTITION_EDGE_KEEP_OPEN;
    out->edge_max_ma = e->max_ma > 0 ? e->max_ma : 0;
    out->edge_cost = cost < 1000000 ? (uint32_t)cost : 1000000u;
}

static void ask_modules(const struct plan_slot *s, struct partition_slot *out) {
    out->modules =
        s->module_count < RM_MODULES_PER_SLOT_MAX ? s->module_count : RM_MODULES_PER_SLOT_MAX;
    for (uint32_t j = 0; j < out->modules; j++) {
        const struct plan_module *m = &s->module[j];
        out->module[j] = (struct partition_module){
            .max_w = m->healthy && m->capability_w > 0 ? m->capability_w : 0,
            .max_ma = m->capability_ma > 0 ? m->capability_ma : 0,
            .max_mv = m->max_mv > 0 ? m->max_mv : INT32_MAX,
            .min_mv = m->min_mv};
    }
}

static void ask_gun(const struct islands_view *v, uint32_t slot, struct partition_slot *out) {
    const struct plan_rules *rules = &v->in->rules;
    const struct wish *w = &v->wish[slot];
    const bool wanted = out->wants;
    out->wants = w->serves && !v->suspended[slot];
    out->priority_class = w->priority_class;
    out->order = v->in->slot[slot].arrival_us;
    if (out->wants && w->set_mv > 0) {
        out->demand_w =
            forecast_w(&v->forecast[slot], w->ask_w, (int64_t)rules->holding_s * 1000000 / 2);
        out->mv = w->now_mv;
    } else if (!out->wants || !wanted) {
        out->demand_w = 0;
        out->mv = rules->default_mv;
    }
}

int64_t islands_site_w(const struct islands_view *v) {
    int64_t input_w = v->in->site_limit_w;
    for (uint32_t i = 0; i < v->slots; i++) {
        input_w -= v->wish[i].holds ? v->wish[i].demand_w : 0;
    }
    if (input_w >= INT64_MAX / 1000) {
        return INT64_MAX;
    }
    return input_w > 0 ? wish_output_w(input_w, v->efficiency_permille) : 0;
}

/* The nearest gun that wants, in one direction, needs more than this slot's bus may rise to: nothing towards it. */
static bool out_of_reach(const struct partition_input *q, uint32_t slot, bool clockwise,
                         int32_t max_mv) {
    uint32_t at = slot;
    for (uint32_t k = 1; k < q->arc_max && k < q->slots; k++) {
        at = clockwise ? topology_next(at, q->slots) : topology_previous(at, q->slots);
        if (q->slot[at].wants) {
            return q->slot[at].mv > max_mv;
        }
    }
    return false;
}

/* A slot that has joined already stays; one that has not keeps apart from who is too high for it, so that nobody is promised
 * what lies beyond it either. */
static void keep_apart(const struct islands_view *v, struct partition_input *out) {
    for (uint32_t i = 0; i < v->slots; i++) {
        const int32_t max_mv = v->in->slot[i].lend_max_mv;
        const uint32_t sides[2] = {topology_previous(i, v->slots), i};
        for (uint32_t k = 0; k < 2 && max_mv > 0 && v->topology->feeds[i] < 0; k++) {
            if (out->slot[sides[k]].edge == PARTITION_EDGE_FREE &&
                out_of_reach(out, i, k == 1, max_mv)) {
                out->slot[sides[k]].edge = PARTITION_EDGE_KEEP_OPEN;
            }
        }
    }
}

void islands_ask(const struct islands_view *v, struct partition_input *out) {
    const uint32_t arc_max = v->in->rules.slots_max;
    out->slots = v->slots;
    out->arc_max = arc_max < 1 ? 1 : arc_max < PARTITION_ARC_MAX ? arc_max : PARTITION_ARC_MAX;
    out->mode = mode_of(v->in->rules.mode);
    out->site_limit_w = islands_site_w(v);
    for (uint32_t i = 0; i < v->slots; i++) {
        const struct plan_slot *s = &v->in->slot[i];
        ask_gun(v, i, &out->slot[i]);
        ask_modules(s, &out->slot[i]);
        ask_edge(&s->edge, &out->slot[i]);
        out->slot[i].blocked = s->blocked || s->arriving || v->topology->gun[i];
    }
    keep_apart(v, out);
}

static bool is_free(const struct partition_input *q, const int16_t *owner, uint32_t slot) {
    return !q->slot[slot].blocked && (owner == NULL || owner[slot] < 0);
}

int32_t islands_reach_w(const struct partition_input *q, uint32_t gun, const int16_t *owner) {
    const uint32_t n = q->slots;
    const uint32_t most = q->arc_max < n ? q->arc_max - 1 : n - 1;
    struct arc_reach reach;
    uint32_t right = 0, left = 0;
    if (owner != NULL && owner[gun] >= 0 && owner[gun] != (int16_t)gun) {
        return 0;
    }
    arc_reach(q, gun, q->arc_max, &reach);
    if (q->mode == PARTITION_STATIC) {
        return reach.own_w;
    }
    for (uint32_t i = topology_next(gun, n);
         right < most && right < reach.right && is_free(q, owner, i); right++) {
        i = topology_next(i, n);
    }
    for (uint32_t i = topology_previous(gun, n);
         left < most && left < reach.left && is_free(q, owner, i); left++) {
        i = topology_previous(i, n);
    }
    int32_t best_w = 0;
    for (uint32_t l = 0; l <= left; l++) {
        const uint32_t r = most - l < right ? most - l : right;
        const int32_t w = arc_capacity_w(&reach, l, r);
        best_w = w > best_w ? w : best_w;
    }
    return best_w;
}
