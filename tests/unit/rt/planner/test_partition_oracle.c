/* The solver against brute force on random rings of 1 to 8 slots, and its metamorphic properties.
 *
 * Without arguments: a cmocka program, 20 000 rings. `test_planner_partition_oracle COUNT [SEED]`: that many, with progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "instances.h"
#include "oracle.h"

#define RINGS       20000
#define METAMORPHIC 5000

static struct partition scratch;

static void solve(const struct partition_input *in, struct partition_result *out) {
    partition_solve(&scratch, in, out);
}

static void some_ring(uint64_t seed, struct partition_input *in) {
    struct instance_draw draw;
    instance_seed(&draw, seed);
    uint32_t slots = 1 + instance_below(&draw, ORACLE_SLOTS_MAX);
    if (instance_below(&draw, 5) == 0) {
        instance_usual(&draw, slots, 1 + instance_below(&draw, slots), in);
    } else {
        instance_odd(&draw, slots, in);
    }
}

static uint64_t compare(uint64_t first_seed, uint64_t count, bool progress) {
    struct partition_input in;
    struct partition_result out;
    uint64_t mismatches = 0;
    for (uint64_t i = 0; i < count; i++) {
        some_ring(first_seed + i, &in);
        solve(&in, &out);
        const char *wrong = oracle_check(&in, &out);
        if (wrong != NULL) {
            mismatches++;
            print_error("seed %llu, %u slots, mode %d: %s\n", (unsigned long long)(first_seed + i),
                        in.slots, (int)in.mode, wrong);
        }
        if (progress && (i + 1) % 50000 == 0) {
            printf("%llu rings, %llu mismatches\n", (unsigned long long)(i + 1),
                   (unsigned long long)mismatches);
            fflush(stdout);
        }
    }
    return mismatches;
}

static void test_partition_random_rings_match_brute_force(void **state) {
    (void)state;
    assert_int_equal(compare(1, RINGS, false), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        uint64_t count = strtoull(argv[1], NULL, 10);
        uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000000;
        uint64_t mismatches = compare(seed, count, true);
        printf("oracle: %llu rings, %llu mismatches\n", (unsigned long long)count,
               (unsigned long long)mismatches);
        return count == 0 || mismatches > 0 ? 1 : 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_random_rings_match_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
