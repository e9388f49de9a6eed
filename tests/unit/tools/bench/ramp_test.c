/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ramp.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BYTES 75u /* more than nine words, and not whole ones */

static uint8_t bytes[BYTES + 1];

/* Of every length, with one byte wrong at every place. */
START_TEST(a_wrong_byte_is_found)
{
    uint64_t stamp = ramp_stamp(3, 77);
    for (size_t len = RAMP_BYTES_MIN; len <= BYTES; len++) {
        ramp_fill(bytes, len, stamp);
        ck_assert(ramp_check(bytes, len, stamp));
        for (size_t at = 0; at < len; at++) {
            bytes[at] ^= 0x10;
            ck_assert(!ramp_check(bytes, len, stamp));
            bytes[at] ^= 0x10;
        }
    }
}
END_TEST

START_TEST(the_rest_is_left_alone)
{
    for (size_t len = RAMP_BYTES_MIN; len <= BYTES; len++) {
        bytes[len] = 0x5a;
        ramp_fill(bytes, len, 9);
        ck_assert_uint_eq(bytes[len], 0x5a);
    }
}
END_TEST

/* A message says which it is, and is neither its neighbour nor a part of one that was moved. */
START_TEST(messages_differ)
{
    const uint64_t others[] = {ramp_stamp(3, 76), ramp_stamp(3, 78), ramp_stamp(2, 77),
                               ramp_stamp(4, 77), ramp_stamp(0, 0)};
    uint64_t stamp = ramp_stamp(3, 77);
    ramp_fill(bytes, BYTES, stamp);
    ck_assert_uint_eq(ramp_read(bytes), stamp);
    ck_assert_uint_eq(ramp_sequence(stamp), 3);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert(!ramp_check(bytes, BYTES, others[i]));
    memmove(bytes + 16, bytes + 8, 8);
    ck_assert(!ramp_check(bytes, BYTES, stamp));
}
END_TEST

START_TEST(sequences_and_numbers_are_kept_apart)
{
    ck_assert_uint_eq(ramp_sequence(ramp_stamp(9999, (1ull << 40) - 1)), 9999);
    ck_assert_uint_ne(ramp_stamp(0, 1ull << 39), ramp_stamp(1, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/ramp");
    TCase *tests = tcase_create("ramp");
    tcase_add_test(tests, a_wrong_byte_is_found);
    tcase_add_test(tests, the_rest_is_left_alone);
    tcase_add_test(tests, messages_differ);
    tcase_add_test(tests, sequences_and_numbers_are_kept_apart);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
