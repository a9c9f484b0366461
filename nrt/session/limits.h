/* Limits that this process keeps in force at ringmain-rt by leases: one for the site, one for each gun.
 *
 * A lease is renewed every third of its life, so that two lost renewals in a row do no harm; it never outlives the
 * end that the operator gave. Pure: no clock, no I/O, no heap; times are CLOCK_MONOTONIC ns given by the caller.
 */
#ifndef RINGMAIN_NRT_SESSION_LIMITS_H
#define RINGMAIN_NRT_SESSION_LIMITS_H

#include "shm/base.h"

#define LIMITS_LEASE_MAX_NS INT64_C(3600000000000) /* rt refuses leases that end later */
#define LIMITS_LEASE_MIN_NS INT64_C(3000000000)
#define LIMITS_RETRY_NS     INT64_C(1000000000) /* after a refusal or no answer */

/* Zero-initialised: no limit. */
struct limit {
    bool set;
    bool in_flight; /* a lease of ours is not answered yet */
    int64_t value_w;
    int64_t until_mono_ns; /* 0: until taken back */
    int64_t due_mono_ns;   /* next renewal; 0: at once */
};

/* A new value takes effect with the next command, whatever was sent before. */
void limit_set(struct limit *limit, int64_t value_w, int64_t until_mono_ns);
void limit_clear(struct limit *limit);
/* rt is a new one, or was away: what it was told is gone. */
void limit_forget_sent(struct limit *limit);

bool limit_has_ended(const struct limit *limit, int64_t now_ns);
/* true: send a lease now. */
bool limit_is_due(const struct limit *limit, int64_t now_ns);
/* End of a lease sent now. lease_ns is clamped to [LIMITS_LEASE_MIN_NS, LIMITS_LEASE_MAX_NS]. */
int64_t limit_expiry(const struct limit *limit, int64_t lease_ns, int64_t now_ns);
void limit_sent(struct limit *limit, int64_t lease_ns, int64_t now_ns);
void limit_answered(struct limit *limit, bool accepted, int64_t now_ns);

#endif
