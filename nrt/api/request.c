#include "nrt/api/request.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shm/vocabulary.h"

enum key {
    KEY_GUN = 1,
    KEY_TOKEN = 2,
    KEY_KW = 4,
    KEY_SECONDS = 8,
    KEY_FAULT = 16,
    KEY_OPERATIVE = 32
};

static const struct {
    const char *cmd;
    unsigned needs, may;
} FORM[REQUEST_TYPE_COUNT] = {
    [REQUEST_NONE] = {"", 0, 0},
    [REQUEST_AUTHORISE] = {"authorise", KEY_GUN, KEY_TOKEN},
    [REQUEST_STOP] = {"stop", KEY_GUN, 0},
    [REQUEST_LIMIT] = {"limit", KEY_KW, KEY_GUN | KEY_SECONDS},
    [REQUEST_CLEAR] = {"clear", 0, KEY_GUN | KEY_FAULT},
    [REQUEST_RESET_ESTOP] = {"reset-estop", 0, 0},
    [REQUEST_AVAILABILITY] = {"availability", KEY_GUN | KEY_OPERATIVE, 0},
    [REQUEST_RESERVE] = {"reserve", KEY_GUN | KEY_TOKEN | KEY_SECONDS, 0},
    [REQUEST_STATUS] = {"status", 0, 0},
    [REQUEST_PING] = {"ping", 0, 0},
};

static const struct {
    const char *name;
    enum key key;
} KEYS[] = {{"gun", KEY_GUN},         {"token", KEY_TOKEN}, {"kw", KEY_KW},
            {"seconds", KEY_SECONDS}, {"fault", KEY_FAULT}, {"operative", KEY_OPERATIVE}};

const char *request_type_name(enum request_type type) {
    return (unsigned)type < REQUEST_TYPE_COUNT ? FORM[type].cmd : "?";
}

static int refuse(char error[REQUEST_ERROR_LEN], const char *key, const char *mend) {
    snprintf(error, REQUEST_ERROR_LEN, "%s: %s", key, mend);
    return -EINVAL;
}

/* Integers only: 3.5 is no gun. */
static bool whole_number(const cJSON *item, double low, double high, int64_t *out) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= low && item->valuedouble <= high) ||
        item->valuedouble != floor(item->valuedouble)) {
        return false;
    }
    *out = (int64_t)item->valuedouble;
    return true;
}

static int take_token(struct request *out, const cJSON *item, char error[REQUEST_ERROR_LEN]) {
    if (!cJSON_IsString(item) || item->valuestring[0] == '\0' ||
        strlen(item->valuestring) >= RM_ID_TOKEN_LEN) {
        return refuse(error, "token", "must be a string of 1 to 39 characters");
    }
    for (const char *c = item->valuestring; *c != '\0'; c++) {
        if (*c < 0x21 || *c > 0x7e) {
            return refuse(error, "token", "must be printable ASCII without spaces");
        }
    }
    memcpy(out->token, item->valuestring, strlen(item->valuestring) + 1);
    return 0;
}

static int take_kw(struct request *out, const cJSON *item, char error[REQUEST_ERROR_LEN]) {
    if (cJSON_IsNull(item)) {
        out->take_back = true;
        return 0;
    }
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= REQUEST_KW_MAX)) {
        return refuse(error, "kw",
                      "must be a number from 0 to 100000, or null to take a limit back");
    }
    out->limit_w = (int64_t)llround(item->valuedouble * 1000);
    return 0;
}

static int take_fault(struct request *out, const cJSON *item, char error[REQUEST_ERROR_LEN]) {
    for (unsigned code = 1; cJSON_IsString(item) && code < FAULT_COUNT; code++) {
        if (strcasecmp(item->valuestring, fault_info(code)->name) == 0) {
            out->fault = (uint16_t)code;
            return 0;
        }
    }
    return refuse(error, "fault", "must be the name of a fault, such as \"IMD_LOW\"");
}

static int take_key(struct request *out, enum key key, const cJSON *item,
                    char error[REQUEST_ERROR_LEN]) {
    int64_t number;
    switch (key) {
    case KEY_GUN:
        if (!whole_number(item, 1, REQUEST_GUN_MAX, &number)) {
            return refuse(error, "gun", "must be a connector id, a whole number from 1");
        }
        out->gun = (int32_t)number;
        return 0;
    case KEY_SECONDS:
        if (!whole_number(item, 0, REQUEST_SECONDS_MAX, &number)) {
            return refuse(error, "seconds", "must be a whole number from 0 to 2592000 (30 days)");
        }
        out->seconds = number;
        return 0;
    case KEY_OPERATIVE:
        if (!cJSON_IsBool(item)) {
            return refuse(error, "operative", "must be true or false");
        }
        out->operative = cJSON_IsTrue(item);
        return 0;
    case KEY_TOKEN: return take_token(out, item, error);
    case KEY_KW: return take_kw(out, item, error);
    case KEY_FAULT: return take_fault(out, item, error);
    }
    return -EINVAL;
}

static int take_keys(struct request *out, const cJSON *root, char error[REQUEST_ERROR_LEN]) {
    unsigned seen = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, root) {
        size_t k = 0;
        while (k < sizeof KEYS / sizeof KEYS[0] && strcmp(item->string, KEYS[k].name) != 0) {
            k++;
        }
        bool is_cmd = strcmp(item->string, "cmd") == 0;
        if (is_cmd && (seen & 0x8000u) == 0) {
            seen |= 0x8000u;
            continue;
        }
        unsigned bit = k < sizeof KEYS / sizeof KEYS[0] ? (unsigned)KEYS[k].key : 0;
        if (bit == 0 || ((FORM[out->type].needs | FORM[out->type].may) & bit) == 0) {
            snprintf(error, REQUEST_ERROR_LEN, "%.40s: not a key of \"%s\"", item->string,
                     FORM[out->type].cmd);
            return -EINVAL;
        }
        if ((seen & bit) != 0) {
            return refuse(error, KEYS[k].name, "given twice");
        }
        seen |= bit;
        int code = take_key(out, KEYS[k].key, item, error);
        if (code != 0) {
            return code;
        }
    }
    for (size_t k = 0; k < sizeof KEYS / sizeof KEYS[0]; k++) {
        if ((FORM[out->type].needs & ~seen & (unsigned)KEYS[k].key) != 0) {
            return refuse(error, KEYS[k].name, "is missing");
        }
    }
    return 0;
}

static int parse_root(const cJSON *root, struct request *out, char error[REQUEST_ERROR_LEN]) {
    if (!cJSON_IsObject(root)) {
        return refuse(error, "request", "must be a JSON object such as {\"cmd\":\"ping\"}");
    }
    const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(root, "cmd");
    if (!cJSON_IsString(cmd)) {
        return refuse(error, "cmd", "is missing or not a string");
    }
    for (unsigned type = 1; type < REQUEST_TYPE_COUNT; type++) {
        if (strcmp(cmd->valuestring, FORM[type].cmd) == 0) {
            out->type = (enum request_type)type;
            return take_keys(out, root, error);
        }
    }
    snprintf(error, REQUEST_ERROR_LEN,
             "cmd: \"%.32s\" is unknown; there are authorise, stop, limit, clear, reset-estop, "
             "availability, reserve, status, ping",
             cmd->valuestring);
    return -EINVAL;
}

int request_parse(const char *line, size_t length, struct request *out,
                  char error[REQUEST_ERROR_LEN]) {
    memset(out, 0, sizeof *out);
    error[0] = '\0';
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(line, length, &end, false);
    if (root == NULL) {
        return refuse(error, "request", "is not valid JSON");
    }
    int code = 0;
    for (const char *c = end; c < line + length; c++) {
        if (*c != ' ' && *c != '\t' && *c != '\r' && *c != '\n') {
            code = refuse(error, "request", "has something behind the closing brace");
            break;
        }
    }
    if (code == 0) {
        code = parse_root(root, out, error);
    }
    cJSON_Delete(root);
    return code;
}
