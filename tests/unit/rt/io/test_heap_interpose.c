/* The counter behind `heap_calls`: it counts, in this thread and in others, also what libraries ask for. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/io/seal.h"

static void *volatile kept; /* so that no call is optimised away */

static void *other_thread(void *unused) {
    (void)unused;
    uint64_t before = heap_calls_since_seal();
    kept = malloc(10);
    free(kept);
    return (void *)(uintptr_t)(heap_calls_since_seal() - before);
}

static void test_heap_interpose_counts_after_sealing_only(void **state) {
    (void)state;
    kept = malloc(100);
    free(kept);
    assert_int_equal(heap_calls_since_seal(), 0);
    assert_true(seal_counts_heap());
    heap_seal(false);
    uint64_t before = heap_calls_since_seal();
    kept = malloc(100);
    free(kept);
    uint64_t plain = heap_calls_since_seal() - before;
    before = heap_calls_since_seal();
    kept = strdup("libc asks for this one");
    free(kept);
    uint64_t library = heap_calls_since_seal() - before;
    pthread_t thread;
    void *counted = NULL;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &counted), 0);
    assert_int_equal(plain, 2);
    assert_int_equal(library, 2);
    assert_int_equal((uintptr_t)counted, 2);
    assert_true(seal_heap_calls() >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_interpose_counts_after_sealing_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
