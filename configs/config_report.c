#include "configs/config_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *transport_name(enum can_transport transport) {
    switch (transport) {
    case CAN_TRANSPORT_SOCKETCAN: return "socketcan";
    case CAN_TRANSPORT_UNIX: return "unix";
    case CAN_TRANSPORT_UDP: return "udp";
    }
    return "?";
}

static const char *verdict_name(enum can_load_verdict verdict) {
    switch (verdict) {
    case CAN_LOAD_GOOD: return "good";
    case CAN_LOAD_WARNED: return "warned";
    case CAN_LOAD_REFUSED: return "refused";
    }
    return "?";
}

static uint32_t count_modules(const struct config *config) {
    uint32_t modules = 0;
    for (uint32_t i = 0; i < config->slots; i++) {
        modules += config->slot[i].module_count;
    }
    return modules;
}

static void print_slot(FILE *out, const struct config *config, const struct config_slot *s) {
    fprintf(out, "  [slot %d]  PLC %u on %s", s->id, s->plc_id,
            config->interface[s->interface].name);
    if (s->gun >= 0) {
        const struct config_connector *k = &config->connector[s->gun];
        fprintf(out, "  gun %d \"%s\" through %s, %d A %d V %d kW", k->id, k->label, s->gc,
                k->max_current_ma / 1000, k->max_voltage_mv / 1000, k->max_power_w / 1000);
    } else {
        fprintf(out, "  no gun");
    }
    fprintf(out, "%s%.0d\n", s->zone ? "  zone " : "", s->zone);
    for (uint32_t k = 0; k < s->module_count; k++) {
        const struct config_module *m = &s->module[k];
        fprintf(out, "   |   %s %.4g kW  %s address %u  through %s%s\n", m->id, m->rated_w / 1000.0,
                config->interface[m->interface].name, m->address, m->mn,
                m->mn_on_plc ? "" : " (the module's own relay)");
    }
}

static void print_boundary(FILE *out, const struct config *config, uint32_t i) {
    const struct config_slot *s = &config->slot[i];
    int32_t next = config->slot[(i + 1) % config->slots].id;
    if (config->slots == 1) {
        fprintf(out, "   '-- one slot: no boundary\n");
        return;
    }
    bool last = i + 1 == config->slots;
    fprintf(out, "   %s ", last ? "'--" : "#");
    if (!s->has_mc) {
        fprintf(out, "no ring contactor: always open");
    } else {
        fprintf(out, "%s%s%s up to %d A", s->mc, s->has_bc ? " + " : "", s->bc,
                s->boundary_max_current_ma / 1000);
    }
    fprintf(out, "%s%.0d\n", last ? " back to slot " : "", last ? next : 0);
}

static void print_topology(FILE *out, const struct config *config) {
    fprintf(out, "\nRing, clockwise from slot %d:\n", config->slot[0].id);
    for (uint32_t i = 0; i < config->slots; i++) {
        print_slot(out, config, &config->slot[i]);
        print_boundary(out, config, i);
    }
}

static void print_interfaces(FILE *out, const struct config *config) {
    fprintf(out, "\nInterfaces:\n  %-15s %-7s %-10s %10s  %s\n", "name", "role", "transport",
            "kbit/s", "address");
    for (uint32_t i = 0; i < config->interfaces; i++) {
        const struct config_interface *f = &config->interface[i];
        const char *note = f->transport != CAN_TRANSPORT_SOCKETCAN ? f->address
                           : f->manage                             ? "(managed here)"
                                                                   : "(managed by the system)";
        fprintf(out, "  %-15s %-7s %-10s %10.4g  %s\n", f->name,
                f->role == INTERFACE_ROLE_PLC ? "plc" : "modules", transport_name(f->transport),
                f->bitrate_bps / 1000.0, note);
    }
}

/* One kind of frame over all nodes of a bus. */
struct kind {
    const struct can_load_message *worst;
    uint32_t frames;
};

static int64_t slack_us(const struct can_load_message *m) {
    return m->response_us == CAN_LOAD_UNBOUNDED ? INT64_MIN : m->deadline_us - m->response_us;
}

static struct kind gather(const struct can_load_bus *bus, uint32_t first) {
    struct kind kind = {.worst = &bus->message[first]};
    for (uint32_t i = 0; i < bus->messages; i++) {
        const struct can_load_message *m = &bus->message[i];
        if (strcmp(m->name, bus->message[first].name) == 0) {
            kind.frames++;
            kind.worst = slack_us(m) < slack_us(kind.worst) ? m : kind.worst;
        }
    }
    return kind;
}

static bool is_first_of_kind(const struct can_load_bus *bus, uint32_t i) {
    for (uint32_t j = 0; j < i; j++) {
        if (strcmp(bus->message[j].name, bus->message[i].name) == 0) {
            return false;
        }
    }
    return true;
}

static void print_kind(FILE *out, const struct can_load_bus *bus, uint32_t first) {
    struct kind kind = gather(bus, first);
    const struct can_load_message *m = kind.worst;
    fprintf(out, "    0x%08X %-21s %-4s %4u", bus->message[first].id, m->name,
            m->from_host ? "host" : "node", kind.frames);
    if (m->period_us == 0) {
        fprintf(out, "  on events\n");
        return;
    }
    fprintf(out, " %8.0f", (double)m->period_us / 1000.0);
    if (m->response_us == CAN_LOAD_UNBOUNDED) {
        fprintf(out, "  no bound");
    } else {
        fprintf(out, " %9.2f", (double)m->response_us / 1000.0);
    }
    fprintf(out, " %9.0f  %s\n", (double)m->deadline_us / 1000.0, verdict_name(m->verdict));
}

static void print_bus(FILE *out, const struct config *config, const struct can_load_bus *bus) {
    fprintf(out, "\nLoad of %s at %.4g kbit/s: %d.%d %% (%s), frames of %d bits:\n",
            config->interface[bus->interface].name, bus->bitrate_bps / 1000.0,
            bus->load_permille / 10, bus->load_permille % 10, verdict_name(bus->verdict),
            CAN_LOAD_FRAME_BITS);
    fprintf(out, "    %-10s %-21s %-4s %4s %8s %9s %9s\n", "id from", "frame", "by", "x",
            "every ms", "worst ms", "until ms");
    for (uint32_t i = 0; i < bus->messages; i++) {
        if (is_first_of_kind(bus, i)) {
            print_kind(out, bus, i);
        }
    }
}

/* What is to be said of one bus, a line each. */
static void explain_bus(FILE *err, const struct config *config, const struct can_load_bus *bus) {
    const char *name = config->interface[bus->interface].name;
    if (bus->load_permille > CAN_LOAD_WARN_PERMILLE) {
        fprintf(err,
                "%s: load %d.%d %%, %s: raise the bit rate or spread the nodes over more "
                "interfaces\n",
                name, bus->load_permille / 10, bus->load_permille % 10,
                bus->load_permille > CAN_LOAD_REFUSE_PERMILLE ? "refused above 90 %"
                                                              : "warned above 70 %");
    }
    for (uint32_t i = 0; i < bus->messages; i++) {
        const struct can_load_message *m = &bus->message[i];
        if (m->verdict == CAN_LOAD_GOOD || !is_first_of_kind(bus, i)) {
            continue;
        }
        m = gather(bus, i).worst;
        fprintf(err, "%s: %s of node %u may take ", name, m->name, m->node);
        if (m->response_us == CAN_LOAD_UNBOUNDED) {
            fprintf(err, "without bound");
        } else {
            fprintf(err, "%.1f ms", (double)m->response_us / 1000.0);
        }
        fprintf(err, ", deadline %.0f ms, %s\n",
                (double)(m->verdict == CAN_LOAD_REFUSED ? m->refuse_us : m->deadline_us) / 1000.0,
                m->verdict == CAN_LOAD_REFUSED ? "refused" : "warned");
    }
}

enum can_load_verdict config_load_verdict(const struct config *config, FILE *err) {
    enum can_load_verdict worst = CAN_LOAD_GOOD;
    struct can_load_bus *bus = malloc(sizeof *bus);
    if (!bus) {
        return CAN_LOAD_REFUSED;
    }
    for (uint32_t i = 0; i < config->interfaces; i++) {
        can_load_collect(config, i, bus);
        can_load_analyse(bus);
        worst = bus->verdict > worst ? bus->verdict : worst;
        if (err && bus->verdict != CAN_LOAD_GOOD) {
            explain_bus(err, config, bus);
        }
    }
    free(bus);
    return worst;
}

static void print_summary(FILE *out, const char *source, const struct config *config,
                          enum can_load_verdict load) {
    fprintf(out, "%s: %s\n", source,
            load == CAN_LOAD_GOOD     ? "good"
            : load == CAN_LOAD_WARNED ? "good, with warnings"
                                      : "refused: a CAN bus cannot carry this");
    int64_t rated_w = 0;
    for (uint32_t i = 0; i < config->slots; i++) {
        for (uint32_t k = 0; k < config->slot[i].module_count; k++) {
            rated_w += config->slot[i].module[k].rated_w;
        }
    }
    fprintf(out,
            "  %s: %u slots, %u guns, %u modules with %.6g kW, grid limit %.6g kW, fail-safe "
            "%.6g kW\n",
            config->charge_point.id, config->slots, config->connectors, count_modules(config),
            (double)rated_w / 1000.0, (double)config->grid_limit_w / 1000.0,
            (double)config->fail_safe_limit_w / 1000.0);
}

enum config_verdict config_report_print(FILE *out, const char *source,
                                        const struct config *config) {
    struct can_load_bus *bus = malloc(sizeof *bus);
    if (!bus) {
        fprintf(out, "%s: not enough memory for the load analysis\n", source);
        return CONFIG_VERDICT_UNREADABLE;
    }
    enum can_load_verdict load = config_load_verdict(config, NULL);
    print_summary(out, source, config, load);
    config_load_verdict(config, out);
    print_topology(out, config);
    print_interfaces(out, config);
    for (uint32_t i = 0; i < config->interfaces; i++) {
        can_load_collect(config, i, bus);
        can_load_analyse(bus);
        print_bus(out, config, bus);
    }
    free(bus);
    return load == CAN_LOAD_REFUSED ? CONFIG_VERDICT_REFUSED : CONFIG_VERDICT_GOOD;
}

enum config_verdict config_check_print(FILE *out, const char *path) {
    struct config *config = malloc(sizeof *config);
    int result = config ? config_load_or_explain(path, config, out) : -ENOMEM;
    enum config_verdict verdict = result == 0         ? config_report_print(out, path, config)
                                  : result == -EINVAL ? CONFIG_VERDICT_REFUSED
                                                      : CONFIG_VERDICT_UNREADABLE;
    free(config);
    return verdict;
}
