/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-cat: standard input here to standard output there. See saddle-cat(1).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define CHUNK_BYTES    16384u /* of one message: the most that needs no posted buffer */
#define CHUNKS         64u    /* on their way at a time */
#define EVENTS         32     /* taken at a time */
#define MS_PER_S       1000
#define TIMEOUT_S      10 /* until the other host answers */
#define TIMEOUT_S_MAX  86400
#define EXIT_USAGE     2
#define EXIT_UNREACHED 3

struct cat {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle peer;
    const char *socket;
    const char *engine;
    bool listen;
    int timeout_ms;
};

static void usage(FILE *to)
{
    fputs("usage: saddle-cat [OPTION]... --listen SERVICE\n"
          "       saddle-cat [OPTION]... HOST SERVICE\n"
          "\n"
          "Sends standard input to HOST, where a saddle-cat that listens for SERVICE writes it to\n"
          "its standard output.\n"
          "\n"
          "  -l, --listen           receive from the first that calls\n"
          "  -e, --engine NAME      use this engine of the daemon (default: $SADDLE_ENGINE, else\n"
          "                         the first)\n"
          "  -s, --socket PATH      attach here (default: $SADDLE_SOCKET, else\n"
          "                         /run/saddle/attach.sock)\n"
          "  -t, --timeout SECONDS  wait so long for HOST to answer (default: 10)\n"
          "  -h, --help             show this\n"
          "      --version          show the version\n"
          "\n"
          "Exit status: 0 all was delivered, 1 the connection or a file failed, 2 wrong usage,\n"
          "3 the daemon, the host or the service cannot be reached.\n",
          to);
}

static void fail(const struct cat *cat, int status, const char *what)
{
    fprintf(stderr, "saddle-cat: %s: %s\n", what, saddle_strerror(cat->session));
    exit(status);
}

static void fail_with(const char *what, int error)
{
    fprintf(stderr, "saddle-cat: %s: %s\n", what, strerror(error));
    exit(EXIT_FAILURE);
}

static void wrong_usage(const char *what, const char *word)
{
    fprintf(stderr, "saddle-cat: %s%s\n", what, word);
    usage(stderr);
    exit(EXIT_USAGE);
}

static int parse_timeout(const char *word)
{
    char *end;
    long seconds = strtol(word, &end, 10);

    if (*word == '\0' || *end != '\0' || seconds < 1 || seconds > TIMEOUT_S_MAX)
        wrong_usage("--timeout takes a number of seconds from 1 to 86400, not ", word);
    return (int)seconds * MS_PER_S;
}

/* Reads the options: the index of the first word after them. */
static int parse(int count, char **words, struct cat *cat)
{
    static const struct option table[] = {
        {"listen", no_argument, NULL, 'l'},
        {"engine", required_argument, NULL, 'e'},
        {"socket", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(count, words, "le:s:t:h", table, NULL)) != -1) {
        switch (option) {
        case 'l':
            cat->listen = true;
            break;
        case 'e':
            cat->engine = optarg;
            break;
        case 's':
            cat->socket = optarg;
            break;
        case 't':
            cat->timeout_ms = parse_timeout(optarg);
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        case 'v':
            printf("saddle-cat %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
                   SADDLE_VERSION_PATCH);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    if (count - optind != (cat->listen ? 1 : 2))
        wrong_usage(cat->listen ? "--listen takes a service" : "give a host and a service", "");
    return optind;
}

static void attach(struct cat *cat)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = cat->socket,
                                                  .engine = cat->engine,
                                                  .application = "saddle-cat"};
    char reason[512];

    if (saddle_attach(&cat->session, &options, reason, sizeof(reason)) != 0) {
        fprintf(stderr, "saddle-cat: %s\n", reason);
        exit(EXIT_UNREACHED);
    }
    cat->channel = saddle_channel(cat->session, 0);
}

/* ---- Receiving ---- */

static void answer(struct cat *cat, const char *service)
{
    saddle_handle listener;

    if (saddle_listen_wait(cat->channel, service, cat->timeout_ms, &listener) != 0)
        fail(cat, EXIT_UNREACHED, "listening");
    if (saddle_accept_wait(cat->channel, listener, -1, &cat->peer) != 0)
        fail(cat, EXIT_FAILURE, "accepting");
    if (saddle_close_wait(cat->channel, listener, -1) != 0)
        fail(cat, EXIT_FAILURE, "listening");
}

static void write_all(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t count = write(STDOUT_FILENO, bytes, len);

        if (count < 0 && errno != EINTR)
            fail_with("standard output", errno);
        if (count > 0) {
            bytes += count;
            len -= (size_t)count;
        }
    }
}

static void receive_all(struct cat *cat)
{
    struct saddle_completion events[EVENTS];

    for (;;) {
        int count = saddle_poll(cat->channel, events, EVENTS);

        if (count == 0)
            count = saddle_wait(cat->channel, -1) < 0 ? -1 : 0;
        if (count < 0)
            fail(cat, EXIT_FAILURE, "receiving");
        for (int at = 0; at < count; at++) {
            const struct saddle_completion *event = &events[at];

            if (event->handle != cat->peer)
                continue;
            if (event->kind == SADDLE_MESSAGE) {
                write_all((const uint8_t *)event->data, event->len);
                saddle_release(cat->channel, event);
            } else if (event->kind == SADDLE_CLOSED) {
                if (event->status != 0)
                    fail_with("receiving", -event->status);
                return;
            } else if (event->kind == SADDLE_WAITING) {
                fail_with("receiving", EMSGSIZE);
            }
        }
    }
}

/* ---- Sending ---- */

/* What is on its way: bit per chunk that is free. */
struct window {
    uint8_t *chunks;
    uint64_t idle;
};

/* Takes back the chunks whose messages were delivered. */
static void settle(struct cat *cat, struct window *window)
{
    struct saddle_completion events[EVENTS];
    int count = saddle_poll(cat->channel, events, EVENTS);

    if (count < 0)
        fail(cat, EXIT_FAILURE, "sending");
    for (int at = 0; at < count; at++) {
        if (events[at].kind == SADDLE_DONE && events[at].status != 0)
            fail_with("sending", -events[at].status);
        if (events[at].kind == SADDLE_DONE)
            window->idle |= 1ull << events[at].tag;
        else if (events[at].kind == SADDLE_CLOSED)
            fail_with("sending", events[at].status ? -events[at].status : EPIPE);
        else
            saddle_release(cat->channel, &events[at]);
    }
}

/* Sends what standard input has; false at its end. */
static bool send_some(struct cat *cat, struct window *window)
{
    uint32_t chunk = (uint32_t)__builtin_ctzll(window->idle);
    const struct saddle_op op = {.size = sizeof(op), .tag = chunk};
    uint8_t *bytes = window->chunks + (size_t)chunk * CHUNK_BYTES;
    ssize_t count = read(STDIN_FILENO, bytes, CHUNK_BYTES);

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (count < 0)
        fail_with("standard input", errno);
    if (count == 0)
        return false;
    if (saddle_send(cat->channel, cat->peer, bytes, (size_t)count, &op) != 0)
        fail(cat, EXIT_FAILURE, "sending");
    window->idle &= ~(1ull << chunk);
    return true;
}

static void send_all(struct cat *cat)
{
    struct window window = {.idle = UINT64_MAX};
    bool more = true;

    window.chunks = (uint8_t *)saddle_alloc(cat->session, (size_t)CHUNKS * CHUNK_BYTES);
    if (!window.chunks)
        fail(cat, EXIT_FAILURE, "memory");
    while (more || window.idle != UINT64_MAX) {
        /* Without room, or at the end, standard input is none of our business. */
        struct pollfd watched[] = {{.fd = saddle_fd(cat->channel), .events = POLLIN},
                                   {.fd = more && window.idle ? STDIN_FILENO : -1,
                                    .events = POLLIN}};
        int ready = saddle_arm(cat->channel);

        if (ready < 0)
            fail(cat, EXIT_FAILURE, "sending");
        if (ready == 0 && poll(watched, 2, -1) < 0 && errno != EINTR)
            fail_with("waiting", errno);
        saddle_disarm(cat->channel);
        if (watched[1].revents)
            more = send_some(cat, &window);
        settle(cat, &window);
    }
}

int main(int count, char **words)
{
    struct cat cat = {.timeout_ms = TIMEOUT_S * MS_PER_S};
    char **rest = words + parse(count, words, &cat);

    attach(&cat);
    if (cat.listen) {
        answer(&cat, rest[0]);
        receive_all(&cat);
    } else {
        if (saddle_connect_wait(cat.channel, rest[0], rest[1], cat.timeout_ms, &cat.peer) != 0)
            fail(&cat, EXIT_UNREACHED, rest[0]);
        send_all(&cat);
    }
    if (saddle_close_wait(cat.channel, cat.peer, -1) != 0)
        fail(&cat, EXIT_FAILURE, "closing");
    saddle_detach(cat.session);
    return EXIT_SUCCESS;
}
