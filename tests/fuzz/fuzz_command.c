/* A hostile ringmain-nrt: any commands at any time while cars charge. No hazard follows, every command is answered, and a
 * command that is refused for its fields changes nothing.
 * Input: per command a byte of form, the fields that the form leaves open, and a byte of time to the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/control_private.h"
#include "tests/fuzz/warm_hub.h"

#define SLOTS        4
#define COMMANDS_MAX 24
#define STEPS_MAX    12 /* of 5 ms between two commands */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FORM_SLOT: a slot of the hub; FORM_TYPE: a type that exists; FORM_SOON: an end within the next hour; FORM_TOKEN: a
 * sound token; FORM_SMALL: a small value; FORM_SESSION: the id of the slot's running or oldest session */
enum form {
    FORM_SLOT = 1,
    FORM_TYPE = 2,
    FORM_SOON = 4,
    FORM_TOKEN = 8,
    FORM_SMALL = 16,
    FORM_SESSION = 32,
    FORM_LONG = 64
};

static uint64_t session_of(const struct virtual_hub *h, uint32_t slot) {
    uint64_t seq = 0;
    const struct session_slot *s = control_sessions(h->control, slot % SLOTS, &seq);
    return s->finished_count > 0 ? s->finished[0].session_id : s->running.session_id;
}

static struct command next_command(const struct virtual_hub *h, unsigned form, struct bytes *in) {
    struct command k = {.id = bytes_u8(in)};
    k.type = form & FORM_TYPE ? bytes_u8(in) % COMMAND_TYPE_COUNT : bytes_u16(in);
    k.slot = form & FORM_SLOT ? bytes_u8(in) % SLOTS : bytes_u16(in);
    k.a = form & FORM_SMALL ? bytes_u8(in) : bytes_u16(in);
    k.value = (int64_t)(form & FORM_SMALL ? bytes_u32(in) : bytes_u64(in));
    if (form & FORM_SESSION) {
        k.value = (int64_t)session_of(h, k.slot);
    }
    k.expires_mono_ns = form & FORM_SOON ? (h->now_us + bytes_u32(in) % 4000000000u) * 1000
                                         : (int64_t)bytes_u64(in);
    if (form & FORM_TOKEN) {
        snprintf(k.text, sizeof k.text, "T%u", bytes_u8(in) & 3u);
    } else {
        for (size_t i = bytes_u8(in) % (sizeof k.text + 1); i > 0; i--) {
            k.text[i - 1] = (char)bytes_u8(in);
        }
    }
    return k;
}

static void tell(struct virtual_hub *h, const struct command *k) {
    static _Alignas(RM_CACHE_LINE) uint8_t before[sizeof(struct control)];
    struct command_result result;
    const size_t size = offsetof(struct control, slot) + SLOTS * sizeof(struct control_slot);
    memcpy(before, h->control, size);
    memset(&result, 0xff, sizeof result);
    control_command(h->control, k, &result, h->now_us);
    DEMAND(result.id == k->id && result.type == k->type && result.slot == k->slot,
           "answer to another command");
    DEMAND(result.status < COMMAND_STATUS_COUNT, "status %u", result.status);
    DEMAND(result.status == COMMAND_STATUS_OK || result.status == COMMAND_STATUS_LATCHED ||
               memcmp(before, h->control, size) == 0,
           "a refused %s changed something", command_type_name(k->type));
    DEMAND(result.status != COMMAND_STATUS_OK || k->type < COMMAND_TYPE_COUNT, "type %u accepted",
           k->type);
}

static void check_status(struct virtual_hub *h) {
    control_status(h->control, h->now_us, &h->status);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct status_slot *s = &h->status.slot[i];
        DEMAND(s->gun_state < GUN_STATE_COUNT && s->limit_reason < LIMIT_REASON_COUNT,
               "slot %u: state %u", i, s->gun_state);
        DEMAND(memchr(s->id_token, 0, sizeof s->id_token) != NULL, "slot %u: token without end", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = {data, data + size};
    struct virtual_hub *h = warm_hub(SLOTS);
    h->nrt_stopped = true;
    for (int n = 0; n < COMMANDS_MAX && in.at < in.end; n++) {
        const unsigned form = bytes_u8(&in);
        const struct command k = next_command(h, form, &in);
        tell(h, &k);
        warm_hub_run(h, bytes_u8(&in) % STEPS_MAX * (form & FORM_LONG ? 100 : 5));
    }
    check_status(h);
    return 0;
}
