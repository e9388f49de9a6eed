/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The rebalancer in virtual time: threads follow the load, the SLO is kept, and at a steady load
 * nothing moves. Without hysteresis the last of these does not hold, which the last test shows.
 */
#include "tests/unit/sched/fleet.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS     3u
#define LOW       100u /* thousandths of a core */
#define UP_NS     (10 * NSEC_PER_MSEC)
#define DOWN_NS   NSEC_PER_SEC
#define SETTLE_NS NSEC_PER_SEC
#define STEADY_NS (10 * NSEC_PER_SEC)
#define SLO_MISSES                                                                                 \
    100u /* one item of so many may be late: the SLO is that of the 99th percentile */
/* Moves that chance may bring in the 10 s: two decisions, of half of the engines each. */
#define MOVES_MAX(engines) (engines)

enum shape {
    EVEN,  /* over all engines */
    HEAVY, /* one has up to 700, the others the rest */
};

struct scene {
    const char *name;
    enum shape shape;
    uint32_t engines, threads, burst, high;
};

/* Loads that fit on the threads within the SLO. */
static const struct scene scenes[] = {
    {"even, two engines", EVEN, 2, 2, 1, 1400},
    {"even, four engines", EVEN, 4, 4, 1, 3000},
    {"even, eight engines", EVEN, 8, 8, 1, 3000},
    {"even, sixteen engines", EVEN, 16, 8, 1, 3000},
    {"even, just too much for one thread", EVEN, 8, 4, 1, 1100},
    {"one heavy of three", HEAVY, 3, 3, 1, 1300},
    {"one heavy of eight", HEAVY, 8, 4, 1, 1500},
    {"one heavy of sixteen", HEAVY, 16, 4, 1, 2000},
    {"bursts, eight engines", EVEN, 8, 8, 4, 2000},
    {"bursts, sixteen engines", EVEN, 16, 8, 4, 2500},
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

static void set_load(struct fleet *fleet, const struct scene *scene, uint32_t total)
{
    uint32_t others = scene->engines - 1, heavy = total / scene->engines;

    if (scene->shape == HEAVY)
        heavy = total * 6 / 10 > 700 ? 700 : total * 6 / 10;
    fleet_load(fleet, 0, others > 0 ? heavy : total);
    for (uint32_t i = 1; i < scene->engines; i++)
        fleet_load(fleet, i, (total - heavy) / others);
}

static struct fleet *begin(const struct scene *scene, uint64_t seed, bool hasty)
{
    const struct fleet_config config = {.engines = scene->engines,
                                        .threads = scene->threads,
                                        .burst = scene->burst,
                                        .seed = seed,
                                        .hasty = hasty};
    struct fleet *fleet = fleet_create(&config);

    set_load(fleet, scene, LOW);
    fleet_run(fleet, SETTLE_NS / 2);
    return fleet;
}

static void assert_slo(struct fleet *fleet, const struct scene *scene, uint64_t seed)
{
    const struct fleet_counts *counts = fleet_counts(fleet);

    ck_assert_msg(counts->late * SLO_MISSES <= counts->served,
                  "%s, seed %llu: %llu items of %llu were late", scene->name,
                  (unsigned long long)seed, (unsigned long long)counts->late,
                  (unsigned long long)counts->served);
}

START_TEST(threads_follow)
{
    const struct scene *scene = &scenes[_i / (int)SEEDS];
    uint64_t seed = (uint64_t)_i + 1;
    struct fleet *fleet = begin(scene, seed, false);

    ck_assert_msg(fleet_threads(fleet) == 1, "%s, seed %llu: %u threads at first", scene->name,
                  (unsigned long long)seed, fleet_threads(fleet));
    for (int i = 0; i < 2; i++) {
        set_load(fleet, scene, scene->high);
        fleet_run(fleet, UP_NS);
        ck_assert_msg(fleet_threads(fleet) * 1000 >= scene->high,
                      "%s, seed %llu: %u threads after 10 ms", scene->name,
                      (unsigned long long)seed, fleet_threads(fleet));
        fleet_run(fleet, UP_NS);
        fleet_count(fleet);
        fleet_run(fleet, SETTLE_NS / 4);
        assert_slo(fleet, scene, seed);
        set_load(fleet, scene, LOW);
        fleet_run(fleet, DOWN_NS);
        ck_assert_msg(fleet_threads(fleet) == 1, "%s, seed %llu: %u threads after 1 s", scene->name,
                      (unsigned long long)seed, fleet_threads(fleet));
    }
    fleet_destroy(fleet);
}
END_TEST

/* How many moves there are in 10 s, once the load has been high for a second. */
static uint64_t steady_moves(const struct scene *scene, uint64_t seed, bool hasty)
{
    struct fleet *fleet = begin(scene, seed, hasty);
    uint64_t moved;

    set_load(fleet, scene, scene->high);
    fleet_run(fleet, SETTLE_NS);
    fleet_count(fleet);
    fleet_run(fleet, STEADY_NS);
    if (!hasty)
        assert_slo(fleet, scene, seed);
    moved = fleet_counts(fleet)->moved;
    fleet_destroy(fleet);
    return moved;
}

START_TEST(nothing_moves_at_a_steady_load)
{
    uint64_t moved = steady_moves(&scenes[_i], 1, false);

    ck_assert_msg(moved <= MOVES_MAX(scenes[_i].engines), "%s: %llu moves", scenes[_i].name,
                  (unsigned long long)moved);
}
END_TEST

START_TEST(at_a_low_load_nothing_moves_at_all)
{
    const struct scene *scene = &scenes[_i];
    struct fleet *fleet = begin(scene, 1, false);

    fleet_run(fleet, STEADY_NS);
    ck_assert_uint_eq(fleet_counts(fleet)->moved, 0);
    assert_slo(fleet, scene, 1);
    fleet_destroy(fleet);
}
END_TEST

/* More than all threads can do: what there is to move has been moved after a second. */
START_TEST(too_much_load_moves_nothing)
{
    static const struct scene scene = {"too much", EVEN, 8, 2, 1, 3000};
    uint32_t threads;
    struct fleet *fleet = begin(&scene, 1, false);
    uint64_t served;

    set_load(fleet, &scene, scene.high);
    fleet_run(fleet, SETTLE_NS);
    fleet_count(fleet);
    fleet_run(fleet, SETTLE_NS);
    threads = fleet_threads(fleet);
    served = fleet_counts(fleet)->served;
    ck_assert_uint_eq(fleet_counts(fleet)->moved, 0);
    ck_assert_uint_eq(threads, 2);
    /* Both threads work all the time, but for looks. */
    ck_assert_uint_ge(served * FLEET_COST_NS, 2 * SETTLE_NS / 100 * 96);
    fleet_destroy(fleet);
}
END_TEST

START_TEST(one_engine_cannot_be_helped)
{
    static const struct scene scene = {"one engine", EVEN, 1, 4, 1, 3000};
    struct fleet *fleet = begin(&scene, 1, false);

    set_load(fleet, &scene, scene.high);
    fleet_run(fleet, SETTLE_NS);
    ck_assert_uint_eq(fleet_counts(fleet)->moved, 0);
    ck_assert_uint_gt(fleet_waiting(fleet), 0);
    fleet_destroy(fleet);
}
END_TEST

START_TEST(a_ramp_is_followed)
{
    static const struct scene scene = {"ramp", EVEN, 16, 8, 1, 3000};
    struct fleet *fleet = begin(&scene, (uint64_t)_i + 1, false);

    for (uint32_t load = LOW; load <= scene.high; load += 20) {
        set_load(fleet, &scene, load);
        fleet_run(fleet, UP_NS);
        ck_assert_msg((fleet_threads(fleet) + 1) * 1000 >= load + 1000, "load %u: %u threads", load,
                      fleet_threads(fleet));
    }
    fleet_count(fleet);
    fleet_run(fleet, SETTLE_NS);
    assert_slo(fleet, &scene, (uint64_t)_i + 1);
    for (uint32_t load = scene.high; load > LOW; load -= 20) {
        set_load(fleet, &scene, load);
        fleet_run(fleet, UP_NS);
    }
    fleet_run(fleet, DOWN_NS);
    ck_assert_uint_eq(fleet_threads(fleet), 1);
    fleet_destroy(fleet);
}
END_TEST

/* A thread is not run for some milliseconds: its engines are late, but not by load. */
START_TEST(a_stall_is_no_load)
{
    static const struct scene scene = {"stalls", EVEN, 8, 4, 1, 1200};
    struct fleet *fleet = begin(&scene, (uint64_t)_i + 1, false);
    uint32_t threads;
    uint64_t stalls;

    set_load(fleet, &scene, scene.high);
    fleet_run(fleet, SETTLE_NS / 4);
    /* Now with load to spare on each thread. */
    set_load(fleet, &scene, 800);
    fleet_run(fleet, 10 * NSEC_PER_MSEC);
    threads = fleet_threads(fleet);
    ck_assert_uint_gt(threads, 1);
    for (uint32_t thread = 0; thread < 2; thread++)
        for (uint32_t in_turn = 0; in_turn < 2; in_turn++) {
            fleet_count(fleet);
            stalls = fleet_stalls(fleet);
            fleet_stall(fleet, thread, 2 * NSEC_PER_MSEC, in_turn);
            fleet_run(fleet, 20 * NSEC_PER_MSEC);
            ck_assert_uint_ge(fleet_counts(fleet)->delays.max_ns, NSEC_PER_MSEC);
            ck_assert_uint_eq(fleet_counts(fleet)->moves[BALANCE_SCALE_OUT], 0);
            ck_assert_uint_eq(fleet_counts(fleet)->moves[BALANCE_SWAP], 0);
            /* The first thread, which looks, cannot be sure of its own. */
            if (thread > 0)
                ck_assert_uint_ge(fleet_stalls(fleet) - stalls, 1);
        }
    fleet_destroy(fleet);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run)
{
    const struct scene *scene = &scenes[3];
    struct histogram_view delays[2];

    for (int i = 0; i < 2; i++) {
        struct fleet *fleet = begin(scene, 7, false);
        set_load(fleet, scene, scene->high);
        fleet_run(fleet, SETTLE_NS / 10);
        delays[i] = fleet_counts(fleet)->delays;
        fleet_destroy(fleet);
    }
    ck_assert_mem_eq(&delays[0], &delays[1], sizeof(delays[0]));
}
END_TEST

START_TEST(without_hysteresis_it_swings)
{
    uint64_t moved = steady_moves(&scenes[2], 1, true);

    ck_assert_uint_gt(moved, 100 * MOVES_MAX(scenes[2].engines));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/balance_sim");
    TCase *tcase = tcase_create("balance_sim");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, threads_follow, 0, (int)(SCENES * SEEDS));
    tcase_add_loop_test(tcase, nothing_moves_at_a_steady_load, 0, (int)SCENES);
    tcase_add_loop_test(tcase, at_a_low_load_nothing_moves_at_all, 3, 5);
    tcase_add_test(tcase, too_much_load_moves_nothing);
    tcase_add_test(tcase, one_engine_cannot_be_helped);
    tcase_add_loop_test(tcase, a_ramp_is_followed, 0, 2);
    tcase_add_loop_test(tcase, a_stall_is_no_load, 0, 3);
    tcase_add_test(tcase, the_same_seed_gives_the_same_run);
    tcase_add_test(tcase, without_hysteresis_it_swings);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
