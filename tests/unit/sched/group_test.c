/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/group.h"
#include "sched/state.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS    1000u
#define TOYS     4u
#define MOVES    200u /* between groups, under load */
#define LATER_NS (2 * NSEC_PER_MSEC)
#define CALL_NS  (30 * NSEC_PER_SEC)
#define TURNS    1000u /* of a busy engine beside another */

static struct group *make_group(const struct group_mode *mode, uint32_t threads)
{
    struct group_config config = {.name = "test", .mode = mode, .threads = threads};
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    return group;
}

static struct group_thread_stats first_thread(struct group *group)
{
    struct group_thread_stats stats = {0};
    ck_assert_uint_ge(group_threads(group, &stats, 1), 1);
    return stats;
}

static void await_sleeps(struct group *group, uint64_t count)
{
    while (first_thread(group).sleeps < count)
        sched_yield();
}

static void drop(struct group *group, struct toy *toy)
{
    ck_assert_int_eq(group_remove(group, &toy->engine), 0);
    ck_assert_uint_eq(atomic_load(&toy->overlaps), 0);
    toy->engine.ops->destroy(&toy->engine);
}

static const struct group_mode *const modes[] = {&group_mode_dedicated, &group_mode_spreading};

START_TEST(items_are_handled)
{
    struct group *group = make_group(modes[_i], 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        toy_post(toy);
        toy_arrive(toy);
    }
    toy_await_handled(toy, 2 * ITEMS);
    drop(group, toy);
    group_destroy(group);
}
END_TEST

START_TEST(sleeper_wakes_by_doorbell)
{
    struct group *group = make_group(&group_mode_spreading, 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    for (uint32_t i = 1; i <= ITEMS; i++) {
        uint64_t sleeps = first_thread(group).sleeps;
        toy_post(toy);
        toy_await_handled(toy, i);
        /* Now and then it is let fall asleep first: what follows then takes a wake. */
        if (i % 8 == 0)
            await_sleeps(group, sleeps + 1);
    }
    ck_assert_uint_ge(first_thread(group).wakes_event, ITEMS / 8 - 1);
    drop(group, toy);
    group_destroy(group);
}
END_TEST

START_TEST(sleeper_wakes_by_port)
{
    struct group *group = make_group(&group_mode_spreading, 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    for (uint32_t i = 1; i <= ITEMS; i++) {
        toy_arrive(toy);
        toy_await_handled(toy, i);
    }
    drop(group, toy);
    group_destroy(group);
}
END_TEST

static int double_it(void *context, void *argument)
{
    ck_assert_ptr_nonnull(context);
    return 2 * *(int *)argument;
}

START_TEST(sleeper_wakes_by_mailbox)
{
    struct group *group = make_group(&group_mode_spreading, 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    for (int i = 0; i < (int)ITEMS; i++) {
        int result = -1;
        ck_assert_int_eq(mailbox_call(&toy->engine.mailbox, double_it, &i, CALL_NS, &result), 0);
        ck_assert_int_eq(result, 2 * i);
    }
    drop(group, toy);
    group_destroy(group);
}
END_TEST

START_TEST(sleeper_wakes_by_deadline)
{
    struct group *group = make_group(&group_mode_spreading, 1);
    struct toy *toy = toy_create("toy");
    for (uint64_t i = 1; i <= 3; i++) {
        /* Set while nobody runs it, so that only time can wake it. */
        atomic_store(&toy->deadline, clock_now(&clock_machine) + LATER_NS);
        ck_assert_int_eq(group_add(group, &toy->engine), 0);
        toy_await_expired(toy, i);
        ck_assert_int_eq(group_remove(group, &toy->engine), 0);
    }
    ck_assert_uint_ge(first_thread(group).wakes_deadline, 1);
    toy->engine.ops->destroy(&toy->engine);
    group_destroy(group);
}
END_TEST

START_TEST(spinner_never_sleeps)
{
    struct group *group = make_group(&group_mode_dedicated, 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    while (atomic_load(&toy->engine.runs) < ITEMS)
        sched_yield();
    ck_assert_uint_eq(first_thread(group).sleeps, 0);
    ck_assert_uint_eq(first_thread(group).engines, 1);
    drop(group, toy);
    ck_assert_uint_eq(first_thread(group).engines, 0);
    group_destroy(group);
}
END_TEST

START_TEST(busy_neighbour_does_not_starve)
{
    struct group *group = make_group(modes[_i], 1);
    struct toy *busy = toy_create("busy");
    struct toy *quiet = toy_create("quiet");
    atomic_store(&busy->endless, true);
    ck_assert_int_eq(group_add(group, &busy->engine), 0);
    ck_assert_int_eq(group_add(group, &quiet->engine), 0);
    uint64_t before = atomic_load(&busy->engine.runs);
    uint64_t quiet_before = atomic_load(&quiet->engine.runs);
    toy_post(quiet);
    toy_await_handled(quiet, 1);
    while (atomic_load(&busy->engine.runs) < before + TURNS)
        sched_yield();
    /* Turn by turn: apart by no more than what was running as we looked. */
    ck_assert_uint_ge(atomic_load(&quiet->engine.runs) - quiet_before + 2, TURNS);
    ck_assert_uint_gt(atomic_load(&busy->engine.busy_ns), 0);
    drop(group, busy);
    drop(group, quiet);
    group_destroy(group);
}
END_TEST

struct load {
    struct toy *toys[TOYS];
    _Atomic bool stop;
    uint64_t posted[TOYS];
};

static void *produce(void *argument)
{
    struct load *load = argument;
    for (uint32_t i = 0; !atomic_load(&load->stop); i++) {
        uint32_t at = i % TOYS;
        if (i % 3)
            toy_post(load->toys[at]);
        else
            toy_arrive(load->toys[at]);
        load->posted[at]++;
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(moving_engines_loses_nothing)
{
    struct group *groups[2] = {make_group(&group_mode_dedicated, 1),
                               make_group(&group_mode_spreading, 2)};
    struct load load = {.stop = false};
    for (uint32_t i = 0; i < TOYS; i++) {
        load.toys[i] = toy_create("toy");
        ck_assert_int_eq(group_add(groups[0], &load.toys[i]->engine), 0);
    }
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &load), 0);
    for (uint32_t move = 0; move < MOVES; move++) {
        struct engine *engine = &load.toys[move % TOYS]->engine;
        uint32_t from = move / TOYS % 2;
        ck_assert_int_eq(group_remove(groups[from], engine), 0);
        uint64_t runs = atomic_load(&engine->runs);
        sched_yield();
        ck_assert_uint_eq(atomic_load(&engine->runs), runs);
        ck_assert_int_eq(group_add(groups[1 - from], engine), 0);
    }
    atomic_store(&load.stop, true);
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    uint32_t last = MOVES / TOYS % 2;
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_await_handled(load.toys[i], load.posted[i]);
        ck_assert_uint_eq(atomic_load(&load.toys[i]->handled), load.posted[i]);
        drop(groups[last], load.toys[i]);
    }
    group_destroy(groups[0]);
    group_destroy(groups[1]);
}
END_TEST

START_TEST(saved_engine_goes_on_elsewhere)
{
    struct group *group = make_group(&group_mode_spreading, 1);
    struct toy *before = toy_create("before");
    ck_assert_int_eq(group_add(group, &before->engine), 0);
    for (uint32_t i = 0; i < ITEMS; i++)
        toy_post(before);
    ck_assert_int_eq(group_remove(group, &before->engine), 0);

    struct state_writer writer;
    state_writer_init(&writer);
    ck_assert_int_eq(before->engine.ops->save(&before->engine, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    before->engine.ops->destroy(&before->engine);

    struct state_reader reader;
    struct toy *after = toy_create("after");
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_eq(after->engine.ops->load(&after->engine, &reader), 0);
    state_writer_destroy(&writer);
    ck_assert_int_eq(group_add(group, &after->engine), 0);
    toy_post(after);
    toy_await_handled(after, ITEMS + 1);
    ck_assert_uint_eq(atomic_load(&after->handled), ITEMS + 1);
    drop(group, after);
    group_destroy(group);
}
END_TEST

START_TEST(membership_is_checked)
{
    struct group *group = make_group(&group_mode_spreading, 2);
    struct toy *toys[GROUP_ENGINES_MAX];
    for (uint32_t i = 0; i < GROUP_ENGINES_MAX; i++) {
        toys[i] = toy_create("toy");
        ck_assert_int_eq(group_add(group, &toys[i]->engine), 0);
    }
    struct toy *extra = toy_create("extra");
    ck_assert_int_eq(group_add(group, &toys[3]->engine), -EEXIST);
    ck_assert_int_eq(group_add(group, &extra->engine), -ENOSPC);
    ck_assert_int_eq(group_remove(group, &extra->engine), -ENOENT);
    struct group_thread_stats stats[3];
    ck_assert_uint_eq(group_threads(group, stats, 3), 2);
    ck_assert_uint_eq(stats[0].engines, GROUP_ENGINES_MAX / 2);
    ck_assert_uint_eq(stats[1].engines, GROUP_ENGINES_MAX / 2);
    ck_assert_int_ne(stats[0].tid, stats[1].tid);
    for (uint32_t i = 0; i < GROUP_ENGINES_MAX; i++)
        drop(group, toys[i]);
    extra->engine.ops->destroy(&extra->engine);
    group_destroy(group);
    group_destroy(NULL);
}
END_TEST

struct hooks {
    _Atomic int starts;
    _Atomic int stops;
    int refuse_at; /* this start and later ones fail */
};

static int hook_start(void *arg)
{
    struct hooks *hooks = arg;
    return atomic_fetch_add(&hooks->starts, 1) >= hooks->refuse_at ? -EUSERS : 0;
}

static void hook_stop(void *arg)
{
    atomic_fetch_add(&((struct hooks *)arg)->stops, 1);
}

START_TEST(threads_are_registered)
{
    struct hooks hooks = {.refuse_at = 3};
    struct group_config config = {.name = "a name longer than threads",
                                  .mode = &group_mode_spreading,
                                  .threads = 3,
                                  .thread_start = hook_start,
                                  .thread_stop = hook_stop,
                                  .arg = &hooks};
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    group_destroy(group);
    ck_assert_int_eq(atomic_load(&hooks.starts), 3);
    ck_assert_int_eq(atomic_load(&hooks.stops), 3);

    atomic_store(&hooks.starts, 0);
    atomic_store(&hooks.stops, 0);
    hooks.refuse_at = 2;
    group = NULL;
    ck_assert_int_eq(group_create(&group, &config), -EUSERS);
    ck_assert_ptr_null(group);
    ck_assert_int_eq(atomic_load(&hooks.stops), 2);
}
END_TEST

START_TEST(configuration_is_checked)
{
    struct group *group = NULL;
    struct group_config config = {.name = "test"};
    ck_assert_int_eq(group_create(&group, &config), -EINVAL);
    config.mode = &group_mode_spreading;
    config.threads = GROUP_THREADS_MAX + 1;
    ck_assert_int_eq(group_create(&group, &config), -EINVAL);
    config.threads = 1;
    memset(config.name, 'x', sizeof(config.name));
    ck_assert_int_eq(group_create(&group, &config), -EINVAL);
}
END_TEST

START_TEST(threads_follow_the_cpus_given)
{
    cpu_set_t allowed;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    /* The creator is pinned; a group without CPUs is not. */
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    struct group *anywhere = make_group(&group_mode_spreading, 1);
    struct group_config config = {.name = "pinned", .mode = &group_mode_spreading, .cpus = one};
    struct group *pinned = NULL;
    ck_assert_int_eq(group_create(&pinned, &config), 0);

    cpu_set_t got;
    ck_assert_int_eq(sched_getaffinity(first_thread(anywhere).tid, sizeof(got), &got), 0);
    ck_assert_int_ge(CPU_COUNT(&got), CPU_COUNT(&allowed));
    ck_assert_int_eq(sched_getaffinity(first_thread(pinned).tid, sizeof(got), &got), 0);
    ck_assert(CPU_EQUAL(&got, &one));
    group_destroy(anywhere);
    group_destroy(pinned);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/group");
    TCase *tests = tcase_create("group");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, items_are_handled, 0, 2);
    tcase_add_test(tests, sleeper_wakes_by_doorbell);
    tcase_add_test(tests, sleeper_wakes_by_port);
    tcase_add_test(tests, sleeper_wakes_by_mailbox);
    tcase_add_test(tests, sleeper_wakes_by_deadline);
    tcase_add_test(tests, spinner_never_sleeps);
    tcase_add_loop_test(tests, busy_neighbour_does_not_starve, 0, 2);
    tcase_add_test(tests, moving_engines_loses_nothing);
    tcase_add_test(tests, saved_engine_goes_on_elsewhere);
    tcase_add_test(tests, membership_is_checked);
    tcase_add_test(tests, threads_are_registered);
    tcase_add_test(tests, configuration_is_checked);
    tcase_add_test(tests, threads_follow_the_cpus_given);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
