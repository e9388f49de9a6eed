/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Peers and flows, as operators see them. */
#include "engines/pony/transport_view.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <stdio.h>

#define TIMEOUT_S 50
#define ITEMS     2000u
#define HOST1     "10.0.0.2"
#define STRANGERS 40u

static struct bed *bed;
static struct view_peer peers[VIEW_ENTRIES];
static struct view_flow flows[VIEW_ENTRIES];

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

static const struct transport *transport_of(uint32_t host)
{
    return bed->hosts[host].transport;
}

static struct view_flow *only_flow(uint32_t host)
{
    struct view_scan scan = {0};

    do {
        transport_view_flows(transport_of(host), &scan, flows);
    } while (scan.count == 0 && scan.position != VIEW_END);
    ck_assert_uint_eq(scan.count, 1);
    return &flows[0];
}

static struct view_peer *peer_at(uint32_t host, const char *text)
{
    struct view_scan scan = {.of_peer = true};

    ck_assert_int_eq(transport_view_find(transport_of(host), text, &scan.peer), 0);
    transport_view_peers(transport_of(host), &scan, peers);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.position, VIEW_END);
    return &peers[0];
}

static struct bed_fate drop_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.copies = 0;
    return fate;
}

static struct bed_fate mark_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.mark = from == 0;
    return fate;
}

START_TEST(a_quiet_transport)
{
    struct view_scan scan = {0};

    bed_start(bed);
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 0);
    scan = (struct view_scan){0};
    transport_view_peers(transport_of(0), &scan, peers);
    ck_assert_uint_eq(scan.count, bed->hosts[0].peer_count);
    ck_assert(peers[0].configured);
    ck_assert(peers[0].known);
    ck_assert_int_eq(peers[0].state, VIEW_FLOW_NONE);
    ck_assert_uint_eq(peers[0].flows, 0);
    ck_assert_uint_eq(peers[0].silent_ns, 0);
    ck_assert_str_eq(peers[0].name, bed->hosts[0].peers[0].name);
}
END_TEST

START_TEST(an_open_flow_and_its_peer)
{
    struct view_flow *mine, *theirs;
    struct view_peer *peer;
    uint32_t id;

    connect_hosts();
    bed_give(bed, 0, ITEMS);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    mine = only_flow(0);
    ck_assert_int_eq(mine->state, VIEW_FLOW_OPEN);
    ck_assert(!mine->answered);
    ck_assert_uint_eq(mine->version, WIRE_VERSION_MAX);
    ck_assert_uint_ge(mine->smoothed_ns, 2 * BED_LATENCY_NS);
    ck_assert_uint_ge(mine->smoothed_ns, mine->min_ns);
    ck_assert_uint_gt(mine->rto_ns, 0);
    ck_assert_uint_gt(mine->window, 0);
    ck_assert_uint_eq(mine->in_flight, 0);
    ck_assert_uint_eq(mine->resent + mine->fast_resent + mine->timeouts, 0);
    ck_assert_uint_gt(mine->age_ns, 0);
    ck_assert_uint_gt(mine->silent_ns, 0);
    id = mine->id;
    const uint64_t sent = mine->sent, bytes = mine->bytes_sent;
    theirs = only_flow(1);
    ck_assert(theirs->answered);
    ck_assert_uint_eq(theirs->received, sent);
    ck_assert_uint_eq(theirs->bytes_received, bytes);
    ck_assert_uint_gt(bytes, ITEMS);
    peer = peer_at(0, HOST1);
    ck_assert_int_eq(peer->state, VIEW_FLOW_OPEN);
    ck_assert_uint_eq(peer->flows, 1);
    ck_assert_uint_eq(peer->features, WIRE_FEATURES_KNOWN);
    ck_assert_uint_gt(peer->smoothed_ns, 0);
    struct view_scan scan = {.by_id = true, .id = id};
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 1);
    scan = (struct view_scan){.by_id = true, .id = id + FLOWS_LIMIT};
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(losses_are_counted_on_their_flow)
{
    const struct transport_stats *stats;
    struct view_flow *flow;

    connect_hosts();
    bed->judge = bed_chaos;
    bed->loss = 50000;
    bed->reorder = 50000;
    bed_give(bed, 0, ITEMS);
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    stats = transport_stats(transport_of(0));
    flow = only_flow(0);
    ck_assert_uint_gt(flow->resent, 0);
    ck_assert_uint_eq(flow->resent, stats->retransmissions);
    ck_assert_uint_eq(flow->fast_resent, stats->fast_retransmissions);
    ck_assert_uint_eq(flow->timeouts, stats->timeouts);
    /* Each once, however often it came. */
    ck_assert_uint_eq(only_flow(1)->received, only_flow(0)->sent);
}
END_TEST

START_TEST(marks_of_the_network)
{
    connect_hosts();
    bed->judge = mark_all;
    bed_give(bed, 0, ITEMS);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_gt(only_flow(1)->ecn_marks, 0);
    ck_assert_uint_eq(only_flow(1)->ecn_echoes, 0);
    ck_assert_uint_gt(only_flow(0)->ecn_echoes, 0);
    ck_assert_uint_eq(only_flow(0)->ecn_marks, 0);
}
END_TEST

START_TEST(what_ended_says_why)
{
    struct view_scan scan = {0};
    struct flow *flow;

    connect_hosts();
    flow = bed->hosts[0].flow;
    flow_hold(flow);
    bed->judge = drop_all;
    bed_give(bed, 0, 1);
    bed_run(bed, bed_never, 20 * NSEC_PER_SEC);
    /* Somebody has not let go of it. */
    ck_assert_int_eq(only_flow(0)->state, VIEW_FLOW_ENDED);
    ck_assert_int_eq(only_flow(0)->error, -ETIMEDOUT);
    ck_assert_int_eq(peer_at(0, HOST1)->ended_error, -ETIMEDOUT);
    ck_assert_uint_gt(peer_at(0, HOST1)->ended_ns, NSEC_PER_SEC);
    ck_assert_int_eq(peer_at(0, HOST1)->state, VIEW_FLOW_NONE);
    flow_release(flow);
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(a_call_under_way_and_a_way_that_failed)
{
    bed_resolve(bed, 0, 1);
    bed_start(bed);
    bed_connect(bed, 0);
    ck_assert_int_eq(only_flow(0)->state, VIEW_FLOW_CALLING);
    ck_assert_uint_eq(only_flow(0)->version, 0);
    ck_assert_uint_eq(only_flow(0)->silent_ns, 0);
    ck_assert_int_eq(peer_at(0, HOST1)->state, VIEW_FLOW_CALLING);
    ck_assert(!peer_at(0, HOST1)->known);
    bed_answer(bed, 0, HOST1, 2, 1400, 0);
    ck_assert(peer_at(0, HOST1)->known);
    ck_assert_uint_eq(peer_at(0, HOST1)->mtu, 1400);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    bed_answer(bed, 0, HOST1, 0, 0, -EHOSTDOWN);
    ck_assert_int_eq(peer_at(0, HOST1)->way_error, -EHOSTDOWN);
}
END_TEST

/* Peers and flows that come between two pages, and some that go, move none that stays. */
START_TEST(pages_while_they_come_and_go)
{
    struct flow *held[STRANGERS];
    uint32_t ids[STRANGERS], seen[STRANGERS] = {0}, seen_peers[STRANGERS] = {0};
    struct view_scan scan = {.most = 3}, peer_scan = {.most = 3};
    struct transport *transport;
    struct address at[STRANGERS];
    char text[ADDRESS_TEXT_BYTES];

    bed->hosts[0].config.flows_max = 2 * STRANGERS;
    bed_resolve(bed, 0, 1);
    bed_start(bed);
    transport = bed->hosts[0].transport;
    for (uint32_t i = 0; i < STRANGERS; i++) {
        snprintf(text, sizeof(text), "10.0.1.%u", i + 1);
        ck_assert_int_eq(address_parse(&at[i], text), 0);
        ck_assert_int_eq(transport_flow(transport, &at[i], bed->now, &held[i]), 0);
        ids[i] = flow_id(held[i]);
    }
    for (uint32_t page = 0; scan.position != VIEW_END || peer_scan.position != VIEW_END; page++) {
        if (scan.position != VIEW_END)
            transport_view_flows(transport, &scan, flows);
        else
            scan.count = 0;
        if (peer_scan.position != VIEW_END)
            transport_view_peers(transport, &peer_scan, peers);
        else
            peer_scan.count = 0;
        for (uint32_t j = 0; j < STRANGERS; j++) {
            for (uint32_t i = 0; i < scan.count; i++)
                seen[j] += flows[i].id == ids[j];
            for (uint32_t i = 0; i < peer_scan.count; i++)
                seen_peers[j] += address_equal(&peers[i].address, &at[j]);
        }
        /* Every other one goes, one at a time, and somebody else comes. */
        if (2 * page + 1 < STRANGERS) {
            struct address other;
            struct flow *flow;

            bed_answer(bed, 0, address_format(&at[2 * page + 1], text), 0, 0, -EHOSTDOWN);
            flow_release(held[2 * page + 1]);
            snprintf(text, sizeof(text), "10.0.2.%u", page + 1);
            ck_assert_int_eq(address_parse(&other, text), 0);
            ck_assert_int_eq(transport_flow(transport, &other, bed->now, &flow), 0);
            flow_release(flow);
        }
    }
    for (uint32_t i = 0; i < STRANGERS; i += 2) {
        ck_assert_uint_eq(seen[i], 1);
        ck_assert_uint_eq(seen_peers[i], 1);
        flow_release(held[i]);
    }
}
END_TEST

START_TEST(filters_and_wrong_positions)
{
    struct address address;
    struct view_scan scan = {.of_peer = true};

    connect_hosts();
    ck_assert_int_eq(transport_view_find(transport_of(0), "10.0.0.77", &address), -ENOENT);
    ck_assert_int_eq(transport_view_find(transport_of(0), "nobody", &address), -ENOENT);
    ck_assert_int_eq(transport_view_find(transport_of(0), "", &address), -ENOENT);
    ck_assert_int_eq(transport_view_find(transport_of(0), HOST1, &scan.peer), 0);
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 1);
    scan = (struct view_scan){.of_peer = true};
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 0);
    scan = (struct view_scan){.of_peer = true};
    transport_view_peers(transport_of(0), &scan, peers);
    ck_assert_uint_eq(scan.count, 0);
    scan = (struct view_scan){.position = UINT32_MAX - 1};
    transport_view_peers(transport_of(0), &scan, peers);
    ck_assert_uint_eq(scan.count, 0);
    ck_assert_uint_eq(scan.position, VIEW_END);
    scan = (struct view_scan){.position = FLOWS_LIMIT};
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.position, VIEW_END);
    scan = (struct view_scan){.by_id = true, .id = UINT32_MAX};
    transport_view_flows(transport_of(0), &scan, flows);
    ck_assert_uint_eq(scan.count, 0);
    ck_assert_uint_eq(scan.position, VIEW_END);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport_view");
    TCase *tcase = tcase_create("transport_view");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_quiet_transport);
    tcase_add_test(tcase, an_open_flow_and_its_peer);
    tcase_add_test(tcase, losses_are_counted_on_their_flow);
    tcase_add_test(tcase, marks_of_the_network);
    tcase_add_test(tcase, what_ended_says_why);
    tcase_add_test(tcase, a_call_under_way_and_a_way_that_failed);
    tcase_add_test(tcase, pages_while_they_come_and_go);
    tcase_add_test(tcase, filters_and_wrong_positions);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
