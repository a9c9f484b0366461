#include "configs/can_load.h"

#include <stdlib.h>
#include <string.h>

/* Above this share of the bus by frames of its own or higher priority a response counts as unbounded: the busy period
 * grows without measure towards 1000, and the bus is refused from 900 on anyway. */
#define LOAD_BOUND_PERMILLE 980
#define INSTANCES_MAX       1024

struct plc_row {
    const char *name;
    uint32_t base;
    enum plc_message_sender sender;
};

static const struct plc_row plc_rows[PLC_MESSAGE_COUNT] = {
#define PLC_ROW(e, name, base, period, deadline, sender)                                           \
    [PLC_MESSAGE_##e] = {#name, base, PLC_MESSAGE_SENDER_##sender},
    PLC_MESSAGES(PLC_ROW)
#undef PLC_ROW
};

static struct can_load_message *add(struct can_load_bus *bus, const char *name, uint32_t id,
                                    uint32_t node, int64_t period_ms, int64_t deadline_ms) {
    assert(bus->messages < CAN_LOAD_MESSAGES_MAX);
    struct can_load_message *m = &bus->message[bus->messages++];
    *m = (struct can_load_message){.id = id,
                                   .node = (uint8_t)node,
                                   .period_us = period_ms * 1000,
                                   .deadline_us = deadline_ms * 1000,
                                   .refuse_us = deadline_ms * 1000};
    snprintf(m->name, sizeof m->name, "%s", name);
    return m;
}

static bool plc_sends(const struct config *config, enum plc_message message) {
    bool relay = config->plc.contactor_frame == CONTACTOR_FRAME_RELAY;
    if (message == PLC_MESSAGE_RELAY_CONTROL) {
        return relay;
    }
    if (message == PLC_MESSAGE_GCMC_COMMAND || message == PLC_MESSAGE_GCMC_STATUS) {
        return !relay;
    }
    return true;
}

static void collect_plc(const struct config *config, uint8_t plc_id, struct can_load_bus *bus) {
    for (unsigned k = 0; k < PLC_MESSAGE_COUNT; k++) {
        const struct config_plc_timing *t = &config->plc_timing[k];
        if (!plc_sends(config, (enum plc_message)k)) {
            continue;
        }
        struct can_load_message *m = add(bus, plc_rows[k].name, plc_rows[k].base + plc_id, plc_id,
                                         t->period_ms, t->deadline_ms);
        m->from_host = plc_rows[k].sender == PLC_MESSAGE_SENDER_HOST;
        if (k == PLC_MESSAGE_GCMC_COMMAND || k == PLC_MESSAGE_RELAY_CONTROL) {
            m->refuse_us = (CAN_LOAD_PLC_WATCHDOG_MS - (int64_t)t->period_ms) * 1000;
        }
    }
}

/* How often a request of the hub to a module goes out, and by when it must be through. */
enum module_rate { RATE_SETPOINT, RATE_REFRESH, RATE_POLL, RATE_STATUS, RATE_SLOW };

struct module_row {
    const char *name;
    uint8_t command; /* of infypower; maxwell's identifiers do not tell registers apart */
    enum module_rate rate;
};

static const struct module_row infypower_rows[] = {
    {"output", 0x03, RATE_POLL},       {"status", 0x04, RATE_STATUS},
    {"capabilities", 0x0A, RATE_SLOW}, {"external", 0x0C, RATE_SLOW},
    {"on/off", 0x1A, RATE_REFRESH},    {"setpoint", 0x1C, RATE_SETPOINT},
};

static const struct module_row maxwell_rows[] = {
    {"set voltage", 0, RATE_SETPOINT}, {"set current", 0, RATE_SETPOINT},
    {"on/off", 0, RATE_REFRESH},       {"voltage", 0, RATE_POLL},
    {"current", 0, RATE_POLL},         {"alarms", 0, RATE_STATUS},
    {"current limit", 0, RATE_SLOW},   {"temperature", 0, RATE_SLOW},
    {"ambient", 0, RATE_SLOW},         {"rated power", 0, RATE_SLOW},
    {"rated current", 0, RATE_SLOW},
};

/* A read is through before the next one; a setpoint, on or off before it would be refreshed. */
static void rate_figures(const struct config *config, enum module_rate rate, int64_t *period_ms,
                         int64_t *deadline_ms) {
    switch (rate) {
    case RATE_SETPOINT:
        *period_ms = config->modules.setpoint_min_ms;
        *deadline_ms = config->modules.refresh_ms;
        return;
    case RATE_REFRESH: *period_ms = config->modules.refresh_ms; break;
    case RATE_POLL: *period_ms = config->modules.poll_ms; break;
    case RATE_STATUS: *period_ms = config->modules.status_ms; break;
    case RATE_SLOW: *period_ms = config->modules.slow_ms; break;
    }
    *deadline_ms = *period_ms;
}

/* Identifiers as in section 6 of the contract; the controller is 0xF0. */
static uint32_t module_id(enum module_protocol protocol, const struct module_row *row,
                          uint32_t address, bool reply) {
    uint32_t to = reply ? 0xF0u : address, from = reply ? address : 0xF0u;
    switch (protocol) {
    case MODULE_PROTOCOL_INFYPOWER:
        return (0xAu << 22) | ((uint32_t)row->command << 16) | (to << 8) | from;
    case MODULE_PROTOCOL_MAXWELL: return (0x060u << 20) | (1u << 19) | (to << 11) | (from << 3);
    }
    return 0;
}

static void collect_module(const struct config *config, uint8_t address, struct can_load_bus *bus) {
    bool maxwell = config->modules.protocol == MODULE_PROTOCOL_MAXWELL;
    const struct module_row *rows = maxwell ? maxwell_rows : infypower_rows;
    size_t count = maxwell ? sizeof maxwell_rows / sizeof maxwell_rows[0]
                           : sizeof infypower_rows / sizeof infypower_rows[0];
    for (size_t i = 0; i < count; i++) {
        int64_t period_ms = 0, deadline_ms = 0;
        char reply[28];
        rate_figures(config, rows[i].rate, &period_ms, &deadline_ms);
        snprintf(reply, sizeof reply, "%s reply", rows[i].name);
        enum module_protocol p = config->modules.protocol;
        add(bus, rows[i].name, module_id(p, &rows[i], address, false), address, period_ms,
            deadline_ms)
            ->from_host = true;
        add(bus, reply, module_id(p, &rows[i], address, true), address, period_ms, deadline_ms);
    }
}

void can_load_collect(const struct config *config, uint32_t interface, struct can_load_bus *out) {
    assert(interface < config->interfaces);
    out->interface = (uint8_t)interface;
    out->bitrate_bps = config->interface[interface].bitrate_bps;
    out->messages = 0;
    bool plc = config->interface[interface].role == INTERFACE_ROLE_PLC;
    for (uint32_t i = 0; i < config->slots; i++) {
        const struct config_slot *s = &config->slot[i];
        if (plc && s->interface == interface) {
            collect_plc(config, s->plc_id, out);
        }
        for (uint32_t k = 0; k < s->module_count && !plc; k++) {
            if (s->module[k].interface == interface) {
                collect_module(config, s->module[k].address, out);
            }
        }
    }
}

static int by_priority(const void *a, const void *b) {
    const struct can_load_message *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : strcmp(x->name, y->name);
}

/* Figures of one bus and one message under analysis, in nanoseconds. */
struct analysis {
    const struct can_load_bus *bus;
    uint32_t of;
    int64_t frame_ns, bit_ns, block_ns;
};

static int64_t ceil_divide(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Frames of one identifier queue behind each other in any order: each counts as higher for the other. */
static bool is_higher(const struct analysis *a, uint32_t k) {
    const struct can_load_message *m = &a->bus->message[k];
    return k != a->of && m->period_us > 0 && m->id <= a->bus->message[a->of].id;
}

static int64_t interference_ns(const struct analysis *a, int64_t window_ns, bool own) {
    int64_t sum = 0;
    for (uint32_t k = 0; k < a->bus->messages && a->bus->message[k].id <= a->bus->message[a->of].id;
         k++) {
        if (is_higher(a, k) || (own && k == a->of)) {
            sum += ceil_divide(window_ns, a->bus->message[k].period_us * 1000) * a->frame_ns;
        }
    }
    return sum;
}

/* Share of the bus that frames of this or higher priority take, in parts per million. */
static int64_t share_ppm(const struct analysis *a) {
    int64_t ppm = 0;
    for (uint32_t k = 0; k < a->bus->messages; k++) {
        if (k == a->of || is_higher(a, k)) {
            ppm += ceil_divide(a->frame_ns * 1000, a->bus->message[k].period_us);
        }
    }
    return ppm;
}

static int64_t busy_period_ns(const struct analysis *a) {
    int64_t t = a->frame_ns, next = 0;
    while ((next = a->block_ns + interference_ns(a, t, true)) != t) {
        t = next;
    }
    return t;
}

static int64_t response_us(const struct analysis *a) {
    if (share_ppm(a) > (int64_t)LOAD_BOUND_PERMILLE * 1000) {
        return CAN_LOAD_UNBOUNDED;
    }
    int64_t period_ns = a->bus->message[a->of].period_us * 1000;
    int64_t instances = ceil_divide(busy_period_ns(a), period_ns), worst = 0;
    if (instances > INSTANCES_MAX) {
        return CAN_LOAD_UNBOUNDED;
    }
    int64_t w = a->block_ns;
    for (int64_t q = 0; q < instances; q++, w += a->frame_ns) {
        int64_t own_ns = a->block_ns + q * a->frame_ns, next = 0;
        while ((next = own_ns + interference_ns(a, w + a->bit_ns, false)) != w) {
            w = next;
        }
        int64_t response_ns = w - q * period_ns + a->frame_ns;
        worst = response_ns > worst ? response_ns : worst;
    }
    return ceil_divide(worst, 1000);
}

static enum can_load_verdict judge(const struct can_load_message *m) {
    if (m->period_us == 0 || m->response_us <= m->deadline_us) {
        return CAN_LOAD_GOOD;
    }
    return m->response_us <= m->refuse_us ? CAN_LOAD_WARNED : CAN_LOAD_REFUSED;
}

static void analyse_load(struct can_load_bus *bus, int64_t frame_ns) {
    int64_t ppm = 0;
    for (uint32_t i = 0; i < bus->messages; i++) {
        if (bus->message[i].period_us > 0) {
            ppm += ceil_divide(frame_ns * 1000, bus->message[i].period_us);
        }
    }
    bus->load_permille = (int32_t)ceil_divide(ppm, 1000);
    bus->verdict = bus->load_permille > CAN_LOAD_REFUSE_PERMILLE ? CAN_LOAD_REFUSED
                   : bus->load_permille > CAN_LOAD_WARN_PERMILLE ? CAN_LOAD_WARNED
                                                                 : CAN_LOAD_GOOD;
}

void can_load_analyse(struct can_load_bus *bus) {
    assert(bus->bitrate_bps > 0 && bus->messages <= CAN_LOAD_MESSAGES_MAX);
    qsort(bus->message, bus->messages, sizeof bus->message[0], by_priority);
    int64_t bit_ns = ceil_divide(1000000000, bus->bitrate_bps);
    int64_t frame_ns = ceil_divide((int64_t)CAN_LOAD_FRAME_BITS * 1000000000, bus->bitrate_bps);
    analyse_load(bus, frame_ns);
    for (uint32_t i = 0; i < bus->messages; i++) {
        struct can_load_message *m = &bus->message[i];
        if (m->period_us > 0) {
            bool last = bus->message[bus->messages - 1].id == m->id;
            struct analysis a = {.bus = bus,
                                 .of = i,
                                 .frame_ns = frame_ns,
                                 .bit_ns = bit_ns,
                                 .block_ns = last ? 0 : frame_ns};
            m->response_us = response_us(&a);
        }
        m->verdict = judge(m);
        bus->verdict = m->verdict > bus->verdict ? m->verdict : bus->verdict;
    }
}
