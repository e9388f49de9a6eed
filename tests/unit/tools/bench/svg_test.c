/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tools/bench/figure.h"
#include "tools/bench/svg.h"

static void write_figure(const char *title, const struct svg_row *rows, uint32_t count)
{
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(svg_write(out, title, rows, count), 0);
    fclose(out);
}

static const struct svg_row rows[] = {
    {"Idle", "ordinary", NULL, 5, 20, 40, 30, 90},
    {"Idle", "nice", NULL, 4, 10, 20, 10, 30},
    {"Busy", "ordinary", NULL, 70, 113, 7884, 5000, 12000},
    {"Busy", "deadline", "not to be had", 0, 0, 0, 0, 0},
};

START_TEST(figure_is_well_formed)
{
    write_figure("Delays", rows, 4);
    expect_well_formed();
    ck_assert_uint_eq(count_of("class=\"panel\""), 2);
    ck_assert_uint_eq(count_of("class=\"label\""), 4);
    ck_assert_uint_eq(count_of("class=\"note\""), 1);
    ck_assert_uint_eq(count_of("<rect "), 3);
    /* From 1 us to 100 ms, in both panels. */
    ck_assert_uint_eq(count_of(">1 us<"), 2);
    ck_assert_uint_eq(count_of(">100 ms<"), 2);
    ck_assert_uint_eq(count_of(">1 s<"), 0);
    free(text);
}
END_TEST

START_TEST(words_are_escaped)
{
    const struct svg_row row = {"a<b", "\"c\" & d\x01>", NULL, 1, 2, 3, 3, 3};
    write_figure("</svg>", &row, 1);
    expect_well_formed();
    ck_assert_uint_eq(count_of("a&lt;b"), 1);
    ck_assert_uint_eq(count_of("\"c\" &amp; d &gt;"), 1);
    free(text);
}
END_TEST

START_TEST(nothing_to_draw)
{
    const struct svg_row none = {"Idle", "fifo", "not to be had", 0, 0, 0, 0, 0};
    const struct svg_row zero = {"Idle", "fifo", NULL, 0, 0, 0, 0, 0};
    write_figure("Nothing", NULL, 0);
    expect_well_formed();
    free(text);
    write_figure("Refused", &none, 1);
    expect_well_formed();
    free(text);
    write_figure("At once", &zero, 1);
    expect_well_formed();
    ck_assert_uint_eq(count_of("nan"), 0);
    ck_assert_uint_eq(count_of("inf"), 0);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/svg");
    TCase *tests = tcase_create("svg");
    tcase_add_test(tests, figure_is_well_formed);
    tcase_add_test(tests, words_are_escaped);
    tcase_add_test(tests, nothing_to_draw);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
