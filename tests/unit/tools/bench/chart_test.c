/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tools/bench/figure.h"
#include "tools/bench/chart.h"

static void write_chart(const struct chart_panel *panels, uint32_t count)
{
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(chart_write(out, "Rates & sizes", panels, count), 0);
    fclose(out);
    expect_well_formed();
    ck_assert_uint_eq(count_of("nan"), 0);
    ck_assert_uint_eq(count_of("inf"), 0);
}

static const struct chart_point small[] = {{8, 2e6, 1e6, 3e6}, {4096, 2e5, 2e5, 2e5}};
static const struct chart_point large[] = {{8, 1e6, 1e6, 1e6}, {16777216, 100, 80, 120}};
static const struct chart_line lines[] = {{"window <1>", small, 2}, {"window 4", large, 2}};

START_TEST(lines_and_axes)
{
    const struct chart_panel panels[] = {{"By size", "bytes", true, lines, 2},
                                         {"By number", "number", false, lines, 1}};
    write_chart(panels, 2);
    ck_assert_uint_eq(count_of("class=\"panel\""), 2);
    ck_assert_uint_eq(count_of("<polyline "), 3);
    ck_assert_uint_eq(count_of("class=\"spread\""), 6);
    ck_assert_uint_eq(count_of("window &lt;1&gt;"), 2);
    /* Where points are: sizes have units of 1024, numbers of 1000. */
    ck_assert_uint_eq(count_of(">8 B<"), 1);
    ck_assert_uint_eq(count_of(">4 KiB<"), 1);
    ck_assert_uint_eq(count_of(">16 MiB<"), 1);
    ck_assert_uint_eq(count_of(">4.096 k<"), 1);
    /* From 10 to 10 M, and from 100 k to 10 M. */
    ck_assert_uint_eq(count_of(">10<"), 1);
    ck_assert_uint_eq(count_of(">10 M<"), 2);
    ck_assert_uint_eq(count_of(">100 k<"), 2);
    free(text);
}
END_TEST

/* Higher is further up, and more is further to the right: 8 B begins the axis, 16 MiB ends it. */
START_TEST(points_are_where_they_belong)
{
    const struct chart_point points[] = {{8, 10, 10, 10}, {16777216, 1000, 1000, 1000}};
    const struct chart_line line = {"one", points, 2};
    const struct chart_panel panel = {"By size", "bytes", true, &line, 1};
    double x[2], y[2];
    write_chart(&panel, 1);
    const char *at = strstr(text, "points=\"");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "points=\"%lf,%lf %lf,%lf", &x[0], &y[0], &x[1], &y[1]), 4);
    ck_assert_double_lt(x[0], x[1]);
    ck_assert_double_gt(y[0], y[1]);
    free(text);
}
END_TEST

/* Nothing at all, points without a figure, one point, and points of one height. */
START_TEST(little_to_draw)
{
    const struct chart_point none[] = {{8, 0, 0, 0}, {64, 0, 0, 0}};
    const struct chart_point flat[] = {{8, 100, 100, 100}, {64, 100, 100, 100}};
    const struct chart_line of_none = {"none", none, 2}, of_one = {"one", flat, 1},
                            of_flat = {"flat", flat, 2};
    const struct chart_line *const drawn[] = {&of_none, &of_one, &of_flat};
    const struct chart_panel empty = {"Empty", "bytes", true, NULL, 0};
    write_chart(NULL, 0);
    free(text);
    write_chart(&empty, 1);
    free(text);
    for (size_t i = 0; i < sizeof(drawn) / sizeof(drawn[0]); i++) {
        const struct chart_panel panel = {"Little", "bytes", true, drawn[i], 1};
        write_chart(&panel, 1);
        ck_assert_uint_eq(count_of("class=\"spread\""), i);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/chart");
    TCase *tests = tcase_create("chart");
    tcase_add_test(tests, lines_and_axes);
    tcase_add_test(tests, points_are_where_they_belong);
    tcase_add_test(tests, little_to_draw);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
