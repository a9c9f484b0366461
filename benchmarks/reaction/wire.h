/* The far end of the unix transport for the reaction benchmark: listening sockets, one per interface. */
#ifndef RINGMAIN_BENCHMARKS_REACTION_WIRE_H
#define RINGMAIN_BENCHMARKS_REACTION_WIRE_H

#include "rt/frames.h"

struct wire {
    uint32_t count;
    int listening[RM_INTERFACES_MAX];
    int peer[RM_INTERFACES_MAX]; /* -1: not connected */
};

/* Listens at FOLDER/NAME.sock for each interface. 0 or -errno. */
int wire_open(struct wire *w, const char *folder, const char *const names[],
              uint32_t count) RM_MUST_CHECK;
void wire_close(struct wire *w);
/* Accepts who waits; true when all interfaces are connected. */
bool wire_accept(struct wire *w);
/* One frame without waiting: 1 received, 0 none. */
int wire_receive(struct wire *w, uint32_t interface, struct can_frame *frame);
/* false: the socket's buffer is full. */
bool wire_send(struct wire *w, uint32_t interface, const struct can_frame *frame);

#endif
