/* Acceptance of finished session records: written once, then acknowledged until rt has let them go.
 *
 * A record stays in shared memory until acknowledged, so each pass over the region asks of every record: must it be
 * written, must its acknowledgement be sent (again), or is there nothing to do? What is on disk is told by its
 * session id alone; that makes a crash between the write and the acknowledgement harmless.
 * Pure: no clock, no I/O, no heap. Times are CLOCK_MONOTONIC ns given by the caller.
 */
#ifndef RINGMAIN_NRT_SESSION_ACCEPTANCE_H
#define RINGMAIN_NRT_SESSION_ACCEPTANCE_H

#include "shm/session.h"

#define ACCEPTANCE_RETRY_NS                                                                        \
    INT64_C(2000000000) /* an acknowledgement without effect is sent again */

enum acceptance_step {
    ACCEPTANCE_NOTHING = 0, /* not a record, or its acknowledgement is under way */
    ACCEPTANCE_WRITE,       /* not on disk yet */
    ACCEPTANCE_ACKNOWLEDGE
};

/* Acknowledgements under way of one slot. Zero-initialised is a valid start. */
struct acceptance {
    struct {
        uint64_t session_id;
        int64_t retry_mono_ns;
    } sent[SESSIONS_FINISHED_MAX];
};

/* How many entries of finished[] hold records, whatever the count says. */
uint32_t acceptance_count(const struct session_slot *slot);
enum acceptance_step acceptance_next(const struct acceptance *acceptance,
                                     const struct session_record *record, bool is_on_disk,
                                     int64_t now_ns);
void acceptance_sent(struct acceptance *acceptance, uint64_t session_id, int64_t now_ns);
/* rt is a new one: send every acknowledgement again. */
void acceptance_forget_sent(struct acceptance *acceptance);

#endif
