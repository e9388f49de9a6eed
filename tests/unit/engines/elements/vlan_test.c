/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/vlan.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>

static uint8_t bytes[FRAME_BYTES_MAX];
static struct packet_meta meta;
static struct rte_mbuf packet;

static enum refusal step(uint16_t type, uint32_t length)
{
    meta.ether_type = type;
    frame_borrow(&packet, bytes, length);
    return vlan_step(&packet, &meta);
}

START_TEST(untagged)
{
    ck_assert_int_eq(step(RTE_ETHER_TYPE_IPV4, 0), REFUSAL_NONE);
    ck_assert_uint_eq(meta.vlan_tags, 0);
    ck_assert_uint_eq(meta.ether_type, RTE_ETHER_TYPE_IPV4);
    ck_assert_uint_eq(packet.data_off, 0);
}
END_TEST

START_TEST(one_tag)
{
    /* Priority and drop flag set: not part of the number. */
    memcpy(bytes, (uint8_t[]){0xf0, 0x64, 0x08, 0x00}, 4);
    ck_assert_int_eq(step(RTE_ETHER_TYPE_VLAN, 20), REFUSAL_NONE);
    ck_assert_uint_eq(meta.vlan_tags, 1);
    ck_assert_uint_eq(meta.vlan[0], 100);
    ck_assert_uint_eq(meta.ether_type, RTE_ETHER_TYPE_IPV4);
    ck_assert_uint_eq(packet.data_off, 4);
}
END_TEST

START_TEST(two_tags)
{
    memcpy(bytes, frame_v6_qinq + FRAME_ETH_BYTES, 8);
    ck_assert_int_eq(step(RTE_ETHER_TYPE_QINQ, 8), REFUSAL_NONE);
    ck_assert_uint_eq(meta.vlan_tags, 2);
    ck_assert_uint_eq(meta.vlan[0], 7);
    ck_assert_uint_eq(meta.vlan[1], 100);
    ck_assert_uint_eq(meta.ether_type, RTE_ETHER_TYPE_IPV6);
    ck_assert_uint_eq(packet.data_len, 0);
}
END_TEST

START_TEST(no_third)
{
    memcpy(bytes, (uint8_t[]){0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x08, 0}, 12);
    ck_assert_int_eq(step(RTE_ETHER_TYPE_VLAN, 12), REFUSAL_VLAN_DEPTH);
}
END_TEST

START_TEST(needs_tags_whole)
{
    memcpy(bytes, frame_v6_qinq + FRAME_ETH_BYTES, 8);
    for (uint32_t length = 0; length < 8; length++)
        ck_assert_int_eq(step(RTE_ETHER_TYPE_QINQ, length), REFUSAL_VLAN_SHORT);
}
END_TEST

START_TEST(reserved_number)
{
    memcpy(bytes, (uint8_t[]){0x0f, 0xff, 0x08, 0x00}, 4);
    ck_assert_int_eq(step(RTE_ETHER_TYPE_VLAN, 4), REFUSAL_VLAN_ID);
}
END_TEST

START_TEST(builds)
{
    ck_assert_uint_eq(vlan_build(bytes, 100, RTE_ETHER_TYPE_IPV4), 4);
    ck_assert_mem_eq(bytes, frame_v4_vlan + FRAME_ETH_BYTES, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vlan");
    TCase *tcase = tcase_create("vlan");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, untagged);
    tcase_add_test(tcase, one_tag);
    tcase_add_test(tcase, two_tags);
    tcase_add_test(tcase, no_third);
    tcase_add_test(tcase, needs_tags_whole);
    tcase_add_test(tcase, reserved_number);
    tcase_add_test(tcase, builds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
