#include "rt/sequencer/boundary.h"

#include <string.h>

#include "rt/sequencer/boundary_private.h"

void boundary_init(struct boundary_ring *ring, uint32_t slots, int64_t now_us) {
    assert(slots <= RM_SLOTS_MAX);
    memset(ring, 0, sizeof *ring);
    ring->weighed_us = now_us;
    for (uint32_t i = 0; i < slots; i++) {
        ring->slot[i].owner = -1;
        ring->slot[i].since_us = now_us;
    }
}

bool boundary_is_home(const struct boundary_ring *ring, const struct boundary_inputs *in,
                      uint32_t slot) {
    return !boundary_is_away(&ring->slot[slot]) && boundary_edge_open(in, slot) &&
           boundary_edge_open(in, boundary_beside(in, slot, -1));
}

/* ---- conditions to go on ----------------------------------------------------------------------------------- */

static bool older_than(const struct boundary_inputs *in, int64_t since_us, int64_t limit_us) {
    return in->now_us - since_us >= limit_us;
}

/* One boundary of an island at a time. */
static bool has_turn(const struct boundary_ring *ring, const struct boundary_inputs *in,
                     uint32_t slot) {
    for (uint32_t i = 0; i < in->config->slots; i++) {
        const struct boundary *other = &ring->slot[i];
        if (i != slot && other->owner == ring->slot[slot].owner &&
            boundary_rows[other->state].moves != 0) {
            return false;
        }
    }
    return true;
}

/* Nobody hangs on it any more on the side away from the owner. */
static bool beyond_is_gone(const struct boundary_ring *ring, const struct boundary_inputs *in,
                           uint32_t slot) {
    const struct boundary *own = &ring->slot[slot];
    const struct boundary *beyond = &ring->slot[boundary_beside(in, slot, -own->toward)];
    return beyond->owner != own->owner || beyond->toward != own->toward ||
           !boundary_is_coupled(beyond);
}

/* Sum of what the modules of a slot deliver, mA; false when one that may deliver is not known. Newer than since_us. */
static bool modules_calm(const struct boundary_inputs *in, uint32_t slot,
                         const struct boundary_view *v, int64_t since_us) {
    int64_t sum_ma = 0;
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        const struct sample *current = &in->image->slot[slot].module[j].current_ma;
        if ((v->joined & v->usable & (1u << j)) == 0) {
            continue;
        }
        if (!sample_fresh(current, in->now_us, GUN_METER_MS) || current->at_us <= since_us) {
            return false;
        }
        sum_ma += current->value < 0 ? -(int64_t)current->value : current->value;
    }
    return sum_ma <= in->config->interlock.i_off_ma;
}

static bool insulation_good(const struct boundary_inputs *in, uint32_t slot) {
    const struct image_slot *image = &in->image->slot[slot];
    const struct config_interlock *k = &in->config->interlock;
    return sample_fresh(&image->imd, in->now_us, k->t_imd_ms) && image->imd.value == IMD_STATE_OK &&
           sample_fresh(&image->insulation_ohm, in->now_us, k->t_imd_ms) && image->imd_enabled &&
           image->insulation_ohm.value >= k->insulation_min_ohm;
}

/* Half of what the guard allows (E1): two PLCs measure, at different moments. */
static bool voltages_match(const struct boundary_inputs *in, const struct boundary_view *v) {
    const int32_t gap_mv = v->bus_mv - v->inner_mv;
    const int32_t small_mv = in->config->interlock.dv_mc_mv / 2;
    return v->voltages_known && v->inner_mv >= in->config->interlock.v_safe_mv &&
           gap_mv <= small_mv && gap_mv >= -small_mv;
}

static void follow_match(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                         const struct boundary_view *v) {
    if (!voltages_match(in, v) || !modules_calm(in, slot, v, b->since_us)) {
        b->matched_us = 0;
    } else if (b->matched_us == 0) {
        b->matched_us = in->now_us;
    }
}

static bool is_matched(const struct boundary *b, const struct boundary_inputs *in) {
    return b->matched_us != 0 && older_than(in, b->matched_us, BOUNDARY_MATCHED_US);
}

static bool may_close(const struct boundary_ring *ring, const struct boundary_inputs *in,
                      uint32_t slot, const struct boundary_view *v) {
    const struct boundary *b = &ring->slot[slot];
    const struct gun *owner = in->gun[b->owner];
    const bool next_to =
        v->inner == (uint32_t)b->owner || ring->slot[v->inner].state == BOUNDARY_STATE_JOINED;
    return is_matched(b, in) && insulation_good(in, slot) && next_to && boundary_is_fresh(in) &&
           owner->steady_us != 0 && older_than(in, owner->steady_us, BOUNDARY_STEADY_US) &&
           has_turn(ring, in, slot);
}

/* Two samples of the boundary's current in a row, taken after the modules were told to give nothing (E2). */
static void follow_unloading(struct boundary *b, const struct boundary_inputs *in,
                             const struct boundary_view *v) {
    const struct sample *load = &in->image->slot[v->edge].boundary_ma;
    const int32_t open_ma = in->config->interlock.i_open_ma;
    if (!boundary_is_unloaded(b)) {
        b->unloaded_us = 0;
        b->calm = 0;
        return;
    }
    b->unloaded_us = b->unloaded_us != 0 ? b->unloaded_us : in->now_us;
    if (load->at_us == b->sampled_us || load->at_us <= b->unloaded_us) {
        return;
    }
    b->sampled_us = load->at_us;
    const bool low = load->valid && load->value <= open_ma && load->value >= -open_ma;
    b->calm = !low ? 0 : (uint8_t)(b->calm + (b->calm < BOUNDARY_CALM));
}

static bool is_calm(const struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                    const struct boundary_view *v) {
    return b->unloaded_us != 0 && b->calm >= BOUNDARY_CALM &&
           boundary_load_ma(in, v->edge) != EVENT_BOUNDARY_UNKNOWN &&
           modules_calm(in, slot, v, b->unloaded_us);
}

static bool has_settled(const struct boundary_inputs *in, uint32_t slot) {
    const struct sample *bus = &in->image->slot[slot].bus_mv;
    bool open = true;
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        open = open && (in->interlock->slot[slot].module[j].fault != FAULT_NONE ||
                        !contactor_may(in->interlock, in->config, in->image, slot,
                                       CONTACTOR_MN0 + j, in->now_us));
    }
    return open && sample_fresh(bus, in->now_us, boundary_sense_ms(in)) &&
           bus->value < in->config->interlock.v_safe_mv;
}

static bool next_present(const struct boundary_ring *ring, const struct boundary_inputs *in,
                         uint32_t slot, const struct boundary_view *v) {
    const struct boundary *b = &ring->slot[slot];
    switch (b->state) {
    case BOUNDARY_STATE_PREPARING:
        return (b->mn_mask & v->usable) != 0 &&
               (v->joined & b->mn_mask & v->usable) == (b->mn_mask & v->usable);
    case BOUNDARY_STATE_MATCHING: return may_close(ring, in, slot, v);
    case BOUNDARY_STATE_CLOSING_MC: return v->mc_closed;
    case BOUNDARY_STATE_CLOSING_BC: return v->edge_closed;
    case BOUNDARY_STATE_UNLOADING:
        return is_calm(b, in, slot, v) && beyond_is_gone(ring, in, slot) &&
               has_turn(ring, in, slot);
    case BOUNDARY_STATE_OPENING:
    case BOUNDARY_STATE_FAULTED: return v->edge_open;
    case BOUNDARY_STATE_SETTLING: return has_settled(in, slot);
    case BOUNDARY_STATE_HOME:
    case BOUNDARY_STATE_JOINED:
    case BOUNDARY_STATE_COUNT: break;
    }
    return false;
}

/* What a lender that is ready to close still waits for. */
static enum boundary_reason unmatched(const struct boundary *b, const struct boundary_inputs *in,
                                      uint32_t slot) {
    return !is_matched(b, in)           ? BOUNDARY_REASON_VOLTAGE
           : !insulation_good(in, slot) ? BOUNDARY_REASON_INSULATION
                                        : BOUNDARY_REASON_TURN;
}

static bool is_welded(const struct boundary_inputs *in, uint32_t edge) {
    const struct contactor_book *book = in->interlock->slot[edge].contactor;
    return book[CONTACTOR_MC].welded || book[CONTACTOR_BC].welded;
}

static bool timeout_present(const struct boundary *b, const struct boundary_inputs *in,
                            uint32_t slot, const struct boundary_view *v,
                            enum boundary_reason *reason) {
    const struct config_interlock *k = &in->config->interlock;
    switch (b->state) {
    case BOUNDARY_STATE_PREPARING:
        *reason = BOUNDARY_REASON_MN;
        return older_than(in, b->since_us, BOUNDARY_PREPARING_US);
    case BOUNDARY_STATE_MATCHING:
        *reason = unmatched(b, in, slot);
        return older_than(in, b->since_us, (int64_t)k->t_pre_ms * 1000);
    case BOUNDARY_STATE_CLOSING_MC:
    case BOUNDARY_STATE_CLOSING_BC:
        *reason = BOUNDARY_REASON_STUCK;
        return older_than(in, b->since_us, BOUNDARY_CLOSING_US);
    case BOUNDARY_STATE_UNLOADING: /* only for current: who waits for others harms nobody */
        *reason = BOUNDARY_REASON_LOADED;
        return b->unloaded_us != 0 && !is_calm(b, in, slot, v) &&
               older_than(in, b->unloaded_us, BOUNDARY_UNLOADING_US);
    case BOUNDARY_STATE_OPENING:
        *reason = is_welded(in, v->edge) ? BOUNDARY_REASON_WELDED : BOUNDARY_REASON_LOADED;
        return older_than(in, b->since_us, BOUNDARY_OPENING_US);
    case BOUNDARY_STATE_SETTLING:
        *reason = BOUNDARY_REASON_DISCHARGE;
        return older_than(in, b->since_us, (int64_t)k->t_discharge_ms * 1000);
    case BOUNDARY_STATE_HOME:
    case BOUNDARY_STATE_JOINED:
    case BOUNDARY_STATE_FAULTED:
    case BOUNDARY_STATE_COUNT: break;
    }
    return false;
}

static bool event_present(enum boundary_event event, const struct boundary_ring *ring,
                          const struct boundary_inputs *in, uint32_t slot,
                          const struct boundary_view *v, enum boundary_reason *reason) {
    const struct boundary *b = &ring->slot[slot];
    *reason = b->reason;
    switch (event) {
    case BOUNDARY_EVENT_EMERGENCY: *reason = BOUNDARY_REASON_EMERGENCY; return v->emergency;
    case BOUNDARY_EVENT_BROKEN: *reason = v->broken; return v->broken != BOUNDARY_REASON_NONE;
    case BOUNDARY_EVENT_UNWANTED: *reason = v->leave; return v->leave != BOUNDARY_REASON_NONE;
    case BOUNDARY_EVENT_NEXT: return next_present(ring, in, slot, v);
    case BOUNDARY_EVENT_TIMEOUT: return timeout_present(b, in, slot, v, reason);
    case BOUNDARY_EVENT_WANTED: return boundary_is_away(b) ? v->kept : v->wanted;
    case BOUNDARY_EVENT_NONE:
    case BOUNDARY_EVENT_COUNT: break;
    }
    return false;
}

/* ---- moving ------------------------------------------------------------------------------------------------ */

/* Went wrong, as against: was told to. */
static bool is_failure(enum boundary_reason reason) {
    return reason >= BOUNDARY_REASON_MODULES;
}

static void note_failure(struct boundary *b, int64_t now_us) {
    const unsigned doublings =
        b->failures < BOUNDARY_RETRIES_MAX ? b->failures : BOUNDARY_RETRIES_MAX;
    b->retry_us = now_us + ((int64_t)BOUNDARY_RETRY_US << doublings);
    b->failures = (uint8_t)(b->failures + (b->failures < UINT8_MAX));
}

/* The loan's current of this moment is what it gives up; others take over at once what they can. */
static void start_unloading(struct boundary *b, const struct boundary_inputs *in, uint32_t slot) {
    for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        const int32_t set_ma = in->interlock->slot[slot].module[j].set_ma;
        b->weight_ma[j] = set_ma < b->weight_ma[j] ? set_ma : b->weight_ma[j];
    }
    b->unloaded_us = 0;
    b->calm = 0;
}

/* Modules to lend: what the plan wants of those that may be used, or all of them. */
static uint8_t first_modules(const struct boundary_inputs *in, uint32_t slot, uint8_t usable) {
    uint8_t mask = 0;
    for (uint32_t j = 0; j < in->config->slot[slot].module_count; j++) {
        if (in->proposal->slot[slot].module[j].mn) {
            mask |= (uint8_t)(1u << j);
        }
    }
    return (mask & usable) != 0 ? (uint8_t)(mask & usable) : usable;
}

static void enter(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                  const struct boundary_view *v, enum boundary_state next) {
    if (b->state == BOUNDARY_STATE_HOME) {
        b->owner = v->owner;
        b->toward = v->toward;
        b->reason = BOUNDARY_REASON_NONE;
        b->emergency = false;
        b->mn_mask = first_modules(in, slot, v->usable);
    }
    if (next == BOUNDARY_STATE_UNLOADING) {
        start_unloading(b, in, slot);
    } else if (next == BOUNDARY_STATE_JOINED) {
        b->urgent = false;
        memset(b->join_us, 0, sizeof b->join_us);
    } else if (next == BOUNDARY_STATE_HOME) {
        b->owner = -1;
        b->toward = 0;
        b->urgent = false;
        b->emergency = false;
    }
    b->matched_us = 0;
    b->state = next;
    b->since_us = in->now_us;
}

static void describe(const struct boundary *b, const struct boundary_inputs *in,
                     const struct boundary_view *v, struct boundary_effects *effects) {
    effects->owner = b->owner;
    effects->reason = b->reason;
    effects->dv_mv = boundary_across_mv(in, v->edge);
    effects->load_ma = boundary_load_ma(in, v->edge);
}

static void note_reason(struct boundary *b, const struct boundary_inputs *in, unsigned event,
                        enum boundary_state next, enum boundary_reason reason) {
    if (event == BOUNDARY_EVENT_NEXT || event == BOUNDARY_EVENT_WANTED) {
        if (next == BOUNDARY_STATE_JOINED) {
            b->reason = BOUNDARY_REASON_NONE;
            b->failures = 0;
        }
        return;
    }
    b->reason = reason;
    b->emergency = b->emergency || event == BOUNDARY_EVENT_EMERGENCY;
    if (is_failure(reason)) {
        note_failure(b, in->now_us);
    }
}

/* The first event that is present and not ignored here. */
static void take_event(struct boundary_ring *ring, const struct boundary_inputs *in, uint32_t slot,
                       const struct boundary_view *v, struct boundary_effects *effects) {
    struct boundary *b = &ring->slot[slot];
    for (unsigned e = BOUNDARY_EVENT_NONE + 1; e < BOUNDARY_EVENT_COUNT; e++) {
        const struct boundary_transition *cell = &boundary_table[b->state][e];
        enum boundary_reason reason;
        if (cell->action == BOUNDARY_ACTION_IGNORE ||
            !event_present((enum boundary_event)e, ring, in, slot, v, &reason)) {
            continue;
        }
        assert(cell->action == BOUNDARY_ACTION_GO);
        const enum boundary_state next = (enum boundary_state)cell->next;
        effects->changed = true;
        effects->from = b->state;
        effects->to = next;
        note_reason(b, in, e, next, reason);
        if (next != BOUNDARY_STATE_HOME) {
            enter(b, in, slot, v, next);
            describe(b, in, v, effects);
        } else {
            describe(b, in, v, effects);
            enter(b, in, slot, v, next);
        }
        return;
    }
}

/* Beside the table: a loan that ends goes on doing so for the most urgent of its causes. */
static void follow(struct boundary *b, const struct boundary_inputs *in, uint32_t slot,
                   const struct boundary_view *v) {
    if (b->state == BOUNDARY_STATE_MATCHING) {
        follow_match(b, in, slot, v);
    } else if (b->state == BOUNDARY_STATE_UNLOADING) {
        follow_unloading(b, in, v);
    }
    if (v->leave != BOUNDARY_REASON_NONE && b->state >= BOUNDARY_STATE_JOINED) {
        b->urgent = b->urgent || v->urgent;
    }
}

void boundary_step(struct boundary_ring *ring, const struct boundary_inputs *in,
                   struct request *request, struct boundary_effects *effects) {
    const uint32_t slots = in->config->slots;
    for (uint32_t i = 0; i < slots; i++) {
        if (in->gun[i]->state == GUN_STATE_NONE) {
            memset(&request->slot[i], 0, sizeof request->slot[i]);
        }
    }
    for (uint32_t i = 0; i < slots; i++) {
        struct boundary *b = &ring->slot[i];
        struct boundary_view view;
        effects[i] = (struct boundary_effects){.changed = false};
        boundary_view_fill(ring, in, i, &view);
        if (boundary_is_away(b)) {
            follow(b, in, i, &view);
        }
        take_event(ring, in, i, &view, &effects[i]);
        if (boundary_is_away(b)) {
            boundary_write(b, in, i, &view, request);
        }
    }
}
