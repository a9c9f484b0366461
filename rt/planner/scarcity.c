#include "rt/planner/scarcity.h"

static bool before(const struct scarcity *s, const struct scarcity_claim *claim, uint32_t a,
                   uint32_t b) {
    if (claim[a].priority_class != claim[b].priority_class) {
        return claim[a].priority_class < claim[b].priority_class;
    }
    if (s->queue_us[a] != s->queue_us[b]) {
        return s->queue_us[a] < s->queue_us[b];
    }
    return claim[a].arrival_us < claim[b].arrival_us;
}

static void enter_queue(struct scarcity *s, const struct scarcity_claim *claim, uint32_t i) {
    if (!claim[i].active) {
        s->queue_us[i] = 0;
        s->suspended_us[i] = 0;
    } else if (s->queue_us[i] == 0) {
        s->queue_us[i] = claim[i].arrival_us > 0 ? claim[i].arrival_us : 1;
    }
}

static uint32_t sort(const struct scarcity *s, const struct scarcity_claim *claim, uint32_t count,
                     uint16_t *order) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!claim[i].active) {
            continue;
        }
        uint32_t place = n++;
        while (place > 0 && before(s, claim, i, order[place - 1])) {
            order[place] = order[place - 1];
            place--;
        }
        order[place] = (uint16_t)i;
    }
    return n;
}

static bool pauses(const struct scarcity *s, uint32_t i, int64_t now_us) {
    return s->suspended_us[i] != 0 && now_us - s->suspended_us[i] < SCARCITY_PAUSE_US;
}

/* Moves the longest served of a class behind those who wait, as many as wait. order: the class alone, in queue order. */
static void rotate(struct scarcity *s, const uint16_t *order, uint32_t n, uint32_t waiting,
                   int64_t now_us) {
    int64_t place_us = now_us;
    for (uint32_t k = 0; k < n && waiting > 0; k++) {
        if (s->suspended_us[order[k]] == 0) {
            s->queue_us[order[k]] = place_us++;
            waiting--;
        }
    }
}

static void take_turns(struct scarcity *s, const struct scarcity_claim *claim,
                       const uint16_t *order, uint32_t n, int64_t rotation_us, int64_t now_us) {
    for (uint32_t k = 0; k < n;) {
        const uint8_t class = claim[order[k]].priority_class;
        uint32_t end = k, waiting = 0;
        for (; end < n && claim[order[end]].priority_class == class; end++) {
            waiting += s->suspended_us[order[end]] != 0;
        }
        int64_t *turned_us = &s->turned_us[class];
        if (waiting == 0) {
            *turned_us = 0;
        } else if (rotation_us > 0 && now_us - *turned_us >= rotation_us) {
            *turned_us = now_us;
            rotate(s, &order[k], end - k, waiting, now_us);
        }
        k = end;
    }
}

void scarcity_choose(struct scarcity *s, const struct scarcity_claim *claim, uint32_t count,
                     int64_t limit_w, int64_t rotation_us, int64_t now_us, bool *suspended) {
    uint16_t order[RM_SLOTS_MAX];
    assert(count <= RM_SLOTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert(claim[i].priority_class < SCARCITY_CLASSES);
        suspended[i] = false;
        enter_queue(s, claim, i);
    }
    uint32_t n = sort(s, claim, count, order);
    take_turns(s, claim, order, n, rotation_us, now_us);
    n = sort(s, claim, count, order);
    int64_t left_w = limit_w;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t i = order[k];
        if (claim[i].least_w > left_w || pauses(s, i, now_us)) {
            suspended[i] = true;
            int64_t *turned_us = &s->turned_us[claim[i].priority_class];
            *turned_us = *turned_us != 0 ? *turned_us : now_us;
            s->suspended_us[i] = s->suspended_us[i] != 0 ? s->suspended_us[i] : now_us;
        } else {
            left_w -= claim[i].least_w;
            s->suspended_us[i] = 0;
        }
    }
}
