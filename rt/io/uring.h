/* The guard's only event loop: one io_uring for CAN receive, batched sends and the wake-ups; its wait is the tick.
 *
 * One thread opens, uses and closes it (IORING_SETUP_SINGLE_ISSUER). No kernel polling thread, and no operation that
 * the kernel could hand to a worker thread: receives are poll-driven multishot, sends carry MSG_DONTWAIT.
 * All memory is taken in uring_open(); nothing is allocated afterwards.
 *
 * Descriptors live in numbered places of the ring's file table: 0 .. places-1. A completion carries the place and the
 * generation given with the request, so that one which belongs to an earlier descriptor is recognised by the caller.
 */
#ifndef RINGMAIN_RT_IO_URING_H
#define RINGMAIN_RT_IO_URING_H

#include <liburing.h>

#include "rt/io/bus.h"
#include "rt/io/bus_open.h"

#define URING_MESSAGE_BYTES                                                                        \
    32                     /* a receive buffer: a frame is 16, more is malformed and seen as such */
#define URING_BUFFERS 1024 /* provided to the kernel; a power of two */

enum uring_kind {
    URING_RECEIVE,  /* data, length valid; or result <= 0: the receive ended */
    URING_SENT,     /* index of the chain, result */
    URING_READABLE, /* a polled descriptor has something */
    URING_OTHER     /* bookkeeping: nothing to do for the caller */
};

struct uring_event {
    enum uring_kind kind;
    uint16_t place;
    uint16_t generation;
    uint16_t index;
    int result;
    bool more; /* the request stays armed */
    const void *data;
    size_t length;
};

struct uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    size_t buffer_ring_bytes, buffers_bytes;
    uint32_t places;
    uint32_t unsubmitted; /* completions that are certain to come at the next flush */
    uint16_t held_buffer; /* buffer of the event handed out last, recycled by the next call */
    bool holds_buffer;
    bool seen_pending; /* the last completion handed out has not been acknowledged yet */
    bool deferred;     /* IORING_SETUP_DEFER_TASKRUN in use (kernel 6.1) */
    bool small; /* the limit of lockable memory allowed only short queues: slower when they fill */
    uint64_t submit_errors;  /* refused submissions (EBUSY, EAGAIN): retried by the next call */
    uint64_t flush_timeouts; /* sends that did not complete at once: never seen on a sound kernel */
    uint64_t
        no_buffers; /* receives that ended because all buffers were in use: re-armed, nothing lost */
};

/* places: size of the file table, at most 256. frames: the most frames of one interface's chain times interfaces.
 * 0, or -errno with *error naming the cause and the mend (kernel.io_uring_disabled, seccomp, memlock limit). */
int uring_open(struct uring *u, uint32_t places, uint32_t frames,
               struct io_error *error) RM_MUST_CHECK;
void uring_close(struct uring *u);

/* Puts a descriptor into a place (-1 empties it). 0 or -errno. One system call. */
int uring_place(struct uring *u, uint32_t place, int fd) RM_MUST_CHECK;

/* Requests below are queued; they reach the kernel with the next uring_wait() or uring_flush(). */
void uring_receive(struct uring *u, uint32_t place, uint16_t generation);
void uring_cancel_receive(struct uring *u, uint32_t place, uint16_t generation);
void uring_poll(struct uring *u, uint32_t place, uint16_t generation);
/* One completion, then to be asked for again: for a descriptor that a stranger can make readable as often as he likes. */
void uring_poll_once(struct uring *u, uint32_t place, uint16_t generation);
/* The chain taken by bus_chain_begin(), linked: the first failure cancels the rest, so that order is kept. */
void uring_send_chain(struct uring *u, uint32_t place, const struct bus *bus);

/* Submits everything and waits until something has completed, at most timeout_ns (0: looks only). 0, -ETIME, or -errno.
 * The guard's tick is this limit and not a time-out request: on PREEMPT_RT the kernel ends a real-time thread's own wait
 * from the timer interrupt, but completes time-out requests in a thread of the lowest real-time priority. */
int uring_wait(struct uring *u, int64_t timeout_ns);
/* Submits everything and returns when the queued sends have completed; these never wait for the far side. */
int uring_flush(struct uring *u);

/* The next completion, false when there is none. event->data is valid until the next call. */
bool uring_next(struct uring *u, struct uring_event *event);

#endif
