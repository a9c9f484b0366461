/* Identities in segments: RFID, EVMAC, EMAID, EVCCID. */
#include "tests/unit/rt/can/bench.h"

#define EVMAC  0x240
#define EMAID0 0x260
#define EMAID1 0x270
#define EVCCID 0x280

static const struct image_identity *identity(const struct bench *b, enum identity_kind kind) {
    return &b->image.identity[kind];
}

/* All segments of a message, in order. */
static void send_all(struct bench *b, uint32_t base, const char *bytes, uint8_t total) {
    uint8_t count = (uint8_t)((total + 4) / 5);
    for (uint8_t i = 0; i < count; i++) {
        uint8_t data[8] = {total, count, i};
        memcpy(data + 3, bytes + 5 * i, i + 1 < count ? 5 : total - 5u * i);
        bench_frame(b, base, data);
    }
}

static void rfid(struct bench *b, uint8_t length, uint8_t type, uint8_t event, uint8_t index,
                 uint8_t count, const char *five) {
    uint8_t data[8] = {(uint8_t)(length | type << 4), event, (uint8_t)(index | count << 4)};
    memcpy(data + 3, five, 5);
    bench_frame(b, 0x180, data);
}

static void wait_for(struct bench *b, int64_t span_us) {
    for (int64_t end = b->now_us + span_us; b->now_us < end;) {
        b->now_us += 5 * MS;
        bench_frame(b, 0x100, BENCH_BYTES(0)); /* the PLC is there all the while */
        plc_tick(&b->plc, &b->config, &b->image, b->now_us);
    }
}

static void test_identity_rfid_seven_bytes_as_hex(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 7, 1, 1, 0, 2, "\x04\xA2\x24\x5A\x19");
    assert_int_equal(identity(b, IDENTITY_RFID)->length, 0);
    rfid(b, 7, 1, 1, 1, 2, "\x2B\x80\0\0\0");
    assert_string_equal(identity(b, IDENTITY_RFID)->text, "04A2245A192B80");
    assert_int_equal(identity(b, IDENTITY_RFID)->length, 14);
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 1);
}

static void test_identity_rfid_four_bytes_in_one_segment(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 4, 0, 1, 0, 1, "\xDE\xAD\xBE\xEF\x77");
    assert_string_equal(identity(b, IDENTITY_RFID)->text, "DEADBEEF");
}

static void test_identity_rfid_segments_in_any_order(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 7, 1, 1, 1, 2, "\x2B\x80\0\0\0");
    rfid(b, 7, 1, 1, 0, 2, "\x04\xA2\x24\x5A\x19");
    assert_string_equal(identity(b, IDENTITY_RFID)->text, "04A2245A192B80");
}

static void test_identity_rfid_repeated_event_counts_once(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 4, 1, 9, 0, 1, "\xDE\xAD\xBE\xEF");
    rfid(b, 4, 1, 9, 0, 1, "\xDE\xAD\xBE\xEF");
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 1);
}

static void test_identity_rfid_new_event_of_the_same_card_counts_again(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 4, 1, 9, 0, 1, "\xDE\xAD\xBE\xEF");
    rfid(b, 4, 1, 10, 0, 1, "\xDE\xAD\xBE\xEF");
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 2);
}

static void test_identity_rfid_event_number_counts_anew_after_a_restart(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 4, 1, 1, 0, 1, "\xDE\xAD\xBE\xEF");
    bench_frame(b, 0x90000, BENCH_BYTES(1));
    rfid(b, 4, 1, 1, 0, 1, "\xDE\xAD\xBE\xEF");
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 2);
}

static void test_identity_rfid_card_removed_is_not_presented(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 4, 2, 1, 0, 1, "\xDE\xAD\xBE\xEF");
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 0);
}

static void test_identity_rfid_impossible_segments_are_format_errors(void **state) {
    (void)state;
    struct bench *b = bench_new();
    rfid(b, 0, 1, 1, 0, 1, "\1\2\3\4\5");  /* no length */
    rfid(b, 11, 1, 1, 0, 3, "\1\2\3\4\5"); /* longer than a UID */
    rfid(b, 7, 1, 1, 2, 2, "\1\2\3\4\5");  /* index beyond count */
    rfid(b, 7, 1, 1, 0, 3, "\1\2\3\4\5");  /* count does not fit the length */
    rfid(b, 7, 1, 1, 0, 0, "\1\2\3\4\5");
    assert_int_equal(b->image.format_errors, 5);
    assert_int_equal(identity(b, IDENTITY_RFID)->generation, 0);
}

static void test_identity_evmac_as_hex(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EVMAC, "\x00\x7D\xFA\x01\x02\x03", 6);
    assert_string_equal(identity(b, IDENTITY_EVMAC)->text, "007DFA010203");
}

static void test_identity_evccid_six_bytes_hex_longer_as_text(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EVCCID, "\x00\x7D\xFA\x01\x02\x03", 6);
    assert_string_equal(identity(b, IDENTITY_EVCCID)->text, "007DFA010203");
    send_all(b, EVCCID, "WMIV1234567890ABCDEX", 20);
    assert_string_equal(identity(b, IDENTITY_EVCCID)->text, "WMIV1234567890ABCDEX");
    assert_int_equal(identity(b, IDENTITY_EVCCID)->generation, 2);
}

static void test_identity_repetition_of_the_same_is_no_new_generation(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 5; i++) {
        send_all(b, EVMAC, "\x00\x7D\xFA\x01\x02\x03", 6);
        wait_for(b, SECOND);
    }
    assert_int_equal(identity(b, IDENTITY_EVMAC)->generation, 1);
}

static void test_identity_without_progress_is_dropped_after_five_seconds(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 0, 0x00, 0x7D, 0xFA, 0x01, 0x02));
    wait_for(b, 5 * SECOND + 10 * MS);
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 1, 0x03));
    assert_int_equal(identity(b, IDENTITY_EVMAC)->length, 0);
}

static void test_identity_with_progress_within_five_seconds_is_kept(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 0, 0x00, 0x7D, 0xFA, 0x01, 0x02));
    wait_for(b, 4900 * MS);
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 1, 0x03));
    assert_string_equal(identity(b, IDENTITY_EVMAC)->text, "007DFA010203");
}

static void test_identity_repeated_segment_is_no_progress(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 6; i++) {
        bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 0, 0x00, 0x7D, 0xFA, 0x01, 0x02));
        wait_for(b, 840 * MS); /* 5.04 s in all */
    }
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 1, 0x03));
    assert_int_equal(identity(b, IDENTITY_EVMAC)->length, 0);
}

static void test_identity_segments_of_two_vehicles_do_not_mix(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 0, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA));
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 0, 0xBB, 0xBB, 0xBB, 0xBB, 0xBB));
    bench_frame(b, EVMAC, BENCH_BYTES(6, 2, 1, 0xCC));
    assert_string_equal(identity(b, IDENTITY_EVMAC)->text, "BBBBBBBBBBCC");
}

static void test_identity_emaid_alone_after_its_companion_stayed_away(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EMAID0, "DE8AA1A2B3C4D59", 15);
    wait_for(b, SECOND);
    assert_int_equal(identity(b, IDENTITY_EMAID)->length, 0);
    wait_for(b, 300 * MS);
    assert_string_equal(identity(b, IDENTITY_EMAID)->text, "DE8AA1A2B3C4D59");
    for (unsigned i = 0; i < 3; i++) {
        send_all(b, EMAID0, "DE8AA1A2B3C4D59", 15);
        wait_for(b, SECOND);
    }
    assert_int_equal(identity(b, IDENTITY_EMAID)->generation, 1);
}

static void test_identity_emaid_in_two_messages_is_joined(void **state) {
    (void)state;
    struct bench *b = bench_new();
    for (unsigned i = 0; i < 3; i++) {
        send_all(b, EMAID0, "DE8AA1A2", 8);
        wait_for(b, 200 * MS);
        send_all(b, EMAID1, "B3C4D59", 7);
        wait_for(b, 800 * MS);
    }
    assert_string_equal(identity(b, IDENTITY_EMAID)->text, "DE8AA1A2B3C4D59");
    assert_int_equal(identity(b, IDENTITY_EMAID)->generation, 1);
}

static void test_identity_emaid_too_long_or_unprintable_is_dropped(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EMAID0, "0123456789012345678901234567890123456789", 40);
    assert_true(b->image.format_errors > 0);
    send_all(b, EMAID0, "DE8AA\n1A2B3C4D5", 15);
    wait_for(b, 2 * SECOND);
    assert_int_equal(identity(b, IDENTITY_EMAID)->length, 0);
    send_all(b, EMAID0, "012345678901234567890123456789", 30);
    send_all(b, EMAID1, "0123456789", 10);
    wait_for(b, 2 * SECOND);
    assert_int_equal(identity(b, IDENTITY_EMAID)->length, 0);
}

static void test_identity_longest_text_fits(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EVCCID, "012345678901234567890123456789012345678", 39);
    assert_int_equal(identity(b, IDENTITY_EVCCID)->length, 39);
    assert_string_equal(identity(b, IDENTITY_EVCCID)->text,
                        "012345678901234567890123456789012345678");
}

static void test_identity_empty_one_is_nothing(void **state) {
    (void)state;
    struct bench *b = bench_new();
    bench_frame(b, EVCCID, BENCH_BYTES(0, 0, 0));
    assert_int_equal(identity(b, IDENTITY_EVCCID)->generation, 0);
    assert_int_equal(b->image.format_errors, 0);
}

static void test_identity_vehicle_gone_is_forgotten_the_card_is_not(void **state) {
    (void)state;
    struct bench *b = bench_new();
    send_all(b, EVMAC, "\x00\x7D\xFA\x01\x02\x03", 6);
    send_all(b, EVCCID, "\x00\x7D\xFA\x01\x02\x03", 6);
    rfid(b, 4, 1, 9, 0, 1, "\xDE\xAD\xBE\xEF");
    bench_frame(b, 0x430, BENCH_BYTES(0, 0, 'A'));
    assert_int_equal(identity(b, IDENTITY_EVMAC)->length, 0);
    assert_int_equal(identity(b, IDENTITY_EVCCID)->length, 0);
    assert_int_equal(identity(b, IDENTITY_RFID)->length, 8);
    send_all(b, EVMAC, "\x00\x7D\xFA\x01\x02\x03", 6); /* the same vehicle again is news */
    assert_int_equal(identity(b, IDENTITY_EVMAC)->generation, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_rfid_seven_bytes_as_hex),
        cmocka_unit_test(test_identity_rfid_four_bytes_in_one_segment),
        cmocka_unit_test(test_identity_rfid_segments_in_any_order),
        cmocka_unit_test(test_identity_rfid_repeated_event_counts_once),
        cmocka_unit_test(test_identity_rfid_new_event_of_the_same_card_counts_again),
        cmocka_unit_test(test_identity_rfid_event_number_counts_anew_after_a_restart),
        cmocka_unit_test(test_identity_rfid_card_removed_is_not_presented),
        cmocka_unit_test(test_identity_rfid_impossible_segments_are_format_errors),
        cmocka_unit_test(test_identity_evmac_as_hex),
        cmocka_unit_test(test_identity_evccid_six_bytes_hex_longer_as_text),
        cmocka_unit_test(test_identity_repetition_of_the_same_is_no_new_generation),
        cmocka_unit_test(test_identity_without_progress_is_dropped_after_five_seconds),
        cmocka_unit_test(test_identity_with_progress_within_five_seconds_is_kept),
        cmocka_unit_test(test_identity_repeated_segment_is_no_progress),
        cmocka_unit_test(test_identity_segments_of_two_vehicles_do_not_mix),
        cmocka_unit_test(test_identity_emaid_alone_after_its_companion_stayed_away),
        cmocka_unit_test(test_identity_emaid_in_two_messages_is_joined),
        cmocka_unit_test(test_identity_emaid_too_long_or_unprintable_is_dropped),
        cmocka_unit_test(test_identity_longest_text_fits),
        cmocka_unit_test(test_identity_empty_one_is_nothing),
        cmocka_unit_test(test_identity_vehicle_gone_is_forgotten_the_card_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
