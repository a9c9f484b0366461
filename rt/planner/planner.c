#include "rt/planner/planner.h"

#include <string.h>

#include "rt/planner/budget.h"
#include "rt/planner/setpoints.h"

#define MERGE_RESERVE_US 15000000 /* the site keeps room for a joining slot's precharge this long */

/* What one step works on. */
struct step {
    struct planner_state *state;
    const struct plan_input *in;
    struct proposal *out;
    uint32_t slots;
    int32_t efficiency;
    struct topology topology;
    struct islands_view view;
    struct contactors contactors;
    struct wish wish[RM_SLOTS_MAX];
    bool suspended[RM_SLOTS_MAX];
    struct island island; /* of the gun that is looked at */
    struct budget_claim claim[RM_SLOTS_MAX];
    struct budget budget;
    int64_t rest_w; /* of the site, for those that charge */
    int64_t hold_w[RM_SLOTS_MAX], least_w[RM_SLOTS_MAX];
    int64_t target_w[RM_SLOTS_MAX], grant_w[RM_SLOTS_MAX];
};

void planner_init(struct planner_state *state) {
    memset(state, 0, sizeof *state);
    holding_init(&state->holding);
    modules_init(&state->modules);
    guidance_init(&state->guidance);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- A: wishes --------------------------------------------------------------------------------------------- */

static void look_at_wishes(struct step *st) {
    for (uint32_t i = 0; i < st->slots; i++) {
        struct planner_state *state = st->state;
        wish_look(st->in, i, st->efficiency, &state->wish[i], &st->wish[i]);
        const struct wish *w = &st->wish[i];
        if (!w->serves || w->set_mv > 0) { /* missing targets are no pause */
            forecast_step(&state->forecast[i], w->serves, w->ask_w, st->in->now_us);
        }
    }
}

/* Power for the first merge of each gun: little, and without it nothing ever joins where the site is used up. */
static int64_t merge_w(const struct step *st, uint32_t gun) {
    const struct holding *h = &st->state->holding;
    const struct wish *w = &st->wish[gun];
    if (!w->serves || st->in->now_us - h->changed_us >= MERGE_RESERVE_US ||
        !st->contactors.pending[gun]) {
        return 0;
    }
    return wish_input_w((int64_t)st->in->i_cc_ma * w->set_mv, st->efficiency);
}

/* Least power of a vehicle, at the modules' input; no more than it wants. */
static int64_t least_w(const struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    const int64_t uw = (int64_t)st->in->rules.power_min_w * 1000000;
    return w->serves ? least(wish_input_w(uw, st->efficiency), w->demand_w) : 0;
}

static void choose_suspended(struct step *st) {
    struct scarcity_claim claim[RM_SLOTS_MAX];
    int64_t limit_w = st->in->site_limit_w;
    for (uint32_t i = 0; i < st->slots; i++) {
        const struct wish *w = &st->wish[i];
        claim[i] = (struct scarcity_claim){.active = w->serves,
                                           .priority_class = w->priority_class,
                                           .least_w = least_w(st, i),
                                           .arrival_us = st->in->slot[i].arrival_us};
        limit_w -= w->holds ? w->demand_w : 0;
    }
    const bool turns = st->in->rules.mode != SHARING_MODE_FIRST_COME;
    scarcity_choose(&st->state->scarcity, claim, st->slots, limit_w,
                    turns ? st->in->rules.rotation_us : 0, st->in->now_us, st->suspended);
}

/* ---- D: the arrangement ------------------------------------------------------------------------------------ */

static void arrange(struct step *st) {
    struct holding *h = &st->state->holding;
    const uint64_t solved = h->solved;
    st->view = (struct islands_view){.in = st->in,
                                     .topology = &st->topology,
                                     .wish = st->wish,
                                     .forecast = st->state->forecast,
                                     .suspended = st->suspended,
                                     .efficiency_permille = st->efficiency,
                                     .slots = st->slots};
    holding_step(h, &st->view);
    contactors_aim(h, &st->view, &st->contactors);
    holding_watch(h, st->in, st->slots, st->contactors.edge_closed);
    for (uint32_t i = 0; i < st->slots && h->solved != solved; i++) {
        st->state->reach_w[i] =
            st->in->slot[i].has_gun ? islands_reach_w(&h->question, i, NULL) : 0;
    }
    guidance_step(&st->state->guidance, &st->view, &h->question, h->owner, &h->scratch,
                  h->solved == solved);
}

/* ---- what conducts now --------------------------------------------------------------------------------------- */

static void collect(struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    island_collect(st->in, st->slots, st->contactors.feeds, gun, w->set_mv, w->now_mv, &st->island);
}

static void bound_by_island(struct step *st, uint32_t gun) {
    struct wish *w = &st->wish[gun];
    collect(st, gun);
    const int64_t modules_ma = island_sum_ma(&st->island);
    const int64_t through_ma = island_cap_edges(st->in, &st->island);
    if (through_ma < modules_ma) {
        wish_bound(w, through_ma, LIMIT_REASON_BOUNDARY);
    } else {
        wish_bound(w, modules_ma, LIMIT_REASON_MODULES);
    }
    wish_claim(w, st->efficiency);
    st->out->slot[gun].capacity_w = (int32_t)least(through_ma * w->now_mv / 1000000, INT32_MAX);
}

/* ---- A: the site shared -------------------------------------------------------------------------------------- */

/* What cable check, precharge, weld test and merging need comes first (it is little, and its lack ends a session), then
 * every vehicle's least power, unless it is suspended; the rest is shared among those that charge. */
static void share_site(struct step *st) {
    struct budget_claim first[RM_SLOTS_MAX];
    struct budget firsts;
    const bool first_come = st->in->rules.mode == SHARING_MODE_FIRST_COME;
    for (uint32_t i = 0; i < st->slots; i++) {
        const struct wish *w = &st->wish[i];
        const bool shares = w->serves && !st->suspended[i];
        st->least_w[i] = shares ? least_w(st, i) : 0;
        st->claim[i] = (struct budget_claim){.demand_w = shares ? w->demand_w - st->least_w[i] : 0,
                                             .priority_class = w->priority_class,
                                             .order = st->in->slot[i].arrival_us};
        first[i] = st->claim[i];
        first[i].demand_w = w->holds ? w->demand_w : merge_w(st, i);
    }
    budget_init(&firsts, first, st->slots, false);
    budget_fill(&firsts, st->in->site_limit_w, st->hold_w);
    st->rest_w = st->in->site_limit_w;
    for (uint32_t i = 0; i < st->slots; i++) {
        st->rest_w -= st->hold_w[i];
        first[i].demand_w = st->least_w[i];
    }
    budget_init(&firsts, first, st->slots, false);
    budget_fill(&firsts, st->rest_w, st->least_w);
    for (uint32_t i = 0; i < st->slots; i++) {
        st->rest_w -= st->least_w[i];
    }
    budget_init(&st->budget, st->claim, st->slots, first_come);
    budget_fill(&st->budget, st->rest_w, st->target_w);
    for (uint32_t i = 0; i < st->slots; i++) {
        st->target_w[i] += st->least_w[i];
    }
}

/* What a gun holds is the larger of the guard's books over all that conducts to it and of its budget of the last cycle,
 * which the guard may still be following. */
static void limit_rises(struct step *st) {
    int64_t held_w[RM_SLOTS_MAX] = {0}, unheld_w = 0;
    for (uint32_t i = 0; i < st->slots; i++) {
        const struct plan_slot *s = &st->in->slot[i];
        const int16_t feeds = st->topology.feeds[i];
        const int64_t committed_w = s->committed_w > 0 ? s->committed_w : 0;
        if (feeds >= 0 || s->has_gun) {
            held_w[feeds >= 0 ? feeds : (int16_t)i] += committed_w;
        } else {
            unheld_w += committed_w;
        }
    }
    for (uint32_t i = 0; i < st->slots; i++) {
        const int64_t last_w = st->state->budget_w[i];
        held_w[i] = held_w[i] > last_w ? held_w[i] : last_w;
        st->target_w[i] += st->wish[i].holds ? st->hold_w[i] : 0;
    }
    budget_transition(&st->budget, st->in->site_limit_w, st->target_w, held_w, unheld_w,
                      st->grant_w);
    for (uint32_t i = 0; i < st->slots; i++) {
        st->state->budget_w[i] = (int32_t)least(st->grant_w[i], INT32_MAX);
    }
}

/* ---- the proposal ------------------------------------------------------------------------------------------ */

/* Why a gun lacks what the site does not give it. */
static enum limit_reason site_reason(const struct step *st, uint32_t gun) {
    return budget_is_behind(&st->budget, gun) ? LIMIT_REASON_CLASS : st->in->site_limit_reason;
}

static enum limit_reason reason_of(const struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    const int64_t grant_w = st->grant_w[gun], target_w = st->target_w[gun];
    if (w->serves && st->suspended[gun]) {
        return site_reason(st, gun);
    }
    if (st->in->slot[gun].faulted) {
        return LIMIT_REASON_FAULT;
    }
    if (grant_w >= w->demand_w) {
        return w->serves ? w->bound : LIMIT_REASON_NONE;
    }
    return target_w < w->demand_w && grant_w >= target_w ? site_reason(st, gun) : LIMIT_REASON_RAMP;
}

/* The current that the grant allows, no more than the bounds. */
static int32_t granted_ma(const struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    if (w->set_mv <= 0 || st->suspended[gun]) {
        return 0;
    }
    if (st->grant_w[gun] >= w->demand_w) {
        return w->bound_ma;
    }
    const int64_t output_w = wish_output_w(st->grant_w[gun], st->efficiency);
    return (int32_t)least(wish_current_ma(output_w, w->book_mv), w->bound_ma);
}

static void write_gun(struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    struct proposal_slot *out = &st->out->slot[gun];
    out->reason = reason_of(st, gun);
    out->suspended = w->serves && st->suspended[gun];
    if (!w->serves) {
        out->budget_w = (int32_t)least(wish_output_w(st->grant_w[gun], st->efficiency), INT32_MAX);
        return;
    }
    const int32_t total_ma = granted_ma(st, gun);
    out->budget_w = (int32_t)((int64_t)total_ma * w->now_mv / 1000000);
    out->set_mv = w->set_mv;
    collect(st, gun);
    modules_choose(&st->state->modules, st->in, &st->island, gun, total_ma);
    setpoints_write(st->in, &st->island, &st->state->modules, w->set_mv, total_ma, st->out);
}

/* What the gun could get if its vehicle wanted more, and what bounds that. */
static void write_offer(struct step *st, uint32_t gun) {
    const struct wish *w = &st->wish[gun];
    struct wish_memory *memory = &st->state->wish[gun];
    const int64_t site_w = wish_output_w(
        st->least_w[gun] + budget_offer(&st->budget, st->rest_w, gun), st->efficiency);
    const int64_t reach_w = st->state->reach_w[gun];
    int64_t offer_w = w->gun_w;
    memory->offer_reason = LIMIT_REASON_NONE; /* gun, cable and profile have their own bounds */
    if (reach_w < offer_w) {
        offer_w = reach_w;
        memory->offer_reason = LIMIT_REASON_MODULES;
    }
    if (site_w < offer_w) {
        offer_w = site_w;
        memory->offer_reason = site_reason(st, gun);
    }
    memory->offered_w = (int32_t)least(offer_w, INT32_MAX);
    st->out->slot[gun].offered_w = memory->offered_w;
}

static int16_t owner_of(const struct step *st, uint32_t slot) {
    const struct plan_slot *s = &st->in->slot[slot];
    const int16_t aim = st->state->holding.owner[slot];
    return aim >= 0 ? aim : s->has_gun && (s->demands || s->ramping_down) ? (int16_t)slot : -1;
}

/* What concerns the slot rather than its gun. */
static void write_slot(struct step *st, uint32_t slot) {
    const struct plan_slot *s = &st->in->slot[slot];
    struct proposal_slot *out = &st->out->slot[slot];
    memset(out, 0, sizeof *out);
    out->edge_closed = st->contactors.edge_closed[slot];
    out->reclaim = st->contactors.reclaim[slot];
    out->owner = owner_of(st, slot);
    out->guide_now_w = st->state->guidance.now_w[slot];
    out->guide_later_w = st->state->guidance.later_w[slot];
    if (st->contactors.feeds[slot] < 0 || !st->wish[st->contactors.feeds[slot]].serves) {
        modules_release(&st->state->modules, slot);
    }
    const bool on = contactors_slot_on(&st->contactors, &st->state->holding, &st->view, slot);
    for (uint32_t j = 0; on && j < s->module_count && j < RM_MODULES_PER_SLOT_MAX; j++) {
        out->module[j].mn = s->module[j].healthy;
    }
}

static int32_t sane_efficiency(int32_t permille) {
    return permille < 500 ? 500 : permille > 1000 ? 1000 : permille;
}

void planner_step(struct planner_state *state, const struct plan_input *in, struct proposal *out) {
    struct step st;
    st.state = state;
    st.in = in;
    st.out = out;
    st.slots = in->slots < RM_SLOTS_MAX ? in->slots : RM_SLOTS_MAX;
    st.efficiency = sane_efficiency(in->efficiency_permille);
    out->seq = in->seq;
    out->input_us = in->now_us;
    out->slots = st.slots;
    topology_look(in, st.slots, &st.topology);
    look_at_wishes(&st);
    choose_suspended(&st);
    arrange(&st);
    out->guide_slot = state->guidance.slot;
    for (uint32_t i = 0; i < st.slots; i++) {
        write_slot(&st, i);
    }
    for (uint32_t i = 0; i < st.slots; i++) {
        if (st.wish[i].serves && st.wish[i].set_mv > 0) {
            bound_by_island(&st, i);
        }
    }
    share_site(&st);
    limit_rises(&st);
    for (uint32_t i = 0; i < st.slots; i++) {
        write_gun(&st, i);
        if (in->slot[i].has_gun) {
            write_offer(&st, i);
        }
    }
    setpoints_limit_rises(in, st.slots, st.efficiency, out);
    state->cycles++;
}
