/* Sealing: after this nothing may fault a page, call the heap, or make an unforeseen system call.
 *
 * Order at start-up: seal_heap() first thing; everything is allocated and the threads are started; seal_memory() before
 * the threads (so that their stacks are locked as they come); seal_filter() and seal_baseline() last.
 */
#ifndef RINGMAIN_RT_IO_SEAL_H
#define RINGMAIN_RT_IO_SEAL_H

#include "rt/io/bus_open.h"

enum seal_filter_mode {
    SEAL_FILTER_ENFORCE, /* another system call ends the process, outputs off */
    SEAL_FILTER_LOG,     /* development: allowed, written to the kernel's audit log */
    SEAL_FILTER_OFF,     /* development: for debuggers and sanitizers */
};

struct seal_faults {
    uint64_t minor, major;
};

struct seal {
    int latency_fd; /* /dev/cpu_dma_latency, held open; -1 not to be had */
    bool memory_locked;
    bool filtered;
    struct seal_faults baseline;
};

/* One arena, no trimming, no mmap for large blocks: what is freed stays ours. Before the first thread. */
void seal_heap(void);

/* mlockall with room for what start-up still maps, stack of the caller prefaulted. 0, or -errno with *error (-EPERM,
 * -ENOMEM, -EAGAIN: memory locking refused, or the limit is too small for the whole process): then nothing is locked. */
int seal_memory(struct seal *s, struct io_error *error) RM_MUST_CHECK;

/* Keeps the processor out of deep sleep states for as long as the process lives, timer slack 1 ns. 0 or -errno. */
int seal_latency(struct seal *s) RM_MUST_CHECK;

/* The allow-list for all threads of the process. 0, or -errno with *error. */
int seal_filter(struct seal *s, enum seal_filter_mode mode, struct io_error *error) RM_MUST_CHECK;

/* Page faults from here on are counted; test builds count heap calls from here on. */
void seal_baseline(struct seal *s, bool abort_on_heap);
struct seal_faults seal_page_faults(const struct seal *s);
/* 0 in builds that do not count (see heap_calls_since_seal). */
uint32_t seal_heap_calls(void);
bool seal_counts_heap(void);

void seal_release(struct seal *s);

/* Defined by test builds that interpose the heap (tests/unit/rt/io/heap_interpose.c); weak here. */
__attribute__((weak)) uint64_t heap_calls_since_seal(void);
__attribute__((weak)) void heap_seal(bool abort_on_call);

#endif
