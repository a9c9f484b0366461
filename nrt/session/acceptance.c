#include "nrt/session/acceptance.h"

#include <string.h>

uint32_t acceptance_count(const struct session_slot *slot) {
    return slot->finished_count < SESSIONS_FINISHED_MAX ? slot->finished_count
                                                        : SESSIONS_FINISHED_MAX;
}

enum acceptance_step acceptance_next(const struct acceptance *acceptance,
                                     const struct session_record *record, bool is_on_disk,
                                     int64_t now_ns) {
    if (record->session_id == 0) {
        return ACCEPTANCE_NOTHING;
    }
    if (!is_on_disk) {
        return ACCEPTANCE_WRITE;
    }
    for (size_t i = 0; i < SESSIONS_FINISHED_MAX; i++) {
        if (acceptance->sent[i].session_id == record->session_id) {
            return now_ns < acceptance->sent[i].retry_mono_ns ? ACCEPTANCE_NOTHING
                                                              : ACCEPTANCE_ACKNOWLEDGE;
        }
    }
    return ACCEPTANCE_ACKNOWLEDGE;
}

void acceptance_sent(struct acceptance *acceptance, uint64_t session_id, int64_t now_ns) {
    size_t place = 0;
    for (size_t i = 0; i < SESSIONS_FINISHED_MAX; i++) {
        if (acceptance->sent[i].session_id == session_id) {
            place = i;
            break;
        }
        if (acceptance->sent[i].retry_mono_ns < acceptance->sent[place].retry_mono_ns) {
            place = i; /* else the one that was sent longest ago: it is gone from the region */
        }
    }
    acceptance->sent[place].session_id = session_id;
    acceptance->sent[place].retry_mono_ns = now_ns + ACCEPTANCE_RETRY_NS;
}

void acceptance_forget_sent(struct acceptance *acceptance) {
    memset(acceptance, 0, sizeof *acceptance);
}
