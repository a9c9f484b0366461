/* What each message of the PLC means for the image (contract section 3). */
#include "rt/can/plc_private.h"

#define REASON_MAX            12
#define REASON_INTERNAL       9
#define DEPARTURE_UNKNOWN_MIN 65535
#define SOC_MAX_PCT           100
/* A reading outside is a broken sensor: NTC and PT1000 inputs saturate there when open or short. */
#define SENSOR_OPEN_DDEGC  (-400)
#define SENSOR_SHORT_DDEGC 1500

/* What a decoder needs besides its frame. */
struct context {
    struct plc *p;
    const struct config *config;
    struct image_slot *image;
    int64_t now_us;
};

static uint8_t fault_reason(int32_t wire) {
    return wire > REASON_MAX ? REASON_INTERNAL : (uint8_t)wire;
}

static void put_feedback(struct image_contactor *contactor, bool closed, bool fault,
                         int64_t now_us) {
    contactor->p = closed ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
    contactor->n = contactor->p; /* one bit per contactor: both poles are that bit */
    contactor->fault = fault;
    contactor->at_us = now_us;
}

static void put_status(const struct context *x, bool comm_fault, bool safety_active, int32_t reason,
                       uint8_t applied) {
    struct image_slot *image = x->image;
    plc_sample(&image->contactor_status, 1, x->now_us);
    image->plc_status_stale = false;
    image->plc_reports_comm_fault = comm_fault;
    image->plc_fault_reason = fault_reason(reason);
    plc_contactor_applied(x->p, applied, x->now_us);
    plc_safety_status(x->p, x->config, safety_active, image->plc_fault_reason, image, x->now_us);
}

static void rx_gcmc_status(const struct context *x, const uint8_t data[8]) {
    if (!x->p->gcmc) {
        return; /* the relay owns the contactors */
    }
    struct hub_gcmc_status in;
    hub_decode_gcmc_status(data, &in);
    struct image_contactor *contactor = x->image->contactor;
    put_feedback(&contactor[CONTACTOR_GC], in.gc_feedback, false, x->now_us);
    put_feedback(&contactor[CONTACTOR_MC], in.mc_feedback, false, x->now_us);
    put_feedback(&contactor[CONTACTOR_BC], in.bc_feedback, false, x->now_us);
    put_feedback(&contactor[CONTACTOR_MN0], in.mn0_feedback, false, x->now_us);
    put_feedback(&contactor[CONTACTOR_MN0 + 1], in.mn1_feedback, false, x->now_us);
    put_status(x, in.comm_fault != 0, in.safety_active != 0, in.fault_reason,
               (uint8_t)in.last_cmd_seq_applied);
}

#define UPTIME_OVERTAKEN_S                                                                         \
    2 /* two frames tell it; the one of higher priority overtakes the other on the bus */

/* Seconds since the PLC's start: when they fall, it has restarted (or, once in 18 hours, wrapped). */
static void note_uptime(const struct context *x, uint16_t uptime_s) {
    struct plc *p = x->p;
    bool wrapped = p->uptime_s > UINT16_MAX - 60 && uptime_s < 60;
    bool overtaken = uptime_s < p->uptime_s && p->uptime_s - uptime_s <= UPTIME_OVERTAKEN_S;
    if (p->uptime_seen && overtaken) {
        return;
    }
    bool fell = p->uptime_seen && uptime_s < p->uptime_s && !wrapped;
    if (fell) {
        plc_restarted(p, x->now_us);
    }
    p->uptime_seen = true;
    p->uptime_s = uptime_s;
}

static void rx_relay_status(const struct context *x, const uint8_t data[8]) {
    struct hub_relay_status in;
    hub_decode_relay_status(data, &in);
    note_uptime(x, (uint16_t)in.uptime_s);
    if (!x->p->gcmc) {
        struct image_contactor *contactor = x->image->contactor;
        put_feedback(&contactor[CONTACTOR_GC], in.rly1_state, in.rly1_fault, x->now_us);
        put_feedback(&contactor[CONTACTOR_MN0], in.rly2_state, in.rly2_fault, x->now_us);
        put_feedback(&contactor[CONTACTOR_MN0 + 1], in.rly3_state, in.rly3_fault, x->now_us);
        put_status(x, in.comm_fault, in.safety_active, in.fault_reason,
                   (uint8_t)in.last_cmd_seq_applied);
    }
    plc_safety_relay(x->p, x->config, &in, x->image, x->now_us);
}

static void rx_safety(const struct context *x, const uint8_t data[8]) {
    struct hub_safety_switch_status in;
    hub_decode_safety_switch_status(data, &in);
    plc_safety_switches(x->p, x->config, &in, x->image, x->now_us);
}

static void rx_charge_info(const struct context *x, const uint8_t data[8]) {
    struct hub_charge_info in;
    hub_decode_charge_info(data, &in);
    struct image_slot *image = x->image;
    plc_sample(&image->hlc_stage, in.hlc_stage, x->now_us);
    if (in.hlc_stage >= HLC_STAGE_COUNT) {
        image->hlc_stage.value = HLC_STAGE_NONE;
        image->hlc_stage.valid = false;
    }
    image->charge_complete = in.charge_complete;
    image->precharge_active = in.precharge_active;
    image->cable_check_ok = in.cable_check_ok;
    image->auth_granted = in.auth_granted;
    image->auth_pending = in.auth_pending;
    const struct config_connector *connector = plc_connector(x->p, x->config);
    if (connector && connector->lock_input_switch == 0) {
        plc_sample(&image->lock, in.lock_engaged, x->now_us);
    }
}

static enum cp_state cp_of_letter(int32_t letter) {
    return letter >= 'A' && letter <= 'F' ? (enum cp_state)(CP_STATE_A + (letter - 'A'))
                                          : CP_STATE_UNKNOWN;
}

static void rx_cp(const struct context *x, const uint8_t data[8]) {
    struct hub_cp_voltage_levels in;
    hub_decode_cp_voltage_levels(data, &in);
    enum cp_state state = cp_of_letter(in.cp_state);
    plc_sample(&x->image->cp_state, (int32_t)state, x->now_us);
    if (state == CP_STATE_A) {
        plc_identity_forget(x->p, x->image);
    }
}

static void rx_ev_max(const struct context *x, const uint8_t data[8]) {
    struct hub_evdc_max_limits in;
    hub_decode_evdc_max_limits(data, &in);
    plc_sample(&x->image->ev_max_mv, in.voltage_dv * 100, x->now_us);
    plc_sample(&x->image->ev_max_ma, in.current_da * 100, x->now_us);
    plc_sample(&x->image->ev_max_w, in.power_hw * 100, x->now_us);
}

static void rx_ev_targets(const struct context *x, const uint8_t data[8]) {
    struct hub_evdc_targets in;
    hub_decode_evdc_targets(data, &in);
    plc_sample(&x->image->ev_target_mv, in.target_voltage_dv * 100, x->now_us);
    plc_sample(&x->image->ev_target_ma, in.target_current_da * 100, x->now_us);
    plc_sample(&x->image->ev_present_mv, in.present_voltage_dv * 100, x->now_us);
    plc_sample(&x->image->ev_present_ma, in.present_current_da * 100, x->now_us);
}

static void rx_ev_display(const struct context *x, const uint8_t data[8]) {
    struct hub_ev_status_display in;
    hub_decode_ev_status_display(data, &in);
    plc_sample(&x->image->soc_pct, in.soc_pct, x->now_us);
    x->image->soc_pct.valid = in.soc_pct <= SOC_MAX_PCT; /* 255 unknown */
}

static void rx_ev_energy(const struct context *x, const uint8_t data[8]) {
    struct hub_evdc_energy_limits in;
    hub_decode_evdc_energy_limits(data, &in);
    plc_sample(&x->image->energy_request_wh, in.energy_request_hwh * 100, x->now_us);
    plc_sample(&x->image->energy_capacity_wh, in.energy_capacity_hwh * 100, x->now_us);
    plc_sample(&x->image->departure_min, in.departure_min, x->now_us);
    x->image->departure_min.valid = in.departure_min != DEPARTURE_UNKNOWN_MIN;
}

static void put_temperature(struct sample *sample, int32_t ddegc, int64_t now_us) {
    plc_sample(sample, ddegc, now_us);
    sample->valid = ddegc > SENSOR_OPEN_DDEGC && ddegc < SENSOR_SHORT_DDEGC;
}

static void rx_temperature(const struct context *x, const uint8_t data[8]) {
    struct hub_gun_temperature in;
    hub_decode_gun_temperature(data, &in);
    plc_sample(&x->image->temperature_frame, 1, x->now_us);
    put_temperature(&x->image->pin_plus_ddegc, in.pin_dc_plus_ddegc, x->now_us);
    put_temperature(&x->image->pin_minus_ddegc, in.pin_dc_minus_ddegc, x->now_us);
    put_temperature(&x->image->cable_ddegc, in.cable_ddegc, x->now_us);
}

enum { SELF_TEST_RUNNING = 1, SELF_TEST_FAILED = 3 };

/* Enabled, but neither ok nor fault: the monitor has not settled yet, which is a test and never an OK. */
static enum imd_state imd_state_of(const struct hub_imd *in) {
    if (in->fault || in->self_test == SELF_TEST_FAILED) {
        return IMD_STATE_FAULT;
    }
    if (!in->imd_enabled) {
        return IMD_STATE_OFF;
    }
    return in->self_test == SELF_TEST_RUNNING || !in->imd_ok ? IMD_STATE_TEST : IMD_STATE_OK;
}

static void rx_imd(const struct context *x, const uint8_t data[8]) {
    struct hub_imd in;
    hub_decode_imd(data, &in);
    int64_t ohm = in.r_f_10ohm * 10;
    plc_sample(&x->image->insulation_ohm, ohm > INT32_MAX ? INT32_MAX : (int32_t)ohm, x->now_us);
    x->image->insulation_ohm.valid = in.imd_enabled; /* a monitor that is off measures nothing */
    plc_sample(&x->image->imd, (int32_t)imd_state_of(&in), x->now_us);
    x->image->imd_enabled = in.imd_enabled;
    x->image->imd_warning = in.warning;
    x->image->imd_self_test = (uint8_t)in.self_test;
}

enum { SENSE_BUS = 1, SENSE_GUN = 2, SENSE_BOUNDARY = 4 };

static void rx_slot_sense(const struct context *x, const uint8_t data[8]) {
    struct hub_slot_sense in;
    hub_decode_slot_sense(data, &in);
    x->p->has_slot_sense = true;
    plc_sample(&x->image->bus_mv, in.bus_voltage_dv * 100, x->now_us);
    plc_sample(&x->image->gun_mv, in.gun_voltage_dv * 100, x->now_us);
    plc_sample(&x->image->boundary_ma, in.boundary_current_da * 100, x->now_us);
    x->image->bus_mv.valid = in.valid & SENSE_BUS;
    x->image->gun_mv.valid = in.valid & SENSE_GUN;
    x->image->boundary_ma.valid = in.valid & SENSE_BOUNDARY;
}

static void rx_meter(const struct context *x, const uint8_t data[8]) {
    struct hub_energy_meter_data in;
    if (!hub_decode_energy_meter_data(data, &in)) {
        x->image->format_errors++;
        return;
    }
    plc_meter_rx(x->p, x->config, &in, x->image, x->now_us);
}

static void rx_hw_status(const struct context *x, const uint8_t data[8]) {
    struct hub_hw_status in;
    hub_decode_hw_status(data, &in);
    x->p->can_tec = (uint8_t)in.tec;
    x->p->can_rec = (uint8_t)in.rec;
    note_uptime(x, (uint16_t)in.uptime_s);
}

static void rx_software(const struct context *x, const uint8_t data[8]) {
    struct hub_software_info in;
    hub_decode_software_info(data, &in);
    x->p->firmware[0] = (uint8_t)in.fw_major;
    x->p->firmware[1] = (uint8_t)in.fw_minor;
    x->p->firmware[2] = (uint8_t)in.fw_patch;
}

static void rx_boot(const struct context *x, const uint8_t data[8]) {
    struct hub_boot_config in;
    hub_decode_boot_config(data, &in);
    plc_restarted(x->p, x->now_us);
    x->p->firmware[0] = (uint8_t)in.fw_major;
    x->p->firmware[1] = (uint8_t)in.fw_minor;
    x->p->firmware[2] = (uint8_t)in.fw_patch;
    x->p->features = (uint8_t)in.features;
    x->p->bitrate_kbit_s = (uint16_t)in.bitrate_kbit_s;
}

static void rx_session(const struct context *x, const uint8_t data[8]) {
    struct hub_charging_session in;
    hub_decode_charging_session(data, &in);
    x->image->session_epoch = (uint32_t)in.session_epoch;
}

static void rx_config_ack(const struct context *x, const uint8_t data[8]) {
    struct hub_config_ack in;
    hub_decode_config_ack(data, &in);
    plc_param_ack(x->p, &in, x->image);
}

static void rx_rfid(const struct context *x, const uint8_t data[8]) {
    struct hub_rfid_event in;
    hub_decode_rfid_event(data, &in);
    plc_identity_rfid(x->p, &in, x->image, x->now_us);
}

static void rx_identity(const struct context *x, enum plc_assembly_kind kind,
                        const uint8_t data[8]) {
    plc_identity_segment(x->p, kind, data, x->image, x->now_us);
}

void plc_decode(struct plc *p, const struct config *config, int message,
                const struct can_frame *frame, struct image_slot *image, int64_t now_us) {
    const struct context context = {p, config, image, now_us};
    const struct context *x = &context;
    const uint8_t *data = frame->data;
    switch ((enum hub_message_index)message) {
    case HUB_MESSAGE_GCMC_STATUS: rx_gcmc_status(x, data); break;
    case HUB_MESSAGE_RELAY_STATUS: rx_relay_status(x, data); break;
    case HUB_MESSAGE_SAFETY_SWITCH_STATUS: rx_safety(x, data); break;
    case HUB_MESSAGE_CP_VOLTAGE_LEVELS: rx_cp(x, data); break;
    case HUB_MESSAGE_CHARGE_INFO: rx_charge_info(x, data); break;
    case HUB_MESSAGE_SLOT_SENSE: rx_slot_sense(x, data); break;
    case HUB_MESSAGE_ENERGY_METER_DATA: rx_meter(x, data); break;
    case HUB_MESSAGE_IMD: rx_imd(x, data); break;
    case HUB_MESSAGE_GUN_TEMPERATURE: rx_temperature(x, data); break;
    case HUB_MESSAGE_EVDC_TARGETS: rx_ev_targets(x, data); break;
    case HUB_MESSAGE_EVDC_MAX_LIMITS: rx_ev_max(x, data); break;
    case HUB_MESSAGE_EVDC_ENERGY_LIMITS: rx_ev_energy(x, data); break;
    case HUB_MESSAGE_EV_STATUS_DISPLAY: rx_ev_display(x, data); break;
    case HUB_MESSAGE_CONFIG_ACK: rx_config_ack(x, data); break;
    case HUB_MESSAGE_RFID_EVENT: rx_rfid(x, data); break;
    case HUB_MESSAGE_EVMAC: rx_identity(x, PLC_ASSEMBLY_EVMAC, data); break;
    case HUB_MESSAGE_EMAID0: rx_identity(x, PLC_ASSEMBLY_EMAID0, data); break;
    case HUB_MESSAGE_EMAID1: rx_identity(x, PLC_ASSEMBLY_EMAID1, data); break;
    case HUB_MESSAGE_EVCCID: rx_identity(x, PLC_ASSEMBLY_EVCCID, data); break;
    case HUB_MESSAGE_CHARGING_SESSION: rx_session(x, data); break;
    case HUB_MESSAGE_HW_STATUS: rx_hw_status(x, data); break;
    case HUB_MESSAGE_SOFTWARE_INFO: rx_software(x, data); break;
    case HUB_MESSAGE_BOOT_CONFIG: rx_boot(x, data); break;
    case HUB_MESSAGE_RTT_LOG:  /* statistics of the PLC: they say that it is there, */
    case HUB_MESSAGE_RTEV_LOG: /* which plc_last_rx_us records */
    case HUB_MESSAGE_EVSE_DC_MAX_LIMITS:
    case HUB_MESSAGE_EVSE_DC_PRESENT:
    case HUB_MESSAGE_RELAY_CONTROL:
    case HUB_MESSAGE_CONFIG_CMD:
    case HUB_MESSAGE_GCMC_COMMAND:
    case HUB_MESSAGE_COUNT: break;
    }
}
