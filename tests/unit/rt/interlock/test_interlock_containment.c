/* S16: what happens in one slot changes nothing in the others; and nothing closes that is not known to be open. Drawn
 * cases, fixed seeds. */
#include <string.h>

#include "tests/unit/rt/interlock/bend.h"

/* S16: the same hub twice; in the second one slot suffers. The others' outputs are the same bit for bit: their
 * contactors, modules, monitor, lock. What couples them besides a boundary is the site's power alone, ample here. */
static void test_one_slots_trouble_changes_no_other_slot(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= 40; ++i) {
        bend_seed(i * UINT64_C(0x2545f4914f6cdd1d));
        const uint32_t slots = 3 + (uint32_t)(i % 4);
        const uint32_t victim = dice(slots);
        struct hub *well = hub_ready(slots, 2);
        for (uint32_t slot = 0; slot < slots; ++slot) {
            if (!one_in(3)) {
                hub_charging(well, slot, 400000, 20000);
            }
        }
        struct hub *ill = hub_new(slots, 2, false);
        *ill = *well;
        bool touched = false;
        for (int step = 0; step < 800; ++step) {
            const int64_t dt_us = 1000 + (int64_t)dice(8000);
            well->now_us += dt_us;
            ill->now_us += dt_us;
            ill->silent[victim] = ill->silent[victim] != one_in(40);
            hub_refresh(well);
            hub_refresh(ill);
            if (one_in(3)) {
                const enum follow mc = ill->contactor[victim][CONTACTOR_MC];
                const enum follow bc = ill->contactor[victim][CONTACTOR_BC];
                bend_slot(ill, victim);
                ill->image.slot[victim].estop.value = 0; /* the site's, by intention */
                ill->image.slot[victim].estop_input.value = 0;
                const uint8_t reason = ill->image.slot[victim].plc_fault_reason;
                ill->image.slot[victim].plc_fault_reason = reason == 4 || reason == 12 ? 1 : reason;
                ill->image.slot[victim].boundary_ma.value = 0; /* boundaries are everybody's */
                ill->contactor[victim][CONTACTOR_MC] = mc;
                ill->contactor[victim][CONTACTOR_BC] = bc;
            }
            for (uint32_t slot = 0; slot < slots; ++slot) {
                const bool closed = well->out.slot[slot].gc;
                if (slot != victim && one_in(4)) {
                    const int32_t ma = (int32_t)dice(40000);
                    hub_ask(well, slot, closed ? 400000 : 0, ma);
                    hub_ask(ill, slot, closed ? 400000 : 0, ma);
                }
            }
            hub_step(well);
            hub_step(ill);
            for (uint32_t slot = 0; slot < slots; ++slot) {
                const bool same = memcmp(&well->out.slot[slot], &ill->out.slot[slot],
                                         sizeof well->out.slot[slot]) == 0;
                if (slot == victim) {
                    touched = touched || !same;
                } else {
                    assert_true(same);
                }
            }
        }
        assert_true(touched);
        hub_free(well);
        hub_free(ill);
    }
}

/* Ring of 6: 0 borrows from 1, 3 from 4; 2 charges alone, 5 stands idle. */
static struct hub *two_islands(bool bc) {
    struct hub *hub = hub_new(6, 2, bc);
    hub_run(hub, 500);
    hub_charging(hub, 0, 400000, 20000);
    hub_charging(hub, 2, 400000, 20000);
    hub_charging(hub, 3, 400000, 20000);
    hub_lend(hub, 1, 0, 400000, 10000);
    hub_lend(hub, 4, 3, 400000, 10000);
    return hub;
}

/* Whatever happens to a victim but that it is joined to a third one: that would be another island. */
static void suffer(struct hub *ill, uint32_t victim) {
    struct image_slot *image = &ill->image.slot[victim];
    const enum follow mc = ill->contactor[1][CONTACTOR_MC];
    const enum follow bc = ill->contactor[1][CONTACTOR_BC];
    bend_slot(ill, victim);
    any_request(ill, victim);
    ill->request.slot[1].mc = ill->request.slot[1].bc = false;
    ill->contactor[1][CONTACTOR_MC] = mc;
    ill->contactor[1][CONTACTOR_BC] = bc;
    image->estop.value = 0; /* the site's, by intention */
    image->estop_input.value = 0;
    if (image->plc_fault_reason == 4 || image->plc_fault_reason == 12) {
        image->plc_fault_reason = 1;
    }
    if (victim == 1) {
        image->boundary_ma.value = 0; /* of the boundary to the third one */
    }
}

static void test_one_islands_trouble_changes_no_other_island(void **state) {
    (void)state;
    uint32_t touched = 0;
    for (uint64_t i = 1; i <= 40; ++i) {
        bend_seed(i * UINT64_C(0x8ebc6af09c88c6e3));
        const uint32_t victim = (uint32_t)(i % 2);
        struct hub *well = two_islands(i % 3 == 0);
        struct hub *ill = hub_new(6, 2, false);
        *ill = *well;
        bool same = true;
        for (int step = 0; step < 600; ++step) {
            const int64_t dt_us = 1000 + (int64_t)dice(8000);
            well->now_us += dt_us;
            ill->now_us += dt_us;
            ill->silent[victim] = ill->silent[victim] != one_in(60);
            hub_refresh(well);
            hub_refresh(ill);
            if (one_in(4)) {
                suffer(ill, victim);
            }
            hub_step(well);
            hub_step(ill);
            for (uint32_t slot = 2; slot < 6; ++slot) {
                assert_memory_equal(&well->out.slot[slot], &ill->out.slot[slot],
                                    sizeof well->out.slot[slot]);
            }
            same = same && memcmp(&well->out.slot[1 - victim], &ill->out.slot[1 - victim],
                                  sizeof well->out.slot[0]) == 0;
        }
        assert_true(hub_joined(well, 0) && hub_joined(ill, 3));
        touched += !same;
        hub_free(well);
        hub_free(ill);
    }
    assert_true(touched > 20); /* what it is joined to does change */
}

/* The published view of a contactor is the one the rules use: nothing that the rules call open may conduct. */
static void test_nothing_closes_that_is_not_known_open(void **state) {
    (void)state;
    bend_seed(42);
    struct hub *hub = hub_ready(4, 2);
    uint32_t closings = 0;
    for (int i = 0; i < 20000; ++i) {
        bool open[4][CONTACTORS_PER_SLOT];
        hub->now_us += (int64_t)dice(20000);
        hub_refresh(hub);
        bend_slot(hub, dice(4));
        for (uint32_t slot = 0; slot < 4; ++slot) {
            any_request(hub, slot);
            for (unsigned kind = 0; kind < CONTACTORS_PER_SLOT; ++kind) {
                open[slot][kind] =
                    !contactor_may(&hub->state, &hub->config, &hub->image, slot, kind, hub->now_us);
            }
        }
        const struct output last = hub->out;
        hub_step(hub);
        for (uint32_t slot = 0; slot < 4; ++slot) {
            if (hub->out.slot[slot].gc && !last.slot[slot].gc) {
                assert_true(open[slot][CONTACTOR_GC]);
                ++closings;
            }
            if (hub->out.slot[slot].mc && !last.slot[slot].mc) {
                assert_true(open[slot][CONTACTOR_MC]);
                ++closings;
            }
            for (uint32_t m = 0; m < 2; ++m) {
                if (hub->out.slot[slot].module[m].mn && !last.slot[slot].module[m].mn) {
                    assert_true(open[slot][CONTACTOR_MN0 + m]);
                    ++closings;
                }
            }
        }
        if (one_in(100)) {
            hub->in = (struct interlock_in){.site_limit_w = 1000000, .plan_age_us = 50000};
            bend_mend(hub, dice(4));
        }
    }
    assert_true(closings > 20);
    hub_free(hub);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_slots_trouble_changes_no_other_slot),
        cmocka_unit_test(test_one_islands_trouble_changes_no_other_island),
        cmocka_unit_test(test_nothing_closes_that_is_not_known_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
