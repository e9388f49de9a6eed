/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo. `echo SERVICE` sends every message back to whom it came from, for any number of callers;
 * `echo HOST SERVICE WORD...` sends each word, waits for it to come back and prints it.
 *
 * The server shows the event loop, the client the blocking calls.
 */
#include <stdio.h>
#include <string.h>

#include <saddle/saddle.h>

#define EVENTS     16    /* taken at a time */
#define EAGER_MAX  16384 /* bytes of the longest message that needs no posted buffer */
#define TIMEOUT_MS 5000

static int fail(const struct saddle_session *session, const char *what)
{
    fprintf(stderr, "echo: %s: %s\n", what, saddle_strerror(session));
    return 1;
}

static int answer(struct saddle_channel *channel, const struct saddle_completion *event)
{
    int error;

    switch (event->kind) {
    case SADDLE_INCOMING:
        return saddle_accept(channel, event->handle, NULL);
    case SADDLE_MESSAGE:
        /* Copies, so that the message can be released at once. Events that arrive while this waits
         * are kept for the next saddle_poll. */
        error = saddle_send_wait(channel, event->handle, event->data, event->len, TIMEOUT_MS);
        saddle_release(channel, event);
        return error;
    case SADDLE_WAITING: /* a message that is too long for this server */
    case SADDLE_CLOSED:
        return saddle_close(channel, event->handle, NULL);
    default: /* the completion of an accept or close */
        return event->status;
    }
}

static int serve(struct saddle_session *session, const char *service)
{
    struct saddle_channel *channel = saddle_channel(session, 0);
    struct saddle_completion events[EVENTS];
    saddle_handle listener;

    if (saddle_listen_wait(channel, service, TIMEOUT_MS, &listener) != 0)
        return fail(session, "listening");
    for (;;) {
        int count = saddle_poll(channel, events, EVENTS);

        if (count == 0 && saddle_wait(channel, -1) >= 0)
            continue;
        if (count <= 0)
            return fail(session, "waiting");
        for (int at = 0; at < count; at++) {
            /* What goes wrong with one caller is no reason to leave the others. */
            if (answer(channel, &events[at]) != 0 && saddle_status(session) == 0)
                fail(session, "one caller");
        }
    }
}

static int call(struct saddle_session *session, char **words)
{
    struct saddle_channel *channel = saddle_channel(session, 0);
    char bytes[EAGER_MAX];
    saddle_handle server;

    if (saddle_connect_wait(channel, words[0], words[1], TIMEOUT_MS, &server) != 0)
        return fail(session, "calling");
    for (char **word = words + 2; *word; word++) {
        size_t len = strnlen(*word, sizeof(bytes));
        int64_t back;

        if (saddle_send_wait(channel, server, *word, len, TIMEOUT_MS) != 0)
            return fail(session, "sending");
        back = saddle_recv_wait(channel, server, bytes, sizeof(bytes), TIMEOUT_MS);
        if (back < 0)
            return fail(session, "receiving");
        printf("%.*s\n", (int)back, bytes);
        if ((size_t)back != len || memcmp(*word, bytes, len) != 0)
            return fprintf(stderr, "echo: that is not what was sent\n"), 1;
    }
    return saddle_close_wait(channel, server, TIMEOUT_MS) == 0 ? 0 : fail(session, "closing");
}

int main(int argc, char **argv)
{
    struct saddle_session *session;
    char reason[200];
    int status;

    if (argc != 2 && argc < 4)
        return fprintf(stderr, "usage: echo SERVICE | echo HOST SERVICE WORD...\n"), 2;
    if (saddle_attach(&session, NULL, reason, sizeof(reason)) != 0)
        return fprintf(stderr, "echo: %s\n", reason), 1;
    status = argc == 2 ? serve(session, argv[1]) : call(session, argv + 1);
    saddle_detach(session);
    return status;
}
