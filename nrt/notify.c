#include "nrt/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t watchdog_ns(void) {
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    long long value = strtoll(usec, NULL, 10);
    return value > 0 && value < INT64_C(1000000000000) ? value * 1000 / 2 : 0;
}

void notify_open(struct notify *n) {
    *n = (struct notify){.fd = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0' ||
        strlen(path) >= sizeof address.sun_path) {
        return;
    }
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract name space */
    }
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd < 0) {
        return;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (connect(n->fd, (struct sockaddr *)&address, size) != 0) {
        notify_close(n);
        return;
    }
    n->watchdog_ns = watchdog_ns();
}

void notify_close(struct notify *n) {
    if (n->fd >= 0) {
        close(n->fd);
    }
    n->fd = -1;
}

void notify_send(struct notify *n, const char *lines) {
    if (n->fd >= 0) {
        (void)!send(n->fd, lines, strlen(lines), MSG_NOSIGNAL);
    }
}

void notify_ping(struct notify *n, int64_t now_ns) {
    if (n->watchdog_ns > 0 && now_ns >= n->next_ping_ns) {
        n->next_ping_ns = now_ns + n->watchdog_ns;
        notify_send(n, "WATCHDOG=1");
    }
}
