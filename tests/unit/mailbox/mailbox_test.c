/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine mailbox: posting, calling, withdrawing, waking, and all of it by many threads at once.
 */
#include "mailbox/mailbox.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define LONG_NS  (60ull * 1000000000ull) /* a call that must not time out */
#define SHORT_NS 1000000ull              /* a call that must */

static struct mailbox mailbox;

static void open_mailbox(void)
{
    ck_assert_int_eq(mailbox_init(&mailbox), 0);
}

static void close_mailbox(void)
{
    mailbox_fini(&mailbox);
}

static int add(void *context, void *argument)
{
    *(int *)context += *(int *)argument;
    return *(int *)context;
}

START_TEST(work_runs_once_with_its_context)
{
    int sum = 1;
    int two = 2;

    ck_assert(!mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(mailbox_post(&mailbox, add, &two), 0);
    ck_assert(mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(sum, 3);
    ck_assert(!mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(sum, 3);
}
END_TEST

START_TEST(full_slot_is_busy_at_once)
{
    int sum = 0;
    int one = 1;

    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), -EBUSY);
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), -EBUSY);
    ck_assert(mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(sum, 1);
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
}
END_TEST

/* Work may post to the mailbox it came from only after it has ended: the slot is still its own. */
static int post_again(void *context, void *argument)
{
    *(int *)argument = mailbox_post(&mailbox, add, context);
    return 0;
}

START_TEST(slot_is_the_works_while_it_runs)
{
    int posted = 0;
    int context = 0;

    ck_assert_int_eq(mailbox_post(&mailbox, post_again, &posted), 0);
    ck_assert(mailbox_run(&mailbox, &context));
    ck_assert_int_eq(posted, -EBUSY);
}
END_TEST

START_TEST(call_withdraws_what_never_started)
{
    int sum = 0;
    int one = 1;
    int result = 77;

    ck_assert_int_eq(mailbox_call(&mailbox, add, &one, SHORT_NS, &result), -ETIMEDOUT);
    ck_assert_int_eq(mailbox_call(&mailbox, add, &one, 0, &result), -ETIMEDOUT);
    ck_assert_int_eq(mailbox_ask(&mailbox, SHORT_NS), -ETIMEDOUT);
    ck_assert_int_eq(result, 77);
    ck_assert(!mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(sum, 0);
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
}
END_TEST

START_TEST(call_waits_for_the_slot_no_longer_than_told)
{
    int sum = 0;
    int one = 1;
    int result = 77;

    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
    ck_assert_int_eq(mailbox_call(&mailbox, add, &one, SHORT_NS, &result), -ETIMEDOUT);
    ck_assert(mailbox_run(&mailbox, &sum));
    ck_assert(!mailbox_run(&mailbox, &sum));
    ck_assert_int_eq(sum, 1);
}
END_TEST

static bool woken(void)
{
    struct pollfd wait = {.fd = mailbox.wake_fd, .events = POLLIN};

    ck_assert_int_ge(poll(&wait, 1, 0), 0);
    return (wait.revents & POLLIN) != 0;
}

START_TEST(posting_wakes_only_a_sleeper)
{
    int sum = 0;
    int one = 1;

    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
    ck_assert(!woken());
    ck_assert(!mailbox_arm(&mailbox));
    ck_assert_uint_eq(mailbox.armed, 0);
    ck_assert(mailbox_run(&mailbox, &sum));
    ck_assert(mailbox_arm(&mailbox));
    mailbox_disarm(&mailbox);
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
    ck_assert(!woken());
    ck_assert(mailbox_run(&mailbox, &sum));
    ck_assert(mailbox_arm(&mailbox));
    ck_assert_int_eq(mailbox_post(&mailbox, add, &one), 0);
    ck_assert(woken());
    ck_assert_uint_eq(mailbox.armed, 0);
}
END_TEST

START_TEST(init_fails_cleanly_without_descriptors)
{
    struct rlimit limit;
    struct mailbox other;
    int lowest = dup(0);

    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(mailbox_init(&other), -EMFILE);
}
END_TEST

/* An engine: sleeps until it is woken, runs what it finds, ends when told. */
struct engine {
    int64_t sum;
    uint64_t sleeps;
    bool stop;
};

static int add_to_engine(void *context, void *argument)
{
    struct engine *engine = (struct engine *)context;

    engine->sum += *(int *)argument;
    return *(int *)argument * 2;
}

static int stop_engine(void *context, void *argument)
{
    (void)argument;
    ((struct engine *)context)->stop = true;
    return 0;
}

static void *run_engine(void *argument)
{
    struct engine *engine = (struct engine *)argument;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(epoll, EPOLL_CTL_ADD, mailbox.wake_fd, &event);
    while (!engine->stop) {
        if (mailbox_run(&mailbox, engine))
            continue;
        if (mailbox_arm(&mailbox)) {
            epoll_wait(epoll, &event, 1, -1);
            engine->sleeps++;
        }
        mailbox_disarm(&mailbox);
    }
    close(epoll);
    return NULL;
}

enum poster_kind { POSTER_POSTS, POSTER_CALLS, POSTER_GIVES_UP };

struct poster {
    pthread_t thread;
    enum poster_kind kind;
    uint32_t rounds;
    int64_t accepted; /* sum of what the engine must have added */
    uint32_t wrong;   /* results that are not the callers' own */
};

static void post_once(struct poster *poster, int *number)
{
    while (mailbox_post(&mailbox, add_to_engine, number) == -EBUSY)
        sched_yield();
    poster->accepted += *number;
}

static void call_once(struct poster *poster, int *number)
{
    uint64_t timeout_ns = poster->kind == POSTER_CALLS ? LONG_NS : (uint64_t)*number % 40000;
    int result = 0;
    int error = mailbox_call(&mailbox, add_to_engine, number, timeout_ns, &result);

    if (error == 0) {
        poster->accepted += *number;
        poster->wrong += result != *number * 2;
    } else {
        poster->wrong += error != -ETIMEDOUT || poster->kind == POSTER_CALLS;
    }
}

static void *run_poster(void *argument)
{
    struct poster *poster = (struct poster *)argument;
    int *numbers = (int *)calloc(poster->rounds, sizeof(*numbers));

    for (uint32_t round = 0; numbers && round < poster->rounds; round++) {
        numbers[round] = (int)(round * 7919u % 100003u);
        if (poster->kind == POSTER_POSTS)
            post_once(poster, &numbers[round]);
        else
            call_once(poster, &numbers[round]);
    }
    /* Posted work may still use its number: only the engine's end frees them. */
    return numbers;
}

/* What was accepted has run exactly once, what was withdrawn never; every caller got its own
 * result; and no wake-up was lost, or this would never end. */
START_TEST(many_posters_one_engine)
{
    struct poster posters[] = {
        {.kind = POSTER_POSTS, .rounds = 5000},   {.kind = POSTER_CALLS, .rounds = 500},
        {.kind = POSTER_GIVES_UP, .rounds = 500}, {.kind = POSTER_GIVES_UP, .rounds = 500},
        {.kind = POSTER_CALLS, .rounds = 500},
    };
    enum { POSTERS = sizeof(posters) / sizeof(posters[0]) };
    struct engine engine = {0};
    void *numbers[POSTERS];
    int64_t accepted = 0;
    int result;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, run_engine, &engine), 0);
    for (uint32_t i = 0; i < POSTERS; i++)
        ck_assert_int_eq(pthread_create(&posters[i].thread, NULL, run_poster, &posters[i]), 0);
    for (uint32_t i = 0; i < POSTERS; i++)
        ck_assert_int_eq(pthread_join(posters[i].thread, &numbers[i]), 0);
    ck_assert_int_eq(mailbox_ask(&mailbox, LONG_NS), 0);
    ck_assert_int_eq(mailbox_call(&mailbox, stop_engine, NULL, LONG_NS, &result), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (uint32_t i = 0; i < POSTERS; i++) {
        ck_assert_uint_eq(posters[i].wrong, 0);
        accepted += posters[i].accepted;
        free(numbers[i]);
    }
    ck_assert_int_eq(engine.sum, accepted);
}
END_TEST

/* Those for the same mailbox wait for each other, and each has its own result. */
START_TEST(calls_at_once_all_end)
{
    struct engine engine = {0};
    int numbers[] = {1, 10, 100};
    struct mailbox_request requests[3];
    int result;
    pthread_t thread;

    for (uint32_t i = 0; i < 3; i++)
        requests[i] = (struct mailbox_request){.mailbox = &mailbox,
                                               .fn = add_to_engine,
                                               .argument = &numbers[i]};
    ck_assert_int_eq(pthread_create(&thread, NULL, run_engine, &engine), 0);
    mailbox_call_all(requests, 3, LONG_NS);
    ck_assert_int_eq(mailbox_call(&mailbox, stop_engine, NULL, LONG_NS, &result), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(requests[i].error, 0);
        ck_assert_int_eq(requests[i].result, numbers[i] * 2);
    }
    ck_assert_int_eq(engine.sum, 111);
}
END_TEST

/* Each post meets an engine that sleeps, or is just about to. */
START_TEST(sleeping_engine_is_always_woken)
{
    enum { ROUNDS = 20000 };
    struct engine engine = {0};
    int one = 1;
    int result;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, run_engine, &engine), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        while (mailbox_post(&mailbox, add_to_engine, &one) == -EBUSY)
            sched_yield();
    }
    ck_assert_int_eq(mailbox_call(&mailbox, stop_engine, NULL, LONG_NS, &result), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(engine.sum, ROUNDS);
}
END_TEST

#ifdef SADDLE_DEBUG
static int work_too_long(void *context, void *argument)
{
    const struct timespec time = {.tv_nsec = 2 * (long)MAILBOX_WORK_NS_MAX};

    (void)context;
    (void)argument;
    return nanosleep(&time, NULL);
}

START_TEST(debug_builds_count_long_work)
{
    ck_assert_int_eq(mailbox_post(&mailbox, work_too_long, NULL), 0);
    ck_assert(mailbox_run(&mailbox, NULL));
    ck_assert_uint_eq(mailbox.overruns, 1);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *alone = tcase_create("alone");
    TCase *threads = tcase_create("threads");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(alone, open_mailbox, close_mailbox);
    tcase_add_test(alone, work_runs_once_with_its_context);
    tcase_add_test(alone, full_slot_is_busy_at_once);
    tcase_add_test(alone, slot_is_the_works_while_it_runs);
    tcase_add_test(alone, call_withdraws_what_never_started);
    tcase_add_test(alone, call_waits_for_the_slot_no_longer_than_told);
    tcase_add_test(alone, posting_wakes_only_a_sleeper);
    tcase_add_test(alone, init_fails_cleanly_without_descriptors);
#ifdef SADDLE_DEBUG
    tcase_add_test(alone, debug_builds_count_long_work);
#endif
    tcase_add_checked_fixture(threads, open_mailbox, close_mailbox);
    tcase_add_test(threads, many_posters_one_engine);
    tcase_add_test(threads, calls_at_once_all_end);
    tcase_add_test(threads, sleeping_engine_is_always_woken);
    tcase_set_timeout(threads, 55);
    suite_add_tcase(suite, alone);
    suite_add_tcase(suite, threads);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
