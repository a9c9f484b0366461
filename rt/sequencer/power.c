#include "rt/sequencer/sequencer_private.h"

#include "rt/sequencer/joining.h"

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* Moves set_ma towards wanted at the given rates; what is below one milliampere waits for the next step. */
static void ramp(struct gun *g, int64_t now_us, int32_t wanted_ma, int32_t up_ma_s,
                 int32_t down_ma_s) {
    int64_t dt_us = now_us - g->ramp_us;
    if (dt_us > GUN_RAMP_DT_MAX_US || dt_us < 0) {
        dt_us = GUN_RAMP_DT_MAX_US;
        g->ramp_us = now_us - dt_us;
    }
    if (g->set_ma == wanted_ma) {
        g->ramp_us = now_us;
        return;
    }
    const int64_t rate_ma_s = wanted_ma > g->set_ma ? up_ma_s : down_ma_s;
    const int64_t step_ma = rate_ma_s * dt_us / 1000000;
    if (step_ma == 0) {
        return;
    }
    g->ramp_us += step_ma * 1000000 / rate_ma_s;
    if (wanted_ma > g->set_ma) {
        g->set_ma = wanted_ma - g->set_ma <= step_ma ? wanted_ma : g->set_ma + (int32_t)step_ma;
    } else {
        g->set_ma = g->set_ma - wanted_ma <= step_ma ? wanted_ma : g->set_ma - (int32_t)step_ma;
    }
}

/* Vehicle's target voltage within its own maximum and the connector's; the last one while the target is stale. */
static void follow_voltage(struct gun *g, const struct gun_inputs *in) {
    const struct image_slot *image = in->image;
    if (!sample_fresh(&image->ev_target_mv, in->now_us, GUN_TARGETS_MS)) {
        return;
    }
    int32_t mv = least(image->ev_target_mv.value, gun_connector(in)->max_voltage_mv);
    if (image->ev_max_mv.valid && image->ev_max_mv.value > 0) {
        mv = least(mv, image->ev_max_mv.value);
    }
    g->set_mv = mv > 0 ? mv : 0;
}

/* The plan's set voltage, within what the vehicle's allows: it stays close above the bus, so that the site's books (S12) do
 * not count power that never flows. One below the bus would starve the vehicle and is not taken. */
static void follow_plan_voltage(struct gun *g, const struct gun_inputs *in,
                                const struct gun_view *v) {
    const int32_t mv = in->proposal->set_mv;
    if (v->bus_known && mv > v->bus_mv && v->bus_mv >= in->config->interlock.v_safe_mv) {
        g->set_mv = least(g->set_mv, mv);
    }
}

/* The most the vehicle, its cable and the connector take now. Without fresh targets nothing. */
static int32_t vehicle_limit_ma(const struct gun_inputs *in) {
    const struct image_slot *image = in->image;
    if (!sample_fresh(&image->ev_target_ma, in->now_us, GUN_TARGETS_MS) ||
        !sample_fresh(&image->ev_target_mv, in->now_us, GUN_TARGETS_MS)) {
        return 0;
    }
    int32_t ma =
        least(image->ev_target_ma.value, gun_current_limit_ma(in->config, in->interlock, in->slot));
    if (image->ev_max_ma.valid) {
        ma = least(ma, image->ev_max_ma.value);
    }
    return ma > 0 ? ma : 0;
}

/* Weights of the modules that may carry current; their sum is what the proposal lets this gun have. */
static int32_t take_shares(struct gun *g, const struct gun_inputs *in, uint8_t able) {
    int64_t sum_ma = 0;
    for (uint32_t j = 0; j < in->config->slot[in->slot].module_count; j++) {
        const struct proposal_module *p = &in->proposal->module[j];
        const bool may = (able & (1u << j)) != 0 && p->run && p->set_ma > 0;
        g->share_ma[j] = may ? p->set_ma : 0;
        sum_ma += g->share_ma[j];
    }
    return (int32_t)(sum_ma > INT32_MAX ? INT32_MAX : sum_ma);
}

/* total_ma over the able modules by weight, rounded down, so that the sum never exceeds it. lent_ma: weight of modules of
 * joined slots, whose own sequencers take their shares of the same whole. */
static void share(struct gun *g, uint32_t count, uint8_t able, int32_t total_ma,
                  const int32_t *weight_ma, int64_t lent_ma, struct request_slot *request) {
    int64_t sum = lent_ma;
    for (uint32_t j = 0; j < count; j++) {
        sum += (able & (1u << j)) != 0 ? weight_ma[j] : 0;
    }
    g->whole_ma = sum;
    for (uint32_t j = 0; j < count; j++) {
        if ((able & (1u << j)) == 0) {
            continue;
        }
        const int64_t weight = sum > 0 ? weight_ma[j] : 1;
        const int64_t whole = sum > 0 ? sum : __builtin_popcount(able);
        request->module[j].run = weight > 0;
        request->module[j].set_mv = weight > 0 ? g->set_mv : 0;
        request->module[j].set_ma = (int32_t)(total_ma * weight / whole);
    }
}

static void hold(struct gun *g, const struct gun_inputs *in, uint8_t able, int32_t total_ma,
                 struct request_slot *request, enum power_purpose purpose) {
    static const int32_t equal[RM_MODULES_PER_SLOT_MAX] = {0};
    request->purpose = purpose;
    if (g->set_mv >= in->config->interlock.v_safe_mv) {
        share(g, in->config->slot[in->slot].module_count, able, total_ma, equal, 0, request);
    }
}

static void follow_modules(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                           struct request_slot *request) {
    const struct joining x = {.config = in->config,
                              .slot = in->slot,
                              .image = in->image,
                              .wish = in->proposal->module,
                              .now_us = in->now_us,
                              .set_mv = g->set_mv,
                              .bus_known = v->bus_known,
                              .bus_mv = v->bus_mv,
                              .usable = v->usable,
                              .joined = v->joined,
                              .keep_last = true,
                              .mn_mask = &g->mn_mask,
                              .join_us = g->join_us};
    joining_follow(&x, request->module);
}

/* No ramp is pending: slots may join. */
static void follow_steadiness(struct gun *g, const struct gun_inputs *in, int32_t wanted_ma) {
    const int32_t gap_ma = wanted_ma - g->set_ma;
    const int32_t small_ma = in->config->interlock.i_open_ma;
    const bool steady = gap_ma <= small_ma && gap_ma >= -small_ma;
    g->steady_us = !steady ? 0 : g->steady_us != 0 ? g->steady_us : in->now_us;
}

static void serve(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                  uint8_t able, struct request_slot *request) {
    const struct config_interlock *k = &in->config->interlock;
    const bool fresh = in->proposal != NULL && in->plan_age_us <= (int64_t)k->t_plan_ms * 1000;
    const int32_t vehicle_ma = vehicle_limit_ma(in);
    const int32_t before_mv = g->set_mv;
    int32_t wanted_ma = 0;
    follow_voltage(g, in);
    if (!fresh && before_mv >= k->v_safe_mv) {
        g->set_mv = least(g->set_mv, before_mv); /* without a plan nothing rises (S8) */
    } else if (fresh) {
        follow_plan_voltage(g, in, v);
        const int64_t shares_ma = take_shares(g, in, able) + in->lent_ma;
        wanted_ma = shares_ma < vehicle_ma ? (int32_t)shares_ma : vehicle_ma;
    }
    if (g->set_mv < k->v_safe_mv) {
        wanted_ma = 0;
    }
    follow_steadiness(g, in, wanted_ma);
    ramp(g, in->now_us, wanted_ma, k->ramp_up_ma_s,
         in->lent_urgent ? k->ramp_error_ma_s : k->ramp_down_ma_s);
    g->set_ma = least(g->set_ma, vehicle_ma); /* what the vehicle no longer takes goes at once */
    request->purpose = POWER_PURPOSE_SERVE;
    if (g->set_mv >= k->v_safe_mv) {
        share(g, in->config->slot[in->slot].module_count, able, g->set_ma, g->share_ma, in->lent_ma,
              request);
    }
    if (fresh) {
        follow_modules(g, in, v, request);
    }
}

static void ramp_down(struct gun *g, const struct gun_inputs *in, uint8_t able,
                      struct request_slot *request) {
    const struct config_interlock *k = &in->config->interlock;
    ramp(g, in->now_us, 0, k->ramp_up_ma_s,
         g->stop >= STOP_CLASS_ERROR ? k->ramp_error_ma_s : k->ramp_down_ma_s);
    g->set_ma = least(g->set_ma, vehicle_limit_ma(in));
    if (g->set_ma == 0 && g->live_us == 0) {
        g->live_us = in->now_us;
    }
    request->purpose = POWER_PURPOSE_SERVE;
    if (g->set_mv >= k->v_safe_mv) {
        share(g, in->config->slot[in->slot].module_count, able, g->set_ma, g->share_ma, in->lent_ma,
              request);
    }
}

static void module_contactors(struct gun *g, const struct gun_view *v,
                              struct request_slot *request) {
    const struct gun_row *row = &gun_rows[g->state];
    if (row->served || g->state == GUN_STATE_RAMP_DOWN) {
        g->mn_mask &= v->usable;
    }
    if (row->mn == GUN_MN_OPEN || g->stop == STOP_CLASS_EMERGENCY) {
        g->mn_mask = 0;
    }
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        request->module[j].mn = (g->mn_mask & (1u << j)) != 0;
    }
}

/* The test voltage of the cable check may stand above the vehicle's maximum; nothing later may. */
static void leave_test_voltage(struct gun *g, const struct gun_inputs *in) {
    if (in->image->ev_max_mv.valid) {
        g->set_mv = least(g->set_mv, in->image->ev_max_mv.value);
    }
}

void gun_power_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                    struct request_slot *request) {
    const int32_t i_cc_ma = in->config->interlock.i_cc_ma;
    module_contactors(g, v, request);
    g->whole_ma = 0;
    if (gun_rows[g->state].power != GUN_POWER_SERVE) {
        g->steady_us = 0;
    }
    const uint8_t able = g->mn_mask & v->joined & v->usable;
    switch ((enum gun_power)gun_rows[g->state].power) {
    case GUN_POWER_OFF: break;
    case GUN_POWER_CABLE_CHECK:
        if (g->step >= CABLE_CHECK_RAISE && g->step <= CABLE_CHECK_VERDICT) {
            g->set_mv = g->cable_check_mv;
            g->set_ma = i_cc_ma;
            hold(g, in, able, i_cc_ma, request, POWER_PURPOSE_SERVE);
        } else {
            request->purpose = POWER_PURPOSE_SERVE;
            g->set_mv = 0;
            g->set_ma = 0;
        }
        break;
    case GUN_POWER_PRECHARGE:
        follow_voltage(g, in);
        g->set_ma = i_cc_ma;
        hold(g, in, able, i_cc_ma, request, POWER_PURPOSE_SERVE);
        break;
    case GUN_POWER_SERVE: serve(g, in, v, able, request); break;
    case GUN_POWER_RAMP:
        leave_test_voltage(g, in);
        ramp_down(g, in, able, request);
        break;
    case GUN_POWER_IDLE:
    case GUN_POWER_WELD_TEST:
        if (in->now_us == g->since_us && g->state == GUN_STATE_OPENING) {
            leave_test_voltage(g, in);
            g->set_mv = gun_weld_test_mv(g, in, v);
        }
        g->set_ma = g->state == GUN_STATE_WELD_CHECK ? i_cc_ma : 0;
        if (gun_weld_test_powered(g, in)) {
            hold(g, in, able, g->set_ma, request, POWER_PURPOSE_WELD_TEST);
        }
        break;
    }
    g->ramp_us =
        gun_rows[g->state].power == GUN_POWER_SERVE || gun_rows[g->state].power == GUN_POWER_RAMP
            ? g->ramp_us
            : in->now_us;
}
