/* CAN frames between the pure core and its transports: a bounded batch, never a pointer into a driver.
 * struct can_frame is Linux's (linux/can.h): can_id with CAN_EFF_FLAG, len, data. */
#ifndef RINGMAIN_RT_FRAMES_H
#define RINGMAIN_RT_FRAMES_H

#include <linux/can.h>

#include "shm/base.h"

struct bus_frame {
    struct can_frame frame;
    uint8_t interface; /* index into config.interface[] */
};

#define FRAME_BATCH_MAX                                                                            \
    2560 /* a whole step of the largest hub: 96 slots x 5 + 768 modules x 2, with room */

struct frame_batch {
    uint32_t count;
    uint32_t
        dropped; /* pushes refused because the batch was full: counted, reported, never silent */
    struct bus_frame item[FRAME_BATCH_MAX];
};

static inline void frame_batch_clear(struct frame_batch *batch) {
    batch->count = 0;
    batch->dropped = 0;
}

/* false when full (counted in dropped) */
static inline bool frame_batch_push(struct frame_batch *batch, uint8_t interface,
                                    const struct can_frame *frame) {
    if (batch->count >= FRAME_BATCH_MAX) {
        batch->dropped++;
        return false;
    }
    batch->item[batch->count].frame = *frame;
    batch->item[batch->count].interface = interface;
    batch->count++;
    return true;
}

#endif
