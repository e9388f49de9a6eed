/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A flow's life, and the mapper's tables. */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S 50

static struct bed *bed;

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

static void run_for(uint64_t ns)
{
    bed_run(bed, bed_never, ns);
}

static struct bed_fate drop_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.copies = 0;
    return fate;
}

static void let_go(uint32_t host)
{
    flow_release(bed->hosts[host].flow);
    bed->hosts[host].flow = NULL;
}

START_TEST(the_mapper_finds_what_it_opened)
{
    struct flow *again, *calling;
    struct bed_host *host = &bed->hosts[0];

    bed_start(bed);
    bed_connect(bed, 0);
    calling = host->flow;
    ck_assert(!flow_is_open(calling));
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[0].address, bed->now, &again), 0);
    ck_assert_ptr_eq(again, calling);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[0].address, bed->now, &again), 0);
    ck_assert_ptr_eq(again, calling);
    ck_assert_ptr_eq(transport_flow_by_id(host->transport, flow_id(calling)), calling);
    ck_assert_ptr_null(transport_flow_by_id(host->transport, flow_id(calling) + 1));
    ck_assert_ptr_null(transport_flow_by_id(host->transport, flow_id(calling) + FLOWS_LIMIT));
    ck_assert_ptr_null(transport_flow_by_id(host->transport, FLOW_ID_ANY));
    ck_assert(address_equal(flow_peer(calling), &host->peers[0].address));
    ck_assert_uint_eq(calling->references, 3);
}
END_TEST

START_TEST(strangers_cannot_be_reached)
{
    struct transport *transport;
    struct address address;
    struct flow *flow;

    bed_start(bed);
    transport = bed->hosts[0].transport;
    address_parse(&address, "10.0.0.77");
    ck_assert_int_eq(transport_flow(transport, &address, bed->now, &flow), -EHOSTUNREACH);
    ck_assert_int_eq(transport_flow(transport, &bed->hosts[0].config.addresses[0], bed->now, &flow),
                     -EHOSTUNREACH);
    ck_assert_int_eq(transport_resolve(transport, "other", &address), 0);
    ck_assert(address_equal(&address, &bed->hosts[0].peers[0].address));
    ck_assert_int_eq(transport_resolve(transport, "10.1.2.3", &address), 0);
    ck_assert_int_eq(transport_resolve(transport, "nobody", &address), -ENOENT);
    ck_assert_int_eq(transport_resolve(transport, "", &address), -ENOENT);
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
    struct bed_host *host = &bed->hosts[0];
    struct transport_config bad[9];
    struct transport *transport = NULL;
    struct flow_upper_ops ops = {0};

    wheel_init(&host->wheel, bed->now);
    rng_init_u64(&host->rng, 1, 1);
    host->config.peers = host->peers;
    host->config.peer_count = 2;
    for (uint32_t i = 0; i < RTE_DIM(bad); i++)
        bad[i] = host->config;
    bad[0].address_count = 0;
    bad[1].address_count = TRANSPORT_ADDRESSES_MAX + 1;
    bad[2].flows_max = FLOWS_LIMIT + 1;
    bad[3].vlan = 4095;
    bad[4].dscp = 64;
    bad[5].cc_params.window_max = TX_WINDOW + 1;
    bad[6].cc_params.window_min = TX_WINDOW + 1;
    bad[7].rto_min_ns = NSEC_PER_SEC;
    bad[8].peer_count = TRANSPORT_PEERS_MAX + 1;
    for (uint32_t i = 0; i < RTE_DIM(bad); i++)
        ck_assert_int_eq(transport_create(&transport, &bad[i], &host->port, &host->clock,
                                          &host->rng, &host->wheel, &ops, NULL),
                         -EINVAL);
    host->peers[1] = host->peers[0];
    ck_assert_int_eq(transport_create(&transport, &host->config, &host->port, &host->clock,
                                      &host->rng, &host->wheel, &ops, NULL),
                     -EINVAL);
    host->port.mtu = MTU_MIN - 1;
    host->config.peer_count = 1;
    ck_assert_int_eq(transport_create(&transport, &host->config, &host->port, &host->clock,
                                      &host->rng, &host->wheel, &ops, NULL),
                     -EINVAL);
    transport_destroy(NULL);
}
END_TEST

START_TEST(an_idle_flow_is_kept_alive)
{
    uint64_t before;

    connect_hosts();
    before = transport_stats(bed->hosts[1].transport)->rx_packets;
    run_for(20 * NSEC_PER_SEC);
    ck_assert(bed_both_open(bed));
    ck_assert_uint_ge(transport_stats(bed->hosts[1].transport)->rx_packets - before, 10);
    ck_assert_uint_lt(transport_stats(bed->hosts[1].transport)->rx_packets - before, 100);
}
END_TEST

START_TEST(an_idle_flow_notices_that_the_peer_is_gone)
{
    connect_hosts();
    bed->judge = drop_all;
    run_for(8 * NSEC_PER_SEC);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].ended, 1);
        ck_assert_int_eq(bed->hosts[i].error, -ETIMEDOUT);
        ck_assert_uint_eq(bed->hosts[i].transport->flows_used, 0);
    }
}
END_TEST

START_TEST(unreferenced_flows_are_forgotten_when_both_sides_let_go)
{
    connect_hosts();
    let_go(0);
    /* The peer still holds it, and so keeps it alive on both sides. */
    run_for(3 * FORGET_NS);
    ck_assert_uint_eq(bed->hosts[0].transport->flows_used, 1);
    ck_assert_uint_eq(bed->hosts[1].ended, 0);
    let_go(1);
    run_for(2 * FORGET_NS);
    ck_assert_uint_eq(bed->hosts[0].transport->flows_used, 0);
    ck_assert_uint_eq(bed->hosts[1].transport->flows_used, 0);
    ck_assert_uint_eq(bed->hosts[0].wheel.armed, 0);
    bed_connect(bed, 1);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].ended + bed->hosts[1].ended, 0);
}
END_TEST

START_TEST(a_full_table_gives_up_unreferenced_flows_only)
{
    struct bed_host *host = &bed->hosts[0];
    struct flow *flow;
    uint32_t id;

    host->config.flows_max = 1;
    connect_hosts();
    id = flow_id(host->flow);
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[1].address, bed->now, &flow),
                     -ENOMEM);
    let_go(0);
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[1].address, bed->now, &flow), 0);
    ck_assert_uint_ne(flow_id(flow), id);
    ck_assert_ptr_null(transport_flow_by_id(host->transport, id));
    host->flow = flow;
    run_for(3 * NSEC_PER_SEC);
    ck_assert_uint_eq(host->ended, 1);
    ck_assert_int_eq(host->error, -EHOSTUNREACH);
}
END_TEST

/* The layer above may keep its references past the end. */
START_TEST(an_ended_flow_lives_until_it_is_released)
{
    struct flow *flow;

    connect_hosts();
    flow = bed->hosts[0].flow;
    flow_hold(flow);
    bed->judge = drop_all;
    run_for(8 * NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert(!flow_is_open(flow));
    ck_assert_uint_eq(bed->hosts[0].transport->flows_used, 1);
    flow_kick(flow);
    ck_assert_ptr_null(transport_flow_by_id(bed->hosts[0].transport, flow_id(flow)));
    flow_release(flow);
    ck_assert_uint_eq(bed->hosts[0].transport->flows_used, 0);
    ck_assert(!transport_pending(bed->hosts[0].transport));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *tc = tcase_create("flow");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_mapper_finds_what_it_opened);
    tcase_add_test(tc, strangers_cannot_be_reached);
    tcase_add_test(tc, bad_configurations_are_refused);
    tcase_add_test(tc, an_idle_flow_is_kept_alive);
    tcase_add_test(tc, an_idle_flow_notices_that_the_peer_is_gone);
    tcase_add_test(tc, unreferenced_flows_are_forgotten_when_both_sides_let_go);
    tcase_add_test(tc, a_full_table_gives_up_unreferenced_flows_only);
    tcase_add_test(tc, an_ended_flow_lives_until_it_is_released);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
