#include "benchmarks/service/ring_private.h"

#include <math.h>
#include <string.h>

#define EVENT_S    4.0 /* the planner is called every cycle for this long after anything happened */
#define RISE_A_S   40.0 /* vehicles raise their target by 20 to 60 A/s */
#define FALL_A_S   150.0
#define PATIENCE_S 5.0 /* a vehicle without power for this long ends its session */

/* How long a gun stays in each state when nothing is in its way; as measured on the full hub (`--topology full` prints
 * them as state_s). LOCKED goes on to CABLE_CHECK only when the slot is home, RAMP_DOWN to OPENING only when lenders have left. */
static const double state_s[GUN_STATE_COUNT] = {
    [GUN_STATE_PLUGGED] = 0.05,     [GUN_STATE_AUTHORISED] = 0.55, [GUN_STATE_LOCKED] = 12.6,
    [GUN_STATE_CABLE_CHECK] = 4.55, [GUN_STATE_PRECHARGE] = 1.15,  [GUN_STATE_CLOSING] = 0.4,
    [GUN_STATE_RAMP_DOWN] = 0.6,    [GUN_STATE_OPENING] = 0.05,    [GUN_STATE_WELD_CHECK] = 0.55,
    [GUN_STATE_DISCHARGE] = 0.5,    [GUN_STATE_UNLOCK] = 0.55,
};

static void enter(struct ring_hub *h, int slot, enum gun_state state) {
    tally_state(h->tally, h->gun[slot].state, h->t - h->gun[slot].since_s);
    h->gun[slot].state = state;
    h->gun[slot].since_s = h->t;
    ring_event(h);
}

static void unplug(struct ring_hub *h, int slot) {
    struct ring_gun *g = &h->gun[slot];
    h->street->stay[g->visit].unplugged_s = h->t;
    g->visit = -1;
    g->left_s = h->t;
    enter(h, slot, GUN_STATE_AVAILABLE);
}

static void finish_charging(struct ring_hub *h, int slot) {
    struct ring_gun *g = &h->gun[slot];
    struct stay *stay = &h->street->stay[g->visit];
    stay->last_s = h->t;
    stay->energy_wh = car_energy_wh(&g->car, &h->street->day->visit[g->visit]);
    g->asked_a = g->set_a = 0;
    enter(h, slot, GUN_STATE_RAMP_DOWN);
}

/* The driver's stay counts from the vehicle's end of the session, RING_END_S after the last current. */
static bool driver_returns(const struct ring_hub *h, int slot) {
    const struct ring_gun *g = &h->gun[slot];
    return h->t >=
           h->street->stay[g->visit].last_s + RING_END_S + h->street->day->visit[g->visit].stay_s;
}

static void follow_phase(struct ring_hub *h, int slot) {
    struct ring_gun *g = &h->gun[slot];
    const double past_s = h->t - g->since_s + 1e-9;
    if (g->visit < 0) {
        return;
    }
    if (g->state == GUN_STATE_CHARGING) {
        if (car_is_done(&g->car) || g->idle_s > PATIENCE_S) {
            h->tally->failed += !car_is_done(&g->car);
            finish_charging(h, slot);
        }
    } else if (g->state == GUN_STATE_FINISHED) {
        if (driver_returns(h, slot)) {
            unplug(h, slot);
        }
    } else if (past_s >= state_s[g->state]) {
        if (g->state == GUN_STATE_LOCKED && !ring_is_home(h, slot)) {
            h->tally->late_reclaims +=
                h->watch.wanted_s[slot] >= 0 && past_s < state_s[g->state] + RING_PLAN_S;
            return;
        }
        if (g->state == GUN_STATE_RAMP_DOWN && ring_has_lenders(h, slot)) {
            return;
        }
        enter(h, slot, (enum gun_state)(g->state + 1));
    }
}

static void admit(struct ring_hub *h, bool guided) {
    for (int visit = street_turn(h->street, h->t); visit >= 0;
         visit = street_turn(h->street, h->t)) {
        bool free[DAY_GUNS];
        for (int i = 0; i < DAY_GUNS; i++) {
            free[i] =
                h->gun[i].state == GUN_STATE_AVAILABLE && h->t >= h->gun[i].left_s + DAY_MOVE_UP_S;
        }
        int i = street_choice(h->street, visit, free);
        const int guide = h->proposal.guide_slot;
        if (i >= 0 && guided && guide >= 0 && guide < DAY_GUNS && free[guide]) {
            i = guide;
        }
        if (i < 0) {
            return;
        }
        struct ring_gun *g = &h->gun[i];
        street_plug(h->street, visit, i, h->t);
        watch_plug(&h->watch, i, h->t);
        car_plug(&g->car, &h->street->day->visit[visit]);
        g->visit = visit;
        g->asked_a = g->set_a = g->idle_s = 0;
        g->energised = false;
        g->volts = g->car.battery.ocv_v;
        enter(h, i, GUN_STATE_PLUGGED);
    }
}

/* The vehicle's target moves towards its curve, within what it was offered. */
static void ask(struct ring_hub *h, int slot, double dt) {
    struct ring_gun *g = &h->gun[slot];
    const struct plant_battery *b = &g->car.battery;
    double want_a = fmin(fmin(b->wish_w / g->volts, b->max_a), GUN_MAX_A);
    want_a = fmin(want_a, h->proposal.slot[slot].offered_w / g->volts);
    g->asked_a = g->asked_a < want_a ? fmin(want_a, g->asked_a + RISE_A_S * dt)
                                     : fmax(want_a, g->asked_a - FALL_A_S * dt);
}

/* Shares of the modules that surely feed this gun; what the sequencer makes of them after its ramp. */
static void flow(struct ring_hub *h, int slot, double dt) {
    struct ring_gun *g = &h->gun[slot];
    double sum_a = 0;
    for (int i = 0; i < DAY_GUNS; i++) {
        for (int j = 0; j < RING_MODULES; j++) {
            struct ring_module *m = &h->module[i][j];
            const struct proposal_module *p = &h->proposal.slot[i].module[j];
            if (h->owner[i] == slot) {
                const bool on = m->joined && p->run && h->proposal.slot[i].owner == slot;
                m->set_a = on ? p->set_ma / 1000.0 : 0;
                m->set_v = on ? p->set_mv / 1000.0 : 0;
                sum_a += m->set_a;
            }
        }
    }
    const double want_a = fmin(sum_a, g->asked_a);
    const double rise_a = h->config.interlock.ramp_up_ma_s / 1000.0 * dt;
    g->set_a = fmin(want_a, g->set_a + rise_a);
    for (int i = 0; i < DAY_GUNS && sum_a > 0; i++) {
        for (int j = 0; j < RING_MODULES && h->owner[i] == slot; j++) {
            h->module[i][j].set_a *= g->set_a / sum_a;
        }
    }
    g->volts = g->car.battery.ocv_v + g->set_a * g->car.battery.resistance_ohm;
}

static double charge(struct ring_hub *h, int slot, double dt) {
    struct ring_gun *g = &h->gun[slot];
    if (g->state != GUN_STATE_CHARGING) {
        return 0;
    }
    ask(h, slot, dt);
    flow(h, slot, dt);
    g->idle_s = g->set_a > 1 ? 0 : g->idle_s + dt;
    if (!g->energised && g->set_a > 1) {
        struct stay *stay = &h->street->stay[g->visit];
        g->energised = true;
        stay->first_s = h->t;
        tally_time(&h->tally->start, h->t - stay->plugged_s);
    }
    const double w = g->set_a * g->volts;
    car_charge(&g->car, w, dt);
    return w;
}

static void plan(struct ring_hub *h, double grid_w) {
    static struct proposal last;
    last = h->proposal;
    ring_fill_plan(h, grid_w);
    planner_step(&h->planner, &h->input, &h->proposal);
    h->tally->plans++;
    for (int i = 0; i < DAY_GUNS; i++) {
        if (last.slot[i].edge_closed != h->proposal.slot[i].edge_closed ||
            last.slot[i].owner != h->proposal.slot[i].owner) {
            ring_event(h);
        }
    }
}

static void observe(struct ring_hub *h) {
    bool target[DAY_GUNS], conducts[DAY_GUNS];
    for (int i = 0; i < DAY_GUNS; i++) {
        target[i] = h->proposal.slot[i].edge_closed;
        conducts[i] = h->edge[i].state == EDGE_CLOSED || h->edge[i].state == EDGE_OPENING;
    }
    watch_step(&h->watch, target, conducts, h->t, h->tally);
}

/* Time of the next thing that happens by itself. */
static double next_timed(const struct ring_hub *h) {
    double next = street_next_arrival(h->street, h->t);
    for (int i = 0; i < DAY_GUNS; i++) {
        const struct ring_gun *g = &h->gun[i];
        double at = (double)INFINITY;
        if (g->visit < 0) {
            at = street_turn(h->street, h->t) >= 0 ? g->left_s + DAY_MOVE_UP_S : at;
        } else if (g->state == GUN_STATE_CHARGING) {
            at = h->t + car_seconds(&g->car, g->set_a * g->volts);
        } else if (g->state == GUN_STATE_FINISHED) {
            at = h->street->stay[g->visit].last_s + RING_END_S +
                 h->street->day->visit[g->visit].stay_s;
        } else {
            at = g->since_s + state_s[g->state];
        }
        next = fmin(next, fmax(at, h->t + RING_PLAN_S));
    }
    return next;
}

static bool is_empty(const struct ring_hub *h) {
    for (int i = 0; i < DAY_GUNS; i++) {
        if (h->gun[i].visit >= 0 || h->edge[i].state != EDGE_OPEN) {
            return false;
        }
    }
    return true;
}

static double step_s(const struct ring_hub *h, bool every_cycle) {
    if (is_empty(h) && h->t - h->event_s > EVENT_S) {
        return street_next_arrival(h->street, h->t) - h->t;
    }
    if (every_cycle || h->t - h->event_s < EVENT_S) {
        return RING_PLAN_S;
    }
    return fmin(RING_CALM_S, next_timed(h) - h->t);
}

static void init(struct ring_hub *h, struct street *street, struct tally *tally,
                 const struct day *day) {
    memset(h, 0, sizeof *h);
    memset(tally, 0, sizeof *tally);
    config_ring(&h->config, DAY_GUNS, RING_MODULES);
    planner_init(&h->planner);
    watch_init(&h->watch);
    street_open(street, day);
    h->street = street;
    h->tally = tally;
    h->proposal.guide_slot = -1;
    for (int i = 0; i < DAY_GUNS; i++) {
        h->gun[i] =
            (struct ring_gun){.state = GUN_STATE_AVAILABLE, .visit = -1, .left_s = -DAY_MOVE_UP_S};
        h->edge[i].changed_s = -1;
        h->owner[i] = -1;
    }
}

void ring_day(const struct day *day, const struct ring_options *options, struct street *street,
              struct tally *tally) {
    static struct ring_hub h;
    const double grid_w = options->grid_w;
    init(&h, street, tally, day);
    h.config.grid_limit_w = isinf(grid_w) ? RING_NO_LIMIT_W : (int64_t)grid_w;
    if (options->operation_cost_kj >= 0) {
        h.config.planner.operation_cost_kj = options->operation_cost_kj;
    }
    const double limit_w = grid_w * h.config.modules.efficiency_permille / 1000;
    while (h.t < 2 * DAY_S && !(is_empty(&h) && h.street->next == day->visits)) {
        for (int i = 0; i < DAY_GUNS; i++) {
            follow_phase(&h, i);
        }
        admit(&h, options->guided);
        ring_follow_edges(&h);
        plan(&h, grid_w);
        observe(&h);
        const double dt = step_s(&h, options->every_cycle);
        double site_w = 0;
        for (int i = 0; i < DAY_GUNS; i++) {
            site_w += charge(&h, i, dt);
        }
        tally->site_peak_w = fmax(tally->site_peak_w, site_w);
        tally->site_violations += site_w > limit_w * 1.001;
        h.t += dt;
    }
}
