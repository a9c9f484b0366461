/* Writers that end after the k-th store to shared memory, for every k; the other side, and the successor, look at what is left.
 * The library under test is built with SHM_CRASH_POINTS: each store is followed by shm_crash_point(), which jumps out
 * of the writer when its turn has come. What stood in memory then is what a kill at that point leaves. */
#include "shm/shm.h"
#include "shm/words.h"
#include "tests/unit/shm/support.h"

#include <errno.h>
#include <sys/mman.h>

void shm_crash_point(void);

static jmp_buf crashed;
static volatile uint64_t stores_left; /* 0: no crash */

void shm_crash_point(void) {
    if (stores_left > 0 && --stores_left == 0) {
        longjmp(crashed, 1);
    }
}

/* Runs work; true when it came to its end before the k-th store. */
static bool run_until(uint64_t k, void (*work)(void *), void *argument) {
    if (setjmp(crashed) != 0) {
        return false;
    }
    stores_left = k;
    work(argument);
    stores_left = 0;
    return true;
}

/* ---- ring ---- */

#define CAPACITY 8u

struct ring_rig {
    struct ring_line producer_line, consumer_line;
    uint64_t records[CAPACITY][8];
    struct ring_producer producer;
    struct ring_consumer consumer;
};

static void ring_rig_init(struct ring_rig *r) {
    memset(r, 0, sizeof *r);
    assert_true(ring_producer_attach(&r->producer, &r->producer_line, &r->consumer_line, r->records,
                                     CAPACITY, 64, RING_TRUST_OWN));
    assert_true(ring_consumer_attach(&r->consumer, &r->consumer_line, &r->producer_line, r->records,
                                     CAPACITY, 64, RING_TRUST_PEER));
}

static uint32_t push_filled(struct ring_rig *r, uint64_t first, uint32_t n) {
    uint64_t batch[CAPACITY][8];
    for (uint32_t i = 0; i < n; i++) {
        support_fill(batch[i], 64, first + i);
    }
    return ring_push_or_drop(&r->producer, batch, n);
}

/* Takes all that is visible; each record whole and the next in turn. Returns how many. */
static uint64_t take_all(struct ring_rig *r, uint64_t first) {
    uint64_t out[CAPACITY][8];
    uint32_t n = ring_pop(&r->consumer, out, CAPACITY);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(support_is_filled(out[i], 64, first + i));
    }
    return n;
}

static void two_batches(void *argument) {
    struct ring_rig *r = argument;
    (void)push_filled(r, 4, 2);
    (void)push_filled(r, 6, 1);
}

static void test_crash_ring_producer_after_every_store_leaves_whole_batches(void **state) {
    (void)state;
    struct ring_rig r;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        ring_rig_init(&r);
        assert_int_equal(push_filled(&r, 1, 3), 3);
        finished = run_until(k, two_batches, &r);
        /* 2 records of 8 words, index; 1 record of 8 words, index */
        uint64_t expected = k < 17 ? 3 : k < 26 ? 5 : 6;
        assert_int_equal(take_all(&r, 1), expected);
        /* the successor continues the numbering */
        (void)ring_producer_attach(&r.producer, &r.producer_line, &r.consumer_line, r.records,
                                   CAPACITY, 64, RING_TRUST_OWN);
        assert_int_equal(r.producer.index, expected);
        assert_int_equal(push_filled(&r, expected + 1, 4), 4);
        assert_int_equal(take_all(&r, expected + 1), 4);
        assert_int_equal(r.consumer.faults + r.producer.faults, 0);
    }
    assert_int_equal(k - 2, 26); /* every store had its turn */
}

static void fill_up(void *argument) {
    (void)push_filled(argument, 1, CAPACITY);
    (void)push_filled(argument, 9, 2);
}

static void test_crash_ring_full_producer_never_harms_unread_records(void **state) {
    (void)state;
    struct ring_rig r;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        ring_rig_init(&r);
        finished = run_until(k, fill_up, &r);
        (void)ring_producer_attach(&r.producer, &r.producer_line, &r.consumer_line, r.records,
                                   CAPACITY, 64, RING_TRUST_OWN);
        uint64_t expected = k < 65 ? 0 : CAPACITY;
        assert_int_equal(take_all(&r, 1), expected);
    }
    assert_int_equal(k - 2, 66); /* 8 records, index, dropped */
}

struct consume_run {
    struct ring_rig *rig;
    uint32_t stored; /* by the consumer's own store, before it commits */
};

static void peek_store_commit(void *argument) {
    struct consume_run *run = argument;
    uint64_t out[2][8];
    for (unsigned turn = 0; turn < 3; turn++) {
        uint32_t n = ring_peek(&run->rig->consumer, out, 2);
        run->stored += n;
        ring_consume(&run->rig->consumer, n);
    }
}

static void test_crash_ring_consumer_after_every_store_loses_nothing(void **state) {
    (void)state;
    struct ring_rig r;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        ring_rig_init(&r);
        assert_int_equal(push_filled(&r, 1, 6), 6);
        struct consume_run run = {.rig = &r};
        finished = run_until(k, peek_store_commit, &run);
        (void)ring_consumer_attach(&r.consumer, &r.consumer_line, &r.producer_line, r.records,
                                   CAPACITY, 64, RING_TRUST_PEER);
        assert_int_equal(r.consumer.index, run.stored);
        assert_int_equal(take_all(&r, run.stored + 1), 6 - run.stored);
    }
    assert_int_equal(k - 2, 3);
}

/* ---- overwriting ring ---- */

struct overwrite_rig {
    struct overwrite_line line;
    uint64_t records[CAPACITY][2];
    struct overwrite_writer writer;
    uint64_t next;
};

static void write_some(struct overwrite_rig *r, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t record[2] = {r->next, ~r->next};
        overwrite_write(&r->writer, record);
        r->next++;
    }
}

static void write_three(void *argument) {
    write_some(argument, 3);
}

static uint64_t read_from(struct overwrite_rig *r, uint64_t first) {
    struct overwrite_reader reader;
    overwrite_reader_attach(&reader, &r->line, r->records, CAPACITY, 16);
    reader.index = first; /* a reader that has been waiting there */
    uint64_t count = 0;
    for (unsigned call = 0; call < 6; call++) {
        uint64_t out[CAPACITY][2];
        uint32_t n = overwrite_read(&reader, out, CAPACITY);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(out[i][0], ~out[i][1]);
            assert_int_equal(out[i][0], reader.index - n + i);
        }
        count += n;
    }
    assert_int_equal(reader.faults, 0);
    return count + reader.lost;
}

static void test_crash_overwrite_ring_after_every_store_no_torn_record(void **state) {
    (void)state;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        struct overwrite_rig r = {.next = 0};
        overwrite_writer_attach(&r.writer, &r.line, r.records, CAPACITY, 16);
        write_some(&r, 10);
        finished = run_until(k, write_three, &r);
        uint64_t published = 10 + k / 4 - (finished ? (k / 4) - 3 : 0); /* intent, 2 words, index */
        assert_int_equal(read_from(&r, 3), published - 3);
        overwrite_writer_attach(&r.writer, &r.line, r.records, CAPACITY, 16);
        r.next = published;
        write_some(&r, 2);
        assert_int_equal(read_from(&r, 3), published + 2 - 3);
    }
    assert_int_equal(k - 2, 12);
}

/* ---- snapshot and retained ---- */

#define BYTES 40u

struct snapshot_rig {
    _Alignas(64) unsigned char memory[RETAINED_SIZE(BYTES)];
    struct snapshot_writer snapshot;
    struct retained_writer retained;
};

static void publish_snapshot(void *argument) {
    struct snapshot_rig *r = argument;
    uint64_t block[BYTES / 8];
    support_fill(block, BYTES, 2);
    snapshot_publish(&r->snapshot, block, BYTES);
}

static void test_crash_snapshot_after_every_store_old_new_or_again(void **state) {
    (void)state;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        struct snapshot_rig r = {0};
        struct snapshot *shared = (struct snapshot *)(void *)r.memory;
        uint64_t block[BYTES / 8];
        snapshot_attach(&r.snapshot, shared, BYTES);
        support_fill(block, BYTES, 1);
        snapshot_publish(&r.snapshot, block, BYTES);
        finished = run_until(k, publish_snapshot, &r);
        uint64_t out[BYTES / 8];
        int result = snapshot_read(shared, BYTES, out, sizeof out, NULL, SNAPSHOT_TRIES);
        if (k < 8) { /* odd, 5 words, length: unreadable, and said so */
            assert_int_equal(result, -EAGAIN);
        } else {
            assert_int_equal(result, 0);
            assert_true(support_is_filled(out, BYTES, 2));
        }
        snapshot_attach(&r.snapshot, shared, BYTES);
        support_fill(block, BYTES, 3);
        snapshot_publish(&r.snapshot, block, BYTES);
        assert_int_equal(snapshot_read(shared, BYTES, out, sizeof out, NULL, 1), 0);
        assert_true(support_is_filled(out, BYTES, 3));
    }
    assert_int_equal(k - 2, 8);
}

static void publish_filled(struct snapshot_rig *r, uint64_t number) {
    uint64_t block[BYTES / 8];
    support_fill(block, BYTES, number);
    retained_publish(&r->retained, block, BYTES);
}

static void publish_retained(void *argument) {
    publish_filled(argument, 3);
    publish_filled(argument, 4);
}

static uint64_t read_retained(struct snapshot_rig *r) {
    uint64_t out[BYTES / 8];
    uint64_t generation = 0;
    assert_int_equal(retained_read(r->memory, BYTES, 9, out, sizeof out, NULL, &generation), 0);
    assert_true(support_is_filled(out, BYTES, generation));
    return generation;
}

static void test_crash_retained_after_every_store_old_or_new_is_whole(void **state) {
    (void)state;
    uint64_t k = 1;
    for (bool finished = false; !finished; k++) {
        struct snapshot_rig r = {0};
        retained_attach(&r.retained, r.memory, BYTES, 9);
        publish_filled(&r, 1);
        publish_filled(&r, 2);
        finished = run_until(k, publish_retained, &r);
        /* odd, 2 + 5 words, length, even: 10 stores each */
        uint64_t expected = k < 10 ? 2 : k < 20 ? 3 : 4;
        assert_int_equal(read_retained(&r), expected);
        /* the successor dies at the same point too, and so does the next: the whole copy stays */
        for (unsigned again = 0; again < 3; again++) {
            retained_attach(&r.retained, r.memory, BYTES, 9);
            assert_int_equal(r.retained.generation, expected);
            snapshot_begin(&r.retained.copy[r.retained.next]);
            assert_int_equal(read_retained(&r), expected);
        }
        retained_attach(&r.retained, r.memory, BYTES, 9);
        publish_filled(&r, expected + 1);
        assert_int_equal(read_retained(&r), expected + 1);
    }
    assert_int_equal(k - 2, 20);
}

static void publish_first(void *argument) {
    publish_filled(argument, 1);
}

static void test_crash_retained_in_the_first_publication_nothing_or_it(void **state) {
    (void)state;
    for (uint64_t k = 1; k <= 10; k++) {
        struct snapshot_rig r = {0};
        uint64_t out[BYTES / 8];
        retained_attach(&r.retained, r.memory, BYTES, 9);
        (void)run_until(k, publish_first, &r);
        int result = retained_read(r.memory, BYTES, 9, out, sizeof out, NULL, NULL);
        assert_int_equal(result, k < 10 ? -EAGAIN : 0);
    }
}

/* ---- the whole of ringmain-rt's side ---- */

static char name[64];

struct life {
    struct shm_rt rt;
    struct shm_start start;
    uint64_t boot_id;
    uint64_t first; /* number of the first round */
    /* what was complete: the calls that returned */
    bool created;
    uint64_t events, sessions, latches;
};

static void live(void *argument) {
    struct life *l = argument;
    if (shm_rt_create(&l->rt, name, l->boot_id, SHM_POLICY_REFUSE, 1, &l->start) != 0) {
        return;
    }
    l->created = true;
    for (uint64_t n = l->first; n < l->first + 2; n++) {
        struct event batch[2] = {{.value = (int64_t)(2 * n - 1)}, {.value = (int64_t)(2 * n)}};
        (void)shm_rt_events(&l->rt, batch, 2);
        l->events = 2 * n;
        struct session_slot sessions = {.finished_count = 1};
        sessions.running.session_id = n;
        sessions.finished[0].session_id = n + 1000;
        shm_rt_sessions(&l->rt, 1, &sessions);
        l->sessions = n;
        uint64_t latched[RM_SLOTS_MAX] = {[RM_SLOTS_MAX - 1] = n};
        shm_rt_latches(&l->rt, latched, n % 2 == 1, true);
        l->latches = n;
        struct telemetry t = {.cycle = n};
        shm_rt_telemetry(&l->rt, &t);
        struct command_result result = {.id = n};
        shm_rt_result(&l->rt, &result);
        shm_rt_heartbeat(&l->rt, (int64_t)n);
    }
}

static void check_events(const struct life *died) {
    struct shm_peer nrt;
    assert_int_equal(shm_attach(&nrt, name, SHM_WRITE), 0);
    struct event out[16];
    uint32_t taken = 0;
    uint32_t n = shm_events_peek(&nrt, out, 16, &taken);
    assert_int_equal(n, taken);
    assert_true(n == died->events || n == died->events + 2);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(out[i].seq, i + 1);
        assert_int_equal(out[i].value, i + 1);
        assert_int_equal(shm_event_boot_id(&nrt, out[i].seq), died->boot_id);
    }
    shm_detach(&nrt);
}

/* The successor finds what was complete, or the one thing that was in work. */
static void check_left(const struct life *died, struct shm_rt *rt, const struct shm_start *start) {
    assert_true(start->next_event_seq == died->events + 1 ||
                start->next_event_seq == died->events + 3);
    assert_int_equal(start->unread_events, start->next_event_seq - 1);
    struct session_slot left;
    int result = shm_rt_sessions_left(rt, 1, &left);
    if (result == 0) {
        uint64_t n = left.running.session_id;
        assert_true(n == died->sessions || n == died->sessions + 1);
        assert_int_equal(left.finished_count, 1);
        assert_int_equal(left.finished[0].session_id, n + 1000);
    } else {
        /* the very first publication may have been in work: then nothing was promised yet */
        assert_int_equal(died->sessions, 0);
    }
    uint64_t n = start->latches.latched[RM_SLOTS_MAX - 1];
    assert_true(n == died->latches || n == died->latches + 1);
    assert_int_equal(start->latches.estop_latched, n % 2);
    assert_int_equal(start->latches_known, n > 0);
}

static void test_crash_rt_after_every_store_successor_finds_everything(void **state) {
    (void)state;
    uint64_t k = 1;
    uint64_t lives = 0;
    for (bool finished = false; !finished; k++) {
        support_name(name, "crash");
        assert_int_equal(shm_unlink_all(name), 0);
        static struct life first;
        memset(&first, 0, sizeof first);
        first.boot_id = 500;
        first.first = 1;
        first.rt.file = -1;
        finished = run_until(k, live, &first);
        shm_rt_close(&first.rt); /* as the kernel does it for the dead: no store */
        struct shm_rt rt;
        struct shm_start start;
        assert_int_equal(shm_rt_create(&rt, name, 501, SHM_POLICY_REFUSE, 2, &start), 0);
        if (!first.created) {
            assert_true(start.origin == SHM_ORIGIN_REPLACED || start.origin == SHM_ORIGIN_ADOPTED);
        } else {
            assert_int_equal(start.origin, SHM_ORIGIN_ADOPTED);
            assert_int_equal(start.boot_count, 2);
            assert_int_equal(start.previous_boot_id, 500);
        }
        check_left(&first, &rt, &start);
        check_events(&first);
        shm_rt_close(&rt);
        lives++;
    }
    assert_int_equal(shm_unlink_all(name), 0);
    assert_true(lives > 300); /* about 470 stores to shared memory */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_ring_producer_after_every_store_leaves_whole_batches),
        cmocka_unit_test(test_crash_ring_full_producer_never_harms_unread_records),
        cmocka_unit_test(test_crash_ring_consumer_after_every_store_loses_nothing),
        cmocka_unit_test(test_crash_overwrite_ring_after_every_store_no_torn_record),
        cmocka_unit_test(test_crash_snapshot_after_every_store_old_new_or_again),
        cmocka_unit_test(test_crash_retained_after_every_store_old_or_new_is_whole),
        cmocka_unit_test(test_crash_retained_in_the_first_publication_nothing_or_it),
        cmocka_unit_test(test_crash_rt_after_every_store_successor_finds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
