#include "rt/io/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int refuse(struct io_error *error, const char *device, int code, const char *mend) {
    snprintf(error->text, sizeof error->text, "watchdog %s: %s. %s", device, strerror(-code), mend);
    return code;
}

int watchdog_open(struct watchdog *w, const char *device, int timeout_s, struct io_error *error) {
    *w = (struct watchdog){.fd = -1, .timeout_s = timeout_s};
    int fd = open(device, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return refuse(error, device, -errno,
                      errno == EBUSY ? "Another process feeds it: set RuntimeWatchdogSec=0 in "
                                       "system.conf or name a second device in rt.watchdogDevice"
                                     : "Load its driver (softdog where there is none), mend "
                                       "rt.watchdogDevice, or start with --development");
    }
    int seconds = timeout_s;
    if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) != 0 || seconds < 1) {
        int code = errno != 0 ? -errno : -EINVAL;
        /* Opening has started it: the magic character lets it go again. */
        (void)!write(fd, "V", 1);
        close(fd);
        return refuse(error, device, code, "The device refuses rt.watchdogTimeoutSeconds");
    }
    w->fd = fd;
    w->timeout_s = seconds;
    (void)ioctl(fd, WDIOC_KEEPALIVE, 0);
    return 0;
}

bool watchdog_feed(struct watchdog *w, bool alive, int64_t now_ns) {
    if (w->fd < 0 || !alive || now_ns - w->fed_ns < WATCHDOG_FEED_NS) {
        return false;
    }
    w->fed_ns = now_ns;
    if (ioctl(w->fd, WDIOC_KEEPALIVE, 0) != 0) {
        w->feed_errors++;
        return false;
    }
    return true;
}

void watchdog_stop(struct watchdog *w) {
    if (w->fd < 0) {
        return;
    }
    if (write(w->fd, "V", 1) != 1) {
        w->feed_errors++;
    }
    close(w->fd);
    w->fd = -1;
}
