/* The module bus as the modules speak it: requests in, replies out, both protocols. */
#include <string.h>

#include "rt/can/float32.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"
#include "tests/plant/plant_private.h"

static int32_t milli(double value) {
    return (int32_t)lround(value * 1000.0);
}

static void reply(struct plant *p, const struct rectifier *r, uint32_t can_id,
                  const uint8_t data[8]) {
    struct can_frame frame = {.can_id = can_id | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    plant_send(p, r->interface, &frame, NULL);
}

static double temperature_c(const struct rectifier *r) {
    return r->overtemp_c > r->temp_c ? r->overtemp_c : r->temp_c;
}

static double derating(const struct rectifier *r) {
    double t = temperature_c(r);
    return t <= 75.0 ? 1.0 : t >= 85.0 ? 0.0 : (85.0 - t) / 10.0;
}

static double available_a(const struct rectifier *r) {
    if (r->tripped || r->fault_trip) {
        return 0;
    }
    double v = r->v > r->min_v ? r->v : r->min_v > 1 ? r->min_v : 1;
    double a = r->rated_w * derating(r) / v;
    return a < r->max_a ? a : r->max_a;
}

static void set_on(struct rectifier *r, bool on) {
    if (r->on && !on) {
        r->tripped = false; /* off and on again resets the protection */
    }
    if (on && !r->on) {
        r->start_us = NEVER;
    }
    r->on = on;
}

static double clamp(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

static void set_output(struct rectifier *r, double v, double a) {
    r->set_v = clamp(v, 0, r->max_v);
    r->set_a = clamp(a, 0, r->max_a);
}

/* ---- maxwell ---- */

static uint32_t maxwell_alarms(const struct rectifier *r) {
    uint32_t bits = 0;
    if (r->fault_trip) {
        bits |= MAXWELL_ALARM_FAULT;
    }
    if (r->tripped) {
        bits |= MAXWELL_ALARM_PROTECTION;
    }
    if (r->tripped && temperature_c(r) > 90) {
        bits |= MAXWELL_ALARM_OVERTEMPERATURE;
    }
    if (derating(r) < 1) {
        bits |= MAXWELL_ALARM_DERATED_TEMPERATURE | MAXWELL_ALARM_POWER_LIMITED;
    }
    if (!r->converting) {
        bits |= MAXWELL_STATE_DCDC_OFF;
    }
    return bits;
}

static bool maxwell_read(struct rectifier *r, uint16_t reg, struct maxwell_reply *out) {
    double value;
    out->is_float = true;
    switch (reg) {
    case MAXWELL_VOLTAGE: value = r->v; break;
    case MAXWELL_CURRENT: value = r->a; break;
    case MAXWELL_CURRENT_LIMIT: value = r->max_a > 0 ? available_a(r) / r->max_a : 0; break;
    case MAXWELL_DC_TEMPERATURE: value = temperature_c(r); break;
    case MAXWELL_AMBIENT: value = 25.0; break;
    case MAXWELL_RATED_POWER: value = r->rated_w / 1000.0; break;
    case MAXWELL_RATED_CURRENT: value = r->max_a; break;
    case MAXWELL_ALARMS:
        out->is_float = false;
        out->raw = maxwell_alarms(r);
        return true;
    default: return false;
    }
    if (reg == MAXWELL_RATED_POWER) {
        value = r->rated_w;
    }
    out->raw = float32_from_milli(milli(value));
    return true;
}

static bool maxwell_set(struct rectifier *r, uint16_t reg, uint32_t raw) {
    int32_t value;
    switch (reg) {
    case MAXWELL_SET_VOLTAGE:
        if (!float32_to_milli(raw, 0, milli(r->max_v), &value)) {
            return false;
        }
        set_output(r, value / 1000.0, r->set_a);
        return true;
    case MAXWELL_SET_CURRENT:
        if (!maxwell_current_ma(raw, &value)) {
            return false;
        }
        set_output(r, r->set_v, value / 1000.0);
        return true;
    case MAXWELL_SET_LIMIT:
        if (!float32_to_milli(raw, 0, 1000, &value)) {
            return false;
        }
        set_output(r, r->set_v, r->max_a * value / 1000.0);
        return true;
    case MAXWELL_SET_ON:
        if (raw != 0 && raw != MAXWELL_OFF) {
            return false;
        }
        set_on(r, raw == 0);
        return true;
    default: return false;
    }
}

static void maxwell_answer(struct plant *p, struct rectifier *r, const struct can_frame *frame) {
    struct maxwell_request request;
    if (!maxwell_decode_request(frame->data, &request)) {
        p->report.format_errors++;
        return;
    }
    struct maxwell_reply out = {.reg = request.reg, .raw = request.raw};
    out.ok =
        request.set ? maxwell_set(r, request.reg, request.raw) : maxwell_read(r, request.reg, &out);
    if (request.set) {
        out.is_float = request.reg == MAXWELL_SET_VOLTAGE || request.reg == MAXWELL_SET_LIMIT;
    }
    const struct maxwell_id id = {
        .destination = MAXWELL_CONTROLLER, .source = r->address, .point_to_point = true};
    uint8_t data[8];
    maxwell_encode_reply(&out, data);
    reply(p, r, maxwell_encode_id(&id), data);
}

/* ---- infypower ---- */

static void infypower_status_of(const struct rectifier *r, struct infypower_status *out) {
    *out = (struct infypower_status){.temperature_ddegc = (int32_t)lround(temperature_c(r)) * 10};
    if (!r->converting) {
        out->state1 |= INFYPOWER_S1_DC_OFF;
    }
    if (r->fault_trip) {
        out->state1 |= INFYPOWER_S1_FAULT;
    }
    if (r->tripped) {
        out->state1 |= INFYPOWER_S1_PROTECTION;
    }
    if (r->tripped && temperature_c(r) > 90) {
        out->state1 |= INFYPOWER_S1_OVERTEMP;
    }
    if (derating(r) < 1) {
        out->state2 |= INFYPOWER_S2_LIMITED;
    }
}

static enum infypower_error infypower_execute(struct plant *p, struct rectifier *r, uint8_t command,
                                              const uint8_t in[8], uint8_t out[8]) {
    memset(out, 0, 8);
    switch (command) {
    case INFYPOWER_COUNT: {
        uint32_t count = 0;
        for (uint32_t a = 0; a < 256; a++) {
            count += p->by_module[r->interface][a].slot != 0;
        }
        out[2] = (uint8_t)count;
        return INFYPOWER_ERROR_NONE;
    }
    case INFYPOWER_OUTPUT:
        infypower_encode_output(
            &(struct infypower_output){.voltage_mv = milli(r->v), .current_ma = milli(r->a)}, out);
        return INFYPOWER_ERROR_NONE;
    case INFYPOWER_STATUS: {
        struct infypower_status status;
        infypower_status_of(r, &status);
        return infypower_encode_status(&status, out) ? INFYPOWER_ERROR_NONE : INFYPOWER_ERROR_DATA;
    }
    case INFYPOWER_CAPABILITIES: {
        const struct infypower_capabilities capabilities = {.voltage_max_mv = milli(r->max_v),
                                                            .voltage_min_mv = milli(r->min_v),
                                                            .current_max_ma = milli(r->max_a),
                                                            .power_w = (int32_t)r->rated_w};
        return infypower_encode_capabilities(&capabilities, out) ? INFYPOWER_ERROR_NONE
                                                                 : INFYPOWER_ERROR_DATA;
    }
    case INFYPOWER_EXTERNAL: {
        const struct slot *s = &p->slot[p->by_module[r->interface][r->address].slot - 1u];
        const struct infypower_external external = {.voltage_mv = milli(s->bus_v),
                                                    .available_ma = milli(available_a(r))};
        return infypower_encode_external(&external, out) ? INFYPOWER_ERROR_NONE
                                                         : INFYPOWER_ERROR_DATA;
    }
    case INFYPOWER_ON_OFF: {
        bool on;
        if (!infypower_decode_on(in, &on)) {
            return INFYPOWER_ERROR_DATA;
        }
        set_on(r, on);
        memcpy(out, in, 8);
        return INFYPOWER_ERROR_NONE;
    }
    case INFYPOWER_SETPOINT: {
        struct infypower_setpoint set;
        if (!infypower_decode_setpoint(in, &set) || set.voltage_mv > milli(r->max_v)) {
            return INFYPOWER_ERROR_DATA;
        }
        set_output(r, set.voltage_mv / 1000.0, set.current_ma / 1000.0);
        memcpy(out, in, 8);
        return INFYPOWER_ERROR_NONE;
    }
    default: return INFYPOWER_ERROR_COMMAND;
    }
}

static void infypower_answer(struct plant *p, struct rectifier *r,
                             const struct infypower_id *request, const struct can_frame *frame) {
    uint8_t data[8];
    struct infypower_id id = {.source = r->address,
                              .destination = request->source,
                              .command = request->command,
                              .device = request->device};
    id.error = (uint8_t)infypower_execute(p, r, request->command, frame->data, data);
    reply(p, r, infypower_encode_id(&id), data);
}

/* ---- either ---- */

static struct rectifier *addressed(struct plant *p, uint32_t interface, uint8_t address) {
    uint8_t slot = p->by_module[interface][address].slot;
    return slot == 0 ? NULL : &p->slot[slot - 1u].module[p->by_module[interface][address].module];
}

void rectifier_rx(struct plant *p, uint32_t interface, const struct can_frame *frame,
                  int64_t now_us) {
    if (frame->len != 8) {
        p->report.format_errors++;
        return;
    }
    const uint32_t can_id = frame->can_id & CAN_EFF_MASK;
    const bool maxwell = p->config->modules.protocol == MODULE_PROTOCOL_MAXWELL;
    struct maxwell_id m = {0};
    struct infypower_id i = {0};
    if (maxwell ? !maxwell_decode_id(can_id, &m) : !infypower_decode_id(can_id, &i)) {
        p->report.format_errors++;
        return;
    }
    const uint8_t destination = maxwell ? m.destination : i.destination;
    const bool all = destination == (maxwell ? MAXWELL_BROADCAST : INFYPOWER_BROADCAST);
    for (uint32_t a = all ? 0 : destination; a <= (all ? 255u : destination); a++) {
        struct rectifier *r = addressed(p, interface, (uint8_t)a);
        if (!r || r->silent) {
            continue;
        }
        r->heard_us = now_us;
        if (maxwell) {
            maxwell_answer(p, r, frame);
        } else {
            infypower_answer(p, r, &i, frame);
        }
    }
}
