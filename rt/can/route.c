#include "rt/can/route.h"

#include <string.h>

#include "hub_codec.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"
#include "rt/can/module.h"

void can_router_init(struct can_router *router, const struct config *config) {
    memset(router, 0, sizeof(*router));
    assert(config->interfaces <= RM_INTERFACES_MAX && config->slots <= RM_SLOTS_MAX);
    router->interfaces = config->interfaces;
    router->protocol = config->modules.protocol;
    for (uint32_t i = 0; i < config->interfaces; i++) {
        router->bus[i].role = config->interface[i].role;
    }
    for (uint32_t i = 0; i < config->slots; i++) {
        const struct config_slot *slot = &config->slot[i];
        assert(slot->interface < config->interfaces && slot->plc_id < RM_PLC_IDS_MAX);
        router->bus[slot->interface].plc_slot[slot->plc_id] = (uint16_t)(i + 1);
        for (uint32_t j = 0; j < slot->module_count; j++) {
            assert(slot->module[j].interface < config->interfaces);
            router->bus[slot->module[j].interface].module[slot->module[j].address] =
                (uint16_t)(i * RM_MODULES_PER_SLOT_MAX + j + 1);
        }
    }
}

static struct can_route route_plc(const struct can_router_bus *bus, const struct can_frame *frame) {
    struct can_route route = {.kind = CAN_ROUTE_UNKNOWN};
    if (!(frame->can_id & CAN_EFF_FLAG)) {
        route.kind = CAN_ROUTE_FORMAT;
        return route;
    }
    uint32_t id = frame->can_id & CAN_EFF_MASK;
    uint16_t owner = bus->plc_slot[id & HUB_PLC_ID_MASK];
    if (owner != 0 && hub_message_index(id & ~(uint32_t)HUB_PLC_ID_MASK) >= 0) {
        route.kind = CAN_ROUTE_PLC;
        route.slot = (uint16_t)(owner - 1);
    }
    return route;
}

static struct can_route route_module(const struct can_router *router,
                                     const struct can_router_bus *bus,
                                     const struct can_frame *frame) {
    struct can_route route = {.kind = CAN_ROUTE_UNKNOWN};
    if (!(frame->can_id & CAN_EFF_FLAG) || (frame->can_id & CAN_RTR_FLAG) || frame->len != 8) {
        route.kind = CAN_ROUTE_FORMAT;
        return route;
    }
    int address = module_frame_source(router->protocol, frame);
    uint16_t owner = address >= 0 ? bus->module[address & 0xff] : 0;
    if (owner != 0) {
        route.kind = CAN_ROUTE_MODULE;
        route.slot = (uint16_t)((owner - 1) / RM_MODULES_PER_SLOT_MAX);
        route.module = (uint8_t)((owner - 1) % RM_MODULES_PER_SLOT_MAX);
    }
    return route;
}

struct can_route can_route(const struct can_router *router, uint32_t interface,
                           const struct can_frame *frame) {
    struct can_route route = {.kind = CAN_ROUTE_UNKNOWN};
    if (interface >= router->interfaces) {
        return route;
    }
    if (frame->can_id & CAN_ERR_FLAG) {
        route.kind = CAN_ROUTE_ERROR;
        return route;
    }
    const struct can_router_bus *bus = &router->bus[interface];
    return bus->role == INTERFACE_ROLE_PLC ? route_plc(bus, frame)
                                           : route_module(router, bus, frame);
}

/* What a module's replies have in common, and the bits that say so. */
static struct can_filter module_filter(enum module_protocol protocol, uint8_t address) {
    struct can_filter filter = {.can_mask = CAN_EFF_FLAG | CAN_RTR_FLAG};
    if (protocol == MODULE_PROTOCOL_MAXWELL) {
        const struct maxwell_id id = {
            .destination = MAXWELL_CONTROLLER, .source = address, .point_to_point = true};
        filter.can_id = maxwell_encode_id(&id) | CAN_EFF_FLAG;
        filter.can_mask |= CAN_EFF_MASK & ~UINT32_C(0x7); /* any group */
    } else {
        filter.can_id = (uint32_t)INFYPOWER_CONTROLLER << 8 | address | CAN_EFF_FLAG;
        filter.can_mask |= 0xffff; /* any command and error */
    }
    return filter;
}

struct filter_list {
    struct can_filter *out;
    uint32_t max, count;
};

static void add(struct filter_list *list, struct can_filter filter) {
    if (list->count < list->max) {
        list->out[list->count] = filter;
    }
    list->count++;
}

uint32_t can_kernel_filters(const struct config *config, uint32_t interface, struct can_filter *out,
                            uint32_t max) {
    struct filter_list list = {out, max, 0};
    for (uint32_t i = 0; i < config->slots; i++) {
        const struct config_slot *slot = &config->slot[i];
        for (unsigned n = 0; slot->interface == interface && n < HUB_MESSAGE_COUNT; n++) {
            if (!hub_messages[n].from_hub) {
                add(&list, (struct can_filter){
                               .can_id = hub_messages[n].base_id | slot->plc_id | CAN_EFF_FLAG,
                               .can_mask = CAN_EFF_FLAG | CAN_RTR_FLAG | CAN_EFF_MASK});
            }
        }
        for (uint32_t j = 0; j < slot->module_count; j++) {
            if (slot->module[j].interface == interface) {
                add(&list, module_filter(config->modules.protocol, slot->module[j].address));
            }
        }
    }
    return list.count;
}
