/* Each condition of a step by itself: while it alone is missing the gun stays where it is, and goes on when it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/sequencer/sequencer_private.h"
#include "tests/unit/rt/sequencer/bench.h"

static struct bench bench;

static int setup(void **state) {
    bench_init(&bench);
    *state = &bench;
    return 0;
}

/* ---- what can be missing ------------------------------------------------------------------------------------- */

static void gc_unseen(struct bench *b) {
    b->image.contactor[CONTACTOR_GC].at_us = 0;
}
static void gc_silent(struct bench *b) {
    b->image.contactor[CONTACTOR_GC].at_us = b->now_us - 305000;
}
static void gc_poles_differ(struct bench *b) {
    struct image_contactor *gc = &b->image.contactor[CONTACTOR_GC];
    gc->n = gc->p == FEEDBACK_CLOSED ? FEEDBACK_OPEN : FEEDBACK_CLOSED;
}
static void gc_welded(struct bench *b) {
    b->interlock.contactor[CONTACTOR_GC].welded = true;
}
static void gc_stuck(struct bench *b) {
    b->interlock.contactor[CONTACTOR_GC].stuck = true;
}
static void mn_open(struct bench *b) {
    b->image.contactor[CONTACTOR_MN0 + 1].p = b->image.contactor[CONTACTOR_MN0 + 1].n =
        FEEDBACK_OPEN;
}
static void mn_one_pole(struct bench *b) {
    b->image.contactor[CONTACTOR_MN0 + 1].n = FEEDBACK_OPEN;
}
static void mn_silent(struct bench *b) {
    b->image.contactor[CONTACTOR_MN0 + 1].at_us = b->now_us - 305000;
}
static void mn_stuck(struct bench *b) {
    b->interlock.contactor[CONTACTOR_MN0 + 1].stuck = true;
}
static void lock_unknown(struct bench *b) {
    b->image.lock.valid = false;
}
static void monitor_not_passed(struct bench *b) {
    b->interlock.imd_passed = false;
}
static void precharge_goes_on(struct bench *b) {
    b->image.precharge_active = true;
}
static void cable_check_withdrawn(struct bench *b) {
    b->image.cable_check_ok = false;
}
static void gun_voltage_stale(struct bench *b) {
    b->image.gun_mv.at_us = b->now_us - 255000;
}
static void bus_voltage_stale(struct bench *b) {
    b->image.bus_mv.at_us = b->now_us - 255000;
}
static void target_stale(struct bench *b) {
    b->image.ev_target_mv.at_us = b->now_us - 505000;
}
static void target_below_safe(struct bench *b) {
    b->image.ev_target_mv.value = 59999;
}
static void gun_21_v_above(struct bench *b) {
    b->image.gun_mv.value = b->image.ev_target_mv.value + 20001;
}
static void gun_21_v_below(struct bench *b) {
    b->image.gun_mv.value = b->image.ev_target_mv.value - 20001;
}
static void current_stale(struct bench *b) {
    b->image.gun_ma.at_us = b->now_us - 630000;
}
static void current_backwards(struct bench *b) {
    b->image.gun_ma.value = -5001;
}
static void vehicle_maximum_unknown(struct bench *b) {
    b->image.ev_max_mv.valid = false;
}
static void vehicle_maximum_zero(struct bench *b) {
    b->image.ev_max_mv.value = 0;
}
static void monitor_stale(struct bench *b) {
    b->image.imd.at_us = b->now_us - 1005000;
}
static void monitor_in_fault(struct bench *b) {
    b->image.imd.value = IMD_STATE_FAULT;
}
static void insulation_stale(struct bench *b) {
    b->image.insulation_ohm.at_us = b->now_us - 1005000;
}
static void bus_at_60_v(struct bench *b) {
    b->image.bus_mv.value = 60000;
}
static void gun_at_60_v(struct bench *b) {
    b->image.gun_mv.value = 60000;
}
static void gun_above_test_voltage(struct bench *b) { /* EV maximum 450 V: test at 500 V */
    b->image.gun_mv.value = 510001;
}
static void gun_below_test_voltage(struct bench *b) {
    b->image.gun_mv.value = 489999;
}
/* The vehicle goes to CURRENT_DEMAND whatever it sees. */
static void (*also)(struct bench *b);
static void hurried(struct bench *b) {
    b->image.hlc_stage.value = HLC_STAGE_CURRENT_DEMAND;
    also(b);
}

struct condition {
    const char *name;
    void (*missing)(struct bench *b);
};
#define MISSING(name)                                                                              \
    { #name, name }
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void let_go(struct bench *b) {
    b->bend = NULL;
    b->interlock.contactor[CONTACTOR_GC].welded = b->interlock.contactor[CONTACTOR_GC].stuck =
        false;
    b->interlock.contactor[CONTACTOR_MN0 + 1].stuck = false;
    for (unsigned k = CONTACTOR_MN0; k < CONTACTOR_MN0 + 2; k++) {
        struct image_contactor *fb = &b->image.contactor[k];
        fb->p = fb->n = b->interlock.contactor[k].command ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
    }
    b->image.contactor[CONTACTOR_GC].n = b->image.contactor[CONTACTOR_GC].p;
    b->interlock.imd_passed = b->image.cable_check_ok = b->image.imd_self_test == 2;
}

static void expect_waits(struct bench *b, const char *what, enum gun_state there, int ms) {
    bench_run_ms(b, ms);
    if (b->gun.state != there) {
        fail_msg("%s: %s left for %s, fault %s", what, gun_state_name(there),
                 gun_state_name(b->gun.state), fault_info(b->gun.fault)->name);
    }
}

static void expect_goes_on(struct bench *b, const char *what, enum gun_state next, int within_ms) {
    let_go(b);
    if (!bench_reach(b, next, within_ms)) {
        fail_msg("%s given: still %s", what, gun_state_name(b->gun.state));
    }
}

static void test_closing_one_condition_missing_waits(void **state) {
    static const struct condition list[] = {
        MISSING(gc_unseen), MISSING(gc_silent),    MISSING(gc_poles_differ),    MISSING(gc_welded),
        MISSING(gc_stuck),  MISSING(mn_open),      MISSING(mn_one_pole),        MISSING(mn_silent),
        MISSING(mn_stuck),  MISSING(lock_unknown), MISSING(monitor_not_passed),
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CLOSING));
        b->last_stage = HLC_STAGE_CURRENT_DEMAND;
        also = list[i].missing;
        b->bend = hurried;
        expect_waits(b, list[i].name, GUN_STATE_CLOSING, 500);
        expect_goes_on(b, list[i].name, GUN_STATE_CHARGING, 1000);
    }
}

static void test_precharge_one_condition_missing_waits(void **state) {
    static const struct condition list[] = {
        MISSING(precharge_goes_on), MISSING(cable_check_withdrawn), MISSING(gun_voltage_stale),
        MISSING(target_stale),      MISSING(target_below_safe),     MISSING(gun_21_v_above),
        MISSING(gun_21_v_below),
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
        b->imd_silent = false;
        assert_true(bench_reach(b, GUN_STATE_PRECHARGE, 10000));
        b->bend = list[i].missing;
        expect_waits(b, list[i].name, GUN_STATE_PRECHARGE, 2000);
        expect_goes_on(b, list[i].name, GUN_STATE_CLOSING, 1000);
    }
}

static void test_ramp_down_unknown_or_backward_current_does_not_open_yet(void **state) {
    static const struct condition list[] = {MISSING(current_stale), MISSING(current_backwards)};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
        b->bend = list[i].missing;
        b->ev_done = true;
        assert_true(bench_reach(b, GUN_STATE_RAMP_DOWN, 1000));
        expect_waits(b, list[i].name, GUN_STATE_RAMP_DOWN, 1500);
        expect_goes_on(b, list[i].name, GUN_STATE_OPENING, 100);
    }
}

static void test_ramp_down_current_never_known_opens_after_two_seconds_with_a_fault(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->bend = current_stale;
    b->ev_done = true;
    assert_true(bench_reach(b, GUN_STATE_OPENING, 5000));
    assert_int_equal(b->gun.fault, FAULT_OVERCURRENT);
}

static void test_discharge_one_measurement_missing_or_live_waits(void **state) {
    static const struct condition list[] = {
        MISSING(bus_voltage_stale), MISSING(gun_voltage_stale), MISSING(bus_at_60_v),
        MISSING(gun_at_60_v),       MISSING(gc_silent),
    };
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
        b->ev_done = true;
        assert_true(bench_reach(b, GUN_STATE_WELD_CHECK, 5000));
        assert_true(bench_reach(b, GUN_STATE_DISCHARGE, 5000));
        b->bend = list[i].missing;
        expect_waits(b, list[i].name, GUN_STATE_DISCHARGE, 500);
        expect_goes_on(b, list[i].name, GUN_STATE_UNLOCK, 500);
    }
}

/* ---- cable check --------------------------------------------------------------------------------------------- */

/* With the self-test held back; the sub-step reached before the condition is taken away. */
static void at_step(struct bench *b, enum cable_check_step step) {
    bench_init(b);
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    b->imd_silent = false;
    for (int i = 0; i < 2000 && b->gun.step != step; i++) {
        bench_step(b);
    }
    assert_int_equal(b->gun.step, step);
}

static void expect_step_waits(struct bench *b, const struct condition *c, int ms) {
    const uint8_t step = b->gun.step;
    b->bend = c->missing;
    bench_run_ms(b, ms);
    if (b->gun.state != GUN_STATE_CABLE_CHECK || b->gun.step != step) {
        fail_msg("%s: left step %u for %u, %s", c->name, step, b->gun.step,
                 gun_state_name(b->gun.state));
    }
    expect_goes_on(b, c->name, GUN_STATE_PRECHARGE, 5000);
}

static void test_cable_check_without_the_vehicles_maximum_raises_nothing(void **state) {
    static const struct condition list[] = {MISSING(vehicle_maximum_unknown),
                                            MISSING(vehicle_maximum_zero)};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
        b->imd_silent = false;
        assert_int_equal(b->gun.step, CABLE_CHECK_CLOSE_GC);
        expect_step_waits(b, &list[i], 1000);
    }
}

static void test_cable_check_voltage_outside_the_band_starts_no_self_test(void **state) {
    static const struct condition list[] = {MISSING(gun_above_test_voltage),
                                            MISSING(gun_below_test_voltage),
                                            MISSING(gun_voltage_stale)};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        at_step(b, CABLE_CHECK_RAISE);
        expect_step_waits(b, &list[i], 1000);
    }
}

static void test_cable_check_stale_self_test_is_not_believed(void **state) {
    static const struct condition stale = MISSING(monitor_stale);
    struct bench *b = *state;
    at_step(b, CABLE_CHECK_SELF_TEST);
    expect_step_waits(b, &stale, 1000);
}

static void test_cable_check_verdict_needs_every_word_of_the_monitor(void **state) {
    static const struct condition list[] = {
        MISSING(monitor_stale), MISSING(monitor_in_fault), MISSING(insulation_stale),
        MISSING(cable_check_withdrawn), MISSING(monitor_not_passed)};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        at_step(b, CABLE_CHECK_SELF_TEST);
        b->bend = list[i].missing;
        bench_run_ms(b, 100);
        if (list[i].missing == monitor_stale) {
            b->bend = NULL;
        }
        for (int t = 0; t < 600 && b->gun.step != CABLE_CHECK_VERDICT; t++) {
            bench_step(b);
        }
        assert_int_equal(b->gun.step, CABLE_CHECK_VERDICT);
        expect_step_waits(b, &list[i], 3000);
    }
}

static void failed_before(struct bench *b) {
    b->image.imd_self_test = 3;
}

static void test_cable_check_failure_left_from_an_earlier_test_is_not_this_ones(void **state) {
    struct bench *b = *state;
    at_step(b, CABLE_CHECK_RAISE);
    b->bend = failed_before;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_CABLE_CHECK);
    assert_int_equal(b->gun.step, CABLE_CHECK_SELF_TEST);
    assert_int_equal(b->gun.failed, FAULT_NONE);
}

static void test_cable_check_discharge_waits_for_bus_and_gun(void **state) {
    static const struct condition list[] = {MISSING(bus_voltage_stale), MISSING(gun_voltage_stale),
                                            MISSING(bus_at_60_v), MISSING(gun_at_60_v)};
    struct bench *b = *state;
    for (size_t i = 0; i < COUNT(list); i++) {
        at_step(b, CABLE_CHECK_DISCHARGE);
        expect_step_waits(b, &list[i], 1000);
    }
}

static void test_cable_check_without_discharge_is_done_with_the_bus_up(void **state) {
    struct bench *b = *state;
    bench_init(b);
    b->config.interlock.discharge_after_cable_check = false;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    b->imd_silent = false;
    b->bus_stays = true;
    for (int i = 0; i < 2000 && b->gun.step != CABLE_CHECK_DONE; i++) {
        bench_step(b);
    }
    assert_int_equal(b->gun.step, CABLE_CHECK_DONE);
    assert_int_equal(b->image.bus_mv.value, 500000);
}

static void test_cable_check_done_and_vehicle_goes_no_further_times_out(void **state) {
    struct bench *b = *state;
    b->config.interlock.t_stage_ms = 5000;
    assert_true(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    b->imd_silent = false;
    b->last_stage = HLC_STAGE_CABLE_CHECK;
    for (int i = 0; i < 2000 && b->gun.step != CABLE_CHECK_DONE; i++) {
        bench_step(b);
    }
    assert_int_equal(b->gun.step, CABLE_CHECK_DONE);
    bench_run_ms(b, 4900);
    assert_int_equal(b->gun.state, GUN_STATE_CABLE_CHECK);
    assert_true(bench_reach(b, GUN_STATE_RAMP_DOWN, 200));
    assert_int_equal(b->gun.fault, FAULT_STAGE_TIMEOUT);
    assert_int_equal(b->gun.stop_reason, STOP_REASON_TIMEOUT);
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

static void lock_open(struct bench *b) {
    b->image.lock.value = 0;
}

static void test_lock_lost_while_charging_is_an_error_stop(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->bend = lock_open;
    bench_step(b);
    assert_int_equal(b->gun.state, GUN_STATE_RAMP_DOWN);
    assert_int_equal(b->gun.stop, STOP_CLASS_ERROR);
    assert_int_equal(b->gun.fault, FAULT_LOCK);
}

static void test_lock_not_required_and_lost_goes_on_charging(void **state) {
    struct bench *b = *state;
    b->config.connector[0].require_lock = false;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->bend = lock_open;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void test_lock_not_required_is_not_waited_for_at_the_end(void **state) {
    struct bench *b = *state;
    b->config.connector[0].require_lock = false;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->lock_stuck = true; /* its feedback says engaged for ever */
    b->ev_done = true;
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 20000));
    assert_int_equal(b->gun.fault, FAULT_NONE);
}

static void voltages_500_ms_old(struct bench *b) {
    b->image.gun_mv.at_us = b->image.bus_mv.at_us = b->now_us - 500000;
}

static void test_voltages_of_a_relay_plc_may_be_as_old_as_the_meter(void **state) {
    struct bench *b = *state;
    b->bend = voltages_500_ms_old;
    b->config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    bench_step(b);
    bench_step(b);
    b->image.gun_mv.value = 0;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    assert_int_equal(b->to_plc.present_mv, 400000);
    b->config.plc.contactor_frame = CONTACTOR_FRAME_GCMC;
    bench_step(b);
    assert_int_equal(b->to_plc.present_mv, 0); /* not known any more */
}

static void test_current_limit_is_the_least_of_connector_cable_derating_and_fallback(void **state) {
    struct bench *b = *state;
    struct config *k = &b->config;
    k->connector[0].max_current_ma = 400000;
    k->connector[0].cable_max_current_ma = 300000;
    k->interlock.sensor_fallback_ma = 50000;
    assert_int_equal(gun_current_limit_ma(k, &b->interlock, 0), 300000);
    k->connector[0].cable_max_current_ma = 500000;
    assert_int_equal(gun_current_limit_ma(k, &b->interlock, 0), 400000);
    b->interlock.derate_permille = 500;
    assert_int_equal(gun_current_limit_ma(k, &b->interlock, 0), 200000);
    b->interlock.sensor_broken = true;
    assert_int_equal(gun_current_limit_ma(k, &b->interlock, 0), 50000);
    b->interlock.derate_permille = 100;
    assert_int_equal(gun_current_limit_ma(k, &b->interlock, 0), 40000);
}

static void test_class_none_has_no_faults(void **state) {
    (void)state;
    assert_int_equal(gun_faults_of_class(STOP_CLASS_NONE), 0);
    assert_int_equal(gun_faults_of_class(STOP_CLASS_COUNT), 0);
    assert_int_equal(gun_worst_fault(0), FAULT_NONE);
}

static void test_gun_in_unlock_counts_as_in_session(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_UNLOCK));
    assert_true(gun_in_session(&b->gun));
    bench_heal(b);
    assert_true(bench_reach(b, GUN_STATE_FINISHED, 1000));
    assert_false(gun_in_session(&b->gun));
}

static void never_heard(struct bench *b) {
    b->image.module[0].last_rx_us = 0;
}

static void test_module_never_heard_is_left_out_from_the_start(void **state) {
    struct bench *b = *state;
    b->bend = never_heard;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 1000);
    assert_false(b->request.module[0].mn || b->request.module[0].run);
    assert_int_equal(b->request.module[1].set_ma, 60000);
}

static void test_no_proposal_yet_never_energises(void **state) {
    struct bench *b = *state;
    b->no_proposal = true;
    b->plan_age_us = INT64_MAX;
    assert_false(bench_bring_to(b, GUN_STATE_CABLE_CHECK));
    assert_int_equal(b->gun.state, GUN_STATE_LOCKED);
    assert_int_equal(b->to_plc.offer_w, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_closing_one_condition_missing_waits, setup),
        cmocka_unit_test_setup(test_precharge_one_condition_missing_waits, setup),
        cmocka_unit_test_setup(test_ramp_down_unknown_or_backward_current_does_not_open_yet, setup),
        cmocka_unit_test_setup(
            test_ramp_down_current_never_known_opens_after_two_seconds_with_a_fault, setup),
        cmocka_unit_test_setup(test_discharge_one_measurement_missing_or_live_waits, setup),
        cmocka_unit_test_setup(test_cable_check_without_the_vehicles_maximum_raises_nothing, setup),
        cmocka_unit_test_setup(test_cable_check_voltage_outside_the_band_starts_no_self_test,
                               setup),
        cmocka_unit_test_setup(test_cable_check_stale_self_test_is_not_believed, setup),
        cmocka_unit_test_setup(test_cable_check_verdict_needs_every_word_of_the_monitor, setup),
        cmocka_unit_test_setup(test_cable_check_failure_left_from_an_earlier_test_is_not_this_ones,
                               setup),
        cmocka_unit_test_setup(test_cable_check_discharge_waits_for_bus_and_gun, setup),
        cmocka_unit_test_setup(test_cable_check_without_discharge_is_done_with_the_bus_up, setup),
        cmocka_unit_test_setup(test_cable_check_done_and_vehicle_goes_no_further_times_out, setup),
        cmocka_unit_test_setup(test_lock_lost_while_charging_is_an_error_stop, setup),
        cmocka_unit_test_setup(test_lock_not_required_and_lost_goes_on_charging, setup),
        cmocka_unit_test_setup(test_lock_not_required_is_not_waited_for_at_the_end, setup),
        cmocka_unit_test_setup(test_voltages_of_a_relay_plc_may_be_as_old_as_the_meter, setup),
        cmocka_unit_test_setup(
            test_current_limit_is_the_least_of_connector_cable_derating_and_fallback, setup),
        cmocka_unit_test_setup(test_class_none_has_no_faults, setup),
        cmocka_unit_test_setup(test_gun_in_unlock_counts_as_in_session, setup),
        cmocka_unit_test_setup(test_module_never_heard_is_left_out_from_the_start, setup),
        cmocka_unit_test_setup(test_no_proposal_yet_never_energises, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
