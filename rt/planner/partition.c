/* The solver as a whole: arrange, share out the site limit, arrange again with the levels cut, and write the answer down. */
#include "rt/planner/partition.h"

#include <string.h>

#include "rt/planner/partition_private.h"

struct share {
    uint8_t group;
    int32_t value_w;
};

/* Those served in the best division, by group and power. */
static uint32_t list_shares(const struct partition *p, struct share *share) {
    uint32_t count = 0;
    for (uint32_t a = 0; a < p->pieces; a++) {
        const struct partition_arc *arc =
            &p->arc[a][p->best_pieces[a] > 0 ? p->best_pieces[a] - 1 : 0];
        if (p->best_pieces[a] == 0 || !arc->is_served) {
            continue;
        }
        uint32_t at = count++;
        while (at > 0 &&
               (share[at - 1].group > arc->group ||
                (share[at - 1].group == arc->group && share[at - 1].value_w > arc->value_w))) {
            share[at] = share[at - 1];
            at--;
        }
        share[at] = (struct share){.group = arc->group, .value_w = arc->value_w};
    }
    return count;
}

/* The level at which `left_w` is used up by the guns from `from` on, of one group and ascending; what is left is
 * taken off. INT32_MAX: enough for all. Up to one watt per gun stays unused, so that equal guns get equal power. */
static int32_t fill(const struct share *share, uint32_t from, uint32_t to, int64_t *left_w) {
    for (uint32_t k = from; k < to; k++) {
        int64_t each_w = *left_w / (to - k);
        if (share[k].value_w > each_w) {
            *left_w = 0;
            return (int32_t)each_w;
        }
        *left_w -= share[k].value_w;
    }
    return INT32_MAX;
}

/* Water-fills the site limit by group; true when somebody is cut. */
static bool share_out(struct partition *p, int64_t limit_w) {
    struct share share[RM_SLOTS_MAX];
    uint32_t count = list_shares(p, share);
    int64_t left_w = limit_w > 0 ? limit_w : 0;
    bool is_cut = false;
    for (uint32_t from = 0, to = 0; from < count; from = to) {
        while (to < count && share[to].group == share[from].group) {
            to++;
        }
        int32_t level_w = fill(share, from, to, &left_w); /* 0 once the limit is used up */
        p->cut_w[share[from].group] = level_w;
        is_cut = is_cut || level_w != INT32_MAX;
    }
    return is_cut;
}

static void write_arc(const struct partition *p, uint32_t begin, struct partition_result *out) {
    uint32_t pieces = p->best_pieces[begin];
    const struct partition_arc *arc = &p->arc[begin][pieces - 1];
    uint32_t first = p->piece[begin].first;
    uint32_t slots = 0;
    for (uint32_t k = 0; k < pieces; k++) {
        slots += p->piece[partition_wrap(begin, k, p->pieces)].slots;
    }
    for (uint32_t k = 0; k < slots; k++) {
        uint32_t s = partition_wrap(first, k, p->slots);
        out->owner[s] = arc->owner;
        out->edge_closed[s] = k + 1 < slots;
    }
    if (arc->owner >= 0) {
        uint32_t gun = (uint32_t)arc->owner;
        uint32_t left = gun >= first ? gun - first : gun + p->slots - first;
        int32_t cut_w = p->cut_w[arc->group];
        out->capacity_w[gun] = arc_capacity_w(&p->reach[gun], left, slots - 1 - left);
        out->power_w[gun] = arc->value_w < cut_w ? arc->value_w : cut_w;
        out->unserved -= arc->is_served;
    }
}

static void write_costs(const struct partition *p, const struct partition_input *in,
                        struct partition_result *out) {
    for (uint32_t s = 0; s < p->slots; s++) {
        const struct partition_slot *slot = &in->slot[s];
        if (slot->edge == PARTITION_EDGE_KEEP_CLOSED) {
            out->edge_closed[s] = true;
        } else if (slot->edge == PARTITION_EDGE_FREE &&
                   out->edge_closed[s] != slot->edge_was_closed) {
            out->switching_cost +=
                slot->edge_cost < PARTITION_COST_MAX ? slot->edge_cost : PARTITION_COST_MAX;
        }
    }
}

void partition_solve(struct partition *scratch, const struct partition_input *in,
                     struct partition_result *out) {
    struct partition *p = scratch;
    assert(in->slots <= RM_SLOTS_MAX);
    memset(out, 0, sizeof *out);
    memset(out->owner, 0xff, sizeof out->owner); /* -1: nobody */
    p->slots = in->slots;
    p->arc_max = in->arc_max < 1                   ? 1
                 : in->arc_max < PARTITION_ARC_MAX ? in->arc_max
                                                   : PARTITION_ARC_MAX;
    for (uint32_t s = 0; s < p->slots; s++) {
        out->unserved += in->slot[s].wants;
    }
    if (p->slots > 0 && partition_pieces(p, in)) {
        for (uint32_t g = 0; g < p->groups; g++) {
            p->cut_w[g] = INT32_MAX;
        }
        partition_arcs(p, in);
        partition_search(p, in->mode);
        if (share_out(p, in->site_limit_w) && in->mode != PARTITION_TOTAL) {
            partition_arcs(p, in);
            partition_search(p, in->mode);
        }
        for (uint32_t a = 0; a < p->pieces; a++) {
            if (p->best_pieces[a] > 0) {
                write_arc(p, a, out);
            }
        }
    }
    write_costs(p, in, out);
}
