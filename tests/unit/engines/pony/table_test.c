/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/table.h"

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRY   100u
#define ENTRIES (8u << 20) /* of ENTRY bytes: no machine has that much left for tests */

/* Pages of the table that are in memory. Those that it shares with other memory do not count. */
static size_t resident(const char *table, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    char *from = (char *)(((uintptr_t)table + page - 1) & ~(page - 1));
    size_t pages = (bytes - (size_t)(from - table)) / page, count = 0;
    unsigned char *map = malloc(pages);

    ck_assert_ptr_nonnull(map);
    ck_assert_int_eq(mincore(from, pages * page, map), 0);
    for (size_t i = 0; i < pages; i++)
        count += map[i] & 1;
    free(map);
    return count;
}

/* What nobody writes to costs nothing; what somebody does costs its page. */
START_TEST(touched_where_it_is_used)
{
    char *table = table_create(ENTRIES, ENTRY);

    ck_assert_ptr_nonnull(table);
    ck_assert_uint_le(resident(table, (size_t)ENTRIES * ENTRY), 1);
    for (uint32_t i = 1; i <= 16; i++)
        table[(size_t)i * (ENTRIES / 20) * ENTRY] = 1;
    ck_assert_uint_le(resident(table, (size_t)ENTRIES * ENTRY), 1 + 16);
    ck_assert_int_eq(table[(size_t)17 * (ENTRIES / 20) * ENTRY], 0);
    table_destroy(table, ENTRIES, ENTRY);
}
END_TEST

/* What is warmed is there, zeroed, and no more than that. */
START_TEST(warm_where_it_will_be_used)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 16;
    uint32_t entries = (uint32_t)(pages * page / ENTRY);
    char *table = table_create(ENTRIES, ENTRY);

    ck_assert_ptr_nonnull(table);
    table_warm(table, entries, ENTRY);
    ck_assert_uint_ge(resident(table, (size_t)ENTRIES * ENTRY), pages - 1);
    ck_assert_uint_le(resident(table, (size_t)ENTRIES * ENTRY), pages + 1);
    for (uint32_t i = 0; i < entries * ENTRY; i++)
        ck_assert_int_eq(table[i], 0);
    table_destroy(table, ENTRIES, ENTRY);
    /* All of a small one, up to the page that may not be touched. */
    table = table_create(3, ENTRY);
    ck_assert_ptr_nonnull(table);
    table_warm(table, 3, ENTRY);
    table[2 * ENTRY] = 1;
    table_destroy(table, 3, ENTRY);
}
END_TEST

START_TEST(past_the_end)
{
    char *table = table_create(64, 1);

    ck_assert_ptr_nonnull(table);
    table[63] = 1;
    signal(SIGSEGV, SIG_DFL); /* no sanitizer's */
    *(volatile char *)&table[64] = 1;
}
END_TEST

START_TEST(small_and_impossible)
{
    uint32_t *table = table_create(3, sizeof(*table));

    ck_assert_ptr_nonnull(table);
    ck_assert_uint_eq(table[0] | table[1] | table[2], 0);
    table_destroy(table, 3, sizeof(*table));
    table_destroy(NULL, 3, sizeof(*table));
    volatile size_t all = SIZE_MAX;
    ck_assert_ptr_null(table_create(all / 2, 4));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");

    tcase_add_test(tcase, touched_where_it_is_used);
    tcase_add_test(tcase, warm_where_it_will_be_used);
    tcase_add_test_raise_signal(tcase, past_the_end, SIGSEGV);
    tcase_add_test(tcase, small_and_impossible);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
