/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Saving and loading in the middle of everything; and state that lies. */
#include "engines/pony/connection.h"
#include "sched/state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS      12
#define OPERATIONS 120u
#define BUFFERS    30u
#define LARGE      60000u

/* What each operation moves, and where: in the client's heap, 64 KiB each. */
#define AREA      65536u
#define AREAS     48u
#define READ_AREA (AREAS * AREA)

static uint32_t length_of(uint32_t i)
{
    return i % 5 == 4 ? LARGE + i : 1 + i * 211 % 9000;
}

static void submit(struct app *client, uint32_t outgoing, uint64_t key, uint32_t i)
{
    uint64_t at = (uint64_t)(i % AREAS) * AREA;
    struct saddle_command command = {
        .op = SADDLE_CMD_SEND,
        .handle = outgoing,
        .stream = (uint16_t)(i % 3),
        .buf = client->config.heap_offset + at,
        .len = length_of(i),
        .tag = 100 + i,
        .timeout_ns = 10 * NSEC_PER_SEC,
    };

    if (i % 6 == 5) {
        command.op = i % 12 == 5 ? SADDLE_CMD_READ : SADDLE_CMD_WRITE;
        command.len = 40000;
        command.key = key;
        command.stream = 0;
        command.remote_offset = i % 12 == 5 ? 0 : 50000;
        if (command.op == SADDLE_CMD_READ)
            command.buf = client->config.heap_offset + READ_AREA;
    }
    if (command.op != SADDLE_CMD_READ)
        app_pattern(client, at, command.len, i);
    ck_assert(app_submit(client, &command));
}

/* Reads by way of a table, scans and atomic operations, in turn: what the table holds does not
 * matter. */
static void by_table(struct app *app, uint32_t handle, uint64_t key, uint32_t i)
{
    const struct saddle_scan scan = {.match = 0x4d, .entries = 1024, .bytes = 5000};
    struct saddle_command command = {
        .op = (uint8_t)(SADDLE_CMD_READ_INDIRECT + i % 5),
        .handle = handle,
        .flags = SADDLE_ENTRY_INLINE,
        .buf = app->config.heap_offset + READ_AREA,
        .len = 8,
        .key = key,
        .tag = 100 + i,
    };

    switch (command.op) {
    case SADDLE_CMD_READ_INDIRECT:
        command.flags = 0;
        break;
    case SADDLE_CMD_READ_BATCH:
        command.len = 64;
        command.remote_offset = 5000;
        break;
    case SADDLE_CMD_SCAN_READ:
        command.len = sizeof(scan);
        memcpy(command.payload, &scan, sizeof(scan));
        break;
    case SADDLE_CMD_COMPARE_SWAP:
        command.len = 16;
        break;
    default:
        break;
    }
    ck_assert(app_submit(app, &command));
}

static void post(struct app *server, uint32_t incoming, uint32_t i)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset + (uint64_t)(2 + i) * AREA,
        .len = AREA,
        .tag = 1000 + i,
    };

    ck_assert(app_submit(server, &command));
}

static uint64_t expose(struct rig *rig, struct app *server)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = server->config.heap_offset,
        .len = 2 * AREA,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE | SADDLE_RIGHT_ATOMIC,
        .tag = 50,
    };

    app_pattern(server, 0, 40000, 77);
    ck_assert(app_submit(server, &command));
    rig_settle(rig);
    return app_done(server, 50)->value;
}

/* Every message arrived once, in its stream's order. */
static void check_arrivals(const struct app *server)
{
    uint32_t seen = 0, sent = 0, last[3] = {0};
    bool any[3] = {false};

    for (uint32_t i = 0; i < OPERATIONS; i++)
        sent += i % 6 != 5;
    for (uint32_t i = 0; i < server->event_count; i++) {
        const struct saddle_event *event = &server->events[i];
        bool large = event->type == SADDLE_EVT_DONE && event->op == SADDLE_CMD_POST_RECV;
        if (event->type != SADDLE_EVT_MESSAGE && !large)
            continue;
        ck_assert_int_eq(event->status, 0);
        uint32_t next = any[event->stream] ? last[event->stream] + 3 : event->stream;
        while (next % 6 == 5)
            next += 3;
        any[event->stream] = true;
        last[event->stream] = next;
        ck_assert_uint_eq(event->len, length_of(next));
        if (large)
            ck_assert(app_matches(server->arena + event->buf, event->len, next));
        seen++;
    }
    ck_assert_uint_eq(seen, sent);
}

START_TEST(reload_at_any_moment)
{
    struct rig *rig = rig_create((uint64_t)_i + 1, APP_SLOTS);
    struct app *server = rig->apps[0], *client = rig->apps[1];
    uint32_t incoming, outgoing, reloads = 0;

    rig_pair(rig, server, client, &incoming, &outgoing);
    uint64_t key = expose(rig, server);
    rig->decline_per_million = 50000;
    for (uint32_t i = 0; i < BUFFERS; i++)
        post(server, incoming, i);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        submit(client, outgoing, key, i);
        for (uint64_t steps = rng_below(&rig->rng, 6); steps > 0; steps--)
            rig_step(rig);
        if (i % 24 == 23)
            rig_settle(rig);
        if (rng_chance(&rig->rng, 400000)) {
            rig_reload(rig, (uint32_t)rng_below(&rig->rng, RIG_HOSTS));
            rig_check(rig);
            reloads++;
        }
    }
    rig_settle(rig);
    ck_assert_uint_gt(reloads, 0);
    for (uint32_t i = 0; i < OPERATIONS; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
    ck_assert(app_matches(app_heap(client, READ_AREA), 40000, 77));
    check_arrivals(server);
    rig_check(rig);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
    rig_destroy(rig);
}
END_TEST

START_TEST(reload_between_opening_and_closing)
{
    struct rig *rig = rig_create((uint64_t)_i + 100, APP_SLOTS);
    struct app *server = rig->apps[0], *client = rig->apps[1];
    uint32_t at = 0;

    app_listen(server, "echo", 1);
    rig_settle(rig);
    for (uint32_t i = 0; i < 8; i++) {
        app_connect(client, "echo", 10 + i);
        rig_step(rig);
        rig_reload(rig, i % 2);
        rig_settle(rig);
        const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
        ck_assert_ptr_nonnull(event);
        rig_reload(rig, 0);
        const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                              .handle = event->handle,
                                              .tag = 30 + i};
        ck_assert(app_submit(server, &accept));
        rig_step(rig);
        rig_reload(rig, (i + 1) % 2);
        rig_settle(rig);
        const struct saddle_command close = {.op = SADDLE_CMD_CLOSE,
                                             .handle = app_done(client, 10 + i)->handle,
                                             .tag = 50 + i};
        ck_assert(app_submit(client, &close));
        for (uint64_t steps = rng_below(&rig->rng, 4); steps > 0; steps--)
            rig_step(rig);
        rig_reload(rig, i % 2);
        rig_settle(rig);
        ck_assert_int_eq(app_done(client, 50 + i)->status, 0);
        event = app_event(server, &at, SADDLE_EVT_CLOSED, 30 + i);
        ck_assert_ptr_nonnull(event);
        ck_assert_int_eq(event->status, 0);
    }
    rig_check(rig);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.connections, 0);
    rig_destroy(rig);
}
END_TEST

START_TEST(deadlines_go_on)
{
    struct rig *rig = rig_create(1, APP_SLOTS);
    uint32_t incoming, outgoing;
    struct saddle_command send = {.op = SADDLE_CMD_SEND, .len = 100000, .tag = 80};

    rig_pair(rig, rig->apps[0], rig->apps[1], &incoming, &outgoing);
    send.handle = outgoing;
    send.buf = rig->apps[1]->config.heap_offset;
    send.timeout_ns = 5000000;
    ck_assert(app_submit(rig->apps[1], &send));
    rig_settle(rig);
    rig_advance(rig, 3000000);
    rig_reload(rig, 1);
    rig_settle(rig);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 1);
    rig_advance(rig, 3000000);
    rig_settle(rig);
    ck_assert_int_eq(app_done(rig->apps[1], 80)->status, -ETIMEDOUT);
    rig_destroy(rig);
}
END_TEST

/* Messages that are unordered, complete and not, and gathered ones that wait. */
static void add_kinds(struct app *server, struct app *client, uint32_t incoming, uint32_t outgoing)
{
    struct saddle_command command = {.op = SADDLE_CMD_SEND,
                                     .handle = outgoing,
                                     .flags = SADDLE_ENTRY_UNORDERED};
    struct saddle_gather *pieces = (struct saddle_gather *)(void *)app_heap(server, READ_AREA);

    for (uint32_t i = 0; i < 8; i++) {
        command.buf = client->config.heap_offset;
        command.len = i % 2 ? LARGE : 9000;
        command.stream = (uint16_t)(i % 3);
        command.tag = 500 + i;
        command.timeout_ns = i % 4 == 3 ? 1 : 0;
        ck_assert(app_submit(client, &command));
    }
    for (uint32_t i = 0; i < SADDLE_SEGMENTS_MAX; i++)
        pieces[i] = (struct saddle_gather){.offset = server->config.heap_offset, .len = 3000};
    for (uint32_t i = 1; i < 4; i++) {
        command = (struct saddle_command){
            .op = SADDLE_CMD_SEND,
            .handle = incoming,
            .flags = SADDLE_ENTRY_GATHER | (i % 2 ? SADDLE_ENTRY_UNORDERED : 0),
            .buf = server->config.heap_offset + READ_AREA,
            .slot = 5 * i,
            .len = 15000 * i,
            .tag = 600 + i,
        };
        ck_assert(app_submit(server, &command));
    }
}

/* A state in the middle of much, as bytes. */
static struct rig *busy(struct state_writer *writer)
{
    struct rig *rig = rig_create(7, APP_SLOTS);
    struct app *server = rig->apps[0], *client = rig->apps[1];
    uint32_t incoming, outgoing;

    rig_pair(rig, server, client, &incoming, &outgoing);
    uint64_t key = expose(rig, server);
    for (uint32_t i = 0; i < 4; i++)
        post(server, incoming, i);
    for (uint32_t i = 0; i < 24; i++)
        submit(client, outgoing, key, i);
    for (uint32_t i = 0; i < 10; i++) {
        by_table(client, outgoing, key, 200 + i);
        by_table(server, incoming, key, 300 + i);
    }
    add_kinds(server, client, incoming, outgoing);
    for (uint32_t i = 0; i < 6; i++)
        rig_step(rig);
    state_writer_init(writer);
    upper_save(&rig->hosts[0].upper, writer);
    ck_assert_int_eq(state_writer_finish(writer), 0);
    return rig;
}

/* Loads damaged state into a host without any; whatever is accepted must hold together. The
 * checksum of the whole is taken as right: an attacker would have made it so. */
static bool load_damaged(struct rig *rig, const struct state_writer *intact, const uint8_t *bytes)
{
    struct upper *upper = &rig->hosts[0].upper;
    struct state_reader reader;
    uint16_t type, version;

    rig_blank(rig, 0);
    ck_assert_int_eq(state_reader_init(&reader, intact->bytes, intact->length), 0);
    reader.bytes = bytes;
    while (state_record_next(&reader, &type, &version))
        upper_load_record(upper, &reader, type, rig->now);
    if (reader.error || upper_load_finish(upper))
        return false;
    rig->apps[0]->event_count = 0;
    rig->apps[0]->keep = true;
    for (uint32_t i = 0; i < 200; i++)
        rig_step(rig);
    rig_check_host(rig, 0);
    return true;
}

START_TEST(damaged_state_is_refused_or_sane)
{
    struct state_writer writer;
    struct rig *rig = busy(&writer);
    struct state_reader start;
    uint32_t accepted = 0;
    struct rng rng;

    rng_init_u64(&rng, (uint64_t)_i, 9);
    ck_assert_int_eq(state_reader_init(&start, writer.bytes, writer.length), 0);
    uint8_t *copy = malloc(writer.length);
    for (uint32_t i = 0; i < 100; i++) {
        memcpy(copy, writer.bytes, writer.length);
        for (uint32_t j = 0; j < 1 + i % 4; j++)
            copy[start.position + rng_below(&rng, writer.length - start.position)] =
                (uint8_t)rng_u64(&rng);
        accepted += load_damaged(rig, &writer, copy);
        rig->apps[1]->event_count = 0;
    }
    ck_assert_uint_gt(accepted, 0);
    free(copy);
    state_writer_destroy(&writer);
    rig_destroy(rig);
}
END_TEST

START_TEST(truncated_state_is_refused)
{
    struct state_writer writer;
    struct rig *rig = busy(&writer);
    uint16_t type, version;

    for (size_t length = 0; length < writer.length; length += 1 + length / 8) {
        struct state_reader reader;
        rig_blank(rig, 0);
        ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
        reader.length = length > reader.position ? length : reader.position;
        while (state_record_next(&reader, &type, &version))
            upper_load_record(&rig->hosts[0].upper, &reader, type, rig->now);
        if (!reader.error)
            upper_load_finish(&rig->hosts[0].upper);
    }
    state_writer_destroy(&writer);
    rig_destroy(rig);
}
END_TEST

/* Neither saving nor loading touches what applications see. */
START_TEST(nothing_is_touched)
{
    struct state_writer writer, again;
    struct rig *rig = busy(&writer);
    struct app *app = rig->apps[0];
    uint8_t *before = malloc(app->config.arena_bytes);
    struct state_reader reader;
    uint16_t type, version;

    memcpy(before, app->arena, app->config.arena_bytes);
    state_writer_init(&again);
    upper_save(&rig->hosts[0].upper, &again);
    ck_assert_int_eq(state_writer_finish(&again), 0);
    ck_assert_uint_eq(again.length, writer.length);
    ck_assert_mem_eq(again.bytes, writer.bytes, writer.length);
    rig_blank(rig, 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version))
        upper_load_record(&rig->hosts[0].upper, &reader, type, rig->now);
    ck_assert_int_eq(reader.error, 0);
    ck_assert_int_eq(upper_load_finish(&rig->hosts[0].upper), 0);
    ck_assert_mem_eq(before, app->arena, app->config.arena_bytes);
    /* Nor does a fresh side of a session. */
    app_renew(app);
    ck_assert_mem_eq(before, app->arena, app->config.arena_bytes);
    free(before);
    state_writer_destroy(&writer);
    state_writer_destroy(&again);
    rig_destroy(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upper_state");
    TCase *tcase = tcase_create("state");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, reload_at_any_moment, 0, SEEDS);
    tcase_add_loop_test(tcase, reload_between_opening_and_closing, 0, SEEDS);
    tcase_add_test(tcase, nothing_is_touched);
    tcase_add_test(tcase, deadlines_go_on);
    tcase_add_loop_test(tcase, damaged_state_is_refused_or_sane, 0, 4);
    tcase_add_test(tcase, truncated_state_is_refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
