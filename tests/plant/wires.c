#include "tests/plant/wires.h"

#include <errno.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_BUFFER  (1 << 20)
#define FRAMES_AT_ONCE 512 /* per wire and visit, so that one busy wire cannot starve the others */

static int watch(const struct wires *w, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void widen(int fd) {
    const int size = SOCKET_BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_unix(struct wire *wire, const struct config_interface *c) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int length =
        snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s.sock", c->address, c->name);
    if (length < 0 || (size_t)length >= sizeof(at.sun_path)) {
        return -ENAMETOOLONG;
    }
    wire->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->listener < 0) {
        return -errno;
    }
    (void)mkdir(c->address, 0755);
    (void)unlink(at.sun_path);
    if (bind(wire->listener, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(wire->listener, 4) < 0) {
        return -errno;
    }
    memcpy(wire->path, at.sun_path, sizeof(wire->path));
    return 0;
}

static int open_udp(struct wire *wire, const struct config_interface *c) {
    char host[96];
    (void)snprintf(host, sizeof(host), "%s", c->address);
    char *colon = strrchr(host, ':');
    if (colon == NULL) {
        return -EINVAL;
    }
    *colon = 0;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0 || found == NULL) {
        return -EADDRNOTAVAIL;
    }
    wire->fd = socket(found->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int result =
        wire->fd < 0 || bind(wire->fd, found->ai_addr, found->ai_addrlen) < 0 ? -errno : 0;
    freeaddrinfo(found);
    return result;
}

static int open_socketcan(struct wire *wire, const struct config_interface *c) {
    struct sockaddr_can at = {.can_family = AF_CAN};
    at.can_ifindex = (int)if_nametoindex(c->name);
    if (at.can_ifindex == 0) {
        return -ENODEV;
    }
    wire->fd = socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
    if (wire->fd < 0 || bind(wire->fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
        return -errno;
    }
    return 0;
}

int wires_open(struct wires *w, const struct config *config, int epoll, FILE *err) {
    *w = (struct wires){.epoll = epoll};
    for (uint32_t i = 0; i < config->interfaces; i++) {
        const struct config_interface *c = &config->interface[i];
        struct wire *wire = &w->wire[i];
        int result = -EINVAL;
        wire->transport = c->transport;
        wire->listener = wire->fd = -1;
        w->count = i + 1;
        switch (c->transport) {
        case CAN_TRANSPORT_UNIX: result = open_unix(wire, c); break;
        case CAN_TRANSPORT_UDP: result = open_udp(wire, c); break;
        case CAN_TRANSPORT_SOCKETCAN: result = open_socketcan(wire, c); break;
        }
        if (result == 0) {
            if (wire->fd >= 0) {
                widen(wire->fd);
            }
            result = watch(w, wire->listener >= 0 ? wire->listener : wire->fd);
        }
        if (result != 0) {
            fprintf(err, "ringmain-plant: interface %s (%s): %s\n", c->name,
                    c->transport == CAN_TRANSPORT_SOCKETCAN
                        ? "SocketCAN; without CAN hardware use --transport unix:FOLDER"
                        : c->address,
                    strerror(-result));
            wires_close(w);
            return result;
        }
    }
    return 0;
}

void wires_close(struct wires *w) {
    for (uint32_t i = 0; i < w->count; i++) {
        struct wire *wire = &w->wire[i];
        if (wire->fd >= 0) {
            close(wire->fd);
        }
        if (wire->listener >= 0) {
            close(wire->listener);
            if (wire->path[0] != 0) {
                (void)unlink(wire->path);
            }
        }
        wire->fd = wire->listener = -1;
    }
}

static void greet(struct wires *w, struct wire *wire) {
    for (int i = 0; i < 8; i++) {
        const int fd = accept4(wire->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (wire->fd >= 0) {
            close(wire->fd);
        }
        wire->fd = fd;
        widen(fd);
        (void)watch(w, fd);
    }
}

static void hang_up(struct wire *wire) {
    close(wire->fd);
    wire->fd = -1;
}

/* true while frames may be waiting. */
static bool receive_one(struct wire *wire, struct can_frame *frame) {
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    for (;;) {
        const ssize_t got =
            recvfrom(wire->fd, frame, sizeof(*frame), 0, (struct sockaddr *)&from, &length);
        if (got == (ssize_t)sizeof(*frame)) {
            if (wire->transport == CAN_TRANSPORT_UDP) {
                wire->peer = from;
                wire->peer_length = length;
            }
            wire->received++;
            return true;
        }
        if (got > 0 || (got == 0 && wire->transport == CAN_TRANSPORT_UDP)) {
            continue; /* not a frame */
        }
        if ((got == 0 || (errno != EAGAIN && errno != EINTR)) &&
            wire->transport == CAN_TRANSPORT_UNIX) {
            hang_up(wire);
        }
        return false;
    }
}

void wires_receive(struct wires *w,
                   void (*take)(void *context, uint32_t interface, const struct can_frame *frame),
                   void *context) {
    for (uint32_t i = 0; i < w->count; i++) {
        struct wire *wire = &w->wire[i];
        struct can_frame frame;
        if (wire->listener >= 0) {
            greet(w, wire);
        }
        for (int n = 0; n < FRAMES_AT_ONCE && wire->fd >= 0 && receive_one(wire, &frame); n++) {
            take(context, i, &frame);
        }
    }
}

static void send_one(struct wire *wire, const struct can_frame *frame) {
    ssize_t put;
    if (wire->fd < 0) {
        return;
    }
    if (wire->transport == CAN_TRANSPORT_UDP) {
        if (wire->peer_length == 0) {
            return;
        }
        put = sendto(wire->fd, frame, sizeof(*frame), MSG_NOSIGNAL,
                     (const struct sockaddr *)&wire->peer, wire->peer_length);
    } else {
        if (wire->transport == CAN_TRANSPORT_SOCKETCAN && (frame->can_id & CAN_ERR_FLAG)) {
            return; /* a real controller makes its own error frames */
        }
        put = send(wire->fd, frame, sizeof(*frame), MSG_NOSIGNAL);
    }
    if (put == (ssize_t)sizeof(*frame)) {
        wire->sent++;
    } else if (errno == EAGAIN || errno == ENOBUFS) {
        wire->overflows++;
    } else if (wire->transport == CAN_TRANSPORT_UNIX) {
        hang_up(wire);
    }
}

void wires_send(struct wires *w, const struct frame_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->item[i].interface < w->count) {
            send_one(&w->wire[batch->item[i].interface], &batch->item[i].frame);
        }
    }
}
