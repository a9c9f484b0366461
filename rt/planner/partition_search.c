/* The search: dynamic programming over the circle, once per place where it may be cut. */
#include <string.h>

#include "rt/planner/partition_private.h"

/* Power as an element of a list that is compared ascending, better groups first. Never 0. */
static uint64_t level_of(const struct partition_arc *arc) {
    return ((uint64_t)(arc->group + 1u) << 32) | (uint32_t)arc->value_w;
}

/* Two ascending lists of equal length: a with x put in (0: nothing) against b. Below 0 when the first is better. */
static int by_levels(const uint64_t *a, uint32_t count, uint64_t x, const uint64_t *b) {
    uint32_t k = 0;
    for (; k < count && (x == 0 || a[k] <= x); k++) {
        if (a[k] != b[k]) {
            return a[k] > b[k] ? -1 : 1;
        }
    }
    if (x == 0) {
        return 0;
    }
    if (x != b[k]) {
        return x > b[k] ? -1 : 1;
    }
    for (; k < count; k++) {
        if (a[k] != b[k + 1]) {
            return a[k] > b[k + 1] ? -1 : 1;
        }
    }
    return 0;
}

/* What node `from` and one more arc make; the list of levels is not put together yet. */
struct candidate {
    const struct partition_node *from;
    uint64_t served[2];
    int64_t total_w;
    uint64_t cost;
    uint64_t level; /* 0 none */
};

static struct candidate extend(const struct partition *p, const struct partition_node *from,
                               const struct partition_arc *arc) {
    struct candidate c = {.from = from,
                          .served = {from->served[0], from->served[1]},
                          .total_w = from->total_w + arc->value_w,
                          .cost = from->cost + arc->cost};
    if (arc->is_served) {
        c.served[0] += p->unit[arc->group][0];
        c.served[1] += p->unit[arc->group][1];
        c.level = level_of(arc);
    }
    return c;
}

/* Below 0 when the candidate is better. Both have passed the same guns, so with equal `served` the lists are equally long. */
static int by_objective(enum partition_mode mode, const struct candidate *c,
                        const struct partition_node *node) {
    for (uint32_t w = 0; w < 2; w++) {
        if (c->served[w] != node->served[w]) {
            return c->served[w] > node->served[w] ? -1 : 1;
        }
    }
    int order;
    if (mode == PARTITION_TOTAL) {
        order = (c->total_w < node->total_w) - (c->total_w > node->total_w);
    } else {
        order = by_levels(c->from->level, c->from->levels, c->level, node->level);
    }
    return order != 0 ? order : (c->cost > node->cost) - (c->cost < node->cost);
}

static void keep(struct partition_node *node, const struct candidate *c, uint32_t pieces) {
    uint32_t count = c->from->levels;
    const uint64_t *level = c->from->level;
    memcpy(node->served, c->served, sizeof node->served);
    node->total_w = c->total_w;
    node->cost = c->cost;
    node->pieces = (uint16_t)pieces;
    uint32_t k = 0;
    if (c->level != 0) {
        for (; k < count && level[k] <= c->level; k++) {
            node->level[k] = level[k];
        }
        node->level[k] = c->level;
        memcpy(&node->level[k + 1], &level[k], (count - k) * sizeof level[0]);
        count++;
    } else {
        memcpy(node->level, level, count * sizeof level[0]);
    }
    node->levels = (uint16_t)count;
}

/* Best division of the circle cut before piece `start`, into node[]. */
static void divide(struct partition *p, enum partition_mode mode, uint32_t start) {
    struct partition_node *node = p->node;
    node[0].served[0] = node[0].served[1] = node[0].cost = 0;
    node[0].total_w = 0;
    node[0].levels = 0;
    for (uint32_t end = 1; end <= p->pieces; end++) {
        uint32_t last = partition_wrap(start, end - 1, p->pieces);
        uint32_t ending = p->kept_ending[last];
        bool is_first = true;
        for (uint32_t pieces = 1; ending != 0 && pieces <= end; pieces++, ending >>= 1) {
            if ((ending & 1u) == 0) {
                continue;
            }
            uint32_t begin = partition_wrap(start, end - pieces, p->pieces);
            struct candidate c = extend(p, &node[end - pieces], &p->arc[begin][pieces - 1]);
            if (is_first || by_objective(mode, &c, &node[end]) < 0) {
                keep(&node[end], &c, pieces);
                is_first = false;
            }
        }
        assert(!is_first); /* a piece alone is always an arc */
    }
}

/* Some arc holds piece x, and it ends behind one of a few pieces: one of those edges is open. Takes the x with the fewest; the
 * result has bit n set when the circle may be cut behind piece *x + n. */
static uint32_t narrowest(const struct partition *p, uint32_t *x) {
    uint32_t starting[RM_SLOTS_MAX] = {0}; /* bit n: a kept arc of n + 1 pieces starts here */
    for (uint32_t last = 0; last < p->pieces; last++) {
        uint32_t ending = p->kept_ending[last];
        for (uint32_t n = 0; ending != 0; n++, ending >>= 1) {
            if ((ending & 1u) != 0) {
                starting[last >= n ? last - n : last + p->pieces - n] |= 1u << n;
            }
        }
    }
    uint32_t ends = 0;
    uint32_t fewest = UINT32_MAX;
    uint32_t best = 0;
    for (uint32_t k = 0; k < 2 * p->pieces; k++) {
        uint32_t at = k < p->pieces ? k : k - p->pieces;
        ends = starting[at] | (ends >> 1);
        uint32_t count = (uint32_t)__builtin_popcount(ends);
        if (k >= p->pieces && count < fewest) {
            fewest = count;
            best = ends;
            *x = at;
        }
    }
    return best;
}

void partition_search(struct partition *p, enum partition_mode mode) {
    uint32_t x = 0;
    uint32_t cuts = narrowest(p, &x);
    bool is_first = true;
    for (uint32_t n = 0; cuts != 0; n++, cuts >>= 1) {
        if ((cuts & 1u) == 0) {
            continue;
        }
        uint32_t start = partition_wrap(partition_wrap(x, n, p->pieces), 1, p->pieces);
        divide(p, mode, start);
        const struct partition_node *end = &p->node[p->pieces];
        struct candidate whole = {.from = end,
                                  .served = {end->served[0], end->served[1]},
                                  .total_w = end->total_w,
                                  .cost = end->cost};
        if (!is_first && by_objective(mode, &whole, &p->best) >= 0) {
            continue;
        }
        is_first = false;
        keep(&p->best, &whole, end->pieces);
        memset(p->best_pieces, 0, sizeof p->best_pieces);
        for (uint32_t at = p->pieces; at > 0; at -= p->node[at].pieces) {
            uint32_t pieces = p->node[at].pieces;
            p->best_pieces[partition_wrap(start, at - pieces, p->pieces)] = (uint8_t)pieces;
        }
    }
}
