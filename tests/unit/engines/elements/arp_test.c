/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/arp.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* Who has 10.0.0.2? Tell 10.0.0.1, at 02:00:00:00:00:01. */
static const uint8_t request[ARP_BYTES] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                           10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
static uint8_t bytes[ARP_BYTES];

static int parse_with(uint32_t at, uint8_t value)
{
    struct arp arp;

    memcpy(bytes, request, sizeof(bytes));
    bytes[at] = value;
    return arp_parse(&arp, bytes, sizeof(bytes));
}

START_TEST(is_read_and_written)
{
    char text[ADDRESS_TEXT_BYTES];
    struct arp arp;

    ck_assert_int_eq(arp_parse(&arp, request, sizeof(request)), 0);
    ck_assert_uint_eq(arp.operation, RTE_ARP_OP_REQUEST);
    ck_assert_mem_eq(&arp.sender_mac, request + 8, 6);
    ck_assert_str_eq(address_format(&arp.sender, text), "10.0.0.1");
    ck_assert_str_eq(address_format(&arp.target, text), "10.0.0.2");
    ck_assert_uint_eq(arp_build(bytes, &arp), ARP_BYTES);
    ck_assert_mem_eq(bytes, request, sizeof(request));
}
END_TEST

START_TEST(truncations_and_other_kinds)
{
    struct arp arp;

    for (uint32_t length = 0; length < ARP_BYTES; length++) {
        uint8_t *exact = malloc(length + 1);

        memcpy(exact + 1, request, length);
        ck_assert_int_eq(arp_parse(&arp, exact + 1, length), -EINVAL);
        free(exact);
    }
    for (uint32_t at = 0; at < 6; at++)
        ck_assert_int_eq(parse_with(at, 9), -EINVAL);
    ck_assert_int_eq(parse_with(7, 0), -EINVAL);
    ck_assert_int_eq(parse_with(7, 2), 0);
    ck_assert_int_eq(parse_with(7, 3), -EINVAL); /* reverse ARP */
    ck_assert_int_eq(parse_with(6, 1), -EINVAL);
}
END_TEST

START_TEST(senders_that_are_no_station)
{
    ck_assert_int_eq(parse_with(8, 3), -EINVAL);
    memcpy(bytes, request, sizeof(bytes));
    memset(bytes + 8, 0, 6);
    struct arp arp;
    ck_assert_int_eq(arp_parse(&arp, bytes, sizeof(bytes)), -EINVAL);
    memset(bytes + 8, 0xff, 6);
    ck_assert_int_eq(arp_parse(&arp, bytes, sizeof(bytes)), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arp");
    TCase *tcase = tcase_create("arp");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, is_read_and_written);
    tcase_add_test(tcase, truncations_and_other_kinds);
    tcase_add_test(tcase, senders_that_are_no_station);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
