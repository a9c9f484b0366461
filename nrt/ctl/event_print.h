/* A line of the event log as people read it. Uses cJSON's heap while it runs. */
#ifndef RINGMAIN_NRT_CTL_EVENT_PRINT_H
#define RINGMAIN_NRT_CTL_EVENT_PRINT_H

#include <stdbool.h>
#include <stddef.h>

/* "15:56:31  gun 3: plugged -> authorised"; false: not a line of the event log. */
bool event_print_short(const char *line, size_t length, char *out, size_t size);
/* "2026-11-20T15:56:31.123Z  gun 3: plugged -> authorised" */
bool event_print_long(const char *line, size_t length, char *out, size_t size);

#endif
