#include "shm/command.h"
#include "shm/event.h"
#include "shm/vocabulary.h"
#include "tests/unit/shm/support.h"

/* Every value has a name of its own, and only those. */
static void check_names(const char *(*name)(unsigned), unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_non_null(name(i));
        assert_string_not_equal(name(i), "?");
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name(i), name(j));
        }
    }
    assert_string_equal(name(count), "?");
    assert_string_equal(name(0xffffu), "?");
    assert_string_equal(name(UINT32_MAX), "?");
}

static void test_vocabulary_every_value_has_one_name(void **state) {
    (void)state;
    check_names(gun_state_name, GUN_STATE_COUNT);
    check_names(stop_class_name, STOP_CLASS_COUNT);
    check_names(stop_reason_name, STOP_REASON_COUNT);
    check_names(limit_reason_name, LIMIT_REASON_COUNT);
    check_names(boundary_state_name, BOUNDARY_STATE_COUNT);
    check_names(boundary_reason_name, BOUNDARY_REASON_COUNT);
    check_names(hlc_stage_name, HLC_STAGE_COUNT);
    check_names(identity_kind_name, IDENTITY_COUNT);
    check_names(auth_source_name, AUTH_SOURCE_COUNT);
    check_names(contactor_kind_name, CONTACTORS_PER_SLOT);
    check_names(event_type_name, EVENT_TYPE_COUNT);
    check_names(command_type_name, COMMAND_TYPE_COUNT);
    check_names(command_status_name, COMMAND_STATUS_COUNT);
}

static void test_vocabulary_known_values_have_known_names(void **state) {
    (void)state;
    assert_string_equal(gun_state_name(GUN_STATE_CABLE_CHECK), "cable check");
    assert_string_equal(contactor_kind_name(CONTACTOR_BC), "BC");
    assert_string_equal(contactor_kind_name(CONTACTOR_MN0 + 7), "MN7");
    assert_string_equal(stop_class_name(STOP_CLASS_EMERGENCY), "emergency");
    assert_string_equal(hlc_stage_name(7), "cable check");
    assert_string_equal(command_type_name(COMMAND_SITE_LIMIT), "site limit");
}

static void test_event_boundary_value_keeps_both_signed_figures(void **state) {
    (void)state;
    static const int32_t figure[] = {0, 1, -1, 250000, -250000, INT32_MAX, EVENT_BOUNDARY_UNKNOWN};
    for (unsigned i = 0; i < 7; i++) {
        for (unsigned j = 0; j < 7; j++) {
            const int64_t value = event_boundary_value(figure[i], figure[j]);
            assert_int_equal(event_boundary_load_ma(value), figure[i]);
            assert_int_equal(event_boundary_dv_mv(value), figure[j]);
        }
    }
}

static void test_cp_state_letter_out_of_range_is_unknown(void **state) {
    (void)state;
    assert_int_equal(cp_state_letter(CP_STATE_UNKNOWN), 'U');
    assert_int_equal(cp_state_letter(CP_STATE_A), 'A');
    assert_int_equal(cp_state_letter(CP_STATE_F), 'F');
    assert_int_equal(cp_state_letter(CP_STATE_COUNT), 'U');
    assert_int_equal(cp_state_letter(UINT32_MAX), 'U');
}

static void test_fault_info_known_code_gives_its_row(void **state) {
    (void)state;
    const struct fault_info *estop = fault_info(FAULT_ESTOP);
    assert_string_equal(estop->name, "ESTOP");
    assert_string_equal(estop->rule, "S2");
    assert_int_equal(estop->stop, STOP_CLASS_EMERGENCY);
    assert_true(estop->latched);
    assert_string_equal(fault_info(FAULT_IMD_LOW)->rule, "N3");
    assert_false(fault_info(FAULT_IMD_STALE)->latched);
}

static void test_fault_info_every_code_is_complete_and_fits_a_bit_set(void **state) {
    (void)state;
    assert_true(FAULT_COUNT <= 64);
    for (unsigned code = 0; code < FAULT_COUNT; code++) {
        const struct fault_info *info = fault_info(code);
        assert_non_null(info->name);
        assert_non_null(info->rule);
        assert_true(strlen(info->text) > 0);
        assert_true(info->stop < STOP_CLASS_COUNT);
    }
}

static void test_fault_info_out_of_range_is_no_fault(void **state) {
    (void)state;
    assert_ptr_equal(fault_info(FAULT_COUNT), fault_info(FAULT_NONE));
    assert_ptr_equal(fault_info(UINT32_MAX), fault_info(FAULT_NONE));
    assert_string_equal(fault_info(FAULT_NONE)->name, "NONE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocabulary_every_value_has_one_name),
        cmocka_unit_test(test_vocabulary_known_values_have_known_names),
        cmocka_unit_test(test_event_boundary_value_keeps_both_signed_figures),
        cmocka_unit_test(test_cp_state_letter_out_of_range_is_unknown),
        cmocka_unit_test(test_fault_info_known_code_gives_its_row),
        cmocka_unit_test(test_fault_info_every_code_is_complete_and_fits_a_bit_set),
        cmocka_unit_test(test_fault_info_out_of_range_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
