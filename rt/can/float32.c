#include "rt/can/float32.h"

#define EXPONENT_BIAS 127
#define MANTISSA_BITS 23

uint32_t float32_from_milli(int32_t milli) {
    if (milli == 0) {
        return 0;
    }
    uint32_t sign = milli < 0 ? UINT32_C(0x80000000) : 0;
    uint64_t magnitude = milli < 0 ? (uint64_t)(-(int64_t)milli) : (uint64_t)milli;
    /* value = quotient / 2^fraction, with 54 or more significant bits: far beyond the 24 that are kept */
    int fraction = __builtin_clzll(magnitude);
    uint64_t quotient = (magnitude << fraction) / 1000;
    int top = 63 - __builtin_clzll(quotient);
    int drop = top - MANTISSA_BITS;
    uint64_t mantissa = (quotient + (UINT64_C(1) << (drop - 1))) >> drop;
    int exponent = top - fraction;
    if (mantissa >> (MANTISSA_BITS + 1)) { /* rounding carried into the next power of two */
        mantissa >>= 1;
        exponent++;
    }
    return sign | ((uint32_t)(exponent + EXPONENT_BIAS) << MANTISSA_BITS) |
           ((uint32_t)mantissa & UINT32_C(0x7fffff));
}

bool float32_to_milli(uint32_t bits, int32_t minimum, int32_t maximum, int32_t *milli) {
    int exponent = (int)((bits >> MANTISSA_BITS) & 0xff);
    if (exponent == 0xff) {
        return false; /* NaN or infinite */
    }
    int64_t value = 0;
    if (exponent != 0) {
        int64_t scaled = (int64_t)((bits & UINT32_C(0x7fffff)) | UINT32_C(0x800000)) * 1000;
        int shift = exponent - EXPONENT_BIAS - MANTISSA_BITS;
        if (shift > 8) {
            return false; /* at least 2^32: beyond any range in use */
        }
        if (shift >= 0) {
            value = scaled << shift;
        } else if (shift > -40) {
            value = (scaled + (INT64_C(1) << (-shift - 1))) >> -shift;
        }
    }
    if (bits >> 31) {
        value = -value;
    }
    if (value < minimum || value > maximum) {
        return false;
    }
    *milli = (int32_t)value;
    return true;
}
