/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/tape.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define SLOTS   8u
#define RECORD  5u
#define RECORDS 200000u

static _Atomic uint64_t words[TAPE_WORDS(SLOTS, RECORD)];
static struct tape tape;

static void setup(void)
{
    for (uint32_t i = 0; i < TAPE_WORDS(SLOTS, RECORD); i++)
        atomic_init(&words[i], 0);
    tape_init(&tape, words, SLOTS, RECORD);
}

/* Record n has n in its first word, and the rest follows from that. */
static void put(uint64_t number)
{
    uint64_t record[RECORD];

    for (uint32_t i = 0; i < RECORD; i++)
        record[i] = number * (i + 1);
    tape_write(&tape, record);
}

static bool is_whole(const uint64_t *record)
{
    for (uint32_t i = 1; i < RECORD; i++)
        if (record[i] != record[0] * (i + 1))
            return false;
    return true;
}

START_TEST(records_come_in_order)
{
    uint64_t position = 0, lost = 0, record[RECORD];

    ck_assert(!tape_read(&tape, &position, record, &lost));
    for (uint64_t i = 1; i <= SLOTS; i++)
        put(i);
    for (uint64_t i = 1; i <= SLOTS; i++) {
        ck_assert(tape_read(&tape, &position, record, &lost));
        ck_assert_uint_eq(record[0], i);
        ck_assert(is_whole(record));
    }
    ck_assert(!tape_read(&tape, &position, record, &lost));
    ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(what_was_run_over_is_counted)
{
    uint64_t position = 0, lost = 0, record[RECORD];

    for (uint64_t i = 1; i <= SLOTS + 3; i++)
        put(i);
    ck_assert(tape_read(&tape, &position, record, &lost));
    ck_assert_uint_eq(record[0], 4);
    ck_assert_uint_eq(lost, 3);
    /* Another reader stands where it likes. */
    position = SLOTS + 2;
    ck_assert(tape_read(&tape, &position, record, &lost));
    ck_assert_uint_eq(record[0], SLOTS + 3);
    ck_assert_uint_eq(lost, 3);
}
END_TEST

static void *write_all(void *unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= RECORDS; i++)
        put(i);
    return NULL;
}

/* Whatever a reader gets beside a writer is whole and in order, and what it does not get is
 * counted. */
START_TEST(a_reader_beside_the_writer)
{
    uint64_t position = 0, lost = 0, seen = 0, last = 0, record[RECORD];
    pthread_t writer;

    ck_assert_int_eq(pthread_create(&writer, NULL, write_all, NULL), 0);
    while (position < RECORDS) {
        if (!tape_read(&tape, &position, record, &lost))
            continue;
        if (!is_whole(record) || record[0] <= last)
            ck_abort_msg("record %llu after %llu", (unsigned long long)record[0],
                         (unsigned long long)last);
        last = record[0];
        seen++;
    }
    pthread_join(writer, NULL);
    ck_assert_uint_eq(seen + lost, RECORDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox/tape");
    TCase *tcase = tcase_create("tape");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, records_come_in_order);
    tcase_add_test(tcase, what_was_run_over_is_counted);
    tcase_add_test(tcase, a_reader_beside_the_writer);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
