/* Twelve vehicles through full sessions on a virtual clock; the judge of the virtual hub must find nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/virtual_hub.h"

static bool verbose(void) {
    return getenv("RINGMAIN_VERBOSE") != NULL;
}

static void test_twelve_vehicles_full_sessions_without_hazard(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 12, 2);
    const struct plant_options options = {.seed = 1, .handshake = PLANT_HANDSHAKE_MEDIUM};
    struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
    assert_non_null(h);
    virtual_hub_run(h, 3);
    for (int gun = 1; gun <= 12; gun++) {
        const struct plant_vehicle_wish wish = {
            .soc_pct = 60, .target_soc_pct = 60.0 + gun % 3 + 1, .stay_s = 5};
        assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
        virtual_hub_run(h, 1);
    }
    virtual_hub_run(h, 60);
    if (verbose()) {
        virtual_hub_print(h);
    }
    virtual_hub_run(h, 600);
    virtual_hub_print(h);
    struct plant_report report;
    plant_report(h->plant, &report);
    assert_int_equal(virtual_hub_hazards(h), 0);
    assert_int_equal(report.sessions_completed, 12);
    assert_int_equal(report.sessions_failed, 0);
    assert_int_equal(h->sessions_finished, 12);
    assert_int_equal(h->sessions_with_fault, 0);
    assert_int_equal(h->frames_dropped, 0);
    assert_int_equal(h->events_dropped, 0);
    for (int gun = 1; gun <= 12; gun++) {
        assert_int_equal(virtual_hub_state(h, gun), GUN_STATE_AVAILABLE);
    }
    virtual_hub_destroy(h);
}

/* ---- one fault at a time ------------------------------------------------------------------------------------ */

/* Everything an operator does after a repair. */
static void operator_clears(struct virtual_hub *h) {
    struct command k = {.type = COMMAND_RESET_ESTOP, .slot = EVENT_SLOT_NONE};
    (void)virtual_hub_command(h, k);
    virtual_hub_run(h, 1);
    k = (struct command){.type = COMMAND_CLEAR_FAULT, .slot = EVENT_SLOT_NONE};
    (void)virtual_hub_command(h, k);
    virtual_hub_run(h, 1);
}

static bool concerns_all(const struct plant_fault_info *info) {
    return info->scope == PLANT_SCOPE_SITE || info->scope == PLANT_SCOPE_INTERFACE;
}

/* A hub of four with three charging; the fault strikes gun 1 in the given state and lasts five seconds. No hazard, the
 * others go on, and the gun takes the next vehicle after repair and clearing. */
static void strike(const struct plant_fault_info *info, enum gun_state when) {
    static struct config config;
    config_ring(&config, 4, 2);
    const struct plant_options options = {.seed = 11, .handshake = PLANT_HANDSHAKE_FAST};
    struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
    const struct plant_vehicle_wish wish = {
        .soc_pct = 30, .target_soc_pct = 90, .stay_s = (double)INFINITY};
    const struct plant_fault fault = {.gun = info->scope == PLANT_SCOPE_SITE ? 0 : 1,
                                      .value = (double)NAN};
    assert_non_null(h);
    virtual_hub_run(h, 2);
    for (int gun = 2; gun <= 3; gun++) {
        assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
    }
    virtual_hub_run(h, 15);
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
    bool reached = virtual_hub_reach(h, 1, when, 30);
    virtual_hub_run(h, when == GUN_STATE_CHARGING ? 3 : 0.1);
    reached = reached && plant_inject(h->plant, info->name, &fault) == PLANT_OK;
    virtual_hub_run(h, 5);
    for (int gun = 2; gun <= 3; gun++) {
        if (virtual_hub_state(h, gun) != GUN_STATE_CHARGING && !concerns_all(info)) {
            fail_msg("%s in %s: gun %d went to %s", info->name, gun_state_name(when), gun,
                     gun_state_name(virtual_hub_state(h, gun)));
        }
    }
    virtual_hub_run(h, 10);
    (void)plant_clear(h->plant, 0);
    virtual_hub_run(h, 10);
    for (int gun = 1; gun <= 3; gun++) {
        struct command k = {.type = COMMAND_STOP,
                            .slot = (uint16_t)virtual_hub_slot(h, gun),
                            .a = STOP_REASON_REMOTE};
        (void)virtual_hub_command(h, k);
    }
    virtual_hub_run(h, 15);
    operator_clears(h);
    for (int gun = 1; gun <= 3; gun++) {
        (void)plant_unplug(h->plant, gun, false);
    }
    virtual_hub_run(h, 15);
    operator_clears(h);
    const uint32_t hazards = virtual_hub_hazards(h);
    for (int gun = 1; gun <= 4; gun++) {
        const enum gun_state now = virtual_hub_state(h, gun);
        if (now != GUN_STATE_AVAILABLE || hazards != 0 || !reached) {
            virtual_hub_print(h);
            fail_msg("%s in %s (reached %d): %u hazards, gun %d is %s", info->name,
                     gun_state_name(when), reached, hazards, gun, gun_state_name(now));
        }
    }
    assert_int_equal(h->frames_dropped, 0);
    virtual_hub_destroy(h);
}

static void test_every_fault_while_charging_is_contained_and_recovered_from(void **state) {
    (void)state;
    uint32_t count = 0;
    const struct plant_fault_info *table = plant_fault_table(&count);
    const char *only = getenv("RINGMAIN_FAULT");
    assert_true(count > 30);
    for (uint32_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, table[i].name) == 0) {
            strike(&table[i], GUN_STATE_CHARGING);
        }
    }
}

static void test_every_fault_in_the_cable_check_is_contained_and_recovered_from(void **state) {
    (void)state;
    uint32_t count = 0;
    const struct plant_fault_info *table = plant_fault_table(&count);
    const char *only = getenv("RINGMAIN_FAULT");
    for (uint32_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, table[i].name) == 0) {
            strike(&table[i], GUN_STATE_CABLE_CHECK);
        }
    }
}

static void test_every_fault_in_precharge_is_contained_and_recovered_from(void **state) {
    (void)state;
    uint32_t count = 0;
    const struct plant_fault_info *table = plant_fault_table(&count);
    const char *only = getenv("RINGMAIN_FAULT");
    for (uint32_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, table[i].name) == 0) {
            strike(&table[i], GUN_STATE_PRECHARGE);
        }
    }
}

/* A module that was silent joins the live bus again, without a spark, and the gun has its power back. */
static void test_module_that_comes_back_joins_the_live_bus(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 1, 2);
    const struct plant_options options = {.seed = 11, .handshake = PLANT_HANDSHAKE_FAST};
    struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
    const struct plant_vehicle_wish wish = {
        .soc_pct = 30, .target_soc_pct = 90, .stay_s = (double)INFINITY};
    const struct plant_fault fault = {.gun = 1, .value = (double)NAN};
    assert_non_null(h);
    virtual_hub_run(h, 2);
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 30));
    virtual_hub_run(h, 15);
    (void)virtual_hub_state(h, 1);
    const int32_t both_w = h->status.slot[0].power_w;
    assert_true(both_w > 40000);
    assert_int_equal(plant_inject(h->plant, "module-silent", &fault), PLANT_OK);
    virtual_hub_run(h, 15);
    (void)virtual_hub_state(h, 1);
    assert_in_range(h->status.slot[0].power_w, 29000, 30500);
    assert_int_equal(plant_clear(h->plant, 0), PLANT_OK);
    virtual_hub_run(h, 10);
    (void)virtual_hub_state(h, 1);
    assert_true(h->status.slot[0].power_w > both_w * 9 / 10);
    assert_int_equal(virtual_hub_hazards(h), 0);
    virtual_hub_destroy(h);
}

/* A boundary that was open when its PLC fell silent is open: the slots on both sides of it serve as ever. */
static void test_neighbours_of_a_silent_plc_begin_and_end_their_sessions(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 3, 2);
    const struct plant_options options = {.seed = 7, .handshake = PLANT_HANDSHAKE_FAST};
    struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
    const struct plant_fault fault = {.gun = 2, .value = (double)NAN};
    assert_non_null(h);
    virtual_hub_run(h, 2);
    assert_int_equal(plant_inject(h->plant, "plc-silent", &fault), PLANT_OK);
    virtual_hub_run(h, 2);
    assert_int_equal(virtual_hub_state(h, 2), GUN_STATE_UNAVAILABLE);
    for (int gun = 1; gun <= 3; gun += 2) {
        const struct plant_vehicle_wish wish = {.soc_pct = 60, .target_soc_pct = 60.5, .stay_s = 5};
        assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
        assert_true(virtual_hub_reach(h, gun, GUN_STATE_CHARGING, 60));
    }
    for (int gun = 1; gun <= 3; gun += 2) {
        assert_true(virtual_hub_reach(h, gun, GUN_STATE_AVAILABLE, 300));
    }
    assert_int_equal(h->sessions_finished, 2);
    assert_int_equal(h->sessions_with_fault, 0);
    assert_int_equal(virtual_hub_hazards(h), 0);
    virtual_hub_destroy(h);
}

/* ---- unplugging --------------------------------------------------------------------------------------------- */

static void test_unplug_by_force_in_every_state_leads_back_to_available(void **state) {
    (void)state;
    static const enum gun_state when[] = {
        GUN_STATE_PLUGGED,   GUN_STATE_AUTHORISED, GUN_STATE_LOCKED,    GUN_STATE_CABLE_CHECK,
        GUN_STATE_PRECHARGE, GUN_STATE_CLOSING,    GUN_STATE_CHARGING,  GUN_STATE_RAMP_DOWN,
        GUN_STATE_OPENING,   GUN_STATE_WELD_CHECK, GUN_STATE_DISCHARGE, GUN_STATE_UNLOCK,
        GUN_STATE_FINISHED};
    static struct config config;
    config_ring(&config, 1, 2);
    for (unsigned i = 0; i < sizeof when / sizeof when[0]; i++) {
        const struct plant_options options = {.seed = 5, .handshake = PLANT_HANDSHAKE_FAST};
        struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
        const struct plant_vehicle_wish wish = {
            .soc_pct = 60, .target_soc_pct = 60.5, .stay_s = (double)INFINITY};
        assert_non_null(h);
        h->no_free_vend = when[i] == GUN_STATE_PLUGGED;
        virtual_hub_run(h, 2);
        assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
        if (!virtual_hub_reach(h, 1, when[i], 120)) {
            fail_msg("%s not reached", gun_state_name(when[i]));
        }
        assert_int_equal(plant_unplug(h->plant, 1, true), PLANT_OK);
        h->no_free_vend = false;
        virtual_hub_run(h, 20);
        if (virtual_hub_state(h, 1) != GUN_STATE_AVAILABLE || virtual_hub_hazards(h) != 0) {
            virtual_hub_print(h);
            fail_msg("torn out in %s: %s", gun_state_name(when[i]),
                     gun_state_name(virtual_hub_state(h, 1)));
        }
        (void)plant_clear(h->plant, 1);
        assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
        assert_true(virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 60));
        virtual_hub_destroy(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twelve_vehicles_full_sessions_without_hazard),
        cmocka_unit_test(test_module_that_comes_back_joins_the_live_bus),
        cmocka_unit_test(test_neighbours_of_a_silent_plc_begin_and_end_their_sessions),
        cmocka_unit_test(test_unplug_by_force_in_every_state_leads_back_to_available),
        cmocka_unit_test(test_every_fault_while_charging_is_contained_and_recovered_from),
        cmocka_unit_test(test_every_fault_in_the_cable_check_is_contained_and_recovered_from),
        cmocka_unit_test(test_every_fault_in_precharge_is_contained_and_recovered_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
