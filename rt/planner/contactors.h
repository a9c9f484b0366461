/* Step C: which boundaries and module contactors should be closed now, on the way to the arrangement aimed at.
 *
 * Between islands break before make: an edge is asked to close only when nothing that may still conduct joins the slots
 * behind it to another gun. Inside an island make before break: a slot that nobody waits for is kept until what
 * replaces it has joined, at most CONTACTORS_DEFER_US, and so is one without which the gun would have nothing at all. Pure.
 */
#ifndef RINGMAIN_RT_PLANNER_CONTACTORS_H
#define RINGMAIN_RT_PLANNER_CONTACTORS_H

#include "rt/planner/holding.h"

#define CONTACTORS_DEFER_US 10000000

struct contactors {
    bool edge_closed[RM_SLOTS_MAX];
    bool reclaim[RM_SLOTS_MAX];
    int16_t feeds
        [RM_SLOTS_MAX]; /* whose gun the slot's current goes to: as surely conducts, without slots that leave;
                                    -1 none */
    bool pending[RM_SLOTS_MAX]; /* gun of this slot waits for slots that still join */
};

void contactors_aim(const struct holding *h, const struct islands_view *view,
                    struct contactors *out);
/* Should the module contactors of this slot be closed? */
bool contactors_slot_on(const struct contactors *c, const struct holding *h,
                        const struct islands_view *view, uint32_t slot);

#endif
