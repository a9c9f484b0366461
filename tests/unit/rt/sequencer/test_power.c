/* The way of the current to the modules: ramps, shares, and modules that join and leave a gun that charges (M1, M2). */
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

static int32_t total_ma(const struct bench *b) {
    return b->request.module[0].set_ma + b->request.module[1].set_ma;
}

/* Module 1 behind its open contactor: it shows what it was told, beside offset_mv. */
static int32_t offset_mv;
static int64_t voltage_age_us;

static void separate(struct bench *b) {
    struct image_module *m = &b->image.module[1];
    if (b->image.contactor[CONTACTOR_MN0 + 1].p == FEEDBACK_OPEN) {
        const struct request_module *told = &b->request.module[1];
        m->voltage_mv.value = told->run ? told->set_mv + offset_mv : 0;
        m->voltage_mv.at_us = b->now_us - voltage_age_us;
    }
}

static void charging_without_module_1(struct bench *b) {
    offset_mv = 0;
    voltage_age_us = 0;
    b->bend = separate;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->proposal.module[1] = (struct proposal_module){0};
    bench_run_ms(b, 2000);
    assert_false(b->request.module[1].run || b->request.module[1].mn);
    assert_int_equal(b->request.module[0].set_ma, 60000);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void test_module_joins_at_bus_voltage_with_little_current_then_closes(void **state) {
    struct bench *b = *state;
    charging_without_module_1(b);
    b->proposal.module[1].mn = true;
    bench_step(b);
    bench_step(b);
    assert_true(b->request.module[1].run);
    assert_false(b->request.module[1].mn);
    assert_int_equal(b->request.module[1].set_mv, 400000); /* the bus */
    assert_int_equal(b->request.module[1].set_ma, b->config.interlock.i_cc_ma);
    bench_run_ms(b, 280);
    assert_false(b->request.module[1].mn); /* not settled for 300 ms yet */
    bench_run_ms(b, 40);
    assert_true(b->request.module[1].mn);
    assert_int_equal(b->request.module[1].set_ma, 0); /* none into a contactor that moves */
    bench_run_ms(b, 100);
    /* closed: it waits converting for its share */
    assert_true(b->request.module[1].run);
    assert_int_equal(b->request.module[1].set_ma, 0);
    b->proposal.module[1] = b->proposal.module[0];
    bench_run_ms(b, 2000);
    assert_int_equal(b->request.module[1].set_ma, 50000); /* 100 A wished, two equal shares */
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void test_module_joined_without_a_share_is_switched_off_after_half_a_second(void **state) {
    struct bench *b = *state;
    charging_without_module_1(b);
    b->proposal.module[1].mn = true;
    bench_run_ms(b, 450);
    assert_true(b->request.module[1].mn && b->request.module[1].run);
    bench_run_ms(b, 600);
    assert_true(b->request.module[1].mn);
    assert_false(b->request.module[1].run);
}

static void expect_never_closes(struct bench *b, int ms) {
    b->proposal.module[1].mn = true;
    for (int t = 0; t < ms; t += 5) {
        bench_step(b);
        assert_false(b->request.module[1].mn);
    }
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void test_module_more_than_10_v_off_the_bus_does_not_close(void **state) {
    static const int32_t off_mv[] = {10001, -10001};
    struct bench *b = *state;
    for (unsigned i = 0; i < 2; i++) {
        bench_init(b);
        charging_without_module_1(b);
        offset_mv = off_mv[i];
        expect_never_closes(b, 2000);
        offset_mv = off_mv[i] > 0 ? 10000 : -10000;
        bench_run_ms(b, 100);
        assert_true(b->request.module[1].mn);
    }
}

static void test_module_with_stale_voltage_does_not_close(void **state) {
    struct bench *b = *state;
    charging_without_module_1(b);
    voltage_age_us = 630000;
    expect_never_closes(b, 2000);
}

static void bus_unknown(struct bench *b) {
    separate(b);
    b->image.bus_mv.valid = false;
}

static void test_module_does_not_join_a_bus_of_unknown_voltage(void **state) {
    struct bench *b = *state;
    charging_without_module_1(b);
    b->bend = bus_unknown;
    b->proposal.module[1].mn = true;
    for (int t = 0; t < 1000; t += 5) {
        bench_step(b);
        assert_false(b->request.module[1].mn || b->request.module[1].run);
    }
}

static void loaded(struct bench *b) {
    b->image.module[1].current_ma.value = 1001;
}

static void current_unknown(struct bench *b) {
    b->image.module[1].current_ma.valid = false;
}

static void test_module_with_current_or_unknown_current_does_not_leave(void **state) {
    static void (*const bend[])(struct bench *) = {loaded, current_unknown};
    struct bench *b = *state;
    for (unsigned i = 0; i < 2; i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
        b->bend = bend[i];
        b->proposal.module[1] = (struct proposal_module){0};
        bench_run_ms(b, 2000);
        assert_false(b->request.module[1].run);
        assert_true(b->request.module[1].mn); /* M2: no contactor opens loaded */
        b->bend = NULL;
        bench_run_ms(b, 50);
        assert_false(b->request.module[1].mn);
    }
}

static void test_proposal_without_any_module_leaves_the_path_closed_at_zero(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    b->proposal.module[0] = b->proposal.module[1] = (struct proposal_module){0};
    bench_run_ms(b, 3000);
    assert_int_equal(total_ma(b), 0);
    assert_true(b->request.module[0].mn && b->request.module[1].mn);
    assert_int_equal(b->gun.state, GUN_STATE_CHARGING);
}

static void relays_on_the_module_bus(struct bench *b) {
    for (unsigned j = 0; j < 2; j++) {
        b->image.module[j].relay = b->image.contactor[CONTACTOR_MN0 + j];
        b->image.module[j].relay.at_us = b->now_us - 1200000; /* slower than a PLC */
    }
}

static void relays_silent(struct bench *b) {
    relays_on_the_module_bus(b);
    b->image.module[1].relay.at_us = b->now_us - 1255000;
}

static void test_modules_with_their_own_relays_are_joined_by_these(void **state) {
    struct bench *b = *state;
    b->config.slot[0].module[0].mn_on_plc = b->config.slot[0].module[1].mn_on_plc = false;
    b->bend = relays_on_the_module_bus;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 2000);
    assert_int_equal(total_ma(b), 100000);
    b->bend = relays_silent;
    bench_run_ms(b, 2000);
    assert_int_equal(b->request.module[1].set_ma, 0);
    assert_int_equal(b->request.module[0].set_ma, 60000);
}

/* ---- ramps --------------------------------------------------------------------------------------------------- */

static void test_late_step_ramps_by_a_tenth_of_a_second_at_most(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 200);
    const int32_t before_ma = total_ma(b);
    b->step_us = 280000; /* 280 ms late: values are still fresh */
    bench_step(b);
    assert_int_equal(total_ma(b) - before_ma, 10000); /* 100 A/s for 100 ms */
}

static void test_slow_ramp_loses_nothing_below_a_milliampere(void **state) {
    struct bench *b = *state;
    b->config.interlock.ramp_up_ma_s = 100; /* half a milliampere per step */
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    const int32_t before_ma = b->gun.set_ma;
    bench_run_ms(b, 1000);
    assert_int_equal(b->gun.set_ma - before_ma, 100);
}

static void test_shares_beyond_32_bits_are_no_overflow(void **state) {
    struct bench *b = *state;
    b->proposal.module[0].set_ma = b->proposal.module[1].set_ma = INT32_MAX;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 2000);
    assert_int_equal(b->request.module[0].set_ma, 50000);
    assert_int_equal(b->request.module[1].set_ma, 50000);
}

static void target_of_50_v(struct bench *b) {
    b->image.ev_target_mv.value = 50000;
}

static void test_target_below_safe_voltage_gets_no_current(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 2000);
    b->bend = target_of_50_v;
    bench_run_ms(b, 50);
    assert_int_equal(total_ma(b), 0);
    assert_false(b->request.module[0].run);
}

static void maximum_unknown(struct bench *b) {
    b->image.ev_max_mv.valid = b->image.ev_max_ma.valid = false;
    b->image.ev_target_mv.value = 1200000;
}

static void maximum_zero(struct bench *b) {
    b->image.ev_max_mv.value = 0;
    b->image.ev_target_mv.value = 1200000;
}

static void test_vehicle_without_a_maximum_is_bounded_by_the_connector(void **state) {
    static void (*const bend[])(struct bench *) = {maximum_unknown, maximum_zero};
    struct bench *b = *state;
    for (unsigned i = 0; i < 2; i++) {
        bench_init(b);
        assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
        bench_run_ms(b, 1000);
        b->bend = bend[i];
        bench_run_ms(b, 100);
        assert_int_equal(b->gun.set_mv, b->config.connector[0].max_voltage_mv);
    }
}

static void negative_target(struct bench *b) {
    b->image.ev_target_ma.value = -1;
    b->image.ev_target_mv.value = -1;
}

static void test_negative_targets_are_zero(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 1000);
    b->bend = negative_target;
    bench_run_ms(b, 50);
    assert_int_equal(total_ma(b), 0);
    assert_int_equal(b->gun.set_mv, 0);
}

/* The plan's voltage lowers the vehicle's and never raises it; below the bus it is not taken, nor when the plan is late. */
static void test_set_voltage_follows_the_plan_between_bus_and_target(void **state) {
    struct bench *b = *state;
    assert_true(bench_bring_to(b, GUN_STATE_CHARGING));
    bench_run_ms(b, 2000);
    const int32_t target_mv = b->gun.set_mv;
    const int32_t bus_mv = b->image.bus_mv.value;
    assert_true(bus_mv > 300000 && bus_mv + 5000 < target_mv);
    b->proposal.set_mv = bus_mv + 4000;
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.set_mv, bus_mv + 4000);
    assert_int_equal(b->request.module[0].set_mv, bus_mv + 4000);
    b->proposal.set_mv = target_mv + 20000;
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.set_mv, target_mv);
    b->proposal.set_mv = bus_mv - 1;
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.set_mv, target_mv);
    b->proposal.set_mv = 0;
    bench_run_ms(b, 50);
    assert_int_equal(b->gun.set_mv, target_mv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_set_voltage_follows_the_plan_between_bus_and_target, setup),
        cmocka_unit_test_setup(test_module_joins_at_bus_voltage_with_little_current_then_closes,
                               setup),
        cmocka_unit_test_setup(
            test_module_joined_without_a_share_is_switched_off_after_half_a_second, setup),
        cmocka_unit_test_setup(test_module_more_than_10_v_off_the_bus_does_not_close, setup),
        cmocka_unit_test_setup(test_module_with_stale_voltage_does_not_close, setup),
        cmocka_unit_test_setup(test_module_does_not_join_a_bus_of_unknown_voltage, setup),
        cmocka_unit_test_setup(test_module_with_current_or_unknown_current_does_not_leave, setup),
        cmocka_unit_test_setup(test_proposal_without_any_module_leaves_the_path_closed_at_zero,
                               setup),
        cmocka_unit_test_setup(test_modules_with_their_own_relays_are_joined_by_these, setup),
        cmocka_unit_test_setup(test_late_step_ramps_by_a_tenth_of_a_second_at_most, setup),
        cmocka_unit_test_setup(test_slow_ramp_loses_nothing_below_a_milliampere, setup),
        cmocka_unit_test_setup(test_shares_beyond_32_bits_are_no_overflow, setup),
        cmocka_unit_test_setup(test_target_below_safe_voltage_gets_no_current, setup),
        cmocka_unit_test_setup(test_vehicle_without_a_maximum_is_bounded_by_the_connector, setup),
        cmocka_unit_test_setup(test_negative_targets_are_zero, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
