/* Water-filling: exact, fair, independent of order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/planner/budget.h"

static uint32_t seed = 12345;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

static void fill(const struct budget_claim *claim, uint32_t n, int64_t limit_w, int64_t *grant_w) {
    struct budget b;
    budget_init(&b, claim, n, false);
    budget_fill(&b, limit_w, grant_w);
}

static void test_budget_enough_for_all_gives_everyone_the_demand(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 3, 0}, {60000, 3, 0}, {0, 0, 0}};
    int64_t grant[3];
    fill(claim, 3, 80000, grant);
    assert_int_equal(grant[0], 20000);
    assert_int_equal(grant[1], 60000);
    assert_int_equal(grant[2], 0);
}

/* Past mistake 1: cap 90 kW, requests 20/60/60 handed out 136.7 kW. By hand: 20, then (90 - 20) / 2 = 35 each. */
static void test_budget_cap_90_requests_20_60_60_grants_20_35_35(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 3, 0}, {60000, 3, 0}, {60000, 3, 0}};
    int64_t grant[3];
    fill(claim, 3, 90000, grant);
    assert_int_equal(grant[0], 20000);
    assert_int_equal(grant[1], 35000);
    assert_int_equal(grant[2], 35000);
}

/* Class 1 takes its 50 kW and 20 kW whole; of the 30 kW left class 3 has 15 each and class 5 nothing. */
static void test_budget_better_class_takes_all_it_wants_first(void **state) {
    (void)state;
    const struct budget_claim claim[] = {
        {40000, 3, 0}, {50000, 1, 0}, {10000, 5, 0}, {40000, 3, 0}, {20000, 1, 0}};
    int64_t grant[5];
    fill(claim, 5, 100000, grant);
    assert_int_equal(grant[1], 50000);
    assert_int_equal(grant[4], 20000);
    assert_int_equal(grant[0], 15000);
    assert_int_equal(grant[3], 15000);
    assert_int_equal(grant[2], 0);
    fill(claim, 5, 60000, grant); /* 40 and 20: max-min inside the class */
    assert_int_equal(grant[1], 40000);
    assert_int_equal(grant[4], 20000);
    assert_int_equal(grant[0] + grant[3] + grant[2], 0);
}

/* What is lost by rounding in an unsatisfied class is not handed down: 100 W among three leave 1 W to nobody. */
static void test_budget_rounding_of_a_class_is_not_handed_down(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{50, 1, 0}, {50, 1, 0}, {50, 1, 0}, {50, 2, 0}};
    int64_t grant[4];
    fill(claim, 4, 100, grant);
    assert_true(grant[0] == 33 && grant[1] == 33 && grant[2] == 33 && grant[3] == 0);
}

static void test_budget_first_come_takes_what_it_wants_in_order_of_arrival(void **state) {
    (void)state;
    const struct budget_claim claim[] = {
        {60000, 0, 300}, {60000, 7, 100}, {60000, 3, 200}, {60000, 3, 200}};
    int64_t grant[4];
    struct budget b;
    budget_init(&b, claim, 4, true);
    budget_fill(&b, 150000, grant);
    assert_int_equal(grant[1], 60000); /* first, whatever its class */
    assert_int_equal(grant[2], 45000); /* same moment: equal parts */
    assert_int_equal(grant[3], 45000);
    assert_int_equal(grant[0], 0);
    assert_int_equal(budget_offer(&b, 150000, 0), 0);
    assert_int_equal(budget_offer(&b, 150000, 1), 150000);
    assert_true(budget_is_behind(&b, 0) && budget_is_behind(&b, 3) && !budget_is_behind(&b, 1));
}

static void test_budget_behind_only_who_asks_for_something_counts(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{0, 1, 0}, {60000, 2, 0}, {10000, 3, 0}};
    struct budget b;
    budget_init(&b, claim, 3, false);
    assert_false(budget_is_behind(&b, 0));
    assert_false(budget_is_behind(&b, 1));
    assert_true(budget_is_behind(&b, 2));
}

static void test_budget_nothing_to_share_grants_nothing(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 3, 0}, {-5, 3, 0}, {60000, 0, 0}};
    int64_t grant[3];
    fill(claim, 3, 0, grant);
    assert_true(grant[0] == 0 && grant[1] == 0 && grant[2] == 0);
    fill(claim, 3, -1000, grant);
    assert_true(grant[0] == 0 && grant[1] == 0 && grant[2] == 0);
}

static void test_budget_no_claims_is_no_work(void **state) {
    (void)state;
    struct budget b;
    budget_init(&b, NULL, 0, false);
    budget_fill(&b, 1000, NULL);
    assert_int_equal(b.count, 0);
}

static void test_budget_huge_values_do_not_overflow(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{INT64_MAX, 0, 0}, {INT64_MAX, 0, 0}};
    int64_t grant[2];
    fill(claim, 2, INT64_MAX, grant);
    assert_true(grant[0] > 0 && grant[1] > 0);
    assert_true(grant[0] + grant[1] <= BUDGET_W_MAX);
}

/* For random claims: never above the limit or a demand; less than one watt per claim left over while anyone wants more;
 * in a class nobody unsatisfied has less than another; nobody of a worse class has anything while a better one lacks. */
static void test_budget_random_claims_are_max_min_fair_by_class(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct budget_claim claim[RM_SLOTS_MAX];
        int64_t grant[RM_SLOTS_MAX], sum = 0, demand = 0;
        const uint32_t n = 1 + draw(RM_SLOTS_MAX);
        const int64_t limit = draw(2000000);
        for (uint32_t i = 0; i < n; i++) {
            claim[i].demand_w = draw(4) == 0 ? 0 : draw(350000);
            claim[i].priority_class = (uint8_t)draw(8);
            demand += claim[i].demand_w;
        }
        fill(claim, n, limit, grant);
        bool wants = false;
        for (uint32_t i = 0; i < n; i++) {
            assert_true(grant[i] >= 0 && grant[i] <= claim[i].demand_w);
            sum += grant[i];
            wants |= grant[i] < claim[i].demand_w;
        }
        assert_true(sum <= limit && sum <= demand);
        assert_true(!wants || limit - sum < n);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n && grant[i] < claim[i].demand_w; j++) {
                assert_true(claim[j].priority_class < claim[i].priority_class ||
                            grant[j] <= grant[i]);
                assert_true(claim[j].priority_class <= claim[i].priority_class || grant[j] == 0);
            }
        }
    }
}

/* Past mistake 2: the result depended on the order of gun ids. */
static void test_budget_permuted_claims_get_permuted_grants(void **state) {
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct budget_claim claim[16], mixed[16];
        int64_t grant[16], mixed_grant[16];
        uint32_t place[16];
        for (uint32_t i = 0; i < 16; i++) {
            claim[i] = (struct budget_claim){draw(6) * 20000, (uint8_t)draw(3), 0};
            place[i] = i;
        }
        for (uint32_t i = 15; i > 0; i--) {
            const uint32_t k = draw(i + 1), t = place[i];
            place[i] = place[k];
            place[k] = t;
        }
        for (uint32_t i = 0; i < 16; i++) {
            mixed[place[i]] = claim[i];
        }
        fill(claim, 16, 500000, grant);
        fill(mixed, 16, 500000, mixed_grant);
        for (uint32_t i = 0; i < 16; i++) {
            assert_int_equal(grant[i], mixed_grant[place[i]]);
        }
    }
}

/* The offer is what filling gives when that one claim wants without end. */
static void test_budget_offer_equals_filling_with_endless_demand(void **state) {
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        struct budget_claim claim[12];
        int64_t grant[12];
        struct budget b;
        const bool first_come = round % 2 == 1;
        for (uint32_t i = 0; i < 12; i++) {
            claim[i] = (struct budget_claim){draw(200000), (uint8_t)draw(4), draw(5)};
        }
        const uint32_t who = draw(12);
        const int64_t limit = draw(1000000);
        budget_init(&b, claim, 12, first_come);
        const int64_t offer = budget_offer(&b, limit, who);
        claim[who].demand_w = BUDGET_W_MAX;
        budget_init(&b, claim, 12, first_come);
        budget_fill(&b, limit, grant);
        assert_int_equal(offer, grant[who]);
    }
}

/* 100 kW site; A holds 80 and is to have 40, B holds 20 and is to have 60: A comes down at once, B waits for it. */
static void test_budget_transition_raises_only_into_what_nobody_holds(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{40000, 3, 0}, {60000, 3, 0}};
    const int64_t target[] = {40000, 60000};
    int64_t held[] = {80000, 20000}, grant[2];
    struct budget b;
    budget_init(&b, claim, 2, false);
    budget_transition(&b, 100000, target, held, 0, grant);
    assert_int_equal(grant[0], 40000);
    assert_int_equal(grant[1], 20000);
    held[0] = 55000;
    budget_transition(&b, 100000, target, held, 5000,
                      grant); /* 5 kW drawn for nobody in particular */
    assert_int_equal(grant[1], 40000);
    held[0] = 40000;
    budget_transition(&b, 100000, target, held, 0, grant);
    assert_int_equal(grant[1], 60000);
}

/* The limit fell below what is held: nothing rises, everything falls to its target. */
static void test_budget_transition_above_the_limit_raises_nothing(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{10000, 3, 0}, {40000, 3, 0}};
    const int64_t target[] = {10000, 40000}, held[] = {80000, 20000};
    int64_t grant[2];
    struct budget b;
    budget_init(&b, claim, 2, false);
    budget_transition(&b, 50000, target, held, 0, grant);
    assert_int_equal(grant[0], 10000);
    assert_int_equal(grant[1], 20000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_enough_for_all_gives_everyone_the_demand),
        cmocka_unit_test(test_budget_cap_90_requests_20_60_60_grants_20_35_35),
        cmocka_unit_test(test_budget_better_class_takes_all_it_wants_first),
        cmocka_unit_test(test_budget_rounding_of_a_class_is_not_handed_down),
        cmocka_unit_test(test_budget_first_come_takes_what_it_wants_in_order_of_arrival),
        cmocka_unit_test(test_budget_behind_only_who_asks_for_something_counts),
        cmocka_unit_test(test_budget_nothing_to_share_grants_nothing),
        cmocka_unit_test(test_budget_no_claims_is_no_work),
        cmocka_unit_test(test_budget_huge_values_do_not_overflow),
        cmocka_unit_test(test_budget_random_claims_are_max_min_fair_by_class),
        cmocka_unit_test(test_budget_permuted_claims_get_permuted_grants),
        cmocka_unit_test(test_budget_offer_equals_filling_with_endless_demand),
        cmocka_unit_test(test_budget_transition_raises_only_into_what_nobody_holds),
        cmocka_unit_test(test_budget_transition_above_the_limit_raises_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
