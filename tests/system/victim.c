/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The victim: two well-behaved applications of libsaddle in one thread, on two hosts, that exchange
 * messages, and read and write each other's memory, hundreds of times a second, and compare every
 * byte. Whatever others do beside them, they are to see no error and no wrong byte.
 *
 *     victim --socket PATH [--other PATH] [--host ADDRESS] [--service NAME] [--eager | --idle]
 *
 * Prints "ready"; for each line on standard input, the number of exchanges so far, one more at
 * least than at the line before; ends in order at the end of input. Any error, difference or
 * standstill ends it with a line on standard error. With `other` engine beta is that daemon's;
 * alpha calls beta by its name, or at `host`. An eager one makes no pause, which takes all of the
 * processors from whatever is tested beside it. An idle one is connected, and does nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define PATIENCE_MS 30000  /* no event takes that long, however busy the machine */
#define EAGER       16384u /* a longer message needs a posted buffer */
#define LARGE       (200u << 10)
#define REGION      (64u << 10)
#define READ_EVERY  5u /* odd, so that both sides have a turn */
#define PAUSE_MS    1  /* between exchanges: somebody is tested beside these */
#define REASON      256

/* One of the two applications. */
struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint8_t *buffer; /* LARGE bytes */
    uint8_t *region; /* REGION bytes to be read, and as many to be written */
    saddle_key readable;
    saddle_key writable;
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

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until one side's doorbell or the other's rings, unless events are waiting. */
static void sleep_both(void)
{
    struct pollfd bells[] = {{.fd = saddle_fd(left.channel), .events = POLLIN},
                             {.fd = saddle_fd(right.channel), .events = POLLIN}};
    int left_waits = saddle_arm(left.channel);
    int right_waits = saddle_arm(right.channel);

    must(left_waits, "arm");
    must(right_waits, "arm");
    if (!left_waits && !right_waits && poll(bells, 2, PATIENCE_MS) == 0)
        die("nothing happens");
    saddle_disarm(left.channel);
    saddle_disarm(right.channel);
}

/* Waits for the next event of one side. */
static void await(struct side *side)
{
    uint64_t end_ms = now_ms() + PATIENCE_MS;
    uint64_t wakeups = 0;

    while (!take(side)) {
        struct pollfd fd = {.fd = saddle_fd(side->channel), .events = POLLIN};
        int waiting = saddle_arm(side->channel);

        must(waiting, "arm");
        if (!waiting && poll(&fd, 1, PATIENCE_MS) == 0)
            die("nothing happens");
        saddle_disarm(side->channel);
        wakeups++;
        if (now_ms() > end_ms)
            die("woken %llu times, for nothing", (unsigned long long)wakeups);
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
    side->region = saddle_alloc(side->session, 2 * REGION);
    if (!side->buffer || !side->region)
        die("out of arena memory");
}

static void join(const char *host, const char *service)
{
    struct saddle_completion incoming;

    must(saddle_listen(right.channel, service, NULL), "listen");
    await_kind(&right, SADDLE_DONE, "listen");
    must(saddle_connect(left.channel, host, service, NULL), "connect");
    must(saddle_flush(left.channel), "flush");
    /* A call that fails is never announced. */
    while (!take(&right)) {
        if (take(&left))
            die("connect: %s", strerror(-left.last.status));
        sleep_both();
    }
    incoming = right.last;
    if (incoming.kind != SADDLE_INCOMING)
        die("incoming: event %u", incoming.kind);
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

static saddle_key expose(struct side *side, uint8_t *memory, uint32_t rights)
{
    must(saddle_expose(side->channel, memory, REGION, rights, NULL), "expose");
    await_kind(side, SADDLE_DONE, "expose");
    return side->last.value;
}

static void open_memory(struct side *side)
{
    for (size_t i = 0; i < REGION; i++)
        side->region[i] = pattern(1, i);
    side->readable = expose(side, side->region, SADDLE_READABLE);
    side->writable = expose(side, side->region + REGION, SADDLE_WRITABLE);
}

static void read_memory(struct side *from, struct side *to, size_t offset, size_t length)
{
    memset(from->buffer, 0, length);
    must(saddle_read(from->channel, from->connection, to->readable, offset, from->buffer, length,
                     NULL),
         "read");
    await_kind(from, SADDLE_DONE, "read");
    if (memcmp(from->buffer, to->region + offset, length) != 0)
        die("a read of %zu bytes differs", length);
}

static void write_memory(struct side *from, struct side *to, size_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        from->buffer[i] = pattern(exchanges, i);
    must(saddle_write(from->channel, from->connection, to->writable, offset, from->buffer, length,
                      NULL),
         "write");
    await_kind(from, SADDLE_DONE, "write");
    if (memcmp(to->region + REGION + offset, from->buffer, length) != 0)
        die("a write of %zu bytes differs", length);
}

static void use_memory(struct side *from, struct side *to)
{
    size_t length = 1 + exchanges * 97 % REGION;
    size_t offset = exchanges * 131 % (REGION - length + 1);

    read_memory(from, to, offset, length);
    write_memory(from, to, offset, length);
}

/* Answers a question; true once standard input has ended. `patience_ms` -1 waits for either. */
static bool asked(int patience_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    if (poll(&input, 1, patience_ms) <= 0)
        return false;
    if (read(STDIN_FILENO, &byte, 1) != 1)
        return true;
    printf("%llu\n", (unsigned long long)exchanges);
    fflush(stdout);
    return false;
}

/* With that pause between exchanges; -1: only questions are answered. */
static void serve(int pause_ms)
{
    while (!asked(pause_ms)) {
        struct side *from = exchanges % 2 ? &left : &right;
        struct side *to = exchanges % 2 ? &right : &left;

        if (pause_ms < 0)
            continue;
        exchange(from, to);
        if (exchanges % READ_EVERY == 0)
            use_memory(from, to);
        exchanges++;
    }
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'},
        {"other", required_argument, NULL, 'o'},
        {"host", required_argument, NULL, 'h'},
        {"service", required_argument, NULL, 'v'},
        {"eager", no_argument, NULL, 'e'},
        {"idle", no_argument, NULL, 'i'},
        {NULL, 0, NULL, 0},
    };
    const char *socket = NULL, *other = NULL, *host = "beta", *service = "victim";
    int pause_ms = PAUSE_MS;
    int option;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 's')
            socket = optarg;
        else if (option == 'o')
            other = optarg;
        else if (option == 'h')
            host = optarg;
        else if (option == 'v')
            service = optarg;
        else
            pause_ms = option == 'e' ? 0 : -1;
    }
    if (!socket || optind < argc)
        die("usage: victim --socket PATH [--other PATH] [--host ADDRESS] [--service NAME] "
            "[--eager | --idle]");
    attach(&left, socket, "alpha");
    attach(&right, other ? other : socket, "beta");
    join(host, service);
    open_memory(&left);
    open_memory(&right);
    puts("ready");
    fflush(stdout);
    serve(pause_ms);
    saddle_detach(left.session);
    saddle_detach(right.session);
    return EXIT_SUCCESS;
}
