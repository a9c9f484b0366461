/* The planner: every 50 ms an image of the plant and a list of limits in, a proposal out. Pure, integer-only,
 * bounded time, no heap; same input and state, same output on every machine. Not trusted: the guard checks what it
 * proposes. Numbers of slots have no influence on what a gun gets.
 *
 * One page per step, each with its own header: wish, budget, scarcity (A); modules (B); contactors (C); islands, holding,
 * forecast over partition (D); island, setpoints (E); guidance. topology says what conducts. docs/design/planner.md.
 * Cost: two partitions in a cycle in which something changed and once a second, at most one for the guidance in the others.
 */
#ifndef RINGMAIN_RT_PLANNER_H
#define RINGMAIN_RT_PLANNER_H

#include "rt/planner/guidance.h"
#include "rt/planner/holding.h"
#include "rt/planner/modules.h"
#include "rt/planner/scarcity.h"

struct planner_state { /* a few hundred kilobytes */
    uint64_t cycles;
    int32_t budget_w[RM_SLOTS_MAX]; /* last granted, at the modules' input: reduce before raise */
    int32_t reach_w[RM_SLOTS_MAX];  /* most that any arc around this gun could give it */
    struct wish_memory wish[RM_SLOTS_MAX];
    struct forecast forecast[RM_SLOTS_MAX];
    struct scarcity scarcity;
    struct holding holding;
    struct modules modules;
    struct guidance guidance;
};

void planner_init(struct planner_state *state);
void planner_step(struct planner_state *state, const struct plan_input *in, struct proposal *out);

#endif
