/* When the least powers of all vehicles are more than the site has: who is served and who waits.
 *
 * Whole vehicles are suspended, the worst class first; inside a class in turn, so that nobody waits for ever: after each
 * rotation as many of those served as there are waiting go to the end of the queue, who was served longest first.
 * Who was suspended stays so for SCARCITY_PAUSE_US, so that a limit that flickers does not make vehicles flicker; less than
 * the five seconds after which many vehicles give up.
 */
#ifndef RINGMAIN_RT_PLANNER_SCARCITY_H
#define RINGMAIN_RT_PLANNER_SCARCITY_H

#include "shm/base.h"

#define SCARCITY_CLASSES  8
#define SCARCITY_PAUSE_US 3000000

struct scarcity {
    int64_t queue_us[RM_SLOTS_MAX];      /* place in the queue of its class; 0 not in it */
    int64_t suspended_us[RM_SLOTS_MAX];  /* since; 0 it is served */
    int64_t turned_us[SCARCITY_CLASSES]; /* last rotation; 0 nobody of the class waits */
};

struct scarcity_claim {
    bool active;            /* a vehicle that wants power */
    uint8_t priority_class; /* below SCARCITY_CLASSES */
    int64_t least_w;        /* below this it is not served at all */
    int64_t arrival_us;     /* first place in the queue */
};

/* rotation_us 0: no turns, who came first stays. */
void scarcity_choose(struct scarcity *s, const struct scarcity_claim *claim, uint32_t count,
                     int64_t limit_w, int64_t rotation_us, int64_t now_us, bool *suspended);

#endif
