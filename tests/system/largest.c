/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Large operations between two hosts of one daemon: a message, one that is gathered, a write and a
 * read of more than 64 MiB each arrive whole; what no offset can name is refused, and what nobody
 * has posted a buffer for can be cancelled. One thread plays both applications.
 *
 * usage: largest SOCKET
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/abi.h>
#include <saddle/saddle.h>

#define PATIENCE_MS 60000             /* for one event; far above what a busy machine takes */
#define LARGE_BYTES ((96u << 20) + 1) /* more than the 64 MiB that older daemons take */
#define HEAP_BYTES  ((2ull * LARGE_BYTES) + (1u << 20))
#define PIECES      7u

struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint8_t *out, *in;
};

static struct side left, right;

static void require(int ok, const char *what, long result)
{
    if (ok)
        return;
    printf("largest: %s: %ld (%s)\n", what, result, saddle_strerror(NULL));
    exit(1);
}

static void attach(struct side *side, const char *socket, const char *engine)
{
    struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .heap_bytes = HEAP_BYTES};
    int error = saddle_attach(&side->session, &options, NULL, 0);

    require(error == 0, "attach", error);
    side->channel = saddle_channel(side->session, 0);
    side->out = saddle_alloc(side->session, LARGE_BYTES);
    side->in = saddle_alloc(side->session, LARGE_BYTES);
    require(side->out && side->in, "alloc", 0);
}

/* A byte that tells its place; 251 is prime, so no power of two repeats it. */
static void fill(uint8_t *memory, uint8_t start)
{
    for (uint32_t at = 0; at < LARGE_BYTES; at++)
        memory[at] = (uint8_t)(start + at % 251);
}

/* Waits for an event of this kind and status 0 on a side, passing over others. */
static struct saddle_completion await(struct side *side, uint8_t kind, const char *what)
{
    struct saddle_completion event = {0};

    do {
        int ready = saddle_wait(side->channel, PATIENCE_MS);

        require(ready == 1, what, ready);
        require(saddle_poll(side->channel, &event, 1) == 1, what, 0);
        require(event.status == 0, what, event.status);
    } while (event.kind != kind);
    return event;
}

static void connect_both(void)
{
    saddle_handle listener;
    int error = saddle_listen_wait(right.channel, "largest", PATIENCE_MS, &listener);

    require(error == 0, "listen", error);
    error = saddle_connect(left.channel, "beta", "largest", NULL);
    require(error == 0, "connect", error);
    saddle_flush(left.channel);
    right.connection = await(&right, SADDLE_INCOMING, "incoming").handle;
    error = saddle_accept(right.channel, right.connection, NULL);
    require(error == 0, "accept", error);
    await(&right, SADDLE_DONE, "accepted");
    left.connection = await(&left, SADDLE_DONE, "connected").handle;
}

static int send_gathered(void)
{
    struct saddle_segment pieces[PIECES];
    uint8_t *at = left.out;
    size_t rest = LARGE_BYTES;

    for (uint32_t i = 0; i < PIECES; i++) {
        pieces[i].data = at;
        pieces[i].len = i == PIECES - 1 ? rest : rest / 3;
        at += pieces[i].len;
        rest -= pieces[i].len;
    }
    return saddle_sendv(left.channel, left.connection, pieces, PIECES, NULL);
}

static void send_largest(bool gathered)
{
    fill(left.out, gathered);
    memset(right.in, 0, LARGE_BYTES);
    int error = saddle_post_recv(right.channel, right.connection, right.in, LARGE_BYTES, NULL);

    require(error == 0, "post", error);
    saddle_flush(right.channel);
    error = gathered ? send_gathered()
                     : saddle_send(left.channel, left.connection, left.out, LARGE_BYTES, NULL);
    require(error == 0, "send", error);
    saddle_flush(left.channel);
    struct saddle_completion event = await(&right, SADDLE_DONE, "received");
    require(event.len == LARGE_BYTES, "length", (long)event.len);
    await(&left, SADDLE_DONE, "sent");
    require(memcmp(left.out, right.in, LARGE_BYTES) == 0, "message differs", 0);
}

static void send_too_much(void)
{
    struct saddle_completion event;
    int error = saddle_send(left.channel, left.connection, left.out, 1ull << 32, NULL);

    require(error == -EINVAL, "more than an offset can name", error);
    error = saddle_send(right.channel, right.connection, right.out, LARGE_BYTES, NULL);
    require(error == 0, "send to nobody", error);
    error = saddle_cancel(right.channel, 0, NULL);
    require(error == 0, "cancel", error);
    saddle_flush(right.channel);
    for (int i = 0; i < 2; i++) {
        require(saddle_wait(right.channel, PATIENCE_MS) == 1, "cancelled", i);
        require(saddle_poll(right.channel, &event, 1) == 1, "cancelled", i);
        if (event.op == SADDLE_CMD_SEND)
            require(event.status == -ECANCELED, "cancelled", event.status);
        else
            require(event.value == 1, "operations cancelled", (long)event.value);
    }
}

static void access_largest(void)
{
    int error = saddle_expose(right.channel, right.in, LARGE_BYTES,
                              SADDLE_READABLE | SADDLE_WRITABLE, NULL);

    require(error == 0, "expose", error);
    saddle_key key = await(&right, SADDLE_DONE, "exposed").value;
    fill(left.out, 2);
    error = saddle_write(left.channel, left.connection, key, 0, left.out, LARGE_BYTES, NULL);
    require(error == 0, "write", error);
    await(&left, SADDLE_DONE, "written");
    require(memcmp(left.out, right.in, LARGE_BYTES) == 0, "written bytes differ", 0);
    fill(right.in, 3);
    error = saddle_read(left.channel, left.connection, key, 0, left.in, LARGE_BYTES, NULL);
    require(error == 0, "read", error);
    await(&left, SADDLE_DONE, "read");
    require(memcmp(left.in, right.in, LARGE_BYTES) == 0, "read bytes differ", 0);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    attach(&left, argv[1], "alpha");
    attach(&right, argv[1], "beta");
    connect_both();
    send_largest(false);
    send_largest(true);
    access_largest();
    send_too_much();
    saddle_detach(left.session);
    saddle_detach(right.session);
    puts("ok");
    return 0;
}
