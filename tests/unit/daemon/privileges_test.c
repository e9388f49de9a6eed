/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <check.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

START_TEST(test_settle)
{
    struct rlimit limit;
    ck_assert_int_eq(privileges_settle(false, false), 0);
    ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, limit.rlim_max);
    /* Of what it may have had, two are left at most. */
    capng_get_caps_process();
    for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
        if (capability != CAP_IPC_LOCK && capability != CAP_SYS_NICE)
            ck_assert(!capng_have_capability(CAPNG_PERMITTED, capability));
    }
    /* It can be done again. */
    ck_assert_int_eq(privileges_settle(false, false), 0);
    /* The leak sanitizer has to trace the process as it ends. */
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}
END_TEST

START_TEST(test_debuggable)
{
    ck_assert_int_eq(privileges_settle(true, true), 0);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/privileges");
    TCase *tcase = tcase_create("privileges");
    tcase_add_test(tcase, test_settle);
    tcase_add_test(tcase, test_debuggable);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
