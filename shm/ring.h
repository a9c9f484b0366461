/* A ring of fixed-size records between one producer and one consumer in two processes (or two threads).
 *
 * Storage, in shared memory: one line that only the producer writes, one that only the consumer writes, and
 * capacity (a power of two) records written by the producer. Indices count records ever pushed or consumed and
 * never wrap (64 bit). Each side keeps its own index in private memory; that copy is authoritative, the shared one is
 * only its publication. The peer's index is believed only when it is plausible: between what it was and what is
 * possible; anything else is a peer fault, counted, and the last good value stays in use. Records are found by masking an
 * own index, so no value in shared memory can lead outside the ring.
 *
 * A producer killed between any two stores leaves nothing of an unfinished batch visible. A consumer that
 * re-attaches continues at the last ring_consume(): what it had only peeked comes again. A producer that re-attaches
 * continues its numbering.
 *
 * No function blocks, allocates or loops beyond n records. Each handle belongs to one thread.
 */
#ifndef RINGMAIN_SHM_RING_H
#define RINGMAIN_SHM_RING_H

#include <stdatomic.h>

#include "shm/base.h"

/* One side's publication. Two cache lines, because neighbouring lines are fetched in pairs on much hardware. */
struct ring_line {
    _Atomic uint64_t index;   /* records ever pushed (producer) or consumed (consumer) */
    _Atomic uint64_t dropped; /* producer: records refused because the ring was full */
    _Atomic uint64_t faults;  /* implausible indices of the peer seen by this side */
    uint64_t pad[13];
};
static_assert(sizeof(struct ring_line) == 128, "two cache lines per side");

/* Whom to believe when own and peer's index do not fit together at attach time: the real-time side believes itself (the
 * peer has to come back into range), the other side believes the real-time side. */
enum ring_trust { RING_TRUST_OWN, RING_TRUST_PEER };

struct ring_producer {
    struct ring_line *own;
    const struct ring_line *peer;
    unsigned char *records;
    uint64_t index;     /* authoritative */
    uint64_t peer_seen; /* last plausible index of the consumer: never above index */
    uint64_t mask;
    uint32_t record_size;
    uint64_t dropped, faults;
};

struct ring_consumer {
    struct ring_line *own;
    const struct ring_line *peer;
    const unsigned char *records;
    uint64_t index;     /* authoritative */
    uint64_t peer_seen; /* last plausible index of the producer: index .. index + capacity */
    uint64_t mask;
    uint32_t record_size;
    uint64_t faults;
};

/* capacity: power of two, at least 2; record_size: a multiple of 8 (asserted; they are constants of the layout).
 * Continues where the shared lines say. true when both indices fitted; false when they did not and trust decided:
 * the producer then starts at the consumer's index (PEER) or takes the ring for full until the consumer is in range again (OWN);
 * the consumer goes back half a ring from the producer's index, so that nothing unread is skipped and
 * nothing is read while it may be overwritten (PEER), or reads nothing until the producer is in range again (OWN). */
bool ring_producer_attach(struct ring_producer *p, struct ring_line *own,
                          const struct ring_line *peer, void *records, uint32_t capacity,
                          uint32_t record_size, enum ring_trust trust);
bool ring_consumer_attach(struct ring_consumer *c, struct ring_line *own,
                          const struct ring_line *peer, const void *records, uint32_t capacity,
                          uint32_t record_size, enum ring_trust trust);

/* Copies in up to n records and publishes them together; returns how many fitted. */
uint32_t ring_push(struct ring_producer *p, const void *records, uint32_t n) RM_MUST_CHECK;
/* As ring_push; what did not fit is counted in dropped. */
uint32_t ring_push_or_drop(struct ring_producer *p, const void *records, uint32_t n);
/* Room for n records, by what is known of the consumer (refreshed when it looks too small). */
bool ring_has_room(struct ring_producer *p, uint32_t n);

/* Copies out up to max of the oldest records without consuming them; returns how many. Each shared byte is read once:
 * what was copied cannot change any more. */
uint32_t ring_peek(struct ring_consumer *c, void *records, uint32_t max) RM_MUST_CHECK;
/* Gives n peeked records (asserted: no more than that) back to the producer. */
void ring_consume(struct ring_consumer *c, uint32_t n);
/* ring_peek and ring_consume of the same records. */
uint32_t ring_pop(struct ring_consumer *c, void *records, uint32_t max) RM_MUST_CHECK;
/* Records waiting, refreshed from the producer's line. */
uint64_t ring_waiting(struct ring_consumer *c);

#endif
