/* S1, S4, S7 to S11, S14: the safety chain, communication, planner, over-voltage, temperature. */
#include "tests/unit/rt/interlock/hub.h"

/* S1 */
static void test_safety_chain_open_stops_its_slot(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[0].safety_ok, 0);
    hub_tick(hub, 5000);
    hub_assert_all_off(hub, 0);
    assert_true(hub->out.slot[1].gc);
    assert_false(hub->out.slot[0].force_all_off);
    hub_set(hub, &hub->image.slot[0].safety_ok, 1);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE); /* does not latch */
    hub_free(hub);
}

static void test_safety_chain_stale_after_500_ms(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    const int64_t last_us = hub->image.slot[0].safety_ok.at_us;
    hub->now_us = last_us + 500000;
    hub_refresh(hub);
    hub->image.slot[0].safety_ok.at_us = last_us;
    hub_step(hub);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub->now_us += 1;
    hub_step(hub);
    assert_true(hub->state.slot[0].faults & BIT(SAFETY_CHAIN));
    hub_free(hub);
}

static void test_plc_reasons(void **state) {
    (void)state;
    const struct {
        uint8_t reason;
        uint64_t fault;
    } expected[] = {{1, BIT(SAFETY_CHAIN)}, {2, BIT(SAFETY_CHAIN)},  {3, BIT(SAFETY_CHAIN)},
                    {4, BIT(ESTOP)},        {5, BIT(PLC_INTERNAL)},  {6, BIT(PLC_INTERNAL)},
                    {7, BIT(PLC_INTERNAL)}, {8, BIT(PLC_INTERNAL)},  {9, BIT(PLC_INTERNAL)},
                    {10, BIT(EARTH_FAULT)}, {11, BIT(SAFETY_CHAIN)}, {12, BIT(ESTOP)},
                    {99, BIT(PLC_INTERNAL)}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub_charging(hub, 0, 400000, 10000);
        hub->image.slot[0].plc_fault_reason = expected[i].reason;
        hub_tick(hub, 5000);
        assert_int_equal(hub->state.slot[0].faults, expected[i].fault);
        hub_assert_all_off(hub, 0);
        hub_free(hub);
    }
}

static void test_earth_fault_latches(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_set(hub, &hub->image.slot[0].earth_fault, 1);
    hub_tick(hub, 5000);
    hub_assert_all_off(hub, 0);
    assert_true(hub->out.slot[0].force_all_off);
    hub->in.clear_faults[0] = BIT(EARTH_FAULT);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(EARTH_FAULT)); /* cause present */
    hub_set(hub, &hub->image.slot[0].earth_fault, 0);
    hub->in.clear_faults[0] = 0;
    hub_run(hub, 50);
    assert_true(hub->state.slot[0].latched & BIT(EARTH_FAULT));
    hub->in.clear_faults[0] = BIT(EARTH_FAULT);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

/* S4 */
static void test_plc_silent_for_more_than_300_ms(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_all_charging(hub);
    hub->silent[0] = true;
    hub_run(hub, 300);
    assert_true(hub->out.slot[0].gc);
    assert_false(hub->state.slot[0].faults & BIT(PLC_LOST));
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(PLC_LOST));
    hub_assert_all_off(hub, 0);
    assert_true(hub->out.slot[0].send);
    assert_true(hub->out.slot[1].gc);
    /* heard again: in service without an operator */
    hub->silent[0] = false;
    hub->request.slot[0] = (struct request_slot){0};
    hub_run(hub, 50);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub_free(hub);
}

/* S14 */
static void test_communication_faults(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].plc_comm_fault = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(PLC_COMM));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    hub->image.slot[0].plc_comm_fault = false;
    hub->image.slot[0].plc_reports_comm_fault = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(PLC_COMM));
    hub->image.slot[0].plc_reports_comm_fault = false;
    hub->image.slot[0].plc_ack_fault = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(PLC_ACK));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_EMERGENCY);
    assert_int_equal(hub->state.slot[0].latched, 0); /* the session's latch is the driver's */
    assert_true(hub->out.slot[0].force_all_off);
    assert_true(hub->out.slot[0].send);
    hub->image.slot[0].plc_ack_fault = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    assert_true(hub->out.slot[0].permit);
    hub_free(hub);
}

static void test_contactor_frames_withheld_in_bus_off_and_crc_mode_fault(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].interface_down = true;
    hub->image.slot[1].plc_crc_mode_fault = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].send);
    assert_true(hub->state.slot[0].faults & BIT(BUS_OFF));
    assert_false(hub->out.slot[1].send);
    assert_true(hub->state.slot[1].faults & BIT(PLC_CRC_MODE));
    assert_true(hub->out.slot[2].send);
    hub_free(hub);
}

static void test_refused_parameter_normal_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].config_refused = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NORMAL);
    hub_free(hub);
}

/* S8 */
static void test_late_plan_closes_nothing_and_raises_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[1].gc = true;
    hub->in.plan_age_us = 150001;
    hub_ask(hub, 0, 410000, 20000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_S8, 1));
    assert_in_range(hub_sum_ma(hub, 0), 19500, 20000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 400000);
    hub_ask(hub, 0, 390000, 5000); /* down is free */
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 10000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 390000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub->in.plan_age_us = 150000;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

/* A request that goes on asking for the old current does not get it. */
static void test_late_plan_ramps_to_zero_by_itself(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 20000);
    hub->in.plan_age_us = 150001;
    hub_run(hub, 5);
    assert_in_range(hub_sum_ma(hub, 0), 39000, 40000);
    hub_run(hub, 100);
    assert_in_range(hub_sum_ma(hub, 0), 29400, 30100); /* 100 A/s */
    hub_run(hub, 305);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    assert_true(hub->out.slot[0].gc);
    assert_true(hub_noted(hub, RULE_S8, 0));
    hub->in.plan_age_us = 50000; /* back in time: up again as the request asks */
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 0), 40000);
    hub->in.plan_age_us = 150001; /* and the next ramp begins anew */
    hub_run(hub, 55);
    assert_in_range(hub_sum_ma(hub, 0), 34400, 35100);
    hub_free(hub);
}

static void test_late_plan_gives_an_idle_bus_no_current(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->request.slot[0].purpose = POWER_PURPOSE_WELD_TEST;
    hub_ask(hub, 0, 0, 0);
    hub_run(hub, 20);
    hub_ask(hub, 0, 200000, 1000);
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub->in.plan_age_us = 150001;
    hub_run(hub, 10);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_late_plan_starts_no_module(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->in.plan_age_us = 150001;
    hub_ask(hub, 0, 400000, 1000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].module[0].run);
    assert_true(hub_noted(hub, RULE_S8, 0));
    hub_free(hub);
}

static void test_no_plan_yet_is_late(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->in.plan_age_us = INT64_MAX;
    hub_tick(hub, 5000);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        assert_int_equal(hub->state.slot[slot].faults, BIT(PLANNER_LATE));
    }
    hub->in.plan_age_us = 1000000;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

/* S10 */
static struct hub *at_voltage(int32_t ev_max_mv, int32_t bus_mv, int32_t gun_mv) {
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[0].max_voltage_mv = 1500000;
    hub_charging(hub, 0, 400000, 10000);
    hub_set(hub, &hub->image.slot[0].ev_max_mv, ev_max_mv);
    hub_voltage(hub, 0, bus_mv, gun_mv);
    return hub;
}

static void test_overvoltage_table(void **state) {
    (void)state;
    const struct {
        int32_t negotiated_mv, limit_mv;
    } rows[] = {{400000, 550000},   {500000, 550000},  {500001, 825000},  {750000, 825000},
                {750001, 935000},   {850000, 935000},  {850001, 1100000}, {1000000, 1100000},
                {1000001, 1100001}, {1200000, 1320000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
        struct hub *hub = at_voltage(rows[i].negotiated_mv, rows[i].limit_mv, 0);
        hub_run(hub, 50);
        assert_false(hub->state.slot[0].faults & BIT(OVERVOLTAGE_EMERGENCY));
        hub_voltage(hub, 0, rows[i].limit_mv + 1, 0);
        hub_tick(hub, 5000);
        hub_tick(hub, 8999);
        assert_false(hub->state.slot[0].faults & BIT(OVERVOLTAGE_EMERGENCY));
        hub_tick(hub, 1); /* 9 ms */
        assert_true(hub->state.slot[0].latched & BIT(OVERVOLTAGE_EMERGENCY));
        hub_assert_all_off(hub, 0);
        hub_free(hub);
    }
}

static void test_overvoltage_shorter_than_9_ms_is_nothing(void **state) {
    (void)state;
    struct hub *hub = at_voltage(500000, 550001, 0);
    hub_tick(hub, 5000);
    hub_voltage(hub, 0, 400000, 400000);
    hub_tick(hub, 5000);
    hub_voltage(hub, 0, 550001, 0);
    hub_tick(hub, 5000);
    hub_tick(hub, 8000);
    assert_false(hub->state.slot[0].faults & BIT(OVERVOLTAGE_EMERGENCY));
    hub_free(hub);
}

static void test_overvoltage_at_the_gun_counts_too(void **state) {
    (void)state;
    struct hub *hub = at_voltage(500000, 400000, 550001);
    hub_run(hub, 20);
    assert_true(hub->state.slot[0].latched & BIT(OVERVOLTAGE_EMERGENCY));
    hub_free(hub);
    hub = at_voltage(500000, 550001, 400000);
    hub->image.slot[0].bus_mv.valid = false; /* unknown is not a reading */
    hub_run(hub, 20);
    assert_false(hub->state.slot[0].latched & BIT(OVERVOLTAGE_EMERGENCY));
    hub_free(hub);
}

static void test_above_the_maximum_for_400_ms_error_then_emergency(void **state) {
    (void)state;
    struct hub *hub = at_voltage(400000, 405001, 0); /* 5 V of measuring margin */
    hub->own_gun_ma[0] = true;
    hub_tick(hub, 5000);
    hub_run(hub, 395);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(OVERVOLTAGE));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

static void test_above_the_maximum_for_2500_ms_is_an_emergency(void **state) {
    (void)state;
    struct hub *hub = at_voltage(400000, 405001, 0);
    hub->request.slot[0].stop = STOP_CLASS_NONE;
    hub->state.slot[0].overvoltage_since_us = hub->now_us + 5000 - 2499999;
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[0].faults & BIT(OVERVOLTAGE_EMERGENCY));
    hub_tick(hub, 1);
    assert_true(hub->state.slot[0].faults & BIT(OVERVOLTAGE_EMERGENCY));
    hub_free(hub);
}

static void test_at_the_maximum_with_margin_is_fine(void **state) {
    (void)state;
    struct hub *hub = at_voltage(400000, 405000, 405000);
    hub_run(hub, 3000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_cable_check_voltage_is_no_overvoltage(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 400000); /* test voltage 450 V, 10 V of band */
    hub_voltage(hub, 0, 460000, 460000);
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_voltage(hub, 0, 460001, 460001);
    hub_run(hub, 410);
    assert_true(hub->state.slot[0].faults & BIT(OVERVOLTAGE));
    hub_free(hub);
}

/* 850 V: the test voltage of 935 V is the table's limit too; its band of 10 V is still the test's. */
static void test_cable_check_at_the_tables_limit_is_no_emergency(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[0].max_voltage_mv = 1000000;
    hub_cable_check(hub, 0, 850000);
    hub_voltage(hub, 0, 935100, 945000);
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_voltage(hub, 0, 945001, 945001);
    hub_run(hub, 20);
    assert_true(hub->state.slot[0].latched & BIT(OVERVOLTAGE_EMERGENCY));
    hub_free(hub);
}

static void test_voltage_unmeasured_for_400_ms_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->image.slot[0].bus_mv.valid = false; /* SlotSense says: not valid */
    hub_run(hub, 500);
    assert_int_equal(hub->state.slot[0].faults, 0); /* the gun's own is there */
    hub->image.slot[0].gun_mv.valid = false;
    hub_tick(hub, 5000);
    hub_run(hub, 395);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(VOLTAGE_UNKNOWN));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    hub_run(hub, 1100);
    assert_false(hub->out.slot[0].gc);
    assert_true(hub->out.slot[0].lock); /* G5: nobody knows that the inlet is dead */
    hub_free(hub);
}

static void test_voltage_unmeasured_with_open_gc_is_not_judged(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].bus_mv.valid = false;
    hub->image.slot[0].gun_mv.valid = false;
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_overvoltage_with_open_gc_is_not_judged(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_PRECHARGE);
    hub_voltage(hub, 0, 560000, 0);
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_connector_below_the_vehicles_maximum_bounds_the_cable_check(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[0].max_voltage_mv = 450000;
    hub_cable_check(hub, 0, 500000);
    hub_voltage(hub, 0, 505000, 505000); /* above the connector's, not the vehicle's maximum + 0 */
    hub_run(hub, 410);
    assert_true(hub->state.slot[0].faults & BIT(OVERVOLTAGE));
    hub_voltage(hub, 0, 500000, 500000);
    hub_free(hub);
}

/* S11 */
static struct hub *hot(int32_t plus_ddegc, int32_t minus_ddegc) {
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[0].max_current_ma = 100000;
    hub->config.connector[0].cable_max_current_ma = 100000;
    hub_charging(hub, 0, 300000, 50000);
    hub_set(hub, &hub->image.slot[0].pin_plus_ddegc, plus_ddegc);
    hub_set(hub, &hub->image.slot[0].pin_minus_ddegc, minus_ddegc);
    hub_tick(hub, 5000);
    hub_run(hub, 1500); /* the ramp has time */
    return hub;
}

static void test_temperature_derates_linearly_from_80_to_90(void **state) {
    (void)state;
    const struct {
        int32_t ddegc, permille, sum_ma;
    } rows[] = {{800, 1000, 100000}, {801, 990, 99000}, {850, 500, 50000}, {899, 10, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
        struct hub *hub = hot(rows[i].ddegc, 250);
        assert_int_equal(hub->state.slot[0].derate_permille, rows[i].permille);
        assert_int_equal(hub_sum_ma(hub, 0), rows[i].sum_ma);
        assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
        hub_free(hub);
        hub = hot(250, rows[i].ddegc); /* the hotter pin counts */
        assert_int_equal(hub->state.slot[0].derate_permille, rows[i].permille);
        hub_free(hub);
    }
}

static void test_temperature_90_stops_and_returns_below_85(void **state) {
    (void)state;
    struct hub *hub = hot(900, 250);
    assert_true(hub->state.slot[0].faults & BIT(TEMPERATURE));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_false(hub->out.slot[0].gc);
    hub_set(hub, &hub->image.slot[0].pin_plus_ddegc, 850);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(TEMPERATURE));
    assert_int_equal(hub->state.slot[0].derate_permille, 0);
    hub_set(hub, &hub->image.slot[0].pin_plus_ddegc, 849);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_hot_cable_counts_where_fitted(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_set(hub, &hub->image.slot[0].cable_ddegc, 900);
    hub_tick(hub, 0);
    assert_true(hub->state.slot[0].faults & BIT(TEMPERATURE));
    hub_free(hub);
}

static void test_broken_sensor_fallback_then_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 300000, 50000);
    assert_int_equal(hub_sum_ma(hub, 0), 100000);
    hub->image.slot[0].pin_minus_ddegc.valid = false;
    hub_run(hub, 2000);
    assert_true(hub->state.slot[0].sensor_broken);
    assert_int_equal(hub_sum_ma(hub, 0), 50000); /* I_fallback */
    hub_run(hub, 28000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    hub_run(hub, 10); /* 30 s */
    assert_true(hub->state.slot[0].faults & BIT(TEMPERATURE_SENSOR));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NORMAL);
    hub_free(hub);
}

static void test_both_sensors_silent_is_broken_not_cold(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].pin_plus_ddegc.valid = false;
    hub->image.slot[0].pin_minus_ddegc.valid = false;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].sensor_broken);
    assert_int_equal(hub->state.slot[0].derate_permille, 1000);
    hub_free(hub);
}

/* S7 */
static void test_meter_silent_for_12_s_normal_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    const int64_t last_us = hub->image.slot[0].meter.at_us;
    hub->now_us = last_us + 12000000;
    hub_refresh(hub);
    hub->image.slot[0].meter.at_us = last_us;
    hub_step(hub);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub->now_us += 1;
    hub_step(hub);
    assert_int_equal(hub->state.slot[0].faults, BIT(METER_STALE));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NORMAL);
    hub_free(hub);
}

static void test_targets_silent_for_2_s_normal_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->image.slot[0].ev_target_ma.valid = false;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(EV_TARGETS_STALE));
    hub_stage(hub, 0, HLC_STAGE_POWER_OFF);
    hub->request.slot[0].gc = false;
    hub_run(hub, 2000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_stale_targets_current_to_zero_by_the_ramp(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->image.slot[0].ev_target_ma.value = 20000;
    hub_tick(hub, 5000);
    const int64_t last_us = hub->now_us;
    for (int i = 0; i < 100; ++i) { /* exactly 500 ms old: still followed */
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[0].ev_target_ma.at_us = last_us;
        hub_step(hub);
    }
    for (int i = 0; i < 10; ++i) {
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[0].ev_target_ma.at_us = last_us;
        hub_step(hub);
    }
    assert_in_range(hub_sum_ma(hub, 0), 9990, 10000); /* 50 ms at 200 A/s from 20 A */
    hub_free(hub);
}

/* M4's fault, G2's short circuit */
static void test_overcurrent_for_1_s_error_stop(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 50000); /* 100 A commanded; 5 A or 5 % more are measuring error */
    hub->own_gun_ma[0] = true;
    hub_set(hub, &hub->image.slot[0].gun_ma, 105000);
    hub_run(hub, 3000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_set(hub, &hub->image.slot[0].gun_ma, 105001);
    hub_tick(hub, 5000);
    hub_run(hub, 995);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, BIT(OVERCURRENT));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    hub_free(hub);
}

static void test_current_that_lags_a_ramp_is_no_overcurrent(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 50000);
    hub->own_gun_ma[0] = true;
    for (int i = 0; i < 200; ++i) { /* 100 A/s down, the meter 300 ms behind */
        const int32_t set = 50000 - i * 250;
        hub_ask(hub, 0, 400000, set);
        hub_set(hub, &hub->image.slot[0].gun_ma, set * 2 + 30000);
        hub_tick(hub, 5000);
        assert_int_equal(hub->state.slot[0].faults, 0);
    }
    hub_free(hub);
}

static void test_small_currents_get_5_a_of_margin(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 1000);
    hub->own_gun_ma[0] = true;
    hub_set(hub, &hub->image.slot[0].gun_ma, 7000);
    hub_run(hub, 3000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_free(hub);
}

static void test_short_circuit_in_the_cable_check(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->own_gun_ma[0] = true;
    hub_voltage(hub, 0, 59999, 59999);
    hub_set(hub, &hub->image.slot[0].gun_ma, 999);
    hub_run(hub, 2000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_set(hub, &hub->image.slot[0].gun_ma, 1000); /* half of I_cc flows, no voltage */
    hub_tick(hub, 5000);
    hub_run(hub, 995);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(CABLE_SHORT));
    hub_assert_all_off(hub, 0);
    hub_free(hub);
}

static void test_charging_the_cable_is_no_short(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->own_gun_ma[0] = true;
    hub_set(hub, &hub->image.slot[0].gun_ma, 1500);
    hub_voltage(hub, 0, 30000, 30000);
    hub_run(hub, 900);
    hub_voltage(hub, 0, 60000, 60000);
    hub_run(hub, 900);
    assert_int_equal(hub->state.slot[0].faults, 0);
    hub->image.slot[0].bus_mv.valid = false; /* unknown voltage is no evidence */
    hub_run(hub, 1500);
    assert_false(hub->state.slot[0].faults & BIT(CABLE_SHORT));
    hub_free(hub);
}

static void test_more_than_5_a_in_the_cable_check_is_a_short_at_any_voltage(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->own_gun_ma[0] = true;
    hub_voltage(hub, 0, 400000, 400000);
    hub_set(hub, &hub->image.slot[0].gun_ma, 5001);
    hub_run(hub, 1010);
    assert_true(hub->state.slot[0].latched & BIT(CABLE_SHORT));
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safety_chain_open_stops_its_slot),
        cmocka_unit_test(test_safety_chain_stale_after_500_ms),
        cmocka_unit_test(test_plc_reasons),
        cmocka_unit_test(test_earth_fault_latches),
        cmocka_unit_test(test_plc_silent_for_more_than_300_ms),
        cmocka_unit_test(test_communication_faults),
        cmocka_unit_test(test_contactor_frames_withheld_in_bus_off_and_crc_mode_fault),
        cmocka_unit_test(test_refused_parameter_normal_stop),
        cmocka_unit_test(test_late_plan_closes_nothing_and_raises_nothing),
        cmocka_unit_test(test_late_plan_starts_no_module),
        cmocka_unit_test(test_no_plan_yet_is_late),
        cmocka_unit_test(test_overvoltage_table),
        cmocka_unit_test(test_overvoltage_shorter_than_9_ms_is_nothing),
        cmocka_unit_test(test_overvoltage_at_the_gun_counts_too),
        cmocka_unit_test(test_above_the_maximum_for_400_ms_error_then_emergency),
        cmocka_unit_test(test_above_the_maximum_for_2500_ms_is_an_emergency),
        cmocka_unit_test(test_at_the_maximum_with_margin_is_fine),
        cmocka_unit_test(test_cable_check_voltage_is_no_overvoltage),
        cmocka_unit_test(test_cable_check_at_the_tables_limit_is_no_emergency),
        cmocka_unit_test(test_overvoltage_with_open_gc_is_not_judged),
        cmocka_unit_test(test_voltage_unmeasured_for_400_ms_error_stop),
        cmocka_unit_test(test_voltage_unmeasured_with_open_gc_is_not_judged),
        cmocka_unit_test(test_connector_below_the_vehicles_maximum_bounds_the_cable_check),
        cmocka_unit_test(test_temperature_derates_linearly_from_80_to_90),
        cmocka_unit_test(test_temperature_90_stops_and_returns_below_85),
        cmocka_unit_test(test_hot_cable_counts_where_fitted),
        cmocka_unit_test(test_broken_sensor_fallback_then_stop),
        cmocka_unit_test(test_both_sensors_silent_is_broken_not_cold),
        cmocka_unit_test(test_meter_silent_for_12_s_normal_stop),
        cmocka_unit_test(test_targets_silent_for_2_s_normal_stop),
        cmocka_unit_test(test_stale_targets_current_to_zero_by_the_ramp),
        cmocka_unit_test(test_overcurrent_for_1_s_error_stop),
        cmocka_unit_test(test_current_that_lags_a_ramp_is_no_overcurrent),
        cmocka_unit_test(test_small_currents_get_5_a_of_margin),
        cmocka_unit_test(test_short_circuit_in_the_cable_check),
        cmocka_unit_test(test_charging_the_cable_is_no_short),
        cmocka_unit_test(test_more_than_5_a_in_the_cable_check_is_a_short_at_any_voltage),
        cmocka_unit_test(test_late_plan_ramps_to_zero_by_itself),
        cmocka_unit_test(test_late_plan_gives_an_idle_bus_no_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
