/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/progress.h"
#include "sched/group.h"

#include <check.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>

/* Blocks in its run when told to, until it is let go. */
struct blocker {
    struct engine engine;
    _Atomic bool block;
    _Atomic bool sleepless;
    sem_t inside;
    sem_t let_go;
};

static uint32_t blocker_run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    struct blocker *blocker = (struct blocker *)engine;
    (void)now;
    (void)budget_ns;
    if (blocker->block) {
        sem_post(&blocker->inside);
        sem_wait(&blocker->let_go);
    }
    return blocker->sleepless;
}

static uint64_t blocker_arm(struct engine *engine, uint64_t now)
{
    (void)engine;
    (void)now;
    return ENGINE_NEVER;
}

static void blocker_disarm(struct engine *engine)
{
    (void)engine;
}

static const struct engine_ops blocker_ops = {
    .kind = "blocker", .run = blocker_run, .arm = blocker_arm, .disarm = blocker_disarm};

static struct blocker blocker;
static struct engine *const engines[] = {&blocker.engine};
static struct group *group;
static struct progress progress;
static const struct engine *stuck;

static bool look(void)
{
    stuck = NULL;
    return progress_check(&progress, engines, 1, &stuck);
}

static void start(bool sleepless)
{
    const struct group_config config = {.name = "test",
                                        .mode = &group_mode_spreading,
                                        .threads = 1};

    blocker.sleepless = sleepless;
    sem_init(&blocker.inside, 0, 0);
    sem_init(&blocker.let_go, 0, 0);
    ck_assert_int_eq(engine_init(&blocker.engine, &blocker_ops, "alpha", &clock_machine), 0);
    ck_assert_int_eq(group_create(&group, &config), 0);
    ck_assert_int_eq(group_add(group, &blocker.engine), 0);
}

static void stop(void)
{
    ck_assert_int_eq(group_remove(group, &blocker.engine), 0);
    group_destroy(group);
    engine_fini(&blocker.engine);
}

static void await_more(const _Atomic uint64_t *count)
{
    for (uint64_t before = *count; *count == before;)
        poll(NULL, 0, 1);
}

START_TEST(test_blocked)
{
    start(true);
    ck_assert(look());
    await_more(&blocker.engine.runs);
    ck_assert(look());
    blocker.block = true;
    sem_wait(&blocker.inside);
    look();
    ck_assert(!look());
    ck_assert_ptr_eq(stuck, &blocker.engine);
    ck_assert(!look());
    blocker.block = false;
    sem_post(&blocker.let_go);
    await_more(&blocker.engine.runs);
    ck_assert(look());
    ck_assert_ptr_null(stuck);
    stop();
}
END_TEST

START_TEST(test_asleep)
{
    start(false);
    while (blocker.engine.rests % 2 == 0)
        poll(NULL, 0, 1);
    for (int i = 0; i < 3; i++)
        ck_assert(look());
    stop();
    ck_assert_uint_eq(blocker.engine.rests % 2, 0);
}
END_TEST

/* An engine in the place of another is not blamed for it. */
START_TEST(test_new_engine)
{
    struct engine one = {.runs = 5};
    struct engine other = {.runs = 5};
    struct engine *const first[] = {&one};
    struct engine *const second[] = {&other, &one};

    ck_assert(progress_check(&progress, first, 1, &stuck));
    one.rests = 2;
    ck_assert(progress_check(&progress, second, 2, &stuck));
    one.runs++;
    ck_assert(!progress_check(&progress, second, 2, &stuck));
    ck_assert_ptr_eq(stuck, &other);
    ck_assert(progress_check(&progress, first, 0, &stuck));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/progress");
    TCase *tcase = tcase_create("progress");
    tcase_add_test(tcase, test_blocked);
    tcase_add_test(tcase, test_asleep);
    tcase_add_test(tcase, test_new_engine);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
