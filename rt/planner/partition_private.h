/* The solver's own steps, in the order partition_solve() takes them. For its files and nobody else. */
#ifndef RINGMAIN_RT_PLANNER_PARTITION_PRIVATE_H
#define RINGMAIN_RT_PLANNER_PARTITION_PRIVATE_H

#include "rt/planner/partition.h"

/* Slot or piece `steps` further clockwise; steps at most one round. */
static inline uint32_t partition_wrap(uint32_t at, uint32_t steps, uint32_t count) {
    uint32_t to = at + steps;
    return to < count ? to : to - count;
}

/* Cuts the ring at every edge that is not kept closed. False: there is no such edge, nobody can be served. */
bool partition_pieces(struct partition *p, const struct partition_input *in);

/* Every arc's best owner and cost under the present cuts, and which arcs the search must look at. */
void partition_arcs(struct partition *p, const struct partition_input *in);

/* The best division of the circle into kept arcs, in best and best_pieces. */
void partition_search(struct partition *p, enum partition_mode mode);

#endif
