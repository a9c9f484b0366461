#include "nrt/store/event_log.h"

bool event_positions_have(const struct event_positions *positions, struct event_position position) {
    uint32_t count = positions->count < EVENT_LOG_BOOTS ? positions->count : EVENT_LOG_BOOTS;
    for (uint32_t i = 0; i < count; i++) {
        if (positions->boot[i].boot_id == position.boot_id) {
            return position.seq <= positions->boot[i].seq;
        }
    }
    return false;
}

void event_positions_enter(struct event_positions *positions, struct event_position position) {
    uint32_t count = positions->count < EVENT_LOG_BOOTS ? positions->count : EVENT_LOG_BOOTS;
    uint32_t at = 0;
    while (at < count && positions->boot[at].boot_id != position.boot_id) {
        at++;
    }
    if (at == count) {
        at = positions->count % EVENT_LOG_BOOTS; /* the oldest boot makes room */
        positions->boot[at] = (struct event_position){.boot_id = position.boot_id};
        positions->count++;
    }
    if (position.seq > positions->boot[at].seq) {
        positions->boot[at].seq = position.seq;
    }
}

static bool take_position(const char *line, size_t length, void *context) {
    struct event_position position;
    if (!event_line_position(line, length, &position)) {
        return false;
    }
    event_positions_enter(context, position);
    return true;
}

int event_log_open(struct event_log *log, const char *path) {
    log->durable = (struct event_positions){.count = 0};
    log->written = log->skipped = 0;
    return jsonl_open(&log->file, path, EVENT_LINE_FIRST_BYTES, take_position, &log->durable);
}

void event_log_close(struct event_log *log) {
    jsonl_close(&log->file);
}

static int flush(struct event_log *log, size_t *length, const struct event_positions *reached) {
    if (*length == 0) {
        return 0;
    }
    int code = jsonl_append(&log->file, log->batch, *length);
    if (code == 0) {
        log->durable = *reached;
        *length = 0;
    }
    return code;
}

int event_log_write(struct event_log *log, const struct config *config, const uint64_t *boot_ids,
                    const struct event *events, uint32_t count, const struct clock_pair *pair) {
    struct event_positions reached = log->durable;
    size_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct event_position position = {boot_ids[i], events[i].seq};
        /* seq 0 is never pushed; a line with it would not be sound at the next start */
        if (position.seq == 0 || event_positions_have(&reached, position)) {
            log->skipped++;
            continue;
        }
        if (sizeof log->batch - length < JSONL_LINE_MAX) {
            int code = flush(log, &length, &reached);
            if (code != 0) {
                return code;
            }
        }
        length += event_line(log->batch + length, sizeof log->batch - length, config,
                             position.boot_id, &events[i], pair);
        log->written++;
        event_positions_enter(&reached, position);
    }
    return flush(log, &length, &reached);
}
