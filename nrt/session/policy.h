/* Authorisation: who may charge, decided from what happened (events) and from what is (status).
 *
 * A small reducer per gun: policy_event() folds the event stream into the identity that waits for an answer;
 * policy_decide() compares it with the gun's present state and names at most one command. The decision rests on state,
 * not on events alone, so a lost event, a restart of this process or an event seen twice does no harm:
 * an identity is answered once per session, and the same card stops only a session that began before it was shown.
 * Pure: no clock, no I/O, no heap. Time is CLOCK_MONOTONIC in ns, given by the caller.
 */
#ifndef RINGMAIN_NRT_SESSION_POLICY_H
#define RINGMAIN_NRT_SESSION_POLICY_H

#include "configs/config.h"
#include "shm/event.h"
#include "shm/vocabulary.h"

/* An identity shown without a vehicle is good for as long as ringmain-rt keeps an authorisation. */
#define POLICY_IDENTITY_LIFE_NS INT64_C(60000000000)
/* A card read again this soon after its session began is the same gesture, not a wish to stop. */
#define POLICY_SAME_SWIPE_NS INT64_C(3000000000)
/* Before a command is repeated: unanswered, refused, or accepted without the gun moving on. */
#define POLICY_RETRY_NS INT64_C(5000000000)

enum policy_verdict { POLICY_VERDICT_UNKNOWN = 0, POLICY_VERDICT_ACCEPTED, POLICY_VERDICT_BLOCKED };

enum policy_action {
    POLICY_ACTION_NONE = 0,
    POLICY_ACTION_AUTHORISE,
    POLICY_ACTION_DENY,
    POLICY_ACTION_STOP,
    POLICY_ACTION_DROP /* forget the waiting identity: it has no meaning (any more) */
};

/* What this process remembers of one gun. Zero-initialised is a valid start. */
struct policy_gun {
    enum identity_kind kind; /* IDENTITY_NONE: nothing waits */
    char token[RM_ID_TOKEN_LEN];
    int64_t shown_mono_ns;
    int64_t retry_mono_ns;      /* no command before this; 0: any time */
    bool in_flight;             /* a command of ours is not answered yet */
    int64_t sent_shown_mono_ns; /* shown_mono_ns of the identity that command answers */
};

/* The gun as status and sessions region show it. */
struct policy_view {
    enum gun_state state;
    int64_t state_since_mono_ns;
    enum auth_source auth_source; /* of the running or waiting authorisation */
    bool operative;
    uint64_t session_id; /* 0 none */
    int64_t session_start_mono_ns;
    char session_token[RM_ID_TOKEN_LEN];
};

struct policy_decision {
    enum policy_action action;
    enum auth_source auth_source; /* AUTHORISE */
    char token[RM_ID_TOKEN_LEN];  /* AUTHORISE, DENY */
};

/* Fold one event of this gun. Other types leave the memory as it is. */
void policy_event(struct policy_gun *gun, const struct event *event);

/* verdict: of the local list about gun->token; without a waiting identity it is not looked at. */
struct policy_decision policy_decide(const struct policy_gun *gun, const struct policy_view *view,
                                     enum auth_mode mode, enum policy_verdict verdict,
                                     int64_t now_ns);

/* The command of a decision was handed to rt (DROP: call at once, nothing is sent). */
void policy_sent(struct policy_gun *gun, const struct policy_decision *decision, int64_t now_ns);
/* Its answer came, or none within the time-out (accepted false). */
void policy_answered(struct policy_gun *gun, enum policy_action action, bool accepted,
                     int64_t now_ns);

/* A session is under way from the authorisation to the unlock. */
bool policy_is_in_session(enum gun_state state);
/* Tokens compare without regard to case, as OCPP's IdToken does. */
bool policy_tokens_equal(const char *a, const char *b);

#endif
