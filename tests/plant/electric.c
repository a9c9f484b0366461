/* The ring bus: which nodes are joined, their common voltage, and every current.
 *
 * Contactors are ideal, so all nodes joined by closed ones are one net with one voltage V. Implicit Euler over the tick:
 *     C (V - V0)/dt + G V + sum (V - Voc)/R = sum clamp(g (Vref - V), 0, Ilim)
 * The left side minus the right is piecewise linear and strictly rising in V, so there is exactly one root; Newton steps
 * inside a bracket find it, usually in two. Unconditionally stable. Charge is conserved when nets are joined; the energy
 * of the spark is lost, as it is in reality. Currents through contactors follow from Kirchhoff along the arc; a closed
 * ring (a hazard) divides by equal resistances.
 */
#include <string.h>

#include "tests/plant/plant_private.h"

#define DT_S             (PLANT_TICK_US * 1e-6)
#define MODULE_DROOP_S   100.0  /* A per V below the reference */
#define GUN_BLEED_S      14e-6  /* discharge of the gun side while GC is open: 0.3 s to 1/e */
#define BUS_BLEED_S      180e-6 /* discharge of a bus whose modules are all disconnected or off */
#define DEAD_V           1e-3
#define NEWTON_STEPS_MAX 60

struct net {
    double c, q; /* F; sum of C V at the last tick, C */
    double g, j; /* S; sum of g Voc, A */
    uint32_t sources;
    double limit_sum;
    struct rectifier **source; /* room for every module of the hub */
};

static double source_a(const struct rectifier *r, double v) {
    double a = MODULE_DROOP_S * (r->ref_v - v), limit = rectifier_limit_a(r);
    return a <= 0 ? 0 : a < limit ? a : limit;
}

static double solve(const struct net *n, double guess) {
    const double a = n->c / DT_S + n->g, b = n->q / DT_S + n->j;
    double low = b / a, high = (b + n->limit_sum) / a;
    if (n->sources == 0) {
        return low;
    }
    double v = guess < low ? low : guess > high ? high : guess;
    for (int step = 0; step < NEWTON_STEPS_MAX; step++) {
        double f = a * v - b, slope = a;
        for (uint32_t i = 0; i < n->sources; i++) {
            double i_a = source_a(n->source[i], v);
            f -= i_a;
            if (i_a > 0 && i_a < rectifier_limit_a(n->source[i])) {
                slope += MODULE_DROOP_S;
            }
        }
        if (fabs(f) < 1e-6) {
            break;
        }
        if (f > 0) {
            high = v;
        } else {
            low = v;
        }
        double next = v - f / slope;
        v = next > low && next < high ? next : 0.5 * (low + high);
    }
    return v;
}

static void add_source(struct net *n, struct rectifier *r) {
    n->source[n->sources++] = r;
    n->limit_sum += rectifier_limit_a(r);
}

static bool source_live(const struct rectifier *r) {
    return r->converting && r->lim_a > 0;
}

/* Vehicle's contribution at its inlet. */
static void add_vehicle(struct net *n, const struct vehicle *v) {
    if (v->plugged && v->contactor) {
        n->g += 1.0 / v->resistance_ohm;
        n->j += v->ocv_v / v->resistance_ohm;
    }
    if (v->plugged && v->short_ohm > 0) {
        n->g += 1.0 / v->short_ohm;
    }
}

static double inlet_a(const struct slot *s, double v, double v_old) {
    double a = GUN_CAPACITANCE_F * (v - v_old) / DT_S;
    if (s->vehicle.plugged && s->vehicle.contactor) {
        a += (v - s->vehicle.ocv_v) / s->vehicle.resistance_ohm;
    }
    if (s->vehicle.plugged && s->vehicle.short_ohm > 0) {
        a += v / s->vehicle.short_ohm;
    }
    return a;
}

static void gather(struct net *n, struct slot *s) {
    bool driven = false;
    n->c += BUS_CAPACITANCE_F;
    n->q += BUS_CAPACITANCE_F * s->bus_v;
    for (uint32_t k = 0; k < s->modules; k++) {
        struct rectifier *r = &s->module[k];
        if (!s->contactor[CONTACTOR_MN0 + k].closed) {
            continue;
        }
        n->c += MODULE_CAPACITANCE_F;
        n->q += MODULE_CAPACITANCE_F * r->v;
        n->g += r->bleed_s;
        driven |=
            r->converting; /* also at no current: the discharge circuit works when all are off */
        if (source_live(r)) {
            add_source(n, r);
        }
    }
    s->bus_bleed_s = driven ? 0 : BUS_BLEED_S;
    n->g += s->bus_bleed_s;
    if (s->contactor[CONTACTOR_GC].closed) {
        n->c += GUN_CAPACITANCE_F;
        n->q += GUN_CAPACITANCE_F * s->gun_v;
        add_vehicle(n, &s->vehicle);
    }
}

/* A module behind its open contactor. */
static void module_alone(struct rectifier *r, struct contactor *mn) {
    mn->current_a = 0;
    if (!source_live(r) && r->v < DEAD_V) {
        r->v = 0;
        r->a = 0;
        return;
    }
    struct rectifier *only[1];
    struct net n = {.c = MODULE_CAPACITANCE_F,
                    .q = MODULE_CAPACITANCE_F * r->v,
                    .g = r->bleed_s,
                    .source = only};
    if (source_live(r)) {
        add_source(&n, r);
    }
    r->v = solve(&n, r->v);
    r->a = source_live(r) ? source_a(r, r->v) : 0;
}

/* The gun side behind an open GC; true while there is anything to compute. */
static bool gun_alone(struct slot *s) {
    s->gun_a = 0;
    s->contactor[CONTACTOR_GC].current_a = 0;
    s->battery_a = 0;
    bool held = s->vehicle.plugged && s->vehicle.contactor;
    if (s->gun_v < DEAD_V && !held) {
        s->gun_v = 0;
        return false;
    }
    struct net n = {.c = GUN_CAPACITANCE_F, .q = GUN_CAPACITANCE_F * s->gun_v, .g = GUN_BLEED_S};
    add_vehicle(&n, &s->vehicle);
    s->gun_v = solve(&n, s->gun_v);
    if (held) {
        s->battery_a = (s->gun_v - s->vehicle.ocv_v) / s->vehicle.resistance_ohm;
    }
    return true;
}

/* One slot's part after the net's voltage is known; returns its surplus of current, A. */
static double spread(struct slot *s, double v) {
    double surplus = -BUS_CAPACITANCE_F * (v - s->bus_v) / DT_S - s->bus_bleed_s * v;
    for (uint32_t k = 0; k < s->modules; k++) {
        struct rectifier *r = &s->module[k];
        struct contactor *mn = &s->contactor[CONTACTOR_MN0 + k];
        if (!mn->closed) {
            module_alone(r, mn);
            continue;
        }
        r->a = source_live(r) ? source_a(r, v) : 0;
        mn->current_a = r->a - MODULE_CAPACITANCE_F * (v - r->v) / DT_S - r->bleed_s * v;
        r->v = v;
        surplus += mn->current_a;
    }
    if (s->contactor[CONTACTOR_GC].closed) {
        s->gun_a = inlet_a(s, v, s->gun_v);
        s->battery_a = s->vehicle.plugged && s->vehicle.contactor
                           ? (v - s->vehicle.ocv_v) / s->vehicle.resistance_ohm
                           : 0;
        s->contactor[CONTACTOR_GC].current_a = s->gun_a;
        s->gun_v = v;
        surplus -= s->gun_a;
    }
    s->bus_v = v;
    return surplus;
}

static void set_boundary(struct slot *s, double a) {
    s->boundary_a = a;
    s->contactor[CONTACTOR_MC].current_a = a;
    s->contactor[CONTACTOR_BC].current_a = a;
}

static bool arc_is_dead(const struct plant *p, uint32_t first, uint32_t count,
                        const struct net *n) {
    if (n->sources > 0 || n->j > 0 || n->q > DEAD_V * n->c) {
        return false;
    }
    for (uint32_t k = 0; k < count; k++) {
        const struct slot *s = &p->slot[(first + k) % p->slots];
        for (uint32_t m = 0; m < s->modules; m++) {
            if (source_live(&s->module[m]) || s->module[m].v > DEAD_V) {
                return false;
            }
        }
    }
    return true;
}

static void record_arc(struct plant *p, uint32_t first, uint32_t count, bool ring, double v) {
    struct arc *a = &p->arc[p->arcs++];
    *a = (struct arc){.first = first, .count = count, .ring = ring, .v = v};
    for (uint32_t k = 0; k < count; k++) {
        const struct slot *s = &p->slot[(first + k) % p->slots];
        a->battery_driven |=
            s->contactor[CONTACTOR_GC].closed && s->vehicle.plugged && s->vehicle.contactor;
        for (uint32_t m = 0; m < s->modules; m++) {
            const struct rectifier *r = &s->module[m];
            p->output_w += r->v * r->a;
            a->module_driven |=
                s->contactor[CONTACTOR_MN0 + m].closed && source_live(r) && r->ref_v > 60.0;
        }
        if (s->vehicle.contactor) {
            p->battery_w += s->battery_a * s->vehicle.ocv_v;
        }
    }
}

static void solve_arc(struct plant *p, uint32_t first, uint32_t count, bool ring) {
    struct net n;
    n.c = n.q = n.g = n.j = n.limit_sum = 0;
    n.sources = 0;
    n.source = p->source;
    for (uint32_t k = 0; k < count; k++) {
        gather(&n, &p->slot[(first + k) % p->slots]);
    }
    const bool dead = arc_is_dead(p, first, count, &n);
    const double v = dead ? 0 : solve(&n, n.q / n.c);
    double flow = 0, mean = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct slot *s = &p->slot[(first + k) % p->slots];
        flow += spread(s, v);
        s->island = first;
        set_boundary(s, ring || k + 1 < count ? flow : 0);
        mean += flow / count;
        bool gun_busy = !s->contactor[CONTACTOR_GC].closed && gun_alone(s);
        s->quiet = dead && !gun_busy && count == 1;
    }
    if (ring) {
        for (uint32_t k = 0; k < count; k++) {
            set_boundary(&p->slot[k], p->slot[k].boundary_a - mean);
        }
    }
    if (!dead || count > 1) {
        record_arc(p, first, count, ring, v);
    }
}

void electric_step(struct plant *p) {
    uint32_t first = 0;
    p->arcs = 0;
    p->output_w = p->battery_w = 0;
    while (first < p->slots && boundary_conducts(p, (first + p->slots - 1) % p->slots)) {
        first++;
    }
    if (first == p->slots) {
        solve_arc(p, 0, p->slots, true);
        return;
    }
    uint32_t done = 0;
    while (done < p->slots) {
        uint32_t at = (first + done) % p->slots, count = 1;
        while (done + count < p->slots && boundary_conducts(p, (at + count - 1) % p->slots)) {
            count++;
        }
        if (count > 1 || !p->slot[at].quiet) {
            solve_arc(p, at, count, false);
        }
        done += count;
    }
}
