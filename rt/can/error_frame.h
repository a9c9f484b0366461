/* What an error frame of the transport says about the state of its interface. The one place that decodes them. */
#ifndef RINGMAIN_RT_CAN_ERROR_FRAME_H
#define RINGMAIN_RT_CAN_ERROR_FRAME_H

#include <linux/can.h>
#include <linux/can/error.h>
#include <stdbool.h>

#include "shm/event.h"

/* false: it tells of something else (an overflow, a protocol error), the state is as it was. Bus-off and restarted in one
 * frame would be a contradiction; bus-off is the safe reading. */
static inline bool can_error_state(const struct can_frame *frame, enum interface_state *state) {
    const uint8_t passive = CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE;
    const uint8_t warning = CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING;
    const uint8_t controller = (frame->can_id & CAN_ERR_CRTL) != 0 ? frame->data[1] : 0;
    const bool restarted = (frame->can_id & CAN_ERR_RESTARTED) != 0;
    const bool active =
        (controller & (passive | warning)) == 0 && (controller & CAN_ERR_CRTL_ACTIVE) != 0;
    if ((frame->can_id & CAN_ERR_BUSOFF) != 0) {
        *state = INTERFACE_BUS_OFF;
    } else if (restarted || active) {
        *state = INTERFACE_UP;
    } else if ((controller & passive) != 0) {
        *state = INTERFACE_PASSIVE;
    } else if ((controller & warning) != 0) {
        *state = INTERFACE_WARNING;
    } else {
        return false;
    }
    return true;
}

#endif
