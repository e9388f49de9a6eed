/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/events.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct events *events;

static void setup(void)
{
    ck_assert_int_eq(events_create(&events), 0);
}

static void teardown(void)
{
    events_destroy(events);
}

START_TEST(nothing_yet)
{
    ck_assert_ptr_null(events_find(events, 0));
    ck_assert_ptr_null(events_find(events, 1));
    ck_assert_uint_eq(events_next(events), 1);
    events_destroy(NULL);
    events_add(NULL, EVENT_DAEMON_READY, NULL, "nobody listens");
}
END_TEST

START_TEST(all_rings_are_one_row)
{
    const enum event_kind kinds[] = {EVENT_DAEMON_READY, EVENT_SESSION_ATTACHED,
                                     EVENT_SESSION_ENDED, EVENT_ENGINE_STUCK,
                                     EVENT_SESSION_REFUSED};
    const struct event *event;

    for (int i = 0; i < 5; i++)
        events_add(events, kinds[i], NULL, "%d", i);
    for (uint64_t i = 1; i <= 5; i++) {
        event = events_find(events, i);
        ck_assert_uint_eq(event->number, i);
        ck_assert_int_eq((int)event->kind, (int)kinds[i - 1]);
    }
    ck_assert_uint_eq(events_find(events, 0)->number, 1);
    ck_assert_ptr_null(events_find(events, 6));
    ck_assert_ptr_null(events_find(events, UINT64_MAX));
    ck_assert_uint_eq(events_next(events), 6);
}
END_TEST

START_TEST(who_comes_and_goes_displaces_nobody_else)
{
    events_add(events, EVENT_ENGINE_STUCK, NULL, "important");
    for (uint32_t i = 0; i < 3 * EVENTS_KEPT; i++)
        events_add(events, EVENT_SESSION_REFUSED, NULL, "%u", i);
    ck_assert_str_eq(events_find(events, 0)->text, "important");
    /* The oldest of the others, and the gap before it. */
    ck_assert_uint_eq(events_find(events, 2)->number, 2 + 2 * EVENTS_KEPT);
    ck_assert_uint_eq(events_next(events), 2 + 3 * EVENTS_KEPT);
}
END_TEST

START_TEST(what_is_told_later_has_its_own_time)
{
    struct event_about about = {.monotonic_ns = clock_now(&clock_machine)};
    const struct event *first, *second;

    events_add(events, EVENT_DAEMON_READY, NULL, "now");
    events_add(events, EVENT_ENGINE_REBALANCED, &about, "before");
    first = events_find(events, 1);
    second = events_find(events, 2);
    ck_assert_uint_eq(second->monotonic_ns, about.monotonic_ns);
    ck_assert_uint_le(second->monotonic_ns, first->monotonic_ns);
    /* Nothing happens in the time to come. */
    about.monotonic_ns = UINT64_MAX;
    events_add(events, EVENT_ENGINE_REBALANCED, &about, "later");
    ck_assert_uint_lt(events_find(events, 3)->monotonic_ns, UINT64_MAX);
    /* Engines that go round and round do not make it forget either. */
    for (uint32_t i = 0; i < 2 * EVENTS_KEPT; i++)
        events_add(events, EVENT_ENGINE_REBALANCED, &about, "%u", i);
    ck_assert_str_eq(events_find(events, 0)->text, "now");
}
END_TEST

START_TEST(every_number_is_there_or_a_gap)
{
    uint64_t from = 1, missed = 0, seen = 0;
    const struct event *event;

    for (uint32_t i = 0; i < 5 * EVENTS_KEPT; i++)
        events_add(events, i % 3 ? EVENT_SESSION_ENDED : EVENT_CONTROL_ENDED, NULL, "%u", i);
    while ((event = events_find(events, from)) != NULL) {
        ck_assert_uint_ge(event->number, from);
        missed += event->number - from;
        from = event->number + 1;
        seen++;
    }
    ck_assert_uint_eq(from, events_next(events));
    ck_assert_uint_eq(seen, 2 * EVENTS_KEPT);
    ck_assert_uint_eq(missed + seen, 5 * EVENTS_KEPT);
}
END_TEST

START_TEST(texts_are_bounded_and_printable)
{
    char endless[2000];
    const struct event_about about = {
        .session = 7,
        .engine = endless,
        .application = "a\x1b[2J\xc2\x9b\n\x7f",
        .has_uid = true,
        .uid = 12,
        .pid = 34,
    };
    const struct event *event;

    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    events_add(events, EVENT_SESSION_ATTACHED, &about, "\r\n%s", endless);
    event = events_find(events, 1);
    ck_assert_uint_eq(strlen(event->text), EVENTS_TEXT_BYTES - 1);
    ck_assert_uint_eq(strlen(event->engine), ENGINE_NAME_BYTES - 1);
    ck_assert_int_eq(strncmp(event->text, "??xx", 4), 0);
    ck_assert_str_eq(event->application, "a?[2J????");
    ck_assert_uint_eq(event->session, 7);
    ck_assert_uint_eq(event->uid, 12);
    ck_assert_uint_eq(event->pid, 34);
    ck_assert(event->has_uid);
    ck_assert_uint_gt(event->time_ns, event->monotonic_ns);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tcase = tcase_create("events");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_yet);
    tcase_add_test(tcase, all_rings_are_one_row);
    tcase_add_test(tcase, who_comes_and_goes_displaces_nobody_else);
    tcase_add_test(tcase, what_is_told_later_has_its_own_time);
    tcase_add_test(tcase, every_number_is_there_or_a_gap);
    tcase_add_test(tcase, texts_are_bounded_and_printable);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
