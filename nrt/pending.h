/* Commands that wait for their result: who asked, and until when. Pure; one table per attachment to ringmain-rt. */
#ifndef RINGMAIN_NRT_PENDING_H
#define RINGMAIN_NRT_PENDING_H

#include "nrt/api/server.h"
#include "nrt/session/policy.h"
#include "shm/command.h"

#define PENDING_MAX        256
#define PENDING_TIMEOUT_NS INT64_C(2000000000)

struct pending {
    uint64_t id; /* 0: free */
    int64_t deadline_mono_ns;
    uint16_t type, slot;
    enum policy_action policy; /* what the authorisation policy wanted, NONE when it did not ask */
    bool has_client;           /* somebody on the socket waits for the answer */
    struct server_ref client;
};

struct pending_table {
    struct pending entry[PENDING_MAX];
    uint32_t count;
};

/* false: the table is full. */
bool pending_add(struct pending_table *table, const struct pending *entry) RM_MUST_CHECK;
/* Takes out the entry with that id; false: unknown (late, or of an earlier run). */
bool pending_take(struct pending_table *table, uint64_t id, struct pending *out) RM_MUST_CHECK;
/* Takes out one whose deadline has passed. */
bool pending_take_expired(struct pending_table *table, int64_t now_ns,
                          struct pending *out) RM_MUST_CHECK;

#endif
