/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What others may put on the wire: replays, forgeries, lies, and overload's answer to it. */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <stdlib.h>

#define TIMEOUT_S    50
#define RECORDED_MAX 4096u
#define RECORD_BYTES 1600u

static struct bed *bed;
static uint32_t resets, echoes, acks;

/* All that host 0 ever sent. */
static struct {
    uint32_t length;
    uint8_t bytes[RECORD_BYTES];
} recorded[RECORDED_MAX];
static uint32_t recorded_count;

static struct bed_fate watch(struct bed *b, uint32_t from, const struct wire_flow *header,
                             const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(b, from, header, payload, bytes);

    resets += header->type == WIRE_RESET;
    acks += header->type == WIRE_ACK;
    echoes += header->type != WIRE_HELLO && header->flags & WIRE_FLAG_ECN_ECHO;
    if (from == 0 && recorded_count < RECORDED_MAX) {
        recorded[recorded_count].length = bytes;
        memcpy(recorded[recorded_count++].bytes, payload, bytes);
    }
    return fate;
}

static struct bed_fate mark_data(struct bed *b, uint32_t from, const struct wire_flow *header,
                                 const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = watch(b, from, header, payload, bytes);

    fate.mark = from == 0 && header->type == WIRE_DATA;
    return fate;
}

static void setup(void)
{
    bed = bed_create();
    bed_start(bed);
    bed->judge = watch;
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static void teardown(void)
{
    bed_destroy(bed);
}

static const struct transport_stats *stats(uint32_t host)
{
    return transport_stats(bed->hosts[host].transport);
}

static void settle(void)
{
    bed_run(bed, bed_never, 100 * NSEC_PER_USEC);
}

/* A header that host 1 would believe. */
static struct wire_flow header_of(uint8_t type)
{
    struct wire_flow header = {.version = WIRE_VERSION_MAX,
                               .type = type,
                               .token = bed->hosts[1].flow->token,
                               .seq = bed->hosts[0].flow->tx.next,
                               .ack = bed->hosts[1].flow->tx.una};

    return header;
}

static void check_unharmed(void)
{
    bed->judge = watch;
    bed_give(bed, 0, 500);
    bed_give(bed, 1, 500);
    ck_assert(bed_run(bed, bed_all_received, 10 * NSEC_PER_SEC));
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].repeated, 0);
        ck_assert_uint_eq(bed->hosts[i].damaged, 0);
        ck_assert_uint_eq(bed->hosts[i].ended, 0);
    }
}

START_TEST(a_replay_of_everything_delivers_nothing_twice)
{
    uint32_t count;

    bed_give(bed, 0, 20000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    count = recorded_count;
    ck_assert_uint_gt(count, 300);
    for (uint32_t i = 0; i < count; i++) {
        bed_inject(bed, 1, 0, recorded[i].bytes, recorded[i].length);
        if (i % 64 == 0)
            settle();
    }
    settle();
    ck_assert_uint_eq(bed->hosts[1].received, 20000);
    ck_assert_uint_gt(stats(1)->rx_duplicate, 300);
    check_unharmed();
}
END_TEST

/* A restarted host gets what its predecessor's peer had sent. */
START_TEST(a_replay_of_an_old_epoch_does_nothing)
{
    uint32_t count;

    bed_give(bed, 0, 2000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    count = recorded_count;
    bed_restart(bed, 1);
    bed->hosts[1].received = 0;
    bed->hosts[1].flow = NULL;
    for (uint32_t i = 0; i < count; i++)
        bed_inject(bed, 1, 0, recorded[i].bytes, recorded[i].length);
    bed_run(bed, bed_never, NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[1].received, 0);
    ck_assert_uint_eq(bed->hosts[1].transport->flows_used, 0);
}
END_TEST

START_TEST(unknown_tokens_are_answered_within_a_rate)
{
    struct wire_flow header = header_of(WIRE_PROBE);

    header.token ^= 1;
    for (uint32_t i = 0; i < 100; i++)
        bed_inject_flow(bed, 1, 0, &header);
    settle();
    ck_assert_uint_eq(stats(1)->rx_unknown_flow, 100);
    ck_assert_uint_eq(resets, RESETS_PER_MS);
    check_unharmed();
}
END_TEST

/* The right token from the wrong neighbour: another flow's packet, or a thief. */
START_TEST(a_token_is_good_from_its_own_address_only)
{
    struct wire_flow header = header_of(WIRE_PROBE);
    uint32_t next = bed->hosts[1].flow->rx.next;

    bed_inject_flow(bed, 1, 1, &header);
    header.type = WIRE_ACK;
    header.ack = bed->hosts[1].flow->tx.next;
    bed_inject_flow(bed, 1, 1, &header);
    settle();
    ck_assert_uint_eq(stats(1)->rx_unknown_flow, 2);
    ck_assert_uint_eq(bed->hosts[1].flow->rx.next, next);
    check_unharmed();
}
END_TEST

START_TEST(a_lie_about_what_arrived_is_refused)
{
    struct wire_flow header = header_of(WIRE_ACK);

    header.seq = 0;
    header.ack = bed->hosts[1].flow->tx.next + 1;
    bed_inject_flow(bed, 1, 0, &header);
    header.ack = bed->hosts[1].flow->tx.next + INT32_MAX;
    bed_inject_flow(bed, 1, 0, &header);
    settle();
    ck_assert_uint_eq(stats(1)->rx_malformed, 2);
    header.ack = bed->hosts[1].flow->tx.next - 100000; /* old: means nothing */
    bed_inject_flow(bed, 1, 0, &header);
    settle();
    ck_assert_uint_eq(stats(1)->rx_malformed, 2);
    check_unharmed();
}
END_TEST

START_TEST(a_number_beyond_the_window_is_refused)
{
    struct wire_flow header = header_of(WIRE_PROBE);
    uint32_t next = bed->hosts[1].flow->rx.next;

    header.seq = next + RX_WINDOW;
    bed_inject_flow(bed, 1, 0, &header);
    header.seq = next + INT32_MAX;
    bed_inject_flow(bed, 1, 0, &header);
    settle();
    ck_assert_uint_eq(stats(1)->rx_malformed, 2);
    ck_assert_uint_eq(bed->hosts[1].flow->rx.held, 0);
    check_unharmed();
}
END_TEST

START_TEST(a_reset_needs_the_secret)
{
    struct wire_flow header = {.version = WIRE_VERSION_MAX,
                               .type = WIRE_RESET,
                               .token = bed->hosts[1].flow->peer_token ^ 1};

    bed_inject_flow(bed, 1, 0, &header);
    header.token = bed->hosts[1].flow->token; /* what packets to us carry is no proof */
    bed_inject_flow(bed, 1, 0, &header);
    header.token = bed->hosts[1].flow->peer_token;
    bed_inject_flow(bed, 1, 1, &header); /* from another address */
    settle();
    ck_assert_uint_eq(bed->hosts[1].ended, 0);
    ck_assert_uint_eq(resets, 0);
    bed_inject_flow(bed, 1, 0, &header);
    settle();
    ck_assert_uint_eq(bed->hosts[1].ended, 1);
    ck_assert_int_eq(bed->hosts[1].error, -ECONNRESET);
}
END_TEST

START_TEST(damage_and_foreign_packets_are_counted_and_dropped)
{
    struct bed_host *host = &bed->hosts[1];
    struct wire_flow header = header_of(WIRE_PROBE);
    uint8_t bytes[WIRE_FLOW_BYTES];

    wire_flow_encode(&header, bytes);
    bytes[0] = (WIRE_VERSION_MAX + 1) << 4 | WIRE_PROBE;
    bed_inject(bed, 1, 0, bytes, sizeof(bytes));
    settle();
    ck_assert_uint_eq(stats(1)->rx_malformed, 1);
    bed_inject(bed, 1, 0, bytes, 1);
    settle();
    ck_assert_uint_eq(stats(1)->rx_bad_crc, 1);
    bytes[0] = 1 << 4 | WIRE_PROBE;
    host->config.addresses[0].bytes[15] = 99; /* to another host */
    bed_inject(bed, 1, 0, bytes, sizeof(bytes));
    settle();
    ck_assert_uint_eq(stats(1)->rx_malformed, 2);
    address_parse(&host->config.addresses[0], "10.0.0.2");
    check_unharmed();
}
END_TEST

START_TEST(declined_packets_are_as_if_lost)
{
    bed->hosts[1].decline = true;
    bed_give(bed, 0, 1000);
    bed_run(bed, bed_never, 20 * NSEC_PER_MSEC);
    ck_assert_uint_eq(bed->hosts[1].received, 0);
    ck_assert_uint_gt(stats(1)->rx_declined, 2);
    ck_assert_uint_gt(tx_window_outstanding(&bed->hosts[0].flow->tx), 0);
    bed->hosts[1].decline = false;
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    check_unharmed();
}
END_TEST

/* Declining for longer than a dead peer is waited for does not kill the flow: the peer speaks. */
START_TEST(a_declining_peer_is_not_dead)
{
    bed->hosts[1].decline = true;
    bed_give(bed, 0, 10);
    bed_run(bed, bed_never, 20 * NSEC_PER_SEC);
    ck_assert_uint_eq(bed->hosts[0].ended, 0);
    bed->hosts[1].decline = false;
    check_unharmed();
}
END_TEST

START_TEST(acknowledgements_are_few_and_ride_on_data)
{
    bed_give(bed, 0, 20000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_le(acks, stats(1)->rx_packets / 2);
    acks = 0;
    bed_give(bed, 0, 1);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_eq(acks, 1);
}
END_TEST

START_TEST(marks_are_echoed_and_heeded)
{
    uint32_t window;

    bed->hosts[0].item_bytes = 1000;
    bed_give(bed, 0, 20000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    window = cc_swift.window(bed->hosts[0].flow->cc);
    ck_assert_uint_eq(echoes, 0);
    bed->judge = mark_data;
    bed_give(bed, 0, 20000);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    ck_assert_uint_gt(echoes, 10);
    ck_assert_uint_lt(cc_swift.window(bed->hosts[0].flow->cc), window / 2);
    ck_assert_uint_eq(stats(0)->retransmissions, 0);
    check_unharmed();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("input");
    TCase *tc = tcase_create("input");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_replay_of_everything_delivers_nothing_twice);
    tcase_add_test(tc, a_replay_of_an_old_epoch_does_nothing);
    tcase_add_test(tc, unknown_tokens_are_answered_within_a_rate);
    tcase_add_test(tc, a_token_is_good_from_its_own_address_only);
    tcase_add_test(tc, a_lie_about_what_arrived_is_refused);
    tcase_add_test(tc, a_number_beyond_the_window_is_refused);
    tcase_add_test(tc, a_reset_needs_the_secret);
    tcase_add_test(tc, damage_and_foreign_packets_are_counted_and_dropped);
    tcase_add_test(tc, declined_packets_are_as_if_lost);
    tcase_add_test(tc, a_declining_peer_is_not_dead);
    tcase_add_test(tc, acknowledgements_are_few_and_ride_on_data);
    tcase_add_test(tc, marks_are_echoed_and_heeded);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
