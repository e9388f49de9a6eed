/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/pause.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel read the same register. */
static bool kernel_knows_waitpkg(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t bytes = 0;
    bool found = false;
    ck_assert_ptr_nonnull(file);
    while (!found && getline(&line, &bytes, file) > 0)
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " waitpkg");
    free(line);
    fclose(file);
    return found;
}

START_TEST(it_is_asked_for_what_the_processor_has)
{
    ck_assert_int_eq(pause_available(), kernel_knows_waitpkg());
    ck_assert_int_eq(pause_available(), kernel_knows_waitpkg());
}
END_TEST

START_TEST(it_comes_back)
{
    for (int i = 0; i < 1000; i++)
        pause_processor(i % 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/pause");
    TCase *tests = tcase_create("pause");
    tcase_add_test(tests, it_is_asked_for_what_the_processor_has);
    tcase_add_test(tests, it_comes_back);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
