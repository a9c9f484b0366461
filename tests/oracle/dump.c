/* Random rings and the solver's answers as one JSON object per line, for solvers in other languages.
 * `ringmain-partition-dump COUNT SEED SLOTS`. Time is the smallest of 5 repeats.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/rt/planner/instances.h"

#define REPEATS 5

static struct partition scratch;
static struct partition_input in;
static struct partition_result out;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void print_slot(const struct partition_slot *s) {
    printf("{\"wants\":%d,\"blocked\":%d,\"class\":%u,\"order\":%" PRId64 ",\"mv\":%" PRId32
           ",\"demand_w\":%" PRId32 ",\"edge\":%d,\"was_closed\":%d,\"edge_ma\":%" PRId32
           ",\"cost\":%" PRIu32 ",\"modules\":[",
           s->wants, s->blocked, s->priority_class, s->order, s->mv, s->demand_w, (int)s->edge,
           s->edge_was_closed, s->edge_max_ma, s->edge_cost);
    for (uint32_t m = 0; m < s->modules; m++) {
        const struct partition_module *x = &s->module[m];
        printf("%s[%" PRId32 ",%" PRId32 ",%" PRId32 ",%" PRId32 "]", m > 0 ? "," : "", x->max_w,
               x->max_ma, x->max_mv, x->min_mv);
    }
    printf("]}");
}

static void print_ring(const char *kind, int64_t took_ns) {
    printf("{\"kind\":\"%s\",\"arc_max\":%" PRIu32 ",\"mode\":%d,\"limit_w\":%" PRId64
           ",\"time_us\":%.3f,\"unserved\":%" PRIu32 ",\"switching_cost\":%" PRIu64 ",\"slots\":[",
           kind, in.arc_max, (int)in.mode, in.site_limit_w, (double)took_ns / 1000.0, out.unserved,
           out.switching_cost);
    for (uint32_t s = 0; s < in.slots; s++) {
        printf("%s", s > 0 ? "," : "");
        print_slot(&in.slot[s]);
    }
    printf("],\"answer\":[");
    for (uint32_t s = 0; s < in.slots; s++) {
        printf("%s[%d,%d,%" PRId32 "]", s > 0 ? "," : "", out.edge_closed[s], out.owner[s],
               out.power_w[s]);
    }
    printf("]}\n");
}

int main(int argc, char **argv) {
    uint32_t count = argc == 4 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    uint64_t seed = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    uint32_t slots = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    if (count < 1 || slots < 1 || slots > RM_SLOTS_MAX) {
        fprintf(stderr, "usage: %s COUNT SEED SLOTS\n", argv[0]);
        return 2;
    }
    for (uint32_t i = 0; i < count; i++) {
        static const char *const kinds[] = {"usual", "odd", "hard"};
        struct instance_draw draw;
        instance_seed(&draw, seed + i);
        switch (i % 3) {
        case 0: instance_usual(&draw, slots, 1 + (i / 3) % PARTITION_ARC_MAX, &in); break;
        case 1: instance_odd(&draw, slots, &in); break;
        default: instance_hard(&draw, slots, PARTITION_ARC_MAX, &in); break;
        }
        int64_t best_ns = INT64_MAX;
        for (int r = 0; r < REPEATS; r++) {
            int64_t start_ns = now_ns();
            partition_solve(&scratch, &in, &out);
            int64_t took_ns = now_ns() - start_ns;
            best_ns = took_ns < best_ns ? took_ns : best_ns;
        }
        print_ring(kinds[i % 3], best_ns);
    }
    return 0;
}
