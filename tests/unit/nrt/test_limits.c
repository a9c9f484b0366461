/* Leases renewed every third of their life; by hand: 60 s leases are renewed every 20 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nrt/session/limits.h"

#define S INT64_C(1000000000)

static void test_limit_unset_is_never_due_and_never_ends(void **state) {
    (void)state;
    struct limit limit = {0};
    assert_false(limit_is_due(&limit, 0));
    assert_false(limit_is_due(&limit, INT64_MAX));
    assert_false(limit_has_ended(&limit, INT64_MAX));
}

static void test_limit_set_is_due_at_once_and_then_every_third(void **state) {
    (void)state;
    struct limit limit = {0};
    limit_set(&limit, 100000, 0);
    assert_true(limit_is_due(&limit, 5 * S));
    assert_int_equal(limit_expiry(&limit, 60 * S, 5 * S), 65 * S);
    limit_sent(&limit, 60 * S, 5 * S);
    assert_false(limit_is_due(&limit, 100 * S)); /* not answered yet */
    limit_answered(&limit, true, 5 * S + 1);
    assert_false(limit_is_due(&limit, 25 * S - 1));
    assert_true(limit_is_due(&limit, 25 * S));
}

static void test_limit_refused_or_unanswered_is_tried_again_after_a_second(void **state) {
    (void)state;
    struct limit limit = {0};
    limit_set(&limit, 100000, 0);
    limit_sent(&limit, 60 * S, 5 * S);
    limit_answered(&limit, false, 7 * S);
    assert_false(limit_is_due(&limit, 8 * S - 1));
    assert_true(limit_is_due(&limit, 8 * S));
}

static void test_limit_lease_never_outlives_the_end_given(void **state) {
    (void)state;
    struct limit limit = {0};
    limit_set(&limit, 100000, 30 * S);
    assert_int_equal(limit_expiry(&limit, 60 * S, 5 * S), 30 * S);
    assert_false(limit_has_ended(&limit, 30 * S - 1));
    assert_true(limit_has_ended(&limit, 30 * S));
    assert_false(limit_is_due(&limit, 30 * S));
}

static void test_limit_lease_life_is_held_between_three_seconds_and_an_hour(void **state) {
    (void)state;
    struct limit limit = {0};
    limit_set(&limit, 1, 0);
    assert_int_equal(limit_expiry(&limit, 0, 10 * S), 13 * S);
    assert_int_equal(limit_expiry(&limit, -5 * S, 10 * S), 13 * S);
    assert_int_equal(limit_expiry(&limit, 3600 * S, 10 * S), 3609 * S); /* a second of slack */
    assert_int_equal(limit_expiry(&limit, INT64_MAX, 10 * S), 3609 * S);
    limit_sent(&limit, 0, 10 * S);
    limit_answered(&limit, true, 10 * S);
    assert_true(limit_is_due(&limit, 11 * S));
}

static void test_limit_new_value_or_new_rt_is_due_at_once(void **state) {
    (void)state;
    struct limit limit = {0};
    limit_set(&limit, 100000, 0);
    limit_sent(&limit, 60 * S, 5 * S);
    limit_set(&limit, 50000, 0);
    assert_true(limit_is_due(&limit, 6 * S));
    limit_sent(&limit, 60 * S, 6 * S);
    limit_forget_sent(&limit);
    assert_true(limit_is_due(&limit, 6 * S));
    assert_int_equal(limit.value_w, 50000);
    limit_clear(&limit);
    assert_false(limit_is_due(&limit, 6 * S));
}

static void test_limit_two_lost_renewals_in_a_row_leave_the_lease_alive(void **state) {
    (void)state;
    /* sent at 0 for 60 s; renewals at 20 s and 40 s get lost; the one of 41 s comes in time */
    struct limit limit = {0};
    limit_set(&limit, 100000, 0);
    int64_t expiry = limit_expiry(&limit, 60 * S, 0);
    limit_sent(&limit, 60 * S, 0);
    limit_answered(&limit, true, 0);
    int64_t now = 0;
    int lost = 0;
    while (lost < 2) {
        now += S;
        if (limit_is_due(&limit, now)) {
            limit_sent(&limit, 60 * S, now);
            limit_answered(&limit, false, now + 2 * S);
            lost++;
        }
    }
    assert_true(now < expiry);
    while (!limit_is_due(&limit, now)) {
        now += S;
    }
    assert_true(now < expiry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_unset_is_never_due_and_never_ends),
        cmocka_unit_test(test_limit_set_is_due_at_once_and_then_every_third),
        cmocka_unit_test(test_limit_refused_or_unanswered_is_tried_again_after_a_second),
        cmocka_unit_test(test_limit_lease_never_outlives_the_end_given),
        cmocka_unit_test(test_limit_lease_life_is_held_between_three_seconds_and_an_hour),
        cmocka_unit_test(test_limit_new_value_or_new_rt_is_due_at_once),
        cmocka_unit_test(test_limit_two_lost_renewals_in_a_row_leave_the_lease_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
