/* The sessions file: one durable line per finished session, each id once. nrt only.
 *
 * Which ids are there is known from a table of the newest SESSION_LOG_RECENT ids; the file itself is searched only for a
 * record older than this process when the file holds more than the table does.
 */
#ifndef RINGMAIN_NRT_STORE_SESSION_LOG_H
#define RINGMAIN_NRT_STORE_SESSION_LOG_H

#include "nrt/store/jsonl.h"
#include "nrt/store/session_line.h"

#define SESSION_LOG_RECENT 4096 /* more than all guns can have finished and unacknowledged (1536) */

struct session_log {
    struct jsonl file;
    int64_t opened_mono_ns; /* records that stopped later cannot be in what was there before */
    uint64_t recent[SESSION_LOG_RECENT];
    uint32_t recent_next;  /* ids ever entered; place = modulo */
    bool whole_file_known; /* the table holds every id of the file as it was when opened */
    uint64_t written;
};

/* Errors as jsonl_open(). Large: not for the stack. */
int session_log_open(struct session_log *log, const char *path, int64_t now_mono_ns) RM_MUST_CHECK;
void session_log_close(struct session_log *log);

/* May read the whole file, see above. An unreadable file counts as not having it. */
bool session_log_has(const struct session_log *log, const struct session_record *record);
/* 0: durable; -errno. The caller asked session_log_has() before. */
int session_log_write(struct session_log *log, const struct config *config, uint32_t slot,
                      const struct session_record *record,
                      const struct clock_pair *pair) RM_MUST_CHECK;

#endif
