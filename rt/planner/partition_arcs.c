/* Arcs: the best owner of each, its power, and which arcs no better division can do without. */
#include <string.h>

#include "rt/planner/partition_private.h"

/* An arc while it grows clockwise from its first piece. */
struct growth {
    uint16_t slots;
    uint16_t guns, sure; /* pieces with a gun; of them, those it cannot fail to reach */
    int16_t blocked;     /* slot that alone may own it, -1 any */
    uint8_t last, only;  /* last piece; piece of the last gun */
    bool has_ended;
    uint32_t close_cost;
};

static const struct partition_arc nobody = {.owner = -1, .is_feasible = true};

/* Below 0 when a is the better arc for the gun it serves. */
static int by_service(const struct partition_arc *a, const struct partition_arc *b) {
    if (a->is_served != b->is_served) {
        return a->is_served ? -1 : 1;
    }
    if (!a->is_served) {
        return 0;
    }
    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    return (a->value_w < b->value_w) - (a->value_w > b->value_w);
}

/* The best gun of one piece as owner of the arc, if better than what `arc` has. */
static void try_piece(const struct partition *p, const struct partition_input *in, uint32_t begin,
                      uint32_t slots, uint32_t index, struct partition_arc *arc) {
    const struct partition_piece *piece = &p->piece[index];
    for (uint32_t k = 0; k < piece->slots; k++) {
        uint32_t s = partition_wrap(piece->first, k, p->slots);
        if (!p->is_eligible[s]) {
            continue;
        }
        uint32_t left = s >= begin ? s - begin : s + p->slots - begin;
        int32_t power_w = arc_capacity_w(&p->reach[s], left, slots - 1 - left);
        power_w = in->slot[s].demand_w < power_w ? in->slot[s].demand_w : power_w;
        int32_t cut_w = p->cut_w[piece->group];
        struct partition_arc owned = {.owner = (int16_t)s, .group = piece->group};
        owned.is_served = power_w > 0;
        owned.value_w = power_w <= 0 ? 0 : power_w < cut_w ? power_w : cut_w;
        if (arc->owner < 0 || by_service(&owned, arc) < 0) {
            *arc = owned;
        }
    }
}

static bool holds(const struct partition *p, const struct partition_piece *piece, uint32_t slot) {
    uint32_t inside = slot >= piece->first ? slot - piece->first : slot + p->slots - piece->first;
    return inside < piece->slots;
}

/* True when an arc of its own for a gun that is sure of something, taken from the owner, would serve more or better. */
static bool starves(const struct partition *p, const struct partition_arc *arc, uint32_t begin,
                    uint32_t pieces) {
    bool owner_is_sure = false;
    bool other_is_sure = false;
    bool other_is_better = false;
    uint32_t at = begin;
    for (uint32_t k = 0; k < pieces; k++, at = partition_wrap(at, 1, p->pieces)) {
        const struct partition_piece *piece = &p->piece[at];
        if (holds(p, piece, (uint32_t)arc->owner)) {
            owner_is_sure = piece->is_sure;
        } else if (piece->is_sure) {
            other_is_sure = true;
            other_is_better = other_is_better || piece->group < arc->group;
        }
    }
    return other_is_sure && (owner_is_sure || !arc->is_served || other_is_better);
}

/* Takes the next piece in; false when no arc from here reaches so far. */
static bool grow(const struct partition *p, struct growth *g, bool is_first) {
    const struct partition_piece *last = &p->piece[g->last];
    if (!is_first) {
        g->close_cost += last->close_cost;
        g->last = (uint8_t)partition_wrap(g->last, 1, p->pieces);
        if (!last->may_join || last->is_dead || p->piece[g->last].is_dead) {
            return false;
        }
        last = &p->piece[g->last];
    }
    if (last->blocked >= 0 && g->blocked >= 0) {
        return false;
    }
    g->blocked = last->blocked >= 0 ? last->blocked : g->blocked;
    g->slots = (uint16_t)(g->slots + last->slots);
    if (last->has_gun) {
        g->guns++;
        g->sure = (uint16_t)(g->sure + last->is_sure);
        g->only = g->last;
    }
    return is_first || g->slots <= p->arc_max;
}

/* How many pieces clockwise, itself included, the nearest gun is that is not sure of anything: only for such a gun may an arc
 * hold another one that is. */
static void find_unsure(const struct partition *p, uint8_t *until) {
    uint32_t distance = PARTITION_ARC_MAX + 1; /* too far to matter */
    for (uint32_t k = 2 * p->pieces; k-- > 0;) {
        uint32_t a = k < p->pieces ? k : k - p->pieces;
        bool is_unsure = p->piece[a].has_gun && !p->piece[a].is_sure;
        distance = is_unsure ? 1 : distance + (distance <= PARTITION_ARC_MAX);
        until[a] = (uint8_t)distance;
    }
}

static void choose_owner(const struct partition *p, const struct partition_input *in,
                         uint32_t begin, uint32_t pieces, const struct growth *g,
                         struct partition_arc *arc) {
    *arc = nobody;
    uint32_t first = p->piece[begin].first;
    if (g->guns == 1 && g->blocked < 0) {
        try_piece(p, in, first, g->slots, g->only, arc);
    } else {
        uint32_t at = begin;
        for (uint32_t k = 0; k < pieces; k++, at = partition_wrap(at, 1, p->pieces)) {
            if (p->piece[at].has_gun && (g->blocked < 0 || p->piece[at].blocked >= 0)) {
                try_piece(p, in, first, g->slots, at, arc);
            }
        }
    }
    arc->is_feasible = pieces == 1 || arc->owner >= 0;
}

/* Dominated: an end piece that adds nothing and whose edge was open is better left out, and so is a gun of its own right. */
static bool is_needed(const struct partition *p, uint32_t begin, uint32_t pieces,
                      const struct growth *g) {
    const struct partition_arc *arc = &p->arc[begin][pieces - 1];
    if (!arc->is_feasible || pieces == 1) {
        return arc->is_feasible;
    }
    uint32_t second = partition_wrap(begin, 1, p->pieces);
    uint32_t before = g->last == 0 ? p->pieces - 1 : g->last - 1u;
    const struct partition_arc *less = &p->arc[second][pieces - 2];
    if (p->piece[begin].open_cost == 0 && less->is_feasible && by_service(less, arc) <= 0) {
        return false;
    }
    less = &p->arc[begin][pieces - 2];
    if (p->piece[before].open_cost == 0 && less->is_feasible && by_service(less, arc) <= 0) {
        return false;
    }
    return g->guns < 2 || g->sure == 0 || !starves(p, arc, begin, pieces);
}

void partition_arcs(struct partition *p, const struct partition_input *in) {
    struct growth growth[RM_SLOTS_MAX];
    uint8_t unsure_at[RM_SLOTS_MAX] = {0};
    uint32_t longest = p->pieces < p->arc_max ? p->pieces : p->arc_max;
    memset(p->kept_ending, 0, sizeof p->kept_ending);
    find_unsure(p, unsure_at);
    for (uint32_t a = 0; a < p->pieces; a++) {
        growth[a] = (struct growth){.blocked = -1, .last = (uint8_t)a};
        memset(p->arc[a], 0, sizeof p->arc[a]);
    }
    for (uint32_t pieces = 1; pieces <= longest; pieces++) {
        for (uint32_t a = 0; a < p->pieces; a++) {
            struct growth *g = &growth[a];
            struct partition_arc *arc = &p->arc[a][pieces - 1];
            if (g->has_ended || !grow(p, g, pieces == 1) ||
                (g->guns > 1 && unsure_at[a] > longest)) {
                g->has_ended = true;
                continue;
            }
            choose_owner(p, in, a, pieces, g, arc);
            arc->cost = g->close_cost + p->piece[g->last].open_cost;
            arc->is_kept = is_needed(p, a, pieces, g);
            if (arc->is_kept) {
                p->kept_ending[g->last] |= (uint16_t)(1u << (pieces - 1));
            }
        }
    }
}
