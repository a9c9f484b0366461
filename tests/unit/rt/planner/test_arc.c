/* Capacity of an arc: examples by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/planner/partition.h"

static const struct partition_module module_30kw = {
    .max_w = 30000, .max_ma = 100000, .max_mv = 1000000, .min_mv = 150000};

/* Slots of two 30 kW modules, boundaries of 250 A, a vehicle at 400 V in slot 0: an edge carries 100 kW. */
static void ring(struct partition_input *in, uint32_t slots) {
    *in = (struct partition_input){.slots = slots, .arc_max = 16, .site_limit_w = INT64_MAX};
    for (uint32_t s = 0; s < slots; s++) {
        in->slot[s].modules = 2;
        in->slot[s].module[0] = in->slot[s].module[1] = module_30kw;
        in->slot[s].edge_max_ma = 250000;
        in->slot[s].mv = 400000;
    }
}

static void test_arc_module_gives_the_least_of_power_and_current(void **state) {
    (void)state;
    struct partition_module m = module_30kw;
    assert_int_equal(arc_module_w(&m, 800000), 30000);
    assert_int_equal(arc_module_w(&m, 200000), 20000); /* 100 A at 200 V */
    m.max_w = 12345;
    assert_int_equal(arc_module_w(&m, 400000), 12345);
}

static void test_arc_module_outside_its_voltage_gives_nothing(void **state) {
    (void)state;
    struct partition_module m = module_30kw;
    assert_int_equal(arc_module_w(&m, 149999), 0);
    assert_int_equal(arc_module_w(&m, 150000), 15000);
    assert_int_equal(arc_module_w(&m, 1000000), 30000);
    assert_int_equal(arc_module_w(&m, 1000001), 0);
    m.min_mv = -1000;
    assert_int_equal(arc_module_w(&m, 0), 0);
    assert_int_equal(arc_module_w(&m, -5), 0);
}

static void test_arc_module_faulty_or_derated_to_nothing_gives_nothing(void **state) {
    (void)state;
    struct partition_module m = module_30kw;
    m.max_w = 0;
    assert_int_equal(arc_module_w(&m, 400000), 0);
    m.max_w = -1;
    assert_int_equal(arc_module_w(&m, 400000), 0);
    m.max_w = 30000;
    m.max_ma = -1;
    assert_int_equal(arc_module_w(&m, 400000), 0);
}

static void test_arc_power_rounds_down_and_never_overflows(void **state) {
    (void)state;
    assert_int_equal(arc_power_w(1, 999999), 0); /* 1 mA at 999.999 V: 0.999999 W */
    assert_int_equal(arc_power_w(1, 1000000), 1);
    assert_int_equal(arc_power_w(INT32_MAX, INT32_MAX), INT32_MAX);
    assert_int_equal(arc_power_w(0, 400000), 0);
}

static void test_arc_slot_sums_unequal_modules(void **state) {
    (void)state;
    struct partition_slot s = {.modules = 3};
    s.module[0] = s.module[1] = s.module[2] = module_30kw;
    s.module[1].max_w = 20000;
    s.module[2].max_ma = 25000; /* 10 kW at 400 V */
    assert_int_equal(arc_slot_w(&s, 400000), 60000);
    s.modules = 0;
    assert_int_equal(arc_slot_w(&s, 400000), 0);
}

static void test_arc_slot_of_eight_huge_modules_is_capped(void **state) {
    (void)state;
    struct partition_slot s = {.modules = 200}; /* more than fit: the rest is not there */
    for (int m = 0; m < RM_MODULES_PER_SLOT_MAX; m++) {
        s.module[m] = (struct partition_module){INT32_MAX, INT32_MAX, INT32_MAX, 0};
    }
    assert_int_equal(arc_slot_w(&s, INT32_MAX), INT32_MAX);
}

/* From the right: 60, then the edge's 100 holds back the second slot's 120. From the left the same. 60 + 100 + 60. */
static void test_arc_boundary_current_cumulates_towards_the_gun(void **state) {
    (void)state;
    struct partition_input in;
    struct arc_reach r;
    ring(&in, 6);
    arc_reach(&in, 0, 6, &r);
    assert_int_equal(r.own_w, 60000);
    assert_int_equal(arc_capacity_w(&r, 0, 0), 60000);
    assert_int_equal(arc_capacity_w(&r, 0, 1), 120000);
    assert_int_equal(arc_capacity_w(&r, 0, 2), 160000);
    assert_int_equal(arc_capacity_w(&r, 0, 3), 160000);
    assert_int_equal(arc_capacity_w(&r, 1, 2), 220000);
    assert_int_equal(arc_capacity_w(&r, 2, 3), 260000);
}

/* A weak edge far out holds back only what lies beyond: slot 1 gives its 60, slots 2 and 3 pass 50 A x 400 V = 20. */
static void test_arc_weak_edge_far_out_limits_what_is_beyond(void **state) {
    (void)state;
    struct partition_input in;
    struct arc_reach r;
    ring(&in, 6);
    in.slot[1].edge_max_ma = 50000;
    arc_reach(&in, 0, 6, &r);
    assert_int_equal(arc_capacity_w(&r, 0, 1), 120000);
    assert_int_equal(arc_capacity_w(&r, 0, 2), 140000);
    assert_int_equal(arc_capacity_w(&r, 0, 3), 140000);
}

static void test_arc_reach_ends_at_an_edge_kept_open(void **state) {
    (void)state;
    struct partition_input in;
    struct arc_reach r;
    ring(&in, 6);
    in.slot[1].edge = PARTITION_EDGE_KEEP_OPEN; /* between 1 and 2 */
    in.slot[5].edge = PARTITION_EDGE_KEEP_CLOSED;
    arc_reach(&in, 0, 6, &r);
    assert_int_equal(r.right, 1);
    assert_int_equal(r.left, 4); /* 5, 4, 3, 2 */
}

static void test_arc_reach_is_at_most_slots_max(void **state) {
    (void)state;
    struct partition_input in;
    struct arc_reach r;
    ring(&in, 40);
    arc_reach(&in, 39, 3, &r);
    assert_int_equal(r.right, 2);
    assert_int_equal(r.left, 2);
    arc_reach(&in, 0, 200, &r);
    assert_int_equal(r.right, ARC_SLOTS_MAX - 1);
    ring(&in, 1);
    arc_reach(&in, 0, 16, &r);
    assert_int_equal(r.left + r.right, 0);
}

static void test_arc_static_mode_reaches_over_kept_edges_only(void **state) {
    (void)state;
    struct partition_input in;
    struct arc_reach r;
    ring(&in, 6);
    in.mode = PARTITION_STATIC;
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    arc_reach(&in, 0, 6, &r);
    assert_int_equal(r.right, 1);
    assert_int_equal(r.left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arc_module_gives_the_least_of_power_and_current),
        cmocka_unit_test(test_arc_module_outside_its_voltage_gives_nothing),
        cmocka_unit_test(test_arc_module_faulty_or_derated_to_nothing_gives_nothing),
        cmocka_unit_test(test_arc_power_rounds_down_and_never_overflows),
        cmocka_unit_test(test_arc_slot_sums_unequal_modules),
        cmocka_unit_test(test_arc_slot_of_eight_huge_modules_is_capped),
        cmocka_unit_test(test_arc_boundary_current_cumulates_towards_the_gun),
        cmocka_unit_test(test_arc_weak_edge_far_out_limits_what_is_beyond),
        cmocka_unit_test(test_arc_reach_ends_at_an_edge_kept_open),
        cmocka_unit_test(test_arc_reach_is_at_most_slots_max),
        cmocka_unit_test(test_arc_static_mode_reaches_over_kept_edges_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
