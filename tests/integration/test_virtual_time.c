/* Twelve vehicles through full sessions on a virtual clock; the judge of the virtual hub must find nothing. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twelve_vehicles_full_sessions_without_hazard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
