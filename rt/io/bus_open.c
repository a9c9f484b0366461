#include "rt/io/bus_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libsocketcan.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/event.h"

#define TX_QUEUE_LEN   128 /* the kernel's default of 10 frames overflows in every step */
#define RX_BUFFER_BYTE (512 * 1024)

__attribute__((format(printf, 3, 4))) static int refuse(struct io_error *error, int code,
                                                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}

static const char *transport_name(const struct config_interface *config) {
    switch (config->transport) {
    case CAN_TRANSPORT_SOCKETCAN: return "socketcan";
    case CAN_TRANSPORT_UNIX: return "unix";
    case CAN_TRANSPORT_UDP: return "udp";
    }
    return "?";
}

static int refuse_call(const struct config_interface *config, struct io_error *error,
                       const char *call) {
    int code = errno > 0 ? errno : EIO;
    return refuse(error, -code, "interface %s (%s): %s: %s", config->name, transport_name(config),
                  call, strerror(code));
}

bool bus_is_real_controller(const char *name) {
    char path[64], target[256];
    if (snprintf(path, sizeof path, "/sys/class/net/%s", name) >= (int)sizeof path) {
        return false;
    }
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) {
        return false;
    }
    target[n] = '\0';
    return strstr(target, "/virtual/") == NULL;
}

int bus_controller_state(const char *name, uint8_t *interface_state) {
    int state = 0;
    if (can_get_state(name, &state) != 0) {
        return -EIO;
    }
    switch (state) {
    case CAN_STATE_ERROR_ACTIVE: *interface_state = INTERFACE_UP; return 0;
    case CAN_STATE_ERROR_WARNING: *interface_state = INTERFACE_WARNING; return 0;
    case CAN_STATE_ERROR_PASSIVE: *interface_state = INTERFACE_PASSIVE; return 0;
    case CAN_STATE_BUS_OFF: *interface_state = INTERFACE_BUS_OFF; return 0;
    case CAN_STATE_STOPPED:
    case CAN_STATE_SLEEPING: *interface_state = INTERFACE_DOWN; return 0;
    }
    return -EPROTO;
}

int bus_controller_restart(const char *name) {
    return can_do_restart(name) == 0 ? 0 : -EIO;
}

static int set_tx_queue(const struct config_interface *config) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    struct ifreq request = {.ifr_qlen = TX_QUEUE_LEN};
    memcpy(request.ifr_name, config->name, sizeof config->name);
    int result = ioctl(fd, SIOCSIFTXQLEN, &request) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

static int manage(const struct config_interface *config, struct io_error *error) {
    /* The bit rate can be set only while the controller is stopped; stopping a stopped one is no error. */
    (void)can_do_stop(config->name);
    if (can_set_bitrate(config->name, (uint32_t)config->bitrate_bps) != 0) {
        return refuse(error, -EPERM,
                      "interface %s: bit rate %d cannot be set. Give ringmain-rt CAP_NET_ADMIN, or "
                      "set interfaces[].manage to false and let the system configure it",
                      config->name, config->bitrate_bps);
    }
    (void)can_set_restart_ms(config->name, 0); /* ours is the back-off */
    if (can_do_start(config->name) != 0) {
        return refuse(error, -ENETDOWN, "interface %s: controller does not start. See dmesg",
                      config->name);
    }
    if (set_tx_queue(config) != 0) {
        return refuse(error, -EPERM, "interface %s: transmit queue length cannot be set to %d",
                      config->name, TX_QUEUE_LEN);
    }
    return 0;
}

static int check_bitrate(const struct config_interface *config, struct io_error *error) {
    struct can_bittiming timing;
    memset(&timing, 0, sizeof timing);
    if (can_get_bittiming(config->name, &timing) != 0 || timing.bitrate == 0) {
        return 0; /* the driver does not tell: traffic will */
    }
    /* Prescalers do not hit every rate exactly; another nominal rate is tens of per cent away. */
    int64_t difference = (int64_t)timing.bitrate - config->bitrate_bps;
    if (difference * 100 > config->bitrate_bps * 2LL ||
        -difference * 100 > config->bitrate_bps * 2LL) {
        return refuse(error, -EMEDIUMTYPE,
                      "interface %s runs at %u bit/s, configured are %d. Mend the configuration, "
                      "the network set-up, or set interfaces[].manage to true",
                      config->name, timing.bitrate, config->bitrate_bps);
    }
    return 0;
}

static int check_up(const struct config_interface *config, int fd, struct io_error *error) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, config->name, sizeof config->name);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return refuse_call(config, error, "SIOCGIFFLAGS");
    }
    if (!(request.ifr_flags & IFF_UP)) {
        return refuse(error, -ENETDOWN,
                      "interface %s is down. Set it up (ip link set %s up, or systemd-networkd), "
                      "or set interfaces[].manage to true",
                      config->name, config->name);
    }
    return 0;
}

static int set_can_options(const struct config_interface *config, int fd, bool real,
                           const struct bus_filters *filters, struct io_error *error) {
    static const struct can_filter extended_only = {.can_id = CAN_EFF_FLAG,
                                                    .can_mask = CAN_EFF_FLAG | CAN_RTR_FLAG};
    const struct can_filter *filter = filters->count > 0 ? filters->filter : &extended_only;
    uint32_t count = filters->count > 0 ? filters->count : 1;
    can_err_mask_t errors = CAN_ERR_TX_TIMEOUT | CAN_ERR_CRTL | CAN_ERR_BUSOFF | CAN_ERR_RESTARTED |
                            CAN_ERR_BUSERROR | CAN_ERR_PROT | CAN_ERR_TRX | CAN_ERR_ACK;
    int loopback = real ? 0 : 1;
    int own = 0;
    if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filter, (socklen_t)(count * sizeof *filter)) !=
        0) {
        return refuse_call(config, error, "CAN_RAW_FILTER");
    }
    if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors, sizeof errors) != 0) {
        return refuse_call(config, error, "CAN_RAW_ERR_FILTER");
    }
    if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_LOOPBACK, &loopback, sizeof loopback) != 0 ||
        setsockopt(fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &own, sizeof own) != 0) {
        return refuse_call(config, error, "CAN_RAW_LOOPBACK");
    }
    return 0;
}

static void widen_buffers(int fd) {
    /* Larger than asked for is never refused, it is cut to the system's maximum: nothing to check. */
    int bytes = RX_BUFFER_BYTE;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static int bind_can(const struct config_interface *config, int fd, bool real,
                    const struct bus_filters *filters, struct io_error *error) {
    struct sockaddr_can address;
    memset(&address, 0, sizeof address);
    address.can_family = AF_CAN;
    address.can_ifindex = (int)if_nametoindex(config->name);
    if (address.can_ifindex == 0) {
        return refuse(error, -ENODEV,
                      "interface %s does not exist. Check interfaces[].name, the driver, or choose "
                      "another --transport",
                      config->name);
    }
    int result = check_up(config, fd, error);
    if (result == 0) {
        result = set_can_options(config, fd, real, filters, error);
    }
    if (result != 0) {
        return result;
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        return refuse_call(config, error, "bind");
    }
    return 0;
}

int bus_open_socketcan(const struct config_interface *config, const struct bus_filters *filters,
                       struct io_error *error) {
    int fd = socket(AF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
    if (fd < 0) {
        if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT) {
            return refuse(error, -EAFNOSUPPORT,
                          "interface %s: this kernel has no CAN sockets. Load can and can_raw, or "
                          "choose --transport unix:FOLDER for the virtual hub",
                          config->name);
        }
        return refuse_call(config, error, "socket");
    }
    bool real = bus_is_real_controller(config->name);
    int result = 0;
    if (real && config->manage) {
        result = manage(config, error);
    } else if (real) {
        result = check_bitrate(config, error);
    }
    if (result == 0) {
        result = bind_can(config, fd, real, filters, error);
    }
    if (result != 0) {
        close(fd);
        return result;
    }
    widen_buffers(fd);
    return fd;
}

int bus_open_unix(const struct config_interface *config, struct io_error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", config->address,
                     config->name);
    if (n < 0 || (size_t)n >= sizeof address.sun_path) {
        return refuse(error, -ENAMETOOLONG,
                      "interface %s: socket path %s/%s.sock is longer than %zu characters. Choose "
                      "a shorter folder",
                      config->name, config->address, config->name, sizeof address.sun_path - 1);
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse_call(config, error, "socket");
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int result = refuse_call(config, error, address.sun_path);
        close(fd);
        return result;
    }
    widen_buffers(fd);
    return fd;
}

struct udp_address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
};

static bool parse_udp(const char *text, struct udp_address *out) {
    memset(out, 0, sizeof *out);
    const char *colon = strrchr(text, ':');
    char host[64];
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long port = strtol(colon + 1, &end, 10);
    if (errno != 0 || end == colon + 1 || *end != '\0' || port < 1 || port > 65535) {
        return false;
    }
    size_t n = (size_t)(colon - text);
    memcpy(host, text, n);
    host[n] = '\0';
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        out->at.v6.sin6_family = AF_INET6;
        out->at.v6.sin6_port = htons((uint16_t)port);
        out->length = sizeof out->at.v6;
        return inet_pton(AF_INET6, host + 1, &out->at.v6.sin6_addr) == 1;
    }
    out->at.v4.sin_family = AF_INET;
    out->at.v4.sin_port = htons((uint16_t)port);
    out->length = sizeof out->at.v4;
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, numeric, &out->at.v4.sin_addr) == 1;
}

int bus_open_udp(const struct config_interface *config, struct io_error *error) {
    struct udp_address address;
    if (!parse_udp(config->address, &address)) {
        return refuse(error, -EINVAL,
                      "interface %s: \"%s\" is no UDP address. Write HOST:PORT with a numeric "
                      "host, for example 127.0.0.1:5000",
                      config->name, config->address);
    }
    int fd = socket(address.at.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse_call(config, error, "socket");
    }
    if (connect(fd, &address.at.any, address.length) != 0) {
        int result = refuse_call(config, error, "connect");
        close(fd);
        return result;
    }
    widen_buffers(fd);
    return fd;
}

int bus_open(const struct config_interface *config, const struct bus_filters *filters,
             struct io_error *error) {
    switch (config->transport) {
    case CAN_TRANSPORT_SOCKETCAN: return bus_open_socketcan(config, filters, error);
    case CAN_TRANSPORT_UNIX: return bus_open_unix(config, error);
    case CAN_TRANSPORT_UDP: return bus_open_udp(config, error);
    }
    return refuse(error, -EINVAL, "interface %s: no such transport", config->name);
}
