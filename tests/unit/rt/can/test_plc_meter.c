/* The energy meter: monotonic register, held jumps, refinement between steps, flagged substitutes. */
#include "tests/unit/rt/can/bench.h"

#define OK        0x01
#define COMM      0x02
#define STALE     0x04
#define OVERRANGE 0x08
#define FALLBACK  0x10

static void measure(struct bench *b, uint8_t flags, int32_t dv, int32_t ca, int32_t daw) {
    bench_frame(b, 0x170,
                BENCH_BYTES(0, flags, (uint8_t)dv, (uint8_t)(dv >> 8), (uint8_t)ca,
                            (uint8_t)(ca >> 8), (uint8_t)daw, (uint8_t)(daw >> 8)));
}

static void read_register(struct bench *b, uint8_t flags, uint32_t hwh) {
    bench_frame(b, 0x170,
                BENCH_BYTES(1, flags, (uint8_t)hwh, (uint8_t)(hwh >> 8), (uint8_t)(hwh >> 16),
                            (uint8_t)(hwh >> 24), 0x88, 0x13));
}

static void tick(struct bench *b) {
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
}

/* Both frames every 250 ms at this power. */
static void run_meter(struct bench *b, uint32_t hwh, int32_t daw, int64_t span_us) {
    for (int64_t end = b->now_us + span_us; b->now_us < end;) {
        b->now_us += 250 * MS;
        measure(b, OK, 4000, 5000, daw);
        read_register(b, OK, hwh);
        tick(b);
    }
}

static void test_meter_measurement_scales(void **state) {
    (void)state;
    struct bench *b = bench_new();
    measure(b, OK, 4000, -150, 2500); /* 400.0 V, -1.50 A, 25.00 kW */
    assert_int_equal(b->image.meter_mv.value, 400000);
    assert_int_equal(b->image.gun_ma.value, -1500);
    assert_int_equal(b->image.meter_power_w.value, 25000);
    assert_true(b->image.gun_ma.valid);
}

static void test_meter_register_scale_and_offset(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.connector[0].meter_scale_ppm = 1500000;
    b->config.connector[0].meter_offset_wh = -250;
    bench_restart(b);
    read_register(b, OK, 1234); /* 123.4 kWh x 1.5 - 0.25 kWh */
    assert_int_equal(b->image.meter_mwh, 184850000);
    assert_int_equal(b->image.meter_wh, 184850);
    assert_true(b->image.meter.valid);
}

static void test_meter_largest_register_does_not_overflow(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, UINT32_MAX);
    assert_true(b->image.meter_mwh == INT64_C(429496729500000));
}

static void test_meter_bad_flags_are_not_measurements(void **state) {
    (void)state;
    static const uint8_t bad[] = {0, OK | COMM, OK | STALE};
    for (size_t i = 0; i < sizeof(bad); i++) {
        struct bench *b = bench_new();
        measure(b, bad[i], 4000, 100, 100);
        read_register(b, bad[i], 1234);
        assert_false(b->image.meter_mv.valid);
        assert_false(b->image.gun_ma.valid);
        assert_false(b->image.meter.valid);
        assert_int_equal(b->image.meter_mwh, 0);
    }
}

static void test_meter_refines_between_steps_by_power(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    measure(b, OK, 4000, 5000, 3600); /* 36 kW: 10 Wh per second */
    run_meter(b, 1000, 3600, 5 * SECOND);
    assert_int_equal(b->image.meter_mwh, 100000000 + 50000);
    assert_false(b->image.meter_fallback);
}

static void test_meter_refinement_stops_short_of_the_next_step(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 3600, 60 * SECOND); /* 600 Wh by power, but the register has not stepped */
    assert_int_equal(b->image.meter_mwh, 100000000 + 99999);
}

static void test_meter_step_takes_over_from_the_refinement(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    measure(b, OK, 4000, 5000, 3600);
    run_meter(b, 1000, 3600, 9 * SECOND);
    run_meter(b, 1001, 3600, 250 * MS);
    assert_int_equal(b->image.meter_mwh, 100100000);
    run_meter(b, 1001, 3600, SECOND);
    assert_int_equal(b->image.meter_mwh, 100110000);
}

static void test_meter_never_falls(void **state) {
    (void)state;
    struct bench *b = bench_new();
    uint32_t seed = 7;
    int64_t last = INT64_MIN;
    read_register(b, OK, 50000);
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        b->now_us += 250 * MS;
        measure(b, (uint8_t)(seed >> 27), 4000, (int32_t)(seed >> 16 & 0xffff),
                (int32_t)(seed >> 8 & 0xffff));
        read_register(b, (uint8_t)(seed >> 26 | 1), 50000 + (seed >> 20) % 40);
        tick(b);
        assert_true(b->image.meter_mwh >= last);
        last = b->image.meter_mwh;
    }
}

static void test_meter_negative_power_adds_nothing(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, -3600, 10 * SECOND);
    assert_int_equal(b->image.meter_mwh, 100000000);
}

static void test_meter_step_back_is_held_and_counted_once(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 0, SECOND);
    run_meter(b, 900, 0, 3 * SECOND);
    assert_int_equal(b->image.meter_jumps, 1);
    assert_int_equal(b->image.meter_mwh, 100000000);
    assert_true(b->image.meter_fallback);
    run_meter(b, 1000, 0, SECOND);
    assert_int_equal(b->image.meter_jumps, 1);
    assert_false(b->image.meter_fallback);
    assert_int_equal(b->image.meter_mwh, 100000000);
}

static void test_meter_jump_is_held_and_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 0, SECOND);
    run_meter(b, 5000, 0, 3 * SECOND); /* 400 kWh in a second: not from a 60 kW gun */
    assert_int_equal(b->image.meter_jumps, 1);
    assert_int_equal(b->image.meter_mwh, 100000000);
}

static void test_meter_held_register_integrates_power_flagged(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 3600, SECOND);
    int64_t before = b->image.meter_mwh;
    run_meter(b, 5000, 3600, 5 * SECOND);
    assert_true(b->image.meter_fallback);
    assert_int_equal(b->image.meter_mwh, before + 50000);
}

static void test_meter_replaced_is_taken_over_without_a_step(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 0, SECOND);
    run_meter(b, 3, 0, 9 * SECOND);
    assert_true(b->image.meter_fallback);
    run_meter(b, 3, 0, 3 * SECOND);
    assert_false(b->image.meter_fallback);
    assert_int_equal(b->image.meter_mwh, 100000000);
    run_meter(b, 5, 0, SECOND);
    assert_int_equal(b->image.meter_mwh, 100200000);
    assert_int_equal(b->image.meter_jumps, 1);
}

static void modules_deliver(struct bench *b, int32_t ma) {
    for (unsigned j = 0; j < 2; j++) {
        b->image.module[j].current_ma = (struct sample){ma, true, b->now_us};
        b->image.module[j].voltage_mv = (struct sample){400000, true, b->now_us};
    }
}

static void test_meter_overrange_takes_the_sum_of_the_modules(void **state) {
    (void)state;
    struct bench *b = bench_new();
    modules_deliver(b, 200000);
    measure(b, OK | OVERRANGE, 4000, 32767, 32767);
    assert_int_equal(b->image.gun_ma.value, 400000);
    assert_int_equal(b->image.meter_power_w.value, 160000);
    assert_true(b->image.meter_fallback);
}

static void test_meter_overrange_without_module_readings_is_not_a_measurement(void **state) {
    (void)state;
    struct bench *b = bench_new();
    measure(b, OK | OVERRANGE, 4000, 32767, 32767);
    assert_false(b->image.gun_ma.valid);
    assert_true(b->image.meter_mv.valid);
}

/* Measurements and register take turns: the first frame says that the meter is there, not what it has counted. */
static void test_meter_first_measurement_is_a_meter_without_a_register(void **state) {
    (void)state;
    struct bench *b = bench_new();
    measure(b, OK, 4000, 0, 0);
    assert_true(b->image.meter.valid);
    assert_false(b->image.meter_known);
    for (unsigned i = 0; i < 10; i++) { /* and no more than that: the register's age counts */
        bench_run(b, 250 * MS);
        measure(b, OK, 4000, 0, 0);
    }
    assert_false(sample_fresh(&b->image.meter, b->now_us, 2000));
    read_register(b, OK, 1000);
    assert_true(sample_fresh(&b->image.meter, b->now_us, 2000));
    assert_true(b->image.meter_known);
}

static void test_meter_plc_fallback_is_passed_on(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 10);
    measure(b, OK, 4000, 100, 40);
    assert_false(b->image.meter_fallback);
    measure(b, OK | FALLBACK, 4000, 100, 40);
    assert_true(b->image.meter_fallback);
}

static void test_meter_stale_after_two_seconds_falls_back_to_modules(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 0, SECOND);
    int64_t before = b->image.meter_mwh;
    for (unsigned i = 0; i < 395; i++) { /* 1.975 s */
        b->now_us += 5 * MS;
        modules_deliver(b, 45000); /* 2 x 45 A x 400 V = 36 kW */
        tick(b);
        assert_false(b->image.meter_fallback);
    }
    assert_int_equal(b->image.meter_mwh, before);
    for (unsigned i = 0; i < 2000; i++) { /* 10 s */
        b->now_us += 5 * MS;
        modules_deliver(b, 45000);
        tick(b);
    }
    assert_true(b->image.meter_fallback);
    /* at least the 9.9 s after the flag, at most with the 2 s before it */
    assert_in_range(b->image.meter_mwh - before, 98000, 121000);
}

static void test_meter_back_after_fallback_waits_for_the_register(void **state) {
    (void)state;
    struct bench *b = bench_new();
    read_register(b, OK, 1000);
    run_meter(b, 1000, 0, SECOND);
    for (unsigned i = 0; i < 4400; i++) { /* 22 s, 20 of them counted: 200 Wh */
        b->now_us += 5 * MS;
        modules_deliver(b, 45000);
        tick(b);
    }
    int64_t counted = b->image.meter_mwh;
    assert_in_range(counted, 100190000, 100225000);
    run_meter(b, 1001, 0, SECOND); /* the meter saw less */
    assert_false(b->image.meter_fallback);
    assert_int_equal(b->image.meter_mwh, counted);
    run_meter(b, 1003, 0, SECOND);
    assert_int_equal(b->image.meter_mwh, 100300000);
}

static void test_meter_shunt_source_has_no_register(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.connector[0].meter_source = METER_SOURCE_SHUNT;
    bench_restart(b);
    measure(b, OK, 4000, 5000, 3600);
    run_meter(b, 999999, 3600, 60 * SECOND);
    assert_int_equal(b->image.meter_mwh, 600000);
    assert_true(b->image.meter.valid);
    assert_false(b->image.meter_fallback);
    assert_int_equal(b->image.meter_jumps, 0);
}

static void test_meter_unknown_multiplex_is_a_format_error(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x170, BENCH_BYTES(2, OK, 1, 1, 1, 1, 1, 1));
    assert_int_equal(b->image.format_errors, 1);
    assert_false(b->image.meter_mv.valid);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meter_measurement_scales),
        cmocka_unit_test(test_meter_register_scale_and_offset),
        cmocka_unit_test(test_meter_first_measurement_is_a_meter_without_a_register),
        cmocka_unit_test(test_meter_largest_register_does_not_overflow),
        cmocka_unit_test(test_meter_bad_flags_are_not_measurements),
        cmocka_unit_test(test_meter_refines_between_steps_by_power),
        cmocka_unit_test(test_meter_refinement_stops_short_of_the_next_step),
        cmocka_unit_test(test_meter_step_takes_over_from_the_refinement),
        cmocka_unit_test(test_meter_never_falls),
        cmocka_unit_test(test_meter_negative_power_adds_nothing),
        cmocka_unit_test(test_meter_step_back_is_held_and_counted_once),
        cmocka_unit_test(test_meter_jump_is_held_and_counted),
        cmocka_unit_test(test_meter_held_register_integrates_power_flagged),
        cmocka_unit_test(test_meter_replaced_is_taken_over_without_a_step),
        cmocka_unit_test(test_meter_overrange_takes_the_sum_of_the_modules),
        cmocka_unit_test(test_meter_overrange_without_module_readings_is_not_a_measurement),
        cmocka_unit_test(test_meter_plc_fallback_is_passed_on),
        cmocka_unit_test(test_meter_stale_after_two_seconds_falls_back_to_modules),
        cmocka_unit_test(test_meter_back_after_fallback_waits_for_the_register),
        cmocka_unit_test(test_meter_shunt_source_has_no_register),
        cmocka_unit_test(test_meter_unknown_multiplex_is_a_format_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
