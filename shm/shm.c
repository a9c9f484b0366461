#include "shm/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/shm_private.h"

bool shm_name_ok(const char *name) {
    size_t length = strnlen(name, SHM_NAME_MAX);
    return length >= 2 && length < SHM_NAME_MAX && name[0] == '/' && strchr(name + 1, '/') == NULL;
}

void shm_bell_name(char out[SHM_BELL_NAME_MAX], const char *name, const char *suffix) {
    int length = snprintf(out, SHM_BELL_NAME_MAX, "%s%s", name, suffix);
    assert(length > 0 && length < SHM_BELL_NAME_MAX);
}

int shm_take_lock(int file, enum shm_lock lock) {
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock, .l_len = 1};
    if (fcntl(file, F_OFD_SETLK, &byte) == 0) {
        return 0;
    }
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static bool regions_agree(const struct shm_header *header) {
    for (unsigned i = 0; i < SHM_REGION_COUNT; i++) {
        struct shm_region ours = shm_layout_region((enum shm_region_kind)i);
        if (header->region[i].offset != ours.offset || header->region[i].size != ours.size) {
            return false;
        }
    }
    return true;
}

int shm_inspect(int file) {
    struct stat stat;
    if (fstat(file, &stat) != 0) {
        return -errno;
    }
    if (stat.st_size == 0) {
        return -EAGAIN;
    }
    /* Read, not mapped: a file shorter than it says cannot hurt here. */
    struct shm_header header;
    ssize_t length = pread(file, &header, sizeof header, 0);
    if (length != (ssize_t)sizeof header) {
        return length < 0 ? -errno : -ENODATA;
    }
    uint64_t magic = atomic_load_explicit(&header.magic, memory_order_relaxed);
    if (magic != SHM_MAGIC) {
        return magic == 0 ? -EAGAIN : -EPROTO;
    }
    if (header.version != SHM_LAYOUT_VERSION) {
        return -EPROTONOSUPPORT;
    }
    if (header.layout_hash != shm_layout_hash) {
        return -EBADMSG;
    }
    if (header.header_size != sizeof header || header.segment_size != sizeof(struct shm_segment) ||
        !regions_agree(&header)) {
        return -EPROTO;
    }
    return stat.st_size == (off_t)sizeof(struct shm_segment) ? 0 : -ENODATA;
}

int shm_sessions_copy(const struct shm_segment *segment, uint32_t slot, struct session_slot *out,
                      uint64_t *generation) {
    size_t length = 0;
    int result = retained_read(segment->sessions[slot], sizeof *out, slot, out, sizeof *out,
                               &length, generation);
    if (result != 0) {
        return result;
    }
    bool fits = out->finished_count <= SESSIONS_FINISHED_MAX &&
                length == offsetof(struct session_slot, finished) +
                              out->finished_count * sizeof out->finished[0];
    return fits ? 0 : -EPROTO;
}

int shm_latches_copy(const struct shm_segment *segment, struct shm_latches *out) {
    size_t length = 0;
    int result = retained_read(segment->latches, sizeof *out, SHM_LATCHES_TAG, out, sizeof *out,
                               &length, NULL);
    if (result != 0) {
        return result;
    }
    return length == sizeof *out && out->known <= 1 && out->estop_latched <= 1 ? 0 : -EPROTO;
}

int shm_unlink_all(const char *name) {
    if (!shm_name_ok(name)) {
        return -EINVAL;
    }
    int result = shm_unlink(name) == 0 || errno == ENOENT ? 0 : -errno;
    static const char *const suffixes[] = {"-evt", "-cmd"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char bell[SHM_BELL_NAME_MAX];
        shm_bell_name(bell, name, suffixes[i]);
        int bell_result = doorbell_unlink(bell);
        if (bell_result != 0 && bell_result != -ENOENT && result == 0) {
            result = bell_result;
        }
    }
    return result;
}

const char *shm_error_text(int error) {
    switch (error) {
    case 0: return "no error";
    case -ENOENT: return "there is no shared segment of that name: start ringmain-rt first";
    case -EAGAIN: return "the shared segment is not ready yet: ringmain-rt is starting; try again";
    case -ENODATA: return "the file of the shared segment is truncated: restart ringmain-rt";
    case -EPROTONOSUPPORT:
        return "the shared segment has another layout version: use programs of one release";
    case -EBADMSG:
        return "the shared segment has the same layout version but another layout hash: the "
               "programs "
               "were built from different sources; rebuild all of them";
    case -EPROTO: return "this is no shared segment of Ringmain, or its header is damaged";
    case -EBUSY: return "another process of this kind uses the shared segment already";
    case -EINVAL: return "the name must be one '/' followed by 1 to 62 characters without '/'";
    case -EACCES: return "no permission for the shared segment: run in the group of ringmain-rt";
    case -ENOSPC:
        return "no room for the shared segment in /dev/shm, or too many message queues "
               "(fs.mqueue.queues_max)";
    case -EMFILE: return "too many open files or message queues (RLIMIT_NOFILE, RLIMIT_MSGQUEUE)";
    default: return strerror(-error);
    }
}
