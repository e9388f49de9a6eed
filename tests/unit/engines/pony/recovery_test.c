/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S  50
#define ITEM_BYTES 1000u /* one to a packet */

static struct bed *bed;

static void setup(void)
{
    bed = bed_create();
    bed->hosts[0].item_bytes = ITEM_BYTES;
}

static void teardown(void)
{
    bed_destroy(bed);
}

static void connect_hosts(void)
{
    bed_start(bed);
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static const struct transport_stats *stats(void)
{
    return transport_stats(bed->hosts[0].transport);
}

/* Drops data packets number script[0] to script[1] - 1 of host 0, counted in script[2]. */
static struct bed_fate drop_range(struct bed *b, uint32_t from, const struct wire_flow *header,
                                  const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    if (from == 0 && header->type == WIRE_DATA) {
        if (b->script[2] >= b->script[0] && b->script[2] < b->script[1])
            fate.copies = 0;
        b->script[2]++;
    }
    return fate;
}

static struct bed_fate drop_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.copies = 0;
    b->script[0]++;
    return fate;
}

/* Every eighth data packet of host 0 arrives after about ten later ones. */
static struct bed_fate delay_some(struct bed *b, uint32_t from, const struct wire_flow *header,
                                  const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    if (from == 0 && header->type == WIRE_DATA && ++b->script[0] % 8 == 0)
        fate.delay_ns = 2 * BED_LATENCY_NS;
    return fate;
}

START_TEST(a_lost_packet_is_sent_again_without_a_time_out)
{
    bed->judge = drop_range;
    bed->script[0] = 50;
    bed->script[1] = 51;
    connect_hosts();
    bed_give(bed, 0, 500);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(stats()->retransmissions, 1);
    ck_assert_uint_eq(stats()->fast_retransmissions, 1);
    ck_assert_uint_eq(stats()->timeouts, 0);
    ck_assert_uint_eq(transport_stats(bed->hosts[1].transport)->rx_duplicate, 0);
}
END_TEST

START_TEST(a_lost_tail_is_asked_for_without_a_time_out)
{
    bed->judge = drop_range;
    bed->script[0] = 99;
    bed->script[1] = 100;
    connect_hosts();
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(stats()->retransmissions, 1);
    ck_assert_uint_eq(stats()->fast_retransmissions, 0);
    ck_assert_uint_eq(stats()->timeouts, 0);
}
END_TEST

/* The question is lost too: it is asked once, then the time-out's turn comes. */
START_TEST(a_tail_lost_twice_is_sent_again_by_time_out)
{
    bed->judge = drop_range;
    bed->script[0] = 98;
    bed->script[1] = 101;
    connect_hosts();
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(stats()->timeouts, 1);
    ck_assert_uint_eq(stats()->retransmissions, 3);
    ck_assert_uint_eq(bed->hosts[1].repeated, 0);
}
END_TEST

/* The retransmission is lost too, and its retransmission. */
START_TEST(a_packet_lost_again_and_again_arrives)
{
    bed->judge = drop_range;
    bed->script[0] = 0;
    bed->script[1] = 6;
    connect_hosts();
    bed_give(bed, 0, 1);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(stats()->timeouts, 5); /* and before them the question for the tail */
    ck_assert_uint_eq(stats()->retransmissions, 6);
}
END_TEST

START_TEST(hundreds_lost_in_a_row)
{
    bed->judge = drop_range;
    bed->script[0] = 200;
    bed->script[1] = 400;
    connect_hosts();
    bed_give(bed, 0, 2000);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].repeated, 0);
}
END_TEST

START_TEST(a_silent_peer_is_dead_in_bounded_time)
{
    uint64_t start;

    bed->hosts[0].config.dead_after_ns = 3 * NSEC_PER_SEC;
    connect_hosts();
    bed->judge = drop_all;
    bed_give(bed, 0, 1);
    start = bed->now;
    bed_run(bed, bed_never, 3 * NSEC_PER_SEC - 10 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 0);
    bed_run(bed, bed_never, 20 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert_int_eq(bed->hosts[0].error, -ETIMEDOUT);
    /* Backing off: far fewer tries than the shortest time-out allows. That includes questions about
     * the size of packets, for it might have been that. */
    ck_assert_uint_lt(bed->script[0], 80);
    ck_assert_uint_gt(bed->now, start);
}
END_TEST

/* The first reordered packets are taken for lost; then the flow has learned to wait. */
START_TEST(reordering_teaches_patience)
{
    connect_hosts();
    bed->judge = delay_some;
    bed_give(bed, 0, 20000);
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    ck_assert_uint_gt(bed->hosts[0].flow->reorder, REORDER_MIN);
    ck_assert_uint_lt(stats()->retransmissions, 20000 / 8 / 10);
}
END_TEST

static uint32_t losses;

static void count_loss(void *state, uint64_t now)
{
    losses++;
    cc_window.lost(state, now);
}

START_TEST(losses_of_one_round_trip_are_one_signal)
{
    struct cc_ops counting = cc_window;

    counting.lost = count_loss;
    bed->hosts[0].config.cc = &counting;
    bed->judge = drop_range;
    bed->script[0] = 60;
    bed->script[1] = 75;
    connect_hosts();
    bed_give(bed, 0, 500);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_ge(stats()->fast_retransmissions, 15);
    ck_assert_uint_eq(losses, 1);
}
END_TEST

/* Packet numbers wrap in the middle of chaos. */
START_TEST(numbers_wrap)
{
    bed_start(bed);
    bed_connect(bed, 0);
    bed->hosts[0].flow->first_seq = UINT32_MAX - 300;
    tx_window_init(&bed->hosts[0].flow->tx, UINT32_MAX - 300);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    bed->judge = bed_chaos;
    bed->loss = 100000;
    bed->duplicate = 100000;
    bed->reorder = 200000;
    bed_give(bed, 0, 1000);
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    ck_assert_uint_lt(bed->hosts[0].flow->tx.next, 2000);
    ck_assert_uint_eq(bed->hosts[1].repeated, 0);
}
END_TEST

/* An engine that sleeps without being rung looks for packets now and then: the round trip is long,
 * and the network is empty. 0 and 1: that host alone; 2: both. */
START_TEST(a_host_that_looks_rarely_is_no_congestion)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        bed->hosts[i].config.cc = &cc_swift;
    bed_start(bed);
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    for (int i = 0; i < (int)BED_HOSTS; i++)
        bed->hosts[i].looks_every = _i == i || _i == 2 ? 2 * NSEC_PER_MSEC : 0;
    bed_give(bed, 0, 2000);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    /* Time has run out before the time-out had learned; but the flow does not crawl. */
    struct flow *flow = bed->hosts[0].flow;
    ck_assert_uint_gt(flow->cc_ops->window(flow->cc), 3);
    ck_assert_uint_eq(flow->cc_ops->gap_ns(flow->cc), 0);
    /* Time-outs reckon with it. */
    if (_i != 0)
        ck_assert_uint_ge(flow->rtt.smoothed_ns, NSEC_PER_MSEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recovery");
    TCase *tc = tcase_create("recovery");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_lost_packet_is_sent_again_without_a_time_out);
    tcase_add_test(tc, a_lost_tail_is_asked_for_without_a_time_out);
    tcase_add_test(tc, a_tail_lost_twice_is_sent_again_by_time_out);
    tcase_add_test(tc, a_packet_lost_again_and_again_arrives);
    tcase_add_test(tc, hundreds_lost_in_a_row);
    tcase_add_test(tc, a_silent_peer_is_dead_in_bounded_time);
    tcase_add_test(tc, reordering_teaches_patience);
    tcase_add_test(tc, losses_of_one_round_trip_are_one_signal);
    tcase_add_test(tc, numbers_wrap);
    tcase_add_loop_test(tc, a_host_that_looks_rarely_is_no_congestion, 0, 3);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
