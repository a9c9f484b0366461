/* Random rings for tests and benchmarks of the partition: the same seed gives the same ring on every machine. */
#ifndef RINGMAIN_TESTS_INSTANCES_H
#define RINGMAIN_TESTS_INSTANCES_H

#include "rt/planner/partition.h"

struct instance_draw {
    uint64_t state;
};

void instance_seed(struct instance_draw *draw, uint64_t seed);
/* 0..below - 1 */
uint32_t instance_below(struct instance_draw *draw, uint32_t below);

/* Everything that can be odd about a ring: unequal and faulty modules, slots without modules or guns, kept, stuck and welded
 * edges, small ratings, previous state, classes, modes, site limits, voltages out of a module's range. */
void instance_odd(struct instance_draw *draw, uint32_t slots, struct partition_input *in);

/* A hub as built: two 30 kW modules per slot, vehicles of 50 to 350 kW at 350 to 900 V, some modules faulty, an edge
 * locked here and there, boundaries of 250 A, every fourth with a site limit; the previous state is a feasible one. */
void instance_usual(struct instance_draw *draw, uint32_t slots, uint32_t arc_max,
                    struct partition_input *in);

/* Rings that give the search the most to do: vehicles that take all they can get, so that every arc is worth a look, at one
 * to fourteen slots from each other, some without a module of their own, and nearly every edge closed before. */
void instance_hard(struct instance_draw *draw, uint32_t slots, uint32_t arc_max,
                   struct partition_input *in);

#endif
