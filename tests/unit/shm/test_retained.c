#include "shm/retained.h"
#include "tests/unit/shm/support.h"

#include <errno.h>

#define CAPACITY 120u
#define TAG      7u

struct rig {
    _Alignas(64) unsigned char memory[RETAINED_SIZE(CAPACITY)];
    struct retained_writer writer;
};

static int read_number(struct rig *r, uint64_t *number, uint64_t *generation) {
    uint64_t out[CAPACITY / 8];
    size_t length = 0;
    int result = retained_read(r->memory, CAPACITY, TAG, out, sizeof out, &length, generation);
    if (result == 0) {
        *number = out[0];
        assert_int_equal(length, 16);
        assert_int_equal(out[1], ~out[0]);
        assert_int_equal(out[2], 0);
    }
    return result;
}

static void publish_number(struct rig *r, uint64_t number) {
    uint64_t in[2] = {number, ~number};
    retained_publish(&r->writer, in, sizeof in);
}

static struct snapshot *copy_of(struct rig *r, unsigned i) {
    return (struct snapshot *)(void *)(r->memory + i * RETAINED_COPY(CAPACITY));
}

static void test_retained_nothing_published_says_so(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t number;
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    assert_int_equal(read_number(&r, &number, NULL), -ENODATA);
    assert_int_equal(retained_generation(r.memory, CAPACITY), 0);
}

static void test_retained_newest_value_is_read_generations_go_up(void **state) {
    (void)state;
    struct rig r = {0};
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    for (uint64_t i = 1; i < 10; i++) {
        uint64_t number = 0;
        uint64_t generation = 0;
        publish_number(&r, i * 11);
        assert_int_equal(read_number(&r, &number, &generation), 0);
        assert_int_equal(number, i * 11);
        assert_int_equal(generation, i);
        assert_int_equal(retained_generation(r.memory, CAPACITY), i);
    }
}

static void test_retained_next_writer_goes_on_with_generation_and_value(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t number = 0;
    uint64_t generation = 0;
    for (uint64_t i = 1; i < 8; i++) {
        retained_attach(&r.writer, r.memory, CAPACITY, TAG);
        assert_int_equal(r.writer.generation, i - 1);
        publish_number(&r, i);
        assert_int_equal(read_number(&r, &number, &generation), 0);
        assert_int_equal(number, i);
        assert_int_equal(generation, i);
    }
}

static void test_retained_writer_died_in_the_middle_last_value_stays(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t number = 0;
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    publish_number(&r, 1);
    publish_number(&r, 2);
    snapshot_begin(&r.writer.copy[r.writer.next]);
    assert_int_equal(read_number(&r, &number, NULL), 0);
    assert_int_equal(number, 2);
    /* The successor writes over the broken copy, not over the whole one. */
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    snapshot_begin(&r.writer.copy[r.writer.next]);
    assert_int_equal(read_number(&r, &number, NULL), 0);
    assert_int_equal(number, 2);
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    publish_number(&r, 3);
    assert_int_equal(read_number(&r, &number, NULL), 0);
    assert_int_equal(number, 3);
}

static void test_retained_damaged_copy_falls_back_to_the_other(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t number = 0;
    uint64_t generation = 0;
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    publish_number(&r, 1);
    publish_number(&r, 2);
    /* one bit of the newest value (generation 2 is the second copy): behind head and prefix */
    unsigned char *payload = (unsigned char *)(copy_of(&r, 1) + 1);
    payload[RETAINED_PREFIX] ^= 1u;
    assert_int_equal(read_number(&r, &number, &generation), 0);
    assert_int_equal(number, 1);
    assert_int_equal(generation, 1);
    payload[RETAINED_PREFIX] ^= 1u;
    assert_int_equal(read_number(&r, &number, &generation), 0);
    assert_int_equal(number, 2);
    payload[0] ^= 4u; /* the generation itself */
    assert_int_equal(read_number(&r, &number, &generation), 0);
    assert_int_equal(number, 1);
}

static void test_retained_both_copies_damaged_is_an_error(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t number = 0;
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    publish_number(&r, 1);
    publish_number(&r, 2);
    for (unsigned i = 0; i < 2; i++) {
        ((unsigned char *)(copy_of(&r, i) + 1))[RETAINED_PREFIX + 3] ^= 0x80u;
    }
    assert_int_equal(read_number(&r, &number, NULL), -EBADMSG);
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    assert_int_equal(r.writer.generation, 0);
    publish_number(&r, 5);
    assert_int_equal(read_number(&r, &number, NULL), 0);
    assert_int_equal(number, 5);
}

static void test_retained_copy_of_another_place_is_refused(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t out[CAPACITY / 8];
    retained_attach(&r.writer, r.memory, CAPACITY, TAG);
    publish_number(&r, 1);
    assert_int_equal(retained_read(r.memory, CAPACITY, TAG + 1, out, sizeof out, NULL, NULL),
                     -EBADMSG);
}

static void test_retained_wild_bytes_never_validate(void **state) {
    (void)state;
    struct rig r = {0};
    uint64_t seed = 3;
    for (unsigned i = 0; i < 5000; i++) {
        for (size_t b = 0; b < sizeof r.memory; b += 8) {
            uint64_t word = support_random(&seed) >> (support_random(&seed) % 64);
            memcpy(r.memory + b, &word, 8);
        }
        uint64_t number;
        assert_int_not_equal(read_number(&r, &number, NULL), 0);
        retained_attach(&r.writer, r.memory, CAPACITY, TAG);
        assert_int_equal(r.writer.generation, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retained_nothing_published_says_so),
        cmocka_unit_test(test_retained_newest_value_is_read_generations_go_up),
        cmocka_unit_test(test_retained_next_writer_goes_on_with_generation_and_value),
        cmocka_unit_test(test_retained_writer_died_in_the_middle_last_value_stays),
        cmocka_unit_test(test_retained_damaged_copy_falls_back_to_the_other),
        cmocka_unit_test(test_retained_both_copies_damaged_is_an_error),
        cmocka_unit_test(test_retained_copy_of_another_place_is_refused),
        cmocka_unit_test(test_retained_wild_bytes_never_validate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
