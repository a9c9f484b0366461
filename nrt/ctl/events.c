/* ringmainctl events: the event log that ringmain-nrt writes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nrt/ctl/ctl.h"
#include "nrt/ctl/event_print.h"

#define LINE_MAX_BYTES 4096
#define POLL_US        200000
#define LINES_DEFAULT  20

struct reader {
    int fd;
    off_t at; /* start of the next unread line */
    ino_t inode;
};

static void print_line(const char *line, size_t length, bool json) {
    char text[512];
    if (json) {
        fwrite(line, 1, length, stdout);
        putchar('\n');
    } else if (event_print_long(line, length, text, sizeof text)) {
        puts(text);
    }
}

/* Where the last n lines begin; 0 when there are fewer. */
static off_t start_of_last(int fd, off_t size, long n) {
    char piece[16 * 1024];
    long newlines = 0;
    off_t at = size;
    while (at > 0) {
        size_t length = at > (off_t)sizeof piece ? sizeof piece : (size_t)at;
        ssize_t count = pread(fd, piece, length, at - (off_t)length);
        if (count != (ssize_t)length) {
            return 0;
        }
        for (size_t i = length; i > 0; i--) {
            bool is_last = at - (off_t)length + (off_t)i == size;
            if (piece[i - 1] == '\n' && !is_last && ++newlines == n) {
                return at - (off_t)length + (off_t)i;
            }
        }
        at -= (off_t)length;
    }
    return 0;
}

/* Prints complete lines from r->at on. */
static void print_from(struct reader *r, bool json) {
    char piece[16 * 1024];
    for (;;) {
        ssize_t count = pread(r->fd, piece, sizeof piece, r->at);
        if (count <= 0) {
            return;
        }
        size_t begin = 0;
        char *newline;
        while ((newline = memchr(piece + begin, '\n', (size_t)count - begin)) != NULL) {
            size_t end = (size_t)(newline - piece);
            print_line(piece + begin, end - begin, json);
            begin = end + 1;
        }
        if (begin == 0) {
            /* a line longer than any of ours is no line of ours; else it is not complete yet */
            begin = (size_t)count == sizeof piece ? (size_t)count : 0;
        }
        r->at += (off_t)begin;
        if (begin == 0) {
            return;
        }
    }
}

static bool open_log(struct reader *r, const char *path) {
    struct stat info;
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &info) != 0) {
        return false;
    }
    r->inode = info.st_ino;
    r->at = 0;
    return true;
}

/* Another file of that name, or a shorter one: from its beginning. */
static void look_for_replacement(struct reader *r, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return;
    }
    if (info.st_ino != r->inode) {
        struct reader fresh = {.fd = -1};
        if (open_log(&fresh, path)) {
            close(r->fd);
            *r = fresh;
        }
    } else if (info.st_size < r->at) {
        r->at = info.st_size; /* a torn tail was cut: what was printed was complete */
    }
}

static void follow(struct reader *r, const char *path, bool json) {
    for (;;) {
        print_from(r, json);
        if (fflush(stdout) != 0) {
            return;
        }
        usleep(POLL_US);
        look_for_replacement(r, path);
    }
}

enum ctl_exit ctl_events(const struct ctl *ctl) {
    const struct ctl_options *options = &ctl->options;
    const char *path = ctl->log_path;
    char *end = NULL;
    long lines = options->lines != NULL ? strtol(options->lines, &end, 10) : LINES_DEFAULT;
    if ((end != NULL && *end != '\0') || lines < 0) {
        ctl_say("--lines must be a whole number, 0 for all");
        return CTL_USAGE;
    }
    if (path[0] == '\0') {
        ctl_say("where is the event log? ringmain-nrt never ran with the run folder %s; give --log "
                "FILE, --run-folder or --config",
                ctl->run_folder);
        return CTL_UNREACHABLE;
    }
    struct reader r = {.fd = -1};
    while (!open_log(&r, path)) {
        if (!options->follow) {
            ctl_say("%s: %s", path, strerror(errno));
            return CTL_UNREACHABLE;
        }
        usleep(POLL_US);
    }
    struct stat info;
    if (lines > 0 && fstat(r.fd, &info) == 0) {
        r.at = start_of_last(r.fd, info.st_size, lines);
    }
    if (options->follow) {
        follow(&r, path, options->json);
    }
    print_from(&r, options->json);
    close(r.fd);
    return CTL_OK;
}
