/* Interfaces, and what slots and connectors say of each other. */
#include "configs/config_draft.h"

#include <string.h>

static void interface_name_check(const struct draft_bus *bus, const char *path,
                                 struct config_errors *errors) {
    const char *name = bus->interface.name;
    if (name[0] == 0) {
        return; /* said by the reader */
    }
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") !=
            strlen(name) ||
        name[0] == '.') {
        config_errors_add(errors, path, name,
                          "an interface name has letters, digits, _ - and . only, no . first");
    }
}

static void add_buses(struct config_draft *draft, const struct draft_bus *bus, uint32_t count,
                      enum interface_role role, struct config_errors *errors) {
    struct config *c = &draft->config;
    const char *list = role == INTERFACE_ROLE_PLC ? "plc" : "modules";
    for (uint32_t i = 0; i < count; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s.interfaces[%u].name", list, i);
        interface_name_check(&bus[i], path, errors);
        if (bus[i].interface.name[0] && config_interface_index(c, bus[i].interface.name) >= 0) {
            config_errors_add(errors, path, bus[i].interface.name,
                              "two interfaces have this name: each bus needs its own");
        }
        if (c->interfaces == RM_INTERFACES_MAX) {
            config_errors_add(errors, path, NULL,
                              "too many interfaces: at most %d, plc and modules together",
                              RM_INTERFACES_MAX);
            return;
        }
        c->interface[c->interfaces] = bus[i].interface;
        c->interface[c->interfaces++].role = role;
    }
}

/* Index of a PLC interface by the name that stands at path, 0 after an error. */
static uint8_t plc_interface(const struct config_draft *draft, const char *path, const char *name,
                             struct config_errors *errors) {
    int i = config_interface_index(&draft->config, name);
    if (i >= 0 && draft->config.interface[i].role == INTERFACE_ROLE_PLC) {
        return (uint8_t)i;
    }
    if (name[0] && !config_errors_has(errors, path)) {
        config_errors_add(errors, path, name,
                          i < 0 ? "no interface of plc.interfaces has this name"
                                : "this is a module bus: name one of plc.interfaces");
    }
    return 0;
}

void config_resolve_interfaces(struct config_draft *draft, struct config_errors *errors) {
    add_buses(draft, draft->plc_bus, draft->plc_buses, INTERFACE_ROLE_PLC, errors);
    add_buses(draft, draft->module_bus, draft->module_buses, INTERFACE_ROLE_MODULES, errors);
    struct config *c = &draft->config;
    if (c->charge_point.can_interface[0] == 0 && draft->plc_buses > 0) {
        memcpy(c->charge_point.can_interface, draft->plc_bus[0].interface.name,
               sizeof c->charge_point.can_interface);
    }
    plc_interface(draft, "chargePoint.canInterface", c->charge_point.can_interface, errors);
}

static void generate_slots(struct config_draft *draft) {
    draft->slots = draft->connectors;
    for (uint32_t i = 0; i < draft->slots; i++) {
        struct draft_slot *s = &draft->slot[i];
        config_element_defaults(s, "slots[]");
        s->slot.id = (int32_t)i + 1;
        s->gun_id = draft->connector[i].connector.id;
    }
}

static void derive_connectors(struct config_draft *draft, struct config_errors *errors) {
    for (uint32_t i = 0; i < draft->connectors; i++) {
        struct config_connector *k = &draft->connector[i].connector;
        if (!config_text_is_set(k->label)) {
            snprintf(k->label, sizeof k->label, "Gun %d", k->id);
        }
        if (k->cable_max_current_ma == CONFIG_UNSET) {
            k->cable_max_current_ma = k->max_current_ma;
        }
        for (uint32_t j = 0; j < i && k->id != CONFIG_UNSET; j++) {
            if (draft->connector[j].connector.id == k->id) {
                char path[96];
                snprintf(path, sizeof path, "connectors[%u].id", i);
                config_errors_add(errors, path, NULL,
                                  "connectors[%u] has the id %d as well: each needs its own", j,
                                  k->id);
                break;
            }
        }
    }
}

static int find_connector(const struct config_draft *draft, int32_t id) {
    for (uint32_t i = 0; i < draft->connectors; i++) {
        if (draft->connector[i].connector.id == id) {
            return (int)i;
        }
    }
    return -1;
}

static void resolve_guns(struct config_draft *draft, bool generated, struct config_errors *errors) {
    int user[RM_SLOTS_MAX];
    char path[96], value[16];
    memset(user, -1, sizeof user);
    for (uint32_t i = 0; i < draft->slots; i++) {
        struct draft_slot *s = &draft->slot[i];
        int gun = generated                   ? (int)i
                  : s->gun_id == CONFIG_UNSET ? -1
                                              : find_connector(draft, s->gun_id);
        s->slot.gun = (int16_t)gun;
        snprintf(path, sizeof path, "slots[%u].gunId", i);
        snprintf(value, sizeof value, "%d", s->gun_id);
        if (gun < 0 && s->gun_id != CONFIG_UNSET) {
            config_errors_add(errors, path, value, "no connector has this id");
        } else if (gun >= 0 && user[gun] >= 0) {
            config_errors_add(errors, path, value, "slots[%d] has this gun already", user[gun]);
            s->slot.gun = -1;
        } else if (gun >= 0) {
            user[gun] = (int)i;
        }
    }
    for (uint32_t i = 0; i < draft->connectors && !config_errors_has_below(errors, "slots"); i++) {
        if (user[i] < 0) {
            snprintf(path, sizeof path, "connectors[%u].id", i);
            config_errors_add(errors, path, NULL,
                              "no slot has the gun %d: add slots[].gunId or take the connector out",
                              draft->connector[i].connector.id);
        }
    }
}

/* The PLC of a slot: what slot and connector say of it must agree. */
static void resolve_plc(struct config_draft *draft, uint32_t i, bool generated,
                        struct config_errors *errors) {
    struct draft_slot *s = &draft->slot[i];
    const struct draft_connector *k = s->slot.gun >= 0 ? &draft->connector[s->slot.gun] : NULL;
    char path[96], at_slot[96], value[16];
    snprintf(path, sizeof path, generated ? "connectors[%u].plcId" : "slots[%u].plcId", i);
    if (k && k->plc_id != CONFIG_UNSET) {
        if (s->plc_id != CONFIG_UNSET && s->plc_id != k->plc_id) {
            snprintf(value, sizeof value, "%d", s->plc_id);
            config_errors_add(errors, path, value,
                              "connectors[%d].plcId says %d: make both the same or leave one out",
                              s->slot.gun, k->plc_id);
        }
        s->plc_id = k->plc_id;
    }
    if (s->plc_id == CONFIG_UNSET && !config_errors_has(errors, path)) {
        config_errors_add(errors, path, NULL, "is required: 0 to 15, the PLC node of this slot");
    }
    s->slot.plc_id = s->plc_id == CONFIG_UNSET ? 0 : (uint8_t)s->plc_id;

    const char *name = draft->config.charge_point.can_interface;
    const char *from = "chargePoint.canInterface";
    char at_connector[96];
    if (config_text_is_set(s->can_interface)) {
        snprintf(at_slot, sizeof at_slot, "slots[%u].canInterface", i);
        from = at_slot;
        name = s->can_interface;
    }
    if (k && config_text_is_set(k->can_interface)) {
        snprintf(at_connector, sizeof at_connector, "connectors[%d].canInterface", s->slot.gun);
        if (config_text_is_set(s->can_interface) && strcmp(name, k->can_interface) != 0) {
            config_errors_add(errors, from, name, "%s says %s: make both the same or leave one out",
                              at_connector, k->can_interface);
        }
        from = at_connector;
        name = k->can_interface;
    }
    s->slot.interface = plc_interface(draft, from, name, errors);
}

static void check_plc_twice(const struct config_draft *draft, uint32_t i, bool generated,
                            struct config_errors *errors) {
    const struct draft_slot *s = &draft->slot[i];
    const bool on_a_bus = draft->plc_buses > 0; /* that there is none has been said */
    for (uint32_t j = 0; on_a_bus && j < i && s->plc_id != CONFIG_UNSET; j++) {
        const struct draft_slot *o = &draft->slot[j];
        if (o->plc_id == s->plc_id && o->slot.interface == s->slot.interface) {
            char path[96], value[16];
            const char *list = generated ? "connectors" : "slots";
            snprintf(path, sizeof path, "%s[%u].plcId", list, i);
            snprintf(value, sizeof value, "%d", s->plc_id);
            config_errors_add(errors, path, value,
                              "%s[%u] uses this plcId on %s already: unique per interface, 0 to 15",
                              list, j, draft->config.interface[s->slot.interface].name);
            return;
        }
    }
}

/* A contactor's name: the one given, else the generated one when it is fitted, else none. */
static void name_contactor(char name[16], const char *prefix, int32_t id, bool fitted) {
    if (!config_text_is_set(name)) {
        memset(name, 0, 16);
        if (fitted) {
            snprintf(name, 16, "%s_%d", prefix, id);
        }
    }
}

static void resolve_boundary(struct config_draft *draft, uint32_t i, struct config_errors *errors) {
    const struct config *c = &draft->config;
    struct config_slot *s = &draft->slot[i].slot;
    char path[96];
    bool ring = c->plc.contactor_frame == CONTACTOR_FRAME_GCMC && draft->slots > 1;
    name_contactor(s->gc, "GC", s->id, true);
    name_contactor(s->mc, "MC", s->id, ring);
    name_contactor(s->bc, "BC", s->id, ring && s->mc[0] && c->plc.boundary_contactors == 2);
    s->has_mc = s->mc[0] != 0;
    s->has_bc = s->bc[0] != 0;
    snprintf(path, sizeof path, "slots[%u].%s", i, s->has_mc ? "mc" : "bc");
    const char *value = s->has_mc ? s->mc : s->bc;
    if ((s->has_mc || s->has_bc) && !ring) {
        config_errors_add(
            errors, path, value,
            draft->slots > 1 ? "a PLC with contactorFrame relay has no ring contactor: leave it out"
                             : "a hub of one slot has no boundary: leave it out");
    } else if (s->has_bc && !s->has_mc) {
        config_errors_add(errors, path, value, "a boundary has no bc without an mc: name the mc");
    } else if (s->has_bc && c->plc.boundary_contactors != 2) {
        snprintf(path, sizeof path, "slots[%u].bc", i);
        config_errors_add(errors, path, s->bc,
                          "plc.boundaryContactors says 1: make it 2, or leave bc out");
    }
}

static void check_slot_ids(const struct config_draft *draft, struct config_errors *errors) {
    for (uint32_t i = 0; i < draft->slots; i++) {
        for (uint32_t j = 0; j < i && draft->slot[i].slot.id != CONFIG_UNSET; j++) {
            if (draft->slot[j].slot.id == draft->slot[i].slot.id) {
                char path[96];
                snprintf(path, sizeof path, "slots[%u].id", i);
                config_errors_add(errors, path, NULL,
                                  "slots[%u] has the id %d as well: each needs its own", j,
                                  draft->slot[i].slot.id);
                break;
            }
        }
    }
}

void config_resolve_slots(struct config_draft *draft, struct config_errors *errors) {
    bool generated = draft->slots == 0 || draft->slots == CONFIG_COUNT_UNSET;
    if (generated) {
        generate_slots(draft);
    }
    derive_connectors(draft, errors);
    check_slot_ids(draft, errors);
    resolve_guns(draft, generated, errors);
    for (uint32_t i = 0; i < draft->slots; i++) {
        resolve_plc(draft, i, generated, errors);
        check_plc_twice(draft, i, generated, errors);
        resolve_boundary(draft, i, errors);
    }
}
