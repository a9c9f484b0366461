/* float32 without floating point, and both module protocols byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/can/float32.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void test_float32_known_values_encode(void **state) {
    (void)state;
    assert_int_equal(float32_from_milli(0), 0x00000000);
    assert_int_equal(float32_from_milli(1000), 0x3F800000);
    assert_int_equal(float32_from_milli(-1000), 0xBF800000);
    assert_int_equal(float32_from_milli(400000), 0x43C80000);
    assert_int_equal(float32_from_milli(1500), 0x3FC00000);
    assert_int_equal(float32_from_milli(1), 0x3A83126F);
}

static void test_float32_agrees_with_hardware_over_the_range(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        int32_t milli = i < 4000 ? (int32_t)i - 2000 : (int32_t)seed;
        uint32_t ours = float32_from_milli(milli),
                 theirs = bits_of((float)((double)milli / 1000.0));
        assert_true(ours == theirs || ours == theirs + 1 ||
                    ours + 1 == theirs); /* ties may round apart */
        int32_t back = 0;
        assert_true(float32_to_milli(ours, INT32_MIN, INT32_MAX, &back) ||
                    labs((long)milli) > 2147483000);
        if (labs((long)milli) < 8000000) { /* 24 bits hold a thousandth up to about 8 000 */
            assert_int_equal(back, milli);
        }
    }
}

static void test_float32_extremes_encode(void **state) {
    (void)state;
    assert_int_equal(float32_from_milli(INT32_MAX), bits_of(2147483.647f));
    assert_int_equal(float32_from_milli(INT32_MIN), bits_of(-2147483.648f));
    assert_int_equal(float32_from_milli(65535999), bits_of(65536.0f)); /* rounds to a power of 2 */
}

static void test_float32_nan_and_infinity_are_refused(void **state) {
    (void)state;
    int32_t value = 77;
    assert_false(float32_to_milli(0x7FC00000, -1000, 1000, &value));
    assert_false(float32_to_milli(0x7F800001, -1000, 1000, &value));
    assert_false(float32_to_milli(0x7F800000, INT32_MIN, INT32_MAX, &value));
    assert_false(float32_to_milli(0xFF800000, INT32_MIN, INT32_MAX, &value));
    assert_int_equal(value, 77);
}

static void test_float32_out_of_range_is_refused(void **state) {
    (void)state;
    int32_t value = 77;
    assert_false(float32_to_milli(bits_of(1500.01f), 0, 1500000, &value));
    assert_false(float32_to_milli(bits_of(-0.01f), 0, 1500000, &value));
    assert_false(float32_to_milli(bits_of(3.4e38f), INT32_MIN, INT32_MAX, &value));
    assert_false(float32_to_milli(bits_of(8388608.0f), INT32_MIN, INT32_MAX, &value)); /* 2^23 */
    assert_false(float32_to_milli(bits_of(2147484.0f), INT32_MIN, INT32_MAX, &value));
    assert_int_equal(value, 77);
    assert_true(float32_to_milli(bits_of(1500.0f), 0, 1500000, &value));
    assert_int_equal(value, 1500000);
}

static void test_float32_tiny_and_denormal_are_zero(void **state) {
    (void)state;
    int32_t value = 77;
    assert_true(float32_to_milli(0x00000001, -1, 1, &value));
    assert_int_equal(value, 0);
    value = 77;
    assert_true(float32_to_milli(bits_of(1e-20f), -1, 1, &value));
    assert_int_equal(value, 0);
    assert_true(float32_to_milli(bits_of(0.0006f), -1, 1, &value));
    assert_int_equal(value, 1);
}

/* ---- maxwell ---- */

static void test_maxwell_id_golden(void **state) {
    (void)state;
    /* 0x060 << 20 | PTP << 19 | 0x05 << 11 | 0xF0 << 3 */
    const struct maxwell_id id = {.destination = 0x05, .source = 0xF0, .point_to_point = true};
    assert_int_equal(maxwell_encode_id(&id), 0x06082F80);
    struct maxwell_id back;
    assert_true(maxwell_decode_id(0x06082F80, &back));
    assert_int_equal(back.destination, 0x05);
    assert_int_equal(back.source, 0xF0);
    assert_int_equal(back.group, 0);
    assert_true(back.point_to_point);
}

static void test_maxwell_id_every_address_round_trips(void **state) {
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const struct maxwell_id id = {
            .destination = (uint8_t)i, .source = (uint8_t)(255 - i), .group = i & 7};
        struct maxwell_id back;
        assert_true(maxwell_decode_id(maxwell_encode_id(&id), &back));
        assert_int_equal(back.destination, i);
        assert_int_equal(back.source, 255 - i);
        assert_int_equal(back.group, i & 7);
        assert_false(back.point_to_point);
    }
}

static void test_maxwell_foreign_id_is_refused(void **state) {
    (void)state;
    struct maxwell_id id;
    assert_false(maxwell_decode_id(0x06182F80, &id)); /* PROTNO 0x061 */
    assert_false(maxwell_decode_id(0x26082F80, &id)); /* longer than 29 bits */
    assert_false(maxwell_decode_id(0, &id));
}

static void test_maxwell_set_voltage_golden(void **state) {
    (void)state;
    uint8_t data[8];
    assert_true(maxwell_encode_set_voltage(400000, data));
    assert_memory_equal(data, ((const uint8_t[8]){0x03, 0, 0x00, 0x21, 0x43, 0xC8, 0x00, 0x00}), 8);
}

static void test_maxwell_set_current_golden(void **state) {
    (void)state;
    uint8_t data[8];
    assert_true(maxwell_encode_set_current(100000, data)); /* 100 A x 1024 = 102 400 = 0x19000 */
    assert_memory_equal(data, ((const uint8_t[8]){0x03, 0, 0x00, 0x1B, 0x00, 0x01, 0x90, 0x00}), 8);
    int32_t ma = 0;
    assert_true(maxwell_current_ma(102400, &ma));
    assert_int_equal(ma, 100000);
}

static void test_maxwell_set_on_golden(void **state) {
    (void)state;
    uint8_t data[8];
    maxwell_encode_set_on(true, data);
    assert_memory_equal(data, ((const uint8_t[8]){0x03, 0, 0x00, 0x30, 0, 0, 0, 0}), 8);
    maxwell_encode_set_on(false, data);
    assert_memory_equal(data, ((const uint8_t[8]){0x03, 0, 0x00, 0x30, 0x00, 0x01, 0x00, 0x00}), 8);
}

static void test_maxwell_setpoint_out_of_range_is_refused(void **state) {
    (void)state;
    uint8_t data[8] = {0xEE};
    assert_false(maxwell_encode_set_voltage(-1, data));
    assert_false(maxwell_encode_set_voltage(1500001, data));
    assert_false(maxwell_encode_set_current(-1, data));
    assert_false(maxwell_encode_set_current(1000001, data));
    assert_int_equal(data[0], 0xEE);
    int32_t ma = 0;
    assert_false(maxwell_current_ma(UINT32_MAX, &ma));
}

static void test_maxwell_read_request_round_trips(void **state) {
    (void)state;
    const struct maxwell_request in = {.reg = MAXWELL_ALARMS};
    uint8_t data[8];
    maxwell_encode_request(&in, data);
    assert_memory_equal(data, ((const uint8_t[8]){0x10, 0, 0x00, 0x40, 0, 0, 0, 0}), 8);
    struct maxwell_request out;
    assert_true(maxwell_decode_request(data, &out));
    assert_false(out.set);
    assert_int_equal(out.reg, 0x40);
}

static void test_maxwell_reply_golden(void **state) {
    (void)state;
    struct maxwell_reply out;
    assert_true(
        maxwell_decode_reply((const uint8_t[8]){0x41, 0xF0, 0, 0x01, 0x43, 0xC8, 0, 0}, &out));
    assert_true(out.is_float && out.ok);
    assert_int_equal(out.reg, MAXWELL_VOLTAGE);
    assert_int_equal(out.raw, 0x43C80000);
    assert_true(maxwell_decode_reply((const uint8_t[8]){0x42, 0xF2, 0, 0x40, 0, 0x40, 0, 1}, &out));
    assert_false(out.is_float);
    assert_false(out.ok);
    assert_int_equal(out.raw, 0x00400001);
    assert_false(maxwell_decode_reply((const uint8_t[8]){0x40, 0xF0, 0, 1, 0, 0, 0, 0}, &out));
    struct maxwell_request request;
    assert_false(
        maxwell_decode_request((const uint8_t[8]){0x41, 0xF0, 0, 1, 0, 0, 0, 0}, &request));
}

/* ---- infypower ---- */

static void test_infypower_id_golden(void **state) {
    (void)state;
    /* device 0xA << 22 | command 0x1C << 16 | destination 0x03 << 8 | source 0xF0 */
    const struct infypower_id id = {
        .source = 0xF0, .destination = 0x03, .command = 0x1C, .device = 0x0A};
    assert_int_equal(infypower_encode_id(&id), 0x029C03F0);
    struct infypower_id back;
    assert_true(infypower_decode_id(0x029C03F0, &back));
    assert_memory_equal(&back, &id, sizeof(id));
}

static void test_infypower_foreign_id_is_refused(void **state) {
    (void)state;
    struct infypower_id id;
    assert_false(infypower_decode_id(0x021C03F0, &id)); /* device 8 */
    assert_false(infypower_decode_id(0x229C03F0, &id)); /* longer than 29 bits */
}

static void test_infypower_setpoint_golden(void **state) {
    (void)state;
    const struct infypower_setpoint in = {.voltage_mv = 750000, .current_ma = 66666};
    uint8_t data[8];
    assert_true(infypower_encode_setpoint(&in, data)); /* 0x000B71B0, 0x0001046A */
    assert_memory_equal(data, ((const uint8_t[8]){0x00, 0x0B, 0x71, 0xB0, 0x00, 0x01, 0x04, 0x6A}),
                        8);
    struct infypower_setpoint out;
    assert_true(infypower_decode_setpoint(data, &out));
    assert_int_equal(out.voltage_mv, 750000);
    assert_int_equal(out.current_ma, 66666);
}

static void test_infypower_setpoint_out_of_range_is_refused(void **state) {
    (void)state;
    uint8_t data[8] = {0xEE};
    assert_false(infypower_encode_setpoint(&(struct infypower_setpoint){-1, 0}, data));
    assert_false(infypower_encode_setpoint(&(struct infypower_setpoint){1500001, 0}, data));
    assert_false(infypower_encode_setpoint(&(struct infypower_setpoint){0, -1}, data));
    assert_false(infypower_encode_setpoint(&(struct infypower_setpoint){0, 1000001}, data));
    assert_int_equal(data[0], 0xEE);
    struct infypower_setpoint out;
    assert_false(
        infypower_decode_setpoint((const uint8_t[8]){0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, &out));
    assert_false(
        infypower_decode_setpoint((const uint8_t[8]){0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, &out));
}

static void test_infypower_output_golden(void **state) {
    (void)state;
    struct infypower_output out;
    bool voltage_ok, current_ok;
    /* 400 V, 62.5 A */
    infypower_decode_output((const uint8_t[8]){0x43, 0xC8, 0, 0, 0x42, 0x7A, 0, 0}, &out,
                            &voltage_ok, &current_ok);
    assert_true(voltage_ok && current_ok);
    assert_int_equal(out.voltage_mv, 400000);
    assert_int_equal(out.current_ma, 62500);
}

static void test_infypower_output_nan_spoils_one_value_only(void **state) {
    (void)state;
    struct infypower_output out;
    bool voltage_ok, current_ok;
    infypower_decode_output((const uint8_t[8]){0x7F, 0xC0, 0, 0, 0x42, 0x7A, 0, 0}, &out,
                            &voltage_ok, &current_ok);
    assert_false(voltage_ok);
    assert_true(current_ok);
    assert_int_equal(out.current_ma, 62500);
    infypower_decode_output((const uint8_t[8]){0x43, 0xC8, 0, 0, 0x7F, 0x80, 0, 0}, &out,
                            &voltage_ok, &current_ok);
    assert_true(voltage_ok);
    assert_false(current_ok);
}

static void test_infypower_capabilities_golden(void **state) {
    (void)state;
    struct infypower_capabilities out;
    /* 1000 V, 150 V, 100.0 A, 30 000 W */
    const uint8_t data[8] = {0x03, 0xE8, 0x00, 0x96, 0x03, 0xE8, 0x0B, 0xB8};
    infypower_decode_capabilities(data, &out);
    assert_int_equal(out.voltage_max_mv, 1000000);
    assert_int_equal(out.voltage_min_mv, 150000);
    assert_int_equal(out.current_max_ma, 100000);
    assert_int_equal(out.power_w, 30000);
    uint8_t again[8];
    assert_true(infypower_encode_capabilities(&out, again));
    assert_memory_equal(again, data, 8);
    out.power_w = 655360;
    assert_false(infypower_encode_capabilities(&out, again));
    out.power_w = -10;
    assert_false(infypower_encode_capabilities(&out, again));
    out.power_w = 30000;
    const struct infypower_capabilities good = out;
    out.voltage_max_mv = -1;
    assert_false(infypower_encode_capabilities(&out, again));
    out = good;
    out.voltage_min_mv = 65536000;
    assert_false(infypower_encode_capabilities(&out, again));
    out = good;
    out.current_max_ma = 6553600;
    assert_false(infypower_encode_capabilities(&out, again));
}

static void test_infypower_external_golden(void **state) {
    (void)state;
    struct infypower_external out;
    const uint8_t data[8] = {0x0F, 0xA0, 0x01, 0xF4, 0, 0, 0, 0}; /* 400.0 V, 50.0 A */
    infypower_decode_external(data, &out);
    assert_int_equal(out.voltage_mv, 400000);
    assert_int_equal(out.available_ma, 50000);
    uint8_t again[8];
    assert_true(infypower_encode_external(&out, again));
    assert_memory_equal(again, data, 8);
    out.voltage_mv = -1;
    assert_false(infypower_encode_external(&out, again));
    out.voltage_mv = 400000;
    out.available_ma = 6553600;
    assert_false(infypower_encode_external(&out, again));
}

static void test_infypower_status_golden(void **state) {
    (void)state;
    struct infypower_status out;
    const uint8_t data[8] = {0, 0, 2, 0, 0xF6, 0x01, 0x12, 0x20}; /* group 2, -10 degC */
    infypower_decode_status(data, &out);
    assert_int_equal(out.group, 2);
    assert_int_equal(out.temperature_ddegc, -100);
    assert_int_equal(out.state2, INFYPOWER_S2_LIMITED);
    assert_int_equal(out.state1, INFYPOWER_S1_FAULT | INFYPOWER_S1_OVERTEMP);
    assert_int_equal(out.state0, INFYPOWER_S0_DISCHARGE);
    uint8_t again[8];
    assert_true(infypower_encode_status(&out, again));
    assert_memory_equal(again, data, 8);
    out.temperature_ddegc = 1280;
    assert_false(infypower_encode_status(&out, again));
    out.temperature_ddegc = -1290;
    assert_false(infypower_encode_status(&out, again));
}

static void test_infypower_on_off_golden(void **state) {
    (void)state;
    uint8_t data[8];
    bool on = false;
    infypower_encode_on(true, data);
    assert_memory_equal(data, ((const uint8_t[8]){0}), 8);
    assert_true(infypower_decode_on(data, &on) && on);
    infypower_encode_on(false, data);
    assert_memory_equal(data, ((const uint8_t[8]){1}), 8);
    assert_true(infypower_decode_on(data, &on) && !on);
    assert_false(infypower_decode_on((const uint8_t[8]){2}, &on));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float32_known_values_encode),
        cmocka_unit_test(test_float32_agrees_with_hardware_over_the_range),
        cmocka_unit_test(test_float32_extremes_encode),
        cmocka_unit_test(test_float32_nan_and_infinity_are_refused),
        cmocka_unit_test(test_float32_out_of_range_is_refused),
        cmocka_unit_test(test_float32_tiny_and_denormal_are_zero),
        cmocka_unit_test(test_maxwell_id_golden),
        cmocka_unit_test(test_maxwell_id_every_address_round_trips),
        cmocka_unit_test(test_maxwell_foreign_id_is_refused),
        cmocka_unit_test(test_maxwell_set_voltage_golden),
        cmocka_unit_test(test_maxwell_set_current_golden),
        cmocka_unit_test(test_maxwell_set_on_golden),
        cmocka_unit_test(test_maxwell_setpoint_out_of_range_is_refused),
        cmocka_unit_test(test_maxwell_read_request_round_trips),
        cmocka_unit_test(test_maxwell_reply_golden),
        cmocka_unit_test(test_infypower_id_golden),
        cmocka_unit_test(test_infypower_foreign_id_is_refused),
        cmocka_unit_test(test_infypower_setpoint_golden),
        cmocka_unit_test(test_infypower_setpoint_out_of_range_is_refused),
        cmocka_unit_test(test_infypower_output_golden),
        cmocka_unit_test(test_infypower_output_nan_spoils_one_value_only),
        cmocka_unit_test(test_infypower_capabilities_golden),
        cmocka_unit_test(test_infypower_external_golden),
        cmocka_unit_test(test_infypower_status_golden),
        cmocka_unit_test(test_infypower_on_off_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
