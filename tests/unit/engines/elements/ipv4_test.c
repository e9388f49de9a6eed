/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/ipv4.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>

#define PACKET_BYTES (sizeof(frame_v4) - FRAME_ETH_BYTES)

static uint8_t bytes[FRAME_BYTES_MAX];
static struct packet_meta meta;
static struct rte_mbuf packet;

static enum refusal step(uint32_t length)
{
    frame_borrow(&packet, bytes, length);
    return ipv4_step(&packet, &meta);
}

static void valid(void)
{
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, frame_v4 + FRAME_ETH_BYTES, PACKET_BYTES);
}

/* One lie, under a right checksum. */
static enum refusal lie(uint32_t offset, uint8_t value)
{
    valid();
    bytes[offset] = value;
    frame_seal_ipv4(bytes);
    return step(PACKET_BYTES);
}

static void check_address(const struct address *address, const char *text)
{
    char buffer[ADDRESS_TEXT_BYTES];

    ck_assert_str_eq(address_format(address, buffer), text);
}

START_TEST(reads)
{
    valid();
    ck_assert_int_eq(step(PACKET_BYTES), REFUSAL_NONE);
    check_address(&meta.src, "10.0.0.1");
    check_address(&meta.dst, "10.0.0.2");
    ck_assert_uint_eq(meta.protocol, IPPROTO_UDP);
    ck_assert_uint_eq(meta.dscp, 10);
    ck_assert_uint_eq(meta.ecn, 2);
    ck_assert_uint_eq(packet.data_off, 20);
    ck_assert_uint_eq(packet.data_len, PACKET_BYTES - 20);
}
END_TEST

START_TEST(cuts_padding)
{
    valid();
    ck_assert_int_eq(step(PACKET_BYTES + 11), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, PACKET_BYTES - 20);
    ck_assert_uint_eq(packet.pkt_len, PACKET_BYTES - 20);
}
END_TEST

START_TEST(skips_options)
{
    memcpy(bytes, frame_v4_options + FRAME_ETH_BYTES, sizeof(frame_v4_options) - FRAME_ETH_BYTES);
    ck_assert_int_eq(step(sizeof(frame_v4_options) - FRAME_ETH_BYTES), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_off, 28);
    bytes[21] ^= 1; /* within the options: under the checksum too */
    ck_assert_int_eq(step(sizeof(frame_v4_options) - FRAME_ETH_BYTES), REFUSAL_IPV4_CHECKSUM);
}
END_TEST

START_TEST(short_frames)
{
    valid();
    for (uint32_t length = 0; length < 20; length++)
        ck_assert_int_eq(step(length), REFUSAL_IPV4_SHORT);
    for (uint32_t length = 20; length < PACKET_BYTES; length++)
        ck_assert_int_eq(step(length), REFUSAL_IPV4_LENGTH);
}
END_TEST

START_TEST(lies)
{
    ck_assert_int_eq(lie(0, 0x65), REFUSAL_IPV4_VERSION);
    ck_assert_int_eq(lie(0, 0x05), REFUSAL_IPV4_VERSION);
    for (uint8_t ihl = 0; ihl < 5; ihl++)
        ck_assert_int_eq(lie(0, 0x40 | ihl), REFUSAL_IPV4_IHL);
    ck_assert_int_eq(lie(0, 0x4f), REFUSAL_IPV4_IHL);  /* 60 bytes, beyond the frame */
    ck_assert_int_eq(lie(3, 19), REFUSAL_IPV4_LENGTH); /* less than the header */
    ck_assert_int_eq(lie(3, PACKET_BYTES + 1), REFUSAL_IPV4_LENGTH);
    ck_assert_int_eq(lie(2, 0xff), REFUSAL_IPV4_LENGTH);   /* 65,000 bytes */
    ck_assert_int_eq(lie(6, 0x20), REFUSAL_IPV4_FRAGMENT); /* more fragments */
    ck_assert_int_eq(lie(6, 0x80), REFUSAL_IPV4_FRAGMENT); /* reserved flag */
    ck_assert_int_eq(lie(6, 0x41), REFUSAL_IPV4_FRAGMENT); /* an offset, beside DF */
    ck_assert_int_eq(lie(7, 0x01), REFUSAL_IPV4_FRAGMENT);
    ck_assert_int_eq(lie(6, 0x00), REFUSAL_NONE); /* no DF: a whole packet all the same */
    ck_assert_int_eq(lie(9, IPPROTO_TCP), REFUSAL_IP_PROTOCOL);
    ck_assert_int_eq(lie(12, 0), REFUSAL_IPV4_SOURCE);
    ck_assert_int_eq(lie(12, 224), REFUSAL_IPV4_SOURCE);
    ck_assert_int_eq(lie(12, 239), REFUSAL_IPV4_SOURCE);
    ck_assert_int_eq(lie(8, 0), REFUSAL_NONE); /* hop counts are the routers' business */
}
END_TEST

START_TEST(broadcast_source)
{
    valid();
    memset(bytes + 12, 0xff, 4);
    frame_seal_ipv4(bytes);
    ck_assert_int_eq(step(PACKET_BYTES), REFUSAL_IPV4_SOURCE);
}
END_TEST

START_TEST(checksum)
{
    valid();
    bytes[10] ^= 0x10;
    ck_assert_int_eq(step(PACKET_BYTES), REFUSAL_IPV4_CHECKSUM);
}
END_TEST

START_TEST(no_payload)
{
    ck_assert_int_eq(lie(3, 20), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, 0);
}
END_TEST

START_TEST(builds)
{
    struct address src;
    struct address dst;

    address_parse(&src, "10.0.0.1");
    address_parse(&dst, "10.0.0.2");
    ck_assert_uint_eq(ipv4_build(bytes, &src, &dst, 0x2a), 20);
    ipv4_set_length(bytes, PACKET_BYTES, checksum_add(0, bytes, 20));
    ck_assert_mem_eq(bytes, frame_v4 + FRAME_ETH_BYTES, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ipv4");
    TCase *tcase = tcase_create("ipv4");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, reads);
    tcase_add_test(tcase, cuts_padding);
    tcase_add_test(tcase, skips_options);
    tcase_add_test(tcase, short_frames);
    tcase_add_test(tcase, lies);
    tcase_add_test(tcase, broadcast_source);
    tcase_add_test(tcase, checksum);
    tcase_add_test(tcase, no_payload);
    tcase_add_test(tcase, builds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
