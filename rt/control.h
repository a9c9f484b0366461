/* The guard's pure core: everything between received frames and sent frames, as functions of (state, input, now).
 *
 * control_* composes the CAN drivers (rt/can), the per-gun sequencers (rt/sequencer), the interlocks (rt/interlock) and
 * the books (sessions, leases, status). No clock, no I/O, no heap, no globals. The same object code runs in
 * ringmain-rt's guard thread, in unit tests, in the deterministic simulator, under provers and fuzzers.
 * Not thread-safe: one owner (the guard thread). now_us is CLOCK_MONOTONIC and never decreases between calls.
 */
#ifndef RINGMAIN_RT_CONTROL_H
#define RINGMAIN_RT_CONTROL_H

#include "configs/config.h"
#include "rt/frames.h"
#include "rt/proposal.h"
#include "shm/command.h"
#include "shm/event.h"
#include "shm/session.h"
#include "shm/status.h"

#define EVENT_BATCH_MAX 1024

struct event_batch {
    uint32_t count;
    uint32_t dropped;
    struct event item[EVENT_BATCH_MAX];
};

struct
    control; /* large (about a megabyte); storage from the caller: control_size() bytes, 64-byte aligned */

size_t control_size(void);

struct control_boot {
    uint64_t boot_id;               /* random, never 0 */
    bool latches_known;             /* latched[] comes from a valid retained copy (S15) */
    uint64_t latched[RM_SLOTS_MAX]; /* bit n: fault code n */
    bool estop_latched;
};

/* config must outlive control and never change. Outputs stay all-off until the boot rules (S15) release each slot. */
void control_init(struct control *c, const struct config *config, const struct control_boot *boot,
                  int64_t now_us);

/* One received frame of an interface (data, error frames included). Cheap: decodes into the image. true: what it says
 * may not wait (safety, pilot, stage, contactor feedback, insulation, a module's alarm, an interface's state changed):
 * step at once. Anything else may be gathered for some milliseconds, so that a large hub is not stepped for every frame. */
bool control_rx(struct control *c, uint32_t interface, const struct can_frame *frame,
                int64_t now_us);

/* The transport's view of an interface: up, passive, bus-off, down. */
void control_interface(struct control *c, uint32_t interface, enum interface_state state,
                       int64_t now_us);

/* A command from nrt, already copied out of shared memory; checked here. *result is always filled. */
void control_command(struct control *c, const struct command *command,
                     struct command_result *result, int64_t now_us);

/* A proposal from the planner, already copied. Checked when used; a malformed one is rejected and counted. */
void control_proposal(struct control *c, const struct proposal *proposal, int64_t now_us);

/* Evaluate: sequencers, interlocks, outputs. Called every 5 ms tick and once per drained batch of frames.
 * tx and events are cleared first and then filled; frames in order of urgency (all-off before everything else). */
void control_step(struct control *c, int64_t now_us, struct frame_batch *tx,
                  struct event_batch *events);

/* Fill what the planner needs; cheap enough for every tick. */
void control_plan_input(const struct control *c, int64_t now_us, struct plan_input *out);

/* Fill the plant part of the status; the shell adds its own counters (guard_steps, page faults ..). Only the first
 * config.slots entries of slot[] are written. */
void control_status(const struct control *c, int64_t now_us, struct status *out);

/* Session records of one slot; *changed_seq goes up with every change, so that the shell copies only what changed. */
const struct session_slot *control_sessions(const struct control *c, uint32_t slot,
                                            uint64_t *changed_seq);
/* Adopt the records of an earlier run (start-up only, before the first step): running ones become finished, reason RESTART. */
void control_adopt_sessions(struct control *c, uint32_t slot, const struct session_slot *from);

/* Latched faults per slot and the e-stop latch, for the retained region (S15). */
void control_latches(const struct control *c, uint64_t latched[RM_SLOTS_MAX], bool *estop_latched);

/* true when every contactor command is open and every module is off: the shell may stop cleanly. */
bool control_is_idle(const struct control *c);
/* Ask for a clean stop of everything (SIGTERM): sessions end with STOP_REASON_RESTART, no new ones start. */
void control_shutdown(struct control *c);

#endif
