/* One day of drivers: who comes when, with which car, and what he wants. The same day for every topology.
 *
 * Arrivals are Poisson with the hours' shares of the measured sessions; the car is drawn from the charge curves, state of
 * charge in and out from the sessions, both independent. Every driver has an order of preference over the guns and takes the first that is
 * free; while none is, drivers wait in the order of their coming.
 */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_DAY_H
#define RINGMAIN_BENCHMARKS_SERVICE_DAY_H

#include <stdbool.h>
#include <stdint.h>

#define DAY_GUNS       12
#define DAY_VISITS_MAX 1024
#define DAY_S          86400.0
#define DAY_MOVE_UP_S  30.0  /* from unplugging to the next plug at the same gun */
#define DAY_STAY_S     120.0 /* mean of the exponential time from the session's end to unplugging */

struct visit {
    double arrival_s;
    uint32_t model;
    double soc_in_pct, soc_out_pct;
    double stay_s;
    uint8_t preference[DAY_GUNS];
    double unlimited_s; /* charging time with unlimited power behind the gun */
};

struct day {
    uint64_t seed;
    double sessions_per_day;
    uint32_t visits;
    struct visit visit[DAY_VISITS_MAX];
};

/* hours: the day's arrivals end then (24 for a whole day). */
void day_draw(struct day *day, double sessions_per_day, double from_hour, double hours,
              uint64_t seed);

/* What happened to a visit; times in s since the day's begin, negative: not yet. */
struct stay {
    int gun;
    double plugged_s, first_s, last_s, unplugged_s; /* first and last current */
    double energy_wh;                               /* into the battery */
};

/* The drivers' queue: visits before `next` have plugged in. */
struct street {
    const struct day *day;
    uint32_t next;
    struct stay stay[DAY_VISITS_MAX];
};
void street_open(struct street *street, const struct day *day);
/* Time of the next arrival after t; INFINITY none. */
double street_next_arrival(const struct street *street, double t);
/* The visit whose turn it is at t, or -1. */
int street_turn(const struct street *street, double t);
/* The gun it takes of those that are free, or -1. */
int street_choice(const struct street *street, int visit, const bool free[DAY_GUNS]);
void street_plug(struct street *street, int visit, int gun, double t);

#endif
