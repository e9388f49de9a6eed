/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo-parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define DEMO_WINDOW     8u         /* chunks of the file on their way at a time */
#define DEMO_READ_MAX   4096u      /* bytes of the longest one-sided read */
#define DEMO_READ_DEPTH 32u        /* one-sided reads on their way at a time */
#define DEMO_HEAP_SPARE (4u << 20) /* beyond the buffers: what the allocator rounds up */
#define DEMO_EVENTS     16         /* taken at a time */
#define DEMO_SILENCE_MS 30000      /* nothing for so long means that something is broken */
#define DEMO_SPINS      (1u << 20) /* empty polls between two looks at the clock */

/* One application: a session on one engine, with one channel. */
struct demo_side {
    const char *engine;
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint32_t sends; /* accepted and not completed */
};

struct demo_saddle {
    struct demo_side left;
    struct demo_side right;
    uint8_t *chunks_left;  /* DEMO_WINDOW chunks to send from */
    uint8_t *chunks_right; /* as many to receive into */
    uint8_t *reads;        /* DEMO_READ_DEPTH buffers */
    uint64_t *region;      /* right's, exposed */
    saddle_key key;
};

/* Where a copy stands. */
struct demo_transfer {
    int source;
    int output;
    uint64_t bytes;
    uint64_t sent;
    uint64_t received;
    uint32_t free_chunks;   /* bit per chunk of the sender */
    void (*half_way)(void); /* NULL once called */
};

static void check(const struct demo_side *side, const char *what, int result)
{
    if (result < 0)
        demo_fail("%s on %s: %s", what, side->engine, saddle_strerror(side->session));
}

static void attach(struct demo_side *side, const char *engine, const char *socket, uint64_t heap)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = socket,
                                                  .engine = engine,
                                                  .application = "saddle-demo",
                                                  .heap_bytes = heap + DEMO_HEAP_SPARE};
    char reason[256];

    side->engine = engine;
    if (saddle_attach(&side->session, &options, reason, sizeof(reason)) != 0)
        demo_fail("attaching to %s: %s", engine, reason);
    side->channel = saddle_channel(side->session, 0);
}

static void *allocate(struct demo_side *side, size_t bytes)
{
    void *memory = saddle_alloc(side->session, bytes);

    if (!memory)
        demo_fail("memory on %s: %s", side->engine, saddle_strerror(side->session));
    return memory;
}

/* Takes the next event; with `spin` without ever sleeping. */
static void next_event(struct demo_side *side, bool spin, struct saddle_completion *event)
{
    uint64_t start_ns = 0;
    uint32_t spins = 0;

    for (;;) {
        int count = saddle_poll(side->channel, event, 1);

        check(side, "polling", count);
        if (count > 0)
            return;
        if (!spin) {
            count = saddle_wait(side->channel, DEMO_SILENCE_MS);
            check(side, "waiting", count);
            if (count == 0)
                demo_fail("nothing arrived on %s for %d s", side->engine, DEMO_SILENCE_MS / 1000);
        } else if (++spins % DEMO_SPINS == 0) {
            uint64_t now_ns = demo_now_ns();

            if (start_ns == 0)
                start_ns = now_ns;
            else if (now_ns - start_ns > DEMO_SILENCE_MS * (DEMO_NS_PER_S / 1000))
                demo_fail("nothing arrived on %s for %d s", side->engine, DEMO_SILENCE_MS / 1000);
        }
    }
}

/* Takes events until one of `kind` comes; those before it may only be successful sends. */
static void expect_event(struct demo_side *side, bool spin, uint8_t kind,
                         struct saddle_completion *event)
{
    for (;;) {
        next_event(side, spin, event);
        if (event->kind == SADDLE_DONE && event->status != 0)
            demo_fail("an operation on %s failed: %s", side->engine, strerror(-event->status));
        if (event->kind == kind)
            return;
        if (event->kind != SADDLE_DONE)
            demo_fail("an event of kind %d on %s, where %d was expected", event->kind, side->engine,
                      kind);
        side->sends--;
    }
}

static void settle_sends(struct demo_side *side)
{
    struct saddle_completion event;

    while (side->sends > 0) {
        expect_event(side, false, SADDLE_DONE, &event);
        side->sends--;
    }
}

/* Both calls are under way at once: neither side may block for the other. */
static void connect_sides(struct demo_saddle *demo, const char *service)
{
    struct saddle_completion event;

    check(&demo->right, "listening", saddle_listen(demo->right.channel, service, NULL));
    expect_event(&demo->right, false, SADDLE_DONE, &event);
    check(&demo->left, "connecting",
          saddle_connect(demo->left.channel, demo->right.engine, service, NULL));
    check(&demo->left, "connecting", saddle_flush(demo->left.channel));
    expect_event(&demo->right, false, SADDLE_INCOMING, &event);
    check(&demo->right, "accepting", saddle_accept(demo->right.channel, event.handle, NULL));
    expect_event(&demo->right, false, SADDLE_DONE, &event);
    demo->right.connection = event.handle;
    expect_event(&demo->left, false, SADDLE_DONE, &event);
    demo->left.connection = event.handle;
}

/* What stands at an eighth of an offset into the region: the finalizer of splitmix64 (Steele, Lea,
 * Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). */
static uint64_t region_word(uint64_t index)
{
    uint64_t word = index + 0x9e3779b97f4a7c15ull;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
    return word ^ (word >> 31);
}

static uint8_t region_byte(uint64_t offset)
{
    uint64_t word = region_word(offset / sizeof(word));
    uint8_t bytes[sizeof(word)];

    memcpy(bytes, &word, sizeof(word));
    return bytes[offset % sizeof(word)];
}

static void expose_region(struct demo_saddle *demo)
{
    struct saddle_completion event;

    demo->region = (uint64_t *)allocate(&demo->right, DEMO_REGION_BYTES);
    for (uint64_t index = 0; index < DEMO_REGION_BYTES / sizeof(*demo->region); index++)
        demo->region[index] = region_word(index);
    check(&demo->right, "exposing",
          saddle_expose(demo->right.channel, demo->region, DEMO_REGION_BYTES, SADDLE_READABLE,
                        NULL));
    expect_event(&demo->right, false, SADDLE_DONE, &event);
    demo->key = event.value;
}

/* Posted buffers are used by one copy after another. */
static void post_chunk(struct demo_saddle *demo, uint64_t chunk)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = chunk};

    check(&demo->right, "posting a buffer",
          saddle_post_recv(demo->right.channel, demo->right.connection,
                           demo->chunks_right + chunk * DEMO_CHUNK_BYTES, DEMO_CHUNK_BYTES, &op));
}

struct demo_saddle *demo_saddle_open(const struct demo_options *options)
{
    const uint64_t chunks = (uint64_t)DEMO_WINDOW * DEMO_CHUNK_BYTES;
    struct demo_saddle *demo = (struct demo_saddle *)calloc(1, sizeof(*demo));

    if (!demo)
        demo_fail("no memory");
    attach(&demo->left, "left", options->sockets[0], chunks + DEMO_READ_DEPTH * DEMO_READ_MAX);
    attach(&demo->right, "right", options->sockets[1], chunks + DEMO_REGION_BYTES);
    demo->chunks_left = (uint8_t *)allocate(&demo->left, chunks);
    demo->chunks_right = (uint8_t *)allocate(&demo->right, chunks);
    demo->reads = (uint8_t *)allocate(&demo->left, DEMO_READ_DEPTH * DEMO_READ_MAX);
    connect_sides(demo, options->service);
    for (uint32_t chunk = 0; chunk < DEMO_WINDOW; chunk++)
        post_chunk(demo, chunk);
    if (options->reads > 0)
        expose_region(demo);
    return demo;
}

void demo_saddle_close(struct demo_saddle *demo)
{
    settle_sends(&demo->left);
    check(&demo->left, "closing",
          saddle_close_wait(demo->left.channel, demo->left.connection, DEMO_SILENCE_MS));
    saddle_detach(demo->left.session);
    saddle_detach(demo->right.session);
    free(demo);
}

/* ---- The file ---- */

static void send_chunks(struct demo_saddle *demo, struct demo_transfer *transfer)
{
    while (transfer->free_chunks && transfer->sent < transfer->bytes) {
        uint32_t chunk = (uint32_t)__builtin_ctz(transfer->free_chunks);
        uint8_t *bytes = demo->chunks_left + (size_t)chunk * DEMO_CHUNK_BYTES;
        const struct saddle_op op = {.size = sizeof(op), .tag = chunk};
        uint64_t left = transfer->bytes - transfer->sent;
        size_t len = left < DEMO_CHUNK_BYTES ? (size_t)left : DEMO_CHUNK_BYTES;

        demo_read_at(transfer->source, bytes, len, transfer->sent);
        check(&demo->left, "sending",
              saddle_send(demo->left.channel, demo->left.connection, bytes, len, &op));
        transfer->free_chunks &= ~(1u << chunk);
        transfer->sent += len;
    }
}

static void store(struct demo_transfer *transfer, const void *bytes, size_t len)
{
    if (len > transfer->bytes - transfer->received)
        demo_fail("right received more than the file has");
    demo_write_at(transfer->output, bytes, len, transfer->received);
    transfer->received += len;
}

static void store_event(struct demo_saddle *demo, struct demo_transfer *transfer,
                        const struct saddle_completion *event)
{
    if (event->kind == SADDLE_DONE && event->status == 0) {
        store(transfer, demo->chunks_right + event->tag * DEMO_CHUNK_BYTES, event->len);
        post_chunk(demo, event->tag);
    } else if (event->kind == SADDLE_MESSAGE) {
        /* The end of the file, if it is short enough to need no posted buffer. */
        store(transfer, event->data, event->len);
        check(&demo->right, "releasing", saddle_release(demo->right.channel, event));
    } else if (event->kind != SADDLE_WAITING) {
        demo_fail("right cannot receive: event %d, %s", event->kind, strerror(-event->status));
    }
}

/* Sleeps until either side has events. */
static void sleep_both(struct demo_saddle *demo)
{
    struct pollfd bells[] = {{.fd = saddle_fd(demo->left.channel), .events = POLLIN},
                             {.fd = saddle_fd(demo->right.channel), .events = POLLIN}};
    int left = saddle_arm(demo->left.channel);
    int right = saddle_arm(demo->right.channel);

    check(&demo->left, "waiting", left);
    check(&demo->right, "waiting", right);
    if (left == 0 && right == 0 && poll(bells, 2, DEMO_SILENCE_MS) == 0)
        demo_fail("the copy stands still for %d s", DEMO_SILENCE_MS / 1000);
    saddle_disarm(demo->left.channel);
    saddle_disarm(demo->right.channel);
}

static void transfer_file(struct demo_saddle *demo, struct demo_transfer *transfer)
{
    const uint32_t all_chunks = (1u << DEMO_WINDOW) - 1;
    struct saddle_completion events[DEMO_EVENTS];

    while (transfer->received < transfer->bytes || transfer->free_chunks != all_chunks) {
        int done;
        int arrived;

        send_chunks(demo, transfer);
        done = saddle_poll(demo->left.channel, events, DEMO_EVENTS);
        check(&demo->left, "polling", done);
        for (int at = 0; at < done; at++) {
            if (events[at].kind != SADDLE_DONE || events[at].status != 0)
                demo_fail("left cannot send: event %d, %s", events[at].kind,
                          strerror(-events[at].status));
            transfer->free_chunks |= 1u << events[at].tag;
        }
        arrived = saddle_poll(demo->right.channel, events, DEMO_EVENTS);
        check(&demo->right, "polling", arrived);
        for (int at = 0; at < arrived; at++)
            store_event(demo, transfer, &events[at]);
        demo_progress("copy over Saddle", transfer->received, transfer->bytes);
        if (transfer->half_way && transfer->received > transfer->bytes / 2) {
            transfer->half_way();
            transfer->half_way = NULL;
        }
        if (done == 0 && arrived == 0)
            sleep_both(demo);
    }
}

struct demo_copy demo_saddle_copy(struct demo_saddle *demo, const struct demo_options *options,
                                  void (*half_way)(void))
{
    struct demo_transfer transfer = {.free_chunks = (1u << DEMO_WINDOW) - 1, .half_way = half_way};
    struct demo_copy copy;
    uint64_t start_ns;
    uint64_t cpu_ns;

    transfer.source = demo_open_source(options->file, &transfer.bytes);
    transfer.output = demo_open_output(options->output);
    start_ns = demo_now_ns();
    cpu_ns = demo_cpu_ns(options->daemons);
    transfer_file(demo, &transfer);
    copy.bytes = transfer.bytes;
    copy.cpu_s_per_gb = (double)(demo_cpu_ns(options->daemons) - cpu_ns) / (double)transfer.bytes;
    copy.gbps = (double)transfer.bytes * 8 / (double)(demo_now_ns() - start_ns);
    close(transfer.source);
    close(transfer.output);
    return copy;
}

/* ---- Ping-pong ---- */

static void send_ping(struct demo_side *side, const uint8_t *bytes)
{
    check(side, "sending",
          saddle_send(side->channel, side->connection, bytes, DEMO_PING_BYTES, NULL));
    check(side, "sending", saddle_flush(side->channel));
    side->sends++;
}

static void take_ping(struct demo_side *side, bool spin, const uint8_t *expected)
{
    struct saddle_completion event;

    expect_event(side, spin, SADDLE_MESSAGE, &event);
    if (event.len != DEMO_PING_BYTES || memcmp(event.data, expected, DEMO_PING_BYTES) != 0)
        demo_fail("a message arrived on %s that was not sent", side->engine);
    check(side, "releasing", saddle_release(side->channel, &event));
}

struct demo_times demo_saddle_rtt(struct demo_saddle *demo, uint32_t rounds, bool spin)
{
    const char *what = spin ? "round trips spinning" : "round trips waiting";
    uint32_t *samples = (uint32_t *)calloc(rounds, sizeof(*samples));
    uint8_t bytes[DEMO_PING_BYTES];
    struct demo_times times;

    if (!samples)
        demo_fail("no memory for %u samples", rounds);
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t start_ns;

        for (uint32_t at = 0; at < DEMO_PING_BYTES; at++)
            bytes[at] = region_byte((uint64_t)round * DEMO_PING_BYTES + at);
        start_ns = demo_now_ns();
        send_ping(&demo->left, bytes);
        take_ping(&demo->right, spin, bytes);
        send_ping(&demo->right, bytes);
        take_ping(&demo->left, spin, bytes);
        samples[round] = (uint32_t)(demo_now_ns() - start_ns);
        demo_progress(what, round + 1, rounds);
    }
    times = demo_percentiles(samples, rounds);
    free(samples);
    return times;
}

/* ---- One-sided reads ---- */

struct demo_read {
    uint64_t offset;
    uint32_t len;
};

static void start_read(struct demo_saddle *demo, struct demo_read *read, uint32_t slot,
                       uint64_t number)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = slot};
    uint8_t *buffer = demo->reads + (size_t)slot * DEMO_READ_MAX;
    /* The same places every time; the region's own words serve as the dice. */
    uint64_t dice = region_word(UINT64_MAX / 2 + number);

    read->len = 1 + (uint32_t)(dice % DEMO_READ_MAX);
    read->offset = (dice >> 16) % (DEMO_REGION_BYTES - read->len + 1);
    memset(buffer, 0, read->len);
    check(&demo->left, "reading",
          saddle_read(demo->left.channel, demo->left.connection, demo->key, read->offset, buffer,
                      read->len, &op));
}

static bool read_matches(const struct demo_saddle *demo, const struct demo_read *read,
                         uint64_t slot)
{
    const uint8_t *bytes = demo->reads + (size_t)slot * DEMO_READ_MAX;

    for (uint32_t at = 0; at < read->len; at++)
        if (bytes[at] != region_byte(read->offset + at))
            return false;
    return true;
}

uint32_t demo_saddle_reads(struct demo_saddle *demo, uint32_t reads)
{
    struct demo_read outstanding[DEMO_READ_DEPTH];
    struct saddle_completion event;
    uint32_t started = 0;
    uint32_t mismatches = 0;

    settle_sends(&demo->left);
    while (started < DEMO_READ_DEPTH && started < reads) {
        start_read(demo, &outstanding[started], started, started);
        started++;
    }
    for (uint32_t done = 0; done < reads; done++) {
        expect_event(&demo->left, false, SADDLE_DONE, &event);
        if (!read_matches(demo, &outstanding[event.tag], event.tag))
            mismatches++;
        if (started < reads) {
            start_read(demo, &outstanding[event.tag], (uint32_t)event.tag, started);
            started++;
        }
        demo_progress("one-sided reads", done + 1, reads);
    }
    return mismatches;
}
