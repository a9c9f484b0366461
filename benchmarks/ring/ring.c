/* ringmain-bench-ring: throughput and one-way latency of the events ring beside ConcurrencyKit's ck_ring, a POSIX message
 * queue and a socketpair.
 *
 * Same 64-byte record for all, copied in and copied out, sender and receiver pinned to two CPUs. The carriers take turns in
 * short runs, so that whatever else the machine does (a hypervisor moves virtual CPUs between caches) meets all of them; ratios are medians over the repeats' ratios.
 * One-way latency is half a round trip through two carriers, median over blocks of round trips.
 */
#include <cjson/cJSON.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "benchmarks/ring/carriers.h"

#define REPEATS_MAX   101
#define TRIPS_A_BLOCK 16u
#define BLOCKS_MAX    8192u

struct settings {
    unsigned repeats;
    uint64_t records;
    int sender_cpu, receiver_cpu;
    bool fifo;
    const char *json;
};

struct figures {
    double records_per_s[CARRIER_COUNT][REPEATS_MAX];
    double latency_ns[CARRIER_COUNT][REPEATS_MAX];
};

/* One run: the receiver's (or echo's) side works in a thread of its own. */
struct run {
    struct carrier *there, *back; /* back: NULL in the throughput run */
    uint64_t count;
    int cpu;
    bool fifo;
    bool good;
    int64_t end_ns;
    atomic_bool ready;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("ringmain-bench-ring: sched_setaffinity");
    }
}

static bool set_policy(bool fifo) {
    struct sched_param param = {.sched_priority = fifo ? 10 : 0};
    return sched_setscheduler(0, fifo ? SCHED_FIFO : SCHED_OTHER, &param) == 0;
}

static void *other_side(void *argument) {
    struct run *run = argument;
    pin(run->cpu);
    if (run->fifo) {
        (void)set_policy(true);
    }
    atomic_store(&run->ready, true);
    if (run->back == NULL) {
        run->good = carrier_receive(run->there, 0, run->count);
        run->end_ns = now_ns();
        return NULL;
    }
    run->good = true;
    for (uint64_t i = 0; i < run->count; i++) {
        run->good = carrier_receive(run->there, i, 1) && run->good;
        carrier_send(run->back, i, 1);
    }
    return NULL;
}

static pthread_t start(struct run *run) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, other_side, run);
    if (error != 0) {
        (void)fprintf(stderr, "ringmain-bench-ring: pthread_create: %s\n", strerror(error));
        exit(1);
    }
    while (!atomic_load(&run->ready)) {
        (void)sched_yield();
    }
    return thread;
}

static struct carrier *open_or_exit(enum carrier_kind kind) {
    struct carrier *c = carrier_open(kind);
    if (c == NULL) {
        perror(carrier_name(kind));
        exit(1);
    }
    return c;
}

static void check(const struct run *run, enum carrier_kind kind) {
    if (!run->good) {
        (void)fprintf(stderr, "ringmain-bench-ring: %s lost or mixed up a record\n",
                      carrier_name(kind));
        exit(1);
    }
}

static bool is_slow(enum carrier_kind kind) {
    return kind == CARRIER_MQUEUE || kind == CARRIER_SOCKETPAIR;
}

static double throughput(enum carrier_kind kind, const struct settings *s) {
    struct run run = {.there = open_or_exit(kind),
                      .count = is_slow(kind) ? s->records / 40 : s->records,
                      .cpu = s->receiver_cpu,
                      .fifo = s->fifo};
    pthread_t thread = start(&run);
    int64_t begin = now_ns();
    carrier_send(run.there, 0, run.count);
    pthread_join(thread, NULL);
    check(&run, kind);
    carrier_close(run.there);
    return (double)run.count * 1e9 / (double)(run.end_ns - begin);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, unsigned n) {
    static double sorted[BLOCKS_MAX];
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, compare);
    return n % 2 != 0 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double latency(enum carrier_kind kind, const struct settings *s) {
    static double block_ns[BLOCKS_MAX];
    uint64_t blocks = s->records / 10 / TRIPS_A_BLOCK / (is_slow(kind) ? 50 : 1);
    blocks = blocks > BLOCKS_MAX ? BLOCKS_MAX : blocks == 0 ? 1 : blocks;
    struct run run = {.there = open_or_exit(kind),
                      .back = open_or_exit(kind),
                      .count = blocks * TRIPS_A_BLOCK,
                      .cpu = s->receiver_cpu,
                      .fifo = s->fifo};
    pthread_t thread = start(&run);
    bool good = true;
    for (uint64_t b = 0; b < blocks; b++) {
        int64_t begin = now_ns();
        for (uint64_t i = 0; i < TRIPS_A_BLOCK; i++) {
            uint64_t number = b * TRIPS_A_BLOCK + i;
            carrier_send(run.there, number, 1);
            good = carrier_receive(run.back, number, 1) && good;
        }
        block_ns[b] = (double)(now_ns() - begin) / (2.0 * TRIPS_A_BLOCK);
    }
    pthread_join(thread, NULL);
    run.good = run.good && good;
    check(&run, kind);
    carrier_close(run.there);
    carrier_close(run.back);
    return median(block_ns, (unsigned)blocks);
}

static void measure(const struct settings *s, struct figures *f) {
    for (unsigned r = 0; r < s->repeats; r++) {
        for (unsigned k = 0; k < CARRIER_COUNT; k++) {
            /* every other repeat in reverse, so that no carrier always follows the same one */
            enum carrier_kind kind = (enum carrier_kind)(r % 2 == 0 ? k : CARRIER_COUNT - 1 - k);
            f->records_per_s[kind][r] = throughput(kind, s);
        }
        for (unsigned k = 0; k < CARRIER_COUNT; k++) {
            enum carrier_kind kind = (enum carrier_kind)(r % 2 == 0 ? k : CARRIER_COUNT - 1 - k);
            f->latency_ns[kind][r] = latency(kind, s);
        }
        (void)fprintf(stderr, "\rrepeat %u of %u", r + 1, s->repeats);
        (void)fflush(stderr);
    }
    (void)fprintf(stderr, "\r                  \r");
}

static double median_ratio(const double *ours, const double *theirs, unsigned n) {
    double ratio[REPEATS_MAX];
    for (unsigned i = 0; i < n; i++) {
        ratio[i] = ours[i] / theirs[i];
    }
    return median(ratio, n);
}

static void print_table(const struct settings *s, const struct figures *f) {
    printf("64-byte records, CPUs %d and %d, %s, %u repeats, medians\n", s->sender_cpu,
           s->receiver_cpu, s->fifo ? "SCHED_FIFO" : "SCHED_OTHER", s->repeats);
    printf("%-30s %12s %10s %14s %10s\n", "", "Mrecords/s", "x ck_ring", "one-way ns p50",
           "x ck_ring");
    for (unsigned k = 0; k < CARRIER_COUNT; k++) {
        printf("%-30s %12.2f %10.2f %14.0f %10.2f\n", carrier_name((enum carrier_kind)k),
               median(f->records_per_s[k], s->repeats) / 1e6,
               median_ratio(f->records_per_s[k], f->records_per_s[CARRIER_CK], s->repeats),
               median(f->latency_ns[k], s->repeats),
               median_ratio(f->latency_ns[k], f->latency_ns[CARRIER_CK], s->repeats));
    }
}

static cJSON *to_json(const struct settings *s, const struct figures *f) {
    cJSON *top = cJSON_CreateObject();
    cJSON_AddNumberToObject(
        top, "throughput_ratio_ck",
        median_ratio(f->records_per_s[CARRIER_RINGMAIN], f->records_per_s[CARRIER_CK], s->repeats));
    /* ck_ring has no batches; rt and nrt use ours that way. */
    cJSON_AddNumberToObject(top, "throughput_batch_ratio_ck",
                            median_ratio(f->records_per_s[CARRIER_RINGMAIN_BATCH],
                                         f->records_per_s[CARRIER_CK], s->repeats));
    cJSON_AddNumberToObject(
        top, "latency_ratio_ck",
        median_ratio(f->latency_ns[CARRIER_RINGMAIN], f->latency_ns[CARRIER_CK], s->repeats));
    cJSON_AddNumberToObject(top, "repeats", s->repeats);
    cJSON_AddStringToObject(top, "policy", s->fifo ? "SCHED_FIFO" : "SCHED_OTHER");
    cJSON *entries = cJSON_AddArrayToObject(top, "entries");
    for (unsigned k = 0; k < CARRIER_COUNT; k++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "carrier", carrier_name((enum carrier_kind)k));
        cJSON_AddNumberToObject(entry, "records_per_s", median(f->records_per_s[k], s->repeats));
        cJSON_AddNumberToObject(entry, "latency_p50_ns", median(f->latency_ns[k], s->repeats));
        cJSON_AddItemToObject(entry, "records_per_s_by_repeat",
                              cJSON_CreateDoubleArray(f->records_per_s[k], (int)s->repeats));
        cJSON_AddItemToObject(entry, "latency_p50_ns_by_repeat",
                              cJSON_CreateDoubleArray(f->latency_ns[k], (int)s->repeats));
        cJSON_AddItemToArray(entries, entry);
    }
    return top;
}

static int write_json(const char *path, cJSON *top) {
    char *text = cJSON_Print(top);
    FILE *file = fopen(path, "w");
    bool good = text != NULL && file != NULL && fprintf(file, "%s\n", text) > 0;
    good = (file == NULL || fclose(file) == 0) && good;
    free(text);
    if (!good) {
        perror(path);
    }
    return good ? 0 : 1;
}

static int usage(FILE *to, int code) {
    (void)fprintf(to,
                  "ringmain-bench-ring [--json FILE] [--repeats 7..%d] [--records N] [--no-fifo]\n"
                  "  --no-fifo   ordinary scheduling, also where SCHED_FIFO is allowed\n",
                  REPEATS_MAX);
    return code;
}

/* The first two CPUs that this process may use. */
static bool choose_cpus(struct settings *s) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return false;
    }
    int found = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
        if (CPU_ISSET((unsigned)cpu, &set)) {
            *(found == 0 ? &s->sender_cpu : &s->receiver_cpu) = cpu;
            found++;
        }
    }
    return found == 2;
}

static int parse(int argc, char **argv, struct settings *s) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--help") == 0) {
            exit(usage(stdout, 0));
        } else if (strcmp(argv[i], "--no-fifo") == 0) {
            s->fifo = false;
        } else if (strcmp(argv[i], "--json") == 0 && value != NULL) {
            s->json = argv[++i];
        } else if (strcmp(argv[i], "--repeats") == 0 && value != NULL) {
            s->repeats = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--records") == 0 && value != NULL) {
            s->records = strtoull(argv[++i], NULL, 10);
        } else {
            return usage(stderr, 2);
        }
    }
    bool in_range = s->repeats >= 7 && s->repeats <= REPEATS_MAX && s->records >= 10000 &&
                    s->records <= 100000000;
    return in_range ? 0 : usage(stderr, 2);
}

int main(int argc, char **argv) {
    static struct figures figures;
    struct settings s = {.repeats = 51, .records = 250000, .fifo = true};
    int code = parse(argc, argv, &s);
    if (code != 0) {
        return code;
    }
    if (!choose_cpus(&s)) {
        (void)fprintf(stderr,
                      "ringmain-bench-ring: needs two CPUs, this process may use only one\n");
        return 1;
    }
    pin(s.sender_cpu);
    s.fifo = s.fifo && set_policy(true);
    measure(&s, &figures);
    print_table(&s, &figures);
    if (s.json == NULL) {
        return 0;
    }
    cJSON *top = to_json(&s, &figures);
    code = write_json(s.json, top);
    cJSON_Delete(top);
    return code;
}
