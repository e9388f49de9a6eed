/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/checksum.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

/* RFC 1071 section 3: the example. */
START_TEST(golden)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    ck_assert_uint_eq(ntohs(checksum_fold(checksum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}
END_TEST

static uint16_t plainly(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

START_TEST(any_length_and_alignment)
{
    uint8_t bytes[100];
    uint32_t wrong = 0;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(255 - i * 7);
    for (size_t from = 0; from < 8; from++) {
        for (size_t length = 0; from + length <= sizeof(bytes); length++) {
            uint16_t sum = checksum_fold(checksum_add(0, bytes + from, length));

            wrong += ntohs(sum) != plainly(bytes + from, length);
        }
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(carries)
{
    static uint8_t bytes[65536];

    memset(bytes, 0xff, sizeof(bytes));
    ck_assert_uint_eq(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0xffff);
    ck_assert(checksum_valid(checksum_add(0, bytes, sizeof(bytes))));
    ck_assert_uint_eq(checksum_fold(UINT64_MAX), 0xffff);
    ck_assert(!checksum_valid(0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checksum");
    TCase *tcase = tcase_create("checksum");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, golden);
    tcase_add_test(tcase, any_length_and_alignment);
    tcase_add_test(tcase, carries);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
