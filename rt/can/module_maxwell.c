/* Maxwell MXR / Winline modules: one register per frame, read and set. */
#include "rt/can/float32.h"
#include "rt/can/maxwell.h"
#include "rt/can/module_private.h"

#define VOLTAGE_LEAST_MV  (-10000) /* noise around zero */
#define TEMPERATURE_LEAST (-60000) /* milli degC */
#define TEMPERATURE_MOST  200000
#define POWER_MOST_W      1000000

enum { RATED_W = 1, RATED_MA = 2, RATED_LIMIT = 4, RATED_ALL = 7 };

static bool send(const struct module_driver *m, const uint8_t data[8], struct frame_batch *tx) {
    const struct maxwell_id id = {
        .destination = m->address, .source = MAXWELL_CONTROLLER, .point_to_point = true};
    return module_push(m, maxwell_encode_id(&id), data, tx);
}

static bool read_register(const struct module_driver *m, enum maxwell_register reg,
                          struct frame_batch *tx) {
    const struct maxwell_request request = {.reg = (uint16_t)reg};
    uint8_t data[8];
    maxwell_encode_request(&request, data);
    return send(m, data, tx);
}

static bool send_setpoint(const struct module_driver *m, const struct module_target *target,
                          bool all, struct frame_batch *tx) {
    uint8_t data[8];
    if (all || target->mv != m->sent_mv) {
        if (!maxwell_encode_set_voltage(target->mv, data) || !send(m, data, tx)) {
            return false;
        }
    }
    if (all || target->ma != m->sent_ma) {
        if (!maxwell_encode_set_current(target->ma, data) || !send(m, data, tx)) {
            return false;
        }
    }
    return true;
}

static bool send_mode(const struct module_driver *m, bool on, struct frame_batch *tx) {
    uint8_t data[8];
    maxwell_encode_set_on(on, data);
    return send(m, data, tx);
}

static bool poll_output(const struct module_driver *m, uint8_t step, struct frame_batch *tx) {
    return read_register(m, step == 0 ? MAXWELL_VOLTAGE : MAXWELL_CURRENT, tx);
}

static bool poll_status(const struct module_driver *m, struct frame_batch *tx) {
    return read_register(m, MAXWELL_ALARMS, tx);
}

static bool poll_slow(const struct module_driver *m, uint8_t step, struct frame_batch *tx) {
    static const enum maxwell_register registers[4] = {
        MAXWELL_RATED_POWER, MAXWELL_RATED_CURRENT, MAXWELL_CURRENT_LIMIT, MAXWELL_DC_TEMPERATURE};
    return read_register(m, registers[step & 3], tx);
}

static uint32_t normalise(uint32_t alarms) {
    static const struct {
        uint32_t wire, normal;
    } row[] = {
        {MAXWELL_ALARM_FAULT, MODULE_ALARM_FAULT},
        {MAXWELL_ALARM_PROTECTION | MAXWELL_ALARM_DC_OVERVOLTAGE | MAXWELL_ALARM_SHORT |
             MAXWELL_ALARM_OUTPUT_OVERVOLTAGE,
         MODULE_ALARM_PROTECTION},
        {MAXWELL_ALARM_OVERTEMPERATURE, MODULE_ALARM_TEMPERATURE},
        {MAXWELL_ALARM_AC_OVERVOLTAGE | MAXWELL_ALARM_AC_UNDERVOLTAGE, MODULE_ALARM_INPUT},
        {MAXWELL_ALARM_FAN, MODULE_ALARM_FAN},
        {MAXWELL_ALARM_CAN, MODULE_ALARM_COMM},
        {MAXWELL_ALARM_POWER_LIMITED | MAXWELL_ALARM_DERATED_TEMPERATURE | MAXWELL_ALARM_IMBALANCE,
         MODULE_ALARM_DERATED},
    };
    uint32_t normal = 0;
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        normal |= alarms & row[i].wire ? row[i].normal : 0;
    }
    return normal;
}

/* Rated figures times the fraction that derating leaves. */
static void put_capability(struct module_driver *m, struct image_module *image, int64_t now_us) {
    if (m->rated_seen != RATED_ALL) {
        return;
    }
    module_sample(&image->capability_w, true,
                  (int32_t)((int64_t)m->rated_w * m->limit_permille / 1000), now_us);
    module_sample(&image->capability_ma, true,
                  (int32_t)((int64_t)m->rated_ma * m->limit_permille / 1000), now_us);
}

/* A capability that cannot be read is not known: it must not live on with its last value. */
static void take_rated(struct module_driver *m, uint8_t bit, bool valid, struct image_module *image,
                       int64_t now_us) {
    if (valid) {
        m->rated_seen |= bit;
        put_capability(m, image, now_us);
    } else {
        m->rated_seen &= (uint8_t)~bit;
        image->capability_w.valid = false;
        image->capability_ma.valid = false;
    }
}

static void rx_float(struct module_driver *m, const struct maxwell_reply *in,
                     struct image_module *image, int64_t now_us) {
    int32_t value = 0;
    bool valid;
    switch (in->reg) {
    case MAXWELL_VOLTAGE:
        valid = float32_to_milli(in->raw, VOLTAGE_LEAST_MV, MODULE_VOLTAGE_MAX_MV, &value);
        module_sample(&image->voltage_mv, valid, value < 0 ? 0 : value, now_us);
        break;
    case MAXWELL_CURRENT:
        valid = float32_to_milli(in->raw, -MODULE_CURRENT_MAX_MA, MODULE_CURRENT_MAX_MA, &value);
        module_sample(&image->current_ma, valid, value, now_us);
        break;
    case MAXWELL_DC_TEMPERATURE:
        valid = float32_to_milli(in->raw, TEMPERATURE_LEAST, TEMPERATURE_MOST, &value);
        module_sample(&image->temperature_ddegc, valid, value / 100, now_us);
        break;
    case MAXWELL_RATED_POWER:
        valid = float32_to_milli(in->raw, 0, POWER_MOST_W * 1000, &value);
        m->rated_w = value / 1000;
        take_rated(m, RATED_W, valid, image, now_us);
        break;
    case MAXWELL_RATED_CURRENT:
        valid = float32_to_milli(in->raw, 0, MODULE_CURRENT_MAX_MA, &value);
        m->rated_ma = value;
        take_rated(m, RATED_MA, valid, image, now_us);
        break;
    case MAXWELL_CURRENT_LIMIT:
        valid = float32_to_milli(in->raw, 0, 2000, &value);
        m->limit_permille = value > 1000 ? 1000 : value;
        take_rated(m, RATED_LIMIT, valid, image, now_us);
        break;
    default: break;
    }
}

static bool rx(struct module_driver *m, const struct can_frame *frame, struct image_module *image,
               int64_t now_us) {
    struct maxwell_reply reply;
    if (!maxwell_decode_reply(frame->data, &reply)) {
        return false;
    }
    if (!reply.ok) {
        m->refusals++;
    } else if (reply.is_float) {
        rx_float(m, &reply, image, now_us);
    } else if (reply.reg == MAXWELL_ALARMS) {
        image->alarm_bits = normalise(reply.raw);
        module_put_on(m, image, !(reply.raw & MAXWELL_STATE_DCDC_OFF), now_us);
    }
    return true;
}

static int source(const struct can_frame *frame) {
    struct maxwell_id id;
    if (!maxwell_decode_id(frame->can_id & CAN_EFF_MASK, &id) || !id.point_to_point ||
        id.destination != MAXWELL_CONTROLLER || id.source == MAXWELL_CONTROLLER) {
        return -1;
    }
    return id.source;
}

const struct module_codec module_codec_maxwell = {
    .output_steps = 2,
    .slow_steps = 4,
    .send_setpoint = send_setpoint,
    .send_mode = send_mode,
    .poll_output = poll_output,
    .poll_status = poll_status,
    .poll_slow = poll_slow,
    .rx = rx,
    .source = source,
};
