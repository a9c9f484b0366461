#include "nrt/api/status_json.h"

#include "nrt/store/event_line.h"

#include <stdio.h>

uint32_t status_slot_count(const struct status *status) {
    return status->slots < RM_SLOTS_MAX ? status->slots : RM_SLOTS_MAX;
}

uint32_t status_interface_count(const struct status *status) {
    return status->interfaces < RM_INTERFACES_MAX ? status->interfaces : RM_INTERFACES_MAX;
}

static void measured(struct json_writer *w, const char *key, int32_t value) {
    if (value == STATUS_UNKNOWN) {
        json_null(w, key);
    } else {
        json_int(w, key, value);
    }
}

static void slot_or_null(struct json_writer *w, const char *key, int32_t slot) {
    if (slot < 0) {
        json_null(w, key);
    } else {
        json_int(w, key, slot);
    }
}

static void percent(struct json_writer *w, const char *key, uint8_t value) {
    if (value > 100) {
        json_null(w, key);
    } else {
        json_int(w, key, value);
    }
}

static void age_ms(struct json_writer *w, const char *key, int64_t since_ns, int64_t now_ns) {
    if (since_ns <= 0 || since_ns > now_ns) {
        json_null(w, key);
    } else {
        json_int(w, key, (now_ns - since_ns) / 1000000);
    }
}

static const char *word(const char *const *words, size_t count, unsigned value) {
    return value < count ? words[value] : "?";
}

static void fault_name(struct json_writer *w, uint16_t code) {
    if (code == FAULT_NONE) {
        json_null(w, "fault");
    } else {
        json_string(w, "fault", fault_info(code)->name);
    }
}

static void write_faults(struct json_writer *w, const struct status_slot *slot) {
    fault_name(w, slot->fault);
    if (slot->fault != FAULT_NONE) {
        json_string(w, "fault_text", fault_info(slot->fault)->text);
    } else {
        json_null(w, "fault_text");
    }
    json_array(w, "faults");
    for (unsigned code = 1; code < FAULT_COUNT; code++) {
        if ((slot->faults >> code & 1u) != 0) {
            json_string(w, NULL, fault_info(code)->name);
        }
    }
    json_array_end(w);
}

static void write_contactors(struct json_writer *w, const struct status_slot *slot) {
    static const char *const FEEDBACK[] = {"open", "closed", "invalid"};
    json_array(w, "contactors");
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
        const struct status_contactor *c = &slot->contactor[kind];
        if (c->fitted == 0) {
            continue;
        }
        json_object(w, NULL);
        json_string(w, "contactor", contactor_kind_name(kind));
        json_bool(w, "command", c->command != 0);
        json_string(w, "feedback", word(FEEDBACK, 3, c->feedback));
        json_bool(w, "may_conduct", (c->flags & STATUS_CONTACTOR_MAY) != 0);
        json_bool(w, "surely_conducts", (c->flags & STATUS_CONTACTOR_SURE) != 0);
        json_bool(w, "fault", (c->flags & STATUS_CONTACTOR_FAULT) != 0);
        json_bool(w, "welded", (c->flags & STATUS_CONTACTOR_WELDED) != 0);
        json_uint(w, "operate_ms", c->operate_ms);
        json_uint(w, "release_ms", c->release_ms);
        json_uint(w, "operations", c->operations);
        json_uint(w, "loaded_operations", c->loaded_operations);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_modules(struct json_writer *w, const struct status_slot *slot) {
    json_array(w, "modules");
    for (unsigned i = 0; i < slot->module_count && i < RM_MODULES_PER_SLOT_MAX; i++) {
        const struct status_module *m = &slot->module[i];
        json_object(w, NULL);
        json_uint(w, "module", i);
        json_bool(w, "healthy", (m->flags & STATUS_MODULE_HEALTHY) != 0);
        json_bool(w, "commanded_on", (m->flags & STATUS_MODULE_RUNNING) != 0);
        json_bool(w, "reports_on", (m->flags & STATUS_MODULE_ON) != 0);
        json_bool(w, "derated", (m->flags & STATUS_MODULE_DERATED) != 0);
        fault_name(w, m->fault);
        json_uint(w, "alarm_bits", m->alarm_bits);
        measured(w, "set_mv", m->set_mv);
        measured(w, "set_ma", m->set_ma);
        measured(w, "voltage_mv", m->voltage_mv);
        measured(w, "current_ma", m->current_ma);
        measured(w, "capability_w", m->capability_w);
        measured(w, "temperature_ddegc", m->temperature_ddegc);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_vehicle(struct json_writer *w, const struct status_slot *slot) {
    static const char *const LOCK[] = {"open", "engaged", "unknown"};
    char cp[2] = {cp_state_letter(slot->cp_state), '\0'};
    json_string(w, "cp_state", cp);
    json_string(w, "hlc_stage", hlc_stage_name(slot->hlc_stage));
    json_string(w, "lock", word(LOCK, 3, slot->locked));
    percent(w, "soc_pct", slot->soc_pct);
    measured(w, "target_mv", slot->target_mv);
    measured(w, "target_ma", slot->target_ma);
    measured(w, "ev_max_mv", slot->ev_max_mv);
    measured(w, "ev_max_ma", slot->ev_max_ma);
    measured(w, "ev_max_w", slot->ev_max_w);
    measured(w, "ev_capacity_wh", slot->ev_capacity_wh);
}

static void write_session(struct json_writer *w, const struct status_slot *slot) {
    if (slot->session_id == 0) {
        json_null(w, "session_id");
    } else {
        json_hex(w, "session_id", slot->session_id);
    }
    json_int(w, "session_energy_mwh", slot->session_energy_mwh);
    json_string(w, "auth_source", auth_source_name(slot->auth_source));
    json_text(w, "id_token", slot->id_token, sizeof slot->id_token);
    json_string(w, "stop_class", stop_class_name(slot->stop_class));
    json_string(w, "stop_reason", stop_reason_name(slot->stop_reason));
    json_int(w, "meter_wh", slot->meter_wh);
}

static void write_power(struct json_writer *w, const struct status_slot *slot) {
    static const char *const IMD[] = {"off", "self_test", "ok", "fault", "stale"};
    json_string(w, "limit_reason", limit_reason_name(slot->limit_reason));
    measured(w, "power_w", slot->power_w);
    measured(w, "budget_w", slot->budget_w);
    measured(w, "offered_w", slot->offered_w);
    measured(w, "bus_mv", slot->bus_mv);
    measured(w, "gun_mv", slot->gun_mv);
    measured(w, "gun_ma", slot->gun_ma);
    measured(w, "boundary_ma", slot->boundary_ma);
    json_string(w, "imd", word(IMD, 5, slot->imd));
    measured(w, "insulation_ohm", slot->insulation_ohm);
    measured(w, "pin_plus_ddegc", slot->pin_plus_ddegc);
    measured(w, "pin_minus_ddegc", slot->pin_minus_ddegc);
    measured(w, "cable_ddegc", slot->cable_ddegc);
    json_uint(w, "priority_class", slot->priority_class);
    json_uint(w, "island", slot->island);
    slot_or_null(w, "owner_slot", slot->owner);
    json_string(w, "boundary", boundary_state_name(slot->boundary));
    json_string(w, "boundary_reason", boundary_reason_name(slot->boundary_reason));
    slot_or_null(w, "lends_to", slot->lends_to);
    json_uint(w, "borrowed", slot->borrowed);
    measured(w, "borrowed_w", slot->borrowed_w);
    measured(w, "capacity_w", slot->capacity_w);
    measured(w, "guide_now_w", slot->guide_now_w);
    measured(w, "guide_later_w", slot->guide_later_w);
}

static void write_slot_flags(struct json_writer *w, const struct status_slot *slot) {
    json_bool(w, "plc_ok", (slot->flags & STATUS_SLOT_PLC_OK) != 0);
    json_bool(w, "operative", (slot->flags & STATUS_SLOT_OPERATIVE) != 0);
    json_bool(w, "power_constrained", (slot->flags & STATUS_SLOT_POWER_CONSTRAINED) != 0);
    json_bool(w, "meter_fallback", (slot->flags & STATUS_SLOT_METER_FALLBACK) != 0);
    json_bool(w, "sessions_full", (slot->flags & STATUS_SLOT_SESSIONS_FULL) != 0);
    json_bool(w, "reserved", (slot->flags & STATUS_SLOT_RESERVED) != 0);
    json_bool(w, "boot_hold", (slot->flags & STATUS_SLOT_BOOT_HOLD) != 0);
    json_bool(w, "suspended", (slot->flags & STATUS_SLOT_SUSPENDED) != 0);
    json_uint(w, "rejected_proposals", slot->rejected_proposals);
    json_uint(w, "crc_errors", slot->crc_errors);
    json_uint(w, "ack_retries", slot->ack_retries);
}

static void write_names(struct json_writer *w, uint32_t index, const struct config *config) {
    int32_t connector = event_connector_id(config, index);
    bool known = config != NULL && index < config->slots;
    json_uint(w, "slot", index);
    if (connector > 0) {
        json_int(w, "connector", connector);
    } else {
        json_null(w, "connector");
    }
    if (known) {
        int16_t gun = config->slot[index].gun;
        bool has_gun = gun >= 0 && (uint32_t)gun < config->connectors;
        json_string(w, "label", has_gun ? config->connector[gun].label : "");
        json_uint(w, "interface", config->slot[index].interface);
        json_uint(w, "plc_id", config->slot[index].plc_id);
    } else {
        json_null(w, "label");
        json_null(w, "interface");
        json_null(w, "plc_id");
    }
}

static void write_slot(struct json_writer *w, const struct status *status, uint32_t index,
                       const struct config *config, int64_t now_ns) {
    const struct status_slot *slot = &status->slot[index];
    json_object(w, NULL);
    write_names(w, index, config);
    json_string(w, "state", gun_state_name(slot->gun_state));
    age_ms(w, "state_for_ms", slot->state_since_mono_ns, now_ns);
    write_faults(w, slot);
    write_vehicle(w, slot);
    write_session(w, slot);
    write_power(w, slot);
    write_slot_flags(w, slot);
    write_contactors(w, slot);
    write_modules(w, slot);
    json_object_end(w);
}

static void write_slots(struct json_writer *w, const char *key, const struct status *status,
                        bool with_gun, const struct config *config, int64_t now_ns) {
    json_array(w, key);
    for (uint32_t i = 0; i < status_slot_count(status); i++) {
        if ((status->slot[i].gun_state != GUN_STATE_NONE) == with_gun) {
            write_slot(w, status, i, config, now_ns);
        }
    }
    json_array_end(w);
}

static void write_interfaces(struct json_writer *w, const struct status *status,
                             const struct config *config) {
    static const char *const STATE[] = {"down", "up", "warning", "passive", "bus_off"};
    json_array(w, "interfaces");
    for (uint32_t i = 0; i < status_interface_count(status); i++) {
        const struct status_interface *in = &status->interface[i];
        json_object(w, NULL);
        json_uint(w, "interface", i);
        if (config != NULL && i < config->interfaces) {
            json_string(w, "name", config->interface[i].name);
        }
        json_string(w, "state", word(STATE, INTERFACE_STATE_COUNT, in->state));
        json_uint(w, "restarts", in->restarts);
        json_uint(w, "restarts_refused", in->restarts_refused);
        json_uint(w, "rx_frames", in->rx_frames);
        json_uint(w, "tx_frames", in->tx_frames);
        json_uint(w, "tx_overflow", in->tx_overflow);
        json_uint(w, "rx_dropped", in->rx_dropped);
        json_uint(w, "error_frames", in->error_frames);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_flags(struct json_writer *w, uint32_t flags) {
    json_object(w, "flags");
    json_bool(w, "development", (flags & STATUS_FLAG_DEVELOPMENT) != 0);
    json_bool(w, "no_crc", (flags & STATUS_FLAG_NO_CRC) != 0);
    json_bool(w, "no_watchdog", (flags & STATUS_FLAG_NO_WATCHDOG) != 0);
    json_bool(w, "nrt_attached", (flags & STATUS_FLAG_NRT_ATTACHED) != 0);
    json_bool(w, "socket_bus", (flags & STATUS_FLAG_SOCKET_BUS) != 0);
    json_bool(w, "no_fifo", (flags & STATUS_FLAG_NO_FIFO) != 0);
    json_bool(w, "no_mlock", (flags & STATUS_FLAG_NO_MLOCK) != 0);
    json_bool(w, "events_dropped", (flags & STATUS_FLAG_EVENTS_DROPPED) != 0);
    json_object_end(w);
}

/* Which free gun the next driver should take. */
static void write_guide(struct json_writer *w, const struct status *status,
                        const struct config *config) {
    const int32_t slot = status->guide_slot;
    if (slot < 0 || (uint32_t)slot >= status_slot_count(status) ||
        status->slot[slot].gun_state != GUN_STATE_AVAILABLE) {
        json_null(w, "guide");
        return;
    }
    json_object(w, "guide");
    json_int(w, "slot", slot);
    json_int(w, "connector", event_connector_id(config, (uint32_t)slot));
    measured(w, "now_w", status->slot[slot].guide_now_w);
    measured(w, "later_w", status->slot[slot].guide_later_w);
    json_object_end(w);
}

static void write_site(struct json_writer *w, const struct status *status, int64_t now_ns) {
    json_int(w, "site_limit_w", status->site_limit_w);
    json_string(w, "site_limit_reason", limit_reason_name(status->site_limit_reason));
    json_int(w, "grid_limit_w", status->grid_limit_w);
    json_int(w, "site_power_w", status->site_power_w);
    if (status->lease_expires_mono_ns > now_ns) {
        json_int(w, "lease_left_ms", (status->lease_expires_mono_ns - now_ns) / 1000000);
    } else {
        json_null(w, "lease_left_ms");
    }
    json_bool(w, "estop", status->estop != 0);
}

static void write_health(struct json_writer *w, const struct status *status) {
    json_uint(w, "guard_steps", status->guard_steps);
    json_uint(w, "planner_cycles", status->planner_cycles);
    json_uint(w, "planner_overruns", status->planner_overruns);
    json_uint(w, "planner_age_ms", status->planner_age_ms);
    json_uint(w, "proposals_rejected", status->proposals_rejected);
    json_uint(w, "events_dropped", status->events_dropped);
    json_uint(w, "page_faults", status->page_faults);
    json_uint(w, "heap_calls", status->heap_calls);
}

void status_json(struct json_writer *w, const struct status *status, const struct config *config,
                 int64_t now_ns) {
    json_hex(w, "boot_id", status->boot_id);
    json_int(w, "mono_ns", status->mono_ns);
    age_ms(w, "age_ms", status->mono_ns, now_ns);
    write_site(w, status, now_ns);
    write_guide(w, status, config);
    write_health(w, status);
    write_flags(w, status->flags);
    write_interfaces(w, status, config);
    write_slots(w, "guns", status, true, config, now_ns);
    write_slots(w, "slots_without_gun", status, false, config, now_ns);
}
