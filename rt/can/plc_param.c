/* Parameters of the PLC: sent on change, confirmed by ConfigAck, repeated until then (contract section 2). */
#include "rt/can/plc_private.h"

#define SPACING_US                                                                                 \
    20000 /* between two ConfigCmd of one PLC, so that a start does not fill the bus */
#define PROTO_VERSION   1
#define LIMIT_ACK_PARAM 90

enum config_status { CONFIG_STATUS_OK = 0, CONFIG_STATUS_BUSY = 4 };

/* The most urgent first. */
static const uint8_t param_id[PLC_PARAMS] = {
    [PLC_PARAM_STOP_REQUEST] = 40, [PLC_PARAM_LOCK] = 30,          [PLC_PARAM_AUTH_STATE] = 20,
    [PLC_PARAM_AUTH_PENDING] = 21, [PLC_PARAM_PROTO_VERSION] = 91,
};

static uint32_t wanted(const struct plc_command *cmd, unsigned param) {
    switch ((enum plc_param)param) {
    case PLC_PARAM_STOP_REQUEST: return cmd->stop_request;
    case PLC_PARAM_LOCK: return cmd->lock;
    case PLC_PARAM_AUTH_STATE: return cmd->auth_granted;
    case PLC_PARAM_AUTH_PENDING: return cmd->auth_pending;
    case PLC_PARAM_PROTO_VERSION:
    case PLC_PARAMS: break;
    }
    return PROTO_VERSION;
}

static bool is_due(const struct plc *p, const struct plc_command *cmd, unsigned i, int64_t now_us) {
    const struct plc_param_state *param = &p->param[i];
    if (!param->known || param->value != wanted(cmd, i)) {
        return true;
    }
    bool refresh = i == PLC_PARAM_AUTH_STATE && cmd->plugged;
    return (!param->acknowledged || refresh) && now_us >= param->next_us;
}

void plc_param_tx(struct plc *p, const struct config *config, const struct plc_command *cmd,
                  struct frame_batch *tx, int64_t now_us) {
    if (now_us < p->config_next_us) {
        return;
    }
    for (unsigned i = 0; i < PLC_PARAMS; i++) {
        if (!is_due(p, cmd, i, now_us)) {
            continue;
        }
        struct plc_param_state *param = &p->param[i];
        const struct hub_config_cmd frame = {.cfg_param_id = param_id[i],
                                             .cfg_value = wanted(cmd, i)};
        uint8_t data[8];
        bool fits = hub_encode_config_cmd(&frame, data);
        assert(fits);
        if (!plc_push(p, HUB_ID_CONFIG_CMD, data, config->plc.use_crc8, tx)) {
            return;
        }
        if (!param->known || param->value != wanted(cmd, i)) {
            param->acknowledged = false;
        }
        param->known = true;
        param->value = wanted(cmd, i);
        param->next_us = now_us + plc_period_us(config, PLC_MESSAGE_CONFIG_CMD);
        p->config_next_us = now_us + SPACING_US;
        return;
    }
    p->config_next_us = now_us; /* nothing due: a change goes out at once */
}

void plc_param_ack(struct plc *p, const struct hub_config_ack *in, struct image_slot *image) {
    if (in->plc_id != p->plc_id) {
        image->format_errors++; /* speaks for another node */
        return;
    }
    if (in->param == LIMIT_ACK_PARAM) {
        p->limit_frames_taken = (uint32_t)in->value;
        return;
    }
    bool any_refused = false;
    for (unsigned i = 0; i < PLC_PARAMS; i++) {
        struct plc_param_state *param = &p->param[i];
        if (param_id[i] == in->param && param->known) {
            const bool good = in->status == CONFIG_STATUS_OK;
            const bool other_version = good && i == PLC_PARAM_PROTO_VERSION;
            if (good && in->value == (int64_t)param->value) {
                param->acknowledged = true;
                param->refused = false;
            } else if (other_version || (!good && in->status != CONFIG_STATUS_BUSY)) {
                param->refused = true; /* and is repeated every second all the same */
            }
        }
        any_refused = any_refused || param->refused;
    }
    image->config_refused = any_refused;
}

void plc_param_restart(struct plc *p) {
    for (unsigned i = 0; i < PLC_PARAMS; i++) {
        p->param[i].acknowledged = false;
        p->param[i].next_us = 0;
    }
    p->config_next_us = 0;
}
