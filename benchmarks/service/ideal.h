/* A day at a hub that obeys at once: the compared topologies and the ring without switching time. */
#ifndef RINGMAIN_BENCHMARKS_SERVICE_IDEAL_H
#define RINGMAIN_BENCHMARKS_SERVICE_IDEAL_H

#include "benchmarks/service/share.h"
#include "benchmarks/service/tally.h"

/* guided: drivers take the free gun that bay guidance names instead of their own preference. start_s: from plug to first
 * current; end_s: from last current to the end of the session, when the driver's stay begins. */
void ideal_day(const struct day *day, enum topology topology, double site_w, bool guided,
               double start_s, double end_s, struct street *street, struct tally *tally);

#endif
