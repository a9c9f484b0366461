/* The ring: slots into clockwise order, and the ring that config_ring() makes. */
#include "configs/config_draft.h"

#include <stdlib.h>
#include <string.h>

struct ring {
    int next[RM_SLOTS_MAX]; /* clockwise neighbour by place in the file, -1 not known */
    int prev[RM_SLOTS_MAX];
    bool told[RM_SLOTS_MAX]; /* by its own cw */
};

static int find_slot(const struct config_draft *draft, int32_t id) {
    for (uint32_t i = 0; i < draft->slots; i++) {
        if (draft->slot[i].slot.id == id) {
            return (int)i;
        }
    }
    return -1;
}

/* Slot i says that j is its neighbour at name (cw or ccw); forward and backward are the two views of that edge. */
static void join(struct config_draft *draft, uint32_t i, const char *name, int32_t id, int *forward,
                 int *backward, struct config_errors *errors) {
    if (id == CONFIG_UNSET) {
        return;
    }
    char path[96], value[16];
    snprintf(path, sizeof path, "slots[%u].%s", i, name);
    snprintf(value, sizeof value, "%d", id);
    int j = find_slot(draft, id);
    if (j < 0) {
        config_errors_add(errors, path, value, "no slot has this id");
    } else if (forward[i] >= 0 && forward[i] != j) {
        config_errors_add(errors, path, value,
                          "the ring does not close: slot %d names slot %d as its neighbour there",
                          draft->slot[forward[i]].slot.id, draft->slot[i].slot.id);
    } else if (backward[j] >= 0 && backward[j] != (int)i) {
        config_errors_add(errors, path, value,
                          "the ring does not close: slot %d is the neighbour of slot %d there", id,
                          draft->slot[backward[j]].slot.id);
    } else {
        forward[i] = j;
        backward[j] = (int)i;
    }
}

/* Walks clockwise from the first slot. Fills order; false and an error when that is not all slots. */
static bool walk(const struct config_draft *draft, const struct ring *ring, uint32_t *order,
                 struct config_errors *errors) {
    bool seen[RM_SLOTS_MAX] = {false};
    uint32_t count = 0, at = 0;
    while (!seen[at]) {
        seen[at] = true;
        order[count++] = at;
        at = (uint32_t)ring->next[at];
    }
    if (count == draft->slots) {
        return true;
    }
    uint32_t other = 0;
    while (seen[other]) {
        other++;
    }
    char path[96], value[16];
    snprintf(path, sizeof path, "slots[%u].cw", order[count - 1]);
    snprintf(value, sizeof value, "%d", draft->slot[at].slot.id);
    config_errors_add(errors, path, value,
                      "two rings: %u of %u slots close on themselves here, slot %d is on another",
                      count, draft->slots, draft->slot[other].slot.id);
    return false;
}

static bool neighbours(struct config_draft *draft, struct ring *ring,
                       struct config_errors *errors) {
    uint32_t before = errors->count, n = draft->slots;
    bool any = false;
    memset(ring->next, -1, sizeof ring->next);
    memset(ring->prev, -1, sizeof ring->prev);
    for (uint32_t i = 0; i < n; i++) {
        any = any || draft->slot[i].cw != CONFIG_UNSET || draft->slot[i].ccw != CONFIG_UNSET;
        join(draft, i, "cw", draft->slot[i].cw, ring->next, ring->prev, errors);
    }
    for (uint32_t i = 0; i < n; i++) {
        join(draft, i, "ccw", draft->slot[i].ccw, ring->prev, ring->next, errors);
    }
    for (uint32_t i = 0; i < n && !any; i++) {
        ring->next[i] = (int)((i + 1) % n);
    }
    for (uint32_t i = 0; i < n && errors->count == before; i++) {
        if (ring->next[i] < 0) {
            char path[96];
            snprintf(path, sizeof path, "slots[%u].cw", i);
            config_errors_add(errors, path, NULL,
                              "the ring does not close: slot %d names no clockwise neighbour, and "
                              "none names it with ccw",
                              draft->slot[i].slot.id);
        }
    }
    return errors->count == before;
}

void config_order_slots(struct config_draft *draft, struct config_errors *errors) {
    struct ring ring;
    uint32_t order[RM_SLOTS_MAX] = {0};
    if (draft->slots == 0 || config_errors_has_below(errors, "slots[") ||
        !neighbours(draft, &ring, errors) || !walk(draft, &ring, order, errors)) {
        return;
    }
    struct draft_slot *sorted = calloc(draft->slots, sizeof *sorted);
    if (!sorted) {
        config_errors_add(errors, "", NULL, "there is not enough memory to read it");
        return;
    }
    for (uint32_t i = 0; i < draft->slots; i++) {
        sorted[i] = draft->slot[order[i]];
    }
    memcpy(draft->slot, sorted, draft->slots * sizeof *sorted);
    free(sorted);
}

static uint32_t divide_up(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

static void ring_buses(struct draft_bus *bus, uint32_t count, const char *pattern,
                       const char *prefix, int32_t bitrate_bps) {
    for (uint32_t i = 0; i < count; i++) {
        config_element_defaults(&bus[i], pattern);
        bus[i].interface.bitrate_bps = bitrate_bps;
        snprintf(bus[i].interface.name, sizeof bus[i].interface.name, "%s%u", prefix, i);
    }
}

void config_draft_ring(struct config_draft *draft, uint32_t n, uint32_t modules_per_slot) {
    struct config *c = &draft->config;
    uint32_t plc_buses = divide_up(n, 6), modules = n * modules_per_slot;
    uint32_t module_buses = divide_up(modules, 12);
    bool crowded = plc_buses + module_buses > RM_INTERFACES_MAX;
    module_buses = crowded ? RM_INTERFACES_MAX - plc_buses : module_buses;
    draft->plc_buses = plc_buses;
    draft->module_buses = module_buses;
    ring_buses(draft->plc_bus, plc_buses, "plc.interfaces[]", "plc", 250000);
    ring_buses(draft->module_bus, module_buses, "modules.interfaces[]", "mod",
               crowded ? 250000 : 125000);
    snprintf(c->charge_point.id, sizeof c->charge_point.id, "ringmain-1");
    draft->modules_per_slot = (int32_t)modules_per_slot;
    draft->connectors = n;
    for (uint32_t i = 0; i < n; i++) {
        config_element_defaults(&draft->connector[i], "connectors[]");
        draft->connector[i].connector.id = (int32_t)i + 1;
        draft->connector[i].plc_id = (int32_t)(i % 6);
        snprintf(draft->connector[i].can_interface, 16, "plc%u", i / 6);
    }
    c->grid_limit_w = modules ? (int64_t)modules * c->module_power_w : 30000;
    c->fail_safe_limit_w = c->grid_limit_w / 2;
    c->nrt.site_limit_w = c->grid_limit_w;
}
