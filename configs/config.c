#include "configs/config.h"

#include "configs/config_draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1024 * 1024)

void config_errors_add(struct config_errors *errors, const char *path, const char *value,
                       const char *format, ...) {
    if (errors->count < CONFIG_ERRORS_MAX) {
        struct config_error *e = &errors->error[errors->count];
        snprintf(e->path, sizeof e->path, "%s", path);
        snprintf(e->value, sizeof e->value, "%s", value ? value : "");
        va_list arguments;
        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): started just above */
        vsnprintf(e->text, sizeof e->text, format, arguments);
        va_end(arguments);
    }
    errors->count++;
}

static struct config_draft *draft_new(void) {
    struct config_draft *draft = calloc(1, sizeof *draft);
    if (draft) {
        config_draft_defaults(draft);
    }
    return draft;
}

int config_parse(const char *json, size_t length, struct config *out,
                 struct config_errors *errors) {
    memset(errors, 0, sizeof *errors);
    if (length > FILE_MAX) {
        config_errors_add(errors, "", NULL, "is larger than 1 MiB: this is no configuration");
        return -EINVAL;
    }
    struct config_draft *draft = draft_new();
    if (!draft) {
        config_errors_add(errors, "", NULL, "there is not enough memory to read it");
        return -ENOMEM;
    }
    config_read(json, length, draft, errors);
    config_check(draft, errors);
    if (errors->count == 0) {
        *out = draft->config;
    }
    free(draft);
    return errors->count == 0 ? 0 : -EINVAL;
}

/* The whole file into memory of the caller, FILE_MAX + 1 bytes. Length, or -errno. */
static int64_t read_file(const char *path, char *text) {
    FILE *file = fopen(path, "rbe");
    if (!file) {
        return -errno;
    }
    size_t length = fread(text, 1, FILE_MAX + 1, file);
    int64_t result = ferror(file) ? -(int64_t)(errno ? errno : EIO) : (int64_t)length;
    fclose(file);
    return result;
}

int config_load(const char *path, struct config *out, struct config_errors *errors) {
    memset(errors, 0, sizeof *errors);
    char *text = malloc(FILE_MAX + 1);
    int64_t length = text ? read_file(path, text) : -ENOMEM;
    int result;
    if (length < 0) {
        result = (int)length;
        config_errors_add(errors, path, NULL, "cannot be read: %s", strerror(-result));
    } else {
        result = config_parse(text, (size_t)length, out, errors);
    }
    free(text);
    return result;
}

void config_ring(struct config *out, uint32_t n, uint32_t modules_per_slot) {
    assert(n >= 1 && n <= RM_SLOTS_MAX && modules_per_slot <= RM_MODULES_PER_SLOT_MAX);
    struct config_draft *draft = draft_new();
    assert(draft);
    config_draft_ring(draft, n, modules_per_slot);
    struct config_errors *errors = calloc(1, sizeof *errors);
    assert(errors);
    config_check(draft, errors);
    assert(errors->count == 0);
    *out = draft->config;
    free(errors);
    free(draft);
}

int config_interface_index(const struct config *config, const char *name) {
    for (uint32_t i = 0; i < config->interfaces; i++) {
        if (strcmp(config->interface[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void config_errors_print(FILE *err, const char *source, const struct config_errors *errors) {
    uint32_t kept = errors->count < CONFIG_ERRORS_MAX ? errors->count : CONFIG_ERRORS_MAX;
    fprintf(err, "%s: %u error%s\n", source, errors->count, errors->count == 1 ? "" : "s");
    for (uint32_t i = 0; i < kept; i++) {
        const struct config_error *e = &errors->error[i];
        const char *path = strcmp(e->path, source) == 0 ? "" : e->path;
        fprintf(err, "  %s%s%s%s%s\n", path, path[0] && e->value[0] ? " = " : "", e->value,
                path[0] || e->value[0] ? ": " : "", e->text);
    }
    if (errors->count > kept) {
        fprintf(err, "  and %u more\n", errors->count - kept);
    }
}

int config_load_or_explain(const char *path, struct config *out, FILE *err) {
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (!errors) {
        return -ENOMEM;
    }
    int result = config_load(path, out, errors);
    if (result != 0) {
        config_errors_print(err, path, errors);
    }
    free(errors);
    return result;
}
