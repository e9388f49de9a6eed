/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc_base.h"

#include <check.h>

#define AIM_NS 60000u

static struct cc_base base;
static uint64_t now;

static void setup(void)
{
    base = (struct cc_base){0};
    now = 1;
    cc_base_sample(&base, 10000, AIM_NS, now);
    ck_assert_uint_eq(base.base_ns, 10000);
}

/* Samples of one length, a tenth of a millisecond apart. */
static void samples(uint64_t rtt_ns, uint64_t for_ns)
{
    for (uint64_t end = now + for_ns; now < end; now += 100000)
        cc_base_sample(&base, rtt_ns, AIM_NS, now);
}

START_TEST(a_shorter_one_is_believed_at_once)
{
    samples(5000, 1);
    ck_assert_uint_eq(base.base_ns, 5000);
}
END_TEST

/* A queue that control holds near its aim is no path. */
START_TEST(a_standing_queue_is_not_the_path)
{
    samples(AIM_NS, 20 * (uint64_t)CC_PERIOD_NS);
    ck_assert_uint_eq(base.base_ns, 10000);
    for (uint32_t i = 0; i < 20; i++) {
        samples(4 * AIM_NS, CC_PERIOD_NS / 2);
        samples(AIM_NS, 1);
        samples(4 * AIM_NS, CC_PERIOD_NS / 4);
    }
    ck_assert_uint_eq(base.base_ns, 10000);
}
END_TEST

START_TEST(a_longer_route_is_found_out)
{
    samples(200000, CC_PERIOD_NS / 2);
    ck_assert_uint_eq(base.base_ns, 10000);
    samples(200000, 2 * (uint64_t)CC_PERIOD_NS);
    ck_assert_uint_eq(base.base_ns, 200000);
    /* And what was mistaken for one is given up again. */
    samples(10000, 1);
    ck_assert_uint_eq(base.base_ns, 10000);
}
END_TEST

/* A few monstrous samples, however long they take to come, are no route. */
START_TEST(noise_does_not_stick)
{
    for (uint32_t i = 0; i < CC_PERIOD_SAMPLES - 1; i++) {
        now += CC_PERIOD_NS;
        cc_base_sample(&base, 5000000, AIM_NS, now);
    }
    ck_assert_uint_eq(base.base_ns, 10000);
}
END_TEST

START_TEST(what_may_queue)
{
    ck_assert_uint_eq(cc_base_queue(&base), CC_QUEUE_MIN_NS);
    base.base_ns = 3 * CC_QUEUE_MIN_NS;
    ck_assert_uint_eq(cc_base_queue(&base), 3 * CC_QUEUE_MIN_NS);
}
END_TEST

static bool yields(uint32_t flying)
{
    struct cc_ack ack = {.now = now, .flying = flying};

    return cc_base_yields(&base, &ack);
}

START_TEST(a_flow_gives_way_until_it_is_alone)
{
    ck_assert(!yields(10));
    cc_base_yield(&base, now);
    ck_assert(yields(10));
    ck_assert(yields(2));
    ck_assert(!yields(1));
    ck_assert(!yields(10));
    /* Whatever is lost on the way, there is an end. */
    cc_base_yield(&base, now);
    now += 7 * AIM_NS;
    ck_assert(yields(10));
    now += 2 * AIM_NS;
    ck_assert(!yields(10));
}
END_TEST

START_TEST(a_flow_gives_way_now_and_then_if_the_queue_stands)
{
    samples(20000, CC_YIELD_NS); /* near enough */
    samples(30000, CC_YIELD_NS / 2);
    ck_assert(!yields(10));
    samples(30000, CC_YIELD_NS);
    ck_assert(yields(10));
    ck_assert(!yields(1));
    samples(30000, CC_YIELD_NS / 2);
    ck_assert(!yields(10));
    samples(30000, CC_YIELD_NS);
    ck_assert(yields(10));
}
END_TEST

START_TEST(when_the_window_is_the_limit)
{
    struct cc_ack ack = {.flying = 9};

    ck_assert(cc_limited(&ack, 9 * CC_PACKET + 1));
    ck_assert(!cc_limited(&ack, 10 * CC_PACKET));
    ack.flying = 1;
    ck_assert(cc_limited(&ack, CC_PACKET / 2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cc_base");
    TCase *tc = tcase_create("cc_base");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_shorter_one_is_believed_at_once);
    tcase_add_test(tc, a_standing_queue_is_not_the_path);
    tcase_add_test(tc, a_longer_route_is_found_out);
    tcase_add_test(tc, noise_does_not_stick);
    tcase_add_test(tc, what_may_queue);
    tcase_add_test(tc, a_flow_gives_way_until_it_is_alone);
    tcase_add_test(tc, a_flow_gives_way_now_and_then_if_the_queue_stands);
    tcase_add_test(tc, when_the_window_is_the_limit);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
