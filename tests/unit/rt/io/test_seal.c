/* rt/io/seal, thread, panic, notify: each in a child process, because sealing cannot be undone. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rt/io/clock.h"
#include "rt/io/notify.h"
#include "rt/io/panic.h"
#include "rt/io/seal.h"
#include "rt/io/thread.h"

#define CHILD_OK 42

static void *look(void *argument);

/* Runs body in a child; returns its exit code, or -signal. */
static int in_child(void (*body)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body();
        _exit(CHILD_OK);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void child_check(bool good) {
    if (!good) {
        _exit(1);
    }
}

static bool may_lock(void) {
    struct rlimit limit;
    return geteuid() == 0 ||
           (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
}

static long locked_kb(void) {
    char line[128];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmLck: %ld kB", &kb) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kb;
}

static void body_memory_is_locked(void) {
    struct seal s = {.latency_fd = -1};
    struct io_error error;
    seal_heap();
    child_check(seal_memory(&s, &error) == 0 && s.memory_locked);
    child_check(locked_kb() > 500);
}

static void test_seal_memory_locks_what_is_mapped(void **state) {
    (void)state;
    if (!may_lock()) {
        skip();
    }
    assert_int_equal(in_child(body_memory_is_locked), CHILD_OK);
}

static void body_no_faults(void) {
    struct seal s = {.latency_fd = -1};
    struct io_error error;
    seal_heap();
    child_check(seal_memory(&s, &error) == 0);
    seal_baseline(&s, false);
    volatile unsigned char stack[300 * 1024];
    for (size_t i = 0; i < sizeof stack; i += 512) {
        stack[i] = 1;
    }
    struct seal_faults faults = seal_page_faults(&s);
    child_check(faults.minor == 0 && faults.major == 0);
}

static void test_seal_memory_prefaulted_stack_faults_no_more(void **state) {
    (void)state;
    if (!may_lock()) {
        skip();
    }
    assert_int_equal(in_child(body_no_faults), CHILD_OK);
}

static void body_faults_are_counted(void) {
    struct seal s = {.latency_fd = -1};
    seal_baseline(&s, false);
    volatile unsigned char *fresh =
        mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    child_check(fresh != MAP_FAILED);
    (void)madvise((void *)fresh, 64 * 4096, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < 64; i++) {
        fresh[i * 4096] = 1;
    }
    child_check(seal_page_faults(&s).minor >= 64);
}

static void test_seal_page_faults_after_the_baseline_are_counted(void **state) {
    (void)state;
    assert_int_equal(in_child(body_faults_are_counted), CHILD_OK);
}

static void body_lock_refused(void) {
    struct rlimit none = {0, 0};
    child_check(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    child_check(geteuid() != 0 || setuid(65534) == 0);
    struct seal s = {.latency_fd = -1};
    struct io_error error = {""};
    child_check(seal_memory(&s, &error) != 0 && !s.memory_locked);
    child_check(strstr(error.text, "LimitMEMLOCK") != NULL);
}

static void test_seal_memory_refused_names_the_mend(void **state) {
    (void)state;
    assert_int_equal(in_child(body_lock_refused), CHILD_OK);
}

/* Enough for what is mapped now, too little for the threads that come after. */
static void body_lock_too_small(void) {
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    child_check(f != NULL && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    const rlim_t bytes = (rlim_t)pages * 4096 + 512 * 1024;
    child_check(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes}) == 0);
    child_check(geteuid() != 0 || setuid(65534) == 0);
    struct seal s = {.latency_fd = -1};
    struct io_error error = {""};
    seal_heap();
    child_check(seal_memory(&s, &error) == -EAGAIN && !s.memory_locked);
    child_check(locked_kb() == 0);
    char has[32];
    snprintf(has, sizeof has, "is %lu KiB", (unsigned long)(bytes / 1024));
    child_check(strstr(error.text, has) != NULL && strstr(error.text, "LimitMEMLOCK") != NULL);
    struct thread thread;
    struct thread_plan plan = {
        .name = "look", .priority = 80, .cpu = -1, .require_fifo = false, .run = look};
    child_check(thread_start(&thread, &plan, &error) == 0);
    pthread_join(thread.id, NULL);
}

static void test_seal_memory_limit_too_small_for_the_threads_locks_nothing(void **state) {
    (void)state;
    assert_int_equal(in_child(body_lock_too_small), CHILD_OK);
}

static void body_filter_allows(void) {
    struct seal s = {.latency_fd = -1};
    struct io_error error;
    child_check(seal_filter(&s, SEAL_FILTER_ENFORCE, &error) == 0 && s.filtered);
    clock_sleep_until(clock_now_ns() + 1000000);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    child_check(fd >= 0 && close(fd) == 0);
    child_check(write(STDERR_FILENO, "", 0) == 0);
}

static void test_seal_filter_lets_the_loops_calls_through(void **state) {
    (void)state;
    assert_int_equal(in_child(body_filter_allows), CHILD_OK);
}

static void seal_with_handler(void) {
    struct seal s = {.latency_fd = -1};
    struct io_error error;
    int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, STDERR_FILENO);
    panic_install();
    child_check(seal_filter(&s, SEAL_FILTER_ENFORCE, &error) == 0);
}

static void body_filter_stops_open(void) {
    seal_with_handler();
    (void)!open("/etc/hostname", O_RDONLY);
}

static void body_filter_stops_mmap(void) {
    seal_with_handler();
    (void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void body_filter_stops_fork(void) {
    seal_with_handler();
    (void)fork();
}

static void test_seal_filter_other_calls_end_the_process(void **state) {
    (void)state;
    assert_int_equal(in_child(body_filter_stops_open), PANIC_EXIT_CODE);
    assert_int_equal(in_child(body_filter_stops_mmap), PANIC_EXIT_CODE);
    assert_int_equal(in_child(body_filter_stops_fork), PANIC_EXIT_CODE);
}

/* The frame that the handler sent on pair[1], read by the parent after the child is gone. */
static int pair[2];

static void body_assert_fails(void) {
    struct can_frame off = {.can_id = 0x390 | CAN_EFF_FLAG, .len = 8, .data = {0x80, 7}};
    int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, STDERR_FILENO);
    panic_install();
    panic_prepare(3, &off);
    panic_descriptor(3, pair[1]);
    panic_prepare(4, &off); /* no descriptor: skipped */
    struct seal s = {.latency_fd = -1};
    struct io_error error;
    child_check(seal_filter(&s, SEAL_FILTER_ENFORCE, &error) == 0);
    int zero = null < 0 ? 1 : 0;
    assert(zero == 1); /* the way an own mistake ends, sealed */
}

static void body_null_pointer(void) {
    struct can_frame off = {.can_id = 0x391 | CAN_EFF_FLAG, .len = 8, .data = {0x80, 9}};
    int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, STDERR_FILENO);
    panic_install();
    panic_prepare(0, &off);
    panic_descriptor(0, pair[1]);
    raise(SIGSEGV);
}

static void expect_all_off(canid_t id, uint8_t seq) {
    struct can_frame f;
    assert_int_equal(recv(pair[0], &f, sizeof f, MSG_DONTWAIT), sizeof f);
    assert_int_equal(f.can_id, id | CAN_EFF_FLAG);
    assert_int_equal(f.data[0], 0x80);
    assert_int_equal(f.data[1], seq);
    assert_int_equal(recv(pair[0], &f, sizeof f, MSG_DONTWAIT), -1);
}

static void test_panic_sends_all_off_and_ends_for_the_supervisor(void **state) {
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(in_child(body_assert_fails), PANIC_EXIT_CODE);
    expect_all_off(0x390, 7);
    assert_int_equal(in_child(body_null_pointer), PANIC_EXIT_CODE);
    expect_all_off(0x391, 9);
    close(pair[0]);
    close(pair[1]);
}

static struct {
    int policy, priority, cpu;
    bool segv_blocked, term_blocked;
} seen;

static void *look(void *argument) {
    struct sched_param parameter;
    pthread_getschedparam(pthread_self(), &seen.policy, &parameter);
    seen.priority = parameter.sched_priority;
    seen.cpu = sched_getcpu();
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    seen.segv_blocked = sigismember(&blocked, SIGSEGV) == 1;
    seen.term_blocked = sigismember(&blocked, SIGTERM) == 1;
    thread_prefault_stack();
    return argument;
}

static void test_thread_start_sets_policy_priority_and_processor(void **state) {
    (void)state;
    struct thread thread;
    struct thread_plan plan = {
        .name = "look", .priority = 80, .cpu = 0, .require_fifo = true, .run = look};
    struct io_error error = {""};
    int code = thread_start(&thread, &plan, &error);
    if (code == -EPERM) {
        assert_non_null(strstr(error.text, "LimitRTPRIO"));
        skip();
    }
    assert_int_equal(code, 0);
    pthread_join(thread.id, NULL);
    assert_int_equal(seen.policy, SCHED_FIFO);
    assert_int_equal(seen.priority, 80);
    assert_int_equal(seen.cpu, 0);
    assert_true(seen.term_blocked);
    assert_false(seen.segv_blocked);
}

static void body_fifo_refused(void) {
    struct rlimit none = {0, 0};
    child_check(setrlimit(RLIMIT_RTPRIO, &none) == 0);
    child_check(geteuid() != 0 || setuid(65534) == 0);
    struct thread thread;
    struct thread_plan plan = {
        .name = "look", .priority = 80, .cpu = -1, .require_fifo = true, .run = look};
    struct io_error error = {""};
    child_check(thread_fifo_allowed("early", 80, &error) == -EPERM);
    child_check(strstr(error.text, "thread early: SCHED_FIFO 80") != NULL);
    child_check(thread_start(&thread, &plan, &error) == -EPERM);
    child_check(strstr(error.text, "thread look: SCHED_FIFO 80") != NULL);
    plan.require_fifo = false;
    child_check(thread_start(&thread, &plan, &error) == 0 && !thread.fifo);
    pthread_join(thread.id, NULL);
    child_check(seen.policy == SCHED_OTHER);
}

static void test_fifo_question_leaves_the_caller_what_it_was(void **state) {
    (void)state;
    struct io_error error = {""};
    const int policy = sched_getscheduler(0);
    if (thread_fifo_allowed("early", 80, &error) != 0) {
        skip(); /* no FIFO on this machine */
    }
    assert_int_equal(sched_getscheduler(0), policy);
    assert_int_equal(thread_fifo_allowed("early", 1000, &error), -EINVAL);
}

static void test_thread_start_fifo_refused_names_the_mend(void **state) {
    (void)state;
    assert_int_equal(in_child(body_fifo_refused), CHILD_OK);
}

static void test_thread_start_processor_that_is_not_there_is_refused(void **state) {
    (void)state;
    struct thread thread;
    struct thread_plan plan = {.name = "look", .priority = 80, .cpu = 1000, .run = look};
    struct io_error error = {""};
    int code = thread_start(&thread, &plan, &error);
    assert_true(code == -EINVAL || code == -EPERM);
    assert_true(strlen(error.text) > 0);
}

static void test_notify_ready_reaches_the_service_manager(void **state) {
    (void)state;
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "@rm_notify_%d", (int)getpid());
    int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct {
        sa_family_t family;
        char path[108];
    } address = {.family = AF_UNIX};
    memcpy(address.path + 1, path + 1, strlen(path) - 1);
    socklen_t length = (socklen_t)(sizeof(sa_family_t) + strlen(path));
    assert_int_equal(bind(server, (const struct sockaddr *)&address, length), 0);
    struct notify n;
    unsetenv("NOTIFY_SOCKET");
    notify_open(&n);
    assert_int_equal(n.fd, -1);
    notify_send(&n, "READY=1"); /* nobody asked: nothing happens */
    setenv("NOTIFY_SOCKET", path, 1);
    notify_open(&n);
    assert_true(n.fd >= 0);
    notify_send(&n, "READY=1");
    assert_int_equal(recv(server, text, sizeof text - 1, 0), 7);
    assert_string_equal(text, "READY=1");
    notify_close(&n);
    close(server);
    unsetenv("NOTIFY_SOCKET");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_memory_locks_what_is_mapped),
        cmocka_unit_test(test_seal_memory_prefaulted_stack_faults_no_more),
        cmocka_unit_test(test_seal_page_faults_after_the_baseline_are_counted),
        cmocka_unit_test(test_seal_memory_refused_names_the_mend),
        cmocka_unit_test(test_seal_memory_limit_too_small_for_the_threads_locks_nothing),
        cmocka_unit_test(test_seal_filter_lets_the_loops_calls_through),
        cmocka_unit_test(test_seal_filter_other_calls_end_the_process),
        cmocka_unit_test(test_panic_sends_all_off_and_ends_for_the_supervisor),
        cmocka_unit_test(test_thread_start_sets_policy_priority_and_processor),
        cmocka_unit_test(test_fifo_question_leaves_the_caller_what_it_was),
        cmocka_unit_test(test_thread_start_fifo_refused_names_the_mend),
        cmocka_unit_test(test_thread_start_processor_that_is_not_there_is_refused),
        cmocka_unit_test(test_notify_ready_reaches_the_service_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
