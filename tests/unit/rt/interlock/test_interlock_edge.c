/* E1 to E4, E6, E7, T1, T2, T4 to T6, N4, S8 and S15 of boundaries: when one closes and when it opens. Slot 0 charges at
 * 400 V, slot 1 lends over boundary 0, unless a test says otherwise. */
#include "tests/unit/rt/interlock/hub.h"

#define MV 400000

static struct hub *charging_hub(uint32_t slots, bool bc) {
    struct hub *hub = hub_new(slots, 2, bc);
    hub_run(hub, 500);
    hub_charging(hub, 0, MV, 10000);
    return hub;
}

/* Slot 0 charges, slot 1 is precharged; nothing is asked of boundary 0 yet. */
static struct hub *ready_to_join(uint32_t slots, bool bc) {
    struct hub *hub = charging_hub(slots, bc);
    hub_precharge(hub, 1, MV);
    return hub;
}

static struct hub *joined_hub(uint32_t slots, bool bc) {
    struct hub *hub = charging_hub(slots, bc);
    hub_lend(hub, 1, 0, MV, 20000);
    assert_true(hub_joined(hub, 0));
    hub->now_us += 31 * SECOND; /* dwell is over; nothing was heard meanwhile, and is again */
    hub_refresh(hub);
    return hub;
}

static enum rule_id asks(struct hub *hub, uint32_t edge) {
    hub->request.slot[edge].mc = true;
    hub->request.slot[edge].bc = hub->config.slot[edge].has_bc;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[edge].edge_refused != RULE_NONE, !hub->out.slot[edge].mc);
    return (enum rule_id)hub->state.slot[edge].edge_refused;
}

/* The slot may be joined after all: what was bent was the only obstacle. */
static void assert_joins(struct hub *hub, uint32_t edge) {
    assert_int_equal(asks(hub, edge), RULE_NONE);
    hub_run(hub, 150);
    assert_true(hub_joined(hub, edge));
}

/* --- the way in */

static void test_lender_joins_and_delivers(void **state) {
    (void)state;
    for (int bc = 0; bc < 2; ++bc) {
        struct hub *hub = charging_hub(4, bc != 0);
        hub_lend(hub, 1, 0, MV, 20000);
        assert_true(hub_joined(hub, 0));
        assert_int_equal(hub->state.slot[1].island_sure, 0);
        assert_int_equal(hub->state.slot[2].island_may, 2);
        assert_int_equal(hub_sum_ma(hub, 0), 20000);
        assert_int_equal(hub_sum_ma(hub, 1), 40000);
        assert_int_equal(hub->image.slot[0].gun_ma.value, 60000);
        assert_int_equal(hub->image.slot[0].boundary_ma.value, -40000);
        assert_true(hub->state.slot[0].edge_closed);
        assert_false(hub->state.slot[0].edge_locked);
        hub_run(hub, 3000);
        assert_int_equal(hub->state.slot[0].faults | hub->state.slot[1].faults, 0);
        assert_int_equal(hub_sum_ma(hub, 1), 40000);
        hub_free(hub);
    }
}

static void test_lender_joins_counter_clockwise_over_slot_zero(void **state) {
    (void)state;
    struct hub *hub = charging_hub(4, true);
    hub_lend(hub, 3, 3, MV, 20000);
    assert_int_equal(hub->state.slot[3].island_sure, 0);
    assert_int_equal(hub_sum_ma(hub, 3), 40000);
    assert_int_equal(hub->image.slot[3].boundary_ma.value, 40000);
    hub_free(hub);
}

static void test_island_of_every_length_up_to_max_slots(void **state) {
    (void)state;
    struct hub *hub = charging_hub(8, false);
    hub->config.interlock.max_slots = 4;
    hub_lend(hub, 1, 0, MV, 5000);
    hub_lend(hub, 2, 1, MV, 5000);
    hub_lend(hub, 7, 7, MV, 5000);
    assert_int_equal(hub->image.slot[0].gun_ma.value, 20000 + 30000);
    hub_precharge(hub, 6, MV);
    assert_int_equal(asks(hub, 6), RULE_T6);
    hub->config.interlock.max_slots = 5;
    assert_joins(hub, 6);
    hub_free(hub);
}

static void test_voltage_within_10_v_joins_beyond_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub_voltage(hub, 1, MV - 10001, 0);
    assert_int_equal(asks(hub, 0), RULE_E1);
    hub_voltage(hub, 1, MV + 10001, 0);
    assert_int_equal(asks(hub, 0), RULE_E1);
    hub_voltage(hub, 1, MV + 10000, 0);
    assert_int_equal(asks(hub, 0), RULE_NONE);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].close_dv_mv, 10000);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].operations, 1);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].loaded_operations, 0);
    hub_free(hub);
}

static void test_unknown_or_stale_voltage_refused(void **state) {
    (void)state;
    for (uint32_t slot = 0; slot < 2; ++slot) {
        struct hub *hub = ready_to_join(4, false);
        hub->image.slot[slot].bus_mv.valid = false;
        assert_int_equal(asks(hub, 0), RULE_E1);
        hub->image.slot[slot].bus_mv.valid = true;
        hub->now_us += 5000;
        hub_refresh(hub);
        hub->image.slot[slot].bus_mv.at_us = hub->now_us - 250001;
        hub_step(hub);
        assert_false(hub->out.slot[0].mc);
        assert_joins(hub, 0);
        hub_free(hub);
    }
}

static void test_donor_that_delivers_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub->own_module_ma[1] = true;
    hub->image.slot[1].module[0].current_ma.value = 600;
    hub->image.slot[1].module[1].current_ma.value = -401;
    assert_int_equal(asks(hub, 0), RULE_E1);
    hub->image.slot[1].module[1].current_ma.valid = false;
    assert_int_equal(asks(hub, 0), RULE_E1);
    hub_set(hub, &hub->image.slot[1].module[1].current_ma, 400);
    hub->image.slot[1].module[0].current_ma.value = -600;
    assert_joins(hub, 0);
    hub_free(hub);
}

static void test_both_sides_dead_join_without_a_monitor(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_close(hub, 2);
    assert_true(hub_joined(hub, 2));
    hub_free(hub);
}

/* E6 */
static void test_donor_without_sound_monitor_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub_set(hub, &hub->image.slot[1].imd, IMD_STATE_OFF);
    assert_int_equal(asks(hub, 0), RULE_E6);
    hub_set(hub, &hub->image.slot[1].imd, IMD_STATE_FAULT);
    assert_int_equal(asks(hub, 0), RULE_E6);
    hub_set(hub, &hub->image.slot[1].imd, IMD_STATE_OK);
    hub->image.slot[1].insulation_ohm.value = 99999;
    assert_int_equal(asks(hub, 0), RULE_E6);
    hub->image.slot[1].insulation_ohm.value = 100000;
    assert_joins(hub, 0);
    hub_free(hub);
}

/* N4 */
static void test_monitor_testing_on_either_side_refused(void **state) {
    (void)state;
    for (uint32_t slot = 0; slot < 2; ++slot) {
        struct hub *hub = ready_to_join(4, false);
        hub_set(hub, &hub->image.slot[slot].imd, IMD_STATE_TEST);
        assert_int_equal(asks(hub, 0), RULE_N4);
        hub_set(hub, &hub->image.slot[slot].imd, IMD_STATE_OK);
        assert_joins(hub, 0);
        hub_free(hub);
    }
}

static void test_cable_check_and_precharge_are_alone(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub_cable_check(hub, 0, 500000);
    assert_int_equal(asks(hub, 0), RULE_N4);
    hub_stage(hub, 0, HLC_STAGE_PRECHARGE);
    assert_int_equal(asks(hub, 0), RULE_N4);
    assert_int_equal(asks(hub, 3), RULE_N4);
    hub_free(hub);
}

/* T1, T4 */
static void test_two_guns_are_never_joined(void **state) {
    (void)state;
    struct hub *hub = charging_hub(4, false);
    hub_charging(hub, 1, MV, 10000);
    assert_int_equal(asks(hub, 0), RULE_T1);
    hub->request.slot[0].mc = false;
    hub_precharge(hub, 3, MV);
    assert_joins(hub, 3); /* 3 lends to 0 */
    hub_precharge(hub, 2, MV);
    assert_joins(hub, 1);                    /* 2 lends to 1 */
    assert_int_equal(asks(hub, 2), RULE_T1); /* 2-3 would join both islands */
    hub_free(hub);
}

static void test_lender_with_a_live_inlet_or_stage_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub_voltage(hub, 1, MV, 60001);
    assert_int_equal(asks(hub, 0), RULE_T4);
    hub_voltage(hub, 1, MV, 60000);
    hub_stage(hub, 1, HLC_STAGE_POWER_DELIVERY);
    assert_int_equal(asks(hub, 0), RULE_T4);
    hub_stage(hub, 1, HLC_STAGE_CHARGE_PARAMETERS);
    hub->image.slot[1].gun_mv.valid = false;
    assert_int_equal(asks(hub, 0), RULE_T4);
    hub->image.slot[1].gun_mv.valid = true;
    assert_joins(hub, 0);
    hub_free(hub);
}

static void test_lender_whose_gc_may_be_closed_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub->contactor[1][CONTACTOR_GC] = READS_INVALID;
    assert_int_equal(asks(hub, 0), RULE_T1);
    hub->contactor[1][CONTACTOR_GC] = FOLLOW;
    assert_joins(hub, 0);
    hub_free(hub);
}

static void test_gun_of_a_lender_never_closes_while_joined(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, false);
    hub_vehicle(hub, 1, 500000, HLC_STAGE_CHARGE_PARAMETERS);
    hub->request.slot[1].gc = true;
    hub_run(hub, 50);
    assert_false(hub->out.slot[1].gc);
    assert_true(hub->out.slot[0].gc);
    /* nor in a dead island without any gun */
    struct hub *dead = hub_ready(4, 2);
    hub_close(dead, 1);
    hub_vehicle(dead, 1, 500000, HLC_STAGE_CABLE_CHECK);
    dead->request.slot[1].gc = true;
    hub_tick(dead, 5000);
    assert_false(dead->out.slot[1].gc);
    assert_true(hub_noted(dead, RULE_T1, 1));
    /* its stage makes the boundary open by itself; confirmed alone it may close */
    hub_run(dead, 300);
    assert_false(dead->out.slot[1].mc);
    assert_true(dead->out.slot[1].gc);
    hub_free(dead);
    hub_free(hub);
}

/* T2 */
static void test_ring_is_never_closed(void **state) {
    (void)state;
    for (uint32_t slots = 2; slots <= 5; ++slots) {
        struct hub *hub = hub_ready(slots, 2);
        uint32_t closed = 0;
        for (uint32_t edge = 0; edge < slots; ++edge) {
            hub->request.slot[edge].mc = true;
        }
        hub_run(hub, 1000);
        for (uint32_t edge = 0; edge < slots; ++edge) {
            closed += hub->out.slot[edge].mc;
        }
        assert_int_equal(closed, slots - 1);
        assert_true(hub->state.rule_hits[RULE_T2] > 0);
        hub_free(hub);
    }
}

static void test_last_but_one_boundary_unknown_refused(void **state) {
    (void)state;
    struct hub *hub = hub_ready(3, 2);
    hub_close(hub, 0);
    hub->contactor[2][CONTACTOR_MC] = READS_INVALID;
    assert_int_equal(asks(hub, 1), RULE_T2);
    hub->contactor[2][CONTACTOR_MC] = FOLLOW;
    assert_joins(hub, 1);
    hub_free(hub);
}

/* T5 */
static void test_one_boundary_of_an_island_per_step(void **state) {
    (void)state;
    struct hub *hub = hub_ready(8, 2);
    for (uint32_t edge = 0; edge < 6; ++edge) {
        hub->request.slot[edge].mc = true;
    }
    hub_tick(hub, 5000);
    const bool first[] = {true, false, true, false, true, false};
    for (uint32_t edge = 0; edge < 6; ++edge) {
        assert_int_equal(hub->out.slot[edge].mc, first[edge]);
    }
    assert_true(hub_noted(hub, RULE_T5, 1));
    assert_int_equal(hub->state.slot[1].edge_refused, RULE_T5);
    hub->contactor[2][CONTACTOR_MC] = STAYS_OPEN;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[1].edge_refused, RULE_E4); /* one side is on its way */
    hub->contactor[2][CONTACTOR_MC] = FOLLOW;
    hub_run(hub, 100);
    assert_true(hub->out.slot[1].mc);
    hub_free(hub);
}

/* E7 */
static void test_mc_closes_before_bc_and_confirmed(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, true);
    hub->request.slot[0].bc = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].bc);
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_E7);
    hub->request.slot[0].mc = true;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].mc);
    assert_false(hub->out.slot[0].bc);
    assert_int_equal(hub->state.slot[1].island_may, 1);
    hub->contactor[0][CONTACTOR_MC] = STAYS_OPEN;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_E7);
    hub->contactor[0][CONTACTOR_MC] = FOLLOW;
    hub_voltage(hub, 1, MV - 10001, 0); /* E1 holds for the one that makes the connection too */
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_E1);
    hub_voltage(hub, 1, MV, 0);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].bc);
    hub_free(hub);
}

static void test_what_is_to_close_must_be_known_open(void **state) {
    (void)state;
    for (unsigned kind = CONTACTOR_MC; kind <= CONTACTOR_BC; ++kind) {
        struct hub *hub = ready_to_join(4, true);
        hub->contactor[0][kind] = READS_INVALID;
        assert_int_equal(asks(hub, 0), RULE_S7);
        hub->contactor[0][kind] = FOLLOW;
        assert_joins(hub, 0);
        hub_free(hub);
    }
}

/* E4 */
static void test_slot_out_of_service_is_not_joined(void **state) {
    (void)state;
    for (uint32_t slot = 0; slot < 2; ++slot) {
        struct hub *hub = hub_ready(4, 2);
        hub_set(hub, &hub->image.slot[slot].safety_ok, 0);
        assert_int_equal(asks(hub, 0), RULE_E4);
        assert_true(hub->state.slot[0].edge_locked);
        hub_set(hub, &hub->image.slot[slot].safety_ok, 1);
        assert_joins(hub, 0);
        assert_false(hub->state.slot[0].edge_locked);
        hub_free(hub);
    }
}

static void test_gun_on_its_way_down_borrows_nothing(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false);
    hub->request.slot[0].stop = STOP_CLASS_NORMAL;
    assert_int_equal(asks(hub, 0), RULE_E4);
    hub_free(hub);
}

static void test_late_plan_and_boot_hold_close_nothing(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub->in.plan_age_us = 150001;
    assert_int_equal(asks(hub, 0), RULE_S8);
    hub->in.plan_age_us = 150000;
    hub->state.slot[1].released = false;
    hub->state.slot[1].hold_until_us = hub->now_us + SECOND;
    assert_int_equal(asks(hub, 0), RULE_S15);
    hub_free(hub);
}

static void test_slot_without_ring_contactor_refused(void **state) {
    (void)state;
    struct hub *hub = hub_new(3, 2, false);
    hub->config.slot[1].has_mc = false;
    interlock_init(&hub->state, &hub->config, hub->now_us);
    hub_run(hub, 500);
    assert_int_equal(asks(hub, 1), RULE_E1);
    hub->request.slot[1].bc = true;
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[1].bc);
    hub_free(hub);
}

/* --- the way out */

/* Asks and gives it a step at which new samples are there. */
static enum rule_id asks_to_open(struct hub *hub, uint32_t edge) {
    hub->request.slot[edge].mc = false;
    hub->request.slot[edge].bc = false;
    hub_tick(hub, 5000);
    return (enum rule_id)hub->state.slot[edge].edge_refused;
}

static void test_opens_below_5_a_measured_twice(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, false);
    assert_int_equal(asks_to_open(hub, 0), RULE_E2); /* 40 A flow */
    hub_ask(hub, 1, MV, 0);
    hub->own_boundary_ma[0] = true;
    hub_set(hub, &hub->image.slot[0].boundary_ma, -5001);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].mc);
    hub_set(hub, &hub->image.slot[0].boundary_ma, -5000);
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].mc); /* one sample */
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].mc); /* the same sample again */
    hub_set(hub, &hub->image.slot[0].boundary_ma, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].mc);
    assert_int_equal(hub->state.slot[0].contactor[CONTACTOR_MC].loaded_operations, 0);
    hub_run(hub, 150);
    assert_int_equal(hub->state.slot[1].island_may, 1);
    assert_true(hub->out.slot[0].gc); /* the gun goes on */
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

static void test_opens_not_on_unknown_current_nor_on_commanded_current(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, false);
    hub_ask(hub, 1, MV, 0);
    hub->own_boundary_ma[0] = true;
    hub_run(hub, 20);
    hub->image.slot[0].boundary_ma.valid = false;
    assert_int_equal(asks_to_open(hub, 0), RULE_E2);
    hub_ask(hub, 1, MV, 2600); /* 5.2 A commanded, none measured */
    hub->request.slot[0].mc = true;
    hub_run(hub, 20);
    for (int i = 0; i < 5; ++i) {
        hub_set(hub, &hub->image.slot[0].boundary_ma, 0);
        assert_int_equal(asks_to_open(hub, 0), RULE_E2);
    }
    hub_ask(hub, 1, MV, 0);
    for (int i = 0; i < 2; ++i) {
        hub_set(hub, &hub->image.slot[0].boundary_ma, 0);
        hub_tick(hub, 5000);
    }
    assert_false(hub->out.slot[0].mc);
    hub_free(hub);
}

/* E3: 30 s; a vehicle that arrives, the end of the session and faults do not wait. */
static void test_dwell_holds_a_boundary_for_30_s(void **state) {
    (void)state;
    struct hub *hub = charging_hub(4, false);
    hub_lend(hub, 1, 0, MV, 0);
    const int64_t closed_us = hub->state.slot[0].edge_changed_us;
    assert_int_equal(asks_to_open(hub, 0), RULE_E3);
    hub->request.slot[0].reclaim = true; /* nobody arrives: a lie */
    assert_int_equal(asks_to_open(hub, 0), RULE_E3);
    hub->request.slot[0].reclaim = false;
    while (hub->now_us - closed_us < 30 * SECOND - 5000) {
        hub_tick(hub, 5000);
        assert_true(hub->out.slot[0].mc);
    }
    hub_tick(hub, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].mc);
    /* and stays open for as long, whoever asks */
    hub_run(hub, 200);
    hub_precharge(hub, 1, MV);
    hub->request.slot[0].reclaim = true;
    assert_int_equal(asks(hub, 0), RULE_E3);
    hub_run(hub, 29000);
    assert_false(hub->out.slot[0].mc);
    hub_run(hub, 1000);
    assert_true(hub->out.slot[0].mc);
    hub_free(hub);
}

static void test_arriving_vehicle_reclaims_at_once(void **state) {
    (void)state;
    for (uint32_t flag = 0; flag < 2; ++flag) { /* either slot beside the boundary may say so */
        struct hub *hub = charging_hub(4, false);
        hub_lend(hub, 1, 0, MV, 0);
        hub_set(hub, &hub->image.slot[1].cp_state, CP_STATE_B);
        assert_int_equal(asks_to_open(hub, 0), RULE_E3);
        hub->request.slot[flag].reclaim = true;
        assert_int_equal(asks_to_open(hub, 0), RULE_NONE);
        assert_false(hub->out.slot[0].mc);
        hub_free(hub);
    }
}

static void test_dwell_ends_with_the_session(void **state) {
    (void)state;
    struct hub *hub = charging_hub(4, false);
    hub_lend(hub, 1, 0, MV, 0);
    hub->request.slot[0].stop = STOP_CLASS_NORMAL;
    assert_int_equal(asks_to_open(hub, 0), RULE_NONE);
    assert_false(hub->out.slot[0].mc);
    hub_free(hub);
}

/* E7: BC first, the next time MC first; the second one waits for the first one's word. */
static void test_contactors_of_a_pair_take_turns_in_opening_first(void **state) {
    (void)state;
    struct hub *hub = charging_hub(4, true);
    for (unsigned round = 0; round < 4; ++round) {
        hub_lend(hub, 1, 0, MV, 0);
        hub->request.slot[0].stop = STOP_CLASS_NORMAL; /* no dwell */
        assert_int_equal(asks_to_open(hub, 0), RULE_NONE);
        assert_int_equal(hub->out.slot[0].mc, round % 2 == 0);
        assert_int_equal(hub->out.slot[0].bc, round % 2 != 0);
        hub_tick(hub, 5000); /* the first one is read open */
        assert_false(hub->out.slot[0].mc || hub->out.slot[0].bc);
        hub->request.slot[0].stop = STOP_CLASS_NONE;
        hub_run(hub, 150);
        hub->state.slot[0].edge_changed_us = 0; /* nor in closing */
    }
    const struct contactor_book *book = hub->state.slot[0].contactor;
    assert_int_equal(book[CONTACTOR_MC].operations, 4);
    assert_int_equal(book[CONTACTOR_BC].operations, 4);
    hub_free(hub);
}

static void test_opening_out_of_turn_refused(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, true);
    hub_ask(hub, 1, MV, 0);
    hub_run(hub, 20);
    hub->request.slot[0].mc = false; /* BC is first */
    hub_tick(hub, 5000);
    assert_true(hub_joined(hub, 0));
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_E7);
    hub->request.slot[0].mc = true;
    hub->request.slot[0].bc = false;
    hub_tick(hub, 5000);
    assert_true(hub->out.slot[0].mc);
    assert_false(hub->out.slot[0].bc);
    /* begun, it goes on to the end, whatever is asked */
    hub->request.slot[0].bc = true;
    hub_tick(hub, 5000);
    hub_tick(hub, 5000);
    assert_false(hub->out.slot[0].mc || hub->out.slot[0].bc);
    hub_free(hub);
}

static void test_second_of_a_pair_waits_for_the_first_or_for_t_open(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, true);
    hub_ask(hub, 1, MV, 0);
    hub_run(hub, 20);
    hub->contactor[0][CONTACTOR_BC] = READS_INVALID;
    hub->contactor[0][CONTACTOR_BC] = STAYS_CLOSED;
    (void)asks_to_open(hub, 0);
    assert_false(hub->out.slot[0].bc);
    hub_run(hub, 95);
    assert_true(hub->out.slot[0].mc);
    hub_run(hub, 10);
    assert_false(hub->out.slot[0].mc);
    hub_run(hub, 300);
    assert_true(hub->state.slot[0].contactor[CONTACTOR_BC].welded);
    assert_int_equal(hub->state.slot[0].latched, BIT(BOUNDARY));
    assert_true(hub->state.slot[0].edge_locked);
    assert_true(hub->out.slot[0].gc); /* one weld of a pair stops nobody */
    assert_int_equal(hub_sum_ma(hub, 0), 20000);
    hub_free(hub);
}

static void test_only_one_boundary_of_an_island_opens_at_a_time(void **state) {
    (void)state;
    struct hub *hub = charging_hub(5, false);
    hub_lend(hub, 1, 0, MV, 0);
    hub_lend(hub, 2, 1, MV, 0);
    hub->now_us += 31 * SECOND;
    hub_refresh(hub);
    hub->request.slot[0].mc = hub->request.slot[1].mc = false;
    hub_run(hub, 15);
    assert_int_not_equal(hub->out.slot[0].mc, hub->out.slot[1].mc);
    hub_run(hub, 300);
    assert_false(hub->out.slot[0].mc || hub->out.slot[1].mc);
    assert_true(hub->state.rule_hits[RULE_T5] + hub->state.rule_hits[RULE_E4] > 0);
    hub_free(hub);
}

static void test_nothing_opens_while_the_monitor_tests(void **state) {
    (void)state;
    struct hub *hub = joined_hub(4, false);
    hub_ask(hub, 1, MV, 0);
    hub_run(hub, 20);
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_TEST);
    assert_int_equal(asks_to_open(hub, 0), RULE_N4);
    hub_set(hub, &hub->image.slot[0].imd, IMD_STATE_OK);
    assert_int_equal(asks_to_open(hub, 0), RULE_NONE);
    hub_free(hub);
}

static void test_mc_alone_opens_again_at_once(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, true);
    hub->request.slot[0].mc = true;
    hub_run(hub, 50);
    assert_true(hub->out.slot[0].mc);
    hub->request.slot[0].mc = false;
    hub_run(hub, 10);
    assert_false(hub->out.slot[0].mc);
    hub_free(hub);
}

static void test_donor_commanded_above_i_cc_refused(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, false); /* 0.8 A are commanded */
    const int32_t i_cc_ma = hub->config.interlock.i_cc_ma;
    hub->config.interlock.i_cc_ma = 799;
    assert_int_equal(asks(hub, 0), RULE_E1);
    hub_run(hub, 10);
    hub->config.interlock.i_cc_ma = i_cc_ma;
    assert_joins(hub, 0);
    hub_free(hub);
}

static void test_bc_that_is_not_known_open_waits(void **state) {
    (void)state;
    struct hub *hub = ready_to_join(4, true);
    hub->request.slot[0].mc = true;
    hub_run(hub, 50);
    hub->contactor[0][CONTACTOR_BC] = READS_INVALID;
    assert_true(hub->out.slot[0].mc);
    hub->request.slot[0].bc = true;
    hub_tick(hub, 5000);
    assert_int_equal(hub->state.slot[0].edge_refused, RULE_S7);
    hub_free(hub);
}

static void test_unmeasured_boundary_that_closes_is_booked_by_setpoints(void **state) {
    (void)state;
    struct hub *hub = hub_ready(4, 2);
    hub->own_boundary_ma[2] = true;
    hub->image.slot[2].boundary_ma.valid = false;
    hub_close(hub, 2);
    assert_true(hub_joined(hub, 2));
    assert_int_equal(hub->state.slot[2].contactor[CONTACTOR_MC].loaded_operations, 0);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lender_joins_and_delivers),
        cmocka_unit_test(test_lender_joins_counter_clockwise_over_slot_zero),
        cmocka_unit_test(test_island_of_every_length_up_to_max_slots),
        cmocka_unit_test(test_voltage_within_10_v_joins_beyond_refused),
        cmocka_unit_test(test_unknown_or_stale_voltage_refused),
        cmocka_unit_test(test_donor_that_delivers_refused),
        cmocka_unit_test(test_both_sides_dead_join_without_a_monitor),
        cmocka_unit_test(test_donor_without_sound_monitor_refused),
        cmocka_unit_test(test_monitor_testing_on_either_side_refused),
        cmocka_unit_test(test_cable_check_and_precharge_are_alone),
        cmocka_unit_test(test_two_guns_are_never_joined),
        cmocka_unit_test(test_lender_with_a_live_inlet_or_stage_refused),
        cmocka_unit_test(test_lender_whose_gc_may_be_closed_refused),
        cmocka_unit_test(test_gun_of_a_lender_never_closes_while_joined),
        cmocka_unit_test(test_ring_is_never_closed),
        cmocka_unit_test(test_last_but_one_boundary_unknown_refused),
        cmocka_unit_test(test_one_boundary_of_an_island_per_step),
        cmocka_unit_test(test_mc_closes_before_bc_and_confirmed),
        cmocka_unit_test(test_what_is_to_close_must_be_known_open),
        cmocka_unit_test(test_slot_out_of_service_is_not_joined),
        cmocka_unit_test(test_gun_on_its_way_down_borrows_nothing),
        cmocka_unit_test(test_late_plan_and_boot_hold_close_nothing),
        cmocka_unit_test(test_slot_without_ring_contactor_refused),
        cmocka_unit_test(test_opens_below_5_a_measured_twice),
        cmocka_unit_test(test_opens_not_on_unknown_current_nor_on_commanded_current),
        cmocka_unit_test(test_dwell_holds_a_boundary_for_30_s),
        cmocka_unit_test(test_arriving_vehicle_reclaims_at_once),
        cmocka_unit_test(test_dwell_ends_with_the_session),
        cmocka_unit_test(test_contactors_of_a_pair_take_turns_in_opening_first),
        cmocka_unit_test(test_opening_out_of_turn_refused),
        cmocka_unit_test(test_second_of_a_pair_waits_for_the_first_or_for_t_open),
        cmocka_unit_test(test_only_one_boundary_of_an_island_opens_at_a_time),
        cmocka_unit_test(test_nothing_opens_while_the_monitor_tests),
        cmocka_unit_test(test_mc_alone_opens_again_at_once),
        cmocka_unit_test(test_donor_commanded_above_i_cc_refused),
        cmocka_unit_test(test_bc_that_is_not_known_open_waits),
        cmocka_unit_test(test_unmeasured_boundary_that_closes_is_booked_by_setpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
