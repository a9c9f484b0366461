/* ringmain-nrt killed at random moments, fifty times, while events and sessions come quickly: afterwards every event
 * is in the log once and in order, every session in the sessions file once, and nothing waits any more.
 * Arguments: the program, a configuration, kills (default 50), seed (default 1). */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nrt/store/event_line.h"
#include "nrt/store/session_line.h"
#include "tests/unit/nrt/fake_rt.h"

#define GUNS    12
#define BOOT    UINT64_C(0xfeedfacecafebeef)
#define BATCH   24 /* events every two milliseconds: 12 000 a second */
#define IDS_MAX 100000

static const char *program, *config_path;
static int kills = 50;
static unsigned seed = 1;
static char folder[64], shm_name[SHM_NAME_MAX];

/* What the fake rt tells the test, across the fork. */
struct shared {
    volatile int stop, drained;
    volatile uint64_t events, sessions, dropped;
};

static struct fake_rt rt;

static void push_batch(struct shared *shared) {
    struct event events[BATCH];
    if (!ring_has_room(&rt.shm.events, BATCH)) {
        return; /* an event that never was is no event lost */
    }
    memset(events, 0, sizeof events);
    for (uint32_t i = 0; i < BATCH; i++) {
        events[i].type = EVENT_CONTACTOR;
        events[i].slot = (uint16_t)(i % GUNS);
        events[i].mono_ns = fake_now_ns();
    }
    shared->events += shm_rt_events(&rt.shm, events, BATCH);
    shm_rt_ring(&rt.shm);
}

static bool is_drained(void) {
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < GUNS; i++) {
        waiting += rt.sessions[i].finished_count;
    }
    return waiting == 0 &&
           atomic_load(&rt.shm.segment->nrt.events_consumer.index) == rt.shm.events.index;
}

static void run_fake_rt(struct shared *shared) {
    fake_open(&rt, shm_name, GUNS, BOOT);
    for (uint64_t turn = 0;; turn++) {
        fake_tick(&rt);
        rt.commands = 0;
        if (!shared->stop) {
            push_batch(shared);
            if (turn % 8 == 0 &&
                fake_finish_session(&rt, (uint32_t)(turn / 8 % GUNS), shared->sessions + 1)) {
                shared->sessions++;
            }
        } else if (is_drained()) {
            shared->dropped = rt.shm.events.dropped;
            shared->drained = 1;
        }
        fake_sleep_ms(2);
    }
}

static int start_nrt(void) {
    char log[128];
    snprintf(log, sizeof log, "%s/log", folder);
    const char *arguments[] = {program,        "--config", config_path, "--shm", shm_name,
                               "--run-folder", folder,     "--log",     log,     NULL};
    return fake_spawn(folder, arguments);
}

static void check_events(uint64_t expected) {
    char path[128];
    size_t length;
    snprintf(path, sizeof path, "%s/log", folder);
    char *text = fake_read(path, &length);
    uint64_t next = 1;
    for (char *line = text; *line != '\0';) {
        struct event_position position;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(event_line_position(line, (size_t)(end - line), &position));
        assert_true(position.boot_id == BOOT);
        if (position.seq != next) {
            fail_msg("seq %" PRIu64 " where %" PRIu64 " was due", position.seq, next);
        }
        next++;
        line = end + 1;
    }
    assert_int_equal(next - 1, expected);
    free(text);
}

static void check_sessions(uint64_t expected) {
    static bool seen[IDS_MAX];
    char path[128];
    size_t length;
    uint64_t count = 0;
    snprintf(path, sizeof path, "%s/log.sessions.jsonl", folder);
    char *text = fake_read(path, &length);
    for (char *line = text; *line != '\0';) {
        uint64_t id;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(session_line_id(line, (size_t)(end - line), &id));
        assert_true(id < IDS_MAX);
        assert_false(seen[id]);
        seen[id] = true;
        count++;
        line = end + 1;
    }
    assert_int_equal(count, expected);
    free(text);
}

static void test_nrt_killed_at_random_moments_loses_and_doubles_nothing(void **state) {
    (void)state;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    pid_t rt_pid = fork();
    assert_true(rt_pid >= 0);
    if (rt_pid == 0) {
        run_fake_rt(shared);
    }
    srandom(seed);
    for (int i = 0; i < kills; i++) {
        int pid = start_nrt();
        fake_sleep_ms(1 + random() % 120);
        kill(pid, SIGKILL);
        int status = fake_wait_exit(pid, 5000);
        assert_true(WIFSIGNALED(status));
    }
    shared->stop = 1;
    int pid = start_nrt();
    for (int i = 0; i < 20000 && !shared->drained; i++) {
        fake_sleep_ms(1);
    }
    /* all may have been drained before this last one was up: it must be, to end cleanly */
    char answer[512] = "";
    for (int i = 0; i < 5000 && strstr(answer, "\"ok\":true") == NULL; i++) {
        fake_ask(NULL, folder, "{\"cmd\":\"ping\"}", answer, sizeof answer);
        fake_sleep_ms(1);
    }
    kill(pid, SIGTERM);
    int status = fake_wait_exit(pid, 5000);
    kill(rt_pid, SIGKILL);
    (void)fake_wait_exit((int)rt_pid, 5000);
    assert_true(shared->drained);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(shared->dropped, 0);
    print_message("%d kills, %" PRIu64 " events, %" PRIu64 " sessions\n", kills, shared->events,
                  shared->sessions);
    assert_true(shared->events > (uint64_t)kills * BATCH);
    check_events(shared->events);
    check_sessions(shared->sessions);
    munmap(shared, sizeof *shared);
}

static int set_up(void **state) {
    (void)state;
    fake_place(folder, shm_name);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_clean(folder, shm_name);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        test_nrt_killed_at_random_moments_loses_and_doubles_nothing, set_up, tear_down)};
    if (argc < 3) {
        fprintf(stderr, "usage: %s RINGMAIN-NRT CONFIG [KILLS [SEED]]\n", argv[0]);
        return 2;
    }
    program = argv[1];
    config_path = argv[2];
    kills = argc > 3 ? atoi(argv[3]) : kills;
    seed = argc > 4 ? (unsigned)atoi(argv[4]) : seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
