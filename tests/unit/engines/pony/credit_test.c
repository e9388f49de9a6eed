/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A receiver that does not read stalls its own connections, and nobody else; and what credits there
 * are is divided so that few have to ask. */
#include "engines/pony/stream.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 100u
#define UNREAD   3u /* connections that nobody reads */
#define LENGTH   3000u

/* Of many connections. */
#define CROWD_SLOTS       256u
#define CROWD_CONNECTIONS 256u /* of each host: half of them any one session may have */
#define CROWD_MOST        96u
#define CROWD_IDLE        24u
#define ROUNDS            12u
#define LEARNT            6u  /* rounds after which all have been divided */
#define BURST             40u /* messages: more than one may have the credits for */

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing; /* the connection that is read */
static uint32_t others_in[CROWD_MOST], others_out[CROWD_MOST];
static uint32_t looked; /* events of the server that were looked at */

static void connect(uint32_t i, uint32_t channel)
{
    uint32_t at = server->event_count;

    app_connect(client, "echo", 500 + i);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 600 + i,
    };
    ck_assert(app_submit_on(server, channel, &accept));
    rig_settle(rig);
    others_in[i] = accept.handle;
    others_out[i] = app_done(client, 500 + i)->handle;
}

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
    server->keep = true;
    looked = 0;
}

/* Gives back what came on the connection that is read. */
static void release(void)
{
    for (; looked < server->event_count; looked++) {
        const struct saddle_event *event = &server->events[looked];
        const struct saddle_command command = {.op = SADDLE_CMD_RELEASE, .slot = event->slot};
        if ((event->flags & SADDLE_ENTRY_SLOT) && event->handle == incoming)
            ck_assert(app_submit_on(server, server->event_channel[looked], &command));
    }
}

static uint32_t held(uint32_t handle)
{
    const struct connection *connection = connection_find(&rig->hosts[0].upper, handle);

    return connection->held + connection->credits_granted - connection->credits_consumed;
}

/* So much on each of the others that they stand still. */
static void stall(uint32_t count, uint32_t len, uint16_t streams)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < APP_SLOTS / 2; j++) {
            app_send(client, others_out[i], (uint16_t)(j % streams), 0, len, 1000 + i);
            rig_settle(rig);
        }
}

/* As many messages as there are, one after the other, on the connection that is read. */
static void others_go_on(void)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        app_send(client, outgoing, 0, 0, LENGTH, 2000 + i);
        rig_settle(rig);
        release();
        rig_settle(rig);
        rig_check(rig);
        ck_assert_int_eq(app_done(client, 2000 + i)->status, 0);
    }
}

static void teardown(void)
{
    for (uint32_t i = 0; i < server->event_count; i++)
        ck_assert_uint_ne(server->events[i].type, SADDLE_EVT_CLOSED);
    rig_check(rig);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    rig_destroy(rig);
}

START_TEST(messages_that_nobody_releases)
{
    uint32_t count = 1 + (uint32_t)_i, done = 0;

    for (uint32_t i = 0; i < count; i++)
        connect(i, 0);
    stall(count, LENGTH, 4);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_gt(held(others_in[i]), 0);
        ck_assert_uint_le(held(others_in[i]), APP_SLOTS / SESSION_SLOTS_SHARE);
    }
    others_go_on();
    /* They are read after all. */
    server->keep = false;
    for (uint32_t i = 0; i < server->config.slot_count; i++) {
        const struct slot *slot = &server->session->slots[i];
        const struct saddle_command command = {.op = SADDLE_CMD_RELEASE, .slot = i};
        if (slot->state == SLOT_LENT)
            ck_assert(app_submit(server, &command));
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < client->event_count; i++)
        done += client->events[i].tag >= 1000 && client->events[i].tag < 1000 + count &&
                client->events[i].status == 0;
    ck_assert_uint_eq(done, count * APP_SLOTS / 2);
    ck_assert_uint_eq(server->session->free_count, APP_SLOTS);
}
END_TEST

START_TEST(large_messages_that_get_no_buffers)
{
    connect(0, 0);
    stall(1, 50000, 16);
    ck_assert_uint_le(held(others_in[0]), APP_SLOTS / SESSION_SLOTS_SHARE);
    others_go_on();
}
END_TEST

/* Nor another stream of the connection that waits for a buffer: what is ordered behind the message
 * that waits takes no credits but a few; and what is unordered overtakes it. */
START_TEST(a_stream_that_waits_for_a_buffer)
{
    app_send(client, outgoing, 1, 0, 50000, 1000);
    for (uint32_t i = 0; i < APP_SLOTS; i++) {
        app_send(client, outgoing, 1, 0, LENGTH, 1001 + i);
        rig_settle(rig);
    }
    ck_assert_uint_le(held(incoming), STREAM_BEHIND_MAX + CREDIT_BATCH);
    const struct saddle_command unordered = {
        .op = SADDLE_CMD_SEND,
        .flags = SADDLE_ENTRY_UNORDERED,
        .handle = outgoing,
        .stream = 1,
        .buf = client->config.heap_offset,
        .len = 777,
        .tag = 900,
    };
    others_go_on();
    /* It is found among the first few that are queued. */
    for (uint32_t i = 0; i < APP_SLOTS - STREAM_BEHIND_MAX; i++) {
        const struct saddle_command cancel = {.op = SADDLE_CMD_CANCEL,
                                              .key = 1000 + APP_SLOTS - i,
                                              .tag = 5000 + i};
        ck_assert(app_submit(client, &cancel));
    }
    ck_assert(app_submit(client, &unordered));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 900)->status, 0);
    const struct saddle_command post = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = 50000,
        .tag = 901,
    };
    ck_assert(app_submit(server, &post));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 1000)->status, 0);
    ck_assert_int_eq(app_done(client, 1001)->status, 0);
}
END_TEST

/* The other channel's thread does not look at its completions. */
START_TEST(a_channel_that_nobody_reads)
{
    connect(0, 1);
    server->hold_channel = 1;
    stall(1, 10, 1);
    stall(1, LENGTH, 1);
    others_go_on();
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP, .tag = 77};
    ck_assert(app_submit(server, &nop));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 77)->status, 0);
    server->hold_channel = 0;
    server->keep = false;
    rig_settle(rig);
}
END_TEST

/* A connection that comes when others hold as much as they may. */
START_TEST(one_that_comes_late)
{
    connect(0, 0);
    connect(1, 0);
    stall(2, LENGTH, 1);
    connect(2, 0);
    app_send(client, others_out[2], 0, 0, LENGTH, 3000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 3000)->status, 0);
    others_go_on();
}
END_TEST

START_TEST(saved_and_loaded)
{
    connect(0, 0);
    stall(1, LENGTH, 1);
    uint32_t before = held(others_in[0]);
    rig_reload(rig, 0);
    ck_assert_uint_eq(held(others_in[0]), before);
    rig_check(rig);
    others_go_on();
}
END_TEST

/* ---- Many connections ---- */

static void setup_crowd(void)
{
    rig = rig_create_wide(1, CROWD_SLOTS, CROWD_CONNECTIONS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
}

static uint32_t credits(uint32_t handle)
{
    const struct connection *connection = connection_find(&rig->hosts[1].upper, handle);

    return connection->credits_allowed - connection->credits_used;
}

/* One message after the other, on each of them. */
static void say_on_each(uint32_t count, uint32_t round)
{
    for (uint32_t i = 0; i < count; i++) {
        if (round >= LEARNT)
            ck_assert_uint_gt(credits(others_out[i]), 0);
        app_send(client, others_out[i], 0, 0, LENGTH, 1000 * (1 + round) + i);
        rig_settle(rig);
        ck_assert_int_eq(app_done(client, 1000 * (1 + round) + i)->status, 0);
        rig_check(rig);
    }
}

/* Whoever was there first does not keep so many that others have to ask each time. */
START_TEST(each_of_many_has_a_share)
{
    for (uint32_t i = 0; i < CROWD_MOST; i++)
        connect(i, 0);
    for (uint32_t round = 0; round < ROUNDS; round++)
        say_on_each(CROWD_MOST, round);
}
END_TEST

/* And goes on having it in another process. */
START_TEST(each_of_many_after_a_change)
{
    for (uint32_t i = 0; i < CROWD_MOST; i++)
        connect(i, 0);
    for (uint32_t round = 0; round < LEARNT; round++)
        say_on_each(CROWD_MOST, round);
    rig_reload(rig, 0);
    say_on_each(CROWD_MOST, LEARNT);
}
END_TEST

/* Where most have nothing to say, who has gets more than his share. */
START_TEST(a_busy_one_among_many)
{
    for (uint32_t i = 0; i < CROWD_IDLE; i++)
        connect(i, 0);
    ck_assert_uint_lt(server->session->share, CREDIT_BATCH);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BURST; i++)
            app_send(client, outgoing, 0, 0, LENGTH, 100000 + i);
        rig_settle(rig);
    }
    ck_assert_uint_gt(credits(outgoing), server->session->share);
    for (uint32_t i = 0; i < CROWD_IDLE; i++)
        ck_assert_uint_gt(credits(others_out[i]), 0);
    /* Until the others want theirs. */
    for (uint32_t i = CROWD_IDLE; i < CROWD_MOST; i++)
        connect(i, 0);
    for (uint32_t round = 0; round < ROUNDS; round++)
        say_on_each(CROWD_MOST, round);
}
END_TEST

/* Who is alone has all that one may have. */
START_TEST(one_alone)
{
    app_send(client, outgoing, 0, 0, LENGTH, 1000);
    rig_settle(rig);
    ck_assert_uint_ge(credits(outgoing), CREDIT_BATCH / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credit");
    TCase *tcase = tcase_create("credit"), *crowd = tcase_create("crowd");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, messages_that_nobody_releases, 0, UNREAD);
    tcase_add_test(tcase, large_messages_that_get_no_buffers);
    tcase_add_test(tcase, a_stream_that_waits_for_a_buffer);
    tcase_add_test(tcase, a_channel_that_nobody_reads);
    tcase_add_test(tcase, one_that_comes_late);
    tcase_add_test(tcase, saved_and_loaded);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(crowd, 60);
    tcase_add_checked_fixture(crowd, setup_crowd, teardown);
    tcase_add_test(crowd, each_of_many_has_a_share);
    tcase_add_test(crowd, each_of_many_after_a_change);
    tcase_add_test(crowd, a_busy_one_among_many);
    tcase_add_test(crowd, one_alone);
    suite_add_tcase(suite, crowd);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
