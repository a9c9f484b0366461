/* Every row of the table: the default lies in its range, both ends are taken, what lies outside is refused at its path.
 * Also what the table itself must be: paths unique, parents before children, targets inside their struct. */
#include "configs/config_draft.h"
#include "configs/config_table.h"
#include "tests/unit/configs/edit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config_draft draft;
static struct config_errors errors;

/* A row's path with [0] for [], and with another number for the address lists' outer level left as it is. */
static void concrete(const char *pattern, char *path) {
    for (; *pattern; pattern++) {
        *path++ = *pattern;
        if (*pattern == '[') {
            *path++ = '0';
        }
    }
    *path = 0;
}

static void read_with(const struct config_key *key, const char *path, const char *value) {
    (void)key;
    char *json = edited("two-gun.json", path, value);
    memset(&errors, 0, sizeof errors);
    memset(&draft, 0, sizeof draft);
    config_draft_defaults(&draft);
    config_read(json, strlen(json), &draft, &errors);
    free(json);
}

/* The struct that a row's offsets count from, for element 0 of each list. */
static const unsigned char *base_of(const struct config_key *key) {
    static const struct {
        const char *prefix;
        const void *base;
    } bases[] = {
        {"slots[].modules[].", &draft.slot[0].slot.module[0]},
        {"slots[].", &draft.slot[0]},
        {"connectors[].", &draft.connector[0]},
        {"plc.interfaces[].", &draft.plc_bus[0]},
        {"modules.interfaces[].addresses[].", &draft.module_bus[0].address[0]},
        {"modules.interfaces[].", &draft.module_bus[0]},
    };
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        if (strncmp(key->path, bases[i].prefix, strlen(bases[i].prefix)) == 0) {
            return bases[i].base;
        }
    }
    return (const unsigned char *)&draft;
}

static int64_t stored(const struct config_key *key) {
    const unsigned char *at = base_of(key) + key->offset;
    uint8_t u8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    switch (key->size) {
    case 1: memcpy(&u8, at, 1); return u8;
    case 2: memcpy(&i16, at, 2); return i16;
    case 4: memcpy(&i32, at, 4); return i32;
    default: memcpy(&i64, at, 8); return i64;
    }
}

static void number(const struct config_key *key, int64_t value, char *text, size_t size) {
    snprintf(text, size, "%.15g", (double)value / (double)key->scale);
}

static void expect_good(const struct config_key *key, const char *path, int64_t value) {
    char text[40];
    number(key, value, text, sizeof text);
    read_with(key, path, text);
    if (errors.count != 0 || stored(key) != value) {
        fail_msg("%s = %s: %u errors, stored %lld", path, text, errors.count,
                 (long long)stored(key));
    }
}

static void expect_refused(const char *path, const struct config_key *key, const char *text,
                           const char *says) {
    read_with(key, path, text);
    const struct config_error *e = error_at(&errors, path);
    if (errors.count != 1 || !e || !strstr(e->text, says)) {
        config_errors_print(stderr, path, &errors);
        fail_msg("%s = %s: expected %s", path, text, says);
    }
}

static void test_config_every_number_at_and_beyond_its_ends(void **state) {
    (void)state;
    uint32_t numbers = 0;
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        char path[96], text[40];
        if (key->kind != CONFIG_KIND_NUMBER) {
            continue;
        }
        numbers++;
        concrete(key->path, path);
        assert_true(key->min < key->max);
        expect_good(key, path, key->min);
        expect_good(key, path, key->max);
        if (key->presence == CONFIG_OPTIONAL) {
            assert_true(key->initial >= key->min && key->initial <= key->max);
        }
        number(key, key->min - 1, text, sizeof text);
        expect_refused(path, key, text, "out of range");
        number(key, key->max + 1, text, sizeof text);
        expect_refused(path, key, text, "out of range");
        snprintf(text, sizeof text, "%.15g", ((double)key->min + 0.5) / (double)key->scale);
        expect_refused(path, key, text, key->scale == 1 ? "whole number" : "too many decimals");
        expect_refused(path, key, "true", "must be a number");
        expect_refused(path, key, "1e400", "out of range");
    }
    assert_true(numbers > 130);
}

static void string_of(char *text, size_t length) {
    text[0] = '"';
    memset(text + 1, 'x', length);
    memcpy(text + 1 + length, "\"", 2);
}

static void test_config_every_string_at_and_beyond_its_ends(void **state) {
    (void)state;
    char path[96], text[400];
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        if (key->kind != CONFIG_KIND_STRING) {
            continue;
        }
        concrete(key->path, path);
        string_of(text, (size_t)key->max);
        read_with(key, path, text);
        assert_int_equal(errors.count, 0);
        assert_int_equal(strlen((const char *)base_of(key) + key->offset), key->max);
        string_of(text, (size_t)key->max + 1);
        expect_refused(path, key, text, "bytes long");
        string_of(text, (size_t)key->min);
        read_with(key, path, text);
        assert_int_equal(errors.count, 0);
        if (key->min > 0) {
            expect_refused(path, key, "\"\"", "bytes long");
        }
        expect_refused(path, key, "5", "must be a string");
        if (key->max >= 2) {
            expect_refused(path, key, "\"\\u001b\\u001b\"", "control characters");
        }
    }
}

static void test_config_every_choice_and_boolean(void **state) {
    (void)state;
    char path[96], text[40];
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        concrete(key->path, path);
        if (key->kind == CONFIG_KIND_BOOL) {
            read_with(key, path, "true");
            assert_int_equal(stored(key), 1);
            read_with(key, path, "false");
            assert_int_equal(stored(key), 0);
            expect_refused(path, key, "0", "true or false");
        }
        for (const struct config_label *l = key->labels; l && l->name; l++) {
            snprintf(text, sizeof text, "\"%s\"", l->name);
            read_with(key, path, text);
            assert_int_equal(errors.count, 0);
            assert_int_equal(stored(key), l->value);
        }
        if (key->kind == CONFIG_KIND_CHOICE) {
            assert_non_null(key->labels);
            expect_refused(path, key, "\"other\"", "must be one of");
        }
    }
}

static void test_config_table_targets_fit_their_fields(void **state) {
    (void)state;
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        assert_non_null(key->text);
        assert_int_equal(key->text[strlen(key->text) - 1], '.');
        for (uint32_t j = 0; j < i; j++) {
            assert_string_not_equal(key->path, config_table[j].path);
        }
        if (key->kind == CONFIG_KIND_NUMBER) {
            assert_true(key->size == 1 || key->size == 2 || key->size == 4 || key->size == 8);
            assert_true(key->size != 1 || (key->min >= 0 && key->max <= UINT8_MAX));
            assert_true(key->size != 2 || (key->min >= INT16_MIN && key->max <= INT16_MAX));
            assert_true(key->size != 4 || (key->min >= INT32_MIN && key->max <= INT32_MAX));
            assert_non_null(key->unit);
        }
        if (key->kind == CONFIG_KIND_STRING) {
            assert_true((size_t)key->max < key->size);
            assert_non_null(key->initial_text);
        }
        if (key->kind == CONFIG_KIND_BOOL) {
            assert_int_equal(key->size, sizeof(bool));
        }
        if (key->presence == CONFIG_DERIVED) {
            assert_non_null(key->initial_text);
        }
    }
}

/* Each path's parent is a row of its own: an object, or an array for []. */
static void test_config_table_parents_are_rows(void **state) {
    (void)state;
    for (uint32_t i = 0; i < config_table_count; i++) {
        char parent[96];
        snprintf(parent, sizeof parent, "%s", config_table[i].path);
        char *dot = strrchr(parent, '.');
        if (!dot) {
            continue;
        }
        *dot = 0;
        bool list = dot - parent > 2 && dot[-1] == ']';
        if (list) {
            dot[-2] = 0;
        }
        const struct config_key *row = config_table_find(parent);
        assert_non_null(row);
        assert_int_equal(row->kind, list ? CONFIG_KIND_ARRAY : CONFIG_KIND_OBJECT);
    }
    assert_null(config_table_find("rt.none"));
    assert_null(config_table_find(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_every_number_at_and_beyond_its_ends),
        cmocka_unit_test(test_config_every_string_at_and_beyond_its_ends),
        cmocka_unit_test(test_config_every_choice_and_boolean),
        cmocka_unit_test(test_config_table_targets_fit_their_fields),
        cmocka_unit_test(test_config_table_parents_are_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
