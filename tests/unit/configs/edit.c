#include "tests/unit/configs/edit.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE ((size_t)1024 * 1024)

char *edit_file(const char *path) {
    FILE *file = fopen(path, "rb");
    assert(file);
    char *text = calloc(1, FILE_SIZE);
    assert(text);
    size_t n = fread(text, 1, FILE_SIZE - 1, file);
    assert(n > 0);
    fclose(file);
    return text;
}

static int index_of(const char *part) {
    return (int)strtol(part, NULL, 10);
}

/* One step of a path: a key or an index. The child, made when it is missing and more follows. */
static cJSON *step(cJSON *at, const char *part, bool is_index, cJSON *put) {
    cJSON *child = is_index ? cJSON_GetArrayItem(at, index_of(part))
                            : cJSON_GetObjectItemCaseSensitive(at, part);
    if (put && child) {
        if (is_index) {
            cJSON_ReplaceItemViaPointer(at, child, put);
        } else {
            cJSON_ReplaceItemInObjectCaseSensitive(at, part, put);
        }
        return put;
    }
    if (!child) {
        child = put ? put : cJSON_CreateObject();
        if (is_index) {
            cJSON_AddItemToArray(at, child);
        } else {
            cJSON_AddItemToObject(at, part, child);
        }
    }
    return child;
}

static void take_out(cJSON *at, const char *part, bool is_index) {
    if (is_index) {
        cJSON_DeleteItemFromArray(at, index_of(part));
    } else {
        cJSON_DeleteItemFromObjectCaseSensitive(at, part);
    }
}

char *edit_text(const char *json, const char *path, const char *value) {
    cJSON *tree = cJSON_Parse(json), *at = tree;
    assert(tree);
    while (*path) {
        char part[64];
        bool is_index = *path == '[';
        path += is_index || *path == '.';
        size_t n = strcspn(path, ".[]");
        memcpy(part, path, n);
        part[n] = 0;
        path += n + (path[n] == ']');
        if (*path) {
            at = step(at, part, is_index, NULL);
        } else if (value) {
            cJSON *put = cJSON_CreateRaw(value); /* as written: 1e400 stays 1e400 */
            assert(put);
            step(at, part, is_index, put);
        } else {
            take_out(at, part, is_index);
        }
    }
    char *text = cJSON_Print(tree);
    cJSON_Delete(tree);
    return text;
}

char *edited(const char *file, const char *path, const char *value) {
    char name[96];
    snprintf(name, sizeof name, "configs/%s", file);
    char *json = edit_file(name), *text = edit_text(json, path, value);
    free(json);
    return text;
}

int parse_text(const char *json, struct config *out, struct config_errors *errors) {
    return config_parse(json, strlen(json), out, errors);
}

const struct config_error *error_at(const struct config_errors *errors, const char *path) {
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
        if (strcmp(errors->error[i].path, path) == 0) {
            return &errors->error[i];
        }
    }
    return NULL;
}
