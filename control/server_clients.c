/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/grant.h"
#include "control/log.h"
#include "control/placement.h"
#include "control/server_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX  16 /* per wake-up: the others wait for the next */
#define RETRY_NS     NSEC_PER_SEC
#define REASON_BYTES SADDLE_REASON_BYTES

static void client_hang_up(struct server *server, struct client *client)
{
    /* If another daemon has it open as well, closing it would not take it out of the set. */
    if (client->fd >= 0)
        epoll_ctl(server->clients_fd, EPOLL_CTL_DEL, client->fd, NULL);
    server_close_fd(&client->fd);
    client->generation++;
}

void server_client_free(struct server *server, struct client *client)
{
    client_hang_up(server, client);
    client->state = CLIENT_FREE;
    client->session = NULL;
}

/* What is told of a client that has a session or asked for one. */
struct told {
    struct event_about about;
    char application[SADDLE_NAME_BYTES]; /* outlives the session */
};

static void describe(struct told *told, const struct client *client)
{
    struct session_view view = {.application = ""};

    if (client->session)
        session_view(client->session, &view);
    snprintf(told->application, sizeof(told->application), "%s", view.application);
    told->about = (struct event_about){
        .session = view.id,
        .engine = view.engine,
        .application = told->application,
        .has_uid = true,
        .uid = client->uid,
        .pid = (uint32_t)client->pid,
    };
}

/* The session is gone; so is whoever had it, of whom `told` was taken before. */
static void client_detached(struct server *server, struct client *client, const struct told *told,
                            const char *why)
{
    uint64_t id = told->about.session;

    log_limited_event(LOG_INFO,
                      (&(struct log_about){.session = id, .has_uid = true, .uid = client->uid}),
                      "session %llu: %s", (unsigned long long)id, why);
    events_add(server->events, EVENT_SESSION_ENDED, &told->about, "%s", why);
    server_client_free(server, client);
}

/* Takes the session from its engine; if that does not answer, server_run tries again. */
static void client_detach(struct server *server, struct client *client, const char *why)
{
    uint64_t id = session_id(client->session);
    struct told told;

    describe(&told, client);
    client_hang_up(server, client);
    if (session_destroy(client->session)) {
        if (client->state != CLIENT_LEAVING)
            log_event(LOG_ERROR, &(struct log_about){.session = id},
                      "session %llu: its engine does not answer", (unsigned long long)id);
        client->state = CLIENT_LEAVING;
        client->deadline = server->now + RETRY_NS;
        return;
    }
    client_detached(server, client, &told, why);
}

/* Ends a session that broke a rule, or lost its memory. */
static void client_expel(struct server *server, struct client *client, int error, const char *why)
{
    session_tell(client->session, error, why);
    client_detach(server, client, why);
}

static void client_refuse(struct server *server, struct client *client,
                          const struct saddle_attach_reply *reply)
{
    struct told told;

    log_limited_event(LOG_WARNING, (&(struct log_about){.has_uid = true, .uid = client->uid}),
                      "uid %u, process %d refused: %s", client->uid, client->pid, reply->reason);
    describe(&told, client);
    events_add(server->events, EVENT_SESSION_REFUSED, &told.about, "%s", reply->reason);
    attach_send(client->fd, reply, NULL, 0);
    server_client_free(server, client);
}

static int check_quota(const struct server *server, const struct client *client,
                       struct saddle_attach_reply *reply)
{
    uint64_t bytes = reply->arena_bytes;
    uint32_t sessions = 1;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *other = &server->clients[i];

        if (!other->session || other->uid != client->uid)
            continue;
        sessions++;
        bytes += session_bytes(other->session);
    }
    if (sessions > server->config.sessions_per_uid)
        return attach_refuse(reply, -EDQUOT, "attach: uid %u has its %u sessions already",
                             client->uid, server->config.sessions_per_uid);
    if (bytes > server->config.memory_per_uid)
        return attach_refuse(reply, -EDQUOT,
                             "attach: uid %u would have %llu bytes of arenas, its quota is %llu",
                             client->uid, (unsigned long long)bytes,
                             (unsigned long long)server->config.memory_per_uid);
    return 0;
}

/* The request as a session, or a refusal in *reply. */
static int attach(struct server *server, struct client *client,
                  const struct saddle_attach_request *request, struct saddle_attach_reply *reply)
{
    const struct server_config *config = &server->config;
    struct session_owner owner = {
        .uid = client->uid,
        .exclusive = client->exclusive,
        .cpu_per_uid = config->cpu_per_uid,
        .hugepages = client->hugepages,
    };
    char rights[POLICY_TEXT_BYTES];
    struct placement placement;
    uint64_t slots_offset;
    int error;

    if (!(client->rights & POLICY_ATTACH))
        return attach_refuse(reply, -EACCES,
                             "attach: the policy does not let uid %u attach; it allows %s",
                             client->uid, policy_text(client->rights, rights));
    error = arena_plan(request, reply, &slots_offset);
    if (!error && client->hugepages != POLICY_HUGEPAGES_OFF)
        arena_plan_huge(reply);
    if (!error)
        error = check_quota(server, client, reply);
    if (error)
        return error;
    placement_init(&placement, server->engines, server->engine_count, server->hosts);
    server_sessions(server, placement_add, &placement);
    error = placement_choose(&placement, request->engine, &owner, reply);
    if (error)
        return error;
    owner.id = ++server->sessions_made;
    grant_fill(&owner.grant, config, session_rights(client->rights), client->weight);
    return session_create(&client->session, &owner, request, reply, slots_offset);
}

static void tell_attached(struct server *server, const struct client *client, const char *engine)
{
    uint64_t session = session_id(client->session);
    const struct log_about about = {session, engine, true, client->uid};
    struct told told;

    describe(&told, client);
    events_add(server->events, EVENT_SESSION_ATTACHED, &told.about,
               "uid %u, process %d, calls itself \"%s\"", client->uid, client->pid,
               told.application);
    log_limited_event(LOG_INFO, &about, "session %llu: attached, uid %u, process %d, engine %s",
                      (unsigned long long)session, client->uid, client->pid, engine);
    if (session_hugepages_error(client->session))
        log_limited_event(LOG_WARNING, &about,
                          "session %llu: ordinary pages in place of %llu huge ones of 2 MiB: %s",
                          (unsigned long long)session,
                          session_bytes(client->session) / ARENA_HUGE_BYTES,
                          arena_huge_reason(session_hugepages_error(client->session)));
}

static void client_request(struct server *server, struct client *client)
{
    struct saddle_attach_request request;
    struct saddle_attach_reply reply;
    int fds[ATTACH_FDS_MAX];
    int error = attach_receive(client->fd, &request, &reply);

    if (error == -EAGAIN)
        return;
    if (error == -ECONNRESET) {
        server_client_free(server, client);
        return;
    }
    if (!error)
        error = attach(server, client, &request, &reply);
    if (error) {
        client_refuse(server, client, &reply);
        return;
    }
    client->state = CLIENT_ATTACHED;
    error = attach_send(client->fd, &reply, fds, session_fds(client->session, fds));
    session_sent(client->session);
    if (error)
        client_detach(server, client, "gone before the reply");
    else
        tell_attached(server, client, session_engine(client->session)->name);
}

/* An attached application has nothing more to say here: it hangs up, or breaks the rule. */
static void client_speaks(struct server *server, struct client *client)
{
    uint8_t byte;
    ssize_t got = recv(client->fd, &byte, sizeof(byte), MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        client_expel(server, client, -EPROTO, "closed: it spoke on the attach socket");
    else
        client_detach(server, client, "detached");
}

void server_client_ready(struct server *server, uint32_t slot, uint32_t generation)
{
    struct client *client = &server->clients[slot];

    if (client->generation != generation)
        return;
    if (client->state == CLIENT_HANDSHAKE)
        client_request(server, client);
    else if (client->state == CLIENT_ATTACHED)
        client_speaks(server, client);
}

/* A free slot, unless there are too many handshakes already, of this user or of all. */
static struct client *client_find_free(struct server *server, uint32_t uid)
{
    struct client *free_client = NULL;
    uint32_t all = 0, own = 0;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (client->state == CLIENT_FREE)
            free_client = client;
        if (client->state != CLIENT_HANDSHAKE)
            continue;
        all++;
        own += client->uid == uid;
    }
    if (all >= SERVER_HANDSHAKES_MAX || own >= SERVER_HANDSHAKES_PER_UID_MAX)
        return NULL;
    return free_client;
}

struct client *server_client_begin(struct server *server, int fd, const struct policy_peer *peer)
{
    const struct policy *policy = &server->config.policy;
    struct client *client = client_find_free(server, peer->uid);

    if (!client || server_poll_add(server->clients_fd, fd, (uint32_t)(client - server->clients),
                                   client->generation))
        return NULL;
    client->state = CLIENT_HANDSHAKE;
    client->fd = fd;
    client->uid = peer->uid;
    client->pid = peer->pid;
    client->rights = policy_rights(policy, peer);
    client->exclusive = policy_exclusive(policy, peer);
    client->weight = policy_weight(policy, peer);
    client->hugepages = policy_hugepages(policy, peer);
    client->deadline = clock_now(&clock_machine) + server->config.handshake_timeout_ns;
    return client;
}

static void welcome(struct server *server, int fd)
{
    struct policy_peer peer;
    struct client *client;

    if (policy_identify(&peer, fd)) {
        close(fd);
        return;
    }
    client = server_client_begin(server, fd, &peer);
    if (client) {
        client_request(server, client); /* most have sent it by now, or are gone */
        return;
    }
    log_limited_event(LOG_WARNING, (&(struct log_about){.has_uid = true, .uid = peer.uid}),
                      "uid %u, process %d refused: too many connections", peer.uid, peer.pid);
    events_add(server->events, EVENT_SESSION_REFUSED,
               &(struct event_about){.has_uid = true, .uid = peer.uid, .pid = (uint32_t)peer.pid},
               "too many connections");
    close(fd);
}

/* Out of descriptors: takes one connection with the spare one and hangs up on it, so that the
 * listening socket does not stay readable for ever. */
static void turn_away(struct server *server)
{
    int fd;

    server_close_fd(&server->spare_fd);
    fd = accept4(server->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    server_close_fd(&fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log_limited(LOG_ERROR, "out of file descriptors: a connection was turned away");
}

void server_accept(struct server *server)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(server->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            welcome(server, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            turn_away(server);
        return;
    }
}

static const char *explain(int error, char line[REASON_BYTES])
{
    if (error == -EPROTO)
        return "closed: it broke a rule of the shared memory";
    if (error == -EFAULT)
        return "closed: its memory was taken away";
    snprintf(line, REASON_BYTES, "closed: %s", strerror(-error));
    return line;
}

/* An engine, or the SIGBUS guard, has news: finds the sessions that are over. */
void server_sweep(struct server *server)
{
    char line[REASON_BYTES];
    uint64_t rings;

    if (read(server->control_fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
        log_line(LOG_ERROR, "control eventfd: %s", strerror(errno));
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        int error = client->state == CLIENT_ATTACHED ? session_error(client->session) : 0;

        /* Of what an engine finds wrong it tells the application itself, and in more detail. */
        if (error == -EFAULT)
            client_expel(server, client, error, explain(error, line));
        else if (error)
            client_detach(server, client, explain(error, line));
    }
}

uint64_t server_tend_clients(struct server *server)
{
    uint64_t next = ENGINE_NEVER;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        struct saddle_attach_reply reply;

        if (client->state == CLIENT_HANDSHAKE && client->deadline <= server->now) {
            attach_refuse(&reply, -ETIMEDOUT, "attach: no request within %llu ms",
                          (unsigned long long)(server->config.handshake_timeout_ns /
                                               NSEC_PER_MSEC));
            client_refuse(server, client, &reply);
        }
        if (client->state == CLIENT_LEAVING && client->deadline <= server->now)
            client_detach(server, client, "detached late");
        if ((client->state == CLIENT_HANDSHAKE || client->state == CLIENT_LEAVING) &&
            client->deadline < next)
            next = client->deadline;
    }
    return next;
}

static const struct client *next_session(const struct server *server, const struct client *after)
{
    const struct client *client = after ? after + 1 : server->clients;

    while (client < server->clients + CLIENTS_MAX && !client->session)
        client++;
    return client < server->clients + CLIENTS_MAX ? client : NULL;
}

void server_sessions(const struct server *server,
                     bool (*visit)(void *context, const struct session *session, pid_t pid),
                     void *context)
{
    const struct client *client = NULL;

    while ((client = next_session(server, client)) != NULL) {
        if (!visit(context, client->session, client->pid))
            return;
    }
}

int server_close_session(struct server *server, uint64_t id, const char *reason)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (client->state != CLIENT_ATTACHED || session_id(client->session) != id)
            continue;
        if (server->frozen)
            return -EBUSY;
        client_expel(server, client, -ECONNABORTED, reason);
        return 0;
    }
    return -ENOENT;
}

uint32_t server_engine_sessions(const struct server *server, const struct engine *engine)
{
    const struct client *client = NULL;
    uint32_t count = 0;

    while ((client = next_session(server, client)) != NULL)
        count += session_engine(client->session) == engine;
    return count;
}

void server_end_sessions(struct server *server, const struct engine *engine, const char *reason)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        struct told told;

        if (!client->session || session_engine(client->session) != engine)
            continue;
        describe(&told, client);
        if (client->state == CLIENT_ATTACHED)
            session_tell(client->session, -ECONNABORTED, reason);
        session_destroy_stopped(client->session);
        client_detached(server, client, &told, reason);
    }
}

uint32_t server_session_count(const struct server *server, uint32_t *stuck)
{
    const struct client *client = NULL;
    uint32_t count = 0;

    *stuck = 0;
    while ((client = next_session(server, client)) != NULL) {
        count++;
        *stuck += client->state == CLIENT_LEAVING;
    }
    return count;
}

int server_stop(struct server *server)
{
    int error = 0;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];

        if (client->state == CLIENT_ATTACHED)
            client_expel(server, client, -ESHUTDOWN, "closed: the daemon stops");
        else if (client->state == CLIENT_LEAVING)
            client_detach(server, client, "detached late");
        else if (client->state == CLIENT_HANDSHAKE)
            server_client_free(server, client);
        if (client->state == CLIENT_LEAVING)
            error = -ETIMEDOUT;
    }
    return error;
}
