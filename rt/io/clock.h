/* CLOCK_MONOTONIC in the two units of rt. Any thread; vDSO, some 20 ns; never fails on Linux. */
#ifndef RINGMAIN_RT_IO_CLOCK_H
#define RINGMAIN_RT_IO_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S  1000000000LL
#define CLOCK_NS_PER_MS 1000000LL
#define CLOCK_NS_PER_US 1000LL

static inline int64_t clock_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * CLOCK_NS_PER_S + t.tv_nsec;
}

static inline int64_t clock_now_us(void) {
    return clock_now_ns() / CLOCK_NS_PER_US;
}

static inline struct timespec clock_timespec(int64_t at_ns) {
    return (struct timespec){.tv_sec = at_ns / CLOCK_NS_PER_S, .tv_nsec = at_ns % CLOCK_NS_PER_S};
}

/* Sleeps until an absolute time; a time in the past returns at once. Interrupted by a signal: goes on sleeping. */
static inline void clock_sleep_until(int64_t at_ns) {
    struct timespec t = clock_timespec(at_ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

#endif
