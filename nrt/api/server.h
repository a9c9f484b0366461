/* nrt.sock: a stream socket for a few local clients, one JSON object per line each way.
 *
 * A client's requests are answered in order: while one waits for its answer no further line of that client is read.
 * Lines are bounded, and so is what is kept for a client that does not read its answers: it is closed.
 * Driven by the owner's epoll instance; never blocks. nrt only.
 */
#ifndef RINGMAIN_NRT_API_SERVER_H
#define RINGMAIN_NRT_API_SERVER_H

#include "nrt/api/request.h"

#define SERVER_CLIENTS_MAX 16
#define SERVER_ANSWER_MAX  (2 << 20)

/* epoll data: SERVER_TAG + client index; SERVER_TAG + SERVER_CLIENTS_MAX: the listening socket. */
#define SERVER_TAG 0x100u

struct server_client {
    int fd; /* -1: free */
    uint32_t generation;
    bool waiting;  /* a request is being worked on */
    bool skipping; /* inside an overlong line */
    bool ended;    /* the client has shut its sending side */
    size_t in_length;
    char in[REQUEST_LINE_MAX];
    char *out; /* heap, out_length bytes of which out_done are sent */
    size_t out_length, out_done;
};

struct server_ref {
    uint32_t index, generation;
};

/* One complete line without its newline. The handler answers by server_answer(), now or later, exactly once. */
typedef void (*server_handler)(void *context, struct server_ref ref, const char *line,
                               size_t length);

struct server {
    int listen_fd, epoll_fd;
    char path[108];
    server_handler handler;
    void *context;
    struct server_client client[SERVER_CLIENTS_MAX];
};

/* 0; -EADDRINUSE another process answers there; -ENAMETOOLONG; -errno. */
int server_open(struct server *server, const char *path, int epoll_fd, server_handler handler,
                void *context) RM_MUST_CHECK;
void server_close(struct server *server);
void server_event(struct server *server, uint32_t tag, uint32_t events);
/* text without newline. A client that is gone is no error. */
void server_answer(struct server *server, struct server_ref ref, const char *text, size_t length);

#endif
