/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/stats.h"

#include <check.h>
#include <stdlib.h>

#define MANY 2000u
#define NEAR 1e-9

/* 1 to `count` microseconds, in an order of its own. */
static void fill(uint64_t *samples, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        samples[i] = 1000ull * (1 + (i * 7919ull) % count);
}

START_TEST(quantiles_are_samples)
{
    static uint64_t samples[MANY];
    fill(samples, MANY);
    struct quantiles q = quantiles_of(samples, MANY);
    ck_assert_double_eq_tol(q.p50, 1000, NEAR);
    ck_assert_double_eq_tol(q.p99, 1980, NEAR);
    ck_assert_double_eq_tol(q.p999, 1998, NEAR);
    ck_assert_double_eq_tol(q.max, 2000, NEAR);
}
END_TEST

/* With fewer samples than a quantile needs, it is the worst of them: never better than what was
 * seen. */
START_TEST(few_samples_have_no_better_tail)
{
    uint64_t samples[] = {9000, 1000, 5000};
    struct quantiles q = quantiles_of(samples, 3);
    ck_assert_double_eq_tol(q.p50, 5, NEAR);
    ck_assert_double_eq_tol(q.p99, 9, NEAR);
    ck_assert_double_eq_tol(q.p999, 9, NEAR);
    q = quantiles_of(samples, 1);
    ck_assert_double_eq_tol(q.p50, 1, NEAR);
    ck_assert_double_eq_tol(q.max, 1, NEAR);
}
END_TEST

/* One outlier among a thousand is the maximum alone, two are the p99.9 too. */
START_TEST(outliers_show_where_they_are)
{
    static uint64_t samples[1000];
    for (uint32_t i = 0; i < 1000; i++)
        samples[i] = 2000;
    samples[3] = 9000000;
    struct quantiles q = quantiles_of(samples, 1000);
    ck_assert_double_eq_tol(q.p999, 2, NEAR);
    ck_assert_double_eq_tol(q.max, 9000, NEAR);
    samples[0] = 8000000;
    q = quantiles_of(samples, 1000);
    ck_assert_double_eq_tol(q.p99, 2, NEAR);
    ck_assert_double_eq_tol(q.p999, 8000, NEAR);
}
END_TEST

START_TEST(spread_has_a_middle)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 2, 100};
    struct spread s = spread_of(odd, 3);
    ck_assert_double_eq_tol(s.median, 2, NEAR);
    ck_assert_double_eq_tol(s.min, 1, NEAR);
    ck_assert_double_eq_tol(s.max, 3, NEAR);
    s = spread_of(even, 4);
    ck_assert_double_eq_tol(s.median, 3, NEAR);
    ck_assert_double_eq_tol(s.max, 100, NEAR);
}
END_TEST

START_TEST(nothing_is_zero)
{
    struct quantiles q = quantiles_of(NULL, 0);
    struct spread s = spread_of(NULL, 0);
    ck_assert_double_eq(q.p50, 0);
    ck_assert_double_eq(q.max, 0);
    ck_assert_double_eq(s.median, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/stats");
    TCase *tests = tcase_create("stats");
    tcase_add_test(tests, quantiles_are_samples);
    tcase_add_test(tests, few_samples_have_no_better_tail);
    tcase_add_test(tests, outliers_show_where_they_are);
    tcase_add_test(tests, spread_has_a_middle);
    tcase_add_test(tests, nothing_is_zero);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
