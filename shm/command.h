/* Commands: what nrt asks of rt, in 128-byte records; each is answered by a result with the same id.
 * rt copies a record once and checks every field before use; anything out of range is refused, never clamped silently.
 */
#ifndef RINGMAIN_SHM_COMMAND_H
#define RINGMAIN_SHM_COMMAND_H

#include "shm/vocabulary.h"

enum command_type {
    COMMAND_NONE = 0,
    COMMAND_AUTHORISE, /* slot; a = auth source; text = id token. Valid from PLUGGED on, also before (kept 60 s) */
    COMMAND_DENY,       /* slot; AUTH_STATE denied */
    COMMAND_STOP,       /* slot; a = stop_reason (REMOTE, LOCAL, DEAUTHORISED) */
    COMMAND_SITE_LIMIT, /* lease: value = W (>= 0), expires_mono_ns; a = limit_reason (LEASE) */
    COMMAND_GUN_LIMIT, /* lease on one slot: value = W, expires_mono_ns; a = limit_reason (PROFILE) */
    COMMAND_AVAILABILITY, /* slot; a = 1 operative, 0 inoperative (at the end of a running session) */
    COMMAND_RESERVE,      /* slot; text = id token, expires_mono_ns; a = 0 cancels */
    COMMAND_CLEAR_FAULT, /* slot or EVENT_SLOT_NONE for all; a = fault code or 0 for all */
    COMMAND_RESET_ESTOP, /* by a person: rule S3 */
    COMMAND_ACK_SESSION, /* slot; value = session id: the finished record is durable at the consumer */
    COMMAND_PRIORITY,    /* slot; a = class 0..7 (0 highest) */
    COMMAND_LATCHES, /* slot; value = bit set of fault codes (bit n = code n) latched in the store, for S15 */
    COMMAND_TYPE_COUNT
};

struct command {
    uint64_t id;   /* chosen by nrt, echoed in the result; unique within nrt's run */
    uint16_t type; /* enum command_type */
    uint16_t slot;
    uint16_t a;
    uint16_t reserved;
    int64_t value;
    int64_t expires_mono_ns; /* leases: CLOCK_MONOTONIC; at most one hour ahead, else refused */
    char text[RM_ID_TOKEN_LEN];
    uint8_t pad[56];
};
static_assert(sizeof(struct command) == 128, "two cache lines per command");

enum command_status {
    COMMAND_STATUS_OK = 0,
    COMMAND_STATUS_UNKNOWN,   /* no such type */
    COMMAND_STATUS_BAD_SLOT,  /* no such slot, or no gun in it */
    COMMAND_STATUS_BAD_VALUE, /* a field out of range */
    COMMAND_STATUS_STATE,     /* not possible in the gun's present state */
    COMMAND_STATUS_EXPIRED,
    COMMAND_STATUS_LATCHED,   /* cause still present, or rule forbids the clearing */
    COMMAND_STATUS_NOT_FOUND, /* e.g. no such finished session */
    COMMAND_STATUS_COUNT
};

struct command_result {
    uint64_t id;
    int64_t mono_ns;
    uint16_t type;
    uint16_t status; /* enum command_status */
    uint16_t slot;
    uint16_t
        detail; /* the gun_state that forbade it; LATCHED: the fault in the way, see COMMAND_DETAIL_* */
    uint8_t pad[40];
};
static_assert(sizeof(struct command_result) == 64, "one cache line per result");

/* LATCHED: fault code in the low byte, slot + 1 of its place in the high one (0: the command's own slot, or none). */
#define COMMAND_DETAIL_AT(fault, slot) ((unsigned)(fault) | ((unsigned)(slot) + 1) << 8)
#define COMMAND_DETAIL_FAULT(detail)   ((unsigned)(detail)&0xffu)
#define COMMAND_DETAIL_SLOT(detail)    ((int)((unsigned)(detail) >> 8) - 1)
static_assert(RM_SLOTS_MAX < 255, "a slot fits into a byte of the detail");

const char *command_type_name(unsigned value);
const char *command_status_name(unsigned value);

#endif
