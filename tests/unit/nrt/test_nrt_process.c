/* The real ringmain-nrt against a fake rt: attaching, authorising, leases, sessions, its socket, its end.
 * Arguments: the program, a configuration. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/nrt/fake_rt.h"

#define GUNS 12

static const char *program, *config_path;
static struct fake_rt rt;
static char folder[64], shm_name[SHM_NAME_MAX];
static int nrt_pid;

static void path_of(char *out, size_t size, const char *name) {
    snprintf(out, size, "%s/%s", folder, name);
}

static const char *used_config;

static void start_nrt(void) {
    char log[128];
    path_of(log, sizeof log, "log");
    const char *arguments[] = {program,        "--config", used_config, "--shm", shm_name,
                               "--run-folder", folder,     "--log",     log,     NULL};
    nrt_pid = fake_spawn(folder, arguments);
}

static void stop_nrt(void) {
    kill(nrt_pid, SIGTERM);
    int status = fake_wait_exit(nrt_pid, 5000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    nrt_pid = 0;
}

static int set_up(void **state) {
    (void)state;
    used_config = config_path;
    fake_place(folder, shm_name);
    return 0;
}

/* The same hub with something else under "nrt". */
static void change_config(const char *key, cJSON *value) {
    static char changed[128];
    size_t length;
    char *text = fake_read(config_path, &length);
    cJSON *root = cJSON_Parse(text);
    cJSON *nrt = cJSON_GetObjectItemCaseSensitive(root, "nrt");
    if (nrt == NULL) {
        nrt = cJSON_AddObjectToObject(root, "nrt");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(nrt, key);
    cJSON_AddItemToObject(nrt, key, value);
    char *printed = cJSON_Print(root);
    path_of(changed, sizeof changed, "config.json");
    FILE *file = fopen(changed, "w");
    assert_non_null(file);
    fputs(printed, file);
    fclose(file);
    used_config = changed;
    free(printed);
    free(text);
    cJSON_Delete(root);
}

static int tear_down(void **state) {
    (void)state;
    if (nrt_pid != 0) {
        kill(nrt_pid, SIGKILL);
        (void)fake_wait_exit(nrt_pid, 5000);
        nrt_pid = 0;
    }
    fake_clean(folder, shm_name);
    return 0;
}

static bool stderr_has(const char *text, int *times) {
    char path[128];
    size_t length;
    path_of(path, sizeof path, "stderr");
    char *said = fake_read(path, &length);
    int count = 0;
    for (char *at = strstr(said, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    free(said);
    if (times != NULL) {
        *times = count;
    }
    return count > 0;
}

static bool answer_is_ok(const char *answer) {
    cJSON *root = cJSON_Parse(answer);
    bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "ok"));
    cJSON_Delete(root);
    return ok;
}

static void test_nrt_started_before_rt_waits_says_so_once_and_attaches(void **state) {
    (void)state;
    start_nrt();
    fake_sleep_ms(700);
    int times = 0;
    assert_true(stderr_has("Waiting", &times));
    assert_int_equal(times, 1);
    fake_open(&rt, shm_name, GUNS, 0x11);
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    assert_true(stderr_has("boot 0000000000000011", NULL));
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_attached_leases_the_site_limit_and_renews_it_every_third(void **state) {
    (void)state;
    change_config("leaseSeconds", cJSON_CreateNumber(6));
    fake_open(&rt, shm_name, GUNS, 0x12);
    start_nrt();
    int first = fake_run(&rt, 5000, COMMAND_SITE_LIMIT);
    assert_true(first >= 0);
    int64_t first_ns = fake_now_ns();
    assert_int_equal(rt.command[first].value, rt.config.nrt.site_limit_w);
    assert_int_equal(rt.command[first].a, LIMIT_REASON_LEASE);
    int64_t life_ns = rt.command[first].expires_mono_ns - first_ns;
    assert_true(life_ns > INT64_C(5000000000) && life_ns <= INT64_C(6000000000));
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    int64_t gap_ns = fake_now_ns() - first_ns;
    assert_true(gap_ns > INT64_C(1800000000) && gap_ns < INT64_C(3500000000));
    stop_nrt();
    fake_close(&rt);
}

/* The driver's card: unknown is denied, known authorises, the same card later stops. */
static void test_nrt_local_list_denies_authorises_and_stops_by_card(void **state) {
    (void)state;
    char path[128];
    path_of(path, sizeof path, "list.json");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"tokens\":[\"04A1\"]}", file);
    fclose(file);
    change_config("authMode", cJSON_CreateString("localList"));
    cJSON *list = cJSON_CreateString(path);
    const char *saved = config_path;
    config_path = used_config; /* change the changed one */
    change_config("localListFile", list);
    config_path = saved;
    fake_open(&rt, shm_name, GUNS, 0x29);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    fake_state(&rt, 0, GUN_STATE_PLUGGED);
    (void)fake_run(&rt, 300, 0);
    assert_int_equal(fake_count(&rt, COMMAND_AUTHORISE), 0);
    struct event card = {.type = EVENT_IDENTITY, .slot = 0, .a = IDENTITY_RFID, .text = "BAD0"};
    fake_event(&rt, card);
    int at = fake_run(&rt, 3000, COMMAND_DENY);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].slot, 0);
    memcpy(card.text, "04a1", 4);
    fake_event(&rt, card);
    at = fake_run(&rt, 3000, COMMAND_AUTHORISE);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].a, AUTH_SOURCE_LOCAL_LIST);
    assert_string_equal(rt.command[at].text, "04a1");
    /* charging since ten seconds, as rt's running record says */
    rt.sessions[0].running = (struct session_record){
        .session_id = 5, .start_mono_ns = fake_now_ns() - INT64_C(10000000000), .id_token = "04a1"};
    shm_rt_sessions(&rt.shm, 0, &rt.sessions[0]);
    fake_state(&rt, 0, GUN_STATE_CHARGING);
    (void)fake_run(&rt, 300, 0);
    fake_event(&rt, card);
    at = fake_run(&rt, 3000, COMMAND_STOP);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].a, STOP_REASON_LOCAL);
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_free_vend_authorises_a_plugged_gun_once(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x13);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    fake_event(&rt, (struct event){.type = EVENT_PLUGGED, .slot = 4});
    fake_state(&rt, 4, GUN_STATE_PLUGGED);
    int at = fake_run(&rt, 3000, COMMAND_AUTHORISE);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].slot, 4);
    assert_int_equal(rt.command[at].a, AUTH_SOURCE_FREE_VEND);
    (void)fake_run(&rt, 500, 0);
    assert_int_equal(fake_count(&rt, COMMAND_AUTHORISE), 1);
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_attaching_to_a_gun_already_plugged_authorises_it(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x14);
    rt.status.slot[7].gun_state = GUN_STATE_PLUGGED; /* and no event tells it */
    start_nrt();
    int at = fake_run(&rt, 5000, COMMAND_AUTHORISE);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].slot, 7);
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_rt_started_anew_attaches_again_and_leases_again(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x15);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    fake_close(&rt);
    fake_sleep_ms(900);
    assert_true(stderr_has("silent", NULL));
    fake_open(&rt, shm_name, GUNS, 0x16);
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    assert_true(stderr_has("boot 0000000000000016", NULL));
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_segment_removed_and_made_anew_attaches_to_the_new_one(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x25);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    struct fake_rt *old = malloc(sizeof *old);
    assert_non_null(old);
    memcpy(old, &rt, sizeof rt);
    assert_int_equal(shm_unlink_all(shm_name), 0);
    fake_close(old);
    free(old);
    fake_open(&rt, shm_name, GUNS, 0x26);
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    assert_true(stderr_has("boot 0000000000000026", NULL));
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_finished_session_is_written_once_and_acknowledged(void **state) {
    (void)state;
    char path[128];
    size_t length;
    fake_open(&rt, shm_name, GUNS, 0x17);
    assert_true(fake_finish_session(&rt, 2, 0xabcd));
    start_nrt();
    int at = fake_run(&rt, 5000, COMMAND_ACK_SESSION);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].value, 0xabcd);
    (void)fake_run(&rt, 300, 0);
    assert_int_equal(rt.sessions[2].finished_count, 0);
    stop_nrt();
    path_of(path, sizeof path, "log.sessions.jsonl");
    char *text = fake_read(path, &length);
    char *first = strstr(text, "{\"session_id\":\"000000000000abcd\"");
    assert_non_null(first);
    assert_null(strstr(first + 1, "{\"session_id\""));
    free(text);
    fake_close(&rt);
}

static void
test_nrt_record_on_disk_whose_acknowledgement_was_lost_is_not_written_again(void **state) {
    (void)state;
    char path[128];
    size_t length;
    fake_open(&rt, shm_name, GUNS, 0x18);
    rt.mute = true; /* the acknowledgement comes to nothing */
    assert_true(fake_finish_session(&rt, 2, 0x77));
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_ACK_SESSION) >= 0);
    kill(nrt_pid, SIGKILL);
    assert_true(WIFSIGNALED(fake_wait_exit(nrt_pid, 5000)));
    rt.mute = false;
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_ACK_SESSION) >= 0);
    stop_nrt();
    path_of(path, sizeof path, "log.sessions.jsonl");
    char *text = fake_read(path, &length);
    assert_int_equal(length, strlen(text));
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    free(text);
    fake_close(&rt);
}

static void test_nrt_socket_commands_reach_rt_and_refusals_come_back(void **state) {
    (void)state;
    static char answer[512 * 1024];
    fake_open(&rt, shm_name, GUNS, 0x19);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);

    fake_ask(&rt, folder, "{\"cmd\":\"ping\"}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    fake_ask(&rt, folder, "{\"cmd\":\"stop\",\"gun\":3}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    assert_int_equal(rt.command[rt.commands - 1].type, COMMAND_STOP);
    assert_int_equal(rt.command[rt.commands - 1].slot, 2);
    assert_int_equal(rt.command[rt.commands - 1].a, STOP_REASON_REMOTE);
    fake_ask(&rt, folder, "{\"cmd\":\"clear\",\"fault\":\"IMD_LOW\"}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    assert_int_equal(rt.command[rt.commands - 1].slot, EVENT_SLOT_NONE);
    assert_int_equal(rt.command[rt.commands - 1].a, FAULT_IMD_LOW);
    rt.refuse[COMMAND_STOP] = COMMAND_STATUS_STATE;
    fake_ask(&rt, folder, "{\"cmd\":\"stop\",\"gun\":3}", answer, sizeof answer);
    assert_false(answer_is_ok(answer));
    assert_non_null(strstr(answer, "gun 3"));
    fake_ask(&rt, folder, "{\"cmd\":\"stop\",\"gun\":99}", answer, sizeof answer);
    assert_false(answer_is_ok(answer));
    assert_non_null(strstr(answer, "no connector 99"));
    fake_ask(&rt, folder, "nonsense", answer, sizeof answer);
    assert_false(answer_is_ok(answer));
    fake_ask(&rt, folder, "{\"cmd\":\"status\"}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    rt.mute = true;
    fake_ask(&rt, folder, "{\"cmd\":\"stop\",\"gun\":1}", answer, sizeof answer);
    assert_false(answer_is_ok(answer));
    assert_non_null(strstr(answer, "did not answer"));
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_limit_outlives_a_kill_until_taken_back(void **state) {
    (void)state;
    static char answer[4096];
    fake_open(&rt, shm_name, GUNS, 0x20);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    fake_ask(&rt, folder, "{\"cmd\":\"limit\",\"kw\":123.5}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    assert_int_equal(rt.command[rt.commands - 1].value, 123500);
    fake_ask(&rt, folder, "{\"cmd\":\"limit\",\"kw\":50,\"gun\":5}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    kill(nrt_pid, SIGKILL);
    assert_true(WIFSIGNALED(fake_wait_exit(nrt_pid, 5000)));
    start_nrt();
    int site = fake_run(&rt, 5000, COMMAND_SITE_LIMIT);
    assert_true(site >= 0);
    assert_int_equal(rt.command[site].value, 123500);
    (void)fake_run(&rt, 300, 0);
    bool gun_seen = false;
    for (uint32_t i = (uint32_t)site; i < rt.commands; i++) {
        gun_seen = gun_seen || (rt.command[i].type == COMMAND_GUN_LIMIT &&
                                rt.command[i].slot == 4 && rt.command[i].value == 50000);
    }
    assert_true(gun_seen);
    fake_ask(&rt, folder, "{\"cmd\":\"limit\",\"kw\":null}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    assert_int_equal(rt.command[rt.commands - 1].value, rt.config.nrt.site_limit_w);
    fake_ask(&rt, folder, "{\"cmd\":\"limit\",\"kw\":99999}", answer, sizeof answer);
    assert_false(answer_is_ok(answer));
    assert_non_null(strstr(answer, "grid limit"));
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_latches_are_kept_and_told_to_an_rt_that_lost_them(void **state) {
    (void)state;
    uint64_t latched[RM_SLOTS_MAX] = {0};
    const uint64_t weld = UINT64_C(1) << FAULT_CONTACTOR_WELDED;
    fake_open(&rt, shm_name, GUNS, 0x21);
    latched[3] = weld;
    shm_rt_latches(&rt.shm, latched, false, true);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    (void)fake_run(&rt, 500, 0);
    /* the machine lost its memory: a new segment, latches unknown */
    fake_close(&rt);
    assert_int_equal(shm_unlink_all(shm_name), 0);
    fake_open(&rt, shm_name, GUNS, 0x22);
    for (uint32_t i = 0; i < GUNS; i++) {
        rt.status.slot[i].faults = UINT64_C(1) << FAULT_LATCH_UNKNOWN;
    }
    (void)fake_run(&rt, 2500, 0);
    for (uint32_t i = 0; i < GUNS; i++) {
        assert_int_equal(rt.status.slot[i].faults, i == 3 ? weld : 0);
    }
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_gun_out_of_service_stays_so_when_rt_starts_anew(void **state) {
    (void)state;
    static char answer[4096];
    fake_open(&rt, shm_name, GUNS, 0x23);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    fake_ask(&rt, folder, "{\"cmd\":\"availability\",\"gun\":2,\"operative\":false}", answer,
             sizeof answer);
    assert_true(answer_is_ok(answer));
    assert_int_equal(rt.status.slot[1].flags & STATUS_SLOT_OPERATIVE, 0);
    fake_close(&rt);
    fake_open(&rt, shm_name, GUNS, 0x24);
    int at = fake_run(&rt, 5000, COMMAND_AVAILABILITY);
    assert_true(at >= 0);
    assert_int_equal(rt.command[at].slot, 1);
    assert_int_equal(rt.command[at].a, 0);
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_second_process_with_the_same_log_refuses_to_start(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x27);
    start_nrt();
    int first = nrt_pid;
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    start_nrt();
    int status = fake_wait_exit(nrt_pid, 5000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(stderr_has("another ringmain-nrt", NULL));
    nrt_pid = first;
    stop_nrt();
    fake_close(&rt);
}

static void test_nrt_file_that_is_no_event_log_is_refused_and_left_alone(void **state) {
    (void)state;
    char path[128];
    size_t length;
    path_of(path, sizeof path, "log");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("precious notes\n", file);
    fclose(file);
    start_nrt();
    int status = fake_wait_exit(nrt_pid, 5000);
    nrt_pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    char *text = fake_read(path, &length);
    assert_string_equal(text, "precious notes\n");
    free(text);
}

static void test_nrt_tells_the_service_manager_that_it_is_ready(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    path_of(address.sun_path, sizeof address.sun_path, "notify.sock");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "200000", 1);
    start_nrt();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    bool ready = false, pinged = false;
    for (int i = 0; i < 3000 && !(ready && pinged); i++) {
        char text[128] = "";
        ssize_t count = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
        ready = ready || (count > 0 && strcmp(text, "READY=1") == 0);
        pinged = pinged || (count > 0 && strcmp(text, "WATCHDOG=1") == 0);
        fake_sleep_ms(1);
    }
    close(fd);
    assert_true(ready);
    assert_true(pinged);
    stop_nrt();
}

static void test_nrt_resident_memory_stays_below_16_mib(void **state) {
    (void)state;
    static char answer[512 * 1024];
    char path[64], line[256];
    long peak_kib = -1;
    fake_open(&rt, shm_name, GUNS, 0x28);
    start_nrt();
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
    for (int i = 0; i < 20000; i++) {
        fake_event(&rt, (struct event){.type = EVENT_METER, .slot = (uint16_t)(i % GUNS)});
        if (i % 1000 == 0) {
            (void)fake_run(&rt, 20, 0);
        }
    }
    fake_ask(&rt, folder, "{\"cmd\":\"status\"}", answer, sizeof answer);
    assert_true(answer_is_ok(answer));
    snprintf(path, sizeof path, "/proc/%d/status", nrt_pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmHWM: %ld", &peak_kib);
    }
    fclose(file);
    print_message("ringmain-nrt peak resident memory: %ld KiB\n", peak_kib);
    assert_true(peak_kib > 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kib < 16 * 1024);
#endif
    stop_nrt();
    fake_close(&rt);
}

#define NRT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        NRT_TEST(test_nrt_started_before_rt_waits_says_so_once_and_attaches),
        NRT_TEST(test_nrt_attached_leases_the_site_limit_and_renews_it_every_third),
        NRT_TEST(test_nrt_local_list_denies_authorises_and_stops_by_card),
        NRT_TEST(test_nrt_free_vend_authorises_a_plugged_gun_once),
        NRT_TEST(test_nrt_attaching_to_a_gun_already_plugged_authorises_it),
        NRT_TEST(test_nrt_rt_started_anew_attaches_again_and_leases_again),
        NRT_TEST(test_nrt_segment_removed_and_made_anew_attaches_to_the_new_one),
        NRT_TEST(test_nrt_finished_session_is_written_once_and_acknowledged),
        NRT_TEST(test_nrt_record_on_disk_whose_acknowledgement_was_lost_is_not_written_again),
        NRT_TEST(test_nrt_socket_commands_reach_rt_and_refusals_come_back),
        NRT_TEST(test_nrt_limit_outlives_a_kill_until_taken_back),
        NRT_TEST(test_nrt_latches_are_kept_and_told_to_an_rt_that_lost_them),
        NRT_TEST(test_nrt_gun_out_of_service_stays_so_when_rt_starts_anew),
        NRT_TEST(test_nrt_second_process_with_the_same_log_refuses_to_start),
        NRT_TEST(test_nrt_file_that_is_no_event_log_is_refused_and_left_alone),
        NRT_TEST(test_nrt_tells_the_service_manager_that_it_is_ready),
        NRT_TEST(test_nrt_resident_memory_stays_below_16_mib),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: %s RINGMAIN-NRT CONFIG\n", argv[0]);
        return 2;
    }
    program = argv[1];
    config_path = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
