/* Kernel filters of the PLC interfaces: one per message a PLC sends and PLC id on that interface (contract section 1).
 * Start-up only. */
#ifndef RINGMAIN_RT_FILTERS_H
#define RINGMAIN_RT_FILTERS_H

#include <linux/can.h>

#include "configs/config.h"
#include "rt/io/bus_open.h"

#define FILTERS_MAX 512 /* CAN_RAW_FILTER_MAX of the kernel */

struct filters {
    uint32_t count;
    struct can_filter filter[FILTERS_MAX];
};

/* Fills filters for one interface. A module bus gets none: its reply identifiers are the protocol driver's business, and
 * the socket's default lets all extended data frames through. */
void filters_of(const struct config *config, uint32_t interface, struct filters *out);

#endif
