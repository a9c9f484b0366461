/* Which vehicles there are, what they want, and when they come. Figures from the tables of embed_data.py. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/plant/fleet_data.h"
#include "tests/plant/plant_private.h"

#define DEMO_CARS              10
#define DEMO_ARRIVALS_PER_HOUR 180.0
#define ARRIVALS_PER_GUN_HOUR  1.2
#define FREE_FOR_US            4000000 /* a gun is left alone that long after a departure */

uint32_t plant_models(void) {
    return fleet_model_count;
}

struct plant_model plant_model(uint32_t index) {
    assert(index < fleet_model_count);
    const struct fleet_model *m = &fleet_models[index];
    return (struct plant_model){.brand = m->brand,
                                .model = m->model,
                                .variant = m->variant,
                                .year = m->year,
                                .usable_wh = (double)m->usable_kwh * 1000.0,
                                .max_w = (double)m->max_kw * 1000.0,
                                .nominal_v = (double)m->nominal_v};
}

uint32_t fleet_find(const char *text) {
    for (int exact = 1; exact >= 0; exact--) {
        for (uint32_t i = 0; i < fleet_model_count; i++) {
            char name[128];
            (void)snprintf(name, sizeof(name), "%s %s", fleet_models[i].brand,
                           fleet_models[i].model);
            if (exact ? strcasecmp(name, text) == 0 : strcasestr(name, text) != NULL) {
                return i;
            }
        }
    }
    return UINT32_MAX;
}

uint32_t fleet_draw(struct random *r) {
    return random_below(r, fleet_model_count);
}

double fleet_power_w(uint32_t model, double soc_pct) {
    const struct fleet_model *m = &fleet_models[model];
    const struct fleet_point *at = &fleet_points[m->first_point];
    if (soc_pct <= (double)at[0].soc_pct) {
        return (double)at[0].power_kw * 1000.0;
    }
    for (uint32_t i = 1; i < m->points; i++) {
        const double left = (double)at[i - 1].soc_pct, right = (double)at[i].soc_pct;
        if (soc_pct <= right && right > left) {
            const double share = (soc_pct - left) / (right - left);
            return 1000.0 *
                   ((double)at[i - 1].power_kw * (1 - share) + (double)at[i].power_kw * share);
        }
    }
    return (double)at[m->points - 1].power_kw * 1000.0;
}

void fleet_draw_session(struct random *r, double *soc_in, double *soc_out, double *visit_s) {
    const struct fleet_session *s = &fleet_sessions[random_below(r, fleet_session_count)];
    *soc_in = (double)s->soc_in_pct;
    *soc_out = (double)s->soc_out_pct;
    *visit_s = (double)s->stay_min * 60.0;
}

uint32_t plant_visits(void) {
    return fleet_session_count;
}

struct plant_visit plant_visit(uint32_t index) {
    assert(index < fleet_session_count);
    const struct fleet_session *s = &fleet_sessions[index];
    return (struct plant_visit){.soc_in_pct = (double)s->soc_in_pct,
                                .soc_out_pct = (double)s->soc_out_pct};
}

double plant_hour_share(int hour) {
    return fleet_hour_share(hour);
}

double fleet_hour_share(int hour) {
    double sum = 0;
    for (int i = 0; i < 24; i++) {
        sum += fleet_arrivals_by_hour[i];
    }
    return fleet_arrivals_by_hour[hour % 24] * 24.0 / sum;
}

/* ---- arrivals ---- */

static double arrivals_per_hour(const struct plant *p) {
    if (p->options.arrivals == PLANT_ARRIVALS_NONE) {
        return 0;
    }
    double rate = p->options.arrivals_per_hour;
    if (rate <= 0) {
        rate = p->options.arrivals == PLANT_ARRIVALS_DEMO ? DEMO_ARRIVALS_PER_HOUR * p->slots / 12.0
                                                          : ARRIVALS_PER_GUN_HOUR * p->slots;
    }
    return rate * p->options.arrival_factor;
}

/* Drawn at the profile's highest hour and thinned to the present one, which keeps the process Poisson. */
static void draw_next(struct plant *p, int64_t now_us) {
    const double rate =
        arrivals_per_hour(p) * (p->options.arrivals == PLANT_ARRIVALS_PROFILE ? 2.5 : 1.0);
    p->next_arrival_us =
        rate > 0 ? now_us + (int64_t)(random_exponential(&p->random, 3600.0 / rate) * 1e6) : NEVER;
}

static bool thinned(struct plant *p, int64_t now_us) {
    if (p->options.arrivals != PLANT_ARRIVALS_PROFILE) {
        return false;
    }
    const double hour = p->options.start_hour + (double)(now_us - p->start_us) / 3.6e9;
    return random_unit(&p->random) * 2.5 >= fleet_hour_share((int)fmod(hour, 24.0));
}

static bool is_free(const struct slot *s, int64_t now_us) {
    return s->gun != 0 && !s->vehicle.plugged && s->arrive_us <= now_us;
}

/* Ends at the target, or when the driver has to go; in the demonstration many only top up for a minute or two. */
static void arrive_at(struct plant *p, uint32_t slot, bool nearly_full, int64_t now_us) {
    struct plant_vehicle_wish wish = {.soc_pct = -1, .target_soc_pct = -1, .stay_s = -1};
    const uint32_t model = fleet_draw(&p->random);
    fleet_draw_session(&p->random, &wish.soc_pct, &wish.target_soc_pct, &wish.visit_s);
    if (p->options.arrivals == PLANT_ARRIVALS_DEMO) {
        wish.stay_s = random_range(&p->random, 6.0, 16.0);
        const bool top_up = random_unit(&p->random) < 0.6;
        if (nearly_full || top_up) {
            double charge_s = nearly_full ? random_range(&p->random, 15.0, 22.0)
                                          : random_range(&p->random, 40.0, 150.0);
            double watts = fleet_power_w(model, wish.soc_pct);
            watts = watts < 50e3 ? watts : 50e3;
            wish.target_soc_pct = nearly_full ? 90.0 : wish.soc_pct;
            watts = nearly_full && watts > fleet_power_w(model, 90.0) ? fleet_power_w(model, 90.0)
                                                                      : watts;
            const double share = 100.0 * watts * charge_s / 3600.0 / plant_model(model).usable_wh;
            wish.soc_pct = nearly_full ? 90.0 - share : wish.soc_pct;
            wish.target_soc_pct = wish.soc_pct + share < 100 ? wish.soc_pct + share : 100;
        }
    }
    vehicle_arrive(p, slot, &wish, model, now_us);
}

void arrivals_init(struct plant *p) {
    for (uint32_t i = 0; i < p->slots; i++) {
        p->slot[i].arrive_us = 0;
    }
    p->next_arrival_us = NEVER;
    if (p->options.arrivals == PLANT_ARRIVALS_DEMO) {
        uint32_t cars = 0;
        for (uint32_t i = 0; i < p->slots && cars < DEMO_CARS; i++) {
            if (p->slot[i].gun != 0) {
                p->slot[i].arrive_us = p->start_us + 500000 + (int64_t)cars++ * 1900000;
            }
        }
        draw_next(p, p->start_us + 20000000);
        return;
    }
    draw_next(p, p->start_us);
}

static void planned(struct plant *p, int64_t now_us) {
    for (uint32_t i = 0; i < p->slots; i++) {
        struct slot *s = &p->slot[i];
        if (s->arrive_us != 0 && s->arrive_us <= now_us && !s->vehicle.plugged) {
            const int64_t since_start_us = s->arrive_us - p->start_us;
            s->arrive_us = 0;
            arrive_at(p, i, since_start_us < 3000000, now_us); /* the first two are nearly full */
        }
    }
}

void arrivals_slow(struct plant *p, int64_t now_us) {
    if (p->options.arrivals == PLANT_ARRIVALS_DEMO && now_us - p->start_us < 40000000) {
        planned(p, now_us);
    }
    if (now_us < p->next_arrival_us) {
        return;
    }
    draw_next(p, now_us);
    if (thinned(p, now_us)) {
        return;
    }
    uint32_t free[RM_SLOTS_MAX], count = 0;
    for (uint32_t i = 0; i < p->slots; i++) {
        if (is_free(&p->slot[i], now_us) && now_us - p->slot[i].left_us >= FREE_FOR_US) {
            free[count++] = i;
        }
    }
    if (count == 0) {
        p->report.turned_away++;
        return;
    }
    arrive_at(p, free[random_below(&p->random, count)], false, now_us);
}

enum plant_result plant_arrivals(struct plant *p, double factor) {
    if (!(factor >= 0) || factor > 1000) {
        return PLANT_BAD_VALUE;
    }
    if (p->options.arrivals == PLANT_ARRIVALS_NONE && factor > 0) {
        p->options.arrivals = PLANT_ARRIVALS_CONSTANT;
    }
    p->options.arrival_factor = factor;
    draw_next(p, p->now_us);
    return PLANT_OK;
}
