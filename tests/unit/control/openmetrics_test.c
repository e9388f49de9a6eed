/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/openmetrics.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct openmetrics metrics;

static void write_some(enum openmetrics_format format)
{
    openmetrics_init(&metrics, format);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "saddle_up", .help = "Up."});
    openmetrics_count(&metrics, 1, NULL);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "saddle_busy_seconds",
                                                              .type = OPENMETRICS_COUNTER,
                                                              .unit = "seconds",
                                                              .help = "Busy."});
    openmetrics_time(&metrics, 1000000001, "engine", "alpha", NULL);
    openmetrics_time(&metrics, UINT64_MAX, "engine", "beta", "group", "main", NULL);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "saddle_build",
                                                              .type = OPENMETRICS_INFO,
                                                              .help = "Build."});
    openmetrics_count(&metrics, 1, "version", "0.1.0", NULL);
}

static void expect_text(const char *wanted)
{
    size_t length;
    const char *text = openmetrics_end(&metrics, &length);

    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(length, strlen(wanted));
    ck_assert_str_eq(text, wanted); /* some hand it on as a string */
    openmetrics_fini(&metrics);
}

START_TEST(both_formats)
{
    write_some(OPENMETRICS_1_0);
    expect_text("# HELP saddle_up Up.\n"
                "# TYPE saddle_up gauge\n"
                "saddle_up 1\n"
                "# HELP saddle_busy_seconds Busy.\n"
                "# TYPE saddle_busy_seconds counter\n"
                "# UNIT saddle_busy_seconds seconds\n"
                "saddle_busy_seconds_total{engine=\"alpha\"} 1.000000001\n"
                "saddle_busy_seconds_total{engine=\"beta\",group=\"main\"} 18446744073.709551615\n"
                "# HELP saddle_build Build.\n"
                "# TYPE saddle_build info\n"
                "saddle_build_info{version=\"0.1.0\"} 1\n"
                "# EOF\n");
    write_some(OPENMETRICS_0_0_4);
    expect_text("# HELP saddle_up Up.\n"
                "# TYPE saddle_up gauge\n"
                "saddle_up 1\n"
                "# HELP saddle_busy_seconds_total Busy.\n"
                "# TYPE saddle_busy_seconds_total counter\n"
                "saddle_busy_seconds_total{engine=\"alpha\"} 1.000000001\n"
                "saddle_busy_seconds_total{engine=\"beta\",group=\"main\"} 18446744073.709551615\n"
                "# HELP saddle_build_info Build.\n"
                "# TYPE saddle_build_info gauge\n"
                "saddle_build_info{version=\"0.1.0\"} 1\n");
}
END_TEST

START_TEST(a_histogram)
{
    static const struct openmetrics_bucket buckets[] = {{1024, 2}, {2000000000, 5}};

    openmetrics_init(&metrics, OPENMETRICS_1_0);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "wait_seconds",
                                                              .type = OPENMETRICS_HISTOGRAM,
                                                              .unit = "seconds",
                                                              .help = "Wait."});
    openmetrics_histogram(&metrics, buckets, 2, 6, 7000000001, "engine", "alpha", NULL);
    openmetrics_histogram(&metrics, buckets, 1, 2, 0, NULL);
    expect_text("# HELP wait_seconds Wait.\n"
                "# TYPE wait_seconds histogram\n"
                "# UNIT wait_seconds seconds\n"
                "wait_seconds_bucket{engine=\"alpha\",le=\"0.000001024\"} 2\n"
                "wait_seconds_bucket{engine=\"alpha\",le=\"2.000000000\"} 5\n"
                "wait_seconds_bucket{engine=\"alpha\",le=\"+Inf\"} 6\n"
                "wait_seconds_count{engine=\"alpha\"} 6\n"
                "wait_seconds_sum{engine=\"alpha\"} 7.000000001\n"
                "wait_seconds_bucket{le=\"0.000001024\"} 2\n"
                "wait_seconds_bucket{le=\"+Inf\"} 2\n"
                "wait_seconds_count 2\n"
                "wait_seconds_sum 0.000000000\n"
                "# EOF\n");
}
END_TEST

/* Whatever a value holds, it stays one value of one line. */
START_TEST(labels_are_escaped)
{
    openmetrics_init(&metrics, OPENMETRICS_1_0);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "m", .help = "M."});
    openmetrics_count(&metrics, UINT64_MAX, "a", "\"} 1\n# EOF\\\r\x7f\xff", "b", "", NULL);
    expect_text("# HELP m M.\n"
                "# TYPE m gauge\n"
                "m{a=\"\\\"} 1\\n# EOF\\\\???\",b=\"\"} 18446744073709551615\n"
                "# EOF\n");
}
END_TEST

START_TEST(names_are_names)
{
    openmetrics_init(&metrics, OPENMETRICS_1_0);
    openmetrics_family(&metrics, &(struct openmetrics_family){.prefix = "saddle_port_",
                                                              .name = "rx-good packets\n",
                                                              .type = OPENMETRICS_COUNTER,
                                                              .help = "M."});
    openmetrics_count(&metrics, 0, NULL);
    expect_text("# HELP saddle_port_rx_good_packets_ M.\n"
                "# TYPE saddle_port_rx_good_packets_ counter\n"
                "saddle_port_rx_good_packets__total 0\n"
                "# EOF\n");
}
END_TEST

START_TEST(what_is_too_long_is_given_up)
{
    char name[OPENMETRICS_NAME_BYTES + 1];
    size_t length;

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    openmetrics_init(&metrics, OPENMETRICS_1_0);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = name, .help = "M."});
    ck_assert_ptr_null(openmetrics_end(&metrics, &length));
    openmetrics_fini(&metrics);
    openmetrics_init(&metrics, OPENMETRICS_1_0);
    openmetrics_family(&metrics, &(struct openmetrics_family){.name = "m", .help = "M."});
    for (size_t i = 0; i * sizeof(name) < OPENMETRICS_BYTES_MAX; i++)
        openmetrics_count(&metrics, i, "label", name, NULL);
    ck_assert_ptr_null(openmetrics_end(&metrics, &length));
    ck_assert_uint_le(length, OPENMETRICS_BYTES_MAX);
    openmetrics_fini(&metrics);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/openmetrics");
    TCase *tcase = tcase_create("openmetrics");
    tcase_add_test(tcase, both_formats);
    tcase_add_test(tcase, a_histogram);
    tcase_add_test(tcase, labels_are_escaped);
    tcase_add_test(tcase, names_are_names);
    tcase_add_test(tcase, what_is_too_long_is_given_up);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
