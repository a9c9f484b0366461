#include "rt/sequencer/sequencer_private.h"

#include <string.h>

#define SERVED(state) (gun_rows[state].served != 0)

void gun_init(struct gun *g, bool has_gun, int64_t now_us) {
    memset(g, 0, sizeof *g);
    g->state = has_gun ? GUN_STATE_UNAVAILABLE : GUN_STATE_NONE;
    g->since_us = now_us;
    g->progress_us = now_us;
    g->ramp_us = now_us;
    g->operative = true;
}

void gun_authorise(struct gun *g, enum auth_source source, const char id_token[RM_ID_TOKEN_LEN],
                   int64_t until_us) {
    g->authorised = true;
    g->denied = false;
    g->auth_source = source;
    g->authorised_until_us = until_us;
    memcpy(g->id_token, id_token, sizeof g->id_token);
    g->id_token[sizeof g->id_token - 1] = '\0';
}

bool gun_in_session(const struct gun *g) {
    return gun_rows[g->state].session != 0 || g->state == GUN_STATE_UNLOCK;
}

static void forget_authorisation(struct gun *g) {
    g->authorised = false;
    g->authorised_until_us = 0;
    g->auth_source = AUTH_SOURCE_NONE;
    memset(g->id_token, 0, sizeof g->id_token);
}

static int64_t age_us(const struct gun_inputs *in, int64_t since_us) {
    return in->now_us - since_us;
}

static bool older_than_ms(const struct gun_inputs *in, int64_t since_us, int32_t limit_ms) {
    return age_us(in, since_us) >= (int64_t)limit_ms * 1000;
}

void gun_deny(struct gun *g) {
    forget_authorisation(g);
    g->denied = true;
}

/* The state's own condition to go on. */
static bool next_present(struct gun *g, const struct gun_inputs *in, const struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    const bool lock_needed = gun_connector(in)->require_lock;
    const bool in_cd = v->cp == CP_STATE_C || v->cp == CP_STATE_D;
    switch (g->state) {
    case GUN_STATE_UNAVAILABLE: return !v->withdrawn;
    case GUN_STATE_PLUGGED: return g->authorised && !g->sessions_full;
    case GUN_STATE_AUTHORISED: return v->lock == 1 || !lock_needed;
    case GUN_STATE_LOCKED:
        return v->stage >= HLC_STAGE_CABLE_CHECK && in_cd && !in->away &&
               in->plan_age_us <= (int64_t)k->t_plan_ms * 1000;
    case GUN_STATE_CABLE_CHECK:
        return g->step == CABLE_CHECK_DONE && v->stage >= HLC_STAGE_PRECHARGE;
    case GUN_STATE_PRECHARGE:
        return g->matched && v->stage >= in->config->plc.hlc_power_ready_stage &&
               in->image->cable_check_ok && !in->image->precharge_active &&
               !in->image->charge_complete;
    case GUN_STATE_CLOSING:
        return v->stage == HLC_STAGE_CURRENT_DEMAND && v->gc_closed && g->mn_mask != 0 &&
               (v->joined & g->mn_mask) == g->mn_mask && (v->lock == 1 || !lock_needed) &&
               in->interlock->imd_passed;
    case GUN_STATE_RAMP_DOWN:
        /* in a normal stop those who lent go home first, as long as they can */
        if (in->joined && g->stop < STOP_CLASS_ERROR &&
            (g->live_us == 0 || age_us(in, g->live_us) < GUN_LENDERS_US)) {
            return false;
        }
        return g->set_ma == 0 && v->current_known && v->gun_ma <= k->i_open_ma &&
               v->gun_ma >= -k->i_open_ma;
    case GUN_STATE_OPENING: return v->gc_open;
    case GUN_STATE_WELD_CHECK: return gun_weld_check_passed(g, in, v);
    case GUN_STATE_DISCHARGE: return v->dead;
    case GUN_STATE_UNLOCK: return v->lock == 0 || !lock_needed;
    case GUN_STATE_FAULTED: return true; /* its cell's guard decides */
    case GUN_STATE_NONE:
    case GUN_STATE_AVAILABLE:
    case GUN_STATE_CHARGING:
    case GUN_STATE_FINISHED:
    case GUN_STATE_COUNT: break;
    }
    return false;
}

static bool timeout_present(const struct gun *g, const struct gun_inputs *in,
                            struct gun_cause *cause) {
    const struct config_interlock *k = &in->config->interlock;
    const struct gun_cause stage = {FAULT_STAGE_TIMEOUT, STOP_REASON_TIMEOUT};
    switch (g->state) {
    case GUN_STATE_PLUGGED:
        *cause = (struct gun_cause){FAULT_NONE, STOP_REASON_TIMEOUT};
        return older_than_ms(in, g->since_us, k->t_auth_ms);
    case GUN_STATE_AUTHORISED:
        *cause = (struct gun_cause){FAULT_LOCK, STOP_REASON_FAULT};
        return older_than_ms(in, g->since_us, k->t_lock_ms);
    case GUN_STATE_LOCKED: *cause = stage; return older_than_ms(in, g->progress_us, k->t_stage_ms);
    case GUN_STATE_CABLE_CHECK: return gun_cable_check_timeout(g, in, cause);
    case GUN_STATE_PRECHARGE:
        if (g->matched) {
            *cause = stage;
            return older_than_ms(in, g->progress_us, k->t_stage_ms);
        }
        *cause = (struct gun_cause){FAULT_PRECHARGE, STOP_REASON_FAULT};
        return older_than_ms(in, g->progress_us, k->t_pre_ms);
    case GUN_STATE_CLOSING: *cause = stage; return older_than_ms(in, g->since_us, k->t_stage_ms);
    case GUN_STATE_CHARGING:
        *cause = stage;
        return k->t_suspend_ms > 0 && g->pause_us != 0 &&
               older_than_ms(in, g->pause_us, k->t_suspend_ms);
    case GUN_STATE_RAMP_DOWN:
        *cause = (struct gun_cause){FAULT_OVERCURRENT, STOP_REASON_FAULT};
        return g->stop >= STOP_CLASS_ERROR
                   ? age_us(in, g->progress_us) >= GUN_ERROR_OPEN_US
                   : g->live_us != 0 && age_us(in, g->live_us) >=
                                            GUN_RAMP_STOP_US + (in->joined ? GUN_LENDERS_US : 0);
    case GUN_STATE_OPENING:
        *cause = (struct gun_cause){FAULT_CONTACTOR_FEEDBACK, STOP_REASON_FAULT};
        return age_us(in, g->since_us) >= GUN_OPENING_US;
    case GUN_STATE_WELD_CHECK:
        *cause = (struct gun_cause){FAULT_DISCHARGE, STOP_REASON_FAULT};
        return older_than_ms(in, g->since_us, k->t_weld_ms + k->t_discharge_ms);
    case GUN_STATE_DISCHARGE:
        *cause = (struct gun_cause){FAULT_DISCHARGE, STOP_REASON_FAULT};
        return older_than_ms(in, g->since_us, k->t_discharge_ms);
    case GUN_STATE_UNLOCK:
        *cause = (struct gun_cause){FAULT_UNLOCK_FAILED, STOP_REASON_FAULT};
        return older_than_ms(in, g->since_us, k->t_lock_ms);
    case GUN_STATE_NONE:
    case GUN_STATE_UNAVAILABLE:
    case GUN_STATE_AVAILABLE:
    case GUN_STATE_FINISHED:
    case GUN_STATE_FAULTED:
    case GUN_STATE_COUNT: break;
    }
    return false;
}

static bool vehicle_failed(const struct gun *g, const struct gun_view *v) {
    if (v->stage == HLC_STAGE_ERROR) {
        return true;
    }
    return SERVED(g->state) && (v->stage < HLC_STAGE_CABLE_CHECK); /* fell back or silent (-1) */
}

static bool vehicle_stopped(const struct gun *g, const struct gun_inputs *in,
                            const struct gun_view *v) {
    if (v->stage >= HLC_STAGE_POWER_OFF && v->stage <= HLC_STAGE_SESSION_STOP) {
        return true;
    }
    return SERVED(g->state) && v->stage >= HLC_STAGE_PRECHARGE && in->image->charge_complete;
}

static bool event_present(enum gun_event event, struct gun *g, const struct gun_inputs *in,
                          const struct gun_view *v, struct gun_cause *cause) {
    *cause = v->demand_cause;
    switch (event) {
    case GUN_EVENT_WITHDRAWN: return v->withdrawn;
    case GUN_EVENT_UNPLUGGED:
        *cause = (struct gun_cause){SERVED(g->state) ? FAULT_CP_LOST : FAULT_NONE,
                                    STOP_REASON_UNPLUGGED};
        return v->cp == CP_STATE_A;
    case GUN_EVENT_EMERGENCY:
        return v->demand == STOP_CLASS_EMERGENCY && g->stop < STOP_CLASS_EMERGENCY;
    case GUN_EVENT_ERROR: return v->demand == STOP_CLASS_ERROR && g->stop < STOP_CLASS_ERROR;
    case GUN_EVENT_STOP: return v->demand == STOP_CLASS_NORMAL && g->stop == STOP_CLASS_NONE;
    case GUN_EVENT_VEHICLE_ERROR:
        *cause = (struct gun_cause){FAULT_VEHICLE_ERROR, STOP_REASON_FAULT};
        return vehicle_failed(g, v);
    case GUN_EVENT_VEHICLE_STOP:
        *cause = (struct gun_cause){FAULT_NONE, STOP_REASON_VEHICLE};
        return vehicle_stopped(g, in, v);
    case GUN_EVENT_NEXT: return next_present(g, in, v);
    case GUN_EVENT_TIMEOUT: return timeout_present(g, in, cause);
    case GUN_EVENT_PLUGGED:
        return v->cp == CP_STATE_B || v->cp == CP_STATE_C || v->cp == CP_STATE_D;
    case GUN_EVENT_NONE:
    case GUN_EVENT_COUNT: break;
    }
    return false;
}

static bool guard_holds(enum gun_guard guard, const struct gun *g, const struct gun_inputs *in,
                        const struct gun_view *v) {
    const bool plugged = v->cp == CP_STATE_B || v->cp == CP_STATE_C || v->cp == CP_STATE_D;
    const bool recovered = v->blocking == 0 && v->dead;
    const bool free = v->lock == 0 || !gun_connector(in)->require_lock;
    switch (guard) {
    case GUN_GUARD_ALWAYS: return true;
    case GUN_GUARD_RECOVERED: return recovered;
    case GUN_GUARD_PLUGGED: return recovered && plugged && free && g->had_session;
    case GUN_GUARD_NEWCOMER: return recovered && plugged && free && !g->had_session;
    }
    return false;
}

/* Session bookkeeping follows the rows: it runs exactly in the states whose row says so. */
static void follow_session(struct gun *g, struct gun_effects *effects) {
    const bool wanted = gun_rows[g->state].session != 0;
    if (wanted && !g->session) {
        g->session = true;
        g->had_session = true;
        g->energised = false;
        g->fault = FAULT_NONE;
        g->stop_reason = STOP_REASON_NONE;
        memset(g->share_ma, 0, sizeof g->share_ma);
        effects->session_begin = true;
    } else if (!wanted && g->session) {
        g->session = false;
        g->energised = false;
        forget_authorisation(g);
        effects->session_end = true;
    }
}

static void enter(struct gun *g, const struct gun_inputs *in, enum gun_state next,
                  struct gun_effects *effects) {
    if (next == g->state) {
        g->progress_us = in->now_us; /* the way down became more urgent: its time starts anew */
        return;
    }
    effects->changed = true;
    effects->from = g->state;
    effects->to = next;
    if (g->state == GUN_STATE_FAULTED && next == GUN_STATE_PLUGGED) {
        forget_authorisation(g); /* a token from before the fault starts nothing after it */
    }
    g->state = next;
    g->since_us = in->now_us;
    g->progress_us = in->now_us;
    g->step = 0;
    g->live_us = 0;
    g->pause_us = 0;
    g->matched = false;
    g->test_armed = false;
    if (!gun_rows[next].session && next != GUN_STATE_UNLOCK) {
        g->stop = STOP_CLASS_NONE;
        g->failed = FAULT_NONE;
        g->set_ma = 0;
        g->set_mv = 0;
        g->mn_mask = 0;
    }
    if (next == GUN_STATE_AVAILABLE || next == GUN_STATE_AUTHORISED) {
        g->fault = FAULT_NONE;
    }
    follow_session(g, effects);
}

static void note_cause(struct gun *g, const struct gun_cause *cause, int64_t now_us) {
    if (g->stop_reason == STOP_REASON_NONE) {
        g->stop_reason = cause->reason;
        g->fault = cause->fault;
        g->cause_us = now_us;
    } else if (g->fault == FAULT_NONE) {
        g->fault = cause->fault;
    }
}

/* One sample goes stale a few frames before the PLC counts as silent: within that time the record learns why. */
static void follow_cause(struct gun *g, const struct gun_inputs *in) {
    if (g->session && g->stop_reason == STOP_REASON_FAULT &&
        in->now_us - g->cause_us <= GUN_CAUSE_US) {
        g->fault = gun_root_fault(g->fault, in->interlock->faults | in->interlock->latched);
    }
}

/* The first event that is present, not ignored here and allowed by its guard. */
static void take_event(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                       struct gun_effects *effects) {
    for (unsigned e = GUN_EVENT_NONE + 1; e < GUN_EVENT_COUNT; e++) {
        const struct gun_transition *cell = &gun_table[g->state][e];
        struct gun_cause cause;
        if (cell->action == GUN_ACTION_IGNORE ||
            !event_present((enum gun_event)e, g, in, v, &cause) ||
            !guard_holds((enum gun_guard)cell->guard, g, in, v)) {
            continue;
        }
        assert(cell->action != GUN_ACTION_HOLE);
        if (cell->action == GUN_ACTION_HOLD) {
            return;
        }
        if (cell->stop != STOP_CLASS_NONE) {
            note_cause(g, &cause, in->now_us);
            if ((enum stop_class)cell->stop > g->stop) {
                g->stop = (enum stop_class)cell->stop;
            }
        } else if (e == GUN_EVENT_TIMEOUT || e == GUN_EVENT_EMERGENCY || e == GUN_EVENT_ERROR ||
                   e == GUN_EVENT_STOP) {
            note_cause(g, &cause, in->now_us);
        }
        enter(g, in, (enum gun_state)cell->next, effects);
        return;
    }
}

static void follow_plug(struct gun *g, const struct gun_view *v, struct gun_effects *effects) {
    if (v->cp == CP_STATE_A && g->plugged) {
        g->plugged = false;
        effects->unplugged = true;
        g->denied = false;
        if (!g->session) {
            forget_authorisation(g);
        }
    } else if (!g->plugged && (v->cp == CP_STATE_B || v->cp == CP_STATE_C || v->cp == CP_STATE_D)) {
        g->plugged = true;
        effects->plugged = true;
        g->had_session = g->session; /* another vehicle, unless the last one's session still ends */
    }
}

/* Timers that run beside the table. */
static void follow_time(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                        struct gun_effects *effects) {
    if (g->authorised && !g->plugged && !g->session && in->now_us > g->authorised_until_us) {
        forget_authorisation(g);
    }
    if (v->stage >= 0 && g->hlc_seen != (uint8_t)v->stage) {
        g->hlc_seen = (uint8_t)v->stage;
        if (g->state == GUN_STATE_LOCKED) {
            g->progress_us = in->now_us;
        }
    }
    const bool targets = sample_fresh(&in->image->ev_target_ma, in->now_us, GUN_TARGETS_MS) &&
                         sample_fresh(&in->image->ev_target_mv, in->now_us, GUN_TARGETS_MS);
    if (g->state != GUN_STATE_CHARGING) {
        g->targets_lost_us = 0;
        return;
    }
    g->targets_lost_us = targets ? 0 : g->targets_lost_us != 0 ? g->targets_lost_us : in->now_us;
    const bool asks = !targets || in->image->ev_target_ma.value > 0;
    g->pause_us = asks ? 0 : g->pause_us != 0 ? g->pause_us : in->now_us;
    if (!g->energised && v->current_known && v->gun_ma > in->config->interlock.i_off_ma) {
        g->energised = true;
        effects->session_energised = true;
    }
}

static void precharge_step(struct gun *g, const struct gun_inputs *in, const struct gun_view *v) {
    const struct sample *target = &in->image->ev_target_mv;
    if (g->matched || !v->gun_known || !sample_fresh(target, in->now_us, GUN_TARGETS_MS) ||
        target->value < in->config->interlock.v_safe_mv) {
        return;
    }
    const int32_t gap_mv = v->gun_mv - target->value;
    if (gap_mv <= in->config->interlock.dv_gc_mv && gap_mv >= -in->config->interlock.dv_gc_mv) {
        g->matched = true;
        g->progress_us = in->now_us;
    }
}

/* What the interlocks hold locked (G5) is asked for until the inlet is dead: request and output agree. */
static bool lock_held(const struct gun_inputs *in, const struct gun_view *v) {
    const struct contactor_book *gc = &in->interlock->contactor[CONTACTOR_GC];
    const struct image_contactor *fb = &in->image->contactor[CONTACTOR_GC];
    const bool open = !gc->command && !gc->welded && fb->p == FEEDBACK_OPEN &&
                      fb->n == FEEDBACK_OPEN &&
                      in->now_us - fb->at_us <= (int64_t)GUN_STATUS_MS * 1000;
    const bool dead = open && v->gun_known && v->gun_mv < in->config->interlock.v_safe_mv;
    return in->interlock->lock && !dead;
}

static void write_request(struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                          struct request_slot *request) {
    const struct gun_row *row = &gun_rows[g->state];
    const bool live = !v->bus_known || !v->gun_known ||
                      v->bus_mv >= in->config->interlock.v_safe_mv ||
                      v->gun_mv >= in->config->interlock.v_safe_mv;
    memset(request, 0, sizeof *request);
    request->gc = row->gc != 0;
    request->lock = row->lock != 0 || lock_held(in, v);
    request->imd_enable = row->imd == GUN_IMD_ON ||
                          (row->imd == GUN_IMD_IF_LIVE && live && g->state > GUN_STATE_LOCKED);
    request->imd_self_test = g->state == GUN_STATE_CABLE_CHECK &&
                             (g->step == CABLE_CHECK_SELF_TEST || g->step == CABLE_CHECK_VERDICT);
    request->stop = g->stop;
    request->state = g->state;
    gun_power_step(g, in, v, request);
}

static uint8_t fault_bits(const struct gun_inputs *in, uint64_t blocking) {
    const uint64_t faults = in->interlock->faults | in->interlock->latched | blocking;
#define BIT(name) (UINT64_C(1) << FAULT_##name)
    return (uint8_t)((blocking != 0 ? 1u : 0u) |
                     ((faults & (BIT(PLC_COMM) | BIT(PLC_ACK) | BIT(PLC_LOST))) != 0 ? 2u : 0u) |
                     ((faults & (BIT(ESTOP) | BIT(SAFETY_CHAIN) | BIT(EARTH_FAULT) |
                                 BIT(IMD_FAULT) | BIT(IMD_LOW))) != 0
                          ? 4u
                          : 0u) |
                     ((faults & (BIT(TEMPERATURE) | BIT(TEMPERATURE_SENSOR))) != 0 ? 8u : 0u) |
                     ((faults & BIT(OVERCURRENT)) != 0 ? 16u : 0u) |
                     ((faults & BIT(CONTACTOR_WELDED)) != 0 ? 32u : 0u));
#undef BIT
}

static void write_to_plc(const struct gun *g, const struct gun_inputs *in, const struct gun_view *v,
                         struct gun_to_plc *to_plc) {
    const struct gun_row *row = &gun_rows[g->state];
    const struct config_connector *c = gun_connector(in);
    const bool plan_known =
        in->proposal != NULL && in->plan_age_us <= (int64_t)in->config->interlock.t_plan2_ms * 1000;
    memset(to_plc, 0, sizeof *to_plc);
    to_plc->auth_granted = g->authorised && g->session;
    to_plc->auth_pending = g->state == GUN_STATE_PLUGGED && !g->authorised && !g->denied;
    to_plc->lock = row->lock != 0;
    if (g->stop != STOP_CLASS_NONE && g->stop_reason != STOP_REASON_VEHICLE) {
        to_plc->stop_request = (uint8_t)g->stop; /* wire values 1..3 are those of enum stop_class */
    }
    to_plc->offer_mv = c->max_voltage_mv;
    to_plc->offer_ma = gun_current_limit_ma(in->config, in->interlock, in->slot);
    to_plc->offer_w = plan_known ? in->proposal->offered_w : 0;
    to_plc->present_mv = v->gun_known ? v->gun_mv : 0;
    to_plc->present_ma = v->current_known ? v->gun_ma : 0;
    to_plc->present_w = (int32_t)((int64_t)to_plc->present_mv * to_plc->present_ma / 1000000);
    to_plc->output_enabled = row->enabled != 0 && v->gc_closed;
    to_plc->regulating = g->state == GUN_STATE_CHARGING && g->set_ma > 0;
    to_plc->fault_bits = fault_bits(in, v->blocking);
}

void gun_step(struct gun *g, const struct gun_inputs *in, struct request_slot *request,
              struct gun_to_plc *to_plc, struct gun_effects *effects) {
    memset(effects, 0, sizeof *effects);
    if (g->state == GUN_STATE_NONE) {
        memset(request, 0, sizeof *request);
        memset(to_plc, 0, sizeof *to_plc);
        return;
    }
    struct gun_view view;
    gun_view_fill(g, in, &view);
    follow_plug(g, &view, effects);
    follow_time(g, in, &view, effects);
    if (g->state == GUN_STATE_CABLE_CHECK) {
        gun_cable_check_step(g, in, &view);
    } else if (g->state == GUN_STATE_PRECHARGE) {
        precharge_step(g, in, &view);
    }
    follow_cause(g, in);
    take_event(g, in, &view, effects);
    write_request(g, in, &view, request);
    write_to_plc(g, in, &view, to_plc);
}
