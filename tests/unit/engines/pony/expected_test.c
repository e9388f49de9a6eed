/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What is expected of large messages and of reads, and that nobody is kept waiting for its end; and
 * how many large messages are under way. */
#include "engines/pony/stream.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define LARGE      100000u /* bytes of a message */
#define MANY_LARGE 8u
#define SHORTEST   (SADDLE_EAGER_MAX + 1) /* of large ones: as many as may be are begun */
#define DATA_BYTES (256u << 10)           /* of a read */
#define READS      4u
#define SLOTS      256u
#define RELOAD_AT  9u  /* steps: some are begun, and some have a buffer */
#define QUEUED     20u /* messages: more than are begun at a time */

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;

static void open_rig(uint32_t slots)
{
    rig = rig_create(1, slots);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
}

static void setup(void)
{
    open_rig(SLOTS);
}

static void setup_few(void)
{
    open_rig(APP_SLOTS);
}

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    ck_assert_uint_eq(rig->hosts[0].upper.expected, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.expected, 0);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    rig_destroy(rig);
}

static void post(uint32_t bytes, uint64_t tag)
{
    const struct saddle_command command = {.op = SADDLE_CMD_POST_RECV,
                                           .handle = incoming,
                                           .buf = server->config.heap_offset,
                                           .len = bytes,
                                           .tag = tag};
    ck_assert(app_submit(server, &command));
}

static uint64_t expose(void)
{
    const struct saddle_command command = {.op = SADDLE_CMD_EXPOSE,
                                           .buf = server->config.heap_offset,
                                           .len = DATA_BYTES,
                                           .key = SADDLE_RIGHT_READ,
                                           .tag = 10};
    ck_assert(app_submit(server, &command));
    rig_settle(rig);
    return app_done(server, 10)->value;
}

static void revoke(uint64_t key)
{
    const struct saddle_command command = {.op = SADDLE_CMD_REVOKE, .key = key, .tag = 11};
    ck_assert(app_submit(server, &command));
}

START_TEST(many_large_ones_are_a_stream_until_the_last)
{
    const struct upper *upper = &rig->hosts[0].upper;
    uint32_t streaming = 0;

    for (uint32_t i = 0; i < MANY_LARGE; i++) {
        post(LARGE, 20 + i);
        app_send(client, outgoing, 0, 0, LARGE, 100 + i);
    }
    for (bool more = true; more; rig_check(rig)) {
        more = rig_step(rig);
        streaming += upper_streams(upper);
    }
    ck_assert_uint_gt(streaming, 0);
    ck_assert_uint_eq(upper->expected, 0);
    ck_assert(!upper_streams(upper));
    for (uint32_t i = 0; i < MANY_LARGE; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
}
END_TEST

START_TEST(a_large_one_is_no_stream)
{
    const struct upper *upper = &rig->hosts[0].upper;

    post(LARGE, 20);
    app_send(client, outgoing, 0, 0, LARGE, 100);
    for (bool more = true; more;) {
        more = rig_step(rig);
        ck_assert(!upper_streams(upper));
    }
    ck_assert_int_eq(app_done(client, 100)->status, 0);
}
END_TEST

/* Short ones hide a round trip by their number, and long ones do not wait for each other. */
static const struct {
    uint32_t bytes, begun;
} offers[] = {{SHORTEST, 16}, {65536, 16}, {100000, 8}, {300000, 4}, {1u << 20, 4}};
#define OFFERS (sizeof(offers) / sizeof(offers[0]))

static const struct stream *first_stream(void)
{
    return stream_find(connection_find(&rig->hosts[1].upper, outgoing), 0);
}

START_TEST(as_many_are_begun_as_make_a_mib)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < QUEUED; i++) {
        post(offers[_i].bytes, 200 + i);
        app_send(client, outgoing, 0, 0, offers[_i].bytes, 100 + i);
    }
    for (uint32_t step = 1; rig_step(rig); step++) {
        const struct stream *stream = first_stream();
        if (stream && stream->offers > most)
            most = stream->offers;
        if (step == RELOAD_AT)
            rig_reload(rig, 1);
        rig_check(rig);
    }
    ck_assert_uint_eq(most, offers[_i].begun);
    ck_assert_uint_eq(first_stream()->offers, 0);
    ck_assert_uint_eq(first_stream()->offers_waiting, 0);
    ck_assert_uint_eq(first_stream()->offered, 0);
    for (uint32_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
}
END_TEST

START_TEST(few_wait_for_a_buffer)
{
    for (uint32_t i = 0; i < QUEUED; i++)
        app_send(client, outgoing, 0, 0, LARGE, 100 + i);
    rig_settle(rig);
    ck_assert_uint_eq(first_stream()->offers, STREAM_OFFERS_LEAST);
    rig_reload(rig, 1);
    rig_settle(rig);
    ck_assert_uint_eq(first_stream()->offers_waiting, STREAM_OFFERS_LEAST);
    for (uint32_t i = 0; i < QUEUED; i++)
        post(LARGE, 200 + i);
    rig_settle(rig);
    for (uint32_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
    ck_assert_uint_eq(first_stream()->offers_waiting, 0);
}
END_TEST

/* Those that wait for a buffer leave slots for others: of the same connection, too, whose short
 * message the application may wait for before it posts any. */
START_TEST(another_stream_goes_past_those_that_wait)
{
    for (uint32_t i = 0; i < QUEUED; i++)
        app_send(client, outgoing, 0, 0, SHORTEST, 100 + i);
    rig_settle(rig);
    app_send(client, outgoing, 1, 0, 1000, 300);
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 300)->status, 0);
    for (uint32_t i = 0; i < QUEUED; i++)
        post(SHORTEST, 200 + i);
    rig_settle(rig);
    for (uint32_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
}
END_TEST

/* Also where they fail half-way. */
START_TEST(large_reads_are_a_stream_until_the_last)
{
    const struct upper *upper = &rig->hosts[1].upper;
    bool fails = _i == 1, revoked = false;
    uint64_t key = expose();
    uint32_t streaming = 0;

    for (uint32_t i = 0; i < READS; i++) {
        const struct saddle_command command = {.op = SADDLE_CMD_READ,
                                               .handle = outgoing,
                                               .key = key,
                                               .buf = client->config.heap_offset,
                                               .len = DATA_BYTES,
                                               .tag = 100 + i};
        ck_assert(app_submit(client, &command));
    }
    for (bool more = true; more; rig_check(rig)) {
        more = rig_step(rig);
        streaming += upper_streams(upper);
        if (streaming > 0 && fails && !revoked) {
            revoke(key);
            revoked = true;
        }
    }
    ck_assert_uint_gt(streaming, 0);
    ck_assert(!upper_streams(upper));
    for (uint32_t i = 0; i < READS && !fails; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
    if (fails)
        ck_assert_int_ne(app_done(client, 100 + READS - 1)->status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expected");
    TCase *tcase = tcase_create("expected"), *few = tcase_create("few slots");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, many_large_ones_are_a_stream_until_the_last);
    tcase_add_test(tcase, a_large_one_is_no_stream);
    tcase_add_loop_test(tcase, as_many_are_begun_as_make_a_mib, 0, OFFERS);
    tcase_add_test(tcase, few_wait_for_a_buffer);
    tcase_add_loop_test(tcase, large_reads_are_a_stream_until_the_last, 0, 2);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(few, setup_few, teardown);
    tcase_add_test(few, another_stream_goes_past_those_that_wait);
    suite_add_tcase(suite, few);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
