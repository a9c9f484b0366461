/* The solver against brute force on random rings of 1 to 8 slots, and its metamorphic properties.
 *
 * Without arguments: a cmocka program, 20 000 rings. `test_planner_partition_oracle COUNT [SEED]`: that many, with progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "instances.h"
#include "oracle.h"

#define RINGS       20000
#define METAMORPHIC 5000

static struct partition scratch;

static void solve(const struct partition_input *in, struct partition_result *out) {
    partition_solve(&scratch, in, out);
}

static void some_ring(uint64_t seed, struct partition_input *in) {
    struct instance_draw draw;
    instance_seed(&draw, seed);
    uint32_t slots = 1 + instance_below(&draw, ORACLE_SLOTS_MAX);
    switch (instance_below(&draw, 6)) {
    case 0: instance_usual(&draw, slots, 1 + instance_below(&draw, slots), in); break;
    case 1: instance_hard(&draw, slots, 1 + instance_below(&draw, slots), in); break;
    default: instance_odd(&draw, slots, in); break;
    }
}

static uint64_t compare(uint64_t first_seed, uint64_t count, bool progress) {
    struct partition_input in;
    struct partition_result out;
    uint64_t mismatches = 0;
    for (uint64_t i = 0; i < count; i++) {
        some_ring(first_seed + i, &in);
        solve(&in, &out);
        const char *wrong = oracle_check(&in, &out);
        if (wrong != NULL) {
            mismatches++;
            print_error("seed %llu, %u slots, mode %d: %s\n", (unsigned long long)(first_seed + i),
                        in.slots, (int)in.mode, wrong);
        }
        if (progress && (i + 1) % 50000 == 0) {
            printf("%llu rings, %llu mismatches\n", (unsigned long long)(i + 1),
                   (unsigned long long)mismatches);
            fflush(stdout);
        }
    }
    return mismatches;
}

static void test_partition_random_rings_match_brute_force(void **state) {
    (void)state;
    assert_int_equal(compare(1, RINGS, false), 0);
}

/* ---- metamorphic: what must follow when the question changes ------------------------------------- */

/* Powers of one class, ascending; guns that get nothing count as 0. */
static uint32_t powers_of(const struct partition_input *in, const struct partition_result *r,
                          uint32_t priority_class, int32_t *power_w) {
    uint32_t count = 0;
    for (uint32_t s = 0; s < in->slots; s++) {
        if (in->slot[s].wants && in->slot[s].priority_class == priority_class) {
            uint32_t at = count++;
            for (; at > 0 && power_w[at - 1] > r->power_w[s]; at--) {
                power_w[at] = power_w[at - 1];
            }
            power_w[at] = r->power_w[s];
        }
    }
    return count;
}

/* Above 0: the first list of powers is better, classes in order. */
static int by_powers_of(const struct partition_input *in, const struct partition_result *a,
                        const struct partition_input *other, const struct partition_result *b) {
    for (uint32_t c = 0; c <= UINT8_MAX; c++) {
        int32_t x[RM_SLOTS_MAX], y[RM_SLOTS_MAX];
        uint32_t count = powers_of(in, a, c, x);
        powers_of(other, b, c, y);
        for (uint32_t k = 0; k < count; k++) {
            if (x[k] != y[k]) {
                return x[k] > y[k] ? 1 : -1;
            }
        }
    }
    return 0;
}

static int by_powers(const struct partition_input *in, const struct partition_result *a,
                     const struct partition_result *b) {
    return by_powers_of(in, a, in, b);
}

/* With a site limit the powers and the switching, without one also what could be had. */
static void assert_same_objective(struct partition_input *a, struct partition_input *b) {
    struct partition_result x, y;
    struct oracle_score p, q;
    solve(a, &x);
    solve(b, &y);
    assert_int_equal(x.switching_cost, y.switching_cost);
    assert_int_equal(x.unserved, y.unserved);
    if (a->mode != PARTITION_TOTAL) { /* where equal sums may be shared out differently */
        assert_int_equal(by_powers_of(a, &x, b, &y), 0);
    }
    a->site_limit_w = b->site_limit_w = INT64_MAX;
    solve(a, &x);
    solve(b, &y);
    oracle_score_of(a, &x, &p);
    oracle_score_of(b, &y, &q);
    assert_int_equal(oracle_compare(a->mode, &p, &q), 0);
    assert_int_equal(x.switching_cost, y.switching_cost);
}

static void test_partition_rotated_ring_rotates_the_answer(void **state) {
    (void)state;
    static struct partition_input a, b;
    for (uint64_t seed = 1; seed <= METAMORPHIC; seed++) {
        some_ring(seed, &a);
        b = a;
        uint32_t turn = 1 + (uint32_t)(seed % 7);
        for (uint32_t s = 0; s < a.slots; s++) {
            b.slot[(s + turn) % a.slots] = a.slot[s];
        }
        assert_same_objective(&a, &b);
    }
}

/* Slot s becomes slot n - 1 - s; the edge between s and s + 1 the one between n - 2 - s and n - 1 - s. */
static void test_partition_mirrored_ring_has_the_same_objective(void **state) {
    (void)state;
    static struct partition_input a, b;
    for (uint64_t seed = 1; seed <= METAMORPHIC; seed++) {
        some_ring(seed, &a);
        b = a;
        for (uint32_t s = 0; s < a.slots; s++) {
            b.slot[a.slots - 1 - s] = a.slot[s];
        }
        for (uint32_t s = 0; s < a.slots; s++) {
            struct partition_slot *to = &b.slot[(2 * a.slots - 2 - s) % a.slots];
            to->edge = a.slot[s].edge;
            to->edge_was_closed = a.slot[s].edge_was_closed;
            to->edge_max_ma = a.slot[s].edge_max_ma;
            to->edge_cost = a.slot[s].edge_cost;
        }
        assert_same_objective(&a, &b);
    }
}

static void test_partition_order_of_modules_is_irrelevant(void **state) {
    (void)state;
    static struct partition_input a, b;
    for (uint64_t seed = 1; seed <= METAMORPHIC; seed++) {
        some_ring(seed, &a);
        b = a;
        for (uint32_t s = 0; s < a.slots; s++) {
            for (uint32_t m = 0; m < a.slot[s].modules; m++) {
                b.slot[s].module[a.slot[s].modules - 1u - m] = a.slot[s].module[m];
            }
        }
        assert_same_objective(&a, &b);
    }
}

static void test_partition_better_module_never_lowers_the_objective(void **state) {
    (void)state;
    static struct partition_input a, b;
    struct partition_result x, y;
    struct oracle_score p, q;
    uint32_t raised = 0;
    for (uint64_t seed = 1; seed <= METAMORPHIC; seed++) {
        some_ring(seed, &a);
        a.site_limit_w = INT64_MAX;
        b = a;
        struct partition_slot *s = &b.slot[seed % a.slots];
        s->modules = s->modules > 0 ? s->modules : 1;
        s->module[0] = (struct partition_module){
            .max_w = 60000, .max_ma = 130000, .max_mv = 2000000, .min_mv = 0};
        solve(&a, &x);
        solve(&b, &y);
        oracle_score_of(&a, &x, &p);
        oracle_score_of(&b, &y, &q);
        int order = oracle_compare(a.mode, &q, &p);
        assert_true(order <= 0);
        raised += order < 0;
    }
    assert_true(raised > METAMORPHIC / 10); /* else the test has tested nothing */
}

static void test_partition_more_grid_never_lowers_the_leximin_vector(void **state) {
    (void)state;
    static struct partition_input in;
    struct partition_result less, more;
    uint32_t raised = 0;
    for (uint64_t seed = 1; seed <= METAMORPHIC; seed++) {
        some_ring(seed, &in);
        in.mode = PARTITION_LEXIMIN;
        in.site_limit_w = (int64_t)(seed * 7919 % 400000);
        solve(&in, &less);
        in.site_limit_w += (int64_t)(seed * 104729 % 50000);
        solve(&in, &more);
        int order = by_powers(&in, &more, &less);
        assert_true(order >= 0);
        raised += order > 0;
    }
    assert_true(raised > METAMORPHIC / 10);
}

/* ---- large rings: put together from small ones that edges kept open part from each other ----------- */

static void put_together(uint64_t seed, struct partition_input *whole, struct partition_input *part,
                         uint32_t *parts) {
    enum partition_mode mode = seed % 3 == 0   ? PARTITION_FIRST_COME
                               : seed % 3 == 1 ? PARTITION_TOTAL
                                               : PARTITION_LEXIMIN;
    memset(whole, 0, sizeof *whole);
    whole->mode = mode;
    whole->arc_max = 1 + (uint32_t)(seed % 8);
    whole->site_limit_w = INT64_MAX;
    *parts = 0;
    for (uint64_t k = 0;; k++) {
        struct partition_input *p = &part[*parts];
        some_ring(seed * 1000 + k, p);
        if (whole->slots + p->slots > RM_SLOTS_MAX) {
            return;
        }
        p->mode = mode;
        p->arc_max = whole->arc_max;
        p->site_limit_w = INT64_MAX;
        p->slot[p->slots - 1].edge = PARTITION_EDGE_KEEP_OPEN;
        for (uint32_t s = 0; s < p->slots; s++) {
            p->slot[s].order = (int64_t)instance_below(
                &(struct instance_draw){seed + whole->slots + s}, seed % 2 == 0 ? 60 : 100000);
        }
        memcpy(&whole->slot[whole->slots], p->slot, p->slots * sizeof p->slot[0]);
        whole->slots += p->slots;
        ++*parts;
    }
}

static void test_partition_large_ring_is_the_sum_of_its_parts(void **state) {
    (void)state;
    static struct partition_input whole, part[RM_SLOTS_MAX];
    static struct partition_result all, sum, one;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint32_t parts;
        put_together(seed, &whole, part, &parts);
        solve(&whole, &all);
        memset(&sum, 0, sizeof sum);
        uint32_t at = 0;
        int64_t total_w = 0;
        for (uint32_t k = 0; k < parts; k++) {
            solve(&part[k], &one);
            assert_null(oracle_check(&part[k], &one));
            sum.unserved += one.unserved;
            sum.switching_cost += one.switching_cost;
            for (uint32_t s = 0; s < part[k].slots; s++, at++) {
                sum.power_w[at] = one.power_w[s];
                total_w += one.power_w[s] - all.power_w[at];
            }
        }
        assert_int_equal(at, whole.slots);
        assert_int_equal(all.unserved, sum.unserved);
        assert_int_equal(all.switching_cost, sum.switching_cost);
        assert_int_equal(total_w, 0);
        if (whole.mode == PARTITION_LEXIMIN) {
            assert_int_equal(by_powers(&whole, &all, &sum), 0);
        }
    }
}

/* The answer does not depend on what the scratch memory held. */
static void test_partition_scratch_memory_need_not_be_clean(void **state) {
    (void)state;
    static struct partition_input in;
    static struct partition_result clean, dirty;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        some_ring(seed, &in);
        memset(&scratch, 0, sizeof scratch);
        solve(&in, &clean);
        memset(&scratch, 0xa5, sizeof scratch);
        solve(&in, &dirty);
        assert_memory_equal(&clean, &dirty, sizeof clean);
    }
}

/* ---- the oracle itself notices ------------------------------------------------------------------- */

static void test_partition_oracle_refuses_a_worse_answer(void **state) {
    (void)state;
    static struct partition_input in;
    struct partition_result out;
    uint32_t refused = 0;
    uint32_t asked = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        some_ring(seed, &in);
        in.mode = PARTITION_LEXIMIN;
        struct partition_input altered = in;
        altered.mode = PARTITION_STATIC; /* never lends: mostly a worse answer */
        solve(&altered, &out);
        struct partition_result best;
        solve(&in, &best);
        bool differs =
            best.switching_cost != out.switching_cost || by_powers(&in, &best, &out) != 0;
        asked += differs;
        const char *wrong = oracle_check(&in, &out);
        refused += wrong != NULL;
        assert_true((wrong != NULL) == differs);
    }
    assert_true(asked > 50 && refused == asked);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        uint64_t count = strtoull(argv[1], NULL, 10);
        uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000000;
        uint64_t mismatches = compare(seed, count, true);
        printf("oracle: %llu rings, %llu mismatches\n", (unsigned long long)count,
               (unsigned long long)mismatches);
        return count == 0 || mismatches > 0 ? 1 : 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_random_rings_match_brute_force),
        cmocka_unit_test(test_partition_rotated_ring_rotates_the_answer),
        cmocka_unit_test(test_partition_mirrored_ring_has_the_same_objective),
        cmocka_unit_test(test_partition_order_of_modules_is_irrelevant),
        cmocka_unit_test(test_partition_better_module_never_lowers_the_objective),
        cmocka_unit_test(test_partition_more_grid_never_lowers_the_leximin_vector),
        cmocka_unit_test(test_partition_large_ring_is_the_sum_of_its_parts),
        cmocka_unit_test(test_partition_scratch_memory_need_not_be_clean),
        cmocka_unit_test(test_partition_oracle_refuses_a_worse_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
