/* The physics against hand-made figures. Bus 50 uF, module output 25 uF, gun side 4 uF; discharge: module 110 uS, idle bus
 * 180 uS, gun side 14 uS. */
#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct plant_options fast = {.seed = 3, .handshake = PLANT_HANDSHAKE_FAST};

static void assert_near(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) {
        fail_msg("%g is not %g +- %g", value, expected, tolerance);
    }
}

/* Slot 0's bus behind MN0, driven by module 0. */
static void drive_bus(struct host *h, double volts, double amps) {
    h->slot[0].close[2] = true;
    host_run(h, 60);
    assert_true(host_state(h, 0).contactor[CONTACTOR_MN0]);
    h->slot[0].on[0] = true;
    h->slot[0].set_v[0] = volts;
    h->slot[0].set_a[0] = amps;
    host_module_set(h, 0, 0);
}

static void test_plant_precharge_constant_current_rises_linearly(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 400, 0.02);
    host_run(h, 800);
    const double v1 = host_state(h, 0).bus_v;
    host_run(h, 500);
    const double v2 = host_state(h, 0).bus_v;
    assert_near(v2 - v1, 0.5 * 0.02 / 75e-6, 1.5); /* 133.3 V in half a second into 75 uF */
    host_run(h, 3000);
    assert_near(host_state(h, 0).bus_v, 400, 0.5); /* and stops at the reference */
    assert_near(host_state(h, 0).module_a[0], 0, 0.01);
    host_destroy(h);
}

static void test_plant_discharge_modules_off_follows_exponential(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 400, 2);
    host_run(h, 2000);
    assert_near(host_state(h, 0).bus_v, 400, 0.5);
    h->slot[0].on[0] = false;
    host_module_set(h, 0, 0);
    host_run(h, 500);
    assert_near(host_state(h, 0).bus_v, 400 * exp(-0.5 * 290e-6 / 75e-6), 2); /* 57.9 V */
    host_destroy(h);
}

static void test_plant_discharge_from_1000_v_below_60_in_1_s(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    drive_bus(h, 1000, 2);
    host_run(h, 4000);
    assert_near(host_state(h, 0).gun_v, 1000, 1);
    h->slot[0].on[0] = h->slot[0].close[0] = false;
    host_module_set(h, 0, 0);
    host_run(h, 1000);
    assert_true(host_state(h, 0).bus_v < 60);
    assert_true(host_state(h, 0).gun_v < 60);
    host_destroy(h);
}

static void test_plant_discharge_bus_with_every_contactor_open_below_60_in_1_s(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    drive_bus(h, 800, 2);
    host_run(h, 3000);
    h->slot[0].force_off = true;
    host_run(h, 1000);
    assert_false(host_state(h, 0).contactor[CONTACTOR_MN0]);
    assert_true(host_state(h, 0).bus_v < 60);
    host_destroy(h);
}

static void test_plant_contactor_times_within_25_and_12_ms(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    uint32_t operate_min = 1000, operate_max = 0, release_min = 1000, release_max = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t ms = 0;
        h->slot[0].close[0] = true;
        while (!host_state(h, 0).contactor[CONTACTOR_GC]) {
            host_run(h, 1);
            assert_true(++ms < 100);
        }
        operate_min = ms < operate_min ? ms : operate_min;
        operate_max = ms > operate_max ? ms : operate_max;
        host_run(h, 50);
        h->slot[0].close[0] = false;
        ms = 0;
        while (host_state(h, 0).contactor[CONTACTOR_GC]) {
            host_run(h, 1);
            assert_true(++ms < 100);
        }
        release_min = ms < release_min ? ms : release_min;
        release_max = ms > release_max ? ms : release_max;
        host_run(h, 50);
    }
    assert_true(operate_max <= 25 + 3 &&
                operate_min >= 12); /* ticks of command, coil and contact */
    assert_true(release_max <= 12 + 3 && release_min >= 5);
    assert_true(operate_max - operate_min >= 5); /* they vary */
    assert_true(release_max - release_min >= 3);
    host_destroy(h);
}

static void test_plant_energy_module_output_is_battery_plus_losses(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    const struct plant_report before = host_report(h);
    double loss_j = 0, gun_j = 0;
    for (int i = 0; i < 30000; i++) {
        host_run(h, 1);
        const struct plant_gun_state s = host_state(h, 0);
        loss_j += (s.gun_v - s.battery_v) * s.gun_a * 1e-3;
        gun_j += s.gun_v * s.gun_a * 1e-3;
    }
    const struct plant_report after = host_report(h);
    const double output_j = (after.output_wh - before.output_wh) * 3600,
                 battery_j = (after.energy_wh - before.energy_wh) * 3600;
    assert_true(output_j > 30 * 20e3);
    assert_near(output_j / (battery_j + loss_j), 1.0, 0.002);
    assert_near(output_j / gun_j, 1.0, 0.002);
    assert_true(loss_j > 0.01 * output_j); /* the battery's resistance is there */
    host_destroy(h);
}

static void test_plant_energy_counted_equals_state_of_charge(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    const struct plant_gun_state a = host_state(h, 0);
    host_run(h, 60000);
    const struct plant_gun_state b = host_state(h, 0);
    double usable_wh = 0;
    for (uint32_t i = 0; i < plant_models() && usable_wh == 0; i++) {
        const struct plant_model m = plant_model(i);
        usable_wh =
            strcmp(m.brand, "Tesla") == 0 && strcmp(m.model, "Model 3") == 0 ? m.usable_wh : 0;
    }
    assert_near((b.soc_pct - a.soc_pct) / 100.0 * usable_wh, b.energy_wh - a.energy_wh,
                0.01 * (b.energy_wh - a.energy_wh));
    assert_near(b.meter_wh - a.meter_wh, b.energy_wh - a.energy_wh,
                0.06 * (b.energy_wh - a.energy_wh)); /* losses in the battery */
    assert_true(b.meter_wh - a.meter_wh > b.energy_wh - a.energy_wh);
    host_destroy(h);
}

static void test_plant_modules_share_and_limit_current(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].set_a[0] = 30;
    h->slot[0].set_a[1] = 20;
    host_run(h, 2000);
    struct plant_gun_state s = host_state(h, 0);
    assert_near(s.module_a[0], 30, 0.05);
    assert_near(s.module_a[1], 20, 0.05);
    assert_near(s.gun_a, 50, 0.1);
    h->slot[0].set_v[0] = h->slot[0].set_v[1] =
        s.battery_v - 20; /* below the battery: nothing flows, and not back either */
    host_run(h, 2000);
    s = host_state(h, 0);
    assert_near(s.gun_a, 0, 0.2);
    assert_near(s.gun_v, s.battery_v, 1);
    host_destroy(h);
}

static void test_plant_power_limit_of_module_is_kept(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 100; /* 30 kW at about 360 V are 83 A */
    host_run(h, 3000);
    const struct plant_gun_state s = host_state(h, 0);
    assert_true(s.module_a[0] * s.gun_v < 30050);
    assert_true(s.module_a[0] * s.gun_v > 29500 || s.module_a[0] > 99);
    host_destroy(h);
}

/* Slot 0's module feeds slot 1's vehicle through boundary 0: the current through it is the module's, clockwise. */
static void test_plant_boundary_current_is_what_the_neighbour_gives(void **state) {
    (void)state;
    struct host *h = host_create(3, &fast);
    host_charge(h, 1);
    h->slot[1].serve = false;
    h->slot[1].set_a[0] = h->slot[1].set_a[1] = 20;
    host_run(h, 1000);
    const double v = host_state(h, 1).gun_v;
    h->slot[0].imd_enable = true;
    drive_bus(h, v, 1);
    host_run(h, 3000);
    assert_near(host_state(h, 0).bus_v, v, 3);
    assert_near(host_state(h, 0).boundary_a, 0, 0.01);
    h->slot[0].close[1] = true;
    host_run(h, 100);
    if (h->config.slot[0].has_bc) {
        h->slot[0].close[4] = true;
        host_run(h, 100);
    }
    h->slot[0].set_v[0] = v + 30;
    h->slot[0].set_a[0] = 25;
    host_run(h, 2000);
    const struct plant_gun_state s0 = host_state(h, 0), s1 = host_state(h, 1);
    assert_near(s0.bus_v, s1.bus_v, 1e-6);
    assert_near(s0.boundary_a, 25, 0.3);
    assert_near(s1.gun_a, 65, 0.5);
    assert_near(host_state(h, 2).boundary_a, 0, 1e-9);
    assert_near(h->slot[0].sense.boundary_current_da, 250, 5); /* and so says SlotSense */
    assert_int_equal(host_report(h).hazards, 0);
    host_destroy(h);
}

static void test_plant_pins_warm_with_current(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    const double cold = host_state(h, 0).pin_c;
    host_charge(h, 0);
    host_run(h, 60000);
    const double warm = host_state(h, 0).pin_c;
    assert_near(cold, 25, 0.1);
    assert_true(warm > cold + 0.5 && warm < 70);
    host_destroy(h);
}

static void test_plant_curves_power_falls_with_state_of_charge(void **state) {
    (void)state;
    assert_true(plant_models() > 200);
    struct host *h = host_create(2, &fast);
    const struct plant_vehicle_wish low = {.model = "Hyundai IONIQ 5",
                                           .soc_pct = 20,
                                           .target_soc_pct = 90,
                                           .stay_s = INFINITY},
                                    high = {.model = "Hyundai IONIQ 5",
                                            .soc_pct = 92,
                                            .target_soc_pct = 99,
                                            .stay_s = INFINITY};
    h->slot[0].serve = h->slot[1].serve = true;
    assert_int_equal(plant_plug(h->plant, 1, &low), PLANT_OK);
    assert_int_equal(plant_plug(h->plant, 2, &high), PLANT_OK);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_CURRENT_DEMAND, 60000));
    host_run(h, 15000);
    const struct plant_gun_state a = host_state(h, 0), b = host_state(h, 1);
    assert_true(a.target_a > b.target_a * 1.5);
    assert_true(b.battery_v > a.battery_v + 30); /* voltage rises with the state of charge */
    assert_true(a.battery_v > 600);              /* 800 V class */
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plant_precharge_constant_current_rises_linearly),
        cmocka_unit_test(test_plant_discharge_modules_off_follows_exponential),
        cmocka_unit_test(test_plant_discharge_from_1000_v_below_60_in_1_s),
        cmocka_unit_test(test_plant_discharge_bus_with_every_contactor_open_below_60_in_1_s),
        cmocka_unit_test(test_plant_contactor_times_within_25_and_12_ms),
        cmocka_unit_test(test_plant_energy_module_output_is_battery_plus_losses),
        cmocka_unit_test(test_plant_energy_counted_equals_state_of_charge),
        cmocka_unit_test(test_plant_modules_share_and_limit_current),
        cmocka_unit_test(test_plant_power_limit_of_module_is_kept),
        cmocka_unit_test(test_plant_boundary_current_is_what_the_neighbour_gives),
        cmocka_unit_test(test_plant_pins_warm_with_current),
        cmocka_unit_test(test_plant_curves_power_falls_with_state_of_charge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
