/* A day at the whole hub in virtual time: guard, sequencers, planner, CAN codecs, PLC nodes, modules, vehicles and the judge. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_FULL_H
#define RINGMAIN_BENCHMARKS_SERVICE_FULL_H

#include "benchmarks/service/tally.h"

/* site_input_w: the grid limit as configured, at the modules' input; INFINITY: as much as the modules take. false: out
 * of memory. */
bool full_day(const struct day *day, double site_input_w, bool guided, bool verbose,
              struct street *street, struct tally *tally);

#endif
