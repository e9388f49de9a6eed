/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flights.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <stdlib.h>

#define BUFFERS     4u
#define DESCRIPTORS 8u
#define PACKETS     15u

static struct flights flights;
static struct rte_mempool *pool;

static void setup(void)
{
    pool = test_eal_pool("flights", PACKETS);
    ck_assert_int_eq(flights_create(&flights, BUFFERS, DESCRIPTORS), 0);
}

static void teardown(void)
{
    flights_destroy(&flights);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), PACKETS);
    rte_mempool_free(pool);
}

static uint32_t out(void)
{
    return rte_mempool_in_use_count(pool);
}

START_TEST(frees_what_lands)
{
    flights_add(&flights, 1, rte_pktmbuf_alloc(pool), 1);
    flights_add(&flights, 3, rte_pktmbuf_alloc(pool), 3);
    ck_assert_uint_eq(flights.room, DESCRIPTORS - 4);
    ck_assert(flights_land(&flights, 3));
    ck_assert(flights_land(&flights, 3));
    ck_assert_uint_eq(out(), 2);
    ck_assert(flights_land(&flights, 3));
    ck_assert_uint_eq(out(), 1);
    ck_assert(flights_land(&flights, 1));
    ck_assert_uint_eq(out(), 0);
    ck_assert_uint_eq(flights.room, DESCRIPTORS);
}
END_TEST

/* A packet that is kept, and two clones of it: its memory comes back with the last of them. */
START_TEST(shares_a_buffer)
{
    struct rte_mbuf *kept = rte_pktmbuf_alloc(pool);

    flights_add(&flights, 2, rte_pktmbuf_clone(kept, pool), 2);
    flights_add(&flights, 2, rte_pktmbuf_clone(kept, pool), 2);
    rte_pktmbuf_free(kept);
    for (int i = 0; i < 3; i++)
        ck_assert(flights_land(&flights, 2));
    ck_assert_uint_eq(out(), 2);
    ck_assert(flights_land(&flights, 2));
    ck_assert_uint_eq(out(), 0);
}
END_TEST

START_TEST(believes_nothing_unknown)
{
    ck_assert(!flights_land(&flights, 0));
    ck_assert(!flights_land(&flights, BUFFERS));
    ck_assert(!flights_land(&flights, UINT32_MAX));
    ck_assert_uint_eq(flights.room, DESCRIPTORS);
}
END_TEST

START_TEST(fills_and_empties)
{
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < DESCRIPTORS; i++)
            flights_add(&flights, i % BUFFERS, rte_pktmbuf_alloc(pool), 1);
        ck_assert_uint_eq(flights.room, 0);
        for (uint32_t i = 0; i < DESCRIPTORS; i++)
            ck_assert(flights_land(&flights, (i * 3) % BUFFERS));
        ck_assert_uint_eq(flights.room, DESCRIPTORS);
        ck_assert_uint_eq(out(), 0);
    }
}
END_TEST

/* teardown sees that it is freed. */
START_TEST(frees_what_never_landed)
{
    flights_add(&flights, 0, rte_pktmbuf_alloc(pool), 2);
    flights_add(&flights, 0, rte_pktmbuf_alloc(pool), 3);
    ck_assert(flights_land(&flights, 0));
}
END_TEST

START_TEST(counts_what_is_under_way)
{
    ck_assert_uint_eq(flights_of(&flights, 1), 0);
    flights_add(&flights, 1, rte_pktmbuf_alloc(pool), 3);
    flights_add(&flights, 1, rte_pktmbuf_alloc(pool), 2);
    flights_add(&flights, 2, rte_pktmbuf_alloc(pool), 1);
    ck_assert(flights_land(&flights, 1));
    ck_assert_uint_eq(flights_of(&flights, 0), 0);
    ck_assert_uint_eq(flights_of(&flights, 1), 4);
    ck_assert_uint_eq(flights_of(&flights, 2), 1);
}
END_TEST

START_TEST(forgets)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    flights_add(&flights, 0, packet, 1);
    flights_forget(&flights);
    ck_assert_uint_eq(out(), 1);
    rte_pktmbuf_free(packet);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flights");
    TCase *tcase = tcase_create("flights");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, frees_what_lands);
    tcase_add_test(tcase, shares_a_buffer);
    tcase_add_test(tcase, believes_nothing_unknown);
    tcase_add_test(tcase, fills_and_empties);
    tcase_add_test(tcase, frees_what_never_landed);
    tcase_add_test(tcase, counts_what_is_under_way);
    tcase_add_test(tcase, forgets);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
