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
    budget_init(&b, claim, n);
    budget_fill(&b, limit_w, grant_w);
}

static void test_budget_enough_for_all_gives_everyone_the_demand(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 8}, {60000, 8}, {0, 8}};
    int64_t grant[3];
    fill(claim, 3, 80000, grant);
    assert_int_equal(grant[0], 20000);
    assert_int_equal(grant[1], 60000);
    assert_int_equal(grant[2], 0);
}

/* Past mistake 1: cap 90 kW, requests 20/60/60 handed out 136.7 kW. By hand: 20, then (90 - 20) / 2 = 35 each. */
static void test_budget_cap_90_requests_20_60_60_grants_20_35_35(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 8}, {60000, 8}, {60000, 8}};
    int64_t grant[3];
    fill(claim, 3, 90000, grant);
    assert_int_equal(grant[0], 20000);
    assert_int_equal(grant[1], 35000);
    assert_int_equal(grant[2], 35000);
}

/* Weights 8 and 4: the level is 100000 / 12 per weight: 66 666 and 33 333. */
static void test_budget_weights_share_in_proportion(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{90000, 8}, {90000, 4}};
    int64_t grant[2];
    fill(claim, 2, 100000, grant);
    assert_int_equal(grant[0], 66666);
    assert_int_equal(grant[1], 33333);
}

static void test_budget_class_zero_weighs_most(void **state) {
    (void)state;
    assert_int_equal(budget_weight(0), 8);
    assert_int_equal(budget_weight(7), 1);
    assert_int_equal(budget_weight(200), 1);
}

static void test_budget_nothing_to_share_grants_nothing(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{20000, 8}, {-5, 8}, {60000, 0}};
    int64_t grant[3];
    fill(claim, 3, 0, grant);
    assert_true(grant[0] == 0 && grant[1] == 0 && grant[2] == 0);
    fill(claim, 3, -1000, grant);
    assert_true(grant[0] == 0 && grant[1] == 0 && grant[2] == 0);
}

static void test_budget_no_claims_is_no_work(void **state) {
    (void)state;
    struct budget b;
    budget_init(&b, NULL, 0);
    budget_fill(&b, 1000, NULL);
    assert_int_equal(b.count, 0);
}

static void test_budget_huge_values_do_not_overflow(void **state) {
    (void)state;
    const struct budget_claim claim[] = {{INT64_MAX, 8}, {INT64_MAX, 1}};
    int64_t grant[2];
    fill(claim, 2, INT64_MAX, grant);
    assert_true(grant[0] > 0 && grant[1] > 0);
    assert_true(grant[0] + grant[1] <= BUDGET_W_MAX);
}

/* For random claims: never above the limit or a demand, less than one watt per claim left over while anyone wants more,
 * and nobody unsatisfied has by weight less than another has (max-min). */
static void test_budget_random_claims_are_max_min_fair_and_exact(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct budget_claim claim[RM_SLOTS_MAX];
        int64_t grant[RM_SLOTS_MAX], sum = 0, demand = 0;
        const uint32_t n = 1 + draw(RM_SLOTS_MAX);
        const int64_t limit = draw(2000000);
        for (uint32_t i = 0; i < n; i++) {
            claim[i].demand_w = draw(4) == 0 ? 0 : draw(350000);
            claim[i].weight = (int32_t)(1 + draw(8));
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
                /* j's level may exceed i's only by what rounding down took */
                assert_true(grant[j] * claim[i].weight <= (grant[i] + 1) * claim[j].weight);
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
            claim[i] = (struct budget_claim){draw(6) * 20000, (int32_t)(1 + draw(3))};
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
    for (unsigned round = 0; round < 2000; round++) {
        struct budget_claim claim[12];
        int64_t grant[12];
        struct budget b;
        for (uint32_t i = 0; i < 12; i++) {
            claim[i] = (struct budget_claim){draw(200000), (int32_t)(1 + draw(8))};
        }
        const uint32_t who = draw(12);
        const int64_t limit = draw(1000000);
        budget_init(&b, claim, 12);
        const int64_t offer = budget_offer(&b, limit, who);
        claim[who].demand_w = BUDGET_W_MAX;
        fill(claim, 12, limit, grant);
        assert_int_equal(offer, grant[who]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_enough_for_all_gives_everyone_the_demand),
        cmocka_unit_test(test_budget_cap_90_requests_20_60_60_grants_20_35_35),
        cmocka_unit_test(test_budget_weights_share_in_proportion),
        cmocka_unit_test(test_budget_class_zero_weighs_most),
        cmocka_unit_test(test_budget_nothing_to_share_grants_nothing),
        cmocka_unit_test(test_budget_no_claims_is_no_work),
        cmocka_unit_test(test_budget_huge_values_do_not_overflow),
        cmocka_unit_test(test_budget_random_claims_are_max_min_fair_and_exact),
        cmocka_unit_test(test_budget_permuted_claims_get_permuted_grants),
        cmocka_unit_test(test_budget_offer_equals_filling_with_endless_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
