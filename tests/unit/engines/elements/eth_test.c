/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/eth.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>

static uint8_t bytes[FRAME_BYTES_MAX];
static struct packet_meta meta;
static struct rte_mbuf packet;

static enum refusal step(uint32_t length)
{
    frame_borrow(&packet, bytes, length);
    return eth_step(&packet, &meta);
}

START_TEST(takes_the_header_off)
{
    memcpy(bytes, frame_v6, sizeof(frame_v6));
    ck_assert_int_eq(step(sizeof(frame_v6)), REFUSAL_NONE);
    ck_assert_uint_eq(meta.ether_type, RTE_ETHER_TYPE_IPV6);
    ck_assert_mem_eq(&meta.dst_mac, frame_v6, 6);
    ck_assert_mem_eq(&meta.src_mac, frame_v6 + 6, 6);
    ck_assert_uint_eq(packet.data_off, FRAME_ETH_BYTES);
    ck_assert_uint_eq(packet.data_len, sizeof(frame_v6) - FRAME_ETH_BYTES);
}
END_TEST

START_TEST(needs_it_whole)
{
    memcpy(bytes, frame_v6, sizeof(frame_v6));
    for (uint32_t length = 0; length < FRAME_ETH_BYTES; length++)
        ck_assert_int_eq(step(length), REFUSAL_ETH_SHORT);
    ck_assert_int_eq(step(FRAME_ETH_BYTES), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, 0);
}
END_TEST

START_TEST(refuses_groups)
{
    memcpy(bytes, frame_v4, sizeof(frame_v4));
    memset(bytes, 0xff, 6);
    ck_assert_int_eq(step(sizeof(frame_v4)), REFUSAL_ETH_GROUP);
    bytes[0] = 0x33;
    ck_assert_int_eq(step(sizeof(frame_v4)), REFUSAL_ETH_GROUP);
}
END_TEST

START_TEST(refuses_sources_without_an_answer)
{
    memcpy(bytes, frame_v4, sizeof(frame_v4));
    bytes[6] |= 1;
    ck_assert_int_eq(step(sizeof(frame_v4)), REFUSAL_ETH_SOURCE);
    memset(bytes + 6, 0, 6);
    ck_assert_int_eq(step(sizeof(frame_v4)), REFUSAL_ETH_SOURCE);
}
END_TEST

/* A burst keeps what it accepts in order and gives the rest back with reasons. */
START_TEST(splits_a_burst)
{
    static uint8_t memory[8][FRAME_BYTES_MAX];
    struct rte_mbuf own[8];
    struct rte_mbuf *packets[8];
    struct packet_meta metas[8];
    struct refused refused = {.count = 0};

    for (uint8_t i = 0; i < 8; i++) {
        memcpy(memory[i], frame_v4, sizeof(frame_v4));
        memory[i][13] = i; /* the type tells them apart */
        if (i % 3 == 0)
            memory[i][0] |= 1;
        frame_borrow(&own[i], memory[i], i == 7 ? 13 : sizeof(frame_v4));
        packets[i] = &own[i];
    }
    ck_assert_uint_eq(eth_batch(packets, metas, 8, &refused), 4);
    ck_assert_uint_eq(refused.count, 4);
    ck_assert_ptr_eq(packets[0], &own[1]);
    ck_assert_ptr_eq(packets[1], &own[2]);
    ck_assert_ptr_eq(packets[2], &own[4]);
    ck_assert_ptr_eq(packets[3], &own[5]);
    ck_assert_uint_eq(metas[3].ether_type, 0x0805);
    ck_assert_ptr_eq(refused.packets[0], &own[0]);
    ck_assert_uint_eq(refused.reasons[0], REFUSAL_ETH_GROUP);
    ck_assert_ptr_eq(refused.packets[3], &own[7]);
    ck_assert_uint_eq(refused.reasons[3], REFUSAL_ETH_SHORT);
}
END_TEST

START_TEST(builds)
{
    const struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}};
    const struct rte_ether_addr dst = {{2, 0, 0, 0, 0, 2}};

    ck_assert_uint_eq(eth_build(bytes, &src, &dst, RTE_ETHER_TYPE_IPV4), FRAME_ETH_BYTES);
    ck_assert_mem_eq(bytes, frame_v4, FRAME_ETH_BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eth");
    TCase *tcase = tcase_create("eth");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, takes_the_header_off);
    tcase_add_test(tcase, needs_it_whole);
    tcase_add_test(tcase, refuses_groups);
    tcase_add_test(tcase, refuses_sources_without_an_answer);
    tcase_add_test(tcase, splits_a_burst);
    tcase_add_test(tcase, builds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
