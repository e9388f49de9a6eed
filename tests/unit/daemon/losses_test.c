/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/losses.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 5000u

/* A port and engines that count what they are told to. */
static struct port_stat counted[] = {
    {"rx_packets", 1000},       {"kernel_rx_dropped", 0}, {"kernel_rx_ring_full", 0},
    {"kernel_rx_no_buffer", 0}, {"tx_down", 0},
};
enum { DROPPED = 1, RING_FULL, NO_BUFFER, TX_DOWN };

static uint32_t port_stats(const struct port *port, struct port_stat *stats, uint32_t max)
{
    (void)port;
    for (uint32_t i = 0; i < sizeof(counted) / sizeof(counted[0]) && i < max; i++)
        stats[i] = counted[i];
    return sizeof(counted) / sizeof(counted[0]);
}

struct fake {
    struct engine engine;
    uint64_t again;
};

static struct fake fakes[3];
static struct engine *const engines[] = {&fakes[0].engine, &fakes[1].engine, &fakes[2].engine};

static uint32_t pony_stats(const struct engine *engine, struct engine_stat *stats, uint32_t max)
{
    const struct fake *fake = (const struct fake *)engine;
    const struct engine_stat all[] = {
        {.name = "rx_packets", .value = 77},
        {.name = "retransmissions", .value = fake->again},
        {.name = "fast_retransmissions", .value = 2 * fake->again},
    };

    for (uint32_t i = 0; i < 3 && i < max; i++)
        stats[i] = all[i];
    return 3;
}

/* Of a kind that sends nothing again. */
static uint32_t shaper_stats(const struct engine *engine, struct engine_stat *stats, uint32_t max)
{
    (void)engine;
    if (max > 0)
        stats[0] = (struct engine_stat){.name = "held", .value = 5};
    return 1;
}

static const struct port_ops counting = {.stats = port_stats}, silent = {0};
static const struct engine_ops pony = {.stats = pony_stats}, shaper = {.stats = shaper_stats};

static struct losses losses;
static struct upgrade_record record;

static void setup(void)
{
    static const char *const names[] = {"left", "left0", "right"};

    losses = (struct losses){0};
    record = (struct upgrade_record){.set_count = 2};
    for (uint32_t i = 1; i < sizeof(counted) / sizeof(counted[0]); i++)
        counted[i].value = 0;
    for (uint32_t i = 0; i < 3; i++) {
        fakes[i] = (struct fake){.engine.ops = i == 0 ? &shaper : &pony};
        snprintf(fakes[i].engine.name, sizeof(fakes[i].engine.name), "%s", names[i]);
    }
}

static void describe(void)
{
    losses_describe(&losses, engines, 3, &record);
}

START_TEST(a_port_says_what_it_missed)
{
    const struct port port = {.ops = &counting}, other = {.ops = &silent};

    ck_assert_uint_eq(losses_missed_by(&port), 0);
    counted[NO_BUFFER].value = 5; /* are among those that were dropped */
    counted[TX_DOWN].value = 6;
    ck_assert_uint_eq(losses_missed_by(&port), 0);
    counted[DROPPED].value = 7;
    counted[RING_FULL].value = 9;
    ck_assert_uint_eq(losses_missed_by(&port), 16);
    ck_assert_uint_eq(losses_missed_by(&other), 0);
}
END_TEST

START_TEST(what_is_missed_is_each_sets)
{
    losses_adopted(&losses, 0, 100);
    losses_adopted(&losses, 1, 200);
    losses_ran(&losses, 0, 103, NOW);
    losses_ran(&losses, 1, 200, NOW + 1);
    record.sets[1].missed = 9;
    describe();
    ck_assert_uint_eq(record.sets[0].missed, 3);
    ck_assert_uint_eq(record.sets[1].missed, 0);
    ck_assert_uint_eq(losses.until, NOW + 1 + LOSSES_AFTER_NS);
}
END_TEST

/* It was given back before it ran, or not at all handed over; what it missed was the other's. */
START_TEST(a_set_that_never_ran_missed_nothing)
{
    losses_adopted(&losses, 0, 100);
    describe();
    ck_assert_uint_eq(record.sets[0].missed, 0);
    ck_assert_uint_eq(record.sets[0].retransmitted, 0);
}
END_TEST

START_TEST(what_is_sent_again_after_loading)
{
    fakes[1].again = 50;
    fakes[2].again = 60;
    losses_loaded(&losses, 0, engines[0]);
    losses_loaded(&losses, 0, engines[1]);
    losses_loaded(&losses, 1, engines[2]);
    describe();
    ck_assert_uint_eq(record.sets[0].retransmitted, 0);
    fakes[1].again = 52;
    fakes[2].again = 61;
    describe();
    ck_assert_uint_eq(record.sets[0].retransmitted, 2);
    ck_assert_uint_eq(record.sets[1].retransmitted, 1);
}
END_TEST

START_TEST(engines_of_one_set_are_added_up)
{
    losses_loaded(&losses, 1, engines[1]);
    losses_loaded(&losses, 1, engines[2]);
    fakes[1].again = 3;
    fakes[2].again = 4;
    describe();
    ck_assert_uint_eq(record.sets[0].retransmitted, 0);
    ck_assert_uint_eq(record.sets[1].retransmitted, 7);
}
END_TEST

START_TEST(a_set_that_comes_again_counts_anew)
{
    losses_adopted(&losses, 0, 10);
    losses_loaded(&losses, 0, engines[1]);
    losses_ran(&losses, 0, 14, NOW);
    fakes[1].again = 8;
    losses_adopted(&losses, 0, 20);
    losses_loaded(&losses, 0, engines[1]);
    fakes[1].again = 9;
    describe();
    ck_assert_uint_eq(record.sets[0].missed, 0);
    ck_assert_uint_eq(record.sets[0].retransmitted, 1);
    ck_assert_uint_eq(losses.engine_count, 1);
}
END_TEST

/* An engine or a port that was made anew, and one that is there no more. */
START_TEST(counters_that_begin_anew_say_nothing)
{
    fakes[1].again = 50;
    fakes[2].again = 60;
    losses_adopted(&losses, 0, 100);
    losses_loaded(&losses, 0, engines[1]);
    losses_loaded(&losses, 0, engines[2]);
    losses_ran(&losses, 0, 3, NOW);
    fakes[1].again = 49;
    fakes[2].again = 70;
    losses_describe(&losses, engines, 2, &record);
    ck_assert_uint_eq(record.sets[0].missed, 0);
    ck_assert_uint_eq(record.sets[0].retransmitted, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("losses");
    TCase *tcase = tcase_create("losses");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_port_says_what_it_missed);
    tcase_add_test(tcase, what_is_missed_is_each_sets);
    tcase_add_test(tcase, a_set_that_never_ran_missed_nothing);
    tcase_add_test(tcase, what_is_sent_again_after_loading);
    tcase_add_test(tcase, engines_of_one_set_are_added_up);
    tcase_add_test(tcase, a_set_that_comes_again_counts_anew);
    tcase_add_test(tcase, counters_that_begin_anew_say_nothing);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
