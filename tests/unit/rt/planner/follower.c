#include "tests/unit/rt/planner/follower.h"

#include <string.h>

#define RAMP_MA    5000 /* 100 A/s in one cycle */
#define I_OPEN_MA  5000
#define LOCKED_US  10000000
#define STARTED_US 20000000

static uint32_t next(const struct follower *f, uint32_t slot) {
    return (slot + 1) % f->in.slots;
}

static uint32_t previous(const struct follower *f, uint32_t slot) {
    return (slot + f->in.slots - 1) % f->in.slots;
}

static void slot_init(struct plan_slot *s) {
    memset(s, 0, sizeof *s);
    s->has_gun = true;
    s->free = true;
    s->state = GUN_STATE_AVAILABLE;
    s->priority_class = 3;
    s->soc_pct = 255;
    s->connector_max_ma = s->cable_max_ma = 500000;
    s->connector_max_w = 350000;
    s->connector_max_mv = 1000000;
    s->derate_permille = 1000;
    s->profile_limit_w = INT64_MAX;
    s->edge = (struct plan_edge){.fitted = true, .max_ma = 500000, .contactors = 1};
    s->module_count = 2;
    for (unsigned j = 0; j < 2; j++) {
        s->module[j] = (struct plan_module){.healthy = true,
                                            .capability_w = 30000,
                                            .capability_ma = 100000,
                                            .max_mv = 1000000,
                                            .min_mv = 50000};
    }
}

void follower_init(struct follower *f, uint32_t slots) {
    memset(f, 0, sizeof *f);
    f->in.slots = slots;
    f->in.now_us = 100000000;
    f->in.site_limit_w = INT64_C(20000) * 1000;
    f->in.site_limit_reason = LIMIT_REASON_GRID;
    f->in.efficiency_permille = 1000;
    f->in.i_cc_ma = 2000;
    f->in.rules = (struct plan_rules){.slots_max = 8,
                                      .default_mv = 800000,
                                      .v_safe_mv = 60000,
                                      .holding_s = 120,
                                      .operation_cost_kj = 60,
                                      .power_min_w = 3000,
                                      .dwell_us = 30000000,
                                      .rotation_us = 600000000};
    for (uint32_t i = 0; i < slots; i++) {
        slot_init(&f->in.slot[i]);
    }
    planner_init(&f->planner);
}

void follower_want(struct follower *f, uint32_t slot, int32_t want_w) {
    f->in.slot[slot].target_ma = (int32_t)((int64_t)want_w * 1000000 / 402000);
}

static void to_charging(struct follower *f, uint32_t slot) {
    struct plan_slot *s = &f->in.slot[slot];
    s->state = GUN_STATE_CHARGING;
    s->served = s->demands = true;
    s->arriving = s->free = false;
    s->target_mv = 450000;
    s->bus_mv = 400000;
    s->ev_max_mv = 500000;
    s->ev_max_ma = 900000;
    s->ev_max_w = 400000;
    for (unsigned j = 0; j < s->module_count; j++) {
        s->module[j].connected = true;
    }
    f->powered[slot] = false;
    f->zero_us[slot] = 0;
}

void follower_charge(struct follower *f, uint32_t slot, int32_t want_w) {
    f->plugged_us[slot] = f->in.now_us - STARTED_US;
    f->in.slot[slot].arrival_us = f->in.now_us;
    follower_want(f, slot, want_w);
    to_charging(f, slot);
}

void follower_plug(struct follower *f, uint32_t slot, int32_t want_w) {
    f->plugged_us[slot] = f->in.now_us;
    f->in.slot[slot].arrival_us = f->in.now_us;
    f->in.slot[slot].state = GUN_STATE_PLUGGED;
    f->in.slot[slot].arriving = true;
    f->in.slot[slot].free = false;
    follower_want(f, slot, want_w);
}

void follower_leave(struct follower *f, uint32_t slot) {
    struct plan_slot *s = &f->in.slot[slot];
    if (s->state == GUN_STATE_CHARGING) {
        s->state = GUN_STATE_RAMP_DOWN;
        s->ramping_down = true;
        s->served = s->demands = false;
        f->plugged_us[slot] = 0;
    }
}

static void step_vehicle(struct follower *f, uint32_t i) {
    struct plan_slot *s = &f->in.slot[i];
    const int64_t since_us = f->in.now_us - f->plugged_us[i];
    const bool home = f->edge[i] == EDGE_OPEN && f->edge[previous(f, i)] == EDGE_OPEN;
    if (s->state == GUN_STATE_PLUGGED && home &&
        since_us - FOLLOWER_CYCLE_US > f->longest_reclaim_us && s->arriving && f->flow_ma[i] == 0 &&
        since_us < LOCKED_US) {
        /* the first cycle in which it is home again */
        f->longest_reclaim_us = since_us;
        s->state = GUN_STATE_AUTHORISED;
    }
    if (s->arriving && since_us >= LOCKED_US && home) {
        s->arriving = false;
        s->demands = true;
        s->state = GUN_STATE_CABLE_CHECK;
    } else if (s->state == GUN_STATE_CABLE_CHECK && since_us >= STARTED_US) {
        to_charging(f, i);
    } else if (s->state == GUN_STATE_RAMP_DOWN && f->flow_ma[i] == 0 && home) {
        const int32_t want_ma = s->target_ma;
        const struct plan_edge edge = s->edge;
        slot_init(s);
        s->edge = edge;
        s->target_ma = want_ma;
    }
}

static bool conducts(const struct follower *f, uint32_t edge) {
    return f->edge[edge] == EDGE_CLOSED || f->edge[edge] == EDGE_OPENING;
}

/* Current of the slots on one side of an edge, and whether a gun is among them. */
static int64_t side_ma(const struct follower *f, uint32_t edge, bool clockwise, bool *gun) {
    int64_t ma = 0;
    *gun = false;
    uint32_t i = clockwise ? next(f, edge) : edge;
    for (uint32_t k = 0; k < f->in.slots; k++) {
        ma += f->flow_ma[i];
        *gun = *gun || f->in.slot[i].served || f->in.slot[i].ramping_down;
        if (!conducts(f, clockwise ? i : previous(f, i))) {
            break;
        }
        i = clockwise ? next(f, i) : previous(f, i);
    }
    return ma;
}

/* Current that passes an edge: what the slots on the side without the gun give. */
static int32_t through_ma(const struct follower *f, uint32_t edge) {
    bool gun = false, other = false;
    const int64_t left_ma = side_ma(f, edge, false, &gun);
    const int64_t right_ma = side_ma(f, edge, true, &other);
    return (int32_t)(gun ? right_ma : left_ma);
}

static void change(struct follower *f, uint32_t i, enum follower_edge to) {
    struct plan_edge *e = &f->in.slot[i].edge;
    if (to == EDGE_CLOSED || to == EDGE_OPEN) {
        f->operations++;
        f->early += e->changed_us != 0 && f->in.now_us - e->changed_us < f->in.rules.dwell_us &&
                    !f->out.slot[i].reclaim;
        e->changed_us = f->in.now_us;
        e->operations += to == EDGE_CLOSED;
    }
    f->edge[i] = to;
    f->edge_us[i] = f->in.now_us;
}

static bool sequence_runs(const struct follower *f, uint32_t edge) {
    for (uint32_t i = 0; i < f->in.slots; i++) {
        if (i != edge && (f->edge[i] == EDGE_CLOSING || f->edge[i] == EDGE_OPENING) &&
            (f->out.slot[i].owner == f->out.slot[edge].owner)) {
            return true; /* one edge of an island at a time */
        }
    }
    return false;
}

static void step_edge(struct follower *f, uint32_t i) {
    const struct proposal_slot *p = &f->out.slot[i];
    struct plan_edge *e = &f->in.slot[i].edge;
    const int64_t since_us = f->in.now_us - f->edge_us[i];
    const bool dwells =
        e->changed_us != 0 && f->in.now_us - e->changed_us < f->in.rules.dwell_us && !p->reclaim;
    switch (f->edge[i]) {
    case EDGE_OPEN:
        if (p->edge_closed && !dwells && !f->stuck[i] && !e->locked && !sequence_runs(f, i)) {
            change(f, i, EDGE_CLOSING);
        }
        break;
    case EDGE_CLOSING:
        if (!p->edge_closed) {
            change(f, i, EDGE_OPEN);
            f->operations--;
        } else if (since_us >= FOLLOWER_MERGE_US) {
            change(f, i, EDGE_CLOSED);
        }
        break;
    case EDGE_CLOSED:
        if (!p->edge_closed && !dwells && through_ma(f, i) == 0) {
            change(f, i, EDGE_OPENING);
        }
        break;
    case EDGE_OPENING:
        if (since_us >= FOLLOWER_SPLIT_US) {
            f->loaded += through_ma(f, i) > I_OPEN_MA;
            change(f, i, EDGE_OPEN);
        }
        break;
    }
    e->may = f->edge[i] == EDGE_CLOSED || f->edge[i] == EDGE_OPENING ||
             (f->edge[i] == EDGE_CLOSING && since_us >= FOLLOWER_MERGE_US - 100000);
    e->sure = f->edge[i] == EDGE_CLOSED;
}

static bool feeds(const struct follower *f, uint32_t slot, uint32_t gun) {
    for (uint32_t i = gun, k = 0; k < f->in.slots; k++) {
        if (i == slot) {
            return true;
        }
        if (f->edge[i] != EDGE_CLOSED) {
            break;
        }
        i = next(f, i);
    }
    for (uint32_t i = gun, k = 0; k < f->in.slots; k++) {
        if (i == slot) {
            return true;
        }
        i = previous(f, i);
        if (f->edge[i] != EDGE_CLOSED) {
            break;
        }
    }
    return false;
}

static int32_t commanded_ma(const struct follower *f, uint32_t i) {
    const struct proposal_slot *p = &f->out.slot[i];
    const struct plan_slot *s = &f->in.slot[i];
    int32_t ma = 0;
    for (unsigned j = 0; j < s->module_count; j++) {
        ma += s->module[j].connected && s->module[j].healthy ? p->module[j].set_ma : 0;
    }
    const bool to_gun =
        p->owner >= 0 && f->in.slot[p->owner].served && feeds(f, i, (uint32_t)p->owner);
    return to_gun || (s->served && p->owner < 0) ? ma : 0;
}

static int32_t set_mv(const struct follower *f, uint32_t i) {
    int32_t mv = 0;
    for (unsigned j = 0; j < f->in.slot[i].module_count; j++) {
        mv = f->out.slot[i].module[j].set_mv > mv ? f->out.slot[i].module[j].set_mv : mv;
    }
    return mv;
}

static void step_slot(struct follower *f, uint32_t i) {
    struct plan_slot *s = &f->in.slot[i];
    const int32_t ma = commanded_ma(f, i);
    if (f->flow_ma[i] < ma) {
        f->flow_ma[i] = ma - f->flow_ma[i] > RAMP_MA ? f->flow_ma[i] + RAMP_MA : ma;
    } else {
        f->flow_ma[i] = f->flow_ma[i] - ma > 4 * RAMP_MA ? f->flow_ma[i] - 4 * RAMP_MA : ma;
    }
    const int32_t mv = set_mv(f, i) > 0 ? set_mv(f, i) : 450000;
    const int32_t now_w = (int32_t)((int64_t)f->flow_ma[i] * mv / 1000000);
    s->committed_w = s->committed_w > now_w ? (s->committed_w + now_w) / 2 : now_w;
    s->committed_w = s->committed_w - now_w < 100 ? now_w : s->committed_w;
    for (unsigned j = 0; j < s->module_count; j++) {
        if (!s->served) {
            s->module[j].connected = f->out.slot[i].module[j].mn;
        }
        s->module[j].set_ma = f->out.slot[i].module[j].set_ma;
        s->module[j].set_mv = f->out.slot[i].module[j].set_mv;
    }
}

/* Allowed by the proposal or still in the books: what the site may be drawing. */
static void count_books(struct follower *f) {
    int64_t books_w = 0;
    for (uint32_t i = 0; i < f->in.slots; i++) {
        int64_t uw = 0;
        for (unsigned j = 0; j < f->in.slot[i].module_count; j++) {
            uw += (int64_t)f->out.slot[i].module[j].set_mv * f->out.slot[i].module[j].set_ma;
        }
        const int64_t allowed_w = uw / 1000000;
        books_w += allowed_w > f->in.slot[i].committed_w ? allowed_w : f->in.slot[i].committed_w;
    }
    f->most_books_w = books_w > f->most_books_w ? books_w : f->most_books_w;
    if (books_w - f->in.site_limit_w > f->site_excess_w) {
        f->site_excess_w = books_w - f->in.site_limit_w;
    }
}

static void judge(struct follower *f) {
    bool open = f->in.slots == 1;
    for (uint32_t i = 0; i < f->in.slots; i++) {
        open = open || !f->in.slot[i].edge.may;
    }
    f->ring_closed += !open;
    for (uint32_t i = 0; i < f->in.slots && open; i++) {
        uint32_t guns = f->in.slot[i].demands || f->in.slot[i].ramping_down;
        if (guns == 0) {
            continue;
        }
        for (uint32_t k = i; f->in.slot[k].edge.may;) {
            k = next(f, k);
            guns += f->in.slot[k].demands || f->in.slot[k].ramping_down;
        }
        f->two_guns += guns > 1;
    }
    for (uint32_t i = 0; i < f->in.slots; i++) {
        f->ratings += f->in.slot[i].edge.sure && through_ma(f, i) > f->in.slot[i].edge.max_ma;
        /* a home slot without a healthy module is a fault: nothing to switch over to */
        const bool able = f->in.slot[i].module[0].healthy || f->in.slot[i].module[1].healthy;
        const bool wants = f->in.slot[i].served && f->in.slot[i].target_ma > 0 && able &&
                           !f->out.slot[i].suspended;
        const int32_t w = follower_w(f, i);
        f->powered[i] = f->in.slot[i].served && (f->powered[i] || w > 0);
        if (!wants || w > 0 || !f->powered[i]) {
            f->zero_us[i] = 0;
        } else if (f->zero_us[i] == 0) {
            f->zero_us[i] = f->in.now_us;
        } else if (f->in.now_us - f->zero_us[i] > f->longest_zero_us) {
            f->longest_zero_us = f->in.now_us - f->zero_us[i];
        }
    }
}

void follower_run(struct follower *f, uint32_t cycles) {
    while (cycles-- > 0) {
        f->in.seq++;
        f->in.now_us += FOLLOWER_CYCLE_US;
        planner_step(&f->planner, &f->in, &f->out);
        count_books(f);
        for (uint32_t i = 0; i < f->in.slots; i++) {
            step_edge(f, i);
        }
        for (uint32_t i = 0; i < f->in.slots; i++) {
            step_slot(f, i);
        }
        for (uint32_t i = 0; i < f->in.slots; i++) {
            step_vehicle(f, i);
        }
        judge(f);
    }
}

int32_t follower_w(const struct follower *f, uint32_t slot) {
    int64_t ma = 0;
    for (uint32_t i = 0; i < f->in.slots; i++) {
        const int16_t owner = f->out.slot[i].owner;
        ma += (owner == (int16_t)slot && feeds(f, i, slot)) || i == slot ? f->flow_ma[i] : 0;
    }
    return (int32_t)(ma * f->in.slot[slot].bus_mv / 1000000);
}

uint32_t follower_slots(const struct follower *f, uint32_t slot) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->in.slots; i++) {
        count += feeds(f, i, slot);
    }
    return count;
}
