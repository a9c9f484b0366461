/* float32 on the wire of the module protocols, as thousandths in integers: the guard computes without floating point.
 * Pure, constant time. */
#ifndef RINGMAIN_RT_CAN_FLOAT32_H
#define RINGMAIN_RT_CAN_FLOAT32_H

#include <stdbool.h>
#include <stdint.h>

/* IEEE 754 bits of milli / 1000, rounded to nearest. Never NaN or infinite. */
uint32_t float32_from_milli(int32_t milli);

/* The value in thousandths, rounded to nearest. false for NaN, infinity and what lies outside [minimum, maximum];
 * *milli is then untouched. Denormals are 0. */
bool float32_to_milli(uint32_t bits, int32_t minimum, int32_t maximum, int32_t *milli);

#endif
