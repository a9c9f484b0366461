#include "instances.h"

#include <string.h>

void instance_seed(struct instance_draw *draw, uint64_t seed) {
    draw->state = seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);
}

/* splitmix64 */
static uint64_t next(struct instance_draw *draw) {
    uint64_t z = draw->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t instance_below(struct instance_draw *draw, uint32_t below) {
    return (uint32_t)(((next(draw) >> 32) * below) >> 32);
}

static bool happens(struct instance_draw *draw, uint32_t percent) {
    return instance_below(draw, 100) < percent;
}

static int32_t one_of(struct instance_draw *draw, const int32_t *value, uint32_t count) {
    return value[instance_below(draw, count)];
}

#define ONE_OF(draw, ...)                                                                          \
    one_of(draw, (const int32_t[]){__VA_ARGS__},                                                   \
           (uint32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

static enum partition_mode some_mode(struct instance_draw *draw) {
    switch (instance_below(draw, 10)) {
    case 0: return PARTITION_STATIC;
    case 1:
    case 2: return PARTITION_TOTAL;
    case 3:
    case 4: return PARTITION_FIRST_COME;
    default: return PARTITION_LEXIMIN;
    }
}

/* What the whole ring has in common, so that rings differ from each other and not only slots. */
struct temper {
    uint32_t wants, blocked, classes, kept_open, kept_closed, was_closed, faulty, modules_max;
    bool is_coarse;  /* few distinct powers: many ties */
    int32_t edge_ma; /* 0: differs */
};

static struct temper some_temper(struct instance_draw *draw) {
    return (struct temper){
        .wants = (uint32_t)ONE_OF(draw, 15, 40, 60, 85, 100),
        .blocked = (uint32_t)ONE_OF(draw, 0, 0, 10, 30),
        .classes = (uint32_t)ONE_OF(draw, 1, 1, 2, 3, 200),
        .kept_open = (uint32_t)ONE_OF(draw, 0, 0, 10, 30),
        .kept_closed = (uint32_t)ONE_OF(draw, 0, 0, 12, 40, 80),
        .was_closed = (uint32_t)ONE_OF(draw, 0, 30, 70, 100),
        .faulty = (uint32_t)ONE_OF(draw, 0, 10, 40, 70),
        .modules_max = (uint32_t)ONE_OF(draw, 1, 2, 2, 8),
        .is_coarse = happens(draw, 60),
        .edge_ma = happens(draw, 50) ? 250000 : 0,
    };
}

static void odd_module(struct instance_draw *draw, const struct temper *t,
                       struct partition_module *m) {
    *m = (struct partition_module){
        .max_w = 30000, .max_ma = 100000, .max_mv = 1000000, .min_mv = 150000};
    if (!t->is_coarse) {
        m->max_w = (int32_t)instance_below(draw, 60000);
        m->max_ma = (int32_t)instance_below(draw, 130000);
    } else if (happens(draw, 20)) {
        m->max_w = ONE_OF(draw, 10000, 20000, 60000);
    }
    if (happens(draw, t->faulty)) {
        m->max_w = ONE_OF(draw, 0, 0, -5, 15000);
    }
    if (happens(draw, 5)) {
        m->max_mv = 500000;
    }
    if (happens(draw, 5)) {
        m->min_mv = 450000;
    }
}

static void odd_slot(struct instance_draw *draw, const struct temper *t, struct partition_slot *s) {
    s->wants = happens(draw, t->wants);
    s->blocked = happens(draw, s->wants ? t->blocked : t->blocked / 3);
    s->priority_class = (uint8_t)instance_below(draw, t->classes);
    s->order = (int64_t)instance_below(draw, 4) - 1;
    s->mv = happens(draw, 2) ? ONE_OF(draw, 0, -1, 1500000)
                             : ONE_OF(draw, 400000, 400000, 800000, 350123);
    s->demand_w = t->is_coarse ? 10000 * (int32_t)instance_below(draw, 36)
                               : (int32_t)instance_below(draw, 400000);
    if (happens(draw, 3)) {
        s->demand_w = ONE_OF(draw, -7, 0, 1, INT32_MAX);
    }
    s->modules = (uint8_t)instance_below(draw, t->modules_max + 1);
    for (uint32_t m = 0; m < s->modules; m++) {
        odd_module(draw, t, &s->module[m]);
    }
    uint32_t fate = instance_below(draw, 100);
    s->edge = fate < t->kept_open                    ? PARTITION_EDGE_KEEP_OPEN
              : fate < t->kept_open + t->kept_closed ? PARTITION_EDGE_KEEP_CLOSED
                                                     : PARTITION_EDGE_FREE;
    s->edge_was_closed = happens(draw, t->was_closed);
    s->edge_max_ma =
        t->edge_ma > 0 ? t->edge_ma : ONE_OF(draw, 0, 20000, 75000, 100000, 150000, 300000);
    s->edge_cost = t->is_coarse ? 1 + instance_below(draw, 4) : 1 + instance_below(draw, 1000000);
}

void instance_odd(struct instance_draw *draw, uint32_t slots, struct partition_input *in) {
    memset(in, 0, sizeof *in);
    struct temper t = some_temper(draw);
    in->slots = slots;
    in->arc_max = happens(draw, 50) ? PARTITION_ARC_MAX : 1 + instance_below(draw, slots);
    in->mode = some_mode(draw);
    in->site_limit_w = INT64_MAX;
    if (happens(draw, 50)) {
        in->site_limit_w = t.is_coarse ? 10000 * (int64_t)instance_below(draw, 10 * slots)
                                       : (int64_t)instance_below(draw, 100000 * slots) - 1000;
    }
    for (uint32_t s = 0; s < slots; s++) {
        odd_slot(draw, &t, &in->slot[s]);
    }
}

/* Closed before: arcs from some guns outward, each at most as long as permitted. */
static void earlier_arcs(struct instance_draw *draw, struct partition_input *in) {
    uint32_t s = 0;
    while (s < in->slots) {
        uint32_t length = 1 + instance_below(draw, happens(draw, 50) ? 2 : in->arc_max);
        uint32_t guns = 0;
        for (uint32_t k = 0; k < length && s < in->slots; k++, s++) {
            guns += in->slot[s].wants;
            in->slot[s].edge_was_closed = guns <= 1 && k + 1 < length && s + 1 < in->slots &&
                                          in->slot[s].edge != PARTITION_EDGE_KEEP_OPEN &&
                                          (guns == 0 || !in->slot[s + 1].wants);
        }
    }
}

void instance_usual(struct instance_draw *draw, uint32_t slots, uint32_t arc_max,
                    struct partition_input *in) {
    memset(in, 0, sizeof *in);
    in->slots = slots;
    in->arc_max = arc_max;
    in->site_limit_w = happens(draw, 25) ? 30000 * (int64_t)slots : INT64_MAX;
    uint32_t busy = (uint32_t)ONE_OF(draw, 10, 25, 40, 60, 80, 100);
    uint32_t classes = (uint32_t)ONE_OF(draw, 1, 1, 2, 3);
    for (uint32_t i = 0; i < slots; i++) {
        struct partition_slot *s = &in->slot[i];
        s->wants = happens(draw, busy);
        s->blocked = s->wants && happens(draw, 70);
        s->priority_class = (uint8_t)instance_below(draw, classes);
        s->order = (int64_t)instance_below(draw, 10000);
        s->mv = 350000 + 1000 * (int32_t)instance_below(draw, 550);
        s->demand_w = 50000 + 1000 * (int32_t)instance_below(draw, 301);
        s->modules = 2;
        for (uint32_t m = 0; m < s->modules; m++) {
            s->module[m] = (struct partition_module){.max_w = happens(draw, 4) ? 0 : 30000,
                                                     .max_ma = 100000,
                                                     .max_mv = 1000000,
                                                     .min_mv = 150000};
        }
        s->edge = happens(draw, 3) ? PARTITION_EDGE_KEEP_OPEN : PARTITION_EDGE_FREE;
        s->edge_max_ma = 250000;
        s->edge_cost = 100 + instance_below(draw, 900);
    }
    earlier_arcs(draw, in);
}

void instance_hard(struct instance_draw *draw, uint32_t slots, uint32_t arc_max,
                   struct partition_input *in) {
    memset(in, 0, sizeof *in);
    in->slots = slots;
    in->arc_max = arc_max;
    in->mode = happens(draw, 20) ? PARTITION_FIRST_COME : PARTITION_LEXIMIN;
    in->site_limit_w = happens(draw, 50) ? 20000 * (int64_t)slots : INT64_MAX;
    uint32_t gap = 1 + instance_below(draw, 14);
    uint32_t without = (uint32_t)ONE_OF(draw, 0, 0, 30, 80);
    uint32_t was_closed = (uint32_t)ONE_OF(draw, 0, 50, 100);
    uint32_t next_gun = 0;
    for (uint32_t i = 0; i < slots; i++) {
        struct partition_slot *s = &in->slot[i];
        s->wants = i == next_gun;
        next_gun += s->wants ? gap + (happens(draw, 20) ? 1 : 0) : 0;
        s->order = (int64_t)instance_below(draw, 10000);
        s->mv = 800000;
        s->demand_w = INT32_MAX;
        s->modules = happens(draw, without) ? 0 : 2;
        for (uint32_t m = 0; m < s->modules; m++) {
            s->module[m] =
                (struct partition_module){.max_w = 10000 + (int32_t)instance_below(draw, 20000),
                                          .max_ma = 100000,
                                          .max_mv = 1000000,
                                          .min_mv = 150000};
        }
        s->edge_was_closed = happens(draw, was_closed);
        s->edge_max_ma = 1500000;
        s->edge_cost = 100 + instance_below(draw, 900);
    }
}
