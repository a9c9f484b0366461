/* An append-only file of JSON lines that is durable and sound after a crash at any moment.
 *
 * jsonl_append() returns 0 only when the whole text is on disk (write and fdatasync); when it fails the file is cut back
 * to what it was. A crash can leave a torn tail: jsonl_open() reads the end of the file and cuts behind the last sound line.
 * One process at a time (flock). Blocking file I/O; nrt only.
 */
#ifndef RINGMAIN_NRT_STORE_JSONL_H
#define RINGMAIN_NRT_STORE_JSONL_H

#include "shm/base.h"

#define JSONL_LINE_MAX 2048 /* longest line that is written */
/* of the tail, read when opening; grows until a sound line is found */
#define JSONL_WINDOW     (128 << 10)
#define JSONL_WINDOW_MAX (4 << 20)

/* Sees a complete line (without its newline); false: not one of ours or damaged. */
typedef bool (*jsonl_check)(const char *line, size_t length, void *context);

struct jsonl {
    int fd;            /* -1: closed */
    int64_t size;      /* durable bytes */
    int64_t cut_bytes; /* what recovery threw away */
    int32_t
        bad_lines; /* unsound lines left in place before the last sound one, within the window */
};

/* How much of a tail to keep: the end of its last sound line; -1: no sound line in it. starts_at_line: tail[0] begins a
 * line; else what comes before the first newline is skipped. check sees the sound and unsound lines, oldest first.
 * Pure but for check. */
int64_t jsonl_sound_length(const char *tail, size_t length, bool starts_at_line, jsonl_check check,
                           void *context, int32_t *bad_lines);

/* first_bytes: how every line begins; a file without a sound line that begins otherwise is not ours and not touched.
 * 0; -EWOULDBLOCK another process has it; -EINVAL not such a log; -errno. */
int jsonl_open(struct jsonl *log, const char *path, const char *first_bytes, jsonl_check check,
               void *context) RM_MUST_CHECK;
/* 0: durable; -errno: not written, try again later. text ends with a newline. */
int jsonl_append(struct jsonl *log, const char *text, size_t length) RM_MUST_CHECK;
void jsonl_close(struct jsonl *log);

#endif
