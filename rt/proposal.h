/* What planner and guard say to each other, through triple buffers: plan_input one way, proposal the other.
 * Plain data without pointers. Both sides check what they get: the guard trusts no proposal, the planner no range. */
#ifndef RINGMAIN_RT_PROPOSAL_H
#define RINGMAIN_RT_PROPOSAL_H

#include "configs/config.h"
#include "shm/vocabulary.h"

struct plan_module {
    bool healthy;                        /* fresh, no condemning alarm, MN not faulty */
    bool connected;                      /* MN surely closed */
    int32_t capability_w, capability_ma; /* after the module's own and thermal derating */
    int32_t max_mv, min_mv;
    int32_t voltage_mv, current_ma; /* measured; 0 when unknown */
    int32_t set_ma, set_mv;         /* last commanded */
    uint32_t operations;            /* wear of its MN */
};

/* The boundary to the clockwise neighbour, all its contactors together. */
struct plan_edge {
    bool fitted; /* false: never conducts */
    bool may, sure;
    bool
        locked; /* cannot be changed now: stuck, welded, feedback not trusted, a slot beside it not in service */
    bool welded; /* conducts whatever is commanded */
    int32_t max_ma;
    int64_t changed_us;  /* last change of a command; 0 never */
    uint32_t operations; /* of its most worn contactor */
    uint8_t contactors;  /* in series: 1 or 2 */
};

struct plan_slot {
    bool has_gun;
    bool demands;      /* vehicle authorised and in CABLE_CHECK..CHARGING: counts for the sharing */
    bool served;       /* in CHARGING with its power path closed */
    bool faulted;      /* no power to this gun */
    bool ramping_down; /* leaving: its power still counts until measured away */
    bool
        arriving; /* a vehicle is plugged in that will need its home slot: nothing of it stays lent */
    bool blocked; /* its bus or modules cannot be lent now: own gun on it, boot hold, fault */
    bool free;    /* gun that the next driver could take */
    int32_t
        lend_max_mv; /* a vehicle still plugged in bears no more on this bus, were its GC welded: no island of a
                            higher voltage can be joined; 0 no such bound */
    uint8_t priority_class; /* 0 highest, as the operator has it */
    uint8_t soc_pct;        /* 255 unknown */
    enum gun_state state;
    int64_t departure_us;         /* when the vehicle wants to leave; 0 it has not said */
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
    struct plan_edge edge;
    uint8_t module_count;
    struct plan_module module[RM_MODULES_PER_SLOT_MAX];
};

/* What the configuration says about planning. */
struct plan_rules {
    enum sharing_mode mode;
    uint32_t slots_max; /* longest island (T6) */
    int32_t default_mv; /* voltage of a vehicle that has not told its own */
    int32_t v_safe_mv;
    int32_t holding_s;         /* how long a new arrangement is expected to last */
    int32_t operation_cost_kj; /* worth of one operation of a boundary contactor */
    int32_t power_min_w;       /* a served vehicle gets this much or is suspended */
    int64_t dwell_us;          /* between two changes of one boundary (E3) */
    int64_t rotation_us;       /* turn of a vehicle when there is not enough for all minima */
    int64_t departure_soon_us; /* who leaves within this time is one class better; 0 never */
};

struct plan_input {
    uint64_t seq;
    int64_t now_us;
    uint32_t slots;
    int64_t site_limit_w; /* min(grid, valid lease or fail-safe) at the modules' input */
    enum limit_reason site_limit_reason;
    int32_t efficiency_permille;
    int32_t i_cc_ma; /* current limit of cable check, precharge and weld test */
    struct plan_rules rules;
    struct plan_slot slot[RM_SLOTS_MAX];
};

struct proposal_module {
    bool mn, run;
    int32_t set_mv, set_ma;
};

/* Targets: the sequencers walk there, one boundary of an island at a time, and the guard permits each step. Currents
 * are those of now: they count on nothing that does not surely conduct yet. */
struct proposal_slot {
    bool edge_closed; /* boundary to the clockwise neighbour */
    bool
        reclaim; /* wanted back at once by an arriving gun, a departure or a fault: the dwell of this slot's own
                         boundary is waived; also set on the arriving slot itself while it is not home */
    bool suspended;   /* gets nothing for now: not enough for every vehicle's least power */
    int16_t owner;    /* slot index whose gun this slot's modules feed, -1 none */
    int32_t budget_w; /* of this slot's gun */
    /* set voltage of this gun's island, a little above the measured one; 0: as the vehicle says */
    int32_t set_mv;
    int32_t capacity_w; /* what the modules of this gun's island could give it now */
    enum limit_reason reason;
    int32_t offered_w; /* what the gun could get if the vehicle wanted more */
    int32_t guide_now_w,
        guide_later_w; /* free gun: what a vehicle would get now and in ten minutes */
    struct proposal_module module[RM_MODULES_PER_SLOT_MAX];
};

struct proposal {
    uint64_t seq;     /* of the plan_input it answers */
    int64_t input_us; /* now_us of that input: the proposal's age counts from here */
    uint32_t slots;
    int16_t guide_slot; /* the free gun to recommend, -1 none */
    struct proposal_slot slot[RM_SLOTS_MAX];
};

#endif
