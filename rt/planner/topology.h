/* The topology detector: which slots hang together now, found anew in every cycle from what the contactors tell.
 *
 * Two views, as the interlocks have them: by edges that may conduct (for everything that must not meet) and by edges that
 * surely conduct (for everything that is counted on). Components are arcs of the ring, or the whole of it. Pure.
 */
#ifndef RINGMAIN_RT_PLANNER_TOPOLOGY_H
#define RINGMAIN_RT_PLANNER_TOPOLOGY_H

#include "rt/proposal.h"

/* Longest island that is planned or counted, whatever maxSlots says. */
#define TOPOLOGY_ARC_MAX 16

struct topology {
    uint32_t slots;
    uint16_t may[RM_SLOTS_MAX]; /* component; only equality means anything */
    uint16_t sure[RM_SLOTS_MAX];
    bool gun[RM_SLOTS_MAX]; /* a gun is on this slot's bus, comes onto it or has not left it */
    int16_t feeds
        [RM_SLOTS_MAX]; /* slot whose gun this slot surely can feed now, -1 none: the gun's own slot, and what
                                    surely conducts to it without another gun between */
};

/* slots: at most RM_SLOTS_MAX. */
void topology_look(const struct plan_input *in, uint32_t slots, struct topology *out);

static inline uint32_t topology_next(uint32_t slot, uint32_t slots) {
    return slot + 1 < slots ? slot + 1 : 0;
}

static inline uint32_t topology_previous(uint32_t slot, uint32_t slots) {
    return slot > 0 ? slot - 1 : slots - 1;
}

#endif
