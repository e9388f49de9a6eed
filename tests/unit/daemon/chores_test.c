/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/chores.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MANY 65

static struct chores *chores;
static int done[MANY];

static void set_up(void)
{
    ck_assert_int_eq(chores_create(&chores), 0);
    for (int i = 0; i < MANY; i++)
        done[i] = 0;
}

static void tear_down(void)
{
    chores_destroy(chores);
    chores_destroy(NULL);
}

static bool is_due(void)
{
    struct pollfd one = {.fd = chores_fd(chores), .events = POLLIN};

    return poll(&one, 1, 0) == 1;
}

/* Once for each time that it was told. */
static void count(void *context)
{
    int *fd = context;
    uint64_t number;

    ck_assert_int_eq(read(*fd, &number, sizeof(number)), sizeof(number));
    done[0]++;
}

START_TEST(what_is_due_is_done)
{
    int first = eventfd(0, EFD_CLOEXEC), second = eventfd(0, EFD_CLOEXEC);

    ck_assert_int_eq(chores_add(chores, first, count, &first), 0);
    ck_assert_int_eq(chores_add(chores, second, count, &second), 0);
    ck_assert(!is_due());
    chores_work(chores);
    ck_assert_int_eq(done[0], 0);
    eventfd_write(first, 1);
    eventfd_write(second, 1);
    ck_assert(is_due());
    chores_work(chores);
    ck_assert_int_eq(done[0], 2);
    ck_assert(!is_due());
    chores_remove(chores, first);
    chores_remove(chores, first);
    chores_remove(chores, -1);
    eventfd_write(first, 1);
    ck_assert(!is_due());
    eventfd_write(second, 1);
    chores_work(chores);
    ck_assert_int_eq(done[0], 3);
    close(first);
    close(second);
}
END_TEST

static int pair[2];

static void end_both(void *context)
{
    (void)context;
    done[0]++;
    chores_remove(chores, pair[0]);
    chores_remove(chores, pair[1]);
}

START_TEST(one_may_end_another)
{
    for (int i = 0; i < 2; i++) {
        pair[i] = eventfd(1, EFD_CLOEXEC);
        ck_assert_int_eq(chores_add(chores, pair[i], end_both, NULL), 0);
    }
    chores_work(chores);
    ck_assert_int_eq(done[0], 1);
    ck_assert(!is_due());
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(there_may_be_so_many)
{
    int fds[MANY], one = eventfd(0, EFD_CLOEXEC);

    for (int i = 0; i < MANY; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_eq(chores_add(chores, fds[i], count, &fds[i]), 0);
    }
    ck_assert_int_eq(chores_add(chores, one, count, &one), -ENOSPC);
    chores_remove(chores, fds[3]);
    ck_assert_int_eq(chores_add(chores, one, count, &one), 0);
    for (int i = 0; i < MANY; i++)
        eventfd_write(fds[i], 1);
    chores_work(chores);
    ck_assert_int_eq(done[0], MANY - 1);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close(one);
}
END_TEST

START_TEST(what_cannot_be_watched)
{
    ck_assert_int_eq(chores_add(chores, 1 << 20, count, NULL), -EBADF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chores");
    TCase *tcase = tcase_create("chores");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_due_is_done);
    tcase_add_test(tcase, one_may_end_another);
    tcase_add_test(tcase, there_may_be_so_many);
    tcase_add_test(tcase, what_cannot_be_watched);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
