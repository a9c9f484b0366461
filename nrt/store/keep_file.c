#include "nrt/store/keep_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nrt/store/event_line.h"
#include "shm/vocabulary.h"

#define KEEP_FILE_MAX (256 << 10)

uint64_t keep_latched_mask(void) {
    uint64_t mask = 0;
    for (unsigned code = 1; code < FAULT_COUNT; code++) {
        if (fault_info(code)->latched) {
            mask |= UINT64_C(1) << code;
        }
    }
    return mask;
}

static void write_limit(struct json_writer *w, const char *key, const struct keep_limit *limit) {
    if (!limit->set) {
        return;
    }
    json_object(w, key);
    json_int(w, "limit_w", limit->value_w);
    /* seconds: a double of the reader holds them exactly */
    json_int(w, "until_real_s", limit->until_real_ns / 1000000000);
    json_object_end(w);
}

static bool has_gun_entry(const struct keep *keep, const struct config *config, uint32_t slot) {
    return event_connector_id(config, slot) > 0 &&
           (keep->slot[slot].limit.set || keep->slot[slot].inoperative);
}

void keep_write(struct json_writer *w, const struct keep *keep, const struct config *config) {
    json_object(w, NULL);
    write_limit(w, "site", &keep->site);
    json_array(w, "guns");
    for (uint32_t i = 0; i < config->slots; i++) {
        if (has_gun_entry(keep, config, i)) {
            json_object(w, NULL);
            json_int(w, "connector_id", event_connector_id(config, i));
            json_bool(w, "inoperative", keep->slot[i].inoperative);
            write_limit(w, "limit", &keep->slot[i].limit);
            json_object_end(w);
        }
    }
    json_array_end(w);
    json_array(w, "latched");
    for (uint32_t i = 0; i < config->slots; i++) {
        for (unsigned code = 1; code < FAULT_COUNT; code++) {
            if ((keep->slot[i].latched >> code & 1u) != 0) {
                json_object(w, NULL);
                json_int(w, "slot_id", config->slot[i].id);
                json_string(w, "fault", fault_info(code)->name);
                json_object_end(w);
            }
        }
    }
    json_array_end(w);
    json_object_end(w);
    json_raw(w, "\n");
}

/* A damaged limit must not become none: the whole file is then refused. */
static int parse_limit(struct keep_limit *out, const cJSON *item) {
    if (item == NULL) {
        return 0;
    }
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "limit_w");
    const cJSON *until = cJSON_GetObjectItemCaseSensitive(item, "until_real_s");
    if (!cJSON_IsNumber(value) || !cJSON_IsNumber(until) || !(value->valuedouble >= 0) ||
        !(value->valuedouble <= 1e9) || !(until->valuedouble >= 0) ||
        !(until->valuedouble <= 9e9)) {
        return -EINVAL;
    }
    *out = (struct keep_limit){.set = true,
                               .value_w = (int64_t)value->valuedouble,
                               .until_real_ns = (int64_t)until->valuedouble * 1000000000};
    return 0;
}

static int parse_gun(struct keep *keep, const cJSON *item, const struct config *config) {
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "connector_id");
    const cJSON *inoperative = cJSON_GetObjectItemCaseSensitive(item, "inoperative");
    struct keep_limit limit = {.set = false};
    if (!cJSON_IsNumber(id) || !cJSON_IsBool(inoperative) ||
        parse_limit(&limit, cJSON_GetObjectItemCaseSensitive(item, "limit")) != 0) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < config->slots; i++) {
        if (event_connector_id(config, i) == id->valueint) {
            keep->slot[i].limit = limit;
            keep->slot[i].inoperative = cJSON_IsTrue(inoperative);
        }
    }
    return 0;
}

static int parse_latch(struct keep *keep, const cJSON *item, const struct config *config) {
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "slot_id");
    const cJSON *fault = cJSON_GetObjectItemCaseSensitive(item, "fault");
    if (!cJSON_IsNumber(id) || !cJSON_IsString(fault)) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < config->slots; i++) {
        for (unsigned code = 1; config->slot[i].id == id->valueint && code < FAULT_COUNT; code++) {
            if (strcmp(fault->valuestring, fault_info(code)->name) == 0) {
                keep->slot[i].latched |= (UINT64_C(1) << code) & keep_latched_mask();
            }
        }
    }
    return 0;
}

static int parse_root(struct keep *keep, const cJSON *root, const struct config *config,
                      char *error, size_t error_size) {
    const cJSON *guns = cJSON_GetObjectItemCaseSensitive(root, "guns");
    const cJSON *latched = cJSON_GetObjectItemCaseSensitive(root, "latched");
    const cJSON *item = NULL;
    if (!cJSON_IsArray(guns) || !cJSON_IsArray(latched)) {
        snprintf(error, error_size, "lacks \"guns\" or \"latched\"");
        return -EINVAL;
    }
    if (parse_limit(&keep->site, cJSON_GetObjectItemCaseSensitive(root, "site")) != 0) {
        snprintf(error, error_size, "\"site\" is damaged");
        return -EINVAL;
    }
    cJSON_ArrayForEach(item, guns) {
        if (parse_gun(keep, item, config) != 0) {
            snprintf(error, error_size, "an entry of \"guns\" is damaged");
            return -EINVAL;
        }
    }
    cJSON_ArrayForEach(item, latched) {
        if (parse_latch(keep, item, config) != 0) {
            snprintf(error, error_size, "an entry of \"latched\" is damaged");
            return -EINVAL;
        }
    }
    return 0;
}

int keep_parse(struct keep *out, const char *json, size_t length, const struct config *config,
               char *error, size_t error_size) {
    struct keep fresh;
    memset(&fresh, 0, sizeof fresh);
    cJSON *root = cJSON_ParseWithLength(json, length);
    if (root == NULL) {
        snprintf(error, error_size, "is not valid JSON");
        return -EINVAL;
    }
    int code = parse_root(&fresh, root, config, error, error_size);
    cJSON_Delete(root);
    if (code == 0) {
        *out = fresh;
    }
    return code;
}

int keep_read_file(const char *path, size_t max, char **text, size_t *length) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int code = fstat(fd, &info) != 0 ? -errno : 0;
    if (code == 0 && (!S_ISREG(info.st_mode) || info.st_size < 0 || (size_t)info.st_size > max)) {
        code = S_ISREG(info.st_mode) ? -EFBIG : -EINVAL;
    }
    char *buffer = code == 0 ? calloc(1, (size_t)info.st_size + 1) : NULL;
    size_t done = 0;
    while (code == 0 && buffer != NULL && done < (size_t)info.st_size) {
        ssize_t count = read(fd, buffer + done, (size_t)info.st_size - done);
        if (count < 0 && errno != EINTR) {
            code = -errno;
        } else if (count == 0) {
            break;
        } else if (count > 0) {
            done += (size_t)count;
        }
    }
    close(fd);
    if (code != 0 || buffer == NULL) {
        free(buffer);
        return code != 0 ? code : -ENOMEM;
    }
    *text = buffer;
    *length = done;
    return 0;
}

int keep_load(struct keep *out, const char *path, const struct config *config, char *error,
              size_t error_size) {
    char *text = NULL;
    size_t length = 0;
    error[0] = '\0';
    int code = keep_read_file(path, KEEP_FILE_MAX, &text, &length);
    if (code == 0) {
        code = keep_parse(out, text, length, config, error, error_size);
        free(text);
    } else {
        snprintf(error, error_size, "cannot be read: %s", strerror(-code));
    }
    return code;
}

static int write_synced(int fd, const char *text, size_t length) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = write(fd, text + done, length - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? -errno : -EIO;
        }
        done += (size_t)count;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

static int replace_file(const char *path, const char *text, size_t length) {
    char beside[512], folder[512];
    if (strlen(path) + 5 > sizeof beside) {
        return -ENAMETOOLONG;
    }
    snprintf(beside, sizeof beside, "%s.new", path);
    snprintf(folder, sizeof folder, "%s", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return -errno;
    }
    int code = write_synced(fd, text, length);
    close(fd);
    if (code == 0 && rename(beside, path) != 0) {
        code = -errno;
    }
    if (code != 0) {
        unlink(beside);
        return code;
    }
    int folder_fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd >= 0) {
        code = fsync(folder_fd) == 0 ? 0 : -errno;
        close(folder_fd);
    }
    return code;
}

int keep_save(const struct keep *keep, const char *path, const struct config *config) {
    char *text = malloc(KEEP_FILE_MAX);
    if (text == NULL) {
        return -ENOMEM;
    }
    struct json_writer w;
    json_init(&w, text, KEEP_FILE_MAX);
    keep_write(&w, keep, config);
    int code = w.overflow ? -EFBIG : replace_file(path, text, w.length);
    free(text);
    return code;
}
