/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-control: the process that speaks gRPC on behalf of saddled, which starts it. It holds no
 * capability and knows no message; when it ends, calls end with it, and nothing else. See
 * saddle-control(8).
 */
#include "control/gateway/access.h"
#include "control/gateway/calls.h"
#include "control/gateway/core.h"
#include "control/gateway/sandbox.h"
#include "control/log.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define EXIT_USAGE  2
#define EVENTS_MAX  4
#define ACCEPTS_MAX 16 /* of a wake-up: calls go on meanwhile */

struct gateway {
    struct access *access;
    struct calls *calls;
    struct core *core;
    int epoll_fd;
};

static void print_help(void)
{
    printf(
        "usage: saddle-control [OPTION]...\n\n"
        "Speaks gRPC for saddled, which starts it with the link at descriptor %d and the control\n"
        "socket at descriptor %d. Of no use without it.\n\n"
        "  --observe WHO   may look: uid:N, gid:N or any; may be given again\n"
        "  --operate WHO   may change things as well\n"
        "  --cpus LIST     run there alone (0-2,5)\n"
        "  --help          print this and exit\n"
        "  --version       print the version and exit\n\n"
        "Root and the user it runs as may operate. Manual: saddle-control(8).\n",
        LINK_FD, LINK_LISTEN_FD);
}

static void __attribute__((noreturn)) usage(const char *option, const char *value)
{
    fprintf(stderr, "saddle-control: %s: \"%s\" is wrong\nTry: saddle-control --help\n", option,
            value);
    exit(EXIT_USAGE);
}

static bool read_id(const char *text, uint32_t *id)
{
    unsigned long value;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    *id = (uint32_t)value;
    return !errno && !*end && value < UINT32_MAX;
}

static void add_rule(struct policy_rule *rules, uint32_t *count, const char *option,
                     const char *text)
{
    struct policy_rule rule = {.who = POLICY_ANY};

    if (!strncmp(text, "uid:", 4))
        rule.who = POLICY_UID;
    else if (!strncmp(text, "gid:", 4))
        rule.who = POLICY_GID;
    else if (strcmp(text, "any") != 0)
        usage(option, text);
    if (*count == ACCESS_RULES_MAX || (rule.who != POLICY_ANY && !read_id(text + 4, &rule.id)))
        usage(option, text);
    rules[(*count)++] = rule;
}

static void parse_options(struct access_config *config, int argc, char **argv)
{
    static const struct option table[] = {
        {"observe", required_argument, NULL, 'o'}, {"operate", required_argument, NULL, 'O'},
        {"cpus", required_argument, NULL, 'c'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0},
    };
    int value;

    while ((value = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (value == 'o') {
            add_rule(config->observe, &config->observe_count, "--observe", optarg);
        } else if (value == 'O') {
            add_rule(config->operate, &config->operate_count, "--operate", optarg);
        } else if (value == 'c') {
            if (sandbox_cpus(optarg))
                usage("--cpus", optarg);
        } else if (value == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        } else if (value == 'V') {
            printf("saddle-control %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
                   SADDLE_VERSION_PATCH);
            exit(EXIT_SUCCESS);
        } else {
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc)
        usage("argument", argv[optind]);
}

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

static void *serve(void *context)
{
    core_run(((struct gateway *)context)->core);
    return NULL;
}

static int start(struct gateway *gateway, const struct access_config *config)
{
    int error = access_create(&gateway->access, LINK_LISTEN_FD, config);

    if (!error)
        error = calls_create(&gateway->calls, (struct link){LINK_FD}, gateway->access);
    if (!error)
        error = core_create(&gateway->core, &calls_handlers, gateway->calls);
    gateway->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!error && gateway->epoll_fd < 0)
        error = -errno;
    if (!error)
        error = watch(gateway, LINK_FD, EPOLLIN, EPOLL_CTL_ADD);
    if (!error)
        error = watch(gateway, calls_wake_fd(gateway->calls), EPOLLIN, EPOLL_CTL_ADD);
    if (!error)
        error = watch(gateway, access_fd(gateway->access), EPOLLIN, EPOLL_CTL_ADD);
    return error;
}

int main(int argc, char **argv)
{
    struct access_config config = {.owner = geteuid()};
    struct gateway gateway = {0};
    pthread_t thread;
    int error;

    log_set_name("saddle-control");
    parse_options(&config, argc, argv);
    error = sandbox_enter(LINK_FD);
    if (!error)
        error = start(&gateway, &config);
    if (!error)
        error = -pthread_create(&thread, NULL, serve, &gateway);
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
