/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/roll.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define ROWS    3u
#define PLACES  20u
#define WRITERS 2u
#define ROUNDS  20000u
#define KEYS    4u

START_TEST(bad_sizes_are_refused)
{
    struct roll *roll;

    ck_assert_int_eq(roll_create(&roll, 0, PLACES), -EINVAL);
    ck_assert_int_eq(roll_create(&roll, ROWS, 0), -EINVAL);
    ck_assert_int_eq(roll_create(&roll, UINT32_MAX, UINT32_MAX), -EINVAL);
}
END_TEST

START_TEST(a_key_is_held_once)
{
    struct roll *roll;

    ck_assert_int_eq(roll_create(&roll, ROWS, PLACES), 0);
    ck_assert_uint_eq(roll_find(roll, ROWS, 7), ROLL_NOBODY);
    ck_assert(roll_enter(roll, 1, PLACES - 1, 7));
    ck_assert(!roll_enter(roll, 0, 0, 7));
    ck_assert(!roll_enter(roll, 2, PLACES - 1, 7));
    ck_assert(roll_enter(roll, 0, 0, 8));
    ck_assert_uint_eq(roll_find(roll, 0, 7), 1);
    ck_assert_uint_eq(roll_find(roll, 1, 7), ROLL_NOBODY);
    ck_assert_uint_eq(roll_find(roll, ROWS, 8), 0);
    /* Whoever was refused has left nothing. */
    ck_assert_uint_eq(roll_find(roll, 1, 7), ROLL_NOBODY);
    roll_leave(roll, 1, PLACES - 1);
    ck_assert(roll_enter(roll, 2, 3, 7));
    ck_assert_uint_eq(roll_find(roll, 0, 7), 2);
    roll_destroy(roll);
}
END_TEST

struct contest {
    struct roll *roll;
    uint32_t row;
    _Atomic uint32_t *holders; /* of each key */
    uint32_t won, wrong;
};

/* Takes and leaves keys that the other one wants too; each is held by one at a time. */
static void *contend(void *arg)
{
    struct contest *contest = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t key = i % KEYS;

        if (!roll_enter(contest->roll, contest->row, i % PLACES, key + 1))
            continue;
        contest->won++;
        if (atomic_fetch_add(&contest->holders[key], 1) != 0)
            contest->wrong++;
        atomic_fetch_sub(&contest->holders[key], 1);
        roll_leave(contest->roll, contest->row, i % PLACES);
    }
    return NULL;
}

START_TEST(threads_never_hold_a_key_together)
{
    _Atomic uint32_t holders[KEYS] = {0};
    struct contest contests[WRITERS];
    pthread_t threads[WRITERS];
    struct roll *roll;

    ck_assert_int_eq(roll_create(&roll, WRITERS, PLACES), 0);
    for (uint32_t i = 0; i < WRITERS; i++) {
        contests[i] = (struct contest){.roll = roll, .row = i, .holders = holders};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &contests[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(contests[i].wrong, 0);
        ck_assert_uint_gt(contests[i].won, 0);
    }
    for (uint32_t key = 1; key <= KEYS; key++)
        ck_assert_uint_eq(roll_find(roll, WRITERS, key), ROLL_NOBODY);
    roll_destroy(roll);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roll");
    TCase *tc = tcase_create("roll");

    tcase_add_test(tc, bad_sizes_are_refused);
    tcase_add_test(tc, a_key_is_held_once);
    tcase_add_test(tc, threads_never_hold_a_key_together);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
