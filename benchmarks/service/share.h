/* Who gets how much power in the topologies that the ring is compared with; no switching time, no losses of order.
 *
 * Groups (fixed, pairs, cabinets, full matrix): the group's modules go to its guns one by one, each to the worst-off gun that still
 * wants, which is leximin for equal modules. Pool: water-filling of all power. Ring: the exact solution of
 * rt/planner/partition.h on the demands of the moment. A site limit cuts the powers at one level.
 */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_SHARE_H
#define RINGMAIN_BENCHMARKS_SERVICE_SHARE_H

#include "benchmarks/service/day.h"

enum topology {
    TOPOLOGY_FIXED = 0,
    TOPOLOGY_PAIRS,
    TOPOLOGY_CABINETS,
    TOPOLOGY_IDEAL_RING,
    TOPOLOGY_MATRIX,
    TOPOLOGY_POOL,
    TOPOLOGY_COUNT
};
const char *topology_name(unsigned topology);

#define SHARE_MODULES_PER_GUN 2
#define SHARE_TYPICAL_W       150000.0
#define SHARE_TYPICAL_V       400.0
#define SHARE_EFFICIENCY      0.95 /* site limits are of input power */

struct share {
    enum topology topology;
    double site_w; /* output power of all guns together; INFINITY none */
    bool edge_closed[DAY_GUNS];
    uint64_t closings;
};
void share_init(struct share *s, enum topology topology, double site_w);
/* wish_w 0: nobody charges there; volts: of the vehicles. */
void share_power(struct share *s, const double wish_w[DAY_GUNS], const double volts[DAY_GUNS],
                 double power_w[DAY_GUNS]);
/* Bay guidance: how much all guns together would get if a typical car came to each gun that is free; 0 at the others. The
 * newcomer's own power is no guide: leximin gives it much wherever it takes from many. */
void share_guide(const struct share *s, const double wish_w[DAY_GUNS], const double volts[DAY_GUNS],
                 const bool free[DAY_GUNS], double total_w[DAY_GUNS]);

#endif
