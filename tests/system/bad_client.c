/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application that asks for what it cannot have, and prints what it is told: one line for each
 * attempt, "attempt: errno name: explanation".
 *
 * bad_client --socket PATH: an attach that fails is printed alike and ends it with
 * status 3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS    30000
#define REGION         4096u
#define REASON_BYTES   256
#define EXIT_NO_ATTACH 3

static struct saddle_session *caller, *callee;

static void say(const char *attempt, int status, const char *explanation)
{
    printf("%s: %s: %s\n", attempt, strerrorname_np(-status), explanation);
}

static struct saddle_session *attach(const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = socket,
                                                  .engine = engine};
    struct saddle_session *session;
    char reason[REASON_BYTES] = "";
    int error = saddle_attach(&session, &options, reason, sizeof(reason));

    if (error) {
        say("attach", error, reason);
        exit(EXIT_NO_ATTACH);
    }
    return session;
}

static void try_connect(const char *host, const char *service)
{
    saddle_handle connection;
    int error =
        saddle_connect_wait(saddle_channel(caller, 0), host, service, PATIENCE_MS, &connection);

    say("connect", error, saddle_strerror(caller));
}

/* The completion that comes next on a channel. */
static struct saddle_completion await(struct saddle_session *session)
{
    struct saddle_channel *channel = saddle_channel(session, 0);
    struct saddle_completion completion;

    while (saddle_poll(channel, &completion, 1) == 0) {
        if (saddle_wait(channel, PATIENCE_MS) <= 0) {
            fprintf(stderr, "nothing happens: %s\n", saddle_strerror(session));
            exit(EXIT_FAILURE);
        }
    }
    return completion;
}

static saddle_handle join(void)
{
    struct saddle_channel *from = saddle_channel(caller, 0), *to = saddle_channel(callee, 0);
    saddle_handle listener;
    struct saddle_completion incoming;

    if (saddle_listen_wait(to, "bad", PATIENCE_MS, &listener) ||
        saddle_connect(from, "beta", "bad", NULL) || saddle_flush(from))
        exit(EXIT_FAILURE);
    incoming = await(callee);
    if (incoming.kind != SADDLE_INCOMING || saddle_accept(to, incoming.handle, NULL) ||
        saddle_flush(to))
        exit(EXIT_FAILURE);
    return await(caller).handle;
}

static void try_regions(void)
{
    saddle_handle connection = join();
    struct saddle_channel *from = saddle_channel(caller, 0);
    uint8_t *buffer = saddle_alloc(caller, 2 * REGION);
    uint8_t *region = saddle_alloc(callee, REGION);
    struct saddle_completion done;
    saddle_key key;

    await(callee); /* the accepting */
    if (saddle_expose(saddle_channel(callee, 0), region, REGION, SADDLE_READABLE, NULL))
        exit(EXIT_FAILURE);
    done = await(callee);
    key = done.value;
    saddle_read(from, connection, key, 1, buffer, REGION, NULL);
    say("read outside", await(caller).status, "");
    saddle_read(from, connection, key, UINT64_MAX, buffer, 1, NULL);
    say("read far outside", await(caller).status, "");
    saddle_read(from, connection, key + 1, 0, buffer, REGION, NULL);
    say("read without key", await(caller).status, "");
    saddle_write(from, connection, key, 0, buffer, REGION, NULL);
    say("write without right", await(caller).status, "");
    saddle_read(from, connection, key, 0, buffer, REGION, NULL);
    printf("read inside: %d\n", await(caller).status);
}

int main(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[1], "--socket") != 0)
        return EXIT_FAILURE;
    caller = attach(argv[2], "alpha");
    callee = attach(argv[2], "beta");
    try_connect("beta", "nobody-listens");
    try_connect("no-such-host", "service");
    try_connect("10.99.0.1", "service");
    try_regions();
    saddle_detach(caller);
    saddle_detach(callee);
    return EXIT_SUCCESS;
}
