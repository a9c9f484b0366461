#include "configs/config_docs.h"

#include "configs/config_table.h"

#include <assert.h>
#include <string.h>

static double in_file_unit(const struct config_key *key, int64_t value) {
    return (double)value / (double)key->scale;
}

/* An object is required where something in it is. */
static bool is_required(const struct config_key *key) {
    if (key->kind != CONFIG_KIND_OBJECT) {
        return key->presence == CONFIG_REQUIRED;
    }
    for (uint32_t i = 0; i < config_table_count; i++) {
        if (config_table_is_member(&config_table[i], key->path) && is_required(&config_table[i])) {
            return true;
        }
    }
    return false;
}

/* Markdown: one table per object. */

static void print_type(FILE *out, const struct config_key *key) {
    switch (key->kind) {
    case CONFIG_KIND_OBJECT: fprintf(out, "object"); break;
    case CONFIG_KIND_ARRAY: fprintf(out, "array of objects"); break;
    case CONFIG_KIND_BOOL: fprintf(out, "boolean"); break;
    case CONFIG_KIND_NUMBER:
        fprintf(out, "%s%s%s", key->scale == 1 ? "whole number" : "number",
                key->unit[0] ? ", " : "", key->unit);
        break;
    case CONFIG_KIND_STRING:
    case CONFIG_KIND_CHOICE: fprintf(out, "string"); break;
    }
}

static const char *label_of(const struct config_key *key, int64_t value) {
    for (const struct config_label *l = key->labels; l->name; l++) {
        if (l->value == value) {
            return l->name;
        }
    }
    assert(false); /* a choice's default is one of its labels */
    return "";
}

static void print_default(FILE *out, const struct config_key *key) {
    if (is_required(key)) {
        fprintf(out, "required");
        return;
    }
    if (key->presence == CONFIG_DERIVED) {
        fprintf(out, "*%s*", key->initial_text);
        return;
    }
    switch (key->kind) {
    case CONFIG_KIND_OBJECT: fprintf(out, "all its defaults"); break;
    case CONFIG_KIND_ARRAY: fprintf(out, "none"); break;
    case CONFIG_KIND_BOOL: fprintf(out, "%s", key->initial ? "true" : "false"); break;
    case CONFIG_KIND_NUMBER: fprintf(out, "%.15g", in_file_unit(key, key->initial)); break;
    case CONFIG_KIND_STRING: fprintf(out, "`\"%s\"`", key->initial_text); break;
    case CONFIG_KIND_CHOICE: fprintf(out, "`\"%s\"`", label_of(key, key->initial)); break;
    }
}

static void print_allowed(FILE *out, const struct config_key *key) {
    switch (key->kind) {
    case CONFIG_KIND_OBJECT: break;
    case CONFIG_KIND_ARRAY:
        fprintf(out, "%lld to %lld elements", (long long)key->min, (long long)key->max);
        break;
    case CONFIG_KIND_BOOL: fprintf(out, "true, false"); break;
    case CONFIG_KIND_NUMBER:
        fprintf(out, "%.15g to %.15g", in_file_unit(key, key->min), in_file_unit(key, key->max));
        break;
    case CONFIG_KIND_STRING:
        fprintf(out, "%lld to %lld bytes", (long long)key->min, (long long)key->max);
        break;
    case CONFIG_KIND_CHOICE:
        for (const struct config_label *l = key->labels; l->name; l++) {
            fprintf(out, "%s`\"%s\"`", l == key->labels ? "" : ", ", l->name);
        }
        break;
    }
}

static void print_table(FILE *out, const char *object) {
    fprintf(out, "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        if (config_table_is_member(key, object)) {
            fprintf(out, "| `%s` | ", config_table_name(key));
            print_type(out, key);
            fprintf(out, " | ");
            print_default(out, key);
            fprintf(out, " | ");
            print_allowed(out, key);
            fprintf(out, " | %s |\n", key->text);
        }
    }
    fprintf(out, "\n");
}

/* The pattern of the object that a row opens: its path, with [] when it is an array. False for plain values. */
static bool opens(const struct config_key *key, char *pattern, size_t size) {
    if (key->kind != CONFIG_KIND_OBJECT && key->kind != CONFIG_KIND_ARRAY) {
        return false;
    }
    snprintf(pattern, size, "%s%s", key->path, key->kind == CONFIG_KIND_ARRAY ? "[]" : "");
    return true;
}

static bool is_timing(const struct config_key *key) {
    return strncmp(key->path, "plc.timing", 10) == 0;
}

static void print_timing(FILE *out) {
    fprintf(out, "| frame | sent by | periodMs | allowed | deadlineMs |\n|---|---|---|---|---|\n");
    const struct config_key *period = NULL;
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        if (is_timing(key) && strcmp(config_table_name(key), "periodMs") == 0) {
            period = key;
        } else if (is_timing(key) && strcmp(config_table_name(key), "deadlineMs") == 0) {
            assert(period);
            fprintf(out, "| `%.*s` | ", (int)(strrchr(key->path, '.') - key->path - 11),
                    key->path + 11);
            fprintf(out, "%s | ", strstr(period->text, "the hub sends") ? "hub" : "PLC");
            print_default(out, period);
            fprintf(out, " | %lld to %lld | ", (long long)period->min, (long long)period->max);
            print_default(out, key);
            fprintf(out, " |\n");
        }
    }
    fprintf(out, "\n");
}

void config_docs_markdown(FILE *out) {
    fprintf(out,
            "# Configuration\n\n"
            "This page is printed by `ringmain-config-docs markdown` from the table that the "
            "loader works by (`configs/config_table.c`).\n"
            "The same table as JSON Schema: `configs/charger.schema.json`.\n\n"
            "`ringmain-rt --check-config FILE` says all errors of a file at once, draws its "
            "topology and works out the load of its CAN buses.\n"
            "A key that is not listed here is an error, as is a key that stands twice in one "
            "object.\n"
            "Amperes, volts, kilowatts and kilo-ohms may have three decimals, degrees and per cent "
            "one; whole numbers are marked so.\n"
            "Examples: `configs/charger.json`, `configs/two-gun.json`, "
            "`configs/relay.json`.\n\n"
            "## The file\n\n");
    print_table(out, "");
    for (uint32_t i = 0; i < config_table_count; i++) {
        const struct config_key *key = &config_table[i];
        char pattern[96];
        if (!opens(key, pattern, sizeof pattern) || (is_timing(key) && strlen(key->path) > 10)) {
            continue;
        }
        fprintf(out, "## %s\n\n%s\n", pattern, key->text);
        if (is_timing(key)) {
            fprintf(out,
                    "One object per frame of the CAN contract, each with `periodMs` and "
                    "`deadlineMs`; the load and response-time analysis works with both.\n"
                    "A frame of the hub is sent at its period. Of a PLC's frame the period is what "
                    "its vendor says; 0: sent on events only.\n"
                    "No period may be longer than the contract's, because a PLC's watchdog and the "
                    "ages at which the guard calls a measurement stale are made from that; "
                    "statistics, and what comes on events, are free. A shorter one of a PLC counts "
                    "as load and does not shorten those ages.\n"
                    "A deadline is 1 to 60000 ms, of RelayControl and GCMC_Command at most "
                    "200.\n\n");
            print_timing(out);
        } else {
            fprintf(out, "\n");
            print_table(out, pattern);
        }
    }
}

/* JSON Schema. */

static void print_json_string(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

static void indent(FILE *out, int depth) {
    fprintf(out, "\n%*s", depth * 2, "");
}

static void print_object_schema(FILE *out, const char *object, int depth);

static void print_description(FILE *out, const struct config_key *key) {
    char text[320];
    const char *unit = key->unit && key->unit[0] ? key->unit : NULL;
    snprintf(text, sizeof text, "%s%s%s%s%s%s", key->text, unit ? " Unit: " : "", unit ? unit : "",
             unit ? "." : "", key->presence == CONFIG_DERIVED ? " Left out: " : "",
             key->presence == CONFIG_DERIVED ? key->initial_text : "");
    fprintf(out, "\"description\": ");
    print_json_string(out, text);
}

static void print_choice_schema(FILE *out, const struct config_key *key) {
    fprintf(out, "\"enum\": [");
    for (const struct config_label *l = key->labels; l->name; l++) {
        fprintf(out, "%s\"%s\"", l == key->labels ? "" : ", ", l->name);
    }
    fprintf(out, "], \"default\": \"%s\"", label_of(key, key->initial));
}

static void print_number_schema(FILE *out, const struct config_key *key) {
    fprintf(out, "\"type\": \"%s\", \"minimum\": %.15g, \"maximum\": %.15g",
            key->scale == 1 ? "integer" : "number", in_file_unit(key, key->min),
            in_file_unit(key, key->max));
    if (key->presence == CONFIG_OPTIONAL) {
        fprintf(out, ", \"default\": %.15g", in_file_unit(key, key->initial));
    }
}

static void print_key_schema(FILE *out, const struct config_key *key, int depth) {
    char pattern[96] = "";
    opens(key, pattern, sizeof pattern);
    fprintf(out, "{ ");
    print_description(out, key);
    fprintf(out, ", ");
    switch (key->kind) {
    case CONFIG_KIND_OBJECT: print_object_schema(out, pattern, depth); break;
    case CONFIG_KIND_ARRAY:
        fprintf(out, "\"type\": \"array\", \"minItems\": %lld, \"maxItems\": %lld, \"items\": { ",
                (long long)key->min, (long long)key->max);
        print_object_schema(out, pattern, depth);
        fprintf(out, " }");
        break;
    case CONFIG_KIND_BOOL:
        fprintf(out, "\"type\": \"boolean\", \"default\": %s", key->initial ? "true" : "false");
        break;
    case CONFIG_KIND_NUMBER: print_number_schema(out, key); break;
    case CONFIG_KIND_STRING:
        fprintf(out, "\"type\": \"string\", \"minLength\": %lld, \"maxLength\": %lld",
                (long long)key->min, (long long)key->max);
        if (key->presence == CONFIG_OPTIONAL) {
            fprintf(out, ", \"default\": ");
            print_json_string(out, key->initial_text);
        }
        break;
    case CONFIG_KIND_CHOICE: print_choice_schema(out, key); break;
    }
    fprintf(out, " }");
}

static void print_object_schema(FILE *out, const char *object, int depth) {
    const char *comma = "";
    fprintf(out, "\"type\": \"object\", \"additionalProperties\": false, \"required\": [");
    for (uint32_t i = 0; i < config_table_count; i++) {
        if (config_table_is_member(&config_table[i], object) && is_required(&config_table[i])) {
            fprintf(out, "%s\"%s\"", comma, config_table_name(&config_table[i]));
            comma = ", ";
        }
    }
    fprintf(out, "],");
    indent(out, depth);
    fprintf(out, "\"properties\": {");
    comma = "";
    for (uint32_t i = 0; i < config_table_count; i++) {
        if (config_table_is_member(&config_table[i], object)) {
            fprintf(out, "%s", comma);
            indent(out, depth + 1);
            fprintf(out, "\"%s\": ", config_table_name(&config_table[i]));
            print_key_schema(out, &config_table[i], depth + 2);
            comma = ",";
        }
    }
    indent(out, depth);
    fprintf(out, "}");
}

void config_docs_schema(FILE *out) {
    fprintf(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                 "  \"$id\": \"urn:ringmain:charger.schema.json\",\n"
                 "  \"title\": \"Configuration of a Ringmain hub\",\n  ");
    print_object_schema(out, "", 1);
    fprintf(out, "\n}\n");
}
