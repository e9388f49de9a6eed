/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/plan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 1e-9

static struct plan_variant variants[PLAN_VARIANTS_MAX];
static uint32_t count;

static const struct plan_variant *named(const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    ck_abort_msg("no %s", name);
    return NULL;
}

static void set_up(void)
{
    count = plan_all(variants);
}

START_TEST(names_are_unique_and_say_all)
{
    ck_assert_uint_lt(count, PLAN_VARIANTS_MAX);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_ptr_eq(named(variants[i].name), &variants[i]);
    const struct plan_variant *variant = named("saddle/compacting/fifo/loaded/nice0/hogs");
    ck_assert_int_eq(variant->kind, PLAN_SADDLE);
    ck_assert_int_eq(variant->load, PLAN_HOGS);
    ck_assert_str_eq(variant->mode, "compacting");
    ck_assert_str_eq(variant->class, "fifo");
    ck_assert(variant->loaded);
    ck_assert(!variant->realtime);
    variant = named("tcp/idle/realtime/mmap");
    ck_assert_int_eq(variant->kind, PLAN_TCP);
    ck_assert_ptr_null(variant->mode);
    ck_assert(variant->realtime);
}
END_TEST

/* Whatever is measured through Saddle is measured the same way over TCP. */
START_TEST(each_round_trip_has_its_tcp)
{
    char name[2 * PLAN_NAME_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        const struct plan_variant *variant = &variants[i];
        if (variant->kind != PLAN_SADDLE)
            continue;
        snprintf(name, sizeof(name), "tcp/%s/%s/%s", variant->loaded ? "loaded" : "idle",
                 variant->realtime ? "realtime" : "nice0", plan_load_name(variant->load));
        named(name);
    }
}
END_TEST

/* A daemon is started once for all that need the same one. */
START_TEST(those_of_a_daemon_follow_each_other)
{
    uint32_t changes = 0;
    for (uint32_t i = 1; i < count; i++)
        if (variants[i].kind == PLAN_SADDLE)
            changes += variants[i].mode != variants[i - 1].mode ||
                       variants[i].class != variants[i - 1].class;
    ck_assert_uint_eq(changes, 12); /* three modes, four classes */
}
END_TEST

START_TEST(patterns)
{
    ck_assert(plan_matches(named("wake/fifo/hogs"), "wake/fifo/hogs"));
    ck_assert(plan_matches(named("wake/fifo/hogs"), "wake/*"));
    ck_assert(plan_matches(named("saddle/spreading/nice/idle/nice0/idle"), "*/nice/*"));
    ck_assert(!plan_matches(named("wake/fifo/hogs"), "wake"));
    ck_assert(!plan_matches(named("wake/fifo/hogs"), ""));
}
END_TEST

static struct plan_outcome outcomes[2];

static void wake_up(struct plan_outcome *outcome, const char *name, double first, double second,
                    double third)
{
    const double tails[] = {first, second, third};
    *outcome = (struct plan_outcome){.variant = named(name), .run_count = 3};
    for (uint32_t i = 0; i < 3; i++)
        outcome->runs[i] = (struct plan_run){.delay = {.p50 = 1, .p999 = tails[i]},
                                             .engines = 0.25,
                                             .count = 100,
                                             .missed = i,
                                             .unsent = 1};
}

START_TEST(figures_of_runs)
{
    struct plan_figures figures;
    wake_up(&outcomes[0], "wake/fifo/hogs", 70, 90, 60);
    plan_summarize(&outcomes[0], &figures);
    ck_assert_double_eq_tol(figures.p999.median, 70, NEAR);
    ck_assert_double_eq_tol(figures.p999.min, 60, NEAR);
    ck_assert_double_eq_tol(figures.p999.max, 90, NEAR);
    ck_assert_double_eq_tol(figures.p50.median, 1, NEAR);
    ck_assert_double_eq_tol(figures.engines.median, 0.25, NEAR);
    ck_assert_uint_eq(figures.count, 300);
    ck_assert_uint_eq(figures.missed, 3);
    ck_assert_uint_eq(figures.unsent, 3);
}
END_TEST

START_TEST(bar_compares_medians)
{
    double ratio;
    wake_up(&outcomes[0], "wake/nice/hogs", 1400, 100, 2000);
    wake_up(&outcomes[1], "wake/fifo/hogs", 70, 90, 60);
    ck_assert(plan_bar(outcomes, 2, &ratio));
    ck_assert_double_eq_tol(ratio, 0.05, NEAR);
    ck_assert(!plan_bar(outcomes, 1, &ratio));
    outcomes[1].refused = true;
    ck_assert(!plan_bar(outcomes, 2, &ratio));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/plan");
    TCase *tests = tcase_create("plan");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, names_are_unique_and_say_all);
    tcase_add_test(tests, each_round_trip_has_its_tcp);
    tcase_add_test(tests, those_of_a_daemon_follow_each_other);
    tcase_add_test(tests, patterns);
    tcase_add_test(tests, figures_of_runs);
    tcase_add_test(tests, bar_compares_medians);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
