/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/decisions.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct decisions decisions;
static struct decisions_place place;

static void setup(void)
{
    decisions_init(&decisions);
    decisions_begin(&decisions, &place);
}

static void add(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char name[ENGINE_NAME_BYTES];

        snprintf(name, sizeof(name), "engine-%llu", (unsigned long long)i);
        decisions_add(&decisions, 1000 + i, name,
                      &(struct balance_move){.from = 0,
                                             .to = 1,
                                             .action = i % 2 ? BALANCE_SWAP : BALANCE_SCALE_OUT,
                                             .reason = BALANCE_PACK,
                                             .delay_ns = i,
                                             .load = 500});
    }
}

START_TEST(what_was_decided_is_read)
{
    struct decision decision;
    uint64_t lost = 0;

    ck_assert(!decisions_read(&decisions, &place, &decision, &lost));
    add(3);
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert(decisions_read(&decisions, &place, &decision, &lost));
        ck_assert_uint_eq(decision.at_ns, 1000 + i);
        ck_assert_uint_eq(decision.move.delay_ns, i);
        ck_assert_uint_eq(decision.move.to, 1);
        ck_assert_int_eq((int)decision.move.reason, BALANCE_PACK);
    }
    ck_assert_str_eq(decision.engine, "engine-2");
    ck_assert(!decisions_read(&decisions, &place, &decision, &lost));
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(decisions_count(&decisions, BALANCE_SCALE_OUT), 2);
    ck_assert_uint_eq(decisions_count(&decisions, BALANCE_SWAP), 1);
    ck_assert_uint_eq(decisions_count(&decisions, BALANCE_COMPACT), 0);
}
END_TEST

START_TEST(too_many_are_counted)
{
    struct decision decision;
    uint64_t lost = 0;

    add(DECISIONS_KEPT + 10);
    ck_assert(decisions_read(&decisions, &place, &decision, &lost));
    ck_assert_uint_eq(lost, 10);
    ck_assert_uint_eq(decision.at_ns, 1010);
}
END_TEST

/* A group in the memory of an earlier one: a place in that one's is none in this one. */
START_TEST(memory_that_is_used_again)
{
    struct decision decision;
    uint64_t lost = 0;

    add(5);
    while (decisions_read(&decisions, &place, &decision, &lost))
        ;
    decisions_init(&decisions);
    add(2);
    ck_assert(decisions_read(&decisions, &place, &decision, &lost));
    ck_assert_str_eq(decision.engine, "engine-0");
    ck_assert_uint_eq(lost, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/decisions");
    TCase *tcase = tcase_create("decisions");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_was_decided_is_read);
    tcase_add_test(tcase, too_many_are_counted);
    tcase_add_test(tcase, memory_that_is_used_again);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
