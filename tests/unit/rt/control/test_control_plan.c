/* What the planner is told of the ring (rt/control_plan.c), and what the status shows of what it answers. */
#include <string.h>

#include "tests/unit/rt/control/bench.h"

static struct plan_input in;

static const struct plan_slot *told(unsigned slot) {
    control_plan_input(hub->control, hub->now_us, &in);
    return &in.slot[slot];
}

static void test_plan_rules_are_those_of_the_configuration(void **state) {
    (void)state;
    (void)told(0);
    assert_int_equal(in.rules.mode, SHARING_MODE_LEXIMIN);
    assert_int_equal(in.rules.slots_max, 8);
    assert_int_equal(in.rules.holding_s, 120);
    assert_int_equal(in.rules.operation_cost_kj, 2500);
    assert_int_equal(in.rules.power_min_w, 3000);
    assert_int_equal(in.rules.rotation_us, 600000000);
    assert_int_equal(in.rules.departure_soon_us, 0);
    assert_int_equal(in.rules.dwell_us, 30000000);
    assert_int_equal(in.rules.default_mv, 800000);
}

static void test_plan_idle_slot_is_free_and_may_be_lent(void **state) {
    (void)state;
    const struct plan_slot *s = told(1);
    assert_true(s->free);
    assert_false(s->blocked || s->arriving || s->demands);
    assert_true(s->edge.fitted);
    assert_false(s->edge.may || s->edge.sure || s->edge.locked || s->edge.welded);
    assert_int_equal(s->edge.max_ma, 500000);
    assert_int_equal(s->edge.contactors, 1);
    assert_int_equal(s->edge.changed_us, 0); /* never moved: owes no dwell */
    assert_int_equal(s->soc_pct, 255);
}

static void test_plan_slot_in_boot_hold_is_blocked_and_its_edges_are_locked(void **state) {
    virtual_hub_destroy(hub);
    const struct plant_options options = {.seed = 3, .handshake = PLANT_HANDSHAKE_FAST};
    hub = virtual_hub_create(&config, &options, false);
    assert_non_null(hub);
    virtual_hub_run(hub, 0.1);
    assert_true(told(0)->blocked && told(1)->blocked);
    assert_true(told(0)->edge.locked && told(1)->edge.locked);
    (void)state;
}

static void test_plan_vehicle_on_its_way_blocks_its_slot_until_it_has_left(void **state) {
    (void)state;
    bench_plug(1, 30, 80);
    assert_true(told(0)->arriving && in.slot[0].blocked);
    assert_false(in.slot[0].free || in.slot[0].demands);
    assert_false(in.slot[1].blocked);
    bench_charge(2);
    assert_true(told(1)->served && in.slot[1].demands && in.slot[1].blocked);
    assert_false(in.slot[1].arriving || in.slot[1].free);
    assert_int_not_equal(in.slot[1].arrival_us, 0);
    assert_in_range(in.slot[1].soc_pct, 30, 80);
}

static void test_plan_reserved_or_inoperative_gun_is_not_recommended(void **state) {
    (void)state;
    struct command k = bench_command(COMMAND_RESERVE, 0, 1, "CARD");
    k.expires_mono_ns = (hub->now_us + 60000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_int_equal(bench_give(COMMAND_AVAILABILITY, 1, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 1);
    assert_false(told(0)->free || in.slot[1].free);
    assert_false(in.slot[1].blocked); /* its modules may be lent all the same */
    (void)bench_shown(0);
    assert_int_equal(hub->status.guide_slot, -1);
}

static void test_plan_guidance_reaches_the_status(void **state) {
    (void)state;
    virtual_hub_run(hub, 1);
    (void)bench_shown(0);
    assert_in_range(hub->status.guide_slot, 0, 1);
    /* two slots of 60 kW each, and half of the grid's 120 kW without a lease, at 95 % */
    assert_int_equal(hub->status.slot[hub->status.guide_slot].guide_now_w, 57000);
    assert_int_equal(hub->status.slot[hub->status.guide_slot].guide_later_w, 57000);
}

static void test_plan_island_and_its_owner_reach_the_status(void **state) {
    (void)state;
    bench_charge(1);
    virtual_hub_run(hub, 20);
    (void)bench_shown(0);
    assert_int_equal(hub->status.slot[0].owner, 0);
    assert_true(hub->status.slot[0].capacity_w > 0);
    assert_int_equal(hub->status.slot[1].capacity_w, 0);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* Far below what one vehicle needs at least: it is suspended, with the reason, and its session goes on. Short enough for a
 * vehicle that gives up without power. */
static void test_plan_suspended_vehicle_is_shown_and_keeps_its_session(void **state) {
    (void)state;
    bench_charge(1);
    assert_int_equal(bench_give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 1000, 60),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 3);
    const struct status_slot *shown = bench_shown(0);
    assert_int_equal(shown->gun_state, GUN_STATE_CHARGING);
    assert_true((shown->flags & STATUS_SLOT_SUSPENDED) != 0);
    assert_true((shown->flags & STATUS_SLOT_POWER_CONSTRAINED) != 0);
    assert_int_equal(shown->limit_reason, LIMIT_REASON_LEASE);
    assert_int_equal(shown->budget_w, 0);
    assert_int_equal(bench_give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 100000, 60),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 20);
    shown = bench_shown(0);
    assert_true((shown->flags & STATUS_SLOT_SUSPENDED) == 0);
    assert_true(shown->power_w > 10000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_plan_rules_are_those_of_the_configuration),
        TEST(test_plan_idle_slot_is_free_and_may_be_lent),
        TEST(test_plan_slot_in_boot_hold_is_blocked_and_its_edges_are_locked),
        TEST(test_plan_vehicle_on_its_way_blocks_its_slot_until_it_has_left),
        TEST(test_plan_reserved_or_inoperative_gun_is_not_recommended),
        TEST(test_plan_guidance_reaches_the_status),
        TEST(test_plan_island_and_its_owner_reach_the_status),
        TEST(test_plan_suspended_vehicle_is_shown_and_keeps_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
