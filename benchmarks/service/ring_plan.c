#include "benchmarks/service/ring_private.h"

#include <math.h>
#include <string.h>

#define MINUTE_US INT64_C(60000000)

static int64_t us(double s) {
    return (int64_t)llround(s * 1e6);
}

static void fill_rules(const struct config *config, struct plan_rules *out) {
    out->mode = config->planner.mode;
    out->slots_max = (uint32_t)config->interlock.max_slots;
    out->default_mv = config->default_voltage_mv;
    out->v_safe_mv = config->interlock.v_safe_mv;
    out->holding_s = config->planner.holding_s;
    out->operation_cost_kj = config->planner.operation_cost_kj;
    out->power_min_w = config->planner.power_min_w;
    out->dwell_us = (int64_t)config->interlock.t_dwell_ms * 1000;
    out->rotation_us = config->planner.rotation_min * MINUTE_US;
    out->departure_soon_us = config->planner.departure_soon_min * MINUTE_US;
}

static void fill_vehicle(const struct ring_hub *h, const struct ring_gun *g,
                         struct plan_slot *out) {
    const struct plant_battery *b = &g->car.battery;
    if (g->state < GUN_STATE_CABLE_CHECK) {
        return;
    }
    out->soc_pct = (uint8_t)g->car.soc_pct;
    out->ev_max_mv = (int32_t)(b->max_v * 1000);
    out->ev_max_ma = (int32_t)(b->max_a * 1000);
    out->ev_max_w = (int32_t)b->max_w;
    if (g->state == GUN_STATE_CHARGING) {
        out->target_mv = (int32_t)((b->max_v - 3) * 1000);
        out->target_ma = (int32_t)(g->asked_a * 1000);
        out->bus_mv = (int32_t)(g->volts * 1000);
        out->power_w = (int32_t)(g->volts * g->set_a);
    } else if (g->state < GUN_STATE_CHARGING) {
        out->target_mv = (int32_t)(b->ocv_v * 1000);
        out->target_ma = 2000;
    }
    out->arrival_us = us(h->street->stay[g->visit].plugged_s);
}

static void fill_gun(const struct ring_hub *h, int slot, struct plan_slot *out) {
    const struct config_connector *k = &h->config.connector[h->config.slot[slot].gun];
    const struct ring_gun *g = &h->gun[slot];
    const enum gun_state state = g->state;
    out->has_gun = true;
    out->state = state;
    out->demands = state >= GUN_STATE_CABLE_CHECK && state <= GUN_STATE_CHARGING;
    out->served = state == GUN_STATE_CHARGING;
    out->ramping_down = state >= GUN_STATE_RAMP_DOWN && state <= GUN_STATE_WELD_CHECK;
    out->arriving = state >= GUN_STATE_PLUGGED && state <= GUN_STATE_LOCKED;
    out->free = state == GUN_STATE_AVAILABLE;
    out->blocked = state != GUN_STATE_AVAILABLE && state != GUN_STATE_FINISHED;
    out->priority_class = k->priority_class;
    out->connector_max_ma = k->max_current_ma;
    out->connector_max_w = k->max_power_w;
    out->connector_max_mv = k->max_voltage_mv;
    out->cable_max_ma = k->cable_max_current_ma;
    if (g->visit >= 0) {
        fill_vehicle(h, g, out);
        out->lend_max_mv = out->ev_max_mv;
    }
}

static void fill_edge(const struct ring_hub *h, int slot, struct plan_edge *out) {
    const struct ring_edge *e = &h->edge[slot];
    *out = (struct plan_edge){.fitted = true,
                              .may = e->state != EDGE_OPEN,
                              .sure = e->state == EDGE_CLOSED || e->state == EDGE_OPENING,
                              .max_ma = h->config.slot[slot].boundary_max_current_ma,
                              .changed_us = e->changed_s < 0 ? 0 : us(e->changed_s),
                              .operations = e->closings,
                              .contactors = 1};
}

static void fill_modules(const struct ring_hub *h, int slot, struct plan_slot *out) {
    const int owner = h->owner[slot];
    const struct ring_gun *g = owner >= 0 ? &h->gun[owner] : NULL;
    double booked_w = 0;
    out->module_count = RING_MODULES;
    for (int j = 0; j < RING_MODULES; j++) {
        const struct config_module *k = &h->config.slot[slot].module[j];
        const struct ring_module *m = &h->module[slot][j];
        out->module[j] = (struct plan_module){.healthy = true,
                                              .connected = m->joined,
                                              .capability_w = k->rated_w,
                                              .capability_ma = k->max_current_ma,
                                              .max_mv = k->max_voltage_mv,
                                              .min_mv = k->min_voltage_mv,
                                              .current_ma = (int32_t)(m->set_a * 1000),
                                              .set_ma = (int32_t)(m->set_a * 1000)};
        booked_w += m->set_a * m->set_v;
        if (m->joined && g != NULL) {
            out->module[j].voltage_mv = (int32_t)(g->volts * 1000);
            out->module[j].set_mv = (int32_t)(m->set_v * 1000);
        }
    }
    if (g != NULL) {
        out->bus_mv = (int32_t)(g->volts * 1000);
        out->committed_w = (int32_t)(booked_w * 1000 / h->config.modules.efficiency_permille);
    }
}

void ring_fill_plan(struct ring_hub *h, double grid_w) {
    struct plan_input *out = &h->input;
    memset(out, 0, sizeof *out);
    out->seq = h->proposal.seq + 1;
    out->now_us = us(h->t);
    out->slots = DAY_GUNS;
    out->site_limit_w = isinf(grid_w) ? h->config.grid_limit_w : (int64_t)grid_w;
    out->site_limit_reason = LIMIT_REASON_GRID;
    out->efficiency_permille = h->config.modules.efficiency_permille;
    out->i_cc_ma = h->config.interlock.i_cc_ma;
    fill_rules(&h->config, &out->rules);
    for (int i = 0; i < DAY_GUNS; i++) {
        struct plan_slot *s = &out->slot[i];
        s->profile_limit_w = INT64_MAX;
        s->derate_permille = 1000;
        s->soc_pct = 255;
        fill_gun(h, i, s);
        fill_modules(h, i, s);
        fill_edge(h, i, &s->edge);
    }
}
