#include "rt/can/error_frame.h"
#include "rt/control_private.h"

#include <string.h>

size_t control_size(void) {
    return (sizeof(struct control) + RM_CACHE_LINE - 1) / RM_CACHE_LINE * RM_CACHE_LINE;
}

static void init_slot(struct control *c, uint32_t i, const struct control_boot *boot,
                      int64_t now_us) {
    struct control_slot *s = &c->slot[i];
    const struct config_slot *k = &c->config->slot[i];
    plc_init(&s->plc, c->config, i, now_us);
    for (uint32_t j = 0; j < k->module_count; j++) {
        module_init(&s->module[j], c->config, i, j, now_us);
    }
    gun_init(&s->gun, k->gun >= 0, now_us);
    c->gun[i] = &s->gun;
    s->profile.limit_w = INT64_MAX;
    s->priority_class = k->gun >= 0 ? c->config->connector[k->gun].priority_class : 0;
    interlock_restore(&c->interlock, c->config, i, boot->latched[i], boot->latches_known);
    c->latches_awaited[i] = !boot->latches_known;
}

void control_init(struct control *c, const struct config *config, const struct control_boot *boot,
                  int64_t now_us) {
    assert(config->slots >= 1 && config->slots <= RM_SLOTS_MAX);
    assert(boot->boot_id != 0);
    memset(c, 0, sizeof *c);
    c->config = config;
    c->boot_id = boot->boot_id;
    c->now_us = now_us;
    c->boot_us = now_us;
    c->image.slots = config->slots;
    can_router_init(&c->router, config);
    interlock_init(&c->interlock, config, now_us);
    interlock_restore_estop(&c->interlock, boot->estop_latched);
    for (uint32_t i = 0; i < config->slots; i++) {
        init_slot(c, i, boot, now_us);
    }
    boundary_init(&c->ring, config->slots, now_us);
    c->site_limit_w = config->fail_safe_limit_w < config->grid_limit_w ? config->fail_safe_limit_w
                                                                       : config->grid_limit_w;
    c->site_reason = LIMIT_REASON_FAILSAFE;
    c->limit_shadow_w = -1;
}

int64_t control_plan_age_us(const struct control *c, int64_t now_us) {
    return c->have_proposal ? now_us - c->proposal.input_us : CONTROL_NEVER_US;
}

uint64_t control_faults(const struct control *c, uint32_t slot) {
    const struct gun *g = &c->slot[slot].gun;
    const struct interlock_slot *own = &c->interlock.slot[slot];
    uint64_t faults = own->faults | own->latched;
    if (g->fault != FAULT_NONE && (g->stop != STOP_CLASS_NONE || g->state == GUN_STATE_FAULTED)) {
        faults |= UINT64_C(1) << g->fault;
    }
    return faults;
}

/* ---- input ------------------------------------------------------------------------------------------------- */

/* true: the interface is in another state than before. */
static bool error_frame(struct control *c, uint32_t interface, const struct can_frame *frame,
                        int64_t now_us) {
    enum interface_state state = c->interface[interface];
    if (!can_error_state(frame, &state) || state == c->interface[interface]) {
        return false;
    }
    control_interface(c, interface, state, now_us);
    return true;
}

/* What of a slot is worth a step of its own when it changes, in one word. */
static uint64_t urgent_word(const struct image_slot *s) {
    uint64_t word = 0;
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
        word = word << 2 | (unsigned)s->contactor[kind].p;
    }
    const struct sample *const flags[] = {&s->safety_ok, &s->estop, &s->estop_input,
                                          &s->earth_fault};
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        word = word << 2 | (unsigned)flags[i]->valid << 1 | (flags[i]->value != 0);
    }
    word = word << 4 | ((unsigned)s->cp_state.value & 7u) << 1 | s->cp_state.valid;
    word = word << 5 | ((unsigned)s->hlc_stage.value & 15u) << 1 | s->hlc_stage.valid;
    word = word << 4 | (s->plc_fault_reason & 15u);
    word = word << 2 | ((unsigned)s->imd.value & 3u);
    return word << 3 | (unsigned)s->charge_complete << 2 | (unsigned)s->cable_check_ok << 1 |
           (unsigned)s->precharge_active;
}

static bool plc_frame(struct control *c, uint32_t slot, const struct can_frame *frame,
                      int64_t now_us) {
    struct image_slot *image = &c->image.slot[slot];
    const uint64_t before = urgent_word(image);
    plc_rx(&c->slot[slot].plc, c->config, frame, image, now_us);
    return urgent_word(image) != before;
}

static bool is_down(enum interface_state state) {
    return state == INTERFACE_DOWN || state == INTERFACE_BUS_OFF;
}

static bool module_frame(struct control *c, const struct can_route *to,
                         const struct can_frame *frame, int64_t now_us) {
    struct image_module *image = &c->image.slot[to->slot].module[to->module];
    const uint32_t before = image->alarm_bits;
    const int64_t heard_us = image->last_rx_us;
    module_rx(&c->slot[to->slot].module[to->module], c->config, frame, image, now_us);
    if (image->bus_down && image->last_rx_us != heard_us &&
        !is_down(c->interface[c->config->slot[to->slot].module[to->module].interface])) {
        image->bus_down = false;
    }
    return image->alarm_bits != before;
}

bool control_rx(struct control *c, uint32_t interface, const struct can_frame *frame,
                int64_t now_us) {
    if (interface >= c->config->interfaces) {
        return false;
    }
    const struct can_route to = can_route(&c->router, interface, frame);
    switch (to.kind) {
    case CAN_ROUTE_PLC: return plc_frame(c, to.slot, frame, now_us);
    case CAN_ROUTE_MODULE: return module_frame(c, &to, frame, now_us);
    case CAN_ROUTE_ERROR: return error_frame(c, interface, frame, now_us);
    case CAN_ROUTE_UNKNOWN:
    case CAN_ROUTE_FORMAT: c->refused[interface]++; break;
    }
    return false;
}

void control_interface(struct control *c, uint32_t interface, enum interface_state state,
                       int64_t now_us) {
    if (interface >= c->config->interfaces || state >= INTERFACE_STATE_COUNT ||
        c->interface[interface] == state) {
        return;
    }
    const bool down = is_down(state);
    const enum interface_state before = c->interface[interface];
    if (!down && (before == INTERFACE_BUS_OFF || (before == INTERFACE_DOWN && c->booted))) {
        c->restarts[interface]++;
    }
    c->interface[interface] = state;
    for (uint32_t i = 0; i < c->config->slots; i++) {
        if (c->config->slot[i].interface == interface) {
            c->image.slot[i].interface_down = down;
        }
        for (uint32_t j = 0; down && j < c->config->slot[i].module_count; j++) {
            if (c->config->slot[i].module[j].interface == interface) {
                c->image.slot[i].module[j].bus_down = true;
            }
        }
    }
    control_event_later(c, EVENT_INTERFACE, interface, (uint16_t)state,
                        (uint16_t)c->restarts[interface], 0, now_us);
}

void control_proposal(struct control *c, const struct proposal *proposal, int64_t now_us) {
    if (!control_proposal_sound(c, proposal, now_us)) {
        c->proposals_rejected++;
        if (now_us - c->rule_reported_us[RULE_S7] >= 1000000 || c->proposals_rejected == 1) {
            c->rule_reported_us[RULE_S7] = now_us;
            control_event_later(c, EVENT_PROPOSAL_REJECTED, EVENT_SLOT_NONE, RULE_S7, 0,
                                (int64_t)c->proposals_rejected, now_us);
        }
        return;
    }
    c->proposal.seq = proposal->seq;
    c->proposal.input_us = proposal->input_us;
    c->proposal.slots = proposal->slots;
    c->proposal.guide_slot = proposal->guide_slot;
    memcpy(c->proposal.slot, proposal->slot, c->config->slots * sizeof proposal->slot[0]);
    c->have_proposal = true;
}

/* ---- one step ---------------------------------------------------------------------------------------------- */

/* A lease that ended does not free power at once: what it allowed still bounds the fail-safe limit until T_grid has
 * passed, and never more than the fail-safe limit is used until then (S12). */
static void follow_leases(struct control *c, int64_t now_us) {
    const struct control_lease *site = &c->site;
    const bool leased = site->valid && now_us < site->until_us;
    const int64_t grid_w = c->config->grid_limit_w, fail_safe_w = c->config->fail_safe_limit_w;
    c->site.valid = leased || (site->valid && now_us - site->until_us <=
                                                  (int64_t)c->config->interlock.t_grid_ms * 1000);
    const bool bounds = site->valid && (leased || site->limit_w < fail_safe_w);
    const int64_t bound_w = bounds ? site->limit_w : fail_safe_w;
    c->site_limit_w = bound_w < grid_w ? bound_w : grid_w;
    c->site_reason = !bounds            ? LIMIT_REASON_FAILSAFE
                     : bound_w < grid_w ? LIMIT_REASON_LEASE
                                        : LIMIT_REASON_GRID;
}

static void follow_slot_leases(struct control_slot *s, int64_t now_us) {
    if (s->profile.valid && now_us >= s->profile.until_us) {
        s->profile.valid = false;
        s->profile.limit_w = INT64_MAX;
    }
    if (s->reserved_until_us != 0 && now_us >= s->reserved_until_us) {
        s->reserved_until_us = 0;
    }
}

static void step_gun(struct control *c, uint32_t i, const struct boundary_inputs *ring,
                     struct event_batch *events, int64_t now_us) {
    struct control_slot *s = &c->slot[i];
    struct gun_effects effects;
    const struct gun_inputs in = {
        .now_us = now_us,
        .config = c->config,
        .slot = i,
        .image = &c->image.slot[i],
        .interlock = &c->interlock.slot[i],
        .proposal = c->have_proposal ? &c->proposal.slot[i] : NULL,
        .plan_age_us = ring->plan_age_us,
        .stop_requested = s->stop_requested,
        .stop_reason = s->stop_reason,
        .shutdown = c->shutdown,
        .lent_ma = c->lent[i].weight_ma,
        .lent_urgent = c->lent[i].urgent,
        .joined = c->lent[i].slots != 0,
        .away = !boundary_is_home(&c->ring, ring, i),
    };
    follow_slot_leases(s, now_us);
    s->gun.sessions_full = s->records.finished_count >= SESSIONS_FINISHED_MAX;
    gun_step(&s->gun, &in, &c->request.slot[i], &s->to_plc, &effects);
    if (effects.plugged) {
        s->plugged_us = now_us;
    }
    if (effects.session_end) {
        s->stop_requested = false;
        plc_ack_clear(&s->plc, &c->image.slot[i]);
    }
    control_events_gun(c, i, &effects, events, now_us);
    control_session_follow(c, i, &effects, events, now_us);
}

#define BORROWED_FRESH_MS 1000

/* What joined slots' modules deliver to their owners, by their own readings. */
static void follow_borrowed(struct control *c, int64_t now_us) {
    for (uint32_t i = 0; i < c->config->slots; i++) {
        c->image.slot[i].borrowed_ma = 0;
        c->image.slot[i].borrowed_w = 0;
    }
    for (uint32_t i = 0; i < c->config->slots; i++) {
        const struct boundary *b = &c->ring.slot[i];
        if (b->state != BOUNDARY_STATE_JOINED && b->state != BOUNDARY_STATE_UNLOADING) {
            continue;
        }
        struct image_slot *owner = &c->image.slot[b->owner];
        for (uint32_t j = 0; j < c->config->slot[i].module_count; j++) {
            const struct image_module *m = &c->image.slot[i].module[j];
            if (sample_fresh(&m->voltage_mv, now_us, BORROWED_FRESH_MS) &&
                sample_fresh(&m->current_ma, now_us, BORROWED_FRESH_MS)) {
                owner->borrowed_ma += m->current_ma.value;
                owner->borrowed_w +=
                    (int32_t)((int64_t)m->voltage_mv.value * m->current_ma.value / 1000000);
            }
        }
    }
}

static void step_ring(struct control *c, const struct boundary_inputs *in,
                      struct event_batch *events) {
    struct boundary_effects effects[RM_SLOTS_MAX];
    boundary_step(&c->ring, in, &c->request, effects);
    for (uint32_t i = 0; i < c->config->slots; i++) {
        control_events_boundary(i, &effects[i], events, in->now_us);
    }
}

/* The contract latches it for a session; where none runs nobody would take it back. */
static void follow_acknowledgement(struct control *c, uint32_t i) {
    struct control_slot *s = &c->slot[i];
    if (c->image.slot[i].plc_ack_fault && !s->gun.session && plc_off_acknowledged(&s->plc)) {
        plc_ack_clear(&s->plc, &c->image.slot[i]);
    }
}

static void fill_plc_command(struct control *c, uint32_t i) {
    struct control_slot *s = &c->slot[i];
    const struct output_slot *out = &c->output.slot[i];
    const struct gun_to_plc *to = &s->to_plc;
    const struct config_slot *k = &c->config->slot[i];
    struct plc_command *cmd = &s->plc_command;
    cmd->contactor[CONTACTOR_GC] = out->gc;
    cmd->contactor[CONTACTOR_MC] = out->mc;
    cmd->contactor[CONTACTOR_BC] = out->bc;
    for (uint32_t j = 0; j < k->module_count; j++) {
        cmd->contactor[CONTACTOR_MN0 + j] = k->module[j].mn_on_plc && out->module[j].mn;
    }
    cmd->imd_enable = out->imd_enable;
    cmd->imd_self_test = out->imd_self_test;
    cmd->force_all_off = out->force_all_off;
    cmd->send = out->send;
    cmd->clear_faults = s->clear_plc;
    cmd->auth_granted = to->auth_granted;
    cmd->auth_pending = to->auth_pending;
    cmd->lock = out->lock;
    cmd->stop_request = to->stop_request;
    cmd->offer_mv = to->offer_mv;
    cmd->offer_ma = to->offer_ma;
    cmd->offer_w = out->permit ? to->offer_w : 0;
    cmd->present_mv = to->present_mv;
    cmd->present_ma = to->present_ma;
    cmd->present_w = to->present_w;
    cmd->output_enabled = to->output_enabled;
    cmd->regulating = to->regulating;
    cmd->fault_bits = to->fault_bits;
    cmd->plugged = s->gun.plugged;
    s->clear_plc = false;
}

static void send_modules(struct control *c, uint32_t i, bool urgent, struct frame_batch *tx,
                         int64_t now_us) {
    struct control_slot *s = &c->slot[i];
    for (uint32_t j = 0; j < c->config->slot[i].module_count; j++) {
        module_tx(&s->module[j], c->config, &c->output.slot[i].module[j], urgent,
                  &c->image.slot[i].module[j], tx, now_us);
    }
}

/* All-off first, then every other contactor frame, then zero and lowered setpoints, then the rest. */
static void send(struct control *c, struct frame_batch *tx, int64_t now_us) {
    const uint32_t n = c->config->slots;
    for (int all_off = 1; all_off >= 0; all_off--) {
        for (uint32_t i = 0; i < n; i++) {
            if (c->output.slot[i].force_all_off == (all_off == 1)) {
                struct control_slot *s = &c->slot[i];
                plc_tx_contactors(&s->plc, c->config, &s->plc_command, &c->image.slot[i], tx,
                                  now_us);
            }
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        send_modules(c, i, true, tx, now_us);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct control_slot *s = &c->slot[i];
        plc_tx_rest(&s->plc, c->config, &s->plc_command, &c->image.slot[i], tx, now_us);
        send_modules(c, i, false, tx, now_us);
    }
}

void control_step(struct control *c, int64_t now_us, struct frame_batch *tx,
                  struct event_batch *events) {
    assert(now_us >= c->now_us);
    const uint32_t n = c->config->slots;
    const int64_t plan_age_us = control_plan_age_us(c, now_us);
    const struct boundary_inputs ring = {.now_us = now_us,
                                         .config = c->config,
                                         .image = &c->image,
                                         .interlock = &c->interlock,
                                         .proposal = c->have_proposal ? &c->proposal : NULL,
                                         .plan_age_us = plan_age_us,
                                         .shutdown = c->shutdown,
                                         .gun = c->gun};
    c->now_us = now_us;
    frame_batch_clear(tx);
    events->count = 0;
    events->dropped = 0;
    control_events_begin(c, events, now_us);
    follow_leases(c, now_us);
    boundary_weigh(&c->ring, &ring, c->lent);
    for (uint32_t i = 0; i < n; i++) {
        plc_tick(&c->slot[i].plc, c->config, &c->image.slot[i], now_us);
        if (control_has_gun(c, i)) {
            step_gun(c, i, &ring, events, now_us);
        }
        follow_acknowledgement(c, i);
    }
    step_ring(c, &ring, events);
    follow_borrowed(c, now_us);
    c->interlock_in.now_us = now_us;
    c->interlock_in.site_limit_w = c->site_limit_w;
    c->interlock_in.plan_age_us = plan_age_us;
    interlock_step(&c->interlock, c->config, &c->image, &c->interlock_in, &c->request, &c->output);
    c->interlock_in.reset_estop = false;
    for (uint32_t i = 0; i < n; i++) {
        c->interlock_in.clear_faults[i] = 0;
        fill_plc_command(c, i);
    }
    send(c, tx, now_us);
    for (uint32_t i = 0; i < n; i++) {
        control_events_slot(c, i, events, now_us);
    }
    control_events_site(c, events, now_us);
}

/* ---- the shell's questions --------------------------------------------------------------------------------- */

void control_latches(const struct control *c, uint64_t latched[RM_SLOTS_MAX], bool *estop_latched) {
    for (uint32_t i = 0; i < RM_SLOTS_MAX; i++) {
        latched[i] =
            i < c->config->slots ? c->interlock.slot[i].latched | c->slot[i].gun.own_latched : 0;
    }
    *estop_latched = c->interlock.estop_latched;
}

bool control_is_idle(const struct control *c) {
    for (uint32_t i = 0; i < c->config->slots; i++) {
        const struct output_slot *out = &c->output.slot[i];
        if (gun_in_session(&c->slot[i].gun) || out->gc || out->mc || out->bc) {
            return false;
        }
        for (uint32_t j = 0; j < c->config->slot[i].module_count; j++) {
            if (out->module[j].run || out->module[j].mn) {
                return false;
            }
        }
    }
    return true;
}

void control_shutdown(struct control *c) {
    c->shutdown = true;
}
