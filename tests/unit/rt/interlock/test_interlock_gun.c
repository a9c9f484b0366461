/* G1 to G9, S9: the gun contactor and the lock. */
#include "tests/unit/rt/interlock/hub.h"

static struct hub *cable_check(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[1].gc = true;
    return hub;
}

static void test_gun_cable_check_dead_closes(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    assert_false(hub->out.slot[0].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].operations, 1);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].loaded_operations, 0);
    hub_free(hub);
}

static void test_gun_cable_check_just_below_60_v_closes(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_voltage(hub, 1, 59999, 59999);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_cable_check_bus_at_60_v_refused(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_voltage(hub, 1, 60000, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_G2, 1));
    hub_free(hub);
}

static void test_gun_cable_check_inlet_at_60_v_refused(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_voltage(hub, 1, 0, 60000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_cable_check_unknown_voltage_refused(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub->image.slot[1].bus_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub->image.slot[1].bus_mv.valid = true;
    hub->image.slot[1].gun_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub->image.slot[1].gun_mv.valid = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_closes_in_no_other_stage(void **state) {
    (void)state;
    for (int stage = HLC_STAGE_NONE; stage < HLC_STAGE_COUNT; ++stage) {
        struct hub *hub = cable_check();
        hub_voltage(hub, 1, 400000, 0); /* neither dead nor equal */
        hub_stage(hub, 1, (enum hlc_stage)stage);
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[1].gc);
        hub_voltage(hub, 1, 0, 0);
        hub_tick(hub, 5000);
        const bool allowed = stage == HLC_STAGE_CABLE_CHECK || stage == HLC_STAGE_PRECHARGE ||
                             stage == HLC_STAGE_POWER_DELIVERY;
        assert_int_equal(hub->out.slot[1].gc, allowed);
        hub_free(hub);
    }
}

static struct hub *precharge(int32_t bus_mv, int32_t gun_mv) {
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_PRECHARGE);
    hub_voltage(hub, 1, bus_mv, gun_mv);
    hub->request.slot[1].gc = true;
    return hub;
}

static void test_gun_precharge_within_20_v_closes(void **state) {
    (void)state;
    struct hub *hub = precharge(400000, 380000);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].close_dv_mv, 20000);
    hub_free(hub);
}

static void test_gun_precharge_beyond_20_v_refused(void **state) {
    (void)state;
    struct hub *hub = precharge(400000, 379999);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_G1, 1));
    hub_free(hub);
}

static void test_gun_precharge_stale_voltage_refused(void **state) {
    (void)state;
    struct hub *hub = precharge(400000, 400000);
    hub->image.slot[1].gun_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub->image.slot[1].gun_mv.valid = true;
    hub->image.slot[1].bus_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_precharge_above_i_cc_refused(void **state) {
    (void)state;
    struct hub *hub = precharge(400000, 400000);
    hub->state.slot[1].module[0].set_ma = 1200;
    hub->state.slot[1].module[1].set_ma = 801; /* 2.001 A in all */
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub->state.slot[1].module[0].set_ma = 1200;
    hub->state.slot[1].module[1].set_ma = 800;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_unlocked_refused(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_G3, 1));
    hub->config.connector[1].require_lock = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_stale_lock_refused(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub->image.slot[1].lock.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_pilot_outside_c_and_d_refused(void **state) {
    (void)state;
    for (int cp = CP_STATE_UNKNOWN; cp < CP_STATE_COUNT; ++cp) {
        struct hub *hub = cable_check();
        hub_set(hub, &hub->image.slot[1].cp_state, cp);
        hub_tick(hub, 5000);
        assert_int_equal(hub->out.slot[1].gc, cp == CP_STATE_C || cp == CP_STATE_D);
        hub_free(hub);
    }
}

static void test_gun_stale_pilot_refused_and_emergency(void **state) {
    (void)state;
    struct hub *hub = cable_check();
    hub_refresh(hub);
    hub_step(hub);
    assert_true(hub->out.slot[1].gc);
    /* the control pilot falls silent: 300 ms exactly are fresh, more is a fault */
    const int64_t last_us = hub->image.slot[1].cp_state.at_us;
    hub->now_us = last_us + 300000;
    hub_refresh(hub);
    hub->image.slot[1].cp_state.at_us = last_us;
    hub_step(hub);
    assert_true(hub->out.slot[1].gc);
    hub->now_us += 1;
    hub_step(hub);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->state.slot[1].faults & BIT(CP_STALE));
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_EMERGENCY);
    hub_free(hub);
}

static void test_gun_pilot_lost_zero_and_open_in_the_same_step(void **state) {
    (void)state;
    const enum cp_state left[] = {CP_STATE_A, CP_STATE_B, CP_STATE_E, CP_STATE_F, CP_STATE_UNKNOWN};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub_charging(hub, 1, 400000, 50000);
        assert_int_equal(hub_sum_ma(hub, 1), 100000);
        hub_set(hub, &hub->image.slot[1].cp_state, (int32_t)left[i]);
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[1].gc);
        assert_int_equal(hub_sum_ma(hub, 1), 0);
        assert_false(hub->out.slot[1].module[0].run);
        assert_false(hub->out.slot[1].module[0].mn);
        assert_true(hub->state.slot[1].faults & BIT(CP_LOST));
        /* an emergency that needs nobody: no FORCE_ALL_OFF */
        assert_false(hub->out.slot[1].force_all_off);
        hub->request.slot[1].gc = false;
        hub_run(hub, 300);
        assert_false(hub->state.slot[1].faults & BIT(CP_LOST));
        hub_free(hub);
    }
}

static void test_gun_pilot_b_with_open_gc_is_no_fault(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[1].faults, 0);
    assert_true(hub->out.slot[1].permit);
    hub_free(hub);
}

static void test_gun_lock_lost_while_charging_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].faults & BIT(LOCK));
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_ERROR);
    assert_true(hub->out.slot[1].gc); /* still loaded */
    hub_run(hub, 1000);
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].loaded_operations, 0);
    hub_free(hub);
}

/* G4 */
static void test_gun_normal_stop_waits_for_5_a(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->own_gun_ma[1] = true;
    hub->request.slot[1].gc = false;
    hub_ask(hub, 1, 400000, 0);
    hub_set(hub, &hub->image.slot[1].gun_ma, 5001);
    hub_tick(hub, 5000);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_G4, 1));
    hub_set(hub, &hub->image.slot[1].gun_ma, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].loaded_operations, 0);
    hub_free(hub);
}

static void test_gun_normal_stop_negative_current_counts(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->own_gun_ma[1] = true;
    hub->request.slot[1].gc = false;
    hub_ask(hub, 1, 400000, 0);
    hub_set(hub, &hub->image.slot[1].gun_ma, -5001);
    hub_run(hub, 50);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_normal_stop_commanded_current_counts(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[1].gun_ma, 0); /* an old reading of the meter */
    hub->request.slot[1].gc = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_stale_meter_module_sum_opens(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->image.slot[1].gun_ma.valid = false;
    hub->own_module_ma[1] = true;
    hub->request.slot[1].gc = false;
    hub_ask(hub, 1, 400000, 0);
    hub->image.slot[1].module[0].current_ma.value = 3000;
    hub->image.slot[1].module[1].current_ma.value = 2001;
    hub_run(hub, 20);
    assert_true(hub->out.slot[1].gc);
    hub->image.slot[1].module[1].current_ma.value = 2000;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_unknown_current_error_after_10_s(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->image.slot[1].gun_ma.valid = false;
    hub->image.slot[1].module[0].current_ma.valid = false;
    hub->request.slot[1].gc = false;
    hub_ask(hub, 1, 400000, 0);
    hub_run(hub, 10000);
    assert_true(hub->out.slot[1].gc);
    hub_run(hub, 1010); /* then T_force */
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_normal_stop_without_sequencer_ramps_100_a_per_s(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->in.plan_age_us = 1000001; /* S8: over 1 s */
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_NORMAL);
    assert_int_equal(hub_sum_ma(hub, 1), 100000);
    hub_run(hub, 500);
    assert_int_equal(hub_sum_ma(hub, 1), 50000); /* 100 A/s for 0.5 s */
    hub_run(hub, 500);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_true(hub->out.slot[1].gc); /* normal: the sequencer opens */
    hub_run(hub, 9010);
    assert_false(hub->out.slot[1].gc); /* it did not within 10 s */
    hub_free(hub);
}

static void test_gun_error_stop_opens_within_1_s_whatever_flows(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[1].gun_ma, 100000); /* the meter never shows a fall */
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    hub_run(hub, 995);
    assert_true(hub->out.slot[1].gc);
    hub_tick(hub, 5000); /* 1 s after the fault */
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].loaded_operations, 1);
    hub_free(hub);
}

static void test_gun_error_stop_current_zero_before_it_opens(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[1].max_current_ma = 400000;
    hub->config.connector[1].cable_max_current_ma = 400000;
    hub->config.connector[1].max_power_w = 400000;
    hub_charging(hub, 1, 300000, 100000); /* 200 A: at 200 A/s alone it would take 1 s */
    assert_int_equal(hub_sum_ma(hub, 1), 200000);
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[1].gun_ma, 200000);
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    hub_run(hub, 300);
    assert_in_range(hub_sum_ma(hub, 1), 99000, 101000); /* to zero in 0.6 s */
    hub_run(hub, 300);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_error_stop_never_rises_again(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    int64_t last = hub_sum_ma(hub, 1);
    for (int i = 0; i < 100; ++i) {
        hub_ask(hub, 1, 400000, (i % 3) * 60000);
        hub_tick(hub, 5000);
        assert_true(hub_sum_ma(hub, 1) <= last);
        last = hub_sum_ma(hub, 1);
    }
    hub_free(hub);
}

static void test_gun_request_of_emergency_opens_at_once(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->request.slot[1].gc = false;
    hub->request.slot[1].stop = STOP_CLASS_EMERGENCY;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    hub_free(hub);
}

static void test_gun_request_of_nonsense_stop_is_ignored(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->request.slot[1].stop = (enum stop_class)200;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    assert_int_equal(hub_sum_ma(hub, 1), 100000);
    hub_free(hub);
}

/* G8 */
static void test_gun_welding_detection_opens(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 0);
    hub_stage(hub, 1, HLC_STAGE_WELDING_DETECTION);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_G8, 1));
    hub_free(hub);
}

static void test_gun_power_off_stage_keeps_gc_until_asked(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 0);
    hub_stage(hub, 1, HLC_STAGE_POWER_OFF);
    hub_run(hub, 50);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

/* G5 */
static void test_lock_held_while_inlet_at_60_v(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_SESSION_STOP);
    hub_voltage(hub, 1, 0, 60000);
    hub->request.slot[1].lock = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock);
    assert_true(hub_noted(hub, RULE_G5, 1));
    hub_voltage(hub, 1, 0, 59999);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].lock);
    hub_free(hub);
}

static void test_lock_held_while_gc_not_confirmed_open(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 1, 500000);
    hub->request.slot[1].lock = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock); /* closed */
    hub->request.slot[1].gc = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->out.slot[1].lock); /* told to open, not confirmed */
    hub_run(hub, 90);
    assert_true(hub->out.slot[1].lock); /* 95 ms: T_open not over */
    hub_run(hub, 10);
    assert_false(hub->out.slot[1].lock);
    hub_free(hub);
}

static void test_lock_held_while_one_pole_closed(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_SESSION_STOP);
    hub->contactor[1][CONTACTOR_GC] = POLES_DIFFER;
    hub->request.slot[1].lock = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock);
    hub_free(hub);
}

static void test_lock_held_while_voltage_unknown(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_SESSION_STOP);
    hub->image.slot[1].gun_mv.valid = false;
    hub->request.slot[1].lock = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock);
    hub_free(hub);
}

static void test_lock_engaged_by_feedback_is_held_although_never_asked(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
    hub_set(hub, &hub->image.slot[1].lock, 1);
    hub_voltage(hub, 1, 0, 400000);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock);
    hub_free(hub);
}

static void test_lock_unknown_at_boot_is_held_when_somebody_may_be_plugged(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->image.slot[1].lock.valid = false;
    hub->image.slot[1].gun_mv.valid = false;
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
    hub->image.slot[2].lock.valid = false;
    hub->image.slot[2].gun_mv.valid = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].lock);
    assert_false(hub->out.slot[2].lock); /* control pilot A: nobody is there */
    assert_false(hub->out.slot[0].lock);
    hub_free(hub);
}

static void test_lock_open_by_feedback_is_not_driven(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
    hub_voltage(hub, 1, 0, 400000); /* nobody locked it: holding now would close it under voltage */
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].lock);
    hub_free(hub);
}

/* G6, G7 */
static struct hub *weld_check(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 0);
    hub_stage(hub, 1, HLC_STAGE_WELDING_DETECTION);
    hub->request.slot[1].gc = false;
    hub->request.slot[1].purpose = POWER_PURPOSE_WELD_TEST;
    hub->request.slot[1].state = GUN_STATE_WELD_CHECK;
    hub_ask(hub, 1, 360000, 1000);
    return hub;
}

static void test_weld_check_gun_follows_bus_for_3_s_latches(void **state) {
    (void)state;
    struct hub *hub = weld_check();
    hub_voltage(hub, 1, 360000, 360000);
    hub_tick(hub, 5000); /* GC opens here */
    hub_run(hub, 3000);
    assert_false(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED));
    assert_int_equal(hub_sum_ma(hub, 1), 2000);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED));
    assert_true(hub->state.slot[1].contactor[CONTACTOR_GC].welded);
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_EMERGENCY);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_false(hub->out.slot[1].module[0].mn); /* G6 */
    assert_true(hub->out.slot[1].force_all_off);
    assert_false(hub->out.slot[1].permit);
    hub_free(hub);
}

static void test_weld_check_gun_falls_no_weld(void **state) {
    (void)state;
    struct hub *hub = weld_check();
    hub_voltage(hub, 1, 360000, 360000);
    hub_run(hub, 2500);
    hub_voltage(hub, 1, 360000, 59999);
    hub_run(hub, 4000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub_free(hub);
}

static void test_weld_check_gun_held_by_vehicle_no_weld(void **state) {
    (void)state;
    struct hub *hub = weld_check();
    hub_voltage(hub, 1, 360000, 380001); /* 20.001 V apart: not ours */
    hub_run(hub, 5000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub_free(hub);
}

static void test_weld_verdict_in_the_step_that_leaves_the_check_counts(void **state) {
    (void)state;
    struct hub *hub = weld_check();
    hub_voltage(hub, 1, 360000, 360000);
    hub_tick(hub, 5000);
    hub_run(hub, 3000);
    hub->request.slot[1].state = GUN_STATE_DISCHARGE;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED));
    hub_free(hub);
}

static uint64_t may_not_clear(const struct hub *hub) {
    return interlock_may_not_clear(&hub->state, &hub->config, &hub->image, &hub->in, 1,
                                   ~UINT64_C(0), hub->now_us);
}

static void test_weld_clears_only_dead_and_by_a_person(void **state) {
    (void)state;
    struct hub *hub = weld_check();
    hub_voltage(hub, 1, 360000, 360000);
    hub_run(hub, 3100);
    hub->request = (struct request){0};
    hub_run(hub, 200);
    assert_true(hub->state.slot[1].faults & BIT(CONTACTOR_WELDED));
    assert_int_equal(may_not_clear(hub), BIT(CONTACTOR_WELDED));
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED)); /* 360 V */
    hub->in.clear_faults[1] = 0;
    hub_voltage(hub, 1, 0, 60000);
    hub_tick(hub, 5000);
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED)); /* inlet still at 60 V */
    hub->in.clear_faults[1] = 0;
    hub_voltage(hub, 1, 0, 0);
    hub_run(hub, 1000);
    assert_false(hub->state.slot[1].faults & BIT(CONTACTOR_WELDED));
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED)); /* never by itself */
    assert_int_equal(may_not_clear(hub), 0);
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    hub->in.clear_faults[1] = 0;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    assert_false(hub->state.slot[1].contactor[CONTACTOR_GC].welded);
    assert_true(hub->out.slot[1].permit);
    hub_free(hub);
}

/* G9 */
static void test_charging_without_insulation_monitor_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->image.slot[1].imd_enabled = false;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].faults & BIT(IMD_STALE));
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_ERROR);
    hub_free(hub);
}

static void test_charging_insulation_monitor_switched_off_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub_set(hub, &hub->image.slot[1].imd, IMD_STATE_OFF);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].faults & BIT(IMD_STALE));
    hub_free(hub);
}

static void test_gun_opens_and_closes_again_not_within_t_open(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 1, 500000);
    hub->request.slot[1].gc = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub->request.slot[1].gc = true;
    hub_run(hub, 95);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_S7, 1));
    hub_run(hub, 10);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_slot_without_gun_gets_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].gun = -1;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].released);
    hub->request.slot[1].gc = true;
    hub->request.slot[1].lock = true;
    hub_stage(hub, 1, HLC_STAGE_CABLE_CHECK);
    hub_run(hub, 50);
    assert_false(hub->out.slot[1].gc);
    assert_false(hub->out.slot[1].lock);
    assert_false(hub->state.slot[1].live);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_free(hub);
}

static void test_gun_error_in_a_long_normal_stop_is_not_delayed(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->image.slot[1].gun_ma.valid = false; /* nobody knows what flows */
    hub->image.slot[1].module[0].current_ma.valid = false;
    hub->request.slot[1].gc = false;
    hub_run(hub, 9500);
    assert_true(hub->out.slot[1].gc);
    hub_set(hub, &hub->image.slot[1].lock, 0);
    hub_tick(hub, 5000);
    hub_run(hub, 995); /* across the 10 s of the normal stop */
    assert_true(hub->out.slot[1].gc);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

static void test_gun_current_that_does_not_fall_is_an_overcurrent(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 50000);
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[1].gun_ma, 10000);
    hub->request.slot[1].gc = false;
    hub_run(hub, 6000);
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub->state.slot[1].contactor[CONTACTOR_GC].loaded_operations, 1);
    hub_free(hub);
}

static void test_gun_stale_meter_huge_module_currents_do_not_overflow(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 0);
    hub->own_module_ma[1] = true;
    hub->image.slot[1].gun_ma.valid = false;
    hub->image.slot[1].module[0].current_ma.value = INT32_MAX;
    hub->image.slot[1].module[1].current_ma.value = INT32_MIN;
    hub->request.slot[1].gc = false;
    hub_run(hub, 50);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gun_cable_check_dead_closes),
        cmocka_unit_test(test_gun_cable_check_just_below_60_v_closes),
        cmocka_unit_test(test_gun_cable_check_bus_at_60_v_refused),
        cmocka_unit_test(test_gun_cable_check_inlet_at_60_v_refused),
        cmocka_unit_test(test_gun_cable_check_unknown_voltage_refused),
        cmocka_unit_test(test_gun_closes_in_no_other_stage),
        cmocka_unit_test(test_gun_precharge_within_20_v_closes),
        cmocka_unit_test(test_gun_precharge_beyond_20_v_refused),
        cmocka_unit_test(test_gun_precharge_stale_voltage_refused),
        cmocka_unit_test(test_gun_precharge_above_i_cc_refused),
        cmocka_unit_test(test_gun_unlocked_refused),
        cmocka_unit_test(test_gun_stale_lock_refused),
        cmocka_unit_test(test_gun_pilot_outside_c_and_d_refused),
        cmocka_unit_test(test_gun_stale_pilot_refused_and_emergency),
        cmocka_unit_test(test_gun_pilot_lost_zero_and_open_in_the_same_step),
        cmocka_unit_test(test_gun_pilot_b_with_open_gc_is_no_fault),
        cmocka_unit_test(test_gun_lock_lost_while_charging_error_stop),
        cmocka_unit_test(test_gun_normal_stop_waits_for_5_a),
        cmocka_unit_test(test_gun_normal_stop_negative_current_counts),
        cmocka_unit_test(test_gun_normal_stop_commanded_current_counts),
        cmocka_unit_test(test_gun_stale_meter_module_sum_opens),
        cmocka_unit_test(test_gun_unknown_current_error_after_10_s),
        cmocka_unit_test(test_gun_normal_stop_without_sequencer_ramps_100_a_per_s),
        cmocka_unit_test(test_gun_error_stop_opens_within_1_s_whatever_flows),
        cmocka_unit_test(test_gun_error_stop_current_zero_before_it_opens),
        cmocka_unit_test(test_gun_error_stop_never_rises_again),
        cmocka_unit_test(test_gun_request_of_emergency_opens_at_once),
        cmocka_unit_test(test_gun_request_of_nonsense_stop_is_ignored),
        cmocka_unit_test(test_gun_welding_detection_opens),
        cmocka_unit_test(test_gun_power_off_stage_keeps_gc_until_asked),
        cmocka_unit_test(test_lock_held_while_inlet_at_60_v),
        cmocka_unit_test(test_lock_held_while_gc_not_confirmed_open),
        cmocka_unit_test(test_lock_held_while_one_pole_closed),
        cmocka_unit_test(test_lock_held_while_voltage_unknown),
        cmocka_unit_test(test_lock_engaged_by_feedback_is_held_although_never_asked),
        cmocka_unit_test(test_lock_unknown_at_boot_is_held_when_somebody_may_be_plugged),
        cmocka_unit_test(test_lock_open_by_feedback_is_not_driven),
        cmocka_unit_test(test_weld_check_gun_follows_bus_for_3_s_latches),
        cmocka_unit_test(test_weld_check_gun_falls_no_weld),
        cmocka_unit_test(test_weld_check_gun_held_by_vehicle_no_weld),
        cmocka_unit_test(test_weld_verdict_in_the_step_that_leaves_the_check_counts),
        cmocka_unit_test(test_weld_clears_only_dead_and_by_a_person),
        cmocka_unit_test(test_charging_without_insulation_monitor_error_stop),
        cmocka_unit_test(test_charging_insulation_monitor_switched_off_error_stop),
        cmocka_unit_test(test_gun_opens_and_closes_again_not_within_t_open),
        cmocka_unit_test(test_slot_without_gun_gets_nothing),
        cmocka_unit_test(test_gun_error_in_a_long_normal_stop_is_not_delayed),
        cmocka_unit_test(test_gun_current_that_does_not_fall_is_an_overcurrent),
        cmocka_unit_test(test_gun_stale_meter_huge_module_currents_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
