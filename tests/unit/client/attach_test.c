/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The attach handshake against a daemon that a thread plays: good ones, unwilling ones, and ones
 * that lie. Nothing may be left open after a failure.
 */
#include "client/channel.h"
#include "tests/unit/client/fake_engine.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORT_MS 50u /* for a daemon that never answers */

static struct fake_engine engine;
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 16];
static int listener;
static int accepted;
static pthread_t daemon_thread;
static struct saddle_attach_request request;
static struct saddle_attach_options options;

/* How the daemon of a test answers. */
static struct {
    struct saddle_attach_reply reply;
    size_t bytes;
    int arena;
    uint32_t descriptors;
    bool silent;
    bool hang_up;
} answer;

static uint32_t count_descriptors(void)
{
    DIR *open_files = opendir("/proc/self/fd");
    uint32_t count = 0;

    while (readdir(open_files))
        count++;
    closedir(open_files);
    return count;
}

static void reply_to(int connection)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 80)];
    } control = {.bytes = {0}};
    struct iovec vector = {&answer.reply, answer.bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (answer.descriptors > 0) {
        struct cmsghdr *part = &control.align;
        int *fds = (int *)(void *)CMSG_DATA(part);

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * answer.descriptors);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int) * answer.descriptors);
        for (uint32_t at = 0; at < answer.descriptors; at++) {
            uint32_t channel = at == 0 ? 0 : (at - 1) / 2 % FAKE_CHANNELS;

            if (at == 0)
                fds[at] = answer.arena;
            else
                fds[at] =
                    at % 2 ? engine.bells[channel].engine : engine.bells[channel].application_read;
        }
    }
    ck_assert_int_eq(sendmsg(connection, &message, MSG_NOSIGNAL), (ssize_t)answer.bytes);
}

static void *play_daemon(void *argument)
{
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(recv(accepted, &request, sizeof(request), 0), sizeof(request));
    if (!answer.silent && !answer.hang_up)
        reply_to(accepted);
    if (answer.hang_up) {
        close(accepted);
        accepted = -1;
    }
    return argument;
}

static void open_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fake_engine_open(&engine);
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-attach"));
    snprintf(path, sizeof(path), "%s/attach.sock", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    accepted = -1;
    memset(&answer, 0, sizeof(answer));
    answer.reply = engine.reply;
    answer.bytes = sizeof(answer.reply);
    answer.arena = engine.arena_fd;
    answer.descriptors = 1 + 2 * FAKE_CHANNELS;
    options = (struct saddle_attach_options){.size = sizeof(options),
                                             .socket = path,
                                             .channels = FAKE_CHANNELS};
}

static void close_socket(void)
{
    if (accepted >= 0)
        close(accepted);
    close(listener);
    unlink(path);
    rmdir(folder);
    fake_engine_close(&engine);
}

/* Attaches to the playing daemon, and lets it finish. */
static int attach(struct saddle_session **session, char *reason, size_t bytes)
{
    int result;

    ck_assert_int_eq(pthread_create(&daemon_thread, NULL, play_daemon, NULL), 0);
    result = saddle_attach(session, &options, reason, bytes);
    ck_assert_int_eq(pthread_join(daemon_thread, NULL), 0);
    return result;
}

/* Attaching fails, says why, and leaves nothing open. */
static void assert_refused(int error, const char *word)
{
    struct saddle_session *session = (struct saddle_session *)&engine;
    char reason[200] = "";
    uint32_t before = count_descriptors();

    ck_assert_int_eq(attach(&session, reason, sizeof(reason)), error);
    ck_assert_ptr_null(session);
    ck_assert_msg(strstr(reason, word), "\"%s\" lacks \"%s\"", reason, word);
    ck_assert_str_eq(saddle_strerror(NULL), reason);
    if (accepted >= 0)
        before++;
    ck_assert_uint_eq(count_descriptors(), before);
}

START_TEST(accepted_and_working)
{
    struct saddle_session *session;
    struct saddle_completion event;
    uint32_t before = count_descriptors();

    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    ck_assert_uint_eq(request.magic, SADDLE_ABI_MAGIC);
    ck_assert_uint_eq(request.bytes, sizeof(request));
    ck_assert_uint_eq(request.abi_min, SADDLE_ABI_OLDEST);
    ck_assert_uint_eq(request.abi_max, SADDLE_ABI_VERSION);
    ck_assert_uint_eq(request.channels, FAKE_CHANNELS);
    ck_assert_uint_eq(request.command_entries, 256);
    ck_assert_uint_eq(request.completion_entries, 256);
    ck_assert_uint_eq(request.receive_slots, 256);
    ck_assert_uint_eq(request.heap_bytes, 16u << 20);
    ck_assert_str_eq(request.engine, "");
    ck_assert_str_ne(request.application, "");
    ck_assert_int_eq(saddle_revoke(saddle_channel(session, 1), 3, NULL), 0);
    fake_expect(&engine, 1, SADDLE_CMD_REVOKE);
    fake_message(&engine, 1, 1, 1, 10);
    ck_assert_int_eq(saddle_wait(saddle_channel(session, 1), -1), 1);
    ck_assert_int_eq(saddle_poll(saddle_channel(session, 1), &event, 1), 1);
    /* The daemon dies without a word. */
    close(accepted);
    accepted = -1;
    ck_assert_int_eq(saddle_wait(saddle_channel(session, 0), -1), -ECONNRESET);
    saddle_detach(session);
    ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

/* A daemon of either version is welcome, and the session knows which it is. */
START_TEST(each_version_that_is_served)
{
    struct saddle_session *session;

    answer.reply.abi = (uint16_t)_i;
    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    ck_assert_uint_eq(saddle_abi(session), (uint32_t)_i);
    ck_assert_int_eq(saddle_ping(saddle_channel(session, 0), "host", 0, NULL), 0);
    ck_assert_int_eq(saddle_fetch_add(saddle_channel(session, 0), 1, 2, 0, 1, NULL),
                     _i < (int)SADDLE_ABI_ONESIDED ? -EOPNOTSUPP : 0);
    ck_assert_int_eq(saddle_cancel(saddle_channel(session, 0), 1, NULL),
                     _i < (int)SADDLE_ABI_MESSAGES ? -EOPNOTSUPP : 0);
    saddle_detach(session);
}
END_TEST

START_TEST(detaching_tells_the_daemon)
{
    struct saddle_session *session;
    char byte;

    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    saddle_detach(session);
    ck_assert_int_eq(recv(accepted, &byte, 1, 0), 0);
}
END_TEST

START_TEST(options_reach_the_daemon)
{
    struct saddle_session *session;

    options.engine = "left";
    options.application = "tester";
    options.queue_entries = 100;
    options.receive_slots = 7;
    options.heap_bytes = 12345;
    ck_assert_int_eq(setenv("SADDLE_SOCKET", path, 1), 0);
    ck_assert_int_eq(setenv("SADDLE_ENGINE", "right", 1), 0);
    options.socket = NULL;
    if (_i == 1)
        options.engine = NULL;
    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    ck_assert_str_eq(request.engine, _i == 1 ? "right" : "left");
    ck_assert_str_eq(request.application, "tester");
    ck_assert_uint_eq(request.command_entries, 128);
    ck_assert_uint_eq(request.receive_slots, 7);
    ck_assert_uint_eq(request.heap_bytes, 12345);
    saddle_detach(session);
}
END_TEST

/* Who neither sleeps nor polls is told as well, and what had arrived is still there. */
START_TEST(the_status_looks_for_the_daemon)
{
    struct saddle_completion event;
    struct saddle_session *session;

    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    ck_assert_int_eq(saddle_status(session), 0);
    fake_message(&engine, 0, 1, 1, 10);
    close(accepted);
    accepted = -1;
    ck_assert_int_eq(saddle_status(session), -ECONNRESET);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "the daemon is gone"));
    ck_assert_int_eq(saddle_poll(saddle_channel(session, 0), &event, 1), 1);
    ck_assert_uint_eq(event.kind, SADDLE_MESSAGE);
    ck_assert_int_eq(saddle_poll(saddle_channel(session, 0), &event, 1), -ECONNRESET);
    saddle_detach(session);
}
END_TEST

START_TEST(a_child_has_no_arena)
{
    struct saddle_session *session;
    uint8_t *memory;
    int status;
    pid_t child;

    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    memory = (uint8_t *)saddle_alloc(session, 4096);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        unsigned char resident;
        bool gone = mincore(memory, 4096, &resident) != 0 && errno == ENOMEM;

        gone = gone && saddle_status(session) == -ECHILD;
        saddle_detach(session);
        _exit(gone ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    memory[0] = 1;
    ck_assert_int_eq(saddle_status(session), 0);
    saddle_detach(session);
}
END_TEST

START_TEST(all_pages_are_there_from_the_start)
{
    struct saddle_session *session;
    struct stat status;

    ck_assert_int_eq(attach(&session, NULL, 0), 0);
    ck_assert_int_eq(fstat(engine.arena_fd, &status), 0);
    ck_assert_int_ge(status.st_blocks * 512, status.st_size);
    saddle_detach(session);
}
END_TEST

START_TEST(a_refusal_carries_its_reason)
{
    answer.reply.error = -EACCES;
    snprintf(answer.reply.reason, sizeof(answer.reply.reason), "uid 1000 may not attach");
    answer.descriptors = 0;
    /* The channels need not follow. */
    answer.bytes = _i ? offsetof(struct saddle_attach_reply, channel) : sizeof(answer.reply);
    assert_refused(-EACCES, "uid 1000 may not attach");
}
END_TEST

START_TEST(a_version_nobody_has)
{
    answer.descriptors = 0;
    if (_i == 0) {
        answer.reply.error = -EPROTO;
        snprintf(answer.reply.reason, sizeof(answer.reply.reason), "no common version of the ABI");
        assert_refused(-EPROTO, "no common version");
    } else {
        answer.descriptors = 1 + 2 * FAKE_CHANNELS;
        answer.reply.abi = _i == 1 ? SADDLE_ABI_VERSION + 1 : 0;
        assert_refused(-EPROTO, "version");
    }
}
END_TEST

START_TEST(a_silent_daemon_times_out)
{
    answer.silent = true;
    options.timeout_ms = SHORT_MS;
    assert_refused(-ETIMEDOUT, "50 ms");
}
END_TEST

START_TEST(a_daemon_that_hangs_up)
{
    answer.hang_up = true;
    assert_refused(-ECONNRESET, "hung up");
}
END_TEST

START_TEST(strangers_and_liars)
{
    struct {
        int error;
        const char *word;
    } expected = {-EPROTO, ""};
    int other = -1;

    switch (_i) {
    case 0:
        answer.reply.magic = 0;
        expected.word = "not saddled";
        break;
    case 1:
        answer.bytes = 20;
        expected.word = "not saddled";
        break;
    case 2:
        answer.bytes = sizeof(answer.reply) - 1;
        expected.word = "too short";
        break;
    case 3:
        answer.reply.channels = 1;
        expected.word = "1 channels";
        break;
    case 4:
        answer.descriptors = 2 * FAKE_CHANNELS;
        expected.word = "4 descriptors";
        break;
    case 5:
        answer.descriptors = 0;
        expected.word = "0 descriptors";
        break;
    case 6:
        answer.descriptors = 80;
        expected.error = -EMFILE;
        expected.word = "lost";
        break;
    case 7:
        answer.reply.arena_bytes += 4096;
        expected.word = "shorter";
        break;
    case 8:
        other = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        ck_assert_int_eq(ftruncate(other, (off_t)engine.reply.arena_bytes), 0);
        answer.arena = other;
        expected.word = "not sealed";
        break;
    case 9:
        answer.arena = engine.bells[0].engine;
        expected.word = "not sealed";
        break;
    case 10:
        answer.reply.channel[0].command_offset = UINT64_MAX - 127;
        expected.word = "layout";
        break;
    default:
        answer.reply.error = 5;
        memset(answer.reply.reason, 'x', sizeof(answer.reply.reason));
        expected.word = "xxx";
        break;
    }
    assert_refused(expected.error, expected.word);
    if (other >= 0)
        close(other);
}
END_TEST

START_TEST(nobody_there)
{
    struct saddle_session *session;
    char reason[200];

    close(listener);
    ck_assert_int_eq(saddle_attach(&session, &options, reason, sizeof(reason)), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(reason, path));
    unlink(path);
    ck_assert_int_eq(saddle_attach(&session, &options, reason, sizeof(reason)), -ENOENT);
    ck_assert_ptr_nonnull(strstr(reason, path));
    ck_assert_ptr_null(session);
    /* A reason is cut to the room there is. */
    ck_assert_int_eq(saddle_attach(&session, &options, reason, 5), -ENOENT);
    ck_assert_uint_eq(strlen(reason), 4);
    listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
END_TEST

START_TEST(options_are_checked)
{
    struct saddle_session *session;
    char name[200];

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    switch (_i) {
    case 0:
        options.size = 0;
        break;
    case 1:
        options.size += 8;
        break;
    case 2:
        options.channels = SADDLE_CHANNELS_MAX + 1;
        break;
    case 3:
        options.queue_entries = SADDLE_QUEUE_MAX + 1;
        break;
    case 4:
        options.engine = name;
        break;
    case 5:
        options.application = name;
        break;
    default:
        options.socket = name;
        break;
    }
    ck_assert_int_eq(saddle_attach(&session, &options, NULL, 0), -EINVAL);
    ck_assert_ptr_null(session);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, accepted_and_working);
    tcase_add_loop_test(tcase, each_version_that_is_served, SADDLE_ABI_OLDEST,
                        SADDLE_ABI_VERSION + 1);
    tcase_add_test(tcase, detaching_tells_the_daemon);
    tcase_add_loop_test(tcase, options_reach_the_daemon, 0, 2);
    tcase_add_test(tcase, the_status_looks_for_the_daemon);
    tcase_add_test(tcase, a_child_has_no_arena);
    tcase_add_test(tcase, all_pages_are_there_from_the_start);
    tcase_add_loop_test(tcase, a_refusal_carries_its_reason, 0, 2);
    tcase_add_loop_test(tcase, a_version_nobody_has, 0, 3);
    tcase_add_test(tcase, a_silent_daemon_times_out);
    tcase_add_test(tcase, a_daemon_that_hangs_up);
    tcase_add_loop_test(tcase, strangers_and_liars, 0, 12);
    tcase_add_test(tcase, nobody_there);
    tcase_add_loop_test(tcase, options_are_checked, 0, 7);
}

int main(void)
{
    Suite *suite = suite_create("attach");
    TCase *tcase = tcase_create("attach");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 50);
    tcase_add_checked_fixture(tcase, open_socket, close_socket);
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
