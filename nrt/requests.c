/* What people ask of ringmain-nrt on its socket, and the answers. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nrt/api/status_json.h"
#include "nrt/nrt.h"

#define ANSWER_MAX          512
#define GUN_LIMIT_END_NS    INT64_C(3000000000) /* life of the lease that takes a gun limit back */
#define RESERVE_SECONDS_MAX 3600
#define NS_PER_S            INT64_C(1000000000)

static void answer_error(struct nrt *n, struct server_ref ref, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void answer_error(struct nrt *n, struct server_ref ref, const char *format, ...) {
    char text[256], line[ANSWER_MAX * 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct json_writer w;
    json_init(&w, line, sizeof line);
    json_object(&w, NULL);
    json_bool(&w, "ok", false);
    json_string(&w, "error", text);
    json_object_end(&w);
    server_answer(&n->server, ref, w.text, w.length);
}

static void answer_ok(struct nrt *n, struct server_ref ref, bool applied) {
    static const char APPLIED[] = "{\"ok\":true,\"applied\":true}";
    static const char LATER[] = "{\"ok\":true,\"applied\":false,\"note\":\"kept; in force as soon "
                                "as ringmain-rt is there\"}";
    server_answer(&n->server, ref, applied ? APPLIED : LATER,
                  applied ? sizeof APPLIED - 1 : sizeof LATER - 1);
}

/* The slot of a connector; false: answered that there is none. */
static bool find_gun(struct nrt *n, struct server_ref ref, int32_t connector, uint16_t *slot) {
    for (uint32_t i = 0; i < n->config.slots; i++) {
        if (event_connector_id(&n->config, i) == connector) {
            *slot = (uint16_t)i;
            return true;
        }
    }
    answer_error(n, ref, "gun: there is no connector %" PRId32 " in this hub", connector);
    return false;
}

static int send_for_client(struct nrt *n, struct server_ref ref, struct command *command,
                           int64_t now_ns) {
    struct pending who = {.policy = POLICY_ACTION_NONE, .has_client = true, .client = ref};
    return nrt_send(n, command, &who, now_ns);
}

/* For commands that mean nothing without a ringmain-rt. */
static void send_now(struct nrt *n, struct server_ref ref, struct command *command,
                     int64_t now_ns) {
    int code = send_for_client(n, ref, command, now_ns);
    if (code == -ENOTCONN) {
        answer_error(n, ref, "ringmain-rt is not running");
    } else if (code != 0) {
        answer_error(n, ref, "ringmain-rt does not take commands now, try again");
    }
}

/* ---- limits ---- */

static void limit_site(struct nrt *n, struct server_ref ref, const struct request *request,
                       int64_t now_ns) {
    if (!request->take_back && request->limit_w > n->config.grid_limit_w) {
        answer_error(n, ref, "kw: above the grid limit of %" PRId64 " kW",
                     n->config.grid_limit_w / 1000);
        return;
    }
    n->pair = clock_pair_now();
    n->keep.site = (struct keep_limit){.set = !request->take_back, .value_w = request->limit_w};
    if (n->keep.site.set && request->seconds > 0) {
        n->keep.site.until_real_ns = n->pair.real_ns + request->seconds * NS_PER_S;
    }
    nrt_keep_save(n);
    int64_t value_w = request->take_back ? n->config.nrt.site_limit_w : request->limit_w;
    limit_set(&n->site, value_w, request->seconds > 0 ? now_ns + request->seconds * NS_PER_S : 0);
    int64_t lease_ns = (int64_t)n->config.nrt.lease_s * NS_PER_S;
    struct command command = {.type = COMMAND_SITE_LIMIT,
                              .slot = EVENT_SLOT_NONE,
                              .a = LIMIT_REASON_LEASE,
                              .value = value_w,
                              .expires_mono_ns = limit_expiry(&n->site, lease_ns, now_ns)};
    if (send_for_client(n, ref, &command, now_ns) == 0) {
        limit_sent(&n->site, lease_ns, now_ns);
    } else {
        answer_ok(n, ref, false);
    }
}

static void limit_gun(struct nrt *n, struct server_ref ref, const struct request *request,
                      uint16_t slot, int64_t now_ns) {
    int64_t most_w = n->config.connector[n->config.slot[slot].gun].max_power_w;
    if (!request->take_back && request->limit_w > most_w) {
        answer_error(n, ref, "kw: above the %" PRId64 " kW of gun %" PRId32, most_w / 1000,
                     request->gun);
        return;
    }
    struct limit *limit = &n->slot[slot].limit;
    struct keep_limit *kept = &n->keep.slot[slot].limit;
    n->pair = clock_pair_now();
    *kept = (struct keep_limit){.set = !request->take_back, .value_w = request->limit_w};
    if (kept->set && request->seconds > 0) {
        kept->until_real_ns = n->pair.real_ns + request->seconds * NS_PER_S;
    }
    nrt_keep_save(n);
    int64_t until = request->seconds > 0 ? now_ns + request->seconds * NS_PER_S : 0;
    limit_set(limit, request->take_back ? most_w : request->limit_w, until);
    int64_t lease_ns =
        request->take_back ? GUN_LIMIT_END_NS : (int64_t)n->config.nrt.lease_s * NS_PER_S;
    struct command command = {.type = COMMAND_GUN_LIMIT,
                              .slot = slot,
                              .a = LIMIT_REASON_PROFILE,
                              .value = limit->value_w,
                              .expires_mono_ns = limit_expiry(limit, lease_ns, now_ns)};
    bool sent = send_for_client(n, ref, &command, now_ns) == 0;
    if (request->take_back) {
        limit_clear(limit);
    } else if (sent) {
        limit_sent(limit, lease_ns, now_ns);
    }
    if (!sent) {
        answer_ok(n, ref, false);
    }
}

/* ---- the others ---- */

static void make_available(struct nrt *n, struct server_ref ref, const struct request *request,
                           uint16_t slot, int64_t now_ns) {
    n->keep.slot[slot].inoperative = !request->operative;
    n->slot[slot].operative_told = false;
    nrt_keep_save(n);
    struct command command = {
        .type = COMMAND_AVAILABILITY, .slot = slot, .a = request->operative ? 1 : 0};
    if (send_for_client(n, ref, &command, now_ns) == 0) {
        n->slot[slot].operative_retry_mono_ns = now_ns + NRT_RETRY_NS;
    } else {
        answer_ok(n, ref, false);
    }
}

static void reserve(struct nrt *n, struct server_ref ref, const struct request *request,
                    uint16_t slot, int64_t now_ns) {
    if (request->seconds > RESERVE_SECONDS_MAX) {
        answer_error(n, ref, "seconds: a reservation lasts at most %d", RESERVE_SECONDS_MAX);
        return;
    }
    struct command command = {.type = COMMAND_RESERVE,
                              .slot = slot,
                              .a = request->seconds > 0 ? 1 : 0,
                              .expires_mono_ns = now_ns + request->seconds * NS_PER_S};
    memcpy(command.text, request->token, sizeof command.text);
    send_now(n, ref, &command, now_ns);
}

static void write_own(struct json_writer *w, const struct nrt *n, int64_t now_ns) {
    char wall[CLOCK_PAIR_TEXT_LEN];
    clock_pair_text(n->pair.real_ns, wall);
    json_object(w, "nrt");
    json_bool(w, "rt_alive", nrt_is_rt_alive(n, now_ns));
    json_bool(w, "attached", n->attached);
    json_string(w, "time", wall);
    json_int(w, "pair_mono_ns", n->pair.mono_ns);
    json_int(w, "pair_real_ns", n->pair.real_ns);
    json_string(w, "auth_mode",
                n->config.nrt.auth_mode == AUTH_MODE_FREE_VEND ? "freeVend" : "localList");
    json_uint(w, "local_list_tokens", n->id_list.count);
    json_int(w, "lease_s", n->config.nrt.lease_s);
    json_int(w, "site_limit_w", n->site.value_w);
    json_uint(w, "events_written", n->events.written);
    json_uint(w, "sessions_written", n->sessions.written);
    json_bool(w, "store_ok", n->store_error_told == 0);
    json_uint(w, "commands_waiting", n->pending.count);
    json_object_end(w);
}

static void answer_status(struct nrt *n, struct server_ref ref, int64_t now_ns) {
    size_t size = STATUS_JSON_SIZE(n->config.slots);
    char *text = malloc(size);
    if (text == NULL) {
        answer_error(n, ref, "no memory for the status");
        return;
    }
    struct json_writer w;
    n->pair = clock_pair_now();
    json_init(&w, text, size);
    json_object(&w, NULL);
    json_bool(&w, "ok", true);
    write_own(&w, n, now_ns);
    if (n->status_valid) {
        json_object(&w, "status");
        status_json(&w, &n->status, &n->config, now_ns);
        json_object_end(&w);
    } else {
        json_null(&w, "status");
    }
    json_object_end(&w);
    if (w.overflow) {
        answer_error(n, ref, "the status did not fit its buffer");
    } else {
        server_answer(&n->server, ref, w.text, w.length);
    }
    free(text);
}

static void answer_ping(struct nrt *n, struct server_ref ref, int64_t now_ns) {
    char line[ANSWER_MAX];
    struct json_writer w;
    json_init(&w, line, sizeof line);
    json_object(&w, NULL);
    json_bool(&w, "ok", true);
    json_bool(&w, "rt_alive", nrt_is_rt_alive(n, now_ns));
    json_int(&w, "mono_ns", now_ns);
    json_object_end(&w);
    server_answer(&n->server, ref, w.text, w.length);
}

static void handle(struct nrt *n, struct server_ref ref, const struct request *request,
                   uint16_t slot, int64_t now_ns) {
    struct command command = {.slot = slot};
    switch (request->type) {
    case REQUEST_AUTHORISE:
        command.type = COMMAND_AUTHORISE;
        command.a = AUTH_SOURCE_REMOTE;
        memcpy(command.text, request->token, sizeof command.text);
        send_now(n, ref, &command, now_ns);
        return;
    case REQUEST_STOP:
        command.type = COMMAND_STOP;
        command.a = STOP_REASON_REMOTE;
        send_now(n, ref, &command, now_ns);
        return;
    case REQUEST_CLEAR:
        command.type = COMMAND_CLEAR_FAULT;
        command.a = request->fault;
        send_now(n, ref, &command, now_ns);
        return;
    case REQUEST_RESET_ESTOP:
        command.type = COMMAND_RESET_ESTOP;
        send_now(n, ref, &command, now_ns);
        return;
    case REQUEST_LIMIT:
        if (request->gun == 0) {
            limit_site(n, ref, request, now_ns);
        } else {
            limit_gun(n, ref, request, slot, now_ns);
        }
        return;
    case REQUEST_AVAILABILITY: make_available(n, ref, request, slot, now_ns); return;
    case REQUEST_RESERVE: reserve(n, ref, request, slot, now_ns); return;
    case REQUEST_STATUS: answer_status(n, ref, now_ns); return;
    case REQUEST_PING: answer_ping(n, ref, now_ns); return;
    case REQUEST_NONE:
    case REQUEST_TYPE_COUNT: break;
    }
    answer_error(n, ref, "cmd: not understood");
}

void requests_handle(void *context, struct server_ref ref, const char *line, size_t length) {
    struct nrt *n = context;
    struct request request;
    char error[REQUEST_ERROR_LEN];
    uint16_t slot = EVENT_SLOT_NONE;
    if (request_parse(line, length, &request, error) != 0) {
        answer_error(n, ref, "%s", error);
        return;
    }
    if (request.gun != 0 && !find_gun(n, ref, request.gun, &slot)) {
        return;
    }
    handle(n, ref, &request, slot, nrt_now_ns());
}

/* Why rt refused, with what it tells beside the status. */
static void refusal_text(const struct config *config, const struct command_result *result,
                         char *out, size_t size) {
    const char *status = command_status_name(result->status);
    if (result->status == COMMAND_STATUS_STATE && result->detail < GUN_STATE_COUNT &&
        result->detail != GUN_STATE_NONE) {
        snprintf(out, size, "%s (%s)", status, gun_state_name(result->detail));
    } else if (result->status == COMMAND_STATUS_LATCHED && result->detail != FAULT_NONE) {
        const struct fault_info *info = fault_info(COMMAND_DETAIL_FAULT(result->detail));
        const int slot = COMMAND_DETAIL_SLOT(result->detail);
        if (slot >= 0 && (uint32_t)slot < config->slots) {
            snprintf(out, size, "%s (slot %" PRId32 ": %s: %s)", status, config->slot[slot].id,
                     info->name, info->text);
        } else {
            snprintf(out, size, "%s (%s: %s)", status, info->name, info->text);
        }
    } else {
        snprintf(out, size, "%s", status);
    }
}

void requests_result(struct nrt *n, const struct pending *who,
                     const struct command_result *result) {
    if (result == NULL) {
        answer_error(n, who->client, "ringmain-rt did not answer within %d s",
                     (int)(PENDING_TIMEOUT_NS / NS_PER_S));
        return;
    }
    if (result->status == COMMAND_STATUS_OK) {
        answer_ok(n, who->client, true);
        return;
    }
    char text[160];
    refusal_text(&n->config, result, text, sizeof text);
    int32_t connector = event_connector_id(&n->config, who->slot);
    if (connector > 0) {
        answer_error(n, who->client, "gun %" PRId32 ": refused: %s", connector, text);
    } else {
        answer_error(n, who->client, "refused: %s", text);
    }
}
