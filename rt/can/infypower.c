#include "rt/can/infypower.h"

#include <string.h>

#include "rt/can/bigendian.h"
#include "rt/can/float32.h"

#define VOLTAGE_MAX_MV 1500000
#define CURRENT_MAX_MA 1000000

uint32_t infypower_encode_id(const struct infypower_id *id) {
    return (uint32_t)id->source | (uint32_t)id->destination << 8 | (id->command & 0x3fu) << 16 |
           (id->device & 0xfu) << 22 | (id->error & 7u) << 26;
}

bool infypower_decode_id(uint32_t can_id, struct infypower_id *out) {
    uint8_t device = (can_id >> 22) & 0xf;
    if (can_id >> 29 || (device != INFYPOWER_DEVICE_SINGLE && device != INFYPOWER_DEVICE_GROUP)) {
        return false;
    }
    out->source = (uint8_t)can_id;
    out->destination = (uint8_t)(can_id >> 8);
    out->command = (can_id >> 16) & 0x3f;
    out->device = device;
    out->error = (can_id >> 26) & 7;
    return true;
}

void infypower_encode_output(const struct infypower_output *in, uint8_t data[8]) {
    bigendian_put32(float32_from_milli(in->voltage_mv), data);
    bigendian_put32(float32_from_milli(in->current_ma), data + 4);
}

void infypower_decode_output(const uint8_t data[8], struct infypower_output *out, bool *voltage_ok,
                             bool *current_ok) {
    out->voltage_mv = 0;
    out->current_ma = 0;
    *voltage_ok = float32_to_milli(bigendian_get32(data), 0, VOLTAGE_MAX_MV, &out->voltage_mv);
    *current_ok = float32_to_milli(bigendian_get32(data + 4), -CURRENT_MAX_MA, CURRENT_MAX_MA,
                                   &out->current_ma);
}

bool infypower_encode_setpoint(const struct infypower_setpoint *in, uint8_t data[8]) {
    if (in->voltage_mv < 0 || in->voltage_mv > VOLTAGE_MAX_MV || in->current_ma < 0 ||
        in->current_ma > CURRENT_MAX_MA) {
        return false;
    }
    bigendian_put32((uint32_t)in->voltage_mv, data);
    bigendian_put32((uint32_t)in->current_ma, data + 4);
    return true;
}

bool infypower_decode_setpoint(const uint8_t data[8], struct infypower_setpoint *out) {
    uint32_t mv = bigendian_get32(data), ma = bigendian_get32(data + 4);
    if (mv > VOLTAGE_MAX_MV || ma > CURRENT_MAX_MA) {
        return false;
    }
    out->voltage_mv = (int32_t)mv;
    out->current_ma = (int32_t)ma;
    return true;
}

void infypower_encode_on(bool on, uint8_t data[8]) {
    memset(data, 0, 8);
    data[0] = on ? 0 : 1;
}

bool infypower_decode_on(const uint8_t data[8], bool *on) {
    if (data[0] > 1) {
        return false;
    }
    *on = data[0] == 0;
    return true;
}

static bool fits_steps(int32_t value, int32_t step) {
    return value >= 0 && value / step <= UINT16_MAX;
}

bool infypower_encode_capabilities(const struct infypower_capabilities *in, uint8_t data[8]) {
    if (!fits_steps(in->voltage_max_mv, 1000) || !fits_steps(in->voltage_min_mv, 1000) ||
        !fits_steps(in->current_max_ma, 100) || !fits_steps(in->power_w, 10)) {
        return false;
    }
    bigendian_put16((uint16_t)(in->voltage_max_mv / 1000), data);
    bigendian_put16((uint16_t)(in->voltage_min_mv / 1000), data + 2);
    bigendian_put16((uint16_t)(in->current_max_ma / 100), data + 4);
    bigendian_put16((uint16_t)(in->power_w / 10), data + 6);
    return true;
}

void infypower_decode_capabilities(const uint8_t data[8], struct infypower_capabilities *out) {
    out->voltage_max_mv = bigendian_get16(data) * 1000;
    out->voltage_min_mv = bigendian_get16(data + 2) * 1000;
    out->current_max_ma = bigendian_get16(data + 4) * 100;
    out->power_w = bigendian_get16(data + 6) * 10;
}

bool infypower_encode_external(const struct infypower_external *in, uint8_t data[8]) {
    if (!fits_steps(in->voltage_mv, 100) || !fits_steps(in->available_ma, 100)) {
        return false;
    }
    memset(data, 0, 8);
    bigendian_put16((uint16_t)(in->voltage_mv / 100), data);
    bigendian_put16((uint16_t)(in->available_ma / 100), data + 2);
    return true;
}

void infypower_decode_external(const uint8_t data[8], struct infypower_external *out) {
    out->voltage_mv = bigendian_get16(data) * 100;
    out->available_ma = bigendian_get16(data + 2) * 100;
}

bool infypower_encode_status(const struct infypower_status *in, uint8_t data[8]) {
    int32_t degc = in->temperature_ddegc / 10;
    if (degc < INT8_MIN || degc > INT8_MAX) {
        return false;
    }
    memset(data, 0, 8);
    data[2] = in->group;
    data[4] = (uint8_t)degc;
    data[5] = in->state2;
    data[6] = in->state1;
    data[7] = in->state0;
    return true;
}

void infypower_decode_status(const uint8_t data[8], struct infypower_status *out) {
    int32_t degc = data[4] > INT8_MAX ? data[4] - 256 : data[4];
    out->group = data[2];
    out->temperature_ddegc = degc * 10;
    out->state2 = data[5];
    out->state1 = data[6];
    out->state0 = data[7];
}
