#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/can/float32.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"

enum step {
    IDLE = 0,
    CHECK_CLOSE,
    CHECK_VOLTAGE,
    CHECK_TEST,
    CHECK_DISCHARGE,
    PRECHARGE,
    DELIVER,
    CHARGE,
    DOWN,
    OPEN,
    DISCHARGE,
    UNLOCK
};

/* ---- sending ---- */

void host_send(struct host *h, uint32_t interface, uint32_t id, const uint8_t data[8]) {
    struct can_frame frame = {.can_id = id | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    plant_rx(h->plant, interface, &frame, h->now_us);
}

static void to_plc(struct host *h, uint32_t slot, uint32_t base, const uint8_t data[8]) {
    const struct config_slot *c = &h->config.slot[slot];
    host_send(h, c->interface, base | c->plc_id, data);
}

void host_config_cmd(struct host *h, uint32_t slot, uint8_t param, uint8_t op, uint32_t value) {
    const struct hub_config_cmd m = {.cfg_param_id = param, .cfg_op = op, .cfg_value = value};
    uint8_t data[8];
    assert_true(hub_encode_config_cmd(&m, data));
    to_plc(h, slot, HUB_ID_CONFIG_CMD, data);
}

static void encode_command(const struct host *h, uint32_t slot, uint8_t seq, uint8_t data[8]) {
    const struct host_slot *s = &h->slot[slot];
    if (h->config.plc.contactor_frame == CONTACTOR_FRAME_RELAY) {
        const struct hub_relay_control m = {.rly1_cmd = s->close[0],
                                            .rly2_cmd = s->close[2],
                                            .rly3_cmd = s->close[3],
                                            .sys_enable = true,
                                            .force_all_off = s->force_off,
                                            .clear_faults = s->clear_faults,
                                            .cmd_seq = seq,
                                            .rly1_enable = true,
                                            .rly2_enable = true,
                                            .rly3_enable = true,
                                            .imd_enable = s->imd_enable,
                                            .imd_self_test = s->imd_test};
        assert_true(hub_encode_relay_control(&m, data));
        return;
    }
    const struct hub_gcmc_command m = {.gc_cmd = s->close[0],
                                       .mc_cmd = s->close[1],
                                       .mn0_cmd = s->close[2],
                                       .mn1_cmd = s->close[3],
                                       .bc_cmd = s->close[4],
                                       .clear_faults = s->clear_faults,
                                       .force_all_off = s->force_off,
                                       .cmd_seq = seq,
                                       .imd_enable = s->imd_enable,
                                       .imd_self_test = s->imd_test};
    assert_true(hub_encode_gcmc_command(&m, data));
}

void host_command(struct host *h, uint32_t slot, uint8_t seq, bool good_crc) {
    uint8_t data[8];
    encode_command(h, slot, seq, data);
    data[7] ^= good_crc ? 0 : 0x55;
    to_plc(h, slot,
           h->config.plc.contactor_frame == CONTACTOR_FRAME_RELAY ? HUB_ID_RELAY_CONTROL
                                                                  : HUB_ID_GCMC_COMMAND,
           data);
}

static void send_command(struct host *h, uint32_t slot) {
    struct host_slot *s = &h->slot[slot];
    const struct hub_gcmc_command now = {.gc_cmd = s->close[0],
                                         .mc_cmd = s->close[1],
                                         .mn0_cmd = s->close[2],
                                         .mn1_cmd = s->close[3],
                                         .bc_cmd = s->close[4],
                                         .clear_faults = s->clear_faults,
                                         .force_all_off = s->force_off,
                                         .imd_enable = s->imd_enable,
                                         .imd_self_test = s->imd_test};
    const bool changed = memcmp(&now, &s->sent, sizeof(now)) != 0;
    if (s->mute || (!changed && h->now_us < s->command_us)) {
        return;
    }
    s->seq = (uint8_t)(s->seq + changed);
    s->sent = now;
    s->command_us = h->now_us + 100000;
    host_command(h, slot, s->seq, true);
}

static void send_slow(struct host *h, uint32_t slot) {
    struct host_slot *s = &h->slot[slot];
    if (h->now_us < s->slow_us) {
        return;
    }
    s->slow_us = h->now_us + 200000;
    host_config_cmd(h, slot, 20, 0, s->auth);
    host_config_cmd(h, slot, 30, 0, s->lock);
    host_config_cmd(h, slot, 40, 0, s->stop_request);
    const struct hub_evse_dc_max_limits limits = {.voltage_dv = (int32_t)(s->offer_v * 10),
                                                  .current_da = (int32_t)(s->offer_a * 10),
                                                  .power_hw = (int32_t)(s->offer_w / 100)};
    const struct hub_evse_dc_present present = {.voltage_dv = s->sense.bus_voltage_dv,
                                                .output_enabled = s->output_enabled};
    uint8_t data[8];
    assert_true(hub_encode_evse_dc_max_limits(&limits, data));
    to_plc(h, slot, HUB_ID_EVSE_DC_MAX_LIMITS, data);
    assert_true(hub_encode_evse_dc_present(&present, data));
    to_plc(h, slot, HUB_ID_EVSE_DC_PRESENT, data);
}

static void maxwell_request(struct host *h, const struct config_module *m, bool set, uint16_t reg,
                            uint32_t raw) {
    const struct maxwell_id id = {
        .destination = m->address, .source = MAXWELL_CONTROLLER, .point_to_point = true};
    const struct maxwell_request request = {.set = set, .reg = reg, .raw = raw};
    uint8_t data[8];
    maxwell_encode_request(&request, data);
    host_send(h, m->interface, maxwell_encode_id(&id), data);
}

static void infypower_request(struct host *h, const struct config_module *m, uint8_t command,
                              const uint8_t data[8]) {
    const struct infypower_id id = {.source = INFYPOWER_CONTROLLER,
                                    .destination = m->address,
                                    .command = command,
                                    .device = INFYPOWER_DEVICE_SINGLE};
    host_send(h, m->interface, infypower_encode_id(&id), data);
}

void host_module_set(struct host *h, uint32_t slot, uint32_t module) {
    const struct config_module *m = &h->config.slot[slot].module[module];
    const struct host_slot *s = &h->slot[slot];
    const int32_t mv = (int32_t)lround(s->set_v[module] * 1000),
                  ma = (int32_t)lround(s->set_a[module] * 1000);
    uint8_t data[8] = {0};
    if (h->config.modules.protocol == MODULE_PROTOCOL_MAXWELL) {
        maxwell_request(h, m, true, MAXWELL_SET_VOLTAGE, float32_from_milli(mv));
        maxwell_request(h, m, true, MAXWELL_SET_CURRENT, (uint32_t)((int64_t)ma * 1024 / 1000));
        maxwell_request(h, m, true, MAXWELL_SET_ON, s->on[module] ? 0 : MAXWELL_OFF);
        maxwell_request(h, m, false, MAXWELL_VOLTAGE, 0);
        maxwell_request(h, m, false, MAXWELL_CURRENT, 0);
        return;
    }
    assert_true(infypower_encode_setpoint(
        &(struct infypower_setpoint){.voltage_mv = mv, .current_ma = ma}, data));
    infypower_request(h, m, INFYPOWER_SETPOINT, data);
    infypower_encode_on(s->on[module], data);
    infypower_request(h, m, INFYPOWER_ON_OFF, data);
    memset(data, 0, sizeof(data));
    infypower_request(h, m, INFYPOWER_OUTPUT, data);
}

static void send_modules(struct host *h, uint32_t slot) {
    struct host_slot *s = &h->slot[slot];
    if (h->modules_mute || h->now_us < s->module_us) {
        return;
    }
    s->module_us = h->now_us + 100000;
    for (uint32_t k = 0; k < h->config.slot[slot].module_count; k++) {
        host_module_set(h, slot, k);
    }
}

/* ---- hearing ---- */

static void hear_module(struct host *h, uint32_t interface, const struct can_frame *frame) {
    const uint32_t id = frame->can_id & CAN_EFF_MASK;
    struct maxwell_id m = {0};
    struct infypower_id i = {0};
    const bool maxwell = h->config.modules.protocol == MODULE_PROTOCOL_MAXWELL;
    if (maxwell ? !maxwell_decode_id(id, &m) : !infypower_decode_id(id, &i)) {
        return;
    }
    for (uint32_t s = 0; s < h->config.slots; s++) {
        for (uint32_t k = 0; k < h->config.slot[s].module_count; k++) {
            const struct config_module *c = &h->config.slot[s].module[k];
            if (c->interface != interface || c->address != (maxwell ? m.source : i.source)) {
                continue;
            }
            struct host_slot *slot = &h->slot[s];
            slot->module_replies++;
            struct maxwell_reply reply;
            int32_t milli = 0;
            if (maxwell && maxwell_decode_reply(frame->data, &reply) &&
                float32_to_milli(reply.raw, -2000000000, 2000000000, &milli)) {
                if (reply.reg == MAXWELL_VOLTAGE) {
                    slot->module_v[k] = milli / 1000.0;
                } else if (reply.reg == MAXWELL_CURRENT) {
                    slot->module_a[k] = milli / 1000.0;
                }
            } else if (!maxwell && i.command == INFYPOWER_OUTPUT) {
                struct infypower_output out;
                bool v_ok, a_ok;
                infypower_decode_output(frame->data, &out, &v_ok, &a_ok);
                slot->module_v[k] = out.voltage_mv / 1000.0;
                slot->module_a[k] = out.current_ma / 1000.0;
            }
        }
    }
}

static void hear_plc(struct host *h, struct host_slot *s, const struct can_frame *frame) {
    const int index = hub_message_index(frame->can_id & CAN_EFF_MASK & ~(uint32_t)HUB_PLC_ID_MASK);
    assert_true(index >= 0 && !hub_messages[index].from_hub);
    s->count[index]++;
    s->at_us[index] = h->now_us;
    if (hub_messages[index].has_crc && h->config.plc.use_crc8 && !hub_crc8_ok(frame->data)) {
        s->crc_errors++;
        return;
    }
    switch (index) {
    case HUB_MESSAGE_GCMC_STATUS: (void)hub_decode_gcmc_status(frame->data, &s->gcmc); break;
    case HUB_MESSAGE_RELAY_STATUS: (void)hub_decode_relay_status(frame->data, &s->relay); break;
    case HUB_MESSAGE_CHARGE_INFO: (void)hub_decode_charge_info(frame->data, &s->charge); break;
    case HUB_MESSAGE_EVDC_TARGETS: (void)hub_decode_evdc_targets(frame->data, &s->targets); break;
    case HUB_MESSAGE_EVDC_MAX_LIMITS:
        (void)hub_decode_evdc_max_limits(frame->data, &s->limits);
        break;
    case HUB_MESSAGE_SLOT_SENSE: (void)hub_decode_slot_sense(frame->data, &s->sense); break;
    case HUB_MESSAGE_IMD: (void)hub_decode_imd(frame->data, &s->imd); break;
    case HUB_MESSAGE_SAFETY_SWITCH_STATUS:
        (void)hub_decode_safety_switch_status(frame->data, &s->safety);
        break;
    case HUB_MESSAGE_CP_VOLTAGE_LEVELS:
        (void)hub_decode_cp_voltage_levels(frame->data, &s->pilot);
        break;
    case HUB_MESSAGE_GUN_TEMPERATURE:
        (void)hub_decode_gun_temperature(frame->data, &s->temperature);
        break;
    case HUB_MESSAGE_ENERGY_METER_DATA: {
        struct hub_energy_meter_data m;
        if (hub_decode_energy_meter_data(frame->data,
                                         &m)) { /* not when the wire broke its multiplexer */
            s->meter[m.mux] = m;
        }
        break;
    }
    case HUB_MESSAGE_CONFIG_ACK:
        (void)hub_decode_config_ack(frame->data, &s->ack);
        s->acks++;
        break;
    case HUB_MESSAGE_BOOT_CONFIG: s->boots++; break;
    default: break;
    }
}

static void hear(struct host *h, const struct bus_frame *f) {
    if (f->frame.can_id & CAN_ERR_FLAG) {
        h->error_frames++;
        h->last_error = f->frame.can_id;
        return;
    }
    assert_int_equal(f->frame.len, 8);
    assert_true(f->frame.can_id & CAN_EFF_FLAG);
    if (h->config.interface[f->interface].role == INTERFACE_ROLE_MODULES) {
        hear_module(h, f->interface, &f->frame);
        return;
    }
    for (uint32_t i = 0; i < h->config.slots; i++) {
        if (h->config.slot[i].interface == f->interface &&
            h->config.slot[i].plc_id == (f->frame.can_id & HUB_PLC_ID_MASK)) {
            hear_plc(h, &h->slot[i], &f->frame);
        }
    }
}

/* ---- a session, step by step ---- */

static void set_modules(struct host *h, uint32_t slot, bool on, double volts, double amps_in_all) {
    struct host_slot *s = &h->slot[slot];
    const uint32_t n = h->config.slot[slot].module_count;
    for (uint32_t k = 0; k < n; k++) {
        s->module_us = s->on[k] != on ? 0 : s->module_us;
        s->on[k] = on;
        s->set_v[k] = volts;
        s->set_a[k] = amps_in_all / n;
    }
}

static void go(struct host *h, uint32_t slot, int step) {
    h->slot[slot].step = step;
    h->slot[slot].step_us = h->now_us;
}

static bool fed_back(const struct host *h, uint32_t slot) {
    const struct host_slot *s = &h->slot[slot];
    if (h->config.plc.contactor_frame == CONTACTOR_FRAME_RELAY) {
        return s->relay.rly1_state == s->close[0] && s->relay.rly2_state == s->close[2] &&
               s->relay.rly3_state == s->close[3];
    }
    return s->gcmc.gc_feedback == s->close[0] && s->gcmc.mn0_feedback == s->close[2] &&
           s->gcmc.mn1_feedback == s->close[3];
}

static void start_up(struct host *h, uint32_t slot) {
    struct host_slot *s = &h->slot[slot];
    const double max_v = s->limits.voltage_dv / 10.0;
    const double test_v = max_v <= 500 ? fmin(500, max_v + 50) : 1.1 * max_v;
    switch (s->step) {
    case IDLE:
        s->auth = s->lock = s->auth || s->charge.auth_pending;
        if (s->charge.hlc_stage == HLC_STAGE_CABLE_CHECK) {
            s->close[0] = true;
            go(h, slot, CHECK_CLOSE);
        }
        break;
    case CHECK_CLOSE:
        s->close[2] = s->close[3] = fed_back(h, slot) || s->close[2];
        if (s->close[2] && fed_back(h, slot)) {
            s->imd_enable = true;
            set_modules(h, slot, true, test_v, 2.0);
            go(h, slot, CHECK_VOLTAGE);
        }
        break;
    case CHECK_VOLTAGE:
        if (fabs(s->sense.gun_voltage_dv / 10.0 - test_v) < 10) {
            s->imd_test = true;
            go(h, slot, CHECK_TEST);
        }
        break;
    case CHECK_TEST:
        if (s->charge.cable_check_ok && s->imd.self_test == 2) {
            s->imd_test = false;
            set_modules(h, slot, false, 0, 0);
            go(h, slot, CHECK_DISCHARGE);
        }
        break;
    default: /* CHECK_DISCHARGE */
        if (s->sense.gun_voltage_dv < 600 && s->charge.hlc_stage == HLC_STAGE_PRECHARGE) {
            go(h, slot, PRECHARGE);
        }
        break;
    }
}

static void run_session(struct host *h, uint32_t slot) {
    struct host_slot *s = &h->slot[slot];
    if (s->step > CHECK_DISCHARGE && s->step < DOWN && s->charge.hlc_stage >= HLC_STAGE_POWER_OFF) {
        set_modules(h, slot, true, s->targets.target_voltage_dv / 10.0, 0);
        go(h, slot, DOWN);
    }
    switch (s->step) {
    case PRECHARGE:
        set_modules(h, slot, true, s->targets.target_voltage_dv / 10.0, 2.0);
        if (s->charge.hlc_stage == HLC_STAGE_POWER_DELIVERY) {
            s->output_enabled = true;
            go(h, slot, DELIVER);
        }
        break;
    case DELIVER:
        if (s->charge.hlc_stage == HLC_STAGE_CURRENT_DEMAND) {
            go(h, slot, CHARGE);
        }
        break;
    case CHARGE:
        set_modules(h, slot, true, s->targets.target_voltage_dv / 10.0,
                    s->targets.target_current_da / 10.0);
        break;
    case DOWN:
        if (s->meter[0].current_ca < 500 && h->now_us - s->step_us > 500000) {
            s->output_enabled = s->close[0] = false;
            set_modules(h, slot, false, 0, 0);
            go(h, slot, OPEN);
        }
        break;
    case OPEN:
        if (fed_back(h, slot)) {
            go(h, slot, DISCHARGE);
        }
        break;
    case DISCHARGE:
        if (s->sense.bus_voltage_dv < 600 && s->sense.gun_voltage_dv < 600) {
            s->close[2] = s->close[3] = s->imd_enable = false;
            s->lock = s->auth = false;
            go(h, slot, UNLOCK);
        }
        break;
    case UNLOCK:
        if (s->pilot.cp_state == 'A') {
            go(h, slot, IDLE);
        }
        break;
    default: start_up(h, slot); break;
    }
}

/* ---- running ---- */

void host_run(struct host *h, uint32_t ms) {
    for (uint32_t t = 0; t < ms; t++) {
        h->now_us += 1000;
        frame_batch_clear(&h->tx);
        plant_step(h->plant, h->now_us, &h->tx);
        assert_int_equal(h->tx.dropped, 0);
        for (uint32_t i = 0; i < h->tx.count; i++) {
            hear(h, &h->tx.item[i]);
        }
        for (uint32_t i = 0; i < h->config.slots; i++) {
            if (h->slot[i].serve) {
                run_session(h, i);
            }
            send_command(h, i);
            send_slow(h, i);
            send_modules(h, i);
        }
    }
}

bool host_run_to_stage(struct host *h, uint32_t slot, enum hlc_stage stage, uint32_t ms) {
    for (uint32_t t = 0; t < ms; t++) {
        host_run(h, 1);
        if (host_state(h, slot).stage == stage) {
            return true;
        }
    }
    return false;
}

struct host *host_create_with(const struct config *config, const struct plant_options *options) {
    struct host *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    h->config = *config;
    h->now_us = 1000000000;
    h->plant = plant_create(&h->config, options, h->now_us);
    assert_non_null(h->plant);
    for (uint32_t i = 0; i < config->slots; i++) {
        h->slot[i].offer_v = 1000;
        h->slot[i].offer_a = 500;
        h->slot[i].offer_w = 400000;
    }
    host_run(h, 500);
    return h;
}

struct host *host_create(uint32_t n, const struct plant_options *options) {
    static struct config config;
    config_ring(&config, n, 2);
    config.grid_limit_w = (int64_t)n * 200000; /* this host does not share */
    return host_create_with(&config, options);
}

void host_destroy(struct host *h) {
    plant_destroy(h->plant);
    free(h);
}

struct plant_report host_report(const struct host *h) {
    struct plant_report report;
    plant_report(h->plant, &report);
    return report;
}

uint32_t host_hazards(const struct host *h, enum plant_hazard_kind kind) {
    return host_report(h).hazards_by_kind[kind];
}

struct plant_gun_state host_state(const struct host *h, uint32_t slot) {
    struct plant_gun_state state;
    plant_slot_state(h->plant, slot, &state);
    return state;
}

void host_charge(struct host *h, uint32_t slot) {
    const struct plant_vehicle_wish wish = {
        .model = "Tesla Model 3", .soc_pct = 30, .target_soc_pct = 90, .stay_s = INFINITY};
    const int gun = h->config.connector[h->config.slot[slot].gun].id;
    h->slot[slot].serve = true;
    assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
    assert_true(host_run_to_stage(h, slot, HLC_STAGE_CURRENT_DEMAND, 60000));
    host_run(h, 8000);
    assert_true(host_state(h, slot).gun_a > 50);
}
