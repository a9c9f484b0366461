/* A retained value: it outlives its writer. Two snapshots, written in turn, each with a generation and a
 * checksum; a writer killed between any two stores leaves at least one of them whole, and its successor finds it.
 * Used for what must survive a restart of ringmain-rt: session records and latched faults.
 * In memory: two snapshots of RETAINED_PREFIX + capacity bytes.
 */
#ifndef RINGMAIN_SHM_RETAINED_H
#define RINGMAIN_SHM_RETAINED_H

#include "shm/snapshot.h"

#define RETAINED_PREFIX         16u /* generation, checksum */
#define RETAINED_COPY(capacity) SNAPSHOT_SIZE((capacity) + RETAINED_PREFIX)
#define RETAINED_SIZE(capacity) (2u * RETAINED_COPY(capacity))

struct retained_writer {
    struct snapshot_writer copy[2];
    uint64_t generation; /* of the last complete value */
    uint64_t tag;
    unsigned next; /* the copy to be written: never the newest whole one */
};

/* shared: RETAINED_SIZE(capacity) bytes on a cache line. tag: any constant of this place; a copy that belongs elsewhere
 * fails its checksum. Continues the generations of an earlier writer. */
void retained_attach(struct retained_writer *w, void *shared, size_t capacity, uint64_t tag);
void retained_publish(struct retained_writer *w, const void *data, size_t bytes);

/* The newest whole value: copied to out (size bytes, the rest zeroed), *length and *generation when not NULL.
 * 0; -ENODATA nothing was ever published; -EAGAIN or -EBADMSG no whole copy (in work, or damaged).
 * Any process, any number of readers. out is undefined unless 0. */
int retained_read(const void *shared, size_t capacity, uint64_t tag, void *out, size_t size,
                  size_t *length, uint64_t *generation) RM_MUST_CHECK;
/* A cheap look: goes up with every publication. Only a hint of change, unchecked. */
uint64_t retained_generation(const void *shared, size_t capacity);

#endif
