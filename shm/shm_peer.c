#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/shm.h"
#include "shm/shm_private.h"

/* Maps all read-only, and in SHM_WRITE the one area of ours writable: a wild pointer in nrt faults here, instead of
 * scribbling over what the guard has written. */
static int map_segment(struct shm_peer *peer) {
    bool write = peer->mode == SHM_WRITE;
    bool fine_pages = sysconf(_SC_PAGESIZE) == SHM_PAGE;
    int protection = write && !fine_pages ? PROT_READ | PROT_WRITE : PROT_READ;
    unsigned char *base =
        mmap(NULL, sizeof(struct shm_segment), protection, MAP_SHARED, peer->file, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    peer->mapping = base;
    peer->segment = (const struct shm_segment *)(void *)base;
    if (!write) {
        return 0;
    }
    size_t offset = offsetof(struct shm_segment, nrt);
    if (fine_pages &&
        mmap(base + offset, offsetof(struct shm_segment, lines) - offset, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, peer->file, (off_t)offset) == MAP_FAILED) {
        return -errno;
    }
    peer->own = (struct shm_nrt *)(void *)(base + offset);
    return 0;
}

static int open_bells(struct shm_peer *peer, const char *name) {
    char bell[SHM_BELL_NAME_MAX];
    shm_bell_name(bell, name, "-evt");
    int result = doorbell_open(&peer->events_bell, bell);
    if (result != 0) {
        return result;
    }
    shm_bell_name(bell, name, "-cmd");
    return doorbell_open(&peer->commands_bell, bell);
}

/* nrt yields to rt where the two do not agree. */
static void attach_rings(struct shm_peer *peer) {
    const struct shm_segment *s = peer->segment;
    overwrite_reader_attach(&peer->telemetry, &s->lines.telemetry, s->telemetry, SHM_TELEMETRY,
                            sizeof(struct telemetry));
    if (peer->mode == SHM_READ) {
        return;
    }
    (void)ring_consumer_attach(&peer->events, &peer->own->events_consumer,
                               &s->lines.events_producer, s->event, SHM_EVENTS,
                               sizeof(struct event), RING_TRUST_PEER);
    (void)ring_consumer_attach(&peer->results, &peer->own->results_consumer,
                               &s->lines.results_producer, s->result, SHM_RESULTS,
                               sizeof(struct command_result), RING_TRUST_PEER);
    (void)ring_producer_attach(&peer->commands, &peer->own->commands_producer,
                               &s->lines.commands_consumer, peer->own->command, SHM_COMMANDS,
                               sizeof(struct command), RING_TRUST_PEER);
    atomic_store_explicit(&peer->own->nrt_pid, getpid(), memory_order_relaxed);
}

static int attach(struct shm_peer *peer, const char *name) {
    peer->file = shm_open(name, (peer->mode == SHM_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
    if (peer->file < 0) {
        return -errno;
    }
    int result = shm_inspect(peer->file);
    if (result == 0 && peer->mode == SHM_WRITE) {
        result = shm_take_lock(peer->file, SHM_LOCK_NRT);
    }
    if (result == 0) {
        result = map_segment(peer);
    }
    if (result != 0) {
        return result;
    }
    const struct shm_header *header = &peer->segment->header;
    /* acquire: pairs with the release of READY; all that rt prepared is visible. */
    if (atomic_load_explicit(&header->state, memory_order_acquire) != SHM_STATE_READY) {
        return -EAGAIN;
    }
    peer->boot_id = atomic_load_explicit(&header->boot_id, memory_order_relaxed);
    if (peer->mode == SHM_WRITE) {
        result = open_bells(peer, name);
    }
    if (result == 0) {
        attach_rings(peer);
    }
    return result;
}

int shm_attach(struct shm_peer *peer, const char *name, enum shm_mode mode) {
    *peer = (struct shm_peer){.file = -1, .mode = mode};
    peer->events_bell.queue = peer->commands_bell.queue = (mqd_t)-1;
    if (!shm_name_ok(name)) {
        return -EINVAL;
    }
    int result = attach(peer, name);
    if (result != 0) {
        shm_detach(peer);
    }
    return result;
}

void shm_detach(struct shm_peer *peer) {
    doorbell_close(&peer->events_bell);
    doorbell_close(&peer->commands_bell);
    if (peer->own != NULL) {
        atomic_store_explicit(&peer->own->heartbeat_mono_ns, 0, memory_order_relaxed);
        peer->own = NULL;
    }
    if (peer->segment != NULL) {
        munmap(peer->mapping, sizeof(struct shm_segment));
        peer->segment = NULL;
    }
    if (peer->file >= 0) {
        close(peer->file);
        peer->file = -1;
    }
}

bool shm_is_current(const struct shm_peer *peer) {
    const struct shm_header *header = &peer->segment->header;
    struct stat stat;
    /* A replaced segment has lost its name; its header may be of a layout that we cannot ask. */
    return atomic_load_explicit(&header->boot_id, memory_order_relaxed) == peer->boot_id &&
           fstat(peer->file, &stat) == 0 && stat.st_nlink > 0;
}

int64_t shm_rt_age(const struct shm_peer *peer, int64_t now_ns) {
    int64_t beat =
        atomic_load_explicit(&peer->segment->header.heartbeat_mono_ns, memory_order_relaxed);
    if (beat <= 0) {
        return INT64_MAX;
    }
    return beat > now_ns ? 0 : now_ns - beat;
}

int shm_status_read(const struct shm_peer *peer, struct status *out) {
    size_t length = 0;
    int result = snapshot_read((const struct snapshot *)(const void *)peer->segment->status,
                               sizeof *out, out, sizeof *out, &length, SNAPSHOT_TRIES);
    if (result != 0) {
        return result;
    }
    bool fits = out->slots <= RM_SLOTS_MAX && out->interfaces <= RM_INTERFACES_MAX &&
                length == offsetof(struct status, slot) + out->slots * sizeof out->slot[0];
    return fits ? 0 : -EPROTO;
}

int shm_sessions_read(const struct shm_peer *peer, uint32_t slot, struct session_slot *out,
                      uint64_t *generation) {
    return slot < RM_SLOTS_MAX ? shm_sessions_copy(peer->segment, slot, out, generation) : -EINVAL;
}

uint64_t shm_sessions_generation(const struct shm_peer *peer, uint32_t slot) {
    assert(slot < RM_SLOTS_MAX);
    return retained_generation(peer->segment->sessions[slot], sizeof(struct session_slot));
}

int shm_latches_read(const struct shm_peer *peer, struct shm_latches *out) {
    return shm_latches_copy(peer->segment, out);
}

const struct diag *shm_diag(const struct shm_peer *peer) {
    return &peer->segment->diag;
}

uint64_t shm_event_boot_id(const struct shm_peer *peer, uint64_t seq) {
    const struct shm_header *header = &peer->segment->header;
    /* acquire: the entries of the starts counted here are complete. */
    uint64_t boots = atomic_load_explicit(&header->boots, memory_order_acquire);
    uint64_t known = boots < SHM_BOOTS ? boots : SHM_BOOTS;
    for (uint64_t i = 1; i <= known; i++) {
        const struct shm_boot *boot = &header->boot[(boots - i) % SHM_BOOTS];
        if (atomic_load_explicit(&boot->first_seq, memory_order_relaxed) <= seq) {
            return atomic_load_explicit(&boot->boot_id, memory_order_relaxed);
        }
    }
    return 0;
}

void shm_peer_heartbeat(struct shm_peer *peer, int64_t now_ns) {
    assert(peer->own != NULL);
    uint64_t beats = atomic_load_explicit(&peer->own->heartbeats, memory_order_relaxed);
    atomic_store_explicit(&peer->own->heartbeats, beats + 1, memory_order_relaxed);
    atomic_store_explicit(&peer->own->heartbeat_mono_ns, now_ns, memory_order_relaxed);
}

uint32_t shm_events_peek(struct shm_peer *peer, struct event *out, uint32_t max, uint32_t *taken) {
    assert(peer->own != NULL);
    uint64_t first = peer->events.index;
    *taken = ring_peek(&peer->events, out, max);
    uint32_t good = 0;
    for (uint32_t i = 0; i < *taken; i++) {
        if (out[i].seq == first + 1 + i) {
            out[good++] = out[i];
        }
    }
    peer->events_skipped += *taken - good;
    return good;
}

void shm_events_commit(struct shm_peer *peer, uint32_t taken) {
    assert(peer->own != NULL);
    ring_consume(&peer->events, taken);
}

uint64_t shm_events_dropped(const struct shm_peer *peer) {
    return atomic_load_explicit(&peer->segment->lines.events_producer.dropped,
                                memory_order_relaxed);
}

int shm_command_send(struct shm_peer *peer, const struct command *command) {
    assert(peer->own != NULL);
    if (ring_push(&peer->commands, command, 1) != 1) {
        return -EAGAIN;
    }
    (void)doorbell_ring(&peer->commands_bell, command->id);
    return 0;
}

uint32_t shm_results_take(struct shm_peer *peer, struct command_result *out, uint32_t max) {
    assert(peer->own != NULL);
    return ring_pop(&peer->results, out, max);
}

uint32_t shm_telemetry_read(struct shm_peer *peer, struct telemetry *out, uint32_t max) {
    return overwrite_read(&peer->telemetry, out, max);
}
