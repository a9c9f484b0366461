/* A whole session with a scripted host, in both kinds of PLC and both module protocols; and what time does to it. */
#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static const struct plant_options fast = {.seed = 1, .handshake = PLANT_HANDSHAKE_FAST};
static const struct plant_vehicle_wish short_wish = {
    .model = "Tesla Model 3", .soc_pct = 60, .target_soc_pct = 60.5, .stay_s = 3};

static void expect_whole_session(struct host *h) {
    h->slot[0].serve = true;
    assert_int_equal(plant_plug(h->plant, 1, &short_wish), PLANT_OK);
    host_run(h, 120000);
    const struct plant_report r = host_report(h);
    assert_int_equal(r.sessions_started, 1);
    assert_int_equal(r.sessions_completed, 1);
    assert_int_equal(r.sessions_failed, 0);
    assert_int_equal(r.hazards, 0);
    assert_int_equal(r.vehicles, 0); /* unlocked, and the driver has gone */
    assert_true(r.energy_wh > 200);
    assert_true(r.first_charge_s > 1);
    const struct plant_gun_state state = host_state(h, 0);
    assert_false(state.contactor[CONTACTOR_GC]);
    assert_true(state.bus_v < 60 && state.gun_v < 60);
    assert_int_equal(h->slot[0].crc_errors, 0);
}

static void test_plant_session_gcmc_infypower_completes(void **state) {
    (void)state;
    struct host *h = host_create(2, &fast);
    expect_whole_session(h);
    host_destroy(h);
}

static void test_plant_session_relay_maxwell_completes(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 2, 2);
    config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    struct host *h = host_create_with(&config, &fast);
    expect_whole_session(h);
    host_destroy(h);
}

static void test_plant_session_without_crc_completes(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 2, 2);
    config.plc.use_crc8 = false;
    struct host *h = host_create_with(&config, &fast);
    expect_whole_session(h);
    host_destroy(h);
}

/* Agreement: about 12 s from plug to the authorisation request, and first current well below 40 s. */
static void test_plant_session_realistic_handshake_takes_12_s(void **state) {
    (void)state;
    const struct plant_options options = {.seed = 5};
    struct host *h = host_create(1, &options);
    h->slot[0].serve = true;
    const int64_t plugged_us = h->now_us;
    assert_int_equal(plant_plug(h->plant, 1, &short_wish), PLANT_OK);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_AUTHORISATION, 20000));
    const double auth_s = (double)(h->now_us - plugged_us) / 1e6;
    assert_true(auth_s > 10.5 && auth_s < 13.5);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_CURRENT_DEMAND, 30000));
    assert_true((double)(h->now_us - plugged_us) / 1e6 < 35);
    host_destroy(h);
}

static void test_plant_session_host_never_answers_fails_by_vehicle_timeouts(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].auth = h->slot[0].lock = true;
    assert_int_equal(plant_plug(h->plant, 1, &short_wish), PLANT_OK);
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_CABLE_CHECK, 10000));
    const int64_t start_us = h->now_us;
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_SESSION_STOP, 40000));
    assert_true(h->now_us - start_us > 29900000 &&
                h->now_us - start_us < 32000000); /* gives up after 30 s */
    host_run(h, 2000);
    const struct plant_report r = host_report(h);
    assert_int_equal(r.sessions_failed, 1);
    assert_int_equal(r.failures[PLANT_FAILURE_CABLE_CHECK], 1);
    assert_int_equal(r.sessions_completed, 0);
    host_destroy(h);
}

static void test_plant_session_zero_power_for_5_s_ends_session(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 0;
    const int64_t start_us = h->now_us;
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_POWER_OFF, 20000));
    assert_true(h->now_us - start_us > 4900000 && h->now_us - start_us < 6500000);
    host_run(h, 8000);
    assert_int_equal(host_report(h).failures[PLANT_FAILURE_NO_POWER], 1);
    host_destroy(h);
}

static void test_plant_session_stop_request_brings_stage_11_within_2_s(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].stop_request = 1;
    assert_true(host_run_to_stage(h, 0, HLC_STAGE_POWER_OFF, 2000));
    host_run(h, 15000);
    assert_int_equal(host_report(h).sessions_completed, 1); /* energy was delivered */
    host_destroy(h);
}

static void test_plant_session_stop_request_emergency_fails_session(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].stop_request = 3;
    host_run(h, 400);
    assert_false(host_state(h, 0).vehicle_contactor);
    host_run(h, 3000);
    assert_int_equal(host_report(h).failures[PLANT_FAILURE_HOST_EMERGENCY], 1);
    host_destroy(h);
}

static void test_plant_session_driver_stop_completes(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    assert_int_equal(plant_driver_stop(h->plant, 1), PLANT_OK);
    host_run(h, 15000);
    assert_int_equal(host_report(h).sessions_completed, 1);
    assert_int_equal(host_report(h).hazards, 0);
    host_destroy(h);
}

/* Same seed and same calls: same hash. Another seed: another. */
static uint64_t demo_hash(uint64_t seed, uint32_t seconds, struct plant_report *report) {
    const struct plant_options options = {.seed = seed,
                                          .arrivals = PLANT_ARRIVALS_DEMO,
                                          .handshake = PLANT_HANDSHAKE_FAST,
                                          .faults_per_hour = 60};
    struct host *h = host_create(4, &options);
    for (uint32_t i = 0; i < 4; i++) {
        h->slot[i].serve = true;
    }
    host_run(h, seconds * 1000);
    *report = host_report(h);
    host_destroy(h);
    return report->hash;
}

static void test_plant_determinism_same_seed_same_hash(void **state) {
    (void)state;
    struct plant_report a, b, c;
    assert_int_equal(demo_hash(7, 120, &a), demo_hash(7, 120, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_not_equal(demo_hash(8, 120, &c), a.hash);
    assert_true(a.arrivals >= 4);
}

static void test_plant_speed_is_reported(void **state) {
    (void)state;
    struct host *h = host_create(12, &fast);
    for (uint32_t i = 0; i < 12; i++) {
        const struct plant_vehicle_wish wish = {
            .model = "Tesla Model 3", .soc_pct = 20, .target_soc_pct = 95, .stay_s = INFINITY};
        h->slot[i].serve = true;
        assert_int_equal(plant_plug(h->plant, (int)i + 1, &wish), PLANT_OK);
    }
    host_run(h, 30000);
    assert_int_equal(host_report(h).charging, 12);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const uint32_t seconds = 60;
    for (uint32_t t = 0; t < seconds * 1000;
         t++) { /* the hub alone, kept alive by bare refreshes */
        h->now_us += 1000;
        frame_batch_clear(&h->tx);
        plant_step(h->plant, h->now_us, &h->tx);
        if (t % 100 == 0) {
            for (uint32_t i = 0; i < 12; i++) {
                host_command(h, i, h->slot[i].seq, true);
                host_module_set(h, i, 0);
                host_module_set(h, i, 1);
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double wall_s =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    assert_int_equal(host_report(h).charging, 12);
    print_message("virtual hub: 12 guns charging, %.0f times real time\n", seconds / wall_s);
    assert_true(wall_s > 0);
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plant_session_gcmc_infypower_completes),
        cmocka_unit_test(test_plant_session_relay_maxwell_completes),
        cmocka_unit_test(test_plant_session_without_crc_completes),
        cmocka_unit_test(test_plant_session_realistic_handshake_takes_12_s),
        cmocka_unit_test(test_plant_session_host_never_answers_fails_by_vehicle_timeouts),
        cmocka_unit_test(test_plant_session_zero_power_for_5_s_ends_session),
        cmocka_unit_test(test_plant_session_stop_request_brings_stage_11_within_2_s),
        cmocka_unit_test(test_plant_session_stop_request_emergency_fails_session),
        cmocka_unit_test(test_plant_session_driver_stop_completes),
        cmocka_unit_test(test_plant_determinism_same_seed_same_hash),
        cmocka_unit_test(test_plant_speed_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
