/* Step D's core: the ring is cut into arcs, each serving at most one gun, in the best of all ways. Exact, not greedy.
 *
 * Objective, lexicographic, PARTITION_LEXIMIN: fewest guns that get nothing, better classes first; then within each class the
 * ascending list of powers as large as can be (leximin), better classes first, which fixes the total; then the least cost
 * of edges that change. Then the site limit is water-filled by class, and the arrangement is chosen again
 * with every class cut at its level: same powers, least switching.
 * PARTITION_TOTAL: fewest unserved as above, then the largest sum of powers before the site limit, then the least switching.
 * PARTITION_FIRST_COME: as LEXIMIN, with every distinct (order, class) a class of its own.
 * PARTITION_STATIC: no free edge is closed; what welded edges join is shared out as in LEXIMIN.
 *
 * Hard rules. Arcs are contiguous and at most arc_max slots long; one gun at most is served in each; at least one edge of the ring is
 * open; KEEP_OPEN and KEEP_CLOSED edges stay; a free edge is closed only within an arc that has an owner; a blocked slot is part of no
 * other gun's arc. What kept edges join is a piece:
 * - of several wanting guns in it only those first by class, then order (FIRST_COME: order, then class) can be served,
 *   among equals the one with the larger power; guns that ask for nothing stand behind;
 * - a blocked slot in it leaves only that slot's own gun, two blocked slots leave none;
 * - a piece longer than arc_max serves nobody and joins nothing; if every edge of the ring is kept closed nobody is served.
 * A ring of one slot has no edge to speak of: its state is copied out and otherwise ignored.
 *
 * Integers only, no heap, bounded loops, same answer on every machine. docs/design/planner.md argues why it is exact.
 * slots is 0..RM_SLOTS_MAX. Other input out of range is brought into it: arc_max 1..PARTITION_ARC_MAX, costs at most
 * PARTITION_COST_MAX. Cost: some 5 us for 12 slots, below 0.5 ms for 96 (benchmarks/planner).
 */
#ifndef RINGMAIN_RT_PLANNER_PARTITION_H
#define RINGMAIN_RT_PLANNER_PARTITION_H

#include "rt/planner/arc.h"

#define PARTITION_ARC_MAX  ARC_SLOTS_MAX /* longest arc in slots that is ever considered */
#define PARTITION_COST_MAX 1000000u

enum partition_edge {
    PARTITION_EDGE_FREE = 0,
    PARTITION_EDGE_KEEP_OPEN,
    PARTITION_EDGE_KEEP_CLOSED
}; /* locked edges stay as they are; welded = KEEP_CLOSED */
enum partition_mode {
    PARTITION_LEXIMIN = 0,
    PARTITION_TOTAL,
    PARTITION_FIRST_COME,
    PARTITION_STATIC
};

struct partition_module { /* after derating; max_w 0: not usable */
    int32_t max_w, max_ma, max_mv, min_mv;
};

struct partition_slot {
    bool wants; /* a vehicle that is to be served from this slot */
    bool
        blocked; /* this slot's modules cannot be lent (own gun occupies the bus, boot hold, fault) */
    uint8_t priority_class; /* 0 first */
    int64_t order;          /* FIRST_COME: smaller is earlier; ties by class */
    int32_t mv;             /* vehicle's voltage: capacity is counted there */
    int32_t demand_w;       /* most it would use (all its bounds but modules, boundary and grid) */
    uint8_t modules;
    struct partition_module module[RM_MODULES_PER_SLOT_MAX];
    enum partition_edge edge; /* edge to the clockwise neighbour */
    bool edge_was_closed;
    int32_t edge_max_ma;
    uint32_t edge_cost; /* cost of changing it, wear-weighted, 1..PARTITION_COST_MAX */
};

struct partition_input {
    uint32_t slots;
    uint32_t arc_max;
    enum partition_mode mode;
    int64_t site_limit_w; /* output power of all guns together; INT64_MAX none */
    struct partition_slot slot[RM_SLOTS_MAX];
};

struct partition_result {
    bool edge_closed[RM_SLOTS_MAX];
    int16_t owner[RM_SLOTS_MAX];   /* slot whose gun this slot feeds, -1 nobody */
    int32_t power_w[RM_SLOTS_MAX]; /* of each owner: min(demand, capacity), within the site limit */
    int32_t capacity_w[RM_SLOTS_MAX]; /* of its arc, before demand and site limit */
    uint32_t unserved;                /* wanting guns for which min(demand, capacity) is nothing */
    uint64_t switching_cost;          /* of the free edges that differ from edge_was_closed */
};

/* ---- scratch memory, the caller's; what is in it is nobody's business but the solver's --------- */

/* Slots that kept edges hold together; most are one slot. Edges between pieces are free or kept open. */
struct partition_piece {
    uint8_t first, slots;
    uint8_t group;                  /* of its guns, if it has any */
    uint8_t has_gun;                /* one that can be served */
    uint8_t is_sure;                /* one of them gets something from this piece alone */
    uint8_t is_dead;                /* nothing in it may be served or lent */
    int16_t blocked;                /* the slot whose gun alone may own it, -1 none */
    uint8_t may_join;               /* the edge to the next piece may be closed */
    uint32_t close_cost, open_cost; /* of that edge */
};

/* An arc of 1 to 16 pieces and its best owner. */
struct partition_arc {
    int32_t value_w; /* min(demand, capacity, cut) */
    uint32_t cost;   /* its inner edges closed and the edge behind it open */
    int16_t owner;   /* slot, -1 none */
    uint8_t group;
    uint8_t is_served;   /* min(demand, capacity) is something */
    uint8_t is_feasible; /* by the hard rules */
    uint8_t is_kept;     /* not dominated: the search looks at it */
};

/* Best way to divide the first n pieces after a cut. */
struct partition_node {
    uint64_t served[2]; /* guns served per group, packed, best group in the top bits */
    int64_t total_w;
    uint64_t cost;
    uint16_t levels;
    uint16_t pieces;              /* of the last arc */
    uint64_t level[RM_SLOTS_MAX]; /* (group, power) of those served, ascending */
};

struct partition {
    uint32_t pieces, slots, arc_max, groups;
    struct partition_piece piece[RM_SLOTS_MAX];
    bool is_eligible[RM_SLOTS_MAX];
    uint8_t group[RM_SLOTS_MAX];    /* of a wanting slot */
    uint64_t unit[RM_SLOTS_MAX][2]; /* one served gun of this group, in partition_node.served */
    int32_t cut_w[RM_SLOTS_MAX];    /* of a group */
    struct arc_reach reach[RM_SLOTS_MAX];
    struct partition_arc arc[RM_SLOTS_MAX][PARTITION_ARC_MAX]; /* [first piece][pieces - 1] */
    uint16_t
        kept_ending[RM_SLOTS_MAX]; /* bit n: the arc of n + 1 pieces that ends with this piece */
    struct partition_node node[RM_SLOTS_MAX + 1];
    struct partition_node best;
    uint8_t best_pieces[RM_SLOTS_MAX]; /* of the arc that begins with this piece, 0 none */
};

/* Scratch memory is the caller's (struct partition, some 130 kB, static in planner_state): no heap, no big stack. */
void partition_solve(struct partition *scratch, const struct partition_input *in,
                     struct partition_result *out);

#endif
