/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The mailbox's narrowest moments, made to happen: between a look at the slot and the exchange that
 * follows it, the other side acts. Every plain load of mailbox.c comes here.
 */
#include <stdatomic.h>
#include <stdint.h>

static void after_look(void);

#undef atomic_load_explicit
#define atomic_load_explicit(word, order)                                                          \
    __extension__({                                                                                \
        uint32_t seam_value = (uint32_t)__atomic_load_n((uint32_t *)(word), order);                \
        after_look();                                                                              \
        seam_value;                                                                                \
    })

/* NOLINTNEXTLINE(bugprone-suspicious-include): the same source with a seam under its loads. */
#include "mailbox/mailbox.c"

#include <check.h>
#include <stdlib.h>

static struct mailbox mailbox;
static uint32_t looks_left; /* looks to come before the other side acts; 0: it does not */
static void (*act)(void);
static uint32_t runs;

static void after_look(void)
{
    if (looks_left > 0 && --looks_left == 0)
        act();
}

static void act_after(uint32_t looks, void (*action)(void))
{
    looks_left = looks;
    act = action;
}

static int work(void *context, void *argument)
{
    (void)context;
    runs++;
    return *(int *)argument;
}

static void open_mailbox(void)
{
    ck_assert_int_eq(mailbox_init(&mailbox), 0);
    looks_left = 0;
    runs = 0;
}

static void close_mailbox(void)
{
    mailbox_fini(&mailbox);
}

static void caller_withdraws(void)
{
    ck_assert(withdraw(&mailbox));
}

static void engine_runs(void)
{
    ck_assert(mailbox_run(&mailbox, NULL));
}

static void other_posts(void)
{
    static int number = 8;

    ck_assert_int_eq(mailbox_post(&mailbox, work, &number), 0);
}

static void caller_withdraws_and_other_posts(void)
{
    caller_withdraws();
    other_posts();
}

START_TEST(work_withdrawn_as_the_engine_finds_it_does_not_run)
{
    int number = 7;

    ck_assert_int_eq(mailbox_post(&mailbox, work, &number), 0);
    act_after(1, caller_withdraws);
    ck_assert(!mailbox_run(&mailbox, NULL));
    ck_assert_uint_eq(runs, 0);
    ck_assert_int_eq(mailbox_post(&mailbox, work, &number), 0);
    ck_assert(mailbox_run(&mailbox, NULL));
    ck_assert_uint_eq(runs, 1);
}
END_TEST

/* The slot is posted again, but to something else: that is what runs. */
START_TEST(work_replaced_as_the_engine_finds_it_runs_as_what_it_is)
{
    int number = 7;

    ck_assert_int_eq(mailbox_post(&mailbox, work, &number), 0);
    act_after(1, caller_withdraws_and_other_posts);
    ck_assert(mailbox_run(&mailbox, NULL));
    ck_assert_uint_eq(runs, 1);
    ck_assert(!mailbox_run(&mailbox, NULL));
}
END_TEST

/* Without patience, the caller looks once and takes the work back; the engine was faster. */
START_TEST(work_started_as_the_caller_gives_up_is_waited_for)
{
    int number = 7;
    int result = 0;

    act_after(1, engine_runs);
    ck_assert_int_eq(mailbox_call(&mailbox, work, &number, 0, &result), 0);
    ck_assert_int_eq(result, 7);
    ck_assert_uint_eq(runs, 1);
    ck_assert_uint_eq(mailbox.state, MAILBOX_EMPTY);
}
END_TEST

/* Of two engines one comes round in time, and the other never: its work is taken back. */
START_TEST(calls_at_once_end_each_as_its_own)
{
    struct mailbox silent;
    int numbers[] = {7, 8};

    ck_assert_int_eq(mailbox_init(&silent), 0);
    struct mailbox_request requests[] = {
        {.mailbox = &silent, .fn = work, .argument = &numbers[0], .result = 77},
        {.mailbox = &mailbox, .fn = work, .argument = &numbers[1], .result = 77},
    };
    act_after(2, engine_runs);
    mailbox_call_all(requests, 2, 0);
    ck_assert_int_eq(requests[0].error, -ETIMEDOUT);
    ck_assert_int_eq(requests[0].result, 77);
    ck_assert_int_eq(requests[1].error, 0);
    ck_assert_int_eq(requests[1].result, 8);
    ck_assert_uint_eq(runs, 1);
    ck_assert_uint_eq(silent.state, MAILBOX_EMPTY);
    ck_assert_uint_eq(mailbox.state, MAILBOX_EMPTY);
    mailbox_fini(&silent);
}
END_TEST

static void engine_looks(void)
{
    mailbox_run(&mailbox, NULL);
}

/* Wherever the engine gets its chance: work that was withdrawn has not run and will not. */
START_TEST(call_says_truly_whether_work_ran)
{
    int number = 7;
    int result = 0;
    int error;

    act_after((uint32_t)_i, engine_looks);
    error = mailbox_call(&mailbox, work, &number, 0, &result);
    looks_left = 0;
    mailbox_run(&mailbox, NULL);
    ck_assert_int_eq(error, runs == 1 ? 0 : -ETIMEDOUT);
    ck_assert_int_eq(result, runs == 1 ? 7 : 0);
    ck_assert_uint_le(runs, 1);
}
END_TEST

/* Work that comes after the engine's look for work, and before it has armed, does not put it to
 * sleep; work that comes after the second look rings. */
START_TEST(work_is_seen_or_rings)
{
    act_after(1, other_posts);
    ck_assert(!mailbox_run(&mailbox, NULL));
    ck_assert(!mailbox_arm(&mailbox));
    ck_assert(mailbox_run(&mailbox, NULL));
    act_after(1, other_posts);
    ck_assert(mailbox_arm(&mailbox));
    ck_assert_uint_eq(mailbox.armed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox_race");
    TCase *moments = tcase_create("moments");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(moments, open_mailbox, close_mailbox);
    tcase_add_test(moments, work_withdrawn_as_the_engine_finds_it_does_not_run);
    tcase_add_test(moments, work_replaced_as_the_engine_finds_it_runs_as_what_it_is);
    tcase_add_test(moments, work_started_as_the_caller_gives_up_is_waited_for);
    tcase_add_test(moments, calls_at_once_end_each_as_its_own);
    tcase_add_loop_test(moments, call_says_truly_whether_work_ran, 0, 4);
    tcase_add_test(moments, work_is_seen_or_rings);
    suite_add_tcase(suite, moments);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
