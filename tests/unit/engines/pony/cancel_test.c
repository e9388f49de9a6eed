/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Cancelling each kind of operation: it ends once, and its memory is let alone from then on. */
#include "engines/pony/operation.h"
#include "sched/state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 500000u
#define TAG   70u

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

/* Nothing is left behind, and the two still understand each other unless they have parted. */
static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        ck_assert_int_eq(pony_session_error(rig->apps[i]->session), 0);
        ck_assert_uint_eq(rig->hosts[i].upper.counters.operations, 0);
        ck_assert_uint_eq(rig->apps[i]->session->operation_count, 0);
        ck_assert_uint_eq(rig->apps[i]->session->free_count, APP_SLOTS);
        ck_assert_uint_eq(rig->hosts[i].upper.counters.peer_violations, 0);
    }
    rig_destroy(rig);
}

static void cancel(struct app *app, uint64_t what, uint64_t tag)
{
    const struct saddle_command command = {.op = SADDLE_CMD_CANCEL, .key = what, .tag = tag};

    ck_assert(app_submit(app, &command));
}

/* Cancels TAG, and it was `found` so often. */
static void cancelled(struct app *app, uint32_t found)
{
    cancel(app, TAG, 900);
    rig_settle(rig);
    ck_assert_int_eq(app_done(app, 900)->status, 0);
    ck_assert_uint_eq(app_done(app, 900)->value, found);
    if (found == 1)
        ck_assert_int_eq(app_done(app, TAG)->status, -ECANCELED);
}

static struct saddle_command moving(struct app *app, uint8_t op, uint32_t handle, uint32_t len)
{
    return (struct saddle_command){
        .op = op,
        .handle = handle,
        .buf = app->config.heap_offset,
        .len = len,
        .tag = TAG,
    };
}

static uint64_t expose(uint32_t rights)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = server->config.heap_offset,
        .len = LARGE,
        .key = rights,
        .tag = 20,
    };

    ck_assert(app_submit(server, &command));
    rig_settle(rig);
    return app_done(server, 20)->value;
}

static void steps(uint32_t count)
{
    while (count-- > 0)
        rig_step(rig);
}

static void still_open(void)
{
    app_send(client, outgoing, 0, 0, 100, 800);
    app_send(server, incoming, 1, 0, 100, 801);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 800)->status, 0);
    ck_assert_int_eq(app_done(server, 801)->status, 0);
}

START_TEST(nothing_to_cancel)
{
    cancelled(client, 0);
    app_send(client, outgoing, 0, 0, 100, TAG);
    rig_settle(rig);
    cancel(client, TAG, 901);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(client, 901)->value, 0);
    ck_assert_int_eq(app_done(client, TAG)->status, 0);
}
END_TEST

START_TEST(connect)
{
    uint32_t at = server->event_count;

    app_connect(client, "echo", TAG);
    rig_settle(rig);
    cancelled(client, 1);
    /* Whoever accepts it is told. */
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 30,
    };
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    ck_assert_int_eq(app_event(server, &at, SADDLE_EVT_CLOSED, 30)->status, -ECANCELED);
}
END_TEST

/* A close that waits for a message that nobody takes. */
START_TEST(close_of_a_connection)
{
    struct saddle_command close = {.op = SADDLE_CMD_CLOSE, .handle = outgoing, .tag = TAG};
    uint32_t at = 0;

    app_send(client, outgoing, 0, 0, LARGE, 10);
    ck_assert(app_submit(client, &close));
    rig_settle(rig);
    cancelled(client, 1);
    ck_assert_int_eq(app_done(client, 10)->status, -ECONNRESET);
    ck_assert_int_eq(app_event(server, &at, SADDLE_EVT_CLOSED, 3)->status, -ECONNRESET);
}
END_TEST

/* At each point of a message's way: queued, offered, under way. */
START_TEST(send_large)
{
    struct saddle_command send = moving(client, SADDLE_CMD_SEND, outgoing, LARGE);
    struct saddle_command posted = moving(server, SADDLE_CMD_POST_RECV, incoming, LARGE);

    send.flags = _i % 2 ? SADDLE_ENTRY_UNORDERED : 0;
    posted.tag = 31;
    if (_i >= 8)
        ck_assert(app_submit(server, &posted));
    ck_assert(app_submit(client, &send));
    steps((uint32_t)_i / 2);
    cancelled(client, 1);
    /* The buffer is for the next message. */
    if (_i < 8)
        ck_assert(app_submit(server, &posted));
    app_pattern(client, LARGE, 20000, 5);
    app_send(client, outgoing, 0, LARGE, 20000, 11);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 11)->status, 0);
    ck_assert(app_matches(app_heap(server, 0), 20000, 5));
    still_open();
}
END_TEST

START_TEST(sends_that_have_no_credit)
{
    server->keep = true;
    for (uint32_t i = 0; i < 50; i++)
        app_send(client, outgoing, (uint16_t)(i % 3), 0, 1000, i < 40 ? 1000 + i : TAG);
    rig_settle(rig);
    uint32_t at = 0, given = 0;
    while (app_event(client, &at, SADDLE_EVT_DONE, TAG))
        given++;
    ck_assert_uint_lt(given, 10);
    cancel(client, TAG, 900);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(client, 900)->value, 10 - given);
    for (uint32_t i = 0; i < server->event_count; i++) {
        const struct saddle_command release = {.op = SADDLE_CMD_RELEASE,
                                               .slot = server->events[i].slot};
        if (server->events[i].flags & SADDLE_ENTRY_SLOT)
            ck_assert(app_submit(server, &release));
    }
    server->keep = false;
    rig_settle(rig);
    for (uint32_t i = 0; i < 40; i++)
        ck_assert_int_eq(app_done(client, 1000 + i)->status, 0);
    still_open();
}
END_TEST

START_TEST(posted_buffer)
{
    struct saddle_command command = moving(server, SADDLE_CMD_POST_RECV, incoming, LARGE);

    ck_assert(app_submit(server, &command));
    rig_settle(rig);
    cancelled(server, 1);
    still_open();
}
END_TEST

/* While a message is on its way into it: not a byte is written later. */
START_TEST(buffer_being_filled)
{
    struct saddle_command command = moving(server, SADDLE_CMD_POST_RECV, incoming, LARGE);
    struct saddle_command send = moving(client, SADDLE_CMD_SEND, outgoing, LARGE);

    send.flags = _i % 2 ? SADDLE_ENTRY_UNORDERED : 0;
    ck_assert(app_submit(server, &command));
    ck_assert(app_submit(client, &send));
    steps(4 + (uint32_t)_i);
    cancel(server, TAG, 900);
    while (server->event_count == 0 ||
           server->events[server->event_count - 1].op != SADDLE_CMD_CANCEL)
        rig_step(rig);
    ck_assert_uint_eq(app_done(server, 900)->value, 1);
    ck_assert_int_eq(app_done(server, TAG)->status, -ECANCELED);
    app_pattern(server, 0, LARGE, 6);
    rig_settle(rig);
    ck_assert(app_matches(app_heap(server, 0), LARGE, 6));
    ck_assert_int_eq(app_done(client, TAG)->status, -ECANCELED);
    still_open();
}
END_TEST

/* What has arrived keeps its outcome, though it waits for what comes before it. */
START_TEST(buffer_that_holds_its_message)
{
    struct saddle_command posted = moving(server, SADDLE_CMD_POST_RECV, incoming, LARGE);

    app_send(client, outgoing, 0, 0, LARGE, 10);
    app_send(client, outgoing, 0, 0, 20000, 11);
    rig_settle(rig);
    posted.len = 20000;
    ck_assert(app_submit(server, &posted));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 11)->status, 0);
    cancel(server, TAG, 900);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 900)->value, 1);
    posted.len = LARGE;
    posted.tag = 31;
    posted.buf += LARGE;
    ck_assert(app_submit(server, &posted));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 31)->status, 0);
    ck_assert_int_eq(app_done(server, TAG)->status, 0);
    ck_assert_uint_eq(app_done(server, TAG)->len, 20000);
}
END_TEST

START_TEST(read)
{
    struct saddle_command command = moving(client, SADDLE_CMD_READ, outgoing, LARGE);

    app_pattern(server, 0, LARGE, 8);
    command.key = expose(SADDLE_RIGHT_READ);
    ck_assert(app_submit(client, &command));
    steps(1 + (uint32_t)_i * 4);
    cancel(client, TAG, 900);
    while (client->events[client->event_count - 1].op != SADDLE_CMD_CANCEL)
        rig_step(rig);
    ck_assert_uint_eq(app_done(client, 900)->value, 1);
    ck_assert_int_eq(app_done(client, TAG)->status, -ECANCELED);
    app_pattern(client, 0, LARGE, 9);
    rig_settle(rig);
    ck_assert(app_matches(app_heap(client, 0), LARGE, 9));
    still_open();
}
END_TEST

START_TEST(write)
{
    struct saddle_command command = moving(client, SADDLE_CMD_WRITE, outgoing, LARGE);

    command.key = expose(SADDLE_RIGHT_WRITE);
    ck_assert(app_submit(client, &command));
    steps(1 + (uint32_t)_i * 4);
    cancelled(client, 1);
    still_open();
}
END_TEST

/* By way of a table, and on words: each of the kinds after so many steps. One of the last two may
 * be carried out, but once at most. */
START_TEST(by_table_and_atomic)
{
    enum { TABLE = 8, KINDS = 5 };
    struct saddle_command command = moving(client, SADDLE_CMD_READ_INDIRECT, outgoing, LARGE / 2);
    const uint64_t key = expose(SADDLE_RIGHT_READ | SADDLE_RIGHT_ATOMIC);
    const uint64_t values[] = {0, 1};
    const uint64_t entry[] = {9, key, LARGE / 2,
                              LARGE / 2}; /* a match, or from its key on a pointer */
    const struct saddle_scan scan = {.match = 9, .entries = 1, .bytes = LARGE / 2};
    uint64_t word;

    memset(app_heap(server, 0), 0, LARGE);
    memcpy(app_heap(server, TABLE), entry, sizeof(entry));
    command.key = key;
    command.op = (uint8_t)(SADDLE_CMD_READ_INDIRECT + _i % KINDS);
    command.flags = command.op == SADDLE_CMD_READ_INDIRECT ? 0 : SADDLE_ENTRY_INLINE;
    if (command.op == SADDLE_CMD_READ_INDIRECT) {
        command.remote_offset = TABLE + sizeof(uint64_t);
    } else if (command.op == SADDLE_CMD_READ_BATCH) {
        const uint64_t offset = TABLE + sizeof(uint64_t);
        command.remote_offset = LARGE / 2;
        command.len = sizeof(offset);
        memcpy(command.payload, &offset, sizeof(offset));
    } else if (command.op == SADDLE_CMD_SCAN_READ) {
        command.remote_offset = TABLE;
        command.len = sizeof(scan);
        memcpy(command.payload, &scan, sizeof(scan));
    } else {
        bool swap = command.op == SADDLE_CMD_COMPARE_SWAP;
        command.len = swap ? sizeof(values) : sizeof(values[0]);
        memcpy(command.payload, swap ? values : values + 1, command.len);
    }
    ck_assert(app_submit(client, &command));
    steps((uint32_t)_i / KINDS);
    cancel(client, TAG, 900);
    while (client->events[client->event_count - 1].op != SADDLE_CMD_CANCEL)
        rig_step(rig);
    uint32_t found = (uint32_t)app_done(client, 900)->value;
    /* It takes more than one step to be asked and answered. */
    ck_assert(found == 1 || _i / KINDS > 1);
    ck_assert_int_eq(app_done(client, TAG)->status, found ? -ECANCELED : 0);
    ck_assert_uint_eq(app_done(client, TAG)->value, 0);
    app_pattern(client, 0, LARGE, 9);
    rig_settle(rig);
    ck_assert(app_matches(app_heap(client, 0), LARGE, 9));
    memcpy(&word, app_heap(server, 0), sizeof(word));
    ck_assert_uint_le(word, 1);
    still_open();
}
END_TEST

START_TEST(ping)
{
    struct saddle_command command = {.op = SADDLE_CMD_PING,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .len = 5,
                                     .tag = TAG,
                                     .payload = "peer"};

    rig->decline_per_million = 1000000;
    ck_assert(app_submit(client, &command));
    steps((uint32_t)_i * 3);
    cancel(client, TAG, 900);
    steps(5);
    ck_assert_int_eq(app_done(client, TAG)->status, -ECANCELED);
    rig->decline_per_million = 0;
    rig_settle(rig);
    ck_assert_uint_eq(app_done(client, 900)->value, 1);
}
END_TEST

/* Those before it alone, with its tag alone, of its channel alone; more than one turn's worth. */
START_TEST(which_ones)
{
    enum { EACH = 20 };
    struct saddle_command posted = moving(server, SADDLE_CMD_POST_RECV, incoming, LARGE);
    uint32_t at = server->event_count, counts[3] = {0};

    app_connect(client, "echo", 40);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 41,
    };
    ck_assert(app_submit_on(server, 1, &accept));
    rig_settle(rig);
    posted.handle = accept.handle;
    posted.tag = 1;
    ck_assert(app_submit_on(server, 1, &posted));
    posted.handle = incoming;
    for (uint32_t i = 0; i < 2 * EACH; i++) {
        posted.tag = 1000 + i % 2;
        ck_assert(app_submit(server, &posted));
    }
    cancel(server, 1000, 900);
    cancel(server, 1, 901);
    cancel(server, 1001, 902);
    posted.tag = 1000;
    ck_assert(app_submit(server, &posted));
    if (_i == 1) {
        steps(1);
        rig_reload(rig, 0);
    }
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 900)->value, EACH);
    ck_assert_uint_eq(app_done(server, 901)->value, 0);
    ck_assert_uint_eq(app_done(server, 902)->value, EACH);
    for (uint32_t i = 0; i < server->event_count; i++) {
        const struct saddle_event *event = &server->events[i];
        if (event->op == SADDLE_CMD_POST_RECV)
            counts[event->tag % 1000] += event->status == -ECANCELED;
    }
    ck_assert_uint_eq(counts[0], EACH);
    ck_assert_uint_eq(counts[1], EACH);
    cancel(server, 1000, 903);
    const struct saddle_command other = {.op = SADDLE_CMD_CANCEL, .key = 1, .tag = 904};
    ck_assert(app_submit_on(server, 1, &other));
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 903)->value, 1);
    ck_assert_uint_eq(app_done(server, 904)->value, 1);
}
END_TEST

/* Buffers that nothing will ever fill, on one channel; how many were taken. */
static uint32_t post_on(uint32_t channel, uint32_t handle, uint32_t most)
{
    struct saddle_command posted = moving(server, SADDLE_CMD_POST_RECV, handle, LARGE);
    uint32_t count = server->session->operation_count;

    posted.tag = 1000 + channel;
    while (most-- > 0) {
        ck_assert(app_submit_on(server, channel, &posted));
        steps(1);
    }
    rig_settle(rig);
    return server->session->operation_count - count;
}

static uint32_t on_other_channel(void)
{
    uint32_t at = server->event_count;

    app_connect(client, "echo", 40);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 41,
    };
    ck_assert(app_submit_on(server, 1, &accept));
    rig_settle(rig);
    return accept.handle;
}

/* All that a completion queue has room for, but for the place that is kept. */
START_TEST(no_completion_left)
{
    ck_assert_uint_eq(post_on(0, incoming, APP_ENTRIES - 1), APP_ENTRIES - 1);
    cancel(server, 1000, 900);
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 900)->value, APP_ENTRIES - 1);
}
END_TEST

/* All operations that a session may have, posted: on each channel a CANCEL still runs. */
START_TEST(no_operation_left)
{
    struct upper *upper = &rig->hosts[0].upper;
    uint32_t other = on_other_channel(), others = upper->operation_share.shared_used;
    uint32_t each = upper->operation_share.guaranteed / 2;

    upper->operation_share.shared_used = upper->operation_share.shared; /* by other sessions */
    ck_assert_uint_lt(each, APP_ENTRIES - 1);
    ck_assert_uint_eq(post_on(0, incoming, each), each);
    ck_assert_uint_eq(post_on(1, other, each), each);
    ck_assert(!operation_available(upper, server->session));
    for (uint32_t channel = 0; channel < APP_CHANNELS; channel++) {
        const struct saddle_command command = {.op = SADDLE_CMD_CANCEL,
                                               .key = 1000 + channel,
                                               .tag = 900 + channel};
        ck_assert(app_submit_on(server, channel, &command));
        if (_i == 1) {
            steps(1);
            rig_reload(rig, 0);
        }
    }
    rig_settle(rig);
    ck_assert_uint_eq(app_done(server, 900)->value, each);
    ck_assert_uint_eq(app_done(server, 901)->value, each);
    upper->operation_share.shared_used = others;
}
END_TEST

/* The session goes while CANCELs are in progress. */
START_TEST(session_goes)
{
    struct app *other = rig_attach(rig, 0, APP_SLOTS);
    const struct saddle_command lie = {.op = UINT8_MAX};

    for (uint32_t i = 0; i < 30; i++)
        cancel(other, i, 1000 + i);
    ck_assert(app_submit(other, &lie));
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(other->session), -EPROTO);
    ck_assert_uint_eq(other->session->operation_count, 0);
}
END_TEST

/* As many as a turn looks at, nearly: a second CANCEL is in the middle when it ends. */
#define KEPT_MANY 50u
#define KEPT_TAGS 2u

static void keep(uint32_t count)
{
    struct saddle_command command = moving(client, SADDLE_CMD_POST_RECV, outgoing, LARGE);

    for (uint32_t i = 0; i < count; i++) {
        command.tag = TAG + i % KEPT_TAGS;
        ck_assert(app_submit(client, &command));
    }
}

static uint32_t ended(uint64_t tag)
{
    uint32_t at = 0, count = 0;
    const struct saddle_event *event;

    while ((event = app_event(client, &at, SADDLE_EVT_DONE, tag))) {
        ck_assert_int_eq(event->status, -ECANCELED);
        count++;
    }
    return count;
}

static void save(struct state_writer *writer)
{
    state_writer_init(writer);
    upper_save(&rig->hosts[client->host].upper, writer);
    ck_assert_int_eq(state_writer_finish(writer), 0);
}

/* Saved with one in progress and one that waits, which end the same operations where they are
 * loaded as where they were saved. */
START_TEST(saved_in_the_middle)
{
    struct upper *upper = &rig->hosts[client->host].upper;
    const struct list *cancels = &client->session->channels[0].cancels;
    struct state_writer before, after;

    keep(KEPT_MANY);
    rig_settle(rig);
    for (uint32_t i = 0; i < KEPT_TAGS; i++)
        cancel(client, TAG + i, 900 + i);
    keep(KEPT_TAGS);
    ck_assert_uint_gt(upper_commands(upper, rig->now), 0);
    ck_assert(!list_empty(cancels));
    ck_assert_ptr_nonnull(client->session->channels[0].cancel_next);
    save(&before);
    save(&after);
    ck_assert(!list_empty(cancels));
    ck_assert_uint_eq(before.length, after.length);
    ck_assert_mem_eq(before.bytes, after.bytes, before.length);
    state_writer_destroy(&before);
    state_writer_destroy(&after);
    if (_i == 1)
        rig_reload(rig, client->host);
    rig_settle(rig);
    for (uint32_t i = 0; i < KEPT_TAGS; i++) {
        ck_assert_int_eq(app_done(client, 900 + i)->status, 0);
        ck_assert_uint_eq(app_done(client, 900 + i)->value, KEPT_MANY / KEPT_TAGS);
        ck_assert_uint_eq(ended(TAG + i), KEPT_MANY / KEPT_TAGS);
        cancel(client, TAG + i, 910 + i);
        rig_settle(rig);
        ck_assert_uint_eq(app_done(client, 910 + i)->value, 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tcase = tcase_create("cancel");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_to_cancel);
    tcase_add_loop_test(tcase, saved_in_the_middle, 0, 2);
    tcase_add_test(tcase, connect);
    tcase_add_test(tcase, close_of_a_connection);
    tcase_add_loop_test(tcase, send_large, 0, 40);
    tcase_add_test(tcase, sends_that_have_no_credit);
    tcase_add_test(tcase, posted_buffer);
    tcase_add_loop_test(tcase, buffer_being_filled, 0, 24);
    tcase_add_test(tcase, buffer_that_holds_its_message);
    tcase_add_loop_test(tcase, read, 0, 6);
    tcase_add_loop_test(tcase, write, 0, 6);
    tcase_add_loop_test(tcase, by_table_and_atomic, 0, 25);
    tcase_add_loop_test(tcase, ping, 0, 3);
    tcase_add_loop_test(tcase, which_ones, 0, 2);
    tcase_add_test(tcase, no_completion_left);
    tcase_add_loop_test(tcase, no_operation_left, 0, 2);
    tcase_add_test(tcase, session_goes);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
