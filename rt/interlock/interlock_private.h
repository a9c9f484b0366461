/* Shared by the files of rt/interlock/ only: one evaluation and its derived view of every slot. */
#ifndef RINGMAIN_RT_INTERLOCK_PRIVATE_H
#define RINGMAIN_RT_INTERLOCK_PRIVATE_H

#include "rt/interlock/interlock.h"

/* Freshness of sources that the interlocks alone look at; see interlock.h for the others. */
#define STALE_SWITCHES_MS    500   /* SafetySwitchStatus, 200 ms */
#define STALE_TEMPERATURE_MS 1250  /* GunTemperature, 500 ms */
#define LOST_METER_MS        12000 /* 2 s, then 10 s on the modules' readings */

#define T_FORCE_MS 1000 /* error stop: GC is open by then */
#define T_FORCE_ZERO_MS                                                                            \
    600 /* and its current commanded to zero by then, so that it opens without load */
#define T_NORMAL_MS                  10000 /* a normal stop that nobody carries out becomes an error stop */
#define T_MODULE_OFF_MS              500 /* a silent module has this long to obey before its MN opens */
#define T_SHORT_MS                   1000 /* short circuit found in the cable check */
#define T_OVERCURRENT_MS             1000
#define T_FORCED_ECHO_MS             2000 /* how long a PLC may report our own FORCE_ALL_OFF */
#define T_OVERVOLTAGE_PEAK_MS        9
#define T_OVERVOLTAGE_MS             400
#define T_OVERVOLTAGE_LAST_MS        2500
#define OVERVOLTAGE_MARGIN_MV        5000 /* measuring and regulation error above the negotiated maximum */
#define CABLE_CHECK_MARGIN_MV        10000
#define FOLLOW_MV                    5000 /* S6: "no voltage across it" */
#define EQUAL_MV                     1000 /* M5 */
#define TEMPERATURE_RETURN_DDEGC     50  /* below the stop before a hot connector may serve again */
#define UNKNOWN_TEMPERATURE_PERMILLE 500 /* S7: a module that does not tell its temperature */
#define SET_MV_MAX                   1500000
#define SET_MA_MAX                   1000000
#define EVIDENCE                     2       /* samples in a row that make a verdict of S5 and S6 */
#define COMPONENT_NONE               0xffffu /* a note about the slot as a whole */

/* A large scratch struct that is filled before it is read: keeps -ftrivial-auto-var-init from clearing it every step. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALISED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALISED
#define UNINITIALISED
#endif

#define FAULT_BIT(code) (UINT64_C(1) << (code))
#define KIND_BIT(kind)  ((uint16_t)(1u << (kind)))
#define BOUNDARY_BITS   (KIND_BIT(CONTACTOR_MC) | KIND_BIT(CONTACTOR_BC))

/* What a step knows of one slot. Bits are by enum contactor_kind.
 * may: literal two-sided topology, for everything that closes. hold: the same without mere silence of a contactor that
 * was told to open and confirmed it: for what stops running guns. stray: conducts by evidence, against its command.
 * mute: fell silent without having read open. */
struct slot_view {
    uint16_t fitted, may, hold, sure, stray, mute;
    uint16_t commanded;      /* closed, by the last output */
    uint16_t faulty;         /* stuck, welded or untrusted */
    bool cp_fresh, cp_ready; /* ready: C or D */
    bool live_hold;          /* GC may be closed or the inlet is energised */
    bool staged;             /* live by its vehicle's stage alone */
    bool serving;            /* M3: a vehicle between cable check and ramp-down */
    enum hlc_stage stage;    /* NONE when not fresh */
    bool bus_known, gun_known;
    int32_t bus_mv, gun_mv;
    int32_t negotiated_mv; /* the vehicle's maximum of this session, 0 unknown */
    int64_t set_sum_ma;    /* current commanded by the last output */
};

/* What a step knows of one component, kept at its lowest slot. */
struct island {
    uint16_t slots, guns, live;
    bool lent; /* an edge in it was commanded to conduct */
};

/* More of a component under hold. What follows lent, up to unsettled, is known only where lent. */
struct joint {
    int64_t set_ma;  /* commanded by the last output */
    uint16_t staged; /* slots that are live by their vehicle's stage alone */
    bool stray;      /* an edge in it conducts against its command */
    bool lent;
    uint64_t shared;    /* faults of one slot that are those of the whole bus */
    bool unreachable;   /* a connected module's bus is down */
    bool overdue;       /* a slot that is to leave stays joined */
    bool emergency;     /* of the gun: everything off */
    bool served;        /* a GC is commanded closed */
    bool waits;         /* S2: GC waits for the current to fall */
    bool leaving;       /* the gun is on a way down */
    bool arriving;      /* a vehicle is plugged in beside the one that is served */
    bool checking;      /* N4 */
    uint16_t unsettled; /* edges that do not surely conduct */
    bool joins;         /* commanded to be joined in this step */
};

/* One side of a boundary that asks to close: a component under may, kept at its lowest slot. */
struct side {
    bool checking;      /* N4 */
    bool unsettled;     /* something in it is on its way */
    bool stopping;      /* its gun is on a way down, or one of its slots goes out of service */
    bool monitored;     /* E6: its enabled monitor says that it is sound */
    bool current_known; /* of all its modules */
    int64_t current_ma; /* sum of their sizes, measured */
    int64_t set_ma;
};

/* Power of one component under hold, kept at its lowest slot; M3 to M5. */
struct power {
    uint16_t guns;           /* that are commanded closed */
    uint16_t gun;            /* the last of them */
    int32_t low_mv, high_mv; /* wanted by running modules; high 0 none runs */
    int64_t set_ma;          /* wanted by running modules */
    int64_t last_ma;         /* commanded of them by the last output */
    int64_t shared_ma;       /* of set_ma, shared out so far */
    int64_t held_ma;         /* what modules out of command may still deliver */
    int32_t bound_mv;        /* M5 */
    int64_t budget_ma;       /* M4 */
};

struct step {
    struct interlock_state *s;
    const struct config *config;
    const struct image *image;
    const struct interlock_in *in;
    const struct request *request;
    struct output *out;
    int64_t now_us;
    uint32_t slots;
    int64_t contactor_stale_us; /* of contactors that the PLC switches */
    int64_t relay_stale_us;     /* of contactors on the module bus */
    int32_t sense_stale_ms, module_stale_ms, slow_stale_ms;
    bool plan_late;   /* S8: nothing closes, nothing rises */
    bool ring_closed; /* T2 broken, by may */
    bool ring_held;   /* by hold: more than a reading that says nothing */
    bool lent;        /* some component is joined by command */
    struct slot_view view[RM_SLOTS_MAX];
    bool edge_may[RM_SLOTS_MAX], edge_hold[RM_SLOTS_MAX], edge_stray[RM_SLOTS_MAX];
    bool edge_leaves[RM_SLOTS_MAX];    /* it is to open: nothing may flow over it */
    bool joins;                        /* some edge is */
    bool edge_joins[RM_SLOTS_MAX];     /* commanded to conduct in this step */
    bool out_of_service[RM_SLOTS_MAX]; /* E4: nothing joins it */
    bool moved[RM_SLOTS_MAX];          /* T5, by component under may */
    uint16_t component_may[RM_SLOTS_MAX], component_hold[RM_SLOTS_MAX]; /* lowest slot of each */
    uint16_t component_sure[RM_SLOTS_MAX];
    uint16_t watch[RM_SLOTS_MAX];                        /* N1: slots that share a monitor */
    struct island may[RM_SLOTS_MAX], hold[RM_SLOTS_MAX]; /* by lowest slot */
    struct joint joint[RM_SLOTS_MAX];
    struct side side[RM_SLOTS_MAX];
    struct power power[RM_SLOTS_MAX];
};

/* --- interlock.c */
int32_t interlock_periods_ms(const struct config *config, int32_t period_ms); /* 2.5 of them */
int32_t interlock_sense_stale_ms(const struct config *config); /* bus and gun voltage */
void interlock_note(struct step *st, enum rule_id rule, uint32_t slot, unsigned component);
/* --- contactor.c */
void contactor_init(struct contactor_book *book, bool fitted, int64_t now_us);
const struct image_contactor *contactor_image(const struct config *config,
                                              const struct image *image, uint32_t slot,
                                              unsigned kind);
/* Judges what feedback is new, then fills fitted, may, hold, sure, stray of the slot's view. */
void contactor_look(struct step *st, uint32_t slot);
void contactor_change(struct step *st, uint32_t slot, unsigned kind, bool closed);

/* --- topology.c */
void topology_evaluate(struct step *st);
void topology_count(struct step *st);
void topology_sure(struct step *st); /* again, after commands of this step */
uint32_t topology_first(const struct step *st, uint32_t slot);
bool topology_alone(const struct step *st, uint32_t slot, bool closing);

/* --- faults.c */
void faults_estop(struct step *st);
void faults_slot(struct step *st, uint32_t slot);
void faults_demand(struct step *st, uint32_t slot); /* the stop they demand */
bool faults_only_estop(const struct step *st, uint32_t slot);
bool faults_only_weld(const struct interlock_slot *own);
bool faults_force_off(const struct interlock_slot *own);
uint64_t faults_latching(void);
bool faults_dead_and_open(const struct step *st, uint32_t slot);
/* --- faults_contactor.c */
uint64_t faults_contactor(struct step *st, uint32_t slot);
/* --- faults_session.c: those of a vehicle's session */
uint64_t faults_session(struct step *st, uint32_t slot);
/* --- boot.c */
void boot_slot(struct step *st, uint32_t slot);

/* --- island.c: faults of one slot that are those of all that are joined to it */
void island_faults(struct step *st);
void island_look(struct step *st);

/* --- edge.c: when a boundary opens */
void edge_guard(struct step *st);
bool edge_blocked(const struct step *st, uint32_t slot); /* E4: it cannot close */
bool edge_fitted(const struct step *st, uint32_t slot, unsigned kind);
void edge_command(struct step *st, uint32_t slot, unsigned kind, bool closed);
void edge_refuse(struct step *st, uint32_t slot, enum rule_id rule, unsigned kind);
/* --- edge_close.c: when it closes */
void edge_close(struct step *st);
/* --- flow.c: E5 */
int64_t flow_beyond_ma(const struct step *st, uint32_t slot); /* commanded by the last output */
void flow_apply(struct step *st);

/* --- gun.c */
void interlock_gun_look(struct step *st, uint32_t slot); /* control pilot, stage, voltages, live */
void gun_guard(struct step *st, uint32_t slot);
void gun_lock(struct step *st, uint32_t slot);
/* --- gun_values.c: what is known of a gun's current and voltage */
bool gun_current(const struct step *st, uint32_t slot, int32_t *current_ma); /* false unknown */
int32_t interlock_gun_cable_check_mv(const struct step *st, uint32_t slot);  /* 0 unknown */
int32_t gun_overvoltage_mv(int32_t negotiated_mv);
bool gun_power_ready(const struct step *st, uint32_t slot);

/* --- insulation.c */
uint64_t insulation_faults(struct step *st, uint32_t slot);
bool insulation_testing(const struct step *st, uint32_t slot);
bool insulation_sound(const struct step *st, uint32_t slot);
void insulation_guard(struct step *st);

/* --- module.c */
uint64_t module_faults(struct step *st, uint32_t slot);
bool module_unreachable(const struct step *st, uint32_t slot); /* one that is connected */
int32_t module_temperature_permille(const struct config_interlock *limit,
                                    const struct sample *temperature, int64_t now_us,
                                    int32_t stale_ms);
int64_t module_capability_w(const struct config *config, const struct image *image, uint32_t slot,
                            uint32_t module);
void module_contactors(struct step *st, uint32_t slot);
void module_setpoints(struct step *st, uint32_t slot); /* M3, M6, S8, ranges */
/* --- budget.c */
void budget_islands(struct step *st); /* which gun each component's power is for */
void budget_apply(struct step *st);   /* M4, M5, and the ramps of a stop */
/* --- limits.c */
void limits_books(struct step *st, uint32_t slot); /* what the modules may be delivering */
void limits_apply(struct step *st);                /* S12, S13 */

static inline const struct config_connector *slot_connector(const struct step *st, uint32_t slot) {
    const int16_t gun = st->config->slot[slot].gun;
    return gun < 0 ? NULL : &st->config->connector[gun];
}

static inline bool is_fresh(const struct step *st, const struct sample *sample, int32_t ms) {
    return sample_fresh(sample, st->now_us, ms);
}

static inline bool is_set(const struct step *st, const struct sample *sample, int32_t ms) {
    return sample_fresh(sample, st->now_us, ms) && sample->value == 1;
}

static inline bool is_clear(const struct step *st, const struct sample *sample, int32_t ms) {
    return sample_fresh(sample, st->now_us, ms) && sample->value == 0;
}

static inline uint64_t fault_if(bool condition, enum fault_code code) {
    return condition ? FAULT_BIT(code) : 0;
}

static inline bool gun_commanded(const struct step *st, uint32_t slot) {
    return st->s->slot[slot].contactor[CONTACTOR_GC].command;
}

static inline uint32_t slot_after(const struct step *st, uint32_t slot) {
    return slot + 1 < st->slots ? slot + 1 : 0;
}

static inline uint32_t slot_before(const struct step *st, uint32_t slot) {
    return slot > 0 ? slot - 1 : st->slots - 1;
}

/* What a slot is joined to, itself included. */
static inline struct joint *slot_joint(struct step *st, uint32_t slot) {
    return &st->joint[st->component_hold[slot]];
}

static inline bool contactor_confirmed_open(const struct step *st, uint32_t slot, unsigned kind) {
    return (st->view[slot].may & KIND_BIT(kind)) == 0;
}

static inline void contactor_command(struct step *st, uint32_t slot, unsigned kind, bool closed) {
    if (st->s->slot[slot].contactor[kind].command != closed) {
        contactor_change(st, slot, kind, closed);
    }
}

/* true once the condition has held for ms; *since_us is its timer, 0 while it does not hold */
static inline bool interlock_held(int64_t *since_us, bool condition, int64_t now_us, int32_t ms) {
    if (!condition) {
        *since_us = 0;
        return false;
    }
    if (*since_us == 0) {
        *since_us = now_us;
    }
    return now_us - *since_us >= (int64_t)ms * 1000;
}

static inline int32_t min_i32(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static inline int32_t abs_i32(int32_t a) {
    return a < 0 ? (a == INT32_MIN ? INT32_MAX : -a) : a;
}

static inline int32_t difference_mv(int32_t a, int32_t b) {
    const int64_t d = (int64_t)a - b;
    const int64_t size = d < 0 ? -d : d;
    return size > INT32_MAX ? INT32_MAX : (int32_t)size;
}

#endif
