/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/address.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *in;
    const char *out;
    bool v4;
} good[] = {
    {"10.0.0.1", "10.0.0.1", true},
    {"255.255.255.255", "255.255.255.255", true},
    {"fd00::1", "fd00::1", false},
    {"::", "::", false},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", false},
    {"::ffff:192.0.2.7", "192.0.2.7", true},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     false},
};

START_TEST(reads_and_writes)
{
    struct address address;
    char text[ADDRESS_TEXT_BYTES];

    ck_assert_int_eq(address_parse(&address, good[_i].in), 0);
    ck_assert_str_eq(address_format(&address, text), good[_i].out);
    ck_assert_int_eq(address_is_v4(&address), good[_i].v4);
}
END_TEST

static const char *const bad[] = {
    "",         "10.0.0",     "10.0.0.256", "10.0.0.1 ", " 10.0.0.1",
    "fd00:::1", "fe80::1%lo", "host",       "1::2::3",
};

START_TEST(refuses)
{
    struct address address;
    struct address before;

    memset(&address, 0x5a, sizeof(address));
    before = address;
    ck_assert_int_eq(address_parse(&address, bad[_i]), -EINVAL);
    ck_assert(address_equal(&address, &before));
}
END_TEST

START_TEST(maps_v4)
{
    static const uint8_t v4[4] = {192, 0, 2, 1};
    struct address address;
    struct address parsed;

    address_from_v4(&address, v4);
    ck_assert_int_eq(address_parse(&parsed, "192.0.2.1"), 0);
    ck_assert(address_equal(&address, &parsed));
    ck_assert_mem_eq(address_v4(&address), v4, sizeof(v4));
    parsed.bytes[15] ^= 1;
    ck_assert(!address_equal(&address, &parsed));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, reads_and_writes, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(tcase, refuses, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tcase, maps_v4);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
