/* Power modules: both protocols, frame by frame, and what a module does by itself. */
#include "tests/unit/plant/host.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/can/float32.h"
#include "rt/can/infypower.h"
#include "rt/can/maxwell.h"

static const struct plant_options fast = {.seed = 31, .handshake = PLANT_HANDSHAKE_FAST};

static struct host *create(enum module_protocol protocol) {
    static struct config config;
    config_ring(&config, 1, 2);
    config.modules.protocol = protocol;
    struct host *h = host_create_with(&config, &fast);
    h->modules_mute = true;
    return h;
}

/* Sends one request and gives the replies that came back in this step. */
static uint32_t ask(struct host *h, uint32_t id, const uint8_t data[8],
                    struct can_frame replies[4]) {
    uint32_t found = 0;
    host_send(h, h->config.slot[0].module[0].interface, id, data);
    frame_batch_clear(&h->tx);
    plant_step(h->plant, h->now_us, &h->tx);
    for (uint32_t i = 0; i < h->tx.count; i++) {
        if (h->tx.item[i].interface == h->config.slot[0].module[0].interface && found < 4) {
            replies[found++] = h->tx.item[i].frame;
        }
    }
    return found;
}

static uint32_t infypower(struct host *h, uint8_t destination, uint8_t command,
                          const uint8_t data[8], struct can_frame replies[4]) {
    const struct infypower_id id = {.source = INFYPOWER_CONTROLLER,
                                    .destination = destination,
                                    .command = command,
                                    .device = INFYPOWER_DEVICE_SINGLE};
    return ask(h, infypower_encode_id(&id), data, replies);
}

static uint32_t maxwell(struct host *h, bool set, uint16_t reg, uint32_t raw,
                        struct maxwell_reply *reply) {
    const struct maxwell_id id = {.destination = h->config.slot[0].module[0].address,
                                  .source = MAXWELL_CONTROLLER,
                                  .point_to_point = true};
    const struct maxwell_request request = {.set = set, .reg = reg, .raw = raw};
    struct can_frame replies[4];
    uint8_t data[8];
    maxwell_encode_request(&request, data);
    const uint32_t count = ask(h, maxwell_encode_id(&id), data, replies);
    if (count > 0) {
        struct maxwell_id from;
        assert_true(maxwell_decode_id(replies[0].can_id & CAN_EFF_MASK, &from));
        assert_int_equal(from.source, h->config.slot[0].module[0].address);
        assert_int_equal(from.destination, MAXWELL_CONTROLLER);
        assert_true(maxwell_decode_reply(replies[0].data, reply));
        assert_int_equal(reply->reg, reg);
    }
    return count;
}

static double maxwell_float(struct host *h, uint16_t reg) {
    struct maxwell_reply reply;
    int32_t milli = 0;
    assert_int_equal(maxwell(h, false, reg, 0, &reply), 1);
    assert_true(reply.ok && reply.is_float);
    assert_true(float32_to_milli(reply.raw, -2000000000, 2000000000, &milli));
    return milli / 1000.0;
}

/* On at 400 V, 2 A, into its own output. */
static void run_module(struct host *h) {
    h->slot[0].on[0] = true;
    h->slot[0].set_v[0] = 400;
    h->slot[0].set_a[0] = 2;
    host_module_set(h, 0, 0);
    host_run(h, 2000);
    assert_true(fabs(host_state(h, 0).module_v[0] - 400) < 1);
}

static void test_module_infypower_reads_output_status_capabilities(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_INFYPOWER);
    const uint8_t address = h->config.slot[0].module[0].address, none[8] = {0};
    struct can_frame r[4];
    run_module(h);
    assert_int_equal(infypower(h, address, INFYPOWER_OUTPUT, none, r), 1);
    struct infypower_output out;
    bool v_ok, a_ok;
    infypower_decode_output(r[0].data, &out, &v_ok, &a_ok);
    assert_true(v_ok && a_ok && abs(out.voltage_mv - 400000) < 1000);
    struct infypower_id id;
    assert_true(infypower_decode_id(r[0].can_id & CAN_EFF_MASK, &id));
    assert_int_equal(id.source, address);
    assert_int_equal(id.destination, INFYPOWER_CONTROLLER);
    assert_int_equal(id.error, 0);
    assert_int_equal(infypower(h, address, INFYPOWER_CAPABILITIES, none, r), 1);
    struct infypower_capabilities cap;
    infypower_decode_capabilities(r[0].data, &cap);
    assert_int_equal(cap.power_w, 30000);
    assert_int_equal(infypower(h, address, INFYPOWER_STATUS, none, r), 1);
    struct infypower_status status;
    infypower_decode_status(r[0].data, &status);
    assert_int_equal(status.state1, 0); /* on, no fault */
    assert_int_equal(infypower(h, INFYPOWER_BROADCAST, INFYPOWER_OUTPUT, none, r),
                     2); /* both answer */
    assert_int_equal(infypower(h, address, 0x3e, none, r), 1);
    assert_true(infypower_decode_id(r[0].can_id & CAN_EFF_MASK, &id) &&
                id.error == INFYPOWER_ERROR_COMMAND);
    host_destroy(h);
}

static void test_module_infypower_refuses_voltage_above_its_rating(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_INFYPOWER);
    struct can_frame r[4];
    uint8_t data[8];
    assert_true(infypower_encode_setpoint(
        &(struct infypower_setpoint){.voltage_mv = 1400000, .current_ma = 1000}, data));
    assert_int_equal(infypower(h, h->config.slot[0].module[0].address, INFYPOWER_SETPOINT, data, r),
                     1);
    struct infypower_id id;
    assert_true(infypower_decode_id(r[0].can_id & CAN_EFF_MASK, &id));
    assert_int_equal(id.error, INFYPOWER_ERROR_DATA);
    host_destroy(h);
}

static void test_module_maxwell_reads_and_sets_registers(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_MAXWELL);
    struct maxwell_reply reply;
    assert_true(fabs(maxwell_float(h, MAXWELL_RATED_POWER) - 30000) < 1);
    assert_true(fabs(maxwell_float(h, MAXWELL_VOLTAGE)) < 0.1);
    assert_int_equal(maxwell(h, false, MAXWELL_ALARMS, 0, &reply), 1);
    assert_int_equal(reply.raw, MAXWELL_STATE_DCDC_OFF);
    assert_false(reply.is_float);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_VOLTAGE, float32_from_milli(400000), &reply), 1);
    assert_true(reply.ok);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_CURRENT, 2 * 1024, &reply), 1);
    assert_true(reply.ok && !reply.is_float);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_ON, 0, &reply), 1);
    host_run(h, 2000);
    assert_true(fabs(maxwell_float(h, MAXWELL_VOLTAGE) - 400) < 1);
    assert_int_equal(maxwell(h, false, MAXWELL_ALARMS, 0, &reply), 1);
    assert_int_equal(reply.raw, 0);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_ON, MAXWELL_OFF, &reply), 1);
    host_run(h, 2000);
    assert_true(maxwell_float(h, MAXWELL_VOLTAGE) < 60);
    host_destroy(h);
}

static void test_module_maxwell_refuses_unknown_register_and_bad_values(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_MAXWELL);
    struct maxwell_reply reply;
    assert_int_equal(maxwell(h, false, 0x77, 0, &reply), 1);
    assert_false(reply.ok);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_VOLTAGE, 0x7fc00000u, &reply), 1); /* NaN */
    assert_false(reply.ok);
    assert_int_equal(maxwell(h, true, MAXWELL_SET_ON, 5, &reply), 1);
    assert_false(reply.ok);
    host_destroy(h);
}

static void test_module_switches_itself_off_after_10_s_of_silence(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_INFYPOWER);
    run_module(h);
    host_run(h, 7800);
    assert_true(host_state(h, 0).module_on[0] && host_state(h, 0).module_v[0] > 390);
    host_run(h, 1500);
    assert_false(host_state(h, 0).module_on[0]);
    host_run(h, 1000);
    assert_true(host_state(h, 0).module_v[0] < 60);
    host_destroy(h);
}

static void test_module_silent_goes_on_and_does_not_answer(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_INFYPOWER);
    struct can_frame r[4];
    const uint8_t none[8] = {0};
    run_module(h);
    const struct plant_fault fault = {.gun = 1, .module = 0, .value = (double)NAN};
    assert_int_equal(plant_inject(h->plant, "module-silent", &fault), PLANT_OK);
    assert_int_equal(infypower(h, h->config.slot[0].module[0].address, INFYPOWER_OUTPUT, none, r),
                     0);
    host_run(h, 5000);
    assert_true(host_state(h, 0).module_v[0] > 390);
    host_run(h, 6000);
    assert_true(host_state(h, 0).module_v[0] < 60); /* its own time-out */
    host_destroy(h);
}

static double available_a(struct host *h) {
    struct can_frame r[4];
    const uint8_t none[8] = {0};
    assert_int_equal(infypower(h, h->config.slot[0].module[0].address, INFYPOWER_EXTERNAL, none, r),
                     1);
    struct infypower_external external;
    infypower_decode_external(r[0].data, &external);
    return external.available_ma / 1000.0;
}

static void test_module_derates_with_temperature(void **state) {
    (void)state;
    struct host *h = create(MODULE_PROTOCOL_INFYPOWER);
    run_module(h);
    const double cold_a = available_a(h);
    assert_true(cold_a > 70); /* 30 kW at 400 V */
    const struct plant_fault warm = {.gun = 1, .module = 0, .value = 80};
    assert_int_equal(plant_inject(h->plant, "module-overtemp", &warm), PLANT_OK);
    host_run(h, 50);
    assert_true(fabs(available_a(h) - 0.5 * cold_a) < 1.0); /* half way from 75 to 85 degC */
    const struct plant_fault hot = {.gun = 1, .module = 0, .value = 95};
    assert_int_equal(plant_inject(h->plant, "module-overtemp", &hot), PLANT_OK);
    host_run(h, 50);
    assert_true(available_a(h) < 0.01);
    host_run(h, 1000);
    assert_true(host_state(h, 0).module_v[0] < 60); /* tripped */
    host_destroy(h);
}

static void test_module_ramps_instead_of_stepping(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    h->slot[0].serve = false;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 10;
    host_run(h, 1000);
    const double low_a = host_state(h, 0).gun_a;
    h->slot[0].set_a[0] = h->slot[0].set_a[1] = 60;
    h->slot[0].module_us = 0;
    host_run(h, 50);
    const double soon_a = host_state(h, 0).gun_a;
    host_run(h, 1000);
    assert_true(fabs(low_a - 20) < 0.5);
    assert_true(soon_a > 25 && soon_a < 115); /* 400 A/s each */
    assert_true(fabs(host_state(h, 0).gun_a - 120) < 1);
    host_destroy(h);
}

/* A module whose MN is its own output relay closes it at matched voltage only. */
static void test_module_own_relay_closes_matched(void **state) {
    (void)state;
    static struct config config;
    config_ring(&config, 1, 2);
    config.slot[0].module[1].mn_on_plc = false;
    struct host *h = host_create_with(&config, &fast);
    h->slot[0].imd_enable = true;
    h->slot[0].close[2] = true;
    host_run(h, 60);
    h->slot[0].on[0] = true;
    h->slot[0].set_v[0] = 400;
    h->slot[0].set_a[0] = 2;
    host_run(h, 2000);
    h->slot[0].on[1] = true;
    h->slot[0].set_v[1] = 400;
    h->slot[0].set_a[1] = 2;
    host_run(h, 600); /* its output is still below */
    assert_false(host_state(h, 0).contactor[CONTACTOR_MN0 + 1]);
    host_run(h, 1500);
    assert_true(host_state(h, 0).contactor[CONTACTOR_MN0 + 1]);
    h->slot[0].on[1] = false;
    host_run(h, 500);
    assert_false(host_state(h, 0).contactor[CONTACTOR_MN0 + 1]);
    assert_int_equal(host_report(h).hazards_by_kind[PLANT_HAZARD_CLOSED_LIVE], 0);
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module_infypower_reads_output_status_capabilities),
        cmocka_unit_test(test_module_infypower_refuses_voltage_above_its_rating),
        cmocka_unit_test(test_module_maxwell_reads_and_sets_registers),
        cmocka_unit_test(test_module_maxwell_refuses_unknown_register_and_bad_values),
        cmocka_unit_test(test_module_switches_itself_off_after_10_s_of_silence),
        cmocka_unit_test(test_module_silent_goes_on_and_does_not_answer),
        cmocka_unit_test(test_module_derates_with_temperature),
        cmocka_unit_test(test_module_ramps_instead_of_stepping),
        cmocka_unit_test(test_module_own_relay_closes_matched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
