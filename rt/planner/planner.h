/* The planner: every 50 ms an image of the plant and a list of limits in, a proposal out. Pure, integer-only,
 * bounded time, no heap; same input, same output on every machine. Not trusted: the guard checks what it proposes.
 *
 * This planner serves each gun from its own slot. Order of slots has no influence on what a gun gets.
 * Cost: O(slots^2) with a small factor (the offers), far below a millisecond at 96 slots.
 */
#ifndef RINGMAIN_RT_PLANNER_H
#define RINGMAIN_RT_PLANNER_H

#include "rt/proposal.h"

struct planner_state {
    uint64_t cycles;
    int32_t budget_w[RM_SLOTS_MAX]; /* last granted, at the modules' input: reduce before raise */
    uint8_t run_mask[RM_SLOTS_MAX]; /* modules of the slot that run */
    int64_t spare_since_us[RM_SLOTS_MAX]; /* one module fewer would do since; 0 it would not */
};

void planner_init(struct planner_state *state);
void planner_step(struct planner_state *state, const struct plan_input *in, struct proposal *out);

#endif
