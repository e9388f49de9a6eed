/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/decap.h"
#include "engines/elements/encap.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS      511u
#define UDP_CHECKSUM_BACK 9u /* its distance from the end of a frame */

static struct encap_config config_for(bool v4)
{
    struct encap_config config = {
        .src_mac = {{2, 0, 0, 0, 0, 1}},
        .dst_mac = {{2, 0, 0, 0, 0, 2}},
        .src_port = 49152,
        .dst_port = 6000,
        .dscp = 10,
        .ecn = 2,
    };

    address_parse(&config.src, v4 ? "10.0.0.1" : "fd00::1");
    address_parse(&config.dst, v4 ? "10.0.0.2" : "fd00::2");
    return config;
}

static struct rte_mbuf *payload(struct rte_mempool *pool, const void *bytes, uint16_t length)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    ck_assert_ptr_nonnull(packet);
    memcpy(rte_pktmbuf_append(packet, length), bytes, length);
    return packet;
}

/* Exactly the known frames, but for the checksum that is not sent. */
START_TEST(known_frames)
{
    static const struct {
        struct frame frame;
        bool v4;
        uint16_t vlan;
    } cases[] = {
        {{frame_v4, sizeof(frame_v4)}, true, 0},
        {{frame_v6, sizeof(frame_v6)}, false, 0},
        {{frame_v4_vlan, sizeof(frame_v4_vlan)}, true, 100},
    };
    struct rte_mempool *pool = test_eal_pool("known", POOL_PACKETS);
    struct rte_mbuf *packet = payload(pool, FRAME_PAYLOAD, FRAME_PAYLOAD_BYTES);
    struct encap_config config = config_for(cases[_i].v4);
    struct encap encap;
    uint8_t want[FRAME_BYTES_MAX];
    uint32_t length = cases[_i].frame.length;

    memcpy(want, cases[_i].frame.bytes, length);
    memset(want + length - UDP_CHECKSUM_BACK, 0, 2);
    config.vlan = cases[_i].vlan;
    ck_assert_int_eq(encap_build(&encap, &config), 0);
    ck_assert_int_eq(encap_apply(&encap, packet), 0);
    ck_assert_uint_eq(packet->pkt_len, length);
    ck_assert_mem_eq(rte_pktmbuf_mtod(packet, const uint8_t *), want, length);
    rte_pktmbuf_free(packet);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

/* What is sent is accepted, whatever the length, also as a chain. */
START_TEST(round_trip)
{
    struct rte_mempool *pool = test_eal_pool("round_trip", POOL_PACKETS);
    struct encap_config config = config_for(_i % 2);
    struct decap decap = {0};
    struct encap encap;
    uint8_t bytes[1600];

    memset(bytes, 0xff, sizeof(bytes));
    config.vlan = _i / 2 ? 4094 : 0;
    ck_assert_int_eq(encap_build(&encap, &config), 0);
    for (uint16_t length = 0; length < sizeof(bytes); length = (uint16_t)(length * 2 + 1)) {
        struct rte_mbuf *packet = payload(pool, bytes, length);
        struct rte_mbuf *tail = payload(pool, bytes, 10);
        struct packet_meta meta;

        rte_pktmbuf_chain(packet, tail);
        ck_assert_int_eq(encap_apply(&encap, packet), 0);
        ck_assert_uint_eq(decap_batch(&decap, &packet, &meta, 1), 1);
        ck_assert_uint_eq(packet->data_len, length + 10u);
        ck_assert(address_equal(&meta.src, &config.src));
        ck_assert(address_equal(&meta.dst, &config.dst));
        ck_assert_uint_eq(meta.dscp, 10);
        ck_assert_uint_eq(meta.ecn, 2);
        ck_assert_uint_eq(meta.vlan_tags, config.vlan != 0);
        rte_pktmbuf_free(packet);
    }
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(bad_configurations)
{
    struct encap_config good = config_for(true);
    struct encap_config bad;
    struct encap encap;

    bad = good;
    address_parse(&bad.dst, "fd00::2");
    ck_assert_int_eq(encap_build(&encap, &bad), -EINVAL);
    bad = good;
    bad.vlan = 4095;
    ck_assert_int_eq(encap_build(&encap, &bad), -EINVAL);
    bad = good;
    bad.dscp = 64;
    ck_assert_int_eq(encap_build(&encap, &bad), -EINVAL);
    bad = good;
    bad.ecn = 4;
    ck_assert_int_eq(encap_build(&encap, &bad), -EINVAL);
}
END_TEST

START_TEST(no_headroom)
{
    struct rte_mempool *pool = test_eal_pool("headroom", POOL_PACKETS);
    struct rte_mbuf *packet = payload(pool, FRAME_PAYLOAD, FRAME_PAYLOAD_BYTES);
    struct encap_config config = config_for(true);
    struct encap encap;

    encap_build(&encap, &config);
    ck_assert_ptr_nonnull(
        rte_pktmbuf_prepend(packet, (uint16_t)(RTE_PKTMBUF_HEADROOM - encap.length + 1)));
    ck_assert_int_eq(encap_apply(&encap, packet), -ENOSPC);
    rte_pktmbuf_free(packet);
}
END_TEST

START_TEST(too_long)
{
    uint32_t most = UINT16_MAX - 8 - (_i ? 20 : 0);
    struct rte_mempool *pool = test_eal_pool("too_long", POOL_PACKETS);
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
    struct encap_config config = config_for(_i);
    struct encap encap;

    encap_build(&encap, &config);
    while (packet->pkt_len < most) {
        struct rte_mbuf *more = rte_pktmbuf_alloc(pool);

        ck_assert_ptr_nonnull(
            rte_pktmbuf_append(more, (uint16_t)RTE_MIN(most - packet->pkt_len, 2000u)));
        rte_pktmbuf_chain(packet, more);
    }
    ck_assert_ptr_nonnull(rte_pktmbuf_append(packet, 1));
    ck_assert_int_eq(encap_apply(&encap, packet), -EMSGSIZE);
    ck_assert_uint_eq(packet->pkt_len, most + 1);
    ck_assert_int_eq(rte_pktmbuf_trim(packet, 1), 0);
    ck_assert_int_eq(encap_apply(&encap, packet), 0);
    rte_pktmbuf_free(packet);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encap");
    TCase *tcase = tcase_create("encap");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_loop_test(tcase, known_frames, 0, 3);
    tcase_add_loop_test(tcase, round_trip, 0, 4);
    tcase_add_test(tcase, bad_configurations);
    tcase_add_test(tcase, no_headroom);
    tcase_add_loop_test(tcase, too_long, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
