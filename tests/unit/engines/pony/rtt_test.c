/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/rtt.h"

#include <check.h>

#define MIN_NS 1000000u
#define MAX_NS 200000000u

START_TEST(the_time_out_follows_the_samples)
{
    struct rtt rtt = {0};

    ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), RTT_INITIAL_NS);
    rtt_sample(&rtt, 8000000, 0);
    ck_assert_uint_eq(rtt.smoothed_ns, 8000000);
    ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), 8000000 + 4 * 4000000);
    rtt_sample(&rtt, 16000000, 0);
    ck_assert_uint_eq(rtt.smoothed_ns, 9000000);
    ck_assert_uint_eq(rtt.variation_ns, 5000000);
    for (int i = 0; i < 1000; i++)
        rtt_sample(&rtt, 20000, 0);
    ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), MIN_NS);
}
END_TEST

START_TEST(backing_off_doubles_up_to_the_maximum)
{
    struct rtt rtt = {0};

    rtt_sample(&rtt, 10000, 0);
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), (uint64_t)MIN_NS << i);
        rtt_back_off(&rtt);
    }
    for (int i = 0; i < 1000; i++) {
        rtt_back_off(&rtt);
        ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), MAX_NS);
    }
    rtt_progress(&rtt);
    ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), MIN_NS);
}
END_TEST

START_TEST(the_peers_delay_is_taken_off_but_not_below_the_least_seen)
{
    struct rtt rtt = {0};

    rtt_sample(&rtt, 10000, 9000);
    ck_assert_uint_eq(rtt.latest_ns, 10000);
    rtt_sample(&rtt, 30000, 20000);
    ck_assert_uint_eq(rtt.latest_ns, 10000);
    rtt_sample(&rtt, 30000, 20001);
    ck_assert_uint_eq(rtt.latest_ns, 10000);
    ck_assert_uint_eq(rtt_without_delay(&rtt, 30000, 15000), 15000);
    ck_assert_uint_eq(rtt_without_delay(&rtt, 30000, UINT64_MAX), 10000);
    ck_assert_uint_eq(rtt_without_delay(&rtt, 9000, 1000), 9000);
}
END_TEST

START_TEST(nonsense_is_bounded)
{
    struct rtt rtt = {0};

    for (int i = 0; i < 100; i++)
        rtt_sample(&rtt, UINT64_MAX, UINT64_MAX);
    ck_assert_uint_eq(rtt.smoothed_ns, RTT_MAX_NS);
    ck_assert_uint_eq(rtt_rto(&rtt, MIN_NS, MAX_NS), MAX_NS);
    rtt_sample(&rtt, 0, 0);
    ck_assert_uint_eq(rtt.min_ns, 1);
    ck_assert_uint_ge(rtt_reorder_delay(&rtt, 16), RTT_GRANULARITY_NS);
}
END_TEST

START_TEST(a_tail_is_asked_for_after_two_round_trips_or_more)
{
    struct rtt rtt = {0};

    ck_assert_uint_eq(rtt_tail_delay(&rtt), UINT64_MAX);
    rtt_sample(&rtt, 80000, 0);
    ck_assert_uint_eq(rtt_tail_delay(&rtt), 80000 + 4 * 40000 + RTT_GRANULARITY_NS);
    for (int i = 0; i < 100; i++)
        rtt_sample(&rtt, 400000, 0);
    ck_assert_uint_eq(rtt_tail_delay(&rtt), 2 * rtt.smoothed_ns + RTT_GRANULARITY_NS);
}
END_TEST

START_TEST(a_tail_is_not_asked_for_before_the_peer_can_have_come_round)
{
    struct rtt rtt = {0};

    for (int i = 0; i < 100; i++)
        rtt_sample(&rtt, 4000, 0);
    ck_assert_uint_eq(rtt_tail_delay(&rtt), RTT_TAIL_MIN_NS);
}
END_TEST

START_TEST(reordering_is_waited_for_in_eighths)
{
    struct rtt rtt = {0};

    rtt_sample(&rtt, 80000, 0);
    ck_assert_uint_eq(rtt_reorder_delay(&rtt, 9), 90000);
    rtt_sample(&rtt, 800000, 0);
    ck_assert_uint_eq(rtt_reorder_delay(&rtt, 9), 900000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtt");
    TCase *tc = tcase_create("rtt");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, the_time_out_follows_the_samples);
    tcase_add_test(tc, backing_off_doubles_up_to_the_maximum);
    tcase_add_test(tc, the_peers_delay_is_taken_off_but_not_below_the_least_seen);
    tcase_add_test(tc, nonsense_is_bounded);
    tcase_add_test(tc, a_tail_is_asked_for_after_two_round_trips_or_more);
    tcase_add_test(tc, a_tail_is_not_asked_for_before_the_peer_can_have_come_round);
    tcase_add_test(tc, reordering_is_waited_for_in_eighths);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
