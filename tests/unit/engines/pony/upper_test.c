/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The operation layer as a whole: two of them, packets in any order. */
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FLOOD 1000u /* messages of each side */

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

static void teardown(void)
{
    rig_check(rig);
    rig_destroy(rig);
}

static void post(struct app *app, uint32_t handle, uint64_t at, uint32_t len, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = handle,
        .buf = app->config.heap_offset + at,
        .len = len,
        .tag = tag,
    };

    ck_assert(app_submit(app, &command));
}

START_TEST(small_message)
{
    uint32_t at = 0;
    struct saddle_command send = {
        .op = SADDLE_CMD_SEND,
        .flags = SADDLE_ENTRY_INLINE,
        .handle = outgoing,
        .len = 5,
        .tag = 10,
        .payload = "hello",
    };

    ck_assert(app_submit(client, &send));
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_MESSAGE, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(event->len, 5);
    ck_assert_mem_eq(event->payload, "hello", 5);
    ck_assert_uint_eq(event->handle, incoming);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
}
END_TEST

START_TEST(eager_message_in_a_slot)
{
    uint32_t at = 0;

    client->keep = server->keep = true;
    app_pattern(client, 0, SADDLE_EAGER_MAX, 1);
    app_send(client, outgoing, 3, 0, SADDLE_EAGER_MAX, 10);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_MESSAGE, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->flags, SADDLE_ENTRY_SLOT);
    ck_assert_uint_eq(event->stream, 3);
    ck_assert_uint_eq(event->len, SADDLE_EAGER_MAX);
    ck_assert(app_matches(server->arena + event->buf, event->len, 1));
    ck_assert_uint_eq(server->session->slots[event->slot].state, SLOT_LENT);
    const struct saddle_command release = {.op = SADDLE_CMD_RELEASE, .slot = event->slot};
    ck_assert(app_submit(server, &release));
    rig_settle(rig);
    ck_assert_uint_eq(server->session->slots[event->slot].state, SLOT_FREE);
    ck_assert_int_eq(pony_session_error(server->session), 0);
}
END_TEST

START_TEST(large_message_into_a_posted_buffer)
{
    const uint32_t len = 300000;
    uint32_t at = 0;

    app_pattern(client, 0, len, 2);
    app_send(client, outgoing, 1, 0, len, 10);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_WAITING, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->value, len);
    post(server, incoming, 1000, len - 1, 20);
    rig_settle(rig);
    post(server, incoming, 500000, len + 5, 21);
    rig_settle(rig);
    event = app_done(server, 21);
    ck_assert_int_eq(event->status, 0);
    ck_assert_uint_eq(event->len, len);
    ck_assert_uint_eq(event->stream, 1);
    ck_assert(app_matches(app_heap(server, 500000), len, 2));
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_WAITING, 3));
}
END_TEST

START_TEST(many_messages_stay_in_order)
{
    const uint32_t count = 300;
    uint32_t sent = 0, seen[4] = {0};

    for (uint32_t i = 0; i < 40; i++)
        post(server, incoming, i * 20000, 20000, 1000 + i);
    while (sent < count) {
        uint32_t len = sent % 10 == 9 ? 17000 + sent : 1 + sent * 37 % 3000;
        app_pattern(client, sent % 64 * 20000, len, sent);
        app_send(client, outgoing, sent % 4, sent % 64 * 20000, len, 10 + sent);
        if (++sent % 32 == 0)
            rig_settle(rig);
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(app_done(client, 10 + i)->status, 0);
    for (uint32_t i = 0; i < server->event_count; i++) {
        const struct saddle_event *event = &server->events[i];
        bool large = event->type == SADDLE_EVT_DONE && event->op == SADDLE_CMD_POST_RECV;
        if (event->type != SADDLE_EVT_MESSAGE && !large)
            continue;
        uint32_t expected = seen[event->stream]++ * 4 + event->stream;
        uint32_t len = expected % 10 == 9 ? 17000 + expected : 1 + expected * 37 % 3000;
        ck_assert_uint_eq(event->len, len);
    }
    ck_assert_uint_eq(seen[0] + seen[1] + seen[2] + seen[3], count);
}
END_TEST

static uint64_t expose(struct app *app, uint64_t at, uint32_t len, uint32_t rights, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = app->config.heap_offset + at,
        .len = len,
        .key = rights,
        .tag = tag,
    };

    ck_assert(app_submit(app, &command));
    rig_settle(rig);
    ck_assert_int_eq(app_done(app, tag)->status, 0);
    return app_done(app, tag)->value;
}

static void onesided(uint8_t op, uint64_t key, uint64_t remote, uint64_t at, uint32_t len,
                     uint64_t tag)
{
    const struct saddle_command command = {
        .op = op,
        .handle = outgoing,
        .buf = client->config.heap_offset + at,
        .len = len,
        .key = key,
        .remote_offset = remote,
        .tag = tag,
    };

    ck_assert(app_submit(client, &command));
}

START_TEST(read_and_write)
{
    const uint32_t len = 200000;

    app_pattern(server, 0, len, 5);
    app_pattern(client, len, len, 6);
    uint64_t key = expose(server, 0, 2 * len, SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE, 20);
    onesided(SADDLE_CMD_READ, key, 0, 0, len, 30);
    onesided(SADDLE_CMD_WRITE, key, len, len, len, 31);
    onesided(SADDLE_CMD_READ, key, 1, 3 * len, 1, 32);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 30)->status, 0);
    ck_assert_int_eq(app_done(client, 31)->status, 0);
    ck_assert_int_eq(app_done(client, 32)->status, 0);
    ck_assert(app_matches(app_heap(client, 0), len, 5));
    ck_assert(app_matches(app_heap(server, len), len, 6));
    ck_assert_uint_eq(*app_heap(client, 3 * len), *app_heap(server, 1));
}
END_TEST

START_TEST(access_is_checked)
{
    uint64_t key = expose(server, 0, 1000, SADDLE_RIGHT_READ, 20);
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE, .key = key, .tag = 21};

    onesided(SADDLE_CMD_READ, key ^ (1ull << 40), 0, 0, 8, 30);
    onesided(SADDLE_CMD_WRITE, key, 0, 0, 8, 31);
    onesided(SADDLE_CMD_READ, key, 993, 0, 8, 32);
    onesided(SADDLE_CMD_READ, key, UINT64_MAX - 3, 0, 8, 33);
    onesided(SADDLE_CMD_READ, key, 992, 0, 8, 34);
    rig_settle(rig);
    ck_assert(app_submit(server, &revoke));
    rig_settle(rig);
    onesided(SADDLE_CMD_READ, key, 0, 0, 8, 35);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 30)->status, -EACCES);
    ck_assert_int_eq(app_done(client, 31)->status, -EACCES);
    ck_assert_int_eq(app_done(client, 32)->status, -ERANGE);
    ck_assert_int_eq(app_done(client, 33)->status, -ERANGE);
    ck_assert_int_eq(app_done(client, 34)->status, 0);
    ck_assert_int_eq(app_done(client, 35)->status, -EACCES);
}
END_TEST

START_TEST(revoked_in_the_middle)
{
    const uint32_t len = 2000000;
    uint64_t key = expose(server, 0, len, SADDLE_RIGHT_READ, 20);
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE, .key = key, .tag = 21};

    onesided(SADDLE_CMD_READ, key, 0, 0, len, 30);
    for (uint32_t i = 0; i < 20; i++)
        rig_step(rig);
    ck_assert(app_submit(server, &revoke));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 30)->status, -EACCES);
}
END_TEST

START_TEST(close_delivers_first)
{
    const struct saddle_command close = {.op = SADDLE_CMD_CLOSE, .handle = outgoing, .tag = 50};
    uint32_t at = 0;

    for (uint32_t i = 0; i < 50; i++)
        app_send(client, outgoing, 0, 0, 2000, 100 + i);
    ck_assert(app_submit(client, &close));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 50)->status, 0);
    for (uint32_t i = 0; i < 50; i++) {
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
        ck_assert_ptr_nonnull(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
    }
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, 0);
    app_send(client, outgoing, 0, 0, 10, 60);
    app_send(server, incoming, 0, 0, 10, 61);
    const struct saddle_command again = {.op = SADDLE_CMD_CLOSE, .handle = incoming, .tag = 62};
    ck_assert(app_submit(server, &again));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 60)->status, -EBADF);
    ck_assert_int_eq(app_done(server, 61)->status, -ENOTCONN);
    ck_assert_int_eq(app_done(server, 62)->status, 0);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.connections, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
    ck_assert_uint_eq(rig->hosts[0].flow.references, 0);
}
END_TEST

START_TEST(both_close_at_once)
{
    const struct saddle_command one = {.op = SADDLE_CMD_CLOSE, .handle = outgoing, .tag = 50};
    const struct saddle_command two = {.op = SADDLE_CMD_CLOSE, .handle = incoming, .tag = 51};

    ck_assert(app_submit(client, &one));
    ck_assert(app_submit(server, &two));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 50)->status, 0);
    ck_assert_int_eq(app_done(server, 51)->status, 0);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.connections, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
}
END_TEST

START_TEST(nobody_listens)
{
    app_connect(client, "nothing", 70);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 70)->status, -ECONNREFUSED);
}
END_TEST

START_TEST(rejected)
{
    uint32_t at = 0;

    app_connect(client, "echo", 70);
    rig_settle(rig);
    app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    const struct saddle_command reject = {.op = SADDLE_CMD_REJECT,
                                          .handle = event->handle,
                                          .tag = 71};
    ck_assert(app_submit(server, &reject));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 71)->status, 0);
    ck_assert_int_eq(app_done(client, 70)->status, -ECONNREFUSED);
}
END_TEST

START_TEST(connect_gives_up_and_is_accepted_later)
{
    uint32_t at = 0;
    struct saddle_command connect = {
        .op = SADDLE_CMD_CONNECT,
        .flags = SADDLE_ENTRY_INLINE,
        .len = 10,
        .tag = 70,
        .timeout_ns = 1000000,
        .payload = "peer\0echo",
    };

    ck_assert(app_submit(client, &connect));
    rig_settle(rig);
    rig_advance(rig, 2000000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 70)->status, -ETIMEDOUT);
    app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = event->handle,
                                          .tag = 71};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    event = app_event(server, &at, SADDLE_EVT_CLOSED, 71);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -ECANCELED);
}
END_TEST

START_TEST(timed_out_messages_are_skipped)
{
    uint32_t at = 0;
    struct saddle_command send = {
        .op = SADDLE_CMD_SEND,
        .handle = outgoing,
        .buf = client->config.heap_offset,
        .len = 100000,
        .tag = 80,
        .timeout_ns = 1000000,
    };

    ck_assert(app_submit(client, &send));
    rig_settle(rig);
    send.len = 100;
    send.tag = 81;
    send.timeout_ns = 0;
    ck_assert(app_submit(client, &send));
    rig_settle(rig);
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
    at = 0;
    rig_advance(rig, 2000000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 80)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(client, 81)->status, 0);
    ck_assert_ptr_nonnull(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
    post(server, incoming, 0, 1000000, 90);
    rig_settle(rig);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
}
END_TEST

START_TEST(deadlines_in_the_middle_of_transfers)
{
    uint64_t key = expose(server, 0, 2000000, SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE, 20);
    struct saddle_command command = {
        .handle = outgoing,
        .buf = client->config.heap_offset,
        .len = 2000000,
        .key = key,
        .timeout_ns = 100000,
    };

    post(server, incoming, 2000000, 2000000, 90);
    for (uint32_t i = 0; i < 3; i++) {
        static const uint8_t ops[] = {SADDLE_CMD_SEND, SADDLE_CMD_READ, SADDLE_CMD_WRITE};
        command.op = ops[i];
        command.tag = 100 + i;
        command.key = ops[i] == SADDLE_CMD_SEND ? 0 : key;
        ck_assert(app_submit(client, &command));
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, -ETIMEDOUT);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
    /* The posted buffer is free for the next message. */
    app_send(client, outgoing, 0, 0, 20000, 110);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 110)->status, 0);
    ck_assert_uint_eq(app_done(server, 90)->len, 20000);
}
END_TEST

START_TEST(posted_buffer_times_out)
{
    struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = 3000000,
        .timeout_ns = 100000,
        .tag = 90,
    };

    ck_assert(app_submit(server, &command));
    command.tag = 91;
    ck_assert(app_submit(server, &command));
    app_send(client, outgoing, 0, 0, 3000000, 100);
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 90)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(server, 91)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(client, 100)->status, -ETIMEDOUT);
    app_send(client, outgoing, 0, 0, 10, 101);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 101)->status, 0);
}
END_TEST

START_TEST(application_goes_away)
{
    uint32_t at = 0;

    post(server, incoming, 0, 2000000, 90);
    app_send(client, outgoing, 0, 0, 2000000, 100);
    app_send(client, outgoing, 1, 0, 16000, 101);
    for (uint32_t i = 0; i < 10; i++)
        rig_step(rig);
    rig_detach(rig, client);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -ECONNRESET);
    ck_assert_int_eq(app_done(server, 90)->status, -ECONNRESET);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
}
END_TEST

START_TEST(receiver_goes_away)
{
    uint32_t at = 0;

    post(server, incoming, 0, 2000000, 90);
    app_send(client, outgoing, 0, 0, 2000000, 100);
    for (uint32_t i = 0; i < 10; i++)
        rig_step(rig);
    rig_detach(rig, server);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 100)->status, -ECONNRESET);
    const struct saddle_event *event = app_event(client, &at, SADDLE_EVT_CLOSED, 2);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -ECONNRESET);
}
END_TEST

START_TEST(flow_ends)
{
    uint32_t at = 0;

    app_send(client, outgoing, 0, 0, 2000000, 100);
    app_connect(client, "echo", 101);
    for (uint32_t i = 0; i < 10; i++)
        rig_step(rig);
    rig_break(rig, -ETIMEDOUT);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 100)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(client, 101)->status, -ETIMEDOUT);
    const struct saddle_event *event = app_event(client, &at, SADDLE_EVT_CLOSED, 2);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -ETIMEDOUT);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
}
END_TEST

/* Connections that there were are over; one that was being called is called again, once. */
START_TEST(a_call_survives_one_reset)
{
    uint32_t at = 0;

    app_send(client, outgoing, 0, 0, 2000000, 100);
    app_connect(client, "echo", 101);
    for (uint32_t i = 0; i < (uint32_t)_i * 2; i++)
        rig_step(rig);
    upper_commands(&rig->hosts[1].upper, rig->now);
    rig_reset(rig);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 100)->status, -ECONNRESET);
    ck_assert_int_eq(app_event(client, &at, SADDLE_EVT_CLOSED, 2)->status, -ECONNRESET);
    at = 0;
    ck_assert_ptr_null(app_event(client, &at, SADDLE_EVT_DONE, 101));
    const struct saddle_event *event;
    const struct saddle_event *last = NULL;
    for (at = 0; (event = app_event(server, &at, SADDLE_EVT_INCOMING, 1));)
        last = event;
    ck_assert_ptr_nonnull(last);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = last->handle,
                                          .tag = 102};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 102)->status, 0);
    ck_assert_int_eq(app_done(client, 101)->status, 0);
    app_connect(client, "echo", 103);
    upper_commands(&rig->hosts[1].upper, rig->now);
    rig_reset(rig);
    rig_reset(rig);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 103)->status, -ECONNRESET);
}
END_TEST

START_TEST(lazy_application_stalls_only_itself)
{
    struct app *other = rig_attach(rig, 1, APP_SLOTS);
    struct app *other_server = rig_attach(rig, 0, APP_SLOTS);
    uint32_t at = 0;

    server->hold = true;
    for (uint32_t i = 0; i < 60; i++)
        app_send(client, outgoing, 0, 0, 1000, 100 + i);
    rig_settle(rig);
    app_listen(other_server, "other", 1);
    app_connect(other, "other", 2);
    rig_settle(rig);
    ck_assert_ptr_nonnull(app_event(other_server, &at, SADDLE_EVT_INCOMING, 1));
    server->hold = false;
    rig_settle(rig);
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
}
END_TEST

START_TEST(more_connections_than_slots)
{
    enum { CALLERS = 30, ROUNDS = 5 };
    uint32_t handles[CALLERS], at = 0;

    for (uint32_t i = 0; i < CALLERS; i++) {
        app_connect(client, "echo", 1000 + i);
        rig_settle(rig);
    }
    for (uint32_t i = 0; i < server->event_count; i++) {
        const struct saddle_event *event = &server->events[i];
        if (event->type != SADDLE_EVT_INCOMING || event->handle == incoming)
            continue;
        const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                              .handle = event->handle,
                                              .tag = 2000 + at++};
        ck_assert(app_submit(server, &accept));
        rig_settle(rig);
    }
    for (uint32_t i = 0; i < CALLERS; i++)
        handles[i] = app_done(client, 1000 + i)->handle;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < CALLERS; i++)
            app_send(client, handles[i], 0, 0, 3000, 3000 + round * CALLERS + i);
        rig_settle(rig);
        rig_check(rig);
    }
    for (uint32_t i = 0; i < ROUNDS * CALLERS; i++)
        ck_assert_int_eq(app_done(client, 3000 + i)->status, 0);
}
END_TEST

START_TEST(damage_fails_operations_and_nothing_else)
{
    uint32_t failed = 0;

    rig->corrupt_per_million = 20000;
    rig->decline_per_million = 100000;
    uint64_t key = expose(server, 0, 100000, SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE, 20);
    for (uint32_t i = 0; i < 400; i++) {
        if (i % 4 == 0)
            onesided(SADDLE_CMD_READ, key, 0, 100000, 50000, 100 + i);
        else if (i % 4 == 1)
            onesided(SADDLE_CMD_WRITE, key, 0, 200000, 50000, 100 + i);
        else
            app_send(client, outgoing, i % 3, 0, 5000, 100 + i);
        if (i % 16 == 15)
            rig_settle(rig);
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < 400; i++) {
        int status = app_done(client, 100 + i)->status;
        ck_assert(status == 0 || status == -EBADMSG);
        failed += status != 0;
    }
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_lt(failed, 400);
    rig->corrupt_per_million = 0;
    app_send(client, outgoing, 0, 0, 5000, 1000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 1000)->status, 0);
}
END_TEST

/* Sends as long as the queue takes more, as far as `limit` allows; gives slots back first. */
static void flood(struct app *app, uint32_t handle, uint32_t *sent, uint32_t limit,
                  uint32_t *released)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < app->event_count; i++)
        done += app->events[i].type == SADDLE_EVT_DONE && app->events[i].tag >= 5000;
    for (; *released < app->event_count; (*released)++) {
        const struct saddle_event *event = &app->events[*released];
        const struct saddle_command release = {.op = SADDLE_CMD_RELEASE, .slot = event->slot};
        if ((event->flags & SADDLE_ENTRY_SLOT) && !app_submit(app, &release))
            return;
    }
    while (*sent < FLOOD && *sent - done < limit) {
        const struct saddle_command send = {
            .op = SADDLE_CMD_SEND,
            .handle = handle,
            .buf = app->config.heap_offset,
            .len = 1000,
            .tag = 5000 + *sent,
        };
        if (!app_submit(app, &send))
            return;
        (*sent)++;
    }
}

/* The library leaves room for one event at least in a queue of completions. */
START_TEST(two_floods_meet)
{
    static const uint32_t limits[] = {1, APP_ENTRIES / 2, APP_ENTRIES - 1};
    uint32_t sent[2] = {0}, released[2] = {0}, limit = limits[_i];

    server->keep = client->keep = true;
    released[0] = server->event_count;
    released[1] = client->event_count;
    for (uint32_t i = 0; i < 20000 && (sent[0] < FLOOD || sent[1] < FLOOD); i++) {
        flood(server, incoming, &sent[0], limit, &released[0]);
        flood(client, outgoing, &sent[1], limit, &released[1]);
        rig_step(rig);
    }
    ck_assert_uint_eq(sent[0], FLOOD);
    ck_assert_uint_eq(sent[1], FLOOD);
    for (uint32_t i = 0; i < 200; i++) {
        flood(server, incoming, &sent[0], 0, &released[0]);
        flood(client, outgoing, &sent[1], 0, &released[1]);
        rig_step(rig);
    }
    for (uint32_t i = 0; i < FLOOD; i++) {
        ck_assert_int_eq(app_done(server, 5000 + i)->status, 0);
        ck_assert_int_eq(app_done(client, 5000 + i)->status, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upper");
    TCase *tcase = tcase_create("pair");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, small_message);
    tcase_add_test(tcase, eager_message_in_a_slot);
    tcase_add_test(tcase, large_message_into_a_posted_buffer);
    tcase_add_test(tcase, many_messages_stay_in_order);
    tcase_add_test(tcase, read_and_write);
    tcase_add_test(tcase, access_is_checked);
    tcase_add_test(tcase, revoked_in_the_middle);
    tcase_add_test(tcase, close_delivers_first);
    tcase_add_test(tcase, both_close_at_once);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, rejected);
    tcase_add_test(tcase, connect_gives_up_and_is_accepted_later);
    tcase_add_test(tcase, timed_out_messages_are_skipped);
    tcase_add_test(tcase, deadlines_in_the_middle_of_transfers);
    tcase_add_test(tcase, posted_buffer_times_out);
    tcase_add_test(tcase, application_goes_away);
    tcase_add_test(tcase, receiver_goes_away);
    tcase_add_test(tcase, flow_ends);
    tcase_add_loop_test(tcase, a_call_survives_one_reset, 0, 3);
    tcase_add_test(tcase, lazy_application_stalls_only_itself);
    tcase_add_test(tcase, more_connections_than_slots);
    tcase_add_test(tcase, damage_fails_operations_and_nothing_else);
    tcase_add_loop_test(tcase, two_floods_meet, 0, 3);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
