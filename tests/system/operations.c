/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of operation, several at a time, in both directions between two applications of
 * libsaddle on two hosts, in one thread. Every byte is compared.
 *
 *     operations ALPHA BETA HOST_ALPHA HOST_BETA ROUNDS
 *
 * ALPHA and BETA are the sockets of the daemons of the two hosts, whose addresses follow. Prints a
 * line for each kind: its name, and how many operations there were. Any error, difference or
 * standstill ends it with a line on standard error. With 0 ROUNDS it goes round all kinds until
 * standard input ends; with `slowly` it does so with a pause after each, and leaves the processors
 * to what is tested beside it.
 *
 * A new kind is a line in `kinds`: what begins one operation, and where its bytes are to be found.
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

#define PATIENCE_MS 30000 /* no operation takes that long, however busy the machine */
#define DEPTH       8u    /* operations at a time */
#define EAGER       16384u
#define BYTES_MAX   (256u << 10) /* of one operation */
#define AREA        (DEPTH * BYTES_MAX)
#define STREAMS     4u
#define CANCEL_TAG  100u /* + the operation's number: of what cancels it */
#define PIECES      5u   /* of what is gathered */
#define TABLE_BYTES (DEPTH * (sizeof(struct saddle_match) + sizeof(uint64_t)))
#define REASON      256
#define PAUSE_MS    20

/* One of the two applications, with an area for each operation in its memory. */
struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint8_t *out, *in; /* AREA bytes each */
    uint8_t *exposed;  /* AREA bytes that the other one may read and write */
    uint8_t *table;    /* TABLE_BYTES bytes that it may read and change: entries, then words */
    saddle_key key, table_key;
};

struct round;

struct kind {
    const char *name;
    /* Queues operation `index` with the tag of its place. */
    int (*begin)(const struct round *round, uint32_t index);
    /* Where its bytes are once it is done; NULL: it has none, or is judged by its event. */
    uint8_t *(*result)(const struct round *round, uint32_t index);
    uint32_t bytes;   /* of each */
    uint32_t streams; /* that they are spread over; 0: nothing arrives at the other application */
};

/* DEPTH operations of a kind. */
struct round {
    const struct kind *kind;
    struct side *from, *to;
    uint32_t number;
    uint32_t done;             /* told to who began them */
    uint32_t ended;            /* of those, by being cancelled */
    uint32_t arrived[STREAMS]; /* told to the other one, by stream */
};

static struct side left, right;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;

    fputs("operations: ", stderr);
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

/* ---- Bytes ---- */

/* Different for each operation, and for each place in it. */
static uint8_t pattern(uint32_t number, uint32_t index, size_t at)
{
    return (uint8_t)(number * 31 + index * 83 + at * 7 + (at >> 8));
}

static void fill(const struct round *round, uint32_t index, uint8_t *bytes)
{
    for (size_t i = 0; i < round->kind->bytes; i++)
        bytes[i] = pattern(round->number, index, i);
}

static void compare(const struct round *round, uint32_t index)
{
    const uint8_t *bytes = round->kind->result(round, index);

    for (size_t i = 0; i < round->kind->bytes; i++) {
        if (bytes[i] != pattern(round->number, index, i))
            die("%s: byte %zu of operation %u in round %u is wrong", round->kind->name, i, index,
                round->number);
    }
}

static struct saddle_op op_of(const struct round *round, uint32_t index)
{
    return (struct saddle_op){
        .size = sizeof(struct saddle_op),
        .tag = 1 + index,
        .stream = (uint16_t)(round->kind->streams ? index % round->kind->streams : 0),
    };
}

/* ---- Kinds ---- */

static int begin_message(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint32_t bytes = round->kind->bytes;
    uint8_t *data = round->from->out + index * BYTES_MAX;

    fill(round, index, data);
    memset(round->to->in + index * BYTES_MAX, 0, bytes);
    if (bytes > EAGER) {
        must(saddle_post_recv(round->to->channel, round->to->connection,
                              round->to->in + index * BYTES_MAX, BYTES_MAX, &op),
             "post");
        must(saddle_flush(round->to->channel), "flush");
    }
    return saddle_send(round->from->channel, round->from->connection, data, bytes, &op);
}

static uint8_t *received(const struct round *round, uint32_t index)
{
    return round->to->in + index * BYTES_MAX;
}

static int begin_read(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint8_t *data = round->from->in + index * BYTES_MAX;

    fill(round, index, round->to->exposed + index * BYTES_MAX);
    memset(data, 0, round->kind->bytes);
    return saddle_read(round->from->channel, round->from->connection, round->to->key,
                       index * BYTES_MAX, data, round->kind->bytes, &op);
}

static uint8_t *read_back(const struct round *round, uint32_t index)
{
    return round->from->in + index * BYTES_MAX;
}

static int begin_write(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint8_t *data = round->from->out + index * BYTES_MAX;

    fill(round, index, data);
    memset(round->to->exposed + index * BYTES_MAX, 0, round->kind->bytes);
    return saddle_write(round->from->channel, round->from->connection, round->to->key,
                        index * BYTES_MAX, data, round->kind->bytes, &op);
}

static uint8_t *written(const struct round *round, uint32_t index)
{
    return round->to->exposed + index * BYTES_MAX;
}

static const char *host_of_right, *host_of_left;

static int begin_ping(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);

    return saddle_ping(round->from->channel, round->from == &left ? host_of_right : host_of_left,
                       round->kind->bytes, &op);
}

/* Unordered ones may arrive in any order, so the first byte says which they are. */
static int begin_unordered(const struct round *round, uint32_t index)
{
    struct saddle_op op = op_of(round, index);
    uint8_t *data = round->from->out + index * BYTES_MAX;

    op.flags = SADDLE_UNORDERED;
    fill(round, index, data);
    memset(round->to->in + index * BYTES_MAX, 0, round->kind->bytes);
    return saddle_send(round->from->channel, round->from->connection, data, round->kind->bytes,
                       &op);
}

/* The data of an operation, in PIECES of different sizes. */
static const struct saddle_segment *pieces_of(const struct round *round, const uint8_t *data)
{
    static struct saddle_segment pieces[PIECES];
    size_t rest = round->kind->bytes;

    for (uint32_t i = 0; i < PIECES; i++) {
        size_t bytes = i == PIECES - 1 ? rest : rest / (PIECES - i) - i;
        pieces[i] = (struct saddle_segment){data, bytes};
        data += bytes;
        rest -= bytes;
    }
    return pieces;
}

static int begin_gathered_message(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint8_t *data = round->from->out + index * BYTES_MAX;

    fill(round, index, data);
    memset(round->to->in + index * BYTES_MAX, 0, round->kind->bytes);
    return saddle_sendv(round->from->channel, round->from->connection, pieces_of(round, data),
                        PIECES, &op);
}

static int begin_gathered_write(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint8_t *data = round->from->out + index * BYTES_MAX;

    fill(round, index, data);
    memset(round->to->exposed + index * BYTES_MAX, 0, round->kind->bytes);
    return saddle_writev(round->from->channel, round->from->connection, round->to->key,
                         index * BYTES_MAX, pieces_of(round, data), PIECES, &op);
}

/* ---- Kinds that go by way of a table ---- */

/* The entry of an operation's bytes, which are there to be read. */
static uint64_t set_entry(const struct round *round, uint32_t index)
{
    struct saddle_match *entries = (struct saddle_match *)(void *)round->to->table;

    fill(round, index, round->to->exposed + index * BYTES_MAX);
    memset(round->from->in + index * BYTES_MAX, 0, round->kind->bytes);
    saddle_match_set(&entries[index], round->number * DEPTH + index + 1, round->to->key,
                     index * BYTES_MAX, round->kind->bytes);
    return index * sizeof(entries[0]) + offsetof(struct saddle_match, pointer);
}

static int begin_indirect(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint64_t entry = set_entry(round, index);

    return saddle_read_indirect(round->from->channel, round->from->connection, round->to->table_key,
                                entry, round->from->in + index * BYTES_MAX, round->kind->bytes,
                                &op);
}

/* Of one, so that its bytes lie where those of the others do. */
static int begin_batch(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint64_t entry = set_entry(round, index);

    return saddle_read_batch(round->from->channel, round->from->connection, round->to->table_key,
                             &entry, 1, round->from->in + index * BYTES_MAX, round->kind->bytes,
                             &op);
}

static int begin_scan(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);

    set_entry(round, index);
    return saddle_scan_read(round->from->channel, round->from->connection, round->to->table_key, 0,
                            DEPTH, round->number * DEPTH + index + 1,
                            round->from->in + index * BYTES_MAX, round->kind->bytes, &op);
}

/* The word of an operation, and where it lies in the region. */
static uint64_t *word_of(const struct round *round, uint32_t index, uint64_t *offset)
{
    *offset = DEPTH * sizeof(struct saddle_match) + index * sizeof(uint64_t);
    return (uint64_t *)(void *)(round->to->table + *offset);
}

static int begin_swap(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint64_t offset;

    *word_of(round, index, &offset) = round->number;
    return saddle_compare_swap(round->from->channel, round->from->connection, round->to->table_key,
                               offset, round->number, round->number + 1 + index, &op);
}

static int begin_add(const struct round *round, uint32_t index)
{
    const struct saddle_op op = op_of(round, index);
    uint64_t offset;

    *word_of(round, index, &offset) = round->number;
    return saddle_fetch_add(round->from->channel, round->from->connection, round->to->table_key,
                            offset, 1 + index, &op);
}

/* It found what was there before, and left what it was to leave. */
static void check_word(const struct round *round, const struct saddle_completion *event)
{
    uint32_t index = (uint32_t)event->tag - 1;
    uint64_t offset;
    uint64_t value = *word_of(round, index, &offset);

    if (event->value != round->number || value != round->number + 1 + index)
        die("%s: found %llu and left %llu in round %u", round->kind->name,
            (unsigned long long)event->value, (unsigned long long)value, round->number);
}

/* What the other one never takes: it is posted and cancelled, and both are told. */
static int begin_cancelled(const struct round *round, uint32_t index)
{
    struct saddle_op op = op_of(round, index);
    int error = saddle_post_recv(round->from->channel, round->from->connection,
                                 round->from->in + index * BYTES_MAX, BYTES_MAX, &op);

    if (error)
        return error;
    op.tag = CANCEL_TAG + index;
    return saddle_cancel(round->from->channel, 1 + index, &op);
}

static const struct kind kinds[] = {
    {"message of a byte", begin_message, received, 1, 1},
    {"message in an entry", begin_message, received, 64, 1},
    {"message of a packet", begin_message, received, 1000, 1},
    {"message of several packets", begin_message, received, EAGER, 1},
    {"message into a buffer", begin_message, received, EAGER + 1, 1},
    {"message of many packets", begin_message, received, 200000, 1},
    {"messages on streams", begin_message, received, 5000, STREAMS},
    {"read of a byte", begin_read, read_back, 1, 0},
    {"read of a packet", begin_read, read_back, 1000, 0},
    {"read of many packets", begin_read, read_back, 200000, 0},
    {"write of a byte", begin_write, written, 1, 0},
    {"write of a packet", begin_write, written, 1000, 0},
    {"write of many packets", begin_write, written, 200000, 0},
    {"unordered message", begin_unordered, received, 5000, 1},
    {"message of pieces", begin_gathered_message, received, 5000, 1},
    {"write of pieces", begin_gathered_write, written, 20000, 0},
    {"indirect read", begin_indirect, read_back, 20000, 0},
    {"batched read", begin_batch, read_back, 20000, 0},
    {"scan and read", begin_scan, read_back, 20000, 0},
    {"compare and swap", begin_swap, NULL, 8, 0},
    {"fetch and add", begin_add, NULL, 8, 0},
    {"cancelled buffer", begin_cancelled, NULL, BYTES_MAX, 0},
    {"ping", begin_ping, NULL, 100, 0},
};

/* ---- Events ---- */

/* A cancellation ends behind what it ends. */
static void on_cancelled(struct round *round, const struct saddle_completion *event)
{
    bool target = event->tag <= DEPTH;

    if (event->kind != SADDLE_DONE || event->status != (target ? -ECANCELED : 0) ||
        (!target && event->value != 1))
        die("%s: event %u, %s, value %llu", round->kind->name, event->kind,
            strerror(-event->status), (unsigned long long)event->value);
    round->done += !target;
    round->ended += target;
    if (round->ended < round->done)
        die("%s: cancelled before it had ended", round->kind->name);
}

static void on_begun(struct round *round, const struct saddle_completion *event)
{
    struct saddle_ping_info info = {.size = sizeof(info)};

    if (event->kind != SADDLE_DONE || event->tag == 0 || event->tag > DEPTH)
        die("%s: event %u where it was begun", round->kind->name, event->kind);
    if (round->kind->begin == begin_ping &&
        (saddle_pinged(event, &info) != 0 || info.round_trip_ns == 0))
        die("a ping without a round trip");
    if (round->kind->begin == begin_swap || round->kind->begin == begin_add)
        check_word(round, event);
    round->done++;
}

/* Which unordered one it is, by its first byte; DEPTH: none. */
static uint32_t number_of(const struct round *round, const uint8_t *bytes)
{
    uint32_t index = 0;

    while (index < DEPTH && pattern(round->number, index, 0) != bytes[0])
        index++;
    return index;
}

/* What arrived: messages of a stream come in order, and buffers are used in the order posted. */
static void on_arrived(struct round *round, const struct saddle_completion *event)
{
    uint32_t streams = round->kind->streams;

    if (event->kind == SADDLE_WAITING)
        return;
    if (streams == 0 || event->stream >= streams || event->len != round->kind->bytes)
        die("%s: event %u with %zu bytes on stream %u", round->kind->name, event->kind, event->len,
            event->stream);
    uint32_t index = event->stream + streams * round->arrived[event->stream]++;
    if ((event->value == SADDLE_UNORDERED) != (round->kind->begin == begin_unordered))
        die("%s: arrived as another kind", round->kind->name);
    if (event->value == SADDLE_UNORDERED)
        index = number_of(round, (const uint8_t *)event->data);
    if (index >= DEPTH || (event->kind == SADDLE_DONE && event->tag != 1 + index))
        die("%s: arrived as number %u", round->kind->name, index);
    if (event->kind == SADDLE_MESSAGE)
        memcpy(received(round, index), event->data, event->len);
}

static int take(struct round *round, struct side *side)
{
    struct saddle_completion event;
    int count = saddle_poll(side->channel, &event, 1);

    must(count, "poll");
    if (count == 0)
        return 0;
    if (round->kind->begin == begin_cancelled && side == round->from) {
        on_cancelled(round, &event);
        return 1;
    }
    if (event.status)
        die("%s: round %u: %s", round->kind->name, round->number, strerror(-event.status));
    if (side == round->from)
        on_begun(round, &event);
    else
        on_arrived(round, &event);
    must(saddle_release(side->channel, &event), "release");
    return 1;
}

/* Until one side's doorbell or the other's rings, unless events are waiting. */
static void sleep_both(const struct round *round)
{
    struct pollfd bells[] = {{.fd = saddle_fd(left.channel), .events = POLLIN},
                             {.fd = saddle_fd(right.channel), .events = POLLIN}};
    int left_waits = saddle_arm(left.channel);
    int right_waits = saddle_arm(right.channel);

    must(left_waits, "arm");
    must(right_waits, "arm");
    if (!left_waits && !right_waits && poll(bells, 2, PATIENCE_MS) == 0)
        die("%s: round %u: nothing happens", round->kind->name, round->number);
    saddle_disarm(left.channel);
    saddle_disarm(right.channel);
}

static bool complete(const struct round *round)
{
    uint32_t arrived = 0;

    for (uint32_t i = 0; i < STREAMS; i++)
        arrived += round->arrived[i];
    return round->done == DEPTH && arrived == (round->kind->streams ? DEPTH : 0);
}

static void run(const struct kind *kind, struct side *from, struct side *to, uint32_t number)
{
    struct round round = {.kind = kind, .from = from, .to = to, .number = number};

    for (uint32_t i = 0; i < DEPTH; i++)
        must(kind->begin(&round, i), kind->name);
    must(saddle_flush(from->channel), "flush");
    while (!complete(&round)) {
        if (take(&round, &left) + take(&round, &right) == 0)
            sleep_both(&round);
    }
    for (uint32_t i = 0; i < DEPTH && kind->result; i++)
        compare(&round, i);
}

/* ---- Before ---- */

static void attach(struct side *side, const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .application = "operations"};
    char reason[REASON] = "";

    if (saddle_attach(&side->session, &options, reason, sizeof(reason)))
        die("attach: %s", reason);
    side->channel = saddle_channel(side->session, 0);
    side->out = saddle_alloc(side->session, AREA);
    side->in = saddle_alloc(side->session, AREA);
    side->exposed = saddle_alloc(side->session, AREA);
    side->table = saddle_alloc(side->session, TABLE_BYTES);
    if (!side->out || !side->in || !side->exposed || !side->table)
        die("out of arena memory");
}

/* The next event of one side, which must be of this kind. */
static struct saddle_completion await(struct side *side, uint8_t kind, const char *what)
{
    struct saddle_completion event;

    if (saddle_wait(side->channel, PATIENCE_MS) != 1 || saddle_poll(side->channel, &event, 1) != 1)
        die("%s: nothing happens", what);
    if (event.kind != kind || event.status)
        die("%s: event %u, %s", what, event.kind, strerror(-event.status));
    return event;
}

static void expose(struct side *side)
{
    must(saddle_expose(side->channel, side->exposed, AREA, SADDLE_READABLE | SADDLE_WRITABLE, NULL),
         "expose");
    side->key = await(side, SADDLE_DONE, "expose").value;
    must(saddle_expose(side->channel, side->table, TABLE_BYTES, SADDLE_READABLE | SADDLE_ATOMIC,
                       NULL),
         "expose");
    side->table_key = await(side, SADDLE_DONE, "expose").value;
}

static void join(const char *host)
{
    must(saddle_listen(right.channel, "operations", NULL), "listen");
    await(&right, SADDLE_DONE, "listen");
    must(saddle_connect(left.channel, host, "operations", NULL), "connect");
    must(saddle_flush(left.channel), "flush");
    right.connection = await(&right, SADDLE_INCOMING, "call").handle;
    must(saddle_accept(right.channel, right.connection, NULL), "accept");
    await(&right, SADDLE_DONE, "accept");
    left.connection = await(&left, SADDLE_DONE, "connect").handle;
}

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void run_both_ways(const struct kind *kind, uint32_t number)
{
    run(kind, &left, &right, 2 * number);
    run(kind, &right, &left, 2 * number + 1);
}

static void go_through(uint32_t rounds)
{
    for (size_t i = 0; i < KINDS; i++) {
        for (uint32_t number = 0; number < rounds; number++)
            run_both_ways(&kinds[i], number);
    }
}

/* Says "ready" and then, for each byte of standard input, how many rounds there were; at its end
 * returns that. */
static uint32_t go_round(int pause_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    uint32_t number = 0;
    char byte;

    puts("ready");
    for (;;) {
        fflush(stdout);
        for (size_t i = 0; i < KINDS; i++)
            run_both_ways(&kinds[i], number);
        number++;
        if (poll(&input, 1, pause_ms) != 1)
            continue;
        if (read(STDIN_FILENO, &byte, 1) != 1)
            return number;
        printf("%u\n", number);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 8)
        die("usage: operations ALPHA BETA HOST_ALPHA HOST_BETA ROUNDS [ENGINE ENGINE]");
    uint32_t rounds = (uint32_t)strtoul(argv[5], NULL, 10);

    host_of_left = argv[3];
    host_of_right = argv[4];
    attach(&left, argv[1], argc == 8 ? argv[6] : "alpha");
    attach(&right, argv[2], argc == 8 ? argv[7] : "beta");
    join(host_of_right);
    expose(&left);
    expose(&right);
    if (rounds == 0)
        rounds = go_round(strcmp(argv[5], "slowly") == 0 ? PAUSE_MS : 0);
    else
        go_through(rounds);
    for (size_t i = 0; i < KINDS; i++)
        printf("%s: %u\n", kinds[i].name, 2 * rounds * DEPTH);
    saddle_detach(left.session);
    saddle_detach(right.session);
    return EXIT_SUCCESS;
}
