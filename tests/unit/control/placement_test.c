/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/placement.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* A host with three engines, and one that is a host itself. */
enum { HOST, FIRST, SECOND, THIRD, ALONE, ENGINES };

static struct engine made[ENGINES] = {
    [HOST] = {.name = "host"},   [FIRST] = {.name = "first"}, [SECOND] = {.name = "second"},
    [THIRD] = {.name = "third"}, [ALONE] = {.name = "alone"},
};
static struct engine *const engines[ENGINES] = {&made[HOST], &made[FIRST], &made[SECOND],
                                                &made[THIRD], &made[ALONE]};
static const uint16_t hosts[ENGINES] = {HOST, HOST, HOST, HOST, ALONE};
static struct placement placement;

static void setup(void)
{
    placement_init(&placement, engines, ENGINES, hosts);
}

static void load(uint32_t engine, uint32_t sessions, bool exclusive)
{
    placement.loads[engine].sessions = sessions;
    placement.loads[engine].exclusive = exclusive;
}

/* The engine's place, or a negative errno. */
static int choose(const char *name, bool exclusive)
{
    struct session_owner owner = {.uid = 7, .exclusive = exclusive};
    struct saddle_attach_reply reply = {0};
    int error = placement_choose(&placement, name, &owner, &reply);

    if (error) {
        ck_assert_int_eq(reply.error, error);
        ck_assert_str_ne(reply.reason, "");
        ck_assert_ptr_null(owner.engine);
        return error;
    }
    for (int i = 0; i < ENGINES; i++) {
        if (owner.engine == engines[i])
            return i;
    }
    ck_abort_msg("it is none of them");
}

START_TEST(names)
{
    ck_assert_int_eq(choose("second", false), SECOND);
    ck_assert_int_eq(choose("alone", false), ALONE);
    ck_assert_int_eq(choose("nobody", false), -ENODEV);
}
END_TEST

START_TEST(a_host_has_the_least_loaded)
{
    ck_assert_int_eq(choose("host", false), FIRST);
    load(FIRST, 1, false);
    ck_assert_int_eq(choose("host", false), SECOND);
    load(SECOND, 2, false);
    load(THIRD, 3, false);
    ck_assert_int_eq(choose("host", false), FIRST);
    /* Whoever names none gets what is first in the list. */
    ck_assert_int_eq(choose("", false), FIRST);
    ck_assert_int_eq(choose("third", false), THIRD);
}
END_TEST

/* One that applications have nothing to do with is not there for them, though it be the first. */
START_TEST(some_are_no_hosts)
{
    static const uint16_t some[ENGINES] = {PLACEMENT_NO_HOST, SECOND, SECOND, SECOND, ALONE};

    placement_init(&placement, engines, ENGINES, some);
    ck_assert_int_eq(choose("host", false), -ENODEV);
    ck_assert_int_eq(choose("", false), FIRST);
    ck_assert_int_eq(choose("second", false), FIRST);
}
END_TEST

START_TEST(without_hosts_the_first_is_meant)
{
    placement_init(&placement, engines, ENGINES, NULL);
    ck_assert_int_eq(choose("", false), HOST);
    ck_assert_int_eq(choose("first", true), FIRST);
}
END_TEST

START_TEST(an_exclusive_session_wants_an_empty_engine)
{
    load(FIRST, 1, false);
    load(ALONE, 1, false);
    ck_assert_int_eq(choose("host", true), SECOND);
    ck_assert_int_eq(choose("first", true), -EBUSY);
    ck_assert_int_eq(choose("alone", true), -EBUSY);
    load(SECOND, 1, true);
    load(THIRD, 1, false);
    ck_assert_int_eq(choose("host", true), -EBUSY);
}
END_TEST

START_TEST(what_is_taken_is_nobody_elses)
{
    load(FIRST, 1, true);
    load(SECOND, 5, false);
    load(THIRD, 1, true);
    ck_assert_int_eq(choose("host", false), SECOND);
    ck_assert_int_eq(choose("first", false), -EBUSY);
    load(SECOND, 1, true);
    ck_assert_int_eq(choose("host", false), -EBUSY);
    ck_assert_int_eq(choose("alone", false), ALONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/placement");
    TCase *tcase = tcase_create("placement");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, a_host_has_the_least_loaded);
    tcase_add_test(tcase, some_are_no_hosts);
    tcase_add_test(tcase, without_hosts_the_first_is_meant);
    tcase_add_test(tcase, an_exclusive_session_wants_an_empty_engine);
    tcase_add_test(tcase, what_is_taken_is_nobody_elses);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
