/* PLC nodes against the CAN contract, sections 1 to 4. */
#include "tests/unit/plant/host.h"

#include <linux/can/error.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct plant_options fast = {.seed = 21, .handshake = PLANT_HANDSHAKE_FAST};

static void inject(struct host *h, const char *name, int gun, double value, int64_t for_ms) {
    const struct plant_fault fault = {.gun = gun, .value = value, .for_ms = for_ms};
    assert_int_equal(plant_inject(h->plant, name, &fault), PLANT_OK);
}

static bool gc(const struct host *h, uint32_t slot) {
    return host_state(h, slot).contactor[CONTACTOR_GC];
}

static void close_gc(struct host *h, uint32_t slot) {
    h->slot[slot].close[0] = true;
    host_run(h, 60);
    assert_true(gc(h, slot));
}

/* Frames of 20 s against the periods of the contract. */
static void test_node_periods_match_the_contract(void **state) {
    (void)state;
    static const struct {
        int message;
        uint32_t least, most;
    } rows[] = {
        {HUB_MESSAGE_CHARGE_INFO, 40, 41},
        {HUB_MESSAGE_SOFTWARE_INFO, 2, 2},
        {HUB_MESSAGE_HW_STATUS, 4, 4},
        {HUB_MESSAGE_GCMC_STATUS, 200, 201},
        {HUB_MESSAGE_RELAY_STATUS, 20, 21},
        {HUB_MESSAGE_ENERGY_METER_DATA, 80, 81},
        {HUB_MESSAGE_SAFETY_SWITCH_STATUS, 100, 101},
        {HUB_MESSAGE_GUN_TEMPERATURE, 40, 41},
        {HUB_MESSAGE_IMD, 100, 101},
        {HUB_MESSAGE_SLOT_SENSE, 200, 201},
        {HUB_MESSAGE_EVDC_MAX_LIMITS, 20, 21},
        {HUB_MESSAGE_EVDC_TARGETS, 200, 201},
        {HUB_MESSAGE_EV_STATUS_DISPLAY, 20, 21},
        {HUB_MESSAGE_EVDC_ENERGY_LIMITS, 20, 21},
        {HUB_MESSAGE_CHARGING_SESSION, 20, 21},
        {HUB_MESSAGE_CP_VOLTAGE_LEVELS, 200, 201},
        {HUB_MESSAGE_RTT_LOG, 2, 2},
        {HUB_MESSAGE_RTEV_LOG, 2, 2},
        {HUB_MESSAGE_EVMAC, 0, 0},
        {HUB_MESSAGE_BOOT_CONFIG, 0, 0},
    };
    struct host *h = host_create(2, &fast);
    assert_int_equal(h->slot[0].boots, 1); /* at power-up */
    host_run(h, 1500);
    memset(h->slot[0].count, 0, sizeof(h->slot[0].count));
    host_run(h, 20000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint32_t n = h->slot[0].count[rows[i].message];
        if (n < rows[i].least || n > rows[i].most) {
            fail_msg("%s: %u frames in 20 s", hub_messages[rows[i].message].name, n);
        }
    }
    host_destroy(h);
}

static void test_node_watchdog_opens_after_300_ms_and_reports_5(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].close[0] = true;
    host_run(h, 100);
    h->slot[0].mute = true;
    host_command(h, 0, h->slot[0].seq, true);
    host_run(h, 299);
    assert_true(gc(h, 0));
    host_run(h, 20);
    assert_false(gc(h, 0));
    host_run(h, 5);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 5);
    assert_int_equal(h->slot[0].gcmc.comm_fault, 1);
    host_destroy(h);
}

static void test_node_after_timeout_closing_is_refused_until_all_off(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].mute = true;
    host_run(h, 500);
    host_command(h, 0, 77, true); /* GC closed, new sequence */
    host_run(h, 50);
    assert_false(gc(h, 0));
    assert_int_equal(h->slot[0].gcmc.cmd_seq_rx, 77);
    assert_int_not_equal(h->slot[0].gcmc.last_cmd_seq_applied, 77);
    h->slot[0].close[0] = false;
    host_command(h, 0, 78, true);
    host_run(h, 5);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 0);
    assert_int_equal(h->slot[0].gcmc.last_cmd_seq_applied, 78);
    h->slot[0].close[0] = true;
    host_command(h, 0, 79, true);
    host_run(h, 60);
    assert_true(gc(h, 0));
    host_destroy(h);
}

static void test_node_repeated_sequence_refreshes_and_changes_nothing(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].mute = true;
    const uint8_t seq = h->slot[0].seq;
    for (int i = 0; i < 10; i++) {
        host_command(h, 0, seq, true);
        host_run(h, 250);
    }
    assert_true(gc(h, 0));       /* fed */
    h->slot[0].close[0] = false; /* other content, old sequence */
    host_command(h, 0, seq, true);
    host_run(h, 60);
    assert_true(gc(h, 0));
    host_command(h, 0, (uint8_t)(seq + 1), true);
    host_run(h, 60);
    assert_false(gc(h, 0));
    host_destroy(h);
}

static void test_node_acknowledges_the_sequence_it_applied_at_once(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].mute = true;
    host_command(h, 0, 200, true);
    host_run(h, 3);
    assert_int_equal(h->slot[0].gcmc.last_cmd_seq_applied, 200);
    assert_int_equal(h->slot[0].gcmc.cmd_seq_rx, 200);
    host_destroy(h);
}

static void test_node_bad_crc_is_not_applied_and_three_open_everything(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].close[0] = false;
    h->slot[0].mute = true;
    host_command(h, 0, 90, false);
    host_run(h, 40);
    assert_true(gc(h, 0));
    assert_int_not_equal(h->slot[0].gcmc.cmd_seq_rx, 90);
    host_command(h, 0, 91, false);
    host_run(h, 40);
    assert_true(gc(h, 0));
    host_command(h, 0, 92, false);
    host_run(h, 40);
    assert_false(gc(h, 0));
    assert_int_equal(h->slot[0].gcmc.fault_reason, 8);
    assert_int_equal(host_report(h).crc_errors, 3);
    host_command(h, 0, 93, true); /* all off: clears by itself */
    host_run(h, 5);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 0);
    host_destroy(h);
}

static void test_node_force_all_off_opens_and_reports_7(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].force_off = true;
    host_run(h, 30);
    assert_false(gc(h, 0));
    assert_int_equal(h->slot[0].gcmc.fault_reason, 7);
    assert_int_equal(h->slot[0].gcmc.last_cmd_seq_applied, h->slot[0].seq);
    h->slot[0].force_off = h->slot[0].close[0] = false;
    host_run(h, 30);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 0);
    host_destroy(h);
}

static void test_node_estop_opens_all_and_latches_until_cleared(void **state) {
    (void)state;
    struct host *h = host_create(3, &fast);
    close_gc(h, 0);
    close_gc(h, 2);
    plant_estop(h->plant, true);
    host_run(h, 16);
    assert_false(gc(h, 0) || gc(h, 2));
    for (int i = 0; i < 3; i++) {
        assert_true(h->slot[i].safety.estop_input && h->slot[i].safety.estop_latched &&
                    !h->slot[i].safety.safety_ok);
        assert_int_equal(h->slot[i].gcmc.fault_reason, 12);
        h->slot[i].close[0] = false;
    }
    h->slot[0].clear_faults = true; /* pressed: refused */
    host_run(h, 100);
    assert_true(h->slot[0].safety.estop_latched);
    h->slot[0].clear_faults = false;
    plant_estop(h->plant, false);
    host_run(h, 100);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 4);
    assert_true(h->slot[0].safety.estop_latched && !h->slot[0].safety.estop_input);
    h->slot[0].clear_faults = true;
    host_run(h, 100);
    assert_true(h->slot[0].safety.safety_ok);
    assert_int_equal(h->slot[0].gcmc.fault_reason, 0);
    assert_int_equal(h->slot[1].gcmc.fault_reason, 4); /* each PLC has its own latch */
    host_destroy(h);
}

static void test_node_estop_soft_leaves_opening_to_the_host(void **state) {
    (void)state;
    const struct plant_options options = {
        .seed = 2, .handshake = PLANT_HANDSHAKE_FAST, .estop_soft = true};
    struct host *h = host_create(1, &options);
    close_gc(h, 0);
    plant_estop(h->plant, true);
    host_run(h, 200);
    assert_true(gc(h, 0));
    assert_true(h->slot[0].safety.estop_input);
    h->slot[0].force_off = true;
    host_run(h, 30);
    assert_false(gc(h, 0));
    host_destroy(h);
}

static void expect_ack(struct host *h, uint8_t param, uint8_t op, uint32_t value, int status,
                       int64_t answer) {
    const uint32_t before = h->slot[0].acks;
    host_config_cmd(h, 0, param, op, value);
    host_run(h, 1);
    assert_true(h->slot[0].acks > before);
    assert_int_equal(h->slot[0].ack.param, param);
    assert_int_equal(h->slot[0].ack.status, status);
    assert_int_equal(h->slot[0].ack.value, answer);
    assert_int_equal(h->slot[0].ack.plc_id, h->config.slot[0].plc_id);
}

static void test_node_config_ack_statuses(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].slow_us = INT64_MAX;
    expect_ack(h, 91, 0, 1, 0, 1);
    expect_ack(h, 91, 0, 2, 3, 2); /* BAD_VALUE */
    expect_ack(h, 99, 0, 1, 2, 1); /* UNKNOWN_PARAM */
    expect_ack(h, 90, 0, 1, 1, 1); /* NOT_ALLOWED */
    expect_ack(h, 40, 0, 4, 3, 4);
    expect_ack(h, 40, 0, 2, 0, 2);
    expect_ack(h, 40, 1, 0, 0, 2); /* get */
    expect_ack(h, 30, 0, 7, 3, 7);
    host_destroy(h);
}

static void test_node_limit_frames_are_counted_in_ack_90(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    h->slot[0].slow_us = INT64_MAX;
    host_run(h, 10);
    const struct hub_evse_dc_max_limits limits = {
        .voltage_dv = 9200, .current_da = 2000, .power_hw = 600};
    uint8_t data[8];
    assert_true(hub_encode_evse_dc_max_limits(&limits, data));
    int64_t count = 0;
    for (int i = 0; i < 3; i++) {
        host_send(h, h->config.slot[0].interface,
                  HUB_ID_EVSE_DC_MAX_LIMITS | h->config.slot[0].plc_id, data);
        host_run(h, 1);
        assert_int_equal(h->slot[0].ack.param, 90);
        assert_true(i == 0 || h->slot[0].ack.value == count + 1);
        count = h->slot[0].ack.value;
    }
    host_destroy(h);
}

static void test_node_lock_moves_within_a_second_and_only_its_own(void **state) {
    (void)state;
    struct host *h = host_create(2, &fast);
    h->slot[0].lock = true;
    host_run(h, 350);
    assert_false(host_state(h, 0).locked);
    host_run(h, 800);
    assert_true(host_state(h, 0).locked && h->slot[0].charge.lock_engaged);
    assert_false(host_state(h, 1).locked);
    h->slot[0].lock = false;
    host_run(h, 1200);
    assert_false(host_state(h, 0).locked || h->slot[0].charge.lock_engaged);
    host_destroy(h);
}

static struct host *relay_host(void) {
    static struct config config;
    config_ring(&config, 2, 2);
    config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    return host_create_with(&config, &fast);
}

static void test_node_relay_mode_maps_relays_and_reports_every_100_ms(void **state) {
    (void)state;
    struct host *h = relay_host();
    h->slot[0].close[2] = true; /* RLY2 is MN0 */
    host_run(h, 60);
    const struct plant_gun_state s = host_state(h, 0);
    assert_true(s.contactor[CONTACTOR_MN0]);
    assert_false(s.contactor[CONTACTOR_GC] || s.contactor[CONTACTOR_MN0 + 1] ||
                 s.contactor[CONTACTOR_MC]);
    assert_true(h->slot[0].relay.rly2_state && !h->slot[0].relay.rly1_state &&
                !h->slot[0].relay.rly3_state);
    const uint32_t before = h->slot[0].count[HUB_MESSAGE_RELAY_STATUS];
    host_run(h, 2000);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_RELAY_STATUS] - before, 20);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS], 0);
    host_destroy(h);
}

static void test_node_relay_mode_pulse_opens_again(void **state) {
    (void)state;
    struct host *h = relay_host();
    h->slot[0].mute = true;
    const struct hub_relay_control m = {.rly1_cmd = true,
                                        .rly1_enable = true,
                                        .sys_enable = true,
                                        .cmd_seq = 50,
                                        .cmd_mode = 1,
                                        .pulse_ms = 150};
    uint8_t data[8];
    assert_true(hub_encode_relay_control(&m, data));
    host_send(h, h->config.slot[0].interface, HUB_ID_RELAY_CONTROL | h->config.slot[0].plc_id,
              data);
    host_run(h, 100);
    assert_true(gc(h, 0));
    host_run(h, 100);
    assert_false(gc(h, 0));
    host_destroy(h);
}

static void test_node_relay_without_enable_or_sys_enable_stays_open(void **state) {
    (void)state;
    struct host *h = relay_host();
    h->slot[0].mute = true;
    struct hub_relay_control m = {.rly1_cmd = true, .rly1_enable = true, .cmd_seq = 50};
    uint8_t data[8];
    for (int i = 0; i < 2; i++) {
        m.sys_enable = i == 1;
        m.rly1_enable = i == 0;
        m.cmd_seq = 50 + i;
        assert_true(hub_encode_relay_control(&m, data));
        host_send(h, h->config.slot[0].interface, HUB_ID_RELAY_CONTROL | h->config.slot[0].plc_id,
                  data);
        host_run(h, 60);
        assert_false(gc(h, 0));
    }
    host_destroy(h);
}

static void test_node_gcmc_mode_ignores_relay_control(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    const struct hub_relay_control m = {
        .rly1_cmd = true, .rly1_enable = true, .sys_enable = true, .cmd_seq = 150};
    uint8_t data[8];
    assert_true(hub_encode_relay_control(&m, data));
    host_send(h, h->config.slot[0].interface, HUB_ID_RELAY_CONTROL | h->config.slot[0].plc_id,
              data);
    host_run(h, 60);
    assert_false(gc(h, 0));
    host_destroy(h);
}

static void test_node_restart_drops_contactors_forgets_and_boots(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    h->slot[0].mute = true;
    host_command(h, 0, h->slot[0].seq, true);
    inject(h, "plc-restart", 1, 1.0, 0);
    const uint32_t frames = h->slot[0].count[HUB_MESSAGE_CP_VOLTAGE_LEVELS];
    host_run(h, 100);
    assert_false(gc(h, 0));
    host_run(h, 800);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_CP_VOLTAGE_LEVELS], frames); /* dead */
    host_run(h, 300);
    assert_int_equal(h->slot[0].boots, 2);
    host_destroy(h);
}

static void test_node_bus_off_stops_the_wire_until_restarted(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    close_gc(h, 0);
    inject(h, "bus-off", 1, 0, 0);
    host_run(h, 1);
    assert_true(h->last_error & CAN_ERR_BUSOFF);
    const uint32_t before = h->slot[0].count[HUB_MESSAGE_GCMC_STATUS];
    host_run(h, 1000);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS], before);
    assert_false(gc(h, 0)); /* the watchdog */
    const struct can_frame ask = {.can_id = CAN_ERR_FLAG | CAN_ERR_RESTARTED, .len = 8};
    plant_rx(h->plant, h->config.slot[0].interface, &ask, h->now_us);
    host_run(h, 2);
    assert_true(h->last_error & CAN_ERR_BUSOFF); /* still disturbed */
    assert_int_equal(plant_clear(h->plant, 1), PLANT_OK);
    host_run(h, 200);
    assert_int_equal(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS],
                     before); /* nobody has restarted it */
    plant_rx(h->plant, h->config.slot[0].interface, &ask, h->now_us);
    host_run(h, 300);
    assert_true(h->last_error & CAN_ERR_RESTARTED);
    assert_true(h->slot[0].count[HUB_MESSAGE_GCMC_STATUS] > before);
    host_destroy(h);
}

static void test_node_malformed_frames_are_counted_and_ignored(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    const uint8_t interface = h->config.slot[0].interface;
    struct can_frame frame = {.can_id =
                                  (HUB_ID_GCMC_COMMAND | h->config.slot[0].plc_id) | CAN_EFF_FLAG,
                              .len = 7,
                              .data = {1, 200}};
    plant_rx(h->plant, interface, &frame, h->now_us); /* DLC */
    frame.len = 8;
    frame.can_id = 0x7ff;
    plant_rx(h->plant, interface, &frame, h->now_us); /* standard */
    frame.can_id = HUB_ID_GCMC_COMMAND | CAN_EFF_FLAG | CAN_RTR_FLAG;
    plant_rx(h->plant, interface, &frame, h->now_us); /* RTR */
    plant_rx(h->plant, 45, &frame, h->now_us);        /* no such interface */
    assert_int_equal(host_report(h).format_errors, 4);
    host_run(h, 60);
    assert_false(gc(h, 0));
    host_destroy(h);
}

static void test_node_imd_self_test_runs_and_passes(void **state) {
    (void)state;
    const struct plant_options realistic = {.seed = 1};
    struct host *h = host_create(1, &realistic);
    assert_false(h->slot[0].imd.imd_enabled);
    h->slot[0].imd_enable = true;
    host_run(h, 100);
    assert_true(h->slot[0].imd.imd_enabled);
    h->slot[0].imd_test = true;
    host_run(h, 100);
    assert_int_equal(h->slot[0].imd.self_test, 1);
    host_run(h, 1800);
    assert_int_equal(h->slot[0].imd.self_test, 1); /* 2 to 4 s */
    host_run(h, 2200);
    assert_int_equal(h->slot[0].imd.self_test, 2);
    assert_true(h->slot[0].imd.imd_ok && h->slot[0].imd.r_f_10ohm > 100000);
    h->slot[0].imd_enable = h->slot[0].imd_test = false;
    host_run(h, 100);
    assert_int_equal(h->slot[0].imd.self_test, 0);
    host_destroy(h);
}

static void test_node_pilot_follows_the_vehicle(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_run(h, 200);
    assert_int_equal(h->slot[0].pilot.cp_state, 'A');
    assert_int_equal(h->slot[0].pilot.cp_voltage_mv, 12000);
    const struct plant_vehicle_wish wish = {
        .soc_pct = 30, .target_soc_pct = 80, .stay_s = INFINITY};
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OK);
    host_run(h, 5);
    assert_int_equal(h->slot[0].pilot.cp_state, 'B');
    assert_int_equal(h->slot[0].pilot.duty_pct, 5);
    assert_int_equal(plant_plug(h->plant, 1, &wish), PLANT_OCCUPIED);
    assert_int_equal(plant_unplug(h->plant, 1, false), PLANT_OK);
    host_run(h, 5);
    assert_int_equal(h->slot[0].pilot.cp_state, 'A');
    assert_int_equal(plant_unplug(h->plant, 1, false), PLANT_EMPTY);
    assert_int_equal(plant_plug(h->plant, 99, &wish), PLANT_NO_SUCH_GUN);
    host_destroy(h);
}

static void test_node_swipe_sends_the_uid_in_segments(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    assert_int_equal(plant_swipe(h->plant, 1, "04A1B2C3D4E5F6"), PLANT_OK);
    assert_int_equal(plant_swipe(h->plant, 1, "04A1B2"), PLANT_BAD_VALUE);
    assert_int_equal(plant_swipe(h->plant, 1, "04A1B2C3D4E5Fx"), PLANT_BAD_VALUE);
    frame_batch_clear(&h->tx);
    plant_step(h->plant, h->now_us, &h->tx);
    struct hub_rfid_event event[2];
    uint32_t found = 0;
    for (uint32_t i = 0; i < h->tx.count; i++) {
        if ((h->tx.item[i].frame.can_id & CAN_EFF_MASK & ~(uint32_t)HUB_PLC_ID_MASK) ==
                HUB_ID_RFID_EVENT &&
            found < 2) {
            assert_true(hub_decode_rfid_event(h->tx.item[i].frame.data, &event[found++]));
        }
    }
    assert_int_equal(found, 2);
    assert_int_equal(event[0].uid_len_bytes, 7);
    assert_int_equal(event[0].data0, 0x04);
    assert_int_equal(event[0].data4, 0xD4);
    assert_int_equal(event[1].seg_idx, 1);
    assert_int_equal(event[1].data0, 0xE5);
    assert_int_equal(event[1].data1, 0xF6);
    host_destroy(h);
}

static void test_node_meter_register_counts_tenths_of_kwh(void **state) {
    (void)state;
    struct host *h = host_create(1, &fast);
    host_charge(h, 0);
    host_run(h, 2000);
    const int64_t before = h->slot[0].meter[1].energy_import_hwh;
    const double wh = host_state(h, 0).meter_wh;
    host_run(h, 60000);
    const double gained_wh = host_state(h, 0).meter_wh - wh;
    assert_true(gained_wh > 400);
    assert_true(
        llabs(h->slot[0].meter[1].energy_import_hwh - before - (int64_t)(gained_wh / 100)) <= 1);
    assert_true(h->slot[0].meter[0].meter_ok);
    assert_true(fabs(h->slot[0].meter[0].current_ca / 100.0 - host_state(h, 0).gun_a) < 3);
    host_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_periods_match_the_contract),
        cmocka_unit_test(test_node_watchdog_opens_after_300_ms_and_reports_5),
        cmocka_unit_test(test_node_after_timeout_closing_is_refused_until_all_off),
        cmocka_unit_test(test_node_repeated_sequence_refreshes_and_changes_nothing),
        cmocka_unit_test(test_node_acknowledges_the_sequence_it_applied_at_once),
        cmocka_unit_test(test_node_bad_crc_is_not_applied_and_three_open_everything),
        cmocka_unit_test(test_node_force_all_off_opens_and_reports_7),
        cmocka_unit_test(test_node_estop_opens_all_and_latches_until_cleared),
        cmocka_unit_test(test_node_estop_soft_leaves_opening_to_the_host),
        cmocka_unit_test(test_node_config_ack_statuses),
        cmocka_unit_test(test_node_limit_frames_are_counted_in_ack_90),
        cmocka_unit_test(test_node_lock_moves_within_a_second_and_only_its_own),
        cmocka_unit_test(test_node_relay_mode_maps_relays_and_reports_every_100_ms),
        cmocka_unit_test(test_node_relay_mode_pulse_opens_again),
        cmocka_unit_test(test_node_relay_without_enable_or_sys_enable_stays_open),
        cmocka_unit_test(test_node_gcmc_mode_ignores_relay_control),
        cmocka_unit_test(test_node_restart_drops_contactors_forgets_and_boots),
        cmocka_unit_test(test_node_bus_off_stops_the_wire_until_restarted),
        cmocka_unit_test(test_node_malformed_frames_are_counted_and_ignored),
        cmocka_unit_test(test_node_imd_self_test_runs_and_passes),
        cmocka_unit_test(test_node_pilot_follows_the_vehicle),
        cmocka_unit_test(test_node_swipe_sends_the_uid_in_segments),
        cmocka_unit_test(test_node_meter_register_counts_tenths_of_kwh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
