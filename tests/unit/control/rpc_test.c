/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/rpc.h"
#include "control/rpc_wire.h"
#include "grpc_health_v1_health.pb-c.h"
#include "grpc_reflection_v1_reflection.pb-c.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALL 7u
#define BIG  (3u * LINK_BODY_MAX + 5u)

/* The handlers of the toy count, and keep the call of the stream. */
static struct toy {
    uint32_t handled, gone;
    size_t length; /* of the last name */
    struct rpc_call *kept;
} toy;

static struct rpc *rpc;
static struct link far;
static uint8_t body[LINK_BODY_MAX];
static uint8_t big[LINK_MESSAGE_MAX + LINK_BODY_MAX];

static void echo(void *module, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *asked =
        (const Grpc__Health__V1__HealthCheckRequest *)request;
    struct toy *self = module;
    self->handled++;
    self->length = strlen(asked->service);
    rpc_answer(call, request);
}

static void stream(void *module, struct rpc_call *call, const ProtobufCMessage *request)
{
    struct toy *self = module;
    (void)request;
    self->handled++;
    self->kept = call;
}

static void gone(void *module, struct rpc_call *call)
{
    struct toy *self = module;
    ck_assert_ptr_eq(call, self->kept);
    self->gone++;
    self->kept = NULL;
}

static void refuse(void *module, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)module;
    (void)request;
    rpc_end(call, rpc_status_of(-ENOENT), "no %s", "horse");
}

#define REQUEST &grpc__health__v1__health_check_request__descriptor
static const struct rpc_method methods[] = {
    {.name = "toy/Echo", .request = REQUEST, .handle = echo},
    {.name = "toy/Fail", .request = REQUEST, .handle = refuse},
    {.name = "toy/Operate", .role = LINK_ROLE_OPERATE, .request = REQUEST, .handle = echo},
    {.name = "toy/Stream", .request = REQUEST, .handle = stream, .stream = true, .gone = gone},
    {.name = "toy/Talk", .request = REQUEST, .handle = stream, .converse = true, .gone = gone},
};
static const struct rpc_service service = {methods, sizeof(methods) / sizeof(methods[0]), &toy};

static void setup(void)
{
    struct link ends[2];
    toy = (struct toy){0};
    ck_assert_int_eq(rpc_create(&rpc, &service, 1), 0);
    ck_assert_int_eq(link_pair(ends), 0);
    rpc_attach(rpc, ends[0]);
    far = ends[1];
}

static void teardown(void)
{
    rpc_destroy(rpc);
    link_close(&far);
}

static void put(uint8_t kind, uint8_t flags, const void *bytes, uint32_t length)
{
    struct link_frame frame = {.call = CALL, .kind = kind, .flags = flags, .length = length};
    ck_assert_int_eq(link_send(&far, &frame, bytes), 0);
}

static void put_call(const char *method)
{
    struct link_caller caller = {.role = LINK_ROLE_OBSERVE};
    memcpy(body, &caller, sizeof(caller));
    memcpy(body + sizeof(caller), method, strlen(method));
    put(LINK_CALL, 0, body, (uint32_t)(sizeof(caller) + strlen(method)));
}

/* A request whose service is `length` letters; returns its bytes in `big`. */
static uint32_t pack_request(uint32_t length)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    char *name = malloc(length + 1);
    memset(name, 'x', length);
    name[length] = '\0';
    request.service = name;
    uint32_t bytes = (uint32_t)protobuf_c_message_pack(&request.base, big);
    free(name);
    return bytes;
}

static void put_message(uint32_t bytes)
{
    uint32_t at = 0;
    for (; bytes - at > LINK_BODY_MAX; at += LINK_BODY_MAX) {
        put(LINK_MESSAGE, LINK_MORE, big + at, LINK_BODY_MAX);
        ck_assert_int_eq(rpc_work(rpc), 0);
    }
    put(LINK_MESSAGE, 0, big + at, bytes - at);
}

/* Whole messages until the END or until nothing more comes; their number. */
static struct received {
    uint32_t messages, ends, bytes;
    uint16_t status;
    char text[LINK_TEXT_MAX + 1];
} got;

static void take(void)
{
    struct link_frame frame;
    ck_assert_int_eq(rpc_work(rpc), 0);
    while (link_receive(&far, &frame, body) == 0) {
        ck_assert_uint_eq(frame.call, CALL);
        if (frame.kind == LINK_MESSAGE) {
            got.messages += !(frame.flags & LINK_MORE);
            got.bytes += frame.length;
        } else {
            ck_assert_uint_eq(frame.kind, LINK_END);
            got.ends++;
            got.status = frame.status;
            memcpy(got.text, body, frame.length);
            got.text[frame.length] = '\0';
        }
        ck_assert_int_eq(rpc_work(rpc), 0);
    }
}

static void expect_end(enum rpc_status status, const char *part)
{
    struct rpc_stats stats;
    take();
    ck_assert_uint_eq(got.ends, 1);
    ck_assert_msg(got.status == status, "%u %s", got.status, got.text);
    ck_assert_msg(strstr(got.text, part), "%s", got.text);
    rpc_stats(rpc, &stats);
    ck_assert_uint_eq(stats.open, 0);
    got = (struct received){0};
}

static void call_with(const char *method, uint32_t bytes)
{
    put_call(method);
    put_message(bytes);
    put(LINK_FINISHED, 0, NULL, 0);
}

START_TEST(test_unary)
{
    call_with("toy/Echo", pack_request(3));
    expect_end(RPC_OK, "");
    ck_assert_uint_eq(toy.length, 3);
    call_with("toy/Fail", pack_request(3));
    expect_end(RPC_NOT_FOUND, "no horse");
    call_with("toy/Echo", 0);
    expect_end(RPC_OK, "");
}
END_TEST

START_TEST(test_pieces)
{
    uint32_t bytes = pack_request(BIG);
    call_with("toy/Echo", bytes);
    take();
    ck_assert_uint_eq(toy.length, BIG);
    ck_assert_uint_eq(got.messages, 1);
    ck_assert_uint_eq(got.bytes, bytes);
    expect_end(RPC_OK, "");
}
END_TEST

START_TEST(test_refused)
{
    call_with("toy/None", 0);
    expect_end(RPC_UNIMPLEMENTED, "toy/None");
    call_with("toy/Operate", 0);
    expect_end(RPC_PERMISSION_DENIED, "toy/Operate takes the role \"operate\"");
    put_call("toy/Echo");
    put(LINK_FINISHED, 0, NULL, 0);
    expect_end(RPC_INVALID_ARGUMENT, "takes a request");
    put_call("toy/Echo");
    put_message(0);
    put_message(0);
    expect_end(RPC_INVALID_ARGUMENT, "takes one request");
    put_call("toy/Echo");
    put_message(LINK_MESSAGE_MAX + 1);
    expect_end(RPC_RESOURCE_EXHAUSTED, "at most");
    ck_assert_uint_eq(toy.handled, 0);
}
END_TEST

START_TEST(test_order)
{
    put(LINK_CREDIT, 0, NULL, 0);
    put(LINK_CANCEL, 0, NULL, 0);
    put(LINK_FINISHED, 0, NULL, 0);
    put(LINK_MESSAGE, 0, body, 1);
    ck_assert_int_eq(rpc_work(rpc), 0);
    put_call("toy/Stream");
    ck_assert_int_eq(rpc_work(rpc), 0);
    put_call("toy/Stream");
    ck_assert_int_eq(rpc_work(rpc), -EPROTO);
    rpc_detach(rpc);
    ck_assert_int_eq(rpc_work(rpc), -EPIPE);
}
END_TEST

START_TEST(test_peer_ends_or_gives_too_much)
{
    put(LINK_END, 0, NULL, 0);
    ck_assert_int_eq(rpc_work(rpc), -EPROTO);
    put_call("toy/Stream");
    ck_assert_int_eq(rpc_work(rpc), 0);
    put(LINK_CREDIT, 0, NULL, 0);
    ck_assert_int_eq(rpc_work(rpc), -EPROTO);
}
END_TEST

static void answer(void)
{
    Grpc__Health__V1__HealthCheckResponse one = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    ck_assert_int_eq(rpc_send(toy.kept, &one.base), 0);
}

START_TEST(test_credits)
{
    call_with("toy/Stream", 0);
    take();
    for (uint32_t i = 0; i < LINK_CREDITS + 2; i++)
        answer();
    take();
    ck_assert_uint_eq(got.messages, LINK_CREDITS);
    ck_assert(!rpc_wants_write(rpc));
    put(LINK_CREDIT, 0, NULL, 0);
    take();
    ck_assert_uint_eq(got.messages, LINK_CREDITS + 1);
    rpc_end(toy.kept, RPC_OK, NULL);
    take();
    ck_assert_uint_eq(got.ends, 0);
    put(LINK_CREDIT, 0, NULL, 0);
    expect_end(RPC_OK, "");
}
END_TEST

START_TEST(test_slow_stream)
{
    struct rpc_stats stats;
    int error = 0;
    call_with("toy/Stream", 0);
    take();
    for (uint32_t i = 0; i < 2 * RPC_QUEUE_MAX / LINK_BODY_MAX && !error; i++)
        error = rpc_send_bytes(toy.kept, body, LINK_BODY_MAX);
    ck_assert_int_eq(error, -EAGAIN);
    rpc_stats(rpc, &stats);
    ck_assert_uint_eq(stats.dropped, 1);
    put(LINK_CANCEL, 0, NULL, 0);
    expect_end(RPC_CANCELLED, "");
    ck_assert_uint_eq(toy.gone, 1);
}
END_TEST

START_TEST(test_cancel_and_detach)
{
    call_with("toy/Stream", 0);
    take();
    rpc_end(toy.kept, RPC_OK, NULL);
    put(LINK_CANCEL, 0, NULL, 0);
    expect_end(RPC_OK, "");
    ck_assert_uint_eq(toy.gone, 0);
    call_with("toy/Stream", 0);
    take();
    rpc_detach(rpc);
    ck_assert_uint_eq(toy.gone, 1);
}
END_TEST

/* Whoever keeps a call hears of its end, also if the client breaks a rule. */
START_TEST(test_talks_on)
{
    call_with("toy/Stream", 0);
    take();
    put_message(0);
    expect_end(RPC_INVALID_ARGUMENT, "takes one request");
    ck_assert_uint_eq(toy.gone, 1);
    put_call("toy/Talk");
    put_message(0);
    take();
    big[0] = 0xff;
    put_message(1);
    expect_end(RPC_INVALID_ARGUMENT, "no end");
    ck_assert_uint_eq(toy.gone, 2);
}
END_TEST

START_TEST(test_turned_away)
{
    const struct link_refusals refusals = {{1, 2, UINT32_MAX}};
    struct rpc_stats stats;
    put(LINK_REFUSED, 0, &refusals, sizeof(refusals));
    put(LINK_REFUSED, 0, &refusals, sizeof(refusals));
    take();
    rpc_stats(rpc, &stats);
    ck_assert_uint_eq(stats.turned_away[LINK_REFUSAL_ROLE], 2);
    ck_assert_uint_eq(stats.turned_away[LINK_REFUSAL_CERTIFICATE], 4);
    ck_assert_uint_eq(stats.turned_away[LINK_REFUSAL_CROWDED], 2ull * UINT32_MAX);
    ck_assert_uint_eq(stats.calls, 0);
}
END_TEST

static const char *unpack_fault(const ProtobufCMessageDescriptor *descriptor, const void *bytes,
                                size_t length)
{
    static char fault[RPC_WIRE_FAULT_BYTES];
    ProtobufCMessage *message;
    ck_assert_int_eq(rpc_wire_unpack(descriptor, bytes, length, &message, fault), -EINVAL);
    return fault;
}

START_TEST(test_malformed)
{
    static const char *const texts[] = {"\x0a\x02\xc0\x80", "\x0a\x02\xed\xa0", "\x0a\x01\xff",
                                        "\x0a\x02x\0"};
    static const size_t lengths[] = {4, 4, 3, 4};
    for (size_t i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(strstr(unpack_fault(REQUEST, texts[i], lengths[i]), "service of"));
    ck_assert_ptr_nonnull(strstr(unpack_fault(REQUEST, "\x0a\x05x", 3), "middle of a field"));
    ck_assert_ptr_nonnull(strstr(unpack_fault(REQUEST, "\x0b", 1), "unknown type"));
    ck_assert_ptr_nonnull(strstr(unpack_fault(REQUEST, "\x02\x00", 2), "wrong number"));
    ck_assert_ptr_nonnull(strstr(unpack_fault(REQUEST, "\x08\x01", 2), "is no grpc"));
}
END_TEST

/* Two bytes of the wire become a message in memory each. */
START_TEST(test_memory_is_bounded)
{
    size_t length = LINK_MESSAGE_MAX;
    for (size_t i = 0; i < length; i += 2) {
        big[i] = 0x0a;
        big[i + 1] = 0;
    }
    const char *fault =
        unpack_fault(&grpc__reflection__v1__list_service_response__descriptor, big, length);
    ck_assert_msg(strstr(fault, "in memory"), "%s", fault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/rpc");
    TCase *tcase = tcase_create("rpc");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_unary);
    tcase_add_test(tcase, test_pieces);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_order);
    tcase_add_test(tcase, test_peer_ends_or_gives_too_much);
    tcase_add_test(tcase, test_credits);
    tcase_add_test(tcase, test_slow_stream);
    tcase_add_test(tcase, test_cancel_and_detach);
    tcase_add_test(tcase, test_talks_on);
    tcase_add_test(tcase, test_turned_away);
    tcase_add_test(tcase, test_malformed);
    tcase_add_test(tcase, test_memory_is_bounded);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
