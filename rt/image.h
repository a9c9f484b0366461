/* The image: the plant as frames have described it, each value with the time it was measured.
 *
 * Written by the CAN drivers (rt/can/) alone, read by sequencer, interlock and planner. A value is used only through
 * sample_fresh(): what is stale or was never seen is not known, and rule S7 says what that means (a guard is false, a
 * limit takes its worst case). Owned by the guard thread; plain data without pointers. Times are CLOCK_MONOTONIC us.
 */
#ifndef RINGMAIN_RT_IMAGE_H
#define RINGMAIN_RT_IMAGE_H

#include "shm/vocabulary.h"

struct sample {
    int32_t value; /* unit in the field's name */
    bool valid;    /* false: never measured, or the sender said it is invalid */
    int64_t at_us;
};

static inline bool sample_fresh(const struct sample *s, int64_t now_us, int32_t max_age_ms) {
    return s->valid && now_us - s->at_us <= (int64_t)max_age_ms * 1000;
}

enum feedback { FEEDBACK_INVALID = 0, FEEDBACK_OPEN, FEEDBACK_CLOSED };

struct image_contactor {
    enum feedback p, n; /* both poles; one wire bit means both are equal */
    bool fault;         /* PLC's own verdict (RLYn_FAULT) */
    int64_t at_us;      /* 0: never seen */
};

enum imd_state { IMD_STATE_OFF = 0, IMD_STATE_TEST, IMD_STATE_OK, IMD_STATE_FAULT };

struct image_module {
    struct sample voltage_mv, current_ma; /* output */
    struct sample external_mv; /* bus side of the module's relay, where the protocol has it */
    struct sample temperature_ddegc;
    struct sample capability_w, capability_ma; /* present, after the module's own derating */
    struct sample on;                          /* 1 converting, 0 off */
    struct image_contactor relay; /* output relay, for modules whose MN is on the module bus */
    uint32_t alarm_bits;          /* MODULE_ALARM_* normalised by the driver */
    int64_t last_rx_us;           /* any valid frame; 0 never */
    bool
        bus_down; /* its interface is bus-off or gone, and it has not been heard since: commands do not reach it */
    /* What the driver last sent, for the books of rule M4. */
    int32_t sent_mv, sent_ma;
    bool sent_run;
    int64_t sent_at_us;
};
#define MODULE_ALARM_FAULT       1u /* the module says it is faulty: no power from it */
#define MODULE_ALARM_PROTECTION  2u /* tripped on its own: over-voltage, short circuit, ... */
#define MODULE_ALARM_TEMPERATURE 4u
#define MODULE_ALARM_INPUT       8u /* AC over- or under-voltage */
#define MODULE_ALARM_FAN         16u
#define MODULE_ALARM_COMM        32u
#define MODULE_ALARM_DERATED     64u /* power limited: still delivers */
#define MODULE_ALARM_CONDEMNS                                                                      \
    (MODULE_ALARM_FAULT | MODULE_ALARM_PROTECTION | MODULE_ALARM_TEMPERATURE | MODULE_ALARM_INPUT)

struct image_identity {
    uint8_t length;             /* 0 none */
    char text[RM_ID_TOKEN_LEN]; /* printable, terminated: UIDs and MACs as hex, EMAID as is */
    uint32_t
        generation; /* goes up with every complete reception that differs or is an RFID event */
};

struct image_slot {
    /* PLC communication (contract sections 1 and 4); each fault has its own flag */
    int64_t plc_last_rx_us; /* any valid frame; 0 never */
    bool plc_comm_fault;    /* CRC: 3 bad in 1 s until 10 good in a row */
    bool
        plc_ack_fault; /* three commands unacknowledged: the session's latch, see plc_ack_clear() */
    bool plc_crc_mode_fault; /* start-up self-check */
    bool plc_status_stale; /* the mode's contactor status is older than 300 ms, or was never seen */
    bool plc_boot_checked; /* self-check decided in our favour */
    uint8_t plc_fault_reason; /* FAULT_REASON of the contract; unknown values become 9 */
    bool plc_reports_comm_fault;
    bool interface_down; /* bus-off or interface gone */
    bool config_refused; /* a ConfigAck with NOT_ALLOWED, UNKNOWN_PARAM or BAD_VALUE */
    uint32_t crc_errors, format_errors, ack_retries;

    /* contactors by enum contactor_kind; MN of modules on the module bus are in module[].relay */
    struct image_contactor contactor[CONTACTORS_PER_SLOT];
    struct sample contactor_status; /* value unused: age of the mode's contactor status frame */

    /* safety inputs, debounced: opening at once, closing after 50 ms from the first change */
    struct sample safety_ok;   /* 1 chain closed and SAFETY_OK */
    struct sample estop;       /* 1 input pressed or latched by the PLC */
    struct sample estop_input; /* 1 button pressed now */
    struct sample earth_fault;
    uint8_t switches; /* bits 0..3: SW1..4 as debounced */
    uint8_t chain_mask;

    /* vehicle */
    struct sample cp_state;  /* enum cp_state, from CP_Voltage_Levels only */
    struct sample lock;      /* 1 engaged; source by configuration */
    struct sample hlc_stage; /* enum hlc_stage */
    bool charge_complete, precharge_active, cable_check_ok, auth_granted,
        auth_pending; /* with hlc_stage's age */
    struct sample ev_max_mv, ev_max_ma, ev_max_w;
    struct sample ev_target_mv, ev_target_ma, ev_present_mv, ev_present_ma;
    struct sample soc_pct; /* invalid when 255 */
    struct sample energy_request_wh, energy_capacity_wh, departure_min;
    struct image_identity identity[IDENTITY_COUNT]; /* by enum identity_kind */
    uint32_t session_epoch;

    /* measurements */
    struct sample bus_mv, gun_mv,
        boundary_ma;      /* SlotSense, else the substitutes of the contract's preamble */
    struct sample gun_ma; /* energy meter; OVERRANGE: sum of the modules */
    struct sample meter_mv, meter_power_w;
    int64_t meter_wh;    /* register: monotonic, scaled, offset; refined between steps */
    int64_t meter_mwh;   /* the same in mWh */
    bool meter_fallback; /* energy integrated from other readings at present */
    bool meter_known;    /* meter_wh has been read */
    struct sample meter; /* age of the meter's register, and of its first frame of any kind */
    uint32_t meter_jumps;
    /* what modules of slots joined to this one deliver to its gun; 0 alone. Not from frames of its own: control sums up,
     * for everything that takes the place of a meter that is saturated or silent */
    int32_t borrowed_ma, borrowed_w;
    struct sample pin_plus_ddegc, pin_minus_ddegc,
        cable_ddegc;                 /* invalid when the sensor is open or short */
    struct sample temperature_frame; /* age of the frame, also when a sensor is invalid */
    struct sample insulation_ohm;
    struct sample imd; /* enum imd_state */
    bool imd_enabled, imd_warning;
    uint8_t imd_self_test; /* 0 idle 1 running 2 passed 3 failed */

    struct image_module module[RM_MODULES_PER_SLOT_MAX];
};

struct image {
    uint32_t slots;
    struct image_slot slot[RM_SLOTS_MAX];
};

#endif
