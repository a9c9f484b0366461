/* Step E: one voltage on all running modules of an island, its current shared by capability. Pure. */
#ifndef RINGMAIN_RT_PLANNER_SETPOINTS_H
#define RINGMAIN_RT_PLANNER_SETPOINTS_H

#include "rt/planner/modules.h"

/* Writes run, set_mv and set_ma of the island's modules. Rounded down: their sum is never above total_ma, and no
 * boundary carries more than its rating. Modules that do not run give nothing. */
void setpoints_write(const struct plan_input *in, const struct island *island,
                     const struct modules *modules, int32_t set_mv, int32_t total_ma,
                     struct proposal *out);
/* Reduce before raise, slot by slot (S13): where current moves from one slot of an island to another, the one rises only as
 * the other's books have come down. All rises give up the same part until what slots hold or are given fits the site. */
void setpoints_limit_rises(const struct plan_input *in, uint32_t slots, int32_t efficiency_permille,
                           struct proposal *out);

#endif
