/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/impair.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 2047u
#define CAPACITY     256u
#define MANY         100000u
#define PACKET_BYTES 64u
#define START        1000000ull /* ns */
#define MS           1000000ull

static const uint8_t seed[RNG_SEED_BYTES] = "a seed of this test";
static struct rte_mempool *pool;
static struct impair *impair;

static void setup(void)
{
    pool = test_eal_pool("impair", POOL_PACKETS);
}

/* Every packet has come home. */
static void teardown(void)
{
    impair_destroy(impair);
    ck_assert(rte_mempool_full(pool));
}

static void create(const struct impair_config *config)
{
    ck_assert_int_eq(impair_create(&impair, config, seed, CAPACITY, pool), 0);
}

/* A packet that carries a number. */
static struct rte_mbuf *numbered(uint32_t number)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    memset(rte_pktmbuf_append(packet, PACKET_BYTES), 0, PACKET_BYTES);
    *rte_pktmbuf_mtod(packet, uint32_t *) = number;
    return packet;
}

static uint32_t number_of(const struct rte_mbuf *packet)
{
    return *rte_pktmbuf_mtod(packet, const uint32_t *);
}

static void push(uint32_t number, uint64_t now)
{
    struct rte_mbuf *packet = numbered(number);

    impair_push(impair, &packet, 1, now);
}

/* The next due packet's number, or -1. */
static int64_t pop(uint64_t now)
{
    struct rte_mbuf *packet;
    int64_t number;

    if (impair_pop(impair, &packet, 1, now) == 0)
        return -1;
    number = number_of(packet);
    rte_pktmbuf_free(packet);
    return number;
}

/* Sends MANY packets through, one at a time; returns a hash of what came out and when. */
static uint64_t run(const struct impair_config *config, const uint8_t *with)
{
    uint64_t hash = 14695981039346656037ull;

    ck_assert_int_eq(impair_create(&impair, config, with, CAPACITY, pool), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t now = START + i * 1000ull;
        int64_t number;

        push(i, now);
        while ((number = pop(now)) >= 0)
            hash = (hash ^ (uint64_t)number ^ now << 20) * 1099511628211ull;
    }
    return hash;
}

static void check_about(uint64_t count, uint64_t want)
{
    ck_assert_uint_ge(count, want - want / 20);
    ck_assert_uint_le(count, want + want / 20);
}

START_TEST(perfect)
{
    static const struct impair_config config;

    create(&config);
    ck_assert_uint_eq(impair_deadline(impair), UINT64_MAX);
    for (uint32_t i = 0; i < 100; i++)
        push(i, START);
    ck_assert_uint_eq(impair_deadline(impair), START);
    ck_assert_uint_eq(impair_held(impair), 100);
    ck_assert_uint_eq(impair_room(impair), CAPACITY - 100);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert_int_eq(pop(START), i);
    ck_assert_int_eq(pop(START), -1);
    ck_assert_uint_eq(impair_stats(impair)->popped, 100);
}
END_TEST

START_TEST(loses)
{
    static const struct impair_config config = {.loss_ppm = 100000};

    run(&config, seed);
    check_about(impair_stats(impair)->lost, MANY / 10);
    ck_assert_uint_eq(impair_stats(impair)->lost + impair_stats(impair)->popped, MANY);
}
END_TEST

START_TEST(loses_everything)
{
    static const struct impair_config config = {.loss_ppm = IMPAIR_MILLION};

    run(&config, seed);
    ck_assert_uint_eq(impair_stats(impair)->lost, MANY);
}
END_TEST

/* Gilbert-Elliott: a share enter / (enter + leave) of packets meets the bad state, and bursts have
 * 1 / leave packets on average when all are lost there. */
START_TEST(loses_in_bursts)
{
    static const struct impair_config config = {
        .burst_enter_ppm = 20000,
        .burst_leave_ppm = 180000,
        .burst_loss_ppm = IMPAIR_MILLION,
    };
    uint32_t bursts = 0;
    bool before = true;

    create(&config);
    for (uint32_t i = 0; i < MANY; i++) {
        bool arrived;

        push(i, START);
        arrived = pop(START) >= 0;
        bursts += before && !arrived;
        before = arrived;
    }
    check_about(impair_stats(impair)->burst_lost, MANY / 10);
    ck_assert_uint_eq(impair_stats(impair)->lost, 0);
    check_about(impair_stats(impair)->burst_lost * 18 / bursts, 100);
}
END_TEST

START_TEST(duplicates)
{
    static const struct impair_config config = {.duplicate_ppm = 250000};

    run(&config, seed);
    check_about(impair_stats(impair)->duplicated, MANY / 4);
    ck_assert_uint_eq(impair_stats(impair)->popped, MANY + impair_stats(impair)->duplicated);
}
END_TEST

START_TEST(duplicates_everything)
{
    static const struct impair_config config = {.duplicate_ppm = IMPAIR_MILLION};

    create(&config);
    push(1, START);
    push(2, START);
    ck_assert_int_eq(pop(START), 1);
    ck_assert_int_eq(pop(START), 1);
    ck_assert_int_eq(pop(START), 2);
    ck_assert_int_eq(pop(START), 2);
    ck_assert_int_eq(pop(START), -1);
}
END_TEST

START_TEST(delays)
{
    static const struct impair_config config = {.delay_ns = MS, .jitter_ns = MS / 2};
    uint64_t now = START;
    uint32_t count = 0;

    create(&config);
    for (uint32_t i = 0; i < CAPACITY; i++)
        push(i, START);
    ck_assert_int_eq(pop(START + MS - 1), -1);
    while (impair_held(impair) > 0) {
        uint64_t deadline = impair_deadline(impair);

        ck_assert_uint_ge(deadline, now);
        now = deadline;
        ck_assert_int_eq(pop(now - 1), -1);
        ck_assert_int_ge(pop(now), 0);
        count++;
    }
    ck_assert_uint_ge(now, START + MS);
    ck_assert_uint_lt(now, START + MS + MS / 2);
    ck_assert_uint_eq(count, CAPACITY);
}
END_TEST

START_TEST(keeps_order_without_jitter)
{
    static const struct impair_config config = {.delay_ns = MS};
    uint32_t next = 0;
    uint32_t wrong = 0;

    create(&config);
    for (uint32_t i = 0; i < 10000; i++) {
        uint64_t now = START + i / 3 * (MS / 50);
        int64_t number;

        push(i, now);
        while ((number = pop(now)) >= 0)
            wrong += number != next++;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(next, 9800);
}
END_TEST

START_TEST(reorders)
{
    static const struct impair_config config = {.reorder_ppm = 200000, .reorder_ns = MS};
    uint32_t overtaken = 0;
    int64_t last = -1;
    int64_t number;

    create(&config);
    for (uint32_t i = 0; i < CAPACITY; i++)
        push(i, START);
    while ((number = pop(START + MS)) >= 0) {
        overtaken += number < last;
        last = number;
    }
    /* All that were held back come behind the others, in their own order. */
    ck_assert_uint_eq(overtaken, 1);
    ck_assert_uint_gt(impair_stats(impair)->reordered, CAPACITY / 10);
    ck_assert_uint_lt(impair_stats(impair)->reordered, CAPACITY / 3);
}
END_TEST

static uint32_t bits_set(const struct rte_mbuf *packet, uint8_t *seen)
{
    uint32_t count = 0;
    uint32_t at = 0;

    for (const struct rte_mbuf *segment = packet; segment; segment = segment->next) {
        const uint8_t *bytes = rte_pktmbuf_mtod(segment, const uint8_t *);

        for (uint32_t i = 0; i < segment->data_len; i++, at++) {
            count += (uint32_t)__builtin_popcount(bytes[i]);
            seen[at] |= bytes[i];
        }
    }
    return count;
}

/* One bit, any bit, and never in memory that the sender still has. */
START_TEST(corrupts_a_copy)
{
    static const struct impair_config config = {.corrupt_ppm = IMPAIR_MILLION};
    struct rte_mbuf *original = rte_pktmbuf_alloc(pool);
    struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
    uint8_t seen[20] = {0};
    uint8_t unused[20];

    memset(rte_pktmbuf_append(original, 3), 0, 3);
    memset(rte_pktmbuf_append(tail, 17), 0, 17);
    rte_pktmbuf_chain(original, tail);
    create(&config);
    for (uint32_t i = 0; i < 5000; i++) {
        struct rte_mbuf *packet = rte_pktmbuf_clone(original, pool);

        impair_push(impair, &packet, 1, START);
        ck_assert_uint_eq(impair_pop(impair, &packet, 1, START), 1);
        if (packet->pkt_len != 20 || bits_set(packet, seen) != 1)
            ck_abort_msg("not one bit");
        rte_pktmbuf_free(packet);
    }
    ck_assert_uint_eq(bits_set(original, unused), 0);
    for (uint32_t i = 0; i < sizeof(seen); i++)
        ck_assert_uint_eq(seen[i], 0xff);
    ck_assert_uint_eq(impair_stats(impair)->corrupted, 5000);
    rte_pktmbuf_free(original);
}
END_TEST

START_TEST(corrupts_nothing)
{
    static const struct impair_config config = {.corrupt_ppm = IMPAIR_MILLION};
    struct rte_mbuf *empty = rte_pktmbuf_alloc(pool);

    create(&config);
    impair_push(impair, &empty, 1, START);
    ck_assert_uint_eq(impair_pop(impair, &empty, 1, START), 1);
    ck_assert_uint_eq(empty->pkt_len, 0);
    rte_pktmbuf_free(empty);
}
END_TEST

START_TEST(overflows)
{
    static const struct impair_config config = {.delay_ns = MS};

    create(&config);
    for (uint32_t i = 0; i < CAPACITY + 10; i++)
        push(i, START);
    ck_assert_uint_eq(impair_held(impair), CAPACITY);
    ck_assert_uint_eq(impair_room(impair), 0);
    ck_assert_uint_eq(impair_stats(impair)->overflowed, 10);
}
END_TEST

/* No memory for copies: a duplicate is missing, a corrupt packet is lost. */
START_TEST(starves)
{
    static const struct impair_config config = {
        .duplicate_ppm = IMPAIR_MILLION,
        .corrupt_ppm = IMPAIR_MILLION,
    };
    struct rte_mbuf *packet = numbered(1);
    struct rte_mbuf *others[POOL_PACKETS];

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, others, POOL_PACKETS - 1), 0);
    create(&config);
    impair_push(impair, &packet, 1, START);
    ck_assert_uint_eq(impair_stats(impair)->starved, 2);
    ck_assert_uint_eq(impair_held(impair), 0);
    rte_pktmbuf_free_bulk(others, POOL_PACKETS - 1);
}
END_TEST

static const struct impair_config everything = {
    .loss_ppm = 50000,
    .burst_enter_ppm = 1000,
    .burst_leave_ppm = 100000,
    .burst_loss_ppm = 500000,
    .duplicate_ppm = 50000,
    .corrupt_ppm = 20000,
    .reorder_ppm = 100000,
    .reorder_ns = 20000,
    .delay_ns = 10000,
    .jitter_ns = 5000,
};

START_TEST(replays)
{
    static const uint8_t other[RNG_SEED_BYTES] = "another seed";
    uint64_t first = run(&everything, seed);
    struct impair_stats stats = *impair_stats(impair);
    struct impair_stats again;

    impair_destroy(impair);
    ck_assert_uint_eq(run(&everything, seed), first);
    again = *impair_stats(impair);
    ck_assert_mem_eq(&again, &stats, sizeof(stats));
    impair_destroy(impair);
    ck_assert_uint_ne(run(&everything, other), first);
    again = *impair_stats(impair);
    ck_assert_uint_eq(again.pushed + again.duplicated, again.lost + again.burst_lost +
                                                           again.overflowed + again.popped +
                                                           impair_held(impair));
}
END_TEST

START_TEST(reconfigures)
{
    static const struct impair_config late = {.delay_ns = MS};
    static const struct impair_config perfect_again;
    static const struct impair_config bad = {.loss_ppm = IMPAIR_MILLION + 1};

    create(&late);
    push(1, START);
    ck_assert_int_eq(impair_configure(impair, &bad), -EINVAL);
    ck_assert_int_eq(impair_configure(impair, &perfect_again), 0);
    push(2, START);
    ck_assert_int_eq(pop(START), 2);
    ck_assert_int_eq(pop(START), -1);
    ck_assert_int_eq(pop(START + MS), 1);
}
END_TEST

START_TEST(bad_configurations)
{
    struct impair_config config[] = {
        {.loss_ppm = IMPAIR_MILLION + 1},
        {.burst_enter_ppm = IMPAIR_MILLION + 1},
        {.burst_leave_ppm = IMPAIR_MILLION + 1},
        {.burst_loss_ppm = IMPAIR_MILLION + 1},
        {.duplicate_ppm = IMPAIR_MILLION + 1},
        {.corrupt_ppm = IMPAIR_MILLION + 1},
        {.reorder_ppm = IMPAIR_MILLION + 1},
        {.reorder_ns = UINT64_MAX},
        {.delay_ns = UINT64_MAX},
        {.jitter_ns = UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof(config) / sizeof(config[0]); i++)
        ck_assert_int_eq(impair_create(&impair, &config[i], seed, CAPACITY, pool), -EINVAL);
    ck_assert_int_eq(impair_create(&impair, &everything, seed, 0, pool), -EINVAL);
    ck_assert_int_eq(impair_create(&impair, &everything, seed, IMPAIR_CAPACITY_MAX + 1, pool),
                     -EINVAL);
    impair = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("impair");
    TCase *tcase = tcase_create("impair");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, perfect);
    tcase_add_test(tcase, loses);
    tcase_add_test(tcase, loses_everything);
    tcase_add_test(tcase, loses_in_bursts);
    tcase_add_test(tcase, duplicates);
    tcase_add_test(tcase, duplicates_everything);
    tcase_add_test(tcase, delays);
    tcase_add_test(tcase, keeps_order_without_jitter);
    tcase_add_test(tcase, reorders);
    tcase_add_test(tcase, corrupts_a_copy);
    tcase_add_test(tcase, corrupts_nothing);
    tcase_add_test(tcase, overflows);
    tcase_add_test(tcase, starves);
    tcase_add_test(tcase, replays);
    tcase_add_test(tcase, reconfigures);
    tcase_add_test(tcase, bad_configurations);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
