/* The printed table is what lies in the tree, and the schema accepts the examples and refuses what is wrong. */
#include "configs/config_docs.h"
#include "tests/unit/configs/edit.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(void (*print)(FILE *)) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    print(out);
    fclose(out);
    return text;
}

static void same(const char *path, void (*print)(FILE *), const char *mode) {
    char *file = edit_file(path), *text = printed(print);
    if (strcmp(file, text) != 0) {
        fail_msg("%s is not what the table says: ringmain-config-docs %s > %s", path, mode, path);
    }
    free(file);
    free(text);
}

static void test_config_docs_are_those_of_the_tree(void **state) {
    (void)state;
    same("docs/configuration.md", config_docs_markdown, "markdown");
}

static void test_config_schema_is_that_of_the_tree(void **state) {
    (void)state;
    same("configs/charger.schema.json", config_docs_schema, "schema");
}

/* As much of JSON Schema 2020-12 as the schema uses; any other keyword fails the test. */
static bool valid(const cJSON *schema, const cJSON *value);

static bool valid_object(const cJSON *schema, const cJSON *value) {
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties"), *item;
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(schema, "additionalProperties")));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(schema, "required")) {
        if (!cJSON_GetObjectItemCaseSensitive(value, item->valuestring)) {
            return false;
        }
    }
    cJSON_ArrayForEach(item, value) {
        const cJSON *property = cJSON_GetObjectItemCaseSensitive(properties, item->string);
        if (!property || !valid(property, item)) {
            return false;
        }
    }
    return true;
}

static double limit(const cJSON *schema, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(schema, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static bool within(const cJSON *schema, const char *least, const char *most, double value) {
    return value >= limit(schema, least) && value <= limit(schema, most);
}

static bool valid_array(const cJSON *schema, const cJSON *value) {
    const cJSON *item;
    cJSON_ArrayForEach(item, value) {
        if (!valid(cJSON_GetObjectItemCaseSensitive(schema, "items"), item)) {
            return false;
        }
    }
    return within(schema, "minItems", "maxItems", cJSON_GetArraySize(value));
}

static bool valid_enum(const cJSON *choices, const cJSON *value) {
    const cJSON *item;
    cJSON_ArrayForEach(item, choices) {
        if (cJSON_Compare(item, value, true)) {
            return true;
        }
    }
    return false;
}

static bool valid(const cJSON *schema, const cJSON *value) {
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(schema, "enum");
    if (choices) {
        return valid_enum(choices, value);
    }
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(schema, "type"));
    assert_non_null(type);
    if (strcmp(type, "object") == 0) {
        return cJSON_IsObject(value) && valid_object(schema, value);
    }
    if (strcmp(type, "array") == 0) {
        return cJSON_IsArray(value) && valid_array(schema, value);
    }
    if (strcmp(type, "boolean") == 0) {
        return cJSON_IsBool(value);
    }
    if (strcmp(type, "string") == 0) {
        return cJSON_IsString(value) &&
               within(schema, "minLength", "maxLength", (double)strlen(value->valuestring));
    }
    bool whole = strcmp(type, "integer") == 0;
    assert_true(whole || strcmp(type, "number") == 0);
    return cJSON_IsNumber(value) && within(schema, "minimum", "maximum", value->valuedouble) &&
           (!whole || value->valuedouble == (double)(int64_t)value->valuedouble);
}

static bool schema_accepts(const char *json) {
    char *text = printed(config_docs_schema);
    cJSON *schema = cJSON_Parse(text), *value = cJSON_Parse(json);
    assert_non_null(schema);
    assert_non_null(value);
    bool good = valid(schema, value);
    cJSON_Delete(schema);
    cJSON_Delete(value);
    free(text);
    return good;
}

static void test_config_schema_accepts_the_examples(void **state) {
    (void)state;
    static const char *const files[] = {"configs/charger.json", "configs/two-gun.json",
                                        "configs/relay.json"};
    for (size_t i = 0; i < 3; i++) {
        char *text = edit_file(files[i]);
        assert_true(schema_accepts(text));
        free(text);
    }
}

static void test_config_schema_refuses_what_the_loader_refuses(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"gridLimitKW", "\"720\""},
        {"gridLimitKW", NULL},
        {"colour", "1"},
        {"connectors[0].plcId", "16"},
        {"connectors[0].id", NULL},
        {"connectors", "[]"},
        {"plc.contactorFrame", "\"GCMC\""},
        {"plc.useCRC8", "1"},
        {"chargePoint.id", "\"\""},
        {"chargePoint", NULL},
        {"connectors[0].plcId", "1.5"},
        {"rt.colour", "1"},
    };
    static struct config config;
    static struct config_errors errors;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *text = edited("charger.json", wrong[i][0], wrong[i][1]);
        assert_false(schema_accepts(text));
        assert_int_not_equal(parse_text(text, &config, &errors), 0);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_docs_are_those_of_the_tree),
        cmocka_unit_test(test_config_schema_is_that_of_the_tree),
        cmocka_unit_test(test_config_schema_accepts_the_examples),
        cmocka_unit_test(test_config_schema_refuses_what_the_loader_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
