/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc_base.h"

#include <check.h>
#include <stdalign.h>

#define BASE_NS  10000u
#define LOW_NS   (BASE_NS + CC_QUEUE_MIN_NS) /* below it nothing decreases */
#define FAR_NS   1000000u                    /* far above any target here */
#define STALL_NS 5000000u
#define WAKES_NS 300000u /* what hosts whose threads sleep add to a round trip */

static alignas(8) uint8_t state[CC_STATE_BYTES];
static const struct cc_params params = {.window_min = 2, .window_max = 256};
static uint64_t now;

static uint32_t window(void)
{
    return cc_swift.window(state);
}

/* One acknowledgement of a flow that its window holds back. */
static void acked(uint64_t rtt_ns, uint32_t packets)
{
    struct cc_ack ack = {.now = now, .rtt_ns = rtt_ns, .packets = packets, .flying = window()};

    cc_swift.acked(state, &ack);
}

/* A round trip in which everything is acknowledged. */
static void turn(uint64_t rtt_ns)
{
    now += rtt_ns;
    acked(rtt_ns, window());
}

/* The answer to a packet that was alone: the flow has given way. */
static void lone(uint64_t rtt_ns)
{
    struct cc_ack ack = {.now = now, .rtt_ns = rtt_ns, .packets = 1, .flying = 1};

    cc_swift.acked(state, &ack);
}

static void setup(void)
{
    now = 1000000;
    cc_swift.init(state, &params, now);
    turn(BASE_NS);
}

/* To a hundredth of a packet. */
static void shrink(void)
{
    for (uint32_t i = 0; i < 50; i++)
        turn(FAR_NS);
    lone(FAR_NS);
    ck_assert_uint_eq(window(), 1);
}

START_TEST(slow_start_until_the_first_decrease)
{
    ck_assert_uint_eq(window(), 20);
    turn(BASE_NS);
    ck_assert_uint_eq(window(), 40);
    /* By a half; and it gives way before it goes on. */
    turn(FAR_NS);
    ck_assert_uint_eq(window(), 1);
    ck_assert_uint_eq(cc_swift.gap_ns(state), 0);
    lone(BASE_NS);
    ck_assert_uint_eq(window(), 20);
    turn(BASE_NS);
    ck_assert_uint_eq(window(), 21);
    for (uint32_t i = 0; i < 1000; i++)
        turn(BASE_NS);
    ck_assert_uint_eq(window(), params.window_max);
}
END_TEST

START_TEST(one_decrease_a_round_trip)
{
    now += FAR_NS;
    acked(FAR_NS, 1);
    lone(FAR_NS);
    ck_assert_uint_eq(window(), 10);
    for (uint32_t i = 0; i < 100; i++)
        acked(FAR_NS, 1);
    cc_swift.lost(state, now);
    cc_swift.timed_out(state, now);
    ck_assert_uint_eq(window(), 10);
    now += FAR_NS;
    cc_swift.lost(state, now);
    ck_assert_uint_eq(window(), 5);
}
END_TEST

/* By eight tenths of the excess relative to the delay, not by a half. */
START_TEST(a_small_excess_costs_little)
{
    struct cc_report report;

    for (uint32_t i = 0; i < 3; i++)
        turn(BASE_NS);
    ck_assert_uint_eq(window(), 160);
    /* A window of more than a hundred packets has no share of its own in the target. */
    turn(LOW_NS * 10 / 9);
    lone(BASE_NS);
    ck_assert_uint_eq(window(), 148);
    cc_swift.report(state, &report);
    ck_assert_uint_eq(report.base_ns, BASE_NS);
    ck_assert_uint_eq(report.target_ns, LOW_NS);
}
END_TEST

START_TEST(a_smaller_window_yields_later)
{
    shrink();
    acked(LOW_NS + 10000, 1);
    ck_assert_uint_eq(window(), 2);
    for (uint32_t i = 0; i < 300; i++)
        turn(BASE_NS);
    ck_assert_uint_gt(window(), 200);
    turn(LOW_NS + 10000);
    ck_assert_uint_lt(window(), 256);
}
END_TEST

START_TEST(below_one_packet_by_pacing)
{
    ck_assert_uint_eq(cc_swift.gap_ns(state), 0);
    shrink();
    /* A hundredth of a packet, counted with the target and not with what a pause makes of it. */
    ck_assert_uint_ge(cc_swift.gap_ns(state), 100 * LOW_NS);
    ck_assert_uint_le(cc_swift.gap_ns(state), 101 * (LOW_NS + CC_QUEUE_MIN_NS));
    turn(BASE_NS);
    ck_assert_uint_eq(window(), 2);
    ck_assert_uint_le(cc_swift.gap_ns(state), BASE_NS);
    turn(BASE_NS);
    turn(BASE_NS);
    turn(BASE_NS);
    ck_assert_uint_eq(cc_swift.gap_ns(state), 0);
}
END_TEST

START_TEST(repeated_time_outs_void_what_was_learned)
{
    for (uint32_t i = 0; i < CC_RESETS - 1; i++)
        cc_swift.timed_out(state, now);
    ck_assert_uint_eq(window(), 10); /* all of them in one round trip */
    cc_swift.timed_out(state, now);
    ck_assert_uint_eq(window(), 1);
    ck_assert_uint_gt(cc_swift.gap_ns(state), 90 * BASE_NS);
    /* Progress in between begins the count anew. */
    turn(BASE_NS);
    for (uint32_t i = 0; i < CC_RESETS - 1; i++) {
        cc_swift.timed_out(state, now);
        acked(0, 1);
    }
    ck_assert_uint_ge(window(), 1);
    ck_assert_uint_lt(cc_swift.gap_ns(state), 3 * BASE_NS);
}
END_TEST

START_TEST(a_mark_counts_as_a_loss)
{
    struct cc_ack ack = {.rtt_ns = BASE_NS, .packets = 1, .ecn = true};

    now += BASE_NS;
    ack.now = now;
    cc_swift.acked(state, &ack);
    cc_swift.acked(state, &ack);
    ck_assert_uint_eq(window(), 10);
}
END_TEST

START_TEST(no_growth_without_need)
{
    struct cc_ack ack = {.rtt_ns = BASE_NS, .packets = 4, .flying = 4};

    for (uint32_t i = 0; i < 1000; i++) {
        ack.now = now += BASE_NS;
        cc_swift.acked(state, &ack);
    }
    ck_assert_uint_eq(window(), 20);
}
END_TEST

/* A thread that did not run for a while: all that it finds afterwards says the same. */
START_TEST(noise_is_over_after_a_bounded_time)
{
    for (uint32_t i = 0; i < 10; i++)
        turn(BASE_NS);
    for (uint32_t i = 0; i < 20; i++) {
        now += STALL_NS;
        for (uint32_t j = 0; j < 200; j++)
            acked(STALL_NS, 1);
    }
    lone(STALL_NS);
    ck_assert_uint_eq(window(), 1);
    ck_assert_uint_le(cc_swift.gap_ns(state), 101 * (LOW_NS + CC_QUEUE_MIN_NS));
    for (uint32_t i = 0; i < 20; i++)
        turn(BASE_NS);
    ck_assert_uint_ge(window(), 20);
}
END_TEST

/* Longer round trips than are aimed at, for as long as little is sent. */
START_TEST(waking_threads_holds_a_flow_to_one_packet)
{
    for (uint32_t i = 0; i < 200; i++) {
        turn(WAKES_NS);
        if (i % 20 == 0) /* now and then they are awake already */
            acked(BASE_NS, 1);
    }
    ck_assert_uint_ge(window(), 1);
    ck_assert_uint_le(window(), 3);
    ck_assert_uint_le(cc_swift.gap_ns(state), LOW_NS + CC_QUEUE_MIN_NS);
    /* More than that is a queue. */
    shrink();
    ck_assert_uint_ge(cc_swift.gap_ns(state), 90 * LOW_NS);
}
END_TEST

START_TEST(what_losses_took_comes_back_between_sleeping_threads)
{
    for (uint32_t i = 0; i < CC_RESETS; i++)
        cc_swift.timed_out(state, now);
    ck_assert_uint_gt(cc_swift.gap_ns(state), 90 * BASE_NS);
    for (uint32_t i = 0; i < 100; i++)
        turn(WAKES_NS);
    ck_assert_uint_ge(cc_swift.gap_ns(state), 2 * LOW_NS);
    for (uint32_t i = 0; i < 100; i++)
        turn(WAKES_NS);
    ck_assert_uint_le(cc_swift.gap_ns(state), LOW_NS + CC_QUEUE_MIN_NS);
    ck_assert_uint_eq(window(), 1);
}
END_TEST

START_TEST(a_longer_route_ends_the_crawl)
{
    uint32_t turns = 0;

    for (; window() < 20 && turns < 5000; turns++)
        turn(20 * BASE_NS);
    while (now < 400000000u)
        turn(20 * BASE_NS);
    ck_assert_uint_gt(window(), 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cc_swift");
    TCase *tc = tcase_create("cc_swift");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, slow_start_until_the_first_decrease);
    tcase_add_test(tc, one_decrease_a_round_trip);
    tcase_add_test(tc, a_small_excess_costs_little);
    tcase_add_test(tc, a_smaller_window_yields_later);
    tcase_add_test(tc, below_one_packet_by_pacing);
    tcase_add_test(tc, repeated_time_outs_void_what_was_learned);
    tcase_add_test(tc, a_mark_counts_as_a_loss);
    tcase_add_test(tc, no_growth_without_need);
    tcase_add_test(tc, noise_is_over_after_a_bounded_time);
    tcase_add_test(tc, waking_threads_holds_a_flow_to_one_packet);
    tcase_add_test(tc, what_losses_took_comes_back_between_sleeping_threads);
    tcase_add_test(tc, a_longer_route_ends_the_crawl);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
