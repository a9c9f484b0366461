/* Safety inputs: opening at once, closing after 50 ms from the first change; sources do not clear each other. */
#include "tests/unit/rt/can/bench.h"

#define SW1           0x01
#define SW2           0x02
#define ESTOP_LATCHED 0x08
#define SAFETY_OK     0x10
#define EARTH_FAULT   0x20
#define SW4           0x40
#define ESTOP_INPUT   0x80

static void safety(struct bench *b, uint8_t inputs, uint8_t chain) {
    bench_sealed(b, 0x190, BENCH_BYTES(inputs, 0, chain));
}

static void status(struct bench *b, uint8_t reason, uint8_t safety_active) {
    bench_sealed(b, 0x150, BENCH_BYTES(0, 0, reason, 0, safety_active));
}

static void relay(struct bench *b, uint8_t byte0, uint8_t inputs, uint8_t reason) {
    bench_sealed(b, 0x160, BENCH_BYTES(byte0, 0, inputs, reason));
}

/* Keeps sending these inputs for a while. */
static void hold(struct bench *b, uint8_t inputs, uint8_t chain, int64_t span_us) {
    for (int64_t end = b->now_us + span_us; b->now_us < end; b->now_us += 5 * MS) {
        status(b, 0, 0);
        safety(b, inputs, chain);
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    }
}

static struct bench *bench_ok(void) {
    struct bench *b = bench_new();
    hold(b, SAFETY_OK, 0, 100 * MS);
    assert_true(b->image.safety_ok.valid && b->image.safety_ok.value == 1);
    return b;
}

static void test_safety_unknown_until_the_first_debounce(void **state) {
    (void)state;
    struct bench *b = bench_new();
    hold(b, SAFETY_OK, 0, 45 * MS);
    assert_false(b->image.safety_ok.valid);
    assert_false(b->image.estop.valid); /* not known, rather than pressed */
    hold(b, SAFETY_OK, 0, 20 * MS);
    assert_true(b->image.safety_ok.valid && b->image.safety_ok.value == 1);
    assert_true(b->image.estop.valid && b->image.estop.value == 0);
    assert_true(b->image.earth_fault.valid && b->image.earth_fault.value == 0);
}

static void test_safety_pressed_at_start_is_known_at_once(void **state) {
    (void)state;
    struct bench *b = bench_new();
    safety(b, ESTOP_INPUT, 0);
    assert_true(b->image.estop.valid && b->image.estop.value == 1);
    assert_true(b->image.estop_input.valid && b->image.estop_input.value == 1);
}

static void test_safety_opening_takes_effect_with_the_frame(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    safety(b, 0, 0);
    assert_int_equal(b->image.safety_ok.value, 0);
}

static void test_safety_closing_waits_50_ms_from_the_first_change(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    safety(b, 0, 0);
    b->now_us += 10 * MS;
    const int64_t closed_us = b->now_us;
    /* frames that repeat the input must not start the time anew */
    while (b->now_us - closed_us < 50 * MS) {
        safety(b, SAFETY_OK, 0);
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
        assert_int_equal(b->image.safety_ok.value, 0);
        b->now_us += 5 * MS;
    }
    plc_tick(&b->plc, &b->config, &b->image, b->now_us); /* without another frame */
    assert_int_equal(b->image.safety_ok.value, 1);
}

static void test_safety_bounce_starts_the_closing_again(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    safety(b, 0, 0);
    hold(b, SAFETY_OK, 0, 40 * MS);
    safety(b, 0, 0);
    hold(b, SAFETY_OK, 0, 45 * MS);
    assert_int_equal(b->image.safety_ok.value, 0);
    hold(b, SAFETY_OK, 0, 15 * MS);
    assert_int_equal(b->image.safety_ok.value, 1);
}

static void test_safety_switch_of_the_chain_open_is_not_ok(void **state) {
    (void)state;
    struct bench *b = bench_new();
    hold(b, SAFETY_OK | SW1 | SW2, 0x3, 100 * MS);
    assert_int_equal(b->image.safety_ok.value, 1);
    assert_int_equal(b->image.chain_mask, 3);
    assert_int_equal(b->image.switches, 3);
    safety(b, SAFETY_OK | SW1, 0x3);
    assert_int_equal(b->image.safety_ok.value, 0);
    assert_int_equal(b->image.switches, 1);
}

static void test_safety_switch_outside_the_chain_does_not_matter(void **state) {
    (void)state;
    struct bench *b = bench_new();
    hold(b, SAFETY_OK | SW1, 0x1, 100 * MS);
    safety(b, SAFETY_OK | SW1, 0x1);
    assert_int_equal(b->image.safety_ok.value, 1);
    hold(b, SAFETY_OK | SW1 | SW4, 0x1, 100 * MS);
    assert_int_equal(b->image.switches, 0x9);
    hold(b, SAFETY_OK | SW1, 0x1, 10 * MS);
    assert_int_equal(b->image.safety_ok.value, 1);
}

static void test_safety_estop_press_at_once_release_after_50_ms(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    safety(b, SAFETY_OK | ESTOP_INPUT, 0);
    assert_int_equal(b->image.estop.value, 1);
    assert_int_equal(b->image.estop_input.value, 1);
    hold(b, SAFETY_OK, 0, 45 * MS);
    assert_int_equal(b->image.estop.value, 1);
    hold(b, SAFETY_OK, 0, 15 * MS);
    assert_int_equal(b->image.estop.value, 0);
    assert_int_equal(b->image.estop_input.value, 0);
}

static void test_safety_estop_latched_by_the_plc_with_the_button_free(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    hold(b, SAFETY_OK | ESTOP_LATCHED, 0, 100 * MS);
    assert_int_equal(b->image.estop.value, 1);
    assert_int_equal(b->image.estop_input.value, 0);
}

static void test_safety_earth_fault_at_once(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    safety(b, SAFETY_OK | EARTH_FAULT, 0);
    assert_int_equal(b->image.earth_fault.value, 1);
    hold(b, SAFETY_OK, 0, 100 * MS);
    assert_int_equal(b->image.earth_fault.value, 0);
}

static void test_safety_fault_reason_counts_as_input(void **state) {
    (void)state;
    static const struct {
        uint8_t reason;
        bool ok, estop, button, earth;
    } row[] = {
        {1, false, false, false, false}, {2, false, false, false, false},
        {3, false, false, false, false}, {4, true, true, false, false},
        {5, true, false, false, false},  {9, true, false, false, false},
        {10, true, false, false, true},  {11, false, false, false, false},
        {12, true, true, true, false},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct bench *b = bench_ok();
        status(b, row[i].reason, 0);
        assert_int_equal(b->image.plc_fault_reason, row[i].reason);
        assert_int_equal(b->image.safety_ok.value, row[i].ok);
        assert_int_equal(b->image.estop.value, row[i].estop);
        assert_int_equal(b->image.estop_input.value, row[i].button);
        assert_int_equal(b->image.earth_fault.value, row[i].earth);
    }
}

static void test_safety_active_of_the_status_is_not_ok(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    status(b, 0, 1);
    assert_int_equal(b->image.safety_ok.value, 0);
}

static void test_safety_one_source_does_not_clear_another(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    relay(b, 0, SAFETY_OK | ESTOP_LATCHED, 0);
    assert_int_equal(b->image.estop.value, 1);
    hold(b, SAFETY_OK, 0, 500 * MS); /* SafetySwitchStatus says nothing is pressed */
    assert_int_equal(b->image.estop.value, 1);
    relay(b, 0, SAFETY_OK, 0);
    hold(b, SAFETY_OK, 0, 100 * MS);
    assert_int_equal(b->image.estop.value, 0);
}

static void test_safety_status_older_than_300_ms_is_not_ok(void **state) {
    (void)state;
    struct bench *b = bench_ok();
    const int64_t last_us = b->now_us - 5 * MS;
    while (b->now_us - last_us <= 300 * MS) {
        safety(b, SAFETY_OK, 0);
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
        assert_int_equal(b->image.safety_ok.value, 1);
        assert_false(b->image.plc_status_stale);
        b->now_us += 5 * MS;
    }
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_status_stale);
    assert_int_equal(b->image.safety_ok.value, 0);
    safety(b, SAFETY_OK, 0); /* the other source does not heal it */
    assert_int_equal(b->image.safety_ok.value, 0);
    hold(b, SAFETY_OK, 0, 60 * MS);
    assert_int_equal(b->image.safety_ok.value, 1);
}

static void test_safety_gcmc_status_does_not_count_in_relay_mode(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    bench_restart(b);
    status(b, 0, 0);
    assert_false(b->image.contactor_status.valid);
    relay(b, 0, SAFETY_OK, 0);
    assert_true(b->image.contactor_status.valid);
}

static void test_safety_lock_from_the_configured_switch(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.connector[0].lock_input_switch = 4;
    hold(b, SAFETY_OK | SW4, 0, 100 * MS);
    assert_true(b->image.lock.valid && b->image.lock.value == 1);
    bench_frame(b, 0x100, BENCH_BYTES(5, 0)); /* LOCK_ENGAGED 0 is not the source here */
    assert_int_equal(b->image.lock.value, 1);
    safety(b, SAFETY_OK, 0);
    assert_int_equal(b->image.lock.value, 0);
}

static void test_safety_lock_from_charge_info_when_no_switch_is_configured(void **state) {
    (void)state;
    struct bench *b = bench_new();
    hold(b, SAFETY_OK | SW4, 0, 100 * MS);
    assert_false(b->image.lock.valid);
    bench_frame(b, 0x100, BENCH_BYTES(5, 0x20));
    assert_true(b->image.lock.valid && b->image.lock.value == 1);
    bench_frame(b, 0x100, BENCH_BYTES(5, 0));
    assert_int_equal(b->image.lock.value, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safety_unknown_until_the_first_debounce),
        cmocka_unit_test(test_safety_pressed_at_start_is_known_at_once),
        cmocka_unit_test(test_safety_opening_takes_effect_with_the_frame),
        cmocka_unit_test(test_safety_closing_waits_50_ms_from_the_first_change),
        cmocka_unit_test(test_safety_bounce_starts_the_closing_again),
        cmocka_unit_test(test_safety_switch_of_the_chain_open_is_not_ok),
        cmocka_unit_test(test_safety_switch_outside_the_chain_does_not_matter),
        cmocka_unit_test(test_safety_estop_press_at_once_release_after_50_ms),
        cmocka_unit_test(test_safety_estop_latched_by_the_plc_with_the_button_free),
        cmocka_unit_test(test_safety_earth_fault_at_once),
        cmocka_unit_test(test_safety_fault_reason_counts_as_input),
        cmocka_unit_test(test_safety_active_of_the_status_is_not_ok),
        cmocka_unit_test(test_safety_one_source_does_not_clear_another),
        cmocka_unit_test(test_safety_status_older_than_300_ms_is_not_ok),
        cmocka_unit_test(test_safety_gcmc_status_does_not_count_in_relay_mode),
        cmocka_unit_test(test_safety_lock_from_the_configured_switch),
        cmocka_unit_test(test_safety_lock_from_charge_info_when_no_switch_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
