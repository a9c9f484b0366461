#include "benchmarks/service/day.h"

#include <math.h>
#include <string.h>

#include "benchmarks/service/car.h"
#include "tests/plant/random.h"

#define STEP_S 5.0

static double unlimited_s(const struct visit *visit) {
    struct car car;
    double t = 0;
    car_plug(&car, visit);
    while (!car_is_done(&car)) {
        const double w = car_wish_w(&car), left_s = car_seconds(&car, w);
        const double dt = left_s < STEP_S ? left_s : STEP_S;
        car_charge(&car, w, dt);
        t += dt;
    }
    return t;
}

static void draw_visit(struct random *r, struct visit *v) {
    const struct plant_visit s = plant_visit(random_below(r, plant_visits()));
    v->model = random_below(r, plant_models());
    v->soc_in_pct = s.soc_in_pct;
    v->soc_out_pct = s.soc_out_pct;
    v->stay_s = random_exponential(r, DAY_STAY_S);
    for (uint8_t i = 0; i < DAY_GUNS; i++) {
        const uint32_t at = random_below(r, i + 1u);
        v->preference[i] = v->preference[at];
        v->preference[at] = i;
    }
    v->unlimited_s = unlimited_s(v);
}

void day_draw(struct day *day, double sessions_per_day, double from_hour, double hours,
              uint64_t seed) {
    struct random r;
    double t = 0, highest = 0;
    memset(day, 0, sizeof *day);
    day->seed = seed;
    day->sessions_per_day = sessions_per_day;
    random_seed(&r, seed);
    for (int hour = 0; hour < 24; hour++) {
        highest = fmax(highest, plant_hour_share(hour));
    }
    /* Drawn at the busiest hour's rate and thinned to the hour's own, which keeps the process Poisson. */
    while (day->visits < DAY_VISITS_MAX) {
        t += random_exponential(&r, DAY_S / (sessions_per_day * highest));
        if (t >= hours * 3600.0) {
            return;
        }
        const int hour = (int)fmod(from_hour + t / 3600.0, 24.0);
        if (random_unit(&r) * highest < plant_hour_share(hour)) {
            struct visit *v = &day->visit[day->visits++];
            v->arrival_s = t;
            draw_visit(&r, v);
        }
    }
}

void street_open(struct street *street, const struct day *day) {
    memset(street, 0, sizeof *street);
    street->day = day;
    for (uint32_t i = 0; i < day->visits; i++) {
        street->stay[i] = (struct stay){
            .gun = -1, .plugged_s = -1, .first_s = -1, .last_s = -1, .unplugged_s = -1};
    }
}

double street_next_arrival(const struct street *street, double t) {
    for (uint32_t i = street->next; i < street->day->visits; i++) {
        if (street->day->visit[i].arrival_s > t) {
            return street->day->visit[i].arrival_s;
        }
    }
    return INFINITY;
}

int street_turn(const struct street *street, double t) {
    return street->next < street->day->visits && street->day->visit[street->next].arrival_s <= t
               ? (int)street->next
               : -1;
}

int street_choice(const struct street *street, int visit, const bool free[DAY_GUNS]) {
    for (int i = 0; i < DAY_GUNS; i++) {
        const int gun = street->day->visit[visit].preference[i];
        if (free[gun]) {
            return gun;
        }
    }
    return -1;
}

void street_plug(struct street *street, int visit, int gun, double t) {
    street->next = (uint32_t)visit + 1;
    street->stay[visit].gun = gun;
    street->stay[visit].plugged_s = t;
}
