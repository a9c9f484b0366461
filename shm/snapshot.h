/* A snapshot: the latest value of something large, from one writer to any number of readers, by sequence lock.
 *
 * The writer never waits and never looks at a reader. A reader copies, and takes the copy only when the sequence was
 * even and the same before and after; it tries a bounded number of times, so that a writer that died in the middle
 * (sequence odd for ever) costs it -EAGAIN, never its life. The payload is copied as relaxed-atomic words.
 * Variable length: only the bytes in use are copied. In memory: this head, then capacity bytes.
 */
#ifndef RINGMAIN_SHM_SNAPSHOT_H
#define RINGMAIN_SHM_SNAPSHOT_H

#include <stdatomic.h>

#include "shm/base.h"

struct snapshot {
    _Atomic uint64_t seq;    /* odd while the writer is at it; 0: never published */
    _Atomic uint64_t length; /* bytes in use */
    uint64_t pad[6];
};
static_assert(sizeof(struct snapshot) == RM_CACHE_LINE, "the payload starts on a line of its own");

/* Bytes of shared memory that a snapshot of this capacity takes, whole lines. */
#define SNAPSHOT_SIZE(capacity)                                                                    \
    (sizeof(struct snapshot) +                                                                     \
     (((size_t)(capacity) + RM_CACHE_LINE - 1) / RM_CACHE_LINE) * RM_CACHE_LINE)

/* Enough to outlast a writer that is at work; a few tens of microseconds when it is not any more. */
#define SNAPSHOT_TRIES 1000u

struct snapshot_writer {
    struct snapshot *shared;
    size_t capacity;
    uint64_t seq; /* authoritative, even */
};

/* Continues after an earlier writer. What that one left half written stays unreadable until the next publication. */
void snapshot_attach(struct snapshot_writer *w, struct snapshot *shared, size_t capacity);
/* bytes at most capacity (asserted). Cost: one store per 8 bytes. */
void snapshot_publish(struct snapshot_writer *w, const void *data, size_t bytes);
/* The same in steps, for a value that lies in several places: offset in multiples of 8. */
void snapshot_begin(struct snapshot_writer *w);
void snapshot_put(struct snapshot_writer *w, size_t offset, const void *data, size_t bytes);
void snapshot_end(struct snapshot_writer *w, size_t bytes);

/* Copies the latest value to out (size bytes; what the writer did not use is zeroed) and its length to *length when not NULL.
 * 0; -ENODATA never published; -EAGAIN no stable copy within tries; -EPROTO length beyond size or capacity.
 * out is undefined unless 0. */
int snapshot_read(const struct snapshot *shared, size_t capacity, void *out, size_t size,
                  size_t *length, unsigned tries) RM_MUST_CHECK;
/* As snapshot_read, the first head_bytes (a multiple of 8) going to head and the rest to out; *length counts the rest.
 * Also -EPROTO when the value is shorter than head_bytes. */
int snapshot_read_parts(const struct snapshot *shared, size_t capacity, void *head,
                        size_t head_bytes, void *out, size_t size, size_t *length,
                        unsigned tries) RM_MUST_CHECK;

#endif
