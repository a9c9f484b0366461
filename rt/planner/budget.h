/* Step A of the planner, second half: the site's power shared among guns. Exact integers, pure, no heap.
 *
 * Classes are strict: a better class takes what it wants before the next one gets anything. Inside a class the sharing is
 * max-min fair (water-filling): grant = min(demand, level) with the one level at which what is left is used up; nobody can
 * be given more without taking from one who has no more. In first-come order who came earlier takes what it wants, and only
 * claims of the same moment and class share. The sum of grants never exceeds the limit and misses it by less than one watt
 * per unsatisfied claim; equal claims get equal grants whatever their place.
 */
#ifndef RINGMAIN_RT_PLANNER_BUDGET_H
#define RINGMAIN_RT_PLANNER_BUDGET_H

#include "shm/base.h"

#define BUDGET_W_MAX INT64_C(1000000000000) /* 1 TW: larger values are taken as this one */

struct budget_claim {
    int64_t demand_w;
    uint8_t priority_class; /* 0 first */
    int64_t order;          /* first come: smaller is earlier */
};

/* Claims in order: group after group, by demand within a group. */
struct budget {
    uint32_t count;
    bool first_come;
    uint16_t order[RM_SLOTS_MAX];
    struct budget_claim claim[RM_SLOTS_MAX];
};

/* Negative demands count as 0. count at most RM_SLOTS_MAX. */
void budget_init(struct budget *b, const struct budget_claim *claim, uint32_t count,
                 bool first_come);
void budget_fill(const struct budget *b, int64_t limit_w, int64_t *grant_w);
/* What claim i would be granted if it demanded without end and the others stayed. */
int64_t budget_offer(const struct budget *b, int64_t limit_w, uint32_t i);
/* Does anybody stand before claim i and ask for something? Then what it lacks it lacks by its class. */
bool budget_is_behind(const struct budget *b, uint32_t i);

/* Reduce before raise (S13). held_w: what each may be drawing now, whatever it was told; unheld_w: what is drawn for nobody
 * in particular. A grant is at once lowered to its target, but rises only into power that nobody holds any more, in the order of
 * the claims. Sum of max(grant, held) + unheld never exceeds the limit where the sum of held + unheld does not. */
void budget_transition(const struct budget *b, int64_t limit_w, const int64_t *target_w,
                       const int64_t *held_w, int64_t unheld_w, int64_t *grant_w);

#endif
