/* Pieces: what kept edges hold together, which of its guns can be served at all, and of which class it is. */
#include <string.h>

#include "rt/planner/partition_private.h"

/* Order of two guns within a class or, first come, of the classes themselves: below 0 when a is before b. */
static int by_class(const struct partition_slot *a, const struct partition_slot *b) {
    return (a->priority_class > b->priority_class) - (a->priority_class < b->priority_class);
}

static int by_order(const struct partition_slot *a, const struct partition_slot *b) {
    return (a->order > b->order) - (a->order < b->order);
}

static int by_group(const struct partition_input *in, uint32_t a, uint32_t b) {
    const struct partition_slot *x = &in->slot[a];
    const struct partition_slot *y = &in->slot[b];
    if (in->mode != PARTITION_FIRST_COME) {
        return by_class(x, y);
    }
    int order = by_order(x, y);
    return order != 0 ? order : by_class(x, y);
}

/* Who of one piece is served: a gun that asks for something, of the best group, then first come. */
static int by_rank(const struct partition_input *in, uint32_t a, uint32_t b) {
    const struct partition_slot *x = &in->slot[a];
    const struct partition_slot *y = &in->slot[b];
    if ((x->demand_w > 0) != (y->demand_w > 0)) {
        return x->demand_w > 0 ? -1 : 1;
    }
    int group = by_group(in, a, b);
    return group != 0 ? group : by_order(x, y);
}

static void find_blocked(struct partition *p, const struct partition_input *in,
                         struct partition_piece *piece) {
    for (uint32_t k = 0; k < piece->slots; k++) {
        uint32_t s = partition_wrap(piece->first, k, p->slots);
        if (in->slot[s].blocked) {
            piece->is_dead = piece->is_dead || piece->blocked >= 0 || !in->slot[s].wants;
            piece->blocked = (int16_t)s;
        }
    }
}

/* Marks the guns of the piece that may be served, all of one rank. */
static void find_guns(struct partition *p, const struct partition_input *in,
                      struct partition_piece *piece) {
    uint32_t first = RM_SLOTS_MAX;
    if (piece->is_dead) {
        return;
    }
    for (uint32_t k = 0; k < piece->slots; k++) {
        uint32_t s = partition_wrap(piece->first, k, p->slots);
        if (in->slot[s].wants && (piece->blocked < 0 || piece->blocked == (int16_t)s) &&
            (first == RM_SLOTS_MAX || by_rank(in, s, first) < 0)) {
            first = s;
        }
    }
    for (uint32_t k = 0; first != RM_SLOTS_MAX && k < piece->slots; k++) {
        uint32_t s = partition_wrap(piece->first, k, p->slots);
        if (in->slot[s].wants && (piece->blocked < 0 || piece->blocked == (int16_t)s) &&
            by_rank(in, s, first) == 0) {
            p->is_eligible[s] = true;
            piece->has_gun = true;
            struct arc_reach *reach = &p->reach[s];
            arc_reach(in, s, p->arc_max, reach);
            piece->is_sure |=
                in->slot[s].demand_w > 0 && arc_capacity_w(reach, k, piece->slots - 1u - k) > 0;
        }
    }
}

static void edge_of(const struct partition_input *in, struct partition_piece *piece,
                    uint32_t last) {
    const struct partition_slot *s = &in->slot[last];
    uint32_t cost = s->edge_cost < PARTITION_COST_MAX ? s->edge_cost : PARTITION_COST_MAX;
    bool is_free = s->edge == PARTITION_EDGE_FREE;
    piece->may_join = is_free && in->mode != PARTITION_STATIC && in->slots > 1;
    piece->close_cost = is_free && !s->edge_was_closed ? cost : 0;
    piece->open_cost = is_free && s->edge_was_closed ? cost : 0;
}

/* One piece from slot `first` on; returns the slot behind it. */
static uint32_t one_piece(struct partition *p, const struct partition_input *in, uint32_t first) {
    struct partition_piece *piece = &p->piece[p->pieces++];
    *piece = (struct partition_piece){.first = (uint8_t)first, .slots = 1, .blocked = -1};
    uint32_t last = first;
    while (in->slot[last].edge == PARTITION_EDGE_KEEP_CLOSED && piece->slots < p->slots) {
        last = partition_wrap(last, 1, p->slots);
        piece->slots++;
    }
    piece->is_dead = piece->slots > p->arc_max;
    edge_of(in, piece, last);
    find_blocked(p, in, piece);
    find_guns(p, in, piece);
    return partition_wrap(last, 1, p->slots);
}

/* A group of n guns needs as many bits as n has. All groups together need at most RM_SLOTS_MAX bits, so two words hold them,
 * and sums never carry from one group into the next. */
static void pack_groups(struct partition *p, const uint8_t *pieces_of) {
    uint32_t word = 0;
    uint32_t left = 64;
    for (uint32_t g = 0; g < p->groups; g++) {
        uint32_t bits = 1;
        while ((pieces_of[g] >> bits) != 0) {
            bits++;
        }
        if (bits > left) {
            word++;
            left = 64;
        }
        assert(word < 2);
        left -= bits;
        p->unit[g][word] = UINT64_C(1) << left;
        p->unit[g][1 - word] = 0;
    }
}

/* Numbers the groups of all guns that can be served, best first, and counts the pieces of each. */
static void number_groups(struct partition *p, const struct partition_input *in) {
    uint8_t example[RM_SLOTS_MAX]; /* a slot of each group, in order */
    uint8_t pieces_of[RM_SLOTS_MAX] = {0};
    p->groups = 0;
    for (uint32_t s = 0; s < p->slots; s++) {
        uint32_t at = 0;
        if (!p->is_eligible[s]) {
            continue;
        }
        while (at < p->groups && by_group(in, example[at], s) < 0) {
            at++;
        }
        if (at == p->groups || by_group(in, example[at], s) != 0) {
            memmove(&example[at + 1], &example[at], p->groups - at);
            example[at] = (uint8_t)s;
            p->groups++;
        }
    }
    for (uint32_t i = 0; i < p->pieces; i++) {
        struct partition_piece *piece = &p->piece[i];
        if (!piece->has_gun) {
            continue;
        }
        uint32_t s = piece->first;
        while (!p->is_eligible[s]) { /* all that are, are of one group */
            s = partition_wrap(s, 1, p->slots);
        }
        while (by_group(in, example[piece->group], s) != 0) {
            piece->group++;
        }
        pieces_of[piece->group]++;
    }
    pack_groups(p, pieces_of);
}

bool partition_pieces(struct partition *p, const struct partition_input *in) {
    uint32_t first = 0;
    memset(p->is_eligible, 0, sizeof p->is_eligible);
    p->pieces = 0;
    while (p->slots > 1 && first < p->slots && in->slot[first].edge == PARTITION_EDGE_KEEP_CLOSED) {
        first++;
    }
    if (first == p->slots) {
        return false;
    }
    uint32_t begin = partition_wrap(first, 1, p->slots);
    uint32_t at = begin;
    do { /* each piece ends where the next begins, the last one with edge `first` */
        at = one_piece(p, in, at);
    } while (at != begin);
    number_groups(p, in);
    return true;
}
