/* The partition by brute force, for rings of up to ORACLE_SLOTS_MAX slots: every set of edges times every choice of whom to serve,
 * capacities by augmenting paths on an explicit graph. It shares the input's types with the solver, and no code.
 */
#ifndef RINGMAIN_TESTS_ORACLE_H
#define RINGMAIN_TESTS_ORACLE_H

#include "rt/planner/partition.h"

#define ORACLE_SLOTS_MAX 8

/* Checks an answer: feasible, its figures those of its own arrangement, and none better. NULL when right, else what is wrong. */
const char *oracle_check(const struct partition_input *in, const struct partition_result *got);

/* Powers of the optimum before the site limit: ascending within a group, better groups first. */
struct oracle_score {
    uint32_t guns;                        /* served with something */
    uint32_t served_in[ORACLE_SLOTS_MAX]; /* per group */
    struct {
        uint32_t group;
        int64_t value_w;
    } gun[ORACLE_SLOTS_MAX];
    int64_t total_w;
};
/* Below 0 when a is better in the sense of the mode, switching aside. */
int oracle_compare(enum partition_mode mode, const struct oracle_score *a,
                   const struct oracle_score *b);
/* The score of an answer, from its edges and owners alone. */
void oracle_score_of(const struct partition_input *in, const struct partition_result *got,
                     struct oracle_score *score);

#endif
