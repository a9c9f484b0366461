#include "tests/unit/rt/control/bench.h"

#include <stdlib.h>
#include <string.h>

struct config config;
struct virtual_hub *hub;

int bench_setup(void **state) {
    (void)state;
    config_ring(&config, 2, 2);
    const struct plant_options options = {.seed = 3, .handshake = PLANT_HANDSHAKE_FAST};
    hub = virtual_hub_create(&config, &options, getenv("RINGMAIN_VERBOSE") != NULL);
    if (hub == NULL) {
        return -1;
    }
    hub->no_free_vend = true;
    virtual_hub_run(hub, 2);
    return 0;
}

int bench_teardown(void **state) {
    (void)state;
    virtual_hub_destroy(hub);
    return 0;
}

struct command bench_command(enum command_type type, unsigned slot, unsigned a, const char *text) {
    struct command k = {.type = (uint16_t)type, .slot = (uint16_t)slot, .a = (uint16_t)a};
    strncpy(k.text, text, sizeof k.text - 1);
    return k;
}

enum command_status bench_give(enum command_type type, unsigned slot, unsigned a,
                               const char *text) {
    return virtual_hub_command(hub, bench_command(type, slot, a, text));
}

enum command_status bench_give_value(enum command_type type, unsigned slot, unsigned a,
                                     int64_t value, double seconds) {
    struct command k = bench_command(type, slot, a, "");
    k.value = value;
    k.expires_mono_ns = (hub->now_us + (int64_t)(seconds * 1e6)) * 1000;
    return virtual_hub_command(hub, k);
}

void bench_plug(int gun, double soc_pct, double target_pct) {
    const struct plant_vehicle_wish wish = {
        .soc_pct = soc_pct, .target_soc_pct = target_pct, .stay_s = 3};
    assert_int_equal(plant_plug(hub->plant, gun, &wish), PLANT_OK);
    virtual_hub_run(hub, 0.5);
}

void bench_charge(int gun) {
    bench_plug(gun, 30, 80);
    assert_int_equal(
        bench_give(COMMAND_AUTHORISE, virtual_hub_slot(hub, gun), AUTH_SOURCE_REMOTE, "CARD"),
        COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, gun, GUN_STATE_CHARGING, 30));
    virtual_hub_run(hub, 5);
}

const struct status_slot *bench_shown(unsigned slot) {
    control_status(hub->control, hub->now_us, &hub->status);
    return &hub->status.slot[slot];
}
