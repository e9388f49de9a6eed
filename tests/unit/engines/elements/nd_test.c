/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/checksum.h"
#include "engines/elements/icmp.h"
#include "engines/elements/nd.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define IP_BYTES    40u
#define HOP_AT      7u
#define NEXT_AT     6u
#define LENGTH_AT   5u
#define SOURCE_AT   8u
#define GROUP_AT    24u
#define CODE_AT     41u
#define CHECKSUM_AT 42u
#define FLAGS_AT    44u
#define TARGET_AT   48u
#define OPTION_AT   64u
#define PLAIN_BYTES 64u
#define WITH_MAC    72u

/* Computed apart from the code: fd00::1 at 02:00:00:00:00:01 asks the group of fd00::2. */
static const uint8_t solicitation[WITH_MAC] = {
    0x60, 0, 0, 0, 0, 32, 58, 255, 0xfd, 0, 0, 0, 0,    0, 0, 0, 0,   0, 0,    0,    0, 0, 0, 1,
    0xff, 2, 0, 0, 0, 0,  0,  0,   0,    0, 0, 1, 0xff, 0, 0, 2, 135, 0, 0x7d, 0x97, 0, 0, 0, 0,
    0xfd, 0, 0, 0, 0, 0,  0,  0,   0,    0, 0, 0, 0,    0, 0, 2, 1,   1, 2,    0,    0, 0, 0, 1};

static uint8_t bytes[256];
static struct nd nd;

static void seal(uint32_t length)
{
    struct address source, destination;
    uint16_t sum = 0;

    memcpy(&source, bytes + SOURCE_AT, sizeof(source));
    memcpy(&destination, bytes + GROUP_AT, sizeof(destination));
    memcpy(bytes + CHECKSUM_AT, &sum, sizeof(sum));
    sum = (uint16_t)~checksum_fold(
        icmp6_sum(&source, &destination, bytes + IP_BYTES, length - IP_BYTES));
    memcpy(bytes + CHECKSUM_AT, &sum, sizeof(sum));
}

static int parse(uint32_t length)
{
    seal(length);
    return nd_parse(&nd, bytes, length);
}

static void reset(void)
{
    memcpy(bytes, solicitation, sizeof(solicitation));
}

static int parse_with(uint32_t at, uint8_t value)
{
    reset();
    bytes[at] = value;
    return parse(WITH_MAC);
}

static void advertisement(void)
{
    struct nd made = {
        .type = ND_ADVERTISEMENT, .solicited = true, .mac = {{2, 0, 0, 0, 0, 2}}, .has_mac = true};

    address_parse(&made.source, "fd00::2");
    address_parse(&made.destination, "fd00::1");
    made.target = made.source;
    ck_assert_uint_eq(nd_build(bytes, &made), WITH_MAC);
}

START_TEST(is_read_and_written)
{
    char text[ADDRESS_TEXT_BYTES];

    ck_assert_int_eq(nd_parse(&nd, solicitation, sizeof(solicitation)), 0);
    ck_assert_uint_eq(nd.type, ND_SOLICITATION);
    ck_assert_str_eq(address_format(&nd.source, text), "fd00::1");
    ck_assert_str_eq(address_format(&nd.destination, text), "ff02::1:ff00:2");
    ck_assert_str_eq(address_format(&nd.target, text), "fd00::2");
    ck_assert(nd.has_mac && !nd.solicited && !nd.override);
    ck_assert_mem_eq(&nd.mac, solicitation + 66, 6);
    ck_assert_uint_eq(nd_build(bytes, &nd), WITH_MAC);
    ck_assert_mem_eq(bytes, solicitation, WITH_MAC);
}
END_TEST

START_TEST(advertisements)
{
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct nd made;

        advertisement();
        ck_assert_int_eq(nd_parse(&made, bytes, WITH_MAC), 0);
        made.solicited = flags & 1;
        made.override = flags & 2;
        made.has_mac = flags != 3;
        uint32_t length = nd_build(bytes, &made);
        ck_assert_uint_eq(length, made.has_mac ? WITH_MAC : PLAIN_BYTES);
        ck_assert_int_eq(nd_parse(&nd, bytes, length), 0);
        ck_assert(nd.solicited == made.solicited && nd.override == made.override);
        ck_assert(nd.has_mac == made.has_mac);
    }
    /* Solicited, to a group. */
    advertisement();
    memcpy(bytes + GROUP_AT, &nd_all_nodes, sizeof(nd_all_nodes));
    ck_assert_int_eq(parse(WITH_MAC), -EINVAL);
    bytes[FLAGS_AT] = 0;
    ck_assert_int_eq(parse(WITH_MAC), 0);
}
END_TEST

START_TEST(every_truncation)
{
    for (uint32_t length = 0; length < WITH_MAC; length++) {
        uint8_t *exact = malloc(length + 1);

        memcpy(exact + 1, solicitation, length);
        ck_assert_int_eq(nd_parse(&nd, exact + 1, length), -EINVAL);
        free(exact);
    }
    /* Padding is no harm. */
    reset();
    ck_assert_int_eq(nd_parse(&nd, bytes, WITH_MAC + 10), 0);
}
END_TEST

START_TEST(every_bit_is_checked)
{
    for (uint32_t bit = 0; bit < WITH_MAC * 8; bit++) {
        reset();
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* Traffic class and flow label are nobody's business. */
        if (bit / 8 == 0 ? bit % 8 < 4 : bit / 8 < 4)
            ck_assert_int_eq(nd_parse(&nd, bytes, WITH_MAC), 0);
        else
            ck_assert_int_eq(nd_parse(&nd, bytes, WITH_MAC), -EINVAL);
    }
}
END_TEST

START_TEST(lies_with_the_right_checksum)
{
    ck_assert_int_eq(parse_with(HOP_AT, 254), -EINVAL);
    ck_assert_int_eq(parse_with(NEXT_AT, 17), -EINVAL);
    ck_assert_int_eq(parse_with(CODE_AT, 1), -EINVAL);
    ck_assert_int_eq(parse_with(IP_BYTES, 133), -EINVAL);
    ck_assert_int_eq(parse_with(IP_BYTES, 137), -EINVAL);
    ck_assert_int_eq(parse_with(0, 0x40), -EINVAL);
    ck_assert_int_eq(parse_with(LENGTH_AT, 23), -EINVAL);
    ck_assert_int_eq(parse_with(LENGTH_AT, 33), -EINVAL);
    ck_assert_int_eq(parse_with(LENGTH_AT - 1, 1), -EINVAL);
    ck_assert_int_eq(parse_with(TARGET_AT, 0xff), -EINVAL);
    ck_assert_int_eq(parse_with(SOURCE_AT, 0xff), -EINVAL);
    ck_assert_int_eq(parse_with(OPTION_AT + 1, 0), -EINVAL);
    ck_assert_int_eq(parse_with(OPTION_AT + 1, 2), -EINVAL);
    ck_assert_int_eq(parse_with(OPTION_AT + 2, 3), -EINVAL);
    ck_assert_int_eq(parse_with(OPTION_AT, 2), 0); /* not what is looked for */
    ck_assert(!nd.has_mac);
    ck_assert_int_eq(parse_with(OPTION_AT, 99), 0);
    reset();
    memcpy(bytes + TARGET_AT, address_v4_prefix, sizeof(address_v4_prefix));
    ck_assert_int_eq(parse(WITH_MAC), -EINVAL);
    reset();
    memcpy(bytes + SOURCE_AT, address_v4_prefix, sizeof(address_v4_prefix));
    ck_assert_int_eq(parse(WITH_MAC), -EINVAL);
}
END_TEST

START_TEST(options)
{
    reset();
    /* A long unknown one first, then ours. */
    memset(bytes + OPTION_AT, 0, 32);
    bytes[OPTION_AT] = 14;
    bytes[OPTION_AT + 1] = 3;
    memcpy(bytes + OPTION_AT + 24, solicitation + OPTION_AT, 8);
    bytes[LENGTH_AT] = 24 + 32;
    ck_assert_int_eq(parse(OPTION_AT + 32), 0);
    ck_assert(nd.has_mac);
    /* One byte of an option is none. */
    bytes[LENGTH_AT] = 24 + 33;
    ck_assert_int_eq(parse(OPTION_AT + 33), -EINVAL);
}
END_TEST

START_TEST(probes_for_duplicates)
{
    reset();
    memset(bytes + SOURCE_AT, 0, 16);
    ck_assert_int_eq(parse(WITH_MAC), -EINVAL); /* has an option */
    bytes[LENGTH_AT] = 24;
    ck_assert_int_eq(parse(PLAIN_BYTES), 0);
    ck_assert(!nd.has_mac);
    bytes[GROUP_AT + 15] = 3;
    ck_assert_int_eq(parse(PLAIN_BYTES), -EINVAL); /* another's group */
}
END_TEST

START_TEST(groups)
{
    static const uint8_t mac[] = {0x33, 0x33, 0xff, 0xab, 0xcd, 0xef};
    struct rte_ether_addr group_mac;
    struct address target, group;
    char text[ADDRESS_TEXT_BYTES];

    address_parse(&target, "2001:db8::12ab:cdef");
    nd_solicited_node(&group, &target);
    ck_assert_str_eq(address_format(&group, text), "ff02::1:ffab:cdef");
    nd_group_mac(&group_mac, &group);
    ck_assert_mem_eq(&group_mac, mac, sizeof(mac));
    ck_assert_str_eq(address_format(&nd_all_nodes, text), "ff02::1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nd");
    TCase *tcase = tcase_create("nd");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, is_read_and_written);
    tcase_add_test(tcase, advertisements);
    tcase_add_test(tcase, every_truncation);
    tcase_add_test(tcase, every_bit_is_checked);
    tcase_add_test(tcase, lies_with_the_right_checksum);
    tcase_add_test(tcase, options);
    tcase_add_test(tcase, probes_for_duplicates);
    tcase_add_test(tcase, groups);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
