/* The status snapshot: the whole hub as the guard sees it, published at least every 50 ms, read by anyone.
 * Layout is fixed by shm/layout.h; counts say how much of each array is in use. Pure data.
 * Values with no measurement carry STATUS_UNKNOWN.
 */
#ifndef RINGMAIN_SHM_STATUS_H
#define RINGMAIN_SHM_STATUS_H

#include "shm/vocabulary.h"

#define STATUS_UNKNOWN INT32_MIN

struct status_contactor {
    uint8_t fitted;                  /* 0: not in this hub */
    uint8_t command;                 /* 1: closed commanded */
    uint8_t feedback;                /* 0 open, 1 closed, 2 invalid or stale */
    uint8_t flags;                   /* STATUS_CONTACTOR_* */
    uint16_t operate_ms, release_ms; /* last measured */
    uint32_t operations;             /* closings since the ledger began */
    uint32_t loaded_operations; /* changes above I_open outside an emergency: 0 in normal use */
};
#define STATUS_CONTACTOR_MAY    1u /* may conduct (two-sided topology) */
#define STATUS_CONTACTOR_SURE   2u /* surely conducts */
#define STATUS_CONTACTOR_FAULT  4u
#define STATUS_CONTACTOR_WELDED 8u

struct status_module {
    uint8_t flags; /* STATUS_MODULE_* */
    uint8_t pad;
    uint16_t fault;      /* enum fault_code */
    uint32_t alarm_bits; /* as the driver normalised them */
    int32_t set_mv, set_ma;
    int32_t voltage_mv, current_ma;
    int32_t capability_w;
    int32_t temperature_ddegc;
};
#define STATUS_MODULE_HEALTHY 1u
#define STATUS_MODULE_RUNNING 2u /* commanded on */
#define STATUS_MODULE_ON      4u /* reports on */
#define STATUS_MODULE_DERATED 8u

struct status_slot {
    /* gun */
    uint8_t gun_state; /* enum gun_state */
    uint8_t cp_state;
    uint8_t hlc_stage;
    uint8_t limit_reason;
    uint8_t stop_class;
    uint8_t stop_reason; /* of the last or ending session */
    uint8_t locked;      /* 1 engaged, 0 not, 2 unknown */
    uint8_t soc_pct;     /* 255 unknown */
    uint16_t fault;      /* the most severe present or latched fault */
    uint8_t flags;       /* STATUS_SLOT_* */
    uint8_t auth_source;
    uint8_t priority_class;
    uint8_t imd;         /* 0 off, 1 self-test, 2 ok, 3 fault, 4 stale */
    uint16_t island;     /* lowest slot index of its component under "may" */
    uint64_t faults;     /* bit n: fault code n present or latched */
    uint64_t session_id; /* 0 none */
    int64_t session_energy_mwh;
    int64_t state_since_mono_ns;
    int32_t budget_w, offered_w;  /* planner's grant; what EVSE_DC_MaxLimits says */
    int32_t target_mv, target_ma; /* vehicle's wish */
    int32_t ev_max_mv, ev_max_ma, ev_max_w;
    int32_t bus_mv, gun_mv, gun_ma;
    int32_t boundary_ma; /* towards cw positive */
    int32_t power_w;     /* delivered */
    int32_t insulation_ohm;
    int32_t pin_plus_ddegc, pin_minus_ddegc, cable_ddegc;
    int32_t ev_capacity_wh;
    uint32_t rejected_proposals;
    uint32_t crc_errors, ack_retries;
    int64_t meter_wh;
    char id_token[RM_ID_TOKEN_LEN];
    uint8_t module_count;
    uint8_t boundary;   /* enum boundary_state: this slot as lender */
    int16_t owner;      /* planned: slot whose gun this slot's modules feed, -1 none */
    int32_t capacity_w; /* what the modules of this gun's island could give it now */
    int32_t guide_now_w, guide_later_w; /* free gun: what a vehicle would get now, in ten minutes */
    int16_t lends_to;                   /* slot it lends to, or is on the way to or from; -1 home */
    uint8_t boundary_reason;            /* enum boundary_reason: why it last went home */
    uint8_t borrowed;                   /* gun: slots joined to it at present */
    int32_t borrowed_w;                 /* gun: what their modules deliver to it */
    struct status_contactor contactor[CONTACTORS_PER_SLOT];
    struct status_module module[RM_MODULES_PER_SLOT_MAX];
};
#define STATUS_SLOT_PLC_OK            1u
#define STATUS_SLOT_OPERATIVE         2u
#define STATUS_SLOT_POWER_CONSTRAINED 4u /* limited or suspended by us, not by the vehicle */
#define STATUS_SLOT_METER_FALLBACK    8u
#define STATUS_SLOT_SESSIONS_FULL     16u /* finished records wait for nrt: no new session */
#define STATUS_SLOT_RESERVED          32u
#define STATUS_SLOT_BOOT_HOLD         64u
#define STATUS_SLOT_SUSPENDED         128u /* least power of every vehicle is more than there is */

struct status_interface {
    uint8_t state;            /* enum interface_state */
    uint8_t restarts_refused; /* by the controller's driver, since the start; 255: or more */
    uint8_t pad[2];
    uint32_t restarts, rx_frames, tx_frames, tx_overflow, rx_dropped, error_frames;
};

struct status {
    uint64_t boot_id;
    int64_t mono_ns; /* when this snapshot was taken */
    uint64_t guard_steps, planner_cycles, planner_overruns, proposals_rejected;
    uint32_t slots, interfaces;
    uint32_t flags;       /* STATUS_FLAG_* */
    uint32_t estop;       /* 1 pressed or latched */
    int64_t site_limit_w; /* in force */
    int64_t grid_limit_w; /* configured */
    int64_t site_power_w; /* measured at the guns */
    int64_t lease_expires_mono_ns;
    uint32_t site_limit_reason; /* enum limit_reason */
    uint32_t events_dropped;
    uint32_t planner_age_ms;
    uint32_t page_faults; /* since sealing */
    uint32_t heap_calls;  /* since sealing; test builds only */
    int32_t guide_slot;   /* the free gun to recommend to the next driver, -1 none */
    struct status_interface interface[RM_INTERFACES_MAX];
    struct status_slot slot[RM_SLOTS_MAX]; /* [0, slots) in ring order, clockwise */
};
#define STATUS_FLAG_DEVELOPMENT  1u /* started with --development: lowered demands */
#define STATUS_FLAG_NO_CRC       2u /* plc.useCRC8 = false: degraded */
#define STATUS_FLAG_NO_WATCHDOG  4u
#define STATUS_FLAG_NRT_ATTACHED 8u
#define STATUS_FLAG_SOCKET_BUS   16u /* at least one interface is not AF_CAN */
#define STATUS_FLAG_NO_FIFO      32u
#define STATUS_FLAG_NO_MLOCK     64u
#define STATUS_FLAG_EVENTS_DROPPED                                                                 \
    128u /* alarm: events were lost in this run of rt, see events_dropped */

#endif
