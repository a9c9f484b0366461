/* Too little for everybody's least power: who waits, and that nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rt/planner/scarcity.h"

#define MINUTE INT64_C(60000000)
#define TURN   (10 * MINUTE)

static struct scarcity s;
static struct scarcity_claim claim[4];
static bool waits[4];
static int64_t now_us;

static int setup(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    now_us = 1000 * MINUTE;
    for (int i = 0; i < 4; i++) {
        claim[i] = (struct scarcity_claim){true, 3, 3000, 100 + i};
    }
    return 0;
}

static void choose(int64_t limit_w) {
    scarcity_choose(&s, claim, 4, limit_w, TURN, now_us, waits);
}

static unsigned mask(void) {
    return (unsigned)waits[0] | (unsigned)waits[1] << 1 | (unsigned)waits[2] << 2 |
           (unsigned)waits[3] << 3;
}

static void test_scarcity_enough_for_all_suspends_nobody(void **state) {
    (void)state;
    choose(12000);
    assert_int_equal(mask(), 0);
}

static void test_scarcity_last_who_came_waits_first(void **state) {
    (void)state;
    choose(11999);
    assert_int_equal(mask(), 8);
    choose(2999);
    assert_int_equal(mask(), 15);
}

static void test_scarcity_worst_class_waits_whenever_it_came(void **state) {
    (void)state;
    claim[0].priority_class = 5;
    claim[2].priority_class = 4;
    choose(9000);
    assert_int_equal(mask(), 1);
    choose(6000);
    assert_int_equal(mask(), 5);
}

/* Three places, four vehicles, ten minutes each turn: 3 waits, then 0, 1, 2, and 3 again. */
static void test_scarcity_turns_go_round(void **state) {
    (void)state;
    static const unsigned expected[] = {8, 1, 2, 4, 8, 1};
    choose(9000);
    for (unsigned turn = 0; turn < 6; turn++) {
        assert_int_equal(mask(), expected[turn]);
        now_us += TURN - 1;
        choose(9000);
        assert_int_equal(mask(), expected[turn]);
        now_us += 1;
        choose(9000);
    }
}

/* One place: each of four has the same share of an hour. */
static void test_scarcity_one_place_is_shared_equally(void **state) {
    (void)state;
    unsigned served[4] = {0};
    for (unsigned minute = 0; minute < 400; minute++) {
        choose(3000);
        for (unsigned i = 0; i < 4; i++) {
            served[i] += !waits[i];
        }
        now_us += MINUTE;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(served[i], 90, 110);
    }
}

static void test_scarcity_no_turns_when_there_are_none(void **state) {
    (void)state;
    for (unsigned minute = 0; minute < 100; minute++) {
        scarcity_choose(&s, claim, 4, 9000, 0, now_us, waits);
        assert_int_equal(mask(), 8);
        now_us += MINUTE;
    }
}

static void test_scarcity_flickering_limit_does_not_make_vehicles_flicker(void **state) {
    (void)state;
    choose(9000);
    assert_int_equal(mask(), 8);
    now_us += SCARCITY_PAUSE_US - 1;
    choose(20000);
    assert_int_equal(mask(), 8);
    now_us += 1;
    choose(20000);
    assert_int_equal(mask(), 0);
}

static void test_scarcity_who_wants_less_needs_less(void **state) {
    (void)state;
    claim[3].least_w = 500;
    choose(9500);
    assert_int_equal(mask(), 0);
}

static void test_scarcity_who_left_takes_no_place_and_keeps_none(void **state) {
    (void)state;
    choose(9000);
    claim[1].active = false;
    now_us += SCARCITY_PAUSE_US;
    choose(9000);
    assert_int_equal(mask(), 0);
    claim[1].active = true;
    claim[1].arrival_us = now_us;
    choose(9000);
    assert_int_equal(mask(), 2); /* came back last */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_scarcity_enough_for_all_suspends_nobody),
        TEST(test_scarcity_last_who_came_waits_first),
        TEST(test_scarcity_worst_class_waits_whenever_it_came),
        TEST(test_scarcity_turns_go_round),
        TEST(test_scarcity_one_place_is_shared_equally),
        TEST(test_scarcity_no_turns_when_there_are_none),
        TEST(test_scarcity_flickering_limit_does_not_make_vehicles_flicker),
        TEST(test_scarcity_who_wants_less_needs_less),
        TEST(test_scarcity_who_left_takes_no_place_and_keeps_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
