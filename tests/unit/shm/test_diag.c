#include "shm/diag.h"
#include "tests/unit/shm/support.h"

static struct diag diag;

static int reset(void **state) {
    (void)state;
    memset(&diag, 0, sizeof diag);
    diag_reset(&diag, 1000, 50000);
    return 0;
}

static void test_diag_counters_add_and_set(void **state) {
    (void)state;
    diag_add(&diag, DIAG_RX_FRAMES, 3);
    diag_add(&diag, DIAG_RX_FRAMES, 4);
    diag_set(&diag, DIAG_HEAP_CALLS, 9);
    diag_add(&diag, DIAG_PLANNER_CYCLES, 1);
    assert_int_equal(diag_get(&diag, DIAG_RX_FRAMES), 7);
    assert_int_equal(diag_get(&diag, DIAG_HEAP_CALLS), 9);
    assert_int_equal(diag_get(&diag, DIAG_PLANNER_CYCLES), 1);
    assert_int_equal(diag_get(&diag, DIAG_TX_FRAMES), 0);
    diag_reset(&diag, 0, 0);
    assert_int_equal(diag_get(&diag, DIAG_RX_FRAMES), 0);
}

static void test_diag_threads_counters_lie_on_different_lines(void **state) {
    (void)state;
    assert_true((size_t)DIAG_PLANNER_CYCLES * 8 / RM_CACHE_LINE >
                (size_t)(DIAG_GUARD_COUNTER_COUNT - 1) * 8 / RM_CACHE_LINE);
    assert_int_equal(offsetof(struct diag, duty) % RM_CACHE_LINE, 0);
    assert_int_equal(sizeof(struct diag_duty) % RM_CACHE_LINE, 0);
    assert_int_equal(offsetof(struct diag, histogram) % RM_CACHE_LINE, 0);
    assert_int_equal(sizeof(struct diag_histogram) % RM_CACHE_LINE, 0);
}

static void test_diag_counter_name_out_of_range_is_unknown(void **state) {
    (void)state;
    assert_string_equal(diag_counter_name(DIAG_GUARD_STEPS), "guard steps");
    assert_string_equal(diag_counter_name(DIAG_PLANNER_OVERRUNS), "planner overruns");
    assert_string_equal(diag_counter_name(DIAG_GUARD_COUNTER_COUNT), "?");
    assert_string_equal(diag_counter_name(DIAG_PLANNER_COUNTER_END), "?");
    assert_string_equal(diag_counter_name(UINT32_MAX), "?");
    assert_string_equal(diag_histogram_name(DIAG_HISTOGRAM_REACTION), "reaction");
    assert_string_equal(diag_histogram_name(DIAG_HISTOGRAM_COUNT), "?");
}

static void test_diag_duty_keeps_maximum_and_counts_over_threshold(void **state) {
    (void)state;
    static const int64_t durations[] = {10, 1000, 1001, 5000, 20};
    for (unsigned i = 0; i < 5; i++) {
        diag_cycle(&diag, DIAG_THREAD_GUARD, durations[i]);
    }
    struct diag_duty *duty = &diag.duty[DIAG_THREAD_GUARD];
    assert_int_equal(atomic_load(&duty->cycles), 5);
    assert_int_equal(atomic_load(&duty->max_ns), 5000);
    assert_int_equal(atomic_load(&duty->last_ns), 20);
    assert_int_equal(atomic_load(&duty->over_threshold), 2);
    assert_int_equal(atomic_load(&diag.duty[DIAG_THREAD_PLANNER].cycles), 0);
    assert_int_equal(atomic_load(&diag.duty[DIAG_THREAD_PLANNER].threshold_ns), 50000);
}

static void test_diag_buckets_by_hand(void **state) {
    (void)state;
    assert_int_equal(diag_bucket_of(-5), 0);
    assert_int_equal(diag_bucket_of(0), 0);
    assert_int_equal(diag_bucket_of(15), 15);
    assert_int_equal(diag_bucket_of(16), 16);
    assert_int_equal(diag_bucket_of(31), 31);
    assert_int_equal(diag_bucket_of(32), 32); /* two values wide from here on */
    assert_int_equal(diag_bucket_of(33), 32);
    assert_int_equal(diag_bucket_of(34), 33);
    assert_int_equal(diag_bucket_of(1024), 112); /* 2^10: row 7 */
    assert_int_equal(diag_bucket_of((INT64_C(1) << 36) - 1), DIAG_BUCKETS - 1);
    assert_int_equal(diag_bucket_of(INT64_C(1) << 36), DIAG_BUCKETS - 1);
    assert_int_equal(diag_bucket_of(INT64_MAX), DIAG_BUCKETS - 1);
    assert_int_equal(diag_bucket_low(32), 32);
    assert_int_equal(diag_bucket_low(33), 34);
    assert_int_equal(diag_bucket_low(112), 1024);
}

static void test_diag_buckets_cover_every_value_once(void **state) {
    (void)state;
    for (unsigned b = 0; b < DIAG_BUCKETS; b++) {
        assert_int_equal(diag_bucket_of(diag_bucket_low(b)), b);
        if (b > 0) {
            assert_true(diag_bucket_low(b) > diag_bucket_low(b - 1));
            assert_int_equal(diag_bucket_of(diag_bucket_low(b) - 1), b - 1);
        }
    }
}

static void test_diag_quantile_empty_is_zero(void **state) {
    (void)state;
    assert_int_equal(diag_quantile(&diag.histogram[0], 5000), 0);
}

static void test_diag_quantile_of_known_values(void **state) {
    (void)state;
    const struct diag_histogram *h = &diag.histogram[DIAG_HISTOGRAM_PLANNER_WAKE];
    for (int64_t i = 0; i < 1000; i++) {
        diag_record(&diag, DIAG_HISTOGRAM_PLANNER_WAKE, i < 990 ? 10 : 1000000 + i);
    }
    assert_int_equal(diag_quantile(h, 0), 10);
    assert_int_equal(diag_quantile(h, 5000), 10);
    assert_int_equal(diag_quantile(h, 9900), 10);
    /* 1 000 990 .. 1 000 999: in the bucket [983 040, 1 015 808), cut at the recorded maximum */
    assert_int_equal(diag_quantile(h, 9901), 1000999);
    assert_int_equal(diag_quantile(h, 10000), 1000999);
    assert_int_equal(atomic_load(&h->min_ns), 10);
    assert_int_equal(atomic_load(&h->max_ns), 1000999);
    assert_int_equal(atomic_load(&h->count), 1000);
    assert_int_equal(atomic_load(&h->sum_ns), 990u * 10u + 10009945u);
}

static void test_diag_negative_value_counts_as_zero(void **state) {
    (void)state;
    diag_record(&diag, DIAG_HISTOGRAM_GUARD_WAKE, -100);
    assert_int_equal(atomic_load(&diag.histogram[DIAG_HISTOGRAM_GUARD_WAKE].bucket[0]), 1);
    assert_int_equal(atomic_load(&diag.histogram[DIAG_HISTOGRAM_GUARD_WAKE].min_ns), 0);
}

static void test_diag_same_error_is_counted_not_repeated(void **state) {
    (void)state;
    struct diag_error_copy e;
    assert_false(diag_error_read(&diag, 0, &e));
    diag_error_log(&diag, 100, "plc0: transmit queue full");
    diag_error_log(&diag, 200, "mod1: bus-off");
    diag_error_log(&diag, 300, "plc0: transmit queue full");
    assert_true(diag_error_read(&diag, 0, &e));
    assert_string_equal(e.text, "plc0: transmit queue full");
    assert_int_equal(e.count, 2);
    assert_int_equal(e.first_mono_ns, 100);
    assert_int_equal(e.last_mono_ns, 300);
    assert_true(diag_error_read(&diag, 1, &e));
    assert_string_equal(e.text, "mod1: bus-off");
    assert_int_equal(e.count, 1);
    assert_false(diag_error_read(&diag, 2, &e));
}

static void test_diag_error_log_outlives_a_reset(void **state) {
    (void)state;
    struct diag_error_copy e;
    diag_error_log(&diag, 1, "kept");
    diag_reset(&diag, 0, 0);
    assert_true(diag_error_read(&diag, 0, &e));
    assert_string_equal(e.text, "kept");
}

static void test_diag_error_log_full_counts_the_rest(void **state) {
    (void)state;
    char text[32];
    for (int i = 0; i < DIAG_ERRORS_MAX + 3; i++) {
        (void)snprintf(text, sizeof text, "error %d", i);
        diag_error_log(&diag, i, text);
    }
    struct diag_error_copy e;
    assert_true(diag_error_read(&diag, DIAG_ERRORS_MAX - 1, &e));
    assert_string_equal(e.text, "error 63");
    assert_false(diag_error_read(&diag, DIAG_ERRORS_MAX, &e));
    assert_int_equal(atomic_load(&diag.errors_lost), 3);
}

static void test_diag_long_error_is_cut_and_terminated(void **state) {
    (void)state;
    char text[300];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    diag_error_log(&diag, 1, text);
    diag_error_log(&diag, 2, text);
    struct diag_error_copy e;
    assert_true(diag_error_read(&diag, 0, &e));
    assert_int_equal(strlen(e.text), DIAG_ERROR_TEXT_LEN - 1);
    assert_int_equal(e.count, 2);
    memset(diag.error[0].text, 'y', DIAG_ERROR_TEXT_LEN); /* a damaged slot without its end */
    assert_true(diag_error_read(&diag, 0, &e));
    assert_int_equal(strlen(e.text), DIAG_ERROR_TEXT_LEN - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_diag_counters_add_and_set, reset),
        cmocka_unit_test_setup(test_diag_threads_counters_lie_on_different_lines, reset),
        cmocka_unit_test_setup(test_diag_counter_name_out_of_range_is_unknown, reset),
        cmocka_unit_test_setup(test_diag_duty_keeps_maximum_and_counts_over_threshold, reset),
        cmocka_unit_test_setup(test_diag_buckets_by_hand, reset),
        cmocka_unit_test_setup(test_diag_buckets_cover_every_value_once, reset),
        cmocka_unit_test_setup(test_diag_quantile_empty_is_zero, reset),
        cmocka_unit_test_setup(test_diag_quantile_of_known_values, reset),
        cmocka_unit_test_setup(test_diag_negative_value_counts_as_zero, reset),
        cmocka_unit_test_setup(test_diag_same_error_is_counted_not_repeated, reset),
        cmocka_unit_test_setup(test_diag_error_log_outlives_a_reset, reset),
        cmocka_unit_test_setup(test_diag_error_log_full_counts_the_rest, reset),
        cmocka_unit_test_setup(test_diag_long_error_is_cut_and_terminated, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
