/* The guard's three parts: guard.c the loop, guard_bus.c the interfaces, guard_publish.c what others may see. */
#ifndef RINGMAIN_RT_GUARD_PRIVATE_H
#define RINGMAIN_RT_GUARD_PRIVATE_H

#include "rt/guard.h"

/* guard_bus.c */
void guard_bus_init(struct guard *g);
/* New descriptors, supervised states, restarts. Each tick and when links rings. */
void guard_bus_offers(struct guard *g);
void guard_bus_tick(struct guard *g);
void guard_bus_received(struct guard *g, const struct uring_event *event);
void guard_bus_sent(struct guard *g, const struct uring_event *event);
/* Queues a step's frames on their interfaces. */
void guard_bus_queue(struct guard *g);
/* Starts chains and hands them to the kernel. retry: also where the kernel's queue was full before. */
void guard_bus_send(struct guard *g, bool retry);
void guard_bus_close(struct guard *g);

/* guard_publish.c */
void guard_publish_init(struct guard *g);
void guard_publish(struct guard *g);
/* Commands of nrt, answered. Before the step. */
void guard_commands(struct guard *g);
/* The newest proposal, if there is one. Before the step. */
void guard_proposal(struct guard *g);
/* Pushes one event of the shell's own. */
void guard_event(struct guard *g, enum event_type type, int64_t value);

static inline int64_t guard_now_us(const struct guard *g) {
    return g->now_ns / 1000;
}

#endif
