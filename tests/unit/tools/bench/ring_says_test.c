/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_says.h"

#include <check.h>
#include <stdlib.h>

static const struct ring_case trips = {.work = RING_TRIPS, .bytes = 64};
static const struct ring_case messages = {.work = RING_MESSAGES, .bytes = 64};
static const struct ring_case large = {.work = RING_MESSAGES, .bytes = 65536};
static struct ring_result result;

#define UCX_HEAD                                                                                   \
    "iterations,50.0_percentile_lat,avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr\n"

START_TEST(what_ucx_says)
{
    static const char *const wrong[] = {"",
                                        "iterations,50.0_percentile_lat,avg_lat,overall_mr",
                                        UCX_HEAD,
                                        UCX_HEAD "20000\n",
                                        UCX_HEAD "20000,x,1,1,1,1,1,x\n",
                                        UCX_HEAD "20000,0,1,1,1,1,1,0\n",
                                        UCX_HEAD "20000,-1,1,1,1,1,1,-1\n",
                                        UCX_HEAD "20000,nan,1,1,1,1,1,1x\n"};
    ck_assert(
        ring_says_ucx(UCX_HEAD "20000,0.606,14.1,14.1,4.31,4.31,70000,71000\n", &trips, &result));
    ck_assert_double_eq_tol(result.values[RING_P50], 1.212, 1e-9);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_msg(!ring_says_ucx(wrong[i], &trips, &result), "%s", wrong[i]);
        ck_assert_msg(!ring_says_ucx(wrong[i], &messages, &result), "%s", wrong[i]);
    }
}
END_TEST

/* Its last column; both of its processes spin. */
START_TEST(what_ucx_says_of_rates)
{
    ck_assert(
        ring_says_ucx(UCX_HEAD "20000,0.606,14.1,14.1,4.31,4.31,70000,25000", &messages, &result));
    ck_assert_double_eq_tol(result.values[RING_PER_S], 25000, 1e-9);
    ck_assert(ring_says_ucx("a warning\n" UCX_HEAD "20000,1,1,1,1,1,1,25000\n", &large, &result));
    ck_assert_double_eq_tol(result.values[RING_GBPS], 13.1072, 1e-9);
    ck_assert_double_eq_tol(result.values[RING_PER_CORE], 6.5536, 1e-9);
}
END_TEST

#define PINGPONG_HEAD                                                                              \
    "bytes   #sent   #ack     total       time     MB/sec    usec/xfer   Mxfers/sec\n"

START_TEST(what_pingpong_says)
{
    static const char *const wrong[] = {
        "",
        "usec/xfer",
        PINGPONG_HEAD,
        PINGPONG_HEAD "\n",
        PINGPONG_HEAD "64      1k      =1k      125k        0.01s     17.66\n",
        PINGPONG_HEAD
        "64      1k      =1k      125k        0.01s     17.66       fast       0.28\n",
        PINGPONG_HEAD
        "64      1k      =1k      125k        0.01s     17.66       3.62x      0.28\n",
        PINGPONG_HEAD
        "64      1k      =1k      125k        0.01s     17.66       0.00       0.28\n",
        PINGPONG_HEAD
        "64      1k      =1k      125k        0.01s     17.66      -3.62       0.28\n",
        PINGPONG_HEAD
        "64      1k      =1k      125k        0.01s     17.66        nan       0.28\n",
    };
    ck_assert(ring_says_pingpong(PINGPONG_HEAD "64      1k      =1k      125k        0.01s     "
                                               "17.66       3.62       0.28\n",
                                 &trips, &result));
    ck_assert_double_eq_tol(result.values[RING_MEAN], 7.24, 1e-9);
    /* Among other lines; columns are known by their titles, and the last one has an end, too. */
    ck_assert(ring_says_pingpong("a warning\n bytes usec/xfer\n 64\t0.25\nmore 1 2 3\n", &trips,
                                 &result));
    ck_assert_double_eq_tol(result.values[RING_MEAN], 0.5, 1e-9);
    ck_assert(ring_says_pingpong("usec/xfer bytes\n0.5", &trips, &result));
    ck_assert_double_eq_tol(result.values[RING_MEAN], 1, 1e-9);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(!ring_says_pingpong(wrong[i], &trips, &result), "%s", wrong[i]);
}
END_TEST

/* One after the other, each in the time of one way. */
START_TEST(what_pingpong_says_of_large_messages)
{
    ck_assert(ring_says_pingpong("bytes usec/xfer\n65536 40.00\n", &large, &result));
    ck_assert_double_eq_tol(result.values[RING_PER_S], 25000, 1e-9);
    ck_assert_double_eq_tol(result.values[RING_GBPS], 13.1072, 1e-9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/ring_says");
    TCase *tests = tcase_create("ring_says");
    tcase_add_test(tests, what_ucx_says);
    tcase_add_test(tests, what_ucx_says_of_rates);
    tcase_add_test(tests, what_pingpong_says);
    tcase_add_test(tests, what_pingpong_says_of_large_messages);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
