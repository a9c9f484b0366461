/* The service manager's protocol (sd_notify) without its library: readiness, status line, watchdog. */
#ifndef RINGMAIN_NRT_NOTIFY_H
#define RINGMAIN_NRT_NOTIFY_H

#include "shm/base.h"

struct notify {
    int fd;              /* -1: nobody wants to know */
    int64_t watchdog_ns; /* half of the time-out; 0 none */
    int64_t next_ping_ns;
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Never fails: without a manager it is silent. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);
/* Lines such as "READY=1", "STATUS=..", "STOPPING=1". */
void notify_send(struct notify *n, const char *lines);
/* Pings the watchdog when it is time. */
void notify_ping(struct notify *n, int64_t now_ns);

#endif
