/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/crc32c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH 20000u /* several blocks of a copy, and an odd rest */
#define EACH   80u    /* every length up to here: beyond what is short */

/* RFC 3720 appendix B.4, and the usual check value. */
START_TEST(golden)
{
    uint8_t bytes[32];

    ck_assert_uint_eq(crc32c_update(CRC32C_START, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(crc32c_update(CRC32C_START, "", 0), 0);
    memset(bytes, 0, sizeof(bytes));
    ck_assert_uint_eq(crc32c_update(CRC32C_START, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    ck_assert_uint_eq(crc32c_update(CRC32C_START, bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    ck_assert_uint_eq(crc32c_update(CRC32C_START, bytes, sizeof(bytes)), 0x46dd794e);
}
END_TEST

static uint32_t by_bits(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0); /* RFC 3385, reflected */
    }
    return ~crc;
}

static void fill(uint8_t *bytes, size_t length)
{
    uint32_t state = 1;

    for (size_t i = 0; i < length; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

/* Any length, alignment and division into parts. */
START_TEST(parts)
{
    uint8_t bytes[600];
    uint32_t wrong = 0;

    fill(bytes, sizeof(bytes));
    for (size_t from = 0; from < 9; from++) {
        for (size_t length = 0; length + from <= sizeof(bytes); length += length < EACH ? 1 : 13) {
            uint32_t whole = by_bits(bytes + from, length);
            size_t cut = length / 3;
            uint32_t crc = crc32c_update(CRC32C_START, bytes + from, cut);

            wrong += crc32c_update(CRC32C_START, bytes + from, length) != whole;
            wrong += crc32c_update(crc, bytes + from + cut, length - cut) != whole;
        }
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(copies)
{
    static const size_t lengths[] = {0, 1, 7, 64, 4095, 4096, 4097, 8192, LENGTH};
    size_t length = lengths[_i];
    uint8_t *from = malloc(length + 1);
    uint8_t *to = malloc(length + 2);
    uint32_t start = crc32c_update(CRC32C_START, "before", 6);
    uint32_t (*const copy[])(uint32_t, void *, const void *, size_t) = {crc32c_copy,
                                                                        crc32c_copy_own};

    fill(from, length + 1);
    for (uint32_t i = 0; i < 2; i++) {
        memset(to, 0xa5, length + 2);
        ck_assert_uint_eq(copy[i](start, to + 1, from, length), crc32c_update(start, from, length));
        ck_assert_uint_eq(memcmp(to + 1, from, length), 0);
        ck_assert_uint_eq(to[0], 0xa5);
        ck_assert_uint_eq(to[length + 1], 0xa5);
    }
    free(from);
    free(to);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *tcase = tcase_create("crc32c");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, golden);
    tcase_add_test(tcase, parts);
    tcase_add_loop_test(tcase, copies, 0, 9);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
