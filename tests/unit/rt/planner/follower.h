/* A hub that follows proposals as the sequencers do, only simpler: an edge closes some seconds after it is asked to and opens
 * when what lies beyond it carries nothing, currents ramp, the guard's books come down late. It keeps E1's and E3's sense
 * (dwell, no loaded opening) by itself and counts what must never happen. */
#ifndef RINGMAIN_TESTS_UNIT_RT_PLANNER_FOLLOWER_H
#define RINGMAIN_TESTS_UNIT_RT_PLANNER_FOLLOWER_H

#include "rt/planner/planner.h"

#define FOLLOWER_CYCLE_US 50000
#define FOLLOWER_MERGE_US 3000000
#define FOLLOWER_SPLIT_US 300000

enum follower_edge { EDGE_OPEN = 0, EDGE_CLOSING, EDGE_CLOSED, EDGE_OPENING };

struct follower {
    struct plan_input in;
    struct proposal out;
    struct planner_state planner;
    enum follower_edge edge[RM_SLOTS_MAX];
    int64_t edge_us[RM_SLOTS_MAX];    /* in that state since */
    int32_t flow_ma[RM_SLOTS_MAX];    /* each slot's current */
    int64_t zero_us[RM_SLOTS_MAX];    /* gun without power since; 0 it has some */
    bool stuck[RM_SLOTS_MAX];         /* this edge never closes */
    bool powered[RM_SLOTS_MAX];       /* gun has had power since it began to charge */
    int64_t plugged_us[RM_SLOTS_MAX]; /* vehicle there since; 0 nobody */
    uint32_t operations, early;       /* edge changes; within the dwell without reclaim */
    int64_t longest_zero_us, longest_reclaim_us, most_books_w;
    int64_t site_excess_w; /* books above the limit at most; must stay 0 */
    uint32_t two_guns, ring_closed, loaded, ratings;
};

/* A ring of slots with two modules of 30 kW, 100 A, each, guns of 350 kW, 800 V, no vehicles. */
void follower_init(struct follower *f, uint32_t slots);
/* Puts a vehicle into CHARGING at once: 400 V under a target of 450 V, that many watts wanted. */
void follower_charge(struct follower *f, uint32_t slot, int32_t want_w);
/* Plugs a vehicle in: it takes ten seconds to its cable check and ten more until it charges. */
void follower_plug(struct follower *f, uint32_t slot, int32_t want_w);
void follower_want(struct follower *f, uint32_t slot, int32_t want_w);
/* Ends the session: ramp-down, then free. */
void follower_leave(struct follower *f, uint32_t slot);
void follower_run(struct follower *f, uint32_t cycles);

/* Power that flows to this gun. */
int32_t follower_w(const struct follower *f, uint32_t slot);
/* Slots that surely conduct to this gun, its own included. */
uint32_t follower_slots(const struct follower *f, uint32_t slot);

#endif
