#include "shm/snapshot.h"
#include "tests/unit/shm/support.h"

#include <errno.h>

#define CAPACITY 256u

struct rig {
    _Alignas(64) unsigned char memory[SNAPSHOT_SIZE(CAPACITY)];
    struct snapshot_writer writer;
};

static struct snapshot *shared_of(struct rig *r) {
    return (struct snapshot *)(void *)r->memory;
}

static void test_snapshot_never_published_says_so(void **state) {
    (void)state;
    struct rig r = {0};
    unsigned char out[CAPACITY];
    assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, NULL, 10), -ENODATA);
}

static void test_snapshot_latest_value_is_read_with_its_length(void **state) {
    (void)state;
    struct rig r = {0};
    snapshot_attach(&r.writer, shared_of(&r), CAPACITY);
    unsigned char in[CAPACITY];
    unsigned char out[CAPACITY];
    static const size_t lengths[] = {0, 1, 7, 8, 9, 255, 256, 16};
    for (unsigned i = 0; i < 8; i++) {
        memset(in, 0x10 + (int)i, sizeof in);
        memset(out, 0xee, sizeof out);
        snapshot_publish(&r.writer, in, lengths[i]);
        size_t length = 999;
        assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, &length, 1), 0);
        assert_int_equal(length, lengths[i]);
        assert_memory_equal(out, in, lengths[i]);
        for (size_t b = lengths[i]; b < sizeof out; b++) {
            assert_int_equal(out[b], 0);
        }
    }
}

static void test_snapshot_writer_died_in_the_middle_reader_gives_up(void **state) {
    (void)state;
    struct rig r = {0};
    unsigned char in[64] = {1};
    unsigned char out[CAPACITY];
    snapshot_attach(&r.writer, shared_of(&r), CAPACITY);
    snapshot_publish(&r.writer, in, sizeof in);
    snapshot_begin(&r.writer);
    snapshot_put(&r.writer, 0, in, 8);
    assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, NULL, SNAPSHOT_TRIES),
                     -EAGAIN);
    struct snapshot_writer next;
    snapshot_attach(&next, shared_of(&r), CAPACITY);
    assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, NULL, SNAPSHOT_TRIES),
                     -EAGAIN);
    in[0] = 2;
    snapshot_publish(&next, in, sizeof in);
    assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, NULL, 1), 0);
    assert_int_equal(out[0], 2);
    assert_int_equal(atomic_load(&shared_of(&r)->seq) % 2, 0);
}

static void test_snapshot_length_beyond_bounds_is_refused(void **state) {
    (void)state;
    struct rig r = {0};
    unsigned char in[64] = {1};
    unsigned char out[64];
    snapshot_attach(&r.writer, shared_of(&r), CAPACITY);
    snapshot_publish(&r.writer, in, sizeof in);
    static const uint64_t wrong[] = {65, CAPACITY, CAPACITY + 1, 1u << 20, UINT64_MAX};
    for (unsigned i = 0; i < 5; i++) {
        atomic_store(&shared_of(&r)->length, wrong[i]);
        assert_int_equal(snapshot_read(shared_of(&r), CAPACITY, out, sizeof out, NULL, 10),
                         -EPROTO);
    }
}

static void test_snapshot_length_beyond_capacity_but_not_size_is_refused(void **state) {
    (void)state;
    struct rig r = {0};
    unsigned char in[64] = {1};
    unsigned char out[64];
    snapshot_attach(&r.writer, shared_of(&r), 64);
    snapshot_publish(&r.writer, in, 40);
    atomic_store(&shared_of(&r)->length, 48);
    assert_int_equal(snapshot_read(shared_of(&r), 40, out, sizeof out, NULL, 10), -EPROTO);
    assert_int_equal(snapshot_read(shared_of(&r), 48, out, sizeof out, NULL, 10), 0);
}

static void test_snapshot_parts_shorter_than_head_is_refused(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t in[3] = {1, 2, 3};
    uint64_t head[2];
    uint64_t body[4];
    size_t length = 0;
    snapshot_attach(&r.writer, shared_of(&r), CAPACITY);
    snapshot_publish(&r.writer, in, 8);
    assert_int_equal(snapshot_read_parts(shared_of(&r), CAPACITY, head, sizeof head, body,
                                         sizeof body, &length, 10),
                     -EPROTO);
    snapshot_publish(&r.writer, in, sizeof in);
    assert_int_equal(snapshot_read_parts(shared_of(&r), CAPACITY, head, sizeof head, body,
                                         sizeof body, &length, 10),
                     0);
    assert_int_equal(head[1], 2);
    assert_int_equal(body[0], 3);
    assert_int_equal(length, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_never_published_says_so),
        cmocka_unit_test(test_snapshot_latest_value_is_read_with_its_length),
        cmocka_unit_test(test_snapshot_writer_died_in_the_middle_reader_gives_up),
        cmocka_unit_test(test_snapshot_length_beyond_bounds_is_refused),
        cmocka_unit_test(test_snapshot_length_beyond_capacity_but_not_size_is_refused),
        cmocka_unit_test(test_snapshot_parts_shorter_than_head_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
