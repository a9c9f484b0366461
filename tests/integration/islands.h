/* What the tests of islands share: a ring without grid limit, vehicles that want more than one slot can give, and questions
 * about who has joined whom. */
#ifndef RINGMAIN_TESTS_ISLANDS_H
#define RINGMAIN_TESTS_ISLANDS_H

#include "tests/integration/virtual_hub.h"

extern struct config island_config; /* filled by the test before island_hub() */

struct virtual_hub *island_hub(uint64_t seed, enum plant_handshake handshake);
/* A second contactor in every boundary of island_config. */
void island_fit_bc(void);
void island_plug(struct virtual_hub *h, int gun);
void island_stop(struct virtual_hub *h, int gun);
/* Charging, with that many slots joined. */
void island_merge(struct virtual_hub *h, int gun, unsigned slots);
const struct status_slot *island_slot(struct virtual_hub *h, uint32_t slot);
unsigned island_borrowed(struct virtual_hub *h, int gun);
bool island_reach_borrowed(struct virtual_hub *h, int gun, unsigned slots, double seconds);
bool island_reach_boundary(struct virtual_hub *h, uint32_t slot, enum boundary_state state,
                           double seconds);
bool island_all_home(struct virtual_hub *h);
bool island_reach_all_home(struct virtual_hub *h, double seconds);
double island_current_a(const struct virtual_hub *h, int gun);
/* The least current of a gun within that time. */
double island_least_current_a(struct virtual_hub *h, int gun, double seconds);
uint32_t island_loaded_operations(struct virtual_hub *h);
/* Time in ms from from_us to the slot's first boundary event into that state; -1 none. */
double island_event_ms(const struct virtual_hub *h, uint32_t slot, enum boundary_state to,
                       int64_t from_us);
/* Asserts that the judge found nothing, and destroys the hub. */
void island_finish(struct virtual_hub *h);
void island_operator_clears(struct virtual_hub *h);

#endif
