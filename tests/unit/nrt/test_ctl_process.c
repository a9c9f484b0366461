/* The real ringmainctl against a fake rt, the real ringmain-nrt and a virtual hub that only listens: output, exit codes.
 * Arguments: ringmainctl, ringmain-nrt, a configuration. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
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

static const char *ctl_program, *nrt_program, *config_path;
static struct fake_rt rt;
static char folder[64], shm_name[SHM_NAME_MAX];
static char out[512 * 1024], err[8192];
static int nrt_pid, plant_fd;
static char plant_heard[1024];
static const char *plant_answer;

static void start_nrt(void) {
    char log[128];
    snprintf(log, sizeof log, "%s/log", folder);
    const char *arguments[] = {nrt_program,    "--config", config_path, "--shm", shm_name,
                               "--run-folder", folder,     "--log",     log,     NULL};
    nrt_pid = fake_spawn(folder, arguments);
    assert_true(fake_run(&rt, 5000, COMMAND_SITE_LIMIT) >= 0);
}

static void stop_nrt(void) {
    if (nrt_pid != 0) {
        kill(nrt_pid, SIGTERM);
        (void)fake_wait_exit(nrt_pid, 5000);
        nrt_pid = 0;
    }
}

static int set_up(void **state) {
    (void)state;
    fake_place(folder, shm_name);
    plant_fd = -1;
    plant_heard[0] = '\0';
    plant_answer = "{\"ok\":true,\"hazards\":0}\n";
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stop_nrt();
    if (plant_fd >= 0) {
        close(plant_fd);
    }
    fake_clean(folder, shm_name);
    return 0;
}

static void open_plant(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/plant.sock", folder);
    plant_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(plant_fd >= 0);
    assert_int_equal(bind(plant_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(plant_fd, 4), 0);
}

static void serve_plant(void) {
    int fd = plant_fd >= 0 ? accept4(plant_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    size_t length = 0;
    ssize_t count = 1;
    plant_heard[0] = '\0';
    /* a request ends with its newline, in however many pieces it comes */
    while (count > 0 && strchr(plant_heard, '\n') == NULL && length < sizeof plant_heard - 1) {
        count = recv(fd, plant_heard + length, sizeof plant_heard - 1 - length, 0);
        length += count > 0 ? (size_t)count : 0;
        plant_heard[length] = '\0';
    }
    plant_heard[strcspn(plant_heard, "\n")] = '\0';
    (void)!send(fd, plant_answer, strlen(plant_answer), MSG_NOSIGNAL);
    close(fd);
}

static void drain(int fd, char *text, size_t size, size_t *length) {
    ssize_t count = read(fd, text + *length, size - 1 - *length);
    if (count > 0) {
        *length += (size_t)count;
    }
    text[*length] = '\0';
}

/* Runs ringmainctl with the words (split at spaces) while the hub lives; its exit code. */
static int ctl(const char *words) {
    char copy[512];
    char *arguments[32] = {(char *)(uintptr_t)ctl_program, (char *)(uintptr_t) "--shm", shm_name,
                           (char *)(uintptr_t) "--run-folder", folder};
    size_t n = 5, out_length = 0, err_length = 0;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, " "); word != NULL && n < 31; word = strtok(NULL, " ")) {
        arguments[n++] = word;
    }
    if (rt.shm.segment != NULL) {
        fake_tick(&rt); /* what the test set is published before anybody reads */
    }
    int out_pipe[2], err_pipe[2];
    assert_int_equal(pipe2(out_pipe, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(err_pipe, O_CLOEXEC | O_NONBLOCK), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out_pipe[1], STDOUT_FILENO);
        dup2(err_pipe[1], STDERR_FILENO);
        (void)fcntl(STDOUT_FILENO, F_SETFL, 0);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        execv(ctl_program, arguments);
        _exit(127);
    }
    close(out_pipe[1]);
    close(err_pipe[1]);
    int status = -1;
    for (int i = 0; i < 15000; i++) {
        if (rt.shm.segment != NULL) {
            fake_tick(&rt);
        }
        serve_plant();
        drain(out_pipe[0], out, sizeof out, &out_length);
        drain(err_pipe[0], err, sizeof err, &err_length);
        if (status != -1) {
            break;
        }
        if (waitpid(pid, &status, WNOHANG) != pid) {
            status = -1;
        }
        fake_sleep_ms(1);
    }
    drain(out_pipe[0], out, sizeof out, &out_length);
    drain(err_pipe[0], err, sizeof err, &err_length);
    close(out_pipe[0]);
    close(err_pipe[0]);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void end_rt(void) {
    fake_close(&rt);
    memset(&rt, 0, sizeof rt);
}

static void test_ctl_without_a_hub_says_so_with_code_3(void **state) {
    (void)state;
    static const char *const WORDS[] = {"status", "status --json", "latency", "top --once",
                                        "events", "limit 100",     "clear",   "plug 1"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        assert_int_equal(ctl(WORDS[i]), 3);
        if (strcmp(WORDS[i], "top --once") != 0) {
            assert_true(strncmp(err, "ringmainctl: ", 13) == 0);
        }
    }
}

static void test_ctl_wrong_usage_is_code_2(void **state) {
    (void)state;
    static const char *const WORDS[] = {"",
                                        "dance",
                                        "--nonsense",
                                        "status extra",
                                        "status --gun 1",
                                        "top",
                                        "top --once --width 7",
                                        "events --lines x",
                                        "limit",
                                        "limit many",
                                        "limit 100 200",
                                        "limit nan",
                                        "limit 100 --for 0",
                                        "limit 100 --gun one",
                                        "stop",
                                        "stop 0",
                                        "availability 1",
                                        "availability 1 maybe",
                                        "reserve 1 AB",
                                        "plug",
                                        "plug 1 --soc 101",
                                        "swipe 1",
                                        "fault",
                                        "fault X --for -1",
                                        "estop",
                                        "estop hit",
                                        "clear --plant IMD_LOW",
                                        "check",
                                        "help dance"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (ctl(WORDS[i]) != 2) {
            fail_msg("\"%s\" is not refused: %s", WORDS[i], err);
        }
        assert_true(err[0] != '\0');
    }
    (void)ctl("top");
    assert_non_null(strstr(err, "ringmainctl status"));
}

static void test_ctl_help_and_version_need_no_hub(void **state) {
    (void)state;
    assert_int_equal(ctl("help"), 0);
    assert_non_null(strstr(out, "reset-estop"));
    assert_non_null(strstr(out, "Exit codes"));
    assert_int_equal(ctl("help fault"), 0);
    assert_non_null(strstr(out, "--contactor"));
    assert_int_equal(ctl("fault --help"), 0);
    assert_int_equal(ctl("--version"), 0);
    assert_non_null(strstr(out, "ringmainctl "));
    char words[256];
    snprintf(words, sizeof words, "check %s", config_path);
    assert_int_equal(ctl(words), 0);
    assert_int_equal(ctl("check /nowhere/charger.json"), 2);
}

static void test_ctl_status_json_is_the_status(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x31);
    rt.status.slot[3].gun_state = GUN_STATE_CHARGING;
    rt.status.slot[3].power_w = 123456;
    assert_int_equal(ctl("status --json"), 0);
    cJSON *root = cJSON_Parse(out);
    assert_non_null(root);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(root, "rt_alive")));
    cJSON *gun = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "guns"), 3);
    assert_int_equal(cJSON_GetObjectItem(gun, "connector")->valueint, 4);
    assert_int_equal(cJSON_GetObjectItem(gun, "power_w")->valueint, 123456);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(gun, "interface"))); /* no configuration known */
    cJSON_Delete(root);
    start_nrt(); /* leaves the link to its configuration */
    assert_int_equal(ctl("status --json"), 0);
    root = cJSON_Parse(out);
    gun = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "guns"), 11);
    assert_int_equal(cJSON_GetObjectItem(gun, "interface")->valueint,
                     1); /* plc1 has guns 7 to 12 */
    cJSON_Delete(root);
    end_rt();
}

static void test_ctl_status_of_a_silent_rt_is_shown_with_code_3(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x32);
    end_rt();
    fake_sleep_ms(1200);
    assert_int_equal(ctl("status"), 3);
    assert_non_null(strstr(err, "SILENT"));
    assert_non_null(strstr(out, "available"));
    assert_int_equal(ctl("status --json"), 3);
    assert_non_null(strstr(out, "\"rt_alive\":false"));
}

static void test_ctl_other_layout_is_code_4(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x33);
    rt.shm.segment->header.version = 99;
    assert_int_equal(ctl("status"), 4);
    assert_non_null(strstr(err, "layout"));
    assert_int_equal(ctl("latency --json"), 4);
    rt.shm.segment->header.version = SHM_LAYOUT_VERSION;
    end_rt();
}

static void test_ctl_interventions_reach_rt_through_nrt(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x34);
    start_nrt();
    static const struct {
        const char *words;
        uint16_t type, slot, a;
    } DONE[] = {
        {"clear", COMMAND_CLEAR_FAULT, EVENT_SLOT_NONE, 0},
        {"clear --gun 2 IMD_LOW", COMMAND_CLEAR_FAULT, 1, FAULT_IMD_LOW},
        {"reset-estop", COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0},
        {"stop 5", COMMAND_STOP, 4, STOP_REASON_REMOTE},
        {"authorise 5 04A1", COMMAND_AUTHORISE, 4, AUTH_SOURCE_REMOTE},
        {"availability 5 inoperative", COMMAND_AVAILABILITY, 4, 0},
        {"availability 5 operative", COMMAND_AVAILABILITY, 4, 1},
        {"reserve 5 04A1 --for 60", COMMAND_RESERVE, 4, 1},
        {"reserve 5 04A1 --for 0", COMMAND_RESERVE, 4, 0},
        {"limit 55.5 --gun 5 --for 60", COMMAND_GUN_LIMIT, 4, LIMIT_REASON_PROFILE},
        {"limit off --gun 5", COMMAND_GUN_LIMIT, 4, LIMIT_REASON_PROFILE},
        {"limit 300", COMMAND_SITE_LIMIT, EVENT_SLOT_NONE, LIMIT_REASON_LEASE},
    };
    for (size_t i = 0; i < sizeof DONE / sizeof DONE[0]; i++) {
        uint32_t before = rt.commands;
        assert_int_equal(ctl(DONE[i].words), 0);
        bool seen = false;
        for (uint32_t c = before; c < rt.commands; c++) {
            seen = seen || (rt.command[c].type == DONE[i].type &&
                            rt.command[c].slot == DONE[i].slot && rt.command[c].a == DONE[i].a);
        }
        if (!seen) {
            fail_msg("\"%s\" did not reach rt", DONE[i].words);
        }
    }
    rt.refuse[COMMAND_CLEAR_FAULT] = COMMAND_STATUS_LATCHED;
    assert_int_equal(ctl("clear --gun 2"), 1);
    assert_non_null(strstr(err, "gun 2: refused"));
    assert_int_equal(ctl("limit 300 --gun 99"), 1);
    end_rt();
}

static void test_ctl_virtual_hub_gets_what_was_said(void **state) {
    (void)state;
    static const struct {
        const char *words, *request;
    } SAID[] = {
        {"plug 3", "{\"cmd\":\"plug\",\"gun\":3}"},
        {"plug 3 --model Taycan --soc 20 --target-soc 80.5",
         "{\"cmd\":\"plug\",\"gun\":3,\"model\":\"Taycan\",\"soc\":20.0,\"target_soc\":80.5}"},
        {"unplug 3", "{\"cmd\":\"unplug\",\"gun\":3,\"force\":false}"},
        {"unplug 3 --force", "{\"cmd\":\"unplug\",\"gun\":3,\"force\":true}"},
        {"stop 3 --plant", "{\"cmd\":\"stop\",\"gun\":3}"},
        {"swipe 3 04A1B2C3", "{\"cmd\":\"swipe\",\"gun\":3,\"token\":\"04A1B2C3\"}"},
        {"fault weld --gun 3 --contactor GC --module 1 --value -0.5 --for 1.5",
         "{\"cmd\":\"fault\",\"name\":\"weld\",\"gun\":3,\"module\":1,\"contactor\":\"GC\","
         "\"value\":-0.500,"
         "\"for_ms\":1500}"},
        {"fault --clear --gun 3", "{\"cmd\":\"clear\",\"gun\":3}"},
        {"clear --plant", "{\"cmd\":\"clear\"}"},
        {"estop press", "{\"cmd\":\"estop\",\"pressed\":true}"},
        {"estop release", "{\"cmd\":\"estop\",\"pressed\":false}"},
    };
    open_plant();
    for (size_t i = 0; i < sizeof SAID / sizeof SAID[0]; i++) {
        assert_int_equal(ctl(SAID[i].words), 0);
        assert_string_equal(plant_heard, SAID[i].request);
        assert_string_equal(out, "ok\n");
    }
    plant_answer = "{\"ok\":false,\"error\":\"gun 3: no vehicle\"}\n";
    assert_int_equal(ctl("unplug 3"), 1);
    assert_string_equal(err, "ringmainctl: gun 3: no vehicle\n");
    plant_answer = "what?\n";
    assert_int_equal(ctl("unplug 3"), 1);
    plant_answer = "{\"ok\":true";
    assert_int_equal(ctl("unplug 3"), 3); /* hung up in the middle */
}

static void test_ctl_events_and_top_once_show_what_happened(void **state) {
    (void)state;
    fake_open(&rt, shm_name, GUNS, 0x35);
    open_plant();
    plant_answer = "{\"ok\":true,\"hazards\":3}\n";
    start_nrt();
    for (uint16_t i = 0; i < 30; i++) {
        fake_event(&rt, (struct event){.type = EVENT_PLUGGED, .slot = (uint16_t)(i % GUNS)});
    }
    (void)fake_run(&rt, 400, 0);
    assert_int_equal(ctl("events"), 0);
    int lines = 0;
    for (const char *c = out; *c != '\0'; c++) {
        lines += *c == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 20);
    assert_non_null(strstr(out, "gun 1: vehicle plugged in"));
    assert_int_equal(ctl("events --lines 1 --json"), 0);
    cJSON *root = cJSON_Parse(out);
    assert_string_equal(cJSON_GetObjectItem(root, "type")->valuestring, "plugged");
    assert_int_equal(cJSON_GetObjectItem(root, "seq")->valueint, 30);
    cJSON_Delete(root);
    assert_int_equal(ctl("top --once --width 80"), 0);
    assert_non_null(strstr(out, "hazards 3"));
    assert_non_null(strstr(out, "ringmain-1"));
    assert_non_null(strstr(out, "vehicle plugged in"));
    assert_int_equal(ctl("latency --json"), 0);
    root = cJSON_Parse(out);
    assert_non_null(cJSON_GetObjectItem(root, "planner_wake"));
    cJSON_Delete(root);
    end_rt();
}

/* The live view in a terminal of its own: enters the alternate screen, follows a resize, q leaves everything as it was. */
static void test_ctl_top_on_a_terminal_draws_resizes_and_leaves_cleanly(void **state) {
    (void)state;
    static char screen[512 * 1024];
    size_t length = 0;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    int master;
    fake_open(&rt, shm_name, GUNS, 0x36);
    rt.status.flags = STATUS_FLAG_DEVELOPMENT;
    pid_t pid = forkpty(&master, NULL, NULL, &size);
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        unsetenv("NO_COLOR");
        execl(ctl_program, ctl_program, "--shm", shm_name, "--run-folder", folder, "top",
              (char *)NULL);
        _exit(127);
    }
    assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    int status = -1;
    for (int i = 0; i < 4000 && status == -1; i++) {
        fake_tick(&rt);
        drain(master, screen, sizeof screen, &length);
        if (i == 700) {
            size.ws_col = 132;
            assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
        }
        if (i == 1500) {
            assert_int_equal(write(master, "xq", 2), 2);
        }
        if (waitpid(pid, &status, WNOHANG) != pid) {
            status = -1;
        }
        fake_sleep_ms(1);
    }
    drain(master, screen, sizeof screen, &length);
    close(master);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *enter = strstr(screen, "\x1b[?1049h");
    char *leave = strstr(screen, "\x1b[?1049l");
    assert_non_null(enter);
    assert_non_null(leave);
    assert_true(enter < leave);
    assert_non_null(strstr(screen, "DEVELOPMENT"));
    assert_non_null(strstr(screen, "available"));
    assert_non_null(strstr(screen, "FOR")); /* a column that only the wide page has */
    end_rt();
}

#define CTL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        CTL_TEST(test_ctl_without_a_hub_says_so_with_code_3),
        CTL_TEST(test_ctl_wrong_usage_is_code_2),
        CTL_TEST(test_ctl_help_and_version_need_no_hub),
        CTL_TEST(test_ctl_status_json_is_the_status),
        CTL_TEST(test_ctl_status_of_a_silent_rt_is_shown_with_code_3),
        CTL_TEST(test_ctl_other_layout_is_code_4),
        CTL_TEST(test_ctl_interventions_reach_rt_through_nrt),
        CTL_TEST(test_ctl_virtual_hub_gets_what_was_said),
        CTL_TEST(test_ctl_events_and_top_once_show_what_happened),
        CTL_TEST(test_ctl_top_on_a_terminal_draws_resizes_and_leaves_cleanly),
    };
    if (argc != 4) {
        fprintf(stderr, "usage: %s RINGMAINCTL RINGMAIN-NRT CONFIG\n", argv[0]);
        return 2;
    }
    ctl_program = argv[1];
    nrt_program = argv[2];
    config_path = argv[3];
    unsetenv("RINGMAIN_CONFIG");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
