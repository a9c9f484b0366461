#include "shm/overwrite_ring.h"
#include "tests/unit/shm/support.h"

#define CAPACITY 8u

struct rig {
    struct overwrite_line line;
    uint64_t records[CAPACITY][2];
    struct overwrite_writer writer;
    struct overwrite_reader reader;
};

static void rig_attach(struct rig *r) {
    overwrite_writer_attach(&r->writer, &r->line, r->records, CAPACITY, 16);
    overwrite_reader_attach(&r->reader, &r->line, r->records, CAPACITY, 16);
}

static void write_numbers(struct rig *r, uint64_t first, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t record[2] = {first + i, ~(first + i)};
        overwrite_write(&r->writer, record);
    }
}

static void check_numbers(uint64_t out[][2], uint64_t first, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(out[i][0], first + i);
        assert_int_equal(out[i][1], ~(first + i));
    }
}

static void test_overwrite_ring_reader_keeping_up_loses_nothing(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    uint64_t out[CAPACITY][2];
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), 0);
    for (uint64_t first = 0; first < 60; first += 6) {
        write_numbers(&r, first, 6);
        assert_int_equal(overwrite_read(&r.reader, out, 4), 4);
        check_numbers(out, first, 4);
        assert_int_equal(overwrite_read(&r.reader, out, 8), 2);
        check_numbers(out, first + 4, 2);
    }
    assert_int_equal(r.reader.lost, 0);
}

static void test_overwrite_ring_lapped_reader_counts_and_goes_on(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    uint64_t out[CAPACITY][2];
    write_numbers(&r, 0, 100);
    uint32_t n = overwrite_read(&r.reader, out, CAPACITY);
    assert_true(n > 0);
    check_numbers(out, 100 - n, n);
    assert_int_equal(r.reader.lost, 100 - n);
    write_numbers(&r, 100, 1);
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), 1);
    check_numbers(out, 100, 1);
}

static void test_overwrite_ring_exactly_full_is_not_lapped(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    uint64_t out[CAPACITY][2];
    write_numbers(&r, 0, CAPACITY);
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), CAPACITY);
    check_numbers(out, 0, CAPACITY);
    assert_int_equal(r.reader.lost, 0);
}

static void test_overwrite_ring_record_in_work_is_not_handed_out(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    uint64_t out[CAPACITY][2];
    write_numbers(&r, 0, CAPACITY);
    atomic_store(&r.line.intent, CAPACITY + 1); /* the writer has begun to overwrite record 0 */
    r.records[0][0] = 4711;
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), 0);
    assert_true(r.reader.lost >= 1);
    uint32_t n = overwrite_read(&r.reader, out, CAPACITY);
    assert_true(n > 0);
    check_numbers(out, CAPACITY - n, n);
    assert_int_equal(r.reader.lost, CAPACITY - n);
}

static void test_overwrite_ring_late_reader_starts_at_the_oldest_safe_record(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    write_numbers(&r, 0, 20);
    overwrite_reader_attach(&r.reader, &r.line, r.records, CAPACITY, 16);
    uint64_t out[CAPACITY][2];
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), CAPACITY - 1);
    check_numbers(out, 13, CAPACITY - 1);
    assert_int_equal(r.reader.lost, 0);
}

static void test_overwrite_ring_restarted_writer_continues(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    write_numbers(&r, 0, 5);
    overwrite_writer_attach(&r.writer, &r.line, r.records, CAPACITY, 16);
    write_numbers(&r, 5, 2);
    uint64_t out[CAPACITY][2];
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), 7);
    check_numbers(out, 0, 7);
}

static void test_overwrite_ring_wild_writer_never_harms_the_reader(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r);
    uint64_t seed = 99;
    for (unsigned i = 0; i < 20000; i++) {
        atomic_store(&r.line.index, support_random(&seed) >> (support_random(&seed) % 64));
        atomic_store(&r.line.intent, support_random(&seed) >> (support_random(&seed) % 64));
        uint64_t out[3][2];
        assert_true(overwrite_read(&r.reader, out, 3) <= 3);
    }
    assert_true(r.reader.faults > 0);
    atomic_store(&r.line.index, r.writer.index);
    atomic_store(&r.line.intent, r.writer.index);
    uint64_t out[CAPACITY][2];
    (void)!overwrite_read(&r.reader, out, CAPACITY); /* finds its place again */
    write_numbers(&r, 0, 3);
    assert_int_equal(overwrite_read(&r.reader, out, CAPACITY), 3);
    check_numbers(out, 0, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overwrite_ring_reader_keeping_up_loses_nothing),
        cmocka_unit_test(test_overwrite_ring_lapped_reader_counts_and_goes_on),
        cmocka_unit_test(test_overwrite_ring_exactly_full_is_not_lapped),
        cmocka_unit_test(test_overwrite_ring_record_in_work_is_not_handed_out),
        cmocka_unit_test(test_overwrite_ring_late_reader_starts_at_the_oldest_safe_record),
        cmocka_unit_test(test_overwrite_ring_restarted_writer_continues),
        cmocka_unit_test(test_overwrite_ring_wild_writer_never_harms_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
