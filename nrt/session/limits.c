#include "nrt/session/limits.h"

static int64_t clamp_lease(int64_t lease_ns) {
    if (lease_ns < LIMITS_LEASE_MIN_NS) {
        return LIMITS_LEASE_MIN_NS;
    }
    /* a second of slack: rt compares with its own, later or earlier, reading of the clock */
    int64_t most = LIMITS_LEASE_MAX_NS - INT64_C(1000000000);
    return lease_ns > most ? most : lease_ns;
}

void limit_set(struct limit *limit, int64_t value_w, int64_t until_mono_ns) {
    limit->set = true;
    limit->value_w = value_w;
    limit->until_mono_ns = until_mono_ns;
    limit->due_mono_ns = 0;
    limit->in_flight = false;
}

void limit_clear(struct limit *limit) {
    *limit = (struct limit){.set = false};
}

void limit_forget_sent(struct limit *limit) {
    limit->due_mono_ns = 0;
    limit->in_flight = false;
}

bool limit_has_ended(const struct limit *limit, int64_t now_ns) {
    return limit->set && limit->until_mono_ns != 0 && now_ns >= limit->until_mono_ns;
}

bool limit_is_due(const struct limit *limit, int64_t now_ns) {
    return limit->set && !limit->in_flight && !limit_has_ended(limit, now_ns) &&
           now_ns >= limit->due_mono_ns;
}

int64_t limit_expiry(const struct limit *limit, int64_t lease_ns, int64_t now_ns) {
    int64_t expiry = now_ns + clamp_lease(lease_ns);
    if (limit->until_mono_ns != 0 && limit->until_mono_ns < expiry) {
        expiry = limit->until_mono_ns;
    }
    return expiry;
}

void limit_sent(struct limit *limit, int64_t lease_ns, int64_t now_ns) {
    limit->in_flight = true;
    limit->due_mono_ns = now_ns + clamp_lease(lease_ns) / 3;
}

void limit_answered(struct limit *limit, bool accepted, int64_t now_ns) {
    limit->in_flight = false;
    if (!accepted) {
        limit->due_mono_ns = now_ns + LIMITS_RETRY_NS;
    }
}
