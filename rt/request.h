/* What the sequencers ask of the interlocks, and what the interlocks let through. Same shape on both sides:
 * the guard's output differs from the request only where a rule said no. A request is untrusted.
 * Pure data, guard thread. Setpoints: mV 0..1 500 000, mA 0..1 000 000 (others are a rejected request). */
#ifndef RINGMAIN_RT_REQUEST_H
#define RINGMAIN_RT_REQUEST_H

#include "shm/vocabulary.h"

/* Why modules of a slot may run; rule M3 bounds each. */
enum power_purpose {
    POWER_PURPOSE_NONE = 0,
    POWER_PURPOSE_SERVE,     /* a vehicle: cable check, precharge, charging, ramp-down */
    POWER_PURPOSE_MERGE,     /* precharge a donor bus before its boundary closes, <= I_cc */
    POWER_PURPOSE_WELD_TEST, /* G7, <= I_cc */
    POWER_PURPOSE_SELF_TEST, /* idle, every GC of the component surely open, <= I_cc */
    POWER_PURPOSE_COUNT
};

struct request_module {
    bool run; /* converting */
    bool mn;  /* module contactor closed */
    int32_t set_mv, set_ma;
};

struct request_slot {
    bool gc, mc, bc; /* contactor closed */
    bool imd_enable, imd_self_test;
    bool lock;    /* connector lock engaged */
    bool reclaim; /* boundary change asked for by an arriving gun: dwell (E3) is waived */
    enum power_purpose purpose;
    enum stop_class stop; /* way down of this slot's gun, NONE while it is served */
    enum gun_state state; /* for the books and for N4; never trusted alone */
    struct request_module module[RM_MODULES_PER_SLOT_MAX];
};

struct request {
    struct request_slot slot[RM_SLOTS_MAX]; /* [0, config.slots) */
};

struct output_slot {
    bool gc, mc, bc;
    bool imd_enable, imd_self_test;
    bool lock;
    bool force_all_off; /* FORCE_ALL_OFF to the PLC */
    bool permit;        /* the slot may serve: no fault, boot hold over */
    bool send;          /* false: contactor frames of this slot are withheld (bus-off, CRC mode) */
    struct request_module module[RM_MODULES_PER_SLOT_MAX];
};

struct output {
    struct output_slot slot[RM_SLOTS_MAX];
};

#endif
