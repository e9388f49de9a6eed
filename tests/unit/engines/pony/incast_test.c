/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections send to one session that has few receive slots: all get on, at one pace.
 *
 *     client --40 connections--> server, with 8 slots
 */
#include "engines/pony/connection.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define CALLERS  40u
#define SLOTS    8u
#define MESSAGE  3000u /* bytes: several packets */
#define ROUNDS   25u   /* messages of each, in all */
#define TAG_CALL 100u
#define TAG_SEND 1000u
#define TIMEOUT  1000000u /* ns */
#define RELOADS  8

static struct rig *rig;
static struct app *server, *client;
static uint32_t outgoing[CALLERS], incoming[CALLERS];
static uint32_t sent[CALLERS], got[CALLERS];
static uint32_t seen_by_client, seen_by_server;

static void setup(void)
{
    uint32_t at = 0;

    rig = rig_create_wide(1, 0, 3 * CALLERS);
    server = rig_attach(rig, 1, SLOTS);
    client = rig_attach(rig, 0, APP_SLOTS);
    app_listen(server, "incast", 1);
    rig_settle(rig);
    for (uint32_t i = 0; i < CALLERS; i++) {
        app_connect(client, "incast", TAG_CALL + i);
        rig_settle(rig);
        incoming[i] = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle;
        const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT, .handle = incoming[i]};
        ck_assert(app_submit(server, &accept));
        rig_settle(rig);
        outgoing[i] = app_done(client, TAG_CALL + i)->handle;
        sent[i] = got[i] = 0;
    }
    seen_by_client = client->event_count;
    seen_by_server = server->event_count;
}

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    ck_assert_uint_eq(server->session->free_count, SLOTS);
    rig_destroy(rig);
}

static uint32_t number_of(const uint32_t *handles, uint32_t handle)
{
    uint32_t i = 0;

    while (i < CALLERS && handles[i] != handle)
        i++;
    ck_assert_uint_lt(i, CALLERS);
    return i;
}

static void send_one(uint32_t i)
{
    app_send(client, outgoing[i], 0, 0, MESSAGE, TAG_SEND + i);
    sent[i]++;
}

/* Counts what came; each answered message of a connection is followed by its next one. */
static void look(uint32_t rounds)
{
    for (; seen_by_server < server->event_count; seen_by_server++) {
        const struct saddle_event *event = &server->events[seen_by_server];
        if (event->type == SADDLE_EVT_MESSAGE)
            got[number_of(incoming, event->handle)]++;
    }
    for (; seen_by_client < client->event_count; seen_by_client++) {
        const struct saddle_event *event = &client->events[seen_by_client];
        if (event->op != SADDLE_CMD_SEND)
            continue;
        ck_assert_int_eq(event->status, 0);
        uint32_t i = number_of(outgoing, event->handle);
        if (sent[i] < rounds)
            send_one(i);
    }
}

/* At every moment, who has got most messages through is little ahead of who has got fewest. */
START_TEST(all_at_one_pace)
{
    uint32_t total = 0, widest = 0;

    /* As many as the queue takes at once: two of each connection would not fit into it. */
    for (uint32_t i = 0; i < CALLERS; i++)
        send_one(i);
    while (total < CALLERS * ROUNDS) {
        uint32_t least = UINT32_MAX, most = 0;
        ck_assert_msg(rig_step(rig), "it stands still at %u messages", total);
        look(ROUNDS);
        total = 0;
        for (uint32_t i = 0; i < CALLERS; i++) {
            total += got[i];
            least = got[i] < least ? got[i] : least;
            most = got[i] > most ? got[i] : most;
        }
        widest = most - least > widest ? most - least : widest;
    }
    ck_assert_msg(widest <= 3, "one was %u messages ahead of another", widest);
}
END_TEST

/* Who holds credits and says nothing does not stop the others. */
START_TEST(beside_those_that_are_idle)
{
    uint32_t idle = 0;

    for (uint32_t i = 0; i < CALLERS; i++) {
        const struct connection *connection = connection_find(&rig->hosts[1].upper, incoming[i]);
        idle += connection->credits_granted != connection->credits_consumed;
    }
    ck_assert_uint_ge(idle, SLOTS / 2);
    for (uint32_t i = CALLERS / 2; i < CALLERS; i++)
        send_one(i);
    while (rig_step(rig))
        look(ROUNDS);
    look(ROUNDS);
    for (uint32_t i = CALLERS / 2; i < CALLERS; i++)
        ck_assert_uint_eq(got[i], ROUNDS);
}
END_TEST

/* Nor who asked for credits and then gave its message up, when its time had passed or by
 * cancelling; loaded anew after some steps, or never. */
START_TEST(beside_those_that_give_up)
{
    const struct saddle_command cancel = {.op = SADDLE_CMD_CANCEL, .key = TAG_SEND, .tag = 1};
    bool cancelling = _i >= RELOADS;

    server->keep = true;
    for (uint32_t i = 0; i < CALLERS - 1; i++) {
        const struct saddle_command command = {.op = SADDLE_CMD_SEND,
                                               .handle = outgoing[i],
                                               .buf = client->config.heap_offset,
                                               .len = MESSAGE,
                                               .tag = TAG_SEND,
                                               .timeout_ns = cancelling ? 0 : TIMEOUT};
        ck_assert(app_submit(client, &command));
    }
    rig_settle(rig);
    if (cancelling)
        ck_assert(app_submit(client, &cancel));
    rig_advance(rig, 2 * TIMEOUT);
    rig_settle(rig);
    /* All slots are lent; most messages were given up. */
    ck_assert_uint_eq(server->session->free_count, 0);
    server->keep = false;
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct saddle_command release = {.op = SADDLE_CMD_RELEASE, .slot = i};
        ck_assert(app_submit(server, &release));
    }
    for (int i = 0; i < _i % RELOADS; i++)
        rig_step(rig);
    if (_i % RELOADS > 0)
        rig_reload(rig, 0);
    rig_settle(rig);
    seen_by_client = client->event_count;
    send_one(CALLERS - 1);
    rig_settle(rig);
    look(1);
    ck_assert_uint_eq(got[CALLERS - 1], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("incast");
    TCase *tcase = tcase_create("rig");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_at_one_pace);
    tcase_add_test(tcase, beside_those_that_are_idle);
    tcase_add_loop_test(tcase, beside_those_that_give_up, 0, 2 * RELOADS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
