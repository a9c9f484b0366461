#include "rt/io/bus.h"

#include <errno.h>
#include <string.h>

#include "rt/can/error_frame.h"

/* Identifier bases of the two contactor commands: contract section 2 (id = base | plcId). */
#define BASE_MASK         0x1ffffff0u
#define BASE_RELAYCONTROL 0x340u
#define BASE_GCMC_COMMAND 0x390u

static void lane_init(struct bus_lane *lane, struct can_frame *store, uint32_t size) {
    lane->frame = store;
    lane->size = size;
    lane->head = 0;
    lane->count = 0;
}

static struct can_frame *lane_at(const struct bus_lane *lane, uint32_t i) {
    assert(i < lane->size);
    return &lane->frame[(lane->head + i) % lane->size];
}

static void lane_pop(struct bus_lane *lane, struct can_frame *frame) {
    assert(lane->count > 0);
    *frame = *lane_at(lane, 0);
    lane->head = (lane->head + 1) % lane->size;
    lane->count--;
}

static void lane_push_back(struct bus_lane *lane, const struct can_frame *frame,
                           uint32_t *dropped) {
    if (lane->count == lane->size) {
        struct can_frame oldest;
        lane_pop(lane, &oldest);
        (*dropped)++;
    }
    *lane_at(lane, lane->count) = *frame;
    lane->count++;
}

/* A frame that came back unsent is older than everything waiting: when there is no room it is the one to give up. */
static void lane_push_front(struct bus_lane *lane, const struct can_frame *frame,
                            uint32_t *dropped) {
    if (lane->count == lane->size) {
        (*dropped)++;
        return;
    }
    lane->head = (lane->head + lane->size - 1) % lane->size;
    lane->frame[lane->head] = *frame;
    lane->count++;
}

static struct can_frame *lane_find(const struct bus_lane *lane, canid_t id) {
    for (uint32_t i = 0; i < lane->count; i++) {
        struct can_frame *waiting = lane_at(lane, i);
        if (waiting->can_id == id) {
            return waiting;
        }
    }
    return NULL;
}

static void clear_lanes(struct bus *bus) {
    bus->counters.tx_discarded += bus->urgent.count + bus->rest.count;
    bus->urgent.count = 0;
    bus->rest.count = 0;
}

void bus_init(struct bus *bus, const struct config_interface *config, uint32_t index) {
    assert(index < RM_INTERFACES_MAX);
    memset(bus, 0, sizeof *bus);
    bus->config = config;
    bus->index = index;
    bus->fd = -1;
    bus->state = INTERFACE_DOWN;
    bus->backoff_ms = BUS_BACKOFF_FIRST_MS;
    bus->kernel_restart = config->transport == CAN_TRANSPORT_SOCKETCAN && !config->manage;
    lane_init(&bus->urgent, bus->urgent_store, BUS_URGENT_MAX);
    lane_init(&bus->rest, bus->rest_store, BUS_REST_MAX);
}

static void schedule_attempt(struct bus *bus, int64_t now_us) {
    bus->attempt_us = now_us + (int64_t)bus->backoff_ms * 1000;
    bus->backoff_ms =
        bus->backoff_ms * 2 > BUS_BACKOFF_MAX_MS ? BUS_BACKOFF_MAX_MS : bus->backoff_ms * 2;
}

void bus_state(struct bus *bus, enum interface_state state, int64_t now_us) {
    if (state == bus->state) {
        return;
    }
    bool was_in_service = bus->state != INTERFACE_DOWN && bus->state != INTERFACE_BUS_OFF;
    bool in_service = state != INTERFACE_DOWN && state != INTERFACE_BUS_OFF;
    bus->state = state;
    bus->state_since_us = now_us;
    if (in_service && !was_in_service) {
        bus->up_since_us = now_us;
        bus->attempt_us = 0;
    }
    if (!in_service) {
        /* Frames of before must not go out after: they command a world that is gone. */
        clear_lanes(bus);
    }
    if (state == INTERFACE_BUS_OFF && !bus->kernel_restart) {
        schedule_attempt(bus, now_us);
    }
}

void bus_attach(struct bus *bus, int fd, int64_t now_us) {
    assert(fd >= 0 && bus->fd < 0);
    bus->fd = fd;
    bus->generation++;
    bus->counters.connects++;
    bus->chain_count = 0;
    bus->chain_done = 0;
    if (bus->config->transport == CAN_TRANSPORT_UDP) {
        bus->attempt_us = now_us; /* first probe at the next tick */
        return;
    }
    bus_state(bus, INTERFACE_UP, now_us);
}

void bus_detach(struct bus *bus) {
    bus->fd = -1;
    bus->generation++;
    bus->chain_count = 0;
    bus->chain_done = 0;
    bus->attempt_us = 0;
    bus->state = INTERFACE_DOWN;
    clear_lanes(bus);
}

void bus_unheard(struct bus *bus, int64_t now_us) {
    bus_state(bus, INTERFACE_DOWN, now_us);
    if (bus->attempt_us == 0) {
        schedule_attempt(bus, now_us);
    }
}

static void error_frame(struct bus *bus, const struct can_frame *frame, int64_t now_us) {
    enum interface_state state = bus->state;
    bus->counters.error_frames++;
    if ((frame->can_id & CAN_ERR_CRTL) && (frame->data[1] & CAN_ERR_CRTL_RX_OVERFLOW)) {
        bus->counters.rx_dropped++;
    }
    if (can_error_state(frame, &state)) {
        bus_state(bus, state, now_us);
    }
}

enum bus_rx bus_receive(struct bus *bus, const void *message, size_t length, int64_t now_us,
                        struct can_frame *frame) {
    if (length != sizeof *frame) {
        bus->counters.rx_malformed++;
        return BUS_RX_NONE;
    }
    memcpy(frame, message, sizeof *frame);
    if (frame->len > CAN_MAX_DLEN) {
        bus->counters.rx_malformed++;
        return BUS_RX_NONE;
    }
    if (bus->state == INTERFACE_DOWN && bus->config->transport == CAN_TRANSPORT_UDP) {
        bus_state(bus, INTERFACE_UP, now_us); /* heard for the first time */
    }
    if (frame->can_id & CAN_ERR_FLAG) {
        error_frame(bus, frame, now_us);
        return BUS_RX_ERROR;
    }
    bus->counters.rx_frames++;
    return BUS_RX_FRAME;
}

/* A request to the far side of a socket transport: restart after bus-off, or "is anybody there" on udp. */
static void queue_restart_request(struct bus *bus) {
    struct can_frame request = {.can_id = CAN_ERR_FLAG | CAN_ERR_RESTARTED, .len = CAN_ERR_DLC};
    if (lane_find(&bus->urgent, request.can_id) == NULL) {
        lane_push_back(&bus->urgent, &request, &bus->counters.tx_dropped);
    }
}

enum bus_action bus_tick(struct bus *bus, int64_t now_us) {
    bool in_service = bus->state != INTERFACE_DOWN && bus->state != INTERFACE_BUS_OFF;
    if (in_service && now_us - bus->up_since_us >= (int64_t)BUS_HEALTHY_MS * 1000) {
        bus->backoff_ms = BUS_BACKOFF_FIRST_MS;
    }
    if (bus->fd < 0 || bus->attempt_us == 0 || now_us < bus->attempt_us) {
        return BUS_ACTION_NONE;
    }
    schedule_attempt(bus, now_us);
    bool socket_transport = bus->config->transport != CAN_TRANSPORT_SOCKETCAN;
    if (socket_transport) {
        queue_restart_request(bus);
    }
    if (bus->state != INTERFACE_BUS_OFF) {
        return BUS_ACTION_NONE; /* a probe */
    }
    bus->counters.restarts++;
    return BUS_ACTION_RESTART;
}

bool bus_frame_is_urgent(const struct bus *bus, const struct can_frame *frame) {
    if (bus->config->role != INTERFACE_ROLE_PLC) {
        return false;
    }
    canid_t base = frame->can_id & BASE_MASK;
    return base == BASE_RELAYCONTROL || base == BASE_GCMC_COMMAND;
}

void bus_push(struct bus *bus, const struct can_frame *frame) {
    if (bus->fd < 0 || bus->state == INTERFACE_DOWN || bus->state == INTERFACE_BUS_OFF) {
        bus->counters.tx_discarded++;
        return;
    }
    if (!bus_frame_is_urgent(bus, frame)) {
        lane_push_back(&bus->rest, frame, &bus->counters.tx_dropped);
        return;
    }
    struct can_frame *waiting = lane_find(&bus->urgent, frame->can_id);
    if (waiting != NULL) {
        *waiting = *frame; /* a command is a whole state: the newest is the only true one */
        return;
    }
    lane_push_back(&bus->urgent, frame, &bus->counters.tx_dropped);
}

uint32_t bus_waiting(const struct bus *bus) {
    return bus->urgent.count + bus->rest.count;
}

uint32_t bus_chain_begin(struct bus *bus) {
    if (bus->fd < 0 || bus->chain_count != 0) {
        return 0;
    }
    uint32_t n = 0;
    while (n < BUS_CHAIN_MAX && bus->urgent.count > 0) {
        bus->chain_urgent[n] = true;
        lane_pop(&bus->urgent, &bus->chain[n++]);
    }
    while (n < BUS_CHAIN_MAX && bus->rest.count > 0) {
        bus->chain_urgent[n] = false;
        lane_pop(&bus->rest, &bus->chain[n++]);
    }
    bus->chain_count = n;
    bus->chain_done = 0;
    return n;
}

static bool is_queue_full(int result) {
    return result == -ENOBUFS || result == -EAGAIN || result == -ENOMEM;
}

/* Unsent frames go back in order: backwards through the chain, each to the front of its lane. */
static void return_unsent(struct bus *bus) {
    for (uint32_t i = bus->chain_count; i-- > 0;) {
        if (!bus->chain_failed[i]) {
            continue;
        }
        if (!bus->chain_urgent[i]) {
            lane_push_front(&bus->rest, &bus->chain[i], &bus->counters.tx_dropped);
        } else if (lane_find(&bus->urgent, bus->chain[i].can_id) == NULL) {
            lane_push_front(&bus->urgent, &bus->chain[i], &bus->counters.tx_dropped);
        }
    }
}

bool bus_chain_complete(struct bus *bus, uint32_t index, int result, bool *lost) {
    assert(index < bus->chain_count && bus->chain_done < bus->chain_count);
    bool sent = result == (int)sizeof(struct can_frame);
    bus->chain_failed[index] = !sent;
    if (sent) {
        bus->counters.tx_frames++;
    } else if (is_queue_full(result)) {
        bus->counters.tx_deferred++;
    } else if (result != -ECANCELED && result != -EINTR) {
        *lost = true; /* EPIPE, ECONNRESET, ENETDOWN, ENODEV, ECONNREFUSED, a short send */
    }
    bus->chain_done++;
    if (bus->chain_done < bus->chain_count) {
        return false;
    }
    if (bus->state == INTERFACE_DOWN || bus->state == INTERFACE_BUS_OFF) {
        for (uint32_t i = 0; i < bus->chain_count; i++) {
            bus->counters.tx_discarded += bus->chain_failed[i];
        }
    } else {
        return_unsent(bus);
    }
    bus->chain_count = 0;
    bus->chain_done = 0;
    return true;
}
