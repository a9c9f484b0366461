/* Measures how long boundaries take to follow the planner, in the full hub and in the fast model alike. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_WATCH_H
#define RINGMAIN_BENCHMARKS_SERVICE_WATCH_H

#include "benchmarks/service/tally.h"

struct watch {
    bool target[DAY_GUNS], conducts[DAY_GUNS];
    double
        since_s[DAY_GUNS]; /* the target differs from what is since then; negative: it does not */
    double wanted_s[DAY_GUNS]; /* a vehicle came to a lent slot then; negative: none waits */
};
void watch_init(struct watch *w);
void watch_plug(struct watch *w, int gun, double t);
/* Edge i joins slots i and i + 1. */
void watch_step(struct watch *w, const bool target[DAY_GUNS], const bool conducts[DAY_GUNS],
                double t, struct tally *tally);
/* The vehicle's cable check begins: its slot must be home. */
void watch_cable_check(struct watch *w, int gun, struct tally *tally);

#endif
