/* Faults of a vehicle's session: control pilot and lock (S9, G3), over-voltage (S10), over-current (M4), short circuit in
 * the cable check (G2), connector temperature (S11), meter and targets (S7), weld by voltage (G7). */
#include "rt/interlock/interlock_private.h"

#define WHILE_CLOSED                                                                               \
    (FAULT_BIT(FAULT_CP_LOST) | FAULT_BIT(FAULT_LOCK) | FAULT_BIT(FAULT_OVERVOLTAGE) |             \
     FAULT_BIT(FAULT_OVERVOLTAGE_EMERGENCY) | FAULT_BIT(FAULT_OVERCURRENT) |                       \
     FAULT_BIT(FAULT_CABLE_SHORT) | FAULT_BIT(FAULT_EV_TARGETS_STALE) |                            \
     FAULT_BIT(FAULT_VOLTAGE_UNKNOWN))

/* Faults that only a closed GC makes some begin while it is commanded, and stay until it is confirmed open: the way down
 * is walked to the end. */
static uint64_t while_closed(const struct step *st, uint32_t slot, uint64_t causes) {
    uint64_t found = causes;
    if (!gun_commanded(st, slot)) {
        found &= ~WHILE_CLOSED;
    }
    if (!contactor_confirmed_open(st, slot, CONTACTOR_GC)) {
        found |= st->s->slot[slot].faults & WHILE_CLOSED;
    }
    return found;
}

static uint64_t pilot_faults(const struct step *st, uint32_t slot) {
    const struct slot_view *view = &st->view[slot];
    const bool needs_lock = slot_connector(st, slot)->require_lock;
    const bool unlocked = needs_lock && !is_set(st, &st->image->slot[slot].lock, STALE_STAGE_MS);
    return fault_if(!view->cp_fresh, FAULT_CP_STALE) |
           fault_if(view->cp_fresh && !view->cp_ready, FAULT_CP_LOST) |
           fault_if(unlocked, FAULT_LOCK);
}

/* S10. Until the bus has come down from the cable check's voltage that voltage is the maximum; an unknown maximum gives
 * no power at all (M5), so there is nothing to compare with. */
static uint64_t voltage_faults(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct slot_view *view = &st->view[slot];
    const int32_t negotiated_mv = st->view[slot].negotiated_mv;
    const bool watched = negotiated_mv != 0 && gun_commanded(st, slot);
    int64_t maximum_mv = (int64_t)negotiated_mv + OVERVOLTAGE_MARGIN_MV;
    int64_t peak_mv = gun_overvoltage_mv(negotiated_mv);
    if (view->stage <= HLC_STAGE_PRECHARGE) {
        maximum_mv = (int64_t)interlock_gun_cable_check_mv(st, slot) + CABLE_CHECK_MARGIN_MV;
        maximum_mv = maximum_mv > negotiated_mv ? maximum_mv : negotiated_mv;
        /* 1.1 x 850 V is both a cable-check voltage and a limit of the table; the test voltage has its own band, and the
         * vehicle's contactor is open. */
        peak_mv = peak_mv > maximum_mv ? peak_mv : maximum_mv;
    }
    int32_t highest_mv = view->bus_known ? view->bus_mv : 0;
    if (view->gun_known && view->gun_mv > highest_mv) {
        highest_mv = view->gun_mv;
    }
    const bool peak =
        interlock_held(&own->overvoltage_emergency_since_us, watched && highest_mv > peak_mv,
                       st->now_us, T_OVERVOLTAGE_PEAK_MS);
    const bool above =
        interlock_held(&own->overvoltage_since_us, watched && highest_mv > maximum_mv, st->now_us,
                       T_OVERVOLTAGE_MS);
    const bool lasting =
        above && st->now_us - own->overvoltage_since_us >= (int64_t)T_OVERVOLTAGE_LAST_MS * 1000;
    /* S7: a voltage that nobody measures may be any voltage. */
    const bool unknown =
        interlock_held(&own->voltage_unknown_since_us,
                       gun_commanded(st, slot) && !view->bus_known && !view->gun_known, st->now_us,
                       T_OVERVOLTAGE_MS);
    return fault_if(above, FAULT_OVERVOLTAGE) | fault_if(unknown, FAULT_VOLTAGE_UNKNOWN) |
           fault_if(peak || lasting, FAULT_OVERVOLTAGE_EMERGENCY);
}

/* The largest current commanded within the last one to two seconds: modules and meter lag behind. */
static int32_t commanded_peak_ma(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const int64_t sum_ma = slot_joint(st, slot)->set_ma;
    if (st->now_us - own->peak_us >= 1000000) {
        own->peak_ma[1] = own->peak_ma[0];
        own->peak_ma[0] = 0;
        own->peak_us = st->now_us;
    }
    if (sum_ma > own->peak_ma[0]) {
        own->peak_ma[0] = (int32_t)sum_ma;
    }
    return own->peak_ma[0] > own->peak_ma[1] ? own->peak_ma[0] : own->peak_ma[1];
}

static uint64_t current_faults(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct slot_view *view = &st->view[slot];
    const struct config_interlock *limit = &st->config->interlock;
    const int64_t peak_ma = commanded_peak_ma(st, slot);
    if (!gun_commanded(st, slot)) {
        own->overcurrent_since_us = 0;
        own->short_since_us = 0;
        return 0;
    }
    const int64_t margin_ma = peak_ma / 20 > limit->i_open_ma ? peak_ma / 20 : limit->i_open_ma;
    int32_t current_ma = 0;
    const bool known = gun_current(st, slot, &current_ma);
    const bool over =
        interlock_held(&own->overcurrent_since_us, known && current_ma > peak_ma + margin_ma,
                       st->now_us, T_OVERCURRENT_MS);
    /* A short: in the cable check no vehicle is connected, yet current flows, or flows without raising the voltage. */
    const bool flows = current_ma > limit->i_open_ma;
    const bool sinks =
        current_ma >= limit->i_cc_ma / 2 && view->bus_known && view->bus_mv < limit->v_safe_mv;
    const bool shorted = interlock_held(
        &own->short_since_us, known && view->stage == HLC_STAGE_CABLE_CHECK && (flows || sinks),
        st->now_us, T_SHORT_MS);
    return fault_if(over, FAULT_OVERCURRENT) | fault_if(shorted, FAULT_CABLE_SHORT);
}

static bool pin_known(const struct step *st, const struct sample *pin) {
    return is_fresh(st, pin, STALE_TEMPERATURE_MS);
}

static int32_t hottest_ddegc(const struct step *st, const struct image_slot *image) {
    const struct sample *sensor[] = {&image->pin_plus_ddegc, &image->pin_minus_ddegc,
                                     &image->cable_ddegc};
    int32_t hottest = INT32_MIN;
    for (unsigned i = 0; i < 3; ++i) {
        if (pin_known(st, sensor[i]) && sensor[i]->value > hottest) {
            hottest = sensor[i]->value;
        }
    }
    return hottest;
}

/* below the stop */
static int32_t derate_permille(const struct config_interlock *limit, int32_t ddegc) {
    if (ddegc <= limit->pin_derate_ddegc) {
        return 1000;
    }
    return (int32_t)((int64_t)(limit->pin_stop_ddegc - ddegc) * 1000 /
                     (limit->pin_stop_ddegc - limit->pin_derate_ddegc));
}

/* S11. The cable's sensor counts where it is fitted; a pin's that is open, short or silent is a broken sensor. */
static uint64_t temperature_faults(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct image_slot *image = &st->image->slot[slot];
    const struct config_interlock *limit = &st->config->interlock;
    const int32_t ddegc = hottest_ddegc(st, image);
    const bool was_hot = (own->faults & FAULT_BIT(FAULT_TEMPERATURE)) != 0;
    const bool hot = ddegc >= limit->pin_stop_ddegc - (was_hot ? TEMPERATURE_RETURN_DDEGC : 0);
    own->derate_permille = hot ? 0 : derate_permille(limit, ddegc);
    own->sensor_broken =
        !pin_known(st, &image->pin_plus_ddegc) || !pin_known(st, &image->pin_minus_ddegc);
    const bool broken = interlock_held(&own->temperature_fallback_since_us, own->sensor_broken,
                                       st->now_us, limit->t_sensor_stop_ms);
    return fault_if(hot, FAULT_TEMPERATURE) | fault_if(broken, FAULT_TEMPERATURE_SENSOR);
}

static uint64_t data_faults(const struct step *st, uint32_t slot) {
    const struct image_slot *image = &st->image->slot[slot];
    const bool targets_lost = st->view[slot].stage == HLC_STAGE_CURRENT_DEMAND &&
                              !is_fresh(st, &image->ev_target_ma, LOST_TARGETS_MS);
    return fault_if(!is_fresh(st, &image->meter, LOST_METER_MS), FAULT_METER_STALE) |
           fault_if(targets_lost, FAULT_EV_TARGETS_STALE);
}

/* G7: GC is told to be open and the bus is up, yet the gun's side follows it. Looked at in the weld check only; the
 * state of the last request counts too, so that a verdict due in the step that leaves the check is not lost. */
static void weld_by_voltage(struct step *st, uint32_t slot) {
    struct interlock_slot *own = &st->s->slot[slot];
    const struct slot_view *view = &st->view[slot];
    const struct config_interlock *limit = &st->config->interlock;
    const bool checking =
        st->request->slot[slot].state == GUN_STATE_WELD_CHECK || own->state == GUN_STATE_WELD_CHECK;
    const bool follows = view->bus_known && view->gun_known && view->bus_mv >= limit->v_safe_mv &&
                         view->gun_mv >= limit->v_safe_mv &&
                         difference_mv(view->bus_mv, view->gun_mv) <= limit->dv_gc_mv;
    if (interlock_held(&own->weld_since_us, checking && follows && !gun_commanded(st, slot),
                       st->now_us, limit->t_weld_ms)) {
        own->contactor[CONTACTOR_GC].welded = true;
        interlock_note(st, RULE_G7, slot, CONTACTOR_GC);
    }
}

uint64_t faults_session(struct step *st, uint32_t slot) {
    if (slot_connector(st, slot) == NULL) {
        return 0;
    }
    weld_by_voltage(st, slot);
    const uint64_t causes = pilot_faults(st, slot) | voltage_faults(st, slot) |
                            current_faults(st, slot) | temperature_faults(st, slot) |
                            data_faults(st, slot);
    return while_closed(st, slot, causes) | insulation_faults(st, slot);
}
