/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/subnets.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct subnets subnets;

static void setup(void)
{
    static const struct {
        const char *address;
        uint8_t prefix;
    } list[] = {{"10.0.0.1", 24}, {"192.168.5.129", 25}, {"fd00::1", 64}, {"10.9.0.1", 31}};

    memset(&subnets, 0, sizeof(subnets));
    subnets.count = 4;
    for (uint32_t i = 0; i < subnets.count; i++) {
        address_parse(&subnets.list[i].address, list[i].address);
        subnets.list[i].prefix = list[i].prefix;
    }
    subnets.gateway_count = 2;
    address_parse(&subnets.gateways[0], "10.0.0.254");
    address_parse(&subnets.gateways[1], "fe80::9");
}

/* "hop from source", or "". */
static const char *way(const char *to)
{
    static char text[2 * ADDRESS_TEXT_BYTES + 8];
    char hop_text[ADDRESS_TEXT_BYTES], source_text[ADDRESS_TEXT_BYTES];
    struct address address, hop, source;
    int error;

    ck_assert_int_eq(address_parse(&address, to), 0);
    error = subnets_next_hop(&subnets, &address, &hop, &source);
    if (error) {
        ck_assert_int_eq(error, -ENETUNREACH);
        return "";
    }
    snprintf(text, sizeof(text), "%s from %s", address_format(&hop, hop_text),
             address_format(&source, source_text));
    return text;
}

START_TEST(ways)
{
    ck_assert_int_eq(subnets_check(&subnets), 0);
    ck_assert_str_eq(way("10.0.0.2"), "10.0.0.2 from 10.0.0.1");
    ck_assert_str_eq(way("10.0.1.2"), "10.0.0.254 from 10.0.0.1");
    ck_assert_str_eq(way("192.168.5.130"), "192.168.5.130 from 192.168.5.129");
    ck_assert_str_eq(way("192.168.5.120"), "10.0.0.254 from 10.0.0.1");
    ck_assert_str_eq(way("10.9.0.0"), "10.9.0.0 from 10.9.0.1");
    ck_assert_str_eq(way("fd00::abcd"), "fd00::abcd from fd00::1");
    ck_assert_str_eq(way("fd00:0:0:1::2"), "fe80::9 from fd00::1");
    ck_assert_str_eq(way("fe80::77"), "fe80::77 from fd00::1");
}
END_TEST

START_TEST(no_ways)
{
    static const char *const texts[] = {
        "10.0.0.0",  "10.0.0.255", "192.168.5.128", "192.168.5.255", "10.0.0.1", "fd00::1",
        "127.0.0.1", "224.0.0.1",  "0.0.0.0",       "ff02::1",       "::",       "255.255.255.255",
    };

    for (uint32_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_str_eq(way(texts[i]), "");
    subnets.gateway_count = 0;
    ck_assert_str_eq(way("10.0.1.2"), "");
    ck_assert_str_eq(way("fd00:0:0:1::2"), "");
    subnets.count = 2;
    ck_assert_str_eq(way("fe80::77"), "");
}
END_TEST

START_TEST(extreme_prefixes)
{
    subnets.count = 1;
    subnets.gateway_count = 0;
    subnets.list[0].prefix = 0;
    ck_assert_int_eq(subnets_check(&subnets), 0);
    ck_assert_str_eq(way("99.1.2.3"), "99.1.2.3 from 10.0.0.1");
    ck_assert_str_eq(way("fd00::2"), "");
    subnets.list[0].prefix = 32;
    ck_assert_int_eq(subnets_check(&subnets), 0);
    ck_assert_str_eq(way("10.0.0.2"), "");
    address_parse(&subnets.list[0].address, "fd00::1");
    subnets.list[0].prefix = 128;
    ck_assert_int_eq(subnets_check(&subnets), 0);
    ck_assert_str_eq(way("fd00::2"), "");
    subnets.list[0].prefix = 0;
    ck_assert_str_eq(way("2001:db8::2"), "2001:db8::2 from fd00::1");
    ck_assert_str_eq(way("10.0.0.2"), "");
    subnets.list[0].prefix = 61;
    ck_assert_str_eq(way("fd00:0:0:7::2"), "fd00:0:0:7::2 from fd00::1");
    ck_assert_str_eq(way("fd00:0:0:8::2"), "");
}
END_TEST

START_TEST(bad_ones)
{
    struct subnets good = subnets;

    subnets.count = 0;
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets.count = SUBNETS_ADDRESSES_MAX + 1;
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets = good;
    subnets.gateway_count = SUBNETS_GATEWAYS_MAX + 1;
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets = good;
    subnets.list[0].prefix = 33;
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets = good;
    subnets.list[2].prefix = 129;
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets = good;
    address_parse(&subnets.list[1].address, "224.0.0.5");
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    subnets = good;
    address_parse(&subnets.gateways[0], "172.16.0.1"); /* not on any of our networks */
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    address_parse(&subnets.gateways[0], "10.0.0.1"); /* ourselves */
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
    address_parse(&subnets.gateways[0], "ff02::1");
    ck_assert_int_eq(subnets_check(&subnets), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subnets");
    TCase *tcase = tcase_create("subnets");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, ways);
    tcase_add_test(tcase, no_ways);
    tcase_add_test(tcase, extreme_prefixes);
    tcase_add_test(tcase, bad_ones);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
