/* The load analysis against figures worked by hand and against those of the CAN contract, section 5. */
#include "configs/can_load.h"
#include "configs/config_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config config;
static struct can_load_bus bus;

static void analyse(uint32_t interface) {
    can_load_collect(&config, interface, &bus);
    can_load_analyse(&bus);
}

/* The slowest frame of that name. */
static const struct can_load_message *slowest(const char *name) {
    const struct can_load_message *worst = NULL;
    for (uint32_t i = 0; i < bus.messages; i++) {
        if (strcmp(bus.message[i].name, name) == 0 &&
            (!worst || bus.message[i].response_us > worst->response_us)) {
            worst = &bus.message[i];
        }
    }
    assert_non_null(worst);
    return worst;
}

static void plcs(uint32_t count, int32_t bitrate_bps) {
    config_ring(&config, count, 0);
    for (uint32_t i = 0; i < count; i++) {
        config.slot[i].interface = 0;
        config.slot[i].plc_id = (uint8_t)i;
    }
    config.interface[0].bitrate_bps = bitrate_bps;
    analyse(0);
}

/* "86 ms for 3 PLCs at 125 kbit/s, 133 ms for 4, 200 ms for 6; 85 ms for 6 at 250 kbit/s": multiples of the frame time,
 * 1.28 and 0.64 ms. 67 frames, 104, 156, 133. */
static void test_can_load_gives_the_figures_of_the_contract(void **state) {
    (void)state;
    plcs(3, 125000);
    assert_int_equal(slowest("GCMC_Command")->response_us, 85760);
    assert_int_equal(slowest("GCMC_Command")->verdict, CAN_LOAD_GOOD);
    plcs(4, 125000);
    assert_int_equal(slowest("GCMC_Command")->response_us, 133120);
    assert_int_equal(slowest("GCMC_Command")->verdict, CAN_LOAD_WARNED);
    plcs(6, 125000);
    assert_int_equal(slowest("GCMC_Command")->response_us, 199680);
    assert_int_equal(slowest("GCMC_Command")->verdict, CAN_LOAD_WARNED);
    plcs(6, 250000);
    assert_int_equal(slowest("GCMC_Command")->response_us, 85120);
    assert_int_equal(slowest("GCMC_Command")->verdict, CAN_LOAD_GOOD);
}

/* Per PLC and second: 4 at 100 ms plus GCMC_Command 50, 3 at 200 ms 15, meter 4, 2 at 500 ms 4, 11 at 1 s, 0.5 slower:
 * 84.5 frames of 160 bits, x 6 = 81 120 bits of 250 000. */
static void test_can_load_of_the_default_hub_is_32_percent(void **state) {
    (void)state;
    config_ring(&config, 12, 2);
    analyse(0);
    assert_int_equal(bus.load_permille, 325);
    assert_int_equal(bus.verdict, CAN_LOAD_GOOD);
    /* 12 modules: 10 setpoints, 2 on/off, 4 output, 2 status, 1 slow in all, with replies 38 frames a second each. */
    analyse(2);
    assert_int_equal(bus.load_permille, 584);
    assert_int_equal(bus.verdict, CAN_LOAD_GOOD);
    assert_int_equal(config_load_verdict(&config, NULL), CAN_LOAD_GOOD);
}

static void test_can_load_12_plcs_on_one_slow_bus_are_refused(void **state) {
    (void)state;
    plcs(12, 125000);
    assert_true(bus.load_permille > 1000);
    assert_int_equal(bus.verdict, CAN_LOAD_REFUSED);
    assert_true(slowest("GCMC_Command")->response_us == CAN_LOAD_UNBOUNDED);
    assert_int_equal(slowest("GCMC_Command")->verdict, CAN_LOAD_REFUSED);
    assert_int_equal(config_load_verdict(&config, NULL), CAN_LOAD_REFUSED);
}

static void test_can_load_late_pilot_refuses_6_plcs_at_125(void **state) {
    (void)state;
    plcs(6, 125000);
    assert_int_equal(slowest("CP_Voltage_Levels")->verdict, CAN_LOAD_REFUSED);
    assert_int_equal(bus.verdict, CAN_LOAD_REFUSED);
}

/* 12 modules: 20 setpoints, 2 on/off, 8 readings, 2 alarms, 2.5 slow, with replies 69 frames a second each: 106 % of 125
 * kbit/s, 53 % of 250. */
static void test_can_load_maxwell_needs_250_kbit_for_12_modules(void **state) {
    (void)state;
    config_ring(&config, 12, 2);
    config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    analyse(2);
    assert_int_equal(bus.load_permille, 1060);
    assert_int_equal(bus.verdict, CAN_LOAD_REFUSED);
    config.interface[2].bitrate_bps = 250000;
    analyse(2);
    assert_int_equal(bus.load_permille, 530);
    assert_int_equal(bus.verdict, CAN_LOAD_GOOD);
}

static void test_can_load_relay_hub_has_relay_frames_only(void **state) {
    (void)state;
    config_ring(&config, 2, 0);
    config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    analyse(0);
    assert_int_equal(bus.messages, 2 * (PLC_MESSAGE_COUNT - 2));
    for (uint32_t i = 0; i < bus.messages; i++) {
        assert_null(strstr(bus.message[i].name, "GCMC"));
    }
    assert_int_equal(slowest("RelayControl")->id, 0x341);
    assert_int_equal(slowest("RelayControl")->deadline_us, 100000);
    assert_int_equal(slowest("RelayControl")->refuse_us, 200000);
}

static void test_can_load_identifiers_of_modules(void **state) {
    (void)state;
    config_ring(&config, 1, 1);
    analyse(1);
    /* infypower: device 0xA in bits 22-25, command 16-21, destination 8-15, source 0-7 */
    assert_int_equal(slowest("setpoint")->id, 0x029C01F0);
    assert_int_equal(slowest("setpoint reply")->id, 0x029CF001);
    config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    analyse(1);
    /* maxwell: PROTNO 0x060 from bit 20, point to point bit 19, destination 11-18, source 3-10 */
    assert_int_equal(slowest("set voltage")->id, 0x06080F80);
    assert_int_equal(slowest("set voltage reply")->id, 0x060F8008);
}

static void put(uint32_t id, int64_t period_us) {
    struct can_load_message *m = &bus.message[bus.messages++];
    *m = (struct can_load_message){
        .id = id, .period_us = period_us, .deadline_us = period_us, .refuse_us = period_us};
    snprintf(m->name, sizeof m->name, "m%u", id);
}

/* The example by which Davis et al. refute the earlier analysis: three frames of 1 ms, periods 2.5, 3.5, 3.5 ms. The
 * first instance of C takes 3 ms, the second 3.5: only who looks at every instance of the busy period sees it. */
static void test_can_load_looks_at_every_instance(void **state) {
    (void)state;
    memset(&bus, 0, sizeof bus);
    bus.bitrate_bps = 160000; /* a frame takes 1 ms */
    put(3, 3500);
    put(1, 2500);
    put(2, 3500);
    can_load_analyse(&bus);
    assert_int_equal(bus.load_permille, 972);
    assert_int_equal(bus.verdict, CAN_LOAD_REFUSED);
    assert_int_equal(bus.message[0].id, 1);
    assert_int_equal(bus.message[0].response_us, 2000);
    assert_int_equal(bus.message[1].response_us, 3000);
    assert_int_equal(bus.message[2].response_us, 3500);
}

/* A frame sent on events blocks for one frame and is not part of the load. */
static void test_can_load_event_frame_only_blocks(void **state) {
    (void)state;
    memset(&bus, 0, sizeof bus);
    bus.bitrate_bps = 160000;
    put(1, 10000);
    put(2, 10000);
    can_load_analyse(&bus);
    assert_int_equal(bus.message[0].response_us, 2000);
    assert_int_equal(bus.message[1].response_us, 2000);
    put(3, 0);
    can_load_analyse(&bus);
    assert_int_equal(bus.load_permille, 200);
    assert_int_equal(bus.message[1].response_us, 3000);
    assert_int_equal(bus.message[2].response_us, 0);
    assert_int_equal(bus.message[2].verdict, CAN_LOAD_GOOD);
}

/* Frames of one identifier: either may be last in its sender's queue. */
static void test_can_load_equal_identifiers_delay_each_other(void **state) {
    (void)state;
    memset(&bus, 0, sizeof bus);
    bus.bitrate_bps = 160000;
    put(1, 10000);
    put(1, 10000);
    can_load_analyse(&bus);
    assert_int_equal(bus.message[0].response_us, 2000);
    assert_int_equal(bus.message[1].response_us, 2000);
}

static void test_can_load_limits_at_70_and_90_percent(void **state) {
    (void)state;
    const struct {
        int64_t period_us;
        int permille;
        enum can_load_verdict verdict;
    } rows[] = {{10000, 700, CAN_LOAD_GOOD},
                {9990, 701, CAN_LOAD_WARNED},
                {7778, 900, CAN_LOAD_WARNED},
                {7770, 901, CAN_LOAD_REFUSED}};
    for (int i = 0; i < 4; i++) {
        memset(&bus, 0, sizeof bus);
        bus.bitrate_bps = 160000;
        for (uint32_t k = 1; k <= 7; k++) {
            put(k, rows[i].period_us);
            bus.message[k - 1].deadline_us = bus.message[k - 1].refuse_us = 1000000;
        }
        can_load_analyse(&bus);
        assert_int_equal(bus.load_permille, rows[i].permille);
        assert_int_equal(bus.verdict, rows[i].verdict);
    }
}

static void test_can_load_empty_bus_is_good(void **state) {
    (void)state;
    memset(&bus, 0, sizeof bus);
    bus.bitrate_bps = 125000;
    can_load_analyse(&bus);
    assert_int_equal(bus.load_permille, 0);
    assert_int_equal(bus.verdict, CAN_LOAD_GOOD);
}

/* 62 modules on one bus of 1 Mbit/s: 62 x 69 frames a second of 160 bits are 68.4 %. */
static void test_can_load_fullest_bus_fits(void **state) {
    (void)state;
    config_ring(&config, 96, 8);
    config.modules.protocol = MODULE_PROTOCOL_MAXWELL;
    for (uint32_t i = 0; i < 96 * 8; i++) {
        struct config_module *m = &config.slot[i / 8].module[i % 8];
        m->interface = i < 62 ? 20 : 21;
        m->address = (uint8_t)(i < 62 ? i + 1 : 0);
    }
    config.interface[20].bitrate_bps = 1000000;
    analyse(20);
    assert_int_equal(bus.messages, 62 * 22);
    assert_true(bus.messages <= CAN_LOAD_MESSAGES_MAX);
    assert_int_equal(bus.load_permille, 685);
}

static char text[1 << 20];

static enum config_verdict check(const char *path) {
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text, "w");
    enum config_verdict verdict = config_check_print(out, path);
    fclose(out);
    return verdict;
}

static void test_config_check_print_shows_the_hub(void **state) {
    (void)state;
    assert_int_equal(check("configs/charger.json"), CONFIG_VERDICT_GOOD);
    assert_non_null(strstr(text, "configs/charger.json: good\n"));
    assert_non_null(strstr(text, "12 slots, 12 guns, 24 modules with 720 kW"));
    assert_non_null(strstr(text, "[slot 7]  PLC 0 on plc1  gun 7 \"Gun 7\" through GC_7"));
    assert_non_null(strstr(text, "M_7_1 30 kW  mod1 address 2  through MN_7_1\n"));
    assert_non_null(strstr(text, "'-- MC_12 up to 500 A back to slot 1\n"));
    assert_non_null(strstr(text, "Load of plc0 at 250 kbit/s: 32.5 % (good)"));
    assert_non_null(strstr(text, "85.12       100  good"));
    assert_int_equal(check("configs/two-gun.json"), CONFIG_VERDICT_GOOD);
    assert_int_equal(check("configs/relay.json"), CONFIG_VERDICT_GOOD);
    assert_non_null(strstr(text, "no ring contactor: always open"));
}

static void test_config_check_print_unreadable_or_wrong_file(void **state) {
    (void)state;
    assert_int_equal(check("configs/none.json"), CONFIG_VERDICT_UNREADABLE);
    assert_non_null(strstr(text, "cannot be read"));
    assert_int_equal(check("configs/hub.dbc"), CONFIG_VERDICT_REFUSED);
    assert_non_null(strstr(text, "line 1 column 1"));
}

static void test_config_report_names_what_is_refused(void **state) {
    (void)state;
    config_ring(&config, 6, 0);
    config.interface[0].bitrate_bps = 125000;
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_int_equal(config_report_print(out, "x", &config), CONFIG_VERDICT_REFUSED);
    fclose(out);
    assert_non_null(strstr(text, "x: refused: a CAN bus cannot carry this\n"));
    assert_non_null(strstr(text, "plc0: GCMC_Command of node 5 may take 199.7 ms, deadline 100 "
                                 "ms, warned\n"));
    assert_non_null(strstr(text, "plc0: CP_Voltage_Levels of node 5 may take "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_load_gives_the_figures_of_the_contract),
        cmocka_unit_test(test_can_load_of_the_default_hub_is_32_percent),
        cmocka_unit_test(test_can_load_12_plcs_on_one_slow_bus_are_refused),
        cmocka_unit_test(test_can_load_late_pilot_refuses_6_plcs_at_125),
        cmocka_unit_test(test_can_load_maxwell_needs_250_kbit_for_12_modules),
        cmocka_unit_test(test_can_load_relay_hub_has_relay_frames_only),
        cmocka_unit_test(test_can_load_identifiers_of_modules),
        cmocka_unit_test(test_can_load_looks_at_every_instance),
        cmocka_unit_test(test_can_load_event_frame_only_blocks),
        cmocka_unit_test(test_can_load_equal_identifiers_delay_each_other),
        cmocka_unit_test(test_can_load_limits_at_70_and_90_percent),
        cmocka_unit_test(test_can_load_empty_bus_is_good),
        cmocka_unit_test(test_can_load_fullest_bus_fits),
        cmocka_unit_test(test_config_check_print_shows_the_hub),
        cmocka_unit_test(test_config_check_print_unreadable_or_wrong_file),
        cmocka_unit_test(test_config_report_names_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
