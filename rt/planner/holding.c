#include "rt/planner/holding.h"

#include <string.h>

#define WEAR_DOUBLE 20000 /* operations after which one costs twice as much */

void holding_init(struct holding *h) {
    memset(h, 0, sizeof *h);
    memset(h->owner, -1, sizeof h->owner);
    h->question.slots = 0;
}

/* ---- what has become impossible ---------------------------------------------------------------------------- */

static bool in_dwell(const struct plan_input *in, uint32_t edge) {
    const struct plan_edge *e = &in->slot[edge].edge;
    return e->changed_us != 0 && in->now_us - e->changed_us < in->rules.dwell_us;
}

static void open_edge(struct holding *h, uint32_t edge, bool urgent) {
    if (h->closed[edge]) {
        h->closed[edge] = false;
        h->urgent[edge] = urgent;
    }
}

/* One edge by itself. */
static void repair_edge(struct holding *h, const struct islands_view *v, uint32_t i) {
    const struct plan_edge *e = &v->in->slot[i].edge;
    const struct partition_slot *q = &h->question.slot[i];
    const struct partition_slot *next = &h->question.slot[topology_next(i, v->slots)];
    if (q->edge != PARTITION_EDGE_FREE) {
        h->closed[i] = q->edge == PARTITION_EDGE_KEEP_CLOSED;
        return;
    }
    if ((q->blocked && !q->wants) || (next->blocked && !next->wants)) {
        open_edge(h, i, true);
    }
    if (!e->may && (v->in->now_us < h->shunned_us[i] || in_dwell(v->in, i))) {
        open_edge(h, i, false);
    }
    if (!e->may) {
        h->urgent[i] = false;
    }
}

/* The arc that begins at first: its guns, and whether it is whole. Returns its length. */
static uint32_t arc_at(const struct holding *h, const struct islands_view *v, uint32_t first,
                       uint32_t *guns) {
    uint32_t length = 1, i = first;
    *guns = h->question.slot[first].wants;
    while (h->closed[i] && length < v->slots) {
        i = topology_next(i, v->slots);
        *guns += h->question.slot[i].wants;
        length++;
    }
    return length;
}

/* Arcs without a vehicle are dissolved; of several vehicles none lends to another. */
static void repair_arcs(struct holding *h, const struct islands_view *v) {
    for (uint32_t i = 0; i < v->slots; i++) {
        uint32_t guns = 0;
        if (h->closed[topology_previous(i, v->slots)] && v->slots > 1) {
            continue;
        }
        const uint32_t length = arc_at(h, v, i, &guns);
        for (uint32_t k = 0, at = i; guns != 1 && k < length; k++) {
            if (h->question.slot[at].edge == PARTITION_EDGE_FREE) {
                open_edge(h, at, true);
            }
            at = topology_next(at, v->slots);
        }
    }
}

static bool repair(struct holding *h, const struct islands_view *v) {
    bool before[RM_SLOTS_MAX];
    memcpy(before, h->closed, sizeof before);
    bool all = v->slots > 1;
    for (uint32_t i = 0; i < v->slots; i++) {
        repair_edge(h, v, i);
        all = all && h->closed[i];
    }
    if (all) {
        open_edge(h, v->slots - 1, true);
    }
    repair_arcs(h, v);
    return memcmp(before, h->closed, v->slots * sizeof before[0]) != 0;
}

/* ---- when to ask ------------------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t hash, uint64_t value) {
    return (hash ^ value) * UINT64_C(0x100000001b3);
}

/* What of the question is structure rather than drift. */
static uint64_t structure(const struct holding *h, const struct islands_view *v) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = mixed(hash, (uint64_t)h->question.mode << 32 | h->question.arc_max);
    hash = mixed(hash, (uint64_t)v->in->site_limit_w);
    for (uint32_t i = 0; i < v->slots; i++) {
        const struct partition_slot *q = &h->question.slot[i];
        uint64_t usable = 0;
        for (uint32_t j = 0; j < q->modules; j++) {
            usable = usable << 1 | (q->module[j].max_w > 0);
        }
        hash = mixed(hash, (uint64_t)q->wants | (uint64_t)q->blocked << 1 | (uint64_t)q->edge << 2 |
                               (uint64_t)q->priority_class << 4 | usable << 8);
    }
    return hash;
}

/* ---- what is better, and whether it pays --------------------------------------------------------------------- */

static bool is_before(const struct partition_input *q, const int32_t *w, uint32_t a, uint32_t b) {
    const struct partition_slot *s = &q->slot[a], *t = &q->slot[b];
    if (q->mode == PARTITION_FIRST_COME && s->order != t->order) {
        return s->order < t->order;
    }
    return s->priority_class != t->priority_class ? s->priority_class < t->priority_class
                                                  : w[a] < w[b];
}

static uint32_t ascending(const struct partition_input *q, const int32_t *w, int32_t *list_w) {
    uint16_t order[RM_SLOTS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->slots; i++) {
        if (!q->slot[i].wants) {
            continue;
        }
        uint32_t place = n++;
        while (place > 0 && is_before(q, w, i, order[place - 1])) {
            order[place] = order[place - 1];
            place--;
        }
        order[place] = (uint16_t)i;
    }
    for (uint32_t k = 0; k < n; k++) {
        list_w[k] = w[order[k]];
    }
    return n;
}

int64_t holding_gain_w(const struct partition_input *question, const int32_t *today_w,
                       const int32_t *best_w) {
    int32_t today[RM_SLOTS_MAX], best[RM_SLOTS_MAX];
    const uint32_t n = ascending(question, today_w, today);
    (void)ascending(question, best_w, best);
    int64_t sum_w = 0, gain_w = 0;
    for (uint32_t k = 0; k < n; k++) {
        sum_w += (int64_t)best[k] - today[k];
        if (question->mode != PARTITION_TOTAL && sum_w > gain_w) {
            gain_w = sum_w;
        }
    }
    return question->mode == PARTITION_TOTAL && sum_w > 0 ? sum_w : gain_w;
}

/* A vehicle below its least power that the better arrangement helps. */
static bool helps_the_poorest(const struct holding *h, const struct islands_view *v) {
    for (uint32_t i = 0; i < v->slots; i++) {
        const struct partition_slot *q = &h->question.slot[i];
        const int32_t least_w =
            q->demand_w < v->in->rules.power_min_w ? q->demand_w : v->in->rules.power_min_w;
        if (q->wants && h->today.power_w[i] < least_w && h->best.power_w[i] > h->today.power_w[i]) {
            return true;
        }
    }
    return false;
}

static int64_t slot_w(const struct partition_slot *q) {
    int64_t w = 0;
    for (uint32_t j = 0; j < q->modules; j++) {
        w += q->module[j].max_w;
    }
    return w;
}

/* Wear of the operations, and what moved slots do not give meanwhile. */
static int64_t cost_kj(const struct holding *h, const struct islands_view *v) {
    int64_t wear_kj = 0, lost_w = 0;
    for (uint32_t i = 0; i < v->slots; i++) {
        const struct plan_edge *e = &v->in->slot[i].edge;
        if (h->best.edge_closed[i] != h->closed[i]) {
            const int64_t worn = 1000 + (int64_t)e->operations * 1000 / WEAR_DOUBLE;
            wear_kj += e->contactors * worn * v->in->rules.operation_cost_kj / 1000;
        }
        if (h->today.owner[i] >= 0 && h->best.owner[i] != h->today.owner[i] &&
            h->question.slot[h->today.owner[i]].wants) {
            lost_w += slot_w(&h->question.slot[i]);
        }
    }
    return wear_kj + lost_w * HOLDING_SWITCH_S / 1000;
}

static bool pays(const struct holding *h, const struct islands_view *v) {
    if (memcmp(h->best.edge_closed, h->closed, v->slots * sizeof h->closed[0]) == 0) {
        return false;
    }
    if (h->best.unserved < h->today.unserved || helps_the_poorest(h, v)) {
        return true;
    }
    const int64_t gain_w = holding_gain_w(&h->question, h->today.power_w, h->best.power_w);
    const int64_t lasts_s = v->in->rules.holding_s - HOLDING_SWITCH_S;
    return gain_w > 0 && gain_w * lasts_s / 1000 > cost_kj(h, v);
}

/* ---- the step ---------------------------------------------------------------------------------------------- */

/* Edges that must not be touched now, on top of those that cannot be. */
static void hold_edges(struct holding *h, const struct islands_view *v, bool all) {
    for (uint32_t i = 0; i < v->slots; i++) {
        const struct plan_edge *e = &v->in->slot[i].edge;
        struct partition_slot *q = &h->question.slot[i];
        const bool kept =
            all || in_dwell(v->in, i) || (!e->may && v->in->now_us < h->shunned_us[i]);
        q->edge_was_closed = h->closed[i];
        if (q->edge == PARTITION_EDGE_FREE && kept) {
            q->edge = h->closed[i] ? PARTITION_EDGE_KEEP_CLOSED : PARTITION_EDGE_KEEP_OPEN;
        }
    }
}

static void solve(struct holding *h, const struct islands_view *v, bool all,
                  struct partition_result *out) {
    enum partition_edge edge[RM_SLOTS_MAX];
    for (uint32_t i = 0; i < v->slots; i++) {
        edge[i] = h->question.slot[i].edge;
    }
    hold_edges(h, v, all);
    partition_solve(&h->scratch, &h->question, out);
    for (uint32_t i = 0; i < v->slots; i++) {
        h->question.slot[i].edge = edge[i];
    }
    h->solved++;
}

static void decide(struct holding *h, const struct islands_view *v) {
    solve(h, v, true, &h->today);
    solve(h, v, false, &h->best);
    const bool better = pays(h, v);
    const struct partition_result *aim = better ? &h->best : &h->today;
    if (better) {
        h->adopted++;
        h->changed_us = v->in->now_us;
    }
    memcpy(h->closed, aim->edge_closed, v->slots * sizeof h->closed[0]);
    memcpy(h->owner, aim->owner, v->slots * sizeof h->owner[0]);
    h->solved_us = v->in->now_us;
}

void holding_step(struct holding *h, const struct islands_view *view) {
    islands_ask(view, &h->question);
    const bool repaired = repair(h, view);
    const uint64_t seen = structure(h, view);
    if (repaired) {
        h->changed_us = view->in->now_us;
    }
    if (repaired || seen != h->seen || h->solved == 0 ||
        view->in->now_us - h->solved_us >= HOLDING_PERIOD_US) {
        h->seen = seen;
        decide(h, view);
    }
}

/* Guns whose islands have grown or shrunk since the last cycle: their edges have moved as they should. */
static void find_progress(struct holding *h, const struct plan_input *in, uint32_t slots,
                          bool *progress) {
    uint16_t joined[RM_SLOTS_MAX] = {0};
    for (uint32_t i = 0; i < slots; i++) {
        if (h->owner[i] >= 0 && h->owner[i] == h->owner[topology_next(i, slots)]) {
            joined[h->owner[i]] += in->slot[i].edge.sure;
        }
    }
    for (uint32_t i = 0; i < slots; i++) {
        progress[i] = joined[i] != h->joined[i];
        h->joined[i] = joined[i];
    }
}

void holding_watch(struct holding *h, const struct plan_input *in, uint32_t slots,
                   const bool *proposed) {
    bool progress[RM_SLOTS_MAX] = {false};
    find_progress(h, in, slots, progress);
    for (uint32_t i = 0; i < slots; i++) {
        if (!proposed[i] || in->slot[i].edge.sure) {
            h->asked_us[i] = 0;
        } else if (h->asked_us[i] == 0 || (h->owner[i] >= 0 && progress[h->owner[i]])) {
            h->asked_us[i] = in->now_us;
        } else if (in->now_us - h->asked_us[i] >= HOLDING_REACH_US) {
            h->asked_us[i] = 0;
            h->shunned_us[i] = in->now_us + HOLDING_SHUN_US;
        }
    }
}
