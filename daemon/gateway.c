/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gateway.h"

#include "control/attach.h"
#include "control/link.h"
#include "control/log.h"
#include "daemon/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DELAY_FIRST_NS (50 * NSEC_PER_MSEC)  /* after a second end; after the first one, at once */
#define DELAY_MAX_NS   (800 * NSEC_PER_MSEC) /* calls are answered again within a second */
#define STEADY_NS      (10 * NSEC_PER_SEC)   /* a child that lived for so long was all right */
#define LINE_BYTES     512                   /* of what a child says */
#define PATIENCE_MS    1000                  /* for a child to see that its link is closed */

struct gateway {
    struct gateway_config config;
    struct attach_socket socket;
    int http_fd, tls_fd; /* listening; -1: none */
    struct server *server;
    struct module_world *world;
    pid_t pid;    /* 0: none */
    int pidfd;    /* -1: none */
    int link_fd;  /* the calls' link; -1: none */
    int timer_fd; /* until it is started again; -1: not started yet */
    uint64_t started_ns;
    uint64_t delay_ns;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void unwatch_and_close(struct gateway *gateway, int *fd)
{
    if (*fd >= 0)
        server_unwatch(gateway->server, *fd);
    close_fd(fd);
}

/* Every call is over. */
static void hang_up(struct gateway *gateway)
{
    if (gateway->link_fd < 0)
        return;
    server_unwatch(gateway->server, gateway->link_fd);
    gateway->link_fd = -1;
    rpc_detach(gateway->world->rpc);
}

static void work(void *context)
{
    struct gateway *gateway = context;
    int error = rpc_work(gateway->world->rpc);

    if (!error) {
        server_watch_write(gateway->server, gateway->link_fd, rpc_wants_write(gateway->world->rpc));
        return;
    }
    if (error != -EPIPE)
        log_line(LOG_ERROR, "saddle-control broke a rule of the link (%s): killed",
                 strerror(-error));
    hang_up(gateway);
    /* One without a link is of no use, whatever it does: another one is started when it ends. */
    pidfd_send_signal(gateway->pidfd, SIGKILL, NULL, 0);
}

void gateway_flush(struct gateway *gateway)
{
    if (gateway->link_fd >= 0)
        work(gateway);
}

/* What the child gets, from LINK_FD on; -1: nothing is there. */
#define CHILD_FDS (LINK_FDS_END - LINK_FD)

/* Nothing of the daemon's but these descriptors; signals as they are by default. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                   const int fds[CHILD_FDS])
{
    sigset_t none, all;
    int error = 0;

    sigemptyset(&none);
    sigfillset(&all);
    for (int i = 0; i < CHILD_FDS && !error; i++)
        error = fds[i] < 0 ? posix_spawn_file_actions_addclose(actions, LINK_FD + i)
                           : posix_spawn_file_actions_adddup2(actions, fds[i], LINK_FD + i);
    return error || posix_spawn_file_actions_addclosefrom_np(actions, LINK_FDS_END) ||
           posix_spawnattr_setsigmask(attributes, &none) ||
           posix_spawnattr_setsigdefault(attributes, &all) ||
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(struct gateway *gateway, const int fds[CHILD_FDS])
{
    char *arguments[1 + GATEWAY_ARGUMENTS_MAX + 1] = {(char *)(uintptr_t)gateway->config.program};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = ENOMEM;

    for (uint32_t i = 0; gateway->config.arguments[i]; i++)
        arguments[i + 1] = (char *)(uintptr_t)gateway->config.arguments[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (!prepare(&actions, &attributes, fds))
        error = posix_spawn(&gateway->pid, gateway->config.program, &actions, &attributes,
                            arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* Copies that are in nobody's way: beyond those that the child gets. */
static int lift(int fds[CHILD_FDS])
{
    int error = 0;

    for (int i = 0; i < CHILD_FDS; i++) {
        if (fds[i] >= 0) {
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, LINK_FDS_END);
            error = fds[i] < 0 ? -EMFILE : error;
        }
    }
    return error;
}

static int spawn_lifted(struct gateway *gateway, const struct link *child)
{
    int fds[CHILD_FDS] = {child->fd, gateway->socket.fd, gateway->http_fd, gateway->tls_fd};
    int error = lift(fds);

    if (!error)
        error = spawn(gateway, fds);
    for (int i = 0; i < CHILD_FDS; i++)
        close_fd(&fds[i]);
    if (error)
        return error;
    gateway->pidfd = pidfd_open(gateway->pid, 0);
    return gateway->pidfd < 0 ? -errno : 0;
}

/* What the child says, without the end of the line. */
static void read_line(int fd, char *line, size_t bytes)
{
    size_t used = 0;
    ssize_t got;

    do {
        got = read(fd, line + used, bytes - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && used < bytes - 1) || (got < 0 && errno == EINTR));
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

/* 0 if it ended well; else what it said is in `line`. */
static int run_check(const char *program, char *const *arguments, char *line, size_t bytes)
{
    posix_spawn_file_actions_t actions;
    int status = 0, ends[2], error;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    posix_spawn_file_actions_init(&actions);
    error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    if (!error)
        error = posix_spawn(&pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!error) {
        read_line(ends[0], line, bytes);
        waitpid(pid, &status, 0);
    }
    close(ends[0]);
    return error ? -error : status ? -EINVAL : 0;
}

int gateway_check(const char *program, const char *const *arguments, const struct reason *reason)
{
    char *words[1 + GATEWAY_ARGUMENTS_MAX + 2] = {(char *)(uintptr_t)program,
                                                  (char *)(uintptr_t) "--check"};
    char line[LINE_BYTES] = "";
    int error;

    for (uint32_t i = 0; arguments[i]; i++)
        words[2 + i] = (char *)(uintptr_t)arguments[i];
    error = run_check(program, words, line, sizeof(line));
    if (error && !line[0])
        snprintf(line, sizeof(line), "%s: %s", program, strerror(-error));
    return error ? reason_set(reason, error, "control: %s", line) : 0;
}

static siginfo_t reap(struct gateway *gateway)
{
    siginfo_t info = {0};

    if (gateway->pid > 0)
        waitid(P_PID, (id_t)gateway->pid, &info, WEXITED);
    gateway->pid = 0;
    return info;
}

static void tell_ended(const struct gateway *gateway, const siginfo_t *info)
{
    const struct event_about about = {.pid = (uint32_t)info->si_pid};

    events_add(gateway->world->events, EVENT_CONTROL_ENDED, &about, "process %d: %s %d",
               info->si_pid, info->si_code == CLD_EXITED ? "exit status" : "signal",
               info->si_status);
}

static void again_later(struct gateway *gateway)
{
    bool steady = clock_now(&clock_machine) - gateway->started_ns > STEADY_NS;
    struct itimerspec due = {.it_value.tv_nsec = 1};

    if (steady)
        gateway->delay_ns = 0;
    due.it_value.tv_nsec += (long)gateway->delay_ns;
    gateway->delay_ns = gateway->delay_ns ? gateway->delay_ns * 2 : DELAY_FIRST_NS;
    if (gateway->delay_ns > DELAY_MAX_NS)
        gateway->delay_ns = DELAY_MAX_NS;
    timerfd_settime(gateway->timer_fd, 0, &due, NULL);
}

static void ended(void *context)
{
    struct gateway *gateway = context;
    siginfo_t info;

    hang_up(gateway);
    unwatch_and_close(gateway, &gateway->pidfd);
    info = reap(gateway);
    tell_ended(gateway, &info);
    log_line(LOG_WARNING, "saddle-control has ended, and is started again");
    gateway->world->restarts++;
    again_later(gateway);
}

static int launch(struct gateway *gateway)
{
    struct link ends[2];
    int error = link_pair(ends);

    if (error)
        return error;
    gateway->started_ns = clock_now(&clock_machine);
    error = spawn_lifted(gateway, &ends[1]);
    link_close(&ends[1]);
    if (!error)
        error = server_watch(gateway->server, gateway->pidfd, ended, gateway);
    if (!error)
        error = server_watch(gateway->server, ends[0].fd, work, gateway);
    if (error) {
        link_close(&ends[0]);
        return error;
    }
    gateway->link_fd = ends[0].fd;
    rpc_attach(gateway->world->rpc, ends[0]);
    events_add(gateway->world->events, EVENT_CONTROL_STARTED,
               &(struct event_about){.pid = (uint32_t)gateway->pid}, "process %d", gateway->pid);
    return 0;
}

/* Kills what was launched in part. */
static void give_up(struct gateway *gateway)
{
    hang_up(gateway);
    if (gateway->pid > 0)
        kill(gateway->pid, SIGKILL);
    unwatch_and_close(gateway, &gateway->pidfd);
    reap(gateway);
}

static void due(void *context)
{
    struct gateway *gateway = context;
    uint64_t times;
    int error;

    if (read(gateway->timer_fd, &times, sizeof(times)) < 0)
        return;
    error = launch(gateway);
    if (!error)
        return;
    log_line(LOG_ERROR, "%s: %s", gateway->config.program, strerror(-error));
    give_up(gateway);
    again_later(gateway);
}

static int listen_at(const char *address, const char *key, int *fd, const struct reason *reason)
{
    if (!address)
        return 0;
    *fd = endpoint_listen(address, key, reason);
    return *fd < 0 ? *fd : 0;
}

int gateway_open(struct gateway *gateway, const struct reason *reason)
{
    const struct gateway_config *config = &gateway->config;
    int error = listen_at(config->http, "control: http", &gateway->http_fd, reason);

    if (!error)
        error = listen_at(config->tls, "control: tls", &gateway->tls_fd, reason);
    if (!error)
        error = attach_reopen(&gateway->socket, SOCK_STREAM, config->socket, config->mode,
                              config->kept, reason->text, reason->bytes);
    return error;
}

struct attach_socket *gateway_socket(struct gateway *gateway)
{
    return &gateway->socket;
}

int gateway_create(struct gateway **gateway, const struct gateway_config *config,
                   const struct reason *reason)
{
    struct gateway *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->config = *config;
    made->pidfd = made->link_fd = made->timer_fd = made->http_fd = made->tls_fd = -1;
    made->socket.fd = -1;
    made->socket.lock_fd = -1;
    error = config->takes_over ? 0 : gateway_open(made, reason);
    if (error) {
        gateway_destroy(made);
        return error;
    }
    *gateway = made;
    return 0;
}

static void offer_fd(int fd, struct parcel_draft *draft)
{
    state_put_u8(&draft->state, fd >= 0);
    if (fd >= 0)
        parcel_put_fd(draft, fd);
}

void gateway_offer(const struct gateway *gateway, struct parcel_draft *draft)
{
    attach_offer(&gateway->socket, draft);
    offer_fd(gateway->http_fd, draft);
    offer_fd(gateway->tls_fd, draft);
}

/* A listening socket, if there is to be one. */
static int adopt_fd(struct parcel *parcel, const char *address, int *fd)
{
    int listens = 0;
    socklen_t bytes = sizeof(listens);

    if (!state_get_u8(&parcel->state))
        return address ? -EBADMSG : 0;
    *fd = parcel_get_fd(parcel);
    if (!address || *fd < 0 || getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) ||
        !listens)
        return -EBADMSG;
    return 0;
}

int gateway_adopt(struct gateway *gateway, struct parcel *parcel, const struct reason *reason)
{
    const struct gateway_config *config = &gateway->config;
    int error = attach_adopt(&gateway->socket, SOCK_STREAM, config->socket, parcel, reason->text,
                             reason->bytes);

    if (error)
        return error;
    error = adopt_fd(parcel, config->http, &gateway->http_fd);
    if (!error)
        error = adopt_fd(parcel, config->tls, &gateway->tls_fd);
    if (error || parcel->state.error) {
        gateway_forget(gateway);
        return reason_set(reason, -EBADMSG,
                          "control: what the other daemon hands over are not its sockets");
    }
    return 0;
}

void gateway_forget(struct gateway *gateway)
{
    attach_forget(&gateway->socket);
    close_fd(&gateway->http_fd);
    close_fd(&gateway->tls_fd);
}

int gateway_start(struct gateway *gateway, struct server *server, struct module_world *world,
                  const struct reason *reason)
{
    int error = 0;

    gateway->server = server;
    gateway->world = world;
    gateway->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (gateway->timer_fd < 0)
        error = -errno;
    if (!error)
        error = server_watch(server, gateway->timer_fd, due, gateway);
    if (!error)
        error = launch(gateway);
    return error ? reason_set(reason, error, "control: %s: %s", gateway->config.program,
                              strerror(-error))
                 : 0;
}

void gateway_destroy(struct gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->server) {
        struct pollfd gone = {.fd = gateway->pidfd, .events = POLLIN};

        /* It ends by itself when nobody is at the other end. */
        hang_up(gateway);
        if (gateway->pid > 0 && poll(&gone, 1, PATIENCE_MS) != 1)
            log_line(LOG_WARNING, "saddle-control does not end: killed");
        give_up(gateway);
        unwatch_and_close(gateway, &gateway->timer_fd);
    }
    attach_close(&gateway->socket);
    close_fd(&gateway->http_fd);
    close_fd(&gateway->tls_fd);
    free(gateway);
}
