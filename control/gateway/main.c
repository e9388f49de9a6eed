/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-control: the process that speaks gRPC and HTTP on behalf of saddled, which starts it. It
 * holds no capability and knows no message; when it ends, calls end with it, and nothing else. See
 * saddle-control(8).
 */
#include "control/gateway/access.h"
#include "control/gateway/calls.h"
#include "control/gateway/core.h"
#include "control/gateway/http.h"
#include "control/gateway/options.h"
#include "control/gateway/sandbox.h"
#include "control/gateway/tls.h"
#include "control/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX  4
#define ACCEPTS_MAX 16 /* of a wake-up: calls go on meanwhile */

struct gateway {
    struct access *access;
    struct calls *calls;
    struct core *core;
    struct http *http; /* NULL: none */
    struct tls *tls;   /* NULL: none */
    int epoll_fd;
};

static int watch(const struct gateway *gateway, int fd, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    return epoll_ctl(gateway->epoll_fd, how, fd, &event) ? -errno : 0;
}

static void welcome(const struct gateway *gateway)
{
    int fd = 0;

    for (int i = 0; i < ACCEPTS_MAX && fd != -EAGAIN; i++) {
        fd = access_take(gateway->access);
        if (fd >= 0)
            core_connect(gateway->core, fd);
    }
}

/* Until the daemon is gone. */
static int loop(const struct gateway *gateway)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        uint32_t room = calls_wait_for_room(gateway->calls) ? EPOLLOUT : 0;
        int error = watch(gateway, LINK_FD, EPOLLIN | room, EPOLL_CTL_MOD);

        if (!error && epoll_wait(gateway->epoll_fd, events, EVENTS_MAX, -1) < 0 && errno != EINTR)
            error = -errno;
        if (!error)
            error = calls_work(gateway->calls);
        if (error)
            return error;
        welcome(gateway);
    }
}

static void *serve_core(void *context)
{
    core_run(((struct gateway *)context)->core);
    return NULL;
}

static void *serve_http(void *context)
{
    http_run(((struct gateway *)context)->http);
    return NULL;
}

static void *serve_tls(void *context)
{
    tls_run(((struct gateway *)context)->tls);
    return NULL;
}

static int watch_all(struct gateway *gateway)
{
    int error;

    gateway->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (gateway->epoll_fd < 0)
        return -errno;
    error = watch(gateway, LINK_FD, EPOLLIN, EPOLL_CTL_ADD);
    if (!error)
        error = watch(gateway, calls_wake_fd(gateway->calls), EPOLLIN, EPOLL_CTL_ADD);
    if (!error)
        error = watch(gateway, access_fd(gateway->access), EPOLLIN, EPOLL_CTL_ADD);
    if (!error)
        error = watch(gateway, access_wake_fd(gateway->access), EPOLLIN | EPOLLET, EPOLL_CTL_ADD);
    return error;
}

/* What is not on the control socket. */
static int start_others(struct gateway *gateway, const struct options *options)
{
    struct certificates *certificates;
    int error = 0;

    if (options->http)
        error = http_create(&gateway->http, LINK_HTTP_FD, gateway->calls);
    if (error || !options->tls)
        return error;
    error = certificates_create(&certificates, &options->certificates);
    if (!error)
        error =
            tls_create(&gateway->tls, LINK_TLS_FD, certificates, gateway->access, gateway->core);
    return error;
}

static int start(struct gateway *gateway, const struct options *options)
{
    int error = access_create(&gateway->access, LINK_LISTEN_FD, &options->access);

    if (!error)
        error = calls_create(&gateway->calls, (struct link){LINK_FD}, gateway->access);
    if (!error)
        error = core_create(&gateway->core, &calls_handlers, gateway->calls);
    if (!error)
        error = start_others(gateway, options);
    return error ? error : watch_all(gateway);
}

static int start_threads(struct gateway *gateway)
{
    pthread_t thread;
    int error = -pthread_create(&thread, NULL, serve_core, gateway);

    if (!error && gateway->http)
        error = -pthread_create(&thread, NULL, serve_http, gateway);
    if (!error && gateway->tls)
        error = -pthread_create(&thread, NULL, serve_tls, gateway);
    return error;
}

/* What is wrong with a file has been said. */
static int check(const struct options *options)
{
    static struct certificates *certificates;

    if (!options->tls)
        return EXIT_SUCCESS;
    if (certificates_create(&certificates, &options->certificates))
        return EXIT_FAILURE;
    return certificates_context(certificates) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct options options;
    struct gateway gateway = {0};
    int error;

    log_set_name("saddle-control");
    options_parse(&options, argc, argv);
    if (options.check)
        return check(&options);
    error = sandbox_enter(LINK_FD);
    if (!error)
        error = start(&gateway, &options);
    if (!error)
        error = start_threads(&gateway);
    if (!error)
        error = loop(&gateway);
    /* The daemon has ended, and with it every call. The core's threads still run. */
    if (error == -EPIPE)
        _exit(EXIT_SUCCESS);
    if (error == -ENOTSOCK)
        log_line(LOG_ERROR, "there is no link at descriptor %d: saddled starts this", LINK_FD);
    else
        log_line(LOG_ERROR, "%s", strerror(-error));
    _exit(EXIT_FAILURE);
}
