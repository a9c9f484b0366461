/* One event as one JSON line of the event log, and back as far as recovery needs it.
 *
 *   {"boot_id":"00c0ffee00c0ffee","seq":17,"mono_ns":..,"time":"2026-..Z","type":"gun_state","slot":2,"connector_id":3,
 *    "text":"gun 3: plugged -> authorised","from":"plugged","to":"authorised"}
 * boot_id and seq come first, always in this form: recovery reads them without a JSON parser. Pure.
 */
#ifndef RINGMAIN_NRT_STORE_EVENT_LINE_H
#define RINGMAIN_NRT_STORE_EVENT_LINE_H

#include "configs/config.h"
#include "nrt/session/clock_pair.h"
#include "shm/event.h"

#define EVENT_LINE_FIRST_BYTES "{\"boot_id\":\""
#define EVENT_TEXT_MAX         160 /* the sentence, with its zero */

/* OCPP connector id of a slot, 0: none. config may be NULL: slot index + 1. */
int32_t event_connector_id(const struct config *config, uint32_t slot);

/* The event as a sentence, e.g. "gun 3: fault IMD_LOW: Insulation resistance below the limit." */
void event_sentence(const struct config *config, const struct event *event,
                    char text[EVENT_TEXT_MAX]);

/* Writes the line with its newline and zero; its length, or 0 when size is too small (JSONL_LINE_MAX is enough). */
size_t event_line(char *out, size_t size, const struct config *config, uint64_t boot_id,
                  const struct event *event, const struct clock_pair *pair);

struct event_position {
    uint64_t boot_id; /* 0: none */
    uint64_t seq;
};

/* false: not a complete line of the event log. length without the newline. */
bool event_line_position(const char *line, size_t length, struct event_position *out);

#endif
