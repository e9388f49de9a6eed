/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Where applications take turns, the news of a message goes with the next one. */
#include "engines/pony/connection.h"
#include "engines/pony/dialogue.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define BYTES  100u /* of a message: it has a slot */
#define LEARNT 6u   /* exchanges after which both sides have taken their turns often enough */
#define MANY   50u
/* Steps that a packet, a command and an event take, a tick of the wheel, and some. */
#define SLACK_NS (16 * NSEC_PER_USEC)
/* Packets of their own that credits take, both ways: they are given by half a batch. */
#define CREDITS (2 * MANY / (CREDIT_BATCH / 2) + 1)

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;
static uint64_t tag;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
    tag = 1000;
}

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    for (uint32_t i = 0; i < rig->app_count; i++)
        ck_assert(!rig->apps[i]->session || pony_session_error(rig->apps[i]->session) == 0);
    rig_destroy(rig);
}

static uint32_t messages(const struct app *app)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < app->event_count; i++)
        count += app->events[i].type == SADDLE_EVT_MESSAGE;
    return count;
}

static uint64_t say(struct app *app)
{
    app_send(app, app == server ? incoming : outgoing, 0, 0, BYTES, ++tag);
    return tag;
}

/* Until the other side has one message more. */
static void hear(struct app *app)
{
    uint32_t before = messages(app);

    while (messages(app) == before)
        ck_assert(rig_step(rig));
}

/* What it takes from now on, in ns, until the command with this tag is done. */
static uint64_t until_done(struct app *app, uint64_t which)
{
    uint64_t begun = rig->now;
    uint32_t at = 0;

    while (!app_event(app, &at, SADDLE_EVT_DONE, which)) {
        ck_assert(rig_step(rig));
        at = 0;
    }
    return rig->now - begun;
}

static void exchange(void)
{
    say(client);
    hear(server);
    say(server);
    hear(client);
}

static void learn(void)
{
    for (uint32_t i = 0; i < LEARNT; i++)
        exchange();
}

START_TEST(one_packet_each_way)
{
    learn();
    uint64_t before = rig->delivered;
    for (uint32_t i = 0; i < MANY; i++)
        exchange();
    ck_assert_uint_ge(rig->delivered - before, 2 * MANY);
    ck_assert_uint_le(rig->delivered - before, 2 * MANY + CREDITS);
    before = rig->delivered;
    rig_settle(rig);
    /* The last news of all had nothing to go with. */
    ck_assert_uint_eq(rig->delivered - before, 1);
    for (uint64_t i = 1001; i <= tag; i++)
        ck_assert_int_eq(app_done(i % 2 ? client : server, i)->status, 0);
}
END_TEST

START_TEST(who_only_sends_is_told_at_once)
{
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_uint_lt(until_done(client, say(client)), DIALOGUE_TICK_NS);
}
END_TEST

START_TEST(who_does_not_answer_is_waited_for_once)
{
    learn();
    uint64_t waited = until_done(client, say(client));
    ck_assert_uint_ge(waited, DIALOGUE_TICK_NS);
    ck_assert_uint_lt(waited, 2 * DIALOGUE_TICK_NS + SLACK_NS);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_uint_lt(until_done(client, say(client)), DIALOGUE_TICK_NS);
    /* And again, once turns are taken again. */
    say(server);
    hear(client);
    learn();
    ck_assert_uint_ge(until_done(client, say(client)), DIALOGUE_TICK_NS);
}
END_TEST

START_TEST(a_second_message_waits_for_nobody)
{
    learn();
    uint64_t first = say(client);
    hear(server);
    uint64_t second = say(client);
    ck_assert_uint_lt(until_done(client, second), DIALOGUE_TICK_NS);
    ck_assert_int_eq(app_done(client, first)->status, 0);
}
END_TEST

START_TEST(not_where_slots_are_scarce)
{
    learn();
    /* Others have them. */
    for (uint32_t i = 0; i <= APP_SLOTS / 2; i++) {
        struct list *node = list_first(&server->session->free_slots);
        list_remove(node);
        server->session->free_count--;
    }
    ck_assert_uint_lt(until_done(client, say(client)), DIALOGUE_TICK_NS);
    for (uint32_t i = 0; i < APP_SLOTS; i++) {
        struct slot *slot = &server->session->slots[i];
        if (slot->state != SLOT_FREE || !list_empty(&slot->node))
            continue;
        list_push(&server->session->free_slots, &slot->node);
        server->session->free_count++;
    }
}
END_TEST

/* What may happen while the news waits: then it is told, or the end is. */
enum {
    CLIENT_CLOSES,
    SERVER_CLOSES,
    CLIENT_LEAVES,
    SERVER_LEAVES,
    FLOW_ENDS,
    RELOADED,
    HAPPENINGS
};

START_TEST(something_else_happens)
{
    learn();
    uint64_t last = say(client);
    hear(server);
    struct connection *connection = connection_find(&rig->hosts[0].upper, incoming);
    ck_assert(!list_empty(&connection->late));
    const struct saddle_command close = {.op = SADDLE_CMD_CLOSE,
                                         .handle = _i == CLIENT_CLOSES ? outgoing : incoming,
                                         .tag = 1};
    if (_i == CLIENT_CLOSES || _i == SERVER_CLOSES)
        ck_assert(app_submit(_i == CLIENT_CLOSES ? client : server, &close));
    if (_i == CLIENT_LEAVES || _i == SERVER_LEAVES)
        rig_detach(rig, _i == CLIENT_LEAVES ? client : server);
    if (_i == FLOW_ENDS)
        rig_break(rig, -ETIMEDOUT);
    if (_i == RELOADED)
        rig_reload(rig, 0);
    rig_settle(rig);
    ck_assert(list_empty(&rig->hosts[0].upper.late) && list_empty(&rig->hosts[0].upper.overdue));
    /* Answers go before CLOSE. */
    if (_i == CLIENT_CLOSES || _i == SERVER_CLOSES || _i == RELOADED)
        ck_assert_int_eq(app_done(client, last)->status, 0);
    else if (_i == FLOW_ENDS)
        ck_assert_int_eq(app_done(client, last)->status, -ETIMEDOUT);
    else if (_i == SERVER_LEAVES)
        app_done(client, last);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialogue");
    TCase *turns = tcase_create("turns");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(turns, setup, teardown);
    tcase_add_test(turns, one_packet_each_way);
    tcase_add_test(turns, who_only_sends_is_told_at_once);
    tcase_add_test(turns, who_does_not_answer_is_waited_for_once);
    tcase_add_test(turns, a_second_message_waits_for_nobody);
    tcase_add_test(turns, not_where_slots_are_scarce);
    tcase_add_loop_test(turns, something_else_happens, 0, HAPPENINGS);
    suite_add_tcase(suite, turns);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
