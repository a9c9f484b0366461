/* A periodic release on absolute time whose phase never moves: what is late is counted, never caught up in a burst.
 * Pure: time comes in as an argument. Used by the guard's tick and by the planner's cycle. */
#ifndef RINGMAIN_RT_IO_PHASE_H
#define RINGMAIN_RT_IO_PHASE_H

#include <assert.h>
#include <stdint.h>

struct phase {
    int64_t period_ns;
    int64_t due_ns;  /* next release */
    uint64_t missed; /* releases that passed without being served */
};

/* First release: the first instant after now_ns that lies offset_ns beyond a multiple of period_ns, so that two phases
 * with one period base keep their distance for ever. */
static inline void phase_init(struct phase *p, int64_t period_ns, int64_t offset_ns,
                              int64_t now_ns) {
    assert(period_ns > 0);
    p->period_ns = period_ns;
    p->due_ns = now_ns - now_ns % period_ns + offset_ns % period_ns;
    while (p->due_ns <= now_ns) {
        p->due_ns += period_ns;
    }
    p->missed = 0;
}

/* The release at due_ns was served at now_ns: moves on to the next one in the future. Returns how many releases were
 * passed over (0 when in time); they are added to missed. */
static inline uint64_t phase_advance(struct phase *p, int64_t now_ns) {
    p->due_ns += p->period_ns;
    if (now_ns < p->due_ns) {
        return 0;
    }
    uint64_t passed = (uint64_t)((now_ns - p->due_ns) / p->period_ns) + 1;
    p->due_ns += (int64_t)passed * p->period_ns;
    p->missed += passed;
    return passed;
}

/* The first instant from at_ns on that does not lie from before_ns before to after_ns after a release: for work that can
 * wait, so that it does not stand in the way of another phase on the same CPU. Both windows together are shorter than the
 * period. */
static inline int64_t phase_aside(int64_t at_ns, int64_t period_ns, int64_t offset_ns,
                                  int64_t before_ns, int64_t after_ns) {
    assert(period_ns > before_ns + after_ns && before_ns >= 0 && after_ns >= 0);
    int64_t into_ns = (at_ns - offset_ns + before_ns) % period_ns; /* 0: the window begins */
    into_ns += into_ns < 0 ? period_ns : 0;
    const int64_t window_ns = before_ns + after_ns;
    return into_ns < window_ns ? at_ns + window_ns - into_ns : at_ns;
}

#endif
