/* Boundaries as their sequencer moves them, module contactors as the gun's does; times measured on the full hub. */
#include "benchmarks/service/ring_private.h"

#include <math.h>

/* Merge: lender's MNs close dead, its modules start (0.3 s) and rise to the owner's voltage at 600 V/s, voltages are
 * read and match, MC closes and is confirmed. */
#define MERGE_S  0.75
#define RISE_V_S 600.0
/* Split: lender's current ramped to zero, two measurements below I_open, MC opens and is confirmed. */
#define SPLIT_S     0.45
#define RAMP_A_S    100.0
#define DISCHARGE_S 2.0 /* the lender's bus falls below V_safe */
/* A module brought to the bus voltage behind its open MN. */
#define JOIN_S   0.9
#define STABLE_S 2.0 /* CHARGING for this long before anybody joins */

static bool is_joined(const struct ring_edge *e) {
    return e->state != EDGE_OPEN;
}

static bool in_motion(const struct ring_edge *e) {
    return e->state == EDGE_CLOSING || e->state == EDGE_OPENING;
}

static bool takes_power(const struct ring_gun *g) {
    return g->state == GUN_STATE_CHARGING || g->state == GUN_STATE_RAMP_DOWN;
}

static bool is_idle(const struct ring_gun *g) {
    return g->state == GUN_STATE_AVAILABLE || g->state == GUN_STATE_FINISHED;
}

/* An arc of slots between open boundaries. */
struct arc {
    int first, slots, owner; /* owner -1: nobody is served in it */
    bool moves;              /* one of its boundaries is in motion */
};

static struct arc arc_of(const struct ring_hub *h, int slot) {
    struct arc a = {.first = slot, .slots = 1, .owner = -1};
    while (a.slots < DAY_GUNS && is_joined(&h->edge[ring_previous(a.first)])) {
        a.first = ring_previous(a.first);
        a.slots++;
    }
    for (int last = slot; a.slots < DAY_GUNS && is_joined(&h->edge[last]); last = ring_next(last)) {
        a.slots++;
    }
    for (int k = 0; k < a.slots; k++) {
        const int i = (a.first + k) % DAY_GUNS;
        a.owner = takes_power(&h->gun[i]) ? i : a.owner;
        a.moves |= k + 1 < a.slots && in_motion(&h->edge[i]);
    }
    return a;
}

void ring_find_owners(struct ring_hub *h) {
    for (int i = 0; i < DAY_GUNS; i++) {
        h->owner[i] = -1;
    }
    for (int i = 0; i < DAY_GUNS; i++) {
        if (!takes_power(&h->gun[i])) {
            continue;
        }
        h->owner[i] = i;
        for (int s = i; h->edge[s].state == EDGE_CLOSED && h->owner[ring_next(s)] < 0;) {
            s = ring_next(s);
            h->owner[s] = i;
        }
        for (int s = i;
             h->edge[ring_previous(s)].state == EDGE_CLOSED && h->owner[ring_previous(s)] < 0;) {
            s = ring_previous(s);
            h->owner[s] = i;
        }
    }
}

bool ring_is_home(const struct ring_hub *h, int slot) {
    return !is_joined(&h->edge[slot]) && !is_joined(&h->edge[ring_previous(slot)]) &&
           h->t >= h->dead_s[slot];
}

bool ring_has_lenders(const struct ring_hub *h, int slot) {
    return is_joined(&h->edge[slot]) || is_joined(&h->edge[ring_previous(slot)]);
}

static bool dwells(const struct ring_hub *h, int edge) {
    const struct ring_edge *e = &h->edge[edge];
    return e->changed_s >= 0 && !h->proposal.slot[edge].reclaim &&
           h->t - e->changed_s < h->config.interlock.t_dwell_ms / 1000.0;
}

static void move(struct ring_hub *h, int edge, enum edge_state state, double takes_s) {
    h->edge[edge].state = state;
    h->edge[edge].until_s = h->t + takes_s;
    ring_event(h);
}

/* The guard lets no idle bus rise above what a vehicle that is still plugged in there could bear. */
static bool bears(const struct ring_gun *lender, double volts) {
    return lender->visit < 0 || lender->car.battery.max_v >= volts;
}

/* Closes towards a lender: one side is served and steady, the other is idle and alone. */
static void try_close(struct ring_hub *h, int edge) {
    const struct arc here = arc_of(h, edge), there = arc_of(h, ring_next(edge));
    const struct arc *own = here.owner >= 0 ? &here : &there;
    const struct arc *lends = here.owner >= 0 ? &there : &here;
    const int lender = here.owner >= 0 ? ring_next(edge) : edge;
    if (own->owner < 0 || lends->owner >= 0 || lends->slots != 1 || own->moves || dwells(h, edge) ||
        !is_idle(&h->gun[lender]) || h->t < h->dead_s[lender]) {
        return;
    }
    const struct ring_gun *g = &h->gun[own->owner];
    if (g->state != GUN_STATE_CHARGING || h->t - g->since_s < STABLE_S ||
        h->proposal.slot[lender].owner != own->owner ||
        own->slots >= h->config.interlock.max_slots || !bears(&h->gun[lender], g->volts)) {
        return;
    }
    move(h, edge, EDGE_CLOSING, MERGE_S + g->volts / RISE_V_S);
}

/* Opens from the outside in; what is beyond it has left already. */
static void try_open(struct ring_hub *h, int edge, bool at_once) {
    const struct arc a = arc_of(h, edge);
    if (a.moves || (dwells(h, edge) && !at_once)) {
        return;
    }
    const int place = (edge - a.first + DAY_GUNS) % DAY_GUNS; /* slots up to and with `edge` */
    const int owner_place = a.owner < 0 ? -1 : (a.owner - a.first + DAY_GUNS) % DAY_GUNS;
    const bool outward_up = a.owner < 0 ? place + 2 == a.slots : place >= owner_place;
    const int beyond = outward_up ? ring_next(edge) : ring_previous(edge);
    const int lender = outward_up ? ring_next(edge) : edge;
    if (is_joined(&h->edge[beyond])) {
        return;
    }
    double lent_a = 0;
    for (int j = 0; j < RING_MODULES; j++) {
        lent_a += h->module[lender][j].set_a;
    }
    h->edge[edge].changed_s = h->t;
    move(h, edge, EDGE_OPENING, SPLIT_S + lent_a / RAMP_A_S);
}

static void finish(struct ring_hub *h, int edge) {
    struct ring_edge *e = &h->edge[edge];
    if (!in_motion(e) || h->t < e->until_s - 1e-9) {
        return;
    }
    ring_event(h);
    if (e->state == EDGE_CLOSING) {
        e->state = EDGE_CLOSED;
        e->changed_s = h->t;
        e->closings++;
    } else {
        e->state = EDGE_OPEN;
        e->changed_s = h->t;
        const int sides[2] = {edge, ring_next(edge)};
        for (int k = 0; k < 2; k++) {
            if (arc_of(h, sides[k]).owner < 0) {
                h->dead_s[sides[k]] = h->t + DISCHARGE_S;
            }
        }
    }
}

/* An island whose gun ramps down dissolves whatever the proposal says. */
static bool dissolves(const struct ring_hub *h, int edge) {
    const int owner = arc_of(h, edge).owner;
    return owner < 0 || h->gun[owner].state == GUN_STATE_RAMP_DOWN;
}

static void follow_modules(struct ring_hub *h, int slot) {
    const int owner = h->owner[slot];
    const enum gun_state state = h->gun[slot].state;
    const bool holds = state >= GUN_STATE_CABLE_CHECK && state <= GUN_STATE_WELD_CHECK &&
                       state != GUN_STATE_CHARGING;
    for (int j = 0; j < RING_MODULES; j++) {
        struct ring_module *m = &h->module[slot][j];
        const bool wanted = h->proposal.slot[slot].module[j].mn;
        if (holds) {
            m->joined = true;
            m->join_s = -1;
        } else if (owner < 0) {
            m->joined = owner == slot && m->joined;
            m->join_s = -1;
            m->set_a = owner < 0 ? 0 : m->set_a;
        } else if (m->joined && !wanted && m->set_a <= 0) {
            m->joined = false;
        } else if (!m->joined && wanted && m->join_s < 0) {
            m->join_s = h->t + JOIN_S + h->gun[owner].volts / RISE_V_S;
        } else if (!m->joined && wanted && h->t >= m->join_s - 1e-9) {
            m->joined = true;
            m->join_s = -1;
            ring_event(h);
        }
    }
}

/* A lender's modules are on its bus when the boundary closes. */
static void bring_modules(struct ring_hub *h, int slot) {
    for (int j = 0; j < RING_MODULES; j++) {
        h->module[slot][j] = (struct ring_module){.joined = true, .join_s = -1};
    }
}

void ring_follow_edges(struct ring_hub *h) {
    int before[DAY_GUNS];
    for (int i = 0; i < DAY_GUNS; i++) {
        before[i] = h->owner[i];
        finish(h, i);
    }
    for (int i = 0; i < DAY_GUNS; i++) {
        const bool closed = h->proposal.slot[i].edge_closed;
        if (h->edge[i].state == EDGE_CLOSED && (!closed || dissolves(h, i))) {
            try_open(h, i, dissolves(h, i));
        } else if (h->edge[i].state == EDGE_OPEN && closed) {
            try_close(h, i);
        }
    }
    ring_find_owners(h);
    for (int i = 0; i < DAY_GUNS; i++) {
        if (h->owner[i] >= 0 && h->owner[i] != i && before[i] != h->owner[i]) {
            bring_modules(h, i);
        }
        follow_modules(h, i);
    }
}
