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
    ck_assert_str_eq(group_mode_name(&group_mode_spreading), "spreading");
}
END_TEST

START_TEST(engines_go_where_fewest_are)
{
    const uint32_t loads[] = {2, 1, 3, 1};
    ck_assert_uint_eq(group_mode_dedicated.place(loads, 4), 1);
    ck_assert_uint_eq(group_mode_spreading.place(loads, 1), 0);
}
END_TEST

START_TEST(only_sleepers_rest)
{
    ck_assert(!group_mode_dedicated.rests(UINT64_MAX, 0));
    ck_assert(!group_mode_spreading.rests(999, 1000));
    ck_assert(group_mode_spreading.rests(1000, 1000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/mode");
    TCase *tests = tcase_create("mode");
    tcase_add_test(tests, modes_have_names);
    tcase_add_test(tests, engines_go_where_fewest_are);
    tcase_add_test(tests, only_sleepers_rest);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
