/* Is this text JSON, strictly as RFC 8259 says, in valid UTF-8? Says where it is not, by line and column.
 *
 * Runs before the parser, which is more lenient than the standard and does not know lines. Refuses besides: nesting deeper
 * than JSON_DEPTH_MAX, a NUL (raw or as \u0000), lone surrogates, a byte-order mark. Pure; cost linear in length.
 */
#ifndef RINGMAIN_CONFIGS_JSON_SCAN_H
#define RINGMAIN_CONFIGS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

struct json_fault {
    uint32_t line, column; /* from 1; columns count characters, not bytes */
    const char *text;      /* what is wrong and how to mend it */
};

bool json_scan(const char *text, size_t length, struct json_fault *fault);

#endif
