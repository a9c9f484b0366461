/* The guard's core and nrt: commands and their refusals, sessions and their records, leases, reservations. */
#include "tests/unit/rt/control/bench.h"

#include <stdlib.h>
#include <string.h>

#include "hub_codec.h"

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
        struct command k = bench_command((enum command_type)refused[i].type, refused[i].slot,
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
    bench_plug(1, 60, 62);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_LOCAL_LIST, "CARD42"),
                     COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    struct plant_gun_state truth;
    assert_int_equal(plant_gun_state(hub->plant, 1, &truth), PLANT_OK);
    const double from_wh = truth.meter_wh;
    double energy_wh = 0; /* what left the gun; the battery keeps a little less */
    while (virtual_hub_state(hub, 1) != GUN_STATE_FINISHED) {
        virtual_hub_run(hub, 0.5);
        assert_int_equal(plant_gun_state(hub->plant, 1, &truth), PLANT_OK);
        energy_wh = truth.meter_wh - from_wh;
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
    assert_true(r->peak_w > 62000 && r->peak_w <= 122000);
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
    bench_charge(1);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_DEAUTHORISED, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FINISHED, 20));
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &seq);
    assert_int_equal(records->finished[0].stop_reason, STOP_REASON_DEAUTHORISED);
    assert_int_equal(records->finished[0].fault, FAULT_NONE);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_STATE);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_STATE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

static void test_acknowledge_frees_the_record_and_only_that(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    bench_charge(1);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
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
    bench_plug(1, 50, 60);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_STATE);
    assert_true((bench_shown(0)->flags & STATUS_SLOT_SESSIONS_FULL) != 0);
    struct command k = {.type = COMMAND_ACK_SESSION, .slot = 0, .value = 107};
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    uint64_t seq = 0;
    const struct session_slot *records = control_sessions(hub->control, 0, &seq);
    assert_int_equal(records->finished_count, 15);
    assert_int_equal(records->finished[7].session_id, 108);
    assert_int_equal(records->finished[15].session_id, 0);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    assert_true((bench_shown(0)->flags & STATUS_SLOT_SESSIONS_FULL) == 0);
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
    bench_charge(1);
    assert_int_equal(bench_give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 10000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(bench_shown(0)->limit_reason, LIMIT_REASON_LEASE);
    assert_true(bench_shown(0)->power_w <= 10000);
    assert_true(bench_shown(0)->power_w > 8000);
    assert_int_equal(hub->status.site_limit_w, 10000);
    assert_true((bench_shown(0)->flags & STATUS_SLOT_POWER_CONSTRAINED) != 0);
    virtual_hub_run(hub, 6); /* over, but its limit is the lower one until T_grid has passed */
    (void)bench_shown(0);
    assert_int_equal(hub->status.lease_expires_mono_ns, 0);
    assert_int_equal(hub->status.site_limit_w, 10000);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_LEASE);
    virtual_hub_run(hub, config.interlock.t_grid_ms / 1000.0 - 1.1);
    (void)bench_shown(0);
    assert_int_equal(hub->status.site_limit_w, 10000);
    virtual_hub_run(hub, 0.3);
    (void)bench_shown(0);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_FAILSAFE);
    assert_int_equal(hub->status.site_limit_w, config.fail_safe_limit_w < config.grid_limit_w
                                                   ? config.fail_safe_limit_w
                                                   : config.grid_limit_w);
    assert_int_equal(hub->status.lease_expires_mono_ns, 0);
    assert_int_equal(bench_shown(0)->gun_state, GUN_STATE_CHARGING); /* it goes on */
    uint32_t from = 0;
    bool seen = false;
    const struct event *e;
    while ((e = virtual_hub_event(hub, EVENT_LIMIT, EVENT_SLOT_NONE, &from)) != NULL) {
        seen |= e->a == LIMIT_REASON_LEASE && e->value == 10000;
    }
    assert_true(seen);
}

/* More than the fail-safe limit is never used beyond a lease's end. */
static void test_lease_above_the_fail_safe_limit_falls_to_it_at_its_end(void **state) {
    (void)state;
    hub->nrt_stopped = true;
    hub->config.fail_safe_limit_w = 20000;
    assert_int_equal(bench_give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 30000, 5),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 4.9);
    (void)bench_shown(0);
    assert_int_equal(hub->status.site_limit_w, 30000);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_LEASE);
    virtual_hub_run(hub, 0.2);
    (void)bench_shown(0);
    assert_int_equal(hub->status.site_limit_w, 20000);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_FAILSAFE);
}

static void test_lease_above_the_grid_limit_is_the_grid_limit(void **state) {
    (void)state;
    assert_int_equal(bench_give_value(COMMAND_SITE_LIMIT, 0, LIMIT_REASON_LEASE, 900000000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 0.1);
    (void)bench_shown(0);
    assert_int_equal(hub->status.site_limit_w, config.grid_limit_w);
    assert_int_equal(hub->status.site_limit_reason, LIMIT_REASON_GRID);
}

static void test_gun_limit_binds_one_gun_until_it_expires(void **state) {
    (void)state;
    bench_charge(1);
    bench_charge(2);
    const int32_t before_w = bench_shown(0)->power_w;
    assert_int_equal(bench_give_value(COMMAND_GUN_LIMIT, 0, LIMIT_REASON_PROFILE, 7000, 10),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(bench_shown(0)->limit_reason, LIMIT_REASON_PROFILE);
    assert_in_range(bench_shown(0)->power_w, 6000, 7050);
    assert_true(bench_shown(1)->power_w > 7100);
    virtual_hub_run(hub, 10);
    assert_true(bench_shown(0)->power_w > before_w / 2);
    assert_int_not_equal(bench_shown(0)->limit_reason, LIMIT_REASON_PROFILE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- authorisation, reservation, availability --------------------------------------------------------------- */

static void test_token_before_the_plug_is_kept_a_minute(void **state) {
    (void)state;
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "EARLY"),
                     COMMAND_STATUS_OK);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "LATE"),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 50);
    bench_plug(1, 50, 55);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
    virtual_hub_run(hub, 10);
    bench_plug(2, 50, 55);
    virtual_hub_run(hub, 10);
    assert_int_equal(virtual_hub_state(hub, 2), GUN_STATE_PLUGGED);
}

static void test_denied_vehicle_does_not_charge(void **state) {
    (void)state;
    bench_plug(1, 50, 55);
    assert_int_equal(bench_give(COMMAND_DENY, 0, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 20);
    assert_int_not_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
}

static void test_reserved_gun_takes_only_its_token(void **state) {
    (void)state;
    struct command k = bench_command(COMMAND_RESERVE, 0, 1, "MINE");
    k.expires_mono_ns = (hub->now_us + 600000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_true((bench_shown(0)->flags & STATUS_SLOT_RESERVED) != 0);
    k = bench_command(COMMAND_RESERVE, 0, 1, "OTHER");
    k.expires_mono_ns = (hub->now_us + 600000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_STATE);
    bench_plug(1, 50, 55);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "OTHER"),
                     COMMAND_STATUS_STATE);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "MINE"),
                     COMMAND_STATUS_OK);
    assert_true((bench_shown(0)->flags & STATUS_SLOT_RESERVED) == 0);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_CHARGING, 30));
}

static void test_reservation_lapses_and_can_be_cancelled(void **state) {
    (void)state;
    struct command k = bench_command(COMMAND_RESERVE, 0, 1, "MINE");
    k.expires_mono_ns = (hub->now_us + 1000000) * 1000;
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    assert_int_equal(bench_give(COMMAND_RESERVE, 0, 0, ""), COMMAND_STATUS_OK);
    assert_int_equal(bench_give(COMMAND_RESERVE, 0, 0, ""), COMMAND_STATUS_NOT_FOUND);
    assert_int_equal(virtual_hub_command(hub, k), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 1.1);
    assert_true((bench_shown(0)->flags & STATUS_SLOT_RESERVED) == 0);
}

static void test_inoperative_waits_for_the_session_to_end(void **state) {
    (void)state;
    bench_charge(1);
    assert_int_equal(bench_give(COMMAND_AVAILABILITY, 0, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 2);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_LOCAL, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_UNAVAILABLE, 60));
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 0, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_STATE);
    assert_int_equal(bench_give(COMMAND_AVAILABILITY, 0, 1, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 0.1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_AVAILABLE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
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
        TEST(test_lease_above_the_fail_safe_limit_falls_to_it_at_its_end),
        TEST(test_gun_limit_binds_one_gun_until_it_expires),
        TEST(test_token_before_the_plug_is_kept_a_minute),
        TEST(test_denied_vehicle_does_not_charge),
        TEST(test_reserved_gun_takes_only_its_token),
        TEST(test_reservation_lapses_and_can_be_cancelled),
        TEST(test_inoperative_waits_for_the_session_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
