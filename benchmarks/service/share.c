#include "benchmarks/service/share.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "benchmarks/service/car.h"
#include "rt/planner/partition.h"

#define ARC_MAX 8 /* interlock.maxSlots as delivered */

const char *topology_name(unsigned topology) {
    static const char *const names[TOPOLOGY_COUNT] = {"fixed",      "pairs",  "cabinets",
                                                      "ideal-ring", "matrix", "pool"};
    return topology < TOPOLOGY_COUNT ? names[topology] : "?";
}

void share_init(struct share *s, enum topology topology, double site_w) {
    memset(s, 0, sizeof *s);
    s->topology = topology;
    s->site_w = site_w;
}

static double module_w(double volts) {
    const double by_current_w = MODULE_MAX_A * volts;
    return by_current_w < MODULE_MAX_W ? by_current_w : MODULE_MAX_W;
}

/* One level for all: the largest at which the sum stays within limit_w. */
static void cut_at_level(double limit_w, double power_w[DAY_GUNS]) {
    bool below[DAY_GUNS] = {false};
    double rest_w = limit_w;
    int left = DAY_GUNS;
    for (bool again = true; again && left > 0;) {
        const double level_w = rest_w / left;
        again = false;
        for (int i = 0; i < DAY_GUNS; i++) {
            if (!below[i] && power_w[i] <= level_w) {
                below[i] = true;
                rest_w -= power_w[i];
                left--;
                again = true;
            }
        }
    }
    for (int i = 0; i < DAY_GUNS; i++) {
        if (!below[i]) {
            power_w[i] = rest_w / left;
        }
    }
}

/* The guns [first, first + guns) and their modules. A tie goes to the gun that a module helps most. */
static void share_group(int first, int guns, const double *wish_w, const double *volts,
                        double *power_w) {
    for (int module = guns * SHARE_MODULES_PER_GUN; module > 0; module--) {
        int best = -1;
        double best_gain_w = 0;
        for (int i = first; i < first + guns; i++) {
            const double gain_w = fmin(wish_w[i] - power_w[i], module_w(volts[i]));
            if (gain_w > 1 && (best < 0 || power_w[i] < power_w[best] - 1 ||
                               (power_w[i] < power_w[best] + 1 && gain_w > best_gain_w))) {
                best = i;
                best_gain_w = gain_w;
            }
        }
        if (best < 0) {
            return;
        }
        power_w[best] += best_gain_w;
    }
}

static void share_ring(struct share *s, const double *wish_w, const double *volts,
                       double *power_w) {
    static struct partition scratch;
    static struct partition_input in;
    static struct partition_result out;
    memset(&in, 0, sizeof in);
    in.slots = DAY_GUNS;
    in.arc_max = ARC_MAX;
    in.mode = PARTITION_LEXIMIN;
    in.site_limit_w = isinf(s->site_w) ? INT64_MAX : (int64_t)s->site_w;
    for (int i = 0; i < DAY_GUNS; i++) {
        struct partition_slot *p = &in.slot[i];
        p->wants = wish_w[i] > 0;
        p->priority_class = 0;
        p->order = i;
        p->mv = p->wants ? (int32_t)(volts[i] * 1000) : 0;
        p->demand_w = (int32_t)ceil(wish_w[i]);
        p->modules = SHARE_MODULES_PER_GUN;
        for (int j = 0; j < SHARE_MODULES_PER_GUN; j++) {
            p->module[j] = (struct partition_module){.max_w = (int32_t)MODULE_MAX_W,
                                                     .max_ma = (int32_t)(MODULE_MAX_A * 1000),
                                                     .max_mv = 1000000,
                                                     .min_mv = 50000};
        }
        p->edge_was_closed = s->edge_closed[i];
        p->edge_max_ma = 500000;
        p->edge_cost = 1;
    }
    partition_solve(&scratch, &in, &out);
    for (int i = 0; i < DAY_GUNS; i++) {
        s->closings += out.edge_closed[i] && !s->edge_closed[i];
        s->edge_closed[i] = out.edge_closed[i];
        power_w[i] = fmin(wish_w[i], out.power_w[i]);
    }
}

void share_power(struct share *s, const double wish_w[DAY_GUNS], const double volts[DAY_GUNS],
                 double power_w[DAY_GUNS]) {
    static const int group[TOPOLOGY_COUNT] = {[TOPOLOGY_FIXED] = 1,
                                              [TOPOLOGY_PAIRS] = 2,
                                              [TOPOLOGY_CABINETS] = 4,
                                              [TOPOLOGY_MATRIX] = DAY_GUNS};
    if (s->topology == TOPOLOGY_IDEAL_RING) {
        share_ring(s, wish_w, volts, power_w);
        return;
    }
    memset(power_w, 0, DAY_GUNS * sizeof power_w[0]);
    if (s->topology == TOPOLOGY_POOL) {
        memcpy(power_w, wish_w, DAY_GUNS * sizeof power_w[0]);
        cut_at_level(DAY_GUNS * SHARE_MODULES_PER_GUN * MODULE_MAX_W, power_w);
    } else {
        for (int i = 0; i < DAY_GUNS; i += group[s->topology]) {
            share_group(i, group[s->topology], wish_w, volts, power_w);
        }
    }
    if (!isinf(s->site_w)) {
        cut_at_level(s->site_w, power_w);
    }
}

void share_guide(const struct share *s, const double wish_w[DAY_GUNS], const double volts[DAY_GUNS],
                 const bool free[DAY_GUNS], double total_w[DAY_GUNS]) {
    for (int i = 0; i < DAY_GUNS; i++) {
        total_w[i] = 0;
        if (free[i]) {
            struct share trial = *s;
            double wish[DAY_GUNS], v[DAY_GUNS], power_w[DAY_GUNS];
            memcpy(wish, wish_w, sizeof wish);
            memcpy(v, volts, sizeof v);
            wish[i] = SHARE_TYPICAL_W;
            v[i] = SHARE_TYPICAL_V;
            share_power(&trial, wish, v, power_w);
            for (int k = 0; k < DAY_GUNS; k++) {
                total_w[i] += power_w[k];
            }
        }
    }
}
