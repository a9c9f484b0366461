/* How long one exact partition of the ring takes: N = 1, 6, 12, 24, 48, 96 slots, three kinds of rings.
 *
 * usual: a hub as built; odd: everything a ring can have wrong; hard: rings made to give the search the most to do.
 * An instance's time is the smallest of 5 repeats, so that a stolen CPU does not count; median, p99 and worst are
 * over instances. Arcs are at most 13 slots, so that growth with N can be seen at a fixed length.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "rt/planner/partition.h"
#include "tests/unit/rt/planner/instances.h"

#define REPEATS       5
#define INSTANCES_MAX 100000
#define ARC_MAX       13

enum kind { KIND_USUAL = 0, KIND_ODD, KIND_HARD, KINDS };

static const char *const kind_names[KINDS] = {"usual", "odd", "hard"};
static const uint32_t sizes[] = {1, 6, 12, 24, 48, 96};
#define SIZES (sizeof sizes / sizeof sizes[0])

struct figures {
    double median_us, p99_us, worst_us;
    uint64_t worst_seed;
};

static struct partition scratch;
static struct partition_input input;
static struct partition_result result;
static double times_us[INSTANCES_MAX];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double solve_us(void) {
    int64_t best_ns = INT64_MAX;
    for (int r = 0; r < REPEATS; r++) {
        int64_t start_ns = now_ns();
        partition_solve(&scratch, &input, &result);
        int64_t took_ns = now_ns() - start_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    return (double)best_ns / 1000.0;
}

static void make(enum kind kind, uint64_t seed, uint32_t slots) {
    struct instance_draw draw;
    instance_seed(&draw, seed);
    switch (kind) {
    case KIND_USUAL: instance_usual(&draw, slots, ARC_MAX, &input); break;
    case KIND_ODD:
        instance_odd(&draw, slots, &input);
        input.arc_max = input.arc_max < ARC_MAX ? input.arc_max : ARC_MAX;
        break;
    case KIND_HARD: instance_hard(&draw, slots, ARC_MAX, &input); break;
    case KINDS: break;
    }
}

static struct figures measure(enum kind kind, uint32_t slots, uint32_t instances) {
    struct figures f = {0};
    for (uint32_t i = 0; i < instances; i++) {
        make(kind, i + 1, slots);
        times_us[i] = solve_us();
        if (times_us[i] > f.worst_us) {
            f.worst_us = times_us[i];
            f.worst_seed = i + 1;
        }
    }
    qsort(times_us, instances, sizeof times_us[0], ascending);
    f.median_us = times_us[(instances - 1) / 2];
    f.p99_us = times_us[(uint32_t)((double)(instances - 1) * 0.99)];
    return f;
}

static int write_json(const char *path, struct figures f[KINDS][SIZES], uint32_t instances) {
    cJSON *root = cJSON_CreateObject();
    cJSON *entries = cJSON_CreateArray();
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < SIZES; i++) {
            cJSON *e = cJSON_CreateObject();
            cJSON_AddStringToObject(e, "kind", kind_names[k]);
            cJSON_AddNumberToObject(e, "slots", sizes[i]);
            cJSON_AddNumberToObject(e, "instances", instances);
            cJSON_AddNumberToObject(e, "median_us", f[k][i].median_us);
            cJSON_AddNumberToObject(e, "p99_us", f[k][i].p99_us);
            cJSON_AddNumberToObject(e, "worst_us", f[k][i].worst_us);
            cJSON_AddNumberToObject(e, "worst_seed", (double)f[k][i].worst_seed);
            cJSON_AddItemToArray(entries, e);
        }
    }
    cJSON_AddItemToObject(root, "entries", entries);
    char *text = cJSON_Print(root);
    FILE *out = text != NULL ? fopen(path, "w") : NULL;
    int failed = out == NULL || fputs(text, out) < 0;
    failed |= out == NULL || fclose(out) != 0;
    free(text);
    cJSON_Delete(root);
    return failed ? 1 : 0;
}

int main(int argc, char **argv) {
    const char *json = NULL;
    uint32_t instances = 2000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else if (strcmp(argv[i], "--instances") == 0 && i + 1 < argc) {
            instances = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            instances = 0;
        }
    }
    if (instances < 1 || instances > INSTANCES_MAX) {
        fprintf(stderr, "usage: %s [--json FILE] [--instances 1..%d]\n", argv[0], INSTANCES_MAX);
        return 2;
    }
    static struct figures f[KINDS][SIZES];
    printf("one exact partition, us; arcs of at most %d slots; %" PRIu32 " rings of each sort\n",
           ARC_MAX, instances);
    printf("%6s %6s %9s %9s %9s\n", "rings", "slots", "median", "p99", "worst");
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < SIZES; i++) {
            f[k][i] = measure((enum kind)k, sizes[i], instances);
            printf("%6s %6" PRIu32 " %9.2f %9.2f %9.2f\n", kind_names[k], sizes[i],
                   f[k][i].median_us, f[k][i].p99_us, f[k][i].worst_us);
            fflush(stdout);
        }
    }
    return json != NULL ? write_json(json, f, instances) : 0;
}
