/* What the files of the virtual hub share: the state of everything physical. Not for users of plant.h. */
#ifndef RINGMAIN_TESTS_PLANT_PLANT_PRIVATE_H
#define RINGMAIN_TESTS_PLANT_PLANT_PRIVATE_H

#include "tests/plant/judge.h"
#include "tests/plant/plant.h"
#include "tests/plant/random.h"

#define PLANT_TICK_US 1000
#define NEVER         INT64_MAX

/* ---- contactors (contactor.c) ---- */
struct contactor {
    bool fitted, coil;       /* coil energised */
    bool closed;             /* main contacts conduct */
    bool aux;                /* auxiliary contact: what feedback reports */
    bool welded;             /* injected: contacts do not open */
    bool stuck_open;         /* injected: contacts do not close */
    int8_t feedback_fault;   /* 0 none, 1 frozen, 2 inverted */
    uint8_t bounces;         /* moves still to come after the first contact */
    double slow_ms;          /* injected: added to operate and release */
    double bounce_ms;        /* injected: length of each bounce, several of them */
    int64_t move_us, aux_us; /* when contacts and auxiliary contact follow; NEVER: at rest */
    int64_t
        injected_until_us; /* an injected fault moves it, or did so lately: the judge blames nobody */
    double current_a;      /* through the contacts in the last tick */
    uint32_t operations;
};

/* ---- power modules (rectifier.c) ---- */
struct rectifier {
    uint8_t interface, address;
    double rated_w, max_a, max_v, min_v;
    bool mn_on_plc;
    /* what the host set */
    bool on;
    double set_v, set_a;
    /* converter */
    bool converting;
    int64_t start_us;    /* soft start ends */
    double ref_v, lim_a; /* ramped references */
    double v, a;         /* output terminals, before MN */
    double bleed_s;      /* conductance of the discharge, S */
    double temp_c;
    bool tripped; /* protection, until switched off and on again */
    int64_t heard_us;
    /* injected */
    bool silent, fault_trip, runaway, runaway_deaf;
    double overtemp_c; /* 0 none */
};

/* ---- PLC nodes (node.c, node_rx.c) ---- */
enum node_timer {
    NODE_CHARGE_INFO = 0,
    NODE_SOFTWARE_INFO,
    NODE_HW_STATUS,
    NODE_GCMC_STATUS,
    NODE_RELAY_STATUS,
    NODE_METER,
    NODE_SAFETY,
    NODE_TEMPERATURE,
    NODE_IMD,
    NODE_SENSE,
    NODE_EV_LIMITS,
    NODE_EV_TARGETS,
    NODE_EV_DISPLAY,
    NODE_EV_ENERGY,
    NODE_IDENTITY,
    NODE_SESSION,
    NODE_PILOT,
    NODE_LOGS,
    NODE_TIMERS
};

struct comm_faults { /* injected on the wires of one PLC */
    bool silent, deaf;
    double corrupt, loss, duplicate; /* probability */
    int64_t delay_us;
};

struct node {
    bool relay_mode, use_crc;
    uint8_t interface, plc_id;
    int64_t boot_us; /* running since; in the future while it boots */
    int64_t next_us; /* earliest of the timers */
    int64_t due_us[NODE_TIMERS];
    /* contactor command */
    bool cmd_seen; /* any valid one since boot */
    uint8_t seq_rx, seq_applied;
    bool seen[5]; /* GC MC MN0 MN1 BC as last commanded */
    bool force_off;
    int64_t heard_us; /* last valid contactor command */
    int64_t pulse_end_us[3];
    uint8_t latched_reason; /* RELAYCTRL_TIMEOUT, CRC_FAIL, INTERNAL_ERROR or 0 */
    int64_t crc_bad_us[3];  /* the last three */
    bool opened_by_itself;
    /* safety inputs */
    bool estop_input, estop_latched, chain_open, earth_fault;
    uint8_t switches, chain_mask;
    uint8_t reported_reason;
    /* parameters */
    bool auth_granted, auth_pending_cmd, lock_cmd;
    uint32_t stop_request, limit_frames;
    double offer_v, offer_a, offer_w;
    bool output_enabled;
    bool proto_ok;
    /* lock actuator */
    bool locked;
    int64_t lock_move_us;
    bool lock_broken; /* injected: does not hold */
    bool lock_stuck;  /* injected: does not release */
    /* insulation monitor */
    bool imd_enable, imd_test_cmd;
    uint8_t imd_test; /* 0 idle, 1 running, 2 passed, 3 failed */
    int64_t imd_test_end_us;
    double imd_ohm; /* as measured */
    bool imd_fault, imd_test_fails;
    bool imd_undecided; /* injected: neither sound nor faulty */
    bool cable_check_ok;
    double cable_check_peak_v; /* highest gun voltage during the self-test */
    /* vehicle side the front end talks to */
    uint32_t session_epoch;
    int64_t overvoltage_us; /* since when above the emergency limit; NEVER: not */
    /* meter and sensors */
    double meter_wh, meter_a, meter_frozen_wh;
    bool meter_silent, meter_turn;
    bool sense_silent, sense_invalid;
    double pin_c[2], cable_c;
    double hot_pin_c;    /* injected, 0 none */
    int8_t sensor_fault; /* 1 open, 2 short */
    /* identity events */
    uint8_t rfid_id;
    uint32_t rx_count, tx_count, crc_errors;
    struct comm_faults comm;
    uint32_t changed; /* bit per node_timer: send at once */
};

/* ---- vehicles (vehicle.c) ---- */
enum vehicle_phase {
    VEHICLE_HANDSHAKE = 0,
    VEHICLE_AUTHORISATION,
    VEHICLE_PARAMETERS,
    VEHICLE_CABLE_CHECK,
    VEHICLE_PRECHARGE,
    VEHICLE_POWER_DELIVERY,
    VEHICLE_CHARGE,
    VEHICLE_POWER_OFF,
    VEHICLE_WELDING,
    VEHICLE_SESSION_STOP,
    VEHICLE_DONE
};

struct vehicle {
    bool plugged;
    uint32_t model;
    double capacity_wh, soc_pct, target_soc_pct;
    double nominal_v, ocv_v, resistance_ohm, max_v, max_a, max_w, ramp_a_s;
    bool contactor;       /* the vehicle's own */
    int64_t contactor_us; /* when it follows; NEVER */
    bool contactor_cmd;
    enum vehicle_phase phase;
    enum hlc_stage stage;
    enum cp_state cp;
    int64_t plugged_us, phase_us, wait_us;
    int64_t depart_us;   /* the driver stops the session then; NEVER */
    int64_t leave_us;    /* the driver pulls the plug then; NEVER */
    int64_t no_power_us; /* current below 1 A since; NEVER: not */
    int64_t output_lost_us;
    int64_t stop_seen_us;   /* STOP_REQUEST seen; NEVER */
    int64_t stall_until_us; /* injected: stays in its stage */
    bool started, complete, served, ended, failed, stranded;
    bool driver_stop;
    enum plant_failure failure;
    double target_v, target_a, energy_wh, start_energy_wh;
    double stay_s;
    double insulation_ohm;
    uint8_t mac[6];
    char emaid[20];
    /* injected */
    double lie_v, overdraw_factor;
    bool pilot_lost;
    double short_ohm; /* 0 none */
};

/* ---- judge (judge.c) ---- */
struct judge_slot {
    int64_t emergency_until_us;
    const char *emergency;                /* why */
    int64_t since_us[PLANT_HAZARD_COUNT]; /* condition present since; NEVER: not */
    bool called[PLANT_HAZARD_COUNT];      /* reported in this episode */
    int64_t over_emergency_us;            /* above the emergency voltage limit since; NEVER: not */
    bool lock_lost_by_fault;
    bool arc_pending;         /* one of the arc's hazards is being timed here */
    int64_t arc_us;           /* last tick in which this slot began a live arc */
    int64_t runaway_until_us; /* an injected over-voltage, or just after */
};

/* A run of slots joined by closed boundaries. */
struct arc {
    uint32_t first, count;
    bool ring;
    bool module_driven;  /* a converting module feeds it */
    bool battery_driven; /* a vehicle's battery is on it */
    double v;
};

struct slot {
    double bus_v, gun_v;
    double gun_a;      /* through GC towards the vehicle, this tick */
    double battery_a;  /* into the battery */
    double boundary_a; /* towards cw */
    double bus_bleed_s;
    uint32_t island; /* first slot of the arc it electrically belongs to */
    struct contactor contactor[CONTACTORS_PER_SLOT];
    struct rectifier module[RM_MODULES_PER_SLOT_MAX];
    uint32_t modules;
    int gun; /* connector id, 0 none */
    struct node node;
    struct vehicle vehicle;
    struct judge_slot judge;
    int64_t next_contactor_us; /* earliest move of any contactor */
    int64_t arrive_us;         /* demo: a planned arrival, 0 none */
    int64_t left_us;           /* last departure */
    int64_t gc_opened_us;
    bool quiet; /* nothing electrical to compute */
};

struct delayed_frame {
    int64_t due_us;
    struct can_frame frame;
    uint32_t interface;
    bool to_host;
};
#define DELAYED_MAX 8192

struct active_fault {
    bool used;
    uint32_t kind; /* row of the table */
    uint32_t slot, module, contactor, interface;
    double value;
    int64_t until_us; /* NEVER: until cleared */
};
#define ACTIVE_FAULTS_MAX 1024

struct plant {
    const struct config *config;
    struct plant_options options;
    int64_t start_us, now_us; /* now_us: physics has been computed up to here */
    struct random random;
    uint32_t slots;
    struct slot *slot;
    bool estop;
    bool bus_off[RM_INTERFACES_MAX];      /* wire is down */
    bool bus_off_held[RM_INTERFACES_MAX]; /* a restart fails */
    struct frame_batch *tx;               /* during plant_step */
    struct frame_batch *pending;          /* frames born outside plant_step (answers) */
    struct delayed_frame *delayed;
    uint32_t delayed_count;
    struct active_fault fault[ACTIVE_FAULTS_MAX];
    int64_t next_fault_us, next_arrival_us, slow_us;
    struct plant_hazard hazard[256];
    uint32_t hazard_count;
    struct judge_slot site;
    struct arc arc[RM_SLOTS_MAX];
    uint32_t arcs;                                   /* with anything alive in them, this tick */
    double input_w;                                  /* drawn from the grid by all modules */
    double output_w, battery_w, output_j, battery_j; /* energy book, J since start */
    struct rectifier **source;                       /* scratch of electric.c */
    struct plant_report report;
    uint64_t hash;
    uint8_t by_plc[RM_INTERFACES_MAX][RM_PLC_IDS_MAX]; /* slot + 1, 0 none */
    struct {
        uint8_t slot, module;
    } by_module[RM_INTERFACES_MAX][256]; /* slot + 1, 0 none */
};

/* plant.c */
void plant_event(struct plant *p, enum plant_event_kind kind, uint32_t slot, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
/* A frame towards the host; node NULL: from a module. Applies the wire's faults. */
void plant_send(struct plant *p, uint32_t interface, const struct can_frame *frame,
                const struct comm_faults *faults);
uint32_t plant_slot_of_gun(const struct plant *p, int gun); /* UINT32_MAX none */

/* contactor.c */
void contactor_set(struct plant *p, struct contactor *c, bool close, int64_t now_us);
void contactors_step(struct plant *p, uint32_t slot, int64_t now_us);
/* May be a boundary without its second contactor: conducts when all fitted ones do. */
bool boundary_conducts(const struct plant *p, uint32_t slot);

/* electric.c */
void electric_step(struct plant *p);
#define BUS_CAPACITANCE_F    50e-6
#define GUN_CAPACITANCE_F    4e-6
#define MODULE_CAPACITANCE_F 25e-6

/* rectifier.c */
void rectifier_init(struct rectifier *r, const struct config_module *config, int64_t now_us);
void rectifier_tick(struct plant *p, uint32_t slot, uint32_t module, int64_t now_us); /* 1 ms */
void rectifier_slow(struct plant *p, uint32_t slot, uint32_t module, int64_t now_us, double dt_s);
double rectifier_limit_a(const struct rectifier *r);
/* rectifier_wire.c */
void rectifier_rx(struct plant *p, uint32_t interface, const struct can_frame *frame,
                  int64_t now_us);

/* node.c, node_tx.c */
void node_init(struct plant *p, uint32_t slot, int64_t now_us);
void node_boot(struct plant *p, uint32_t slot, int64_t ready_us);
void node_tick(struct plant *p, uint32_t slot, int64_t now_us);
void node_slow(struct plant *p, uint32_t slot, int64_t now_us, double dt_s); /* 10 ms */
void node_rx(struct plant *p, uint32_t slot, const struct can_frame *frame, int64_t now_us);
uint8_t node_fault_reason(const struct plant *p, const struct slot *s, int64_t now_us);
bool node_running(const struct node *n, int64_t now_us);
void node_swipe(struct plant *p, uint32_t slot, const uint8_t *uid, uint32_t length);
/* one frame of that timer */
void node_transmit(struct plant *p, uint32_t slot, enum node_timer timer, int64_t now_us);
void node_transmit_boot(struct plant *p, uint32_t slot);
void node_transmit_ack(struct plant *p, uint32_t slot, uint8_t param, uint8_t status,
                       uint32_t value);

/* vehicle.c, fleet.c */
void vehicle_arrive(struct plant *p, uint32_t slot, const struct plant_vehicle_wish *wish,
                    uint32_t model, int64_t now_us);
void vehicle_leave(struct plant *p, uint32_t slot, int64_t now_us);
void vehicle_slow(struct plant *p, uint32_t slot, int64_t now_us, double dt_s); /* 10 ms */
void vehicle_tick(struct plant *p, uint32_t slot, int64_t now_us);              /* contactor */
void vehicle_fail(struct plant *p, uint32_t slot, enum plant_failure why, int64_t now_us);
/* CP_STATE_UNKNOWN: mended */
void vehicle_pilot_lost(struct plant *p, uint32_t slot, enum cp_state broken);
void vehicle_unplug_by_force(struct plant *p, uint32_t slot, int64_t now_us);
uint32_t fleet_find(const char *text); /* index, UINT32_MAX none */
uint32_t fleet_draw(struct random *r);
double fleet_power_w(uint32_t model, double soc_pct);
void fleet_draw_session(struct random *r, double *soc_in, double *soc_out, double *visit_s);
double fleet_hour_share(int hour); /* arrivals in that hour over the mean, 1.0 on average */
void arrivals_init(struct plant *p);
void arrivals_slow(struct plant *p, int64_t now_us);

/* faults.c */
void faults_slow(struct plant *p, int64_t now_us);

#endif
