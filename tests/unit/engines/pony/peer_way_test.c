/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The way to a peer, when a resolver knows it: waited for, failed, changed; and strangers. */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S 50
#define NONCE     0x1234567890abcdefull
#define HOST0     "10.0.0.1"
#define HOST1     "10.0.0.2"
#define STRANGER  "10.0.0.9"

static struct bed *bed;
static struct bed_host *host;
static struct bed_resolver *resolver;
static struct wire_hello last; /* sent by host 1 */
static uint32_t largest;       /* bytes of IP packets of host 0 */

static struct bed_fate watch(struct bed *b, uint32_t from, const struct wire_flow *header,
                             const uint8_t *payload, uint32_t bytes)
{
    if (from == 1 && header->type == WIRE_HELLO)
        wire_hello_decode(&last, payload);
    if (from == 0 && header->type == WIRE_DATA)
        largest = RTE_MAX(largest, bytes + 28);
    return bed_perfect(b, from, header, payload, bytes);
}

static struct bed_fate drop_data(struct bed *b, uint32_t from, const struct wire_flow *header,
                                 const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.copies = header->type != WIRE_DATA;
    return fate;
}

static struct bed_fate drop_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    fate.copies = 0;
    return fate;
}

/* As a slow in-process receiver does. */
static struct bed_fate hold_data(struct bed *b, uint32_t from, const struct wire_flow *header,
                                 const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    if (header->type == WIRE_DATA)
        fate.delay_ns = 30 * NSEC_PER_MSEC;
    return fate;
}

static void setup(void)
{
    bed = bed_create();
    bed->judge = watch;
    host = &bed->hosts[0];
    resolver = &host->resolver;
}

static void teardown(void)
{
    bed_destroy(bed);
}

static void start(uint32_t index, uint32_t peers)
{
    host = &bed->hosts[index];
    resolver = &host->resolver;
    bed_resolve(bed, index, peers);
    bed_start(bed);
}

static void run_for(uint64_t ns)
{
    bed_run(bed, bed_never, ns);
}

static void open_by_answer(void)
{
    bed_connect(bed, 0);
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static bool knows(const char *text)
{
    struct address address;

    address_parse(&address, text);
    return peer_find(host->transport, &address) != NULL;
}

/* ---- Calls ---- */

START_TEST(a_call_waits_for_its_way)
{
    start(0, 0);
    bed_connect(bed, 0);
    run_for(100 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->count, 0);
    ck_assert_uint_eq(resolver->wants, 1);
    ck_assert(address_equal(&resolver->last, &host->peers[0].address));
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_MSEC));
    bed_give(bed, 0, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(resolver->wants, 1);
    ck_assert_uint_eq(resolver->drops, 0);
}
END_TEST

START_TEST(an_error_ends_calls_at_once)
{
    static const int errors[] = {-ENETDOWN, -ENETUNREACH, -EHOSTDOWN};

    start(0, 0);
    bed_connect(bed, 0);
    bed_answer(bed, 0, HOST1, 0, 0, errors[_i]);
    ck_assert_uint_eq(host->ended, 1);
    ck_assert_int_eq(host->error, errors[_i]);
    ck_assert_ptr_null(host->flow);
    ck_assert_uint_eq(host->transport->flows_used, 0);
    ck_assert_uint_eq(resolver->drops, 1);
    ck_assert_uint_eq(transport_stats(host->transport)->hop_errors, 1);
    ck_assert(!knows(HOST1));
    /* Late news of what nobody wants any more. */
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    bed_answer(bed, 0, HOST1, 0, 0, -EHOSTDOWN);
    run_for(5 * NSEC_PER_SEC);
    ck_assert_uint_eq(bed->count, 0);
    ck_assert_uint_eq(resolver->wants, 1);
    open_by_answer();
}
END_TEST

START_TEST(silence_of_the_resolver)
{
    start(0, 0);
    bed_connect(bed, 0);
    run_for(3 * NSEC_PER_SEC);
    ck_assert_int_eq(host->error, -EHOSTDOWN);
    ck_assert_uint_eq(bed->count, 0);
    ck_assert_uint_eq(resolver->drops, 1);
}
END_TEST

START_TEST(silence_of_the_host)
{
    start(0, 0);
    bed->judge = drop_all;
    bed_connect(bed, 0);
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    run_for(3 * NSEC_PER_SEC);
    ck_assert_int_eq(host->error, -EHOSTUNREACH);
}
END_TEST

START_TEST(a_busy_resolver_is_asked_again)
{
    start(0, 0);
    resolver->busy = true;
    bed_connect(bed, 0);
    run_for(100 * NSEC_PER_MSEC);
    ck_assert_uint_gt(resolver->wants, 5);
    ck_assert_uint_lt(resolver->wants, 20);
    /* Not asked for yet: no answer to us. */
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert_uint_eq(bed->count, 0);
    resolver->busy = false;
    run_for(20 * NSEC_PER_MSEC);
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_MSEC));
}
END_TEST

START_TEST(a_call_that_the_resolver_never_took)
{
    start(0, 0);
    resolver->busy = true;
    bed_connect(bed, 0);
    run_for(3 * NSEC_PER_SEC);
    ck_assert_int_eq(host->error, -EHOSTDOWN);
    ck_assert_uint_eq(resolver->drops, 0);
}
END_TEST

START_TEST(configured_peers)
{
    struct flow *flow;

    /* Without a link address it is resolved, with one it is not; both stay. */
    bed_resolve(bed, 0, 2);
    host->peers[1].mac.addr_bytes[5] = 9;
    bed_start(bed);
    open_by_answer();
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[1].address, bed->now, &flow), 0);
    ck_assert_uint_eq(resolver->wants, 1);
    bed_answer(bed, 0, STRANGER, 0, 0, -EHOSTDOWN);
    ck_assert_uint_eq(host->ended, 0);
    run_for(3 * NSEC_PER_SEC);
    ck_assert_int_eq(host->error, -EHOSTUNREACH);
    flow_release(flow);
    ck_assert(knows(STRANGER));
    bed_restart(bed, 1);
    ck_assert_uint_eq(resolver->drops, 0);
    run_for(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(resolver->drops, 1);
    ck_assert(knows(HOST1));
}
END_TEST

START_TEST(a_peer_without_a_link_address_needs_a_resolver)
{
    struct transport *transport;
    struct flow_upper_ops ops = {0};

    bed_resolve(bed, 0, 2);
    host->config.resolver = NULL;
    host->config.peers = host->peers;
    host->config.peer_count = 2;
    wheel_init(&host->wheel, bed->now);
    ck_assert_int_eq(transport_create(&transport, &host->config, &host->port, &host->clock,
                                      &host->rng, &host->wheel, &ops, host),
                     -EINVAL);
}
END_TEST

START_TEST(addresses_of_no_host)
{
    static const char *const texts[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1",
                                        HOST0};
    struct address address;
    struct flow *flow;

    start(0, 0);
    for (uint32_t i = 0; i < RTE_DIM(texts); i++) {
        address_parse(&address, texts[i]);
        ck_assert_int_eq(transport_flow(host->transport, &address, bed->now, &flow), -EHOSTUNREACH);
    }
    address_parse(&address, "fd00::2");
    ck_assert_int_eq(transport_flow(host->transport, &address, bed->now, &flow), -ENETUNREACH);
    ck_assert_uint_eq(resolver->wants, 0);
}
END_TEST

/* ---- Changes ---- */

static void move_host_1(uint8_t mac)
{
    struct bed_host *other = &bed->hosts[1];

    other->port.mac.addr_bytes[5] = mac;
    other->transport->decap.mac = other->port.mac;
}

/* Also what is sent again: whether the wire still holds what was sent before, or not. */
START_TEST(a_new_link_address_is_for_all_packets)
{
    uint8_t before[2048];
    struct rte_mbuf *held;
    uint32_t length;

    start(0, 0);
    open_by_answer();
    host->item_bytes = 600;
    bed->judge = _i == 0 ? hold_data : drop_data;
    bed_give(bed, 0, 20);
    run_for(2 * NSEC_PER_USEC);
    ck_assert_uint_gt(host->flow->tx.flying.count, 1);
    held = _i == 0 ? bed->queue[bed->queued - 1].packet : NULL;
    length = held ? rte_pktmbuf_data_len(held) : 0;
    if (held)
        memcpy(before, rte_pktmbuf_mtod(held, void *), length);
    move_host_1(7);
    bed_answer(bed, 0, HOST1, 7, 0, 0);
    host->expected.addr_bytes[5] = 7;
    run_for(20 * NSEC_PER_MSEC);
    ck_assert_uint_gt(host->flow->resent, 0);
    ck_assert_uint_eq(host->strays, 0);
    if (held)
        ck_assert_mem_eq(before, rte_pktmbuf_mtod(held, void *), length);
    bed->judge = watch;
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].repeated + bed->hosts[1].damaged, 0);
    ck_assert_uint_eq(host->strays, 0);
    ck_assert_uint_eq(host->ended, 0);
}
END_TEST

START_TEST(a_copy_that_there_is_no_buffer_for)
{
    static struct rte_mbuf *taken[BED_MBUFS];
    uint32_t count = 0;

    start(0, 0);
    open_by_answer();
    bed->judge = hold_data;
    bed_give(bed, 0, 20);
    run_for(2 * NSEC_PER_USEC);
    while ((taken[count] = rte_pktmbuf_alloc(host->port.pool)) != NULL)
        count++;
    bed_answer(bed, 0, HOST1, 7, 0, 0);
    move_host_1(7);
    host->expected.addr_bytes[5] = 7;
    run_for(10 * NSEC_PER_MSEC);
    ck_assert_uint_gt(transport_stats(host->transport)->no_buffer, 0);
    rte_pktmbuf_free_bulk(taken, count);
    bed->judge = watch;
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    ck_assert_uint_eq(host->strays, 0);
}
END_TEST

START_TEST(a_narrower_way)
{
    static const uint16_t mtus[] = {900, 1280, 100};

    start(0, 0);
    open_by_answer();
    host->item_bytes = 30;
    bed_give(bed, 0, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    run_for(NSEC_PER_MSEC); /* what size passes is known a round trip after opening */
    bed_give(bed, 0, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_gt(largest, 1400);
    for (uint32_t i = 0; i < RTE_DIM(mtus); i++) {
        uint16_t least = RTE_MAX(mtus[i], (uint16_t)MTU_MIN);

        bed_answer(bed, 0, HOST1, 2, mtus[i], 0);
        run_for(NSEC_PER_MSEC);
        largest = 0;
        bed_give(bed, 0, 1000);
        ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
        ck_assert_uint_le(largest, least);
        ck_assert_uint_gt(largest, least - 100);
    }
    /* Wide again, but no wider than both sides agreed. */
    bed_answer(bed, 0, HOST1, 2, 9000, 0);
    run_for(NSEC_PER_MSEC);
    ck_assert_uint_eq(host->flow->mtu, BED_MTU);
}
END_TEST

START_TEST(an_open_flow_outlives_an_error)
{
    struct flow *flow;

    start(0, 0);
    open_by_answer();
    bed_answer(bed, 0, HOST1, 0, 0, -ENETDOWN);
    ck_assert_uint_eq(host->ended, 0);
    bed_give(bed, 0, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[0].address, bed->now, &flow),
                     -ENETDOWN);
    run_for(3500 * NSEC_PER_MSEC);
    ck_assert_uint_eq(resolver->wants, 4);
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert_int_eq(transport_flow(host->transport, &host->peers[0].address, bed->now, &flow), 0);
    flow_release(flow);
    run_for(5 * NSEC_PER_SEC);
    ck_assert_uint_eq(resolver->wants, 4);
}
END_TEST

START_TEST(silence_ends_an_open_flow)
{
    start(0, 0);
    open_by_answer();
    bed_answer(bed, 0, HOST1, 0, 0, -EHOSTDOWN);
    bed->judge = drop_all;
    run_for(10 * NSEC_PER_SEC);
    ck_assert_int_eq(host->error, -ETIMEDOUT);
    ck_assert_uint_eq(resolver->drops, 1);
    ck_assert(!knows(HOST1));
}
END_TEST

/* ---- Strangers ---- */

static void call(uint64_t nonce, uint64_t cookie)
{
    struct wire_hello hello = {.kind = WIRE_HELLO_CALL,
                               .version_min = 1,
                               .version_max = 1,
                               .mtu = 1500,
                               .token = nonce,
                               .nonce = nonce,
                               .cookie = cookie,
                               .epoch = 5};

    bed_inject_hello(bed, 1, 1, &hello);
    run_for(NSEC_PER_USEC);
}

START_TEST(a_stranger_is_answered_and_forgotten)
{
    struct wire_flow data = {.version = 1, .type = WIRE_PROBE, .token = 5};

    start(1, 0);
    host->expected.addr_bytes[5] = 9;
    call(NONCE, 0);
    ck_assert_uint_eq(last.kind, WIRE_HELLO_COOKIE);
    bed_inject_flow(bed, 1, 1, &data);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(bed->count, 2);
    ck_assert_uint_eq(host->strays, 0);
    ck_assert_uint_eq(host->transport->flows_used, 0);
    ck_assert(!knows(STRANGER));
    ck_assert_uint_eq(resolver->wants, 0);
}
END_TEST

START_TEST(a_stranger_that_proves_its_address)
{
    start(1, 0);
    host->expected.addr_bytes[5] = 9;
    call(NONCE, 0);
    call(NONCE, last.cookie);
    ck_assert_uint_eq(last.kind, WIRE_HELLO_WELCOME);
    ck_assert_uint_eq(host->strays, 0);
    ck_assert_uint_eq(host->opened, 1);
    ck_assert_uint_eq(resolver->wants, 1);
    /* The resolver knows better than the frame. */
    bed_answer(bed, 1, STRANGER, 8, 0, 0);
    host->expected.addr_bytes[5] = 8;
    call(NONCE, last.cookie);
    ck_assert_uint_eq(host->strays, 1); /* the answer of nobody in particular */
    flow_probe(host->flow);
    run_for(NSEC_PER_MSEC);
    ck_assert_uint_eq(host->strays, 1);
    ck_assert_uint_eq(host->sent_to.addr_bytes[5], 8);
}
END_TEST

/* As many as there may be flows; the one silent longest gives way. */
START_TEST(strangers_are_bounded)
{
    start(1, 1);
    for (uint32_t i = 0; i < 40; i++) {
        char text[ADDRESS_TEXT_BYTES];

        snprintf(text, sizeof(text), "10.0.1.%u", i + 1);
        address_parse(&host->peers[1].address, text);
        call(NONCE + i, 0);
        call(NONCE + i, last.cookie);
        ck_assert(knows(text));
        flow_release(host->flow);
        host->flow = NULL;
    }
    ck_assert_uint_eq(host->opened, 40);
    ck_assert_uint_eq(host->transport->flows_used, 8);
    ck_assert_uint_eq(resolver->wants, 40);
    ck_assert_uint_eq(resolver->drops, 32);
    ck_assert(!knows("10.0.1.32"));
    ck_assert(knows("10.0.1.33"));
    ck_assert(knows(HOST0)); /* configured */
}
END_TEST

START_TEST(a_stranger_that_is_no_host)
{
    start(1, 0);
    address_parse(&host->peers[1].address, "127.0.0.1");
    call(NONCE, 0);
    ck_assert_uint_eq(bed->count, 0);
    ck_assert_uint_eq(transport_stats(host->transport)->rx_malformed, 1);
}
END_TEST

/* Both call, each knowing nothing of the other but its address. */
START_TEST(two_that_resolve)
{
    bed_resolve(bed, 1, 0);
    start(0, 0);
    for (uint32_t i = 0; i < 2; i++)
        bed_connect(bed, i);
    bed_answer(bed, 0, HOST1, 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, 10 * NSEC_PER_MSEC));
    bed_answer(bed, 1, HOST0, 1, 0, 0);
    bed_give(bed, 0, 1000);
    bed_give(bed, 1, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(host->transport->flows_used, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer_way");
    TCase *tc = tcase_create("peer_way");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_call_waits_for_its_way);
    tcase_add_loop_test(tc, an_error_ends_calls_at_once, 0, 3);
    tcase_add_test(tc, silence_of_the_resolver);
    tcase_add_test(tc, silence_of_the_host);
    tcase_add_test(tc, a_busy_resolver_is_asked_again);
    tcase_add_test(tc, a_call_that_the_resolver_never_took);
    tcase_add_test(tc, configured_peers);
    tcase_add_test(tc, a_peer_without_a_link_address_needs_a_resolver);
    tcase_add_test(tc, addresses_of_no_host);
    tcase_add_loop_test(tc, a_new_link_address_is_for_all_packets, 0, 2);
    tcase_add_test(tc, a_copy_that_there_is_no_buffer_for);
    tcase_add_test(tc, a_narrower_way);
    tcase_add_test(tc, an_open_flow_outlives_an_error);
    tcase_add_test(tc, silence_ends_an_open_flow);
    tcase_add_test(tc, a_stranger_is_answered_and_forgotten);
    tcase_add_test(tc, a_stranger_that_proves_its_address);
    tcase_add_test(tc, strangers_are_bounded);
    tcase_add_test(tc, a_stranger_that_is_no_host);
    tcase_add_test(tc, two_that_resolve);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
