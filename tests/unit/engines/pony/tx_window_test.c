/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/rx_window.h"
#include "engines/pony/tx_window.h"
#include "engines/rng.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define PACKETS   1023u
#define STEPS     50000u
#define RTT_NS    1000u
#define TIMEOUT_S 50

static struct rte_mempool *pool;
static struct tx_window window;
static struct tx_progress progress;

static void setup(void)
{
    pool = test_eal_pool("tx_window", PACKETS);
}

static void add(uint64_t now)
{
    tx_window_add(&window, rte_pktmbuf_alloc(pool), now);
}

static void add_many(uint32_t first, uint32_t count, uint64_t now)
{
    tx_window_init(&window, first);
    for (uint32_t i = 0; i < count; i++)
        add(now + i);
}

static void name(uint8_t sack[WIRE_SACK_BYTES], uint32_t ack, uint32_t seq)
{
    uint32_t bit = seq - ack - 1;

    sack[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* Each packet is in exactly one state, and nothing is kept that is not needed. */
static void check_conserved(void)
{
    uint32_t settled = 0, kept = 0;

    for (uint32_t i = 0; i < TX_WINDOW; i++) {
        settled += window.slots[i].state == TX_SETTLED;
        kept += window.slots[i].packet != NULL;
    }
    ck_assert_uint_eq(window.flying.count + window.lost.count + settled,
                      tx_window_outstanding(&window));
    ck_assert_uint_eq(window.flying.count + window.lost.count, kept);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), PACKETS - kept);
}

START_TEST(cumulative_acknowledgement_across_the_wrap)
{
    add_many(UINT32_MAX - 3, 8, 1);
    ck_assert_int_eq(tx_window_ack(&window, UINT32_MAX - 1, NULL, 10, RTT_NS, &progress), 0);
    ck_assert_uint_eq(progress.packets, 2);
    ck_assert_uint_eq(progress.sample_ns, 2);
    ck_assert_int_eq(tx_window_ack(&window, 2, NULL, 10, RTT_NS, &progress), 0);
    ck_assert_uint_eq(progress.packets, 4);
    check_conserved();
    ck_assert_int_eq(tx_window_ack(&window, UINT32_MAX, NULL, 10, RTT_NS, &progress), 0);
    ck_assert_uint_eq(progress.packets, 0);
    ck_assert_int_eq(tx_window_ack(&window, 5, NULL, 10, RTT_NS, &progress), -EPROTO);
    ck_assert_int_eq(tx_window_ack(&window, 4, NULL, 10, RTT_NS, &progress), 0);
    ck_assert_uint_eq(tx_window_outstanding(&window), 0);
    check_conserved();
}
END_TEST

START_TEST(the_window_closes_when_full)
{
    add_many(7, TX_WINDOW, 1);
    ck_assert(!tx_window_open(&window));
    tx_window_ack(&window, 8, NULL, 10, RTT_NS, &progress);
    ck_assert(tx_window_open(&window));
    tx_window_clear(&window);
    check_conserved();
}
END_TEST

START_TEST(overtaken_by_three_is_lost)
{
    uint8_t sack[WIRE_SACK_BYTES] = {0};
    uint64_t deadline;

    add_many(100, 6, 1000);
    name(sack, 100, 102);
    tx_window_ack(&window, 100, sack, 1500, RTT_NS, &progress);
    ck_assert_uint_eq(progress.packets, 1);
    /* Overtaken by two: only time tells. */
    ck_assert_uint_eq(tx_window_detect(&window, 1500, 3, 2000, &deadline), 0);
    ck_assert_uint_eq(deadline, 3000);
    name(sack, 100, 103);
    tx_window_ack(&window, 100, sack, 1500, RTT_NS, &progress);
    ck_assert_uint_eq(tx_window_detect(&window, 1500, 3, 2000, &deadline), 2);
    ck_assert_uint_eq(window.lost.count, 1);
    ck_assert_ptr_eq(tx_window_lost(&window), &window.slots[100]);
    ck_assert_uint_eq(deadline, 3001);
    /* Time is up for 101; 104 and 105 were not overtaken. */
    ck_assert_uint_eq(tx_window_detect(&window, 3001, 3, 2000, &deadline), 3);
    ck_assert_uint_eq(window.lost.count, 2);
    ck_assert_uint_eq(deadline, UINT64_MAX);
    ck_assert_uint_eq(window.flying.count, 2);
    tx_window_clear(&window);
    check_conserved();
}
END_TEST

/* The original arrives late, right after its retransmission: that says nothing of the packets sent
 * between the two. */
START_TEST(a_late_original_condemns_nobody)
{
    uint8_t sack[WIRE_SACK_BYTES] = {0};
    uint64_t deadline;

    add_many(0, 10, 1000);
    for (uint32_t seq = 1; seq <= 3; seq++)
        name(sack, 0, seq);
    tx_window_ack(&window, 0, sack, 2000, RTT_NS, &progress);
    tx_window_detect(&window, 2000, 3, 100000, &deadline);
    ck_assert_uint_eq(window.lost.count, 1);
    tx_window_resent(&window, 2000);
    tx_window_ack(&window, 4, NULL, 2100, RTT_NS, &progress);
    ck_assert_uint_eq(progress.packets, 1);
    ck_assert_uint_eq(progress.sample_ns, 0);
    ck_assert_uint_eq(progress.again_ns, 0);
    ck_assert_uint_eq(tx_window_detect(&window, 2100, 3, 100000, &deadline), 0);
    ck_assert_uint_eq(window.lost.count, 0);
    /* An answer a round trip later would have condemned those three transmissions older. */
    tx_window_clear(&window);
    check_conserved();
}
END_TEST

/* The way has become shorter than it ever was, and all that is in flight was sent before: without
 * its answers being believed the flow would never know. */
START_TEST(an_answer_that_is_too_soon_for_any_but_the_last)
{
    add_many(0, 2, 1000);
    tx_window_lose_all(&window);
    tx_window_resent(&window, 1000 + TX_ALONE_NS - 1);
    tx_window_resent(&window, 1001 + TX_ALONE_NS);
    tx_window_ack(&window, 1, NULL, 1100 + TX_ALONE_NS, RTT_NS, &progress);
    ck_assert_uint_eq(progress.again_ns, 0);
    tx_window_ack(&window, 2, NULL, 1100 + TX_ALONE_NS, RTT_NS, &progress);
    ck_assert_uint_eq(progress.again_ns, 1001 + TX_ALONE_NS);
    ck_assert_uint_eq(progress.sample_ns, 0);
    check_conserved();
}
END_TEST

START_TEST(karns_rule_and_needless_suspicion)
{
    add_many(0, 2, 1000);
    tx_window_lose_all(&window);
    ck_assert_uint_eq(window.lost.count, 2);
    tx_window_resent(&window, 2000);
    /* 0 was sent twice: no sample. 1 was only suspected: it was sent once and gives one. */
    tx_window_ack(&window, 1, NULL, 4000, RTT_NS, &progress);
    ck_assert_uint_eq(progress.sample_ns, 0);
    ck_assert_uint_eq(progress.again_ns,
                      2000); /* what may be a sample, for who can bear a wrong one */
    ck_assert_uint_eq(progress.needless, 0);
    tx_window_ack(&window, 2, NULL, 4000, RTT_NS, &progress);
    ck_assert_uint_eq(progress.sample_ns, 1001);
    ck_assert_uint_eq(progress.again_ns, 0);
    ck_assert_uint_eq(progress.needless, 1);
    check_conserved();
}
END_TEST

/* Acknowledgements that lie, and losses and retransmissions at random: whatever is said, packets
 * are conserved and the window stays whole. */
START_TEST(lies_break_nothing)
{
    struct rng rng;
    uint64_t now = 1000;

    rng_init_u64(&rng, (uint64_t)_i, 1);
    tx_window_init(&window, (uint32_t)rng_u64(&rng));
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t deadline;
        uint8_t sack[WIRE_SACK_BYTES];
        uint32_t spread = rng_chance(&rng, 100000) ? UINT32_MAX : 2 * TX_WINDOW;
        uint32_t ack = window.una + (uint32_t)rng_below(&rng, spread) - spread / 2;

        now += rng_below(&rng, 100);
        for (uint32_t i = 0; i < WIRE_SACK_BYTES; i++)
            sack[i] = (uint8_t)(rng_u64(&rng) & rng_u64(&rng));
        if (rng_chance(&rng, 50000))
            tx_window_ack(&window, ack, sack, now, RTT_NS, &progress);
        for (uint32_t i = 0; i < 4 && tx_window_open(&window); i++)
            add(now);
        tx_window_detect(&window, now, 3, 5000, &deadline);
        if (rng_chance(&rng, 1000))
            tx_window_lose_all(&window);
        if (tx_window_lost(&window))
            tx_window_resent(&window, now);
        if (step % 256 == 0)
            check_conserved();
    }
    tx_window_clear(&window);
    check_conserved();
}
END_TEST

/* Both windows together: whatever the order of arrival, the bitmap settles exactly what arrived. */
START_TEST(the_two_windows_agree)
{
    struct rx_window receiver;
    struct rng rng;
    uint32_t first;

    rng_init_u64(&rng, (uint64_t)_i, 2);
    first = UINT32_MAX - (uint32_t)rng_below(&rng, 1000);
    tx_window_init(&window, first);
    rx_window_init(&receiver, first);
    for (uint32_t step = 0; step < STEPS / 10; step++) {
        uint8_t sack[WIRE_SACK_BYTES];
        uint32_t wrong = 0, seq;

        while (tx_window_open(&window) && !rng_chance(&rng, 100000))
            add(1);
        seq = window.una + (uint32_t)rng_below(&rng, tx_window_outstanding(&window));
        if (rx_window_look(&receiver, seq) == RX_NEW)
            rx_window_take(&receiver, seq);
        rx_window_sack(&receiver, sack);
        ck_assert_int_eq(tx_window_ack(&window, receiver.next, sack, 2, RTT_NS, &progress), 0);
        ck_assert_uint_eq(window.una, receiver.next);
        for (seq = window.una; seq != window.next; seq++)
            wrong += (window.slots[seq % TX_WINDOW].state == TX_SETTLED) !=
                     (rx_window_look(&receiver, seq) == RX_DUPLICATE);
        ck_assert_uint_eq(wrong, 0);
        if (tx_window_outstanding(&window) == 0)
            add(1);
    }
    tx_window_clear(&window);
    check_conserved();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tx_window");
    TCase *tc = tcase_create("tx_window");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, TIMEOUT_S);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, cumulative_acknowledgement_across_the_wrap);
    tcase_add_test(tc, the_window_closes_when_full);
    tcase_add_test(tc, overtaken_by_three_is_lost);
    tcase_add_test(tc, a_late_original_condemns_nobody);
    tcase_add_test(tc, an_answer_that_is_too_soon_for_any_but_the_last);
    tcase_add_test(tc, karns_rule_and_needless_suspicion);
    tcase_add_loop_test(tc, lies_break_nothing, 0, 4);
    tcase_add_loop_test(tc, the_two_windows_agree, 0, 4);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
