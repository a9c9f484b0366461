/* The sequencer of lenders: its table, and four slots on a bench whose hardware obeys unless a test holds it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rt/sequencer/boundary.h"
#include "rt/sequencer/boundary_table.h"

#define SLOTS    4
#define CLOSE_US 20000

/* ---- the table --------------------------------------------------------------------------------------------- */

static void test_table_every_cell_is_filled(void **state) {
    (void)state;
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        for (unsigned e = 0; e < BOUNDARY_EVENT_COUNT; e++) {
            const struct boundary_transition *cell = &boundary_table[s][e];
            if (cell->action == BOUNDARY_ACTION_HOLE || cell->action > BOUNDARY_ACTION_GO) {
                fail_msg("hole at %s / %s", boundary_state_name(s), boundary_event_name(e));
            }
            assert_true(cell->next < BOUNDARY_STATE_COUNT);
        }
    }
    assert_string_equal(boundary_event_name(BOUNDARY_EVENT_COUNT), "?");
    assert_string_equal(boundary_event_name(BOUNDARY_EVENT_WANTED), "wanted");
}

static void test_table_boundary_closes_only_after_matching(void **state) {
    (void)state;
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        for (unsigned e = 0; e < BOUNDARY_EVENT_COUNT; e++) {
            const struct boundary_transition *cell = &boundary_table[s][e];
            if (cell->action != BOUNDARY_ACTION_GO ||
                boundary_rows[cell->next].edge <= boundary_rows[s].edge) {
                continue;
            }
            assert_int_equal(e, BOUNDARY_EVENT_NEXT);
            assert_true(
                (s == BOUNDARY_STATE_MATCHING && cell->next == BOUNDARY_STATE_CLOSING_MC) ||
                (s == BOUNDARY_STATE_CLOSING_MC && cell->next == BOUNDARY_STATE_CLOSING_BC));
        }
    }
}

static void test_table_emergency_opens_what_is_closed(void **state) {
    (void)state;
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        const struct boundary_transition *cell = &boundary_table[s][BOUNDARY_EVENT_EMERGENCY];
        if (boundary_rows[s].edge != BOUNDARY_EDGE_OPEN) {
            assert_int_equal(cell->next, BOUNDARY_STATE_OPENING);
        }
        if (boundary_rows[s].power != BOUNDARY_POWER_OFF) {
            assert_int_equal(cell->action, BOUNDARY_ACTION_GO);
            assert_int_equal(boundary_rows[cell->next].power, BOUNDARY_POWER_OFF);
        }
    }
}

static void test_table_every_state_leads_home(void **state) {
    (void)state;
    static const uint8_t ways[] = {BOUNDARY_EVENT_UNWANTED, BOUNDARY_EVENT_NEXT};
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        unsigned at = s;
        for (unsigned hops = 0; hops < BOUNDARY_STATE_COUNT && at != BOUNDARY_STATE_HOME; hops++) {
            for (unsigned w = 0; w < sizeof ways; w++) {
                if (boundary_table[at][ways[w]].action == BOUNDARY_ACTION_GO) {
                    at = boundary_table[at][ways[w]].next;
                    break;
                }
            }
        }
        assert_int_equal(at, BOUNDARY_STATE_HOME);
    }
}

/* Alone and energised: the own monitor watches. Joined: the owner's. */
static void test_rows_monitor_is_on_while_the_bus_is_alone(void **state) {
    (void)state;
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        const struct boundary_row *row = &boundary_rows[s];
        assert_true(row->power != BOUNDARY_POWER_MATCH || row->imd == 1);
        assert_true(row->power != BOUNDARY_POWER_SHARE || row->imd == 0);
        assert_true(row->power != BOUNDARY_POWER_SHARE || row->edge == BOUNDARY_EDGE_BOTH);
    }
}

/* ---- the bench --------------------------------------------------------------------------------------------- */

static struct ring_bench {
    struct config config;
    struct image image;
    struct interlock_state interlock;
    struct proposal proposal;
    struct request request;
    struct gun gun[SLOTS];
    const struct gun *guns[SLOTS];
    struct boundary_ring ring;
    struct boundary_lent lent[SLOTS];
    struct boundary_effects effects[SLOTS];
    int64_t now_us, plan_age_us;
    bool shutdown, no_plan;
    bool no_voltage; /* lenders' modules do not raise their bus */
    bool mc_stuck;   /* feedback of every MC stays as it is */
    bool imd_bad;
    int32_t stray_ma; /* over every boundary */
    enum boundary_state path[64];
    unsigned changes;
} bench;

static void set(struct sample *s, int32_t value) {
    *s = (struct sample){.value = value, .valid = true, .at_us = bench.now_us};
}

static void follow(uint32_t slot, unsigned kind, bool wanted) {
    struct contactor_book *book = &bench.interlock.slot[slot].contactor[kind];
    struct image_contactor *fb = &bench.image.slot[slot].contactor[kind];
    if (book->command != wanted) {
        book->command = wanted;
        book->changed_us = bench.now_us;
        book->operations += wanted;
        book->confirmed = false;
    }
    if (!(kind == CONTACTOR_MC && bench.mc_stuck) &&
        (fb->at_us == 0 || bench.now_us - book->changed_us >= CLOSE_US)) {
        fb->p = fb->n = book->command ? FEEDBACK_CLOSED : FEEDBACK_OPEN;
        book->confirmed = true;
    }
    fb->at_us = bench.now_us;
}

static bool conducts(uint32_t edge) {
    return bench.image.slot[edge].contactor[CONTACTOR_MC].p == FEEDBACK_CLOSED;
}

/* Gun 0 charges at 400 V; whoever is joined to it has its voltage, whoever is alone what its modules are told. */
static void electricity(void) {
    bool live[SLOTS] = {true};
    for (unsigned n = 0; n < SLOTS; n++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (conducts(i) && (live[i] || live[(i + 1) % SLOTS])) {
                live[i] = live[(i + 1) % SLOTS] = true;
            }
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct image_slot *s = &bench.image.slot[i];
        int32_t mv = 0, ma = 0;
        for (uint32_t j = 0; j < 2; j++) {
            const struct request_module *m = &bench.request.slot[i].module[j];
            const bool on = m->run && s->contactor[CONTACTOR_MN0 + j].p == FEEDBACK_CLOSED;
            mv = on && !bench.no_voltage ? m->set_mv : mv;
            ma += on && live[i] ? m->set_ma : 0;
            set(&s->module[j].current_ma, on && live[i] ? m->set_ma : 0);
            s->module[j].last_rx_us = bench.now_us;
            bench.interlock.slot[i].module[j].set_ma = m->set_ma;
        }
        set(&s->bus_mv, live[i] ? 400000 : mv);
        set(&s->boundary_ma, conducts(i) ? ma + bench.stray_ma : bench.stray_ma);
        s->imd_enabled = bench.request.slot[i].imd_enable;
        set(&s->imd, s->imd_enabled && !bench.imd_bad ? IMD_STATE_OK : IMD_STATE_OFF);
        set(&s->insulation_ohm, 1000000);
    }
}

static void step(void) {
    bench.now_us += 5000;
    for (uint32_t i = 0; i < SLOTS; i++) {
        follow(i, CONTACTOR_GC, i == 0 && bench.gun[0].state == GUN_STATE_CHARGING);
        follow(i, CONTACTOR_MC, bench.request.slot[i].mc);
        for (uint32_t j = 0; j < 2; j++) {
            follow(i, CONTACTOR_MN0 + j, bench.request.slot[i].module[j].mn);
        }
    }
    electricity();
    const struct boundary_inputs in = {.now_us = bench.now_us,
                                       .config = &bench.config,
                                       .image = &bench.image,
                                       .interlock = &bench.interlock,
                                       .proposal = bench.no_plan ? NULL : &bench.proposal,
                                       .plan_age_us = bench.plan_age_us,
                                       .shutdown = bench.shutdown,
                                       .gun = bench.guns};
    boundary_weigh(&bench.ring, &in, bench.lent);
    bench.gun[0].whole_ma = 100000 + bench.lent[0].weight_ma;
    bench.gun[0].set_ma = (int32_t)bench.gun[0].whole_ma;
    memset(&bench.request, 0, sizeof bench.request);
    boundary_step(&bench.ring, &in, &bench.request, bench.effects);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct boundary *b = &bench.ring.slot[i];
        if (bench.effects[i].changed) {
            assert_int_equal(bench.effects[i].to, b->state);
            if (i == 1 && bench.changes < 64) {
                bench.path[bench.changes++] = b->state;
            }
        }
        assert_true(b->state == BOUNDARY_STATE_HOME || b->owner >= 0);
    }
}

static void run_ms(int ms) {
    for (int t = 0; t < ms; t += 5) {
        step();
    }
}

static bool reach(uint32_t slot, enum boundary_state state, int within_ms) {
    for (int t = 0; t < within_ms && bench.ring.slot[slot].state != state; t += 5) {
        step();
    }
    return bench.ring.slot[slot].state == state;
}

/* The plan: slots [1, last] lend to slot 0 over boundaries 0 .. last - 1. */
static void lend_up_to(uint32_t last) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct proposal_slot *p = &bench.proposal.slot[i];
        *p = (struct proposal_slot){.owner = i <= last ? 0 : -1, .edge_closed = i < last};
        for (uint32_t j = 0; j < 2; j++) {
            p->module[j] = (struct proposal_module){
                .mn = true, .run = true, .set_mv = 420000, .set_ma = 50000};
        }
    }
}

static int setup(void **state) {
    (void)state;
    memset(&bench, 0, sizeof bench);
    config_ring(&bench.config, SLOTS, 2);
    bench.now_us = 1000000000;
    interlock_init(&bench.interlock, &bench.config, 0);
    boundary_init(&bench.ring, SLOTS, bench.now_us);
    for (uint32_t i = 0; i < SLOTS; i++) {
        gun_init(&bench.gun[i], true, bench.now_us);
        bench.gun[i].state = i == 0 ? GUN_STATE_CHARGING : GUN_STATE_AVAILABLE;
        bench.guns[i] = &bench.gun[i];
        bench.interlock.slot[i].released = true;
    }
    bench.gun[0].set_mv = 420000;
    bench.gun[0].steady_us = bench.now_us;
    lend_up_to(0);
    run_ms(1000);
    return 0;
}

/* ---- on the bench ------------------------------------------------------------------------------------------ */

static void test_slot_joins_serves_and_goes_home(void **state) {
    (void)state;
    static const enum boundary_state way[] = {
        BOUNDARY_STATE_PREPARING,  BOUNDARY_STATE_MATCHING, BOUNDARY_STATE_CLOSING_MC,
        BOUNDARY_STATE_CLOSING_BC, BOUNDARY_STATE_JOINED,   BOUNDARY_STATE_UNLOADING,
        BOUNDARY_STATE_OPENING,    BOUNDARY_STATE_SETTLING, BOUNDARY_STATE_HOME};
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_MATCHING, 1000));
    run_ms(20);
    assert_int_equal(bench.request.slot[1].purpose, POWER_PURPOSE_MERGE);
    assert_int_equal(bench.request.slot[1].module[0].set_mv, 400000);
    assert_int_equal(bench.request.slot[1].module[0].set_ma +
                         bench.request.slot[1].module[1].set_ma,
                     bench.config.interlock.i_cc_ma);
    assert_true(bench.request.slot[1].imd_enable);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 2000));
    run_ms(3000);
    assert_true(bench.request.slot[0].mc);
    assert_int_equal(bench.request.slot[1].purpose, POWER_PURPOSE_SERVE);
    assert_int_equal(bench.request.slot[1].module[0].set_mv, 420000);
    assert_int_equal(bench.request.slot[1].module[0].set_ma, 50000);
    assert_int_equal(bench.lent[0].weight_ma, 100000);
    assert_int_equal(bench.lent[0].slots, 1);
    bench.gun[1].state = GUN_STATE_PLUGGED;
    step();
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_UNLOADING);
    assert_int_equal(bench.ring.slot[1].reason, BOUNDARY_REASON_RECLAIM);
    assert_true(bench.request.slot[0].reclaim);
    /* 100 A at 200 A/s, then two samples */
    run_ms(400);
    assert_true(bench.lent[0].weight_ma > 10000 && bench.lent[0].weight_ma < 30000);
    assert_true(bench.request.slot[0].mc);
    assert_true(reach(1, BOUNDARY_STATE_HOME, 1000));
    assert_int_equal(bench.changes, sizeof way / sizeof way[0]);
    assert_memory_equal(bench.path, way, sizeof way);
    assert_false(bench.request.slot[0].mc);
}

static void test_farther_slot_waits_for_the_nearer_one_and_leaves_first(void **state) {
    (void)state;
    lend_up_to(2);
    for (int t = 0; t < 10000 && bench.ring.slot[2].state != BOUNDARY_STATE_JOINED; t += 5) {
        step();
        assert_true(bench.ring.slot[2].state < BOUNDARY_STATE_CLOSING_MC ||
                    bench.ring.slot[1].state == BOUNDARY_STATE_JOINED);
    }
    assert_int_equal(bench.ring.slot[2].state, BOUNDARY_STATE_JOINED);
    run_ms(2000);
    bench.gun[1].state = GUN_STATE_PLUGGED;
    for (int t = 0; t < 10000 && bench.ring.slot[1].state != BOUNDARY_STATE_HOME; t += 5) {
        step();
        assert_true(bench.ring.slot[1].state != BOUNDARY_STATE_OPENING || !conducts(1));
    }
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_HOME);
    assert_int_equal(bench.ring.slot[2].reason, BOUNDARY_REASON_INNER);
}

static bool moves(uint32_t slot) {
    return boundary_rows[bench.ring.slot[slot].state].moves != 0;
}

/* Slots 1 and 3, on both sides of the owner, are ready at the same moment. */
static void test_one_boundary_of_an_island_moves_at_a_time(void **state) {
    (void)state;
    lend_up_to(1);
    bench.proposal.slot[3].owner = 0;
    bench.proposal.slot[3].edge_closed = true;
    unsigned waited = 0;
    for (int t = 0; t < 5000; t += 5) {
        step();
        assert_false(moves(1) && moves(3));
        waited += moves(1) && bench.ring.slot[3].state == BOUNDARY_STATE_MATCHING;
    }
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_JOINED);
    assert_int_equal(bench.ring.slot[3].state, BOUNDARY_STATE_JOINED);
    assert_int_equal(bench.ring.slot[3].toward, 1);
    assert_true(waited > 0);
    bench.gun[0].state = GUN_STATE_RAMP_DOWN;
    for (int t = 0; t < 5000; t += 5) {
        step();
        assert_false(moves(1) && moves(3));
    }
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_HOME);
    assert_int_equal(bench.ring.slot[3].state, BOUNDARY_STATE_HOME);
}

static void test_no_loan_begins_without_plan_owner_or_rest(void **state) {
    (void)state;
    lend_up_to(1);
    for (unsigned n = 0; n < 9; n++) {
        bench.plan_age_us = n == 0 ? 151000 : 0;
        bench.no_plan = n == 1;
        bench.shutdown = n == 2;
        bench.gun[0].stop = n == 3 ? STOP_CLASS_NORMAL : STOP_CLASS_NONE;
        bench.gun[0].state = n == 4 ? GUN_STATE_PRECHARGE : GUN_STATE_CHARGING;
        bench.gun[1].state = n == 5 ? GUN_STATE_PLUGGED : GUN_STATE_AVAILABLE;
        bench.interlock.slot[1].stop = n == 6 ? STOP_CLASS_ERROR : STOP_CLASS_NONE;
        bench.interlock.slot[0].contactor[CONTACTOR_MC].stuck = n == 7;
        bench.gun[0].steady_us = n == 8 ? bench.now_us + 2000000 : 1;
        run_ms(1000);
        assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_HOME);
    }
    bench.gun[0].steady_us = 1;
    assert_true(reach(1, BOUNDARY_STATE_PREPARING, 100));
}

static void test_plan_alone_does_not_break_the_dwell(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 5000));
    lend_up_to(0);
    run_ms(bench.config.interlock.t_dwell_ms - 1000);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_JOINED);
    run_ms(2000);
    assert_int_equal(bench.ring.slot[1].reason, BOUNDARY_REASON_PLAN);
    assert_true(reach(1, BOUNDARY_STATE_HOME, 5000));
    /* and home again it stays as long */
    lend_up_to(1);
    run_ms(bench.config.interlock.t_dwell_ms - 5000);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_HOME);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 10000));
}

static void test_plan_that_wants_the_slot_again_stops_its_leaving(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 5000));
    run_ms(bench.config.interlock.t_dwell_ms + 1000);
    lend_up_to(0);
    assert_true(reach(1, BOUNDARY_STATE_UNLOADING, 100));
    lend_up_to(1);
    run_ms(10);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_JOINED);
    run_ms(2000);
    assert_int_equal(bench.request.slot[1].module[0].set_ma, 50000);
}

static void test_failures_are_repeated_ever_less_often(void **state) {
    (void)state;
    int64_t begun_us[9];
    unsigned tries = 0;
    bench.no_voltage = true;
    lend_up_to(1);
    for (int64_t t = 0; t < 2000000 && tries < 9; t += 5) {
        step();
        if (bench.effects[1].changed && bench.effects[1].to == BOUNDARY_STATE_PREPARING) {
            begun_us[tries++] = bench.now_us;
        }
    }
    assert_int_equal(tries, 9);
    assert_int_equal(bench.ring.slot[1].owner, 0);
    for (unsigned i = 1; i < 9; i++) {
        const int64_t pause_ms = 5000 << (i - 1 < 6 ? i - 1 : 6);
        const int64_t gap_ms = (begun_us[i] - begun_us[i - 1]) / 1000;
        assert_in_range(gap_ms, pause_ms + 5000, pause_ms + 5200); /* t_pre and the closing of MN */
    }
    bench.no_voltage = false;
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 400000));
    assert_int_equal(bench.ring.slot[1].failures, 0);
}

static void expect_failure(enum boundary_reason reason, int within_ms) {
    lend_up_to(1);
    for (int t = 0; t < within_ms && bench.ring.slot[1].reason != reason; t += 5) {
        step();
    }
    assert_int_equal(bench.ring.slot[1].reason, reason);
    assert_true(reach(1, BOUNDARY_STATE_HOME, 5000));
    assert_true(bench.ring.slot[1].retry_us > bench.now_us);
}

static void test_boundary_that_does_not_close_is_given_up(void **state) {
    (void)state;
    bench.mc_stuck = true;
    expect_failure(BOUNDARY_REASON_STUCK, 6000);
}

static void test_insulation_that_is_not_good_is_given_up(void **state) {
    (void)state;
    bench.imd_bad = true;
    expect_failure(BOUNDARY_REASON_INSULATION, 8000);
}

static void test_mn_that_does_not_close_is_given_up(void **state) {
    (void)state;
    bench.interlock.slot[1].contactor[CONTACTOR_MN0].stuck = true;
    bench.interlock.slot[1].contactor[CONTACTOR_MN0 + 1].stuck = true;
    expect_failure(BOUNDARY_REASON_MN, 5000);
}

static void test_module_lost_on_the_way_ends_the_loan_before_it_begins(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_MATCHING, 1000));
    bench.interlock.slot[1].module[0].fault = FAULT_MODULE_LOST;
    run_ms(10);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_MATCHING);
    bench.interlock.slot[1].module[1].fault = FAULT_MODULE_LOST;
    run_ms(10);
    assert_int_equal(bench.ring.slot[1].reason, BOUNDARY_REASON_MODULES);
}

static void test_boundary_that_does_not_open_is_faulted_until_it_does(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 5000));
    bench.mc_stuck = true;
    bench.gun[1].state = GUN_STATE_PLUGGED;
    assert_true(reach(1, BOUNDARY_STATE_FAULTED, 6000));
    run_ms(10);
    assert_false(bench.request.slot[1].module[0].run || bench.request.slot[1].module[0].mn);
    assert_false(bench.request.slot[0].mc);
    run_ms(10000);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_FAULTED);
    bench.mc_stuck = false;
    assert_true(reach(1, BOUNDARY_STATE_HOME, 5000));
}

static void test_current_that_stays_opens_all_the_same_after_its_time(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 5000));
    bench.stray_ma = 8000;
    bench.gun[1].state = GUN_STATE_PLUGGED;
    run_ms(5000);
    assert_int_equal(bench.ring.slot[1].state, BOUNDARY_STATE_UNLOADING);
    assert_true(
        reach(1, BOUNDARY_STATE_OPENING, 3000)); /* the guard holds it as long as it flows */
    assert_int_equal(bench.ring.slot[1].reason, BOUNDARY_REASON_LOADED);
}

static void test_boundary_that_opens_by_itself_ends_the_loan_at_once(void **state) {
    (void)state;
    lend_up_to(1);
    assert_true(reach(1, BOUNDARY_STATE_JOINED, 5000));
    run_ms(1000);
    bench.mc_stuck = true;
    bench.image.slot[0].contactor[CONTACTOR_MC].p = FEEDBACK_OPEN;
    bench.image.slot[0].contactor[CONTACTOR_MC].n = FEEDBACK_OPEN;
    step();
    assert_int_equal(bench.ring.slot[1].reason, BOUNDARY_REASON_LOST);
    assert_false(bench.request.slot[1].module[0].run);
    assert_false(bench.request.slot[0].mc);
}

static void test_emergency_of_the_owner_takes_everything_off_in_the_same_step(void **state) {
    (void)state;
    lend_up_to(2);
    assert_true(reach(2, BOUNDARY_STATE_JOINED, 10000));
    run_ms(1000);
    bench.interlock.slot[0].stop = STOP_CLASS_EMERGENCY;
    step();
    for (uint32_t i = 1; i <= 2; i++) {
        assert_int_equal(bench.ring.slot[i].state, BOUNDARY_STATE_OPENING);
        assert_int_equal(bench.ring.slot[i].reason, BOUNDARY_REASON_EMERGENCY);
        assert_false(bench.request.slot[i].module[0].run || bench.request.slot[i].module[0].mn);
        assert_false(bench.request.slot[i - 1].mc);
    }
}

static void test_owner_planner_and_shutdown_send_everybody_home(void **state) {
    static const enum boundary_reason why[] = {BOUNDARY_REASON_OWNER, BOUNDARY_REASON_PLANNER,
                                               BOUNDARY_REASON_SHUTDOWN, BOUNDARY_REASON_SLOT};
    for (unsigned n = 0; n < 4; n++) {
        (void)setup(state);
        lend_up_to(2);
        assert_true(reach(2, BOUNDARY_STATE_JOINED, 10000));
        run_ms(n == 3 ? 31000 : 1000);
        bench.gun[0].state = n == 0 ? GUN_STATE_RAMP_DOWN : GUN_STATE_CHARGING;
        bench.plan_age_us = n == 1 ? 1001000 : 0;
        bench.shutdown = n == 2;
        bench.interlock.slot[1].stop = n == 3 ? STOP_CLASS_NORMAL : STOP_CLASS_NONE;
        step();
        assert_int_equal(bench.ring.slot[1].reason, why[n]);
        assert_true(reach(1, BOUNDARY_STATE_HOME, 6000));
        assert_int_equal(bench.ring.slot[2].state, BOUNDARY_STATE_HOME);
    }
}

static void test_slot_is_home_only_with_both_boundaries_confirmed_open(void **state) {
    (void)state;
    const struct boundary_inputs in = {.now_us = bench.now_us,
                                       .config = &bench.config,
                                       .image = &bench.image,
                                       .interlock = &bench.interlock,
                                       .gun = bench.guns};
    assert_true(boundary_is_home(&bench.ring, &in, 1));
    bench.image.slot[0].contactor[CONTACTOR_MC].p = FEEDBACK_CLOSED; /* behind it */
    assert_false(boundary_is_home(&bench.ring, &in, 1));
    bench.image.slot[0].contactor[CONTACTOR_MC].p = FEEDBACK_OPEN;
    bench.image.slot[1].contactor[CONTACTOR_MC].n = FEEDBACK_CLOSED; /* its own */
    assert_false(boundary_is_home(&bench.ring, &in, 1));
    bench.image.slot[1].contactor[CONTACTOR_MC].n = FEEDBACK_OPEN;
    bench.ring.slot[1].state = BOUNDARY_STATE_MATCHING;
    assert_false(boundary_is_home(&bench.ring, &in, 1));
}

/* ---- anything at all --------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

static void disturb(void) {
    const uint32_t i = draw(SLOTS);
    struct proposal_slot *p = &bench.proposal.slot[draw(SLOTS)];
    p->owner = (int16_t)((int)draw(SLOTS + 1) - 1);
    p->edge_closed = draw(2) == 0;
    p->reclaim = draw(4) == 0;
    p->module[draw(2)] = (struct proposal_module){
        .mn = draw(2) == 0, .run = draw(2) == 0, .set_ma = (int32_t)draw(1000001)};
    bench.gun[i].state = i == 0 || draw(3) != 0
                             ? (i == 0 ? GUN_STATE_CHARGING : GUN_STATE_AVAILABLE)
                             : (enum gun_state)(1 + draw(GUN_STATE_COUNT - 1));
    bench.gun[0].state = draw(6) == 0 ? GUN_STATE_RAMP_DOWN : GUN_STATE_CHARGING;
    bench.gun[0].steady_us = draw(4) == 0 ? bench.now_us : 1;
    bench.interlock.slot[i].stop = draw(5) == 0 ? (enum stop_class)draw(4) : STOP_CLASS_NONE;
    bench.interlock.slot[i].module[draw(2)].fault = draw(5) == 0 ? FAULT_MODULE_LOST : FAULT_NONE;
    bench.plan_age_us = draw(5) == 0 ? (int64_t)draw(3000000) : 0;
    bench.mc_stuck = draw(8) == 0;
    bench.no_voltage = draw(8) == 0;
    bench.imd_bad = draw(8) == 0;
    bench.shutdown = draw(20) == 0;
    bench.stray_ma = draw(8) == 0 ? (int32_t)draw(20000) : 0;
}

static void check_request(void) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct request_slot *r = &bench.request.slot[i];
        const enum boundary_state own = bench.ring.slot[i].state;
        assert_true(r->purpose < POWER_PURPOSE_COUNT);
        for (uint32_t j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
            const struct request_module *m = &r->module[j];
            assert_true(m->set_mv >= 0 && m->set_mv <= 1500000);
            assert_true(m->set_ma >= 0 && m->set_ma <= 1000000);
            assert_true(!m->run ||
                        (own >= BOUNDARY_STATE_MATCHING && own <= BOUNDARY_STATE_UNLOADING));
        }
        if (r->mc) { /* some lender beside it answers for it */
            const enum boundary_state next = bench.ring.slot[(i + 1) % SLOTS].state;
            assert_true((own >= BOUNDARY_STATE_CLOSING_MC && own <= BOUNDARY_STATE_UNLOADING) ||
                        (next >= BOUNDARY_STATE_CLOSING_MC && next <= BOUNDARY_STATE_UNLOADING));
        }
    }
}

static void test_random_disturbance_then_health_leads_home(void **state) {
    static unsigned visits[BOUNDARY_STATE_COUNT];
    for (unsigned round = 0; round < 300; round++) {
        (void)setup(state);
        seed = 0x9e3779b97f4a7c15ull * (round + 1);
        lend_up_to(1 + round % 3);
        for (unsigned n = 0; n < 3000; n++) {
            if (draw(round % 5 == 0 ? 20 : 400) == 0) {
                disturb();
            }
            step();
            check_request();
            for (uint32_t i = 0; i < SLOTS; i++) {
                visits[bench.ring.slot[i].state]++;
            }
        }
        bench.mc_stuck = bench.no_voltage = bench.imd_bad = bench.shutdown = false;
        bench.stray_ma = 0;
        bench.plan_age_us = 0;
        for (uint32_t i = 0; i < SLOTS; i++) {
            bench.interlock.slot[i].stop = STOP_CLASS_NONE;
            bench.interlock.slot[i].module[0].fault = FAULT_NONE;
            bench.interlock.slot[i].module[1].fault = FAULT_NONE;
            bench.gun[i].state = i == 0 ? GUN_STATE_CHARGING : GUN_STATE_PLUGGED;
        }
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (!reach(i, BOUNDARY_STATE_HOME, 30000)) {
                fail_msg("round %u: slot %u stuck in %s", round, i,
                         boundary_state_name(bench.ring.slot[i].state));
            }
        }
    }
    for (unsigned s = 0; s < BOUNDARY_STATE_COUNT; s++) {
        assert_true(visits[s] > 0); /* the walk was no narrow one */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_every_cell_is_filled),
        cmocka_unit_test(test_table_boundary_closes_only_after_matching),
        cmocka_unit_test(test_table_emergency_opens_what_is_closed),
        cmocka_unit_test(test_table_every_state_leads_home),
        cmocka_unit_test(test_rows_monitor_is_on_while_the_bus_is_alone),
        cmocka_unit_test_setup(test_slot_joins_serves_and_goes_home, setup),
        cmocka_unit_test_setup(test_farther_slot_waits_for_the_nearer_one_and_leaves_first, setup),
        cmocka_unit_test_setup(test_one_boundary_of_an_island_moves_at_a_time, setup),
        cmocka_unit_test_setup(test_no_loan_begins_without_plan_owner_or_rest, setup),
        cmocka_unit_test_setup(test_plan_alone_does_not_break_the_dwell, setup),
        cmocka_unit_test_setup(test_plan_that_wants_the_slot_again_stops_its_leaving, setup),
        cmocka_unit_test_setup(test_failures_are_repeated_ever_less_often, setup),
        cmocka_unit_test_setup(test_boundary_that_does_not_close_is_given_up, setup),
        cmocka_unit_test_setup(test_insulation_that_is_not_good_is_given_up, setup),
        cmocka_unit_test_setup(test_mn_that_does_not_close_is_given_up, setup),
        cmocka_unit_test_setup(test_module_lost_on_the_way_ends_the_loan_before_it_begins, setup),
        cmocka_unit_test_setup(test_boundary_that_does_not_open_is_faulted_until_it_does, setup),
        cmocka_unit_test_setup(test_current_that_stays_opens_all_the_same_after_its_time, setup),
        cmocka_unit_test_setup(test_boundary_that_opens_by_itself_ends_the_loan_at_once, setup),
        cmocka_unit_test_setup(test_emergency_of_the_owner_takes_everything_off_in_the_same_step,
                               setup),
        cmocka_unit_test_setup(test_owner_planner_and_shutdown_send_everybody_home, setup),
        cmocka_unit_test_setup(test_slot_is_home_only_with_both_boundaries_confirmed_open, setup),
        cmocka_unit_test_setup(test_random_disturbance_then_health_leads_home, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
