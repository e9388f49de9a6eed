/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Flows between engines that have UDP ports of their own: host 0 is the second engine of its. */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <errno.h>

#define FIRST  WIRE_UDP_PORT
#define SECOND (WIRE_UDP_PORT + 1)

static struct bed *bed;

static void setup(void)
{
    bed = bed_create();
    bed->hosts[0].config.udp_port = SECOND;
    bed->hosts[0].config.call_port = FIRST;
    bed_start(bed);
}

static void teardown(void)
{
    bed_destroy(bed);
}

static void exchange(void)
{
    bed_give(bed, 0, 100);
    bed_give(bed, 1, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
}

static uint32_t flows_of(const struct bed_host *host)
{
    return host->transport->flows_used;
}

START_TEST(the_second_engine_calls)
{
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].flow->peer_port, FIRST);
    ck_assert_uint_eq(bed->hosts[1].flow->peer_port, SECOND);
    ck_assert(flow_is_first(bed->hosts[0].flow));
    ck_assert(!flow_is_first(bed->hosts[1].flow));
    exchange();
}
END_TEST

START_TEST(the_second_engine_is_called)
{
    struct bed_host *host = &bed->hosts[1];
    struct flow_report report;

    ck_assert_int_eq(transport_flow_to(host->transport, &host->peers[0].address, SECOND, bed->now,
                                       &host->flow),
                     0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    flow_report(host->flow, &report);
    ck_assert_uint_eq(report.udp_port, SECOND);
    exchange();
}
END_TEST

/* The call from the lower address stands, and each side has one flow. */
START_TEST(calls_that_cross_make_one_flow)
{
    struct bed_host *host = &bed->hosts[1];

    ck_assert_int_eq(transport_flow_to(host->transport, &host->peers[0].address, SECOND, bed->now,
                                       &host->flow),
                     0);
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    exchange();
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(flows_of(&bed->hosts[i]), 1);
        ck_assert_uint_eq(bed->hosts[i].opened, 1);
    }
    ck_assert(bed->hosts[1].flow->answered);
}
END_TEST

START_TEST(engines_of_a_peer_have_flows_of_their_own)
{
    struct transport *transport = bed->hosts[0].transport;
    const struct address *peer = &bed->hosts[0].peers[0].address;
    struct flow *first, *again, *other;

    ck_assert_int_eq(transport_flow(transport, peer, bed->now, &first), 0);
    ck_assert_int_eq(transport_flow_to(transport, peer, FIRST, bed->now, &again), 0);
    ck_assert_int_eq(
        transport_flow_to(transport, peer, FIRST + WIRE_UDP_PORTS - 1, bed->now, &other), 0);
    ck_assert_ptr_eq(first, again);
    ck_assert_ptr_ne(first, other);
    ck_assert_uint_eq(other->peer_port, FIRST + WIRE_UDP_PORTS - 1);
    ck_assert_int_eq(transport_flow_to(transport, peer, FIRST - 1, bed->now, &other), -EINVAL);
    ck_assert_int_eq(transport_flow_to(transport, peer, FIRST + WIRE_UDP_PORTS, bed->now, &other),
                     -EINVAL);
    flow_release(again);
}
END_TEST

/* Calls from where no engine of a host can be open nothing. */
START_TEST(ports_out_of_range_open_nothing)
{
    static const uint16_t ports[] = {1, 53, FIRST - 1, FIRST + WIRE_UDP_PORTS, UINT16_MAX};
    struct wire_hello hello = {.kind = WIRE_HELLO_CALL,
                               .version_min = 1,
                               .version_max = 1,
                               .mtu = BED_MTU,
                               .token = 7,
                               .nonce = 8,
                               .udp_port = ports[_i]};
    struct bed_host *host = &bed->hosts[1];
    uint64_t sent;

    bed_run(bed, bed_never, NSEC_PER_MSEC);
    sent = host->transport->stats.tx_packets;
    bed_inject_hello(bed, 1, 0, &hello);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(host->transport->stats.rx_malformed, 1);
    ck_assert_uint_eq(host->transport->stats.tx_packets, sent);
}
END_TEST

/* An earlier version of Saddle says nothing of its port: it is the configured one. */
START_TEST(no_port_is_the_configured_one)
{
    struct wire_hello hello = {.kind = WIRE_HELLO_CALL,
                               .version_min = 1,
                               .version_max = 1,
                               .mtu = BED_MTU,
                               .token = 7,
                               .nonce = 8};
    struct bed_host *host = &bed->hosts[1];

    bed_inject_hello(bed, 1, 0, &hello);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(host->transport->stats.rx_malformed, 0);
    ck_assert_uint_eq(host->transport->stats.tx_packets, 1);
    /* The second engine is not where the answer goes. */
    ck_assert_uint_eq(bed->hosts[0].transport->stats.rx_malformed, 1);
}
END_TEST

static uint64_t cookie; /* the last that was given */

static struct bed_fate see_cookies(struct bed *of, uint32_t from, const struct wire_flow *header,
                                   const uint8_t *payload, uint32_t bytes)
{
    struct wire_hello hello;

    if (header->type == WIRE_HELLO && bytes >= WIRE_HELLO_BYTES) {
        wire_hello_decode(&hello, payload);
        if (hello.kind == WIRE_HELLO_COOKIE)
            cookie = hello.cookie;
    }
    return bed_perfect(of, from, header, payload, bytes);
}

/* Whoever has shown that it receives at one port has not shown it for others. */
START_TEST(a_cookie_is_for_one_port)
{
    struct wire_hello hello = {.kind = WIRE_HELLO_CALL,
                               .version_min = 1,
                               .version_max = 1,
                               .mtu = BED_MTU,
                               .token = 7,
                               .nonce = 8,
                               .udp_port = SECOND};

    bed->judge = see_cookies;
    bed_inject_hello(bed, 1, 0, &hello);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_ne(cookie, 0);
    hello.cookie = cookie;
    hello.udp_port = SECOND + 1;
    bed_inject_hello(bed, 1, 0, &hello);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(flows_of(&bed->hosts[1]), 0);
    hello.udp_port = SECOND;
    bed_inject_hello(bed, 1, 0, &hello);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(flows_of(&bed->hosts[1]), 1);
}
END_TEST

START_TEST(a_reload_keeps_the_port)
{
    uint32_t host = (uint32_t)_i;

    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    bed_reload(bed, host);
    ck_assert_uint_eq(bed->hosts[0].flow->peer_port, FIRST);
    ck_assert_uint_eq(bed->hosts[1].flow->peer_port, SECOND);
    exchange();
}
END_TEST

/* Its RESETs come to the first engine's port, and are believed by whose flow it is. */
START_TEST(a_restarted_peer_is_found_out)
{
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    bed_restart(bed, 1);
    bed_give(bed, 0, 1);
    bed_run(bed, bed_never, 100 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert_int_eq(bed->hosts[0].error, -ECONNRESET);
}
END_TEST

START_TEST(a_port_below_the_first_is_refused)
{
    struct bed_host *host = &bed->hosts[0];
    struct transport_config config = host->config;
    struct transport *transport = NULL;

    config.udp_port = _i == 0 ? FIRST - 1 : FIRST + WIRE_UDP_PORTS;
    ck_assert_int_eq(transport_create(&transport, &config, &host->port, &host->clock, &host->rng,
                                      &host->wheel, host->transport->ops, host),
                     -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mapper");
    TCase *tc = tcase_create("mapper");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_second_engine_calls);
    tcase_add_test(tc, the_second_engine_is_called);
    tcase_add_test(tc, calls_that_cross_make_one_flow);
    tcase_add_test(tc, engines_of_a_peer_have_flows_of_their_own);
    tcase_add_loop_test(tc, ports_out_of_range_open_nothing, 0, 5);
    tcase_add_test(tc, no_port_is_the_configured_one);
    tcase_add_test(tc, a_cookie_is_for_one_port);
    tcase_add_loop_test(tc, a_reload_keeps_the_port, 0, 2);
    tcase_add_test(tc, a_restarted_peer_is_found_out);
    tcase_add_loop_test(tc, a_port_below_the_first_is_refused, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
