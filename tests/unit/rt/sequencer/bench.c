#include "tests/unit/rt/sequencer/bench.h"

#include <string.h>

#define CLOSE_US 20000
#define TEST_US  2000000

void bench_init(struct bench *b) {
    memset(b, 0, sizeof *b);
    config_ring(&b->config, 1, 2);
    b->now_us = 1000000000;
    b->last_stage = HLC_STAGE_CURRENT_DEMAND;
    b->battery_mv = 400000;
    b->ev_max_mv = 450000;
    b->wish_ma = 100000;
    b->interlock.released = true;
    b->interlock.derate_permille = 1000;
    b->proposal = (struct proposal_slot){.budget_w = 60000, .offered_w = 60000};
    for (unsigned j = 0; j < 2; j++) {
        b->proposal.module[j] =
            (struct proposal_module){.mn = true, .run = true, .set_mv = 420000, .set_ma = 60000};
    }
    gun_init(&b->gun, true, b->now_us);
}

static void set(struct sample *s, int32_t value, int64_t now_us) {
    *s = (struct sample){.value = value, .valid = true, .at_us = now_us};
}

static bool closed(const struct bench *b, unsigned kind) {
    return b->image.contactor[kind].p == FEEDBACK_CLOSED;
}

static void move_contactors(struct bench *b) {
    bool wanted[CONTACTORS_PER_SLOT] = {0};
    wanted[CONTACTOR_GC] = b->request.gc;
    for (unsigned j = 0; j < 2; j++) {
        wanted[CONTACTOR_MN0 + j] = b->request.module[j].mn;
    }
    for (unsigned k = 0; k < CONTACTORS_PER_SLOT; k++) {
        struct contactor_book *book = &b->interlock.contactor[k];
        struct image_contactor *fb = &b->image.contactor[k];
        if (book->command != wanted[k]) {
            book->command = wanted[k];
            book->changed_us = b->now_us;
        }
        if (k == CONTACTOR_GC && b->gc_stuck) {
            fb->at_us = b->now_us;
            continue;
        }
        if (fb->at_us == 0 || b->now_us - book->changed_us >= CLOSE_US) {
            fb->p = fb->n = book->command ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
        }
        fb->at_us = b->now_us;
    }
}

static void electricity(struct bench *b) {
    int32_t bus_mv = b->bus_stays ? b->image.bus_mv.value : 0;
    int32_t sum_ma = 0;
    for (unsigned j = 0; j < 2; j++) {
        const struct request_module *m = &b->request.module[j];
        if (m->run && closed(b, CONTACTOR_MN0 + j) && !b->no_voltage) {
            bus_mv = m->set_mv > bus_mv ? m->set_mv : bus_mv;
            sum_ma += m->set_ma;
        }
        set(&b->image.module[j].voltage_mv, bus_mv, b->now_us);
        set(&b->image.module[j].current_ma, 0, b->now_us);
        b->image.module[j].last_rx_us = b->now_us;
    }
    const bool battery = b->plugged && b->ev_closed;
    const bool gc = closed(b, CONTACTOR_GC);
    if (battery && gc) {
        bus_mv = b->battery_mv;
    }
    set(&b->image.bus_mv, bus_mv, b->now_us);
    set(&b->image.gun_mv, battery ? b->battery_mv : gc ? bus_mv : 0, b->now_us);
    set(&b->image.gun_ma, (battery && gc ? sum_ma : 0) + b->stray_ma, b->now_us);
}

static void monitor(struct bench *b) {
    struct image_slot *i = &b->image;
    i->imd_enabled = b->request.imd_enable;
    if (!b->request.imd_enable) {
        i->imd_self_test = 0;
        i->cable_check_ok = false;
        b->interlock.imd_passed = false;
        set(&i->imd, IMD_STATE_OFF, b->now_us);
        b->test_from_us = 0;
        return;
    }
    if (b->request.imd_self_test && b->test_from_us == 0 && !b->imd_silent) {
        b->test_from_us = b->now_us;
        i->imd_self_test = 1;
    }
    if (b->test_from_us != 0 && b->now_us - b->test_from_us >= TEST_US && i->imd_self_test == 1) {
        i->imd_self_test = b->imd_fails ? 3 : 2;
        i->cable_check_ok = !b->imd_fails && !b->imd_low;
        b->interlock.imd_passed = i->cable_check_ok;
    }
    set(&i->imd, i->imd_self_test == 1 ? IMD_STATE_TEST : IMD_STATE_OK, b->now_us);
    set(&i->insulation_ohm, b->imd_low ? 40000 : 1000000, b->now_us);
}

/* What the vehicle wants to do next, as stages of the contract. */
static int wish_of_vehicle(struct bench *b, int stage) {
    const struct image_slot *i = &b->image;
    const int32_t gap_mv = i->gun_mv.value - b->battery_mv;
    switch (stage) {
    case HLC_STAGE_AUTHORISATION:
        return b->to_plc.auth_granted ? HLC_STAGE_CHARGE_PARAMETERS : stage;
    case HLC_STAGE_CHARGE_PARAMETERS: return i->lock.value == 1 ? HLC_STAGE_CABLE_CHECK : stage;
    case HLC_STAGE_CABLE_CHECK:
        return i->cable_check_ok && i->gun_mv.value < 60000 ? HLC_STAGE_PRECHARGE : stage;
    case HLC_STAGE_PRECHARGE:
        return gap_mv <= 20000 && gap_mv >= -20000 ? HLC_STAGE_POWER_DELIVERY : stage;
    case HLC_STAGE_POWER_DELIVERY:
        return b->to_plc.output_enabled ? HLC_STAGE_CURRENT_DEMAND : stage;
    case HLC_STAGE_CURRENT_DEMAND:
        return b->ev_done || b->to_plc.stop_request != 0 ? HLC_STAGE_POWER_OFF : stage;
    case HLC_STAGE_POWER_OFF: return !b->ev_closed ? HLC_STAGE_SESSION_STOP : stage;
    default: return stage;
    }
}

static void vehicle(struct bench *b) {
    struct image_slot *i = &b->image;
    int stage = b->plugged ? i->hlc_stage.value : 0;
    if (b->plugged && stage == 0) {
        stage = HLC_STAGE_AUTHORISATION;
    }
    const int next = wish_of_vehicle(b, stage);
    if (next <= b->last_stage || next >= HLC_STAGE_POWER_OFF) {
        stage = next;
    }
    if (!b->stage_stale) {
        set(&i->hlc_stage, stage, b->now_us);
    }
    if (!b->cp_stale) {
        const bool ready = stage >= HLC_STAGE_CABLE_CHECK && stage <= HLC_STAGE_WELDING_DETECTION;
        set(&i->cp_state, !b->plugged ? CP_STATE_A : ready ? CP_STATE_C : CP_STATE_B, b->now_us);
    }
    if (stage == HLC_STAGE_POWER_DELIVERY) {
        b->ev_closed = true;
    }
    if (stage >= HLC_STAGE_POWER_OFF && i->gun_ma.value < 1000 && !b->ev_welded) {
        b->ev_closed = false;
    }
    if (stage < HLC_STAGE_PRECHARGE) {
        b->ev_closed = false;
    }
    i->precharge_active = stage == HLC_STAGE_PRECHARGE;
    i->ev_max_mv = (struct sample){b->ev_max_mv, stage >= HLC_STAGE_CHARGE_PARAMETERS, b->now_us};
    i->ev_max_ma = (struct sample){250000, stage >= HLC_STAGE_CHARGE_PARAMETERS, b->now_us};
    if (!b->targets_stale) {
        set(&i->ev_target_mv, stage == HLC_STAGE_CURRENT_DEMAND ? 420000 : b->battery_mv,
            b->now_us);
        set(&i->ev_target_ma,
            stage == HLC_STAGE_CURRENT_DEMAND  ? b->wish_ma
            : stage < HLC_STAGE_CURRENT_DEMAND ? 2000
                                               : 0,
            b->now_us);
    }
}

void bench_step(struct bench *b) {
    b->now_us += b->step_us != 0 ? b->step_us : 5000;
    b->image.plc_last_rx_us = b->now_us;
    if (!b->lock_stuck) {
        set(&b->image.lock, b->to_plc.lock, b->now_us);
    } else {
        b->image.lock.at_us = b->now_us;
        b->image.lock.valid = true;
    }
    move_contactors(b);
    electricity(b);
    monitor(b);
    vehicle(b);
    if (b->bend != NULL) {
        b->bend(b);
    }
    const struct gun_inputs in = {.now_us = b->now_us,
                                  .config = &b->config,
                                  .slot = 0,
                                  .image = &b->image,
                                  .interlock = &b->interlock,
                                  .proposal = b->no_proposal ? NULL : &b->proposal,
                                  .plan_age_us = b->plan_age_us,
                                  .stop_requested = b->stop_requested,
                                  .stop_reason = STOP_REASON_REMOTE,
                                  .shutdown = b->shutdown};
    gun_step(&b->gun, &in, &b->request, &b->to_plc, &b->effects);
    b->begun += b->effects.session_begin;
    b->energised += b->effects.session_energised;
    b->ended += b->effects.session_end;
    b->plugs += b->effects.plugged;
    b->unplugs += b->effects.unplugged;
    if (b->effects.changed && b->changes < sizeof b->path / sizeof b->path[0]) {
        b->path[b->changes++] = b->effects.to;
    }
}

void bench_run_ms(struct bench *b, int ms) {
    for (int t = 0; t < ms; t += 5) {
        bench_step(b);
    }
}

bool bench_reach(struct bench *b, enum gun_state state, int within_ms) {
    for (int t = 0; t < within_ms && b->gun.state != state; t += 5) {
        bench_step(b);
    }
    return b->gun.state == state;
}

static void hold_back_for(struct bench *b, enum gun_state state) {
    b->lock_stuck = state == GUN_STATE_AUTHORISED;
    b->imd_silent = state == GUN_STATE_CABLE_CHECK;
    b->last_stage = state == GUN_STATE_LOCKED      ? HLC_STAGE_CHARGE_PARAMETERS
                    : state == GUN_STATE_PRECHARGE ? HLC_STAGE_PRECHARGE
                    : state == GUN_STATE_CLOSING   ? HLC_STAGE_POWER_DELIVERY
                                                   : HLC_STAGE_CURRENT_DEMAND;
    if (state == GUN_STATE_CLOSING) {
        b->config.interlock.t_stage_ms = 60000;
    }
}

static bool bring_to_idle(struct bench *b, enum gun_state state) {
    if (state == GUN_STATE_UNAVAILABLE) {
        b->gun.operative = false;
        return bench_reach(b, state, 100);
    }
    if (!bench_reach(b, GUN_STATE_AVAILABLE, 1000)) {
        return false;
    }
    if (state == GUN_STATE_FAULTED) {
        b->interlock.faults = UINT64_C(1) << FAULT_SAFETY_CHAIN;
        b->interlock.stop = STOP_CLASS_EMERGENCY;
    }
    b->plugged = state >= GUN_STATE_PLUGGED;
    return true;
}

bool bench_bring_to(struct bench *b, enum gun_state state) {
    static const char token[RM_ID_TOKEN_LEN] = "TOKEN";
    if (state == GUN_STATE_UNAVAILABLE || !bring_to_idle(b, state)) {
        return b->gun.state == state;
    }
    if (state <= GUN_STATE_PLUGGED || state == GUN_STATE_FAULTED) {
        return bench_reach(b, state, 1000);
    }
    gun_authorise(&b->gun, AUTH_SOURCE_LOCAL_LIST, token, b->now_us + 60000000);
    hold_back_for(b, state);
    if (state <= GUN_STATE_CHARGING) {
        return bench_reach(b, state, 30000);
    }
    if (!bench_reach(b, GUN_STATE_CHARGING, 30000)) {
        return false;
    }
    bench_run_ms(b, 2000);
    b->stray_ma = state == GUN_STATE_RAMP_DOWN ? 8000 : 0;
    b->gc_stuck = state == GUN_STATE_OPENING;
    b->ev_welded = state == GUN_STATE_WELD_CHECK || state == GUN_STATE_DISCHARGE;
    b->stop_requested = true;
    if (state == GUN_STATE_UNLOCK && bench_reach(b, GUN_STATE_DISCHARGE, 10000)) {
        b->lock_stuck = true;
    }
    return bench_reach(b, state, 20000);
}

void bench_heal(struct bench *b) {
    b->lock_stuck = b->imd_silent = b->imd_fails = b->imd_low = b->gc_stuck = b->ev_welded = false;
    b->bus_stays = b->no_voltage = b->targets_stale = b->cp_stale = b->stage_stale = false;
    b->stray_ma = 0;
    b->stop_requested = false;
    b->gun.operative = true;
    b->interlock.faults = 0;
    b->interlock.stop = STOP_CLASS_NONE;
}

void bench_unplug(struct bench *b) {
    b->plugged = false;
    b->ev_closed = false;
}
