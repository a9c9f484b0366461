#include "rt/planner/budget.h"

int32_t budget_weight(uint8_t priority_class) {
    return priority_class >= BUDGET_WEIGHT_MAX ? 1 : BUDGET_WEIGHT_MAX - priority_class;
}

static int64_t clamped(int64_t w) {
    return w < 0 ? 0 : w > BUDGET_W_MAX ? BUDGET_W_MAX : w;
}

/* a before b: less demand per weight; products stay below 1e13. */
static bool before(const struct budget_claim *a, const struct budget_claim *b) {
    return a->demand_w * b->weight < b->demand_w * a->weight;
}

void budget_init(struct budget *b, const struct budget_claim *claim, uint32_t count) {
    assert(count <= RM_SLOTS_MAX);
    b->count = count;
    b->weights = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t w = claim[i].weight;
        b->claim[i].demand_w = clamped(claim[i].demand_w);
        b->claim[i].weight = w < 1 ? 1 : w > BUDGET_WEIGHT_MAX ? BUDGET_WEIGHT_MAX : w;
        b->weights += b->claim[i].weight;
        uint32_t place = i;
        while (place > 0 && before(&b->claim[i], &b->claim[b->order[place - 1]])) {
            b->order[place] = b->order[place - 1];
            place--;
        }
        b->order[place] = (uint16_t)i;
    }
}

void budget_fill(const struct budget *b, int64_t limit_w, int64_t *grant_w) {
    int64_t rest_w = clamped(limit_w);
    int64_t weights = b->weights;
    uint32_t k = 0;
    for (; k < b->count; k++) {
        const struct budget_claim *c = &b->claim[b->order[k]];
        if (c->demand_w * weights > rest_w * c->weight) {
            break; /* this one and all that follow want more than the level */
        }
        grant_w[b->order[k]] = c->demand_w;
        rest_w -= c->demand_w;
        weights -= c->weight;
    }
    for (; k < b->count; k++) {
        grant_w[b->order[k]] = rest_w * b->claim[b->order[k]].weight / weights;
    }
}

int64_t budget_offer(const struct budget *b, int64_t limit_w, uint32_t i) {
    assert(i < b->count);
    int64_t rest_w = clamped(limit_w);
    int64_t weights = b->weights;
    for (uint32_t k = 0; k < b->count; k++) {
        const struct budget_claim *c = &b->claim[b->order[k]];
        if (b->order[k] == i) {
            continue;
        }
        if (c->demand_w * weights > rest_w * c->weight) {
            break;
        }
        rest_w -= c->demand_w;
        weights -= c->weight;
    }
    return rest_w * b->claim[i].weight / weights;
}
