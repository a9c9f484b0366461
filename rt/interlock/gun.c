/* The gun contactor and the connector lock: rules G1 to G5, G8 and the ways down of G4. */
#include "rt/interlock/interlock_private.h"

static bool is_served(enum hlc_stage stage) {
    return stage >= HLC_STAGE_CABLE_CHECK && stage <= HLC_STAGE_POWER_OFF;
}

static void look_pilot(struct step *st, uint32_t slot) {
    struct slot_view *view = &st->view[slot];
    struct interlock_slot *own = &st->s->slot[slot];
    const struct sample *cp = &st->image->slot[slot].cp_state;
    view->cp_fresh = is_fresh(st, cp, STALE_CP_MS);
    view->cp_ready = view->cp_fresh && (cp->value == CP_STATE_C || cp->value == CP_STATE_D);
    if (!view->cp_fresh) {
        return;
    }
    if (!view->cp_ready && cp->value != CP_STATE_B) {
        own->plugged_since_us = 0;
    } else if (own->plugged_since_us == 0) {
        own->plugged_since_us = cp->at_us;
    }
}

/* The vehicle's maximum as negotiated in this session: it stays in force although the frame repeats only slowly. */
static int32_t negotiated_mv(const struct step *st, uint32_t slot) {
    const struct sample *maximum = &st->image->slot[slot].ev_max_mv;
    const int64_t plugged_us = st->s->slot[slot].plugged_since_us;
    const bool known = plugged_us != 0 && maximum->valid && maximum->at_us >= plugged_us;
    return known && maximum->value > 0 ? maximum->value : 0;
}

void interlock_gun_look(struct step *st, uint32_t slot) {
    struct slot_view *view = &st->view[slot];
    const struct image_slot *image = &st->image->slot[slot];
    view->bus_known = is_fresh(st, &image->bus_mv, st->sense_stale_ms);
    view->bus_mv = image->bus_mv.value;
    if (slot_connector(st, slot) == NULL) {
        return; /* no gun: never live */
    }
    view->gun_known = is_fresh(st, &image->gun_mv, st->sense_stale_ms);
    view->gun_mv = image->gun_mv.value;
    if (is_fresh(st, &image->hlc_stage, STALE_STAGE_MS)) {
        view->stage = (enum hlc_stage)image->hlc_stage.value;
    }
    look_pilot(st, slot);
    view->negotiated_mv = negotiated_mv(st, slot);
    view->serving = is_served(view->stage);
    const uint16_t gc = KIND_BIT(CONTACTOR_GC);
    const bool energised = view->gun_mv > st->config->interlock.v_safe_mv;
    const bool session = view->serving || view->stage == HLC_STAGE_WELDING_DETECTION;
    view->live_hold = (view->hold & gc) != 0 || (view->gun_known && energised);
    view->staged = session && !view->live_hold;
    st->s->slot[slot].live = (view->may & gc) != 0 || !view->gun_known || energised || session;
}

/* G3: what a closing GC needs of vehicle and connector. */
static bool vehicle_ready(const struct step *st, uint32_t slot) {
    const struct config_connector *connector = slot_connector(st, slot);
    return st->view[slot].cp_ready &&
           (!connector->require_lock || is_set(st, &st->image->slot[slot].lock, STALE_STAGE_MS));
}

static bool both_dead(const struct step *st, uint32_t slot) {
    const struct slot_view *view = &st->view[slot];
    const int32_t safe_mv = st->config->interlock.v_safe_mv;
    return view->bus_known && view->gun_known && view->bus_mv < safe_mv && view->gun_mv < safe_mv;
}

static bool both_equal(const struct step *st, uint32_t slot) {
    const struct slot_view *view = &st->view[slot];
    return view->bus_known && view->gun_known &&
           difference_mv(view->bus_mv, view->gun_mv) <= st->config->interlock.dv_gc_mv &&
           st->joint[st->component_hold[slot]].set_ma <= st->config->interlock.i_cc_ma;
}

/* The rule that forbids closing, RULE_NONE when it may. */
static enum rule_id gc_refused(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct slot_view *view = &st->view[slot];
    if (!own->released) {
        return RULE_S15;
    }
    if (own->stop != STOP_CLASS_NONE || !vehicle_ready(st, slot)) {
        return RULE_G3;
    }
    if (st->plan_late) {
        return RULE_S8;
    }
    if ((view->may & KIND_BIT(CONTACTOR_GC)) != 0) {
        return RULE_S7; /* it is not known to be open */
    }
    if (st->may[st->component_may[slot]].lent) {
        return RULE_T1; /* it is joined: home first, both boundaries confirmed open */
    }
    if (!topology_alone(st, slot, true)) {
        return RULE_T1; /* a stage in which GC may close makes a gun live: two that ask at once refuse each other */
    }
    if (insulation_testing(st, slot)) {
        return RULE_N4;
    }
    if (view->stage == HLC_STAGE_CABLE_CHECK) {
        return both_dead(st, slot) ? RULE_NONE : RULE_G2;
    }
    const bool precharge =
        view->stage == HLC_STAGE_PRECHARGE || view->stage == HLC_STAGE_POWER_DELIVERY;
    return precharge && both_equal(st, slot) ? RULE_NONE : RULE_G1;
}

/* Both what was measured and what was commanded: a measurement may be older than the command. */
static bool unloaded(const struct step *st, uint32_t slot) {
    const int32_t open_ma = st->config->interlock.i_open_ma;
    int32_t current_ma = 0;
    return gun_current(st, slot, &current_ma) && current_ma <= open_ma &&
           st->joint[st->component_hold[slot]].set_ma <= open_ma;
}

/* The class of the way down that this gun is on: faults', sequencer's, or normal when GC is asked to open. A normal stop
 * that takes too long becomes an error stop, so that the way down never depends on the sequencer. */
static enum stop_class way_down(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct request_slot *request = &st->request->slot[slot];
    const bool closed = own->contactor[CONTACTOR_GC].command;
    enum stop_class class = own->stop;
    if (request->stop > class && request->stop < STOP_CLASS_COUNT) {
        class = request->stop;
    }
    const bool opening =
        !request->gc || st->view[slot].stage == HLC_STAGE_WELDING_DETECTION; /* G8 */
    if (opening && class == STOP_CLASS_NONE) {
        class = STOP_CLASS_NORMAL;
    }
    const bool began = own->normal_since_us == 0;
    const bool late = interlock_held(&own->normal_since_us, closed && class >= STOP_CLASS_NORMAL,
                                     st->now_us, T_NORMAL_MS);
    if (late && class == STOP_CLASS_NORMAL) {
        class = STOP_CLASS_ERROR;
    }
    const bool error_began = own->error_since_us == 0;
    const bool error = closed && class >= STOP_CLASS_ERROR;
    (void)interlock_held(&own->error_since_us, error, st->now_us, T_FORCE_MS);
    if ((began && own->normal_since_us != 0) || (error_began && error)) {
        own->stop_from_ma = (int32_t)slot_joint(st, slot)->set_ma;
    }
    return class;
}

static bool elapsed(const struct step *st, int64_t since_us, int32_t ms) {
    return since_us != 0 && st->now_us - since_us >= (int64_t)ms * 1000;
}

/* S2: only an e-stop, and only where the site configured it, waits for the current to fall. */
static bool emergency_waits(const struct step *st, uint32_t slot) {
    const struct interlock_slot *own = &st->s->slot[slot];
    return faults_only_estop(st, slot) && !unloaded(st, slot) &&
           !elapsed(st, own->estop_since_us, st->config->interlock.t_estop_ms);
}

static bool stays_closed(struct step *st, uint32_t slot, enum stop_class class) {
    const struct interlock_slot *own = &st->s->slot[slot];
    const struct request_slot *request = &st->request->slot[slot];
    if (!topology_alone(st, slot, false)) {
        interlock_note(st, RULE_T1, slot, CONTACTOR_GC);
        return false;
    }
    if (own->stop == STOP_CLASS_EMERGENCY) {
        return emergency_waits(st, slot);
    }
    const bool welding = st->view[slot].stage == HLC_STAGE_WELDING_DETECTION;
    if (request->gc && class < STOP_CLASS_ERROR && !welding) {
        return true;
    }
    if (class == STOP_CLASS_EMERGENCY || unloaded(st, slot) ||
        elapsed(st, own->error_since_us, T_FORCE_MS)) {
        if (request->gc) {
            interlock_note(st, welding ? RULE_G8 : RULE_G4, slot, CONTACTOR_GC);
        }
        return false;
    }
    if (!request->gc) {
        interlock_note(st, RULE_G4, slot, CONTACTOR_GC);
    }
    return true;
}

void gun_guard(struct step *st, uint32_t slot) {
    struct output_slot *out = &st->out->slot[slot];
    struct interlock_slot *own = &st->s->slot[slot];
    const bool wanted = st->request->slot[slot].gc;
    if (slot_connector(st, slot) == NULL) {
        return;
    }
    const enum stop_class class = way_down(st, slot);
    own->demand = class;
    if (own->contactor[CONTACTOR_GC].command) {
        out->gc = stays_closed(st, slot, class);
    } else if (wanted) {
        const enum rule_id refused = gc_refused(st, slot);
        out->gc = refused == RULE_NONE;
        if (!out->gc) {
            interlock_note(st, refused, slot, CONTACTOR_GC);
        }
    }
    contactor_command(st, slot, CONTACTOR_GC, out->gc);
}

/* G5: what is or may be locked is released only when the inlet is surely dead. A lock that nobody has seen counts as
 * engaged unless the control pilot says that nobody is plugged in. */
void gun_lock(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct slot_view *view = &st->view[slot];
    const struct sample *lock = &st->image->slot[slot].lock;
    if (slot_connector(st, slot) == NULL) {
        return;
    }
    const bool known_open = is_clear(st, lock, STALE_STAGE_MS);
    const bool nobody = view->cp_fresh && own->plugged_since_us == 0;
    const bool engaged = own->lock || is_set(st, lock, STALE_STAGE_MS) || !(known_open || nobody);
    const bool dead = view->gun_known && view->gun_mv < st->config->interlock.v_safe_mv &&
                      (view->may & KIND_BIT(CONTACTOR_GC)) == 0 &&
                      !own->contactor[CONTACTOR_GC].command;
    own->lock = st->request->slot[slot].lock;
    if (!own->lock && engaged && !dead) {
        own->lock = true;
        interlock_note(st, RULE_G5, slot, COMPONENT_NONE);
    }
    st->out->slot[slot].lock = own->lock;
}
