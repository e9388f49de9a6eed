/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/udp.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>

#define UDP_BYTES   15u
#define CHECKSUM_AT 6u
#define LENGTH_AT   5u

static uint8_t bytes[FRAME_BYTES_MAX];
static struct packet_meta meta;
static struct rte_mbuf packet;

static enum refusal step(uint32_t length)
{
    frame_borrow(&packet, bytes, length);
    return udp_step(&packet, &meta);
}

/* The datagram of either family, whose checksums differ by their addresses. */
static void valid(int v6)
{
    const struct frame *frame = &frames[v6 ? 2 : 0];

    address_parse(&meta.src, v6 ? "fd00::1" : "10.0.0.1");
    address_parse(&meta.dst, v6 ? "fd00::2" : "10.0.0.2");
    memcpy(bytes, frame->bytes + frame->length - UDP_BYTES, UDP_BYTES);
}

START_TEST(reads)
{
    valid(_i);
    ck_assert_int_eq(step(UDP_BYTES), REFUSAL_NONE);
    ck_assert_uint_eq(meta.src_port, 49152);
    ck_assert_uint_eq(meta.dst_port, 6000);
    ck_assert_uint_eq(packet.data_len, FRAME_PAYLOAD_BYTES);
    ck_assert_mem_eq(bytes + packet.data_off, FRAME_PAYLOAD, FRAME_PAYLOAD_BYTES);
}
END_TEST

START_TEST(any_flip_is_seen)
{
    for (uint32_t bit = 0; bit < UDP_BYTES * 8; bit++) {
        enum refusal reason;

        valid(_i);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        reason = step(UDP_BYTES);
        ck_assert_int_eq(reason, bit / 16 == 2 ? REFUSAL_UDP_LENGTH : REFUSAL_UDP_CHECKSUM);
    }
}
END_TEST

START_TEST(other_addresses)
{
    valid(_i);
    meta.src.bytes[15] ^= 0x40;
    ck_assert_int_eq(step(UDP_BYTES), REFUSAL_UDP_CHECKSUM);
}
END_TEST

START_TEST(checksum_zero)
{
    valid(_i);
    memset(bytes + CHECKSUM_AT, 0, 2);
    ck_assert_int_eq(step(UDP_BYTES), REFUSAL_NONE);
}
END_TEST

/* A sum that comes out as zero is sent as 0xffff (RFC 768). */
START_TEST(checksum_all_ones)
{
    uint16_t sum;

    valid(_i);
    /* Choose the last two whole bytes of the payload so that the rest sums to 0xffff. */
    memset(bytes + CHECKSUM_AT, 0, 2);
    memset(bytes + 12, 0, 2);
    sum =
        (uint16_t)~checksum_fold(checksum_add(udp_pseudo_sum(&meta, UDP_BYTES), bytes, UDP_BYTES));
    memcpy(bytes + 12, &sum, sizeof(sum));
    memset(bytes + CHECKSUM_AT, 0xff, 2);
    ck_assert_int_eq(step(UDP_BYTES), REFUSAL_NONE);
}
END_TEST

START_TEST(lengths)
{
    valid(_i);
    for (uint32_t length = 0; length < 8; length++)
        ck_assert_int_eq(step(length), REFUSAL_UDP_SHORT);
    for (uint32_t length = 8; length < 30; length++)
        ck_assert_int_eq(step(length), length == UDP_BYTES ? REFUSAL_NONE : REFUSAL_UDP_LENGTH);
    bytes[LENGTH_AT] = 0;
    ck_assert_int_eq(step(UDP_BYTES), REFUSAL_UDP_LENGTH);
    bytes[LENGTH_AT] = 8;
    memset(bytes + CHECKSUM_AT, 0, 2);
    ck_assert_int_eq(step(8), REFUSAL_NONE);
    ck_assert_uint_eq(packet.data_len, 0);
}
END_TEST

START_TEST(builds)
{
    ck_assert_uint_eq(udp_build(bytes, 49152, 6000), 8);
    udp_set_length(bytes, UDP_BYTES);
    ck_assert_mem_eq(bytes, frame_v4 + sizeof(frame_v4) - UDP_BYTES, CHECKSUM_AT);
    ck_assert_uint_eq(bytes[CHECKSUM_AT] | bytes[CHECKSUM_AT + 1], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp");
    TCase *tcase = tcase_create("udp");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, reads, 0, 2);
    tcase_add_loop_test(tcase, any_flip_is_seen, 0, 2);
    tcase_add_loop_test(tcase, other_addresses, 0, 2);
    tcase_add_loop_test(tcase, checksum_zero, 0, 2);
    tcase_add_loop_test(tcase, checksum_all_ones, 0, 2);
    tcase_add_loop_test(tcase, lengths, 0, 2);
    tcase_add_test(tcase, builds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
