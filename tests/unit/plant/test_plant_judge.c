/* The judge: for every hazard one run that commits it and one that stays just within. */
#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct plant_options fast = {.seed = 11, .handshake = PLANT_HANDSHAKE_FAST};

static void expect_only(const struct host *h, enum plant_hazard_kind kind, uint32_t slot) {
    const struct plant_report r = host_report(h);
    const struct plant_hazard *list;
    const uint32_t count = plant_hazards(h->plant, &list);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].kind != kind) {
            fail_msg("unexpected hazard %s: %s", plant_hazard_name(list[i].kind), list[i].detail);
        }
    }
    assert_int_equal(r.hazards_by_kind[kind], 1);
    assert_int_equal(r.hazards, 1);
    assert_int_equal(list[0].slot, slot);
    assert_true(list[0].at_us > 0 && list[0].detail[0] != 0);
}

static void expect_none(const struct host *h) {
    const struct plant_hazard *list;
    if (plant_hazards(h->plant, &list) > 0) {
        fail_msg("hazard %s: %s", plant_hazard_name(list[0].kind), list[0].detail);
    }
}

/* Slot's bus driven to that voltage behind MN0. */
static void drive_bus(struct host *h, uint32_t slot, double volts, double amps) {
    h->slot[slot].close[2] = true;
    h->slot[slot].imd_enable = true;
    host_run(h, 60);
    h->slot[slot].on[0] = true;
    h->slot[slot].set_v[0] = volts;
    h->slot[slot].set_a[0] = amps;
    host_run(h, 2500);
}

static void plug(struct host *h, uint32_t slot, const char *model) {
    const struct plant_vehicle_wish wish = {
        .model = model, .soc_pct = 30, .target_soc_pct = 90, .stay_s = INFINITY};
    assert_int_equal(plant_plug(h->plant, h->config.connector[h->config.slot[slot].gun].id, &wish),
                     PLANT_OK);
}

static void inject(struct host *h, const char *name, int gun, double value) {
    const struct plant_fault fault = {.gun = gun, .value = value};
    assert_int_equal(plant_inject(h->plant, name, &fault), PLANT_OK);
}

static void test_judge_closed_across_400_v_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 400, 2);
    h->slot[0].on[0] = false;
    host_module_set(h, 0, 0);
    h->slot[0].close[0] = true;
    host_run(h, 100);
    assert_int_equal(host_hazards(h, PLANT_HAZARD_CLOSED_LIVE), 1);
    host_destroy(h);
}

static void test_judge_closed_module_contactor_onto_live_bus_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 400, 2);
    h->slot[0].close[3] = true; /* module 1 is at 0 V */
    host_run(h, 100);
    expect_only(h, PLANT_HAZARD_CLOSED_LIVE, 0);
    host_destroy(h);
}

static void test_judge_closed_across_25_v_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 400, 2);
    h->slot[0].on[1] = true; /* module 1 beside it at 375 V */
    h->slot[0].set_v[1] = 375;
    h->slot[0].set_a[1] = 1;
    host_run(h, 2000);
    h->slot[0].close[3] = true;
    host_run(h, 100);
    assert_true(host_state(h, 0).contactor[CONTACTOR_MN0 + 1]);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_closed_dead_below_60_v_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 55, 2);
    h->slot[0].close[0] = true;
    host_run(h, 100);
    assert_true(host_state(h, 0).contactor[CONTACTOR_GC]);
    assert_int_equal(host_hazards(h, PLANT_HAZARD_CLOSED_LIVE), 0);
    host_destroy(h);
}

static void test_judge_boundary_closed_across_400_v_is_called_when_it_conducts(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 3, 2);
    config.slot[0].has_bc = true; /* a series pair */
    struct host *h = host_create_with(&config, &fast);
    drive_bus(h, 0, 400, 2);
    h->slot[0].close[1] = true;
    host_run(h, 100);
    expect_none(h); /* the first of the pair joins nothing */
    h->slot[0].close[4] = true;
    host_run(h, 100);
    assert_int_equal(host_hazards(h, PLANT_HAZARD_CLOSED_LIVE), 1);
    host_destroy(h);
}

static void test_judge_opened_at_load_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].close[0] = false;
    host_run(h, 100);
    expect_only(h, PLANT_HAZARD_OPENED_LOADED, 0);
    host_destroy(h);
}

static void test_judge_opened_at_8_a_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 4;
    host_run(h, 1000);
    assert_true(host_state(h, 0).gun_a > 7);
    h->slot[0].close[0] = false;
    host_run(h, 100);
    assert_false(host_state(h, 0).contactor[CONTACTOR_GC]);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_opened_by_plc_watchdog_is_excused_and_counted(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].mute = true;
    host_run(h, 500);
    assert_false(host_state(h, 0).contactor[CONTACTOR_GC]);
    expect_none(h);
    assert_true(host_report(h).excused[PLANT_HAZARD_OPENED_LOADED] > 0);
    host_destroy(h);
}

static void test_judge_opened_after_the_hub_stood_still_is_excused_for_two_seconds(void **state) {
    (void)state;
    struct host *h = host_create(2, &fast);
    host_charge(h, 0);
    host_charge(h, 1);
    h->slot[0].serve = h->slot[1].serve = false;
    plant_stood_still(h->plant);
    h->slot[0].close[0] = false;
    host_run(h, 100);
    expect_none(h);
    assert_int_equal(host_report(h).excused[PLANT_HAZARD_OPENED_LOADED], 1);
    host_run(h, 2000);
    h->slot[1].close[0] = false;
    host_run(h, 100);
    expect_only(h, PLANT_HAZARD_OPENED_LOADED, 1);
    host_destroy(h);
}

static void test_judge_opened_elsewhere_during_emergency_is_called(void **state) {
    (void)state;
    struct host *h = host_create(2, &fast);
    host_charge(h, 0);
    host_charge(h, 1);
    h->slot[0].serve = h->slot[1].serve = false;
    h->slot[0].mute = true; /* slot 0's watchdog excuses nothing in slot 1 */
    h->slot[1].close[0] = false;
    host_run(h, 500);
    expect_only(h, PLANT_HAZARD_OPENED_LOADED, 1);
    host_destroy(h);
}

static void join_two(struct host *h, bool second_vehicle) {
    plug(h, 0, "Tesla Model 3");
    plug(h, 1, "Tesla Model 3");
    h->slot[0].close[0] = true;
    h->slot[1].close[0] = second_vehicle;
    host_run(h, 100);
    h->slot[0].close[1] = h->slot[0].close[4] = true;
    host_run(h, 200);
}

static void test_judge_two_vehicles_on_one_bus_is_called(void **state) {
    (void)state;
    struct host *h = host_create(3, &fast);
    join_two(h, true);
    expect_only(h, PLANT_HAZARD_TWO_VEHICLES, 0);
    host_destroy(h);
}

static void test_judge_one_vehicle_on_two_slots_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(3, &fast);
    join_two(h, false);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_unlocked_while_energised_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].lock = false;
    host_run(h, 1500);
    expect_only(h, PLANT_HAZARD_UNLOCKED, 0);
    host_destroy(h);
}

static void test_judge_lock_failure_with_error_stop_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    inject(h, "lock-fail", 1, (double)NAN);
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 0;
    host_run(h, 900);
    h->slot[0].close[0] = h->slot[0].on[0] = h->slot[0].on[1] =
        false; /* open within 1 s, then discharge */
    host_run(h, 4000);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_lock_failure_without_reaction_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    inject(h, "lock-fail", 1, (double)NAN);
    host_run(h, 1500);
    expect_only(h, PLANT_HAZARD_UNLOCKED, 0);
    host_destroy(h);
}

static void test_judge_pilot_lost_and_contactor_kept_closed_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    inject(h, "cp-loss", 1, (double)NAN);
    host_run(h, 300);
    expect_only(h, PLANT_HAZARD_PILOT, 0);
    host_destroy(h);
}

static void test_judge_pilot_lost_and_opened_in_100_ms_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    inject(h, "cp-loss", 1, (double)NAN);
    host_run(h, 85);
    h->slot[0].close[0] = h->slot[0].on[0] = h->slot[0].on[1] = false;
    host_run(h, 4000);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_unplugged_with_live_pins_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    assert_int_equal(plant_unplug(h->plant, 1, false), PLANT_LOCKED);
    assert_int_equal(plant_unplug(h->plant, 1, true), PLANT_OK);
    host_run(h, 300);
    expect_only(h, PLANT_HAZARD_PILOT, 0);
    host_destroy(h);
}

/* Host takes the vehicle to precharge, then sets that voltage while the vehicle's contactor is still open. */
static struct host *precharge_at(double volts) {
    struct host *h = host_create(1, &fast);
    h->slot[0].serve = true;
    plug(h, 0, "Tesla Model 3");
    inject(h, "ev-stage-stall", 1, 0.001);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_PRECHARGE, 20000));
    h->slot[0].serve = false;
    for (unsigned k = 0; k < 2; k++) {
        h->slot[0].on[k] = true;
        h->slot[0].set_v[k] = volts;
        h->slot[0].set_a[k] = 1;
    }
    return h;
}

static void test_judge_above_maximum_for_two_seconds_is_called(void **state) {
    (void)state;
    struct host *h = precharge_at(500);
    host_run(h, 4000);
    assert_true(host_state(h, 0).ev_max_v < 450);
    expect_only(h, PLANT_HAZARD_OVERVOLTAGE, 0);
    host_destroy(h);
}

static void test_judge_above_maximum_for_half_a_second_is_not_called(void **state) {
    (void)state;
    struct host *h = precharge_at(500);
    while (host_state(h, 0).gun_v < host_state(h, 0).ev_max_v * 1.02) {
        host_run(h, 1);
    }
    host_run(h, 500);
    h->slot[0].on[0] = h->slot[0].on[1] = false;
    host_run(h, 3000);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_above_550_v_trips_the_plc_in_10_ms(void **state) {
    (void)state;
    struct host *h = precharge_at(650);
    host_run(h, 4000);
    assert_false(host_state(h, 0).contactor[CONTACTOR_GC]);
    assert_int_equal(host_state(h, 0).plc_fault_reason, 9);
    expect_none(h); /* the electronics were in time */
    host_destroy(h);
}

static struct host *charge_small(double amps_each) {
    struct host *h = host_create(1, &fast);
    h->slot[0].serve = true;
    plug(h, 0, "Dacia Spring");
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_CURRENT_DEMAND, 20000));
    host_run(h, 3000);
    h->slot[0].serve = false;
    h->slot[0].set_v[0] = h->slot[0].set_v[1] = 400;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = amps_each;
    return h;
}

static void test_judge_current_above_maximum_is_called(void **state) {
    (void)state;
    struct host *h = charge_small(95);
    host_run(h, 2500);
    assert_true(host_state(h, 0).ev_max_a <= 150);
    assert_int_equal(host_hazards(h, PLANT_HAZARD_OVERCURRENT), 1);
    host_destroy(h);
}

static void test_judge_current_at_maximum_is_not_called(void **state) {
    (void)state;
    struct host *h = charge_small(10);
    const double half_a = host_state(h, 0).ev_max_a / 2;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = half_a;
    host_run(h, 2500);
    assert_int_equal(host_hazards(h, PLANT_HAZARD_OVERCURRENT), 0);
    assert_true(host_state(h, 0).gun_a > 0.95 * 2 * half_a);
    host_destroy(h);
}

static void close_boundaries(struct host *h, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        h->slot[i].close[1] = h->slot[i].close[4] = true;
    }
    host_run(h, 200);
}

static void test_judge_ring_closed_is_called(void **state) {
    (void)state;
    struct host *h = host_create(4, &fast);
    close_boundaries(h, 4);
    expect_only(h, PLANT_HAZARD_RING_CLOSED, 0);
    host_destroy(h);
}

static void test_judge_ring_with_one_open_boundary_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(4, &fast);
    close_boundaries(h, 3);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_charging_without_monitor_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].imd_enable = false;
    host_run(h, 1200);
    expect_only(h, PLANT_HAZARD_NO_IMD, 0);
    host_destroy(h);
}

static void test_judge_monitor_off_for_half_a_second_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].imd_enable = false;
    host_run(h, 500);
    h->slot[0].imd_enable = true;
    host_run(h, 2000);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_grid_limit_exceeded_is_called(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 1, 2);
    config.grid_limit_w = 20000;
    struct host *h = host_create_with(&config, &fast);
    host_charge(h, 0);
    assert_true(host_report(h).grid_power_w > 20050);
    expect_only(h, PLANT_HAZARD_GRID, UINT32_MAX);
    host_destroy(h);
}

static void test_judge_grid_limit_just_kept_is_not_called(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 1, 2);
    config.grid_limit_w = 63000;
    struct host *h = host_create_with(&config, &fast);
    host_charge(h, 0);
    host_run(h, 5000);
    assert_true(host_report(h).grid_peak_w > 40000);
    expect_none(h);
    host_destroy(h);
}

static void test_judge_bus_driven_with_nobody_is_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 400, 2);
    host_run(h, 6500);
    expect_only(h, PLANT_HAZARD_NOBODY, 0);
    host_destroy(h);
}

static void test_judge_bus_driven_for_4_s_is_not_called(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 0, 400, 2);
    host_run(h, 2000);
    h->slot[0].on[0] = false;
    host_run(h, 8000);
    expect_none(h);
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge_closed_across_400_v_is_called),
        cmocka_unit_test(test_judge_closed_module_contactor_onto_live_bus_is_called),
        cmocka_unit_test(test_judge_closed_across_25_v_is_not_called),
        cmocka_unit_test(test_judge_closed_dead_below_60_v_is_not_called),
        cmocka_unit_test(test_judge_boundary_closed_across_400_v_is_called_when_it_conducts),
        cmocka_unit_test(test_judge_opened_at_load_is_called),
        cmocka_unit_test(test_judge_opened_at_8_a_is_not_called),
        cmocka_unit_test(test_judge_opened_by_plc_watchdog_is_excused_and_counted),
        cmocka_unit_test(test_judge_opened_after_the_hub_stood_still_is_excused_for_two_seconds),
        cmocka_unit_test(test_judge_opened_elsewhere_during_emergency_is_called),
        cmocka_unit_test(test_judge_two_vehicles_on_one_bus_is_called),
        cmocka_unit_test(test_judge_one_vehicle_on_two_slots_is_not_called),
        cmocka_unit_test(test_judge_unlocked_while_energised_is_called),
        cmocka_unit_test(test_judge_lock_failure_with_error_stop_is_not_called),
        cmocka_unit_test(test_judge_lock_failure_without_reaction_is_called),
        cmocka_unit_test(test_judge_pilot_lost_and_contactor_kept_closed_is_called),
        cmocka_unit_test(test_judge_pilot_lost_and_opened_in_100_ms_is_not_called),
        cmocka_unit_test(test_judge_unplugged_with_live_pins_is_called),
        cmocka_unit_test(test_judge_above_maximum_for_two_seconds_is_called),
        cmocka_unit_test(test_judge_above_maximum_for_half_a_second_is_not_called),
        cmocka_unit_test(test_judge_above_550_v_trips_the_plc_in_10_ms),
        cmocka_unit_test(test_judge_current_above_maximum_is_called),
        cmocka_unit_test(test_judge_current_at_maximum_is_not_called),
        cmocka_unit_test(test_judge_ring_closed_is_called),
        cmocka_unit_test(test_judge_ring_with_one_open_boundary_is_not_called),
        cmocka_unit_test(test_judge_charging_without_monitor_is_called),
        cmocka_unit_test(test_judge_monitor_off_for_half_a_second_is_not_called),
        cmocka_unit_test(test_judge_grid_limit_exceeded_is_called),
        cmocka_unit_test(test_judge_grid_limit_just_kept_is_not_called),
        cmocka_unit_test(test_judge_bus_driven_with_nobody_is_called),
        cmocka_unit_test(test_judge_bus_driven_for_4_s_is_not_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
