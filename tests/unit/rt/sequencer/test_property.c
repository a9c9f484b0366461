/* Anything at all: random images, interlock states, proposals and commands. The sequencer survives every one of them, what
 * it asks for stays in range, and once the vehicle is unplugged and the image healthy the gun is available again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/rt/sequencer/bench.h"

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

static bool chance(uint32_t one_in) {
    return draw(one_in) == 0;
}

static void disturb_sample(struct bench *b, struct sample *s, int32_t below) {
    s->value = (int32_t)draw((uint32_t)below * 2) - below / 8;
    s->valid = !chance(8);
    s->at_us = b->now_us - (int64_t)draw(1000000);
}

/* What the bench writes every step is disturbed after it, so that it lasts until the next one. */
static void disturb_image(struct bench *b) {
    struct image_slot *i = &b->image;
    struct sample *const volts[] = {&i->bus_mv, &i->gun_mv, &i->ev_target_mv, &i->ev_max_mv};
    struct sample *const amps[] = {&i->gun_ma, &i->ev_target_ma, &i->ev_max_ma};
    disturb_sample(b, volts[draw(4)], 1000000);
    disturb_sample(b, amps[draw(3)], 500000);
    i->imd_self_test = (uint8_t)draw(4);
    i->cable_check_ok = chance(2);
    i->precharge_active = chance(2);
    i->charge_complete = chance(4);
    i->hlc_stage.value = (int32_t)draw(HLC_STAGE_COUNT);
    i->cp_state.value = (int32_t)draw(CP_STATE_COUNT);
    i->imd.value = (int32_t)draw(4);
    i->contactor[draw(CONTACTORS_PER_SLOT)].p = (enum feedback)draw(3);
}

static void disturb_rest(struct bench *b) {
    static char token[RM_ID_TOKEN_LEN] = "T";
    b->lock_stuck = chance(3);
    b->imd_silent = chance(3);
    b->imd_fails = chance(3);
    b->gc_stuck = chance(3);
    b->ev_welded = chance(3);
    b->no_voltage = chance(3);
    b->targets_stale = chance(3);
    b->stage_stale = chance(3);
    b->cp_stale = chance(3);
    b->plugged = !chance(4);
    b->ev_done = chance(4);
    b->stop_requested = chance(6);
    b->gun.operative = !chance(8);
    b->gun.sessions_full = chance(8);
    b->interlock.released = !chance(8);
    b->interlock.imd_passed = chance(2);
    b->interlock.derate_permille = (int32_t)draw(1001);
    b->interlock.faults = chance(4) ? UINT64_C(1) << (1 + draw(FAULT_COUNT - 1)) : 0;
    b->interlock.stop = chance(4) ? (enum stop_class)draw(STOP_CLASS_COUNT) : STOP_CLASS_NONE;
    b->interlock.module[draw(2)].fault = chance(3) ? FAULT_MODULE_FAULT : FAULT_NONE;
    b->plan_age_us = chance(3) ? (int64_t)draw(3000000) : 0;
    for (unsigned j = 0; j < 2; j++) {
        b->proposal.module[j] = (struct proposal_module){.mn = chance(2),
                                                         .run = chance(2),
                                                         .set_mv = (int32_t)draw(1500001),
                                                         .set_ma = (int32_t)draw(1000001)};
    }
    if (chance(3)) {
        gun_authorise(&b->gun, AUTH_SOURCE_REMOTE, token, b->now_us + 60000000);
    }
}

static void assert_request_in_range(const struct bench *b) {
    assert_true(b->gun.state < GUN_STATE_COUNT);
    assert_true(b->request.purpose < POWER_PURPOSE_COUNT);
    for (unsigned j = 0; j < RM_MODULES_PER_SLOT_MAX; j++) {
        const struct request_module *m = &b->request.module[j];
        assert_true(m->set_mv >= 0 && m->set_mv <= 1500000);
        assert_true(m->set_ma >= 0 && m->set_ma <= 1000000);
        assert_true(j < 2 || !(m->run || m->mn));
    }
    if (b->request.gc) {
        assert_true(b->request.lock && b->request.imd_enable);
    }
    assert_true(b->begun - b->ended <= 1);
}

static void make_healthy(struct bench *b) {
    bench_heal(b);
    bench_unplug(b);
    b->gun.sessions_full = false;
    b->interlock.released = true;
    b->interlock.module[0].fault = b->interlock.module[1].fault = FAULT_NONE;
    b->plan_age_us = 0;
    b->image.charge_complete = false;
}

static void test_gun_random_disturbance_then_health_leads_to_available(void **state) {
    (void)state;
    static struct bench bench;
    static unsigned visits[GUN_STATE_COUNT];
    for (unsigned round = 0; round < 400; round++) {
        seed = 0x9e3779b97f4a7c15ull * (round + 1);
        bench_init(&bench);
        (void)bench_bring_to(&bench, (enum gun_state)(1 + draw(GUN_STATE_COUNT - 1)));
        for (unsigned n = 0; n < 400; n++) {
            if (chance(5)) {
                disturb_rest(&bench);
            }
            if (chance(2)) {
                disturb_image(&bench);
            }
            bench_step(&bench);
            visits[bench.gun.state]++;
            assert_request_in_range(&bench);
        }
        make_healthy(&bench);
        if (!bench_reach(&bench, GUN_STATE_AVAILABLE, 30000)) {
            fail_msg("round %u: stuck in %s", round, gun_state_name(bench.gun.state));
        }
        assert_int_equal(bench.begun, bench.ended);
    }
    for (unsigned s = GUN_STATE_UNAVAILABLE; s < GUN_STATE_COUNT; s++) {
        assert_true(visits[s] > 0); /* the walk was no narrow one */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gun_random_disturbance_then_health_leads_to_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
