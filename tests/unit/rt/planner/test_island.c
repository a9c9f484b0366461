/* What one island can give and how it is shared: capacities through boundaries, choice of modules, setpoints, topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rt/planner/setpoints.h"

static struct plan_input in;
static struct island island;
static struct modules modules;
static struct proposal out;
static int16_t feeds[8];

/* Eight slots of two 30 kW modules; slot 3 is the gun's, 2, 4 and 5 feed it; 400 V: 75 A a module. */
static int setup(void **state) {
    (void)state;
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    in.slots = 8;
    in.now_us = 1000000;
    for (uint32_t i = 0; i < 8; i++) {
        struct plan_slot *s = &in.slot[i];
        feeds[i] = i >= 2 && i <= 5 ? 3 : -1;
        s->edge = (struct plan_edge){.fitted = true, .max_ma = 500000};
        s->module_count = 2;
        for (unsigned j = 0; j < 2; j++) {
            s->module[j] = (struct plan_module){.healthy = true,
                                                .connected = true,
                                                .capability_w = 30000,
                                                .capability_ma = 100000,
                                                .max_mv = 1000000,
                                                .min_mv = 50000};
        }
    }
    modules_init(&modules);
    return 0;
}

static void collect(void) {
    island_collect(&in, 8, feeds, 3, 413000, 400000, &island);
}

static void test_island_collects_its_arc_and_no_more(void **state) {
    (void)state;
    feeds[7] = 3; /* not joined to the others */
    collect();
    assert_int_equal(island.slots, 4);
    assert_int_equal(island.home, 1);
    assert_int_equal(island.slot[0], 2);
    assert_int_equal(island.slot[3], 5);
    assert_int_equal(island_sum_ma(&island), 8 * 75000);
}

static void test_island_around_the_end_of_the_ring(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        feeds[i] = i == 7 || i == 0 || i == 1 ? 0 : -1;
    }
    island_collect(&in, 8, feeds, 0, 413000, 400000, &island);
    assert_int_equal(island.slots, 3);
    assert_int_equal(island.slot[0], 7);
    assert_int_equal(island.slot[island.home], 0);
}

static void test_island_module_gives_only_where_it_can(void **state) {
    (void)state;
    struct plan_module m = in.slot[0].module[0];
    assert_int_equal(island_module_ma(&m, 413000, 400000), 75000);
    assert_int_equal(island_module_ma(&m, 213000, 200000), 100000); /* its current */
    m.connected = false;
    assert_int_equal(island_module_ma(&m, 413000, 400000), 0);
    m.connected = true;
    m.healthy = false;
    assert_int_equal(island_module_ma(&m, 413000, 400000), 0);
    m.healthy = true;
    m.max_mv = 412999;
    assert_int_equal(island_module_ma(&m, 413000, 400000), 0);
    m.max_mv = 500000;
    m.min_mv = 413001;
    assert_int_equal(island_module_ma(&m, 413000, 400000), 0);
    m.min_mv = 0;
    m.capability_w = -1;
    assert_int_equal(island_module_ma(&m, 413000, 400000), 0);
}

/* Slots 4 and 5 bring 300 A; boundary 4 lets 100 A of slot 5 through and boundary 3 lets 200 A of both. */
static void test_island_boundaries_bound_what_lies_beyond_cumulated(void **state) {
    (void)state;
    in.slot[4].edge.max_ma = 100000;
    in.slot[3].edge.max_ma = 200000;
    collect();
    assert_int_equal(island_cap_edges(&in, &island), 150000 + 150000 + 200000);
    const int64_t outer_ma = island.able_ma[3][0] + island.able_ma[3][1];
    assert_in_range(outer_ma, 79990, 80000); /* 100 of 250, scaled to 200 */
    in.slot[2].edge.max_ma = 0;
    collect();
    assert_int_equal(island_cap_edges(&in, &island), 150000 + 200000);
}

static uint32_t running(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < 8; i++) {
        count += (uint32_t)__builtin_popcount(modules.run[i]);
    }
    return count;
}

static void choose(int64_t need_ma, uint32_t cycles) {
    while (cycles-- > 0) {
        in.now_us += 50000;
        collect();
        modules_choose(&modules, &in, &island, 3, need_ma);
    }
}

static void test_modules_session_starts_with_all_and_ends_with_the_fewest(void **state) {
    (void)state;
    choose(100000, 1);
    assert_int_equal(running(), 8);
    choose(100000, 7 * 201); /* one every ten seconds, as long as 15 % stay in reserve */
    assert_int_equal(running(), 2);
    assert_int_equal(modules.run[3], 3); /* its own */
}

static void test_modules_reserve_keeps_the_efficiency_point(void **state) {
    (void)state;
    choose(131000, 10 * 201); /* 150 A of two modules is less than 1.15 times that */
    assert_int_equal(running(), 3);
    choose(130000, 201);
    assert_int_equal(running(), 2);
}

static void test_modules_more_are_taken_at_once_nearest_and_least_worn_first(void **state) {
    (void)state;
    in.slot[4].module[0].operations = 50;
    in.slot[2].module[0].operations = 20;
    in.slot[2].module[1].operations = 30;
    in.slot[4].module[1].operations = 40;
    choose(100000, 8 * 201);
    assert_int_equal(running(), 2);
    choose(151000, 1);
    assert_int_equal(running(), 3);
    assert_int_equal(modules.run[2], 1);
    choose(301000, 1);
    assert_int_equal(running(), 5);
    assert_int_equal(modules.run[2], 3);
    assert_int_equal(modules.run[4], 2); /* module 1, worn less than module 0 */
}

static void test_modules_unhealthy_one_is_replaced_at_once(void **state) {
    (void)state;
    choose(100000, 8 * 201);
    in.slot[3].module[0].healthy = false;
    choose(100000, 1);
    assert_int_equal(running(), 2);
    assert_int_equal(modules.run[3], 2);
}

static void test_modules_behind_a_full_boundary_are_not_run(void **state) {
    (void)state;
    in.slot[3].edge.max_ma = 75000;
    in.slot[2].edge.max_ma = 75000;
    choose(100000, 8 * 201);
    choose(300000, 1); /* 150 own, 75 from each side: one module each is enough */
    assert_int_equal(running(), 4);
    assert_int_equal(modules.run[5], 0);
}

static void test_setpoints_share_by_capability_and_never_above_the_sum(void **state) {
    (void)state;
    in.slot[3].module[0].capability_w = 15000; /* derated by half */
    choose(500000, 1);
    setpoints_write(&in, &island, &modules, 413000, 300001, &out);
    int64_t sum_ma = 0;
    for (uint32_t i = 2; i <= 5; i++) {
        for (unsigned j = 0; j < 2; j++) {
            assert_true(out.slot[i].module[j].run);
            assert_int_equal(out.slot[i].module[j].set_mv, 413000);
            sum_ma += out.slot[i].module[j].set_ma;
        }
    }
    assert_in_range(sum_ma, 300001 - 8, 300001);
    assert_int_equal(out.slot[3].module[0].set_ma, 20000); /* 37.5 of 562.5 A */
    assert_int_equal(out.slot[3].module[1].set_ma, 40000);
}

static void test_setpoints_keep_every_boundary_within_its_rating(void **state) {
    (void)state;
    in.slot[3].edge.max_ma = 120000;
    in.slot[4].edge.max_ma = 30000;
    choose(10000000, 1);
    setpoints_write(&in, &island, &modules, 413000, INT32_MAX, &out);
    const int32_t outer_ma = out.slot[5].module[0].set_ma + out.slot[5].module[1].set_ma;
    const int32_t inner_ma = out.slot[4].module[0].set_ma + out.slot[4].module[1].set_ma;
    assert_true(outer_ma <= 30000 && outer_ma + inner_ma <= 120000);
    assert_true(outer_ma + inner_ma >= 119990);
}

/* 40 kW site: slot 3 gave 30 kW and is told 10, slot 4 is told 30 in its place: no more than 10 before 3 has come down. */
static void test_setpoints_rise_waits_for_the_fall_in_the_same_island(void **state) {
    (void)state;
    in.site_limit_w = 40000;
    in.slot[3].committed_w = 30000;
    out.slot[3].module[0] = (struct proposal_module){true, true, 400000, 25000};
    out.slot[4].module[0] = (struct proposal_module){true, true, 400000, 75000};
    setpoints_limit_rises(&in, 8, 1000, &out);
    assert_int_equal(out.slot[3].module[0].set_ma, 25000);
    assert_int_equal(out.slot[4].module[0].set_ma, 25000);
    out.slot[4].module[0].set_ma = 75000;
    in.slot[3].committed_w = 10000;
    setpoints_limit_rises(&in, 8, 1000, &out);
    assert_int_equal(out.slot[4].module[0].set_ma, 75000);
    in.slot[5].committed_w = 50000; /* the site is above its limit already: nothing rises at all */
    setpoints_limit_rises(&in, 8, 1000, &out);
    assert_int_equal(out.slot[4].module[0].set_ma, 0);
    assert_int_equal(out.slot[3].module[0].set_ma, 25000);
}

/* Edges 0 and 1 surely conduct, 4 only may: what is counted on and what must not meet. */
static void test_topology_has_two_views(void **state) {
    (void)state;
    struct topology t;
    in.slot[0].edge.may = in.slot[0].edge.sure = true;
    in.slot[1].edge.may = in.slot[1].edge.sure = true;
    in.slot[4].edge.may = true;
    in.slot[1].has_gun = in.slot[1].demands = in.slot[1].served = true;
    topology_look(&in, 8, &t);
    assert_true(t.sure[0] == t.sure[1] && t.sure[1] == t.sure[2] && t.sure[2] != t.sure[3]);
    assert_true(t.may[4] == t.may[5] && t.sure[4] != t.sure[5]);
    assert_true(t.feeds[0] == 1 && t.feeds[1] == 1 && t.feeds[2] == 1 && t.feeds[3] == -1);
    in.slot[2].has_gun = in.slot[2].arriving = true; /* comes onto its own bus: feeds nobody */
    topology_look(&in, 8, &t);
    assert_int_equal(t.feeds[2], -1);
    in.slot[0].edge.fitted = false;
    topology_look(&in, 8, &t);
    assert_int_equal(t.feeds[0], -1);
}

static void test_topology_of_a_closed_ring_and_of_one_slot(void **state) {
    (void)state;
    struct topology t;
    for (uint32_t i = 0; i < 8; i++) {
        in.slot[i].edge.may = in.slot[i].edge.sure = true;
    }
    in.slot[5].has_gun = in.slot[5].demands = true;
    topology_look(&in, 8, &t);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(t.may[i], t.may[0]);
        assert_int_equal(t.feeds[i], 5);
    }
    topology_look(&in, 1, &t);
    assert_int_equal(t.feeds[0], -1);
    topology_look(&in, 0, &t);
    assert_int_equal(t.slots, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_island_collects_its_arc_and_no_more),
        TEST(test_island_around_the_end_of_the_ring),
        TEST(test_island_module_gives_only_where_it_can),
        TEST(test_island_boundaries_bound_what_lies_beyond_cumulated),
        TEST(test_modules_session_starts_with_all_and_ends_with_the_fewest),
        TEST(test_modules_reserve_keeps_the_efficiency_point),
        TEST(test_modules_more_are_taken_at_once_nearest_and_least_worn_first),
        TEST(test_modules_unhealthy_one_is_replaced_at_once),
        TEST(test_modules_behind_a_full_boundary_are_not_run),
        TEST(test_setpoints_share_by_capability_and_never_above_the_sum),
        TEST(test_setpoints_keep_every_boundary_within_its_rating),
        TEST(test_setpoints_rise_waits_for_the_fall_in_the_same_island),
        TEST(test_topology_has_two_views),
        TEST(test_topology_of_a_closed_ring_and_of_one_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
