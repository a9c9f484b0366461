/* Step B: as few modules as carry the current, near their best efficiency.
 *
 * Those that run go on; more are taken at once when they are needed, the gun's own slot first, then the nearer, then the
 * less worn. One is let go when those that remain have carried the current for MODULES_SPARE_US with the reserve that
 * keeps them at their efficiency point: the furthest first, then the more worn. A new session starts with all. Pure.
 */
#ifndef RINGMAIN_RT_PLANNER_MODULES_H
#define RINGMAIN_RT_PLANNER_MODULES_H

#include "rt/planner/island.h"

#define MODULES_SPARE_US       10000000
#define MODULES_SPARE_PERMILLE 1150 /* 87 % of the capability: where a module is most efficient */

struct modules {
    uint8_t run[RM_SLOTS_MAX];      /* bit j: module j of the slot runs */
    int16_t feeds[RM_SLOTS_MAX];    /* for whose gun, -1 none */
    int64_t spare_us[RM_SLOTS_MAX]; /* by gun: one module fewer would do since; 0 it would not */
};

void modules_init(struct modules *m);
/* Sets m->run of the island's slots; a module that can give nothing never runs. */
void modules_choose(struct modules *m, const struct plan_input *in, const struct island *island,
                    uint32_t gun, int64_t need_ma);
/* This slot feeds nobody. */
void modules_release(struct modules *m, uint32_t slot);

#endif
