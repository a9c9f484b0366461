/* Injected faults: each does what the table says, ends when told, and wrong requests change nothing. */
#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct plant_options fast = {.seed = 41, .handshake = PLANT_HANDSHAKE_FAST};

static enum plant_result inject(struct host *h, const char *name, double value,
                                const char *contactor, int64_t for_ms) {
    const struct plant_fault fault = {
        .gun = 1, .value = value, .contactor = contactor, .for_ms = for_ms};
    return plant_inject(h->plant, name, &fault);
}

static bool closed(const struct host *h, unsigned kind) {
    return host_state(h, 0).contactor[kind];
}

static void test_fault_every_row_injects_and_clears(void **state) {
    (void)state;
    uint32_t count;
    const struct plant_fault_info *table = plant_fault_table(&count);
    assert_true(count >= 42);
    for (uint32_t i = 0; i < count; i++) {
        struct host *h = host_create(2, &fast);
        const struct plant_vehicle_wish wish = {
            .soc_pct = 20, .target_soc_pct = 80, .stay_s = INFINITY};
        h->slot[0].serve = true;
        assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
        host_run(h, 3000);
        if (inject(h, table[i].name, (double)NAN, NULL, 0) != PLANT_OK) {
            fail_msg("%s is refused", table[i].name);
        }
        host_run(h, 2000);
        assert_int_equal(plant_clear(h->plant, 0), PLANT_OK);
        host_run(h, 1000);
        assert_int_equal(host_report(h).faults_injected, 1);
        assert_true(table[i].text[0] != 0);
        host_destroy(h);
    }
}

static void test_fault_wrong_requests_are_refused(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    struct plant_fault fault = {.gun = 1, .value = (double)NAN};
    assert_int_equal(plant_inject(h->plant, "no-such", &fault), PLANT_NO_SUCH_FAULT);
    assert_int_equal(plant_inject(h->plant, "unplug", &fault), PLANT_EMPTY);
    fault.gun = 9;
    assert_int_equal(plant_inject(h->plant, "hot-pin", &fault), PLANT_NO_SUCH_GUN);
    fault.gun = 0;
    assert_int_equal(plant_inject(h->plant, "hot-pin", &fault), PLANT_NEEDS_GUN);
    fault = (struct plant_fault){.gun = 1, .module = 5, .value = (double)NAN};
    assert_int_equal(plant_inject(h->plant, "module-trip", &fault), PLANT_NO_SUCH_MODULE);
    fault = (struct plant_fault){.gun = 1, .contactor = "XX", .value = (double)NAN};
    assert_int_equal(plant_inject(h->plant, "contactor-weld", &fault), PLANT_NO_SUCH_CONTACTOR);
    fault = (struct plant_fault){.gun = 1, .value = -1};
    assert_int_equal(plant_inject(h->plant, "frame-delay", &fault), PLANT_BAD_VALUE);
    fault = (struct plant_fault){.gun = 1, .value = (double)INFINITY};
    assert_int_equal(plant_inject(h->plant, "frame-delay", &fault), PLANT_BAD_VALUE);
    assert_int_equal(plant_clear(h->plant, 7), PLANT_NO_SUCH_GUN);
    assert_int_equal(host_report(h).faults_injected, 0);
    host_destroy(h);
}

static void test_fault_weld_holds_until_cleared(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    host_run(h, 60);
    assert_int_equal(inject(h, "contactor-weld", (double)NAN, "GC", 0), PLANT_OK);
    h->slot[0].close[0] = false;
    host_run(h, 500);
    assert_true(closed(h, CONTACTOR_GC));
    assert_true(h->slot[0].gcmc.gc_feedback &&
                !h->slot[0].gcmc.gc_seen); /* closed, not commanded */
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 20);
    assert_false(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_stuck_open_ends_by_itself(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "contactor-stuck-open", (double)NAN, "MN0", 400), PLANT_OK);
    h->slot[0].close[2] = true;
    host_run(h, 300);
    assert_false(closed(h, CONTACTOR_MN0));
    host_run(h, 200);
    assert_true(closed(h, CONTACTOR_MN0)); /* the coil was energised all along */
    host_destroy(h);
}

static void test_fault_slow_contactor_adds_its_time(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "contactor-slow", 200, "GC", 0), PLANT_OK);
    h->slot[0].close[0] = true;
    host_run(h, 200);
    assert_false(closed(h, CONTACTOR_GC));
    host_run(h, 40);
    assert_true(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_bounce_makes_four_extra_contacts(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "contactor-bounce", 3, "GC", 0), PLANT_OK);
    h->slot[0].close[0] = true;
    int closings = 0;
    bool was = false;
    for (int i = 0; i < 120; i++) {
        host_run(h, 1);
        closings += closed(h, CONTACTOR_GC) && !was;
        was = closed(h, CONTACTOR_GC);
    }
    assert_int_equal(closings, 5);
    assert_true(was);
    host_destroy(h);
}

static void test_fault_feedback_contradicts_and_freezes(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "feedback-contradict", (double)NAN, "GC", 0), PLANT_OK);
    host_run(h, 200);
    assert_true(h->slot[0].gcmc.gc_feedback && !closed(h, CONTACTOR_GC));
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "feedback-stale", (double)NAN, "GC", 0), PLANT_OK);
    h->slot[0].close[0] = true;
    host_run(h, 200);
    assert_true(!h->slot[0].gcmc.gc_feedback && closed(h, CONTACTOR_GC));
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 200);
    assert_true(h->slot[0].gcmc.gc_feedback);
    host_destroy(h);
}

static void test_fault_plc_silent_one_way_and_both(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    host_run(h, 60);
    assert_int_equal(inject(h, "plc-silent", 1, NULL, 0), PLANT_OK);
    const uint32_t frames = h->slot[0].count[HUB_MESSAGE_GCMC_STATUS];
    host_run(h, 1000);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS], frames);
    assert_true(closed(h, CONTACTOR_GC)); /* it still hears */
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "plc-silent", 0, NULL, 0), PLANT_OK);
    host_run(h, 400);
    assert_false(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_wire_loss_delay_duplicate_corrupt(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_run(h, 1500);
    uint32_t before = h->slot[0].count[HUB_MESSAGE_SLOT_SENSE];
    assert_int_equal(inject(h, "frame-loss", 50, NULL, 0), PLANT_OK);
    host_run(h, 10000);
    uint32_t got = h->slot[0].count[HUB_MESSAGE_SLOT_SENSE] - before;
    assert_true(got > 30 && got < 70); /* of 100 */
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    before = h->slot[0].count[HUB_MESSAGE_SLOT_SENSE];
    assert_int_equal(inject(h, "frame-duplicate", 100, NULL, 0), PLANT_OK);
    host_run(h, 5000);
    got = h->slot[0].count[HUB_MESSAGE_SLOT_SENSE] - before;
    assert_true(got >= 98 && got <= 102);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "crc-corrupt", 100, NULL, 0), PLANT_OK);
    const uint32_t errors = h->slot[0].crc_errors;
    host_run(h, 1000);
    assert_true(h->slot[0].crc_errors > errors + 20);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 500);
    assert_int_equal(inject(h, "frame-delay", 120, NULL, 0), PLANT_OK);
    h->slot[0].close[0] = true;
    host_run(h, 120);
    assert_false(closed(h, CONTACTOR_GC)); /* the command is still on its way */
    host_run(h, 60);
    assert_true(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_sensor_open_and_short_read_the_rails(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "sensor-open", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 600);
    assert_int_equal(h->slot[0].temperature.pin_dc_plus_ddegc, 32767);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "sensor-short", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 600);
    assert_int_equal(h->slot[0].temperature.pin_dc_plus_ddegc, -32768);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 600);
    assert_true(abs(h->slot[0].temperature.pin_dc_plus_ddegc - 250) < 5);
    host_destroy(h);
}

static void test_fault_hot_pin_heats_only_under_current(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(inject(h, "hot-pin", 95, NULL, 0), PLANT_OK);
    host_run(h, 5000);
    assert_true(host_state(h, 0).pin_c < 30);
    host_charge(h, 0);
    host_run(h, 10000);
    assert_true(host_state(h, 0).pin_c > 85);
    host_destroy(h);
}

static void test_fault_meter_jumps_once_and_falls_silent(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_run(h, 500);
    const int64_t before = h->slot[0].meter[1].energy_import_hwh;
    assert_int_equal(inject(h, "meter-jump", -2, NULL, 0), PLANT_OK);
    host_run(h, 500);
    assert_int_equal(h->slot[0].meter[1].energy_import_hwh, before - 20);
    assert_int_equal(inject(h, "meter-silent", (double)NAN, NULL, 0), PLANT_OK);
    const uint32_t frames = h->slot[0].count[HUB_MESSAGE_ENERGY_METER_DATA];
    host_run(h, 2000);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_ENERGY_METER_DATA], frames);
    host_destroy(h);
}

static void test_fault_imd_low_device_and_self_test(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    assert_int_equal(inject(h, "imd-low", 20000, NULL, 0), PLANT_OK);
    host_run(h, 4000);
    assert_true(h->slot[0].imd.r_f_10ohm < 2200 && h->slot[0].imd.r_f_10ohm > 1700);
    assert_true(!h->slot[0].imd.imd_ok && h->slot[0].imd.warning);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "imd-fault", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 500);
    assert_true(h->slot[0].imd.fault);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "imd-no-verdict", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 4000);
    assert_true(!h->slot[0].imd.imd_ok && !h->slot[0].imd.fault && h->slot[0].imd.imd_enabled);
    assert_true(h->slot[0].imd.r_f_10ohm < 2200 && h->slot[0].imd.r_f_10ohm > 1700);
    host_destroy(h);
    h = host_create(1, &fast);
    assert_int_equal(inject(h, "imd-selftest-fail", (double)NAN, NULL, 0), PLANT_OK);
    h->slot[0].imd_enable = true;
    host_run(h, 50);
    h->slot[0].imd_test = true;
    host_run(h, 1500);
    assert_int_equal(h->slot[0].imd.self_test, 3);
    host_destroy(h);
}

static void test_fault_cp_loss_values_and_recovery(void **state) {
    (void)state;
    static const char letters[3] = {'A', 'E', 'F'};
    for (int i = 0; i < 3; i++) {
        struct host *h = host_create(1, &fast);
        host_charge(h, 0);
        assert_int_equal(inject(h, "cp-loss", i, NULL, 0), PLANT_OK);
        host_run(h, 50);
        assert_int_equal(h->slot[0].pilot.cp_state, letters[i]);
        assert_false(host_state(h, 0).vehicle_contactor); /* the vehicle reacts, too */
        assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
        host_run(h, 50);
        assert_int_equal(h->slot[0].pilot.cp_state, 'B');
        host_destroy(h);
    }
}

static void test_fault_lock_fails_both_ways(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].lock = true;
    host_run(h, 1200);
    assert_int_equal(inject(h, "lock-fail", 0, NULL, 0), PLANT_OK);
    host_run(h, 20);
    assert_false(host_state(h, 0).locked);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 1000);
    assert_true(host_state(h, 0).locked);
    assert_int_equal(inject(h, "lock-fail", 1, NULL, 0), PLANT_OK);
    h->slot[0].lock = false;
    host_run(h, 2000);
    assert_true(host_state(h, 0).locked);
    host_destroy(h);
}

static void test_fault_safety_open_and_earth_fault_open_contactors(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    host_run(h, 60);
    assert_int_equal(inject(h, "safety-open", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 30);
    assert_false(closed(h, CONTACTOR_GC));
    assert_int_equal(h->slot[0].gcmc.fault_reason, 1);
    assert_true(!h->slot[0].safety.safety_ok && !h->slot[0].safety.sw1 &&
                h->slot[0].safety.chain_mask == 3);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 60);
    assert_true(closed(h, CONTACTOR_GC) && h->slot[0].safety.safety_ok);
    assert_int_equal(inject(h, "earth-fault", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 30);
    assert_false(closed(h, CONTACTOR_GC));
    assert_int_equal(h->slot[0].gcmc.fault_reason, 10);
    host_destroy(h);
}

static void test_fault_vehicle_lies_overdraws_stops_stalls(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    assert_int_equal(inject(h, "ev-overdraws", 2, NULL, 0), PLANT_OK);
    h->slot[0].serve = false;
    host_run(h, 45000);
    assert_true(host_state(h, 0).target_a > 1.5 * host_state(h, 0).ev_max_a);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "ev-stops", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 50);
    assert_false(host_state(h, 0).vehicle_contactor);
    host_run(h, 3000);
    assert_true(host_state(h, 0).stage >= HLC_STAGE_POWER_OFF);
    host_destroy(h);
    h = host_create(1, &fast);
    h->slot[0].serve = true;
    const struct plant_vehicle_wish wish = {
        .model = "Tesla Model 3", .soc_pct = 50, .target_soc_pct = 80, .stay_s = INFINITY};
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
    assert_int_equal(inject(h, "ev-lies-voltage", 60, NULL, 0), PLANT_OK);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_PRECHARGE, 20000));
    host_run(h, 10);
    assert_true(fabs(host_state(h, 0).target_v - host_state(h, 0).battery_v - 60) < 1);
    assert_int_equal(inject(h, "ev-stage-stall", 3, NULL, 0), PLANT_OK);
    host_run(h, 2900);
    assert_int_equal(host_state(h, 0).stage, HLC_STAGE_PRECHARGE);
    host_destroy(h);
}

static void test_fault_short_circuit_keeps_the_cable_check_from_its_voltage(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].serve = true;
    const struct plant_vehicle_wish wish = {
        .model = "Tesla Model 3", .soc_pct = 50, .target_soc_pct = 80, .stay_s = INFINITY};
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
    assert_int_equal(inject(h, "short-circuit", 0.5, NULL, 0), PLANT_OK);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_CABLE_CHECK, 20000));
    host_run(h, 5000);
    const struct plant_gun_state s = host_state(h, 0);
    assert_true(s.gun_v < 5); /* 2 A over 0.5 ohm */
    assert_true(fabs(s.gun_a - 2.0) < 0.1);
    host_destroy(h);
}

static void test_fault_runaway_module_goes_to_its_maximum(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].on[0] = true;
    h->slot[0].set_v[0] = 300;
    h->slot[0].set_a[0] = 1;
    host_run(h, 2000);
    assert_int_equal(inject(h, "over-voltage", 0, NULL, 0), PLANT_OK);
    host_run(h, 500);
    assert_true(host_state(h, 0).module_v[0] > 950);
    h->slot[0].on[0] = false; /* 0: it still obeys off */
    host_run(h, 1500);
    assert_true(host_state(h, 0).module_v[0] < 60);
    host_destroy(h);
}

static void test_fault_slot_sense_silent_and_invalid(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_run(h, 500);
    assert_int_equal(h->slot[0].sense.valid, 7);
    assert_int_equal(inject(h, "slot-sense-invalid", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 500);
    assert_int_equal(h->slot[0].sense.valid, 0);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    assert_int_equal(inject(h, "slot-sense-silent", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 100);
    const uint32_t frames = h->slot[0].count[HUB_MESSAGE_SLOT_SENSE];
    host_run(h, 1000);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_SLOT_SENSE], frames);
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 500);
    assert_true(h->slot[0].count[HUB_MESSAGE_SLOT_SENSE] > frames + 3);
    assert_int_equal(h->slot[0].sense.valid, 7);
    host_destroy(h);
}

static void test_fault_plc_deaf_speaks_and_opens_by_its_watchdog(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    host_run(h, 500);
    assert_true(closed(h, CONTACTOR_GC));
    assert_int_equal(inject(h, "plc-deaf", (double)NAN, NULL, 0), PLANT_OK);
    const uint32_t frames = h->slot[0].count[HUB_MESSAGE_GCMC_STATUS];
    host_run(h, 1000);
    assert_true(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS] > frames + 8);
    assert_false(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_boot_config_and_old_uptime_keep_the_contactors(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].close[0] = true;
    host_run(h, 3000);
    assert_true(closed(h, CONTACTOR_GC));
    uint32_t frames = h->slot[0].count[HUB_MESSAGE_BOOT_CONFIG];
    assert_int_equal(inject(h, "boot-config", (double)NAN, NULL, 0), PLANT_OK);
    host_run(h, 100);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_BOOT_CONFIG], frames + 1);
    assert_true(closed(h, CONTACTOR_GC));
    frames = h->slot[0].count[HUB_MESSAGE_HW_STATUS];
    assert_int_equal(inject(h, "uptime-reorder", 2, NULL, 0), PLANT_OK);
    host_run(h, 20);
    assert_in_range(h->slot[0].count[HUB_MESSAGE_HW_STATUS], frames + 2, frames + 3);
    assert_true(closed(h, CONTACTOR_GC));
    host_destroy(h);
}

static void test_fault_schedule_is_seeded_and_runs(void **state) {
    (void)state;
    const struct plant_options options = {.seed = 9,
                                          .handshake = PLANT_HANDSHAKE_FAST,
                                          .arrivals = PLANT_ARRIVALS_DEMO,
                                          .faults_per_hour = 720};
    struct host *h = host_create(4, &options);
    for (int i = 0; i < 4; i++) {
        h->slot[i].serve = true;
    }
    host_run(h, 120000);
    assert_true(host_report(h).faults_injected > 5);
    assert_int_equal(plant_clear(h->plant, 0), PLANT_OK);
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_every_row_injects_and_clears),
        cmocka_unit_test(test_fault_wrong_requests_are_refused),
        cmocka_unit_test(test_fault_weld_holds_until_cleared),
        cmocka_unit_test(test_fault_stuck_open_ends_by_itself),
        cmocka_unit_test(test_fault_slow_contactor_adds_its_time),
        cmocka_unit_test(test_fault_bounce_makes_four_extra_contacts),
        cmocka_unit_test(test_fault_feedback_contradicts_and_freezes),
        cmocka_unit_test(test_fault_plc_silent_one_way_and_both),
        cmocka_unit_test(test_fault_wire_loss_delay_duplicate_corrupt),
        cmocka_unit_test(test_fault_sensor_open_and_short_read_the_rails),
        cmocka_unit_test(test_fault_hot_pin_heats_only_under_current),
        cmocka_unit_test(test_fault_meter_jumps_once_and_falls_silent),
        cmocka_unit_test(test_fault_imd_low_device_and_self_test),
        cmocka_unit_test(test_fault_cp_loss_values_and_recovery),
        cmocka_unit_test(test_fault_lock_fails_both_ways),
        cmocka_unit_test(test_fault_safety_open_and_earth_fault_open_contactors),
        cmocka_unit_test(test_fault_vehicle_lies_overdraws_stops_stalls),
        cmocka_unit_test(test_fault_short_circuit_keeps_the_cable_check_from_its_voltage),
        cmocka_unit_test(test_fault_runaway_module_goes_to_its_maximum),
        cmocka_unit_test(test_fault_slot_sense_silent_and_invalid),
        cmocka_unit_test(test_fault_plc_deaf_speaks_and_opens_by_its_watchdog),
        cmocka_unit_test(test_fault_boot_config_and_old_uptime_keep_the_contactors),
        cmocka_unit_test(test_fault_schedule_is_seeded_and_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
