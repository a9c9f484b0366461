#include "nrt/api/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void json_init(struct json_writer *w, char *text, size_t size) {
    assert(size >= 1);
    memset(w, 0, sizeof *w);
    w->text = text;
    w->size = size;
    w->first[0] = true;
    text[0] = '\0';
}

static void put(struct json_writer *w, const char *bytes, size_t count) {
    if (w->overflow || count >= w->size - w->length) {
        w->overflow = true;
        return;
    }
    memcpy(w->text + w->length, bytes, count);
    w->length += count;
    w->text[w->length] = '\0';
}

static void put_escaped(struct json_writer *w, const char *value, size_t max) {
    put(w, "\"", 1);
    for (size_t i = 0; i < max && value[i] != '\0'; i++) {
        unsigned char c = (unsigned char)value[i];
        char code[8];
        if (c == '"' || c == '\\') {
            code[0] = '\\';
            code[1] = (char)c;
            put(w, code, 2);
        } else if (c < 0x20 || c >= 0x7f) {
            int count = snprintf(code, sizeof code, "\\u%04x", c);
            put(w, code, (size_t)count);
        } else {
            put(w, value + i, 1);
        }
    }
    put(w, "\"", 1);
}

static void begin_value(struct json_writer *w, const char *key) {
    if (!w->first[w->depth]) {
        put(w, ",", 1);
    }
    w->first[w->depth] = false;
    if (key != NULL) {
        put_escaped(w, key, SIZE_MAX);
        put(w, ":", 1);
    }
}

static void open_bracket(struct json_writer *w, const char *key, const char *bracket) {
    begin_value(w, key);
    put(w, bracket, 1);
    assert(w->depth + 1 < sizeof w->first / sizeof w->first[0]);
    w->depth++;
    w->first[w->depth] = true;
}

static void close_bracket(struct json_writer *w, const char *bracket) {
    assert(w->depth > 0);
    w->depth--;
    put(w, bracket, 1);
}

void json_object(struct json_writer *w, const char *key) {
    open_bracket(w, key, "{");
}

void json_object_end(struct json_writer *w) {
    close_bracket(w, "}");
}

void json_array(struct json_writer *w, const char *key) {
    open_bracket(w, key, "[");
}

void json_array_end(struct json_writer *w) {
    close_bracket(w, "]");
}

void json_int(struct json_writer *w, const char *key, int64_t value) {
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRId64, value);
    begin_value(w, key);
    put(w, digits, (size_t)count);
}

void json_uint(struct json_writer *w, const char *key, uint64_t value) {
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, value);
    begin_value(w, key);
    put(w, digits, (size_t)count);
}

void json_decimal(struct json_writer *w, const char *key, int64_t value, unsigned decimals) {
    assert(decimals <= 9);
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++) {
        scale *= 10;
    }
    uint64_t magnitude = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    char digits[40];
    int count =
        decimals == 0
            ? snprintf(digits, sizeof digits, "%s%" PRIu64, value < 0 ? "-" : "", magnitude)
            : snprintf(digits, sizeof digits, "%s%" PRIu64 ".%0*" PRIu64, value < 0 ? "-" : "",
                       magnitude / scale, (int)decimals, magnitude % scale);
    begin_value(w, key);
    put(w, digits, (size_t)count);
}

void json_bool(struct json_writer *w, const char *key, bool value) {
    begin_value(w, key);
    put(w, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct json_writer *w, const char *key) {
    begin_value(w, key);
    put(w, "null", 4);
}

void json_string(struct json_writer *w, const char *key, const char *value) {
    json_text(w, key, value, SIZE_MAX);
}

void json_text(struct json_writer *w, const char *key, const char *value, size_t max) {
    begin_value(w, key);
    put_escaped(w, value, max);
}

void json_hex(struct json_writer *w, const char *key, uint64_t value) {
    char digits[24];
    int count = snprintf(digits, sizeof digits, "\"%016" PRIx64 "\"", value);
    begin_value(w, key);
    put(w, digits, (size_t)count);
}

void json_raw(struct json_writer *w, const char *text) {
    put(w, text, strlen(text));
}
