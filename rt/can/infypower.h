/* Codec of the Infypower V1.13 module protocol: identifiers and payloads, for both sides of the wire.
 * 29-bit identifiers, 8 data bytes, big-endian. A reply carries the command of its request with source and destination
 * exchanged; an all-zero payload is a read. Pure, constant time; decoders accept any bytes. */
#ifndef RINGMAIN_RT_CAN_INFYPOWER_H
#define RINGMAIN_RT_CAN_INFYPOWER_H

#include <stdbool.h>
#include <stdint.h>

#define INFYPOWER_CONTROLLER    0xF0u
#define INFYPOWER_BROADCAST     0x3Fu /* every module listens to it; the hub never uses it (rule M5) */
#define INFYPOWER_DEVICE_SINGLE 0x0Au
#define INFYPOWER_DEVICE_GROUP  0x0Bu

enum infypower_command {
    INFYPOWER_COUNT = 0x02,        /* modules on the bus, byte 2 */
    INFYPOWER_OUTPUT = 0x03,       /* struct infypower_output */
    INFYPOWER_STATUS = 0x04,       /* struct infypower_status */
    INFYPOWER_CAPABILITIES = 0x0A, /* struct infypower_capabilities */
    INFYPOWER_EXTERNAL = 0x0C,     /* struct infypower_external */
    INFYPOWER_ON_OFF = 0x1A,       /* byte 0: 0 on, 1 off */
    INFYPOWER_SETPOINT = 0x1C,     /* struct infypower_setpoint */
};

enum infypower_error { /* bits 26..28 of a reply */
                       INFYPOWER_ERROR_NONE = 0,
                       INFYPOWER_ERROR_COMMAND = 2, /* command unknown */
                       INFYPOWER_ERROR_DATA = 3,    /* value refused */
                       INFYPOWER_ERROR_STARTING = 7 /* still starting */
};

struct infypower_id {
    uint8_t source, destination;
    uint8_t command; /* 0..63 */
    uint8_t device;  /* INFYPOWER_DEVICE_* */
    uint8_t error;   /* 0..7 */
};

/* The 29-bit identifier, without CAN_EFF_FLAG. */
uint32_t infypower_encode_id(const struct infypower_id *id);
/* false: neither a single module nor a group is meant, or longer than 29 bits. */
bool infypower_decode_id(uint32_t can_id, struct infypower_id *out);

struct infypower_output {
    int32_t voltage_mv, current_ma;
};
void infypower_encode_output(const struct infypower_output *in, uint8_t data[8]);
/* Each value false when NaN, infinite or outside 0..1 500 V, -1 000..1 000 A; the other is still given. */
void infypower_decode_output(const uint8_t data[8], struct infypower_output *out, bool *voltage_ok,
                             bool *current_ok);

struct infypower_setpoint {
    int32_t voltage_mv, current_ma;
};
/* false, data untouched: mV outside 0..1 500 000, mA outside 0..1 000 000. */
bool infypower_encode_setpoint(const struct infypower_setpoint *in, uint8_t data[8]);
bool infypower_decode_setpoint(const uint8_t data[8], struct infypower_setpoint *out);

void infypower_encode_on(bool on, uint8_t data[8]);
/* false when byte 0 is neither 0 nor 1. */
bool infypower_decode_on(const uint8_t data[8], bool *on);

struct infypower_capabilities {
    int32_t voltage_max_mv, voltage_min_mv; /* steps of 1 V */
    int32_t current_max_ma;                 /* steps of 0.1 A */
    int32_t power_w;                        /* steps of 10 W */
};
/* false, data untouched: a value negative or beyond 65535 steps. Rounded down to the step. */
bool infypower_encode_capabilities(const struct infypower_capabilities *in, uint8_t data[8]);
void infypower_decode_capabilities(const uint8_t data[8], struct infypower_capabilities *out);

struct infypower_external {
    int32_t voltage_mv;   /* bus side of the output relay or diode, steps of 0.1 V */
    int32_t available_ma; /* after derating, steps of 0.1 A */
};
bool infypower_encode_external(const struct infypower_external *in, uint8_t data[8]);
void infypower_decode_external(const uint8_t data[8], struct infypower_external *out);

/* Bytes 2 (group), 4 (temperature, degC signed), 5 to 7 (states 2, 1, 0). */
struct infypower_status {
    uint8_t group;
    int32_t temperature_ddegc;      /* steps of 1 degC */
    uint8_t state0, state1, state2; /* INFYPOWER_S0_* .. */
};
/* false, data untouched: temperature outside -128..127 degC. */
bool infypower_encode_status(const struct infypower_status *in, uint8_t data[8]);
void infypower_decode_status(const uint8_t data[8], struct infypower_status *out);

#define INFYPOWER_S0_SHORT       (1u << 0)
#define INFYPOWER_S0_SLEEPING    (1u << 4)
#define INFYPOWER_S0_DISCHARGE   (1u << 5)
#define INFYPOWER_S1_DC_OFF      (1u << 0) /* a state, not a fault */
#define INFYPOWER_S1_FAULT       (1u << 1)
#define INFYPOWER_S1_PROTECTION  (1u << 2)
#define INFYPOWER_S1_FAN         (1u << 3)
#define INFYPOWER_S1_OVERTEMP    (1u << 4)
#define INFYPOWER_S1_OVERVOLTAGE (1u << 5)
#define INFYPOWER_S1_WALK_IN     (1u << 6)
#define INFYPOWER_S1_COMM        (1u << 7)
#define INFYPOWER_S2_LIMITED     (1u << 0)
#define INFYPOWER_S2_ID_TWICE    (1u << 1)
#define INFYPOWER_S2_IMBALANCE   (1u << 2)
#define INFYPOWER_S2_PHASE_LOSS  (1u << 3)
#define INFYPOWER_S2_UNBALANCED  (1u << 4)
#define INFYPOWER_S2_AC_UNDER    (1u << 5)
#define INFYPOWER_S2_AC_OVER     (1u << 6)
#define INFYPOWER_S2_PFC_OFF     (1u << 7)

#endif
