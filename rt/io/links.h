/* Keeps the interfaces connected, outside the real-time threads.
 *
 * Connecting a socket, restarting a controller and asking for its state can block on the kernel's network lock or on a
 * far side. The main (ordinary) thread does it here and hands descriptors to the guard through one atomic place per
 * interface; two eventfds are the bells. Neither side ever waits for the other.
 *
 * Start: every interface is tried once. What cannot work (no such interface, no permission, malformed address) is an
 * error; a socket transport whose far side is not there yet is retried for ever with back-off, its interface down.
 */
#ifndef RINGMAIN_RT_IO_LINKS_H
#define RINGMAIN_RT_IO_LINKS_H

#include <stdatomic.h>

#include "rt/io/bus.h"
#include "rt/io/bus_open.h"

/* A far side of the same machine is cheap to ask: the back-off ends at one second. */
#define LINKS_BACKOFF_MAX_MS 1000
#define LINKS_SUPERVISE_MS   500
/* So many restarts in a row that the controller's driver refused: the descriptor is given up and the interface opened
 * anew, which stops and starts the controller. */
#define LINKS_RESTARTS_REFUSED_MAX 5

/* One look at a controller: its state by libsocketcan, and when the look began. One word, so that both belong together. */
static inline int64_t links_pack_look(enum interface_state state, int64_t began_us) {
    return began_us * 8 + (int64_t)state;
}

struct links_place {
    _Alignas(RM_CACHE_LINE) _Atomic int offered_fd; /* main to guard; -1 none */
    _Atomic int64_t look;                           /* main to guard: links_pack_look(), -1 none */
    _Atomic uint32_t connect_requests, restart_requests; /* guard to main */
    _Atomic uint32_t failures, restarts_refused;         /* main to guard: since the start */
    /* main thread's own */
    uint32_t connect_served, restart_served;
    int32_t backoff_ms;
    int64_t attempt_us; /* 0: nothing to do */
    bool supervise;     /* a controller that Ringmain manages */
    unsigned ifindex;   /* socketcan: of the interface behind the last descriptor, 0 none */
    uint32_t refused_in_a_row;
    bool give_up;         /* told as down until it has been opened anew */
    struct io_error said; /* the refusal that was printed last, empty once it is open */
};

struct links {
    const struct config *config;
    struct bus_filters filters[RM_INTERFACES_MAX];
    int guard_bell; /* eventfd, readable by the guard: an offer waits */
    int main_bell;  /* eventfd, readable by the main thread: a request waits */
    int64_t supervise_us;
    struct links_place place[RM_INTERFACES_MAX];
};

/* Start-up. 0 or -errno with *error. filters[i] must stay valid. */
int links_open(struct links *l, const struct config *config,
               const struct bus_filters filters[RM_INTERFACES_MAX],
               struct io_error *error) RM_MUST_CHECK;
void links_close(struct links *l);

/* Main thread: whatever is due. Returns the milliseconds until something else will be (at most 1000). */
int links_service(struct links *l, int64_t now_us);

/* Guard: the offered descriptor of an interface, now its own; -1 none. */
int links_take(struct links *l, uint32_t interface);
/* Guard: the descriptor is gone (the guard has closed it) / the controller shall be restarted. Never blocks. */
void links_ask_connect(struct links *l, uint32_t interface);
void links_ask_restart(struct links *l, uint32_t interface);
/* Any thread: openings that failed / restarts of the controller that were refused, since the start. */
static inline uint32_t links_failures(const struct links *l, uint32_t interface) {
    return atomic_load_explicit(&l->place[interface].failures, memory_order_relaxed);
}
static inline uint32_t links_restarts_refused(const struct links *l, uint32_t interface) {
    return atomic_load_explicit(&l->place[interface].restarts_refused, memory_order_relaxed);
}
/* Any thread: wakes the main thread from its poll. */
void links_wake_main(struct links *l);
/* Guard: the last look at a controller that Ringmain manages, false when there is none. */
bool links_supervised(struct links *l, uint32_t interface, enum interface_state *state,
                      int64_t *began_us);

#endif
