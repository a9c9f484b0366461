/* Events: the differences between this step and what was reported last. */
#include <string.h>

#include "rt/control_private.h"

#define RULE_REPORT_US 1000000
#define BOOT_US        2000000

struct event *control_event(struct event_batch *events, enum event_type type, uint32_t slot,
                            int64_t now_us) {
    if (events->count >= EVENT_BATCH_MAX) {
        events->dropped++;
        return NULL;
    }
    struct event *e = &events->item[events->count++];
    memset(e, 0, sizeof *e);
    e->mono_ns = now_us * 1000;
    e->type = (uint16_t)type;
    e->slot = (uint16_t)slot;
    return e;
}

static void report(struct event_batch *events, enum event_type type, uint32_t slot, unsigned a,
                   unsigned b, uint32_t value_c, int64_t value, int64_t now_us) {
    struct event *e = control_event(events, type, slot, now_us);
    if (e != NULL) {
        e->a = (uint16_t)a;
        e->b = (uint16_t)b;
        e->c = value_c;
        e->value = value;
    }
}

/* A difference to what was reported last is lost nowhere: it waits for the next step's batch. */
static bool has_room(const struct event_batch *events) {
    return events->count < EVENT_BATCH_MAX;
}

void control_event_later(struct control *c, enum event_type type, uint32_t slot, uint16_t a,
                         uint16_t b, int64_t value, int64_t now_us) {
    if (c->pending_count >= CONTROL_PENDING_MAX) {
        c->pending_dropped++;
        return;
    }
    c->pending[c->pending_count++] = (struct event){.mono_ns = now_us * 1000,
                                                    .type = (uint16_t)type,
                                                    .slot = (uint16_t)slot,
                                                    .a = a,
                                                    .b = b,
                                                    .value = value};
}

void control_events_begin(struct control *c, struct event_batch *events, int64_t now_us) {
    if (!c->booted) {
        c->booted = true;
        report(events, EVENT_BOOT, EVENT_SLOT_NONE, 0, 0, 0, (int64_t)c->boot_id, now_us);
    }
    static_assert(CONTROL_PENDING_MAX < EVENT_BATCH_MAX,
                  "what is pending always fits: it is first");
    for (uint32_t i = 0; i < c->pending_count; i++) {
        struct event *e = control_event(events, EVENT_NONE, 0, now_us);
        if (e != NULL) {
            *e = c->pending[i];
        }
    }
    events->dropped += c->pending_dropped;
    c->pending_count = 0;
    c->pending_dropped = 0;
}

void control_events_gun(struct control *c, uint32_t slot, const struct gun_effects *effects,
                        struct event_batch *events, int64_t now_us) {
    const struct gun *g = &c->slot[slot].gun;
    if (effects->plugged) {
        report(events, EVENT_PLUGGED, slot, 0, 0, 0, c->image.slot[slot].session_epoch, now_us);
    }
    if (effects->unplugged) {
        report(events, EVENT_UNPLUGGED, slot, 0, 0, 0, 0, now_us);
    }
    if (effects->changed) {
        report(events, EVENT_GUN_STATE, slot, effects->from, effects->to, (uint32_t)g->fault,
               g->stop_reason, now_us);
    }
}

void control_events_boundary(uint32_t slot, const struct boundary_effects *effects,
                             struct event_batch *events, int64_t now_us) {
    if (effects->changed) {
        report(events, EVENT_BOUNDARY, slot, effects->from, effects->to,
               (uint32_t)(uint16_t)effects->owner << 16 | (uint32_t)effects->reason,
               event_boundary_value(effects->load_ma, effects->dv_mv), now_us);
    }
}

/* Which contactor or module of the slot a fault is about. */
static unsigned component_of(const struct control *c, uint32_t slot, unsigned fault) {
    const struct interlock_slot *own = &c->interlock.slot[slot];
    for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; kind++) {
        const struct contactor_book *b = &own->contactor[kind];
        if (b->fitted && ((fault == FAULT_CONTACTOR_WELDED && b->welded) ||
                          (fault == FAULT_CONTACTOR_STUCK_OPEN && b->stuck) ||
                          (fault == FAULT_CONTACTOR_FEEDBACK && b->untrusted))) {
            return kind;
        }
    }
    for (unsigned j = 0; j < c->config->slot[slot].module_count; j++) {
        if ((fault == FAULT_MODULE_FAULT || fault == FAULT_MODULE_LOST) &&
            own->module[j].fault == (enum fault_code)fault) {
            return j;
        }
    }
    return 0xffffu;
}

/* Before anything has been heard everything is stale: only what latched is news then. */
static bool is_heard(const struct control *c, uint32_t slot, int64_t now_us) {
    return c->interlock.slot[slot].released || now_us - c->boot_us >= BOOT_US;
}

static void faults(struct control *c, uint32_t slot, struct event_batch *events, int64_t now_us) {
    const bool heard = is_heard(c, slot, now_us);
    const uint64_t now =
        control_faults(c, slot) & (heard ? UINT64_MAX : c->interlock.slot[slot].latched);
    uint64_t changed = now ^ c->slot[slot].shadow.faults;
    while (changed != 0 && has_room(events)) {
        const unsigned code = (unsigned)__builtin_ctzll(changed);
        changed &= changed - 1;
        c->slot[slot].shadow.faults ^= UINT64_C(1) << code;
        report(events, (now >> code & 1) != 0 ? EVENT_FAULT_RAISED : EVENT_FAULT_CLEARED, slot,
               code, component_of(c, slot, code), (uint32_t)fault_info(code)->stop, 0, now_us);
    }
}

static void identities(struct control *c, uint32_t slot, struct event_batch *events,
                       int64_t now_us) {
    const struct image_slot *image = &c->image.slot[slot];
    struct control_shadow *shadow = &c->slot[slot].shadow;
    for (unsigned kind = IDENTITY_NONE + 1; kind < IDENTITY_COUNT; kind++) {
        const struct image_identity *id = &image->identity[kind];
        if (id->generation == shadow->identity[kind] || !has_room(events)) {
            continue;
        }
        shadow->identity[kind] = id->generation;
        struct event *e =
            id->length > 0 ? control_event(events, EVENT_IDENTITY, slot, now_us) : NULL;
        if (e != NULL) {
            e->a = (uint16_t)kind;
            memcpy(e->text, id->text, strnlen(id->text, sizeof e->text));
        }
    }
}

static const struct image_contactor *feedback_of(const struct control *c, uint32_t slot,
                                                 unsigned kind) {
    const struct config_slot *k = &c->config->slot[slot];
    const struct image_slot *image = &c->image.slot[slot];
    return kind >= CONTACTOR_MN0 && !k->module[kind - CONTACTOR_MN0].mn_on_plc
               ? &image->module[kind - CONTACTOR_MN0].relay
               : &image->contactor[kind];
}

static void contactors(struct control *c, uint32_t slot, struct event_batch *events,
                       int64_t now_us) {
    const struct image_slot *image = &c->image.slot[slot];
    struct control_shadow *shadow = &c->slot[slot].shadow;
    const unsigned kinds = CONTACTOR_MN0 + c->config->slot[slot].module_count;
    for (unsigned kind = 0; kind < kinds; kind++) {
        const struct image_contactor *fb = feedback_of(c, slot, kind);
        const bool closed = fb->p == FEEDBACK_CLOSED && fb->n == FEEDBACK_CLOSED;
        if (closed == ((shadow->closed >> kind & 1) != 0) || !has_room(events)) {
            continue;
        }
        shadow->closed ^= (uint16_t)(1u << kind);
        const struct contactor_book *book = &c->interlock.slot[slot].contactor[kind];
        const int32_t load_ma = kind == CONTACTOR_GC ? image->gun_ma.value
                                : kind >= CONTACTOR_MN0
                                    ? image->module[kind - CONTACTOR_MN0].current_ma.value
                                    : image->boundary_ma.value;
        report(events, EVENT_CONTACTOR, slot, kind, closed,
               closed ? book->operate_ms : book->release_ms, load_ma, now_us);
    }
}

static void modules(struct control *c, uint32_t slot, struct event_batch *events, int64_t now_us) {
    struct control_shadow *shadow = &c->slot[slot].shadow;
    const struct interlock_slot *own = &c->interlock.slot[slot];
    for (uint32_t j = 0; j < c->config->slot[slot].module_count; j++) {
        const bool usable = gun_module_usable(&c->image.slot[slot], own, j);
        if (usable != ((shadow->usable >> j & 1) != 0) && has_room(events)) {
            shadow->usable ^= (uint8_t)(1u << j);
            report(events, EVENT_MODULE, slot, j, usable, (uint32_t)own->module[j].fault, 0,
                   now_us);
        }
    }
}

static void meter(struct control *c, uint32_t slot, struct event_batch *events, int64_t now_us) {
    const struct image_slot *image = &c->image.slot[slot];
    struct control_shadow *shadow = &c->slot[slot].shadow;
    if (image->meter.at_us == 0 && now_us - c->boot_us < BOOT_US) {
        return; /* not heard yet is not lost */
    }
    if (image->meter_jumps != shadow->meter_jumps && has_room(events)) {
        shadow->meter_jumps = image->meter_jumps;
        report(events, EVENT_METER, slot, 1, 0, 0, image->meter_wh, now_us);
    }
    if (image->meter_fallback != shadow->meter_fallback && has_room(events)) {
        shadow->meter_fallback = image->meter_fallback;
        report(events, EVENT_METER, slot, image->meter_fallback ? 3 : 4, 0, 0, image->meter_wh,
               now_us);
    }
}

void control_events_slot(struct control *c, uint32_t slot, struct event_batch *events,
                         int64_t now_us) {
    struct control_shadow *shadow = &c->slot[slot].shadow;
    const struct image_slot *image = &c->image.slot[slot];
    const bool heard = image->plc_last_rx_us != 0 && !image->interface_down &&
                       now_us - image->plc_last_rx_us <= CONTROL_PLC_LOST_US;
    if (heard != shadow->plc && has_room(events)) {
        shadow->plc = heard;
        report(events, EVENT_PLC, slot, heard, 0, 0, 0, now_us);
    }
    faults(c, slot, events, now_us);
    identities(c, slot, events, now_us);
    contactors(c, slot, events, now_us);
    modules(c, slot, events, now_us);
    meter(c, slot, events, now_us);
}

static void planner(struct control *c, struct event_batch *events, int64_t now_us) {
    const int64_t age_us = control_plan_age_us(c, now_us);
    const struct config_interlock *k = &c->config->interlock;
    const uint8_t now = !c->have_proposal                         ? 0
                        : age_us <= (int64_t)k->t_plan_ms * 1000  ? 1
                        : age_us <= (int64_t)k->t_plan2_ms * 1000 ? 2
                                                                  : 3;
    if (now != c->planner_shadow && has_room(events)) {
        c->planner_shadow = now;
        report(events, EVENT_PLANNER, EVENT_SLOT_NONE,
               now == 1   ? 1
               : now == 2 ? 0
                          : 2,
               0, 0, 0, now_us);
    }
}

/* A setpoint cut to what is left at this moment is a limit at work, not a proposal gone wrong: counted by its rule
 * alone. */
static bool is_trim(uint16_t rule) {
    return rule == RULE_M4 || rule == RULE_M6 || rule == RULE_S12 || rule == RULE_S13;
}

/* A boundary is asked to close by a lender on its way in. One that the guard opens on its own account is still asked for
 * in that step by a sequencer that does not know yet: no refusal. */
static bool is_closing(const struct control *c, uint32_t edge) {
    const uint32_t beyond = (edge + 1) % c->config->slots;
    const uint32_t beside[] = {edge, beyond};
    for (unsigned i = 0; i < 2; i++) {
        const struct boundary *b = &c->ring.slot[beside[i]];
        const bool over_it = b->toward == (i == 0 ? 1 : -1);
        if (over_it &&
            (b->state == BOUNDARY_STATE_CLOSING_MC || b->state == BOUNDARY_STATE_CLOSING_BC)) {
            return true;
        }
    }
    return false;
}

/* While a gun charges and its power path is whole, its modules do what the planner proposed, and a boundary closes for
 * nobody else. All other requests are the sequencers': that a rule holds one back (the lock until the inlet is dead, a
 * failed module's contactor until its current has gone) is no news. */
static bool is_planners(const struct control *c, const struct interlock_note *note,
                        int64_t now_us) {
    const uint32_t slot = note->slot;
    const struct request_slot *request = &c->request.slot[slot];
    const struct interlock_slot *own = &c->interlock.slot[slot];
    if (note->component == CONTACTOR_MC || note->component == CONTACTOR_BC) {
        return is_closing(c, slot);
    }
    const bool setpoint = note->component >= CONTACTORS_PER_SLOT;
    const unsigned module =
        note->component - (unsigned)(setpoint ? CONTACTORS_PER_SLOT : CONTACTOR_MN0);
    if (note->component < CONTACTOR_MN0 || module >= c->config->slot[slot].module_count ||
        request->state != GUN_STATE_CHARGING || request->stop != STOP_CLASS_NONE ||
        own->stop != STOP_CLASS_NONE || own->module[module].fault != FAULT_NONE) {
        return false;
    }
    return contactor_sure(&c->interlock, c->config, &c->image, slot, CONTACTOR_GC, now_us) &&
           (!setpoint || contactor_sure(&c->interlock, c->config, &c->image, slot,
                                        CONTACTOR_MN0 + module, now_us));
}

/* What a rule altered or refused of a proposal, at most once per rule and second. */
static void rules(struct control *c, struct event_batch *events, int64_t now_us) {
    for (uint32_t i = 0; i < c->interlock.notes; i++) {
        const struct interlock_note *note = &c->interlock.note[i];
        if (note->rule >= RULE_COUNT || is_trim(note->rule) || note->slot >= c->config->slots ||
            !is_heard(c, note->slot, now_us) || !is_planners(c, note, now_us)) {
            continue;
        }
        c->slot[note->slot].rejected++;
        /* One event per episode: a rule that goes on holding says so once. */
        const int64_t last_us = c->rule_reported_us[note->rule];
        c->rule_reported_us[note->rule] = now_us;
        if (last_us != 0 && now_us - last_us < RULE_REPORT_US) {
            continue;
        }
        report(events, EVENT_PROPOSAL_REJECTED, note->slot, note->rule, note->component, 0,
               c->interlock.rule_hits[note->rule], now_us);
    }
}

void control_events_site(struct control *c, struct event_batch *events, int64_t now_us) {
    if ((c->site_limit_w != c->limit_shadow_w || c->site_reason != c->limit_shadow_reason) &&
        has_room(events)) {
        c->limit_shadow_w = c->site_limit_w;
        c->limit_shadow_reason = c->site_reason;
        report(events, EVENT_LIMIT, EVENT_SLOT_NONE, c->site_reason, 0, 0, c->site_limit_w, now_us);
    }
    if (c->interlock.estop_latched != c->estop_shadow && has_room(events)) {
        c->estop_shadow = c->interlock.estop_latched;
        report(events, EVENT_ESTOP, EVENT_SLOT_NONE, c->estop_shadow, 0, 0, 0, now_us);
    }
    planner(c, events, now_us);
    rules(c, events, now_us);
}
