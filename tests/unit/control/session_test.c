/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions set up and torn down, with every call that can fail made to fail in turn: the linker
 * routes those calls through here (--wrap), and the n-th of them answers with an error.
 */
#include "control/arena.h"
#include "control/policy.h"
#include "control/session.h"
#include "sched/group.h"
#include "tests/unit/control/toy_pony.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNELS     3u
#define FAILURES_MAX 100 /* more calls than a set-up makes */

static int calls_left = -1; /* until one fails; negative: none does */

static bool no_huge_pages;
static enum policy_hugepages hugepages;

static bool fails(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags)
{
    if (no_huge_pages && flags & MFD_HUGETLB)
        return (errno = ENOMEM, -1);
    /* No machine has to have any for this: what is made of them is made of ordinary ones. */
    return fails() ? (errno = EMFILE, -1)
                   : __real_memfd_create(name, flags & ~(MFD_HUGETLB | MFD_HUGE_2MB));
}

int __real_fallocate64(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t length)
{
    return fails() ? (errno = ENOSPC, -1) : __real_fallocate64(fd, mode, offset, length);
}

int __real_ftruncate64(int fd, off_t length);
int __wrap_ftruncate64(int fd, off_t length);
int __wrap_ftruncate64(int fd, off_t length)
{
    return fails() ? (errno = ENOSPC, -1) : __real_ftruncate64(fd, length);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    int argument = va_arg(args, int);
    va_end(args);
    return fails() ? (errno = EPERM, -1) : __real_fcntl64(fd, command, argument);
}

void *__real_mmap64(void *at, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
    return fails() ? (errno = ENOMEM, MAP_FAILED)
                   : __real_mmap64(at, length, prot, flags, fd, offset);
}

int __real_madvise(void *memory, size_t length, int advice);
int __wrap_madvise(void *memory, size_t length, int advice);
int __wrap_madvise(void *memory, size_t length, int advice)
{
    return fails() ? (errno = EINVAL, -1) : __real_madvise(memory, length, advice);
}

int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags)
{
    return fails() ? (errno = EMFILE, -1) : __real_eventfd(value, flags);
}

int __real_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
    return fails() ? (errno = ENFILE, -1) : __real_socketpair(domain, type, protocol, ends);
}

int __real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && fails())
        return (errno = ENOSPC, -1);
    return __real_epoll_ctl(set, operation, fd, event);
}

int __real_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result);
int __wrap_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result);
int __wrap_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result)
{
    return fails() ? -ETIMEDOUT : __real_mailbox_call(mailbox, fn, argument, timeout_ns, result);
}

static struct toy *toy;
static struct group *group;
static struct saddle_attach_request request;
static struct saddle_attach_reply reply;
static uint64_t slots_offset;

static void set_up(void)
{
    struct group_config config = {.name = "test", .mode = &group_mode_spreading};
    toy = toy_create("engine-x");
    ck_assert_int_eq(group_create(&group, &config), 0);
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    request = (struct saddle_attach_request){
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_VERSION,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = CHANNELS,
        .command_entries = 8,
        .completion_entries = 8,
        .receive_slots = 4,
        .heap_bytes = 4096,
        .application = "app\n\x1b[31m\xff",
    };
}

static void tear_down(void)
{
    ck_assert_int_eq(group_remove(group, &toy->engine), 0);
    group_destroy(group);
    toy->engine.ops->destroy(&toy->engine);
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

static int create(struct session **session)
{
    const struct session_owner owner = {
        .id = 9,
        .uid = 77,
        .engine = &toy->engine,
        .grant = {.rights = PONY_RIGHT_LISTEN | PONY_RIGHT_EXPOSE, .regions = 5},
        .hugepages = hugepages,
    };
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), 0);
    if (hugepages != POLICY_HUGEPAGES_OFF)
        arena_plan_huge(&reply);
    return session_create(session, &owner, &request, &reply, slots_offset);
}

START_TEST(test_life)
{
    struct session *session = NULL;
    int fds[ATTACH_FDS_MAX];
    uint32_t before = open_descriptors();
    ck_assert_int_eq(create(&session), 0);
    ck_assert_uint_eq(reply.session, 9);
    ck_assert_uint_eq(session_id(session), 9);
    ck_assert_uint_eq(session_uid(session), 77);
    ck_assert_uint_eq(session_bytes(session), reply.arena_bytes);
    ck_assert_int_eq(session_error(session), 0);
    ck_assert_int_eq(toy_pony.attached, 1);
    ck_assert_uint_eq(toy_pony.last.uid, 77);
    ck_assert_uint_eq(toy_pony.last.grant.rights, PONY_RIGHT_LISTEN | PONY_RIGHT_EXPOSE);
    ck_assert_uint_eq(toy_pony.last.grant.regions, 5);
    struct session_view view;
    session_view(session, &view);
    ck_assert_uint_eq(view.rights, POLICY_ATTACH | POLICY_LISTEN | POLICY_EXPOSE);
    ck_assert_str_eq(toy_pony.last.application, "app??[31m?");
    ck_assert_uint_eq(session_fds(session, fds), 1 + 2 * CHANNELS);
    ck_assert_uint_eq(open_descriptors(), before + 1 + 3 * CHANNELS);
    int bell = dup(fds[2]);
    session_sent(session);
    ck_assert_uint_eq(open_descriptors(), before + 1 + 2 * CHANNELS + 1);
    /* The application's end hears the news. */
    session_tell(session, -ESHUTDOWN, "over");
    struct pollfd heard = {.fd = bell, .events = POLLIN};
    ck_assert_int_eq(poll(&heard, 1, 0), 1);
    close(bell);
    ck_assert_int_eq(session_destroy(session), 0);
    ck_assert_int_eq(toy_pony.attached, 0);
    ck_assert_int_eq(toy_pony.made, 0);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_int_eq(session_destroy(NULL), 0);
}
END_TEST

START_TEST(test_every_failure)
{
    uint32_t before = open_descriptors();
    int failures = 0;
    for (; failures < FAILURES_MAX; failures++) {
        struct session *session = NULL;
        calls_left = failures;
        int error = create(&session);
        calls_left = -1;
        if (!error) {
            ck_assert_int_eq(session_destroy(session), 0);
            break;
        }
        ck_assert_int_eq(reply.error, error);
        ck_assert_ptr_nonnull(strstr(reply.reason, "engine-x"));
        ck_assert_ptr_null(session);
        ck_assert_uint_eq(open_descriptors(), before);
        ck_assert_int_eq(toy_pony.made, 0);
        ck_assert_int_eq(toy_pony.attached, 0);
    }
    /* One session, its arena of four calls and guard, the engine's half, three per channel. */
    ck_assert_int_ge(failures, 8 + 3 * (int)CHANNELS);
    ck_assert_int_lt(failures, FAILURES_MAX);
}
END_TEST

static bool is_huge(const struct session *session)
{
    struct session_view view;

    session_view(session, &view);
    return view.hugepages;
}

/* Those that the policy wants, or what it says is to be had in their place. */
START_TEST(test_huge_pages)
{
    struct session *session = NULL;
    uint32_t before = open_descriptors();
    for (hugepages = POLICY_HUGEPAGES_OFF; hugepages < POLICY_HUGEPAGES_WORDS; hugepages++) {
        ck_assert_int_eq(create(&session), 0);
        ck_assert_int_eq(is_huge(session), hugepages != POLICY_HUGEPAGES_OFF);
        ck_assert_int_eq(session_hugepages_error(session), 0);
        ck_assert_int_eq(session_destroy(session), 0);
    }
    no_huge_pages = true;
    hugepages = POLICY_HUGEPAGES_AUTO;
    ck_assert_int_eq(create(&session), 0);
    ck_assert(!is_huge(session));
    ck_assert_int_eq(session_hugepages_error(session), -ENOMEM);
    ck_assert_int_eq(session_destroy(session), 0);
    hugepages = POLICY_HUGEPAGES_REQUIRED;
    session = NULL;
    ck_assert_int_eq(create(&session), -ENOMEM);
    ck_assert_ptr_null(session);
    ck_assert_str_eq(reply.reason, "attach: the policy requires huge pages for uid 77, 1 of 2 MiB "
                                   "in this case: too few are free");
    ck_assert_uint_eq(open_descriptors(), before);
    no_huge_pages = false;
}
END_TEST

/* Whatever fails on the way to them, ordinary ones do, or nothing is left. */
START_TEST(test_every_failure_of_huge_pages)
{
    uint32_t before = open_descriptors();
    uint32_t fallbacks = 0;
    bool failed = true;
    hugepages = POLICY_HUGEPAGES_AUTO;
    for (int failures = 0; failures < FAILURES_MAX && failed; failures++) {
        struct session *session = NULL;
        calls_left = failures;
        int error = create(&session);
        failed = calls_left < 0;
        calls_left = -1;
        if (!error) {
            fallbacks += !is_huge(session);
            ck_assert_int_eq(session_destroy(session), 0);
        }
        ck_assert_uint_eq(open_descriptors(), before);
        ck_assert_int_eq(toy_pony.made, 0);
    }
    ck_assert(!failed);
    ck_assert_uint_eq(fallbacks, 6); /* memfd_create, ftruncate, fcntl, mmap, madvise, fallocate */
}
END_TEST

START_TEST(test_engine_refuses)
{
    struct session *session = NULL;
    uint32_t before = open_descriptors();
    atomic_store(&toy_pony.refusal, -ENOSPC);
    ck_assert_int_eq(create(&session), -ENOSPC);
    ck_assert_int_eq(reply.error, -ENOSPC);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_int_eq(toy_pony.made, 0);
}
END_TEST

START_TEST(test_silent_engine_keeps_its_session)
{
    struct session *session = NULL;
    ck_assert_int_eq(create(&session), 0);
    calls_left = 0;
    ck_assert_int_eq(session_destroy(session), -ETIMEDOUT);
    calls_left = -1;
    ck_assert_int_eq(toy_pony.attached, 1);
    ck_assert_int_eq(toy_pony.made, 1);
    ck_assert_int_eq(session_destroy(session), 0);
    ck_assert_int_eq(toy_pony.made, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/session");
    TCase *tcase = tcase_create("session");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_life);
    tcase_add_test(tcase, test_every_failure);
    tcase_add_test(tcase, test_huge_pages);
    tcase_add_test(tcase, test_every_failure_of_huge_pages);
    tcase_add_test(tcase, test_engine_refuses);
    tcase_add_test(tcase, test_silent_engine_keeps_its_session);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
