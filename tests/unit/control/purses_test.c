/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Purses of users: who has which, where in it, and what its sum is for those who read it. */
#include "control/purses.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define ALICE    1000u
#define BOB      1001u
#define SHARE    200000u
#define WRITERS  4u
#define CHARGES  200000u /* of each writer */
#define EACH_NS  3u
#define SESSIONS 100u

struct hold {
    struct purse *purse;
    uint32_t place;
};

static struct hold take(uint32_t uid, uint32_t share)
{
    struct hold hold = {0};

    ck_assert_int_eq(purses_take(uid, share, &hold.purse, &hold.place), 0);
    ck_assert_uint_lt(hold.place, PURSE_ACCOUNTS);
    return hold;
}

static void give(struct hold hold)
{
    purses_give(hold.purse, hold.place);
}

static void charge(struct hold hold, uint64_t ns)
{
    account_charge(&hold.purse->accounts[hold.place], ns);
}

START_TEST(one_purse_for_each_user)
{
    struct hold first = take(ALICE, SHARE), second = take(ALICE, SHARE), other = take(BOB, SHARE);

    ck_assert_ptr_eq(first.purse, second.purse);
    ck_assert_ptr_ne(first.purse, other.purse);
    ck_assert_uint_ne(first.place, second.place);
    charge(first, 30);
    charge(second, 12);
    charge(other, 5);
    ck_assert_uint_eq(purse_ns(first.purse), 42);
    ck_assert_uint_eq(purse_ns(other.purse), 5);
    give(first);
    give(second);
    give(other);
}
END_TEST

/* A place is used again; what was charged there stays in the sum, which never goes back. */
START_TEST(a_session_ends_and_another_comes)
{
    struct hold stays = take(ALICE, SHARE), ends = take(ALICE, SHARE), comes;

    charge(stays, 10);
    charge(ends, 7);
    give(ends);
    ck_assert_uint_eq(purse_ns(stays.purse), 17);
    comes = take(ALICE, SHARE);
    ck_assert_ptr_eq(comes.purse, stays.purse);
    ck_assert_uint_eq(comes.place, ends.place);
    charge(comes, 3);
    ck_assert_uint_eq(purse_ns(stays.purse), 20);
    give(stays);
    ck_assert_uint_eq(purse_ns(comes.purse), 20);
    give(comes);
}
END_TEST

/* The last session takes the purse with it: who comes back begins with an empty one. */
START_TEST(a_user_leaves_and_comes_back)
{
    struct hold other = take(BOB, SHARE), hold = take(ALICE, SHARE);

    charge(other, 8);
    charge(hold, 1000);
    give(hold);
    hold = take(ALICE, SHARE);
    ck_assert_uint_eq(purse_ns(hold.purse), 0);
    ck_assert_uint_eq(purse_ns(other.purse), 8);
    give(other);
    charge(hold, 4);
    ck_assert_uint_eq(purse_ns(hold.purse), 4);
    give(hold);
}
END_TEST

/* Whichever of several users leaves first. */
START_TEST(users_leave_in_any_order)
{
    struct hold holds[3];

    for (uint32_t i = 0; i < 3; i++) {
        holds[i] = take(ALICE + i, SHARE);
        charge(holds[i], i + 1);
    }
    give(holds[_i]);
    for (uint32_t i = 0; i < 3; i++) {
        if ((int)i == _i)
            continue;
        struct hold again = take(ALICE + i, SHARE);
        ck_assert_ptr_eq(again.purse, holds[i].purse);
        ck_assert_uint_eq(purse_ns(again.purse), i + 1);
        give(again);
        give(holds[i]);
    }
}
END_TEST

/* The configuration's share at the time of the last attach holds for all of a user's. */
START_TEST(the_last_share_holds)
{
    struct hold first = take(ALICE, SHARE), second = take(ALICE, SHARE / 2);

    ck_assert_uint_eq(atomic_load(&first.purse->share), SHARE / 2);
    give(second);
    give(first);
}
END_TEST

/* Another configuration's is every user's at once. */
START_TEST(another_share_reaches_all)
{
    struct hold first = take(ALICE, SHARE), second = take(ALICE, SHARE), other = take(BOB, SHARE);

    purses_set_share(SHARE / 2);
    ck_assert_uint_eq(atomic_load(&first.purse->share), SHARE / 2);
    ck_assert_uint_eq(atomic_load(&other.purse->share), SHARE / 2);
    purses_set_share(0);
    ck_assert_uint_eq(atomic_load(&first.purse->share), 0);
    ck_assert_uint_eq(atomic_load(&other.purse->share), 0);
    give(first);
    give(second);
    give(other);
}
END_TEST

/* Accounts are looked at again only when a bucket would count what was charged. */
START_TEST(the_sum_is_made_now_and_then)
{
    const uint64_t now = NSEC_PER_SEC;
    struct hold first = take(ALICE, SHARE), second = take(ALICE, SHARE);

    charge(first, 5);
    ck_assert_uint_eq(purse_lately(first.purse, now), 5);
    charge(second, 7);
    ck_assert_uint_eq(purse_lately(second.purse, now), 5);
    ck_assert_uint_eq(purse_lately(second.purse, now + BUCKET_STEP_NS - 1), 5);
    ck_assert_uint_eq(purse_lately(second.purse, now + BUCKET_STEP_NS), 12);
    charge(first, 1);
    /* Of a thread whose clock is behind. */
    ck_assert_uint_eq(purse_lately(first.purse, now), 13);
    give(first);
    give(second);
}
END_TEST

/* As many as there can be, each with a place of its own; the middle one's is found again. */
START_TEST(every_session_has_a_place)
{
    static struct hold holds[PURSE_ACCOUNTS];
    static bool seen[PURSE_ACCOUNTS];

    for (uint32_t i = 0; i < PURSE_ACCOUNTS; i++) {
        holds[i] = take(ALICE, SHARE);
        ck_assert(!seen[holds[i].place]);
        seen[holds[i].place] = true;
        charge(holds[i], 1);
    }
    ck_assert_uint_eq(purse_ns(holds[0].purse), PURSE_ACCOUNTS);
    give(holds[SESSIONS]);
    struct hold again = take(ALICE, SHARE);
    ck_assert_uint_eq(again.place, holds[SESSIONS].place);
    for (uint32_t i = 0; i < PURSE_ACCOUNTS; i++)
        give(holds[i]);
}
END_TEST

START_TEST(nothing_is_given_back)
{
    purses_give(NULL, 0);
}
END_TEST

static void *write_account(void *argument)
{
    struct hold *hold = argument;

    for (uint32_t i = 0; i < CHARGES; i++)
        charge(*hold, EACH_NS);
    return NULL;
}

/* Engines write on threads of their own, without a lock: each word has one writer, so nothing is
 * lost, and whoever reads meanwhile sees the sum grow. */
START_TEST(single_writers)
{
    const uint64_t whole = (uint64_t)WRITERS * CHARGES * EACH_NS;
    struct hold holds[WRITERS];
    pthread_t threads[WRITERS];
    uint64_t before = 0;

    for (uint32_t i = 0; i < WRITERS; i++)
        holds[i] = take(ALICE, SHARE);
    for (uint32_t i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_account, &holds[i]), 0);
    while (before < whole) {
        uint64_t now = purse_ns(holds[0].purse);
        ck_assert_uint_ge(now, before);
        ck_assert_uint_le(now, whole);
        before = now;
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(purse_ns(holds[0].purse), whole);
    for (uint32_t i = 0; i < WRITERS; i++)
        give(holds[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("purses");
    TCase *tcase = tcase_create("purses");

    tcase_add_test(tcase, one_purse_for_each_user);
    tcase_add_test(tcase, a_session_ends_and_another_comes);
    tcase_add_test(tcase, a_user_leaves_and_comes_back);
    tcase_add_loop_test(tcase, users_leave_in_any_order, 0, 3);
    tcase_add_test(tcase, the_last_share_holds);
    tcase_add_test(tcase, another_share_reaches_all);
    tcase_add_test(tcase, the_sum_is_made_now_and_then);
    tcase_add_test(tcase, every_session_has_a_place);
    tcase_add_test(tcase, nothing_is_given_back);
    tcase_add_test(tcase, single_writers);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
