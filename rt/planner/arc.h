/* Capacity of an arc of slots for the gun it serves: a maximum flow on a path, at the vehicle's voltage.
 *
 * The modules of the gun's own slot feed it directly; what comes from further out passes every boundary in between, so
 * a side contributes min over its cuts: a boundary's rating plus the modules inside of it. Each capacity is whole watts,
 * rounded down: a module gives min(max_w, max_ma x mv), a boundary carries edge_max_ma x mv, and a module whose voltage range
 * does not hold the vehicle's voltage gives nothing. Pure; cost: linear in the slots looked at times their modules.
 */
#ifndef RINGMAIN_RT_PLANNER_ARC_H
#define RINGMAIN_RT_PLANNER_ARC_H

#include "shm/base.h"

#define ARC_SLOTS_MAX 16

struct partition_input;
struct partition_module;
struct partition_slot;

/* What one gun can draw: left_w[n] comes from n slots on its counter-clockwise side, right_w[n] from the other side. */
struct arc_reach {
    int32_t own_w;
    uint8_t left, right; /* slots filled in on each side */
    int32_t left_w[ARC_SLOTS_MAX], right_w[ARC_SLOTS_MAX];
};

/* Current times voltage in watts, rounded down; 0 for what is not positive, INT32_MAX for what does not fit. */
int32_t arc_power_w(int32_t ma, int32_t mv);
int32_t arc_module_w(const struct partition_module *module, int32_t mv);
/* All modules of a slot together, at most INT32_MAX. */
int32_t arc_slot_w(const struct partition_slot *slot, int32_t mv);
/* Fills `out` for the gun of slot `gun`, for arcs of up to slots_max slots; looks past no edge that is kept open. */
void arc_reach(const struct partition_input *in, uint32_t gun, uint32_t slots_max,
               struct arc_reach *out);
/* The gun's arc reaches `left` and `right` slots beyond its own; neither beyond what the reach holds. */
int32_t arc_capacity_w(const struct arc_reach *reach, uint32_t left, uint32_t right);

#endif
