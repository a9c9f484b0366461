#include "benchmarks/service/watch.h"

#include <string.h>

void watch_init(struct watch *w) {
    memset(w, 0, sizeof *w);
    for (int i = 0; i < DAY_GUNS; i++) {
        w->since_s[i] = w->wanted_s[i] = -1;
    }
}

static bool is_lent(const struct watch *w, int gun) {
    return w->conducts[gun] || w->conducts[(gun + DAY_GUNS - 1) % DAY_GUNS];
}

void watch_plug(struct watch *w, int gun, double t) {
    w->wanted_s[gun] = is_lent(w, gun) ? t : -1;
}

void watch_cable_check(struct watch *w, int gun, struct tally *tally) {
    tally->late_reclaims += w->wanted_s[gun] >= 0;
}

void watch_step(struct watch *w, const bool target[DAY_GUNS], const bool conducts[DAY_GUNS],
                double t, struct tally *tally) {
    for (int i = 0; i < DAY_GUNS; i++) {
        if (target[i] != w->target[i]) {
            w->since_s[i] = target[i] != w->conducts[i] ? t : -1;
        }
        w->target[i] = target[i];
        tally->closings += conducts[i] && !w->conducts[i];
        w->conducts[i] = conducts[i];
        if (w->since_s[i] >= 0 && conducts[i] == target[i]) {
            tally_time(target[i] ? &tally->merge : &tally->split, t - w->since_s[i]);
            w->since_s[i] = -1;
        }
    }
    for (int i = 0; i < DAY_GUNS; i++) {
        if (w->wanted_s[i] >= 0 && !is_lent(w, i)) {
            tally_time(&tally->reclaim, t - w->wanted_s[i]);
            w->wanted_s[i] = -1;
        }
    }
}
