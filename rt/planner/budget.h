/* Step A of the planner: power shared among guns. Weighted max-min (water-filling) in exact integers.
 *
 * grant = min(demand, floor(weight x level)) with the one level at which the limit is used up; nobody can be given more
 * without taking from one who has, by weight, less. The sum of grants never exceeds the limit and misses it by less than
 * one watt per unsatisfied claim; equal claims get equal grants whatever their place. Pure, no heap.
 */
#ifndef RINGMAIN_RT_PLANNER_BUDGET_H
#define RINGMAIN_RT_PLANNER_BUDGET_H

#include "shm/base.h"

#define BUDGET_WEIGHT_MAX 8
#define BUDGET_W_MAX      INT64_C(1000000000000) /* 1 TW: larger values are taken as this one */

struct budget_claim {
    int64_t demand_w;
    int32_t weight; /* 1..BUDGET_WEIGHT_MAX */
};

/* Claims in order of demand per weight. */
struct budget {
    uint32_t count;
    uint16_t order[RM_SLOTS_MAX];
    struct budget_claim claim[RM_SLOTS_MAX];
    int64_t weights;
};

/* Negative demands count as 0, weights outside their range as the nearest in it. count at most RM_SLOTS_MAX. */
void budget_init(struct budget *b, const struct budget_claim *claim, uint32_t count);
void budget_fill(const struct budget *b, int64_t limit_w, int64_t *grant_w);
/* What claim i would be granted if it demanded without end and the others stayed. */
int64_t budget_offer(const struct budget *b, int64_t limit_w, uint32_t i);
/* Weight of a priority class: 0 highest. */
int32_t budget_weight(uint8_t priority_class);

#endif
