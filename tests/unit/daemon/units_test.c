/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/units.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define KIBI 1024ull

static const struct good {
    enum units_kind kind;
    const char *text;
    uint64_t value;
    const char *formatted;
} good[] = {
    {UNITS_COUNT, "0", 0, "0"},
    {UNITS_COUNT, "18446744073709551615", UINT64_MAX, "18446744073709551615"},
    {UNITS_COUNT, "007", 7, "7"},
    {UNITS_BYTES, "0", 0, "0B"},
    {UNITS_BYTES, "1B", 1, "1B"},
    {UNITS_BYTES, "2KiB", 2 * KIBI, "2KiB"},
    {UNITS_BYTES, "256MiB", 256 * KIBI *KIBI, "256MiB"},
    {UNITS_BYTES, "1024 MiB", KIBI *KIBI *KIBI, "1GiB"},
    {UNITS_BYTES, "0.5KiB", 512, "512B"},
    {UNITS_DURATION, "10us", 10000, "10us"},
    {UNITS_DURATION, "1.5ms", 1500000, "1500us"},
    {UNITS_DURATION, "2s", 2000000000, "2s"},
    {UNITS_DURATION, "1000ms", 1000000000, "1s"},
    {UNITS_SHARE, "5%", 50000, "5%"},
    {UNITS_SHARE, "0.0001%", 1, "0.0001%"},
    {UNITS_SHARE, "12.3400%", 123400, "12.3400%"},
    {UNITS_SHARE, "100%", 1000000, "100%"},
    {UNITS_MODE, "0660", 0660, "0660"},
    {UNITS_MODE, "00", 0, "0000"},
};

static const struct bad {
    enum units_kind kind;
    const char *text;
    int error;
} bad[] = {
    {UNITS_COUNT, "", -EINVAL},
    {UNITS_COUNT, "x", -EINVAL},
    {UNITS_COUNT, "-1", -EINVAL},
    {UNITS_COUNT, "+1", -EINVAL},
    {UNITS_COUNT, " 1", -EINVAL},
    {UNITS_COUNT, "1k", -ENOMSG},
    {UNITS_COUNT, "1.5", -ERANGE},
    {UNITS_COUNT, "1.", -EINVAL},
    {UNITS_COUNT, "0x10", -ENOMSG},
    {UNITS_COUNT, "18446744073709551616", -ERANGE},
    {UNITS_COUNT, "99999999999999999999999999", -ERANGE},
    {UNITS_BYTES, "10", -ENOMSG},
    {UNITS_BYTES, "10MB", -ENOMSG},
    {UNITS_BYTES, "10us", -ENOMSG},
    {UNITS_BYTES, "10mib", -ENOMSG},
    {UNITS_BYTES, "0.3B", -ERANGE},
    {UNITS_BYTES, "18446744073709551615GiB", -ERANGE},
    {UNITS_BYTES, "17179869184GiB", -ERANGE},
    {UNITS_DURATION, "5%", -ENOMSG},
    {UNITS_DURATION, "5 seconds", -ENOMSG},
    {UNITS_DURATION, "0.0000000001s", -ERANGE},
    {UNITS_DURATION, "0.00000000000000000000001s", -ERANGE},
    {UNITS_DURATION, "0.9999999999s", -ERANGE},
    {UNITS_SHARE, "5", -ENOMSG},
    {UNITS_SHARE, "0.00001%", -ERANGE},
    {UNITS_MODE, "660", -EINVAL},
    {UNITS_MODE, "0668", -EINVAL},
    {UNITS_MODE, "", -EINVAL},
    {UNITS_MODE, "rw", -EINVAL},
};

START_TEST(test_good)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[UNITS_TEXT_BYTES];
        uint64_t value = 0;
        ck_assert_int_eq(units_parse(good[i].kind, good[i].text, &value), 0);
        ck_assert_uint_eq(value, good[i].value);
        ck_assert_str_eq(units_format(good[i].kind, value, text), good[i].formatted);
        ck_assert_int_eq(units_parse(good[i].kind, text, &value), 0);
        ck_assert_uint_eq(value, good[i].value);
    }
}
END_TEST

START_TEST(test_bad)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value;
        int error = units_parse(bad[i].kind, bad[i].text, &value);
        ck_assert_msg(error == bad[i].error, "\"%s\": %d, not %d", bad[i].text, error,
                      bad[i].error);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/units");
    TCase *tcase = tcase_create("units");
    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_bad);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
