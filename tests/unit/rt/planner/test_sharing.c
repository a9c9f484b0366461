/* Modes, classes, suspension and guidance, seen from outside: what is proposed and the reason that is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rt/planner/follower.h"

static struct follower f;

static int setup(void **state) {
    (void)state;
    follower_init(&f, 6);
    f.in.rules.slots_max = 6;
    return 0;
}

static void seconds(uint32_t s) {
    follower_run(&f, s * 20);
}

static void test_sharing_static_never_uses_a_boundary(void **state) {
    (void)state;
    f.in.rules.mode = SHARING_MODE_STATIC;
    follower_charge(&f, 2, 200000);
    seconds(60);
    assert_int_equal(f.operations, 0);
    assert_int_equal(f.out.slot[2].offered_w, 60000);
    assert_int_equal(f.out.slot[2].reason, LIMIT_REASON_MODULES);
}

/* 100 kW for three who want 60 each: who came first has it all but the others' least 3 kW. */
static void test_sharing_first_come_takes_what_it_wants(void **state) {
    (void)state;
    f.in.rules.mode = SHARING_MODE_FIRST_COME;
    f.in.site_limit_w = 100000;
    follower_charge(&f, 4, 50000);
    seconds(1);
    follower_charge(&f, 0, 50000);
    seconds(1);
    follower_charge(&f, 2, 50000);
    seconds(30);
    assert_in_range(f.out.slot[4].budget_w, 49000, 50000);
    assert_in_range(f.out.slot[0].budget_w, 41000, 46000);
    assert_in_range(f.out.slot[2].budget_w, 2900, 3000);
    assert_int_equal(f.out.slot[4].reason, LIMIT_REASON_VEHICLE);
    assert_int_equal(f.out.slot[2].reason, LIMIT_REASON_CLASS); /* behind others */
    assert_int_equal(f.site_excess_w, 0);
}

static void test_sharing_better_class_first_and_the_reason_says_so(void **state) {
    (void)state;
    f.in.site_limit_w = 70000;
    f.in.slot[2].priority_class = 1;
    follower_charge(&f, 0, 55000);
    follower_charge(&f, 2, 55000);
    seconds(30);
    assert_in_range(f.out.slot[2].budget_w, 54000, 55000);
    assert_in_range(f.out.slot[0].budget_w, 11000, 14000);
    assert_int_equal(f.out.slot[2].reason, LIMIT_REASON_VEHICLE);
    assert_int_equal(f.out.slot[0].reason, LIMIT_REASON_CLASS);
    assert_int_equal(f.site_excess_w, 0);
}

static void test_sharing_one_class_shares_equally_and_names_the_site(void **state) {
    (void)state;
    f.in.site_limit_w = 70000;
    f.in.site_limit_reason = LIMIT_REASON_LEASE;
    follower_charge(&f, 0, 55000);
    follower_charge(&f, 3, 55000);
    seconds(30);
    assert_in_range(f.out.slot[0].budget_w, 33500, 35000);
    assert_in_range(f.out.slot[3].budget_w, 33500, 35000);
    assert_int_equal(f.out.slot[0].reason, LIMIT_REASON_LEASE);
}

/* 8 kW for three who need 3 each: one waits, and says why; after ten minutes another one. */
static void test_sharing_too_little_for_all_suspends_in_turn(void **state) {
    (void)state;
    f.in.site_limit_w = 8000;
    follower_charge(&f, 0, 50000);
    seconds(1);
    follower_charge(&f, 2, 50000);
    seconds(1);
    follower_charge(&f, 4, 50000);
    seconds(20);
    assert_true(f.out.slot[4].suspended);
    assert_int_equal(f.out.slot[4].budget_w, 0);
    assert_int_equal(f.out.slot[4].reason, LIMIT_REASON_GRID);
    assert_true(follower_w(&f, 0) > 3000 && follower_w(&f, 2) > 3000);
    assert_int_equal(follower_w(&f, 4), 0);
    seconds(600);
    assert_true(f.out.slot[0].suspended && !f.out.slot[4].suspended);
    assert_true(follower_w(&f, 4) > 3000);
    f.in.site_limit_w = 100000;
    seconds(20);
    assert_false(f.out.slot[0].suspended);
    assert_int_equal(f.site_excess_w, 0);
}

/* The vehicle asks for no more than it is offered; the reason is what bounds the offer. */
static void test_sharing_offer_is_the_longest_free_arc(void **state) {
    (void)state;
    f.in.rules.slots_max = 3;
    follower_charge(&f, 2, 50000);
    seconds(2);
    assert_int_equal(f.out.slot[2].offered_w, 180000);
    follower_charge(&f, 4, 50000); /* slot 3 is still between them, 1 and 0 on the other side */
    seconds(2);
    assert_int_equal(f.out.slot[2].offered_w, 180000);
    follower_charge(&f, 1, 50000);
    follower_charge(&f, 3, 50000);
    seconds(2);
    assert_int_equal(f.out.slot[2].offered_w, 60000);
    follower_want(&f, 2, 60000);
    seconds(2);
    assert_int_equal(f.out.slot[2].reason, LIMIT_REASON_MODULES);
}

/* Guns 1 and 2 are taken and borrow a slot each. A vehicle at a lent slot would get more, but from them: 4 or 5 it is. */
static void test_guidance_recommends_the_gun_with_the_most_power(void **state) {
    (void)state;
    f.in.rules.slots_max = 4;
    follower_charge(&f, 1, 110000);
    follower_charge(&f, 2, 110000);
    seconds(30);
    const int16_t best = f.out.guide_slot;
    assert_true(best >= 0 && f.in.slot[best].free);
    for (uint32_t i = 0; i < 6; i++) {
        if (!f.in.slot[i].free) {
            assert_int_equal(f.out.slot[i].guide_now_w, 0);
            continue;
        }
        assert_true(f.out.slot[i].guide_now_w >= 60000);
    }
    /* 1 and 2 hold 0 and 3: guns 4 and 5 have two slots, 120 kW */
    assert_int_equal(f.out.slot[4].guide_now_w, 120000);
    assert_int_equal(f.out.slot[5].guide_now_w, 120000);
    assert_true(best == 4 || best == 5);
    follower_plug(&f, (uint32_t)best, 50000);
    follower_run(&f, 1);
    assert_true(f.out.guide_slot != best);
}

/* The other vehicle tapers off by 0.5 kW a second: in ten minutes it is gone, and its slots are free. */
static void test_guidance_looks_ten_minutes_ahead(void **state) {
    (void)state;
    follower_init(&f, 3);
    f.in.rules.slots_max = 3;
    follower_charge(&f, 0, 170000);
    seconds(30);
    for (int32_t w = 170000; w > 120000; w -= 500) {
        follower_want(&f, 0, w);
        seconds(1);
    }
    assert_true(f.out.slot[1].guide_now_w <= 120000);
    assert_int_equal(f.out.slot[1].guide_later_w, 180000);
}

static void test_guidance_nothing_free_recommends_nothing(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        follower_charge(&f, i, 50000);
    }
    seconds(2);
    assert_int_equal(f.out.guide_slot, -1);
}

static void finished(uint32_t slot, int32_t bears_mv) {
    f.in.slot[slot].state = GUN_STATE_FINISHED;
    f.in.slot[slot].free = false;
    f.in.slot[slot].lend_max_mv = bears_mv;
}

/* A vehicle that is still plugged in at 3 after its session bears 390 V, the one at 2 has 400: neither slot 3 nor what
 * lies beyond it is counted on. */
static void test_sharing_slot_that_cannot_rise_that_high_is_not_counted_on(void **state) {
    (void)state;
    finished(3, 390000);
    finished(1, 420000);
    finished(0, 390000);
    follower_charge(&f, 2, 200000);
    seconds(60);
    assert_false(f.out.slot[2].edge_closed || f.out.slot[3].edge_closed);
    assert_false(f.out.slot[0].edge_closed || f.out.slot[5].edge_closed);
    assert_true(f.out.slot[1].edge_closed && f.out.slot[1].owner == 2);
    assert_int_equal(follower_slots(&f, 2), 2);
    f.in.slot[1].lend_max_mv = 390000; /* joined already: no reason to leave */
    seconds(60);
    assert_int_equal(follower_slots(&f, 2), 2);
}

/* Too high for the gun on one side, not for the one on the other. */
static void test_sharing_slot_lends_to_the_side_it_can_reach(void **state) {
    (void)state;
    finished(1, 420000);
    follower_charge(&f, 0, 110000);
    follower_charge(&f, 5, 50000);
    follower_charge(&f, 2, 170000); /* 423 A: 296 kW at its voltage */
    f.in.slot[2].target_mv = 750000;
    f.in.slot[2].bus_mv = 700000;
    f.in.slot[2].ev_max_mv = 800000;
    seconds(60);
    assert_int_equal(follower_slots(&f, 2), 3);
    assert_int_equal(follower_slots(&f, 0), 2);
    assert_int_equal(f.out.slot[1].owner, 0);
}

/* Past mistake 2, on the ring: turned by k slots, the answer turns by k. */
static void test_sharing_turning_the_ring_turns_the_answer(void **state) {
    (void)state;
    static int32_t budget[6][6];
    for (uint32_t k = 0; k < 6; k++) {
        follower_init(&f, 6);
        f.in.rules.slots_max = 3;
        f.in.site_limit_w = 250000;
        follower_charge(&f, k % 6, 150000);
        follower_charge(&f, (k + 1) % 6, 40000);
        follower_charge(&f, (k + 3) % 6, 200000);
        seconds(60);
        for (uint32_t i = 0; i < 6; i++) {
            budget[k][i] = f.out.slot[(i + k) % 6].budget_w;
        }
        assert_memory_equal(budget[k], budget[0], sizeof budget[0]);
        assert_true(f.site_excess_w == 0 && f.two_guns == 0);
    }
}

/* Thermal, as the guard fills it in: ramps down to the stop, and back, without a step left behind. */
static void test_sharing_derating_comes_and_goes_with_its_cause(void **state) {
    (void)state;
    static const struct {
        int32_t permille, connector_w, module_w, module_budget_w;
    } step[] = {{1000, 56000, 30000, 56000}, {500, 56000, 15000, 56000},
                {100, 20000, 3000, 56000},   {0, 0, 0, 30000},
                {100, 20000, 3000, 56000},   {1000, 56000, 30000, 56000}};
    follower_charge(&f, 2, 56000);
    f.in.rules.slots_max = 1;
    for (unsigned k = 0; k < 6; k++) {
        f.in.slot[2].derate_permille = step[k].permille;
        seconds(5);
        assert_in_range(f.out.slot[2].budget_w, step[k].connector_w - step[k].connector_w / 40,
                        step[k].connector_w + 200);
        assert_true(step[k].connector_w == 56000 ||
                    f.out.slot[2].reason == LIMIT_REASON_TEMPERATURE);
    }
    for (unsigned k = 0; k < 6; k++) {
        f.in.slot[2].module[0].capability_w = step[k].module_w;
        seconds(5);
        const int32_t have_w = 30000 + step[k].module_w;
        const int32_t expected_w = have_w < 56000 ? have_w : 56000;
        assert_in_range(f.out.slot[2].budget_w, expected_w - 1500, expected_w);
        assert_true(have_w >= 56000 || f.out.slot[2].reason == LIMIT_REASON_MODULES);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_sharing_static_never_uses_a_boundary),
        TEST(test_sharing_first_come_takes_what_it_wants),
        TEST(test_sharing_better_class_first_and_the_reason_says_so),
        TEST(test_sharing_one_class_shares_equally_and_names_the_site),
        TEST(test_sharing_too_little_for_all_suspends_in_turn),
        TEST(test_sharing_offer_is_the_longest_free_arc),
        TEST(test_guidance_recommends_the_gun_with_the_most_power),
        TEST(test_guidance_looks_ten_minutes_ahead),
        TEST(test_guidance_nothing_free_recommends_nothing),
        TEST(test_sharing_slot_that_cannot_rise_that_high_is_not_counted_on),
        TEST(test_sharing_slot_lends_to_the_side_it_can_reach),
        TEST(test_sharing_turning_the_ring_turns_the_answer),
        TEST(test_sharing_derating_comes_and_goes_with_its_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
