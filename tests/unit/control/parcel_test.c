/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/parcel.h"
#include "sched/clock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY    450u                /* descriptors: three datagrams of them */
#define KIND    7u                  /* of the parcels here */
#define RECORD  3u                  /* of their documents */
#define PATIENT (20 * NSEC_PER_SEC) /* long enough for any machine */
#define LARGE   (3u << 20)          /* bytes: more than any socket's buffer */

static int ends[2];

static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
    }
}

static uint64_t later(void)
{
    return clock_now(&clock_machine) + PATIENT;
}

static uint32_t open_descriptors(void)
{
    uint32_t count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Numbered eventfds, and a document that names them in reverse. */
static void draft_many(struct parcel_draft *draft, int *fds, uint32_t count)
{
    parcel_draft_init(draft);
    state_record_begin(&draft->state, RECORD, 1);
    state_put_u32(&draft->state, count);
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = eventfd(i + 1, EFD_CLOEXEC | EFD_NONBLOCK);
        ck_assert_int_ge(fds[i], 0);
        parcel_put_fd(draft, fds[i]);
        state_put_u64(&draft->state, i + 1);
    }
    state_record_end(&draft->state);
}

static void close_many(const int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
}

struct sending {
    struct parcel_draft draft;
    int result;
};

static void *send_it(void *context)
{
    struct sending *sending = context;

    sending->result = parcel_send(ends[0], KIND, &sending->draft, later());
    return NULL;
}

static void take_many(struct parcel *parcel)
{
    uint16_t type, version;
    uint32_t count;

    ck_assert_uint_eq(parcel->kind, KIND);
    ck_assert(state_record_next(&parcel->state, &type, &version));
    ck_assert_uint_eq(type, RECORD);
    count = state_get_u32(&parcel->state);
    ck_assert_uint_eq(count, MANY);
    for (uint32_t i = 0; i < count; i++) {
        int fd = parcel_get_fd(parcel);
        uint64_t number = state_get_u64(&parcel->state), value = 0;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_eq(read(fd, &value, sizeof(value)), sizeof(value));
        ck_assert_uint_eq(value, number);
        close(fd);
    }
    ck_assert_int_eq(parcel->state.error, 0);
}

START_TEST(descriptors_and_document_arrive_together)
{
    uint32_t before = open_descriptors();
    struct sending sending;
    struct parcel parcel;
    pthread_t thread;
    int fds[MANY];

    draft_many(&sending.draft, fds, MANY);
    ck_assert_int_eq(pthread_create(&thread, NULL, send_it, &sending), 0);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(sending.result, 0);
    parcel_draft_destroy(&sending.draft);
    close_many(fds, MANY);
    take_many(&parcel);
    parcel_destroy(&parcel);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_document_is_larger_than_a_socket)
{
    uint8_t *bytes = malloc(LARGE);
    struct parcel_draft draft;
    struct parcel parcel;
    uint16_t type, version;
    uint32_t length;

    ck_assert_ptr_nonnull(bytes);
    for (uint32_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 7);
    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD, 1);
    state_put_bytes(&draft.state, bytes, LARGE);
    state_record_end(&draft.state);
    ck_assert_int_eq(parcel_send(ends[0], KIND, &draft, later()), 0);
    parcel_draft_destroy(&draft);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), 0);
    ck_assert(state_record_next(&parcel.state, &type, &version));
    ck_assert_mem_eq(state_get_bytes(&parcel.state, LARGE, &length), bytes, LARGE);
    ck_assert_uint_eq(length, LARGE);
    parcel_destroy(&parcel);
    free(bytes);
}
END_TEST

START_TEST(a_descriptor_is_taken_once)
{
    struct parcel_draft draft;
    struct parcel parcel;
    uint16_t type, version;
    int fd = eventfd(0, EFD_CLOEXEC);

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD, 1);
    parcel_put_fd(&draft, fd);
    state_put_u32(&draft.state, 0); /* the same again */
    state_record_end(&draft.state);
    ck_assert_int_eq(parcel_send(ends[0], KIND, &draft, later()), 0);
    parcel_draft_destroy(&draft);
    close(fd);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), 0);
    ck_assert(state_record_next(&parcel.state, &type, &version));
    fd = parcel_get_fd(&parcel);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(parcel_get_fd(&parcel), -1);
    ck_assert_int_eq(parcel.state.error, -EBADMSG);
    close(fd);
    parcel_destroy(&parcel);
}
END_TEST

START_TEST(one_that_is_not_there_is_refused)
{
    struct parcel_draft draft;
    struct parcel parcel;
    uint16_t type, version;

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD, 1);
    state_put_u32(&draft.state, 0);
    state_record_end(&draft.state);
    ck_assert_int_eq(parcel_send(ends[0], KIND, &draft, later()), 0);
    parcel_draft_destroy(&draft);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), 0);
    ck_assert(state_record_next(&parcel.state, &type, &version));
    ck_assert_int_eq(parcel_get_fd(&parcel), -1);
    ck_assert_int_eq(parcel.state.error, -EBADMSG);
    parcel_destroy(&parcel);
}
END_TEST

START_TEST(the_other_side_is_gone)
{
    struct parcel_draft draft;
    struct parcel parcel;

    close(ends[1]);
    ends[1] = -1;
    parcel_draft_init(&draft);
    ck_assert_int_eq(parcel_send(ends[0], KIND, &draft, later()), -EPIPE);
    parcel_draft_destroy(&draft);
    ck_assert_int_eq(parcel_receive(ends[0], &parcel, later()), -EPIPE);
}
END_TEST

START_TEST(the_other_side_is_silent)
{
    struct parcel parcel;

    ck_assert_int_eq(parcel_receive(ends[1], &parcel, clock_now(&clock_machine)), -ETIMEDOUT);
}
END_TEST

/* The other side goes away in the middle of a parcel. */
START_TEST(a_part_of_one_leaves_nothing_behind)
{
    uint32_t before = open_descriptors();
    int fds[MANY], pair[2];
    struct parcel_draft draft;
    struct parcel parcel;
    uint8_t datagram[64];
    struct iovec vector = {datagram, sizeof(datagram)};
    uint8_t room[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {&(struct sockaddr){0}, 0, &vector, 1, room, sizeof(room), 0};
    struct sending sending;
    pthread_t thread;

    /* What a sender says first, and no more. */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    draft_many(&sending.draft, fds, MANY);
    ck_assert_int_eq(pthread_create(&thread, NULL, send_it, &sending), 0);
    message.msg_name = NULL;
    vector.iov_len = (size_t)recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC);
    ck_assert_int_gt((int)vector.iov_len, 0);
    ck_assert_int_gt(sendmsg(pair[0], &message, 0), 0);
    close(*(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&message)));
    close(ends[1]);
    ends[1] = -1;
    pthread_join(thread, NULL);
    close(pair[0]);
    ck_assert_int_eq(parcel_receive(pair[1], &parcel, later()), -EPIPE);
    close(pair[1]);
    draft = sending.draft;
    parcel_draft_destroy(&draft);
    close_many(fds, MANY);
    ck_assert_uint_eq(open_descriptors(), before - 1); /* ends[1] */
}
END_TEST

static void send_raw(const void *bytes, size_t length, int fd)
{
    struct iovec vector = {(void *)(uintptr_t)bytes, length};
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } rights = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {NULL, 0, &vector, 1, NULL, 0, 0};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
        message.msg_control = rights.bytes;
        message.msg_controllen = sizeof(rights.bytes);
    }
    ck_assert_int_eq(sendmsg(ends[0], &message, 0), (ssize_t)length);
}

/* As a broken or hostile daemon would send it: magic, kind, length, descriptors, 0. */
static const struct {
    uint32_t magic, kind;
    uint64_t length;
    uint32_t fds, reserved;
} broken[] = {
    {0, KIND, 4096, 0, 0},
    {0x53445043u, KIND, 0, 0, 0},
    {0x53445043u, KIND, UINT64_MAX, 0, 0},
    {0x53445043u, KIND, 4096, UINT32_MAX, 0},
    {0x53445043u, KIND, 4096, 0, 1},
    {0x53445043u, KIND, 4096, 0, 0}, /* the memory is not sealed */
};

START_TEST(what_is_no_parcel_is_refused)
{
    uint32_t before = open_descriptors();
    struct parcel parcel;
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    send_raw(&broken[_i], sizeof(broken[_i]), fd);
    close(fd);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), -EBADMSG);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(without_its_document_it_is_refused)
{
    struct parcel parcel;

    send_raw(&broken[5], sizeof(broken[5]), -1);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), -EBADMSG);
    send_raw("x", 1, -1);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), -EBADMSG);
}
END_TEST

/* The document is sealed, and of the right size, but not one. */
START_TEST(a_damaged_document_is_refused)
{
    struct parcel parcel;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    ck_assert_int_eq(
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    send_raw(&broken[5], sizeof(broken[5]), fd);
    close(fd);
    ck_assert_int_lt(parcel_receive(ends[1], &parcel, later()), 0);
    ck_assert_ptr_null(parcel.bytes);
}
END_TEST

START_TEST(what_the_writer_found_is_told)
{
    struct parcel_draft draft;

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD, 1); /* never ended */
    ck_assert_int_eq(parcel_send(ends[0], KIND, &draft, later()), -EINVAL);
    parcel_draft_destroy(&draft);
}
END_TEST

/* The receiver may have no more descriptors: it says so, and keeps none. */
START_TEST(no_descriptors_left)
{
    struct rlimit limit, low;
    struct sending sending;
    struct parcel parcel;
    pthread_t thread;
    int fds[MANY];
    uint32_t before;

    draft_many(&sending.draft, fds, MANY);
    before = open_descriptors();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){before + 50, limit.rlim_max};
    ck_assert_int_eq(pthread_create(&thread, NULL, send_it, &sending), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_eq(parcel_receive(ends[1], &parcel, later()), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close(ends[1]);
    ends[1] = -1;
    pthread_join(thread, NULL);
    parcel_draft_destroy(&sending.draft);
    ck_assert_uint_eq(open_descriptors(), before - 1);
    close_many(fds, MANY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/parcel");
    TCase *parcels = tcase_create("parcel");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(parcels, setup, teardown);
    tcase_add_test(parcels, descriptors_and_document_arrive_together);
    tcase_add_test(parcels, a_document_is_larger_than_a_socket);
    tcase_add_test(parcels, a_descriptor_is_taken_once);
    tcase_add_test(parcels, one_that_is_not_there_is_refused);
    tcase_add_test(parcels, the_other_side_is_gone);
    tcase_add_test(parcels, the_other_side_is_silent);
    tcase_add_test(parcels, a_part_of_one_leaves_nothing_behind);
    tcase_add_loop_test(parcels, what_is_no_parcel_is_refused, 0,
                        sizeof(broken) / sizeof(broken[0]));
    tcase_add_test(parcels, without_its_document_it_is_refused);
    tcase_add_test(parcels, a_damaged_document_is_refused);
    tcase_add_test(parcels, what_the_writer_found_is_told);
    tcase_add_test(parcels, no_descriptors_left);
    suite_add_tcase(suite, parcels);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
