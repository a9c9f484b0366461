/* Asking a process of the hub over its socket. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "nrt/ctl/ctl.h"

#define ANSWER_MAX (4 << 20)

int64_t ctl_now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int wait_for(int fd, short events, int64_t end_ns) {
    for (;;) {
        int64_t left_ns = end_ns - ctl_now_ns();
        struct pollfd waited = {.fd = fd, .events = events};
        int count = poll(&waited, 1, left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0);
        if (count > 0) {
            return 0;
        }
        if (count == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

static int send_all(int fd, const char *text, size_t length, int64_t end_ns) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = send(fd, text + done, length - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            done += (size_t)count;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            int code = wait_for(fd, POLLOUT, end_ns);
            if (code != 0) {
                return code;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static int receive_line(int fd, char **answer, int64_t end_ns) {
    size_t length = 0, size = 4096;
    char *text = malloc(size);
    int code = text != NULL ? 0 : -ENOMEM;
    while (code == 0) {
        code = wait_for(fd, POLLIN, end_ns);
        ssize_t count = code == 0 ? recv(fd, text + length, size - length, 0) : 0;
        if (code != 0 || (count < 0 && errno == EINTR)) {
            continue;
        }
        if (count <= 0) {
            code = count < 0 ? -errno : -ECONNRESET;
            break;
        }
        char *newline = memchr(text + length, '\n', (size_t)count);
        length += (size_t)count;
        if (newline != NULL) {
            *newline = '\0';
            *answer = text;
            return 0;
        }
        if (length == size) {
            char *larger = size < ANSWER_MAX ? realloc(text, size * 2) : NULL;
            code = larger == NULL ? -EMSGSIZE : 0;
            text = larger == NULL ? text : larger;
            size *= 2;
        }
    }
    free(text);
    return code;
}

int ctl_exchange(const char *path, const char *request, int timeout_ms, char **answer) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int64_t end_ns = ctl_now_ns() + (int64_t)timeout_ms * 1000000;
    int code = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        code = -errno;
    }
    if (code == 0) {
        code = send_all(fd, request, strlen(request), end_ns);
    }
    if (code == 0) {
        code = send_all(fd, "\n", 1, end_ns);
    }
    if (code == 0) {
        code = receive_line(fd, answer, end_ns);
    }
    close(fd);
    return code;
}
