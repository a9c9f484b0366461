/* Which driver a frame belongs to, and which frames the kernel lets in. */
#include <linux/can/error.h>

#include "rt/can/route.h"
#include "tests/unit/rt/can/bench.h"

static struct can_router router;

static struct can_route route(uint32_t interface, canid_t id, uint8_t length) {
    const struct can_frame frame = {.can_id = id, .len = length};
    return can_route(&router, interface, &frame);
}

static struct bench *start(void) {
    struct bench *b = bench_new();
    can_router_init(&router, &b->config);
    return b;
}

static void test_route_plc_frame_to_its_slot(void **state) {
    (void)state;
    start();
    struct can_route r = route(0, 0x106 | CAN_EFF_FLAG, 8);
    assert_int_equal(r.kind, CAN_ROUTE_PLC);
    assert_int_equal(r.slot, 1);
    r = route(0, 0x90005 | CAN_EFF_FLAG, 8);
    assert_int_equal(r.kind, CAN_ROUTE_PLC);
    assert_int_equal(r.slot, 0);
}

static void test_route_unknown_plc_or_message_is_nobodys(void **state) {
    (void)state;
    start();
    assert_int_equal(route(0, 0x107 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
    assert_int_equal(route(0, 0x125 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
    assert_int_equal(route(2, 0x105 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
    assert_int_equal(route(1, 0x105 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
    assert_int_equal(route(UINT32_MAX, 0x105 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
}

static void test_route_wrong_format_is_named(void **state) {
    (void)state;
    start();
    assert_int_equal(route(0, 0x105, 8).kind, CAN_ROUTE_FORMAT);
    assert_int_equal(route(0, 0x105 | CAN_EFF_FLAG, 7).kind, CAN_ROUTE_PLC); /* plc_rx counts it */
    assert_int_equal(route(1, 0x02830002 | CAN_EFF_FLAG, 7).kind, CAN_ROUTE_FORMAT);
    assert_int_equal(route(1, 0x0283F002 | CAN_EFF_FLAG | CAN_RTR_FLAG, 8).kind, CAN_ROUTE_FORMAT);
}

static void test_route_error_frame_is_the_interfaces(void **state) {
    (void)state;
    start();
    assert_int_equal(route(0, CAN_ERR_FLAG | CAN_ERR_BUSOFF, 8).kind, CAN_ROUTE_ERROR);
    assert_int_equal(route(1, CAN_ERR_FLAG | CAN_ERR_BUSOFF, 8).kind, CAN_ROUTE_ERROR);
}

static void test_route_module_reply_to_its_module(void **state) {
    (void)state;
    struct bench *b = start();
    for (unsigned i = 0; i < 4; i++) {
        struct can_route r = route(1, (0x0283F001u + i) | CAN_EFF_FLAG, 8);
        assert_int_equal(r.kind, CAN_ROUTE_MODULE);
        assert_int_equal(r.slot, i / 2);
        assert_int_equal(r.module, i % 2);
    }
    assert_int_equal(route(1, 0x0283F005 | CAN_EFF_FLAG, 8).kind, CAN_ROUTE_UNKNOWN);
    b->config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    can_router_init(&router, &b->config);
    struct can_route r = route(1, 0x060F8018 | CAN_EFF_FLAG, 8); /* from 3 */
    assert_int_equal(r.kind, CAN_ROUTE_MODULE);
    assert_int_equal(r.slot, 1);
    assert_int_equal(r.module, 0);
}

static bool passes(const struct can_filter *filter, uint32_t count, canid_t id) {
    for (uint32_t i = 0; i < count; i++) {
        if ((id & filter[i].can_mask) == (filter[i].can_id & filter[i].can_mask)) {
            return true;
        }
    }
    return false;
}

static void test_filters_of_a_plc_bus_let_in_what_the_plcs_send(void **state) {
    (void)state;
    struct bench *b = start();
    struct can_filter filter[512];
    uint32_t count = can_kernel_filters(&b->config, 0, filter, 512);
    assert_int_equal(count, 2 * 25);
    for (unsigned i = 0; i < HUB_MESSAGE_COUNT; i++) {
        canid_t id = hub_messages[i].base_id | BENCH_PLC | CAN_EFF_FLAG;
        assert_int_equal(passes(filter, count, id), !hub_messages[i].from_hub);
        assert_false(passes(filter, count, id | CAN_RTR_FLAG));
        assert_false(passes(filter, count, (id & CAN_SFF_MASK)));
        assert_false(passes(filter, count, (id & ~0xfu) | 9));
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(filter[i].can_mask & (CAN_EFF_FLAG | CAN_RTR_FLAG),
                         CAN_EFF_FLAG | CAN_RTR_FLAG);
    }
}

static void test_filters_of_sixteen_plcs_fit_the_kernel(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.slots = 16;
    for (uint32_t i = 0; i < 16; i++) {
        b->config.slot[i] = b->config.slot[0];
        b->config.slot[i].plc_id = (uint8_t)i;
        b->config.slot[i].module_count = 0;
    }
    assert_in_range(can_kernel_filters(&b->config, 0, NULL, 0), 1, 512); /* CAN_RAW_FILTER_MAX */
}

static void test_filters_of_a_module_bus_let_in_replies_only(void **state) {
    (void)state;
    struct bench *b = start();
    struct can_filter filter[16];
    uint32_t count = can_kernel_filters(&b->config, 1, filter, 16);
    assert_int_equal(count, 4);
    assert_true(passes(filter, count, 0x0283F002 | CAN_EFF_FLAG));
    assert_true(passes(filter, count, 0x0A9CF002 | CAN_EFF_FLAG)); /* refused setpoint */
    assert_false(passes(filter, count, 0x0283F005 | CAN_EFF_FLAG));
    assert_false(passes(filter, count, 0x028302F0 | CAN_EFF_FLAG));
    assert_false(passes(filter, count, 0x0283F002 | CAN_EFF_FLAG | CAN_RTR_FLAG));
    b->config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    count = can_kernel_filters(&b->config, 1, filter, 16);
    assert_true(passes(filter, count, 0x060F8010 | CAN_EFF_FLAG));
    assert_false(passes(filter, count, 0x06081780 | CAN_EFF_FLAG));
}

static void test_filters_beyond_max_are_counted_not_written(void **state) {
    (void)state;
    struct bench *b = start();
    struct can_filter filter[2] = {{0xdead, 0xdead}, {0xdead, 0xdead}};
    assert_int_equal(can_kernel_filters(&b->config, 1, filter, 1), 4);
    assert_int_equal(filter[1].can_id, 0xdead);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_plc_frame_to_its_slot),
        cmocka_unit_test(test_route_unknown_plc_or_message_is_nobodys),
        cmocka_unit_test(test_route_wrong_format_is_named),
        cmocka_unit_test(test_route_error_frame_is_the_interfaces),
        cmocka_unit_test(test_route_module_reply_to_its_module),
        cmocka_unit_test(test_filters_of_a_plc_bus_let_in_what_the_plcs_send),
        cmocka_unit_test(test_filters_of_sixteen_plcs_fit_the_kernel),
        cmocka_unit_test(test_filters_of_a_module_bus_let_in_replies_only),
        cmocka_unit_test(test_filters_beyond_max_are_counted_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
