/* S2, S3: the emergency stop, its latch and its reset. */
#include "tests/unit/rt/interlock/hub.h"

/* S2, S3 */
static void test_estop_whole_site_in_the_same_step(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[2].estop, 1);
    hub_set(hub, &hub->image.slot[2].estop_input, 1);
    hub_tick(hub, 5000);
    for (uint32_t slot = 0; slot < 4; ++slot) {
        hub_assert_all_off(hub, slot);
        assert_true(hub->out.slot[slot].force_all_off);
        assert_true(hub->state.slot[slot].latched & BIT(ESTOP));
        assert_int_equal(hub->state.slot[slot].stop, STOP_CLASS_EMERGENCY);
    }
    assert_true(hub->state.estop_latched);
    hub_free(hub);
}

static void test_estop_zone_leaves_other_zones(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub->config.slot[0].zone = 1;
    hub->config.slot[1].zone = 1;
    hub->config.slot[2].zone = 2;
    hub->config.slot[3].zone = 2;
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[1].estop_input, 1);
    hub_tick(hub, 5000);
    hub_assert_all_off(hub, 0);
    hub_assert_all_off(hub, 1);
    assert_true(hub->out.slot[2].gc);
    assert_true(hub->out.slot[3].gc);
    assert_int_equal(hub->state.zone_estop, 2);
    hub_free(hub);
}

static void test_estop_of_the_site_stops_every_zone(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.slot[1].zone = 1;
    hub->config.slot[2].zone = 200; /* beyond the bits: the whole site */
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[2].estop, 1);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.zone_estop, 1);
    hub_assert_all_off(hub, 1);
    hub_free(hub);
}

static void test_estop_by_the_plcs_reason(void **state) {
    (void)state;
    const uint8_t reasons[] = {4, 12};
    for (size_t i = 0; i < 2; ++i) {
        struct hub *hub = hub_ready(3, 2);
        hub_all_charging(hub);
        hub->image.slot[0].plc_fault_reason = reasons[i];
        hub_tick(hub, 5000);
        hub_assert_all_off(hub, 1);
        assert_true(hub->state.estop_latched);
        hub_free(hub);
    }
}

static struct hub *pressed_and_released(void) {
    struct hub *hub = hub_ready(3, 2);
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[0].estop, 1);
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_tick(hub, 5000);
    hub->request = (struct request){0};
    for (uint32_t slot = 0; slot < 3; ++slot) {
        hub_stage(hub, slot, HLC_STAGE_NONE);
        hub_voltage(hub, slot, 0, 0);
    }
    hub_run(hub, 200);
    hub_set(hub, &hub->image.slot[0].estop, 0);
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub_run(hub, 500);
    return hub;
}

static void reset(struct hub *hub) {
    hub->in.reset_estop = true;
    hub_tick(hub, 5000);
    hub->in.reset_estop = false;
}

static void test_estop_stays_latched_after_release(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    assert_true(hub->state.estop_latched);
    assert_true(hub->out.slot[1].force_all_off);
    hub->in.clear_faults[0] = ~UINT64_C(0); /* an operator's clearing is no reset */
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].latched & BIT(ESTOP));
    hub_free(hub);
}

static void test_estop_reset_frees_but_starts_nothing(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    reset(hub);
    assert_false(hub->state.estop_latched);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        assert_false(hub->out.slot[slot].gc);
        assert_false(hub->out.slot[slot].force_all_off);
        assert_true(hub->out.slot[slot].permit);
    }
    hub_free(hub);
}

static void test_estop_reset_refused_while_pressed(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    reset(hub);
    assert_true(hub->state.estop_latched);
    assert_true(hub_noted(hub, RULE_S3, 0));
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub->image.slot[0].plc_fault_reason = 12;
    reset(hub);
    assert_true(hub->state.estop_latched);
    hub_free(hub);
}

static void test_estop_reset_refused_when_the_button_is_unknown(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    hub->image.slot[2].estop_input.valid = false;
    reset(hub);
    assert_true(hub->state.estop_latched);
    hub_free(hub);
}

static void test_estop_reset_refused_while_a_contactor_is_not_open(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    hub->contactor[2][CONTACTOR_MN0 + 1] = POLES_DIFFER;
    reset(hub);
    assert_true(hub->state.estop_latched);
    hub->contactor[2][CONTACTOR_MN0 + 1] = FOLLOW;
    hub_run(hub, 50);
    reset(hub);
    assert_false(hub->state.estop_latched);
    hub_free(hub);
}

static bool may_reset(const struct hub *hub, struct interlock_refusal *why) {
    uint64_t zones = 0;
    return interlock_may_reset(&hub->state, &hub->config, &hub->image, hub->now_us, &zones, why);
}

static void test_estop_reset_not_kept_by_a_dead_module_with_its_own_relay(void **state) {
    (void)state;
    struct interlock_refusal why;
    struct hub *hub = hub_new(3, 2, true);
    hub->config.slot[1].module[1].mn_on_plc = false;
    hub_run(hub, 1000);
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_tick(hub, 5000);
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub->module_silent[1][1] = true;
    hub_run(hub, 1500); /* its relay's feedback is old, its verdict is to come */
    assert_false(may_reset(hub, &why));
    assert_int_equal(why.slot, 1);
    assert_int_equal(why.fault, FAULT_CONTACTOR_FEEDBACK);
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[1].module[1].fault, FAULT_MODULE_LOST);
    assert_true(may_reset(hub, &why));
    reset(hub);
    assert_false(hub->state.estop_latched);
    hub_free(hub);
}

static void test_estop_reset_not_kept_by_a_latched_weld(void **state) {
    (void)state;
    struct interlock_refusal why;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 1, 400000, 10000);
    hub->contactor[1][CONTACTOR_GC] = STAYS_CLOSED;
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_tick(hub, 5000);
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub_tick(hub, 5000);
    assert_false(may_reset(hub, &why)); /* closed, and no verdict yet */
    assert_int_equal(why.slot, 1);
    assert_int_equal(why.fault, FAULT_CONTACTOR_FEEDBACK);
    hub->request = (struct request){0};
    hub_run(hub, 500);
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED));
    assert_true(may_reset(hub, &why));
    reset(hub);
    assert_false(hub->state.estop_latched);
    hub_run(hub, 100);
    assert_false(hub->out.slot[1].permit); /* the weld stays */
    assert_true(hub->out.slot[1].force_all_off);
    assert_true(hub->out.slot[0].permit);
    hub_free(hub);
}

static void test_estop_reset_refusal_names_what_is_in_the_way(void **state) {
    (void)state;
    struct interlock_refusal why;
    struct hub *hub = pressed_and_released();
    assert_true(may_reset(hub, &why));
    hub_set(hub, &hub->image.slot[2].estop_input, 1);
    assert_false(may_reset(hub, &why));
    assert_int_equal(why.slot, 2);
    assert_int_equal(why.fault, FAULT_ESTOP);
    hub_set(hub, &hub->image.slot[2].estop_input, 0);
    hub->silent[1] = true;
    hub_run(hub, 600);
    assert_false(may_reset(hub, &why));
    assert_int_equal(why.slot, 1);
    assert_int_equal(why.fault, FAULT_PLC_LOST);
    reset(hub);
    assert_true(hub->state.estop_latched);
    hub_free(hub);
}

static void test_estop_zone_reset_looks_at_its_own_zone(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.slot[1].zone = 5;
    hub_set(hub, &hub->image.slot[1].estop_input, 1);
    hub_tick(hub, 5000);
    hub_set(hub, &hub->image.slot[1].estop_input, 0);
    hub->contactor[2][CONTACTOR_GC] = POLES_DIFFER; /* another zone */
    hub_run(hub, 100);
    assert_int_equal(hub->state.zone_estop, 32);
    reset(hub);
    assert_int_equal(hub->state.zone_estop, 0);
    hub_free(hub);
}

static void test_estop_held_by_the_plc_after_reset_keeps_its_slot_off(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    hub_set(hub, &hub->image.slot[0].estop, 1); /* rises: latches again */
    hub_tick(hub, 5000);
    reset(hub);
    assert_false(hub->state.estop_latched); /* button free; the PLC's own latch remains */
    hub_run(hub, 50);
    assert_false(hub->state.estop_latched);
    assert_true(hub->state.slot[0].faults & BIT(ESTOP));
    assert_false(hub->out.slot[0].permit);
    assert_true(hub->out.slot[1].permit);
    hub_set(hub, &hub->image.slot[0].estop, 0);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].permit);
    hub_free(hub);
}

static void test_estop_with_t_estop_waits_for_the_current(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_estop_ms = 500;
    hub_all_charging(hub);
    hub->own_gun_ma[0] = true;
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[0].gun_ma, 5001);
    hub_set(hub, &hub->image.slot[1].gun_ma, 5001);
    hub_set(hub, &hub->image.slot[2].estop_input, 1);
    hub_tick(hub, 5000);
    assert_int_equal(hub_sum_ma(hub, 0), 0); /* zero in the same step */
    assert_false(hub->out.slot[0].module[0].run);
    assert_true(hub->out.slot[0].gc);
    assert_true(hub->out.slot[0].module[0].mn); /* not before GC */
    assert_false(hub->out.slot[0].force_all_off);
    hub_run(hub, 100);
    hub_set(hub, &hub->image.slot[0].gun_ma, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc); /* as soon as it is below I_open */
    assert_true(hub->out.slot[0].force_all_off);
    hub_run(hub, 390);
    assert_true(hub->out.slot[1].gc);
    hub_tick(hub, 5000); /* 500 ms after the press */
    assert_false(hub->out.slot[1].gc);
    hub_free(hub);
}

/* A real button is in the safety chain: SAFETY_OK falls with it. */
static void test_estop_that_opens_its_own_chain_still_waits_for_the_current(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_estop_ms = 300;
    hub_all_charging(hub);
    hub->own_gun_ma[0] = true;
    hub->own_gun_ma[1] = true;
    hub_set(hub, &hub->image.slot[0].gun_ma, 20000);
    hub_set(hub, &hub->image.slot[1].gun_ma, 20000);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        hub_set(hub, &hub->image.slot[slot].estop_input, 1);
        hub_set(hub, &hub->image.slot[slot].safety_ok, 0);
        hub->image.slot[slot].plc_fault_reason = slot == 1 ? 4 : 12;
    }
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[0].faults & BIT(SAFETY_CHAIN));
    assert_int_equal(hub_sum_ma(hub, 0), 0); /* zero in the same step, whatever waits */
    assert_true(hub->out.slot[0].gc);
    assert_true(hub->out.slot[1].gc);
    hub_run(hub, 100);
    hub_set(hub, &hub->image.slot[0].gun_ma, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc); /* below I_open: at once */
    assert_true(hub->out.slot[1].gc);
    hub_run(hub, 190);
    assert_true(hub->out.slot[1].gc); /* 295 ms */
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc); /* T_estop, whatever flows */
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_GC].loaded_operations, 0);
    hub_free(hub);
}

/* The chain is open for a reason of its own: a door is no part of the button. */
static void test_estop_beside_an_open_door_does_not_wait(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_estop_ms = 500;
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_set(hub, &hub->image.slot[0].safety_ok, 0);
    hub->image.slot[0].plc_fault_reason = 1;
    hub_tick(hub, 5000);
    hub_assert_all_off(hub, 0);
    hub_free(hub);
}

static void test_estop_with_t_estop_and_another_emergency_does_not_wait(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_estop_ms = 500;
    hub_all_charging(hub);
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_set(hub, &hub->image.slot[0].earth_fault, 1);
    hub_tick(hub, 5000);
    hub_assert_all_off(hub, 0);
    hub_free(hub);
}

static void test_our_own_forced_off_is_no_fault_of_the_plc(void **state) {
    (void)state;
    struct hub *hub = pressed_and_released();
    hub->image.slot[1].plc_fault_reason = 7;
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[1].faults & BIT(PLC_INTERNAL));
    reset(hub);
    hub_run(hub, 1990);
    assert_int_equal(hub->state.slot[1].faults, 0);
    hub_run(hub, 20); /* more than 2 s after it was last sent */
    assert_int_equal(hub->state.slot[1].faults, BIT(PLC_INTERNAL));
    hub_free(hub);
}

static void test_estop_reset_refused_in_two_zones_names_the_first(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        hub->config.slot[slot].zone = (uint8_t)(slot + 1);
    }
    hub_set(hub, &hub->image.slot[1].estop_input, 1);
    hub_set(hub, &hub->image.slot[2].estop_input, 1);
    hub_run(hub, 50);
    uint64_t zones = 0;
    struct interlock_refusal why;
    assert_false(
        interlock_may_reset(&hub->state, &hub->config, &hub->image, hub->now_us, &zones, &why));
    assert_int_equal(zones, 0);
    assert_int_equal(why.slot, 1);
    assert_int_equal(why.fault, FAULT_ESTOP);
    hub_free(hub);
}

/* T_estop waits for the current: what is commanded closed still is in the way, also where a weld is latched beside it. */
static void test_estop_reset_refused_while_a_gun_waits_for_its_current(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub->config.interlock.t_estop_ms = 500;
    hub_charging(hub, 0, 400000, 10000);
    hub->own_gun_ma[0] = true;
    hub->image.slot[0].gun_ma.value = 20000;
    hub_set(hub, &hub->image.slot[0].estop_input, 1);
    hub_run(hub, 50);
    hub_set(hub, &hub->image.slot[0].estop_input, 0);
    hub->in.reset_estop = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].gc);
    assert_true(hub->state.estop_latched);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estop_whole_site_in_the_same_step),
        cmocka_unit_test(test_estop_zone_leaves_other_zones),
        cmocka_unit_test(test_estop_of_the_site_stops_every_zone),
        cmocka_unit_test(test_estop_by_the_plcs_reason),
        cmocka_unit_test(test_estop_stays_latched_after_release),
        cmocka_unit_test(test_estop_reset_frees_but_starts_nothing),
        cmocka_unit_test(test_estop_reset_refused_while_pressed),
        cmocka_unit_test(test_estop_reset_refused_when_the_button_is_unknown),
        cmocka_unit_test(test_estop_reset_refused_while_a_contactor_is_not_open),
        cmocka_unit_test(test_estop_reset_not_kept_by_a_dead_module_with_its_own_relay),
        cmocka_unit_test(test_estop_reset_not_kept_by_a_latched_weld),
        cmocka_unit_test(test_estop_reset_refusal_names_what_is_in_the_way),
        cmocka_unit_test(test_estop_zone_reset_looks_at_its_own_zone),
        cmocka_unit_test(test_estop_held_by_the_plc_after_reset_keeps_its_slot_off),
        cmocka_unit_test(test_estop_with_t_estop_waits_for_the_current),
        cmocka_unit_test(test_estop_with_t_estop_and_another_emergency_does_not_wait),
        cmocka_unit_test(test_estop_that_opens_its_own_chain_still_waits_for_the_current),
        cmocka_unit_test(test_estop_beside_an_open_door_does_not_wait),
        cmocka_unit_test(test_our_own_forced_off_is_no_fault_of_the_plc),
        cmocka_unit_test(test_estop_reset_refused_in_two_zones_names_the_first),
        cmocka_unit_test(test_estop_reset_refused_while_a_gun_waits_for_its_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
