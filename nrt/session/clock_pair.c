#include "nrt/session/clock_pair.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        return 0;
    }
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

struct clock_pair clock_pair_now(void) {
    struct clock_pair best = {0, 0};
    int64_t best_gap_ns = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = read_ns(CLOCK_MONOTONIC);
        int64_t real = read_ns(CLOCK_REALTIME);
        int64_t gap_ns = read_ns(CLOCK_MONOTONIC) - before;
        if (gap_ns < best_gap_ns) {
            best_gap_ns = gap_ns;
            best = (struct clock_pair){.mono_ns = before + gap_ns / 2, .real_ns = real};
        }
    }
    return best;
}

static int64_t shift(int64_t base, int64_t from, int64_t to) {
    int64_t difference, sum;
    if (__builtin_sub_overflow(to, from, &difference)) {
        return to > from ? INT64_MAX : 0;
    }
    if (__builtin_add_overflow(base, difference, &sum)) {
        return difference > 0 ? INT64_MAX : 0;
    }
    return sum;
}

int64_t clock_pair_real_ns(const struct clock_pair *pair, int64_t mono_ns) {
    return shift(pair->real_ns, pair->mono_ns, mono_ns);
}

int64_t clock_pair_mono_ns(const struct clock_pair *pair, int64_t real_ns) {
    return shift(pair->mono_ns, pair->real_ns, real_ns);
}

void clock_pair_text(int64_t real_ns, char text[CLOCK_PAIR_TEXT_LEN]) {
    int64_t ms = real_ns < 0 ? 0 : real_ns / 1000000;
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) {
        utc = (struct tm){.tm_year = 70, .tm_mday = 1};
    }
    snprintf(text, CLOCK_PAIR_TEXT_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(utc.tm_year + 1900) % 10000u, (unsigned)(utc.tm_mon + 1) % 100u,
             (unsigned)utc.tm_mday % 100u, (unsigned)utc.tm_hour % 100u,
             (unsigned)utc.tm_min % 100u, (unsigned)utc.tm_sec % 100u, (unsigned)(ms % 1000));
}
