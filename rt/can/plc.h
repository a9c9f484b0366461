/* The PLC driver: the CAN contract's sections 1 to 4 for one PLC node, frames to image and outputs to frames.
 * Pure: no clock, no I/O. One struct plc per slot, owned by the guard thread. */
#ifndef RINGMAIN_RT_CAN_PLC_H
#define RINGMAIN_RT_CAN_PLC_H

#include "configs/config.h"
#include "rt/frames.h"
#include "rt/image.h"
#include "rt/request.h"

/* What one slot's PLC has to be told now; compared with what it was told last. */
struct plc_command {
    bool contactor[CONTACTORS_PER_SLOT]; /* GC MC BC MN.. as far as this PLC switches them */
    bool imd_enable, imd_self_test, force_all_off;
    bool send;         /* false: no contactor frames */
    bool clear_faults; /* on an operator's request: at most 3 attempts are made */
    bool auth_granted, auth_pending, lock;
    uint8_t stop_request;
    int32_t offer_mv, offer_ma, offer_w;
    int32_t present_mv, present_ma, present_w;
    bool output_enabled, regulating;
    uint8_t fault_bits;
    bool plugged; /* auth state is refreshed every second while true */
};

struct plc; /* defined in plc_state.h for embedding; treat as opaque */

void plc_init(struct plc *p, const struct config *config, uint32_t slot, int64_t now_us);
/* One frame whose id named this PLC. Updates the image of its slot. */
void plc_rx(struct plc *p, const struct config *config, const struct can_frame *frame,
            struct image_slot *image, int64_t now_us);
/* Time's share: debounce, reassembly time-outs, staleness flags, acknowledgement supervision, CRC-mode verdict. */
void plc_tick(struct plc *p, const struct config *config, struct image_slot *image, int64_t now_us);
/* Frames due now; urgent (contactor) frames are pushed by plc_tx_contactors, the rest by plc_tx_rest, so that the
 * caller can send all slots' contactor frames first. */
void plc_tx_contactors(struct plc *p, const struct config *config, const struct plc_command *cmd,
                       struct image_slot *image, struct frame_batch *tx, int64_t now_us);
void plc_tx_rest(struct plc *p, const struct config *config, const struct plc_command *cmd,
                 struct image_slot *image, struct frame_batch *tx, int64_t now_us);
/* The acknowledgement fault is released: its session has ended, or outside of one the PLC has obeyed all-off. */
void plc_ack_clear(struct plc *p, struct image_slot *image);
/* true while the last command is FORCE_ALL_OFF and the PLC has acknowledged it. */
bool plc_off_acknowledged(const struct plc *p);

#endif
