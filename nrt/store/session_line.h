/* A finished session as one JSON line of the sessions file, and its id back from a line. Pure.
 *   {"session_id":"00000000000000a7","boot_id":"..","connector_id":3,"start_time":"..Z",..,"energy_mwh":..}
 */
#ifndef RINGMAIN_NRT_STORE_SESSION_LINE_H
#define RINGMAIN_NRT_STORE_SESSION_LINE_H

#include "configs/config.h"
#include "nrt/session/clock_pair.h"
#include "shm/session.h"

#define SESSION_LINE_FIRST_BYTES "{\"session_id\":\""

/* With newline and zero; its length, or 0 when size is too small (JSONL_LINE_MAX is enough). slot: where the record lay. */
size_t session_line(char *out, size_t size, const struct config *config, uint32_t slot,
                    const struct session_record *record, const struct clock_pair *pair);
/* false: not a complete line of the sessions file. length without the newline. */
bool session_line_id(const char *line, size_t length, uint64_t *session_id);

#endif
