/* rt/io/uring against the real kernel: socket pairs, a polled eventfd, the limit of a wait. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rt/io/clock.h"
#include "rt/io/uring.h"

#define MS 1000000LL

static struct uring ring;
static struct bus bus;
static int near_fd, far_fd;
static struct config_interface wire = {
    .name = "mod0", .role = INTERFACE_ROLE_MODULES, .transport = CAN_TRANSPORT_UNIX};

static int setup(void **state) {
    (void)state;
    struct io_error error = {""};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    near_fd = pair[0];
    far_fd = pair[1];
    int code = uring_open(&ring, 8, 2 * BUS_CHAIN_MAX, &error);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.text);
    }
    assert_int_equal(code, 0);
    assert_int_equal(uring_place(&ring, 0, near_fd), 0);
    bus_init(&bus, &wire, 0);
    bus_attach(&bus, near_fd, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    uring_close(&ring);
    close(near_fd);
    if (far_fd >= 0) {
        close(far_fd);
    }
    return 0;
}

static void say(uint8_t value) {
    struct can_frame f = {.can_id = 0x123 | CAN_EFF_FLAG, .len = 8, .data = {value}};
    assert_int_equal(send(far_fd, &f, sizeof f, 0), sizeof f);
}

/* Next event of a kind within 200 ms; bookkeeping is skipped. */
static bool await(enum uring_kind kind, struct uring_event *event) {
    int64_t end_ns = clock_now_ns() + 200 * MS;
    while (clock_now_ns() < end_ns) {
        while (uring_next(&ring, event)) {
            if (event->kind == kind) {
                return true;
            }
        }
        (void)uring_wait(&ring, 10 * MS);
    }
    return false;
}

static void test_uring_receive_multishot_delivers_in_order(void **state) {
    (void)state;
    uring_receive(&ring, 0, bus.generation);
    (void)uring_wait(&ring, 1 * MS);
    for (uint8_t i = 0; i < 100; i++) {
        say(i);
    }
    struct uring_event event;
    for (uint8_t i = 0; i < 100; i++) {
        assert_true(await(URING_RECEIVE, &event));
        assert_int_equal(event.length, sizeof(struct can_frame));
        assert_int_equal(event.place, 0);
        assert_int_equal(event.generation, bus.generation);
        assert_int_equal(((const uint8_t *)event.data)[8], i);
    }
}

static void test_uring_receive_oversized_message_is_seen_as_such(void **state) {
    (void)state;
    uint8_t big[200] = {0};
    uring_receive(&ring, 0, 1);
    (void)uring_wait(&ring, 1 * MS);
    assert_int_equal(send(far_fd, big, sizeof big, 0), sizeof big);
    struct uring_event event;
    assert_true(await(URING_RECEIVE, &event));
    assert_int_equal(event.length, URING_MESSAGE_BYTES);
    struct can_frame frame;
    assert_int_equal(bus_receive(&bus, event.data, event.length, 1, &frame), BUS_RX_NONE);
}

/* More messages than buffers, never drained in between: the receive ends, is armed again, and nothing is lost. */
static void test_uring_receive_out_of_buffers_loses_nothing(void **state) {
    (void)state;
    uring_receive(&ring, 0, 1);
    (void)uring_wait(&ring, 1 * MS);
    uint32_t sent = 0, got = 0;
    struct uring_event event;
    while (got < 3 * URING_BUFFERS) {
        for (int round = 0; round < 40; round++) { /* completions pile up unread */
            struct can_frame f = {.can_id = sent, .len = 8};
            while (sent < 3 * URING_BUFFERS && send(far_fd, &f, sizeof f, 0) == (ssize_t)sizeof f) {
                f.can_id = ++sent;
            }
            (void)io_uring_get_events(&ring.ring);
        }
        while (uring_next(&ring, &event)) {
            if (event.kind != URING_RECEIVE) {
                continue;
            }
            if (event.length > 0) {
                struct can_frame in;
                memcpy(&in, event.data, sizeof in);
                assert_int_equal(in.can_id, got);
                got++;
            }
            if (!event.more) {
                uring_receive(&ring, 0, 1);
            }
        }
        (void)uring_wait(&ring, 1 * MS);
    }
    assert_int_equal(got, 3 * URING_BUFFERS);
    assert_true(ring.no_buffers > 0);
}

static void test_uring_receive_peer_gone_ends_it(void **state) {
    (void)state;
    uring_receive(&ring, 0, 5);
    (void)uring_wait(&ring, 1 * MS);
    close(far_fd);
    far_fd = -1;
    struct uring_event event;
    assert_true(await(URING_RECEIVE, &event));
    assert_true(event.result <= 0);
    assert_false(event.more);
    assert_int_equal(event.generation, 5);
}

static void test_uring_cancel_receive_ends_it(void **state) {
    (void)state;
    uring_receive(&ring, 0, 9);
    (void)uring_wait(&ring, 1 * MS);
    uring_cancel_receive(&ring, 0, 9);
    struct uring_event event;
    assert_true(await(URING_RECEIVE, &event));
    assert_int_equal(event.result, -ECANCELED);
    assert_false(event.more);
    say(1);
    assert_false(await(URING_RECEIVE, &event));
}

static void send_frames(uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        struct can_frame f = {.can_id = i, .len = 8};
        bus_push(&bus, &f);
    }
}

static void test_uring_flush_chain_is_complete_on_return(void **state) {
    (void)state;
    send_frames(40);
    assert_int_equal(bus_chain_begin(&bus), 40);
    uring_send_chain(&ring, 0, &bus);
    assert_int_equal(uring_flush(&ring), 0);
    for (uint32_t i = 0; i < 40; i++) { /* all in the far socket's queue already */
        struct can_frame f;
        assert_int_equal(recv(far_fd, &f, sizeof f, MSG_DONTWAIT), sizeof f);
        assert_int_equal(f.can_id, i);
    }
    struct uring_event event;
    bool lost = false, over = false;
    for (uint32_t i = 0; i < 40; i++) {
        assert_true(uring_next(&ring, &event));
        assert_int_equal(event.kind, URING_SENT);
        assert_int_equal(event.result, sizeof(struct can_frame));
        over = bus_chain_complete(&bus, event.index, event.result, &lost);
    }
    assert_true(over);
    assert_false(lost);
    assert_int_equal(ring.flush_timeouts, 0);
}

/* Far side does not read: the kernel's queue fills, frames stay ours in order, nothing blocks; then all arrive in order. */
static void test_uring_send_full_socket_defers_and_keeps_order(void **state) {
    (void)state;
    int small = 1; /* the kernel makes its minimum of it */
    assert_int_equal(setsockopt(near_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    uint32_t pushed = 0, heard = 0;
    struct uring_event event;
    for (int round = 0; round < 60; round++) {
        if (round < 3) {
            for (uint32_t i = 0; i < 50; i++) {
                struct can_frame f = {.can_id = pushed++, .len = 8};
                bus_push(&bus, &f);
            }
        }
        if (bus_chain_begin(&bus) > 0) {
            int64_t before_ns = clock_now_ns();
            uring_send_chain(&ring, 0, &bus);
            assert_int_equal(uring_flush(&ring), 0);
            assert_true(clock_now_ns() - before_ns < 100 * MS);
        }
        bool lost = false;
        while (uring_next(&ring, &event)) {
            if (event.kind == URING_SENT) {
                (void)bus_chain_complete(&bus, event.index, event.result, &lost);
            }
        }
        assert_false(lost);
        struct can_frame f;
        while (round >= 3 && recv(far_fd, &f, sizeof f, MSG_DONTWAIT) == (ssize_t)sizeof f) {
            assert_int_equal(f.can_id, heard);
            heard++;
        }
    }
    assert_int_equal(heard, 150);
    assert_true(bus.counters.tx_deferred > 0);
    assert_int_equal(bus.counters.tx_dropped, 0);
    assert_int_equal(bus.counters.tx_frames, 150);
}

static void test_uring_send_to_closed_peer_reports_lost(void **state) {
    (void)state;
    close(far_fd);
    far_fd = -1;
    send_frames(3);
    (void)bus_chain_begin(&bus);
    uring_send_chain(&ring, 0, &bus);
    (void)uring_flush(&ring);
    struct uring_event event;
    bool lost = false, over = false;
    while (!over && await(URING_SENT, &event)) {
        over = bus_chain_complete(&bus, event.index, event.result, &lost);
    }
    assert_true(over);
    assert_true(lost);
}

static void test_uring_wait_limit_never_ends_early(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        int64_t due_ns = clock_now_ns() + 5 * MS;
        assert_int_equal(uring_wait(&ring, 5 * MS), -ETIME);
        assert_true(clock_now_ns() >= due_ns);
    }
}

static void test_uring_wait_without_time_looks_only(void **state) {
    (void)state;
    struct uring_event event;
    uring_receive(&ring, 0, bus.generation);
    (void)uring_wait(&ring, 0);
    assert_false(uring_next(&ring, &event));
    say(7);
    (void)uring_wait(&ring, 0);
    assert_true(uring_next(&ring, &event));
    assert_int_equal(event.kind, URING_RECEIVE);
}

static void test_uring_poll_rings_for_every_write(void **state) {
    (void)state;
    int bell = eventfd(0, EFD_NONBLOCK);
    assert_true(bell >= 0);
    assert_int_equal(uring_place(&ring, 3, bell), 0);
    uring_poll(&ring, 3, 0);
    struct uring_event event;
    for (int i = 0; i < 3; i++) {
        uint64_t one = 1;
        (void)uring_wait(&ring, 1 * MS);
        assert_int_equal(write(bell, &one, sizeof one), sizeof one);
        assert_true(await(URING_READABLE, &event));
        assert_int_equal(event.place, 3);
        assert_true(event.more);
        assert_int_equal(read(bell, &one, sizeof one), sizeof one);
    }
    close(bell);
}

static void test_uring_wait_nothing_to_do_times_out(void **state) {
    (void)state;
    int64_t before_ns = clock_now_ns();
    assert_int_equal(uring_wait(&ring, 20 * MS), -ETIME);
    assert_true(clock_now_ns() - before_ns >= 19 * MS);
}

static void test_uring_open_without_descriptors_names_the_cause(void **state) {
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    static struct uring other;
    struct io_error error = {""};
    int code = uring_open(&other, 4, 64, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(code, -EMFILE);
    assert_non_null(strstr(error.text, "io_uring_setup"));
}

/* As an ordinary user under the customary 64 KiB, and under nothing at all. Kernels before 6.14 do not count the rings. */
static int open_under(rlim_t bytes) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static struct uring other;
        struct io_error error = {""};
        const struct rlimit limit = {bytes, bytes};
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (geteuid() == 0 && setuid(54321) != 0)) {
            _exit(1);
        }
        int code = uring_open(&other, 8, 4 * BUS_CHAIN_MAX, &error);
        _exit(code == 0 ? 42 : strstr(error.text, "ulimit -l") != NULL ? 43 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_uring_open_little_lockable_memory_takes_short_queues(void **state) {
    (void)state;
    if (geteuid() != 0) {
        skip(); /* what else this user has open counts too */
    }
    assert_int_equal(open_under(64 * 1024), 42);
}

static void test_uring_open_no_lockable_memory_names_the_mend(void **state) {
    (void)state;
    int told = open_under(0);
    assert_true(told == 43 || told == 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_uring_receive_multishot_delivers_in_order),
        TEST(test_uring_receive_oversized_message_is_seen_as_such),
        TEST(test_uring_receive_out_of_buffers_loses_nothing),
        TEST(test_uring_receive_peer_gone_ends_it),
        TEST(test_uring_cancel_receive_ends_it),
        TEST(test_uring_flush_chain_is_complete_on_return),
        TEST(test_uring_send_full_socket_defers_and_keeps_order),
        TEST(test_uring_send_to_closed_peer_reports_lost),
        TEST(test_uring_wait_limit_never_ends_early),
        TEST(test_uring_wait_without_time_looks_only),
        TEST(test_uring_poll_rings_for_every_write),
        TEST(test_uring_wait_nothing_to_do_times_out),
        TEST(test_uring_open_without_descriptors_names_the_cause),
        cmocka_unit_test(test_uring_open_little_lockable_memory_takes_short_queues),
        cmocka_unit_test(test_uring_open_no_lockable_memory_names_the_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
