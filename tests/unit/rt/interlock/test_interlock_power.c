/* M4, M5, S12, S13: current and voltage of an island, power of the site. */
#include "tests/unit/rt/interlock/hub.h"

static struct hub *charging(int32_t mv, int32_t ma_each) {
    struct hub *hub = hub_ready(3, 2);
    hub->config.connector[0].max_power_w = 1000000;
    hub->config.connector[0].max_current_ma = 500000;
    hub->config.connector[0].cable_max_current_ma = 500000;
    hub_charging(hub, 0, mv, ma_each);
    return hub;
}

/* M4 */
static void test_current_within_each_bound(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    assert_int_equal(hub_sum_ma(hub, 0), 100000);
    struct config_connector *connector = &hub->config.connector[0];
    connector->cable_max_current_ma = 99000;
    hub_run(hub, 100);
    assert_int_equal(hub_sum_ma(hub, 0), 99000);
    assert_true(hub_noted(hub, RULE_M4, 0));
    connector->max_current_ma = 98000;
    hub_run(hub, 100);
    assert_int_equal(hub_sum_ma(hub, 0), 98000);
    hub_set(hub, &hub->image.slot[0].ev_max_ma, 97000);
    hub_run(hub, 100);
    assert_int_equal(hub_sum_ma(hub, 0), 97000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 96000);
    hub_run(hub, 100);
    assert_int_equal(hub_sum_ma(hub, 0), 96000);
    connector->max_power_w = 28500; /* at 300 V: 95 A */
    hub_run(hub, 5);
    assert_int_equal(hub_sum_ma(hub, 0), 95000);
    hub_free(hub);
}

static void test_vehicle_without_current_maximum_is_bound_by_its_target(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub->image.slot[0].ev_max_ma.valid = false;
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 99500);
    hub_run(hub, 50);
    assert_int_equal(hub_sum_ma(hub, 0), 99500);
    hub_free(hub);
}

static void test_negative_vehicle_limits_give_nothing(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 5000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, -1);
    hub_run(hub, 300);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
    hub = charging(300000, 5000);
    hub_set(hub, &hub->image.slot[0].ev_max_ma, -1);
    hub_run(hub, 300);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_target_is_followed_down_by_the_error_ramp(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 50000);
    hub_run(hub, 125);
    assert_int_equal(hub_sum_ma(hub, 0), 75000); /* 200 A/s */
    hub_run(hub, 500);
    assert_int_equal(hub_sum_ma(hub, 0), 50000);
    hub_free(hub);
}

/* Not a matter of seconds where much flows: 400 A at 200 A/s would take 2 s. */
static void test_target_lowered_from_a_large_current_is_reached_within_600_ms(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 100000);
    hub->config.connector[0].max_current_ma = 500000;
    hub->config.connector[0].cable_max_current_ma = 500000;
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 500000);
    hub_set(hub, &hub->image.slot[0].ev_max_ma, 500000);
    hub_run(hub, 20);
    assert_int_equal(hub_sum_ma(hub, 0), 200000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 0);
    hub_run(hub, 300);
    assert_in_range(hub_sum_ma(hub, 0), 1, 101000);
    hub_run(hub, 305);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_ramp_does_not_depend_on_how_often_it_is_looked_at(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 49999);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 10000);
    for (int i = 0; i < 50000; ++i) { /* 7 us, so that a step is worth 1.4 mA */
        hub->now_us += 7;
        if (i % 700 == 0) {
            hub_refresh(hub);
        }
        hub_step(hub);
    }
    assert_in_range(hub_sum_ma(hub, 0), 99998 - 70000 - 700, 99998 - 70000 + 700);
    hub_free(hub);
}

static void test_target_rises_at_once(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 60000);
    hub_run(hub, 1000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 90000);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 90000);
    hub_free(hub);
}

static void test_at_most_2_a_until_power_is_ready(void **state) {
    (void)state;
    const enum hlc_stage stages[] = {HLC_STAGE_CABLE_CHECK, HLC_STAGE_PRECHARGE,
                                     HLC_STAGE_POWER_DELIVERY};
    for (size_t i = 0; i < 3; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub_cable_check(hub, 0, 500000);
        hub_set(hub, &hub->image.slot[0].ev_target_ma, 100000);
        hub_stage(hub, 0, stages[i]);
        hub->image.slot[0].precharge_active = true;
        hub_ask(hub, 0, 400000, 30000);
        hub_run(hub, 50);
        assert_int_equal(hub_sum_ma(hub, 0), 2000);
        hub_free(hub);
    }
}

static void test_power_is_ready_in_power_delivery_when_all_agree(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    struct image_slot *image = &hub->image.slot[0];
    hub_stage(hub, 0, HLC_STAGE_POWER_DELIVERY);
    hub_run(hub, 50);
    assert_true(hub->state.slot[0].charge);
    assert_int_equal(hub_sum_ma(hub, 0), 100000);
    image->precharge_active = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    image->precharge_active = false;
    image->auth_granted = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    image->auth_granted = true;
    image->cable_check_ok = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    image->cable_check_ok = true;
    hub->config.plc.hlc_power_ready_stage = HLC_STAGE_CURRENT_DEMAND;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub->config.plc.hlc_power_ready_stage = HLC_STAGE_POWER_DELIVERY;
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 100000);
    hub_free(hub);
}

static void test_complete_charge_ramps_to_zero(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 20000);
    hub->image.slot[0].charge_complete = true;
    hub_run(hub, 100);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_run(hub, 105);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    assert_false(hub->state.slot[0].charge);
    hub_free(hub);
}

static void test_power_off_stage_ramps_to_zero(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 20000);
    hub_stage(hub, 0, HLC_STAGE_POWER_OFF);
    hub_run(hub, 405);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    hub_free(hub);
}

static void test_silent_module_counts_with_its_last_current(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 100000);
    hub->module_silent[0][0] = true;
    hub_run(hub, 2005);
    assert_false(hub->out.slot[0].module[0].run);
    hub_ask(hub, 0, 300000, 90000); /* the other one may not take over yet */
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 50000);
    hub_run(hub, 500); /* its MN opens */
    assert_false(hub->out.slot[0].module[0].mn);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 50000);
    hub_run(hub, 150); /* confirmed open */
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 90000);
    hub_free(hub);
}

static void test_silent_module_behind_a_stuck_mn_counts_for_15_s(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 100000);
    hub->module_silent[0][0] = true;
    hub->contactor[0][CONTACTOR_MN0] = STAYS_CLOSED;
    const int64_t last_us = hub->now_us;
    hub_run(hub, 2005);
    hub_ask(hub, 0, 300000, 90000);
    while (hub->now_us < last_us + 15 * SECOND) {
        hub_tick(hub, 5000);
        assert_true(hub->out.slot[0].module[1].set_ma <= 50000);
    }
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 90000);
    hub_free(hub);
}

static void test_held_current_beyond_the_budget_leaves_zero(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 50000);
    hub->module_silent[0][0] = true;
    hub_run(hub, 2005);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 30000);
    hub_run(hub, 500);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 0);
    hub_free(hub);
}

static void test_cut_is_shared_in_proportion(void **state) {
    (void)state;
    struct hub *hub = charging(300000, 0);
    hub_set(hub, &hub->image.slot[0].ev_target_ma, 60000);
    hub->request.slot[0].module[0].set_ma = 90000;
    hub->request.slot[0].module[1].set_ma = 30000;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 45000);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 15000);
    hub_free(hub);
}

/* M5 */
static void test_voltage_at_most_the_vehicles_maximum(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    hub_ask(hub, 0, 500001, 1000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 500000);
    assert_true(hub_noted(hub, RULE_M5, 0));
    hub_free(hub);
}

static void test_voltage_at_most_the_connectors_and_the_modules(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    hub->config.connector[0].max_voltage_mv = 450000;
    hub_ask(hub, 0, 500000, 1000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 450000);
    hub->config.slot[0].module[0].max_voltage_mv = 420000;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 420000);
    assert_int_equal(hub->out.slot[0].module[1].set_mv, 420000); /* equal on the island */
    hub_free(hub);
}

static void test_unknown_maximum_gives_no_voltage(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    hub->image.slot[0].ev_max_mv.valid = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 0);
    hub->image.slot[0].ev_max_mv.valid = true;
    hub->image.slot[0].ev_max_mv.value = -1;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 0);
    hub_free(hub);
}

static void test_maximum_of_the_last_vehicle_does_not_count(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    const int64_t old_us = hub->now_us;
    hub->request.slot[0].gc = false;
    hub_set(hub, &hub->image.slot[0].cp_state, CP_STATE_A);
    hub_run(hub, 200);
    hub_set(hub, &hub->image.slot[0].cp_state, CP_STATE_C);
    hub_tick(hub, 5000);
    hub->image.slot[0].ev_max_mv.at_us = old_us;
    hub_stage(hub, 0, HLC_STAGE_CABLE_CHECK);
    hub_voltage(hub, 0, 0, 0);
    hub->request.slot[0].gc = true;
    for (int i = 0; i < 50; ++i) {
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[0].ev_max_mv.at_us = old_us;
        hub_step(hub);
        assert_int_equal(hub->out.slot[0].module[0].set_mv, 0);
    }
    assert_true(hub->out.slot[0].gc);
    hub_free(hub);
}

static void test_cable_check_voltage_formula(void **state) {
    (void)state;
    const struct {
        int32_t ev_max_mv, evse_max_mv, expected_mv;
    } rows[] = {{400000, 1000000, 450000},  {450000, 1000000, 500000}, {480000, 1000000, 500000},
                {500000, 1000000, 500000},  {500001, 1000000, 550001}, {800000, 1000000, 880000},
                {920000, 1000000, 1000000}, {400000, 430000, 430000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub->config.connector[0].max_voltage_mv = rows[i].evse_max_mv;
        hub->config.slot[0].module[0].max_voltage_mv = 1000000;
        hub->config.slot[0].module[1].max_voltage_mv = 1000000;
        hub_cable_check(hub, 0, rows[i].ev_max_mv);
        hub_ask(hub, 0, 1000000, 1000);
        hub_tick(hub, 5000);
        assert_int_equal(hub->out.slot[0].module[0].set_mv, rows[i].expected_mv);
        hub_free(hub);
    }
}

static void test_voltages_one_volt_apart_stay(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    hub->request.slot[0].module[0].set_mv = 400000;
    hub->request.slot[0].module[1].set_mv = 401000;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[1].set_mv, 401000);
    hub->request.slot[0].module[1].set_mv = 401001;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 400000);
    assert_int_equal(hub->out.slot[0].module[1].set_mv, 400000);
    hub_free(hub);
}

static void test_module_about_to_join_keeps_its_own_voltage(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 10000);
    hub->own_module_ma[0] = true;
    hub->image.slot[0].module[0].current_ma.value = 0;
    hub->request.slot[0].module[0] = (struct request_module){false, false, 0, 0};
    hub_run(hub, 200);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->request.slot[0].module[0] = (struct request_module){true, false, 395000, 0};
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 395000);
    assert_int_equal(hub->out.slot[0].module[1].set_mv, 400000);
    hub_free(hub);
}

static void test_idle_bus_bounded_by_the_vehicle_in_the_bay(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_ask(hub, 0, 0, 0);
    hub_run(hub, 20);
    hub->config.connector[0].max_voltage_mv = 900000;
    hub->request.slot[0].purpose = POWER_PURPOSE_WELD_TEST;
    hub_ask(hub, 0, 950000, 1000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 900000);
    hub_vehicle(hub, 0, 420000, HLC_STAGE_WELDING_DETECTION);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 420000);
    hub_set(hub, &hub->image.slot[0].ev_max_mv, 990000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 900000);
    hub_free(hub);
}

static void test_idle_bus_of_a_slot_without_gun(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[0].gun = -1;
    hub->config.slot[0].module[0].max_voltage_mv = 1000000;
    hub->config.slot[0].module[1].max_voltage_mv = 1000000;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub_run(hub, 500);
    hub_ask(hub, 0, 0, 0);
    hub_run(hub, 20);
    hub->request.slot[0].purpose = POWER_PURPOSE_SELF_TEST;
    hub_ask(hub, 0, 1000000, 1000);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 1000000);
    assert_int_equal(hub_sum_ma(hub, 0), 2000);
    hub_free(hub);
}

static void test_idle_joined_busses_take_the_lower_bound(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 1);
    for (uint32_t slot = 0; slot < 4; ++slot) {
        hub_ask(hub, slot, 0, 0);
        hub->request.slot[slot].purpose = POWER_PURPOSE_SELF_TEST;
    }
    hub_run(hub, 20);
    hub->config.connector[1].max_voltage_mv = 700000;
    hub->config.connector[2].max_voltage_mv = 600000;
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED; /* 1 and 2, for one sample */
    hub_ask(hub, 1, 800000, 1500);
    hub_ask(hub, 2, 800000, 1500);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[1].module[0].set_mv, 600000);
    assert_int_equal(hub->out.slot[2].module[0].set_mv, 600000);
    assert_int_equal(hub_sum_ma(hub, 1) + hub_sum_ma(hub, 2), 2000); /* one I_cc for both */
    hub_free(hub);
}

/* S12, S13. 95 % efficiency as configured here. */
static struct hub *site(int64_t limit_w) {
    struct hub *hub = hub_ready(3, 2);
    hub->config.modules.efficiency_permille = 950;
    for (uint32_t slot = 0; slot < 2; ++slot) {
        hub->config.connector[slot].max_power_w = 1000000;
        hub->config.connector[slot].max_current_ma = 500000;
        hub->config.connector[slot].cable_max_current_ma = 500000;
    }
    hub->in.site_limit_w = limit_w;
    return hub;
}

static void test_site_books_hold_input_power(void **state) {
    (void)state;
    struct hub *hub = site(1000000);
    hub_charging(hub, 0, 400000, 47500); /* 2 x 19 kW out, 2 x 20 kW in */
    assert_int_equal(hub->state.committed_w, 40000);
    hub_free(hub);
}

static void test_site_limit_cuts_in_the_same_step_in_proportion(void **state) {
    (void)state;
    struct hub *hub = site(1000000);
    hub_charging(hub, 0, 400000, 47500); /* 40 kW at the input */
    hub_charging(hub, 1, 400000, 23750); /* 20 kW */
    assert_int_equal(hub->state.committed_w, 60000);
    hub->in.site_limit_w = 30000;
    hub_tick(hub, 5000);
    assert_in_range(hub_sum_ma(hub, 0), 47490, 47500); /* halved */
    assert_in_range(hub_sum_ma(hub, 1), 23740, 23750);
    assert_true(hub_noted(hub, RULE_S12, 0));
    assert_true(hub_noted(hub, RULE_S12, 1));
    hub_free(hub);
}

static void test_site_limit_zero_or_negative_gives_nothing(void **state) {
    (void)state;
    const int64_t limits[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < 3; ++i) {
        struct hub *hub = site(1000000);
        hub_charging(hub, 0, 400000, 10000);
        hub->in.site_limit_w = limits[i];
        hub_tick(hub, 5000);
        assert_int_equal(hub_sum_ma(hub, 0), 0);
        assert_true(hub->out.slot[0].gc);
        hub_free(hub);
    }
}

static void test_site_limit_huge_is_no_overflow(void **state) {
    (void)state;
    struct hub *hub = site(INT64_MAX);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

static void test_raise_only_into_the_headroom(void **state) {
    (void)state;
    struct hub *hub = site(60000);
    hub_charging(hub, 0, 400000, 47500); /* 40 kW */
    hub_charging(hub, 1, 400000, 0);
    hub_ask(hub, 1, 400000, 47500); /* wants 40 kW where 20 are left */
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 95000); /* nobody else is cut */
    assert_in_range(hub_sum_ma(hub, 1), 47480, 47500);
    assert_true(hub_noted(hub, RULE_S13, 1));
    assert_true(hub->state.committed_w <= 60000);
    hub_free(hub);
}

static void test_raise_waits_until_the_decrease_is_measured(void **state) {
    (void)state;
    struct hub *hub = site(60000);
    hub_charging(hub, 0, 400000, 47500);
    hub_charging(hub, 1, 400000, 23750); /* full: 60 kW */
    hub->own_module_ma[0] = true;
    hub_ask(hub, 0, 400000, 0);
    hub_ask(hub, 1, 400000, 47500);
    hub_run(hub, 50); /* slot 0 still delivers what it delivered */
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    assert_in_range(hub_sum_ma(hub, 1), 47480, 47500);
    assert_int_equal(hub->state.committed_w, 60000);
    for (uint32_t m = 0; m < 2; ++m) {
        hub->image.slot[0].module[m].current_ma.value = 23750; /* half of it is gone */
    }
    hub_tick(hub, 5000);
    assert_in_range(hub_sum_ma(hub, 1), 94900, 95000);
    hub_free(hub);
}

static void test_unmeasured_decrease_stays_on_the_books(void **state) {
    (void)state;
    struct hub *hub = site(60000);
    hub_charging(hub, 0, 400000, 47500);
    hub_charging(hub, 1, 400000, 23750);
    hub->image.slot[0].module[0].current_ma.valid = false;
    hub->image.slot[0].module[1].current_ma.valid = false;
    hub_ask(hub, 0, 400000, 0);
    hub_ask(hub, 1, 400000, 47500);
    hub_run(hub, 3000);
    assert_in_range(hub_sum_ma(hub, 1), 47480, 47500);
    hub_free(hub);
}

static void test_measured_above_commanded_counts(void **state) {
    (void)state;
    struct hub *hub = site(60000);
    hub_charging(hub, 0, 400000, 40000);
    hub_charging(hub, 1, 400000, 0);
    hub->own_module_ma[0] = true;
    for (uint32_t m = 0; m < 2; ++m) {
        hub->image.slot[0].module[m].current_ma.value = 47500;
        hub->image.slot[0].module[m].voltage_mv.value = 400000;
    }
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.committed_w, 40000);
    hub_free(hub);
}

static void test_measured_without_voltage_uses_the_setpoint(void **state) {
    (void)state;
    struct hub *hub = site(60000);
    hub_charging(hub, 0, 400000, 40000);
    hub->own_module_ma[0] = true;
    for (uint32_t m = 0; m < 2; ++m) {
        hub->image.slot[0].module[m].current_ma.value = 47500;
        hub->image.slot[0].module[m].voltage_mv.valid = false;
    }
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.committed_w, 40000);
    hub_free(hub);
}

static void test_measured_nonsense_counts_as_the_nameplate(void **state) {
    (void)state;
    struct hub *hub = site(1000000);
    hub_charging(hub, 0, 400000, 10000);
    hub->own_module_ma[0] = true;
    hub->image.slot[0].module[0].current_ma.value = INT32_MAX;
    hub->image.slot[0].module[1].current_ma.value = -50000; /* backwards is nothing */
    hub_tick(hub, 5000);
    /* 30 kW and 4 kW out at 95 % */
    assert_int_equal(hub->state.committed_w, 35790);
    hub_free(hub);
}

static void test_silent_module_stays_on_the_site_books(void **state) {
    (void)state;
    struct hub *hub = site(40000);
    hub_charging(hub, 0, 400000, 47500); /* 40 kW: the limit */
    hub->module_silent[0][0] = true;
    hub->contactor[0][CONTACTOR_MN0] = STAYS_CLOSED;
    hub_run(hub, 2010);
    assert_int_equal(hub->state.committed_w, 40000);
    hub->in.site_limit_w = 30000; /* only the one that obeys can be cut: 20 kW held, 10 left */
    hub_tick(hub, 5000);
    assert_in_range(hub->out.slot[0].module[1].set_ma, 23740, 23750);
    hub->in.site_limit_w = 10000;
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 0);
    hub_free(hub);
}

static void test_voltage_raise_counts_as_a_raise(void **state) {
    (void)state;
    struct hub *hub = site(40000);
    hub_charging(hub, 0, 400000, 47500);
    hub_ask(hub, 0, 440000, 47500);
    hub_tick(hub, 5000);
    assert_int_equal(hub->out.slot[0].module[0].set_mv, 440000);
    assert_in_range(hub_sum_ma(hub, 0), 86300, 86364); /* same 38 kW */
    hub_free(hub);
}

static void test_off_since_and_on_since(void **state) {
    (void)state;
    struct hub *hub = charging(400000, 1000);
    assert_true(hub->state.slot[0].module[0].run);
    hub->request.slot[0].module[0].run = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].module[0].off_since_us, hub->now_us);
    const int64_t off_us = hub->now_us;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].module[0].off_since_us, off_us);
    hub->request.slot[0].module[0].run = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].module[0].on_since_us, hub->now_us);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_current_within_each_bound),
        cmocka_unit_test(test_vehicle_without_current_maximum_is_bound_by_its_target),
        cmocka_unit_test(test_negative_vehicle_limits_give_nothing),
        cmocka_unit_test(test_target_is_followed_down_by_the_error_ramp),
        cmocka_unit_test(test_target_lowered_from_a_large_current_is_reached_within_600_ms),
        cmocka_unit_test(test_ramp_does_not_depend_on_how_often_it_is_looked_at),
        cmocka_unit_test(test_target_rises_at_once),
        cmocka_unit_test(test_at_most_2_a_until_power_is_ready),
        cmocka_unit_test(test_power_is_ready_in_power_delivery_when_all_agree),
        cmocka_unit_test(test_complete_charge_ramps_to_zero),
        cmocka_unit_test(test_power_off_stage_ramps_to_zero),
        cmocka_unit_test(test_silent_module_counts_with_its_last_current),
        cmocka_unit_test(test_silent_module_behind_a_stuck_mn_counts_for_15_s),
        cmocka_unit_test(test_held_current_beyond_the_budget_leaves_zero),
        cmocka_unit_test(test_cut_is_shared_in_proportion),
        cmocka_unit_test(test_voltage_at_most_the_vehicles_maximum),
        cmocka_unit_test(test_voltage_at_most_the_connectors_and_the_modules),
        cmocka_unit_test(test_unknown_maximum_gives_no_voltage),
        cmocka_unit_test(test_maximum_of_the_last_vehicle_does_not_count),
        cmocka_unit_test(test_cable_check_voltage_formula),
        cmocka_unit_test(test_voltages_one_volt_apart_stay),
        cmocka_unit_test(test_module_about_to_join_keeps_its_own_voltage),
        cmocka_unit_test(test_idle_bus_bounded_by_the_vehicle_in_the_bay),
        cmocka_unit_test(test_idle_bus_of_a_slot_without_gun),
        cmocka_unit_test(test_idle_joined_busses_take_the_lower_bound),
        cmocka_unit_test(test_site_books_hold_input_power),
        cmocka_unit_test(test_site_limit_cuts_in_the_same_step_in_proportion),
        cmocka_unit_test(test_site_limit_zero_or_negative_gives_nothing),
        cmocka_unit_test(test_site_limit_huge_is_no_overflow),
        cmocka_unit_test(test_raise_only_into_the_headroom),
        cmocka_unit_test(test_raise_waits_until_the_decrease_is_measured),
        cmocka_unit_test(test_unmeasured_decrease_stays_on_the_books),
        cmocka_unit_test(test_measured_above_commanded_counts),
        cmocka_unit_test(test_measured_without_voltage_uses_the_setpoint),
        cmocka_unit_test(test_measured_nonsense_counts_as_the_nameplate),
        cmocka_unit_test(test_silent_module_stays_on_the_site_books),
        cmocka_unit_test(test_voltage_raise_counts_as_a_raise),
        cmocka_unit_test(test_off_since_and_on_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
