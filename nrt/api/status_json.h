/* The status snapshot as JSON: all of struct status in readable form, stable keys, units in the keys.
 * Values that nobody measures are null. Slots with a gun are in "guns", the others in "slots_without_gun", both in ring order. Used by ringmain-nrt's socket and by ringmainctl status --json. Pure.
 */
#ifndef RINGMAIN_NRT_API_STATUS_JSON_H
#define RINGMAIN_NRT_API_STATUS_JSON_H

#include "configs/config.h"
#include "nrt/api/json_writer.h"
#include "shm/status.h"

/* Enough for a status of that many slots with everything fitted. */
#define STATUS_JSON_SIZE(slots) ((size_t)32768 + (size_t)(slots)*8192)

/* Slots and interfaces of a status that came from shared memory, held to what the arrays carry. */
uint32_t status_slot_count(const struct status *status);
uint32_t status_interface_count(const struct status *status);

/* The members, into an object that the caller has opened. config may be NULL: no names, connector id = slot + 1.
 * now_ns: CLOCK_MONOTONIC, for the ages. */
void status_json(struct json_writer *w, const struct status *status, const struct config *config,
                 int64_t now_ns);

#endif
