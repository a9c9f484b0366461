/* Test builds only: every call of the heap is counted once rt is sealed (rt/io/seal.h), in all threads and libraries.
 * Defining the functions in the executable takes precedence over libc's for everybody; the real ones have other names. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt/io/seal.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static _Atomic int sealed;
static _Atomic int abort_on_call;
static _Atomic uint64_t calls;

uint64_t heap_calls_since_seal(void) {
    return atomic_load_explicit(&calls, memory_order_relaxed);
}

void heap_seal(bool abort_now) {
    atomic_store(&abort_on_call, abort_now);
    atomic_store(&sealed, 1);
}

static void count(void) {
    if (atomic_load_explicit(&sealed, memory_order_relaxed) == 0) {
        return;
    }
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    if (atomic_load_explicit(&abort_on_call, memory_order_relaxed) != 0) {
        static const char text[] = "heap call after sealing\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        abort();
    }
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    count();
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? 12 : 0; /* ENOMEM */
}

void free(void *block) {
    if (block != NULL) {
        count();
    }
    __libc_free(block);
}
