/* The virtual hub: PLC nodes, power modules, the ring bus, vehicles, and the judge, on a virtual clock.
 *
 * One struct plant is one hub as a struct config describes it, seen from the far end of its CAN wires: frames from the
 * host go in by plant_rx(), frames of the hub come out of plant_step(). Nothing here reads a clock or does I/O; the same
 * options, seed and calls give the same results, bit for bit. It shares no code with ringmain-rt but the generated CAN
 * codec. Uses the heap and floating point. Not thread-safe.
 *
 * "gun" in the commands is the connector id of the configuration (1..); "slot" is an index in ring order.
 * Functions that return enum plant_result change nothing unless they return PLANT_OK.
 */
#ifndef RINGMAIN_TESTS_PLANT_PLANT_H
#define RINGMAIN_TESTS_PLANT_PLANT_H

#include "configs/config.h"
#include "rt/frames.h"
#include "shm/vocabulary.h"

struct plant;

enum plant_arrivals {
    PLANT_ARRIVALS_NONE = 0, /* only plant_plug() */
    PLANT_ARRIVALS_CONSTANT, /* Poisson, arrivals_per_hour */
    PLANT_ARRIVALS_PROFILE, /* Poisson, arrivals_per_hour on average, by hour of day as in the session data */
    PLANT_ARRIVALS_DEMO /* ten cars in the first 20 s, two of them nearly full; then CONSTANT; short visits */
};

/* From plug to the authorisation request, and all other waits of a vehicle in proportion. */
enum plant_handshake {
    PLANT_HANDSHAKE_REALISTIC = 0, /* 12 s */
    PLANT_HANDSHAKE_MEDIUM,        /* 3 s */
    PLANT_HANDSHAKE_FAST           /* 0.5 s */
};

enum plant_event_kind {
    PLANT_EVENT_ARRIVAL, /* plugged in */
    PLANT_EVENT_DEPARTURE,
    PLANT_EVENT_STAGE, /* HLC stage changed */
    PLANT_EVENT_SESSION_END,
    PLANT_EVENT_FAULT,     /* injected or cleared */
    PLANT_EVENT_CONTACTOR, /* main contacts moved */
    PLANT_EVENT_NODE,      /* PLC: watchdog, boot, own fault */
    PLANT_EVENT_HAZARD
};

struct plant_event {
    enum plant_event_kind kind;
    int64_t at_us; /* on the caller's clock */
    uint32_t slot; /* UINT32_MAX: the whole site */
    char text[160];
};

struct plant_options {
    uint64_t seed;
    enum plant_arrivals arrivals;
    double arrivals_per_hour; /* whole hub at factor 1; 0: the default of the mode */
    double arrival_factor;    /* 0 means 1 */
    double start_hour;        /* of day, for PROFILE; 0..24 */
    enum plant_handshake handshake;
    double faults_per_hour; /* seeded schedule over the whole fault table, whole hub; 0 none */
    bool
        estop_soft; /* the hard-wired emergency-stop path is cut: PLCs report the button, the host must open */
    void (*on_event)(void *context, const struct plant_event *event); /* NULL: none */
    void *context;
};

/* NULL when out of memory. config must outlive the plant. */
struct plant *plant_create(const struct config *config, const struct plant_options *options,
                           int64_t now_us);
void plant_destroy(struct plant *p);

/* A frame from the host. Error frames: CAN_ERR_FLAG | CAN_ERR_RESTARTED asks for a restart after bus-off. Frames of
 * an unknown interface are ignored and counted. now_us must not be before the last call's. */
void plant_rx(struct plant *p, uint32_t interface, const struct can_frame *frame, int64_t now_us);
/* Advances the hub to now_us (internal step 1 ms) and appends its frames to tx. Steps of at most 100 ms keep a batch
 * from overflowing. */
void plant_step(struct plant *p, int64_t now_us, struct frame_batch *tx);
/* The caller was kept from stepping and its clock from moving, so long that the host has heard silence from every PLC:
 * what the host then opens under load is excused, and counted, as after any other silence. */
void plant_stood_still(struct plant *p);

/* ---- what people do ---------------------------------------------------------------------------------------- */

enum plant_result {
    PLANT_OK = 0,
    PLANT_NO_SUCH_GUN,
    PLANT_NO_SUCH_MODEL,
    PLANT_NO_SUCH_FAULT,
    PLANT_NO_SUCH_MODULE,
    PLANT_NO_SUCH_CONTACTOR,
    PLANT_OCCUPIED,  /* a vehicle is plugged in there */
    PLANT_EMPTY,     /* none is */
    PLANT_LOCKED,    /* the connector lock holds the plug */
    PLANT_BAD_VALUE, /* out of range */
    PLANT_NEEDS_GUN  /* this fault is one gun's */
};
const char *plant_result_text(enum plant_result result);

struct plant_vehicle_wish {
    const char *model;     /* "brand model" or a part of it; NULL: drawn by the seed */
    uint32_t model_number; /* 1 + index of plant_model(), instead of a name; 0: by name or drawn */
    double soc_pct;        /* on arrival; negative: drawn */
    double target_soc_pct; /* negative: drawn */
    double visit_s;        /* the driver stops the session that long after plugging in; 0: never */
    double
        stay_s; /* driver unplugs that long after the session ended; negative: drawn; INFINITY: never */
};
enum plant_result plant_plug(struct plant *p, int gun, const struct plant_vehicle_wish *wish);
/* The driver pulls the plug: PLANT_LOCKED while the lock holds it. by_force tears it out of a closed lock. */
enum plant_result plant_unplug(struct plant *p, int gun, bool by_force);
enum plant_result plant_driver_stop(struct plant *p, int gun);                /* stop in the car */
enum plant_result plant_swipe(struct plant *p, int gun, const char *uid_hex); /* 4, 7 or 10 bytes */
void plant_estop(struct plant *p, bool pressed);
enum plant_result plant_arrivals(struct plant *p, double factor); /* 0 stops arrivals */

/* ---- faults ------------------------------------------------------------------------------------------------ */

struct plant_fault {
    int gun;               /* connector id; 0: by the table the whole site, or not needed */
    int module;            /* index in the slot, default 0 */
    const char *contactor; /* "GC", "MC", "BC", "MN0" ..; NULL: GC */
    double value;          /* NAN: the table's default */
    int64_t for_ms;        /* 0: until cleared */
};
enum plant_result plant_inject(struct plant *p, const char *name, const struct plant_fault *fault);
/* Removes injected faults of one gun, 0 of all. Welds and burnt parts are repaired, the button is released. */
enum plant_result plant_clear(struct plant *p, int gun);

enum plant_fault_scope {
    PLANT_SCOPE_GUN,
    PLANT_SCOPE_MODULE,
    PLANT_SCOPE_CONTACTOR,
    PLANT_SCOPE_INTERFACE,
    PLANT_SCOPE_SITE
};
struct plant_fault_info {
    const char *name;
    enum plant_fault_scope scope;
    const char *value; /* what value means, "" none */
    double value_default;
    const char *text;
};
/* The table; *count entries. */
const struct plant_fault_info *plant_fault_table(uint32_t *count);

/* ---- what happened ----------------------------------------------------------------------------------------- */

/* What the judge calls. HAZARD(enumerator, name, meaning) */
/* clang-format off */
#define PLANT_HAZARDS(HAZARD) \
    HAZARD(CLOSED_LIVE,      "closed-live",      "contactor closed across more than 30 V") \
    HAZARD(OPENED_LOADED,    "opened-loaded",    "contactor opened above 10 A outside an emergency") \
    HAZARD(TWO_VEHICLES,     "two-vehicles",     "two vehicles on one bus") \
    HAZARD(UNLOCKED,         "unlocked",         "vehicle energised while the connector is unlocked") \
    HAZARD(PILOT,            "pilot",            "vehicle energised with the control pilot not in C or D") \
    HAZARD(OVERVOLTAGE,      "overvoltage",      "output above the vehicle's maximum voltage") \
    HAZARD(OVERCURRENT,      "overcurrent",      "output above the vehicle's maximum current") \
    HAZARD(RING_CLOSED,      "ring-closed",      "every boundary of the ring conducts") \
    HAZARD(NO_IMD,           "no-imd",           "energised without insulation monitor") \
    HAZARD(GRID,             "grid",             "site power above the grid limit") \
    HAZARD(NOBODY,           "nobody",           "bus energised with nobody there")
/* clang-format on */
enum plant_hazard_kind {
#define HAZARD(e, name, text) PLANT_HAZARD_##e,
    PLANT_HAZARDS(HAZARD)
#undef HAZARD
        PLANT_HAZARD_COUNT
};
const char *plant_hazard_name(unsigned kind);
const char *plant_hazard_text(unsigned kind);

struct plant_hazard {
    enum plant_hazard_kind kind;
    int64_t at_us; /* since plant_create */
    uint32_t slot;
    double value; /* the figure that went too far: V, A or W */
    char detail[120];
};
/* The first 256 are kept; plant_report.hazards counts all. */
uint32_t plant_hazards(const struct plant *p, const struct plant_hazard **list);

#define PLANT_FAILURES(FAILURE)                                                                    \
    FAILURE(NO_AUTHORISATION, "no-authorisation")                                                  \
    FAILURE(NO_LOCK, "no-lock")                                                                    \
    FAILURE(CABLE_CHECK, "cable-check")                                                            \
    FAILURE(PRECHARGE, "precharge")                                                                \
    FAILURE(NO_POWER_PATH, "no-power-path")                                                        \
    FAILURE(NO_POWER, "no-power")                                                                  \
    FAILURE(HOST_ERROR, "host-error")                                                              \
    FAILURE(HOST_EMERGENCY, "host-emergency")                                                      \
    FAILURE(HOST_STOP_EARLY, "host-stop-early")                                                    \
    FAILURE(EMERGENCY, "emergency")                                                                \
    FAILURE(UNPLUGGED, "unplugged")                                                                \
    FAILURE(PLC_LOST, "plc-lost")                                                                  \
    FAILURE(OUTPUT_LOST, "output-lost")                                                            \
    FAILURE(VEHICLE_FAULT, "vehicle-fault")                                                        \
    FAILURE(NOT_UNLOCKED, "not-unlocked")
enum plant_failure {
    PLANT_FAILURE_NONE = 0,
#define FAILURE(e, name) PLANT_FAILURE_##e,
    PLANT_FAILURES(FAILURE)
#undef FAILURE
        PLANT_FAILURE_COUNT
};
const char *plant_failure_name(unsigned failure);

struct plant_report {
    double elapsed_s;
    uint32_t arrivals, turned_away; /* turned away: no free gun */
    uint32_t sessions_started;      /* vehicles that began to talk to the charger */
    uint32_t
        sessions_completed; /* ended as the vehicle or driver wanted, or by a normal stop of the host after energy */
    uint32_t sessions_failed;
    /* of the failed sessions; beside them NOT_UNLOCKED: drivers held by the lock after their session */
    uint32_t failures[PLANT_FAILURE_COUNT];
    uint32_t vehicles; /* plugged in now */
    uint32_t charging; /* drawing current now */
    double energy_wh;  /* into batteries */
    double output_wh;  /* out of modules */
    double grid_power_w, grid_peak_w;
    double
        first_charge_s; /* from plant_create to the first current above 1 A; negative: none yet */
    uint32_t hazards, hazards_by_kind[PLANT_HAZARD_COUNT];
    uint32_t excused
        [PLANT_HAZARD_COUNT]; /* would-be hazards that an emergency or injected fault explains */
    uint32_t faults_injected;
    uint64_t frames_rx, frames_tx, crc_errors, format_errors;
    uint64_t hash; /* over the whole physical state: equal runs have equal hashes */
};
void plant_report(const struct plant *p, struct plant_report *out);

struct plant_gun_state {
    bool plugged, locked, vehicle_contactor, imd_enabled;
    bool contactor[CONTACTORS_PER_SLOT]; /* main contacts closed */
    int64_t gc_opened_us;                /* when GC's contacts last opened; 0 never */
    char model[64];
    enum hlc_stage stage;
    enum cp_state cp;
    double soc_pct, target_soc_pct, battery_v;
    double bus_v, gun_v, gun_a, boundary_a, power_w, energy_wh, insulation_ohm;
    double ev_max_v, ev_max_a, target_v, target_a;
    double pin_c;
    double meter_wh; /* register of the energy meter, unrounded */
    uint32_t modules;
    double module_v[RM_MODULES_PER_SLOT_MAX], module_a[RM_MODULES_PER_SLOT_MAX];
    bool module_on[RM_MODULES_PER_SLOT_MAX];
    uint8_t plc_fault_reason;
    uint32_t sessions;
};
enum plant_result plant_gun_state(const struct plant *p, int gun, struct plant_gun_state *out);
/* By slot index, also for slots without a gun. */
void plant_slot_state(const struct plant *p, uint32_t slot, struct plant_gun_state *out);

/* ---- models ------------------------------------------------------------------------------------------------ */

struct plant_model {
    const char *brand, *model, *variant;
    int year;
    double usable_wh, max_w, nominal_v;
};
uint32_t plant_models(void);
struct plant_model plant_model(uint32_t index);

/* The battery at that state of charge, as a vehicle of the hub has it. */
struct plant_battery {
    double capacity_wh, ocv_v, resistance_ohm;
    double max_v, max_a, max_w; /* what the vehicle tells the charger */
    double wish_w;              /* what it would take at its inlet: its charge curve */
};
struct plant_battery plant_model_battery(uint32_t index, double soc_pct);

/* The measured sessions that vehicles are drawn from, and their arrivals: hour's share over the mean, 1.0 on average. */
struct plant_visit {
    double soc_in_pct, soc_out_pct;
};
uint32_t plant_visits(void);
struct plant_visit plant_visit(uint32_t index);
double plant_hour_share(int hour);

#endif
