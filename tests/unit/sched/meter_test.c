/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/meter.h"

#include <check.h>
#include <stdlib.h>

static uint64_t time_ns;

static uint64_t look(void *arg)
{
    (void)arg;
    return time_ns;
}

static const struct clock test_clock = {.now = look};
static struct meter meter;

static void begin(void)
{
    time_ns = 1000;
    meter_init(&meter, &test_clock);
    meter_begin(&meter);
}

START_TEST(time_goes_to_the_present_account)
{
    struct account one = {.sum = &meter.owned}, two = {.sum = &meter.owned};

    begin();
    time_ns += 10;
    ck_assert_ptr_eq(meter_switch(&meter, &one), &meter.nobody);
    time_ns += 20;
    ck_assert_ptr_eq(meter_switch(&meter, &two), &one);
    time_ns += 30;
    meter_switch(&meter, meter_nobody(&meter));
    time_ns += 5;
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&one), 20);
    ck_assert_uint_eq(account_ns(&two), 30);
    ck_assert_uint_eq(account_ns(&meter.owned), 50);
    ck_assert_uint_eq(account_ns(&meter.overhead), 15);
    ck_assert_uint_eq(account_ns(&meter.idle), 0);
}
END_TEST

START_TEST(the_present_account_is_charged_meanwhile)
{
    struct account one = {0};

    meter_charge(NULL);
    begin();
    meter_switch(&meter, &one);
    time_ns += 20;
    ck_assert_uint_eq(account_ns(&one), 0);
    meter_charge(&meter);
    ck_assert_uint_eq(account_ns(&one), 20);
    time_ns += 3;
    meter_switch(&meter, meter_nobody(&meter));
    ck_assert_uint_eq(account_ns(&one), 23);
    meter_end(&meter, true);
    time_ns += 100; /* between turns */
    meter_charge(&meter);
    ck_assert_uint_eq(account_ns(&one), 23);
}
END_TEST

START_TEST(a_turn_without_work_is_idle)
{
    begin();
    time_ns += 7;
    meter_end(&meter, false);
    time_ns += 100; /* between turns */
    meter_begin(&meter);
    time_ns += 3;
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&meter.idle), 7);
    ck_assert_uint_eq(account_ns(&meter.overhead), 3);
}
END_TEST

START_TEST(what_was_looked_for_is_claimed)
{
    struct account one = {0};

    begin();
    time_ns += 10;
    meter_claim(&meter, &one);
    time_ns += 1;
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&one), 11);
    ck_assert_uint_eq(account_ns(&meter.overhead), 0);
}
END_TEST

START_TEST(the_pool_is_handed_out)
{
    struct account one = {0}, two = {0};

    begin();
    meter_switch(&meter, meter_pool(&meter));
    meter_part(&meter, &one, 30);
    meter_part(&meter, &two, 10);
    meter_part(&meter, &one, 0);
    meter_item(&meter, 100); /* 75 and 25 */
    meter_item(&meter, 50);  /* nobody's */
    meter_part(&meter, &two, 1);
    meter_part(&meter, meter_nobody(&meter), 1);
    meter_item(&meter, 50); /* 25 and nobody's 25 */
    time_ns += 400;
    meter_switch(&meter, meter_nobody(&meter));
    meter_settle(&meter);
    ck_assert_uint_eq(account_ns(&one), 150);
    ck_assert_uint_eq(account_ns(&two), 100);
    /* The same again: nothing is left to hand out, and nobody has a share any more. */
    meter_switch(&meter, meter_pool(&meter));
    time_ns += 60;
    meter_settle(&meter);
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&one), 150);
    ck_assert_uint_eq(account_ns(&meter.overhead), 210);
}
END_TEST

/* More than have a share: the others' part is nobody's, and nothing is lost. */
START_TEST(too_many_for_a_pool)
{
    static struct account all[METER_SHARES + 1];
    uint64_t sum = 0;

    begin();
    meter_switch(&meter, meter_pool(&meter));
    for (uint32_t i = 0; i <= METER_SHARES; i++) {
        meter_part(&meter, &all[i], 1);
        meter_item(&meter, 1);
    }
    time_ns += 100 * (METER_SHARES + 1);
    meter_settle(&meter);
    meter_end(&meter, true);
    for (uint32_t i = 0; i <= METER_SHARES; i++)
        sum += account_ns(&all[i]);
    ck_assert_uint_eq(sum, 100 * METER_SHARES);
    ck_assert_uint_eq(account_ns(&meter.overhead), 100);
}
END_TEST

START_TEST(nothing_happens_without_a_meter_or_a_turn)
{
    struct account one = {0};

    begin();
    meter_end(&meter, true);
    meter_switch(&meter, &one);
    time_ns += 10;
    meter_begin(&meter);
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&one), 0);
    meter_switch(NULL, &one);
    meter_claim(NULL, &one);
    meter_part(NULL, &one, 1);
    meter_item(NULL, 1);
    meter_settle(NULL);
    ck_assert_ptr_null(meter_nobody(NULL));
}
END_TEST

/* Ticks of a third of a nanosecond: nothing is lost by rounding, however often it is switched. */
START_TEST(parts_of_a_nanosecond_are_carried)
{
    struct clock third = {.now = look, .tick_parts = (1u << CLOCK_PART_BITS) / 4 + 1};
    uint64_t carry = 0, sum = 0;

    for (uint32_t i = 0; i < 4000; i++)
        sum += clock_span(&third, 1, &carry);
    ck_assert_uint_eq(sum, 1000);
}
END_TEST

START_TEST(a_counter_that_goes_back_charges_nothing)
{
    struct account one = {0};

    begin();
    meter_switch(&meter, &one);
    time_ns -= 500;
    meter_switch(&meter, meter_nobody(&meter));
    time_ns += 5;
    meter_end(&meter, true);
    ck_assert_uint_eq(account_ns(&one), 0);
    ck_assert_uint_eq(account_ns(&meter.overhead), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/meter");
    TCase *tests = tcase_create("meter");
    tcase_add_test(tests, time_goes_to_the_present_account);
    tcase_add_test(tests, the_present_account_is_charged_meanwhile);
    tcase_add_test(tests, a_turn_without_work_is_idle);
    tcase_add_test(tests, what_was_looked_for_is_claimed);
    tcase_add_test(tests, the_pool_is_handed_out);
    tcase_add_test(tests, too_many_for_a_pool);
    tcase_add_test(tests, nothing_happens_without_a_meter_or_a_turn);
    tcase_add_test(tests, parts_of_a_nanosecond_are_carried);
    tcase_add_test(tests, a_counter_that_goes_back_charges_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
