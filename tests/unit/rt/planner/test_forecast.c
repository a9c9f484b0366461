/* The taper carried on: by hand from the samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rt/planner/forecast.h"

static struct forecast f;

static int setup(void **state) {
    (void)state;
    memset(&f, 0, sizeof f);
    return 0;
}

static void feed(const int32_t *w, unsigned count) {
    for (unsigned k = 0; k < count; k++) {
        forecast_step(&f, true, w[k], 1000000 + (int64_t)k * FORECAST_PERIOD_US);
    }
}

/* 2 kW in ten seconds: 200 W/s; in a minute 12 kW less. */
static void test_forecast_steady_fall_goes_on(void **state) {
    (void)state;
    static const int32_t w[] = {64000, 62000, 60000, 58000, 56000, 54000, 52000, 50000};
    feed(w, 8);
    assert_int_equal(forecast_fall_w_s(&f), 200);
    assert_int_equal(forecast_w(&f, 50000, 60000000), 38000);
    assert_int_equal(forecast_w(&f, 50000, 600000000), 0); /* never below nothing */
}

static void test_forecast_needs_its_samples(void **state) {
    (void)state;
    static const int32_t w[] = {64000, 62000, 60000, 58000, 56000, 54000, 52000};
    feed(w, 7);
    assert_int_equal(forecast_w(&f, 52000, 60000000), 52000);
}

static void test_forecast_one_step_is_no_slope(void **state) {
    (void)state;
    static const int32_t w[] = {100000, 100000, 100000, 50000, 50000, 50000, 50000, 50000};
    feed(w, 8);
    assert_int_equal(forecast_w(&f, 50000, 60000000), 50000);
}

static void test_forecast_rise_is_not_carried_on(void **state) {
    (void)state;
    static const int32_t w[] = {10000, 20000, 30000, 40000, 50000, 60000, 70000, 80000};
    feed(w, 8);
    assert_int_equal(forecast_w(&f, 80000, 60000000), 80000);
}

static void test_forecast_samples_come_every_ten_seconds(void **state) {
    (void)state;
    forecast_step(&f, true, 90000, 1000000);
    forecast_step(&f, true, 10000, 1000000 + FORECAST_PERIOD_US - 1);
    assert_int_equal(f.count, 1);
    forecast_step(&f, true, 10000, 1000000 + FORECAST_PERIOD_US);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.sample_w[1], 10000);
}

static void test_forecast_next_vehicle_begins_anew(void **state) {
    (void)state;
    static const int32_t w[] = {64000, 62000, 60000, 58000, 56000, 54000, 52000, 50000};
    feed(w, 8);
    forecast_step(&f, false, 0, 100000000);
    assert_int_equal(forecast_w(&f, 50000, 60000000), 50000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_forecast_steady_fall_goes_on),
        TEST(test_forecast_needs_its_samples),
        TEST(test_forecast_one_step_is_no_slope),
        TEST(test_forecast_rise_is_not_carried_on),
        TEST(test_forecast_samples_come_every_ten_seconds),
        TEST(test_forecast_next_vehicle_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
