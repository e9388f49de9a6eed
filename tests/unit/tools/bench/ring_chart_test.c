/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tools/bench/figure.h"
#include "tools/bench/ring_chart.h"

static struct ring_outcome outcomes[RING_CASES_MAX];

static void write_chart(const struct ring_settings *settings, uint32_t count)
{
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(ring_chart_write(out, &ring_form, settings, outcomes, count), 0);
    fclose(out);
    expect_well_formed();
}

static void give(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        outcomes[i].runs[0] = (struct ring_result){.values = {100, 10, 1, 1}};
        outcomes[i].run_count = 1;
    }
}

/* Lines for each of two windows, twice, for each of three sizes, and one of round trips. */
START_TEST(a_sweep)
{
    const struct ring_settings settings = {.seconds = 1,
                                           .runs = 1,
                                           .sizes = {4096, 8, 64},
                                           .size_count = 3,
                                           .windows = {1, 256},
                                           .window_count = 2};
    uint32_t count = ring_plan(&settings, outcomes);
    give(count);
    write_chart(&settings, count);
    ck_assert_uint_eq(count_of("class=\"panel\""), 4);
    ck_assert_uint_eq(count_of("<polyline "), 2 + 2 + 3 + 1);
    ck_assert_uint_eq(count_of("class=\"spread\""), 6 + 6 + 6 + 3);
    ck_assert_uint_eq(count_of(">window 256<"), 2);
    /* The name of a line, and a place on each of three axes. */
    ck_assert_uint_eq(count_of(">4 KiB<"), 1 + 3);
    /* What is always measured is none of a sweep. */
    ck_assert_uint_eq(count_of(">window 1<"), 2);
    free(text);
}
END_TEST

/* Each by itself, and nothing of the others. */
START_TEST(batches_sessions_and_flows)
{
    const struct ring_settings batches = {.runs = 1, .batches = {1, 64}, .batch_count = 2};
    const struct ring_settings sessions = {.runs = 1, .sessions = {1, 2, 8}, .session_count = 3};
    const struct ring_settings flows = {.runs = 1, .flows = {1, 2, 4, 8}, .flow_count = 4};
    uint32_t count = ring_plan(&batches, outcomes);
    give(count);
    write_chart(&batches, count);
    ck_assert_uint_eq(count_of("class=\"panel\""), 1);
    ck_assert_uint_eq(count_of("<polyline "), 1);
    ck_assert_uint_eq(count_of("class=\"spread\""), 2);
    ck_assert_uint_eq(count_of(">64<"), 1);
    free(text);
    count = ring_plan(&sessions, outcomes);
    give(count);
    write_chart(&sessions, count);
    ck_assert_uint_eq(count_of("class=\"panel\""), 1);
    ck_assert_uint_eq(count_of("class=\"spread\""), 3);
    free(text);
    count = ring_plan(&flows, outcomes);
    give(count);
    write_chart(&flows, count);
    ck_assert_uint_eq(count_of("class=\"panel\""), 1);
    ck_assert_uint_eq(count_of("class=\"spread\""), 4);
    free(text);
}
END_TEST

/* Each line goes from the least to the most, in whatever order they were asked for. */
START_TEST(lines_go_to_the_right)
{
    const struct ring_settings settings = {.runs = 1, .sizes = {4096, 8, 64}, .size_count = 3};
    uint32_t count = ring_plan(&settings, outcomes);
    double x[3], y;
    give(count);
    write_chart(&settings, count);
    const char *at = strstr(text, "points=\"");
    ck_assert_int_eq(sscanf(at, "points=\"%lf,%lf %lf,%lf %lf", &x[0], &y, &x[1], &y, &x[2]), 5);
    ck_assert_double_lt(x[0], x[1]);
    ck_assert_double_lt(x[1], x[2]);
    free(text);
}
END_TEST

/* The largest that can be asked for, and one of which nothing was measured. */
START_TEST(much_and_nothing)
{
    struct ring_settings settings = {.runs = 1,
                                     .size_count = RING_LIST_MAX,
                                     .window_count = RING_LIST_MAX};
    for (uint32_t i = 0; i < RING_LIST_MAX; i++) {
        settings.sizes[i] = 8 + i;
        settings.windows[i] = 1 + i;
    }
    uint32_t count = ring_plan(&settings, outcomes);
    write_chart(&settings, count);
    ck_assert_uint_eq(count_of("<polyline "), 0);
    free(text);
    give(count);
    write_chart(&settings, count);
    ck_assert_uint_eq(count_of("<polyline "), 3 * RING_LIST_MAX + 1);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/ring_chart");
    TCase *tests = tcase_create("ring_chart");
    tcase_add_test(tests, a_sweep);
    tcase_add_test(tests, batches_sessions_and_flows);
    tcase_add_test(tests, lines_go_to_the_right);
    tcase_add_test(tests, much_and_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
