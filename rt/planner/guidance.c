#include "rt/planner/guidance.h"

#include <string.h>

void guidance_init(struct guidance *g) {
    memset(g, 0, sizeof *g);
    g->slot = -1;
}

/* A vehicle that takes all this gun gives. */
static void stand_there(struct partition_slot *q, const struct wish *w) {
    q->wants = true;
    q->blocked = true;
    q->priority_class = w->priority_class;
    q->order = INT64_MAX;
    q->demand_w = (int32_t)(w->gun_w < INT32_MAX ? w->gun_w : INT32_MAX);
}

static void later(struct guidance *g, const struct islands_view *v) {
    for (uint32_t i = 0; i < v->slots; i++) {
        struct partition_slot *q = &g->question.slot[i];
        if (!q->wants) {
            continue;
        }
        q->demand_w = forecast_w(&v->forecast[i], v->wish[i].ask_w, GUIDANCE_AHEAD_US);
        if (q->demand_w < GUIDANCE_GONE_W) {
            q->wants = false;
            q->blocked = v->in->slot[i].faulted;
        }
    }
}

static void ask_about(struct guidance *g, const struct islands_view *v, uint32_t slot,
                      const struct partition_input *asked, struct partition *scratch) {
    g->question = *asked;
    if (g->later) {
        later(g, v);
    }
    stand_there(&g->question.slot[slot], &v->wish[slot]);
    partition_solve(scratch, &g->question, &g->answer);
    *(g->later ? &g->later_w[slot] : &g->now_w[slot]) = g->answer.power_w[slot];
    g->known[slot] = g->known[slot] || g->later;
}

/* The next figure that is due: of each free gun the one for now, then the later one. */
static bool advance(struct guidance *g, const struct islands_view *v) {
    const bool again = !g->later && v->slots > 0 && g->next < v->slots && v->in->slot[g->next].free;
    if (again) {
        g->later = true;
        return true;
    }
    g->later = false;
    for (uint32_t k = 0; k < v->slots; k++) {
        g->next = (uint16_t)((g->next + 1u) % v->slots);
        if (v->in->slot[g->next].free) {
            return true;
        }
    }
    return false;
}

/* By how much a gun is better than another, in the first figure in which they differ. */
static int32_t lead_w(const struct guidance *g, uint32_t slot, uint32_t than) {
    const int32_t free_w = g->free_w[slot] - g->free_w[than];
    const int32_t now_w = g->now_w[slot] - g->now_w[than];
    return free_w != 0 ? free_w : now_w != 0 ? now_w : g->later_w[slot] - g->later_w[than];
}

static void recommend(struct guidance *g, const struct islands_view *v) {
    int32_t best = -1;
    for (uint32_t i = 0; i < v->slots; i++) {
        if (g->known[i] && (best < 0 || lead_w(g, i, (uint32_t)best) > 0)) {
            best = (int32_t)i;
        }
    }
    const int16_t last = g->slot;
    const bool stays = last >= 0 && (uint32_t)last < v->slots && g->known[last] && best >= 0 &&
                       lead_w(g, (uint32_t)best, (uint32_t)last) < GUIDANCE_STAY_W;
    g->slot = stays ? last : (int16_t)best;
}

void guidance_step(struct guidance *g, const struct islands_view *view,
                   const struct partition_input *asked, const int16_t *owner,
                   struct partition *scratch, bool ask) {
    for (uint32_t i = 0; i < view->slots; i++) {
        if (!view->in->slot[i].free) {
            g->known[i] = false;
            g->now_w[i] = g->later_w[i] = 0;
        }
    }
    if (ask && advance(g, view)) {
        ask_about(g, view, g->next, asked, scratch);
        const int32_t reach_w = islands_reach_w(asked, g->next, owner);
        const int64_t gun_w = view->wish[g->next].gun_w;
        g->free_w[g->next] = reach_w < gun_w ? reach_w : (int32_t)gun_w;
    }
    recommend(g, view);
}
