/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/budget.h"

#include <check.h>
#include <stdlib.h>

#define US     NSEC_PER_USEC
#define START  (1000 * NSEC_PER_SEC)
#define ROUNDS 100000u

static const struct budget nine = {.runtime_ns = 900 * US, .period_ns = 1000 * US};
static const struct budget half = {.runtime_ns = 50 * US, .period_ns = 100 * US};

START_TEST(all_is_left_at_first)
{
    ck_assert_uint_eq(budget_left(&nine, 0, START), 900 * US);
    ck_assert_uint_eq(budget_left(&nine, START, START), 900 * US);
}
END_TEST

START_TEST(runtime_used_is_a_period_of_debt)
{
    uint64_t paid = budget_charge(&nine, 0, START, START + 900 * US);
    ck_assert_uint_eq(paid, START + 1000 * US);
    ck_assert_uint_eq(budget_left(&nine, paid, START + 900 * US), 0);
    ck_assert_uint_eq(budget_left(&nine, paid, paid), 900 * US);
}
END_TEST

START_TEST(pieces_are_charged_like_the_whole)
{
    uint64_t paid = 0;
    for (uint64_t used = 0; used < 50 * US; used += US)
        paid = budget_charge(&half, paid, START + used, START + used + US);
    ck_assert_uint_eq(paid, START + 100 * US);
}
END_TEST

START_TEST(what_is_left_is_what_can_be_used)
{
    uint64_t paid = budget_charge(&half, 0, START, START + 20 * US);
    uint64_t left = budget_left(&half, paid, START + 20 * US);
    ck_assert_uint_eq(left, 30 * US);
    paid = budget_charge(&half, paid, START + 20 * US, START + 20 * US + left);
    ck_assert_uint_eq(budget_left(&half, paid, START + 20 * US + left), 0);
}
END_TEST

/* Whatever is used when, the sum stays below the share of the time and one runtime. */
START_TEST(no_pattern_gets_more_than_the_share)
{
    uint64_t now = START, paid = 0, used = 0;
    srand(1);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t left = budget_left(&half, paid, now);
        uint64_t take = left ? 1 + (uint64_t)rand() % left : 0;
        paid = budget_charge(&half, paid, now, now + take);
        used += take;
        now += take;
        ck_assert_uint_le(used, (now - START) / 2 + 50 * US);
        now += (uint64_t)rand() % (20 * US);
    }
    ck_assert_uint_gt(used, (now - START) / 4);
}
END_TEST

/* Users with different shares: what one takes the other does not have. */
START_TEST(shares_of_one_cpu_add_up_to_one)
{
    uint64_t now = START, paid = 0, used[2] = {0};
    const struct budget *const budgets[] = {&half, &nine};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t left = budget_left(budgets[i % 2], paid, now);
        if (left > 10 * US)
            left = 10 * US;
        paid = budget_charge(budgets[i % 2], paid, now, now + left);
        used[i % 2] += left;
        now += left ? left : US;
    }
    ck_assert_double_le((double)used[0] / 0.5 + (double)used[1] / 0.9,
                        1.01 * (double)(now - START));
}
END_TEST

START_TEST(a_debt_is_bounded)
{
    uint64_t now = START + 3600 * NSEC_PER_SEC;
    ck_assert_uint_eq(budget_charge(&half, 0, START, now), now + BUDGET_DEBT_MAX_NS);
}
END_TEST

START_TEST(time_that_went_back_costs_nothing)
{
    ck_assert_uint_eq(budget_charge(&half, START, START + 5, START), START + 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tcase = tcase_create("budget");
    tcase_add_test(tcase, all_is_left_at_first);
    tcase_add_test(tcase, runtime_used_is_a_period_of_debt);
    tcase_add_test(tcase, pieces_are_charged_like_the_whole);
    tcase_add_test(tcase, what_is_left_is_what_can_be_used);
    tcase_add_test(tcase, no_pattern_gets_more_than_the_share);
    tcase_add_test(tcase, shares_of_one_cpu_add_up_to_one);
    tcase_add_test(tcase, a_debt_is_bounded);
    tcase_add_test(tcase, time_that_went_back_costs_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
