#include "rt/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt/guard_private.h"
#include "rt/io/clock.h"
#include "rt/io/panic.h"
#include "rt/io/thread.h"

/* Places of the ring's file table beside one per interface. */
#define PLACE_COMMANDS  RM_INTERFACES_MAX
#define PLACE_LINKS     (RM_INTERFACES_MAX + 1)
#define PLACES          (RM_INTERFACES_MAX + 2)
#define WAIT_ERRORS_MAX 100

void guard_init(struct guard *g, const struct guard_setup *setup) {
    memset(g, 0, sizeof *g);
    g->in = *setup;
    guard_bus_init(g);
    guard_publish_init(g);
}

int guard_open(struct guard *g) {
    uint32_t interfaces = g->in.config->interfaces;
    int code = uring_open(&g->uring, PLACES, interfaces * BUS_CHAIN_MAX, &g->error);
    if (code != 0) {
        return code;
    }
    code = uring_place(&g->uring, PLACE_COMMANDS, (int)g->in.shm->commands_bell.queue);
    if (code == 0) {
        code = uring_place(&g->uring, PLACE_LINKS, g->in.links->guard_bell);
    }
    if (code != 0) {
        snprintf(g->error.text, sizeof g->error.text, "%s",
                 "io_uring file table: a wake-up descriptor was refused");
        uring_close(&g->uring);
        return code;
    }
    uring_poll_once(&g->uring, PLACE_COMMANDS, 0);
    uring_poll(&g->uring, PLACE_LINKS, 0);
    g->now_ns = clock_now_ns();
    for (uint32_t i = 0; i < interfaces; i++) {
        control_interface(g->in.control, i, INTERFACE_DOWN, guard_now_us(g));
    }
    guard_bus_offers(g);
    return 0;
}

void guard_close(struct guard *g) {
    guard_bus_close(g);
    uring_close(&g->uring);
}

static void on_tick(struct guard *g) {
    int64_t late_ns = g->now_ns - g->tick.due_ns;
    if (late_ns > g->late_max_ns) {
        g->late_max_ns = late_ns;
    }
    diag_record(shm_rt_diag(g->in.shm), DIAG_HISTOGRAM_GUARD_WAKE, late_ns);
    (void)phase_advance(&g->tick, g->now_ns);
    g->ticks++;
    g->tick_pending = true;
}

static void on_readable(struct guard *g, const struct uring_event *event) {
    if (event->place == PLACE_COMMANDS) {
        g->commands_pending = true; /* the bell is emptied and watched again by the step */
        return;
    }
    uint64_t rings;
    (void)!read(g->in.links->guard_bell, &rings, sizeof rings);
    guard_bus_offers(g);
    if (!event->more) {
        uring_poll(&g->uring, event->place, 0);
    }
}

static void drain(struct guard *g) {
    struct uring_event event;
    for (uint32_t n = 0; n < GUARD_DRAIN_MAX && uring_next(&g->uring, &event); n++) {
        switch (event.kind) {
        case URING_RECEIVE: guard_bus_received(g, &event); break;
        case URING_SENT: guard_bus_sent(g, &event); break;
        case URING_READABLE: on_readable(g, &event); break;
        case URING_OTHER: break;
        }
    }
    if (g->now_ns >= g->tick.due_ns) {
        on_tick(g);
    }
}

/* An emergency in this batch: how long from its frame to the kernel's hands? */
static void measure_reaction(struct guard *g) {
    for (uint32_t i = 0; i < g->events.count; i++) {
        const struct event *e = &g->events.item[i];
        bool pressed = e->type == EVENT_ESTOP && e->a == 1;
        bool emergency = e->type == EVENT_FAULT_RAISED && e->c == STOP_CLASS_EMERGENCY;
        if (pressed || emergency) {
            diag_record(shm_rt_diag(g->in.shm), DIAG_HISTOGRAM_REACTION,
                        clock_now_ns() - g->now_ns);
            return;
        }
    }
}

static void step(struct guard *g) {
    if (g->commands_pending) {
        (void)doorbell_drain(&g->in.shm->commands_bell);
        uring_poll_once(&g->uring, PLACE_COMMANDS, 0);
    }
    if (g->tick_pending || g->commands_pending) {
        guard_commands(g);
    }
    guard_proposal(g);
    if (g->tick_pending) {
        guard_bus_tick(g);
    }
    control_step(g->in.control, guard_now_us(g), &g->tx, &g->events);
    g->steps++;
    guard_bus_queue(g);
    guard_bus_send(g, true);
    if (g->frames_pending && g->events.count > 0) {
        measure_reaction(g);
    }
    g->frames_pending = false;
    g->commands_pending = false;
    g->stepped_ns = g->now_ns;
}

static bool is_gathering(const struct guard *g) {
    return g->frames_pending || g->commands_pending;
}

int64_t guard_gathered_due_ns(const struct guard *g, int64_t now_ns) {
    const int64_t due_ns = g->stepped_ns + GUARD_GATHER_NS;
    return phase_aside(due_ns > now_ns ? due_ns : now_ns,
                       g->in.config->planner_period_ms * CLOCK_NS_PER_MS,
                       EXCHANGE_PLANNER_OFFSET_NS, GUARD_PLANNER_BEFORE_NS, GUARD_PLANNER_AFTER_NS);
}

void guard_pass(struct guard *g) {
    g->now_ns = clock_now_ns();
    g->tick_pending = false;
    g->urgent_pending = false;
    drain(g);
    bool gathered = is_gathering(g) && guard_gathered_due_ns(g, g->now_ns) <= g->now_ns;
    if (!g->tick_pending && !g->urgent_pending && !gathered) {
        guard_bus_send(g, false); /* what did not fit into one chain */
        return;
    }
    step(g);
    guard_publish(g);
    int64_t took_ns = clock_now_ns() - g->now_ns;
    if (took_ns > g->step_max_ns) {
        g->step_max_ns = took_ns;
    }
    struct diag *diag = shm_rt_diag(g->in.shm);
    diag_record(diag, DIAG_HISTOGRAM_GUARD_STEP, took_ns);
    diag_cycle(diag, DIAG_THREAD_GUARD, took_ns);
}

/* true when the clean stop is over: everything is off, or the time for it has run out. */
static bool stop_is_over(struct guard *g) {
    if (!atomic_load_explicit(&g->in.exchange->stop, memory_order_acquire)) {
        return false;
    }
    if (!g->stopping) {
        g->stopping = true;
        g->stop_limit_ns = g->now_ns + GUARD_STOP_LIMIT_NS;
        control_shutdown(g->in.control);
        return false;
    }
    bool idle = control_is_idle(g->in.control);
    if (!idle && g->now_ns < g->stop_limit_ns) {
        return false;
    }
    (void)panic_send_all_off(); /* once more, whatever the sequencers think */
    atomic_store_explicit(&g->in.exchange->stopped_idle, idle, memory_order_relaxed);
    return true;
}

int64_t guard_wait_limit_ns(const struct guard *g, int64_t now_ns) {
    int64_t until_ns = g->tick.due_ns;
    if (is_gathering(g)) {
        const int64_t due_ns = guard_gathered_due_ns(g, now_ns);
        until_ns = due_ns < until_ns ? due_ns : until_ns;
    }
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static void wait(struct guard *g, uint32_t *errors) {
    int code = uring_wait(&g->uring, guard_wait_limit_ns(g, clock_now_ns()));
    if (code == 0 || code == -ETIME || code == -EINTR) {
        *errors = 0;
        return;
    }
    /* A ring that refuses for good would make this loop spin at priority 90: better off than that. */
    (*errors)++;
    if (*errors > WAIT_ERRORS_MAX) {
        abort();
    }
}

void *guard_run(void *argument) {
    struct guard *g = argument;
    thread_prefault_stack();
    g->start_code = guard_open(g);
    sem_post(&g->in.exchange->guard_ready);
    if (g->start_code != 0) {
        return NULL;
    }
    exchange_await(&g->in.exchange->go);
    phase_init(&g->tick, EXCHANGE_GUARD_PERIOD_NS, 0, clock_now_ns());
    uint32_t errors = 0;
    while (!stop_is_over(g)) {
        wait(g, &errors);
        guard_pass(g);
    }
    guard_close(g);
    watchdog_stop(&g->in.watchdog);
    atomic_store_explicit(&g->in.exchange->guard_done, true, memory_order_release);
    links_wake_main(g->in.links);
    return NULL;
}
