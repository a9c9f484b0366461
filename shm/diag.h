/* Diagnostics in shared memory: counters, duty cycles, latency histograms, and a log of distinct errors.
 *
 * ringmain-rt writes, everyone may look, nothing is ever waited for. Each counter, duty cycle and histogram
 * belongs to one thread (guard or planner); the error log to the guard. All values are relaxed atomics: each is right by
 * itself, together they are only nearly of the same moment. Times are nanoseconds.
 */
#ifndef RINGMAIN_SHM_DIAG_H
#define RINGMAIN_SHM_DIAG_H

#include <stdatomic.h>

#include "shm/base.h"

/* COUNTER(name, words): the guard's first, then the planner's. Append within a group; at most DIAG_COUNTERS_MAX each. */
/* clang-format off */
#define DIAG_GUARD_COUNTERS(COUNTER) \
    COUNTER(GUARD_STEPS,        "guard steps") \
    COUNTER(GUARD_TICKS,        "guard ticks") \
    COUNTER(GUARD_TICKS_LATE,   "guard ticks late by more than a period") \
    COUNTER(RX_FRAMES,          "frames received") \
    COUNTER(RX_DROPPED,         "frames lost before we saw them") \
    COUNTER(TX_FRAMES,          "frames sent") \
    COUNTER(TX_OVERFLOW,        "frames refused by a full transmit queue") \
    COUNTER(TX_DROPPED,         "frames given up") \
    COUNTER(ERROR_FRAMES,       "error frames") \
    COUNTER(INTERFACE_RESTARTS, "interface restarts") \
    COUNTER(COMMANDS,           "commands taken") \
    COUNTER(COMMANDS_REFUSED,   "commands refused") \
    COUNTER(RESULTS_DROPPED,    "results without room") \
    COUNTER(EVENTS,             "events pushed") \
    COUNTER(EVENTS_DROPPED,     "events without room") \
    COUNTER(DOORBELL_LOST,      "doorbells not rung: queue full") \
    COUNTER(PEER_FAULTS,        "implausible indices of the other side") \
    COUNTER(PROPOSALS,          "proposals taken") \
    COUNTER(PROPOSALS_REJECTED, "proposals rejected") \
    COUNTER(STATUS_PUBLISHED,   "status snapshots published") \
    COUNTER(SESSIONS_PUBLISHED, "session records published") \
    COUNTER(WATCHDOG_FEEDS,     "watchdog feeds") \
    COUNTER(PAGE_FAULTS_MINOR,  "minor page faults since sealing") \
    COUNTER(PAGE_FAULTS_MAJOR,  "major page faults since sealing") \
    COUNTER(HEAP_CALLS,         "heap calls since sealing (test builds)") \
    COUNTER(OPEN_FAILURES,      "interface openings that failed") \
    COUNTER(RESTARTS_REFUSED,   "interface restarts that the driver refused")
#define DIAG_PLANNER_COUNTERS(COUNTER) \
    COUNTER(PLANNER_CYCLES,     "planner cycles") \
    COUNTER(PLANNER_OVERRUNS,   "planner overruns") \
    COUNTER(PLANNER_NO_INPUT,   "planner cycles without a fresh image")
/* clang-format on */

#define DIAG_COUNTERS_MAX 48
#define DIAG_COUNTERS_ALL 96 /* both groups */

enum diag_counter {
#define COUNTER(name, words) DIAG_##name,
    DIAG_GUARD_COUNTERS(COUNTER) DIAG_GUARD_COUNTER_COUNT,
    DIAG_PLANNER_FIRST = DIAG_COUNTERS_MAX,
    DIAG_BEFORE_PLANNER = DIAG_PLANNER_FIRST - 1,
    DIAG_PLANNER_COUNTERS(COUNTER) DIAG_PLANNER_COUNTER_END
#undef COUNTER
};
static_assert(DIAG_GUARD_COUNTER_COUNT <= DIAG_COUNTERS_MAX &&
                  DIAG_PLANNER_COUNTER_END <= DIAG_COUNTERS_ALL,
              "counters outgrew their places");

enum diag_thread { DIAG_THREAD_GUARD = 0, DIAG_THREAD_PLANNER, DIAG_THREAD_COUNT };

/* Owner: guard for the first two and the reaction, planner for the others. */
enum diag_histogram_kind {
    DIAG_HISTOGRAM_GUARD_WAKE = 0, /* tick: actual minus planned */
    DIAG_HISTOGRAM_GUARD_STEP,     /* duration of a guard step */
    DIAG_HISTOGRAM_REACTION, /* safety frame received to all-off frames handed to the kernel */
    DIAG_HISTOGRAM_PLANNER_WAKE,
    DIAG_HISTOGRAM_PLANNER_STEP,
    DIAG_HISTOGRAM_COUNT
};

/* The cycle of a thread: its longest, and how many took more than the threshold. */
struct diag_duty {
    _Atomic uint64_t cycles, over_threshold;
    _Atomic int64_t last_ns, max_ns, threshold_ns;
    uint64_t pad[11];
};

/* Log-linear: values below 16 each have a bucket; above, every power of two is cut into 16 equal parts (so a bucket is at most
 * 1/16 of its value wide), up to 2^36 ns = 69 s; what is longer falls into the last. */
#define DIAG_BUCKETS 528

struct diag_histogram {
    _Atomic uint64_t count, sum_ns;
    _Atomic int64_t min_ns, max_ns; /* min: INT64_MAX when empty */
    uint64_t pad[4];
    _Atomic uint64_t bucket[DIAG_BUCKETS];
};

#define DIAG_ERRORS_MAX     64
#define DIAG_ERROR_TEXT_LEN 96

/* One error, however often it came. A slot is written once and never reused. */
struct diag_error {
    _Atomic uint64_t count; /* 0: free */
    _Atomic int64_t first_mono_ns, last_mono_ns;
    uint64_t key;
    char text[DIAG_ERROR_TEXT_LEN]; /* terminated; complete before count leaves 0 */
};

struct diag {
    _Atomic uint64_t counter[DIAG_COUNTERS_ALL]; /* enum diag_counter */
    struct diag_duty duty[DIAG_THREAD_COUNT];
    struct diag_histogram histogram[DIAG_HISTOGRAM_COUNT];
    struct diag_error error[DIAG_ERRORS_MAX];
    _Atomic uint64_t errors_lost; /* distinct errors beyond the last slot */
    uint64_t pad[15];
};

/* ---- writers: wait-free, no heap; each item by the thread that owns it ---- */

/* A new start: everything but the error log to zero. Before the threads run. */
void diag_reset(struct diag *d, int64_t guard_threshold_ns, int64_t planner_threshold_ns);
void diag_add(struct diag *d, enum diag_counter counter, uint64_t n);
void diag_set(struct diag *d, enum diag_counter counter, uint64_t value);
void diag_cycle(struct diag *d, enum diag_thread thread, int64_t duration_ns);
void diag_record(struct diag *d, enum diag_histogram_kind kind, int64_t value_ns); /* negative: 0 */
/* Counts an error by its text (what is longer than a slot is cut). At most DIAG_ERRORS_MAX comparisons. */
void diag_error_log(struct diag *d, int64_t mono_ns, const char *text);

/* ---- readers: any process ---- */

const char *diag_counter_name(unsigned counter); /* "?" when there is none of that number */
const char *diag_histogram_name(unsigned kind);  /* "?" when out of range */
uint64_t diag_get(const struct diag *d, enum diag_counter counter);

unsigned diag_bucket_of(int64_t value_ns);
/* Smallest value that falls into a bucket. */
int64_t diag_bucket_low(unsigned bucket);
/* The value below or at which permyriad of the recorded values lie (upper end of its bucket, never above the recorded
 * maximum); 0 when empty. permyriad: 5000 = median, 9990 = p99.9. */
int64_t diag_quantile(const struct diag_histogram *h, uint32_t permyriad);

struct diag_error_copy {
    uint64_t count;
    int64_t first_mono_ns, last_mono_ns;
    char text[DIAG_ERROR_TEXT_LEN]; /* always terminated */
};
/* Copies one slot; false when it is free or out of range. */
bool diag_error_read(const struct diag *d, unsigned slot, struct diag_error_copy *out);

#endif
