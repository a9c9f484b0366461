#include "benchmarks/service/full.h"

#include <math.h>
#include <string.h>

#include "benchmarks/service/watch.h"
#include "tests/integration/virtual_hub.h"

#define STEP_S    0.05 /* people and watches look this often */
#define CURRENT_A 1.0

struct full {
    struct virtual_hub *hub;
    const struct day *day;
    struct street *street;
    struct tally *tally;
    struct watch watch;
    bool guided;
    double t;
    int visit[DAY_GUNS]; /* plugged in there, -1 nobody */
    double left_s[DAY_GUNS];
    enum gun_state state[DAY_GUNS];
    double since_s[DAY_GUNS]; /* in that state */
};

static void plug(struct full *f, int visit, int gun) {
    const struct visit *v = &f->day->visit[visit];
    const struct plant_vehicle_wish wish = {.model_number = v->model + 1,
                                            .soc_pct = v->soc_in_pct,
                                            .target_soc_pct = v->soc_out_pct,
                                            .stay_s = v->stay_s};
    if (plant_plug(f->hub->plant, f->hub->config.connector[gun].id, &wish) == PLANT_OK) {
        street_plug(f->street, visit, gun, f->t);
        watch_plug(&f->watch, gun, f->t);
        f->visit[gun] = visit;
    }
}

static void admit(struct full *f) {
    for (int visit = street_turn(f->street, f->t); visit >= 0;
         visit = street_turn(f->street, f->t)) {
        bool free[DAY_GUNS];
        for (int i = 0; i < DAY_GUNS; i++) {
            free[i] = f->visit[i] < 0 && f->state[i] == GUN_STATE_AVAILABLE &&
                      f->t >= f->left_s[i] + DAY_MOVE_UP_S;
        }
        int gun = street_choice(f->street, visit, free);
        const int guide = f->hub->proposal.guide_slot;
        if (gun >= 0 && f->guided && guide >= 0 && guide < DAY_GUNS && free[guide]) {
            gun = guide;
        }
        if (gun < 0) {
            return;
        }
        plug(f, visit, gun);
        if (f->visit[gun] != visit) {
            return;
        }
    }
}

static void look_at_gun(struct full *f, int gun) {
    struct plant_gun_state s;
    const enum gun_state state = (enum gun_state)f->hub->status.slot[gun].gun_state;
    if (state == GUN_STATE_CABLE_CHECK && f->state[gun] != GUN_STATE_CABLE_CHECK) {
        watch_cable_check(&f->watch, gun, f->tally);
    }
    if (state != f->state[gun]) {
        tally_state(f->tally, f->state[gun], f->t - f->since_s[gun]);
        f->since_s[gun] = f->t;
        f->state[gun] = state;
    }
    if (f->visit[gun] < 0) {
        return;
    }
    struct stay *stay = &f->street->stay[f->visit[gun]];
    plant_slot_state(f->hub->plant, (uint32_t)gun, &s);
    if (s.plugged && s.vehicle_contactor && s.gun_a > CURRENT_A) {
        if (stay->first_s < 0) {
            stay->first_s = f->t;
            tally_time(&f->tally->start, f->t - stay->plugged_s);
        }
        stay->last_s = f->t;
    }
    if (s.plugged) {
        stay->energy_wh = s.energy_wh;
        return;
    }
    stay->unplugged_s = f->t;
    if (stay->last_s >= 0) {
        tally_time(&f->tally->end, f->t - stay->last_s - f->day->visit[f->visit[gun]].stay_s);
    }
    f->visit[gun] = -1;
    f->left_s[gun] = f->t;
}

static void look(struct full *f) {
    bool target[DAY_GUNS], conducts[DAY_GUNS];
    double power_w = 0;
    control_status(f->hub->control, f->hub->now_us, &f->hub->status);
    for (int i = 0; i < DAY_GUNS; i++) {
        struct plant_gun_state s;
        plant_slot_state(f->hub->plant, (uint32_t)i, &s);
        target[i] = f->hub->proposal.slot[i].edge_closed;
        conducts[i] = s.contactor[CONTACTOR_MC];
        power_w += s.power_w;
        look_at_gun(f, i);
    }
    f->tally->site_peak_w = fmax(f->tally->site_peak_w, power_w);
    watch_step(&f->watch, target, conducts, f->t, f->tally);
}

static bool over(const struct full *f) {
    for (int i = 0; i < DAY_GUNS; i++) {
        if (f->visit[i] >= 0) {
            return false;
        }
    }
    return f->street->next == f->day->visits;
}

static void sum_up(struct full *f) {
    struct plant_report report;
    plant_report(f->hub->plant, &report);
    f->tally->hazards = virtual_hub_hazards(f->hub);
    f->tally->site_violations = report.hazards_by_kind[PLANT_HAZARD_GRID];
    f->tally->failed = report.sessions_failed;
    f->tally->plans = f->hub->planner.cycles;
    for (int i = 0; i < DAY_GUNS; i++) {
        for (int k = 0; k < CONTACTORS_PER_SLOT; k++) {
            f->tally->loaded_ops += f->hub->status.slot[i].contactor[k].loaded_operations;
        }
    }
}

bool full_day(const struct day *day, double site_input_w, bool guided, bool verbose,
              struct street *street, struct tally *tally) {
    static struct config config;
    static struct full f;
    const struct plant_options options = {.seed = day->seed};
    config_ring(&config, DAY_GUNS, 2);
    config.grid_limit_w = isinf(site_input_w) ? 1000000 : (int64_t)site_input_w;
    config.fail_safe_limit_w = config.grid_limit_w;
    config.nrt.site_limit_w = config.grid_limit_w;
    memset(&f, 0, sizeof f);
    memset(tally, 0, sizeof *tally);
    street_open(street, day);
    f.hub = virtual_hub_create(&config, &options, verbose);
    if (f.hub == NULL) {
        return false;
    }
    f.hub->coarse = true;
    f.day = day;
    f.street = street;
    f.tally = tally;
    f.guided = guided;
    watch_init(&f.watch);
    for (int i = 0; i < DAY_GUNS; i++) {
        f.visit[i] = -1;
        f.left_s[i] = -DAY_MOVE_UP_S;
    }
    virtual_hub_run(f.hub, 3); /* boot */
    while (!over(&f) && f.t < 2 * DAY_S) {
        look(&f);
        admit(&f);
        virtual_hub_run(f.hub, STEP_S);
        f.t += STEP_S;
    }
    sum_up(&f);
    virtual_hub_destroy(f.hub);
    return true;
}
