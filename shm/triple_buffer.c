#include "shm/triple_buffer.h"

void triple_buffer_init(struct triple_buffer *t, void *storage, size_t size) {
    assert(size > 0);
    t->storage = storage;
    t->size = size;
    t->back = 0;
    t->front = 2;
    atomic_init(&t->middle, 1u);
}

static unsigned char *place(const struct triple_buffer *t, uint32_t number) {
    assert(number < 3);
    return t->storage + number * t->size;
}

void *triple_buffer_back(struct triple_buffer *t) {
    return place(t, t->back);
}

void triple_buffer_publish(struct triple_buffer *t) {
    /* acquire and release in one: release hands over what was written to the back place; acquire takes over the place that
     * the reader gave back, after its last read of it. */
    uint32_t old =
        atomic_exchange_explicit(&t->middle, t->back | TRIPLE_BUFFER_FRESH, memory_order_acq_rel);
    t->back = old & ~TRIPLE_BUFFER_FRESH;
}

const void *triple_buffer_fetch(struct triple_buffer *t, bool *fresh) {
    /* relaxed: only whether to swap; the exchange below does the ordering. Once fresh it stays so until we take it. */
    bool is_fresh =
        (atomic_load_explicit(&t->middle, memory_order_relaxed) & TRIPLE_BUFFER_FRESH) != 0;
    if (is_fresh) {
        /* acquire: the writer's filling of that place; release: our last read of the place that we give back. */
        uint32_t old = atomic_exchange_explicit(&t->middle, t->front, memory_order_acq_rel);
        t->front = old & ~TRIPLE_BUFFER_FRESH;
    }
    if (fresh != NULL) {
        *fresh = is_fresh;
    }
    return place(t, t->front);
}
