/* Doorbells: POSIX message queues that say "something waits" without carrying it.
 *
 * Eight messages of 16 bytes, non-blocking on both sides. A ring that finds the queue full is counted as lost and does no
 * harm: the other side has unheard rings, and looks into shared memory whatever the number. The descriptor can be polled
 * (on Linux a queue is a file). Created by ringmain-rt, opened by the others.
 */
#ifndef RINGMAIN_SHM_DOORBELL_H
#define RINGMAIN_SHM_DOORBELL_H

#include <mqueue.h>

#include "shm/base.h"

#define DOORBELL_MESSAGES 8
#define DOORBELL_BYTES    16

struct doorbell {
    mqd_t queue; /* also a file descriptor for poll, epoll, io_uring; -1 when closed */
    uint64_t rung, lost, heard;
};

/* Creates the queue or takes over the one that is there; one of another shape is replaced. name starts with '/'.
 * 0 or -errno (-ENOSPC, -EMFILE: fs.mqueue limits). */
int doorbell_create(struct doorbell *d, const char *name) RM_MUST_CHECK;
/* Opens an existing queue for both directions. -ENOENT not there; -EPROTO of another shape; else -errno. */
int doorbell_open(struct doorbell *d, const char *name) RM_MUST_CHECK;
void doorbell_close(struct doorbell *d);
/* Removes the name; those who have it open keep it. 0 or -errno. */
int doorbell_unlink(const char *name);

/* true: somebody will be woken; false: the queue was full or closed (counted as lost). Never blocks. */
bool doorbell_ring(struct doorbell *d, uint64_t value);
/* Takes all waiting rings, at most DOORBELL_MESSAGES; returns how many. Their content is ignored. Never blocks. */
uint32_t doorbell_drain(struct doorbell *d);

#endif
