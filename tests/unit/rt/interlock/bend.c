/* Ways of bending a hub, for tests that draw their cases: values, ages, contactors, requests. */
#include "tests/unit/rt/interlock/bend.h"

#include <string.h>

static uint64_t seed;

void bend_seed(uint64_t start) {
    seed = start;
}

uint32_t dice(uint32_t sides) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % sides);
}

bool one_in(uint32_t sides) {
    return dice(sides) == 0;
}

static int32_t any_value(void) {
    static const int32_t special[] = {0,      1,      -1,     999,    1000,      1001,      2000,
                                      5000,   5001,   59999,  60000,  60001,     100000,    300000,
                                      400000, 500000, 550001, 935001, INT32_MAX, INT32_MIN, 850};
    return special[dice(sizeof special / sizeof special[0])];
}

static void bend_sample(struct hub *hub, struct sample *sample, int32_t value) {
    static const int32_t age_ms[] = {0, 0, 0, 100, 249, 251, 299, 301, 501, 1251, 15001};
    sample->value = value;
    sample->valid = !one_in(6);
    sample->at_us = hub->now_us - (int64_t)age_ms[dice(11)] * 1000;
}

static void bend_contactor(struct hub *hub, uint32_t slot) {
    const unsigned kind = dice(CONTACTOR_MN0 + 3);
    hub->contactor[slot][kind] = one_in(3) ? (enum follow)dice(6) : FOLLOW;
}

static void bend_vehicle(struct hub *hub, struct image_slot *image) {
    switch (dice(10)) {
    case 0: bend_sample(hub, &image->cp_state, (int32_t)dice(8)); break;
    case 1: bend_sample(hub, &image->lock, (int32_t)dice(2)); break;
    case 2: bend_sample(hub, &image->hlc_stage, (int32_t)dice(16)); break;
    case 3: bend_sample(hub, &image->ev_max_mv, any_value()); break;
    case 4: bend_sample(hub, &image->ev_max_ma, any_value()); break;
    case 5: bend_sample(hub, &image->ev_target_ma, any_value()); break;
    case 6: image->charge_complete = one_in(2); break;
    case 7: image->precharge_active = one_in(2); break;
    case 8: image->cable_check_ok = one_in(2); break;
    default: image->auth_granted = one_in(2); break;
    }
}

static void bend_plc(struct hub *hub, struct image_slot *image) {
    switch (dice(20)) {
    case 0: bend_sample(hub, &image->contactor_status, 1); break;
    case 1: bend_sample(hub, &image->safety_ok, (int32_t)dice(2)); break;
    case 2: bend_sample(hub, &image->estop, one_in(4)); break;
    case 3: bend_sample(hub, &image->estop_input, one_in(4)); break;
    case 4: bend_sample(hub, &image->earth_fault, one_in(4)); break;
    case 5: bend_sample(hub, &image->bus_mv, any_value()); break;
    case 6: bend_sample(hub, &image->gun_mv, any_value()); break;
    case 7: bend_sample(hub, &image->gun_ma, any_value()); break;
    case 8: bend_sample(hub, &image->boundary_ma, any_value()); break;
    case 9: bend_sample(hub, &image->pin_plus_ddegc, any_value()); break;
    case 10: bend_sample(hub, &image->pin_minus_ddegc, any_value()); break;
    case 11: bend_sample(hub, &image->insulation_ohm, any_value()); break;
    case 12: bend_sample(hub, &image->imd, (int32_t)dice(4)); break;
    case 13: image->imd_self_test = (uint8_t)dice(4); break;
    case 14: image->imd_enabled = one_in(2); break;
    case 15: image->plc_fault_reason = one_in(2) ? (uint8_t)dice(14) : 0; break;
    case 16: image->interface_down = one_in(3); break;
    case 17: image->plc_crc_mode_fault = one_in(4); break;
    case 18: image->plc_comm_fault = one_in(3); break;
    default: image->plc_ack_fault = one_in(5); break;
    }
}

static void bend_module(struct hub *hub, struct image_module *module) {
    switch (dice(7)) {
    case 0: bend_sample(hub, &module->voltage_mv, any_value()); break;
    case 1: bend_sample(hub, &module->current_ma, any_value()); break;
    case 2: bend_sample(hub, &module->temperature_ddegc, any_value()); break;
    case 3: bend_sample(hub, &module->capability_w, any_value()); break;
    case 4: bend_sample(hub, &module->capability_ma, any_value()); break;
    case 5: module->alarm_bits = one_in(2) ? dice(128) : 0; break;
    default: module->last_rx_us = hub->now_us - (int64_t)dice(20) * SECOND; break;
    }
}

void bend_slot(struct hub *hub, uint32_t slot) {
    struct image_slot *image = &hub->image.slot[slot];
    switch (dice(4)) {
    case 0: bend_vehicle(hub, image); break;
    case 1: bend_plc(hub, image); break;
    case 2: bend_module(hub, &image->module[dice(2)]); break;
    default: bend_contactor(hub, slot); break;
    }
}

void any_request(struct hub *hub, uint32_t slot) {
    struct request_slot *request = &hub->request.slot[slot];
    request->gc = !one_in(3);
    request->mc = one_in(4);
    request->bc = one_in(4);
    request->lock = one_in(2);
    request->imd_enable = !one_in(3);
    request->imd_self_test = one_in(3);
    request->purpose = one_in(3) ? (enum power_purpose)dice(9) : POWER_PURPOSE_SERVE;
    request->stop = one_in(6) ? (enum stop_class)dice(7) : STOP_CLASS_NONE;
    request->state = (enum gun_state)dice(GUN_STATE_COUNT);
    for (uint32_t m = 0; m < 2; ++m) {
        struct request_module *module = &request->module[m];
        module->run = !one_in(3);
        module->mn = !one_in(3);
        module->set_mv = one_in(4) ? any_value() : 400000 + (int32_t)dice(2000);
        module->set_ma = one_in(3) ? any_value() : (int32_t)dice(90000);
    }
}

static void restore(struct hub *hub, uint32_t slot) {
    struct image_slot *image = &hub->image.slot[slot];
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
        hub->contactor[slot][kind] = FOLLOW;
    }
    hub->state.estop_latched = false;
    hub->state.zone_estop = 0;
    hub->state.slot[slot].estop_pressed = false;
    hub_set(hub, &image->estop, 0);
    hub_set(hub, &image->estop_input, 0);
    hub_set(hub, &image->earth_fault, 0);
    hub_set(hub, &image->safety_ok, 1);
    hub_set(hub, &image->contactor_status, 1);
    hub_set(hub, &image->pin_plus_ddegc, 300);
    hub_set(hub, &image->pin_minus_ddegc, 300);
    hub_set(hub, &image->insulation_ohm, 1000000);
    hub_set(hub, &image->gun_ma, 0);
    image->plc_fault_reason = 0;
    image->interface_down = image->plc_crc_mode_fault = false;
    image->plc_comm_fault = image->plc_ack_fault = image->charge_complete = false;
    for (uint32_t m = 0; m < 2; ++m) {
        image->module[m].alarm_bits = 0;
        hub_set(hub, &image->module[m].temperature_ddegc, 300);
        hub_set(hub, &image->module[m].capability_w, 30000);
        hub_set(hub, &image->module[m].capability_ma, 100000);
        hub_set(hub, &image->module[m].voltage_mv, 0);
        hub_set(hub, &image->module[m].current_ma, 0);
    }
    hub_voltage(hub, slot, 0, 0);
    hub_set(hub, &image->cp_state, CP_STATE_A);
    hub_stage(hub, slot, HLC_STAGE_NONE);
    memset(&hub->request.slot[slot], 0, sizeof hub->request.slot[slot]);
    hub_run(hub, 300);
    hub->in.clear_faults[slot] = UINT64_MAX;
    hub_run(hub, 20);
    hub->in.clear_faults[slot] = 0;
}

void bend_mend(struct hub *hub, uint32_t slot) {
    restore(hub, slot);
    hub_charging(hub, slot, 400000, 30000);
}

void bend_mend_lender(struct hub *hub, uint32_t slot) {
    restore(hub, slot);
    hub_precharge(hub, slot, 400000);
}
