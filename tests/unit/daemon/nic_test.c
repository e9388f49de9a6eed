/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/nic.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

START_TEST(refuses)
{
    struct nic nic;

    ck_assert_int_eq(nic_read(&nic, NULL), -EINVAL);
    ck_assert_int_eq(nic_read(&nic, ""), -EINVAL);
    ck_assert_int_eq(nic_read(&nic, "sixteen letters."), -EINVAL);
    ck_assert_int_eq(nic_read(&nic, "no-such-nic"), -ENODEV);
    ck_assert_int_eq(nic_read(&nic, "lo"), -ENOTSUP); /* not Ethernet */
}
END_TEST

/* Every machine has this interface, with these offloads. */
START_TEST(offloads)
{
    const struct nic lo = {.name = "lo"};
    const struct nic none = {.name = "no-such-nic"};

    ck_assert_int_eq(nic_offload(&lo, "loopback"), 1);
    ck_assert_int_eq(nic_offload(&lo, "rx-lro"), 0);
    ck_assert_int_eq(nic_offload(&lo, "no-such-offload"), 0);
    ck_assert_int_eq(nic_offload(&none, "rx-lro"), -ENODEV);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nic");
    TCase *tcase = tcase_create("nic");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, refuses);
    tcase_add_test(tcase, offloads);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
