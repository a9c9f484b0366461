/* Frames to the PLC besides the contactor command: parameters, present values, limits. */
#include "rt/can/plc_private.h"

#include <string.h>

#define LIMITS_SPACED_US 100000

bool plc_push(const struct plc *p, uint32_t base_id, uint8_t data[8], bool use_crc,
              struct frame_batch *tx) {
    struct can_frame frame = {.can_id = base_id | p->plc_id | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    if (!use_crc) {
        frame.data[7] = 0;
    }
    return frame_batch_push(tx, p->interface, &frame);
}

/* Raw steps of a signal of 16 bits, rounded down, held to its range. */
static int32_t steps(int32_t value, int32_t step) {
    int32_t raw = value / step;
    return raw < 0 ? 0 : raw > UINT16_MAX ? UINT16_MAX : raw;
}

static void send_present(struct plc *p, const struct config *config, const struct plc_command *cmd,
                         struct frame_batch *tx, int64_t now_us) {
    const struct hub_evse_dc_present frame = {
        .voltage_dv = steps(cmd->present_mv, 100),
        .current_da = steps(cmd->present_ma, 100),
        .power_hw = steps(cmd->present_w, 100),
        .output_enabled = cmd->output_enabled,
        .regulating = cmd->regulating,
        .fault_bits = cmd->fault_bits & 0x3f,
    };
    uint8_t data[8];
    bool fits = hub_encode_evse_dc_present(&frame, data);
    assert(fits);
    if (plc_push(p, HUB_ID_EVSE_DC_PRESENT, data, config->plc.use_crc8, tx)) {
        p->present_next_us =
            plc_grid_next(p, now_us, plc_period_us(config, PLC_MESSAGE_EVSE_DC_PRESENT));
    }
}

static bool offer_changed(const struct plc *p, const struct plc_command *cmd) {
    return !p->offered || p->offered_mv != cmd->offer_mv || p->offered_ma != cmd->offer_ma ||
           p->offered_w != cmd->offer_w;
}

static void send_limits(struct plc *p, const struct config *config, const struct plc_command *cmd,
                        struct frame_batch *tx, int64_t now_us) {
    const struct hub_evse_dc_max_limits frame = {
        .voltage_dv = steps(cmd->offer_mv, 100),
        .current_da = steps(cmd->offer_ma, 100),
        .power_hw = steps(cmd->offer_w, 100),
    };
    uint8_t data[8];
    bool fits = hub_encode_evse_dc_max_limits(&frame, data);
    assert(fits);
    if (plc_push(p, HUB_ID_EVSE_DC_MAX_LIMITS, data, config->plc.use_crc8, tx)) {
        p->offered = true;
        p->offered_mv = cmd->offer_mv;
        p->offered_ma = cmd->offer_ma;
        p->offered_w = cmd->offer_w;
        p->limit_frames++;
        p->limits_earliest_us = now_us + LIMITS_SPACED_US;
        p->limits_next_us =
            plc_grid_next(p, now_us, plc_period_us(config, PLC_MESSAGE_EVSE_DC_MAX_LIMITS));
    }
}

void plc_tx_rest(struct plc *p, const struct config *config, const struct plc_command *cmd,
                 struct image_slot *image, struct frame_batch *tx, int64_t now_us) {
    if (image->interface_down || p->first_rx_us == 0) {
        return; /* nobody there to hear it */
    }
    if (now_us - image->plc_last_rx_us < PLC_SILENT_US) {
        plc_param_tx(p, config, cmd, tx, now_us);
    }
    if (config->slot[p->slot].gun < 0) {
        return; /* no vehicle can be there */
    }
    bool limits_due = now_us >= p->limits_next_us || offer_changed(p, cmd);
    if (limits_due && now_us >= p->limits_earliest_us) {
        send_limits(p, config, cmd, tx, now_us);
    }
    if (now_us >= p->present_next_us) {
        send_present(p, config, cmd, tx, now_us);
    }
}
