#include "rt/io/uring.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BUFFER_GROUP   0
#define OTHER_REQUESTS 64 /* re-arms, polls and the tick beside the sends of one step */
/* Queues of a ring that fits into 64 KiB of lockable memory, the customary limit of an ordinary user: a full one costs an
 * extra system call. */
#define SMALL_REQUESTS    256
#define SMALL_COMPLETIONS 1024

/* user_data: kind 8 bits, place 16, generation 16, index 16. */
static uint64_t pack(enum uring_kind kind, uint32_t place, uint16_t generation, uint32_t index) {
    return (uint64_t)kind << 48 | (uint64_t)place << 32 | (uint64_t)generation << 16 | index;
}

static void unpack(uint64_t user_data, struct uring_event *event) {
    event->kind = (enum uring_kind)(user_data >> 48);
    event->place = (uint16_t)(user_data >> 32);
    event->generation = (uint16_t)(user_data >> 16);
    event->index = (uint16_t)user_data;
}

static const char *why_refused(int code) {
    switch (code) {
    case -EPERM:
    case -EACCES:
        return "refused. Set sysctl kernel.io_uring_disabled=0 (or 1 with the group of "
               "kernel.io_uring_group), and allow io_uring_setup, io_uring_enter and "
               "io_uring_register in the seccomp rule of the service or container";
    case -ENOSYS:
        return "unknown to this kernel, or hidden by a seccomp rule. Linux 6.1 or newer is needed, "
               "with io_uring_setup, io_uring_enter and io_uring_register allowed";
    case -ENOMEM:
        return "no memory may be locked for it: 64 KiB for each hub of this user at the least, 256 "
               "KiB for full queues. Raise LimitMEMLOCK (systemd) or ulimit -l";
    default: return "refused";
    }
}

static int refuse(struct io_error *error, const char *what, int code) {
    snprintf(error->text, sizeof error->text, "%s: %s (%s)", what, why_refused(code),
             strerror(-code));
    return code;
}

/* SINGLE_ISSUER and DEFER_TASKRUN came with 6.0 and 6.1; before, COOP_TASKRUN is the nearest. */
static int init_ring(struct uring *u, uint32_t entries, uint32_t completions) {
    static const unsigned flags[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_COOP_TASKRUN,
    };
    int code = -EINVAL;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && code == -EINVAL; i++) {
        struct io_uring_params params;
        memset(&params, 0, sizeof params);
        params.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        params.cq_entries = completions;
        code = io_uring_queue_init_params(entries, &u->ring, &params);
        u->deferred = i == 0;
    }
    return code;
}

static int setup_ring(struct uring *u, uint32_t entries, struct io_error *error) {
    int code = init_ring(u, entries, entries + 2 * URING_BUFFERS);
    if (code == -ENOMEM) {
        u->small = true;
        code = init_ring(u, SMALL_REQUESTS, SMALL_COMPLETIONS);
    }
    return code == 0 ? 0 : refuse(error, "io_uring_setup", code);
}

static void *map_pages(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void provide(struct uring *u, uint16_t buffer) {
    io_uring_buf_ring_add(u->buffer_ring, u->buffers + (size_t)buffer * URING_MESSAGE_BYTES,
                          URING_MESSAGE_BYTES, buffer, io_uring_buf_ring_mask(URING_BUFFERS), 0);
    io_uring_buf_ring_advance(u->buffer_ring, 1);
}

static int setup_buffers(struct uring *u, struct io_error *error) {
    u->buffer_ring_bytes = URING_BUFFERS * sizeof(struct io_uring_buf);
    u->buffers_bytes = (size_t)URING_BUFFERS * URING_MESSAGE_BYTES;
    u->buffer_ring = map_pages(u->buffer_ring_bytes);
    u->buffers = map_pages(u->buffers_bytes);
    if (u->buffer_ring == NULL || u->buffers == NULL) {
        return refuse(error, "receive buffers", -ENOMEM);
    }
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)u->buffer_ring,
        .ring_entries = URING_BUFFERS,
        .bgid = BUFFER_GROUP,
    };
    int code = io_uring_register_buf_ring(&u->ring, &reg, 0);
    if (code != 0) {
        return refuse(error, "io_uring provided buffers (Linux 5.19)", code);
    }
    io_uring_buf_ring_init(u->buffer_ring);
    for (uint32_t i = 0; i < URING_BUFFERS; i++) {
        provide(u, (uint16_t)i);
    }
    return 0;
}

int uring_open(struct uring *u, uint32_t places, uint32_t frames, struct io_error *error) {
    assert(places > 0 && places <= 256);
    memset(u, 0, sizeof *u);
    u->places = places;
    int code = setup_ring(u, frames + places + OTHER_REQUESTS, error);
    if (code != 0) {
        return code;
    }
    code = setup_buffers(u, error);
    if (code == 0) {
        code = io_uring_register_files_sparse(&u->ring, places);
        if (code != 0) {
            code = refuse(error, "io_uring file table", code);
        }
    }
    if (code == 0) {
        /* Saves a descriptor look-up per call; a kernel without it works all the same. */
        (void)io_uring_register_ring_fd(&u->ring);
        return 0;
    }
    uring_close(u);
    return code;
}

void uring_close(struct uring *u) {
    io_uring_queue_exit(&u->ring);
    if (u->buffer_ring != NULL) {
        munmap(u->buffer_ring, u->buffer_ring_bytes);
    }
    if (u->buffers != NULL) {
        munmap(u->buffers, u->buffers_bytes);
    }
    u->buffer_ring = NULL;
    u->buffers = NULL;
}

int uring_place(struct uring *u, uint32_t place, int fd) {
    assert(place < u->places);
    int code = io_uring_register_files_update(&u->ring, place, &fd, 1);
    return code < 0 ? code : 0;
}

/* The queue is sized for a whole step; when it is full all the same, what is there goes out first. */
static struct io_uring_sqe *request(struct uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) {
        if (io_uring_submit(&u->ring) < 0) {
            u->submit_errors++;
        }
        sqe = io_uring_get_sqe(&u->ring);
    }
    assert(sqe != NULL);
    return sqe;
}

void uring_receive(struct uring *u, uint32_t place, uint16_t generation) {
    struct io_uring_sqe *sqe = request(u);
    io_uring_prep_recv_multishot(sqe, (int)place, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, pack(URING_RECEIVE, place, generation, 0));
}

void uring_cancel_receive(struct uring *u, uint32_t place, uint16_t generation) {
    struct io_uring_sqe *sqe = request(u);
    io_uring_prep_cancel64(sqe, pack(URING_RECEIVE, place, generation, 0), 0);
    io_uring_sqe_set_data64(sqe, pack(URING_OTHER, place, generation, 0));
}

void uring_poll(struct uring *u, uint32_t place, uint16_t generation) {
    struct io_uring_sqe *sqe = request(u);
    io_uring_prep_poll_multishot(sqe, (int)place, POLLIN);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, pack(URING_READABLE, place, generation, 0));
}

void uring_poll_once(struct uring *u, uint32_t place, uint16_t generation) {
    struct io_uring_sqe *sqe = request(u);
    io_uring_prep_poll_add(sqe, (int)place, POLLIN);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, pack(URING_READABLE, place, generation, 0));
}

void uring_send_chain(struct uring *u, uint32_t place, const struct bus *bus) {
    if (io_uring_sq_space_left(&u->ring) < bus->chain_count) {
        /* A chain must not be torn by a submission in its middle. */
        if (io_uring_submit(&u->ring) < 0) {
            u->submit_errors++;
        }
    }
    for (uint32_t i = 0; i < bus->chain_count; i++) {
        struct io_uring_sqe *sqe = request(u);
        io_uring_prep_send(sqe, (int)place, &bus->chain[i], sizeof bus->chain[i],
                           MSG_DONTWAIT | MSG_NOSIGNAL);
        sqe->flags |= IOSQE_FIXED_FILE;
        if (i + 1 < bus->chain_count) {
            sqe->flags |= IOSQE_IO_LINK;
        }
        io_uring_sqe_set_data64(sqe, pack(URING_SENT, place, bus->generation, i));
        u->unsubmitted++;
    }
}

static int settle(struct uring *u, int code) {
    if (code >= 0 || code == -ETIME) {
        u->unsubmitted = 0;
        return code >= 0 ? 0 : code;
    }
    if (code != -EINTR) {
        u->submit_errors++;
    }
    return code;
}

int uring_wait(struct uring *u, int64_t timeout_ns) {
    struct __kernel_timespec limit = {.tv_sec = timeout_ns / 1000000000,
                                      .tv_nsec = timeout_ns % 1000000000};
    struct io_uring_cqe *cqe = NULL;
    return settle(u, io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &limit, NULL));
}

int uring_flush(struct uring *u) {
    if (u->unsubmitted == 0) {
        return 0;
    }
    /* Waiting for as many completions as there are sends drives the linked chains to their end within this call.
     * It cannot block: every send carries MSG_DONTWAIT. The limit is there for a kernel that breaks this promise. */
    struct __kernel_timespec limit = {.tv_sec = 0, .tv_nsec = 1000000};
    struct io_uring_cqe *cqe = NULL;
    uint32_t expected = io_uring_cq_ready(&u->ring) + u->unsubmitted;
    int code = io_uring_submit_and_wait_timeout(&u->ring, &cqe, expected, &limit, NULL);
    u->flush_timeouts += code == -ETIME;
    return settle(u, code);
}

static void acknowledge(struct uring *u) {
    if (u->holds_buffer) {
        provide(u, u->held_buffer);
        u->holds_buffer = false;
    }
    if (u->seen_pending) {
        io_uring_cq_advance(&u->ring, 1);
        u->seen_pending = false;
    }
}

bool uring_next(struct uring *u, struct uring_event *event) {
    acknowledge(u);
    struct io_uring_cqe *cqe = NULL;
    if (io_uring_peek_cqe(&u->ring, &cqe) != 0 || cqe == NULL) {
        return false;
    }
    u->seen_pending = true;
    unpack(cqe->user_data, event);
    event->result = cqe->res;
    event->more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    event->data = NULL;
    event->length = 0;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        u->held_buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        u->holds_buffer = true;
        event->data = u->buffers + (size_t)u->held_buffer * URING_MESSAGE_BYTES;
        event->length = cqe->res > 0 ? (size_t)cqe->res : 0;
    }
    if (event->kind == URING_RECEIVE && cqe->res == -ENOBUFS) {
        u->no_buffers++;
    }
    return true;
}
