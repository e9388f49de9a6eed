/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/words.h"

#include <check.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BYTES  160u /* more than two lines, and what is left at both ends */
#define ROUNDS 200000u
#define WORDS  64u

START_TEST(every_length_and_place)
{
    alignas(8) uint8_t shared[BYTES], from[BYTES], to[BYTES], wanted[BYTES];

    for (size_t i = 0; i < BYTES; i++)
        from[i] = (uint8_t)(i * 7 + 1);
    for (size_t at = 0; at < 9; at++)
        for (size_t other = 0; other < 9; other++)
            for (size_t length = 0; length < BYTES - 9; length++) {
                memset(shared, 0xee, sizeof(shared));
                memset(wanted, 0xee, sizeof(wanted));
                memcpy(wanted + at, from + other, length);
                words_store(shared + at, from + other, length);
                ck_assert_mem_eq(shared, wanted, sizeof(shared));
                memset(to, 0xdd, sizeof(to));
                words_load(to + other, shared + at, length);
                ck_assert_mem_eq(to + other, from + other, length);
                ck_assert(other == 0 || to[other - 1] == 0xdd);
                ck_assert_uint_eq(to[other + length], 0xdd);
            }
}
END_TEST

/* One side copies whole words of one byte's value; the other never sees two values in a word. */
static uint64_t place[WORDS + 2];
static int over;

static void *store(void *argument)
{
    uint8_t from[sizeof(place) + 1];

    for (uint8_t value = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); value++) {
        memset(from, value, sizeof(from));
        /* The private side is not aligned, and the shared one starts in a word's middle. */
        words_store((uint8_t *)place + 3, from + 1, sizeof(place) - 5);
    }
    return argument;
}

START_TEST(words_are_whole)
{
    uint8_t to[sizeof(place) + 1];
    pthread_t thread;
    uint32_t mixed = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, store, NULL), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        words_load(to + 1, (uint8_t *)place + 3, sizeof(place) - 5);
        for (size_t i = 0; i < WORDS; i++) {
            const uint8_t *word = to + 1 + 5 + i * WORD_BYTES;
            mixed += memcmp(word, word + 1, WORD_BYTES - 1) != 0;
        }
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(mixed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("words");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, every_length_and_place);
    tcase_add_test(tcase, words_are_whole);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
