/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S  50
#define LARGE      2000u /* IP packets of these tests */
#define ITEM_BYTES 300u
#define HEADERS    28u /* IPv4 and UDP */

static struct bed *bed;

/* What passes, of both directions; IP packets by type that host 0 sent; the largest DATA. */
static uint32_t passes = UINT16_MAX, sent[WIRE_PART + 1], largest;

static struct bed_fate narrow(struct bed *b, uint32_t from, const struct wire_flow *header,
                              const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_chaos(b, from, header, payload, bytes);

    if (bytes + HEADERS > passes)
        fate.copies = 0;
    if (from == 0 && header->type <= WIRE_PART) {
        sent[header->type]++;
        if (header->type == WIRE_DATA)
            largest = RTE_MAX(largest, bytes + HEADERS);
    }
    return fate;
}

static void setup(void)
{
    passes = UINT16_MAX;
    memset(sent, 0, sizeof(sent));
    bed = bed_create();
    bed->judge = narrow;
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        bed->hosts[i].port.mtu = LARGE;
        bed->hosts[i].item_bytes = ITEM_BYTES;
    }
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

static void run_for(uint64_t ns)
{
    bed_run(bed, bed_never, ns);
}

static const struct transport_stats *stats(uint32_t host)
{
    return transport_stats(bed->hosts[host].transport);
}

/* Everything arrives, once, both ways, and the flow is the same. */
static void exchange(uint32_t items, uint64_t limit_ns)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        bed_give(bed, i, items);
    ck_assert(bed_run(bed, bed_all_received, limit_ns));
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].repeated + bed->hosts[i].damaged, 0);
        ck_assert_uint_eq(bed->hosts[i].ended, 0);
        ck_assert_uint_eq(bed->hosts[i].transport->parts.used, 0);
    }
}

/* The wire is in the middle of everything. */
static void give_much(void)
{
    bed_give(bed, 0, 20000);
    bed_give(bed, 1, 20000);
    run_for(50 * NSEC_PER_USEC);
    ck_assert_uint_gt(tx_window_outstanding(&bed->hosts[0].flow->tx), 3);
    ck_assert_uint_gt(largest, PMTU_BASE);
}

static bool caller_open(const struct bed *state)
{
    return state->hosts[0].flow && flow_is_open(state->hosts[0].flow);
}

START_TEST(a_round_trip_after_opening_the_agreed_size_is_used)
{
    bed_start(bed);
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, caller_open, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, PMTU_BASE);
    run_for(3 * BED_LATENCY_NS);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].flow->mtu, LARGE);
        ck_assert_uint_eq(stats(i)->searches, 1);
    }
    exchange(1000, NSEC_PER_SEC);
    ck_assert_uint_gt(largest, LARGE - ITEM_BYTES - WIRE_OP_BYTES);
    /* Questions are not packets of the flow. */
    ck_assert_uint_eq(stats(0)->retransmissions, 0);
    ck_assert_uint_eq(stats(0)->searches, 1);
}
END_TEST

START_TEST(the_first_version_asks_nothing)
{
    bed->hosts[1].config.wire_max = 1;
    connect_hosts();
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, LARGE);
    exchange(1000, NSEC_PER_SEC);
    ck_assert_uint_eq(sent[WIRE_SEARCH] + sent[WIRE_FOUND] + sent[WIRE_PART], 0);
}
END_TEST

/* Nobody told either side. */
START_TEST(a_path_that_was_always_narrow)
{
    passes = 1450;
    connect_hosts();
    exchange(2000, 10 * NSEC_PER_SEC);
    run_for(NSEC_PER_SEC);
    ck_assert_uint_le(bed->hosts[0].flow->mtu, passes);
    ck_assert_uint_gt(bed->hosts[0].flow->mtu + PMTU_STEP, passes);
    ck_assert_uint_eq(stats(0)->black_holes, 0);
    ck_assert_uint_eq(stats(0)->parts_sent, 0);
    /* Later it is wider. */
    passes = UINT16_MAX;
    run_for(PMTU_RAISE_NS + NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, LARGE);
}
END_TEST

/* A route changes to one that is narrower than all before, in the middle of everything; with loss
 * and disorder besides, in every second run. */
START_TEST(a_black_hole)
{
    static const uint32_t widths[] = {1900, 1500, 1280, 1000, 576};

    bed->loss = _i % 2 ? 100000 : 0;
    bed->reorder = _i % 2 ? 100000 : 0;
    bed->duplicate = _i % 2 ? 50000 : 0;
    connect_hosts();
    run_for(NSEC_PER_MSEC);
    give_much();
    passes = widths[_i / 2];
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    exchange(1000, 60 * NSEC_PER_SEC);
    ck_assert_uint_le(bed->hosts[0].flow->mtu, passes);
    ck_assert_uint_ge(stats(0)->black_holes, 1);
    ck_assert_uint_gt(stats(0)->parts_sent, 0);
    ck_assert_uint_gt(stats(1)->parts_joined, 0);
    /* The old way is back. */
    passes = UINT16_MAX;
    bed->loss = bed->reorder = bed->duplicate = 0;
    run_for(PMTU_RAISE_NS + NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, LARGE);
    exchange(1000, NSEC_PER_SEC);
}
END_TEST

/* What waited in parts, on either side, survives another process. */
START_TEST(a_black_hole_and_another_process)
{
    connect_hosts();
    run_for(NSEC_PER_MSEC);
    give_much();
    passes = 1300;
    for (uint32_t i = 0; i < 30; i++) {
        run_for(NSEC_PER_MSEC);
        bed_reload(bed, i % 2);
    }
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    exchange(100, 10 * NSEC_PER_SEC);
}
END_TEST

/* Where the kernel says that the way is narrower, nothing has to be found out first. */
START_TEST(an_announced_narrow_way)
{
    bed_resolve(bed, 0, 1);
    bed_start(bed);
    bed_connect(bed, 0);
    bed_answer(bed, 0, "10.0.0.2", 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    run_for(NSEC_PER_MSEC);
    give_much();
    passes = 1100;
    run_for(20 * NSEC_PER_USEC);
    bed_answer(bed, 0, "10.0.0.2", 2, 1100, 0);
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, 1100);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_gt(stats(0)->parts_sent, 0);
    ck_assert_uint_eq(stats(0)->black_holes, 0);
    exchange(1000, 10 * NSEC_PER_SEC);
}
END_TEST

/* A peer that is away is no black hole. */
START_TEST(a_partition_is_no_black_hole)
{
    connect_hosts();
    run_for(NSEC_PER_MSEC);
    give_much();
    passes = 0;
    run_for(NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, LARGE);
    passes = UINT16_MAX;
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].flow->mtu, LARGE);
    ck_assert_uint_eq(stats(0)->black_holes + stats(1)->black_holes, 0);
    exchange(100, NSEC_PER_SEC);
}
END_TEST

START_TEST(ipv6)
{
    bed_to_ipv6(bed);
    connect_hosts();
    run_for(NSEC_PER_MSEC);
    give_much();
    passes = 1400; /* as IPv4 counts; 20 bytes more here */
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    ck_assert_uint_gt(stats(0)->parts_sent, 0);
    ck_assert_uint_le(bed->hosts[0].flow->mtu, 1420);
    exchange(100, NSEC_PER_SEC);
}
END_TEST

/* A flow that nobody uses is forgotten, though its path is narrow. */
START_TEST(a_search_keeps_no_flow_alive)
{
    passes = 1400;
    connect_hosts();
    run_for(NSEC_PER_SEC);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        flow_release(bed->hosts[i].flow);
        bed->hosts[i].flow = NULL;
    }
    run_for(3 * FORGET_NS);
    ck_assert_uint_eq(bed->hosts[0].transport->flows_used, 0);
    ck_assert_uint_eq(bed->hosts[1].transport->flows_used, 0);
}
END_TEST

/* Parts of what is no packet, and of what has arrived already. */
START_TEST(hostile_parts)
{
    struct flow *flow;
    struct wire_part part = {.total = 2 * WIRE_PART_UNIT};
    uint8_t bytes[WIRE_FLOW_BYTES + WIRE_PART_BYTES + 2 * WIRE_PART_UNIT] = {0};
    uint64_t malformed, duplicates;

    connect_hosts();
    exchange(10, NSEC_PER_SEC);
    flow = bed->hosts[1].flow;
    struct wire_flow header = {.version = flow->version,
                               .type = WIRE_PART,
                               .token = flow->token,
                               .seq = flow->rx.next + 1,
                               .ack = flow->tx.una};
    malformed = stats(1)->rx_malformed;
    wire_flow_encode(&header, bytes);
    wire_part_encode(&part, bytes + WIRE_FLOW_BYTES);
    bed_inject(bed, 1, 0, bytes, sizeof(bytes));
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(stats(1)->rx_malformed, malformed + 1);
    ck_assert_uint_eq(bed->hosts[1].transport->parts.used, 0);
    ck_assert_uint_eq(flow->rx.held, 0);
    /* Half of it, and the end of the flow. */
    bed_inject(bed, 1, 0, bytes, sizeof(bytes) - WIRE_PART_UNIT);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(bed->hosts[1].transport->parts.used, 1);
    /* The first one counts as a duplicate, the others do not. */
    duplicates = stats(1)->rx_duplicate;
    header.seq = flow->rx.next - 1;
    wire_flow_encode(&header, bytes);
    bed_inject(bed, 1, 0, bytes, sizeof(bytes));
    part.offset = WIRE_PART_UNIT;
    wire_part_encode(&part, bytes + WIRE_FLOW_BYTES);
    bed_inject(bed, 1, 0, bytes, sizeof(bytes) - WIRE_PART_UNIT);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(stats(1)->rx_duplicate, duplicates + 1);
    /* What is outside of every window. */
    header.seq = flow->rx.next + RX_WINDOW;
    wire_flow_encode(&header, bytes);
    bed_inject(bed, 1, 0, bytes, sizeof(bytes) - WIRE_PART_UNIT);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(bed->hosts[1].transport->parts.used, 1);
    bed_reload(bed, 1);
    ck_assert_uint_eq(bed->hosts[1].transport->parts.used, 0);
    exchange(100, NSEC_PER_SEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmtu_flow");
    TCase *tc = tcase_create("pmtu_flow");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_round_trip_after_opening_the_agreed_size_is_used);
    tcase_add_test(tc, the_first_version_asks_nothing);
    tcase_add_test(tc, a_path_that_was_always_narrow);
    tcase_add_loop_test(tc, a_black_hole, 0, 10);
    tcase_add_test(tc, a_black_hole_and_another_process);
    tcase_add_test(tc, an_announced_narrow_way);
    tcase_add_test(tc, a_partition_is_no_black_hole);
    tcase_add_test(tc, ipv6);
    tcase_add_test(tc, a_search_keeps_no_flow_alive);
    tcase_add_test(tc, hostile_parts);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
