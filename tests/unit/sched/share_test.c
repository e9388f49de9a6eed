/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Engines of modelled cost share a thread in virtual time. */
#include "sched/clock.h"
#include "sched/share.h"

#include <check.h>
#include <stdlib.h>

#define ENGINES_MAX 8u
#define BUDGET_NS   (50 * NSEC_PER_USEC)
#define SMALL_NS    (2 * NSEC_PER_USEC)
#define LOOK_NS     200u /* of an engine that finds nothing */
#define LONG_NS     (100 * NSEC_PER_MSEC)

static struct share shares[ENGINES_MAX];
static uint32_t count;
static uint64_t now, turn;
static uint64_t used[ENGINES_MAX], turns[ENGINES_MAX], last[ENGINES_MAX], gap[ENGINES_MAX];
static uint64_t cost[ENGINES_MAX]; /* of a turn; 0: it finds nothing */

static void setup(void)
{
    count = 0;
    now = turn = 0;
}

static uint32_t join(uint64_t cost_ns)
{
    cost[count] = cost_ns;
    used[count] = turns[count] = gap[count] = 0;
    last[count] = now;
    share_join(shares, ++count);
    return count - 1;
}

static uint32_t give_turn(void)
{
    uint32_t at = share_next(shares, count);
    uint64_t took = cost[at] ? cost[at] : LOOK_NS;
    if (now - last[at] > gap[at])
        gap[at] = now - last[at];
    now += took;
    last[at] = now;
    turns[at]++;
    if (cost[at])
        used[at] += took;
    share_charge(shares, count, at, ++turn, took, cost[at] > 0);
    return at;
}

static void run_for(uint64_t ns)
{
    uint64_t end = now + ns;
    while (now < end)
        give_turn();
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

START_TEST(time_is_shared_not_turns)
{
    uint32_t hungry = join(BUDGET_NS), light = join(SMALL_NS);
    run_for(LONG_NS);
    ck_assert_uint_le(apart(used[hungry], used[light]), BUDGET_NS);
    ck_assert_uint_gt(turns[light], 20 * turns[hungry]);
}
END_TEST

START_TEST(three_get_a_third_each_beside_one_that_is_idle)
{
    uint32_t first = join(BUDGET_NS), idle = join(0);
    uint32_t second = join(SMALL_NS), third = join(3 * SMALL_NS);
    run_for(LONG_NS);
    ck_assert_uint_le(apart(used[first], used[second]), BUDGET_NS);
    ck_assert_uint_le(apart(used[first], used[third]), BUDGET_NS);
    /* The idle one waits for a turn of each other one at most. */
    ck_assert_uint_le(gap[idle], BUDGET_NS + SMALL_NS + 3 * SMALL_NS);
}
END_TEST

START_TEST(what_an_idle_one_left_is_not_saved_up)
{
    uint32_t busy = join(BUDGET_NS), late = join(0);
    run_for(LONG_NS);
    cost[late] = BUDGET_NS;
    uint64_t before = used[busy];
    run_for(LONG_NS);
    ck_assert_uint_le(apart(used[busy] - before, used[late]), BUDGET_NS);
}
END_TEST

START_TEST(work_that_comes_waits_for_one_turn)
{
    uint32_t other = join(BUDGET_NS), quick = join(0);
    join(0);
    for (uint32_t i = 0; i < 100; i++) {
        run_for(LONG_NS / 100);
        cost[quick] = SMALL_NS;
        uint64_t before = turns[other];
        while (give_turn() != quick)
            ;
        ck_assert_uint_le(turns[other] - before, 1);
        cost[quick] = 0;
    }
}
END_TEST

START_TEST(idle_ones_take_turns)
{
    uint32_t all[] = {join(0), join(0), join(0)};
    /* They were busy, in unequal parts. */
    cost[all[0]] = BUDGET_NS;
    run_for(LONG_NS);
    cost[all[0]] = 0;
    run_for(BUDGET_NS);
    uint64_t before[] = {turns[0], turns[1], turns[2]};
    for (uint32_t i = 0; i < 300; i++)
        give_turn();
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(turns[all[i]] - before[i], 100);
}
END_TEST

START_TEST(a_newcomer_gets_ahead_of_nobody)
{
    uint32_t old = join(BUDGET_NS), other = join(SMALL_NS);
    run_for(LONG_NS);
    uint64_t before = used[old], others = used[other];
    uint32_t new = join(BUDGET_NS);
    run_for(LONG_NS);
    ck_assert_uint_le(apart(used[old] - before, used[new]), 2 * BUDGET_NS);
    ck_assert_uint_le(apart(used[other] - others, used[new]), 2 * BUDGET_NS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/share");
    TCase *tests = tcase_create("share");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, time_is_shared_not_turns);
    tcase_add_test(tests, three_get_a_third_each_beside_one_that_is_idle);
    tcase_add_test(tests, what_an_idle_one_left_is_not_saved_up);
    tcase_add_test(tests, work_that_comes_waits_for_one_turn);
    tcase_add_test(tests, idle_ones_take_turns);
    tcase_add_test(tests, a_newcomer_gets_ahead_of_nobody);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
