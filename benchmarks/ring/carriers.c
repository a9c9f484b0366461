#include "benchmarks/ring/carriers.h"

#include <ck_ring.h>
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/ring.h"
#include "shm/words.h"

CK_RING_PROTOTYPE(record, record)

/* All that sender and receiver share, on pages of its own like the real segment. */
struct memory {
    struct ring_line producer, consumer;
    _Alignas(128) struct ck_ring ck;
    _Alignas(4096) struct record record[CARRIER_RECORDS];
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the padding keeps threads apart */
struct carrier {
    enum carrier_kind kind;
    struct memory *memory;
    int send_end, receive_end;
    _Alignas(128) struct ring_producer producer;
    _Alignas(128) struct ring_consumer consumer;
};

const char *carrier_name(enum carrier_kind kind) {
    static const char *const names[CARRIER_COUNT] = {
        [CARRIER_RINGMAIN] = "ringmain ring",
        [CARRIER_CK] = "ck_ring",
        [CARRIER_RINGMAIN_BATCH] = "ringmain ring, batches of 32",
        [CARRIER_MQUEUE] = "POSIX mqueue",
        [CARRIER_SOCKETPAIR] = "socketpair",
    };
    return names[kind];
}

static int open_memory(struct carrier *c) {
    c->memory = mmap(NULL, sizeof *c->memory, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (c->memory == MAP_FAILED) {
        c->memory = NULL;
        return -1;
    }
    struct memory *m = c->memory;
    if (c->kind == CARRIER_CK) {
        ck_ring_init(&m->ck, CARRIER_RECORDS);
        return 0;
    }
    bool fresh = ring_producer_attach(&c->producer, &m->producer, &m->consumer, m->record,
                                      CARRIER_RECORDS, sizeof(struct record), RING_TRUST_OWN) &&
                 ring_consumer_attach(&c->consumer, &m->consumer, &m->producer, m->record,
                                      CARRIER_RECORDS, sizeof(struct record), RING_TRUST_OWN);
    return fresh ? 0 : -1;
}

static int open_queue(struct carrier *c) {
    static unsigned serial;
    char name[64];
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = sizeof(struct record)};
    (void)snprintf(name, sizeof name, "/ringmain-bench-%d-%u", (int)getpid(), serial++);
    c->send_end = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (c->send_end < 0) {
        return -1;
    }
    c->receive_end = c->send_end;
    return mq_unlink(name);
}

static int open_socket(struct carrier *c) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) {
        return -1;
    }
    c->send_end = ends[0];
    c->receive_end = ends[1];
    return 0;
}

struct carrier *carrier_open(enum carrier_kind kind) {
    struct carrier *c = aligned_alloc(128, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->send_end = c->receive_end = -1;
    int result = 0;
    switch (kind) {
    case CARRIER_RINGMAIN:
    case CARRIER_RINGMAIN_BATCH:
    case CARRIER_CK: result = open_memory(c); break;
    case CARRIER_MQUEUE: result = open_queue(c); break;
    case CARRIER_SOCKETPAIR: result = open_socket(c); break;
    case CARRIER_COUNT: result = -1; break;
    }
    if (result != 0) {
        carrier_close(c);
        return NULL;
    }
    return c;
}

void carrier_close(struct carrier *c) {
    if (c->memory != NULL) {
        munmap(c->memory, sizeof *c->memory);
    }
    if (c->receive_end >= 0 && c->receive_end != c->send_end) {
        close(c->receive_end);
    }
    if (c->send_end >= 0) {
        close(c->send_end);
    }
    free(c);
}

static void fill(struct record *r, uint64_t number) {
    r->number = number;
    for (unsigned i = 0; i < 7; i++) {
        r->content[i] = number + i;
    }
}

static bool is_record(const struct record *r, uint64_t number) {
    return r->number == number && r->content[6] == number + 6;
}

/* ---- sending ---- */

static void send_ringmain(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record r;
    for (uint64_t i = 0; i < count; i++) {
        fill(&r, first + i);
        while (ring_push(&c->producer, &r, 1) == 0) {
            words_relax();
        }
    }
}

static void send_ringmain_batch(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record batch[CARRIER_BATCH];
    for (uint64_t i = 0; i < count;) {
        uint32_t n = count - i < CARRIER_BATCH ? (uint32_t)(count - i) : CARRIER_BATCH;
        for (uint32_t k = 0; k < n; k++) {
            fill(&batch[k], first + i + k);
        }
        for (uint32_t sent = 0; sent < n;) {
            uint32_t now = ring_push(&c->producer, batch + sent, n - sent);
            sent += now;
            if (now == 0) {
                words_relax();
            }
        }
        i += n;
    }
}

static void send_ck(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record r;
    for (uint64_t i = 0; i < count; i++) {
        fill(&r, first + i);
        while (!ck_ring_enqueue_spsc_record(&c->memory->ck, c->memory->record, &r)) {
            words_relax();
        }
    }
}

static void send_kernel(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record r;
    for (uint64_t i = 0; i < count; i++) {
        fill(&r, first + i);
        if (c->kind == CARRIER_MQUEUE) {
            while (mq_send(c->send_end, (const char *)&r, sizeof r, 0) != 0 && errno == EINTR) {
            }
        } else {
            while (send(c->send_end, &r, sizeof r, 0) < 0 && errno == EINTR) {
            }
        }
    }
}

void carrier_send(struct carrier *c, uint64_t first, uint64_t count) {
    switch (c->kind) {
    case CARRIER_RINGMAIN: send_ringmain(c, first, count); break;
    case CARRIER_RINGMAIN_BATCH: send_ringmain_batch(c, first, count); break;
    case CARRIER_CK: send_ck(c, first, count); break;
    case CARRIER_MQUEUE:
    case CARRIER_SOCKETPAIR: send_kernel(c, first, count); break;
    case CARRIER_COUNT: break;
    }
}

/* ---- receiving ---- */

static bool receive_ringmain(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record r;
    for (uint64_t i = 0; i < count; i++) {
        while (ring_pop(&c->consumer, &r, 1) == 0) {
            words_relax();
        }
        if (!is_record(&r, first + i)) {
            return false;
        }
    }
    return true;
}

static bool receive_ringmain_batch(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record batch[CARRIER_BATCH];
    for (uint64_t i = 0; i < count;) {
        uint32_t most = count - i < CARRIER_BATCH ? (uint32_t)(count - i) : CARRIER_BATCH;
        uint32_t n = ring_pop(&c->consumer, batch, most);
        if (n == 0) {
            words_relax();
        }
        for (uint32_t k = 0; k < n; k++) {
            if (!is_record(&batch[k], first + i + k)) {
                return false;
            }
        }
        i += n;
    }
    return true;
}

static bool receive_ck(struct carrier *c, uint64_t first, uint64_t count) {
    _Alignas(64) struct record r;
    for (uint64_t i = 0; i < count; i++) {
        while (!ck_ring_dequeue_spsc_record(&c->memory->ck, c->memory->record, &r)) {
            words_relax();
        }
        if (!is_record(&r, first + i)) {
            return false;
        }
    }
    return true;
}

static bool receive_kernel(struct carrier *c, uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        _Alignas(64) struct record r = {0};
        ssize_t length;
        do {
            length = c->kind == CARRIER_MQUEUE
                         ? mq_receive(c->receive_end, (char *)&r, sizeof r, NULL)
                         : recv(c->receive_end, &r, sizeof r, 0);
        } while (length < 0 && errno == EINTR);
        if (length != (ssize_t)sizeof r || !is_record(&r, first + i)) {
            return false;
        }
    }
    return true;
}

bool carrier_receive(struct carrier *c, uint64_t first, uint64_t count) {
    switch (c->kind) {
    case CARRIER_RINGMAIN: return receive_ringmain(c, first, count);
    case CARRIER_RINGMAIN_BATCH: return receive_ringmain_batch(c, first, count);
    case CARRIER_CK: return receive_ck(c, first, count);
    case CARRIER_MQUEUE:
    case CARRIER_SOCKETPAIR: return receive_kernel(c, first, count);
    case CARRIER_COUNT: break;
    }
    return false;
}
