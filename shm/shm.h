/* The shared segment: ringmain-rt creates it, the others attach (/ringmain unless named otherwise).
 *
 * ringmain-rt: struct shm_rt, functions shm_rt_*. Main thread creates, then the guard thread alone uses it. After
 * shm_rt_create() none of them blocks, allocates or loops without bound; every value read from the segment is copied once
 * and checked. ringmain-nrt: struct shm_peer attached with SHM_WRITE (one process at a time). ringmainctl: SHM_READ.
 * Errors are 0 or -errno; shm_error_text() says what they mean and what to do.
 *
 * Not defended against: a process that may write the segment's file truncates it (SIGBUS in whoever touches it; rt's
 * death opens every contactor). nrt's sandbox forbids it the call.
 */
#ifndef RINGMAIN_SHM_SHM_H
#define RINGMAIN_SHM_SHM_H

#include "shm/doorbell.h"
#include "shm/layout.h"

#define SHM_NAME_MAX 64 /* with '/' and terminating zero, as in the configuration */

/* Sentence for people about an error of shm_rt_create() or shm_attach(); never NULL. */
const char *shm_error_text(int error);
/* Removes the segment and its doorbells. 0 or -errno; what is not there is no error. */
int shm_unlink_all(const char *name);

/* ---- ringmain-rt ---- */

struct shm_rt {
    struct shm_segment *segment;
    int file; /* keeps the lock that says: a ringmain-rt is alive */
    char name[SHM_NAME_MAX];
    uint64_t boot_id;
    struct doorbell events_bell;   /* rung by rt */
    struct doorbell commands_bell; /* polled by rt: its queue is the descriptor */
    struct ring_producer events, results;
    struct ring_consumer commands;
    struct overwrite_writer telemetry;
    struct snapshot_writer status;
    struct retained_writer sessions[RM_SLOTS_MAX];
    struct retained_writer latches;
    struct shm_latches latches_now; /* what was last published */
};

enum shm_origin {
    SHM_ORIGIN_CREATED = 0, /* there was none */
    SHM_ORIGIN_ADOPTED,     /* same layout: everything retained is exposed below */
    SHM_ORIGIN_REPLACED,    /* another layout, or unfinished: set aside and created anew */
    SHM_ORIGIN_COUNT
};

/* What a start found. */
struct shm_start {
    enum shm_origin origin;
    uint64_t boot_count;        /* starts on this segment, this one included */
    uint64_t previous_boot_id;  /* 0 none */
    uint64_t next_event_seq;    /* number of the next event */
    uint64_t unread_events;     /* of earlier starts, still in the ring for nrt */
    bool latches_known;         /* S15: a valid copy, itself complete, was found */
    struct shm_latches latches; /* zero when no valid copy was found */
    uint32_t sessions_lost;     /* slots whose session record was found damaged in both copies */
};

/* What to do with a segment of another layout version or hash: it may hold sessions that nrt has not fetched. */
enum shm_policy { SHM_POLICY_REFUSE, SHM_POLICY_REPLACE };

/* Creates the segment or adopts the one that is there, takes the lock, creates the doorbells, prefaults, marks it
 * ready. Start-up only. boot_id random, never 0. Thresholds are those of the duty-cycle tracker.
 * 0; -EBUSY another ringmain-rt uses it; -EPROTONOSUPPORT or -EBADMSG another version or hash with
 * SHM_POLICY_REFUSE; -EINVAL bad name; else -errno of the system call. An unfinished segment (its creator died) is always replaced. */
int shm_rt_create(struct shm_rt *rt, const char *name, uint64_t boot_id, enum shm_policy policy,
                  int64_t now_ns, struct shm_start *start) RM_MUST_CHECK;
/* Unmaps; the segment stays for the next start. */
void shm_rt_close(struct shm_rt *rt);

void shm_rt_heartbeat(struct shm_rt *rt, int64_t now_ns);
/* nrt's heartbeat is at most max_age_ns old and not from the future. */
bool shm_rt_peer_alive(const struct shm_rt *rt, int64_t now_ns, int64_t max_age_ns);

/* Publishes the first status->slots (at most RM_SLOTS_MAX: asserted) slots. */
void shm_rt_status(struct shm_rt *rt, const struct status *status);

/* The records an earlier start left in a slot. 0; -ENODATA none; -EBADMSG, -EAGAIN, -EPROTO damaged. Start-up only. */
int shm_rt_sessions_left(const struct shm_rt *rt, uint32_t slot,
                         struct session_slot *out) RM_MUST_CHECK;
/* Publishes a slot's records; finished_count at most SESSIONS_FINISHED_MAX (asserted). */
void shm_rt_sessions(struct shm_rt *rt, uint32_t slot, const struct session_slot *sessions);

/* Publishes the latches when they differ from what was published last. known: false as long as any slot still waits for the
 * store's latches (FAULT_LATCH_UNKNOWN). */
void shm_rt_latches(struct shm_rt *rt, const uint64_t latched[RM_SLOTS_MAX], bool estop_latched,
                    bool known);

/* Numbers the events (sets seq), pushes them; what does not fit is dropped and counted. Returns how many fitted. */
uint32_t shm_rt_events(struct shm_rt *rt, struct event *events, uint32_t n);
/* Rings the events doorbell. Once per batch: it is a system call. */
void shm_rt_ring(struct shm_rt *rt);

/* Copies up to max waiting commands; they stay in the ring until shm_rt_commands_done(). Contents unchecked. */
uint32_t shm_rt_commands(struct shm_rt *rt, struct command *out, uint32_t max) RM_MUST_CHECK;
void shm_rt_commands_done(struct shm_rt *rt, uint32_t n);
/* Answers; without room for the answer it is dropped and counted. */
void shm_rt_result(struct shm_rt *rt, const struct command_result *result);

void shm_rt_telemetry(struct shm_rt *rt, const struct telemetry *record);
/* For diag_*() of shm/diag.h, each item by its own thread. */
struct diag *shm_rt_diag(struct shm_rt *rt);
/* Everything that was ever implausible or lost in the rings, from this side's counters. */
uint64_t shm_rt_peer_faults(const struct shm_rt *rt);

/* ---- ringmain-nrt and ringmainctl ---- */

enum shm_mode { SHM_READ, SHM_WRITE };

struct shm_peer {
    void *mapping; /* what segment and own point into */
    const struct shm_segment *segment;
    struct shm_nrt *own; /* SHM_WRITE: the one area that this process may write; else NULL */
    int file;
    enum shm_mode mode;
    uint64_t boot_id;              /* of the rt at attach time */
    struct doorbell events_bell;   /* polled by nrt */
    struct doorbell commands_bell; /* rung by nrt */
    struct ring_consumer events, results;
    struct ring_producer commands;
    struct overwrite_reader telemetry;
    uint64_t
        events_skipped; /* records that did not carry their own number: damaged, not handed out */
};

/* 0; -ENOENT there is none (ringmain-rt never ran); -EAGAIN not ready yet: try again; -ENODATA file truncated;
 * -EPROTONOSUPPORT other layout version; -EBADMSG same version, other layout hash; -EPROTO region table wrong;
 * -EBUSY (SHM_WRITE) another process is attached for writing; -EINVAL bad name; else -errno. */
int shm_attach(struct shm_peer *peer, const char *name, enum shm_mode mode) RM_MUST_CHECK;
void shm_detach(struct shm_peer *peer);

/* false: detach and attach again: the segment was replaced, or ringmain-rt started again. Cheap. */
bool shm_is_current(const struct shm_peer *peer);
/* Nanoseconds since rt's last heartbeat; INT64_MAX when never. */
int64_t shm_rt_age(const struct shm_peer *peer, int64_t now_ns);

/* 0; -ENODATA not published yet; -EAGAIN no stable copy (writer at work or dead in the middle); -EPROTO nonsense. */
int shm_status_read(const struct shm_peer *peer, struct status *out) RM_MUST_CHECK;
/* Records of a slot; *generation (may be NULL) goes up with each change. Errors as retained_read(), -EINVAL slot out of range,
 * -EPROTO counts out of range. */
int shm_sessions_read(const struct shm_peer *peer, uint32_t slot, struct session_slot *out,
                      uint64_t *generation) RM_MUST_CHECK;
/* Hint whether a slot changed, without copying it. */
uint64_t shm_sessions_generation(const struct shm_peer *peer, uint32_t slot);
int shm_latches_read(const struct shm_peer *peer, struct shm_latches *out) RM_MUST_CHECK;
const struct diag *shm_diag(const struct shm_peer *peer);
/* The boot id under which an event of that number was pushed; 0 when no longer known. */
uint64_t shm_event_boot_id(const struct shm_peer *peer, uint64_t seq);

/* SHM_WRITE only (asserted) from here on. */
void shm_peer_heartbeat(struct shm_peer *peer, int64_t now_ns);
/* Copies up to max of the oldest unread events. *taken: how many places of the ring they took (damaged ones are left
 * out): what to give to shm_events_commit() once they are stored durably. Returns how many events. */
uint32_t shm_events_peek(struct shm_peer *peer, struct event *out, uint32_t max,
                         uint32_t *taken) RM_MUST_CHECK;
void shm_events_commit(struct shm_peer *peer, uint32_t taken);
/* Events that rt had no room for, since the segment was created. */
uint64_t shm_events_dropped(const struct shm_peer *peer);
/* Sends a command and rings the doorbell. 0; -EAGAIN ring full: rt does not read. */
int shm_command_send(struct shm_peer *peer, const struct command *command) RM_MUST_CHECK;
uint32_t shm_results_take(struct shm_peer *peer, struct command_result *out,
                          uint32_t max) RM_MUST_CHECK;
/* Any mode; each attached process has its own place in the telemetry. peer->telemetry.lost counts what was missed. */
uint32_t shm_telemetry_read(struct shm_peer *peer, struct telemetry *out,
                            uint32_t max) RM_MUST_CHECK;

#endif
