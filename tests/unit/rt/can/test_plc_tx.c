/* Contract section 2 besides contactors: parameters with their acknowledgement, present values, limits. */
#include "tests/unit/rt/can/bench.h"

#define CONFIG  0x380
#define LIMITS  0x300
#define PRESENT 0x310

enum { STOP_REQUEST = 40, LOCK = 30, AUTH_STATE = 20, AUTH_PENDING = 21, PROTO_VERSION = 91 };

static void ack_full(struct bench *b, uint8_t param, uint8_t status, uint32_t value,
                     uint8_t plc_id) {
    bench_sealed(b, 0x1A0,
                 BENCH_BYTES(param, status, (uint8_t)value, (uint8_t)(value >> 8),
                             (uint8_t)(value >> 16), (uint8_t)(value >> 24), plc_id));
}

static void ack(struct bench *b, uint8_t param, uint32_t value) {
    ack_full(b, param, 0, value, BENCH_PLC);
}

/* Frames for this parameter in tx; the last one's value. */
static unsigned sent(const struct bench *b, uint8_t param, uint32_t *value) {
    unsigned count = 0;
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct can_frame *frame = &b->tx.item[i].frame;
        if ((frame->can_id & CAN_EFF_MASK) == (CONFIG | BENCH_PLC) && frame->data[0] == param) {
            assert_int_equal(frame->data[1], 0); /* set */
            count++;
            if (value) {
                *value = (uint32_t)frame->data[2] | (uint32_t)frame->data[3] << 8;
            }
        }
    }
    return count;
}

/* Everything acknowledged, no vehicle. */
static struct bench *quiet(void) {
    struct bench *b = bench_new();
    bench_settle(b);
    ack(b, STOP_REQUEST, 0);
    ack(b, LOCK, 0);
    ack(b, AUTH_STATE, 0);
    ack(b, AUTH_PENDING, 0);
    ack(b, PROTO_VERSION, 1);
    bench_run(b, 3 * SECOND);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 0);
    return b;
}

static void test_param_all_are_sent_at_start_and_repeated_until_acknowledged(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_settle(b);
    static const uint8_t params[] = {STOP_REQUEST, LOCK, AUTH_STATE, AUTH_PENDING, PROTO_VERSION};
    bench_run(b, 3 * SECOND);
    for (size_t i = 0; i < sizeof(params); i++) {
        assert_int_equal(sent(b, params[i], NULL), 3); /* every second */
    }
    uint32_t version = 0;
    sent(b, PROTO_VERSION, &version);
    assert_int_equal(version, 1);
}

static void test_param_are_not_sent_all_at_once(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->alive = true;
    bench_run(b, 500 * MS);
    int64_t last_us = 0;
    b = bench_new();
    b->alive = true;
    for (unsigned i = 0; i < 100; i++) {
        bench_run(b, 5 * MS);
        unsigned count = bench_sent(b, CONFIG, NULL);
        assert_in_range(count, 0, 1);
        if (count) {
            assert_true(last_us == 0 || b->now_us - last_us >= 20 * MS);
            last_us = b->now_us;
        }
    }
}

static void test_param_nothing_to_a_plc_that_was_never_heard(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_run(b, 5 * SECOND);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 0);
    assert_int_equal(bench_sent(b, PRESENT, NULL), 0);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 0);
}

static void test_param_change_goes_out_at_once(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.lock = true;
    bench_run(b, 5 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, CONFIG, data), 1);
    assert_memory_equal(data, ((const uint8_t[7]){LOCK, 0, 1, 0, 0, 0, 0}), 7);
    assert_int_equal(data[7], bench_crc(data, 7));
}

static void test_param_acknowledged_is_not_repeated(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.lock = true;
    bench_run(b, 2 * SECOND);
    assert_int_equal(sent(b, LOCK, NULL), 2);
    ack(b, LOCK, 1);
    bench_run(b, 5 * SECOND);
    assert_int_equal(sent(b, LOCK, NULL), 0);
}

static void test_param_acknowledgement_of_another_value_does_not_count(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.stop_request = 2;
    bench_run(b, 100 * MS);
    ack(b, STOP_REQUEST, 0);
    bench_run(b, 2 * SECOND);
    assert_int_equal(sent(b, STOP_REQUEST, NULL), 2);
    assert_false(b->image.config_refused);
}

static void test_param_acknowledgement_of_another_plc_is_a_format_error(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.lock = true;
    bench_run(b, 100 * MS);
    ack_full(b, LOCK, 0, 1, BENCH_PLC + 1);
    assert_int_equal(b->image.format_errors, 1);
    bench_run(b, 2 * SECOND);
    assert_int_equal(sent(b, LOCK, NULL), 2);
}

static void test_param_refusals_raise_config_refused(void **state) {
    (void)state;
    for (uint8_t status = 1; status <= 3; status++) {
        struct bench *b = quiet();
        b->cmd.lock = true;
        bench_run(b, 100 * MS);
        ack_full(b, LOCK, status, 1, BENCH_PLC);
        assert_true(b->image.config_refused);
        ack(b, AUTH_STATE, 0); /* another parameter does not clear it */
        assert_true(b->image.config_refused);
        bench_run(b, 2 * SECOND);
        assert_int_equal(sent(b, LOCK, NULL), 2);
        ack(b, LOCK, 1);
        assert_false(b->image.config_refused);
    }
}

static void test_param_busy_is_repeated_without_a_fault(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.lock = true;
    bench_run(b, 100 * MS);
    ack_full(b, LOCK, 4, 0, BENCH_PLC);
    assert_false(b->image.config_refused);
    bench_run(b, SECOND);
    assert_int_equal(sent(b, LOCK, NULL), 1);
}

static void test_param_other_protocol_version_is_refused(void **state) {
    (void)state;
    struct bench *b = quiet();
    ack(b, PROTO_VERSION, 2);
    assert_true(b->image.config_refused);
    ack(b, PROTO_VERSION, 1);
    assert_false(b->image.config_refused);
}

static void test_param_auth_state_is_refreshed_while_plugged(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.plugged = true;
    bench_run(b, 5 * SECOND);
    assert_in_range(sent(b, AUTH_STATE, NULL), 5, 6);
    assert_int_equal(bench_sent(b, CONFIG, NULL), sent(b, AUTH_STATE, NULL));
    b->cmd.plugged = false;
    bench_run(b, 3 * SECOND);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 0);
}

static void test_param_stop_goes_before_everything_else(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.auth_granted = true;
    b->cmd.lock = true;
    b->cmd.stop_request = 3;
    bench_run(b, 5 * MS);
    uint32_t value = 0;
    assert_int_equal(bench_sent(b, CONFIG, NULL), 1);
    assert_int_equal(sent(b, STOP_REQUEST, &value), 1);
    assert_int_equal(value, 3);
    bench_run(b, 100 * MS);
    assert_int_equal(sent(b, LOCK, NULL), 1);
    assert_int_equal(sent(b, AUTH_STATE, NULL), 1);
}

static void test_param_restarted_plc_is_told_everything_again(void **state) {
    (void)state;
    struct bench *b = quiet();
    bench_frame(b, 0x90000, BENCH_BYTES(1, 0, 0, 0x0f, 0xFA, 0));
    bench_run(b, 200 * MS);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 5);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 1);
}

static void test_param_plc_heard_again_is_told_everything_again(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->alive = false;
    bench_run(b, 2 * SECOND);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 0);
    b->alive = true;
    bench_run(b, 200 * MS);
    assert_int_equal(bench_sent(b, CONFIG, NULL), 5);
}

static void test_present_every_200_ms_golden(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.present_mv = 400049;
    b->cmd.present_ma = 62500;
    b->cmd.present_w = 25003;
    b->cmd.output_enabled = true;
    b->cmd.fault_bits = 0x21;
    bench_run(b, 2 * SECOND);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, PRESENT, data), 10);
    /* 4000 = 0x0FA0, 625 = 0x0271, 250 = 0x00FA, enabled | 0x21 << 2 */
    assert_memory_equal(data, ((const uint8_t[7]){0xA0, 0x0F, 0x71, 0x02, 0xFA, 0x00, 0x85}), 7);
    assert_int_equal(data[7], bench_crc(data, 7));
}

static void test_present_out_of_range_is_held_to_the_signal(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.present_mv = INT32_MAX;
    b->cmd.present_ma = -5000;
    b->cmd.present_w = 6553600;
    b->cmd.regulating = true;
    b->cmd.fault_bits = 0xff;
    bench_run(b, 200 * MS);
    uint8_t data[8];
    assert_int_equal(bench_sent(b, PRESENT, data), 1);
    assert_memory_equal(data, ((const uint8_t[7]){0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0xFE}), 7);
}

static void test_limits_every_second_golden(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.offer_mv = 1000000;
    b->cmd.offer_ma = 200000;
    b->cmd.offer_w = 60000;
    bench_run(b, 10 * SECOND);
    uint8_t data[8];
    assert_in_range(bench_sent(b, LIMITS, data), 10, 11);
    assert_memory_equal(data, ((const uint8_t[7]){0x10, 0x27, 0xD0, 0x07, 0x58, 0x02, 0}), 7);
}

static void test_limits_on_change_but_not_faster_than_100_ms(void **state) {
    (void)state;
    struct bench *b = quiet();
    bench_run(b, 150 * MS);
    b->cmd.offer_ma = 1000;
    bench_run(b, 5 * MS);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 1);
    int64_t last_us = b->now_us;
    unsigned count = 0;
    for (unsigned i = 0; i < 200; i++) {
        b->cmd.offer_ma += 1000;
        bench_run(b, 5 * MS);
        if (bench_sent(b, LIMITS, NULL)) {
            assert_true(b->now_us - last_us >= 100 * MS);
            last_us = b->now_us;
            count++;
        }
    }
    assert_in_range(count, 9, 10);
}

static void test_limits_none_for_a_slot_without_gun(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.slot[0].gun = -1;
    bench_restart(b);
    b->alive = true;
    bench_run(b, 3 * SECOND);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 0);
    assert_int_equal(bench_sent(b, PRESENT, NULL), 0);
    assert_true(bench_sent(b, 0x390, NULL) > 0);
}

/* Half the contract's periods in the configuration: twice the frames on the wire, also of the contactor command. */
static void test_tx_periods_are_those_of_the_configuration(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.plugged = true; /* the state of authorisation is refreshed */
    b->config.plc_timing[PLC_MESSAGE_GCMC_COMMAND].period_ms = 50;
    b->config.plc_timing[PLC_MESSAGE_EVSE_DC_PRESENT].period_ms = 100;
    b->config.plc_timing[PLC_MESSAGE_EVSE_DC_MAX_LIMITS].period_ms = 500;
    b->config.plc_timing[PLC_MESSAGE_CONFIG_CMD].period_ms = 500;
    bench_run(b, 2 * SECOND); /* what was scheduled by the old periods has gone */
    bench_run(b, 2 * SECOND);
    assert_int_equal(bench_sent(b, 0x390, NULL), 40);
    assert_int_equal(bench_sent(b, PRESENT, NULL), 20);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 4);
    assert_int_equal(sent(b, AUTH_STATE, NULL), 4);
}

/* A batch without room: nothing counts as sent, and all of it goes out as soon as there is room. */
static void test_tx_full_batch_is_tried_again(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.offer_w = 12300;
    b->cmd.lock = true;
    b->now_us += 200 * MS; /* the present values are due too */
    b->tx.count = FRAME_BATCH_MAX;
    b->tx.dropped = 0;
    plc_tx_rest(&b->plc, &b->config, &b->cmd, &b->image, &b->tx, b->now_us);
    assert_int_equal(b->tx.dropped, 3);
    frame_batch_clear(&b->tx);
    plc_tx_rest(&b->plc, &b->config, &b->cmd, &b->image, &b->tx, b->now_us);
    uint32_t lock = 0;
    assert_int_equal(b->tx.count, 3);
    assert_int_equal(bench_sent(b, LIMITS, NULL), 1);
    assert_int_equal(bench_sent(b, PRESENT, NULL), 1);
    assert_int_equal(sent(b, LOCK, &lock), 1);
    assert_int_equal(lock, 1);
}

static void test_tx_interface_down_sends_nothing(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->image.interface_down = true;
    b->cmd.lock = true;
    bench_run(b, 2 * SECOND);
    assert_int_equal(b->tx.count, 0);
}

static void test_tx_every_frame_is_extended_with_eight_bytes_and_the_plc_id(void **state) {
    (void)state;
    struct bench *b = quiet();
    b->cmd.plugged = true;
    bench_run(b, 2 * SECOND);
    assert_true(b->tx.count > 20);
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct can_frame *frame = &b->tx.item[i].frame;
        assert_int_equal(frame->can_id & CAN_EFF_FLAG, CAN_EFF_FLAG);
        assert_int_equal(frame->can_id & (CAN_RTR_FLAG | CAN_ERR_FLAG), 0);
        assert_int_equal(frame->can_id & 0xf, BENCH_PLC);
        assert_int_equal(frame->len, 8);
        assert_int_equal(frame->data[7], bench_crc(frame->data, 7));
        assert_int_equal(b->tx.item[i].interface, 0);
    }
}

static void test_tx_periodic_frames_of_different_slots_are_spread(void **state) {
    (void)state;
    /* sixteen nodes on one bus: no 5 ms step may carry more than three of their Present frames */
    unsigned per_step[40] = {0};
    for (uint8_t id = 0; id < 16; id++) {
        struct bench *b = bench_new();
        b->config.slot[0].plc_id = id;
        bench_restart(b);
        b->image.plc_last_rx_us = b->now_us;
        b->plc.first_rx_us = b->now_us;
        for (unsigned i = 0; i < 80; i++) {
            b->image.plc_last_rx_us = b->now_us;
            bench_run(b, 5 * MS);
            if (i >= 40) {
                per_step[i - 40] += bench_sent(b, PRESENT, NULL);
            }
        }
    }
    for (unsigned i = 0; i < 40; i++) {
        assert_in_range(per_step[i], 0, 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_param_all_are_sent_at_start_and_repeated_until_acknowledged),
        cmocka_unit_test(test_param_are_not_sent_all_at_once),
        cmocka_unit_test(test_param_nothing_to_a_plc_that_was_never_heard),
        cmocka_unit_test(test_param_change_goes_out_at_once),
        cmocka_unit_test(test_param_acknowledged_is_not_repeated),
        cmocka_unit_test(test_param_acknowledgement_of_another_value_does_not_count),
        cmocka_unit_test(test_param_acknowledgement_of_another_plc_is_a_format_error),
        cmocka_unit_test(test_param_refusals_raise_config_refused),
        cmocka_unit_test(test_param_busy_is_repeated_without_a_fault),
        cmocka_unit_test(test_param_other_protocol_version_is_refused),
        cmocka_unit_test(test_param_auth_state_is_refreshed_while_plugged),
        cmocka_unit_test(test_param_stop_goes_before_everything_else),
        cmocka_unit_test(test_param_restarted_plc_is_told_everything_again),
        cmocka_unit_test(test_param_plc_heard_again_is_told_everything_again),
        cmocka_unit_test(test_present_every_200_ms_golden),
        cmocka_unit_test(test_present_out_of_range_is_held_to_the_signal),
        cmocka_unit_test(test_limits_every_second_golden),
        cmocka_unit_test(test_limits_on_change_but_not_faster_than_100_ms),
        cmocka_unit_test(test_limits_none_for_a_slot_without_gun),
        cmocka_unit_test(test_tx_periods_are_those_of_the_configuration),
        cmocka_unit_test(test_tx_full_batch_is_tried_again),
        cmocka_unit_test(test_tx_interface_down_sends_nothing),
        cmocka_unit_test(test_tx_every_frame_is_extended_with_eight_bytes_and_the_plc_id),
        cmocka_unit_test(test_tx_periodic_frames_of_different_slots_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
