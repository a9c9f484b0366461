/* Commands from nrt: each field checked, each answered, none clamped silently. */
#include <string.h>

#include "rt/control_private.h"

struct answer {
    enum command_status status;
    uint16_t detail;
};

static struct answer ok(void) {
    return (struct answer){COMMAND_STATUS_OK, 0};
}

static struct answer refuse(enum command_status status, unsigned detail) {
    return (struct answer){status, (uint16_t)detail};
}

/* A token: terminated within its field, printable, not empty. */
static bool token_sound(const char text[RM_ID_TOKEN_LEN]) {
    for (size_t i = 0; i < RM_ID_TOKEN_LEN; i++) {
        if (text[i] == '\0') {
            return i > 0;
        }
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return false;
}

static bool token_empty(const char text[RM_ID_TOKEN_LEN]) {
    return text[0] == '\0';
}

static enum command_status lease_until(const struct command *command, int64_t now_us,
                                       int64_t *until_us) {
    *until_us = command->expires_mono_ns / 1000;
    if (*until_us <= now_us) {
        return COMMAND_STATUS_EXPIRED;
    }
    return *until_us - now_us > CONTROL_LEASE_MAX_US ? COMMAND_STATUS_BAD_VALUE : COMMAND_STATUS_OK;
}

static struct answer authorise(struct control *c, const struct command *k, int64_t now_us) {
    struct control_slot *s = &c->slot[k->slot];
    struct gun *g = &s->gun;
    if (k->a == AUTH_SOURCE_NONE || k->a >= AUTH_SOURCE_COUNT ||
        !(token_sound(k->text) || (token_empty(k->text) && k->a == AUTH_SOURCE_FREE_VEND))) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    if ((g->state != GUN_STATE_AVAILABLE && g->state != GUN_STATE_PLUGGED) || c->shutdown ||
        s->records.finished_count >= SESSIONS_FINISHED_MAX) {
        return refuse(COMMAND_STATUS_STATE, g->state);
    }
    if (s->reserved_until_us != 0 &&
        strncmp(s->reserved_token, k->text, sizeof s->reserved_token) != 0) {
        return refuse(COMMAND_STATUS_STATE, g->state);
    }
    s->reserved_until_us = 0;
    gun_authorise(g, (enum auth_source)k->a, k->text, now_us + CONTROL_PRE_AUTH_US);
    return ok();
}

static struct answer deny(struct control *c, const struct command *k) {
    struct gun *g = &c->slot[k->slot].gun;
    if (g->session || (g->state != GUN_STATE_PLUGGED && !g->authorised)) {
        return refuse(COMMAND_STATUS_STATE, g->state);
    }
    gun_deny(g);
    return ok();
}

static struct answer stop(struct control *c, const struct command *k) {
    struct control_slot *s = &c->slot[k->slot];
    if (k->a != STOP_REASON_REMOTE && k->a != STOP_REASON_LOCAL &&
        k->a != STOP_REASON_DEAUTHORISED) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    if (!s->gun.session) {
        return refuse(COMMAND_STATUS_STATE, s->gun.state);
    }
    if (!s->stop_requested) {
        s->stop_requested = true;
        s->stop_reason = (enum stop_reason)k->a;
    }
    return ok();
}

static struct answer limit(struct control_lease *lease, const struct command *k,
                           enum limit_reason reason, int64_t now_us) {
    int64_t until_us = 0;
    if (k->a != reason || k->value < 0 || k->value > CONTROL_LIMIT_W_MAX) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    const enum command_status status = lease_until(k, now_us, &until_us);
    if (status != COMMAND_STATUS_OK) {
        return refuse(status, 0);
    }
    *lease = (struct control_lease){.valid = true, .limit_w = k->value, .until_us = until_us};
    return ok();
}

static struct answer availability(struct control *c, const struct command *k) {
    if (k->a > 1) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    c->slot[k->slot].gun.operative = k->a == 1;
    return ok();
}

static struct answer reserve(struct control *c, const struct command *k, int64_t now_us) {
    struct control_slot *s = &c->slot[k->slot];
    int64_t until_us = 0;
    if (k->a == 0) {
        if (s->reserved_until_us == 0) {
            return refuse(COMMAND_STATUS_NOT_FOUND, 0);
        }
        s->reserved_until_us = 0;
        return ok();
    }
    if (k->a != 1 || !token_sound(k->text)) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    const enum command_status status = lease_until(k, now_us, &until_us);
    if (status != COMMAND_STATUS_OK) {
        return refuse(status, 0);
    }
    if (s->gun.state != GUN_STATE_AVAILABLE ||
        (s->reserved_until_us != 0 &&
         strncmp(s->reserved_token, k->text, sizeof s->reserved_token) != 0)) {
        return refuse(COMMAND_STATUS_STATE, s->gun.state);
    }
    memcpy(s->reserved_token, k->text, sizeof s->reserved_token);
    s->reserved_until_us = until_us;
    return ok();
}

/* What of a slot's latched faults may go, by the interlocks' own word. A PLC that holds a fault of its own waits for the
 * same person's word. Returns what stays. */
static uint64_t clear_slot(struct control *c, uint32_t slot, uint64_t asked, uint64_t *found,
                           int64_t now_us) {
    const uint64_t latched = c->interlock.slot[slot].latched & asked;
    const uint64_t stay = interlock_may_not_clear(&c->interlock, c->config, &c->image,
                                                  &c->interlock_in, slot, asked, now_us);
    const uint64_t clear = latched & ~stay;
    const bool plc = c->image.slot[slot].plc_fault_reason != 0 &&
                     (asked & (UINT64_C(1) << FAULT_PLC_INTERNAL)) != 0;
    *found |= latched | (plc ? UINT64_C(1) << FAULT_PLC_INTERNAL : 0);
    c->interlock_in.clear_faults[slot] |= clear;
    c->slot[slot].clear_plc = c->slot[slot].clear_plc || plc || clear != 0;
    return stay;
}

static struct answer clear_fault(struct control *c, const struct command *k, int64_t now_us) {
    const uint64_t estop = UINT64_C(1) << FAULT_ESTOP;
    if (k->slot != EVENT_SLOT_NONE && k->slot >= c->config->slots) {
        return refuse(COMMAND_STATUS_BAD_SLOT, 0);
    }
    if (k->a >= FAULT_COUNT) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    if (k->a == FAULT_ESTOP) {
        return refuse(COMMAND_STATUS_LATCHED, FAULT_ESTOP); /* S3: by COMMAND_RESET_ESTOP alone */
    }
    const uint64_t asked = k->a == 0 ? ~estop : UINT64_C(1) << k->a;
    uint64_t found = 0;
    unsigned kept = 0; /* detail of the first that stays */
    for (uint32_t i = 0; i < c->config->slots; i++) {
        if (k->slot == EVENT_SLOT_NONE || k->slot == i) {
            const uint64_t stay = clear_slot(c, i, asked, &found, now_us);
            if (stay != 0 && kept == 0) {
                kept = COMMAND_DETAIL_AT((unsigned)__builtin_ctzll(stay), i);
            }
        }
    }
    if (kept != 0) {
        return refuse(COMMAND_STATUS_LATCHED, kept);
    }
    return found == 0 ? refuse(COMMAND_STATUS_NOT_FOUND, 0) : ok();
}

static struct answer reset_estop(struct control *c, int64_t now_us) {
    struct interlock_refusal why;
    uint64_t zones = 0;
    if (!c->interlock.estop_latched) {
        return refuse(COMMAND_STATUS_NOT_FOUND, 0);
    }
    const bool all = interlock_may_reset(&c->interlock, c->config, &c->image, now_us, &zones, &why);
    if (zones != 0) {
        c->interlock_in.reset_estop = true;
        /* A PLC holds the stop too (ESTOP_LATCHED) until it hears CLEAR_FAULTS: the same person's word. */
        for (uint32_t i = 0; i < c->config->slots; i++) {
            c->slot[i].clear_plc = c->slot[i].clear_plc || c->image.slot[i].plc_fault_reason != 0;
        }
    }
    if (!all) {
        return refuse(COMMAND_STATUS_LATCHED, COMMAND_DETAIL_AT(why.fault, why.slot));
    }
    return ok();
}

static struct answer priority(struct control *c, const struct command *k) {
    if (k->a > 7) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    c->slot[k->slot].priority_class = (uint8_t)k->a;
    return ok();
}

static struct answer latches(struct control *c, const struct command *k) {
    const uint64_t known = (UINT64_C(1) << FAULT_COUNT) - 1;
    const uint64_t unknown = UINT64_C(1) << FAULT_LATCH_UNKNOWN;
    if (k->slot >= c->config->slots) {
        return refuse(COMMAND_STATUS_BAD_SLOT, 0);
    }
    if (((uint64_t)k->value & ~known) != 0) {
        return refuse(COMMAND_STATUS_BAD_VALUE, 0);
    }
    if (!c->latches_awaited[k->slot]) {
        return refuse(COMMAND_STATUS_STATE, 0); /* known since boot, or given already */
    }
    c->latches_awaited[k->slot] = false;
    interlock_restore(&c->interlock, c->config, k->slot, (uint64_t)k->value & ~unknown, true);
    interlock_restore_estop(&c->interlock, ((uint64_t)k->value >> FAULT_ESTOP & 1) != 0);
    return ok();
}

static bool needs_gun(unsigned type) {
    switch (type) {
    case COMMAND_AUTHORISE:
    case COMMAND_DENY:
    case COMMAND_STOP:
    case COMMAND_GUN_LIMIT:
    case COMMAND_AVAILABILITY:
    case COMMAND_RESERVE:
    case COMMAND_ACK_SESSION:
    case COMMAND_PRIORITY: return true;
    default: /* not an enum switch: type comes from shared memory */ return false;
    }
}

static struct answer execute(struct control *c, const struct command *k, int64_t now_us) {
    if (needs_gun(k->type) && (k->slot >= c->config->slots || !control_has_gun(c, k->slot))) {
        return refuse(COMMAND_STATUS_BAD_SLOT, 0);
    }
    switch (k->type) {
    case COMMAND_AUTHORISE: return authorise(c, k, now_us);
    case COMMAND_DENY: return deny(c, k);
    case COMMAND_STOP: return stop(c, k);
    case COMMAND_SITE_LIMIT: return limit(&c->site, k, LIMIT_REASON_LEASE, now_us);
    case COMMAND_GUN_LIMIT:
        return limit(&c->slot[k->slot].profile, k, LIMIT_REASON_PROFILE, now_us);
    case COMMAND_AVAILABILITY: return availability(c, k);
    case COMMAND_RESERVE: return reserve(c, k, now_us);
    case COMMAND_CLEAR_FAULT: return clear_fault(c, k, now_us);
    case COMMAND_RESET_ESTOP: return reset_estop(c, now_us);
    case COMMAND_ACK_SESSION:
        return control_session_acknowledge(c, k->slot, (uint64_t)k->value)
                   ? ok()
                   : refuse(COMMAND_STATUS_NOT_FOUND, 0);
    case COMMAND_PRIORITY: return priority(c, k);
    case COMMAND_LATCHES: return latches(c, k);
    default: return refuse(COMMAND_STATUS_UNKNOWN, 0);
    }
}

void control_command(struct control *c, const struct command *command,
                     struct command_result *result, int64_t now_us) {
    const struct answer answer = execute(c, command, now_us);
    memset(result, 0, sizeof *result);
    result->id = command->id;
    result->mono_ns = now_us * 1000;
    result->type = command->type;
    result->slot = command->slot;
    result->status = (uint16_t)answer.status;
    result->detail = answer.detail;
}
