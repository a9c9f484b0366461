/* What carries 64-byte records from one thread to another in this benchmark, behind one face each. */
#ifndef RINGMAIN_BENCHMARKS_RING_CARRIERS_H
#define RINGMAIN_BENCHMARKS_RING_CARRIERS_H

#include "shm/base.h"

struct record {
    uint64_t number;
    uint64_t content[7];
};
static_assert(sizeof(struct record) == 64, "as the events ring");

#define CARRIER_RECORDS 8192u /* capacity of the rings */
#define CARRIER_BATCH   32u

enum carrier_kind {
    CARRIER_RINGMAIN = 0,   /* one record per call */
    CARRIER_CK,             /* ck_ring, SPSC, one record per call: it has no other way */
    CARRIER_RINGMAIN_BATCH, /* up to CARRIER_BATCH records per call */
    CARRIER_MQUEUE,
    CARRIER_SOCKETPAIR,
    CARRIER_COUNT
};

struct carrier;

const char *carrier_name(enum carrier_kind kind);
/* One direction, one sender thread, one receiver thread. NULL with errno. */
struct carrier *carrier_open(enum carrier_kind kind);
void carrier_close(struct carrier *c);

/* Sends records first .. first + count - 1; waits for room as long as it takes (the rings spin, the others sleep). */
void carrier_send(struct carrier *c, uint64_t first, uint64_t count);
/* Receives as many; false when one was not the expected one. */
bool carrier_receive(struct carrier *c, uint64_t first, uint64_t count);

#endif
