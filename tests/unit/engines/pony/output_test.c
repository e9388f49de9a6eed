/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S 50
#define PACE_NS   10000u

static struct bed *bed;
static uint32_t largest;
static uint64_t first_data, last_data;
static uint32_t data_packets;

static void setup(void)
{
    bed = bed_create();
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
    /* And know what size passes. */
    bed_run(bed, bed_never, 100 * NSEC_PER_USEC);
}

static struct bed_fate measure(struct bed *b, uint32_t from, const struct wire_flow *header,
                               const uint8_t *payload, uint32_t bytes)
{
    if (from == 0 && header->type == WIRE_DATA) {
        largest = RTE_MAX(largest, bytes);
        if (data_packets++ == 0)
            first_data = b->now;
        last_data = b->now;
    }
    return bed_perfect(b, from, header, payload, bytes);
}

START_TEST(packets_fit_the_smaller_side)
{
    bed->hosts[1].port.mtu = 900;
    bed->judge = measure;
    connect_hosts();
    ck_assert_uint_eq(flow_room(bed->hosts[0].flow), 900 - 20 - 8 - WIRE_FLOW_BYTES);
    ck_assert_uint_eq(flow_room(bed->hosts[1].flow), 900 - 20 - 8 - WIRE_FLOW_BYTES);
    bed_give(bed, 0, 5000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_gt(largest, 900 - 28 - 40);
    ck_assert_uint_le(largest, 900 - 28);
}
END_TEST

START_TEST(ipv6_and_a_tag)
{
    bed_to_ipv6(bed);
    bed->hosts[0].config.vlan = 5;
    bed->hosts[1].config.vlan = 5;
    connect_hosts();
    ck_assert_uint_eq(flow_room(bed->hosts[0].flow), BED_MTU - 40 - 8 - WIRE_FLOW_BYTES);
    bed->loss = 50000;
    bed->judge = bed_chaos;
    bed_give(bed, 0, 5000);
    bed_give(bed, 1, 5000);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].repeated + bed->hosts[1].repeated, 0);
}
END_TEST

/* A fill that has nothing to say yet, and kicks, is asked again until it has. */
START_TEST(work_that_says_nothing_yet_goes_on)
{
    connect_hosts();
    bed->hosts[0].thinks = 1000;
    bed_give(bed, 0, 10);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].thinks, 0);
}
END_TEST

START_TEST(the_wrong_tag_is_nobodys)
{
    bed->hosts[0].config.vlan = 5;
    bed->hosts[1].config.vlan = 6;
    bed_start(bed);
    bed_connect(bed, 0);
    bed_run(bed, bed_never, 3 * NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert_uint_eq(bed->hosts[1].transport->flows_used, 0);
}
END_TEST

static struct bed_fate swallow(struct bed *b, uint32_t from, const struct wire_flow *header,
                               const uint8_t *payload, uint32_t bytes)
{
    (void)b;
    (void)from;
    (void)header;
    (void)payload;
    (void)bytes;
    return (struct bed_fate){0};
}

/* Beyond the window it is only a few packets that leave, one each time that it is asked for. */
START_TEST(a_margin_beyond_the_window)
{
    const uint32_t window = 2 * MARGIN_PART;
    struct flow *flow;

    bed->hosts[0].config.cc = &cc_window;
    bed->hosts[0].config.cc_params = (struct cc_params){.window_min = 1, .window_max = window};
    connect_hosts();
    flow = bed->hosts[0].flow;
    bed_give(bed, 0, 5000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert(flow_arrived(flow, flow_number(flow) - 1));
    ck_assert(!flow_arrived(flow, flow_number(flow)));
    bed->judge = swallow;
    bed_give(bed, 0, 5000);
    bed_run(bed, bed_never, NSEC_PER_USEC);
    ck_assert_uint_eq(flow->tx.flying.count, window);
    ck_assert(!flow_arrived(flow, flow_number(flow) - 1));
    ck_assert(!flow_arrived(flow, flow_number(flow) - window));
    ck_assert(flow_arrived(flow, flow_number(flow) - window - 1));
    for (uint32_t i = 1; i <= 3; i++) {
        flow_kick_light(flow);
        flow_kick(flow);
        bed_run(bed, bed_never, NSEC_PER_USEC);
        ck_assert_uint_eq(flow->tx.flying.count, window + RTE_MIN(i, window / MARGIN_PART));
    }
    bed->judge = bed_perfect;
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
}
END_TEST

START_TEST(a_full_port_delays_and_loses_nothing)
{
    connect_hosts();
    bed->hosts[0].room = 0;
    bed_give(bed, 0, 1000);
    ck_assert(transport_pending(bed->hosts[0].transport));
    bed_run(bed, bed_never, 50 * NSEC_PER_USEC);
    ck_assert_uint_eq(bed->hosts[1].received, 0);
    ck_assert_uint_eq(bed->hosts[0].next_item, 0);
    for (bed->hosts[0].room = 1; bed->hosts[0].room < 40; bed->hosts[0].room++)
        bed_run(bed, bed_never, 5 * NSEC_PER_USEC);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(transport_stats(bed->hosts[0].transport)->retransmissions, 0);
}
END_TEST

START_TEST(an_empty_pool_delays_and_loses_nothing)
{
    static struct rte_mbuf *taken[BED_MBUFS + 1];
    struct rte_mempool *pool;
    uint32_t count = 0;

    connect_hosts();
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    pool = bed->hosts[0].port.pool;
    while ((taken[count] = rte_pktmbuf_alloc(pool)) != NULL)
        count++;
    bed_give(bed, 0, 1000);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_gt(transport_stats(bed->hosts[0].transport)->no_buffer, 0);
    ck_assert_uint_eq(bed->hosts[0].next_item, 0);
    /* A few come back: no more than they allow is under way. */
    rte_pktmbuf_free_bulk(taken, 5);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    rte_pktmbuf_free_bulk(taken + 5, count - 5);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].repeated, 0);
}
END_TEST

/* The wire holds every packet for long, as a slow in-process receiver does: what it holds must not
 * change while it is sent again. */
static struct bed_fate hold(struct bed *b, uint32_t from, const struct wire_flow *header,
                            const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    if (from == 0 && header->type == WIRE_DATA)
        fate.delay_ns = 20 * NSEC_PER_MSEC;
    return fate;
}

START_TEST(a_packet_in_other_hands_is_never_written_to)
{
    struct rte_mbuf *held;
    uint8_t before[256];
    uint32_t length;

    connect_hosts();
    bed->judge = hold;
    bed_give(bed, 0, 3);
    bed_run(bed, bed_never, 10 * NSEC_PER_USEC);
    ck_assert_uint_eq(bed->queued, 1);
    held = bed->queue[0].packet;
    length = rte_pktmbuf_data_len(held);
    memcpy(before, rte_pktmbuf_mtod(held, void *), length);
    /* The acknowledgement that a refresh would write changes meanwhile. */
    bed_give(bed, 1, 3);
    bed_run(bed, bed_never, 15 * NSEC_PER_MSEC);
    ck_assert_uint_gt(transport_stats(bed->hosts[0].transport)->retransmissions, 0);
    ck_assert_mem_eq(before, rte_pktmbuf_mtod(held, void *), length);
    bed->judge = bed_perfect;
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].repeated, 0);
}
END_TEST

static uint64_t gap;

static uint64_t gap_ns(const void *state)
{
    (void)state;
    return gap;
}

static void pace_by(uint64_t ns)
{
    static struct cc_ops paced;

    paced = cc_window;
    paced.gap_ns = gap_ns;
    gap = 0;
    bed->hosts[0].config.cc = &paced;
    bed->hosts[0].item_bytes = 1000;
    connect_hosts();
    gap = ns;
    bed->judge = measure;
}

START_TEST(packets_are_paced)
{
    pace_by(PACE_NS);
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(data_packets, 100);
    /* What the wheel is late by is made up for, and a pause by as much as the slack. */
    ck_assert_uint_ge(last_data - first_data, 99 * PACE_NS - PACE_SLACK_NS);
    ck_assert_uint_le(last_data - first_data, 99 * PACE_NS + PACE_NS);
}
END_TEST

/* A gap as long as a thread's pause makes it: the next, short one counts at once. */
START_TEST(a_gap_that_shrinks_is_not_waited_for)
{
    pace_by(NSEC_PER_SEC);
    bed_give(bed, 0, 2);
    bed_run(bed, bed_never, 10 * NSEC_PER_MSEC);
    ck_assert_uint_eq(data_packets, 1);
    gap = PACE_NS;
    flow_kick(bed->hosts[0].flow);
    bed_run(bed, bed_never, 2 * PACE_NS);
    ck_assert_uint_eq(data_packets, 2);
}
END_TEST

/* Nothing queues and the application is the limit: no timer, by either algorithm. */
START_TEST(an_uncongested_flow_is_not_paced)
{
    static const struct cc_ops *const all[] = {&cc_swift, &cc_timely};

    bed->hosts[0].config.cc = all[_i];
    bed->hosts[0].item_bytes = 1000;
    connect_hosts();
    for (uint32_t i = 0; i < 500; i++) {
        bed_give(bed, 0, 4);
        ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
        ck_assert(!wheel_timer_armed(&bed->hosts[0].flow->pace_timer));
    }
    ck_assert_uint_eq(bed->hosts[0].flow->pace_ns, 0);
    ck_assert_uint_eq(all[_i]->gap_ns(bed->hosts[0].flow->cc), 0);
    /* It did not grow either: that it was not needed says nothing of what the network bears. */
    ck_assert_uint_eq(all[_i]->window(bed->hosts[0].flow->cc), CC_INITIAL);
}
END_TEST

START_TEST(peers_may_have_an_algorithm_of_their_own)
{
    bed->hosts[0].peers[0].cc = &cc_window;
    connect_hosts();
    ck_assert_ptr_eq(bed->hosts[0].flow->cc_ops, &cc_window);
    ck_assert_ptr_eq(bed->hosts[1].flow->cc_ops, &cc_swift);
    bed_reload(bed, 0);
    ck_assert_ptr_eq(bed->hosts[0].flow->cc_ops, &cc_window);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *tc = tcase_create("output");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, packets_fit_the_smaller_side);
    tcase_add_test(tc, ipv6_and_a_tag);
    tcase_add_test(tc, work_that_says_nothing_yet_goes_on);
    tcase_add_test(tc, the_wrong_tag_is_nobodys);
    tcase_add_test(tc, a_margin_beyond_the_window);
    tcase_add_test(tc, a_full_port_delays_and_loses_nothing);
    tcase_add_test(tc, an_empty_pool_delays_and_loses_nothing);
    tcase_add_test(tc, a_packet_in_other_hands_is_never_written_to);
    tcase_add_test(tc, packets_are_paced);
    tcase_add_test(tc, a_gap_that_shrinks_is_not_waited_for);
    tcase_add_loop_test(tc, an_uncongested_flow_is_not_paced, 0, 2);
    tcase_add_test(tc, peers_may_have_an_algorithm_of_their_own);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
