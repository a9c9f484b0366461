/* A gun from plug to unplug on the bench: the whole session, unplugging in every state, every time-out, every class of
 * stop, every demand for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/rt/sequencer/bench.h"

static struct bench bench;

static int setup(void **state) {
    bench_init(&bench);
    *state = &bench;
    return 0;
}

static const char token[RM_ID_TOKEN_LEN] = "TOKEN";

static int32_t total_ma(const struct bench *b) {
    return b->request.module[0].set_ma + b->request.module[1].set_ma;
}

static void test_session_runs_through_all_states_in_order(void **state) {
    struct bench *b = *state;
    static const enum gun_state expected[] = {
        GUN_STATE_AVAILABLE,   GUN_STATE_PLUGGED,   GUN_STATE_AUTHORISED, GUN_STATE_LOCKED,
        GUN_STATE_CABLE_CHECK, GUN_STATE_PRECHARGE, GUN_STATE_CLOSING,    GUN_STATE_CHARGING,
        GUN_STATE_RAMP_DOWN,   GUN_STATE_OPENING,   GUN_STATE_WELD_CHECK, GUN_STATE_DISCHARGE,
        GUN_STATE_UNLOCK,      GUN_STATE_FINISHED,  GUN_STATE_AVAILABLE};
    bench_run_ms(b, 100);
    b->plugged = true;
    bench_run_ms(b, 500);
    assert_int_equal(b->gun.state, GUN_STATE_PLUGGED);
    assert_true(b->to_plc.auth_pending);
    gun_authorise(&b->gun, AUTH_SOURCE_REMOTE, token, 0);
    assert_true(bench_reach(b, GUN_STATE_CHARGING, 20000));
    assert_int_equal(b->gun.auth_source, AUTH_SOURCE_REMOTE);
    bench_run_ms(b, 5000);
    assert_int_equal(total_ma(b), 100000);
    b->ev_done = true;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 20000));
    assert_int_equal(b->gun.stop_reason, STOP_REASON_VEHICLE);
    assert_int_equal(b->gun.fault, FAULT_NONE);
    assert_int_equal(b->to_plc.stop_request, 0);
    bench_unplug(b);
    assert_true(bench_reach(b, GUN_STATE_AVAILABLE, 1000));
    assert_int_equal(b->changes, sizeof expected / sizeof expected[0]);
    assert_memory_equal(b->path, expected, sizeof expected);
    assert_int_equal(b->begun, 1);
    assert_int_equal(b->energised, 1);
    assert_int_equal(b->ended, 1);
    assert_int_equal(b->plugs, 1);
    assert_int_equal(b->unplugs, 1);
    assert_false(b->gun.authorised);
}

static void test_second_session_runs_like_the_first(void **state) {
    struct bench *b = *state;
    for (unsigned n = 1; n <= 2; n++) {
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
        b->ev_done = true;
        assert_true(bench_reach(b, GUN_STATE_FINISHED, 20000));
        b->ev_done = false;
        bench_unplug(b);
        assert_true(bench_reach(b, GUN_STATE_AVAILABLE, 1000));
        assert_int_equal(b->ended, n);
    }
}

static void test_cable_check_closes_dead_then_raises_then_tests_then_discharges(void **state) {
    struct bench *b = *state;
    int32_t highest_mv = 0;
    bool closed_live = false, tested_low = false, mn_before_gc = false;
    assert_true(bench_bring_to(b, GUN_STATE_LOCKED));
    b->last_stage = HLC_STAGE_CURRENT_DEMAND;
    assert_true(bench_reach(b, GUN_STATE_CABLE_CHECK, 1000));
    const bool gc_wanted_at_once = b->request.gc;
    while (b->gun.state == GUN_STATE_CABLE_CHECK) {
        const bool gc = b->image.contactor[CONTACTOR_GC].p == FEEDBACK_CLOSED;
        closed_live |= !gc && b->image.bus_mv.value >= 60000;
        mn_before_gc |= !gc && b->request.module[0].mn;
        tested_low |= b->request.imd_self_test && b->image.gun_mv.value < 490000;
        highest_mv = b->image.gun_mv.value > highest_mv ? b->image.gun_mv.value : highest_mv;
        assert_true(total_ma(b) <= 2000);
        assert_true(b->request.imd_enable);
        bench_step(b);
    }
    assert_true(gc_wanted_at_once);
    assert_false(closed_live);
    assert_false(mn_before_gc);
    assert_false(tested_low);
    assert_int_equal(highest_mv, 500000); /* EV maximum 450 V + 50 V */
    assert_int_equal(b->gun.state, GUN_STATE_PRECHARGE);
    assert_true(b->image.gun_mv.value < 60000);
}

static void test_cable_check_left_over_verdict_does_not_pass(void **state) {
    struct bench *b = *state;
    b->imd_silent = true;
    b->image.imd_self_test = 2;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    for (int t = 0; t < 10000; t += 5) {
        b->image.imd_self_test = 2;
        b->image.cable_check_ok = false;
        bench_step(b);
        assert_int_equal(b->gun.state, GUN_STATE_CABLE_CHECK);
    }
}

static void test_charging_current_ramps_at_the_configured_rate(void **state) {
    struct bench *b = *state;
    b->config.interlock.ramp_up_ma_s = 50000;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    const int32_t start_ma = total_ma(b);
    bench_run_ms(b, 1000);
    assert_in_range(total_ma(b), start_ma + 49500, start_ma + 50300);
    bench_run_ms(b, 2000);
    assert_int_equal(total_ma(b), 100000);
}

static void test_charging_never_above_vehicle_target(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->wish_ma = 30000;
    bench_run_ms(b, 10);
    assert_int_equal(total_ma(b), 30000);
    assert_int_equal(b->request.module[0].set_mv, 420000);
    b->ev_max_mv = 410000;
    bench_run_ms(b, 10);
    assert_int_equal(b->request.module[0].set_mv, 410000);
}

static void test_charging_follows_the_proposal_down_by_the_ramp(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->proposal.module[0].set_ma = 20000;
    b->proposal.module[1].set_ma = 10000;
    bench_run_ms(b, 200);
    assert_in_range(total_ma(b), 78000, 82000); /* 100 A/s */
    bench_run_ms(b, 1000);
    assert_int_equal(b->request.module[0].set_ma, 20000);
    assert_int_equal(b->request.module[1].set_ma, 10000);
}

static void test_charging_pause_of_the_vehicle_keeps_the_state(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->wish_ma = 0;
    bench_run_ms(b, 60000);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
    assert_int_equal(total_ma(b), 0);
    b->wish_ma = 50000;
    bench_run_ms(b, 1000);
    assert_int_equal(total_ma(b), 50000);
}

static void test_charging_pause_beyond_t_suspend_ends_the_session(void **state) {
    struct bench *b = *state;
    b->config.interlock.t_suspend_ms = 10000;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->wish_ma = 0;
    bench_run_ms(b, 9900);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
    bench_run_ms(b, 200);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_TIMEOUT);
}

static void test_charging_planner_late_ramps_to_zero_and_keeps_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->plan_age_us = 400000;
    bench_run_ms(b, 1200);
    assert_int_equal(total_ma(b), 0);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
    b->plan_age_us = 0;
    bench_run_ms(b, 3000);
    assert_int_equal(total_ma(b), 100000);
}

static void test_charging_planner_dead_stops_normally(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 1000);
    b->plan_age_us = 1000001;
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    assert_int_equal(b->gun.stop, STOP_CLASS_NORMAL);
    assert_int_equal(b->gun.fault, FAULT_PLANNER_LATE);
}

static void test_locked_planner_late_does_not_begin_the_cable_check(void **state) {
    struct bench *b = *state;
    b->plan_age_us = 200000;
    assert_false(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    assert_int_equal(b->gun.state, GUN_STATE_LOCKED);
}

static void
test_charging_targets_stale_is_zero_after_half_a_second_and_a_stop_after_two(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->targets_stale = true;
    bench_run_ms(b, 450);
    assert_int_equal(total_ma(b), 100000);
    bench_run_ms(b, 100);
    assert_int_equal(total_ma(b), 0);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
    assert_true(bench_reach(b, GUN_STATE_RAMP_DOWN, 2000));
    assert_int_equal(b->gun.fault, FAULT_EV_TARGETS_STALE);
    assert_int_equal(b->gun.stop, STOP_CLASS_NORMAL);
}

static void test_module_lost_leaves_its_share_to_the_other(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->interlock.module[0].fault = FAULT_MODULE_FAULT;
    bench_run_ms(b, 2000);
    assert_false(b->request.module[0].run);
    assert_false(b->request.module[0].mn);
    assert_int_equal(b->request.module[1].set_ma, 60000); /* what the proposal gives it */
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void test_all_modules_lost_stops_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->interlock.module[0].fault = FAULT_MODULE_FAULT;
    b->interlock.module[1].fault = FAULT_MODULE_LOST;
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.fault, FAULT_NO_MODULES);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_FAULT);
}

/* ---- unplugging --------------------------------------------------------------------------------------------- */

static void test_unplug_in_every_state_leads_back_to_available_without_anybody(void **state) {
    (void)state;
    for (unsigned s = GUN_STATE_UNAVAILABLE; s < GUN_STATE_COUNT; s++) {
        struct bench *b = &bench;
        bench_init(b);
        if (!bench_bring_to(b, (enum gun_state)s)) {
            fail_msg("%s not reached, in %s", gun_state_name(s), gun_state_name(b->gun.state));
        }
        bench_unplug(b);
        bench_run_ms(b, 500);
        bench_heal(b);
        if (!bench_reach(b, GUN_STATE_AVAILABLE, 20000)) {
            fail_msg("from %s stuck in %s", gun_state_name(s), gun_state_name(b->gun.state));
        }
        assert_int_equal(b->begun, b->ended);
        assert_false(b->request.gc || b->request.lock || b->request.module[0].run);
        /* and the next vehicle is served */
        b->last_stage = HLC_STAGE_CURRENT_DEMAND;
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    }
}

static void test_unplug_while_energised_is_an_emergency(void **state) {
    (void)state;
    for (unsigned s = GUN_STATE_CABLE_CHECK; s <= GUN_STATE_CHARGING; s++) {
        struct bench *b = &bench;
        bench_init(b);
        assert_true(bench_bring_to(b, (enum gun_state)s));
        bench_unplug(b);
        bench_step(b);
        assert_int_equal(b->gun.state, GUN_STATE_OPENING);
        assert_int_equal(b->gun.stop, STOP_CLASS_EMERGENCY);
        assert_int_equal(b->gun.stop_reason, STOP_REASON_UNPLUGGED);
        assert_false(b->request.gc);
        assert_false(b->request.module[0].run || b->request.module[1].run);
    }
}

static void
test_pilot_leaving_c_while_energised_is_an_emergency_and_finishes_plugged(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->cp_stale = true;
    b->image.cp_state.value = CP_STATE_B;
    b->image.cp_state.at_us = b->now_us + 5000;
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_OPENING);
    assert_int_equal(b->gun.fault, FAULT_CP_LOST);
    b->cp_stale = false;
    b->ev_done = true;
    b->image.hlc_stage.value = HLC_STAGE_SESSION_STOP;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 10000));
}

/* ---- stop classes ------------------------------------------------------------------------------------------- */

static void demand_fault(struct bench *b, enum fault_code fault) {
    b->interlock.faults |= UINT64_C(1) << fault;
    b->interlock.stop = fault_info(fault)->stop;
}

static void test_normal_stop_ramps_at_100_a_per_s_then_opens(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->stop_requested = true;
    b->last_stage = HLC_STAGE_CURRENT_DEMAND;
    b->targets_stale = false;
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    assert_int_equal(b->to_plc.stop_request, 1);
    assert_true(b->request.gc);
    assert_true(bench_reach(b, GUN_STATE_OPENING, 3000));
    assert_false(b->request.gc);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_REMOTE);
}

static void test_normal_stop_of_a_vehicle_that_does_not_follow_takes_the_ramp(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    b->stop_requested = true;
    int32_t last_ma = total_ma(b);
    for (int t = 0; t < 500; t += 5) {
        b->image.hlc_stage.value = HLC_STAGE_POWER_DELIVERY; /* asks to go on */
        b->to_plc.stop_request = 0;
        bench_step(b);
        assert_true(total_ma(b) <= last_ma);
        assert_true(last_ma - total_ma(b) <= 1000); /* 100 A/s x 5 ms, and rounding */
        last_ma = total_ma(b);
    }
    assert_in_range(last_ma, 49000, 52000);
}

static void test_error_stop_ramps_at_200_a_per_s_and_opens_within_a_second(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    demand_fault(b, FAULT_TEMPERATURE);
    b->stray_ma = 20000; /* current does not fall: it opens all the same */
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    assert_int_equal(b->to_plc.stop_request, 2);
    assert_true(bench_reach(b, GUN_STATE_OPENING, 1005));
    assert_int_equal(b->gun.fault, FAULT_TEMPERATURE);
}

static void test_emergency_stop_is_zero_and_open_in_the_same_step(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 3000);
    demand_fault(b, FAULT_ESTOP);
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_OPENING);
    assert_int_equal(total_ma(b), 0);
    assert_false(b->request.gc || b->request.module[0].run || b->request.module[0].mn);
    assert_int_equal(b->to_plc.stop_request, 3);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_EMERGENCY_STOP);
    assert_true(b->request.lock); /* until the inlet is dead */
}

static void test_stop_class_rises_and_never_falls(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_RAMP_DOWN));
    assert_int_equal(b->gun.stop, STOP_CLASS_NORMAL);
    demand_fault(b, FAULT_TEMPERATURE);
    bench_step(b);
    assert_int_equal(b->gun.stop, STOP_CLASS_ERROR);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    b->interlock.stop = STOP_CLASS_EMERGENCY;
    bench_step(b);
    assert_int_equal(b->gun.stop, STOP_CLASS_EMERGENCY);
    assert_int_equal(b->gun.state, GUN_STATE_OPENING);
    b->interlock.stop = STOP_CLASS_NONE;
    b->interlock.faults = 0;
    bench_step(b);
    assert_int_equal(b->gun.stop, STOP_CLASS_EMERGENCY);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_REMOTE); /* the first cause keeps the name */
}

/* The control pilot's last sample is a few milliseconds older than the PLC's last frame, so it goes stale first. */
static void test_silence_found_just_after_a_stale_pilot_names_the_stop(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    demand_fault(b, FAULT_CP_STALE);
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_CP_STALE);
    demand_fault(b, FAULT_PLC_LOST);
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_PLC_LOST);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_FAULT);
    demand_fault(b, FAULT_BUS_OFF); /* the controller's own word comes last and explains both */
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_BUS_OFF);
}

static void test_silence_long_after_an_open_door_does_not_rename_the_stop(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->gc_stuck = true; /* the session is not over soon */
    demand_fault(b, FAULT_SAFETY_CHAIN);
    bench_run_ms(b, 500);
    assert_true(b->gun.session);
    demand_fault(b, FAULT_PLC_LOST);
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_SAFETY_CHAIN);
}

static void test_silence_does_not_rename_what_does_not_follow_from_it(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    demand_fault(b, FAULT_OVERCURRENT);
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_OVERCURRENT);
    demand_fault(b, FAULT_PLC_LOST);
    bench_step(b);
    assert_int_equal(b->gun.fault, FAULT_OVERCURRENT);
}

static void test_shutdown_ends_a_session_and_lets_no_other_begin(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->shutdown = true;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 20000));
    assert_int_equal(b->gun.stop_reason, STOP_REASON_RESTART);
    bench_unplug(b);
    assert_true(bench_reach(b, GUN_STATE_UNAVAILABLE, 1000));
    assert_false(gun_in_session(&b->gun));
}

/* ---- time-outs ---------------------------------------------------------------------------------------------- */

static void expect_timeout(struct bench *b, int32_t limit_ms, enum fault_code fault,
                           enum stop_reason reason) {
    const enum gun_state before = b->gun.state;
    for (int t = 0; t < limit_ms + 200 && b->gun.state == before; t += 5) {
        bench_step(b);
    }
    assert_int_not_equal(b->gun.state, before);
    assert_int_equal(b->gun.fault, fault);
    assert_int_equal(b->gun.stop_reason, reason);
}

static void test_plugged_without_authorisation_times_out(void **state) {
    struct bench *b = *state;
    b->config.interlock.t_auth_ms = 10000;
    assert_true(bench_bring_to(b, GUN_STATE_PLUGGED));
    bench_run_ms(b, 9900);
    assert_int_equal(b->gun.state, GUN_STATE_PLUGGED);
    expect_timeout(b, 200, FAULT_NONE, STOP_REASON_TIMEOUT);
    assert_int_equal(b->gun.state, GUN_STATE_FINISHED);
    assert_int_equal(b->begun, 0);
}

static void test_lock_that_does_not_engage_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AUTHORISED));
    expect_timeout(b, b->config.interlock.t_lock_ms, FAULT_LOCK, STOP_REASON_FAULT);
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 1000));
    assert_int_equal(b->ended, 1);
}

static void test_lock_not_required_is_not_waited_for(void **state) {
    struct bench *b = *state;
    b->config.connector[0].require_lock = false;
    assert_true(bench_bring_to(b, GUN_STATE_AUTHORISED));
    bench_run_ms(b, 10);
    assert_int_equal(b->gun.state, GUN_STATE_LOCKED);
}

static void test_vehicle_that_does_not_go_on_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_LOCKED));
    expect_timeout(b, b->config.interlock.t_stage_ms, FAULT_STAGE_TIMEOUT, STOP_REASON_TIMEOUT);
}

static void test_cable_check_test_that_never_ends_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    expect_timeout(b, b->config.interlock.t_cable_check_ms, FAULT_CABLE_CHECK, STOP_REASON_FAULT);
    assert_int_equal(b->gun.stop, STOP_CLASS_ERROR);
}

static void test_cable_check_voltage_that_does_not_come_times_out_early(void **state) {
    struct bench *b = *state;
    b->no_voltage = true;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    expect_timeout(b, b->config.interlock.t_cable_voltage_ms + 200, FAULT_CABLE_CHECK,
                   STOP_REASON_FAULT);
}

static void test_cable_check_failed_self_test_ends_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    b->imd_silent = false;
    b->imd_fails = true;
    expect_timeout(b, 3000, FAULT_IMD_SELF_TEST, STOP_REASON_FAULT);
}

static void test_cable_check_low_insulation_ends_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    b->imd_silent = false;
    b->imd_low = true;
    expect_timeout(b, 5000, FAULT_IMD_LOW, STOP_REASON_FAULT);
}

static void test_precharge_that_does_not_match_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_LOCKED));
    b->last_stage = HLC_STAGE_PRECHARGE;
    assert_true(bench_reach(b, GUN_STATE_PRECHARGE, 10000));
    b->no_voltage = true;
    expect_timeout(b, b->config.interlock.t_pre_ms, FAULT_PRECHARGE, STOP_REASON_FAULT);
}

static void test_precharge_matched_vehicle_that_does_not_close_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_PRECHARGE));
    expect_timeout(b, b->config.interlock.t_stage_ms + 1000, FAULT_STAGE_TIMEOUT,
                   STOP_REASON_TIMEOUT);
}

static void test_closing_vehicle_that_asks_for_nothing_times_out(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CLOSING));
    expect_timeout(b, b->config.interlock.t_stage_ms, FAULT_STAGE_TIMEOUT, STOP_REASON_TIMEOUT);
}

static void test_gun_contactor_that_does_not_open_ends_faulted(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_OPENING));
    assert_true(bench_reach(b, GUN_STATE_FAULTED, 2100));
    assert_int_equal(b->gun.fault, FAULT_CONTACTOR_FEEDBACK);
    assert_int_equal(b->ended, 1);
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_FAULTED); /* not dead: it stays */
}

static void test_faulted_gun_asks_for_its_lock_until_the_inlet_is_dead(void **state) {
    struct bench *b = *state;
    b->interlock.lock = true; /* rule G5 holds what was locked */
    assert_true(bench_bring_to(b, GUN_STATE_OPENING));
    assert_true(bench_reach(b, GUN_STATE_FAULTED, 2100));
    bench_run_ms(b, 500);
    assert_true(b->request.lock);
    b->bus_stays = false;
    b->gc_stuck = false;
    for (int ms = 0; ms < 3000 && b->request.lock; ms += 5) {
        bench_step(b);
    }
    assert_false(b->request.lock);
    assert_int_equal(b->image.contactor[CONTACTOR_GC].p, FEEDBACK_OPEN);
    assert_true(b->image.gun_mv.value < 60000);
}

static void test_idle_gun_asks_for_no_lock_that_nobody_holds(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_FAULTED));
    b->image.gun_mv.valid = false;
    bench_step(b);
    assert_false(b->request.lock);
}

static void test_worst_fault_silence_is_named_before_what_it_makes_stale(void **state) {
    (void)state;
#define BIT(name) (UINT64_C(1) << FAULT_##name)
    assert_int_equal(gun_worst_fault(0), FAULT_NONE);
    assert_int_equal(gun_worst_fault(BIT(SAFETY_CHAIN) | BIT(PLC_LOST) | BIT(CP_STALE)),
                     FAULT_PLC_LOST);
    assert_int_equal(gun_worst_fault(BIT(SAFETY_CHAIN) | BIT(PLC_LOST) | BIT(BUS_OFF)),
                     FAULT_BUS_OFF);
    assert_int_equal(gun_worst_fault(BIT(ESTOP) | BIT(SAFETY_CHAIN) | BIT(PLC_LOST)), FAULT_ESTOP);
    assert_int_equal(gun_worst_fault(BIT(SAFETY_CHAIN) | BIT(EARTH_FAULT)), FAULT_EARTH_FAULT);
    assert_int_equal(gun_worst_fault(BIT(SAFETY_CHAIN) | BIT(LOCK)), FAULT_SAFETY_CHAIN);
    assert_int_equal(gun_worst_fault(BIT(MODULE_LOST) | BIT(METER_STALE)), FAULT_METER_STALE);
    assert_int_equal(gun_worst_fault(BIT(MODULE_LOST)), FAULT_MODULE_LOST);
#undef BIT
}

static void test_vehicle_that_holds_its_voltage_ends_faulted_and_recovers(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_WELD_CHECK));
    assert_true(bench_reach(b, GUN_STATE_FAULTED, 20000));
    assert_int_equal(b->gun.fault, FAULT_DISCHARGE);
    b->ev_welded = false;
    bench_heal(b);
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 1000));
}

static void test_weld_check_holds_the_bus_away_from_the_vehicle(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_WELD_CHECK));
    bench_run_ms(b, 100);
    assert_int_equal(b->request.purpose, POWER_PURPOSE_WELD_TEST);
    assert_int_equal(b->request.module[0].set_mv, 360000); /* battery 400 V less twice dV_gc */
    assert_true(total_ma(b) <= 2000);
    assert_false(b->request.gc);
}

static void test_lock_that_does_not_release_ends_faulted_and_recovers(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_UNLOCK));
    assert_true(bench_reach(b, GUN_STATE_FAULTED, b->config.interlock.t_lock_ms + 100));
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_FAULTED);
    b->lock_stuck = false;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 100));
}

static void test_vehicle_error_stage_ends_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_PRECHARGE));
    b->stage_stale = true;
    b->cp_stale = true; /* the pilot's last word, C, is still fresh */
    b->image.hlc_stage.value = HLC_STAGE_ERROR;
    b->image.hlc_stage.at_us = b->now_us;
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    assert_int_equal(b->gun.fault, FAULT_VEHICLE_ERROR);
}

static void test_vehicle_dialogue_silent_ends_the_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->stage_stale = true;
    bench_run_ms(b, 1200);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
    bench_run_ms(b, 100);
    assert_int_equal(b->gun.fault, FAULT_VEHICLE_ERROR);
}

/* ---- idle --------------------------------------------------------------------------------------------------- */

static void test_idle_boot_hold_is_unavailable(void **state) {
    struct bench *b = *state;
    b->interlock.released = false;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_UNAVAILABLE);
    b->interlock.released = true;
    assert_true(bench_reach(b, GUN_STATE_AVAILABLE, 100));
}

static void test_idle_plc_lost_is_unavailable_and_comes_back(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AVAILABLE));
    demand_fault(b, FAULT_PLC_LOST);
    bench_run_ms(b, 20);
    assert_int_equal(b->gun.state, GUN_STATE_UNAVAILABLE);
    bench_heal(b);
    assert_true(bench_reach(b, GUN_STATE_AVAILABLE, 100));
}

static void test_idle_latched_fault_keeps_faulted_until_cleared(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AVAILABLE));
    demand_fault(b, FAULT_CONTACTOR_WELDED);
    b->interlock.latched = b->interlock.faults;
    bench_run_ms(b, 50);
    b->interlock.faults = 0;
    bench_run_ms(b, 10000);
    assert_int_equal(b->gun.state, GUN_STATE_FAULTED);
    b->interlock.latched = 0;
    b->interlock.stop = STOP_CLASS_NONE;
    assert_true(bench_reach(b, GUN_STATE_AVAILABLE, 100));
}

static void test_vehicle_that_arrives_during_a_fault_may_charge_after_it(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AVAILABLE));
    demand_fault(b, FAULT_CONTACTOR_WELDED);
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.state, GUN_STATE_FAULTED);
    b->plugged = true;
    gun_authorise(&b->gun, AUTH_SOURCE_REMOTE, token, b->now_us + 60000000);
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_FAULTED);
    b->interlock.faults = 0;
    b->interlock.stop = STOP_CLASS_NONE;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_PLUGGED); /* and the token of before starts nothing */
    assert_int_equal(b->begun, 0);
}

static void test_vehicle_that_had_its_session_is_finished_after_a_fault(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    demand_fault(b, FAULT_OVERVOLTAGE_EMERGENCY);
    assert_true(bench_reach(b, GUN_STATE_FAULTED, 20000));
    b->interlock.faults = 0;
    b->interlock.stop = STOP_CLASS_NONE;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 5000));
    bench_run_ms(b, 5000);
    assert_int_equal(b->gun.state, GUN_STATE_FINISHED);
    assert_int_equal(b->begun, 1);
}

static void test_idle_latched_insulation_fault_still_takes_the_next_vehicle(void **state) {
    struct bench *b = *state;
    b->interlock.latched = UINT64_C(1) << FAULT_IMD_LOW; /* N5: a new cable check may clear it */
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
}

static void test_idle_planner_late_does_not_fault_the_gun(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AVAILABLE));
    demand_fault(b, FAULT_PLANNER_LATE);
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_AVAILABLE);
}

static void test_token_before_the_plug_lapses(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_AVAILABLE));
    gun_authorise(&b->gun, AUTH_SOURCE_REMOTE, token, b->now_us + 1000000);
    bench_run_ms(b, 1100);
    assert_false(b->gun.authorised);
    b->plugged = true;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_PLUGGED);
}

static void test_denied_vehicle_is_told_so_until_unplugged(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_PLUGGED));
    gun_deny(&b->gun);
    bench_step(b);
    assert_false(b->to_plc.auth_granted || b->to_plc.auth_pending);
    bench_unplug(b);
    bench_run_ms(b, 100);
    b->plugged = true;
    bench_run_ms(b, 100);
    assert_true(b->to_plc.auth_pending);
}

static void test_full_records_let_no_session_begin(void **state) {
    struct bench *b = *state;
    b->gun.sessions_full = true;
    assert_true(bench_bring_to(b, GUN_STATE_PLUGGED));
    gun_authorise(&b->gun, AUTH_SOURCE_REMOTE, token, 0);
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_PLUGGED);
    b->gun.sessions_full = false;
    assert_true(bench_reach(b, GUN_STATE_LOCKED, 100));
}

static void test_slot_without_gun_asks_for_nothing(void **state) {
    struct bench *b = *state;
    gun_init(&b->gun, false, b->now_us);
    b->plugged = true;
    bench_run_ms(b, 100);
    assert_int_equal(b->gun.state, GUN_STATE_NONE);
    assert_false(b->request.gc || b->request.lock || b->request.module[0].mn);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_session_runs_through_all_states_in_order),
        TEST(test_second_session_runs_like_the_first),
        TEST(test_cable_check_closes_dead_then_raises_then_tests_then_discharges),
        TEST(test_cable_check_left_over_verdict_does_not_pass),
        TEST(test_charging_current_ramps_at_the_configured_rate),
        TEST(test_charging_never_above_vehicle_target),
        TEST(test_charging_follows_the_proposal_down_by_the_ramp),
        TEST(test_charging_pause_of_the_vehicle_keeps_the_state),
        TEST(test_charging_pause_beyond_t_suspend_ends_the_session),
        TEST(test_charging_planner_late_ramps_to_zero_and_keeps_the_session),
        TEST(test_charging_planner_dead_stops_normally),
        TEST(test_locked_planner_late_does_not_begin_the_cable_check),
        TEST(test_charging_targets_stale_is_zero_after_half_a_second_and_a_stop_after_two),
        TEST(test_module_lost_leaves_its_share_to_the_other),
        TEST(test_all_modules_lost_stops_the_session),
        TEST(test_unplug_in_every_state_leads_back_to_available_without_anybody),
        TEST(test_unplug_while_energised_is_an_emergency),
        TEST(test_pilot_leaving_c_while_energised_is_an_emergency_and_finishes_plugged),
        TEST(test_normal_stop_ramps_at_100_a_per_s_then_opens),
        TEST(test_normal_stop_of_a_vehicle_that_does_not_follow_takes_the_ramp),
        TEST(test_error_stop_ramps_at_200_a_per_s_and_opens_within_a_second),
        TEST(test_emergency_stop_is_zero_and_open_in_the_same_step),
        TEST(test_stop_class_rises_and_never_falls),
        TEST(test_silence_found_just_after_a_stale_pilot_names_the_stop),
        TEST(test_silence_long_after_an_open_door_does_not_rename_the_stop),
        TEST(test_silence_does_not_rename_what_does_not_follow_from_it),
        TEST(test_shutdown_ends_a_session_and_lets_no_other_begin),
        TEST(test_plugged_without_authorisation_times_out),
        TEST(test_lock_that_does_not_engage_times_out),
        TEST(test_lock_not_required_is_not_waited_for),
        TEST(test_vehicle_that_does_not_go_on_times_out),
        TEST(test_cable_check_test_that_never_ends_times_out),
        TEST(test_cable_check_voltage_that_does_not_come_times_out_early),
        TEST(test_cable_check_failed_self_test_ends_the_session),
        TEST(test_cable_check_low_insulation_ends_the_session),
        TEST(test_precharge_that_does_not_match_times_out),
        TEST(test_precharge_matched_vehicle_that_does_not_close_times_out),
        TEST(test_closing_vehicle_that_asks_for_nothing_times_out),
        TEST(test_gun_contactor_that_does_not_open_ends_faulted),
        TEST(test_faulted_gun_asks_for_its_lock_until_the_inlet_is_dead),
        TEST(test_idle_gun_asks_for_no_lock_that_nobody_holds),
        TEST(test_worst_fault_silence_is_named_before_what_it_makes_stale),
        TEST(test_vehicle_that_holds_its_voltage_ends_faulted_and_recovers),
        TEST(test_weld_check_holds_the_bus_away_from_the_vehicle),
        TEST(test_lock_that_does_not_release_ends_faulted_and_recovers),
        TEST(test_vehicle_error_stage_ends_the_session),
        TEST(test_vehicle_dialogue_silent_ends_the_session),
        TEST(test_idle_boot_hold_is_unavailable),
        TEST(test_idle_plc_lost_is_unavailable_and_comes_back),
        TEST(test_idle_latched_fault_keeps_faulted_until_cleared),
        TEST(test_vehicle_that_arrives_during_a_fault_may_charge_after_it),
        TEST(test_vehicle_that_had_its_session_is_finished_after_a_fault),
        TEST(test_idle_latched_insulation_fault_still_takes_the_next_vehicle),
        TEST(test_idle_planner_late_does_not_fault_the_gun),
        TEST(test_token_before_the_plug_lapses),
        TEST(test_denied_vehicle_is_told_so_until_unplugged),
        TEST(test_full_records_let_no_session_begin),
        TEST(test_slot_without_gun_asks_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
