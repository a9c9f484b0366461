#include "rt/planner/modules.h"

#include <string.h>

#define CANDIDATES_MAX (ISLAND_SLOTS_MAX * RM_MODULES_PER_SLOT_MAX)

struct candidate {
    uint16_t place; /* in the island */
    uint8_t module;
    uint8_t distance; /* from the gun, in slots */
    uint32_t operations;
    int32_t able_ma;
};

void modules_init(struct modules *m) {
    memset(m, 0, sizeof *m);
    memset(m->feeds, -1, sizeof m->feeds);
}

void modules_release(struct modules *m, uint32_t slot) {
    m->run[slot] = 0;
    m->feeds[slot] = -1;
    m->spare_us[slot] = 0;
}

/* Which of two is rather used. What is left equal is decided clockwise of the gun first: turning the ring turns it. */
static bool is_better(const struct candidate *a, const struct candidate *b, uint32_t home) {
    if (a->distance != b->distance) {
        return a->distance < b->distance;
    }
    if (a->operations != b->operations) {
        return a->operations < b->operations;
    }
    if (a->able_ma != b->able_ma) {
        return a->able_ma > b->able_ma;
    }
    if ((a->place >= home) != (b->place >= home)) {
        return a->place >= home;
    }
    return a->module < b->module;
}

static uint32_t list(const struct plan_input *in, const struct island *island,
                     struct candidate *out) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < island->slots; k++) {
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            if (island->able_ma[k][j] <= 0) {
                continue;
            }
            const struct candidate c = {
                .place = (uint16_t)k,
                .module = (uint8_t)j,
                .distance = (uint8_t)(k < island->home ? island->home - k : k - island->home),
                .operations = in->slot[island->slot[k]].module[j].operations,
                .able_ma = island->able_ma[k][j]};
            uint32_t place = n++;
            while (place > 0 && is_better(&c, &out[place - 1], island->home)) {
                out[place] = out[place - 1];
                place--;
            }
            out[place] = c;
        }
    }
    return n;
}

static uint8_t *run_of(struct modules *m, const struct island *island, const struct candidate *c) {
    return &m->run[island->slot[c->place]];
}

static bool runs(struct modules *m, const struct island *island, const struct candidate *c) {
    return ((unsigned)*run_of(m, island, c) >> c->module & 1u) != 0;
}

static void set(struct modules *m, const struct island *island, const struct candidate *c,
                bool on) {
    const uint8_t bit = (uint8_t)(1u << c->module);
    uint8_t *run = run_of(m, island, c);
    *run = on ? (uint8_t)(*run | bit) : (uint8_t)(*run & ~bit);
}

/* Modules that cannot give anything any more do not run. */
static void drop_unable(struct modules *m, const struct island *island, uint32_t gun) {
    for (uint32_t k = 0; k < island->slots; k++) {
        const uint32_t slot = island->slot[k];
        if (m->feeds[slot] != (int16_t)gun) {
            m->run[slot] = 0;
            m->feeds[slot] = (int16_t)gun;
        }
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            if (island->able_ma[k][j] <= 0) {
                m->run[slot] = (uint8_t)((unsigned)m->run[slot] & ~(1u << j));
            }
        }
    }
}

/* What those that run bring to the gun through the boundaries. */
static int64_t carried_ma(const struct modules *m, const struct plan_input *in,
                          const struct island *island) {
    struct island running = *island;
    island_keep(&running, m->run);
    return island_cap_edges(in, &running);
}

/* The last in the order that runs, when it is not the only one. */
static const struct candidate *dispensable(struct modules *m, const struct island *island,
                                           const struct candidate *candidate, uint32_t n) {
    const struct candidate *last = NULL;
    uint32_t running = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (runs(m, island, &candidate[k])) {
            last = &candidate[k];
            running++;
        }
    }
    return running > 1 ? last : NULL;
}

/* Takes more modules until they carry what is needed; one behind a boundary that is full already brings nothing. */
static void take(struct modules *m, const struct plan_input *in, const struct island *island,
                 const struct candidate *candidate, uint32_t n, int64_t need_ma, bool all) {
    int64_t have_ma = carried_ma(m, in, island);
    for (uint32_t k = 0; k < n && (all || have_ma == 0 || have_ma < need_ma); k++) {
        if (runs(m, island, &candidate[k])) {
            continue;
        }
        set(m, island, &candidate[k], true);
        const int64_t with_ma = carried_ma(m, in, island);
        if (with_ma <= have_ma) {
            set(m, island, &candidate[k], false);
        } else {
            have_ma = with_ma;
        }
    }
}

static bool would_do_without(struct modules *m, const struct plan_input *in,
                             const struct island *island, const struct candidate *spare,
                             int64_t need_ma) {
    set(m, island, spare, false);
    const int64_t without_ma = carried_ma(m, in, island);
    set(m, island, spare, true);
    return without_ma * 1000 >= need_ma * MODULES_SPARE_PERMILLE;
}

void modules_choose(struct modules *m, const struct plan_input *in, const struct island *island,
                    uint32_t gun, int64_t need_ma) {
    struct candidate candidate[CANDIDATES_MAX];
    const bool starts = m->feeds[gun] != (int16_t)gun;
    const uint32_t n = list(in, island, candidate);
    drop_unable(m, island, gun);
    take(m, in, island, candidate, n, need_ma, starts);
    const struct candidate *spare = starts ? NULL : dispensable(m, island, candidate, n);
    if (spare == NULL || !would_do_without(m, in, island, spare, need_ma)) {
        m->spare_us[gun] = 0;
    } else if (m->spare_us[gun] == 0) {
        m->spare_us[gun] = in->now_us;
    } else if (in->now_us - m->spare_us[gun] >= MODULES_SPARE_US) {
        set(m, island, spare, false);
        m->spare_us[gun] = 0;
    }
}
