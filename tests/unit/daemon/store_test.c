/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"
#include "daemon/store.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATE_BYTES  2048
#define REASON_BYTES 256
#define KEPT         2 /* descriptors of a socket: itself and its lock */

/* A socket in the place of the service manager's. */
static int manager;
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static int got[KEPT]; /* with what told() answered last; -1: none */

static void set_up(void)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(own);
    char name[sizeof(own.sun_path) + 1];

    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-store-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* The kernel chooses an abstract name. */
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&own, sizeof(own.sun_family)), 0);
    ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&own, &length), 0);
    snprintf(name, sizeof(name), "@%.*s", (int)(length - sizeof(own.sun_family) - 1),
             own.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    unsetenv("RUNTIME_DIRECTORY");
    got[0] = got[1] = -1;
    ck_assert_int_eq(notify_begin(), 0);
}

static void tear_down(void)
{
    store_end();
    notify_end();
    close(manager);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* What the service manager was told, "" if nothing. What came with it is the caller's. */
static const char *told(void)
{
    static char state[STATE_BYTES];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(got))];
    } control;
    struct iovec vector = {state, sizeof(state) - 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_LEN(sizeof(got))};
    ssize_t bytes;

    memset(&control, 0, sizeof(control));
    bytes = recvmsg(manager, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    got[0] = got[1] = -1;
    state[bytes < 0 ? 0 : bytes] = '\0';
    if (bytes > 0 && CMSG_FIRSTHDR(&message) && control.header.cmsg_len == CMSG_LEN(sizeof(got)) &&
        control.header.cmsg_type == SCM_RIGHTS)
        memcpy(got, CMSG_DATA(&control.header), sizeof(got));
    return state;
}

static void drop_got(void)
{
    for (int i = 0; i < KEPT; i++) {
        ck_assert_int_eq(close(got[i]), 0);
        got[i] = -1;
    }
}

static struct attach_socket must_open(struct attach_kept *kept)
{
    struct attach_socket attach;
    char reason[REASON_BYTES] = "";
    int error = attach_reopen(&attach, SOCK_SEQPACKET, path, 0600, kept, reason, sizeof(reason));

    ck_assert_msg(error == 0, "%s", reason);
    return attach;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* What is kept is what the next daemon goes on with, in whatever order it comes. */
START_TEST(test_round)
{
    struct attach_socket attach = must_open(store_kept(STORE_ATTACH));

    store_keep(STORE_ATTACH, &attach);
    ck_assert_str_eq(told(), "FDSTORE=1\nFDNAME=saddle-attach\nFDPOLL=0");
    ck_assert(!attach.stays);
    attach_forget(&attach);
    store_add("saddle-attach", got[1 - _i]);
    store_add("saddle-attach", got[_i]);
    attach = must_open(store_kept(STORE_ATTACH));
    ck_assert_int_eq(attach.fd, got[0]);
    ck_assert_int_eq(attach.lock_fd, got[1]);
    store_keep(STORE_ATTACH, &attach);
    ck_assert_str_eq(told(), "FDSTORE=1\nFDNAME=saddle-attach\nFDPOLL=0");
    drop_got();
    ck_assert_str_eq(told(), "");
    attach_close(&attach);
}
END_TEST

START_TEST(test_unknown)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    store_add("saddled.socket", fd);
    ck_assert(!is_open(fd));
    ck_assert_str_eq(told(), "FDSTOREREMOVE=1\nFDNAME=saddled.socket");
}
END_TEST

/* Neither a socket nor a file, or a second one: that one is closed, and the service manager is to
 * forget what it has before it gets it anew. */
START_TEST(test_what_is_too_much)
{
    int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int device = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct attach_socket attach;

    store_add("saddle-control", device);
    store_add("saddle-control", first);
    store_add("saddle-control", second);
    ck_assert(!is_open(device));
    ck_assert(is_open(first));
    ck_assert(!is_open(second));
    ck_assert_int_eq(store_kept(STORE_CONTROL)->fd, first);
    attach = must_open(store_kept(STORE_CONTROL));
    store_keep(STORE_CONTROL, &attach);
    ck_assert_str_eq(told(), "FDSTOREREMOVE=1\nFDNAME=saddle-control");
    ck_assert_str_eq(told(), "FDSTORE=1\nFDNAME=saddle-control\nFDPOLL=0");
    drop_got();
    attach_close(&attach);
}
END_TEST

START_TEST(test_untaken_is_closed)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    store_add("saddle-control", fd);
    store_end();
    ck_assert(!is_open(fd));
    ck_assert_int_eq(store_kept(STORE_CONTROL)->fd, -1);
}
END_TEST

/* In a folder that goes when the unit stops it stays, so that a restart finds it. */
START_TEST(test_folder)
{
    static const struct {
        const char *after; /* the folder's name */
        bool stays;
    } cases[] = {{"", true}, {":/elsewhere", true}, {"/below", false}, {"x", false}};
    char folders[sizeof(folder) + 16];
    struct attach_socket attach = must_open(NULL);

    snprintf(folders, sizeof(folders), "%s%s", folder, cases[_i].after);
    setenv("RUNTIME_DIRECTORY", folders, 1);
    store_keep(STORE_ATTACH, &attach);
    ck_assert_int_eq(attach.stays, cases[_i].stays);
    attach_close(&attach);
    ck_assert_int_eq(access(path, F_OK), cases[_i].stays ? 0 : -1);
    told();
    drop_got();
    attach = must_open(NULL);
    attach_close(&attach);
}
END_TEST

/* Nobody keeps anything: the daemon cleans up after itself. */
START_TEST(test_nobody)
{
    struct attach_socket attach = must_open(NULL), none = {.fd = -1};

    store_keep(STORE_ATTACH, NULL);
    store_keep(STORE_ATTACH, &none);
    ck_assert_str_eq(told(), "");
    notify_end();
    setenv("RUNTIME_DIRECTORY", folder, 1);
    store_keep(STORE_ATTACH, &attach);
    ck_assert_str_eq(told(), "");
    attach_close(&attach);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* Variables that are meant for another process go, and say nothing here. */
START_TEST(test_environment)
{
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "saddle-attach", 1);
    store_begin();
    ck_assert_ptr_null(getenv("LISTEN_FDS"));
    ck_assert_int_eq(store_kept(STORE_ATTACH)->fd, -1);
    ck_assert_str_eq(told(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, test_round, 0, KEPT);
    tcase_add_test(tcase, test_unknown);
    tcase_add_test(tcase, test_what_is_too_much);
    tcase_add_test(tcase, test_untaken_is_closed);
    tcase_add_loop_test(tcase, test_folder, 0, 4);
    tcase_add_test(tcase, test_nobody);
    tcase_add_test(tcase, test_environment);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
