/* The configuration of one hub, as every process sees it: loaded once, then read-only.
 *
 * charger.json is read by config_load() (heap, files: at start-up only). The struct itself is flat, without pointers, so
 * that the pure core, the simulator and a proof take it as a value. One table (config_table.c) names every key with
 * type, default, range and unit; loader, docs/configuration.md and configs/charger.schema.json derive from it.
 *
 * The loader puts the slots into ring order: slot[i]'s clockwise neighbour is slot[(i + 1) % slots].
 */
#ifndef RINGMAIN_CONFIGS_CONFIG_H
#define RINGMAIN_CONFIGS_CONFIG_H

#include "configs/plc_messages.h"
#include "shm/base.h"

#include <stdio.h>

enum can_transport { CAN_TRANSPORT_SOCKETCAN = 0, CAN_TRANSPORT_UNIX, CAN_TRANSPORT_UDP };
enum interface_role { INTERFACE_ROLE_PLC = 0, INTERFACE_ROLE_MODULES };
enum contactor_frame { CONTACTOR_FRAME_RELAY = 0, CONTACTOR_FRAME_GCMC };
enum module_protocol { MODULE_PROTOCOL_MAXWELL = 0, MODULE_PROTOCOL_INFYPOWER };
enum meter_source { METER_SOURCE_PLC = 0, METER_SOURCE_SHUNT };
/* How power is shared among vehicles (planner.mode). */
enum sharing_mode {
    SHARING_MODE_LEXIMIN = 0, /* the worst served gets the most that is possible, then the next */
    SHARING_MODE_FIRST_COME,  /* who came first takes what it wants */
    SHARING_MODE_TOTAL,       /* the most power in sum */
    SHARING_MODE_STATIC,      /* every gun from its own slot: no boundary is ever used */
    SHARING_MODE_COUNT
};
enum auth_mode { AUTH_MODE_FREE_VEND = 0, AUTH_MODE_LOCAL_LIST };

struct config_interface {
    char name[16]; /* Linux interface name, or the name of the wire on a socket transport */
    enum interface_role role;
    enum can_transport transport;
    char address
        [96]; /* unix: folder of the sockets; udp: host:port of the far side; socketcan: unused */
    int32_t bitrate_bps;
    bool manage; /* socketcan: set bit rate, state and restart through libsocketcan */
};

struct config_connector {
    int32_t id; /* OCPP connector id, 1.. */
    char label[24];
    int32_t max_current_ma, max_power_w, max_voltage_mv, min_voltage_mv;
    int32_t cable_max_current_ma; /* what the cable carries; default max_current_ma */
    int32_t meter_sample_interval_s;
    bool require_lock;
    uint8_t
        lock_input_switch; /* 0: LOCK_ENGAGED of ChargeInfo; 1..4: that switch input is the lock feedback */
    enum meter_source meter_source;
    int32_t meter_scale_ppm; /* meterScale x 1 000 000; 1 000 000 = 1.0 */
    int64_t meter_offset_wh;
    uint8_t priority_class; /* 0 highest .. 7 */
};

struct config_module {
    char id[16];
    char mn[16];
    uint8_t interface; /* index into interface[] */
    uint8_t address;   /* on its bus; unique per interface */
    bool mn_on_plc;    /* false: MN is the module's own output relay, switched on the module bus */
    int32_t rated_w, max_current_ma, max_voltage_mv, min_voltage_mv;
};

struct config_slot {
    int32_t id;
    uint8_t interface; /* index into interface[], role PLC */
    uint8_t plc_id;    /* 0..15, unique per interface */
    int16_t gun;       /* index into connector[], -1: slot without gun */
    char gc[16], mc[16], bc[16];
    bool has_mc,
        has_bc; /* the boundary to the clockwise neighbour; has_mc false: it can never close */
    int32_t boundary_max_current_ma;
    uint8_t zone; /* e-stop zone, 0 the whole site */
    uint8_t module_count;
    struct config_module module[RM_MODULES_PER_SLOT_MAX];
};

/* Parameters of the interlocks (design/interlocks.md 4.1); names as there, units in the name. */
struct config_interlock {
    int32_t i_open_ma, i_off_ma, i_cc_ma;
    int32_t dv_mc_mv, dv_gc_mv, dv_mn_mv, v_safe_mv;
    int32_t t_close_ms, t_open_ms, t_stale_ms, t_plc_ms, t_mod_soft_ms, t_mod_hard_ms;
    int32_t t_pre_ms, t_dwell_ms, t_ack_ms, t_plan_ms, t_plan2_ms, t_grid_ms;
    int32_t t_estop_ms;         /* 0: at once; at most 500 */
    int32_t t_cable_check_ms;   /* whole cable check, default 25 000 */
    int32_t t_cable_voltage_ms; /* reach the test voltage, 10 000 */
    int32_t t_imd_ms;           /* IMD older than this while energised, 1000 */
    int32_t t_weld_ms;          /* Vgun must fall below v_safe after GC opened */
    int32_t t_discharge_ms;
    int32_t t_lock_ms;
    int32_t t_auth_ms;    /* plugged without authorisation or progress: session attempt ends */
    int32_t t_stage_ms;   /* vehicle does not go on from one stage to the next */
    int32_t t_suspend_ms; /* 0: the vehicle may pause without limit while charging */
    int32_t insulation_min_ohm; /* 100 000 */
    int32_t imd_fail_max;       /* N_fail consecutive failed cable checks: out of service */
    int32_t pin_derate_ddegc, pin_stop_ddegc;       /* 800, 900 */
    int32_t module_derate_ddegc, module_stop_ddegc; /* 750, 850 */
    int32_t sensor_fallback_ma;                     /* current with a broken temperature sensor */
    int32_t t_sensor_stop_ms; /* how long the fallback lasts before the stop */
    int32_t ramp_up_ma_s, ramp_down_ma_s, ramp_error_ma_s, ramp_emergency_ma_s;
    bool discharge_after_cable_check;
    int32_t max_slots; /* longest island */
};

struct config {
    struct {
        char id[48], vendor[24], model[24], firmware_version[52], central_system_uri[256];
        bool use_plc;
        char can_interface[16]; /* default interface of connectors that name none */
    } charge_point;
    struct {
        bool use_crc8, require_https_uploads, module_contactors;
        enum contactor_frame contactor_frame;
        uint8_t boundary_contactors; /* 1 | 2 */
        uint8_t hlc_power_ready_stage;
    } plc;
    struct {
        enum module_protocol protocol;
        int32_t setpoint_min_ms, refresh_ms, poll_ms, status_ms,
            slow_ms;                 /* 100, 500, 250, 500, 2000 */
        int32_t efficiency_permille; /* input power of S12 = output / efficiency */
        int32_t self_off_ms;         /* 10 000 */
    } modules;
    struct config_interface interface[RM_INTERFACES_MAX];
    uint32_t interfaces;
    struct config_connector connector[RM_SLOTS_MAX];
    uint32_t connectors;
    struct config_slot slot[RM_SLOTS_MAX];
    uint32_t slots;
    int32_t module_power_w, default_voltage_mv, planner_period_ms;
    int64_t grid_limit_w, fail_safe_limit_w;
    struct config_interlock interlock;
    struct {
        enum sharing_mode mode;
        int32_t holding_s;          /* how long a new arrangement is expected to last */
        int32_t operation_cost_kj;  /* worth of one operation of a boundary contactor */
        int32_t power_min_w;        /* a served vehicle gets this much or is suspended */
        int32_t rotation_min;       /* turn of a vehicle when not all can have their least power */
        int32_t departure_soon_min; /* who leaves within this time is one class better; 0 never */
    } planner;
    struct {
        char shm_name[64];                        /* default "/ringmain" */
        int32_t guard_cpu, planner_cpu;           /* -1: the last CPU allowed to the process */
        int32_t guard_priority, planner_priority; /* 90, 80 */
        char watchdog_device[64];                 /* "" none (only with --development) */
        int32_t watchdog_timeout_s;
        char run_folder[108]; /* sockets of nrt and of the virtual hub */
    } rt;
    struct {
        enum auth_mode auth_mode;
        char local_list_file[192];
        char event_log_file[192];
        int32_t lease_s;      /* lifetime of the site-limit leases that nrt issues */
        int64_t site_limit_w; /* what nrt leases; at most grid_limit_w */
    } nrt;
    struct {
        int32_t security_profile; /* OCPP security profile 0..3 */
    } security;
    /* Frames of the PLC buses, for the load analysis; period 0: on events only. */
    struct config_plc_timing {
        int32_t period_ms, deadline_ms;
    } plc_timing[PLC_MESSAGE_COUNT];
};

#define CONFIG_ERRORS_MAX 64

/* One finding: where (JSON path such as "slots[3].plcId"), the value found, what is allowed and how to mend it. */
struct config_error {
    char path[96];
    char value[64];
    char text[192];
};

struct config_errors {
    uint32_t count; /* all that were found; the first CONFIG_ERRORS_MAX are kept */
    struct config_error error[CONFIG_ERRORS_MAX];
};

/* Reads and checks a file (at most 1 MiB). All errors are reported at once. 0; -EINVAL with errors filled;
 * -errno when the file cannot be read (errors then holds one entry naming the file). *out is defined only on 0.
 * Start-up only: uses the heap. */
int config_load(const char *path, struct config *out, struct config_errors *errors) RM_MUST_CHECK;
/* As above from text in memory of the given length (need not be terminated). */
int config_parse(const char *json, size_t length, struct config *out,
                 struct config_errors *errors) RM_MUST_CHECK;

/* A ring of n slots with guns and modules_per_slot modules of 30 kW, as charger.json would give it; for tests,
 * benchmarks and simulators. n 1..RM_SLOTS_MAX, modules_per_slot 0..8. Never fails for values in range (asserted). */
void config_ring(struct config *out, uint32_t n, uint32_t modules_per_slot);

/* The overrides of every program's command line, checked as the file's values are; NULL leaves a value alone.
 * transport: "socketcan", "unix:FOLDER" or "udp:HOST:BASEPORT" (interface i gets port BASEPORT + i), for all interfaces.
 * shm_name: "/name". run_folder: folder of the sockets. 0, or -EINVAL with errors filled and the config as it was. */
int config_override(struct config *config, const char *transport, const char *shm_name,
                    const char *run_folder, struct config_errors *errors) RM_MUST_CHECK;

/* config_load(), and on failure every error on err, one paragraph each, with the file's name. 0 or as config_load(). */
int config_load_or_explain(const char *path, struct config *out, FILE *err) RM_MUST_CHECK;
/* The errors alone, as config_load_or_explain() prints them; source names the file or option. */
void config_errors_print(FILE *err, const char *source, const struct config_errors *errors);

/* Index of the interface with that name, or -1. */
int config_interface_index(const struct config *config, const char *name);

#endif
