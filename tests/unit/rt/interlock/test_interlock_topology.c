/* T1, T2, T4, T7 and S16: who may conduct to whom. */
#include "tests/unit/rt/interlock/hub.h"

static void test_components_all_open_are_single_slots(void **state) {
    (void)state;
    struct hub *hub = hub_ready(5, 1);
    for (uint32_t slot = 0; slot < 5; ++slot) {
        assert_int_equal(hub->state.slot[slot].island_may, slot);
        assert_int_equal(hub->state.slot[slot].island_sure, slot);
    }
    hub_free(hub);
}

static void test_components_join_over_closed_boundaries(void **state) {
    (void)state;
    struct hub *hub = hub_ready(6, 1);
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED; /* 1-2 */
    hub->contactor[2][CONTACTOR_MC] = STAYS_CLOSED; /* 2-3 */
    hub->contactor[5][CONTACTOR_MC] = STAYS_CLOSED; /* 5-0 */
    hub_tick(hub, 5000);
    const uint16_t expected[] = {0, 1, 1, 1, 4, 0};
    for (uint32_t slot = 0; slot < 6; ++slot) {
        assert_int_equal(hub->state.slot[slot].island_may, expected[slot]);
        assert_int_equal(hub->state.slot[slot].island_sure, slot); /* nobody commanded it */
    }
    hub_free(hub);
}

static void test_components_of_every_pattern_of_six_boundaries(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < 64; ++pattern) {
        struct hub *hub = hub_ready(6, 1);
        for (uint32_t slot = 0; slot < 6; ++slot) {
            const bool closed = (pattern >> slot & 1u) != 0;
            hub->contactor[slot][CONTACTOR_MC] = closed ? STAYS_CLOSED : FOLLOW;
        }
        hub_tick(hub, 5000);
        for (uint32_t slot = 0; slot < 6; ++slot) {
            /* by walking both ways, unlike the code */
            uint32_t lowest = slot;
            for (uint32_t at = slot, n = 0; n < 6 && (pattern >> at & 1u) != 0; ++n) {
                at = (at + 1) % 6;
                lowest = at < lowest ? at : lowest;
            }
            for (uint32_t at = slot, n = 0; n < 6 && (pattern >> ((at + 5) % 6) & 1u) != 0; ++n) {
                at = (at + 5) % 6;
                lowest = at < lowest ? at : lowest;
            }
            assert_int_equal(hub->state.slot[slot].island_may, lowest);
        }
        hub_free(hub);
    }
}

static bool may(const struct hub *hub, uint32_t slot, unsigned kind) {
    return contactor_may(&hub->state, &hub->config, &hub->image, slot, kind, hub->now_us);
}

/* The boundary's contactors alone stay open in silence, and only when their last word was "open". */
static void test_may_silent_boundary_is_what_it_last_read(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, true);
    hub_run(hub, 500);
    hub->now_us += 10 * SECOND;
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; ++kind) {
        struct image_contactor *feedback = &hub->image.slot[0].contactor[kind];
        assert_false(may(hub, 0, kind));
        feedback->n = FEEDBACK_INVALID;
        assert_true(may(hub, 0, kind));
        feedback->n = FEEDBACK_CLOSED;
        assert_true(may(hub, 0, kind));
        feedback->n = FEEDBACK_OPEN;
        hub->state.slot[0].contactor[kind].confirmed = false; /* told something since */
        assert_true(may(hub, 0, kind));
    }
    assert_true(may(hub, 0, CONTACTOR_GC));
    assert_true(may(hub, 0, CONTACTOR_MN0));
    hub_free(hub);
}

static void test_current_through_an_open_boundary_untrusted(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_set(hub, &hub->image.slot[2].bus_mv, 300000);
    hub_set(hub, &hub->image.slot[0].bus_mv, 300000); /* clockwise neighbour of the last */
    hub->own_boundary_ma[2] = true;
    hub_set(hub, &hub->image.slot[2].boundary_ma, -1001);
    hub_tick(hub, 5000);
    hub_set(hub, &hub->image.slot[2].boundary_ma, -1001);
    hub_run(hub, 20);
    assert_true(hub->state.slot[2].contactor[CONTACTOR_MC].untrusted);
    assert_true(hub->state.slot[2].faults & BIT(CONTACTOR_FEEDBACK));
    assert_true(hub->state.slot[0].faults & BIT(CONTACTOR_FEEDBACK)); /* both sides */
    assert_false(hub->state.slot[1].faults & BIT(CONTACTOR_FEEDBACK));
    hub_free(hub);
}

static void test_series_pair_needs_both_closed(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 1, true);
    hub_run(hub, 500);
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED;
    hub_run(hub, 20);
    assert_int_equal(hub->state.slot[2].island_may, 2);
    assert_true(hub->state.slot[1].contactor[CONTACTOR_MC].welded);
    /* the other one is open: the boundary is locked and shown, the slot serves on */
    assert_int_equal(hub->state.slot[1].latched, BIT(BOUNDARY));
    assert_true(hub->state.slot[1].edge_locked);
    assert_true(hub->out.slot[1].permit);
    hub->contactor[1][CONTACTOR_BC] = STAYS_CLOSED;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[2].island_may, 1);
    hub_free(hub);
}

static void test_one_slot_has_no_boundary(void **state) {
    (void)state;
    struct hub *hub = hub_new(1, 2, true);
    hub->config.slot[0].has_mc = true;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
    hub_run(hub, 500);
    assert_true(hub->state.slot[0].released);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

static void test_relay_plc_has_no_boundary(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.plc.contactor_frame = CONTACTOR_FRAME_RELAY;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
    hub_run(hub, 500);
    assert_true(hub->state.slot[0].released);
    hub_charging(hub, 0, 400000, 10000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

/* T1 */
static void test_two_guns_charge_on_two_islands(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_charging(hub, 1, 300000, 20000);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    assert_int_equal(hub_sum_ma(hub, 1), 40000);
    hub_free(hub);
}

static void test_boundary_closing_on_its_own_opens_both_guns_at_once(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_charging(hub, 0, 400000, 10000);
    hub_charging(hub, 1, 300000, 20000);
    hub_charging(hub, 2, 350000, 5000);
    hub->contactor[0][CONTACTOR_MC] = STAYS_CLOSED;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].gc);
    assert_false(hub->out.slot[1].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 0);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_true(hub_noted(hub, RULE_T1, 0));
    assert_true(hub_noted(hub, RULE_T1, 1));
    assert_true(hub->out.slot[2].gc); /* S16 */
    assert_int_equal(hub_sum_ma(hub, 2), 10000);
    hub_run(hub, 20);
    assert_true(hub->state.slot[0].latched & BIT(CONTACTOR_WELDED));
    assert_true(hub->state.slot[1].latched & BIT(CONTACTOR_WELDED)); /* T7: both */
    assert_int_equal(hub->state.slot[2].latched, 0);
    assert_int_equal(hub->state.rule_hits[RULE_T7], 2);
    hub_free(hub);
}

static uint64_t may_not_clear(const struct hub *hub, uint32_t slot) {
    return interlock_may_not_clear(&hub->state, &hub->config, &hub->image, &hub->in, slot,
                                   ~UINT64_C(0), hub->now_us);
}

static void test_fused_slots_stay_locked_out_until_cleared_in_order(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub->contactor[1][CONTACTOR_MC] = STAYS_CLOSED;
    hub_run(hub, 50);
    hub_vehicle(hub, 2, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[2].gc = true;
    hub_run(hub, 50);
    assert_false(hub->out.slot[2].gc);
    hub->contactor[1][CONTACTOR_MC] = FOLLOW;
    hub_run(hub, 200);
    assert_false(hub->out.slot[2].gc);
    assert_int_equal(may_not_clear(hub, 1), 0);
    assert_int_equal(may_not_clear(hub, 2), BIT(CONTACTOR_WELDED));
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    assert_int_equal(may_not_clear(hub, 2), 0); /* together, in ascending order */
    hub->in.clear_faults[1] = 0;
    hub->in.clear_faults[2] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[2].latched & BIT(CONTACTOR_WELDED)); /* the book is slot 1's */
    hub->in.clear_faults[2] = 0;
    hub->in.clear_faults[1] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].latched, 0);
    hub->in.clear_faults[1] = 0;
    hub->in.clear_faults[2] = BIT(CONTACTOR_WELDED);
    hub_tick(hub, 5000);
    hub->in.clear_faults[2] = 0;
    assert_int_equal(hub->state.slot[2].latched, 0);
    hub_run(hub, 10);
    assert_true(hub->out.slot[2].gc);
    hub_free(hub);
}

static void test_two_guns_asking_in_one_step_over_an_unknown_boundary(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_NONE);
    hub_vehicle(hub, 2, 500000, HLC_STAGE_NONE);
    /* the boundary between them is not known to be open: one reading says nothing */
    hub->contactor[1][CONTACTOR_MC] = READS_INVALID;
    hub->now_us += 5000;
    hub_refresh(hub);
    hub->request.slot[1].gc = true;
    hub->request.slot[2].gc = true;
    hub_stage(hub, 1, HLC_STAGE_PRECHARGE); /* any live stage makes the other one refuse: T4 */
    hub_stage(hub, 2, HLC_STAGE_PRECHARGE);
    hub_step(hub);
    assert_int_equal(hub->state.slot[2].island_may, 1);
    assert_false(hub->out.slot[1].gc);
    assert_false(hub->out.slot[2].gc);
    assert_true(hub_noted(hub, RULE_T1, 1));
    /* known again: both may */
    hub->contactor[1][CONTACTOR_MC] = FOLLOW;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[1].gc);
    assert_true(hub->out.slot[2].gc);
    hub_free(hub);
}

static void test_gun_beside_a_live_slot_over_an_unknown_boundary_refused(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_charging(hub, 1, 400000, 10000);
    hub_vehicle(hub, 2, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[2].gc = true;
    hub->contactor[1][CONTACTOR_MC] = READS_INVALID;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[2].gc);
    assert_true(hub->out.slot[1].gc); /* one reading that says nothing stops nobody (S16) */
    assert_int_equal(hub_sum_ma(hub, 1), 20000);
    hub_free(hub);
}

static void test_gun_beside_an_inlet_under_voltage_refused(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_voltage(hub, 1, 0, 60001); /* GC 1 open, its inlet live */
    hub->contactor[1][CONTACTOR_MC] = POLES_DIFFER;
    hub_vehicle(hub, 2, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[2].gc = true;
    hub->state.slot[2].released = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[2].gc);
    hub_free(hub);
}

/* T2 */
static void test_closed_ring_is_noted_and_locks_everybody_out(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        hub->contactor[slot][CONTACTOR_MC] = STAYS_CLOSED;
    }
    hub->request.slot[1].gc = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub_noted(hub, RULE_T2, 0));
    for (uint32_t slot = 0; slot < 3; ++slot) {
        assert_int_equal(hub->state.slot[slot].island_may, 0);
        assert_true(hub->state.slot[slot].faults & BIT(CONTACTOR_FEEDBACK));
    }
    hub_free(hub);
}

static void test_ring_of_unknown_boundaries_refuses_to_close(void **state) {
    (void)state;
    struct hub *hub = hub_ready(2, 2);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CABLE_CHECK);
    hub->request.slot[1].gc = true;
    hub->contactor[0][CONTACTOR_MC] = READS_INVALID;
    hub->contactor[1][CONTACTOR_MC] = READS_INVALID;
    hub_tick(hub, 5000);
    assert_true(hub_noted(hub, RULE_T2, 0));
    assert_false(hub->out.slot[1].gc);
    /* one of the two parallel boundaries known open: still one island, but no ring */
    hub->contactor[1][CONTACTOR_MC] = FOLLOW;
    hub_refresh(hub);
    hub_step(hub);
    assert_false(hub_noted(hub, RULE_T2, 0));
    assert_true(hub->out.slot[1].gc);
    hub_free(hub);
}

/* live */
static void test_live_by_gc_voltage_stage_or_ignorance(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    assert_false(hub->state.slot[1].live);
    hub_voltage(hub, 1, 0, 60000);
    hub_tick(hub, 5000);
    assert_false(hub->state.slot[1].live);
    hub_voltage(hub, 1, 0, 60001);
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].live);
    hub_voltage(hub, 1, 0, 0);
    for (int stage = HLC_STAGE_NONE; stage < HLC_STAGE_COUNT; ++stage) {
        hub_stage(hub, 1, (enum hlc_stage)stage);
        hub_tick(hub, 5000);
        assert_int_equal(hub->state.slot[1].live,
                         stage >= HLC_STAGE_CABLE_CHECK && stage <= HLC_STAGE_WELDING_DETECTION);
    }
    hub_stage(hub, 1, HLC_STAGE_NONE);
    hub->image.slot[1].gun_mv.valid = false;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].live);
    hub->image.slot[1].gun_mv.valid = true;
    hub->contactor[1][CONTACTOR_GC] = POLES_DIFFER;
    hub_tick(hub, 5000);
    assert_true(hub->state.slot[1].live);
    hub_free(hub);
}

/* S4 and S16: a silent PLC takes its own slot out and nobody else's session */
static void test_silent_plc_leaves_neighbours_charging(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        hub_charging(hub, slot, 400000, 10000);
    }
    hub->silent[1] = true;
    hub_run(hub, 2000);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->out.slot[0].gc);
    assert_true(hub->out.slot[2].gc);
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    assert_int_equal(hub_sum_ma(hub, 1), 0);
    assert_int_equal(hub_sum_ma(hub, 2), 20000);
    /* and beyond its open boundary a gun closes again */
    hub->request.slot[2].gc = false;
    hub->request.slot[2].stop = STOP_CLASS_EMERGENCY;
    hub_run(hub, 200);
    hub->request.slot[2].stop = STOP_CLASS_NONE;
    hub->request.slot[2].gc = true;
    hub_stage(hub, 2, HLC_STAGE_CABLE_CHECK);
    hub_voltage(hub, 2, 0, 0);
    hub_run(hub, 200);
    assert_true(hub->out.slot[2].gc);
    hub_free(hub);
}

static void test_neighbours_of_a_silent_plc_charge_as_ever(void **state) {
    (void)state;
    for (uint32_t slots = 2; slots <= 4; ++slots) {
        struct hub *hub = hub_ready(slots, 2);
        hub->silent[1] = true;
        hub_run(hub, 2000);
        for (uint32_t slot = 0; slot < slots; ++slot) {
            if (slot != 1) {
                hub_charging(hub, slot, 400000, 10000);
                assert_int_equal(hub_sum_ma(hub, slot), 20000);
                assert_int_equal(hub->state.slot[slot].faults, 0);
            }
        }
        assert_false(hub->out.slot[1].permit);
        hub_free(hub);
    }
}

static void test_neighbours_of_a_plc_silent_since_the_start_stay_in_the_boot_hold(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, false);
    hub->silent[1] = true;
    hub_run(hub, 2000);
    assert_true(hub->state.slot[0].released); /* its boundaries are 3's and its own */
    assert_false(hub->state.slot[2].released);
    assert_false(hub->out.slot[2].permit);
    hub_free(hub);
}

/* The last reading of the boundary was not "open": a gun that is to start is held, and says why. */
static void
test_boundary_last_read_closed_or_unknown_holds_its_neighbours_with_a_fault(void **state) {
    (void)state;
    const enum follow last[] = {STAYS_CLOSED, READS_INVALID, POLES_DIFFER};
    for (size_t i = 0; i < 3; ++i) {
        struct hub *hub = hub_ready(4, 2);
        hub_charging(hub, 3, 400000, 10000);
        hub->contactor[1][CONTACTOR_MC] = last[i];
        hub_tick(hub, 5000);
        hub->silent[1] = true;
        hub_run(hub, 1000);
        hub_vehicle(hub, 2, 500000, HLC_STAGE_CABLE_CHECK);
        hub->request.slot[2].gc = true;
        hub_run(hub, 50);
        assert_true(hub->state.slot[2].faults & BIT(CONTACTOR_FEEDBACK));
        assert_int_equal(hub->state.slot[2].stop, STOP_CLASS_ERROR);
        assert_false(hub->out.slot[2].permit);
        assert_false(hub->out.slot[2].gc);
        assert_int_equal(hub->state.slot[0].faults, 0); /* no boundary of its own: S16 */
        assert_true(hub->out.slot[3].gc);
        assert_int_equal(hub->state.slot[3].faults, 0);
        hub->contactor[1][CONTACTOR_MC] = FOLLOW;
        hub->silent[1] = false;
        hub_run(hub, 50);
        assert_int_equal(hub->state.slot[2].faults, 0);
        assert_true(hub->out.slot[2].gc);
        hub_free(hub);
    }
}

/* One unreadable reading and then silence takes nothing from a gun that charges beside it. */
static void test_boundary_that_fell_silent_unread_stops_no_running_neighbour(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_charging(hub, 2, 400000, 10000);
    hub->contactor[1][CONTACTOR_MC] = READS_INVALID;
    hub_tick(hub, 5000);
    hub->silent[1] = true;
    hub_run(hub, 1000);
    assert_true(hub->out.slot[2].gc);
    assert_int_equal(hub->state.slot[2].faults, 0);
    assert_int_equal(hub_sum_ma(hub, 2), 20000);
    hub_free(hub);
}

/* Of a series pair one surely open contactor is enough. */
static void test_series_pair_with_one_unread_contactor_holds_nobody(void **state) {
    (void)state;
    struct hub *hub = hub_new(4, 2, true);
    hub_run(hub, 500);
    hub->contactor[1][CONTACTOR_BC] = READS_INVALID;
    hub_tick(hub, 5000);
    hub->silent[1] = true;
    hub_run(hub, 1000);
    assert_int_equal(hub->state.slot[2].faults, 0);
    assert_true(hub->out.slot[2].permit);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components_all_open_are_single_slots),
        cmocka_unit_test(test_components_join_over_closed_boundaries),
        cmocka_unit_test(test_components_of_every_pattern_of_six_boundaries),
        cmocka_unit_test(test_may_silent_boundary_is_what_it_last_read),
        cmocka_unit_test(test_current_through_an_open_boundary_untrusted),
        cmocka_unit_test(test_series_pair_needs_both_closed),
        cmocka_unit_test(test_one_slot_has_no_boundary),
        cmocka_unit_test(test_relay_plc_has_no_boundary),
        cmocka_unit_test(test_two_guns_charge_on_two_islands),
        cmocka_unit_test(test_boundary_closing_on_its_own_opens_both_guns_at_once),
        cmocka_unit_test(test_fused_slots_stay_locked_out_until_cleared_in_order),
        cmocka_unit_test(test_two_guns_asking_in_one_step_over_an_unknown_boundary),
        cmocka_unit_test(test_gun_beside_a_live_slot_over_an_unknown_boundary_refused),
        cmocka_unit_test(test_gun_beside_an_inlet_under_voltage_refused),
        cmocka_unit_test(test_closed_ring_is_noted_and_locks_everybody_out),
        cmocka_unit_test(test_ring_of_unknown_boundaries_refuses_to_close),
        cmocka_unit_test(test_live_by_gc_voltage_stage_or_ignorance),
        cmocka_unit_test(test_silent_plc_leaves_neighbours_charging),
        cmocka_unit_test(test_neighbours_of_a_silent_plc_charge_as_ever),
        cmocka_unit_test(test_neighbours_of_a_plc_silent_since_the_start_stay_in_the_boot_hold),
        cmocka_unit_test(
            test_boundary_last_read_closed_or_unknown_holds_its_neighbours_with_a_fault),
        cmocka_unit_test(test_boundary_that_fell_silent_unread_stops_no_running_neighbour),
        cmocka_unit_test(test_series_pair_with_one_unread_contactor_holds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
