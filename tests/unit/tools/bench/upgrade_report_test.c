/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_report.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint64_t blackout[3], brownout[3];
static double state[3];
static uint64_t normal[2], slow[1];

static struct upgrade_outcome outcome_of(uint32_t upgrades)
{
    static const uint64_t blackouts[] = {3000000, 1000000, 2500000};
    static const uint64_t brownouts[] = {70000000, 80000000, 60000000};
    static const double states[] = {1000, 3000, 2000};

    memcpy(blackout, blackouts, sizeof(blackouts));
    memcpy(brownout, brownouts, sizeof(brownouts));
    memcpy(state, states, sizeof(states));
    normal[0] = 90000;
    normal[1] = 70500;
    slow[0] = 1200000;
    return (struct upgrade_outcome){
        .wanted = 3,
        .upgrades = upgrades,
        .blackout_ns = blackout,
        .brownout_ns = brownout,
        .state_bytes = state,
        .prober.of = {[PHASE_NORMAL] = {normal, 2, 2}, [PHASE_BROWNOUT] = {slow, 1, 1}},
        .missed_known = true,
        .missed = 5,
        .retransmissions = 6,
        .messages = 7,
        .operations = 8,
        .connections = 9,
        .port = "xdp"};
}

static char *written(int (*write)(FILE *out, struct upgrade_outcome *outcome),
                     struct upgrade_outcome *outcome)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(write(out, outcome), 0);
    fclose(out);
    return text;
}

START_TEST(the_document)
{
    struct upgrade_outcome outcome = outcome_of(3);
    outcome.faults = (struct tally_faults){.lost = 1, .duplicated = 2, .reordered = 3};
    outcome.errors = 4;
    char *text = written(upgrade_write_json, &outcome);
    ck_assert_str_eq(text, "{\n"
                           "  \"upgrades\": 3,\n"
                           "  \"lost\": 1,\n"
                           "  \"duplicated\": 2,\n"
                           "  \"reordered\": 3,\n"
                           "  \"application_errors\": 4,\n"
                           "  \"blackout_ms\": {\"p50\": 2.500, \"p99\": 3.000, \"max\": 3.000},\n"
                           "  \"blackouts_ms\": [1.000, 2.500, 3.000],\n"
                           "  \"brownout_ms\": {\"p50\": 70.000, \"max\": 80.000},\n"
                           "  \"state_bytes\": 2000,\n"
                           "  \"prober_us\": {\"normal\": {\"p50\": 70.5, \"p99\": 90.0}, "
                           "\"brownout\": {\"p50\": 1200.0, \"p99\": 1200.0}},\n"
                           "  \"packets_missed\": 5,\n"
                           "  \"retransmissions\": 6,\n"
                           "  \"messages\": 7,\n"
                           "  \"operations\": 8,\n"
                           "  \"connections\": 9,\n"
                           "  \"port\": \"xdp\"\n"
                           "}\n");
    free(text);
}
END_TEST

/* A number that nobody knows is none. */
START_TEST(what_is_not_known)
{
    struct upgrade_outcome outcome = outcome_of(3);
    outcome.missed_known = false;
    outcome.prober.of[PHASE_BROWNOUT].count = 0;
    char *text = written(upgrade_write_json, &outcome);
    ck_assert_ptr_nonnull(strstr(text, "\"packets_missed\": null,"));
    ck_assert_ptr_nonnull(strstr(text, "\"brownout\": null},\n"));
    free(text);
    text = written(upgrade_write_table, &outcome);
    ck_assert_ptr_nonnull(strstr(text, "packets missed unknown, retransmissions 6\n"));
    ck_assert_ptr_nonnull(strstr(text, "prober, us           70.5       90.0       90.0\n"));
    ck_assert_ptr_nonnull(strstr(text, "  in brownout        none\n"));
    free(text);
}
END_TEST

/* None of them was made. */
START_TEST(nothing_to_reckon_from)
{
    struct upgrade_outcome outcome = outcome_of(0);
    char *text = written(upgrade_write_table, &outcome);
    ck_assert_ptr_nonnull(strstr(text, "0 of 3 hand-overs, port xdp, 9 connections"));
    ck_assert_ptr_nonnull(strstr(text, "blackout, ms        0.000      0.000      0.000\n"));
    free(text);
    text = written(upgrade_write_json, &outcome);
    ck_assert_ptr_nonnull(strstr(text, "  \"blackouts_ms\": [],\n"));
    free(text);
}
END_TEST

START_TEST(what_is_well)
{
    struct upgrade_outcome outcome = outcome_of(3);
    ck_assert(upgrade_is_well(&outcome));
    outcome.upgrades--;
    ck_assert(!upgrade_is_well(&outcome));
    outcome = outcome_of(3);
    outcome.errors = 1;
    ck_assert(!upgrade_is_well(&outcome));
    uint64_t *const faults[] = {&outcome.faults.lost, &outcome.faults.duplicated,
                                &outcome.faults.reordered};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        outcome = outcome_of(3);
        *faults[i] = 1;
        ck_assert(!upgrade_is_well(&outcome));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/upgrade_report");
    TCase *tests = tcase_create("upgrade_report");
    tcase_add_test(tests, the_document);
    tcase_add_test(tests, what_is_not_known);
    tcase_add_test(tests, nothing_to_reckon_from);
    tcase_add_test(tests, what_is_well);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
