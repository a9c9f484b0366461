/* The per-gun sequencer: a total state/event table that takes a vehicle from plug to unplug.
 *
 * One struct gun per slot. gun_step() looks at image and interlock state, derives at most one event, moves through the
 * table, and writes the slot's request (contactors, modules, lock, insulation monitor) and its commands to the PLC.
 * Pure: no clock, no I/O, no heap. docs/design/sequencer.md holds the diagram, generated from the table.
 */
#ifndef RINGMAIN_RT_SEQUENCER_H
#define RINGMAIN_RT_SEQUENCER_H

#include "configs/config.h"
#include "rt/image.h"
#include "rt/interlock/interlock.h"
#include "rt/proposal.h"
#include "rt/request.h"

struct gun {
    enum gun_state state;
    int64_t since_us;    /* in this state */
    int64_t progress_us; /* sub-step timer */
    uint8_t step;        /* sub-step within a state (cable check, opening) */
    enum stop_class stop;
    enum stop_reason stop_reason;
    enum fault_code fault;       /* what ended or keeps the session from starting */
    bool authorised;             /* token accepted for this vehicle */
    int64_t authorised_until_us; /* a token presented before the plug: lapses */
    enum auth_source auth_source;
    char id_token[RM_ID_TOKEN_LEN];
    bool operative;     /* availability by command */
    bool denied;        /* authorisation refused for this vehicle */
    bool sessions_full; /* set by control: no room for a finished record */
    bool energised;
    int32_t set_mv, set_ma; /* ramped island setpoint of the moment, before sharing among modules */
    int64_t ramp_us;        /* when set_ma was last advanced */
    int64_t cause_us;       /* when stop_reason and fault were noted */
    int64_t targets_lost_us; /* EVDC_Targets stale since; 0 fresh */
    int64_t pause_us;        /* CHARGING: vehicle asks for nothing since; 0 it asks */
    int64_t live_us;         /* RAMP_DOWN: setpoint at zero since; 0 not yet */
    uint64_t
        own_latched; /* bit n: fault code n found here and latched (CABLE_SHORT, CONTACTOR_WELDED by voltage) */
    enum fault_code
        failed; /* verdict of a stage that failed; ends the session by the fault's class */
    int32_t share_ma[RM_MODULES_PER_SLOT_MAX]; /* weights by which set_ma is shared */
    int64_t join_us[RM_MODULES_PER_SLOT_MAX];  /* brought to the bus voltage since; 0 not joining */
    int32_t cable_check_mv;                    /* test voltage of this cable check */
    int64_t whole_ma;  /* what all shares of set_ma add up to, those of joined slots included */
    int64_t steady_us; /* CHARGING: no ramp pending since; 0 one is */
    uint8_t mn_mask;   /* bit j: MN of module j wanted closed */
    uint8_t hlc_seen;  /* last fresh stage: a change is progress */
    bool plugged;      /* control pilot said B, C or D last */
    bool session;      /* a session record runs */
    bool had_session;  /* of the vehicle that is plugged in */
    bool matched;      /* PRECHARGE: voltage within dv_gc */
    bool
        test_armed; /* cable check: self-test seen in another state than passed since it was asked for */
};

/* What the PLC must be told besides contactors (ConfigCmd and the two EVSE frames). */
struct gun_to_plc {
    bool auth_granted, auth_pending;
    uint8_t stop_request; /* 0 none 1 normal 2 error 3 emergency */
    bool lock;
    int32_t offer_mv, offer_ma, offer_w; /* EVSE_DC_MaxLimits */
    int32_t present_mv, present_ma, present_w;
    bool output_enabled, regulating;
    uint8_t fault_bits; /* EVSE_DC_Present.FAULT_BITS */
};

/* Things for control to record, set by one step. */
struct gun_effects {
    bool changed; /* state changed: from/to below */
    enum gun_state from, to;
    bool plugged, unplugged;
    bool session_begin, session_energised, session_end;
};

void gun_init(struct gun *g, bool has_gun, int64_t now_us);

/* A token was accepted (COMMAND_AUTHORISE checked by control): kept until until_us when nobody is plugged in. */
void gun_authorise(struct gun *g, enum auth_source source, const char id_token[RM_ID_TOKEN_LEN],
                   int64_t until_us);

/* AUTH_STATE denied to the vehicle until it is unplugged or authorised after all. */
void gun_deny(struct gun *g);

/* true while the slot's gun, path or vehicle is in a session that control_shutdown has to wait for. */
bool gun_in_session(const struct gun *g);

/* The fault of a set that a person is told first: of the most severe class, a cause before what follows from it.
 * FAULT_NONE when empty. */
enum fault_code gun_worst_fault(uint64_t faults);

/* May this module be used: it has been heard, and the interlocks find no fault in it or its MN. */
bool gun_module_usable(const struct image_slot *image, const struct interlock_slot *interlock,
                       uint32_t module);

/* Connector and cable current of a slot's gun as temperature allows, also with a broken sensor (S11). */
int32_t gun_current_limit_ma(const struct config *config, const struct interlock_slot *interlock,
                             uint32_t slot);

/* Which modules of a slot may be used, and which are confirmed on its bus: bit per module. */
void gun_look_at_modules(const struct config *config, const struct image_slot *image,
                         const struct interlock_slot *interlock, uint32_t slot, int64_t now_us,
                         uint8_t *usable, uint8_t *joined);

struct gun_inputs {
    int64_t now_us;
    const struct config *config;
    uint32_t slot;
    const struct image_slot *image;
    const struct interlock_slot *interlock;
    const struct proposal_slot *proposal; /* NULL: none yet */
    int64_t plan_age_us;                  /* INT64_MAX none yet */
    bool stop_requested;                  /* by command; reason in stop_reason */
    enum stop_reason stop_reason;
    bool shutdown;
    /* the ring: see boundary.h; all zero for a slot on its own */
    int64_t lent_ma;  /* shares of modules of joined slots, beside the own ones */
    bool lent_urgent; /* one of them is wanted back: the faster ramp */
    bool joined;      /* boundaries toward its lenders are not confirmed open yet */
    bool away;        /* the slot is lent itself, or a boundary of it is not confirmed open */
};

void gun_step(struct gun *g, const struct gun_inputs *in, struct request_slot *request,
              struct gun_to_plc *to_plc, struct gun_effects *effects);

#endif
