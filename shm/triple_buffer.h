/* A triple buffer: the latest value from one writer thread to one reader thread, wait-free for both.
 *
 * Three places: the writer owns one (back), the reader owns one (front), the third lies between them. Publishing and
 * fetching each swap an own place for the one in between, by one atomic exchange. Values between two fetches are
 * skipped: the reader always gets the newest. In one process only; the payload belongs to the caller.
 */
#ifndef RINGMAIN_SHM_TRIPLE_BUFFER_H
#define RINGMAIN_SHM_TRIPLE_BUFFER_H

#include <stdatomic.h>

#include "shm/base.h"

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the padding keeps threads apart */
struct triple_buffer {
    /* constant after init */
    unsigned char *storage;
    size_t size;
    /* the place in between: number 0..2, plus TRIPLE_BUFFER_FRESH when the reader has not seen it */
    _Alignas(RM_CACHE_LINE) _Atomic uint32_t middle;
    _Alignas(RM_CACHE_LINE) uint32_t back;  /* writer's own */
    _Alignas(RM_CACHE_LINE) uint32_t front; /* reader's own */
};

#define TRIPLE_BUFFER_FRESH 4u

/* storage: three places of size bytes each, size a multiple of the payload's alignment (whole cache lines keep the
 * threads apart). Before the threads start. The places are not touched: the front one must be readable by the caller. */
void triple_buffer_init(struct triple_buffer *t, void *storage, size_t size);

/* Writer: the place to fill (its content is some older value), then publish it. */
void *triple_buffer_back(struct triple_buffer *t);
void triple_buffer_publish(struct triple_buffer *t);

/* Reader: fetches the newest value; *fresh (when not NULL) tells whether it is a new one since the last fetch.
 * The place stays the reader's until the next fetch. Before the first publication: the untouched front place. */
const void *triple_buffer_fetch(struct triple_buffer *t, bool *fresh);

#endif
