#include "benchmarks/service/ideal.h"

#include <math.h>
#include <string.h>

#include "benchmarks/service/car.h"

#define STEP_S 10.0 /* powers are shared anew at least this often while somebody charges */

enum phase { PHASE_FREE = 0, PHASE_STARTING, PHASE_CHARGING, PHASE_LEAVING };

struct gun {
    enum phase phase;
    int visit;
    double until_s; /* FREE: may be plugged from then; STARTING, LEAVING: ends then */
    struct car car;
};

struct hub {
    struct gun gun[DAY_GUNS];
    struct share share;
    bool guided;
    double t, start_s, end_s;
    double wish_w[DAY_GUNS], volts[DAY_GUNS], power_w[DAY_GUNS];
};

static void look(struct hub *h) {
    for (int i = 0; i < DAY_GUNS; i++) {
        const struct gun *g = &h->gun[i];
        const bool charges = g->phase == PHASE_CHARGING;
        h->wish_w[i] = charges ? car_wish_w(&g->car) : 0;
        h->volts[i] = charges ? car_volts(&g->car, h->wish_w[i]) : 0;
    }
}

static int choose(struct hub *h, const struct street *street, int visit, const bool *free) {
    double total_w[DAY_GUNS];
    int best = street_choice(street, visit, free);
    if (!h->guided || best < 0) {
        return best;
    }
    look(h);
    for (int i = 0; i < DAY_GUNS;
         i++) { /* who is about to charge counts, what he will want is not known yet */
        if (h->gun[i].phase == PHASE_STARTING) {
            h->wish_w[i] = SHARE_TYPICAL_W;
            h->volts[i] = SHARE_TYPICAL_V;
        }
    }
    share_guide(&h->share, h->wish_w, h->volts, free, total_w);
    for (int k = 0; k < DAY_GUNS; k++) {
        const int i = street->day->visit[visit].preference[k];
        if (free[i] && total_w[i] > total_w[best] + 1) {
            best = i;
        }
    }
    return best;
}

static void admit(struct hub *h, struct street *street) {
    for (int visit = street_turn(street, h->t); visit >= 0; visit = street_turn(street, h->t)) {
        bool free[DAY_GUNS];
        for (int i = 0; i < DAY_GUNS; i++) {
            free[i] = h->gun[i].phase == PHASE_FREE && h->gun[i].until_s <= h->t;
        }
        const int i = choose(h, street, visit, free);
        if (i < 0) {
            return;
        }
        struct gun *g = &h->gun[i];
        street_plug(street, visit, i, h->t);
        car_plug(&g->car, &street->day->visit[visit]);
        g->phase = PHASE_STARTING;
        g->visit = visit;
        g->until_s = h->t + h->start_s;
    }
}

static void follow_phases(struct hub *h, struct street *street) {
    for (int i = 0; i < DAY_GUNS; i++) {
        struct gun *g = &h->gun[i];
        if (g->phase == PHASE_STARTING && g->until_s <= h->t) {
            g->phase = PHASE_CHARGING;
            street->stay[g->visit].first_s = h->t;
        }
        if (g->phase == PHASE_CHARGING && car_is_done(&g->car)) {
            g->phase = PHASE_LEAVING;
            g->until_s = h->t + h->end_s + street->day->visit[g->visit].stay_s;
            street->stay[g->visit].last_s = h->t;
            street->stay[g->visit].energy_wh =
                car_energy_wh(&g->car, &street->day->visit[g->visit]);
        }
        if (g->phase == PHASE_LEAVING && g->until_s <= h->t) {
            street->stay[g->visit].unplugged_s = h->t;
            g->phase = PHASE_FREE;
            g->until_s = h->t + DAY_MOVE_UP_S;
        }
    }
}

/* When something changes by itself, at the powers of now. */
static double next_change(const struct hub *h, const struct street *street) {
    double next = street_next_arrival(street, h->t);
    for (int i = 0; i < DAY_GUNS; i++) {
        const struct gun *g = &h->gun[i];
        if (g->phase == PHASE_CHARGING) {
            next = fmin(next, h->t + fmin(STEP_S, car_seconds(&g->car, h->power_w[i])));
        } else if (g->until_s > h->t) {
            next = fmin(next, g->until_s);
        }
    }
    return next;
}

void ideal_day(const struct day *day, enum topology topology, double site_w, bool guided,
               double start_s, double end_s, struct street *street, struct tally *tally) {
    static struct hub h;
    memset(&h, 0, sizeof h);
    memset(tally, 0, sizeof *tally);
    share_init(&h.share, topology, site_w);
    h.guided = guided;
    h.start_s = start_s;
    h.end_s = end_s;
    street_open(street, day);
    for (;;) {
        follow_phases(&h, street);
        admit(&h, street);
        look(&h);
        share_power(&h.share, h.wish_w, h.volts, h.power_w);
        const double next = next_change(&h, street), dt = next - h.t;
        if (isinf(next)) {
            break;
        }
        double site_w_now = 0;
        for (int i = 0; i < DAY_GUNS; i++) {
            if (h.gun[i].phase == PHASE_CHARGING) {
                car_charge(&h.gun[i].car, h.power_w[i], dt);
                site_w_now += h.power_w[i];
            }
        }
        tally->site_violations += site_w_now > site_w * 1.0001;
        tally->site_peak_w = fmax(tally->site_peak_w, site_w_now);
        h.t = next;
    }
    tally->closings = h.share.closings;
}
