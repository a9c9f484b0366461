/* State of one PLC driver, laid open only so that its owner can embed it; plc.h is the contract. */
#ifndef RINGMAIN_RT_CAN_PLC_STATE_H
#define RINGMAIN_RT_CAN_PLC_STATE_H

#include "rt/can/plc.h"

/* CRC policy and start-up self-check (plc_link.c). */
struct plc_link {
    int64_t bad_at_us[3]; /* the last three CRC failures, oldest first */
    uint8_t bad_count;    /* entries of bad_at_us in use */
    uint8_t good_run;     /* good CRC frames in a row, up to 10 */
    bool check_decided;
    int64_t check_since_us; /* first CRC-carrying frame; 0 none yet */
    uint16_t check_agree, check_disagree;
    uint8_t agree_run; /* after a mismatch: agreeing frames in a row */
};

/* Safety input: opening counts at once, closing after 50 ms from the first change. */
struct plc_input {
    bool raw, closed;
    bool decided;     /* closed is a verdict, not a start value */
    int64_t since_us; /* raw closed since */
};

/* What one frame says about the safety inputs; each source keeps its own, none clears another's. */
struct plc_safety_source {
    bool seen;
    bool safety_ok, estop, estop_input, earth_fault;
    uint8_t switches;
};

enum plc_safety_from {
    PLC_SAFETY_FROM_SWITCHES = 0,
    PLC_SAFETY_FROM_RELAY,
    PLC_SAFETY_FROM_STATUS,
    PLC_SAFETY_SOURCES
};

struct plc_safety {
    struct plc_safety_source source[PLC_SAFETY_SOURCES];
    struct plc_input chain, estop_free, button_free, earth_free, switches[4];
    bool pending; /* an input is closing: look again at every tick */
    int64_t at_us;
    bool chain_mask_seen;
};

/* The contactor command and its acknowledgement (plc_contactor.c). */
struct plc_contactor_tx {
    uint32_t content; /* what the last frame said, as bits */
    uint8_t seq;
    bool sent;   /* the last frame stands: only a change needs a new sequence */
    bool synced; /* seq follows what the PLC says it applied last */
    bool known;  /* it did once in this life of rt: content and seq are what this PLC was told */
    int64_t sync_until_us;
    int64_t next_us; /* refresh */
    bool acknowledged;
    uint8_t applied, failed_attempts;
    int64_t unacknowledged_us; /* supervision runs from here */
    bool clear_asked;          /* last level of plc_command.clear_faults */
    uint8_t clear_left;        /* attempts to come */
    int64_t clear_next_us, clear_until_us;
};

enum plc_param {
    PLC_PARAM_STOP_REQUEST = 0,
    PLC_PARAM_LOCK,
    PLC_PARAM_AUTH_STATE,
    PLC_PARAM_AUTH_PENDING,
    PLC_PARAM_PROTO_VERSION,
    PLC_PARAMS
};

struct plc_param_state {
    uint32_t value;
    bool known; /* value has been set by a command */
    bool acknowledged, refused;
    int64_t next_us; /* not before */
};

struct plc_meter {
    bool register_seen;
    int64_t register_hwh;  /* last accepted, raw */
    int64_t base_mwh;      /* added to the scaled register: configured offset and rebasing */
    int64_t accepted_us;   /* when register_hwh was accepted */
    int64_t power_mw_us;   /* remainder of the integration, below one mWh */
    int64_t refine_mwh;    /* integrated since the last step of the register */
    int64_t integrated_us; /* up to here; 0 not begun */
    int64_t power_w;       /* of the meter, last */
    int64_t power_at_us;
    bool overrange, plc_fallback;
    bool held; /* register implausible since held_us */
    int64_t held_us, held_hwh;
    bool published;
};

/* One segmented identity in the making. */
struct plc_assembly {
    uint8_t total, count;
    uint8_t event;
    uint16_t have; /* bit n: segment n is there */
    int64_t progress_us;
    uint8_t data[RM_ID_TOKEN_LEN];
};

enum plc_assembly_kind {
    PLC_ASSEMBLY_RFID = 0,
    PLC_ASSEMBLY_EVMAC,
    PLC_ASSEMBLY_EMAID0,
    PLC_ASSEMBLY_EMAID1,
    PLC_ASSEMBLY_EVCCID,
    PLC_ASSEMBLIES
};

struct plc_identities {
    struct plc_assembly assembly[PLC_ASSEMBLIES];
    uint8_t active; /* bit n: assembly n holds segments */
    bool rfid_seen; /* rfid_event is the last completed one */
    uint8_t rfid_event;
    uint8_t emaid_length[2];
    char emaid[2][RM_ID_TOKEN_LEN];
    int64_t emaid_wait_us; /* EMAID0 complete, EMAID1 may follow until then; 0 not waiting */
};

struct plc {
    uint32_t slot;
    uint8_t interface, plc_id;
    bool gcmc;
    int64_t tick_us;     /* next look */
    int64_t first_rx_us; /* 0 not yet */
    struct plc_contactor_tx contactor;
    struct plc_param_state param[PLC_PARAMS];
    int64_t config_next_us; /* ConfigCmd spacing */
    int64_t present_next_us, limits_next_us, limits_earliest_us;
    int32_t offered_mv, offered_ma, offered_w;
    bool offered;
    uint32_t limit_frames, limit_frames_taken; /* sent; last EVSE_LIMIT_ACK */
    struct plc_link link;
    struct plc_safety safety;
    struct plc_meter meter;
    struct plc_identities identities;
    bool has_slot_sense;
    bool uptime_seen;
    uint16_t uptime_s;
    uint32_t restarts;   /* of the PLC, as noticed */
    uint8_t firmware[3]; /* major, minor, patch */
    uint8_t features;
    uint16_t bitrate_kbit_s;
    uint8_t can_tec, can_rec;
};

#endif
