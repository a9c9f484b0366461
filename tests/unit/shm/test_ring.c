#include "shm/ring.h"
#include "tests/unit/shm/support.h"

#define CAPACITY 8u

struct rig {
    struct ring_line producer_line, consumer_line;
    uint64_t records[CAPACITY];
    struct ring_producer producer;
    struct ring_consumer consumer;
};

static void rig_attach(struct rig *r, enum ring_trust trust, bool expected) {
    assert_int_equal(ring_producer_attach(&r->producer, &r->producer_line, &r->consumer_line,
                                          r->records, CAPACITY, 8, trust),
                     expected);
    assert_true(ring_consumer_attach(&r->consumer, &r->consumer_line, &r->producer_line, r->records,
                                     CAPACITY, 8, trust) ||
                !expected);
}

static uint32_t push_numbers(struct rig *r, uint64_t first, uint32_t n) {
    uint64_t numbers[32];
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = first + i;
    }
    return ring_push(&r->producer, numbers, n);
}

static void test_ring_empty_peek_gives_nothing(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    uint64_t out[4];
    assert_int_equal(ring_peek(&r.consumer, out, 4), 0);
    assert_int_equal(ring_waiting(&r.consumer), 0);
}

static void test_ring_records_come_out_in_order_across_the_end(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    uint64_t expected = 100;
    for (uint64_t turn = 0; turn < 40; turn++) {
        assert_int_equal(push_numbers(&r, 100 + turn * 5, 5), 5);
        uint64_t out[5];
        assert_int_equal(ring_pop(&r.consumer, out, 5), 5);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(out[i], expected++);
        }
    }
}

static void test_ring_full_push_takes_what_fits(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    assert_true(ring_has_room(&r.producer, 8));
    assert_int_equal(push_numbers(&r, 1, 6), 6);
    assert_false(ring_has_room(&r.producer, 3));
    assert_true(ring_has_room(&r.producer, 2));
    assert_int_equal(push_numbers(&r, 7, 6), 2);
    assert_int_equal(push_numbers(&r, 9, 1), 0);
    uint64_t out[16];
    assert_int_equal(ring_pop(&r.consumer, out, 16), 8);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[7], 8);
    assert_int_equal(push_numbers(&r, 9, 1), 1);
}

static void test_ring_full_push_or_drop_counts_what_is_dropped(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    uint64_t numbers[11] = {0};
    assert_int_equal(ring_push_or_drop(&r.producer, numbers, 5), 5);
    assert_int_equal(atomic_load(&r.producer_line.dropped), 0);
    assert_int_equal(ring_push_or_drop(&r.producer, numbers, 11), 3);
    assert_int_equal(atomic_load(&r.producer_line.dropped), 8);
    assert_int_equal(ring_push_or_drop(&r.producer, numbers, 1), 0);
    assert_int_equal(atomic_load(&r.producer_line.dropped), 9);
}

static void test_ring_push_of_nothing_changes_nothing(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    uint64_t none = 0;
    assert_int_equal(ring_push(&r.producer, &none, 0), 0);
    assert_int_equal(atomic_load(&r.producer_line.index), 0);
    ring_consume(&r.consumer, 0);
    assert_int_equal(atomic_load(&r.consumer_line.index), 0);
}

static void test_ring_peeked_records_stay_until_consumed(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    assert_int_equal(push_numbers(&r, 1, 8), 8);
    uint64_t out[8] = {0};
    assert_int_equal(ring_peek(&r.consumer, out, 3), 3);
    assert_int_equal(ring_peek(&r.consumer, out, 3), 3);
    assert_int_equal(out[0], 1);
    assert_int_equal(push_numbers(&r, 9, 1), 0);
    ring_consume(&r.consumer, 2);
    assert_int_equal(push_numbers(&r, 9, 3), 2);
    assert_int_equal(ring_pop(&r.consumer, out, 8), 8);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[7], 10);
}

static void test_ring_restarted_consumer_continues_at_the_last_consumed(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_PEER, true);
    assert_int_equal(push_numbers(&r, 1, 6), 6);
    uint64_t out[8];
    assert_int_equal(ring_pop(&r.consumer, out, 2), 2);
    assert_int_equal(ring_peek(&r.consumer, out, 3), 3); /* peeked, then dies */
    struct ring_consumer next;
    assert_true(ring_consumer_attach(&next, &r.consumer_line, &r.producer_line, r.records, CAPACITY,
                                     8, RING_TRUST_PEER));
    assert_int_equal(ring_pop(&next, out, 8), 4);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[3], 6);
}

static void test_ring_restarted_producer_continues_its_numbering(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    uint64_t many[12] = {0};
    assert_int_equal(ring_push_or_drop(&r.producer, many, 12), 8);
    struct ring_producer next;
    assert_true(ring_producer_attach(&next, &r.producer_line, &r.consumer_line, r.records, CAPACITY,
                                     8, RING_TRUST_OWN));
    assert_int_equal(next.index, 8);
    assert_int_equal(next.dropped, 4);
    uint64_t one = 77;
    assert_int_equal(ring_push(&next, &one, 1), 0); /* still full: nothing unread is overwritten */
    uint64_t out[8];
    assert_int_equal(ring_pop(&r.consumer, out, 8), 8);
    assert_int_equal(ring_push(&next, &one, 1), 1);
    assert_int_equal(ring_pop(&r.consumer, out, 8), 1);
    assert_int_equal(out[0], 77);
}

static void test_ring_generic_and_special_record_sizes_agree(void **state) {
    (void)state;
    static const uint32_t sizes[] = {8, 24, 64, 72, 128, 200};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct ring_line lines[2] = {0};
        unsigned char records[4 * 200];
        unsigned char in[3 * 200];
        unsigned char out[3 * 200];
        struct ring_producer p;
        struct ring_consumer c;
        assert_true(
            ring_producer_attach(&p, &lines[0], &lines[1], records, 4, sizes[s], RING_TRUST_OWN));
        assert_true(
            ring_consumer_attach(&c, &lines[1], &lines[0], records, 4, sizes[s], RING_TRUST_OWN));
        for (unsigned turn = 1; turn < 6; turn++) {
            support_fill(in, (size_t)3 * sizes[s], turn);
            assert_int_equal(ring_push(&p, in, 3), 3);
            assert_int_equal(ring_pop(&c, out, 3), 3);
            assert_true(support_is_filled(out, (size_t)3 * sizes[s], turn));
        }
    }
}

/* ---- a peer that writes nonsense ---- */

static void set_index(struct ring_line *line, uint64_t value) {
    atomic_store(&line->index, value);
}

static void test_ring_consumer_index_ahead_of_producer_is_a_fault_and_ignored(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    assert_int_equal(push_numbers(&r, 1, 8), 8);
    set_index(&r.consumer_line, 9);
    assert_int_equal(push_numbers(&r, 9, 1), 0);
    set_index(&r.consumer_line, UINT64_MAX);
    assert_int_equal(push_numbers(&r, 9, 1), 0);
    assert_int_equal(r.producer.faults, 2);
    assert_int_equal(atomic_load(&r.producer_line.faults), 2);
    set_index(&r.consumer_line, 3); /* in range again */
    assert_int_equal(push_numbers(&r, 9, 8), 3);
    assert_int_equal(r.producer.faults, 2);
}

static void test_ring_consumer_index_going_back_is_a_fault_and_ignored(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    assert_int_equal(push_numbers(&r, 1, 8), 8);
    set_index(&r.consumer_line, 5);
    assert_int_equal(push_numbers(&r, 9, 5), 5);
    set_index(&r.consumer_line, 4);
    assert_int_equal(push_numbers(&r, 14, 1), 0);
    assert_int_equal(r.producer.faults, 1);
}

static void test_ring_producer_index_beyond_capacity_is_a_fault_and_ignored(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    assert_int_equal(push_numbers(&r, 1, 3), 3);
    uint64_t out[32];
    static const uint64_t nonsense[] = {9, 1000, UINT64_MAX, UINT64_MAX / 2, 1u << 31};
    for (unsigned i = 0; i < 5; i++) {
        set_index(&r.producer_line, nonsense[i]);
        assert_int_equal(ring_peek(&r.consumer, out, 32), 0);
        assert_int_equal(r.consumer.faults, i + 1);
    }
    set_index(&r.producer_line, 3);
    assert_int_equal(ring_pop(&r.consumer, out, 32), 3);
    set_index(&r.producer_line, 2); /* goes back */
    assert_int_equal(ring_peek(&r.consumer, out, 32), 0);
    assert_int_equal(atomic_load(&r.consumer_line.faults), 6);
}

static void test_ring_attach_with_implausible_peer_trust_own_stays_in_range(void **state) {
    (void)state;
    struct rig r = {0};
    set_index(&r.producer_line, 20);
    set_index(&r.consumer_line, 500);
    rig_attach(&r, RING_TRUST_OWN, false);
    assert_int_equal(r.producer.index, 20);
    assert_int_equal(push_numbers(&r, 1, 1), 0); /* taken for full */
    set_index(&r.consumer_line, 18);             /* the consumer comes to its senses */
    assert_int_equal(push_numbers(&r, 1, 8), 6);
}

static void test_ring_attach_producer_with_implausible_peer_trust_peer_follows_it(void **state) {
    (void)state;
    struct rig r = {0};
    set_index(&r.producer_line, 5000);
    set_index(&r.consumer_line, 40);
    assert_false(ring_producer_attach(&r.producer, &r.producer_line, &r.consumer_line, r.records,
                                      CAPACITY, 8, RING_TRUST_PEER));
    assert_int_equal(atomic_load(&r.producer_line.index), 40);
    assert_int_equal(push_numbers(&r, 1, 9), 8);
}

static void test_ring_attach_consumer_with_implausible_own_trust_peer_goes_back_half(void **state) {
    (void)state;
    struct rig r = {0};
    rig_attach(&r, RING_TRUST_OWN, true);
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t out[1];
        assert_int_equal(push_numbers(&r, i, 1), 1);
        assert_int_equal(ring_pop(&r.consumer, out, 1), 1);
    }
    set_index(&r.consumer_line, 0xdeadbeef);
    assert_false(ring_consumer_attach(&r.consumer, &r.consumer_line, &r.producer_line, r.records,
                                      CAPACITY, 8, RING_TRUST_PEER));
    uint64_t out[8];
    assert_int_equal(ring_pop(&r.consumer, out, 8), 4);
    assert_int_equal(out[0], 12);
    assert_int_equal(out[3], 15);
}

static void test_ring_attach_consumer_young_producer_trust_peer_starts_at_zero(void **state) {
    (void)state;
    struct rig r = {0};
    set_index(&r.producer_line, 2);
    set_index(&r.consumer_line, 90);
    assert_false(ring_consumer_attach(&r.consumer, &r.consumer_line, &r.producer_line, r.records,
                                      CAPACITY, 8, RING_TRUST_PEER));
    assert_int_equal(r.consumer.index, 0);
    assert_int_equal(ring_waiting(&r.consumer), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_empty_peek_gives_nothing),
        cmocka_unit_test(test_ring_records_come_out_in_order_across_the_end),
        cmocka_unit_test(test_ring_full_push_takes_what_fits),
        cmocka_unit_test(test_ring_full_push_or_drop_counts_what_is_dropped),
        cmocka_unit_test(test_ring_push_of_nothing_changes_nothing),
        cmocka_unit_test(test_ring_peeked_records_stay_until_consumed),
        cmocka_unit_test(test_ring_restarted_consumer_continues_at_the_last_consumed),
        cmocka_unit_test(test_ring_restarted_producer_continues_its_numbering),
        cmocka_unit_test(test_ring_generic_and_special_record_sizes_agree),
        cmocka_unit_test(test_ring_consumer_index_ahead_of_producer_is_a_fault_and_ignored),
        cmocka_unit_test(test_ring_consumer_index_going_back_is_a_fault_and_ignored),
        cmocka_unit_test(test_ring_producer_index_beyond_capacity_is_a_fault_and_ignored),
        cmocka_unit_test(test_ring_attach_with_implausible_peer_trust_own_stays_in_range),
        cmocka_unit_test(test_ring_attach_producer_with_implausible_peer_trust_peer_follows_it),
        cmocka_unit_test(test_ring_attach_consumer_with_implausible_own_trust_peer_goes_back_half),
        cmocka_unit_test(test_ring_attach_consumer_young_producer_trust_peer_starts_at_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
