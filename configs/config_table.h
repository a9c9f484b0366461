/* The table of every key of charger.json. Loader, range checks, docs/configuration.md and charger.schema.json derive from
 * it; a key that is not a row here does not exist. */
#ifndef RINGMAIN_CONFIGS_CONFIG_TABLE_H
#define RINGMAIN_CONFIGS_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_KIND_OBJECT = 0,
    CONFIG_KIND_ARRAY, /* of objects */
    CONFIG_KIND_BOOL,
    CONFIG_KIND_NUMBER, /* whole when scale is 1, else as many decimals as scale has zeros */
    CONFIG_KIND_STRING,
    CONFIG_KIND_CHOICE /* a string out of labels */
};

enum config_presence {
    CONFIG_OPTIONAL = 0, /* left out: initial */
    CONFIG_REQUIRED,
    CONFIG_DERIVED /* left out: computed; initial_text says how */
};

struct config_label {
    const char *name;
    int32_t value;
};

struct config_key {
    const char *path; /* "slots[].modules[].id" */
    enum config_kind kind;
    enum config_presence presence;
    /* Where: offset in struct config_draft, or in the element of the innermost array of the path. For an array: of the
     * first element, size that of one element, count_offset that of its uint32_t counter. */
    uint32_t offset, size, count_offset;
    /* Numbers: struct unit = file unit x scale; min, max, initial in struct units. Strings: length. Arrays: elements. */
    int64_t scale, min, max, initial;
    const char
        *initial_text; /* strings: the default; CONFIG_DERIVED: how it is derived, in words */
    const char *unit;  /* of the file's value */
    const struct config_label *labels;
    const char *text; /* one sentence */
};

extern const struct config_key config_table[];
extern const uint32_t config_table_count;

/* Row of a pattern such as "slots[].plcId", or NULL. */
const struct config_key *config_table_find(const char *pattern);
/* Is row a direct member of the object with this pattern ("" the whole file, "slots[]", "rt")? */
bool config_table_is_member(const struct config_key *key, const char *object);
/* The last part of the path: "plcId". */
const char *config_table_name(const struct config_key *key);

#endif
