/* The partition of the ring: examples by hand. Slots have two 30 kW modules, edges 250 A, vehicles 800 V, unless said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/planner/partition.h"

static struct partition scratch;
static struct partition_input in;
static struct partition_result out;

static void ring(uint32_t slots) {
    in = (struct partition_input){
        .slots = slots, .arc_max = PARTITION_ARC_MAX, .site_limit_w = INT64_MAX};
    for (uint32_t s = 0; s < slots; s++) {
        struct partition_slot *slot = &in.slot[s];
        slot->mv = 800000;
        slot->modules = 2;
        slot->edge_max_ma = 250000;
        slot->edge_cost = 10;
        for (int m = 0; m < 2; m++) {
            slot->module[m] = (struct partition_module){
                .max_w = 30000, .max_ma = 100000, .max_mv = 1000000, .min_mv = 150000};
        }
    }
}

static void gun(uint32_t s, int32_t demand_w, uint8_t priority_class) {
    in.slot[s].wants = true;
    in.slot[s].demand_w = demand_w;
    in.slot[s].priority_class = priority_class;
}

static void solve(void) {
    partition_solve(&scratch, &in, &out);
}

static uint32_t edges_closed(void) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < in.slots; s++) {
        n += out.edge_closed[s];
    }
    return n;
}

/* ---- the usual ----------------------------------------------------------------------------------- */

static void test_partition_empty_ring_is_no_work(void **state) {
    (void)state;
    ring(0);
    solve();
    assert_int_equal(out.unserved, 0);
    assert_int_equal(out.switching_cost, 0);
}

static void test_partition_nobody_wants_opens_every_edge(void **state) {
    (void)state;
    ring(4);
    in.slot[1].edge_was_closed = true;
    solve();
    assert_int_equal(edges_closed(), 0);
    assert_int_equal(out.switching_cost, 10);
    for (int s = 0; s < 4; s++) {
        assert_int_equal(out.owner[s], -1);
    }
}

static void test_partition_one_slot_serves_its_gun(void **state) {
    (void)state;
    ring(1);
    gun(0, 350000, 0);
    solve();
    assert_int_equal(out.owner[0], 0);
    assert_int_equal(out.power_w[0], 60000);
    assert_int_equal(out.capacity_w[0], 60000);
    assert_int_equal(out.unserved, 0);
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED; /* joins the slot to itself: no matter */
    solve();
    assert_int_equal(out.power_w[0], 60000);
    assert_true(out.edge_closed[0]);
}

/* 150 kW need three slots of 60: two edges, no more. */
static void test_partition_lone_gun_borrows_what_it_needs_and_no_more(void **state) {
    (void)state;
    ring(6);
    gun(3, 150000, 0);
    solve();
    assert_int_equal(out.power_w[3], 150000);
    assert_int_equal(out.capacity_w[3], 180000);
    assert_int_equal(edges_closed(), 2);
    assert_int_equal(out.switching_cost, 20);
}

static void test_partition_all_slots_for_one_gun_leaves_one_edge_open(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    solve();
    assert_int_equal(out.power_w[0], 240000);
    assert_int_equal(edges_closed(), 3);
}

static void test_partition_ring_of_two_closes_only_one_edge(void **state) {
    (void)state;
    ring(2);
    gun(0, 350000, 0);
    in.slot[0].edge_cost = 20;
    in.slot[1].edge_cost = 15;
    solve();
    assert_int_equal(out.power_w[0], 120000);
    assert_int_equal(edges_closed(), 1);
    assert_int_equal(out.switching_cost, 15);
}

/* Guns in 0 and 1, slots 2, 3, 4 idle: 300 kW in five slots can be split 120 and 180 at best. */
static void test_partition_splits_idle_slots_as_evenly_as_it_can(void **state) {
    (void)state;
    ring(5);
    gun(0, 350000, 0);
    gun(1, 350000, 0);
    solve();
    int32_t a = out.power_w[0];
    int32_t b = out.power_w[1];
    assert_int_equal(a + b, 300000);
    assert_int_equal(a < b ? a : b, 120000);
}

static void test_partition_arc_max_ends_the_borrowing(void **state) {
    (void)state;
    ring(8);
    gun(0, 350000, 0);
    in.arc_max = 3;
    solve();
    assert_int_equal(out.power_w[0], 180000);
    in.arc_max = 0; /* taken as 1 */
    solve();
    assert_int_equal(out.power_w[0], 60000);
    in.arc_max = 1000; /* taken as 16 */
    solve();
    assert_int_equal(out.power_w[0], 350000);
}

/* At 400 V an edge carries 100 kW: 60 of its own and 100 from each side. */
static void test_partition_boundary_rating_bounds_the_power(void **state) {
    (void)state;
    ring(8);
    gun(0, 350000, 0);
    for (int s = 0; s < 8; s++) {
        in.slot[s].mv = 400000;
    }
    solve();
    assert_int_equal(out.power_w[0], 260000);
}

static void test_partition_gun_without_modules_borrows_slot_without_gun_lends(void **state) {
    (void)state;
    ring(3);
    gun(1, 100000, 0);
    in.slot[1].modules = 0;
    solve();
    assert_int_equal(out.power_w[1], 100000);
    assert_int_equal(out.owner[0], 1);
    assert_int_equal(out.owner[2], 1);
}

static void test_partition_gun_that_nothing_reaches_is_unserved(void **state) {
    (void)state;
    ring(3);
    gun(1, 100000, 0);
    in.slot[1].modules = 0;
    in.slot[0].edge = in.slot[1].edge = PARTITION_EDGE_KEEP_OPEN;
    solve();
    assert_int_equal(out.unserved, 1);
    assert_int_equal(out.power_w[1], 0);
}

/* ---- hard rules ---------------------------------------------------------------------------------- */

static void test_partition_blocked_slot_is_not_lent_nor_passed(void **state) {
    (void)state;
    ring(5);
    gun(0, 350000, 0);
    in.slot[1].blocked = true;
    in.slot[3].blocked = true;
    solve();
    assert_int_equal(out.power_w[0], 120000); /* its own and slot 4 */
    assert_int_equal(out.owner[1], -1);
    assert_int_equal(out.owner[2], -1);
}

static void test_partition_blocked_slot_feeds_its_own_gun_and_borrows(void **state) {
    (void)state;
    ring(3);
    gun(0, 350000, 0);
    in.slot[0].blocked = true;
    solve();
    assert_int_equal(out.power_w[0], 180000);
}

static void test_partition_edge_kept_open_is_never_crossed(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    in.slot[0].edge = PARTITION_EDGE_KEEP_OPEN;
    in.slot[2].edge = PARTITION_EDGE_KEEP_OPEN;
    in.slot[0].edge_was_closed = true; /* kept all the same, and not counted as switching */
    solve();
    assert_int_equal(out.power_w[0], 120000);
    assert_false(out.edge_closed[0]);
    assert_int_equal(out.switching_cost, 10);
}

static void test_partition_welded_edge_joins_lender_for_good(void **state) {
    (void)state;
    ring(4);
    gun(0, 50000, 0);
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    solve();
    assert_true(out.edge_closed[0]);
    assert_int_equal(out.owner[1], 0);
    assert_int_equal(out.power_w[0], 50000);
    assert_int_equal(out.switching_cost, 0);
}

static void test_partition_welded_guns_better_class_is_served(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 1);
    gun(1, 50000, 0);
    in.slot[0].order = 1; /* earlier, but of a worse class */
    in.slot[1].order = 2;
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    solve();
    assert_int_equal(out.owner[0], 1);
    assert_int_equal(out.owner[1], 1);
    assert_int_equal(out.power_w[1], 50000);
    assert_int_equal(out.unserved, 1);
    in.mode = PARTITION_FIRST_COME; /* there the order decides */
    solve();
    assert_int_equal(out.owner[1], 0);
}

static void test_partition_welded_guns_earlier_then_larger_is_served(void **state) {
    (void)state;
    ring(4);
    gun(0, 50000, 0);
    gun(1, 350000, 0);
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    in.slot[0].order = 1;
    in.slot[1].order = 2;
    solve();
    assert_int_equal(out.owner[0], 0);
    in.slot[1].order = 1;
    solve();
    assert_int_equal(out.owner[0], 1);
    assert_int_equal(out.power_w[1], 240000);
    in.slot[1].demand_w = 0; /* asks for nothing: stands behind */
    in.slot[1].priority_class = 0;
    in.slot[0].priority_class = 9;
    solve();
    assert_int_equal(out.owner[0], 0);
    assert_int_equal(out.power_w[0], 50000);
}

static void test_partition_welded_pair_one_blocked_serves_that_gun(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    gun(1, 350000, 5);
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    in.slot[1].blocked = true;
    solve();
    assert_int_equal(out.owner[0], 1);
    assert_int_equal(out.unserved, 1);
    in.slot[0].blocked = true; /* two guns on one bus: neither */
    solve();
    assert_int_equal(out.owner[0], -1);
    assert_int_equal(out.owner[1], -1);
    assert_int_equal(out.unserved, 2);
}

static void test_partition_piece_with_blocked_idle_slot_serves_nobody(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    in.slot[0].edge = PARTITION_EDGE_KEEP_CLOSED;
    in.slot[1].blocked = true;
    solve();
    assert_int_equal(out.unserved, 1);
    assert_int_equal(edges_closed(), 1);
}

static void test_partition_welded_chain_longer_than_arc_max_serves_nobody(void **state) {
    (void)state;
    ring(8);
    gun(1, 350000, 0);
    gun(6, 350000, 0);
    in.arc_max = 3;
    in.slot[0].edge = in.slot[1].edge = in.slot[2].edge = PARTITION_EDGE_KEEP_CLOSED;
    solve();
    assert_int_equal(out.owner[1], -1);
    assert_int_equal(out.unserved, 1);
    assert_int_equal(out.power_w[6], 180000); /* the others do without the chain */
    in.arc_max = 4;
    solve();
    assert_int_equal(out.power_w[1], 240000);
}

static void test_partition_ring_wholly_welded_serves_nobody(void **state) {
    (void)state;
    ring(3);
    gun(0, 350000, 0);
    gun(2, 350000, 0);
    for (int s = 0; s < 3; s++) {
        in.slot[s].edge = PARTITION_EDGE_KEEP_CLOSED;
    }
    solve();
    assert_int_equal(out.unserved, 2);
    assert_int_equal(edges_closed(), 3);
    assert_int_equal(out.owner[0], -1);
    assert_int_equal(out.switching_cost, 0);
}

static void test_partition_all_welded_but_one_keeps_that_one_open(void **state) {
    (void)state;
    ring(3);
    gun(0, 350000, 0);
    in.slot[0].edge = in.slot[2].edge = PARTITION_EDGE_KEEP_CLOSED;
    in.slot[1].edge_was_closed = true;
    solve();
    assert_int_equal(out.power_w[0], 180000);
    assert_false(out.edge_closed[1]);
    assert_int_equal(out.switching_cost, 10);
}

/* ---- objective ----------------------------------------------------------------------------------- */

/* The better class takes every idle slot, but not the slot another gun lives from. */
static void test_partition_better_class_first_but_nobody_starves(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    gun(2, 350000, 1);
    solve();
    assert_int_equal(out.power_w[0], 180000);
    assert_int_equal(out.power_w[2], 60000);
    assert_int_equal(out.unserved, 0);
}

/* A gun without modules of its own may take another's slot only if that one is of a worse class. */
static void test_partition_scarce_slot_goes_to_the_better_class(void **state) {
    (void)state;
    ring(2);
    gun(0, 50000, 1);
    gun(1, 50000, 0);
    in.slot[1].modules = 0;
    solve();
    assert_int_equal(out.power_w[1], 50000);
    assert_int_equal(out.owner[0], 1);
    assert_int_equal(out.unserved, 1);
    in.slot[0].priority_class = 0;
    in.slot[1].priority_class = 1;
    solve();
    assert_int_equal(out.power_w[0], 50000);
}

/* Slot 0 gives 20 kW and its gun asks 50, slot 1 gives 60 and its gun 350, slot 2 is idle. Leximin lends it to 0: (50, 60). The
 * largest total lends it to 1: 20 + 120. */
static void test_partition_total_mode_prefers_the_sum(void **state) {
    (void)state;
    ring(3);
    gun(0, 50000, 0);
    gun(1, 350000, 0);
    in.slot[0].module[0].max_w = 20000;
    in.slot[0].modules = 1;
    solve();
    assert_int_equal(out.power_w[0], 50000);
    assert_int_equal(out.power_w[1], 60000);
    in.mode = PARTITION_TOTAL;
    solve();
    assert_int_equal(out.power_w[0], 20000);
    assert_int_equal(out.power_w[1], 120000);
}

/* An edge carries 200 kW at 800 V. Gun 1 first: 60 and 200 through its right edge, all four idle slots. Gun 0 first: 200 from slots 0, 5, 4, 3;
 * gun 1 has slots 1 and 2. */
static void test_partition_first_come_serves_the_earlier_to_the_full(void **state) {
    (void)state;
    ring(6);
    gun(0, 200000, 0);
    gun(1, 350000, 0);
    in.slot[0].order = 200;
    in.slot[1].order = 100;
    in.mode = PARTITION_FIRST_COME;
    solve();
    assert_int_equal(out.power_w[1], 260000);
    assert_int_equal(out.power_w[0], 60000);
    in.slot[0].order = 50;
    solve();
    assert_int_equal(out.power_w[0], 200000);
    assert_int_equal(out.power_w[1], 120000);
}

/* 48 pairs that share one slot's modules, every gun with a rank of its own: in each pair the earlier is served. */
static void test_partition_first_come_of_96_guns_serves_the_earlier_of_each_pair(void **state) {
    (void)state;
    ring(96);
    in.mode = PARTITION_FIRST_COME;
    for (uint32_t s = 0; s < 96; s += 2) {
        gun(s, 60000, 0);
        gun(s + 1, 60000, 0);
        in.slot[s + 1].modules = 0;
        in.slot[s + 1].edge = PARTITION_EDGE_KEEP_OPEN;
        in.slot[s].order = (s * 37) % 96; /* 37 and 96 have no common factor: all differ */
        in.slot[s + 1].order = (s * 37 + 37) % 96;
    }
    solve();
    assert_int_equal(out.unserved, 48);
    for (uint32_t s = 0; s < 96; s += 2) {
        bool is_first = in.slot[s].order < in.slot[s + 1].order;
        assert_int_equal(out.power_w[s], is_first ? 60000 : 0);
        assert_int_equal(out.power_w[s + 1], is_first ? 0 : 60000);
    }
}

static void test_partition_static_mode_never_lends(void **state) {
    (void)state;
    ring(4);
    gun(0, 350000, 0);
    in.slot[0].edge_was_closed = true;
    in.mode = PARTITION_STATIC;
    solve();
    assert_int_equal(out.power_w[0], 60000);
    assert_int_equal(edges_closed(), 0);
    assert_int_equal(out.switching_cost, 10);
}

static void test_partition_faulty_module_is_made_up_for(void **state) {
    (void)state;
    ring(4);
    gun(0, 110000, 0);
    in.slot[0].module[1].max_w = 0;
    solve();
    assert_int_equal(out.power_w[0], 110000);
    assert_int_equal(edges_closed(), 2);
}

/* ---- switching ----------------------------------------------------------------------------------- */

static void test_partition_equal_powers_take_the_cheaper_edge(void **state) {
    (void)state;
    ring(6);
    gun(3, 120000, 0);
    in.slot[3].edge_cost = 7; /* the right side costs less */
    solve();
    assert_true(out.edge_closed[3]);
    assert_false(out.edge_closed[2]);
    assert_int_equal(out.switching_cost, 7);
}

static void test_partition_previous_arrangement_is_kept_when_as_good(void **state) {
    (void)state;
    ring(6);
    gun(3, 120000, 0);
    in.slot[2].edge_was_closed = true;
    in.slot[3].edge_cost = 1;
    solve();
    assert_true(out.edge_closed[2]);
    assert_int_equal(out.switching_cost, 0);
}

/* ---- site limit ---------------------------------------------------------------------------------- */

/* 100 kW: class 0 takes its 40, the two of class 1 share 60 as 20 and 40, class 2 gets nothing. */
static void test_partition_site_limit_fills_class_by_class(void **state) {
    (void)state;
    ring(8);
    gun(0, 40000, 0);
    gun(2, 20000, 1);
    gun(4, 60000, 1);
    gun(6, 60000, 2);
    in.site_limit_w = 100000;
    solve();
    assert_int_equal(out.power_w[0], 40000);
    assert_int_equal(out.power_w[2], 20000);
    assert_int_equal(out.power_w[4], 40000);
    assert_int_equal(out.power_w[6], 0);
    assert_int_equal(out.owner[6], 6);
    assert_int_equal(out.unserved, 0);
}

/* Three guns share 100 W: 33 each, the odd watt stays unused. */
static void test_partition_site_limit_equal_guns_get_equal_watts(void **state) {
    (void)state;
    ring(3);
    for (uint32_t s = 0; s < 3; s++) {
        gun(s, 60000, 0);
    }
    in.site_limit_w = 100;
    solve();
    for (int s = 0; s < 3; s++) {
        assert_int_equal(out.power_w[s], 33);
    }
}

static void test_partition_site_limit_nothing_or_less_gives_nothing(void **state) {
    (void)state;
    ring(3);
    gun(0, 60000, 0);
    in.site_limit_w = 0;
    solve();
    assert_int_equal(out.power_w[0], 0);
    assert_int_equal(out.unserved, 0); /* it could be served: the site has nothing to give */
    in.site_limit_w = -5000;
    solve();
    assert_int_equal(out.power_w[0], 0);
}

/* Without the limit the guns would borrow; at 50 kW each their own slots do, and nothing needs to move. */
static void test_partition_site_limit_second_pass_saves_switching(void **state) {
    (void)state;
    ring(4);
    gun(0, 120000, 0);
    gun(2, 120000, 0);
    solve();
    assert_int_equal(out.switching_cost, 20);
    in.site_limit_w = 100000;
    solve();
    assert_int_equal(out.power_w[0], 50000);
    assert_int_equal(out.power_w[2], 50000);
    assert_int_equal(out.switching_cost, 0);
    in.mode = PARTITION_TOTAL; /* no second pass there: the arrangement of the largest sum stays */
    solve();
    assert_int_equal(out.power_w[0] + out.power_w[2], 100000);
    assert_int_equal(out.switching_cost, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_empty_ring_is_no_work),
        cmocka_unit_test(test_partition_nobody_wants_opens_every_edge),
        cmocka_unit_test(test_partition_one_slot_serves_its_gun),
        cmocka_unit_test(test_partition_lone_gun_borrows_what_it_needs_and_no_more),
        cmocka_unit_test(test_partition_all_slots_for_one_gun_leaves_one_edge_open),
        cmocka_unit_test(test_partition_ring_of_two_closes_only_one_edge),
        cmocka_unit_test(test_partition_splits_idle_slots_as_evenly_as_it_can),
        cmocka_unit_test(test_partition_arc_max_ends_the_borrowing),
        cmocka_unit_test(test_partition_boundary_rating_bounds_the_power),
        cmocka_unit_test(test_partition_gun_without_modules_borrows_slot_without_gun_lends),
        cmocka_unit_test(test_partition_gun_that_nothing_reaches_is_unserved),
        cmocka_unit_test(test_partition_blocked_slot_is_not_lent_nor_passed),
        cmocka_unit_test(test_partition_blocked_slot_feeds_its_own_gun_and_borrows),
        cmocka_unit_test(test_partition_edge_kept_open_is_never_crossed),
        cmocka_unit_test(test_partition_welded_edge_joins_lender_for_good),
        cmocka_unit_test(test_partition_welded_guns_better_class_is_served),
        cmocka_unit_test(test_partition_welded_guns_earlier_then_larger_is_served),
        cmocka_unit_test(test_partition_welded_pair_one_blocked_serves_that_gun),
        cmocka_unit_test(test_partition_piece_with_blocked_idle_slot_serves_nobody),
        cmocka_unit_test(test_partition_welded_chain_longer_than_arc_max_serves_nobody),
        cmocka_unit_test(test_partition_ring_wholly_welded_serves_nobody),
        cmocka_unit_test(test_partition_all_welded_but_one_keeps_that_one_open),
        cmocka_unit_test(test_partition_better_class_first_but_nobody_starves),
        cmocka_unit_test(test_partition_scarce_slot_goes_to_the_better_class),
        cmocka_unit_test(test_partition_total_mode_prefers_the_sum),
        cmocka_unit_test(test_partition_first_come_serves_the_earlier_to_the_full),
        cmocka_unit_test(test_partition_first_come_of_96_guns_serves_the_earlier_of_each_pair),
        cmocka_unit_test(test_partition_static_mode_never_lends),
        cmocka_unit_test(test_partition_faulty_module_is_made_up_for),
        cmocka_unit_test(test_partition_equal_powers_take_the_cheaper_edge),
        cmocka_unit_test(test_partition_previous_arrangement_is_kept_when_as_good),
        cmocka_unit_test(test_partition_site_limit_fills_class_by_class),
        cmocka_unit_test(test_partition_site_limit_equal_guns_get_equal_watts),
        cmocka_unit_test(test_partition_site_limit_nothing_or_less_gives_nothing),
        cmocka_unit_test(test_partition_site_limit_second_pass_saves_switching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
