/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/server_handover.h"

#include "control/log.h"
#include "control/server_private.h"
#include "control/session_handover.h"
#include "mailbox/doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define STATE_VERSION 1u /* of every record */

enum record {
    RECORD_SESSIONS = SERVER_RECORD_FIRST, /* sessions ever made; how many follow */
    RECORD_SESSION,                        /* connection; session_offer's */
    RECORD_SOCKET,                         /* sessions ever made; attach_offer's */
    RECORD_HANDSHAKE,                      /* connection */
};

static bool is_among(const struct engine *engine, struct engine *const *engines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (engines[i] == engine)
            return true;
    }
    return false;
}

/* The next client that has a session on one of the engines; NULL: there is none. */
static const struct client *next_of(const struct server *server, const struct client *after,
                                    struct engine *const *engines, uint32_t count)
{
    const struct client *end = server->clients + CLIENTS_MAX;
    const struct client *client = after ? after + 1 : server->clients;

    while (client < end &&
           !(client->session && is_among(session_engine(client->session), engines, count)))
        client++;
    return client < end ? client : NULL;
}

static struct client *next_to_change(struct server *server, const struct client *after,
                                     struct engine *const *engines, uint32_t count)
{
    const struct client *client = next_of(server, after, engines, count);

    return client ? &server->clients[client - server->clients] : NULL;
}

/* One line about a client's session. Returns the error. */
static int refuse(const struct client *client, int error, const char *why, char *reason,
                  size_t reason_bytes)
{
    snprintf(reason, reason_bytes, "session %llu: %s",
             (unsigned long long)session_id(client->session), why);
    return error;
}

/* ---- The one that has them ---- */

static int check_engine(const struct server *server, struct engine *engine, char *reason,
                        size_t reason_bytes)
{
    int error;

    if (server_engine_sessions(server, engine) == 0)
        return 0;
    error = mailbox_ask(&engine->mailbox, SESSION_MAILBOX_NS);
    if (error)
        snprintf(reason, reason_bytes, "engine %s does not answer", engine->name);
    return error;
}

int server_leave(const struct server *server, struct engine *const *engines, uint32_t count,
                 char *reason, size_t reason_bytes)
{
    const struct client *client = NULL;

    while ((client = next_of(server, client, engines, count)) != NULL) {
        if (session_error(client->session) == -EFAULT)
            return refuse(client, -EFAULT, "its memory was taken away", reason, reason_bytes);
    }
    return 0;
}

static int put_sessions(const struct server *server, struct engine *const *engines, uint32_t count,
                        struct parcel_draft *draft, char *reason, size_t reason_bytes)
{
    const struct client *client = NULL;

    while ((client = next_of(server, client, engines, count)) != NULL) {
        if (client->state != CLIENT_ATTACHED)
            return refuse(client, -EBUSY, "its engine does not let it go", reason, reason_bytes);
        state_record_begin(&draft->state, RECORD_SESSION, STATE_VERSION);
        parcel_put_fd(draft, client->fd);
        session_offer(client->session, draft);
        state_record_end(&draft->state);
    }
    if (draft->state.error)
        snprintf(reason, reason_bytes, "sessions: %s", strerror(-draft->state.error));
    return draft->state.error;
}

int server_offer(const struct server *server, struct engine *const *engines, uint32_t count,
                 struct parcel_draft *draft, char *reason, size_t reason_bytes)
{
    uint32_t sessions = 0;
    int error = 0;

    for (uint32_t i = 0; i < count && !error; i++) {
        error = check_engine(server, engines[i], reason, reason_bytes);
        sessions += server_engine_sessions(server, engines[i]);
    }
    if (!error)
        error = server_leave(server, engines, count, reason, reason_bytes);
    if (error)
        return error;
    state_record_begin(&draft->state, RECORD_SESSIONS, STATE_VERSION);
    state_put_u64(&draft->state, server->sessions_made);
    state_put_u32(&draft->state, sessions);
    state_record_end(&draft->state);
    return put_sessions(server, engines, count, draft, reason, reason_bytes);
}

void server_forget(struct server *server, struct engine *const *engines, uint32_t count)
{
    struct client *client = NULL;

    while ((client = next_to_change(server, client, engines, count)) != NULL) {
        session_forget(client->session);
        server_client_free(server, client);
    }
}

/* ---- The one that is to have them ---- */

/* What a parcel said so far. */
struct arrival {
    struct server *server;
    struct engine *const *engines;
    uint32_t engine_count;
    bool counted; /* the next two are known */
    uint64_t sessions_made;
    uint32_t promised;
    uint32_t arrived;
    char *reason;
    size_t reason_bytes;
};

static int damaged(const struct arrival *arrival, const char *what)
{
    snprintf(arrival->reason, arrival->reason_bytes, "%s", what);
    return -EBADMSG;
}

static bool is_taken(const struct server *server, uint64_t id)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &server->clients[i];

        if (client->session && session_id(client->session) == id)
            return true;
    }
    return false;
}

static struct client *find_free(struct server *server)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (server->clients[i].state == CLIENT_FREE)
            return &server->clients[i];
    }
    return NULL;
}

/* Is it an application's connection to the attach socket? */
static bool is_connection(int fd, struct policy_peer *peer)
{
    int type;
    socklen_t bytes = sizeof(type);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && type == SOCK_SEQPACKET &&
           !policy_identify(peer, fd);
}

/* Has the connection of a client in the set: heard of once, or whenever there is something. */
static int listen_to(struct server *server, const struct client *client, int operation,
                     uint32_t events)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | events,
                                .data.u64 = (uint64_t)client->generation << 32 |
                                            (uint32_t)(client - server->clients)};

    return epoll_ctl(server->clients_fd, operation, client->fd, &event) ? -errno : 0;
}

/* Gives a session that was adopted a client, and that the connection. */
static int seat(const struct arrival *arrival, struct session *session, int fd)
{
    struct server *server = arrival->server;
    struct client *client = find_free(server);
    uint64_t id = session_id(session);
    struct policy_peer peer;
    int error;

    if (id == 0 || id > arrival->sessions_made || is_taken(server, id))
        return damaged(arrival, "the number of a session is used twice, or was never given");
    if (!is_connection(fd, &peer) || peer.uid != session_uid(session))
        return damaged(arrival, "a session's connection is not that of its user");
    if (!client) {
        snprintf(arrival->reason, arrival->reason_bytes, "too many sessions");
        return -ENFILE;
    }
    client->fd = fd;
    error = listen_to(server, client, EPOLL_CTL_ADD, EPOLLET);
    if (error) {
        client->fd = -1;
        snprintf(arrival->reason, arrival->reason_bytes, "session %llu: %s", (unsigned long long)id,
                 strerror(-error));
        return error;
    }
    client->state = CLIENT_ARRIVING;
    client->uid = peer.uid;
    client->pid = peer.pid;
    client->session = session;
    return 0;
}

static int adopt_session(struct arrival *arrival, struct parcel *parcel)
{
    struct session *session = NULL;
    int fd = parcel_get_fd(parcel);
    int error = fd < 0 ? damaged(arrival, "a session without a connection") : 0;

    if (!error)
        error = session_adopt(&session, arrival->engines, arrival->engine_count, parcel,
                              arrival->reason, arrival->reason_bytes);
    if (!error)
        error = seat(arrival, session, fd);
    if (!error) {
        arrival->arrived++;
        return 0;
    }
    if (session)
        session_forget(session);
    server_close_fd(&fd);
    return error;
}

static int read_sessions(struct arrival *arrival, struct parcel *parcel)
{
    uint16_t type, version;
    int error = 0;

    while (!error && state_record_next(&parcel->state, &type, &version)) {
        if (type == RECORD_SESSIONS) {
            arrival->sessions_made = state_get_u64(&parcel->state);
            arrival->promised = state_get_u32(&parcel->state);
            arrival->counted = true;
        } else if (type == RECORD_SESSION) {
            error = adopt_session(arrival, parcel);
        }
    }
    if (!error &&
        (parcel->state.error || !arrival->counted || arrival->arrived != arrival->promised))
        error = damaged(arrival, "the description of sessions is damaged");
    return error;
}

int server_adopt(struct server *server, struct engine *const *engines, uint32_t count,
                 struct parcel *parcel, char *reason, size_t reason_bytes)
{
    const struct state_reader start = parcel->state;
    struct arrival arrival = {
        .server = server,
        .engines = engines,
        .engine_count = count,
        .reason = reason,
        .reason_bytes = reason_bytes,
    };
    int error;

    for (uint32_t i = 0; i < count; i++) {
        if (server_engine_sessions(server, engines[i]) == 0)
            continue;
        snprintf(reason, reason_bytes, "engine %s has sessions already", engines[i]->name);
        return -EEXIST;
    }
    error = read_sessions(&arrival, parcel);
    if (error) {
        server_forget(server, engines, count);
        return error;
    }
    if (arrival.sessions_made > server->sessions_made)
        server->sessions_made = arrival.sessions_made;
    parcel->state = start;
    return 0;
}

int server_enter(struct server *server, struct engine *engine, char *reason, size_t reason_bytes)
{
    const struct client *client = NULL;

    while ((client = next_of(server, client, &engine, 1)) != NULL) {
        int error = session_enter(client->session);

        if (error)
            return refuse(client, error, "its engine has no room for it", reason, reason_bytes);
    }
    return 0;
}

/* From now on this daemon answers for it. */
static void settle(struct server *server, struct client *client)
{
    uint64_t id = session_id(client->session);
    const struct log_about about = {id, session_engine(client->session)->name, true, client->uid};

    client->state = CLIENT_ATTACHED;
    listen_to(server, client, EPOLL_CTL_MOD, 0);
    log_limited_event(LOG_INFO, &about, "session %llu: taken over, uid %u, process %d, engine %s",
                      (unsigned long long)id, client->uid, client->pid, about.engine);
}

int server_entered(const struct server *server, struct engine *engine, char *reason,
                   size_t reason_bytes)
{
    const struct client *client = NULL;

    while ((client = next_of(server, client, &engine, 1)) != NULL) {
        int error = session_entered(client->session);

        if (error)
            return refuse(client, error, "its engine does not know it", reason, reason_bytes);
    }
    return 0;
}

void server_settle(struct server *server, struct engine *const *engines, uint32_t count)
{
    struct client *client = NULL;

    while ((client = next_to_change(server, client, engines, count)) != NULL)
        settle(server, client);
    /* One that broke a rule before is found like one that does so now. */
    doorbell_ring_engine(server->control_fd);
}

/* ---- The socket ---- */

void server_offer_socket(const struct server *server, struct parcel_draft *draft)
{
    state_record_begin(&draft->state, RECORD_SOCKET, STATE_VERSION);
    state_put_u64(&draft->state, server->sessions_made);
    attach_offer(&server->socket, draft);
    state_record_end(&draft->state);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (server->clients[i].state != CLIENT_HANDSHAKE)
            continue;
        state_record_begin(&draft->state, RECORD_HANDSHAKE, STATE_VERSION);
        parcel_put_fd(draft, server->clients[i].fd);
        state_record_end(&draft->state);
    }
}

static int adopt_listener(struct arrival *arrival, struct parcel *parcel)
{
    struct server *server = arrival->server;
    int error;

    arrival->sessions_made = state_get_u64(&parcel->state);
    if (server->socket.fd >= 0)
        return damaged(arrival, "there is a second attach socket");
    error = attach_adopt(&server->socket, SOCK_SEQPACKET, server->config.path, parcel,
                         arrival->reason, arrival->reason_bytes);
    if (error)
        return error;
    error = server_poll_add(server->clients_fd, server->socket.fd, SOURCE_LISTEN, 0);
    if (error)
        snprintf(arrival->reason, arrival->reason_bytes, "socket %s: %s", server->config.path,
                 strerror(-error));
    return error;
}

/* It begins anew, with all its time; one that is of no use any more is not missed. */
static void adopt_handshake(struct server *server, struct parcel *parcel)
{
    int fd = parcel_get_fd(parcel);
    struct policy_peer peer;

    if (fd >= 0 && is_connection(fd, &peer) && server_client_begin(server, fd, &peer))
        return;
    server_close_fd(&fd);
}

static int read_socket(struct arrival *arrival, struct parcel *parcel)
{
    uint16_t type, version;
    int error = 0;

    while (!error && state_record_next(&parcel->state, &type, &version)) {
        if (type == RECORD_SOCKET)
            error = adopt_listener(arrival, parcel);
        else if (type == RECORD_HANDSHAKE)
            adopt_handshake(arrival->server, parcel);
    }
    if (!error && (parcel->state.error || arrival->server->socket.fd < 0))
        error = damaged(arrival, "the description of the attach socket is damaged");
    return error;
}

int server_adopt_socket(struct server *server, struct parcel *parcel, char *reason,
                        size_t reason_bytes)
{
    const struct state_reader start = parcel->state;
    struct arrival arrival = {.server = server, .reason = reason, .reason_bytes = reason_bytes};
    int error;

    if (server->socket.fd >= 0) {
        snprintf(reason, reason_bytes, "socket %s: this daemon has it already",
                 server->socket.path);
        return -EEXIST;
    }
    error = read_socket(&arrival, parcel);
    if (error) {
        server_forget_socket(server);
        return error;
    }
    if (arrival.sessions_made > server->sessions_made)
        server->sessions_made = arrival.sessions_made;
    parcel->state = start;
    return 0;
}

void server_forget_socket(struct server *server)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (server->clients[i].state == CLIENT_HANDSHAKE)
            server_client_free(server, &server->clients[i]);
    }
    if (server->socket.fd >= 0)
        epoll_ctl(server->clients_fd, EPOLL_CTL_DEL, server->socket.fd, NULL);
    attach_forget(&server->socket);
}
