/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's inside, for its own files: the loop (server.c), the applications (server_clients.c)
 * and their handing over (server_handover.c).
 *
 * Ownership, threads and trust: server.h.
 */
#ifndef CONTROL_SERVER_PRIVATE_H
#define CONTROL_SERVER_PRIVATE_H

#include "control/arena.h"
#include "control/attach.h"
#include "control/server.h"

#define CLIENTS_MAX (ARENAS_MAX + SERVER_HANDSHAKES_MAX)

/* What an epoll event is about: a client's slot, or one of these. */
enum source {
    SOURCE_LISTEN = CLIENTS_MAX,
    SOURCE_CONTROL,
    SOURCE_CLIENTS, /* those above: what waits while the server is frozen */
    SOURCE_SIGNAL,
    SOURCE_WATCH, /* the first of SERVER_WATCHES_MAX */
};

enum client_state {
    CLIENT_FREE,
    CLIENT_HANDSHAKE, /* has not sent its request yet */
    CLIENT_ATTACHED,
    CLIENT_LEAVING,  /* its engine did not answer when it was to be detached */
    CLIENT_ARRIVING, /* another daemon hands it over, and has it still */
};

/* One application's connection. */
struct client {
    enum client_state state;
    int fd; /* -1 once it is closed */
    uint32_t uid;
    pid_t pid;
    uint32_t rights;                 /* by policy, when it connected */
    bool exclusive;                  /* likewise: its session is to have an engine of its own */
    uint32_t weight;                 /* likewise */
    enum policy_hugepages hugepages; /* likewise */
    uint64_t deadline;               /* of the handshake */
    uint32_t generation;             /* an event of an earlier use of this slot is stale */
    struct session *session;
};

/* A descriptor that is somebody else's business. */
struct watched {
    int fd;              /* -1: free */
    uint32_t generation; /* an event of an earlier use of this slot is stale */
    bool writes;         /* room to write is waited for as well */
    void (*ready)(void *context);
    void *context;
};

struct server {
    struct server_config config;
    struct attach_socket socket;
    int epoll_fd;
    int clients_fd; /* an epoll set within it: the socket, applications and what ends sessions */
    int signal_fd;
    int control_fd;
    int spare_fd; /* given up for a moment to refuse a connection when descriptors run out */
    struct engine *const *engines;
    uint32_t engine_count;
    const uint16_t *hosts;
    uint64_t sessions_made;
    uint64_t now; /* of this wake-up */
    bool stopping;
    bool frozen; /* nothing of clients_fd is looked at */
    uint64_t frozen_since;
    void (*reload)(void *context);
    void *reload_context;
    void (*tick)(void *context, uint64_t now);
    void *tick_context;
    uint64_t tick_due;
    struct events *events; /* NULL: nobody listens */
    struct client clients[CLIENTS_MAX];
    struct watched watched[SERVER_WATCHES_MAX];
};

/* server.c: has an epoll set (one of the server's) tell of `fd` as `slot`. 0 or a negative errno.
 */
int server_poll_add(int epoll_fd, int fd, uint32_t slot, uint32_t generation);
/* Closes it if it is open. */
void server_close_fd(int *fd);

/* server_clients.c, for the loop: something is to be read from a client; engines have news;
 * somebody knocks. */
void server_client_ready(struct server *server, uint32_t slot, uint32_t generation);
void server_sweep(struct server *server);
void server_accept(struct server *server);
/* Handles what of clients is overdue; returns when something else is, or ENGINE_NEVER. */
uint64_t server_tend_clients(struct server *server);
/* Has the handshake of a connection begin: NULL if there are too many, and `fd` is the caller's. */
struct client *server_client_begin(struct server *server, int fd, const struct policy_peer *peer);
/* Hangs up and forgets the client, without its session. */
void server_client_free(struct server *server, struct client *client);

#endif
