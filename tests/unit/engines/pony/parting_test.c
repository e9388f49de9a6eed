/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with more connections than end in one turn leaves, or is closed, in the middle of
 * traffic: its connections end piece by piece, its memory is let alone, and others notice nothing.
 *
 *     client --CALLERS connections--> server
 */
#include "engines/pony/connection.h"
#include "sched/state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define CALLERS (2 * SESSION_ENDS_PER_TURN + 20)
#define SLOTS   256u
/* As many as have room for their completions: more than what a turn leaves of the last piece. */
#define MORE_CALLS (APP_ENTRIES - 8)
#define MESSAGE    3000u
#define TAG_CALL   100u
#define TAG_OTHER  5000u

static struct rig *rig;
static struct app *server, *client, *other;
static uint32_t outgoing[CALLERS], incoming[CALLERS];

static void call(struct app *caller, uint32_t i, uint32_t *at)
{
    app_connect(caller, "parting", TAG_CALL + i);
    rig_settle(rig);
    incoming[i] = app_event(server, at, SADDLE_EVT_INCOMING, 1)->handle;
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = incoming[i],
                                          .tag = TAG_CALL + i};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    outgoing[i] = app_done(caller, TAG_CALL + i)->handle;
}

static void setup(void)
{
    uint32_t at = 0;

    rig = rig_create_wide(3, 0, 3 * CALLERS);
    server = rig_attach(rig, 1, SLOTS);
    client = rig_attach(rig, 0, SLOTS);
    other = rig_attach(rig, 0, APP_SLOTS);
    app_listen(server, "parting", 1);
    rig_settle(rig);
    for (uint32_t i = 0; i < CALLERS; i++)
        call(client, i, &at);
    /* Something goes on both ways. */
    for (uint32_t i = 0; i < APP_ENTRIES / 2; i++) {
        app_send(client, outgoing[i], 0, 0, MESSAGE, 0);
        app_send(server, incoming[CALLERS - 1 - i], 0, 0, MESSAGE, 0);
    }
    for (uint32_t i = 0; i < 4; i++)
        rig_step(rig);
}

/* Both hosts are empty but for the listener, and go on. */
static void teardown(void)
{
    uint32_t at = server->event_count;

    rig_settle(rig);
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        ck_assert_uint_eq(rig->hosts[i].upper.counters.connections, 0);
        ck_assert_uint_eq(rig->hosts[i].upper.counters.operations, 0);
        ck_assert_uint_eq(rig->hosts[i].upper.counters.peer_violations, 0);
    }
    call(other, 0, &at);
    app_send(other, outgoing[0], 0, 0, MESSAGE, TAG_OTHER);
    rig_settle(rig);
    ck_assert_int_eq(app_done(other, TAG_OTHER)->status, 0);
    rig_check(rig);
    rig_destroy(rig);
}

static uint32_t connections_of(const struct app *app)
{
    return app->session->connection_count;
}

/* The server hears of the end of each connection, once, and closes it too. */
static void check_heard(void)
{
    rig_settle(rig);
    for (uint32_t i = 0; i < CALLERS; i++) {
        uint32_t at = 0;
        const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, TAG_CALL + i);
        ck_assert_ptr_nonnull(event);
        ck_assert_int_eq(event->status, -ECONNRESET);
        ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_CLOSED, TAG_CALL + i));
        const struct saddle_command close = {.op = SADDLE_CMD_CLOSE, .handle = incoming[i]};
        ck_assert(app_submit(server, &close));
        rig_settle(rig);
    }
}

START_TEST(detached_in_pieces)
{
    struct upper *upper = &rig->hosts[0].upper;
    uint32_t before = connections_of(client), pieces = 1;

    while (upper_detach(upper, client->session) == -EAGAIN) {
        uint32_t now = connections_of(client);
        ck_assert_uint_ge(now + SESSION_ENDS_PER_TURN, before);
        ck_assert_uint_lt(now, before);
        before = now;
        pieces++;
    }
    ck_assert_uint_ge(pieces, CALLERS / SESSION_ENDS_PER_TURN);
    ck_assert_ptr_null(client->session->upper);
    check_heard();
}
END_TEST

/* With traffic between the pieces: what arrives and what leaves does not touch its memory. */
START_TEST(detached_in_the_middle_of_traffic)
{
    struct upper *upper = &rig->hosts[0].upper;
    uint8_t *before = malloc(client->config.arena_bytes);

    ck_assert_ptr_nonnull(before);
    ck_assert_int_eq(upper_detach(upper, client->session), -EAGAIN);
    client->hold = true;
    memcpy(before, client->arena, client->config.arena_bytes);
    for (uint32_t i = 0; i < 3; i++)
        rig_step(rig);
    ck_assert_mem_eq(before, client->arena, client->config.arena_bytes);
    free(before);
    rig_detach(rig, client);
    check_heard();
}
END_TEST

/* Saved in the middle, and loaded or not: it comes to the same. */
START_TEST(saved_between_the_pieces)
{
    struct state_writer writer;

    ck_assert_int_eq(upper_detach(&rig->hosts[0].upper, client->session), -EAGAIN);
    if (_i == 0) {
        rig_reload(rig, 0);
        ck_assert_ptr_null(client->session->upper);
    } else {
        state_writer_init(&writer);
        upper_save(&rig->hosts[0].upper, &writer);
        state_writer_destroy(&writer);
        ck_assert_uint_eq(connections_of(client), CALLERS - SESSION_ENDS_PER_TURN);
    }
    rig_detach(rig, client);
    check_heard();
}
END_TEST

START_TEST(closed_for_a_lie)
{
    const struct saddle_command lie = {.op = 255};
    struct upper *upper = &rig->hosts[0].upper;

    rig_settle(rig);
    ck_assert(app_submit(client, &lie));
    ck_assert_uint_eq(upper_commands(upper, rig->now), 1);
    upper_notices(upper);
    ck_assert(client->session->dropped);
    ck_assert_uint_eq(connections_of(client), CALLERS - SESSION_ENDS_PER_TURN);
    /* It may not sleep before the rest has ended. */
    ck_assert(!upper_arm(upper));
    if (_i == 1) {
        rig_reload(rig, 0);
        ck_assert(client->session->dropped);
        ck_assert_int_eq(pony_session_error(client->session), -EPROTO);
    }
    while (connections_of(client) > 0)
        upper_notices(upper);
    check_heard();
    ck_assert(upper_arm(upper));
    upper_disarm(upper);
    rig_detach(rig, client);
}
END_TEST

/* It is known to have lied, and was not told yet: whoever has it next tells it. */
START_TEST(saved_before_it_is_told)
{
    const struct saddle_command lie = {.op = 255};
    const struct saddle_arena_header *header =
        (const struct saddle_arena_header *)(const void *)client->arena;
    struct upper *upper = &rig->hosts[0].upper;

    rig_settle(rig);
    ck_assert(app_submit(client, &lie));
    ck_assert_uint_eq(upper_commands(upper, rig->now), 1);
    rig_reload(rig, 0);
    ck_assert(!client->session->dropped);
    ck_assert_uint_ne(header->state, SADDLE_SESSION_CLOSED);
    upper_notices(upper);
    ck_assert(client->session->dropped);
    ck_assert_uint_eq(header->state, SADDLE_SESSION_CLOSED);
    ck_assert_int_eq(header->error, -EPROTO);
    check_heard();
    rig_detach(rig, client);
}
END_TEST

/* Connections that are over and not closed yet are given up, the oldest first, for new ones. */
START_TEST(dead_ones_make_room)
{
    uint32_t at, oldest;

    rig_detach(rig, client);
    rig_settle(rig);
    ck_assert_uint_eq(connections_of(server), CALLERS);
    oldest = LIST_OF(list_first(&server->session->dead), struct connection, session_node)->number;
    server->session->config.grant.connections = CALLERS;
    at = server->event_count;
    call(other, 0, &at);
    ck_assert_uint_eq(connections_of(server), CALLERS);
    ck_assert_ptr_null(connection_find(&rig->hosts[1].upper, oldest));
    for (uint32_t i = 1; i < CALLERS; i++)
        if (incoming[i] != oldest)
            ck_assert_ptr_nonnull(connection_find(&rig->hosts[1].upper, incoming[i]));
    rig_check(rig);
    server->session->config.grant.connections = 0;
    rig_detach(rig, server);
    rig_detach(rig, other);
    other = rig_attach(rig, 0, APP_SLOTS);
    server = rig_attach(rig, 1, SLOTS);
    app_listen(server, "parting", 1);
}
END_TEST

/* The flow ends: told of it piece by piece, each once; meanwhile the engine may be replaced. */
START_TEST(a_lost_host)
{
    struct upper *upper = &rig->hosts[0].upper;
    uint32_t left = CALLERS - PATH_ENDS_PER_TURN, at = 0;

    rig_settle(rig);
    app_send(client, outgoing[CALLERS - 1], 0, 0, 100000, TAG_OTHER);
    ck_assert_uint_gt(upper_commands(upper, rig->now), 0);
    rig->packet_count = 0;
    upper_flow_ops.ended(upper, &rig->hosts[0].flow, -ETIMEDOUT, rig->now);
    upper_flow_ops.ended(&rig->hosts[1].upper, &rig->hosts[1].flow, -ETIMEDOUT, rig->now);
    rig->hosts[0].flow.ended = true;
    rig->hosts[0].flow.error = -ETIMEDOUT;
    if (_i == 1)
        rig_reload(rig, 0);
    upper = &rig->hosts[0].upper;
    while (left > 0) {
        ck_assert_ptr_nonnull(rig->hosts[0].flow.context);
        ck_assert(!upper_arm(upper));
        uint32_t some = left < PATH_ENDS_PER_TURN ? left : PATH_ENDS_PER_TURN;
        upper_notices(upper);
        left -= some;
    }
    ck_assert_ptr_null(rig->hosts[0].flow.context);
    ck_assert_uint_eq(rig->hosts[0].flow.references, 0);
    rig->hosts[0].flow.ended = false;
    rig_settle(rig);
    for (uint32_t i = 0; i < CALLERS; i++) {
        at = 0;
        const struct saddle_event *event = app_event(client, &at, SADDLE_EVT_CLOSED, TAG_CALL + i);
        ck_assert_ptr_nonnull(event);
        ck_assert_int_eq(event->status, -ETIMEDOUT);
        ck_assert_ptr_null(app_event(client, &at, SADDLE_EVT_CLOSED, TAG_CALL + i));
    }
    ck_assert_int_eq(app_done(client, TAG_OTHER)->status, -ETIMEDOUT);
    rig_detach(rig, client);
    rig_detach(rig, server);
    server = rig_attach(rig, 1, SLOTS);
    app_listen(server, "parting", 1);
}
END_TEST

/* Those that are not told yet leave by another way meanwhile: the path is given up once. */
START_TEST(a_lost_host_and_callers_that_leave)
{
    struct upper *upper = &rig->hosts[0].upper;

    rig_settle(rig);
    for (uint32_t i = 0; i < MORE_CALLS; i++) {
        app_connect(client, "parting", TAG_OTHER + i);
        ck_assert_uint_gt(upper_commands(upper, rig->now), 0);
    }
    rig->packet_count = 0;
    upper_flow_ops.ended(upper, &rig->hosts[0].flow, -EHOSTUNREACH, rig->now);
    upper_flow_ops.ended(&rig->hosts[1].upper, &rig->hosts[1].flow, -EHOSTUNREACH, rig->now);
    for (uint32_t told = PATH_ENDS_PER_TURN; told < CALLERS; told += PATH_ENDS_PER_TURN)
        upper_notices(upper);
    rig_detach(rig, client);
    ck_assert_ptr_nonnull(rig->hosts[0].flow.context);
    upper_notices(upper);
    ck_assert_ptr_null(rig->hosts[0].flow.context);
    ck_assert_uint_eq(rig->hosts[0].flow.references, 0);
    upper_notices(upper);
    rig_settle(rig);
    rig_detach(rig, server);
    server = rig_attach(rig, 1, SLOTS);
    app_listen(server, "parting", 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parting");
    TCase *tcase = tcase_create("rig");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, detached_in_pieces);
    tcase_add_test(tcase, detached_in_the_middle_of_traffic);
    tcase_add_loop_test(tcase, saved_between_the_pieces, 0, 2);
    tcase_add_loop_test(tcase, closed_for_a_lie, 0, 2);
    tcase_add_test(tcase, saved_before_it_is_told);
    tcase_add_test(tcase, dead_ones_make_room);
    tcase_add_loop_test(tcase, a_lost_host, 0, 2);
    tcase_add_test(tcase, a_lost_host_and_callers_that_leave);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
