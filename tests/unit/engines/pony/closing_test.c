/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Two sides that offer and close at the same time, packets in any order: what the simulator once
 * found wrong. */
#include "engines/pony/connection.h"
#include "engines/pony/stream.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SMALL    20000u  /* bytes: over the eager size, waits for a buffer */
#define LARGE    300000u /* bytes */
#define SEEDS    60      /* orders of arrival */
#define DECLINED 500000  /* of a million packets come again, later */
#define STEPS    200     /* more than a close takes */
#define MESSAGES 20      /* on their way when the other side closes */
#define WRAP     10u     /* messages until numbers wrap */
#define WRAPPED  200u    /* messages sent across that */

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;

static void start(int seed)
{
    rig = rig_create((uint64_t)seed, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
}

static void end(void)
{
    rig_check(rig);
    rig_destroy(rig);
}

static void post(struct app *app, uint32_t handle, uint64_t at, uint64_t len, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = handle,
        .buf = app->config.heap_offset + at,
        .len = (uint32_t)len,
        .tag = tag,
    };

    ck_assert(app_submit(app, &command));
}

static void hang_up(struct app *app, uint32_t handle, uint64_t tag)
{
    const struct saddle_command command = {.op = SADDLE_CMD_CLOSE, .handle = handle, .tag = tag};

    ck_assert(app_submit(app, &command));
}

/* The large message of a late stream is told of first; the first buffer is meant for it. */
START_TEST(buffers_go_to_messages_in_the_order_told)
{
    const struct saddle_event *event;
    uint32_t at = 0;

    start(1);
    app_pattern(client, 0, LARGE, 1);
    app_pattern(client, LARGE, SMALL, 2);
    app_send(client, outgoing, 9, 0, LARGE, 10);
    rig_settle(rig);
    app_send(client, outgoing, 0, LARGE, SMALL, 11);
    rig_settle(rig);
    event = app_event(server, &at, SADDLE_EVT_WAITING, 3);
    ck_assert_uint_eq(event->value, LARGE);
    event = app_event(server, &at, SADDLE_EVT_WAITING, 3);
    ck_assert_uint_eq(event->value, SMALL);
    post(server, incoming, 0, LARGE, 20);
    post(server, incoming, LARGE, SMALL, 21);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert_int_eq(app_done(client, 11)->status, 0);
    ck_assert_uint_eq(app_done(server, 20)->stream, 9);
    ck_assert_uint_eq(app_done(server, 21)->stream, 0);
    ck_assert(app_matches(app_heap(server, 0), LARGE, 1));
    ck_assert(app_matches(app_heap(server, LARGE), SMALL, 2));
    end();
}
END_TEST

static struct connection *end_of(struct app *app, uint32_t handle)
{
    struct connection *connection = connection_find(&rig->hosts[app->host].upper, handle);

    ck_assert_ptr_nonnull(connection);
    return connection;
}

static void pull(uint32_t id)
{
    struct rig_host *host = &rig->hosts[client->host];
    struct wire_op op = {.type = WIRE_OP_PULL, .connection = outgoing, .stream = 9, .id = id};
    uint8_t bytes[WIRE_OP_BYTES];

    wire_op_encode(&op, bytes);
    upper_flow_ops.deliver(&host->upper, &host->flow, bytes, sizeof(bytes), rig->now);
}

/* A message was given up and answered for before the other side's PULL came: it was overtaken. One
 * for a message that nobody began still breaks the rules. */
START_TEST(a_pull_after_the_answer)
{
    start(1);
    app_send(client, outgoing, 9, 0, LARGE, 10);
    rig_settle(rig);
    post(server, incoming, 0, LARGE, 20);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    pull(0);
    ck_assert_uint_eq(end_of(client, outgoing)->state, CONNECTION_OPEN);
    app_send(client, outgoing, 9, 0, 10, 11);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 11)->status, 0);
    pull(2);
    ck_assert_int_eq(end_of(client, outgoing)->error, -EPROTO);
    rig_settle(rig);
    end();
}
END_TEST

/* As if nearly 2^32 messages had been sent already: credits, and messages of a stream. */
static void age(struct connection *from, struct connection *to)
{
    uint32_t credits = (uint32_t)-WRAP - from->credits_used;
    struct stream *sends = stream_find(from, 0), *receives = stream_find(to, 0);
    uint32_t messages = (uint32_t)-WRAP - sends->send_next;

    from->credits_used += credits;
    from->credits_allowed += credits;
    to->credits_consumed += credits;
    to->credits_granted += credits;
    sends->send_next += messages;
    receives->receive_next += messages;
}

START_TEST(credits_and_messages_wrap)
{
    uint32_t at = 0;

    start(_i + 1);
    app_send(client, outgoing, 0, 0, 10, 10);
    app_send(server, incoming, 0, 0, 10, 11);
    rig_settle(rig);
    age(end_of(client, outgoing), end_of(server, incoming));
    age(end_of(server, incoming), end_of(client, outgoing));
    rig->decline_per_million = _i % 2 ? DECLINED : 0;
    for (uint32_t i = 0; i < WRAPPED; i++) {
        app_pattern(client, 0, 100, i);
        app_send(client, outgoing, 0, 0, 100, 1000 + i);
        app_send(server, incoming, 0, 0, 100, 2000 + i);
        if (i % 16 == 15)
            rig_settle(rig);
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < WRAPPED; i++) {
        ck_assert_int_eq(app_done(client, 1000 + i)->status, 0);
        ck_assert_int_eq(app_done(server, 2000 + i)->status, 0);
    }
    ck_assert_uint_lt(end_of(client, outgoing)->credits_used, WRAPPED);
    ck_assert_uint_lt(end_of(server, incoming)->credits_used, WRAPPED);
    for (uint32_t i = 0; i <= WRAPPED; i++)
        ck_assert_ptr_nonnull(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
    end();
}
END_TEST

/* Neither side will post a buffer for what the other one offers. */
START_TEST(both_close_with_offers_that_wait)
{
    start(_i + 1);
    app_send(client, outgoing, 0, 0, SMALL, 10);
    app_send(server, incoming, 0, 0, SMALL, 11);
    for (int step = 0; step < _i % 10; step++)
        rig_step(rig);
    hang_up(client, outgoing, 50);
    hang_up(server, incoming, 51);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 50)->status, 0);
    ck_assert_int_eq(app_done(server, 51)->status, 0);
    ck_assert_int_eq(app_done(client, 10)->status, -ECONNRESET);
    ck_assert_int_eq(app_done(server, 11)->status, -ECONNRESET);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.connections, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
    end();
}
END_TEST

/* It waits for the answer to a message that nobody takes. */
START_TEST(a_close_whose_deadline_passes)
{
    struct saddle_command close = {.op = SADDLE_CMD_CLOSE, .tag = 50, .timeout_ns = 1000000};
    uint32_t at = 0;

    start(1);
    close.handle = outgoing;
    app_send(client, outgoing, 0, 0, LARGE, 10);
    ck_assert(app_submit(client, &close));
    rig_settle(rig);
    rig_advance(rig, 2 * close.timeout_ns);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 50)->status, -ETIMEDOUT);
    ck_assert_int_eq(app_done(client, 10)->status, -ECONNRESET);
    ck_assert_int_eq(app_event(server, &at, SADDLE_EVT_CLOSED, 3)->status, -ECONNRESET);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
    end();
}
END_TEST

/* What the engine answers by itself has its outcome before any deadline. */
START_TEST(deadlines_of_what_does_not_wait)
{
    static const uint8_t ops[] = {SADDLE_CMD_NOP, SADDLE_CMD_LISTEN, SADDLE_CMD_EXPOSE,
                                  SADDLE_CMD_CANCEL};

    start(1);
    for (uint32_t i = 0; i < sizeof(ops); i++) {
        struct saddle_command command = {
            .op = ops[i], .key = SADDLE_RIGHT_READ, .tag = 60 + i, .timeout_ns = 1, .len = 4};
        if (ops[i] == SADDLE_CMD_LISTEN) {
            command.flags = SADDLE_ENTRY_INLINE;
            memcpy(command.payload, "abc", 4);
        }
        command.buf = client->config.heap_offset;
        ck_assert(app_submit(client, &command));
        rig_settle(rig);
        ck_assert_int_eq(app_done(client, 60 + i)->status, 0);
    }
    end();
}
END_TEST

/* Steps until the client's CLOSE has arrived before all of its answers; false if it never does. */
static bool close_is_put_off(void)
{
    const struct upper *upper = &rig->hosts[0].upper;

    for (int step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < upper->connections_max; i++) {
            const struct connection *connection = &upper->connections[i];

            if (connection->state == CONNECTION_OPEN && connection->close_received)
                return true;
        }
        rig_step(rig);
    }
    return false;
}

/* The peer's CLOSE waits for answers that are still on their way when its receiver goes away. */
START_TEST(a_close_put_off_is_answered_by_a_side_that_leaves)
{
    int put_off = 0;

    for (int seed = 1; seed <= SEEDS; seed++) {
        start(seed);
        for (uint32_t i = 0; i < MESSAGES; i++)
            app_send(server, incoming, 0, 0, 2000, 100 + i);
        rig->decline_per_million = DECLINED;
        for (int step = 0; step < seed % 8; step++)
            rig_step(rig);
        hang_up(client, outgoing, 50);
        put_off += close_is_put_off();
        rig_detach(rig, server);
        rig->decline_per_million = 0;
        rig_settle(rig);
        app_done(client, 50);
        ck_assert_uint_eq(rig->hosts[0].upper.counters.connections, 0);
        ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
        end();
    }
    ck_assert_int_gt(put_off, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closing");
    TCase *tcase = tcase_create("closing");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, buffers_go_to_messages_in_the_order_told);
    tcase_add_test(tcase, a_pull_after_the_answer);
    tcase_add_loop_test(tcase, credits_and_messages_wrap, 0, 6);
    tcase_add_loop_test(tcase, both_close_with_offers_that_wait, 0, SEEDS);
    tcase_add_test(tcase, a_close_whose_deadline_passes);
    tcase_add_test(tcase, deadlines_of_what_does_not_wait);
    tcase_add_test(tcase, a_close_put_off_is_answered_by_a_side_that_leaves);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
