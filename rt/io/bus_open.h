/* Opening the descriptor behind an interface. Ordinary thread only: these calls may block on the kernel's network lock
 * or on a far side, so the guard never makes them. Nothing here falls back to another transport. */
#ifndef RINGMAIN_RT_IO_BUS_OPEN_H
#define RINGMAIN_RT_IO_BUS_OPEN_H

#include <linux/can.h>

#include "configs/config.h"

#define IO_TEXT_MAX 320

/* Why something was refused and how to mend it, in words for the operator. */
struct io_error {
    char text[IO_TEXT_MAX];
};

struct can_filter;

/* What a socketcan interface should let through; count 0: everything that is an extended data frame. */
struct bus_filters {
    const struct can_filter *filter;
    uint32_t count;
};

/* Sets up and opens a raw CAN socket: where interface.manage is set and the controller is real, bit rate, start and
 * automatic restart (off: Ringmain restarts itself) through libsocketcan. Kernel filters, error frames, loopback off
 * on a real controller (on a virtual one loopback is the wire). Non-blocking.
 * Descriptor, or -errno with *error filled: -ENODEV no such interface, -ENETDOWN it is down, -EAFNOSUPPORT the kernel
 * has no CAN, -EPERM managing needs CAP_NET_ADMIN, -EMEDIUMTYPE the bit rate in force is another than configured. */
int bus_open_socketcan(const struct config_interface *config, const struct bus_filters *filters,
                       struct io_error *error) RM_MUST_CHECK;

/* Connects to <address>/<name>.sock, non-blocking. Descriptor, or -errno (-ENOENT, -ECONNREFUSED: not there yet, try
 * again; -ENAMETOOLONG: folder too long for a unix address). */
int bus_open_unix(const struct config_interface *config, struct io_error *error) RM_MUST_CHECK;

/* A UDP socket connected to address ("host:port", host a numeric IPv4 address or [IPv6], or "localhost").
 * Descriptor, or -errno (-EINVAL: address malformed). */
int bus_open_udp(const struct config_interface *config, struct io_error *error) RM_MUST_CHECK;

/* By the configured transport. */
int bus_open(const struct config_interface *config, const struct bus_filters *filters,
             struct io_error *error) RM_MUST_CHECK;

/* true when the Linux interface has a controller behind it (not vcan or the like). */
bool bus_is_real_controller(const char *name);

/* Controller supervision: state by libsocketcan. 0 or -errno. */
int bus_controller_state(const char *name, uint8_t *interface_state) RM_MUST_CHECK;
/* Asks the controller to leave bus-off. 0 or -EIO. */
int bus_controller_restart(const char *name) RM_MUST_CHECK;

#endif
