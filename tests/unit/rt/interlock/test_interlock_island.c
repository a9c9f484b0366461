/* Islands of several slots: M3 to M5, E5, N1, S1, S2, S4, S12 and T3 over all that is joined, and what a fault of one slot
 * means for the others (S16). Slot 0 charges at 400 V with 10 A per module. */
#include "tests/unit/rt/interlock/hub.h"

#define MV 400000

static int64_t gun_ma(const struct hub *hub) {
    return hub_sum_ma(hub, 0) + hub_sum_ma(hub, 1) + hub_sum_ma(hub, 4);
}

/* --- power */

static void test_island_current_within_the_owners_limits(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->image.slot[0].ev_target_ma.value = 45000;
    hub_run(hub, 1000);
    assert_in_range(gun_ma(hub), 44990, 45000);
    assert_int_equal(hub_sum_ma(hub, 1), 15000); /* each gives the same part */
    hub->image.slot[0].ev_target_ma.value = 400000;
    hub->config.connector[0].cable_max_current_ma = 30000;
    hub_run(hub, 1000);
    assert_in_range(gun_ma(hub), 29990, 30000);
    hub_free(hub);
}

static void test_island_has_one_voltage_within_the_owners_maximum(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->request.slot[1].module[0].set_mv = 390000;
    hub_run(hub, 10);
    for (uint32_t m = 0; m < 2; ++m) {
        assert_int_equal(hub->out.slot[0].module[m].set_mv, 390000);
        assert_int_equal(hub->out.slot[4].module[m].set_mv, 390000);
    }
    hub_ask(hub, 1, 900000, 1000);
    hub_ask(hub, 0, 900000, 1000);
    hub_ask(hub, 4, 900000, 1000);
    hub_run(hub, 10);
    assert_int_equal(hub->out.slot[1].module[0].set_mv, 500000); /* the vehicle at slot 0 */
    hub_free(hub);
}

static void test_silent_module_of_a_lender_counts_in_the_island(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->image.slot[0].ev_target_ma.value = 60000;
    hub->module_silent[1][0] = true;
    hub->own_module_ma[1] = true;
    hub->image.slot[1].module[0].current_ma.value = 10000;
    hub->image.slot[1].module[1].current_ma.value = 10000;
    hub_ask(hub, 0, MV, 30000);
    hub_run(hub, 2100);
    assert_false(hub->out.slot[1].module[0].run);
    assert_in_range(gun_ma(hub), 49990, 50000); /* 60 A without the 10 A it may still give */
    hub_free(hub);
}

static void test_lender_delivers_only_over_a_surely_closed_boundary(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub->contactor[0][CONTACTOR_BC] = READS_INVALID;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_int_equal(hub_sum_ma(hub, 4), 20000);
    assert_true(hub_noted(hub, RULE_M3, 1));
    hub->contactor[0][CONTACTOR_BC] = FOLLOW;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    hub_free(hub);
}

static void test_precharge_for_a_merge_at_most_i_cc_and_only_alone(void **state) {
    (void)state;
    struct hub *hub = hub_new(5, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    hub_precharge(hub, 1, MV);
    hub_ask(hub, 1, MV, 50000);
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 1), 2000);
    hub_ask(hub, 1, MV, 400);
    hub_run(hub, 10);
    hub_close(hub, 0);
    hub_run(hub, 50);
    assert_int_equal(hub_sum_ma(hub, 1), 0); /* joined, MERGE is no purpose any more */
    hub->request.slot[1].purpose = POWER_PURPOSE_WELD_TEST;
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    hub->request.slot[1].purpose = POWER_PURPOSE_SELF_TEST;
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    hub_free(hub);
}

static void test_weld_test_beside_a_closed_gun_contactor_refused(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_precharge(hub, 1, MV);
    hub_voltage(hub, 2, MV, 0);
    hub_set(hub, &hub->image.slot[2].imd, IMD_STATE_OK);
    hub_run(hub, 20);
    hub_close(hub, 1);
    hub->request.slot[1].purpose = POWER_PURPOSE_WELD_TEST;
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 1), 800);
    hub->contactor[2][CONTACTOR_GC] = READS_INVALID;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 800); /* a reading that says nothing is no closed one */
    hub->contactor[2][CONTACTOR_GC] = STAYS_CLOSED;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    hub_free(hub);
}

/* --- E5 */

/* 0 charges; 1, 2 and 3 lend in a row over boundaries 0, 1 and 2. */
static struct hub *chain(void) {
    struct hub *hub = hub_new(6, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    for (uint32_t slot = 1; slot <= 3; ++slot) {
        hub_lend(hub, slot, slot - 1, MV, 10000);
    }
    assert_int_equal(hub->image.slot[0].boundary_ma.value, -60000);
    return hub;
}

static void test_boundary_carries_the_sum_of_all_beyond_it(void **state) {
    (void)state;
    struct hub *hub = chain();
    hub->config.slot[1].boundary_max_current_ma = 30000; /* slots 2 and 3 lie beyond */
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    assert_int_equal(hub_sum_ma(hub, 2), 15000);
    assert_int_equal(hub_sum_ma(hub, 3), 15000);
    assert_true(hub_noted(hub, RULE_E5, 2));
    hub->config.slot[0].boundary_max_current_ma = 25000; /* of 50 A */
    hub_run(hub, 10);
    assert_in_range(hub_sum_ma(hub, 1) + hub_sum_ma(hub, 2) + hub_sum_ma(hub, 3), 24990, 25000);
    hub->config.slot[2].boundary_max_current_ma = 5000;
    hub_run(hub, 10);
    assert_in_range(hub_sum_ma(hub, 3), 4990, 5000);
    hub_free(hub);
}

static void test_boundary_counter_clockwise_likewise(void **state) {
    (void)state;
    struct hub *hub = hub_new(6, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    hub_lend(hub, 5, 5, MV, 10000);
    hub_lend(hub, 4, 4, MV, 10000);
    hub->config.slot[5].boundary_max_current_ma = 30000;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 5), 15000);
    assert_int_equal(hub_sum_ma(hub, 4), 15000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

static void test_raise_beyond_a_full_boundary_waits_for_the_measured_decrease(void **state) {
    (void)state;
    struct hub *hub = chain();
    hub->config.slot[0].boundary_max_current_ma = 60000;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 3), 20000);
    hub->own_module_ma[1] = true; /* still measured at 10 A each */
    hub_ask(hub, 1, MV, 0);
    hub_ask(hub, 3, MV, 20000);
    hub_run(hub, 20);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_int_equal(hub_sum_ma(hub, 3), 20000);
    hub->own_module_ma[1] = false;
    hub_run(hub, 20);
    assert_int_equal(hub_sum_ma(hub, 3), 40000);
    hub_free(hub);
}

static void test_silent_module_beyond_a_boundary_counts(void **state) {
    (void)state;
    struct hub *hub = chain();
    hub->config.slot[0].boundary_max_current_ma = 60000;
    hub->module_silent[3][0] = true;
    hub_run(hub, 2100);
    hub_ask(hub, 1, MV, 30000);
    hub_run(hub, 100);
    const int64_t told_ma = hub_sum_ma(hub, 1) + hub_sum_ma(hub, 2) + hub_sum_ma(hub, 3);
    assert_in_range(told_ma, 49000, 50000);
    hub_free(hub);
}

/* --- S12 */

static void test_site_limit_cuts_the_whole_island_in_proportion(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->in.site_limit_w = 60 * 400 / 2 * 1000 / hub->config.modules.efficiency_permille;
    hub_tick(hub, 5000);
    assert_in_range(gun_ma(hub), 29900, 30000);
    assert_in_range(hub_sum_ma(hub, 1), 9900, 10000);
    hub_free(hub);
}

/* --- N1 */

static void test_monitor_is_handed_over_at_merge_and_split(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    hub_precharge(hub, 1, MV);
    assert_true(hub->out.slot[0].imd_enable && hub->out.slot[1].imd_enable);
    hub->request.slot[0].mc = true;
    hub_tick(hub, 5000); /* with the command itself */
    assert_true(hub->out.slot[0].mc);
    assert_true(hub->out.slot[0].imd_enable);
    assert_false(hub->out.slot[1].imd_enable);
    hub_run(hub, 100);
    assert_false(hub->out.slot[1].imd_enable);     /* though asked for and energised */
    hub->request.slot[0].stop = STOP_CLASS_NORMAL; /* no dwell */
    hub_ask(hub, 1, MV, 0);
    hub->request.slot[1].imd_enable = false;
    hub_run(hub, 20);
    hub->request.slot[0].mc = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].mc);
    hub_run(hub, 90);
    assert_false(hub->out.slot[1].imd_enable); /* T_open: it may conduct still */
    hub_run(hub, 15);
    assert_true(hub->out.slot[1].imd_enable); /* its bus is up alone: unasked */
    assert_true(hub->out.slot[0].imd_enable);
    hub_free(hub);
}

static void test_monitor_stays_where_it_is_when_the_gun_has_opened(void **state) {
    (void)state;
    struct hub *hub = hub_new(5, 2, false);
    hub_run(hub, 500);
    hub_charging(hub, 2, MV, 10000);
    hub_lend(hub, 1, 1, MV, 10000);
    hub->request.slot[1].imd_enable = true;
    hub->request.slot[2].gc = false;
    hub_ask(hub, 2, MV, 0);
    hub_ask(hub, 1, MV, 0);
    hub_run(hub, 100);
    assert_false(hub->out.slot[2].gc);
    assert_true(hub_joined(hub, 1));
    assert_true(hub->out.slot[2].imd_enable);
    assert_false(hub->out.slot[1].imd_enable);
    hub_free(hub);
}

static void test_mn_of_a_lender_waits_for_the_owners_self_test(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->request.slot[1].module[1] = (struct request_module){0};
    hub_run(hub, 20);
    assert_false(hub->out.slot[1].module[1].mn);
    hub->request.slot[1].module[1] = (struct request_module){.run = true, .mn = true, .set_mv = MV};
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_TEST);
    hub_run(hub, 150);
    assert_false(hub->out.slot[1].module[1].mn);
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_OK);
    hub_run(hub, 20);
    assert_true(hub->out.slot[1].module[1].mn);
    hub_free(hub);
}

/* --- stops */

static void test_emergency_of_the_gun_zeroes_and_opens_its_island(void **state) {
    (void)state;
    for (int bc = 0; bc < 2; ++bc) {
        struct hub *hub = hub_island(bc != 0);
        hub_set(hub, &hub->image.slot[0].cp_state, CP_STATE_B);
        hub->own_boundary_ma[0] = hub->own_boundary_ma[4] = true; /* never seen calm */
        hub->image.slot[0].boundary_ma.value = -20000;
        hub->image.slot[4].boundary_ma.value = 20000;
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[0].gc);
        assert_int_equal(gun_ma(hub), 0);
        assert_false(hub->out.slot[1].module[0].run);
        assert_true(hub_joined(hub, 0) && hub_joined(hub, 4)); /* not before the current is gone */
        for (int i = 0; i < 19; ++i) { /* the fault itself is gone as soon as GC is read open */
            hub_tick(hub, 5000);
            assert_int_equal(gun_ma(hub), 0);
        }
        assert_true(hub_joined(hub, 0));
        hub_tick(hub, 5000); /* T_open */
        hub_assert_parted(hub);
        assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].loaded_operations, 0);
        assert_int_equal(hub->state.slot[1].latched | hub->state.slot[4].latched, 0);
        assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_NONE); /* lenders are free */
        hub_free(hub);
    }
}

static void test_emergency_opens_calm_boundaries_before_t_open(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub->request.slot[0].stop = STOP_CLASS_EMERGENCY; /* the sequencer's word is enough */
    hub_run(hub, 40);
    assert_false(hub->out.slot[0].gc);
    hub_assert_parted(hub);
    hub_free(hub);
}

static void test_requests_cannot_keep_a_boundary_closed_in_an_emergency(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub_set(hub, &hub->image.slot[0].cp_state, CP_STATE_B);
    hub_run(hub, 200);
    hub_assert_parted(hub);
    hub_run(hub, 2000); /* and mc is asked for all the time: E3 */
    hub_assert_parted(hub);
    hub_free(hub);
}

static void test_error_stop_of_the_gun_then_boundaries_without_current(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub_set(hub, &hub->image.slot[0].lock, 0);
    hub_run(hub, 200);
    assert_true(hub->out.slot[0].gc);
    assert_in_range(gun_ma(hub), 19000, 22000); /* 200 A/s */
    hub_run(hub, 200);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_GC].loaded_operations, 0);
    hub_open(hub, 0);
    hub_open(hub, 4);
    hub_assert_parted(hub);
    hub_free(hub);
}

static void test_normal_stop_never_raises_a_lender(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->request.slot[0].stop = STOP_CLASS_NORMAL;
    hub_tick(hub, 5000);
    hub_ask(hub, 1, MV, 40000);
    hub_tick(hub, 5000);
    assert_true(hub_sum_ma(hub, 1) <= 20000);
    assert_true(hub_noted(hub, RULE_G4, 1));
    hub_free(hub);
}

static void test_shared_faults_of_a_lender_stop_the_gun_at_once(void **state) {
    (void)state;
    for (int fault = 0; fault < 4; ++fault) {
        struct hub *hub = hub_island(false);
        struct image_slot *lender = &hub->image.slot[1];
        hub_charging(hub, 2, MV, 10000); /* another island */
        switch (fault) {
        case 0: hub_set(hub, &lender->safety_ok, 0); break;
        case 1: hub_set(hub, &lender->earth_fault, 1); break;
        case 2: lender->plc_fault_reason = 9; break;
        default:
            hub->config.slot[1].zone = 1;
            hub_set(hub, &lender->estop_input, 1);
            break;
        }
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[0].gc);
        assert_int_equal(gun_ma(hub), 0);
        assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_EMERGENCY);
        assert_int_equal(hub->state.slot[0].latched, 0); /* what latches is the lender's */
        hub_run(hub, 150);
        hub_assert_parted(hub);
        hub_run(hub, 150); /* parted, it is the lender's alone */
        assert_int_equal(hub->state.slot[4].faults, 0);
        assert_int_equal(hub->state.slot[4].stop, STOP_CLASS_NONE);
        assert_int_not_equal(hub->state.slot[1].stop, STOP_CLASS_NONE);
        assert_true(hub->out.slot[2].gc); /* S16 */
        assert_int_equal(hub_sum_ma(hub, 2), 20000);
        hub_free(hub);
    }
}

/* S2: FORCE_ALL_OFF opens what its PLC holds: the commands go with it, in the same step. */
static void test_estop_forces_all_off_and_takes_the_boundaries_along(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub_set(hub, &hub->image.slot[3].estop_input, 1);
    hub_tick(hub, 5000);
    for (uint32_t slot = 0; slot < 5; ++slot) {
        assert_true(hub->out.slot[slot].force_all_off);
        assert_false(hub->out.slot[slot].gc || hub->out.slot[slot].module[0].mn);
    }
    hub_assert_parted(hub);
    hub_free(hub);
}

static void test_estop_with_t_estop_opens_boundaries_after_the_gun(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->config.interlock.t_estop_ms = 300;
    hub->config.slot[1].zone = 1; /* the lender's button stops the owner too */
    hub->own_gun_ma[0] = true;
    hub->image.slot[0].gun_ma.value = 60000;
    hub->own_boundary_ma[0] = hub->own_boundary_ma[4] = true;
    hub->image.slot[0].boundary_ma.value = -20000;
    hub->image.slot[4].boundary_ma.value = 20000;
    hub_set(hub, &hub->image.slot[1].estop_input, 1);
    hub_run(hub, 295);
    assert_true(hub->out.slot[0].gc);
    assert_int_equal(gun_ma(hub), 0);
    assert_true(hub_joined(hub, 0) && hub_joined(hub, 4));
    assert_false(hub->out.slot[1].force_all_off);
    assert_true(hub->out.slot[1].module[0].mn);
    hub_run(hub, 10);
    assert_false(hub->out.slot[0].gc);
    hub_run(hub, 105);
    hub_assert_parted(hub);
    assert_true(hub->out.slot[1].force_all_off);
    hub_free(hub);
}

/* --- S4 */

static void test_silent_lender_is_cut_out_and_the_gun_goes_on(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->silent[1] = true; /* boundary 0 is held by slot 0's PLC */
    hub_run(hub, 310);
    assert_false(hub->out.slot[1].module[0].run);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_true(hub->out.slot[0].gc);
    hub_run(hub, 100);
    assert_false(hub->out.slot[0].mc);
    hub_run(hub, 3000);
    hub_assert_goes_on(hub);
    assert_int_equal(hub_sum_ma(hub, 4), 20000); /* and with the other lender */
    assert_true(hub->state.slot[0].edge_locked);
    hub->silent[1] = false;
    hub_run(hub, 100);
    assert_false(hub->state.slot[0].edge_locked);
    hub_free(hub);
}

static void test_lender_that_cannot_be_shown_to_be_out_is_an_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->silent[4] = true; /* boundary 4 is held by its own PLC */
    hub_run(hub, 310);
    assert_int_equal(hub_sum_ma(hub, 4), 0);
    assert_true(hub->out.slot[0].gc);
    hub_run(hub, 110);
    assert_false(hub->out.slot[4].mc);
    assert_true(hub->out.slot[0].gc);
    hub_run(hub, 170);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub_run(hub, 30);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_true(hub->state.slot[0].faults & BIT(CONTACTOR_FEEDBACK));
    hub_run(hub, 1000);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_GC].loaded_operations, 0);
    /* heard again, and open: everybody is well */
    hub->silent[4] = false;
    hub_run(hub, 300);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    assert_int_equal(hub->state.slot[4].island_may, 4);
    hub_free(hub);
}

static void test_silent_owner_takes_its_island_down(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->silent[0] = true;
    hub_run(hub, 310);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(gun_ma(hub), 0);
    assert_false(hub->out.slot[4].module[0].run);
    hub_run(hub, 110);
    hub_assert_parted(hub);
    hub_run(hub, 200);
    assert_int_equal(hub->state.slot[4].island_may, 4); /* its own boundary is read open */
    assert_int_equal(hub->state.slot[4].faults, 0);
    assert_int_equal(hub->state.slot[1].island_may, 0); /* boundary 0 is not */
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[1].gc = true;
    hub_run(hub, 50);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->state.slot[1].faults & BIT(CONTACTOR_FEEDBACK));
    hub->silent[0] = false;
    hub_run(hub, 300);
    assert_int_equal(hub->state.slot[1].faults & BIT(CONTACTOR_FEEDBACK), 0);
    hub_free(hub);
}

static void test_lenders_module_out_of_reach_is_an_error_stop_of_the_gun(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->image.slot[1].module[0].bus_down = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_NONE); /* nobody is served there */
    hub_free(hub);
}

static void test_current_of_the_whole_island_without_a_meter(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->own_gun_ma[0] = true;
    hub->image.slot[0].gun_ma.valid = false;
    hub->own_module_ma[1] = true; /* one of the lender's delivers on */
    hub->image.slot[1].module[0].current_ma.value = 10000;
    hub->image.slot[1].module[1].current_ma.value = 0;
    hub_ask(hub, 0, MV, 0);
    hub_ask(hub, 1, MV, 0);
    hub_ask(hub, 4, MV, 0);
    hub->request.slot[0].gc = false;
    hub_run(hub, 500);
    assert_true(hub->out.slot[0].gc); /* G4: 10 A flow */
    hub->image.slot[1].module[0].current_ma.value = 5000;
    hub_run(hub, 10);
    assert_false(hub->out.slot[0].gc);
    hub_free(hub);
}

static void test_faults_of_a_lenders_own_gun_leave_the_island_alone(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->image.slot[1].pin_plus_ddegc.value = 950;          /* its connector */
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_E); /* its pilot */
    hub->image.slot[1].meter.valid = false;                 /* its meter */
    hub->image.slot[1].insulation_ohm.value = 0;            /* its monitor is off */
    hub_run(hub, 3000);
    hub_assert_goes_on(hub);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    hub_free(hub);
}

/* The guard never lets go of a lender under FORCE_ALL_OFF while its boundary is still to open without current. */
static void test_all_off_of_a_lender_waits_for_its_own_boundary(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->own_boundary_ma[4] = true;
    hub_set(hub, &hub->image.slot[4].boundary_ma, 20000);
    hub->image.slot[4].plc_ack_fault = true;
    hub_run(hub, 100);
    assert_true(hub->out.slot[4].mc);
    assert_false(hub->out.slot[4].force_all_off);
    assert_int_equal(hub_sum_ma(hub, 4), 0);
    hub_run(hub, 10);
    assert_false(hub->out.slot[4].mc);
    assert_true(hub->out.slot[4].force_all_off);
    hub_run(hub, 1000);
    hub_assert_goes_on(hub);
    hub_free(hub);
}

/* The second time MC opens first: BC alone still holds the all-off back. */
static void test_all_off_waits_for_both_of_a_pair(void **state) {
    (void)state;
    struct hub *hub = hub_island(true);
    hub->state.slot[4].contactor[CONTACTOR_MC].operations = 2;
    hub_ask(hub, 4, MV, 0);
    hub_run(hub, 20);
    hub->image.slot[4].plc_ack_fault = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[4].mc);
    assert_true(hub->out.slot[4].bc);
    assert_false(hub->out.slot[4].force_all_off);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[4].bc);
    assert_true(hub->out.slot[4].force_all_off);
    hub_free(hub);
}

static void test_lenders_module_out_of_reach_behind_its_open_mn_stops_nobody(void **state) {
    (void)state;
    struct hub *hub = hub_island(false);
    hub->request.slot[1].module[1] = (struct request_module){0};
    hub_run(hub, 50);
    assert_false(hub->out.slot[1].module[1].mn);
    hub->image.slot[1].module[1].bus_down = true;
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_island_current_within_the_owners_limits),
        cmocka_unit_test(test_island_has_one_voltage_within_the_owners_maximum),
        cmocka_unit_test(test_silent_module_of_a_lender_counts_in_the_island),
        cmocka_unit_test(test_lender_delivers_only_over_a_surely_closed_boundary),
        cmocka_unit_test(test_precharge_for_a_merge_at_most_i_cc_and_only_alone),
        cmocka_unit_test(test_weld_test_beside_a_closed_gun_contactor_refused),
        cmocka_unit_test(test_boundary_carries_the_sum_of_all_beyond_it),
        cmocka_unit_test(test_boundary_counter_clockwise_likewise),
        cmocka_unit_test(test_raise_beyond_a_full_boundary_waits_for_the_measured_decrease),
        cmocka_unit_test(test_silent_module_beyond_a_boundary_counts),
        cmocka_unit_test(test_site_limit_cuts_the_whole_island_in_proportion),
        cmocka_unit_test(test_monitor_is_handed_over_at_merge_and_split),
        cmocka_unit_test(test_monitor_stays_where_it_is_when_the_gun_has_opened),
        cmocka_unit_test(test_mn_of_a_lender_waits_for_the_owners_self_test),
        cmocka_unit_test(test_emergency_of_the_gun_zeroes_and_opens_its_island),
        cmocka_unit_test(test_emergency_opens_calm_boundaries_before_t_open),
        cmocka_unit_test(test_requests_cannot_keep_a_boundary_closed_in_an_emergency),
        cmocka_unit_test(test_error_stop_of_the_gun_then_boundaries_without_current),
        cmocka_unit_test(test_normal_stop_never_raises_a_lender),
        cmocka_unit_test(test_shared_faults_of_a_lender_stop_the_gun_at_once),
        cmocka_unit_test(test_estop_forces_all_off_and_takes_the_boundaries_along),
        cmocka_unit_test(test_estop_with_t_estop_opens_boundaries_after_the_gun),
        cmocka_unit_test(test_silent_lender_is_cut_out_and_the_gun_goes_on),
        cmocka_unit_test(test_lender_that_cannot_be_shown_to_be_out_is_an_error_stop),
        cmocka_unit_test(test_silent_owner_takes_its_island_down),
        cmocka_unit_test(test_lenders_module_out_of_reach_is_an_error_stop_of_the_gun),
        cmocka_unit_test(test_current_of_the_whole_island_without_a_meter),
        cmocka_unit_test(test_faults_of_a_lenders_own_gun_leave_the_island_alone),
        cmocka_unit_test(test_all_off_of_a_lender_waits_for_its_own_boundary),
        cmocka_unit_test(test_all_off_waits_for_both_of_a_pair),
        cmocka_unit_test(test_lenders_module_out_of_reach_behind_its_open_mn_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
