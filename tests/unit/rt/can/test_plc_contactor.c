/* Contract section 2: the contactor command, its sequence, its refresh, and the acknowledgement. */
#include "tests/unit/rt/can/bench.h"

#define COMMAND 0x390
#define RELAY   0x340

static void closes(struct bench *b, enum contactor_kind kind, bool value) {
    b->cmd.contactor[kind] = value;
}

static struct bench *settled(void) {
    struct bench *b = bench_new();
    bench_settle(b);
    bench_run(b, 200 * MS);
    return b;
}

static struct bench *settled_relay(void) {
    struct bench *b = bench_new();
    b->config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    bench_restart(b);
    bench_settle(b);
    return b;
}

static void test_contactor_refresh_every_100_ms_with_the_same_sequence(void **state) {
    (void)state;
    struct bench *b = settled();
    uint8_t first[8], last[8];
    assert_int_equal(bench_sent(b, COMMAND, first), 2);
    bench_run(b, 10 * SECOND);
    assert_in_range(bench_sent(b, COMMAND, last), 99, 101);
    assert_memory_equal(first, last, 8);
    assert_int_equal(b->image.ack_retries, 0);
}

static void test_contactor_no_two_refreshes_are_more_than_105_ms_apart(void **state) {
    (void)state;
    struct bench *b = settled();
    int64_t last_us = b->now_us;
    for (unsigned i = 0; i < 400; i++) {
        bench_run(b, 5 * MS);
        if (bench_sent(b, COMMAND, NULL)) {
            last_us = b->now_us;
        }
        assert_true(b->now_us - last_us <= 105 * MS);
    }
}

static void test_contactor_change_goes_out_at_once_with_the_next_sequence(void **state) {
    (void)state;
    struct bench *b = settled();
    uint8_t before[8], after[8];
    bench_sent(b, COMMAND, before);
    closes(b, CONTACTOR_GC, true);
    bench_run(b, 5 * MS);
    assert_int_equal(bench_sent(b, COMMAND, after), 1);
    assert_int_equal(after[0], 0x01);
    assert_int_equal(after[1], (uint8_t)(before[1] + 1));
    assert_int_equal(after[7], bench_crc(after, 7));
}

static void test_contactor_sequence_wraps(void **state) {
    (void)state;
    struct bench *b = settled();
    uint8_t before[8], data[8];
    bench_sent(b, COMMAND, before);
    for (unsigned i = 0; i < 300; i++) {
        closes(b, CONTACTOR_GC, i % 2 == 0);
        bench_run(b, 5 * MS);
        assert_int_equal(bench_sent(b, COMMAND, data), 1);
        assert_int_equal(data[1], (uint8_t)(before[1] + i + 1));
    }
}

static void test_contactor_golden_frame_of_every_bit(void **state) {
    (void)state;
    static const struct {
        enum contactor_kind kind;
        uint8_t bit;
    } row[] = {{CONTACTOR_GC, 0x01},
               {CONTACTOR_MC, 0x02},
               {CONTACTOR_MN0, 0x04},
               {(enum contactor_kind)(CONTACTOR_MN0 + 1), 0x08},
               {CONTACTOR_BC, 0x10}};
    struct bench *b = settled();
    uint8_t data[8];
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        memset(b->cmd.contactor, 0, sizeof(b->cmd.contactor));
        closes(b, row[i].kind, true);
        bench_run(b, 5 * MS);
        assert_int_equal(bench_sent(b, COMMAND, data), 1);
        assert_int_equal(data[0], row[i].bit);
    }
    memset(b->cmd.contactor, 0, sizeof(b->cmd.contactor));
    b->cmd.imd_enable = true;
    bench_run(b, 5 * MS);
    bench_sent(b, COMMAND, data);
    assert_int_equal(data[0], 0);
    assert_int_equal(data[2], 0x01);
    b->cmd.imd_self_test = true;
    bench_run(b, 5 * MS);
    bench_sent(b, COMMAND, data);
    assert_int_equal(data[2], 0x03);
}

static void test_contactor_gcmc_mode_never_sends_relay_control(void **state) {
    (void)state;
    struct bench *b = settled();
    bench_run(b, 2 * SECOND);
    assert_int_equal(bench_sent(b, RELAY, NULL), 0);
}

static void test_contactor_what_the_plc_does_not_own_is_not_commanded(void **state) {
    (void)state;
    struct bench *b = settled();
    b->config.slot[0].has_mc = false;
    b->config.slot[0].has_bc = false;
    b->config.slot[0].module[1].mn_on_plc = false;
    closes(b, CONTACTOR_MC, true);
    closes(b, CONTACTOR_BC, true);
    closes(b, CONTACTOR_MN0, true);
    closes(b, (enum contactor_kind)(CONTACTOR_MN0 + 1), true);
    closes(b, (enum contactor_kind)(CONTACTOR_MN0 + 2), true);
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x04);
}

static void test_contactor_relay_mode_golden_frame(void **state) {
    (void)state;
    struct bench *b = settled_relay();
    closes(b, CONTACTOR_GC, true);
    closes(b, CONTACTOR_MC, true); /* no ring contactor there */
    closes(b, (enum contactor_kind)(CONTACTOR_MN0 + 1), true);
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
    assert_int_equal(bench_sent(b, RELAY, data), 1);
    assert_int_equal(data[0], 0x01 | 0x04 | 0x08); /* RLY1, RLY3, SYS_ENABLE */
    assert_int_equal(data[2], 0x07);
    assert_int_equal(data[3], 0);
}

static void test_contactor_relay_mode_force_all_off_drops_sys_enable(void **state) {
    (void)state;
    struct bench *b = settled_relay();
    closes(b, CONTACTOR_GC, true);
    b->cmd.force_all_off = true;
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, RELAY, data), 1);
    assert_int_equal(data[0], 0x10);
}

static void test_contactor_force_all_off_clears_every_close(void **state) {
    (void)state;
    struct bench *b = settled();
    closes(b, CONTACTOR_GC, true);
    closes(b, CONTACTOR_MN0, true);
    bench_run(b, 5 * MS);
    b->cmd.force_all_off = true;
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x80);
}

static void test_contactor_nothing_closes_before_the_crc_mode_is_checked(void **state) {
    (void)state;
    struct bench *b = bench_new();
    closes(b, CONTACTOR_GC, true);
    bench_sealed(b, 0x150, BENCH_BYTES(0));
    bench_run(b, 50 * MS);
    uint8_t data[8] = {0xff};
    assert_true(bench_sent(b, COMMAND, data) > 0);
    assert_int_equal(data[0], 0);
}

static void test_contactor_withheld_sends_nothing(void **state) {
    (void)state;
    struct bench *b = settled();
    b->cmd.send = false;
    bench_run(b, SECOND);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
    b->cmd.send = true;
    b->image.interface_down = true;
    bench_run(b, SECOND);
    assert_int_equal(b->tx.count, 0);
    assert_false(b->image.plc_ack_fault);
}

static void test_contactor_first_sequence_differs_from_the_last_applied(void **state) {
    (void)state;
    struct bench *b = bench_new();
    uint8_t data[8];
    bench_run(b, 100 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0); /* waits for the PLC to speak */
    bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 0, 0, 0, 200, 200));
    bench_run(b, 5 * MS);
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[1], 201);
}

static void test_contactor_silent_plc_is_commanded_off_after_500_ms(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_run(b, 495 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
    bench_run(b, 500 * MS);
    uint8_t data[8];
    assert_in_range(bench_sent(b, COMMAND, data), 4, 6);
    assert_int_equal(data[0], 0);
}

static void test_contactor_force_all_off_does_not_wait_for_the_plc(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->cmd.force_all_off = true;
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x80);
}

/* The PLC goes on sending status but applies nothing any more. */
static void stop_acknowledging(struct bench *b) {
    b->alive = false;
    closes(b, CONTACTOR_GC, true);
}

static void run_deaf(struct bench *b, int64_t span_us) {
    for (int64_t end = b->now_us + span_us; b->now_us < end;) {
        bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 0, 0, 0, b->applied, b->applied));
        bench_run(b, 5 * MS);
    }
}

static void test_contactor_unacknowledged_300_ms_is_one_attempt(void **state) {
    (void)state;
    struct bench *b = settled();
    stop_acknowledging(b);
    run_deaf(b, 295 * MS);
    assert_int_equal(b->image.ack_retries, 0);
    run_deaf(b, 20 * MS);
    assert_int_equal(b->image.ack_retries, 1);
    assert_false(b->image.plc_ack_fault);
}

static void test_contactor_three_attempts_in_a_row_force_all_off(void **state) {
    (void)state;
    struct bench *b = settled();
    stop_acknowledging(b);
    run_deaf(b, 880 * MS);
    assert_false(b->image.plc_ack_fault);
    run_deaf(b, 60 * MS);
    assert_true(b->image.plc_ack_fault);
    assert_int_equal(b->image.ack_retries, 3);
    run_deaf(b, 100 * MS);
    bench_run(b, 105 * MS);
    uint8_t data[8];
    assert_true(bench_sent(b, COMMAND, data) > 0);
    assert_int_equal(data[0], 0x80); /* FORCE_ALL_OFF, GC no longer commanded */
}

static void test_contactor_retry_keeps_the_sequence(void **state) {
    (void)state;
    struct bench *b = settled();
    stop_acknowledging(b);
    bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 0, 0, 0, b->applied, b->applied));
    bench_run(b, 5 * MS);
    uint8_t first[8];
    assert_int_equal(bench_sent(b, COMMAND, first), 1);
    for (unsigned i = 0; i < 160; i++) {
        bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 0, 0, 0, b->applied, b->applied));
        bench_run(b, 5 * MS);
        uint8_t data[8];
        if (bench_sent(b, COMMAND, data)) {
            assert_memory_equal(first, data, 8);
        }
    }
    assert_int_equal(b->image.ack_retries, 2);
}

static void test_contactor_acknowledgement_resets_the_count(void **state) {
    (void)state;
    struct bench *b = settled();
    for (unsigned round = 0; round < 5; round++) {
        b->alive = false;
        closes(b, CONTACTOR_GC, round % 2 == 0);
        run_deaf(b, 700 * MS); /* two failed attempts */
        b->alive = true;
        b->applied++;
        bench_run(b, 200 * MS);
    }
    assert_int_equal(b->image.ack_retries, 10);
    assert_false(b->image.plc_ack_fault);
}

static void test_contactor_changing_commands_do_not_evade_supervision(void **state) {
    (void)state;
    struct bench *b = settled();
    b->alive = false;
    for (unsigned i = 0; i < 20; i++) {
        closes(b, CONTACTOR_GC, i % 2 == 0);
        run_deaf(b, 50 * MS);
    }
    assert_true(b->image.plc_ack_fault);
}

static void test_contactor_ack_fault_stays_when_acknowledged_later(void **state) {
    (void)state;
    struct bench *b = settled();
    stop_acknowledging(b);
    run_deaf(b, SECOND);
    assert_true(b->image.plc_ack_fault);
    assert_false(plc_off_acknowledged(&b->plc));
    b->alive = true;
    bench_run(b, SECOND);
    assert_true(b->image.plc_ack_fault);
    assert_true(plc_off_acknowledged(&b->plc));
    plc_ack_clear(&b->plc, &b->image);
    bench_run(b, SECOND);
    assert_false(b->image.plc_ack_fault);
    uint8_t data[8];
    bench_sent(b, COMMAND, data);
    assert_int_equal(data[0], 0x01);
}

static void test_contactor_silence_is_no_failed_attempt(void **state) {
    (void)state;
    struct bench *b = settled();
    stop_acknowledging(b);
    bench_run(b, 5 * SECOND);
    assert_false(b->image.plc_ack_fault);
    assert_in_range(b->image.ack_retries, 0, 1);
}

static void test_contactor_restarted_plc_gets_a_new_sequence(void **state) {
    (void)state;
    struct bench *b = settled();
    uint8_t before[8], data[8];
    bench_sent(b, COMMAND, before);
    b->alive = false;
    bench_frame(b, 0x90000, BENCH_BYTES(1, 2, 3, 0x0f, 250));
    bench_run(b, 50 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
    bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 5, 0, 0, 0, 0));
    bench_run(b, 5 * MS);
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[1], (uint8_t)(before[1] + 1)); /* neither the last sent nor its 0 */
    assert_int_not_equal(data[1], 0);
}

static unsigned clear_attempts(struct bench *b, int64_t span_us) {
    unsigned attempts = 0;
    bool set = false;
    for (int64_t end = b->now_us + span_us; b->now_us < end;) {
        bench_run(b, 5 * MS);
        uint8_t data[8];
        if (bench_sent(b, COMMAND, data)) {
            attempts += !set && (data[0] & 0x40);
            set = data[0] & 0x40;
        }
    }
    assert_false(set);
    return attempts;
}

/* The PLC says that it booted, or was silent, but kept its contactors: what opens does not wait for its status. */
static void test_contactor_opening_does_not_wait_for_a_restarted_plc(void **state) {
    (void)state;
    struct bench *b = settled();
    closes(b, CONTACTOR_GC, true);
    closes(b, CONTACTOR_MN0, true);
    bench_run(b, 100 * MS);
    uint8_t before[8], data[8];
    assert_int_equal(bench_sent(b, COMMAND, before), 2);
    b->alive = false;
    bench_frame(b, 0x90000, BENCH_BYTES(1, 2, 3, 0x0f, 250));
    bench_run(b, 50 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0); /* what closes waits */
    closes(b, CONTACTOR_GC, false);
    bench_run(b, 5 * MS);
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x04);
    assert_int_equal(data[1], (uint8_t)(before[1] + 1));
    bench_run(b, 200 * MS);
    assert_int_equal(bench_sent(b, COMMAND, data), 2); /* and is refreshed */
    assert_int_equal(data[1], (uint8_t)(before[1] + 1));
    closes(b, CONTACTOR_GC, true);
    bench_run(b, 100 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
}

static void test_contactor_after_a_resync_no_sent_sequence_is_used_again(void **state) {
    (void)state;
    for (uint8_t applied = 0; applied < 3; applied++) {
        struct bench *b = settled();
        closes(b, CONTACTOR_GC, true);
        bench_run(b, 100 * MS);
        uint8_t before[8], data[8];
        bench_sent(b, COMMAND, before);
        b->alive = false;
        bench_frame(b, 0x90000, BENCH_BYTES(1, 2, 3, 0x0f, 250));
        closes(b, CONTACTOR_GC, false);
        bench_run(b, 5 * MS);
        assert_int_equal(bench_sent(b, COMMAND, data), 1);
        const uint8_t sent = data[1], said = (uint8_t)(before[1] + applied);
        /* a status from before, with, or (by chance) beyond it */
        bench_sealed(b, 0x150, BENCH_BYTES(0, 0, 0, 0, 0, said, said));
        b->cmd.imd_enable = true;
        bench_run(b, 5 * MS);
        assert_int_equal(bench_sent(b, COMMAND, data), 1);
        assert_int_equal(data[2], 0x01);
        assert_int_not_equal(data[1], sent);
        assert_int_not_equal(data[1], said);
    }
}

static void test_contactor_opening_at_boot_waits_for_the_plc(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->cmd.force_all_off = true;
    bench_run(b, 5 * MS);
    b->cmd.force_all_off = false;
    bench_run(b, 200 * MS);
    assert_int_equal(bench_sent(b, COMMAND, NULL), 0);
}

static void test_contactor_clear_faults_at_most_three_attempts(void **state) {
    (void)state;
    struct bench *b = settled();
    b->fault_reason = 9;
    bench_run(b, 200 * MS);
    b->cmd.clear_faults = true;
    assert_int_equal(clear_attempts(b, 10 * SECOND), 3);
}

static void test_contactor_clear_faults_stops_when_the_plc_is_well(void **state) {
    (void)state;
    struct bench *b = settled();
    b->fault_reason = 9;
    bench_run(b, 200 * MS);
    b->cmd.clear_faults = true;
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x40);
    b->fault_reason = 0;
    bench_run(b, 300 * MS);
    assert_int_equal(clear_attempts(b, 10 * SECOND), 0);
}

static void test_contactor_clear_faults_never_by_itself(void **state) {
    (void)state;
    struct bench *b = settled();
    b->fault_reason = 9;
    assert_int_equal(clear_attempts(b, 10 * SECOND), 0);
}

static void test_contactor_clear_faults_a_new_request_gets_new_attempts(void **state) {
    (void)state;
    struct bench *b = settled();
    b->fault_reason = 9;
    b->cmd.clear_faults = true;
    assert_int_equal(clear_attempts(b, 5 * SECOND), 3);
    b->cmd.clear_faults = false;
    bench_run(b, 50 * MS);
    b->cmd.clear_faults = true;
    assert_int_equal(clear_attempts(b, 5 * SECOND), 3);
}

static void test_contactor_full_batch_is_tried_again(void **state) {
    (void)state;
    struct bench *b = settled();
    closes(b, CONTACTOR_GC, true);
    b->now_us += 5 * MS;
    b->tx.count = FRAME_BATCH_MAX;
    plc_tx_contactors(&b->plc, &b->config, &b->cmd, &b->image, &b->tx, b->now_us);
    assert_int_equal(b->tx.dropped, 1);
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, COMMAND, data), 1);
    assert_int_equal(data[0], 0x01);
    assert_int_equal(data[1], (uint8_t)(b->applied));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contactor_refresh_every_100_ms_with_the_same_sequence),
        cmocka_unit_test(test_contactor_no_two_refreshes_are_more_than_105_ms_apart),
        cmocka_unit_test(test_contactor_change_goes_out_at_once_with_the_next_sequence),
        cmocka_unit_test(test_contactor_sequence_wraps),
        cmocka_unit_test(test_contactor_golden_frame_of_every_bit),
        cmocka_unit_test(test_contactor_gcmc_mode_never_sends_relay_control),
        cmocka_unit_test(test_contactor_what_the_plc_does_not_own_is_not_commanded),
        cmocka_unit_test(test_contactor_relay_mode_golden_frame),
        cmocka_unit_test(test_contactor_relay_mode_force_all_off_drops_sys_enable),
        cmocka_unit_test(test_contactor_force_all_off_clears_every_close),
        cmocka_unit_test(test_contactor_nothing_closes_before_the_crc_mode_is_checked),
        cmocka_unit_test(test_contactor_withheld_sends_nothing),
        cmocka_unit_test(test_contactor_first_sequence_differs_from_the_last_applied),
        cmocka_unit_test(test_contactor_silent_plc_is_commanded_off_after_500_ms),
        cmocka_unit_test(test_contactor_force_all_off_does_not_wait_for_the_plc),
        cmocka_unit_test(test_contactor_unacknowledged_300_ms_is_one_attempt),
        cmocka_unit_test(test_contactor_three_attempts_in_a_row_force_all_off),
        cmocka_unit_test(test_contactor_retry_keeps_the_sequence),
        cmocka_unit_test(test_contactor_acknowledgement_resets_the_count),
        cmocka_unit_test(test_contactor_changing_commands_do_not_evade_supervision),
        cmocka_unit_test(test_contactor_ack_fault_stays_when_acknowledged_later),
        cmocka_unit_test(test_contactor_silence_is_no_failed_attempt),
        cmocka_unit_test(test_contactor_restarted_plc_gets_a_new_sequence),
        cmocka_unit_test(test_contactor_opening_does_not_wait_for_a_restarted_plc),
        cmocka_unit_test(test_contactor_after_a_resync_no_sent_sequence_is_used_again),
        cmocka_unit_test(test_contactor_opening_at_boot_waits_for_the_plc),
        cmocka_unit_test(test_contactor_clear_faults_at_most_three_attempts),
        cmocka_unit_test(test_contactor_clear_faults_stops_when_the_plc_is_well),
        cmocka_unit_test(test_contactor_clear_faults_never_by_itself),
        cmocka_unit_test(test_contactor_clear_faults_a_new_request_gets_new_attempts),
        cmocka_unit_test(test_contactor_full_batch_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
