/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What single looks decide. Each engine's share of its thread is given, and looks go on from there.
 */
#include "sched/balance.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define ENGINES 4u
#define LOOK_NS (BALANCE_SLO_NS / 2)
#define WARM_NS (500 * NSEC_PER_MSEC) /* until peaks and passes say nothing of the start */

static struct balance balance;
static struct balance_engine engines[ENGINES];
static struct balance_move moves[BALANCE_MOVES_MAX];
static uint32_t loads[ENGINES]; /* in thousandths of a core */
static bool late[ENGINES];      /* not drained any more */
static bool still[ENGINES];     /* its thread is not run */
static uint64_t now;

static void setup_threads(uint32_t threads)
{
    const struct balance_config config = {.threads = threads};

    ck_assert_int_eq(balance_init(&balance, &config), 0);
    now = NSEC_PER_SEC;
    for (uint32_t i = 0; i < ENGINES; i++) {
        engines[i] = (struct balance_engine){.id = &engines[i], .drained_ns = now};
        loads[i] = 20;
        late[i] = still[i] = false;
    }
}

static void setup(void)
{
    setup_threads(3);
}

/* A look later. */
static uint32_t look(void)
{
    now += LOOK_NS;
    for (uint32_t i = 0; i < ENGINES; i++) {
        if (!still[i]) {
            engines[i].busy_ns += LOOK_NS * loads[i] / 1000;
            engines[i].runs++;
        }
        if (!late[i] && !still[i])
            engines[i].drained_ns = now;
        engines[i].delay_ns = engines[i].resting ? 0 : now - engines[i].drained_ns;
    }
    return balance_decide(&balance, now, engines, ENGINES, moves, BALANCE_MOVES_MAX);
}

/* Looks until something is decided, or for so long. */
static uint32_t wait(uint64_t ns)
{
    uint64_t end = now + ns;
    uint32_t made = 0;

    while (made == 0 && now < end)
        made = look();
    return made;
}

/* The moves are carried out at once. */
static void carry_out(uint32_t made)
{
    for (uint32_t i = 0; i < made; i++)
        engines[moves[i].engine].thread = moves[i].to;
}

static void place(const uint32_t threads[ENGINES], const uint32_t shares[ENGINES])
{
    for (uint32_t i = 0; i < ENGINES; i++) {
        engines[i].thread = threads[i];
        loads[i] = shares[i];
    }
}

START_TEST(bad_configurations)
{
    ck_assert_int_eq(balance_init(&balance, &(struct balance_config){.threads = 0}), -EINVAL);
    ck_assert_int_eq(balance_init(&balance,
                                  &(struct balance_config){.threads = BALANCE_THREADS_MAX + 1}),
                     -EINVAL);
    ck_assert_int_eq(balance_init(&balance, &(struct balance_config){.threads = 1}), 0);
    ck_assert_uint_eq(balance.config.slo_ns, BALANCE_SLO_NS);
    ck_assert_uint_eq(balance.config.period_ns, BALANCE_SLO_NS / 2);
    ck_assert_int_eq(balance_configure(&balance, &(struct balance_config){.threads = 0}), -EINVAL);
    ck_assert_uint_eq(balance.config.threads, 1);
    ck_assert_str_eq(balance_action_name(BALANCE_SWAP), "swap");
    ck_assert_str_eq(balance_action_name(BALANCE_ACTION_END), "?");
    ck_assert_str_eq(balance_reason_name(0), "?");
}
END_TEST

START_TEST(a_period_is_waited_for)
{
    look();
    ck_assert(!balance_due(&balance, now + LOOK_NS - 1));
    ck_assert(balance_due(&balance, now + LOOK_NS));
}
END_TEST

START_TEST(one_late_look_does_not_count)
{
    ck_assert_uint_eq(wait(WARM_NS), 0);
    place((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){600, 200, 100, 100});
    ck_assert_uint_eq(wait(NSEC_PER_MSEC), 0);
    for (int i = 0; i < 100; i++) {
        /* 75 us are late at one look; then it is drained for a while. */
        late[1] = true;
        ck_assert_uint_eq(look() + look() + look(), 0);
        late[1] = false;
        ck_assert_uint_eq(wait(NSEC_PER_MSEC), 0);
    }
}
END_TEST

/* With load to spare, one lateness is chance, and another soon after is not. */
START_TEST(lateness_by_chance)
{
    wait(WARM_NS);
    place((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){400, 100, 100, 100});
    wait(2 * NSEC_PER_MSEC);
    late[1] = true;
    ck_assert_uint_eq(wait(4 * BALANCE_SLO_NS), 0);
    late[1] = false;
    ck_assert_uint_eq(wait(200 * NSEC_PER_MSEC), 0);
    late[1] = true;
    ck_assert_uint_eq(wait(4 * BALANCE_SLO_NS), 0);
    late[1] = false;
    ck_assert_uint_eq(wait(20 * NSEC_PER_MSEC), 0);
    late[1] = true;
    ck_assert_uint_gt(wait(4 * BALANCE_SLO_NS), 0);
}
END_TEST

/* While an engine is under way it is not run, and that is nobody's load. */
START_TEST(an_engine_under_way_is_not_late)
{
    wait(WARM_NS);
    place((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){400, 300, 200, 90});
    wait(2 * NSEC_PER_MSEC);
    engines[3].moving = late[3] = true;
    ck_assert_uint_eq(wait(20 * NSEC_PER_MSEC), 0);
    engines[3].moving = false;
    ck_assert_uint_gt(wait(20 * NSEC_PER_MSEC), 0);
}
END_TEST

START_TEST(a_late_thread_is_halved)
{
    uint32_t made;

    wait(WARM_NS);
    place((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){500, 200, 200, 100});
    wait(2 * NSEC_PER_MSEC);
    late[0] = true;
    made = wait(NSEC_PER_MSEC);
    ck_assert_uint_eq(made, 1);
    ck_assert_uint_eq(moves[0].engine, 0);
    ck_assert_uint_eq(moves[0].from, 0);
    ck_assert_uint_eq(moves[0].to, 1);
    ck_assert_int_eq((int)moves[0].action, BALANCE_SCALE_OUT);
    ck_assert_int_eq((int)moves[0].reason, BALANCE_LATE_WAKE);
    ck_assert_uint_gt(moves[0].delay_ns, BALANCE_SLO_NS);
    ck_assert_uint_ge(moves[0].from_load, 950);
    /* While it is under way, and for a round after it has come, its lateness does not count. */
    engines[0].moving = true;
    ck_assert_uint_eq(wait(2 * NSEC_PER_MSEC), 0);
    engines[0].moving = false;
    engines[0].thread = 1;
    ck_assert_uint_eq(wait(4 * ENGINE_BUDGET_NS), 0);
    /* And alone on its thread it is not helped. */
    ck_assert_uint_eq(wait(20 * NSEC_PER_MSEC), 0);
}
END_TEST

START_TEST(one_thread_has_no_other)
{
    setup_threads(1);
    loads[0] = 900;
    late[0] = late[1] = true;
    ck_assert_uint_eq(wait(WARM_NS), 0);
}
END_TEST

START_TEST(a_sleeping_thread_is_not_late)
{
    wait(WARM_NS);
    for (uint32_t i = 0; i < ENGINES; i++) {
        engines[i].resting = still[i] = true;
        loads[i] = 0;
    }
    ck_assert_uint_eq(wait(10 * NSEC_PER_MSEC), 0);
    ck_assert_uint_eq(balance.stalls, 0);
}
END_TEST

START_TEST(a_stalled_thread_is_not_late)
{
    wait(WARM_NS);
    place((uint32_t[]){0, 0, 1, 1}, (uint32_t[]){300, 300, 300, 300});
    wait(WARM_NS);
    still[2] = still[3] = true;
    ck_assert_uint_eq(wait(4 * NSEC_PER_MSEC), 0);
    /* It runs again, in long rounds, to work off what waited, for as long as it was still. */
    still[2] = still[3] = false;
    loads[2] = loads[3] = 500;
    for (uint64_t end = now + 3 * NSEC_PER_MSEC; now < end;) {
        late[2] = late[3] = now / LOOK_NS % 8 > 0;
        ck_assert_uint_eq(look(), 0);
    }
    ck_assert_uint_eq(balance.stalls, 1);
    /* It goes on: it was not the stall. */
    late[2] = late[3] = true;
    ck_assert_uint_gt(wait(4 * NSEC_PER_MSEC), 0);
    ck_assert_uint_eq(moves[0].from, 1);
}
END_TEST

START_TEST(a_late_thread_that_does_little_is_not_loaded)
{
    wait(WARM_NS);
    place((uint32_t[]){0, 0, 1, 1}, (uint32_t[]){300, 300, 20, 20});
    /* It is run now and then, but does not work most of the time that its engines wait. */
    late[2] = late[3] = true;
    for (int i = 0; i < 4000; i++) {
        uint32_t made = look();
        for (uint32_t j = 0; j < made; j++)
            ck_assert_int_ne((int)moves[j].action, BALANCE_SCALE_OUT);
        made = 0;
        if (i % 80 == 79) {
            late[2] = late[3] = false;
            look();
            late[2] = late[3] = true;
        }
    }
}
END_TEST

START_TEST(a_light_thread_comes_home)
{
    uint32_t made;

    wait(WARM_NS);
    place((uint32_t[]){0, 0, 0, 2}, (uint32_t[]){100, 100, 100, 400});
    /* 700 thousandths are too much for one. */
    ck_assert_uint_eq(wait(NSEC_PER_SEC), 0);
    loads[3] = 100;
    made = wait(NSEC_PER_SEC);
    ck_assert_uint_eq(made, 1);
    ck_assert_uint_eq(moves[0].engine, 3);
    ck_assert_uint_eq(moves[0].to, 0);
    ck_assert_int_eq((int)moves[0].action, BALANCE_MOVE_BACK);
    ck_assert_int_eq((int)moves[0].reason, BALANCE_LOW_LOAD);
    carry_out(made);
    ck_assert_uint_eq(wait(NSEC_PER_SEC), 0);
}
END_TEST

START_TEST(a_thread_of_several_is_compacted)
{
    uint32_t made;

    wait(WARM_NS);
    place((uint32_t[]){0, 1, 2, 2}, (uint32_t[]){300, 400, 50, 50});
    made = wait(NSEC_PER_SEC);
    ck_assert_uint_eq(made, 2);
    for (uint32_t i = 0; i < made; i++) {
        ck_assert_uint_eq(moves[i].from, 2);
        ck_assert_int_eq((int)moves[i].action, BALANCE_COMPACT);
        ck_assert_int_eq((int)moves[i].reason, BALANCE_FEWER);
    }
    /* The fullest that has room is filled first. */
    ck_assert_uint_eq(moves[0].to, 1);
    carry_out(made);
    ck_assert_uint_eq(wait(NSEC_PER_SEC), 0);
}
END_TEST

START_TEST(a_heavy_and_a_light_engine_change_places)
{
    uint32_t made;

    setup_threads(2);
    wait(WARM_NS);
    /* 1000 and 400: moving either engine of thread 0 would be too much for thread 1. */
    place((uint32_t[]){0, 0, 1, 1}, (uint32_t[]){500, 500, 200, 200});
    wait(2 * NSEC_PER_MSEC);
    late[0] = late[1] = true;
    made = wait(5 * NSEC_PER_MSEC);
    ck_assert_uint_eq(made, 2);
    ck_assert_int_eq((int)moves[0].action, BALANCE_SWAP);
    ck_assert_int_eq((int)moves[1].action, BALANCE_SWAP);
    ck_assert_int_eq((int)moves[0].reason, BALANCE_PACK);
    ck_assert_uint_eq(moves[0].from, 0);
    ck_assert_uint_eq(moves[0].to, 1);
    ck_assert_uint_eq(moves[1].from, 1);
    ck_assert_uint_eq(moves[1].to, 0);
}
END_TEST

START_TEST(a_merge_that_failed_is_not_tried_again_soon)
{
    uint32_t made, merges = 0;

    wait(WARM_NS);
    /* Together they are late, though their loads are low. */
    place((uint32_t[]){0, 0, 1, 1}, (uint32_t[]){100, 100, 100, 100});
    for (uint64_t end = now + 8 * NSEC_PER_SEC; now < end;) {
        late[0] = engines[0].thread == engines[3].thread && now / NSEC_PER_MSEC % 2;
        made = look();
        merges += made > 0 && moves[0].action != BALANCE_SCALE_OUT;
        carry_out(made);
    }
    ck_assert_uint_eq(merges, 1);
    /* At less than half of the load it is another matter. */
    loads[0] = loads[1] = loads[2] = loads[3] = 20;
    late[0] = false;
    made = wait(NSEC_PER_SEC);
    ck_assert_uint_gt(made, 0);
    ck_assert_int_ne((int)moves[0].action, BALANCE_SCALE_OUT);
}
END_TEST

START_TEST(another_engine_in_its_place_is_met_anew)
{
    static int other;

    wait(WARM_NS);
    place((uint32_t[]){0, 0, 0, 1}, (uint32_t[]){20, 20, 20, 20});
    engines[3].id = &other;
    engines[3].busy_ns = 0;
    engines[3].runs = 0;
    /* Not merged before it was seen for a while. */
    ck_assert_uint_eq(wait(150 * NSEC_PER_MSEC), 0);
    ck_assert_uint_eq(wait(NSEC_PER_SEC), 1);
}
END_TEST

START_TEST(what_does_not_fit_is_left_alone)
{
    wait(WARM_NS);
    engines[3].thread = 7;
    late[3] = true;
    loads[3] = 900;
    ck_assert_uint_eq(wait(WARM_NS), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/balance");
    TCase *tcase = tcase_create("balance");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, bad_configurations);
    tcase_add_test(tcase, a_period_is_waited_for);
    tcase_add_test(tcase, one_late_look_does_not_count);
    tcase_add_test(tcase, lateness_by_chance);
    tcase_add_test(tcase, an_engine_under_way_is_not_late);
    tcase_add_test(tcase, a_late_thread_is_halved);
    tcase_add_test(tcase, one_thread_has_no_other);
    tcase_add_test(tcase, a_sleeping_thread_is_not_late);
    tcase_add_test(tcase, a_stalled_thread_is_not_late);
    tcase_add_test(tcase, a_late_thread_that_does_little_is_not_loaded);
    tcase_add_test(tcase, a_light_thread_comes_home);
    tcase_add_test(tcase, a_thread_of_several_is_compacted);
    tcase_add_test(tcase, a_heavy_and_a_light_engine_change_places);
    tcase_add_test(tcase, a_merge_that_failed_is_not_tried_again_soon);
    tcase_add_test(tcase, another_engine_in_its_place_is_met_anew);
    tcase_add_test(tcase, what_does_not_fit_is_left_alone);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
