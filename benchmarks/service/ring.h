/* A day at the ring with the real planner and a fast model of all the rest.
 *
 * planner_step() of rt/planner decides on a plan_input filled as the guard fills it; what it proposes is followed as the sequencers
 * do, with their order (one boundary per island at a time, outermost first on the way out, innermost first on the way in) and with
 * times of one table. Cars are those of car.h. The planner is called every 50 ms while anything is going on, and
 * every RING_CALM_S while only batteries fill; every_cycle: every 50 ms always.
 */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_RING_H
#define RINGMAIN_BENCHMARKS_SERVICE_RING_H

#include "benchmarks/service/tally.h"

#define RING_CALM_S     2.0
#define RING_START_S    19.5 /* plug to first current: sum of the phases of ring.c */
#define RING_END_S      1.6 /* last current to the end of the session, when the driver comes back */
#define RING_NO_LIMIT_W 1000000 /* "no grid limit": more than the modules take */

struct ring_options {
    double grid_w; /* at the modules' input; INFINITY none */
    bool guided;   /* drivers take the gun that the planner recommends */
    bool every_cycle;
    int operation_cost_kj; /* planner.operationCostKJ; negative: as configured by default */
};
void ring_day(const struct day *day, const struct ring_options *options, struct street *street,
              struct tally *tally);

#endif
