/* rt/guard and rt/cycle with a stand-in core: real io_uring, real shared segment, the test is the far side of the
 * unix sockets. */
#include <errno.h>
#include <linux/can/error.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "control_double.h"
#include "rt/cycle.h"
#include "rt/guard_private.h"
#include "rt/io/clock.h"
#include "shm/shm.h"

#define MS 1000000LL

static struct config config;
static struct control control;
static struct exchange exchange;
static struct links links;
static struct seal seal;
static struct shm_rt shm;
static struct shm_start shm_start;
static struct shm_peer peer;
static struct guard guard;
static struct cycle cycle;
static char folder[64], shm_name[64];
static int server[RM_INTERFACES_MAX], far[RM_INTERFACES_MAX];

static void listen_all(void) {
    for (uint32_t i = 0; i < config.interfaces; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", folder,
                 config.interface[i].name);
        unlink(address.sun_path);
        server[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(server[i], (const struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(server[i], 4), 0);
    }
}

static void accept_all(void) {
    for (uint32_t i = 0; i < config.interfaces; i++) {
        far[i] = accept4(server[i], NULL, NULL, SOCK_NONBLOCK);
        assert_true(far[i] >= 0);
    }
}

static void make_config(const char *given_transport) {
    struct config_errors *errors = calloc(1, sizeof *errors);
    assert_non_null(errors);
    config_ring(&config, 12, 2);
    snprintf(folder, sizeof folder, "/tmp/rm_guard_XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(shm_name, sizeof shm_name, "/rm_guard_%d", (int)getpid());
    char transport[80];
    snprintf(transport, sizeof transport, "unix:%s", folder);
    if (given_transport != NULL) {
        snprintf(transport, sizeof transport, "%s", given_transport);
    }
    assert_int_equal(config_override(&config, transport, shm_name, folder, errors), 0);
    free(errors);
}

static void start_guard(void) {
    static struct bus_filters filters[RM_INTERFACES_MAX];
    struct io_error error = {""};
    struct control_boot boot = {.boot_id = 7};
    control_init(&control, &config, &boot, clock_now_us());
    assert_int_equal(
        shm_rt_create(&shm, shm_name, 7, SHM_POLICY_REPLACE, clock_now_ns(), &shm_start), 0);
    diag_reset(shm_rt_diag(&shm), EXCHANGE_GUARD_PERIOD_NS, 50 * MS);
    assert_int_equal(shm_attach(&peer, shm_name, SHM_WRITE), 0);
    exchange_init(&exchange);
    atomic_store(&exchange.planner_beat_ns, clock_now_ns());
    atomic_store(&exchange.stop, false);
    atomic_store(&exchange.guard_done, false);
    assert_int_equal(links_open(&links, &config, filters, &error), 0);
    struct guard_setup in = {.config = &config,
                             .shm = &shm,
                             .exchange = &exchange,
                             .links = &links,
                             .seal = &seal,
                             .control = &control,
                             .status_flags = STATUS_FLAG_SOCKET_BUS | STATUS_FLAG_NO_WATCHDOG,
                             .watchdog = {.fd = -1}};
    guard_init(&guard, &in);
    cycle_init(&cycle, &exchange, shm_rt_diag(&shm), 50);
    assert_int_equal(guard_open(&guard), 0);
    phase_init(&guard.tick, EXCHANGE_GUARD_PERIOD_NS, 0, clock_now_ns());
}

static int setup(void **state) {
    (void)state;
    make_config(NULL);
    listen_all();
    start_guard();
    accept_all();
    return 0;
}

#define UDP_PORT 39400

/* The far side of a udp interface, on its port. */
static int bind_udp(uint32_t i) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(UDP_PORT + i)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int setup_udp(void **state) {
    (void)state;
    char transport[64];
    snprintf(transport, sizeof transport, "udp:127.0.0.1:%d", UDP_PORT);
    make_config(transport);
    for (uint32_t i = 0; i < config.interfaces; i++) {
        server[i] = -1;
        far[i] = bind_udp(i);
    }
    start_guard();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    guard_close(&guard);
    links_close(&links);
    shm_detach(&peer);
    shm_rt_close(&shm);
    (void)shm_unlink_all(shm_name);
    for (uint32_t i = 0; i < config.interfaces; i++) {
        char path[128];
        close(far[i]);
        if (server[i] >= 0) {
            close(server[i]);
        }
        snprintf(path, sizeof path, "%s/%s.sock", folder, config.interface[i].name);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}

/* That much time, and as many ticks served as belong to it: while others had the processor nothing was done. */
static void run_ms(int ms) {
    const uint64_t ticks = guard.ticks + (uint64_t)(ms * MS / EXCHANGE_GUARD_PERIOD_NS);
    const int64_t end_ns = clock_now_ns() + ms * MS, limit_ns = end_ns + 5000 * MS;
    while (clock_now_ns() < end_ns || (guard.ticks < ticks && clock_now_ns() < limit_ns)) {
        (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
        guard_pass(&guard);
    }
}

static void say(uint32_t i, canid_t id) {
    struct can_frame f = {.can_id = id, .len = 8};
    assert_int_equal(send(far[i], &f, sizeof f, 0), sizeof f);
}

static bool hear(uint32_t i, struct can_frame *f) {
    return recv(far[i], f, sizeof *f, 0) == (ssize_t)sizeof *f;
}

static void test_guard_open_interfaces_are_up_and_told(void **state) {
    (void)state;
    for (uint32_t i = 0; i < config.interfaces; i++) {
        assert_int_equal(control.state[i], INTERFACE_UP);
    }
}

static void test_guard_tick_steps_every_five_ms(void **state) {
    (void)state;
    int64_t before_ns = clock_now_ns();
    run_ms(500);
    uint64_t expected = (uint64_t)((clock_now_ns() - before_ns) / EXCHANGE_GUARD_PERIOD_NS);
    assert_in_range(guard.ticks + guard.tick.missed, expected - 1, expected + 2);
    assert_int_equal(control.steps, guard.steps);
    assert_false(control.went_backwards);
    assert_int_equal(guard.tick.due_ns % EXCHANGE_GUARD_PERIOD_NS, 0);
}

static void test_guard_wait_ends_at_the_tick(void **state) {
    (void)state;
    run_ms(10);
    assert_int_equal(guard_wait_limit_ns(&guard, guard.tick.due_ns - 3 * MS), 3 * MS);
    assert_int_equal(guard_wait_limit_ns(&guard, guard.tick.due_ns), 0);
    assert_int_equal(guard_wait_limit_ns(&guard, guard.tick.due_ns + 40 * MS), 0);
    uint64_t ticks = guard.ticks;
    while (clock_now_ns() < guard.tick.due_ns) {
    }
    guard_pass(&guard);
    assert_int_equal(guard.ticks, ticks + 1);
}

static void test_guard_tick_late_is_counted_not_caught_up(void **state) {
    (void)state;
    run_ms(20);
    uint64_t ticks = guard.ticks, missed = guard.tick.missed;
    usleep(52000);
    (void)uring_wait(&guard.uring, 5 * MS);
    guard_pass(&guard);
    assert_int_equal(guard.ticks, ticks + 1); /* one for the whole pause */
    assert_true(guard.tick.missed >= missed + 9);
    (void)uring_wait(&guard.uring, 20 * MS);
    guard_pass(&guard);
    assert_true(guard.ticks <= ticks + 2);
    assert_true(clock_now_ns() >= guard.tick.due_ns - EXCHANGE_GUARD_PERIOD_NS);
    assert_int_equal(guard.tick.due_ns % EXCHANGE_GUARD_PERIOD_NS, 0);
}

/* The kernel hands over a burst in portions of its own; each portion is one step, never each frame. */
static void test_guard_burst_of_frames_is_few_steps(void **state) {
    (void)state;
    run_ms(10);
    uint32_t steps = control.steps;
    for (int n = 0; n < 150; n++) {
        say(0, 0x150u | CAN_EFF_FLAG);
    }
    int64_t before_ns = clock_now_ns();
    while (control.frames < 150 && clock_now_ns() - before_ns < 200 * MS) {
        (void)uring_wait(&guard.uring, 5 * MS);
        guard_pass(&guard);
    }
    assert_int_equal(control.frames, 150);
    assert_true(control.steps - steps <= 15);
}

/* The planner is released every planner_period_ms, 2.5 ms after a multiple of it. */
static bool beside_the_planner(int64_t now_ns) {
    const int64_t period_ns = config.planner_period_ms * MS;
    const int64_t into_ns = (now_ns - 5 * MS / 2 + 200000) % period_ns;
    return into_ns < 250000;
}

static void test_guard_step_that_can_wait_leaves_the_planner_its_release(void **state) {
    (void)state;
    const int64_t release_ns = 1000 * config.planner_period_ms * MS + 5 * MS / 2;
    guard.frames_pending = true;
    guard.tick.due_ns = release_ns + 5 * MS / 2;
    guard.stepped_ns = release_ns - 100 * MS; /* long due */
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns - 200001), release_ns - 200001);
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns - 200000), release_ns + 50000);
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns), release_ns + 50000);
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns + 49999), release_ns + 50000);
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns + 50000), release_ns + 50000);
    assert_int_equal(guard_wait_limit_ns(&guard, release_ns - 100000), 150000);
    guard.stepped_ns = release_ns - GUARD_GATHER_NS - 100000; /* due in the window */
    assert_int_equal(guard_gathered_due_ns(&guard, release_ns - 300000), release_ns + 50000);
    guard.tick.due_ns = release_ns; /* a tick does not wait */
    assert_int_equal(guard_wait_limit_ns(&guard, release_ns - 100000), 100000);
}

static void test_guard_urgent_frame_is_stepped_beside_the_planner_too(void **state) {
    (void)state;
    const int64_t period_ns = config.planner_period_ms * MS;
    int hits = 0;
    for (int n = 0; n < 200 && hits < 3; n++) {
        run_ms(10);
        const int64_t release_ns = clock_now_ns() / period_ns * period_ns + period_ns + 5 * MS / 2;
        for (int64_t left_ns; (left_ns = release_ns - 400000 - clock_now_ns()) > 0;) {
            const int64_t limit_ns = guard_wait_limit_ns(&guard, clock_now_ns());
            (void)uring_wait(&guard.uring, left_ns < limit_ns ? left_ns : limit_ns);
            guard_pass(&guard);
        }
        say(0,
            0x150u |
                CAN_EFF_FLAG); /* the stand-in for control calls every frame urgent unless calm */
        while (clock_now_ns() < release_ns - 150000) {
        }
        (void)uring_wait(&guard.uring, 0);
        const uint64_t frames = control.frames;
        guard_pass(&guard);
        if (control.frames != frames && beside_the_planner(guard.now_ns)) {
            hits++;
            assert_int_equal(guard.stepped_ns, guard.now_ns);
        }
    }
    assert_int_equal(hits, 3);
}

/* At full frame rate of a large hub thousands of frames a second arrive one by one. */
static void test_guard_single_frames_that_can_wait_share_steps(void **state) {
    (void)state;
    run_ms(10);
    control.calm = true;
    uint32_t steps = control.steps, frames = control.frames;
    int64_t start_ns = clock_now_ns();
    int64_t end_ns = start_ns + 100 * MS;
    uint32_t said = 0, due = 0;
    while (clock_now_ns() < end_ns) {
        say(said % config.interfaces, 0x210u | CAN_EFF_FLAG);
        said++;
        (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
        const uint32_t heard = control.frames;
        const int64_t stepped_ns = guard.stepped_ns;
        const bool waited = guard.frames_pending;
        guard_pass(&guard);
        const bool aside = beside_the_planner(guard.now_ns);
        due += (waited || control.frames != heard) && !aside &&
               guard.now_ns - stepped_ns >= GUARD_GATHER_NS;
    }
    assert_true(said > due);
    assert_in_range(control.frames - frames, said - 1, said);
    /* far less than one a millisecond and one a tick; the clock may have run on in the last pass */
    int64_t took_ms = (clock_now_ns() - start_ns) / MS + 1;
    assert_true(control.steps - steps <= (uint32_t)(took_ms + took_ms / 5 + 2));
    /* and none of those left out, however much of the time others had the processor */
    assert_true(due > 0 && control.steps - steps >= due);
}

/* What waits does so for its three milliseconds at most. */
static void test_guard_frame_that_can_wait_is_stepped_within_its_time(void **state) {
    (void)state;
    run_ms(10);
    control.calm = true;
    for (int n = 0; n < 20; n++) {
        uint32_t frames = control.frames;
        say(0, 0x210u | CAN_EFF_FLAG);
        while (control.frames == frames) {
            (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
            guard_pass(&guard);
        }
        int64_t stepped_ns = guard.stepped_ns;
        if (guard.frames_pending) {
            /* its time, and what the planner's release keeps clear */
            assert_true(guard_wait_limit_ns(&guard, guard.now_ns) <= GUARD_GATHER_NS + 250000);
            (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
            guard_pass(&guard);
            if (guard.frames_pending) { /* something else woke it: once more */
                (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
                guard_pass(&guard);
            }
            assert_false(guard.frames_pending);
            assert_true(guard.stepped_ns > stepped_ns);
        }
    }
}

/* A stranger at the doorbell costs less than a step a millisecond. */
static void test_guard_storm_of_doorbells_is_bounded(void **state) {
    (void)state;
    run_ms(10);
    uint32_t steps = control.steps;
    int64_t start_ns = clock_now_ns();
    while (clock_now_ns() < start_ns + 50 * MS) {
        doorbell_ring(&peer.commands_bell, 1);
        (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
        guard_pass(&guard);
    }
    int64_t took_ms = (clock_now_ns() - start_ns) / MS + 1;
    assert_true(control.steps - steps <= (uint32_t)(took_ms + took_ms / 5 + 2));
}

/* A disturbed bus tells of thousands of errors a second: none of them costs a step, a change of state does. */
static void test_guard_storm_of_error_frames_costs_no_steps(void **state) {
    (void)state;
    run_ms(10);
    const uint32_t frames = control.frames;
    uint64_t others = guard.steps - guard.ticks; /* steps that no tick asked for */
    for (int n = 0; n < 2000; n++) {
        say(1, CAN_ERR_FLAG | (n % 2 == 0 ? CAN_ERR_PROT | CAN_ERR_BUSERROR : CAN_ERR_CRTL));
        (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
        guard_pass(&guard);
    }
    run_ms(10);
    assert_true(guard.bus[1].counters.error_frames == 2000);
    assert_int_equal(control.frames, frames); /* the bus has dealt with them */
    assert_int_equal(guard.steps - guard.ticks, others);
    const uint32_t changes = control.state_changes;
    say(1, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    run_ms(1);
    assert_int_equal(control.state_changes, changes + 1);
    assert_int_equal(control.state[1], INTERFACE_BUS_OFF);
}

static void test_guard_estop_frame_all_off_leaves_in_the_same_pass(void **state) {
    (void)state;
    run_ms(20);
    control.all_off_on_frame = true;
    say(0, 0x190u | CAN_EFF_FLAG);
    (void)uring_wait(&guard.uring, 20 * MS);
    guard_pass(&guard);
    if (control.frames == 0) { /* a tick came first */
        (void)uring_wait(&guard.uring, 20 * MS);
        guard_pass(&guard);
    }
    assert_int_equal(control.frames, 1);
    uint32_t got = 0;
    struct can_frame f;
    for (uint32_t i = 0; i < config.interfaces; i++) {
        while (hear(i, &f)) {
            assert_int_equal(f.data[0], 0x80);
            got++;
        }
    }
    assert_int_equal(got, 12);
    struct event event[4];
    uint32_t taken = 0;
    assert_int_equal(shm_events_peek(&peer, event, 4, &taken), 1);
    assert_int_equal(event[0].type, EVENT_ESTOP);
    const struct diag_histogram *h = &shm_diag(&peer)->histogram[DIAG_HISTOGRAM_REACTION];
    assert_int_equal(atomic_load(&h->count), 1);
}

static void test_guard_reaction_many_times_is_fast(void **state) {
    (void)state;
    control.all_off_on_frame = true;
    for (int n = 0; n < 300; n++) {
        say((uint32_t)n % 2, 0x190u | CAN_EFF_FLAG);
        run_ms(1);
        struct can_frame f;
        for (uint32_t i = 0; i < config.interfaces; i++) {
            while (hear(i, &f)) {
            }
        }
    }
    const struct diag_histogram *h = &shm_diag(&peer)->histogram[DIAG_HISTOGRAM_REACTION];
    print_message("reaction inside the guard: median %lld ns, p99 %lld ns\n",
                  (long long)diag_quantile(h, 5000), (long long)diag_quantile(h, 9900));
    assert_true(diag_quantile(h, 5000) < 200000);
}

static void test_guard_far_side_gone_is_down_then_reconnected(void **state) {
    (void)state;
    run_ms(10);
    close(far[1]);
    run_ms(20);
    assert_int_equal(control.state[1], INTERFACE_DOWN);
    assert_int_equal(control.state[0], INTERFACE_UP);
    int64_t end_ns = clock_now_ns() + 1000 * MS;
    while (control.state[1] != INTERFACE_UP && clock_now_ns() < end_ns) {
        (void)links_service(&links, clock_now_us());
        run_ms(5);
    }
    assert_int_equal(control.state[1], INTERFACE_UP);
    far[1] = accept4(server[1], NULL, NULL, SOCK_NONBLOCK);
    assert_true(far[1] >= 0);
    uint32_t frames = control.frames;
    say(1, 0x150u | CAN_EFF_FLAG);
    run_ms(10);
    assert_int_equal(control.frames, frames + 1);
    assert_int_equal(control.last_interface, 1);
}

static void test_guard_bus_off_is_told_and_restart_asked(void **state) {
    (void)state;
    run_ms(10);
    say(0, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_BUS_OFF);
    struct can_frame f;
    assert_false(hear(0, &f));
    run_ms(110);
    assert_true(hear(0, &f));
    assert_int_equal(f.can_id, CAN_ERR_FLAG | CAN_ERR_RESTARTED);
    say(0, CAN_ERR_FLAG | CAN_ERR_RESTARTED);
    run_ms(30);
    assert_int_equal(control.state[0], INTERFACE_UP);
    struct status status;
    assert_int_equal(shm_status_read(&peer, &status), 0);
    assert_int_equal(status.interface[0].restarts, 1);
    assert_int_equal(status.interface[0].error_frames, 2);
}

/* The frame that told of the end of bus-off was lost: the next look at the controller mends it. */
static void test_guard_look_after_bus_off_brings_it_back(void **state) {
    (void)state;
    run_ms(10);
    say(0, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_BUS_OFF);
    int64_t later_us = guard.bus[0].state_since_us + GUARD_LOOK_AFTER_US;
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_UP, later_us));
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_UP);
}

/* Stopped by somebody, or taken away and back under its old name: no frame and no error may ever come of the descriptor. */
static void test_guard_look_finds_a_stopped_controller_and_opens_it_anew(void **state) {
    (void)state;
    run_ms(30);
    const uint32_t asked = atomic_load(&links.place[0].connect_requests);
    int64_t before_us = guard.bus[0].state_since_us + GUARD_LOOK_AFTER_US - 1;
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_DOWN, before_us));
    run_ms(10); /* a look from before it was opened */
    assert_int_equal(control.state[0], INTERFACE_UP);
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_DOWN, clock_now_us()));
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_DOWN);
    assert_int_equal(control.state[1], INTERFACE_UP);
    assert_int_equal(atomic_load(&links.place[0].connect_requests), asked + 1);
    atomic_store(&links.place[0].look, -1);
    int64_t end_ns = clock_now_ns() + 1000 * MS;
    while (control.state[0] != INTERFACE_UP && clock_now_ns() < end_ns) {
        (void)links_service(&links, clock_now_us());
        run_ms(5);
    }
    assert_int_equal(control.state[0], INTERFACE_UP);
}

static void test_guard_look_before_bus_off_does_not_undo_it(void **state) {
    (void)state;
    run_ms(10);
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_UP, clock_now_us()));
    say(0, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    run_ms(30);
    assert_int_equal(control.state[0], INTERFACE_BUS_OFF);
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_UP, guard.bus[0].state_since_us +
                                                                         GUARD_LOOK_AFTER_US - 1));
    run_ms(30);
    assert_int_equal(control.state[0], INTERFACE_BUS_OFF);
}

static void test_guard_look_finds_bus_off_that_no_frame_told(void **state) {
    (void)state;
    run_ms(30);
    atomic_store(&links.place[0].look, links_pack_look(INTERFACE_BUS_OFF, clock_now_us()));
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_BUS_OFF);
    assert_int_equal(control.state[1], INTERFACE_UP);
}

/* What the far side of a udp interface does: it learns our address from whatever comes, and answers there. */
static bool answer_udp(uint32_t i, struct can_frame *f) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    if (recvfrom(far[i], f, sizeof *f, 0, (struct sockaddr *)&from, &length) !=
        (ssize_t)sizeof *f) {
        return false;
    }
    struct can_frame status = {.can_id = 0x150u | CAN_EFF_FLAG, .len = 8};
    return sendto(far[i], &status, sizeof status, 0, (const struct sockaddr *)&from, length) ==
           (ssize_t)sizeof status;
}

static void test_guard_udp_is_up_when_heard_and_down_when_refused(void **state) {
    (void)state;
    run_ms(20);
    assert_int_equal(control.state[0], INTERFACE_DOWN);
    struct can_frame f;
    assert_true(answer_udp(0, &f)); /* the probe */
    assert_int_equal(f.can_id, CAN_ERR_FLAG | CAN_ERR_RESTARTED);
    run_ms(10);
    assert_int_equal(control.state[0], INTERFACE_UP);
    assert_int_equal(control.frames, 1);
    close(far[0]);
    struct can_frame command = {.can_id = 0x390u | CAN_EFF_FLAG, .len = 8};
    (void)frame_batch_push(&control.tx, 0, &command);
    run_ms(10); /* goes out, is refused; the refusal is seen with the next call on the socket */
    (void)frame_batch_push(&control.tx, 0, &command);
    run_ms(20);
    assert_int_equal(control.state[0], INTERFACE_DOWN);
    far[0] = bind_udp(0);
    int64_t end_ns = clock_now_ns() + 2000 * MS;
    while (control.state[0] != INTERFACE_UP && clock_now_ns() < end_ns) {
        run_ms(10);
        (void)answer_udp(0, &f);
    }
    assert_int_equal(control.state[0], INTERFACE_UP);
    assert_int_equal(f.can_id, CAN_ERR_FLAG | CAN_ERR_RESTARTED); /* nothing stale came before */
}

static void test_guard_garbage_messages_are_counted_and_dropped(void **state) {
    (void)state;
    uint8_t junk[64];
    memset(junk, 0xff, sizeof junk);
    run_ms(10);
    for (size_t n = 1; n <= sizeof junk; n++) {
        (void)!send(far[0], junk, n, 0);
    }
    run_ms(20);
    /* 16 bytes of 0xff have a length byte of 255: malformed like all the others */
    assert_int_equal(guard.bus[0].counters.rx_malformed, 64);
    assert_int_equal(control.frames, 0);
    assert_int_equal(control.state[0], INTERFACE_UP);
}

static void test_guard_events_without_room_in_their_batch_are_counted(void **state) {
    (void)state;
    run_ms(10);
    assert_false(guard.status.flags & STATUS_FLAG_EVENTS_DROPPED);
    control.events_dropped = 7;
    run_ms(50);
    assert_int_equal(guard.status.events_dropped, 7);
    assert_true(guard.status.flags &
                STATUS_FLAG_EVENTS_DROPPED); /* the alarm of architecture section 3 */
    control.events_dropped = 2;
    run_ms(50);
    assert_int_equal(guard.status.events_dropped, 9);
}

static void test_guard_more_frames_than_a_chain_all_arrive_in_order(void **state) {
    (void)state;
    run_ms(10);
    for (uint32_t n = 0; n < 200; n++) {
        struct can_frame f = {.can_id = n | CAN_EFF_FLAG, .len = 8};
        (void)frame_batch_push(&control.tx, 2, &f);
    }
    run_ms(30);
    struct can_frame f;
    for (uint32_t n = 0; n < 200; n++) {
        assert_true(hear(2, &f));
        assert_int_equal(f.can_id, n | CAN_EFF_FLAG);
    }
    assert_false(hear(2, &f));
}

static void test_guard_command_is_answered_and_the_bell_rings(void **state) {
    (void)state;
    run_ms(10);
    (void)doorbell_drain(&peer.events_bell);
    struct command command = {.id = 99, .type = COMMAND_STOP, .slot = 3};
    assert_int_equal(shm_command_send(&peer, &command), 0);
    run_ms(10);
    assert_int_equal(control.commands, 1);
    assert_int_equal(control.last_command.slot, 3);
    struct command_result result;
    assert_int_equal(shm_results_take(&peer, &result, 1), 1);
    assert_int_equal(result.id, 99);
    assert_int_equal(doorbell_drain(&peer.events_bell), 1);
}

static void test_guard_flood_of_commands_is_bounded_per_step(void **state) {
    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        struct command command = {.id = n, .type = COMMAND_STOP};
        assert_int_equal(shm_command_send(&peer, &command), 0);
    }
    guard.commands_pending = true;
    guard_commands(&guard);
    assert_int_equal(control.commands, GUARD_COMMANDS_MAX);
    run_ms(30);
    assert_int_equal(control.commands, 100);
}

static void test_guard_status_carries_the_shells_share(void **state) {
    (void)state;
    run_ms(60);
    struct status status;
    assert_int_equal(shm_status_read(&peer, &status), 0);
    assert_int_equal(status.boot_id, 7);
    assert_int_equal(status.interfaces, config.interfaces);
    assert_int_equal(status.flags, STATUS_FLAG_SOCKET_BUS | STATUS_FLAG_NO_WATCHDOG);
    assert_true(status.guard_steps > 5);
    assert_true(clock_now_ns() - status.mono_ns < 200 * MS);
    shm_peer_heartbeat(&peer, clock_now_ns());
    run_ms(30);
    assert_int_equal(shm_status_read(&peer, &status), 0);
    assert_true(status.flags & STATUS_FLAG_NRT_ATTACHED);
}

static void test_guard_session_change_is_published(void **state) {
    (void)state;
    run_ms(20);
    control.session.running.session_id = 1234;
    control.session_seq = 5;
    run_ms(20);
    struct session_slot out;
    assert_int_equal(shm_sessions_read(&peer, 0, &out, NULL), 0);
    assert_int_equal(out.running.session_id, 1234);
}

static void test_guard_and_planner_exchange_every_cycle(void **state) {
    (void)state;
    run_ms(10);
    phase_init(&cycle.phase, 50 * MS, EXCHANGE_PLANNER_OFFSET_NS, clock_now_ns());
    uint64_t late = 0; /* others had the processor for longer than a cycle */
    for (uint32_t n = 0; n < 4; n++) {
        while (clock_now_ns() < cycle.phase.due_ns) {
            run_ms(1);
        }
        const int64_t next_ns = cycle.phase.due_ns + 50 * MS;
        cycle_once(&cycle, clock_now_ns());
        late += clock_now_ns() >= next_ns;
        for (int i = 0; i < 1000 && control.proposals == n; i++) {
            run_ms(1);
        }
        assert_int_equal(control.proposals, n + 1);
    }
    struct telemetry t[8];
    assert_int_equal(shm_telemetry_read(&peer, t, 8), 4);
    assert_int_equal(t[3].cycle, 4);
    assert_int_equal(t[3].start_mono_ns % (50 * MS), EXCHANGE_PLANNER_OFFSET_NS);
    assert_true(cycle.overruns <= late);
}

/* Filled for the planner alone: at the two ticks before its release, and once at the start. */
static void test_guard_gives_the_planner_input_before_its_release_only(void **state) {
    (void)state;
    run_ms(10);
    assert_true(control.plan_inputs >= 1);
    const int64_t start_ns = clock_now_ns();
    const uint32_t inputs = control.plan_inputs;
    run_ms(500);
    const int64_t most = 2 * ((clock_now_ns() - start_ns) / (50 * MS) + 1);
    assert_true(control.plan_inputs > inputs && control.plan_inputs - inputs <= most);
    for (int n = 0; n < 30; n++) {
        const uint32_t before = control.plan_inputs;
        (void)uring_wait(&guard.uring, guard_wait_limit_ns(&guard, clock_now_ns()));
        guard_pass(&guard);
        const int64_t into_ns = (guard.now_ns - 5 * MS / 2) % (config.planner_period_ms * MS);
        const bool close = config.planner_period_ms * MS - into_ns <= 10 * MS;
        assert_int_equal(control.plan_inputs != before, close && guard.tick_pending);
    }
}

static void test_cycle_not_finished_at_next_release_is_an_overrun(void **state) {
    (void)state;
    run_ms(10);
    int64_t now_ns = clock_now_ns();
    phase_init(&cycle.phase, 50 * MS, EXCHANGE_PLANNER_OFFSET_NS, now_ns - 170 * MS);
    int64_t due_ns = cycle.phase.due_ns;
    cycle_once(&cycle, now_ns); /* released 120 to 170 ms ago */
    assert_int_equal(cycle.overruns, 1);
    assert_true(cycle.phase.due_ns > now_ns);
    assert_int_equal((cycle.phase.due_ns - due_ns) % (50 * MS), 0);
    run_ms(10);
    struct event event[4];
    uint32_t taken = 0;
    assert_int_equal(shm_events_peek(&peer, event, 4, &taken), 1);
    assert_int_equal(event[0].type, EVENT_OVERRUN);
    assert_true(event[0].value >= 100000);
}

static void test_cycle_without_any_image_proposes_nothing(void **state) {
    (void)state;
    phase_init(&cycle.phase, 50 * MS, EXCHANGE_PLANNER_OFFSET_NS, clock_now_ns());
    cycle_once(&cycle, cycle.phase.due_ns);
    guard_proposal(&guard);
    assert_int_equal(control.proposals, 0);
    assert_int_equal(diag_get(shm_diag(&peer), DIAG_PLANNER_NO_INPUT), 1);
}

static void *guard_thread(void *argument) {
    return guard_run(argument);
}

static void test_guard_run_stop_waits_for_idle_then_ends(void **state) {
    (void)state;
    pthread_t thread;
    guard_close(&guard);
    struct guard_setup in = guard.in;
    guard_init(&guard, &in);
    assert_int_equal(pthread_create(&thread, NULL, guard_thread, &guard), 0);
    exchange_await(&exchange.guard_ready);
    assert_int_equal(guard.start_code, 0);
    sem_post(&exchange.go);
    usleep(50000);
    atomic_store(&exchange.stop, true);
    usleep(100000);
    assert_false(atomic_load(&exchange.guard_done)); /* not idle yet */
    assert_int_equal(control.shutdowns, 1);
    control.idle = true;
    pthread_join(thread, NULL);
    assert_true(atomic_load(&exchange.guard_done));
    assert_true(atomic_load(&exchange.stopped_idle));
    assert_int_equal(guard_open(&guard), 0); /* for the teardown */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_guard_open_interfaces_are_up_and_told),
        TEST(test_guard_tick_steps_every_five_ms),
        TEST(test_guard_wait_ends_at_the_tick),
        TEST(test_guard_tick_late_is_counted_not_caught_up),
        TEST(test_guard_burst_of_frames_is_few_steps),
        TEST(test_guard_step_that_can_wait_leaves_the_planner_its_release),
        TEST(test_guard_urgent_frame_is_stepped_beside_the_planner_too),
        TEST(test_guard_single_frames_that_can_wait_share_steps),
        TEST(test_guard_frame_that_can_wait_is_stepped_within_its_time),
        TEST(test_guard_storm_of_doorbells_is_bounded),
        TEST(test_guard_storm_of_error_frames_costs_no_steps),
        TEST(test_guard_estop_frame_all_off_leaves_in_the_same_pass),
        TEST(test_guard_reaction_many_times_is_fast),
        TEST(test_guard_far_side_gone_is_down_then_reconnected),
        TEST(test_guard_bus_off_is_told_and_restart_asked),
        TEST(test_guard_look_after_bus_off_brings_it_back),
        TEST(test_guard_look_finds_a_stopped_controller_and_opens_it_anew),
        TEST(test_guard_look_before_bus_off_does_not_undo_it),
        TEST(test_guard_look_finds_bus_off_that_no_frame_told),
        cmocka_unit_test_setup_teardown(test_guard_udp_is_up_when_heard_and_down_when_refused,
                                        setup_udp, teardown),
        TEST(test_guard_garbage_messages_are_counted_and_dropped),
        TEST(test_guard_events_without_room_in_their_batch_are_counted),
        TEST(test_guard_more_frames_than_a_chain_all_arrive_in_order),
        TEST(test_guard_command_is_answered_and_the_bell_rings),
        TEST(test_guard_flood_of_commands_is_bounded_per_step),
        TEST(test_guard_status_carries_the_shells_share),
        TEST(test_guard_session_change_is_published),
        TEST(test_guard_and_planner_exchange_every_cycle),
        TEST(test_guard_gives_the_planner_input_before_its_release_only),
        TEST(test_cycle_not_finished_at_next_release_is_an_overrun),
        TEST(test_cycle_without_any_image_proposes_nothing),
        TEST(test_guard_run_stop_waits_for_idle_then_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
