/* A small JSON writer into memory of the caller: no heap, commas and escapes taken care of, overflow sticks.
 *
 * Strings may hold any bytes up to their zero: control characters are escaped, bytes that are not ASCII (tokens come
 * from cards and vehicles) are written as \u00XX, so that the output is always valid UTF-8. Integers beyond 2^53 lose
 * digits in many readers: ids are written with json_hex() as strings.
 * key NULL: an array element, or the outermost value. Nesting at most 15 deep (asserted).
 */
#ifndef RINGMAIN_NRT_API_JSON_WRITER_H
#define RINGMAIN_NRT_API_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    char *text;
    size_t size, length; /* length: bytes used, without the terminating zero */
    bool overflow;       /* the rest did not fit: text is not valid JSON */
    uint32_t depth;
    bool first[16];
};

void json_init(struct json_writer *w, char *text, size_t size); /* size >= 1 */
void json_object(struct json_writer *w, const char *key);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w, const char *key);
void json_array_end(struct json_writer *w);
void json_int(struct json_writer *w, const char *key, int64_t value);
void json_uint(struct json_writer *w, const char *key, uint64_t value);
/* value / 10^decimals with that many digits, decimals 0..9: json_decimal(w, "kw", 12345, 3) writes 12.345 */
void json_decimal(struct json_writer *w, const char *key, int64_t value, unsigned decimals);
void json_bool(struct json_writer *w, const char *key, bool value);
void json_null(struct json_writer *w, const char *key);
void json_string(struct json_writer *w, const char *key, const char *value);
/* at most max bytes, ending at a zero if there is one before */
void json_text(struct json_writer *w, const char *key, const char *value, size_t max);
void json_hex(struct json_writer *w, const char *key, uint64_t value); /* 16 digits, as a string */
/* appends bytes as they are, e.g. a newline after the outermost value */
void json_raw(struct json_writer *w, const char *text);

#endif
