#include "rt/can/maxwell.h"

#include "rt/can/bigendian.h"
#include "rt/can/float32.h"

#define FUNCTION_SET   0x03
#define FUNCTION_READ  0x10
#define REPLY_FLOAT    0x41
#define REPLY_INTEGER  0x42
#define REPLY_OK       0xF0
#define REPLY_REFUSED  0xF2
#define CURRENT_SCALE  1024
#define VOLTAGE_MAX_MV 1500000
#define CURRENT_MAX_MA 1000000

uint32_t maxwell_encode_id(const struct maxwell_id *id) {
    return (MAXWELL_PROTNO << 20) | ((uint32_t)id->point_to_point << 19) |
           ((uint32_t)id->destination << 11) | ((uint32_t)id->source << 3) | (id->group & 7u);
}

bool maxwell_decode_id(uint32_t can_id, struct maxwell_id *out) {
    if (can_id >> 20 != MAXWELL_PROTNO) {
        return false;
    }
    out->point_to_point = (can_id >> 19) & 1u;
    out->destination = (uint8_t)(can_id >> 11);
    out->source = (uint8_t)(can_id >> 3);
    out->group = (uint8_t)(can_id & 7u);
    return true;
}

void maxwell_encode_request(const struct maxwell_request *in, uint8_t data[8]) {
    data[0] = in->set ? FUNCTION_SET : FUNCTION_READ;
    data[1] = 0;
    bigendian_put16(in->reg, data + 2);
    bigendian_put32(in->raw, data + 4);
}

bool maxwell_decode_request(const uint8_t data[8], struct maxwell_request *out) {
    if (data[0] != FUNCTION_SET && data[0] != FUNCTION_READ) {
        return false;
    }
    out->set = data[0] == FUNCTION_SET;
    out->reg = bigendian_get16(data + 2);
    out->raw = bigendian_get32(data + 4);
    return true;
}

static void encode_set(enum maxwell_register reg, uint32_t raw, uint8_t data[8]) {
    const struct maxwell_request request = {.set = true, .reg = (uint16_t)reg, .raw = raw};
    maxwell_encode_request(&request, data);
}

bool maxwell_encode_set_voltage(int32_t mv, uint8_t data[8]) {
    if (mv < 0 || mv > VOLTAGE_MAX_MV) {
        return false;
    }
    encode_set(MAXWELL_SET_VOLTAGE, float32_from_milli(mv), data);
    return true;
}

bool maxwell_encode_set_current(int32_t ma, uint8_t data[8]) {
    if (ma < 0 || ma > CURRENT_MAX_MA) {
        return false;
    }
    /* rounded down: the module never gets more than was granted */
    encode_set(MAXWELL_SET_CURRENT, (uint32_t)((int64_t)ma * CURRENT_SCALE / 1000), data);
    return true;
}

void maxwell_encode_set_on(bool on, uint8_t data[8]) {
    encode_set(MAXWELL_SET_ON, on ? 0 : MAXWELL_OFF, data);
}

bool maxwell_current_ma(uint32_t raw, int32_t *ma) {
    int64_t value = ((int64_t)raw * 1000 + CURRENT_SCALE / 2) / CURRENT_SCALE;
    if (value > CURRENT_MAX_MA) {
        return false;
    }
    *ma = (int32_t)value;
    return true;
}

void maxwell_encode_reply(const struct maxwell_reply *in, uint8_t data[8]) {
    data[0] = in->is_float ? REPLY_FLOAT : REPLY_INTEGER;
    data[1] = in->ok ? REPLY_OK : REPLY_REFUSED;
    bigendian_put16(in->reg, data + 2);
    bigendian_put32(in->raw, data + 4);
}

bool maxwell_decode_reply(const uint8_t data[8], struct maxwell_reply *out) {
    if (data[0] != REPLY_FLOAT && data[0] != REPLY_INTEGER) {
        return false;
    }
    out->is_float = data[0] == REPLY_FLOAT;
    out->ok = data[1] == REPLY_OK;
    out->reg = bigendian_get16(data + 2);
    out->raw = bigendian_get32(data + 4);
    return true;
}
