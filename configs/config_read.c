/* JSON text into a draft, row by row of the table. */
#include "configs/config_draft.h"
#include "configs/config_table.h"
#include "configs/json_scan.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX 64
#define PATH_SIZE   96
#define ROWS_MAX    512

struct reader {
    struct config_errors *errors;
};

/* Where the walk is: the table's pattern, the path for people, and the struct that offsets count from. */
struct place {
    char pattern[PATTERN_MAX];
    char path[PATH_SIZE];
    unsigned char *base;
};

/* Pattern and path of a member. False when the name is too long to be one. */
static bool place_enter(struct place *member, const struct place *object, const char *name) {
    int n = snprintf(member->pattern, sizeof member->pattern, "%s%s%s", object->pattern,
                     object->pattern[0] ? "." : "", name);
    snprintf(member->path, sizeof member->path, "%.46s%s%.46s", object->path,
             object->path[0] ? "." : "", name);
    return (size_t)n < sizeof member->pattern;
}

static void store(unsigned char *base, const struct config_key *key, int64_t value) {
    unsigned char *at = base + key->offset;
    switch (key->size) {
    case 1: {
        uint8_t v = (uint8_t)value;
        memcpy(at, &v, sizeof v);
        break;
    }
    case 2: {
        uint16_t v = (uint16_t)value;
        memcpy(at, &v, sizeof v);
        break;
    }
    case 4: {
        uint32_t v = (uint32_t)value;
        memcpy(at, &v, sizeof v);
        break;
    }
    default:
        assert(key->size == sizeof value);
        memcpy(at, &value, sizeof value);
        break;
    }
}

static void store_text(unsigned char *base, const struct config_key *key, const char *text) {
    assert(strlen(text) < key->size);
    memset(base + key->offset, 0, key->size);
    snprintf((char *)base + key->offset, key->size, "%s", text);
}

static void store_default(unsigned char *base, const struct config_key *key) {
    switch (key->kind) {
    case CONFIG_KIND_OBJECT: break;
    case CONFIG_KIND_ARRAY: {
        uint32_t count = key->presence == CONFIG_DERIVED ? CONFIG_COUNT_UNSET : 0;
        memcpy(base + key->count_offset, &count, sizeof count);
        break;
    }
    case CONFIG_KIND_BOOL:
    case CONFIG_KIND_NUMBER:
    case CONFIG_KIND_CHOICE: store(base, key, key->initial); break;
    case CONFIG_KIND_STRING:
        store_text(base, key,
                   key->presence == CONFIG_DERIVED ? CONFIG_TEXT_UNSET : key->initial_text);
        break;
    }
}

/* Defaults of every row below the pattern whose offsets count from the same struct, arrays' elements left alone. */
static void defaults_below(unsigned char *base, const char *pattern) {
    size_t length = strlen(pattern);
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        if (strncmp(key->path, pattern, length) == 0 && (length == 0 || key->path[length] == '.') &&
            !strstr(key->path + length, "[]")) {
            store_default(base, key);
        }
    }
}

void config_draft_defaults(struct config_draft *draft) {
    defaults_below((unsigned char *)draft, "");
}

void config_element_defaults(void *element, const char *pattern) {
    defaults_below(element, pattern);
}

/* Keeps text printable and short enough for an error. */
static void sanitise(char *out, size_t size, const char *text, const char *quote) {
    size_t n = 0, room = size - 1 - 2 * strlen(quote);
    n += (size_t)snprintf(out, size, "%s", quote);
    for (; *text && n < room; text++) {
        out[n++] = iscntrl((unsigned char)*text) ? '?' : *text;
    }
    if (*text && n >= 3) {
        /* Cut at a character's border, and show that it was cut. */
        while (n > 3 && ((unsigned char)out[n - 3] & 0xC0) == 0x80) {
            n--;
        }
        n -= 3;
        n += (size_t)snprintf(out + n, size - n, "...");
    }
    snprintf(out + n, size - n, "%s", quote);
}

static void show(const cJSON *item, char *out, size_t size) {
    out[0] = 0;
    if (cJSON_IsString(item)) {
        sanitise(out, size, item->valuestring, "\"");
    } else if (cJSON_IsNumber(item)) {
        snprintf(out, size, "%.15g", item->valuedouble);
    } else if (cJSON_IsBool(item)) {
        snprintf(out, size, "%s", cJSON_IsTrue(item) ? "true" : "false");
    } else if (cJSON_IsNull(item)) {
        snprintf(out, size, "null");
    } else {
        snprintf(out, size, "%s", cJSON_IsArray(item) ? "[...]" : "{...}");
    }
}

static void complain(struct reader *r, const char *path, const cJSON *item, const char *text) {
    char value[64];
    show(item, value, sizeof value);
    config_errors_add(r->errors, path, value, "%s", text);
}

static void allowed_numbers(const struct config_key *key, char *out, size_t size) {
    double scale = (double)key->scale;
    snprintf(out, size, "%.15g to %.15g%s%s", (double)key->min / scale, (double)key->max / scale,
             key->unit[0] ? " " : "", key->unit);
}

static void read_number(struct reader *r, const struct place *p, const struct config_key *key,
                        const cJSON *item) {
    char allowed[96], text[192];
    allowed_numbers(key, allowed, sizeof allowed);
    if (!cJSON_IsNumber(item)) {
        snprintf(text, sizeof text, "must be a number (without quotes), %s", allowed);
        complain(r, p->path, item, text);
        return;
    }
    double scaled = item->valuedouble * (double)key->scale;
    if (!isfinite(item->valuedouble) || scaled < (double)key->min - 1e-6 ||
        scaled > (double)key->max + 1e-6) {
        snprintf(text, sizeof text, "out of range: allowed is %s", allowed);
        complain(r, p->path, item, text);
        return;
    }
    int64_t value = llround(scaled);
    if (fabs(scaled - (double)value) > 1e-6 + fabs(scaled) * 4 * DBL_EPSILON) {
        snprintf(text, sizeof text,
                 key->scale == 1 ? "must be a whole number, %s"
                                 : "too many decimals; allowed is %s",
                 allowed);
        complain(r, p->path, item, text);
        return;
    }
    store(p->base, key, value);
}

static void read_string(struct reader *r, const struct place *p, const struct config_key *key,
                        const cJSON *item) {
    char text[192];
    if (!cJSON_IsString(item)) {
        complain(r, p->path, item, "must be a string in double quotes");
        return;
    }
    const char *value = item->valuestring;
    size_t length = strlen(value);
    if (length < (size_t)key->min || length > (size_t)key->max) {
        snprintf(text, sizeof text, "must be %lld to %lld bytes long, is %zu", (long long)key->min,
                 (long long)key->max, length);
        complain(r, p->path, item, text);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)value[i])) {
            complain(r, p->path, item, "may not contain control characters");
            return;
        }
    }
    store_text(p->base, key, value);
}

static size_t list_labels(const struct config_label *labels, char *out, size_t size) {
    size_t n = 0;
    for (; labels->name && n < size; labels++) {
        n += (size_t)snprintf(out + n, size - n, "%s\"%s\"", n ? ", " : "", labels->name);
    }
    return n;
}

static void read_choice(struct reader *r, const struct place *p, const struct config_key *key,
                        const cJSON *item) {
    for (const struct config_label *l = key->labels; l->name && cJSON_IsString(item); l++) {
        if (strcmp(l->name, item->valuestring) == 0) {
            store(p->base, key, l->value);
            return;
        }
    }
    char labels[128], text[192];
    list_labels(key->labels, labels, sizeof labels);
    snprintf(text, sizeof text, "must be one of %s", labels);
    complain(r, p->path, item, text);
}

static void read_object(struct reader *r, const struct place *p, const cJSON *object);

static void read_array(struct reader *r, const struct place *p, const struct config_key *key,
                       const cJSON *item) {
    char text[96];
    if (!cJSON_IsArray(item)) {
        complain(r, p->path, item, "must be an array of objects: [ {...}, ... ]");
        return;
    }
    uint32_t count = 0;
    for (const cJSON *e = item->child; e; e = e->next, count++) {
        if (count == (uint32_t)key->max) {
            config_errors_add(r->errors, p->path, "[...]", "has too many elements: at most %lld",
                              (long long)key->max);
            break;
        }
        struct place element = {.base = p->base + key->offset + (size_t)count * key->size};
        snprintf(element.pattern, sizeof element.pattern, "%s[]", key->path);
        snprintf(element.path, sizeof element.path, "%.80s[%u]", p->path, count);
        defaults_below(element.base, element.pattern);
        if (cJSON_IsObject(e)) {
            read_object(r, &element, e);
        } else {
            complain(r, element.path, e, "must be an object: { ... }");
        }
    }
    if (count < (uint32_t)key->min) {
        snprintf(text, sizeof text, "must have at least %lld element", (long long)key->min);
        complain(r, p->path, item, text);
    }
    memcpy(p->base + key->count_offset, &count, sizeof count);
}

static void read_value(struct reader *r, const struct place *p, const struct config_key *key,
                       const cJSON *item) {
    switch (key->kind) {
    case CONFIG_KIND_OBJECT:
        if (cJSON_IsObject(item)) {
            read_object(r, p, item);
        } else {
            complain(r, p->path, item, "must be an object: { ... }");
        }
        break;
    case CONFIG_KIND_ARRAY: read_array(r, p, key, item); break;
    case CONFIG_KIND_BOOL:
        if (cJSON_IsBool(item)) {
            store(p->base, key, cJSON_IsTrue(item));
        } else {
            complain(r, p->path, item, "must be true or false (without quotes)");
        }
        break;
    case CONFIG_KIND_NUMBER: read_number(r, p, key, item); break;
    case CONFIG_KIND_STRING: read_string(r, p, key, item); break;
    case CONFIG_KIND_CHOICE: read_choice(r, p, key, item); break;
    }
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Levenshtein distance without regard to case; both at most 40 bytes. */
static uint32_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    uint32_t row[41];
    for (uint32_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= m; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            uint32_t change = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            row[j] = least(least(row[j], row[j - 1]) + 1, change);
        }
    }
    return row[m];
}

static void complain_unknown(struct reader *r, const struct place *p, const cJSON *item) {
    const struct config_key *near = NULL, *elsewhere = NULL;
    const char *name = item->string;
    uint32_t best = 0;
    for (uint32_t i = 0; i < config_table_count && strlen(name) <= 40; i++) {
        const struct config_key *key = &config_table[i];
        const char *known = config_table_name(key);
        bool member = config_table_is_member(key, p->pattern);
        uint32_t d = strlen(known) <= 40 ? distance(name, known) : 99;
        if (member && d <= strlen(name) / 3 + 1 && (!near || d < best)) {
            near = key;
            best = d;
        }
        if (!member && !elsewhere && strcmp(name, known) == 0) {
            elsewhere = key;
        }
    }
    char path[PATH_SIZE], value[64], safe[48];
    sanitise(safe, sizeof safe, name, "");
    snprintf(path, sizeof path, "%.46s%s%s", p->path, p->path[0] ? "." : "", safe);
    show(item, value, sizeof value);
    if (near) {
        config_errors_add(r->errors, path, value, "unknown key: did you mean \"%s\"?",
                          config_table_name(near));
    } else if (elsewhere) {
        config_errors_add(r->errors, path, value, "unknown key here: it belongs at \"%s\"",
                          elsewhere->path);
    } else {
        config_errors_add(r->errors, path, value,
                          "unknown key: take it out (docs/configuration.md lists all keys)");
    }
}

/* Required members that are not there, also those of sections that are left out whole. */
static void complain_missing(struct reader *r, const struct place *p, const bool *seen) {
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        if (seen[i] || !config_table_is_member(key, p->pattern)) {
            continue;
        }
        struct place member = {.base = p->base};
        place_enter(&member, p, config_table_name(key));
        if (key->kind == CONFIG_KIND_OBJECT) {
            read_object(r, &member, &(const cJSON){.type = cJSON_Object});
        } else if (key->presence == CONFIG_REQUIRED) {
            config_errors_add(r->errors, member.path, NULL, "is required: %s", key->text);
        }
    }
}

static void read_object(struct reader *r, const struct place *p, const cJSON *object) {
    bool seen[ROWS_MAX] = {false};
    assert(config_table_count <= ROWS_MAX);
    for (const cJSON *item = object->child; item; item = item->next) {
        struct place member = {.base = p->base};
        bool fits = place_enter(&member, p, item->string) && !strpbrk(item->string, ".[");
        const struct config_key *key = fits ? config_table_find(member.pattern) : NULL;
        if (!key) {
            complain_unknown(r, p, item);
            continue;
        }
        if (seen[key - config_table]) {
            complain(r, member.path, item, "this key stands here twice: keep one");
            continue;
        }
        seen[key - config_table] = true;
        read_value(r, &member, key, item);
    }
    complain_missing(r, p, seen);
}

void config_read(const char *json, size_t length, struct config_draft *draft,
                 struct config_errors *errors) {
    struct json_fault fault;
    if (!json_scan(json, length, &fault)) {
        char path[96];
        snprintf(path, sizeof path, "line %u column %u", fault.line, fault.column);
        config_errors_add(errors, path, NULL, "%s", fault.text);
        return;
    }
    cJSON *tree = cJSON_ParseWithLength(json, length);
    if (!tree) {
        config_errors_add(errors, "", NULL, "cannot be parsed, or there is not enough memory");
        return;
    }
    struct reader r = {.errors = errors};
    struct place root = {.base = (unsigned char *)draft};
    if (cJSON_IsObject(tree)) {
        read_object(&r, &root, tree);
    } else {
        complain(&r, "", tree, "the file must hold one object: { ... }");
    }
    cJSON_Delete(tree);
}
