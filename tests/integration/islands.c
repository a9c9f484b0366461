#include "tests/integration/islands.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool verbose(void) {
    return getenv("RINGMAIN_VERBOSE") != NULL;
}

struct config island_config;

/* A ring whose grid is no limit. */
struct virtual_hub *island_hub(uint64_t seed, enum plant_handshake handshake) {
    const struct plant_options options = {.seed = seed, .handshake = handshake};
    island_config.grid_limit_w = 100000 * (int64_t)island_config.slots;
    island_config.fail_safe_limit_w = island_config.grid_limit_w;
    struct virtual_hub *h = virtual_hub_create(&island_config, &options, verbose());
    assert_non_null(h);
    virtual_hub_run(h, 2);
    return h;
}

void island_fit_bc(void) {
    island_config.plc.boundary_contactors = 2;
    for (uint32_t i = 0; i < island_config.slots; i++) {
        island_config.slot[i].has_bc = true;
    }
}

void island_plug(struct virtual_hub *h, int gun) {
    const struct plant_vehicle_wish wish = {
        .model = "Audi e-tron GT", .soc_pct = 20, .target_soc_pct = 90, .stay_s = (double)INFINITY};
    assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
}

const struct status_slot *island_slot(struct virtual_hub *h, uint32_t slot) {
    control_status(h->control, h->now_us, &h->status);
    return &h->status.slot[slot];
}

unsigned island_borrowed(struct virtual_hub *h, int gun) {
    return island_slot(h, virtual_hub_slot(h, gun))->borrowed;
}

bool island_reach_borrowed(struct virtual_hub *h, int gun, unsigned slots, double seconds) {
    for (double t = 0; t < seconds && island_borrowed(h, gun) != slots; t += 0.01) {
        virtual_hub_run(h, 0.01);
    }
    return island_borrowed(h, gun) == slots;
}

bool island_reach_boundary(struct virtual_hub *h, uint32_t slot, enum boundary_state state,
                           double seconds) {
    for (double t = 0; t < seconds && island_slot(h, slot)->boundary != state; t += 0.005) {
        virtual_hub_run(h, 0.005);
    }
    return island_slot(h, slot)->boundary == state;
}

bool island_all_home(struct virtual_hub *h) {
    (void)island_slot(h, 0);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        if (h->status.slot[i].boundary != BOUNDARY_STATE_HOME) {
            return false;
        }
    }
    return true;
}

bool island_reach_all_home(struct virtual_hub *h, double seconds) {
    for (double t = 0; t < seconds && !island_all_home(h); t += 0.01) {
        virtual_hub_run(h, 0.01);
    }
    return island_all_home(h);
}

double island_current_a(const struct virtual_hub *h, int gun) {
    struct plant_gun_state s;
    assert_int_equal(plant_gun_state(h->plant, gun, &s), PLANT_OK);
    return s.gun_a;
}

/* The least current of a gun within that time. */
double island_least_current_a(struct virtual_hub *h, int gun, double seconds) {
    double least = island_current_a(h, gun);
    for (double t = 0; t < seconds; t += 0.001) {
        virtual_hub_run(h, 0.001);
        least = fmin(least, island_current_a(h, gun));
    }
    return least;
}

uint32_t island_loaded_operations(struct virtual_hub *h) {
    uint32_t loaded = 0;
    (void)island_slot(h, 0);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
            loaded += h->status.slot[i].contactor[kind].loaded_operations;
        }
    }
    return loaded;
}

void island_stop(struct virtual_hub *h, int gun) {
    struct command k = {
        .type = COMMAND_STOP, .slot = (uint16_t)virtual_hub_slot(h, gun), .a = STOP_REASON_REMOTE};
    (void)virtual_hub_command(h, k);
}

void island_finish(struct virtual_hub *h) {
    if (virtual_hub_hazards(h) != 0 || h->frames_dropped != 0) {
        virtual_hub_print(h);
        fail_msg("hazards");
    }
    virtual_hub_destroy(h);
}

/* Charging, with that many slots joined. */
void island_merge(struct virtual_hub *h, int gun, unsigned slots) {
    island_plug(h, gun);
    assert_true(virtual_hub_reach(h, gun, GUN_STATE_CHARGING, 30));
    if (!island_reach_borrowed(h, gun, slots, 60)) {
        virtual_hub_print(h);
        fail_msg("gun %d has %u slots, not %u", gun, island_borrowed(h, gun), slots);
    }
}

/* Time in ms of a boundary event since from_us, -1 none. */
double island_event_ms(const struct virtual_hub *h, uint32_t slot, enum boundary_state to,
                       int64_t from_us) {
    uint32_t at = 0;
    const struct event *e;
    while ((e = virtual_hub_event(h, EVENT_BOUNDARY, slot, &at)) != NULL) {
        if (e->b == to && e->mono_ns / 1000 >= from_us) {
            return (double)(e->mono_ns / 1000 - from_us) / 1000.0;
        }
    }
    return -1;
}

void island_operator_clears(struct virtual_hub *h) {
    struct command k = {.type = COMMAND_RESET_ESTOP, .slot = EVENT_SLOT_NONE};
    (void)virtual_hub_command(h, k);
    virtual_hub_run(h, 1);
    k = (struct command){.type = COMMAND_CLEAR_FAULT, .slot = EVENT_SLOT_NONE};
    (void)virtual_hub_command(h, k);
    virtual_hub_run(h, 1);
}
