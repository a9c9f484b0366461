/* The judge of the virtual hub: hazards by physical truth. What it calls and what it excuses, with reasons, stands at the
 * top of judge.c; plant.h has the list of kinds. */
#ifndef RINGMAIN_TESTS_PLANT_JUDGE_H
#define RINGMAIN_TESTS_PLANT_JUDGE_H

#include "tests/plant/plant.h"

struct plant;

/* Main contacts are about to move: voltages and currents are still those of before. */
void judge_switched(struct plant *p, uint32_t slot, unsigned kind, bool closed, int64_t now_us);
/* After every electrical step. */
void judge_tick(struct plant *p, int64_t now_us);
/* A physical emergency in that slot: openings under load are excused in its island for 2 s. why: static text. */
void judge_emergency(struct plant *p, uint32_t slot, const char *why, int64_t now_us);
/* The lock has let go; by_command false: it failed. */
void judge_unlocked(struct plant *p, uint32_t slot, bool by_command, int64_t now_us);

#endif
