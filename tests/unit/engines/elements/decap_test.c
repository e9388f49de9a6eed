/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/decap.h"
#include "engines/elements/ipv4.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 511u
#define BITS         8u

static struct decap decap;

/* Puts one packet through the ladder; if it is accepted, checks that nothing points outside. */
static uint16_t one(struct rte_mbuf *packet, struct packet_meta *meta)
{
    uint32_t length = rte_pktmbuf_pkt_len(packet);
    uint16_t count = decap_batch(&decap, &packet, meta, 1);

    if (count == 0)
        return 0;
    ck_assert_uint_eq(packet->nb_segs, 1);
    ck_assert_uint_eq(packet->pkt_len, packet->data_len);
    ck_assert_uint_le((uint32_t)packet->data_off + packet->data_len, packet->buf_len);
    ck_assert_uint_le(packet->data_len, length);
    ck_assert_uint_le(meta->vlan_tags, PACKET_VLAN_MAX);
    ck_assert_uint_le(meta->dscp, 63);
    ck_assert_uint_le(meta->ecn, 3);
    ck_assert_uint_eq(meta->protocol, IPPROTO_UDP);
    ck_assert_uint_eq(packet->data_len, FRAME_PAYLOAD_BYTES);
    ck_assert_mem_eq(rte_pktmbuf_mtod(packet, const char *), FRAME_PAYLOAD, FRAME_PAYLOAD_BYTES);
    rte_pktmbuf_free(packet);
    return 1;
}

START_TEST(accepts)
{
    static const uint8_t tags[FRAMES] = {0, 0, 0, 1, 2};
    struct rte_mempool *pool = test_eal_pool("accepts", POOL_PACKETS);
    struct packet_meta meta;
    char text[ADDRESS_TEXT_BYTES];

    ck_assert_uint_eq(one(frame_exact(pool, frames[_i].bytes, frames[_i].length), &meta), 1);
    ck_assert_str_eq(address_format(&meta.src, text),
                     address_is_v4(&meta.src) ? "10.0.0.1" : "fd00::1");
    ck_assert_str_eq(address_format(&meta.dst, text),
                     address_is_v4(&meta.src) ? "10.0.0.2" : "fd00::2");
    ck_assert_uint_eq(meta.src_port, 49152);
    ck_assert_uint_eq(meta.dst_port, 6000);
    ck_assert_uint_eq(meta.dscp, 10);
    ck_assert_uint_eq(meta.ecn, 2);
    ck_assert_uint_eq(meta.vlan_tags, tags[_i]);
    ck_assert_uint_eq(decap.accepted, 1);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(every_truncation)
{
    struct rte_mempool *pool = test_eal_pool("truncation", POOL_PACKETS);
    struct packet_meta meta;

    for (uint32_t length = 0; length < frames[_i].length; length++)
        ck_assert_uint_eq(one(frame_exact(pool, frames[_i].bytes, length), &meta), 0);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

/* Where a flipped bit leaves a frame acceptable: link addresses but for group bits; priority and
 * number of a tag; and, since IPv6 has no header checksum, traffic class, flow label and hop
 * limit. */
static bool harmless(const struct frame *frame, uint32_t bit)
{
    uint32_t byte = bit / BITS;
    uint32_t tags = frame->bytes == frame_v4_vlan ? 1 : frame->bytes == frame_v6_qinq ? 2 : 0;
    uint32_t ip = FRAME_ETH_BYTES + 4 * tags;

    if (byte < 12)
        return bit != 0 && bit != 6 * BITS;
    if (byte >= FRAME_ETH_BYTES && byte < ip)
        return (byte - FRAME_ETH_BYTES) % 4 < 2;
    if (byte < ip || frame->bytes[ip] >> 4 != 6)
        return false;
    return (byte == ip && bit % BITS < 4) || (byte > ip && byte < ip + 4) || byte == ip + 7;
}

START_TEST(every_single_bit)
{
    const struct frame *frame = &frames[_i];
    struct rte_mempool *pool = test_eal_pool("bits", POOL_PACKETS);
    uint8_t bytes[FRAME_BYTES_MAX];
    struct packet_meta meta;

    for (uint32_t bit = 0; bit < frame->length * BITS; bit++) {
        memcpy(bytes, frame->bytes, frame->length);
        bytes[bit / BITS] ^= (uint8_t)(1u << bit % BITS);
        ck_assert_msg(one(frame_exact(pool, bytes, frame->length), &meta) == harmless(frame, bit),
                      "bit %u", bit);
    }
    ck_assert(rte_mempool_full(pool));
}
END_TEST

/* Any cut into segments reads as the whole does. */
START_TEST(every_segmentation)
{
    struct rte_mempool *pool = test_eal_pool("segments", POOL_PACKETS);
    struct packet_meta meta;

    for (uint32_t step = 1; step <= frames[_i].length; step++) {
        struct rte_mbuf *packet = frame_chain(pool, frames[_i].bytes, frames[_i].length, step);

        ck_assert_uint_eq(one(packet, &meta), 1);
    }
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(mixed_burst)
{
    struct rte_mempool *pool = test_eal_pool("mixed", POOL_PACKETS);
    struct rte_mbuf *packets[BURST_MAX];
    struct packet_meta metas[BURST_MAX];
    uint8_t arp[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x06};
    uint16_t count;

    for (uint32_t i = 0; i < BURST_MAX; i++) {
        const struct frame *frame = &frames[i % FRAMES];

        if (i % 4 == 3)
            packets[i] = frame_exact(pool, arp, sizeof(arp));
        else
            packets[i] = frame_exact(pool, frame->bytes, frame->length - (i % 4 == 2));
    }
    count = decap_batch(&decap, packets, metas, BURST_MAX);
    ck_assert_uint_eq(count, BURST_MAX / 2);
    ck_assert_uint_eq(decap.accepted, BURST_MAX / 2);
    ck_assert_uint_eq(decap.refused[REFUSAL_ETH_TYPE], BURST_MAX / 4);
    ck_assert_uint_eq(decap.refused[REFUSAL_IPV4_LENGTH] + decap.refused[REFUSAL_IPV6_LENGTH],
                      BURST_MAX / 4);
    for (uint16_t i = 0; i < count; i++) {
        uint32_t from = i / 2 * 4 + i % 2; /* which of the burst this was */

        ck_assert_int_eq(address_is_v4(&metas[i].src), from % FRAMES != 2 && from % FRAMES != 4);
        rte_pktmbuf_free(packets[i]);
    }
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(other_stations)
{
    struct rte_mempool *pool = test_eal_pool("stations", POOL_PACKETS);
    struct rte_mbuf *packets[FRAMES];
    struct packet_meta metas[FRAMES];

    for (uint32_t mine = 0; mine < 2; mine++) {
        memcpy(&decap.mac, frame_v4, sizeof(decap.mac));
        decap.mac.addr_bytes[5] ^= (uint8_t)!mine;
        for (uint32_t i = 0; i < FRAMES; i++)
            packets[i] = frame_exact(pool, frames[i].bytes, frames[i].length);
        ck_assert_uint_eq(decap_batch(&decap, packets, metas, FRAMES), mine * FRAMES);
        ck_assert_uint_eq(decap.refused[REFUSAL_ETH_STATION], FRAMES);
    }
    rte_pktmbuf_free_bulk(packets, FRAMES);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(random_bytes)
{
    struct rte_mempool *pool = test_eal_pool("random", POOL_PACKETS);
    uint8_t bytes[FRAME_BYTES_MAX];
    struct packet_meta meta;
    uint32_t state = 1;
    uint32_t accepted = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        struct rte_mbuf *packet;

        for (uint32_t at = 0; at < sizeof(bytes); at++) {
            state = state * 1664525 + 1013904223;
            bytes[at] = (uint8_t)(state >> 24);
        }
        /* Half of them get past Ethernet. */
        if (i % 2)
            memcpy(bytes, frames[i / 2 % FRAMES].bytes, FRAME_ETH_BYTES);
        packet = frame_exact(pool, bytes, state >> 8 & (FRAME_BYTES_MAX - 1));
        accepted += decap_batch(&decap, &packet, &meta, 1);
    }
    ck_assert_uint_eq(accepted, 0);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(names)
{
    for (enum refusal reason = REFUSAL_NONE; reason < REFUSAL_COUNT; reason++) {
        ck_assert_ptr_nonnull(decap_refusal_name(reason));
        for (enum refusal other = REFUSAL_NONE; other < reason; other++)
            ck_assert_str_ne(decap_refusal_name(reason), decap_refusal_name(other));
    }
    ck_assert_str_eq(decap_refusal_name(REFUSAL_COUNT), "unknown");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decap");
    TCase *tcase = tcase_create("decap");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_loop_test(tcase, accepts, 0, FRAMES);
    tcase_add_loop_test(tcase, every_truncation, 0, FRAMES);
    tcase_add_loop_test(tcase, every_single_bit, 0, FRAMES);
    tcase_add_loop_test(tcase, every_segmentation, 0, FRAMES);
    tcase_add_test(tcase, mixed_burst);
    tcase_add_test(tcase, other_stations);
    tcase_add_test(tcase, random_bytes);
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
