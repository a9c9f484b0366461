/* Every kind of error: what stands in the file, the path that is named, what is said. */
#include "tests/unit/configs/edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config config;
static struct config_errors errors;

/* One edit of an example and the error that must follow; count 0: any number of others may. */
struct wrong {
    const char *file, *path, *value;
    const char *at, *says;
    uint32_t count;
};

static const struct wrong wrongs[] = {
    /* unknown keys */
    {"charger.json", "gridLimitKw", "1", "gridLimitKw", "did you mean \"gridLimitKW\"?", 1},
    {"charger.json", "connectors[1].maxCurentA", "1", "connectors[1].maxCurentA",
     "did you mean \"maxCurrentA\"?", 1},
    {"charger.json", "useCRC8", "true", "useCRC8", "it belongs at \"plc.useCRC8\"", 1},
    {"charger.json", "rt.zzzzzzzzzz", "1", "rt.zzzzzzzzzz", "unknown key: take it out", 1},
    {"charger.json", "plc.timing.GCMC_Comand.periodMs", "1", "plc.timing.GCMC_Comand",
     "did you mean \"GCMC_Command\"?", 1},
    {"charger.json", "interlock.t_plan_ms", "150", "interlock.t_plan_ms",
     "did you mean \"T_plan_ms\"?", 1},
    /* required keys */
    {"charger.json", "chargePoint.id", NULL, "chargePoint.id", "is required", 1},
    {"charger.json", "chargePoint", NULL, "chargePoint.id", "is required", 1},
    {"charger.json", "gridLimitKW", NULL, "gridLimitKW", "is required", 1},
    {"charger.json", "connectors", NULL, "connectors", "is required", 0},
    {"charger.json", "connectors", "[]", "connectors", "at least 1 element", 0},
    {"charger.json", "connectors[3].id", NULL, "connectors[3].id", "is required", 0},
    {"charger.json", "connectors[3].plcId", NULL, "connectors[3].plcId", "is required", 1},
    {"charger.json", "plc.interfaces", NULL, "plc.interfaces", "is required", 0},
    {"charger.json", "plc.interfaces[1].name", NULL, "plc.interfaces[1].name", "is required", 0},
    {"charger.json", "modules.interfaces", NULL, "modules.interfaces",
     "is required: the hub has 24", 1},
    {"two-gun.json", "slots[0].modules[1].id", NULL, "slots[0].modules[1].id", "is required", 0},
    {"two-gun.json", "slots[1].id", NULL, "slots[1].id", "is required", 0},
    /* types */
    {"charger.json", "rt", "[]", "rt", "must be an object", 1},
    {"charger.json", "connectors", "{}", "connectors", "must be an array", 0},
    {"charger.json", "connectors[0]", "7", "connectors[0]", "must be an object", 0},
    {"charger.json", "plc.useCRC8", "1", "plc.useCRC8", "must be true or false", 1},
    {"charger.json", "plc.useCRC8", "\"true\"", "plc.useCRC8", "must be true or false", 1},
    {"charger.json", "gridLimitKW", "\"720\"", "gridLimitKW", "must be a number", 0},
    {"charger.json", "gridLimitKW", "null", "gridLimitKW", "must be a number", 0},
    {"charger.json", "chargePoint.id", "5", "chargePoint.id", "must be a string", 1},
    {"charger.json", "chargePoint.id", "\"\"", "chargePoint.id", "1 to 47 bytes", 1},
    {"charger.json", "chargePoint.id", "\"a\\u0007b\"", "chargePoint.id", "control characters", 1},
    {"charger.json", "chargePoint.vendor", "\"123456789012345678901\"", "chargePoint.vendor",
     "1 to 20 bytes long, is 21", 1},
    {"charger.json", "plc.contactorFrame", "\"GCMC\"", "plc.contactorFrame",
     "must be one of \"relay\", \"gcmc\"", 1},
    {"charger.json", "modules.protocol", "3", "modules.protocol",
     "must be one of \"maxwell\", \"infypower\"", 1},
    /* numbers */
    {"charger.json", "connectors[0].plcId", "16", "connectors[0].plcId",
     "out of range: allowed is 0 to 15", 1},
    {"charger.json", "connectors[0].plcId", "-1", "connectors[0].plcId", "out of range", 1},
    {"charger.json", "connectors[0].plcId", "1.5", "connectors[0].plcId", "must be a whole number",
     1},
    {"charger.json", "connectors[0].maxCurrentA", "10.0001", "connectors[0].maxCurrentA",
     "too many decimals", 1},
    {"charger.json", "gridLimitKW", "1e999", "gridLimitKW", "out of range", 0},
    {"charger.json", "connectors[0].lockInputSwitch", "0", "connectors[0].lockInputSwitch",
     "1 to 4", 1},
    {"charger.json", "connectors[0].lockInputSwitch", "5", "connectors[0].lockInputSwitch",
     "1 to 4", 1},
    /* interfaces */
    {"charger.json", "plc.interfaces[1].name", "\"plc0\"", "plc.interfaces[1].name",
     "two interfaces have this name", 0},
    {"charger.json", "modules.interfaces[0].name", "\"plc1\"", "modules.interfaces[0].name",
     "two interfaces have this name", 1},
    {"charger.json", "modules.interfaces[0].name", "\"a/b\"", "modules.interfaces[0].name",
     "letters, digits", 1},
    {"charger.json", "modules.interfaces[0].name", "\".x\"", "modules.interfaces[0].name",
     "letters, digits", 1},
    {"charger.json", "connectors[5].canInterface", "\"plc7\"", "connectors[5].canInterface",
     "no interface of plc.interfaces", 1},
    {"charger.json", "connectors[5].canInterface", "\"mod0\"", "connectors[5].canInterface",
     "module bus", 1},
    {"charger.json", "chargePoint.canInterface", "\"plc7\"", "chargePoint.canInterface",
     "no interface of plc.interfaces", 1},
    {"two-gun.json", "slots[0].canInterface", "\"can1\"", "slots[0].canInterface", "module bus", 1},
    {"charger.json", "plc.interfaces[0].transport", "\"unix\"", "plc.interfaces[0].address",
     "needs the folder", 1},
    {"charger.json", "plc.interfaces[0].transport", "\"udp\"", "plc.interfaces[0].address",
     "needs host:port", 1},
    {"charger.json", "plc.interfaces[0].address", "\"x:1\"", "plc.interfaces[0].address",
     "socketcan has no address", 1},
    /* PLC ids */
    {"charger.json", "connectors[1].plcId", "0", "connectors[1].plcId",
     "connectors[0] uses this plcId on plc0 already", 1},
    {"two-gun.json", "slots[1].plcId", "2", "slots[1].plcId", "connectors[1].plcId says 1", 1},
    /* guns */
    {"two-gun.json", "slots[1].gunId", "3", "slots[1].gunId", "no connector has this id", 1},
    {"two-gun.json", "slots[1].gunId", "1", "slots[1].gunId", "slots[0] has this gun already", 0},
    {"two-gun.json", "slots[1].gunId", NULL, "connectors[1].id", "no slot has the gun 2", 1},
    {"charger.json", "connectors[4].id", "1", "connectors[4].id",
     "connectors[0] has the id 1 as well", 1},
    /* slots and the ring */
    {"two-gun.json", "slots[1].id", "1", "slots[1].id", "slots[0] has the id 1 as well", 0},
    {"two-gun.json", "slots[0].cw", "3", "slots[0].cw", "no slot has this id", 1},
    {"two-gun.json", "slots[0].mc", "\"MC_R\"", "slots[1].mc", "slots[0].mc has this name", 1},
    {"two-gun.json", "slots[1].modules[0].mn", "\"GC_L\"", "slots[1].modules[0].mn",
     "slots[0].gc has this name", 1},
    {"two-gun.json", "slots[0].bc", "\"BC_L\"", "slots[0].bc", "plc.boundaryContactors says 1", 1},
    {"two-gun.json", "plc.contactorFrame", "\"relay\"", "slots[0].mc", "no ring contactor", 0},
    /* modules */
    {"two-gun.json", "slots[1].modules[0].id", "\"M1\"", "slots[1].modules[0].id",
     "slots[0].modules[0] is this module already: a module belongs to one slot", 0},
    {"two-gun.json", "modules.interfaces[0].addresses[1].address", "1",
     "modules.interfaces[0].addresses[1].address", "addresses[0] of can1 has it already", 1},
    {"two-gun.json", "modules.interfaces[0].addresses[1].module", "\"M1\"",
     "modules.interfaces[0].addresses[1].module", "has an address on can1 already", 0},
    {"two-gun.json", "modules.interfaces[0].addresses[1].module", "\"M9\"",
     "modules.interfaces[0].addresses[1].module", "no slot has a module of this id", 0},
    {"two-gun.json", "modules.interfaces[0].addresses[3]", NULL, "slots[1].modules[1].id",
     "this module has no address", 1},
    {"two-gun.json", "modules.interfaces[0].addresses[1].address", "63",
     "modules.interfaces[0].addresses[1].address", "0 to 62", 1},
    /* figures against each other */
    {"charger.json", "interlock.T_plan_ms", "1000", "interlock.T_plan_ms",
     "must be below interlock.T_plan2_ms, which is 1000", 1},
    {"charger.json", "interlock.I_open_A", "0.5", "interlock.I_off_A",
     "must be at most interlock.I_open_A, which is 0.5", 2},
    {"charger.json", "interlock.pin_derate_degC", "90", "interlock.pin_derate_degC",
     "must be below interlock.pin_stop_degC, which is 90", 1},
    {"charger.json", "interlock.module_derate_degC", "86", "interlock.module_derate_degC",
     "must be below", 1},
    {"charger.json", "interlock.T_mod_hard_ms", "2000", "interlock.T_mod_soft_ms", "must be below",
     2},
    {"charger.json", "interlock.T_mod_hard_ms", "10000", "modules.selfOffMs",
     "must be below interlock.T_mod_hard_ms", 1},
    {"charger.json", "interlock.T_cable_check_ms", "9000", "interlock.T_cable_voltage_ms",
     "must be below", 1},
    {"charger.json", "interlock.ramp_down_A_s", "250", "interlock.ramp_down_A_s", "at most", 1},
    {"charger.json", "plannerPeriodMs", "150", "plannerPeriodMs", "must be below", 1},
    {"charger.json", "modules.setpointMinMs", "40", "modules.setpointMinMs",
     "at least plannerPeriodMs, which is 50", 1},
    {"charger.json", "failSafeLimitKW", "720.001", "failSafeLimitKW",
     "must be at most gridLimitKW, which is 720", 1},
    {"charger.json", "nrt.siteLimitKW", "800", "nrt.siteLimitKW", "must be at most gridLimitKW", 1},
    {"charger.json", "rt.plannerPriority", "90", "rt.plannerPriority", "below rt.guardPriority", 1},
    {"charger.json", "rt.shmName", "\"ringmain\"", "rt.shmName", "must be /", 1},
    {"charger.json", "nrt.authMode", "\"localList\"", "nrt.localListFile", "is required", 1},
    {"charger.json", "chargePoint.usePLC", "false", "chargePoint.usePLC", "must be true", 1},
    {"charger.json", "chargePoint.centralSystemURI", "\"http://x\"", "chargePoint.centralSystemURI",
     "ws:// or wss://", 1},
    {"charger.json", "chargePoint.centralSystemURI", "\"ws://\"", "chargePoint.centralSystemURI",
     "name a host", 1},
    {"charger.json", "plc.timing.GCMC_Command.periodMs", "101", "plc.timing.GCMC_Command.periodMs",
     "10 to 100", 1},
    {"charger.json", "plc.timing.GCMC_Command.periodMs", "0", "plc.timing.GCMC_Command.periodMs",
     "10 to 100", 1},
    {"charger.json", "plc.timing.GCMC_Command.deadlineMs", "201",
     "plc.timing.GCMC_Command.deadlineMs", "must be 1 to 200: a PLC opens everything", 1},
    {"charger.json", "plc.timing.EVSE_DC_Present.periodMs", "201",
     "plc.timing.EVSE_DC_Present.periodMs", "10 to 200", 1},
    {"charger.json", "plc.timing.SlotSense.periodMs", "101", "plc.timing.SlotSense.periodMs",
     "10 to 100", 1},
    {"charger.json", "plc.timing.RelayStatus.periodMs", "1001", "plc.timing.RelayStatus.periodMs",
     "10 to 1000", 1},
    {"relay.json", "plc.timing.RelayStatus.periodMs", "101", "plc.timing.RelayStatus.periodMs",
     "must be 10 to 100 with contactorFrame relay", 1},
};

static void expect(const char *json, const struct wrong *w) {
    int result = parse_text(json, &config, &errors);
    const struct config_error *e = error_at(&errors, w->at);
    bool good = result == -EINVAL && e && strstr(e->text, w->says) &&
                (w->count == 0 || errors.count == w->count);
    if (!good) {
        config_errors_print(stderr, w->at, &errors);
        fail_msg("%s %s = %s: expected at %s: %s", w->file, w->path, w->value, w->at, w->says);
    }
}

static void test_config_every_wrong_edit_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *w = &wrongs[i];
        char *json = edited(w->file, w->path, w->value);
        expect(json, w);
        free(json);
    }
}

/* Values at the border of a rule between two keys are good. */
static void test_config_borders_between_keys_are_good(void **state) {
    (void)state;
    static const char *const good[][3] = {
        {"charger.json", "connectors[4].minVoltageV", "500"},
        {"charger.json", "interlock.I_off_A", "5"},
        {"charger.json", "modules.refreshMs", "100"},
        {"charger.json", "interlock.T_plan_ms", "999"},
        {"charger.json", "interlock.pin_derate_degC", "89.9"},
        {"charger.json", "interlock.ramp_down_A_s", "200"},
        {"charger.json", "failSafeLimitKW", "720"},
        {"charger.json", "nrt.siteLimitKW", "720"},
        {"charger.json", "rt.plannerPriority", "89"},
        {"charger.json", "modules.setpointMinMs", "50"},
        {"charger.json", "plc.timing.GCMC_Command.periodMs", "10"},
        {"charger.json", "plc.timing.GCMC_Command.deadlineMs", "200"},
        {"charger.json", "plc.timing.HW_Status.periodMs", "60000"},
        {"charger.json", "plc.timing.RFID_Event.periodMs", "0"},
        {"relay.json", "plc.timing.RelayStatus.periodMs", "100"},
        {"charger.json", "chargePoint.centralSystemURI", "\"wss://x/y\""},
        {"two-gun.json", "slots[1].plcId", NULL},
        {"two-gun.json", "connectors[1].plcId", NULL},
        {"two-gun.json", "slots[0].cw", NULL},
        {"two-gun.json", "slots[0].modules[0].minVoltageV", "500"},
        {"two-gun.json", "modules.interfaces[0].addresses[1].address", "62"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *json = edited(good[i][0], good[i][1], good[i][2]);
        if (parse_text(json, &config, &errors) != 0) {
            config_errors_print(stderr, good[i][1], &errors);
            fail_msg("%s = %s was refused", good[i][1], good[i][2]);
        }
        free(json);
    }
}

static void test_config_secure_profile_needs_wss(void **state) {
    (void)state;
    char *a = edited("charger.json", "security.profile", "2");
    char *b = edit_text(a, "chargePoint.centralSystemURI", "\"ws://host/x\"");
    expect(b, &(struct wrong){.at = "chargePoint.centralSystemURI", .says = "wss://", .count = 1});
    free(a);
    free(b);
}

/* Rings of four slots by their cw or ccw. */
static void test_config_rings_that_do_not_close(void **state) {
    (void)state;
    static const struct {
        const char *slots, *at, *says;
    } rings[] = {
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1,\"cw\":2},{\"id\":2,\"plcId\":2,\"gunId\":2,\"cw\":1},"
         "{\"id\":3,\"plcId\":3,\"cw\":4},{\"id\":4,\"plcId\":4,\"cw\":3}]",
         "slots[1].cw", "two rings: 2 of 4 slots close on themselves here, slot 3 is on another"},
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1,\"cw\":2},{\"id\":2,\"plcId\":2,\"gunId\":2,\"cw\":3},"
         "{\"id\":3,\"plcId\":3,\"cw\":2}]",
         "slots[2].cw", "the ring does not close: slot 2 is the neighbour of slot 1 there"},
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1,\"cw\":2},{\"id\":2,\"plcId\":2,\"gunId\":2,\"cw\":3},"
         "{\"id\":3,\"plcId\":3}]",
         "slots[2].cw", "slot 3 names no clockwise neighbour"},
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1,\"cw\":2},{\"id\":2,\"plcId\":2,\"gunId\":2,\"cw\":3,"
         "\"ccw\":3},{\"id\":3,\"plcId\":3,\"cw\":1}]",
         "slots[1].ccw", "the ring does not close: slot 1 names slot 2 as its neighbour there"},
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1,\"cw\":1},{\"id\":2,\"plcId\":2,\"gunId\":2,\"cw\":3},"
         "{\"id\":3,\"plcId\":3,\"cw\":2}]",
         "slots[0].cw", "two rings: 1 of 3"},
        {"[{\"id\":1,\"plcId\":1,\"gunId\":1},{\"id\":2,\"plcId\":2,\"gunId\":2,\"ccw\":9}]",
         "slots[1].ccw", "no slot has this id"},
    };
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        char *a = edited("relay.json", "slots", rings[i].slots);
        char *b = edit_text(a, "plc.contactorFrame", "\"gcmc\"");
        expect(b, &(struct wrong){.file = rings[i].slots,
                                  .at = rings[i].at,
                                  .says = rings[i].says,
                                  .count = i == 1 || i == 3 ? 0 : 1});
        free(a);
        free(b);
    }
}

static void test_config_bc_needs_mc_and_a_neighbour(void **state) {
    (void)state;
    char *a = edited("two-gun.json", "plc.boundaryContactors", "2");
    char *b = edit_text(a, "slots[0].mc", "\"\"");
    char *c = edit_text(b, "slots[0].bc", "\"BC_L\"");
    expect(c, &(struct wrong){.at = "slots[0].bc", .says = "no bc without an mc", .count = 1});
    free(a);
    free(b);
    free(c);
    a = edited("relay.json", "connectors[1]", NULL);
    b = edit_text(a, "plc.contactorFrame", "\"gcmc\"");
    c = edit_text(b, "slots", "[{\"id\":1,\"gunId\":1,\"mc\":\"MC_1\"}]");
    expect(c, &(struct wrong){.at = "slots[0].mc", .says = "one slot has no boundary", .count = 1});
    free(a);
    free(b);
    free(c);
}

static void test_config_doubled_key_is_an_error(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"{\"gridLimitKW\":1,\"gridLimitKW\":2}", "gridLimitKW"},
        {"{\"rt\":{},\"rt\":{}}", "rt"},
        {"{\"connectors\":[{\"id\":1,\"id\":1}]}", "connectors[0].id"},
        {"{\"plc\":{\"useCRC8\":true,\"useCRC8\":true}}", "plc.useCRC8"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect(texts[i][0], &(struct wrong){.at = texts[i][1], .says = "stands here twice"});
    }
}

static void test_config_syntax_error_has_line_and_column(void **state) {
    (void)state;
    expect("{\n \"a\": ,\n}",
           &(struct wrong){.at = "line 2 column 7", .says = "a value", .count = 1});
    expect("{} x",
           &(struct wrong){.at = "line 1 column 4", .says = "nothing may follow", .count = 1});
    expect("[]", &(struct wrong){.at = "", .says = "one object"});
    expect("5", &(struct wrong){.at = "", .says = "one object"});
}

static void test_config_hostile_sizes_are_refused(void **state) {
    (void)state;
    size_t size = 1024 * 1024 + 1;
    char *big = malloc(size);
    assert_non_null(big);
    memset(big, ' ', size);
    big[0] = '{';
    big[1] = '}';
    assert_int_equal(config_parse(big, size, &config, &errors), -EINVAL);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.error[0].text, "larger than 1 MiB"));
    assert_int_equal(config_parse(big, size - 1, &config, &errors), -EINVAL);
    assert_non_null(error_at(&errors, "gridLimitKW"));
    memset(big, '[', size);
    assert_int_equal(config_parse(big, size - 1, &config, &errors), -EINVAL);
    assert_string_equal(errors.error[0].path, "line 1 column 33");
    free(big);
    assert_int_equal(config_parse("", 0, &config, &errors), -EINVAL);
}

/* A list of n copies of an element, with %u replaced by its number from 1. free() it. */
static char *list_of(uint32_t n, const char *element) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *mark = strstr(element, "%u");
    assert_true(out && mark);
    for (uint32_t i = 1; i <= n; i++) {
        fprintf(out, "%s%.*s%u%s", i > 1 ? "," : "[", (int)(mark - element), element, i, mark + 2);
    }
    fputc(']', out);
    fclose(out);
    return text;
}

static void test_config_too_many_elements_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *path, *element, *says;
        uint32_t n;
    } lists[] = {
        {"slots", "{\"id\":%u}", "at most 96", 97},
        {"connectors", "{\"id\":%u}", "at most 96", 97},
        {"plc.interfaces", "{\"name\":\"c%u\"}", "at most 48", 49},
        {"modules.interfaces", "{\"name\":\"c%u\"}", "at most 48", 49},
        {"slots[0].modules", "{\"id\":\"X%u\"}", "at most 8", 9},
        {"modules.interfaces[0].addresses", "{\"module\":\"X%u\",\"address\":1}", "at most 63", 64},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char *list = list_of(lists[i].n, lists[i].element);
        char *json = edited("two-gun.json", lists[i].path, list);
        expect(json, &(struct wrong){.at = lists[i].path, .says = lists[i].says});
        free(list);
        free(json);
    }
    char *list = list_of(48, "{\"name\":\"m%u\"}");
    char *json = edited("charger.json", "modules.interfaces", list);
    expect(json,
           &(struct wrong){.at = "modules.interfaces[46].name", .says = "too many interfaces"});
    free(list);
    free(json);
}

static void test_config_too_many_modules_on_a_bus(void **state) {
    (void)state;
    char *json = edited("charger.json", "modules.perSlot", "8");
    char *one = edit_text(json, "modules.interfaces[1]", NULL);
    expect(one,
           &(struct wrong){.at = "modules.interfaces", .says = "at most 62 on each", .count = 1});
    free(one);
    free(json);
}

/* More errors than are kept: all are counted, the first are there. */
static void test_config_all_errors_are_counted(void **state) {
    (void)state;
    char *list = list_of(96, "{\"id\":0,\"label\":%u}");
    char *json = edited("charger.json", "connectors", list);
    assert_int_equal(parse_text(json, &config, &errors), -EINVAL);
    assert_true(errors.count >= 192);
    assert_string_equal(errors.error[0].path, "connectors[0].id");
    assert_string_equal(errors.error[1].path, "connectors[0].label");
    assert_string_equal(errors.error[CONFIG_ERRORS_MAX - 1].path, "connectors[31].label");
    char text[32768] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    config_errors_print(out, "file", &errors);
    fclose(out);
    assert_non_null(strstr(text, "more\n"));
    free(list);
    free(json);
}

static void test_config_errors_of_all_kinds_come_together(void **state) {
    (void)state;
    char *a = edited("two-gun.json", "gridLimitKW", "\"x\"");
    char *b = edit_text(a, "nonsense", "1");
    char *c = edit_text(b, "connectors[0].plcId", "99");
    char *d = edit_text(c, "interlock.T_plan_ms", "1000");
    char *e = edit_text(d, "slots[1].gunId", "7");
    assert_int_equal(parse_text(e, &config, &errors), -EINVAL);
    assert_non_null(error_at(&errors, "gridLimitKW"));
    assert_non_null(error_at(&errors, "nonsense"));
    assert_non_null(error_at(&errors, "connectors[0].plcId"));
    assert_non_null(error_at(&errors, "interlock.T_plan_ms"));
    assert_non_null(error_at(&errors, "slots[1].gunId"));
    assert_int_equal(errors.count, 5);
    assert_string_equal(error_at(&errors, "connectors[0].plcId")->value, "99");
    assert_string_equal(error_at(&errors, "gridLimitKW")->value, "\"x\"");
    free(a);
    free(b);
    free(c);
    free(d);
    free(e);
}

/* Long and odd keys and values are shown cut and printable. */
static void test_config_odd_names_are_shown_safely(void **state) {
    (void)state;
    char json[4096], key[2000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    snprintf(json, sizeof json, "{\"%s\": \"%s\", \"a\\u001b[2J\": 1, \"\": 2}", key, key);
    assert_int_equal(parse_text(json, &config, &errors), -EINVAL);
    assert_true(strlen(errors.error[0].path) < 96);
    assert_non_null(strstr(errors.error[0].path, "kkk..."));
    assert_non_null(strstr(errors.error[0].value, "kkk...\""));
    assert_string_equal(errors.error[1].path, "a?[2J");
    assert_string_equal(errors.error[2].path, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_every_wrong_edit_is_named),
        cmocka_unit_test(test_config_borders_between_keys_are_good),
        cmocka_unit_test(test_config_secure_profile_needs_wss),
        cmocka_unit_test(test_config_rings_that_do_not_close),
        cmocka_unit_test(test_config_bc_needs_mc_and_a_neighbour),
        cmocka_unit_test(test_config_doubled_key_is_an_error),
        cmocka_unit_test(test_config_syntax_error_has_line_and_column),
        cmocka_unit_test(test_config_hostile_sizes_are_refused),
        cmocka_unit_test(test_config_too_many_elements_are_refused),
        cmocka_unit_test(test_config_too_many_modules_on_a_bus),
        cmocka_unit_test(test_config_all_errors_are_counted),
        cmocka_unit_test(test_config_errors_of_all_kinds_come_together),
        cmocka_unit_test(test_config_odd_names_are_shown_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
