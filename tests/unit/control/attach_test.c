/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/attach.h"
#include "tests/unit/control/transit.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REASON_BYTES 256

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];

static void make_folder(void)
{
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-attach-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
}

/* Fails if anything was left in it. */
static void remove_folder(void)
{
    ck_assert_int_eq(rmdir(folder), 0);
}

static uint32_t open_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    uint32_t count = 0;
    ck_assert_ptr_nonnull(all);
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

static struct attach_socket must_open(mode_t mode)
{
    struct attach_socket attach;
    char reason[REASON_BYTES] = "";
    int error = attach_open(&attach, SOCK_SEQPACKET, path, mode, reason, sizeof(reason));
    ck_assert_msg(error == 0, "%s", reason);
    return attach;
}

START_TEST(test_open_and_close)
{
    uint32_t before = open_descriptors();
    struct attach_socket attach = must_open(0640);
    struct stat found;
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert(S_ISSOCK(found.st_mode));
    ck_assert_uint_eq(found.st_mode & 0777, 0640);
    attach_close(&attach);
    attach_close(&attach);
    ck_assert_int_eq(stat(path, &found), -1);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(test_second_is_refused)
{
    struct attach_socket attach = must_open(0600), second;
    char reason[REASON_BYTES] = "";
    uint32_t before = open_descriptors();
    ck_assert_int_eq(attach_open(&second, SOCK_SEQPACKET, path, 0600, reason, sizeof(reason)),
                     -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(reason, path));
    ck_assert_ptr_nonnull(strstr(reason, "another saddled"));
    ck_assert_uint_eq(open_descriptors(), before);
    /* The first is unharmed. */
    struct stat found;
    ck_assert_int_eq(stat(path, &found), 0);
    attach_close(&attach);
}
END_TEST

START_TEST(test_stale_is_replaced)
{
    struct attach_socket attach = must_open(0600);
    /* As a killed daemon leaves it: closed, but not removed. */
    close(attach.fd);
    close(attach.lock_fd);
    attach = must_open(0600);
    attach_close(&attach);
}
END_TEST

START_TEST(test_other_file_stays)
{
    struct attach_socket attach;
    char reason[REASON_BYTES] = "";
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    ck_assert_int_eq(attach_open(&attach, SOCK_SEQPACKET, path, 0600, reason, sizeof(reason)),
                     -EEXIST);
    ck_assert_ptr_nonnull(strstr(reason, path));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_bad_paths)
{
    struct attach_socket attach;
    char reason[REASON_BYTES] = "";
    char longer[sizeof(attach.path) + 1];
    ck_assert_int_eq(attach_open(&attach, SOCK_SEQPACKET, "/nonexistent/s", 0600, reason,
                                 sizeof(reason)),
                     -ENOENT);
    ck_assert_ptr_nonnull(strstr(reason, "/nonexistent/s"));
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_int_eq(attach_open(&attach, SOCK_SEQPACKET, longer, 0600, reason, sizeof(reason)),
                     -ENAMETOOLONG);
}
END_TEST

static void make_pair(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

/* Another daemon's parcel with one socket, of these descriptors. */
static void send_over(struct parcel *parcel, const struct attach_socket *attach)
{
    struct parcel_draft draft;
    uint16_t type, version;
    parcel_draft_init(&draft);
    state_record_begin(&draft.state, 1, 1);
    attach_offer(attach, &draft);
    state_record_end(&draft.state);
    transit(&draft, parcel);
    ck_assert(state_record_next(&parcel->state, &type, &version));
}

START_TEST(test_goes_over)
{
    uint32_t before = open_descriptors();
    struct attach_socket attach = must_open(0600), adopted, second;
    char reason[REASON_BYTES] = "";
    struct parcel parcel;
    send_over(&parcel, &attach);
    ck_assert_int_eq(attach_adopt(&adopted, SOCK_SEQPACKET, path, &parcel, reason, sizeof(reason)),
                     0);
    parcel_destroy(&parcel);
    attach_forget(&attach);
    attach_close(&attach); /* nothing any more */
    ck_assert_int_eq(attach_open(&second, SOCK_SEQPACKET, path, 0600, reason, sizeof(reason)),
                     -EADDRINUSE);
    ck_assert_int_eq(access(path, F_OK), 0);
    attach_close(&adopted);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

static void refuse(const struct attach_socket *attach, int type, const char *wanted)
{
    uint32_t before = open_descriptors();
    char reason[REASON_BYTES] = "";
    struct attach_socket adopted;
    struct parcel parcel;
    send_over(&parcel, attach);
    ck_assert_int_eq(attach_adopt(&adopted, type, wanted, &parcel, reason, sizeof(reason)),
                     -EBADMSG);
    ck_assert_ptr_nonnull(strstr(reason, wanted));
    parcel_destroy(&parcel);
    ck_assert_uint_eq(open_descriptors(), before);
}

START_TEST(test_what_is_not_that_is_refused)
{
    struct attach_socket attach = must_open(0600), other = attach;
    refuse(&attach, SOCK_SEQPACKET, "/elsewhere/s");
    refuse(&attach, SOCK_STREAM, path);
    /* A socket that does not listen; a file that is not the lock; the lock, but not held. */
    other.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    refuse(&other, SOCK_SEQPACKET, path);
    close(other.fd);
    other.fd = attach.fd;
    other.lock_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    refuse(&other, SOCK_SEQPACKET, path);
    close(other.lock_fd);
    snprintf(other.path, sizeof(other.path), "%s.lock", path);
    other.lock_fd = open(other.path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(other.lock_fd, 0);
    memcpy(other.path, attach.path, sizeof(other.path));
    refuse(&other, SOCK_SEQPACKET, path);
    close(other.lock_fd);
    attach_close(&attach);
}
END_TEST

/* What a service manager has of one whose daemon died, and passes on. */
static struct attach_kept keep(struct attach_socket *attach)
{
    struct attach_kept kept = {.name = "kept",
                               .fd = dup(attach->fd),
                               .lock_fd = dup(attach->lock_fd)};
    attach_forget(attach);
    return kept;
}

static struct attach_socket must_reopen(struct attach_kept *kept, bool refused)
{
    struct attach_socket attach;
    char reason[REASON_BYTES] = "";
    int error = attach_reopen(&attach, SOCK_SEQPACKET, path, 0600, kept, reason, sizeof(reason));
    ck_assert_msg(error == 0, "%s", reason);
    ck_assert_int_eq(kept->fd, -1);
    ck_assert_int_eq(kept->lock_fd, -1);
    ck_assert_int_eq(kept->refused, refused);
    return attach;
}

static int connect_there(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void end_kept(struct attach_socket *attach)
{
    attach->stays = false;
    attach_close(attach);
}

/* Whoever connects is heard. */
static void expect_served(const struct attach_socket *attach, int fd)
{
    int accepted = accept4(attach->fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(accepted, 0);
    close(accepted);
    close(fd);
}

START_TEST(test_kept_is_taken)
{
    uint32_t before = open_descriptors();
    struct attach_socket attach = must_open(0640), second;
    struct attach_kept kept = keep(&attach);
    char reason[REASON_BYTES] = "";
    struct stat status;
    int waiting = connect_there();
    /* Nobody else takes the path meanwhile. */
    ck_assert_int_eq(attach_open(&second, SOCK_SEQPACKET, path, 0600, reason, sizeof(reason)),
                     -EADDRINUSE);
    attach = must_reopen(&kept, false);
    expect_served(&attach, waiting);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(fcntl(attach.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    end_kept(&attach);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(test_kept_nothing)
{
    uint32_t before = open_descriptors();
    struct attach_kept kept = {.name = "kept", .fd = -1, .lock_fd = -1};
    struct attach_socket attach = must_reopen(&kept, false);
    expect_served(&attach, connect_there());
    end_kept(&attach);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

enum wrong {
    NOT_BOUND,
    OTHER_TYPE,
    BOUND_ELSEWHERE,
    LISTENS_ELSEWHERE,
    GONE,
    OTHER_LOCK,
    NO_LOCK,
    WRONGS,
};

static int make_other(enum wrong what)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, what == OTHER_TYPE ? SOCK_STREAM : SOCK_SEQPACKET, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s.x", path);
    if (what == BOUND_ELSEWHERE || what == LISTENS_ELSEWHERE) {
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(unlink(address.sun_path), 0);
    }
    if (what == LISTENS_ELSEWHERE)
        ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* Makes one part of what was kept another thing than it should be. */
static void spoil(struct attach_kept *kept, enum wrong what)
{
    if (what == GONE) {
        ck_assert_int_eq(unlink(path), 0);
    } else if (what < GONE) {
        close(kept->fd);
        kept->fd = make_other(what);
    } else {
        close(kept->lock_fd);
        kept->lock_fd = what == OTHER_LOCK ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    }
}

/* It is replaced, and whoever connects is served. */
START_TEST(test_kept_is_refused)
{
    uint32_t before = open_descriptors();
    struct attach_socket attach = must_open(0600);
    struct attach_kept kept = keep(&attach);
    spoil(&kept, (enum wrong)_i);
    attach = must_reopen(&kept, true);
    expect_served(&attach, connect_there());
    end_kept(&attach);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

/* Only root can give a socket away. */
START_TEST(test_kept_of_another)
{
    struct attach_socket attach = must_open(0600);
    struct attach_kept kept = keep(&attach);
    bool given = chown(path, 65534, 65534) == 0;
    attach = must_reopen(&kept, given);
    expect_served(&attach, connect_there());
    end_kept(&attach);
}
END_TEST

/* Who made it counts, whatever stands at its path. */
START_TEST(test_kept_that_another_made)
{
    struct attach_socket attach = must_open(0600);
    struct attach_kept kept = keep(&attach);
    struct stat status;
    if (geteuid() != 0) {
        attach = must_reopen(&kept, false);
    } else {
        /* Who listens last has made it. */
        ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(listen(kept.fd, 1), 0);
        ck_assert_int_eq(seteuid(0), 0);
        attach = must_reopen(&kept, true);
    }
    ck_assert_int_eq(stat(path, &status), 0);
    expect_served(&attach, connect_there());
    end_kept(&attach);
}
END_TEST

/* There is none, and nothing is left of what was kept. */
START_TEST(test_kept_with_the_path_taken)
{
    uint32_t before = open_descriptors();
    struct attach_socket attach = must_open(0600);
    struct attach_kept kept = keep(&attach);
    char reason[REASON_BYTES] = "";
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(
        attach_reopen(&attach, SOCK_SEQPACKET, path, 0600, &kept, reason, sizeof(reason)), -EEXIST);
    ck_assert_ptr_nonnull(strstr(reason, path));
    ck_assert(kept.refused);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

/* It is closed, and whoever keeps it still has it. */
START_TEST(test_stays)
{
    struct attach_socket attach = must_open(0600);
    struct attach_kept kept = {.name = "kept",
                               .fd = dup(attach.fd),
                               .lock_fd = dup(attach.lock_fd)};
    int waiting;
    attach.stays = true;
    attach_close(&attach);
    attach_close(&attach);
    waiting = connect_there();
    attach = must_reopen(&kept, false);
    ck_assert(attach.stays);
    expect_served(&attach, waiting);
    end_kept(&attach);
}
END_TEST

START_TEST(test_request_size)
{
    uint8_t bytes[sizeof(struct saddle_attach_request) + 8] = {0};
    const size_t sizes[] = {1, sizeof(struct saddle_attach_request) - 1,
                            sizeof(struct saddle_attach_request) + 1, sizeof(bytes)};
    struct saddle_attach_request request;
    struct saddle_attach_reply reply;
    int ends[2];
    make_pair(ends);
    ck_assert_int_eq(attach_receive(ends[0], &request, &reply), -EAGAIN);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_int_eq(send(ends[1], bytes, sizes[i], 0), (ssize_t)sizes[i]);
        ck_assert_int_eq(attach_receive(ends[0], &request, &reply), -EPROTO);
        ck_assert_int_eq(reply.error, -EPROTO);
    }
    bytes[0] = 7;
    send(ends[1], bytes, sizeof(request), 0);
    ck_assert_int_eq(attach_receive(ends[0], &request, &reply), 0);
    ck_assert_mem_eq(&request, bytes, sizeof(request));
    close(ends[1]);
    ck_assert_int_eq(attach_receive(ends[0], &request, &reply), -ECONNRESET);
    close(ends[0]);
}
END_TEST

static void send_with_descriptors(int fd, size_t bytes, uint32_t count)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(253 * sizeof(int))];
    } control = {0};
    uint8_t payload[sizeof(struct saddle_attach_request)] = {0};
    struct iovec vector = {payload, bytes};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    int *fds = (int *)(void *)CMSG_DATA(&control.header);
    for (uint32_t i = 0; i < count; i++)
        fds[i] = STDERR_FILENO;
    ck_assert_int_eq(sendmsg(fd, &message, 0), (ssize_t)bytes);
}

START_TEST(test_request_with_descriptors)
{
    const uint32_t counts[] = {1, 2, 253};
    struct saddle_attach_request request;
    struct saddle_attach_reply reply;
    int ends[2];
    make_pair(ends);
    uint32_t before = open_descriptors();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        send_with_descriptors(ends[1], sizeof(request), counts[i]);
        ck_assert_int_eq(attach_receive(ends[0], &request, &reply), -EPROTO);
        ck_assert_ptr_nonnull(strstr(reply.reason, "descriptors"));
        ck_assert_uint_eq(open_descriptors(), before);
    }
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(test_reply_carries_descriptors)
{
    struct saddle_attach_reply reply, got;
    int fds[ATTACH_FDS_MAX];
    int ends[2];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(fds))];
    } control;
    struct iovec vector = {&got, sizeof(got)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    make_pair(ends);
    for (uint32_t i = 0; i < ATTACH_FDS_MAX; i++)
        fds[i] = ends[0];
    attach_refuse(&reply, -EACCES, "uid %d", 5);
    ck_assert_int_eq(attach_send(ends[0], &reply, fds, ATTACH_FDS_MAX), 0);
    ck_assert_int_eq(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), sizeof(got));
    ck_assert_int_eq(message.msg_flags & MSG_CTRUNC, 0);
    ck_assert_uint_eq(control.header.cmsg_len, CMSG_LEN(sizeof(fds)));
    ck_assert_int_eq(got.error, -EACCES);
    ck_assert_str_eq(got.reason, "uid 5");
    memcpy(fds, CMSG_DATA(&control.header), sizeof(fds));
    for (uint32_t i = 0; i < ATTACH_FDS_MAX; i++)
        close(fds[i]);
    close(ends[1]);
    ck_assert_int_lt(attach_send(ends[0], &reply, NULL, 0), 0);
    close(ends[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/attach");
    TCase *tcase = tcase_create("attach");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, test_open_and_close);
    tcase_add_test(tcase, test_second_is_refused);
    tcase_add_test(tcase, test_stale_is_replaced);
    tcase_add_test(tcase, test_other_file_stays);
    tcase_add_test(tcase, test_bad_paths);
    tcase_add_test(tcase, test_goes_over);
    tcase_add_test(tcase, test_what_is_not_that_is_refused);
    tcase_add_test(tcase, test_kept_is_taken);
    tcase_add_test(tcase, test_kept_nothing);
    tcase_add_loop_test(tcase, test_kept_is_refused, 0, WRONGS);
    tcase_add_test(tcase, test_kept_of_another);
    tcase_add_test(tcase, test_kept_that_another_made);
    tcase_add_test(tcase, test_kept_with_the_path_taken);
    tcase_add_test(tcase, test_stays);
    tcase_add_test(tcase, test_request_size);
    tcase_add_test(tcase, test_request_with_descriptors);
    tcase_add_test(tcase, test_reply_carries_descriptors);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
