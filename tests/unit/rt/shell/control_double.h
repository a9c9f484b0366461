/* A stand-in for rt/control.c that records what the guard gives it and answers as told, so that the shell is tested
 * alone: when it steps, what it sends, what it publishes. */
#ifndef RINGMAIN_TESTS_CONTROL_DOUBLE_H
#define RINGMAIN_TESTS_CONTROL_DOUBLE_H

#include "rt/control.h"

struct control {
    /* recorded */
    bool calm; /* frames can wait */
    uint32_t steps, frames, proposals, commands, plan_inputs, shutdowns;
    struct can_frame last_frame;
    uint32_t last_interface;
    enum interface_state state[RM_INTERFACES_MAX];
    uint32_t state_changes;
    int64_t last_now_us;
    bool went_backwards;
    struct command last_command;
    /* answers */
    bool
        all_off_on_frame; /* next step after a frame: one contactor frame per slot and an e-stop event */
    bool frame_seen;
    uint32_t events_dropped; /* reported by the next step, then cleared */
    struct frame_batch tx;   /* sent by the next step, then cleared */
    bool idle;
    struct session_slot session;
    uint64_t session_seq;
    const struct config *config;
};

#endif
