/* When an arrangement is given up: gains by hand, threshold, dwell, what cannot wait; and the steps on the way there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rt/planner/follower.h"

static struct follower f;
static struct partition_input question;

static int setup(void **state) {
    (void)state;
    follower_init(&f, 6);
    f.in.rules.slots_max = 6;
    memset(&question, 0, sizeof question);
    question.slots = 4;
    for (uint32_t i = 0; i < 4; i++) {
        question.slot[i].wants = true;
        question.slot[i].priority_class = 3;
    }
    return 0;
}

static int64_t gain(int32_t a0, int32_t a1, int32_t a2, int32_t a3, int32_t b0, int32_t b1,
                    int32_t b2, int32_t b3) {
    const int32_t today[] = {a0, a1, a2, a3}, best[] = {b0, b1, b2, b3};
    return holding_gain_w(&question, today, best);
}

static void test_holding_gain_counts_from_the_worst_served(void **state) {
    (void)state;
    assert_int_equal(gain(60, 60, 60, 60, 60, 60, 60, 60), 0);
    assert_int_equal(gain(60, 60, 60, 60, 60, 60, 60, 90), 30);
    assert_int_equal(gain(50, 90, 100, 100, 80, 60, 100, 100), 10); /* ascending: 50 90, 60 80 */
    assert_int_equal(gain(10, 100, 0, 0, 20, 50, 0, 0),
                     10); /* what the richest loses does not cancel */
    assert_int_equal(gain(60, 60, 60, 60, 50, 60, 60, 60), 0); /* never negative */
    question.slot[3].wants = false;
    assert_int_equal(gain(60, 60, 60, 0, 60, 60, 60, 90), 0);
}

static void test_holding_gain_of_a_better_class_comes_first(void **state) {
    (void)state;
    question.slot[2].priority_class = 1;
    /* class 1: 100 to 130; class 3 loses 40, then wins nothing: 30 */
    assert_int_equal(gain(60, 60, 100, 60, 20, 60, 130, 60), 30);
    /* class 1 loses 30, the others win 50 in sum: 20 */
    assert_int_equal(gain(10, 60, 130, 60, 60, 60, 100, 60), 20);
}

static void test_holding_gain_by_mode(void **state) {
    (void)state;
    question.mode = PARTITION_TOTAL;
    assert_int_equal(gain(10, 100, 0, 0, 20, 50, 0, 0), 0);
    assert_int_equal(gain(20, 50, 0, 0, 10, 100, 0, 0), 40);
    question.mode = PARTITION_FIRST_COME;
    for (uint32_t i = 0; i < 4; i++) {
        question.slot[i].order = 10 - (int64_t)i; /* the last came first */
    }
    assert_int_equal(gain(100, 100, 0, 50, 0, 0, 0, 80), 30);
    assert_int_equal(gain(0, 0, 0, 80, 100, 100, 0, 50), 170);
}

static void one(void) {
    follower_run(&f, 1);
}

static void seconds(uint32_t s) {
    follower_run(&f, s * 20);
}

static uint32_t closed_aims(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < f.in.slots; i++) {
        count += f.planner.holding.closed[i];
    }
    return count;
}

static void test_holding_new_wish_is_answered_in_the_same_cycle(void **state) {
    (void)state;
    seconds(1);
    follower_charge(&f, 2, 110000);
    one();
    assert_int_equal(closed_aims(), 1);
    assert_int_equal(f.out.slot[2].owner, 2);
}

static void test_holding_asks_only_once_a_second_when_nothing_changes(void **state) {
    (void)state;
    follower_charge(&f, 2, 110000);
    seconds(10);
    const uint64_t before = f.planner.holding.solved;
    seconds(10);
    assert_in_range(f.planner.holding.solved - before, 18, 22); /* today's and the best */
}

/* Dwell: an edge that has just closed stays, whatever pays; after it the better arrangement comes. */
static void test_holding_dwell_keeps_an_edge_that_has_just_changed(void **state) {
    (void)state;
    follower_init(&f, 3);
    f.in.rules.slots_max = 3;
    follower_charge(&f, 0, 170000);
    seconds(8);
    assert_int_equal(follower_slots(&f, 0), 3);
    follower_leave(&f, 0);
    seconds(10);
    assert_int_equal(follower_slots(&f, 0), 1);
    follower_charge(&f, 1, 170000);
    seconds(10);
    assert_int_equal(f.early, 0);
    assert_int_equal(follower_slots(&f, 1), 2); /* edge 1 never moved; edge 0 is in its dwell */
    seconds(30);
    assert_int_equal(follower_slots(&f, 1), 3);
}

static void test_holding_arrival_makes_its_edges_urgent(void **state) {
    (void)state;
    f.in.slot[0].edge.fitted = f.in.slot[3].edge.fitted = false;
    follower_charge(&f, 2, 170000);
    seconds(15);
    assert_true(f.edge[1] == EDGE_CLOSED && f.edge[2] == EDGE_CLOSED);
    follower_plug(&f, 3, 50000);
    one();
    assert_false(f.out.slot[2].edge_closed);
    assert_true(f.out.slot[2].reclaim && f.out.slot[3].reclaim);
    assert_true(f.out.slot[1].edge_closed);
    assert_false(f.out.slot[1].reclaim);
    assert_int_equal(f.out.slot[3].owner, -1);
    assert_int_equal(f.out.slot[3].module[0].set_ma,
                     0); /* gives nothing any more, from this cycle on */
    assert_true(f.out.slot[2].module[0].set_ma > 0 && f.out.slot[1].module[0].set_ma > 0);
}

static void test_holding_blocked_slot_is_returned_and_never_borrowed(void **state) {
    (void)state;
    follower_charge(&f, 2, 110000);
    f.in.slot[1].blocked = f.in.slot[3].blocked = true;
    seconds(10);
    assert_int_equal(closed_aims(), 0);
    f.in.slot[3].blocked = false;
    seconds(10);
    assert_int_equal(follower_slots(&f, 2), 2);
    f.in.slot[3].blocked = true;
    one();
    assert_false(f.out.slot[2].edge_closed);
    assert_true(f.out.slot[2].reclaim);
}

static void test_holding_departure_returns_all_at_once(void **state) {
    (void)state;
    follower_charge(&f, 2, 200000);
    seconds(20);
    assert_int_equal(follower_slots(&f, 2), 4);
    follower_leave(&f, 2);
    one();
    assert_int_equal(closed_aims(), 0);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(f.out.slot[i].edge_closed, false);
        assert_int_equal(f.out.slot[i].reclaim, f.edge[i] != EDGE_OPEN);
    }
    assert_int_equal(f.early, 0);
}

/* Welded boundary: two slots are one for good; the partition sees it closed, the proposal says so. */
static void test_holding_welded_edge_stays_closed_in_every_proposal(void **state) {
    (void)state;
    f.in.slot[2].edge.locked = f.in.slot[2].edge.welded = true;
    f.in.slot[2].edge.may = true;
    f.edge[2] = EDGE_CLOSED;
    follower_charge(&f, 2, 110000);
    seconds(5);
    assert_true(f.out.slot[2].edge_closed);
    assert_int_equal(f.out.slot[3].owner, 2);
    follower_leave(&f, 2);
    seconds(5);
    assert_true(f.out.slot[2].edge_closed);
}

/* Missing targets for half a second are no departure: the island stays, without current. */
static void test_holding_missing_targets_tear_nothing_apart(void **state) {
    (void)state;
    follower_charge(&f, 2, 110000);
    seconds(10);
    assert_int_equal(follower_slots(&f, 2), 2);
    const int32_t mv = f.in.slot[2].target_mv;
    f.in.slot[2].target_mv = 0;
    follower_run(&f, 30);
    assert_int_equal(closed_aims(), 1);
    assert_int_equal(f.out.slot[2].module[0].set_ma, 0);
    f.in.slot[2].target_mv = mv;
    seconds(2);
    assert_int_equal(follower_slots(&f, 2), 2);
    assert_true(follower_w(&f, 2) > 100000);
}

/* Make before break: slot 1 is replaced by slot 3 (more of its modules work) and stays until 3 has joined. */
static void test_contactors_keep_the_old_slot_until_the_new_one_has_joined(void **state) {
    (void)state;
    f.in.rules.slots_max = 2;
    f.in.slot[0].edge.fitted = false;
    f.in.slot[3].module[0].healthy = f.in.slot[3].module[1].healthy = false;
    follower_charge(&f, 2, 115000);
    seconds(40);
    assert_true(f.edge[1] == EDGE_CLOSED && f.edge[2] == EDGE_OPEN);
    f.in.rules.slots_max = 3; /* room for both in between */
    f.in.slot[3].module[0].healthy = f.in.slot[3].module[1].healthy = true;
    f.in.slot[1].module[0].healthy = false;
    int32_t least_w = INT32_MAX;
    for (unsigned k = 0; k < 20 * 30; k++) {
        one();
        least_w = follower_w(&f, 2) < least_w ? follower_w(&f, 2) : least_w;
    }
    assert_true(f.edge[2] == EDGE_CLOSED);
    assert_true(least_w > 85000); /* 60 own and 30 of what is left of slot 1 */
    assert_int_equal(f.loaded, 0);
}

/* Break before make: a slot that goes over is asked to close on its new side only when the old one may not conduct. */
static void test_contactors_slot_that_goes_over_never_hangs_on_two_guns(void **state) {
    (void)state;
    follower_init(&f, 4);
    f.in.rules.slots_max = 4;
    follower_charge(&f, 0, 200000);
    seconds(40);
    assert_int_equal(follower_slots(&f, 0), 4);
    follower_plug(&f, 2, 200000);
    seconds(90);
    assert_int_equal(follower_slots(&f, 0), 2);
    assert_int_equal(follower_slots(&f, 2), 2);
    assert_true(f.two_guns == 0 && f.ring_closed == 0 && f.loaded == 0 && f.early == 0);
}

static void test_contactors_modules_of_a_joining_slot_are_asked_onto_their_bus(void **state) {
    (void)state;
    follower_charge(&f, 2, 110000);
    one();
    const uint32_t lender = f.out.slot[1].owner == 2 ? 1 : 3;
    assert_true(f.out.slot[lender].module[0].mn && f.out.slot[lender].module[1].mn);
    assert_false(f.out.slot[lender].module[0].run);
    assert_false(f.out.slot[5].module[0].mn);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_holding_gain_counts_from_the_worst_served),
        TEST(test_holding_gain_of_a_better_class_comes_first),
        TEST(test_holding_gain_by_mode),
        TEST(test_holding_new_wish_is_answered_in_the_same_cycle),
        TEST(test_holding_asks_only_once_a_second_when_nothing_changes),
        TEST(test_holding_dwell_keeps_an_edge_that_has_just_changed),
        TEST(test_holding_arrival_makes_its_edges_urgent),
        TEST(test_holding_blocked_slot_is_returned_and_never_borrowed),
        TEST(test_holding_departure_returns_all_at_once),
        TEST(test_holding_welded_edge_stays_closed_in_every_proposal),
        TEST(test_holding_missing_targets_tear_nothing_apart),
        TEST(test_contactors_keep_the_old_slot_until_the_new_one_has_joined),
        TEST(test_contactors_slot_that_goes_over_never_hangs_on_two_guns),
        TEST(test_contactors_modules_of_a_joining_slot_are_asked_onto_their_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
