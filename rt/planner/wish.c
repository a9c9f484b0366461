#include "rt/planner/wish.h"

#include <string.h>

#define FOLLOW_MV       5000 /* the set voltage stands this and .. */
#define FOLLOW_PERMILLE 20   /* .. this part above the measured one */
#define CLASS_MAX       7

int32_t wish_current_ma(int64_t power_w, int32_t mv) {
    if (mv <= 0 || power_w <= 0) {
        return 0;
    }
    if (power_w > INT32_MAX) {
        power_w = INT32_MAX;
    }
    const int64_t ma = power_w * 1000000 / mv;
    return (int32_t)(ma > INT32_MAX ? INT32_MAX : ma);
}

int64_t wish_output_w(int64_t input_w, int32_t efficiency_permille) {
    return input_w * efficiency_permille / 1000;
}

int64_t wish_input_w(int64_t power_uw, int32_t efficiency_permille) {
    const int64_t per_w = (int64_t)efficiency_permille * 1000;
    return (power_uw + per_w - 1) / per_w;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int32_t wish_follow_mv(int32_t last_set_mv, int32_t bus_mv, int32_t limit_mv) {
    const int64_t margin_mv = FOLLOW_MV + (int64_t)bus_mv * FOLLOW_PERMILLE / 1000;
    if (limit_mv <= 0 || bus_mv <= limit_mv / 2) {
        return limit_mv > 0 ? limit_mv : 0; /* not measured, or far from what it should be */
    }
    const int64_t gap_mv = (int64_t)last_set_mv - bus_mv;
    if (last_set_mv <= limit_mv && gap_mv >= margin_mv / 2 && gap_mv <= margin_mv * 3 / 2) {
        return last_set_mv;
    }
    const int64_t wanted_mv = (bus_mv + margin_mv + 999) / 1000 * 1000;
    return (int32_t)least(wanted_mv, limit_mv);
}

void wish_bound(struct wish *w, int64_t ma, enum limit_reason reason) {
    if (ma < 0) {
        ma = 0;
    }
    if (ma < w->bound_ma) {
        w->bound_ma = (int32_t)ma;
        w->bound = reason;
    }
}

static int64_t derated_ma(const struct plan_slot *s) {
    const int32_t permille = s->derate_permille < 0      ? 0
                             : s->derate_permille > 1000 ? 1000
                                                         : s->derate_permille;
    return least(s->connector_max_ma, s->cable_max_ma) * permille / 1000;
}

/* A vehicle asks for no more than it was offered: then what bounds the offer bounds the vehicle. */
static enum limit_reason vehicle_reason(const struct plan_slot *s, const struct wish *w,
                                        const struct wish_memory *memory) {
    const int64_t asked_w = (int64_t)s->target_ma * w->now_mv / 1000000;
    return memory->offer_reason != LIMIT_REASON_NONE && memory->offered_w > 0 &&
                   asked_w * 100 >= (int64_t)memory->offered_w * 98
               ? memory->offer_reason
               : LIMIT_REASON_VEHICLE;
}

/* The least of all bounds but modules, boundaries and site, and which one it is. In a tie the earlier one names it. */
static void ask(const struct plan_slot *s, const struct wish_memory *memory, struct wish *w) {
    w->bound_ma = INT32_MAX;
    w->bound = LIMIT_REASON_NONE;
    wish_bound(w, s->target_ma, vehicle_reason(s, w, memory));
    if (s->ev_max_ma > 0) {
        wish_bound(w, s->ev_max_ma, LIMIT_REASON_VEHICLE);
    }
    if (s->ev_max_w > 0) {
        wish_bound(w, wish_current_ma(s->ev_max_w, w->now_mv), LIMIT_REASON_VEHICLE);
    }
    wish_bound(w, s->connector_max_ma, LIMIT_REASON_CONNECTOR);
    wish_bound(w, wish_current_ma(s->connector_max_w, w->now_mv), LIMIT_REASON_CONNECTOR);
    wish_bound(w, s->cable_max_ma, LIMIT_REASON_CABLE);
    wish_bound(w, derated_ma(s), LIMIT_REASON_TEMPERATURE);
    if (s->profile_limit_w != INT64_MAX) {
        wish_bound(w, wish_current_ma(s->profile_limit_w, w->now_mv), LIMIT_REASON_PROFILE);
    }
    if (s->faulted) {
        wish_bound(w, 0, LIMIT_REASON_FAULT);
    }
    w->ask_ma = w->bound_ma;
    w->ask_w = (int32_t)least((int64_t)w->ask_ma * w->now_mv / 1000000, INT32_MAX);
}

static int64_t gun_w(const struct plan_slot *s, const struct wish *w) {
    const int32_t mv = w->now_mv > 0 ? w->now_mv : s->connector_max_mv;
    const int64_t ma = least(least(s->connector_max_ma, s->cable_max_ma), derated_ma(s));
    const int64_t power_w = least(least(s->connector_max_w, ma * mv / 1000000), s->profile_limit_w);
    return s->faulted || power_w < 0 ? 0 : power_w;
}

static bool is_starting(enum gun_state state) {
    return state >= GUN_STATE_AUTHORISED && state <= GUN_STATE_CLOSING;
}

static uint8_t class_of(const struct plan_slot *s, const struct plan_rules *rules, int64_t now_us) {
    const uint8_t class = s->priority_class > CLASS_MAX ? CLASS_MAX : s->priority_class;
    const bool soon = rules->departure_soon_us > 0 && s->departure_us > now_us &&
                      s->departure_us - now_us <= rules->departure_soon_us;
    return soon && class > 0 ? class - 1 : class;
}

/* What the guard still books for this gun's own modules. */
static int32_t commanded_mv(const struct plan_slot *s) {
    int32_t mv = 0;
    for (uint32_t j = 0; j < s->module_count && j < RM_MODULES_PER_SLOT_MAX; j++) {
        mv = s->module[j].set_ma > 0 && s->module[j].set_mv > mv ? s->module[j].set_mv : mv;
    }
    return mv;
}

static void look_at_voltage(const struct plan_slot *s, struct wish_memory *memory, struct wish *w) {
    int64_t limit_mv = 0;
    if (s->target_mv > 0) {
        limit_mv = least(s->target_mv, s->connector_max_mv);
        limit_mv = s->ev_max_mv > 0 ? least(limit_mv, s->ev_max_mv) : limit_mv;
        limit_mv = limit_mv > 0 ? limit_mv : 0;
    }
    if (!w->serves) {
        memory->set_mv = 0;
        w->set_mv = w->now_mv = w->book_mv = (int32_t)limit_mv;
        return;
    }
    w->set_mv = wish_follow_mv(memory->set_mv, s->bus_mv, (int32_t)limit_mv);
    memory->set_mv = w->set_mv;
    /* Half a percent above the measurement, so that a rising battery does not overtake M6 between two cycles. */
    const int64_t measured_mv = (int64_t)s->bus_mv + s->bus_mv / 200;
    w->now_mv = s->bus_mv > limit_mv / 2 ? (int32_t)least(measured_mv, w->set_mv) : w->set_mv;
    const int32_t booked_mv = (int32_t)least(commanded_mv(s), limit_mv);
    w->book_mv = booked_mv > w->set_mv ? booked_mv : w->set_mv;
}

void wish_claim(struct wish *w, int32_t efficiency_permille) {
    w->demand_w = wish_input_w((int64_t)w->bound_ma * w->book_mv, efficiency_permille);
}

void wish_look(const struct plan_input *in, uint32_t slot, int32_t efficiency_permille,
               struct wish_memory *memory, struct wish *out) {
    const struct plan_slot *s = &in->slot[slot];
    memset(out, 0, sizeof *out);
    out->priority_class = class_of(s, &in->rules, in->now_us);
    if (!s->has_gun) {
        return;
    }
    out->serves = s->served && !s->ramping_down;
    out->holds = !out->serves && (s->demands || s->ramping_down || is_starting(s->state));
    look_at_voltage(s, memory, out);
    out->gun_w = gun_w(s, out);
    if (out->serves && out->set_mv > 0) {
        ask(s, memory, out);
        wish_claim(out, efficiency_permille);
    } else if (out->holds && !s->faulted) {
        out->demand_w =
            wish_input_w((int64_t)in->i_cc_ma * s->connector_max_mv, efficiency_permille);
    }
}
