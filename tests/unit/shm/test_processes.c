/* Two processes on the real segment; one of them is killed with SIGKILL at random moments, again and again. */
#include "shm/shm.h"
#include "tests/unit/shm/support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define KILLS 50

static char name[64];

static int setup(void **state) {
    (void)state;
    support_name(name, "processes");
    return shm_unlink_all(name);
}

static int teardown(void **state) {
    (void)state;
    return shm_unlink_all(name);
}

static void sleep_us(unsigned us) {
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)us * 1000};
    (void)nanosleep(&t, NULL);
}

/* The child never outlives the test, whatever happens to it. */
static pid_t start_child(void (*work)(void *), void *argument) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(argument);
        _exit(0);
    }
    return child;
}

/* Kills the child. false when it had ended by itself: it found something wrong. */
static bool kill_child(pid_t child) {
    int status = 0;
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- ringmain-rt killed ---- */

/* Every slot's record says the same in several places; the numbers only grow. */
static struct session_slot sessions_of(uint64_t number) {
    struct session_slot s = {.finished_count = (uint32_t)(number % (SESSIONS_FINISHED_MAX + 1))};
    support_fill(&s.running, sizeof s.running, number);
    s.running.session_id = number;
    for (uint32_t i = 0; i < s.finished_count; i++) {
        support_fill(&s.finished[i], sizeof s.finished[i], number + i);
    }
    return s;
}

static void rt_work(void *argument) {
    uint64_t boot_id = *(uint64_t *)argument;
    static struct status status;
    struct shm_rt rt;
    struct shm_start start;
    if (shm_rt_create(&rt, name, boot_id, SHM_POLICY_REFUSE, support_now_ns(), &start) != 0 ||
        start.sessions_lost != 0) {
        _exit(1);
    }
    struct session_slot left;
    int result = shm_rt_sessions_left(&rt, 3, &left);
    if (result != 0 && result != -ENODATA) {
        _exit(2);
    }
    uint64_t number = result == 0 ? left.running.session_id : 0;
    for (;;) {
        number++;
        struct event batch[5];
        for (unsigned i = 0; i < 5; i++) {
            batch[i] = (struct event){.type = EVENT_LIMIT, .value = (int64_t)boot_id};
        }
        if (ring_has_room(&rt.events, 5)) {
            (void)shm_rt_events(&rt, batch, 5);
        }
        struct session_slot sessions = sessions_of(number);
        shm_rt_sessions(&rt, 3, &sessions);
        status.slots = (uint32_t)(number % 13);
        support_fill(status.slot, status.slots * sizeof status.slot[0], number);
        status.guard_steps = number;
        shm_rt_status(&rt, &status);
        shm_rt_ring(&rt);
        shm_rt_heartbeat(&rt, support_now_ns());
    }
}

struct seen {
    uint64_t events, session_number, agains;
};

/* One look of nrt at everything. */
static void look(struct shm_peer *nrt, struct seen *seen) {
    static struct status status;
    struct event out[256];
    uint32_t taken = 0;
    uint32_t n = shm_events_peek(nrt, out, 256, &taken);
    assert_int_equal(n, taken);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(out[i].seq, ++seen->events);
        assert_int_equal(out[i].value, shm_event_boot_id(nrt, out[i].seq));
    }
    shm_events_commit(nrt, taken);
    struct session_slot sessions;
    int result = shm_sessions_read(nrt, 3, &sessions, NULL);
    if (result == 0) {
        uint64_t number = sessions.running.session_id;
        struct session_slot expected = sessions_of(number);
        assert_memory_equal(&sessions, &expected, sizeof sessions);
        assert_true(number + 1 >= seen->session_number);
        seen->session_number = number;
    } else {
        assert_true(result == -ENODATA || result == -EAGAIN);
    }
    result = shm_status_read(nrt, &status);
    if (result == 0) {
        assert_true(support_is_filled(status.slot, status.slots * sizeof status.slot[0],
                                      status.guard_steps));
    } else {
        assert_true(result == -ENODATA || result == -EAGAIN);
        seen->agains += result == -EAGAIN;
    }
    (void)doorbell_drain(&nrt->events_bell);
}

static void attach_soon(struct shm_peer *nrt) {
    for (unsigned i = 0; i < 20000; i++) {
        int result = shm_attach(nrt, name, SHM_WRITE);
        if (result == 0) {
            return;
        }
        assert_true(result == -ENOENT || result == -EAGAIN || result == -ENODATA);
        sleep_us(500);
    }
    fail_msg("ringmain-rt's side did not come up");
}

static void test_processes_rt_killed_at_random_nothing_is_lost_or_torn(void **state) {
    (void)state;
    struct seen seen = {0};
    uint64_t seed = 77;
    struct shm_peer nrt = {.file = -1};
    for (uint64_t boot = 1; boot <= KILLS; boot++) {
        pid_t rt = start_child(rt_work, &boot);
        if (boot == 1) {
            attach_soon(&nrt);
        }
        int64_t end_ns = support_now_ns() + (int64_t)(support_random(&seed) % 8000000);
        while (support_now_ns() < end_ns) {
            look(&nrt, &seen);
        }
        assert_true(kill_child(rt));
        look(&nrt, &seen);
    }
    shm_detach(&nrt);
    assert_true(seen.events > KILLS && seen.session_number > KILLS);
}

/* ---- ringmain-nrt killed ---- */

/* nrt's store: what is here was made durable. */
struct durable {
    _Atomic uint64_t last_seq;
    _Atomic uint64_t repeated; /* seen again after a kill: allowed, recognised by number */
};

static void nrt_work(void *argument) {
    struct durable *store = argument;
    struct shm_peer nrt;
    if (shm_attach(&nrt, name, SHM_WRITE) != 0) {
        _exit(1);
    }
    for (uint64_t id = 1;; id++) {
        struct event out[64];
        uint32_t taken = 0;
        uint32_t n = shm_events_peek(&nrt, out, 64, &taken);
        if (n != taken) {
            _exit(2);
        }
        for (uint32_t i = 0; i < n; i++) {
            uint64_t last = atomic_load(&store->last_seq);
            if (out[i].seq > last + 1) {
                _exit(3); /* a gap: lost */
            }
            if (out[i].seq == last + 1) {
                atomic_store(&store->last_seq, out[i].seq);
            } else {
                atomic_store(&store->repeated, atomic_load(&store->repeated) + 1);
            }
        }
        shm_events_commit(&nrt, taken);
        struct command c = {.id = id, .type = COMMAND_STOP};
        support_fill(c.text, sizeof c.text, id);
        (void)!shm_command_send(&nrt, &c);
        struct command_result results[16];
        (void)!shm_results_take(&nrt, results, 16);
        shm_peer_heartbeat(&nrt, support_now_ns());
    }
}

static void serve(struct shm_rt *rt, uint64_t *pushed, uint64_t *commands) {
    struct event batch[7] = {{.type = EVENT_LIMIT}};
    if (ring_has_room(&rt->events, 7)) {
        *pushed += shm_rt_events(rt, batch, 7);
    }
    struct command in[8];
    uint32_t n = shm_rt_commands(rt, in, 8);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(support_is_filled(in[i].text, sizeof in[i].text, in[i].id));
        struct command_result answer = {.id = in[i].id};
        shm_rt_result(rt, &answer);
    }
    shm_rt_commands_done(rt, n);
    *commands += n;
    (void)doorbell_drain(&rt->commands_bell);
}

static void test_processes_nrt_killed_at_random_no_event_lost(void **state) {
    (void)state;
    struct durable *store =
        mmap(NULL, sizeof *store, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(store, MAP_FAILED);
    struct shm_rt rt;
    struct shm_start start;
    uint64_t seed = 123;
    uint64_t pushed = 0;
    uint64_t commands = 0;
    assert_int_equal(shm_rt_create(&rt, name, 1, SHM_POLICY_REFUSE, 0, &start), 0);
    for (unsigned turn = 0; turn < KILLS; turn++) {
        pid_t nrt = start_child(nrt_work, store);
        int64_t end_ns = support_now_ns() + (int64_t)(support_random(&seed) % 8000000);
        while (support_now_ns() < end_ns) {
            serve(&rt, &pushed, &commands);
        }
        assert_true(kill_child(nrt));
    }
    assert_int_equal(shm_rt_peer_faults(&rt), 0);
    pid_t nrt = start_child(nrt_work, store); /* the last one may finish */
    int64_t end_ns = support_now_ns() + 20000000000;
    while (atomic_load(&store->last_seq) < pushed && support_now_ns() < end_ns) {
        sleep_us(1000);
    }
    assert_true(kill_child(nrt));
    assert_int_equal(atomic_load(&store->last_seq), pushed);
    assert_true(pushed > KILLS && commands > KILLS);
    shm_rt_close(&rt);
    munmap(store, sizeof *store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_processes_rt_killed_at_random_nothing_is_lost_or_torn),
        TEST(test_processes_nrt_killed_at_random_no_event_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
