/* N1 to N5 and the cable check's share of G2. */
#include "tests/unit/rt/interlock/hub.h"

static void self_test(struct hub *hub, uint32_t slot, uint8_t result, enum imd_state imd) {
    hub->image.slot[slot].imd_self_test = result;
    hub_set(hub, &hub->image.slot[slot].imd, (int32_t)imd);
    hub_tick(hub, 5000);
}

/* GC closed, MN closed, monitor enabled: the self-test may begin. */
static struct hub *checking(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->request.slot[0].imd_enable = true;
    hub->request.slot[0].purpose = POWER_PURPOSE_SERVE;
    hub->image.slot[0].imd_enabled = true;
    hub_ask(hub, 0, 0, 0);
    hub_run(hub, 20);
    assert_true(hub->out.slot[0].gc);
    return hub;
}

static void test_passes_after_a_test_seen_running(void **state) {
    (void)state;
    struct hub *hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    assert_false(hub->state.slot[0].imd_passed);
    hub->image.slot[0].cable_check_ok = true;
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_true(hub->state.slot[0].imd_passed);
    assert_int_equal(hub->state.slot[0].imd_failures, 0);
    hub_free(hub);
}

static void test_an_old_pass_does_not_count(void **state) {
    (void)state;
    struct hub *hub = checking();
    hub->image.slot[0].cable_check_ok = true;
    self_test(hub, 0, 2, IMD_STATE_OK); /* the last session's */
    hub_run(hub, 100);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

static void test_pass_needs_the_plc_the_monitor_and_the_resistance(void **state) {
    (void)state;
    struct hub *hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_false(hub->state.slot[0].imd_passed); /* CABLE_CHECK_OK missing */
    hub->image.slot[0].cable_check_ok = true;
    hub->image.slot[0].insulation_ohm.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[0].imd_passed);
    hub->image.slot[0].insulation_ohm.valid = true;
    hub_stage(hub, 0, HLC_STAGE_CHARGE_PARAMETERS);
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[0].imd_passed); /* not in the cable check */
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

static void test_pass_needs_exactly_100_kohm(void **state) {
    (void)state;
    struct hub *hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub->image.slot[0].cable_check_ok = true;
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 100000);
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_true(hub->state.slot[0].imd_passed);
    hub_free(hub);
    hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub->image.slot[0].cable_check_ok = true;
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 99999);
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_false(hub->state.slot[0].imd_passed);
    assert_true(hub->state.slot[0].faults & BIT(IMD_LOW));
    assert_int_equal(hub->state.slot[0].imd_failures, 1);
    hub_free(hub);
}

static void test_resistance_before_and_during_the_test_tells_nothing(void **state) {
    (void)state;
    struct hub *hub = checking();
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 100);
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[0].faults, 0);
    self_test(hub, 0, 1, IMD_STATE_TEST); /* the test simulates a fault */
    assert_int_equal(hub->state.slot[0].faults, 0);
    self_test(hub, 0, 1, IMD_STATE_FAULT);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_failed_self_test_error_stop(void **state) {
    (void)state;
    struct hub *hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    self_test(hub, 0, 3, IMD_STATE_OK);
    assert_true(hub->state.slot[0].faults & BIT(IMD_SELF_TEST));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

static void test_a_new_test_forgets_the_pass(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    assert_true(hub->state.slot[0].imd_passed);
    self_test(hub, 0, 1, IMD_STATE_TEST);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

static void test_opening_gc_forgets_the_pass(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->request.slot[0].gc = false;
    hub_run(hub, 10);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

/* N2 */
static void test_no_current_without_a_pass(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub->state.slot[0].imd_passed = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    assert_true(hub_noted(hub, RULE_N2, 0));
    hub_free(hub);
}

/* N3 */
/* IMD_OK 0 and FAULT 0: the monitor has no verdict, yet its reading is below the limit. */
static void test_low_resistance_while_charging_counts_without_a_verdict(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->image.slot[0].imd.value = IMD_STATE_TEST;
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub->image.slot[0].insulation_ohm.value = 99999;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(IMD_LOW));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    hub_free(hub);
}

/* Not for ever: a monitor that reaches no verdict watches nothing. */
static void test_monitor_without_a_verdict_for_1_s_while_charging(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_charging(hub, 1, 400000, 10000);
    hub->image.slot[0].imd.value = IMD_STATE_TEST;
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub->image.slot[0].imd.value = IMD_STATE_OK; /* a verdict ends the wait */
    hub_tick(hub, 5000);
    hub->image.slot[0].imd.value = IMD_STATE_TEST;
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(IMD_STALE));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_free(hub);
}

static void test_low_resistance_while_charging_stops_this_gun_only(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_charging(hub, 1, 400000, 10000);
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 99999);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(IMD_LOW));
    assert_true(hub->state.slot[0].latched & BIT(IMD_LOW));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_true(hub_noted(hub, RULE_N3, 0));
    hub_run(hub, 1000);
    assert_false(hub->out.slot[0].gc);
    assert_true(hub->out.slot[1].gc);
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_free(hub);
}

static void test_100_kohm_while_charging_is_fine(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 100000);
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_monitor_fault_while_charging(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_FAULT);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(IMD_FAULT));
    hub_free(hub);
}

static void stale_imd(struct hub *hub, int64_t age_us) {
    const int64_t last_us = hub->image.slot[0].imd.at_us;
    hub->now_us = last_us + age_us;
    hub_refresh(hub);
    hub->image.slot[0].imd.at_us = last_us;
    hub_step(hub);
}

static void test_monitor_silent_for_more_than_1_s(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    stale_imd(hub, 1000000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
    hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    stale_imd(hub, 1000001);
    assert_true(hub->state.slot[0].faults & BIT(IMD_STALE));
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

static void test_monitor_silent_in_precharge(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    hub->image.slot[0].imd.valid = false;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(IMD_STALE));
    hub_free(hub);
}

static void test_silent_monitor_with_open_gc_is_no_fault(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].imd.valid = false;
    hub->image.slot[0].insulation_ohm.value = 0;
    hub_run(hub, 2000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

/* N5 */
static void fail_once(struct hub *hub) {
    hub->request.slot[0].gc = true;
    hub->image.slot[0].cable_check_ok = false;
    hub->image.slot[0].imd_self_test = 0;
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 1000000);
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_OK);
    hub_run(hub, 20);
    assert_true(hub->out.slot[0].gc);
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 50000);
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_true(hub->state.slot[0].faults & BIT(IMD_LOW));
    hub->request.slot[0].gc = false;
    hub_run(hub, 300);
    assert_false(hub->state.slot[0].faults & BIT(IMD_LOW));
    assert_true(hub->state.slot[0].latched & BIT(IMD_LOW));
}

static void test_latched_insulation_fault_allows_a_new_cable_check_that_clears_it(void **state) {
    (void)state;
    struct hub *hub = checking();
    fail_once(hub);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    assert_int_equal(hub->state.slot[0].imd_failures, 1);
    hub->image.slot[0].imd_self_test = 0;
    hub->request.slot[0].gc = true;
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 1000000);
    hub_run(hub, 20);
    assert_true(hub->out.slot[0].gc);
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub->image.slot[0].cable_check_ok = true;
    assert_true(hub->state.slot[0].latched & BIT(IMD_LOW));
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_int_equal(hub->state.slot[0].latched, 0);
    assert_int_equal(hub->state.slot[0].imd_failures, 0);
    hub_free(hub);
}

static void test_three_failures_in_a_row_out_of_service(void **state) {
    (void)state;
    struct hub *hub = checking();
    fail_once(hub);
    fail_once(hub);
    assert_false(hub->state.slot[0].latched & BIT(IMD_REPEATED));
    fail_once(hub);
    assert_true(hub->state.slot[0].latched & BIT(IMD_REPEATED));
    assert_false(hub->out.slot[0].permit);
    hub->request.slot[0].gc = true;
    hub_run(hub, 200);
    assert_false(hub->out.slot[0].gc);
    hub->request.slot[0].gc = false;
    assert_false(hub->state.slot[0].faults & BIT(IMD_REPEATED));
    hub->in.clear_faults[0] = BIT(IMD_REPEATED);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].imd_failures, 0);
    assert_true(hub->out.slot[0].permit);
    hub_free(hub);
}

static void test_one_check_counts_once_and_the_count_saturates(void **state) {
    (void)state;
    struct hub *hub = checking();
    hub->config.interlock.imd_fail_max = 1000;
    hub->state.slot[0].imd_failures = 254;
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub_set(hub, &hub->image.slot[0].insulation_ohm, 50000);
    self_test(hub, 0, 2, IMD_STATE_OK);
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[0].imd_failures, 255);
    hub->state.slot[0].imd_failed = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].imd_failures, 255);
    hub_free(hub);
}

/* N1 */
static void test_monitor_enabled_on_request(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->request.slot[2].imd_enable = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[2].imd_enable);
    assert_false(hub->out.slot[0].imd_enable);
    hub_free(hub);
}

static void test_monitor_of_an_energised_gun_is_enabled_unasked(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->request.slot[0].imd_enable = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].imd_enable);
    assert_true(hub_noted(hub, RULE_N1, 0));
    hub_voltage(hub, 0, 60000, 60000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].imd_enable);
    hub_free(hub);
}

/* A bus that stands after the session is watched although nobody asks, GC open or not. */
static void test_monitor_of_a_live_bus_with_open_gc_is_enabled_unasked(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_voltage(hub, 1, 60001, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->out.slot[1].imd_enable);
    assert_true(hub_noted(hub, RULE_N1, 1));
    assert_false(hub->out.slot[0].imd_enable);
    hub_voltage(hub, 1, 60000, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].imd_enable);
    hub_free(hub);
}

static void test_one_monitor_per_component(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED;
    for (uint32_t slot = 0; slot < 4; ++slot) {
        hub->request.slot[slot].imd_enable = true;
    }
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].imd_enable);
    assert_true(hub->out.slot[1].imd_enable);
    assert_false(hub->out.slot[2].imd_enable);
    assert_true(hub_noted(hub, RULE_N1, 2));
    assert_true(hub->out.slot[3].imd_enable);
    hub_free(hub);
}

static void test_monitor_of_the_closed_gun_comes_first(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_charging(hub, 2, 400000, 0);
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED; /* alone on it: an error stop, not at once */
    hub->own_gun_ma[2] = true;
    hub_set(hub, &hub->image.slot[2].gun_ma, 50000);
    hub->request.slot[1].imd_enable = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[2].gc);
    assert_true(hub->out.slot[2].imd_enable);
    assert_false(hub->out.slot[1].imd_enable);
    hub_free(hub);
}

static void test_self_test_command_only_in_the_cable_check_or_dead(void **state) {
    (void)state;
    struct hub *hub = checking();
    hub->request.slot[0].imd_self_test = true;
    hub->request.slot[1].imd_self_test = true;
    hub->request.slot[1].imd_enable = true;
    hub->request.slot[2].imd_self_test = true; /* not enabled */
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].imd_self_test);
    assert_true(hub->out.slot[1].imd_self_test); /* idle and dead */
    assert_false(hub->out.slot[2].imd_self_test);
    assert_true(hub_noted(hub, RULE_N2, 2));
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    hub_voltage(hub, 1, 0, 400000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].imd_self_test);
    assert_false(hub->out.slot[1].imd_self_test);
    hub_stage(hub, 1, HLC_STAGE_CABLE_CHECK); /* GC open: not this gun's cable check */
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].imd_self_test);
    hub_free(hub);
}

/* N4 */
static void test_gun_closes_not_while_the_monitor_tests(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->image.slot[0].imd_self_test = 1;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc);
    assert_true(hub_noted(hub, RULE_N4, 0));
    hub->image.slot[0].imd_self_test = 0;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].gc);
    hub_free(hub);
}

static void test_no_pass_with_an_unsound_or_silent_monitor(void **state) {
    (void)state;
    const enum imd_state values[] = {IMD_STATE_OFF, IMD_STATE_TEST, IMD_STATE_FAULT};
    for (size_t i = 0; i < 3; ++i) {
        struct hub *hub = checking();
        self_test(hub, 0, 1, IMD_STATE_TEST);
        hub->image.slot[0].cable_check_ok = true;
        self_test(hub, 0, 2, values[i]);
        assert_false(hub->state.slot[0].imd_passed);
        hub_free(hub);
    }
    struct hub *hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub->image.slot[0].cable_check_ok = true;
    hub->image.slot[0].imd.valid = false;
    hub->image.slot[0].imd_self_test = 2;
    hub->image.slot[0].imd.value = IMD_STATE_OK;
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
    hub = checking();
    self_test(hub, 0, 1, IMD_STATE_TEST);
    hub->image.slot[0].cable_check_ok = true;
    hub->image.slot[0].insulation_ohm.valid = false;
    self_test(hub, 0, 2, IMD_STATE_OK);
    assert_false(hub->state.slot[0].imd_passed);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_after_a_test_seen_running),
        cmocka_unit_test(test_an_old_pass_does_not_count),
        cmocka_unit_test(test_pass_needs_the_plc_the_monitor_and_the_resistance),
        cmocka_unit_test(test_pass_needs_exactly_100_kohm),
        cmocka_unit_test(test_resistance_before_and_during_the_test_tells_nothing),
        cmocka_unit_test(test_failed_self_test_error_stop),
        cmocka_unit_test(test_a_new_test_forgets_the_pass),
        cmocka_unit_test(test_opening_gc_forgets_the_pass),
        cmocka_unit_test(test_no_current_without_a_pass),
        cmocka_unit_test(test_low_resistance_while_charging_counts_without_a_verdict),
        cmocka_unit_test(test_low_resistance_while_charging_stops_this_gun_only),
        cmocka_unit_test(test_100_kohm_while_charging_is_fine),
        cmocka_unit_test(test_monitor_fault_while_charging),
        cmocka_unit_test(test_monitor_silent_for_more_than_1_s),
        cmocka_unit_test(test_monitor_silent_in_precharge),
        cmocka_unit_test(test_silent_monitor_with_open_gc_is_no_fault),
        cmocka_unit_test(test_latched_insulation_fault_allows_a_new_cable_check_that_clears_it),
        cmocka_unit_test(test_three_failures_in_a_row_out_of_service),
        cmocka_unit_test(test_one_check_counts_once_and_the_count_saturates),
        cmocka_unit_test(test_monitor_enabled_on_request),
        cmocka_unit_test(test_monitor_of_an_energised_gun_is_enabled_unasked),
        cmocka_unit_test(test_one_monitor_per_component),
        cmocka_unit_test(test_monitor_of_the_closed_gun_comes_first),
        cmocka_unit_test(test_self_test_command_only_in_the_cable_check_or_dead),
        cmocka_unit_test(test_gun_closes_not_while_the_monitor_tests),
        cmocka_unit_test(test_no_pass_with_an_unsound_or_silent_monitor),
        cmocka_unit_test(test_monitor_of_a_live_bus_with_open_gc_is_enabled_unasked),
        cmocka_unit_test(test_monitor_without_a_verdict_for_1_s_while_charging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
