#include "shm/triple_buffer.h"
#include "tests/unit/shm/support.h"

struct rig {
    struct triple_buffer buffer;
    uint64_t storage[3][8];
};

static void rig_init(struct rig *r) {
    memset(r, 0, sizeof *r);
    triple_buffer_init(&r->buffer, r->storage, sizeof r->storage[0]);
}

static void publish(struct rig *r, uint64_t number) {
    *(uint64_t *)triple_buffer_back(&r->buffer) = number;
    triple_buffer_publish(&r->buffer);
}

static uint64_t fetch(struct rig *r, bool *fresh) {
    return *(const uint64_t *)triple_buffer_fetch(&r->buffer, fresh);
}

static void test_triple_buffer_nothing_published_is_not_fresh(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    bool fresh = true;
    assert_int_equal(fetch(&r, &fresh), 0);
    assert_false(fresh);
}

static void test_triple_buffer_value_is_fresh_once_and_stays(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    bool fresh = false;
    publish(&r, 5);
    assert_int_equal(fetch(&r, &fresh), 5);
    assert_true(fresh);
    assert_int_equal(fetch(&r, &fresh), 5);
    assert_false(fresh);
    assert_int_equal(fetch(&r, NULL), 5);
}

static void test_triple_buffer_older_values_are_skipped(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    bool fresh = false;
    for (uint64_t i = 1; i <= 7; i++) {
        publish(&r, i);
    }
    assert_int_equal(fetch(&r, &fresh), 7);
    assert_true(fresh);
    assert_int_equal(fetch(&r, &fresh), 7);
    assert_false(fresh);
}

static void test_triple_buffer_places_are_always_three_different_ones(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    uint64_t seed = 5;
    for (unsigned i = 0; i < 1000; i++) {
        if (support_random(&seed) % 2 == 0) {
            publish(&r, i);
        } else {
            (void)fetch(&r, NULL);
        }
        uint32_t middle = atomic_load(&r.buffer.middle) & ~TRIPLE_BUFFER_FRESH;
        assert_true(middle < 3 && r.buffer.back < 3 && r.buffer.front < 3);
        assert_true(middle != r.buffer.back && middle != r.buffer.front &&
                    r.buffer.back != r.buffer.front);
    }
}

static void test_triple_buffer_writing_never_touches_the_readers_place(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    publish(&r, 1);
    const uint64_t *front = triple_buffer_fetch(&r.buffer, NULL);
    for (uint64_t i = 2; i < 50; i++) {
        publish(&r, i);
        assert_int_equal(*front, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_triple_buffer_nothing_published_is_not_fresh),
        cmocka_unit_test(test_triple_buffer_value_is_fresh_once_and_stays),
        cmocka_unit_test(test_triple_buffer_older_values_are_skipped),
        cmocka_unit_test(test_triple_buffer_places_are_always_three_different_ones),
        cmocka_unit_test(test_triple_buffer_writing_never_touches_the_readers_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
