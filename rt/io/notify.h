/* Readiness for the service manager: one datagram to $NOTIFY_SOCKET (sd_notify's protocol). Start-up and main thread. */
#ifndef RINGMAIN_RT_IO_NOTIFY_H
#define RINGMAIN_RT_IO_NOTIFY_H

#include "shm/base.h"

struct notify {
    int fd; /* -1: nobody asked to be told */
};

/* Connects to $NOTIFY_SOCKET (path, or @name in the abstract space). Not set, or not reachable: notify_send() does
 * nothing. Before sealing. */
void notify_open(struct notify *n);
/* For example "READY=1". Never blocks. */
void notify_send(const struct notify *n, const char *text);
void notify_close(struct notify *n);

#endif
