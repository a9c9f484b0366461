/* Slots that lend their modules to a neighbour's gun, on a virtual clock: merging, splitting, reclaim and everything that
 * may go wrong with either. The judge of the virtual hub must find nothing. */
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

static struct config config;

/* A ring whose grid is no limit. */
static struct virtual_hub *hub_with(uint32_t slots, uint64_t seed, enum plant_handshake handshake) {
    const struct plant_options options = {.seed = seed, .handshake = handshake};
    config.grid_limit_w = 100000 * (int64_t)slots;
    config.fail_safe_limit_w = config.grid_limit_w;
    struct virtual_hub *h = virtual_hub_create(&config, &options, verbose());
    assert_non_null(h);
    assert_int_equal(h->config.slots, slots);
    virtual_hub_run(h, 2);
    return h;
}

static struct virtual_hub *hub_of(uint32_t slots, uint64_t seed) {
    return hub_with(slots, seed, PLANT_HANDSHAKE_FAST);
}

static void fit_bc(struct config *c) {
    c->plc.boundary_contactors = 2;
    for (uint32_t i = 0; i < c->slots; i++) {
        c->slot[i].has_bc = true;
    }
}

static void plug(struct virtual_hub *h, int gun) {
    const struct plant_vehicle_wish wish = {
        .model = "Audi e-tron GT", .soc_pct = 20, .target_soc_pct = 90, .stay_s = (double)INFINITY};
    assert_int_equal(plant_plug(h->plant, gun, &wish), PLANT_OK);
}

static const struct status_slot *slot_of(struct virtual_hub *h, uint32_t slot) {
    control_status(h->control, h->now_us, &h->status);
    return &h->status.slot[slot];
}

static unsigned borrowed(struct virtual_hub *h, int gun) {
    return slot_of(h, virtual_hub_slot(h, gun))->borrowed;
}

static bool reach_borrowed(struct virtual_hub *h, int gun, unsigned slots, double seconds) {
    for (double t = 0; t < seconds && borrowed(h, gun) != slots; t += 0.01) {
        virtual_hub_run(h, 0.01);
    }
    return borrowed(h, gun) == slots;
}

static bool reach_boundary(struct virtual_hub *h, uint32_t slot, enum boundary_state state,
                           double seconds) {
    for (double t = 0; t < seconds && slot_of(h, slot)->boundary != state; t += 0.005) {
        virtual_hub_run(h, 0.005);
    }
    return slot_of(h, slot)->boundary == state;
}

static bool all_home(struct virtual_hub *h) {
    (void)slot_of(h, 0);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        if (h->status.slot[i].boundary != BOUNDARY_STATE_HOME) {
            return false;
        }
    }
    return true;
}

static bool reach_all_home(struct virtual_hub *h, double seconds) {
    for (double t = 0; t < seconds && !all_home(h); t += 0.01) {
        virtual_hub_run(h, 0.01);
    }
    return all_home(h);
}

static double current_a(const struct virtual_hub *h, int gun) {
    struct plant_gun_state s;
    assert_int_equal(plant_gun_state(h->plant, gun, &s), PLANT_OK);
    return s.gun_a;
}

/* The least current of a gun within that time. */
static double least_current_a(struct virtual_hub *h, int gun, double seconds) {
    double least = current_a(h, gun);
    for (double t = 0; t < seconds; t += 0.001) {
        virtual_hub_run(h, 0.001);
        least = fmin(least, current_a(h, gun));
    }
    return least;
}

static uint32_t loaded_operations(struct virtual_hub *h) {
    uint32_t loaded = 0;
    (void)slot_of(h, 0);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
            loaded += h->status.slot[i].contactor[kind].loaded_operations;
        }
    }
    return loaded;
}

static void stop(struct virtual_hub *h, int gun) {
    struct command k = {
        .type = COMMAND_STOP, .slot = (uint16_t)virtual_hub_slot(h, gun), .a = STOP_REASON_REMOTE};
    (void)virtual_hub_command(h, k);
}

static void finish(struct virtual_hub *h) {
    if (virtual_hub_hazards(h) != 0 || h->frames_dropped != 0) {
        virtual_hub_print(h);
        fail_msg("hazards");
    }
    virtual_hub_destroy(h);
}

/* Charging, with that many slots joined. */
static void merge(struct virtual_hub *h, int gun, unsigned slots) {
    plug(h, gun);
    assert_true(virtual_hub_reach(h, gun, GUN_STATE_CHARGING, 30));
    if (!reach_borrowed(h, gun, slots, 60)) {
        virtual_hub_print(h);
        fail_msg("gun %d has %u slots, not %u", gun, borrowed(h, gun), slots);
    }
}

/* Time in ms of a boundary event since from_us, -1 none. */
static double event_ms(const struct virtual_hub *h, uint32_t slot, enum boundary_state to,
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

static int64_t event_us(const struct virtual_hub *h, uint32_t slot, enum boundary_state to) {
    return (int64_t)(event_ms(h, slot, to, 0) * 1000.0);
}

/* ---- merging and splitting ---------------------------------------------------------------------------------- */

static void test_slots_merge_one_by_one_and_the_vehicle_never_notices(void **state) {
    (void)state;
    config_ring(&config, 4, 2);
    struct virtual_hub *h = hub_of(4, 1);
    plug(h, 1);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 30));
    for (double t = 0; t < 20 && all_home(h); t += 0.01) {
        virtual_hub_run(h, 0.01);
    }
    const double before_a = current_a(h, 1);
    assert_true(before_a > 70);
    const double least_a = least_current_a(h, 1, 20);
    printf("%.1f A before the first merge, never less than %.1f A after\n", before_a, least_a);
    assert_true(least_a >= 0.9 * before_a);
    assert_int_equal(borrowed(h, 1), 3);
    virtual_hub_run(h, 20); /* the vehicle's own ramp */
    assert_true(slot_of(h, 0)->power_w > 200000);
    assert_in_range(slot_of(h, 0)->borrowed_w, 150000, 190000);
    for (uint32_t i = 1; i < 4; i++) {
        const int64_t from_us = event_us(h, i, BOUNDARY_STATE_PREPARING);
        printf("slot %u joined in %.0f ms\n", i, event_ms(h, i, BOUNDARY_STATE_JOINED, from_us));
        assert_true(event_ms(h, i, BOUNDARY_STATE_JOINED, from_us) < 4000);
    }
    stop(h, 1);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_FINISHED, 20));
    assert_true(reach_all_home(h, 3));
    assert_int_equal(h->sessions_with_fault, 0);
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

static void test_slot_leaves_a_running_session_and_the_others_take_over(void **state) {
    (void)state;
    config_ring(&config, 4, 2);
    struct virtual_hub *h = hub_of(4, 2);
    merge(h, 1, 3);
    virtual_hub_run(h, 10);
    const double before_a = current_a(h, 1);
    const int64_t from_us = h->now_us;
    plug(h, 2);
    const double least_a = least_current_a(h, 1, 8);
    printf("reclaim: home after %.0f ms; owner %.0f A before, least %.0f A\n",
           event_ms(h, 1, BOUNDARY_STATE_HOME, from_us), before_a, least_a);
    assert_true(event_ms(h, 1, BOUNDARY_STATE_HOME, from_us) >= 0);
    assert_true(event_ms(h, 1, BOUNDARY_STATE_HOME, from_us) < 5000);
    assert_true(least_a > 75); /* its own modules at least */
    assert_true(virtual_hub_reach(h, 2, GUN_STATE_CHARGING, 30));
    assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_CHARGING);
    assert_int_equal(loaded_operations(h), 0);
    assert_int_equal(h->sessions_finished, 0);
    finish(h);
}

/* The slot that is wanted back stands between the owner and others: those go first. */
static void test_reclaimed_slot_waits_for_those_beyond_it(void **state) {
    (void)state;
    config_ring(&config, 8, 2);
    config.slot[7].has_mc = false; /* nothing to the left of slot 0 */
    struct virtual_hub *h = hub_with(8, 3, PLANT_HANDSHAKE_MEDIUM);
    merge(h, 1, 3); /* slots 1, 2 and 3 */
    assert_int_equal(slot_of(h, 3)->lends_to, 0);
    virtual_hub_run(h, 5);
    const int64_t from_us = h->now_us;
    plug(h, 2);
    assert_true(reach_boundary(h, 1, BOUNDARY_STATE_HOME, 6));
    const double opened[3] = {event_ms(h, 1, BOUNDARY_STATE_OPENING, from_us),
                              event_ms(h, 2, BOUNDARY_STATE_OPENING, from_us),
                              event_ms(h, 3, BOUNDARY_STATE_OPENING, from_us)};
    printf("slots 3, 2, 1 open after %.0f, %.0f, %.0f ms; slot 1 home after %.0f ms\n", opened[2],
           opened[1], opened[0], event_ms(h, 1, BOUNDARY_STATE_HOME, from_us));
    assert_true(opened[2] > 0 && opened[2] < opened[1] && opened[1] < opened[0]);
    assert_true(event_ms(h, 1, BOUNDARY_STATE_HOME, from_us) < 5000);
    assert_true(virtual_hub_reach(h, 2, GUN_STATE_CHARGING, 30));
    assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_CHARGING);
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

static int by_size(const void *a, const void *b) {
    const double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

/* Whichever slot is wanted back, however many hang on it, whatever flows. */
static void test_reclaim_is_quick_whenever_it_comes(void **state) {
    (void)state;
    enum { ROUNDS = 60 };
    double ms[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        config_ring(&config, 8, 2);
        if (i % 2 == 1) {
            fit_bc(&config);
        }
        struct virtual_hub *h = hub_with(8, 100 + i, PLANT_HANDSHAKE_MEDIUM);
        merge(h, 1, 3);
        virtual_hub_run(h, 0.37 * (double)(i % 17));
        uint32_t slot = 1 + i % 7;
        while (slot_of(h, slot)->boundary == BOUNDARY_STATE_HOME) {
            slot = slot % 7 + 1;
        }
        const int64_t from_us = h->now_us;
        plug(h, (int)slot + 1);
        assert_true(reach_boundary(h, slot, BOUNDARY_STATE_HOME, 8));
        ms[i] = (double)(h->now_us - from_us) / 1000.0;
        assert_true(virtual_hub_reach(h, (int)slot + 1, GUN_STATE_CHARGING, 60));
        assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_CHARGING);
        assert_int_equal(loaded_operations(h), 0);
        finish(h);
    }
    qsort(ms, ROUNDS, sizeof ms[0], by_size);
    printf("reclaim of %d slots: median %.0f ms, p99 %.0f ms\n", ROUNDS, ms[ROUNDS / 2],
           ms[ROUNDS - 1]);
    assert_true(ms[ROUNDS - 1] < 5000);
}

static void test_two_islands_at_once(void **state) {
    (void)state;
    config_ring(&config, 6, 2);
    struct virtual_hub *h = hub_of(6, 4);
    plug(h, 1);
    plug(h, 4);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 30));
    assert_true(virtual_hub_reach(h, 4, GUN_STATE_CHARGING, 30));
    assert_true(reach_borrowed(h, 1, 2, 20) && reach_borrowed(h, 4, 2, 20));
    virtual_hub_run(h, 10);
    assert_true(slot_of(h, 0)->power_w > 150000 && slot_of(h, 3)->power_w > 150000);
    stop(h, 1);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_FINISHED, 20));
    assert_int_equal(virtual_hub_state(h, 4), GUN_STATE_CHARGING);
    stop(h, 4);
    assert_true(virtual_hub_reach(h, 4, GUN_STATE_FINISHED, 20));
    assert_true(reach_all_home(h, 3));
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

static void test_boundaries_of_two_contactors_merge_and_split(void **state) {
    (void)state;
    config_ring(&config, 4, 2);
    fit_bc(&config);
    struct virtual_hub *h = hub_of(4, 5);
    for (unsigned round = 0; round < 3; round++) {
        merge(h, 1, 3);
        virtual_hub_run(h, 3);
        stop(h, 1);
        assert_true(virtual_hub_reach(h, 1, GUN_STATE_FINISHED, 20));
        assert_true(reach_all_home(h, 3));
        assert_int_equal(plant_unplug(h->plant, 1, false), PLANT_OK);
        virtual_hub_run(h, 40); /* dwell */
    }
    assert_int_equal(h->sessions_with_fault, 0);
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

static void test_two_slots_use_one_of_their_two_boundaries(void **state) {
    (void)state;
    config_ring(&config, 2, 2);
    struct virtual_hub *h = hub_of(2, 6);
    merge(h, 1, 1);
    virtual_hub_run(h, 5);
    assert_true(slot_of(h, 0)->power_w > 100000);
    plug(h, 2);
    assert_true(virtual_hub_reach(h, 2, GUN_STATE_CHARGING, 30));
    assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_CHARGING);
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

static void test_slots_without_gun_lend(void **state) {
    (void)state;
    config_ring(&config, 3, 2);
    config.slot[1].gun = -1;
    config.slot[1].gc[0] = 0;
    struct virtual_hub *h = hub_of(3, 7);
    merge(h, 1, 2);
    stop(h, 1);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_FINISHED, 20));
    assert_true(reach_all_home(h, 3));
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

/* ---- ways down --------------------------------------------------------------------------------------------- */

static void test_planner_stopped_while_merged_everybody_goes_home_in_order(void **state) {
    (void)state;
    config_ring(&config, 4, 2);
    struct virtual_hub *h = hub_of(4, 8);
    merge(h, 1, 3);
    virtual_hub_run(h, 3);
    h->planner_stopped = true;
    assert_true(reach_all_home(h, 8));
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_FINISHED, 20));
    assert_int_equal(loaded_operations(h), 0);
    h->planner_stopped = false;
    finish(h);
}

static void test_shutdown_while_merged_ends_idle(void **state) {
    (void)state;
    config_ring(&config, 4, 2);
    struct virtual_hub *h = hub_of(4, 9);
    merge(h, 1, 3);
    virtual_hub_run(h, 3);
    control_shutdown(h->control);
    double seconds = 0;
    while (!control_is_idle(h->control) && seconds < 20) {
        virtual_hub_run(h, 0.1);
        seconds += 0.1;
    }
    printf("shutdown with 3 slots joined: idle after %.1f s\n", seconds);
    assert_true(control_is_idle(h->control));
    assert_true(all_home(h));
    assert_int_equal(loaded_operations(h), 0);
    finish(h);
}

/* A new guard finds boundaries closed: the PLCs' watchdogs have opened them before, or it does by its first command. */
static void test_guard_started_anew_while_merged_takes_slots_into_service(void **state) {
    (void)state;
    static const double gap_s[] = {0.5, 0.05};
    for (unsigned i = 0; i < 2; i++) {
        config_ring(&config, 4, 2);
        struct virtual_hub *h = hub_of(4, 10);
        const struct control_boot boot = {.boot_id = 0x5eee, .latches_known = true};
        merge(h, 1, 3);
        virtual_hub_run(h, 3);
        for (double t = 0; t < gap_s[i]; t += 0.001) {
            h->now_us += 1000;
            frame_batch_clear(&h->from_plant);
            plant_step(h->plant, h->now_us, &h->from_plant);
        }
        control_init(h->control, &h->config, &boot, h->now_us);
        for (uint32_t n = 0; n < h->config.interfaces; n++) {
            control_interface(h->control, n, INTERFACE_UP, h->now_us);
        }
        virtual_hub_run(h, 5);
        assert_int_equal(plant_unplug(h->plant, 1, true), PLANT_OK);
        virtual_hub_run(h, 5);
        for (int gun = 1; gun <= 4; gun++) {
            assert_int_equal(virtual_hub_state(h, gun), GUN_STATE_AVAILABLE);
        }
        merge(h, 1, 3);
        finish(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_merge_one_by_one_and_the_vehicle_never_notices),
        cmocka_unit_test(test_slot_leaves_a_running_session_and_the_others_take_over),
        cmocka_unit_test(test_reclaimed_slot_waits_for_those_beyond_it),
        cmocka_unit_test(test_reclaim_is_quick_whenever_it_comes),
        cmocka_unit_test(test_two_islands_at_once),
        cmocka_unit_test(test_boundaries_of_two_contactors_merge_and_split),
        cmocka_unit_test(test_two_slots_use_one_of_their_two_boundaries),
        cmocka_unit_test(test_slots_without_gun_lend),
        cmocka_unit_test(test_planner_stopped_while_merged_everybody_goes_home_in_order),
        cmocka_unit_test(test_shutdown_while_merged_ends_idle),
        cmocka_unit_test(test_guard_started_anew_while_merged_takes_slots_into_service),
    };
    cmocka_set_test_filter(getenv("RINGMAIN_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
