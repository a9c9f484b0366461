#include "rt/filters.h"

#include "hub_codec.h"

static void add_plc(struct filters *out, uint8_t plc_id) {
    for (size_t i = 0; i < HUB_MESSAGE_COUNT; i++) {
        if (hub_messages[i].from_hub || out->count >= FILTERS_MAX) {
            continue;
        }
        out->filter[out->count].can_id = (hub_messages[i].base_id | plc_id) | CAN_EFF_FLAG;
        out->filter[out->count].can_mask = CAN_EFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG;
        out->count++;
    }
}

void filters_of(const struct config *config, uint32_t interface, struct filters *out) {
    out->count = 0;
    if (config->interface[interface].role != INTERFACE_ROLE_PLC) {
        return;
    }
    for (uint32_t s = 0; s < config->slots; s++) {
        if (config->slot[s].interface == interface) {
            add_plc(out, config->slot[s].plc_id);
        }
    }
}
