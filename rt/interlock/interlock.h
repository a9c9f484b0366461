/* The interlocks: a pure filter between what the sequencers ask and what reaches the hardware.
 *
 * interlock_step() applies every rule of docs/hazards.md (ids T, E, G, M, N, S) to a request and yields an output that
 * obeys all of them, for every request and every image. Integers only, no heap, no clock, loops bounded by the
 * number of slots. Cost: linear in slots. Called every 5 ms tick and once per drained batch of frames.
 */
#ifndef RINGMAIN_RT_INTERLOCK_H
#define RINGMAIN_RT_INTERLOCK_H

#include "configs/config.h"
#include "rt/image.h"
#include "rt/request.h"

/* Freshness of each source: 2.5 periods of the contract, or the figure the contract names (its sections 3 and 4). */
#define STALE_CP_MS      300
#define STALE_TARGETS_MS 500  /* current to zero */
#define LOST_TARGETS_MS  2000 /* stop */
#define STALE_STAGE_MS   1250 /* ChargeInfo, 500 ms */
#define PERIOD_SENSE_MS  100  /* SlotSense and the contactor status */

/* One contactor's book: what was commanded when, what it did, how it wears. */
struct contactor_book {
    bool fitted;
    bool command;       /* last output */
    int64_t changed_us; /* when command last changed */
    bool welded, stuck, untrusted;
    bool confirmed; /* feedback agreed with command since the last change */
    uint16_t operate_ms, release_ms;
    uint32_t operations, loaded_operations;
    int32_t close_dv_mv; /* voltage across it when it was last told to close: precharge quality */
    /* evidence of rules S5 and S6, one count per received sample */
    int64_t seen_us; /* newest sample judged; 0 none */
    uint8_t against; /* samples in a row that contradict the command after its time, saturating */
    uint8_t doubt;   /* samples in a row that physics contradicts, saturating */
    uint8_t agree;   /* samples in a row that are consistent, saturating */
};

struct interlock_module {
    int32_t set_mv, set_ma; /* last output */
    bool run;
    int64_t off_since_us;  /* run last false */
    int64_t on_since_us;   /* run last became true */
    enum fault_code fault; /* FAULT_NONE, MODULE_LOST, MODULE_FAULT */
    int64_t cut_off_us;    /* its bus was last down: commands did not reach it; 0 never */
    bool excluded;         /* M7: its address is not its own; it never runs */
    int64_t lost_since_us; /* silent since; 0 heard */
    /* books of M4 and S13: the most it may deliver now, by command or measurement */
    int32_t committed_ma;
    int64_t committed_uw;
    int64_t measured_us; /* newest measurement that the books have seen */
};

struct interlock_slot {
    struct contactor_book contactor[CONTACTORS_PER_SLOT];
    struct interlock_module module[RM_MODULES_PER_SLOT_MAX];
    uint64_t faults;      /* bit n: fault code n active (cause present) */
    uint64_t latched;     /* bit n: latched */
    enum stop_class stop; /* what the faults demand of this slot's gun, NONE when free */
    bool released;        /* boot hold over (S15) */
    int64_t
        cut_off_us; /* its PLC was last silent or its bus down: commands did not reach it; 0 never */
    bool live;      /* gun may be energised */
    uint16_t island_may; /* lowest slot of the component under may(edge) */
    uint16_t island_sure;
    bool imd_passed;      /* N2: self-test passed and insulation ok on the present component */
    uint8_t imd_failures; /* consecutive failed cable checks (N5) */
    int64_t overvoltage_since_us, overvoltage_emergency_since_us, temperature_fallback_since_us;
    int64_t hold_until_us;   /* boot */
    int32_t derate_permille; /* connector temperature */
    enum stop_class demand;  /* the way down its gun is on: stop, the request's, or G4's own */
    bool sensor_broken;      /* a pin sensor is open, short or silent: fallback current (S11) */
    bool imd_enable;         /* last output */
    bool imd_tested;         /* self-test seen running since GC closed */
    bool imd_failed;         /* this cable check already counted as failed */
    int64_t imd_undecided_since_us; /* monitor without a verdict while charging; 0 it has one */
    bool lock;                      /* last output */
    bool charge; /* interlocks' CHARGE: power is ready and current may follow the vehicle */
    enum gun_state state;     /* of the last request */
    int64_t plugged_since_us; /* 0: nobody there */
    int64_t normal_since_us;  /* a stop of class normal or higher is demanded since; 0 none */
    int64_t error_since_us;   /* likewise error or higher */
    int64_t forced_us;        /* FORCE_ALL_OFF last sent */
    int64_t estop_since_us;   /* 0 none */
    int64_t opening_since_us; /* GC asked to open and held by G4; 0 not */
    int64_t voltage_unknown_since_us;
    int64_t overcurrent_since_us, short_since_us, weld_since_us, cp_lost_since_us;
    int64_t budget_us;      /* when budget_ma was last advanced */
    int32_t budget_ma;      /* M4: follows the vehicle's target, down by the ramp */
    int32_t budget_from_ma; /* current at the beginning of that fall; 0 it does not fall */
    int32_t late_from_ma;   /* S8: current when the plan became late */
    int64_t late_since_us;  /* 0: the plan is in time */
    int32_t stop_from_ma;   /* current at the beginning of the stop */
    int32_t peak_ma[2];     /* commanded current: this second's and the last one's peak */
    int64_t peak_us;
    bool estop_pressed; /* as seen in the last step: a rising edge latches */
    /* the boundary to the clockwise neighbour */
    bool
        edge_closed; /* the way it goes: true from the command that begins to close it to the one that begins to open it */
    bool edge_fused; /* T7: it welded when it was to open; the slots beside it are one */
    bool edge_lent;  /* it was commanded to conduct and has not been confirmed open since */
    bool
        edge_locked; /* E4: it cannot change now: a contactor at fault or unreadable, a slot beside it out of service */
    uint16_t
        edge_refused; /* enum rule_id that refused this step's request; RULE_NONE it was followed */
    int64_t edge_changed_us; /* E3: when edge_closed last changed; 0 never */
    uint8_t edge_calm;       /* E2: samples in a row below I_open, saturating */
    int64_t edge_sample_us;  /* newest of them */
    bool edge_forced;        /* S2, S4: an emergency opens it */
    int64_t edge_forced_us;  /* since; 0 not, or GC is to open before it */
    int64_t edge_apart_us;   /* T3: conducts, yet the busses differ since */
    int64_t
        edge_overdue_us; /* S4: out of service, yet still joined to a gun that is served since */
};

/* One rule that altered or refused something in this step. */
struct interlock_note {
    uint16_t rule; /* enum rule_id */
    uint16_t slot;
    uint16_t component; /* contactor kind, CONTACTORS_PER_SLOT + module index, or 0xffff */
};
#define INTERLOCK_NOTES_MAX 128

struct interlock_state {
    struct interlock_slot slot[RM_SLOTS_MAX];
    bool estop_latched;     /* S3, any zone; per zone in zone_estop */
    uint64_t zone_estop;    /* bit z */
    int64_t committed_w;    /* books of S12/S13: the most the modules may draw at their input now */
    uint32_t rule_hits[64]; /* by enum rule_id */
    uint32_t notes;
    struct interlock_note note[INTERLOCK_NOTES_MAX]; /* of the last step */
};

enum rule_id {
    RULE_NONE = 0,
    RULE_T1,
    RULE_T2,
    RULE_T3,
    RULE_T4,
    RULE_T5,
    RULE_T6,
    RULE_T7,
    RULE_E1,
    RULE_E2,
    RULE_E3,
    RULE_E4,
    RULE_E5,
    RULE_E6,
    RULE_E7,
    RULE_G1,
    RULE_G2,
    RULE_G3,
    RULE_G4,
    RULE_G5,
    RULE_G6,
    RULE_G7,
    RULE_G8,
    RULE_G9,
    RULE_M1,
    RULE_M2,
    RULE_M3,
    RULE_M4,
    RULE_M5,
    RULE_M6,
    RULE_M7,
    RULE_M8,
    RULE_N1,
    RULE_N2,
    RULE_N3,
    RULE_N4,
    RULE_N5,
    RULE_S1,
    RULE_S2,
    RULE_S3,
    RULE_S4,
    RULE_S5,
    RULE_S6,
    RULE_S7,
    RULE_S8,
    RULE_S9,
    RULE_S10,
    RULE_S11,
    RULE_S12,
    RULE_S13,
    RULE_S14,
    RULE_S15,
    RULE_S16,
    RULE_COUNT
};
const char *rule_name(unsigned rule); /* "T1" ..; "?" when out of range */

/* Everything an evaluation needs besides the image. */
struct interlock_in {
    int64_t now_us;
    int64_t site_limit_w; /* in force at the modules' input: min(grid, lease or fail-safe) */
    int64_t plan_age_us;  /* age of the newest accepted proposal; INT64_MAX none yet */
    uint64_t clear_faults[RM_SLOTS_MAX]; /* an operator's request this step: bit n, fault code n */
    bool reset_estop;                    /* a person's reset this step (S3) */
};

/* Clears the state: every output off, every slot in boot hold (S15). */
void interlock_init(struct interlock_state *s, const struct config *config, int64_t now_us);

/* Latches of an earlier run (S15). known false: nobody knows them yet, and the slot stays without permit (LATCH_UNKNOWN)
 * until a second call brings them. Bits of codes that do not latch are ignored. */
void interlock_restore(struct interlock_state *s, const struct config *config, uint32_t slot,
                       uint64_t latched, bool known);
/* The e-stop latch of an earlier run: the whole site. */
void interlock_restore_estop(struct interlock_state *s, bool latched);

void interlock_step(struct interlock_state *s, const struct config *config,
                    const struct image *image, const struct interlock_in *in,
                    const struct request *request, struct output *out);

/* Why a person's wish is refused: where, and the fault that stands for it. */
struct interlock_refusal {
    uint16_t slot;
    enum fault_code fault;
};

/* S3: may the e-stop be reset now? Slots by bit of their latched zones: *zones are those that may, which a request in
 * interlock_in.reset_estop would reset. true when that is all of them; else *why is the first thing in the way. */
bool interlock_may_reset(const struct interlock_state *s, const struct config *config,
                         const struct image *image, int64_t now_us, uint64_t *zones,
                         struct interlock_refusal *why);

/* Of the latched faults wanted in interlock_in.clear_faults of a slot: those whose cause is still there, or whose rule
 * (G6, S15, T7) forbids it now. in: what is asked of the slots in this step already. */
uint64_t interlock_may_not_clear(const struct interlock_state *s, const struct config *config,
                                 const struct image *image, const struct interlock_in *in,
                                 uint32_t slot, uint64_t wanted, int64_t now_us);

/* Voltage of the cable check: EV maximum <= 500 V: min(500, EVmax + 50, EVSEmax); above: min(EVSEmax, 1.1 x EVmax). */
int32_t interlock_cable_check_mv(int32_t ev_max_mv, int32_t evse_max_mv);

/* What a module may deliver now (rule M6): nameplate, its own word, temperature. */
int32_t interlock_capability_w(const struct config *config, const struct image *image,
                               uint32_t slot, uint32_t module, int64_t now_us);

/* The two-sided topology of one contactor: may conduct, surely conducts. Exposed for sequencer, planner input and status. */
bool contactor_may(const struct interlock_state *s, const struct config *config,
                   const struct image *image, uint32_t slot, unsigned kind, int64_t now_us);
bool contactor_sure(const struct interlock_state *s, const struct config *config,
                    const struct image *image, uint32_t slot, unsigned kind, int64_t now_us);

#endif
