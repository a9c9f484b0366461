#include "shm/layout.h"
#include "tests/unit/shm/support.h"

/* Written down from the design, not from the code: what other programs may rely on. */
static void test_layout_fixed_places(void **state) {
    (void)state;
    assert_int_equal(offsetof(struct shm_header, magic), 0);
    assert_int_equal(offsetof(struct shm_header, version), 8);
    assert_int_equal(offsetof(struct shm_header, layout_hash), 16);
    assert_int_equal(SHM_MAGIC, 0x31304e49414d4752);
    assert_int_equal(sizeof(struct event), 64);
    assert_int_equal(sizeof(struct command), 128);
    assert_int_equal(sizeof(struct command_result), 64);
    assert_int_equal(sizeof(struct telemetry), 128);
    assert_int_equal(sizeof(struct session_record), 144);
    assert_int_equal(SHM_EVENTS, 8192);
    assert_int_equal(SHM_COMMANDS, 256);
    assert_int_equal(SHM_RESULTS, 256);
}

static void test_layout_regions_follow_each_other_and_fill_the_segment(void **state) {
    (void)state;
    uint64_t end = SHM_PAGE; /* the header's page */
    for (unsigned i = 0; i < SHM_REGION_COUNT; i++) {
        struct shm_region region = shm_layout_region((enum shm_region_kind)i);
        assert_int_equal(region.offset, end);
        assert_true(region.size > 0);
        assert_int_equal(region.offset % RM_CACHE_LINE, 0);
        end = region.offset + region.size;
    }
    assert_int_equal(end, sizeof(struct shm_segment));
}

static void test_layout_nrt_area_is_whole_pages(void **state) {
    (void)state;
    struct shm_region nrt = shm_layout_region(SHM_REGION_NRT);
    assert_int_equal(nrt.offset % SHM_PAGE, 0);
    assert_int_equal(nrt.size % SHM_PAGE, 0);
}

static void test_layout_writers_lines_lie_apart(void **state) {
    (void)state;
    assert_int_equal(offsetof(struct shm_header, heartbeat_mono_ns) % RM_CACHE_LINE, 0);
    assert_int_equal(offsetof(struct shm_header, state) % RM_CACHE_LINE, 0);
    assert_int_equal(offsetof(struct shm_nrt, events_consumer) % 128, 0);
    assert_int_equal(offsetof(struct shm_nrt, results_consumer) % 128, 0);
    assert_int_equal(offsetof(struct shm_nrt, commands_producer) % 128, 0);
    assert_int_equal(offsetof(struct shm_nrt, command) % 128, 0);
    assert_int_equal(offsetof(struct shm_lines, telemetry), 384);
}

static void test_layout_hash_is_there_and_segment_is_modest(void **state) {
    (void)state;
    assert_int_not_equal(shm_layout_hash, 0);
    assert_true(shm_layout_region(SHM_REGION_DIAG).offset < 2097152);
}

static void test_layout_region_names(void **state) {
    (void)state;
    assert_string_equal(shm_layout_region_name(SHM_REGION_NRT), "nrt");
    assert_string_equal(shm_layout_region_name(SHM_REGION_DIAG), "diag");
    assert_string_equal(shm_layout_region_name(SHM_REGION_COUNT), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_fixed_places),
        cmocka_unit_test(test_layout_regions_follow_each_other_and_fill_the_segment),
        cmocka_unit_test(test_layout_nrt_area_is_whole_pages),
        cmocka_unit_test(test_layout_writers_lines_lie_apart),
        cmocka_unit_test(test_layout_hash_is_there_and_segment_is_modest),
        cmocka_unit_test(test_layout_region_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
