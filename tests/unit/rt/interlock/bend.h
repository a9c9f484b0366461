/* Ways of bending a hub, for tests that draw their cases: values, ages, contactors, requests. Seeds are set, so that a
 * failure repeats. */
#ifndef RINGMAIN_TESTS_INTERLOCK_BEND_H
#define RINGMAIN_TESTS_INTERLOCK_BEND_H

#include "tests/unit/rt/interlock/hub.h"

void bend_seed(uint64_t start);
uint32_t dice(uint32_t sides);
bool one_in(uint32_t sides);
void bend_slot(struct hub *hub, uint32_t slot);
void any_request(struct hub *hub, uint32_t slot);
/* Back to a vehicle that charges, so that the next bend finds something to break. */
void bend_mend(struct hub *hub, uint32_t slot);
/* Back to a slot without vehicle whose bus is up at 400 V, ready to be joined. */
void bend_mend_lender(struct hub *hub, uint32_t slot);

#endif
