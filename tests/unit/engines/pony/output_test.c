/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S 50
#define PACE_NS   10000u

static struct bed *bed;
static uint32_t largest;
static uint64_t last_data, least_gap = UINT64_MAX;

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
}

static struct bed_fate measure(struct bed *b, uint32_t from, const struct wire_flow *header,
                               const uint8_t *payload, uint32_t bytes)
{
    if (from == 0 && header->type == WIRE_DATA) {
        largest = RTE_MAX(largest, bytes);
        if (last_data != 0)
            least_gap = RTE_MIN(least_gap, b->now - last_data);
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

static uint64_t gap_ns(const void *state)
{
    (void)state;
    return PACE_NS;
}

START_TEST(packets_are_paced)
{
    struct cc_ops paced = cc_window;

    paced.gap_ns = gap_ns;
    bed->hosts[0].config.cc = &paced;
    bed->hosts[0].item_bytes = 1000;
    connect_hosts();
    bed->judge = measure;
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    /* The wheel fires late, never early: the gaps that follow a late packet may be shorter. */
    ck_assert_uint_ge(least_gap, PACE_NS - WHEEL_TICK_NS);
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
    tcase_add_test(tc, a_full_port_delays_and_loses_nothing);
    tcase_add_test(tc, an_empty_pool_delays_and_loses_nothing);
    tcase_add_test(tc, a_packet_in_other_hands_is_never_written_to);
    tcase_add_test(tc, packets_are_paced);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
