/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Messages and writes made of several pieces of memory. */
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY 0u         /* where in the heap the array lies */
#define FROM  65536u     /* where the pieces begin */
#define TO    (2u << 20) /* where a receiver wants them */

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
    rig_check(rig);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    rig_destroy(rig);
}

static struct saddle_gather *array_of(struct app *app)
{
    return (struct saddle_gather *)(void *)app_heap(app, ARRAY);
}

/* `count` pieces of `len` bytes in all that lie apart, the last ones first; the bytes in the order
 * of the message are the pattern of `seed`. */
static void scatter(struct app *app, uint32_t count, uint32_t len, uint32_t seed)
{
    struct saddle_gather *pieces = array_of(app);
    uint32_t left = len, at = FROM + 2 * len + 64 * count;
    uint8_t *whole = malloc(len);

    app_pattern(app, FROM, len, seed);
    memcpy(whole, app_heap(app, FROM), len);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t part = i == count - 1 ? left : left / (count - i) - (i % 3 ? 0 : left > 40);
        at -= part + 1 + i;
        memcpy(app_heap(app, at), whole + len - left, part);
        pieces[i] = (struct saddle_gather){.offset = app->config.heap_offset + at, .len = part};
        left -= part;
    }
    free(whole);
}

static struct saddle_command gathered(uint8_t op, uint32_t count, uint32_t len, uint64_t tag)
{
    return (struct saddle_command){
        .op = op,
        .flags = SADDLE_ENTRY_GATHER,
        .handle = outgoing,
        .buf = client->config.heap_offset + ARRAY,
        .len = len,
        .slot = count,
        .tag = tag,
    };
}

static void post(uint32_t len, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset + TO,
        .len = len,
        .tag = tag,
    };

    ck_assert(app_submit(server, &command));
}

static const struct {
    uint32_t count, len;
} shapes[] = {{1, 1},     {2, 2},       {16, 16},    {2, 65},       {16, SADDLE_EAGER_MAX},
              {3, 16385}, {16, 300000}, {1, 300000}, {5, 1400 * 5}, {16, 16 * 1401}};

START_TEST(messages)
{
    uint32_t count = shapes[_i].count, len = shapes[_i].len, at = 0;
    struct saddle_command send = gathered(SADDLE_CMD_SEND, count, len, 10);

    server->keep = true;
    if (len > SADDLE_EAGER_MAX)
        post(len, 20);
    scatter(client, count, len, 3);
    ck_assert(app_submit(client, &send));
    rig_step(rig);
    /* It was taken: the array is the application's again. */
    memset(array_of(client), 0xff, count * sizeof(struct saddle_gather));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    if (len > SADDLE_EAGER_MAX) {
        ck_assert_uint_eq(app_done(server, 20)->len, len);
        ck_assert(app_matches(app_heap(server, TO), len, 3));
        return;
    }
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_MESSAGE, 3);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->len, len);
    ck_assert(app_matches(
        event->flags & SADDLE_ENTRY_INLINE ? event->payload : server->arena + event->buf, len, 3));
}
END_TEST

START_TEST(writes)
{
    uint32_t count = shapes[_i].count, len = shapes[_i].len;
    struct saddle_command write = gathered(SADDLE_CMD_WRITE, count, len, 10);
    const struct saddle_command expose = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = server->config.heap_offset + TO,
        .len = len,
        .key = SADDLE_RIGHT_WRITE,
        .tag = 20,
    };

    ck_assert(app_submit(server, &expose));
    rig_settle(rig);
    write.key = app_done(server, 20)->value;
    scatter(client, count, len, 4);
    ck_assert(app_submit(client, &write));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert(app_matches(app_heap(server, TO), len, 4));
}
END_TEST

START_TEST(mistakes_are_answered)
{
    const uint64_t heap = client->config.heap_offset, end = heap + client->config.heap_bytes;
    struct saddle_command send = gathered(SADDLE_CMD_SEND, 2, 200, 10);
    const struct {
        struct saddle_gather last; /* of two; the first has 100 bytes */
        uint32_t count, len;
        uint64_t array;
    } cases[] = {
        {{heap + FROM, 100, 0}, 0, 200, heap},
        {{heap + FROM, 100, 0}, 2, 199, heap},
        {{heap + FROM, 100, 0}, 2, 201, heap},
        {{heap + FROM, 100, 0}, 1, 200, heap},
        {{heap + FROM, 100, 0}, SADDLE_SEGMENTS_MAX + 1, 200, heap},
        {{heap + FROM, 100, 0}, UINT32_MAX, 200, heap},
        {{heap + FROM, 0, 0}, 2, 100, heap},
        {{heap + FROM, 100, 1}, 2, 200, heap},
        {{heap - 1, 100, 0}, 2, 200, heap},
        {{0, 100, 0}, 2, 200, heap},
        {{end - 99, 100, 0}, 2, 200, heap},
        {{UINT64_MAX - 50, 100, 0}, 2, 200, heap},
        {{heap + FROM, UINT32_MAX, 0}, 2, 99, heap},
        {{heap + FROM, 100, 0}, 2, 200, end - 31},
        {{heap + FROM, 100, 0}, 2, 200, heap - 1},
        {{heap + FROM, 100, 0}, 2, 200, UINT64_MAX - 16},
    };

    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scatter(client, 1, 100, 1);
        array_of(client)[1] = cases[i].last;
        send.slot = cases[i].count;
        send.len = cases[i].len;
        send.buf = cases[i].array;
        send.tag = 10 + i;
        ck_assert(app_submit(client, &send));
        rig_settle(rig);
        ck_assert_msg(app_done(client, 10 + i)->status == -EINVAL, "case %u: %d", i,
                      app_done(client, 10 + i)->status);
    }
    ck_assert_uint_eq(rig->hosts[1].upper.gather_pool.free, rig->hosts[1].upper.gathers_max);
}
END_TEST

/* Nobody takes more than its share, and what was taken comes back. */
START_TEST(the_table_is_shared)
{
    struct app *other = rig_attach(rig, 1, APP_SLOTS);
    const struct upper *upper = &rig->hosts[1].upper;
    uint32_t refused = 0, at = server->event_count;
    struct saddle_command send = gathered(SADDLE_CMD_SEND, 2, 20000, 0);

    app_connect(other, "echo", 800);
    rig_settle(rig);
    const struct saddle_command accept = {
        .op = SADDLE_CMD_ACCEPT,
        .handle = app_event(server, &at, SADDLE_EVT_INCOMING, 1)->handle,
        .tag = 801,
    };
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    scatter(client, 2, 20000, 1);
    memcpy(app_heap(other, 0), app_heap(client, 0), FROM + 100000);
    /* They wait for buffers that nobody posts. */
    for (uint32_t i = 0; i < APP_ENTRIES - 1; i++) {
        send.tag = 1000 + i;
        send.handle = outgoing;
        ck_assert(app_submit(client, &send));
        send.handle = app_done(other, 800)->handle;
        ck_assert(app_submit(other, &send));
        rig_step(rig);
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < other->event_count; i++)
        refused += other->events[i].status == -ENOBUFS;
    for (uint32_t i = 0; i < client->event_count; i++)
        refused += client->events[i].status == -ENOBUFS;
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_eq(refused,
                      2 * (APP_ENTRIES - 1) - (upper->gathers_max - upper->gather_pool.free));
    ck_assert_uint_ge(other->session->gather_count, upper->gather_share.guaranteed);
    ck_assert_uint_ge(client->session->gather_count, upper->gather_share.guaranteed);
    rig_check(rig);
    rig_detach(rig, other);
    rig_settle(rig);
    ck_assert_uint_eq(upper->gathers_max - upper->gather_pool.free, client->session->gather_count);
    rig_break(rig, -ECONNRESET);
    rig_settle(rig);
    ck_assert_uint_eq(upper->gather_pool.free, upper->gathers_max);
    ck_assert_uint_eq(client->session->gather_count, 0);
}
END_TEST

START_TEST(reloaded_in_the_middle)
{
    const uint32_t len = 300000;
    struct saddle_command send = gathered(SADDLE_CMD_SEND, 16, len, 10);

    scatter(client, 16, len, 7);
    ck_assert(app_submit(client, &send));
    rig_settle(rig);
    rig_reload(rig, 1);
    memset(array_of(client), 0, SADDLE_SEGMENTS_MAX * sizeof(struct saddle_gather));
    post(len, 20);
    for (uint32_t i = 0; i < 40; i++) {
        rig_step(rig);
        rig_reload(rig, 1);
        rig_check(rig);
    }
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 10)->status, 0);
    ck_assert(app_matches(app_heap(server, TO), len, 7));
    ck_assert_uint_eq(rig->hosts[1].upper.gather_pool.free, rig->hosts[1].upper.gathers_max);
}
END_TEST

int main(void)
{
    const int count = sizeof(shapes) / sizeof(shapes[0]);
    Suite *suite = suite_create("gather");
    TCase *tcase = tcase_create("gather");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, messages, 0, count);
    tcase_add_loop_test(tcase, writes, 0, count);
    tcase_add_test(tcase, mistakes_are_answered);
    tcase_add_test(tcase, the_table_is_shared);
    tcase_add_test(tcase, reloaded_in_the_middle);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
