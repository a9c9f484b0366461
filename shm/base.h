/* What every other header of Ringmain leans on: bounds of the hub, and the must-check attribute.
 *
 * Units. Every physical value ends in its unit: _mv millivolt, _ma milliampere, _w watt, _mwh milliwatt-hour,
 * _ddegc tenth of a degree Celsius, _ohm, _permille, _us and _ns of CLOCK_MONOTONIC. Values are signed
 * integers; products are widened to 64 bit before multiplying.
 */
#ifndef RINGMAIN_SHM_BASE_H
#define RINGMAIN_SHM_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds of one hub. A proof may compile the pure core with fewer slots (-DRM_SLOTS_MAX=4). */
#ifndef RM_SLOTS_MAX
#define RM_SLOTS_MAX 96
#endif
#define RM_MODULES_PER_SLOT_MAX 8
#define RM_INTERFACES_MAX       48 /* CAN interfaces, PLC and module buses together */
#define RM_PLC_IDS_MAX          16 /* plcId 0..15 on one interface */
#define RM_CACHE_LINE           64
#define RM_ID_TOKEN_LEN                                                                            \
    40 /* an IdTag or identity with its terminating zero; OCPP 2.0.1 allows 36 */

#define RM_MUST_CHECK __attribute__((warn_unused_result))

#endif
