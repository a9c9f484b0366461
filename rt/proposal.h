/* What planner and guard say to each other, through triple buffers: plan_input one way, proposal the other.
 * Plain data without pointers. Both sides check what they get: the guard trusts no proposal, the planner no range. */
#ifndef RINGMAIN_RT_PROPOSAL_H
#define RINGMAIN_RT_PROPOSAL_H

#include "shm/vocabulary.h"

struct plan_module {
    bool healthy;                        /* fresh, no condemning alarm, MN not faulty */
    bool connected;                      /* MN surely closed */
    int32_t capability_w, capability_ma; /* after the module's own and thermal derating */
    int32_t max_mv, min_mv;
    int32_t voltage_mv, current_ma; /* measured; 0 when unknown */
    int32_t set_ma;                 /* last commanded */
    uint32_t operations;            /* wear of its MN */
};

struct plan_slot {
    bool has_gun;
    bool demands;      /* vehicle authorised and in CABLE_CHECK..CHARGING: counts for the sharing */
    bool served;       /* in CHARGING with its power path closed */
    bool faulted;      /* no power to this gun */
    bool ramping_down; /* leaving: its power still counts until measured away */
    uint8_t priority_class; /* 0 highest */
    enum gun_state state;
    int32_t target_mv, target_ma; /* vehicle's wish, 0 when unknown */
    int32_t ev_max_mv, ev_max_ma, ev_max_w;
    int32_t connector_max_ma, connector_max_w, connector_max_mv;
    int32_t cable_max_ma;
    int32_t derate_permille; /* connector temperature: 1000 none, 0 stop */
    int64_t profile_limit_w; /* lease on this gun; INT64_MAX none */
    int32_t bus_mv;
    int32_t power_w;     /* measured */
    int32_t committed_w; /* guard's books: the most it may draw now, at the modules' input */
    int64_t arrival_us;  /* for first come, first served */
    /* boundary to the clockwise neighbour */
    bool edge_fitted, edge_may, edge_sure, edge_locked;
    int32_t edge_max_ma;
    uint8_t module_count;
    struct plan_module module[RM_MODULES_PER_SLOT_MAX];
};

struct plan_input {
    uint64_t seq;
    int64_t now_us;
    uint32_t slots;
    int64_t site_limit_w; /* min(grid, valid lease or fail-safe) at the modules' input */
    enum limit_reason site_limit_reason;
    int32_t efficiency_permille;
    int32_t i_cc_ma; /* current limit of cable check, precharge and weld test */
    struct plan_slot slot[RM_SLOTS_MAX];
};

struct proposal_module {
    bool mn, run;
    int32_t set_mv, set_ma;
};

struct proposal_slot {
    bool edge_closed; /* boundary to the clockwise neighbour */
    bool reclaim;
    int16_t owner;    /* slot index whose gun this slot's modules feed, -1 none */
    int32_t budget_w; /* of this slot's gun */
    enum limit_reason reason;
    int32_t offered_w; /* what the gun could get if the vehicle wanted more */
    struct proposal_module module[RM_MODULES_PER_SLOT_MAX];
};

struct proposal {
    uint64_t seq;     /* of the plan_input it answers */
    int64_t input_us; /* now_us of that input: the proposal's age counts from here */
    uint32_t slots;
    struct proposal_slot slot[RM_SLOTS_MAX];
};

#endif
