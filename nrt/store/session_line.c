#include "nrt/store/session_line.h"

#include "nrt/api/json_writer.h"
#include "nrt/store/event_line.h"

#include <string.h>

static void wall(struct json_writer *w, const char *key, const struct clock_pair *pair,
                 int64_t mono_ns) {
    char text[CLOCK_PAIR_TEXT_LEN];
    if (mono_ns <= 0) {
        json_null(w, key);
        return;
    }
    clock_pair_text(clock_pair_real_ns(pair, mono_ns), text);
    json_string(w, key, text);
}

static void percent(struct json_writer *w, const char *key, uint8_t value) {
    if (value > 100) {
        json_null(w, key);
    } else {
        json_uint(w, key, value);
    }
}

static void write_times(struct json_writer *w, const struct session_record *record,
                        const struct clock_pair *pair) {
    wall(w, "start_time", pair, record->start_mono_ns);
    wall(w, "stop_time", pair, record->stop_mono_ns);
    json_int(w, "start_mono_ns", record->start_mono_ns);
    json_int(w, "stop_mono_ns", record->stop_mono_ns);
    json_int(w, "charging_ms", record->charging_ms);
    /* the clocks side by side, should the wall clock be found wrong later */
    json_int(w, "pair_mono_ns", pair->mono_ns);
    json_int(w, "pair_real_ns", pair->real_ns);
}

static void write_energy(struct json_writer *w, const struct session_record *record) {
    json_int(w, "energy_mwh", record->energy_mwh);
    json_int(w, "meter_start_wh", record->meter_start_wh);
    json_int(w, "meter_stop_wh", record->meter_stop_wh);
    json_string(w, "meter_source", (record->meter_source & 0x7fu) == 0 ? "plc" : "shunt");
    json_bool(w, "meter_fallback", (record->meter_source & 0x80u) != 0);
    json_uint(w, "peak_w", record->peak_w);
    json_bool(w, "energised", record->energised != 0);
    percent(w, "soc_start_pct", record->soc_start_pct);
    percent(w, "soc_stop_pct", record->soc_stop_pct);
}

size_t session_line(char *out, size_t size, const struct config *config, uint32_t slot,
                    const struct session_record *record, const struct clock_pair *pair) {
    struct json_writer w;
    int32_t connector = event_connector_id(config, slot);
    json_init(&w, out, size);
    json_object(&w, NULL);
    json_hex(&w, "session_id", record->session_id);
    json_hex(&w, "boot_id", record->boot_id);
    json_uint(&w, "slot", slot);
    if (connector > 0) {
        json_int(&w, "connector_id", connector);
    } else {
        json_null(&w, "connector_id");
    }
    json_string(&w, "auth_source", auth_source_name(record->auth_source));
    json_text(&w, "id_token", record->id_token, sizeof record->id_token);
    json_text(&w, "evccid", record->evccid, sizeof record->evccid);
    json_string(&w, "stop_reason", stop_reason_name(record->stop_reason));
    json_string(&w, "fault", fault_info(record->fault)->name);
    write_times(&w, record, pair);
    write_energy(&w, record);
    json_object_end(&w);
    json_raw(&w, "\n");
    return w.overflow ? 0 : w.length;
}

bool session_line_id(const char *line, size_t length, uint64_t *session_id) {
    static const char FIRST[] = SESSION_LINE_FIRST_BYTES;
    const size_t id_at = sizeof FIRST - 1;
    if (length < id_at + 18 || memcmp(line, FIRST, id_at) != 0 || line[id_at + 16] != '"' ||
        line[length - 1] != '}' || memchr(line, '\0', length) != NULL) {
        return false;
    }
    uint64_t id = 0;
    for (size_t i = 0; i < 16; i++) {
        char c = line[id_at + i];
        if (c >= '0' && c <= '9') {
            id = id << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            id = id << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *session_id = id;
    return id != 0;
}
