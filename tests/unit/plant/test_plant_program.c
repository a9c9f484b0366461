/* The program's parts: what plant.sock answers, and the sockets of the wires. */
#include <errno.h>
#include <poll.h>
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

#include "tests/plant/counter.h"
#include "tests/plant/wires.h"

struct scene {
    struct config config;
    struct plant *plant;
    struct report_run run;
    struct counter_scene counter;
    int64_t now_us;
    struct frame_batch tx;
};

static struct scene *scene_create(void) {
    const struct plant_options options = {.seed = 1, .handshake = PLANT_HANDSHAKE_FAST};
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    config_ring(&s->config, 2, 2);
    s->now_us = 1000;
    s->plant = plant_create(&s->config, &options, s->now_us);
    assert_non_null(s->plant);
    s->run.first_charge_s = -1;
    s->counter = (struct counter_scene){
        .plant = s->plant, .config = &s->config, .run = &s->run, .mono_us = 5};
    return s;
}

static void scene_destroy(struct scene *s) {
    plant_destroy(s->plant);
    free(s);
}

static void advance(struct scene *s, int ms) {
    for (int i = 0; i < ms; i++) {
        s->now_us += 1000;
        frame_batch_clear(&s->tx);
        plant_step(s->plant, s->now_us, &s->tx);
    }
}

static cJSON *ask(struct scene *s, const char *line) {
    bool quit;
    char *text = counter_answer(line, &s->counter, &quit);
    assert_non_null(text);
    cJSON *answer = cJSON_Parse(text);
    assert_non_null(answer);
    free(text);
    return answer;
}

static void expect_ok(struct scene *s, const char *line, bool ok) {
    cJSON *answer = ask(s, line);
    const bool got = cJSON_IsTrue(cJSON_GetObjectItem(answer, "ok"));
    if (got != ok) {
        fail_msg("%s: %s", line, cJSON_PrintUnformatted(answer));
    }
    assert_true(ok || cJSON_IsString(cJSON_GetObjectItem(answer, "error")));
    cJSON_Delete(answer);
}

static void test_counter_good_requests_are_done(void **state) {
    (void)state;
    struct scene *s = scene_create();
    expect_ok(
        s, "{\"cmd\":\"plug\",\"gun\":1,\"model\":\"Tesla Model 3\",\"soc\":20,\"target_soc\":80}",
        true);
    advance(s, 100);
    struct plant_gun_state gun;
    assert_int_equal(plant_gun_state(s->plant, 1, &gun), PLANT_OK);
    assert_true(gun.plugged);
    expect_ok(s,
              "{\"cmd\":\"fault\",\"name\":\"contactor-weld\",\"gun\":1,\"contactor\":\"MN0\","
              "\"for_ms\":100}",
              true);
    expect_ok(s, "{\"cmd\":\"clear\",\"gun\":1}", true);
    expect_ok(s, "{\"cmd\":\"swipe\",\"gun\":2,\"token\":\"CAFE0001\"}", true);
    expect_ok(s, "{\"cmd\":\"estop\",\"pressed\":true}", true);
    expect_ok(s, "{\"cmd\":\"estop\",\"pressed\":false}", true);
    expect_ok(s, "{\"cmd\":\"stop\",\"gun\":1}", true);
    expect_ok(s, "{\"cmd\":\"unplug\",\"gun\":1}", true);
    expect_ok(s, "{\"cmd\":\"arrivals\",\"rate\":2}", true);
    expect_ok(s, "{\"cmd\":\"clear\"}", true);
    scene_destroy(s);
}

static void test_counter_bad_requests_are_refused_with_reason(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "nonsense",
        "[]",
        "{}",
        "{\"cmd\":5}",
        "{\"cmd\":\"dance\"}",
        "{\"cmd\":\"plug\"}",
        "{\"cmd\":\"plug\",\"gun\":3}",
        "{\"cmd\":\"plug\",\"gun\":\"1\"}",
        "{\"cmd\":\"plug\",\"gun\":1,\"model\":\"Hovercraft\"}",
        "{\"cmd\":\"plug\",\"gun\":1,\"model\":7}",
        "{\"cmd\":\"plug\",\"gun\":1,\"soc\":120}",
        "{\"cmd\":\"unplug\",\"gun\":1}",
        "{\"cmd\":\"stop\",\"gun\":1}",
        "{\"cmd\":\"swipe\",\"gun\":1}",
        "{\"cmd\":\"swipe\",\"gun\":1,\"token\":\"xyz\"}",
        "{\"cmd\":\"fault\"}",
        "{\"cmd\":\"fault\",\"name\":\"gremlin\",\"gun\":1}",
        "{\"cmd\":\"fault\",\"name\":\"hot-pin\"}",
        "{\"cmd\":\"fault\",\"name\":\"hot-pin\",\"gun\":1,\"for_ms\":-5}",
        "{\"cmd\":\"fault\",\"name\":\"module-trip\",\"gun\":1,\"module\":-1}",
        "{\"cmd\":\"estop\",\"pressed\":1}",
        "{\"cmd\":\"arrivals\"}",
        "{\"cmd\":\"arrivals\",\"rate\":-1}",
        "{\"cmd\":\"clear\",\"gun\":77}",
    };
    struct scene *s = scene_create();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_ok(s, bad[i], false);
    }
    scene_destroy(s);
}

static void test_counter_report_and_state_have_their_fields(void **state) {
    (void)state;
    static const char *const report_fields[] = {
        "sessions_started", "sessions_completed", "sessions_failed", "failures", "energy_wh",
        "hazards",          "hazard_list",        "first_charge_s",  "vehicles", "excused",
        "late_ms",          "late_worst_ms"};
    static const char *const gun_fields[] = {"gun",     "plugged", "gc_closed", "gc_opened_mono_ns",
                                             "modules", "soc",     "hlc_stage", "locked"};
    struct scene *s = scene_create();
    advance(s, 50);
    cJSON *report = ask(s, "{\"cmd\":\"report\"}");
    for (size_t i = 0; i < sizeof(report_fields) / sizeof(report_fields[0]); i++) {
        assert_non_null(cJSON_GetObjectItem(report, report_fields[i]));
    }
    assert_int_equal(cJSON_GetObjectItem(report, "hazards")->valueint, 0);
    cJSON_Delete(report);
    cJSON *hub = ask(s, "{\"cmd\":\"state\"}");
    assert_int_equal(cJSON_GetObjectItem(hub, "mono_ns")->valueint, 5000);
    const cJSON *guns = cJSON_GetObjectItem(hub, "guns");
    assert_int_equal(cJSON_GetArraySize(guns), 2);
    for (size_t i = 0; i < sizeof(gun_fields) / sizeof(gun_fields[0]); i++) {
        assert_non_null(cJSON_GetObjectItem(cJSON_GetArrayItem(guns, 1), gun_fields[i]));
    }
    cJSON_Delete(hub);
    scene_destroy(s);
}

static void test_counter_quit_is_told(void **state) {
    (void)state;
    struct scene *s = scene_create();
    bool quit;
    char *text = counter_answer("{\"cmd\":\"quit\"}", &s->counter, &quit);
    assert_true(quit);
    free(text);
    text = counter_answer("{\"cmd\":\"state\"}", &s->counter, &quit);
    assert_false(quit);
    free(text);
    scene_destroy(s);
}

/* ---- wires ---- */

struct heard {
    uint32_t count, interface;
    struct can_frame frame;
};

static void take(void *context, uint32_t interface, const struct can_frame *frame) {
    struct heard *heard = context;
    heard->count++;
    heard->interface = interface;
    heard->frame = *frame;
}

static const struct can_frame sample = {
    .can_id = 0x391u | CAN_EFF_FLAG, .len = 8, .data = {1, 2, 3, 4, 5, 6, 7, 8}};

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 1000) == 1;
}

static int connect_unix(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void expect_exchange(struct wires *w, int fd, uint32_t interface) {
    static struct frame_batch batch;
    struct heard heard = {0};
    struct can_frame got;
    assert_int_equal(send(fd, &sample, sizeof(sample), 0), sizeof(sample));
    wires_receive(w, take, &heard);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.interface, interface);
    assert_memory_equal(&heard.frame, &sample, sizeof(sample));
    frame_batch_clear(&batch);
    assert_true(frame_batch_push(&batch, (uint8_t)interface, &sample));
    wires_send(w, &batch);
    assert_true(readable(fd));
    assert_int_equal(recv(fd, &got, sizeof(got), 0), sizeof(got));
    assert_memory_equal(&got, &sample, sizeof(sample));
}

static void test_wires_unix_carry_frames_and_survive_reconnection(void **state) {
    (void)state;
    static struct config config;
    struct config_errors errors;
    char folder[] = "/tmp/ringmain-plant-XXXXXX", transport[64], path[128];
    assert_non_null(mkdtemp(folder));
    config_ring(&config, 2, 2);
    (void)snprintf(transport, sizeof(transport), "unix:%s", folder);
    assert_int_equal(config_override(&config, transport, NULL, NULL, &errors), 0);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    static struct wires w;
    assert_int_equal(wires_open(&w, &config, epoll, stderr), 0);
    (void)snprintf(path, sizeof(path), "%s/%s.sock", folder, config.interface[1].name);
    int fd = connect_unix(path);
    expect_exchange(&w, fd, 1);
    assert_int_equal(send(fd, &sample, 5, 0), 5); /* not a frame */
    struct heard heard = {0};
    wires_receive(&w, take, &heard);
    assert_int_equal(heard.count, 0);
    const int second = connect_unix(path); /* the newest peer counts */
    expect_exchange(&w, second, 1);
    close(fd);
    close(second);
    wires_receive(&w, take, &heard);
    fd = connect_unix(path);
    expect_exchange(&w, fd, 1);
    close(fd);
    wires_close(&w);
    assert_int_equal(access(path, F_OK), -1);
    close(epoll);
    assert_int_equal(rmdir(folder), 0);
}

static void test_wires_udp_learn_their_peer(void **state) {
    (void)state;
    static struct config config;
    struct config_errors errors;
    char transport[64];
    config_ring(&config, 1, 2);
    (void)snprintf(transport, sizeof(transport), "udp:127.0.0.1:%d",
                   20000 + (int)(getpid() % 20000));
    assert_int_equal(config_override(&config, transport, NULL, NULL, &errors), 0);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    static struct wires w;
    assert_int_equal(wires_open(&w, &config, epoll, stderr), 0);
    static struct frame_batch batch;
    assert_true(frame_batch_push(&batch, 0, &sample));
    wires_send(&w, &batch); /* nobody there yet: lost, no error */
    struct sockaddr_storage at;
    socklen_t length = sizeof(at);
    assert_int_equal(getsockname(w.wire[0].fd, (struct sockaddr *)&at, &length), 0);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, length), 0);
    expect_exchange(&w, fd, 0);
    close(fd);
    wires_close(&w);
    close(epoll);
}

static void test_wires_missing_interface_is_an_error_that_names_it(void **state) {
    (void)state;
    static struct config config;
    static struct wires w;
    char *text = NULL;
    size_t length = 0;
    config_ring(&config, 1, 1);
    for (uint32_t i = 0; i < config.interfaces; i++) {
        config.interface[i].transport = CAN_TRANSPORT_SOCKETCAN;
    }
    (void)snprintf(config.interface[0].name, sizeof(config.interface[0].name), "nocan7");
    FILE *err = open_memstream(&text, &length);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(wires_open(&w, &config, epoll, err) < 0);
    (void)fclose(err);
    assert_non_null(strstr(text, "nocan7"));
    free(text);
    close(epoll);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_good_requests_are_done),
        cmocka_unit_test(test_counter_bad_requests_are_refused_with_reason),
        cmocka_unit_test(test_counter_report_and_state_have_their_fields),
        cmocka_unit_test(test_counter_quit_is_told),
        cmocka_unit_test(test_wires_unix_carry_frames_and_survive_reconnection),
        cmocka_unit_test(test_wires_udp_learn_their_peer),
        cmocka_unit_test(test_wires_missing_interface_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
