/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <stdlib.h>

#define ITEMS     20000u
#define TIMEOUT_S 50 /* for a loaded machine: a test takes well under one */

static void connect_hosts(struct bed *bed)
{
    bed_connect(bed, 0);
    ck_assert(bed_run(bed, bed_both_open, NSEC_PER_SEC));
}

static void check_exactly_once(const struct bed *bed)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(bed->hosts[i].repeated, 0);
        ck_assert_uint_eq(bed->hosts[i].damaged, 0);
        ck_assert_uint_eq(bed->hosts[i].received, bed->hosts[1 - i].items);
        ck_assert_uint_eq(bed->hosts[i].ended, 0);
    }
}

START_TEST(a_flow_opens_and_carries_both_ways)
{
    struct bed *bed = bed_create();

    bed_start(bed);
    connect_hosts(bed);
    ck_assert_uint_eq(bed->hosts[0].opened, 1);
    ck_assert_uint_eq(bed->hosts[1].opened, 1);
    bed_give(bed, 0, ITEMS);
    bed_give(bed, 1, ITEMS);
    ck_assert(bed_run(bed, bed_all_received, NSEC_PER_SEC));
    check_exactly_once(bed);
    ck_assert_uint_eq(transport_stats(bed->hosts[0].transport)->retransmissions, 0);
    ck_assert_uint_eq(transport_stats(bed->hosts[0].transport)->rx_unknown_flow, 0);
    bed_destroy(bed);
}
END_TEST

/* Loss, duplicates and reordering of every strength: all arrives, once. */
START_TEST(chaos_changes_nothing)
{
    static const struct {
        uint32_t loss, duplicate, reorder, mark;
    } cases[] = {
        {10000, 0, 0, 0},
        {200000, 50000, 100000, 0},
        {500000, 0, 0, 0},
        {0, 1000000, 0, 0},
        {0, 0, 1000000, 0},
        {50000, 100000, 500000, 100000},
        {300000, 300000, 300000, 300000},
    };
    struct bed *bed = bed_create();

    bed->loss = cases[_i].loss;
    bed->duplicate = cases[_i].duplicate;
    bed->reorder = cases[_i].reorder;
    bed->mark = cases[_i].mark;
    bed_start(bed);
    connect_hosts(bed);
    bed->judge = bed_chaos;
    bed->hosts[0].item_bytes = 700;
    bed->hosts[1].item_bytes = 30;
    bed_give(bed, 0, 2000);
    bed_give(bed, 1, 2000);
    ck_assert(bed_run(bed, bed_all_received, 300 * NSEC_PER_SEC));
    check_exactly_once(bed);
    bed_destroy(bed);
}
END_TEST

/* The same, while both sides are saved and loaded every now and then. */
START_TEST(reloading_in_the_middle_changes_nothing)
{
    struct bed *bed = bed_create();

    bed->loss = 100000;
    bed->duplicate = 100000;
    bed->reorder = 200000;
    bed_start(bed);
    rng_init_u64(&bed->chaos, (uint64_t)_i, 5);
    bed->judge = bed_chaos;
    bed_connect(bed, 0);
    bed_give(bed, 0, ITEMS);
    bed_give(bed, 1, ITEMS);
    for (uint32_t i = 0; i < 300 && !bed_run(bed, bed_all_received, rng_below(&bed->chaos, 100000));
         i++)
        bed_reload(bed, (uint32_t)rng_below(&bed->chaos, BED_HOSTS));
    ck_assert(bed_run(bed, bed_all_received, 300 * NSEC_PER_SEC));
    check_exactly_once(bed);
    bed_destroy(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport");
    TCase *tc = tcase_create("transport");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_test(tc, a_flow_opens_and_carries_both_ways);
    tcase_add_loop_test(tc, chaos_changes_nothing, 0, 7);
    tcase_add_loop_test(tc, reloading_in_the_middle_changes_nothing, 0, 8);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
