/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The victim: two well-behaved applications of libsaddle in one thread, on two hosts, that exchange
 * messages and read each other's memory without a pause, and compare every byte. Whatever others do
 * beside them, they are to see no error and no wrong byte.
 *
 * victim --socket PATH: prints "ready"; for each line on standard input, the number of exchanges so
 * far, one more at least than at the line before; ends in order at the end of input. Any error,
 * difference or standstill ends it with a line on standard error.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define SERVICE     "victim"
#define PATIENCE_MS 30000  /* no exchange takes that long, however busy the machine */
#define EAGER       16384u /* a longer message needs a posted buffer */
#define LARGE       (200u << 10)
#define REGION      (64u << 10)
#define READ_EVERY  4u
#define REASON      256

/* One of the two applications. */
struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint8_t *buffer; /* LARGE bytes */
    uint8_t *region; /* REGION bytes */
    struct saddle_completion last;
};

static struct side left, right;
static uint64_t exchanges;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "victim: exchange %llu: ", (unsigned long long)exchanges);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static void must(int result, const char *what)
{
    if (result < 0)
        die("%s: %s", what, strerror(-result));
}

static bool take(struct side *side)
{
    int count = saddle_poll(side->channel, &side->last, 1);

    must(count, "poll");
    return count == 1;
}

/* Waits for the next event of one side, with both awake. */
static void await(struct side *side)
{
    while (!take(side)) {
        struct pollfd fd = {.fd = saddle_fd(side->channel), .events = POLLIN};
        int waiting = saddle_arm(side->channel);

        must(waiting, "arm");
        if (!waiting && poll(&fd, 1, PATIENCE_MS) == 0)
            die("nothing happens");
        saddle_disarm(side->channel);
    }
}

static void await_kind(struct side *side, uint8_t kind, const char *what)
{
    await(side);
    if (side->last.kind != kind || side->last.status)
        die("%s: event %u, %s", what, side->last.kind, strerror(-side->last.status));
}

static void attach(struct side *side, const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .application = "victim"};
    char reason[REASON] = "";

    if (saddle_attach(&side->session, &options, reason, sizeof(reason)))
        die("attach: %s", reason);
    side->channel = saddle_channel(side->session, 0);
    side->buffer = saddle_alloc(side->session, LARGE);
    side->region = saddle_alloc(side->session, REGION);
    if (!side->buffer || !side->region)
        die("out of arena memory");
}

static void join(void)
{
    struct saddle_completion incoming;

    must(saddle_listen(right.channel, SERVICE, NULL), "listen");
    await_kind(&right, SADDLE_DONE, "listen");
    must(saddle_connect(left.channel, "beta", SERVICE, NULL), "connect");
    must(saddle_flush(left.channel), "flush");
    await_kind(&right, SADDLE_INCOMING, "incoming");
    incoming = right.last;
    right.connection = incoming.handle;
    must(saddle_accept(right.channel, incoming.handle, NULL), "accept");
    await_kind(&right, SADDLE_DONE, "accept");
    await_kind(&left, SADDLE_DONE, "connect");
    left.connection = left.last.handle;
}

static uint8_t pattern(uint64_t round, size_t index)
{
    return (uint8_t)(round * 31 + index * 7 + (index >> 8));
}

static void compare(const uint8_t *bytes, size_t length, uint64_t round)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != pattern(round, i))
            die("byte %zu of %zu is wrong", i, length);
    }
}

/* A message from one side to the other. */
static void exchange(struct side *from, struct side *to)
{
    static const size_t sizes[] = {1, 8, 64, 65, 1000, 4096, 16384, 16385, LARGE};
    size_t size = sizes[exchanges % (sizeof(sizes) / sizeof(sizes[0]))];
    bool large = size > EAGER;

    for (size_t i = 0; i < size; i++)
        from->buffer[i] = pattern(exchanges, i);
    if (large) {
        memset(to->buffer, 0, size);
        must(saddle_post_recv(to->channel, to->connection, to->buffer, LARGE, NULL), "post");
        must(saddle_flush(to->channel), "flush");
    }
    must(saddle_send(from->channel, from->connection, from->buffer, size, NULL), "send");
    must(saddle_flush(from->channel), "flush");
    await_kind(to, large ? SADDLE_DONE : SADDLE_MESSAGE, "receive");
    if (to->last.len != size)
        die("%zu bytes came of %zu", to->last.len, size);
    compare(large ? to->buffer : to->last.data, size, exchanges);
    if (!large)
        must(saddle_release(to->channel, &to->last), "release");
    must(saddle_flush(to->channel), "flush");
    await_kind(from, SADDLE_DONE, "send");
}

static void read_region(saddle_key key)
{
    size_t length = 1 + exchanges * 97 % LARGE % REGION;
    size_t offset = exchanges * 131 % (REGION - length + 1);

    memset(left.buffer, 0, length);
    must(saddle_read(left.channel, left.connection, key, offset, left.buffer, length, NULL),
         "read");
    await_kind(&left, SADDLE_DONE, "read");
    if (memcmp(left.buffer, right.region + offset, length) != 0)
        die("a read of %zu bytes differs", length);
}

/* True once standard input has ended. */
static bool asked(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    if (poll(&input, 1, 0) <= 0)
        return false;
    if (read(STDIN_FILENO, &byte, 1) != 1)
        return true;
    printf("%llu\n", (unsigned long long)exchanges);
    fflush(stdout);
    return false;
}

int main(int argc, char **argv)
{
    saddle_key key;

    if (argc != 3 || strcmp(argv[1], "--socket") != 0)
        die("usage: victim --socket PATH");
    attach(&left, argv[2], "alpha");
    attach(&right, argv[2], "beta");
    join();
    for (size_t i = 0; i < REGION; i++)
        right.region[i] = pattern(1, i);
    must(saddle_expose(right.channel, right.region, REGION, SADDLE_READABLE, NULL), "expose");
    await_kind(&right, SADDLE_DONE, "expose");
    key = right.last.value;
    puts("ready");
    fflush(stdout);
    while (!asked()) {
        exchange(exchanges % 2 ? &left : &right, exchanges % 2 ? &right : &left);
        if (exchanges % READ_EVERY == 0)
            read_region(key);
        exchanges++;
    }
    saddle_detach(left.session);
    saddle_detach(right.session);
    return EXIT_SUCCESS;
}
