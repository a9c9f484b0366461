/* Step D, the question: slots, edges, modules and wishes as the partition wants them.
 *
 * A gun asks for islands while it charges; its demand is what its vehicle is expected to take on average while the
 * arrangement holds (forecast.h). Slots whose own gun is on the bus, comes or leaves, are nobody else's. Pure.
 */
#ifndef RINGMAIN_RT_PLANNER_ISLANDS_H
#define RINGMAIN_RT_PLANNER_ISLANDS_H

#include "rt/planner/forecast.h"
#include "rt/planner/partition.h"
#include "rt/planner/topology.h"
#include "rt/planner/wish.h"

struct islands_view {
    const struct plan_input *in;
    const struct topology *topology;
    const struct wish *wish;
    const struct forecast *forecast;
    const bool *suspended;
    int32_t efficiency_permille;
    uint32_t slots;
};

/* Fills the question with every edge free that can be changed at all; edge_was_closed is left to the caller. A gun whose
 * targets are missing for a moment keeps the demand that stands in out from the last call. */
void islands_ask(const struct islands_view *view, struct partition_input *out);
/* Output power that the guns of the question may have together. */
int64_t islands_site_w(const struct islands_view *view);
/* Most that any arc could give this gun: through slots that are no other gun's and edges that can be closed. With owner
 * (as in struct holding) only through slots that feed nobody, and nothing when its own feeds another. */
int32_t islands_reach_w(const struct partition_input *question, uint32_t gun, const int16_t *owner);

#endif
