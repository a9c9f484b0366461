/* Big-endian numbers of the module protocols, byte by byte: never a cast onto a buffer. */
#ifndef RINGMAIN_RT_CAN_BIGENDIAN_H
#define RINGMAIN_RT_CAN_BIGENDIAN_H

#include <stdint.h>

static inline uint16_t bigendian_get16(const uint8_t *data) {
    return (uint16_t)((unsigned)data[0] << 8 | data[1]);
}

static inline uint32_t bigendian_get32(const uint8_t *data) {
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static inline void bigendian_put16(uint16_t value, uint8_t *data) {
    data[0] = (uint8_t)(value >> 8);
    data[1] = (uint8_t)value;
}

static inline void bigendian_put32(uint32_t value, uint8_t *data) {
    data[0] = (uint8_t)(value >> 24);
    data[1] = (uint8_t)(value >> 16);
    data[2] = (uint8_t)(value >> 8);
    data[3] = (uint8_t)value;
}

#endif
