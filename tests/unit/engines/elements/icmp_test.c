/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/checksum.h"
#include "engines/elements/icmp.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define V4_BYTES   33u
#define V6_BYTES   53u
#define V4_MESSAGE 20u
#define V6_MESSAGE 40u

/* Computed apart from the code: pings from 10.0.0.1 and fd00::1 to 10.0.0.2 and fd00::2. */
static const uint8_t ping_v4[V4_BYTES] = {0x45, 0x00, 0x00, 0x21, 0x00, 0x07, 0x40, 0x00, 0x40,
                                          0x01, 0x26, 0xd3, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00,
                                          0x00, 0x02, 0x08, 0x00, 0xe5, 0xf9, 0x12, 0x34, 0x00,
                                          0x01, 0x70, 0x69, 0x6e, 0x67, 0x21};
static const uint8_t ping_v6[V6_BYTES] = {0x60, 0x00, 0x00, 0x00, 0x00, 0x0d, 0x3a, 0x40, 0xfd,
                                          0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                          0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfd, 0x00, 0x00,
                                          0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                          0x00, 0x00, 0x00, 0x02, 0x80, 0x00, 0x73, 0xad, 0x12,
                                          0x34, 0x00, 0x01, 0x70, 0x69, 0x6e, 0x67, 0x21};

static uint8_t bytes[256];
static struct address asked;

static int with(const uint8_t *ping, uint32_t length, uint32_t at, uint8_t value)
{
    uint8_t before[sizeof(bytes)];
    int result;

    memcpy(bytes, ping, length);
    bytes[at] = value;
    if (length == V4_BYTES)
        frame_seal_ipv4(bytes);
    memcpy(before, bytes, length);
    result = icmp_echo(bytes, length, &asked);
    if (result < 0)
        ck_assert_mem_eq(bytes, before, length);
    return result;
}

START_TEST(pings_are_answered)
{
    char text[ADDRESS_TEXT_BYTES];

    /* Padding is cut off. */
    memcpy(bytes, ping_v4, V4_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V4_BYTES + 13, &asked), V4_BYTES);
    ck_assert_str_eq(address_format(&asked, text), "10.0.0.2");
    ck_assert_mem_eq(bytes + 12, ping_v4 + 16, 4);
    ck_assert_mem_eq(bytes + 16, ping_v4 + 12, 4);
    ck_assert(checksum_valid(checksum_add(0, bytes, V4_MESSAGE)));
    ck_assert(checksum_valid(checksum_add(0, bytes + V4_MESSAGE, V4_BYTES - V4_MESSAGE)));
    ck_assert_uint_eq(bytes[V4_MESSAGE], 0);
    ck_assert_mem_eq(bytes + V4_MESSAGE + 4, ping_v4 + V4_MESSAGE + 4, 9);

    memcpy(bytes, ping_v6, V6_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V6_BYTES + 7, &asked), V6_BYTES);
    ck_assert_str_eq(address_format(&asked, text), "fd00::2");
    ck_assert_mem_eq(bytes + 8, ping_v6 + 24, 16);
    ck_assert_mem_eq(bytes + 24, ping_v6 + 8, 16);
    ck_assert_uint_eq(bytes[V6_MESSAGE], 129);
    struct address source, destination;
    memcpy(&source, bytes + 8, 16);
    memcpy(&destination, bytes + 24, 16);
    ck_assert(checksum_valid(
        icmp6_sum(&source, &destination, bytes + V6_MESSAGE, V6_BYTES - V6_MESSAGE)));
    ck_assert_mem_eq(bytes + V6_MESSAGE + 4, ping_v6 + V6_MESSAGE + 4, 9);
}
END_TEST

START_TEST(an_answer_is_not_answered)
{
    memcpy(bytes, ping_v4, V4_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V4_BYTES, &asked), V4_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V4_BYTES, &asked), -EINVAL);
    memcpy(bytes, ping_v6, V6_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V6_BYTES, &asked), V6_BYTES);
    ck_assert_int_eq(icmp_echo(bytes, V6_BYTES, &asked), -EINVAL);
}
END_TEST

START_TEST(every_truncation)
{
    for (uint32_t length = 0; length < V6_BYTES; length++) {
        uint8_t *exact = malloc(length + 1);

        memcpy(exact + 1, ping_v6, length);
        ck_assert_int_eq(icmp_echo(exact + 1, length, &asked), -EINVAL);
        memcpy(exact + 1, ping_v4, length < V4_BYTES ? length : 0);
        ck_assert_int_eq(icmp_echo(exact + 1, length < V4_BYTES ? length : 0, &asked), -EINVAL);
        free(exact);
    }
}
END_TEST

START_TEST(every_damage_is_noticed)
{
    for (uint32_t bit = V4_MESSAGE * 8; bit < V4_BYTES * 8; bit++)
        ck_assert_int_eq(with(ping_v4, V4_BYTES, bit / 8,
                              (uint8_t)(ping_v4[bit / 8] ^ (1u << bit % 8))),
                         -EINVAL);
    for (uint32_t bit = 8 * 8; bit < V6_BYTES * 8; bit++)
        ck_assert_int_eq(with(ping_v6, V6_BYTES, bit / 8,
                              (uint8_t)(ping_v6[bit / 8] ^ (1u << bit % 8))),
                         -EINVAL);
}
END_TEST

START_TEST(other_packets)
{
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 0, 0x46), -EINVAL); /* options */
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 0, 0x55), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 3, 27), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 3, V4_BYTES + 1), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 6, 0x20), -EINVAL); /* a fragment */
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 7, 1), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 9, 17), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 12, 224), -EINVAL);
    ck_assert_int_eq(with(ping_v4, V4_BYTES, 12, 0), -EINVAL);
    ck_assert_int_eq(with(ping_v6, V6_BYTES, 5, 7), -EINVAL);
    ck_assert_int_eq(with(ping_v6, V6_BYTES, 5, 14), -EINVAL);
    ck_assert_int_eq(with(ping_v6, V6_BYTES, 6, 44), -EINVAL);
    memcpy(bytes, ping_v4, V4_BYTES);
    bytes[10] ^= 1; /* the header's checksum */
    ck_assert_int_eq(icmp_echo(bytes, V4_BYTES, &asked), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("icmp");
    TCase *tcase = tcase_create("icmp");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, pings_are_answered);
    tcase_add_test(tcase, an_answer_is_not_answered);
    tcase_add_test(tcase, every_truncation);
    tcase_add_test(tcase, every_damage_is_noticed);
    tcase_add_test(tcase, other_packets);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
