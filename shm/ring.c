#include "shm/ring.h"

#include <string.h>

#include "shm/words.h"

static inline unsigned char *slot_of(unsigned char *records, uint64_t index, uint64_t mask,
                                     size_t size) {
    return records + (size_t)(index & mask) * size;
}

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

#if defined(SHM_CRASH_POINTS)
static inline void copy_in(void *to, const void *from, size_t size) {
    words_store(to, from, size); /* word by word, so that the writer can end between any two */
}
static inline void copy_out(void *to, const void *from, size_t size) {
    memcpy(to, from, size);
}
#elif defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
/* Plain words: the compiler expands memcpy behind the sanitizer's back, and then no missing ordering shows. */
static inline void copy_in(void *to, const void *from, size_t size) {
    volatile uint64_t *target = to;
    const volatile uint64_t *source = from;
    for (size_t i = 0; i < size / 8u; i++) {
        target[i] = source[i];
    }
}
#define copy_out copy_in
#else
static inline void copy_in(void *to, const void *from, size_t size) {
    memcpy(to, from, size);
}
#define copy_out copy_in
#endif

static void check_geometry(uint32_t capacity, uint32_t record_size) {
    assert(capacity >= 2 && (capacity & (capacity - 1)) == 0);
    assert(record_size > 0 && record_size % 8u == 0);
}

/* ---- producer ---- */

static void producer_publish(struct ring_producer *p) {
    /* release: the records of this batch, written just before, are visible to whoever acquires this index. */
    atomic_store_explicit(&p->own->index, p->index, memory_order_release);
    SHM_STORED();
}

static void producer_fault(struct ring_producer *p) {
    p->faults++;
    /* relaxed: a counter for people; nothing is read through it. */
    atomic_store_explicit(&p->own->faults, p->faults, memory_order_relaxed);
    SHM_STORED();
}

/* Looks at the consumer's index again. Plausible: not behind what was seen, not ahead of what was pushed. */
static void producer_refresh(struct ring_producer *p) {
    /* acquire: pairs with the consumer's release; its copying out of the freed records happened before our next
     * writes into them. */
    uint64_t peer = atomic_load_explicit(&p->peer->index, memory_order_acquire);
    if (peer - p->peer_seen <= p->index - p->peer_seen) {
        p->peer_seen = peer;
    } else {
        producer_fault(p);
    }
}

bool ring_producer_attach(struct ring_producer *p, struct ring_line *own,
                          const struct ring_line *peer, void *records, uint32_t capacity,
                          uint32_t record_size, enum ring_trust trust) {
    check_geometry(capacity, record_size);
    *p = (struct ring_producer){.own = own,
                                .peer = peer,
                                .records = records,
                                .mask = capacity - 1,
                                .record_size = record_size};
    /* relaxed: our own line; only an earlier life of this side wrote it. */
    p->index = atomic_load_explicit(&own->index, memory_order_relaxed);
    p->dropped = atomic_load_explicit(&own->dropped, memory_order_relaxed);
    p->faults = atomic_load_explicit(&own->faults, memory_order_relaxed);
    /* acquire: as in producer_refresh(). */
    p->peer_seen = atomic_load_explicit(&peer->index, memory_order_acquire);
    if (p->index - p->peer_seen <= capacity) {
        return true;
    }
    producer_fault(p);
    if (trust == RING_TRUST_PEER) {
        p->index = p->peer_seen;
        producer_publish(p);
    } else {
        p->peer_seen = p->index - capacity;
    }
    return false;
}

bool ring_has_room(struct ring_producer *p, uint32_t n) {
    if (p->mask + 1 - (p->index - p->peer_seen) >= n) {
        return true;
    }
    producer_refresh(p);
    return p->mask + 1 - (p->index - p->peer_seen) >= n;
}

/* size is a constant in the common cases, so that the copies become a few vector moves. */
static inline __attribute__((always_inline)) uint32_t
push_sized(struct ring_producer *p, const unsigned char *from, uint32_t n, size_t size) {
    uint64_t room = p->mask + 1 - (p->index - p->peer_seen);
    if (room < n) {
        producer_refresh(p);
        room = p->mask + 1 - (p->index - p->peer_seen);
        n = room < n ? (uint32_t)room : n;
        if (n == 0) {
            return 0;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        copy_in(slot_of(p->records, p->index + i, p->mask, size), from + i * size, size);
    }
    p->index += n;
    producer_publish(p);
    return n;
}

uint32_t ring_push(struct ring_producer *p, const void *records, uint32_t n) {
    if (p->record_size == 64) {
        return push_sized(p, records, n, 64);
    }
    if (p->record_size == 128) {
        return push_sized(p, records, n, 128);
    }
    return push_sized(p, records, n, p->record_size);
}

uint32_t ring_push_or_drop(struct ring_producer *p, const void *records, uint32_t n) {
    uint32_t pushed = ring_push(p, records, n);
    if (pushed < n) {
        p->dropped += n - pushed;
        /* relaxed: a counter for people; nothing is read through it. */
        atomic_store_explicit(&p->own->dropped, p->dropped, memory_order_relaxed);
        SHM_STORED();
    }
    return pushed;
}

/* ---- consumer ---- */

static void consumer_publish(struct ring_consumer *c) {
    /* release: our copying out of these records is complete before the producer, which acquires this index, may write
     * into them again. */
    atomic_store_explicit(&c->own->index, c->index, memory_order_release);
    SHM_STORED();
}

static void consumer_fault(struct ring_consumer *c) {
    c->faults++;
    /* relaxed: a counter for people; nothing is read through it. */
    atomic_store_explicit(&c->own->faults, c->faults, memory_order_relaxed);
    SHM_STORED();
}

/* Looks at the producer's index again. Plausible: not behind what was seen, at most a full ring ahead of us. */
static void consumer_refresh(struct ring_consumer *c) {
    /* acquire: pairs with the producer's release; the records below this index are complete. */
    uint64_t peer = atomic_load_explicit(&c->peer->index, memory_order_acquire);
    uint64_t ahead = peer - c->index;
    if (ahead <= c->mask + 1 && ahead >= c->peer_seen - c->index) {
        c->peer_seen = peer;
    } else {
        consumer_fault(c);
    }
}

bool ring_consumer_attach(struct ring_consumer *c, struct ring_line *own,
                          const struct ring_line *peer, const void *records, uint32_t capacity,
                          uint32_t record_size, enum ring_trust trust) {
    check_geometry(capacity, record_size);
    *c = (struct ring_consumer){.own = own,
                                .peer = peer,
                                .records = records,
                                .mask = capacity - 1,
                                .record_size = record_size};
    /* relaxed: our own line; only an earlier life of this side wrote it. */
    c->index = atomic_load_explicit(&own->index, memory_order_relaxed);
    c->faults = atomic_load_explicit(&own->faults, memory_order_relaxed);
    /* acquire: as in consumer_refresh(). */
    c->peer_seen = atomic_load_explicit(&peer->index, memory_order_acquire);
    if (c->peer_seen - c->index <= capacity) {
        return true;
    }
    consumer_fault(c);
    if (trust == RING_TRUST_PEER) {
        uint64_t back = c->peer_seen < capacity / 2 ? c->peer_seen : capacity / 2;
        c->index = c->peer_seen - back;
        consumer_publish(c);
    } else {
        c->peer_seen = c->index;
    }
    return false;
}

uint64_t ring_waiting(struct ring_consumer *c) {
    consumer_refresh(c);
    return c->peer_seen - c->index;
}

static inline __attribute__((always_inline)) uint32_t
peek_sized(struct ring_consumer *c, unsigned char *to, uint32_t max, size_t size) {
    uint64_t waiting = c->peer_seen - c->index;
    if (waiting < max) {
        consumer_refresh(c);
        waiting = c->peer_seen - c->index;
    }
    uint32_t n = waiting < max ? (uint32_t)waiting : max;
    for (uint32_t i = 0; i < n; i++) {
        const unsigned char *from = c->records + (size_t)((c->index + i) & c->mask) * size;
        copy_out(to + i * size, from, size);
    }
    /* A compiler fence: the copies are taken; what the caller checks in them is never read from the ring again. */
    atomic_signal_fence(memory_order_seq_cst);
    return n;
}

uint32_t ring_peek(struct ring_consumer *c, void *records, uint32_t max) {
    if (c->record_size == 64) {
        return peek_sized(c, records, max, 64);
    }
    if (c->record_size == 128) {
        return peek_sized(c, records, max, 128);
    }
    return peek_sized(c, records, max, c->record_size);
}

void ring_consume(struct ring_consumer *c, uint32_t n) {
    assert(n <= c->peer_seen - c->index);
    if (n > 0) {
        c->index += n;
        consumer_publish(c);
    }
}

uint32_t ring_pop(struct ring_consumer *c, void *records, uint32_t max) {
    uint32_t n = ring_peek(c, records, max);
    ring_consume(c, n);
    return n;
}
