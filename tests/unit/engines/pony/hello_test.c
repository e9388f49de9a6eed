/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>

#define TIMEOUT_S 50
#define SEEDS     50u
#define NONCE     0x1234567890abcdefull

/* What the last HELLO of each kind from host 1 said, and how many there were. */
static struct wire_hello last[WIRE_HELLO_REFUSE + 1];
static uint32_t seen[WIRE_HELLO_REFUSE + 1];
static uint32_t resets;

static struct bed *bed;

static struct bed_fate watch(struct bed *b, uint32_t from, const struct wire_flow *header,
                             const uint8_t *payload, uint32_t bytes)
{
    struct wire_hello hello;

    if (header->type == WIRE_RESET)
        resets++;
    if (header->type == WIRE_HELLO && bytes == WIRE_HELLO_BYTES) {
        wire_hello_decode(&hello, payload);
        last[hello.kind] = hello;
        seen[hello.kind]++;
    }
    return bed_perfect(b, from, header, payload, bytes);
}

static struct bed_fate drop_all(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = watch(b, from, header, payload, bytes);

    fate.copies = 0;
    return fate;
}

static void setup(void)
{
    bed = bed_create();
    bed_start(bed);
    bed->judge = watch;
}

static void teardown(void)
{
    bed_destroy(bed);
}

static void run_for(uint64_t ns)
{
    bed_run(bed, bed_never, ns);
}

static struct wire_hello make_call(uint64_t nonce, uint64_t cookie)
{
    struct wire_hello call = {.kind = WIRE_HELLO_CALL,
                              .version_min = 1,
                              .version_max = 1,
                              .mtu = 1500,
                              .seq = 100,
                              .token = 77,
                              .nonce = nonce,
                              .cookie = cookie,
                              .epoch = 5};

    return call;
}

static void call(uint64_t nonce, uint64_t cookie)
{
    struct wire_hello hello = make_call(nonce, cookie);

    bed_inject_hello(bed, 1, 0, &hello);
    run_for(NSEC_PER_USEC);
}

static uint32_t flows(uint32_t host)
{
    return bed->hosts[host].transport->flows_used;
}

static void connect_hosts(void)
{
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static bool is_open(const struct bed *b)
{
    return b->hosts[0].flow && flow_is_open(b->hosts[0].flow);
}

START_TEST(opens_in_two_round_trips)
{
    uint64_t start = bed->now;

    bed_connect(bed, 0);
    ck_assert(bed_run(bed, is_open, NSEC_PER_SEC));
    ck_assert_uint_eq(seen[WIRE_HELLO_CALL], 2);
    ck_assert_uint_eq(seen[WIRE_HELLO_COOKIE], 1);
    ck_assert_uint_eq(seen[WIRE_HELLO_WELCOME], 1);
    ck_assert_uint_ge(bed->now - start, 4 * BED_LATENCY_NS);
    ck_assert_uint_lt(bed->now - start, 6 * BED_LATENCY_NS);
    ck_assert_uint_eq(bed->hosts[0].flow->peer_token, bed->hosts[1].flow->token);
    ck_assert_uint_eq(bed->hosts[1].flow->peer_token, bed->hosts[0].flow->token);
}
END_TEST

START_TEST(features_are_what_both_sides_have)
{
    struct wire_hello hello;

    connect_hosts();
    ck_assert_uint_eq(bed->hosts[0].flow->features, WIRE_FEATURES_KNOWN);
    ck_assert_uint_eq(bed->hosts[1].flow->features, WIRE_FEATURES_KNOWN);
    ck_assert_uint_eq(last[WIRE_HELLO_CALL].features, WIRE_FEATURES_KNOWN);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].features, WIRE_FEATURES_KNOWN);
    /* Callers that have none of them, and some that nobody knows. */
    bed_destroy(bed);
    setup();
    call(NONCE, 0);
    hello = make_call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    hello.features = _i == 0 ? 0 : ~WIRE_FEATURES_KNOWN;
    bed_inject_hello(bed, 1, 0, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(flows(1), 1);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].features, 0);
}
END_TEST

START_TEST(an_answerer_without_features)
{
    struct wire_hello hello = {
        .kind = WIRE_HELLO_WELCOME, .version_min = 1, .version_max = 1, .mtu = 1500, .token = 77};

    bed_connect(bed, 0);
    run_for(NSEC_PER_USEC);
    hello.nonce = bed->hosts[0].flow->nonce;
    bed_inject_hello(bed, 0, 0, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert(flow_is_open(bed->hosts[0].flow));
    ck_assert_uint_eq(bed->hosts[0].flow->features, 0);
}
END_TEST

START_TEST(the_answerer_keeps_nothing_without_proof)
{
    for (uint64_t nonce = 1; nonce <= 1000; nonce++)
        call(nonce, 0);
    ck_assert_uint_eq(seen[WIRE_HELLO_COOKIE], 1000);
    ck_assert_uint_eq(flows(1), 0);
    for (uint64_t cookie = 1; cookie <= 1000; cookie++)
        call(NONCE, cookie);
    ck_assert_uint_eq(seen[WIRE_HELLO_COOKIE], 2000);
    ck_assert_uint_eq(flows(1), 0);
}
END_TEST

START_TEST(a_cookie_proves_one_nonce_from_one_address)
{
    struct wire_hello hello;

    call(NONCE, 0);
    call(NONCE + 1, last[WIRE_HELLO_COOKIE].cookie);
    ck_assert_uint_eq(flows(1), 0);
    /* From another neighbour. */
    hello = make_call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    call(NONCE, 0);
    hello.cookie = last[WIRE_HELLO_COOKIE].cookie;
    bed_inject_hello(bed, 1, 1, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(flows(1), 0);
    call(NONCE, hello.cookie);
    ck_assert_uint_eq(flows(1), 1);
    ck_assert_uint_eq(bed->hosts[1].opened, 1);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].nonce, NONCE);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].version_min, 1);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].version_max, 1);
}
END_TEST

/* A host of which as many engines call as have a port: it has flows for those that a host may
 * have. What nobody uses gives way; what is used stays, and the call has no answer. */
START_TEST(made_up_engines)
{
    struct transport *called;
    uint32_t welcomed = 0;

    bed->hosts[1].config.flows_max = WIRE_UDP_PORTS;
    bed_restart(bed, 1);
    called = bed->hosts[1].transport;

    for (uint16_t i = 0; i < WIRE_UDP_PORTS; i++) {
        struct wire_hello hello = make_call(NONCE + i, 0);
        hello.udp_port = (uint16_t)(called->config.call_port + i);
        hello.token = 1000 + i;
        for (uint32_t turn = 0; turn < 2; turn++) {
            bed_inject_hello(bed, 1, 0, &hello);
            run_for(NSEC_PER_USEC);
            hello.cookie = last[WIRE_HELLO_COOKIE].cookie;
        }
        ck_assert_uint_le(flows(1), WIRE_ENGINES);
        welcomed += last[WIRE_HELLO_WELCOME].nonce == hello.nonce;
        if (_i == 1)
            for (uint32_t at = 0; at < called->config.flows_max; at++)
                called->flows[at].references = called->flows[at].state != FLOW_FREE;
    }
    ck_assert_uint_eq(flows(1), WIRE_ENGINES);
    ck_assert_uint_eq(welcomed, _i == 1 ? WIRE_ENGINES : WIRE_UDP_PORTS);
    ck_assert_uint_eq(called->stats.hello_refused, WIRE_UDP_PORTS - welcomed);
    /* They are one host. */
    for (uint32_t i = 0, found = 0; found < WIRE_ENGINES; i++) {
        if (called->flows[i].state == FLOW_FREE)
            continue;
        found++;
        ck_assert_ptr_eq(flow_host_load(&called->flows[i]), flow_host_load(bed->hosts[1].flow));
    }
}
END_TEST

START_TEST(a_cookie_expires)
{
    uint64_t cookie;

    call(NONCE, 0);
    cookie = last[WIRE_HELLO_COOKIE].cookie;
    run_for(2 * COOKIE_SLOT_NS);
    call(NONCE, cookie);
    ck_assert_uint_eq(flows(1), 0);
    ck_assert_uint_ne(last[WIRE_HELLO_COOKIE].cookie, cookie);
    call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    ck_assert_uint_eq(flows(1), 1);
}
END_TEST

START_TEST(a_repeated_call_gets_the_same_welcome)
{
    struct wire_hello first;

    call(NONCE, 0);
    call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    first = last[WIRE_HELLO_WELCOME];
    call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    ck_assert_uint_eq(seen[WIRE_HELLO_WELCOME], 2);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].token, first.token);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].seq, first.seq);
    ck_assert_uint_eq(flows(1), 1);
    ck_assert_uint_eq(bed->hosts[1].opened, 1);
}
END_TEST

/* An old call, with a cookie that is still good, while a flow is open: the peer is asked, still
 * knows the flow, and nothing happens. */
START_TEST(an_old_call_harms_no_flow)
{
    uint32_t welcomes;

    connect_hosts();
    welcomes = seen[WIRE_HELLO_WELCOME];
    call(NONCE, 0);
    call(NONCE, last[WIRE_HELLO_COOKIE].cookie);
    run_for(NSEC_PER_MSEC);
    ck_assert_uint_eq(seen[WIRE_HELLO_WELCOME], welcomes);
    ck_assert(bed_both_open(bed));
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].ended + bed->hosts[1].ended, 0);
}
END_TEST

START_TEST(a_restarted_peer_is_noticed)
{
    connect_hosts();
    bed_restart(bed, 0);
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].ended, 1);
    ck_assert_int_eq(bed->hosts[1].error, -ECONNRESET);
    ck_assert_uint_eq(bed->hosts[1].opened, 2);
    ck_assert_uint_eq(resets, 1);
    ck_assert_uint_eq(flows(1), 1);
}
END_TEST

START_TEST(no_common_version_is_refused)
{
    struct wire_hello hello = make_call(NONCE, 0);

    hello.version_min = WIRE_VERSION_MAX + 1;
    hello.version_max = 9;
    bed_inject_hello(bed, 1, 0, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(seen[WIRE_HELLO_REFUSE], 1);
    ck_assert_uint_eq(last[WIRE_HELLO_REFUSE].error, EPROTONOSUPPORT);
    ck_assert_uint_eq(last[WIRE_HELLO_REFUSE].nonce, NONCE);
    ck_assert_uint_eq(transport_stats(bed->hosts[1].transport)->hello_refused, 1);
    hello.version_min = 0;
    hello.version_max = 0;
    bed_inject_hello(bed, 1, 0, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(seen[WIRE_HELLO_REFUSE], 2);
    hello.version_max = 9; /* newer, but speaks ours too */
    bed_inject_hello(bed, 1, 0, &hello);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(seen[WIRE_HELLO_COOKIE], 1);
}
END_TEST

/* The versions of host 0 and of host 1, and what they agree on; 0: nothing. */
static const struct {
    uint8_t min[BED_HOSTS], max[BED_HOSTS], agreed;
} pairs[] = {
    {{1, 1}, {1, 1}, 1}, {{1, 1}, {1, 2}, 1}, {{1, 1}, {2, 1}, 1},
    {{2, 1}, {2, 2}, 2}, {{1, 2}, {2, 2}, 2}, {{2, 2}, {2, 2}, 2},
    {{1, 1}, {2, 2}, 2}, {{1, 2}, {1, 2}, 0}, {{2, 1}, {2, 1}, 0},
};

static void speak(uint32_t pair)
{
    bed_destroy(bed);
    bed = bed_create();
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        bed->hosts[i].config.wire_min = pairs[pair].min[i];
        bed->hosts[i].config.wire_max = pairs[pair].max[i];
    }
    bed_start(bed);
    bed->judge = watch;
}

START_TEST(the_highest_common_version_is_spoken)
{
    uint8_t agreed = pairs[_i].agreed;

    speak((uint32_t)_i);
    bed_connect(bed, 0);
    if (agreed == 0) {
        run_for(NSEC_PER_SEC);
        ck_assert_int_eq(bed->hosts[0].error, -EPROTONOSUPPORT);
        ck_assert_uint_eq(bed->hosts[0].ended, 1);
        ck_assert_uint_eq(flows(0) + flows(1), 0);
        ck_assert_uint_eq(last[WIRE_HELLO_REFUSE].version_max, pairs[_i].max[1]);
        return;
    }
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        ck_assert_uint_eq(bed->hosts[i].flow->version, agreed);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].version_min, agreed);
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].version_max, agreed);
    bed->judge = bed_chaos;
    bed->loss = 100000;
    bed->reorder = 100000;
    bed->hosts[0].item_bytes = 100;
    bed_give(bed, 0, 2000);
    bed_give(bed, 1, 2000);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        ck_assert_uint_eq(bed->hosts[i].repeated + bed->hosts[i].damaged, 0);
}
END_TEST

/* An open flow keeps its version, whatever packets say. */
START_TEST(a_packet_of_another_version_than_its_flow_is_dropped)
{
    struct wire_flow probe = {.type = WIRE_PROBE};
    uint64_t malformed, received;

    connect_hosts();
    malformed = transport_stats(bed->hosts[1].transport)->rx_malformed;
    received = bed->hosts[1].flow->seen.received;
    probe.version = bed->hosts[1].flow->version - 1;
    probe.token = bed->hosts[1].flow->token;
    probe.seq = bed->hosts[1].flow->rx.next;
    probe.ack = bed->hosts[1].flow->tx.una;
    bed_inject_flow(bed, 1, 0, &probe);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(transport_stats(bed->hosts[1].transport)->rx_malformed, malformed + 1);
    ck_assert_uint_eq(bed->hosts[1].flow->seen.received, received);
}
END_TEST

START_TEST(a_refusal_is_believed_only_with_our_nonce)
{
    struct wire_hello refusal = {.kind = WIRE_HELLO_REFUSE, .error = EPROTONOSUPPORT};

    bed->judge = drop_all;
    bed_connect(bed, 0);
    run_for(NSEC_PER_USEC);
    refusal.nonce = bed->hosts[0].flow->nonce + 1;
    bed_inject_hello(bed, 0, 0, &refusal);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 0);
    refusal.nonce--;
    bed_inject_hello(bed, 0, 0, &refusal);
    run_for(NSEC_PER_USEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert_int_eq(bed->hosts[0].error, -EPROTONOSUPPORT);
}
END_TEST

START_TEST(a_false_welcome_opens_nothing)
{
    struct wire_hello welcome = make_call(0, 0);

    welcome.kind = WIRE_HELLO_WELCOME;
    bed->judge = drop_all;
    bed_connect(bed, 0);
    run_for(NSEC_PER_USEC);
    welcome.nonce = bed->hosts[0].flow->nonce ^ 1;
    bed_inject_hello(bed, 0, 0, &welcome);
    welcome.nonce ^= 1;
    welcome.version_max = 3; /* a version that we do not speak, or two at once */
    bed_inject_hello(bed, 0, 0, &welcome);
    welcome.version_max = 1;
    welcome.mtu = MTU_MIN - 1;
    bed_inject_hello(bed, 0, 0, &welcome);
    welcome.mtu = 1500;
    welcome.token = 0;
    bed_inject_hello(bed, 0, 0, &welcome);
    run_for(NSEC_PER_USEC);
    ck_assert(!flow_is_open(bed->hosts[0].flow));
    welcome.token = 1;
    bed_inject_hello(bed, 0, 0, &welcome);
    run_for(NSEC_PER_USEC);
    ck_assert(flow_is_open(bed->hosts[0].flow));
}
END_TEST

START_TEST(nobody_answers)
{
    bed->judge = drop_all;
    bed_connect(bed, 0);
    run_for(2 * NSEC_PER_SEC - NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 0);
    run_for(2 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 1);
    ck_assert_int_eq(bed->hosts[0].error, -EHOSTUNREACH);
    ck_assert_uint_gt(seen[WIRE_HELLO_CALL], 5);
    ck_assert_uint_lt(seen[WIRE_HELLO_CALL], 20);
    ck_assert_uint_eq(flows(0), 0);
}
END_TEST

START_TEST(both_call_at_once_and_share_one_flow)
{
    bed_connect(bed, 0);
    bed_connect(bed, 1);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    run_for(NSEC_PER_SEC);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].opened, 1);
        ck_assert_uint_eq(bed->hosts[i].ended, 0);
        ck_assert_uint_eq(flows(i), 1);
    }
    /* It says nothing of the cookie that its sender was given as a caller. */
    ck_assert_uint_eq(last[WIRE_HELLO_WELCOME].cookie, 0);
    ck_assert_uint_eq(bed->hosts[0].flow->peer_token, bed->hosts[1].flow->token);
    bed_give(bed, 0, 1000);
    bed_give(bed, 1, 1000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
}
END_TEST

static void open_through_loss(uint32_t seed)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        bed->hosts[i].transport->config.hello_timeout_ns = 60 * NSEC_PER_SEC;
    rng_init_u64(&bed->chaos, seed, 3);
    bed->loss = 400000;
    bed->duplicate = 200000;
    bed->reorder = 300000;
    bed->judge = bed_chaos;
    bed_connect(bed, 0);
    if (seed % 2 == 0)
        bed_connect(bed, 1);
    bed_give(bed, 0, 500);
    bed_give(bed, 1, 500);
    ck_assert(bed_run(bed, bed_all_received, 60 * NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].repeated + bed->hosts[1].repeated, 0);
    ck_assert_uint_eq(bed->hosts[0].ended + bed->hosts[1].ended, 0);
    ck_assert_uint_eq(flows(0), 1);
    ck_assert_uint_eq(flows(1), 1);
}

START_TEST(opens_through_loss_whoever_calls)
{
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        open_through_loss(seed);
        bed_destroy(bed);
        bed = bed_create();
        bed_start(bed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hello");
    TCase *tc = tcase_create("hello");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, opens_in_two_round_trips);
    tcase_add_loop_test(tc, features_are_what_both_sides_have, 0, 2);
    tcase_add_test(tc, an_answerer_without_features);
    tcase_add_test(tc, the_answerer_keeps_nothing_without_proof);
    tcase_add_test(tc, a_cookie_proves_one_nonce_from_one_address);
    tcase_add_loop_test(tc, made_up_engines, 0, 2);
    tcase_add_test(tc, a_cookie_expires);
    tcase_add_test(tc, a_repeated_call_gets_the_same_welcome);
    tcase_add_test(tc, an_old_call_harms_no_flow);
    tcase_add_test(tc, a_restarted_peer_is_noticed);
    tcase_add_test(tc, no_common_version_is_refused);
    tcase_add_loop_test(tc, the_highest_common_version_is_spoken, 0, RTE_DIM(pairs));
    tcase_add_test(tc, a_packet_of_another_version_than_its_flow_is_dropped);
    tcase_add_test(tc, a_refusal_is_believed_only_with_our_nonce);
    tcase_add_test(tc, a_false_welcome_opens_nothing);
    tcase_add_test(tc, nobody_answers);
    tcase_add_test(tc, both_call_at_once_and_share_one_flow);
    tcase_add_test(tc, opens_through_loss_whoever_calls);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
