/* What good files become: the examples, generated parts, defaults, order, overrides. */
#include "tests/unit/configs/edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config got, other;
static struct config_errors errors;

static void load(const char *path) {
    int result = config_load(path, &got, &errors);
    if (result != 0) {
        config_errors_print(stderr, path, &errors);
    }
    assert_int_equal(result, 0);
    assert_int_equal(errors.count, 0);
}

static void load_edited(const char *file, const char *path, const char *value) {
    char *text = edited(file, path, value);
    int result = parse_text(text, &got, &errors);
    if (result != 0) {
        config_errors_print(stderr, path, &errors);
    }
    free(text);
    assert_int_equal(result, 0);
}

static void test_config_charger_json_is_the_default_hub(void **state) {
    (void)state;
    load("configs/charger.json");
    assert_int_equal(got.slots, 12);
    assert_int_equal(got.connectors, 12);
    assert_int_equal(got.interfaces, 4);
    assert_int_equal(got.grid_limit_w, 720000);
    assert_int_equal(got.fail_safe_limit_w, 360000);
    assert_int_equal(got.module_power_w, 30000);
    assert_int_equal(got.planner_period_ms, 50);
    assert_int_equal(got.plc.contactor_frame, CONTACTOR_FRAME_GCMC);
    assert_int_equal(got.plc.boundary_contactors, 1);
    assert_int_equal(got.modules.protocol, MODULE_PROTOCOL_INFYPOWER);
    assert_string_equal(got.interface[1].name, "plc1");
    assert_int_equal(got.interface[1].bitrate_bps, 250000);
    assert_int_equal(got.interface[1].role, INTERFACE_ROLE_PLC);
    assert_string_equal(got.interface[2].name, "mod0");
    assert_int_equal(got.interface[2].bitrate_bps, 125000);
    assert_int_equal(got.interface[2].role, INTERFACE_ROLE_MODULES);
    assert_int_equal(got.interface[2].transport, CAN_TRANSPORT_SOCKETCAN);
    const struct config_slot *s = &got.slot[6];
    assert_int_equal(s->id, 7);
    assert_int_equal(s->gun, 6);
    assert_int_equal(s->interface, 1);
    assert_int_equal(s->plc_id, 0);
    assert_true(s->has_mc);
    assert_false(s->has_bc);
    assert_string_equal(s->gc, "GC_7");
    assert_string_equal(s->mc, "MC_7");
    assert_string_equal(s->bc, "");
    assert_int_equal(s->module_count, 2);
    assert_string_equal(s->module[1].id, "M_7_1");
    assert_string_equal(s->module[1].mn, "MN_7_1");
    assert_int_equal(s->module[1].interface, 3);
    assert_int_equal(s->module[1].address, 2);
    assert_int_equal(s->module[1].rated_w, 30000);
    assert_int_equal(s->module[1].max_current_ma, 100000);
    assert_int_equal(s->module[1].max_voltage_mv, 1000000);
    assert_true(s->module[1].mn_on_plc);
}

static void test_config_ring_of_12_equals_charger_json(void **state) {
    (void)state;
    load("configs/charger.json");
    config_ring(&other, 12, 2);
    assert_memory_equal(&got, &other, sizeof got);
}

/* The numbers of docs/hazards.md and of the interlock design, by hand. */
static void test_config_defaults_are_those_of_the_rules(void **state) {
    (void)state;
    config_ring(&got, 3, 2);
    const struct config_interlock *k = &got.interlock;
    assert_int_equal(k->i_open_ma, 5000);
    assert_int_equal(k->i_off_ma, 1000);
    assert_int_equal(k->i_cc_ma, 2000);
    assert_int_equal(k->dv_mc_mv, 10000);
    assert_int_equal(k->dv_gc_mv, 20000);
    assert_int_equal(k->dv_mn_mv, 10000);
    assert_int_equal(k->v_safe_mv, 60000);
    assert_int_equal(k->t_close_ms, 100);
    assert_int_equal(k->t_open_ms, 100);
    assert_int_equal(k->t_stale_ms, 150);
    assert_int_equal(k->t_plc_ms, 300);
    assert_int_equal(k->t_mod_soft_ms, 2000);
    assert_int_equal(k->t_mod_hard_ms, 15000);
    assert_int_equal(k->t_pre_ms, 5000);
    assert_int_equal(k->t_dwell_ms, 30000);
    assert_int_equal(k->t_ack_ms, 300);
    assert_int_equal(k->t_plan_ms, 150);
    assert_int_equal(k->t_plan2_ms, 1000);
    assert_int_equal(k->t_estop_ms, 0);
    assert_int_equal(k->t_cable_check_ms, 25000);
    assert_int_equal(k->t_cable_voltage_ms, 10000);
    assert_int_equal(k->t_imd_ms, 1000);
    assert_int_equal(k->insulation_min_ohm, 100000);
    assert_int_equal(k->pin_derate_ddegc, 800);
    assert_int_equal(k->pin_stop_ddegc, 900);
    assert_int_equal(k->module_derate_ddegc, 750);
    assert_int_equal(k->module_stop_ddegc, 850);
    assert_int_equal(k->ramp_down_ma_s, 100000);
    assert_int_equal(k->ramp_error_ma_s, 200000);
    assert_int_equal(k->ramp_emergency_ma_s, 350000);
    assert_int_equal(k->max_slots, 8);
    assert_true(k->discharge_after_cable_check);
    assert_int_equal(got.modules.setpoint_min_ms, 100);
    assert_int_equal(got.modules.refresh_ms, 500);
    assert_int_equal(got.modules.poll_ms, 250);
    assert_int_equal(got.modules.status_ms, 500);
    assert_int_equal(got.modules.slow_ms, 2000);
    assert_int_equal(got.modules.self_off_ms, 10000);
    assert_int_equal(got.modules.efficiency_permille, 950);
    assert_int_equal(got.rt.guard_priority, 90);
    assert_int_equal(got.rt.planner_priority, 80);
    assert_int_equal(got.rt.watchdog_timeout_s, 5);
    assert_int_equal(got.rt.guard_cpu, -1);
    assert_string_equal(got.rt.shm_name, "/ringmain");
    assert_int_equal(got.plc.hlc_power_ready_stage, 9);
    assert_true(got.plc.use_crc8);
    assert_int_equal(got.connector[0].meter_scale_ppm, 1000000);
    assert_int_equal(got.connector[0].lock_input_switch, 0);
    assert_int_equal(got.connector[0].cable_max_current_ma, 500000);
}

static void test_config_ring_every_size_is_a_hub(void **state) {
    (void)state;
    for (uint32_t n = 1; n <= RM_SLOTS_MAX; n += n < 14 ? 1 : 41) {
        for (uint32_t m = 0; m <= RM_MODULES_PER_SLOT_MAX; m++) {
            config_ring(&got, n, m);
            assert_int_equal(got.slots, n);
            assert_int_equal(got.connectors, n);
            assert_int_equal(got.slot[n - 1].module_count, m);
            assert_int_equal(got.slot[n - 1].gun, (int)n - 1);
            assert_int_equal(got.slot[0].has_mc, n > 1);
            assert_int_equal(got.grid_limit_w, m ? (int64_t)n * m * 30000 : 30000);
            assert_true(got.interfaces <= RM_INTERFACES_MAX);
            for (uint32_t i = 1; i < n * m; i++) {
                const struct config_module *a = &got.slot[i / m].module[i % m];
                const struct config_module *b = &got.slot[(i - 1) / m].module[(i - 1) % m];
                assert_true(a->interface > b->interface ||
                            (a->interface == b->interface && a->address == b->address + 1));
            }
        }
    }
}

static void test_config_two_gun_json_says_everything(void **state) {
    (void)state;
    load("configs/two-gun.json");
    assert_int_equal(got.slots, 2);
    assert_int_equal(got.interfaces, 2);
    assert_string_equal(got.slot[0].gc, "GC_L");
    assert_string_equal(got.slot[1].mc, "MC_R");
    assert_string_equal(got.slot[1].module[1].mn, "MN4");
    assert_int_equal(got.slot[1].module[1].address, 4);
    assert_int_equal(got.slot[1].module[1].interface, 1);
    assert_string_equal(got.connector[1].label, "Right");
    assert_int_equal(got.connector[1].max_power_w, 120000);
    assert_int_equal(got.connector[1].max_current_ma, 250000);
    assert_int_equal(got.fail_safe_limit_w, 60000);
    assert_int_equal(got.nrt.site_limit_w, 120000);
}

static void test_config_relay_has_no_boundary(void **state) {
    (void)state;
    load("configs/relay.json");
    assert_int_equal(got.plc.contactor_frame, CONTACTOR_FRAME_RELAY);
    assert_false(got.slot[0].has_mc);
    assert_string_equal(got.slot[0].mc, "");
    assert_int_equal(got.plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms, 100);
    assert_int_equal(got.fail_safe_limit_w, 120000);
}

static void test_config_relay_status_period_follows_the_frame(void **state) {
    (void)state;
    load("configs/charger.json");
    assert_int_equal(got.plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms, 1000);
    load_edited("relay.json", "plc.timing.RelayStatus.periodMs", "50");
    assert_int_equal(got.plc_timing[PLC_MESSAGE_RELAY_STATUS].period_ms, 50);
}

static void test_config_units_become_those_of_the_struct(void **state) {
    (void)state;
    load_edited("charger.json", "connectors[0].maxCurrentA", "32.125");
    assert_int_equal(got.connector[0].max_current_ma, 32125);
    assert_int_equal(got.connector[0].cable_max_current_ma, 32125);
    load_edited("charger.json", "connectors[0].meterScale", "0.998001");
    assert_int_equal(got.connector[0].meter_scale_ppm, 998001);
    load_edited("charger.json", "connectors[0].meterOffsetWh", "-12345678901");
    assert_true(got.connector[0].meter_offset_wh == -12345678901LL);
    load_edited("charger.json", "interlock.pin_derate_degC", "79.5");
    assert_int_equal(got.interlock.pin_derate_ddegc, 795);
    load_edited("charger.json", "interlock.insulation_min_kohm", "250");
    assert_int_equal(got.interlock.insulation_min_ohm, 250000);
    load_edited("charger.json", "plc.interfaces[0].bitrateKbps", "33.333");
    assert_int_equal(got.interface[0].bitrate_bps, 33333);
    load_edited("charger.json", "gridLimitKW", "400.5");
    assert_int_equal(got.grid_limit_w, 400500);
    load_edited("charger.json", "connectors[0].lockInputSwitch", "3");
    assert_int_equal(got.connector[0].lock_input_switch, 3);
    load_edited("charger.json", "connectors[0].meterSource", "\"shunt\"");
    assert_int_equal(got.connector[0].meter_source, METER_SOURCE_SHUNT);
    load_edited("charger.json", "connectors[0].label", "\"S\\u00fcd \\ud83d\\ude97\"");
    assert_string_equal(got.connector[0].label, "S\xC3\xBC"
                                                "d \xF0\x9F\x9A\x97");
}

static const char four_slots[] =
    "[{\"id\":10,\"plcId\":1,\"gunId\":1,\"cw\":30},{\"id\":20,\"plcId\":3,\"cw\":10},"
    "{\"id\":30,\"plcId\":2,\"gunId\":2,\"cw\":40},{\"id\":40,\"plcId\":4,\"cw\":20}]";

static char *four_slot_hub(const char *slots) {
    char *a = edited("relay.json", "slots", slots);
    char *b = edit_text(a, "plc.contactorFrame", "\"gcmc\"");
    free(a);
    return b;
}

static void test_config_slots_are_put_into_ring_order(void **state) {
    (void)state;
    char *text = four_slot_hub(four_slots);
    assert_int_equal(parse_text(text, &got, &errors), 0);
    free(text);
    const int32_t order[] = {10, 30, 40, 20};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(got.slot[i].id, order[i]);
    }
    assert_int_equal(got.slot[0].gun, 0);
    assert_int_equal(got.slot[1].gun, 1);
    assert_int_equal(got.slot[2].gun, -1);
    assert_int_equal(got.slot[2].plc_id, 4);
    /* Addresses were given in the file's order: slot 20 stands second there. */
    assert_int_equal(got.slot[3].module[0].address, 3);
}

static void test_config_ccw_alone_makes_the_same_ring(void **state) {
    (void)state;
    char *text = four_slot_hub("[{\"id\":10,\"plcId\":1,\"gunId\":1,\"ccw\":20},"
                               "{\"id\":20,\"plcId\":3,\"ccw\":40},"
                               "{\"id\":30,\"plcId\":2,\"gunId\":2,\"ccw\":10},"
                               "{\"id\":40,\"plcId\":4,\"ccw\":30}]");
    assert_int_equal(parse_text(text, &got, &errors), 0);
    free(text);
    assert_int_equal(got.slot[1].id, 30);
    assert_int_equal(got.slot[2].id, 40);
    assert_int_equal(got.slot[3].id, 20);
}

static void test_config_two_boundary_contactors_are_named(void **state) {
    (void)state;
    load_edited("charger.json", "plc.boundaryContactors", "2");
    assert_true(got.slot[4].has_bc);
    assert_string_equal(got.slot[4].bc, "BC_5");
}

static void test_config_empty_mc_is_a_boundary_that_never_closes(void **state) {
    (void)state;
    load_edited("two-gun.json", "slots[1].mc", "\"\"");
    assert_true(got.slot[0].has_mc);
    assert_false(got.slot[1].has_mc);
    assert_false(got.slot[1].has_bc);
}

static void test_config_third_module_has_its_own_relay(void **state) {
    (void)state;
    load_edited("charger.json", "modules.perSlot", "3");
    assert_true(got.slot[0].module[1].mn_on_plc);
    assert_false(got.slot[0].module[2].mn_on_plc);
    load_edited("charger.json", "plc.moduleContactors", "false");
    assert_false(got.slot[0].module[0].mn_on_plc);
}

static void test_config_slot_without_modules_is_allowed(void **state) {
    (void)state;
    char *a = edited("two-gun.json", "slots[1].modules", "[]");
    char *b = edit_text(a, "modules.interfaces[0].addresses",
                        "[{\"module\":\"M1\",\"address\":9},{\"module\":\"M2\",\"address\":0}]");
    assert_int_equal(parse_text(b, &got, &errors), 0);
    free(a);
    free(b);
    assert_int_equal(got.slot[1].module_count, 0);
    assert_int_equal(got.slot[0].module[0].address, 9);
    assert_int_equal(got.slot[0].module[1].address, 0);
}

static void test_config_transports_and_addresses(void **state) {
    (void)state;
    char *a = edited("charger.json", "plc.interfaces[0].transport", "\"udp\"");
    char *b = edit_text(a, "plc.interfaces[0].address", "\"[::1]:4000\"");
    assert_int_equal(parse_text(b, &got, &errors), 0);
    assert_int_equal(got.interface[0].transport, CAN_TRANSPORT_UDP);
    assert_string_equal(got.interface[0].address, "[::1]:4000");
    assert_int_equal(got.interface[1].transport, CAN_TRANSPORT_SOCKETCAN);
    free(a);
    free(b);
}

static void test_config_interface_index_finds_by_name(void **state) {
    (void)state;
    load("configs/charger.json");
    assert_int_equal(config_interface_index(&got, "mod1"), 3);
    assert_int_equal(config_interface_index(&got, "mod"), -1);
    assert_int_equal(config_interface_index(&got, ""), -1);
}

static void test_config_load_missing_file_says_so(void **state) {
    (void)state;
    assert_int_equal(config_load("configs/none.json", &got, &errors), -ENOENT);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.error[0].path, "configs/none.json");
    assert_non_null(strstr(errors.error[0].text, "No such file"));
    assert_int_equal(config_load("configs", &got, &errors), -EISDIR);
}

/* What follows from an error that was told is not told as another one. */
static void test_config_without_plc_bus_tells_only_that(void **state) {
    (void)state;
    char *bad = edited("charger.json", "plc.interfaces", "[]");
    char *worse = edit_text(bad, "connectors[1].plcId", "0"); /* as connectors[0] */
    assert_int_equal(parse_text(worse, &got, &errors), -EINVAL);
    assert_true(errors.count > 0);
    for (uint32_t i = 0; i < errors.count; i++) {
        assert_null(strstr(errors.error[i].text, "on  already"));
    }
    free(bad);
    free(worse);
}

static void test_config_load_or_explain_prints_each_error(void **state) {
    (void)state;
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    char name[] = "/tmp/ringmain-config-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    char *bad = edited("charger.json", "connectors[2].plcId", "16");
    char *worse = edit_text(bad, "colour", "\"red\"");
    assert_int_equal(write(fd, worse, strlen(worse)), strlen(worse));
    close(fd);
    assert_int_equal(config_load_or_explain(name, &got, out), -EINVAL);
    fclose(out);
    unlink(name);
    free(bad);
    free(worse);
    assert_non_null(strstr(text, ": 2 errors\n"));
    assert_non_null(strstr(text, "  connectors[2].plcId = 16: out of range: allowed is 0 to 15\n"));
    assert_non_null(strstr(text, "  colour = \"red\": unknown key"));
}

static void test_config_override_unix_sets_every_interface(void **state) {
    (void)state;
    load("configs/charger.json");
    assert_int_equal(config_override(&got, "unix:/tmp/hub", "/second", "/tmp/hub/run", &errors), 0);
    for (uint32_t i = 0; i < got.interfaces; i++) {
        assert_int_equal(got.interface[i].transport, CAN_TRANSPORT_UNIX);
        assert_string_equal(got.interface[i].address, "/tmp/hub");
    }
    assert_string_equal(got.rt.shm_name, "/second");
    assert_string_equal(got.rt.run_folder, "/tmp/hub/run");
    assert_int_equal(config_override(&got, "socketcan", NULL, NULL, &errors), 0);
    assert_int_equal(got.interface[3].transport, CAN_TRANSPORT_SOCKETCAN);
    assert_string_equal(got.interface[3].address, "");
    assert_string_equal(got.rt.shm_name, "/second");
}

static void test_config_override_udp_counts_ports_up(void **state) {
    (void)state;
    load("configs/charger.json");
    assert_int_equal(config_override(&got, "udp:127.0.0.1:5000", NULL, NULL, &errors), 0);
    assert_string_equal(got.interface[0].address, "127.0.0.1:5000");
    assert_string_equal(got.interface[3].address, "127.0.0.1:5003");
    assert_int_equal(config_override(&got, "udp:[::1]:65532", NULL, NULL, &errors), 0);
    assert_string_equal(got.interface[3].address, "[::1]:65535");
}

static void test_config_override_refuses_and_changes_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {"",        "can",         "unix:",     "udp:host",
                                      "udp::5",  "udp:host:",   "udp:h:0",   "udp:h:65533",
                                      "udp:h:x", "udp:h:5x",    "vcan:a",    "udp:h:-1",
                                      "UNIX:/a", "udp:h:5000 ", "socketcan2"};
    load("configs/charger.json");
    other = got;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(config_override(&got, bad[i], "/good", NULL, &errors), -EINVAL);
        assert_int_equal(errors.count, 1);
        assert_string_equal(errors.error[0].path, "--transport");
    }
    char folder[128] = "unix:/";
    memset(folder + 6, 'a', 86);
    assert_int_equal(config_override(&got, folder, NULL, NULL, &errors), -EINVAL);
    static const char *const names[] = {"", "/", "ringmain", "/a/b"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(config_override(&got, NULL, names[i], NULL, &errors), -EINVAL);
        assert_string_equal(errors.error[0].path, "--shm");
    }
    assert_int_equal(config_override(&got, NULL, NULL, "", &errors), -EINVAL);
    assert_string_equal(errors.error[0].path, "--run-folder");
    assert_int_equal(config_override(&got, "x", "y", "", &errors), -EINVAL);
    assert_int_equal(errors.count, 3);
    assert_memory_equal(&got, &other, sizeof got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_charger_json_is_the_default_hub),
        cmocka_unit_test(test_config_ring_of_12_equals_charger_json),
        cmocka_unit_test(test_config_defaults_are_those_of_the_rules),
        cmocka_unit_test(test_config_ring_every_size_is_a_hub),
        cmocka_unit_test(test_config_two_gun_json_says_everything),
        cmocka_unit_test(test_config_relay_has_no_boundary),
        cmocka_unit_test(test_config_relay_status_period_follows_the_frame),
        cmocka_unit_test(test_config_units_become_those_of_the_struct),
        cmocka_unit_test(test_config_slots_are_put_into_ring_order),
        cmocka_unit_test(test_config_ccw_alone_makes_the_same_ring),
        cmocka_unit_test(test_config_two_boundary_contactors_are_named),
        cmocka_unit_test(test_config_empty_mc_is_a_boundary_that_never_closes),
        cmocka_unit_test(test_config_third_module_has_its_own_relay),
        cmocka_unit_test(test_config_slot_without_modules_is_allowed),
        cmocka_unit_test(test_config_transports_and_addresses),
        cmocka_unit_test(test_config_interface_index_finds_by_name),
        cmocka_unit_test(test_config_load_missing_file_says_so),
        cmocka_unit_test(test_config_without_plc_bus_tells_only_that),
        cmocka_unit_test(test_config_load_or_explain_prints_each_error),
        cmocka_unit_test(test_config_override_unix_sets_every_interface),
        cmocka_unit_test(test_config_override_udp_counts_ports_up),
        cmocka_unit_test(test_config_override_refuses_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
