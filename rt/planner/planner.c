#include "rt/planner/planner.h"

#include <string.h>

#include "rt/planner/budget.h"

#define SPARE_US       10000000 /* a module is let go when one fewer has sufficed this long */
#define SPARE_PERMILLE 1150     /* ... with this much in reserve */

/* What one gun could use, before the site is shared. Power is counted at the modules' input and at the set voltage, as
 * the guard's books do (S12); the current a power bound allows is taken at the voltage measured on the bus. */
struct wish {
    bool serves; /* CHARGING: claims by its vehicle's wish */
    bool holds;  /* before and after: claims what cable check, precharge or weld test need */
    int32_t set_mv, now_mv;
    int32_t bound_ma; /* least of all bounds but the site's */
    enum limit_reason bound;
    int64_t demand_w;
    int64_t hardware_w; /* output power without regard to the vehicle and the site: for the offer */
    uint8_t able;       /* bit per module: healthy and on the bus */
};

void planner_init(struct planner_state *state) {
    memset(state, 0, sizeof *state);
}

static int32_t current_for(int64_t power_w, int32_t mv) {
    const int64_t ma = mv <= 0 || power_w <= 0 ? 0 : power_w * 1000000 / mv;
    return (int32_t)(ma > INT32_MAX ? INT32_MAX : ma);
}

static int64_t output_of(int64_t input_w, int32_t efficiency_permille) {
    return input_w * efficiency_permille / 1000;
}

static int64_t input_for(int64_t power_uw, int32_t efficiency_permille) {
    const int64_t per_w = (int64_t)efficiency_permille * 1000;
    return (power_uw + per_w - 1) / per_w;
}

static uint32_t modules_of(const struct plan_slot *s) {
    return s->module_count < RM_MODULES_PER_SLOT_MAX ? s->module_count : RM_MODULES_PER_SLOT_MAX;
}

/* The most one module gives at that voltage; nothing before it is on the bus. */
static int32_t module_ma(const struct plan_module *m, int32_t set_mv, int32_t now_mv) {
    if (!m->healthy || !m->connected || (m->max_mv > 0 && set_mv > m->max_mv)) {
        return 0;
    }
    const int32_t by_power_ma = current_for(m->capability_w, now_mv);
    const int32_t ma = m->capability_ma < by_power_ma ? m->capability_ma : by_power_ma;
    return ma > 0 ? ma : 0;
}

static void bound_by(struct wish *w, int64_t ma, enum limit_reason reason) {
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
    const int32_t ma =
        s->connector_max_ma < s->cable_max_ma ? s->connector_max_ma : s->cable_max_ma;
    return (int64_t)ma * permille / 1000;
}

/* Step A, one gun: the least of all bounds and which one it is. In a tie the earlier one names the reason. */
static void bound_gun(const struct plan_slot *s, struct wish *w) {
    w->bound_ma = INT32_MAX;
    w->bound = LIMIT_REASON_NONE;
    bound_by(w, s->target_ma, LIMIT_REASON_VEHICLE);
    if (s->ev_max_ma > 0) {
        bound_by(w, s->ev_max_ma, LIMIT_REASON_VEHICLE);
    }
    if (s->ev_max_w > 0) {
        bound_by(w, current_for(s->ev_max_w, w->now_mv), LIMIT_REASON_VEHICLE);
    }
    bound_by(w, s->connector_max_ma, LIMIT_REASON_CONNECTOR);
    bound_by(w, current_for(s->connector_max_w, w->now_mv), LIMIT_REASON_CONNECTOR);
    bound_by(w, s->cable_max_ma, LIMIT_REASON_CABLE);
    bound_by(w, derated_ma(s), LIMIT_REASON_TEMPERATURE);
    if (s->profile_limit_w != INT64_MAX) {
        bound_by(w, current_for(s->profile_limit_w, w->now_mv), LIMIT_REASON_PROFILE);
    }
    int64_t modules_ma = 0;
    for (uint32_t j = 0; j < modules_of(s); j++) {
        modules_ma += module_ma(&s->module[j], w->set_mv, w->now_mv);
    }
    bound_by(w, modules_ma, LIMIT_REASON_MODULES);
    if (s->faulted) {
        bound_by(w, 0, LIMIT_REASON_FAULT);
    }
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t hardware_w(const struct plan_slot *s, const struct wish *w) {
    const int32_t mv = w->set_mv > 0 ? w->now_mv : s->connector_max_mv;
    int64_t modules_w = 0;
    for (uint32_t j = 0; j < modules_of(s); j++) {
        if (s->module[j].healthy && s->module[j].capability_w > 0) {
            modules_w += s->module[j].capability_w;
        }
    }
    const int64_t ma = least(least(s->connector_max_ma, s->cable_max_ma), derated_ma(s));
    int64_t power_w = least(least(s->connector_max_w, modules_w), ma * mv / 1000000);
    power_w = least(power_w, s->profile_limit_w);
    return s->faulted || power_w < 0 ? 0 : power_w;
}

static bool is_starting(enum gun_state state) {
    return state >= GUN_STATE_AUTHORISED && state <= GUN_STATE_CLOSING;
}

static void look_at_gun(const struct plan_slot *s, int32_t i_cc_ma, int32_t efficiency,
                        struct wish *w) {
    memset(w, 0, sizeof *w);
    if (!s->has_gun) {
        return;
    }
    for (uint32_t j = 0; j < modules_of(s); j++) {
        if (s->module[j].healthy) {
            w->able = (uint8_t)(w->able | 1u << j);
        }
    }
    w->serves = s->served && !s->ramping_down;
    w->holds = !w->serves && (s->demands || s->ramping_down || is_starting(s->state));
    if (s->target_mv > 0) {
        w->set_mv = (int32_t)least(s->target_mv, s->connector_max_mv);
        w->set_mv = s->ev_max_mv > 0 ? (int32_t)least(w->set_mv, s->ev_max_mv) : w->set_mv;
    }
    /* Half a percent above the measurement, so that a rising battery does not overtake M6 between two cycles. */
    const int64_t measured_mv = (int64_t)s->bus_mv + s->bus_mv / 200;
    w->now_mv =
        w->serves && s->bus_mv > w->set_mv / 2 ? (int32_t)least(measured_mv, w->set_mv) : w->set_mv;
    w->hardware_w = hardware_w(s, w);
    if (w->serves && w->set_mv > 0) {
        bound_gun(s, w);
        w->demand_w = input_for((int64_t)w->bound_ma * w->set_mv, efficiency);
    } else if (w->holds) {
        w->demand_w =
            s->faulted ? 0 : input_for((int64_t)i_cc_ma * s->connector_max_mv, efficiency);
    }
}

/* Reduce before raise (S13): a gun may rise only into power that nobody holds any more. What a gun holds is the larger of
 * the guard's books and of its budget of the last cycle, which the guard may still be following. */
static void reduce_before_raise(const struct planner_state *state, const struct plan_input *in,
                                uint32_t n, const struct budget_claim *claim,
                                const int64_t *target_w, int64_t *grant_w) {
    struct budget_claim raise[RM_SLOTS_MAX] = {0};
    int64_t raised_w[RM_SLOTS_MAX];
    int64_t free_w = in->site_limit_w < BUDGET_W_MAX ? in->site_limit_w : BUDGET_W_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t committed_w = in->slot[i].committed_w > 0 ? in->slot[i].committed_w : 0;
        const int64_t held_w = committed_w > state->budget_w[i] ? committed_w : state->budget_w[i];
        free_w -= held_w;
        raise[i].weight = claim[i].weight;
        raise[i].demand_w = target_w[i] > held_w ? target_w[i] - held_w : 0;
        grant_w[i] = target_w[i] < held_w ? target_w[i] : held_w;
    }
    struct budget b;
    budget_init(&b, raise, n);
    budget_fill(&b, free_w, raised_w);
    for (uint32_t i = 0; i < n; i++) {
        grant_w[i] += raised_w[i];
    }
}

/* Step B: as few modules as carry the current, let go late, taken at once. A new session starts with all of them. */
static uint8_t choose_modules(struct planner_state *state, uint32_t slot, int64_t now_us,
                              const struct wish *w, const int32_t *able_ma, uint32_t count,
                              int32_t need_ma) {
    uint8_t mask = state->run_mask[slot] & w->able;
    if (mask == 0) {
        state->spare_since_us[slot] = 0;
        return w->able;
    }
    int64_t have_ma = 0;
    for (uint32_t j = 0; j < count; j++) {
        have_ma += (mask & (1u << j)) != 0 ? able_ma[j] : 0;
    }
    for (uint32_t j = 0; j < count && have_ma < need_ma; j++) {
        if ((mask & (1u << j)) == 0 && able_ma[j] > 0) {
            mask |= (uint8_t)(1u << j);
            have_ma += able_ma[j];
        }
    }
    uint32_t least_j = count;
    for (uint32_t j = 0; j < count; j++) {
        if ((mask & (1u << j)) != 0 && (least_j == count || able_ma[j] <= able_ma[least_j])) {
            least_j = j;
        }
    }
    const bool spare = __builtin_popcount(mask) > 1 && least_j < count &&
                       (have_ma - able_ma[least_j]) * 1000 >= (int64_t)need_ma * SPARE_PERMILLE;
    if (!spare) {
        state->spare_since_us[slot] = 0;
    } else if (state->spare_since_us[slot] == 0) {
        state->spare_since_us[slot] = now_us;
    } else if (now_us - state->spare_since_us[slot] >= SPARE_US) {
        mask &= (uint8_t) ~(1u << least_j);
        state->spare_since_us[slot] = 0;
    }
    return mask;
}

/* Steps C and E: every healthy module on the bus, the chosen ones sharing the current by what each can give. */
static void write_modules(struct planner_state *state, uint32_t slot, const struct plan_input *in,
                          const struct wish *w, int32_t total_ma, struct proposal_slot *out) {
    const struct plan_slot *s = &in->slot[slot];
    int32_t able_ma[RM_MODULES_PER_SLOT_MAX] = {0};
    for (uint32_t j = 0; j < modules_of(s); j++) {
        able_ma[j] = module_ma(&s->module[j], w->set_mv, w->now_mv);
    }
    const uint8_t mask =
        choose_modules(state, slot, in->now_us, w, able_ma, modules_of(s), total_ma);
    state->run_mask[slot] = mask;
    int64_t sum_ma = 0;
    for (uint32_t j = 0; j < modules_of(s); j++) {
        sum_ma += (mask & (1u << j)) != 0 ? able_ma[j] : 0;
    }
    for (uint32_t j = 0; j < modules_of(s); j++) {
        struct proposal_module *m = &out->module[j];
        m->mn = s->module[j].healthy;
        m->run = (mask & (1u << j)) != 0 && able_ma[j] > 0;
        m->set_mv = m->run ? w->set_mv : 0;
        m->set_ma = m->run ? (int32_t)((int64_t)total_ma * able_ma[j] / sum_ma) : 0;
    }
}

static void write_slot(struct planner_state *state, uint32_t slot, const struct plan_input *in,
                       int32_t efficiency, const struct wish *w, int64_t target_w, int64_t grant_w,
                       struct proposal_slot *out) {
    const struct plan_slot *s = &in->slot[slot];
    memset(out, 0, sizeof *out);
    out->owner = s->has_gun && (s->demands || s->ramping_down) ? (int16_t)slot : -1;
    state->budget_w[slot] = (int32_t)least(grant_w, INT32_MAX);
    if (!w->serves) {
        state->run_mask[slot] = 0;
        for (uint32_t j = 0; w->holds && j < modules_of(s); j++) {
            out->module[j].mn = s->module[j].healthy;
        }
        out->budget_w = (int32_t)least(output_of(grant_w, efficiency), INT32_MAX);
        out->reason = s->faulted ? LIMIT_REASON_FAULT
                      : grant_w < w->demand_w
                          ? (target_w < w->demand_w ? in->site_limit_reason : LIMIT_REASON_RAMP)
                          : LIMIT_REASON_NONE;
        return;
    }
    out->reason = grant_w >= w->demand_w                          ? w->bound
                  : target_w < w->demand_w && grant_w >= target_w ? in->site_limit_reason
                                                                  : LIMIT_REASON_RAMP;
    int32_t total_ma = w->bound_ma;
    if (grant_w < w->demand_w) {
        const int32_t granted_ma = current_for(output_of(grant_w, efficiency), w->set_mv);
        total_ma = granted_ma < total_ma ? granted_ma : total_ma;
    }
    if (w->set_mv <= 0) {
        total_ma = 0;
    }
    out->budget_w = (int32_t)((int64_t)total_ma * w->now_mv / 1000000);
    write_modules(state, slot, in, w, total_ma, out);
}

/* What cable check, precharge and weld test need comes first (it is little, and its lack ends a session), the rest is
 * shared among those that charge. */
static void share_site(const struct plan_input *in, uint32_t n, const struct wish *wish,
                       struct budget_claim *claim, int64_t *target_w, int64_t *offer_w) {
    struct budget_claim hold[RM_SLOTS_MAX] = {0};
    int64_t hold_w[RM_SLOTS_MAX];
    struct budget b;
    for (uint32_t i = 0; i < n; i++) {
        claim[i].weight = budget_weight(in->slot[i].priority_class);
        claim[i].demand_w = wish[i].serves ? wish[i].demand_w : 0;
        hold[i].weight = claim[i].weight;
        hold[i].demand_w = wish[i].holds ? wish[i].demand_w : 0;
    }
    budget_init(&b, hold, n);
    budget_fill(&b, in->site_limit_w, hold_w);
    int64_t rest_w = in->site_limit_w;
    for (uint32_t i = 0; i < n; i++) {
        rest_w -= hold_w[i];
    }
    budget_init(&b, claim, n);
    budget_fill(&b, rest_w, target_w);
    for (uint32_t i = 0; i < n; i++) {
        offer_w[i] = in->slot[i].has_gun ? budget_offer(&b, rest_w, i) : 0;
        target_w[i] += hold_w[i];
    }
}

static int32_t sane_efficiency(int32_t permille) {
    return permille < 500 ? 500 : permille > 1000 ? 1000 : permille;
}

void planner_step(struct planner_state *state, const struct plan_input *input,
                  struct proposal *out) {
    struct wish wish[RM_SLOTS_MAX];
    struct budget_claim claim[RM_SLOTS_MAX] = {0};
    int64_t target_w[RM_SLOTS_MAX], grant_w[RM_SLOTS_MAX], offer_w[RM_SLOTS_MAX];
    const struct plan_input *in = input;
    const uint32_t n = in->slots < RM_SLOTS_MAX ? in->slots : RM_SLOTS_MAX;
    const int32_t efficiency = sane_efficiency(in->efficiency_permille);
    out->seq = in->seq;
    out->input_us = in->now_us;
    out->slots = n;
    out->guide_slot = -1;
    for (uint32_t i = 0; i < n; i++) {
        look_at_gun(&in->slot[i], in->i_cc_ma, efficiency, &wish[i]);
    }
    share_site(in, n, wish, claim, target_w, offer_w);
    reduce_before_raise(state, in, n, claim, target_w, grant_w);
    for (uint32_t i = 0; i < n; i++) {
        write_slot(state, i, in, efficiency, &wish[i], target_w[i], grant_w[i], &out->slot[i]);
        const int64_t offered_w = least(wish[i].hardware_w, output_of(offer_w[i], efficiency));
        out->slot[i].offered_w = (int32_t)least(offered_w, INT32_MAX);
    }
    state->cycles++;
}
