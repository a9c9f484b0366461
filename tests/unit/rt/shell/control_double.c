#include "control_double.h"

#include <string.h>

static void note_time(struct control *c, int64_t now_us) {
    c->went_backwards = c->went_backwards || now_us < c->last_now_us;
    c->last_now_us = now_us;
}

size_t control_size(void) {
    return sizeof(struct control);
}

void control_init(struct control *c, const struct config *config, const struct control_boot *boot,
                  int64_t now_us) {
    (void)boot;
    memset(c, 0, sizeof *c);
    c->config = config;
    c->last_now_us = now_us;
}

bool control_rx(struct control *c, uint32_t interface, const struct can_frame *frame,
                int64_t now_us) {
    note_time(c, now_us);
    c->frames++;
    c->last_frame = *frame;
    c->last_interface = interface;
    c->frame_seen = true;
    return !c->calm;
}

void control_interface(struct control *c, uint32_t interface, enum interface_state state,
                       int64_t now_us) {
    note_time(c, now_us);
    c->state[interface] = state;
    c->state_changes++;
}

void control_command(struct control *c, const struct command *command,
                     struct command_result *result, int64_t now_us) {
    note_time(c, now_us);
    c->commands++;
    c->last_command = *command;
    result->id = command->id;
    result->type = command->type;
    result->status = COMMAND_STATUS_OK;
}

void control_proposal(struct control *c, const struct proposal *proposal, int64_t now_us) {
    (void)proposal;
    note_time(c, now_us);
    c->proposals++;
}

static void push_all_off(struct control *c, struct frame_batch *tx) {
    for (uint32_t s = 0; s < c->config->slots; s++) {
        struct can_frame f = {.can_id = (0x390u | c->config->slot[s].plc_id) | CAN_EFF_FLAG,
                              .len = 8,
                              .data = {0x80, 1}};
        (void)frame_batch_push(tx, c->config->slot[s].interface, &f);
    }
}

void control_step(struct control *c, int64_t now_us, struct frame_batch *tx,
                  struct event_batch *events) {
    note_time(c, now_us);
    frame_batch_clear(tx);
    events->count = 0;
    events->dropped = c->events_dropped;
    c->events_dropped = 0;
    c->steps++;
    if (c->all_off_on_frame && c->frame_seen) {
        push_all_off(c, tx);
        events->item[events->count++] =
            (struct event){.type = EVENT_ESTOP, .a = 1, .slot = EVENT_SLOT_NONE};
    }
    c->frame_seen = false;
    for (uint32_t i = 0; i < c->tx.count; i++) {
        (void)frame_batch_push(tx, c->tx.item[i].interface, &c->tx.item[i].frame);
    }
    c->tx.count = 0;
}

void control_plan_input(const struct control *c, int64_t now_us, struct plan_input *out) {
    ((struct control *)(uintptr_t)c)->plan_inputs++;
    memset(out, 0, sizeof *out);
    out->seq = c->plan_inputs;
    out->now_us = now_us;
    out->slots = c->config->slots;
    out->site_limit_w = 100000;
    out->efficiency_permille = 950;
}

void control_status(const struct control *c, int64_t now_us, struct status *out) {
    (void)now_us;
    out->slots = c->config->slots;
    memset(out->interface, 0, sizeof out->interface);
    memset(out->slot, 0, sizeof out->slot[0] * c->config->slots);
}

const struct session_slot *control_sessions(const struct control *c, uint32_t slot,
                                            uint64_t *changed_seq) {
    *changed_seq = slot == 0 ? c->session_seq : 0;
    static const struct session_slot none;
    return slot == 0 ? &c->session : &none;
}

void control_adopt_sessions(struct control *c, uint32_t slot, const struct session_slot *from) {
    if (slot == 0) {
        c->session = *from;
    }
}

void control_latches(const struct control *c, uint64_t latched[RM_SLOTS_MAX], bool *estop_latched) {
    (void)c;
    memset(latched, 0, sizeof(uint64_t) * RM_SLOTS_MAX);
    *estop_latched = false;
}

bool control_is_idle(const struct control *c) {
    return c->idle;
}

void control_shutdown(struct control *c) {
    c->shutdowns++;
}
