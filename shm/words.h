/* Copying to and from memory that another thread or process touches at the same time: 64-bit words, relaxed
 * atomics, each shared word touched exactly once. A torn set of words is possible, a torn word is not, and no compiler may
 * read a word a second time after it was checked. Ordering is the caller's business (snapshot.c, overwrite_ring.c).
 */
#ifndef RINGMAIN_SHM_WORDS_H
#define RINGMAIN_SHM_WORDS_H

#include <stdatomic.h>
#include <string.h>

#include "shm/base.h"

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must not hide a lock in shared memory");
static_assert(sizeof(_Atomic uint64_t) == 8, "an atomic word is a plain word in memory");

/* Every store to shared memory is followed by SHM_STORED(). It is nothing, except in the crash tests, which end the
 * writer after the k-th store for every k (tests/unit/shm/test_crash.c). */
#ifdef SHM_CRASH_POINTS
void shm_crash_point(void);
#define SHM_STORED() shm_crash_point()
#else
#define SHM_STORED() ((void)0)
#endif

/* A polite spin: tells a sibling hardware thread that this one waits. */
static inline void words_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline size_t words_round(size_t bytes) {
    return (bytes + 7u) & ~(size_t)7u;
}

/* The last word is filled up with zeros. */
static inline void words_store(_Atomic uint64_t *to, const void *from, size_t bytes) {
    const unsigned char *source = from;
    size_t whole = bytes / 8u;
    for (size_t i = 0; i < whole; i++) {
        uint64_t word;
        memcpy(&word, source + 8u * i, 8u);
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
        SHM_STORED();
    }
    if (bytes % 8u != 0) {
        uint64_t word = 0;
        memcpy(&word, source + 8u * whole, bytes % 8u);
        atomic_store_explicit(&to[whole], word, memory_order_relaxed);
        SHM_STORED();
    }
}

static inline void words_load(void *to, const _Atomic uint64_t *from, size_t bytes) {
    unsigned char *target = to;
    size_t whole = bytes / 8u;
    for (size_t i = 0; i < whole; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);
        memcpy(target + 8u * i, &word, 8u);
    }
    if (bytes % 8u != 0) {
        uint64_t word = atomic_load_explicit(&from[whole], memory_order_relaxed);
        memcpy(target + 8u * whole, &word, bytes % 8u);
    }
}

/* Chained multiply and fold; each step is a bijection of the running value, so that two blocks of the same length that
 * differ in one word never agree. Against accidents, not against an attacker. */
static inline uint64_t words_checksum(uint64_t seed, const void *from, size_t bytes) {
    const unsigned char *source = from;
    uint64_t sum = seed ^ (UINT64_C(0x9e3779b97f4a7c15) + bytes);
    for (size_t i = 0; i < bytes; i += 8u) {
        uint64_t word = 0;
        memcpy(&word, source + i, bytes - i < 8u ? bytes - i : 8u);
        sum = (sum ^ word) * UINT64_C(0xd6e8feb86659fd93);
        sum ^= sum >> 32;
    }
    return sum;
}

#endif
