/* CAN load and worst-case response times of one interface, before the first frame is sent.
 *
 * Analysis: non-preemptive fixed priority as in R. I. Davis, A. Burns, R. J. Bril and J. J. Lukkien, "Controller Area
 * Network (CAN) schedulability analysis: refuted, revisited and revised", Real-Time Systems 35 (2007): blocking by one
 * frame of lower priority, every instance in the busy period looked at, queueing jitter 0. An extended 8-byte frame
 * takes 160 bits, stuffed to the worst.
 *
 * The set of a PLC bus is the periodic frames of the contract for each PLC on it (configs/plc_messages.h), the meter as
 * one frame per period, its multiplexed halves taking turns (docs/adr/0009). Frames sent on events only (ConfigAck, RFID_Event, BootConfig;
 * period 0) are not in the set, but block as any frame of lower priority does. This set gives the contract's figures:
 * GCMC_Command answers in 86 ms for 3 PLCs at 125 kbit/s, 133 for 4, 200 for 6, and 85 for 6 at 250 kbit/s.
 * The set of a module bus: each module's setpoint at its highest rate, refreshes, polls, and a reply to each.
 *
 * Not covered: a node that queues its frames in another order than priority, errors and retransmissions on the wire.
 * Integers only, no heap, no I/O. Cost: tens of milliseconds for the fullest bus; start-up only.
 */
#ifndef RINGMAIN_CONFIGS_CAN_LOAD_H
#define RINGMAIN_CONFIGS_CAN_LOAD_H

#include "configs/config.h"

#define CAN_LOAD_FRAME_BITS      160
#define CAN_LOAD_MESSAGES_MAX    1536
#define CAN_LOAD_WARN_PERMILLE   700
#define CAN_LOAD_REFUSE_PERMILLE 900
#define CAN_LOAD_UNBOUNDED       INT64_MAX
#define CAN_LOAD_PLC_WATCHDOG_MS 300

enum can_load_verdict { CAN_LOAD_GOOD = 0, CAN_LOAD_WARNED, CAN_LOAD_REFUSED };

struct can_load_message {
    char name[28]; /* GCMC_Command; "setpoint reply" */
    uint32_t id;   /* 29 bits; a lower one is of higher priority */
    uint8_t node;  /* PLC id, or address of the module */
    bool from_host;
    int64_t period_us;   /* 0: on events, outside the set */
    int64_t deadline_us; /* warned beyond */
    int64_t
        refuse_us; /* refused beyond; contactor commands: the PLC's watchdog less one period, others: deadline */
    int64_t response_us; /* result, rounded up; CAN_LOAD_UNBOUNDED; 0 for events */
    enum can_load_verdict verdict;
};

struct can_load_bus {
    uint8_t interface;
    int32_t bitrate_bps;
    int32_t load_permille;         /* result, rounded up */
    enum can_load_verdict verdict; /* result: the worst of load and messages */
    uint32_t messages;
    struct can_load_message message[CAN_LOAD_MESSAGES_MAX]; /* by priority */
};

/* The frames of interface i of a configuration, sorted; results are not filled. */
void can_load_collect(const struct config *config, uint32_t interface, struct can_load_bus *out);
/* Fills the results of a bus that has interface, bitrate_bps and messages (in any order: they are sorted first). */
void can_load_analyse(struct can_load_bus *bus);

#endif
