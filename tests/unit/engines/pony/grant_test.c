/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What a session may do and have: each refusal is of one command, and the session goes on. */
#include "engines/pony/upper_state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define REGION_BYTES 4096u

static struct rig *rig;
static struct app *server, *client;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
}

static void teardown(void)
{
    ck_assert_int_eq(pony_session_error(server->session), 0);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    rig_check(rig);
    rig_destroy(rig);
}

static struct pony_grant *grant_of(struct app *app)
{
    return &app->session->config.grant;
}

static uint64_t denied(const struct app *app)
{
    return rig->hosts[app->host].upper.counters.commands_denied;
}

static uint64_t over_quota(const struct app *app)
{
    return rig->hosts[app->host].upper.counters.over_quota;
}

static void app_expose(struct app *app, uint64_t at, uint32_t len, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = app->config.heap_offset + at,
        .len = len,
        .key = SADDLE_RIGHT_READ,
        .tag = tag,
    };

    ck_assert(app_submit(app, &command));
}

static int done(struct app *app, uint64_t tag)
{
    rig_settle(rig);
    return app_done(app, tag)->status;
}

static int listen_as(struct app *app, const char *service, uint64_t tag)
{
    app_listen(app, service, tag);
    return done(app, tag);
}

static int expose_as(struct app *app, uint64_t at, uint32_t len, uint64_t tag)
{
    app_expose(app, at, len, tag);
    return done(app, tag);
}

static void accept_caller(struct app *app, uint64_t listener_tag, uint64_t tag)
{
    uint32_t at = 0;
    const struct saddle_event *event = NULL, *next;

    rig_settle(rig);
    while ((next = app_event(app, &at, SADDLE_EVT_INCOMING, listener_tag)) != NULL)
        event = next;
    ck_assert_ptr_nonnull(event);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = event->handle,
                                          .tag = tag};
    ck_assert(app_submit(app, &accept));
    rig_settle(rig);
    ck_assert_int_eq(app_done(app, tag)->status, 0);
}

static int connect_as(struct app *app, uint64_t tag)
{
    app_connect(app, "echo", tag);
    return done(app, tag);
}

START_TEST(nothing_but_a_session)
{
    grant_of(client)->rights = 0;
    ck_assert_int_eq(listen_as(client, "mine", 1), -EACCES);
    ck_assert_int_eq(connect_as(client, 2), -EACCES);
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 3), -EACCES);
    ck_assert_uint_eq(denied(client), 3);
    ck_assert_uint_eq(denied(server), 0);
    ck_assert_uint_eq(over_quota(client), 0);
    /* What takes no right is done as ever. */
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP, .tag = 4};
    ck_assert(app_submit(client, &nop));
    ck_assert_int_eq(done(client, 4), 0);
    struct saddle_command ping = {
        .op = SADDLE_CMD_PING, .flags = SADDLE_ENTRY_INLINE, .len = sizeof("peer"), .tag = 5};
    memcpy(ping.payload, "peer", sizeof("peer"));
    ck_assert(app_submit(client, &ping));
    ck_assert_int_eq(done(client, 5), 0);
}
END_TEST

/* The right is asked for before the command is looked at, and a broken rule is one for all. */
START_TEST(refused_before_it_is_read)
{
    const struct saddle_command senseless = {.op = SADDLE_CMD_CONNECT, .tag = 1};

    ck_assert(app_submit(client, &senseless));
    ck_assert_int_eq(done(client, 1), -EINVAL);
    grant_of(client)->rights = PONY_RIGHTS_ALL & ~PONY_RIGHT_CONNECT;
    const struct saddle_command again = {.op = SADDLE_CMD_CONNECT, .tag = 2};
    ck_assert(app_submit(client, &again));
    ck_assert_int_eq(done(client, 2), -EACCES);
}
END_TEST

/* Each right alone is enough for its own command, and for no other. */
START_TEST(one_right_each)
{
    static const struct {
        uint32_t right;
        int listening, connecting, exposing;
    } cases[] = {
        {PONY_RIGHT_LISTEN, 0, -EACCES, -EACCES},
        {PONY_RIGHT_CONNECT, -EACCES, -ECONNREFUSED, -EACCES},
        {PONY_RIGHT_EXPOSE, -EACCES, -EACCES, 0},
    };

    grant_of(client)->rights = cases[_i].right;
    ck_assert_int_eq(listen_as(client, "mine", 1), cases[_i].listening);
    ck_assert_int_eq(connect_as(client, 2), cases[_i].connecting);
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 3), cases[_i].exposing);
    ck_assert_uint_eq(denied(client), 2);
}
END_TEST

/* Who may only connect calls somebody who may only listen; both send, and the region of a third
 * kind of right is read by a connection alone. */
START_TEST(caller_and_callee)
{
    uint32_t incoming, outgoing;

    ck_assert_int_eq(expose_as(server, 0, REGION_BYTES, 50), 0);
    app_pattern(server, 0, REGION_BYTES, 7);
    grant_of(server)->rights = PONY_RIGHT_LISTEN;
    grant_of(client)->rights = PONY_RIGHT_CONNECT;
    rig_pair(rig, server, client, &incoming, &outgoing);
    app_send(client, outgoing, 0, 0, 1000, 10);
    app_send(server, incoming, 0, 0, 1000, 11);
    ck_assert_int_eq(done(client, 10), 0);
    ck_assert_int_eq(done(server, 11), 0);
    const struct saddle_command read = {.op = SADDLE_CMD_READ,
                                        .handle = outgoing,
                                        .buf = client->config.heap_offset,
                                        .len = REGION_BYTES,
                                        .key = app_done(server, 50)->value,
                                        .tag = 12};
    ck_assert(app_submit(client, &read));
    ck_assert_int_eq(done(client, 12), 0);
    ck_assert(app_matches(app_heap(client, 0), REGION_BYTES, 7));
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE,
                                          .key = app_done(server, 50)->value,
                                          .tag = 51};
    ck_assert(app_submit(server, &revoke));
    ck_assert_int_eq(done(server, 51), 0);
    ck_assert_uint_eq(denied(server) + denied(client), 0);
}
END_TEST

START_TEST(quota_of_listeners)
{
    grant_of(client)->listeners = 2;
    ck_assert_int_eq(listen_as(client, "a", 1), 0);
    ck_assert_int_eq(listen_as(client, "b", 2), 0);
    ck_assert_int_eq(listen_as(client, "c", 3), -EDQUOT);
    ck_assert_uint_eq(over_quota(client), 1);
    /* What is closed makes room. */
    const struct saddle_command close_one = {.op = SADDLE_CMD_CLOSE,
                                             .handle = app_done(client, 1)->handle,
                                             .tag = 4};
    ck_assert(app_submit(client, &close_one));
    ck_assert_int_eq(done(client, 4), 0);
    ck_assert_int_eq(listen_as(client, "c", 5), 0);
    ck_assert_int_eq(listen_as(client, "d", 6), -EDQUOT);
}
END_TEST

START_TEST(quota_of_regions)
{
    grant_of(client)->regions = 1;
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 1), 0);
    ck_assert_int_eq(expose_as(client, 0, 1, 2), -EDQUOT);
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE,
                                          .key = app_done(client, 1)->value,
                                          .tag = 3};
    ck_assert(app_submit(client, &revoke));
    ck_assert_int_eq(done(client, 3), 0);
    ck_assert_int_eq(expose_as(client, 0, 1, 4), 0);
    ck_assert_uint_eq(over_quota(client), 1);
}
END_TEST

START_TEST(quota_of_exposed_bytes)
{
    grant_of(client)->exposed = 2ull * REGION_BYTES;
    ck_assert_int_eq(expose_as(client, 0, 2 * REGION_BYTES + 1, 1), -EDQUOT);
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 2), 0);
    /* The same bytes twice count twice. */
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES + 1, 3), -EDQUOT);
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 4), 0);
    ck_assert_int_eq(expose_as(client, 0, 1, 5), -EDQUOT);
    const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE,
                                          .key = app_done(client, 2)->value,
                                          .tag = 6};
    ck_assert(app_submit(client, &revoke));
    ck_assert_int_eq(done(client, 6), 0);
    ck_assert_uint_eq(client->session->exposed, REGION_BYTES);
    ck_assert_int_eq(expose_as(client, REGION_BYTES, REGION_BYTES, 7), 0);
}
END_TEST

/* Of the caller it is his command that fails; of the callee, the call. */
START_TEST(quota_of_connections)
{
    uint32_t incoming, outgoing;

    grant_of(client)->connections = 1;
    rig_pair(rig, server, client, &incoming, &outgoing);
    ck_assert_int_eq(connect_as(client, 10), -EDQUOT);
    ck_assert_uint_eq(over_quota(client), 1);
    grant_of(client)->connections = 0;
    grant_of(server)->connections = 1;
    ck_assert_int_eq(connect_as(client, 11), -ECONNREFUSED);
    ck_assert_uint_eq(over_quota(server), 1);
    /* A dead connection gives way. */
    const struct saddle_command hang_up = {.op = SADDLE_CMD_CLOSE, .handle = outgoing, .tag = 12};
    ck_assert(app_submit(client, &hang_up));
    ck_assert_int_eq(done(client, 12), 0);
    app_connect(client, "echo", 13);
    accept_caller(server, 1, 14);
    ck_assert_int_eq(app_done(client, 13)->status, 0);
    app_send(client, app_done(client, 13)->handle, 0, 0, 1000, 15);
    ck_assert_int_eq(done(client, 15), 0);
}
END_TEST

/* Commands beyond it are not refused: they wait in their queue, and all of them are done. */
START_TEST(quota_of_operations)
{
    uint32_t incoming, outgoing, most = 0, done_count = 0;

    rig_pair(rig, server, client, &incoming, &outgoing);
    grant_of(client)->operations = 2;
    for (uint32_t i = 0; i < APP_SLOTS; i++)
        app_send(client, outgoing, 0, 0, 1000, 100 + i);
    for (uint32_t i = 0; i < APP_SLOTS; i++)
        app_send(server, incoming, 0, 0, 1000, 200 + i);
    while (rig_step(rig))
        most = client->session->operation_count > most ? client->session->operation_count : most;
    ck_assert_uint_eq(most, 2);
    for (uint32_t i = 0; i < APP_SLOTS; i++) {
        done_count += app_done(client, 100 + i)->status == 0;
        done_count += app_done(server, 200 + i)->status == 0;
    }
    ck_assert_uint_eq(done_count, 2 * APP_SLOTS);
    ck_assert_uint_eq(over_quota(client), 0);
    ck_assert_uint_eq(denied(client), 0);
}
END_TEST

/* The session keeps what it was granted, whatever its next description says. */
START_TEST(saved_and_loaded)
{
    const struct pony_grant grant = {
        .rights = PONY_RIGHT_EXPOSE, .connections = 3, .regions = 2, .exposed = REGION_BYTES};

    *grant_of(client) = grant;
    ck_assert_int_eq(expose_as(client, 0, REGION_BYTES, 1), 0);
    ck_assert_int_eq(listen_as(server, "a", 1), 0);
    grant_of(server)->listeners = 1;
    rig_reload(rig, client->host);
    rig_reload(rig, server->host);
    ck_assert_uint_eq(client->config.grant.rights, PONY_RIGHTS_ALL);
    ck_assert_uint_eq(grant_of(client)->rights, grant.rights);
    ck_assert_uint_eq(grant_of(client)->connections, grant.connections);
    ck_assert_int_eq(connect_as(client, 2), -EACCES);
    ck_assert_int_eq(expose_as(client, 0, 1, 3), -EDQUOT);
    ck_assert_int_eq(listen_as(server, "b", 2), -EDQUOT);
}
END_TEST

static int load_grant(uint32_t session, uint32_t rights)
{
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;
    int error;

    state_writer_init(&writer);
    state_record_begin(&writer, UPPER_RECORD_GRANT, UPPER_STATE_VERSION);
    state_put_u32(&writer, session);
    state_put_u32(&writer, rights);
    for (int i = 0; i < 3; i++)
        state_put_u32(&writer, 0);
    state_put_u64(&writer, 0);
    state_record_end(&writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert(state_record_next(&reader, &type, &version));
    upper_load_record(&rig->hosts[client->host].upper, &reader, type, rig->now);
    error = reader.error;
    state_writer_destroy(&writer);
    return error;
}

START_TEST(grants_that_lie)
{
    ck_assert_int_eq(load_grant(client->session->index, PONY_RIGHT_LISTEN), 0);
    ck_assert_uint_eq(grant_of(client)->rights, PONY_RIGHT_LISTEN);
    ck_assert_int_eq(load_grant(client->session->index, PONY_RIGHTS_ALL + 1), -EPROTO);
    ck_assert_int_eq(load_grant(client->session->index + 1, 0), -EPROTO);
    ck_assert_int_eq(load_grant(UINT32_MAX, 0), -EPROTO);
    ck_assert_uint_eq(grant_of(client)->rights, PONY_RIGHT_LISTEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grant");
    TCase *tcase = tcase_create("grant");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_but_a_session);
    tcase_add_test(tcase, refused_before_it_is_read);
    tcase_add_loop_test(tcase, one_right_each, 0, 3);
    tcase_add_test(tcase, caller_and_callee);
    tcase_add_test(tcase, quota_of_listeners);
    tcase_add_test(tcase, quota_of_regions);
    tcase_add_test(tcase, quota_of_exposed_bytes);
    tcase_add_test(tcase, quota_of_connections);
    tcase_add_test(tcase, quota_of_operations);
    tcase_add_test(tcase, saved_and_loaded);
    tcase_add_test(tcase, grants_that_lie);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
