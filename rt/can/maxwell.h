/* Codec of the Maxwell MXR V1.50 module protocol (the same as Winline): identifiers, requests, replies.
 * Both sides of the wire: the hub encodes requests and decodes replies, a module the reverse. 29-bit identifiers,
 * 8 data bytes, big-endian. Pure, constant time; every decoder accepts any bytes and says false for what it is not. */
#ifndef RINGMAIN_RT_CAN_MAXWELL_H
#define RINGMAIN_RT_CAN_MAXWELL_H

#include <stdbool.h>
#include <stdint.h>

#define MAXWELL_PROTNO     0x060u
#define MAXWELL_CONTROLLER 0xF0u
#define MAXWELL_BROADCAST  0xFFu /* a module listens to it; the hub never uses it (rule M5) */

enum maxwell_register {
    /* read */
    MAXWELL_VOLTAGE = 0x01,        /* float, V */
    MAXWELL_CURRENT = 0x02,        /* float, A */
    MAXWELL_CURRENT_LIMIT = 0x03,  /* float, fraction of the rated current left after derating */
    MAXWELL_DC_TEMPERATURE = 0x04, /* float, degC */
    MAXWELL_AMBIENT = 0x0B,        /* float, degC */
    MAXWELL_RATED_POWER = 0x11,    /* float, W */
    MAXWELL_RATED_CURRENT = 0x12,  /* float, A */
    MAXWELL_ALARMS = 0x40,         /* u32, MAXWELL_ALARM_* */
    /* set */
    MAXWELL_SET_CURRENT = 0x1B, /* u32, A x 1024 */
    MAXWELL_SET_VOLTAGE = 0x21, /* float, V */
    MAXWELL_SET_LIMIT = 0x22,   /* float, fraction of the rated current */
    MAXWELL_SET_ON = 0x30,      /* u32: 0 on, MAXWELL_OFF off */
};

#define MAXWELL_OFF 0x00010000u

#define MAXWELL_ALARM_FAULT               (1u << 0)
#define MAXWELL_ALARM_PROTECTION          (1u << 1)
#define MAXWELL_ALARM_DC_OVERVOLTAGE      (1u << 7)
#define MAXWELL_ALARM_AC_OVERVOLTAGE      (1u << 9)
#define MAXWELL_ALARM_AC_UNDERVOLTAGE     (1u << 14)
#define MAXWELL_ALARM_CAN                 (1u << 16)
#define MAXWELL_ALARM_IMBALANCE           (1u << 17)
#define MAXWELL_STATE_DCDC_OFF            (1u << 22) /* a state, not a fault */
#define MAXWELL_ALARM_POWER_LIMITED       (1u << 23)
#define MAXWELL_ALARM_DERATED_TEMPERATURE (1u << 24)
#define MAXWELL_ALARM_FAN                 (1u << 27)
#define MAXWELL_ALARM_SHORT               (1u << 28)
#define MAXWELL_ALARM_OVERTEMPERATURE     (1u << 30)
#define MAXWELL_ALARM_OUTPUT_OVERVOLTAGE  (1u << 31)

struct maxwell_id {
    uint8_t destination, source;
    uint8_t group; /* 0..7 */
    bool point_to_point;
};

/* The 29-bit identifier, without CAN_EFF_FLAG. */
uint32_t maxwell_encode_id(const struct maxwell_id *id);
/* false: not this protocol's PROTNO, or longer than 29 bits. */
bool maxwell_decode_id(uint32_t can_id, struct maxwell_id *out);

struct maxwell_request {
    bool set; /* false: read */
    uint16_t reg;
    uint32_t raw; /* bytes 4..7: float32 bits or u32, by register */
};

void maxwell_encode_request(const struct maxwell_request *in, uint8_t data[8]);
bool maxwell_decode_request(const uint8_t data[8], struct maxwell_request *out);

/* Requests of the hub in its own units. false, data untouched: mV outside 0..1 500 000, mA outside 0..1 000 000. */
bool maxwell_encode_set_voltage(int32_t mv, uint8_t data[8]);
bool maxwell_encode_set_current(int32_t ma, uint8_t data[8]);
void maxwell_encode_set_on(bool on, uint8_t data[8]);
/* mA of a MAXWELL_SET_CURRENT request, rounded; false above 1 000 A. */
bool maxwell_current_ma(uint32_t raw, int32_t *ma);

struct maxwell_reply {
    bool is_float; /* byte 0: 0x41 float, 0x42 integer */
    bool ok;       /* byte 1: 0xF0; anything else is a refusal */
    uint16_t reg;
    uint32_t raw;
};

void maxwell_encode_reply(const struct maxwell_reply *in, uint8_t data[8]);
bool maxwell_decode_reply(const uint8_t data[8], struct maxwell_reply *out);

#endif
