/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections between two applications, on hosts alpha and beta of one daemon, in one thread.
 *
 *     crowd SOCKET CONNECTIONS
 *
 * Connection number i (from 0) has carried i % 4 messages from alpha to beta, and one back if i is
 * even. Beta exposes REGION bytes for reading, and alpha has read a quarter of them, READS times;
 * it listens for "crowd" and for "nobody's". Prints "ready"; then for each line on standard input,
 * a number, opens so many connections, which carry nothing, or closes so many of the last, and
 * prints "done". Ends in order at the end of input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS     60000 /* for one event; far above what a busy machine takes */
#define CONNECTIONS_MAX 4000
#define REGION          12000u
#define READS           5
#define MESSAGE_BYTES   100u
#define LINE_BYTES      32

struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connections[CONNECTIONS_MAX];
    uint8_t *memory;
};

static struct side left, right;
static int count;

static void require(int ok, const char *what, long result)
{
    if (ok)
        return;
    fprintf(stderr, "crowd: %s: %ld (%s)\n", what, result, saddle_strerror(NULL));
    exit(1);
}

static void attach(struct side *side, const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .application = "crowd"};
    int error = saddle_attach(&side->session, &options, NULL, 0);

    require(error == 0, "attach", error);
    side->channel = saddle_channel(side->session, 0);
    side->memory = saddle_alloc(side->session, REGION);
    require(side->memory != NULL, "alloc", 0);
}

/* The next event, of this kind and status 0. */
static struct saddle_completion await(struct side *side, uint8_t kind, const char *what)
{
    struct saddle_completion event = {0};
    int ready;

    saddle_flush(side->channel);
    ready = saddle_wait(side->channel, PATIENCE_MS);
    require(ready == 1, what, ready);
    require(saddle_poll(side->channel, &event, 1) == 1, what, 0);
    require(event.kind == kind, what, event.kind);
    require(event.status == 0, what, event.status);
    return event;
}

static void listen_for(const char *service)
{
    int error = saddle_listen(right.channel, service, NULL);

    require(error == 0, "listen", error);
    await(&right, SADDLE_DONE, "listening");
}

static void open_one(void)
{
    int error = saddle_connect(left.channel, "beta", "crowd", NULL);

    require(error == 0 && count < CONNECTIONS_MAX, "connect", error);
    saddle_flush(left.channel);
    right.connections[count] = await(&right, SADDLE_INCOMING, "incoming").handle;
    error = saddle_accept(right.channel, right.connections[count], NULL);
    require(error == 0, "accept", error);
    await(&right, SADDLE_DONE, "accepted");
    left.connections[count] = await(&left, SADDLE_DONE, "connected").handle;
    count++;
}

static void close_one(void)
{
    int error;

    count--;
    error = saddle_close(left.channel, left.connections[count], NULL);
    require(error == 0, "close", error);
    saddle_flush(left.channel);
    await(&right, SADDLE_CLOSED, "closed by the other");
    error = saddle_close(right.channel, right.connections[count], NULL);
    require(error == 0, "close too", error);
    await(&right, SADDLE_DONE, "closed too");
    await(&left, SADDLE_DONE, "closed");
}

static void send_one(struct side *from, struct side *to, int index)
{
    struct saddle_completion event;
    int error =
        saddle_send(from->channel, from->connections[index], from->memory, MESSAGE_BYTES, NULL);

    require(error == 0, "send", error);
    saddle_flush(from->channel);
    event = await(to, SADDLE_MESSAGE, "message");
    require(event.len == MESSAGE_BYTES, "length", (long)event.len);
    error = saddle_release(to->channel, &event);
    require(error == 0, "release", error);
    saddle_flush(to->channel);
    await(from, SADDLE_DONE, "sent");
}

static void use_memory(void)
{
    int error = saddle_expose(right.channel, right.memory, REGION, SADDLE_READABLE, NULL);
    saddle_key key;

    require(error == 0, "expose", error);
    key = await(&right, SADDLE_DONE, "exposed").value;
    for (int i = 0; i < READS; i++) {
        error =
            saddle_read(left.channel, left.connections[0], key, 0, left.memory, REGION / 4, NULL);
        require(error == 0, "read", error);
        await(&left, SADDLE_DONE, "done reading");
    }
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];

    if (argc != 3)
        return 2;
    attach(&left, argv[1], "alpha");
    attach(&right, argv[1], "beta");
    listen_for("crowd");
    listen_for("nobody's");
    for (int i = 0; i < atoi(argv[2]); i++) {
        open_one();
        for (int j = 0; j < i % 4; j++)
            send_one(&left, &right, i);
        if (i % 2 == 0)
            send_one(&right, &left, i);
    }
    use_memory();
    say("ready");
    while (fgets(line, sizeof(line), stdin)) {
        int change = atoi(line);

        for (; change > 0; change--)
            open_one();
        for (; change < 0; change++)
            close_one();
        say("done");
    }
    saddle_detach(left.session);
    saddle_detach(right.session);
    return 0;
}
