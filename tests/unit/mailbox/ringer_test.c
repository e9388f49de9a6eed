/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/ringer.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FULL  (UINT64_MAX - 1) /* the most that a counter takes before it has writers wait */
#define RINGS 1000u            /* far more than the kernel keeps answers */

static struct ringer ringer;

static void set_up(void)
{
    ck_assert_int_eq(ringer_init(&ringer), 0);
}

static void tear_down(void)
{
    ringer_fini(&ringer);
    ringer_fini(&ringer);
}

START_TEST(each_ring_counts)
{
    int bell = eventfd(0, EFD_CLOEXEC);
    eventfd_t count;

    for (uint32_t i = 0; i < RINGS; i++)
        ck_assert_int_eq(ringer_ring(&ringer, bell), 0);
    ck_assert_int_eq(eventfd_read(bell, &count), 0);
    ck_assert_uint_eq(count, RINGS);
    close(bell);
}
END_TEST

/* One whose owner would have us wait for ever. */
START_TEST(a_full_one_is_no_reason_to_wait)
{
    int bell = eventfd(0, EFD_CLOEXEC);

    ck_assert_int_eq(eventfd_write(bell, FULL), 0);
    ck_assert_int_eq(fcntl(bell, F_GETFL) & O_NONBLOCK, 0);
    for (uint32_t i = 0; i < RINGS; i++)
        ck_assert_int_eq(ringer_ring(&ringer, bell), 0);
    close(bell);
}
END_TEST

START_TEST(nothing_but_an_eventfd_is_rung)
{
    int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC), bell = eventfd(0, EFD_CLOEXEC);
    eventfd_t count;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(ringer_ring(&ringer, ends[1]), -EINVAL);
    ck_assert_int_eq(ringer_ring(&ringer, null), -EINVAL);
    ck_assert_int_eq(ringer_ring(&ringer, -1), -EBADF);
    ck_assert_int_eq(ringer_ring(&ringer, bell), 0);
    ck_assert_int_eq(eventfd_read(bell, &count), 0);
    ck_assert_uint_eq(count, 1);
    close(ends[0]);
    close(ends[1]);
    close(null);
    close(bell);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ringer");
    TCase *tcase = tcase_create("ringer");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_ring_counts);
    tcase_add_test(tcase, a_full_one_is_no_reason_to_wait);
    tcase_add_test(tcase, nothing_but_an_eventfd_is_rung);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
