/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Hand-overs between two who both live: done, checked, refused and come back. */
#include "tests/unit/daemon/handover_bed.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bed_end run_end;

static void tear_down(void)
{
    if (run_end.shared)
        bed_end_free(&run_end);
}

static const struct handover_report *run(const struct bed_plan *plan, enum bed_side side)
{
    bed_run(plan, &run_end);
    ck_assert_int_eq(run_end.wrong, 0);
    ck_assert(run_end.shared->reported[BED_OLD] && run_end.shared->reported[BED_NEW]);
    return &run_end.shared->report[side];
}

static void assert_places(enum bed_side side, enum handover_place place)
{
    const struct handover_report *report = &run_end.shared->report[side];

    ck_assert_uint_eq(report->set_count, BED_SETS);
    for (uint32_t set = 0; set < BED_SETS; set++)
        ck_assert_int_eq(report->sets[set].place, place);
}

START_TEST(everything_moves)
{
    const struct handover_report *old = run(&(struct bed_plan){0}, BED_OLD);
    const struct handover_report *new = &run_end.shared->report[BED_NEW];
    char line[600];

    ck_assert_int_eq(old->outcome, HANDOVER_MOVED);
    ck_assert_int_eq(new->outcome, HANDOVER_MOVED);
    assert_places(BED_OLD, HANDOVER_THERE);
    assert_places(BED_NEW, HANDOVER_HERE);
    ck_assert(WIFEXITED(run_end.status[BED_OLD]));
    ck_assert_int_eq(run_end.status[BED_NEW], -1);
    ck_assert(!new->killed && !old->killed);
    ck_assert_str_eq(old->release, "new one");
    ck_assert_str_eq(new->release, "old one");
    ck_assert_int_eq(old->peer, run_end.shared->pid[BED_NEW]);
    ck_assert_int_eq(new->peer, run_end.shared->pid[BED_OLD]);
    for (uint32_t set = 0; set < BED_SETS; set++) {
        ck_assert_int_eq(old->sets[set].error, 0);
        ck_assert_uint_gt(old->sets[set].brownout_ns, 0);
        ck_assert_uint_gt(old->sets[set].blackout_ns, 0);
        ck_assert_uint_gt(new->sets[set].blackout_ns, 0);
        ck_assert_uint_gt(new->sets[set].blackout_at_ns, 0);
        ck_assert_uint_eq(new->sets[set].blackout_at_ns, old->sets[set].blackout_at_ns);
        ck_assert_uint_gt(old->sets[set].took[HANDOVER_LEAVE], 0);
        ck_assert_uint_gt(new->sets[set].took[HANDOVER_ENTER], 0);
        ck_assert_uint_gt(old->sets[set].state_bytes, 0);
        ck_assert_uint_eq(old->sets[set].state_bytes, new->sets[set].state_bytes);
        ck_assert_str_eq(old->sets[set].name, new->sets[set].name);
    }
    /* What came with the sets stays with them: the old one holds nothing of it. */
    ck_assert_int_eq(run_end.shared->held[BED_OLD], -(int)BED_SETS);
    ck_assert_int_eq(run_end.shared->held[BED_NEW], (int)BED_SETS);
    handover_report_line(old, line, sizeof(line));
    ck_assert_ptr_nonnull(strstr(line, "everything moved; sets: 0 here, 3 there, 0 lost"));
    handover_set_line(new, 1, line, sizeof(line));
    ck_assert_ptr_nonnull(strstr(line, "set one: here; brownout "));
}
END_TEST

START_TEST(a_check_changes_nothing)
{
    const struct handover_report *old = run(&(struct bed_plan){.check = true}, BED_OLD);

    ck_assert_int_eq(old->outcome, HANDOVER_CHECKED);
    ck_assert_int_eq(run_end.shared->report[BED_NEW].outcome, HANDOVER_CHECKED);
    assert_places(BED_OLD, HANDOVER_HERE);
    assert_places(BED_NEW, HANDOVER_THERE);
    ck_assert_int_eq(run_end.status[BED_OLD], -1);
    ck_assert_int_eq(run_end.shared->held[BED_OLD], 0);
    ck_assert_int_eq(run_end.shared->held[BED_NEW], 0);
    for (uint32_t set = 0; set < BED_SETS; set++)
        ck_assert_uint_eq(old->sets[set].blackout_ns, 0);
}
END_TEST

START_TEST(a_check_says_what_would_fail)
{
    const struct bed_plan plan = {.check = true, .fail = {{BED_NEW, BED_ADOPT, 1, false}}};
    const struct handover_report *old = run(&plan, BED_OLD);

    ck_assert_int_eq(old->outcome, HANDOVER_UNTOUCHED);
    ck_assert_int_eq(old->error, -EIO);
    ck_assert_str_eq(old->reason, "call 8 of set 1 fails as planned");
    ck_assert_uint_eq(old->set, 1);
    assert_places(BED_OLD, HANDOVER_HERE);
    ck_assert_int_eq(run_end.shared->held[BED_NEW], 0);
}
END_TEST

/* Whoever fails, and wherever: the other one is told why, and all is with the old one again. */
static const struct {
    enum bed_side side;
    enum bed_call call;
    uint32_t set;
    enum handover_outcome outcome;
} failures[] = {
    {BED_OLD, BED_CHECK, HANDOVER_NO_SET, HANDOVER_UNTOUCHED},
    {BED_NEW, BED_CHECK, HANDOVER_NO_SET, HANDOVER_UNTOUCHED},
    {BED_OLD, BED_GIVE_FIRST, HANDOVER_NO_SET, HANDOVER_UNTOUCHED},
    {BED_NEW, BED_TAKE_FIRST, HANDOVER_NO_SET, HANDOVER_UNTOUCHED},
    {BED_OLD, BED_OFFER, 0, HANDOVER_UNTOUCHED},
    {BED_NEW, BED_ADOPT, 0, HANDOVER_UNTOUCHED},
    {BED_OLD, BED_LEAVE, 0, HANDOVER_UNTOUCHED},
    {BED_NEW, BED_ENTER, 0, HANDOVER_UNTOUCHED},
    {BED_OLD, BED_OFFER, 1, HANDOVER_CAME_BACK},
    {BED_NEW, BED_ADOPT, 1, HANDOVER_CAME_BACK},
    {BED_OLD, BED_LEAVE, 2, HANDOVER_CAME_BACK},
    {BED_NEW, BED_ENTER, 2, HANDOVER_CAME_BACK},
    {BED_OLD, BED_GIVE_LAST, HANDOVER_NO_SET, HANDOVER_CAME_BACK},
    {BED_NEW, BED_TAKE_LAST, HANDOVER_NO_SET, HANDOVER_CAME_BACK},
};

START_TEST(a_failure_gives_everything_back)
{
    const struct bed_plan plan = {
        .fail = {{failures[_i].side, failures[_i].call, failures[_i].set, false}}};
    const struct handover_report *old = run(&plan, BED_OLD);
    const struct handover_report *new = &run_end.shared->report[BED_NEW];
    char reason[HANDOVER_REASON_BYTES];

    snprintf(reason, sizeof(reason), "call %d of set %d fails as planned", (int)failures[_i].call,
             (int)failures[_i].set);
    ck_assert_int_eq(old->outcome, failures[_i].outcome);
    ck_assert_int_eq(new->outcome, failures[_i].outcome);
    ck_assert_int_eq(old->error, -EIO);
    ck_assert_int_eq(new->error, -EIO);
    ck_assert_str_eq(old->reason, reason);
    ck_assert_str_eq(new->reason, reason);
    ck_assert_int_eq(run_end.status[BED_OLD], -1);
    ck_assert(WIFEXITED(run_end.status[BED_NEW]));
    ck_assert_int_eq(run_end.shared->held[BED_OLD], 0);
    ck_assert_int_eq(run_end.shared->held[BED_NEW], 0);
    if (old->set_count)
        assert_places(BED_OLD, HANDOVER_HERE);
}
END_TEST

/* One cannot come back: both go on, each with what it has, and say so. */
START_TEST(what_cannot_come_back_stays)
{
    const struct bed_plan plan = {
        .fail = {{BED_NEW, BED_ADOPT, 2, false}, {BED_OLD, BED_ADOPT, 1, false}}};
    const struct handover_report *old = run(&plan, BED_OLD);
    const struct handover_report *new = &run_end.shared->report[BED_NEW];

    ck_assert_int_eq(old->outcome, HANDOVER_SPLIT);
    ck_assert_int_eq(new->outcome, HANDOVER_SPLIT);
    ck_assert_int_eq(old->sets[0].place, HANDOVER_HERE);
    ck_assert_int_eq(old->sets[1].place, HANDOVER_THERE);
    ck_assert_int_eq(old->sets[2].place, HANDOVER_HERE);
    ck_assert_int_eq(new->sets[1].place, HANDOVER_HERE);
    ck_assert_str_eq(new->sets[1].reason, "call 8 of set 1 fails as planned");
}
END_TEST

START_TEST(a_set_that_does_not_run_is_lost)
{
    const struct bed_plan plan = {.fail = {{BED_NEW, BED_RUN, 1, false}}};
    const struct handover_report *new = run(&plan, BED_NEW);

    ck_assert_int_eq(new->outcome, HANDOVER_MOVED);
    ck_assert_int_eq(new->sets[0].place, HANDOVER_HERE);
    ck_assert_int_eq(new->sets[1].place, HANDOVER_LOST);
    ck_assert_int_eq(new->sets[1].error, -EIO);
    ck_assert_int_eq(new->sets[2].place, HANDOVER_HERE);
}
END_TEST

START_TEST(a_set_that_does_not_resume_is_lost)
{
    const struct bed_plan plan = {
        .fail = {{BED_NEW, BED_ENTER, 0, false}, {BED_OLD, BED_RESUME, 0, false}}};
    const struct handover_report *old = run(&plan, BED_OLD);

    ck_assert_int_eq(old->outcome, HANDOVER_UNTOUCHED);
    ck_assert_int_eq(old->sets[0].place, HANDOVER_LOST);
    ck_assert_int_eq(old->sets[1].place, HANDOVER_HERE);
    /* The other side hears of what came first. */
    ck_assert_str_eq(run_end.shared->report[BED_NEW].reason, "call 9 of set 0 fails as planned");
}
END_TEST

/* Who is slower than the blackout may be gives the set back, and nobody is killed for it. */
START_TEST(the_budget_of_a_blackout)
{
    const enum bed_side slow = _i == 0 ? BED_OLD : BED_NEW;
    const struct bed_plan plan = {
        .fail = {{slow, slow == BED_OLD ? BED_LEAVE : BED_ENTER, 0, true}}};
    const struct handover_report *old = run(&plan, BED_OLD);

    ck_assert_int_eq(old->outcome, HANDOVER_UNTOUCHED);
    ck_assert_int_eq(old->error, -ETIME);
    ck_assert_ptr_nonnull(strstr(old->reason, "ms of a blackout"));
    ck_assert(!old->killed);
    assert_places(BED_OLD, HANDOVER_HERE);
    ck_assert_uint_gt(old->sets[0].blackout_ns, BED_BLACKOUT_NS);
}
END_TEST

/* ---- The door ---- */

static char folder[TEST_FOLDER_BYTES], path[sizeof(folder) + 8], text[HANDOVER_REASON_BYTES];
static const struct reason why = {text, sizeof(text)};
static struct attach_socket door;

static void open_door(void)
{
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-handover"));
    snprintf(path, sizeof(path), "%s/socket", folder);
    ck_assert_int_eq(handover_listen(&door, path, &why), 0);
}

static void close_door(void)
{
    attach_close(&door);
    rmdir(folder);
}

START_TEST(one_door_for_one_daemon)
{
    struct attach_socket second;

    ck_assert_int_eq(handover_listen(&second, path, &why), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(text, path));
}
END_TEST

START_TEST(nobody_waits_there)
{
    struct handover_link link;
    char none[sizeof(path) + 8];

    snprintf(none, sizeof(none), "%s.none", path);
    ck_assert_int_eq(handover_connect(none, &link, &why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(text, "no daemon waits there"));
    ck_assert_int_eq(link.socket, -1);
    ck_assert_int_eq(handover_accept(door.fd, &link, &why), -EAGAIN);
}
END_TEST

/* In a process of another user's: whose root is it who is not root's? */
static int knock_as(uid_t uid)
{
    int ends[2];
    pid_t pid;
    int status;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        struct parcel parcel;

        memcpy(address.sun_path, path, strlen(path));
        if (setuid(uid) || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
            write(ends[1], "", 1) != 1)
            _exit(99);
        /* What it is told is no greeting. */
        if (parcel_receive(fd, &parcel, clock_now(&clock_machine) + 10 * NSEC_PER_SEC))
            _exit(98);
        _exit((int)parcel.kind);
    }
    char byte;
    struct handover_link link;

    close(ends[1]);
    if (read(ends[0], &byte, 1) == 1)
        ck_assert_int_eq(handover_accept(door.fd, &link, &why), -EACCES);
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

START_TEST(another_user_is_sent_away)
{
    /* Only root can be another one; another one could not knock unless the door were open. */
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(knock_as(65534), 11);
    ck_assert_ptr_nonnull(strstr(text, "uid 65534's, not uid 0's or root's"));
}
END_TEST

START_TEST(a_second_newcomer_is_turned_away)
{
    struct handover_link link;
    struct parcel parcel;

    ck_assert_int_eq(handover_connect(path, &link, &why), 0);
    ck_assert_int_eq(link.pid, getpid());
    handover_turn_away(door.fd, "hand-over: another one is under way");
    ck_assert_int_eq(
        parcel_receive(link.socket, &parcel, clock_now(&clock_machine) + 10 * NSEC_PER_SEC), 0);
    ck_assert_uint_eq(parcel.kind, 11);
    parcel_destroy(&parcel);
    handover_hang_up(&link);
}
END_TEST

START_TEST(who_is_gone_again_is_not_let_in)
{
    struct handover_link link;

    ck_assert_int_eq(handover_connect(path, &link, &why), 0);
    handover_hang_up(&link);
    ck_assert_int_eq(handover_accept(door.fd, &link, &why), -EPIPE);
    ck_assert_int_eq(link.socket, -1);
}
END_TEST

START_TEST(steps_have_names_and_limits)
{
    for (int step = 0; step < HANDOVER_STEPS; step++) {
        ck_assert_str_ne(handover_step_name(step), "?");
        for (int other = 0; other < step; other++)
            ck_assert_str_ne(handover_step_name(step), handover_step_name(other));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/handover");
    TCase *whole = tcase_create("whole");
    TCase *doors = tcase_create("door");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(whole, NULL, tear_down);
    tcase_add_test(whole, everything_moves);
    tcase_add_test(whole, a_check_changes_nothing);
    tcase_add_test(whole, a_check_says_what_would_fail);
    tcase_add_loop_test(whole, a_failure_gives_everything_back, 0,
                        sizeof(failures) / sizeof(failures[0]));
    tcase_add_test(whole, what_cannot_come_back_stays);
    tcase_add_test(whole, a_set_that_does_not_run_is_lost);
    tcase_add_test(whole, a_set_that_does_not_resume_is_lost);
    tcase_add_loop_test(whole, the_budget_of_a_blackout, 0, 2);
    suite_add_tcase(suite, whole);
    tcase_add_checked_fixture(doors, open_door, close_door);
    tcase_add_test(doors, one_door_for_one_daemon);
    tcase_add_test(doors, nobody_waits_there);
    tcase_add_test(doors, another_user_is_sent_away);
    tcase_add_test(doors, a_second_newcomer_is_turned_away);
    tcase_add_test(doors, who_is_gone_again_is_not_let_in);
    tcase_add_test(doors, steps_have_names_and_limits);
    suite_add_tcase(suite, doors);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
