/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "control/purses.h"
#include "control/server_private.h"

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

#define EVENTS_MAX 64
#define TICK_NS    NSEC_PER_SEC

int server_poll_add(int epoll_fd, int fd, uint32_t slot, uint32_t generation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.u64 = (uint64_t)generation << 32 | slot};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void server_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
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

/* Handles what is overdue, and says how many ms may pass until something else is; -1: any. */
static int tend(struct server *server)
{
    uint64_t next = server->frozen ? ENGINE_NEVER : server_tend_clients(server);

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
    error =
        server_poll_add(server->epoll_fd, fd, SOURCE_WATCH + (uint32_t)(watched - server->watched),
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

static void dispatch_client(struct server *server, const struct epoll_event *event)
{
    uint32_t slot = (uint32_t)event->data.u64;

    if (slot == SOURCE_CONTROL)
        server_sweep(server);
    else if (slot != SOURCE_LISTEN)
        server_client_ready(server, slot, (uint32_t)(event->data.u64 >> 32));
}

static void dispatch_clients(struct server *server)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(server->clients_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++)
        dispatch_client(server, &events[i]);
    /* Newcomers last: those who are here first make room. */
    server_accept(server);
}

static void dispatch(struct server *server, const struct epoll_event *event)
{
    uint32_t slot = (uint32_t)event->data.u64;
    const struct watched *watched;

    if (slot == SOURCE_SIGNAL) {
        take_signal(server);
        return;
    }
    if (slot == SOURCE_CLIENTS) {
        /* Somebody may have frozen it since. */
        if (!server->frozen)
            dispatch_clients(server);
        return;
    }
    watched = &server->watched[slot - SOURCE_WATCH];
    if (watched->fd >= 0 && watched->generation == (uint32_t)(event->data.u64 >> 32))
        watched->ready(watched->context);
}

/* Whether the loop hears of what is in clients_fd. */
static void listen_to_clients(struct server *server, bool wanted)
{
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.u64 = SOURCE_CLIENTS};

    epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->clients_fd, &event);
}

void server_freeze(struct server *server)
{
    if (server->frozen)
        return;
    server->frozen = true;
    server->frozen_since = clock_now(&clock_machine);
    listen_to_clients(server, false);
}

void server_thaw(struct server *server)
{
    uint64_t missed = clock_now(&clock_machine) - server->frozen_since;

    if (!server->frozen)
        return;
    server->frozen = false;
    /* Nobody is late for what the server did not look at. */
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (server->clients[i].state == CLIENT_HANDSHAKE)
            server->clients[i].deadline += missed;
    }
    listen_to_clients(server, true);
}

void server_quit(struct server *server)
{
    server->stopping = true;
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
        for (int i = 0; i < count; i++)
            dispatch(server, &events[i]);
    }
    return 0;
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
    server->clients_fd = epoll_create1(EPOLL_CLOEXEC);
    server->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->clients_fd < 0 || server->control_fd < 0 ||
        server->spare_fd < 0)
        return -errno;
    error = server_poll_add(server->epoll_fd, server->signal_fd, SOURCE_SIGNAL, 0);
    if (!error)
        error = server_poll_add(server->epoll_fd, server->clients_fd, SOURCE_CLIENTS, 0);
    if (!error)
        error = server_poll_add(server->clients_fd, server->control_fd, SOURCE_CONTROL, 0);
    return error ? error : arena_guard_install(server->control_fd);
}

int server_open_socket(struct server *server, char *reason, size_t reason_bytes)
{
    const struct server_config *config = &server->config;
    int error = attach_reopen(&server->socket, SOCK_SEQPACKET, config->path, config->mode,
                              config->kept, reason, reason_bytes);

    return error ? error : server_poll_add(server->clients_fd, server->socket.fd, SOURCE_LISTEN, 0);
}

struct attach_socket *server_socket(struct server *server)
{
    return &server->socket;
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
    made->socket.fd = made->socket.lock_fd = made->epoll_fd = made->clients_fd = -1;
    made->signal_fd = made->control_fd = made->spare_fd = -1;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        made->clients[i].fd = -1;
    for (uint32_t i = 0; i < SERVER_WATCHES_MAX; i++)
        made->watched[i].fd = -1;
    error = open_descriptors(made);
    if (error)
        snprintf(reason, reason_bytes, "control descriptors: %s", strerror(-error));
    else if (!config->takes_over)
        error = server_open_socket(made, reason, reason_bytes);
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
    server_close_fd(&server->epoll_fd);
    server_close_fd(&server->clients_fd);
    server_close_fd(&server->signal_fd);
    server_close_fd(&server->control_fd);
    server_close_fd(&server->spare_fd);
    free(server);
}
