/* Contract section 6: what is sent to a power module when, and what its replies mean. Both protocols. */
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"
#include "tests/unit/rt/can/bench.h"

#define ADDRESS 2 /* of module 1 in slot 0 */

static struct module_driver driver;
static struct image_module image;
static struct request_module wanted;
static struct bench *b;

static void start(enum module_protocol protocol) {
    b = bench_new();
    b->config.modules.protocol = protocol;
    memset(&image, 0, sizeof(image));
    memset(&wanted, 0, sizeof(wanted));
    module_init(&driver, &b->config, 0, 1, b->now_us);
}

static void step(bool urgent) {
    module_tx(&driver, &b->config, &wanted, urgent, &image, &b->tx, b->now_us);
}

/* As the guard does: every 5 ms, urgent frames of all first, then the rest. */
static void run(int64_t span_us) {
    frame_batch_clear(&b->tx);
    for (int64_t end = b->now_us + span_us; b->now_us < end;) {
        b->now_us += 5 * MS;
        step(true);
        step(false);
    }
}

static void want(bool on, int32_t mv, int32_t ma) {
    wanted = (struct request_module){.run = on, .mn = true, .set_mv = mv, .set_ma = ma};
}

/* Frames with this infypower command in tx; the last one's payload. */
static unsigned infy(uint8_t command, uint8_t data[8]) {
    unsigned count = 0;
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct can_frame *frame = &b->tx.item[i].frame;
        if ((frame->can_id >> 16 & 0x3f) == command) {
            count++;
            if (data) {
                memcpy(data, frame->data, 8);
            }
        }
    }
    return count;
}

/* Frames with this maxwell function and register. */
static unsigned maxw(uint8_t function, uint8_t reg, uint8_t data[8]) {
    unsigned count = 0;
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct can_frame *frame = &b->tx.item[i].frame;
        if (frame->data[0] == function && frame->data[3] == reg) {
            count++;
            if (data) {
                memcpy(data, frame->data, 8);
            }
        }
    }
    return count;
}

static void reply(uint32_t can_id, const uint8_t data[8]) {
    struct can_frame frame = {.can_id = can_id | CAN_EFF_FLAG, .len = 8};
    memcpy(frame.data, data, 8);
    module_rx(&driver, &b->config, &frame, &image, b->now_us);
}

static void infy_reply(uint8_t command, const uint8_t data[8]) {
    reply(0x0280F000u | (uint32_t)command << 16 | ADDRESS, data);
}

static void maxw_reply(const uint8_t data[8]) {
    reply(0x060F8000u | ADDRESS << 3, data); /* PROTNO 0x060, PTP, to 0xF0 */
}

static void test_module_frames_name_one_module_and_never_a_broadcast(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 10000);
    run(10 * SECOND);
    assert_true(b->tx.count > 80);
    for (uint32_t i = 0; i < b->tx.count; i++) {
        const struct bus_frame *item = &b->tx.item[i];
        assert_int_equal(item->interface, 1);
        assert_int_equal(item->frame.len, 8);
        assert_int_equal(item->frame.can_id & 0xffff, 0x02F0);
        assert_int_equal(item->frame.can_id >> 22, 0x20A); /* EFF flag, no error, single */
    }
    start(MODULE_PROTOCOL_MAXWELL);
    want(true, 400000, 10000);
    run(10 * SECOND);
    for (uint32_t i = 0; i < b->tx.count; i++) {
        assert_int_equal(b->tx.item[i].frame.can_id, 0x06081780u | CAN_EFF_FLAG);
    }
}

static void test_module_is_told_off_at_start(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    run(5 * MS);
    uint8_t data[8];
    assert_int_equal(infy(INFYPOWER_ON_OFF, data), 1);
    assert_int_equal(data[0], 1);
    assert_int_equal(infy(INFYPOWER_SETPOINT, NULL), 0);
    assert_false(image.sent_run);
    assert_int_equal(image.sent_at_us, b->now_us);
}

static void test_module_setpoint_goes_before_on(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    run(SECOND);
    want(true, 400000, 10000);
    run(5 * MS);
    uint8_t data[8];
    assert_int_equal(infy(INFYPOWER_SETPOINT, data), 1);
    assert_memory_equal(data, ((const uint8_t[8]){0x00, 0x06, 0x1A, 0x80, 0x00, 0x00, 0x27, 0x10}),
                        8);
    assert_int_equal(infy(INFYPOWER_ON_OFF, data), 1);
    assert_int_equal(data[0], 0);
    assert_int_equal(b->tx.item[0].frame.can_id >> 16 & 0x3f, INFYPOWER_SETPOINT);
    assert_int_equal(b->tx.item[1].frame.can_id >> 16 & 0x3f, INFYPOWER_ON_OFF);
    assert_true(image.sent_run);
    assert_int_equal(image.sent_mv, 400000);
    assert_int_equal(image.sent_ma, 10000);
}

static void test_module_maxwell_start_golden(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    run(SECOND);
    want(true, 400000, 100000);
    run(5 * MS);
    assert_true(b->tx.count >= 3);
    assert_memory_equal(b->tx.item[0].frame.data,
                        ((const uint8_t[8]){3, 0, 0, 0x21, 0x43, 0xC8, 0, 0}), 8);
    assert_memory_equal(b->tx.item[1].frame.data,
                        ((const uint8_t[8]){3, 0, 0, 0x1B, 0, 1, 0x90, 0}), 8);
    assert_memory_equal(b->tx.item[2].frame.data, ((const uint8_t[8]){3, 0, 0, 0x30, 0, 0, 0, 0}),
                        8);
}

static void test_module_raise_waits_for_the_spacing(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 10000);
    run(200 * MS);
    int64_t last_us = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < 400; i++) {
        want(true, 400000, 10000 + 100 * (int32_t)i);
        run(5 * MS);
        if (infy(INFYPOWER_SETPOINT, NULL)) {
            assert_int_equal(infy(INFYPOWER_SETPOINT, NULL), 1);
            assert_true(last_us == 0 || b->now_us - last_us >= 100 * MS);
            last_us = b->now_us;
            count++;
        }
    }
    assert_in_range(count, 18, 21); /* 2 s */
}

static void test_module_lowered_goes_with_the_urgent_frames(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 50000);
    run(500 * MS);
    for (int32_t ma = 49000; ma >= 0; ma -= 1000) {
        want(true, 400000, ma);
        frame_batch_clear(&b->tx);
        b->now_us += 100 * MS;
        step(true); /* already with the urgent frames */
        uint8_t data[8];
        assert_int_equal(infy(INFYPOWER_SETPOINT, data), 1);
        assert_int_equal(data[6] << 8 | data[7], ma);
        assert_int_equal(image.sent_ma, ma);
        step(false);
    }
}

/* Contract section 6: setpoints at most every 100 ms per module, also when a ramp lowers in every 5 ms step. */
static void test_module_ramp_down_does_not_flood_the_bus(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 50000);
    run(500 * MS);
    frame_batch_clear(&b->tx);
    uint32_t setpoints = 0;
    for (int32_t ma = 49500; ma > 0; ma -= 100) { /* 495 steps of 5 ms: 2.5 s */
        want(true, 400000, ma);
        frame_batch_clear(&b->tx);
        b->now_us += 5 * MS;
        step(true);
        step(false);
        setpoints += (uint32_t)infy(INFYPOWER_SETPOINT, NULL);
    }
    assert_in_range(setpoints, 24, 31); /* 25 turns, and the 500 ms refresh */
}

static void test_module_zero_current_goes_at_once(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 50000);
    run(500 * MS);
    want(true, 400000, 40000);
    b->now_us += 100 * MS;
    step(true);
    want(true, 400000, 0);
    frame_batch_clear(&b->tx);
    b->now_us += 1 * MS;
    step(true);
    uint8_t data[8];
    assert_int_equal(infy(INFYPOWER_SETPOINT, data), 1);
    assert_int_equal(data[6] << 8 | data[7], 0);
    assert_int_equal(image.sent_ma, 0);
}

static void test_module_voltage_down_current_up_goes_down_first(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 500000, 10000);
    run(500 * MS);
    want(true, 400000, 10000 + 5000);
    run(5 * MS);
    uint8_t data[8];
    assert_true(infy(INFYPOWER_SETPOINT, data) >= 1);
    assert_int_equal(image.sent_mv, 400000);
    assert_int_equal(image.sent_ma, 10000);
    run(100 * MS);
    assert_int_equal(image.sent_ma, 15000);
}

static void test_module_urgent_pass_sends_nothing_that_goes_up(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    run(SECOND);
    want(true, 400000, 10000);
    frame_batch_clear(&b->tx);
    for (unsigned i = 0; i < 200; i++) {
        b->now_us += 5 * MS;
        step(true);
    }
    assert_int_equal(b->tx.count, 0);
}

static void test_module_off_goes_at_once(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    want(true, 400000, 10000);
    run(500 * MS);
    want(false, 400000, 10000);
    frame_batch_clear(&b->tx);
    b->now_us += 5 * MS;
    step(true);
    assert_int_equal(b->tx.count, 1);
    assert_memory_equal(b->tx.item[0].frame.data, ((const uint8_t[8]){3, 0, 0, 0x30, 0, 1, 0, 0}),
                        8);
    assert_false(image.sent_run);
    assert_int_equal(image.sent_ma, 0);
    assert_int_equal(image.sent_mv, 0);
}

static void test_module_every_session_gets_its_setpoint(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    for (unsigned session = 0; session < 5; session++) {
        want(true, 400000, 10000); /* the same each time: off has emptied the memory */
        run(200 * MS);
        uint8_t data[8];
        assert_true(infy(INFYPOWER_SETPOINT, data) >= 1);
        assert_int_equal(data[6] << 8 | data[7], 10000);
        want(false, 0, 0);
        run(SECOND);
    }
}

static void test_module_refresh_every_500_ms(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 10000);
    run(SECOND);
    run(10 * SECOND);
    assert_in_range(infy(INFYPOWER_SETPOINT, NULL), 20, 21);
    assert_in_range(infy(INFYPOWER_ON_OFF, NULL), 20, 21);
    want(false, 0, 0);
    run(SECOND);
    uint8_t data[8];
    run(10 * SECOND);
    assert_int_equal(infy(INFYPOWER_SETPOINT, NULL), 0);
    assert_in_range(infy(INFYPOWER_ON_OFF, data), 20, 21);
    assert_int_equal(data[0], 1);
}

static void test_module_polls_at_their_rates(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    run(5 * SECOND);
    run(20 * SECOND);
    assert_in_range(infy(INFYPOWER_OUTPUT, NULL), 79, 81);
    assert_in_range(infy(INFYPOWER_STATUS, NULL), 39, 41);
    assert_in_range(infy(INFYPOWER_CAPABILITIES, NULL), 9, 11);
    assert_in_range(infy(INFYPOWER_EXTERNAL, NULL), 9, 11);
    start(MODULE_PROTOCOL_MAXWELL);
    run(5 * SECOND);
    run(20 * SECOND);
    assert_in_range(maxw(0x10, MAXWELL_VOLTAGE, NULL), 79, 81);
    assert_in_range(maxw(0x10, MAXWELL_CURRENT, NULL), 79, 81);
    assert_in_range(maxw(0x10, MAXWELL_ALARMS, NULL), 39, 41);
    assert_in_range(maxw(0x10, MAXWELL_DC_TEMPERATURE, NULL), 9, 11);
    assert_in_range(maxw(0x10, MAXWELL_CURRENT_LIMIT, NULL), 9, 11);
}

static void test_module_polls_of_a_bus_take_turns(void **state) {
    (void)state;
    static struct module_driver drivers[2][2];
    static struct image_module images[2][2];
    start(MODULE_PROTOCOL_INFYPOWER);
    for (uint32_t i = 0; i < 4; i++) {
        module_init(&drivers[i / 2][i % 2], &b->config, i / 2, i % 2, b->now_us);
        memset(&images[i / 2][i % 2], 0, sizeof(images[0][0]));
    }
    unsigned most = 0;
    for (unsigned n = 0; n < 2000; n++) {
        b->now_us += 5 * MS;
        frame_batch_clear(&b->tx);
        for (uint32_t i = 0; i < 4; i++) {
            module_tx(&drivers[i / 2][i % 2], &b->config, &wanted, false, &images[i / 2][i % 2],
                      &b->tx, b->now_us);
        }
        unsigned outputs = infy(INFYPOWER_OUTPUT, NULL);
        most = n > 100 && outputs > most ? outputs : most;
    }
    assert_int_equal(most, 1);
}

static void test_module_out_of_range_setpoint_is_off(void **state) {
    (void)state;
    static const struct request_module bad[] = {{.run = true, .set_mv = -1, .set_ma = 1},
                                                {.run = true, .set_mv = 1500001, .set_ma = 1},
                                                {.run = true, .set_mv = 1, .set_ma = -1},
                                                {.run = true, .set_mv = 1, .set_ma = 1000001}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(MODULE_PROTOCOL_INFYPOWER);
        want(true, 400000, 10000);
        run(500 * MS);
        wanted = bad[i];
        run(5 * MS);
        assert_false(image.sent_run);
        uint8_t data[8];
        assert_int_equal(infy(INFYPOWER_ON_OFF, data), 1);
        assert_int_equal(data[0], 1);
    }
}

static void test_module_full_batch_is_tried_again(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 10000);
    run(500 * MS);
    want(false, 0, 0);
    b->now_us += 5 * MS;
    b->tx.count = FRAME_BATCH_MAX;
    step(true);
    assert_true(image.sent_run); /* the books say what was really sent */
    run(5 * MS);
    assert_false(image.sent_run);
    assert_int_equal(infy(INFYPOWER_ON_OFF, NULL), 1);
}

static void step_with_room_for(uint32_t frames) {
    b->now_us += 5 * MS;
    b->tx.count = FRAME_BATCH_MAX - frames;
    step(true);
    step(false);
}

static void test_module_batch_full_in_the_middle_of_a_change_is_said_again_whole(void **state) {
    (void)state;
    static const struct {
        enum module_protocol protocol;
        uint32_t start_frames, change_frames;
    } row[] = {{MODULE_PROTOCOL_INFYPOWER, 2, 1}, {MODULE_PROTOCOL_MAXWELL, 3, 2}};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t room = 0; room < row[i].start_frames; room++) {
            start(row[i].protocol);
            run(500 * MS);
            want(true, 400000, 10000);
            step_with_room_for(room);
            assert_false(image.sent_run); /* half a message is none */
            run(200 * MS);
            assert_true(image.sent_run);
            assert_int_equal(image.sent_mv, 400000);
            assert_int_equal(image.sent_ma, 10000);
        }
        for (uint32_t room = 0; room < row[i].change_frames; room++) {
            start(row[i].protocol);
            want(true, 400000, 10000);
            run(520 * MS);
            want(true, 410000, 12000);
            step_with_room_for(room);
            assert_int_equal(image.sent_mv, 400000);
            assert_int_equal(image.sent_ma, 10000);
            run(200 * MS);
            assert_int_equal(image.sent_mv, 410000);
            assert_int_equal(image.sent_ma, 12000);
        }
    }
}

static void test_module_polls_without_room_are_asked_in_the_next_step(void **state) {
    (void)state;
    for (int protocol = 0; protocol < 2; protocol++) {
        start(protocol == 0 ? MODULE_PROTOCOL_INFYPOWER : MODULE_PROTOCOL_MAXWELL);
        run(500 * MS);
        for (int64_t end = b->now_us + 5 * SECOND; b->now_us < end;) {
            step_with_room_for(0); /* five seconds without any room: everything is due */
        }
        run(5 * MS);
        assert_int_equal(b->tx.count, 4); /* off again, output, status, one of the slow ones */
    }
}

static void test_module_maxwell_sends_only_what_changed(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    want(true, 400000, 10000);
    run(SECOND);
    do {
        run(5 * MS);
    } while (maxw(3, MAXWELL_SET_VOLTAGE, NULL) == 0); /* a refresh: the next in 500 ms */
    want(true, 400000, 12000);
    run(200 * MS);
    assert_int_equal(maxw(3, MAXWELL_SET_VOLTAGE, NULL), 0);
    assert_int_equal(maxw(3, MAXWELL_SET_CURRENT, NULL), 1);
    want(true, 410000, 12000);
    run(200 * MS);
    assert_int_equal(maxw(3, MAXWELL_SET_VOLTAGE, NULL), 1);
    assert_int_equal(maxw(3, MAXWELL_SET_CURRENT, NULL), 0);
}

static void test_module_after_loss_is_told_first_and_believed_afterwards(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    want(true, 400000, 10000);
    infy_reply(INFYPOWER_OUTPUT, BENCH_BYTES(0x43, 0xC8));
    run(200 * MS);
    const int64_t heard_us = image.last_rx_us;
    run(2 * SECOND);
    infy_reply(INFYPOWER_OUTPUT, BENCH_BYTES(0x43, 0x48)); /* 200 V */
    assert_int_equal(image.last_rx_us, heard_us);
    assert_int_equal(image.voltage_mv.value, 400000);
    run(5 * MS);
    uint8_t data[8];
    assert_int_equal(infy(INFYPOWER_SETPOINT, data), 1);
    assert_int_equal(data[6] << 8 | data[7], 10000);
    assert_int_equal(infy(INFYPOWER_ON_OFF, data), 1);
    assert_int_equal(data[0], 0);
    infy_reply(INFYPOWER_OUTPUT, BENCH_BYTES(0x43, 0x48));
    assert_int_equal(image.last_rx_us, b->now_us);
    assert_int_equal(image.voltage_mv.value, 200000);
}

static void test_module_after_loss_an_off_module_is_told_off(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    run(100 * MS);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 1));
    run(2100 * MS);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 1));
    run(5 * MS);
    uint8_t data[8];
    assert_int_equal(maxw(0x03, MAXWELL_SET_ON, data), 1);
    assert_int_equal(data[5], 1);
}

static void test_module_status_is_asked_for_faster_after_a_change(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    run(10 * SECOND);
    infy_reply(INFYPOWER_STATUS, BENCH_BYTES(0, 0, 0, 0, 25, 0, INFYPOWER_S1_DC_OFF, 0));
    want(true, 400000, 10000);
    run(500 * MS);
    assert_in_range(infy(INFYPOWER_STATUS, NULL), 4, 6);
    infy_reply(INFYPOWER_STATUS, BENCH_BYTES(0, 0, 0, 0, 25, 0, 0, 0));
    run(SECOND);
    assert_in_range(infy(INFYPOWER_STATUS, NULL), 1, 3);
}

/* ---- replies ---- */

static void test_module_infypower_output(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    infy_reply(INFYPOWER_OUTPUT, BENCH_BYTES(0x43, 0xC8, 0, 0, 0x42, 0x7A, 0, 0));
    assert_true(image.voltage_mv.valid && image.current_ma.valid);
    assert_int_equal(image.voltage_mv.value, 400000);
    assert_int_equal(image.current_ma.value, 62500);
    assert_int_equal(image.last_rx_us, b->now_us);
}

static void test_module_infypower_nan_and_infinity_are_invalid(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    infy_reply(INFYPOWER_OUTPUT, BENCH_BYTES(0x7F, 0xC0, 0, 0, 0xFF, 0x80, 0, 0));
    assert_false(image.voltage_mv.valid);
    assert_false(image.current_ma.valid);
    infy_reply(INFYPOWER_OUTPUT,
               BENCH_BYTES(0x44, 0xFA, 0, 0, 0xC9, 0, 0, 0)); /* 2000 V, -524288 A */
    assert_false(image.voltage_mv.valid);
    assert_false(image.current_ma.valid);
}

static void test_module_infypower_capability(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    infy_reply(INFYPOWER_CAPABILITIES, BENCH_BYTES(0x03, 0xE8, 0x00, 0x96, 0x03, 0xE8, 0x0B, 0xB8));
    infy_reply(INFYPOWER_EXTERNAL, BENCH_BYTES(0x0F, 0xA0, 0x01, 0xF4));
    assert_int_equal(image.capability_w.value, 30000);
    assert_int_equal(image.capability_ma.value, 50000);
    assert_int_equal(image.external_mv.value, 400000);
    infy_reply(INFYPOWER_EXTERNAL, BENCH_BYTES(0x0F, 0xA0, 0xFF, 0xFF));
    assert_int_equal(image.capability_ma.value, 100000); /* never beyond the rated current */
}

static void test_module_infypower_alarms(void **state) {
    (void)state;
    static const struct {
        uint8_t s2, s1, s0;
        uint32_t expected;
    } row[] = {
        {0, 0x01, 0x10, 0}, /* DC off, sleeping: states */
        {0, 0x02, 0, MODULE_ALARM_FAULT},
        {0, 0x04, 0, MODULE_ALARM_PROTECTION},
        {0, 0x08, 0, MODULE_ALARM_FAN},
        {0, 0x10, 0, MODULE_ALARM_TEMPERATURE},
        {0, 0x20, 0, MODULE_ALARM_PROTECTION},
        {0, 0x40, 0, 0},
        {0, 0x80, 0, MODULE_ALARM_COMM},
        {0, 0, 0x01, MODULE_ALARM_PROTECTION},
        {0, 0, 0x20, MODULE_ALARM_FAULT},
        {0x01, 0, 0, MODULE_ALARM_DERATED},
        {0x02, 0, 0, MODULE_ALARM_FAULT},
        {0x08, 0, 0, MODULE_ALARM_INPUT},
        {0x20, 0, 0, MODULE_ALARM_INPUT},
        {0x40, 0, 0, MODULE_ALARM_INPUT},
        {0x80, 0, 0, 0},
        {0x01, 0x0a, 0, MODULE_ALARM_DERATED | MODULE_ALARM_FAULT | MODULE_ALARM_FAN},
    };
    start(MODULE_PROTOCOL_INFYPOWER);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        infy_reply(INFYPOWER_STATUS,
                   BENCH_BYTES(0, 0, 0, 0, 0xF6, row[i].s2, row[i].s1, row[i].s0));
        assert_int_equal(image.alarm_bits, row[i].expected);
        assert_int_equal(image.temperature_ddegc.value, -100);
        assert_int_equal(image.on.value, !(row[i].s1 & 1));
    }
}

static void test_module_infypower_error_reply_is_heard_but_not_used(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    reply(0x0A83F000u | ADDRESS, BENCH_BYTES(0x43, 0xC8)); /* error 2 */
    assert_false(image.voltage_mv.valid);
    assert_int_equal(image.last_rx_us, b->now_us);
    assert_int_equal(driver.refusals, 1);
}

static void test_module_maxwell_readings(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x01, 0x43, 0xC8, 0, 0));
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x02, 0x42, 0x7A, 0, 0));
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x04, 0x42, 0x4A, 0, 0)); /* 50.5 degC */
    assert_int_equal(image.voltage_mv.value, 400000);
    assert_int_equal(image.current_ma.value, 62500);
    assert_int_equal(image.temperature_ddegc.value, 505);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x01, 0xBF, 0x80, 0, 0)); /* -1 V: noise */
    assert_true(image.voltage_mv.valid);
    assert_int_equal(image.voltage_mv.value, 0);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x01, 0x7F, 0x80, 0, 0));
    assert_false(image.voltage_mv.valid);
}

static void test_module_maxwell_refusal_and_unknown_register_are_heard_but_not_used(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    maxw_reply(BENCH_BYTES(0x41, 0xF2, 0, 0x01, 0x43, 0xC8, 0, 0)); /* not 0xF0: refused */
    assert_int_equal(driver.refusals, 1);
    assert_false(image.voltage_mv.valid);
    assert_int_equal(image.last_rx_us, b->now_us);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x7E, 0x43, 0xC8, 0, 0)); /* no such reading */
    maxw_reply(BENCH_BYTES(0x42, 0xF0, 0, 0x7E, 0x43, 0xC8, 0, 0));
    assert_false(image.voltage_mv.valid || image.current_ma.valid || image.on.valid);
    assert_int_equal(image.alarm_bits, 0);
    image.last_rx_us = 0;
    maxw_reply(BENCH_BYTES(0x55, 0xF0, 0, 0x01, 0x43, 0xC8, 0, 0)); /* no reply of the protocol */
    assert_int_equal(image.last_rx_us, 0);
    assert_false(image.voltage_mv.valid);
}

static void test_module_maxwell_capability_needs_all_parts(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_MAXWELL);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x11, 0x46, 0xEA, 0x60, 0)); /* 30 000 W */
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x12, 0x42, 0xC8, 0, 0));    /* 100 A */
    assert_false(image.capability_w.valid);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x03, 0x3F, 0x00, 0, 0)); /* 0.5 */
    assert_true(image.capability_w.valid && image.capability_ma.valid);
    assert_int_equal(image.capability_w.value, 15000);
    assert_int_equal(image.capability_ma.value, 50000);
    maxw_reply(BENCH_BYTES(0x41, 0xF0, 0, 0x03, 0x7F, 0xC0, 0, 0)); /* NaN: not known any more */
    assert_false(image.capability_w.valid);
}

static void test_module_maxwell_alarms(void **state) {
    (void)state;
    static const struct {
        unsigned bit;
        uint32_t expected;
    } row[] = {
        {0, MODULE_ALARM_FAULT},
        {1, MODULE_ALARM_PROTECTION},
        {7, MODULE_ALARM_PROTECTION},
        {9, MODULE_ALARM_INPUT},
        {14, MODULE_ALARM_INPUT},
        {16, MODULE_ALARM_COMM},
        {17, MODULE_ALARM_DERATED},
        {22, 0},
        {23, MODULE_ALARM_DERATED},
        {24, MODULE_ALARM_DERATED},
        {27, MODULE_ALARM_FAN},
        {28, MODULE_ALARM_PROTECTION},
        {30, MODULE_ALARM_TEMPERATURE},
        {31, MODULE_ALARM_PROTECTION},
        {5, 0},
    };
    start(MODULE_PROTOCOL_MAXWELL);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint32_t bits = UINT32_C(1) << row[i].bit;
        maxw_reply(BENCH_BYTES(0x42, 0xF0, 0, 0x40, (uint8_t)(bits >> 24), (uint8_t)(bits >> 16),
                               (uint8_t)(bits >> 8), (uint8_t)bits));
        assert_int_equal(image.alarm_bits, row[i].expected);
        assert_int_equal(image.on.value, row[i].bit != 22);
    }
}

static void test_module_foreign_frames_are_not_taken(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    reply(0x0283F000u | 3, BENCH_BYTES(0x43, 0xC8));       /* another module */
    reply(0x02830200u | ADDRESS, BENCH_BYTES(0x43, 0xC8)); /* not to the controller */
    reply(0x060F8010u, BENCH_BYTES(0x41, 0xF0, 0, 1));     /* another protocol */
    struct can_frame frame = {.can_id = 0x0283F000u | ADDRESS | CAN_EFF_FLAG, .len = 7};
    module_rx(&driver, &b->config, &frame, &image, b->now_us);
    frame.len = 8;
    frame.can_id |= CAN_RTR_FLAG;
    module_rx(&driver, &b->config, &frame, &image, b->now_us);
    assert_int_equal(image.last_rx_us, 0);
}

static void test_module_frame_source(void **state) {
    (void)state;
    struct can_frame frame = {.can_id = 0x0283F002u | CAN_EFF_FLAG, .len = 8};
    assert_int_equal(module_frame_source(MODULE_PROTOCOL_INFYPOWER, &frame), 2);
    assert_int_equal(module_frame_source(MODULE_PROTOCOL_MAXWELL, &frame), -1);
    frame.can_id = 0x060F8010u | CAN_EFF_FLAG;
    assert_int_equal(module_frame_source(MODULE_PROTOCOL_MAXWELL, &frame), 2);
    frame.can_id = 0x06081780u | CAN_EFF_FLAG; /* our own request */
    assert_int_equal(module_frame_source(MODULE_PROTOCOL_MAXWELL, &frame), -1);
}

static void test_module_own_relay_is_started_with_mn_at_zero(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    b->config.slot[0].module[1].mn_on_plc = false;
    module_init(&driver, &b->config, 0, 1, b->now_us);
    wanted = (struct request_module){.mn = true, .set_mv = 400000, .set_ma = 10000};
    run(5 * MS);
    assert_true(image.sent_run);
    assert_int_equal(image.sent_mv, 0);
    assert_int_equal(image.sent_ma, 0);
    infy_reply(INFYPOWER_STATUS, BENCH_BYTES(0, 0, 0, 0, 25, 0, 0, 0));
    assert_int_equal(image.relay.p, FEEDBACK_CLOSED);
    assert_int_equal(image.relay.n, FEEDBACK_CLOSED);
    assert_int_equal(image.relay.at_us, b->now_us);
    wanted.mn = false;
    run(5 * MS);
    assert_false(image.sent_run);
    infy_reply(INFYPOWER_STATUS, BENCH_BYTES(0, 0, 0, 0, 25, 0, INFYPOWER_S1_DC_OFF, 0));
    assert_int_equal(image.relay.p, FEEDBACK_OPEN);
}

static void test_module_with_a_contactor_on_the_plc_has_no_relay_feedback(void **state) {
    (void)state;
    start(MODULE_PROTOCOL_INFYPOWER);
    wanted.mn = true;
    run(5 * MS);
    assert_false(image.sent_run);
    infy_reply(INFYPOWER_STATUS, BENCH_BYTES(0));
    assert_int_equal(image.relay.p, FEEDBACK_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module_frames_name_one_module_and_never_a_broadcast),
        cmocka_unit_test(test_module_is_told_off_at_start),
        cmocka_unit_test(test_module_setpoint_goes_before_on),
        cmocka_unit_test(test_module_maxwell_start_golden),
        cmocka_unit_test(test_module_raise_waits_for_the_spacing),
        cmocka_unit_test(test_module_lowered_goes_with_the_urgent_frames),
        cmocka_unit_test(test_module_ramp_down_does_not_flood_the_bus),
        cmocka_unit_test(test_module_zero_current_goes_at_once),
        cmocka_unit_test(test_module_voltage_down_current_up_goes_down_first),
        cmocka_unit_test(test_module_urgent_pass_sends_nothing_that_goes_up),
        cmocka_unit_test(test_module_off_goes_at_once),
        cmocka_unit_test(test_module_every_session_gets_its_setpoint),
        cmocka_unit_test(test_module_refresh_every_500_ms),
        cmocka_unit_test(test_module_polls_at_their_rates),
        cmocka_unit_test(test_module_polls_of_a_bus_take_turns),
        cmocka_unit_test(test_module_out_of_range_setpoint_is_off),
        cmocka_unit_test(test_module_full_batch_is_tried_again),
        cmocka_unit_test(test_module_batch_full_in_the_middle_of_a_change_is_said_again_whole),
        cmocka_unit_test(test_module_polls_without_room_are_asked_in_the_next_step),
        cmocka_unit_test(test_module_maxwell_sends_only_what_changed),
        cmocka_unit_test(test_module_maxwell_refusal_and_unknown_register_are_heard_but_not_used),
        cmocka_unit_test(test_module_after_loss_is_told_first_and_believed_afterwards),
        cmocka_unit_test(test_module_after_loss_an_off_module_is_told_off),
        cmocka_unit_test(test_module_status_is_asked_for_faster_after_a_change),
        cmocka_unit_test(test_module_infypower_output),
        cmocka_unit_test(test_module_infypower_nan_and_infinity_are_invalid),
        cmocka_unit_test(test_module_infypower_capability),
        cmocka_unit_test(test_module_infypower_alarms),
        cmocka_unit_test(test_module_infypower_error_reply_is_heard_but_not_used),
        cmocka_unit_test(test_module_maxwell_readings),
        cmocka_unit_test(test_module_maxwell_capability_needs_all_parts),
        cmocka_unit_test(test_module_maxwell_alarms),
        cmocka_unit_test(test_module_foreign_frames_are_not_taken),
        cmocka_unit_test(test_module_frame_source),
        cmocka_unit_test(test_module_own_relay_is_started_with_mn_at_zero),
        cmocka_unit_test(test_module_with_a_contactor_on_the_plc_has_no_relay_feedback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
