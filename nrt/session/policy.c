#include "nrt/session/policy.h"

#include <string.h>
#include <strings.h>

bool policy_is_in_session(enum gun_state state) {
    switch (state) {
    case GUN_STATE_AUTHORISED:
    case GUN_STATE_LOCKED:
    case GUN_STATE_CABLE_CHECK:
    case GUN_STATE_PRECHARGE:
    case GUN_STATE_CLOSING:
    case GUN_STATE_CHARGING:
    case GUN_STATE_RAMP_DOWN:
    case GUN_STATE_OPENING:
    case GUN_STATE_WELD_CHECK:
    case GUN_STATE_DISCHARGE:
    case GUN_STATE_UNLOCK: return true;
    case GUN_STATE_NONE:
    case GUN_STATE_UNAVAILABLE:
    case GUN_STATE_AVAILABLE:
    case GUN_STATE_PLUGGED:
    case GUN_STATE_FINISHED:
    case GUN_STATE_FAULTED:
    case GUN_STATE_COUNT: return false;
    }
    return false;
}

bool policy_tokens_equal(const char *a, const char *b) {
    return a[0] != '\0' && strncasecmp(a, b, RM_ID_TOKEN_LEN) == 0;
}

static void forget_identity(struct policy_gun *gun) {
    gun->kind = IDENTITY_NONE;
    gun->token[0] = '\0';
}

static void take_identity(struct policy_gun *gun, const struct event *event) {
    if (event->mono_ns < 0 || event->a == IDENTITY_NONE || event->a >= IDENTITY_COUNT ||
        event->a == IDENTITY_EVMAC) {
        return; /* a MAC address is no token: anybody can print one */
    }
    /* a card in the hand outranks what the vehicle says of itself */
    bool card_waits = gun->kind == IDENTITY_RFID;
    if (card_waits && event->a != IDENTITY_RFID) {
        return;
    }
    gun->kind = (enum identity_kind)event->a;
    memcpy(gun->token, event->text, EVENT_TEXT_LEN);
    gun->token[EVENT_TEXT_LEN] = '\0';
    gun->shown_mono_ns = event->mono_ns;
    gun->retry_mono_ns = 0;
    if (gun->token[0] == '\0') {
        forget_identity(gun);
    }
}

void policy_event(struct policy_gun *gun, const struct event *event) {
    if (event->type == EVENT_IDENTITY) {
        take_identity(gun, event);
    } else if (event->type == EVENT_SESSION_STARTED) {
        /* the waiting card opened this session: seen again in a replay it must not stop it */
        if (gun->shown_mono_ns <= event->mono_ns) {
            forget_identity(gun);
        }
        gun->retry_mono_ns = 0;
    } else if (event->type == EVENT_UNPLUGGED) {
        forget_identity(gun);
        gun->retry_mono_ns = 0;
    } else if (event->type == EVENT_PLUGGED) {
        gun->retry_mono_ns = 0;
    }
}

static bool is_fresh(const struct policy_gun *gun, const struct policy_view *view, int64_t now_ns) {
    if (gun->shown_mono_ns >= view->state_since_mono_ns) {
        return view->state == GUN_STATE_PLUGGED ||
               now_ns - gun->shown_mono_ns <= POLICY_IDENTITY_LIFE_NS;
    }
    /* shown before the plug: good for a minute; in any other state it belongs to what was before */
    return view->state == GUN_STATE_PLUGGED &&
           now_ns - gun->shown_mono_ns <= POLICY_IDENTITY_LIFE_NS;
}

static struct policy_decision decide_in_session(const struct policy_gun *gun,
                                                const struct policy_view *view) {
    struct policy_decision decision = {.action = POLICY_ACTION_DROP};
    bool shown_later = view->session_start_mono_ns > 0 &&
                       gun->shown_mono_ns - view->session_start_mono_ns > POLICY_SAME_SWIPE_NS;
    if (gun->kind == IDENTITY_RFID && shown_later &&
        policy_tokens_equal(gun->token, view->session_token)) {
        decision.action = POLICY_ACTION_STOP;
    }
    return decision;
}

static struct policy_decision decide_waiting(const struct policy_gun *gun,
                                             enum policy_verdict verdict) {
    struct policy_decision decision = {.action = POLICY_ACTION_DENY};
    memcpy(decision.token, gun->token, sizeof decision.token);
    if (verdict == POLICY_VERDICT_ACCEPTED) {
        decision.action = POLICY_ACTION_AUTHORISE;
        decision.auth_source = AUTH_SOURCE_LOCAL_LIST;
    } else if (verdict == POLICY_VERDICT_UNKNOWN && gun->kind == IDENTITY_EVCCID) {
        /* every vehicle tells its EVCCID unasked; not being on the list must leave the driver time for a card */
        decision.action = POLICY_ACTION_DROP;
    }
    return decision;
}

struct policy_decision policy_decide(const struct policy_gun *gun, const struct policy_view *view,
                                     enum auth_mode mode, enum policy_verdict verdict,
                                     int64_t now_ns) {
    struct policy_decision decision = {.action = POLICY_ACTION_NONE};
    if (gun->in_flight || now_ns < gun->retry_mono_ns) {
        return decision;
    }
    if (mode == AUTH_MODE_FREE_VEND && view->state == GUN_STATE_PLUGGED && view->operative &&
        view->auth_source == AUTH_SOURCE_NONE) {
        decision.action = POLICY_ACTION_AUTHORISE;
        decision.auth_source = AUTH_SOURCE_FREE_VEND;
        return decision;
    }
    if (gun->kind == IDENTITY_NONE) {
        return decision;
    }
    if (policy_is_in_session(view->state)) {
        return decide_in_session(gun, view);
    }
    bool may_wait = view->state == GUN_STATE_PLUGGED || view->state == GUN_STATE_AVAILABLE;
    if (mode == AUTH_MODE_FREE_VEND || !may_wait || !is_fresh(gun, view, now_ns)) {
        decision.action = POLICY_ACTION_DROP;
        return decision;
    }
    if (view->state == GUN_STATE_AVAILABLE && gun->kind != IDENTITY_RFID) {
        decision.action = POLICY_ACTION_DROP; /* the vehicle that said it is gone */
        return decision;
    }
    if (view->auth_source != AUTH_SOURCE_NONE) {
        decision.action = POLICY_ACTION_DROP; /* already authorised */
        return decision;
    }
    return decide_waiting(gun, verdict);
}

void policy_sent(struct policy_gun *gun, const struct policy_decision *decision, int64_t now_ns) {
    if (decision->action == POLICY_ACTION_DROP) {
        forget_identity(gun);
        return;
    }
    gun->in_flight = true;
    gun->sent_shown_mono_ns = gun->shown_mono_ns;
    gun->retry_mono_ns = now_ns + POLICY_RETRY_NS;
}

void policy_answered(struct policy_gun *gun, enum policy_action action, bool accepted,
                     int64_t now_ns) {
    bool another_came = gun->shown_mono_ns != gun->sent_shown_mono_ns;
    gun->in_flight = false;
    gun->retry_mono_ns = another_came ? 0 : now_ns + POLICY_RETRY_NS;
    if (accepted && action != POLICY_ACTION_NONE && !another_came) {
        forget_identity(gun);
    }
}
