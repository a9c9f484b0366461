#include "benchmarks/reaction/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int wire_open(struct wire *w, const char *folder, const char *const names[], uint32_t count) {
    w->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int length =
            snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", folder, names[i]);
        if (length < 0 || (size_t)length >= sizeof address.sun_path) {
            return -ENAMETOOLONG;
        }
        unlink(address.sun_path);
        w->peer[i] = -1;
        w->listening[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (w->listening[i] < 0 ||
            bind(w->listening[i], (const struct sockaddr *)&address, sizeof address) != 0 ||
            listen(w->listening[i], 1) != 0) {
            return -errno;
        }
    }
    return 0;
}

void wire_close(struct wire *w) {
    for (uint32_t i = 0; i < w->count; i++) {
        close(w->listening[i]);
        if (w->peer[i] >= 0) {
            close(w->peer[i]);
        }
    }
}

bool wire_accept(struct wire *w) {
    bool all = true;
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->peer[i] < 0) {
            w->peer[i] = accept4(w->listening[i], NULL, NULL, SOCK_CLOEXEC);
        }
        all &= w->peer[i] >= 0;
    }
    return all;
}

int wire_receive(struct wire *w, uint32_t interface, struct can_frame *frame) {
    if (w->peer[interface] < 0) {
        return 0;
    }
    return recv(w->peer[interface], frame, sizeof *frame, MSG_DONTWAIT) == (ssize_t)sizeof *frame;
}

bool wire_send(struct wire *w, uint32_t interface, const struct can_frame *frame) {
    return w->peer[interface] >= 0 && send(w->peer[interface], frame, sizeof *frame,
                                           MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof *frame;
}
