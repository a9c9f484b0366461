/* Between the files of rt/sequencer/ alone. */
#ifndef RINGMAIN_RT_SEQUENCER_PRIVATE_H
#define RINGMAIN_RT_SEQUENCER_PRIVATE_H

#include "rt/sequencer/sequencer.h"
#include "rt/sequencer/table.h"

/* Freshness as the interlocks see it (interlock.h), and of what they do not look at 2.5 periods of the contract. */
#define GUN_CP_MS      STALE_CP_MS
#define GUN_HLC_MS     STALE_STAGE_MS
#define GUN_LOCK_MS    STALE_STAGE_MS
#define GUN_SENSE_MS   (PERIOD_SENSE_MS * 5 / 2)
#define GUN_METER_MS   625
#define GUN_TARGETS_MS STALE_TARGETS_MS
#define GUN_STATUS_MS  300 /* contactor feedback: T_plc, when the PLC itself counts as silent */

#define GUN_TARGETS_STOP_US ((int64_t)LOST_TARGETS_MS * 1000) /* EVDC_Targets lost: stop */
#define GUN_RAMP_STOP_US    2000000 /* normal stop: setpoint zero and current still flows */
#define GUN_LENDERS_US      3000000 /* normal stop: so long joined slots have to leave at no current */
#define GUN_ERROR_OPEN_US   1000000 /* error stop: open within */
#define GUN_OPENING_US      2000000 /* GC to be confirmed open */
#define GUN_IMD_SETTLE_US   1500000 /* verdict on R_F after the self-test */
#define GUN_CABLE_BAND_MV   10000   /* cable-check voltage reached */
#define GUN_JOIN_US         300000  /* a joining module settles before its voltage counts */
#define GUN_JOINED_US       500000  /* for the planner to give a module that has joined its share */
#define GUN_CAUSE_US        300000  /* T_plc: as long as silence takes to be called silence */
#define GUN_RAMP_DT_MAX_US  100000  /* a longer pause between steps is not ramped through at once */

/* Sub-steps of CABLE_CHECK. */
enum cable_check_step {
    CABLE_CHECK_CLOSE_GC = 0,
    CABLE_CHECK_CLOSE_MN,
    CABLE_CHECK_RAISE,
    CABLE_CHECK_SELF_TEST,
    CABLE_CHECK_VERDICT,
    CABLE_CHECK_DISCHARGE,
    CABLE_CHECK_DONE
};

struct gun_cause {
    enum fault_code fault;
    enum stop_reason reason;
};

/* What one step knows, each value only when fresh. */
struct gun_view {
    enum cp_state cp; /* UNKNOWN when stale */
    int lock;         /* 1 engaged, 0 not, -1 unknown */
    int stage;        /* enum hlc_stage, -1 unknown */
    bool bus_known, gun_known, current_known;
    int32_t bus_mv, gun_mv, gun_ma;
    bool gc_open, gc_closed; /* confirmed by feedback */
    bool dead;               /* gun and bus below V_safe, GC confirmed open */
    bool withdrawn;
    uint64_t blocking; /* faults that keep a gun from service when no session runs */
    enum stop_class demand;
    struct gun_cause demand_cause;
    uint8_t usable; /* bit j: module j may be used */
    uint8_t joined; /* bit j: MN of module j confirmed closed */
};

/* What a fault followed from, if that is present among faults; else the fault itself. */
enum fault_code gun_root_fault(enum fault_code fault, uint64_t faults);

/* Which bits of a fault set have that stop class. */
uint64_t gun_faults_of_class(enum stop_class class);
/* The class that the most severe fault of a set asks for. */
enum stop_class gun_worst_class(uint64_t faults);

void gun_view_fill(struct gun *g, const struct gun_inputs *in, struct gun_view *view);
const struct config_connector *gun_connector(const struct gun_inputs *in);

/* cable_check.c: moves the sub-steps; sets g->failed on a failed verdict. */
void gun_cable_check_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v);
bool gun_cable_check_timeout(const struct gun *g, const struct gun_inputs *in,
                             struct gun_cause *cause);

/* weld_check.c */
bool gun_weld_check_passed(const struct gun *g, const struct gun_inputs *in,
                           const struct gun_view *v);
bool gun_weld_test_powered(const struct gun *g, const struct gun_inputs *in);
int32_t gun_weld_test_mv(const struct gun *g, const struct gun_inputs *in,
                         const struct gun_view *v);

/* power.c: module contactors wanted, island setpoint ramped, shared among the modules into the request. */
void gun_power_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                    struct request_slot *request);

#endif
