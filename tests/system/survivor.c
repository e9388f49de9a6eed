/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application whose peers' daemon may go and come: it keeps its session, and calls again.
 *
 *     survivor --socket PATH --service NAME                  takes what callers send, one at a time
 *     survivor --socket PATH --service NAME --host ADDRESS   calls, sends without a pause, and
 * calls again when the connection ends
 *
 * Prints "ready" once attached; the caller also "connected" for each connection, and "ended ERROR"
 * when it has ended; the other one "lost ERROR" for each connection that did not end in order. Ends
 * at the end of input, and with a line on standard error when its session does. With --again the
 * caller attaches again then: it prints "over ERROR", "refused ERROR" while there is nobody
 * to attach to, once for each other ERROR, and "ready".
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

#define TRY_MS     1000 /* one call */
#define MESSAGE_MS 30000
#define ATTACH_MS  60000 /* however long the next daemon takes to start */
#define NAP_MS     10    /* between two calls */
#define BYTES      3000u /* of a message: more than one packet of the default size */

static struct saddle_session *session;
static struct saddle_channel *channel;
static bool again;

static void __attribute__((noreturn)) die(const char *what, int error)
{
    fprintf(stderr, "survivor: %s: %s\n", what, strerror(-error));
    exit(EXIT_FAILURE);
}

static bool input_ended(int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, wait_ms) > 0;
}

/* Failures of a call are the peer's, as long as the session lives. */
static bool session_lives(void)
{
    int error = saddle_status(session);

    if (error && !again)
        die("the session", error);
    return !error;
}

static void attach_again(const struct saddle_attach_options *options)
{
    int error = 0, last = 0;

    printf("over %s\n", strerrorname_np(-saddle_status(session)));
    saddle_detach(session);
    do {
        error = saddle_attach(&session, options, NULL, 0);
        if (error && error != last)
            printf("refused %s\n", strerrorname_np(-error));
        last = error;
    } while (error && !input_ended(NAP_MS));
    if (error)
        die("attach", error);
    channel = saddle_channel(session, 0);
    printf("ready\n");
}

static void call_once(const char *host, const char *service)
{
    static uint8_t bytes[BYTES];
    saddle_handle connection;
    int error = saddle_connect_wait(channel, host, service, TRY_MS, &connection);

    if (!session_lives() || error)
        return;
    printf("connected\n");
    while (!error && !input_ended(0))
        error = saddle_send_wait(channel, connection, bytes, sizeof(bytes), MESSAGE_MS);
    if (!session_lives())
        return;
    printf("ended %s\n", strerrorname_np(-error));
    saddle_close_wait(channel, connection, TRY_MS);
}

static void serve(const char *service)
{
    static uint8_t bytes[BYTES];
    saddle_handle listener, connection;
    int error = saddle_listen_wait(channel, service, -1, &listener);
    int64_t got;

    if (error)
        die("listen", error);
    while (!input_ended(0)) {
        if (saddle_accept_wait(channel, listener, TRY_MS, &connection) != 0) {
            session_lives();
            continue;
        }
        do {
            got = saddle_recv_wait(channel, connection, bytes, sizeof(bytes), MESSAGE_MS);
        } while (got > 0);
        session_lives();
        if (got < 0)
            printf("lost %s\n", strerrorname_np((int)-got));
        saddle_close_wait(channel, connection, TRY_MS);
    }
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"service", required_argument, NULL, 'n'},
                                          {"host", required_argument, NULL, 'h'},
                                          {"again", no_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    struct saddle_attach_options options = {.size = sizeof(options), .timeout_ms = ATTACH_MS};
    const char *host = NULL, *service = NULL;
    int option, error;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'n')
            service = optarg;
        else if (option == 'h')
            host = optarg;
        else if (option == 'a')
            again = true;
    }
    if (!options.socket || !service)
        die("socket and service", -EINVAL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    error = saddle_attach(&session, &options, NULL, 0);
    if (error)
        die("attach", error);
    channel = saddle_channel(session, 0);
    printf("ready\n");
    if (!host)
        serve(service);
    while (host && !input_ended(NAP_MS)) {
        call_once(host, service);
        if (!session_lives())
            attach_again(&options);
    }
    saddle_detach(session);
    return EXIT_SUCCESS;
}
