/* Between the files control*.c alone: the state of the guard's pure core. */
#ifndef RINGMAIN_RT_CONTROL_PRIVATE_H
#define RINGMAIN_RT_CONTROL_PRIVATE_H

#include "rt/can/module_state.h"
#include "rt/can/plc_state.h"
#include "rt/can/route.h"
#include "rt/control.h"
#include "rt/interlock/interlock.h"
#include "rt/sequencer/boundary.h"

#define CONTROL_PENDING_MAX  256      /* events between two steps */
#define CONTROL_PRE_AUTH_US  60000000 /* a token presented before the plug */
#define CONTROL_LEASE_MAX_US INT64_C(3600000000)
#define CONTROL_LIMIT_W_MAX  INT64_C(1000000000)
#define CONTROL_RECORD_US    200000 /* a running record is renewed this often */
#define CONTROL_PLC_LOST_US  1000000
#define CONTROL_SOC_MS       5000
#define CONTROL_NEVER_US     INT64_MAX

struct control_lease {
    bool valid;
    int64_t limit_w, until_us;
};

/* What belongs to the running session and is no part of its record. */
struct control_session {
    bool metered; /* the meter has been read since the start */
    int64_t meter_start_mwh;
    int64_t flowing_us; /* time with current */
    int64_t at_us, renewed_us;
};

/* What was reported last: events are the differences. */
struct control_shadow {
    uint64_t faults;
    uint32_t identity[IDENTITY_COUNT];
    uint32_t meter_jumps;
    uint16_t closed; /* bit by contactor kind: feedback closed */
    uint8_t usable;  /* bit by module */
    bool plc, meter_fallback;
};

struct control_slot {
    struct plc plc;
    struct plc_command plc_command;
    struct module_driver module[RM_MODULES_PER_SLOT_MAX];
    struct gun gun;
    struct gun_to_plc to_plc;
    struct control_lease profile;
    bool stop_requested;
    enum stop_reason stop_reason;
    bool clear_plc; /* CLEAR_FAULTS to the PLC in this step */
    uint8_t priority_class;
    int64_t plugged_us;
    int64_t reserved_until_us; /* 0: none */
    char reserved_token[RM_ID_TOKEN_LEN];
    struct control_session session;
    struct session_slot records;
    uint64_t records_seq;
    struct control_shadow shadow;
    uint32_t rejected;
};

struct control {
    const struct config *config;
    uint64_t boot_id;
    int64_t now_us, boot_us;
    struct can_router router;
    struct image image;
    struct request request;
    struct output output;
    struct interlock_state interlock;
    struct interlock_in interlock_in;
    struct proposal proposal;
    bool have_proposal;
    bool shutdown;
    uint32_t session_counter;
    struct control_lease site;
    int64_t site_limit_w;
    enum limit_reason site_reason;
    uint64_t plan_seq;
    uint64_t proposals_rejected;
    uint8_t planner_shadow;             /* 0 none yet, 1 fresh, 2 late, 3 dead */
    bool latches_awaited[RM_SLOTS_MAX]; /* until COMMAND_LATCHES: no valid copy at boot */
    struct boundary_ring ring;
    struct boundary_lent lent[RM_SLOTS_MAX];
    const struct gun *gun[RM_SLOTS_MAX]; /* those of slot[], for the ring's sequencers */
    bool estop_shadow, booted;
    int64_t limit_shadow_w;
    enum limit_reason limit_shadow_reason;
    int64_t rule_reported_us[RULE_COUNT];
    enum interface_state interface[RM_INTERFACES_MAX];
    uint32_t restarts[RM_INTERFACES_MAX];
    uint32_t refused
        [RM_INTERFACES_MAX]; /* frames that are nobody's: standard, RTR, wrong length, unknown id */
    uint32_t pending_count, pending_dropped;
    struct event pending[CONTROL_PENDING_MAX];
    struct control_slot slot[RM_SLOTS_MAX];
};

static inline bool control_has_gun(const struct control *c, uint32_t slot) {
    return c->config->slot[slot].gun >= 0;
}

int64_t control_plan_age_us(const struct control *c, int64_t now_us);
/* Every fault of a slot: interlocks' present and latched, the sequencer's latched and the running session's end. */
uint64_t control_faults(const struct control *c, uint32_t slot);

/* control_session.c */
void control_session_follow(struct control *c, uint32_t slot, const struct gun_effects *effects,
                            struct event_batch *events, int64_t now_us);
bool control_session_acknowledge(struct control *c, uint32_t slot, uint64_t session_id);

/* control_events.c */
struct event *control_event(struct event_batch *events, enum event_type type, uint32_t slot,
                            int64_t now_us); /* NULL when the batch is full: counted */
void control_event_later(struct control *c, enum event_type type, uint32_t slot, uint16_t a,
                         uint16_t b, int64_t value, int64_t now_us);
void control_events_begin(struct control *c, struct event_batch *events, int64_t now_us);
void control_events_gun(struct control *c, uint32_t slot, const struct gun_effects *effects,
                        struct event_batch *events, int64_t now_us);
void control_events_boundary(uint32_t slot, const struct boundary_effects *effects,
                             struct event_batch *events, int64_t now_us);
void control_events_slot(struct control *c, uint32_t slot, struct event_batch *events,
                         int64_t now_us);
void control_events_site(struct control *c, struct event_batch *events, int64_t now_us);

/* control_plan.c */
bool control_proposal_sound(const struct control *c, const struct proposal *proposal,
                            int64_t now_us);
/* What rule M6 leaves of a module's power: nameplate, what the module tells, temperature. */
int32_t control_capability_w(const struct control *c, uint32_t slot, uint32_t module,
                             int64_t now_us);

#endif
