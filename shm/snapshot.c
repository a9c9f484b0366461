#include "shm/snapshot.h"

#include <errno.h>
#include <string.h>

#include "shm/words.h"

/* ThreadSanitizer does not model fences. It needs not: every access below is atomic. */
#if defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

static _Atomic uint64_t *words_of(struct snapshot *s) {
    return (_Atomic uint64_t *)(s + 1);
}

void snapshot_attach(struct snapshot_writer *w, struct snapshot *shared, size_t capacity) {
    assert(capacity % 8u == 0);
    /* relaxed: only an earlier life of this side wrote it. */
    uint64_t seq = atomic_load_explicit(&shared->seq, memory_order_relaxed);
    *w = (struct snapshot_writer){.shared = shared, .capacity = capacity, .seq = seq + (seq & 1u)};
}

void snapshot_begin(struct snapshot_writer *w) {
    /* relaxed store, then release fence: a reader that sees any payload word stored after the fence, and then does its
     * acquire fence, must see this odd value (or a later one) in its second look at seq. */
    atomic_store_explicit(&w->shared->seq, w->seq + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    SHM_STORED();
}

void snapshot_put(struct snapshot_writer *w, size_t offset, const void *data, size_t bytes) {
    assert(offset % 8u == 0 && bytes <= w->capacity && offset <= w->capacity - bytes);
    words_store(words_of(w->shared) + offset / 8u, data, bytes);
}

void snapshot_end(struct snapshot_writer *w, size_t bytes) {
    assert(bytes <= w->capacity);
    atomic_store_explicit(&w->shared->length, bytes, memory_order_relaxed);
    SHM_STORED();
    w->seq += 2;
    /* release: whoever acquires this even value sees every payload word before it. */
    atomic_store_explicit(&w->shared->seq, w->seq, memory_order_release);
    SHM_STORED();
}

void snapshot_publish(struct snapshot_writer *w, const void *data, size_t bytes) {
    snapshot_begin(w);
    snapshot_put(w, 0, data, bytes);
    snapshot_end(w, bytes);
}

int snapshot_read_parts(const struct snapshot *shared, size_t capacity, void *head,
                        size_t head_bytes, void *out, size_t size, size_t *length, unsigned tries) {
    const _Atomic uint64_t *words = (const _Atomic uint64_t *)(shared + 1);
    assert(head_bytes % 8u == 0);
    for (unsigned i = 0; i < tries; i++) {
        /* acquire: the payload of this sequence was complete before its even value was stored. */
        uint64_t before = atomic_load_explicit(&shared->seq, memory_order_acquire);
        if (before == 0) {
            return -ENODATA;
        }
        if ((before & 1u) != 0) {
            words_relax();
            continue;
        }
        uint64_t total = atomic_load_explicit(&shared->length, memory_order_relaxed);
        bool fits = total <= capacity && total >= head_bytes && total - head_bytes <= size;
        size_t bytes = fits ? (size_t)total - head_bytes : 0;
        if (fits) {
            words_load(head, words, head_bytes);
            words_load(out, words + head_bytes / 8u, bytes);
        }
        /* acquire fence: the payload loads come before the second look at seq. If one of them saw a word of a
         * later publication, this look sees that publication's odd value or more, and differs from before. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&shared->seq, memory_order_relaxed) != before) {
            continue;
        }
        if (!fits) {
            return -EPROTO;
        }
        memset((unsigned char *)out + bytes, 0, size - bytes);
        if (length != NULL) {
            *length = bytes;
        }
        return 0;
    }
    return -EAGAIN;
}

int snapshot_read(const struct snapshot *shared, size_t capacity, void *out, size_t size,
                  size_t *length, unsigned tries) {
    uint64_t none;
    return snapshot_read_parts(shared, capacity, &none, 0, out, size, length, tries);
}
