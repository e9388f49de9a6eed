/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Connections, listeners and regions, as operators see them, while they come and go. */
#include "engines/pony/view.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define STAYING   20u
#define HANDLES   3u
#define TAG_CHURN 5000u

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

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    rig_destroy(rig);
}

static const struct upper *upper_of(const struct app *app)
{
    return &rig->hosts[app->host].upper;
}

static bool look(const struct app *app, uint32_t handle, struct view_connection *found)
{
    struct view_connection page[VIEW_ENTRIES];
    struct view_scan scan = {.by_id = true, .id = handle};

    view_connections(upper_of(app), &scan, page);
    ck_assert_uint_eq(scan.position, VIEW_END);
    ck_assert_uint_le(scan.count, 1);
    *found = page[0];
    return scan.count == 1;
}

/* Connects and has it accepted; the caller's handle. */
static uint32_t connect_one(uint64_t tag)
{
    uint32_t at = server->event_count;
    const struct saddle_event *event;

    app_connect(client, "echo", tag);
    rig_settle(rig);
    event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    ck_assert_ptr_nonnull(event);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = event->handle,
                                          .tag = tag};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, tag)->status, 0);
    return app_done(client, tag)->handle;
}

static void close_one(struct app *app, uint32_t handle, uint64_t tag)
{
    const struct saddle_command command = {.op = SADDLE_CMD_CLOSE, .handle = handle, .tag = tag};

    ck_assert(app_submit(app, &command));
    rig_settle(rig);
    ck_assert_int_eq(app_done(app, tag)->status, 0);
}

START_TEST(both_sides_of_a_connection)
{
    struct view_connection mine, theirs;

    for (uint32_t i = 0; i < 3; i++)
        app_send(client, outgoing, 0, 0, 100, 10 + i);
    rig_settle(rig);
    app_send(server, incoming, 1, 0, 100, 20);
    rig_settle(rig);
    ck_assert(look(client, outgoing, &mine));
    ck_assert(look(server, incoming, &theirs));
    ck_assert_uint_eq(mine.handle, outgoing);
    ck_assert_uint_eq(mine.peer_handle, incoming);
    ck_assert_uint_eq(theirs.peer_handle, outgoing);
    ck_assert_uint_eq(mine.session, client->config.id);
    ck_assert_str_eq(mine.service, "echo");
    ck_assert_str_eq(theirs.service, "echo");
    ck_assert_str_eq(mine.peer, "peer");
    ck_assert_int_eq(mine.state, VIEW_CONNECTION_OPEN);
    ck_assert_uint_eq(mine.sent, 3);
    ck_assert_uint_eq(mine.received, 1);
    ck_assert_uint_eq(theirs.sent, 1);
    ck_assert_uint_eq(theirs.received, 3);
    ck_assert_uint_eq(mine.queued, 0);
    ck_assert_uint_eq(mine.streams, 2);
    ck_assert(mine.has_flow);
    ck_assert_uint_eq(mine.credits, theirs.promised);
}
END_TEST

START_TEST(what_waits_is_seen)
{
    struct view_connection found;

    app_send(client, outgoing, 0, 0, SADDLE_EAGER_MAX + 1, 10); /* for which no buffer is posted */
    rig_settle(rig);
    ck_assert(look(client, outgoing, &found));
    ck_assert_uint_eq(found.queued, 1);
    app_connect(client, "echo", 11);
    rig_settle(rig);
    ck_assert_int_eq(upper_of(client)->counters.connections, 2);
    const struct saddle_event *event;
    uint32_t at = 0;
    while ((event = app_event(server, &at, SADDLE_EVT_INCOMING, 1)))
        incoming = event->handle;
    ck_assert(look(server, incoming, &found));
    ck_assert_int_eq(found.state, VIEW_CONNECTION_INCOMING);
    ck_assert_str_eq(found.service, "echo");
}
END_TEST

START_TEST(what_is_over_says_why)
{
    struct view_connection found;

    app_send(client, outgoing, 0, 0, 100, 10);
    rig_settle(rig);
    rig_detach(rig, client);
    rig_settle(rig);
    ck_assert(look(server, incoming, &found));
    ck_assert_int_eq(found.state, VIEW_CONNECTION_DEAD);
    ck_assert_int_eq(found.error, -ECONNRESET);
    ck_assert_uint_eq(found.received, 1);
    ck_assert_uint_eq(found.promised, 0);
    close_one(server, incoming, 11);
    ck_assert(!look(server, incoming, &found));
}
END_TEST

START_TEST(listeners_come_last)
{
    struct view_connection page[VIEW_ENTRIES], found;
    struct view_scan scan = {0};

    app_listen(server, "another", 30);
    rig_settle(rig);
    view_connections(upper_of(server), &scan, page);
    /* Free places in between were looked at, too. */
    while (scan.position != VIEW_END && scan.count == 0)
        view_connections(upper_of(server), &scan, page);
    ck_assert_uint_eq(scan.count, 3);
    ck_assert_uint_eq(page[0].handle, incoming);
    ck_assert_int_eq(page[1].state, VIEW_CONNECTION_LISTENING);
    ck_assert_str_eq(page[1].service, "echo");
    ck_assert_str_eq(page[2].service, "another");
    ck_assert_uint_eq(page[2].handle, app_done(server, 30)->handle);
    ck_assert(look(server, page[2].handle, &found));
    ck_assert_int_eq(found.state, VIEW_CONNECTION_LISTENING);
}
END_TEST

/* Those that are there from the first page to the last are on one page, exactly. */
START_TEST(nothing_is_lost_or_doubled_between_pages)
{
    uint32_t staying[STAYING], passing[HANDLES] = {0}, seen[STAYING] = {0}, pages = 0;
    struct view_connection page[VIEW_ENTRIES];
    struct view_scan scan = {.most = 1 + (uint32_t)_i};
    uint64_t tag = TAG_CHURN;

    for (uint32_t i = 0; i < STAYING; i++) {
        staying[i] = connect_one(100 + i);
        if (i % 7 == 3) {
            uint32_t other = connect_one(tag++);

            close_one(client, other, tag++);
        }
    }
    while (scan.position != VIEW_END) {
        view_connections(upper_of(client), &scan, page);
        ck_assert_uint_le(scan.count, scan.most);
        for (uint32_t i = 0; i < scan.count; i++)
            for (uint32_t j = 0; j < STAYING; j++)
                seen[j] += page[i].handle == staying[j];
        if (passing[pages % HANDLES])
            close_one(client, passing[pages % HANDLES], tag++);
        passing[pages % HANDLES] = connect_one(tag++);
        pages++;
    }
    for (uint32_t i = 0; i < STAYING; i++)
        ck_assert_uint_eq(seen[i], 1);
    ck_assert_uint_ge(pages, STAYING / scan.most);
}
END_TEST

START_TEST(filters)
{
    struct view_connection page[VIEW_ENTRIES];
    struct view_scan scan = {.session = client->config.id};
    struct app *other = rig_attach(rig, 1, APP_SLOTS);

    app_connect(other, "echo", 40);
    rig_settle(rig);
    view_connections(upper_of(client), &scan, page);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(page[0].handle, outgoing);
    scan = (struct view_scan){.session = 4711};
    view_connections(upper_of(client), &scan, page);
    ck_assert_uint_eq(scan.count, 0);
    scan = (struct view_scan){.of_peer = true};
    scan.peer.bytes[0] = 1; /* the rig's peer is at :: */
    view_connections(upper_of(client), &scan, page);
    ck_assert_uint_eq(scan.count, 0);
    scan = (struct view_scan){.of_peer = true};
    view_connections(upper_of(client), &scan, page);
    ck_assert_uint_eq(scan.count, 2);
    /* Listeners have no peer. */
    scan = (struct view_scan){.of_peer = true};
    do {
        view_connections(upper_of(server), &scan, page);
        for (uint32_t i = 0; i < scan.count; i++)
            ck_assert_int_ne(page[i].state, VIEW_CONNECTION_LISTENING);
    } while (scan.position != VIEW_END);
}
END_TEST

START_TEST(positions_and_numbers_out_of_range)
{
    static const uint32_t wrong[] = {64,      4096,    HANDLE_LISTENERS - 1, 0xffff,
                                     0x20000, 1 << 24, UINT32_MAX,           UINT32_MAX - 1};
    union {
        struct view_connection connections[VIEW_ENTRIES];
        struct view_region regions[VIEW_ENTRIES];
    } page;

    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct view_scan scan = {.position = wrong[i]};

        view_connections(upper_of(client), &scan, page.connections);
        ck_assert_uint_eq(scan.count, 0);
        scan = (struct view_scan){.position = wrong[i]};
        view_regions(upper_of(client), &scan, page.regions);
        ck_assert_uint_eq(scan.position, VIEW_END);
        scan = (struct view_scan){.by_id = true, .id = wrong[i]};
        view_connections(upper_of(client), &scan, page.connections);
        ck_assert_uint_eq(scan.count, 0);
        ck_assert_uint_eq(scan.position, VIEW_END);
        scan = (struct view_scan){.by_id = true, .id = wrong[i]};
        view_regions(upper_of(client), &scan, page.regions);
        ck_assert_uint_eq(scan.count, 0);
        ck_assert_uint_eq(scan.position, VIEW_END);
    }
}
END_TEST

static uint64_t expose(uint32_t length, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = server->config.heap_offset,
        .len = length,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE,
        .tag = tag,
    };

    ck_assert(app_submit(server, &command));
    rig_settle(rig);
    ck_assert_int_eq(app_done(server, tag)->status, 0);
    return app_done(server, tag)->value;
}

static void onesided(uint8_t op, uint64_t key, uint32_t length, uint64_t tag)
{
    const struct saddle_command command = {
        .op = op,
        .handle = outgoing,
        .buf = client->config.heap_offset,
        .len = length,
        .key = key,
        .tag = tag,
    };

    ck_assert(app_submit(client, &command));
    rig_settle(rig);
}

START_TEST(regions_and_what_was_served_of_them)
{
    uint64_t first = expose(50000, 50), second = expose(1, 51);
    struct view_region page[VIEW_ENTRIES];
    struct view_scan scan = {0};

    for (uint64_t i = 0; i < 3; i++)
        onesided(SADDLE_CMD_READ, first, 40000, 60 + i);
    onesided(SADDLE_CMD_WRITE, first, 30000, 70);
    onesided(SADDLE_CMD_WRITE, first, 60000, 71); /* beyond its end */
    ck_assert_int_ne(app_done(client, 71)->status, 0);
    view_regions(upper_of(server), &scan, page);
    ck_assert_uint_eq(scan.count, 2);
    ck_assert_uint_eq(page[0].id, (uint32_t)first);
    ck_assert_uint_eq(page[0].session, server->config.id);
    ck_assert_uint_eq(page[0].length, 50000);
    ck_assert_uint_eq(page[0].rights, SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE);
    ck_assert_uint_eq(page[0].reads, 3);
    ck_assert_uint_eq(page[0].writes, 1);
    ck_assert_uint_eq(page[0].bytes, 150000);
    ck_assert_uint_eq(page[1].reads + page[1].writes + page[1].bytes, 0);
    scan = (struct view_scan){.by_id = true, .id = (uint32_t)second};
    view_regions(upper_of(server), &scan, page);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(page[0].length, 1);
    scan = (struct view_scan){.session = 4711};
    view_regions(upper_of(server), &scan, page);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(a_place_used_again_begins_at_nothing)
{
    struct view_region page[VIEW_ENTRIES];
    struct view_scan scan = {0};
    uint64_t key = expose(100, 50);
    uint32_t index = (uint32_t)key & 0xffff;

    onesided(SADDLE_CMD_READ, key, 100, 60);
    for (uint64_t tag = 100; tag < 140; tag += 2) {
        const struct saddle_command revoke = {.op = SADDLE_CMD_REVOKE, .key = key, .tag = tag};

        ck_assert(app_submit(server, &revoke));
        rig_settle(rig);
        key = expose(100, tag + 1);
        if (((uint32_t)key & 0xffff) == index)
            break;
    }
    view_regions(upper_of(server), &scan, page);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(page[0].reads + page[0].bytes, 0);
}
END_TEST

/* After a load, names of connections that were there are not known, and nothing breaks. */
START_TEST(after_a_load)
{
    struct view_connection found;

    rig_reload(rig, 0);
    rig_reload(rig, 1);
    ck_assert(look(client, outgoing, &found));
    ck_assert_str_eq(found.service, "");
    ck_assert_uint_eq(found.session, client->config.id);
    app_send(client, outgoing, 0, 0, 100, 10);
    rig_settle(rig);
    ck_assert(look(client, outgoing, &found));
    ck_assert_uint_eq(found.sent, 1);
    ck_assert(look(client, connect_one(12), &found));
    ck_assert_str_eq(found.service, "echo");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tcase = tcase_create("view");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, both_sides_of_a_connection);
    tcase_add_test(tcase, what_waits_is_seen);
    tcase_add_test(tcase, what_is_over_says_why);
    tcase_add_test(tcase, listeners_come_last);
    tcase_add_loop_test(tcase, nothing_is_lost_or_doubled_between_pages, 0, 5);
    tcase_add_test(tcase, filters);
    tcase_add_test(tcase, positions_and_numbers_out_of_range);
    tcase_add_test(tcase, regions_and_what_was_served_of_them);
    tcase_add_test(tcase, a_place_used_again_begins_at_nothing);
    tcase_add_test(tcase, after_a_load);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
