/* What a day came to, and the line that reports it. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_TALLY_H
#define RINGMAIN_BENCHMARKS_SERVICE_TALLY_H

#include <stdio.h>

#include "benchmarks/service/day.h"
#include "shm/vocabulary.h"

#define TALLY_TIMES_MAX 8192

/* Durations in s; the first TALLY_TIMES_MAX are kept. */
struct tally_times {
    uint32_t count;
    float s[TALLY_TIMES_MAX];
};
void tally_time(struct tally_times *times, double s);

struct tally {
    uint64_t closings;               /* of boundaries */
    uint64_t loaded_ops;             /* contactor changes above I_open */
    uint64_t site_violations;        /* times that the site's power went above its limit */
    uint64_t hazards;                /* the judge's, full hub only */
    uint64_t failed;                 /* sessions that ended otherwise than the driver wanted */
    uint64_t late_reclaims;          /* vehicles whose cable check waited for its slot */
    double site_peak_w;              /* output power */
    uint64_t plans;                  /* calls of the planner */
    double state_s[GUN_STATE_COUNT]; /* of all guns together */
    uint32_t states[GUN_STATE_COUNT];
    struct tally_times merge, split, reclaim, start, end;
};

void tally_state(struct tally *t, enum gun_state state, double s);

/* One JSON object on one line. */
void tally_print(FILE *f, const char *topology, double grid_w, const struct street *street,
                 const struct tally *t, double run_s);

#endif
