/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Order, and the want of it; and how long a message may be. */
#include "engines/pony/connection.h"
#include "engines/pony/packet.h"
#include "engines/pony/payload.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LARGE      100000u
#define OVER       (WIRE_MESSAGE_BASE + 12345u)
#define LARGE_HEAP (5ull << 30) /* more than a message can have */
#define STORM      400u

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
}

/* The same with heaps larger than anything. */
static void setup_large(void)
{
    rig = rig_create(1, 0);
    server = app_create_large(100, 0, APP_SLOTS, LARGE_HEAP);
    client = app_create_large(101, 1, APP_SLOTS, LARGE_HEAP);
    rig_join(rig, server);
    rig_join(rig, client);
    rig_pair(rig, server, client, &incoming, &outgoing);
}

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    rig_destroy(rig);
}

static void send(uint16_t stream, uint32_t len, uint8_t flags, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_SEND,
        .flags = flags,
        .handle = outgoing,
        .stream = stream,
        .buf = client->config.heap_offset,
        .len = len,
        .tag = tag,
    };

    ck_assert(app_submit(client, &command));
}

static void post(uint32_t len, uint64_t timeout_ns, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = len,
        .timeout_ns = timeout_ns,
        .tag = tag,
    };

    ck_assert(app_submit(server, &command));
}

/* The lengths of the messages that the server has seen since *at, in order; 0 after the last. */
static void seen(uint32_t *at, uint32_t lengths[8])
{
    uint32_t count = 0;

    memset(lengths, 0, 8 * sizeof(lengths[0]));
    for (; *at < server->event_count; (*at)++) {
        const struct saddle_event *event = &server->events[*at];
        if ((event->type == SADDLE_EVT_MESSAGE || event->op == SADDLE_CMD_POST_RECV) && count < 8)
            lengths[count++] = event->len;
    }
}

static void saw(uint32_t *at, uint32_t first, uint32_t second, uint32_t third)
{
    uint32_t lengths[8];

    seen(at, lengths);
    ck_assert_uint_eq(lengths[0], first);
    ck_assert_uint_eq(lengths[1], second);
    ck_assert_uint_eq(lengths[2], third);
    ck_assert_uint_eq(lengths[3], 0);
}

START_TEST(unordered_ones_do_not_wait)
{
    uint32_t at = server->event_count, look;

    send(0, LARGE, 0, 10);
    send(0, 100, 0, 11);
    send(0, 200, SADDLE_ENTRY_UNORDERED, 12);
    rig_settle(rig);
    look = at;
    saw(&at, 200, 0, 0);
    const struct saddle_event *event = app_event(server, &look, SADDLE_EVT_MESSAGE, 3);
    ck_assert_uint_eq(event->flags, SADDLE_ENTRY_SLOT | SADDLE_ENTRY_UNORDERED);
    ck_assert_int_eq(app_done(client, 12)->status, 0);
    post(LARGE, 0, 20);
    rig_settle(rig);
    saw(&at, LARGE, 100, 0);
    ck_assert_uint_eq(app_done(server, 20)->flags, 0);
}
END_TEST

START_TEST(ordered_ones_do_not_wait_for_them)
{
    uint32_t at = server->event_count;

    send(0, LARGE, SADDLE_ENTRY_UNORDERED, 10);
    send(0, 100, 0, 11);
    send(0, LARGE + 1, 0, 12);
    send(0, 200, SADDLE_ENTRY_UNORDERED, 13);
    rig_settle(rig);
    saw(&at, 100, 200, 0);
    /* Both large ones were told of, and each buffer goes to the one that it fits. */
    uint32_t look = 0, waiting = 0;
    while (app_event(server, &look, SADDLE_EVT_WAITING, 3))
        waiting++;
    ck_assert_uint_eq(waiting, 2);
    post(LARGE + 1, 0, 20);
    post(LARGE + 1, 0, 21);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 20)->len, LARGE);
    ck_assert_uint_eq(app_done(server, 20)->flags, SADDLE_ENTRY_UNORDERED);
    ck_assert_uint_eq(app_done(server, 21)->len, LARGE + 1);
    for (uint32_t tag = 10; tag < 14; tag++)
        ck_assert_int_eq(app_done(client, tag)->status, 0);
}
END_TEST

/* Those that go from the packet into the queue wait for those before them that do not. */
START_TEST(short_ones_keep_their_turn)
{
    uint32_t at = server->event_count;

    send(0, LARGE, 0, 10);
    send(0, 8, 0, 11);
    rig_settle(rig);
    saw(&at, 0, 0, 0);
    post(LARGE, 0, 20);
    rig_settle(rig);
    saw(&at, LARGE, 8, 0);
    send(0, 100, 0, 12);
    send(0, 8, 0, 13);
    send(0, 9, 0, 14);
    rig_settle(rig);
    saw(&at, 100, 8, 9);
    for (uint32_t i = 10; i <= 14; i++)
        ck_assert_int_eq(app_done(client, i)->status, 0);
}
END_TEST

/* Whatever lay beside it in its packet; and it needs no memory but the queue's. */
START_TEST(a_short_one_says_no_more_than_it_is)
{
    uint32_t at = server->event_count, seen_all = 0;
    uint8_t *slots = server->arena + server->config.slots_offset;
    size_t bytes = (size_t)APP_SLOTS * SADDLE_EAGER_MAX;
    uint8_t *before = malloc(bytes);

    ck_assert_ptr_nonnull(before);
    send(0, 100, 0, 100); /* the first of a stream takes the long way */
    rig_settle(rig);
    at = server->event_count;
    memcpy(before, slots, bytes);
    memset(app_heap(client, 0), 0xa5, SADDLE_INLINE_BYTES);
    for (uint32_t len = 1; len <= SADDLE_INLINE_BYTES; len++) {
        send(0, len, 0, 100 + len);
        rig_settle(rig);
    }
    for (; at < server->event_count; at++) {
        const struct saddle_event *event = &server->events[at];
        if (event->type != SADDLE_EVT_MESSAGE)
            continue;
        ck_assert_uint_eq(event->flags, SADDLE_ENTRY_INLINE);
        ck_assert_uint_eq(event->len, ++seen_all);
        for (uint32_t i = 0; i < SADDLE_INLINE_BYTES; i++)
            ck_assert_uint_eq(event->payload[i], i < event->len ? 0xa5 : 0);
    }
    ck_assert_uint_eq(seen_all, SADDLE_INLINE_BYTES);
    ck_assert_mem_eq(slots, before, bytes);
    free(before);
}
END_TEST

/* Without room in the queue they wait, and come in order. */
START_TEST(short_ones_without_room)
{
    uint32_t at = server->event_count, expected = 0;

    server->hold = true;
    for (uint32_t i = 0; i < 2 * APP_ENTRIES; i++) {
        send(0, 1 + i % SADDLE_INLINE_BYTES, 0, 100 + i);
        rig_step(rig);
        rig_step(rig);
    }
    rig_settle(rig);
    ck_assert_uint_eq(server->event_count, at);
    server->hold = false;
    rig_settle(rig);
    for (; at < server->event_count; at++)
        if (server->events[at].type == SADDLE_EVT_MESSAGE)
            ck_assert_uint_eq(server->events[at].len, 1 + expected++ % SADDLE_INLINE_BYTES);
    ck_assert_uint_eq(expected, 2 * APP_ENTRIES);
}
END_TEST

/* A damaged one fails by itself; those around it arrive. */
START_TEST(a_short_one_that_was_damaged)
{
    uint32_t at = server->event_count;

    send(0, 8, 0, 10);
    rig_settle(rig);
    rig->corrupt_per_million = 1000000;
    send(0, 9, 0, 11);
    while (rig->damaged == 0)
        ck_assert(rig_step(rig));
    rig->corrupt_per_million = 0;
    rig_settle(rig);
    send(0, 10, 0, 12);
    rig_settle(rig);
    saw(&at, 8, 10, 0);
    ck_assert_int_eq(app_done(client, 11)->status, -EBADMSG);
    ck_assert_int_eq(app_done(client, 12)->status, 0);
}
END_TEST

/* A packet with the first message of stream 1 is late: only what is ordered behind it waits. */
START_TEST(streams_do_not_wait_for_each_other)
{
    uint32_t at = server->event_count;

    send(1, 101, 0, 10);
    while (rig->packet_count == 0)
        rig_step(rig);
    struct rig_packet late = rig->packets[--rig->packet_count];
    ck_assert_uint_eq(late.to, 0);
    send(1, 102, 0, 11);
    send(1, 103, SADDLE_ENTRY_UNORDERED, 12);
    send(2, 104, 0, 13);
    rig_settle(rig);
    saw(&at, 103, 104, 0);
    ck_assert_int_eq(app_done(client, 11)->status, 0); /* it lies there, and waits */
    rig->packets[rig->packet_count++] = late;
    rig_settle(rig);
    saw(&at, 101, 102, 0);
}
END_TEST

/* The buffer's deadline passes while the PULL that was said for it is late. */
START_TEST(a_pull_that_its_failure_overtakes)
{
    bool unordered = _i;

    send(0, LARGE, unordered ? SADDLE_ENTRY_UNORDERED : 0, 10);
    rig_settle(rig);
    post(LARGE, 1000000, 20);
    while (rig->packet_count == 0)
        rig_step(rig);
    struct rig_packet late = rig->packets[--rig->packet_count];
    ck_assert_uint_eq(late.to, 1);
    rig_advance(rig, 2000000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 20)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(client, 10)->status, -ETIMEDOUT);
    rig->packets[rig->packet_count++] = late;
    rig_settle(rig);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.peer_violations, 0);
    send(0, 100, 0, 11);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 11)->status, 0);
    ck_assert_uint_eq(server->session->free_count, APP_SLOTS);
}
END_TEST

static uint64_t recent(struct rng *rng, uint32_t i)
{
    return i - rng_below(rng, i < 8 ? i + 1 : 8);
}

/* Are there more buffers posted than a library would allow, which leaves room for other events? */
static bool enough_posted(void)
{
    return rig->hosts[0].upper.counters.operations >= APP_ENTRIES / 2;
}

static void storm_of(struct rng *rng, uint32_t i)
{
    const uint32_t lengths[] = {10, 900, 9000, 20000, LARGE};
    struct saddle_command command = {
        .op = SADDLE_CMD_SEND,
        .flags = rng_chance(rng, 600000) ? SADDLE_ENTRY_UNORDERED : 0,
        .handle = outgoing,
        .stream = (uint16_t)rng_below(rng, 3),
        .buf = client->config.heap_offset,
        .len = lengths[rng_below(rng, 5)],
        .tag = 1000 + i,
        .timeout_ns = rng_chance(rng, 300000) ? 1 + rng_below(rng, 300000) : 0,
    };

    ck_assert(app_submit(client, &command));
    if (command.len > SADDLE_EAGER_MAX && !enough_posted()) {
        command = (struct saddle_command){
            .op = SADDLE_CMD_POST_RECV,
            .handle = incoming,
            .buf = server->config.heap_offset,
            .len = LARGE,
            .tag = 10000 + i,
            .timeout_ns = rng_chance(rng, 200000) ? 1 + rng_below(rng, 300000) : 0,
        };
        ck_assert(app_submit(server, &command));
    }
    if (rng_chance(rng, 200000)) {
        command = (struct saddle_command){.op = SADDLE_CMD_CANCEL,
                                          .key = 1000 + recent(rng, i),
                                          .tag = 20000 + i};
        ck_assert(app_submit(client, &command));
    }
    if (rng_chance(rng, 100000)) {
        command = (struct saddle_command){.op = SADDLE_CMD_CANCEL,
                                          .key = 10000 + recent(rng, i),
                                          .tag = 30000 + i};
        ck_assert(app_submit(server, &command));
    }
}

/* Deadlines, cancels, damage and reloads: every message ends once, and no slot is lost. */
START_TEST(slots_come_back)
{
    struct rng rng;
    uint32_t ends[5] = {0};

    rng_init_u64(&rng, (uint64_t)_i, 5);
    rig->decline_per_million = 50000;
    rig->corrupt_per_million = 20000;
    for (uint32_t i = 0; i < STORM; i++) {
        storm_of(&rng, i);
        for (uint64_t steps = rng_below(&rng, 8); steps > 0; steps--)
            rig_step(rig);
        if (i % 8 == 7)
            rig_settle(rig);
        if (rng_chance(&rng, 30000)) {
            rig_reload(rig, (uint32_t)rng_below(&rng, RIG_HOSTS));
            rig_check(rig);
        }
    }
    rig_settle(rig);
    /* Whatever still waits for a buffer gets one. */
    for (uint32_t i = 0; rig->hosts[1].upper.counters.operations > 0; i++) {
        ck_assert_uint_lt(i, STORM);
        if (!enough_posted())
            post(LARGE, 0, 40000 + i);
        rig_settle(rig);
    }
    for (uint32_t i = 0; i < STORM; i++) {
        int status = app_done(client, 1000 + i)->status;
        ends[0] += status == 0;
        ends[1] += status == -ETIMEDOUT;
        ends[2] += status == -ECANCELED;
        ends[3] += status == -EBADMSG;
    }
    ck_assert_uint_eq(ends[0] + ends[1] + ends[2] + ends[3], STORM);
    ck_assert_uint_gt(ends[0], STORM / 2);
    ck_assert_uint_gt(ends[1] + ends[2], 0);
    ck_assert_uint_eq(server->session->free_count, APP_SLOTS);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.peer_violations, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.peer_violations, 0);
}
END_TEST

static int status_of(uint8_t op, uint32_t len, uint8_t flags, uint64_t tag)
{
    const struct saddle_command command = {
        .op = op,
        .flags = flags,
        .handle = outgoing,
        .buf = client->config.heap_offset,
        .len = len,
        .key = 1,
        .timeout_ns = 1,
        .tag = tag,
    };

    ck_assert(app_submit(client, &command));
    rig_settle(rig);
    return app_done(client, tag)->status;
}

/* Buffers that are too small for all that waits, beside a stream of small messages; then each gets
 * what it has room for, in the order in which it was told of. */
static void many_of_both(uint8_t order)
{
    enum { EACH = APP_ENTRIES - 8, MESSAGES = 300 };
    uint32_t at = 0;

    teardown();
    rig = rig_create(1, 8 * APP_ENTRIES);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
    for (uint32_t i = 0; i < EACH; i++) {
        send(0, LARGE - i, order, 1000 + i);
        rig_settle(rig);
        post(100 + i, 0, 2000 + i);
        rig_settle(rig);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        send(1, 100, SADDLE_ENTRY_UNORDERED, 3000 + i);
        rig_settle(rig);
        ck_assert_int_eq(app_done(client, 3000 + i)->status, 0);
    }
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_DONE, 2000));
    /* Only the last ones are small enough for this one: the first of these. */
    post(LARGE - EACH + 4, 0, 4000);
    rig_settle(rig);
    for (uint32_t i = 0; i + 1 < EACH; i++) {
        post(LARGE, 0, 5000 + i);
        rig_settle(rig);
    }
    for (uint32_t i = 0; i < EACH; i++)
        ck_assert_int_eq(app_done(client, 1000 + i)->status, 0);
    ck_assert_uint_eq(app_done(server, 4000)->len, LARGE - EACH + 4);
    for (uint32_t i = 0, from = 0; i + 1 < EACH; i++, from++) {
        from += from == EACH - 4;
        ck_assert_uint_eq(app_done(server, 5000 + i)->len, LARGE - from);
    }
    at = 0;
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_DONE, 2000));
}

START_TEST(many_offers_and_buffers)
{
    many_of_both(_i ? SADDLE_ENTRY_UNORDERED : 0);
}
END_TEST

START_TEST(a_peer_of_the_version_before)
{
    rig->hosts[1].flow.says.features = WIRE_FEATURE_ECHO | WIRE_FEATURE_ONESIDED;
    ck_assert_int_eq(status_of(SADDLE_CMD_SEND, 10, SADDLE_ENTRY_UNORDERED, 10), -EOPNOTSUPP);
    ck_assert_int_eq(status_of(SADDLE_CMD_READ_INDIRECT, WIRE_MESSAGE_BASE + 1, 0, 9), -EOPNOTSUPP);
    ck_assert_int_eq(status_of(SADDLE_CMD_READ_INDIRECT, WIRE_MESSAGE_BASE, 0, 8), -ETIMEDOUT);
    ck_assert_int_eq(status_of(SADDLE_CMD_SEND, WIRE_MESSAGE_BASE + 1, 0, 11), -EOPNOTSUPP);
    ck_assert_int_eq(status_of(SADDLE_CMD_READ, WIRE_MESSAGE_BASE + 1, 0, 12), -EOPNOTSUPP);
    ck_assert_int_eq(status_of(SADDLE_CMD_WRITE, UINT32_MAX, 0, 13), -EOPNOTSUPP);
    ck_assert_int_eq(status_of(SADDLE_CMD_SEND, WIRE_MESSAGE_BASE, 0, 14), -ETIMEDOUT);
    ck_assert_int_eq(status_of(SADDLE_CMD_READ, WIRE_MESSAGE_BASE, 0, 15), -ETIMEDOUT);
}
END_TEST

/* Another application on a host, with a library of the version before. */
static struct app *join_older(uint32_t host)
{
    struct app *app = app_create_large(102, host, APP_SLOTS, LARGE_HEAP);

    app->config.abi = SADDLE_ABI_MESSAGES - 1;
    app_renew(app);
    rig_join(rig, app);
    return app;
}

/* An older library never hears of what it does not know. */
START_TEST(a_session_of_the_version_before)
{
    uint32_t at = 0;

    server = join_older(0);
    app_listen(server, "again", 51);
    rig_settle(rig);
    app_connect(client, "again", 52);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 51)->handle,
        .tag = 53,
    };
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    outgoing = app_done(client, 52)->handle;
    incoming = accept.handle;
    send(0, WIRE_MESSAGE_BASE + 1, 0, 10);
    send(0, 100, SADDLE_ENTRY_UNORDERED, 11);
    send(0, LARGE, SADDLE_ENTRY_UNORDERED, 12);
    post(LARGE, 0, 20);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, -EMSGSIZE);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_MESSAGE, 53);
    ck_assert_uint_eq(event->flags, SADDLE_ENTRY_SLOT);
    ck_assert_uint_eq(app_done(server, 20)->flags, 0);
    for (uint32_t i = at; i < server->event_count; i++)
        ck_assert_uint_ne(server->events[i].type, SADDLE_EVT_WAITING);
    const struct saddle_command cases[] = {
        {.op = SADDLE_CMD_SEND, .len = WIRE_MESSAGE_BASE + 1, .tag = 60},
        {.op = SADDLE_CMD_WRITE, .len = WIRE_MESSAGE_BASE + 1, .tag = 61},
    };
    for (uint32_t i = 0; i < 2; i++) {
        struct saddle_command command = cases[i];
        command.handle = incoming;
        command.buf = server->config.heap_offset;
        ck_assert(app_submit(server, &command));
        rig_settle(rig);
        ck_assert_int_eq(app_done(server, cases[i].tag)->status, -EINVAL);
    }
}
END_TEST

START_TEST(what_a_session_of_the_version_before_cannot_ask)
{
    const struct saddle_command lies[] = {
        {.op = SADDLE_CMD_CANCEL},
        {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_UNORDERED},
        {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_GATHER},
    };
    struct app *other = join_older(1);

    ck_assert(app_submit(other, &lies[_i]));
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(other->session), -EPROTO);
}
END_TEST

START_TEST(longer_than_the_peers_heap)
{
    struct app *small = rig_attach(rig, 0, APP_SLOTS);
    uint32_t at = 0;

    app_listen(small, "small", 51);
    rig_settle(rig);
    app_connect(client, "small", 52);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(small, &at, SADDLE_EVT_INCOMING, 51)->handle,
        .tag = 53,
    };
    ck_assert(app_submit(small, &accept));
    rig_settle(rig);
    outgoing = app_done(client, 52)->handle;
    send(0, APP_HEAP + 1, 0, 10);
    send(0, APP_HEAP, 0, 11);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, -EMSGSIZE);
    ck_assert_uint_eq(app_event(small, &at, SADDLE_EVT_WAITING, 53)->value, APP_HEAP);
    ck_assert_ptr_null(app_event(small, &at, SADDLE_EVT_WAITING, 53));
}
END_TEST

static bool ends_match(uint32_t len)
{
    return memcmp(app_heap(server, 0), app_heap(client, 0), 4096) == 0 &&
           memcmp(app_heap(server, len - 4096), app_heap(client, len - 4096), 4096) == 0;
}

START_TEST(over_64_mib)
{
    app_pattern(client, 0, 4096, 1);
    app_pattern(client, OVER - 4096, 4096, 2);
    post(LARGE, 0, 19); /* which is too small, and stays */
    post(OVER, 0, 20);
    send(0, OVER, 0, 10);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert_int_eq(app_done(server, 20)->status, 0);
    ck_assert_uint_eq(app_done(server, 20)->len, OVER);
    ck_assert(ends_match(OVER));
    send(0, LARGE, 0, 11);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 19)->len, LARGE);
}
END_TEST

static void inject(struct wire_op op, const void *payload)
{
    struct rig_host *host = &rig->hosts[0];
    uint8_t bytes[RIG_ROOM];
    struct packet packet = {.bytes = bytes, .room = sizeof(bytes)};

    ck_assert(packet_put(&packet, &op, payload));
    ck_assert(upper_flow_ops.admit(&host->upper, &host->flow, bytes, packet.used));
    upper_flow_ops.deliver(&host->upper, &host->flow, bytes, packet.used, rig->now);
}

/* The longest that there can be: its last bytes lie where they belong, and none behind. */
START_TEST(the_last_bytes_of_the_longest)
{
    struct wire_op op = {.type = WIRE_OP_OFFER, .offset = UINT32_MAX, .connection = incoming};
    uint32_t at = server->event_count;

    inject(op, NULL);
    rig_settle(rig);
    ck_assert_uint_eq(app_event(server, &at, SADDLE_EVT_WAITING, 3)->value, UINT32_MAX);
    post(UINT32_MAX, 0, 20);
    rig_step(rig);
    rig->packet_count = 0; /* its PULL: nobody has offered */
    op = (struct wire_op){.type = WIRE_OP_BULK,
                          .length = 5,
                          .flags = WIRE_OP_LAST,
                          .offset = UINT32_MAX - 5,
                          .connection = incoming};
    inject(op, "hello");
    ck_assert_mem_eq(app_heap(server, UINT32_MAX - 5), "hello\0", 6);
    op.offset++;
    inject(op, "hello");
    ck_assert_mem_eq(app_heap(server, UINT32_MAX - 5), "hello\0", 6);
    rig->packet_count = 0;
    rig_step(rig);
    ck_assert_int_eq(app_done(server, 20)->status, -EPROTO);
}
END_TEST

/* What no honest sender says of unordered messages. */
START_TEST(lies_about_unordered_messages)
{
    static const struct wire_op said[][3] = {
        /* SKIP twice */
        {{.type = WIRE_OP_SKIP, .offset = 9}, {.type = WIRE_OP_SKIP, .offset = 9}},
        /* of one that is complete, and waits to be told of: see below */
        {{.type = WIRE_OP_OFFER, .offset = LARGE}, {.type = WIRE_OP_MESSAGE, .length = 1}},
        {{.type = WIRE_OP_OFFER, .offset = LARGE}, {.type = WIRE_OP_OFFER, .offset = LARGE}},
        {{.type = WIRE_OP_MESSAGE, .length = 1}, {.type = WIRE_OP_BULK, .length = 1}},
    };
    uint32_t at = 0;

    for (uint32_t i = 0; i < 2; i++) {
        struct wire_op op = said[_i][i];
        op.flags |= WIRE_OP_UNORDERED;
        op.connection = incoming;
        inject(op, "x");
    }
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -EPROTO);
}
END_TEST

/* In any order: the slot is free when the SKIP and all it counts are here, and not before. */
START_TEST(what_skip_counts)
{
    static const struct wire_op said[][3] = {
        {{.type = WIRE_OP_MESSAGE, .length = 4},
         {.type = WIRE_OP_MESSAGE, .length = 3, .offset = 4},
         {.type = WIRE_OP_SKIP, .offset = 7}},
        {{.type = WIRE_OP_SKIP, .offset = 7},
         {.type = WIRE_OP_MESSAGE, .length = 3, .offset = 4},
         {.type = WIRE_OP_MESSAGE, .length = 4}},
        {{.type = WIRE_OP_SKIP, .flags = WIRE_OP_LAST}, {.type = WIRE_OP_OFFER, .offset = LARGE}},
        {{.type = WIRE_OP_OFFER, .offset = LARGE}, {.type = WIRE_OP_SKIP, .flags = WIRE_OP_LAST}},
        {{.type = WIRE_OP_SKIP, .offset = 7, .flags = WIRE_OP_LAST},
         {.type = WIRE_OP_BULK, .length = 7},
         {.type = WIRE_OP_OFFER, .offset = LARGE}},
    };
    struct connection *connection = connection_find(&rig->hosts[0].upper, incoming);
    uint32_t count = said[_i][2].type ? 3 : 2;

    for (uint32_t i = 0; i < count; i++) {
        struct wire_op op = said[_i][i];
        op.flags |= WIRE_OP_UNORDERED;
        op.connection = incoming;
        inject(op, "payload");
        upper_notices(&rig->hosts[0].upper);
        rig->packet_count = 0; /* answers: the other side knows of nothing */
        ck_assert_uint_eq(connection->held, 1);
    }
    ck_assert_int_eq(connection->state, CONNECTION_OPEN);
    rig_reload(rig, 0); /* with the answer still due */
    connection = connection_find(&rig->hosts[0].upper, incoming);
    ck_assert_uint_eq(connection->held, 1);
    uint8_t ops[RIG_ROOM];
    ck_assert_uint_gt(
        upper_flow_ops.fill(&rig->hosts[0].upper, &rig->hosts[0].flow, ops, RIG_ROOM, rig->now), 0);
    ck_assert_uint_eq(connection->held, 0);
    rig_check(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *order = tcase_create("order");
    TCase *length = tcase_create("length");
    SRunner *runner;
    int failed;

    tcase_set_timeout(order, 60);
    tcase_add_checked_fixture(order, setup, teardown);
    tcase_add_test(order, unordered_ones_do_not_wait);
    tcase_add_test(order, ordered_ones_do_not_wait_for_them);
    tcase_add_test(order, short_ones_keep_their_turn);
    tcase_add_test(order, a_short_one_says_no_more_than_it_is);
    tcase_add_test(order, short_ones_without_room);
    tcase_add_test(order, a_short_one_that_was_damaged);
    tcase_add_test(order, streams_do_not_wait_for_each_other);
    tcase_add_loop_test(order, a_pull_that_its_failure_overtakes, 0, 2);
    tcase_add_loop_test(order, slots_come_back, 0, 12);
    tcase_add_loop_test(order, what_a_session_of_the_version_before_cannot_ask, 0, 3);
    tcase_add_loop_test(order, lies_about_unordered_messages, 0, 4);
    tcase_add_loop_test(order, what_skip_counts, 0, 5);
    suite_add_tcase(suite, order);
    tcase_set_timeout(length, 60);
    tcase_add_checked_fixture(length, setup_large, teardown);
    tcase_add_loop_test(length, many_offers_and_buffers, 0, 2);
    tcase_add_test(length, a_peer_of_the_version_before);
    tcase_add_test(length, a_session_of_the_version_before);
    tcase_add_test(length, longer_than_the_peers_heap);
    tcase_add_test(length, over_64_mib);
    tcase_add_test(length, the_last_bytes_of_the_longest);
    suite_add_tcase(suite, length);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
