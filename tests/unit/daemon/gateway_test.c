/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* With children that do as they are told, and a loop and a timer in the place of the server's: the
 * functions are wrapped. This program is its own child. */
#include "control/link.h"
#include "daemon/gateway.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCHES_MAX  8
#define REASON_BYTES 256
#define RESTARTS     100
#define NONE_GIVEN   5 /* descriptors of a child: three usual ones, the link, the control socket */
#define PLACE        "SADDLE_GATEWAY_TEST_PLACE" /* a file that a child makes */

int __wrap_server_watch(struct server *server, int fd, void (*ready)(void *context), void *context);
void __wrap_server_unwatch(struct server *server, int fd);
void __wrap_server_watch_write(struct server *server, int fd, bool wanted);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *due,
                           struct itimerspec *before);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *due,
                           struct itimerspec *before);

static struct {
    int fd; /* 0: free */
    void (*ready)(void *context);
    void *context;
} watches[WATCHES_MAX];
static long delays_ms[RESTARTS + 1];
static uint32_t delay_count;
static char folder[TEST_FOLDER_BYTES];
static char place[sizeof(folder) + 16], path[sizeof(folder) + 16];
static struct module_world world;
static struct gateway *gateway;

int __wrap_server_watch(struct server *server, int fd, void (*ready)(void *context), void *context)
{
    (void)server;
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (watches[i].fd)
            continue;
        watches[i].fd = fd;
        watches[i].ready = ready;
        watches[i].context = context;
        return 0;
    }
    return -ENOSPC;
}

void __wrap_server_unwatch(struct server *server, int fd)
{
    (void)server;
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (watches[i].fd == fd)
            watches[i].fd = 0;
    }
}

void __wrap_server_watch_write(struct server *server, int fd, bool wanted)
{
    (void)server;
    (void)fd;
    (void)wanted;
}

/* Nobody waits here: what is due later is due at once, and written down. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *due,
                           struct itimerspec *before)
{
    const struct itimerspec soon = {.it_value.tv_nsec = 1};

    if (delay_count <= RESTARTS)
        delays_ms[delay_count++] = due->it_value.tv_nsec / (long)NSEC_PER_MSEC;
    return __real_timerfd_settime(fd, flags, &soon, before);
}

/* One round of the server's loop. */
static void turn(void)
{
    struct pollfd ready[WATCHES_MAX];

    for (int i = 0; i < WATCHES_MAX; i++)
        ready[i] = (struct pollfd){watches[i].fd ? watches[i].fd : -1, POLLIN, 0};
    ck_assert_int_ge(poll(ready, WATCHES_MAX, 10), 0);
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (ready[i].revents && watches[i].fd == ready[i].fd)
            watches[i].ready(watches[i].context);
    }
}

static int count_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(all))
        count++;
    closedir(all);
    return count - 3; /* ".", ".." and that of the listing */
}

static int begin(const char *program, const char *const *arguments, char *text)
{
    struct gateway_config config = {.program = program, .socket = path, .mode = 0600};
    const struct reason reason = {text, REASON_BYTES};
    /* The wrapped functions look at no server. */
    struct server *server = (struct server *)(uintptr_t)&watches;

    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-gateway-test"));
    snprintf(place, sizeof(place), "%s/place", folder);
    snprintf(path, sizeof(path), "%s/socket", folder);
    setenv(PLACE, place, 1);
    for (uint32_t i = 0; i < GATEWAY_ARGUMENTS_MAX && arguments[i]; i++)
        config.arguments[i] = arguments[i];
    ck_assert_int_eq(rpc_create(&world.rpc, NULL, 0), 0);
    ck_assert_int_eq(gateway_create(&gateway, &config, &reason), 0);
    return gateway_start(gateway, server, &world, &reason);
}

static void begin_child(const char *what)
{
    const char *const arguments[] = {what, NULL};
    char text[REASON_BYTES];

    ck_assert_int_eq(begin("/proc/self/exe", arguments, text), 0);
}

static bool child_was_there(void)
{
    return !unlink(place);
}

/* Nothing is left: no child, dead or alive, nothing that is watched, no file. */
static void end(void)
{
    gateway_destroy(gateway);
    rpc_destroy(world.rpc);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    for (int i = 0; i < WATCHES_MAX; i++)
        ck_assert_int_eq(watches[i].fd, 0);
    unlink(place);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(test_arguments)
{
    const char *arguments[GATEWAY_ARGUMENTS_MAX] = {"look"};
    char text[REASON_BYTES];
    int before = count_descriptors();

    for (uint32_t i = 1; i < GATEWAY_ARGUMENTS_MAX; i++)
        arguments[i] = i + 1 < GATEWAY_ARGUMENTS_MAX ? "between" : "last";
    ck_assert_int_eq(begin("/proc/self/exe", arguments, text), 0);
    while (!child_was_there())
        turn();
    ck_assert_uint_eq(world.restarts, 0);
    end();
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(test_restarts)
{
    static const long wanted[] = {0, 50, 100, 200, 400, 800, 800};
    int before;

    begin_child("end");
    before = count_descriptors();
    while (world.restarts < RESTARTS)
        turn();
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        ck_assert_int_eq(delays_ms[i], wanted[i]);
    ck_assert_int_eq(delays_ms[RESTARTS - 1], 800);
    /* At this moment there is no child, and no link to it. */
    ck_assert_int_eq(count_descriptors(), before - 2);
    end();
}
END_TEST

START_TEST(test_unruly)
{
    static const char *const ways[] = {"break a rule", "hang up", "be killed"};

    begin_child(ways[_i]);
    while (world.restarts < 3)
        turn();
    end();
}
END_TEST

START_TEST(test_stubborn)
{
    begin_child("stay");
    while (!child_was_there())
        turn();
    end();
    ck_assert_uint_eq(world.restarts, 0);
}
END_TEST

START_TEST(test_missing)
{
    static const char *const none[] = {NULL};
    char text[REASON_BYTES] = "";

    ck_assert_int_eq(begin("/nowhere/at/all", none, text), -ENOENT);
    ck_assert_ptr_nonnull(strstr(text, "/nowhere/at/all"));
    end();
    gateway_destroy(NULL);
}
END_TEST

/* ---- The child ---- */

static int look(int argc, char **argv)
{
    const struct link link = {LINK_FD};
    struct pollfd gone = {link.fd, 0, 0};

    if (argc != 1 + (int)GATEWAY_ARGUMENTS_MAX || strcmp(argv[argc - 1], "last") != 0)
        return EXIT_FAILURE;
    if (count_descriptors() != NONE_GIVEN)
        return EXIT_FAILURE;
    close(open(getenv(PLACE), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    poll(&gone, 1, -1);
    return EXIT_SUCCESS;
}

static int behave(int argc, char **argv)
{
    if (!strcmp(argv[1], "look"))
        return look(argc, argv);
    if (!strcmp(argv[1], "end"))
        return EXIT_FAILURE;
    if (!strcmp(argv[1], "be killed"))
        raise(SIGKILL);
    if (!strcmp(argv[1], "break a rule") && write(LINK_FD, "x", 1) != 1)
        return EXIT_FAILURE;
    if (!strcmp(argv[1], "hang up"))
        close(LINK_FD);
    if (!strcmp(argv[1], "stay"))
        close(open(getenv(PLACE), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("daemon/gateway");
    TCase *tcase = tcase_create("gateway");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (argc > 1)
        return behave(argc, argv);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_arguments);
    tcase_add_test(tcase, test_restarts);
    tcase_add_loop_test(tcase, test_unruly, 0, 3);
    tcase_add_test(tcase, test_stubborn);
    tcase_add_test(tcase, test_missing);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
