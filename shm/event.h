/* Events: what happened, rt to nrt, in 64-byte records of the events ring.
 *
 * The ring's producer numbers them (seq, from 1 within one segment, going on over restarts of ringmain-rt). Effects are
 * idempotent by (boot id, seq); shm_event_boot_id() tells the boot id of a number.
 * What is billed is never only in an event: see session.h.
 */
#ifndef RINGMAIN_SHM_EVENT_H
#define RINGMAIN_SHM_EVENT_H

#include "shm/vocabulary.h"

enum event_type {
    EVENT_NONE = 0,
    EVENT_BOOT,      /* first event of a boot; value = boot id */
    EVENT_GUN_STATE, /* a = from, b = to (enum gun_state), value = stop_reason or fault code in c */
    EVENT_PLUGGED,   /* vehicle plugged in; value = session epoch of the PLC if known */
    EVENT_UNPLUGGED,
    EVENT_IDENTITY,          /* a = enum identity_kind; text = identity as printed */
    EVENT_SESSION_STARTED,   /* value = session id; a = auth source; text = id token */
    EVENT_SESSION_ENERGISED, /* value = session id: first current flows; b = SoC % (255 unknown) */
    EVENT_SESSION_ENDED, /* value = session id; a = stop_reason, b = fault code; the record is in session.h */
    EVENT_FAULT_RAISED, /* a = fault code, b = component (contactor kind or module index, 0xffff none), c = stop class */
    EVENT_FAULT_CLEARED, /* as above */
    EVENT_LIMIT,         /* the site limit in force changed; a = limit_reason, value = W */
    EVENT_PLC,           /* a = 1 heard, 0 lost */
    EVENT_INTERFACE,     /* slot = interface index; a = enum interface_state, b = restarts so far */
    EVENT_MODULE,        /* a = module index, b = 1 healthy, 0 not, c = fault code */
    EVENT_CONTACTOR, /* a = kind, b = 1 closed, 0 open (by feedback), c = ms it took; value = load in mA at the change */
    EVENT_PROPOSAL_REJECTED, /* a = rule number (enum rule_id), value = count so far; at most one per rule and second */
    EVENT_PLANNER,    /* a = 1 fresh again, 0 late, 2 dead */
    EVENT_OVERRUN,    /* value = lateness in us of a planner cycle */
    EVENT_CONFIG_ACK, /* a = parameter, b = status, value = value */
    EVENT_METER,      /* a = 1 jump held, 2 stepped back, 3 stale: fallback, 4 back; value = Wh */
    EVENT_ESTOP,      /* a = 1 pressed, 0 reset */
    EVENT_BOUNDARY, /* slot = lender; a = from, b = to (enum boundary_state), c = owner slot << 16 | boundary_reason;
                       value = current through its boundary in mA << 32 | voltage across it in mV, signed both */
    EVENT_TYPE_COUNT
};

enum interface_state {
    INTERFACE_DOWN = 0,
    INTERFACE_UP,
    INTERFACE_WARNING,
    INTERFACE_PASSIVE,
    INTERFACE_BUS_OFF,
    INTERFACE_STATE_COUNT
};

#define EVENT_BOUNDARY_UNKNOWN INT32_MIN /* no fresh measurement of that current or voltage */

#define EVENT_SLOT_NONE 0xffffu
#define EVENT_TEXT_LEN  28

struct event {
    uint64_t seq;    /* set by the producer when pushed; 0 before */
    int64_t mono_ns; /* CLOCK_MONOTONIC of the control step that saw it */
    uint16_t type;   /* enum event_type */
    uint16_t slot;   /* slot index, or EVENT_SLOT_NONE for the site */
    uint16_t a, b;   /* see enum event_type */
    int64_t value;
    uint32_t c;
    char text[EVENT_TEXT_LEN]; /* zero-padded; not necessarily terminated when full */
};
static_assert(sizeof(struct event) == 64, "one cache line per event");

/* The two figures in the value of EVENT_BOUNDARY. */
static inline int64_t event_boundary_value(int32_t load_ma, int32_t dv_mv) {
    return (int64_t)((uint64_t)(uint32_t)load_ma << 32 | (uint32_t)dv_mv);
}
static inline int32_t event_boundary_load_ma(int64_t value) {
    return (int32_t)(uint32_t)((uint64_t)value >> 32);
}
static inline int32_t event_boundary_dv_mv(int64_t value) {
    return (int32_t)(uint32_t)((uint64_t)value & UINT32_MAX);
}

const char *event_type_name(unsigned value); /* "?" when out of range; any thread */

#endif
