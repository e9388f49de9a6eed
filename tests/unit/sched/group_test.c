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

#define ITEMS     1000u
#define TOYS      4u
#define MOVES     200u /* between groups, under load */
#define CHANGES   60u  /* of a group, under load */
#define SLO_NS    (30 * NSEC_PER_USEC)
#define COST_NS   (40 * NSEC_PER_USEC) /* of a turn: whoever waits for another one is late */
#define LATER_NS  (20 * NSEC_PER_MSEC)
#define NAP_NS    (100 * NSEC_PER_USEC)
#define SOON_NS   NSEC_PER_USEC
#define TRANSFERS 100u
#define CALL_NS   (30 * NSEC_PER_SEC)
#define TURNS     1000u /* of a quiet engine beside a busy one */

static struct group *make_group(const struct group_mode *mode, uint32_t threads)
{
    struct group_config config = {.name = "test", .mode = mode, .threads = threads};
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    return group;
}

/* Of a group with engines. */
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

static const struct group_mode *const modes[] = {&group_mode_dedicated, &group_mode_spreading,
                                                 &group_mode_compacting};
#define MODES (sizeof(modes) / sizeof(modes[0]))

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
    uint64_t woken = 0;
    for (uint64_t i = 1; i <= 3; i++) {
        /* Set while nobody runs it, so that only time can wake it. */
        atomic_store(&toy->deadline, clock_now(&clock_machine) + LATER_NS);
        ck_assert_int_eq(group_add(group, &toy->engine), 0);
        toy_await_expired(toy, i);
        woken += first_thread(group).wakes_deadline;
        ck_assert_int_eq(group_remove(group, &toy->engine), 0);
    }
    ck_assert_uint_ge(woken, 1);
    toy->engine.ops->destroy(&toy->engine);
    group_destroy(group);
}
END_TEST

static void handle_transfers(const struct group_mode *mode, uint64_t moderation_ns,
                             uint64_t patience_ns, bool naps)
{
    const struct group_config config = {
        .name = "test", .mode = mode, .threads = 1, .moderation_ns = moderation_ns};
    struct group *group = NULL;
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_create(&group, &config), 0);
    atomic_store(&toy->patience_ns, patience_ns);
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    for (uint32_t i = 1; i <= TRANSFERS; i++) {
        toy_arrive(toy);
        toy_await_handled(toy, i);
        /* By the clock: the engine has no deadline. */
        while (naps && first_thread(group).wakes_deadline < i)
            sched_yield();
    }
    ck_assert_uint_eq(first_thread(group).wakes_deadline, naps ? TRANSFERS : 0);
    drop(group, toy);
    group_destroy(group);
}

START_TEST(one_that_streams_naps)
{
    handle_transfers(modes[_i], NAP_NS, LATER_NS, true);
}
END_TEST

START_TEST(others_do_not_nap)
{
    handle_transfers(modes[_i], NAP_NS, 0, false);
    handle_transfers(modes[_i], 0, LATER_NS, false);
    handle_transfers(&group_mode_dedicated, NAP_NS, LATER_NS, false);
    /* Something is due before a nap would be over. */
    handle_transfers(modes[_i], NAP_NS, SOON_NS, false);
}
END_TEST

START_TEST(spinner_never_sleeps)
{
    struct group *group = make_group(&group_mode_dedicated, 1);
    struct toy *toy = toy_create("toy");
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    uint64_t sleeps = first_thread(group).sleeps; /* for want of engines */
    while (atomic_load(&toy->engine.runs) < ITEMS)
        sched_yield();
    ck_assert_uint_eq(first_thread(group).sleeps, sleeps);
    ck_assert_uint_eq(first_thread(group).engines, 1);
    drop(group, toy);
    ck_assert_uint_eq(first_thread(group).engines, 0);
    group_destroy(group);
}
END_TEST

/* How long each waits, share_test.c shows in virtual time. */
START_TEST(busy_neighbour_does_not_starve)
{
    struct group *group = make_group(modes[_i], 1);
    struct toy *busy = toy_create("busy");
    struct toy *quiet = toy_create("quiet");
    atomic_store(&busy->endless, true);
    ck_assert_int_eq(group_add(group, &busy->engine), 0);
    ck_assert_int_eq(group_add(group, &quiet->engine), 0);
    for (uint32_t i = 1; i <= TURNS; i++) {
        uint64_t before = atomic_load(&busy->engine.runs);
        toy_post(quiet);
        toy_await_handled(quiet, i);
        while (atomic_load(&busy->engine.runs) == before)
            sched_yield();
    }
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
    struct group *groups[2] = {make_group(modes[_i], 1), make_group(modes[(_i + 1) % MODES], 2)};
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
    struct group_config config = {
        .name = "test", .mode = &group_mode_dedicated, .threads = 2, .idle_ns = 1};
    struct group *group = NULL;
    struct toy *toys[GROUP_ENGINES_MAX];
    ck_assert_int_eq(group_create(&group, &config), 0);
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
                                  .mode = &group_mode_dedicated,
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
    config.mode = &group_mode_dedicated;
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
    struct group *anywhere = make_group(&group_mode_dedicated, 1);
    struct group_config config = {.name = "pinned", .mode = &group_mode_dedicated, .cpus = one};
    struct group *pinned = NULL;
    ck_assert_int_eq(group_create(&pinned, &config), 0);

    cpu_set_t got;
    ck_assert_int_eq(sched_getaffinity(first_thread(anywhere).tid, sizeof(got), &got), 0);
    ck_assert_int_ge(CPU_COUNT(&got), CPU_COUNT(&allowed));
    ck_assert_int_eq(sched_getaffinity(first_thread(pinned).tid, sizeof(got), &got), 0);
    ck_assert(CPU_EQUAL(&got, &one));
    struct group_thread_stats stats = first_thread(pinned);
    ck_assert(CPU_EQUAL(&stats.cpus, &one));
    group_destroy(anywhere);
    group_destroy(pinned);
}
END_TEST

/* Each thread of a dedicated group has one CPU, and the CPUs go round. */
START_TEST(dedicated_threads_are_pinned_one_by_one)
{
    cpu_set_t allowed;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    uint32_t cpus = (uint32_t)CPU_COUNT(&allowed);
    struct group_config config = {.name = "pinned",
                                  .mode = &group_mode_dedicated,
                                  .cpus = allowed,
                                  .threads = cpus < GROUP_THREADS_MAX ? cpus + 1 : cpus};
    struct group_thread_stats threads[GROUP_THREADS_MAX];
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    uint32_t count = group_threads(group, threads, GROUP_THREADS_MAX);
    ck_assert_uint_eq(count, config.threads);
    for (uint32_t i = 0; i < count; i++) {
        cpu_set_t got;
        ck_assert_int_eq(sched_getaffinity(threads[i].tid, sizeof(got), &got), 0);
        ck_assert_int_eq(CPU_COUNT(&got), 1);
        for (uint32_t j = 0; j < i; j++)
            ck_assert_int_eq(CPU_EQUAL(&threads[i].cpus, &threads[j].cpus), i % cpus == j % cpus);
    }
    group_destroy(group);
}
END_TEST

START_TEST(spreading_threads_come_and_go)
{
    struct hooks hooks = {.refuse_at = 4};
    struct group_config config = {.name = "spread",
                                  .mode = &group_mode_spreading,
                                  .thread_start = hook_start,
                                  .thread_stop = hook_stop,
                                  .arg = &hooks};
    struct group_thread_stats threads[TOYS];
    struct toy *toys[TOYS];
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toys[i] = toy_create("toy");
        ck_assert_int_eq(group_add(group, &toys[i]->engine), 0);
        ck_assert_uint_eq(group_threads(group, threads, TOYS), i + 1);
        ck_assert_uint_eq(threads[i].engines, 1);
        ck_assert_int_eq(threads[i].tid, atomic_load(&toys[i]->engine.tid));
    }
    /* A thread that cannot be had leaves all as it was. */
    struct toy *extra = toy_create("extra");
    ck_assert_int_eq(group_add(group, &extra->engine), -EUSERS);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), TOYS);
    extra->engine.ops->destroy(&extra->engine);
    for (uint32_t i = 0; i < TOYS; i++) {
        ck_assert_int_eq(group_remove(group, &toys[i]->engine), 0);
        ck_assert_int_eq(atomic_load(&toys[i]->engine.tid), 0);
        ck_assert_uint_eq(group_threads(group, threads, TOYS), TOYS - 1 - i);
        for (uint32_t j = i + 1; j < TOYS; j++) {
            toy_post(toys[j]);
            toy_await_handled(toys[j], i + 1);
        }
        toys[i]->engine.ops->destroy(&toys[i]->engine);
    }
    ck_assert_int_eq(atomic_load(&hooks.stops), TOYS);
    group_destroy(group);
}
END_TEST

/* Several at once. */
START_TEST(engines_come_and_go_together)
{
    struct group_config config = {.name = "all", .mode = modes[_i]};
    struct engine *engines[TOYS];
    struct toy *toys[TOYS];
    int errors[TOYS];
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toys[i] = toy_create("toy");
        engines[i] = &toys[i]->engine;
    }
    ck_assert_int_eq(group_remove_all(group, engines, TOYS, errors), -ENOENT);
    for (uint32_t round = 0; round < 2; round++) {
        ck_assert_int_eq(group_add_all(group, engines, TOYS, errors), 0);
        for (uint32_t i = 0; i < TOYS; i++) {
            ck_assert_int_eq(errors[i], 0);
            ck_assert_int_ne(atomic_load(&engines[i]->tid), 0);
            toy_post(toys[i]);
            toy_await_handled(toys[i], round + 1);
        }
        ck_assert_int_eq(group_add_all(group, engines + 1, 1, errors), -EEXIST);
        ck_assert_int_eq(errors[0], -EEXIST);
        ck_assert_int_eq(group_remove_all(group, engines, TOYS, errors), 0);
        for (uint32_t i = 0; i < TOYS; i++) {
            ck_assert_int_eq(errors[i], 0);
            ck_assert_int_eq(atomic_load(&engines[i]->tid), 0);
        }
    }
    for (uint32_t i = 0; i < TOYS; i++)
        engines[i]->ops->destroy(engines[i]);
    group_destroy(group);
}
END_TEST

/* One of the threads that they would need cannot be had. */
START_TEST(engines_without_a_thread_are_all_refused)
{
    struct hooks hooks = {.refuse_at = TOYS - 1};
    struct group_config config = {.name = "few",
                                  .mode = &group_mode_spreading,
                                  .thread_start = hook_start,
                                  .thread_stop = hook_stop,
                                  .arg = &hooks};
    struct group_thread_stats threads[TOYS];
    struct engine *engines[TOYS];
    int errors[TOYS];
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (uint32_t i = 0; i < TOYS; i++)
        engines[i] = &toy_create("toy")->engine;
    ck_assert_int_eq(group_add_all(group, engines, TOYS, errors), -EUSERS);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        ck_assert_int_eq(errors[i], -EUSERS);
        ck_assert_int_eq(group_remove(group, engines[i]), -ENOENT);
        engines[i]->ops->destroy(engines[i]);
    }
    group_destroy(group);
}
END_TEST

/* Engines that come and go while threads are kept find the same ones again. */
START_TEST(kept_threads_wait_for_engines)
{
    struct hooks hooks = {.refuse_at = TOYS};
    struct group_config config = {.name = "kept",
                                  .mode = &group_mode_spreading,
                                  .thread_start = hook_start,
                                  .thread_stop = hook_stop,
                                  .arg = &hooks};
    struct group_thread_stats ahead[TOYS], threads[TOYS];
    struct engine *engines[TOYS];
    struct toy *toys[TOYS];
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toys[i] = toy_create("toy");
        engines[i] = &toys[i]->engine;
    }
    ck_assert_int_eq(group_prepare(group, engines, TOYS - 1), 0);
    ck_assert_uint_eq(group_threads(group, ahead, TOYS), TOYS - 1);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < TOYS - 1; i++) {
            ck_assert_int_eq(group_add(group, engines[i]), 0);
            ck_assert_uint_eq(group_threads(group, threads, TOYS), TOYS - 1);
            ck_assert_uint_eq(threads[i].engines, 1);
            ck_assert_int_eq(threads[i].tid, ahead[i].tid);
            toy_post(toys[i]);
            toy_await_handled(toys[i], round + 1);
        }
        for (uint32_t i = 0; i < TOYS - 1; i++)
            ck_assert_int_eq(group_remove(group, engines[i]), 0);
        ck_assert_uint_eq(group_threads(group, threads, TOYS), TOYS - 1);
    }
    ck_assert_int_eq(atomic_load(&hooks.stops), 0);
    /* Only those that have an engine stay. */
    ck_assert_int_eq(group_add(group, engines[0]), 0);
    group_trim(group);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), 1);
    ck_assert_int_eq(threads[0].tid, ahead[0].tid);
    ck_assert_int_eq(atomic_load(&hooks.stops), TOYS - 2);
    toy_post(toys[0]);
    toy_await_handled(toys[0], 3);
    /* And from now on one goes with its engine, as one that cannot be had changes nothing. */
    hooks.refuse_at = atomic_load(&hooks.starts) + 1;
    ck_assert_int_eq(group_prepare(group, engines + 1, TOYS - 1), -EUSERS);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), 1);
    group_trim(group);
    ck_assert_int_eq(group_remove(group, engines[0]), 0);
    ck_assert_uint_eq(group_threads(group, threads, TOYS), 0);
    for (uint32_t i = 0; i < TOYS; i++)
        engines[i]->ops->destroy(engines[i]);
    group_destroy(group);
}
END_TEST

/* In every mode engines come and go as before, whether their threads were made ahead or not. */
START_TEST(kept_threads_serve_in_every_mode)
{
    struct group *group = make_group(modes[_i], 0);
    struct engine *engines[TOYS];
    struct toy *toys[TOYS];
    for (uint32_t i = 0; i < TOYS; i++) {
        toys[i] = toy_create("toy");
        engines[i] = &toys[i]->engine;
    }
    ck_assert_int_eq(group_prepare(group, engines, TOYS), 0);
    for (uint32_t i = 0; i < TOYS; i++)
        ck_assert_int_eq(group_add(group, engines[i]), 0);
    group_trim(group);
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_post(toys[i]);
        toy_await_handled(toys[i], 1);
    }
    group_keep_threads(group);
    for (uint32_t i = 0; i < TOYS; i++)
        drop(group, toys[i]);
    group_trim(group);
    group_destroy(group);
}
END_TEST

/* Whatever changes under engines at work, they go on, in the threads of the new configuration. */
START_TEST(changes_lose_nothing)
{
    struct group *group = make_group(modes[_i], 1);
    struct load load = {.stop = false};
    pthread_t producer;
    for (uint32_t i = 0; i < TOYS; i++) {
        load.toys[i] = toy_create("toy");
        ck_assert_int_eq(group_add(group, &load.toys[i]->engine), 0);
    }
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &load), 0);
    for (uint32_t i = 0; i < CHANGES; i++) {
        const struct group_config config = {.mode = modes[i * 7 / 3 % MODES],
                                            .threads = 1 + i % 3,
                                            .idle_ns = i % 5 ? i * 100 : 0,
                                            .slo_ns = 1000 + i % 2};
        ck_assert_int_eq(group_configure(group, &config), 0);
        ck_assert_str_eq(group_configuration(group)->name, "test");
        ck_assert_ptr_eq(group_configuration(group)->mode, config.mode);
        ck_assert_uint_eq(group_configuration(group)->slo_ns, config.slo_ns);
    }
    atomic_store(&load.stop, true);
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    for (uint32_t i = 0; i < TOYS; i++) {
        toy_await_handled(load.toys[i], load.posted[i]);
        ck_assert_uint_eq(atomic_load(&load.toys[i]->handled), load.posted[i]);
        drop(group, load.toys[i]);
    }
    group_destroy(group);
}
END_TEST

/* What cannot be leaves everything as it was. */
START_TEST(impossible_changes_change_nothing)
{
    struct group *group = make_group(modes[_i], 1);
    struct toy *toy = toy_create("toy");
    struct hooks hooks = {.refuse_at = 0};
    struct group_config config = {.mode = NULL};
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    int tid = atomic_load(&toy->engine.tid);
    ck_assert_int_eq(group_configure(group, &config), -EINVAL);
    config = (struct group_config){
        .mode = modes[_i], .thread_start = hook_start, .thread_stop = hook_stop, .arg = &hooks};
    ck_assert_int_eq(group_configure(group, &config), -EUSERS);
    config = (struct group_config){.mode = &group_mode_dedicated};
    CPU_SET(CPU_SETSIZE - 1, &config.cpus);
    ck_assert_int_eq(group_configure(group, &config), -EINVAL);
    ck_assert_int_eq(atomic_load(&toy->engine.tid), tid);
    ck_assert_ptr_eq(group_configuration(group)->mode, modes[_i]);
    toy_post(toy);
    toy_await_handled(toy, 1);
    drop(group, toy);
    group_destroy(group);
}
END_TEST

/* Two engines whose work takes long are late on one thread: one gets another thread, and comes
 * back when there is nothing to do. */
START_TEST(compacting_scales_out_and_comes_back)
{
    struct group_config config = {
        .name = "compact", .mode = &group_mode_compacting, .threads = 2, .slo_ns = SLO_NS};
    struct group_thread_stats threads[2];
    struct toy *toys[2] = {toy_create("one"), toy_create("other")};
    struct group *group = NULL;
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store(&toys[i]->cost_ns, COST_NS);
        ck_assert_int_eq(group_add(group, &toys[i]->engine), 0);
    }
    ck_assert_uint_eq(group_threads(group, threads, 2), 2);
    ck_assert_uint_eq(threads[0].engines, 2);
    const struct decisions *decisions = group_decisions(group);
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store(&toys[i]->endless, true);
        toy_post(toys[i]);
    }
    while (decisions_count(decisions, BALANCE_SCALE_OUT) == 0 ||
           atomic_load(&toys[0]->engine.tid) == atomic_load(&toys[1]->engine.tid))
        sched_yield();
    for (uint32_t i = 0; i < 2; i++)
        atomic_store(&toys[i]->endless, false);
    while (atomic_load(&toys[0]->engine.tid) != threads[0].tid ||
           atomic_load(&toys[1]->engine.tid) != threads[0].tid)
        sched_yield();
    ck_assert_uint_gt(decisions_count(decisions, BALANCE_MOVE_BACK) +
                          decisions_count(decisions, BALANCE_COMPACT),
                      0);
    for (uint32_t i = 0; i < 2; i++)
        drop(group, toys[i]);
    group_destroy(group);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/group");
    TCase *tests = tcase_create("group");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, items_are_handled, 0, MODES);
    tcase_add_test(tests, sleeper_wakes_by_doorbell);
    tcase_add_test(tests, sleeper_wakes_by_port);
    tcase_add_test(tests, sleeper_wakes_by_mailbox);
    tcase_add_test(tests, sleeper_wakes_by_deadline);
    tcase_add_loop_test(tests, one_that_streams_naps, 1, MODES); /* of those that sleep */
    tcase_add_loop_test(tests, others_do_not_nap, 1, MODES);
    tcase_add_test(tests, spinner_never_sleeps);
    tcase_add_loop_test(tests, busy_neighbour_does_not_starve, 0, 2);
    tcase_add_loop_test(tests, moving_engines_loses_nothing, 0, MODES);
    tcase_add_test(tests, saved_engine_goes_on_elsewhere);
    tcase_add_test(tests, membership_is_checked);
    tcase_add_test(tests, threads_are_registered);
    tcase_add_test(tests, configuration_is_checked);
    tcase_add_test(tests, threads_follow_the_cpus_given);
    tcase_add_test(tests, dedicated_threads_are_pinned_one_by_one);
    tcase_add_test(tests, spreading_threads_come_and_go);
    tcase_add_loop_test(tests, engines_come_and_go_together, 0, MODES);
    tcase_add_test(tests, engines_without_a_thread_are_all_refused);
    tcase_add_test(tests, kept_threads_wait_for_engines);
    tcase_add_loop_test(tests, kept_threads_serve_in_every_mode, 0, MODES);
    tcase_add_loop_test(tests, changes_lose_nothing, 0, MODES);
    tcase_add_loop_test(tests, impossible_changes_change_nothing, 0, MODES);
    tcase_add_test(tests, compacting_scales_out_and_comes_back);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
