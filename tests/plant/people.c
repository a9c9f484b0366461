/* What people do to the hub and what they see of it: the commands and reports of plant.h. */
#include <stdio.h>
#include <string.h>

#include "tests/plant/plant_private.h"

const char *plant_result_text(enum plant_result result) {
    switch (result) {
    case PLANT_OK: return "ok";
    case PLANT_NO_SUCH_GUN: return "no such gun: use a connector id of the configuration";
    case PLANT_NO_SUCH_MODEL: return "no such model: --list-models names them";
    case PLANT_NO_SUCH_FAULT: return "no such fault: --faults lists them";
    case PLANT_NO_SUCH_MODULE: return "no such module in this slot";
    case PLANT_NO_SUCH_CONTACTOR: return "no such contactor in this slot: GC, MC, BC, MN0 ..";
    case PLANT_OCCUPIED: return "a vehicle is plugged in there";
    case PLANT_EMPTY: return "no vehicle is plugged in there";
    case PLANT_LOCKED: return "the connector lock holds the plug";
    case PLANT_BAD_VALUE: return "value out of range";
    case PLANT_NEEDS_GUN: return "this fault needs a gun";
    }
    return "?";
}

const char *plant_failure_name(unsigned failure) {
    static const char *const names[PLANT_FAILURE_COUNT] = {"none",
#define FAILURE(e, name) name,
                                                           PLANT_FAILURES(FAILURE)
#undef FAILURE
    };
    return failure < PLANT_FAILURE_COUNT ? names[failure] : "?";
}

enum plant_result plant_plug(struct plant *p, int gun, const struct plant_vehicle_wish *wish) {
    const uint32_t slot = plant_slot_of_gun(p, gun);
    if (slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    if (p->slot[slot].vehicle.plugged) {
        return PLANT_OCCUPIED;
    }
    const uint32_t model = wish->model_number != 0 ? wish->model_number - 1
                           : wish->model != NULL   ? fleet_find(wish->model)
                                                   : fleet_draw(&p->random);
    if (model >= plant_models()) {
        return PLANT_NO_SUCH_MODEL;
    }
    if (!(wish->soc_pct <= 100) || !(wish->target_soc_pct <= 100) || isnan(wish->stay_s) ||
        !(wish->visit_s >= 0)) {
        return PLANT_BAD_VALUE;
    }
    vehicle_arrive(p, slot, wish, model, p->now_us);
    return PLANT_OK;
}

enum plant_result plant_unplug(struct plant *p, int gun, bool by_force) {
    const uint32_t slot = plant_slot_of_gun(p, gun);
    if (slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    if (!p->slot[slot].vehicle.plugged) {
        return PLANT_EMPTY;
    }
    if (p->slot[slot].node.locked && !by_force) {
        return PLANT_LOCKED;
    }
    vehicle_unplug_by_force(p, slot, p->now_us);
    return PLANT_OK;
}

enum plant_result plant_driver_stop(struct plant *p, int gun) {
    const uint32_t slot = plant_slot_of_gun(p, gun);
    if (slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    if (!p->slot[slot].vehicle.plugged) {
        return PLANT_EMPTY;
    }
    p->slot[slot].vehicle.driver_stop = true;
    return PLANT_OK;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum plant_result plant_swipe(struct plant *p, int gun, const char *uid_hex) {
    const uint32_t slot = plant_slot_of_gun(p, gun);
    const size_t length = strlen(uid_hex);
    uint8_t uid[10];
    if (slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    if (length != 8 && length != 14 && length != 20) {
        return PLANT_BAD_VALUE;
    }
    for (size_t i = 0; i < length / 2; i++) {
        const int high = hex_digit(uid_hex[2 * i]), low = hex_digit(uid_hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return PLANT_BAD_VALUE;
        }
        uid[i] = (uint8_t)(high << 4 | low);
    }
    if (node_running(&p->slot[slot].node, p->now_us)) {
        node_swipe(p, slot, uid, (uint32_t)(length / 2));
    }
    return PLANT_OK;
}

uint32_t plant_hazards(const struct plant *p, const struct plant_hazard **list) {
    *list = p->hazard;
    return p->hazard_count;
}

void plant_report(const struct plant *p, struct plant_report *out) {
    *out = p->report;
    out->elapsed_s = (double)(p->now_us - p->start_us) / 1e6;
    out->energy_wh = p->battery_j / 3600.0;
    out->output_wh = p->output_j / 3600.0;
    out->grid_power_w = p->input_w;
    out->hash = p->hash;
    out->vehicles = out->charging = 0;
    for (uint32_t i = 0; i < p->slots; i++) {
        out->vehicles += p->slot[i].vehicle.plugged;
        out->charging += p->slot[i].battery_a > 1.0;
    }
}

void plant_slot_state(const struct plant *p, uint32_t slot, struct plant_gun_state *out) {
    assert(slot < p->slots);
    const struct slot *s = &p->slot[slot];
    const struct vehicle *v = &s->vehicle;
    memset(out, 0, sizeof(*out));
    out->plugged = v->plugged;
    out->locked = s->node.locked;
    out->vehicle_contactor = v->contactor;
    out->imd_enabled = s->node.imd_enable;
    for (unsigned k = 0; k < CONTACTORS_PER_SLOT; k++) {
        out->contactor[k] = s->contactor[k].closed;
    }
    out->gc_opened_us = s->gc_opened_us;
    if (v->plugged) {
        const struct plant_model m = plant_model(v->model);
        (void)snprintf(out->model, sizeof(out->model), "%s %s", m.brand, m.model);
    }
    out->stage = v->stage;
    out->cp = v->cp;
    out->soc_pct = v->soc_pct;
    out->target_soc_pct = v->target_soc_pct;
    out->battery_v = v->ocv_v;
    out->bus_v = s->bus_v;
    out->gun_v = s->gun_v;
    out->gun_a = s->gun_a;
    out->boundary_a = s->boundary_a;
    out->power_w = s->gun_v * s->gun_a;
    out->energy_wh = v->energy_wh;
    out->insulation_ohm = s->node.imd_ohm;
    out->ev_max_v = v->max_v;
    out->ev_max_a = v->max_a;
    out->target_v = v->target_v;
    out->target_a = v->target_a;
    out->pin_c = s->node.pin_c[0];
    out->meter_wh = s->node.meter_wh;
    out->modules = s->modules;
    for (uint32_t k = 0; k < s->modules; k++) {
        out->module_v[k] = s->module[k].v;
        out->module_a[k] = s->module[k].a;
        out->module_on[k] = s->module[k].on;
    }
    out->plc_fault_reason = node_fault_reason(p, s, p->now_us);
    out->sessions = s->node.session_epoch;
}

enum plant_result plant_gun_state(const struct plant *p, int gun, struct plant_gun_state *out) {
    const uint32_t slot = plant_slot_of_gun(p, gun);
    if (slot == UINT32_MAX) {
        return PLANT_NO_SUCH_GUN;
    }
    plant_slot_state(p, slot, out);
    return PLANT_OK;
}
