/* Bay guidance: which free gun the next driver should take, and what a vehicle would get there now and in ten minutes.
 *
 * Recommended is the gun with the most power in slots that feed nobody, so that it takes nothing from those who charge;
 * among equals the one where a vehicle would get more now, then later.
 * Each free gun in turn is put to the partition as if a vehicle stood there that takes all its gun gives: now with what the
 * others ask for, later with what they are expected to ask for then (who has tapered off by then counts as gone). One
 * question per call, so that a cycle's time stays bounded; every figure is as old as the free guns are many.
 */
#ifndef RINGMAIN_RT_PLANNER_GUIDANCE_H
#define RINGMAIN_RT_PLANNER_GUIDANCE_H

#include "rt/planner/islands.h"

#define GUIDANCE_AHEAD_US INT64_C(600000000)
#define GUIDANCE_GONE_W   1000 /* who asks for less then has left */
#define GUIDANCE_STAY_W   2000 /* another gun is recommended only when it is better by this */

struct guidance {
    uint16_t next; /* gun to ask about, and .. */
    bool later;    /* .. whether its later figure is due */
    int16_t slot;  /* recommended, -1 none */
    bool known[RM_SLOTS_MAX];
    int32_t free_w[RM_SLOTS_MAX]; /* of the longest arc of slots that feed nobody */
    int32_t now_w[RM_SLOTS_MAX], later_w[RM_SLOTS_MAX];
    struct partition_input question;
    struct partition_result answer;
};

void guidance_init(struct guidance *g);
/* asked: the question of the present arrangement (islands_ask), owner: its aim; scratch is the caller's. ask false: no time for a
 * question in this cycle, only what is known is brought up to date. */
void guidance_step(struct guidance *g, const struct islands_view *view,
                   const struct partition_input *asked, const int16_t *owner,
                   struct partition *scratch, bool ask);

#endif
