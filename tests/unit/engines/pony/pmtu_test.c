/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/pmtu.h"

#include <check.h>
#include <string.h>

#define TRIP_NS 50000u
#define WAIT_NS 1000000u
#define STEPS   200u

static struct pmtu pmtu;
static uint64_t now, asked;
static uint32_t largest; /* asked for */

static void setup(void)
{
    now = 1000000000;
    asked = 0;
    largest = 0;
}

/* Questions go out, on a path that lets `passes` bytes through (0: nothing, to nobody), until there
 * is nothing to ask, or `steps` questions and deadlines have gone by. */
static void run(uint32_t passes, uint32_t steps)
{
    while (steps-- > 0) {
        uint16_t size;
        uint32_t number;

        if (pmtu_next(&pmtu, &size, &number)) {
            asked++;
            largest = size > largest ? size : largest;
            pmtu_sent(&pmtu, now, WAIT_NS);
            if (size <= passes) {
                now += TRIP_NS;
                pmtu_found(&pmtu, number, now);
            }
        } else if (pmtu.state == PMTU_SETTLED) {
            return;
        } else {
            ck_assert_uint_ne(pmtu.deadline, UINT64_MAX);
            now = pmtu.deadline > now ? pmtu.deadline : now;
            pmtu_timer(&pmtu, now);
        }
    }
}

START_TEST(where_the_limit_passes_one_question_is_enough)
{
    pmtu_begin(&pmtu, 0, 9000, now);
    ck_assert_uint_eq(pmtu.mtu, PMTU_BASE);
    ck_assert(pmtu_searching(&pmtu));
    run(9000, STEPS);
    ck_assert_uint_eq(pmtu.mtu, 9000);
    ck_assert_uint_eq(asked, 1);
    ck_assert(!pmtu_searching(&pmtu));
    ck_assert_uint_eq(pmtu.deadline, UINT64_MAX);
}
END_TEST

START_TEST(a_small_limit_needs_none)
{
    pmtu_begin(&pmtu, 0, 1000, now);
    run(9000, STEPS);
    ck_assert_uint_eq(pmtu.mtu, 1000);
    ck_assert_uint_eq(asked, 0);
}
END_TEST

/* Whatever passes is found, nearly, with a bounded number of questions. */
START_TEST(what_passes_is_found)
{
    for (uint32_t passes = PMTU_BASE; passes <= 9000; passes += 7) {
        setup();
        pmtu_begin(&pmtu, 0, 9000, now);
        run(passes, STEPS);
        ck_assert_uint_eq(pmtu.state, PMTU_SETTLED);
        ck_assert_uint_le(pmtu.mtu, passes);
        ck_assert_uint_gt(pmtu.mtu + PMTU_STEP, passes);
        ck_assert_uint_le(largest, 9000);
        ck_assert_uint_le(asked, 40);
        if (passes == 1500)
            ck_assert_uint_eq(pmtu.mtu, 1500);
    }
}
END_TEST

START_TEST(what_was_settled_for_is_raised_later)
{
    pmtu_begin(&pmtu, 0, 5000, now);
    run(2000, STEPS);
    ck_assert_uint_eq(pmtu.deadline, now + PMTU_RAISE_NS);
    now = pmtu.deadline;
    pmtu_timer(&pmtu, now);
    ck_assert(pmtu_searching(&pmtu));
    run(5000, STEPS);
    ck_assert_uint_eq(pmtu.mtu, 5000);
}
END_TEST

START_TEST(a_black_hole_is_left)
{
    static const uint32_t passes[] = {600, 1279, 1280, 1500, 4999};
    uint16_t before = _i % 2 ? 5000 : 1400;
    uint32_t narrow = passes[_i / 2];

    pmtu_begin(&pmtu, before, before, now);
    ck_assert(pmtu_doubt(&pmtu, before, now, now));
    ck_assert(!pmtu_doubt(&pmtu, before, now, now)); /* once at a time */
    run(narrow, STEPS);
    ck_assert_uint_eq(pmtu.state, PMTU_SETTLED);
    ck_assert_uint_le(pmtu.mtu, narrow);
    ck_assert_uint_gt(pmtu.mtu + PMTU_STEP, narrow < before ? narrow : before);
    ck_assert_uint_eq(pmtu.limit, before);
}
END_TEST

START_TEST(a_doubt_without_reason_ends_at_once)
{
    pmtu_begin(&pmtu, 5000, 5000, now);
    ck_assert(pmtu_doubt(&pmtu, 5000, now, now));
    run(5000, 1);
    ck_assert_uint_eq(pmtu.mtu, 5000);
    ck_assert_uint_eq(pmtu.state, PMTU_SETTLED);
    /* And does not come back at once. */
    now++;
    ck_assert(!pmtu_doubt(&pmtu, 5000, now, now));
    now += PMTU_DOUBT_GAP_NS;
    ck_assert(pmtu_doubt(&pmtu, 5000, now, now));
}
END_TEST

/* A peer that is away says nothing about sizes, and is not asked without end. */
START_TEST(silence_is_no_verdict)
{
    uint64_t heard = now;

    pmtu_begin(&pmtu, 5000, 5000, now);
    ck_assert(pmtu_doubt(&pmtu, 5000, heard, now));
    run(0, STEPS);
    ck_assert_uint_eq(pmtu.mtu, 5000);
    ck_assert_uint_eq(asked, PMTU_SILENT * 3);
    now += PMTU_DOUBT_GAP_NS;
    ck_assert(!pmtu_doubt(&pmtu, 5000, heard, now));
    ck_assert(pmtu_doubt(&pmtu, 5000, now, now));
}
END_TEST

START_TEST(what_cannot_be_doubted)
{
    pmtu_begin(&pmtu, 2000, 2000, now);
    ck_assert(!pmtu_doubt(&pmtu, PMTU_LEAST, now, now));
    ck_assert(!pmtu_doubt(&pmtu, 2001, now, now)); /* from before the path became narrower */
    memset(&pmtu, 0, sizeof(pmtu));
    ck_assert(!pmtu_doubt(&pmtu, 0, now, now)); /* off */
}
END_TEST

START_TEST(another_limit)
{
    pmtu_begin(&pmtu, 0, 5000, now);
    run(5000, STEPS);
    pmtu_set_limit(&pmtu, 1400, now);
    ck_assert_uint_eq(pmtu.mtu, 1400);
    ck_assert(!pmtu_searching(&pmtu));
    pmtu_set_limit(&pmtu, 3000, now);
    ck_assert_uint_eq(pmtu.mtu, 1400);
    run(5000, STEPS);
    ck_assert_uint_eq(pmtu.mtu, 3000);
    /* In the middle of a search. */
    pmtu_set_limit(&pmtu, 9000, now);
    pmtu_set_limit(&pmtu, 600, now);
    ck_assert_uint_eq(pmtu.mtu, 600);
    run(5000, STEPS);
    ck_assert_uint_eq(pmtu.state, PMTU_SETTLED);
}
END_TEST

/* Answers to what was not asked, or was asked for another purpose, change nothing. */
START_TEST(answers_out_of_place)
{
    uint16_t size;
    uint32_t number, first;

    pmtu_begin(&pmtu, 0, 5000, now);
    ck_assert(pmtu_next(&pmtu, &size, &first));
    for (uint32_t i = 1; i < 100; i++) {
        pmtu_found(&pmtu, first + i, now);
        pmtu_found(&pmtu, first - i, now);
        pmtu_found(&pmtu, first ^ 1u << i % 32, now);
    }
    ck_assert_uint_eq(pmtu.mtu, PMTU_BASE);
    /* An earlier try of the same size is as good as the latest. */
    pmtu_sent(&pmtu, now, WAIT_NS);
    now = pmtu.deadline;
    pmtu_timer(&pmtu, now);
    ck_assert(pmtu_next(&pmtu, &size, &number));
    ck_assert_uint_ne(number, first);
    pmtu_found(&pmtu, first, now);
    ck_assert_uint_eq(pmtu.mtu, 5000);
    pmtu_found(&pmtu, number, now);
    ck_assert_uint_eq(pmtu.mtu, 5000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmtu");
    TCase *tc = tcase_create("pmtu");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, where_the_limit_passes_one_question_is_enough);
    tcase_add_test(tc, a_small_limit_needs_none);
    tcase_add_test(tc, what_passes_is_found);
    tcase_add_test(tc, what_was_settled_for_is_raised_later);
    tcase_add_loop_test(tc, a_black_hole_is_left, 0, 10);
    tcase_add_test(tc, a_doubt_without_reason_ends_at_once);
    tcase_add_test(tc, silence_is_no_verdict);
    tcase_add_test(tc, what_cannot_be_doubted);
    tcase_add_test(tc, another_limit);
    tcase_add_test(tc, answers_out_of_place);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
