/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/names.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct names names;

static void setup(void)
{
    memset(&names, 0, sizeof(names));
}

static uint16_t take(const char *name)
{
    return names_take(&names, name, (uint32_t)strlen(name));
}

START_TEST(one_name_is_kept_once)
{
    uint16_t first = take("echo"), second = take("other");

    ck_assert_uint_ne(first, 0);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_eq(take("echo"), first);
    ck_assert_uint_ne(take("ech"), first);
    ck_assert_str_eq(names_text(&names, first), "echo");
    names_give(&names, first);
    ck_assert_str_eq(names_text(&names, first), "echo");
    names_give(&names, first);
    ck_assert_uint_eq(take("third"), first);
    ck_assert_str_eq(names_text(&names, second), "other");
    ck_assert_str_eq(names_text(&names, 0), "");
    names_give(&names, 0);
}
END_TEST

START_TEST(a_full_table_has_no_place)
{
    uint16_t numbers[NAMES_MAX];
    char name[SADDLE_NAME_BYTES];

    for (uint32_t i = 0; i < NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "service-%u", i);
        numbers[i] = take(name);
        ck_assert_uint_ne(numbers[i], 0);
    }
    ck_assert_uint_eq(take("one more"), 0);
    ck_assert_uint_eq(take("service-7"), numbers[7]);
    names_give(&names, numbers[9]);
    ck_assert_uint_eq(take("one more"), numbers[9]);
}
END_TEST

START_TEST(lengths)
{
    char name[SADDLE_NAME_BYTES + 1];

    memset(name, 'x', sizeof(name));
    ck_assert_uint_eq(names_take(&names, name, 0), 0);
    ck_assert_uint_eq(names_take(&names, name, SADDLE_NAME_BYTES), 0);
    uint16_t number = names_take(&names, name, SADDLE_NAME_BYTES - 1);
    ck_assert_uint_ne(number, 0);
    ck_assert_uint_eq(strlen(names_text(&names, number)), SADDLE_NAME_BYTES - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tcase = tcase_create("names");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, one_name_is_kept_once);
    tcase_add_test(tcase, a_full_table_has_no_place);
    tcase_add_test(tcase, lengths);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
