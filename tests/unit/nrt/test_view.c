/* The page of status and top at many widths and heights: never wider, never higher, nothing that is no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nrt/ctl/event_print.h"
#include "nrt/ctl/latency.h"
#include "nrt/ctl/view.h"
#include "shm/event.h"

static char page[512 * 1024];
static struct status status;
static struct config config;
static struct view view;

static void make_hub(void) {
    config_ring(&config, 12, 2);
    memset(&status, 0, sizeof status);
    memset(&view, 0, sizeof view);
    view.status = &status;
    view.config = &config;
    view.hazards = 0;
    view.now_ns = INT64_C(100000000000);
    strcpy(view.clock, "15:56:31Z");
    view.latency = (struct view_latency){.known = true,
                                         .guard_wake_p999_ns = 45123,
                                         .guard_wake_max_ns = 120000,
                                         .guard_step_max_ns = 8200,
                                         .planner_wake_p999_ns = 51000,
                                         .planner_wake_max_ns = 20000000,
                                         .planner_step_max_ns = 31000};
    status.slots = 12;
    status.interfaces = 4;
    status.flags = STATUS_FLAG_NRT_ATTACHED;
    status.site_limit_w = status.grid_limit_w = 720000;
    status.site_limit_reason = LIMIT_REASON_LEASE;
    status.site_power_w = 312400;
    for (uint32_t i = 0; i < 4; i++) {
        status.interface[i].state = INTERFACE_UP;
    }
    for (uint32_t i = 0; i < 12; i++) {
        status.slot[i].gun_state = GUN_STATE_AVAILABLE;
        status.slot[i].soc_pct = 255;
        status.slot[i].flags = STATUS_SLOT_PLC_OK | STATUS_SLOT_OPERATIVE;
        status.slot[i].gun_mv = status.slot[i].gun_ma = STATUS_UNKNOWN;
    }
    status.slot[2].gun_state = GUN_STATE_CHARGING;
    status.slot[2].soc_pct = 57;
    status.slot[2].gun_mv = 785600;
    status.slot[2].gun_ma = 249700;
    status.slot[2].power_w = 196164;
    status.slot[2].limit_reason = LIMIT_REASON_VEHICLE;
    status.slot[2].session_id = 1;
    status.slot[2].session_energy_mwh = 23456789;
    status.slot[2].state_since_mono_ns = INT64_C(35000000000);
    status.slot[5].gun_state = GUN_STATE_FAULTED;
    status.slot[5].fault = FAULT_CONTACTOR_BOOT_CLOSED;
    view.events = 3;
    snprintf(view.event[0], VIEW_EVENT_TEXT, "15:56:29  gun 3: plugged -> authorised");
    snprintf(view.event[1], VIEW_EVENT_TEXT, "15:56:30  gun 3: \x1b[31mevil\x7f\xff");
    memset(view.event[2], 'x', VIEW_EVENT_TEXT - 1);
}

static struct frame render(uint32_t width, uint32_t height, enum frame_styles styles, bool live) {
    struct frame f;
    frame_init(&f, page, sizeof page, width, styles);
    f.live = live;
    f.blocks = live;
    view_render(&f, &view, height);
    assert_false(f.overflow);
    return f;
}

/* Columns and lines as a terminal counts them: escape sequences take none, UTF-8 characters one. */
static void measure(uint32_t *widest, uint32_t *lines) {
    uint32_t column = 0;
    *widest = *lines = 0;
    for (const char *c = page; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == 0x1b) {
            assert_int_equal(c[1], '[');
            c += 2;
            while ((*c >= '0' && *c <= '9') || *c == ';') {
                c++;
            }
            assert_true(*c == 'm' || *c == 'K');
        } else if (byte == '\n') {
            (*lines)++;
            column = 0;
        } else if (byte != '\r' && (byte & 0xc0) != 0x80) {
            assert_true(byte >= 0x20 && byte != 0x7f);
            column++;
            *widest = column > *widest ? column : *widest;
        }
    }
    assert_int_equal(column, 0); /* the last line is ended too */
}

static void test_view_every_width_and_height_is_kept(void **state) {
    (void)state;
    make_hub();
    for (uint32_t width = 20; width <= 220; width++) {
        for (uint32_t height = 1; height <= 60; height += 1 + height / 20) {
            uint32_t widest, lines;
            (void)render(width, height, FRAME_COLOUR, true);
            measure(&widest, &lines);
            assert_true(widest <= width);
            assert_true(lines <= height);
        }
    }
}

static void test_view_any_status_stays_text_within_the_width(void **state) {
    (void)state;
    make_hub();
    for (unsigned seed = 0; seed < 300; seed++) {
        unsigned char *bytes = (unsigned char *)&status;
        srandom(seed);
        for (size_t i = 0; i < sizeof status; i++) {
            bytes[i] = seed % 3 == 0 ? 0xff : (unsigned char)random();
        }
        bytes = (unsigned char *)&view.latency;
        for (size_t i = 0; i < sizeof view.latency; i++) {
            bytes[i] = (unsigned char)random();
        }
        view.latency.known = seed % 2 == 0;
        view.config = seed % 5 == 0 ? NULL : &config;
        uint32_t widest, lines;
        (void)render(60 + seed % 100, 40, FRAME_PLAIN, false);
        measure(&widest, &lines);
        assert_true(widest <= 60 + seed % 100);
        assert_true(lines <= 40);
        assert_null(strstr(page, "nan"));
        assert_null(strstr(page, "inf"));
        assert_null(strchr(page, '\x1b'));
    }
}

static void test_view_at_80_columns_shows_what_an_operator_needs(void **state) {
    (void)state;
    make_hub();
    (void)render(80, 0, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "site 312.4 / 720.0 kW (lease)"));
    assert_non_null(strstr(page, "overruns 0"));
    assert_non_null(strstr(page, "wake p99.9 51.0us max 20ms  step 31.0us"));
    assert_non_null(strstr(page, "hazards 0"));
    char *gun = strstr(page, "\n  3 charging");
    assert_non_null(gun);
    char line[128] = "";
    memcpy(line, gun + 1, strcspn(gun + 1, "\n"));
    assert_non_null(strstr(line, " 57%"));
    assert_non_null(strstr(line, " 786 "));
    assert_non_null(strstr(line, " 250 "));
    assert_non_null(strstr(line, " 196.2 ") != NULL ? strstr(line, " 196.2 ")
                                                    : strstr(line, " 196.1 "));
    assert_non_null(strstr(line, "vehicle"));
    assert_non_null(strstr(line, "23.45"));
    assert_non_null(strstr(page, "CONTACTOR_BOOT"));
    assert_non_null(strstr(page, "gun 3: plugged -> authorised"));
    assert_null(strchr(page, '\x1b'));
}

static void test_view_next_driver_is_told_where_to_go_while_the_gun_is_free(void **state) {
    (void)state;
    make_hub();
    status.guide_slot = 7;
    status.slot[7].guide_now_w = 180000;
    status.slot[7].guide_later_w = 240000;
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "next    gun 8  180.0 kW now, 240.0 kW in 10 min"));
    status.slot[7].gun_state = GUN_STATE_PLUGGED;
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_null(strstr(page, "in 10 min"));
    status.guide_slot = -1;
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_null(strstr(page, "in 10 min"));
    status.guide_slot = 200; /* nonsense from shared memory */
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_null(strstr(page, "in 10 min"));
}

static void test_view_suspended_vehicle_waits_for_a_reason(void **state) {
    (void)state;
    make_hub();
    status.slot[2].flags |= STATUS_SLOT_SUSPENDED;
    status.slot[2].limit_reason = LIMIT_REASON_GRID;
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "waits: grid"));
}

static void test_view_abnormal_conditions_are_loud(void **state) {
    (void)state;
    make_hub();
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_null(strstr(page, "DEVELOPMENT"));
    assert_null(strstr(page, "NO NRT"));
    status.flags = STATUS_FLAG_DEVELOPMENT | STATUS_FLAG_NO_CRC | STATUS_FLAG_NO_WATCHDOG;
    status.estop = 1;
    view.hazards = 2;
    view.problem = "ringmain-rt SILENT for 3 s: what follows is old";
    status.interface[1].state = INTERFACE_BUS_OFF;
    status.interface[1].restarts = 4;
    (void)render(100, 0, FRAME_PLAIN, false);
    static const char *const LOUD[] = {"EMERGENCY STOP", "HAZARDS", "NO NRT",
                                       "DEVELOPMENT",    "NO CRC",  "NO WATCHDOG",
                                       "hazards 2",      "SILENT",  "BUS-OFF (4 restarts)"};
    for (size_t i = 0; i < sizeof LOUD / sizeof LOUD[0]; i++) {
        assert_non_null(strstr(page, LOUD[i]));
    }
}

static void test_view_too_many_guns_for_the_height_says_how_many_are_missing(void **state) {
    (void)state;
    make_hub();
    (void)render(100, 15, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "more guns"));
    view.events = 0;
    status.slots = 96;
    config_ring(&config, 96, 2);
    for (uint32_t i = 0; i < 96; i++) {
        status.slot[i].gun_state = GUN_STATE_AVAILABLE;
    }
    (void)render(100, 0, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "\n 96 available"));
}

static void test_view_without_status_shows_the_problem_and_the_events(void **state) {
    (void)state;
    make_hub();
    view.status = NULL;
    view.problem = "/ringmain: there is no shared segment of that name";
    (void)render(80, 24, FRAME_PLAIN, false);
    assert_non_null(strstr(page, "no shared segment"));
    assert_non_null(strstr(page, "plugged -> authorised"));
}

static void test_event_print_shows_time_and_text_and_no_control_bytes(void **state) {
    (void)state;
    char text[64];
    static const char LINE[] =
        "{\"time\":\"2025-11-20T15:56:31.123Z\",\"text\":\"gun 3: RFID \\u001b[31m\\u00ff\"}";
    assert_true(event_print_short(LINE, sizeof LINE - 1, text, sizeof text));
    assert_string_equal(text, "15:56:31  gun 3: RFID ?[31m??");
    assert_true(event_print_long(LINE, sizeof LINE - 1, text, sizeof text));
    assert_string_equal(text, "2025-11-20T15:56:31.123Z  gun 3: RFID ?[31m??");
    assert_false(event_print_short("{", 1, text, sizeof text));
    assert_false(event_print_short("{\"time\":\"x\",\"text\":\"y\"}", 23, text, sizeof text));
    assert_false(event_print_short("{\"time\":7,\"text\":\"y\"}", 21, text, sizeof text));
}

static void test_latency_json_holds_what_was_recorded(void **state) {
    (void)state;
    static struct diag diag;
    static char text[64 * 1024];
    struct json_writer w;
    diag_reset(&diag, 1000000, 1000000);
    diag_record(&diag, DIAG_HISTOGRAM_PLANNER_WAKE, 10);
    diag_record(&diag, DIAG_HISTOGRAM_PLANNER_WAKE, 12);
    diag_add(&diag, DIAG_PLANNER_OVERRUNS, 3);
    diag_error_log(&diag, 5, "a \"quoted\" error");
    json_init(&w, text, sizeof text);
    latency_json(&w, &diag, 7);
    assert_false(w.overflow);
    /* values below 16 ns each have a bucket of their own */
    assert_non_null(
        strstr(text, "\"planner_wake\":{\"count\":2,\"min_ns\":10,\"mean_ns\":11,"
                     "\"p50_ns\":10,\"p99_ns\":12,\"p999_ns\":12,\"max_ns\":12,"
                     "\"buckets\":[{\"low_ns\":10,\"count\":1},{\"low_ns\":12,\"count\":1}]}"));
    assert_non_null(strstr(text, "\"guard_wake\":{\"count\":0,\"min_ns\":0,"));
    assert_non_null(strstr(text, "\"planner_overruns\":3"));
    assert_non_null(strstr(text, "\"guard_ticks_late\":0"));
    assert_non_null(strstr(text, "\"text\":\"a \\\"quoted\\\" error\",\"count\":1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_every_width_and_height_is_kept),
        cmocka_unit_test(test_view_any_status_stays_text_within_the_width),
        cmocka_unit_test(test_view_at_80_columns_shows_what_an_operator_needs),
        cmocka_unit_test(test_view_abnormal_conditions_are_loud),
        cmocka_unit_test(test_view_next_driver_is_told_where_to_go_while_the_gun_is_free),
        cmocka_unit_test(test_view_suspended_vehicle_waits_for_a_reason),
        cmocka_unit_test(test_view_too_many_guns_for_the_height_says_how_many_are_missing),
        cmocka_unit_test(test_view_without_status_shows_the_problem_and_the_events),
        cmocka_unit_test(test_event_print_shows_time_and_text_and_no_control_bytes),
        cmocka_unit_test(test_latency_json_holds_what_was_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
