/* The module bus: one driver per power module behind one interface, a codec plus a small table per protocol
 * (maxwell MXR V1.50, infypower V1.13). Pure: no clock, no I/O. One struct module_driver per module, guard thread. */
#ifndef RINGMAIN_RT_CAN_MODULE_H
#define RINGMAIN_RT_CAN_MODULE_H

#include "configs/config.h"
#include "rt/frames.h"
#include "rt/image.h"
#include "rt/request.h"

struct module_driver; /* defined in module_state.h for embedding; treat as opaque */

void module_init(struct module_driver *m, const struct config *config, uint32_t slot,
                 uint32_t module, int64_t now_us);
/* A frame of this module's bus that names its address. */
void module_rx(struct module_driver *m, const struct config *config, const struct can_frame *frame,
               struct image_module *image, int64_t now_us);
/* Address of the module that sent this frame, or -1 when it is not a reply of this protocol. */
int module_frame_source(enum module_protocol protocol, const struct can_frame *frame);
/* Frames due now. Off and zero current go at once, any other setpoint at most every
 * setpoint_min_ms, lowered ones before raised ones. urgent: only what goes down. */
void module_tx(struct module_driver *m, const struct config *config,
               const struct request_module *wanted, bool urgent, struct image_module *image,
               struct frame_batch *tx, int64_t now_us);

#endif
