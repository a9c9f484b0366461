/* ringmain-nrt, first form: the ordinary process beside ringmain-rt. It may be killed at any moment.
 *
 * One thread, one epoll loop: the events doorbell, the control socket, signals, and a tick of 100 ms. Everything it does is
 * derived from state that outlives it: shared memory, the event log, the sessions file, the keep file.
 * Files: nrt.c the loop and the attachment, drain.c events and sessions to disk, duties.c what it asks of rt by itself,
 * requests.c what people ask of it.
 */
#ifndef RINGMAIN_NRT_NRT_H
#define RINGMAIN_NRT_NRT_H

#include <signal.h>

#include "configs/config.h"
#include "nrt/api/server.h"
#include "nrt/notify.h"
#include "nrt/pending.h"
#include "nrt/session/acceptance.h"
#include "nrt/session/clock_pair.h"
#include "nrt/session/id_list.h"
#include "nrt/session/limits.h"
#include "nrt/session/policy.h"
#include "nrt/store/event_log.h"
#include "nrt/store/keep_file.h"
#include "nrt/store/session_log.h"
#include "shm/shm.h"

#define NRT_TICK_MS      100
#define NRT_TICK_BUSY_MS 10 /* while results are awaited */
#define NRT_EVENTS_BATCH 512
#define NRT_RT_SILENT_NS INT64_C(500000000) /* rt counts as away: no commands to it */
#define NRT_RETRY_NS     INT64_C(2000000000)
#define NRT_PATH_MAX     320

struct nrt_slot {
    struct policy_gun policy;
    struct limit limit;
    struct acceptance acceptance;
    int64_t running_start_mono_ns; /* of the running session record */
    uint64_t running_id;
    char running_token[RM_ID_TOKEN_LEN];
    uint64_t sessions_generation; /* last seen */
    bool sessions_seen;
    bool sessions_unsettled;         /* finished records wait: look again */
    int64_t latches_retry_mono_ns;   /* COMMAND_LATCHES not before this */
    bool operative_told;             /* rt accepted keep.slot[].inoperative */
    int64_t operative_retry_mono_ns; /* COMMAND_AVAILABILITY not before this */
    uint32_t refusal_told;           /* type and status of the last refusal printed */
};

struct nrt {
    struct config config;
    char config_path[NRT_PATH_MAX];
    char log_path[NRT_PATH_MAX], sessions_path[NRT_PATH_MAX], keep_path[NRT_PATH_MAX];
    int epoll_fd;
    volatile sig_atomic_t *stop; /* set by the signal handler */
    struct notify notify;
    struct server server;

    struct event_log events;
    struct session_log sessions;
    struct keep keep;
    struct id_list id_list;
    int64_t id_list_mtime_ns, id_list_next_ns;
    struct clock_pair pair;

    struct shm_peer peer;
    bool attached;
    bool rt_silent_told;
    int attach_error_told; /* last error that was printed */
    int64_t attach_next_ns, attach_delay_ns;
    int store_error_told;
    uint64_t next_command_id;
    struct pending_table pending;

    struct status status;
    bool status_valid;
    struct limit site; /* what is leased for the site */
    uint32_t site_refusal_told;
    struct nrt_slot slot[RM_SLOTS_MAX];

    struct event batch[NRT_EVENTS_BATCH];
    uint64_t batch_boot_id[NRT_EVENTS_BATCH];
};

/* Opens files and socket, leaves links to configuration and event log in the run folder. Prints what is wrong and returns
 * -errno. config, config_path, log_path are set by the caller; the rest of *n is zero. */
int nrt_open(struct nrt *n) RM_MUST_CHECK;
/* Until *n->stop is set. 0, or -errno of the loop itself. */
int nrt_run(struct nrt *n) RM_MUST_CHECK;
void nrt_close(struct nrt *n);

int64_t nrt_now_ns(void);
/* To standard error, one line, with the program's name. */
void nrt_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- between the files of this folder ---- */

/* drain.c: logs, folds and gives back what waits in the events ring, at most a few batches; true: more waits. */
bool drain_events(struct nrt *n);
/* drain.c: finished session records to disk, then acknowledged. */
void drain_sessions(struct nrt *n, int64_t now_ns);

/* duties.c */
bool nrt_is_rt_alive(const struct nrt *n, int64_t now_ns);
void duties_attached(struct nrt *n);
void duties_run(struct nrt *n, int64_t now_ns);
void duties_results(struct nrt *n, int64_t now_ns);
/* Restores the operator's limits from the keep file's content. */
void duties_restore(struct nrt *n);
/* Sends a command on behalf of *who (id and deadline are filled in). 0; -EAGAIN no room; -ENOTCONN rt is away. */
int nrt_send(struct nrt *n, struct command *command, const struct pending *who,
             int64_t now_ns) RM_MUST_CHECK;
void nrt_keep_save(struct nrt *n);

/* requests.c: server_handler; and the end of a client's command (result NULL: no answer within the time-out). */
void requests_handle(void *context, struct server_ref ref, const char *line, size_t length);
void requests_result(struct nrt *n, const struct pending *who, const struct command_result *result);

#endif
