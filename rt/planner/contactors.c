#include "rt/planner/contactors.h"

#include <string.h>

static bool conducts(const struct islands_view *v, uint32_t edge) {
    return v->in->slot[edge].edge.fitted &&
           (v->in->slot[edge].edge.may || v->in->slot[edge].edge.sure);
}

static bool is_joined(const struct islands_view *v, uint32_t edge) {
    return v->in->slot[edge].edge.fitted && v->in->slot[edge].edge.sure;
}

/* ---- what waits -------------------------------------------------------------------------------------------- */

/* Edges inside the arc of a gun that are to close and do not conduct surely yet. */
static void find_pending(const struct holding *h, const struct islands_view *v,
                         struct contactors *out) {
    memset(out->pending, 0, sizeof out->pending);
    for (uint32_t i = 0; i < v->slots; i++) {
        const int16_t owner = h->owner[i];
        if (h->closed[i] && !is_joined(v, i) && owner >= 0 &&
            owner == h->owner[topology_next(i, v->slots)]) {
            out->pending[owner] = true;
        }
    }
}

static int64_t slot_w(const struct islands_view *v, uint32_t slot) {
    const struct plan_slot *s = &v->in->slot[slot];
    int64_t w = 0;
    for (uint32_t j = 0; j < s->module_count && j < RM_MODULES_PER_SLOT_MAX; j++) {
        w += s->module[j].healthy && s->module[j].connected && s->module[j].capability_w > 0
                 ? s->module[j].capability_w
                 : 0;
    }
    return w;
}

/* What a gun has by slots that both feed it now and are to feed it, and how many slots it holds or waits for. */
static void count_owner(const struct holding *h, const struct islands_view *v, int16_t owner,
                        int64_t *stays_w, uint32_t *slots) {
    *stays_w = 0;
    *slots = 0;
    for (uint32_t i = 0; i < v->slots; i++) {
        const bool now = v->topology->feeds[i] == owner, aim = h->owner[i] == owner;
        *stays_w += now && aim ? slot_w(v, i) : 0;
        *slots += now || aim;
    }
}

/* May the opening of an edge wait: what lies beyond it feeds a gun that still waits for its replacement. */
static bool may_wait(const struct holding *h, const struct islands_view *v,
                     const struct contactors *c, uint32_t edge) {
    const uint32_t next = topology_next(edge, v->slots);
    const int16_t owner = v->topology->feeds[edge];
    if (h->urgent[edge] || owner < 0 || v->topology->feeds[next] != owner || !c->pending[owner] ||
        v->in->now_us - h->changed_us >= CONTACTORS_DEFER_US) {
        return false;
    }
    /* the one of both slots that leaves */
    const uint32_t leaver = h->owner[next] != owner ? next : edge;
    if (h->question.slot[leaver].blocked && (int16_t)leaver != owner) {
        return false;
    }
    int64_t stays_w = 0;
    uint32_t slots = 0;
    count_owner(h, v, owner, &stays_w, &slots);
    return stays_w == 0 || (h->owner[leaver] < 0 && slots <= h->question.arc_max);
}

/* ---- what may close ---------------------------------------------------------------------------------------- */

/* Guns and slots of the component that holds slot, over edges of now[]. */
static uint32_t component(const struct islands_view *v, const bool *now, uint32_t slot,
                          uint32_t *guns) {
    const uint32_t n = v->slots;
    uint32_t length = 1, right = slot, left = slot;
    *guns = v->topology->gun[slot];
    while (length < n && now[right]) {
        right = topology_next(right, n);
        *guns += v->topology->gun[right];
        length++;
    }
    while (length < n && now[topology_previous(left, n)]) {
        left = topology_previous(left, n);
        *guns += v->topology->gun[left];
        length++;
    }
    return length;
}

static bool may_close(const struct holding *h, const struct islands_view *v, const bool *now,
                      uint32_t edge) {
    const uint32_t next = topology_next(edge, v->slots);
    uint32_t guns = 0, guns_beyond = 0, open = 0;
    const uint32_t length = component(v, now, edge, &guns);
    const uint32_t beyond = component(v, now, next, &guns_beyond);
    for (uint32_t i = 0; i < v->slots; i++) {
        open += !now[i];
    }
    return guns + guns_beyond <= 1 && length + beyond <= h->question.arc_max &&
           length + beyond <= v->slots && open > 1;
}

/* From each gun outward, so that what joins is always next to what is joined. */
static void close_edges(const struct holding *h, const struct islands_view *v,
                        struct contactors *out) {
    bool now[RM_SLOTS_MAX] = {false};
    for (uint32_t i = 0; i < v->slots; i++) {
        now[i] = conducts(v, i);
    }
    for (uint32_t home = 0; home < v->slots; home++) {
        if (h->owner[home] != (int16_t)home) {
            continue;
        }
        for (uint32_t i = home, k = 1; k < v->slots && h->closed[i]; k++) {
            if (!now[i] && !may_close(h, v, now, i)) {
                break;
            }
            out->edge_closed[i] = now[i] = true;
            i = topology_next(i, v->slots);
        }
        uint32_t i = topology_previous(home, v->slots);
        for (uint32_t k = 1; k < v->slots && h->closed[i]; k++) {
            if (!now[i] && !may_close(h, v, now, i)) {
                break;
            }
            out->edge_closed[i] = now[i] = true;
            i = topology_previous(i, v->slots);
        }
    }
}

/* ---- who feeds whom now ------------------------------------------------------------------------------------ */

/* As topology_feeds, but only over edges that stay. */
static void follow_feeds(const struct islands_view *v, struct contactors *out) {
    const uint32_t n = v->slots;
    for (uint32_t i = 0; i < n; i++) {
        out->feeds[i] = v->topology->feeds[i] == (int16_t)i ? (int16_t)i : -1;
    }
    for (uint32_t home = 0; home < n; home++) {
        if (v->topology->feeds[home] != (int16_t)home) {
            continue;
        }
        for (uint32_t i = home; is_joined(v, i) && out->edge_closed[i];) {
            i = topology_next(i, n);
            if (out->feeds[i] >= 0 || v->topology->feeds[i] != (int16_t)home) {
                break;
            }
            out->feeds[i] = (int16_t)home;
        }
        for (uint32_t i = home;;) {
            i = topology_previous(i, n);
            if (!is_joined(v, i) || !out->edge_closed[i] || out->feeds[i] >= 0 ||
                v->topology->feeds[i] != (int16_t)home) {
                break;
            }
            out->feeds[i] = (int16_t)home;
        }
    }
}

void contactors_aim(const struct holding *h, const struct islands_view *view,
                    struct contactors *out) {
    const uint32_t n = view->slots;
    find_pending(h, view, out);
    for (uint32_t i = 0; i < n; i++) {
        const bool locked = h->question.slot[i].edge == PARTITION_EDGE_KEEP_CLOSED;
        out->edge_closed[i] =
            locked || (!h->closed[i] && is_joined(view, i) && may_wait(h, view, out, i));
    }
    close_edges(h, view, out);
    for (uint32_t i = 0; i < n; i++) {
        out->reclaim[i] = h->urgent[i] && !out->edge_closed[i] && conducts(view, i);
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t back = topology_previous(i, n);
        out->reclaim[i] |=
            view->in->slot[i].arriving && (conducts(view, i) || conducts(view, back));
    }
    follow_feeds(view, out);
}

bool contactors_slot_on(const struct contactors *c, const struct holding *h,
                        const struct islands_view *view, uint32_t slot) {
    const struct wish *w = &view->wish[slot];
    return w->serves || w->holds || h->owner[slot] >= 0 || c->feeds[slot] >= 0 ||
           view->topology->feeds[slot] >= 0;
}
