/* A small well-behaved plant for tests of the interlocks: contactors follow their commands, modules their setpoints,
 * every source speaks in every tick. Tests bend single things. Times and values are set by hand, never by the code
 * under test. */
#ifndef RINGMAIN_TESTS_INTERLOCK_HUB_H
#define RINGMAIN_TESTS_INTERLOCK_HUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rt/interlock/interlock.h"
#include "rt/interlock/rules.h"

#define SECOND    INT64_C(1000000)
#define BIT(code) (UINT64_C(1) << FAULT_##code)

enum follow { FOLLOW = 0, STAYS_OPEN, STAYS_CLOSED, POLES_DIFFER, READS_INVALID, N_POLE_CLOSED };

struct hub {
    struct config config;
    struct image image;
    struct interlock_state state;
    struct interlock_in in;
    struct request request;
    struct output out;
    int64_t now_us;
    enum follow contactor[RM_SLOTS_MAX][CONTACTORS_PER_SLOT];
    bool silent[RM_SLOTS_MAX]; /* PLC */
    bool module_silent[RM_SLOTS_MAX][RM_MODULES_PER_SLOT_MAX];
    bool own_gun_ma[RM_SLOTS_MAX];    /* gun_ma is set by the test, not from the modules */
    bool own_module_ma[RM_SLOTS_MAX]; /* likewise the modules' current */
    bool own_module_mv[RM_SLOTS_MAX]; /* likewise their voltage; else that of the bus */
    bool own_boundary_ma
        [RM_SLOTS_MAX]; /* likewise the boundary's current; else what lies beyond it */
};

/* A ring of slots (BC fitted where asked), everything healthy, nobody plugged in; not stepped yet. */
struct hub *hub_new(uint32_t slots, uint32_t modules, bool bc);
void hub_free(struct hub *hub);
/* hub_new and the boot hold run through. */
struct hub *hub_ready(uint32_t slots, uint32_t modules);

void hub_refresh(struct hub *hub);          /* every source speaks now */
void hub_step(struct hub *hub);             /* no time passes */
void hub_tick(struct hub *hub, int64_t us); /* time passes, sources speak, one step */
void hub_run(struct hub *hub, int64_t ms);  /* in ticks of 5 ms */

void hub_set(struct hub *hub, struct sample *sample, int32_t value);
void hub_voltage(struct hub *hub, uint32_t slot, int32_t bus_mv, int32_t gun_mv);
/* A vehicle with its maximum, locked, control pilot C, at the given stage. */
void hub_vehicle(struct hub *hub, uint32_t slot, int32_t max_mv, enum hlc_stage stage);
void hub_stage(struct hub *hub, uint32_t slot, enum hlc_stage stage);
/* GC closed for the cable check, MN closed, insulation passed. Bus at 0 V. */
void hub_cable_check(struct hub *hub, uint32_t slot, int32_t max_mv);
/* The whole way to charging at mv with ma per module. */
void hub_charging(struct hub *hub, uint32_t slot, int32_t mv, int32_t ma);
void hub_ask(struct hub *hub, uint32_t slot, int32_t mv, int32_t ma); /* all modules of the slot */

/* Slot's bus is brought to mv with its modules behind closed MN, its monitor is on and sound, its boundary open. */
void hub_precharge(struct hub *hub, uint32_t slot, int32_t mv);
void hub_close(struct hub *hub, uint32_t edge); /* asks for both contactors, long enough for both */
void hub_open(struct hub *hub, uint32_t edge);
/* Slot lends to the gun that charges beside it over edge: precharged, joined, then ma per module. */
void hub_lend(struct hub *hub, uint32_t slot, uint32_t edge, int32_t mv, int32_t ma);
/* Ring of 5: 0 charges at 400 V with 10 A per module; 1 lends over boundary 0, 4 over boundary 4, as much each. */
struct hub *hub_island(bool bc);
void hub_assert_parted(const struct hub *hub);  /* no boundary is commanded closed */
void hub_assert_goes_on(const struct hub *hub); /* slot 0 of that island, with its own modules */
bool hub_joined(const struct hub *hub, uint32_t edge); /* commanded to conduct */

void hub_all_charging(struct hub *hub); /* every gun, at 400 V and 10 A per module */
void hub_assert_all_off(const struct hub *hub, uint32_t slot);

bool hub_noted(const struct hub *hub, enum rule_id rule, uint32_t slot);
int64_t hub_sum_ma(const struct hub *hub, uint32_t slot);

#endif
