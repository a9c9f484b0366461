/* One CAN interface of the hub, whatever carries it: an AF_CAN raw socket, a unix SOCK_SEQPACKET connection or UDP.
 *
 * This unit holds what the transports have in common and does no system call: messages to frames, the two send lanes,
 * the state of the interface and its restart. bus_open.h opens descriptors, uring.h moves the bytes, links.h keeps the
 * socket transports connected. One message is one struct can_frame (16 bytes) on every transport.
 *
 * Owned by the guard thread. Times are CLOCK_MONOTONIC us. Never falls back from one transport to another.
 */
#ifndef RINGMAIN_RT_IO_BUS_H
#define RINGMAIN_RT_IO_BUS_H

#include <linux/can.h>

#include "configs/config.h"
#include "shm/event.h"

#define BUS_URGENT_MAX 32 /* contactor frames waiting: one per PLC of the interface and more */
#define BUS_REST_MAX                                                                               \
    256 /* about a quarter second of a 125 kbit/s bus: older frames are worthless */
#define BUS_CHAIN_MAX 64 /* frames in flight at once */

/* Restart and reconnect: first attempt after 0.1 s, doubled up to 5 s, back to 0.1 s after 10 s in good health. */
#define BUS_BACKOFF_FIRST_MS 100
#define BUS_BACKOFF_MAX_MS   5000
#define BUS_HEALTHY_MS       10000

struct bus_lane {
    uint32_t size; /* entries of frame[] */
    uint32_t head, count;
    struct can_frame *frame;
};

struct bus_counters {
    uint32_t rx_frames, tx_frames;
    uint32_t error_frames;
    uint32_t rx_malformed; /* messages that are no CAN frame */
    uint32_t rx_dropped;  /* lost before we saw them: controller overflow, socket buffer overflow */
    uint32_t tx_deferred; /* the kernel's queue was full: frame kept and sent again later */
    uint32_t tx_dropped;  /* our own queue was full too: the oldest waiting frame was given up */
    uint32_t tx_discarded; /* interface down or bus-off: frames not queued at all */
    uint32_t restarts;     /* bus-off recoveries that were asked for */
    uint32_t connects;     /* times a descriptor was attached */
};

struct bus {
    const struct config_interface *config;
    uint32_t index; /* into config.interface[] */
    int fd;         /* -1: none */
    uint16_t
        generation; /* goes up with every attach and detach: late completions are recognised by it */
    bool kernel_restart; /* socketcan that Ringmain does not manage: the kernel restarts it */
    enum interface_state state;

    int32_t backoff_ms;
    int64_t attempt_us; /* when the next restart (bus-off) or probe (udp) is due; 0 none */
    int64_t up_since_us, state_since_us;

    struct bus_lane urgent, rest;
    struct can_frame urgent_store[BUS_URGENT_MAX], rest_store[BUS_REST_MAX];

    /* The chain in flight: frames [0, chain_count), of which chain_done have completed. */
    struct can_frame chain[BUS_CHAIN_MAX];
    bool chain_urgent[BUS_CHAIN_MAX];
    bool chain_failed[BUS_CHAIN_MAX];
    uint32_t chain_count, chain_done;

    struct bus_counters counters;
};

void bus_init(struct bus *bus, const struct config_interface *config, uint32_t index);

/* A descriptor is there. The interface is up, except on udp: there it is up when the far side is first heard. */
void bus_attach(struct bus *bus, int fd, int64_t now_us);
/* The descriptor is gone (the caller closes it): waiting frames are given up, the interface is down. */
void bus_detach(struct bus *bus);

enum bus_rx {
    BUS_RX_NONE,  /* nothing for the core: malformed, or traffic while down */
    BUS_RX_FRAME, /* *frame is a data frame */
    BUS_RX_ERROR, /* it was an error frame and is dealt with; the state may have changed */
};
/* One message as received. Checks everything: the far side of a socket transport is not trusted. */
enum bus_rx bus_receive(struct bus *bus, const void *message, size_t length, int64_t now_us,
                        struct can_frame *frame);

/* Result of controller supervision (libsocketcan), when an error frame was missed. */
void bus_state(struct bus *bus, enum interface_state state, int64_t now_us);

/* Far side of a udp interface refused or vanished: down until it is heard again. */
void bus_unheard(struct bus *bus, int64_t now_us);

enum bus_action {
    BUS_ACTION_NONE,
    BUS_ACTION_RESTART, /* ask the controller (links.h) for a restart; socket transports: frame already queued */
};
/* Time's share: restart and probe attempts. Call at every tick. */
enum bus_action bus_tick(struct bus *bus, int64_t now_us);

/* Queues a frame. Contactor commands go into the urgent lane, where a newer one takes the place of a waiting older one
 * with the same identifier; everything else in order behind them. A full lane gives up its oldest frame (counted). */
void bus_push(struct bus *bus, const struct can_frame *frame);

/* Frames that wait for the next chain. */
uint32_t bus_waiting(const struct bus *bus);

/* Takes up to BUS_CHAIN_MAX waiting frames, urgent ones first, into the chain; returns how many. 0 while one is in
 * flight. The frames stay where they are until bus_chain_complete() has been told about every one. */
uint32_t bus_chain_begin(struct bus *bus);
/* Frame index of the chain completed with a result of send(2) (bytes or -errno; -ECANCELED: an earlier one failed).
 * After the last one, what failed goes back to the front of its lane. Returns true when the chain is over. A result
 * that means the descriptor is dead sets *lost. */
bool bus_chain_complete(struct bus *bus, uint32_t index, int result, bool *lost);

/* Is this a contactor command (contract section 2)? */
bool bus_frame_is_urgent(const struct bus *bus, const struct can_frame *frame);

#endif
