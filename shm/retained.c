#include "shm/retained.h"

#include <errno.h>
#include <string.h>

#include "shm/words.h"

static size_t copy_capacity(size_t capacity) {
    return words_round(capacity + RETAINED_PREFIX);
}

static const struct snapshot *copy_of(const void *shared, size_t capacity, unsigned i) {
    const unsigned char *copy = (const unsigned char *)shared + i * RETAINED_COPY(capacity);
    return (const struct snapshot *)(const void *)copy;
}

static uint64_t generation_of(const void *shared, size_t capacity, unsigned i) {
    const struct snapshot *s = copy_of(shared, capacity, i);
    /* relaxed: a hint only; the value is checked when it is read. */
    return atomic_load_explicit((const _Atomic uint64_t *)(s + 1), memory_order_relaxed);
}

static uint64_t checksum_of(uint64_t tag, uint64_t generation, const void *data, size_t bytes) {
    return words_checksum(words_checksum(tag, &generation, sizeof generation), data, bytes);
}

static int read_copy(const struct snapshot *s, size_t capacity, uint64_t tag, void *out,
                     size_t size, size_t *length, uint64_t *generation) {
    uint64_t prefix[2] = {0, 0};
    int result = snapshot_read_parts(s, copy_capacity(capacity), prefix, sizeof prefix, out, size,
                                     length, SNAPSHOT_TRIES);
    if (result != 0) {
        return result;
    }
    if (prefix[0] == 0 || prefix[1] != checksum_of(tag, prefix[0], out, *length)) {
        return -EBADMSG;
    }
    *generation = prefix[0];
    return 0;
}

int retained_read(const void *shared, size_t capacity, uint64_t tag, void *out, size_t size,
                  size_t *length, uint64_t *generation) {
    unsigned newest = generation_of(shared, capacity, 1) > generation_of(shared, capacity, 0);
    int first = -ENODATA;
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes = 0;
        uint64_t found = 0;
        int result = read_copy(copy_of(shared, capacity, newest ^ i), capacity, tag, out, size,
                               &bytes, &found);
        if (result == 0) {
            if (length != NULL) {
                *length = bytes;
            }
            if (generation != NULL) {
                *generation = found;
            }
            return 0;
        }
        first = first == -ENODATA ? result : first;
    }
    return first;
}

uint64_t retained_generation(const void *shared, size_t capacity) {
    uint64_t a = generation_of(shared, capacity, 0);
    uint64_t b = generation_of(shared, capacity, 1);
    return a > b ? a : b;
}

/* Generation of a whole copy, 0 of any other. Only for the writer, whose copies nobody else changes: reads in place. */
static uint64_t whole_generation(const struct snapshot *s, size_t capacity, uint64_t tag) {
    uint64_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
    uint64_t length = atomic_load_explicit(&s->length, memory_order_relaxed);
    if (seq == 0 || (seq & 1u) != 0 || length < RETAINED_PREFIX ||
        length > copy_capacity(capacity)) {
        return 0;
    }
    const unsigned char *payload = (const unsigned char *)(s + 1);
    uint64_t prefix[2];
    memcpy(prefix, payload, sizeof prefix);
    uint64_t sum =
        checksum_of(tag, prefix[0], payload + RETAINED_PREFIX, (size_t)length - RETAINED_PREFIX);
    return sum == prefix[1] ? prefix[0] : 0;
}

void retained_attach(struct retained_writer *w, void *shared, size_t capacity, uint64_t tag) {
    *w = (struct retained_writer){.tag = tag};
    uint64_t generation[2];
    for (unsigned i = 0; i < 2; i++) {
        void *copy = (unsigned char *)shared + i * RETAINED_COPY(capacity);
        snapshot_attach(&w->copy[i], copy, copy_capacity(capacity));
        generation[i] = whole_generation(copy, capacity, tag);
    }
    w->next = generation[0] > generation[1] ? 1 : 0;
    w->generation = generation[w->next ^ 1u];
}

void retained_publish(struct retained_writer *w, const void *data, size_t bytes) {
    struct snapshot_writer *copy = &w->copy[w->next];
    uint64_t generation = w->generation + 1;
    uint64_t prefix[2] = {generation, checksum_of(w->tag, generation, data, bytes)};
    snapshot_begin(copy);
    snapshot_put(copy, 0, prefix, sizeof prefix);
    snapshot_put(copy, sizeof prefix, data, bytes);
    snapshot_end(copy, sizeof prefix + bytes);
    w->generation = generation;
    w->next ^= 1u;
}
