/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/rng.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8439 appendix A.1, test vectors 1 and 2: the keystream of the zero key and nonce, from block
 * 0 on; as little-endian words. */
static const uint64_t rfc_block0[] = {
    0x903df1a0ade0b876, 0x28bd8653e56a5d40, 0x1aed8da0b819d2bd, 0xc70d778bccef36a8,
    0x8d4857517c5941da, 0x374ad8b83fe02477, 0x1ca11815f4b8436a, 0x8665eeb269b687c3,
};
static const uint64_t rfc_block1[] = {0x7a385155bee7079f, 0x0d082d737c97ba98};

START_TEST(golden)
{
    static const uint8_t seed[RNG_SEED_BYTES];
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < sizeof(rfc_block0) / sizeof(rfc_block0[0]); i++)
        ck_assert_uint_eq(rng_u64(&rng), rfc_block0[i]);
    ck_assert_uint_eq(rng_u64(&rng), rfc_block1[0]);
    ck_assert_uint_eq(rng_u64(&rng), rfc_block1[1]);
}
END_TEST

/* A number and a stream are the key's first two words. */
START_TEST(numbers_are_keys)
{
    uint8_t seed[RNG_SEED_BYTES] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 3};
    struct rng by_key;
    struct rng by_number;

    rng_init(&by_key, seed);
    rng_init_u64(&by_number, 0x1122334455667788, 3);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(rng_u64(&by_key), rng_u64(&by_number));
}
END_TEST

/* Buffers join without a seam or a repetition. */
START_TEST(no_word_twice)
{
    enum { WORDS = 1024 };
    static uint64_t words[WORDS];
    uint32_t repeated = 0;
    struct rng rng;

    rng_init_u64(&rng, 1, 1);
    for (int i = 0; i < WORDS; i++) {
        words[i] = rng_u64(&rng);
        for (int j = 0; j < i; j++)
            repeated += words[i] == words[j];
    }
    ck_assert_uint_eq(repeated, 0);
}
END_TEST

START_TEST(streams_differ)
{
    struct rng a;
    struct rng b;
    struct rng c;

    rng_init_u64(&a, 1, 1);
    rng_init_u64(&b, 1, 2);
    rng_init_u64(&c, 2, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t value = rng_u64(&a);

        ck_assert_uint_ne(value, rng_u64(&b));
        ck_assert_uint_ne(value, rng_u64(&c));
    }
}
END_TEST

START_TEST(below_is_below)
{
    static const uint64_t bounds[] = {1, 2, 3, 1000003, 1ull << 63, (1ull << 63) + 1, UINT64_MAX};
    struct rng rng;

    rng_init_u64(&rng, 5, 0);
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        for (int i = 0; i < 1000; i++)
            ck_assert_uint_lt(rng_below(&rng, bounds[b]), bounds[b]);
    }
}
END_TEST

START_TEST(below_is_even)
{
    uint32_t seen[6] = {0};
    struct rng rng;

    rng_init_u64(&rng, 6, 0);
    for (int i = 0; i < 60000; i++)
        seen[rng_below(&rng, 6)]++;
    /* The deviation is 91; the seed is fixed, so this never changes from run to run. */
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_gt(seen[i], 9600);
        ck_assert_uint_lt(seen[i], 10400);
    }
}
END_TEST

/* The largest bound that is not a power of two refuses nearly half of all values; what is left must
 * still reach both halves alike. */
START_TEST(below_is_even_at_large_bounds)
{
    const uint64_t bound = (1ull << 63) + 1;
    uint32_t low = 0;
    struct rng rng;

    rng_init_u64(&rng, 7, 0);
    for (int i = 0; i < 10000; i++)
        low += rng_below(&rng, bound) < bound / 2;
    ck_assert_uint_gt(low, 4800);
    ck_assert_uint_lt(low, 5200);
}
END_TEST

START_TEST(chances)
{
    uint32_t hits = 0;
    struct rng rng;

    rng_init_u64(&rng, 8, 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert(!rng_chance(&rng, 0));
        ck_assert(rng_chance(&rng, 1000000));
    }
    for (int i = 0; i < 100000; i++)
        hits += rng_chance(&rng, 50000) != 0;
    ck_assert_uint_gt(hits, 4700);
    ck_assert_uint_lt(hits, 5300);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *tcase = tcase_create("rng");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, golden);
    tcase_add_test(tcase, numbers_are_keys);
    tcase_add_test(tcase, no_word_twice);
    tcase_add_test(tcase, streams_differ);
    tcase_add_test(tcase, below_is_below);
    tcase_add_test(tcase, below_is_even);
    tcase_add_test(tcase, below_is_even_at_large_bounds);
    tcase_add_test(tcase, chances);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
