/* PLC nodes: frames to the host, contract section 3. */
#include <string.h>

#include "hub_codec.h"
#include "tests/plant/plant_private.h"

#define FW_MAJOR           2
#define FW_MINOR           4
#define FW_PATCH           1
#define CP_DUTY            5 /* %: high-level communication */
#define SENSOR_OPEN_DDEGC  32767
#define SENSOR_SHORT_DDEGC (-32768)

static void send(struct plant *p, uint32_t slot, uint32_t base, uint8_t data[8], bool crc) {
    struct node *n = &p->slot[slot].node;
    struct can_frame frame = {.can_id = (base | n->plc_id) | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    if (crc && !n->use_crc) {
        frame.data[7] = 0;
    }
    n->tx_count++;
    plant_send(p, n->interface, &frame, &n->comm);
}
#define SEND(p, slot, NAME, name, ...)                                                             \
    do {                                                                                           \
        const struct hub_##name m = {__VA_ARGS__};                                                 \
        uint8_t data[8];                                                                           \
        if (hub_encode_##name(&m, data)) {                                                         \
            send(p, slot, HUB_ID_##NAME, data, HUB_CRC_##NAME);                                    \
        }                                                                                          \
    } while (0)

static int32_t bounded(double value, int32_t low, int32_t high) {
    return value <= low ? low : value >= high ? high : (int32_t)lround(value);
}
static int32_t u16(double value) {
    return bounded(value, 0, 65535);
}
static int32_t i16(double value) {
    return bounded(value, -32768, 32767);
}

/* Instruments are good to about 0.1 V and 0.1 A. */
static double noisy(struct plant *p, double value) {
    return value + random_range(&p->random, -0.1, 0.1);
}

static char cp_letter(const struct vehicle *v) {
    return v->cp == CP_STATE_UNKNOWN ? 'A' : cp_state_letter(v->cp);
}

static int32_t cp_duty(const struct vehicle *v) {
    return v->plugged && v->cp >= CP_STATE_B && v->cp <= CP_STATE_D ? CP_DUTY : 100;
}

static void send_charge_info(struct plant *p, uint32_t slot) {
    const struct slot *s = &p->slot[slot];
    const struct node *n = &s->node;
    const struct vehicle *v = &s->vehicle;
    SEND(p, slot, CHARGE_INFO, charge_info, .hlc_stage = (int32_t)v->stage,
         .charge_complete = v->complete, .precharge_active = v->stage == HLC_STAGE_PRECHARGE,
         .cable_check_ok = n->cable_check_ok, .auth_granted = n->auth_granted && v->plugged,
         .auth_pending = v->stage == HLC_STAGE_AUTHORISATION && !n->auth_granted,
         .lock_engaged = n->locked);
}

static void send_gcmc_status(struct plant *p, uint32_t slot, int64_t now_us) {
    const struct slot *s = &p->slot[slot];
    const struct node *n = &s->node;
    if (n->relay_mode) {
        return;
    }
    const uint8_t reason = node_fault_reason(p, s, now_us);
    const struct contactor *c = s->contactor;
    const bool invert[5] = {c[0].feedback_fault == 2, c[1].feedback_fault == 2,
                            c[2].feedback_fault == 2, c[3].feedback_fault == 2,
                            c[4].feedback_fault == 2};
    const bool mn0 = s->modules > 0 && s->module[0].mn_on_plc,
               mn1 = s->modules > 1 && s->module[1].mn_on_plc;
    SEND(p, slot, GCMC_STATUS, gcmc_status, .gc_seen = n->seen[0], .mc_seen = n->seen[1],
         .mn0_seen = n->seen[2], .mn1_seen = n->seen[3], .bc_seen = n->seen[4],
         .gc_feedback = c[CONTACTOR_GC].aux != invert[CONTACTOR_GC],
         .mc_feedback = c[CONTACTOR_MC].aux != invert[CONTACTOR_MC],
         .bc_feedback = c[CONTACTOR_BC].aux != invert[CONTACTOR_BC],
         .mn0_feedback = mn0 && c[CONTACTOR_MN0].aux != invert[CONTACTOR_MN0],
         .mn1_feedback = mn1 && c[CONTACTOR_MN0 + 1].aux != invert[CONTACTOR_MN0 + 1],
         .fault_reason = reason, .comm_fault = reason == 5 || reason == 6 || reason == 8,
         .safety_active =
             reason != 0 && reason != 5 && reason != 6 && reason != 7 && reason != 8 && reason != 9,
         .last_cmd_seq_applied = n->seq_applied, .cmd_seq_rx = n->seq_rx);
}

static uint8_t switch_bits(const struct node *n) {
    uint8_t bits = 0x3;
    if (n->chain_open) {
        bits &= n->chain_mask & 1 ? (uint8_t)~1u : (uint8_t)~2u;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (!(n->chain_mask & (1u << i))) {
            bits &= (uint8_t) ~(1u << i);
        }
    }
    return bits;
}

static uint8_t all_switches(const struct plant *p, uint32_t slot) {
    const struct node *n = &p->slot[slot].node;
    uint8_t bits = switch_bits(n);
    const int gun = p->config->slot[slot].gun;
    if (gun >= 0 && p->config->connector[gun].lock_input_switch != 0 && n->locked) {
        bits |= (uint8_t)(1u << (p->config->connector[gun].lock_input_switch - 1u));
    }
    return bits;
}

static bool safety_ok(const struct node *n) {
    return !n->estop_input && !n->estop_latched && !n->chain_open && !n->earth_fault;
}

static void send_relay_status(struct plant *p, uint32_t slot, int64_t now_us) {
    const struct slot *s = &p->slot[slot];
    const struct node *n = &s->node;
    const uint8_t reason = node_fault_reason(p, s, now_us), sw = all_switches(p, slot);
    const struct contactor *gc = &s->contactor[CONTACTOR_GC], *mn0 = &s->contactor[CONTACTOR_MN0],
                           *mn1 = &s->contactor[CONTACTOR_MN0 + 1];
    const bool has0 = s->modules > 0 && s->module[0].mn_on_plc,
               has1 = s->modules > 1 && s->module[1].mn_on_plc;
    const bool moving0 = gc->move_us != NEVER || gc->aux_us != NEVER;
    SEND(p, slot, RELAY_STATUS, relay_status, .rly1_state = gc->aux != (gc->feedback_fault == 2),
         .rly2_state = has0 && mn0->aux != (mn0->feedback_fault == 2),
         .rly3_state = has1 && mn1->aux != (mn1->feedback_fault == 2),
         .rly1_fault = !moving0 && gc->aux != gc->coil,
         .rly2_fault =
             has0 && mn0->move_us == NEVER && mn0->aux_us == NEVER && mn0->aux != mn0->coil,
         .rly3_fault =
             has1 && mn1->move_us == NEVER && mn1->aux_us == NEVER && mn1->aux != mn1->coil,
         .safety_active = !safety_ok(n), .comm_fault = reason == 5 || reason == 6 || reason == 8,
         .last_cmd_seq_applied = n->seq_applied, .sw1 = sw & 1, .sw2 = sw & 2, .sw3 = sw & 4,
         .sw4 = sw & 8, .estop_latched = n->estop_latched, .safety_ok = safety_ok(n),
         .earth_fault = n->earth_fault, .estop_input = n->estop_input, .fault_reason = reason,
         .uptime_s = (int32_t)((now_us - n->boot_us) / 1000000 & 0xffff));
}

static void send_safety(struct plant *p, uint32_t slot) {
    const struct node *n = &p->slot[slot].node;
    const uint8_t sw = all_switches(p, slot);
    SEND(p, slot, SAFETY_SWITCH_STATUS, safety_switch_status, .sw1 = sw & 1, .sw2 = sw & 2,
         .sw3 = sw & 4, .sw4 = sw & 8, .estop_latched = n->estop_latched, .safety_ok = safety_ok(n),
         .earth_fault = n->earth_fault, .estop_input = n->estop_input, .chain_mask = n->chain_mask);
}

/* One frame per period: measurements and register take turns. */
static void send_meter(struct plant *p, uint32_t slot) {
    struct slot *s = &p->slot[slot];
    struct node *n = &s->node;
    if (n->meter_silent) {
        return;
    }
    n->meter_turn = !n->meter_turn;
    const double a = noisy(p, n->meter_a) * (n->meter_a != 0),
                 v = s->gun_v > 1 ? noisy(p, s->gun_v) : 0, w = v * a;
    const bool over = fabs(a) > 327.67 || fabs(w) > 327670.0;
    if (n->meter_turn) {
        SEND(p, slot, ENERGY_METER_DATA, energy_meter_data, .mux = 0, .meter_ok = true,
             .overrange = over, .voltage_dv = u16(v * 10), .current_ca = i16(a * 100),
             .power_daw = i16(w / 10));
        return;
    }
    SEND(p, slot, ENERGY_METER_DATA, energy_meter_data, .mux = 1, .meter_ok = true,
         .overrange = over, .energy_import_hwh = (int64_t)(n->meter_wh / 100.0),
         .frequency_chz = 5000);
}

static void send_temperature(struct plant *p, uint32_t slot) {
    const struct node *n = &p->slot[slot].node;
    int32_t plus = i16(n->pin_c[0] * 10);
    if (n->sensor_fault != 0) {
        plus = n->sensor_fault == 1 ? SENSOR_OPEN_DDEGC : SENSOR_SHORT_DDEGC;
    }
    SEND(p, slot, GUN_TEMPERATURE, gun_temperature, .pin_dc_plus_ddegc = plus,
         .pin_dc_minus_ddegc = i16(n->pin_c[1] * 10), .cable_ddegc = i16(n->cable_c * 10));
}

static void send_imd(struct plant *p, uint32_t slot) {
    const struct node *n = &p->slot[slot].node;
    const bool fault = n->imd_enable && !n->imd_undecided && (n->imd_fault || n->imd_test == 3);
    const bool low = n->imd_enable && n->imd_ohm < 100000.0;
    const double raw = n->imd_ohm / 10.0;
    SEND(p, slot, IMD, imd, .r_f_10ohm = raw > 4294967295.0 ? INT64_C(4294967295) : (int64_t)raw,
         .imd_ok = n->imd_enable && !n->imd_undecided && !fault && !low && n->imd_test != 1,
         .self_test = n->imd_test, .warning = n->imd_enable && n->imd_ohm < 500000.0,
         .fault = fault, .imd_enabled = n->imd_enable);
}

static void send_sense(struct plant *p, uint32_t slot) {
    struct slot *s = &p->slot[slot];
    if (s->node.sense_silent) {
        return;
    }
    const double bus = s->bus_v > 1 ? noisy(p, s->bus_v) : s->bus_v,
                 gun = s->gun_v > 1 ? noisy(p, s->gun_v) : s->gun_v;
    SEND(p, slot, SLOT_SENSE, slot_sense, .bus_voltage_dv = u16(bus * 10),
         .gun_voltage_dv = u16(gun * 10), .boundary_current_da = i16(s->boundary_a * 10),
         .valid = s->node.sense_invalid ? 0 : 7);
}

static bool limits_known(const struct vehicle *v) {
    return v->plugged && v->stage >= HLC_STAGE_CHARGE_PARAMETERS;
}

static void send_vehicle(struct plant *p, uint32_t slot, enum node_timer timer) {
    const struct slot *s = &p->slot[slot];
    const struct vehicle *v = &s->vehicle;
    const bool known = limits_known(v);
    switch ((unsigned)timer) {
    case NODE_EV_LIMITS:
        SEND(p, slot, EVDC_MAX_LIMITS, evdc_max_limits,
             .voltage_dv = known ? u16(v->max_v * 10) : 0,
             .current_da = known ? u16(v->max_a * 10) : 0,
             .power_hw = known ? u16(v->max_w / 100) : 0);
        break;
    case NODE_EV_TARGETS:
        SEND(p, slot, EVDC_TARGETS, evdc_targets,
             .target_voltage_dv = known ? u16(v->target_v * 10) : 0,
             .target_current_da = known ? u16(v->target_a * 10) : 0,
             .present_voltage_dv = known ? u16((s->gun_v + v->lie_v * (s->gun_v > 1)) * 10) : 0,
             .present_current_da = known ? u16(s->battery_a * 10) : 0);
        break;
    case NODE_EV_DISPLAY:
        SEND(p, slot, EV_STATUS_DISPLAY, ev_status_display,
             .present_voltage_dv = known ? u16(s->gun_v * 10) : 0,
             .present_current_da = known ? u16(s->battery_a * 10) : 0,
             .hlc_stage = (int32_t)v->stage, .cp_duty_pct = cp_duty(v), .cp_state = cp_letter(v),
             .soc_pct = known ? bounded(v->soc_pct, 0, 100) : 255);
        break;
    default:
        SEND(p, slot, EVDC_ENERGY_LIMITS, evdc_energy_limits,
             .energy_request_hwh =
                 known ? u16((v->target_soc_pct - v->soc_pct) * v->capacity_wh / 1e4) : 0,
             .energy_capacity_hwh = known ? u16(v->capacity_wh / 100) : 0, .departure_min = 65535,
             .full_soc_pct = known ? 100 : 0, .bulk_soc_pct = known ? 80 : 0);
        break;
    }
}

/* Five bytes per segment. */
static void send_identity(struct plant *p, uint32_t slot, uint32_t base, const uint8_t *bytes,
                          uint32_t length) {
    const uint32_t count = (length + 4) / 5;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t data[8] = {(uint8_t)length, (uint8_t)count, (uint8_t)i};
        const uint32_t part = length - 5 * i < 5 ? length - 5 * i : 5;
        memcpy(data + 3, bytes + (size_t)(5 * i), part);
        send(p, slot, base, data, false);
    }
}

static void send_identities(struct plant *p, uint32_t slot) {
    const struct vehicle *v = &p->slot[slot].vehicle;
    if (!v->plugged || v->stage < HLC_STAGE_SESSION_SETUP || v->stage > HLC_STAGE_CURRENT_DEMAND) {
        return;
    }
    send_identity(p, slot, HUB_ID_EVMAC, v->mac, 6);
    send_identity(p, slot, HUB_ID_EVCCID, v->mac, 6);
    if (v->emaid[0] != 0 && v->stage >= HLC_STAGE_AUTHORISATION) {
        send_identity(p, slot, HUB_ID_EMAID0, (const uint8_t *)v->emaid,
                      (uint32_t)strlen(v->emaid));
    }
}

static void send_pilot(struct plant *p, uint32_t slot) {
    const struct vehicle *v = &p->slot[slot].vehicle;
    static const int32_t level_mv[CP_STATE_COUNT] = {12000, 12000, 9000, 6000, 3000, 0, -12000};
    const int32_t mv = level_mv[v->cp];
    SEND(p, slot, CP_VOLTAGE_LEVELS, cp_voltage_levels, .cp_voltage_mv = mv,
         .cp_state = cp_letter(v), .duty_pct = cp_duty(v), .peak_mv = mv,
         .minimum_mv = cp_duty(v) == CP_DUTY ? -12000 : mv);
}

static void send_logs(struct plant *p, uint32_t slot, int64_t now_us) {
    const struct node *n = &p->slot[slot].node;
    SEND(p, slot, RTEV_LOG, rtev_log, .rx_count = n->rx_count, .tx_count = n->tx_count);
    SEND(p, slot, RTT_LOG, rtt_log, .uptime_s = (now_us - n->boot_us) / 1000000);
}

void node_transmit(struct plant *p, uint32_t slot, enum node_timer timer, int64_t now_us) {
    const struct node *n = &p->slot[slot].node;
    const struct vehicle *v = &p->slot[slot].vehicle;
    switch (timer) {
    case NODE_CHARGE_INFO: send_charge_info(p, slot); break;
    case NODE_SOFTWARE_INFO:
        SEND(p, slot, SOFTWARE_INFO, software_info, .fw_major = FW_MAJOR, .fw_minor = FW_MINOR,
             .fw_patch = FW_PATCH);
        break;
    case NODE_HW_STATUS:
        SEND(p, slot, HW_STATUS, hw_status, .rx_count = (int32_t)(n->rx_count & 0xff),
             .tx_count = (int32_t)(n->tx_count & 0xff),
             .uptime_s = (int32_t)((now_us - n->boot_us) / 1000000 & 0xffff));
        break;
    case NODE_GCMC_STATUS: send_gcmc_status(p, slot, now_us); break;
    case NODE_RELAY_STATUS: send_relay_status(p, slot, now_us); break;
    case NODE_METER: send_meter(p, slot); break;
    case NODE_SAFETY: send_safety(p, slot); break;
    case NODE_TEMPERATURE: send_temperature(p, slot); break;
    case NODE_IMD: send_imd(p, slot); break;
    case NODE_SENSE: send_sense(p, slot); break;
    case NODE_EV_LIMITS:
    case NODE_EV_TARGETS:
    case NODE_EV_DISPLAY:
    case NODE_EV_ENERGY: send_vehicle(p, slot, timer); break;
    case NODE_IDENTITY: send_identities(p, slot); break;
    case NODE_SESSION:
        SEND(p, slot, CHARGING_SESSION, charging_session, .session_epoch = n->session_epoch,
             .cp_state = cp_letter(v), .cp_duty_pct = cp_duty(v), .hlc_stage = (int32_t)v->stage,
             .auth_pending = v->stage == HLC_STAGE_AUTHORISATION && !n->auth_granted);
        break;
    case NODE_PILOT: send_pilot(p, slot); break;
    case NODE_LOGS: send_logs(p, slot, now_us); break;
    case NODE_TIMERS: break;
    }
}

void node_transmit_boot(struct plant *p, uint32_t slot) {
    const int32_t bitrate = p->config->interface[p->slot[slot].node.interface].bitrate_bps / 1000;
    SEND(p, slot, BOOT_CONFIG, boot_config, .fw_major = FW_MAJOR, .fw_minor = FW_MINOR,
         .fw_patch = FW_PATCH, .features = 0xf,
         .bitrate_kbit_s = bitrate > 65535 ? 65535 : bitrate);
    plant_event(p, PLANT_EVENT_NODE, slot, "PLC: started");
}

void node_transmit_ack(struct plant *p, uint32_t slot, uint8_t param, uint8_t status,
                       uint32_t value) {
    SEND(p, slot, CONFIG_ACK, config_ack, .param = param, .status = status, .value = value,
         .plc_id = p->slot[slot].node.plc_id);
}

void node_swipe(struct plant *p, uint32_t slot, const uint8_t *uid, uint32_t length) {
    struct node *n = &p->slot[slot].node;
    const uint32_t count = (length + 4) / 5;
    n->rfid_id++;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t b[5] = {0};
        memcpy(b, uid + (size_t)(5 * i), length - 5 * i < 5 ? length - 5 * i : 5);
        SEND(p, slot, RFID_EVENT, rfid_event, .uid_len_bytes = (int32_t)length, .event_type = 1,
             .event_id = n->rfid_id, .seg_idx = (int32_t)i, .seg_cnt = (int32_t)count,
             .data0 = b[0], .data1 = b[1], .data2 = b[2], .data3 = b[3], .data4 = b[4]);
    }
}
