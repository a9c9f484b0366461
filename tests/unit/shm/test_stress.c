/* Two threads on each primitive, as fast as they go. Under ThreadSanitizer this is the check of the orderings. */
#include "shm/overwrite_ring.h"
#include "shm/retained.h"
#include "shm/ring.h"
#include "shm/snapshot.h"
#include "shm/triple_buffer.h"
#include "tests/unit/shm/support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define RUN_NS INT64_C(300000000)
#define ENOUGH 1000u

static atomic_bool stop;

static pthread_t start(void *(*work)(void *), void *argument) {
    pthread_t thread;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, work, argument), 0);
    return thread;
}

/* Long enough, and enough has happened; a busy machine gets more time, but not for ever. */
static bool is_over(int64_t begin_ns, uint64_t happened) {
    int64_t elapsed_ns = support_now_ns() - begin_ns;
    return elapsed_ns > RUN_NS && (happened > ENOUGH || elapsed_ns > 200 * RUN_NS);
}

/* ---- ring: random batches, everything arrives once and in order ---- */

#define RING_CAPACITY 64u

struct ring_rig {
    struct ring_line producer_line, consumer_line;
    uint64_t records[RING_CAPACITY][8];
    uint64_t pushed; /* by the producer, read after join */
};

static void *ring_producer_work(void *argument) {
    struct ring_rig *rig = argument;
    struct ring_producer p;
    uint64_t seed = 11;
    uint64_t next = 0;
    if (!ring_producer_attach(&p, &rig->producer_line, &rig->consumer_line, rig->records,
                              RING_CAPACITY, 64, RING_TRUST_OWN)) {
        return NULL;
    }
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        uint64_t batch[20][8];
        uint32_t n = 1 + (uint32_t)(support_random(&seed) % 20);
        for (uint32_t i = 0; i < n; i++) {
            support_fill(batch[i], 64, next + i);
        }
        uint32_t pushed = ring_push(&p, batch, n);
        next += pushed;
        if (pushed == 0) {
            (void)sched_yield();
        }
    }
    rig->pushed = next;
    return NULL;
}

static uint64_t ring_take(struct ring_consumer *c, uint64_t expected, uint64_t *seed) {
    uint64_t out[16][8];
    uint32_t n = ring_peek(c, out, 1 + (uint32_t)(support_random(seed) % 16));
    for (uint32_t i = 0; i < n; i++) {
        assert_true(support_is_filled(out[i], 64, expected + i));
    }
    uint32_t keep = n == 0 ? 0 : (uint32_t)(support_random(seed) % 3) % n;
    ring_consume(c, n - keep);
    return n - keep;
}

static void test_stress_ring_two_threads_everything_once_in_order(void **state) {
    (void)state;
    static struct ring_rig rig;
    struct ring_consumer c;
    uint64_t seed = 5;
    uint64_t expected = 0;
    assert_true(ring_consumer_attach(&c, &rig.consumer_line, &rig.producer_line, rig.records,
                                     RING_CAPACITY, 64, RING_TRUST_OWN));
    pthread_t producer = start(ring_producer_work, &rig);
    int64_t begin_ns = support_now_ns();
    while (!is_over(begin_ns, expected)) {
        uint64_t n = ring_take(&c, expected, &seed);
        expected += n;
        if (n == 0) {
            (void)sched_yield();
        }
    }
    atomic_store(&stop, true);
    pthread_join(producer, NULL);
    while (ring_waiting(&c) > 0) {
        expected += ring_take(&c, expected, &seed);
    }
    assert_int_equal(expected, rig.pushed);
    assert_true(expected > ENOUGH);
    assert_int_equal(c.faults, 0);
    assert_int_equal(atomic_load(&rig.producer_line.faults), 0);
}

/* ---- snapshot: only whole values, never older than the one before ---- */

#define SNAPSHOT_BYTES 512u

struct snapshot_rig {
    _Alignas(64) unsigned char memory[SNAPSHOT_SIZE(SNAPSHOT_BYTES)];
};

static void *snapshot_work(void *argument) {
    struct snapshot_rig *rig = argument;
    struct snapshot_writer w;
    uint64_t block[SNAPSHOT_BYTES / 8];
    snapshot_attach(&w, (struct snapshot *)(void *)rig->memory, SNAPSHOT_BYTES);
    for (uint64_t number = 1; !atomic_load_explicit(&stop, memory_order_relaxed); number++) {
        size_t bytes = 64 + number % 57 * 8;
        support_fill(block, bytes, number);
        block[0] = number;
        snapshot_publish(&w, block, bytes);
        if (number % 64 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_stress_snapshot_reader_sees_only_whole_values(void **state) {
    (void)state;
    static struct snapshot_rig rig;
    uint64_t last = 0;
    uint64_t reads = 0;
    pthread_t writer = start(snapshot_work, &rig);
    int64_t begin_ns = support_now_ns();
    while (!is_over(begin_ns, reads < last ? reads : last)) {
        uint64_t out[SNAPSHOT_BYTES / 8];
        size_t length = 0;
        int result = snapshot_read((struct snapshot *)(void *)rig.memory, SNAPSHOT_BYTES, out,
                                   sizeof out, &length, 100);
        assert_true(result == 0 || result == -EAGAIN || result == -ENODATA);
        if (result != 0) {
            (void)sched_yield();
            continue;
        }
        reads++;
        uint64_t number = out[0];
        assert_true(number >= last);
        if (number == last) {
            (void)sched_yield();
        }
        assert_int_equal(length, 64 + number % 57 * 8);
        out[0] = number * 0x9e3779b97f4a7c15u;
        assert_true(support_is_filled(out, length, number));
        last = number;
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    assert_true(reads > ENOUGH && last > ENOUGH);
}

/* ---- retained: only whole values, at most one generation back ---- */

struct retained_rig {
    _Alignas(64) unsigned char memory[RETAINED_SIZE(SNAPSHOT_BYTES)];
};

static void *retained_work(void *argument) {
    struct retained_rig *rig = argument;
    struct retained_writer w;
    uint64_t block[SNAPSHOT_BYTES / 8];
    retained_attach(&w, rig->memory, SNAPSHOT_BYTES, 1);
    for (uint64_t number = 1; !atomic_load_explicit(&stop, memory_order_relaxed); number++) {
        support_fill(block, sizeof block, number);
        retained_publish(&w, block, sizeof block);
        if (number % 16 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_stress_retained_reader_sees_only_whole_values(void **state) {
    (void)state;
    static struct retained_rig rig;
    uint64_t last = 0;
    uint64_t reads = 0;
    pthread_t writer = start(retained_work, &rig);
    int64_t begin_ns = support_now_ns();
    while (!is_over(begin_ns, reads < last ? reads : last)) {
        uint64_t out[SNAPSHOT_BYTES / 8];
        uint64_t generation = 0;
        int result =
            retained_read(rig.memory, SNAPSHOT_BYTES, 1, out, sizeof out, NULL, &generation);
        /* -EBADMSG: a stable copy never fails its checksum, also beside a running writer */
        assert_true(result == 0 || result == -EAGAIN || result == -ENODATA);
        if (result == 0) {
            assert_true(support_is_filled(out, sizeof out, generation));
            assert_true(generation + 1 >= last);
            last = generation > last ? generation : last;
            reads++;
        }
        if (reads % 64 == 0) {
            (void)sched_yield();
        }
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    assert_true(reads > ENOUGH && last > ENOUGH);
}

/* ---- overwriting ring: whole records in order, read and lost add up ---- */

#define OVERWRITE_CAPACITY 32u

struct overwrite_rig {
    struct overwrite_line line;
    uint64_t records[OVERWRITE_CAPACITY][16];
    uint64_t written;
};

static void *overwrite_work(void *argument) {
    struct overwrite_rig *rig = argument;
    struct overwrite_writer w;
    uint64_t record[16];
    uint64_t seed = 8;
    uint64_t number = 0;
    overwrite_writer_attach(&w, &rig->line, rig->records, OVERWRITE_CAPACITY, sizeof record);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        support_fill(record, sizeof record, number++);
        overwrite_write(&w, record);
        if (support_random(&seed) % 16 == 0) {
            (void)sched_yield();
        }
    }
    rig->written = number;
    return NULL;
}

static uint64_t overwrite_take(struct overwrite_reader *r) {
    uint64_t out[8][16];
    uint32_t n = overwrite_read(r, out, 8);
    for (uint32_t i = 0; i < n; i++) {
        /* when the call ended with a lap, index has moved on; the records before it are still consecutive */
        uint64_t number = 0;
        memcpy(&number, &out[i][0], 8);
        number *= 0xf1de83e19937733du; /* inverse of the filling's multiplier modulo 2^64 */
        assert_true(support_is_filled(out[i], sizeof out[i], number));
        assert_true(i == 0 || out[i][0] - out[i - 1][0] == 0x9e3779b97f4a7c15u);
    }
    return n;
}

static void test_stress_overwrite_ring_whole_records_read_and_lost_add_up(void **state) {
    (void)state;
    static struct overwrite_rig rig;
    struct overwrite_reader r;
    uint64_t read = 0;
    overwrite_reader_attach(&r, &rig.line, rig.records, OVERWRITE_CAPACITY, 128);
    pthread_t writer = start(overwrite_work, &rig);
    int64_t begin_ns = support_now_ns();
    while (!is_over(begin_ns, read)) {
        uint64_t n = overwrite_take(&r);
        read += n;
        if (n == 0) {
            (void)sched_yield();
        }
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    for (uint64_t n = 1; n > 0 || r.index < rig.written;) {
        n = overwrite_take(&r);
        read += n;
    }
    assert_true(read > ENOUGH);
    assert_int_equal(read + r.lost, rig.written);
    assert_int_equal(r.faults, 0);
}

/* ---- triple buffer: plain payload, so that the sanitizer sees any overlap ---- */

struct triple_rig {
    struct triple_buffer buffer;
    _Alignas(64) uint64_t storage[3][64];
};

static void *triple_work(void *argument) {
    struct triple_rig *rig = argument;
    for (uint64_t number = 1; !atomic_load_explicit(&stop, memory_order_relaxed); number++) {
        uint64_t *back = triple_buffer_back(&rig->buffer);
        support_fill(back, sizeof rig->storage[0], number);
        back[0] = number;
        triple_buffer_publish(&rig->buffer);
        if (number % 128 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_stress_triple_buffer_reader_sees_only_whole_newer_values(void **state) {
    (void)state;
    static struct triple_rig rig;
    uint64_t last = 0;
    uint64_t fetched = 0;
    triple_buffer_init(&rig.buffer, rig.storage, sizeof rig.storage[0]);
    pthread_t writer = start(triple_work, &rig);
    int64_t begin_ns = support_now_ns();
    while (!is_over(begin_ns, fetched)) {
        bool fresh = false;
        const uint64_t *front = triple_buffer_fetch(&rig.buffer, &fresh);
        uint64_t copy[64];
        for (unsigned i = 0; i < 64; i++) {
            copy[i] = front[i]; /* not memcpy: the sanitizer has to see it */
        }
        assert_true(fresh ? copy[0] > last : copy[0] == last);
        last = copy[0];
        if (last > 0) {
            copy[0] = last * 0x9e3779b97f4a7c15u;
            assert_true(support_is_filled(copy, sizeof copy, last));
        }
        fetched += fresh;
        if (!fresh) {
            (void)sched_yield();
        }
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    assert_true(fetched > ENOUGH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress_ring_two_threads_everything_once_in_order),
        cmocka_unit_test(test_stress_snapshot_reader_sees_only_whole_values),
        cmocka_unit_test(test_stress_retained_reader_sees_only_whole_values),
        cmocka_unit_test(test_stress_overwrite_ring_whole_records_read_and_lost_add_up),
        cmocka_unit_test(test_stress_triple_buffer_reader_sees_only_whole_newer_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
