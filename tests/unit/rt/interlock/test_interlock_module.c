/* M1 to M3, M6, M7: modules and their contactors. */
#include "tests/unit/rt/interlock/hub.h"

/* GC closed for the cable check, module contactors still open. */
static struct hub *before_modules(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->request.slot[0].purpose = POWER_PURPOSE_SERVE;
    hub_run(hub, 20);
    hub->own_module_mv[0] = true;
    hub->own_module_ma[0] = true;
    hub->own_gun_ma[0] = true;
    return hub;
}

static void want_mn(struct hub *hub, bool closed) {
    hub->request.slot[0].module[0].mn = closed;
}

static void module_mv(struct hub *hub, int32_t mv) {
    hub_set(hub, &hub->image.slot[0].module[0].voltage_mv, mv);
}

static void test_mn_dead_on_both_sides_closes(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 59999, 0);
    module_mv(hub, 59999);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    assert_false(hub->out.slot[0].module[1].mn);
    hub_free(hub);
}

static void test_mn_live_bus_idle_module_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 60000, 60000);
    module_mv(hub, 0);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_M1, 0));
    hub_free(hub);
}

static void test_mn_dead_bus_live_module_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    module_mv(hub, 60000);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void run_open(struct hub *hub, int32_t set_mv) {
    hub->request.slot[0].module[0].run = true;
    hub->request.slot[0].module[0].set_mv = set_mv;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].run);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 0);
    hub_run(hub, 150);
}

static void test_mn_module_at_bus_voltage_within_10_v_closes(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 400000, 400000);
    run_open(hub, 400000);
    module_mv(hub, 390000);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MN0].close_dv_mv, 10000);
    hub_free(hub);
}

static void test_mn_module_beyond_10_v_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 400000, 400000);
    run_open(hub, 400000);
    module_mv(hub, 389999);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    module_mv(hub, 410001);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_module_told_another_voltage_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 400000, 400000);
    run_open(hub, 389999); /* reads equal, but is told to leave */
    module_mv(hub, 400000);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_dead_but_told_to_run_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    run_open(hub, 400000);
    module_mv(hub, 0);
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn); /* it will rise while MN moves */
    hub_free(hub);
}

static void test_mn_reading_from_before_the_start_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub_voltage(hub, 0, 400000, 400000);
    module_mv(hub, 400000);
    hub->request.slot[0].module[0].run = true;
    hub->request.slot[0].module[0].set_mv = 400000;
    hub_tick(hub, 5000); /* told to run in this step */
    const int64_t told_us = hub->now_us;
    want_mn(hub, true);
    hub->now_us += 5000;
    hub_refresh(hub);
    hub->image.slot[0].module[0].voltage_mv.at_us = told_us;
    hub_step(hub);
    assert_false(hub->out.slot[0].module[0].mn);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_unknown_voltages_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    want_mn(hub, true);
    hub->image.slot[0].bus_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->image.slot[0].bus_mv.valid = true;
    hub->image.slot[0].module[0].voltage_mv.valid = false;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->image.slot[0].module[0].voltage_mv.valid = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_reading_late_by_its_own_voltage_refused(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->own_module_ma[0] = true;
    hub->request.slot[0].module[0].mn = false;
    hub->request.slot[0].module[0].run = false;
    hub->image.slot[0].module[0].current_ma.value = 0;
    hub_tick(hub, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    const int64_t left_us = hub->now_us;
    hub->request.slot[0].module[0].run = true;
    hub->request.slot[0].module[0].mn = true;
    for (int i = 0; i < 60; ++i) { /* its reading is from its last moments on the bus */
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[0].module[0].voltage_mv.at_us = left_us + 100000;
        hub_step(hub);
        assert_false(hub->out.slot[0].module[0].mn);
    }
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_contactor_not_known_open_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    hub->contactor[0][CONTACTOR_MN0] = READS_INVALID;
    want_mn(hub, true);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_S7, 0));
    hub_free(hub);
}

static void test_mn_refused_in_stop_late_plan_and_self_test(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    want_mn(hub, true);
    hub->image.slot[0].config_refused = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->image.slot[0].config_refused = false;
    hub->in.plan_age_us = 150001;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_S8, 0));
    hub->in.plan_age_us = 150000;
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_TEST);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_N4, 0));
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_OK);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_of_a_faulty_module_refused(void **state) {
    (void)state;
    struct hub *hub = before_modules();
    want_mn(hub, true);
    hub->image.slot[0].module[0].alarm_bits = MODULE_ALARM_PROTECTION;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->image.slot[0].module[0].alarm_bits = MODULE_ALARM_FAN | MODULE_ALARM_DERATED;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

/* M2 */
static void test_mn_waits_for_1_a_then_opens(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->own_module_ma[0] = true;
    struct request_module *wanted = &hub->request.slot[0].module[0];
    wanted->mn = false;
    hub->image.slot[0].module[0].current_ma.value = 1001;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    assert_false(hub->out.slot[0].module[0].run); /* off, whatever was asked */
    assert_true(hub_noted(hub, RULE_M2, 0));
    hub->image.slot[0].module[0].current_ma.value = 1000;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub->out.slot[0].module[1].mn);
    hub_free(hub);
}

static void test_mn_commanded_current_holds_it_closed(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->own_module_ma[0] = true;
    hub->image.slot[0].module[0].current_ma.value = 0; /* read before it was told 10 A */
    hub->request.slot[0].module[0].mn = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_unknown_current_holds_it_closed(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 0);
    hub->image.slot[0].module[0].current_ma.valid = false;
    hub->request.slot[0].module[0].mn = false;
    hub_run(hub, 100);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_free(hub);
}

static void test_mn_emergency_opens_whatever_flows(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 50000);
    hub_set(hub, &hub->image.slot[0].safety_ok, 0);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MN0].loaded_operations, 0);
    hub_free(hub);
}

static void test_silent_module_off_then_cut_off(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->module_silent[0][0] = true;
    hub_run(hub, 2000); /* exactly T_mod soft */
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_NONE);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 10000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_MODULE_LOST);
    assert_true(hub->state.slot[0].faults & BIT(MODULE_LOST));
    assert_false(hub->out.slot[0].module[0].run);
    assert_true(hub->out.slot[0].module[0].mn); /* it may only have lost its voice */
    hub_run(hub, 495);
    assert_true(hub->out.slot[0].module[0].mn);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_M4, 0));
    assert_true(hub->out.slot[0].gc); /* the other one serves */
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub_free(hub);
}

static void test_no_healthy_module_normal_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].module[0].alarm_bits = MODULE_ALARM_FAULT;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(MODULE_FAULT));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub->image.slot[0].module[1].alarm_bits = MODULE_ALARM_INPUT;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(NO_MODULES));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NORMAL);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_free(hub);
}

/* M3 */
static void test_module_runs_only_behind_a_sure_mn(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->contactor[0][CONTACTOR_MN0] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 0);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 10000);
    assert_true(hub_noted(hub, RULE_M3, 0));
    hub_free(hub);
}

static void test_module_current_only_behind_a_sure_gc(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->contactor[0][CONTACTOR_GC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_serve_only_between_cable_check_and_ramp_down(void **state) {
    (void)state;
    for (int stage = HLC_STAGE_NONE; stage < HLC_STAGE_COUNT; ++stage) {
        struct hub *hub = hub_ready(3, 2);
        hub_charging(hub, 0, 400000, 5000);
        hub_stage(hub, 0, (enum hlc_stage)stage);
        hub_tick(hub, 5000);
        const bool served = stage >= HLC_STAGE_CABLE_CHECK && stage <= HLC_STAGE_POWER_OFF;
        assert_int_equal(hub_sum_ma(hub, 0) > 0, served);
        hub_free(hub);
    }
}

static void test_stale_stage_gives_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 500);
    hub->image.slot[0].hlc_stage.valid = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static struct hub *idle_joined(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_ask(hub, 0, 0, 0);
    hub_run(hub, 20);
    assert_true(hub->out.slot[0].module[0].mn);
    return hub;
}

static void test_purposes_without_vehicle(void **state) {
    (void)state;
    for (int purpose = POWER_PURPOSE_NONE; purpose <= POWER_PURPOSE_COUNT; ++purpose) {
        struct hub *hub = idle_joined();
        hub->request.slot[0].purpose = (enum power_purpose)purpose;
        hub_ask(hub, 0, 300000, 1500);
        hub_tick(hub, 5000);
        const bool delivers = purpose == POWER_PURPOSE_MERGE ||
                              purpose == POWER_PURPOSE_WELD_TEST ||
                              purpose == POWER_PURPOSE_SELF_TEST;
        const bool runs = delivers || purpose == POWER_PURPOSE_SERVE;
        assert_int_equal(hub_sum_ma(hub, 0), delivers ? 2000 : 0); /* I_cc in all */
        assert_int_equal(hub->out.slot[0].module[0].run, runs);
        hub_free(hub);
    }
}

static void test_purpose_beyond_the_enum_gives_nothing(void **state) {
    (void)state;
    struct hub *hub = idle_joined();
    hub->request.slot[0].purpose = (enum power_purpose)77;
    hub_ask(hub, 0, 300000, 1000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].run);
    hub_free(hub);
}

static void test_self_test_needs_every_gc_surely_open(void **state) {
    (void)state;
    struct hub *hub = idle_joined();
    hub->request.slot[0].purpose = POWER_PURPOSE_SELF_TEST;
    hub_ask(hub, 0, 300000, 1000);
    hub->contactor[0][CONTACTOR_GC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub->request.slot[0].purpose = POWER_PURPOSE_MERGE;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_weld_test_needs_gc_told_open_only(void **state) {
    (void)state;
    struct hub *hub = idle_joined();
    hub->request.slot[0].purpose = POWER_PURPOSE_WELD_TEST;
    hub_ask(hub, 0, 300000, 1000);
    hub->contactor[0][CONTACTOR_GC] = POLES_DIFFER; /* that is what it tests */
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub_free(hub);
}

static void test_weld_test_with_closed_gc_gives_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 1000);
    hub->request.slot[0].purpose = POWER_PURPOSE_WELD_TEST;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub->request.slot[0].purpose = POWER_PURPOSE_SELF_TEST;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_serve_with_open_gc_only_in_precharge(void **state) {
    (void)state;
    struct hub *hub = idle_joined();
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].purpose = POWER_PURPOSE_SERVE;
    hub_ask(hub, 0, 300000, 1000);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub_stage(hub, 0, HLC_STAGE_POWER_DELIVERY);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub_stage(hub, 0, HLC_STAGE_CURRENT_DEMAND);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    hub->contactor[0][CONTACTOR_GC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_request_out_of_range_switches_the_module_off(void **state) {
    (void)state;
    const struct request_module bad[] = {{true, true, -1, 1000},
                                         {true, true, 1500001, 1000},
                                         {true, true, 400000, -1},
                                         {true, true, 400000, 1000001},
                                         {true, true, INT32_MIN, INT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub_charging(hub, 0, 400000, 10000);
        hub->request.slot[0].module[0] = bad[i];
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[0].module[0].run);
        assert_int_equal(hub->out.slot[0].module[0].set_ma, 0);
        assert_int_equal(hub->out.slot[0].module[1].set_ma, 10000);
        assert_true(hub_noted(hub, RULE_S7, 0));
        hub_free(hub);
    }
}

/* M6 */
static int32_t granted(int32_t capability_w, int32_t capability_ma, int32_t ddegc, int32_t ask_ma) {
    struct hub *hub = hub_ready(3, 1);
    hub->config.connector[0].max_power_w = 1000000;
    hub->config.slot[0].module[0].rated_w = 30000;
    hub->config.slot[0].module[0].max_current_ma = 100000;
    hub_charging(hub, 0, 400000, 0);
    hub_set(hub, &hub->image.slot[0].module[0].capability_w, capability_w);
    hub_set(hub, &hub->image.slot[0].module[0].capability_ma, capability_ma);
    hub_set(hub, &hub->image.slot[0].module[0].temperature_ddegc, ddegc);
    hub_ask(hub, 0, 400000, ask_ma);
    hub_tick(hub, 5000);
    const int32_t set_ma = hub->out.slot[0].module[0].set_ma;
    hub_free(hub);
    return set_ma;
}

static void test_capability_power_current_and_temperature(void **state) {
    (void)state;
    assert_int_equal(granted(30000, 100000, 400, 75000), 75000); /* 30 kW at 400 V */
    assert_int_equal(granted(30000, 100000, 400, 75001), 75000);
    assert_int_equal(granted(20000, 100000, 400, 75000), 50000);
    assert_int_equal(granted(90000, 100000, 400, 75001), 75000); /* never above its nameplate */
    assert_int_equal(granted(30000, 60000, 400, 75000), 60000);
    assert_int_equal(granted(30000, 100000, 750, 75000), 75000);
    assert_int_equal(granted(30000, 100000, 800, 75000), 37500); /* halfway from 75 to 85 degC */
    assert_int_equal(granted(30000, 100000, 849, 75000), 750);
    assert_int_equal(granted(30000, 100000, 850, 75000), 0);
    assert_int_equal(granted(30000, 100000, 2000, 75000), 0);
    assert_int_equal(granted(-5, 100000, 400, 75000), 0);
    assert_int_equal(granted(30000, -5, 400, 75000), 0);
}

static void test_unknown_temperature_counts_half(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 1);
    hub_charging(hub, 0, 400000, 75000);
    hub->image.slot[0].module[0].temperature_ddegc.valid = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 37500);
    hub_free(hub);
}

static void test_capability_never_told_is_the_nameplate(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 1);
    hub->config.connector[0].max_power_w = 1000000;
    hub->config.slot[0].module[0].max_current_ma = 80000;
    hub->image.slot[0].module[0].capability_w.valid = false;
    hub->image.slot[0].module[0].capability_ma.valid = false;
    hub_charging(hub, 0, 300000, 90000);
    assert_int_equal(hub_sum_ma(hub, 0), 80000);
    assert_int_equal(interlock_capability_w(&hub->config, &hub->image, 0, 0, hub->now_us), 30000);
    hub_set(hub, &hub->image.slot[0].module[0].temperature_ddegc, 800);
    hub_set(hub, &hub->image.slot[0].module[0].capability_w, 20000);
    assert_int_equal(interlock_capability_w(&hub->config, &hub->image, 0, 0, hub->now_us), 10000);
    hub_free(hub);
}

static void test_unknown_module_voltage_uses_the_setpoint(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 1);
    hub->config.connector[0].max_power_w = 1000000;
    hub_charging(hub, 0, 400000, 0);
    hub->image.slot[0].module[0].voltage_mv.valid = false;
    hub_ask(hub, 0, 300000, 100000);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 100000); /* 30 kW at 300 V */
    hub_ask(hub, 0, 500000, 100000);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 60000);
    hub_free(hub);
}

static void test_zero_voltage_setpoint_keeps_the_current_limit(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 1);
    hub_cable_check(hub, 0, 500000);
    hub->request.slot[0].module[0] = (struct request_module){true, true, 0, 2000};
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub_free(hub);
}

/* M7 */
static void test_modules_with_one_address_never_run(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].module[0].interface = hub->config.slot[0].module[1].interface;
    hub->config.slot[1].module[0].address = hub->config.slot[0].module[1].address;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    assert_int_equal(hub->state.rule_hits[RULE_M7], 2);
    assert_true(hub->state.slot[0].module[1].excluded);
    assert_true(hub->state.slot[1].module[0].excluded);
    assert_false(hub->state.slot[0].module[0].excluded);
    hub_run(hub, 500);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 10000);
    assert_false(hub->out.slot[0].module[1].run);
    hub_free(hub);
}

static void test_same_address_on_another_bus_is_fine(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].module[0].address = hub->config.slot[0].module[1].address;
    hub->config.slot[1].module[0].interface =
        (uint8_t)(hub->config.slot[0].module[1].interface + 7);
    interlock_init(&hub->state, &hub->config, hub->now_us);
    assert_int_equal(hub->state.rule_hits[RULE_M7], 0);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mn_dead_on_both_sides_closes),
        cmocka_unit_test(test_mn_live_bus_idle_module_refused),
        cmocka_unit_test(test_mn_dead_bus_live_module_refused),
        cmocka_unit_test(test_mn_module_at_bus_voltage_within_10_v_closes),
        cmocka_unit_test(test_mn_module_beyond_10_v_refused),
        cmocka_unit_test(test_mn_module_told_another_voltage_refused),
        cmocka_unit_test(test_mn_dead_but_told_to_run_refused),
        cmocka_unit_test(test_mn_reading_from_before_the_start_refused),
        cmocka_unit_test(test_mn_unknown_voltages_refused),
        cmocka_unit_test(test_mn_reading_late_by_its_own_voltage_refused),
        cmocka_unit_test(test_mn_contactor_not_known_open_refused),
        cmocka_unit_test(test_mn_refused_in_stop_late_plan_and_self_test),
        cmocka_unit_test(test_mn_of_a_faulty_module_refused),
        cmocka_unit_test(test_mn_waits_for_1_a_then_opens),
        cmocka_unit_test(test_mn_commanded_current_holds_it_closed),
        cmocka_unit_test(test_mn_unknown_current_holds_it_closed),
        cmocka_unit_test(test_mn_emergency_opens_whatever_flows),
        cmocka_unit_test(test_silent_module_off_then_cut_off),
        cmocka_unit_test(test_no_healthy_module_normal_stop),
        cmocka_unit_test(test_module_runs_only_behind_a_sure_mn),
        cmocka_unit_test(test_module_current_only_behind_a_sure_gc),
        cmocka_unit_test(test_serve_only_between_cable_check_and_ramp_down),
        cmocka_unit_test(test_stale_stage_gives_nothing),
        cmocka_unit_test(test_purposes_without_vehicle),
        cmocka_unit_test(test_purpose_beyond_the_enum_gives_nothing),
        cmocka_unit_test(test_self_test_needs_every_gc_surely_open),
        cmocka_unit_test(test_weld_test_needs_gc_told_open_only),
        cmocka_unit_test(test_weld_test_with_closed_gc_gives_nothing),
        cmocka_unit_test(test_serve_with_open_gc_only_in_precharge),
        cmocka_unit_test(test_request_out_of_range_switches_the_module_off),
        cmocka_unit_test(test_capability_power_current_and_temperature),
        cmocka_unit_test(test_unknown_temperature_counts_half),
        cmocka_unit_test(test_capability_never_told_is_the_nameplate),
        cmocka_unit_test(test_unknown_module_voltage_uses_the_setpoint),
        cmocka_unit_test(test_zero_voltage_setpoint_keeps_the_current_limit),
        cmocka_unit_test(test_modules_with_one_address_never_run),
        cmocka_unit_test(test_same_address_on_another_bus_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
