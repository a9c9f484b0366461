/* nrt.sock: what is understood and what is refused; the server with several and with ill-behaved clients; JSON. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "nrt/api/json_writer.h"
#include "nrt/api/request.h"
#include "nrt/api/server.h"
#include "nrt/api/status_json.h"
#include "tests/unit/nrt/fake_rt.h"

static struct request request;
static char error[REQUEST_ERROR_LEN];

static int parse(const char *line) {
    return request_parse(line, strlen(line), &request, error);
}

/* ---- requests ---- */

static void test_request_every_form_is_understood(void **state) {
    (void)state;
    assert_int_equal(parse("{\"cmd\":\"authorise\",\"gun\":3,\"token\":\"04A1\"}"), 0);
    assert_int_equal(request.type, REQUEST_AUTHORISE);
    assert_int_equal(request.gun, 3);
    assert_string_equal(request.token, "04A1");
    assert_int_equal(parse("{\"cmd\":\"authorise\",\"gun\":3}"), 0);
    assert_string_equal(request.token, "");
    assert_int_equal(parse("{\"gun\":65535,\"cmd\":\"stop\"}"), 0);
    assert_int_equal(request.type, REQUEST_STOP);
    assert_int_equal(parse("{\"cmd\":\"limit\",\"kw\":123.4567,\"gun\":2,\"seconds\":60} \r\n"), 0);
    assert_int_equal(request.limit_w, 123457);
    assert_int_equal(request.seconds, 60);
    assert_false(request.take_back);
    assert_int_equal(parse("{\"cmd\":\"limit\",\"kw\":null}"), 0);
    assert_true(request.take_back);
    assert_int_equal(request.gun, 0);
    assert_int_equal(parse("{\"cmd\":\"clear\"}"), 0);
    assert_int_equal(request.fault, 0);
    assert_int_equal(parse("{\"cmd\":\"clear\",\"gun\":1,\"fault\":\"imd_low\"}"), 0);
    assert_int_equal(request.fault, FAULT_IMD_LOW);
    assert_int_equal(parse("{\"cmd\":\"reset-estop\"}"), 0);
    assert_int_equal(request.type, REQUEST_RESET_ESTOP);
    assert_int_equal(parse("{\"cmd\":\"availability\",\"gun\":1,\"operative\":true}"), 0);
    assert_true(request.operative);
    assert_int_equal(parse("{\"cmd\":\"reserve\",\"gun\":1,\"token\":\"A\",\"seconds\":0}"), 0);
    assert_int_equal(parse("{\"cmd\":\"status\"}"), 0);
    assert_int_equal(parse("{\"cmd\":\"ping\"}"), 0);
}

static void test_request_what_is_not_understood_is_refused_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *line, *place;
    } BAD[] = {
        {"", "request"},
        {"x", "request"},
        {"7", "request"},
        {"[]", "request"},
        {"null", "request"},
        {"{\"cmd\":\"ping\"", "request"},
        {"{\"cmd\":\"ping\"} x", "request"},
        {"{\"cmd\":\"ping\"}{\"cmd\":\"ping\"}", "request"},
        {"{}", "cmd"},
        {"{\"cmd\":7}", "cmd"},
        {"{\"cmd\":\"Ping\"}", "cmd"},
        {"{\"cmd\":\"\"}", "cmd"},
        {"{\"cmd\":\"ping\",\"gun\":1}", "gun"},
        {"{\"cmd\":\"ping\",\"cmd\":\"ping\"}", "cmd"},
        {"{\"cmd\":\"stop\"}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":0}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":-1}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":65536}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":1.5}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":1e300}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":\"1\"}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":null}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":1,\"gun\":2}", "gun"},
        {"{\"cmd\":\"stop\",\"gun\":1,\"second\":5}", "second"},
        {"{\"cmd\":\"limit\"}", "kw"},
        {"{\"cmd\":\"limit\",\"kw\":-0.1}", "kw"},
        {"{\"cmd\":\"limit\",\"kw\":100001}", "kw"},
        {"{\"cmd\":\"limit\",\"kw\":\"off\"}", "kw"},
        {"{\"cmd\":\"limit\",\"kw\":1,\"seconds\":-1}", "seconds"},
        {"{\"cmd\":\"limit\",\"kw\":1,\"seconds\":2592001}", "seconds"},
        {"{\"cmd\":\"limit\",\"kw\":1,\"seconds\":0.5}", "seconds"},
        {"{\"cmd\":\"clear\",\"fault\":\"NONE\"}", "fault"},
        {"{\"cmd\":\"clear\",\"fault\":\"IMD\"}", "fault"},
        {"{\"cmd\":\"clear\",\"fault\":5}", "fault"},
        {"{\"cmd\":\"availability\",\"gun\":1}", "operative"},
        {"{\"cmd\":\"availability\",\"gun\":1,\"operative\":1}", "operative"},
        {"{\"cmd\":\"reserve\",\"gun\":1,\"seconds\":5}", "token"},
        {"{\"cmd\":\"authorise\",\"gun\":1,\"token\":\"\"}", "token"},
        {"{\"cmd\":\"authorise\",\"gun\":1,\"token\":7}", "token"},
        {"{\"cmd\":\"authorise\",\"gun\":1,\"token\":\"a b\"}", "token"},
        {"{\"cmd\":\"authorise\",\"gun\":1,\"token\":\"\\u00e4\"}", "token"},
        {"{\"cmd\":\"authorise\",\"gun\":1,\"token\":\"0123456789012345678901234567890123456789\"}",
         "token"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(parse(BAD[i].line), -EINVAL);
        if (strncmp(error, BAD[i].place, strlen(BAD[i].place)) != 0) {
            fail_msg("%s: %s", BAD[i].line, error);
        }
    }
}

static void test_request_deep_nesting_and_any_byte_do_no_harm(void **state) {
    (void)state;
    static char line[REQUEST_LINE_MAX];
    memset(line, '[', sizeof line);
    assert_int_equal(request_parse(line, sizeof line, &request, error), -EINVAL);
    static const char GOOD[] = "{\"cmd\":\"limit\",\"kw\":1,\"gun\":2,\"seconds\":3}";
    for (size_t at = 0; at < sizeof GOOD - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(line, GOOD, sizeof GOOD);
            line[at] = (char)byte;
            if (request_parse(line, sizeof GOOD - 1, &request, error) == 0) {
                assert_true(request.type != REQUEST_NONE);
            } else {
                assert_true(error[0] != '\0');
            }
        }
    }
}

/* ---- the server ---- */

static char folder[64], shm_name[SHM_NAME_MAX], path[96];
static struct server server;
static int epoll_fd;
static struct server_ref later;
static bool answer_later;

static void echo(void *context, struct server_ref ref, const char *line, size_t length) {
    (void)context;
    if (answer_later) {
        later = ref;
        answer_later = false;
        return;
    }
    server_answer(&server, ref, line, length);
}

static int server_set_up(void **state) {
    (void)state;
    fake_place(folder, shm_name);
    snprintf(path, sizeof path, "%s/nrt.sock", folder);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(epoll_fd >= 0);
    assert_int_equal(server_open(&server, path, epoll_fd, echo, NULL), 0);
    answer_later = false;
    return 0;
}

static int server_tear_down(void **state) {
    (void)state;
    server_close(&server);
    close(epoll_fd);
    fake_clean(folder, shm_name);
    return 0;
}

/* Everything that is ready now; how many turns that took. */
static int pump(void) {
    struct epoll_event events[8];
    int turns = 0;
    for (; turns < 1000; turns++) {
        int count = epoll_wait(epoll_fd, events, 8, 0);
        if (count <= 0) {
            break;
        }
        for (int i = 0; i < count; i++) {
            server_event(&server, (uint32_t)events[i].data.u64, events[i].events);
        }
    }
    return turns;
}

static int client(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(pump() < 1000);
    return fd;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    assert_true(pump() < 1000); /* and no busy loop */
}

static void expect(int fd, const char *text) {
    char got[512] = "";
    ssize_t count = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    got[count > 0 ? count : 0] = '\0';
    assert_string_equal(got, text);
}

static void test_server_lines_are_answered_in_order_in_any_pieces(void **state) {
    (void)state;
    int fd = client();
    say(fd, "one\ntwo\n\nthr");
    expect(fd, "one\ntwo\n");
    say(fd, "ee\n");
    expect(fd, "three\n");
    close(fd);
    assert_true(pump() < 1000);
}

static void test_server_client_waiting_for_its_answer_holds_only_itself_up(void **state) {
    (void)state;
    int slow = client(), quick = client();
    answer_later = true;
    say(slow, "a\nb\n");
    expect(slow, "");
    say(quick, "c\n");
    expect(quick, "c\n");
    server_answer(&server, later, "A", 1);
    assert_true(pump() < 1000);
    expect(slow, "A\nb\n");
    server_answer(&server, later, "again", 5); /* once only */
    expect(slow, "");
    close(slow);
    close(quick);
    pump();
}

static void test_server_client_gone_before_its_answer_is_no_harm(void **state) {
    (void)state;
    int fd = client();
    answer_later = true;
    say(fd, "a\n");
    close(fd);
    pump();
    int next = client(); /* takes the place */
    server_answer(&server, later, "secret", 6);
    pump();
    expect(next, "");
    say(next, "x\n");
    expect(next, "x\n");
    close(next);
    pump();
}

static void test_server_client_that_shut_its_side_gets_answers_and_then_the_end(void **state) {
    (void)state;
    int fd = client();
    answer_later = true;
    say(fd, "a\nb\n");
    shutdown(fd, SHUT_WR);
    assert_true(pump() < 1000);
    server_answer(&server, later, "A", 1);
    assert_true(pump() < 1000);
    expect(fd, "A\nb\n");
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* closed, not hanging */
    close(fd);
}

static void test_server_overlong_line_is_refused_and_the_next_one_served(void **state) {
    (void)state;
    static char line[3 * REQUEST_LINE_MAX];
    int fd = client();
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    say(fd, line);
    expect(fd, "{\"ok\":false,\"error\":\"request: line too long\"}\n");
    say(fd, "tail of it\nnext\n");
    expect(fd, "next\n");
    close(fd);
    pump();
}

static void test_server_client_that_never_reads_is_not_waited_for(void **state) {
    (void)state;
    int deaf = client(), other = client();
    for (int i = 0; i < 2000; i++) {
        (void)!send(deaf, "0123456789012345678901234567890123456789012345678901234567890\n", 62,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(pump() < 1000);
    }
    say(other, "alive\n");
    expect(other, "alive\n");
    close(deaf);
    close(other);
    pump();
}

static void test_server_more_clients_than_places_are_told(void **state) {
    (void)state;
    int fd[SERVER_CLIENTS_MAX + 1];
    for (size_t i = 0; i < SERVER_CLIENTS_MAX + 1; i++) {
        fd[i] = client();
    }
    expect(fd[SERVER_CLIENTS_MAX], "{\"ok\":false,\"error\":\"too many clients, try again\"}\n");
    say(fd[0], "x\n");
    expect(fd[0], "x\n");
    for (size_t i = 0; i < SERVER_CLIENTS_MAX + 1; i++) {
        close(fd[i]);
    }
    pump();
    int again = client();
    say(again, "y\n");
    expect(again, "y\n");
    close(again);
    pump();
}

static void test_server_stale_socket_is_taken_over_a_living_one_is_not(void **state) {
    (void)state;
    static struct server second;
    assert_int_equal(server_open(&second, path, epoll_fd, echo, NULL), -EADDRINUSE);
    server_close(&second);
    assert_int_equal(access(path, F_OK), 0); /* the living one keeps its file */
    pump();
    /* killed: the file stays, nobody listens */
    close(server.listen_fd);
    server.listen_fd = -1;
    assert_int_equal(server_open(&server, path, epoll_fd, echo, NULL), 0);
    int fd = client();
    say(fd, "z\n");
    expect(fd, "z\n");
    close(fd);
    pump();
}

/* ---- JSON ---- */

static void test_json_any_bytes_stay_valid_json(void **state) {
    (void)state;
    char text[4096], value[256];
    struct json_writer w;
    for (int i = 0; i < 255; i++) {
        value[i] = (char)(i + 1);
    }
    value[255] = '\0';
    json_init(&w, text, sizeof text);
    json_object(&w, NULL);
    json_string(&w, "k\"ey", value);
    json_array(&w, "a");
    json_decimal(&w, NULL, -5, 3);
    json_decimal(&w, NULL, INT64_MIN, 2);
    json_hex(&w, NULL, 0xab);
    json_object(&w, NULL);
    json_object_end(&w);
    json_array_end(&w);
    json_null(&w, "n");
    json_bool(&w, "b", true);
    json_object_end(&w);
    assert_false(w.overflow);
    assert_non_null(strstr(text, "[-0.005,-92233720368547758.08,\"00000000000000ab\",{}]"));
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    /* every byte above 0x7e comes back as the Latin-1 character of that number */
    const char *back = cJSON_GetObjectItem(root, "k\"ey")->valuestring;
    assert_memory_equal(back, value, 0x7e);
    assert_int_equal(strlen(back), 0x7f + 2 * 0x80);
    cJSON_Delete(root);
}

static void test_json_overflow_sticks_and_never_writes_behind_the_end(void **state) {
    (void)state;
    char text[64];
    for (size_t size = 1; size < 40; size++) {
        struct json_writer w;
        memset(text, '#', sizeof text);
        json_init(&w, text, size);
        json_object(&w, NULL);
        json_string(&w, "abc", "defghijklmnopqrstuvwxyz");
        json_object_end(&w);
        assert_int_equal(w.overflow, size < sizeof "{\"abc\":\"defghijklmnopqrstuvwxyz\"}");
        assert_int_equal(text[size], '#');
    }
}

static void fill(void *memory, size_t size, unsigned seed) {
    unsigned char *bytes = memory;
    srandom(seed);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)random();
    }
}

static void test_status_json_full_and_random_statuses_are_valid_and_fit(void **state) {
    (void)state;
    static struct status status;
    static struct config config;
    size_t size = STATUS_JSON_SIZE(RM_SLOTS_MAX), longest = 0;
    char *text = malloc(size);
    assert_non_null(text);
    config_ring(&config, RM_SLOTS_MAX, RM_MODULES_PER_SLOT_MAX);
    for (unsigned seed = 0; seed < 40; seed++) {
        fill(&status, sizeof status, seed);
        if (seed % 2 == 1) {
            memset(&status, 0xff, sizeof status);
        }
        struct json_writer w;
        json_init(&w, text, size);
        json_object(&w, NULL);
        status_json(&w, &status, seed % 4 == 0 ? NULL : &config, 1000);
        json_object_end(&w);
        assert_false(w.overflow);
        longest = w.length > longest ? w.length : longest;
        cJSON *root = cJSON_Parse(text);
        assert_non_null(root);
        int guns = cJSON_GetArraySize(cJSON_GetObjectItem(root, "guns"));
        int others = cJSON_GetArraySize(cJSON_GetObjectItem(root, "slots_without_gun"));
        assert_int_equal(guns + others, RM_SLOTS_MAX);
        cJSON_Delete(root);
    }
    print_message("longest status: %zu of %zu bytes\n", longest, size);
    free(text);
}

static void test_status_json_unmeasured_values_are_null_and_words_are_words(void **state) {
    (void)state;
    static struct status status;
    static struct config config;
    static char text[64 * 1024];
    struct json_writer w;
    config_ring(&config, 2, 2);
    memset(&status, 0, sizeof status);
    status.slots = 2;
    status.boot_id = 0x1234;
    status.site_limit_w = 720000;
    status.site_limit_reason = LIMIT_REASON_LEASE;
    status.flags = STATUS_FLAG_DEVELOPMENT;
    status.slot[0].gun_state = GUN_STATE_CHARGING;
    status.slot[0].soc_pct = 57;
    status.slot[0].gun_mv = 400123;
    status.slot[0].insulation_ohm = STATUS_UNKNOWN;
    status.slot[0].state_since_mono_ns = 1000000000;
    status.slot[0].fault = FAULT_IMD_LOW;
    status.slot[0].faults = UINT64_C(1) << FAULT_IMD_LOW;
    status.slot[0].session_id = 0xbeef;
    status.slot[1].gun_state = GUN_STATE_AVAILABLE;
    status.slot[1].soc_pct = 255;
    status.slot[1].owner = -1;
    status.guide_slot = 1;
    status.slot[1].guide_now_w = 120000;
    json_init(&w, text, sizeof text);
    json_object(&w, NULL);
    status_json(&w, &status, &config, 3000000000);
    json_object_end(&w);
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    assert_string_equal(cJSON_GetObjectItem(root, "boot_id")->valuestring, "0000000000001234");
    assert_string_equal(cJSON_GetObjectItem(root, "site_limit_reason")->valuestring, "lease");
    assert_true(
        cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "flags"), "development")));
    cJSON *gun = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "guns"), 0);
    assert_int_equal(cJSON_GetObjectItem(gun, "connector")->valueint, 1);
    assert_string_equal(cJSON_GetObjectItem(gun, "state")->valuestring, "charging");
    assert_int_equal(cJSON_GetObjectItem(gun, "state_for_ms")->valueint, 2000);
    assert_int_equal(cJSON_GetObjectItem(gun, "soc_pct")->valueint, 57);
    assert_int_equal(cJSON_GetObjectItem(gun, "gun_mv")->valueint, 400123);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "insulation_ohm")));
    assert_string_equal(cJSON_GetObjectItem(gun, "fault")->valuestring, "IMD_LOW");
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(gun, "faults"), 0)->valuestring,
                        "IMD_LOW");
    assert_string_equal(cJSON_GetObjectItem(gun, "session_id")->valuestring, "000000000000beef");
    assert_int_equal(cJSON_GetObjectItem(gun, "owner_slot")->valueint, 0);
    const cJSON *guide = cJSON_GetObjectItem(root, "guide");
    assert_int_equal(cJSON_GetObjectItem(guide, "connector")->valueint, 2);
    assert_int_equal(cJSON_GetObjectItem(guide, "now_w")->valueint, 120000);
    gun = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "guns"), 1);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "owner_slot")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "soc_pct")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "fault")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "session_id")));
    cJSON_Delete(root);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, server_set_up, server_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_every_form_is_understood),
        cmocka_unit_test(test_request_what_is_not_understood_is_refused_with_its_place),
        cmocka_unit_test(test_request_deep_nesting_and_any_byte_do_no_harm),
        SERVER_TEST(test_server_lines_are_answered_in_order_in_any_pieces),
        SERVER_TEST(test_server_client_waiting_for_its_answer_holds_only_itself_up),
        SERVER_TEST(test_server_client_gone_before_its_answer_is_no_harm),
        SERVER_TEST(test_server_client_that_shut_its_side_gets_answers_and_then_the_end),
        SERVER_TEST(test_server_overlong_line_is_refused_and_the_next_one_served),
        SERVER_TEST(test_server_client_that_never_reads_is_not_waited_for),
        SERVER_TEST(test_server_more_clients_than_places_are_told),
        SERVER_TEST(test_server_stale_socket_is_taken_over_a_living_one_is_not),
        cmocka_unit_test(test_json_any_bytes_stay_valid_json),
        cmocka_unit_test(test_json_overflow_sticks_and_never_writes_behind_the_end),
        cmocka_unit_test(test_status_json_full_and_random_statuses_are_valid_and_fit),
        cmocka_unit_test(test_status_json_unmeasured_values_are_null_and_words_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
