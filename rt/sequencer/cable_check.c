#include "rt/sequencer/sequencer_private.h"

static void advance(struct gun *g, const struct gun_inputs *in, enum cable_check_step step) {
    g->step = (uint8_t)step;
    g->progress_us = in->now_us;
}

static bool at_test_voltage(const struct gun *g, const struct gun_view *v) {
    return v->gun_known && v->gun_mv >= g->cable_check_mv - GUN_CABLE_BAND_MV &&
           v->gun_mv <= g->cable_check_mv + GUN_CABLE_BAND_MV;
}

static bool insulation_good(const struct gun_inputs *in) {
    const struct image_slot *image = in->image;
    const struct config_interlock *k = &in->config->interlock;
    return sample_fresh(&image->imd, in->now_us, k->t_imd_ms) && image->imd.value == IMD_STATE_OK &&
           sample_fresh(&image->insulation_ohm, in->now_us, k->t_imd_ms) &&
           image->insulation_ohm.value >= k->insulation_min_ohm;
}

static void close_modules(struct gun *g, const struct gun_inputs *in, const struct gun_view *v) {
    g->mn_mask &= v->usable; /* a stuck MN or a silent module is left behind */
    if (g->mn_mask != 0 && (v->joined & g->mn_mask) == g->mn_mask) {
        advance(g, in, CABLE_CHECK_RAISE);
    }
}

static void self_test(struct gun *g, const struct gun_inputs *in) {
    const uint8_t result = in->image->imd_self_test;
    if (!sample_fresh(&in->image->imd, in->now_us, in->config->interlock.t_imd_ms)) {
        return;
    }
    /* A verdict left over from the last session is not this test's. */
    if (result == 1 || result == 0) {
        g->test_armed = true;
    } else if (g->test_armed && result == 2) {
        advance(g, in, CABLE_CHECK_VERDICT);
    } else if (g->test_armed && result == 3) {
        g->failed = FAULT_IMD_SELF_TEST;
    }
}

static void verdict(struct gun *g, const struct gun_inputs *in) {
    if (insulation_good(in) && in->image->cable_check_ok && in->interlock->imd_passed) {
        advance(g, in, CABLE_CHECK_DISCHARGE);
    } else if (in->now_us - g->progress_us >= GUN_IMD_SETTLE_US &&
               sample_fresh(&in->image->insulation_ohm, in->now_us,
                            in->config->interlock.t_imd_ms) &&
               in->image->insulation_ohm.value < in->config->interlock.insulation_min_ohm) {
        g->failed = FAULT_IMD_LOW;
    }
}

void gun_cable_check_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    const bool dead =
        v->bus_known && v->gun_known && v->bus_mv < k->v_safe_mv && v->gun_mv < k->v_safe_mv;
    switch ((enum cable_check_step)g->step) {
    case CABLE_CHECK_CLOSE_GC:
        if (v->gc_closed && in->image->ev_max_mv.valid && in->image->ev_max_mv.value > 0) {
            g->cable_check_mv = interlock_cable_check_mv(in->image->ev_max_mv.value,
                                                         gun_connector(in)->max_voltage_mv);
            g->mn_mask = v->usable;
            advance(g, in, CABLE_CHECK_CLOSE_MN);
        }
        break;
    case CABLE_CHECK_CLOSE_MN: close_modules(g, in, v); break;
    case CABLE_CHECK_RAISE:
        if (at_test_voltage(g, v)) {
            advance(g, in, CABLE_CHECK_SELF_TEST);
        }
        break;
    case CABLE_CHECK_SELF_TEST: self_test(g, in); break;
    case CABLE_CHECK_VERDICT: verdict(g, in); break;
    case CABLE_CHECK_DISCHARGE:
        if (dead || !k->discharge_after_cable_check) {
            advance(g, in, CABLE_CHECK_DONE);
        }
        break;
    case CABLE_CHECK_DONE: break;
    }
}

bool gun_cable_check_timeout(const struct gun *g, const struct gun_inputs *in,
                             struct gun_cause *cause) {
    const struct config_interlock *k = &in->config->interlock;
    const int64_t in_step_us = in->now_us - g->progress_us;
    *cause = (struct gun_cause){FAULT_CABLE_CHECK, STOP_REASON_FAULT};
    if (g->step == CABLE_CHECK_DONE) {
        *cause = (struct gun_cause){FAULT_STAGE_TIMEOUT, STOP_REASON_TIMEOUT};
        return in_step_us >= (int64_t)k->t_stage_ms * 1000;
    }
    if (g->step == CABLE_CHECK_RAISE && in_step_us >= (int64_t)k->t_cable_voltage_ms * 1000) {
        return true;
    }
    return in->now_us - g->since_us >= (int64_t)k->t_cable_check_ms * 1000;
}
