/* The fast model's hub: guns with their phases, boundaries with their sequences, modules with their contactors. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_RING_PRIVATE_H
#define RINGMAIN_BENCHMARKS_SERVICE_RING_PRIVATE_H

#include "benchmarks/service/car.h"
#include "benchmarks/service/ring.h"
#include "benchmarks/service/watch.h"
#include "configs/config.h"
#include "rt/planner/planner.h"

#define RING_MODULES 2
#define RING_PLAN_S  0.05

struct ring_gun {
    enum gun_state state;
    int visit;      /* -1 nobody */
    double since_s; /* in this state */
    double left_s;  /* last unplugged */
    double idle_s;  /* CHARGING without current for this long */
    bool energised;
    struct car car;
    double asked_a, set_a; /* the vehicle's ramped target; what flows */
    double volts;
};

enum edge_state { EDGE_OPEN = 0, EDGE_CLOSING, EDGE_CLOSED, EDGE_OPENING };

struct ring_edge {
    enum edge_state state;
    double until_s;   /* CLOSING, OPENING: done then */
    double changed_s; /* last change of its command; negative never */
    uint32_t closings;
};

struct ring_module {
    bool joined;   /* MN closed */
    double join_s; /* MN closes then; negative: not joining */
    double set_a, set_v;
};

struct ring_hub {
    struct config config;
    struct planner_state planner;
    struct plan_input input;
    struct proposal proposal;
    struct ring_gun gun[DAY_GUNS];
    struct ring_edge edge[DAY_GUNS];
    struct ring_module module[DAY_GUNS][RING_MODULES];
    double dead_s[DAY_GUNS]; /* the slot's bus is dead from then */
    int owner[DAY_GUNS];     /* gun whose current this slot can feed now, -1 none */
    double t, event_s;       /* now, and when something last happened */
    struct watch watch;
    struct tally *tally;
    struct street *street;
};

static inline int ring_next(int slot) {
    return (slot + 1) % DAY_GUNS;
}
static inline int ring_previous(int slot) {
    return (slot + DAY_GUNS - 1) % DAY_GUNS;
}
static inline void ring_event(struct ring_hub *h) {
    h->event_s = h->t;
}

/* ring_plan.c: what the guard would tell the planner now. */
void ring_fill_plan(struct ring_hub *h, double grid_w);
/* ring_edges.c: boundaries and module contactors one step on, and h->owner. */
void ring_follow_edges(struct ring_hub *h);
void ring_find_owners(struct ring_hub *h);
bool ring_is_home(const struct ring_hub *h, int slot); /* both boundaries open, bus dead */
bool ring_has_lenders(const struct ring_hub *h, int slot);

#endif
