/* Which driver a received frame belongs to, and the kernel filters that let only such frames in.
 * The table is built once at start; routing is pure and takes constant time. Guard thread. */
#ifndef RINGMAIN_RT_CAN_ROUTE_H
#define RINGMAIN_RT_CAN_ROUTE_H

#include <linux/can.h>

#include "configs/config.h"

enum can_route_kind {
    CAN_ROUTE_UNKNOWN = 0, /* nobody's: count and drop */
    CAN_ROUTE_FORMAT, /* standard, RTR, or wrong length on a bus of 29-bit data frames: count and drop */
    CAN_ROUTE_ERROR,  /* error frame of the interface (CAN_ERR_FLAG) */
    CAN_ROUTE_PLC,    /* for plc_rx of slot */
    CAN_ROUTE_MODULE, /* for module_rx of slot and module */
};

struct can_route {
    enum can_route_kind kind;
    uint16_t slot;
    uint8_t module;
};

struct can_router {
    uint32_t interfaces;
    enum module_protocol protocol;
    struct can_router_bus {
        enum interface_role role;
        uint16_t plc_slot[RM_PLC_IDS_MAX]; /* slot + 1, 0 nobody */
        uint16_t module[256]; /* 1 + slot * RM_MODULES_PER_SLOT_MAX + module, 0 nobody */
    } bus[RM_INTERFACES_MAX];
};

void can_router_init(struct can_router *router, const struct config *config);

/* A frame of the wrong format that names a PLC is CAN_ROUTE_PLC: plc_rx counts it against that node. */
struct can_route can_route(const struct can_router *router, uint32_t interface,
                           const struct can_frame *frame);

/* Filters for CAN_RAW_FILTER of one interface: one per message and plcId, or one per module; standard and RTR frames
 * pass none. Returns how many there are; only the first max are written (out may be NULL when max is 0). */
uint32_t can_kernel_filters(const struct config *config, uint32_t interface, struct can_filter *out,
                            uint32_t max);

#endif
