#include "rt/planner/budget.h"

static int64_t clamped(int64_t w) {
    return w < 0 ? 0 : w > BUDGET_W_MAX ? BUDGET_W_MAX : w;
}

/* Sign of the order between the groups of a and b: negative when a's comes first, 0 in the same group. */
static int by_group(const struct budget *b, uint32_t first, uint32_t second) {
    const struct budget_claim *a = &b->claim[first], *c = &b->claim[second];
    if (b->first_come && a->order != c->order) {
        return a->order < c->order ? -1 : 1;
    }
    return (int)a->priority_class - (int)c->priority_class;
}

static bool before(const struct budget *b, uint32_t first, uint32_t second) {
    const int groups = by_group(b, first, second);
    return groups != 0 ? groups < 0 : b->claim[first].demand_w < b->claim[second].demand_w;
}

void budget_init(struct budget *b, const struct budget_claim *claim, uint32_t count,
                 bool first_come) {
    assert(count <= RM_SLOTS_MAX);
    b->count = count;
    b->first_come = first_come;
    for (uint32_t i = 0; i < count; i++) {
        b->claim[i] = claim[i];
        b->claim[i].demand_w = clamped(claim[i].demand_w);
        uint32_t place = i;
        while (place > 0 && before(b, i, b->order[place - 1])) {
            b->order[place] = b->order[place - 1];
            place--;
        }
        b->order[place] = (uint16_t)i;
    }
}

/* End of the group that begins at place k. */
static uint32_t group_end(const struct budget *b, uint32_t k) {
    const uint32_t first = b->order[k];
    while (k < b->count && by_group(b, first, b->order[k]) == 0) {
        k++;
    }
    return k;
}

/* Water-fills one group and returns what it leaves: nothing unless everyone in it is satisfied. */
static int64_t fill_group(const struct budget *b, uint32_t from, uint32_t to, int64_t rest_w,
                          int64_t *grant_w) {
    uint32_t k = from;
    for (; k < to; k++) {
        const int64_t demand_w = b->claim[b->order[k]].demand_w;
        if (demand_w * (to - k) > rest_w) {
            break; /* this one and all that follow want more than the level */
        }
        grant_w[b->order[k]] = demand_w;
        rest_w -= demand_w;
    }
    if (k == to) {
        return rest_w;
    }
    const int64_t level_w = rest_w / (to - k);
    for (; k < to; k++) {
        grant_w[b->order[k]] = level_w;
    }
    return 0;
}

void budget_fill(const struct budget *b, int64_t limit_w, int64_t *grant_w) {
    int64_t rest_w = clamped(limit_w);
    for (uint32_t k = 0; k < b->count;) {
        const uint32_t end = group_end(b, k);
        rest_w = fill_group(b, k, end, rest_w, grant_w);
        k = end;
    }
}

int64_t budget_offer(const struct budget *b, int64_t limit_w, uint32_t i) {
    assert(i < b->count);
    int64_t rest_w = clamped(limit_w);
    uint32_t k = 0;
    while (k < b->count && by_group(b, b->order[k], i) < 0) {
        const int64_t demand_w = b->claim[b->order[k]].demand_w;
        rest_w = demand_w < rest_w ? rest_w - demand_w : 0;
        k++;
    }
    int64_t others = (int64_t)group_end(b, k) - k;
    for (; others > 1; k++) {
        const int64_t demand_w = b->claim[b->order[k]].demand_w;
        if (b->order[k] == i) {
            continue;
        }
        if (demand_w * others > rest_w) {
            break;
        }
        rest_w -= demand_w;
        others--;
    }
    assert(others >= 1); /* claim i itself is one of its group */
    return rest_w / others;
}

bool budget_is_behind(const struct budget *b, uint32_t i) {
    assert(i < b->count);
    for (uint32_t k = 0; k < b->count && by_group(b, b->order[k], i) < 0; k++) {
        if (b->claim[b->order[k]].demand_w > 0) {
            return true;
        }
    }
    return false;
}

void budget_transition(const struct budget *b, int64_t limit_w, const int64_t *target_w,
                       const int64_t *held_w, int64_t unheld_w, int64_t *grant_w) {
    struct budget_claim raise[RM_SLOTS_MAX];
    int64_t raised_w[RM_SLOTS_MAX] = {0};
    int64_t free_w = (limit_w < BUDGET_W_MAX ? limit_w : BUDGET_W_MAX) - clamped(unheld_w);
    for (uint32_t i = 0; i < b->count; i++) {
        const int64_t held = clamped(held_w[i]);
        free_w -= held;
        raise[i] = b->claim[i];
        raise[i].demand_w = target_w[i] > held ? target_w[i] - held : 0;
        grant_w[i] = target_w[i] < held ? target_w[i] : held;
    }
    struct budget raises;
    budget_init(&raises, raise, b->count, b->first_come);
    budget_fill(&raises, free_w, raised_w);
    for (uint32_t i = 0; i < b->count; i++) {
        grant_w[i] += raised_w[i];
    }
}
