/* The guard's pure core through its own interface, with the virtual hub's PLCs and modules at the other end of the wire:
 * commands with their refusals, leases, sessions and their records, events, order of frames, stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub_codec.h"
#include "tests/integration/virtual_hub.h"

static struct config config;
static struct virtual_hub *hub;

static int setup(void **state) {
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

static int teardown(void **state) {
    (void)state;
    virtual_hub_destroy(hub);
    return 0;
}

static struct command command_of(enum command_type type, unsigned slot, unsigned a,
                                 const char *text) {
    struct command k = {.type = (uint16_t)type, .slot = (uint16_t)slot, .a = (uint16_t)a};
    strncpy(k.text, text, sizeof k.text - 1);
    return k;
}

static enum command_status give(enum command_type type, unsigned slot, unsigned a,
                                const char *text) {
    return virtual_hub_command(hub, command_of(type, slot, a, text));
}

static enum command_status give_value(enum command_type type, unsigned slot, unsigned a,
                                      int64_t value, double seconds) {
    struct command k = command_of(type, slot, a, "");
    k.value = value;
    k.expires_mono_ns = (hub->now_us + (int64_t)(seconds * 1e6)) * 1000;
    return virtual_hub_command(hub, k);
}

static void plug(int gun, double soc_pct, double target_pct) {
    const struct plant_vehicle_wish wish = {
        .soc_pct = soc_pct, .target_soc_pct = target_pct, .stay_s = 3};
    assert_int_equal(plant_plug(hub->plant, gun, &wish), PLANT_OK);
    virtual_hub_run(hub, 0.5);
}

static void charge(int gun) {
    plug(gun, 30, 80);
    assert_int_equal(
        give(COMMAND_AUTHORISE, virtual_hub_slot(hub, gun), AUTH_SOURCE_REMOTE, "CARD"),
        COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, gun, GUN_STATE_CHARGING, 30));
    virtual_hub_run(hub, 5);
}

static const struct status_slot *shown(unsigned slot) {
    control_status(hub->control, hub->now_us, &hub->status);
    return &hub->status.slot[slot];
}

/* ---- boot --------------------------------------------------------------------------------------------------- */

static void test_boot_all_outputs_off_until_released(void **state) {
    (void)state;
    const struct plant_options options = {.seed = 3};
    struct virtual_hub *h = virtual_hub_create(&config, &options, false);
    assert_non_null(h);
    virtual_hub_run(h, 0.3);
    control_status(h->control, h->now_us, &h->status);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(h->status.slot[i].gun_state, GUN_STATE_UNAVAILABLE);
        assert_true((h->status.slot[i].flags & STATUS_SLOT_BOOT_HOLD) != 0);
    }
    assert_true(control_is_idle(h->control));
    assert_int_equal(h->log[0].type, EVENT_BOOT);
    assert_int_equal(h->log[0].value, 0x5eed);
    virtual_hub_run(h, 2);
    assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_AVAILABLE);
    assert_int_equal(h->events_by_type[EVENT_FAULT_RAISED], 0);
    virtual_hub_destroy(h);
}

static void test_boot_without_known_latches_waits_for_them(void **state) {
    (void)state;
    struct control *c = aligned_alloc(RM_CACHE_LINE, control_size());
    const struct control_boot boot = {.boot_id = 1, .latches_known = false};
    assert_non_null(c);
    control_init(c, &config, &boot, 1000);
    struct command_result result;
    struct command k = {.id = 77, .type = COMMAND_LATCHES, .slot = 0, .value = 1ll << FAULT_COUNT};
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.id, 77);
    assert_int_equal(result.status, COMMAND_STATUS_BAD_VALUE);
    k.value = 1ll << FAULT_CONTACTOR_WELDED;
    k.slot = 2;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_BAD_SLOT);
    k.slot = 0;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_OK);
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_STATE);
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = true;
    control_latches(c, latched, &estop);
    assert_int_equal(latched[0], 1ull << FAULT_CONTACTOR_WELDED);
    assert_int_equal(latched[1], 0);
    assert_false(estop);
    k.slot = 1; /* S3: an e-stop outlives the memory of a machine that was switched off */
    k.value = 1ll << FAULT_ESTOP;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_OK);
    control_latches(c, latched, &estop);
    assert_true(estop);
    free(c);
}

/* ---- commands refused --------------------------------------------------------------------------------------- */

static void test_command_refusals_name_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        uint16_t type, slot, a;
        int64_t value, expires_s;
        const char *text;
        enum command_status expected;
    } refused[] = {
        {COMMAND_NONE, 0, 0, 0, 0, "", COMMAND_STATUS_UNKNOWN},
        {COMMAND_TYPE_COUNT, 0, 0, 0, 0, "", COMMAND_STATUS_UNKNOWN},
        {0xffff, 0xffff, 0xffff, -1, -1, "\x01", COMMAND_STATUS_UNKNOWN},
        {COMMAND_AUTHORISE, 2, AUTH_SOURCE_REMOTE, 0, 0, "T", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_AUTHORISE, 0xffff, AUTH_SOURCE_REMOTE, 0, 0, "T", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_AUTHORISE, 0, AUTH_SOURCE_NONE, 0, 0, "T", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_AUTHORISE, 0, AUTH_SOURCE_COUNT, 0, 0, "T", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, 0, 0, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, 0, 0, "a\x1b", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_DENY, 0, 0, 0, 0, "", COMMAND_STATUS_STATE},
        {COMMAND_STOP, 0, STOP_REASON_REMOTE, 0, 0, "", COMMAND_STATUS_STATE},
        {COMMAND_STOP, 0, STOP_REASON_VEHICLE, 0, 0, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, -1, 60, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, INT64_MAX, 60, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_SITE_LIMIT, 0, LIMIT_REASON_GRID, 1000, 60, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 1000, -1, "", COMMAND_STATUS_EXPIRED},
        {COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 1000, 3601, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_GUN_LIMIT, 2, LIMIT_REASON_PROFILE, 1000, 60, "", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_GUN_LIMIT, 0, LIMIT_REASON_LEASE, 1000, 60, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_GUN_LIMIT, 0, LIMIT_REASON_PROFILE, 1000, 0, "", COMMAND_STATUS_EXPIRED},
        {COMMAND_AVAILABILITY, 0, 2, 0, 0, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_AVAILABILITY, 9, 1, 0, 0, "", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_RESERVE, 0, 1, 0, 60, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_RESERVE, 0, 2, 0, 60, "T", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_RESERVE, 0, 1, 0, -5, "T", COMMAND_STATUS_EXPIRED},
        {COMMAND_RESERVE, 0, 0, 0, 0, "", COMMAND_STATUS_NOT_FOUND},
        {COMMAND_CLEAR_FAULT, 2, 0, 0, 0, "", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_CLEAR_FAULT, 0, FAULT_COUNT, 0, 0, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_CLEAR_FAULT, 0, FAULT_ESTOP, 0, 0, "", COMMAND_STATUS_LATCHED},
        {COMMAND_CLEAR_FAULT, 0, FAULT_IMD_LOW, 0, 0, "", COMMAND_STATUS_NOT_FOUND},
        {COMMAND_RESET_ESTOP, 0, 0, 0, 0, "", COMMAND_STATUS_NOT_FOUND},
        {COMMAND_ACK_SESSION, 0, 0, 12345, 0, "", COMMAND_STATUS_NOT_FOUND},
        {COMMAND_ACK_SESSION, 2, 0, 12345, 0, "", COMMAND_STATUS_BAD_SLOT},
        {COMMAND_PRIORITY, 0, 8, 0, 0, "", COMMAND_STATUS_BAD_VALUE},
        {COMMAND_LATCHES, 0, 0, 0, 0, "", COMMAND_STATUS_STATE},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct command k = command_of((enum command_type)refused[i].type, refused[i].slot,
                                      refused[i].a, refused[i].text);
        k.value = refused[i].value;
        k.expires_mono_ns = (hub->now_us + refused[i].expires_s * 1000000) * 1000;
        const enum command_status status = virtual_hub_command(hub, k);
        if (status != refused[i].expected) {
            fail_msg("row %u (%s): %s, not %s", i, command_type_name(refused[i].type),
                     command_status_name(status), command_status_name(refused[i].expected));
        }
    }
    virtual_hub_run(hub, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_AVAILABLE);
}

static void test_authorise_token_without_end_is_refused(void **state) {
    (void)state;
    struct command k = {.type = COMMAND_AUTHORISE, .slot = 0, .a = AUTH_SOURCE_REMOTE};
    memset(k.text, 'x', sizeof k.text);
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_BAD_VALUE);
}

/* ---- sessions ----------------------------------------------------------------------------------------------- */

static void test_session_record_and_events_tell_what_happened(void **state) {
    (void)state;
    static const enum event_type order[] = {EVENT_PLUGGED, EVENT_SESSION_STARTED,
                                            EVENT_SESSION_ENERGISED, EVENT_SESSION_ENDED,
                                            EVENT_UNPLUGGED};
    hub->no_acknowledgement = true;
    plug(1, 60, 62);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_LOCAL_LIST, "CARD42"),
                     COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    struct plant_gun_state truth;
    double energy_wh = 0;
    while (virtual_hub_state(hub, 1) != GUN_STATE_FINISHED) {
        virtual_hub_run(hub, 0.5);
        assert_int_equal(plant_gun_state(hub->plant, 1, &truth), PLANT_OK);
        energy_wh = truth.energy_wh > energy_wh ? truth.energy_wh : energy_wh;
    }
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 30));
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &seq);
    assert_int_equal(records->running.session_id, 0);
    assert_int_equal(records->finished_count, 1);
    const struct session_record *r = &records->finished[0];
    assert_int_equal(r->session_id, 0x5eed00000001);
    assert_int_equal(r->boot_id, 0x5eed);
    assert_int_equal(r->slot, 0);
    assert_int_equal(r->auth_source, AUTH_SOURCE_LOCAL_LIST);
    assert_string_equal(r->id_token, "CARD42");
    assert_int_equal(r->stop_reason, STOP_REASON_VEHICLE);
    assert_int_equal(r->fault, FAULT_NONE);
    assert_int_equal(r->energised, 1);
    assert_in_range(r->soc_start_pct, 59, 61);
    assert_in_range(r->soc_stop_pct, 61, 63);
    assert_true(r->stop_mono_ns > r->start_mono_ns);
    assert_true(r->charging_ms > 0);
    assert_true(energy_wh > 100);
    assert_true((double)r->energy_mwh / 1e3 > energy_wh * 0.97);
    assert_true((double)r->energy_mwh / 1e3 < energy_wh * 1.03);
    assert_true(r->meter_stop_wh - r->meter_start_wh <= r->energy_mwh / 1000 + 100);
    assert_true(r->peak_w > 1000 && r->peak_w <= 62000);
    assert_true(r->evccid[0] != '\0');
    uint32_t from = 0;
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
        const struct event *e = virtual_hub_event(hub, order[i], 0, &from);
        assert_non_null(e);
        if (order[i] == EVENT_SESSION_STARTED) {
            assert_int_equal(e->value, r->session_id);
            assert_string_equal(e->text, "CARD42");
        }
    }
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

static void test_stop_by_command_ends_with_its_reason(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    charge(1);
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_DEAUTHORISED, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FINISHED, 20));
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &seq);
    assert_int_equal(records->finished[0].stop_reason, STOP_REASON_DEAUTHORISED);
    assert_int_equal(records->finished[0].fault, FAULT_NONE);
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_STATE);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_STATE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

static void test_acknowledge_frees_the_record_and_only_that(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    charge(1);
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 60));
    uint64_t before = 0, after = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &before);
    const uint64_t id = records->finished[0].session_id;
    struct command k = {.type = COMMAND_ACK_SESSION, .slot = 0, .value = (int64_t)id + 1};
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_NOT_FOUND);
    k.value = (int64_t)id;
    k.slot = 1;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_NOT_FOUND);
    k.slot = 0;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_NOT_FOUND);
    (void)control_sessions(hub->control, 0, &after);
    assert_int_equal(records->finished_count, 0);
    assert_true(after > before);
}

static void fill_records(struct session_slot *from, uint32_t count) {
    memset(from, 0, sizeof *from);
    from->finished_count = count;
    for (uint32_t i = 0; i < count && i < SESSIONS_FINISHED_MAX; i++) {
        from->finished[i].session_id = 100 + i;
        from->finished[i].energy_mwh = 1000 * i;
    }
}

static void test_sixteen_unacknowledged_records_block_and_say_so(void **state) {
    (void)state;
    struct session_slot from;
    fill_records(&from, SESSIONS_FINISHED_MAX);
    control_adopt_sessions(hub->control, 0, &from);
    plug(1, 50, 60);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_STATE);
    assert_true((shown(0)->flags & STATUS_SLOT_SESSIONS_FULL) != 0);
    struct command k = {.type = COMMAND_ACK_SESSION, .slot = 0, .value = 107};
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &seq);
    assert_int_equal(records->finished_count, 15);
    assert_int_equal(records->finished[7].session_id, 108);
    assert_int_equal(records->finished[15].session_id, 0);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    assert_true((shown(0)->flags & STATUS_SLOT_SESSIONS_FULL) == 0);
}

static void test_adopted_running_session_is_finished_by_restart(void **state) {
    (void)state;
    struct session_slot from;
    fill_records(&from, 2);
    from.running.session_id = 999;
    from.running.energy_mwh = 5000000;
    from.running.start_mono_ns = 1;
    control_adopt_sessions(hub->control, 1, &from);
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 1, &seq);
    assert_int_equal(records->running.session_id, 0);
    assert_int_equal(records->finished_count, 3);
    assert_int_equal(records->finished[2].session_id, 999);
    assert_int_equal(records->finished[2].stop_reason, STOP_REASON_RESTART);
    assert_int_equal(records->finished[2].energy_mwh, 5000000);
    assert_true(records->finished[2].stop_mono_ns > 0);
}

static void test_adopting_nonsense_counts_is_survived(void **state) {
    (void)state;
    struct session_slot from;
    memset(&from, 0xff, sizeof from);
    control_adopt_sessions(hub->control, 0, &from);
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count,
                     SESSIONS_FINISHED_MAX);
    memset(&from, 0, sizeof from);
    from.finished_count = 7; /* empty records */
    control_adopt_sessions(hub->control, 0, &from);
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count, 0);
}

/* ---- leases ------------------------------------------------------------------------------------------------- */

static void test_site_limit_is_a_lease_and_falls_to_the_fail_safe(void **state) {
    (void)state;
    hub->nrt_stopped = true;
    charge(1);
    assert_int_equal(give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 10000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(shown(0)->limit_reason, LIMIT_REASON_LEASE);
    assert_true(shown(0)->power_w <= 10000);
    assert_true(shown(0)->power_w > 8000);
    assert_int_equal(hub->status.site_limit_w, 10000);
    assert_true((shown(0)->flags & STATUS_SLOT_POWER_CONSTRAINED) != 0);
    virtual_hub_run(hub, 6);
    (void)shown(0);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_FAILSAFE);
    assert_int_equal(hub->status.site_limit_w, config.fail_safe_limit_w < config.grid_limit_w
                                                   ? config.fail_safe_limit_w
                                                   : config.grid_limit_w);
    assert_int_equal(hub->status.lease_expires_mono_ns, 0);
    assert_int_equal(shown(0)->gun_state, GUN_STATE_CHARGING); /* it goes on */
    uint32_t from = 0;
    bool seen = false;
    const struct event *e;
    while ((e = virtual_hub_event(hub, EVENT_LIMIT, EVENT_SLOT_NONE, &from)) != NULL) {
        seen |= e->a == LIMIT_REASON_LEASE && e->value == 10000;
    }
    assert_true(seen);
}

static void test_lease_above_the_grid_limit_is_the_grid_limit(void **state) {
    (void)state;
    assert_int_equal(give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 900000000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 0.1);
    (void)shown(0);
    assert_int_equal(hub->status.site_limit_w, config.grid_limit_w);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_GRID);
}

static void test_gun_limit_binds_one_gun_until_it_expires(void **state) {
    (void)state;
    charge(1);
    charge(2);
    const int32_t before_w = shown(0)->power_w;
    assert_int_equal(give_value(COMMAND_GUN_LIMIT, 0, LIMIT_REASON_PROFILE, 7000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(shown(0)->limit_reason, LIMIT_REASON_PROFILE);
    assert_in_range(shown(0)->power_w, 6000, 7050);
    assert_true(shown(1)->power_w > 7100);
    virtual_hub_run(hub, 10);
    assert_true(shown(0)->power_w > before_w / 2);
    assert_int_not_equal(shown(0)->limit_reason, LIMIT_REASON_PROFILE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- authorisation, reservation, availability --------------------------------------------------------------- */

static void test_token_before_the_plug_is_kept_a_minute(void **state) {
    (void)state;
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "EARLY"), COMMAND_STATUS_OK);
    assert_int_equal(give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "LATE"), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 50);
    plug(1, 50, 55);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    virtual_hub_run(hub, 10);
    plug(2, 50, 55);
    virtual_hub_run(hub, 10);
    assert_int_equal(virtual_hub_state(hub, 2), GUN_STATE_PLUGGED);
}

static void test_denied_vehicle_does_not_charge(void **state) {
    (void)state;
    plug(1, 50, 55);
    assert_int_equal(give(COMMAND_DENY, 0, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 20);
    assert_int_not_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
}

static void test_reserved_gun_takes_only_its_token(void **state) {
    (void)state;
    struct command k = command_of(COMMAND_RESERVE, 0, 1, "MINE");
    k.expires_mono_ns = (hub->now_us + 600000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_true((shown(0)->flags & STATUS_SLOT_RESERVED) != 0);
    k = command_of(COMMAND_RESERVE, 0, 1, "OTHER");
    k.expires_mono_ns = (hub->now_us + 600000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_STATE);
    plug(1, 50, 55);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "OTHER"), COMMAND_STATUS_STATE);
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "MINE"), COMMAND_STATUS_OK);
    assert_true((shown(0)->flags & STATUS_SLOT_RESERVED) == 0);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
}

static void test_reservation_lapses_and_can_be_cancelled(void **state) {
    (void)state;
    struct command k = command_of(COMMAND_RESERVE, 0, 1, "MINE");
    k.expires_mono_ns = (hub->now_us + 1000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_int_equal(give(COMMAND_RESERVE, 0, 0, ""), COMMAND_STATUS_OK);
    assert_int_equal(give(COMMAND_RESERVE, 0, 0, ""), COMMAND_STATUS_NOT_FOUND);
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 1.1);
    assert_true((shown(0)->flags & STATUS_SLOT_RESERVED) == 0);
}

static void test_inoperative_waits_for_the_session_to_end(void **state) {
    (void)state;
    charge(1);
    assert_int_equal(give(COMMAND_AVAILABILITY, 0, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 2);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_LOCAL, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_UNAVAILABLE, 60));
    assert_int_equal(give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_STATE);
    assert_int_equal(give(COMMAND_AVAILABILITY, 0, 1, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 0.1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_AVAILABLE);
}

/* ---- faults ------------------------------------------------------------------------------------------------- */

static bool is_contactor_frame(const struct bus_frame *f) {
    return config.interface[f->interface].role == INTERFACE_ROLE_PLC &&
           (f->frame.can_id & 0x7f0u) == 0x390u;
}

static void test_estop_all_off_frames_lead_and_only_a_reset_frees(void **state) {
    (void)state;
    charge(1);
    charge(2);
    plant_estop(hub->plant, true);
    bool led = false;
    for (int ms = 0; ms < 600 && !led; ms++) {
        virtual_hub_run(hub, 0.001);
        const struct frame_batch *tx = &hub->to_plant;
        if (tx->count >= 2 && is_contactor_frame(&tx->item[0]) &&
            (tx->item[0].frame.data[0] & 0x9fu) == 0x80u) {
            led = is_contactor_frame(&tx->item[1]);
        }
    }
    assert_true(led);
    virtual_hub_run(hub, 3);
    assert_int_equal(shown(0)->gun_state, GUN_STATE_FAULTED);
    assert_int_equal(hub->status.estop, 1);
    assert_int_equal(give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""), COMMAND_STATUS_LATCHED);
    plant_estop(hub->plant, false);
    virtual_hub_run(hub, 3);
    assert_int_equal(shown(0)->gun_state, GUN_STATE_FAULTED); /* never by itself */
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = false;
    control_latches(hub->control, latched, &estop);
    assert_true(estop);
    assert_int_equal(give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    for (int gun = 1; gun <= 2; gun++) {
        (void)plant_unplug(hub->plant, gun, false);
        assert_true(virtual_hub_reach(hub, gun, GUN_STATE_AVAILABLE, 20));
    }
    assert_int_equal(hub->events_by_type[EVENT_ESTOP], 2);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

static void test_estop_reset_with_a_silent_plc_is_refused_and_names_its_slot(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 2};
    const struct command asked = command_of(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, "");
    struct command_result answer;
    plant_estop(hub->plant, true);
    virtual_hub_run(hub, 1);
    plant_estop(hub->plant, false);
    assert_int_equal(plant_inject(hub->plant, "plc-silent", &fault), PLANT_OK);
    virtual_hub_run(hub, 2);
    control_command(hub->control, &asked, &answer, hub->now_us);
    assert_int_equal(answer.status, COMMAND_STATUS_LATCHED);
    assert_int_equal(COMMAND_DETAIL_FAULT(answer.detail), FAULT_PLC_LOST);
    assert_int_equal(COMMAND_DETAIL_SLOT(answer.detail), virtual_hub_slot(hub, 2));
    virtual_hub_run(hub, 1);
    (void)shown(0);
    assert_int_equal(hub->status.estop, 1);
    assert_int_equal(plant_clear(hub->plant, 2), PLANT_OK);
    virtual_hub_run(hub, 3);
    assert_int_equal(give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 1);
    (void)shown(0);
    assert_int_equal(hub->status.estop, 0);
}

/* It speaks, but it does not hear: LAST_CMD_SEQ_APPLIED is never ours. */
static void deaf_plc(int gun, bool energised) {
    const struct config_slot *slot = &config.slot[virtual_hub_slot(hub, gun)];
    struct can_frame status = {.can_id = 0x150 | CAN_EFF_FLAG, .len = 8};
    const struct plant_fault fault = {.gun = gun};
    status.can_id |= slot->plc_id;
    status.data[1] = energised ? 0x0d : 0; /* GC, MN0, MN1 */
    status.data[5] = 0xEE;
    status.data[7] = hub_crc8(status.data, 7);
    assert_int_equal(plant_inject(hub->plant, "plc-silent", &fault), PLANT_OK);
    for (unsigned n = 0; n < 30; n++) {
        virtual_hub_run(hub, 0.1);
        control_rx(hub->control, slot->interface, &status, hub->now_us);
    }
}

/* A PLC that hears nothing for three seconds while nobody charges: no session end will ever take the verdict back. */
static void test_unacknowledged_commands_of_an_idle_gun_pass_once_all_off_is_heard(void **state) {
    (void)state;
    deaf_plc(1, false);
    assert_true((shown(0)->faults >> FAULT_PLC_ACK & 1) != 0);
    virtual_hub_run(hub, 0.1);
    assert_true((shown(0)->faults >> FAULT_PLC_ACK & 1) != 0);
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 3); /* heard again, and acknowledging */
    assert_int_equal(shown(0)->faults, 0);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 5));
}

static void test_unacknowledged_commands_end_the_session_and_need_nobody(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    charge(1);
    deaf_plc(1, true);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 10));
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = false;
    control_latches(hub->control, latched, &estop);
    assert_int_equal(latched[0] >> FAULT_PLC_ACK & 1, 0);
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(shown(0)->faults >> FAULT_PLC_ACK & 1, 0);
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count, 1);
}

static void test_latched_weld_stays_until_cleared_after_repair(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 1, .contactor = "GC"};
    charge(1);
    assert_int_equal(plant_inject(hub->plant, "contactor-weld", &fault), PLANT_OK);
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 30));
    assert_int_equal(shown(0)->fault, FAULT_CONTACTOR_WELDED);
    virtual_hub_run(hub, 5);
    struct command_result answer;
    const struct command asked = command_of(COMMAND_CLEAR_FAULT, EVENT_SLOT_NONE, 0, "");
    control_command(hub->control, &asked, &answer, hub->now_us);
    assert_int_equal(answer.status, COMMAND_STATUS_LATCHED);
    assert_int_equal(COMMAND_DETAIL_FAULT(answer.detail), FAULT_CONTACTOR_WELDED);
    assert_int_equal(COMMAND_DETAIL_SLOT(answer.detail), 0);
    virtual_hub_run(hub, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_FAULTED); /* still welded */
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_FAULTED); /* latched */
    assert_int_equal(give(COMMAND_CLEAR_FAULT, 0, FAULT_CONTACTOR_WELDED, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    (void)plant_unplug(hub->plant, 1, false);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 20));
    uint32_t from = 0;
    bool named = false;
    const struct event *e;
    while ((e = virtual_hub_event(hub, EVENT_FAULT_RAISED, 0, &from)) != NULL) {
        named |= e->a == FAULT_CONTACTOR_WELDED && e->b == CONTACTOR_GC;
    }
    assert_true(named);
}

static void test_planner_silent_ramps_down_then_stops(void **state) {
    (void)state;
    charge(1);
    hub->planner_stopped = true;
    virtual_hub_run(hub, 0.6);
    assert_int_equal(shown(0)->limit_reason, LIMIT_REASON_PLANNER);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FINISHED, 5));
    assert_int_equal(shown(0)->stop_reason, STOP_REASON_FAULT);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- proposals, interfaces, shutdown ------------------------------------------------------------------------ */

/* The seq of the input that a proposal would answer now. */
static uint64_t input_seq(void) {
    static struct plan_input input;
    control_plan_input(hub->control, hub->now_us, &input);
    return input.seq;
}

static void test_malformed_proposals_are_rejected_and_counted(void **state) {
    (void)state;
    static struct proposal p;
    const struct proposal good = {.seq = input_seq(), .input_us = hub->now_us, .slots = 2};
    unsigned rejected = 0;
    for (unsigned kind = 0; kind < 8; kind++) {
        p = good;
        p.slot[0].owner = p.slot[1].owner = -1;
        switch (kind) {
        case 0: p.slots = 3; break;
        case 1: p.slots = 0xffffffff; break;
        case 2: p.input_us = hub->now_us + 1; break;
        case 3: p.slot[1].owner = 2; break;
        case 4: p.slot[1].owner = -2; break;
        case 5: p.slot[0].module[1].set_ma = -1; break;
        case 6: p.slot[0].module[0].set_mv = 1500001; break;
        case 7: p.slot[0].budget_w = -1; break;
        }
        control_proposal(hub->control, &p, hub->now_us);
        rejected++;
        (void)shown(0);
        assert_int_equal(hub->status.proposals_rejected, rejected);
    }
    p = good;
    p.slot[0].owner = p.slot[1].owner = -1;
    control_proposal(hub->control, &p, hub->now_us);
    (void)shown(0);
    assert_int_equal(hub->status.proposals_rejected, rejected);
    p.seq = 1; /* an older one */
    control_proposal(hub->control, &p, hub->now_us);
    (void)shown(0);
    assert_int_equal(hub->status.proposals_rejected, rejected + 1);
    virtual_hub_run(hub, 0.01);
    uint32_t from = 0;
    assert_non_null(virtual_hub_event(hub, EVENT_PROPOSAL_REJECTED, EVENT_SLOT_NONE, &from));
}

static void test_proposal_to_an_input_never_given_is_rejected_and_shuts_nobody_out(void **state) {
    (void)state;
    static struct proposal p;
    static const uint64_t beyond[] = {1, 2, UINT64_MAX / 2, UINT64_MAX};
    charge(1);
    (void)shown(0);
    const uint64_t before = hub->status.proposals_rejected;
    const uint64_t newest = input_seq();
    for (unsigned n = 0; n < sizeof beyond / sizeof beyond[0]; n++) {
        p = (struct proposal){.input_us = hub->now_us, .slots = 2};
        p.seq = beyond[n] > UINT64_MAX - newest ? UINT64_MAX : newest + beyond[n];
        p.slot[0].owner = p.slot[1].owner = -1;
        control_proposal(hub->control, &p, hub->now_us);
        (void)shown(0);
        assert_int_equal(hub->status.proposals_rejected, before + n + 1);
    }
    virtual_hub_run(hub, 2);
    (void)shown(0);
    assert_int_equal(hub->status.proposals_rejected, before + 4);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
}

static void test_faulted_gun_that_stays_plugged_is_no_rejected_proposal(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 1, .contactor = "GC"};
    charge(1);
    assert_int_equal(plant_inject(hub->plant, "contactor-weld", &fault), PLANT_OK);
    const uint32_t before = shown(0)->rejected_proposals;
    const uint64_t events = hub->events_by_type[EVENT_PROPOSAL_REJECTED];
    assert_int_equal(give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 30));
    virtual_hub_run(hub, 10);
    assert_int_equal(shown(0)->locked, 1); /* G5 holds the plug of a gun that may be live */
    assert_int_equal(shown(0)->rejected_proposals, before);
    assert_int_equal(hub->events_by_type[EVENT_PROPOSAL_REJECTED], events);
}

static void test_broken_power_path_is_no_rejected_proposal(void **state) {
    (void)state;
    const struct plant_fault module = {.gun = 1, .module = 0}, gc = {.gun = 2, .contactor = "GC"};
    charge(1);
    charge(2);
    assert_int_equal(plant_inject(hub->plant, "module-silent", &module), PLANT_OK);
    assert_int_equal(plant_inject(hub->plant, "contactor-stuck-open", &gc), PLANT_OK);
    virtual_hub_run(hub, 10);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
    assert_int_not_equal(virtual_hub_state(hub, 2), GUN_STATE_CHARGING);
    assert_int_equal(hub->events_by_type[EVENT_PROPOSAL_REJECTED], 0);
}

static void test_healthy_meter_is_not_reported(void **state) {
    (void)state;
    charge(1);
    charge(2);
    virtual_hub_run(hub, 20);
    assert_int_equal(hub->events_by_type[EVENT_METER], 0);
}

/* Kernel filters keep them away from CAN; a socket bus has none. */
static void test_frames_of_the_wrong_format_are_counted(void **state) {
    (void)state;
    static const struct can_frame refused[] = {
        {.can_id = 0x150, .len = 8},                 /* standard */
        {.can_id = 0x7ff0 | CAN_EFF_FLAG, .len = 8}, /* nobody's */
        {.can_id = 0x1500000 | CAN_EFF_FLAG | CAN_RTR_FLAG, .len = 8},
    };
    (void)shown(0);
    const uint32_t before = hub->status.interface[0].rx_dropped;
    for (unsigned n = 0; n < sizeof refused / sizeof refused[0]; n++) {
        control_rx(hub->control, 0, &refused[n], hub->now_us);
        (void)shown(0);
        assert_int_equal(hub->status.interface[0].rx_dropped, before + n + 1);
    }
}

static void test_module_bus_down_is_an_error_stop_at_once(void **state) {
    (void)state;
    const uint32_t bus = config.slot[0].module[0].interface;
    hub->no_acknowledgement = true;
    charge(1);
    assert_true(shown(0)->gun_ma > 5000);
    control_interface(hub->control, bus, INTERFACE_BUS_OFF, hub->now_us);
    virtual_hub_run(hub, 0.05);
    assert_true((shown(0)->faults >> FAULT_MODULE_LOST & 1) != 0);
    assert_int_equal(shown(0)->stop_class, STOP_CLASS_ERROR);
    assert_int_equal(shown(0)->gun_state, GUN_STATE_RAMP_DOWN);
    virtual_hub_run(hub, 1);
    assert_int_equal(shown(0)->contactor[CONTACTOR_GC].command, 0);
    control_interface(hub->control, bus, INTERFACE_UP, hub->now_us);
    virtual_hub_run(hub, 3);
    assert_int_equal(shown(0)->faults, 0); /* heard again */
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count, 1);
}

static void test_interface_changes_are_reported_once(void **state) {
    (void)state;
    const uint64_t before = hub->events_by_type[EVENT_INTERFACE];
    control_interface(hub->control, 0, INTERFACE_BUS_OFF, hub->now_us);
    control_interface(hub->control, 0, INTERFACE_BUS_OFF, hub->now_us);
    control_interface(hub->control, 99, INTERFACE_UP, hub->now_us);
    control_interface(hub->control, 0, INTERFACE_STATE_COUNT, hub->now_us);
    virtual_hub_run(hub, 0.1);
    assert_int_equal(hub->events_by_type[EVENT_INTERFACE] - before, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_UNAVAILABLE);
    control_interface(hub->control, 0, INTERFACE_UP, hub->now_us);
    virtual_hub_run(hub, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_AVAILABLE);
    (void)shown(0);
    assert_int_equal(hub->status.interface[0].restarts, 1);
}

/* 96 slots with ten latched faults each, and a hundred changes of an interface, in the first step of a run. */
static void test_more_events_than_a_batch_holds_come_in_the_next_step(void **state) {
    (void)state;
    static struct config large;
    static struct frame_batch tx;
    static struct event_batch events;
    struct control_boot boot = {.boot_id = 1, .latches_known = true, .estop_latched = true};
    config_ring(&large, 96, 2);
    for (unsigned i = 0; i < RM_SLOTS_MAX; i++) {
        boot.latched[i] = UINT64_MAX;
    }
    struct control *c = aligned_alloc(RM_CACHE_LINE, control_size());
    assert_non_null(c);
    control_init(c, &large, &boot, 1000);
    for (unsigned i = 0; i < 100; i++) {
        control_interface(c, 0, i % 2 == 0 ? INTERFACE_UP : INTERFACE_BUS_OFF, 1000);
    }
    unsigned raised = 0, step[3];
    for (unsigned n = 0; n < 3; n++) {
        control_step(c, 1000 + 5000 * n, &tx, &events);
        assert_int_equal(events.dropped, 0);
        step[n] = events.count;
        for (uint32_t i = 0; i < events.count; i++) {
            raised += events.item[i].type == EVENT_FAULT_RAISED;
        }
    }
    assert_int_equal(step[0], EVENT_BATCH_MAX);
    assert_true(step[1] > 0);
    assert_int_equal(step[2], 0);
    unsigned latching = 0;
    for (unsigned code = 1; code < FAULT_COUNT; code++) {
        latching += fault_info(code)->latched;
    }
    assert_int_equal(raised, 96 * latching); /* each once */
    free(c);
}

static void test_shutdown_ends_sessions_and_becomes_idle(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    charge(1);
    assert_false(control_is_idle(hub->control));
    control_shutdown(hub->control);
    for (int s = 0; s < 20 && !control_is_idle(hub->control); s++) {
        virtual_hub_run(hub, 1);
    }
    assert_true(control_is_idle(hub->control));
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished[0].stop_reason,
                     STOP_REASON_RESTART);
    assert_int_equal(give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_STATE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- anything at all ---------------------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252ull;

static uint64_t draw(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void random_frame(void) {
    struct can_frame frame;
    const uint64_t bits = draw();
    frame.can_id = (canid_t)(draw() % 5 == 0 ? draw() : CAN_EFF_FLAG | (draw() & 0x4ff));
    frame.len = draw() % 8 == 0 ? (uint8_t)(draw() % 9) : 8;
    memcpy(frame.data, &bits, sizeof bits);
    control_rx(hub->control, (uint32_t)(draw() % 6), &frame, hub->now_us);
}

static void random_command(void) {
    struct command k;
    uint64_t *words = (uint64_t *)(void *)&k;
    for (unsigned i = 0; i < sizeof k / sizeof *words; i++) {
        words[i] = draw();
    }
    k.type = (uint16_t)(draw() % (COMMAND_TYPE_COUNT + 1));
    k.slot = (uint16_t)(draw() % 3);
    k.a = (uint16_t)(draw() % 5);
    struct command_result result;
    control_command(hub->control, &k, &result, hub->now_us);
    assert_int_equal(result.id, k.id);
    assert_true(result.status < COMMAND_STATUS_COUNT);
}

static void random_proposal(void) {
    static struct proposal p;
    p = (struct proposal){.seq = input_seq(), .input_us = hub->now_us, .slots = 2};
    for (unsigned i = 0; i < 2; i++) {
        p.slot[i].owner = (int16_t)((int)(draw() % 4) - 1);
        p.slot[i].edge_closed = draw() % 2 == 0;
        p.slot[i].budget_w = (int32_t)(draw() % 400000);
        for (unsigned j = 0; j < 2; j++) {
            p.slot[i].module[j] = (struct proposal_module){.mn = draw() % 2 == 0,
                                                           .run = draw() % 2 == 0,
                                                           .set_mv = (int32_t)(draw() % 1600000),
                                                           .set_ma = (int32_t)(draw() % 300000)};
        }
    }
    control_proposal(hub->control, &p, hub->now_us);
}

static void test_random_frames_commands_and_proposals_are_survived(void **state) {
    (void)state;
    charge(1);
    for (unsigned n = 0; n < 20000; n++) {
        for (unsigned k = 0; k < 10; k++) {
            random_frame();
        }
        if (n % 4 == 0) {
            random_command();
        }
        if (n % 10 == 0) {
            random_proposal();
        }
        virtual_hub_run(hub, 0.001);
    }
}

/* Random wishes of a planner gone mad, with a sound plant: no hazard, whatever it proposes. */
static void test_random_proposals_make_no_hazard_and_the_gun_comes_back(void **state) {
    (void)state;
    charge(1);
    hub->planner_stopped = true;
    plug(2, 40, 80);
    assert_int_equal(give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "CARD"), COMMAND_STATUS_OK);
    for (unsigned n = 0; n < 600; n++) {
        random_proposal();
        virtual_hub_run(hub, 0.05);
    }
    assert_int_equal(virtual_hub_hazards(hub), 0);
    hub->planner_stopped = false;
    for (int gun = 1; gun <= 2; gun++) {
        (void)give(COMMAND_STOP, virtual_hub_slot(hub, gun), STOP_REASON_REMOTE, "");
    }
    for (int gun = 1; gun <= 2; gun++) {
        assert_true(virtual_hub_reach(hub, gun, GUN_STATE_AVAILABLE, 60));
    }
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_boot_all_outputs_off_until_released),
        TEST(test_boot_without_known_latches_waits_for_them),
        TEST(test_command_refusals_name_what_is_wrong),
        TEST(test_authorise_token_without_end_is_refused),
        TEST(test_session_record_and_events_tell_what_happened),
        TEST(test_stop_by_command_ends_with_its_reason),
        TEST(test_acknowledge_frees_the_record_and_only_that),
        TEST(test_sixteen_unacknowledged_records_block_and_say_so),
        TEST(test_adopted_running_session_is_finished_by_restart),
        TEST(test_adopting_nonsense_counts_is_survived),
        TEST(test_site_limit_is_a_lease_and_falls_to_the_fail_safe),
        TEST(test_lease_above_the_grid_limit_is_the_grid_limit),
        TEST(test_gun_limit_binds_one_gun_until_it_expires),
        TEST(test_token_before_the_plug_is_kept_a_minute),
        TEST(test_denied_vehicle_does_not_charge),
        TEST(test_reserved_gun_takes_only_its_token),
        TEST(test_reservation_lapses_and_can_be_cancelled),
        TEST(test_inoperative_waits_for_the_session_to_end),
        TEST(test_estop_all_off_frames_lead_and_only_a_reset_frees),
        TEST(test_estop_reset_with_a_silent_plc_is_refused_and_names_its_slot),
        TEST(test_unacknowledged_commands_of_an_idle_gun_pass_once_all_off_is_heard),
        TEST(test_unacknowledged_commands_end_the_session_and_need_nobody),
        TEST(test_latched_weld_stays_until_cleared_after_repair),
        TEST(test_planner_silent_ramps_down_then_stops),
        TEST(test_malformed_proposals_are_rejected_and_counted),
        TEST(test_proposal_to_an_input_never_given_is_rejected_and_shuts_nobody_out),
        TEST(test_faulted_gun_that_stays_plugged_is_no_rejected_proposal),
        TEST(test_broken_power_path_is_no_rejected_proposal),
        TEST(test_healthy_meter_is_not_reported),
        TEST(test_frames_of_the_wrong_format_are_counted),
        TEST(test_module_bus_down_is_an_error_stop_at_once),
        TEST(test_interface_changes_are_reported_once),
        TEST(test_more_events_than_a_batch_holds_come_in_the_next_step),
        TEST(test_shutdown_ends_sessions_and_becomes_idle),
        TEST(test_random_frames_commands_and_proposals_are_survived),
        TEST(test_random_proposals_make_no_hazard_and_the_gun_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
