/* Durable files: lines and their positions, recovery from every torn tail, each event and each session once. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nrt/store/event_log.h"
#include "nrt/store/keep_file.h"
#include "nrt/store/session_log.h"
#include "tests/unit/nrt/fake_rt.h"

#define S INT64_C(1000000000)

static char folder[64], shm_name[SHM_NAME_MAX], path[128];
static struct config config;
static const struct clock_pair PAIR = {.mono_ns = 100 * S, .real_ns = 1763654191 * S};
static struct event_log events_log;
static struct session_log sessions_log;

static int set_up(void **state) {
    (void)state;
    fake_place(folder, shm_name);
    snprintf(path, sizeof path, "%s/log", folder);
    config_ring(&config, 12, 2);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_clean(folder, shm_name);
    return 0;
}

static void write_file(const char *text, size_t length) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static off_t file_size(void) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* ---- lines ---- */

static void test_event_line_every_type_is_valid_json_and_gives_its_position_back(void **state) {
    (void)state;
    char line[JSONL_LINE_MAX];
    for (unsigned type = 0; type < EVENT_TYPE_COUNT + 2; type++) {
        for (unsigned slot = 0; slot <= 12; slot++) {
            struct event event = {.seq = 1000 + type,
                                  .mono_ns = 101 * S,
                                  .type = (uint16_t)type,
                                  .slot = (uint16_t)(slot == 12 ? EVENT_SLOT_NONE : slot),
                                  .a = 1,
                                  .b = 2,
                                  .value = -7,
                                  .c = 3,
                                  .text = "a\"b\\c\n\x01\xff"};
            size_t length = event_line(line, sizeof line, &config, 0xabc, &event, &PAIR);
            assert_true(length > 0);
            assert_int_equal(line[length - 1], '\n');
            struct event_position position;
            assert_true(event_line_position(line, length - 1, &position));
            assert_true(position.boot_id == 0xabc && position.seq == 1000 + type);
            cJSON *root = cJSON_Parse(line);
            assert_non_null(root);
            assert_string_equal(cJSON_GetObjectItem(root, "boot_id")->valuestring,
                                "0000000000000abc");
            assert_string_equal(cJSON_GetObjectItem(root, "time")->valuestring,
                                "2025-11-20T15:56:32.000Z");
            assert_true(cJSON_IsString(cJSON_GetObjectItem(root, "text")));
            cJSON_Delete(root);
        }
    }
}

static void test_event_line_values_are_in_words_with_the_connector_id(void **state) {
    (void)state;
    char line[JSONL_LINE_MAX];
    struct event event = {.seq = 1,
                          .type = EVENT_GUN_STATE,
                          .slot = 2,
                          .a = GUN_STATE_PLUGGED,
                          .b = GUN_STATE_AUTHORISED};
    assert_true(event_line(line, sizeof line, &config, 1, &event, &PAIR) > 0);
    assert_non_null(
        strstr(line, "\"slot\":2,\"connector_id\":3,\"text\":\"gun 3: plugged -> authorised\""));
    assert_non_null(strstr(line, "\"from\":\"plugged\",\"to\":\"authorised\""));
    event = (struct event){.seq = 2,
                           .type = EVENT_FAULT_RAISED,
                           .slot = 0,
                           .a = FAULT_CONTACTOR_WELDED,
                           .b = CONTACTOR_GC,
                           .c = STOP_CLASS_EMERGENCY};
    assert_true(event_line(line, sizeof line, &config, 1, &event, &PAIR) > 0);
    assert_non_null(strstr(line, "\"fault\":\"CONTACTOR_WELDED\""));
    assert_non_null(strstr(line, "\"component\":\"GC\",\"stop_class\":\"emergency\""));
    event = (struct event){.seq = 3, .type = EVENT_INTERFACE, .slot = 0, .a = INTERFACE_BUS_OFF};
    assert_true(event_line(line, sizeof line, &config, 1, &event, &PAIR) > 0);
    assert_non_null(strstr(line, "\"slot\":null,\"connector_id\":null"));
    assert_non_null(strstr(line, "\"interface_state\":\"bus-off\""));
}

static void test_event_line_too_small_a_buffer_gives_nothing(void **state) {
    (void)state;
    char line[JSONL_LINE_MAX];
    struct event event = {.seq = 1, .type = EVENT_BOOT, .slot = EVENT_SLOT_NONE};
    size_t length = event_line(line, sizeof line, &config, 1, &event, &PAIR);
    for (size_t size = 1; size <= length; size++) {
        assert_int_equal(event_line(line, size, &config, 1, &event, &PAIR), 0);
    }
    assert_int_equal(event_line(line, length + 1, &config, 1, &event, &PAIR), length);
}

static void test_event_line_position_refuses_what_is_not_a_whole_line(void **state) {
    (void)state;
    static const char GOOD[] = "{\"boot_id\":\"00000000000000ff\",\"seq\":12,\"x\":1}";
    static const char *const BAD[] = {
        "",
        "{}",
        "{\"boot_id\":\"00000000000000fg\",\"seq\":12,\"x\":1}",
        "{\"boot_id\":\"00000000000000FF\",\"seq\":12,\"x\":1}",
        "{\"boot_id\":\"00000000000000ff\",\"seq\":0,\"x\":1}",
        "{\"boot_id\":\"00000000000000ff\",\"seq\":,\"x\":1}",
        "{\"boot_id\":\"00000000000000ff\",\"seq\":-1,\"x\":1}",
        "{\"boot_id\":\"00000000000000ff\",\"seq\":99999999999999999999,\"x\":1}",
        "{\"boot_id\":\"00000000000000ff\", \"seq\":12,\"x\":1}",
    };
    struct event_position position = {5, 5};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(event_line_position(BAD[i], strlen(BAD[i]), &position));
    }
    for (size_t length = 0; length < sizeof GOOD - 1; length++) {
        assert_false(event_line_position(GOOD, length, &position));
    }
    assert_true(position.boot_id == 5 && position.seq == 5);
    assert_true(event_line_position(GOOD, sizeof GOOD - 1, &position));
    assert_true(position.boot_id == 0xff && position.seq == 12);
    char holed[sizeof GOOD];
    memcpy(holed, GOOD, sizeof GOOD);
    holed[sizeof GOOD - 5] = '\0'; /* a hole of zeros, as a power cut leaves it */
    assert_false(event_line_position(holed, sizeof GOOD - 1, &position));
}

static void test_session_line_is_valid_json_with_what_is_billed(void **state) {
    (void)state;
    char line[JSONL_LINE_MAX];
    struct session_record record = {.session_id = UINT64_MAX - 1,
                                    .boot_id = 2,
                                    .start_mono_ns = 90 * S,
                                    .stop_mono_ns = 100 * S,
                                    .energy_mwh = 12345678,
                                    .meter_start_wh = 1000,
                                    .meter_stop_wh = 13345,
                                    .stop_reason = STOP_REASON_RESTART,
                                    .soc_start_pct = 20,
                                    .soc_stop_pct = 255,
                                    .meter_source = 0x81,
                                    .energised = 1};
    memset(record.id_token, 'T', sizeof record.id_token); /* not terminated */
    memset(record.evccid, '"', sizeof record.evccid);
    size_t length = session_line(line, sizeof line, &config, 4, &record, &PAIR);
    assert_true(length > 0);
    uint64_t id = 0;
    assert_true(session_line_id(line, length - 1, &id));
    assert_true(id == UINT64_MAX - 1);
    cJSON *root = cJSON_Parse(line);
    assert_non_null(root);
    assert_int_equal(cJSON_GetObjectItem(root, "connector_id")->valueint, 5);
    assert_int_equal(cJSON_GetObjectItem(root, "energy_mwh")->valueint, 12345678);
    assert_string_equal(cJSON_GetObjectItem(root, "stop_reason")->valuestring, "restart");
    assert_string_equal(cJSON_GetObjectItem(root, "start_time")->valuestring,
                        "2025-11-20T15:56:21.000Z");
    assert_string_equal(cJSON_GetObjectItem(root, "meter_source")->valuestring, "shunt");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(root, "meter_fallback")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "soc_stop_pct")));
    assert_int_equal(strlen(cJSON_GetObjectItem(root, "id_token")->valuestring), RM_ID_TOKEN_LEN);
    cJSON_Delete(root);
    for (size_t i = 0; i < length - 1; i++) {
        assert_false(session_line_id(line, i, &id) && line[i - 1] != '}');
    }
}

/* ---- recovery ---- */

static char whole[8192];
static size_t line_end[16]; /* offsets behind each line */

static size_t make_log(size_t lines) {
    size_t length = 0;
    for (size_t i = 0; i < lines; i++) {
        struct event event = {
            .seq = i + 1, .type = EVENT_PLUGGED, .slot = (uint16_t)i, .mono_ns = 100 * S};
        length += event_line(whole + length, sizeof whole - length, &config, 0x77, &event, &PAIR);
        line_end[i] = length;
    }
    return length;
}

static void test_event_log_torn_at_every_byte_keeps_the_whole_lines(void **state) {
    (void)state;
    size_t length = make_log(4);
    for (size_t torn = 0; torn <= length; torn++) {
        size_t lines = 0;
        while (lines < 4 && line_end[lines] <= torn) {
            lines++;
        }
        write_file(whole, torn);
        assert_int_equal(event_log_open(&events_log, path), 0);
        assert_int_equal(file_size(), lines > 0 ? line_end[lines - 1] : 0);
        struct event_position last = {0x77, lines}, next = {0x77, lines + 1};
        assert_int_equal(event_positions_have(&events_log.durable, last), lines > 0);
        assert_false(event_positions_have(&events_log.durable, next));
        /* and it goes on from there, with the same events coming again */
        struct event again[4];
        uint64_t boots[4];
        for (size_t i = 0; i < 4; i++) {
            again[i] = (struct event){
                .seq = i + 1, .type = EVENT_PLUGGED, .slot = (uint16_t)i, .mono_ns = 100 * S};
            boots[i] = 0x77;
        }
        assert_int_equal(event_log_write(&events_log, &config, boots, again, 4, &PAIR), 0);
        event_log_close(&events_log);
        size_t got;
        char *text = fake_read(path, &got);
        assert_int_equal(got, length);
        assert_memory_equal(text, whole, length);
        free(text);
    }
}

static void test_event_log_garbage_behind_the_last_line_is_cut(void **state) {
    (void)state;
    size_t length = make_log(2);
    memset(whole + length, 0, 700); /* zeros, with a newline among them */
    whole[length + 300] = '\n';
    write_file(whole, length + 700);
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(events_log.file.cut_bytes, 700);
    assert_int_equal(file_size(), (off_t)length);
    event_log_close(&events_log);
}

static void test_event_log_damaged_line_in_the_middle_stays_and_is_counted(void **state) {
    (void)state;
    size_t length = make_log(3);
    memset(whole + line_end[0] + 2, '#', 20);
    write_file(whole, length);
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(events_log.file.cut_bytes, 0);
    assert_int_equal(events_log.file.bad_lines, 1);
    struct event_position last = {0x77, 3};
    assert_true(event_positions_have(&events_log.durable, last));
    event_log_close(&events_log);
}

static void test_event_log_other_files_are_refused_untouched(void **state) {
    (void)state;
    static const char *const OTHER[] = {
        "hello", "hello\n", "{\"boot\"", "{\"boot_id\":\"x\"}\n", "\n", "{\"boot_id\":\"\n"};
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        write_file(OTHER[i], strlen(OTHER[i]));
        int code = event_log_open(&events_log, path);
        assert_int_equal(code, -EINVAL);
        assert_int_equal(file_size(), (off_t)strlen(OTHER[i]));
    }
    write_file("{\"boo", 5); /* the beginning of a first line */
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(file_size(), 0);
    event_log_close(&events_log);
}

static void test_event_log_window_grows_until_a_sound_line_is_found(void **state) {
    (void)state;
    size_t length = make_log(1), junk = JSONL_WINDOW * 3;
    char *text = malloc(length + junk);
    assert_non_null(text);
    memcpy(text, whole, length);
    memset(text + length, 'x', junk);
    write_file(text, length + junk);
    free(text);
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(file_size(), (off_t)length);
    event_log_close(&events_log);
}

static void test_event_log_open_in_another_process_is_refused(void **state) {
    (void)state;
    static struct event_log second;
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(event_log_open(&second, path), -EWOULDBLOCK); /* flock is per open file */
    event_log_close(&events_log);
}

/* ---- once ---- */

static void test_event_log_events_of_several_boots_come_once_each(void **state) {
    (void)state;
    const struct event batch[] = {{.seq = 1, .type = EVENT_BOOT, .slot = EVENT_SLOT_NONE},
                                  {.seq = 2, .type = EVENT_PLC},
                                  {.seq = 3, .type = EVENT_BOOT, .slot = EVENT_SLOT_NONE},
                                  {.seq = 4, .type = EVENT_PLC}};
    const uint64_t boots[] = {1, 1, 2, 2};
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(event_log_write(&events_log, &config, boots, batch, 4, &PAIR), 0);
    off_t size = file_size();
    /* the whole ring comes again, older boot included */
    assert_int_equal(event_log_write(&events_log, &config, boots, batch, 4, &PAIR), 0);
    assert_int_equal(file_size(), size);
    event_log_close(&events_log);
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(event_log_write(&events_log, &config, boots, batch, 4, &PAIR), 0);
    assert_int_equal(file_size(), size);
    assert_int_equal(events_log.skipped, 4);
    event_log_close(&events_log);
}

static void test_event_log_number_zero_is_never_written(void **state) {
    (void)state;
    const struct event event = {.seq = 0, .type = EVENT_PLC};
    const uint64_t boot = 1;
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(event_log_write(&events_log, &config, &boot, &event, 1, &PAIR), 0);
    assert_int_equal(file_size(), 0);
    event_log_close(&events_log);
}

static void test_event_log_failed_write_leaves_the_file_as_it_was(void **state) {
    (void)state;
    const struct event event = {.seq = 1, .type = EVENT_PLC};
    const uint64_t boot = 1;
    assert_int_equal(event_log_open(&events_log, path), 0);
    int good = events_log.file.fd;
    events_log.file.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_true(events_log.file.fd >= 0);
    assert_int_equal(event_log_write(&events_log, &config, &boot, &event, 1, &PAIR), -ENOSPC);
    assert_false(event_positions_have(&events_log.durable, (struct event_position){1, 1}));
    close(events_log.file.fd);
    events_log.file.fd = good;
    assert_int_equal(event_log_write(&events_log, &config, &boot, &event, 1, &PAIR), 0);
    assert_true(event_positions_have(&events_log.durable, (struct event_position){1, 1}));
    event_log_close(&events_log);
}

static void test_event_log_long_batch_is_written_in_pieces(void **state) {
    (void)state;
    static struct event batch[512];
    static uint64_t boots[512];
    for (size_t i = 0; i < 512; i++) {
        batch[i] = (struct event){
            .seq = i + 1, .type = EVENT_FAULT_RAISED, .a = FAULT_PLC_LOST, .b = 0xffff};
        boots[i] = 9;
    }
    assert_int_equal(event_log_open(&events_log, path), 0);
    assert_int_equal(event_log_write(&events_log, &config, boots, batch, 512, &PAIR), 0);
    event_log_close(&events_log);
    assert_true(file_size() > EVENT_LOG_BATCH_BYTES);
    size_t length;
    char *text = fake_read(path, &length);
    uint64_t expected = 1;
    for (char *line = text; *line != '\0'; expected++) {
        struct event_position position;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(event_line_position(line, (size_t)(end - line), &position));
        assert_true(position.seq == expected);
        line = end + 1;
    }
    assert_int_equal(expected, 513);
    free(text);
}

static void test_session_log_knows_its_ids_after_a_restart(void **state) {
    (void)state;
    struct session_record record = {.session_id = 0x10, .stop_mono_ns = 5};
    assert_int_equal(session_log_open(&sessions_log, path, 100), 0);
    assert_false(session_log_has(&sessions_log, &record));
    assert_int_equal(session_log_write(&sessions_log, &config, 1, &record, &PAIR), 0);
    assert_true(session_log_has(&sessions_log, &record));
    session_log_close(&sessions_log);
    assert_int_equal(session_log_open(&sessions_log, path, 100), 0);
    assert_true(session_log_has(&sessions_log, &record));
    record.session_id = 0x11;
    assert_false(session_log_has(&sessions_log, &record));
    session_log_close(&sessions_log);
}

static void test_session_log_old_record_is_found_in_a_file_longer_than_the_window(void **state) {
    (void)state;
    struct session_record record = {.stop_mono_ns = 5};
    assert_int_equal(session_log_open(&sessions_log, path, 100), 0);
    for (record.session_id = 1; file_size() < 3 * JSONL_WINDOW; record.session_id++) {
        char line[JSONL_LINE_MAX];
        size_t length = session_line(line, sizeof line, &config, 1, &record, &PAIR);
        assert_int_equal(jsonl_append(&sessions_log.file, line, length), 0);
    }
    uint64_t beyond = record.session_id;
    session_log_close(&sessions_log);
    assert_int_equal(session_log_open(&sessions_log, path, 100), 0);
    for (record.session_id = 1; record.session_id < beyond; record.session_id += 7) {
        assert_true(session_log_has(&sessions_log, &record));
    }
    record.session_id = beyond;
    assert_false(session_log_has(&sessions_log, &record));
    session_log_close(&sessions_log);
}

/* ---- the keep file ---- */

static char text_of_keep[64 * 1024], why[160];

static size_t keep_text(const struct keep *keep) {
    struct json_writer w;
    json_init(&w, text_of_keep, sizeof text_of_keep);
    keep_write(&w, keep, &config);
    assert_false(w.overflow);
    return w.length;
}

static void test_keep_file_gives_back_what_was_kept(void **state) {
    (void)state;
    static struct keep keep, back;
    memset(&keep, 0, sizeof keep);
    keep.site = (struct keep_limit){true, 123456, 1763654191 * S};
    keep.slot[3].limit = (struct keep_limit){true, 50000, 0};
    keep.slot[4].inoperative = true;
    keep.slot[5].latched = UINT64_C(1) << FAULT_CONTACTOR_WELDED | UINT64_C(1) << FAULT_IMD_LOW;
    assert_int_equal(keep_save(&keep, path, &config), 0);
    assert_int_equal(keep_load(&back, path, &config, why, sizeof why), 0);
    assert_memory_equal(&keep, &back, sizeof keep);
}

static void test_keep_file_faults_that_do_not_latch_are_not_believed(void **state) {
    (void)state;
    static struct keep back;
    static const char TEXT[] =
        "{\"guns\":[],\"latched\":[{\"slot_id\":1,\"fault\":\"PLC_LOST\"},"
        "{\"slot_id\":99,\"fault\":\"IMD_LOW\"},{\"slot_id\":1,\"fault\":\"?\"}]}";
    assert_int_equal(keep_parse(&back, TEXT, sizeof TEXT - 1, &config, why, sizeof why), 0);
    for (uint32_t i = 0; i < config.slots; i++) {
        assert_true(back.slot[i].latched == 0);
    }
}

static void test_keep_file_damaged_is_refused_at_every_length(void **state) {
    (void)state;
    static struct keep keep, back;
    memset(&keep, 0, sizeof keep);
    memset(&back, 0x5a, sizeof back);
    keep.site = (struct keep_limit){true, 100000, 0};
    keep.slot[3].limit = (struct keep_limit){true, 50000, 0};
    keep.slot[5].latched = UINT64_C(1) << FAULT_IMD_LOW;
    size_t length = keep_text(&keep);
    for (size_t torn = 0; torn + 1 < length; torn++) { /* without its newline it is whole */
        assert_int_equal(keep_parse(&back, text_of_keep, torn, &config, why, sizeof why), -EINVAL);
        assert_true(why[0] != '\0');
    }
    static const char *const BAD[] = {
        "{\"guns\":[]}",
        "{\"latched\":[]}",
        "[]",
        "{\"site\":{\"limit_w\":-1,\"until_real_s\":0},\"guns\":[],\"latched\":[]}",
        "{\"site\":{\"limit_w\":1e300,\"until_real_s\":0},\"guns\":[],\"latched\":[]}",
        "{\"site\":{\"until_real_s\":0},\"guns\":[],\"latched\":[]}",
        "{\"guns\":[{}],\"latched\":[]}",
        "{\"guns\":[],\"latched\":[7]}"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(keep_parse(&back, BAD[i], strlen(BAD[i]), &config, why, sizeof why),
                         -EINVAL);
    }
    assert_int_equal(((unsigned char *)&back)[0], 0x5a); /* untouched */
}

static void test_keep_file_missing_is_told_apart_from_damaged(void **state) {
    (void)state;
    static struct keep back;
    assert_int_equal(keep_load(&back, path, &config, why, sizeof why), -ENOENT);
    write_file("", 0);
    assert_int_equal(keep_load(&back, path, &config, why, sizeof why), -EINVAL);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_event_line_every_type_is_valid_json_and_gives_its_position_back),
        STORE_TEST(test_event_line_values_are_in_words_with_the_connector_id),
        STORE_TEST(test_event_line_too_small_a_buffer_gives_nothing),
        STORE_TEST(test_event_line_position_refuses_what_is_not_a_whole_line),
        STORE_TEST(test_session_line_is_valid_json_with_what_is_billed),
        STORE_TEST(test_event_log_torn_at_every_byte_keeps_the_whole_lines),
        STORE_TEST(test_event_log_garbage_behind_the_last_line_is_cut),
        STORE_TEST(test_event_log_damaged_line_in_the_middle_stays_and_is_counted),
        STORE_TEST(test_event_log_other_files_are_refused_untouched),
        STORE_TEST(test_event_log_window_grows_until_a_sound_line_is_found),
        STORE_TEST(test_event_log_open_in_another_process_is_refused),
        STORE_TEST(test_event_log_events_of_several_boots_come_once_each),
        STORE_TEST(test_event_log_number_zero_is_never_written),
        STORE_TEST(test_event_log_failed_write_leaves_the_file_as_it_was),
        STORE_TEST(test_event_log_long_batch_is_written_in_pieces),
        STORE_TEST(test_session_log_knows_its_ids_after_a_restart),
        STORE_TEST(test_session_log_old_record_is_found_in_a_file_longer_than_the_window),
        STORE_TEST(test_keep_file_gives_back_what_was_kept),
        STORE_TEST(test_keep_file_faults_that_do_not_latch_are_not_believed),
        STORE_TEST(test_keep_file_damaged_is_refused_at_every_length),
        STORE_TEST(test_keep_file_missing_is_told_apart_from_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
