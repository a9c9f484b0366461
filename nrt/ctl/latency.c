#include "nrt/ctl/latency.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const KEY[DIAG_HISTOGRAM_COUNT] = {
    [DIAG_HISTOGRAM_GUARD_WAKE] = "guard_wake",     [DIAG_HISTOGRAM_GUARD_STEP] = "guard_step",
    [DIAG_HISTOGRAM_REACTION] = "reaction",         [DIAG_HISTOGRAM_PLANNER_WAKE] = "planner_wake",
    [DIAG_HISTOGRAM_PLANNER_STEP] = "planner_step",
};

struct figures {
    uint64_t count;
    int64_t min_ns, mean_ns, p50_ns, p99_ns, p999_ns, max_ns;
};

static struct figures figures_of(const struct diag_histogram *h) {
    struct figures f = {.count = atomic_load_explicit(&h->count, memory_order_relaxed)};
    if (f.count == 0) {
        return f;
    }
    uint64_t sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
    f.min_ns = atomic_load_explicit(&h->min_ns, memory_order_relaxed);
    f.max_ns = atomic_load_explicit(&h->max_ns, memory_order_relaxed);
    f.mean_ns = (int64_t)(sum_ns / f.count);
    f.p50_ns = diag_quantile(h, 5000);
    f.p99_ns = diag_quantile(h, 9900);
    f.p999_ns = diag_quantile(h, 9990);
    return f;
}

/* ---- JSON ---- */

static void counter_key(char *key, size_t size, const char *name) {
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < size; i++) {
        key[i] = (char)tolower((unsigned char)name[i]);
    }
    key[i] = '\0';
}

static void write_counters(struct json_writer *w, const struct diag *d) {
    char key[64];
    json_object(w, "counters");
#define COUNTER(name, words)                                                                       \
    counter_key(key, sizeof key, #name);                                                           \
    json_uint(w, key, diag_get(d, DIAG_##name));
    DIAG_GUARD_COUNTERS(COUNTER)
    DIAG_PLANNER_COUNTERS(COUNTER)
#undef COUNTER
    json_object_end(w);
}

static void write_histogram(struct json_writer *w, const struct diag *d, unsigned kind) {
    struct figures f = figures_of(&d->histogram[kind]);
    json_object(w, KEY[kind]);
    json_uint(w, "count", f.count);
    json_int(w, "min_ns", f.min_ns);
    json_int(w, "mean_ns", f.mean_ns);
    json_int(w, "p50_ns", f.p50_ns);
    json_int(w, "p99_ns", f.p99_ns);
    json_int(w, "p999_ns", f.p999_ns);
    json_int(w, "max_ns", f.max_ns);
    json_array(w, "buckets"); /* those in use: from low_ns up to the next one's */
    for (unsigned b = 0; b < DIAG_BUCKETS; b++) {
        uint64_t count = atomic_load_explicit(&d->histogram[kind].bucket[b], memory_order_relaxed);
        if (count > 0) {
            json_object(w, NULL);
            json_int(w, "low_ns", diag_bucket_low(b));
            json_uint(w, "count", count);
            json_object_end(w);
        }
    }
    json_array_end(w);
    json_object_end(w);
}

static void write_duty(struct json_writer *w, const char *key, const struct diag_duty *duty) {
    json_object(w, key);
    json_uint(w, "cycles", atomic_load_explicit(&duty->cycles, memory_order_relaxed));
    json_uint(w, "over_threshold",
              atomic_load_explicit(&duty->over_threshold, memory_order_relaxed));
    json_int(w, "threshold_ns", atomic_load_explicit(&duty->threshold_ns, memory_order_relaxed));
    json_int(w, "max_ns", atomic_load_explicit(&duty->max_ns, memory_order_relaxed));
    json_object_end(w);
}

static void write_errors(struct json_writer *w, const struct diag *d) {
    json_array(w, "errors");
    for (unsigned i = 0; i < DIAG_ERRORS_MAX; i++) {
        struct diag_error_copy error;
        if (diag_error_read(d, i, &error)) {
            json_object(w, NULL);
            json_string(w, "text", error.text);
            json_uint(w, "count", error.count);
            json_int(w, "first_mono_ns", error.first_mono_ns);
            json_int(w, "last_mono_ns", error.last_mono_ns);
            json_object_end(w);
        }
    }
    json_array_end(w);
}

void latency_json(struct json_writer *w, const struct diag *d, uint64_t boot_id) {
    json_object(w, NULL);
    json_hex(w, "boot_id", boot_id);
    for (unsigned kind = 0; kind < DIAG_HISTOGRAM_COUNT; kind++) {
        write_histogram(w, d, kind);
    }
    write_duty(w, "guard_duty", &d->duty[DIAG_THREAD_GUARD]);
    write_duty(w, "planner_duty", &d->duty[DIAG_THREAD_PLANNER]);
    json_uint(w, "planner_cycles", diag_get(d, DIAG_PLANNER_CYCLES));
    json_uint(w, "planner_overruns", diag_get(d, DIAG_PLANNER_OVERRUNS));
    json_uint(w, "page_faults",
              diag_get(d, DIAG_PAGE_FAULTS_MINOR) + diag_get(d, DIAG_PAGE_FAULTS_MAJOR));
    json_uint(w, "heap_calls", diag_get(d, DIAG_HEAP_CALLS));
    write_counters(w, d);
    write_errors(w, d);
    json_object_end(w);
}

/* ---- for people ---- */

static void print_us(FILE *out, int64_t ns) {
    fprintf(out, " %9" PRId64 ".%01" PRId64, ns / 1000, ns % 1000 / 100);
}

static void print_table(FILE *out, const struct diag *d) {
    fprintf(out, "%-26s %10s %11s %11s %11s %11s\n", "microseconds", "count", "p50", "p99", "p99.9",
            "max");
    for (unsigned kind = 0; kind < DIAG_HISTOGRAM_COUNT; kind++) {
        struct figures f = figures_of(&d->histogram[kind]);
        fprintf(out, "%-26s %10" PRIu64, diag_histogram_name(kind), f.count);
        print_us(out, f.p50_ns);
        print_us(out, f.p99_ns);
        print_us(out, f.p999_ns);
        print_us(out, f.max_ns);
        fputc('\n', out);
    }
}

/* One row per power of two, with a bar; rows before the first and after the last value are left out. */
static void print_histogram(FILE *out, const struct diag_histogram *h, const char *name) {
    uint64_t row[64] = {0};
    uint64_t most = 0;
    unsigned first = 63, last = 0;
    for (unsigned b = 0; b < DIAG_BUCKETS; b++) {
        uint64_t count = atomic_load_explicit(&h->bucket[b], memory_order_relaxed);
        uint64_t low = (uint64_t)diag_bucket_low(b);
        unsigned power = low == 0 ? 0 : 63u - (unsigned)__builtin_clzll(low);
        if (count > 0) {
            row[power] += count;
            first = power < first ? power : first;
            last = power > last ? power : last;
            most = row[power] > most ? row[power] : most;
        }
    }
    if (most == 0) {
        return;
    }
    fprintf(out, "\n%s\n", name);
    for (unsigned power = first; power <= last; power++) {
        uint64_t cells = (row[power] * 40 + most - 1) / most;
        fprintf(out, "  below");
        print_us(out, (int64_t)(UINT64_C(2) << power));
        fprintf(out, " us %10" PRIu64 "  %.*s\n", row[power], (int)cells,
                "########################################");
    }
}

void latency_print(FILE *out, const struct diag *d) {
    print_table(out, d);
    fprintf(out,
            "\nplanner cycles %" PRIu64 ", overruns %" PRIu64 "; guard ticks late %" PRIu64
            "; page faults %" PRIu64 ", heap calls %" PRIu64 " since sealing\n",
            diag_get(d, DIAG_PLANNER_CYCLES), diag_get(d, DIAG_PLANNER_OVERRUNS),
            diag_get(d, DIAG_GUARD_TICKS_LATE),
            diag_get(d, DIAG_PAGE_FAULTS_MINOR) + diag_get(d, DIAG_PAGE_FAULTS_MAJOR),
            diag_get(d, DIAG_HEAP_CALLS));
    fprintf(out,
            "interfaces: %" PRIu64 " restarts, %" PRIu64 " refused by the driver; %" PRIu64
            " openings that failed\n",
            diag_get(d, DIAG_INTERFACE_RESTARTS), diag_get(d, DIAG_RESTARTS_REFUSED),
            diag_get(d, DIAG_OPEN_FAILURES));
    for (unsigned kind = 0; kind < DIAG_HISTOGRAM_COUNT; kind++) {
        print_histogram(out, &d->histogram[kind], diag_histogram_name(kind));
    }
    for (unsigned i = 0; i < DIAG_ERRORS_MAX; i++) {
        struct diag_error_copy error;
        if (diag_error_read(d, i, &error)) {
            fprintf(out, "%serror, %" PRIu64 " times: %s\n", i == 0 ? "\n" : "", error.count,
                    error.text);
        }
    }
}
