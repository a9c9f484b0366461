/* The planner: every 50 ms an image of the plant and a list of limits in, a proposal out. Pure, integer-only,
 * bounded time, no heap; same input, same output on every machine. Not trusted: the guard checks what it proposes. */
#ifndef RINGMAIN_RT_PLANNER_H
#define RINGMAIN_RT_PLANNER_H

#include "rt/proposal.h"

struct planner_state {
    uint64_t cycles;
    int32_t budget_w[RM_SLOTS_MAX]; /* last granted, for reduce-before-raise */
};

void planner_init(struct planner_state *state);
void planner_step(struct planner_state *state, const struct plan_input *in, struct proposal *out);

#endif
