#include "shm/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DOORBELL_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP)

static bool has_shape(mqd_t queue) {
    struct mq_attr attr;
    return mq_getattr(queue, &attr) == 0 && attr.mq_maxmsg == DOORBELL_MESSAGES &&
           attr.mq_msgsize == DOORBELL_BYTES;
}

static mqd_t open_or_create(const char *name) {
    struct mq_attr attr = {.mq_maxmsg = DOORBELL_MESSAGES, .mq_msgsize = DOORBELL_BYTES};
    return mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, DOORBELL_MODE, &attr);
}

int doorbell_create(struct doorbell *d, const char *name) {
    *d = (struct doorbell){.queue = open_or_create(name)};
    if (d->queue == (mqd_t)-1) {
        return -errno;
    }
    if (has_shape(d->queue)) {
        return 0;
    }
    doorbell_close(d);
    int result = doorbell_unlink(name);
    if (result != 0) {
        return result;
    }
    d->queue = open_or_create(name);
    return d->queue == (mqd_t)-1 ? -errno : 0;
}

int doorbell_open(struct doorbell *d, const char *name) {
    *d = (struct doorbell){.queue = mq_open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (d->queue == (mqd_t)-1) {
        return -errno;
    }
    if (!has_shape(d->queue)) {
        doorbell_close(d);
        return -EPROTO;
    }
    return 0;
}

void doorbell_close(struct doorbell *d) {
    if (d->queue != (mqd_t)-1) {
        mq_close(d->queue);
        d->queue = (mqd_t)-1;
    }
}

int doorbell_unlink(const char *name) {
    return mq_unlink(name) == 0 ? 0 : -errno;
}

bool doorbell_ring(struct doorbell *d, uint64_t value) {
    char message[DOORBELL_BYTES] = {0};
    memcpy(message, &value, sizeof value);
    if (d->queue == (mqd_t)-1 || mq_send(d->queue, message, sizeof message, 0) != 0) {
        d->lost++;
        return false;
    }
    d->rung++;
    return true;
}

uint32_t doorbell_drain(struct doorbell *d) {
    char message[DOORBELL_BYTES];
    uint32_t n = 0;
    while (d->queue != (mqd_t)-1 && n < DOORBELL_MESSAGES &&
           mq_receive(d->queue, message, sizeof message, NULL) >= 0) {
        n++;
    }
    d->heard += n;
    return n;
}
