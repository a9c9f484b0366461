/* Modules: generated where left out, their figures, their buses and addresses. */
#include "configs/config_draft.h"

#include <string.h>

/* One module of the hub and where the file speaks of it. */
struct found {
    struct config_module *module;
    uint32_t slot, index;
    bool addressed;
};

struct modules {
    struct found found[RM_SLOTS_MAX * RM_MODULES_PER_SLOT_MAX];
    uint32_t count;
};

static void generate(struct config_draft *draft, struct draft_slot *s) {
    s->modules = (uint32_t)draft->modules_per_slot;
    for (uint32_t k = 0; k < s->modules; k++) {
        struct config_module *m = &s->slot.module[k];
        config_element_defaults(m, "slots[].modules[]");
        snprintf(m->id, sizeof m->id, "M_%d_%u", s->slot.id, k);
    }
}

static void choose(int32_t *figure, int32_t otherwise) {
    if (*figure == CONFIG_UNSET) {
        *figure = otherwise;
    }
}

static void derive(const struct config_draft *draft, struct draft_slot *s, uint32_t k) {
    struct config_module *m = &s->slot.module[k];
    if (!config_text_is_set(m->mn)) {
        memset(m->mn, 0, sizeof m->mn);
        snprintf(m->mn, sizeof m->mn, "MN_%d_%u", s->slot.id, k);
    }
    choose(&m->rated_w, draft->config.module_power_w);
    choose(&m->max_current_ma, draft->module_max_current_ma);
    choose(&m->max_voltage_mv, draft->module_max_voltage_mv);
    choose(&m->min_voltage_mv, draft->module_min_voltage_mv);
    m->mn_on_plc = draft->config.plc.module_contactors && k < 2;
}

static void collect(struct config_draft *draft, struct modules *all) {
    for (uint32_t i = 0; i < draft->slots; i++) {
        struct draft_slot *s = &draft->slot[i];
        if (s->modules == CONFIG_COUNT_UNSET) {
            generate(draft, s);
        }
        s->slot.module_count = (uint8_t)s->modules;
        for (uint32_t k = 0; k < s->modules; k++) {
            derive(draft, s, k);
            all->found[all->count++] =
                (struct found){.module = &s->slot.module[k], .slot = i, .index = k};
        }
    }
}

static void check_ids(const struct modules *all, struct config_errors *errors) {
    for (uint32_t i = 0; i < all->count; i++) {
        const struct found *f = &all->found[i];
        for (uint32_t j = 0; j < i && f->module->id[0]; j++) {
            const struct found *g = &all->found[j];
            if (strcmp(f->module->id, g->module->id) == 0) {
                char path[96];
                snprintf(path, sizeof path, "slots[%u].modules[%u].id", f->slot, f->index);
                config_errors_add(errors, path, f->module->id,
                                  "slots[%u].modules[%u] is this module already: a module belongs "
                                  "to one slot",
                                  g->slot, g->index);
                break;
            }
        }
    }
}

/* Equal shares in slot order over the buses, addresses from 1. */
static void share_out(struct config_draft *draft, struct modules *all,
                      struct config_errors *errors) {
    uint32_t buses = draft->module_buses, at = 0;
    for (uint32_t b = 0; b < buses; b++) {
        uint32_t end = all->count * (b + 1) / buses;
        if (end - at > 62) {
            config_errors_add(errors, "modules.interfaces", NULL,
                              "%u modules on %u buses: at most 62 on each, add interfaces",
                              all->count, buses);
            return;
        }
        for (uint32_t address = 1; at < end; at++, address++) {
            all->found[at].module->interface = (uint8_t)(draft->plc_buses + b);
            all->found[at].module->address = (uint8_t)address;
            all->found[at].addressed = true;
        }
    }
}

static void take_address(struct config_draft *draft, struct modules *all, uint32_t b, uint32_t i,
                         struct config_errors *errors) {
    const struct draft_bus *bus = &draft->module_bus[b];
    const struct draft_address *a = &bus->address[i];
    char path[96];
    snprintf(path, sizeof path, "modules.interfaces[%u].addresses[%u].module", b, i);
    struct found *f = NULL;
    for (uint32_t n = 0; n < all->count && a->module[0] && !f; n++) {
        f = strcmp(all->found[n].module->id, a->module) == 0 ? &all->found[n] : NULL;
    }
    if (!f && a->module[0]) {
        config_errors_add(errors, path, a->module, "no slot has a module of this id");
    } else if (f && f->addressed) {
        config_errors_add(errors, path, a->module,
                          "this module has an address on %s already: one bus, one address",
                          draft->config.interface[f->module->interface].name);
    } else if (f && a->address != CONFIG_UNSET) {
        f->module->interface = (uint8_t)(draft->plc_buses + b);
        f->module->address = (uint8_t)a->address;
    }
    if (f) {
        f->addressed = true;
    }
    for (uint32_t j = 0; j < i && a->address != CONFIG_UNSET; j++) {
        if (bus->address[j].address == a->address) {
            char value[16];
            snprintf(path, sizeof path, "modules.interfaces[%u].addresses[%u].address", b, i);
            snprintf(value, sizeof value, "%d", a->address);
            config_errors_add(errors, path, value,
                              "addresses[%u] of %s has it already: unique on its bus, 0 to 62", j,
                              bus->interface.name);
            break;
        }
    }
}

static void address(struct config_draft *draft, struct modules *all, struct config_errors *errors) {
    bool any = false;
    for (uint32_t b = 0; b < draft->module_buses; b++) {
        if (draft->module_bus[b].addresses == CONFIG_COUNT_UNSET) {
            draft->module_bus[b].addresses = 0;
        }
        any = any || draft->module_bus[b].addresses > 0;
    }
    if (!any) {
        share_out(draft, all, errors);
        return;
    }
    for (uint32_t b = 0; b < draft->module_buses; b++) {
        for (uint32_t i = 0; i < draft->module_bus[b].addresses; i++) {
            take_address(draft, all, b, i, errors);
        }
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const struct found *f = &all->found[i];
        if (!f->addressed && f->module->id[0]) {
            char path[96];
            snprintf(path, sizeof path, "slots[%u].modules[%u].id", f->slot, f->index);
            config_errors_add(
                errors, path, f->module->id,
                "this module has no address: add it to modules.interfaces[].addresses");
        }
    }
}

void config_resolve_modules(struct config_draft *draft, struct config_errors *errors) {
    struct modules all = {.count = 0};
    collect(draft, &all);
    check_ids(&all, errors);
    if (all.count > 0 && draft->module_buses == 0) {
        if (!config_errors_has_below(errors, "modules.interfaces")) {
            config_errors_add(errors, "modules.interfaces", NULL,
                              "is required: the hub has %u modules", all.count);
        }
    } else if (draft->config.interfaces == draft->plc_buses + draft->module_buses) {
        address(draft, &all, errors);
    }
}
