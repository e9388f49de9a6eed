/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_plan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ring_outcome outcomes[RING_CASES_MAX];

static const struct ring_field *field_of(const char *name)
{
    for (uint32_t i = 0; i < ring_field_count; i++)
        if (strcmp(ring_fields[i].name, name) == 0)
            return &ring_fields[i];
    ck_abort_msg("no field %s", name);
    return NULL;
}

static const struct ring_case *case_of(uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(outcomes[i].what.name, name) == 0)
            return &outcomes[i].what;
    return NULL;
}

START_TEST(a_list_is_read)
{
    uint32_t numbers[RING_LIST_MAX];
    char wrong[100];
    ck_assert_uint_eq(ring_parse_list("8", 8, 100, numbers, wrong, sizeof(wrong)), 1);
    ck_assert_uint_eq(numbers[0], 8);
    ck_assert_uint_eq(ring_parse_list("64,8,100", 8, 100, numbers, wrong, sizeof(wrong)), 3);
    ck_assert_uint_eq(numbers[0], 64);
    ck_assert_uint_eq(numbers[1], 8);
    ck_assert_uint_eq(numbers[2], 100);
}
END_TEST

/* The one that is wrong is named. */
START_TEST(a_wrong_list_is_refused)
{
    static const char *const lists[][2] = {{"", "''"},
                                           {",8", "''"},
                                           {"8,", "''"},
                                           {"8,x", "'x'"},
                                           {"8,7", "'7'"},
                                           {"101", "'101'"},
                                           {"-8", "'-8'"},
                                           {"+8", "'+8'"},
                                           {"8 9", "'8 9'"},
                                           {"8,,9", "''"},
                                           {"8.5,9", "'8.5'"},
                                           {" 8", "' 8'"},
                                           {"99999999999999999999", "'99999999999999999999'"}};
    uint32_t numbers[RING_LIST_MAX];
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char wrong[100] = "", wanted[100];
        snprintf(wanted, sizeof(wanted), "%s is not a whole number from 8 to 100", lists[i][1]);
        ck_assert_uint_eq(ring_parse_list(lists[i][0], 8, 100, numbers, wrong, sizeof(wrong)), 0);
        ck_assert_str_eq(wrong, wanted);
    }
}
END_TEST

START_TEST(a_list_has_an_end)
{
    uint32_t numbers[RING_LIST_MAX];
    char text[4 * RING_LIST_MAX] = "8", wrong[100] = "";
    for (uint32_t i = 1; i < RING_LIST_MAX; i++)
        strcat(text, ",8");
    ck_assert_uint_eq(ring_parse_list(text, 1, 9, numbers, wrong, sizeof(wrong)), RING_LIST_MAX);
    strcat(text, ",8");
    ck_assert_uint_eq(ring_parse_list(text, 1, 9, numbers, wrong, sizeof(wrong)), 0);
    ck_assert_str_eq(wrong, "more than 24 numbers");
}
END_TEST

/* All of one working set, with applications that sleep. */
static void check_bulk(enum ring_fixed which, enum ring_place place)
{
    const struct ring_case *what = &outcomes[which].what;
    ck_assert_uint_eq(what->place, place);
    ck_assert_uint_eq(what->slots * what->bytes, 8u << 20);
    ck_assert(what->waits);
}

START_TEST(the_cases_that_are_always_there)
{
    const struct ring_settings settings = {.runs = 1};
    uint32_t count = ring_plan(&settings, outcomes);
    ck_assert_uint_eq(count, RING_CASES_FIXED);
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_case *what = &outcomes[i].what;
        ck_assert(what->name[0]);
        ck_assert_ptr_eq(case_of(count, what->name), what);
        ck_assert_uint_ge(what->slots, what->window);
        ck_assert_uint_ge(what->sessions, 1);
        ck_assert_uint_ge(what->connections, 1);
        ck_assert_uint_ge(what->streams, 1);
        ck_assert_uint_le(what->window, RING_WINDOW_MAX);
    }
    ck_assert_uint_eq(outcomes[RING_CASE_SESSIONS].what.sessions, 100);
    ck_assert_uint_eq(outcomes[RING_CASE_CONNECTIONS].what.connections, 10000);
    ck_assert_uint_eq(outcomes[RING_CASE_STREAMS].what.streams, 16);
    check_bulk(RING_CASE_BULK_READS, RING_DEDICATED);
    check_bulk(RING_CASE_BULK_WRITES, RING_DEDICATED);
    check_bulk(RING_CASE_BULK_DEDICATED, RING_DEDICATED);
    check_bulk(RING_CASE_BULK_SPREADING, RING_SPREADING);
    check_bulk(RING_CASE_BULK_COMPACTING, RING_COMPACTING);
    check_bulk(RING_CASE_TCP_BULK, RING_TCP);
    check_bulk(RING_CASE_URING_BULK, RING_URING);
    /* What is resident once stays so: connections before it would be for nothing. */
    ck_assert(outcomes[RING_CASE_IDLE_CONNECTIONS].what.anew);
    ck_assert(outcomes[RING_CASE_IDLE].what.place == RING_SPREADING);
    ck_assert(outcomes[RING_CASE_IDLE_COMPACTING].what.place == RING_COMPACTING);
}
END_TEST

/* Each kind of one-sided operation has a case and a figure; an atomic one is of a word. */
START_TEST(one_sided_operations)
{
    static const char *const figures[] = {"reads_per_s",       "indirect_reads_per_s",
                                          "batch_reads_per_s", "scan_reads_per_s",
                                          "writes_per_s",      "compare_swaps_per_s",
                                          "fetch_adds_per_s"};
    const struct ring_settings settings = {.runs = 1};
    ring_plan(&settings, outcomes);
    for (uint32_t work = RING_READS; work <= RING_ADDS; work++) {
        const struct ring_field *field = field_of(figures[work - RING_READS]);
        const struct ring_case *what = &outcomes[field->of].what;
        ck_assert_uint_eq(what->work, work);
        ck_assert_uint_eq(what->bytes, work == RING_SWAPS || work == RING_ADDS ? 8 : 64);
        ck_assert_uint_eq(field->value, RING_PER_S);
    }
}
END_TEST

/* Each of them is asked for each kind of work once at most, and for round trips. */
START_TEST(programs_of_others)
{
    const struct ring_settings settings = {.runs = 1};
    uint32_t count = ring_plan(&settings, outcomes), times[RING_PEERS][RING_WORKS][2] = {{{0}}};
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_case *what = &outcomes[i].what;
        if (what->place == RING_PEER)
            ck_assert_uint_eq(times[what->peer][what->work][what->bytes > RING_SMALL_BYTES]++, 0);
    }
    for (uint32_t peer = 0; peer < RING_PEERS; peer++) {
        ck_assert_uint_eq(times[peer][RING_TRIPS][0], 1);
        ck_assert_uint_eq(times[peer][RING_MESSAGES][1], 1);
    }
    ck_assert(case_of(count, "ucx/tcp/rtt")->peer == RING_UCX_TCP);
    ck_assert(case_of(count, "libfabric/shm/rtt")->peer == RING_LIBFABRIC_SHM);
    ck_assert_uint_eq(outcomes[RING_CASE_UCX_BULK].what.bytes,
                      outcomes[RING_CASE_BULK_DEDICATED].what.bytes);
}
END_TEST

/* Each size has a round trip and each window; a window that memory has no room for is narrowed. */
START_TEST(a_sweep)
{
    const struct ring_settings settings = {
        .sizes = {64, 16u << 20}, .size_count = 2, .windows = {1, 4, 512}, .window_count = 3};
    uint32_t count = ring_plan(&settings, outcomes);
    ck_assert_uint_eq(count, RING_CASES_FIXED + 4 + 3);
    ck_assert_uint_eq(case_of(count, "size/64/rtt")->work, RING_TRIPS);
    ck_assert_uint_eq(case_of(count, "size/64/window/512")->window, 512);
    ck_assert_uint_eq(case_of(count, "size/16777216/window/4")->slots, 4);
    ck_assert_ptr_null(case_of(count, "size/16777216/window/512"));
}
END_TEST

START_TEST(sizes_or_windows_alone)
{
    const struct ring_settings sizes = {.sizes = {8}, .size_count = 1};
    uint32_t count = ring_plan(&sizes, outcomes);
    ck_assert_uint_eq(count, RING_CASES_FIXED + 2);
    ck_assert_ptr_nonnull(case_of(count, "size/8/window/256"));
    const struct ring_settings windows = {.windows = {2, 3}, .window_count = 2};
    count = ring_plan(&windows, outcomes);
    ck_assert_uint_eq(count, RING_CASES_FIXED + 3);
    ck_assert_ptr_nonnull(case_of(count, "size/64/window/3"));
}
END_TEST

/* A batch fits into its window, and all sessions together have what one has, at least. */
START_TEST(batches_sessions_and_flows)
{
    const struct ring_settings settings = {.batches = {1, 256},
                                           .batch_count = 2,
                                           .sessions = {1, 4, 100},
                                           .session_count = 3,
                                           .flows = {1, 8},
                                           .flow_count = 2};
    uint32_t count = ring_plan(&settings, outcomes);
    ck_assert_uint_eq(count, RING_CASES_FIXED + 2 + 3 + 2);
    ck_assert_uint_eq(case_of(count, "batch/256")->batch, 256);
    ck_assert_uint_ge(case_of(count, "batch/256")->window, 256);
    ck_assert_uint_eq(case_of(count, "batch/1")->sweep, RING_SWEEP_BATCHES);
    ck_assert_uint_eq(case_of(count, "sessions/1")->window, 256);
    ck_assert_uint_eq(case_of(count, "sessions/4")->window, 64);
    ck_assert_uint_eq(case_of(count, "sessions/100")->window, 16);
    ck_assert_uint_eq(case_of(count, "sessions/100")->sessions, 100);
    ck_assert_uint_eq(case_of(count, "sessions/100")->flows, 1);
    ck_assert_uint_eq(case_of(count, "flows/8")->flows, 8);
    ck_assert_uint_eq(case_of(count, "flows/8")->connections, 8);
    ck_assert_uint_eq(case_of(count, "flows/1")->sweep, RING_SWEEP_FLOWS);
}
END_TEST

/* All that can be asked for has room. */
START_TEST(the_largest_sweep)
{
    struct ring_settings settings = {.size_count = RING_LIST_MAX,
                                     .window_count = RING_LIST_MAX,
                                     .batch_count = RING_LIST_MAX,
                                     .session_count = RING_LIST_MAX,
                                     .flow_count = RING_LIST_MAX};
    for (uint32_t i = 0; i < RING_LIST_MAX; i++) {
        settings.sizes[i] = 8 + i;
        settings.windows[i] = 1 + i;
        settings.batches[i] = 1 + i;
        settings.sessions[i] = 1 + i;
        settings.flows[i] = 1 + i;
    }
    ck_assert_uint_eq(ring_plan(&settings, outcomes), RING_CASES_MAX);
}
END_TEST

static void give(enum ring_fixed which, uint32_t value, const double *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        outcomes[which].runs[i].values[value] = values[i];
    outcomes[which].run_count = count;
}

START_TEST(a_figure)
{
    const struct ring_settings settings = {.runs = 3};
    const double values[] = {3, 1, 2};
    struct spread spread;
    uint32_t runs;
    ring_plan(&settings, outcomes);
    ck_assert(!ring_reckon(field_of("rtt_p99_us"), outcomes, &spread, &runs));
    give(RING_CASE_TRIP, RING_P99, values, 3);
    ck_assert(ring_reckon(field_of("rtt_p99_us"), outcomes, &spread, &runs));
    ck_assert_uint_eq(runs, 3);
    ck_assert_double_eq(spread.median, 2);
    ck_assert_double_eq(spread.min, 1);
    ck_assert_double_eq(spread.max, 3);
    ck_assert_double_eq(outcomes[RING_CASE_TRIP].runs[0].values[RING_P99], 3);
}
END_TEST

/* Within each round: a machine that becomes slower changes nothing. */
START_TEST(a_quotient)
{
    const struct ring_settings settings = {.runs = 3};
    const double ours[] = {1, 10, 100}, theirs[] = {2, 20, 200}, none[] = {2, 0, 200};
    struct spread spread;
    uint32_t runs;
    ring_plan(&settings, outcomes);
    give(RING_CASE_TRIP, RING_P50, ours, 3);
    ck_assert(!ring_reckon(field_of("rtt_vs_tcp_polling"), outcomes, &spread, &runs));
    give(RING_CASE_TCP_TRIP, RING_P50, theirs, 3);
    ck_assert(ring_reckon(field_of("rtt_vs_tcp_polling"), outcomes, &spread, &runs));
    ck_assert_double_eq(spread.min, 0.5);
    ck_assert_double_eq(spread.max, 0.5);
    give(RING_CASE_TCP_TRIP, RING_P50, none, 3);
    ck_assert(ring_reckon(field_of("rtt_vs_tcp_polling"), outcomes, &spread, &runs));
    ck_assert_uint_eq(runs, 2);
    outcomes[RING_CASE_TCP_TRIP].missing = true;
    ck_assert(!ring_reckon(field_of("rtt_vs_tcp_polling"), outcomes, &spread, &runs));
}
END_TEST

/* The main one is of engines that have one core to themselves. */
START_TEST(the_cost_of_bytes_in_each_mode)
{
    static const struct {
        const char *name;
        enum ring_fixed of;
    } figures[] = {{"gbps_per_core", RING_CASE_BULK_DEDICATED},
                   {"gbps_per_core_vs_tcp", RING_CASE_BULK_DEDICATED},
                   {"gbps_per_core_spreading", RING_CASE_BULK_SPREADING},
                   {"gbps_per_core_spreading_vs_tcp", RING_CASE_BULK_SPREADING},
                   {"gbps_per_core_compacting", RING_CASE_BULK_COMPACTING},
                   {"gbps_per_core_compacting_vs_tcp", RING_CASE_BULK_COMPACTING}};
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        const struct ring_field *field = field_of(figures[i].name);
        ck_assert_uint_eq(field->of, figures[i].of);
        ck_assert_uint_eq(field->value, RING_PER_CORE);
        if (field->is_quotient)
            ck_assert_uint_eq(field->by, RING_CASE_TCP_BULK);
        ck_assert_int_eq(field->is_quotient, strstr(field->name, "_vs_tcp") != NULL);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/ring_plan");
    TCase *tests = tcase_create("ring_plan");
    tcase_add_test(tests, a_list_is_read);
    tcase_add_test(tests, a_wrong_list_is_refused);
    tcase_add_test(tests, a_list_has_an_end);
    tcase_add_test(tests, the_cases_that_are_always_there);
    tcase_add_test(tests, one_sided_operations);
    tcase_add_test(tests, programs_of_others);
    tcase_add_test(tests, a_sweep);
    tcase_add_test(tests, sizes_or_windows_alone);
    tcase_add_test(tests, batches_sessions_and_flows);
    tcase_add_test(tests, the_largest_sweep);
    tcase_add_test(tests, a_figure);
    tcase_add_test(tests, a_quotient);
    tcase_add_test(tests, the_cost_of_bytes_in_each_mode);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
