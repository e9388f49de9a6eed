/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application that does what it is told on standard input, a line for each thing, and says on
 * standard output what came of it: "what: 0", or "what: errno name: explanation".
 *
 *     listen SERVICE    connect HOST SERVICE    expose BYTES    ping HOST
 *     accept            send                    receive
 *
 * The last listener accepts, and the last connection, called or accepted, is sent and received on.
 *
 * rights-client SOCKET ENGINE [HEAP_BYTES]: an attach that fails is told alike and ends it with
 * status 3. Once attached it says "attach: 0".
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS    30000
#define LINE_BYTES     256
#define WORDS_MAX      3
#define REASON_BYTES   256
#define EXIT_NO_ATTACH 3

static struct saddle_session *session;
static struct saddle_channel *channel;
static saddle_handle listener, connection;

static void say(const char *what, int error, const char *explanation)
{
    if (error == 0)
        printf("%s: 0\n", what);
    else
        printf("%s: %s: %s\n", what, strerrorname_np(-error), explanation);
    fflush(stdout);
}

static void attach(const char *socket, const char *engine, uint64_t heap_bytes)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .heap_bytes = heap_bytes};
    char reason[REASON_BYTES] = "";
    int error = saddle_attach(&session, &options, reason, sizeof(reason));

    say("attach", error, reason);
    if (error)
        exit(EXIT_NO_ATTACH);
    channel = saddle_channel(session, 0);
}

/* The outcome of the operation with this tag; other events are for the calls that wait. */
static int await(uint64_t tag)
{
    struct saddle_completion event;

    for (;;) {
        int count = saddle_poll(channel, &event, 1);

        if (count == 1 && event.kind == SADDLE_DONE && event.tag == tag)
            return event.status;
        if (count < 0 || (count == 0 && saddle_wait(channel, PATIENCE_MS) <= 0))
            return -ETIMEDOUT;
    }
}

static int expose(size_t bytes)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = 1};
    void *memory = saddle_alloc(session, bytes);
    int error = memory ? saddle_expose(channel, memory, bytes, SADDLE_READABLE, &op) : -ENOMEM;

    return error ? error : await(op.tag);
}

static int receive(void)
{
    char bytes[sizeof("hello")];
    int64_t length = saddle_recv_wait(channel, connection, bytes, sizeof(bytes), PATIENCE_MS);

    return length < 0 ? (int)length : length == sizeof(bytes) ? 0 : -EMSGSIZE;
}

/* Asks for a handle; the one before is kept if there is none. */
static int obtain(char *const words[WORDS_MAX])
{
    bool listens = !strcmp(words[0], "listen");
    saddle_handle made;
    int error;

    if (listens)
        error = saddle_listen_wait(channel, words[1], PATIENCE_MS, &made);
    else if (!strcmp(words[0], "accept"))
        error = saddle_accept_wait(channel, listener, PATIENCE_MS, &made);
    else
        error = saddle_connect_wait(channel, words[1], words[2], PATIENCE_MS, &made);
    if (!error)
        *(listens ? &listener : &connection) = made;
    return error;
}

static int perform(char *const words[WORDS_MAX])
{
    const char *what = words[0];

    if (!strcmp(what, "listen") || !strcmp(what, "accept") || !strcmp(what, "connect"))
        return obtain(words);
    if (!strcmp(what, "expose"))
        return expose(strtoul(words[1], NULL, 10));
    if (!strcmp(what, "ping"))
        return saddle_ping_wait(channel, words[1], 0, PATIENCE_MS, NULL);
    if (!strcmp(what, "send"))
        return saddle_send_wait(channel, connection, "hello", sizeof("hello"), PATIENCE_MS);
    if (!strcmp(what, "receive"))
        return receive();
    fprintf(stderr, "rights-client: \"%s\"?\n", what);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];

    if (argc != 3 && argc != 4)
        return EXIT_FAILURE;
    attach(argv[1], argv[2], argc == 4 ? strtoull(argv[3], NULL, 10) : 0);
    while (fgets(line, sizeof(line), stdin)) {
        char empty[] = "";
        char *words[WORDS_MAX] = {empty, empty, empty};
        char *rest = line;
        int error;

        for (int i = 0; i < WORDS_MAX; i++) {
            char *word = strsep(&rest, " \n");

            words[i] = word ? word : empty;
        }
        error = perform(words);
        say(words[0], error, saddle_strerror(session));
    }
    saddle_detach(session);
    return EXIT_SUCCESS;
}
