/* What is known of one gun's current and voltage, and the bounds that follow from it. */
#include "rt/interlock/interlock_private.h"

/* Adds the slot's modules; false when one that may deliver is not known. */
static bool add_modules(const struct step *st, uint32_t slot, int64_t *sum_ma) {
    const struct image_slot *image = &st->image->slot[slot];
    const uint32_t modules = st->config->slot[slot].module_count;
    for (uint32_t module = 0; module < modules; ++module) {
        const struct sample *current = &image->module[module].current_ma;
        if (contactor_confirmed_open(st, slot, CONTACTOR_MN0 + module)) {
            continue;
        }
        if (!is_fresh(st, current, st->module_stale_ms)) {
            return false;
        }
        *sum_ma += abs_i32(current->value);
    }
    return true;
}

/* The meter, else the sum of the island's modules when every one that may deliver is known. */
bool gun_current(const struct step *st, uint32_t slot, int32_t *current_ma) {
    const struct image_slot *image = &st->image->slot[slot];
    if (is_fresh(st, &image->gun_ma, st->module_stale_ms)) {
        *current_ma = abs_i32(image->gun_ma.value);
        return true;
    }
    int64_t sum_ma = 0;
    uint32_t at = topology_first(st, slot);
    const uint32_t joined = st->hold[st->component_hold[slot]].slots;
    for (uint32_t n = 0; n < joined; ++n, at = slot_after(st, at)) {
        if (!add_modules(st, at, &sum_ma)) {
            return false;
        }
    }
    *current_ma = sum_ma > INT32_MAX ? INT32_MAX : (int32_t)sum_ma;
    return true;
}

int32_t interlock_cable_check_mv(int32_t ev_max_mv, int32_t evse_max_mv) {
    int64_t bound_mv = (int64_t)ev_max_mv * 11 / 10;
    if (ev_max_mv <= 500000) {
        bound_mv = ev_max_mv + 50000 < 500000 ? ev_max_mv + 50000 : 500000;
    }
    return bound_mv < evse_max_mv ? (int32_t)bound_mv : evse_max_mv;
}

int32_t interlock_gun_cable_check_mv(const struct step *st, uint32_t slot) {
    const int32_t maximum_mv = st->view[slot].negotiated_mv;
    return maximum_mv == 0
               ? 0
               : interlock_cable_check_mv(maximum_mv, slot_connector(st, slot)->max_voltage_mv);
}

/* Over-voltage emergency limit for a negotiated maximum; 1.1 times beyond the table. */
int32_t gun_overvoltage_mv(int32_t negotiated_mv) {
    static const struct {
        int32_t negotiated_mv, limit_mv;
    } table[] = {{500000, 550000}, {750000, 825000}, {850000, 935000}, {1000000, 1100000}};
    for (unsigned row = 0; row < sizeof table / sizeof table[0]; ++row) {
        if (negotiated_mv <= table[row].negotiated_mv) {
            return table[row].limit_mv;
        }
    }
    const int64_t limit_mv = (int64_t)negotiated_mv * 11 / 10;
    return limit_mv > INT32_MAX ? INT32_MAX : (int32_t)limit_mv;
}

/* CAN contract, section 3: power is ready when authorised, from hlcPowerReadyStage on, with the cable check passed, not
 * in precharge, not complete. */
bool gun_power_ready(const struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    const enum hlc_stage stage = st->view[slot].stage;
    return stage >= HLC_STAGE_POWER_DELIVERY && stage <= HLC_STAGE_CURRENT_DEMAND &&
           (unsigned)stage >= st->config->plc.hlc_power_ready_stage && image->auth_granted &&
           image->cable_check_ok && !image->precharge_active && !image->charge_complete;
}
