/* Who may charge, by hand from policy.h: free-vend, the local list, second swipes, replays after a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "nrt/session/policy.h"

#define S INT64_C(1000000000)

static struct event identity(enum identity_kind kind, const char *text, int64_t mono_ns) {
    struct event event = {.type = EVENT_IDENTITY, .a = (uint16_t)kind, .mono_ns = mono_ns};
    memcpy(event.text, text, strlen(text) < EVENT_TEXT_LEN ? strlen(text) : EVENT_TEXT_LEN);
    return event;
}

static void show(struct policy_gun *gun, enum identity_kind kind, const char *text, int64_t at) {
    struct event event = identity(kind, text, at);
    policy_event(gun, &event);
}

static void happen(struct policy_gun *gun, enum event_type type, int64_t at) {
    struct event event = {.type = (uint16_t)type, .mono_ns = at};
    policy_event(gun, &event);
}

static struct policy_view gun_in(enum gun_state state, int64_t since) {
    return (struct policy_view){.state = state, .state_since_mono_ns = since, .operative = true};
}

static enum policy_action act(const struct policy_gun *gun, const struct policy_view *view,
                              enum policy_verdict verdict, int64_t now) {
    return policy_decide(gun, view, AUTH_MODE_LOCAL_LIST, verdict, now).action;
}

static void test_policy_free_vend_plugged_authorises(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    struct policy_decision d =
        policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 11 * S);
    assert_int_equal(d.action, POLICY_ACTION_AUTHORISE);
    assert_int_equal(d.auth_source, AUTH_SOURCE_FREE_VEND);
    assert_string_equal(d.token, "");
}

static void test_policy_free_vend_in_every_other_state_asks_nothing(void **state) {
    (void)state;
    for (int s = GUN_STATE_NONE; s < GUN_STATE_COUNT; s++) {
        struct policy_gun gun = {0};
        struct policy_view view = gun_in((enum gun_state)s, 10 * S);
        struct policy_decision d =
            policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 11 * S);
        assert_int_equal(d.action,
                         s == GUN_STATE_PLUGGED ? POLICY_ACTION_AUTHORISE : POLICY_ACTION_NONE);
    }
}

static void test_policy_free_vend_inoperative_or_authorised_gun_asks_nothing(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    view.operative = false;
    assert_int_equal(
        policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 11 * S).action,
        POLICY_ACTION_NONE);
    view.operative = true;
    view.auth_source = AUTH_SOURCE_REMOTE;
    assert_int_equal(
        policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 11 * S).action,
        POLICY_ACTION_NONE);
}

static void
test_policy_free_vend_waits_for_its_answer_and_repeats_after_five_seconds(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    struct policy_decision d =
        policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 11 * S);
    policy_sent(&gun, &d, 11 * S);
    d = policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 60 * S);
    assert_int_equal(d.action, POLICY_ACTION_NONE); /* in flight */
    policy_answered(&gun, POLICY_ACTION_AUTHORISE, false, 12 * S);
    d = policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 17 * S - 1);
    assert_int_equal(d.action, POLICY_ACTION_NONE);
    d = policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 17 * S);
    assert_int_equal(d.action, POLICY_ACTION_AUTHORISE);
    /* the next vehicle does not wait for the last one's retry */
    happen(&gun, EVENT_UNPLUGGED, 13 * S);
    d = policy_decide(&gun, &view, AUTH_MODE_FREE_VEND, POLICY_VERDICT_UNKNOWN, 14 * S);
    assert_int_equal(d.action, POLICY_ACTION_AUTHORISE);
}

static void test_policy_local_list_verdicts_authorise_or_deny(void **state) {
    (void)state;
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    struct policy_gun gun = {0};
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 20 * S), POLICY_ACTION_NONE);
    show(&gun, IDENTITY_RFID, "04A1", 15 * S);
    struct policy_decision d =
        policy_decide(&gun, &view, AUTH_MODE_LOCAL_LIST, POLICY_VERDICT_ACCEPTED, 20 * S);
    assert_int_equal(d.action, POLICY_ACTION_AUTHORISE);
    assert_int_equal(d.auth_source, AUTH_SOURCE_LOCAL_LIST);
    assert_string_equal(d.token, "04A1");
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_UNKNOWN, 20 * S), POLICY_ACTION_DENY);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_BLOCKED, 20 * S), POLICY_ACTION_DENY);
}

static void test_policy_unknown_emaid_is_denied_unknown_evccid_waits_for_a_card(void **state) {
    (void)state;
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    struct policy_gun gun = {0};
    show(&gun, IDENTITY_EMAID, "DE8AA1A2B3C4D5", 15 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_UNKNOWN, 20 * S), POLICY_ACTION_DENY);
    memset(&gun, 0, sizeof gun);
    show(&gun, IDENTITY_EVCCID, "0A1B2C3D4E5F", 15 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_UNKNOWN, 20 * S), POLICY_ACTION_DROP);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_BLOCKED, 20 * S), POLICY_ACTION_DENY);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 20 * S), POLICY_ACTION_AUTHORISE);
}

static void test_policy_identity_kinds_that_are_no_token_are_ignored(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    show(&gun, IDENTITY_EVMAC, "001122334455", 15 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    show(&gun, IDENTITY_NONE, "x", 15 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    show(&gun, (enum identity_kind)77, "x", 15 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    show(&gun, IDENTITY_RFID, "", 15 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    show(&gun, IDENTITY_RFID, "AB", -5);
    assert_int_equal(gun.kind, IDENTITY_NONE);
}

static void test_policy_card_outranks_what_the_vehicle_says(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    show(&gun, IDENTITY_RFID, "04A1", 15 * S);
    show(&gun, IDENTITY_EVCCID, "0A1B2C3D4E5F", 16 * S);
    assert_string_equal(gun.token, "04A1");
    show(&gun, IDENTITY_RFID, "04B2", 17 * S);
    assert_string_equal(gun.token, "04B2");
}

static void test_policy_card_before_the_plug_is_good_for_a_minute(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_AVAILABLE, 10 * S);
    show(&gun, IDENTITY_RFID, "04A1", 20 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 21 * S), POLICY_ACTION_AUTHORISE);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 80 * S), POLICY_ACTION_AUTHORISE);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 80 * S + 1), POLICY_ACTION_DROP);
    view = gun_in(GUN_STATE_PLUGGED, 30 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 80 * S), POLICY_ACTION_AUTHORISE);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 80 * S + 1), POLICY_ACTION_DROP);
}

static void test_policy_card_shown_while_plugged_stays_good_while_plugged(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    show(&gun, IDENTITY_RFID, "04A1", 20 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 200 * S), POLICY_ACTION_AUTHORISE);
}

static void test_policy_card_of_the_vehicle_before_does_not_serve_the_next(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_AVAILABLE, 30 * S);
    show(&gun, IDENTITY_RFID, "04A1", 20 * S);
    /* became available after the card was shown: it belonged to what was before */
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 31 * S), POLICY_ACTION_DROP);
    happen(&gun, EVENT_UNPLUGGED, 25 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    /* EVCCID with nobody plugged */
    show(&gun, IDENTITY_EVCCID, "0A1B2C3D4E5F", 31 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 32 * S), POLICY_ACTION_DROP);
}

static void test_policy_same_card_later_stops_the_session(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_CHARGING, 40 * S);
    view.session_id = 9;
    view.session_start_mono_ns = 20 * S;
    strcpy(view.session_token, "04a1");
    show(&gun, IDENTITY_RFID, "04A1", 20 * S + POLICY_SAME_SWIPE_NS + 1);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_STOP);
}

static void test_policy_card_that_opened_the_session_seen_again_does_not_stop_it(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_CHARGING, 40 * S);
    view.session_id = 9;
    view.session_start_mono_ns = 20 * S;
    strcpy(view.session_token, "04A1");
    /* a replay after a crash */
    show(&gun, IDENTITY_RFID, "04A1", 19 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_DROP);
    /* the reader saw the card twice */
    show(&gun, IDENTITY_RFID, "04A1", 20 * S + POLICY_SAME_SWIPE_NS);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_DROP);
    /* in the replay the session's start follows the card and takes it away */
    show(&gun, IDENTITY_RFID, "04A1", 19 * S);
    happen(&gun, EVENT_SESSION_STARTED, 20 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
    /* but not one shown after the start */
    show(&gun, IDENTITY_RFID, "04A1", 30 * S);
    happen(&gun, EVENT_SESSION_STARTED, 20 * S);
    assert_int_equal(gun.kind, IDENTITY_RFID);
}

static void test_policy_other_card_or_kind_in_a_session_is_dropped(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_CHARGING, 40 * S);
    view.session_start_mono_ns = 20 * S;
    strcpy(view.session_token, "04A1");
    show(&gun, IDENTITY_RFID, "FFFF", 45 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_DROP);
    memset(&gun, 0, sizeof gun);
    show(&gun, IDENTITY_EVCCID, "04A1", 45 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_DROP);
    /* a free-vend session has no token: no card stops it */
    view.session_token[0] = '\0';
    memset(&gun, 0, sizeof gun);
    show(&gun, IDENTITY_RFID, "04A1", 45 * S);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 50 * S), POLICY_ACTION_DROP);
}

static void test_policy_states_without_meaning_for_a_card_drop_it(void **state) {
    (void)state;
    static const enum gun_state STATES[] = {GUN_STATE_NONE, GUN_STATE_UNAVAILABLE,
                                            GUN_STATE_FINISHED, GUN_STATE_FAULTED};
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        struct policy_gun gun = {0};
        struct policy_view view = gun_in(STATES[i], 10 * S);
        show(&gun, IDENTITY_RFID, "04A1", 20 * S);
        assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 21 * S), POLICY_ACTION_DROP);
    }
}

static void test_policy_card_shown_while_an_answer_is_due_is_not_lost(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    show(&gun, IDENTITY_RFID, "BAD1", 20 * S);
    struct policy_decision d =
        policy_decide(&gun, &view, AUTH_MODE_LOCAL_LIST, POLICY_VERDICT_UNKNOWN, 20 * S);
    assert_int_equal(d.action, POLICY_ACTION_DENY);
    policy_sent(&gun, &d, 20 * S);
    show(&gun, IDENTITY_RFID, "04A1", 20 * S + 1);
    policy_answered(&gun, POLICY_ACTION_DENY, true, 20 * S + 2);
    assert_string_equal(gun.token, "04A1");
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 20 * S + 3),
                     POLICY_ACTION_AUTHORISE);
}

static void test_policy_answered_identity_is_forgotten_refused_one_is_tried_again(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    struct policy_view view = gun_in(GUN_STATE_PLUGGED, 10 * S);
    show(&gun, IDENTITY_RFID, "04A1", 20 * S);
    struct policy_decision d =
        policy_decide(&gun, &view, AUTH_MODE_LOCAL_LIST, POLICY_VERDICT_ACCEPTED, 20 * S);
    policy_sent(&gun, &d, 20 * S);
    policy_answered(&gun, POLICY_ACTION_AUTHORISE, false, 21 * S);
    assert_int_equal(gun.kind, IDENTITY_RFID);
    assert_int_equal(act(&gun, &view, POLICY_VERDICT_ACCEPTED, 26 * S), POLICY_ACTION_AUTHORISE);
    policy_answered(&gun, POLICY_ACTION_AUTHORISE, true, 27 * S);
    assert_int_equal(gun.kind, IDENTITY_NONE);
}

static void test_policy_event_text_without_terminator_is_taken_whole(void **state) {
    (void)state;
    struct policy_gun gun = {0};
    show(&gun, IDENTITY_RFID, "0123456789012345678901234567", 20 * S); /* 28 characters */
    assert_int_equal(strlen(gun.token), 28);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_free_vend_plugged_authorises),
        cmocka_unit_test(test_policy_free_vend_in_every_other_state_asks_nothing),
        cmocka_unit_test(test_policy_free_vend_inoperative_or_authorised_gun_asks_nothing),
        cmocka_unit_test(test_policy_free_vend_waits_for_its_answer_and_repeats_after_five_seconds),
        cmocka_unit_test(test_policy_local_list_verdicts_authorise_or_deny),
        cmocka_unit_test(test_policy_unknown_emaid_is_denied_unknown_evccid_waits_for_a_card),
        cmocka_unit_test(test_policy_identity_kinds_that_are_no_token_are_ignored),
        cmocka_unit_test(test_policy_card_outranks_what_the_vehicle_says),
        cmocka_unit_test(test_policy_card_before_the_plug_is_good_for_a_minute),
        cmocka_unit_test(test_policy_card_shown_while_plugged_stays_good_while_plugged),
        cmocka_unit_test(test_policy_card_of_the_vehicle_before_does_not_serve_the_next),
        cmocka_unit_test(test_policy_same_card_later_stops_the_session),
        cmocka_unit_test(test_policy_card_that_opened_the_session_seen_again_does_not_stop_it),
        cmocka_unit_test(test_policy_other_card_or_kind_in_a_session_is_dropped),
        cmocka_unit_test(test_policy_states_without_meaning_for_a_card_drop_it),
        cmocka_unit_test(test_policy_card_shown_while_an_answer_is_due_is_not_lost),
        cmocka_unit_test(test_policy_answered_identity_is_forgotten_refused_one_is_tried_again),
        cmocka_unit_test(test_policy_event_text_without_terminator_is_taken_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
