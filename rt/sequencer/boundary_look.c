/* What one step knows of a lender: what the plan wants of it, what keeps it from that, and what its boundary does. */
#include "rt/sequencer/boundary_private.h"

int32_t boundary_sense_ms(const struct boundary_inputs *in) {
    const int32_t stale_ms = in->config->interlock.t_stale_ms;
    return stale_ms > GUN_SENSE_MS ? stale_ms : GUN_SENSE_MS;
}

bool boundary_is_fresh(const struct boundary_inputs *in) {
    return in->proposal != NULL &&
           in->plan_age_us <= (int64_t)in->config->interlock.t_plan_ms * 1000;
}

static bool may(const struct boundary_inputs *in, uint32_t slot, unsigned kind) {
    return contactor_may(in->interlock, in->config, in->image, slot, kind, in->now_us);
}

static bool sure(const struct boundary_inputs *in, uint32_t slot, unsigned kind) {
    return contactor_sure(in->interlock, in->config, in->image, slot, kind, in->now_us);
}

static const struct contactor_book *book_of(const struct boundary_inputs *in, uint32_t slot,
                                            unsigned kind) {
    return &in->interlock->slot[slot].contactor[kind];
}

/* Both contactors of a pair are to be open, or the one that can be where the other is welded. */
bool boundary_edge_open(const struct boundary_inputs *in, uint32_t edge) {
    const struct contactor_book *mc = book_of(in, edge, CONTACTOR_MC);
    const struct contactor_book *bc = book_of(in, edge, CONTACTOR_BC);
    const bool mc_open = !mc->fitted || !may(in, edge, CONTACTOR_MC);
    const bool bc_open = !bc->fitted || !may(in, edge, CONTACTOR_BC);
    return (mc_open && bc_open) || (mc_open && bc->welded) || (bc_open && bc->fitted && mc->welded);
}

bool boundary_edge_sure(const struct boundary_inputs *in, uint32_t edge) {
    return sure(in, edge, CONTACTOR_MC) &&
           (!book_of(in, edge, CONTACTOR_BC)->fitted || sure(in, edge, CONTACTOR_BC));
}

int32_t boundary_across_mv(const struct boundary_inputs *in, uint32_t edge) {
    const struct sample *one = &in->image->slot[edge].bus_mv;
    const struct sample *other = &in->image->slot[boundary_beside(in, edge, 1)].bus_mv;
    const int32_t fresh_ms = boundary_sense_ms(in);
    return sample_fresh(one, in->now_us, fresh_ms) && sample_fresh(other, in->now_us, fresh_ms)
               ? one->value - other->value
               : EVENT_BOUNDARY_UNKNOWN;
}

int32_t boundary_load_ma(const struct boundary_inputs *in, uint32_t edge) {
    const struct sample *load = &in->image->slot[edge].boundary_ma;
    return sample_fresh(load, in->now_us, boundary_sense_ms(in)) ? load->value
                                                                 : EVENT_BOUNDARY_UNKNOWN;
}

/* ---- the plan ---------------------------------------------------------------------------------------------- */

static bool leads_to_owner(const struct boundary_inputs *in, uint32_t slot, int16_t owner,
                           int toward) {
    const struct proposal_slot *plan = in->proposal->slot;
    uint32_t at = slot;
    for (uint32_t hops = 0; hops < in->config->slots; hops++) {
        if (!plan[boundary_edge_of(in, at, toward)].edge_closed) {
            return false;
        }
        at = boundary_beside(in, at, toward);
        if (at == (uint32_t)owner) {
            return true;
        }
        if (plan[at].owner != owner) {
            return false;
        }
    }
    return false;
}

/* Which way round the plan lends the slot; 0: not at all. */
static int planned_toward(const struct boundary_inputs *in, uint32_t slot) {
    const int16_t owner = in->proposal->slot[slot].owner;
    if (owner < 0 || (uint32_t)owner >= in->config->slots || (uint32_t)owner == slot) {
        return 0;
    }
    return leads_to_owner(in, slot, owner, 1) ? 1 : leads_to_owner(in, slot, owner, -1) ? -1 : 0;
}

/* ---- what keeps it home, or sends it there ----------------------------------------------------------------- */

/* The slot's gun needs neither bus nor modules, and will not until another vehicle comes. */
static bool gun_is_idle(const struct gun *g) {
    return g->state == GUN_STATE_NONE || g->state == GUN_STATE_AVAILABLE ||
           g->state == GUN_STATE_FINISHED || (g->state == GUN_STATE_UNAVAILABLE && !g->operative);
}

/* A vehicle is there that will need its home slot. */
static bool gun_wants_slot(const struct gun *g) {
    return g->state >= GUN_STATE_PLUGGED && g->state <= GUN_STATE_LOCKED;
}

static bool owner_serves(const struct boundary_inputs *in, const struct boundary_ring *ring,
                         uint32_t owner) {
    const struct gun *g = in->gun[owner];
    return g->state == GUN_STATE_CHARGING && g->stop == STOP_CLASS_NONE &&
           in->interlock->slot[owner].stop == STOP_CLASS_NONE &&
           !boundary_is_away(&ring->slot[owner]);
}

static bool is_steady(const struct boundary_inputs *in, const struct gun *g) {
    return g->steady_us != 0 && in->now_us - g->steady_us >= BOUNDARY_STEADY_US;
}

static bool edge_sound(const struct boundary_inputs *in, uint32_t edge) {
    if (!book_of(in, edge, CONTACTOR_MC)->fitted) {
        return false;
    }
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; kind++) {
        const struct contactor_book *book = book_of(in, edge, kind);
        if (book->stuck || book->welded || book->untrusted) {
            return false;
        }
    }
    return true;
}

/* E3. A contactor that has not moved since the start owes no dwell. */
static bool has_dwelt(const struct boundary_inputs *in, uint32_t edge) {
    const int64_t dwell_us = (int64_t)in->config->interlock.t_dwell_ms * 1000;
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; kind++) {
        const struct contactor_book *book = book_of(in, edge, kind);
        if (book->fitted && (book->command || book->operations > 0) &&
            in->now_us - book->changed_us < dwell_us) {
            return false;
        }
    }
    return true;
}

/* Off, discharged and alone. */
static bool slot_is_dead(const struct boundary_inputs *in, uint32_t slot) {
    const struct sample *bus = &in->image->slot[slot].bus_mv;
    const uint32_t behind = boundary_beside(in, slot, -1);
    const bool known = sample_fresh(bus, in->now_us, boundary_sense_ms(in));
    return known && bus->value < in->config->interlock.v_safe_mv && !may(in, slot, CONTACTOR_GC) &&
           boundary_edge_open(in, slot) && boundary_edge_open(in, behind);
}

/* The slot on the owner's side: the owner itself, or a lender that is at least on the way to it. */
static bool way_is_open(const struct boundary_ring *ring, uint32_t inner, int16_t owner, int toward,
                        enum boundary_state least) {
    const struct boundary *b = &ring->slot[inner];
    return inner == (uint32_t)owner || (b->owner == owner && b->toward == toward &&
                                        b->state >= least && b->state <= BOUNDARY_STATE_JOINED);
}

static bool ready_to_lend(const struct boundary_ring *ring, const struct boundary_inputs *in,
                          uint32_t slot, int16_t owner, int toward) {
    const struct interlock_slot *own = &in->interlock->slot[slot];
    const uint32_t edge = boundary_edge_of(in, slot, toward);
    const uint32_t inner = boundary_beside(in, slot, toward);
    return in->now_us >= ring->slot[slot].retry_us && !in->shutdown && own->released &&
           own->stop == STOP_CLASS_NONE && gun_is_idle(in->gun[slot]) &&
           owner_serves(in, ring, (uint32_t)owner) && is_steady(in, in->gun[owner]) &&
           way_is_open(ring, inner, owner, toward, BOUNDARY_STATE_MATCHING) &&
           edge_sound(in, edge) && has_dwelt(in, edge) && slot_is_dead(in, slot);
}

static void look_home(const struct boundary_ring *ring, const struct boundary_inputs *in,
                      uint32_t slot, struct boundary_view *v) {
    const int toward = boundary_is_fresh(in) ? planned_toward(in, slot) : 0;
    if (toward == 0) {
        return;
    }
    v->owner = in->proposal->slot[slot].owner;
    v->toward = (int8_t)toward;
    v->edge = boundary_edge_of(in, slot, toward);
    v->inner = boundary_beside(in, slot, toward);
    v->wanted = v->usable != 0 && ready_to_lend(ring, in, slot, v->owner, toward);
}

/* Why a loan that runs has to end. Causes that cannot wait for the dwell are urgent. */
static void look_for_leave(const struct boundary_ring *ring, const struct boundary_inputs *in,
                           uint32_t slot, struct boundary_view *v) {
    const struct boundary *b = &ring->slot[slot];
    const struct boundary *inner = &ring->slot[v->inner];
    const struct gun *g = in->gun[slot];
    const bool fresh = boundary_is_fresh(in);
    const bool late = in->plan_age_us > (int64_t)in->config->interlock.t_plan2_ms * 1000;
    v->urgent = true;
    if (gun_wants_slot(g) || (fresh && in->proposal->slot[slot].reclaim && !gun_is_idle(g))) {
        v->leave = BOUNDARY_REASON_RECLAIM;
    } else if (in->shutdown) {
        v->leave = BOUNDARY_REASON_SHUTDOWN;
    } else if (!owner_serves(in, ring, (uint32_t)b->owner)) {
        v->leave = BOUNDARY_REASON_OWNER;
    } else if (late) {
        v->leave = BOUNDARY_REASON_PLANNER;
    } else if (v->inner != (uint32_t)b->owner && inner->state == BOUNDARY_STATE_UNLOADING) {
        v->leave = BOUNDARY_REASON_INNER;
        v->urgent = inner->urgent;
    } else if (in->interlock->slot[slot].stop != STOP_CLASS_NONE || !gun_is_idle(g)) {
        v->leave = BOUNDARY_REASON_SLOT;
        v->urgent = has_dwelt(in, v->edge);
    } else {
        v->urgent = fresh && in->proposal->slot[v->edge].reclaim;
        v->kept = fresh && in->proposal->slot[slot].owner == b->owner &&
                  leads_to_owner(in, slot, b->owner, b->toward);
        v->leave = fresh && !v->kept && (v->urgent || has_dwelt(in, v->edge))
                       ? BOUNDARY_REASON_PLAN
                       : BOUNDARY_REASON_NONE;
    }
}

/* What ends a loan without waiting for the current to be taken over. */
static void look_for_breakage(const struct boundary_ring *ring, const struct boundary_inputs *in,
                              uint32_t slot, struct boundary_view *v) {
    const struct boundary *b = &ring->slot[slot];
    const struct gun *owner = in->gun[b->owner];
    const bool coupled = boundary_is_coupled(b);
    v->emergency = in->interlock->slot[slot].stop == STOP_CLASS_EMERGENCY ||
                   in->interlock->slot[b->owner].stop == STOP_CLASS_EMERGENCY ||
                   (owner->stop == STOP_CLASS_EMERGENCY && gun_in_session(owner));
    if (!coupled && (v->usable & b->mn_mask) == 0) {
        v->broken = BOUNDARY_REASON_MODULES;
    } else if (!way_is_open(ring, v->inner, b->owner, b->toward,
                            coupled ? BOUNDARY_STATE_JOINED : BOUNDARY_STATE_PREPARING) &&
               ring->slot[v->inner].state != BOUNDARY_STATE_UNLOADING) {
        v->broken = BOUNDARY_REASON_INNER;
    } else if (coupled && !edge_sound(in, v->edge)) {
        const struct contactor_book *mc = book_of(in, v->edge, CONTACTOR_MC);
        const struct contactor_book *bc = book_of(in, v->edge, CONTACTOR_BC);
        v->broken = mc->stuck || bc->stuck ? BOUNDARY_REASON_STUCK : BOUNDARY_REASON_LOST;
    } else if ((b->state == BOUNDARY_STATE_JOINED || b->state == BOUNDARY_STATE_UNLOADING) &&
               !v->edge_closed) {
        v->broken = BOUNDARY_REASON_LOST;
    }
}

static void look_away(const struct boundary_ring *ring, const struct boundary_inputs *in,
                      uint32_t slot, struct boundary_view *v) {
    const struct boundary *b = &ring->slot[slot];
    const int32_t fresh_ms = boundary_sense_ms(in);
    v->edge = boundary_edge_of(in, slot, b->toward);
    v->inner = boundary_beside(in, slot, b->toward);
    v->owner = b->owner;
    v->toward = b->toward;
    v->edge_open = boundary_edge_open(in, v->edge);
    v->edge_closed = boundary_edge_sure(in, v->edge);
    v->mc_closed = sure(in, v->edge, CONTACTOR_MC);
    const struct sample *own = &in->image->slot[slot].bus_mv;
    const struct sample *inner = &in->image->slot[v->inner].bus_mv;
    v->voltages_known =
        sample_fresh(own, in->now_us, fresh_ms) && sample_fresh(inner, in->now_us, fresh_ms);
    v->bus_mv = own->value;
    v->inner_mv = inner->value;
    look_for_leave(ring, in, slot, v);
    look_for_breakage(ring, in, slot, v);
}

void boundary_view_fill(const struct boundary_ring *ring, const struct boundary_inputs *in,
                        uint32_t slot, struct boundary_view *view) {
    *view = (struct boundary_view){.owner = -1};
    gun_look_at_modules(in->config, &in->image->slot[slot], &in->interlock->slot[slot], slot,
                        in->now_us, &view->usable, &view->joined);
    if (boundary_is_away(&ring->slot[slot])) {
        look_away(ring, in, slot, view);
    } else {
        look_home(ring, in, slot, view);
    }
}
