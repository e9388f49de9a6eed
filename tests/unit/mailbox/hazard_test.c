/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A thing that is freed beneath who does not hold it; run under sanitizers as well. */
#include "mailbox/hazard.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define TIMES 2000u
#define MAGIC 0x5addu

static struct hazard hazard;
static _Atomic bool over;
static uint64_t seen;

START_TEST(what_is_published_is_held)
{
    int thing = 0;

    ck_assert_ptr_null(hazard_hold(&hazard));
    ck_assert_ptr_null(hazard_withdraw(&hazard));
    hazard_publish(&hazard, &thing);
    ck_assert_ptr_eq(hazard_hold(&hazard), &thing);
    hazard_let_go(&hazard);
    ck_assert_ptr_eq(hazard_withdraw(&hazard), &thing);
    ck_assert_ptr_null(hazard_hold(&hazard));
}
END_TEST

static void *use(void *argument)
{
    (void)argument;
    while (!atomic_load(&over)) {
        const uint32_t *thing = hazard_hold(&hazard);

        if (!thing)
            continue;
        ck_assert_uint_eq(*thing, MAGIC);
        seen++;
        hazard_let_go(&hazard);
    }
    return NULL;
}

START_TEST(nothing_is_taken_away_while_it_is_held)
{
    pthread_t user;

    ck_assert_int_eq(pthread_create(&user, NULL, use, NULL), 0);
    for (uint32_t i = 0; i < TIMES; i++) {
        uint32_t *thing = malloc(sizeof(*thing));

        *thing = MAGIC;
        hazard_publish(&hazard, thing);
        if (i % 2)
            sched_yield();
        ck_assert_ptr_eq(hazard_withdraw(&hazard), thing);
        *thing = 0;
        free(thing);
    }
    uint32_t last = MAGIC;
    hazard_publish(&hazard, &last);
    /* It may have met none so far. */
    while (!atomic_load_explicit(&hazard.held, memory_order_relaxed))
        sched_yield();
    atomic_store(&over, true);
    pthread_join(user, NULL);
    ck_assert_uint_gt(seen, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hazard");
    TCase *tcase = tcase_create("hazard");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_published_is_held);
    tcase_add_test(tcase, nothing_is_taken_away_while_it_is_held);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
