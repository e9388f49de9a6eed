/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/bucket.h"

#include <check.h>
#include <stdlib.h>

#define FIFTH (BUCKET_WHOLE / 5)
#define START NSEC_PER_SEC

static struct bucket bucket;

START_TEST(without_a_share_there_is_no_bound)
{
    bucket_init(&bucket, 0, START, 0);
    ck_assert(!bucket_look(&bucket, START + NSEC_PER_SEC, NSEC_PER_SEC));
}
END_TEST

START_TEST(it_runs_dry_and_fills_again)
{
    uint64_t now = START, used = 0;

    bucket_init(&bucket, FIFTH, now, used);
    /* Full: 2 ms, and 0.2 of each ms that passes. */
    now += NSEC_PER_MSEC;
    used += 2 * NSEC_PER_MSEC - 1;
    ck_assert(!bucket_look(&bucket, now, used));
    now += BUCKET_STEP_NS;
    used += NSEC_PER_MSEC;
    ck_assert(bucket_look(&bucket, now, used));
    uint64_t due = bucket_due(&bucket);
    /* It owes 1 ms less what flowed in, and goes on with 0.2 ms: 1.2 ms at a fifth are 6 ms. */
    ck_assert_uint_gt(due, now + 5 * NSEC_PER_MSEC);
    ck_assert_uint_lt(due, now + 7 * NSEC_PER_MSEC);
    ck_assert(bucket_look(&bucket, due - NSEC_PER_MSEC, used));
    ck_assert(!bucket_look(&bucket, due, used));
}
END_TEST

START_TEST(it_is_not_looked_at_too_often)
{
    bucket_init(&bucket, FIFTH, START, 0);
    ck_assert(!bucket_look(&bucket, START + BUCKET_STEP_NS - 1, NSEC_PER_SEC));
    ck_assert(bucket_look(&bucket, START + BUCKET_STEP_NS, NSEC_PER_SEC));
}
END_TEST

START_TEST(it_does_not_save_up)
{
    bucket_init(&bucket, FIFTH, START, 0);
    ck_assert(!bucket_look(&bucket, START + 100 * NSEC_PER_SEC, 0));
    ck_assert(bucket_look(&bucket, START + 101 * NSEC_PER_SEC, 3 * NSEC_PER_MSEC));
}
END_TEST

/* Over a long time it gets its share, whatever it wants. */
START_TEST(its_share_over_time)
{
    uint64_t now = START, used = 0, end = START + 10 * NSEC_PER_SEC;

    bucket_init(&bucket, FIFTH, now, used);
    while (now < end) {
        if (bucket_look(&bucket, now, used)) {
            ck_assert_uint_gt(bucket_due(&bucket), now);
            now = bucket_due(&bucket);
        } else {
            now += 17 * NSEC_PER_USEC;
            used += 17 * NSEC_PER_USEC;
        }
    }
    ck_assert_uint_gt(used, 1990 * NSEC_PER_MSEC);
    ck_assert_uint_lt(used, 2010 * NSEC_PER_MSEC);
}
END_TEST

/* Not even a nanosecond flows in between two looks. */
START_TEST(a_small_share_fills_too)
{
    const uint32_t share = 50;
    uint64_t now = START;

    bucket_init(&bucket, share, now, 0);
    now += BUCKET_STEP_NS;
    ck_assert(bucket_look(&bucket, now, NSEC_PER_USEC));
    for (uint32_t i = 0; i < 2 * 2000 + 10; i++) {
        now += BUCKET_STEP_NS;
        (void)bucket_look(&bucket, now, NSEC_PER_USEC);
    }
    ck_assert(!bucket.dry);
}
END_TEST

/* Others may cause work that is charged to who is dry: that does not stop it for ever. */
START_TEST(debts_are_bounded)
{
    uint64_t now = START + BUCKET_STEP_NS;

    bucket_init(&bucket, FIFTH, START, 0);
    ck_assert(bucket_look(&bucket, now, 3600 * NSEC_PER_SEC));
    ck_assert_uint_le(bucket_due(&bucket), now + 2 * BUCKET_DEBT * BUCKET_DEPTH_NS);
    ck_assert(!bucket_look(&bucket, bucket_due(&bucket), 3600 * NSEC_PER_SEC));
}
END_TEST

/* What is left stays, and from then on it fills at the new rate. */
START_TEST(another_share)
{
    uint64_t now = START + BUCKET_STEP_NS, used = 3 * NSEC_PER_MSEC;

    bucket_init(&bucket, FIFTH, START, 0);
    ck_assert(bucket_look(&bucket, now, used));
    /* It owes 1 ms, and goes on with a tenth of the depth: 1.4 ms at two fifths. */
    bucket_reshare(&bucket, 2 * FIFTH, now, used);
    ck_assert(bucket_look(&bucket, now + 3 * NSEC_PER_MSEC, used));
    ck_assert(!bucket_look(&bucket, now + 4 * NSEC_PER_MSEC, used));
}
END_TEST

/* A bound that is gone holds nobody up, and what was charged without one is no debt. */
START_TEST(no_share_and_one_again)
{
    uint64_t now = START + BUCKET_STEP_NS, used = NSEC_PER_SEC;

    bucket_init(&bucket, FIFTH, START, 0);
    ck_assert(bucket_look(&bucket, now, used));
    bucket_reshare(&bucket, 0, now, used);
    ck_assert(!bucket_look(&bucket, now, used));
    used += NSEC_PER_SEC;
    now += NSEC_PER_SEC;
    bucket_reshare(&bucket, FIFTH, now, used);
    ck_assert(!bucket_look(&bucket, now + BUCKET_STEP_NS, used + NSEC_PER_MSEC));
    ck_assert(bucket_look(&bucket, now + 2 * BUCKET_STEP_NS, used + 3 * NSEC_PER_MSEC));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/bucket");
    TCase *tests = tcase_create("bucket");
    tcase_add_test(tests, without_a_share_there_is_no_bound);
    tcase_add_test(tests, it_runs_dry_and_fills_again);
    tcase_add_test(tests, it_is_not_looked_at_too_often);
    tcase_add_test(tests, it_does_not_save_up);
    tcase_add_test(tests, its_share_over_time);
    tcase_add_test(tests, a_small_share_fills_too);
    tcase_add_test(tests, debts_are_bounded);
    tcase_add_test(tests, another_share);
    tcase_add_test(tests, no_share_and_one_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
