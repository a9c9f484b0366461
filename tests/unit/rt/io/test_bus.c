/* rt/io/bus: lanes, chains, states, restart back-off. Expected values from the CAN contract and bus.h. */
#include <errno.h>
#include <linux/can/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "rt/io/bus.h"

#define S (1000000LL) /* us per second */

static struct config_interface plc_unix = {
    .name = "plc0", .role = INTERFACE_ROLE_PLC, .transport = CAN_TRANSPORT_UNIX};
static struct config_interface plc_udp = {
    .name = "plc0", .role = INTERFACE_ROLE_PLC, .transport = CAN_TRANSPORT_UDP};
static struct config_interface managed_can = {.name = "can0",
                                              .role = INTERFACE_ROLE_PLC,
                                              .transport = CAN_TRANSPORT_SOCKETCAN,
                                              .manage = true};
static struct config_interface foreign_can = {
    .name = "can0", .role = INTERFACE_ROLE_PLC, .transport = CAN_TRANSPORT_SOCKETCAN};
static struct config_interface module_bus = {
    .name = "mod0", .role = INTERFACE_ROLE_MODULES, .transport = CAN_TRANSPORT_UNIX};

static struct bus bus;

static struct can_frame data_frame(canid_t id, uint8_t first) {
    struct can_frame f = {.can_id = id | CAN_EFF_FLAG, .len = 8};
    f.data[0] = first;
    return f;
}

static struct can_frame error_frame(canid_t class, uint8_t controller) {
    struct can_frame f = {.can_id = CAN_ERR_FLAG | class, .len = CAN_ERR_DLC};
    f.data[1] = controller;
    return f;
}

static enum bus_rx hear(const struct can_frame *f, int64_t now_us) {
    struct can_frame out;
    return bus_receive(&bus, f, sizeof *f, now_us, &out);
}

static void up(const struct config_interface *config) {
    bus_init(&bus, config, 0);
    bus_attach(&bus, 7, 1 * S);
}

/* Completes the chain in flight with one result each. */
static bool complete_all(int result) {
    bool lost = false;
    uint32_t n = bus.chain_count;
    for (uint32_t i = 0; i < n; i++) {
        (void)bus_chain_complete(&bus, i, result, &lost);
    }
    return lost;
}

static void test_bus_attach_unix_is_up(void **state) {
    (void)state;
    bus_init(&bus, &plc_unix, 3);
    assert_int_equal(bus.state, INTERFACE_DOWN);
    bus_attach(&bus, 7, 1 * S);
    assert_int_equal(bus.state, INTERFACE_UP);
    assert_int_equal(bus.counters.connects, 1);
}

static void test_bus_attach_udp_is_down_until_heard(void **state) {
    (void)state;
    up(&plc_udp);
    assert_int_equal(bus.state, INTERFACE_DOWN);
    /* the probe: the far side learns our address from it */
    assert_int_equal(bus_tick(&bus, 1 * S), BUS_ACTION_NONE);
    assert_int_equal(bus_chain_begin(&bus), 1);
    assert_int_equal(bus.chain[0].can_id, CAN_ERR_FLAG | CAN_ERR_RESTARTED);
    assert_false(complete_all(16));
    struct can_frame f = data_frame(0x150, 0);
    assert_int_equal(hear(&f, 2 * S), BUS_RX_FRAME);
    assert_int_equal(bus.state, INTERFACE_UP);
    assert_int_equal(bus_tick(&bus, 9 * S), BUS_ACTION_NONE);
    assert_int_equal(bus_waiting(&bus), 0);
}

static void test_bus_receive_short_or_long_message_is_malformed(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame out;
    uint8_t bytes[32] = {0};
    assert_int_equal(bus_receive(&bus, bytes, 0, 2 * S, &out), BUS_RX_NONE);
    assert_int_equal(bus_receive(&bus, bytes, 15, 2 * S, &out), BUS_RX_NONE);
    assert_int_equal(bus_receive(&bus, bytes, 17, 2 * S, &out), BUS_RX_NONE);
    assert_int_equal(bus_receive(&bus, bytes, 32, 2 * S, &out), BUS_RX_NONE);
    assert_int_equal(bus.counters.rx_malformed, 4);
    assert_int_equal(bus.counters.rx_frames, 0);
}

static void test_bus_receive_length_over_eight_is_malformed(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame f = data_frame(0x150, 0);
    f.len = 9;
    assert_int_equal(hear(&f, 2 * S), BUS_RX_NONE);
    f.len = 255;
    assert_int_equal(hear(&f, 2 * S), BUS_RX_NONE);
    assert_int_equal(bus.counters.rx_malformed, 2);
}

static void test_bus_push_while_down_is_discarded(void **state) {
    (void)state;
    bus_init(&bus, &plc_unix, 0);
    struct can_frame f = data_frame(0x390, 1);
    bus_push(&bus, &f);
    assert_int_equal(bus_waiting(&bus), 0);
    assert_int_equal(bus.counters.tx_discarded, 1);
}

static void test_bus_chain_contactor_frames_go_first(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame rest = data_frame(0x310, 1), relay = data_frame(0x342, 2),
                     gcmc = data_frame(0x39f, 3);
    bus_push(&bus, &rest);
    bus_push(&bus, &relay);
    bus_push(&bus, &gcmc);
    assert_int_equal(bus_chain_begin(&bus), 3);
    assert_int_equal(bus.chain[0].data[0], 2);
    assert_int_equal(bus.chain[1].data[0], 3);
    assert_int_equal(bus.chain[2].data[0], 1);
}

static void test_bus_push_newer_contactor_frame_replaces_waiting_one(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame close_it = data_frame(0x390, 1), open_it = data_frame(0x390, 0);
    bus_push(&bus, &close_it);
    bus_push(&bus, &open_it);
    assert_int_equal(bus_chain_begin(&bus), 1);
    assert_int_equal(bus.chain[0].data[0], 0);
}

static void test_bus_urgent_is_only_a_contactor_command_on_a_plc_bus(void **state) {
    (void)state;
    struct can_frame gcmc = data_frame(0x390, 0), config = data_frame(0x380, 0),
                     high = data_frame(0x10390, 0);
    up(&plc_unix);
    assert_true(bus_frame_is_urgent(&bus, &gcmc));
    assert_false(bus_frame_is_urgent(&bus, &config));
    assert_false(bus_frame_is_urgent(&bus, &high));
    up(&module_bus);
    assert_false(bus_frame_is_urgent(&bus, &gcmc));
}

static void test_bus_chain_second_begin_while_in_flight_takes_nothing(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame f = data_frame(0x310, 1);
    bus_push(&bus, &f);
    assert_int_equal(bus_chain_begin(&bus), 1);
    bus_push(&bus, &f);
    assert_int_equal(bus_chain_begin(&bus), 0);
    assert_false(complete_all(16));
    assert_int_equal(bus_chain_begin(&bus), 1);
}

static void test_bus_chain_full_kernel_queue_keeps_order(void **state) {
    (void)state;
    up(&module_bus);
    for (uint8_t i = 0; i < 4; i++) {
        struct can_frame f = data_frame(0x600, i);
        bus_push(&bus, &f);
    }
    assert_int_equal(bus_chain_begin(&bus), 4);
    bool lost = false;
    assert_false(bus_chain_complete(&bus, 0, 16, &lost));
    assert_false(bus_chain_complete(&bus, 1, -ENOBUFS, &lost));
    assert_false(bus_chain_complete(&bus, 2, -ECANCELED, &lost));
    assert_true(bus_chain_complete(&bus, 3, -ECANCELED, &lost));
    assert_false(lost);
    assert_int_equal(bus.counters.tx_frames, 1);
    assert_int_equal(bus.counters.tx_deferred, 1);
    struct can_frame late = data_frame(0x600, 9);
    bus_push(&bus, &late);
    assert_int_equal(bus_chain_begin(&bus), 4);
    assert_int_equal(bus.chain[0].data[0], 1);
    assert_int_equal(bus.chain[1].data[0], 2);
    assert_int_equal(bus.chain[2].data[0], 3);
    assert_int_equal(bus.chain[3].data[0], 9);
}

static void test_bus_chain_returned_contactor_frame_yields_to_newer(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame close_it = data_frame(0x390, 1), open_it = data_frame(0x390, 0);
    bus_push(&bus, &close_it);
    assert_int_equal(bus_chain_begin(&bus), 1);
    bus_push(&bus, &open_it);
    assert_false(complete_all(-EAGAIN));
    assert_int_equal(bus_chain_begin(&bus), 1);
    assert_int_equal(bus.chain[0].data[0], 0);
    assert_false(complete_all(16));
    assert_int_equal(bus_waiting(&bus), 0);
}

static void test_bus_push_overflow_gives_up_oldest_and_counts(void **state) {
    (void)state;
    up(&module_bus);
    for (uint32_t i = 0; i < BUS_REST_MAX + 3; i++) {
        struct can_frame f = data_frame(0x600, (uint8_t)i);
        f.data[1] = (uint8_t)(i >> 8);
        bus_push(&bus, &f);
    }
    assert_int_equal(bus.counters.tx_dropped, 3);
    assert_int_equal(bus_waiting(&bus), BUS_REST_MAX);
    assert_int_equal(bus_chain_begin(&bus), BUS_CHAIN_MAX);
    assert_int_equal(bus.chain[0].data[0], 3);
}

static void test_bus_chain_dead_descriptor_is_lost(void **state) {
    (void)state;
    static const int deadly[] = {-EPIPE, -ECONNRESET, -ENETDOWN, -ENODEV, -EBADF, 0, 8};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        up(&plc_unix);
        struct can_frame f = data_frame(0x310, 1);
        bus_push(&bus, &f);
        assert_int_equal(bus_chain_begin(&bus), 1);
        assert_true(complete_all(deadly[i]));
    }
}

static void test_bus_detach_gives_up_waiting_frames(void **state) {
    (void)state;
    up(&plc_unix);
    uint16_t generation = bus.generation;
    struct can_frame f = data_frame(0x390, 1);
    bus_push(&bus, &f);
    bus_detach(&bus);
    assert_int_equal(bus.state, INTERFACE_DOWN);
    assert_int_equal(bus_waiting(&bus), 0);
    assert_int_equal(bus.counters.tx_discarded, 1);
    assert_int_not_equal(bus.generation, generation);
    bus_attach(&bus, 8, 5 * S);
    assert_int_equal(bus_chain_begin(&bus), 0);
}

static void test_bus_error_frames_set_the_state(void **state) {
    (void)state;
    up(&managed_can);
    struct can_frame f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_TX_WARNING);
    assert_int_equal(hear(&f, 2 * S), BUS_RX_ERROR);
    assert_int_equal(bus.state, INTERFACE_WARNING);
    f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_RX_PASSIVE);
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_PASSIVE);
    f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_ACTIVE);
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_UP);
    f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_RX_OVERFLOW);
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_UP);
    assert_int_equal(bus.counters.rx_dropped, 1);
    assert_int_equal(bus.counters.error_frames, 4);
    assert_int_equal(bus.counters.rx_frames, 0);
}

/* A CRTL frame without a bit for it, a protocol error, a lost arbitration: none says anything about the state. */
static void test_bus_error_frames_without_a_state_leave_it(void **state) {
    (void)state;
    up(&managed_can);
    struct can_frame f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE);
    hear(&f, 2 * S);
    const canid_t other[] = {CAN_ERR_CRTL, CAN_ERR_PROT, CAN_ERR_LOSTARB, CAN_ERR_ACK, CAN_ERR_TRX};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        f = error_frame(other[i], 0);
        assert_int_equal(hear(&f, 2 * S), BUS_RX_ERROR);
        assert_int_equal(bus.state, INTERFACE_PASSIVE);
    }
    f = error_frame(CAN_ERR_CRTL, CAN_ERR_CRTL_RX_OVERFLOW);
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_PASSIVE);
    f = error_frame(CAN_ERR_PROT, CAN_ERR_CRTL_ACTIVE); /* the byte means something else here */
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_PASSIVE);
}

static void test_bus_off_with_restart_flag_in_one_frame_is_bus_off(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame f = error_frame(CAN_ERR_BUSOFF | CAN_ERR_RESTARTED, 0);
    hear(&f, 2 * S);
    assert_int_equal(bus.state, INTERFACE_BUS_OFF);
}

/* Contract section 4: 0.1, 0.2 .. 5 s, counted. */
static void test_bus_off_restarts_with_doubled_waits(void **state) {
    (void)state;
    static const int32_t wait_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    up(&plc_unix);
    struct can_frame waiting = data_frame(0x390, 1);
    bus_push(&bus, &waiting);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0);
    int64_t now_us = 2 * S;
    hear(&off, now_us);
    assert_int_equal(bus_waiting(&bus), 0);
    for (size_t i = 0; i < sizeof wait_ms / sizeof wait_ms[0]; i++) {
        now_us += (int64_t)wait_ms[i] * 1000;
        assert_int_equal(bus_tick(&bus, now_us - 1), BUS_ACTION_NONE);
        assert_int_equal(bus_tick(&bus, now_us), BUS_ACTION_RESTART);
        assert_int_equal(bus.counters.restarts, i + 1);
        assert_int_equal(bus_chain_begin(&bus), 1);
        assert_int_equal(bus.chain[0].can_id, CAN_ERR_FLAG | CAN_ERR_RESTARTED);
        assert_false(complete_all(16));
    }
    struct can_frame back = error_frame(CAN_ERR_RESTARTED, 0);
    hear(&back, now_us);
    assert_int_equal(bus.state, INTERFACE_UP);
    assert_int_equal(bus_tick(&bus, now_us + 60 * S), BUS_ACTION_NONE);
}

static void test_bus_off_again_soon_keeps_the_long_wait(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0), back = error_frame(CAN_ERR_RESTARTED, 0);
    hear(&off, 2 * S);
    assert_int_equal(bus_tick(&bus, 2 * S + 100000), BUS_ACTION_RESTART);
    hear(&back, 2 * S + 150000);
    hear(&off, 3 * S); /* not healthy for 10 s: the back-off goes on where it was */
    assert_int_equal(bus_tick(&bus, 3 * S + 100000), BUS_ACTION_NONE);
    assert_int_equal(bus_tick(&bus, 3 * S + 399999), BUS_ACTION_NONE);
    assert_int_equal(bus_tick(&bus, 3 * S + 400000), BUS_ACTION_RESTART);
}

static void test_bus_off_after_ten_healthy_seconds_waits_short(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0), back = error_frame(CAN_ERR_RESTARTED, 0);
    hear(&off, 2 * S);
    assert_int_equal(bus_tick(&bus, 2 * S + 100000), BUS_ACTION_RESTART);
    hear(&back, 3 * S);
    assert_int_equal(bus_tick(&bus, 13 * S), BUS_ACTION_NONE);
    hear(&off, 14 * S);
    assert_int_equal(bus_tick(&bus, 14 * S + 100000), BUS_ACTION_RESTART);
}

static void test_bus_off_managed_controller_asks_without_a_frame(void **state) {
    (void)state;
    up(&managed_can);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0);
    hear(&off, 2 * S);
    assert_int_equal(bus_tick(&bus, 2 * S + 100000), BUS_ACTION_RESTART);
    assert_int_equal(bus_waiting(&bus), 0);
}

static void test_bus_off_unmanaged_controller_is_left_to_the_kernel(void **state) {
    (void)state;
    up(&foreign_can);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0), back = error_frame(CAN_ERR_RESTARTED, 0);
    hear(&off, 2 * S);
    assert_int_equal(bus.state, INTERFACE_BUS_OFF);
    assert_int_equal(bus_tick(&bus, 60 * S), BUS_ACTION_NONE);
    hear(&back, 61 * S);
    assert_int_equal(bus.state, INTERFACE_UP);
}

static void test_bus_off_while_in_flight_discards_what_failed(void **state) {
    (void)state;
    up(&plc_unix);
    struct can_frame f = data_frame(0x390, 1);
    bus_push(&bus, &f);
    assert_int_equal(bus_chain_begin(&bus), 1);
    struct can_frame off = error_frame(CAN_ERR_BUSOFF, 0);
    hear(&off, 2 * S);
    assert_false(complete_all(-EAGAIN));
    assert_int_equal(bus_waiting(&bus), 0);
    assert_int_equal(bus.counters.tx_discarded, 1);
}

static void test_bus_unheard_udp_probes_again(void **state) {
    (void)state;
    up(&plc_udp);
    struct can_frame f = data_frame(0x150, 0);
    hear(&f, 2 * S);
    bus_unheard(&bus, 3 * S);
    assert_int_equal(bus.state, INTERFACE_DOWN);
    assert_int_equal(bus_tick(&bus, 3 * S + 99999), BUS_ACTION_NONE);
    assert_int_equal(bus_waiting(&bus), 0);
    (void)bus_tick(&bus, 3 * S + 100000);
    assert_int_equal(bus_waiting(&bus), 1);
    assert_int_equal(bus.counters.restarts, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_attach_unix_is_up),
        cmocka_unit_test(test_bus_attach_udp_is_down_until_heard),
        cmocka_unit_test(test_bus_receive_short_or_long_message_is_malformed),
        cmocka_unit_test(test_bus_receive_length_over_eight_is_malformed),
        cmocka_unit_test(test_bus_push_while_down_is_discarded),
        cmocka_unit_test(test_bus_chain_contactor_frames_go_first),
        cmocka_unit_test(test_bus_push_newer_contactor_frame_replaces_waiting_one),
        cmocka_unit_test(test_bus_urgent_is_only_a_contactor_command_on_a_plc_bus),
        cmocka_unit_test(test_bus_chain_second_begin_while_in_flight_takes_nothing),
        cmocka_unit_test(test_bus_chain_full_kernel_queue_keeps_order),
        cmocka_unit_test(test_bus_chain_returned_contactor_frame_yields_to_newer),
        cmocka_unit_test(test_bus_push_overflow_gives_up_oldest_and_counts),
        cmocka_unit_test(test_bus_chain_dead_descriptor_is_lost),
        cmocka_unit_test(test_bus_detach_gives_up_waiting_frames),
        cmocka_unit_test(test_bus_error_frames_without_a_state_leave_it),
        cmocka_unit_test(test_bus_error_frames_set_the_state),
        cmocka_unit_test(test_bus_off_with_restart_flag_in_one_frame_is_bus_off),
        cmocka_unit_test(test_bus_off_restarts_with_doubled_waits),
        cmocka_unit_test(test_bus_off_again_soon_keeps_the_long_wait),
        cmocka_unit_test(test_bus_off_after_ten_healthy_seconds_waits_short),
        cmocka_unit_test(test_bus_off_managed_controller_asks_without_a_frame),
        cmocka_unit_test(test_bus_off_unmanaged_controller_is_left_to_the_kernel),
        cmocka_unit_test(test_bus_off_while_in_flight_discards_what_failed),
        cmocka_unit_test(test_bus_unheard_udp_probes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
