#include "rt/can/plc_private.h"

#include <string.h>

#define TICK_US             4000 /* a little below the guard's 5 ms, so that every tick counts once */
#define GRID_SHIFT_PER_MILL 61   /* of the period, per plcId: 16 nodes spread over it */

int64_t plc_grid_next(const struct plc *p, int64_t now_us, int64_t period_us) {
    int64_t shift_us = period_us * GRID_SHIFT_PER_MILL * p->plc_id / 1000;
    return ((now_us - shift_us) / period_us + 1) * period_us + shift_us;
}

void plc_init(struct plc *p, const struct config *config, uint32_t slot, int64_t now_us) {
    assert(slot < config->slots);
    memset(p, 0, sizeof(*p));
    p->slot = slot;
    p->interface = config->slot[slot].interface;
    p->plc_id = config->slot[slot].plc_id;
    p->gcmc = config->plc.contactor_frame == CONTACTOR_FRAME_GCMC;
    plc_contactor_restart(p, now_us);
    p->present_next_us =
        plc_grid_next(p, now_us, plc_period_us(config, PLC_MESSAGE_EVSE_DC_PRESENT));
    p->limits_next_us = now_us;
    plc_meter_init(p, config);
}

/* Everything is sent again, under a new sequence. */
static void resend(struct plc *p, int64_t now_us) {
    p->limits_next_us = 0;
    plc_contactor_restart(p, now_us);
    plc_param_restart(p);
}

void plc_restarted(struct plc *p, int64_t now_us) {
    p->restarts++;
    p->uptime_seen = false;
    plc_link_restart(p);
    plc_identity_restart(p);
    resend(p, now_us);
}

void plc_rx(struct plc *p, const struct config *config, const struct can_frame *frame,
            struct image_slot *image, int64_t now_us) {
    if (frame->can_id & CAN_ERR_FLAG) {
        return; /* the interface's affair */
    }
    if (!(frame->can_id & CAN_EFF_FLAG) || (frame->can_id & CAN_RTR_FLAG) || frame->len != 8) {
        image->format_errors++;
        return;
    }
    uint32_t id = frame->can_id & CAN_EFF_MASK;
    int index = hub_message_index(id & ~(uint32_t)HUB_PLC_ID_MASK);
    if (index < 0 || (id & HUB_PLC_ID_MASK) != p->plc_id || hub_messages[index].from_hub) {
        image->format_errors++;
        return;
    }
    if (!plc_link_accept(p, config, &hub_messages[index], frame, image, now_us)) {
        return;
    }
    bool was_silent = image->plc_last_rx_us != 0 && now_us - image->plc_last_rx_us >= PLC_SILENT_US;
    if (p->first_rx_us == 0) {
        p->first_rx_us = now_us;
    } else if (was_silent) {
        resend(p, now_us); /* it may have restarted unheard, and has opened everything */
    }
    image->plc_last_rx_us = now_us;
    plc_decode(p, config, index, frame, image, now_us);
}

void plc_tick(struct plc *p, const struct config *config, struct image_slot *image,
              int64_t now_us) {
    if (now_us < p->tick_us) {
        return;
    }
    p->tick_us = now_us + TICK_US;
    image->plc_status_stale =
        !sample_fresh(&image->contactor_status, now_us, PLC_STATUS_STALE_US / 1000);
    plc_link_tick(p, image, now_us);
    plc_safety_tick(p, config, image, now_us);
    plc_contactor_tick(p, config, image, now_us);
    plc_meter_tick(p, config, image, now_us);
    plc_identity_tick(p, image, now_us);
    plc_sense_tick(p, config, image, now_us);
}
