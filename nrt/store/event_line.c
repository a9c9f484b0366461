#include "nrt/store/event_line.h"

#include "nrt/api/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int32_t event_connector_id(const struct config *config, uint32_t slot) {
    if (slot >= RM_SLOTS_MAX) {
        return 0;
    }
    if (config == NULL) {
        return (int32_t)slot + 1;
    }
    if (slot >= config->slots) {
        return 0;
    }
    int16_t gun = config->slot[slot].gun;
    return gun >= 0 && (uint32_t)gun < config->connectors ? config->connector[gun].id : 0;
}

/* The machine's word of a type; the JSON key "type". Values are part of the log's format. */
static const char *type_key(uint16_t type) {
    switch ((enum event_type)type) {
    case EVENT_BOOT: return "boot";
    case EVENT_GUN_STATE: return "gun_state";
    case EVENT_PLUGGED: return "plugged";
    case EVENT_UNPLUGGED: return "unplugged";
    case EVENT_IDENTITY: return "identity";
    case EVENT_SESSION_STARTED: return "session_started";
    case EVENT_SESSION_ENERGISED: return "session_energised";
    case EVENT_SESSION_ENDED: return "session_ended";
    case EVENT_FAULT_RAISED: return "fault_raised";
    case EVENT_FAULT_CLEARED: return "fault_cleared";
    case EVENT_LIMIT: return "limit";
    case EVENT_PLC: return "plc";
    case EVENT_INTERFACE: return "interface";
    case EVENT_MODULE: return "module";
    case EVENT_CONTACTOR: return "contactor";
    case EVENT_PROPOSAL_REJECTED: return "proposal_rejected";
    case EVENT_PLANNER: return "planner";
    case EVENT_OVERRUN: return "overrun";
    case EVENT_CONFIG_ACK: return "config_ack";
    case EVENT_METER: return "meter";
    case EVENT_ESTOP: return "estop";
    case EVENT_BOUNDARY: return "boundary";
    case EVENT_NONE:
    case EVENT_TYPE_COUNT: break;
    }
    return "unknown";
}

static const char *interface_state_word(unsigned state) {
    static const char *const WORD[INTERFACE_STATE_COUNT] = {"down", "up", "warning", "passive",
                                                            "bus-off"};
    return state < INTERFACE_STATE_COUNT ? WORD[state] : "?";
}

static const char *planner_word(unsigned state) {
    return state == 1 ? "fresh" : state == 0 ? "late" : state == 2 ? "dead" : "?";
}

static const char *meter_word(unsigned change) {
    static const char *const WORD[] = {"?", "jump_held", "stepped_back", "stale_fallback", "back"};
    return change < sizeof WORD / sizeof WORD[0] ? WORD[change] : "?";
}

static const char *interface_name(const struct config *config, unsigned index) {
    return config != NULL && index < config->interfaces ? config->interface[index].name : "";
}

static bool is_contactor_fault(unsigned code) {
    return code == FAULT_CONTACTOR_STUCK_OPEN || code == FAULT_CONTACTOR_WELDED ||
           code == FAULT_CONTACTOR_FEEDBACK || code == FAULT_CONTACTOR_BOOT_CLOSED;
}

/* Contactor faults name their contactor in b, module faults their module. */
static void component_word(const struct event *event, char *out, size_t size) {
    out[0] = '\0';
    if (event->b == 0xffffu) {
        return;
    }
    if (is_contactor_fault(event->a)) {
        snprintf(out, size, "%s", contactor_kind_name(event->b));
    } else if (event->a == FAULT_MODULE_LOST || event->a == FAULT_MODULE_FAULT) {
        snprintf(out, size, "module %u", (unsigned)event->b);
    }
}

/* "gun 3", "slot 7" where a slot has no gun, "site" */
static void place_word(const struct config *config, const struct event *event, char *out,
                       size_t size) {
    if (event->type == EVENT_INTERFACE) {
        const char *name = interface_name(config, event->slot);
        if (name[0] != '\0') {
            snprintf(out, size, "interface %s", name);
        } else {
            snprintf(out, size, "interface %u", (unsigned)event->slot);
        }
        return;
    }
    int32_t connector = event_connector_id(config, event->slot);
    if (event->slot == EVENT_SLOT_NONE) {
        snprintf(out, size, "site");
    } else if (connector > 0) {
        snprintf(out, size, "gun %" PRId32, connector);
    } else {
        snprintf(out, size, "slot %u", (unsigned)event->slot);
    }
}

static void fault_words(const struct event *event, const char *verb, char *out, size_t size) {
    const struct fault_info *info = fault_info(event->a);
    char component[24];
    component_word(event, component, sizeof component);
    snprintf(out, size, "%s %s%s%s: %s", verb, info->name, component[0] != '\0' ? " " : "",
             component, info->text);
}

static void ended_words(const struct event *event, char *out, size_t size) {
    const char *fault = event->b != FAULT_NONE ? fault_info(event->b)->name : "";
    snprintf(out, size, "session ended: %s%s%s", stop_reason_name(event->a),
             fault[0] != '\0' ? ", " : "", fault);
}

static void state_words(const struct event *event, char *out, size_t size) {
    snprintf(out, size, "%s -> %s", gun_state_name(event->a), gun_state_name(event->b));
}

static void contactor_words(const struct event *event, char *out, size_t size) {
    snprintf(out, size, "contactor %s %s in %" PRIu32 " ms", contactor_kind_name(event->a),
             event->b == 1 ? "closed" : "open", event->c);
}

/* "gun 3", "slot 7" where a slot has no gun */
static void slot_word(const struct config *config, uint32_t slot, char *out, size_t size) {
    const int32_t connector = event_connector_id(config, slot);
    if (connector > 0) {
        snprintf(out, size, "gun %" PRId32, connector);
    } else {
        snprintf(out, size, "slot %" PRIu32, slot);
    }
}

static void boundary_words(const struct config *config, const struct event *event, char *out,
                           size_t size) {
    const int32_t dv_mv = event_boundary_dv_mv(event->value);
    const int32_t load_ma = event_boundary_load_ma(event->value);
    const unsigned reason = event->c & 0xffffu;
    char owner[24], figures[48] = "";
    slot_word(config, event->c >> 16, owner, sizeof owner);
    if (dv_mv != EVENT_BOUNDARY_UNKNOWN && load_ma != EVENT_BOUNDARY_UNKNOWN) {
        snprintf(figures, sizeof figures, ", %.1f V across, %.1f A", dv_mv / 1000.0,
                 load_ma / 1000.0);
    }
    snprintf(out, size, "lends to %s: %s -> %s%s%s%s%s", owner, boundary_state_name(event->a),
             boundary_state_name(event->b), figures, reason != BOUNDARY_REASON_NONE ? " (" : "",
             reason != BOUNDARY_REASON_NONE ? boundary_reason_name(reason) : "",
             reason != BOUNDARY_REASON_NONE ? ")" : "");
}

static void what_words(const struct config *config, const struct event *event, const char *text,
                       char *out, size_t size) {
    long long value = (long long)event->value;
    unsigned a = event->a, b = event->b;
    switch ((enum event_type)event->type) {
    case EVENT_BOOT: snprintf(out, size, "ringmain-rt started"); return;
    case EVENT_GUN_STATE: state_words(event, out, size); return;
    case EVENT_PLUGGED: snprintf(out, size, "vehicle plugged in"); return;
    case EVENT_UNPLUGGED: snprintf(out, size, "vehicle unplugged"); return;
    case EVENT_IDENTITY: snprintf(out, size, "%s %s", identity_kind_name(a), text); return;
    case EVENT_SESSION_STARTED:
        snprintf(out, size, "session started (%s)%s%s", auth_source_name(a),
                 text[0] != '\0' ? " by " : "", text);
        return;
    case EVENT_SESSION_ENERGISED: snprintf(out, size, "current flows"); return;
    case EVENT_SESSION_ENDED: ended_words(event, out, size); return;
    case EVENT_FAULT_RAISED: fault_words(event, "fault", out, size); return;
    case EVENT_FAULT_CLEARED: fault_words(event, "cleared", out, size); return;
    case EVENT_LIMIT:
        snprintf(out, size, "limit %lld.%lld kW (%s)", value / 1000,
                 (value < 0 ? -(value / 100) : value / 100) % 10, limit_reason_name(a));
        return;
    case EVENT_PLC: snprintf(out, size, "PLC %s", a == 1 ? "heard" : "lost"); return;
    case EVENT_INTERFACE:
        snprintf(out, size, "%s, %u restarts", interface_state_word(a), b);
        return;
    case EVENT_MODULE:
        snprintf(out, size, "module %u %s%s%s", a, b == 1 ? "healthy" : "out",
                 event->c != 0 ? ": " : "", event->c != 0 ? fault_info(event->c)->name : "");
        return;
    case EVENT_CONTACTOR: contactor_words(event, out, size); return;
    case EVENT_PROPOSAL_REJECTED:
        snprintf(out, size, "proposal rejected by rule %u, %lld so far", a, value);
        return;
    case EVENT_PLANNER: snprintf(out, size, "planner %s", planner_word(a)); return;
    case EVENT_OVERRUN: snprintf(out, size, "planner cycle %lld us late", value); return;
    case EVENT_CONFIG_ACK:
        snprintf(out, size, "PLC parameter %u = %lld, status %u", a, value, b);
        return;
    case EVENT_METER: snprintf(out, size, "meter %s at %lld Wh", meter_word(a), value); return;
    case EVENT_ESTOP:
        snprintf(out, size, "emergency stop %s", a == 1 ? "pressed" : "reset");
        return;
    case EVENT_BOUNDARY: boundary_words(config, event, out, size); return;
    case EVENT_NONE:
    case EVENT_TYPE_COUNT: break;
    }
    snprintf(out, size, "unknown event type %u", (unsigned)event->type);
}

static void copy_text(const struct event *event, char text[EVENT_TEXT_LEN + 1]) {
    memcpy(text, event->text, EVENT_TEXT_LEN);
    text[EVENT_TEXT_LEN] = '\0';
}

void event_sentence(const struct config *config, const struct event *event,
                    char text[EVENT_TEXT_MAX]) {
    char place[40], detail[EVENT_TEXT_LEN + 1], what[112];
    place_word(config, event, place, sizeof place);
    copy_text(event, detail);
    what_words(config, event, detail, what, sizeof what);
    snprintf(text, EVENT_TEXT_MAX, "%s: %s", place, what);
}

static void write_fault(struct json_writer *w, const struct event *event) {
    const struct fault_info *info = fault_info(event->a);
    char component[24];
    component_word(event, component, sizeof component);
    json_string(w, "fault", info->name);
    json_string(w, "rule", info->rule);
    if (component[0] != '\0') {
        json_string(w, "component", component);
    }
    json_string(w, "stop_class", stop_class_name(event->c));
}

static void write_session(struct json_writer *w, const struct event *event, const char *text) {
    json_hex(w, "session_id", (uint64_t)event->value);
    if (event->type == EVENT_SESSION_STARTED) {
        json_string(w, "auth_source", auth_source_name(event->a));
        json_string(w, "id_token", text);
    } else if (event->type == EVENT_SESSION_ENERGISED) {
        if (event->b <= 100) {
            json_uint(w, "soc_pct", event->b);
        } else {
            json_null(w, "soc_pct");
        }
    } else {
        json_string(w, "stop_reason", stop_reason_name(event->a));
        json_string(w, "fault", fault_info(event->b)->name);
    }
}

static void write_contactor(struct json_writer *w, const struct event *event) {
    json_string(w, "contactor", contactor_kind_name(event->a));
    json_bool(w, "closed", event->b == 1);
    json_uint(w, "took_ms", event->c);
    json_int(w, "load_ma", event->value);
}

static void write_interface(struct json_writer *w, const struct config *config,
                            const struct event *event) {
    json_uint(w, "interface", event->slot);
    json_string(w, "interface_name", interface_name(config, event->slot));
    json_string(w, "interface_state", interface_state_word(event->a));
    json_uint(w, "restarts", event->b);
}

static void write_raw(struct json_writer *w, const struct event *event, const char *text) {
    json_uint(w, "type_number", event->type);
    json_uint(w, "a", event->a);
    json_uint(w, "b", event->b);
    json_uint(w, "c", event->c);
    json_int(w, "value", event->value);
    json_string(w, "raw_text", text);
}

static void write_state(struct json_writer *w, const struct event *event) {
    json_string(w, "from", gun_state_name(event->a));
    json_string(w, "to", gun_state_name(event->b));
    if (event->value > 0 && event->value < STOP_REASON_COUNT) {
        json_string(w, "stop_reason", stop_reason_name((unsigned)event->value));
    }
    if (event->c != FAULT_NONE) {
        json_string(w, "fault", fault_info(event->c)->name);
    }
}

static void write_figure(struct json_writer *w, const char *key, int32_t value) {
    if (value == EVENT_BOUNDARY_UNKNOWN) {
        json_null(w, key);
    } else {
        json_int(w, key, value);
    }
}

static void write_boundary(struct json_writer *w, const struct event *event) {
    json_string(w, "from", boundary_state_name(event->a));
    json_string(w, "to", boundary_state_name(event->b));
    json_uint(w, "owner_slot", event->c >> 16);
    json_string(w, "reason", boundary_reason_name(event->c & 0xffffu));
    write_figure(w, "across_mv", event_boundary_dv_mv(event->value));
    write_figure(w, "load_ma", event_boundary_load_ma(event->value));
}

static void write_module(struct json_writer *w, const struct event *event) {
    json_uint(w, "module", event->a);
    json_bool(w, "healthy", event->b == 1);
    json_string(w, "fault", fault_info(event->c)->name);
}

/* What only this type has; every value in words or with its unit in the key. */
static void write_details(struct json_writer *w, const struct config *config,
                          const struct event *event, const char *text) {
    switch ((enum event_type)event->type) {
    case EVENT_BOOT:
    case EVENT_UNPLUGGED: return;
    case EVENT_GUN_STATE: write_state(w, event); return;
    case EVENT_PLUGGED: json_int(w, "session_epoch", event->value); return;
    case EVENT_IDENTITY:
        json_string(w, "identity_kind", identity_kind_name(event->a));
        json_string(w, "identity", text);
        return;
    case EVENT_SESSION_STARTED:
    case EVENT_SESSION_ENERGISED:
    case EVENT_SESSION_ENDED: write_session(w, event, text); return;
    case EVENT_FAULT_RAISED:
    case EVENT_FAULT_CLEARED: write_fault(w, event); return;
    case EVENT_LIMIT:
        json_string(w, "limit_reason", limit_reason_name(event->a));
        json_int(w, "limit_w", event->value);
        return;
    case EVENT_PLC: json_bool(w, "heard", event->a == 1); return;
    case EVENT_INTERFACE: write_interface(w, config, event); return;
    case EVENT_MODULE: write_module(w, event); return;
    case EVENT_CONTACTOR: write_contactor(w, event); return;
    case EVENT_PROPOSAL_REJECTED:
        json_uint(w, "rule_number", event->a);
        json_int(w, "count", event->value);
        return;
    case EVENT_PLANNER: json_string(w, "planner", planner_word(event->a)); return;
    case EVENT_OVERRUN: json_int(w, "lateness_us", event->value); return;
    case EVENT_CONFIG_ACK:
        json_uint(w, "parameter", event->a);
        json_uint(w, "status", event->b);
        json_int(w, "value", event->value);
        return;
    case EVENT_METER:
        json_string(w, "meter", meter_word(event->a));
        json_int(w, "meter_wh", event->value);
        return;
    case EVENT_ESTOP: json_bool(w, "pressed", event->a == 1); return;
    case EVENT_BOUNDARY: write_boundary(w, event); return;
    case EVENT_NONE:
    case EVENT_TYPE_COUNT: break;
    }
    write_raw(w, event, text);
}

static void write_place(struct json_writer *w, const struct config *config,
                        const struct event *event) {
    if (event->slot == EVENT_SLOT_NONE || event->type == EVENT_INTERFACE) {
        json_null(w, "slot");
        json_null(w, "connector_id");
        return;
    }
    int32_t connector = event_connector_id(config, event->slot);
    json_uint(w, "slot", event->slot);
    if (connector > 0) {
        json_int(w, "connector_id", connector);
    } else {
        json_null(w, "connector_id");
    }
}

size_t event_line(char *out, size_t size, const struct config *config, uint64_t boot_id,
                  const struct event *event, const struct clock_pair *pair) {
    struct json_writer w;
    char wall[CLOCK_PAIR_TEXT_LEN], sentence[EVENT_TEXT_MAX], text[EVENT_TEXT_LEN + 1];
    clock_pair_text(clock_pair_real_ns(pair, event->mono_ns), wall);
    event_sentence(config, event, sentence);
    copy_text(event, text);
    json_init(&w, out, size);
    json_object(&w, NULL);
    json_hex(&w, "boot_id", boot_id);
    json_uint(&w, "seq", event->seq);
    json_int(&w, "mono_ns", event->mono_ns);
    json_string(&w, "time", wall);
    json_string(&w, "type", type_key(event->type));
    write_place(&w, config, event);
    json_string(&w, "text", sentence);
    write_details(&w, config, event, text);
    json_object_end(&w);
    json_raw(&w, "\n");
    return w.overflow ? 0 : w.length;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool event_line_position(const char *line, size_t length, struct event_position *out) {
    static const char FIRST[] = EVENT_LINE_FIRST_BYTES, MIDDLE[] = "\",\"seq\":";
    const size_t middle_at = sizeof FIRST - 1 + 16;
    const size_t seq_at = middle_at + sizeof MIDDLE - 1;
    if (length < seq_at + 3 || memcmp(line, FIRST, sizeof FIRST - 1) != 0 ||
        memcmp(line + middle_at, MIDDLE, sizeof MIDDLE - 1) != 0 || line[length - 1] != '}' ||
        memchr(line, '\0', length) != NULL) {
        return false;
    }
    struct event_position position = {0, 0};
    for (size_t i = 0; i < 16; i++) {
        int digit = hex_digit(line[sizeof FIRST - 1 + i]);
        if (digit < 0) {
            return false;
        }
        position.boot_id = position.boot_id << 4 | (uint64_t)digit;
    }
    size_t at = seq_at;
    for (; at < length && line[at] >= '0' && line[at] <= '9' && at < seq_at + 19; at++) {
        position.seq = position.seq * 10 + (uint64_t)(line[at] - '0');
    }
    if (at == seq_at || line[at] != ',' || position.seq == 0) {
        return false;
    }
    *out = position;
    return true;
}
