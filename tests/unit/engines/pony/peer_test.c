/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Peers that lie: operations that no honest engine writes. */
#include "engines/pony/connection.h"
#include "engines/pony/packet.h"
#include "engines/pony/payload.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct rig *rig;
static struct app *server, *client, *victim;
static uint32_t incoming, outgoing, victim_handle;

/* The client's engine lies to the server's about one connection; another one, over the same flow,
 * is the victim's. */
static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    victim = rig_attach(rig, 1, APP_SLOTS);
    rig_pair(rig, server, client, &incoming, &outgoing);
    uint32_t at = server->event_count;
    app_connect(victim, "echo", 800);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 801,
    };
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    victim_handle = app_done(victim, 800)->handle;
}

static void teardown(void)
{
    rig_settle(rig);
    app_send(victim, victim_handle, 0, 0, 10000, 802);
    rig_settle(rig);
    ck_assert_int_eq(app_done(victim, 802)->status, 0);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    rig_check(rig);
    rig_destroy(rig);
}

static bool inject(struct wire_op op, const void *payload)
{
    struct rig_host *host = &rig->hosts[0];
    uint8_t bytes[RIG_ROOM + SADDLE_EAGER_MAX];
    struct packet packet = {.bytes = bytes, .room = sizeof(bytes)};

    ck_assert(packet_put(&packet, &op, payload));
    if (!upper_flow_ops.admit(&host->upper, &host->flow, bytes, packet.used))
        return false;
    upper_flow_ops.deliver(&host->upper, &host->flow, bytes, packet.used, rig->now);
    return true;
}

/* The connection ends on both sides, with -EPROTO here. */
static void assert_ended(void)
{
    uint32_t at = 0;

    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -EPROTO);
    at = 0;
    event = app_event(client, &at, SADDLE_EVT_CLOSED, 2);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -EPROTO);
}

static const uint8_t zeroes[SADDLE_EAGER_MAX + 1];

static const struct wire_op lies[] = {
    {.type = 0},
    {.type = WIRE_OP_COUNT},
    {.type = 255, .length = 9},
    {.type = WIRE_OP_MESSAGE, .length = 0},
    {.type = WIRE_OP_MESSAGE, .length = 1, .flags = WIRE_OP_TAGGED},
    {.type = WIRE_OP_MESSAGE, .length = 1, .reserved = 1},
    {.type = WIRE_OP_MESSAGE, .length = 1, .stream = SADDLE_STREAMS_MAX},
    {.type = WIRE_OP_MESSAGE, .length = 1, .stream = UINT16_MAX},
    {.type = WIRE_OP_MESSAGE, .length = 1, .offset = SADDLE_EAGER_MAX},
    {.type = WIRE_OP_MESSAGE, .length = 2, .offset = UINT32_MAX},
    {.type = WIRE_OP_MESSAGE, .length = SADDLE_EAGER_MAX + 1},
    {.type = WIRE_OP_OFFER, .offset = 0},
    {.type = WIRE_OP_OFFER, .offset = SADDLE_EAGER_MAX},
    {.type = WIRE_OP_OFFER, .offset = SADDLE_EAGER_MAX, .flags = WIRE_OP_UNORDERED},
    {.type = WIRE_OP_OFFER, .offset = 20000, .flags = WIRE_OP_LAST},
    {.type = WIRE_OP_OFFER, .offset = 20000, .length = 1},
    {.type = WIRE_OP_PULL, .id = 0},
    {.type = WIRE_OP_PULL, .id = 0, .stream = 9},
    {.type = WIRE_OP_BULK, .length = 10},
    {.type = WIRE_OP_BULK, .length = 10, .stream = UINT16_MAX},
    {.type = WIRE_OP_BULK, .length = 10, .flags = WIRE_OP_UNORDERED},
    {.type = WIRE_OP_PULL, .flags = WIRE_OP_UNORDERED},
    {.type = WIRE_OP_SKIP, .flags = WIRE_OP_UNORDERED, .stream = SADDLE_STREAMS_MAX},
    {.type = WIRE_OP_READ, .length = WIRE_ACCESS_BYTES, .flags = WIRE_OP_UNORDERED},
    {.type = WIRE_OP_DELIVERED, .length = 8},
    {.type = WIRE_OP_DELIVERED, .length = 9},
    {.type = WIRE_OP_DELIVERED, .length = 0},
    {.type = WIRE_OP_READ, .length = WIRE_ACCESS_BYTES - 1},
    {.type = WIRE_OP_READ, .length = WIRE_ACCESS_BYTES + 1},
    {.type = WIRE_OP_WRITE, .length = WIRE_ACCESS_BYTES - 1},
    {.type = WIRE_OP_READ_INDIRECT, .length = WIRE_ACCESS_BYTES - 1},
    {.type = WIRE_OP_READ_INDIRECT, .length = WIRE_ACCESS_BYTES}, /* of nothing */
    {.type = WIRE_OP_READ_BATCH, .length = WIRE_BATCH_BYTES},
    {.type = WIRE_OP_READ_BATCH, .length = WIRE_BATCH_BYTES + 12},
    {.type = WIRE_OP_READ_BATCH, .length = WIRE_BATCH_BYTES + 9 * WIRE_OFFSET_BYTES},
    {.type = WIRE_OP_READ_BATCH, .length = WIRE_BATCH_BYTES + WIRE_OFFSET_BYTES},
    {.type = WIRE_OP_SCAN_READ, .length = WIRE_SCAN_BYTES + 1},
    {.type = WIRE_OP_SCAN_READ, .length = WIRE_SCAN_BYTES},
    {.type = WIRE_OP_COMPARE_SWAP, .length = WIRE_ATOMIC_BYTES},
    {.type = WIRE_OP_FETCH_ADD, .length = WIRE_SWAP_BYTES},
    {.type = WIRE_OP_FETCH_ADD, .length = WIRE_ATOMIC_BYTES, .flags = WIRE_OP_LAST},
    {.type = WIRE_OP_RESULT, .length = 0},
    {.type = WIRE_OP_RESULT, .length = WIRE_RESULT_BYTES + 4},
    {.type = WIRE_OP_RESULT, .length = WIRE_RESULT_BYTES + 9 * WIRE_ITEM_BYTES},
    {.type = WIRE_OP_CLOSE, .length = 0},
    {.type = WIRE_OP_OPENED, .length = 1},
};

START_TEST(lie_ends_the_connection)
{
    struct wire_op op = lies[_i];

    op.connection = incoming;
    ck_assert(inject(op, zeroes));
    assert_ended();
}
END_TEST

START_TEST(more_messages_than_credits)
{
    struct connection *connection = connection_find(&rig->hosts[0].upper, incoming);
    uint32_t allowed = connection->credits_granted;
    struct wire_op op = {.type = WIRE_OP_MESSAGE, .length = 1, .connection = incoming, .stream = 1};

    /* Never whole, so that no credit comes back. */
    for (op.id = 0; op.id < 4 * APP_SLOTS && connection->state == CONNECTION_OPEN; op.id++)
        ck_assert(inject(op, zeroes));
    ck_assert_uint_ge(op.id, allowed);
    ck_assert_uint_le(op.id, APP_SLOTS);
    assert_ended();
}
END_TEST

START_TEST(ids_far_ahead_and_far_behind)
{
    struct wire_op op = {
        .type = WIRE_OP_MESSAGE, .length = 5, .connection = incoming, .flags = WIRE_OP_LAST};
    uint32_t at = server->event_count;

    op.id = 0x7fffffff;
    ck_assert(inject(op, zeroes));
    op.id = 0x80000000; /* behind: passed already */
    ck_assert(inject(op, zeroes));
    op.id = UINT32_MAX;
    ck_assert(inject(op, zeroes));
    ck_assert_uint_eq(connection_find(&rig->hosts[0].upper, incoming)->credits_consumed, 1);
    rig_settle(rig);
    ck_assert_ptr_null(app_event(server, &at, SADDLE_EVT_MESSAGE, 3));
}
END_TEST

START_TEST(small_and_large_at_once)
{
    struct wire_op op = {.type = WIRE_OP_OFFER, .offset = 50000, .connection = incoming};

    ck_assert(inject(op, zeroes));
    op = (struct wire_op){.type = WIRE_OP_MESSAGE, .length = 1, .connection = incoming};
    ck_assert(inject(op, zeroes));
    assert_ended();
}
END_TEST

START_TEST(bulk_past_the_end)
{
    const struct saddle_command post = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset + server->config.heap_bytes - 50000,
        .len = 50000,
        .tag = 60,
    };
    struct wire_op op = {.type = WIRE_OP_OFFER, .offset = 50000, .connection = incoming};

    ck_assert(app_submit(server, &post));
    rig_step(rig);
    ck_assert(inject(op, zeroes));
    op = (struct wire_op){
        .type = WIRE_OP_BULK, .length = 2, .offset = 49999, .connection = incoming};
    ck_assert(inject(op, zeroes));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, 60)->status, -EPROTO);
    assert_ended();
}
END_TEST

START_TEST(connections_that_are_not)
{
    const uint32_t numbers[] = {0, 1, incoming + 0x10000, incoming - 1, 0xf000, UINT32_MAX};

    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (uint8_t type = WIRE_OP_MESSAGE; type < WIRE_OP_COUNT; type++) {
            struct wire_op op = {.type = type, .length = 24, .connection = numbers[i]};
            inject(op, zeroes);
        }
    }
    rig_settle(rig);
    ck_assert_uint_gt(rig->hosts[0].upper.counters.strays, 0);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.peer_violations, 0);
}
END_TEST

START_TEST(calls_beyond_the_backlog)
{
    uint8_t payload[WIRE_OPEN_BYTES + 4] = {0, 0, 0, 1, 'e', 'c', 'h', 'o'};
    struct wire_op op = {.type = WIRE_OP_OPEN, .length = sizeof(payload)};
    uint32_t taken = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        op.connection = 0x70000 + i;
        taken += inject(op, payload);
    }
    /* What is not answered yet fills the path; then packets are declined. */
    ck_assert_uint_lt(taken, 200);
    ck_assert_uint_le(rig->hosts[0].upper.counters.connections, 64);
    rig_settle(rig);
    ck_assert(inject(op, payload));
    op.length = WIRE_OPEN_BYTES + PAYLOAD_SERVICE_MAX;
    ck_assert(inject(op, zeroes));
}
END_TEST

START_TEST(requests_beyond_the_table)
{
    uint8_t payload[WIRE_ACCESS_BYTES + 1] = {0};
    struct wire_op op = {.type = WIRE_OP_WRITE, .length = sizeof(payload), .connection = incoming};
    uint32_t taken = 0;

    /* Writes that never end. */
    for (op.id = 0; op.id < 1000; op.id++)
        taken += inject(op, payload);
    ck_assert_uint_eq(taken, CONNECTION_ISSUED_MAX);
    /* What goes on with one of them is taken. */
    op.id = 3;
    op.flags = WIRE_OP_LAST;
    ck_assert(inject(op, payload));
    op.id = 2000;
    ck_assert(!inject(op, payload));
    rig_settle(rig);
    ck_assert(inject(op, payload));
}
END_TEST

/* ---- Answers that no honest engine gives ---- */

enum question {
    ASKED_READ,
    ASKED_INDIRECT, /* of 100 bytes */
    ASKED_BATCH,    /* of 2 items of 100 bytes */
    ASKED_ADD,
};

static const struct {
    enum question question;
    uint8_t type;
    uint32_t sent; /* what RESULT counts, or DONE says */
    uint32_t items;
    struct wire_item item[2];
    uint32_t data; /* bytes of READ_DATA before it */
} answers[] = {
    {ASKED_READ, WIRE_OP_DONE, 0, 0, {{0}}, 0},
    {ASKED_READ, WIRE_OP_RESULT, 0, 0, {{0}}, 0},
    {ASKED_READ, WIRE_OP_RESULT, 100, 1, {{0, 100}}, 0},
    {ASKED_INDIRECT, WIRE_OP_DONE, 0, 0, {{0}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 0, 0, {{0}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 0, 2, {{0}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 101, 1, {{0, 101}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 100, 1, {{0, UINT32_MAX}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 101, 1, {{0, 100}}, 0},
    {ASKED_INDIRECT, WIRE_OP_RESULT, 99, 1, {{0, 100}}, 0},
    {ASKED_INDIRECT, WIRE_OP_READ_DATA, 0, 0, {{0}}, 101},
    {ASKED_BATCH, WIRE_OP_RESULT, 100, 1, {{0, 100}}, 0},
    {ASKED_BATCH, WIRE_OP_RESULT, 150, 2, {{0, 50}, {0, 101}}, 0},
    {ASKED_BATCH, WIRE_OP_RESULT, 150, 2, {{0, 76}, {0, 75}}, 0},
    {ASKED_BATCH, WIRE_OP_READ_DATA, 0, 0, {{0}}, 201},
    {ASKED_ADD, WIRE_OP_DONE, 0, 0, {{0}}, 0},
    {ASKED_ADD, WIRE_OP_RESULT, 1, 0, {{0}}, 0},
    {ASKED_ADD, WIRE_OP_RESULT, 0, 1, {{0}}, 0},
    {ASKED_ADD, WIRE_OP_READ_DATA, 0, 0, {{0}}, 1},
};

/* The server asks; the id of its question. */
static uint32_t ask(enum question question)
{
    static const uint8_t ops[] = {SADDLE_CMD_READ, SADDLE_CMD_READ_INDIRECT, SADDLE_CMD_READ_BATCH,
                                  SADDLE_CMD_FETCH_ADD};
    struct saddle_command command = {
        .op = ops[question],
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = 100,
        .tag = 70,
    };

    if (question >= ASKED_BATCH) {
        command.flags = SADDLE_ENTRY_INLINE;
        command.remote_offset = 100;
        command.len = question == ASKED_BATCH ? 16 : 8;
    }
    ck_assert(app_submit(server, &command));
    rig_step(rig);
    for (uint32_t i = 0; i < rig->hosts[0].upper.operations_max; i++)
        if (rig->hosts[0].upper.operations[i].state == OPERATION_ISSUED)
            return rig->hosts[0].upper.operations[i].id;
    ck_abort_msg("nothing was asked");
}

static void answer_falsely(uint32_t which, uint32_t id)
{
    struct wire_result result = {.items = {answers[which].item[0], answers[which].item[1]}};
    uint8_t payload[WIRE_RESULT_MOST];
    struct wire_op op = {.type = WIRE_OP_READ_DATA,
                         .length = (uint16_t)answers[which].data,
                         .connection = incoming,
                         .id = id};

    if (op.length)
        ck_assert(inject(op, zeroes));
    if (answers[which].type == WIRE_OP_READ_DATA)
        return;
    op.type = answers[which].type;
    op.offset = answers[which].sent;
    op.length = 0;
    if (op.type == WIRE_OP_RESULT) {
        op.length = (uint16_t)(WIRE_RESULT_BYTES + answers[which].items * WIRE_ITEM_BYTES);
        payload_put_result(payload, &result, answers[which].items);
    }
    ck_assert(inject(op, payload));
}

START_TEST(false_answer_ends_the_connection)
{
    memset(server->arena + server->config.heap_offset, 0x55, 300);
    answer_falsely((uint32_t)_i, ask(answers[_i].question));
    assert_ended();
    ck_assert_int_eq(app_done(server, 70)->status, -EPROTO);
    ck_assert_uint_eq(app_done(server, 70)->len, 0);
    for (uint32_t i = 200; i < 300; i++)
        ck_assert_uint_eq(server->arena[server->config.heap_offset + i], 0x55);
}
END_TEST

START_TEST(two_results_end_the_connection)
{
    uint32_t id = ask(ASKED_INDIRECT);
    uint8_t payload[WIRE_RESULT_BYTES + WIRE_ITEM_BYTES];
    const struct wire_result result = {.items = {{.length = 50}}};
    const struct wire_op op = {.type = WIRE_OP_RESULT,
                               .length = sizeof(payload),
                               .connection = incoming,
                               .id = id,
                               .offset = 50};

    payload_put_result(payload, &result, 1);
    ck_assert(inject(op, payload));
    rig_step(rig);
    ck_assert(inject(op, payload));
    assert_ended();
}
END_TEST

START_TEST(damaged_control_is_declined)
{
    struct rig_host *host = &rig->hosts[0];
    const struct wire_op op = {
        .type = WIRE_OP_READ,
        .length = WIRE_ACCESS_BYTES,
        .connection = incoming,
        .payload_crc = 0x1234,
    };
    uint8_t bytes[WIRE_OP_BYTES + WIRE_ACCESS_BYTES] = {0};

    wire_op_encode(&op, bytes);
    ck_assert(!upper_flow_ops.admit(&host->upper, &host->flow, bytes, sizeof(bytes)));
}
END_TEST

START_TEST(closed_for_strange_reasons)
{
    uint8_t payload[WIRE_CLOSE_BYTES];
    const struct wire_close close = {.reason = 1u << 31};
    struct wire_op op = {
        .type = WIRE_OP_CLOSE, .length = WIRE_CLOSE_BYTES, .connection = incoming, .id = outgoing};
    uint32_t at = 0;

    payload_put_close(payload, &close);
    ck_assert(inject(op, payload));
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_CLOSED, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->status, -EPROTO);
}
END_TEST

/* Anything at all, most of it nearly right. */
START_TEST(storm)
{
    struct rng rng;
    uint8_t payload[2000];

    rng_init_u64(&rng, (uint64_t)_i, 3);
    for (uint32_t i = 0; i < 20000; i++) {
        const struct saddle_command post = {
            .op = SADDLE_CMD_POST_RECV,
            .handle = incoming,
            .buf = server->config.heap_offset,
            .len = 40000,
            .tag = 5000 + i,
        };
        struct wire_op op = {
            .type = (uint8_t)rng_below(&rng, WIRE_OP_COUNT + 1),
            .flags = (uint8_t)rng_below(&rng, 4),
            .length = (uint16_t)rng_below(&rng, 64),
            .connection = rng_below(&rng, 8) ? incoming + (uint32_t)rng_below(&rng, 3) * 0x10000
                                             : (uint32_t)rng_below(&rng, 128),
            .stream = (uint16_t)rng_below(&rng, 5),
            .id = (uint32_t)rng_below(&rng, 12),
            .offset = (uint32_t)rng_below(&rng, rng_below(&rng, 2) ? 50 : 40000),
        };
        for (uint32_t j = 0; j < op.length; j++)
            payload[j] = (uint8_t)(rng_below(&rng, 3) ? 0 : rng_u64(&rng));
        inject(op, payload);
        if (i % 64 == 0)
            app_submit(server, &post);
        if (i % 16 == 0)
            rig_step(rig);
        if (server->event_count > APP_EVENTS / 2)
            server->event_count = 0;
    }
    client->event_count = server->event_count = 0;
}
END_TEST

/* In a storm even the victim's connection may be spoken of: only the engine has to be well. */
static void teardown_storm(void)
{
    rig_break(rig, -ECONNRESET);
    rig_check(rig);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    rig_destroy(rig);
}

int main(void)
{
    Suite *suite = suite_create("peer");
    TCase *tcase = tcase_create("lies");
    TCase *storms = tcase_create("storms");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, lie_ends_the_connection, 0, sizeof(lies) / sizeof(lies[0]));
    tcase_add_test(tcase, more_messages_than_credits);
    tcase_add_test(tcase, ids_far_ahead_and_far_behind);
    tcase_add_test(tcase, small_and_large_at_once);
    tcase_add_test(tcase, bulk_past_the_end);
    tcase_add_test(tcase, connections_that_are_not);
    tcase_add_test(tcase, calls_beyond_the_backlog);
    tcase_add_test(tcase, requests_beyond_the_table);
    tcase_add_loop_test(tcase, false_answer_ends_the_connection, 0,
                        sizeof(answers) / sizeof(answers[0]));
    tcase_add_test(tcase, two_results_end_the_connection);
    tcase_add_test(tcase, damaged_control_is_declined);
    tcase_add_test(tcase, closed_for_strange_reasons);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(storms, 60);
    tcase_add_checked_fixture(storms, setup, teardown_storm);
    tcase_add_loop_test(storms, storm, 0, 8);
    suite_add_tcase(suite, storms);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
