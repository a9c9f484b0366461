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
    bool sessions_full; /* set by control: no room for a finished record */
    bool energised;
    int32_t set_mv, set_ma; /* ramped island setpoint of the moment, before sharing among modules */
    int64_t ramp_us;        /* when set_ma was last advanced */
    int64_t targets_lost_us; /* EVDC_Targets stale since; 0 fresh */
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

struct gun_inputs {
    int64_t now_us;
    const struct config *config;
    uint32_t slot;
    const struct image_slot *image;
    const struct interlock_slot *interlock;
    const struct proposal_slot *proposal; /* NULL: none yet */
    int64_t plan_age_us;
    bool stop_requested; /* by command; reason in stop_reason */
    enum stop_reason stop_reason;
    bool shutdown;
};

void gun_step(struct gun *g, const struct gun_inputs *in, struct request_slot *request,
              struct gun_to_plc *to_plc, struct gun_effects *effects);

#endif
