/* The table is total, goes where the rows say it may, and is what the documentation shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/sequencer/diagram.h"
#include "rt/sequencer/sequencer.h"
#include "rt/sequencer/table.h"

static void test_table_every_cell_is_filled(void **state) {
    (void)state;
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        for (unsigned e = 0; e < GUN_EVENT_COUNT; e++) {
            const struct gun_transition *cell = &gun_table[s][e];
            if (cell->action == GUN_ACTION_HOLE || cell->action > GUN_ACTION_GO) {
                fail_msg("hole at %s / %s", gun_state_name(s), gun_event_name(e));
            }
            assert_true(cell->next < GUN_STATE_COUNT);
            assert_true(cell->stop < STOP_CLASS_COUNT);
            assert_true(cell->guard <= GUN_GUARD_NEWCOMER);
            if (cell->action == GUN_ACTION_GO) {
                assert_true(cell->next != GUN_STATE_NONE);
            }
        }
    }
}

/* Whatever happens, no cell leads upwards past a check: power comes in the order of a session only. */
static void test_table_power_states_are_entered_from_their_predecessor_only(void **state) {
    (void)state;
    static const struct {
        uint8_t state, from;
    } only[] = {{GUN_STATE_CABLE_CHECK, GUN_STATE_LOCKED},
                {GUN_STATE_PRECHARGE, GUN_STATE_CABLE_CHECK},
                {GUN_STATE_CLOSING, GUN_STATE_PRECHARGE},
                {GUN_STATE_CHARGING, GUN_STATE_CLOSING}};
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        for (unsigned e = 0; e < GUN_EVENT_COUNT; e++) {
            for (unsigned k = 0; k < sizeof only / sizeof only[0]; k++) {
                const struct gun_transition *cell = &gun_table[s][e];
                if (cell->action == GUN_ACTION_GO && cell->next == only[k].state) {
                    assert_int_equal(s, only[k].from);
                    assert_int_equal(e, GUN_EVENT_NEXT);
                }
            }
        }
    }
}

static void test_table_emergency_in_every_energised_state_opens(void **state) {
    (void)state;
    for (unsigned s = GUN_STATE_CABLE_CHECK; s <= GUN_STATE_RAMP_DOWN; s++) {
        const struct gun_transition *cell = &gun_table[s][GUN_EVENT_EMERGENCY];
        assert_int_equal(cell->action, GUN_ACTION_GO);
        assert_int_equal(cell->next, GUN_STATE_OPENING);
        assert_int_equal(cell->stop, STOP_CLASS_EMERGENCY);
    }
}

/* From every state with a gun some path of unplug, next and time-out cells leads to AVAILABLE. */
static void test_table_every_state_leads_back_to_available(void **state) {
    (void)state;
    static const uint8_t ways[] = {GUN_EVENT_UNPLUGGED, GUN_EVENT_NEXT, GUN_EVENT_TIMEOUT};
    for (unsigned s = GUN_STATE_UNAVAILABLE; s < GUN_STATE_COUNT; s++) {
        unsigned at = s;
        for (unsigned hops = 0; hops < GUN_STATE_COUNT && at != GUN_STATE_AVAILABLE; hops++) {
            for (unsigned w = 0; w < sizeof ways; w++) {
                if (gun_table[at][ways[w]].action == GUN_ACTION_GO) {
                    at = gun_table[at][ways[w]].next;
                    break;
                }
            }
        }
        assert_int_equal(at, GUN_STATE_AVAILABLE);
    }
}

static void test_rows_gun_contactor_is_asked_for_only_with_lock_and_monitor(void **state) {
    (void)state;
    for (unsigned s = 0; s < GUN_STATE_COUNT; s++) {
        if (gun_rows[s].gc) {
            assert_true(gun_rows[s].lock);
            assert_int_equal(gun_rows[s].imd, GUN_IMD_ON);
            assert_true(gun_rows[s].session);
        }
        if (gun_rows[s].enabled) {
            assert_true(gun_rows[s].gc);
        }
    }
}

static void test_event_name_out_of_range_is_a_question_mark(void **state) {
    (void)state;
    assert_string_equal(gun_event_name(GUN_EVENT_COUNT), "?");
    assert_string_equal(gun_event_name(GUN_EVENT_NEXT), "next");
}

/* Values by hand from design/interlocks.md. */
static void test_cable_check_voltage_follows_the_formula(void **state) {
    (void)state;
    assert_int_equal(interlock_cable_check_mv(420000, 1000000), 470000);
    assert_int_equal(interlock_cable_check_mv(450000, 1000000), 500000);
    assert_int_equal(interlock_cable_check_mv(500000, 1000000), 500000);
    assert_int_equal(interlock_cable_check_mv(500001, 1000000), 550001);
    assert_int_equal(interlock_cable_check_mv(800000, 1000000), 880000);
    assert_int_equal(interlock_cable_check_mv(950000, 1000000), 1000000);
    assert_int_equal(interlock_cable_check_mv(420000, 460000), 460000);
}

static void test_diagram_in_the_tree_is_what_the_table_prints(void **state) {
    (void)state;
    char *printed = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&printed, &length);
    assert_non_null(out);
    sequencer_diagram_print(out);
    assert_int_equal(fclose(out), 0);
    FILE *file = fopen("docs/design/sequencer.md", "r");
    assert_non_null(file);
    char *text = malloc(length + 2);
    assert_non_null(text);
    const size_t got = fread(text, 1, length + 1, file);
    (void)fclose(file);
    assert_int_equal(got, length); /* differs: sequencer-diagram > docs/design/sequencer.md */
    assert_memory_equal(text, printed, length);
    free(text);
    free(printed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_every_cell_is_filled),
        cmocka_unit_test(test_table_power_states_are_entered_from_their_predecessor_only),
        cmocka_unit_test(test_table_emergency_in_every_energised_state_opens),
        cmocka_unit_test(test_table_every_state_leads_back_to_available),
        cmocka_unit_test(test_rows_gun_contactor_is_asked_for_only_with_lock_and_monitor),
        cmocka_unit_test(test_event_name_out_of_range_is_a_question_mark),
        cmocka_unit_test(test_cable_check_voltage_follows_the_formula),
        cmocka_unit_test(test_diagram_in_the_tree_is_what_the_table_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
