/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The control loop in a thread of its own, and applications that speak the handshake by hand.
 */
#include "control/arena.h"
#include "control/attach.h"
#include "control/server.h"
#include "sched/group.h"
#include "tests/unit/control/toy_pony.h"
#include "tests/unit/folder.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define REASON_BYTES     256
#define SESSIONS_PER_UID 3u
#define ARENA_BYTES      (1u << 20) /* more than any of these arenas */
#define STORM            500

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct toy *toys[2];
static struct engine *engines[2];
static struct group *group;
static struct server *server;
static struct events *events; /* NULL: nobody listens */
static pthread_t thread;
static uint32_t descriptors_before;

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

static void *serve(void *arg)
{
    (void)arg;
    ck_assert_int_eq(server_run(server, engines, 2), 0);
    return NULL;
}

static void start(uint64_t handshake_timeout_ns)
{
    struct group_config config = {.name = "test", .mode = &group_mode_spreading};
    const struct server_config server_config = {
        .path = path,
        .mode = 0600,
        .policy = {.owner = geteuid()},
        .sessions_per_uid = SESSIONS_PER_UID,
        .memory_per_uid = SESSIONS_PER_UID * ARENA_BYTES,
        .handshake_timeout_ns = handshake_timeout_ns,
        .connections_per_session = 4,
        .listeners_per_session = 3,
        .regions_per_session = 2,
        .exposed_per_session = 4096,
    };
    char reason[REASON_BYTES];
    int error = server_create(&server, &server_config, reason, sizeof(reason));
    ck_assert_msg(error == 0, "%s", reason);
    server_set_events(server, events);
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (int i = 0; i < 2; i++) {
        toys[i] = toy_create(i ? "beta" : "alpha");
        engines[i] = &toys[i]->engine;
        ck_assert_int_eq(group_add(group, engines[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void make_folder(void)
{
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-server-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    signal(SIGPIPE, SIG_IGN);
    descriptors_before = open_descriptors();
}

/* Ends the loop by signal, and finds nothing left behind. */
static void stop(void)
{
    kill(getpid(), SIGTERM);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(server_stop(server), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(group_remove(group, engines[i]), 0);
        engines[i]->ops->destroy(engines[i]);
    }
    group_destroy(group);
    server_destroy(server);
    ck_assert_int_eq(toy_pony.attached, 0);
    ck_assert_int_eq(toy_pony.made, 0);
}

static void remove_folder(void)
{
    ck_assert_uint_eq(open_descriptors(), descriptors_before);
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct saddle_attach_request good_request(void)
{
    struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_VERSION,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = 1,
        .command_entries = 8,
        .completion_entries = 8,
        .receive_slots = 4,
        .heap_bytes = 4096,
    };
    return request;
}

static int knock(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* What the application holds of an accepted session. */
struct attached {
    int socket;
    int fds[ATTACH_FDS_MAX];
    uint32_t fd_count;
    struct saddle_attach_reply reply;
    struct saddle_arena_header *header;
};

static void receive(struct attached *attached)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(ATTACH_FDS_MAX * sizeof(int))];
    } control;
    struct iovec vector = {&attached->reply, sizeof(attached->reply)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    ck_assert_int_eq(recvmsg(attached->socket, &message, MSG_CMSG_CLOEXEC),
                     sizeof(attached->reply));
    attached->fd_count = 0;
    if (message.msg_controllen) {
        attached->fd_count = (uint32_t)((control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(attached->fds, CMSG_DATA(&control.header), attached->fd_count * sizeof(int));
    }
}

static int attach_with(struct attached *attached, const struct saddle_attach_request *request)
{
    attached->socket = knock();
    ck_assert_int_eq(send(attached->socket, request, sizeof(*request), 0), sizeof(*request));
    receive(attached);
    attached->header = NULL;
    if (attached->fd_count) {
        attached->header = mmap(NULL, attached->reply.arena_bytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED, attached->fds[0], 0);
        ck_assert(attached->header != MAP_FAILED);
    }
    return attached->reply.error;
}

static void leave(struct attached *attached)
{
    if (attached->header)
        munmap(attached->header, attached->reply.arena_bytes);
    for (uint32_t i = 0; i < attached->fd_count; i++)
        close(attached->fds[i]);
    close(attached->socket);
}

/* Blocks until the daemon hangs up. */
static void await_hang_up(int fd)
{
    char byte;
    ck_assert_int_le(recv(fd, &byte, sizeof(byte), 0), 0);
}

START_TEST(test_attach)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached;
    start(NSEC_PER_SEC);
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    ck_assert_uint_eq(attached.fd_count, 3);
    ck_assert_uint_eq(attached.header->magic, SADDLE_ABI_MAGIC);
    ck_assert_uint_eq(attached.header->state, SADDLE_SESSION_OPEN);
    ck_assert_int_eq(toy_pony.attached, 1);
    ck_assert_uint_eq(toy_pony.last.uid, geteuid());
    /* The daemon's own user may everything, within what each session may have. */
    ck_assert_uint_eq(toy_pony.last.grant.rights, PONY_RIGHTS_ALL);
    ck_assert_uint_eq(toy_pony.last.grant.connections, 4);
    ck_assert_uint_eq(toy_pony.last.grant.listeners, 3);
    ck_assert_uint_eq(toy_pony.last.grant.regions, 2);
    ck_assert_uint_eq(toy_pony.last.grant.exposed, 4096);
    stop();
    ck_assert_uint_eq(attached.header->state, SADDLE_SESSION_CLOSED);
    ck_assert_int_eq(attached.header->error, -ESHUTDOWN);
    ck_assert_ptr_nonnull(strstr(attached.header->reason, "daemon stops"));
    await_hang_up(attached.socket);
    leave(&attached);
}
END_TEST

START_TEST(test_events)
{
    struct saddle_attach_request request = good_request();
    struct attached attached, refused;
    const struct event *event;
    ck_assert_int_eq(events_create(&events), 0);
    start(NSEC_PER_SEC);
    strcpy(request.application, "a\nb");
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    strcpy(request.engine, "gam\nma");
    ck_assert_int_eq(attach_with(&refused, &request), -ENODEV);
    await_hang_up(refused.socket);
    leave(&refused);
    stop();
    event = events_find(events, 1);
    ck_assert_int_eq(event->kind, EVENT_SESSION_ATTACHED);
    ck_assert_uint_eq(event->session, 1);
    ck_assert_str_eq(event->engine, "alpha");
    ck_assert_str_eq(event->application, "a?b");
    ck_assert_uint_eq(event->uid, geteuid());
    ck_assert_uint_eq(event->pid, (uint32_t)getpid());
    event = events_find(events, 2);
    ck_assert_int_eq(event->kind, EVENT_SESSION_REFUSED);
    ck_assert_str_eq(event->text, "attach: there is no engine \"gam?ma\"");
    event = events_find(events, 3);
    ck_assert_int_eq(event->kind, EVENT_SESSION_ENDED);
    ck_assert_uint_eq(event->session, 1);
    ck_assert_str_eq(event->text, "closed: the daemon stops");
    ck_assert_str_eq(event->application, "a?b");
    ck_assert_uint_eq(events_next(events), 4);
    events_destroy(events);
    leave(&attached);
}
END_TEST

START_TEST(test_engine_by_name)
{
    struct saddle_attach_request request = good_request();
    struct attached attached;
    start(NSEC_PER_SEC);
    strcpy(request.engine, "beta");
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    leave(&attached);
    strcpy(request.engine, "gamma");
    ck_assert_int_eq(attach_with(&attached, &request), -ENODEV);
    ck_assert_str_eq(attached.reply.reason, "attach: there is no engine \"gamma\"");
    ck_assert_uint_eq(attached.fd_count, 0);
    await_hang_up(attached.socket);
    leave(&attached);
    stop();
}
END_TEST

START_TEST(test_refused_by_plan)
{
    struct saddle_attach_request request = good_request();
    struct attached attached;
    start(NSEC_PER_SEC);
    request.channels = 0;
    ck_assert_int_eq(attach_with(&attached, &request), -EINVAL);
    ck_assert_ptr_nonnull(strstr(attached.reply.reason, "0 channels"));
    leave(&attached);
    stop();
}
END_TEST

START_TEST(test_quota_of_sessions)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached[SESSIONS_PER_UID + 1];
    start(NSEC_PER_SEC);
    for (uint32_t i = 0; i < SESSIONS_PER_UID; i++)
        ck_assert_int_eq(attach_with(&attached[i], &request), 0);
    ck_assert_int_eq(attach_with(&attached[SESSIONS_PER_UID], &request), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(attached[SESSIONS_PER_UID].reply.reason, "sessions"));
    for (uint32_t i = 0; i <= SESSIONS_PER_UID; i++)
        leave(&attached[i]);
    stop();
}
END_TEST

START_TEST(test_quota_of_memory)
{
    struct saddle_attach_request request = good_request();
    struct attached attached[2];
    start(NSEC_PER_SEC);
    request.heap_bytes = 2 * ARENA_BYTES;
    ck_assert_int_eq(attach_with(&attached[0], &request), 0);
    ck_assert_int_eq(attach_with(&attached[1], &request), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(attached[1].reply.reason, "bytes of arenas"));
    leave(&attached[0]);
    leave(&attached[1]);
    stop();
}
END_TEST

START_TEST(test_slow_handshake)
{
    struct attached attached;
    start(NSEC_PER_MSEC);
    attached.socket = knock();
    receive(&attached);
    ck_assert_int_eq(attached.reply.error, -ETIMEDOUT);
    await_hang_up(attached.socket);
    close(attached.socket);
    stop();
}
END_TEST

START_TEST(test_too_many_handshakes)
{
    const struct saddle_attach_request request = good_request();
    int slow[SERVER_HANDSHAKES_PER_UID_MAX + 1];
    struct attached attached;
    start(1000 * NSEC_PER_SEC);
    for (uint32_t i = 0; i <= SERVER_HANDSHAKES_PER_UID_MAX; i++)
        slow[i] = knock();
    await_hang_up(slow[SERVER_HANDSHAKES_PER_UID_MAX]);
    /* One of them goes on, and makes room. */
    attached.socket = slow[0];
    ck_assert_int_eq(send(slow[0], &request, sizeof(request), 0), sizeof(request));
    attached.header = NULL;
    receive(&attached);
    ck_assert_int_eq(attached.reply.error, 0);
    leave(&attached);
    for (uint32_t i = 1; i <= SERVER_HANDSHAKES_PER_UID_MAX; i++)
        close(slow[i]);
    stop();
}
END_TEST

START_TEST(test_vanishing_applications)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached;
    start(NSEC_PER_SEC);
    for (int i = 0; i < STORM; i++) {
        int fd = knock();
        /* Before, in the middle of, and after what it came for. */
        if (i % 3 == 1)
            ck_assert_int_eq(send(fd, &request, sizeof(request) / 2, 0), sizeof(request) / 2);
        if (i % 3 == 2)
            ck_assert_int_eq(send(fd, &request, sizeof(request), 0), sizeof(request));
        close(fd);
    }
    /* Everything was cleared away: the quota has room. A session that goes frees it when the loop
     * comes to it, and the loop handles connections in turn. */
    int error = attach_with(&attached, &request);
    while (error == -EDQUOT) {
        leave(&attached);
        error = attach_with(&attached, &request);
    }
    ck_assert_int_eq(error, 0);
    leave(&attached);
    stop();
}
END_TEST

START_TEST(test_speaking_after_the_handshake)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached, other;
    start(NSEC_PER_SEC);
    ck_assert_int_eq(attach_with(&other, &request), 0);
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    ck_assert_int_eq(send(attached.socket, "more", 4, 0), 4);
    await_hang_up(attached.socket);
    ck_assert_uint_eq(attached.header->state, SADDLE_SESSION_CLOSED);
    ck_assert_int_eq(attached.header->error, -EPROTO);
    ck_assert_uint_eq(other.header->state, SADDLE_SESSION_OPEN);
    leave(&attached);
    leave(&other);
    stop();
}
END_TEST

START_TEST(test_engine_closes_session)
{
    const struct saddle_attach_request request = good_request();
    const uint64_t one = 1;
    struct attached attached;
    start(NSEC_PER_SEC);
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    atomic_store(&toy_pony.error, -EPROTO);
    ck_assert_int_eq(write(server_control_fd(server), &one, sizeof(one)), sizeof(one));
    await_hang_up(attached.socket);
    leave(&attached);
    stop();
}
END_TEST

/* Mailbox work: reads a byte of the arena, as an engine does. */
static int touch(void *engine, void *page)
{
    (void)engine;
    return *(volatile uint8_t *)page;
}

START_TEST(test_memory_taken_away)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached;
    int empty = memfd_create("empty", MFD_CLOEXEC);
    start(NSEC_PER_SEC);
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    /* The daemon's own mapping loses a page; the engine touches it. */
    uint8_t *page = toy_pony.last.arena + toy_pony.last.heap_offset;
    ck_assert(mmap(page, ARENA_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, empty,
                   0) == page);
    close(empty);
    int result = -1;
    ck_assert_int_eq(mailbox_call(&engines[0]->mailbox, touch, page, NSEC_PER_SEC, &result), 0);
    ck_assert_int_eq(result, 0);
    await_hang_up(attached.socket);
    ck_assert_int_eq(attached.header->error, -EFAULT);
    leave(&attached);
    stop();
}
END_TEST

START_TEST(test_hang_up_signal_is_no_end)
{
    const struct saddle_attach_request request = good_request();
    struct attached attached;
    start(NSEC_PER_SEC);
    kill(getpid(), SIGHUP);
    ck_assert_int_eq(attach_with(&attached, &request), 0);
    leave(&attached);
    stop();
}
END_TEST

/* Another configuration, as it comes with SIGHUP: engine beta goes, and there is less memory. */
static void lose_beta(void *context)
{
    struct server_config config = {
        .policy = {.owner = geteuid()},
        .sessions_per_uid = SESSIONS_PER_UID,
        .memory_per_uid = 1,
        .handshake_timeout_ns = NSEC_PER_SEC,
    };
    uint64_t ring = 1;
    ck_assert_int_eq(group_remove(group, engines[1]), 0);
    ck_assert_uint_eq(server_engine_sessions(server, engines[0]), 1);
    ck_assert_uint_eq(server_engine_sessions(server, engines[1]), 2);
    server_end_sessions(server, engines[1], "closed: engine beta is removed");
    ck_assert_uint_eq(server_engine_sessions(server, engines[0]), 1);
    ck_assert_uint_eq(server_engine_sessions(server, engines[1]), 0);
    ck_assert_int_eq(group_add(group, engines[1]), 0); /* for stop() */
    server_set_engines(server, engines, 1);
    server_set_policy(server, &config);
    ck_assert_int_eq(write(*(int *)context, &ring, sizeof(ring)), sizeof(ring));
}

START_TEST(test_other_engines_and_limits)
{
    struct saddle_attach_request request = good_request();
    struct attached first, gone[2], late;
    int done = eventfd(0, EFD_CLOEXEC);
    uint64_t rings;
    start(NSEC_PER_SEC);
    server_set_reload(server, lose_beta, &done);
    ck_assert_int_eq(attach_with(&first, &request), 0);
    strcpy(request.engine, "beta");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(attach_with(&gone[i], &request), 0);
    kill(getpid(), SIGHUP);
    ck_assert_int_eq(read(done, &rings, sizeof(rings)), sizeof(rings));
    for (int i = 0; i < 2; i++) {
        await_hang_up(gone[i].socket);
        ck_assert_int_eq(gone[i].header->error, -ECONNABORTED);
        ck_assert_str_eq(gone[i].header->reason, "closed: engine beta is removed");
        leave(&gone[i]);
    }
    ck_assert_uint_eq(first.header->state, SADDLE_SESSION_OPEN);
    ck_assert_int_eq(toy_pony.attached, 1);
    ck_assert_int_eq(attach_with(&late, &request), -EDQUOT);
    leave(&late);
    leave(&first);
    stop();
    close(done);
}
END_TEST

/* Somebody else's descriptor: answers each ring of one eventfd with a ring of the other, until it
 * unwatches itself. */
static struct {
    int asked, answered;
} echo;

static void echo_ready(void *context)
{
    uint64_t rings;
    ck_assert_ptr_eq(context, &echo);
    ck_assert_int_eq(read(echo.asked, &rings, sizeof(rings)), sizeof(rings));
    if (rings > 1)
        server_unwatch(server, echo.asked);
    ck_assert_int_eq(write(echo.answered, &rings, sizeof(rings)), sizeof(rings));
}

START_TEST(test_watch)
{
    uint64_t rings;
    start(NSEC_PER_SEC);
    echo.asked = eventfd(0, EFD_CLOEXEC);
    echo.answered = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(server_watch(server, echo.asked, echo_ready, &echo), 0);
    for (uint64_t i = 1; i <= 2; i++) {
        ck_assert_int_eq(write(echo.asked, &i, sizeof(i)), sizeof(i));
        ck_assert_int_eq(read(echo.answered, &rings, sizeof(rings)), sizeof(rings));
        ck_assert_uint_eq(rings, i);
    }
    rings = 1;
    ck_assert_int_eq(write(echo.asked, &rings, sizeof(rings)), sizeof(rings));
    stop();
    /* Nobody took it. */
    ck_assert_int_eq(read(echo.asked, &rings, sizeof(rings)), sizeof(rings));
    close(echo.asked);
    close(echo.answered);
}
END_TEST

START_TEST(test_watches_are_bounded)
{
    int fds[SERVER_WATCHES_MAX + 1];
    start(NSEC_PER_SEC);
    for (unsigned i = 0; i <= SERVER_WATCHES_MAX; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_eq(server_watch(server, fds[i], echo_ready, &echo),
                         i < SERVER_WATCHES_MAX ? 0 : -ENOSPC);
    }
    server_unwatch(server, fds[0]);
    server_unwatch(server, fds[0]);
    ck_assert_int_eq(server_watch(server, -1, echo_ready, &echo), -EBADF);
    ck_assert_int_eq(server_watch(server, fds[0], echo_ready, &echo), 0);
    stop();
    for (unsigned i = 0; i <= SERVER_WATCHES_MAX; i++)
        close(fds[i]);
}
END_TEST

START_TEST(test_second_daemon)
{
    const struct server_config config = {.path = path, .mode = 0600};
    char reason[REASON_BYTES];
    struct server *second = NULL;
    start(NSEC_PER_SEC);
    ck_assert_int_eq(server_create(&second, &config, reason, sizeof(reason)), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(reason, path));
    ck_assert_ptr_null(second);
    server_destroy(NULL);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/server");
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, test_attach);
    tcase_add_test(tcase, test_events);
    tcase_add_test(tcase, test_engine_by_name);
    tcase_add_test(tcase, test_refused_by_plan);
    tcase_add_test(tcase, test_quota_of_sessions);
    tcase_add_test(tcase, test_quota_of_memory);
    tcase_add_test(tcase, test_slow_handshake);
    tcase_add_test(tcase, test_too_many_handshakes);
    tcase_add_test(tcase, test_vanishing_applications);
    tcase_add_test(tcase, test_speaking_after_the_handshake);
    tcase_add_test(tcase, test_engine_closes_session);
    tcase_add_test(tcase, test_memory_taken_away);
    tcase_add_test(tcase, test_hang_up_signal_is_no_end);
    tcase_add_test(tcase, test_other_engines_and_limits);
    tcase_add_test(tcase, test_watch);
    tcase_add_test(tcase, test_watches_are_bounded);
    tcase_add_test(tcase, test_second_daemon);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
