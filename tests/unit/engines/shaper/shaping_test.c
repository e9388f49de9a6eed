/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What control does beside a shaper at work: it looks at classes, and changes them in steps. */
#include "engines/shaper/shaper.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/shaper/bed.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define LEAVES  40u
#define PACKETS 4096u
#define SECOND  NSEC_PER_SEC

/* A leaf for each session. */
static struct shape_class classes[LEAVES];
static struct shape_rule rules[LEAVES];
static const struct shape policy = {classes, LEAVES, rules, LEAVES};

static void setup(void)
{
    for (uint32_t i = 0; i < LEAVES; i++) {
        classes[i] = (struct shape_class){.weight = 1};
        snprintf(classes[i].name, sizeof(classes[i].name), "s%u", (unsigned)i + 1);
        rules[i] = (struct shape_rule){.entry = (uint16_t)i, .has_session = true, .session = i + 1};
    }
}

struct looking {
    int stop;
    uint64_t looks, wrong;
};

/* Somebody looks at the classes while they get their first packets. */
static void *look_on(void *arg)
{
    struct looking *looking = arg;

    while (!__atomic_load_n(&looking->stop, __ATOMIC_RELAXED)) {
        const struct tree *tree = shaping_tree(bed.shaping);
        struct tree_view view;

        for (uint16_t i = 0; i < tree_places(tree); i++) {
            tree_view(tree, i, &view);
            looking->wrong += view.queued > PACKETS;
        }
        __atomic_store_n(&looking->looks, looking->looks + 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

START_TEST(classes_are_looked_at_while_they_work)
{
    struct looking looking = {0};
    pthread_t thread;

    bed_make(&policy, 2, PACKETS);
    for (uint32_t i = 1; i <= LEAVES; i++)
        bed_want(i, BED_FRAME);
    ck_assert_int_eq(pthread_create(&thread, NULL, look_on, &looking), 0);
    for (uint32_t i = 0; i < 200; i++) {
        bed_step();
        for (uint32_t number = 1; number <= LEAVES; number++)
            bed_give(number);
    }
    while (__atomic_load_n(&looking.looks, __ATOMIC_RELAXED) == 0)
        sched_yield();
    __atomic_store_n(&looking.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(looking.wrong, 0);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(a_policy_changes_in_steps)
{
    struct tree *tree;

    bed_make(&policy, 2, PACKETS);
    ck_assert_int_eq(shaping_prepare(bed.shaping, &policy, &tree), 0);
    shaping_give_up(bed.shaping, tree);
    ck_assert_int_eq(shaping_prepare(bed.shaping, &policy, &tree), 0);
    ck_assert_int_eq(shaper_mailbox_adopt(bed.engine, tree), 0);
    shaping_settle(bed.shaping, tree);
    ck_assert_ptr_eq(shaping_tree(bed.shaping), tree);
    bed_step();
    for (uint32_t i = 0; i < bed.members; i++) {
        struct port *port = shaping_port(bed.shaping, i);

        ck_assert_int_eq(shaping_prepare(bed.shaping, &policy, &tree), -EBUSY);
        port->ops->tx_room(port);
    }
    ck_assert_int_eq(shaping_prepare(bed.shaping, &policy, &tree), 0);
    shaping_give_up(bed.shaping, tree);
    bed_end();
}
END_TEST

int main(void)
{
    Suite *made = suite_create("shaping");
    TCase *tc = tcase_create("shaping");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 50);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, classes_are_looked_at_while_they_work);
    tcase_add_test(tc, a_policy_changes_in_steps);
    suite_add_tcase(made, tc);
    runner = srunner_create(made);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
