/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/watches.h"
#include "saddle_v1_events.pb-c.h"
#include "tests/unit/control/modules_bed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LIST    "saddle.v1.Events/List"
#define WATCH   "saddle.v1.Events/Watch"
#define STUCK   SADDLE__V1__EVENT_KIND__EVENT_KIND_ENGINE_STUCK
#define REFUSED SADDLE__V1__EVENT_KIND__EVENT_KIND_SESSION_REFUSED
#define CALL    3u

static void add(enum event_kind kind, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        events_add(bed_world.events, kind, NULL, "%u", i);
}

static Saddle__V1__ListEventsResponse *list(uint64_t from, uint32_t limit)
{
    Saddle__V1__ListEventsRequest request = SADDLE__V1__LIST_EVENTS_REQUEST__INIT;

    request.from = from;
    request.limit = limit;
    ck_assert_uint_eq(bed_call(LIST, &request.base), RPC_OK);
    return saddle__v1__list_events_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
}

START_TEST(a_list_goes_on_where_the_last_one_ended)
{
    Saddle__V1__ListEventsResponse *found;

    add(EVENT_CONTROL_ENDED, 10);
    found = list(0, 3);
    ck_assert_uint_eq(found->n_events, 3);
    ck_assert_uint_eq(found->events[0]->number, 8);
    ck_assert_uint_eq(found->next, 11);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    found = list(1, 4);
    ck_assert_uint_eq(found->n_events, 4);
    ck_assert_uint_eq(found->events[3]->number, 4);
    ck_assert_uint_eq(found->next, 5);
    ck_assert_uint_eq(found->missed, 0);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    found = list(5, UINT32_MAX);
    ck_assert_uint_eq(found->n_events, 6);
    ck_assert_uint_eq(found->next, 11);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    found = list(11, 0);
    ck_assert_uint_eq(found->n_events, 0);
    ck_assert_uint_eq(found->next, 11);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
}
END_TEST

START_TEST(a_list_says_what_is_gone)
{
    Saddle__V1__ListEventsResponse *found;

    add(EVENT_CONTROL_ENDED, EVENTS_KEPT + 5);
    found = list(3, 0);
    ck_assert_uint_eq(found->missed, 3);
    ck_assert_uint_eq(found->n_events, EVENTS_KEPT);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    found = list(0, 0);
    ck_assert_uint_eq(found->missed, 0);
    ck_assert_uint_eq(found->n_events, EVENTS_KEPT);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
}
END_TEST

START_TEST(kinds)
{
    Saddle__V1__ListEventsRequest request = SADDLE__V1__LIST_EVENTS_REQUEST__INIT;
    Saddle__V1__EventKind wanted[] = {STUCK, REFUSED};
    Saddle__V1__ListEventsResponse *found;

    add(EVENT_CONTROL_ENDED, 3);
    add(EVENT_ENGINE_STUCK, 1);
    add(EVENT_SESSION_REFUSED, 2);
    request.kinds = wanted;
    request.n_kinds = 2;
    ck_assert_uint_eq(bed_call(LIST, &request.base), RPC_OK);
    found = saddle__v1__list_events_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found->n_events, 3);
    ck_assert_uint_eq(found->next, 7);
    ck_assert_int_eq(found->events[0]->kind, STUCK);
    ck_assert_int_eq(found->events[2]->kind, REFUSED);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
}
END_TEST

START_TEST(wrong_requests)
{
    Saddle__V1__ListEventsRequest request = SADDLE__V1__LIST_EVENTS_REQUEST__INIT;
    Saddle__V1__WatchEventsRequest watch = SADDLE__V1__WATCH_EVENTS_REQUEST__INIT;
    const int wrong[] = {0, EVENT_KIND_END, -1, INT32_MAX, INT32_MIN};

    request.n_kinds = watch.n_kinds = 1;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        Saddle__V1__EventKind kind = (Saddle__V1__EventKind)wrong[i];
        char number[32];

        request.kinds = watch.kinds = &kind;
        snprintf(number, sizeof(number), "kind of event %d", wrong[i]);
        ck_assert_uint_eq(bed_call(LIST, &request.base), RPC_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(bed_answer.text, number));
        ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_INVALID_ARGUMENT);
    }
    request.n_kinds = watch.n_kinds = 0;
    request.from = 2;
    watch.from = UINT64_MAX;
    ck_assert_uint_eq(bed_call(LIST, &request.base), RPC_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "number 1,"));
    ck_assert_uint_eq(bed_call(WATCH, &watch.base), RPC_OUT_OF_RANGE);
}
END_TEST

/* What a watch says next. */
static Saddle__V1__WatchEventsResponse *watched(void)
{
    bed_expect();
    return saddle__v1__watch_events_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
}

static void expect_watched(uint64_t events, uint64_t missed, uint64_t next)
{
    Saddle__V1__WatchEventsResponse *found = watched();

    ck_assert_uint_eq(found->n_events, events);
    ck_assert_uint_eq(found->missed, missed);
    ck_assert_uint_eq(found->next, next);
    saddle__v1__watch_events_response__free_unpacked(found, NULL);
}

START_TEST(a_watch_tells_what_is_new)
{
    Saddle__V1__WatchEventsRequest request = SADDLE__V1__WATCH_EVENTS_REQUEST__INIT;
    bool ended;

    add(EVENT_CONTROL_ENDED, 2);
    bed_begin(CALL, WATCH, &request.base);
    expect_watched(0, 0, 3);
    bed_second(3);
    ck_assert(!bed_take(&ended));
    add(EVENT_CONTROL_STARTED, 2);
    bed_second(3);
    expect_watched(2, 0, 5);
    bed_second(3);
    ck_assert(!bed_take(&ended));
    bed_put(CALL, LINK_CANCEL, NULL, 0);
    ck_assert(bed_take(&ended) && ended);
    add(EVENT_CONTROL_STARTED, 1);
    bed_second(3);
    ck_assert(!bed_take(&ended));
    /* From the beginning. */
    request.from = 1;
    bed_begin(CALL, WATCH, &request.base);
    expect_watched(5, 0, 6);
}
END_TEST

START_TEST(a_slow_reader_learns_how_many_it_missed)
{
    Saddle__V1__WatchEventsRequest request = SADDLE__V1__WATCH_EVENTS_REQUEST__INIT;
    const uint64_t taken = LINK_CREDITS; /* without giving credit: messages 2 to 4, and one waits */
    bool ended;

    bed_begin(CALL, WATCH, &request.base);
    for (uint64_t i = 0; i < taken; i++) {
        add(EVENT_CONTROL_ENDED, 1);
        bed_second(3);
    }
    for (int i = 0; i < 3; i++) {
        add(EVENT_CONTROL_ENDED, EVENTS_KEPT);
        bed_second(3);
    }
    expect_watched(0, 0, 1);
    for (uint64_t i = 1; i < taken; i++)
        expect_watched(1, 0, i + 1);
    ck_assert(!bed_take(&ended));
    bed_put(CALL, LINK_CREDIT, NULL, 0);
    expect_watched(1, 0, taken + 1); /* the one that waited */
    bed_put(CALL, LINK_CREDIT, NULL, 0);
    bed_second(3);
    expect_watched(EVENTS_KEPT, 2 * EVENTS_KEPT, taken + 3 * EVENTS_KEPT + 1);
}
END_TEST

START_TEST(a_watch_of_some_kinds_is_not_told_of_others)
{
    Saddle__V1__WatchEventsRequest request = SADDLE__V1__WATCH_EVENTS_REQUEST__INIT;
    Saddle__V1__EventKind wanted[] = {STUCK};
    bool ended;

    request.kinds = wanted;
    request.n_kinds = 1;
    bed_begin(CALL, WATCH, &request.base);
    expect_watched(0, 0, 1);
    add(EVENT_CONTROL_ENDED, 5);
    bed_second(3);
    ck_assert(!bed_take(&ended));
    add(EVENT_ENGINE_STUCK, 1);
    bed_second(3);
    expect_watched(1, 0, 7);
}
END_TEST

START_TEST(an_engine_that_hangs_is_told)
{
    static const enum event_kind wanted[] = {EVENT_ENGINE_STUCK, EVENT_CONDITION_DEGRADED,
                                             EVENT_ENGINE_BACK, EVENT_CONDITION_OK};
    Saddle__V1__ListEventsResponse *found;

    for (int i = 0; i < 6; i++)
        bed_second(1);
    for (int i = 0; i < 3; i++)
        bed_second(3);
    found = list(0, 0);
    ck_assert_uint_eq(found->n_events, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq((int)found->events[i]->kind, (int)wanted[i]);
    ck_assert_str_eq(found->events[0]->engine, "beta");
    ck_assert_ptr_nonnull(strstr(found->events[1]->text, "engine beta"));
    ck_assert_str_eq(found->events[2]->engine, "beta");
    saddle__v1__list_events_response__free_unpacked(found, NULL);
}
END_TEST

START_TEST(what_a_rebalancer_decides_is_told)
{
    const struct balance_move move = {.from = 0,
                                      .to = 2,
                                      .action = BALANCE_SCALE_OUT,
                                      .reason = BALANCE_LATE_WAKE,
                                      .delay_ns = 132 * NSEC_PER_USEC,
                                      .load = 451,
                                      .from_load = 1000,
                                      .to_load = 0};
    uint64_t now = clock_now(&clock_machine);
    Saddle__V1__ListEventsResponse *found;

    bed_decide(now - 2, "alpha", &move);
    bed_decide(now - 1, "beta", &move);
    bed_second(3);
    found = list(0, 0);
    ck_assert_uint_eq(found->n_events, 2);
    ck_assert_int_eq((int)found->events[0]->kind, EVENT_ENGINE_REBALANCED);
    ck_assert_uint_eq(found->events[0]->monotonic_ns, now - 2);
    ck_assert_str_eq(found->events[0]->engine, "alpha");
    ck_assert_str_eq(found->events[0]->text,
                     "group main, scale-out: thread 0 to 2, as engines are late, and a thread is "
                     "free; delay 132 us, load 45.1 % of a core, of the threads 100.0 and 0.0 %");
    ck_assert_str_eq(found->events[1]->engine, "beta");
    ck_assert_uint_eq(found->events[1]->monotonic_ns, now - 1);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    /* Once, and what is too much is counted. */
    for (uint32_t i = 0; i < DECISIONS_KEPT + 7; i++)
        bed_decide(now, "alpha", &move);
    bed_second(3);
    found = list(3, 0);
    ck_assert_uint_eq(found->n_events, 1 + DECISIONS_KEPT);
    ck_assert_int_eq((int)found->events[0]->kind, EVENT_DECISIONS_LOST);
    ck_assert_ptr_nonnull(strstr(found->events[0]->text, "group main: 7 moves"));
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    bed_second(3);
    found = list(4 + DECISIONS_KEPT, 0);
    ck_assert_uint_eq(found->n_events, 0);
    saddle__v1__list_events_response__free_unpacked(found, NULL);
}
END_TEST

/* Pinned threads have no deadline, whatever the rights of who asks. */
START_TEST(a_class_that_is_refused_is_told_once)
{
    struct group_config config = {
        .name = "pinned",
        .mode = &group_mode_dedicated,
        .quanta = {.class = QUANTA_DEADLINE},
    };
    Saddle__V1__ListEventsResponse *found;
    struct group *group;

    CPU_SET(0, &config.cpus);
    ck_assert_int_eq(group_create(&group, &config), 0);
    bed_plant.groups[bed_plant.group_count++] =
        (struct plant_group){.group = group, .name = "pinned", .mode = "dedicated", .cpus = "0"};
    bed_second(3);
    bed_second(3);
    found = list(0, 0);
    ck_assert_uint_eq(found->n_events, 1);
    ck_assert_int_eq(found->events[0]->kind, SADDLE__V1__EVENT_KIND__EVENT_KIND_CLASS_REFUSED);
    ck_assert_ptr_nonnull(strstr(found->events[0]->text, "group pinned: configured: deadline; "));
    ck_assert_ptr_nonnull(strstr(found->events[0]->text, "deadline refused: sched_setattr: EPERM"));
    saddle__v1__list_events_response__free_unpacked(found, NULL);
    bed_plant.group_count--;
    group_destroy(group);
}
END_TEST

START_TEST(watches_are_bounded)
{
    Saddle__V1__WatchEventsRequest request = SADDLE__V1__WATCH_EVENTS_REQUEST__INIT;
    bool ended;

    for (uint32_t i = 0; i < WATCHES_PER_UID_MAX; i++) {
        bed_begin(i, WATCH, &request.base);
        expect_watched(0, 0, 1);
    }
    bed_begin(WATCHES_PER_UID_MAX, WATCH, &request.base);
    ck_assert(bed_take(&ended) && ended);
    ck_assert_uint_eq(bed_answer.status, RPC_RESOURCE_EXHAUSTED);
    bed_put(0, LINK_CANCEL, NULL, 0);
    ck_assert(bed_take(&ended) && ended);
    bed_begin(0, WATCH, &request.base);
    expect_watched(0, 0, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_events");
    TCase *tcase = tcase_create("module_events");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, bed_setup, bed_teardown);
    tcase_add_test(tcase, a_list_goes_on_where_the_last_one_ended);
    tcase_add_test(tcase, a_list_says_what_is_gone);
    tcase_add_test(tcase, kinds);
    tcase_add_test(tcase, wrong_requests);
    tcase_add_test(tcase, a_watch_tells_what_is_new);
    tcase_add_test(tcase, a_slow_reader_learns_how_many_it_missed);
    tcase_add_test(tcase, a_watch_of_some_kinds_is_not_told_of_others);
    tcase_add_test(tcase, an_engine_that_hangs_is_told);
    tcase_add_test(tcase, what_a_rebalancer_decides_is_told);
    tcase_add_test(tcase, a_class_that_is_refused_is_told_once);
    tcase_add_test(tcase, watches_are_bounded);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
