/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/directory.h"
#include "engines/pony/upper.h"

#include <check.h>
#include <string.h>

static const uint16_t ports[] = {50707, 50708, 50710};
static const uint8_t key[DIRECTORY_KEY_BYTES] = {1, 2, 3};
static struct directory *directory;

static void setup(void)
{
    ck_assert_int_eq(directory_create(&directory, ports, 3, key), 0);
}

static void teardown(void)
{
    directory_destroy(directory);
}

START_TEST(a_service_is_one_engines)
{
    ck_assert_uint_eq(directory_find(directory, 0, "echo", 4), 0);
    ck_assert_int_eq(directory_enter(directory, 2, UPPER_LISTENERS - 1, "echo", 4), 0);
    ck_assert_int_eq(directory_enter(directory, 0, 0, "echo", 4), -EADDRINUSE);
    ck_assert_uint_eq(directory_find(directory, 0, "echo", 4), 50710);
    ck_assert_uint_eq(directory_find(directory, 1, "echo", 4), 50710);
    /* Nobody is sent to where he is. */
    ck_assert_uint_eq(directory_find(directory, 2, "echo", 4), 0);
    directory_leave(directory, 2, UPPER_LISTENERS - 1);
    ck_assert_uint_eq(directory_find(directory, 0, "echo", 4), 0);
    ck_assert_int_eq(directory_enter(directory, 0, 0, "echo", 4), 0);
    ck_assert_uint_eq(directory_find(directory, 2, "echo", 4), 50707);
}
END_TEST

START_TEST(names_are_compared_whole)
{
    ck_assert_int_eq(directory_enter(directory, 0, 0, "echo", 4), 0);
    ck_assert_int_eq(directory_enter(directory, 1, 0, "echo2", 5), 0);
    ck_assert_int_eq(directory_enter(directory, 2, 0, "ech", 3), 0);
    ck_assert_uint_eq(directory_find(directory, 0, "echo2", 5), 50708);
    ck_assert_uint_eq(directory_find(directory, 0, "ech", 3), 50710);
    ck_assert_uint_eq(directory_find(directory, 1, "e", 1), 0);
}
END_TEST

START_TEST(bad_sizes_are_refused)
{
    struct directory *none = NULL;

    ck_assert_int_eq(directory_create(&none, ports, 0, key), -EINVAL);
    ck_assert_int_eq(directory_create(&none, ports, DIRECTORY_ENGINES_MAX + 1, key), -EINVAL);
    ck_assert_ptr_null(none);
    directory_destroy(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *tc = tcase_create("directory");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_service_is_one_engines);
    tcase_add_test(tc, names_are_compared_whole);
    tcase_add_test(tc, bad_sizes_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
