/* The hardware watchdog (/dev/watchdog): resets the machine when the guard stops feeding it.
 * Opened at start-up, fed by the guard thread, stopped with the magic character on a clean end only. */
#ifndef RINGMAIN_RT_IO_WATCHDOG_H
#define RINGMAIN_RT_IO_WATCHDOG_H

#include "rt/io/bus_open.h"

#define WATCHDOG_FEED_NS 500000000LL /* a tenth of the usual time-out */

struct watchdog {
    int fd; /* -1: none */
    int timeout_s;
    int64_t fed_ns;
    uint32_t feed_errors;
};

/* 0, or -errno with *error: -ENOENT no such device, -EBUSY another process feeds it, -EINVAL the device refuses the
 * time-out. The device is fed once. */
int watchdog_open(struct watchdog *w, const char *device, int timeout_s,
                  struct io_error *error) RM_MUST_CHECK;

/* Feeds when due and alive; alive false: lets it bite. Never blocks. A watchdog without device does nothing.
 * true when it was fed now. */
bool watchdog_feed(struct watchdog *w, bool alive, int64_t now_ns);

/* Clean stop: magic close, so that the machine stays up. */
void watchdog_stop(struct watchdog *w);

#endif
