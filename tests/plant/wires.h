/* The real ends of the virtual hub's wires: one socket per interface, by the transport of the configuration.
 *
 * unix: listens at <address>/<name>.sock (SOCK_SEQPACKET, one message per frame); a new connection replaces the old one.
 * udp: bound to the address; the peer is whoever sent the last datagram. socketcan: a raw socket on the interface <name>.
 * All non-blocking. Returns are 0 or -errno. */
#ifndef RINGMAIN_TESTS_PLANT_WIRES_H
#define RINGMAIN_TESTS_PLANT_WIRES_H

#include <netinet/in.h>
#include <stdio.h>

#include "configs/config.h"
#include "rt/frames.h"

struct wire {
    enum can_transport transport;
    int listener, fd; /* -1 none */
    struct sockaddr_storage peer;
    socklen_t peer_length;
    char path[108]; /* of the listener, removed at the end */
    uint64_t sent, received, overflows;
};

struct wires {
    int epoll;
    uint32_t count;
    struct wire wire[RM_INTERFACES_MAX];
};

/* Opens all; on failure says on err which and why, and everything is closed again. */
int wires_open(struct wires *w, const struct config *config, int epoll, FILE *err);
void wires_close(struct wires *w);
/* Hands over every frame that waits. */
void wires_receive(struct wires *w,
                   void (*frame)(void *context, uint32_t interface, const struct can_frame *frame),
                   void *context);
/* Without a peer a frame is lost, as on an open wire. */
void wires_send(struct wires *w, const struct frame_batch *batch);

#endif
