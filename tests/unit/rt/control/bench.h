/* One hub of the virtual kind per test, with the shortest ways to command it and to look at it. */
#ifndef RINGMAIN_TESTS_UNIT_RT_CONTROL_BENCH_H
#define RINGMAIN_TESTS_UNIT_RT_CONTROL_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/integration/virtual_hub.h"

extern struct config config;
extern struct virtual_hub *hub;

int bench_setup(void **state);
int bench_teardown(void **state);
struct command bench_command(enum command_type type, unsigned slot, unsigned a, const char *text);
enum command_status bench_give(enum command_type type, unsigned slot, unsigned a, const char *text);
enum command_status bench_give_value(enum command_type type, unsigned slot, unsigned a,
                                     int64_t value, double seconds);
void bench_plug(int gun, double soc_pct, double target_pct);
void bench_charge(int gun);
const struct status_slot *bench_shown(unsigned slot);

#endif
