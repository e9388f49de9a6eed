/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Callers that are sent on to another engine of the host, as one engine sees it; and operations
 * that come late. */
#include "engines/pony/connection.h"
#include "engines/pony/directory.h"
#include "engines/pony/path.h"
#include "engines/pony/wire.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define SERVER    0u /* hosts */
#define CLIENT    1u
#define HERE      0u /* rows of the directory */
#define BESIDE    1u
#define FAR_PORT  (WIRE_UDP_PORT + 1)
#define LARGE     300000u
#define NO_NUMBER 0x00020007u /* of a connection that there is none of */

static struct rig *rig;
static struct app *server, *client;
static struct directory *directory;
static uint32_t incoming, outgoing;

/* Its first engine of two; of the other one only the directory knows. */
static void setup(void)
{
    static const uint16_t ports[] = {WIRE_UDP_PORT, FAR_PORT};
    static const uint8_t key[DIRECTORY_KEY_BYTES] = {7};

    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    ck_assert_int_eq(directory_create(&directory, ports, 2, key), 0);
    rig->hosts[SERVER].upper.directory = directory;
    rig->hosts[SERVER].upper.directory_row = HERE;
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        rig->hosts[i].flow.says.features |= WIRE_FEATURE_SIBLINGS;
    ck_assert_int_eq(directory_enter(directory, BESIDE, 3, "far", 3), 0);
    rig_pair(rig, server, client, &incoming, &outgoing);
}

static void teardown(void)
{
    rig_check(rig);
    rig_destroy(rig);
    directory_destroy(directory);
}

static const struct upper_counters *counters(uint32_t host)
{
    return &rig->hosts[host].upper.counters;
}

/* One operation without a payload, as if from the other host. */
static void deliver(uint32_t host, const struct wire_op *op)
{
    struct rig_host *to = &rig->hosts[host];
    uint8_t bytes[WIRE_OP_BYTES];

    wire_op_encode(op, bytes);
    upper_flow_ops.deliver(&to->upper, &to->flow, bytes, sizeof(bytes), rig->now);
}

/* The caller goes there, and there is nobody in this rig. */
START_TEST(a_caller_is_sent_on)
{
    app_connect(client, "far", 20);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 20)->status, -ECONNREFUSED);
    ck_assert_uint_eq(counters(SERVER)->callers_sent_on, 1);
    ck_assert_uint_eq(counters(CLIENT)->calls_sent_on, 0);
    app_connect(client, "nowhere", 21);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 21)->status, -ECONNREFUSED);
    ck_assert_uint_eq(counters(SERVER)->callers_sent_on, 1);
}
END_TEST

START_TEST(who_would_not_understand_is_refused)
{
    rig->hosts[SERVER].flow.says.features = WIRE_FEATURE_ECHO;
    app_connect(client, "far", 20);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 20)->status, -ECONNREFUSED);
    ck_assert_uint_eq(counters(SERVER)->callers_sent_on, 0);
}
END_TEST

/* Of a connection that is none, or is open: nothing comes of it. */
START_TEST(nobody_is_sent_on_who_did_not_ask)
{
    struct wire_op op = {.type = WIRE_OP_ELSEWHERE, .connection = NO_NUMBER, .offset = FAR_PORT};
    uint64_t strays = counters(CLIENT)->strays;

    deliver(CLIENT, &op);
    op.connection = outgoing;
    deliver(CLIENT, &op);
    ck_assert_uint_eq(counters(CLIENT)->strays, strays + 2);
    app_send(client, outgoing, 0, 0, 100, 30);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 30)->status, 0);
}
END_TEST

/* Ports that no engine can have, and the one that was called. */
START_TEST(bad_ports_refuse)
{
    static const uint32_t ports[] = {0, UINT16_MAX + 1u + FAR_PORT, UINT32_MAX, 53};
    struct wire_op op = {.type = WIRE_OP_ELSEWHERE, .offset = ports[_i]};

    rig->hosts[CLIENT].flow.open = false;
    app_connect(client, "somewhere", 20);
    upper_commands(&rig->hosts[CLIENT].upper, rig->now);
    for (uint32_t i = 0; i < rig->hosts[CLIENT].upper.connections_max; i++) {
        if (rig->hosts[CLIENT].upper.connections[i].state == CONNECTION_OPENING)
            op.connection = rig->hosts[CLIENT].upper.connections[i].number;
    }
    ck_assert_uint_ne(op.connection, 0);
    deliver(CLIENT, &op);
    rig->hosts[CLIENT].flow.open = true;
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 20)->status, -ECONNREFUSED);
}
END_TEST

START_TEST(an_answer_is_saved)
{
    struct path *path = flow_context(&rig->hosts[SERVER].flow);

    ck_assert_ptr_nonnull(path);
    ck_assert(path_reply(path, WIRE_OP_ELSEWHERE, NO_NUMBER, FAR_PORT));
    rig->hosts[SERVER].upper.directory = NULL;
    rig_reload(rig, SERVER);
    path = flow_context(&rig->hosts[SERVER].flow);
    ck_assert_uint_eq(path->reply_count, 1);
    ck_assert_uint_eq(path->replies[path->reply_first].type, WIRE_OP_ELSEWHERE);
    ck_assert_uint_eq(path->replies[path->reply_first].value, FAR_PORT);
    rig_settle(rig);
}
END_TEST

START_TEST(a_name_is_one_engines)
{
    uint32_t at = 0;

    app_listen(server, "far", 20);
    app_listen(server, "near", 21);
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 20)->status, -EADDRINUSE);
    ck_assert_int_eq(app_done(server, 21)->status, 0);
    ck_assert_uint_eq(directory_find(directory, BESIDE, "near", 4), WIRE_UDP_PORT);
    /* What ends gives its name back. */
    const struct saddle_command close = {
        .op = SADDLE_CMD_CLOSE,
        .handle = app_event(server, &at, SADDLE_EVT_DONE, 21)->handle,
        .tag = 22,
    };
    ck_assert(app_submit(server, &close));
    rig_settle(rig);
    ck_assert_uint_eq(directory_find(directory, BESIDE, "near", 4), 0);
    directory_leave(directory, BESIDE, 3);
    app_listen(server, "far", 23);
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 23)->status, 0);
    rig_detach(rig, server);
    ck_assert_uint_eq(directory_find(directory, BESIDE, "far", 3), 0);
}
END_TEST

/* A large message's buffer goes, and the news of that overtakes the PULL that was sent before. */
START_TEST(a_pull_that_was_overtaken)
{
    const struct wire_op late = {.type = WIRE_OP_PULL, .connection = outgoing, .stream = 1};
    const struct wire_op wrong = {
        .type = WIRE_OP_PULL, .connection = outgoing, .stream = 1, .id = 1};

    const struct saddle_command post = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = LARGE,
        .tag = 20,
    };
    app_send(client, outgoing, 1, 0, LARGE, 30);
    ck_assert(app_submit(server, &post));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 30)->status, 0);
    deliver(CLIENT, &late);
    app_send(client, outgoing, 0, 0, 100, 31);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 31)->status, 0);
    ck_assert_uint_eq(counters(CLIENT)->peer_violations, 0);
    /* One that was never offered is none. */
    deliver(CLIENT, &wrong);
    ck_assert_uint_eq(counters(CLIENT)->peer_violations, 1);
    rig_settle(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connection");
    TCase *tc = tcase_create("connection");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_caller_is_sent_on);
    tcase_add_test(tc, who_would_not_understand_is_refused);
    tcase_add_test(tc, nobody_is_sent_on_who_did_not_ask);
    tcase_add_loop_test(tc, bad_ports_refuse, 0, 4);
    tcase_add_test(tc, an_answer_is_saved);
    tcase_add_test(tc, a_name_is_one_engines);
    tcase_add_test(tc, a_pull_that_was_overtaken);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
