/* One gun's island as it surely conducts now: its slots, what each of its modules can give at the gun's voltage, and what
 * of that the boundaries let through to the gun. Pure. */
#ifndef RINGMAIN_RT_PLANNER_ISLAND_H
#define RINGMAIN_RT_PLANNER_ISLAND_H

#include "rt/planner/contactors.h"

#define ISLAND_SLOTS_MAX (2 * TOPOLOGY_ARC_MAX)

struct island {
    uint32_t slots;
    uint32_t home;                   /* place of the gun's own slot in the lists */
    uint16_t slot[ISLAND_SLOTS_MAX]; /* clockwise */
    int32_t able_ma[ISLAND_SLOTS_MAX]
                   [RM_MODULES_PER_SLOT_MAX]; /* 0: not on the bus, not healthy, not its voltage */
};

/* What one module can give now at that voltage; nothing before it is on the bus. */
int32_t island_module_ma(const struct plan_module *m, int32_t set_mv, int32_t now_mv);
void island_collect(const struct plan_input *in, uint32_t slots, const int16_t *feeds, uint32_t gun,
                    int32_t set_mv, int32_t now_mv, struct island *out);

/* Modules whose bit is not set in run[slot] give nothing. */
void island_keep(struct island *island, const uint8_t *run);
/* Current of all modules, boundaries not looked at. */
int64_t island_sum_ma(const struct island *island);
/* Lowers able_ma until no boundary of the island would carry more than its rating, cumulated, were every module to give
 * all of it: what lies beyond a boundary gives up the same part. Afterwards any smaller current shared by able_ma keeps
 * the ratings. Returns the sum that is left. */
int64_t island_cap_edges(const struct plan_input *in, struct island *island);

#endif
