/* The guard thread (SCHED_FIFO 90): frames in, control_step, frames out; the only owner of every output.
 *
 * Event-driven by one io_uring. One pass: drain what has completed, step once if a tick is due or a frame said what may
 * not wait (other frames and commands are gathered for three milliseconds), hand the frames to the kernel, and only then publish. Nothing in it waits for another thread or process.
 */
#ifndef RINGMAIN_RT_GUARD_H
#define RINGMAIN_RT_GUARD_H

#include "rt/control.h"
#include "rt/exchange.h"
#include "rt/io/bus.h"
#include "rt/io/links.h"
#include "rt/io/phase.h"
#include "rt/io/seal.h"
#include "rt/io/uring.h"
#include "rt/io/watchdog.h"
#include "shm/shm.h"

#define GUARD_DRAIN_MAX                                                                            \
    1024 /* completions per pass: a flood of frames cannot keep a tick waiting */
#define GUARD_COMMANDS_MAX 32 /* commands per step */
/* Frames that can wait, and commands, are gathered for so long: thousands of frames a second that arrive one by one, or a
 * wild ringmain-nrt at the doorbell, must not cost a step each. With the tick every 5 ms that is one step between two. */
#define GUARD_GATHER_NS 3000000LL
/* What the planner works with is filled at the ticks of so long before its release: the last is enough, the one before
 * stands in for it when it is late. */
#define GUARD_PLAN_INPUT_NS (2 * EXCHANGE_GUARD_PERIOD_NS)
/* A step of what can wait does not begin so shortly before the planner's release that the planner would wait behind it,
 * nor while it starts. Ticks and urgent frames know no such window. */
#define GUARD_PLANNER_BEFORE_NS 200000LL
#define GUARD_PLANNER_AFTER_NS  50000LL
#define GUARD_LOOK_AFTER_US                                                                        \
    20000 /* from a change of an interface's state until a look at it counts */
#define GUARD_STOP_LIMIT_NS   10000000000LL
#define GUARD_STATUS_TICKS    4   /* status at least every 20 ms */
#define GUARD_SLOW_TICKS      200 /* once a second */
#define GUARD_SESSIONS_A_TICK 8
#define GUARD_PLANNER_DEAD_NS 1000000000LL
#define GUARD_NRT_AGE_NS      2000000000LL
#define GUARD_PLC_NONE        0xffffu

struct guard_setup {
    const struct config *config;
    struct shm_rt *shm;
    struct exchange *exchange;
    struct links *links;
    struct seal *seal;
    struct control *control; /* initialised */
    uint32_t status_flags;   /* STATUS_FLAG_* that do not change */
    struct watchdog watchdog;
};

struct guard {
    struct guard_setup in;
    struct uring uring;
    struct bus bus[RM_INTERFACES_MAX];
    bool receiving[RM_INTERFACES_MAX]; /* a multishot receive is armed */
    bool blocked[RM_INTERFACES_MAX];   /* the kernel's queue was full: again at the next step */
    enum interface_state told[RM_INTERFACES_MAX]; /* what control was told last */
    uint16_t slot_of_plc[RM_INTERFACES_MAX][RM_PLC_IDS_MAX];

    struct phase tick;
    int64_t now_ns; /* of this pass */
    uint64_t ticks, steps;
    bool tick_pending, urgent_pending;     /* why this pass steps at once */
    bool frames_pending, commands_pending; /* taken since the last step */
    int64_t stepped_ns;                    /* the last step */

    struct frame_batch tx;
    struct event_batch events;
    struct status status;
    uint64_t sessions_seq[RM_SLOTS_MAX];
    uint32_t sessions_next;
    bool events_due; /* the doorbell is owed */
    uint64_t latched[RM_SLOTS_MAX];

    int64_t step_max_ns, late_max_ns; /* since the last telemetry record */
    uint64_t rx_last, tx_last;
    const struct cycle_output *cycle; /* the newest, ours until the next fetch */
    uint64_t cycle_seen, overruns_seen;
    bool plan_given; /* a first plan input */
    uint64_t place_errors;
    int64_t energy_w_us; /* site power integrated over the planner's cycles */
    uint64_t commands, refused, proposals, status_published, sessions_published, events_pushed;
    uint64_t frames_without_room, events_without_room;
    uint32_t page_faults, heap_calls;

    bool stopping;
    int64_t stop_limit_ns;
    struct io_error error; /* valid when the start was refused */
    int start_code;        /* 0, or -errno of the refused start */
};

/* Storage from the caller (about 600 kB). */
void guard_init(struct guard *g, const struct guard_setup *setup);

/* Thread body (argument: struct guard *). Opens the ring, posts guard_ready, waits for go, runs until a clean stop. */
void *guard_run(void *argument);

/* The pass after a wait, for the thread and for tests: drain, step, send, publish. */
void guard_pass(struct guard *g);
/* How long the next wait may last: to the end of the gathering time while something is gathered. */
int64_t guard_wait_limit_ns(const struct guard *g, int64_t now_ns);
/* When what is gathered by now gets its step. */
int64_t guard_gathered_due_ns(const struct guard *g, int64_t now_ns);
/* Opens ring and wake-ups; used by guard_run. 0 or -errno with g->error. */
int guard_open(struct guard *g) RM_MUST_CHECK;
void guard_close(struct guard *g);

#endif
