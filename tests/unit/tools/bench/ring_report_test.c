/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_report.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct ring_outcome outcomes[RING_CASES_MAX];
static const struct ring_settings settings = {
    .seconds = 0.5, .runs = 1, .sizes = {8}, .size_count = 1};

static char *written(int (*write)(FILE *out, const struct ring_form *form,
                                  const struct ring_settings *settings,
                                  const struct ring_outcome *outcomes, uint32_t count),
                     uint32_t count)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(write(out, &ring_form, &settings, outcomes, count), 0);
    fclose(out);
    return text;
}

/* One run of each but UCX, which is not there. */
static uint32_t prepare(void)
{
    uint32_t count = ring_plan(&settings, outcomes);
    for (uint32_t i = 0; i < count; i++) {
        outcomes[i].runs[0] = (struct ring_result){.values = {1, 2, 3, 4}, .checked = 10 + i};
        outcomes[i].run_count = 1;
    }
    outcomes[RING_CASE_UCX_TRIP].run_count = 0;
    outcomes[RING_CASE_UCX_TRIP].missing = true;
    strcpy(outcomes[RING_CASE_UCX_TRIP].reason, "not \"there\"");
    return count;
}

static void expect(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s\nis not in\n%s", part, text);
}

START_TEST(the_document)
{
    char *text = written(ring_write_json, prepare());
    expect(text, "\"settings\":{\"seconds\":0.5,\"runs\":1},\n");
    expect(text, "\"rtt_us\":{\"median\":1,\"min\":1,\"max\":1,\"runs\":1},\n");
    expect(text, "\"rtt_p99_us\":{\"median\":2,");
    expect(text, "\"gbps_per_core\":{\"median\":3,");
    expect(text, "\"gbps_per_core_machine\":{\"median\":4,");
    expect(text, "\"rtt_vs_tcp_polling\":{\"median\":1,\"min\":1,\"max\":1,\"runs\":1},\n");
    expect(text, "\"ucx_rtt_us\":null,\n");
    expect(text, "\"ucx_tcp_rtt_us\":{\"median\":1,\"min\":1,\"max\":1,\"runs\":1},\n");
    expect(text, "\"idle_core_percent\":{\"median\":1,");
    expect(text, "\"idle_core_percent_compacting\":{\"median\":1,");
    expect(text, "\"idle_connection_bytes\":{\"median\":1,");
    expect(text, "\"rtt_vs_ucx_posix\":null,\n");
    expect(text, "\"sweep\":[\n{\"bytes\":8,\"window\":1,\"rtt_us\":{\"median\":1,");
    expect(text, ",\n{\"bytes\":8,\"window\":256,\"messages_per_s\":{\"median\":1,");
    expect(text, "\"checked\":{\"rtt\":10,\"messages\":11,");
    expect(text, "\"not_measured\":{\"ucx/rtt\":\"not \\\"there\\\"\"}}\n");
    free(text);
}
END_TEST

START_TEST(the_table)
{
    uint32_t count = prepare();
    outcomes[RING_CASE_READS].left_out = true;
    outcomes[RING_CASE_READS].run_count = 0;
    outcomes[RING_CASE_MESSAGES].runs[0].values[RING_PER_S] = 1234567.4;
    char *text = written(ring_write_table, count);
    expect(text, "1 runs of 0.5 s each, ");
    expect(text,
           "\nrtt_us                                 1.000       1.000       1.000    1  64 B");
    expect(text, "\nmessages_per_s                       1234567     1234567     1234567    1  ");
    expect(text, "\nrtt_vs_ucx_posix                           -           -           -    -  ");
    expect(text, "\nsize/8/window/256 ");
    expect(text, "\nucx/rtt                          not \"there\"\n");
    ck_assert_ptr_null(strstr(text, "\nreads_per_s"));
    free(text);
}
END_TEST

/* What a sweep is of is said of each of its steps. */
START_TEST(sweeps_in_the_document)
{
    const struct ring_settings sweeps = {.runs = 1,
                                         .batches = {4},
                                         .batch_count = 1,
                                         .sessions = {10},
                                         .session_count = 1,
                                         .flows = {4},
                                         .flow_count = 1};
    uint32_t count = ring_plan(&sweeps, outcomes);
    for (uint32_t i = RING_CASES_FIXED; i < count; i++) {
        outcomes[i].runs[0] = (struct ring_result){.values = {1, 2, 3, 4}};
        outcomes[i].run_count = 1;
    }
    char *text = written(ring_write_json, count);
    expect(text, "{\"bytes\":64,\"window\":256,\"batch\":4,\"messages_per_s\":{\"median\":1,");
    expect(text, "{\"bytes\":64,\"window\":25,\"sessions\":10,\"messages_per_s\":{\"median\":1,");
    expect(text, "{\"bytes\":64,\"window\":256,\"flows\":4,\"messages_per_s\":{\"median\":1,");
    free(text);
}
END_TEST

/* Nothing of it was asked for. */
START_TEST(an_empty_document)
{
    uint32_t count = ring_plan(&settings, outcomes);
    char *text = written(ring_write_json, count);
    expect(text, "\"rtt_us\":null,\n");
    expect(text, "\"sweep\":[],\n\"checked\":{},\n\"not_measured\":{}}\n");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/ring_report");
    TCase *tests = tcase_create("ring_report");
    tcase_add_test(tests, the_document);
    tcase_add_test(tests, the_table);
    tcase_add_test(tests, sweeps_in_the_document);
    tcase_add_test(tests, an_empty_document);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
