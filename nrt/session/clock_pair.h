/* CLOCK_MONOTONIC beside the wall clock: rt's times carry the former only, people want the latter. */
#ifndef RINGMAIN_NRT_SESSION_CLOCK_PAIR_H
#define RINGMAIN_NRT_SESSION_CLOCK_PAIR_H

#include "shm/base.h"

struct clock_pair {
    int64_t mono_ns;
    int64_t real_ns; /* since 1970, UTC */
};

#define CLOCK_PAIR_TEXT_LEN 32 /* "2026-11-20T15:56:31.123Z" and its zero */

/* Read both clocks; the pair with the shortest gap of three readings. */
struct clock_pair clock_pair_now(void);
/* Wall time of a CLOCK_MONOTONIC time of this boot; out of range values are held at its ends. Pure. */
int64_t clock_pair_real_ns(const struct clock_pair *pair, int64_t mono_ns);
int64_t clock_pair_mono_ns(const struct clock_pair *pair, int64_t real_ns);
/* RFC 3339 in UTC with milliseconds. Years outside 1970..9999 are held at these. Pure. */
void clock_pair_text(int64_t real_ns, char text[CLOCK_PAIR_TEXT_LEN]);

#endif
