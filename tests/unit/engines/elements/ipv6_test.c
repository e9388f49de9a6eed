/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/ipv6.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>

#define PACKET_BYTES (sizeof(frame_v6) - FRAME_ETH_BYTES)
#define SRC_AT       8u
#define DST_AT       24u

static uint8_t bytes[FRAME_BYTES_MAX];
static struct packet_meta meta;
static struct rte_mbuf packet;

static enum refusal step(uint32_t length)
{
    frame_borrow(&packet, bytes, length);
    return ipv6_step(&packet, &meta);
}

static void valid(void)
{
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, frame_v6 + FRAME_ETH_BYTES, PACKET_BYTES);
}

static enum refusal lie(uint32_t offset, uint8_t value)
{
    valid();
    bytes[offset] = value;
    return step(PACKET_BYTES);
}

static enum refusal lie_address(uint32_t offset, const char *text)
{
    struct address address;

    valid();
    ck_assert_int_eq(address_parse(&address, text), 0);
    memcpy(bytes + offset, address.bytes, sizeof(address.bytes));
    return step(PACKET_BYTES);
}

START_TEST(reads)
{
    char text[ADDRESS_TEXT_BYTES];

    valid();
    ck_assert_int_eq(step(PACKET_BYTES), REFUSAL_NONE);
    ck_assert_str_eq(address_format(&meta.src, text), "fd00::1");
    ck_assert_str_eq(address_format(&meta.dst, text), "fd00::2");
    ck_assert_uint_eq(meta.protocol, IPPROTO_UDP);
    ck_assert_uint_eq(meta.dscp, 10);
    ck_assert_uint_eq(meta.ecn, 2);
    ck_assert_uint_eq(packet.data_off, 40);
    ck_assert_uint_eq(packet.data_len, PACKET_BYTES - 40);
}
END_TEST

START_TEST(cuts_padding)
{
    valid();
    ck_assert_int_eq(step(PACKET_BYTES + 5), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, PACKET_BYTES - 40);
}
END_TEST

START_TEST(short_frames)
{
    valid();
    for (uint32_t length = 0; length < 40; length++)
        ck_assert_int_eq(step(length), REFUSAL_IPV6_SHORT);
    for (uint32_t length = 40; length < PACKET_BYTES; length++)
        ck_assert_int_eq(step(length), REFUSAL_IPV6_LENGTH);
}
END_TEST

START_TEST(lies)
{
    /* Hop by hop, TCP, routing, fragment, ICMPv6, nothing, destination options. */
    static const uint8_t others[] = {0, 6, 43, 44, 58, 59, 60};

    ck_assert_int_eq(lie(0, 0x42), REFUSAL_IPV6_VERSION);
    ck_assert_int_eq(lie(5, PACKET_BYTES - 40 + 1), REFUSAL_IPV6_LENGTH);
    ck_assert_int_eq(lie(4, 0xff), REFUSAL_IPV6_LENGTH);
    for (size_t i = 0; i < sizeof(others); i++)
        ck_assert_int_eq(lie(6, others[i]), REFUSAL_IPV6_NEXT_HEADER);
    ck_assert_int_eq(lie(7, 0), REFUSAL_NONE);    /* hop limit */
    ck_assert_int_eq(lie(3, 0x77), REFUSAL_NONE); /* flow label */
    ck_assert_int_eq(lie(5, 0), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, 0);
}
END_TEST

START_TEST(addresses)
{
    ck_assert_int_eq(lie_address(SRC_AT, "::"), REFUSAL_IPV6_SOURCE);
    ck_assert_int_eq(lie_address(SRC_AT, "ff02::1"), REFUSAL_IPV6_SOURCE);
    ck_assert_int_eq(lie_address(SRC_AT, "::ffff:10.0.0.1"), REFUSAL_IPV6_MAPPED);
    ck_assert_int_eq(lie_address(DST_AT, "::ffff:10.0.0.2"), REFUSAL_IPV6_MAPPED);
    ck_assert_int_eq(lie_address(SRC_AT, "fe80::1"), REFUSAL_NONE);
}
END_TEST

START_TEST(builds)
{
    struct address src;
    struct address dst;

    address_parse(&src, "fd00::1");
    address_parse(&dst, "fd00::2");
    ck_assert_uint_eq(ipv6_build(bytes, &src, &dst, 0x2a), 40);
    ipv6_set_length(bytes, PACKET_BYTES - 40);
    ck_assert_mem_eq(bytes, frame_v6 + FRAME_ETH_BYTES, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ipv6");
    TCase *tcase = tcase_create("ipv6");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, reads);
    tcase_add_test(tcase, cuts_padding);
    tcase_add_test(tcase, short_frames);
    tcase_add_test(tcase, lies);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, builds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
