#include "rt/sequencer/sequencer_private.h"

#define BIT(name) (UINT64_C(1) << FAULT_##name)
#define FAULT(name, rule, stop, latched, text)                                                     \
    | (STOP_CLASS_##stop == STOP_CLASS_NORMAL ? BIT(name) : 0)
static const uint64_t normal_faults = 0 FAULT_TABLE(FAULT);
#undef FAULT
#define FAULT(name, rule, stop, latched, text)                                                     \
    | (STOP_CLASS_##stop == STOP_CLASS_ERROR ? BIT(name) : 0)
static const uint64_t error_faults = 0 FAULT_TABLE(FAULT);
#undef FAULT
#define FAULT(name, rule, stop, latched, text)                                                     \
    | (STOP_CLASS_##stop == STOP_CLASS_EMERGENCY ? BIT(name) : 0)
static const uint64_t emergency_faults = 0 FAULT_TABLE(FAULT);
#undef FAULT
static_assert(FAULT_COUNT <= 64, "a fault set is one 64-bit word");

/* The PLC cannot be trusted, or the slot's past is not known yet: unavailable rather than faulted. */
#define WITHDRAWING                                                                                \
    (BIT(PLC_LOST) | BIT(BUS_OFF) | BIT(PLC_CRC_MODE) | BIT(PLC_COMM) | BIT(LATCH_UNKNOWN))
/* Latched, yet a new cable check may clear them (N5): they do not keep an idle gun from a new vehicle. */
#define CLEARED_BY_CABLE_CHECK (BIT(IMD_FAULT) | BIT(IMD_LOW))
/* Concern only a gun that delivers; a gun without vehicle waits for the planner in LOCKED. */
#define ONLY_WHILE_SERVED (BIT(PLANNER_LATE) | BIT(EV_TARGETS_STALE))

uint64_t gun_faults_of_class(enum stop_class class) {
    switch (class) {
    case STOP_CLASS_NORMAL: return normal_faults;
    case STOP_CLASS_ERROR: return error_faults;
    case STOP_CLASS_EMERGENCY: return emergency_faults;
    case STOP_CLASS_NONE:
    case STOP_CLASS_COUNT: break;
    }
    return 0;
}

enum stop_class gun_worst_class(uint64_t faults) {
    return (faults & emergency_faults) != 0 ? STOP_CLASS_EMERGENCY
           : (faults & error_faults) != 0   ? STOP_CLASS_ERROR
           : (faults & normal_faults) != 0  ? STOP_CLASS_NORMAL
                                            : STOP_CLASS_NONE;
}

/* Silence makes every measurement stale, and the PLC's SAFETY_OK falls with whatever it found: whoever reads one fault
 * reads of the silence or the earth fault, not of a door. */
static uint64_t without_consequences(uint64_t faults) {
    const uint64_t stale = BIT(SAFETY_CHAIN) | BIT(CP_STALE);
    if ((faults & BIT(BUS_OFF)) != 0) {
        return faults & ~(stale | BIT(PLC_LOST));
    }
    if ((faults & BIT(PLC_LOST)) != 0) {
        return faults & ~stale;
    }
    return (faults & BIT(EARTH_FAULT)) != 0 ? faults & ~BIT(SAFETY_CHAIN) : faults;
}

enum fault_code gun_worst_fault(uint64_t faults) {
    const enum stop_class class = gun_worst_class(faults);
    const uint64_t worst = class == STOP_CLASS_NONE
                               ? faults
                               : without_consequences(faults & gun_faults_of_class(class));
    return worst == 0 ? FAULT_NONE : (enum fault_code)__builtin_ctzll(worst);
}

enum fault_code gun_root_fault(enum fault_code fault, uint64_t faults) {
    const uint64_t own = UINT64_C(1) << fault;
    const uint64_t roots = faults & (BIT(BUS_OFF) | BIT(PLC_LOST) | BIT(EARTH_FAULT));
    if (fault == FAULT_NONE || (without_consequences(own | roots) & own) != 0) {
        return fault;
    }
    return gun_worst_fault(roots);
}

const struct config_connector *gun_connector(const struct gun_inputs *in) {
    const int16_t index = in->config->slot[in->slot].gun;
    assert(index >= 0 && (uint32_t)index < in->config->connectors);
    return &in->config->connector[index];
}

bool gun_module_usable(const struct image_slot *image, const struct interlock_slot *interlock,
                       uint32_t module) {
    assert(module < RM_MODULES_PER_SLOT_MAX);
    return interlock->module[module].fault == FAULT_NONE && image->module[module].last_rx_us != 0;
}

int32_t gun_current_limit_ma(const struct config *config, const struct interlock_slot *interlock,
                             uint32_t slot) {
    assert(slot < config->slots && config->slot[slot].gun >= 0);
    const struct config_connector *c = &config->connector[config->slot[slot].gun];
    const int32_t ma =
        c->max_current_ma < c->cable_max_current_ma ? c->max_current_ma : c->cable_max_current_ma;
    const int32_t derated_ma = (int32_t)((int64_t)ma * interlock->derate_permille / 1000);
    const int32_t fallback_ma = config->interlock.sensor_fallback_ma;
    return interlock->sensor_broken && fallback_ma < derated_ma ? fallback_ma : derated_ma;
}

static enum feedback feedback_of(const struct image_contactor *c, int64_t now_us) {
    if (c->at_us == 0 || now_us - c->at_us > (int64_t)GUN_STATUS_MS * 1000 || c->p != c->n) {
        return FEEDBACK_INVALID;
    }
    return c->p;
}

/* Command, and feedback newer than the command, agree. */
static bool confirmed(const struct contactor_book *book, const struct image_contactor *c,
                      enum feedback wanted, int64_t now_us) {
    return book->command == (wanted == FEEDBACK_CLOSED) && feedback_of(c, now_us) == wanted &&
           c->at_us >= book->changed_us && !book->welded && !book->stuck;
}

void gun_look_at_modules(const struct config *config, const struct image_slot *image,
                         const struct interlock_slot *interlock, uint32_t slot, int64_t now_us,
                         uint8_t *usable, uint8_t *joined) {
    const struct config_slot *k = &config->slot[slot];
    *usable = 0;
    *joined = 0;
    for (uint32_t j = 0; j < k->module_count; j++) {
        const struct contactor_book *book = &interlock->contactor[CONTACTOR_MN0 + j];
        const bool on_plc = k->module[j].mn_on_plc;
        const struct image_contactor *fb =
            on_plc ? &image->contactor[CONTACTOR_MN0 + j] : &image->module[j].relay;
        const uint8_t bit = (uint8_t)(1u << j);
        if (gun_module_usable(image, interlock, j)) {
            *usable |= bit;
        }
        const int32_t fresh_ms = on_plc ? GUN_STATUS_MS : GUN_HLC_MS;
        if (book->command && !book->stuck && fb->p == FEEDBACK_CLOSED && fb->n == FEEDBACK_CLOSED &&
            now_us - fb->at_us <= (int64_t)fresh_ms * 1000) {
            *joined |= bit;
        }
    }
}

static void demand(struct gun_view *v, enum stop_class class, enum fault_code fault,
                   enum stop_reason reason) {
    if (class > v->demand) {
        v->demand = class;
        v->demand_cause = (struct gun_cause){fault, reason};
    }
}

static void demand_for_fault(struct gun_view *v, enum stop_class class, enum fault_code fault) {
    const enum stop_reason reason = fault == FAULT_ESTOP     ? STOP_REASON_EMERGENCY_STOP
                                    : fault == FAULT_CP_LOST ? STOP_REASON_UNPLUGGED
                                                             : STOP_REASON_FAULT;
    demand(v, class, fault, reason);
}

/* What asks a running session to stop, besides the vehicle: interlocks, own verdicts, commands, silence. */
static void look_for_stop(const struct gun *g, const struct gun_inputs *in, struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    const bool served = gun_rows[g->state].served != 0;
    const uint64_t faults = in->interlock->faults | in->interlock->latched;
    if (in->interlock->stop != STOP_CLASS_NONE) {
        const uint64_t of_class = faults & gun_faults_of_class(in->interlock->stop);
        demand_for_fault(v, in->interlock->stop,
                         gun_worst_fault(of_class != 0 ? of_class : faults));
    }
    if (g->failed != FAULT_NONE) {
        demand_for_fault(v, fault_info(g->failed)->stop, g->failed);
    }
    if (served && v->cp != CP_STATE_C && v->cp != CP_STATE_D && v->cp != CP_STATE_UNKNOWN) {
        demand_for_fault(v, STOP_CLASS_EMERGENCY, FAULT_CP_LOST);
    }
    if ((served || g->state == GUN_STATE_LOCKED) && v->lock == 0 &&
        gun_connector(in)->require_lock) {
        demand_for_fault(v, STOP_CLASS_ERROR, FAULT_LOCK);
    }
    if (in->stop_requested) {
        demand(v, STOP_CLASS_NORMAL, FAULT_NONE, in->stop_reason);
    }
    if (in->shutdown) {
        demand(v, STOP_CLASS_NORMAL, FAULT_NONE, STOP_REASON_RESTART);
    }
    if (served && in->plan_age_us > (int64_t)k->t_plan2_ms * 1000) {
        demand_for_fault(v, STOP_CLASS_NORMAL, FAULT_PLANNER_LATE);
    }
    if (g->targets_lost_us != 0 && in->now_us - g->targets_lost_us >= GUN_TARGETS_STOP_US) {
        demand_for_fault(v, STOP_CLASS_NORMAL, FAULT_EV_TARGETS_STALE);
    }
    if (served && g->mn_mask == 0 &&
        !(g->state == GUN_STATE_CABLE_CHECK && g->step == CABLE_CHECK_CLOSE_GC)) {
        demand_for_fault(v, STOP_CLASS_NORMAL, FAULT_NO_MODULES);
    }
}

static void look_at_voltages(const struct gun_inputs *in, struct gun_view *v) {
    const struct config_interlock *k = &in->config->interlock;
    /* Without SlotSense (relay PLCs) voltages come from meter and modules, which are slower. */
    const int32_t period_ms =
        in->config->plc.contactor_frame == CONTACTOR_FRAME_GCMC ? GUN_SENSE_MS : GUN_METER_MS;
    const int32_t fresh_ms = k->t_stale_ms > period_ms ? k->t_stale_ms : period_ms;
    v->bus_known = sample_fresh(&in->image->bus_mv, in->now_us, fresh_ms);
    v->gun_known = sample_fresh(&in->image->gun_mv, in->now_us, fresh_ms);
    v->current_known = sample_fresh(&in->image->gun_ma, in->now_us, GUN_METER_MS);
    v->bus_mv = in->image->bus_mv.value;
    v->gun_mv = in->image->gun_mv.value;
    v->gun_ma = in->image->gun_ma.value;
    const struct contactor_book *gc = &in->interlock->contactor[CONTACTOR_GC];
    const struct image_contactor *fb = &in->image->contactor[CONTACTOR_GC];
    v->gc_open = confirmed(gc, fb, FEEDBACK_OPEN, in->now_us);
    v->gc_closed = confirmed(gc, fb, FEEDBACK_CLOSED, in->now_us);
    v->dead = v->gc_open && v->bus_known && v->gun_known && v->bus_mv < k->v_safe_mv &&
              v->gun_mv < k->v_safe_mv;
}

void gun_view_fill(struct gun *g, const struct gun_inputs *in, struct gun_view *view) {
    const struct image_slot *image = in->image;
    const struct interlock_slot *interlock = in->interlock;
    *view = (struct gun_view){.lock = -1, .stage = -1};
    if (sample_fresh(&image->cp_state, in->now_us, GUN_CP_MS)) {
        view->cp = (enum cp_state)image->cp_state.value;
    }
    if (sample_fresh(&image->lock, in->now_us, GUN_LOCK_MS)) {
        view->lock = image->lock.value != 0;
    }
    if (sample_fresh(&image->hlc_stage, in->now_us, GUN_HLC_MS)) {
        view->stage = image->hlc_stage.value;
    }
    look_at_voltages(in, view);
    const uint64_t latched = interlock->latched & ~CLEARED_BY_CABLE_CHECK;
    const uint64_t faults = (interlock->faults | latched) & ~ONLY_WHILE_SERVED;
    view->blocking = faults & (normal_faults | error_faults | emergency_faults);
    view->withdrawn = !g->operative || in->shutdown || (view->blocking & WITHDRAWING) != 0 ||
                      image->plc_last_rx_us == 0 ||
                      (!interlock->released && (view->blocking & interlock->latched) == 0);
    if (gun_rows[g->state].session != 0) {
        gun_look_at_modules(in->config, image, interlock, in->slot, in->now_us, &view->usable,
                            &view->joined);
        look_for_stop(g, in, view);
    } else if (view->blocking != 0) {
        demand_for_fault(view, gun_worst_class(view->blocking), gun_worst_fault(view->blocking));
    }
}
