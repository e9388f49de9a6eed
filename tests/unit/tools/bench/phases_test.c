/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/phases.h"

#include <check.h>
#include <stdlib.h>

#define MANY 5000u

/* A newcomer starts at 1000, takes everything at 2000, and is settled at 3000. */
static const struct phase_marks marks = {1000, 2000, 3000};
static struct phases phases;

static void setup(void)
{
    phases = (struct phases){0};
}

static void teardown(void)
{
    phases_free(&phases);
}

static enum phase of(uint64_t due_ns, uint64_t done_ns)
{
    const struct phase_sample sample = {due_ns, done_ns - due_ns};
    return phase_of(&sample, &marks);
}

START_TEST(where_a_round_trip_belongs)
{
    ck_assert_int_eq(of(10, 1000), PHASE_NORMAL);
    ck_assert_int_eq(of(999, 1001), PHASE_BROWNOUT);
    ck_assert_int_eq(of(1000, 1001), PHASE_BROWNOUT);
    ck_assert_int_eq(of(1000, 2000), PHASE_BROWNOUT);
    ck_assert_int_eq(of(1999, 2001), PHASE_NEITHER);
    ck_assert_int_eq(of(10, 3500), PHASE_NEITHER);
    ck_assert_int_eq(of(2000, 2999), PHASE_NEITHER);
    ck_assert_int_eq(of(2999, 4000), PHASE_NEITHER);
    ck_assert_int_eq(of(3000, 4000), PHASE_NORMAL);
}
END_TEST

/* When the blackout began is not known: nothing is taken for a brownout's. */
START_TEST(without_a_blackout)
{
    const struct phase_marks unknown = {1000, 0, 3000};
    const struct phase_sample during = {1500, 10}, before = {500, 10}, after = {3000, 10};
    ck_assert_int_eq(phase_of(&during, &unknown), PHASE_NEITHER);
    ck_assert_int_eq(phase_of(&before, &unknown), PHASE_NORMAL);
    ck_assert_int_eq(phase_of(&after, &unknown), PHASE_NORMAL);
}
END_TEST

START_TEST(each_is_kept_with_its_own)
{
    const struct phase_sample samples[] = {{500, 11}, {1500, 12}, {2500, 13}, {3500, 14}};
    for (uint32_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        ck_assert_int_eq(phases_add(&phases, &samples[i], &marks), 0);
    ck_assert_uint_eq(phases.of[PHASE_NORMAL].count, 2);
    ck_assert_uint_eq(phases.of[PHASE_NORMAL].ns[0], 11);
    ck_assert_uint_eq(phases.of[PHASE_NORMAL].ns[1], 14);
    ck_assert_uint_eq(phases.of[PHASE_BROWNOUT].count, 1);
    ck_assert_uint_eq(phases.of[PHASE_BROWNOUT].ns[0], 12);
}
END_TEST

START_TEST(many_are_kept)
{
    for (uint64_t i = 0; i < MANY; i++) {
        const struct phase_sample sample = {3000 + i, i};
        ck_assert_int_eq(phases_add(&phases, &sample, &marks), 0);
    }
    ck_assert_uint_eq(phases.of[PHASE_NORMAL].count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(phases.of[PHASE_NORMAL].ns[i], i);
    phases_free(&phases);
    ck_assert_uint_eq(phases.of[PHASE_NORMAL].count, 0);
    phases_free(&phases);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/phases");
    TCase *tests = tcase_create("phases");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, where_a_round_trip_belongs);
    tcase_add_test(tests, without_a_blackout);
    tcase_add_test(tests, each_is_kept_with_its_own);
    tcase_add_test(tests, many_are_kept);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
