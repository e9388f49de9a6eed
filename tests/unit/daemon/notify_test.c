/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"
#include "sched/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATE_BYTES 2048

/* A socket in the place of the service manager's. */
static int manager = -1;

static void set_up(void)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(own);
    char name[sizeof(own.sun_path) + 1];

    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* The kernel chooses an abstract name. */
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&own, sizeof(own.sun_family)), 0);
    ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&own, &length), 0);
    snprintf(name, sizeof(name), "@%.*s", (int)(length - sizeof(own.sun_family) - 1),
             own.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void tear_down(void)
{
    notify_end();
    close(manager);
}

/* What the service manager was told, "" if nothing. */
static const char *told(void)
{
    static char state[STATE_BYTES];
    ssize_t got = recv(manager, state, sizeof(state) - 1, MSG_DONTWAIT);

    state[got < 0 ? 0 : got] = '\0';
    return state;
}

START_TEST(test_states)
{
    ck_assert_int_eq(notify_begin(), 0);
    notify_ready("%d engines", 2);
    ck_assert_str_eq(told(), "READY=1\nSTATUS=2 engines");
    notify_stopping();
    ck_assert_str_eq(told(), "STOPPING=1\nSTATUS=stopping");
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(test_reloading)
{
    static const char before[] = "RELOADING=1\nMONOTONIC_USEC=";
    const char *state;
    char *after;
    uint64_t since;

    ck_assert_int_eq(notify_begin(), 0);
    notify_reloading();
    state = told();
    ck_assert_int_eq(strncmp(state, before, strlen(before)), 0);
    since = strtoull(state + strlen(before), &after, 10);
    ck_assert_int_eq(strncmp(after, "\nSTATUS=", strlen("\nSTATUS=")), 0);
    ck_assert_uint_gt(since, 0);
    ck_assert_uint_le(since, clock_now(&clock_machine) / NSEC_PER_USEC);
}
END_TEST

/* A line's end would begin a word of its own. */
START_TEST(test_injection)
{
    ck_assert_int_eq(notify_begin(), 0);
    notify_ready("%s", "a\nMAINPID=1");
    ck_assert_str_eq(told(), "READY=1\nSTATUS=a MAINPID=1");
}
END_TEST

START_TEST(test_watchdog)
{
    char own[32];

    ck_assert_int_eq(notify_begin(), 0);
    ck_assert_uint_eq(notify_watchdog_interval(), 0);
    notify_end();
    close(manager);
    set_up();
    snprintf(own, sizeof(own), "%d", getpid());
    setenv("WATCHDOG_PID", own, 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    ck_assert_int_eq(notify_begin(), 0);
    ck_assert_uint_eq(notify_watchdog_interval(), 2 * NSEC_PER_SEC);
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    notify_watchdog(false);
    ck_assert_str_eq(told(), "");
    notify_watchdog(true);
    ck_assert_str_eq(told(), "WATCHDOG=1");
    notify_ready("ready");
    ck_assert_str_eq(told(), "READY=1\nSTATUS=ready");
    notify_watchdog(true);
    ck_assert_str_eq(told(), "WATCHDOG=1\nSTATUS=ready");
}
END_TEST

/* Whoever goes on may have been told of too late to be heard in what is left of the interval. */
START_TEST(test_main_pid)
{
    ck_assert_int_eq(notify_begin(), 0);
    notify_main_pid(4711);
    ck_assert_str_eq(told(), "MAINPID=4711\nWATCHDOG=1\nSTATUS=handed over to process 4711");
}
END_TEST

/* No child inherits the address. */
START_TEST(test_environment)
{
    ck_assert_int_eq(notify_begin(), 0);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    notify_ready("here");
    ck_assert_str_eq(told(), "READY=1\nSTATUS=here");
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
}
END_TEST

START_TEST(test_nobody)
{
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notify_begin(), 0);
    notify_ready("ready");
    notify_watchdog(true);
    ck_assert_str_eq(told(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/notify");
    TCase *tcase = tcase_create("notify");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_states);
    tcase_add_test(tcase, test_reloading);
    tcase_add_test(tcase, test_injection);
    tcase_add_test(tcase, test_watchdog);
    tcase_add_test(tcase, test_main_pid);
    tcase_add_test(tcase, test_environment);
    tcase_add_test(tcase, test_nobody);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
