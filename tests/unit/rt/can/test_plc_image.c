/* Contract section 3: what each frame of the PLC means in the image. Bytes are composed by hand. */
#include "tests/unit/rt/can/bench.h"

static void test_image_charge_info(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x100, BENCH_BYTES(9, 0x0d));
    assert_true(b->image.hlc_stage.valid);
    assert_int_equal(b->image.hlc_stage.value, HLC_STAGE_POWER_DELIVERY);
    assert_int_equal(b->image.hlc_stage.at_us, b->now_us);
    assert_true(b->image.charge_complete && b->image.cable_check_ok && b->image.auth_granted);
    assert_false(b->image.precharge_active || b->image.auth_pending);
    bench_frame(b, 0x100, BENCH_BYTES(8, 0x12));
    assert_true(b->image.precharge_active && b->image.auth_pending);
    assert_false(b->image.charge_complete || b->image.cable_check_ok || b->image.auth_granted);
}

static void test_image_unknown_hlc_stage_is_invalid(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x100, BENCH_BYTES(14, 0));
    assert_true(b->image.hlc_stage.valid);
    bench_frame(b, 0x100, BENCH_BYTES(15, 0));
    assert_false(b->image.hlc_stage.valid);
    bench_frame(b, 0x100, BENCH_BYTES(255, 0));
    assert_false(b->image.hlc_stage.valid);
}

static void test_image_cp_state_from_its_own_frame_only(void **state) {
    (void)state;
    static const struct {
        uint8_t letter;
        enum cp_state expected;
    } row[] = {{'A', CP_STATE_A},       {'B', CP_STATE_B},       {'C', CP_STATE_C},
               {'D', CP_STATE_D},       {'E', CP_STATE_E},       {'F', CP_STATE_F},
               {'U', CP_STATE_UNKNOWN}, {'a', CP_STATE_UNKNOWN}, {'G', CP_STATE_UNKNOWN},
               {'@', CP_STATE_UNKNOWN}, {0, CP_STATE_UNKNOWN},   {255, CP_STATE_UNKNOWN}};
    struct bench *b = bench_new();
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        bench_frame(b, 0x430, BENCH_BYTES(0x70, 0x17, row[i].letter, 5));
        assert_int_equal(b->image.cp_state.value, row[i].expected);
        assert_true(b->image.cp_state.valid);
    }
    b->image.cp_state.value = CP_STATE_B;
    bench_frame(b, 0x220, BENCH_BYTES(0, 0, 0, 0, 9, 5, 'C', 50));
    bench_frame(b, 0x410, BENCH_BYTES(1, 0, 0, 0, 'C', 5, 9, 0));
    assert_int_equal(b->image.cp_state.value, CP_STATE_B);
}

static void test_image_vehicle_limits_and_targets(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x200,
                BENCH_BYTES(0x10, 0x27, 0xD0, 0x07, 0xDC, 0x05)); /* 1000.0 V, 200.0 A, 150.0 kW */
    assert_int_equal(b->image.ev_max_mv.value, 1000000);
    assert_int_equal(b->image.ev_max_ma.value, 200000);
    assert_int_equal(b->image.ev_max_w.value, 150000);
    bench_frame(b, 0x210, BENCH_BYTES(0xA0, 0x0F, 0xE8, 0x03, 0x9A, 0x0F, 0xE7, 0x03));
    assert_int_equal(b->image.ev_target_mv.value, 400000);
    assert_int_equal(b->image.ev_target_ma.value, 100000);
    assert_int_equal(b->image.ev_present_mv.value, 399400);
    assert_int_equal(b->image.ev_present_ma.value, 99900);
    assert_true(b->image.ev_target_ma.valid && b->image.ev_max_w.valid);
}

static void test_image_vehicle_energy_and_soc(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(
        b, 0x230,
        BENCH_BYTES(0xF4, 0x01, 0x20, 0x03, 0x78, 0x00, 100, 80)); /* 50.0, 80.0 kWh, 120 min */
    assert_int_equal(b->image.energy_request_wh.value, 50000);
    assert_int_equal(b->image.energy_capacity_wh.value, 80000);
    assert_true(b->image.departure_min.valid);
    assert_int_equal(b->image.departure_min.value, 120);
    bench_frame(b, 0x230, BENCH_BYTES(0xF4, 0x01, 0x20, 0x03, 0xff, 0xff, 100, 80));
    assert_false(b->image.departure_min.valid);
    bench_frame(b, 0x220, BENCH_BYTES(0, 0, 0, 0, 10, 5, 'C', 73));
    assert_true(b->image.soc_pct.valid && b->image.soc_pct.value == 73);
    bench_frame(b, 0x220, BENCH_BYTES(0, 0, 0, 0, 10, 5, 'C', 255));
    assert_false(b->image.soc_pct.valid);
    bench_frame(b, 0x220, BENCH_BYTES(0, 0, 0, 0, 10, 5, 'C', 101));
    assert_false(b->image.soc_pct.valid);
}

static void test_image_session_epoch(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x410, BENCH_BYTES(0x78, 0x56, 0x34, 0xF2, 'B', 5, 1, 1));
    assert_true(b->image.session_epoch == 0xF2345678u);
}

static void test_image_gcmc_feedback_both_poles(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x150,
                 BENCH_BYTES(0, 0x15, 0, 1, 0, 0, 0)); /* GC, MN0, BC closed; COMM_FAULT */
    const struct image_contactor *c = b->image.contactor;
    assert_int_equal(c[CONTACTOR_GC].p, FEEDBACK_CLOSED);
    assert_int_equal(c[CONTACTOR_GC].n, FEEDBACK_CLOSED);
    assert_int_equal(c[CONTACTOR_MC].p, FEEDBACK_OPEN);
    assert_int_equal(c[CONTACTOR_MN0].n, FEEDBACK_CLOSED);
    assert_int_equal(c[CONTACTOR_MN0 + 1].p, FEEDBACK_OPEN);
    assert_int_equal(c[CONTACTOR_BC].p, FEEDBACK_CLOSED);
    assert_int_equal(c[CONTACTOR_BC].at_us, b->now_us);
    assert_int_equal(c[CONTACTOR_MN0 + 2].p, FEEDBACK_INVALID);
    assert_true(b->image.plc_reports_comm_fault);
    assert_true(b->image.contactor_status.valid);
}

static void test_image_commands_seen_are_not_feedback(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x150, BENCH_BYTES(0x1f, 0, 0, 0, 0, 0, 0));
    for (unsigned i = CONTACTOR_GC; i <= CONTACTOR_MN0 + 1; i++) {
        assert_int_equal(b->image.contactor[i].p, FEEDBACK_OPEN);
    }
}

static void test_image_relay_mode_contactors_and_faults(void **state) {
    (void)state;
    struct bench *b = bench_new();
    b->config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    bench_restart(b);
    bench_sealed(b, 0x160,
                 BENCH_BYTES(0x2D, 7, 0x10)); /* RLY1, RLY3 closed; faults of RLY1 and RLY3 */
    const struct image_contactor *c = b->image.contactor;
    assert_int_equal(c[CONTACTOR_GC].p, FEEDBACK_CLOSED);
    assert_true(c[CONTACTOR_GC].fault);
    assert_int_equal(c[CONTACTOR_MN0].p, FEEDBACK_OPEN);
    assert_false(c[CONTACTOR_MN0].fault);
    assert_int_equal(c[CONTACTOR_MN0 + 1].n, FEEDBACK_CLOSED);
    assert_true(c[CONTACTOR_MN0 + 1].fault);
    assert_int_equal(c[CONTACTOR_MC].p, FEEDBACK_INVALID);
    bench_sealed(b, 0x150, BENCH_BYTES(0, 0x1f)); /* the other owner's frame changes nothing */
    assert_int_equal(c[CONTACTOR_MN0].p, FEEDBACK_OPEN);
    assert_int_equal(c[CONTACTOR_MC].p, FEEDBACK_INVALID);
}

static void test_image_gcmc_mode_ignores_relay_states(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x160, BENCH_BYTES(0x07, 7, 0x10));
    assert_int_equal(b->image.contactor[CONTACTOR_GC].p, FEEDBACK_INVALID);
    assert_false(b->image.contactor_status.valid);
}

static void test_image_unknown_fault_reason_becomes_internal_error(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned reason = 0; reason < 256; reason++) {
        bench_sealed(b, 0x150, BENCH_BYTES(0, 0, (uint8_t)reason));
        assert_int_equal(b->image.plc_fault_reason, reason <= 12 ? reason : 9);
    }
}

static void test_image_temperatures_and_broken_sensors(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x1C0,
                 BENCH_BYTES(0x2C, 0x03, 0x9C, 0xFF, 0xF4, 0x01)); /* 81.2, -10.0, 50.0 degC */
    assert_true(b->image.pin_plus_ddegc.valid && b->image.pin_plus_ddegc.value == 812);
    assert_true(b->image.pin_minus_ddegc.valid && b->image.pin_minus_ddegc.value == -100);
    assert_true(b->image.cable_ddegc.valid && b->image.cable_ddegc.value == 500);
    b->now_us += 500 * MS;
    bench_sealed(b, 0x1C0,
                 BENCH_BYTES(0x00, 0x80, 0xFF, 0x7F, 0x70, 0xFE)); /* open, short, -40.0 degC */
    assert_false(b->image.pin_plus_ddegc.valid);
    assert_false(b->image.pin_minus_ddegc.valid);
    assert_false(b->image.cable_ddegc.valid);
    assert_true(b->image.temperature_frame.valid && b->image.temperature_frame.at_us == b->now_us);
    bench_sealed(b, 0x1C0,
                 BENCH_BYTES(0x71, 0xFE, 0xDB, 0x05, 0xDC, 0x05)); /* -39.9, 149.9, 150.0 */
    assert_true(b->image.pin_plus_ddegc.valid && b->image.pin_minus_ddegc.valid);
    assert_false(b->image.cable_ddegc.valid);
}

static void test_image_imd_states(void **state) {
    (void)state;
    static const struct {
        uint8_t byte4;
        enum imd_state expected;
    } row[] = {
        {0x00, IMD_STATE_OFF},   {0x01, IMD_STATE_OFF},   /* ok, but not enabled */
        {0x21, IMD_STATE_OK},    {0x20, IMD_STATE_TEST},  /* enabled, no verdict yet */
        {0x23, IMD_STATE_TEST},  {0x25, IMD_STATE_OK},    /* self-test running; passed */
        {0x27, IMD_STATE_FAULT}, {0x31, IMD_STATE_FAULT}, /* self-test failed; FAULT wins over ok */
        {0x10, IMD_STATE_FAULT}, {0x24, IMD_STATE_TEST},
    };
    struct bench *b = bench_new();
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        bench_sealed(b, 0x1D0, BENCH_BYTES(0x10, 0x27, 0, 0, row[i].byte4));
        assert_int_equal(b->image.imd.value, row[i].expected);
        assert_int_equal(b->image.imd_self_test, row[i].byte4 >> 1 & 3);
        assert_int_equal(b->image.imd_enabled, row[i].byte4 >> 5 & 1);
        assert_int_equal(b->image.insulation_ohm.value, 100000);
        assert_int_equal(b->image.insulation_ohm.valid, row[i].byte4 >> 5 & 1);
    }
    bench_sealed(b, 0x1D0, BENCH_BYTES(0xff, 0xff, 0xff, 0xff, 0x29));
    assert_int_equal(b->image.insulation_ohm.value, INT32_MAX);
    assert_true(b->image.imd_warning);
}

static void test_image_slot_sense_each_value_with_its_own_bit(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x1E0, BENCH_BYTES(0xA0, 0x0F, 0x98, 0x0F, 0x18, 0xFC, 0x07));
    assert_int_equal(b->image.bus_mv.value, 400000);
    assert_int_equal(b->image.gun_mv.value, 399200);
    assert_int_equal(b->image.boundary_ma.value, -100000);
    assert_true(b->image.bus_mv.valid && b->image.gun_mv.valid && b->image.boundary_ma.valid);
    bench_sealed(b, 0x1E0, BENCH_BYTES(0xA0, 0x0F, 0x98, 0x0F, 0x18, 0xFC, 0x02));
    assert_false(b->image.bus_mv.valid);
    assert_true(b->image.gun_mv.valid);
    assert_false(b->image.boundary_ma.valid);
}

/* ---- substitutes for SlotSense ---- */

static void module_reads(struct bench *b, unsigned j, int32_t mv, bool closed) {
    b->image.module[j].voltage_mv = (struct sample){mv, true, b->now_us};
    b->image.contactor[CONTACTOR_MN0 + j].p = closed ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
    b->image.contactor[CONTACTOR_MN0 + j].n = b->image.contactor[CONTACTOR_MN0 + j].p;
}

static void tick_after(struct bench *b, int64_t span_us) {
    b->now_us += span_us;
    plc_tick(&b->plc, &b->config, &b->image, b->now_us);
}

static struct bench *without_sense(void) {
    struct bench *b = bench_new();
    bench_frame(b, 0x100, BENCH_BYTES(0));
    tick_after(b, 900 * MS);
    assert_false(b->image.bus_mv.valid); /* a SlotSense may still come */
    b->now_us += 100 * MS;
    return b;
}

static void test_image_no_slot_sense_bus_from_connected_modules(void **state) {
    (void)state;
    struct bench *b = without_sense();
    module_reads(b, 0, 400000, true);
    module_reads(b, 1, 700000, false); /* behind its open contactor: not the bus */
    tick_after(b, 5 * MS);
    assert_true(b->image.bus_mv.valid);
    assert_int_equal(b->image.bus_mv.value, 400000);
    module_reads(b, 1, 401000, true);
    tick_after(b, 5 * MS);
    assert_int_equal(b->image.bus_mv.value, 401000); /* the higher of two */
}

static void test_image_no_slot_sense_nothing_connected_takes_the_highest(void **state) {
    (void)state;
    struct bench *b = without_sense();
    module_reads(b, 0, 2000, false);
    module_reads(b, 1, 55000, false);
    tick_after(b, 5 * MS);
    assert_int_equal(b->image.bus_mv.value, 55000);
}

static void test_image_no_slot_sense_module_bus_side_reading_counts(void **state) {
    (void)state;
    struct bench *b = without_sense();
    module_reads(b, 0, 0, false);
    b->image.module[0].external_mv = (struct sample){380000, true, b->now_us};
    module_reads(b, 1, 0, false);
    tick_after(b, 5 * MS);
    assert_int_equal(b->image.bus_mv.value, 380000);
}

static void test_image_no_slot_sense_stale_modules_are_not_a_bus_voltage(void **state) {
    (void)state;
    struct bench *b = without_sense();
    module_reads(b, 0, 400000, true);
    tick_after(b, 5 * MS);
    const int64_t fresh_us = b->image.bus_mv.at_us;
    tick_after(b, 700 * MS);
    assert_int_equal(b->image.bus_mv.at_us, fresh_us); /* grows old */
}

static void test_image_no_slot_sense_gun_from_meter_boundary_from_setpoints(void **state) {
    (void)state;
    struct bench *b = without_sense();
    bench_frame(b, 0x170, BENCH_BYTES(0, 1, 0xA0, 0x0F, 0, 0, 0, 0));
    b->image.module[0].sent_run = true;
    b->image.module[0].sent_ma = 40000;
    b->image.module[1].sent_run = false;
    b->image.module[1].sent_ma = 50000;
    tick_after(b, 5 * MS);
    assert_int_equal(b->image.gun_mv.value, 400000);
    assert_true(b->image.gun_mv.valid);
    assert_int_equal(b->image.boundary_ma.value, 40000);
}

static void test_image_silent_slot_sense_is_never_substituted(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_sealed(b, 0x1E0, BENCH_BYTES(0xA0, 0x0F, 0x98, 0x0F, 0, 0, 0x07));
    const int64_t seen_us = b->now_us;
    tick_after(b, 2 * SECOND);
    module_reads(b, 0, 1000, true);
    tick_after(b, 5 * MS);
    assert_int_equal(b->image.bus_mv.value, 400000);
    assert_int_equal(b->image.bus_mv.at_us, seen_us);
}

/* ---- the PLC's own restart ---- */

static void test_image_boot_config_and_uptime_reveal_a_restart(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x130, BENCH_BYTES(1, 2, 0, 0, 0, 0x10, 0x00)); /* 16 s */
    bench_frame(b, 0x130, BENCH_BYTES(1, 2, 0, 0, 0, 0x15, 0x00));
    assert_int_equal(b->plc.restarts, 0);
    assert_int_equal(b->plc.can_tec, 1);
    assert_int_equal(b->plc.can_rec, 2);
    bench_frame(b, 0x130, BENCH_BYTES(1, 2, 0, 0, 0, 0x02, 0x00));
    assert_int_equal(b->plc.restarts, 1);
    bench_frame(b, 0x90000, BENCH_BYTES(1, 2, 3, 0x0f, 0xFA, 0));
    assert_int_equal(b->plc.restarts, 2);
    assert_int_equal(b->plc.firmware[2], 3);
    assert_int_equal(b->plc.features, 0x0f);
    assert_int_equal(b->plc.bitrate_kbit_s, 250);
    bench_frame(b, 0x110, BENCH_BYTES(0, 0, 0, 0, 0, 4, 5, 6));
    assert_int_equal(b->plc.firmware[0], 4);
    assert_int_equal(b->plc.firmware[2], 6);
}

static void test_image_uptime_told_by_two_frames_out_of_order_is_no_restart(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x130, BENCH_BYTES(0, 0, 0, 0, 0, 0x10, 0x00));
    bench_frame(b, 0x130, BENCH_BYTES(0, 0, 0, 0, 0, 0x0E, 0x00)); /* 2 s: overtaken */
    assert_int_equal(b->plc.restarts, 0);
    bench_frame(b, 0x130, BENCH_BYTES(0, 0, 0, 0, 0, 0x0D, 0x00)); /* 3 s below the newest */
    assert_int_equal(b->plc.restarts, 1);
}

static void test_image_uptime_wrap_is_no_restart(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, 0x130, BENCH_BYTES(0, 0, 0, 0, 0, 0xFE, 0xFF));
    bench_frame(b, 0x130, BENCH_BYTES(0, 0, 0, 0, 0, 0x03, 0x00));
    assert_int_equal(b->plc.restarts, 0);
}

static void test_image_random_frames_never_break_the_image(void **state) {
    (void)state;
    struct bench *b = bench_new();
    uint64_t seed = 42;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t data[8];
        for (unsigned k = 0; k < 8; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            data[k] = (uint8_t)(seed >> 56);
        }
        bench_sealed(b, hub_messages[i % HUB_MESSAGE_COUNT].base_id, data);
        b->now_us += 3 * MS;
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
        assert_in_range(b->image.plc_fault_reason, 0, 12);
        assert_in_range(b->image.cp_state.value, 0, CP_STATE_COUNT - 1);
        assert_in_range(b->image.hlc_stage.value, 0, HLC_STAGE_COUNT - 1);
        assert_in_range(b->image.imd.value, IMD_STATE_OFF, IMD_STATE_FAULT);
        for (unsigned k = 0; k < IDENTITY_COUNT; k++) {
            assert_true(b->image.identity[k].length < RM_ID_TOKEN_LEN);
            assert_int_equal(b->image.identity[k].text[b->image.identity[k].length], 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_charge_info),
        cmocka_unit_test(test_image_unknown_hlc_stage_is_invalid),
        cmocka_unit_test(test_image_cp_state_from_its_own_frame_only),
        cmocka_unit_test(test_image_vehicle_limits_and_targets),
        cmocka_unit_test(test_image_vehicle_energy_and_soc),
        cmocka_unit_test(test_image_session_epoch),
        cmocka_unit_test(test_image_gcmc_feedback_both_poles),
        cmocka_unit_test(test_image_commands_seen_are_not_feedback),
        cmocka_unit_test(test_image_relay_mode_contactors_and_faults),
        cmocka_unit_test(test_image_gcmc_mode_ignores_relay_states),
        cmocka_unit_test(test_image_unknown_fault_reason_becomes_internal_error),
        cmocka_unit_test(test_image_temperatures_and_broken_sensors),
        cmocka_unit_test(test_image_imd_states),
        cmocka_unit_test(test_image_slot_sense_each_value_with_its_own_bit),
        cmocka_unit_test(test_image_no_slot_sense_bus_from_connected_modules),
        cmocka_unit_test(test_image_no_slot_sense_nothing_connected_takes_the_highest),
        cmocka_unit_test(test_image_no_slot_sense_module_bus_side_reading_counts),
        cmocka_unit_test(test_image_no_slot_sense_stale_modules_are_not_a_bus_voltage),
        cmocka_unit_test(test_image_no_slot_sense_gun_from_meter_boundary_from_setpoints),
        cmocka_unit_test(test_image_silent_slot_sense_is_never_substituted),
        cmocka_unit_test(test_image_boot_config_and_uptime_reveal_a_restart),
        cmocka_unit_test(test_image_uptime_told_by_two_frames_out_of_order_is_no_restart),
        cmocka_unit_test(test_image_uptime_wrap_is_no_restart),
        cmocka_unit_test(test_image_random_frames_never_break_the_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
