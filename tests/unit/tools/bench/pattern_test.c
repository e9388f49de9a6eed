/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/pattern.h"

#include <check.h>
#include <stdlib.h>

#define BYTES 77u /* ends within a word */

static uint8_t bytes[BYTES];

/* Of every length, with one byte wrong at every place. */
START_TEST(a_wrong_byte_is_found)
{
    uint64_t key = pattern_key(1, 2, 3);
    for (size_t len = 0; len <= BYTES; len++) {
        pattern_fill(bytes, len, key);
        ck_assert_uint_eq(pattern_check(bytes, len, key), len);
        for (size_t at = 0; at < len; at++) {
            bytes[at] ^= 0x10;
            ck_assert_uint_eq(pattern_check(bytes, len, key), at);
            bytes[at] ^= 0x10;
        }
    }
}
END_TEST

/* Nothing is written beyond them. */
START_TEST(the_rest_is_left_alone)
{
    for (size_t len = 0; len < BYTES; len++) {
        bytes[len] = 0x5a;
        pattern_fill(bytes, len, 9);
        ck_assert_uint_eq(bytes[len], 0x5a);
    }
}
END_TEST

/* Neighbours in any of the numbers have other bytes, also those of a word further on. */
START_TEST(other_keys_have_other_bytes)
{
    uint64_t key = pattern_key(4, 4, 4);
    const uint64_t others[] = {pattern_key(5, 4, 4), pattern_key(4, 5, 4), pattern_key(4, 4, 5),
                               pattern_key(4, 4, 3), pattern_key(0, 0, 0)};
    pattern_fill(bytes, BYTES, key);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_uint_ne(others[i], key);
        ck_assert_uint_lt(pattern_check(bytes, BYTES, others[i]), sizeof(uint64_t));
    }
    ck_assert_uint_lt(pattern_check(bytes + sizeof(uint64_t), BYTES - sizeof(uint64_t), key),
                      sizeof(uint64_t));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/pattern");
    TCase *tests = tcase_create("pattern");
    tcase_add_test(tests, a_wrong_byte_is_found);
    tcase_add_test(tests, the_rest_is_left_alone);
    tcase_add_test(tests, other_keys_have_other_bytes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
