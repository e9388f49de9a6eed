/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Applications that make mistakes, and applications that lie. */
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct rig *rig;
static struct app *server, *client, *other;
static uint32_t incoming, outgoing;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    other = rig_attach(rig, 1, APP_SLOTS);
    rig_pair(rig, server, client, &incoming, &outgoing);
}

/* Whatever happened to the client: the others do their work. */
static void teardown(void)
{
    uint32_t at = server->event_count;

    app_connect(other, "echo", 900);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    ck_assert_ptr_nonnull(event);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = event->handle,
                                          .tag = 901};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    app_send(other, app_done(other, 900)->handle, 0, 0, 5000, 902);
    rig_settle(rig);
    ck_assert_int_eq(app_done(other, 902)->status, 0);
    ck_assert_int_eq(pony_session_error(other->session), 0);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    rig_check(rig);
    rig_destroy(rig);
}

static const struct saddle_arena_header *header_of(const struct app *app)
{
    return (const struct saddle_arena_header *)(const void *)app->arena;
}

/* The client's session is closed with a reason, its peer has heard, and its memory is let alone. */
static void assert_closed(void)
{
    uint32_t at = 0;

    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(client->session), -EPROTO);
    ck_assert_uint_eq(header_of(client)->state, SADDLE_SESSION_CLOSED);
    ck_assert_int_eq(header_of(client)->error, -EPROTO);
    ck_assert_uint_gt(strlen(header_of(client)->reason), 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.violations, 1);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -ECONNRESET);
    ck_assert(client->session->dropped);
    uint8_t *before = malloc(client->config.arena_bytes);
    memcpy(before, client->arena, client->config.arena_bytes);
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP};
    app_submit(other, &nop);
    rig_settle(rig);
    rig_advance(rig, NSEC_PER_SEC);
    rig_settle(rig);
    ck_assert_mem_eq(before, client->arena, client->config.arena_bytes);
    free(before);
}

static const struct saddle_command lies[] = {
    {.op = SADDLE_CMD_COUNT},
    {.op = 255},
    {.op = SADDLE_CMD_NOP, .flags = SADDLE_ENTRY_SLOT},
    {.op = SADDLE_CMD_NOP, .flags = 0x80},
    {.op = SADDLE_CMD_FETCH_ADD, .flags = SADDLE_ENTRY_INLINE | SADDLE_ENTRY_UNORDERED, .len = 8},
    {.op = SADDLE_CMD_READ_INDIRECT, .flags = SADDLE_ENTRY_GATHER},
    {.op = SADDLE_CMD_NOP, .flags = SADDLE_ENTRY_GATHER},
    {.op = SADDLE_CMD_POST_RECV, .flags = SADDLE_ENTRY_GATHER},
    {.op = SADDLE_CMD_READ, .flags = SADDLE_ENTRY_GATHER},
    {.op = SADDLE_CMD_WRITE, .flags = SADDLE_ENTRY_UNORDERED},
    {.op = SADDLE_CMD_CANCEL, .flags = SADDLE_ENTRY_UNORDERED},
    {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_INLINE | SADDLE_ENTRY_GATHER, .len = 1},
    {.op = SADDLE_CMD_NOP, .reserved = 1},
    {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_INLINE, .len = SADDLE_INLINE_BYTES + 1},
    {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_INLINE, .len = UINT32_MAX},
    {.op = SADDLE_CMD_RELEASE, .slot = 0},
    {.op = SADDLE_CMD_RELEASE, .slot = APP_SLOTS},
    {.op = SADDLE_CMD_RELEASE, .slot = UINT32_MAX},
};

START_TEST(lie_closes_the_session)
{
    app_send(client, outgoing, 0, 0, 3000000, 10);
    ck_assert(app_submit(client, &lies[_i]));
    assert_closed();
}
END_TEST

START_TEST(released_twice)
{
    uint32_t at = 0;

    client->keep = true;
    app_send(server, incoming, 0, 0, 1000, 10);
    rig_settle(rig);
    const struct saddle_event *event = app_event(client, &at, SADDLE_EVT_MESSAGE, 2);
    ck_assert_ptr_nonnull(event);
    const struct saddle_command release = {.op = SADDLE_CMD_RELEASE, .slot = event->slot};
    ck_assert(app_submit(client, &release));
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    ck_assert(app_submit(client, &release));
    assert_closed();
}
END_TEST

START_TEST(absurd_sequence_word)
{
    const struct channel_config *config = &client->config.channels[0];

    for (uint32_t i = 0; i < APP_ENTRIES; i++)
        memset(config->command.entries + i * SADDLE_ENTRY_BYTES, 0x5a, sizeof(uint32_t));
    assert_closed();
}
END_TEST

START_TEST(absurd_consumed_position)
{
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP};

    client->hold = true;
    client->config.channels[0].completion.header->consumed = 0x12345678;
    for (uint32_t i = 0; i < 4 * APP_ENTRIES; i++) {
        app_submit(client, &nop);
        rig_step(rig);
    }
    assert_closed();
}
END_TEST

static int status_of(struct app *app, uint32_t channel, struct saddle_command command, uint64_t tag)
{
    command.tag = tag;
    ck_assert(app_submit_on(app, channel, &command));
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(app->session), 0);
    return app_done(app, tag)->status;
}

START_TEST(mistakes_are_answered)
{
    const uint64_t heap = client->config.heap_offset;
    const uint64_t end = heap + client->config.heap_bytes;
    const struct {
        struct saddle_command command;
        int status;
    } cases[] = {
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = heap, .len = 0}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = heap, .len = UINT32_MAX}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = heap, .len = APP_HEAP + 1}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = heap - 1, .len = 1}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = end - 1, .len = 2}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = end, .len = 1}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = UINT64_MAX, .len = 2}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = UINT64_MAX - 100, .len = 200}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing, .buf = heap, .len = 1, .stream = 64}, -EINVAL},
        {{.op = SADDLE_CMD_SEND, .handle = 0, .buf = heap, .len = 1}, -EBADF},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing + 1, .buf = heap, .len = 1}, -EBADF},
        {{.op = SADDLE_CMD_SEND, .handle = outgoing + 0x10000, .buf = heap, .len = 1}, -EBADF},
        {{.op = SADDLE_CMD_SEND, .handle = UINT32_MAX, .buf = heap, .len = 1}, -EBADF},
        {{.op = SADDLE_CMD_POST_RECV, .handle = outgoing, .buf = end - 9, .len = 10}, -EINVAL},
        {{.op = SADDLE_CMD_POST_RECV, .handle = outgoing, .buf = heap, .len = 0}, -EINVAL},
        {{.op = SADDLE_CMD_READ, .handle = outgoing, .buf = heap, .len = 0}, -EINVAL},
        {{.op = SADDLE_CMD_READ, .handle = outgoing, .buf = end, .len = 8}, -EINVAL},
        {{.op = SADDLE_CMD_WRITE, .handle = outgoing, .buf = 0, .len = 8}, -EINVAL},
        {{.op = SADDLE_CMD_EXPOSE, .buf = heap, .len = 100}, -EINVAL},
        {{.op = SADDLE_CMD_EXPOSE, .buf = heap, .len = 100, .key = 8}, -EINVAL},
        {{.op = SADDLE_CMD_EXPOSE, .buf = heap, .len = 0, .key = 1}, -EINVAL},
        {{.op = SADDLE_CMD_EXPOSE, .buf = end - 99, .len = 100, .key = 1}, -EINVAL},
        {{.op = SADDLE_CMD_EXPOSE, .buf = 0, .len = 100, .key = 1}, -EINVAL},
        {{.op = SADDLE_CMD_REVOKE, .key = 0}, -EACCES},
        {{.op = SADDLE_CMD_REVOKE, .key = UINT64_MAX}, -EACCES},
        {{.op = SADDLE_CMD_CLOSE, .handle = 0}, -EBADF},
        {{.op = SADDLE_CMD_CLOSE, .handle = 0xffff}, -EBADF},
        {{.op = SADDLE_CMD_ACCEPT, .handle = outgoing}, -EINVAL},
        {{.op = SADDLE_CMD_REJECT, .handle = 77}, -EBADF},
        {{.op = SADDLE_CMD_LISTEN, .buf = heap, .len = 0}, -EINVAL},
        {{.op = SADDLE_CMD_LISTEN, .buf = end, .len = 5}, -EINVAL},
        {{.op = SADDLE_CMD_LISTEN, .flags = 1, .len = 4, .payload = "abcd"}, -EINVAL},
        {{.op = SADDLE_CMD_LISTEN, .flags = 1, .len = 5, .payload = "a\0bc"}, -EINVAL},
        {{.op = SADDLE_CMD_LISTEN, .flags = 1, .len = 1, .payload = ""}, -EINVAL},
        {{.op = SADDLE_CMD_CONNECT, .flags = 1, .len = 5, .payload = "peer"}, -EINVAL},
        {{.op = SADDLE_CMD_CONNECT, .flags = 1, .len = 6, .payload = "peer\0"}, -EINVAL},
        {{.op = SADDLE_CMD_CONNECT, .flags = 1, .len = 7, .payload = "peer\0x\0"}, 1},
        {{.op = SADDLE_CMD_CONNECT, .flags = 1, .len = 8, .payload = "peer\0x\0"}, -EINVAL},
        {{.op = SADDLE_CMD_CONNECT, .flags = 1, .len = 7, .payload = "pear\0x\0"}, -EHOSTUNREACH},
        {{.op = SADDLE_CMD_NOP}, 0},
    };

    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = status_of(client, 0, cases[i].command, 100 + i);
        int expected = cases[i].status == 1 ? -ECONNREFUSED : cases[i].status;
        ck_assert_msg(status == expected, "case %u: %d, not %d", i, status, expected);
    }
}
END_TEST

START_TEST(handles_of_others)
{
    const struct saddle_command send = {
        .op = SADDLE_CMD_SEND, .handle = outgoing, .buf = other->config.heap_offset, .len = 10};
    struct saddle_command close = {.op = SADDLE_CMD_CLOSE, .handle = outgoing};
    const uint32_t listener = app_done(server, 1)->handle;

    ck_assert_int_eq(status_of(other, 0, send, 100), -EBADF);
    ck_assert_int_eq(status_of(other, 0, close, 101), -EBADF);
    /* Another channel of the same session. */
    ck_assert_int_eq(status_of(client, 1, send, 102), -EBADF);
    ck_assert_int_eq(status_of(client, 1, close, 103), -EBADF);
    close.handle = listener;
    ck_assert_int_eq(status_of(client, 0, close, 104), -EBADF);
    ck_assert_int_eq(status_of(server, 1, close, 105), -EBADF);
}
END_TEST

START_TEST(region_keys_of_others)
{
    const struct saddle_command expose = {
        .op = SADDLE_CMD_EXPOSE, .buf = server->config.heap_offset, .len = 10, .key = 1};
    ck_assert_int_eq(status_of(server, 0, expose, 100), 0);
    const uint64_t key = app_done(server, 100)->value;
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE, .key = key};

    ck_assert_int_eq(status_of(client, 0, revoke, 101), -EACCES);
    ck_assert_int_eq(status_of(server, 0, revoke, 102), 0);
    ck_assert_int_eq(status_of(server, 0, revoke, 103), -EACCES);
}
END_TEST

START_TEST(accepted_on_another_channel)
{
    uint32_t at = server->event_count;

    app_connect(client, "echo", 50);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = event->handle,
                                          .tag = 51};
    ck_assert(app_submit_on(server, 1, &accept));
    rig_settle(rig);
    app_send(client, app_done(client, 50)->handle, 0, 0, 10, 52);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 52)->status, 0);
    event = app_event(server, &at, SADDLE_EVT_MESSAGE, 51);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(server->event_channel[event - server->events], 1);
}
END_TEST

START_TEST(closed_listener_refuses)
{
    struct saddle_command close = {.op = SADDLE_CMD_CLOSE};

    app_connect(client, "echo", 50);
    rig_settle(rig);
    close.handle = app_done(server, 1)->handle;
    ck_assert_int_eq(status_of(server, 0, close, 60), 0);
    ck_assert_int_eq(app_done(client, 50)->status, -ECONNREFUSED);
    app_listen(server, "echo", 1);
    app_listen(server, "echo", 61);
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 61)->status, -EADDRINUSE);
}
END_TEST

START_TEST(more_work_than_the_engine_remembers)
{
    uint32_t at = 0;

    /* A full table of operations: the commands wait, and nobody else does. */
    for (uint32_t i = 0; i < 3000; i++) {
        const struct saddle_command post = {
            .op = SADDLE_CMD_POST_RECV,
            .handle = outgoing,
            .buf = client->config.heap_offset,
            .len = 100000,
            .tag = 1000 + i,
        };
        app_submit(client, &post);
        rig_step(rig);
    }
    rig_settle(rig);
    ck_assert_uint_eq(client->session->operation_count, APP_ENTRIES - 1);
    /* Its commands wait, so it cannot release anything either. */
    client->keep = true;
    for (uint32_t i = 0; i < 2; i++)
        app_send(server, incoming, 0, 0, 200, 70 + i);
    rig_settle(rig);
    /* The one place left serves messages too, one after the other. */
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(app_done(server, 70 + i)->status, 0);
        ck_assert_ptr_nonnull(app_event(client, &at, SADDLE_EVT_MESSAGE, 2));
    }
}
END_TEST

START_TEST(scribbling_on_the_header_changes_nothing)
{
    memset(client->arena, 0xff, sizeof(struct saddle_arena_header));
    app_send(client, outgoing, 0, 0, 2000, 10);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
}
END_TEST

/* The short look finds what the long one would do something about. */
START_TEST(quiet_when_nothing_came)
{
    struct upper *upper = &rig->hosts[1].upper;
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP, .tag = 10};

    rig_settle(rig);
    ck_assert(upper_quiet(upper));
    ck_assert(app_submit_on(client, 1, &nop));
    ck_assert(!upper_quiet(upper));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert(upper_quiet(upper));
    /* Events that wait for room. */
    client->hold = true;
    for (uint32_t i = 0; i < APP_ENTRIES + 1; i++) {
        app_send(server, incoming, 0, 0, 8, 100 + i);
        rig_step(rig);
    }
    rig_settle(rig);
    ck_assert(!upper_quiet(upper));
    client->hold = false;
    rig_settle(rig);
    ck_assert(upper_quiet(upper));
    /* A word of nonsense is something, too. */
    queue_word32 *seq = (queue_word32 *)(void *)queue_entry(&client->channels[0].commands.queue,
                                                            client->channels[0].commands.position);
    const uint32_t before = *seq;
    *seq = 0x12345678;
    ck_assert(!upper_quiet(upper));
    *seq = before;
    ck_assert(upper_quiet(upper));
}
END_TEST

START_TEST(no_session_without_geometry)
{
    struct pony_session *session = NULL;
    struct pony_session_config config = client->config;

    config.slot_count = 0;
    ck_assert_int_eq(pony_session_create(&session, &config), -EINVAL);
    config = client->config;
    config.channel_count = SADDLE_CHANNELS_MAX + 1;
    ck_assert_int_eq(pony_session_create(&session, &config), -EINVAL);
    config = client->config;
    config.heap_offset = UINT64_MAX;
    ck_assert_int_eq(pony_session_create(&session, &config), -EINVAL);
    config = client->config;
    config.slots_offset = config.arena_bytes - 1;
    ck_assert_int_eq(pony_session_create(&session, &config), -EINVAL);
    ck_assert_ptr_null(session);
    pony_session_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("lies");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, lie_closes_the_session, 0, sizeof(lies) / sizeof(lies[0]));
    tcase_add_test(tcase, released_twice);
    tcase_add_test(tcase, absurd_sequence_word);
    tcase_add_test(tcase, absurd_consumed_position);
    tcase_add_test(tcase, mistakes_are_answered);
    tcase_add_test(tcase, quiet_when_nothing_came);
    tcase_add_test(tcase, handles_of_others);
    tcase_add_test(tcase, region_keys_of_others);
    tcase_add_test(tcase, accepted_on_another_channel);
    tcase_add_test(tcase, closed_listener_refuses);
    tcase_add_test(tcase, more_work_than_the_engine_remembers);
    tcase_add_test(tcase, scribbling_on_the_header_changes_nothing);
    tcase_add_test(tcase, no_session_without_geometry);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
