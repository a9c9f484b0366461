/* PLC nodes: frames from the host. */
#include <string.h>

#include "hub_codec.h"
#include "tests/plant/plant_private.h"

enum config_status { STATUS_OK = 0, STATUS_NOT_ALLOWED, STATUS_UNKNOWN_PARAM, STATUS_BAD_VALUE };

#define PARAM_AUTH_STATE    20
#define PARAM_AUTH_PENDING  21
#define PARAM_LOCK_CMD      30
#define PARAM_STOP_REQUEST  40
#define PARAM_LIMIT_ACK     90
#define PARAM_PROTO_VERSION 91

/* One contactor command in the form both kinds of PLC share; order of node.seen. */
struct command {
    bool close[5];
    bool force_off, clear_faults, imd_enable, imd_test;
    uint8_t seq;
};

static bool all_off(const struct command *c) {
    return !(c->close[0] || c->close[1] || c->close[2] || c->close[3] || c->close[4]);
}

static void clear_faults(struct plant *p, uint32_t slot) {
    struct node *n = &p->slot[slot].node;
    if (!n->estop_input) {
        n->estop_latched = false;
    }
    n->latched_reason = 0;
}

static void set_imd(struct plant *p, uint32_t slot, bool enable, bool test, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    if (enable != n->imd_enable) {
        n->imd_enable = enable;
        n->changed |= 1u << NODE_IMD;
    }
    if (enable && test && !n->imd_test_cmd) {
        static const double ends_s[3][2] = {{2.0, 3.5}, {0.8, 1.2}, {0.3, 0.4}};
        const double *range = ends_s[p->options.handshake];
        n->imd_test = 1;
        n->imd_test_end_us = now_us + (int64_t)(random_range(&p->random, range[0], range[1]) * 1e6);
        n->cable_check_peak_v = 0;
        n->changed |= 1u << NODE_IMD;
    }
    n->imd_test_cmd = enable && test;
}

static bool is_blocked(const struct plant *p, const struct slot *s, int64_t now_us) {
    const uint8_t reason = node_fault_reason(p, s, now_us);
    if (p->options.estop_soft && (reason == 4 || reason == 12)) {
        return false;
    }
    return reason != 0 && reason != 7;
}

/* Repeated sequence: a refresh that feeds the watchdog and changes nothing. A closing command while this node holds
 * everything open is not applied, so it stays unacknowledged; opening always is. */
static void take_command(struct plant *p, uint32_t slot, const struct command *c, int64_t now_us) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    const bool off = all_off(c);
    n->heard_us = now_us;
    if (off && (n->latched_reason == 5 || n->latched_reason == 6 || n->latched_reason == 8)) {
        n->latched_reason = 0;
        n->changed |= 1u << NODE_GCMC_STATUS;
    }
    if (n->cmd_seen && c->seq == n->seq_rx && c->seq == n->seq_applied) {
        return;
    }
    n->changed |= n->relay_mode ? 1u << NODE_RELAY_STATUS : 1u << NODE_GCMC_STATUS;
    n->cmd_seen = true;
    n->seq_rx = c->seq;
    if (c->clear_faults) {
        clear_faults(p, slot);
    }
    if (!off && is_blocked(p, s, now_us)) {
        return;
    }
    n->force_off = c->force_off;
    memcpy(n->seen, c->close, sizeof(n->seen));
    set_imd(p, slot, c->imd_enable, c->imd_test, now_us);
    n->seq_applied = c->seq;
}

static void rx_gcmc(struct plant *p, uint32_t slot, const uint8_t data[8], int64_t now_us) {
    struct hub_gcmc_command in;
    if (p->slot[slot].node.relay_mode || !hub_decode_gcmc_command(data, &in)) {
        return;
    }
    const struct command c = {
        .close = {in.gc_cmd && !in.force_all_off, in.mc_cmd && !in.force_all_off,
                  in.mn0_cmd && !in.force_all_off, in.mn1_cmd && !in.force_all_off,
                  in.bc_cmd && !in.force_all_off},
        .force_off = in.force_all_off,
        .clear_faults = in.clear_faults,
        .imd_enable = in.imd_enable,
        .imd_test = in.imd_self_test,
        .seq = (uint8_t)in.cmd_seq};
    take_command(p, slot, &c, now_us);
}

static void rx_relay(struct plant *p, uint32_t slot, const uint8_t data[8], int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    struct hub_relay_control in;
    if (!n->relay_mode || !hub_decode_relay_control(data, &in)) {
        return;
    }
    const bool on = in.sys_enable && !in.force_all_off;
    const struct command c = {.close = {in.rly1_cmd && in.rly1_enable && on, false,
                                        in.rly2_cmd && in.rly2_enable && on,
                                        in.rly3_cmd && in.rly3_enable && on, false},
                              .force_off = in.force_all_off,
                              .clear_faults = in.clear_faults,
                              .imd_enable = in.imd_enable,
                              .imd_test = in.imd_self_test,
                              .seq = (uint8_t)in.cmd_seq};
    const bool fresh = !n->cmd_seen || c.seq != n->seq_applied;
    take_command(p, slot, &c, now_us);
    if (fresh && n->seq_applied == c.seq) {
        static const unsigned index[3] = {0, 2, 3};
        for (unsigned i = 0; i < 3; i++) {
            n->pulse_end_us[i] = in.cmd_mode == 1 && c.close[index[i]]
                                     ? now_us + (int64_t)in.pulse_ms * 1000
                                     : NEVER;
        }
    }
}

static enum config_status set_param(struct plant *p, uint32_t slot, int32_t param, int64_t value) {
    struct node *n = &p->slot[slot].node;
    switch (param) {
    case PARAM_AUTH_STATE:
        if (value > 1) {
            return STATUS_BAD_VALUE;
        }
        if (n->auth_granted != (value == 1)) {
            n->auth_granted = value == 1;
            n->changed |= 1u << NODE_CHARGE_INFO;
        }
        return STATUS_OK;
    case PARAM_AUTH_PENDING:
        n->auth_pending_cmd = value == 1;
        return value > 1 ? STATUS_BAD_VALUE : STATUS_OK;
    case PARAM_LOCK_CMD:
        if (value > 1) {
            return STATUS_BAD_VALUE;
        }
        n->lock_cmd = value == 1;
        return STATUS_OK;
    case PARAM_STOP_REQUEST:
        if (value > 3) {
            return STATUS_BAD_VALUE;
        }
        n->stop_request = (uint32_t)value;
        return STATUS_OK;
    case PARAM_PROTO_VERSION:
        n->proto_ok = value == 1;
        return value == 1 ? STATUS_OK : STATUS_BAD_VALUE;
    case PARAM_LIMIT_ACK: return STATUS_NOT_ALLOWED;
    default: return STATUS_UNKNOWN_PARAM;
    }
}

static int64_t get_param(const struct node *n, int32_t param) {
    switch (param) {
    case PARAM_AUTH_STATE: return n->auth_granted;
    case PARAM_AUTH_PENDING: return n->auth_pending_cmd;
    case PARAM_LOCK_CMD: return n->lock_cmd;
    case PARAM_STOP_REQUEST: return n->stop_request;
    case PARAM_LIMIT_ACK: return n->limit_frames;
    case PARAM_PROTO_VERSION: return 1;
    default: return -1;
    }
}

static void rx_config(struct plant *p, uint32_t slot, const uint8_t data[8]) {
    struct node *n = &p->slot[slot].node;
    struct hub_config_cmd in;
    if (!hub_decode_config_cmd(data, &in)) {
        return;
    }
    enum config_status status;
    int64_t value = in.cfg_value;
    if (in.cfg_op == 1) {
        value = get_param(n, in.cfg_param_id);
        status = value < 0 ? STATUS_UNKNOWN_PARAM : STATUS_OK;
        value = value < 0 ? 0 : value;
    } else {
        status = set_param(p, slot, in.cfg_param_id, value);
    }
    node_transmit_ack(p, slot, (uint8_t)in.cfg_param_id, (uint8_t)status, (uint32_t)value);
}

static void rx_limits(struct plant *p, uint32_t slot, const uint8_t data[8]) {
    struct node *n = &p->slot[slot].node;
    struct hub_evse_dc_max_limits in;
    if (hub_decode_evse_dc_max_limits(data, &in)) {
        n->offer_v = in.voltage_dv / 10.0;
        n->offer_a = in.current_da / 10.0;
        n->offer_w = in.power_hw * 100.0;
        n->limit_frames++;
        node_transmit_ack(p, slot, PARAM_LIMIT_ACK, STATUS_OK, n->limit_frames);
    }
}

static void crc_failed(struct plant *p, uint32_t slot, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    n->crc_errors++;
    p->report.crc_errors++;
    n->crc_bad_us[0] = n->crc_bad_us[1];
    n->crc_bad_us[1] = n->crc_bad_us[2];
    n->crc_bad_us[2] = now_us;
    if (now_us - n->crc_bad_us[0] <= 1000000 && n->latched_reason == 0) {
        n->latched_reason = 8;
        plant_event(p, PLANT_EVENT_NODE, slot, "PLC: three frames with a wrong CRC in 1 s");
    }
}

void node_rx(struct plant *p, uint32_t slot, const struct can_frame *frame, int64_t now_us) {
    struct node *n = &p->slot[slot].node;
    if (!node_running(n, now_us)) {
        return;
    }
    if (frame->len != 8) {
        p->report.format_errors++;
        return;
    }
    n->rx_count++;
    const uint32_t base = frame->can_id & CAN_EFF_MASK & ~(uint32_t)HUB_PLC_ID_MASK;
    const int index = hub_message_index(base);
    if (index < 0 || !hub_messages[index].from_hub) {
        p->report.format_errors++;
        return;
    }
    if (n->use_crc && !hub_crc8_ok(frame->data)) {
        crc_failed(p, slot, now_us);
        return;
    }
    switch (base) {
    case HUB_ID_GCMC_COMMAND: rx_gcmc(p, slot, frame->data, now_us); break;
    case HUB_ID_RELAY_CONTROL: rx_relay(p, slot, frame->data, now_us); break;
    case HUB_ID_CONFIG_CMD: rx_config(p, slot, frame->data); break;
    case HUB_ID_EVSE_DC_MAX_LIMITS: rx_limits(p, slot, frame->data); break;
    case HUB_ID_EVSE_DC_PRESENT: {
        struct hub_evse_dc_present in;
        n->output_enabled = hub_decode_evse_dc_present(frame->data, &in) && in.output_enabled;
        break;
    }
    default: break;
    }
}
