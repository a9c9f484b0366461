/* A tiny host for tests of the virtual hub: it sends the frames a test asks for, keeps the periodic ones going, and can
 * take one vehicle through a session. It has no safety of its own: tests use it to do wrong things, too. */
#ifndef RINGMAIN_TESTS_UNIT_PLANT_HOST_H
#define RINGMAIN_TESTS_UNIT_PLANT_HOST_H

#include "hub_codec.h"
#include "tests/plant/plant.h"

struct host_slot {
    /* what to send */
    bool close[5]; /* GC MC MN0 MN1 BC */
    bool force_off, clear_faults, imd_enable, imd_test, output_enabled;
    bool on[RM_MODULES_PER_SLOT_MAX];
    double set_v[RM_MODULES_PER_SLOT_MAX], set_a[RM_MODULES_PER_SLOT_MAX];
    bool auth, lock;
    uint8_t stop_request;
    double offer_v, offer_a, offer_w;
    uint8_t seq;
    struct hub_gcmc_command sent;
    int64_t command_us, slow_us, module_us;
    bool mute; /* no contactor commands */
    /* what was heard */
    struct hub_gcmc_status gcmc;
    struct hub_relay_status relay;
    struct hub_charge_info charge;
    struct hub_evdc_targets targets;
    struct hub_evdc_max_limits limits;
    struct hub_slot_sense sense;
    struct hub_imd imd;
    struct hub_safety_switch_status safety;
    struct hub_cp_voltage_levels pilot;
    struct hub_gun_temperature temperature;
    struct hub_energy_meter_data meter[2];
    struct hub_config_ack ack;
    uint32_t acks, boots, crc_errors;
    uint32_t count[HUB_MESSAGE_COUNT];
    int64_t at_us[HUB_MESSAGE_COUNT];
    double module_v[RM_MODULES_PER_SLOT_MAX], module_a[RM_MODULES_PER_SLOT_MAX];
    uint32_t module_replies;
    /* the session */
    bool serve;
    int step;
    int64_t step_us;
};

struct host {
    struct config config;
    struct plant *plant;
    int64_t now_us;
    struct frame_batch tx;
    struct host_slot slot[RM_SLOTS_MAX];
    uint32_t error_frames, last_error;
    bool modules_mute;
};

/* config_ring of n slots with two modules each, fast handshake, no arrivals; then 500 ms of all-off commands. */
struct host *host_create(uint32_t n, const struct plant_options *options);
struct host *host_create_with(const struct config *config, const struct plant_options *options);
void host_destroy(struct host *h);
/* Milliseconds of virtual time, the host working along. */
void host_run(struct host *h, uint32_t ms);
/* Until the vehicle at that slot is in this stage; false after ms. */
bool host_run_to_stage(struct host *h, uint32_t slot, enum hlc_stage stage, uint32_t ms);
/* Sends one frame as it is. */
void host_send(struct host *h, uint32_t interface, uint32_t id, const uint8_t data[8]);
void host_config_cmd(struct host *h, uint32_t slot, uint8_t param, uint8_t op, uint32_t value);
/* Raw contactor command with that sequence; good_crc false breaks it. */
void host_command(struct host *h, uint32_t slot, uint8_t seq, bool good_crc);
void host_module_set(struct host *h, uint32_t slot, uint32_t module);
struct plant_report host_report(const struct host *h);
uint32_t host_hazards(const struct host *h, enum plant_hazard_kind kind);
struct plant_gun_state host_state(const struct host *h, uint32_t slot);
/* A vehicle charging at slot at that current; asserts on the way. */
void host_charge(struct host *h, uint32_t slot);

#endif
