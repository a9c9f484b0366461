/* What ringmain-nrt must not forget when it is killed: the operator's limits and availability, and which faults are
 * latched (rule S15: without a valid copy of its own, rt takes them from here).
 *
 * A small JSON file, replaced whole (written beside, synced, renamed), so that a crash leaves the old or the new one.
 * Times in it are wall time, as CLOCK_MONOTONIC does not outlive the machine. Keyed by connector id and slot id, as
 * the order of slots may change with the configuration. nrt only; heap and file I/O.
 */
#ifndef RINGMAIN_NRT_STORE_KEEP_FILE_H
#define RINGMAIN_NRT_STORE_KEEP_FILE_H

#include "configs/config.h"
#include "nrt/api/json_writer.h"

struct keep_limit {
    bool set;
    int64_t value_w;
    int64_t until_real_ns; /* 0: until taken back */
};

/* By slot index. Zero-initialised: nothing kept. */
struct keep {
    struct keep_limit site;
    struct keep_slot {
        struct keep_limit limit;
        bool inoperative;
        uint64_t latched; /* bit n: fault code n */
    } slot[RM_SLOTS_MAX];
};

/* Codes that FAULT_TABLE calls latched. */
uint64_t keep_latched_mask(void);

/* Writes the file's text. Pure. */
void keep_write(struct json_writer *w, const struct keep *keep, const struct config *config);
/* 0, or -EINVAL with a reason in error. Guns and faults that this hub does not have are left out. *out is
 * changed only on 0. */
int keep_parse(struct keep *out, const char *json, size_t length, const struct config *config,
               char *error, size_t error_size) RM_MUST_CHECK;

/* 0; -ENOENT: no such file; -EINVAL with a reason in error; -errno. *out is changed only on 0. */
int keep_load(struct keep *out, const char *path, const struct config *config, char *error,
              size_t error_size) RM_MUST_CHECK;
/* 0: durable; -errno: the old file is still there. */
int keep_save(const struct keep *keep, const char *path, const struct config *config) RM_MUST_CHECK;

/* Reads a whole file of at most max bytes to the heap (zero-terminated; the caller frees). 0 or -errno, -EFBIG. */
int keep_read_file(const char *path, size_t max, char **text, size_t *length) RM_MUST_CHECK;

#endif
