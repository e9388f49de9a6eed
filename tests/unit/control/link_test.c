/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/link.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct link ends[2];
static uint8_t body[LINK_BODY_MAX];

static void setup(void)
{
    ck_assert_int_eq(link_pair(ends), 0);
}

static void teardown(void)
{
    link_close(&ends[0]);
    link_close(&ends[1]);
}

START_TEST(test_frames)
{
    struct link_frame sent = {.call = 3, .kind = LINK_MESSAGE, .length = LINK_BODY_MAX}, got;
    static uint8_t bytes[LINK_BODY_MAX];
    memset(bytes, 'b', sizeof(bytes));
    ck_assert_int_eq(link_receive(&ends[1], &got, body), -EAGAIN);
    ck_assert_int_eq(link_send(&ends[0], &sent, bytes), 0);
    ck_assert_int_eq(link_receive(&ends[1], &got, body), 0);
    ck_assert_mem_eq(&got, &sent, sizeof(got));
    ck_assert_mem_eq(body, bytes, sizeof(body));
    sent.length++;
    ck_assert_int_eq(link_send(&ends[0], &sent, bytes), -EMSGSIZE);
}
END_TEST

START_TEST(test_full_and_gone)
{
    struct link_frame frame = {.kind = LINK_MESSAGE, .length = LINK_BODY_MAX};
    int error;
    do {
        error = link_send(&ends[0], &frame, body);
    } while (!error);
    ck_assert_int_eq(error, -EAGAIN);
    link_close(&ends[1]);
    ck_assert_int_eq(link_send(&ends[0], &frame, body), -EPIPE);
    ck_assert_int_eq(link_receive(&ends[0], &frame, body), -EPIPE);
}
END_TEST

START_TEST(test_descriptors)
{
    struct link_frame frame = {.kind = LINK_CANCEL};
    struct iovec part = {&frame, sizeof(frame)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    memcpy(CMSG_DATA(&control.head), &ends[0].fd, sizeof(int));
    ck_assert_int_ge(sendmsg(ends[0].fd, &message, 0), 0);
    ck_assert_int_eq(link_receive(&ends[1], &frame, body), -EPROTO);
}
END_TEST

static const struct {
    struct link_frame frame;
    uint32_t extra; /* bytes beyond what the frame says */
    int error;
} shapes[] = {
    {{.kind = LINK_FINISHED}, 0, 0},
    {{.kind = LINK_FINISHED, .call = LINK_CALLS_MAX - 1}, 0, 0},
    {{.kind = LINK_FINISHED, .call = LINK_CALLS_MAX}, 0, -EPROTO},
    {{.kind = LINK_FINISHED}, 1, -EPROTO},
    {{.kind = LINK_FINISHED, .length = 1}, 0, -EPROTO},
    {{.kind = LINK_CANCEL, .flags = LINK_MORE}, 0, -EPROTO},
    {{.kind = LINK_CREDIT, .status = 1}, 0, -EPROTO},
    {{.kind = 0}, 0, -EPROTO},
    {{.kind = LINK_REFUSED + 1}, 0, -EPROTO},
    {{.kind = LINK_REFUSED, .length = sizeof(struct link_refusals)}, 0, 0},
    {{.kind = LINK_REFUSED, .length = sizeof(struct link_refusals) - 1}, 0, -EPROTO},
    {{.kind = LINK_REFUSED, .length = sizeof(struct link_refusals) + 1}, 0, -EPROTO},
    {{.kind = LINK_REFUSED}, 0, -EPROTO},
    {{.kind = LINK_MESSAGE}, 0, 0},
    {{.kind = LINK_MESSAGE, .flags = LINK_MORE}, 0, -EPROTO},
    {{.kind = LINK_MESSAGE, .flags = LINK_MORE, .length = 1}, 0, 0},
    {{.kind = LINK_MESSAGE, .flags = 2, .length = 1}, 0, -EPROTO},
    {{.kind = LINK_END, .status = 5, .length = LINK_TEXT_MAX}, 0, 0},
    {{.kind = LINK_END, .length = LINK_TEXT_MAX + 1}, 0, -EPROTO},
    {{.kind = LINK_CALL, .length = sizeof(struct link_caller)}, 0, -EPROTO},
    {{.kind = LINK_CALL, .length = sizeof(struct link_caller) + 1}, 0, 0},
    {{.kind = LINK_CALL, .length = sizeof(struct link_caller) + LINK_METHOD_MAX + 1}, 0, -EPROTO},
};

START_TEST(test_shapes)
{
    uint8_t datagram[sizeof(struct link_frame) + LINK_TEXT_MAX + 2] = {0};
    const struct link_frame *frame = &shapes[_i].frame;
    memcpy(datagram, frame, sizeof(*frame));
    ck_assert_int_eq(link_check(datagram, sizeof(*frame) + frame->length + shapes[_i].extra),
                     shapes[_i].error);
    ck_assert_int_eq(link_check(datagram, sizeof(*frame) - 1), -EPROTO);
}
END_TEST

START_TEST(test_call)
{
    struct link_caller caller = {.role = LINK_ROLE_OPERATE, .uid = 7}, got;
    struct link_frame frame = {.kind = LINK_CALL, .length = sizeof(caller) + 3};
    char method[LINK_METHOD_MAX + 1], longest[LINK_METHOD_MAX + 1];
    memcpy(body, &caller, sizeof(caller));
    memcpy(body + sizeof(caller), "a/b", 3);
    ck_assert_int_eq(link_read_call(&frame, body, &got, method), 0);
    ck_assert_str_eq(method, "a/b");
    memset(longest, 'a', sizeof(longest));
    ck_assert(link_is_method(longest, LINK_METHOD_MAX));
    ck_assert(!link_is_method(longest, LINK_METHOD_MAX + 1));
    ck_assert(!link_is_method("", 0));
    ck_assert(!link_is_method("a\0b", 3));
    ck_assert_uint_eq(got.uid, 7);
    body[sizeof(caller)] = '\n';
    ck_assert_int_eq(link_read_call(&frame, body, &got, method), -EPROTO);
    body[sizeof(caller)] = 'a';
    caller.role = LINK_ROLE_COUNT;
    memcpy(body, &caller, sizeof(caller));
    ck_assert_int_eq(link_read_call(&frame, body, &got, method), -EPROTO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/link");
    TCase *tcase = tcase_create("link");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_frames);
    tcase_add_test(tcase, test_full_and_gone);
    tcase_add_test(tcase, test_descriptors);
    tcase_add_loop_test(tcase, test_shapes, 0, sizeof(shapes) / sizeof(shapes[0]));
    tcase_add_test(tcase, test_call);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
