/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/linear.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 511u

static void check_same(const struct rte_mbuf *packet)
{
    ck_assert_uint_eq(packet->nb_segs, 1);
    ck_assert_uint_eq(packet->data_len, sizeof(frame_v6));
    ck_assert_mem_eq(rte_pktmbuf_mtod(packet, const uint8_t *), frame_v6, sizeof(frame_v6));
}

/* Segments of any size, empty ones between, the first one empty too. */
START_TEST(joins)
{
    struct rte_mempool *pool = test_eal_pool("joins", POOL_PACKETS);

    for (uint32_t step = 1; step <= sizeof(frame_v6); step++) {
        struct rte_mbuf *packet = frame_chain(pool, frame_v6, sizeof(frame_v6), step);
        struct packet_meta meta;

        ck_assert_int_eq(linear_step(packet, &meta), REFUSAL_NONE);
        check_same(packet);
        rte_pktmbuf_free(packet);
    }
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(leaves_one_segment_alone)
{
    struct rte_mempool *pool = test_eal_pool("alone", POOL_PACKETS);
    struct rte_mbuf *packet = frame_exact(pool, frame_v6, sizeof(frame_v6));
    struct packet_meta meta;

    ck_assert_int_eq(linear_step(packet, &meta), REFUSAL_NONE);
    check_same(packet);
    rte_pktmbuf_free(packet);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

START_TEST(no_room)
{
    struct rte_mempool *pool = test_eal_pool("no_room", POOL_PACKETS);
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
    struct packet_meta meta;

    for (int i = 0; i < 4; i++) {
        struct rte_mbuf *segment = rte_pktmbuf_alloc(pool);

        memset(rte_pktmbuf_append(segment, 1000), i, 1000);
        rte_pktmbuf_chain(packet, segment);
    }
    ck_assert_int_eq(linear_step(packet, &meta), REFUSAL_SEGMENTS);
    rte_pktmbuf_free(packet);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

/* The memory behind a clone is its sender's: it must not be written to. */
START_TEST(shared_first_segment)
{
    struct rte_mempool *pool = test_eal_pool("shared", POOL_PACKETS);
    struct rte_mbuf *original = frame_chain(pool, frame_v6, sizeof(frame_v6), 20);
    struct rte_mbuf *clone = rte_pktmbuf_clone(original, pool);
    struct packet_meta meta;

    ck_assert_int_eq(linear_step(clone, &meta), REFUSAL_SEGMENTS);
    ck_assert_int_eq(linear_step(original, &meta), REFUSAL_SEGMENTS);
    rte_pktmbuf_free(clone);
    ck_assert_int_eq(linear_step(original, &meta), REFUSAL_NONE);
    check_same(original);
    rte_pktmbuf_free(original);
    ck_assert(rte_mempool_full(pool));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear");
    TCase *tcase = tcase_create("linear");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_test(tcase, joins);
    tcase_add_test(tcase, leaves_one_segment_alone);
    tcase_add_test(tcase, no_room);
    tcase_add_test(tcase, shared_first_segment);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
