/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define LOOKS 10000

START_TEST(machine_clock_is_the_monotonic_one)
{
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t now = clock_now(&clock_machine);
    clock_gettime(CLOCK_MONOTONIC, &after);
    uint64_t low = (uint64_t)before.tv_sec * NSEC_PER_SEC + (uint64_t)before.tv_nsec;
    uint64_t high = (uint64_t)after.tv_sec * NSEC_PER_SEC + (uint64_t)after.tv_nsec;
    ck_assert_uint_ge(now, low);
    ck_assert_uint_le(now, high);
}
END_TEST

START_TEST(machine_clock_never_goes_back)
{
    uint64_t last = 0;
    for (int i = 0; i < LOOKS; i++) {
        uint64_t now = clock_now(&clock_machine);
        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

static uint64_t modelled_now(void *arg)
{
    return *(uint64_t *)arg;
}

static void modelled_charge(void *arg, uint32_t cost_ns)
{
    *(uint64_t *)arg += cost_ns;
}

START_TEST(modelled_clock_advances_by_charge)
{
    uint64_t time = 5;
    struct clock clock = {.now = modelled_now, .charge = modelled_charge, .arg = &time};
    clock_charge(&clock, 37);
    ck_assert_uint_eq(clock_now(&clock), 42);
    /* A real clock takes no charge. */
    clock_charge(&clock_machine, 37);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/clock");
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, machine_clock_is_the_monotonic_one);
    tcase_add_test(tests, machine_clock_never_goes_back);
    tcase_add_test(tests, modelled_clock_advances_by_charge);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
