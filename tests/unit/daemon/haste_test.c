/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/haste.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#define TID  77
#define NICE 3

/* A kernel that refuses some policies. */
static struct kernel {
    bool refuses_fifo, refuses_all;
    struct quanta_attr attr; /* of the thread */
    uint32_t calls;
} kernel;

static int self(void *arg)
{
    (void)arg;
    return TID;
}

static int nice_value(void *arg)
{
    (void)arg;
    return kernel.attr.nice;
}

static int set(void *arg, int tid, const struct quanta_attr *attr)
{
    (void)arg;
    ck_assert_int_eq(tid, TID);
    kernel.calls++;
    if (kernel.refuses_all || (kernel.refuses_fifo && attr->policy == SCHED_FIFO))
        return -EPERM;
    kernel.attr = *attr;
    return 0;
}

static const struct quanta_system rigged = {.self = self, .nice = nice_value, .set = set};
static struct haste haste;

static void setup(void)
{
    kernel = (struct kernel){.attr = {.policy = SCHED_OTHER, .nice = NICE}};
    haste = (struct haste){.hurries = false};
}

static void expect_as_before(void)
{
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    ck_assert_int_eq(kernel.attr.nice, NICE);
}

START_TEST(before_others_and_back)
{
    for (uint32_t round = 0; round < 2; round++) {
        haste_begin(&haste, &rigged);
        ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
        ck_assert_uint_gt(kernel.attr.priority, 1);
        haste_end(&haste, &rigged);
        expect_as_before();
    }
}
END_TEST

START_TEST(second_best)
{
    kernel.refuses_fifo = true;
    haste_begin(&haste, &rigged);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    ck_assert_int_eq(kernel.attr.nice, -20);
    haste_end(&haste, &rigged);
    expect_as_before();
}
END_TEST

START_TEST(refused)
{
    kernel.refuses_all = true;
    haste_begin(&haste, &rigged);
    kernel.refuses_all = false;
    kernel.calls = 0;
    haste_end(&haste, &rigged);
    ck_assert_uint_eq(kernel.calls, 0);
    expect_as_before();
}
END_TEST

/* What is done twice does not lose what was before. */
START_TEST(twice)
{
    haste_end(&haste, &rigged);
    ck_assert_uint_eq(kernel.calls, 0);
    kernel.refuses_fifo = true;
    haste_begin(&haste, &rigged);
    haste_begin(&haste, &rigged);
    ck_assert_int_eq(kernel.attr.nice, -20);
    haste_end(&haste, &rigged);
    expect_as_before();
    kernel.calls = 0;
    haste_end(&haste, &rigged);
    ck_assert_uint_eq(kernel.calls, 0);
}
END_TEST

/* If the kernel does not take it back, it is asked again. */
START_TEST(not_taken_back)
{
    haste_begin(&haste, &rigged);
    kernel.refuses_all = true;
    haste_end(&haste, &rigged);
    kernel.refuses_all = false;
    haste_end(&haste, &rigged);
    expect_as_before();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/haste");
    TCase *tests = tcase_create("haste");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, before_others_and_back);
    tcase_add_test(tests, second_best);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, twice);
    tcase_add_test(tests, not_taken_back);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
