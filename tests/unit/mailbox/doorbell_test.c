/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells: the armed word, the bells, and applications that try to make the daemon wait.
 */
#include "mailbox/doorbell.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RINGS 100000u /* far more than any bell can hold */

static struct doorbells bells;

static void open_bells(void)
{
    ck_assert_int_eq(doorbells_create(&bells), 0);
}

static void close_bells(void)
{
    doorbells_destroy(&bells);
}

static bool readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    ck_assert_int_ge(poll(&wait, 1, 0), 0);
    return (wait.revents & POLLIN) != 0;
}

START_TEST(armed_word_asks_for_one_ring)
{
    uint32_t armed = 0;

    ck_assert(!doorbell_due(&armed));
    doorbell_arm(&armed);
    ck_assert_uint_eq(armed, 1);
    ck_assert(doorbell_due(&armed));
    ck_assert(!doorbell_due(&armed));
    doorbell_arm(&armed);
    doorbell_disarm(&armed);
    ck_assert(!doorbell_due(&armed));
    armed = 0xdeadbeef;
    ck_assert(doorbell_due(&armed));
    ck_assert_uint_eq(armed, 0);
}
END_TEST

START_TEST(descriptors_are_closed_on_exec_and_do_not_block)
{
    const int fds[] = {bells.engine, bells.application_read, bells.application_write};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        ck_assert_int_ne(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
    }
}
END_TEST

static int lowest_free(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* Descriptors run out at every step: each failure leaves nothing open. */
START_TEST(creation_fails_cleanly_without_descriptors)
{
    int lowest = lowest_free();
    struct doorbells more;

    for (uint32_t left = 0; left <= 3; left++) {
        struct rlimit limit;

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = (rlim_t)lowest + left;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_int_eq(doorbells_create(&more), left < 3 ? -EMFILE : 0);
        if (left == 3)
            doorbells_destroy(&more);
        if (left > 0)
            ck_assert_int_eq(lowest_free(), lowest);
    }
    doorbells_destroy(NULL);
}
END_TEST

START_TEST(application_hears_and_drains)
{
    ck_assert(!readable(bells.application_read));
    doorbell_drain(bells.application_read);
    for (uint32_t rings = 1; rings <= 3; rings++) {
        for (uint32_t i = 0; i < rings; i++)
            doorbell_ring_application(bells.application_write);
        ck_assert(readable(bells.application_read));
        doorbell_drain(bells.application_read);
        ck_assert(!readable(bells.application_read));
    }
}
END_TEST

/* Edge-triggered and never read: still each ring is an event. */
START_TEST(engine_hears_each_ring_without_reading)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, bells.engine, &event), 0);
    ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
    for (uint32_t rings = 0; rings < 5; rings++) {
        doorbell_ring_engine(bells.engine);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
    }
    close(epoll);
}
END_TEST

/* Nobody drains: the bell stays rung, and the ringer returns every time. */
START_TEST(storms_fill_a_bell_and_block_nobody)
{
    for (uint32_t i = 0; i < RINGS; i++) {
        doorbell_ring_application(bells.application_write);
        doorbell_ring_engine(bells.engine);
    }
    ck_assert(readable(bells.application_read));
    doorbell_drain(bells.application_read);
    ck_assert(!readable(bells.application_read));
    doorbell_ring_application(bells.application_write);
    ck_assert(readable(bells.application_read));
}
END_TEST

/* The application makes all that is its own blocking, and fills it; the ringer still returns. */
START_TEST(application_cannot_make_the_bell_block)
{
    uint64_t brim = UINT64_MAX - 1;

    ck_assert_int_eq(fcntl(bells.application_read, F_SETFL, 0), 0);
    for (uint32_t i = 0; i < RINGS; i++)
        doorbell_ring_application(bells.application_write);
    doorbell_drain(bells.application_read);
    ck_assert(!readable(bells.application_read));
    doorbell_drain(bells.application_read);
    ck_assert_int_eq(write(bells.engine, &brim, sizeof(brim)), sizeof(brim));
    doorbell_ring_engine(bells.engine);
}
END_TEST

/* Even the daemon's own end set to blocking: it is each send that does not wait. */
START_TEST(ringing_does_not_rest_on_descriptor_flags)
{
    ck_assert_int_eq(fcntl(bells.application_write, F_SETFL, 0), 0);
    for (uint32_t i = 0; i < RINGS; i++)
        doorbell_ring_application(bells.application_write);
    ck_assert(readable(bells.application_read));
}
END_TEST

START_TEST(application_cannot_park_anything_in_the_bell)
{
    ck_assert_int_lt(send(bells.application_read, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), 0);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

/* The application is gone: no signal, no wait. Another test process would die of SIGPIPE. */
START_TEST(ringing_the_dead_is_harmless)
{
    ck_assert_ptr_ne(signal(SIGPIPE, SIG_DFL), SIG_ERR);
    close(bells.application_read);
    for (uint32_t i = 0; i < 3; i++)
        doorbell_ring_application(bells.application_write);
    bells.application_read = dup(0);
}
END_TEST

/* The daemon is gone: the application is woken by the end of the stream. */
START_TEST(application_hears_the_end_of_the_daemon)
{
    close(bells.application_write);
    ck_assert(readable(bells.application_read));
    doorbell_drain(bells.application_read);
    bells.application_write = dup(0);
}
END_TEST

static void *take_into_faulting_memory(void *page)
{
    return (void *)(intptr_t)recv(bells.application_read, page, 1, 0);
}

/* A reader that faults in the middle of taking a ring, on memory that is served by nobody, must not
 * hold up whoever rings next. Needs a userfaultfd that catches faults of the kernel, which an
 * ordinary user gets only by sysctl; a file of a stalled FUSE file system would do the same. */
START_TEST(reader_stuck_in_a_page_fault_blocks_nobody)
{
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_range range = {.start = (uintptr_t)page, .len = size};
    struct uffdio_register watch = {.range = range, .mode = UFFDIO_REGISTER_MODE_MISSING};
    struct uffdio_zeropage serve = {.range = range};
    struct uffd_msg fault;
    pthread_t reader;
    void *taken;

    ck_assert_ptr_ne(page, MAP_FAILED);
    doorbell_ring_application(bells.application_write);
    if (faults >= 0) {
        ck_assert_int_eq(ioctl(faults, UFFDIO_API, &api), 0);
        ck_assert_int_eq(ioctl(faults, UFFDIO_REGISTER, &watch), 0);
    }
    ck_assert_int_eq(pthread_create(&reader, NULL, take_into_faulting_memory, page), 0);
    if (faults >= 0)
        ck_assert_int_eq(read(faults, &fault, sizeof(fault)), sizeof(fault));
    for (uint32_t i = 0; i < RINGS; i++)
        doorbell_ring_application(bells.application_write);
    if (faults >= 0)
        ck_assert_int_eq(ioctl(faults, UFFDIO_ZEROPAGE, &serve), 0);
    ck_assert_int_eq(pthread_join(reader, &taken), 0);
    ck_assert_int_eq((intptr_t)taken, 1);
    munmap(page, size);
    close(faults);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doorbell");
    TCase *honest = tcase_create("honest");
    TCase *hostile = tcase_create("hostile");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(honest, open_bells, close_bells);
    tcase_add_test(honest, armed_word_asks_for_one_ring);
    tcase_add_test(honest, descriptors_are_closed_on_exec_and_do_not_block);
    tcase_add_test(honest, creation_fails_cleanly_without_descriptors);
    tcase_add_test(honest, application_hears_and_drains);
    tcase_add_test(honest, engine_hears_each_ring_without_reading);
    tcase_add_test(honest, application_hears_the_end_of_the_daemon);
    tcase_add_checked_fixture(hostile, open_bells, close_bells);
    tcase_add_test(hostile, storms_fill_a_bell_and_block_nobody);
    tcase_add_test(hostile, application_cannot_make_the_bell_block);
    tcase_add_test(hostile, ringing_does_not_rest_on_descriptor_flags);
    tcase_add_test(hostile, application_cannot_park_anything_in_the_bell);
    tcase_add_test(hostile, ringing_the_dead_is_harmless);
    tcase_add_test(hostile, reader_stuck_in_a_page_fault_blocks_nobody);
    tcase_set_timeout(hostile, 30);
    suite_add_tcase(suite, honest);
    suite_add_tcase(suite, hostile);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
