/* A boundary's contactor at fault: stuck, welded, untrusted, or conducting with busses that differ (S5, S6, E4, T3), closed
 * against its command (T1, T2, T6), and two slots fused by a weld (T7). */
#include <string.h>

#include "tests/unit/rt/interlock/hub.h"

#define MV 400000

static void test_boundary_that_does_not_close_is_locked_and_the_gun_goes_on(void **state) {
    (void)state;
    struct hub *hub = hub_new(5, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    hub_precharge(hub, 1, MV);
    hub->contactor[0][CONTACTOR_MC] = STAYS_OPEN;
    hub->request.slot[0].mc = true;
    hub_run(hub, 120);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_MC].stuck);
    assert_int_equal(hub->state.slot[0].latched, BIT(BOUNDARY));
    assert_true(hub->state.slot[0].edge_locked);
    hub_run(hub, 20);
    assert_false(hub->out.slot[0].mc);
    hub_assert_goes_on(hub);
    assert_true(hub->out.slot[0].permit && hub->out.slot[1].permit);
    hub->contactor[0][CONTACTOR_MC] = FOLLOW;
    hub_run(hub, 31000); /* E3, and still locked */
    assert_false(hub->out.slot[0].mc);
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_E4);
    /* a person has mended it */
    assert_int_equal(interlock_may_not_clear(&hub->state, &hub->config, &hub->image, &hub->in, 0,
                                             BIT(BOUNDARY), hub->now_us),
                     0);
    hub->in.clear_faults[0] = BIT(BOUNDARY);
    hub_tick(hub, 5000);
    hub->in.clear_faults[0] = 0;
    hub_run(hub, 20);
    assert_true(hub->out.slot[0].mc);
    hub_free(hub);
}

static void test_welded_one_of_a_pair_clears_only_when_it_reads_open(void **state) {
    (void)state;
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; ++kind) {
        struct hub *hub = hub_island(true);
        hub->contactor[0][kind] = STAYS_CLOSED;
        hub_set(hub, &hub->image.slot[0].cp_state, CP_STATE_B);
        hub_run(hub, 500);
        assert_int_equal(hub->state.slot[0].latched, BIT(BOUNDARY));
        assert_int_equal(interlock_may_not_clear(&hub->state, &hub->config, &hub->image, &hub->in,
                                                 0, BIT(BOUNDARY), hub->now_us),
                         BIT(BOUNDARY));
        hub->in.clear_faults[0] = BIT(BOUNDARY);
        hub_tick(hub, 5000);
        hub->in.clear_faults[0] = 0;
        assert_true(hub->state.slot[0].contactor[kind].welded);
        assert_int_equal(hub->state.slot[0].latched, BIT(BOUNDARY));
        hub->contactor[0][kind] = FOLLOW;
        hub_run(hub, 20);
        hub->in.clear_faults[0] = BIT(BOUNDARY);
        hub_tick(hub, 5000);
        assert_int_equal(hub->state.slot[0].latched, 0);
        assert_false(hub->state.slot[0].contactor[kind].welded);
        hub_free(hub);
    }
}

static void test_boundary_with_untrusted_feedback_opens_without_current(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->contactor[0][CONTACTOR_MC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 0); /* nothing over it from the first sample on */
    assert_true(hub->out.slot[0].mc);
    hub_run(hub, 30);
    assert_false(hub->out.slot[0].mc);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].loaded_operations, 0);
    hub->contactor[0][CONTACTOR_MC] = FOLLOW;
    hub_run(hub, 200);
    hub_assert_goes_on(hub);
    assert_int_equal(hub->state.slot[0].latched, 0); /* trusted again */
    assert_false(hub->state.slot[0].edge_locked);
    hub_free(hub);
}

static void test_joined_busses_that_differ_are_parted(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub_voltage(hub, 1, MV - 10001, 0);
    hub_run(hub, 495);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    hub_run(hub, 30);
    assert_false(hub->out.slot[0].mc);
    hub_assert_goes_on(hub);
    hub_free(hub);
}

static void test_island_made_too_long_by_a_stray_boundary_parts(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->config.interlock.max_slots = 3;
    hub->contactor[1][CONTACTOR_MC] = READS_INVALID; /* silence alone joins nobody */
    hub_run(hub, 10);
    assert_true(hub_joined(hub, 0));
    hub->contactor[1][CONTACTOR_MC] = POLES_DIFFER;
    hub_run(hub, 40);
    hub_assert_parted(hub);
    hub_free(hub);
}

static void test_ring_closed_by_a_stray_boundary_parts(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    hub_lend(hub, 1, 0, MV, 10000);
    hub_lend(hub, 2, 2, MV, 10000);
    hub->contactor[1][CONTACTOR_MC] = N_POLE_CLOSED;
    hub_tick(hub, 5000);
    assert_true(hub_noted(hub, RULE_T2, 0));
    assert_int_equal(hub_sum_ma(hub, 1) + hub_sum_ma(hub, 2), 0);
    hub_run(hub, 50);
    hub_assert_parted(hub);
    hub_free(hub);
}

/* T1: a second gun that closes by itself opens both at once, and all boundaries. */
static void test_lenders_gc_found_closed_takes_the_island_down(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->contactor[1][CONTACTOR_GC] = STAYS_CLOSED;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_run(hub, 110);
    hub_assert_parted(hub);
    hub_free(hub);
}

/* T4: the vehicle at a lender goes on to its cable check before its slot is home. */
static void test_early_vehicle_gets_its_slot_back_and_the_gun_goes_on(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[1].gc = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_true(hub->out.slot[0].gc);
    hub_run(hub, 30);
    assert_false(hub->out.slot[0].mc);
    assert_false(hub->out.slot[1].gc);
    hub_ask(hub, 1, 0, 0);
    hub->request.slot[1].purpose = POWER_PURPOSE_NONE;
    hub_voltage(hub, 1, 0, 0);
    hub_run(hub, 200);
    assert_true(hub->out.slot[1].gc);
    hub_assert_goes_on(hub);
    assert_int_equal(hub_sum_ma(hub, 4), 20000);
    hub_free(hub);
}

static void test_opened_boundary_with_an_old_reading_is_no_weld(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->request.slot[0].reclaim = true;
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
    hub_ask(hub, 1, MV, 0);
    hub_run(hub, 20);
    hub->request.slot[0].mc = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].mc);
    const struct image_contactor old = hub->image.slot[0].contactor[CONTACTOR_MC];
    for (int i = 0; i < 22; ++i) { /* 110 ms without a new reading */
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[0].contactor[CONTACTOR_MC] = old;
        hub_step(hub);
        assert_int_equal(hub->state.slot[0].faults, 0);
        assert_int_equal(hub->state.slot[1].island_may, 0);
    }
    hub_run(hub, 20);
    assert_int_equal(hub->state.slot[1].island_may, 1);
    hub_assert_goes_on(hub);
    hub_free(hub);
}

/* --- T7 */

/* Boundary 0 welds when it is to open while slot 0 charges. */
static struct hub *fused_hub(void) {
    struct hub *hub = hub_island(false);
    hub_ask(hub, 1, MV, 0);
    hub->now_us += 31 * SECOND;
    hub_refresh(hub);
    hub_run(hub, 20);
    hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
    hub_open(hub, 0);
    hub_run(hub, 500);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_MC].welded);
    return hub;
}

static void test_welded_after_lending_the_served_gun_goes_on_the_other_is_out(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    hub_run(hub, 3000);
    hub_assert_goes_on(hub);
    assert_int_equal(hub->state.slot[0].latched, 0);
    assert_int_equal(hub->state.slot[0].faults, 0);
    assert_int_equal(hub->state.slot[1].latched, BIT(CONTACTOR_WELDED));
    assert_int_equal(hub->state.rule_hits[RULE_T7], 1);
    assert_true(hub->state.slot[0].edge_locked && hub->state.slot[0].edge_fused);
    assert_false(hub->out.slot[1].permit || hub->out.slot[1].imd_enable);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK); /* T1 for the union */
    hub->request.slot[1].gc = true;
    hub_run(hub, 100);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->out.slot[0].gc);
    hub_free(hub);
}

static void test_fused_pair_serves_the_next_vehicle_too(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    hub->request.slot[0].stop = STOP_CLASS_EMERGENCY;
    hub_run(hub, 300);
    memset(&hub->request.slot[0], 0, sizeof hub->request.slot[0]);
    hub_stage(hub, 0, HLC_STAGE_NONE);
    hub_voltage(hub, 0, 0, 0);
    hub_voltage(hub, 1, 0, 0);
    hub_run(hub, 300);
    hub_charging(hub, 0, MV, 10000);
    hub_assert_goes_on(hub);
    assert_int_equal(hub->state.slot[1].latched, BIT(CONTACTOR_WELDED));
    hub_free(hub);
}

static void test_door_of_the_fused_neighbour_stops_the_gun(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    hub_set(hub, &hub->image.slot[1].safety_ok, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_silent_plc_of_the_fused_neighbour_is_an_error_stop(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    hub->silent[1] = true;
    hub_run(hub, 700);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    hub_free(hub);
}

/* Nobody is served when it is found: the better class goes on; a slot without a gun never does. */
static void test_fused_idle_slots_the_better_class_goes_on(void **state) {
    (void)state;
    static const struct {
        uint8_t a, b;
        bool gun;
        uint32_t tail;
    } row[] = {{0, 0, true, 1}, {1, 0, true, 0}, {0, 1, true, 1}, {5, 0, false, 1}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; ++i) {
        struct hub *hub = hub_new(4, 2, false);
        hub->config.connector[hub->config.slot[0].gun].priority_class = row[i].a;
        hub->config.connector[hub->config.slot[1].gun].priority_class = row[i].b;
        if (!row[i].gun) {
            hub->config.slot[1].gun = -1;
            interlock_init(&hub->state, &hub->config, hub->now_us);
        }
        hub_run(hub, 500);
        hub_close(hub, 0);
        hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
        hub_open(hub, 0);
        hub_run(hub, 500);
        for (uint32_t slot = 0; slot < 2; ++slot) {
            assert_int_equal(hub->state.slot[slot].latched,
                             slot == row[i].tail ? BIT(CONTACTOR_WELDED) : 0);
        }
        hub_free(hub);
    }
}

/* The last boundary's far slot is slot 0, which is looked at first. */
static void test_fused_over_the_end_of_the_ring(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, false);
    hub_run(hub, 500);
    hub_close(hub, 3);
    hub->contactor[3][CONTACTOR_MC] = STAYS_CLOSED;
    hub_open(hub, 3);
    hub_run(hub, 500);
    assert_int_equal(hub->state.slot[3].latched, 0);
    assert_int_equal(hub->state.slot[0].latched, BIT(CONTACTOR_WELDED));
    hub_free(hub);
}

static uint64_t weld_kept(const struct hub *hub, uint32_t slot) {
    return interlock_may_not_clear(&hub->state, &hub->config, &hub->image, &hub->in, slot,
                                   BIT(CONTACTOR_WELDED), hub->now_us);
}

static void test_fused_pair_clears_dead_and_open_at_the_slot_that_is_out(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    assert_int_equal(weld_kept(hub, 1), BIT(CONTACTOR_WELDED)); /* its bus is up */
    hub->request.slot[0].stop = STOP_CLASS_EMERGENCY;
    hub_run(hub, 100);
    hub_stage(hub, 0, HLC_STAGE_NONE);
    hub_voltage(hub, 0, 0, 0);
    hub_voltage(hub, 1, 0, 0);
    hub_run(hub, 100);
    assert_int_equal(weld_kept(hub, 1), BIT(CONTACTOR_WELDED)); /* the contactor is closed still */
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    hub->in.clear_faults[1] = 0;
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[1].latched, BIT(CONTACTOR_WELDED));
    hub->contactor[0][CONTACTOR_MC] = FOLLOW; /* replaced */
    hub_run(hub, 50);
    assert_int_equal(weld_kept(hub, 1), 0);
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    hub->in.clear_faults[1] = 0;
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[1].latched, 0);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_MC].welded);
    assert_false(hub->state.slot[0].edge_locked || hub->state.slot[0].edge_fused);
    assert_int_equal(hub->state.slot[1].island_may, 1);
    hub_free(hub);
}

static void test_estop_is_reset_beside_a_fused_pair(void **state) {
    (void)state;
    struct hub *hub = fused_hub();
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_run(hub, 300);
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub_run(hub, 100);
    hub->in.reset_estop = true;
    hub_tick(hub, 5000);
    assert_false(hub->state.estop_latched);
    hub_free(hub);
}

static void test_bc_with_untrusted_feedback_parts_the_pair(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub->contactor[0][CONTACTOR_BC] = POLES_DIFFER;
    hub_run(hub, 50);
    assert_false(hub->out.slot[0].bc);
    hub_run(hub, 150);
    assert_false(hub->out.slot[0].mc);
    hub_assert_goes_on(hub);
    hub_free(hub);
}

static void test_series_pair_fused_clears_when_both_read_open(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub_ask(hub, 4, MV, 0);
    hub->now_us += 31 * SECOND;
    hub_refresh(hub);
    hub_run(hub, 20);
    hub->contactor[4][CONTACTOR_MC] = hub->contactor[4][CONTACTOR_BC] = STAYS_CLOSED;
    hub_open(hub, 4);
    hub_run(hub, 800);
    assert_true(hub->state.slot[4].edge_fused);
    assert_true(hub->state.slot[4].latched & BIT(CONTACTOR_WELDED)); /* slot 0 is served */
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_assert_goes_on(hub);
    hub_free(hub);
    /* the slot that is out is the clockwise one */
    hub = hub_new(4, 2, true);
    hub_run(hub, 500);
    hub_close(hub, 1);
    hub->contactor[1][CONTACTOR_MC] = hub->contactor[1][CONTACTOR_BC] = STAYS_CLOSED;
    hub_open(hub, 1);
    hub_run(hub, 800);
    assert_int_equal(hub->state.slot[2].latched, BIT(CONTACTOR_WELDED));
    hub->contactor[1][CONTACTOR_MC] = FOLLOW;
    hub_run(hub, 50);
    assert_int_equal(weld_kept(hub, 2), BIT(CONTACTOR_WELDED)); /* BC */
    hub->contactor[1][CONTACTOR_BC] = FOLLOW;
    hub_run(hub, 50);
    assert_int_equal(weld_kept(hub, 2), 0);
    hub->in.clear_faults[2] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    hub->in.clear_faults[2] = 0;
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[2].latched, 0);
    assert_int_equal(hub->state.slot[1].latched & ~BIT(BOUNDARY), 0);
    assert_int_equal(hub->state.slot[2].island_may, 2);
    hub_free(hub);
}

static void test_fused_pair_whose_first_slot_is_out_serves_the_second(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, false);
    hub->config.connector[hub->config.slot[0].gun].priority_class = 1;
    hub->config.connector[hub->config.slot[1].gun].priority_class = 0;
    hub_run(hub, 500);
    hub_close(hub, 0);
    hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
    hub_open(hub, 0);
    hub_run(hub, 500);
    hub_charging(hub, 1, MV, 10000);
    hub_run(hub, 2000);
    assert_true(hub->out.slot[1].gc);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundary_that_does_not_close_is_locked_and_the_gun_goes_on),
        cmocka_unit_test(test_welded_one_of_a_pair_clears_only_when_it_reads_open),
        cmocka_unit_test(test_boundary_with_untrusted_feedback_opens_without_current),
        cmocka_unit_test(test_joined_busses_that_differ_are_parted),
        cmocka_unit_test(test_island_made_too_long_by_a_stray_boundary_parts),
        cmocka_unit_test(test_ring_closed_by_a_stray_boundary_parts),
        cmocka_unit_test(test_lenders_gc_found_closed_takes_the_island_down),
        cmocka_unit_test(test_early_vehicle_gets_its_slot_back_and_the_gun_goes_on),
        cmocka_unit_test(test_opened_boundary_with_an_old_reading_is_no_weld),
        cmocka_unit_test(test_welded_after_lending_the_served_gun_goes_on_the_other_is_out),
        cmocka_unit_test(test_fused_pair_serves_the_next_vehicle_too),
        cmocka_unit_test(test_door_of_the_fused_neighbour_stops_the_gun),
        cmocka_unit_test(test_silent_plc_of_the_fused_neighbour_is_an_error_stop),
        cmocka_unit_test(test_fused_idle_slots_the_better_class_goes_on),
        cmocka_unit_test(test_fused_over_the_end_of_the_ring),
        cmocka_unit_test(test_fused_pair_clears_dead_and_open_at_the_slot_that_is_out),
        cmocka_unit_test(test_estop_is_reset_beside_a_fused_pair),
        cmocka_unit_test(test_bc_with_untrusted_feedback_parts_the_pair),
        cmocka_unit_test(test_series_pair_fused_clears_when_both_read_open),
        cmocka_unit_test(test_fused_pair_whose_first_slot_is_out_serves_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
