/* The event log: every event of ringmain-rt once, in order, durable before the ring's place is given back.
 *
 * The caller peeks a batch from the events ring, calls event_log_write(), and only then consumes. After a crash between
 * the two the same events come again and are recognised by (boot id, seq): the log's tail names the newest number of each
 * of the last boots. One process at a time. nrt only.
 */
#ifndef RINGMAIN_NRT_STORE_EVENT_LOG_H
#define RINGMAIN_NRT_STORE_EVENT_LOG_H

#include "nrt/store/event_line.h"
#include "nrt/store/jsonl.h"

#define EVENT_LOG_BATCH_BYTES (64 * 1024)
#define EVENT_LOG_BOOTS       16

/* The newest logged number of each of the last boots. Zero-initialised: nothing logged. */
struct event_positions {
    uint32_t count; /* boots ever entered; place = modulo EVENT_LOG_BOOTS */
    struct event_position boot[EVENT_LOG_BOOTS];
};

struct event_log {
    struct jsonl file;
    struct event_positions durable;
    uint64_t written, skipped; /* by this process */
    char batch[EVENT_LOG_BATCH_BYTES];
};

/* Errors as jsonl_open(). Large: not for the stack. */
int event_log_open(struct event_log *log, const char *path) RM_MUST_CHECK;
void event_log_close(struct event_log *log);

/* Pure. Numbers of one boot arrive in rising order. */
bool event_positions_have(const struct event_positions *positions, struct event_position position);
void event_positions_enter(struct event_positions *positions, struct event_position position);

/* Logs what is not there yet; boot_ids[i] belongs to events[i]. 0: all of them are durable; -errno: some are not. */
int event_log_write(struct event_log *log, const struct config *config, const uint64_t *boot_ids,
                    const struct event *events, uint32_t count,
                    const struct clock_pair *pair) RM_MUST_CHECK;

#endif
