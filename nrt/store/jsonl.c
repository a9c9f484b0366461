#include "nrt/store/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t jsonl_sound_length(const char *tail, size_t length, bool starts_at_line, jsonl_check check,
                           void *context, int32_t *bad_lines) {
    size_t at = 0;
    if (!starts_at_line) {
        const char *newline = memchr(tail, '\n', length);
        at = newline != NULL ? (size_t)(newline - tail) + 1 : length;
    }
    int64_t sound = -1;
    int32_t bad = 0, bad_pending = 0;
    while (at < length) {
        const char *newline = memchr(tail + at, '\n', length - at);
        if (newline == NULL) {
            break;
        }
        size_t end = (size_t)(newline - tail);
        if (check(tail + at, end - at, context)) {
            sound = (int64_t)end + 1;
            bad += bad_pending;
            bad_pending = 0;
        } else {
            bad_pending++;
        }
        at = end + 1;
    }
    *bad_lines = bad;
    return sound;
}

static int read_at(int fd, char *buffer, size_t length, off_t offset) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = pread(fd, buffer + done, length - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? -errno : -EIO;
        }
        done += (size_t)count;
    }
    return 0;
}

/* A file that holds no sound line at all: an unfinished first line of ours, or something else? */
static bool is_unfinished_first_line(const char *text, size_t length, const char *first_bytes) {
    size_t known = strlen(first_bytes);
    return length < JSONL_LINE_MAX && memchr(text, '\n', length) == NULL &&
           memcmp(text, first_bytes, length < known ? length : known) == 0;
}

static int recover(struct jsonl *log, int64_t file_size, const char *first_bytes, jsonl_check check,
                   void *context) {
    for (int64_t window = JSONL_WINDOW; file_size > 0; window *= 2) {
        int64_t start = file_size > window ? file_size - window : 0;
        size_t length = (size_t)(file_size - start);
        char *tail = malloc(length);
        if (tail == NULL) {
            return -ENOMEM;
        }
        int code = read_at(log->fd, tail, length, (off_t)start);
        int64_t sound = code == 0 ? jsonl_sound_length(tail, length, start == 0, check, context,
                                                       &log->bad_lines)
                                  : -1;
        bool unfinished = code == 0 && start == 0 && sound < 0 &&
                          is_unfinished_first_line(tail, length, first_bytes);
        free(tail);
        if (code != 0) {
            return code;
        }
        if (sound >= 0 || unfinished) {
            log->size = unfinished ? 0 : start + sound;
            log->cut_bytes = file_size - log->size;
            break;
        }
        if (start == 0 || window >= JSONL_WINDOW_MAX) {
            return -EINVAL;
        }
    }
    return 0;
}

static void sync_folder(const char *path) {
    char copy[512];
    if (strlen(path) >= sizeof copy) {
        return;
    }
    memcpy(copy, path, strlen(path) + 1);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

int jsonl_open(struct jsonl *log, const char *path, const char *first_bytes, jsonl_check check,
               void *context) {
    *log = (struct jsonl){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640)};
    if (log->fd < 0) {
        return -errno;
    }
    struct stat info;
    int code = 0;
    if (flock(log->fd, LOCK_EX | LOCK_NB) != 0 || fstat(log->fd, &info) != 0) {
        code = -errno;
    } else if (!S_ISREG(info.st_mode)) {
        code = -EINVAL;
    } else {
        code = recover(log, (int64_t)info.st_size, first_bytes, check, context);
    }
    if (code == 0 && log->cut_bytes > 0 && ftruncate(log->fd, (off_t)log->size) != 0) {
        code = -errno;
    }
    if (code == 0 && fdatasync(log->fd) != 0) {
        code = -errno;
    }
    if (code != 0) {
        jsonl_close(log);
        return code;
    }
    sync_folder(path);
    return 0;
}

static int write_at(int fd, const char *text, size_t length, off_t offset) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = pwrite(fd, text + done, length - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? -errno : -EIO;
        }
        done += (size_t)count;
    }
    return 0;
}

int jsonl_append(struct jsonl *log, const char *text, size_t length) {
    int code = write_at(log->fd, text, length, (off_t)log->size);
    if (code == 0 && fdatasync(log->fd) != 0) {
        code = -errno;
    }
    if (code != 0) {
        /* what is half there would be found and cut at the next start as well */
        (void)!ftruncate(log->fd, (off_t)log->size);
        return code;
    }
    log->size += (int64_t)length;
    return 0;
}

void jsonl_close(struct jsonl *log) {
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = -1;
}
