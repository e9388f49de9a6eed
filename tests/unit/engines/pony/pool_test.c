/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/list.h"
#include "engines/pony/pool.h"

#include <check.h>
#include <stdlib.h>

#define SIZE 5u

START_TEST(used_again_as_late_as_possible)
{
    struct pool pool;

    ck_assert_int_eq(pool_init(&pool, SIZE, POOL_REST), 0);
    for (uint32_t i = 0; i < SIZE; i++)
        ck_assert_uint_eq(pool_take(&pool), i);
    ck_assert_uint_eq(pool_next(&pool), POOL_NONE);
    ck_assert_uint_eq(pool_take(&pool), POOL_NONE);
    pool_give(&pool, 3);
    pool_give(&pool, 1);
    ck_assert_uint_eq(pool_take(&pool), 3);
    pool_give(&pool, 3);
    ck_assert_uint_eq(pool_take(&pool), 1);
    ck_assert_uint_eq(pool_take(&pool), 3);
    ck_assert_uint_eq(pool.free, 0);
    pool_fini(&pool);
    pool_fini(&pool);
}
END_TEST

/* An entry rests while POOL_REST others are given back, and no longer: what comes and goes all day
 * takes no more of a large table than that. */
START_TEST(rest)
{
    enum { TABLE = 4 * POOL_REST };
    struct pool pool;

    ck_assert_int_eq(pool_init(&pool, TABLE, POOL_REST), 0);
    for (uint32_t i = 0; i <= POOL_REST; i++) {
        ck_assert_uint_eq(pool_take(&pool), i);
        pool_give(&pool, i);
    }
    for (uint32_t i = 0; i < 3 * TABLE; i++) {
        uint32_t next = pool_next(&pool), index = pool_take(&pool);
        ck_assert_uint_eq(index, next);
        ck_assert_uint_eq(index, i % (POOL_REST + 1));
        pool_give(&pool, index);
    }
    ck_assert_uint_eq(pool.free, TABLE);
    /* Everything can be had, once. */
    static bool seen[TABLE];
    for (uint32_t i = 0; i < TABLE; i++) {
        uint32_t next = pool_next(&pool), index = pool_take(&pool);
        ck_assert_uint_eq(index, next);
        ck_assert_uint_lt(index, TABLE);
        ck_assert(!seen[index]);
        seen[index] = true;
    }
    ck_assert_uint_eq(pool_take(&pool), POOL_NONE);
    pool_fini(&pool);
}
END_TEST

/* Where nothing has a name of its place, no more are touched than are in use at a time. */
START_TEST(no_rest)
{
    enum { AT_A_TIME = 3 };
    struct pool pool;
    uint32_t taken[AT_A_TIME];

    ck_assert_int_eq(pool_init(&pool, SIZE, 0), 0);
    for (uint32_t round = 0; round < 4 * SIZE; round++) {
        for (uint32_t i = 0; i < AT_A_TIME; i++) {
            taken[i] = pool_take(&pool);
            ck_assert_uint_lt(taken[i], AT_A_TIME);
        }
        for (uint32_t i = 0; i < AT_A_TIME; i++)
            pool_give(&pool, taken[i]);
    }
    ck_assert_uint_eq(pool_end(&pool), AT_A_TIME);
    ck_assert_uint_eq(pool.free, SIZE);
    pool_fini(&pool);
}
END_TEST

START_TEST(loaded)
{
    struct pool pool;

    ck_assert_int_eq(pool_init(&pool, SIZE, POOL_REST), 0);
    pool_reset(&pool, 3);
    ck_assert_uint_eq(pool.free, SIZE - 3);
    pool_give(&pool, 1);
    ck_assert_uint_eq(pool_take(&pool), 3);
    ck_assert_uint_eq(pool_take(&pool), 4);
    ck_assert_uint_eq(pool_take(&pool), 1);
    ck_assert_uint_eq(pool_take(&pool), POOL_NONE);
    pool_fini(&pool);
}
END_TEST

START_TEST(shares_leave_everybody_something)
{
    struct share share;
    uint32_t greedy = 0, modest = 0;

    share_init(&share, 100, 4);
    while (share_allows(&share, greedy))
        share_take(&share, &greedy);
    ck_assert_uint_eq(greedy, 12 + 52);
    for (; share_allows(&share, modest); share_take(&share, &modest))
        continue;
    ck_assert_uint_eq(modest, 12);
    share_give(&share, &greedy);
    ck_assert(share_allows(&share, modest));
    while (greedy > 0)
        share_give(&share, &greedy);
    ck_assert_uint_eq(share.shared_used, 0);
}
END_TEST

START_TEST(lists)
{
    struct list head, other, nodes[4], *node, *after;
    uint32_t seen = 0;

    list_init(&head);
    list_init(&other);
    ck_assert_ptr_null(list_first(&head));
    for (uint32_t i = 0; i < 4; i++) {
        list_init(&nodes[i]);
        list_push(i < 2 ? &head : &other, &nodes[i]);
    }
    list_splice(&head, &other);
    list_splice(&head, &other);
    ck_assert(list_empty(&other));
    LIST_EACH_SAFE(node, after, &head)
    {
        ck_assert_ptr_eq(node, &nodes[seen++]);
        list_remove(node);
        list_remove(node);
    }
    ck_assert_uint_eq(seen, 4);
    ck_assert(list_empty(&head));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, used_again_as_late_as_possible);
    tcase_add_test(tcase, rest);
    tcase_add_test(tcase, no_rest);
    tcase_add_test(tcase, loaded);
    tcase_add_test(tcase, shares_leave_everybody_something);
    tcase_add_test(tcase, lists);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
