/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/group.h"
#include "sched/mode.h"

#include <check.h>
#include <stdlib.h>

START_TEST(modes_have_names)
{
    ck_assert_ptr_eq(group_mode_by_name("dedicated"), &group_mode_dedicated);
    ck_assert_ptr_eq(group_mode_by_name("spreading"), &group_mode_spreading);
    ck_assert_ptr_null(group_mode_by_name("doze"));
    ck_assert_ptr_null(group_mode_by_name(""));
    ck_assert_ptr_eq(group_mode_by_name("compacting"), &group_mode_compacting);
    ck_assert_str_eq(group_mode_name(&group_mode_spreading), "spreading");
}
END_TEST

START_TEST(engines_go_where_fewest_are)
{
    const uint32_t loads[] = {2, 1, 3, 1};
    ck_assert_uint_eq(group_mode_dedicated.place(loads, 4), 1);
    ck_assert_uint_eq(group_mode_spreading.place(loads, 1), 0);
    ck_assert_uint_eq(group_mode_compacting.place(loads, 4), 0);
}
END_TEST

static uint32_t threads(const struct group_mode *mode, uint32_t cpus, uint32_t threads,
                        uint32_t engines)
{
    struct group_config config = {.mode = mode, .threads = threads};
    for (uint32_t i = 0; i < cpus; i++)
        CPU_SET(i, &config.cpus);
    return mode->threads(&config, engines);
}

START_TEST(threads_are_as_many_as_the_mode_says)
{
    ck_assert_uint_eq(threads(&group_mode_dedicated, 0, 0, 5), 1);
    ck_assert_uint_eq(threads(&group_mode_dedicated, 3, 0, 0), 3);
    ck_assert_uint_eq(threads(&group_mode_dedicated, 3, 2, 9), 2);
    ck_assert_uint_eq(threads(&group_mode_spreading, 3, 2, 0), 0);
    ck_assert_uint_eq(threads(&group_mode_spreading, 3, 2, 9), 9);
    ck_assert_uint_eq(threads(&group_mode_compacting, 3, 0, 0), 1);
    ck_assert_uint_eq(threads(&group_mode_compacting, 3, 0, 2), 2);
    ck_assert_uint_eq(threads(&group_mode_compacting, 3, 0, 9), 3);
    ck_assert_uint_eq(threads(&group_mode_compacting, 3, 4, 9), 4);
    ck_assert_uint_eq(threads(&group_mode_compacting, 0, 0, 1), 1);
}
END_TEST

START_TEST(only_dedicated_threads_spin_for_ever)
{
    ck_assert_uint_eq(group_mode_dedicated.idle_ns, GROUP_NEVER);
    ck_assert_uint_eq(group_mode_spreading.idle_ns, 20 * NSEC_PER_USEC);
    ck_assert_uint_eq(group_mode_compacting.idle_ns, 20 * NSEC_PER_USEC);
    ck_assert(group_mode_dedicated.pins && !group_mode_spreading.pins);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/mode");
    TCase *tests = tcase_create("mode");
    tcase_add_test(tests, modes_have_names);
    tcase_add_test(tests, engines_go_where_fewest_are);
    tcase_add_test(tests, threads_are_as_many_as_the_mode_says);
    tcase_add_test(tests, only_dedicated_threads_spin_for_ever);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
