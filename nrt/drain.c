/* From shared memory to disk: events and finished sessions. Nothing is given back to rt before it is durable. */
#include <errno.h>
#include <string.h>

#include "nrt/nrt.h"

#define BATCHES_PER_TURN 8 /* so that heartbeat and socket get their turn under a flood */

static void fold_events(struct nrt *n, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const struct event *event = &n->batch[i];
        if (event->slot < n->config.slots && event->type != EVENT_INTERFACE) {
            policy_event(&n->slot[event->slot].policy, event);
        }
    }
}

/* Says the first failure of a kind, and that it is over. */
static bool store_works(struct nrt *n, int code, const char *path) {
    if (code != 0 && n->store_error_told != code) {
        nrt_say("%s: cannot be written: %s. Events and sessions wait in shared memory", path,
                strerror(-code));
        notify_send(&n->notify, "STATUS=the event log cannot be written");
    } else if (code == 0 && n->store_error_told != 0) {
        nrt_say("%s: is written again", path);
    }
    n->store_error_told = code;
    return code == 0;
}

bool drain_events(struct nrt *n) {
    for (int turn = 0; n->attached && turn < BATCHES_PER_TURN; turn++) {
        uint32_t taken = 0;
        uint32_t count = shm_events_peek(&n->peer, n->batch, NRT_EVENTS_BATCH, &taken);
        if (taken == 0) {
            return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            n->batch_boot_id[i] = shm_event_boot_id(&n->peer, n->batch[i].seq);
        }
        n->pair = clock_pair_now();
        int code =
            event_log_write(&n->events, &n->config, n->batch_boot_id, n->batch, count, &n->pair);
        if (!store_works(n, code, n->log_path)) {
            return false;
        }
        /* folded before they are given back: a crash in between only makes them come again */
        fold_events(n, count);
        shm_events_commit(&n->peer, taken);
    }
    return n->attached;
}

static void acknowledge(struct nrt *n, uint32_t slot, uint64_t session_id, int64_t now_ns) {
    struct command command = {.type = COMMAND_ACK_SESSION, .slot = (uint16_t)slot};
    memcpy(&command.value, &session_id, sizeof command.value);
    struct pending who = {.policy = POLICY_ACTION_NONE};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        acceptance_sent(&n->slot[slot].acceptance, session_id, now_ns);
    }
}

static void settle_record(struct nrt *n, uint32_t slot, const struct session_record *record,
                          int64_t now_ns) {
    bool on_disk = session_log_has(&n->sessions, record);
    enum acceptance_step step = acceptance_next(&n->slot[slot].acceptance, record, on_disk, now_ns);
    if (step == ACCEPTANCE_WRITE) {
        n->pair = clock_pair_now();
        int code = session_log_write(&n->sessions, &n->config, slot, record, &n->pair);
        if (store_works(n, code, n->sessions_path)) {
            step = ACCEPTANCE_ACKNOWLEDGE;
        }
    }
    if (step == ACCEPTANCE_ACKNOWLEDGE) {
        acknowledge(n, slot, record->session_id, now_ns);
    }
}

static void settle_slot(struct nrt *n, uint32_t slot, int64_t now_ns) {
    struct session_slot records;
    struct nrt_slot *mine = &n->slot[slot];
    uint64_t generation = 0;
    int code = shm_sessions_read(&n->peer, slot, &records, &generation);
    if (code == -ENODATA) {
        return;
    }
    if (code != 0) {
        mine->sessions_seen = false; /* in work, or damaged: look again at the next tick */
        return;
    }
    mine->sessions_seen = true;
    mine->sessions_generation = generation;
    mine->running_id = records.running.session_id;
    mine->running_start_mono_ns = records.running.start_mono_ns;
    memcpy(mine->running_token, records.running.id_token, sizeof mine->running_token);
    mine->running_token[RM_ID_TOKEN_LEN - 1] = '\0';
    uint32_t count = acceptance_count(&records);
    mine->sessions_unsettled = count > 0;
    for (uint32_t i = 0; i < count; i++) {
        settle_record(n, slot, &records.finished[i], now_ns);
    }
}

void drain_sessions(struct nrt *n, int64_t now_ns) {
    for (uint32_t slot = 0; n->attached && slot < n->config.slots; slot++) {
        struct nrt_slot *mine = &n->slot[slot];
        uint64_t generation = shm_sessions_generation(&n->peer, slot);
        if (!mine->sessions_seen || mine->sessions_unsettled ||
            generation != mine->sessions_generation) {
            settle_slot(n, slot, now_ns);
        }
    }
}
