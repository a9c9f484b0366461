#include "nrt/session/id_list.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_entry(struct id_list_entry *out, const cJSON *item, uint32_t index, char *error,
                       size_t error_size) {
    const cJSON *token = item;
    const cJSON *blocked = NULL;
    if (cJSON_IsObject(item)) {
        token = cJSON_GetObjectItemCaseSensitive(item, "token");
        blocked = cJSON_GetObjectItemCaseSensitive(item, "blocked");
    }
    if (!cJSON_IsString(token) || token->valuestring[0] == '\0' ||
        strlen(token->valuestring) >= RM_ID_TOKEN_LEN) {
        snprintf(error, error_size, "tokens[%u]: must be a token of 1 to %d characters", index,
                 RM_ID_TOKEN_LEN - 1);
        return -EINVAL;
    }
    if (blocked != NULL && !cJSON_IsBool(blocked)) {
        snprintf(error, error_size, "tokens[%u].blocked: must be true or false", index);
        return -EINVAL;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->token, token->valuestring, strlen(token->valuestring));
    out->blocked = cJSON_IsTrue(blocked);
    return 0;
}

static int parse_tokens(struct id_list *list, const cJSON *root, char *error, size_t error_size) {
    const cJSON *tokens =
        cJSON_IsObject(root) ? cJSON_GetObjectItemCaseSensitive(root, "tokens") : root;
    if (!cJSON_IsArray(tokens)) {
        snprintf(error, error_size, "must be an array of tokens, or an object with \"tokens\"");
        return -EINVAL;
    }
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, tokens) {
        if (list->count == ID_LIST_MAX) {
            snprintf(error, error_size, "more than %d tokens", ID_LIST_MAX);
            return -EINVAL;
        }
        int code = parse_entry(&list->entry[list->count], item, list->count, error, error_size);
        if (code != 0) {
            return code;
        }
        list->count++;
    }
    return 0;
}

int id_list_parse(struct id_list *list, const char *json, size_t length, char *error,
                  size_t error_size) {
    cJSON *root = cJSON_ParseWithLength(json, length);
    if (root == NULL) {
        snprintf(error, error_size, "is not valid JSON");
        return -EINVAL;
    }
    int code = -ENOMEM;
    struct id_list *fresh = calloc(1, sizeof *fresh);
    if (fresh != NULL) {
        code = parse_tokens(fresh, root, error, error_size);
    } else {
        snprintf(error, error_size, "no memory to read it");
    }
    if (code == 0) {
        *list = *fresh;
    }
    free(fresh);
    cJSON_Delete(root);
    return code;
}

enum policy_verdict id_list_verdict(const struct id_list *list, const char *token) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (policy_tokens_equal(list->entry[i].token, token)) {
            return list->entry[i].blocked ? POLICY_VERDICT_BLOCKED : POLICY_VERDICT_ACCEPTED;
        }
    }
    return POLICY_VERDICT_UNKNOWN;
}
