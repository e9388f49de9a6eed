/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc_base.h"

#include <check.h>
#include <stdalign.h>

#define BASE_NS  10000u
#define LOW_NS   (BASE_NS + CC_QUEUE_MIN_NS)
#define HIGH_NS  (BASE_NS + 4 * CC_QUEUE_MIN_NS)
#define STALL_NS 5000000u
#define NSEC     1000000000ull

static alignas(8) uint8_t state[CC_STATE_BYTES];
static const struct cc_params params = {.window_min = 2, .window_max = 256};
static uint64_t now;

static uint32_t window(void)
{
    return cc_timely.window(state);
}

static uint64_t gap(void)
{
    return cc_timely.gap_ns(state);
}

static void acked(uint64_t rtt_ns, uint32_t packets)
{
    struct cc_ack ack = {.now = now, .rtt_ns = rtt_ns, .packets = packets, .flying = window()};

    cc_timely.acked(state, &ack);
}

/* A round trip in which all was sent that the rate, or the window, allows. */
static void turn(uint64_t rtt_ns)
{
    uint64_t wait = gap() > rtt_ns ? gap() : rtt_ns;

    now += wait;
    acked(rtt_ns, gap() ? (uint32_t)(wait / gap()) : window());
}

/* The answer to a packet that was alone: the flow has given way. */
static void lone(uint64_t rtt_ns)
{
    struct cc_ack ack = {.now = now, .rtt_ns = rtt_ns, .packets = 1, .flying = 1};

    cc_timely.acked(state, &ack);
}

static void setup(void)
{
    now = 1000000;
    cc_timely.init(state, &params, now);
    turn(BASE_NS);
}

/* Paced, at a hundred packets in as many microseconds. */
static void pace(void)
{
    struct cc_ack ack = {.rtt_ns = 100000, .packets = 1, .flying = 100};

    ack.now = now += 100000;
    cc_timely.acked(state, &ack);
    ck_assert_uint_eq(window(), 1);
    lone(100000);
    ck_assert_uint_eq(gap(), 1000);
}

START_TEST(free_until_the_low_threshold)
{
    ck_assert_uint_eq(window(), 20);
    ck_assert_uint_eq(gap(), 0);
    turn(LOW_NS - 1);
    ck_assert_uint_eq(window(), 40);
    ck_assert_uint_eq(gap(), 0);
    /* What was in flight is the rate. */
    turn(LOW_NS);
    ck_assert_uint_eq(gap(), 0);
    lone(LOW_NS);
    ck_assert_uint_eq(gap(), LOW_NS / 40);
}
END_TEST

START_TEST(a_rate_has_a_fixed_point)
{
    uint64_t before;

    pace();
    for (uint32_t i = 0; i < 2000; i++)
        turn(LOW_NS + 10000);
    lone(LOW_NS + 10000);
    before = gap();
    for (uint32_t i = 0; i < 500; i++)
        turn(LOW_NS + 10000);
    lone(LOW_NS + 10000);
    /* A rate that neither rises nor falls, at a constant delay: the original has none. */
    ck_assert_uint_eq(gap(), before);
    ck_assert_uint_gt(before, 1000);
    ck_assert_uint_lt(before, LOW_NS);
}
END_TEST

/* At one and the same delay, the slope says which way. */
START_TEST(the_slope_has_a_weight)
{
    uint64_t falling;

    pace();
    turn(LOW_NS + 60000);
    turn(LOW_NS + 30000);
    falling = gap();
    setup();
    pace();
    turn(LOW_NS + 1000);
    turn(LOW_NS + 30000);
    ck_assert_uint_gt(gap(), falling);
}
END_TEST

START_TEST(below_low_it_climbs_and_then_faster)
{
    uint64_t rates[12];

    pace();
    for (uint32_t i = 0; i < 12; i++) {
        turn(BASE_NS);
        rates[i] = NSEC / gap();
    }
    ck_assert_uint_gt(rates[0], 1000000);
    ck_assert_uint_gt(rates[11] - rates[8], 4 * (rates[3] - rates[0]));
}
END_TEST

START_TEST(above_high_it_falls_by_a_half_at_most)
{
    pace();
    turn(HIGH_NS + 10000);
    ck_assert_uint_gt(gap(), 1000);
    ck_assert_uint_lt(gap(), 1100);
    setup();
    pace();
    turn(10 * HIGH_NS);
    ck_assert_uint_eq(gap(), 2000);
}
END_TEST

START_TEST(losses_and_time_outs)
{
    struct cc_ack mark = {.rtt_ns = 100000, .packets = 1, .ecn = true};

    pace();
    cc_timely.lost(state, now);
    ck_assert_uint_eq(gap(), 2000);
    /* With a short round trip it was hardly for want of room. */
    acked(BASE_NS, 1);
    cc_timely.lost(state, now);
    ck_assert_uint_eq(gap(), 2666);
    mark.now = now += 100000;
    cc_timely.acked(state, &mark);
    cc_timely.acked(state, &mark);
    ck_assert_uint_eq(gap(), 5333);
    for (uint32_t i = 0; i < CC_RESETS; i++)
        cc_timely.timed_out(state, now);
    ck_assert_uint_eq(gap(), NSEC / 100);
    ck_assert_uint_ge(window(), 2);
}
END_TEST

START_TEST(a_loss_ends_freedom)
{
    cc_timely.lost(state, now);
    ck_assert_uint_gt(gap(), 0);
    ck_assert_uint_gt(window(), 1);
}
END_TEST

/* Not the flow's doing, so not its to answer for; and free again when the delay is gone. */
START_TEST(a_rate_that_is_not_used_stays)
{
    pace();
    for (uint32_t i = 0; i < 100; i++) {
        now += 10 * HIGH_NS;
        acked(HIGH_NS, 1);
    }
    lone(HIGH_NS);
    ck_assert_uint_eq(gap(), 1000);
    for (uint32_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(gap(), 1000);
        now += HIGH_NS;
        acked(BASE_NS, 1);
    }
    ck_assert_uint_eq(gap(), 0);
    ck_assert_uint_eq(window(), LOW_NS / 1000 + 1);
}
END_TEST

START_TEST(noise_is_over_after_a_bounded_time)
{
    uint32_t turns = 0;

    pace();
    for (uint32_t i = 0; i < 20; i++) {
        now += STALL_NS;
        for (uint32_t j = 0; j < 200; j++)
            acked(STALL_NS, 1);
    }
    lone(STALL_NS);
    ck_assert_uint_le(gap(), NSEC / 100);
    for (; gap() > 1600 && turns < 1000; turns++)
        turn(BASE_NS);
    ck_assert_uint_lt(turns, 100);
}
END_TEST

START_TEST(the_report)
{
    struct cc_report report;

    cc_timely.report(state, &report);
    ck_assert_uint_eq(report.base_ns, BASE_NS);
    ck_assert_uint_eq(report.target_ns, LOW_NS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cc_timely");
    TCase *tc = tcase_create("cc_timely");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, free_until_the_low_threshold);
    tcase_add_test(tc, a_rate_has_a_fixed_point);
    tcase_add_test(tc, the_slope_has_a_weight);
    tcase_add_test(tc, below_low_it_climbs_and_then_faster);
    tcase_add_test(tc, above_high_it_falls_by_a_half_at_most);
    tcase_add_test(tc, losses_and_time_outs);
    tcase_add_test(tc, a_loss_ends_freedom);
    tcase_add_test(tc, a_rate_that_is_not_used_stays);
    tcase_add_test(tc, noise_is_over_after_a_bounded_time);
    tcase_add_test(tc, the_report);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
