/* What ringmain-nrt asks of ringmain-rt by itself: authorisations, leases, what S15 needs, availability. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nrt/nrt.h"

#define ID_LIST_FILE_MAX (512 << 10)
#define ID_LIST_LOOK_NS  INT64_C(2000000000)

bool nrt_is_rt_alive(const struct nrt *n, int64_t now_ns) {
    return n->attached && shm_rt_age(&n->peer, now_ns) < NRT_RT_SILENT_NS;
}

int nrt_send(struct nrt *n, struct command *command, const struct pending *who, int64_t now_ns) {
    if (!nrt_is_rt_alive(n, now_ns)) {
        return -ENOTCONN; /* what waits in the ring would surprise the next rt */
    }
    struct pending entry = *who;
    entry.id = command->id = n->next_command_id++;
    entry.deadline_mono_ns = now_ns + PENDING_TIMEOUT_NS;
    entry.type = command->type;
    entry.slot = command->slot;
    if (!pending_add(&n->pending, &entry)) {
        return -EAGAIN;
    }
    int code = shm_command_send(&n->peer, command);
    if (code != 0) {
        struct pending taken;
        bool found = pending_take(&n->pending, entry.id, &taken);
        (void)found;
    }
    return code;
}

void nrt_keep_save(struct nrt *n) {
    int code = keep_save(&n->keep, n->keep_path, &n->config);
    if (code != 0) {
        nrt_say("%s: cannot be written: %s. Limits, availability and latched faults would be "
                "forgotten by a restart",
                n->keep_path, strerror(-code));
    }
}

/* ---- local list ---- */

static void look_at_id_list(struct nrt *n, int64_t now_ns) {
    struct stat info;
    const char *path = n->config.nrt.local_list_file;
    if (n->config.nrt.auth_mode != AUTH_MODE_LOCAL_LIST || now_ns < n->id_list_next_ns) {
        return;
    }
    n->id_list_next_ns = now_ns + ID_LIST_LOOK_NS;
    int64_t mtime_ns = stat(path, &info) == 0
                           ? (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec + 1
                           : -1;
    if (mtime_ns == n->id_list_mtime_ns) {
        return;
    }
    n->id_list_mtime_ns = mtime_ns;
    char *text = NULL;
    size_t length = 0;
    char error[160] = "";
    int code = keep_read_file(path, ID_LIST_FILE_MAX, &text, &length);
    if (code != 0) {
        nrt_say("%s: cannot be read: %s. The list in force has %u tokens", path, strerror(-code),
                n->id_list.count);
        return;
    }
    code = id_list_parse(&n->id_list, text, length, error, sizeof error);
    free(text);
    nrt_say("%s: %s%s%u tokens in force", path, error, code != 0 ? ". The old list stays: " : "",
            n->id_list.count);
}

/* ---- authorisation ---- */

static struct policy_view view_of(const struct nrt *n, uint32_t slot) {
    const struct status_slot *status = &n->status.slot[slot];
    const struct nrt_slot *mine = &n->slot[slot];
    struct policy_view view = {
        .state = status->gun_state < GUN_STATE_COUNT ? (enum gun_state)status->gun_state
                                                     : GUN_STATE_NONE,
        .state_since_mono_ns = status->state_since_mono_ns,
        .auth_source = status->auth_source < AUTH_SOURCE_COUNT
                           ? (enum auth_source)status->auth_source
                           : AUTH_SOURCE_NONE,
        .operative = (status->flags & STATUS_SLOT_OPERATIVE) != 0,
        .session_id = status->session_id,
        .session_start_mono_ns = mine->running_start_mono_ns,
    };
    memcpy(view.session_token, mine->running_token, sizeof view.session_token);
    return view;
}

static void authorise(struct nrt *n, uint32_t slot, int64_t now_ns) {
    struct policy_gun *gun = &n->slot[slot].policy;
    struct policy_view view = view_of(n, slot);
    enum policy_verdict verdict = id_list_verdict(&n->id_list, gun->token);
    struct policy_decision decision =
        policy_decide(gun, &view, n->config.nrt.auth_mode, verdict, now_ns);
    struct command command = {.slot = (uint16_t)slot};
    switch (decision.action) {
    case POLICY_ACTION_NONE: return;
    case POLICY_ACTION_DROP: policy_sent(gun, &decision, now_ns); return;
    case POLICY_ACTION_AUTHORISE:
        command.type = COMMAND_AUTHORISE;
        command.a = (uint16_t)decision.auth_source;
        memcpy(command.text, decision.token, sizeof command.text);
        break;
    case POLICY_ACTION_DENY:
        command.type = COMMAND_DENY;
        memcpy(command.text, decision.token, sizeof command.text);
        break;
    case POLICY_ACTION_STOP:
        command.type = COMMAND_STOP;
        command.a = STOP_REASON_LOCAL;
        break;
    }
    struct pending who = {.policy = decision.action};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        policy_sent(gun, &decision, now_ns);
    }
}

/* ---- limits ---- */

static int64_t lease_ns(const struct nrt *n) {
    return (int64_t)n->config.nrt.lease_s * 1000000000;
}

static struct limit limit_of(const struct keep_limit *kept, const struct clock_pair *pair) {
    struct limit limit = {.set = false};
    if (kept->set) {
        int64_t until =
            kept->until_real_ns != 0 ? clock_pair_mono_ns(pair, kept->until_real_ns) : 0;
        /* 0 means without end: a limit that ended while nobody looked ends now */
        limit_set(&limit, kept->value_w, kept->until_real_ns != 0 && until <= 0 ? 1 : until);
    }
    return limit;
}

static void restore_site(struct nrt *n) {
    n->site = limit_of(&n->keep.site, &n->pair);
    if (!n->site.set) {
        limit_set(&n->site, n->config.nrt.site_limit_w, 0);
    }
}

void duties_restore(struct nrt *n) {
    n->pair = clock_pair_now();
    restore_site(n);
    for (uint32_t i = 0; i < n->config.slots; i++) {
        n->slot[i].limit = limit_of(&n->keep.slot[i].limit, &n->pair);
    }
}

static void renew_site(struct nrt *n, int64_t now_ns) {
    if (limit_has_ended(&n->site, now_ns)) {
        nrt_say("the site limit of %lld W has ended", (long long)n->site.value_w);
        n->keep.site = (struct keep_limit){.set = false};
        nrt_keep_save(n);
        restore_site(n);
    }
    if (!limit_is_due(&n->site, now_ns)) {
        return;
    }
    struct command command = {.type = COMMAND_SITE_LIMIT,
                              .slot = EVENT_SLOT_NONE,
                              .a = LIMIT_REASON_LEASE,
                              .value = n->site.value_w,
                              .expires_mono_ns = limit_expiry(&n->site, lease_ns(n), now_ns)};
    struct pending who = {.policy = POLICY_ACTION_NONE};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        limit_sent(&n->site, lease_ns(n), now_ns);
    }
}

static void renew_gun(struct nrt *n, uint32_t slot, int64_t now_ns) {
    struct limit *limit = &n->slot[slot].limit;
    if (limit_has_ended(limit, now_ns)) {
        nrt_say("the limit of gun %d has ended", (int)event_connector_id(&n->config, slot));
        limit_clear(limit);
        n->keep.slot[slot].limit = (struct keep_limit){.set = false};
        nrt_keep_save(n);
    }
    if (!limit_is_due(limit, now_ns)) {
        return;
    }
    struct command command = {.type = COMMAND_GUN_LIMIT,
                              .slot = (uint16_t)slot,
                              .a = LIMIT_REASON_PROFILE,
                              .value = limit->value_w,
                              .expires_mono_ns = limit_expiry(limit, lease_ns(n), now_ns)};
    struct pending who = {.policy = POLICY_ACTION_NONE};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        limit_sent(limit, lease_ns(n), now_ns);
    }
}

/* ---- what the store keeps for rt ---- */

/* Rule S15: a slot whose rt found no valid copy of its latches waits for ours. */
static void tell_latches(struct nrt *n, uint32_t slot, int64_t now_ns) {
    struct nrt_slot *mine = &n->slot[slot];
    bool waits = (n->status.slot[slot].faults >> FAULT_LATCH_UNKNOWN & 1u) != 0;
    if (!waits || now_ns < mine->latches_retry_mono_ns) {
        return;
    }
    struct command command = {.type = COMMAND_LATCHES, .slot = (uint16_t)slot};
    memcpy(&command.value, &n->keep.slot[slot].latched, sizeof command.value);
    struct pending who = {.policy = POLICY_ACTION_NONE};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        mine->latches_retry_mono_ns = now_ns + NRT_RETRY_NS;
    }
}

static void keep_latches(struct nrt *n) {
    struct shm_latches latches;
    if (shm_latches_read(&n->peer, &latches) != 0 || latches.known == 0) {
        return;
    }
    bool changed = false;
    uint64_t mask = keep_latched_mask();
    for (uint32_t i = 0; i < n->config.slots; i++) {
        uint64_t latched = latches.latched[i] & mask;
        changed = changed || latched != n->keep.slot[i].latched;
        n->keep.slot[i].latched = latched;
    }
    if (changed) {
        nrt_keep_save(n);
    }
}

static void tell_availability(struct nrt *n, uint32_t slot, int64_t now_ns) {
    struct nrt_slot *mine = &n->slot[slot];
    if (mine->operative_told || !n->keep.slot[slot].inoperative ||
        now_ns < mine->operative_retry_mono_ns) {
        return;
    }
    struct command command = {.type = COMMAND_AVAILABILITY, .slot = (uint16_t)slot, .a = 0};
    struct pending who = {.policy = POLICY_ACTION_NONE};
    if (nrt_send(n, &command, &who, now_ns) == 0) {
        mine->operative_retry_mono_ns = now_ns + NRT_RETRY_NS;
    }
}

/* ---- together ---- */

void duties_attached(struct nrt *n) {
    limit_forget_sent(&n->site);
    for (uint32_t i = 0; i < n->config.slots; i++) {
        struct nrt_slot *mine = &n->slot[i];
        limit_forget_sent(&mine->limit);
        acceptance_forget_sent(&mine->acceptance);
        mine->policy.in_flight = false;
        mine->policy.retry_mono_ns = 0;
        mine->sessions_seen = mine->sessions_unsettled = mine->operative_told = false;
        mine->latches_retry_mono_ns = mine->operative_retry_mono_ns = 0;
    }
}

void duties_run(struct nrt *n, int64_t now_ns) {
    look_at_id_list(n, now_ns);
    if (!n->attached) {
        return;
    }
    /* no stable copy at this instant: the last one stands */
    n->status_valid = shm_status_read(&n->peer, &n->status) == 0 || n->status_valid;
    drain_sessions(n, now_ns);
    renew_site(n, now_ns);
    keep_latches(n);
    for (uint32_t i = 0; i < n->config.slots; i++) {
        bool has_gun = n->config.slot[i].gun >= 0;
        if (has_gun) {
            renew_gun(n, i, now_ns);
        }
        if (n->status_valid && i < n->status.slots) {
            tell_latches(n, i, now_ns);
            if (has_gun) {
                tell_availability(n, i, now_ns);
                authorise(n, i, now_ns);
            }
        }
    }
}

/* One line per kind of refusal, not one per repetition. */
static void tell_refusal(struct nrt *n, const struct pending *who,
                         const struct command_result *result, struct nrt_slot *mine) {
    uint32_t *told = mine != NULL ? &mine->refusal_told : &n->site_refusal_told;
    bool refused = result->status != COMMAND_STATUS_OK && who->type != COMMAND_ACK_SESSION;
    uint32_t kind = refused ? (uint32_t)who->type << 16 | result->status : *told;
    if (refused && *told != kind) {
        nrt_say("%s %d: rt refused \"%s\": %s", mine != NULL ? "gun" : "site",
                (int)event_connector_id(&n->config, who->slot), command_type_name(who->type),
                command_status_name(result->status));
    } else if (!refused && *told >> 16 == who->type) {
        kind = 0;
    }
    *told = kind;
}

static void finish(struct nrt *n, const struct pending *who, const struct command_result *result,
                   int64_t now_ns) {
    bool accepted = result != NULL && result->status == COMMAND_STATUS_OK;
    struct nrt_slot *mine = who->slot < n->config.slots ? &n->slot[who->slot] : NULL;
    if (who->policy != POLICY_ACTION_NONE && mine != NULL) {
        policy_answered(&mine->policy, who->policy, accepted, now_ns);
    }
    if (who->type == COMMAND_SITE_LIMIT) {
        limit_answered(&n->site, accepted, now_ns);
    } else if (who->type == COMMAND_GUN_LIMIT && mine != NULL) {
        limit_answered(&mine->limit, accepted, now_ns);
    } else if (who->type == COMMAND_AVAILABILITY && mine != NULL) {
        mine->operative_told = accepted;
    }
    if (who->has_client) {
        requests_result(n, who, result);
    } else if (result != NULL) {
        tell_refusal(n, who, result, mine);
    }
}

void duties_results(struct nrt *n, int64_t now_ns) {
    struct command_result results[32];
    struct pending who;
    uint32_t count = n->attached ? shm_results_take(&n->peer, results, 32) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (pending_take(&n->pending, results[i].id, &who)) {
            finish(n, &who, &results[i], now_ns);
        }
    }
    while (pending_take_expired(&n->pending, now_ns, &who)) {
        finish(n, &who, NULL, now_ns);
    }
}
