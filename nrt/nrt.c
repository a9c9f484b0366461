#include "nrt/nrt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TAG_BELL            1u
#define NS_PER_MS           INT64_C(1000000)
#define ATTACH_DELAY_MIN_NS INT64_C(50000000)
#define ATTACH_DELAY_MAX_NS INT64_C(1000000000)

int64_t nrt_now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void nrt_say(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "ringmain-nrt: %s\n", text);
}

/* ---- opening ---- */

/* ringmainctl finds configuration and event log through these, whatever options we were started with. */
static void leave_link(const struct nrt *n, const char *name, const char *target) {
    char link[NRT_PATH_MAX], beside[NRT_PATH_MAX], full[4096];
    if (realpath(target, full) == NULL) {
        return;
    }
    snprintf(link, sizeof link, "%s/%s", n->config.rt.run_folder, name);
    snprintf(beside, sizeof beside, "%s/.%s.new", n->config.rt.run_folder, name);
    unlink(beside); /* of a run that was killed here */
    if (symlink(full, beside) != 0 || rename(beside, link) != 0) {
        nrt_say("%s: cannot be made: %s (only ringmainctl misses it)", link, strerror(errno));
        unlink(beside);
    }
}

static int open_store(struct nrt *n) {
    char error[160];
    int code = event_log_open(&n->events, n->log_path);
    const char *path = n->log_path;
    if (code == 0) {
        path = n->sessions_path;
        code = session_log_open(&n->sessions, n->sessions_path, nrt_now_ns());
    }
    if (code == -EWOULDBLOCK) {
        nrt_say("%s: another ringmain-nrt writes it", path);
        return code;
    }
    if (code != 0) {
        nrt_say("%s: %s", path,
                code == -EINVAL ? "is not a log of ringmain-nrt; move it away or name another file"
                                : strerror(-code));
        return code;
    }
    if (n->events.file.cut_bytes > 0 || n->sessions.file.cut_bytes > 0) {
        nrt_say("cut a torn tail: %" PRId64 " bytes of the event log, %" PRId64
                " of the sessions file",
                n->events.file.cut_bytes, n->sessions.file.cut_bytes);
    }
    code = keep_load(&n->keep, n->keep_path, &n->config, error, sizeof error);
    if (code != 0 && code != -ENOENT) {
        nrt_say("%s: %s. Restore it, or delete it to forget limits, availability and latched "
                "faults",
                n->keep_path, error);
        return code;
    }
    return 0;
}

static int open_socket(struct nrt *n) {
    char path[NRT_PATH_MAX];
    if (mkdir(n->config.rt.run_folder, 0755) != 0 && errno != EEXIST) {
        int code = -errno;
        nrt_say("%s: cannot be made: %s; make it or name another with --run-folder",
                n->config.rt.run_folder, strerror(errno));
        return code;
    }
    snprintf(path, sizeof path, "%s/nrt.sock", n->config.rt.run_folder);
    int code = server_open(&n->server, path, n->epoll_fd, requests_handle, n);
    if (code == -EADDRINUSE) {
        nrt_say("%s: another ringmain-nrt answers there", path);
    } else if (code != 0) {
        nrt_say("%s: %s", path, strerror(-code));
    }
    return code;
}

int nrt_open(struct nrt *n) {
    /* what a run before us left in the results ring must not answer our commands */
    n->next_command_id = (uint64_t)clock_pair_now().real_ns;
    n->attach_delay_ns = ATTACH_DELAY_MIN_NS;
    n->events.file.fd = n->sessions.file.fd = n->server.listen_fd = -1;
    for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        n->server.client[i].fd = -1;
    }
    notify_open(&n->notify);
    n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int code = n->epoll_fd < 0 ? -errno : open_store(n);
    if (code == 0) {
        code = open_socket(n);
    }
    if (code != 0) {
        nrt_close(n);
        return code;
    }
    leave_link(n, "nrt.config", n->config_path);
    leave_link(n, "nrt.events", n->log_path);
    duties_restore(n);
    return 0;
}

/* ---- the attachment to rt ---- */

static void drop_pending(struct nrt *n) {
    struct pending who;
    while (pending_take_expired(&n->pending, INT64_MAX, &who)) {
        if (who.has_client) {
            requests_result(n, &who, NULL);
        }
    }
}

static void detach(struct nrt *n) {
    if (n->attached) {
        epoll_ctl(n->epoll_fd, EPOLL_CTL_DEL, (int)n->peer.events_bell.queue, NULL);
        shm_detach(&n->peer);
        drop_pending(n);
    }
    n->attached = n->status_valid = false;
}

static void tell_attach_error(struct nrt *n, int code) {
    if (code != n->attach_error_told) {
        nrt_say("%s: %s. Waiting", n->config.rt.shm_name, shm_error_text(code));
        notify_send(&n->notify, "STATUS=waiting for ringmain-rt");
    }
    n->attach_error_told = code;
}

static void try_attach(struct nrt *n, int64_t now_ns) {
    if (now_ns < n->attach_next_ns) {
        return;
    }
    int code = shm_attach(&n->peer, n->config.rt.shm_name, SHM_WRITE);
    if (code == 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_BELL};
        n->attached = true;
        if (epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, (int)n->peer.events_bell.queue, &event) != 0) {
            code = -errno;
            detach(n);
        }
    }
    if (code != 0) {
        tell_attach_error(n, code);
        n->attach_next_ns = now_ns + n->attach_delay_ns;
        n->attach_delay_ns = n->attach_delay_ns * 2 < ATTACH_DELAY_MAX_NS ? n->attach_delay_ns * 2
                                                                          : ATTACH_DELAY_MAX_NS;
        return;
    }
    n->attach_error_told = 0;
    n->attach_delay_ns = ATTACH_DELAY_MIN_NS;
    n->rt_silent_told = false;
    duties_attached(n);
    nrt_say("attached to %s, boot %016" PRIx64, n->config.rt.shm_name, n->peer.boot_id);
    notify_send(&n->notify, "STATUS=attached to ringmain-rt");
}

/* Another start of rt, or another segment: first take what the old one still holds. */
static void leave_old(struct nrt *n, int64_t now_ns) {
    while (drain_events(n) && !*n->stop) {
    }
    drain_sessions(n, now_ns);
    detach(n);
    n->attach_next_ns = now_ns;
}

static void look_at_rt(struct nrt *n, int64_t now_ns) {
    if (n->attached && !shm_is_current(&n->peer)) {
        nrt_say("ringmain-rt started anew");
        leave_old(n, now_ns);
    }
    if (!n->attached) {
        try_attach(n, now_ns);
    }
    if (!n->attached) {
        return;
    }
    shm_peer_heartbeat(&n->peer, now_ns);
    bool silent = !nrt_is_rt_alive(n, now_ns);
    if (silent && !n->rt_silent_told) {
        nrt_say("ringmain-rt is silent. Waiting");
    } else if (!silent && n->rt_silent_told) {
        nrt_say("ringmain-rt is heard again");
        duties_attached(n);
    }
    n->rt_silent_told = silent;
}

/* ---- the loop ---- */

static void turn(struct nrt *n) {
    int64_t now_ns = nrt_now_ns();
    look_at_rt(n, now_ns);
    duties_results(n, now_ns);
    duties_run(n, now_ns);
    notify_ping(&n->notify, now_ns);
}

int nrt_run(struct nrt *n) {
    struct epoll_event events[16];
    int64_t next_turn_ns = 0;
    bool more = false;
    notify_send(&n->notify, "READY=1");
    while (!*n->stop) {
        int64_t period_ns = (n->pending.count > 0 ? NRT_TICK_BUSY_MS : NRT_TICK_MS) * NS_PER_MS;
        int64_t now_ns = nrt_now_ns();
        if (next_turn_ns > now_ns + period_ns) {
            next_turn_ns = now_ns + period_ns; /* a command of a client waits now */
        }
        int64_t wait_ns = more || next_turn_ns < now_ns ? 0 : next_turn_ns - now_ns;
        int count =
            epoll_wait(n->epoll_fd, events, 16, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        bool bell = more;
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == TAG_BELL) {
                doorbell_drain(&n->peer.events_bell);
                bell = true;
            } else {
                server_event(&n->server, (uint32_t)events[i].data.u64, events[i].events);
            }
        }
        now_ns = nrt_now_ns();
        bool tick = now_ns >= next_turn_ns;
        next_turn_ns = tick ? now_ns + period_ns : next_turn_ns;
        more = (bell || tick) && drain_events(n);
        if (bell || tick) {
            turn(n);
        }
    }
    return 0;
}

void nrt_close(struct nrt *n) {
    notify_send(&n->notify, "STOPPING=1");
    if (n->attached) {
        while (drain_events(n)) {
        }
        drain_sessions(n, nrt_now_ns());
    }
    detach(n);
    server_close(&n->server);
    session_log_close(&n->sessions);
    event_log_close(&n->events);
    if (n->epoll_fd >= 0) {
        close(n->epoll_fd);
    }
    notify_close(&n->notify);
}
