/* Every fault of the virtual hub while slots are joined or about to join: contained in its island, no hazard, recovered
 * from. RINGMAIN_FAULT names one of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/islands.h"

/* ---- every fault while slots are joined --------------------------------------------------------------------- */

static bool concerns_all(const struct plant_fault_info *info) {
    return info->scope == PLANT_SCOPE_SITE || info->scope == PLANT_SCOPE_INTERFACE;
}

struct blow {
    const struct plant_fault_info *info;
    int gun;               /* where it strikes: 1 the owner, 2 a lender */
    const char *contactor; /* NULL: not a contactor's */
    bool merging;          /* while the lender matches its voltage */
};

static void explain(struct virtual_hub *h, const struct blow *blow, const char *what) {
    virtual_hub_print(h);
    for (uint32_t i = 0; i < h->config.slots; i++) {
        fprintf(stderr, "slot %u %s (%s)\n", i, boundary_state_name(h->status.slot[i].boundary),
                boundary_reason_name(h->status.slot[i].boundary_reason));
    }
    fail_msg("%s %s at gun %d %s: %s", blow->info->name,
             blow->contactor != NULL ? blow->contactor : "", blow->gun,
             blow->merging ? "while merging" : "while joined", what);
}

/* Guns 1 and 4 of a ring of six have two neighbours each. The fault strikes for five seconds; the other island goes on,
 * nothing is hazardous, and after repair and clearing everything is available and lends again. */
static void strike(const struct blow *blow, bool pair) {
    config_ring(&island_config, 6, 2);
    if (pair) {
        island_fit_bc();
    }
    for (uint32_t i = 1; i < 6; i += 3) { /* slots 5, 0, 1 and slots 2, 3, 4 */
        island_config.slot[i].has_mc = island_config.slot[i].has_bc = false;
    }
    struct virtual_hub *h = island_hub(11, PLANT_HANDSHAKE_FAST);
    const struct plant_fault fault = {.gun = blow->info->scope == PLANT_SCOPE_SITE ? 0 : blow->gun,
                                      .contactor = blow->contactor,
                                      .value = (double)NAN};
    h->coarse = true;
    island_plug(h, 4);
    island_plug(h, 1);
    assert_true(virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 30));
    assert_true(island_reach_borrowed(h, 4, 2, 60));
    assert_true(blow->merging ? island_reach_boundary(h, 1, BOUNDARY_STATE_MATCHING, 60)
                              : island_reach_borrowed(h, 1, 2, 60));
    virtual_hub_run(h, blow->merging ? 0.8 : 5);
    if (plant_inject(h->plant, blow->info->name, &fault) != PLANT_OK) {
        virtual_hub_destroy(h); /* a vehicle's fault, and none is there */
        return;
    }
    virtual_hub_run(h, 5);
    if (!concerns_all(blow->info) && virtual_hub_state(h, 4) != GUN_STATE_CHARGING) {
        explain(h, blow, "the other island ended");
    }
    virtual_hub_run(h, 10);
    (void)plant_clear(h->plant, 0);
    virtual_hub_run(h, 10);
    island_stop(h, 1);
    island_stop(h, 4);
    virtual_hub_run(h, 15);
    island_operator_clears(h);
    (void)plant_unplug(h->plant, 1, false);
    (void)plant_unplug(h->plant, 4, false);
    virtual_hub_run(h, 15);
    island_operator_clears(h);
    if (virtual_hub_hazards(h) != 0) {
        explain(h, blow, "hazards");
    }
    for (int gun = 1; gun <= 6; gun++) {
        if (virtual_hub_state(h, gun) != GUN_STATE_AVAILABLE) {
            explain(h, blow, "not available again");
        }
    }
    if (!island_all_home(h)) {
        explain(h, blow, "not home again");
    }
    virtual_hub_run(h, 30); /* dwell */
    island_plug(h, 1);
    if (!virtual_hub_reach(h, 1, GUN_STATE_CHARGING, 60) || !island_reach_borrowed(h, 1, 2, 330)) {
        explain(h, blow, "does not lend again");
    }
    island_finish(h);
}

static void strike_all(int gun, bool merging, bool pair) {
    static const char *const kinds[] = {"GC", "MC", "BC", "MN0"};
    uint32_t count = 0;
    const struct plant_fault_info *table = plant_fault_table(&count);
    const char *only = getenv("RINGMAIN_FAULT");
    for (uint32_t i = 0; i < count; i++) {
        const bool contactor = table[i].scope == PLANT_SCOPE_CONTACTOR;
        for (unsigned k = 0; k < (contactor ? 4 : 1); k++) {
            const struct blow blow = {.info = &table[i],
                                      .gun = gun,
                                      .contactor = contactor ? kinds[k] : NULL,
                                      .merging = merging};
            const bool fitted = pair || !contactor || k != 2;
            if (fitted && (only == NULL || strcmp(only, table[i].name) == 0)) {
                strike(&blow, pair);
            }
        }
    }
}

static void test_every_fault_of_an_owner_is_contained_and_recovered_from(void **state) {
    (void)state;
    strike_all(1, false, false);
}

static void test_every_fault_of_a_lender_is_contained_and_recovered_from(void **state) {
    (void)state;
    strike_all(2, false, false);
}

static void test_every_fault_of_a_lender_with_pairs_is_contained_and_recovered_from(void **state) {
    (void)state;
    strike_all(2, false, true);
}

static void test_every_fault_of_an_owner_during_a_merge_is_contained(void **state) {
    (void)state;
    strike_all(1, true, false);
}

static void test_every_fault_of_a_lender_during_a_merge_is_contained(void **state) {
    (void)state;
    strike_all(2, true, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault_of_an_owner_is_contained_and_recovered_from),
        cmocka_unit_test(test_every_fault_of_a_lender_is_contained_and_recovered_from),
        cmocka_unit_test(test_every_fault_of_a_lender_with_pairs_is_contained_and_recovered_from),
        cmocka_unit_test(test_every_fault_of_an_owner_during_a_merge_is_contained),
        cmocka_unit_test(test_every_fault_of_a_lender_during_a_merge_is_contained),
    };
    cmocka_set_test_filter(getenv("RINGMAIN_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
