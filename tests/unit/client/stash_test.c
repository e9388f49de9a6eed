/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The stash: order, taking from the middle and the end, and payloads that lie in the event itself.
 */
#include "client/stash.h"

#include <check.h>
#include <stdlib.h>

#define EVENTS 5u

static struct client_stash stash;

static bool match_tag(const struct saddle_completion *event, const void *context)
{
    return event->tag == *(const uint64_t *)context;
}

static void put(uint64_t tag)
{
    struct saddle_completion event = {.tag = tag, .len = 1};

    event.bytes[0] = (uint8_t)tag;
    event.data = event.bytes;
    ck_assert_int_eq(client_stash_prepare(&stash), 0);
    client_stash_put(&stash, &event);
    event.bytes[0] = 0;
}

static void open_stash(void)
{
    client_stash_open(&stash);
    for (uint64_t tag = 0; tag < EVENTS; tag++)
        put(tag);
}

static void close_stash(void)
{
    client_stash_close(&stash);
    ck_assert(client_stash_empty(&stash));
}

static void assert_first(uint64_t tag)
{
    struct saddle_completion event;

    ck_assert(client_stash_take(&stash, NULL, NULL, &event));
    ck_assert_uint_eq(event.tag, tag);
    ck_assert_ptr_eq(event.data, event.bytes);
    ck_assert_uint_eq(event.bytes[0], tag);
}

START_TEST(first_in_first_out)
{
    for (uint64_t tag = 0; tag < EVENTS; tag++)
        assert_first(tag);
    ck_assert(client_stash_empty(&stash));
    ck_assert(!client_stash_take(&stash, NULL, NULL, &(struct saddle_completion){0}));
    put(9);
    assert_first(9);
}
END_TEST

/* Whichever is taken out, and after putting one more, the others keep their order. */
START_TEST(taking_one_keeps_the_order)
{
    const uint64_t taken = (uint64_t)_i;
    struct saddle_completion event;

    ck_assert(client_stash_take(&stash, match_tag, &taken, &event));
    ck_assert_uint_eq(event.tag, taken);
    ck_assert(!client_stash_take(&stash, match_tag, &taken, &event));
    put(EVENTS);
    for (uint64_t tag = 0; tag <= EVENTS; tag++)
        if (tag != taken)
            assert_first(tag);
    ck_assert(client_stash_empty(&stash));
}
END_TEST

/* What was just taken finds its place again without memory being asked for. */
START_TEST(what_was_taken_can_be_put_back)
{
    const uint64_t taken = 2;
    struct saddle_completion event;

    ck_assert(client_stash_take(&stash, match_tag, &taken, &event));
    ck_assert_ptr_nonnull(stash.spare);
    client_stash_put(&stash, &event);
    ck_assert(client_stash_take(&stash, match_tag, &taken, &event));
    ck_assert_uint_eq(event.bytes[0], taken);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stash");
    TCase *tcase = tcase_create("stash");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, open_stash, close_stash);
    tcase_add_test(tcase, first_in_first_out);
    tcase_add_loop_test(tcase, taking_one_keeps_the_order, 0, (int)EVENTS);
    tcase_add_test(tcase, what_was_taken_can_be_put_back);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
