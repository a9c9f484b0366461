/* What must hold between figures, and the form of names, addresses and folders. */
#include "configs/config_draft.h"

#include <stdlib.h>
#include <string.h>

const char *config_shm_name_wrong(const char *name) {
    size_t length = strlen(name);
    if (length < 2 || length > 58 || name[0] != '/' || strchr(name + 1, '/')) {
        /* 63 less the longest suffix of the doorbells, "-evt", and one to spare */
        return "must be / and 1 to 57 characters without another /, such as /ringmain";
    }
    return NULL;
}

const char *config_run_folder_wrong(const char *folder) {
    size_t length = strlen(folder);
    if (length == 0 || length > 90) {
        return "must be a folder name of 1 to 90 bytes (a socket's whole path has at most 107)";
    }
    return NULL;
}

/* Two figures of one order: the path of the first, both values in the struct's unit and their scale. */
struct order {
    const char *path, *other;
    int64_t low, high, scale;
    bool equal_ok;
};

static void check_orders(const struct config *c, struct config_errors *errors) {
    const struct config_interlock *k = &c->interlock;
    const struct order orders[] = {
        {"interlock.I_off_A", "interlock.I_open_A", k->i_off_ma, k->i_open_ma, 1000, true},
        {"interlock.I_cc_A", "interlock.I_open_A", k->i_cc_ma, k->i_open_ma, 1000, true},
        {"interlock.T_plan_ms", "interlock.T_plan2_ms", k->t_plan_ms, k->t_plan2_ms, 1, false},
        {"plannerPeriodMs", "interlock.T_plan_ms", c->planner_period_ms, k->t_plan_ms, 1, false},
        {"interlock.T_mod_soft_ms", "interlock.T_mod_hard_ms", k->t_mod_soft_ms, k->t_mod_hard_ms,
         1, false},
        {"interlock.T_open_ms", "interlock.T_plc_ms", k->t_open_ms, k->t_plc_ms, 1, false},
        {"interlock.T_cable_voltage_ms", "interlock.T_cable_check_ms", k->t_cable_voltage_ms,
         k->t_cable_check_ms, 1, false},
        {"interlock.pin_derate_degC", "interlock.pin_stop_degC", k->pin_derate_ddegc,
         k->pin_stop_ddegc, 10, false},
        {"interlock.module_derate_degC", "interlock.module_stop_degC", k->module_derate_ddegc,
         k->module_stop_ddegc, 10, false},
        {"interlock.ramp_down_A_s", "interlock.ramp_error_A_s", k->ramp_down_ma_s,
         k->ramp_error_ma_s, 1000, true},
        {"interlock.ramp_error_A_s", "interlock.ramp_emergency_A_s", k->ramp_error_ma_s,
         k->ramp_emergency_ma_s, 1000, true},
        {"modules.selfOffMs", "interlock.T_mod_hard_ms", c->modules.self_off_ms, k->t_mod_hard_ms,
         1, false},
        {"modules.refreshMs", "modules.selfOffMs", c->modules.refresh_ms, c->modules.self_off_ms, 1,
         false},
        {"modules.setpointMinMs", "modules.refreshMs", c->modules.setpoint_min_ms,
         c->modules.refresh_ms, 1, true},
        {"modules.pollMs", "interlock.T_mod_soft_ms", c->modules.poll_ms, k->t_mod_soft_ms, 1,
         false},
        {"modules.statusMs", "interlock.T_mod_soft_ms", c->modules.status_ms, k->t_mod_soft_ms, 1,
         false},
        {"failSafeLimitKW", "gridLimitKW", c->fail_safe_limit_w, c->grid_limit_w, 1000, true},
        {"nrt.siteLimitKW", "gridLimitKW", c->nrt.site_limit_w, c->grid_limit_w, 1000, true},
        {"rt.plannerPriority", "rt.guardPriority", c->rt.planner_priority, c->rt.guard_priority, 1,
         false},
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        const struct order *o = &orders[i];
        bool holds = o->equal_ok ? o->low <= o->high : o->low < o->high;
        /* When a figure was refused already its default stands here: nothing follows from that. */
        if (holds || config_errors_has(errors, o->path) || config_errors_has(errors, o->other)) {
            continue;
        }
        char value[32];
        snprintf(value, sizeof value, "%.15g", (double)o->low / (double)o->scale);
        config_errors_add(errors, o->path, value, "must be %s %s, which is %.15g",
                          o->equal_ok ? "at most" : "below", o->other,
                          (double)o->high / (double)o->scale);
    }
}

static void check_connectors(const struct config_draft *draft, struct config_errors *errors) {
    char path[96], value[32];
    for (uint32_t i = 0; i < draft->connectors; i++) {
        const struct config_connector *k = &draft->connector[i].connector;
        snprintf(path, sizeof path, "connectors[%u].minVoltageV", i);
        if (k->min_voltage_mv >= k->max_voltage_mv && !config_errors_has(errors, path)) {
            snprintf(value, sizeof value, "%.15g", k->min_voltage_mv / 1000.0);
            config_errors_add(errors, path, value, "must be below maxVoltageV, which is %.15g",
                              k->max_voltage_mv / 1000.0);
        }
    }
}

static void check_modules(const struct config_draft *draft, struct config_errors *errors) {
    char path[96], value[32];
    for (uint32_t i = 0; i < draft->slots; i++) {
        const struct config_slot *s = &draft->slot[i].slot;
        for (uint32_t k = 0; k < s->module_count; k++) {
            const struct config_module *m = &s->module[k];
            snprintf(path, sizeof path, "slots[%u].modules[%u].minVoltageV", i, k);
            if (m->min_voltage_mv >= m->max_voltage_mv && !config_errors_has(errors, path)) {
                snprintf(value, sizeof value, "%.15g", m->min_voltage_mv / 1000.0);
                config_errors_add(errors, path, value, "must be below maxVoltageV, which is %.15g",
                                  m->max_voltage_mv / 1000.0);
            }
        }
    }
}

/* Names of contactors: one name, one contactor. Slot, place in it, and the name. */
struct contactor_name {
    const char *name;
    char path[40];
};

static int compare_names(const void *a, const void *b) {
    const struct contactor_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->path, y->path);
}

static void add_name(struct contactor_name *all, uint32_t *count, const char *name, uint32_t slot,
                     const char *key, uint32_t module) {
    if (name[0] == 0) {
        return;
    }
    struct contactor_name *n = &all[(*count)++];
    n->name = name;
    if (key[0] == 'm' && key[1] == 'n') {
        snprintf(n->path, sizeof n->path, "slots[%u].modules[%u].mn", slot, module);
    } else {
        snprintf(n->path, sizeof n->path, "slots[%u].%s", slot, key);
    }
}

static void check_contactor_names(const struct config_draft *draft, struct config_errors *errors) {
    struct contactor_name *all =
        calloc((size_t)RM_SLOTS_MAX * (3 + RM_MODULES_PER_SLOT_MAX), sizeof *all);
    uint32_t count = 0;
    if (!all) {
        config_errors_add(errors, "", NULL, "there is not enough memory to check it");
        return;
    }
    for (uint32_t i = 0; i < draft->slots; i++) {
        const struct config_slot *s = &draft->slot[i].slot;
        add_name(all, &count, s->gc, i, "gc", 0);
        add_name(all, &count, s->mc, i, "mc", 0);
        add_name(all, &count, s->bc, i, "bc", 0);
        for (uint32_t k = 0; k < s->module_count; k++) {
            add_name(all, &count, s->module[k].mn, i, "mn", k);
        }
    }
    qsort(all, count, sizeof *all, compare_names);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(all[i].name, all[i - 1].name) == 0) {
            config_errors_add(errors, all[i].path, all[i].name,
                              "%s has this name as well: each contactor needs its own",
                              all[i - 1].path);
        }
    }
    free(all);
}

static bool is_host_and_port(const char *address) {
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    char *end = NULL;
    long port = strtol(colon + 1, &end, 10);
    return *end == 0 && port >= 1 && port <= 65535;
}

static void check_bus(const struct draft_bus *bus, const char *list, uint32_t i,
                      struct config_errors *errors) {
    const struct config_interface *f = &bus->interface;
    char path[96];
    snprintf(path, sizeof path, "%s.interfaces[%u].address", list, i);
    switch (f->transport) {
    case CAN_TRANSPORT_SOCKETCAN:
        if (f->address[0]) {
            config_errors_add(errors, path, f->address,
                              "transport socketcan has no address: leave it out");
        }
        break;
    case CAN_TRANSPORT_UNIX:
        if (f->address[0] == 0 || strlen(f->address) > CONFIG_SOCKET_FOLDER_MAX) {
            config_errors_add(
                errors, path, f->address,
                "transport unix needs the folder of the sockets here, at most %d bytes",
                CONFIG_SOCKET_FOLDER_MAX);
        }
        break;
    case CAN_TRANSPORT_UDP:
        if (!is_host_and_port(f->address)) {
            config_errors_add(errors, path, f->address,
                              "transport udp needs host:port here, port 1 to 65535");
        }
        break;
    }
}

static void check_charge_point(const struct config *c, struct config_errors *errors) {
    const char *uri = c->charge_point.central_system_uri;
    const char *path = "chargePoint.centralSystemURI";
    bool secure = strncmp(uri, "wss://", 6) == 0 && uri[6];
    bool plain = strncmp(uri, "ws://", 5) == 0 && uri[5];
    if (!c->charge_point.use_plc && !config_errors_has(errors, "chargePoint.usePLC")) {
        config_errors_add(errors, "chargePoint.usePLC", "false",
                          "must be true: every slot is switched by its PLC node; for a virtual hub "
                          "choose a transport");
    }
    if (uri[0] && !secure && !plain) {
        config_errors_add(errors, path, uri, "must begin with ws:// or wss:// and name a host");
    } else if (c->security.security_profile >= 2 && plain) {
        config_errors_add(errors, path, uri, "security.profile is %d, which needs a wss:// address",
                          c->security.security_profile);
    }
}

static void check_processes(const struct config *c, struct config_errors *errors) {
    const char *wrong = config_shm_name_wrong(c->rt.shm_name);
    if (wrong && !config_errors_has(errors, "rt.shmName")) {
        config_errors_add(errors, "rt.shmName", c->rt.shm_name, "%s", wrong);
    }
    if (c->nrt.auth_mode == AUTH_MODE_LOCAL_LIST && c->nrt.local_list_file[0] == 0 &&
        !config_errors_has(errors, "nrt.localListFile")) {
        config_errors_add(errors, "nrt.localListFile", NULL,
                          "is required with authMode localList: the file of the tokens");
    }
    if (c->modules.setpoint_min_ms < c->planner_period_ms &&
        !config_errors_has(errors, "modules.setpointMinMs") &&
        !config_errors_has(errors, "plannerPeriodMs")) {
        char value[16];
        snprintf(value, sizeof value, "%d", c->modules.setpoint_min_ms);
        config_errors_add(errors, "modules.setpointMinMs", value,
                          "must be at least plannerPeriodMs, which is %d", c->planner_period_ms);
    }
}

static void complain_timing(const char *path, int32_t value, const char *text,
                            struct config_errors *errors) {
    if (!config_errors_has(errors, path)) {
        char shown[16];
        snprintf(shown, sizeof shown, "%d", value);
        config_errors_add(errors, path, shown, "%s", text);
    }
}

/* Each period on its own is held to the contract's by the table. */
static void check_timing(const struct config *c, struct config_errors *errors) {
    static const struct {
        enum plc_message message;
        const char *path;
    } commands[] = {
        {PLC_MESSAGE_GCMC_COMMAND, "plc.timing.GCMC_Command.deadlineMs"},
        {PLC_MESSAGE_RELAY_CONTROL, "plc.timing.RelayControl.deadlineMs"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int32_t deadline = c->plc_timing[commands[i].message].deadline_ms;
        if (deadline > 200) {
            complain_timing(commands[i].path, deadline,
                            "must be 1 to 200: a PLC opens everything after 300 ms of silence",
                            errors);
        }
    }
    int32_t relay = c->plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms;
    if (c->plc.contactor_frame == CONTACTOR_FRAME_RELAY && relay > 100) {
        complain_timing("plc.timing.RelayStatus.periodMs", relay,
                        "must be 10 to 100 with contactorFrame relay: it is the contactors' status "
                        "there, and missed after 300 ms. Set the PLC to 100 ms",
                        errors);
    }
}

void config_rules(const struct config_draft *draft, struct config_errors *errors) {
    const struct config *c = &draft->config;
    check_orders(c, errors);
    check_charge_point(c, errors);
    check_processes(c, errors);
    check_timing(c, errors);
    for (uint32_t i = 0; i < draft->plc_buses; i++) {
        check_bus(&draft->plc_bus[i], "plc", i, errors);
    }
    for (uint32_t i = 0; i < draft->module_buses; i++) {
        check_bus(&draft->module_bus[i], "modules", i, errors);
    }
    check_connectors(draft, errors);
    check_modules(draft, errors);
    check_contactor_names(draft, errors);
}
