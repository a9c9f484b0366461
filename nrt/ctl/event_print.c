#include "nrt/ctl/event_print.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static bool print(const char *line, size_t length, size_t skip, int time_width, char *out,
                  size_t size) {
    cJSON *root = cJSON_ParseWithLength(line, length);
    const cJSON *time = cJSON_GetObjectItemCaseSensitive(root, "time");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(root, "text");
    bool ok = cJSON_IsString(time) && cJSON_IsString(text) && strlen(time->valuestring) >= 24;
    if (ok) {
        snprintf(out, size, "%.*s  %s", time_width, time->valuestring + skip, text->valuestring);
        for (char *c = out; *c != '\0'; c++) {
            *c = *c >= 0x20 && *c <= 0x7e ? *c : '?'; /* tokens come from cards and vehicles */
        }
    }
    cJSON_Delete(root);
    return ok;
}

bool event_print_short(const char *line, size_t length, char *out, size_t size) {
    return print(line, length, 11, 8, out, size);
}

bool event_print_long(const char *line, size_t length, char *out, size_t size) {
    return print(line, length, 0, 24, out, size);
}
