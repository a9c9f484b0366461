#include "rt/io/links.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rt/io/clock.h"

static void ring_bell(int fd) {
    uint64_t one = 1;
    /* Full means that the bell is ringing already. */
    (void)!write(fd, &one, sizeof one);
}

static void offer(struct links *l, uint32_t i, int fd) {
    int before = atomic_exchange_explicit(&l->place[i].offered_fd, fd, memory_order_acq_rel);
    if (before >= 0) {
        close(before); /* the guard never took it */
    }
    ring_bell(l->guard_bell);
}

static void schedule(struct links_place *p, int64_t now_us) {
    p->attempt_us = now_us + (int64_t)p->backoff_ms * 1000;
    p->backoff_ms =
        p->backoff_ms * 2 > LINKS_BACKOFF_MAX_MS ? LINKS_BACKOFF_MAX_MS : p->backoff_ms * 2;
}

/* Refused at run time: said once per reason, not once per attempt. */
static void say_refused(struct links_place *p, const struct io_error *error) {
    if (strcmp(p->said.text, error->text) != 0) {
        p->said = *error;
        fprintf(stderr, "ringmain-rt: %s. Tried again until it works\n", error->text);
    }
}

static void say_open(struct links_place *p, const char *name) {
    if (p->said.text[0] != '\0') {
        p->said.text[0] = '\0';
        fprintf(stderr, "ringmain-rt: interface %s is open\n", name);
    }
}

/* One attempt. At run time every failure is retried: an interface that vanished may come back. */
static int attempt(struct links *l, uint32_t i, int64_t now_us, struct io_error *error) {
    struct links_place *p = &l->place[i];
    int fd = bus_open(&l->config->interface[i], &l->filters[i], error);
    if (fd < 0) {
        atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed);
        schedule(p, now_us);
        return fd;
    }
    p->attempt_us = 0;
    p->give_up = false;
    p->refused_in_a_row = 0;
    if (l->config->interface[i].transport == CAN_TRANSPORT_SOCKETCAN) {
        p->ifindex = if_nametoindex(l->config->interface[i].name);
    }
    offer(l, i, fd);
    return 0;
}

static bool far_side_may_come(const struct config_interface *interface, int code) {
    return interface->transport == CAN_TRANSPORT_UNIX &&
           (code == -ENOENT || code == -ECONNREFUSED || code == -EAGAIN);
}

static int open_all(struct links *l, struct io_error *error) {
    int64_t now_us = clock_now_us();
    for (uint32_t i = 0; i < l->config->interfaces; i++) {
        int code = attempt(l, i, now_us, error);
        if (code != 0 && !far_side_may_come(&l->config->interface[i], code)) {
            return code;
        }
    }
    return 0;
}

int links_open(struct links *l, const struct config *config,
               const struct bus_filters filters[RM_INTERFACES_MAX], struct io_error *error) {
    memset(l, 0, sizeof *l);
    l->config = config;
    memcpy(l->filters, filters, sizeof l->filters);
    l->guard_bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->main_bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (uint32_t i = 0; i < RM_INTERFACES_MAX; i++) {
        atomic_init(&l->place[i].offered_fd, -1);
        atomic_init(&l->place[i].look, -1);
        l->place[i].backoff_ms = BUS_BACKOFF_FIRST_MS;
    }
    if (l->guard_bell < 0 || l->main_bell < 0) {
        snprintf(error->text, sizeof error->text, "eventfd: %s", strerror(errno));
        links_close(l);
        return -EMFILE;
    }
    for (uint32_t i = 0; i < config->interfaces; i++) {
        l->place[i].supervise = config->interface[i].transport == CAN_TRANSPORT_SOCKETCAN &&
                                config->interface[i].manage &&
                                bus_is_real_controller(config->interface[i].name);
    }
    int code = open_all(l, error);
    if (code != 0) {
        links_close(l);
    }
    return code;
}

void links_close(struct links *l) {
    for (uint32_t i = 0; i < RM_INTERFACES_MAX; i++) {
        int fd = links_take(l, i);
        if (fd >= 0) {
            close(fd);
        }
    }
    if (l->guard_bell >= 0) {
        close(l->guard_bell);
    }
    if (l->main_bell >= 0) {
        close(l->main_bell);
    }
    l->guard_bell = -1;
    l->main_bell = -1;
}

static void retry(struct links *l, uint32_t i, int64_t now_us) {
    struct io_error error;
    const struct config_interface *config = &l->config->interface[i];
    int code = attempt(l, i, now_us, &error);
    if (code == 0) {
        say_open(&l->place[i], config->name);
    } else if (!far_side_may_come(config, code)) {
        say_refused(&l->place[i], &error);
    }
}

static void supervise(struct links *l, uint32_t i) {
    uint8_t state = 0;
    int64_t began_us = clock_now_us();
    const char *name = l->config->interface[i].name;
    bool known = bus_controller_state(name, &state) == 0;
    if (l->place[i].ifindex != 0 && if_nametoindex(name) != l->place[i].ifindex) {
        known = true; /* what the descriptor is bound to is gone, whatever bears the name now */
        state = INTERFACE_DOWN;
    }
    if (l->place[i].give_up) {
        known = true;
        state = INTERFACE_DOWN;
    }
    int64_t look = known ? links_pack_look((enum interface_state)state, began_us) : -1;
    int64_t before = atomic_exchange_explicit(&l->place[i].look, look, memory_order_acq_rel);
    if (known && (before < 0 || before % 8 != look % 8)) {
        ring_bell(l->guard_bell);
    }
}

/* Bus-off, by the guard's back-off. A driver that refuses again and again is given another way: the guard is told that the
 * interface is down, gives its descriptor up and asks for a new one, and opening stops and starts the controller. */
static void restart(struct links *l, uint32_t i) {
    struct links_place *p = &l->place[i];
    const char *name = l->config->interface[i].name;
    if (bus_controller_restart(name) == 0) {
        p->refused_in_a_row = 0;
        say_open(p, name);
        return;
    }
    uint8_t state = INTERFACE_BUS_OFF;
    if (bus_controller_state(name, &state) == 0 && state != INTERFACE_BUS_OFF) {
        p->refused_in_a_row = 0;
        supervise(l, i); /* refused because there is nothing to restart: the guard hears what is */
        return;
    }
    atomic_fetch_add_explicit(&p->restarts_refused, 1, memory_order_relaxed);
    struct io_error error;
    snprintf(error.text, sizeof error.text,
             "interface %s: its restart after bus-off was refused. Look at dmesg, and whether "
             "ringmain-rt has CAP_NET_ADMIN",
             name);
    say_refused(p, &error);
    if (++p->refused_in_a_row >= LINKS_RESTARTS_REFUSED_MAX) {
        p->refused_in_a_row = 0;
        p->give_up = true;
        supervise(l, i);
    }
}

static void serve_requests(struct links *l, uint32_t i, int64_t now_us) {
    struct links_place *p = &l->place[i];
    uint32_t connects = atomic_load_explicit(&p->connect_requests, memory_order_acquire);
    if (connects != p->connect_served) {
        p->connect_served = connects;
        /* A link that held for a while starts over with short waits; schedule() lengthens them. */
        p->backoff_ms = BUS_BACKOFF_FIRST_MS;
        schedule(p, now_us);
    }
    uint32_t restarts = atomic_load_explicit(&p->restart_requests, memory_order_acquire);
    if (restarts != p->restart_served) {
        p->restart_served = restarts;
        if (p->supervise) {
            restart(l, i);
        }
    }
}

int links_service(struct links *l, int64_t now_us) {
    uint64_t rings;
    (void)!read(l->main_bell, &rings, sizeof rings);
    bool supervise_now = now_us >= l->supervise_us;
    if (supervise_now) {
        l->supervise_us = now_us + LINKS_SUPERVISE_MS * 1000LL;
    }
    int64_t next_us = now_us + 1000000;
    for (uint32_t i = 0; i < l->config->interfaces; i++) {
        struct links_place *p = &l->place[i];
        serve_requests(l, i, now_us);
        if (p->attempt_us != 0 && now_us >= p->attempt_us) {
            retry(l, i, now_us);
        }
        if (p->supervise && supervise_now) {
            supervise(l, i);
        }
        if (p->supervise && l->supervise_us < next_us) {
            next_us = l->supervise_us;
        }
        if (p->attempt_us != 0 && p->attempt_us < next_us) {
            next_us = p->attempt_us;
        }
    }
    return (int)((next_us - now_us + 999) / 1000);
}

int links_take(struct links *l, uint32_t interface) {
    return atomic_exchange_explicit(&l->place[interface].offered_fd, -1, memory_order_acq_rel);
}

void links_ask_connect(struct links *l, uint32_t interface) {
    atomic_fetch_add_explicit(&l->place[interface].connect_requests, 1, memory_order_release);
    ring_bell(l->main_bell);
}

void links_ask_restart(struct links *l, uint32_t interface) {
    atomic_fetch_add_explicit(&l->place[interface].restart_requests, 1, memory_order_release);
    ring_bell(l->main_bell);
}

void links_wake_main(struct links *l) {
    ring_bell(l->main_bell);
}

bool links_supervised(struct links *l, uint32_t interface, enum interface_state *state,
                      int64_t *began_us) {
    int64_t look = atomic_load_explicit(&l->place[interface].look, memory_order_acquire);
    if (look < 0) {
        return false;
    }
    *state = (enum interface_state)(look % 8);
    *began_us = look / 8;
    return true;
}
