/* rt/io/phase: the release times of tick and cycle. All times in ns, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "rt/io/phase.h"

static void test_phase_init_first_release_lies_ahead(void **state) {
    (void)state;
    struct phase p;
    phase_init(&p, 5000000, 0, 12000000);
    assert_int_equal(p.due_ns, 15000000);
    phase_init(&p, 5000000, 0, 15000000); /* exactly on a release: the next one */
    assert_int_equal(p.due_ns, 20000000);
}

static void test_phase_init_planner_is_half_a_tick_away(void **state) {
    (void)state;
    struct phase tick, cycle;
    phase_init(&tick, 5000000, 0, 123456789);
    phase_init(&cycle, 50000000, 2500000, 123456789);
    assert_int_equal(tick.due_ns, 125000000);
    assert_int_equal(cycle.due_ns, 152500000);
    assert_int_equal(cycle.due_ns % 5000000, 2500000);
}

static void test_phase_advance_in_time_misses_nothing(void **state) {
    (void)state;
    struct phase p;
    phase_init(&p, 5000000, 0, 1);
    assert_int_equal(p.due_ns, 5000000);
    assert_int_equal(phase_advance(&p, 5030000), 0);
    assert_int_equal(p.due_ns, 10000000);
    assert_int_equal(phase_advance(&p, 14999999), 0);
    assert_int_equal(p.due_ns, 15000000);
    assert_int_equal(p.missed, 0);
}

static void test_phase_advance_late_counts_and_keeps_phase(void **state) {
    (void)state;
    struct phase p;
    phase_init(&p, 5000000, 0, 1);
    /* due at 5 ms, served at 23 ms: 10, 15 and 20 ms passed unserved; the next one is 25 ms, not four at once */
    assert_int_equal(phase_advance(&p, 23000000), 3);
    assert_int_equal(p.due_ns, 25000000);
    assert_int_equal(p.missed, 3);
    assert_int_equal(phase_advance(&p, 25000001), 0);
    assert_int_equal(p.due_ns, 30000000);
}

static void test_phase_advance_exactly_at_next_release_is_one_missed(void **state) {
    (void)state;
    struct phase p;
    phase_init(&p, 50000000, 2500000, 0);
    assert_int_equal(p.due_ns, 2500000);
    assert_int_equal(phase_advance(&p, 52500000), 1);
    assert_int_equal(p.due_ns, 102500000);
}

/* Releases at 50 k + 2.5 ms; nothing from 0.2 ms before to 0.05 ms after one. */
static int64_t aside(int64_t at_ns) {
    return phase_aside(at_ns, 50000000, 2500000, 200000, 50000);
}

static void test_phase_aside_moves_only_what_lies_in_the_window(void **state) {
    (void)state;
    for (int64_t k = 0; k < 3; k++) {
        const int64_t release_ns = k * 50000000 + 2500000;
        assert_int_equal(aside(release_ns - 200001), release_ns - 200001);
        assert_int_equal(aside(release_ns - 200000), release_ns + 50000);
        assert_int_equal(aside(release_ns), release_ns + 50000);
        assert_int_equal(aside(release_ns + 49999), release_ns + 50000);
        assert_int_equal(aside(release_ns + 50000), release_ns + 50000);
        assert_int_equal(aside(release_ns + 25000000), release_ns + 25000000);
    }
}

static void test_phase_aside_holds_before_the_first_release_and_without_windows(void **state) {
    (void)state;
    assert_int_equal(aside(0), 0);
    assert_int_equal(phase_aside(10, 1000, 500, 600, 50), 550); /* window: -100 to 550 */
    assert_int_equal(phase_aside(2500000, 50000000, 2500000, 0, 0), 2500000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phase_init_first_release_lies_ahead),
        cmocka_unit_test(test_phase_init_planner_is_half_a_tick_away),
        cmocka_unit_test(test_phase_advance_in_time_misses_nothing),
        cmocka_unit_test(test_phase_advance_late_counts_and_keeps_phase),
        cmocka_unit_test(test_phase_advance_exactly_at_next_release_is_one_missed),
        cmocka_unit_test(test_phase_aside_moves_only_what_lies_in_the_window),
        cmocka_unit_test(test_phase_aside_holds_before_the_first_release_and_without_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
