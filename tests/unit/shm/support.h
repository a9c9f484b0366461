/* Small helpers of the shared-memory tests. */
#ifndef RINGMAIN_TESTS_SHM_SUPPORT_H
#define RINGMAIN_TESTS_SHM_SUPPORT_H

/* cmocka wants these before itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t support_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline uint64_t support_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A block whose every word follows from one number: any mixture of two numbers shows. */
static inline void support_fill(void *block, size_t bytes, uint64_t number) {
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word = number * 0x9e3779b97f4a7c15u + i;
        memcpy((unsigned char *)block + i, &word, 8);
    }
}

static inline int support_is_filled(const void *block, size_t bytes, uint64_t number) {
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, (const unsigned char *)block + i, 8);
        if (word != number * 0x9e3779b97f4a7c15u + i) {
            return 0;
        }
    }
    return 1;
}

/* A name of a segment that no other test or run uses. */
static inline void support_name(char out[64], const char *test) {
    (void)snprintf(out, 64, "/ringmain-test-%s-%d", test, (int)getpid());
}

#endif
