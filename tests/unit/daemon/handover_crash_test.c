/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Either daemon, or both, killed or stopped at every step of a hand-over. */
#include "tests/unit/daemon/handover_bed.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES_MAX 128

/* Where in the hand-over the set is whose steps are struck at. */
static const struct {
    const char *name;
    uint32_t set;
    bool back, check;
} scenes[] = {
    {"the first set", 0, false, false},           {"a set after one that moved", 1, false, false},
    {"a set on its way back", 1, true, false},    {"the last set on its way back", 0, true, false},
    {"the first set of a check", 0, false, true}, {"the second set of a check", 1, false, true},
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

/* What is done to whom. */
static const struct {
    const char *name;
    int signal;
    unsigned victims;
    bool waiter, blink;
    enum bed_side first;
} blows[] = {
    {"old killed", SIGKILL, 1u << BED_OLD, false, false, 0},
    {"new killed", SIGKILL, 1u << BED_NEW, false, false, 0},
    {"both killed", SIGKILL, 1u << BED_OLD | 1u << BED_NEW, false, false, 0},
    {"old killed by who waits", SIGKILL, 1u << BED_OLD, true, false, 0},
    {"new killed by who waits", SIGKILL, 1u << BED_NEW, true, false, 0},
    {"old stopped", SIGSTOP, 1u << BED_OLD, false, false, 0},
    {"new stopped", SIGSTOP, 1u << BED_NEW, false, false, 0},
    {"both stopped, old first", SIGSTOP, 1u << BED_OLD | 1u << BED_NEW, false, false, BED_OLD},
    {"both stopped, new first", SIGSTOP, 1u << BED_OLD | 1u << BED_NEW, false, false, BED_NEW},
    {"old stopped by who waits", SIGSTOP, 1u << BED_OLD, true, false, 0},
    {"new stopped by who waits", SIGSTOP, 1u << BED_NEW, true, false, 0},
    {"both stopped by who waits", SIGSTOP, 1u << BED_OLD | 1u << BED_NEW, true, false, BED_NEW},
    {"old stopped for a moment", SIGSTOP, 1u << BED_OLD, false, true, 0},
    {"new stopped for a moment", SIGSTOP, 1u << BED_NEW, false, true, 0},
    {"both stopped for a moment", SIGSTOP, 1u << BED_OLD | 1u << BED_NEW, false, true, 0},
};
#define BLOWS (sizeof(blows) / sizeof(blows[0]))

static bool of_a_set(enum handover_step step)
{
    return step >= HANDOVER_OFFER && step <= HANDOVER_FORGET;
}

/* Steps that a scene has: those of no set are the first scene's, and the last's of the way there.
 */
static bool happens(enum handover_step step, uint32_t scene, uint32_t blow)
{
    if (!bed_has_step(step, blows[blow].waiter))
        return false;
    if (scenes[scene].check)
        return step <= HANDOVER_ADOPT && (of_a_set(step) || scenes[scene].set == 0);
    return of_a_set(step) || scene == 0;
}

/* In a process of its own: its exit status says whether something was wrong. */
static void strike(enum handover_step step, uint32_t scene, uint32_t blow)
{
    struct bed_plan plan = {
        .check = scenes[scene].check,
        .strike =
            {
                .signal = blows[blow].signal,
                .step = step,
                .set = of_a_set(step) ? scenes[scene].set : HANDOVER_NO_SET,
                .back = scenes[scene].back,
                .waiter = blows[blow].waiter,
                .victims = blows[blow].victims,
            },
        .blink = blows[blow].blink,
        .continued_first = blows[blow].first,
    };
    struct bed_end end;

    if (scenes[scene].back) {
        plan.fail[0].side = BED_NEW;
        plan.fail[0].call = BED_ADOPT;
        plan.fail[0].set = 2;
    }
    bed_run(&plan, &end);
    if (!atomic_load(&end.shared->struck)) {
        fprintf(stderr, "nobody was struck\n");
        end.wrong++;
    }
    if (end.wrong) {
        char line[600];

        fprintf(stderr, "%s at \"%s\" of %s: wrong\n", blows[blow].name, handover_step_name(step),
                scenes[scene].name);
        for (int side = BED_OLD; side <= BED_NEW; side++) {
            if (!atomic_load(&end.shared->reported[side]))
                continue;
            handover_report_line(&end.shared->report[side], line, sizeof(line));
            fprintf(stderr, "  side %d: %s\n", side, line);
        }
    }
    _exit(end.wrong ? 1 : 0);
}

/* All steps at a time: they wait for one another's deadlines most of it. */
START_TEST(each_set_is_run_by_one)
{
    uint32_t blow = (uint32_t)_i;
    pid_t cases[CASES_MAX];
    uint32_t count = 0, failed = 0;

    for (int step = 0; step < HANDOVER_STEPS; step++) {
        for (uint32_t scene = 0; scene < SCENES; scene++) {
            if (!happens(step, scene, blow))
                continue;
            ck_assert_uint_lt(count, CASES_MAX);
            cases[count] = fork();
            ck_assert_int_ge(cases[count], 0);
            if (cases[count] == 0)
                strike(step, scene, blow);
            count++;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        int status;

        ck_assert_int_eq(waitpid(cases[i], &status, 0), cases[i]);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    ck_assert_msg(failed == 0, "%s: %u of %u cases", blows[blow].name, failed, count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/handover_crash");
    TCase *crashes = tcase_create("crash");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(crashes, each_set_is_run_by_one, 0, (int)BLOWS);
    suite_add_tcase(suite, crashes);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
