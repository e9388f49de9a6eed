/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"
#include "daemon/upgrader.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 128

static char folder[TEST_FOLDER_BYTES];
static char path[PATH_BYTES];
static struct daemon_upgrader *upgrader;
static struct upgrader_answer answer;

static void setup(void)
{
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-upgrader"));
    snprintf(path, sizeof(path), "%s/" UPGRADER_FILE, folder);
    answer = (struct upgrader_answer){0};
}

static void teardown(void)
{
    daemon_upgrader_destroy(upgrader);
    upgrader = NULL;
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left in it */
}

static int prepare(bool check)
{
    const struct upgrader *table = daemon_upgrader_table(upgrader);

    return table->ops->prepare(table->context, check, &answer);
}

static void expect_wish(const char *word)
{
    char read[32] = "";
    FILE *file = fopen(path, "re");
    struct stat status;

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(read, 1, sizeof(read) - 1, file), 0);
    ck_assert_str_eq(read, word);
    ck_assert_int_eq(fstat(fileno(file), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    fclose(file);
}

START_TEST(a_wish_is_written)
{
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folder), 0);
    ck_assert_int_eq(prepare(false), 0);
    ck_assert(answer.managed);
    expect_wish("move\n0\n");
    ck_assert_int_eq(prepare(true), 0);
    expect_wish("check\n0\n");
    daemon_upgrader_destroy(upgrader);
    upgrader = NULL;
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* Two daemons are there while one takes over, and after it, and one of them ends. */
START_TEST(a_wish_of_another_daemon_stays)
{
    struct daemon_upgrader *other;

    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folder), 0);
    ck_assert_int_eq(daemon_upgrader_create(&other, folder), 0);
    ck_assert_int_eq(prepare(false), 0);
    daemon_upgrader_destroy(other);
    expect_wish("move\n0\n");

    daemon_upgrader_fulfil(upgrader);
    other = upgrader;
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folder), 0);
    ck_assert_int_eq(prepare(true), 0);
    daemon_upgrader_destroy(other);
    expect_wish("check\n0\n");
    daemon_upgrader_fulfil(NULL);
}
END_TEST

/* The newcomer is not told by the service manager itself. */
START_TEST(a_wish_has_the_sign_of_life_in_it)
{
    setenv("WATCHDOG_USEC", "2000000", 1);
    ck_assert_int_eq(notify_begin(), 0);
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folder), 0);
    ck_assert_int_eq(prepare(false), 0);
    expect_wish("move\n2000000\n");
    notify_end();
}
END_TEST

START_TEST(the_first_of_several_folders)
{
    char several[PATH_BYTES];

    snprintf(several, sizeof(several), "%s:/nowhere", folder);
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, several), 0);
    ck_assert_int_eq(prepare(false), 0);
    expect_wish("move\n0\n");
}
END_TEST

/* What a link in its place leads to stays as it is. */
START_TEST(links_are_not_followed)
{
    char target[PATH_BYTES];

    snprintf(target, sizeof(target), "%s/target", folder);
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folder), 0);
    ck_assert_int_eq(prepare(false), 0);
    expect_wish("move\n0\n");
    ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
    ck_assert_int_eq(daemon_upgrader_create(&upgrader, "/proc/nowhere"), 0);
    ck_assert_int_eq(prepare(false), -EPERM);
    ck_assert_ptr_nonnull(strstr(answer.line, "/proc/nowhere/upgrade"));
    ck_assert_ptr_nonnull(strstr(answer.line, strerror(ENOENT)));
}
END_TEST

START_TEST(without_a_service_manager_nothing_is)
{
    static const char *const folders[] = {NULL, "", "not/absolute"};

    ck_assert_int_eq(daemon_upgrader_create(&upgrader, folders[_i]), 0);
    answer.managed = true;
    ck_assert_int_eq(prepare(true), 0);
    ck_assert(!answer.managed);
    daemon_upgrader_destroy(NULL);
}
END_TEST

START_TEST(a_report_in_words)
{
    static struct handover_report report = {
        .outcome = HANDOVER_SPLIT,
        .newcomer = true,
        .killed = true,
        .peer = 4711,
        .step = HANDOVER_ENTER,
        .set = 1,
        .error = -EPROTO,
        .reason = "its state is none",
        .release = "0.2.0",
        .total_ns = 12,
        .set_count = 2,
        .sets = {{.name = "alpha",
                  .place = HANDOVER_HERE,
                  .step = HANDOVER_RUN,
                  .brownout_ns = 1,
                  .blackout_ns = 2,
                  .blackout_at_ns = 12,
                  .offer_bytes = 3,
                  .state_bytes = 4,
                  .reason = "of no meaning"},
                 {.name = "beta",
                  .place = HANDOVER_LOST,
                  .step = HANDOVER_ENTER,
                  .error = -EPROTO,
                  .reason = "its state is none"}},
    };
    static struct upgrade_record told;

    upgrader_describe(&report, &told);
    ck_assert_int_eq(told.outcome, UPGRADE_SPLIT);
    ck_assert(told.newcomer && told.killed);
    ck_assert_uint_eq(told.peer, 4711);
    ck_assert_uint_eq(told.total_ns, 12);
    ck_assert_str_eq(told.release, "0.2.0");
    ck_assert_str_eq(told.step, "enter");
    ck_assert_str_eq(told.set, "beta");
    ck_assert_str_eq(told.reason, "its state is none");
    ck_assert_uint_eq(told.set_count, 2);
    ck_assert_str_eq(told.sets[0].name, "alpha");
    ck_assert_int_eq(told.sets[0].place, UPGRADE_HERE);
    ck_assert_uint_eq(told.sets[0].brownout_ns, 1);
    ck_assert_uint_eq(told.sets[0].blackout_ns, 2);
    ck_assert_uint_eq(told.sets[0].blackout_at_ns, 12);
    ck_assert_uint_eq(told.sets[0].offer_bytes, 3);
    ck_assert_uint_eq(told.sets[0].state_bytes, 4);
    ck_assert_str_eq(told.sets[0].step, "run");
    ck_assert_str_eq(told.sets[0].reason, "");
    ck_assert_int_eq(told.sets[1].place, UPGRADE_LOST);
    ck_assert_str_eq(told.sets[1].reason, "its state is none");
    report.error = 0;
    report.outcome = HANDOVER_MOVED;
    report.step = HANDOVER_END;
    upgrader_describe(&report, &told);
    ck_assert_int_eq(told.outcome, UPGRADE_MOVED);
    ck_assert_str_eq(told.step, "");
    ck_assert_str_eq(told.set, "");
    ck_assert_str_eq(told.reason, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/upgrader");
    TCase *tcase = tcase_create("upgrader");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_wish_is_written);
    tcase_add_test(tcase, a_wish_of_another_daemon_stays);
    tcase_add_test(tcase, a_wish_has_the_sign_of_life_in_it);
    tcase_add_test(tcase, the_first_of_several_folders);
    tcase_add_test(tcase, links_are_not_followed);
    tcase_add_test(tcase, what_cannot_be_written_is_told);
    tcase_add_loop_test(tcase, without_a_service_manager_nothing_is, 0, 3);
    tcase_add_test(tcase, a_report_in_words);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
