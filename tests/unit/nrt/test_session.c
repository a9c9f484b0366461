/* The small parts of nrt/session and nrt: acceptance of records, the local list, clock pairs, waiting commands. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nrt/pending.h"
#include "nrt/session/acceptance.h"
#include "nrt/session/clock_pair.h"
#include "nrt/session/id_list.h"

#define S INT64_C(1000000000)

/* ---- acceptance ---- */

static void test_acceptance_record_is_written_then_acknowledged_then_waits(void **state) {
    (void)state;
    struct acceptance a = {0};
    struct session_record record = {.session_id = 5};
    assert_int_equal(acceptance_next(&a, &record, false, S), ACCEPTANCE_WRITE);
    assert_int_equal(acceptance_next(&a, &record, true, S), ACCEPTANCE_ACKNOWLEDGE);
    acceptance_sent(&a, 5, S);
    assert_int_equal(acceptance_next(&a, &record, true, S), ACCEPTANCE_NOTHING);
    assert_int_equal(acceptance_next(&a, &record, true, 3 * S - 1), ACCEPTANCE_NOTHING);
    assert_int_equal(acceptance_next(&a, &record, true, 3 * S), ACCEPTANCE_ACKNOWLEDGE);
}

static void test_acceptance_empty_place_is_nothing_whatever_is_on_disk(void **state) {
    (void)state;
    struct acceptance a = {0};
    struct session_record record = {.session_id = 0};
    assert_int_equal(acceptance_next(&a, &record, false, S), ACCEPTANCE_NOTHING);
    assert_int_equal(acceptance_next(&a, &record, true, S), ACCEPTANCE_NOTHING);
}

static void test_acceptance_sixteen_under_way_and_a_new_rt_asks_all_again(void **state) {
    (void)state;
    struct acceptance a = {0};
    for (uint64_t id = 1; id <= SESSIONS_FINISHED_MAX; id++) {
        acceptance_sent(&a, id, (int64_t)id);
    }
    for (uint64_t id = 1; id <= SESSIONS_FINISHED_MAX; id++) {
        struct session_record record = {.session_id = id};
        assert_int_equal(acceptance_next(&a, &record, true, S), ACCEPTANCE_NOTHING);
    }
    acceptance_sent(&a, 100, 50); /* takes the place of the oldest, 1 */
    struct session_record first = {.session_id = 1}, second = {.session_id = 2};
    assert_int_equal(acceptance_next(&a, &first, true, S), ACCEPTANCE_ACKNOWLEDGE);
    assert_int_equal(acceptance_next(&a, &second, true, S), ACCEPTANCE_NOTHING);
    acceptance_forget_sent(&a);
    assert_int_equal(acceptance_next(&a, &second, true, S), ACCEPTANCE_ACKNOWLEDGE);
}

static void test_acceptance_count_beyond_the_array_is_held(void **state) {
    (void)state;
    struct session_slot slot = {.finished_count = 3};
    assert_int_equal(acceptance_count(&slot), 3);
    slot.finished_count = UINT32_MAX;
    assert_int_equal(acceptance_count(&slot), SESSIONS_FINISHED_MAX);
}

/* ---- the local list ---- */

static struct id_list list;
static char error[160];

static int parse(const char *json) {
    return id_list_parse(&list, json, strlen(json), error, sizeof error);
}

static void test_id_list_both_forms_are_read_and_compared_without_case(void **state) {
    (void)state;
    assert_int_equal(parse("[\"04a1\", \"DE*8AA\"]"), 0);
    assert_int_equal(id_list_verdict(&list, "04A1"), POLICY_VERDICT_ACCEPTED);
    assert_int_equal(id_list_verdict(&list, "04A12"), POLICY_VERDICT_UNKNOWN);
    assert_int_equal(id_list_verdict(&list, ""), POLICY_VERDICT_UNKNOWN);
    assert_int_equal(parse("{\"tokens\":[{\"token\":\"B1\",\"blocked\":true},{\"token\":\"B2\"}]}"),
                     0);
    assert_int_equal(id_list_verdict(&list, "b1"), POLICY_VERDICT_BLOCKED);
    assert_int_equal(id_list_verdict(&list, "b2"), POLICY_VERDICT_ACCEPTED);
    assert_int_equal(id_list_verdict(&list, "04A1"), POLICY_VERDICT_UNKNOWN);
    assert_int_equal(parse("[]"), 0);
    assert_int_equal(list.count, 0);
}

static void test_id_list_damaged_files_are_refused_and_the_old_list_stays(void **state) {
    (void)state;
    static const char *const BAD[] = {"",
                                      "{",
                                      "{}",
                                      "7",
                                      "{\"tokens\":7}",
                                      "[7]",
                                      "[\"\"]",
                                      "[null]",
                                      "[{\"token\":7}]",
                                      "[{\"blocked\":true}]",
                                      "[{\"token\":\"A\",\"blocked\":\"yes\"}]",
                                      "[\"0123456789012345678901234567890123456789\"]"};
    assert_int_equal(parse("[\"KEEP\"]"), 0);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        error[0] = '\0';
        assert_int_equal(parse(BAD[i]), -EINVAL);
        assert_true(error[0] != '\0');
        assert_int_equal(id_list_verdict(&list, "KEEP"), POLICY_VERDICT_ACCEPTED);
    }
}

static void test_id_list_longer_than_its_bound_is_refused(void **state) {
    (void)state;
    size_t size = (size_t)(ID_LIST_MAX + 1) * 4 + 3;
    char *json = malloc(size);
    assert_non_null(json);
    size_t length = 0;
    json[length++] = '[';
    for (int i = 0; i < ID_LIST_MAX + 1; i++) {
        memcpy(json + length, "\"A\",", 4);
        length += 4;
    }
    json[length - 1] = ']';
    assert_int_equal(id_list_parse(&list, json, length, error, sizeof error), -EINVAL);
    /* one less is taken */
    json[length - 5] = ']';
    assert_int_equal(id_list_parse(&list, json, length - 4, error, sizeof error), 0);
    assert_int_equal(list.count, ID_LIST_MAX);
    free(json);
}

/* ---- clocks ---- */

static void test_clock_pair_shifts_both_ways_and_holds_at_the_ends(void **state) {
    (void)state;
    struct clock_pair pair = {.mono_ns = 100 * S, .real_ns = 1000 * S};
    assert_true(clock_pair_real_ns(&pair, 90 * S) == 990 * S);
    assert_true(clock_pair_real_ns(&pair, 110 * S) == 1010 * S);
    assert_true(clock_pair_mono_ns(&pair, 1500 * S) == 600 * S);
    assert_true(clock_pair_real_ns(&pair, INT64_MAX) == INT64_MAX);
    assert_true(clock_pair_real_ns(&pair, INT64_MIN) == 0);
}

static void test_clock_pair_text_is_rfc3339_in_utc(void **state) {
    (void)state;
    char text[CLOCK_PAIR_TEXT_LEN];
    clock_pair_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_pair_text(INT64_C(1763654191123999999), text); /* by date -u */
    assert_string_equal(text, "2025-11-20T15:56:31.123Z");
    clock_pair_text(-5, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_pair_text(INT64_MAX, text);
    assert_int_equal(strlen(text), 24);
}

static void test_clock_pair_now_reads_both_clocks(void **state) {
    (void)state;
    struct clock_pair first = clock_pair_now(), second = clock_pair_now();
    assert_true(first.mono_ns > 0 && second.mono_ns >= first.mono_ns);
    assert_true(first.real_ns > INT64_C(1700000000) * S);
}

/* ---- waiting commands ---- */

static void test_pending_is_found_once_by_its_id_and_expires(void **state) {
    (void)state;
    static struct pending_table table;
    memset(&table, 0, sizeof table);
    struct pending one = {.id = 7, .deadline_mono_ns = 10, .slot = 3}, out;
    assert_true(pending_add(&table, &one));
    assert_false(pending_take(&table, 8, &out));
    assert_false(pending_take(&table, 0, &out));
    assert_false(pending_take_expired(&table, 9, &out));
    assert_true(pending_take(&table, 7, &out));
    assert_int_equal(out.slot, 3);
    assert_false(pending_take(&table, 7, &out));
    assert_true(pending_add(&table, &one));
    assert_true(pending_take_expired(&table, 10, &out));
    assert_int_equal(table.count, 0);
}

static void test_pending_full_table_refuses(void **state) {
    (void)state;
    static struct pending_table table;
    memset(&table, 0, sizeof table);
    struct pending entry = {.deadline_mono_ns = 10}, out;
    for (entry.id = 1; entry.id <= PENDING_MAX; entry.id++) {
        assert_true(pending_add(&table, &entry));
    }
    assert_false(pending_add(&table, &entry));
    assert_true(pending_take(&table, PENDING_MAX / 2, &out));
    assert_true(pending_add(&table, &entry));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acceptance_record_is_written_then_acknowledged_then_waits),
        cmocka_unit_test(test_acceptance_empty_place_is_nothing_whatever_is_on_disk),
        cmocka_unit_test(test_acceptance_sixteen_under_way_and_a_new_rt_asks_all_again),
        cmocka_unit_test(test_acceptance_count_beyond_the_array_is_held),
        cmocka_unit_test(test_id_list_both_forms_are_read_and_compared_without_case),
        cmocka_unit_test(test_id_list_damaged_files_are_refused_and_the_old_list_stays),
        cmocka_unit_test(test_id_list_longer_than_its_bound_is_refused),
        cmocka_unit_test(test_clock_pair_shifts_both_ways_and_holds_at_the_ends),
        cmocka_unit_test(test_clock_pair_text_is_rfc3339_in_utc),
        cmocka_unit_test(test_clock_pair_now_reads_both_clocks),
        cmocka_unit_test(test_pending_is_found_once_by_its_id_and_expires),
        cmocka_unit_test(test_pending_full_table_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
