/* Contract section 1: framing, CRC policy, and the start-up check of the CRC mode. */
#include "tests/unit/rt/can/bench.h"

#define SAFETY 0x190

static const uint8_t safety_ok[8] = {0x10, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t broken[8] = {0x10, 0, 0, 0, 0, 0, 0, 0x55};

static void good(struct bench *b, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        bench_sealed(b, SAFETY, safety_ok);
    }
}

static void bad(struct bench *b, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        bench_frame(b, SAFETY, broken);
    }
}

static void raw_frame(struct bench *b, canid_t id, uint8_t length) {
    struct can_frame frame = {.can_id = id, .len = length};
    plc_rx(&b->plc, &b->config, &frame, &b->image, b->now_us);
}

static void test_link_extended_data_frame_is_taken(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x105 | CAN_EFF_FLAG, 8);
    assert_int_equal(b->image.format_errors, 0);
    assert_int_equal(b->image.plc_last_rx_us, b->now_us);
}

static void test_link_standard_frame_is_dropped_and_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x105, 8);
    assert_int_equal(b->image.format_errors, 1);
    assert_int_equal(b->image.plc_last_rx_us, 0);
}

static void test_link_rtr_frame_is_dropped_and_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x105 | CAN_EFF_FLAG | CAN_RTR_FLAG, 8);
    assert_int_equal(b->image.format_errors, 1);
    assert_int_equal(b->image.plc_last_rx_us, 0);
}

static void test_link_other_length_is_a_format_error(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x105 | CAN_EFF_FLAG, 7);
    raw_frame(b, 0x105 | CAN_EFF_FLAG, 0);
    raw_frame(b, 0x105 | CAN_EFF_FLAG, 64);
    assert_int_equal(b->image.format_errors, 3);
    assert_int_equal(b->image.plc_last_rx_us, 0);
}

static void test_link_foreign_id_is_dropped_and_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x104 | CAN_EFF_FLAG, 8); /* another plcId */
    raw_frame(b, 0x125 | CAN_EFF_FLAG, 8); /* no such message */
    raw_frame(b, 0x345 | CAN_EFF_FLAG, 8); /* a command of the hub */
    assert_int_equal(b->image.format_errors, 3);
    assert_int_equal(b->image.plc_last_rx_us, 0);
}

static void test_link_error_frame_is_not_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    raw_frame(b, 0x105 | CAN_ERR_FLAG, 8);
    assert_int_equal(b->image.format_errors, 0);
    assert_int_equal(b->image.plc_last_rx_us, 0);
}

static void test_link_bad_crc_is_dropped_and_counted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 1);
    assert_int_equal(b->image.crc_errors, 1);
    assert_int_equal(b->image.plc_last_rx_us, 0);
    assert_false(b->image.safety_ok.valid);
    assert_false(b->image.plc_comm_fault);
}

static void test_link_crc_is_a_property_of_the_message_not_of_byte_7(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x100, BENCH_BYTES(7, 0, 0, 0, 0, 0, 0, 0x55)); /* ChargeInfo carries none */
    assert_int_equal(b->image.crc_errors, 0);
    assert_int_equal(b->image.hlc_stage.value, 7);
    bench_frame(b, 0x1D0, BENCH_BYTES(0, 0, 0, 0, 0, 0, 0, 0)); /* IMD: 0x00 is its legal CRC */
    assert_int_equal(b->image.crc_errors, 0);
    bench_frame(b, 0x1D0, BENCH_BYTES(1, 0, 0, 0, 0, 0, 0, 0)); /* 0x00 does not mean none */
    assert_int_equal(b->image.crc_errors, 1);
}

static void test_link_three_bad_in_one_second_is_a_comm_fault(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 2);
    b->now_us += SECOND;
    assert_false(b->image.plc_comm_fault);
    bad(b, 1);
    assert_true(b->image.plc_comm_fault);
}

static void test_link_three_bad_in_more_than_a_second_is_none(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 10; i++) {
        bad(b, 1);
        b->now_us += 501 * MS;
    }
    assert_false(b->image.plc_comm_fault);
    assert_int_equal(b->image.crc_errors, 10);
}

static void test_link_comm_fault_clears_after_ten_good_in_a_row(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 3);
    good(b, 9);
    assert_true(b->image.plc_comm_fault);
    good(b, 1);
    assert_false(b->image.plc_comm_fault);
}

static void test_link_comm_fault_nine_good_and_a_bad_start_again(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 3);
    good(b, 9);
    bad(b, 1);
    good(b, 9);
    assert_true(b->image.plc_comm_fault);
    good(b, 1);
    assert_false(b->image.plc_comm_fault);
}

static void test_link_frames_without_crc_do_not_clear_a_comm_fault(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 3);
    for (unsigned i = 0; i < 50; i++) {
        bench_frame(b, 0x100, BENCH_BYTES(0));
    }
    assert_true(b->image.plc_comm_fault);
}

static void test_link_mode_agrees_after_five_frames(void **state) {
    (void)state;
    struct bench *b = bench_new();
    good(b, 4);
    assert_false(b->image.plc_boot_checked);
    good(b, 1);
    assert_true(b->image.plc_boot_checked);
    assert_false(b->image.plc_crc_mode_fault);
}

static void test_link_mode_frames_that_fit_both_modes_prove_nothing(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 50; i++) {
        bench_frame(b, 0x1D0, BENCH_BYTES(0)); /* CRC 0, byte 7 0 */
    }
    b->now_us += 4 * SECOND;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_false(b->image.plc_boot_checked);
    assert_false(b->image.plc_crc_mode_fault);
}

static void test_link_plc_without_crc_is_a_mismatch_after_three_seconds(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 10; i++) {
        bench_frame(b, SAFETY, safety_ok); /* byte 7 is 0 although the CRC is not */
        b->now_us += 100 * MS;
    }
    b->now_us += 1900 * MS;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_false(b->image.plc_crc_mode_fault);
    b->now_us += 200 * MS;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_crc_mode_fault);
    assert_false(b->image.plc_boot_checked);
}

static void test_link_four_frames_decide_nothing(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 4; i++) {
        bench_frame(b, SAFETY, safety_ok);
    }
    b->now_us += 10 * SECOND;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_false(b->image.plc_crc_mode_fault);
    bench_frame(b, SAFETY, safety_ok);
    b->now_us += 10 * MS;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_crc_mode_fault);
}

static void test_link_disturbed_start_is_no_mismatch(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bad(b, 4);
    good(b, 5);
    assert_true(b->image.plc_boot_checked);
    assert_false(b->image.plc_crc_mode_fault);
}

static void mismatch(struct bench *b) {
    for (unsigned i = 0; i < 6; i++) {
        bench_frame(b, SAFETY, safety_ok);
    }
    b->now_us += 4 * SECOND;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_crc_mode_fault);
}

static void test_link_mismatch_sends_no_contactor_frame(void **state) {
    (void)state;
    struct bench *b = bench_new();
    mismatch(b);
    bench_run(b, 2 * SECOND);
    assert_int_equal(bench_sent(b, 0x390, NULL), 0);
    assert_int_equal(bench_sent(b, 0x340, NULL), 0);
}

static void test_link_mismatch_is_cleared_by_an_agreeing_plc_only(void **state) {
    (void)state;
    struct bench *b = bench_new();
    mismatch(b);
    b->now_us += 60 * SECOND;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_crc_mode_fault);
    good(b, 9);
    assert_true(b->image.plc_crc_mode_fault);
    good(b, 1);
    assert_false(b->image.plc_crc_mode_fault);
    assert_true(b->image.plc_boot_checked);
}

static void test_link_hub_without_crc_takes_frames_unchecked(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.plc.use_crc8 = false;
    for (unsigned i = 0; i < 5; i++) {
        bench_frame(b, SAFETY, safety_ok);
    }
    assert_true(b->image.plc_boot_checked);
    bad(b, 10);
    assert_int_equal(b->image.crc_errors, 0);
    assert_false(b->image.plc_comm_fault);
}

static void test_link_hub_without_crc_sends_zero_in_byte_7(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.plc.use_crc8 = false;
    for (unsigned i = 0; i < 5; i++) {
        bench_frame(b, SAFETY, safety_ok);
    }
    bench_run(b, SECOND);
    assert_true(b->tx.count > 10);
    for (uint32_t i = 0; i < b->tx.count; i++) {
        assert_int_equal(b->tx.item[i].frame.data[7], 0);
    }
}

static void test_link_hub_without_crc_finds_a_plc_that_has_it(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.plc.use_crc8 = false;
    good(b, 6);
    b->now_us += 4 * SECOND;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    assert_true(b->image.plc_crc_mode_fault);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_extended_data_frame_is_taken),
        cmocka_unit_test(test_link_standard_frame_is_dropped_and_counted),
        cmocka_unit_test(test_link_rtr_frame_is_dropped_and_counted),
        cmocka_unit_test(test_link_other_length_is_a_format_error),
        cmocka_unit_test(test_link_foreign_id_is_dropped_and_counted),
        cmocka_unit_test(test_link_error_frame_is_not_counted),
        cmocka_unit_test(test_link_bad_crc_is_dropped_and_counted),
        cmocka_unit_test(test_link_crc_is_a_property_of_the_message_not_of_byte_7),
        cmocka_unit_test(test_link_three_bad_in_one_second_is_a_comm_fault),
        cmocka_unit_test(test_link_three_bad_in_more_than_a_second_is_none),
        cmocka_unit_test(test_link_comm_fault_clears_after_ten_good_in_a_row),
        cmocka_unit_test(test_link_comm_fault_nine_good_and_a_bad_start_again),
        cmocka_unit_test(test_link_frames_without_crc_do_not_clear_a_comm_fault),
        cmocka_unit_test(test_link_mode_agrees_after_five_frames),
        cmocka_unit_test(test_link_mode_frames_that_fit_both_modes_prove_nothing),
        cmocka_unit_test(test_link_plc_without_crc_is_a_mismatch_after_three_seconds),
        cmocka_unit_test(test_link_four_frames_decide_nothing),
        cmocka_unit_test(test_link_disturbed_start_is_no_mismatch),
        cmocka_unit_test(test_link_mismatch_sends_no_contactor_frame),
        cmocka_unit_test(test_link_mismatch_is_cleared_by_an_agreeing_plc_only),
        cmocka_unit_test(test_link_hub_without_crc_takes_frames_unchecked),
        cmocka_unit_test(test_link_hub_without_crc_sends_zero_in_byte_7),
        cmocka_unit_test(test_link_hub_without_crc_finds_a_plc_that_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
