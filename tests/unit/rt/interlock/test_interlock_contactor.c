/* S5, S6, S15 and the two-sided topology of one contactor. */
#include "tests/unit/rt/interlock/hub.h"

static bool may(const struct hub *hub, uint32_t slot, unsigned kind) {
    return contactor_may(&hub->state, &hub->config, &hub->image, slot, kind, hub->now_us);
}

static bool sure(const struct hub *hub, uint32_t slot, unsigned kind) {
    return contactor_sure(&hub->state, &hub->config, &hub->image, slot, kind, hub->now_us);
}

static void test_may_open_fresh_is_false(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    for (unsigned kind = CONTACTOR_GC; kind <= CONTACTOR_MN0 + 1; ++kind) {
        assert_false(may(hub, 0, kind));
        assert_false(sure(hub, 0, kind));
    }
    hub_free(hub);
}

static void test_may_unfitted_is_false(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    assert_false(may(hub, 0, CONTACTOR_BC));
    assert_false(may(hub, 0, CONTACTOR_MN0 + 2));
    hub->contactor[0][CONTACTOR_BC] = STAYS_CLOSED;
    hub_run(hub, 50);
    assert_false(may(hub, 0, CONTACTOR_BC));
    assert_false(sure(hub, 0, CONTACTOR_BC));
    hub_free(hub);
}

static void test_may_either_pole_not_open_is_true(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    struct image_contactor *gc = &hub->image.slot[0].contactor[CONTACTOR_GC];
    const enum feedback all[] = {FEEDBACK_INVALID, FEEDBACK_OPEN, FEEDBACK_CLOSED};
    for (size_t p = 0; p < 3; ++p) {
        for (size_t n = 0; n < 3; ++n) {
            gc->p = all[p];
            gc->n = all[n];
            assert_int_equal(may(hub, 0, CONTACTOR_GC), !(p == 1 && n == 1));
        }
    }
    hub_free(hub);
}

static void test_may_stale_after_250_ms(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    const int64_t heard_us = hub->now_us;
    hub->now_us = heard_us + 250000;
    assert_false(may(hub, 0, CONTACTOR_GC));
    hub->now_us += 1;
    assert_true(may(hub, 0, CONTACTOR_GC));
    hub_free(hub);
}

static void test_may_never_heard_is_true(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    assert_true(may(hub, 0, CONTACTOR_GC));
    hub->now_us += 10 * SECOND;
    assert_true(may(hub, 0, CONTACTOR_GC));
    hub_free(hub);
}

static void test_may_within_t_open_of_the_command_is_true(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    assert_true(may(hub, 0, CONTACTOR_GC));
    assert_true(sure(hub, 0, CONTACTOR_GC));
    hub->request.slot[0].gc = false;
    hub_tick(hub, 5000);
    hub_run(hub, 95);
    assert_true(may(hub, 0, CONTACTOR_GC)); /* reads open, 95 ms after the command */
    hub_tick(hub, 5000);
    assert_false(may(hub, 0, CONTACTOR_GC));
    hub_free(hub);
}

static void test_sure_needs_command_both_poles_and_fresh_feedback(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    struct image_contactor *gc = &hub->image.slot[0].contactor[CONTACTOR_GC];
    assert_true(sure(hub, 0, CONTACTOR_GC));
    gc->n = FEEDBACK_OPEN;
    assert_false(sure(hub, 0, CONTACTOR_GC));
    gc->n = FEEDBACK_CLOSED;
    gc->p = FEEDBACK_INVALID;
    assert_false(sure(hub, 0, CONTACTOR_GC));
    gc->p = FEEDBACK_CLOSED;
    hub->now_us = gc->at_us + 250001;
    assert_false(sure(hub, 0, CONTACTOR_GC));
    hub->now_us = gc->at_us;
    hub->state.slot[0].contactor[CONTACTOR_GC].untrusted = true;
    assert_false(sure(hub, 0, CONTACTOR_GC));
    assert_true(may(hub, 0, CONTACTOR_GC));
    hub->state.slot[0].contactor[CONTACTOR_GC].untrusted = false;
    hub->state.slot[0].contactor[CONTACTOR_GC].changed_us = gc->at_us + 1;
    assert_false(sure(hub, 0, CONTACTOR_GC)); /* older than the command */
    hub_free(hub);
}

static void test_ledger_times_and_operations(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->contactor[0][CONTACTOR_GC] = STAYS_OPEN; /* still moving */
    hub_tick(hub, 5000);
    const struct contactor_book *gc = &hub->state.slot[0].contactor[CONTACTOR_GC];
    assert_true(gc->command);
    assert_false(gc->confirmed);
    hub_tick(hub, 10000);
    hub->contactor[0][CONTACTOR_GC] = FOLLOW;
    hub_tick(hub, 15000);
    assert_true(gc->confirmed);
    assert_int_equal(gc->operate_ms, 25);
    assert_int_equal(gc->operations, 1);
    hub->request.slot[0].gc = false;
    hub_tick(hub, 5000);
    hub_tick(hub, 12000);
    assert_int_equal(gc->release_ms, 12);
    assert_int_equal(gc->operations, 1); /* counts closings */
    assert_int_equal(gc->loaded_operations, 0);
    hub_free(hub);
}

/* S5 */
static void test_stuck_open_after_t_close_opens_and_latches(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->contactor[0][CONTACTOR_GC] = STAYS_OPEN;
    hub_tick(hub, 5000); /* commanded */
    hub_run(hub, 100);
    assert_true(hub->out.slot[0].gc); /* exactly T_close */
    hub_tick(hub, 5000);              /* first sample after it */
    assert_true(hub->out.slot[0].gc);
    hub_tick(hub, 5000); /* second */
    assert_false(hub->out.slot[0].gc);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].stuck);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_STUCK_OPEN));
    hub_run(hub, 1000);
    assert_false(hub->out.slot[0].gc); /* locked out although still asked for */
    assert_false(hub->state.slot[0].faults & BIT(CONTACTOR_STUCK_OPEN));
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_STUCK_OPEN));
    hub->contactor[0][CONTACTOR_GC] = FOLLOW;
    hub->in.clear_faults[0] = BIT(CONTACTOR_STUCK_OPEN);
    hub_tick(hub, 5000);
    hub->in.clear_faults[0] = 0;
    assert_int_equal(hub->state.slot[0].latched, 0);
    assert_true(hub->out.slot[0].gc);
    hub_free(hub);
}

static void test_dropped_out_while_closed_is_stuck(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 500);
    hub->contactor[0][CONTACTOR_GC] = STAYS_OPEN;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].latched, 0);
    assert_int_equal(hub_sum_ma(hub, 0), 0); /* M3: not surely closed */
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_STUCK_OPEN));
    hub_free(hub);
}

static void test_one_contradicting_sample_is_no_verdict(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 500);
    for (int i = 0; i < 10; ++i) {
        hub->contactor[0][CONTACTOR_GC] = STAYS_OPEN;
        hub_tick(hub, 5000);
        hub->contactor[0][CONTACTOR_GC] = FOLLOW;
        hub_tick(hub, 5000);
    }
    assert_true(hub->out.slot[0].gc);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

static void test_a_repeated_look_at_one_sample_is_no_second_one(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 500);
    hub->contactor[0][CONTACTOR_GC] = STAYS_OPEN;
    hub_tick(hub, 5000);
    for (int i = 0; i < 20; ++i) {
        hub->now_us += 1000;
        hub_step(hub);
    }
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].stuck);
    hub_free(hub);
}

static void test_does_not_open_is_welded_and_latched(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->contactor[0][CONTACTOR_GC] = STAYS_CLOSED;
    hub->request.slot[0].gc = false;
    hub_tick(hub, 5000);
    hub_run(hub, 100);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub_run(hub, 10);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_WELDED));
    assert_false(hub->out.slot[0].module[0].run);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_true(hub_noted(hub, RULE_G6, 0));
    /* reads closed still: a person cannot clear it */
    hub->request = (struct request){0};
    hub_run(hub, 200);
    hub->in.clear_faults[0] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_WELDED));
    assert_true(hub_noted(hub, RULE_G6, 0));
    hub_free(hub);
}

/* The command to open did not leave the host: the PLC still holds the contactor, or its own watchdog opens it. */
static void cut_off(struct hub *hub, bool interface, int64_t ms) {
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 500);
    hub->image.slot[0].interface_down = interface;
    hub->silent[0] = true;
    hub_run(hub, ms);
    assert_false(hub->out.slot[0].gc);
    hub->image.slot[0].interface_down = false;
    hub->silent[0] = false;
    hub->contactor[0][CONTACTOR_GC] = STAYS_CLOSED;
    hub->contactor[0][CONTACTOR_MN0] = STAYS_CLOSED;
}

static void test_closed_just_after_its_bus_was_down_is_no_weld(void **state) {
    (void)state;
    for (int bus = 0; bus < 2; ++bus) {
        struct hub *hub = hub_ready(3, 2);
        cut_off(hub, bus == 0, 450);
        hub_run(hub, 90);
        hub->contactor[0][CONTACTOR_GC] = FOLLOW;
        hub->contactor[0][CONTACTOR_MN0] = FOLLOW;
        hub_run(hub, 500);
        assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
        assert_false(hub->state.slot[0].contactor[CONTACTOR_MN0].welded);
        assert_int_equal(hub->state.slot[0].latched, 0);
        hub_free(hub);
    }
}

static void test_closed_long_after_its_bus_was_down_is_a_weld(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    cut_off(hub, true, 140);
    hub_run(hub, 90);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub_run(hub, 40);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_WELDED));
    hub_free(hub);
}

static void test_relay_closed_just_after_the_module_bus_was_down_is_no_weld(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.slot[0].module[0].mn_on_plc = false;
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 500);
    hub->image.slot[0].module[0].bus_down = true;
    hub->module_silent[0][0] = true;
    hub->request.slot[0].gc = false;
    hub->request.slot[0].module[0] = hub->request.slot[0].module[1] = (struct request_module){0};
    hub_run(hub, 15000);
    assert_false(hub->out.slot[0].module[0].mn);
    hub->image.slot[0].module[0].bus_down = false;
    hub->module_silent[0][0] = false;
    hub->contactor[0][CONTACTOR_MN0] = STAYS_CLOSED;
    hub_run(hub, 90);
    hub->contactor[0][CONTACTOR_MN0] = FOLLOW;
    hub_run(hub, 500);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_MN0].welded);
    hub_free(hub);
}

static void test_plc_verdict_on_a_relay_counts(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].contactor[CONTACTOR_GC].fault = true; /* reads open, PLC says welded */
    hub_run(hub, 50);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub->image.slot[1].contactor[CONTACTOR_GC].fault = false;
    assert_false(hub->state.slot[1].contactor[CONTACTOR_GC].welded);
    hub_free(hub);
}

static void test_plc_verdict_on_a_closed_relay_is_stuck(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub_run(hub, 200);
    hub->image.slot[0].contactor[CONTACTOR_GC].fault = true;
    hub_run(hub, 10);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].stuck);
    hub_free(hub);
}

static void test_no_verdict_while_the_plc_is_silent(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub->silent[0] = true; /* its last word: closed */
    hub_run(hub, 5000);
    assert_false(hub->out.slot[0].gc);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub->silent[0] = false;
    hub->request.slot[0] = (struct request_slot){0};
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

/* S6 */
static void test_poles_disagree_twice_untrusted_then_trusted_again(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->contactor[0][CONTACTOR_GC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    assert_true(hub->state.slot[0].faults & BIT(CONTACTOR_FEEDBACK));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_ERROR);
    assert_true(hub_noted(hub, RULE_S6, 0));
    hub->contactor[0][CONTACTOR_GC] = FOLLOW;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(CONTACTOR_FEEDBACK));
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].faults, 0);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

static void test_invalid_feedback_untrusted(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->contactor[0][CONTACTOR_GC] = READS_INVALID;
    hub_run(hub, 10);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub_free(hub);
}

static void current_through_open_gc(struct hub *hub, int32_t bus_mv, int32_t gun_mv, int32_t ma) {
    hub->own_gun_ma[0] = true;
    hub_voltage(hub, 0, bus_mv, gun_mv);
    hub_set(hub, &hub->image.slot[0].gun_ma, ma);
    hub_run(hub, 20);
}

static void test_current_through_an_open_contactor_untrusted(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    current_through_open_gc(hub, 400000, 395001, 1001); /* 4.999 V, 1.001 A */
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    current_through_open_gc(hub, 400000, 395001, 0);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub_free(hub);
}

static void test_no_current_or_voltage_across_is_no_contradiction(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    current_through_open_gc(hub, 400000, 395001, 1000); /* I_off itself */
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    current_through_open_gc(hub, 400000, 395000, 50000); /* 5 V across: it is open */
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub_free(hub);
}

static void test_stale_current_is_no_contradiction(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[0].gun_ma.valid = false;
    hub->image.slot[0].gun_ma.value = 50000;
    hub_voltage(hub, 0, 400000, 400000);
    hub_run(hub, 50);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub->image.slot[0].gun_ma.valid = true;
    hub->image.slot[0].bus_mv.valid = false;
    hub->own_gun_ma[0] = true;
    hub_run(hub, 50);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub->image.slot[0].bus_mv.valid = true;
    hub->image.slot[0].gun_mv.valid = false;
    hub_run(hub, 50);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
    hub_free(hub);
}

static void test_readings_from_before_the_opening_are_no_contradiction(void **state) {
    (void)state;
    for (int old = 0; old < 3; ++old) {
        struct hub *hub = hub_ready(3, 2);
        hub_cable_check(hub, 0, 500000);
        hub->own_gun_ma[0] = true;
        hub_voltage(hub, 0, 400000, 400000);
        hub_set(hub, &hub->image.slot[0].gun_ma, 3000);
        hub->request.slot[0].gc = false;
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[0].gc);
        const int64_t then_us = hub->now_us;
        struct sample *samples[] = {&hub->image.slot[0].gun_ma, &hub->image.slot[0].bus_mv,
                                    &hub->image.slot[0].gun_mv};
        for (int i = 0; i < 45; ++i) {
            hub->now_us += 5000;
            hub_refresh(hub);
            samples[old]->at_us = then_us;
            hub_step(hub);
        }
        assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].untrusted);
        hub_free(hub);
    }
}

static void test_current_through_an_open_mn_takes_the_module_out(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->own_module_ma[0] = true;
    hub_set(hub, &hub->image.slot[0].bus_mv, 300000);
    hub->image.slot[0].module[1].current_ma.value = 1001;
    hub_run(hub, 20);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_MN0 + 1].untrusted);
    assert_int_equal(hub->state.slot[0].module[1].fault, FAULT_MODULE_FAULT);
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_NONE);
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE); /* the other one serves */
    hub_free(hub);
}

/* modules' contactors */
static void test_stuck_mn_takes_only_its_module_out_until_cleared(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->contactor[0][CONTACTOR_MN0] = STAYS_OPEN;
    hub_charging(hub, 0, 400000, 10000);
    hub_run(hub, 200);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_MN0].stuck);
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_MODULE_FAULT);
    assert_true(hub->state.slot[0].latched & BIT(MODULE_FAULT));
    assert_int_equal(hub->state.slot[0].stop, STOP_CLASS_NONE);
    assert_true(hub->out.slot[0].gc);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 0);
    assert_int_equal(hub->out.slot[0].module[1].set_ma, 10000);
    hub->request.slot[0].module[0].mn = false;
    hub_run(hub, 200);
    assert_false(hub->state.slot[0].faults & BIT(MODULE_FAULT)); /* cause gone, latch stays */
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_MODULE_FAULT);
    hub->in.clear_faults[0] = BIT(MODULE_FAULT);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_NONE);
    hub_free(hub);
}

static void test_clearing_a_module_leaves_a_welded_gc(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->state.slot[0].contactor[CONTACTOR_GC].welded = true;
    hub->state.slot[0].contactor[CONTACTOR_MN0].welded = true;
    hub_tick(hub, 5000);
    hub->in.clear_faults[0] = BIT(MODULE_FAULT);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_MN0].welded);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_WELDED));
    hub_free(hub);
}

static void test_relay_on_the_module_bus_follows_its_module(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    for (uint32_t m = 0; m < 2; ++m) {
        hub->config.slot[0].module[m].mn_on_plc = false;
    }
    hub_run(hub, 500);
    assert_true(hub->state.slot[0].released);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    /* the module trips: its relay opens, which is no stuck contactor, and comes back with it */
    hub->contactor[0][CONTACTOR_MN0] = STAYS_OPEN;
    hub_run(hub, 1500);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_MN0].untrusted);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_MN0].stuck);
    assert_int_equal(hub->out.slot[0].module[0].set_ma, 0);
    hub->contactor[0][CONTACTOR_MN0] = FOLLOW;
    hub_run(hub, 20);
    assert_int_equal(hub->state.slot[0].module[0].fault, FAULT_NONE);
    assert_int_equal(hub->state.slot[0].latched, 0);
    hub_free(hub);
}

/* S15 */
static void test_boot_holds_400_ms_then_releases(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub_run(hub, 395); /* T_plc 300 + T_open 100 */
    assert_false(hub->state.slot[0].released);
    assert_false(hub->out.slot[0].permit);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].released);
    assert_true(hub->out.slot[0].permit);
    hub_free(hub);
}

static void test_boot_outputs_nothing_whatever_is_asked(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub_vehicle(hub, 0, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[0].gc = true;
    hub->request.slot[0].imd_enable = true;
    hub->request.slot[0].purpose = POWER_PURPOSE_SELF_TEST;
    hub_ask(hub, 0, 100000, 1000);
    for (int t = 0; t < 75; ++t) {
        hub_tick(hub, 5000);
        assert_false(hub->out.slot[0].gc);
        assert_false(hub->out.slot[0].imd_enable);
        assert_false(hub->out.slot[0].module[0].mn);
        assert_false(hub->out.slot[0].module[0].run);
    }
    assert_true(hub_noted(hub, RULE_S15, 0));
    hub_free(hub);
}

static void test_boot_waits_for_both_boundaries_only(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, false);
    hub->silent[1] = true; /* owner of boundary 1, never heard */
    hub_run(hub, 1000);
    assert_true(hub->state.slot[0].released);
    assert_false(hub->state.slot[1].released);
    assert_false(hub->state.slot[2].released); /* boundary 1 is its own counter-clockwise one */
    assert_true(hub->state.slot[3].released);
    hub->silent[1] = false;
    hub_run(hub, 20);
    assert_true(hub->state.slot[1].released);
    assert_true(hub->state.slot[2].released);
    hub_free(hub);
}

static void test_boot_contactor_closed_is_weld_suspect(void **state) {
    (void)state;
    const unsigned kinds[] = {CONTACTOR_GC, CONTACTOR_MC, CONTACTOR_MN0 + 1};
    for (size_t i = 0; i < 3; ++i) {
        struct hub *hub = hub_new(4, 2, false);
        hub->contactor[1][kinds[i]] = STAYS_CLOSED;
        hub_run(hub, 395);
        assert_false(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
        hub_run(hub, 10);
        assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
        assert_false(hub->state.slot[1].released);
        assert_true(hub_noted(hub, RULE_S15, 1));
        assert_true(hub->state.slot[3].released);
        assert_int_equal(hub->state.slot[2].released, kinds[i] != CONTACTOR_MC);
        /* it opens: the latch stays until a person clears it */
        hub->contactor[1][kinds[i]] = FOLLOW;
        hub_run(hub, 100);
        assert_true(hub->state.slot[1].released);
        assert_false(hub->out.slot[1].permit);
        hub->in.clear_faults[1] = BIT(CONTACTOR_BOOT_CLOSED);
        hub_tick(hub, 5000);
        assert_int_equal(hub->state.slot[1].latched, 0);
        assert_true(hub->out.slot[1].permit);
        hub_free(hub);
    }
}

static void test_boot_one_pole_closed_is_weld_suspect(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->contactor[1][CONTACTOR_GC] = POLES_DIFFER;
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
    hub_free(hub);
}

static void test_boot_invalid_feedback_waits(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->contactor[1][CONTACTOR_GC] = READS_INVALID;
    hub_run(hub, 2000);
    assert_false(hub->state.slot[1].released);
    assert_false(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
    hub_free(hub);
}

static void test_boot_silent_module_on_the_module_bus_does_not_hold(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].module[1].mn_on_plc = false;
    hub->module_silent[1][1] = true;
    hub->image.slot[1].module[1].last_rx_us = 0;
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].released);
    assert_int_equal(hub->state.slot[1].module[1].fault, FAULT_MODULE_LOST);
    hub_free(hub);
}

static void test_boot_heard_module_with_closed_relay_is_weld_suspect(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].module[1].mn_on_plc = false;
    hub->contactor[1][CONTACTOR_MN0 + 1] = STAYS_CLOSED;
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
    hub_free(hub);
}

static void test_boot_closed_reading_of_before_the_holds_end_is_no_suspect(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->contactor[1][CONTACTOR_GC] =
        STAYS_CLOSED; /* the last run's session, about to be opened by the PLC */
    hub_run(hub, 395);
    hub->silent[1] = true; /* the frame that says open is late */
    hub_run(hub, 100);
    assert_int_equal(hub->state.slot[1].latched, 0);
    assert_false(hub->state.slot[1].released);
    hub->silent[1] = false;
    hub->contactor[1][CONTACTOR_GC] = FOLLOW;
    hub_run(hub, 200);
    assert_int_equal(hub->state.slot[1].latched, 0);
    assert_true(hub->state.slot[1].released);
    hub_free(hub);
}

static void test_suspect_slot_without_gun_is_clearable(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].gun = -1;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub->image.slot[1].gun_mv.valid = false;
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED;
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
    hub->contactor[1][CONTACTOR_MC] = FOLLOW;
    hub_voltage(hub, 1, 60000, 0);
    hub_run(hub, 200);
    hub->in.clear_faults[1] = BIT(CONTACTOR_BOOT_CLOSED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED)); /* its bus is live */
    hub_voltage(hub, 1, 59999, 0);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub_free(hub);
}

static void test_restored_latches_hold_the_slot(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    interlock_restore(&hub->state, &hub->config, 1, 0, false);
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].faults & BIT(LATCH_UNKNOWN));
    assert_false(hub->out.slot[1].permit);
    interlock_restore(&hub->state, &hub->config, 1, BIT(CONTACTOR_WELDED) | BIT(LOCK) | BIT(ESTOP),
                      true);
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[1].faults & BIT(LATCH_UNKNOWN));
    assert_int_equal(hub->state.slot[1].latched, BIT(CONTACTOR_WELDED)); /* LOCK does not latch */
    assert_false(hub->out.slot[1].permit);
    assert_false(hub->state.estop_latched);
    hub_free(hub);
}

/* A stuck or welded MN latches, a module's own alarm passes by itself. */
static void test_latch_of_a_stuck_mn_outlives_a_restart(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->image.slot[1].module[0].alarm_bits = MODULE_ALARM_CONDEMNS;
    hub_run(hub, 20);
    assert_true(hub->state.slot[1].faults & BIT(MODULE_FAULT));
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub_free(hub);
    hub = hub_new(3, 2, false);
    interlock_restore(&hub->state, &hub->config, 1, BIT(MODULE_FAULT), true);
    hub_run(hub, 500);
    assert_int_equal(hub->state.slot[1].latched, BIT(MODULE_FAULT));
    assert_true(hub->out.slot[1].permit); /* a module's fault stops no gun */
    hub->in.clear_faults[1] = BIT(MODULE_FAULT);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub_free(hub);
}

static void test_restored_imd_repeated_keeps_out_of_service(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    interlock_restore(&hub->state, &hub->config, 1, BIT(IMD_REPEATED), true);
    hub_run(hub, 500);
    assert_int_equal(hub->state.slot[1].stop, STOP_CLASS_ERROR);
    hub_free(hub);
}

static void test_restored_estop_holds_the_site(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    interlock_restore_estop(&hub->state, false);
    assert_false(hub->state.estop_latched);
    interlock_restore_estop(&hub->state, true);
    hub_run(hub, 500);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        assert_true(hub->state.slot[slot].latched & BIT(ESTOP));
        assert_true(hub->out.slot[slot].force_all_off);
    }
    hub_free(hub);
}

static void test_loaded_opening_is_counted(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 50000);
    hub->own_module_ma[0] = true;
    hub->image.slot[0].module[0].current_ma.value = 5001;
    hub->image.slot[0].module[1].current_ma.value = 5000;
    hub->image.slot[0].module[1].last_rx_us = 0;
    hub->module_silent[0][0] = true;
    hub->module_silent[0][1] = true;
    hub_run(hub, 600); /* readings grow stale: the books' figure counts */
    hub_run(hub, 2500);
    assert_false(hub->out.slot[0].module[0].mn);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MN0].loaded_operations, 1);
    hub_free(hub);
}

static void test_operation_time_beyond_16_bits_saturates(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->state.slot[0].contactor[CONTACTOR_GC].changed_us = hub->now_us - 100 * SECOND;
    hub->state.slot[0].contactor[CONTACTOR_GC].confirmed = false;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_GC].release_ms, UINT16_MAX);
    hub_free(hub);
}

static void test_either_pole_alone_counts_as_closed(void **state) {
    (void)state;
    const enum follow poles[] = {POLES_DIFFER, N_POLE_CLOSED};
    for (size_t i = 0; i < 2; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub->contactor[1][CONTACTOR_GC] = poles[i];
        hub_tick(hub, 5000);
        assert_true(hub->state.slot[1].faults & BIT(CONTACTOR_FEEDBACK));
        hub_free(hub);
        hub = hub_new(3, 2, false);
        hub->contactor[1][CONTACTOR_GC] = poles[i];
        hub_run(hub, 410);
        assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_BOOT_CLOSED));
        hub_free(hub);
    }
}

static void test_feedback_from_before_the_command_confirms_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_cable_check(hub, 0, 500000);
    hub->request.slot[0].gc = false;
    hub_tick(hub, 5000);
    struct image_contactor *gc = &hub->image.slot[0].contactor[CONTACTOR_GC];
    const int64_t opened_us = hub->now_us;
    hub->now_us += 5000;
    gc->p = gc->n = FEEDBACK_OPEN; /* delivered late: it is older than the command */
    gc->at_us = opened_us - 1;
    hub_step(hub);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].confirmed);
    gc->at_us = opened_us;
    hub_step(hub);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].confirmed);
    hub_free(hub);
}

static void test_clearing_a_weld_leaves_a_stuck_contactor(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->state.slot[0].contactor[CONTACTOR_GC].stuck = true;
    hub->state.slot[0].contactor[CONTACTOR_GC].welded = true;
    hub->in.clear_faults[0] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_GC].stuck);
    assert_false(hub->state.slot[0].contactor[CONTACTOR_GC].welded);
    hub_free(hub);
}

static void test_relay_on_the_module_bus_is_stale_by_its_own_period(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[0].module[1].mn_on_plc = false;
    hub->config.modules.status_ms = 500;
    hub_run(hub, 500);
    hub->now_us += 1250000;
    assert_false(may(hub, 0, CONTACTOR_MN0 + 1));
    assert_true(may(hub, 0, CONTACTOR_MN0));
    hub->now_us += 1;
    assert_true(may(hub, 0, CONTACTOR_MN0 + 1));
    hub_free(hub);
}

static void test_a_longer_t_stale_wins(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_stale_ms = 1000;
    hub->now_us += 1000000;
    assert_false(may(hub, 0, CONTACTOR_GC));
    hub->now_us += 1;
    assert_true(may(hub, 0, CONTACTOR_GC));
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_may_open_fresh_is_false),
        cmocka_unit_test(test_may_unfitted_is_false),
        cmocka_unit_test(test_may_either_pole_not_open_is_true),
        cmocka_unit_test(test_may_stale_after_250_ms),
        cmocka_unit_test(test_may_never_heard_is_true),
        cmocka_unit_test(test_may_within_t_open_of_the_command_is_true),
        cmocka_unit_test(test_sure_needs_command_both_poles_and_fresh_feedback),
        cmocka_unit_test(test_ledger_times_and_operations),
        cmocka_unit_test(test_stuck_open_after_t_close_opens_and_latches),
        cmocka_unit_test(test_dropped_out_while_closed_is_stuck),
        cmocka_unit_test(test_one_contradicting_sample_is_no_verdict),
        cmocka_unit_test(test_a_repeated_look_at_one_sample_is_no_second_one),
        cmocka_unit_test(test_does_not_open_is_welded_and_latched),
        cmocka_unit_test(test_closed_just_after_its_bus_was_down_is_no_weld),
        cmocka_unit_test(test_closed_long_after_its_bus_was_down_is_a_weld),
        cmocka_unit_test(test_relay_closed_just_after_the_module_bus_was_down_is_no_weld),
        cmocka_unit_test(test_plc_verdict_on_a_relay_counts),
        cmocka_unit_test(test_plc_verdict_on_a_closed_relay_is_stuck),
        cmocka_unit_test(test_no_verdict_while_the_plc_is_silent),
        cmocka_unit_test(test_poles_disagree_twice_untrusted_then_trusted_again),
        cmocka_unit_test(test_invalid_feedback_untrusted),
        cmocka_unit_test(test_current_through_an_open_contactor_untrusted),
        cmocka_unit_test(test_no_current_or_voltage_across_is_no_contradiction),
        cmocka_unit_test(test_stale_current_is_no_contradiction),
        cmocka_unit_test(test_readings_from_before_the_opening_are_no_contradiction),
        cmocka_unit_test(test_current_through_an_open_mn_takes_the_module_out),
        cmocka_unit_test(test_stuck_mn_takes_only_its_module_out_until_cleared),
        cmocka_unit_test(test_clearing_a_module_leaves_a_welded_gc),
        cmocka_unit_test(test_relay_on_the_module_bus_follows_its_module),
        cmocka_unit_test(test_boot_holds_400_ms_then_releases),
        cmocka_unit_test(test_boot_outputs_nothing_whatever_is_asked),
        cmocka_unit_test(test_boot_waits_for_both_boundaries_only),
        cmocka_unit_test(test_boot_contactor_closed_is_weld_suspect),
        cmocka_unit_test(test_boot_one_pole_closed_is_weld_suspect),
        cmocka_unit_test(test_boot_invalid_feedback_waits),
        cmocka_unit_test(test_boot_silent_module_on_the_module_bus_does_not_hold),
        cmocka_unit_test(test_boot_heard_module_with_closed_relay_is_weld_suspect),
        cmocka_unit_test(test_boot_closed_reading_of_before_the_holds_end_is_no_suspect),
        cmocka_unit_test(test_suspect_slot_without_gun_is_clearable),
        cmocka_unit_test(test_restored_latches_hold_the_slot),
        cmocka_unit_test(test_restored_imd_repeated_keeps_out_of_service),
        cmocka_unit_test(test_restored_estop_holds_the_site),
        cmocka_unit_test(test_loaded_opening_is_counted),
        cmocka_unit_test(test_operation_time_beyond_16_bits_saturates),
        cmocka_unit_test(test_either_pole_alone_counts_as_closed),
        cmocka_unit_test(test_feedback_from_before_the_command_confirms_nothing),
        cmocka_unit_test(test_clearing_a_weld_leaves_a_stuck_contactor),
        cmocka_unit_test(test_relay_on_the_module_bus_is_stale_by_its_own_period),
        cmocka_unit_test(test_a_longer_t_stale_wins),
        cmocka_unit_test(test_latch_of_a_stuck_mn_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
