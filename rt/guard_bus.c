#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub_codec.h"
#include "rt/guard_private.h"
#include "rt/io/panic.h"

void guard_bus_init(struct guard *g) {
    const struct config *config = g->in.config;
    for (uint32_t i = 0; i < config->interfaces; i++) {
        bus_init(&g->bus[i], &config->interface[i], i);
        g->told[i] = INTERFACE_DOWN;
        for (uint32_t p = 0; p < RM_PLC_IDS_MAX; p++) {
            g->slot_of_plc[i][p] = GUARD_PLC_NONE;
        }
    }
    for (uint32_t s = 0; s < config->slots; s++) {
        g->slot_of_plc[config->slot[s].interface][config->slot[s].plc_id] = (uint16_t)s;
    }
}

static bool in_service(enum interface_state state) {
    return state != INTERFACE_DOWN && state != INTERFACE_BUS_OFF;
}

/* Control hears of every change of state, and of nothing else. */
static void tell_control(struct guard *g, uint32_t i) {
    if (g->bus[i].state != g->told[i]) {
        /* Only the way into service or out of it cannot wait: a bus that swings between warning and passive must not cost
         * a step each time. */
        const bool urgent = in_service(g->bus[i].state) != in_service(g->told[i]);
        g->urgent_pending |= urgent;
        g->frames_pending = true;
        g->told[i] = g->bus[i].state;
        control_interface(g->in.control, i, g->bus[i].state, guard_now_us(g));
    }
}

static void set_panic_descriptor(struct guard *g, uint32_t i, int fd) {
    for (uint32_t p = 0; p < RM_PLC_IDS_MAX; p++) {
        if (g->slot_of_plc[i][p] != GUARD_PLC_NONE) {
            panic_descriptor(g->slot_of_plc[i][p], fd);
        }
    }
}

static void drop_descriptor(struct guard *g, uint32_t i) {
    struct bus *bus = &g->bus[i];
    if (bus->fd < 0) {
        return;
    }
    if (g->receiving[i]) {
        uring_cancel_receive(&g->uring, i, bus->generation);
        g->receiving[i] = false;
    }
    set_panic_descriptor(g, i, -1);
    int fd = bus->fd;
    bus_detach(bus);
    /* The ring holds the file until the cancelled receive is over; the number is free at once. */
    if (uring_place(&g->uring, i, -1) != 0) {
        g->place_errors++; /* the place is overwritten by the next descriptor */
    }
    close(fd);
    tell_control(g, i);
}

static void lose(struct guard *g, uint32_t i) {
    if (g->bus[i].config->transport == CAN_TRANSPORT_UDP) {
        bus_unheard(&g->bus[i], guard_now_us(g)); /* the socket stays: there was no connection */
        tell_control(g, i);
        return;
    }
    drop_descriptor(g, i);
    links_ask_connect(g->in.links, i);
}

static void take_descriptor(struct guard *g, uint32_t i, int fd) {
    drop_descriptor(g, i);
    if (uring_place(&g->uring, i, fd) != 0) {
        close(fd);
        links_ask_connect(g->in.links, i);
        return;
    }
    bus_attach(&g->bus[i], fd, guard_now_us(g));
    g->blocked[i] = false;
    uring_receive(&g->uring, i, g->bus[i].generation);
    g->receiving[i] = true;
    set_panic_descriptor(g, i, fd);
    tell_control(g, i);
}

/* Error frames tell faster; supervision mends what one that was lost would leave wrong, so that no state is for ever. Only
 * a look that began after the last change counts: an old one must not undo what an error frame said since. The pass that
 * took the frame may have begun a little before it, hence the distance. */
static void take_supervised(struct guard *g, uint32_t i) {
    enum interface_state state = INTERFACE_DOWN;
    int64_t began_us = 0;
    if (g->bus[i].fd < 0 || !links_supervised(g->in.links, i, &state, &began_us) ||
        began_us - g->bus[i].state_since_us < GUARD_LOOK_AFTER_US) {
        return;
    }
    if (state == INTERFACE_DOWN) {
        lose(g, i); /* stopped by somebody, or another card by now: a new descriptor sets it up */
        return;
    }
    if (in_service(state) != in_service(g->bus[i].state)) {
        bus_state(&g->bus[i], state, guard_now_us(g));
        tell_control(g, i);
    }
}

void guard_bus_offers(struct guard *g) {
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        int fd = links_take(g->in.links, i);
        if (fd >= 0) {
            take_descriptor(g, i, fd);
        }
        take_supervised(g, i);
    }
}

void guard_bus_tick(struct guard *g) {
    guard_bus_offers(g);
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        struct bus *bus = &g->bus[i];
        if (bus_tick(bus, guard_now_us(g)) == BUS_ACTION_RESTART &&
            bus->config->transport == CAN_TRANSPORT_SOCKETCAN) {
            links_ask_restart(g->in.links, i);
        }
        if (bus->fd >= 0 && !g->receiving[i]) {
            uring_receive(&g->uring, i, bus->generation);
            g->receiving[i] = true;
        }
    }
}

/* A receive came to its end. Armed again at once where nothing is wrong; at the next tick after a passing error, so that
 * a socket that keeps failing cannot make the loop spin. */
static void receive_ended(struct guard *g, uint32_t i, int result) {
    struct bus *bus = &g->bus[i];
    g->receiving[i] = false;
    if (result > 0 || result == -ENOBUFS) {
        uring_receive(&g->uring, i, bus->generation);
        g->receiving[i] = true;
        return;
    }
    bool datagram = bus->config->transport == CAN_TRANSPORT_UDP;
    if (result == -EINTR || result == -EAGAIN || (datagram && result == 0)) {
        return;
    }
    lose(g, i);
}

void guard_bus_received(struct guard *g, const struct uring_event *event) {
    uint32_t i = event->place;
    struct bus *bus = &g->bus[i];
    if (bus->fd < 0 || event->generation != bus->generation) {
        return; /* of a descriptor that is gone */
    }
    if (event->length > 0) {
        struct can_frame frame;
        enum bus_rx kind = bus_receive(bus, event->data, event->length, guard_now_us(g), &frame);
        tell_control(g, i);
        if (kind == BUS_RX_FRAME) {
            g->urgent_pending |= control_rx(g->in.control, i, &frame, guard_now_us(g));
            g->frames_pending = true;
        }
    }
    if (!event->more) {
        receive_ended(g, i, event->result);
    }
}

void guard_bus_sent(struct guard *g, const struct uring_event *event) {
    uint32_t i = event->place;
    struct bus *bus = &g->bus[i];
    if (bus->fd < 0 || event->generation != bus->generation) {
        return;
    }
    uint32_t deferred = bus->counters.tx_deferred;
    bool lost = false;
    (void)bus_chain_complete(bus, event->index, event->result, &lost);
    if (bus->counters.tx_deferred != deferred) {
        g->blocked[i] = true;
    }
    if (lost) {
        /* The rest of a chain is cancelled in the same flush; its completions then belong to an old generation. */
        lose(g, i);
    }
}

/* The all-off sibling of a contactor command, ready for the panic handler: next sequence number, everything off. */
static void prepare_panic(struct guard *g, uint32_t i, const struct can_frame *frame) {
    uint16_t slot = g->slot_of_plc[i][frame->can_id & HUB_PLC_ID_MASK];
    if (slot == GUARD_PLC_NONE) {
        return;
    }
    struct can_frame off = *frame;
    bool encoded = false;
    if ((frame->can_id & CAN_EFF_MASK & ~(canid_t)HUB_PLC_ID_MASK) == HUB_ID_GCMC_COMMAND) {
        struct hub_gcmc_command last;
        encoded = hub_decode_gcmc_command(frame->data, &last);
        struct hub_gcmc_command all_off = {.force_all_off = true,
                                           .cmd_seq = (last.cmd_seq + 1) & 0xff};
        encoded = encoded && hub_encode_gcmc_command(&all_off, off.data);
    } else {
        struct hub_relay_control last;
        encoded = hub_decode_relay_control(frame->data, &last);
        struct hub_relay_control all_off = {.force_all_off = true,
                                            .sys_enable = last.sys_enable,
                                            .cmd_seq = (last.cmd_seq + 1) & 0xff,
                                            .rly1_enable = last.rly1_enable,
                                            .rly2_enable = last.rly2_enable,
                                            .rly3_enable = last.rly3_enable};
        encoded = encoded && hub_encode_relay_control(&all_off, off.data);
    }
    if (encoded) {
        if (!g->in.config->plc.use_crc8) {
            off.data[7] = 0;
        }
        panic_prepare(slot, &off);
    }
}

void guard_bus_queue(struct guard *g) {
    g->frames_without_room += g->tx.dropped;
    for (uint32_t n = 0; n < g->tx.count; n++) {
        uint32_t i = g->tx.item[n].interface;
        assert(i < g->in.config->interfaces);
        struct bus *bus = &g->bus[i];
        bus_push(bus, &g->tx.item[n].frame);
        if (bus_frame_is_urgent(bus, &g->tx.item[n].frame)) {
            prepare_panic(g, i, &g->tx.item[n].frame);
        }
    }
}

void guard_bus_send(struct guard *g, bool retry) {
    if (panic_has_struck()) {
        return; /* all-off was the last word */
    }
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        struct bus *bus = &g->bus[i];
        if (bus_waiting(bus) == 0 || (g->blocked[i] && !retry)) {
            continue;
        }
        if (bus_chain_begin(bus) > 0) {
            g->blocked[i] = false;
            uring_send_chain(&g->uring, i, bus);
        }
    }
    (void)uring_flush(&g->uring);
}

void guard_bus_close(struct guard *g) {
    for (uint32_t i = 0; i < g->in.config->interfaces; i++) {
        drop_descriptor(g, i);
    }
}
