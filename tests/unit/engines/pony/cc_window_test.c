/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc.h"

#include <check.h>
#include <stdalign.h>

#define RTT_NS 1000u

static alignas(8) uint8_t state[CC_STATE_BYTES];
static const struct cc_params params = {.window_min = 2, .window_max = 256};

static void setup(void)
{
    cc_window.init(state, &params, RTT_NS);
}

static uint32_t window(void)
{
    return cc_window.window(state);
}

static void acked(uint64_t now, uint32_t packets, bool ecn)
{
    struct cc_ack ack = {.now = now, .rtt_ns = RTT_NS, .packets = packets, .ecn = ecn};

    cc_window.acked(state, &ack);
}

START_TEST(slow_start_doubles_a_round_trip)
{
    ck_assert_uint_eq(window(), 10);
    acked(2000, 10, false);
    ck_assert_uint_eq(window(), 20);
    acked(3000, 20, false);
    ck_assert_uint_eq(window(), 40);
    acked(4000, 1000, false);
    ck_assert_uint_eq(window(), 256);
    ck_assert_uint_eq(cc_window.gap_ns(state), 0);
}
END_TEST

START_TEST(a_loss_halves_and_then_one_more_a_round_trip)
{
    acked(2000, 90, false);
    ck_assert_uint_eq(window(), 100);
    cc_window.lost(state, 3000);
    ck_assert_uint_eq(window(), 50);
    for (uint32_t i = 0; i < 49; i++)
        acked(4000, 1, false);
    ck_assert_uint_eq(window(), 50);
    acked(4000, 1, false);
    ck_assert_uint_eq(window(), 51);
}
END_TEST

START_TEST(a_time_out_starts_over_toward_half)
{
    acked(2000, 90, false);
    cc_window.timed_out(state, 3000);
    ck_assert_uint_eq(window(), 2);
    for (uint32_t i = 0; i < 48; i++)
        acked(4000, 1, false);
    ck_assert_uint_eq(window(), 50);
    acked(4000, 1, false);
    ck_assert_uint_eq(window(), 50);
}
END_TEST

START_TEST(marks_count_once_a_round_trip)
{
    acked(2000, 90, false);
    acked(3000, 1, true);
    ck_assert_uint_eq(window(), 50);
    acked(3500, 1, true);
    ck_assert_uint_eq(window(), 50);
    acked(4000, 1, true);
    ck_assert_uint_eq(window(), 25);
}
END_TEST

START_TEST(the_bounds_hold)
{
    for (uint32_t i = 0; i < 100; i++)
        cc_window.lost(state, 2000 + i);
    ck_assert_uint_eq(window(), 2);
    for (uint32_t i = 0; i < 100000; i++)
        acked(3000, 256, false);
    ck_assert_uint_eq(window(), 256);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cc_window");
    TCase *tc = tcase_create("cc_window");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, slow_start_doubles_a_round_trip);
    tcase_add_test(tc, a_loss_halves_and_then_one_more_a_round_trip);
    tcase_add_test(tc, a_time_out_starts_over_toward_half);
    tcase_add_test(tc, marks_count_once_a_round_trip);
    tcase_add_test(tc, the_bounds_hold);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
