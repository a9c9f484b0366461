#include "nrt/store/session_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void remember(struct session_log *log, uint64_t id) {
    log->recent[log->recent_next % SESSION_LOG_RECENT] = id;
    log->recent_next++;
}

static bool take_id(const char *line, size_t length, void *context) {
    uint64_t id;
    if (!session_line_id(line, length, &id)) {
        return false;
    }
    remember(context, id);
    return true;
}

int session_log_open(struct session_log *log, const char *path, int64_t now_mono_ns) {
    memset(log, 0, sizeof *log);
    log->opened_mono_ns = now_mono_ns;
    int code = jsonl_open(&log->file, path, SESSION_LINE_FIRST_BYTES, take_id, log);
    log->whole_file_known = log->file.size <= JSONL_WINDOW && log->recent_next < SESSION_LOG_RECENT;
    return code;
}

void session_log_close(struct session_log *log) {
    jsonl_close(&log->file);
}

static bool is_recent(const struct session_log *log, uint64_t id) {
    uint32_t count = log->recent_next < SESSION_LOG_RECENT ? log->recent_next : SESSION_LOG_RECENT;
    for (uint32_t i = 0; i < count; i++) {
        if (log->recent[i] == id) {
            return true;
        }
    }
    return false;
}

/* Pieces overlap by the length of what is looked for, so that no border hides it. */
static bool search_file(const struct session_log *log, uint64_t id) {
    char wanted[48];
    char piece[64 * 1024];
    int wanted_length =
        snprintf(wanted, sizeof wanted, SESSION_LINE_FIRST_BYTES "%016" PRIx64 "\"", id);
    size_t kept = 0;
    for (int64_t at = 0; at < log->file.size;) {
        ssize_t count = pread(log->file.fd, piece + kept, sizeof piece - kept, (off_t)at);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        size_t length = kept + (size_t)count;
        if (memmem(piece, length, wanted, (size_t)wanted_length) != NULL) {
            return true;
        }
        at += count;
        kept = length < (size_t)wanted_length ? length : (size_t)wanted_length;
        memmove(piece, piece + length - kept, kept);
    }
    return false;
}

bool session_log_has(const struct session_log *log, const struct session_record *record) {
    if (is_recent(log, record->session_id)) {
        return true;
    }
    bool cannot_be_older = record->stop_mono_ns > log->opened_mono_ns;
    if (log->whole_file_known || cannot_be_older) {
        return false;
    }
    return search_file(log, record->session_id);
}

int session_log_write(struct session_log *log, const struct config *config, uint32_t slot,
                      const struct session_record *record, const struct clock_pair *pair) {
    char line[JSONL_LINE_MAX];
    size_t length = session_line(line, sizeof line, config, slot, record, pair);
    if (length == 0) {
        return -EMSGSIZE;
    }
    int code = jsonl_append(&log->file, line, length);
    if (code == 0) {
        remember(log, record->session_id);
        log->written++;
    }
    return code;
}
