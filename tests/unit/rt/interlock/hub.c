#include "tests/unit/rt/interlock/hub.h"

#include <stdlib.h>

static void speak(struct sample *sample, int64_t now_us) {
    sample->at_us = now_us;
}

void hub_set(struct hub *hub, struct sample *sample, int32_t value) {
    *sample = (struct sample){.value = value, .valid = true, .at_us = hub->now_us};
}

static void vehicle_sources(struct image_slot *image, int64_t now_us) {
    struct sample *samples[] = {&image->cp_state,     &image->lock,          &image->hlc_stage,
                                &image->ev_max_mv,    &image->ev_max_ma,     &image->ev_max_w,
                                &image->ev_target_mv, &image->ev_target_ma,  &image->ev_present_mv,
                                &image->soc_pct,      &image->ev_present_ma, &image->meter};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; ++i) {
        speak(samples[i], now_us);
    }
}

static void plc_sources(struct image_slot *image, int64_t now_us) {
    struct sample *samples[] = {&image->contactor_status,
                                &image->safety_ok,
                                &image->estop,
                                &image->estop_input,
                                &image->earth_fault,
                                &image->bus_mv,
                                &image->gun_mv,
                                &image->gun_ma,
                                &image->pin_plus_ddegc,
                                &image->pin_minus_ddegc,
                                &image->temperature_frame,
                                &image->insulation_ohm,
                                &image->imd};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; ++i) {
        speak(samples[i], now_us);
    }
    image->plc_last_rx_us = now_us;
}

static bool commanded(const struct output_slot *out, unsigned kind) {
    switch (kind) {
    case CONTACTOR_GC: return out->gc;
    case CONTACTOR_MC: return out->mc;
    case CONTACTOR_BC: return out->bc;
    default: return out->module[kind - CONTACTOR_MN0].mn;
    }
}

static void feedback(struct hub *hub, uint32_t slot, unsigned kind) {
    struct image_contactor *contactor = &hub->image.slot[slot].contactor[kind];
    if (kind >= CONTACTOR_MN0 && !hub->config.slot[slot].module[kind - CONTACTOR_MN0].mn_on_plc) {
        contactor = &hub->image.slot[slot].module[kind - CONTACTOR_MN0].relay;
    }
    const enum feedback followed =
        commanded(&hub->out.slot[slot], kind) ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
    contactor->at_us = hub->now_us;
    switch (hub->contactor[slot][kind]) {
    case FOLLOW: contactor->p = contactor->n = followed; break;
    case STAYS_OPEN: contactor->p = contactor->n = FEEDBACK_OPEN; break;
    case STAYS_CLOSED: contactor->p = contactor->n = FEEDBACK_CLOSED; break;
    case POLES_DIFFER:
        contactor->p = FEEDBACK_CLOSED;
        contactor->n = FEEDBACK_OPEN;
        break;
    case N_POLE_CLOSED:
        contactor->p = FEEDBACK_OPEN;
        contactor->n = FEEDBACK_CLOSED;
        break;
    case READS_INVALID: contactor->p = contactor->n = FEEDBACK_INVALID; break;
    }
}

static void module_sources(struct hub *hub, uint32_t slot, uint32_t module) {
    struct image_module *image = &hub->image.slot[slot].module[module];
    const struct request_module *out = &hub->out.slot[slot].module[module];
    if (hub->module_silent[slot][module]) {
        return;
    }
    if (!hub->own_module_ma[slot]) {
        image->current_ma.value = out->mn ? out->set_ma : 0;
    }
    if (!hub->own_module_mv[slot]) {
        image->voltage_mv.value = hub->image.slot[slot].bus_mv.value;
    }
    image->last_rx_us = hub->now_us;
    speak(&image->voltage_mv, hub->now_us);
    speak(&image->current_ma, hub->now_us);
    speak(&image->temperature_ddegc, hub->now_us);
    speak(&image->capability_w, hub->now_us);
    speak(&image->capability_ma, hub->now_us);
    if (!hub->config.slot[slot].module[module].mn_on_plc) {
        feedback(hub, slot, CONTACTOR_MN0 + module);
    }
}

int64_t hub_sum_ma(const struct hub *hub, uint32_t slot) {
    int64_t sum = 0;
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        sum += hub->out.slot[slot].module[m].set_ma;
    }
    return sum;
}

/* Contacts of the boundary in this plant: as its contactors' feedback is made. */
static bool contact(const struct hub *hub, uint32_t slot, unsigned kind) {
    const enum follow follow = hub->contactor[slot][kind];
    return follow == STAYS_CLOSED ||
           (follow != STAYS_OPEN && commanded(&hub->out.slot[slot], kind));
}

static bool conducts(const struct hub *hub, uint32_t edge) {
    return hub->config.slots > 1 && contact(hub, edge, CONTACTOR_MC) &&
           (!hub->config.slot[edge].has_bc || contact(hub, edge, CONTACTOR_BC));
}

/* What lies beyond that edge, seen from slot: modules' current. */
static int64_t beyond_ma(const struct hub *hub, uint32_t slot, bool clockwise) {
    const uint32_t n = hub->config.slots;
    int64_t sum = 0;
    for (uint32_t at = slot, k = 1; k < n; ++k) {
        const uint32_t next = clockwise ? (at + 1) % n : (at + n - 1) % n;
        if (!conducts(hub, clockwise ? at : next)) {
            break;
        }
        sum += hub_sum_ma(hub, next);
        at = next;
    }
    return sum;
}

static bool gun_beyond(const struct hub *hub, uint32_t slot) {
    const uint32_t n = hub->config.slots;
    for (uint32_t at = slot, k = 1; k < n && conducts(hub, at); ++k) {
        at = (at + 1) % n;
        if (hub->out.slot[at].gc) {
            return true;
        }
    }
    return false;
}

static void currents(struct hub *hub, uint32_t slot) {
    struct image_slot *image = &hub->image.slot[slot];
    const uint32_t next = (slot + 1) % hub->config.slots;
    if (!hub->own_gun_ma[slot]) {
        image->gun_ma.value = !hub->out.slot[slot].gc
                                  ? 0
                                  : (int32_t)(hub_sum_ma(hub, slot) + beyond_ma(hub, slot, true) +
                                              beyond_ma(hub, slot, false));
    }
    if (!hub->own_boundary_ma[slot]) {
        const int64_t ma = !conducts(hub, slot) ? 0
                           : gun_beyond(hub, slot)
                               ? hub_sum_ma(hub, slot) + beyond_ma(hub, slot, false)
                               : -(hub_sum_ma(hub, next) + beyond_ma(hub, next, true));
        hub_set(hub, &image->boundary_ma, (int32_t)ma);
    }
}

void hub_refresh(struct hub *hub) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        struct image_slot *image = &hub->image.slot[slot];
        for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
            module_sources(hub, slot, m);
        }
        if (hub->silent[slot]) {
            continue;
        }
        currents(hub, slot);
        vehicle_sources(image, hub->now_us);
        plc_sources(image, hub->now_us);
        for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
            const bool relay = kind >= CONTACTOR_MN0 &&
                               !hub->config.slot[slot].module[kind - CONTACTOR_MN0].mn_on_plc;
            if (!relay) {
                feedback(hub, slot, kind);
            }
        }
    }
}

void hub_step(struct hub *hub) {
    hub->in.now_us = hub->now_us;
    interlock_step(&hub->state, &hub->config, &hub->image, &hub->in, &hub->request, &hub->out);
}

void hub_tick(struct hub *hub, int64_t us) {
    hub->now_us += us;
    hub_refresh(hub);
    hub_step(hub);
}

void hub_run(struct hub *hub, int64_t ms) {
    for (int64_t t = 0; t < ms; t += 5) {
        hub_tick(hub, 5000);
    }
}

static void healthy_slot(struct hub *hub, uint32_t slot) {
    struct image_slot *image = &hub->image.slot[slot];
    hub_set(hub, &image->contactor_status, 1);
    hub_set(hub, &image->safety_ok, 1);
    hub_set(hub, &image->estop, 0);
    hub_set(hub, &image->estop_input, 0);
    hub_set(hub, &image->earth_fault, 0);
    hub_set(hub, &image->cp_state, CP_STATE_A);
    hub_set(hub, &image->lock, 0);
    hub_set(hub, &image->hlc_stage, HLC_STAGE_NONE);
    hub_set(hub, &image->bus_mv, 0);
    hub_set(hub, &image->gun_mv, 0);
    hub_set(hub, &image->boundary_ma, 0);
    hub_set(hub, &image->gun_ma, 0);
    hub_set(hub, &image->pin_plus_ddegc, 250);
    hub_set(hub, &image->pin_minus_ddegc, 250);
    hub_set(hub, &image->insulation_ohm, 1000000);
    hub_set(hub, &image->imd, IMD_STATE_OFF);
    hub_set(hub, &image->meter, 1);
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        struct image_module *module = &image->module[m];
        hub_set(hub, &module->voltage_mv, 0);
        hub_set(hub, &module->current_ma, 0);
        hub_set(hub, &module->temperature_ddegc, 400);
        hub_set(hub, &module->capability_w, 30000);
        hub_set(hub, &module->capability_ma, 100000);
        module->last_rx_us = hub->now_us;
    }
}

struct hub *hub_new(uint32_t slots, uint32_t modules, bool bc) {
    struct hub *hub = calloc(1, sizeof *hub);
    assert_non_null(hub);
    hub->now_us = 1000 * SECOND;
    config_ring(&hub->config, slots, modules);
    for (uint32_t slot = 0; slot < slots; ++slot) {
        hub->config.slot[slot].has_mc = slots > 1;
        hub->config.slot[slot].has_bc = bc;
        healthy_slot(hub, slot);
    }
    hub->in.site_limit_w = 1000000;
    hub->in.plan_age_us = 50000;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    return hub;
}

void hub_free(struct hub *hub) {
    free(hub);
}

struct hub *hub_ready(uint32_t slots, uint32_t modules) {
    struct hub *hub = hub_new(slots, modules, false);
    hub_run(hub, 500);
    return hub;
}

void hub_voltage(struct hub *hub, uint32_t slot, int32_t bus_mv, int32_t gun_mv) {
    hub_set(hub, &hub->image.slot[slot].bus_mv, bus_mv);
    hub_set(hub, &hub->image.slot[slot].gun_mv, gun_mv);
}

void hub_stage(struct hub *hub, uint32_t slot, enum hlc_stage stage) {
    hub_set(hub, &hub->image.slot[slot].hlc_stage, (int32_t)stage);
    hub->image.slot[slot].precharge_active = stage == HLC_STAGE_PRECHARGE;
}

void hub_vehicle(struct hub *hub, uint32_t slot, int32_t max_mv, enum hlc_stage stage) {
    struct image_slot *image = &hub->image.slot[slot];
    hub_set(hub, &image->cp_state, CP_STATE_C);
    hub_set(hub, &image->lock, 1);
    hub->request.slot[slot].lock = true;
    hub_tick(hub, 5000);
    hub_set(hub, &image->ev_max_mv, max_mv);
    hub_set(hub, &image->ev_max_ma, 400000);
    hub_set(hub, &image->ev_target_mv, 0);
    hub_set(hub, &image->ev_target_ma, 0);
    image->auth_granted = true;
    hub_stage(hub, slot, stage);
}

void hub_ask(struct hub *hub, uint32_t slot, int32_t mv, int32_t ma) {
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        struct request_module *module = &hub->request.slot[slot].module[m];
        module->mn = true;
        module->run = mv > 0;
        module->set_mv = mv;
        module->set_ma = ma;
    }
}

void hub_cable_check(struct hub *hub, uint32_t slot, int32_t max_mv) {
    struct image_slot *image = &hub->image.slot[slot];
    struct request_slot *request = &hub->request.slot[slot];
    hub_vehicle(hub, slot, max_mv, HLC_STAGE_CABLE_CHECK);
    request->gc = true;
    request->purpose = POWER_PURPOSE_SERVE;
    request->state = GUN_STATE_CABLE_CHECK;
    hub_run(hub, 20);
    hub_ask(hub, slot, 0, 0);
    request->imd_enable = true;
    image->imd_enabled = true;
    hub_run(hub, 20);
    image->imd_self_test = 1;
    hub_set(hub, &image->imd, IMD_STATE_TEST);
    hub_run(hub, 20);
    image->imd_self_test = 2;
    image->cable_check_ok = true;
    hub_set(hub, &image->imd, IMD_STATE_OK);
    hub_run(hub, 20);
}

void hub_charging(struct hub *hub, uint32_t slot, int32_t mv, int32_t ma) {
    struct image_slot *image = &hub->image.slot[slot];
    hub_cable_check(hub, slot, 500000);
    hub_stage(hub, slot, HLC_STAGE_PRECHARGE);
    hub_voltage(hub, slot, mv, mv);
    hub_ask(hub, slot, mv, 0);
    hub_run(hub, 20);
    hub_stage(hub, slot, HLC_STAGE_POWER_DELIVERY);
    hub_run(hub, 20);
    hub_stage(hub, slot, HLC_STAGE_CURRENT_DEMAND);
    hub_set(hub, &image->ev_target_mv, mv);
    hub_set(hub, &image->ev_target_ma, 400000);
    hub->request.slot[slot].state = GUN_STATE_CHARGING;
    hub_ask(hub, slot, mv, ma);
    hub_run(hub, 20);
}

void hub_precharge(struct hub *hub, uint32_t slot, int32_t mv) {
    struct image_slot *image = &hub->image.slot[slot];
    struct request_slot *request = &hub->request.slot[slot];
    request->purpose = POWER_PURPOSE_MERGE;
    request->imd_enable = true;
    image->imd_enabled = true;
    hub_set(hub, &image->imd, IMD_STATE_OK);
    hub_ask(hub, slot, 0, 0);
    hub_run(hub, 20);
    hub_ask(hub, slot, mv, 400);
    hub_voltage(hub, slot, mv, 0);
    hub_run(hub, 20);
}

void hub_close(struct hub *hub, uint32_t edge) {
    hub->request.slot[edge].mc = true;
    hub->request.slot[edge].bc = hub->config.slot[edge].has_bc;
    hub_run(hub, 150);
}

void hub_open(struct hub *hub, uint32_t edge) {
    hub->request.slot[edge].mc = false;
    hub->request.slot[edge].bc = false;
    hub_run(hub, 150);
}

void hub_lend(struct hub *hub, uint32_t slot, uint32_t edge, int32_t mv, int32_t ma) {
    hub_precharge(hub, slot, mv);
    hub_close(hub, edge);
    hub->request.slot[slot].purpose = POWER_PURPOSE_SERVE;
    hub->request.slot[slot].imd_enable = false;
    hub_ask(hub, slot, mv, ma);
    hub_run(hub, 20);
}

bool hub_joined(const struct hub *hub, uint32_t edge) {
    const struct output_slot *out = &hub->out.slot[edge];
    return out->mc && (out->bc || !hub->config.slot[edge].has_bc);
}

bool hub_noted(const struct hub *hub, enum rule_id rule, uint32_t slot) {
    for (uint32_t i = 0; i < hub->state.notes; ++i) {
        if (hub->state.note[i].rule == rule && hub->state.note[i].slot == slot) {
            return true;
        }
    }
    return false;
}

void hub_all_charging(struct hub *hub) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        hub_charging(hub, slot, 400000, 10000);
    }
}

void hub_assert_all_off(const struct hub *hub, uint32_t slot) {
    const struct output_slot *out = &hub->out.slot[slot];
    assert_false(out->gc);
    for (uint32_t m = 0; m < hub->config.slot[slot].module_count; ++m) {
        assert_false(out->module[m].run);
        assert_false(out->module[m].mn);
        assert_int_equal(out->module[m].set_ma, 0);
    }
    assert_false(out->permit);
}

struct hub *hub_island(bool bc) {
    struct hub *hub = hub_new(5, 2, bc);
    hub_run(hub, 500);
    hub_charging(hub, 0, 400000, 10000);
    hub_lend(hub, 1, 0, 400000, 10000);
    hub_lend(hub, 4, 4, 400000, 10000);
    assert_int_equal(hub->image.slot[0].gun_ma.value, 60000);
    return hub;
}

void hub_assert_parted(const struct hub *hub) {
    for (uint32_t slot = 0; slot < hub->config.slots; ++slot) {
        assert_false(hub->out.slot[slot].mc || hub->out.slot[slot].bc);
    }
}

void hub_assert_goes_on(const struct hub *hub) {
    assert_true(hub->out.slot[0].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
}
