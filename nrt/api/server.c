#include "nrt/api/server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int socket_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

/* A socket file that nobody answers on is left over from a process that was killed. */
static int remove_stale(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int code = 0;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
        code = -EADDRINUSE;
    } else if (errno == ECONNREFUSED && unlink(address->sun_path) != 0) {
        code = -errno;
    }
    close(fd);
    return code;
}

static int watch(struct server *server, int operation, int fd, uint32_t tag, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = tag};
    return epoll_ctl(server->epoll_fd, operation, fd, &event) == 0 ? 0 : -errno;
}

int server_open(struct server *server, const char *path, int epoll_fd, server_handler handler,
                void *context) {
    struct sockaddr_un address;
    memset(server, 0, sizeof *server);
    server->listen_fd = -1;
    server->epoll_fd = epoll_fd;
    server->handler = handler;
    server->context = context;
    for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        server->client[i].fd = -1;
    }
    int code = socket_address(path, &address);
    if (code == 0) {
        code = remove_stale(&address);
    }
    if (code != 0) {
        return code;
    }
    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listen_fd < 0) {
        return -errno;
    }
    if (bind(server->listen_fd, (struct sockaddr *)&address, sizeof address) != 0) {
        code = -errno;
    } else {
        memcpy(server->path, address.sun_path, sizeof server->path);
        (void)chmod(path, 0660);
        code = listen(server->listen_fd, 8) == 0 ? watch(server, EPOLL_CTL_ADD, server->listen_fd,
                                                         SERVER_TAG + SERVER_CLIENTS_MAX, EPOLLIN)
                                                 : -errno;
    }
    if (code != 0) {
        server_close(server);
    }
    return code;
}

static void drop_client(struct server_client *client) {
    if (client->fd >= 0) {
        close(client->fd);
    }
    free(client->out);
    uint32_t generation = client->generation + 1;
    memset(client, 0, sizeof *client);
    client->fd = -1;
    client->generation = generation;
}

void server_close(struct server *server) {
    for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        drop_client(&server->client[i]);
    }
    if (server->listen_fd >= 0) {
        close(server->listen_fd);
        server->listen_fd = -1;
        if (server->path[0] != '\0') {
            unlink(server->path);
        }
    }
}

static void accept_client(struct server *server) {
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        if (server->client[i].fd < 0) {
            if (watch(server, EPOLL_CTL_ADD, fd, SERVER_TAG + i, EPOLLIN) != 0) {
                break;
            }
            server->client[i].fd = fd;
            return;
        }
    }
    static const char BUSY[] = "{\"ok\":false,\"error\":\"too many clients, try again\"}\n";
    (void)!send(fd, BUSY, sizeof BUSY - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool has_line(const struct server_client *client) {
    return memchr(client->in, '\n', client->in_length) != NULL;
}

/* Read while nothing is being worked on and no answer is stuck; write while one is. Writability also wakes us, at
 * once, for lines that came in while an earlier one was worked on, and for the farewell. */
static void update_interest(struct server *server, uint32_t index) {
    struct server_client *client = &server->client[index];
    if (client->fd < 0) {
        return;
    }
    uint32_t events = 0;
    if (client->out_length > client->out_done ||
        (!client->waiting && (client->ended || has_line(client)))) {
        events = EPOLLOUT;
    } else if (!client->waiting) {
        events = EPOLLIN;
    }
    if (watch(server, EPOLL_CTL_MOD, client->fd, SERVER_TAG + index, events) != 0) {
        drop_client(client);
    }
}

static void flush(struct server_client *client) {
    while (client->fd >= 0 && client->out_done < client->out_length) {
        ssize_t count = send(client->fd, client->out + client->out_done,
                             client->out_length - client->out_done, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (count <= 0) {
            drop_client(client);
            return;
        }
        client->out_done += (size_t)count;
    }
    free(client->out);
    client->out = NULL;
    client->out_length = client->out_done = 0;
}

/* Hand complete lines to the handler until one waits for its answer. */
static void take_lines(struct server *server, uint32_t index) {
    struct server_client *client = &server->client[index];
    while (client->fd >= 0 && !client->waiting && client->out_length == 0) {
        struct server_ref ref = {index, client->generation};
        char *newline = memchr(client->in, '\n', client->in_length);
        if (newline == NULL) {
            if (client->in_length == sizeof client->in && !client->skipping) {
                static const char LONG[] = "{\"ok\":false,\"error\":\"request: line too long\"}";
                client->skipping = true;
                client->waiting = true;
                server_answer(server, ref, LONG, sizeof LONG - 1);
            }
            if (client->skipping) {
                client->in_length = 0;
            }
            return;
        }
        size_t length = (size_t)(newline - client->in);
        char line[REQUEST_LINE_MAX];
        memcpy(line, client->in, length);
        client->in_length -= length + 1;
        memmove(client->in, newline + 1, client->in_length);
        if (client->skipping) {
            client->skipping = false; /* the rest of what was refused */
        } else if (length > 0) {
            client->waiting = true;
            server->handler(server->context, ref, line, length);
        }
    }
}

static void read_client(struct server *server, uint32_t index) {
    struct server_client *client = &server->client[index];
    if (client->in_length == sizeof client->in) {
        return;
    }
    ssize_t count =
        recv(client->fd, client->in + client->in_length, sizeof client->in - client->in_length, 0);
    if (count < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            drop_client(client);
        }
        return;
    }
    if (count == 0) {
        client->ended = true;
    }
    client->in_length += (size_t)count;
    take_lines(server, index);
}

static void settle(struct server *server, uint32_t index) {
    struct server_client *client = &server->client[index];
    bool nothing_left = !client->waiting && client->out_length == 0 && !has_line(client);
    if (client->fd >= 0 && client->ended && nothing_left) {
        drop_client(client);
    }
    update_interest(server, index);
}

void server_event(struct server *server, uint32_t tag, uint32_t events) {
    assert(tag >= SERVER_TAG && tag <= SERVER_TAG + SERVER_CLIENTS_MAX);
    uint32_t index = tag - SERVER_TAG;
    if (index == SERVER_CLIENTS_MAX) {
        accept_client(server);
        return;
    }
    struct server_client *client = &server->client[index];
    if (client->fd < 0) {
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        flush(client);
        take_lines(server, index);
    }
    if ((events & EPOLLIN) != 0 && client->fd >= 0) {
        read_client(server, index);
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        drop_client(client);
    }
    settle(server, index);
}

void server_answer(struct server *server, struct server_ref ref, const char *text, size_t length) {
    assert(ref.index < SERVER_CLIENTS_MAX);
    struct server_client *client = &server->client[ref.index];
    if (client->fd < 0 || client->generation != ref.generation || !client->waiting) {
        return;
    }
    client->waiting = false;
    client->out = length < SERVER_ANSWER_MAX ? malloc(length + 1) : NULL;
    if (client->out == NULL) {
        drop_client(client);
        return;
    }
    memcpy(client->out, text, length);
    client->out[length] = '\n';
    client->out_length = length + 1;
    client->out_done = 0;
    flush(client);
    update_interest(server, ref.index);
}
