/* The rule table and the notes. */
#include <string.h>

#include "tests/unit/rt/interlock/hub.h"

static void test_names_follow_the_enum(void **state) {
    (void)state;
    assert_string_equal(rule_name(RULE_T1), "T1");
    assert_string_equal(rule_name(RULE_T7), "T7");
    assert_string_equal(rule_name(RULE_E1), "E1");
    assert_string_equal(rule_name(RULE_E7), "E7");
    assert_string_equal(rule_name(RULE_G1), "G1");
    assert_string_equal(rule_name(RULE_G9), "G9");
    assert_string_equal(rule_name(RULE_M1), "M1");
    assert_string_equal(rule_name(RULE_M8), "M8");
    assert_string_equal(rule_name(RULE_N1), "N1");
    assert_string_equal(rule_name(RULE_N5), "N5");
    assert_string_equal(rule_name(RULE_S1), "S1");
    assert_string_equal(rule_name(RULE_S16), "S16");
    assert_string_equal(rule_name(RULE_NONE), "?");
    assert_string_equal(rule_name(RULE_COUNT), "?");
    assert_string_equal(rule_name(UINT32_MAX), "?");
}

static void test_every_rule_has_text_reaction_and_type(void **state) {
    (void)state;
    for (unsigned rule = 1; rule < RULE_COUNT; ++rule) {
        const struct rule_info *info = rule_info(rule);
        assert_true(strlen(info->text) > 10);
        assert_true(strlen(info->reaction) > 4);
        assert_true(info->type != RULE_TYPE_NONE && info->type < RULE_TYPE_COUNT);
        for (unsigned other = 1; other < rule; ++other) {
            assert_string_not_equal(info->id, rule_info(other)->id);
        }
    }
}

static void test_letters_of_the_types(void **state) {
    (void)state;
    assert_int_equal(rule_type_letter(RULE_TYPE_NONE), '-');
    assert_int_equal(rule_type_letter(RULE_TYPE_INVARIANT), 'I');
    assert_int_equal(rule_type_letter(RULE_TYPE_GUARD), 'G');
    assert_int_equal(rule_type_letter(RULE_TYPE_BOUNDED), 'T');
    assert_int_equal(rule_type_letter(RULE_TYPE_LATCH), 'L');
    assert_int_equal(rule_type_letter(RULE_TYPE_DATA), 'D');
    assert_int_equal(rule_type_letter(RULE_TYPE_COUNT), '-');
}

static void test_every_fault_names_a_rule_of_the_table(void **state) {
    (void)state;
    for (unsigned code = 1; code < FAULT_COUNT; ++code) {
        const char *id = fault_info(code)->rule;
        bool found = id[0] == '\0';
        for (unsigned rule = 1; rule < RULE_COUNT; ++rule) {
            found = found || strcmp(id, rule_name(rule)) == 0;
        }
        assert_true(found);
    }
}

static void test_hits_fit_the_counter(void **state) {
    (void)state;
    struct interlock_state *s = NULL;
    assert_true(RULE_COUNT <= sizeof s->rule_hits / sizeof s->rule_hits[0]);
}

static void test_a_quiet_hub_notes_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    assert_int_equal(hub->state.notes, 0);
    hub_charging(hub, 1, 400000, 10000);
    assert_int_equal(hub->state.notes, 0);
    hub_free(hub);
}

static void test_notes_are_of_the_last_step_and_hits_add_up(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    const uint32_t before = hub->state.rule_hits[RULE_E1];
    hub->state.slot[0].imd_enable = true; /* its bus is up: its monitor is on unasked */
    hub->request.slot[0].imd_enable = true;
    hub_voltage(hub, 0, 400000, 0);
    hub->request.slot[2].mc = true;
    hub_run(hub, 50);
    assert_int_equal(hub->state.notes, 1);
    assert_int_equal(hub->state.note[0].rule, RULE_E1);
    assert_int_equal(hub->state.note[0].slot, 2);
    assert_int_equal(hub->state.note[0].component, CONTACTOR_MC);
    assert_int_equal(hub->state.rule_hits[RULE_E1], before + 10);
    hub_free(hub);
}

static void test_notes_are_bounded(void **state) {
    (void)state;
    struct hub *hub = hub_ready(96, 2);
    for (uint32_t slot = 0; slot < 96; ++slot) {
        hub->request.slot[slot].mc = true;
        hub->request.slot[slot].gc = true;
        hub_voltage(hub, slot, slot % 2 == 0 ? 0 : 59000, 0);
    }
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.notes, INTERLOCK_NOTES_MAX);
    assert_int_equal(hub->state.rule_hits[RULE_E1], 96);
    assert_int_equal(hub->state.rule_hits[RULE_G3], 96);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_follow_the_enum),
        cmocka_unit_test(test_every_rule_has_text_reaction_and_type),
        cmocka_unit_test(test_letters_of_the_types),
        cmocka_unit_test(test_every_fault_names_a_rule_of_the_table),
        cmocka_unit_test(test_hits_fit_the_counter),
        cmocka_unit_test(test_a_quiet_hub_notes_nothing),
        cmocka_unit_test(test_notes_are_of_the_last_step_and_hits_add_up),
        cmocka_unit_test(test_notes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
