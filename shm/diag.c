#include "shm/diag.h"

#include <string.h>

#include "shm/words.h"

#define BUCKET_BITS  4u
#define BUCKET_PARTS (1u << BUCKET_BITS)
#define BUCKET_TOP   35u /* highest power of two with buckets of its own */
static_assert((BUCKET_TOP - BUCKET_BITS + 2) * BUCKET_PARTS == DIAG_BUCKETS,
              "buckets cover 2^36 ns");

static uint64_t get(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

static int64_t get_ns(const _Atomic int64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* One writer: a load and a store do, no read-modify-write is needed. */
static void set(_Atomic uint64_t *value, uint64_t to) {
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static void set_ns(_Atomic int64_t *value, int64_t to) {
    atomic_store_explicit(value, to, memory_order_relaxed);
}

void diag_reset(struct diag *d, int64_t guard_threshold_ns, int64_t planner_threshold_ns) {
    for (size_t i = 0; i < DIAG_COUNTERS_ALL; i++) {
        set(&d->counter[i], 0);
    }
    for (size_t i = 0; i < DIAG_THREAD_COUNT; i++) {
        struct diag_duty *duty = &d->duty[i];
        set(&duty->cycles, 0);
        set(&duty->over_threshold, 0);
        set_ns(&duty->last_ns, 0);
        set_ns(&duty->max_ns, 0);
        set_ns(&duty->threshold_ns,
               i == DIAG_THREAD_GUARD ? guard_threshold_ns : planner_threshold_ns);
    }
    for (size_t i = 0; i < DIAG_HISTOGRAM_COUNT; i++) {
        struct diag_histogram *h = &d->histogram[i];
        set(&h->count, 0);
        set(&h->sum_ns, 0);
        set_ns(&h->min_ns, INT64_MAX);
        set_ns(&h->max_ns, 0);
        for (size_t b = 0; b < DIAG_BUCKETS; b++) {
            set(&h->bucket[b], 0);
        }
    }
}

void diag_add(struct diag *d, enum diag_counter counter, uint64_t n) {
    assert((unsigned)counter < DIAG_COUNTERS_ALL);
    set(&d->counter[counter], get(&d->counter[counter]) + n);
}

void diag_set(struct diag *d, enum diag_counter counter, uint64_t value) {
    assert((unsigned)counter < DIAG_COUNTERS_ALL);
    set(&d->counter[counter], value);
}

uint64_t diag_get(const struct diag *d, enum diag_counter counter) {
    assert((unsigned)counter < DIAG_COUNTERS_ALL);
    return get(&d->counter[counter]);
}

void diag_cycle(struct diag *d, enum diag_thread thread, int64_t duration_ns) {
    assert((unsigned)thread < DIAG_THREAD_COUNT);
    struct diag_duty *duty = &d->duty[thread];
    set(&duty->cycles, get(&duty->cycles) + 1);
    set_ns(&duty->last_ns, duration_ns);
    if (duration_ns > get_ns(&duty->max_ns)) {
        set_ns(&duty->max_ns, duration_ns);
    }
    if (duration_ns > get_ns(&duty->threshold_ns)) {
        set(&duty->over_threshold, get(&duty->over_threshold) + 1);
    }
}

unsigned diag_bucket_of(int64_t value_ns) {
    uint64_t value = value_ns < 0 ? 0 : (uint64_t)value_ns;
    if (value < BUCKET_PARTS) {
        return (unsigned)value;
    }
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    if (power > BUCKET_TOP) {
        return DIAG_BUCKETS - 1;
    }
    unsigned part = (unsigned)(value >> (power - BUCKET_BITS)) & (BUCKET_PARTS - 1);
    return (power - BUCKET_BITS + 1) * BUCKET_PARTS + part;
}

int64_t diag_bucket_low(unsigned bucket) {
    if (bucket < BUCKET_PARTS) {
        return (int64_t)bucket;
    }
    unsigned row = bucket / BUCKET_PARTS;
    unsigned part = bucket % BUCKET_PARTS;
    return (int64_t)(BUCKET_PARTS + part) << (row - 1);
}

void diag_record(struct diag *d, enum diag_histogram_kind kind, int64_t value_ns) {
    assert((unsigned)kind < DIAG_HISTOGRAM_COUNT);
    struct diag_histogram *h = &d->histogram[kind];
    int64_t value = value_ns < 0 ? 0 : value_ns;
    _Atomic uint64_t *bucket = &h->bucket[diag_bucket_of(value)];
    set(bucket, get(bucket) + 1);
    set(&h->sum_ns, get(&h->sum_ns) + (uint64_t)value);
    if (value < get_ns(&h->min_ns)) {
        set_ns(&h->min_ns, value);
    }
    if (value > get_ns(&h->max_ns)) {
        set_ns(&h->max_ns, value);
    }
    set(&h->count, get(&h->count) + 1);
}

int64_t diag_quantile(const struct diag_histogram *h, uint32_t permyriad) {
    /* The buckets are summed here, not taken from count: they are read one after the other while the writer goes on. */
    uint64_t bucket[DIAG_BUCKETS];
    uint64_t total = 0;
    for (unsigned b = 0; b < DIAG_BUCKETS; b++) {
        bucket[b] = get(&h->bucket[b]);
        total += bucket[b];
    }
    if (total == 0) {
        return 0;
    }
    uint64_t share = permyriad < 10000 ? permyriad : 10000;
    uint64_t rank = (total / 10000) * share + ((total % 10000) * share + 9999) / 10000;
    rank = rank == 0 ? 1 : rank;
    uint64_t below = 0;
    unsigned found = 0;
    while (found < DIAG_BUCKETS - 1 && (below += bucket[found]) < rank) {
        found++;
    }
    int64_t high = diag_bucket_low(found + 1) - 1;
    int64_t max = get_ns(&h->max_ns);
    return found == DIAG_BUCKETS - 1 || high > max ? max : high;
}

void diag_error_log(struct diag *d, int64_t mono_ns, const char *text) {
    char copy[DIAG_ERROR_TEXT_LEN] = {0};
    memcpy(copy, text, strnlen(text, sizeof copy - 1));
    uint64_t key = words_checksum(0, copy, sizeof copy);
    for (size_t i = 0; i < DIAG_ERRORS_MAX; i++) {
        struct diag_error *e = &d->error[i];
        uint64_t count = get(&e->count);
        if (count == 0) {
            memcpy(e->text, copy, sizeof copy);
            e->key = key;
            set_ns(&e->first_mono_ns, mono_ns);
            set_ns(&e->last_mono_ns, mono_ns);
            /* release: whoever acquires a count above 0 sees the text. */
            atomic_store_explicit(&e->count, 1, memory_order_release);
            return;
        }
        if (e->key == key && memcmp(e->text, copy, sizeof copy) == 0) {
            set_ns(&e->last_mono_ns, mono_ns);
            set(&e->count, count + 1);
            return;
        }
    }
    set(&d->errors_lost, get(&d->errors_lost) + 1);
}

bool diag_error_read(const struct diag *d, unsigned slot, struct diag_error_copy *out) {
    if (slot >= DIAG_ERRORS_MAX) {
        return false;
    }
    const struct diag_error *e = &d->error[slot];
    /* acquire: pairs with the release in diag_error_log(); the text never changes after it. */
    out->count = atomic_load_explicit(&e->count, memory_order_acquire);
    if (out->count == 0) {
        return false;
    }
    out->first_mono_ns = get_ns(&e->first_mono_ns);
    out->last_mono_ns = get_ns(&e->last_mono_ns);
    memcpy(out->text, e->text, sizeof out->text);
    out->text[sizeof out->text - 1] = '\0';
    return true;
}

const char *diag_counter_name(unsigned counter) {
    static const char *const names[DIAG_COUNTERS_ALL] = {
#define COUNTER(name, words) [DIAG_##name] = (words),
        DIAG_GUARD_COUNTERS(COUNTER) DIAG_PLANNER_COUNTERS(COUNTER)
#undef COUNTER
    };
    return counter < DIAG_COUNTERS_ALL && names[counter] != NULL ? names[counter] : "?";
}

const char *diag_histogram_name(unsigned kind) {
    static const char *const names[DIAG_HISTOGRAM_COUNT] = {
        [DIAG_HISTOGRAM_GUARD_WAKE] = "guard wake-up",
        [DIAG_HISTOGRAM_GUARD_STEP] = "guard step",
        [DIAG_HISTOGRAM_REACTION] = "reaction",
        [DIAG_HISTOGRAM_PLANNER_WAKE] = "planner wake-up",
        [DIAG_HISTOGRAM_PLANNER_STEP] = "planner step",
    };
    return kind < DIAG_HISTOGRAM_COUNT ? names[kind] : "?";
}
