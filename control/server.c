/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include "control/arena.h"
#include "control/attach.h"
#include "control/grant.h"
#include "control/log.h"
#include "control/placement.h"
#include "control/purses.h"
#include "control/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX  (ARENAS_MAX + SERVER_HANDSHAKES_MAX)
#define EVENTS_MAX   64
#define ACCEPTS_MAX  16 /* per wake-up: the others wait for the next */
#define RETRY_NS     NSEC_PER_SEC
#define TICK_NS      NSEC_PER_SEC
#define REASON_BYTES SADDLE_REASON_BYTES

/* What an epoll event is about: a client's slot, or one of these. */
enum source {
    SOURCE_LISTEN = CLIENTS_MAX,
    SOURCE_SIGNAL,
    SOURCE_CONTROL,
    SOURCE_WATCH, /* the first of SERVER_WATCHES_MAX */
};

enum client_state {
    CLIENT_FREE,
    CLIENT_HANDSHAKE, /* has not sent its request yet */
    CLIENT_ATTACHED,
    CLIENT_LEAVING, /* its engine did not answer when it was to be detached */
};

/* One application's connection. */
struct client {
    enum client_state state;
    int fd; /* -1 once it is closed */
    uint32_t uid;
    pid_t pid;
    uint32_t rights;     /* by policy, when it connected */
    bool exclusive;      /* likewise: its session is to have an engine of its own */
    uint32_t weight;     /* likewise */
    uint64_t deadline;   /* of the handshake */
    uint32_t generation; /* an event of an earlier use of this slot is stale */
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
    int signal_fd;
    int control_fd;
    int spare_fd; /* given up for a moment to refuse a connection when descriptors run out */
    struct engine *const *engines;
    uint32_t engine_count;
    const uint16_t *hosts;
    uint64_t sessions_made;
    uint64_t now; /* of this wake-up */
    bool stopping;
    void (*reload)(void *context);
    void *reload_context;
    void (*tick)(void *context, uint64_t now);
    void *tick_context;
    uint64_t tick_due;
    struct events *events; /* NULL: nobody listens */
    struct client clients[CLIENTS_MAX];
    struct watched watched[SERVER_WATCHES_MAX];
};

static int watch(struct server *server, int fd, uint32_t slot, uint32_t generation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.u64 = (uint64_t)generation << 32 | slot};

    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void client_hang_up(struct client *client)
{
    close_fd(&client->fd);
    client->generation++;
}

static void client_free(struct client *client)
{
    client_hang_up(client);
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
    client_free(client);
}

/* Takes the session from its engine; if that does not answer, server_run tries again. */
static void client_detach(struct server *server, struct client *client, const char *why)
{
    uint64_t id = session_id(client->session);
    struct told told;

    describe(&told, client);
    client_hang_up(client);
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
    client_free(client);
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
        client_free(client);
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

static void client_ready(struct server *server, uint32_t slot, uint32_t generation)
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

static void welcome(struct server *server, int fd)
{
    struct policy_peer peer;
    struct client *client;

    if (policy_identify(&peer, fd)) {
        close(fd);
        return;
    }
    client = client_find_free(server, peer.uid);
    if (!client) {
        log_limited_event(LOG_WARNING, (&(struct log_about){.has_uid = true, .uid = peer.uid}),
                          "uid %u, process %d refused: too many connections", peer.uid, peer.pid);
        events_add(
            server->events, EVENT_SESSION_REFUSED,
            &(struct event_about){.has_uid = true, .uid = peer.uid, .pid = (uint32_t)peer.pid},
            "too many connections");
        close(fd);
        return;
    }
    client->state = CLIENT_HANDSHAKE;
    client->fd = fd;
    client->uid = peer.uid;
    client->pid = peer.pid;
    client->rights = policy_rights(&server->config.policy, &peer);
    client->exclusive = policy_exclusive(&server->config.policy, &peer);
    client->weight = policy_weight(&server->config.policy, &peer);
    client->deadline = server->now + server->config.handshake_timeout_ns;
    if (watch(server, fd, (uint32_t)(client - server->clients), client->generation))
        client_free(client);
    else
        client_request(server, client); /* most have sent it by now, or are gone */
}

/* Out of descriptors: takes one connection with the spare one and hangs up on it, so that the
 * listening socket does not stay readable for ever. */
static void turn_away(struct server *server)
{
    int fd;

    close_fd(&server->spare_fd);
    fd = accept4(server->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    close_fd(&fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log_limited(LOG_ERROR, "out of file descriptors: a connection was turned away");
}

static void accept_clients(struct server *server)
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

static void take_signal(struct server *server)
{
    struct signalfd_siginfo info;

    if (read(server->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP) {
        if (server->reload)
            server->reload(server->reload_context);
        return;
    }
    log_line(LOG_INFO, "signal %u: stopping", info.ssi_signo);
    server->stopping = true;
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
static void sweep(struct server *server)
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

/* Handles what is overdue, and says how many ms may pass until something else is; -1: any. */
static int tend(struct server *server)
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
    if (server->tick && server->tick_due <= server->now) {
        server->tick_due = server->now + TICK_NS;
        server->tick(server->tick_context, server->now);
    }
    if (server->tick && server->tick_due < next)
        next = server->tick_due;
    if (next == ENGINE_NEVER)
        return -1;
    return (int)((next - server->now) / NSEC_PER_MSEC) + 1;
}

static struct watched *find_watched(struct server *server, int fd)
{
    for (uint32_t i = 0; i < SERVER_WATCHES_MAX; i++) {
        if (server->watched[i].fd == fd)
            return &server->watched[i];
    }
    return NULL;
}

int server_watch(struct server *server, int fd, void (*ready)(void *context), void *context)
{
    struct watched *watched = find_watched(server, -1);
    int error;

    if (!watched)
        return -ENOSPC;
    error = watch(server, fd, SOURCE_WATCH + (uint32_t)(watched - server->watched),
                  watched->generation);
    if (error)
        return error;
    watched->fd = fd;
    watched->writes = false;
    watched->ready = ready;
    watched->context = context;
    return 0;
}

void server_unwatch(struct server *server, int fd)
{
    struct watched *watched = find_watched(server, fd);

    if (!watched)
        return;
    epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    watched->fd = -1;
    watched->generation++;
}

void server_watch_write(struct server *server, int fd, bool wanted)
{
    struct watched *watched = find_watched(server, fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (wanted ? EPOLLOUT : 0)};

    if (!watched || watched->writes == wanted)
        return;
    watched->writes = wanted;
    event.data.u64 = (uint64_t)watched->generation << 32 |
                     (SOURCE_WATCH + (uint32_t)(watched - server->watched));
    epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void watched_ready(const struct watched *watched, uint32_t generation)
{
    if (watched->fd >= 0 && watched->generation == generation)
        watched->ready(watched->context);
}

static void dispatch(struct server *server, const struct epoll_event *event)
{
    uint32_t slot = (uint32_t)event->data.u64;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);

    switch (slot) {
    case SOURCE_LISTEN:
        break;
    case SOURCE_SIGNAL:
        take_signal(server);
        break;
    case SOURCE_CONTROL:
        sweep(server);
        break;
    default:
        if (slot >= SOURCE_WATCH)
            watched_ready(&server->watched[slot - SOURCE_WATCH], generation);
        else
            client_ready(server, slot, generation);
        break;
    }
}

void server_set_engines(struct server *server, struct engine *const *engines, uint32_t engine_count)
{
    server->engines = engines;
    server->engine_count = engine_count;
}

void server_set_hosts(struct server *server, const uint16_t *hosts)
{
    server->hosts = hosts;
}

void server_set_policy(struct server *server, const struct server_config *config)
{
    const struct server_config before = server->config;

    server->config = *config;
    server->config.path = before.path;
    server->config.mode = before.mode;
    purses_set_share(config->cpu_per_uid);
}

void server_set_reload(struct server *server, void (*reload)(void *context), void *context)
{
    server->reload = reload;
    server->reload_context = context;
}

int server_run(struct server *server, struct engine *const *engines, uint32_t engine_count)
{
    server_set_engines(server, engines, engine_count);
    server->now = clock_now(&clock_machine);
    while (!server->stopping) {
        struct epoll_event events[EVENTS_MAX];
        int timeout_ms = tend(server);
        int count = epoll_wait(server->epoll_fd, events, EVENTS_MAX, timeout_ms);

        if (count < 0 && errno != EINTR)
            return -errno;
        server->now = clock_now(&clock_machine);
        /* Newcomers last: those who are here first make room. */
        for (int i = 0; i < count; i++)
            dispatch(server, &events[i]);
        accept_clients(server);
    }
    return 0;
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

void server_set_tick(struct server *server, void (*tick)(void *context, uint64_t now),
                     void *context)
{
    server->tick = tick;
    server->tick_context = context;
    server->tick_due = 0;
}

void server_set_events(struct server *server, struct events *events)
{
    server->events = events;
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
            client_free(client);
        if (client->state == CLIENT_LEAVING)
            error = -ETIMEDOUT;
    }
    return error;
}

static int open_signals(struct server *server)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL))
        return -errno;
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return server->signal_fd < 0 ? -errno : 0;
}

static int open_descriptors(struct server *server)
{
    int error = open_signals(server);

    if (error)
        return error;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->control_fd < 0 || server->spare_fd < 0)
        return -errno;
    error = watch(server, server->signal_fd, SOURCE_SIGNAL, 0);
    if (!error)
        error = watch(server, server->control_fd, SOURCE_CONTROL, 0);
    return error ? error : arena_guard_install(server->control_fd);
}

int server_create(struct server **server, const struct server_config *config, char *reason,
                  size_t reason_bytes)
{
    struct server *made = calloc(1, sizeof(*made));
    int error;

    snprintf(reason, reason_bytes, "out of memory");
    if (!made)
        return -ENOMEM;
    made->config = *config;
    made->socket.fd = made->epoll_fd = made->signal_fd = made->control_fd = made->spare_fd = -1;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        made->clients[i].fd = -1;
    for (uint32_t i = 0; i < SERVER_WATCHES_MAX; i++)
        made->watched[i].fd = -1;
    error = open_descriptors(made);
    if (error)
        snprintf(reason, reason_bytes, "control descriptors: %s", strerror(-error));
    else
        error = attach_open(&made->socket, SOCK_SEQPACKET, config->path, config->mode, reason,
                            reason_bytes);
    if (!error)
        error = watch(made, made->socket.fd, SOURCE_LISTEN, 0);
    if (error) {
        server_destroy(made);
        return error;
    }
    *server = made;
    return 0;
}

const struct server_config *server_config(const struct server *server)
{
    return &server->config;
}

int server_control_fd(const struct server *server)
{
    return server->control_fd;
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    attach_close(&server->socket);
    arena_guard_remove();
    close_fd(&server->epoll_fd);
    close_fd(&server->signal_fd);
    close_fd(&server->control_fd);
    close_fd(&server->spare_fd);
    free(server);
}
