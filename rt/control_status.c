/* The plant part of the status snapshot. */
#include <string.h>

#include "rt/control_private.h"

#define SHOWN_MS 2500 /* a value older than this is shown as unknown */

static int32_t shown(const struct sample *s, int64_t now_us) {
    return sample_fresh(s, now_us, SHOWN_MS) ? s->value : STATUS_UNKNOWN;
}

static uint8_t shown_pct(const struct sample *s, int64_t now_us) {
    return sample_fresh(s, now_us, CONTROL_PLC_LOST_US * 5 / 1000) ? (uint8_t)s->value : 255;
}

static void fill_contactor(const struct control *c, uint32_t slot, unsigned kind, int64_t now_us,
                           struct status_contactor *out) {
    const struct contactor_book *b = &c->interlock.slot[slot].contactor[kind];
    const struct config_slot *k = &c->config->slot[slot];
    const struct image_slot *image = &c->image.slot[slot];
    const struct image_contactor *fb =
        kind >= CONTACTOR_MN0 && !k->module[kind - CONTACTOR_MN0].mn_on_plc
            ? &image->module[kind - CONTACTOR_MN0].relay
            : &image->contactor[kind];
    const bool stale = fb->at_us == 0 || now_us - fb->at_us > SHOWN_MS * INT64_C(1000);
    out->fitted = b->fitted;
    out->command = b->command;
    out->feedback = stale || fb->p != fb->n || fb->p == FEEDBACK_INVALID ? 2
                    : fb->p == FEEDBACK_CLOSED                           ? 1
                                                                         : 0;
    out->flags = 0;
    if (contactor_may(&c->interlock, c->config, &c->image, slot, kind, now_us)) {
        out->flags |= STATUS_CONTACTOR_MAY;
    }
    if (contactor_sure(&c->interlock, c->config, &c->image, slot, kind, now_us)) {
        out->flags |= STATUS_CONTACTOR_SURE;
    }
    if (b->stuck || b->untrusted || b->welded) {
        out->flags |= STATUS_CONTACTOR_FAULT;
    }
    if (b->welded) {
        out->flags |= STATUS_CONTACTOR_WELDED;
    }
    out->operate_ms = b->operate_ms;
    out->release_ms = b->release_ms;
    out->operations = b->operations;
    out->loaded_operations = b->loaded_operations;
}

static void fill_module(const struct control *c, uint32_t slot, uint32_t module, int64_t now_us,
                        struct status_module *out) {
    const struct image_module *m = &c->image.slot[slot].module[module];
    const struct interlock_slot *own = &c->interlock.slot[slot];
    const struct interlock_module *set = &own->module[module];
    const bool usable = gun_module_usable(&c->image.slot[slot], own, module);
    out->flags =
        (uint8_t)((usable ? STATUS_MODULE_HEALTHY : 0u) | (set->run ? STATUS_MODULE_RUNNING : 0u) |
                  (shown(&m->on, now_us) == 1 ? STATUS_MODULE_ON : 0u) |
                  ((m->alarm_bits & MODULE_ALARM_DERATED) != 0 ? STATUS_MODULE_DERATED : 0u));
    out->fault = (uint16_t)set->fault;
    out->alarm_bits = m->alarm_bits;
    out->set_mv = set->set_mv;
    out->set_ma = set->set_ma;
    out->voltage_mv = shown(&m->voltage_mv, now_us);
    out->current_ma = shown(&m->current_ma, now_us);
    out->capability_w = control_capability_w(c, slot, module, now_us);
    out->temperature_ddegc =
        m->temperature_ddegc.valid ? m->temperature_ddegc.value : STATUS_UNKNOWN;
}

static void fill_measurements(const struct image_slot *image, int64_t now_us,
                              struct status_slot *out) {
    out->cp_state = (uint8_t)(sample_fresh(&image->cp_state, now_us, 300) ? image->cp_state.value
                                                                          : CP_STATE_UNKNOWN);
    out->hlc_stage =
        (uint8_t)(sample_fresh(&image->hlc_stage, now_us, SHOWN_MS) ? image->hlc_stage.value
                                                                    : HLC_STAGE_NONE);
    out->locked = sample_fresh(&image->lock, now_us, SHOWN_MS) ? image->lock.value != 0 : 2;
    out->soc_pct = shown_pct(&image->soc_pct, now_us);
    out->imd = sample_fresh(&image->imd, now_us, 1000) ? (uint8_t)image->imd.value : 4;
    out->target_mv = shown(&image->ev_target_mv, now_us);
    out->target_ma = shown(&image->ev_target_ma, now_us);
    out->ev_max_mv = shown(&image->ev_max_mv, now_us);
    out->ev_max_ma = shown(&image->ev_max_ma, now_us);
    out->ev_max_w = shown(&image->ev_max_w, now_us);
    out->bus_mv = shown(&image->bus_mv, now_us);
    out->gun_mv = shown(&image->gun_mv, now_us);
    out->gun_ma = shown(&image->gun_ma, now_us);
    out->boundary_ma = shown(&image->boundary_ma, now_us);
    out->power_w = out->gun_mv == STATUS_UNKNOWN || out->gun_ma == STATUS_UNKNOWN
                       ? STATUS_UNKNOWN
                       : (int32_t)((int64_t)out->gun_mv * out->gun_ma / 1000000);
    out->insulation_ohm = shown(&image->insulation_ohm, now_us);
    out->pin_plus_ddegc = shown(&image->pin_plus_ddegc, now_us);
    out->pin_minus_ddegc = shown(&image->pin_minus_ddegc, now_us);
    out->cable_ddegc = shown(&image->cable_ddegc, now_us);
    out->ev_capacity_wh = shown(&image->energy_capacity_wh, now_us);
    out->crc_errors = image->crc_errors;
    out->ack_retries = image->ack_retries;
    out->meter_wh = image->meter_wh;
}

static enum limit_reason reason_of(const struct control *c, uint32_t slot, int64_t now_us) {
    const enum gun_state state = c->slot[slot].gun.state;
    if (state == GUN_STATE_FAULTED) {
        return LIMIT_REASON_FAULT;
    }
    if (state < GUN_STATE_CABLE_CHECK || state > GUN_STATE_CHARGING) {
        return LIMIT_REASON_NONE;
    }
    if (control_plan_age_us(c, now_us) > (int64_t)c->config->interlock.t_plan_ms * 1000) {
        return LIMIT_REASON_PLANNER;
    }
    return c->proposal.slot[slot].reason;
}

static bool constrained(enum limit_reason reason) {
    return reason != LIMIT_REASON_NONE && reason != LIMIT_REASON_VEHICLE;
}

static void fill_gun(const struct control *c, uint32_t slot, int64_t now_us,
                     struct status_slot *out) {
    const struct control_slot *s = &c->slot[slot];
    const struct gun *g = &s->gun;
    const struct session_record *r = &s->records.running;
    const bool served = g->state >= GUN_STATE_CABLE_CHECK && g->state <= GUN_STATE_CHARGING;
    out->gun_state = (uint8_t)g->state;
    out->stop_class = (uint8_t)g->stop;
    out->stop_reason = (uint8_t)g->stop_reason;
    out->auth_source = (uint8_t)g->auth_source;
    out->priority_class = s->priority_class;
    out->session_id = r->session_id;
    out->session_energy_mwh = r->session_id != 0 ? r->energy_mwh : 0;
    out->state_since_mono_ns = g->since_us * 1000;
    const enum limit_reason reason = reason_of(c, slot, now_us);
    out->limit_reason = (uint8_t)reason;
    out->budget_w = c->have_proposal && served ? c->proposal.slot[slot].budget_w : 0;
    out->offered_w = c->have_proposal ? c->proposal.slot[slot].offered_w : 0;
    out->capacity_w = c->have_proposal && served ? c->proposal.slot[slot].capacity_w : 0;
    out->guide_now_w = c->have_proposal ? c->proposal.slot[slot].guide_now_w : 0;
    out->guide_later_w = c->have_proposal ? c->proposal.slot[slot].guide_later_w : 0;
    memcpy(out->id_token, g->id_token, sizeof out->id_token);
    out->flags |=
        (uint8_t)((g->operative ? STATUS_SLOT_OPERATIVE : 0u) |
                  (g->state == GUN_STATE_CHARGING && constrained(reason)
                       ? STATUS_SLOT_POWER_CONSTRAINED
                       : 0u) |
                  (s->records.finished_count >= SESSIONS_FINISHED_MAX ? STATUS_SLOT_SESSIONS_FULL
                                                                      : 0u) |
                  (s->reserved_until_us != 0 ? STATUS_SLOT_RESERVED : 0u) |
                  (served && c->have_proposal && c->proposal.slot[slot].suspended
                       ? STATUS_SLOT_SUSPENDED
                       : 0u));
}

static void fill_slot(const struct control *c, uint32_t slot, int64_t now_us,
                      struct status_slot *out) {
    const struct image_slot *image = &c->image.slot[slot];
    const struct interlock_slot *own = &c->interlock.slot[slot];
    memset(out, 0, sizeof *out);
    out->faults = control_faults(c, slot);
    out->fault = (uint16_t)gun_worst_fault(out->faults);
    out->island = own->island_may;
    out->boundary = (uint8_t)c->ring.slot[slot].state;
    out->boundary_reason = (uint8_t)c->ring.slot[slot].reason;
    out->lends_to = c->ring.slot[slot].owner;
    out->owner = c->have_proposal ? c->proposal.slot[slot].owner : -1;
    out->rejected_proposals = c->slot[slot].rejected;
    out->flags = (uint8_t)((c->slot[slot].shadow.plc ? STATUS_SLOT_PLC_OK : 0u) |
                           (image->meter_fallback ? STATUS_SLOT_METER_FALLBACK : 0u) |
                           (!own->released ? STATUS_SLOT_BOOT_HOLD : 0u));
    fill_measurements(image, now_us, out);
    if (control_has_gun(c, slot)) {
        fill_gun(c, slot, now_us, out);
    }
    out->module_count = c->config->slot[slot].module_count;
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
        if (own->contactor[kind].fitted) {
            fill_contactor(c, slot, kind, now_us, &out->contactor[kind]);
        }
    }
    for (uint32_t j = 0; j < out->module_count; j++) {
        fill_module(c, slot, j, now_us, &out->module[j]);
    }
}

static void fill_borrowed(const struct control *c, struct status *out) {
    for (uint32_t i = 0; i < c->config->slots; i++) {
        const struct boundary *b = &c->ring.slot[i];
        if (b->state == BOUNDARY_STATE_JOINED || b->state == BOUNDARY_STATE_UNLOADING) {
            out->slot[b->owner].borrowed++;
        }
        out->slot[i].borrowed_w = c->image.slot[i].borrowed_w;
    }
}

void control_status(const struct control *c, int64_t now_us, struct status *out) {
    const int64_t age_us = control_plan_age_us(c, now_us);
    out->boot_id = c->boot_id;
    out->mono_ns = now_us * 1000;
    out->proposals_rejected = c->proposals_rejected;
    out->slots = c->config->slots;
    out->interfaces = c->config->interfaces;
    out->estop = c->interlock.estop_latched;
    out->site_limit_w = c->site_limit_w;
    out->site_limit_reason = c->site_reason;
    out->grid_limit_w = c->config->grid_limit_w;
    const bool leased = c->site.valid && now_us < c->site.until_us;
    out->lease_expires_mono_ns = leased ? c->site.until_us * 1000 : 0;
    out->planner_age_ms =
        !c->have_proposal || age_us / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(age_us / 1000);
    out->guide_slot = c->have_proposal ? c->proposal.guide_slot : -1;
    out->site_power_w = 0;
    for (uint32_t i = 0; i < c->config->interfaces; i++) {
        out->interface[i].state = (uint8_t)c->interface[i];
        out->interface[i].restarts = c->restarts[i];
        out->interface[i].rx_dropped = c->refused[i];
    }
    for (uint32_t i = 0; i < c->config->slots; i++) {
        fill_slot(c, i, now_us, &out->slot[i]);
        if (control_has_gun(c, i) && out->slot[i].power_w != STATUS_UNKNOWN) {
            out->site_power_w += out->slot[i].power_w;
        }
    }
    fill_borrowed(c, out);
}
