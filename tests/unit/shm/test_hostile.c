/* A peer gone wild: one thread writes random bytes over shared fields while the other side works. Nothing may crash (address and
 * undefined-behaviour sanitizers watch), hang, or hand out more than asked for; and noise in nrt's area never reaches what
 * ringmain-rt has written. Not under ThreadSanitizer: the noise is a data race by intent. */
#include "shm/shm.h"
#include "tests/unit/shm/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RUN_NS INT64_C(400000000)

struct noise {
    unsigned char *at;
    size_t bytes;
    size_t hot; /* the first so many bytes (indices) are hit half of the time */
    atomic_bool stop;
    _Atomic uint64_t writes;
};

/* Values near the edges do more harm than evenly random ones. */
static uint64_t nasty(uint64_t *seed) {
    uint64_t r = support_random(seed);
    switch (r % 6) {
    case 0: return support_random(seed);
    case 1: return UINT64_MAX - r % 300;
    case 2: return support_random(seed) % 20000;
    case 3: return UINT64_C(1) << (support_random(seed) % 64);
    case 4: return 0;
    default: return support_random(seed) >> (support_random(seed) % 64);
    }
}

static void *make_noise(void *argument) {
    struct noise *n = argument;
    uint64_t seed = 4711;
    uint64_t writes = 0;
    while (!atomic_load_explicit(&n->stop, memory_order_relaxed)) {
        size_t range = support_random(&seed) % 2 == 0 ? n->hot : n->bytes;
        size_t offset = support_random(&seed) % (range / 8) * 8;
        uint64_t value = nasty(&seed);
        if (support_random(&seed) % 4 == 0) {
            n->at[offset + support_random(&seed) % 8] = (unsigned char)value;
        } else {
            atomic_store_explicit((_Atomic uint64_t *)(void *)(n->at + offset), value,
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&n->writes, ++writes, memory_order_relaxed);
    }
    return NULL;
}

static pthread_t start_noise(struct noise *n, void *at, size_t bytes, size_t hot) {
    pthread_t thread;
    n->at = at;
    n->bytes = bytes;
    n->hot = hot;
    atomic_init(&n->writes, 0);
    atomic_init(&n->stop, false);
    assert_int_equal(pthread_create(&thread, NULL, make_noise, n), 0);
    return thread;
}

static void end_noise(struct noise *n, pthread_t thread) {
    atomic_store(&n->stop, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&n->writes) > 1000);
}

/* Long enough, and enough noise was made; a busy machine gets more time, but not for ever. */
static bool is_over(const struct noise *n, int64_t begin_ns) {
    int64_t elapsed_ns = support_now_ns() - begin_ns;
    uint64_t writes = atomic_load_explicit(&n->writes, memory_order_relaxed);
    return elapsed_ns > RUN_NS && (writes > 10000 || elapsed_ns > 40 * RUN_NS);
}

static void skip_under_tsan(void) {
#if defined(__SANITIZE_THREAD__)
    skip();
#endif
}

/* ---- the ring alone, on the heap, where the sanitizer knows every edge ---- */

struct ring_block {
    struct ring_line producer_line, consumer_line;
    uint64_t records[16][16];
};

static void test_hostile_ring_stays_within_its_memory(void **state) {
    (void)state;
    skip_under_tsan();
    struct ring_block *block = calloc(1, sizeof *block);
    assert_non_null(block);
    struct ring_producer p;
    struct ring_consumer c;
    (void)ring_producer_attach(&p, &block->producer_line, &block->consumer_line, block->records, 16,
                               128, RING_TRUST_OWN);
    (void)ring_consumer_attach(&c, &block->consumer_line, &block->producer_line, block->records, 16,
                               128, RING_TRUST_OWN);
    struct noise noise;
    pthread_t thread = start_noise(&noise, block, sizeof *block, 2 * sizeof(struct ring_line));
    uint64_t(*buffer)[16] = calloc(16, sizeof *buffer);
    assert_non_null(buffer);
    uint64_t seed = 2;
    for (int64_t begin_ns = support_now_ns(); !is_over(&noise, begin_ns);) {
        uint32_t n = (uint32_t)(support_random(&seed) % 17);
        assert_true(ring_push(&p, buffer, n) <= n);
        assert_true(ring_push_or_drop(&p, buffer, n) <= n);
        uint32_t got = ring_peek(&c, buffer, n);
        assert_true(got <= n);
        ring_consume(&c, got);
        assert_true(ring_waiting(&c) <= 16);
        if (support_random(&seed) % 64 == 0) {
            enum ring_trust trust = n % 2 == 0 ? RING_TRUST_OWN : RING_TRUST_PEER;
            (void)ring_producer_attach(&p, &block->producer_line, &block->consumer_line,
                                       block->records, 16, 128, trust);
            (void)ring_consumer_attach(&c, &block->consumer_line, &block->producer_line,
                                       block->records, 16, 128, trust);
        }
    }
    end_noise(&noise, thread);
    assert_true(p.faults > 0 || c.faults > 0);
    free(buffer);
    free(block);
}

/* ---- snapshot, retained and overwriting ring, likewise ---- */

struct readers_block {
    struct overwrite_line line;
    _Alignas(64) unsigned char snapshot[SNAPSHOT_SIZE(256)];
    _Alignas(64) unsigned char retained[RETAINED_SIZE(256)];
    uint64_t records[16][16];
};

static void test_hostile_readers_stay_within_their_memory(void **state) {
    (void)state;
    skip_under_tsan();
    struct readers_block *block = aligned_alloc(64, sizeof *block);
    assert_non_null(block);
    memset(block, 0, sizeof *block);
    struct overwrite_writer writer;
    struct overwrite_reader reader;
    struct snapshot *shared = (struct snapshot *)(void *)block->snapshot;
    struct snapshot_writer snapshot;
    struct retained_writer retained;
    uint64_t *in = calloc(32, 8);
    uint64_t *out = calloc(32, 8);
    assert_true(in != NULL && out != NULL);
    overwrite_writer_attach(&writer, &block->line, block->records, 16, 128);
    overwrite_reader_attach(&reader, &block->line, block->records, 16, 128);
    snapshot_attach(&snapshot, shared, 256);
    retained_attach(&retained, block->retained, 256, 1);
    struct noise noise;
    pthread_t thread =
        start_noise(&noise, block, sizeof *block, offsetof(struct readers_block, snapshot) + 64);
    for (int64_t begin_ns = support_now_ns(); !is_over(&noise, begin_ns);) {
        size_t length = 0;
        overwrite_write(&writer, in);
        assert_true(overwrite_read(&reader, out, 2) <= 2);
        snapshot_publish(&snapshot, in, 256);
        if (snapshot_read(shared, 256, out, 256, &length, 20) == 0) {
            assert_true(length <= 256);
        }
        retained_publish(&retained, in, 200);
        if (retained_read(block->retained, 256, 1, out, 256, &length, NULL) == 0) {
            assert_true(length <= 256);
        }
        retained_attach(&retained, block->retained, 256, 1);
        snapshot_attach(&snapshot, shared, 256);
    }
    end_noise(&noise, thread);
    free(in);
    free(out);
    free(block);
}

/* ---- the segment ---- */

static char name[64];
static struct status status;

static int setup(void **state) {
    (void)state;
    support_name(name, "hostile");
    return shm_unlink_all(name);
}

static int teardown(void **state) {
    (void)state;
    return shm_unlink_all(name);
}

/* A mapping of its own for the noise: it goes on while the others close and open theirs. */
static struct shm_segment *map_for_noise(void) {
    int file = shm_open(name, O_RDWR, 0);
    assert_true(file >= 0);
    void *base =
        mmap(NULL, sizeof(struct shm_segment), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    close(file);
    return base;
}

/* One step of ringmain-rt's side. */
static void rt_step(struct shm_rt *rt, uint64_t number) {
    struct event events[3] = {{.type = EVENT_LIMIT}};
    struct command commands[8];
    struct command_result result = {.id = number};
    struct telemetry telemetry = {.cycle = number};
    assert_true(shm_rt_events(rt, events, 3) <= 3);
    uint32_t n = shm_rt_commands(rt, commands, 8);
    assert_true(n <= 8);
    shm_rt_commands_done(rt, n);
    shm_rt_result(rt, &result);
    shm_rt_telemetry(rt, &telemetry);
    shm_rt_heartbeat(rt, (int64_t)number);
    (void)shm_rt_peer_alive(rt, (int64_t)number, 1000);
    status.slots = 2;
    support_fill(status.slot, 2 * sizeof status.slot[0], number);
    status.guard_steps = number;
    shm_rt_status(rt, &status);
    struct session_slot sessions = {.finished_count = (uint32_t)(number % 3)};
    sessions.running.session_id = number;
    shm_rt_sessions(rt, (uint32_t)(number % 4), &sessions);
    uint64_t latched[RM_SLOTS_MAX] = {[0] = number};
    shm_rt_latches(rt, latched, false, true);
    diag_record(shm_rt_diag(rt), DIAG_HISTOGRAM_GUARD_STEP, (int64_t)number);
    diag_cycle(shm_rt_diag(rt), DIAG_THREAD_GUARD, 5);
}

static void test_hostile_nrt_area_wild_rt_goes_on_and_its_own_data_stay_right(void **state) {
    (void)state;
    skip_under_tsan();
    struct shm_rt rt;
    struct shm_peer ctl;
    struct shm_start start;
    struct noise noise;
    static struct status out;
    uint64_t number = 0;
    assert_int_equal(shm_rt_create(&rt, name, 1, SHM_POLICY_REFUSE, 0, &start), 0);
    assert_int_equal(shm_attach(&ctl, name, SHM_READ), 0);
    struct shm_segment *wild = map_for_noise();
    pthread_t thread =
        start_noise(&noise, &wild->nrt, sizeof wild->nrt, offsetof(struct shm_nrt, command));
    for (int64_t begin_ns = support_now_ns(); !is_over(&noise, begin_ns);) {
        rt_step(&rt, ++number);
        assert_int_equal(shm_status_read(&ctl, &out), 0);
        assert_int_equal(out.guard_steps, number);
        assert_true(support_is_filled(out.slot, 2 * sizeof out.slot[0], number));
        struct session_slot sessions;
        assert_int_equal(shm_sessions_read(&ctl, (uint32_t)(number % 4), &sessions, NULL), 0);
        assert_int_equal(sessions.running.session_id, number);
        struct shm_latches latches;
        assert_int_equal(shm_latches_read(&ctl, &latches), 0);
        assert_int_equal(latches.latched[0], number);
        /* also a start of ringmain-rt amid the noise */
        if (number % 256 == 0) {
            shm_rt_close(&rt);
            assert_int_equal(shm_rt_create(&rt, name, number, SHM_POLICY_REFUSE, 0, &start), 0);
            assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
            assert_int_equal(start.latches.latched[0], number);
            assert_int_equal(start.sessions_lost, 0);
        }
    }
    end_noise(&noise, thread);
    munmap(wild, sizeof *wild);
    assert_true(number > 10);
    shm_detach(&ctl);
    shm_rt_close(&rt);
}

/* One step of nrt's and ctl's side: whatever comes, within what was asked for. */
static void peer_step(struct shm_peer *nrt, uint64_t number) {
    static struct status seen;
    struct event events[8];
    struct command_result results[8];
    struct telemetry telemetry[8];
    struct command command = {.id = number};
    struct session_slot sessions;
    struct shm_latches latches;
    struct diag_error_copy error;
    uint32_t taken = 0;
    assert_true(shm_events_peek(nrt, events, 8, &taken) <= taken && taken <= 8);
    shm_events_commit(nrt, taken);
    assert_true(shm_results_take(nrt, results, 8) <= 8);
    assert_true(shm_telemetry_read(nrt, telemetry, 8) <= 8);
    (void)!shm_command_send(nrt, &command);
    if (shm_status_read(nrt, &seen) == 0) {
        assert_true(seen.slots <= RM_SLOTS_MAX && seen.interfaces <= RM_INTERFACES_MAX);
    }
    for (uint32_t slot = 0; slot < RM_SLOTS_MAX; slot++) {
        if (shm_sessions_read(nrt, slot, &sessions, NULL) == 0) {
            assert_true(sessions.finished_count <= SESSIONS_FINISHED_MAX);
        }
    }
    if (shm_latches_read(nrt, &latches) == 0) {
        assert_true(latches.known <= 1);
    }
    (void)shm_event_boot_id(nrt, number);
    (void)shm_is_current(nrt);
    (void)shm_rt_age(nrt, (int64_t)number);
    if (diag_error_read(shm_diag(nrt), (unsigned)(number % 70), &error)) {
        assert_true(strnlen(error.text, sizeof error.text) < sizeof error.text);
    }
    (void)diag_quantile(&shm_diag(nrt)->histogram[number % DIAG_HISTOGRAM_COUNT], 9990);
    shm_peer_heartbeat(nrt, (int64_t)number);
}

static void test_hostile_whole_segment_wild_neither_side_breaks(void **state) {
    (void)state;
    skip_under_tsan();
    struct shm_rt rt;
    struct shm_peer nrt;
    struct shm_start start;
    struct noise noise;
    uint64_t number = 0;
    assert_int_equal(shm_rt_create(&rt, name, 1, SHM_POLICY_REFUSE, 0, &start), 0);
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct shm_segment *wild = map_for_noise();
    size_t skip_header = offsetof(struct shm_segment, header.state);
    pthread_t thread = start_noise(&noise, (unsigned char *)wild + skip_header,
                                   sizeof *wild - skip_header, offsetof(struct shm_segment, event));
    for (int64_t begin_ns = support_now_ns(); !is_over(&noise, begin_ns); number++) {
        rt_step(&rt, number);
        if (number % 8 == 0) {
            peer_step(&nrt, number);
        }
        if (number % 500 == 499) {
            shm_rt_close(&rt);
            assert_int_equal(shm_rt_create(&rt, name, number, SHM_POLICY_REFUSE, 0, &start), 0);
            assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
        }
    }
    end_noise(&noise, thread);
    munmap(wild, sizeof *wild);
    assert_true(number > 10);
    shm_detach(&nrt);
    shm_rt_close(&rt);
}

/* Random bytes from the first to the last: attach and start answer with an error or a working segment, nothing else. */
static void test_hostile_random_file_is_refused_or_replaced(void **state) {
    (void)state;
    uint64_t seed = 31;
    for (unsigned turn = 0; turn < 200; turn++) {
        struct shm_rt rt;
        struct shm_peer peer;
        struct shm_start start;
        assert_int_equal(shm_rt_create(&rt, name, 1, SHM_POLICY_REPLACE, 0, &start), 0);
        unsigned char *bytes = (unsigned char *)&rt.segment->header;
        for (unsigned i = 0; i < 1 + turn % 4; i++) {
            bytes[support_random(&seed) % sizeof rt.segment->header] ^=
                (unsigned char)(1 + support_random(&seed) % 255);
        }
        shm_rt_close(&rt);
        int result = shm_attach(&peer, name, SHM_READ);
        assert_true(result <= 0);
        if (result == 0) {
            shm_detach(&peer);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_ring_stays_within_its_memory),
        cmocka_unit_test(test_hostile_readers_stay_within_their_memory),
        TEST(test_hostile_nrt_area_wild_rt_goes_on_and_its_own_data_stay_right),
        TEST(test_hostile_whole_segment_wild_neither_side_breaks),
        TEST(test_hostile_random_file_is_refused_or_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
