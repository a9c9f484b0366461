/* One gun's bounds: the set voltage that follows, classes and departure, offers that come back as wishes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rt/planner/wish.h"

static struct plan_input in;
static struct wish_memory memory;
static struct wish w;

static int setup(void **state) {
    (void)state;
    memset(&in, 0, sizeof in);
    memset(&memory, 0, sizeof memory);
    in.slots = 1;
    in.now_us = 50000000;
    in.i_cc_ma = 2000;
    struct plan_slot *s = &in.slot[0];
    s->has_gun = s->served = s->demands = true;
    s->state = GUN_STATE_CHARGING;
    s->priority_class = 3;
    s->target_mv = 450000;
    s->target_ma = 100000;
    s->ev_max_mv = 460000;
    s->connector_max_mv = 1000000;
    s->connector_max_ma = s->cable_max_ma = 500000;
    s->connector_max_w = 350000;
    s->derate_permille = 1000;
    s->profile_limit_w = INT64_MAX;
    s->bus_mv = 400000;
    return 0;
}

static void look(void) {
    wish_look(&in, 0, 1000, &memory, &w);
}

/* 400 V and 5 V + 2 %: 413 V. */
static void test_wish_set_voltage_stands_a_little_above_the_measured_one(void **state) {
    (void)state;
    look();
    assert_int_equal(w.set_mv, 413000);
    assert_int_equal(w.now_mv, 402000);
    assert_int_equal(w.ask_ma, 100000);
    assert_int_equal(w.ask_w, 40200);
    assert_int_equal(w.demand_w, 41300); /* booked at the set voltage */
}

static void test_wish_set_voltage_stays_within_its_band(void **state) {
    (void)state;
    look();
    in.slot[0].bus_mv = 404000; /* 9 V below it: more than half of the margin */
    look();
    assert_int_equal(w.set_mv, 413000);
    in.slot[0].bus_mv = 394500; /* 18.5 V */
    look();
    assert_int_equal(w.set_mv, 413000);
    in.slot[0].bus_mv = 407000; /* 6 V: too near; 407 + 13.14 rounded up */
    look();
    assert_int_equal(w.set_mv, 421000);
    in.slot[0].bus_mv = 390000; /* 31 V: too far; 390 + 12.8 */
    look();
    assert_int_equal(w.set_mv, 403000);
}

static void test_wish_set_voltage_never_above_target_or_maximum(void **state) {
    (void)state;
    in.slot[0].bus_mv = 445000;
    look();
    assert_int_equal(w.set_mv, 450000);
    in.slot[0].target_mv = 470000;
    look();
    assert_int_equal(w.set_mv, 459000); /* 445 + 13.9 */
    in.slot[0].bus_mv = 458000;
    look();
    assert_int_equal(w.set_mv, 460000); /* the vehicle's maximum */
    in.slot[0].target_mv = 300000; /* a lowered target is followed at once, also below the bus */
    look();
    assert_int_equal(w.set_mv, 300000);
}

static void test_wish_unmeasured_bus_takes_the_target(void **state) {
    (void)state;
    in.slot[0].bus_mv = 0;
    look();
    assert_int_equal(w.set_mv, 450000);
    in.slot[0].target_mv = 0;
    look();
    assert_int_equal(w.set_mv, 0);
    assert_int_equal(w.demand_w, 0);
}

/* What the guard still commands counts until it has followed. */
static void test_wish_books_at_what_is_commanded_still(void **state) {
    (void)state;
    in.slot[0].module_count = 1;
    in.slot[0].module[0].set_mv = 450000;
    in.slot[0].module[0].set_ma = 50000;
    look();
    assert_int_equal(w.set_mv, 413000);
    assert_int_equal(w.book_mv, 450000);
    assert_int_equal(w.demand_w, 45000);
    in.slot[0].module[0].set_ma = 0; /* gives nothing: books nothing */
    look();
    assert_int_equal(w.book_mv, 413000);
}

static void test_wish_who_leaves_soon_is_one_class_better(void **state) {
    (void)state;
    in.slot[0].departure_us = in.now_us + 1200000000; /* 20 min */
    look();
    assert_int_equal(w.priority_class, 3);
    in.rules.departure_soon_us = 1800000000;
    look();
    assert_int_equal(w.priority_class, 2);
    in.slot[0].departure_us = in.now_us + 1800000001;
    look();
    assert_int_equal(w.priority_class, 3);
    in.slot[0].departure_us = in.now_us - 1; /* should have left: no claim any more */
    look();
    assert_int_equal(w.priority_class, 3);
    in.slot[0].departure_us = in.now_us + 1;
    in.slot[0].priority_class = 0;
    look();
    assert_int_equal(w.priority_class, 0);
    in.slot[0].priority_class = 255;
    look();
    assert_int_equal(w.priority_class, 6);
}

/* Past mistake 14: the vehicle asks for what it was offered, so what bounds the offer is the reason. */
static void test_wish_vehicle_at_its_offer_is_bounded_by_what_bounds_that(void **state) {
    (void)state;
    memory.offered_w = 40200;
    memory.offer_reason = LIMIT_REASON_GRID;
    look();
    assert_int_equal(w.bound, LIMIT_REASON_GRID);
    memory.offered_w = 60000;
    look();
    assert_int_equal(w.bound, LIMIT_REASON_VEHICLE);
}

static void test_wish_starting_gun_claims_its_two_amperes(void **state) {
    (void)state;
    in.slot[0].served = false;
    in.slot[0].state = GUN_STATE_PRECHARGE;
    look();
    assert_true(w.holds && !w.serves);
    assert_int_equal(w.demand_w, 2000);
    in.slot[0].faulted = true;
    look();
    assert_int_equal(w.demand_w, 0);
    in.slot[0].has_gun = false;
    look();
    assert_false(w.holds || w.serves);
}

static void test_wish_arithmetic_is_held_to_its_range(void **state) {
    (void)state;
    assert_int_equal(wish_current_ma(INT64_MAX, 1), INT32_MAX);
    assert_int_equal(wish_current_ma(1000, 0), 0);
    assert_int_equal(wish_current_ma(-5, 400000), 0);
    assert_int_equal(wish_current_ma(40200, 402000), 100000);
    assert_int_equal(wish_input_w(950000000, 950), 1000);
    assert_int_equal(wish_input_w(950000001, 950), 1001);
    assert_int_equal(wish_output_w(1000, 950), 950);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_wish_set_voltage_stands_a_little_above_the_measured_one),
        TEST(test_wish_set_voltage_stays_within_its_band),
        TEST(test_wish_set_voltage_never_above_target_or_maximum),
        TEST(test_wish_unmeasured_bus_takes_the_target),
        TEST(test_wish_books_at_what_is_commanded_still),
        TEST(test_wish_who_leaves_soon_is_one_class_better),
        TEST(test_wish_vehicle_at_its_offer_is_bounded_by_what_bounds_that),
        TEST(test_wish_starting_gun_claims_its_two_amperes),
        TEST(test_wish_arithmetic_is_held_to_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
