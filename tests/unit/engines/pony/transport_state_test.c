/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <stdlib.h>

#define TIMEOUT_S 50
#define MUTATIONS 3000u

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
    if (bed->hosts[0].config.resolver)
        bed_answer(bed, 0, "10.0.0.2", 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static struct bed_fate drop_odd(struct bed *b, uint32_t from, const struct wire_flow *header,
                                const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    if (from == 0 && header->type == WIRE_DATA)
        fate.copies = ++b->script[0] % 2;
    return fate;
}

/* Unacknowledged packets, gaps on both sides, one of each kind of state. */
static void make_rich_state(void)
{
    connect_hosts();
    bed->judge = drop_odd;
    bed->hosts[0].item_bytes = 600;
    bed_give(bed, 0, 40);
    bed_run(bed, bed_never, 2 * BED_LATENCY_NS + 100);
    ck_assert_uint_gt(bed->hosts[0].flow->tx.flying.count + bed->hosts[0].flow->tx.lost.count, 0);
    ck_assert_uint_gt(bed->hosts[1].flow->rx.held, 0);
}

START_TEST(what_is_saved_comes_back)
{
    struct flow *flow;
    struct tx_window tx;
    struct rx_window rx;
    struct flow_report before, after;
    uint64_t token, epoch;
    uint32_t id;

    make_rich_state();
    flow = bed->hosts[0].flow;
    tx = flow->tx;
    token = flow->token;
    id = flow_id(flow);
    epoch = bed->hosts[0].transport->epoch;
    rx = bed->hosts[1].flow->rx;
    flow_report(flow, &before);
    ck_assert_uint_gt(before.sent, before.resent);
    ck_assert_uint_gt(before.resent, 0);
    bed_reload(bed, 0);
    bed_reload(bed, 1);
    flow = bed->hosts[0].flow;
    ck_assert_ptr_nonnull(flow);
    ck_assert_uint_eq(flow_id(flow), id);
    ck_assert(flow_is_open(flow));
    ck_assert_uint_eq(flow->token, token);
    flow_report(flow, &after);
    ck_assert_uint_eq(after.sent, before.sent);
    ck_assert_uint_eq(after.resent, before.resent);
    ck_assert_uint_eq(after.features, WIRE_FEATURES_KNOWN);
    ck_assert_uint_eq(after.mtu, before.mtu);
    ck_assert_uint_eq(bed->hosts[0].transport->epoch, epoch);
    ck_assert_uint_eq(flow->tx.una, tx.una);
    ck_assert_uint_eq(flow->tx.next, tx.next);
    ck_assert_uint_eq(flow->tx.flying.count, tx.flying.count);
    ck_assert_uint_eq(flow->tx.lost.count, tx.lost.count);
    ck_assert_mem_eq(&bed->hosts[1].flow->rx, &rx, sizeof(rx));
    ck_assert_uint_gt(transport_stats(bed->hosts[0].transport)->tx_packets, 0);
    bed->judge = bed_perfect;
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[1].repeated + bed->hosts[1].damaged, 0);
    ck_assert_uint_eq(bed->hosts[0].ended + bed->hosts[1].ended, 0);
}
END_TEST

START_TEST(a_call_under_way_goes_on)
{
    bed_start(bed);
    bed_connect(bed, 0);
    for (uint32_t i = 0; i < 40; i++) {
        bed_run(bed, bed_both_open, NSEC_PER_USEC);
        bed_reload(bed, i % 2);
    }
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
    bed_give(bed, 0, 100);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(bed->hosts[0].ended + bed->hosts[1].ended, 0);
}
END_TEST

/* The clock of the new process starts elsewhere. */
START_TEST(another_clock_changes_nothing)
{
    make_rich_state();
    bed->now += _i == 0 ? 3600 * NSEC_PER_SEC : 0;
    if (_i == 1)
        bed->hosts[0].transport->now = bed->now;
    bed_reload(bed, 0);
    bed->judge = bed_perfect;
    ck_assert_ptr_nonnull(bed->hosts[0].flow);
    ck_assert_uint_le(bed->hosts[0].flow->heard_ns, bed->now);
}
END_TEST

static int load(struct bed_host *host, const struct state_writer *writer, const uint8_t *bytes)
{
    struct state_reader reader;
    uint16_t type, version;
    int error = 0;

    /* The true document opens the reader, then its bytes become the false ones: as if damage had
     * come with a checksum to match. */
    ck_assert_int_eq(state_reader_init(&reader, writer->bytes, writer->length), 0);
    reader.bytes = bytes;
    while (error == 0 && state_record_next(&reader, &type, &version))
        error = transport_load_record(host->transport, &reader, type, version, host->bed->now);
    return error != 0 ? error : reader.error;
}

/* Whatever the document says, it is refused or leads to a transport that runs, and every packet
 * buffer comes back. */
START_TEST(false_state_is_refused_or_harmless)
{
    struct bed_host *host;
    struct state_writer writer;
    uint8_t *bytes;
    uint32_t refused = 0;

    if (_i >= 2)
        bed_resolve(bed, _i % 2, 0);
    make_rich_state();
    host = &bed->hosts[_i % 2];
    state_writer_init(&writer);
    ck_assert_int_eq(transport_save(host->transport, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    bytes = malloc(writer.length);
    bed->judge = bed_perfect;
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        uint32_t flips = 1 + (uint32_t)rng_below(&bed->chaos, 3);

        memcpy(bytes, writer.bytes, writer.length);
        for (uint32_t j = 0; j < flips; j++) {
            size_t span = rng_chance(&bed->chaos, 800000) ? 600 : writer.length;
            size_t at = rng_below(&bed->chaos, RTE_MIN(span, writer.length));

            bytes[at] = rng_chance(&bed->chaos, 500000) ? (uint8_t)rng_u64(&bed->chaos)
                                                        : (uint8_t)(bytes[at] ^ (1u << (i % 8)));
        }
        bed_restart(bed, host->index);
        if (load(host, &writer, bytes) != 0) {
            refused++;
            continue;
        }
        wheel_advance(&host->wheel, bed->now + 10 * NSEC_PER_SEC, UINT16_MAX);
        transport_send(host->transport, bed->now, UINT64_MAX);
        for (; bed->queued > 0; bed->queued--)
            rte_pktmbuf_free(bed->queue[bed->queued - 1].packet);
    }
    ck_assert_uint_gt(refused, MUTATIONS / 20);
    free(bytes);
    state_writer_destroy(&writer);
    bed->hosts[1 - host->index].flow = NULL;
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    struct bed_host *host;
    struct state_writer writer;

    make_rich_state();
    host = &bed->hosts[0];
    state_writer_init(&writer);
    ck_assert_int_eq(transport_save(host->transport, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    for (size_t length = 0; length < writer.length; length += 1 + length / 300) {
        struct state_reader reader;

        ck_assert_int_ne(state_reader_init(&reader, writer.bytes, length), 0);
    }
    state_writer_destroy(&writer);
}
END_TEST

/* The version before wrote neither features nor counts. */
START_TEST(a_flow_of_the_first_version)
{
    struct bed_host *host;
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;

    make_rich_state();
    host = &bed->hosts[0];
    state_writer_init(&writer);
    ck_assert_int_eq(transport_save(host->transport, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    bed_restart(bed, 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version))
        ck_assert_int_eq(transport_load_record(host->transport, &reader, type, 1, bed->now), 0);
    ck_assert_int_eq(reader.error, 0);
    ck_assert_uint_eq(host->transport->flows_used, 1);
    ck_assert_uint_eq(host->transport->flows[0].features, 0);
    ck_assert_uint_eq(host->transport->flows[0].sent, 0);
    state_writer_destroy(&writer);
    bed->hosts[1].flow = NULL;
}
END_TEST

START_TEST(a_peer_that_the_configuration_lost_is_refused)
{
    struct bed_host *host;
    struct state_writer writer;

    make_rich_state();
    host = &bed->hosts[0];
    state_writer_init(&writer);
    ck_assert_int_eq(transport_save(host->transport, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    address_parse(&host->peers[0].address, "10.0.0.3");
    bed_restart(bed, 0);
    ck_assert_int_eq(load(host, &writer, writer.bytes), -EPROTO);
    state_writer_destroy(&writer);
}
END_TEST

/* Peers that nobody configured come back with the way that was known, and ask for a new one. */
START_TEST(a_resolved_way_is_kept_until_there_is_a_better_one)
{
    struct bed_host *host = &bed->hosts[0];

    bed_resolve(bed, 0, 0);
    connect_hosts();
    bed_answer(bed, 0, "10.0.0.2", 2, 1000, 0);
    bed->judge = drop_odd;
    host->item_bytes = 600;
    bed_give(bed, 0, 40);
    bed_run(bed, bed_never, 2 * BED_LATENCY_NS + 100);
    bed->judge = bed_perfect;
    host->expected.addr_bytes[5] = 2;
    bed_reload(bed, 0);
    ck_assert_uint_eq(host->resolver.drops, 1);
    ck_assert_uint_eq(host->resolver.wants, 2);
    ck_assert_uint_eq(host->flow->mtu, 1000);
    bed_run(bed, bed_never, 2 * BED_LATENCY_NS);
    ck_assert_uint_eq(host->strays, 0);
    /* Packets that were kept change over, too. */
    host->expected.addr_bytes[5] = 7;
    bed->hosts[1].transport->decap.mac.addr_bytes[5] = 7;
    bed_answer(bed, 0, "10.0.0.2", 7, 0, 0);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(host->flow->mtu, BED_MTU);
    ck_assert_uint_eq(host->strays, 0);
    ck_assert_uint_eq(bed->hosts[1].repeated + bed->hosts[1].damaged, 0);
}
END_TEST

START_TEST(state_of_an_earlier_version_has_no_way)
{
    struct bed_host *host = &bed->hosts[0];

    bed_resolve(bed, 0, (uint32_t)_i);
    connect_hosts();
    bed->judge = drop_odd;
    bed_give(bed, 0, 4000);
    bed_run(bed, bed_never, 2 * BED_LATENCY_NS + 100);
    bed->read_as = 1;
    bed_reload(bed, 0);
    bed->judge = bed_perfect;
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert(rte_is_zero_ether_addr(&host->sent_to));
    host->expected.addr_bytes[5] = 2;
    bed_answer(bed, 0, "10.0.0.2", 2, 0, 0);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(host->strays, 0);
    ck_assert_uint_eq(bed->hosts[1].repeated + bed->hosts[1].damaged, 0);
}
END_TEST

START_TEST(a_call_that_waits_for_its_way_goes_on)
{
    bed_resolve(bed, 0, 0);
    bed_start(bed);
    bed_connect(bed, 0);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    bed_reload(bed, 0);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->count, 0);
    bed_answer(bed, 0, "10.0.0.2", 2, 0, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_MSEC));
}
END_TEST

/* One that is over is found by who knows its number, until nobody refers to it any more. */
START_TEST(an_ended_flow_is_found)
{
    struct transport *transport;
    struct flow *flow;
    uint32_t id;

    connect_hosts();
    flow = bed->hosts[0].flow;
    id = flow_id(flow);
    flow_hold(flow); /* beyond what is told of its end */
    flow_end(flow, -ETIMEDOUT, bed->now);
    ck_assert_int_eq(flow_error(flow), -ETIMEDOUT);
    bed_reload(bed, 0);
    transport = bed->hosts[0].transport;
    ck_assert_ptr_null(transport_flow_by_id(transport, id));
    flow = transport_loaded_flow(transport, id);
    ck_assert_ptr_nonnull(flow);
    ck_assert_int_eq(flow_error(flow), -ETIMEDOUT);
    if (_i == 1)
        flow_hold(flow);
    transport_load_finish(transport);
    ck_assert(transport_loaded_flow(transport, id) == (_i == 1 ? flow : NULL));
    if (_i == 1)
        flow_release(flow);
    ck_assert_ptr_null(transport_loaded_flow(transport, id));
    ck_assert_uint_eq(transport->flows_used, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport_state");
    TCase *tc = tcase_create("transport_state");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_saved_comes_back);
    tcase_add_loop_test(tc, an_ended_flow_is_found, 0, 2);
    tcase_add_test(tc, a_call_under_way_goes_on);
    tcase_add_loop_test(tc, another_clock_changes_nothing, 0, 2);
    tcase_add_loop_test(tc, false_state_is_refused_or_harmless, 0, 4);
    tcase_add_test(tc, every_truncation_is_refused);
    tcase_add_test(tc, a_flow_of_the_first_version);
    tcase_add_test(tc, a_peer_that_the_configuration_lost_is_refused);
    tcase_add_test(tc, a_resolved_way_is_kept_until_there_is_a_better_one);
    tcase_add_loop_test(tc, state_of_an_earlier_version_has_no_way, 0, 2);
    tcase_add_test(tc, a_call_that_waits_for_its_way_goes_on);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
