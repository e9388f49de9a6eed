/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/histogram.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct histogram histogram;
static struct histogram_view view;

static void setup(void)
{
    memset(&histogram, 0, sizeof(histogram));
}

START_TEST(buckets_are_an_eighth_wide_at_most)
{
    uint64_t before = 0;

    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t end = histogram_bucket_end(i);

        ck_assert_uint_eq(histogram_bucket(end), i);
        ck_assert_uint_eq(histogram_bucket(before + 1), i);
        if (i >= HISTOGRAM_PARTS)
            ck_assert_uint_le(8 * (end - before), end);
        before = end;
    }
    ck_assert_uint_eq(before, 1ull << HISTOGRAM_TOP_BITS);
    ck_assert_uint_eq(histogram_bucket(0), 0);
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(an_empty_one)
{
    histogram_read(&histogram, &view);
    ck_assert_uint_eq(view.count, 0);
    ck_assert_uint_eq(histogram_quantile(&view, 0.99), 0);
    ck_assert_uint_eq(histogram_at_most(&view, UINT64_MAX), 0);
}
END_TEST

START_TEST(quantiles)
{
    static const double shares[] = {0.001, 0.5, 0.99, 0.999, 1};

    for (uint64_t i = 1; i <= 100000; i++)
        histogram_record(&histogram, i);
    histogram_read(&histogram, &view);
    ck_assert_uint_eq(view.count, 100000);
    ck_assert_uint_eq(view.max_ns, 100000);
    ck_assert_uint_eq(view.sum_ns, 100000ull * 100001 / 2);
    for (uint32_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        uint64_t exact = (uint64_t)(shares[i] * 100000);
        uint64_t told = histogram_quantile(&view, shares[i]);

        ck_assert_uint_ge(told, exact);
        ck_assert_uint_le(told, exact + exact / 7);
    }
    ck_assert_uint_eq(histogram_quantile(&view, 1), 100000);
    ck_assert_uint_eq(histogram_quantile(&view, 0), 1);
    /* Exact at powers of two. */
    ck_assert_uint_eq(histogram_at_most(&view, 8), 8);
    ck_assert_uint_eq(histogram_at_most(&view, 1024), 1024);
    ck_assert_uint_eq(histogram_at_most(&view, 65536), 65536);
}
END_TEST

START_TEST(what_is_too_long_counts)
{
    histogram_record(&histogram, UINT64_MAX / 2);
    histogram_read(&histogram, &view);
    ck_assert_uint_eq(histogram_quantile(&view, 0.5), UINT64_MAX / 2);
    ck_assert_uint_eq(histogram_at_most(&view, 1ull << 30), 0);
}
END_TEST

START_TEST(merged)
{
    struct histogram other;
    struct histogram_view sum;

    memset(&other, 0, sizeof(other));
    histogram_record(&histogram, 100);
    histogram_record(&other, 5000);
    histogram_record(&other, 0);
    histogram_read(&histogram, &sum);
    histogram_read(&other, &view);
    histogram_merge(&sum, &view);
    ck_assert_uint_eq(sum.count, 3);
    ck_assert_uint_eq(sum.sum_ns, 5100);
    ck_assert_uint_eq(sum.max_ns, 5000);
    ck_assert_uint_eq(histogram_quantile(&sum, 0.3), 1);
    ck_assert_uint_eq(histogram_quantile(&sum, 1), 5000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/histogram");
    TCase *tcase = tcase_create("histogram");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, buckets_are_an_eighth_wide_at_most);
    tcase_add_test(tcase, an_empty_one);
    tcase_add_test(tcase, quantiles);
    tcase_add_test(tcase, what_is_too_long_counts);
    tcase_add_test(tcase, merged);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
