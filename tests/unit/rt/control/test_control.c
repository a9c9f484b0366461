/* The guard's pure core through its own interface, with the virtual hub's PLCs and modules at the other end of the wire:
 * boot, faults, order of frames, proposals, interfaces, stops, and anything at all. */
#include "tests/unit/rt/control/bench.h"

#include <linux/can/error.h>
#include <stdlib.h>
#include <string.h>

#include "hub_codec.h"

/* ---- boot --------------------------------------------------------------------------------------------------- */

static void test_boot_all_outputs_off_until_released(void **state) {
    (void)state;
    const struct plant_options options = {.seed = 3};
    struct virtual_hub *h = virtual_hub_create(&config, &options, false);
    assert_non_null(h);
    virtual_hub_run(h, 0.3);
    control_status(h->control, h->now_us, &h->status);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(h->status.slot[i].gun_state, GUN_STATE_UNAVAILABLE);
        assert_true((h->status.slot[i].flags & STATUS_SLOT_BOOT_HOLD) != 0);
    }
    assert_true(control_is_idle(h->control));
    assert_int_equal(h->log[0].type, EVENT_BOOT);
    assert_int_equal(h->log[0].value, 0x5eed);
    virtual_hub_run(h, 2);
    assert_int_equal(virtual_hub_state(h, 1), GUN_STATE_AVAILABLE);
    assert_int_equal(h->events_by_type[EVENT_FAULT_RAISED], 0);
    virtual_hub_destroy(h);
}

static void test_boot_without_known_latches_waits_for_them(void **state) {
    (void)state;
    struct control *c = aligned_alloc(RM_CACHE_LINE, control_size());
    const struct control_boot boot = {.boot_id = 1, .latches_known = false};
    assert_non_null(c);
    control_init(c, &config, &boot, 1000);
    struct command_result result;
    struct command k = {.id = 77, .type = COMMAND_LATCHES, .slot = 0, .value = 1ll << FAULT_COUNT};
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.id, 77);
    assert_int_equal(result.status, COMMAND_STATUS_BAD_VALUE);
    k.value = 1ll << FAULT_CONTACTOR_WELDED;
    k.slot = 2;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_BAD_SLOT);
    k.slot = 0;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_OK);
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_STATE);
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = true;
    control_latches(c, latched, &estop);
    assert_int_equal(latched[0], 1ull << FAULT_CONTACTOR_WELDED);
    assert_int_equal(latched[1], 0);
    assert_false(estop);
    k.slot = 1; /* S3: an e-stop outlives the memory of a machine that was switched off */
    k.value = 1ll << FAULT_ESTOP;
    control_command(c, &k, &result, 1000);
    assert_int_equal(result.status, COMMAND_STATUS_OK);
    control_latches(c, latched, &estop);
    assert_true(estop);
    free(c);
}

/* ---- faults ------------------------------------------------------------------------------------------------- */

static bool is_contactor_frame(const struct bus_frame *f) {
    return config.interface[f->interface].role == INTERFACE_ROLE_PLC &&
           (f->frame.can_id & 0x7f0u) == 0x390u;
}

static void test_estop_all_off_frames_lead_and_only_a_reset_frees(void **state) {
    (void)state;
    bench_charge(1);
    bench_charge(2);
    plant_estop(hub->plant, true);
    bool led = false;
    for (int ms = 0; ms < 600 && !led; ms++) {
        virtual_hub_run(hub, 0.001);
        const struct frame_batch *tx = &hub->to_plant;
        if (tx->count >= 2 && is_contactor_frame(&tx->item[0]) &&
            (tx->item[0].frame.data[0] & 0x9fu) == 0x80u) {
            led = is_contactor_frame(&tx->item[1]);
        }
    }
    assert_true(led);
    virtual_hub_run(hub, 3);
    assert_int_equal(bench_shown(0)->gun_state, GUN_STATE_FAULTED);
    assert_int_equal(hub->status.estop, 1);
    assert_int_equal(bench_give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""),
                     COMMAND_STATUS_LATCHED);
    plant_estop(hub->plant, false);
    virtual_hub_run(hub, 3);
    assert_int_equal(bench_shown(0)->gun_state, GUN_STATE_FAULTED); /* never by itself */
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = false;
    control_latches(hub->control, latched, &estop);
    assert_true(estop);
    assert_int_equal(bench_give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    for (int gun = 1; gun <= 2; gun++) {
        (void)plant_unplug(hub->plant, gun, false);
        assert_true(virtual_hub_reach(hub, gun, GUN_STATE_AVAILABLE, 20));
    }
    assert_int_equal(hub->events_by_type[EVENT_ESTOP], 2);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

static void test_estop_reset_with_a_silent_plc_is_refused_and_names_its_slot(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 2};
    const struct command asked = bench_command(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, "");
    struct command_result answer;
    plant_estop(hub->plant, true);
    virtual_hub_run(hub, 1);
    plant_estop(hub->plant, false);
    assert_int_equal(plant_inject(hub->plant, "plc-silent", &fault), PLANT_OK);
    virtual_hub_run(hub, 2);
    control_command(hub->control, &asked, &answer, hub->now_us);
    assert_int_equal(answer.status, COMMAND_STATUS_LATCHED);
    assert_int_equal(COMMAND_DETAIL_FAULT(answer.detail), FAULT_PLC_LOST);
    assert_int_equal(COMMAND_DETAIL_SLOT(answer.detail), virtual_hub_slot(hub, 2));
    virtual_hub_run(hub, 1);
    (void)bench_shown(0);
    assert_int_equal(hub->status.estop, 1);
    assert_int_equal(plant_clear(hub->plant, 2), PLANT_OK);
    virtual_hub_run(hub, 3);
    assert_int_equal(bench_give(COMMAND_RESET_ESTOP, EVENT_SLOT_NONE, 0, ""), COMMAND_STATUS_OK);
    virtual_hub_run(hub, 1);
    (void)bench_shown(0);
    assert_int_equal(hub->status.estop, 0);
}

/* It speaks, but it does not hear: LAST_CMD_SEQ_APPLIED is never ours. */
static void deaf_plc(int gun, bool energised) {
    const struct config_slot *slot = &config.slot[virtual_hub_slot(hub, gun)];
    struct can_frame status = {.can_id = 0x150 | CAN_EFF_FLAG, .len = 8};
    const struct plant_fault fault = {.gun = gun};
    status.can_id |= slot->plc_id;
    status.data[1] = energised ? 0x0d : 0; /* GC, MN0, MN1 */
    status.data[5] = 0xEE;
    status.data[7] = hub_crc8(status.data, 7);
    assert_int_equal(plant_inject(hub->plant, "plc-silent", &fault), PLANT_OK);
    for (unsigned n = 0; n < 30; n++) {
        virtual_hub_run(hub, 0.1);
        control_rx(hub->control, slot->interface, &status, hub->now_us);
    }
}

/* A PLC that hears nothing for three seconds while nobody charges: no session end will ever take the verdict back. */
static void test_unacknowledged_commands_of_an_idle_gun_pass_once_all_off_is_heard(void **state) {
    (void)state;
    deaf_plc(1, false);
    assert_true((bench_shown(0)->faults >> FAULT_PLC_ACK & 1) != 0);
    virtual_hub_run(hub, 0.1);
    assert_true((bench_shown(0)->faults >> FAULT_PLC_ACK & 1) != 0);
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 3); /* heard again, and acknowledging */
    assert_int_equal(bench_shown(0)->faults, 0);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 5));
}

static void test_unacknowledged_commands_end_the_session_and_need_nobody(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    bench_charge(1);
    deaf_plc(1, true);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 10));
    uint64_t latched[RM_SLOTS_MAX];
    bool estop = false;
    control_latches(hub->control, latched, &estop);
    assert_int_equal(latched[0] >> FAULT_PLC_ACK & 1, 0);
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(bench_shown(0)->faults >> FAULT_PLC_ACK & 1, 0);
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count, 1);
}

static void test_latched_weld_stays_until_cleared_after_repair(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 1, .contactor = "GC"};
    bench_charge(1);
    assert_int_equal(plant_inject(hub->plant, "contactor-weld", &fault), PLANT_OK);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 30));
    assert_int_equal(bench_shown(0)->fault, FAULT_CONTACTOR_WELDED);
    virtual_hub_run(hub, 5);
    struct command_result answer;
    const struct command asked = bench_command(COMMAND_CLEAR_FAULT, EVENT_SLOT_NONE, 0, "");
    control_command(hub->control, &asked, &answer, hub->now_us);
    assert_int_equal(answer.status, COMMAND_STATUS_LATCHED);
    assert_int_equal(COMMAND_DETAIL_FAULT(answer.detail), FAULT_CONTACTOR_WELDED);
    assert_int_equal(COMMAND_DETAIL_SLOT(answer.detail), 0);
    virtual_hub_run(hub, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_FAULTED); /* still welded */
    assert_int_equal(plant_clear(hub->plant, 1), PLANT_OK);
    virtual_hub_run(hub, 5);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_FAULTED); /* latched */
    assert_int_equal(bench_give(COMMAND_CLEAR_FAULT, 0, FAULT_CONTACTOR_WELDED, ""),
                     COMMAND_STATUS_OK);
    virtual_hub_run(hub, 5);
    (void)plant_unplug(hub->plant, 1, false);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_AVAILABLE, 20));
    uint32_t from = 0;
    bool named = false;
    const struct event *e;
    while ((e = virtual_hub_event(hub, EVENT_FAULT_RAISED, 0, &from)) != NULL) {
        named |= e->a == FAULT_CONTACTOR_WELDED && e->b == CONTACTOR_GC;
    }
    assert_true(named);
}

static void test_planner_silent_ramps_down_then_stops(void **state) {
    (void)state;
    bench_charge(1);
    hub->planner_stopped = true;
    virtual_hub_run(hub, 0.6);
    assert_int_equal(bench_shown(0)->limit_reason, LIMIT_REASON_PLANNER);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FINISHED, 5));
    assert_int_equal(bench_shown(0)->stop_reason, STOP_REASON_FAULT);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- proposals, interfaces, shutdown ------------------------------------------------------------------------ */

/* The seq of the input that a proposal would answer now. */
static uint64_t input_seq(void) {
    static struct plan_input input;
    control_plan_input(hub->control, hub->now_us, &input);
    return input.seq;
}

/* The guard lets the bus of an idle slot rise no higher than its plugged vehicle bears: the planner is told. */
static void test_plan_input_names_what_a_finished_vehicle_bears(void **state) {
    (void)state;
    static struct plan_input input;
    control_plan_input(hub->control, hub->now_us, &input);
    assert_int_equal(input.slot[0].lend_max_mv, 0);
    bench_charge(1);
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FINISHED, 20));
    control_plan_input(hub->control, hub->now_us, &input);
    struct plant_gun_state vehicle;
    plant_slot_state(hub->plant, 0, &vehicle);
    assert_true(vehicle.plugged && vehicle.ev_max_v > 300);
    assert_int_equal(input.slot[0].lend_max_mv, (int32_t)(vehicle.ev_max_v * 1000));
    assert_int_equal(input.slot[1].lend_max_mv, 0);
    assert_int_equal(plant_unplug(hub->plant, 1, false), PLANT_OK);
    virtual_hub_run(hub, 5);
    control_plan_input(hub->control, hub->now_us, &input);
    assert_int_equal(input.slot[0].lend_max_mv, 0);
}

static void test_malformed_proposals_are_rejected_and_counted(void **state) {
    (void)state;
    static struct proposal p;
    const struct proposal good = {.seq = input_seq(), .input_us = hub->now_us, .slots = 2};
    unsigned rejected = 0;
    for (unsigned kind = 0; kind < 13; kind++) {
        p = good;
        p.slot[0].owner = p.slot[1].owner = -1;
        switch (kind) {
        case 0: p.slots = 3; break;
        case 1: p.slots = 0xffffffff; break;
        case 2: p.input_us = hub->now_us + 1; break;
        case 3: p.slot[1].owner = 2; break;
        case 4: p.slot[1].owner = -2; break;
        case 5: p.slot[0].module[1].set_ma = -1; break;
        case 6: p.slot[0].module[0].set_mv = 1500001; break;
        case 7: p.slot[0].budget_w = -1; break;
        case 8: p.slot[0].set_mv = -1; break;
        case 9: p.slot[0].set_mv = 1500001; break;
        case 10: p.slot[0].capacity_w = -1; break;
        case 11: p.slot[1].guide_now_w = -1; break;
        case 12: p.guide_slot = 2; break;
        }
        control_proposal(hub->control, &p, hub->now_us);
        rejected++;
        (void)bench_shown(0);
        assert_int_equal(hub->status.proposals_rejected, rejected);
    }
    p = good;
    p.slot[0].owner = p.slot[1].owner = -1;
    control_proposal(hub->control, &p, hub->now_us);
    (void)bench_shown(0);
    assert_int_equal(hub->status.proposals_rejected, rejected);
    p.seq = 1; /* an older one */
    control_proposal(hub->control, &p, hub->now_us);
    (void)bench_shown(0);
    assert_int_equal(hub->status.proposals_rejected, rejected + 1);
    virtual_hub_run(hub, 0.01);
    uint32_t from = 0;
    assert_non_null(virtual_hub_event(hub, EVENT_PROPOSAL_REJECTED, EVENT_SLOT_NONE, &from));
}

static void test_proposal_to_an_input_never_given_is_rejected_and_shuts_nobody_out(void **state) {
    (void)state;
    static struct proposal p;
    static const uint64_t beyond[] = {1, 2, UINT64_MAX / 2, UINT64_MAX};
    bench_charge(1);
    (void)bench_shown(0);
    const uint64_t before = hub->status.proposals_rejected;
    const uint64_t newest = input_seq();
    for (unsigned n = 0; n < sizeof beyond / sizeof beyond[0]; n++) {
        p = (struct proposal){.input_us = hub->now_us, .slots = 2};
        p.seq = beyond[n] > UINT64_MAX - newest ? UINT64_MAX : newest + beyond[n];
        p.slot[0].owner = p.slot[1].owner = -1;
        control_proposal(hub->control, &p, hub->now_us);
        (void)bench_shown(0);
        assert_int_equal(hub->status.proposals_rejected, before + n + 1);
    }
    virtual_hub_run(hub, 2);
    (void)bench_shown(0);
    assert_int_equal(hub->status.proposals_rejected, before + 4);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
}

static void test_faulted_gun_that_stays_plugged_is_no_rejected_proposal(void **state) {
    (void)state;
    const struct plant_fault fault = {.gun = 1, .contactor = "GC"};
    bench_charge(1);
    assert_int_equal(plant_inject(hub->plant, "contactor-weld", &fault), PLANT_OK);
    const uint32_t before = bench_shown(0)->rejected_proposals;
    const uint64_t events = hub->events_by_type[EVENT_PROPOSAL_REJECTED];
    assert_int_equal(bench_give(COMMAND_STOP, 0, STOP_REASON_REMOTE, ""), COMMAND_STATUS_OK);
    assert_true(virtual_hub_reach(hub, 1, GUN_STATE_FAULTED, 30));
    virtual_hub_run(hub, 10);
    assert_int_equal(bench_shown(0)->locked, 1); /* G5 holds the plug of a gun that may be live */
    assert_int_equal(bench_shown(0)->rejected_proposals, before);
    assert_int_equal(hub->events_by_type[EVENT_PROPOSAL_REJECTED], events);
}

static void test_broken_power_path_is_no_rejected_proposal(void **state) {
    (void)state;
    const struct plant_fault module = {.gun = 1, .module = 0}, gc = {.gun = 2, .contactor = "GC"};
    bench_charge(1);
    bench_charge(2);
    assert_int_equal(plant_inject(hub->plant, "module-silent", &module), PLANT_OK);
    assert_int_equal(plant_inject(hub->plant, "contactor-stuck-open", &gc), PLANT_OK);
    virtual_hub_run(hub, 10);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_CHARGING);
    assert_int_not_equal(virtual_hub_state(hub, 2), GUN_STATE_CHARGING);
    assert_int_equal(hub->events_by_type[EVENT_PROPOSAL_REJECTED], 0);
}

static void test_healthy_meter_is_not_reported(void **state) {
    (void)state;
    bench_charge(1);
    bench_charge(2);
    virtual_hub_run(hub, 20);
    assert_int_equal(hub->events_by_type[EVENT_METER], 0);
}

/* Kernel filters keep them away from CAN; a socket bus has none. */
static void test_frames_of_the_wrong_format_are_counted(void **state) {
    (void)state;
    static const struct can_frame refused[] = {
        {.can_id = 0x150, .len = 8},                 /* standard */
        {.can_id = 0x7ff0 | CAN_EFF_FLAG, .len = 8}, /* nobody's */
        {.can_id = 0x1500000 | CAN_EFF_FLAG | CAN_RTR_FLAG, .len = 8},
    };
    (void)bench_shown(0);
    const uint32_t before = hub->status.interface[0].rx_dropped;
    for (unsigned n = 0; n < sizeof refused / sizeof refused[0]; n++) {
        control_rx(hub->control, 0, &refused[n], hub->now_us);
        (void)bench_shown(0);
        assert_int_equal(hub->status.interface[0].rx_dropped, before + n + 1);
    }
}

static void test_module_bus_down_is_an_error_stop_at_once(void **state) {
    (void)state;
    const uint32_t bus = config.slot[0].module[0].interface;
    hub->no_acknowledgement = true;
    bench_charge(1);
    assert_true(bench_shown(0)->gun_ma > 5000);
    control_interface(hub->control, bus, INTERFACE_BUS_OFF, hub->now_us);
    virtual_hub_run(hub, 0.05);
    assert_true((bench_shown(0)->faults >> FAULT_MODULE_LOST & 1) != 0);
    assert_int_equal(bench_shown(0)->stop_class, STOP_CLASS_ERROR);
    assert_int_equal(bench_shown(0)->gun_state, GUN_STATE_RAMP_DOWN);
    virtual_hub_run(hub, 1);
    assert_int_equal(bench_shown(0)->contactor[CONTACTOR_GC].command, 0);
    control_interface(hub->control, bus, INTERFACE_UP, hub->now_us);
    virtual_hub_run(hub, 3);
    assert_int_equal(bench_shown(0)->faults, 0); /* heard again */
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished_count, 1);
}

/* An error frame asks for a step of its own only when the interface is in another state after it. */
static void test_error_frames_are_urgent_on_a_change_of_state_only(void **state) {
    (void)state;
    static const struct {
        canid_t kind;
        uint8_t controller;
        bool changes;
        enum interface_state after;
    } rows[] = {
        {CAN_ERR_PROT | CAN_ERR_BUSERROR, 0, false, INTERFACE_UP},
        {CAN_ERR_CRTL, 0, false, INTERFACE_UP},
        {CAN_ERR_CRTL, CAN_ERR_CRTL_RX_OVERFLOW, false, INTERFACE_UP},
        {CAN_ERR_CRTL, CAN_ERR_CRTL_TX_WARNING, true, INTERFACE_WARNING},
        {CAN_ERR_CRTL, CAN_ERR_CRTL_RX_WARNING, false, INTERFACE_WARNING},
        {CAN_ERR_CRTL, 0, false, INTERFACE_WARNING}, /* says nothing, and does not mend it */
        {CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE, true, INTERFACE_PASSIVE},
        {CAN_ERR_CRTL, CAN_ERR_CRTL_ACTIVE, true, INTERFACE_UP},
        {CAN_ERR_BUSOFF | CAN_ERR_RESTARTED, 0, true, INTERFACE_BUS_OFF},
        {CAN_ERR_BUSOFF, 0, false, INTERFACE_BUS_OFF},
        {CAN_ERR_RESTARTED, 0, true, INTERFACE_UP},
        {CAN_ERR_RESTARTED, 0, false, INTERFACE_UP},
    };
    for (unsigned n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        const struct can_frame frame = {.can_id = CAN_ERR_FLAG | rows[n].kind,
                                        .len = CAN_ERR_DLC,
                                        .data = {0, rows[n].controller}};
        assert_int_equal(control_rx(hub->control, 0, &frame, hub->now_us), rows[n].changes);
        (void)bench_shown(0);
        assert_int_equal(hub->status.interface[0].state, rows[n].after);
    }
}

static void test_interface_changes_are_reported_once(void **state) {
    (void)state;
    const uint64_t before = hub->events_by_type[EVENT_INTERFACE];
    control_interface(hub->control, 0, INTERFACE_BUS_OFF, hub->now_us);
    control_interface(hub->control, 0, INTERFACE_BUS_OFF, hub->now_us);
    control_interface(hub->control, 99, INTERFACE_UP, hub->now_us);
    control_interface(hub->control, 0, INTERFACE_STATE_COUNT, hub->now_us);
    virtual_hub_run(hub, 0.1);
    assert_int_equal(hub->events_by_type[EVENT_INTERFACE] - before, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_UNAVAILABLE);
    control_interface(hub->control, 0, INTERFACE_UP, hub->now_us);
    virtual_hub_run(hub, 1);
    assert_int_equal(virtual_hub_state(hub, 1), GUN_STATE_AVAILABLE);
    (void)bench_shown(0);
    assert_int_equal(hub->status.interface[0].restarts, 1);
}

/* 96 slots with ten latched faults each, and a hundred changes of an interface, in the first step of a run. */
static void test_more_events_than_a_batch_holds_come_in_the_next_step(void **state) {
    (void)state;
    static struct config large;
    static struct frame_batch tx;
    static struct event_batch events;
    struct control_boot boot = {.boot_id = 1, .latches_known = true, .estop_latched = true};
    config_ring(&large, 96, 2);
    for (unsigned i = 0; i < RM_SLOTS_MAX; i++) {
        boot.latched[i] = UINT64_MAX;
    }
    struct control *c = aligned_alloc(RM_CACHE_LINE, control_size());
    assert_non_null(c);
    control_init(c, &large, &boot, 1000);
    for (unsigned i = 0; i < 100; i++) {
        control_interface(c, 0, i % 2 == 0 ? INTERFACE_UP : INTERFACE_BUS_OFF, 1000);
    }
    unsigned raised = 0, step[3];
    for (unsigned n = 0; n < 3; n++) {
        control_step(c, 1000 + 5000 * n, &tx, &events);
        assert_int_equal(events.dropped, 0);
        step[n] = events.count;
        for (uint32_t i = 0; i < events.count; i++) {
            raised += events.item[i].type == EVENT_FAULT_RAISED;
        }
    }
    assert_int_equal(step[0], EVENT_BATCH_MAX);
    assert_true(step[1] > 0);
    assert_int_equal(step[2], 0);
    unsigned latching = 0;
    for (unsigned code = 1; code < FAULT_COUNT; code++) {
        latching += fault_info(code)->latched;
    }
    assert_int_equal(raised, 96 * latching); /* each once */
    free(c);
}

static void test_shutdown_ends_sessions_and_becomes_idle(void **state) {
    (void)state;
    hub->no_acknowledgement = true;
    bench_charge(1);
    assert_false(control_is_idle(hub->control));
    control_shutdown(hub->control);
    for (int s = 0; s < 20 && !control_is_idle(hub->control); s++) {
        virtual_hub_run(hub, 1);
    }
    assert_true(control_is_idle(hub->control));
    uint64_t seq = 0;
    assert_int_equal(control_sessions(hub->control, 0, &seq)->finished[0].stop_reason,
                     STOP_REASON_RESTART);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_STATE);
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

/* ---- anything at all ---------------------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252ull;

static uint64_t draw(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void random_frame(void) {
    struct can_frame frame;
    const uint64_t bits = draw();
    frame.can_id = (canid_t)(draw() % 5 == 0 ? draw() : CAN_EFF_FLAG | (draw() & 0x4ff));
    frame.len = draw() % 8 == 0 ? (uint8_t)(draw() % 9) : 8;
    memcpy(frame.data, &bits, sizeof bits);
    control_rx(hub->control, (uint32_t)(draw() % 6), &frame, hub->now_us);
}

static void random_command(void) {
    struct command k;
    uint64_t *words = (uint64_t *)(void *)&k;
    for (unsigned i = 0; i < sizeof k / sizeof *words; i++) {
        words[i] = draw();
    }
    k.type = (uint16_t)(draw() % (COMMAND_TYPE_COUNT + 1));
    k.slot = (uint16_t)(draw() % 3);
    k.a = (uint16_t)(draw() % 5);
    struct command_result result;
    control_command(hub->control, &k, &result, hub->now_us);
    assert_int_equal(result.id, k.id);
    assert_true(result.status < COMMAND_STATUS_COUNT);
}

static void random_proposal(void) {
    static struct proposal p;
    p = (struct proposal){.seq = input_seq(), .input_us = hub->now_us, .slots = 2};
    for (unsigned i = 0; i < 2; i++) {
        p.slot[i].owner = (int16_t)((int)(draw() % 4) - 1);
        p.slot[i].edge_closed = draw() % 2 == 0;
        p.slot[i].budget_w = (int32_t)(draw() % 400000);
        for (unsigned j = 0; j < 2; j++) {
            p.slot[i].module[j] = (struct proposal_module){.mn = draw() % 2 == 0,
                                                           .run = draw() % 2 == 0,
                                                           .set_mv = (int32_t)(draw() % 1600000),
                                                           .set_ma = (int32_t)(draw() % 300000)};
        }
    }
    control_proposal(hub->control, &p, hub->now_us);
}

static void test_random_frames_commands_and_proposals_are_survived(void **state) {
    (void)state;
    bench_charge(1);
    for (unsigned n = 0; n < 20000; n++) {
        for (unsigned k = 0; k < 10; k++) {
            random_frame();
        }
        if (n % 4 == 0) {
            random_command();
        }
        if (n % 10 == 0) {
            random_proposal();
        }
        virtual_hub_run(hub, 0.001);
    }
}

/* Random wishes of a planner gone mad, with a sound plant: no hazard, whatever it proposes. */
static void test_random_proposals_make_no_hazard_and_the_gun_comes_back(void **state) {
    (void)state;
    bench_charge(1);
    hub->planner_stopped = true;
    bench_plug(2, 40, 80);
    assert_int_equal(bench_give(COMMAND_AUTHORISE, 1, AUTH_SOURCE_REMOTE, "CARD"),
                     COMMAND_STATUS_OK);
    for (unsigned n = 0; n < 600; n++) {
        random_proposal();
        virtual_hub_run(hub, 0.05);
    }
    assert_int_equal(virtual_hub_hazards(hub), 0);
    hub->planner_stopped = false;
    for (int gun = 1; gun <= 2; gun++) {
        (void)bench_give(COMMAND_STOP, virtual_hub_slot(hub, gun), STOP_REASON_REMOTE, "");
    }
    for (int gun = 1; gun <= 2; gun++) {
        assert_true(virtual_hub_reach(hub, gun, GUN_STATE_AVAILABLE, 60));
    }
    assert_int_equal(virtual_hub_hazards(hub), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_boot_all_outputs_off_until_released),
        TEST(test_boot_without_known_latches_waits_for_them),
        TEST(test_estop_all_off_frames_lead_and_only_a_reset_frees),
        TEST(test_estop_reset_with_a_silent_plc_is_refused_and_names_its_slot),
        TEST(test_unacknowledged_commands_of_an_idle_gun_pass_once_all_off_is_heard),
        TEST(test_unacknowledged_commands_end_the_session_and_need_nobody),
        TEST(test_latched_weld_stays_until_cleared_after_repair),
        TEST(test_planner_silent_ramps_down_then_stops),
        TEST(test_plan_input_names_what_a_finished_vehicle_bears),
        TEST(test_malformed_proposals_are_rejected_and_counted),
        TEST(test_proposal_to_an_input_never_given_is_rejected_and_shuts_nobody_out),
        TEST(test_faulted_gun_that_stays_plugged_is_no_rejected_proposal),
        TEST(test_broken_power_path_is_no_rejected_proposal),
        TEST(test_healthy_meter_is_not_reported),
        TEST(test_frames_of_the_wrong_format_are_counted),
        TEST(test_module_bus_down_is_an_error_stop_at_once),
        TEST(test_error_frames_are_urgent_on_a_change_of_state_only),
        TEST(test_interface_changes_are_reported_once),
        TEST(test_more_events_than_a_batch_holds_come_in_the_next_step),
        TEST(test_shutdown_ends_sessions_and_becomes_idle),
        TEST(test_random_frames_commands_and_proposals_are_survived),
        TEST(test_random_proposals_make_no_hazard_and_the_gun_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
