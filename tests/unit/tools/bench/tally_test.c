/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/tally.h"

#include <check.h>
#include <stdlib.h>

#define MANY 1000u

static struct tally tally;
static struct tally_faults faults;

static void begin(uint64_t sent)
{
    tally = (struct tally){.sent = sent};
    faults = (struct tally_faults){0};
}

static void check_faults(uint64_t lost, uint64_t duplicated, uint64_t reordered)
{
    tally_end(&tally, &faults);
    ck_assert_uint_eq(faults.lost, lost);
    ck_assert_uint_eq(faults.duplicated, duplicated);
    ck_assert_uint_eq(faults.reordered, reordered);
}

START_TEST(all_in_order)
{
    begin(MANY);
    for (uint64_t i = 0; i < MANY; i++)
        ck_assert(tally_arrived(&tally, i, true, &faults));
    check_faults(0, 0, 0);
}
END_TEST

/* Also the first, the last, and more at once than the window holds. */
START_TEST(what_is_left_out_is_lost)
{
    begin(MANY);
    for (uint64_t i = 1; i < MANY - 1; i++) {
        if (i < 300 || i >= 500)
            ck_assert(tally_arrived(&tally, i, true, &faults));
    }
    check_faults(202, 0, 0);
}
END_TEST

/* The same at once, a while later, and when the window has forgotten it. */
START_TEST(what_comes_twice_is_told)
{
    begin(MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        ck_assert(tally_arrived(&tally, i, true, &faults));
        if (i == 0 || i == 200)
            ck_assert(tally_arrived(&tally, i, true, &faults));
    }
    ck_assert(tally_arrived(&tally, MANY - TALLY_WINDOW, true, &faults));
    ck_assert(tally_arrived(&tally, 3, false, &faults));
    check_faults(0, 4, 0);
}
END_TEST

/* Which is a fault of an ordered sequence alone. */
START_TEST(what_comes_late_is_not_lost)
{
    for (int ordered = 0; ordered <= 1; ordered++) {
        begin(TALLY_WINDOW + 2);
        for (uint64_t i = 1; i < TALLY_WINDOW; i++)
            ck_assert(tally_arrived(&tally, i, ordered, &faults));
        ck_assert(tally_arrived(&tally, 0, ordered, &faults));
        ck_assert(tally_arrived(&tally, TALLY_WINDOW + 1, ordered, &faults));
        ck_assert(tally_arrived(&tally, TALLY_WINDOW, ordered, &faults));
        check_faults(0, 0, ordered ? 2 : 0);
    }
}
END_TEST

START_TEST(what_was_never_sent)
{
    begin(5);
    ck_assert(!tally_arrived(&tally, 5, true, &faults));
    ck_assert(!tally_arrived(&tally, UINT64_MAX, false, &faults));
    ck_assert(tally_arrived(&tally, 4, true, &faults));
    check_faults(4, 0, 0);
}
END_TEST

START_TEST(what_is_only_counted)
{
    begin(0);
    tally_compare(7, 7, 7, &faults);
    for (uint64_t done = 6; done <= 8; done++)
        tally_compare(done, 8, 6, &faults);
    check_faults(0, 0, 0);
    tally_compare(5, 7, 7, &faults);
    tally_compare(8, 7, 7, &faults);
    check_faults(2, 1, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/tally");
    TCase *tcase = tcase_create("tally");
    tcase_add_test(tcase, all_in_order);
    tcase_add_test(tcase, what_is_left_out_is_lost);
    tcase_add_test(tcase, what_comes_twice_is_told);
    tcase_add_test(tcase, what_comes_late_is_not_lost);
    tcase_add_test(tcase, what_was_never_sent);
    tcase_add_test(tcase, what_is_only_counted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
