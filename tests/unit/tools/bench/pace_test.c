/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/pace.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define PROBES 10u
#define PERIOD 1000u

/* A machine whose time goes on as a test says. */
struct machine {
    uint64_t now;
    uint64_t oversleeps;   /* how late a sleep ends */
    uint64_t takes;        /* a probe */
    uint32_t slow;         /* this probe */
    uint64_t slow_takes;   /* takes so long */
    uint32_t fails;        /* this one, with -EIO */
    uint32_t called;       /* times */
    uint64_t sent[PROBES]; /* when */
};

static uint64_t now(void *arg)
{
    const struct machine *machine = arg;
    return machine->now;
}

static void sleep_until(void *arg, uint64_t ns)
{
    struct machine *machine = arg;
    ck_assert_uint_gt(ns, machine->now);
    machine->now = ns + machine->oversleeps;
}

static int probe(void *arg, uint32_t number)
{
    struct machine *machine = arg;
    ck_assert_uint_eq(number, machine->called);
    machine->called++;
    machine->sent[number] = machine->now;
    machine->now += number == machine->slow ? machine->slow_takes : machine->takes;
    return number == machine->fails ? -EIO : 0;
}

static struct machine machine;
static uint64_t delays[PROBES], behind[PROBES];
static struct pace_result result;
static struct pace pace;

static int run(void)
{
    const struct pace_time time = {.now = now, .sleep_until = sleep_until, .arg = &machine};
    return pace_run(&pace, &time, probe, &machine, &result);
}

static void set_up(void)
{
    machine = (struct machine){.takes = 10, .slow = UINT32_MAX, .fails = UINT32_MAX};
    result = (struct pace_result){.delay_ns = delays, .late_ns = behind};
    pace =
        (struct pace){.start_ns = 5000, .period_ns = PERIOD, .end_ns = UINT64_MAX, .count = PROBES};
}

START_TEST(each_is_sent_when_it_is_due)
{
    ck_assert_int_eq(run(), 0);
    for (uint32_t i = 0; i < PROBES; i++) {
        ck_assert_uint_eq(machine.sent[i], 5000 + i * PERIOD);
        ck_assert_uint_eq(delays[i], 10);
        ck_assert_uint_eq(behind[i], 0);
    }
    ck_assert_uint_eq(result.late_count, PROBES);
    ck_assert_uint_eq(result.missed, 0);
}
END_TEST

/* The prober's own lateness is told, and is a part of the delay: the probe was due before. */
START_TEST(late_prober)
{
    machine.oversleeps = 70;
    ck_assert_int_eq(run(), 0);
    for (uint32_t i = 0; i < PROBES; i++) {
        ck_assert_uint_eq(behind[i], 70);
        ck_assert_uint_eq(delays[i], 80);
    }
    ck_assert_uint_eq(result.missed, 0);
}
END_TEST

/* A stall of three and a half periods is seen by those that were due in it, less and less. */
START_TEST(stall_counts_for_all_it_holds_up)
{
    machine.slow = 2;
    machine.slow_takes = 3500;
    ck_assert_int_eq(run(), 0);
    ck_assert_uint_eq(delays[1], 10);
    ck_assert_uint_eq(delays[2], 3500);
    ck_assert_uint_eq(delays[3], 2510);
    ck_assert_uint_eq(delays[4], 1520);
    ck_assert_uint_eq(delays[5], 530);
    ck_assert_uint_eq(delays[6], 10);
    ck_assert_uint_eq(result.missed, 3);
    ck_assert_uint_eq(result.late_count, PROBES - 3);
    ck_assert_uint_eq(result.unsent, 0);
}
END_TEST

/* A rate that cannot be kept up with: the run ends, and those that never got their turn count with
 * what they had waited. */
START_TEST(overload_is_not_left_out)
{
    machine.takes = 5000;
    pace.end_ns = 17000;
    ck_assert_int_eq(run(), 0);
    ck_assert_uint_eq(machine.called, 3);
    ck_assert_uint_eq(delays[2], 20000 - 7000);
    ck_assert_uint_eq(result.unsent, PROBES - 3);
    ck_assert_uint_eq(result.missed, PROBES - 1);
    for (uint32_t i = 3; i < PROBES; i++)
        ck_assert_uint_eq(delays[i], 20000 - (5000 + i * PERIOD));
}
END_TEST

START_TEST(failure_ends_the_run)
{
    machine.fails = 4;
    ck_assert_int_eq(run(), -EIO);
    ck_assert_uint_eq(machine.called, 5);
}
END_TEST

START_TEST(machine_clock_goes_on)
{
    uint64_t before = pace_machine.now(NULL);
    pace_machine.sleep_until(NULL, before + 1000);
    ck_assert_uint_ge(pace_machine.now(NULL), before + 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/pace");
    TCase *tests = tcase_create("pace");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, each_is_sent_when_it_is_due);
    tcase_add_test(tests, late_prober);
    tcase_add_test(tests, stall_counts_for_all_it_holds_up);
    tcase_add_test(tests, overload_is_not_left_out);
    tcase_add_test(tests, failure_ends_the_run);
    tcase_add_test(tests, machine_clock_goes_on);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
