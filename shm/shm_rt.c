#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/shm.h"
#include "shm/shm_private.h"
#include "shm/words.h"

#define SHM_MODE                   (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP)
#define GUARD_CYCLE_THRESHOLD_NS   1000000  /* a fifth of the 5 ms tick */
#define PLANNER_CYCLE_THRESHOLD_NS 25000000 /* half of the 50 ms period */
#define SESSIONS_LENGTH(count)                                                                     \
    (offsetof(struct session_slot, finished) + (size_t)(count) * sizeof(struct session_record))

static void store(_Atomic uint64_t *to, uint64_t value) {
    atomic_store_explicit(to, value, memory_order_relaxed);
    SHM_STORED();
}

static void store_ns(_Atomic int64_t *to, int64_t value) {
    atomic_store_explicit(to, value, memory_order_relaxed);
    SHM_STORED();
}

static void set_state(struct shm_segment *segment, enum shm_state state) {
    /* release: all that was prepared is visible to whoever acquires READY. */
    atomic_store_explicit(&segment->header.state, (uint32_t)state, memory_order_release);
    SHM_STORED();
}

/* ---- start-up ---- */

static int map_segment(struct shm_rt *rt) {
    void *base = mmap(NULL, sizeof(struct shm_segment), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_POPULATE, rt->file, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    rt->segment = base;
    return 0;
}

static int open_new(struct shm_rt *rt) {
    rt->file = shm_open(rt->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, SHM_MODE);
    if (rt->file < 0) {
        return -errno;
    }
    int result = shm_take_lock(rt->file, SHM_LOCK_RT);
    if (result == 0 && fchmod(rt->file, SHM_MODE) != 0) {
        result = -errno; /* the umask must not keep ringmain-nrt's group out */
    }
    if (result == 0) {
        /* Takes the memory now: without it, a full /dev/shm would kill us at some later store. */
        result = -posix_fallocate(rt->file, 0, (off_t)sizeof(struct shm_segment));
    }
    return result != 0 ? result : map_segment(rt);
}

static void write_header(struct shm_segment *segment) {
    struct shm_header *header = &segment->header;
    header->version = SHM_LAYOUT_VERSION;
    header->header_size = sizeof *header;
    header->layout_hash = shm_layout_hash;
    header->segment_size = sizeof *segment;
    for (unsigned i = 0; i < SHM_REGION_COUNT; i++) {
        header->region[i] = shm_layout_region((enum shm_region_kind)i);
    }
    SHM_STORED();
    /* release: whoever acquires the magic sees the header. The rest of a new file is zero, which is each region's
     * empty state. */
    atomic_store_explicit(&header->magic, SHM_MAGIC, memory_order_release);
    SHM_STORED();
}

/* The file that is there: locked and the same as the name says, or -ENOENT, -EBUSY. */
static int open_existing(struct shm_rt *rt) {
    rt->file = shm_open(rt->name, O_RDWR | O_CLOEXEC, 0);
    if (rt->file < 0) {
        return -errno;
    }
    int result = shm_take_lock(rt->file, SHM_LOCK_RT);
    if (result != 0) {
        return result;
    }
    struct stat stat;
    if (fstat(rt->file, &stat) != 0) {
        return -errno;
    }
    return stat.st_nlink == 0 ? -ESTALE : 0;
}

/* Adopts, or sets aside what cannot be adopted: then -ESTALE, and the name is free. */
static int adopt_or_remove(struct shm_rt *rt, enum shm_policy policy, struct shm_start *start) {
    int verdict = shm_inspect(rt->file);
    if (verdict == 0) {
        start->origin = SHM_ORIGIN_ADOPTED;
        return map_segment(rt);
    }
    bool other_layout = verdict == -EPROTONOSUPPORT || verdict == -EBADMSG;
    if (other_layout && policy == SHM_POLICY_REFUSE) {
        return verdict;
    }
    start->origin = SHM_ORIGIN_REPLACED;
    return shm_unlink(rt->name) == 0 ? -ESTALE : -errno;
}

static int open_segment(struct shm_rt *rt, enum shm_policy policy, struct shm_start *start) {
    /* Each turn either succeeds, fails for good, or was overtaken by another process (-EEXIST, -ESTALE). */
    int result = -EBUSY;
    for (int turn = 0; turn < 4; turn++) {
        result = open_existing(rt);
        if (result == -ENOENT) {
            result = open_new(rt);
            if (result == 0) {
                write_header(rt->segment);
            }
        } else if (result == 0) {
            result = adopt_or_remove(rt, policy, start);
        }
        if (result != -ESTALE && result != -EEXIST) {
            return result;
        }
        if (rt->file >= 0) {
            close(rt->file);
            rt->file = -1;
        }
    }
    return result == -ESTALE || result == -EEXIST ? -EBUSY : result;
}

static int open_bells(struct shm_rt *rt) {
    char name[SHM_BELL_NAME_MAX];
    shm_bell_name(name, rt->name, "-evt");
    int result = doorbell_create(&rt->events_bell, name);
    if (result != 0) {
        return result;
    }
    shm_bell_name(name, rt->name, "-cmd");
    return doorbell_create(&rt->commands_bell, name);
}

static void attach_regions(struct shm_rt *rt) {
    struct shm_segment *s = rt->segment;
    /* What does not fit is counted by the rings as a fault of the peer; nothing else follows from it. */
    (void)ring_producer_attach(&rt->events, &s->lines.events_producer, &s->nrt.events_consumer,
                               s->event, SHM_EVENTS, sizeof(struct event), RING_TRUST_OWN);
    (void)ring_producer_attach(&rt->results, &s->lines.results_producer, &s->nrt.results_consumer,
                               s->result, SHM_RESULTS, sizeof(struct command_result),
                               RING_TRUST_OWN);
    (void)ring_consumer_attach(&rt->commands, &s->lines.commands_consumer,
                               &s->nrt.commands_producer, s->nrt.command, SHM_COMMANDS,
                               sizeof(struct command), RING_TRUST_OWN);
    overwrite_writer_attach(&rt->telemetry, &s->lines.telemetry, s->telemetry, SHM_TELEMETRY,
                            sizeof(struct telemetry));
    snapshot_attach(&rt->status, (struct snapshot *)(void *)s->status, sizeof(struct status));
    for (unsigned i = 0; i < RM_SLOTS_MAX; i++) {
        retained_attach(&rt->sessions[i], s->sessions[i], sizeof(struct session_slot), i);
    }
    retained_attach(&rt->latches, s->latches, sizeof(struct shm_latches), SHM_LATCHES_TAG);
}

static void find_retained(struct shm_rt *rt, struct shm_start *start) {
    struct shm_header *header = &rt->segment->header;
    start->previous_boot_id = atomic_load_explicit(&header->boot_id, memory_order_relaxed);
    start->next_event_seq = rt->events.index + 1;
    start->unread_events = rt->events.index - rt->events.peer_seen;
    if (shm_latches_copy(rt->segment, &start->latches) != 0) {
        start->latches = (struct shm_latches){0};
    }
    start->latches_known = start->latches.known == 1;
    for (uint32_t slot = 0; slot < RM_SLOTS_MAX; slot++) {
        struct session_slot left;
        int result = shm_rt_sessions_left(rt, slot, &left);
        start->sessions_lost += result != 0 && result != -ENODATA;
    }
}

static void enter_boot(struct shm_rt *rt, int64_t now_ns, struct shm_start *start) {
    struct shm_header *header = &rt->segment->header;
    uint64_t boots = atomic_load_explicit(&header->boots, memory_order_relaxed);
    start->boot_count = boots + 1;
    struct shm_boot *entry = &header->boot[boots % SHM_BOOTS];
    store(&entry->boot_id, 0);
    store(&entry->first_seq, start->next_event_seq);
    store(&entry->boot_id, rt->boot_id);
    store(&header->boot_id, rt->boot_id);
    store_ns(&header->rt_pid, getpid());
    store_ns(&header->started_mono_ns, now_ns);
    /* release: whoever acquires this count sees the entry. */
    atomic_store_explicit(&header->boots, boots + 1, memory_order_release);
    SHM_STORED();
    /* The latches keep what they held; only the start is entered. */
    rt->latches_now = start->latches;
    rt->latches_now.boot_id = rt->boot_id;
    rt->latches_now.boot_count = boots + 1;
    retained_publish(&rt->latches, &rt->latches_now, sizeof rt->latches_now);
}

int shm_rt_create(struct shm_rt *rt, const char *name, uint64_t boot_id, enum shm_policy policy,
                  int64_t now_ns, struct shm_start *start) {
    assert(boot_id != 0);
    memset(rt, 0, sizeof *rt);
    *start = (struct shm_start){.origin = SHM_ORIGIN_CREATED};
    rt->file = -1;
    rt->events_bell.queue = rt->commands_bell.queue = (mqd_t)-1;
    rt->boot_id = boot_id;
    if (!shm_name_ok(name)) {
        return -EINVAL;
    }
    memcpy(rt->name, name, strlen(name) + 1);
    int result = open_segment(rt, policy, start);
    if (result == 0) {
        result = open_bells(rt);
    }
    if (result != 0) {
        shm_rt_close(rt);
        return result;
    }
    set_state(rt->segment, SHM_STATE_PREPARING);
    attach_regions(rt);
    find_retained(rt, start);
    enter_boot(rt, now_ns, start);
    diag_reset(&rt->segment->diag, GUARD_CYCLE_THRESHOLD_NS, PLANNER_CYCLE_THRESHOLD_NS);
    shm_rt_heartbeat(rt, now_ns);
    set_state(rt->segment, SHM_STATE_READY);
    return 0;
}

void shm_rt_close(struct shm_rt *rt) {
    doorbell_close(&rt->events_bell);
    doorbell_close(&rt->commands_bell);
    if (rt->segment != NULL) {
        munmap(rt->segment, sizeof(struct shm_segment));
        rt->segment = NULL;
    }
    if (rt->file >= 0) {
        close(rt->file);
        rt->file = -1;
    }
}

/* ---- at work: the guard thread ---- */

void shm_rt_heartbeat(struct shm_rt *rt, int64_t now_ns) {
    struct shm_header *header = &rt->segment->header;
    store_ns(&header->heartbeat_mono_ns, now_ns);
    store(&header->heartbeats, atomic_load_explicit(&header->heartbeats, memory_order_relaxed) + 1);
}

bool shm_rt_peer_alive(const struct shm_rt *rt, int64_t now_ns, int64_t max_age_ns) {
    int64_t beat = atomic_load_explicit(&rt->segment->nrt.heartbeat_mono_ns, memory_order_relaxed);
    return beat > 0 && beat <= now_ns && now_ns - beat <= max_age_ns;
}

void shm_rt_status(struct shm_rt *rt, const struct status *status) {
    assert(status->slots <= RM_SLOTS_MAX);
    snapshot_publish(&rt->status, status,
                     offsetof(struct status, slot) + status->slots * sizeof status->slot[0]);
}

int shm_rt_sessions_left(const struct shm_rt *rt, uint32_t slot, struct session_slot *out) {
    assert(slot < RM_SLOTS_MAX);
    return shm_sessions_copy(rt->segment, slot, out, NULL);
}

void shm_rt_sessions(struct shm_rt *rt, uint32_t slot, const struct session_slot *sessions) {
    assert(slot < RM_SLOTS_MAX && sessions->finished_count <= SESSIONS_FINISHED_MAX);
    retained_publish(&rt->sessions[slot], sessions, SESSIONS_LENGTH(sessions->finished_count));
}

void shm_rt_latches(struct shm_rt *rt, const uint64_t latched[RM_SLOTS_MAX], bool estop_latched,
                    bool known) {
    struct shm_latches *now = &rt->latches_now;
    if (memcmp(now->latched, latched, sizeof now->latched) == 0 &&
        now->estop_latched == estop_latched && now->known == known) {
        return;
    }
    memcpy(now->latched, latched, sizeof now->latched);
    now->estop_latched = estop_latched;
    now->known = known;
    retained_publish(&rt->latches, now, sizeof *now);
}

uint32_t shm_rt_events(struct shm_rt *rt, struct event *events, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        events[i].seq = rt->events.index + 1 + i;
    }
    return ring_push_or_drop(&rt->events, events, n);
}

void shm_rt_ring(struct shm_rt *rt) {
    (void)doorbell_ring(&rt->events_bell, rt->events.index);
}

uint32_t shm_rt_commands(struct shm_rt *rt, struct command *out, uint32_t max) {
    return ring_peek(&rt->commands, out, max);
}

void shm_rt_commands_done(struct shm_rt *rt, uint32_t n) {
    ring_consume(&rt->commands, n);
}

void shm_rt_result(struct shm_rt *rt, const struct command_result *result) {
    (void)ring_push_or_drop(&rt->results, result, 1);
}

void shm_rt_telemetry(struct shm_rt *rt, const struct telemetry *record) {
    overwrite_write(&rt->telemetry, record);
}

struct diag *shm_rt_diag(struct shm_rt *rt) {
    return &rt->segment->diag;
}

uint64_t shm_rt_peer_faults(const struct shm_rt *rt) {
    return rt->events.faults + rt->results.faults + rt->commands.faults;
}
