/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/engine.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

START_TEST(names_are_checked)
{
    struct engine engine;
    char name[ENGINE_NAME_BYTES + 1];
    memset(name, 'x', sizeof(name));
    name[ENGINE_NAME_BYTES] = '\0';
    ck_assert_int_eq(engine_init(&engine, NULL, "", &clock_machine), -EINVAL);
    ck_assert_int_eq(engine_init(&engine, NULL, name, &clock_machine), -EINVAL);
    name[ENGINE_NAME_BYTES - 1] = '\0';
    ck_assert_int_eq(engine_init(&engine, NULL, name, &clock_machine), 0);
    ck_assert_str_eq(engine.name, name);
    engine_fini(&engine);
}
END_TEST

START_TEST(queueing_delay_counts_from_the_last_empty_look)
{
    struct engine engine;
    ck_assert_int_eq(engine_init(&engine, NULL, "e", &clock_machine), 0);
    engine_mark_drained(&engine, 1000);
    ck_assert_uint_eq(engine_delay(&engine, 1000), 0);
    ck_assert_uint_eq(engine_delay(&engine, 1700), 700);
    ck_assert_uint_eq(engine_delay(&engine, 400), 0);
    engine_fini(&engine);
}
END_TEST

START_TEST(watched_descriptors_wake)
{
    struct engine engine;
    ck_assert_int_eq(engine_init(&engine, NULL, "e", &clock_machine), 0);
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event;
    ck_assert_int_eq(engine_watch(&engine, bell), 0);
    ck_assert_int_eq(engine_watch(&engine, bell), -EEXIST);
    ck_assert_int_eq(engine_watch(&engine, -1), -EBADF);
    ck_assert_int_eq(epoll_wait(engine.epoll_fd, &event, 1, 0), 0);
    /* Every ring is an edge, though nobody reads the bell. */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(eventfd_write(bell, 1), 0);
        ck_assert_int_eq(epoll_wait(engine.epoll_fd, &event, 1, 0), 1);
        ck_assert_int_eq(epoll_wait(engine.epoll_fd, &event, 1, 0), 0);
    }
    engine_unwatch(&engine, bell);
    engine_unwatch(&engine, bell);
    ck_assert_int_eq(eventfd_write(bell, 1), 0);
    ck_assert_int_eq(epoll_wait(engine.epoll_fd, &event, 1, 0), 0);
    close(bell);
    engine_fini(&engine);
}
END_TEST

START_TEST(stats_have_names)
{
    struct toy *toy = toy_create("toy");
    struct engine_stat stat;
    ck_assert_uint_eq(toy->engine.ops->stats(&toy->engine, &stat, 1), 1);
    ck_assert_str_eq(stat.name, "handled");
    toy->engine.ops->destroy(&toy->engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/engine");
    TCase *tests = tcase_create("engine");
    tcase_add_test(tests, names_are_checked);
    tcase_add_test(tests, queueing_delay_counts_from_the_last_empty_look);
    tcase_add_test(tests, watched_descriptors_wake);
    tcase_add_test(tests, stats_have_names);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
