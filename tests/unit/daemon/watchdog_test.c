/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* With a host and a server that are not there: their functions are wrapped. */
#include "daemon/notify.h"
#include "daemon/watchdog.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct engine *const *__wrap_host_engines(const struct host *host, uint32_t *count);
int __wrap_server_watch(struct server *server, int fd, void (*ready)(void *context), void *context);
void __wrap_server_unwatch(struct server *server, int fd);

static struct engine engine = {.name = "alpha"};
static struct {
    int fd;
    int error;
    void (*ready)(void *context);
    void *context;
} watched = {.fd = -1};
static int manager = -1; /* a socket in the place of the service manager's */

struct engine *const *__wrap_host_engines(const struct host *host, uint32_t *count)
{
    static struct engine *const engines[] = {&engine};

    (void)host;
    *count = 1;
    return engines;
}

int __wrap_server_watch(struct server *server, int fd, void (*ready)(void *context), void *context)
{
    (void)server;
    watched.fd = fd;
    watched.ready = ready;
    watched.context = context;
    return watched.error;
}

void __wrap_server_unwatch(struct server *server, int fd)
{
    (void)server;
    ck_assert_int_eq(watched.fd, fd);
    watched.fd = -1;
}

static void begin(const char *interval_us)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(own);

    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&own, sizeof(own.sun_family)), 0);
    ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&own, &length), 0);
    own.sun_path[0] = '@'; /* abstract: the kernel chose the name */
    setenv("NOTIFY_SOCKET", own.sun_path, 1);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    if (interval_us)
        setenv("WATCHDOG_USEC", interval_us, 1);
    ck_assert_int_eq(notify_begin(), 0);
}

/* At the timer's next expiry: was the service manager told that all is well? */
static bool told(void)
{
    struct pollfd timer = {watched.fd, POLLIN, 0};
    char state[64];

    ck_assert_int_eq(poll(&timer, 1, -1), 1);
    watched.ready(watched.context);
    return recv(manager, state, sizeof(state), MSG_DONTWAIT) > 0;
}

START_TEST(test_looks)
{
    struct watchdog *watchdog;

    begin("2000");
    ck_assert_int_eq(watchdog_start(&watchdog, NULL, NULL), 0);
    ck_assert(told());
    ck_assert(!told());
    engine.runs++;
    ck_assert(told());
    ck_assert(!told());
    engine.rests++;
    ck_assert(told());
    ck_assert(told());
    watchdog_stop(watchdog);
    ck_assert_int_eq(watched.fd, -1);
    notify_end();
}
END_TEST

START_TEST(test_not_asked)
{
    struct watchdog *watchdog;

    begin(NULL);
    ck_assert_int_eq(watchdog_start(&watchdog, NULL, NULL), 0);
    ck_assert_ptr_null(watchdog);
    ck_assert_int_eq(watched.fd, -1);
    watchdog_stop(watchdog);
    notify_end();
}
END_TEST

START_TEST(test_no_place)
{
    struct watchdog *watchdog;

    begin("2000");
    watched.error = -ENOSPC;
    ck_assert_int_eq(watchdog_start(&watchdog, NULL, NULL), -ENOSPC);
    ck_assert_ptr_null(watchdog);
    notify_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/watchdog");
    TCase *tcase = tcase_create("watchdog");
    tcase_add_test(tcase, test_looks);
    tcase_add_test(tcase, test_not_asked);
    tcase_add_test(tcase, test_no_place);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
