/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/module.h"
#include "grpc_reflection_v1_reflection.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define METHOD   "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define FILENAME GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME
#define SYMBOL                                                                                     \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL
#define FILES                                                                                      \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE
#define SERVICES GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

static struct module_world world;
static struct rpc_service service;
static struct link far;

static void setup(void)
{
    struct link ends[2];
    service.methods = module_reflection.methods;
    service.method_count = module_reflection.method_count;
    ck_assert_int_eq(module_reflection.create(&world, &service.module), 0);
    ck_assert_int_eq(rpc_create(&world.rpc, &service, 1), 0);
    ck_assert_int_eq(link_pair(ends), 0);
    rpc_attach(world.rpc, ends[0]);
    far = ends[1];
}

static void teardown(void)
{
    rpc_destroy(world.rpc);
    module_reflection.destroy(service.module);
    link_close(&far);
}

static void put(uint8_t kind, const void *bytes, size_t length)
{
    struct link_frame frame = {.kind = kind, .length = (uint32_t)length};
    ck_assert_int_eq(link_send(&far, &frame, bytes), 0);
    ck_assert_int_eq(rpc_work(world.rpc), 0);
}

/* Asks one question in a conversation of its own. */
static Response *ask(int kind, const char *text)
{
    static uint8_t answer[LINK_MESSAGE_MAX];
    uint8_t body[LINK_BODY_MAX];
    struct link_caller caller = {.role = LINK_ROLE_OBSERVE};
    struct link_frame frame;
    Request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    size_t bytes = 0;
    request.message_request_case = kind;
    request.file_by_filename = (char *)(uintptr_t)text;
    memcpy(body, &caller, sizeof(caller));
    memcpy(body + sizeof(caller), METHOD, strlen(METHOD));
    put(LINK_CALL, body, sizeof(caller) + strlen(METHOD));
    put(LINK_MESSAGE, body, protobuf_c_message_pack(&request.base, body));
    put(LINK_FINISHED, NULL, 0);
    while (link_receive(&far, &frame, body) == 0 && frame.kind == LINK_MESSAGE) {
        memcpy(answer + bytes, body, frame.length);
        bytes += frame.length;
    }
    ck_assert_uint_eq(frame.kind, LINK_END);
    ck_assert_uint_eq(frame.status, RPC_OK);
    Response *response =
        grpc__reflection__v1__server_reflection_response__unpack(NULL, bytes, answer);
    ck_assert_ptr_nonnull(response);
    return response;
}

static void expect_file(int kind, const char *text, const char *file)
{
    Response *response = ask(kind, text);
    ck_assert_int_eq(response->message_response_case, FILES);
    ck_assert_uint_ge(response->file_descriptor_response->n_file_descriptor_proto, 1);
    /* Field 1, the name, comes first. */
    const ProtobufCBinaryData *first = response->file_descriptor_response->file_descriptor_proto;
    ck_assert_uint_eq(first->data[0], 0x0a);
    ck_assert_uint_eq(first->data[1], strlen(file));
    ck_assert_mem_eq(first->data + 2, file, strlen(file));
    protobuf_c_message_free_unpacked(&response->base, NULL);
}

static void expect_error(int kind, const char *text, int code)
{
    Response *response = ask(kind, text);
    ck_assert_int_eq(
        response->message_response_case,
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE);
    ck_assert_int_eq(response->error_response->error_code, code);
    protobuf_c_message_free_unpacked(&response->base, NULL);
}

START_TEST(test_files)
{
    static const char health[] = "grpc/health/v1/health.proto";
    expect_file(FILENAME, health, health);
    expect_file(SYMBOL, "grpc.health.v1.Health", health);
    expect_file(SYMBOL, "grpc.health.v1.Health.Check", health);
    expect_file(SYMBOL, "grpc.health.v1.HealthCheckResponse", health);
    expect_file(SYMBOL, "grpc.health.v1.HealthCheckResponse.ServingStatus", health);
    expect_file(SYMBOL, "saddle.v1.System", "saddle/v1/system.proto");
}
END_TEST

START_TEST(test_unknown)
{
    static const char *const symbols[] = {"",
                                          ".",
                                          "grpc",
                                          "grpc.health.v1",
                                          "grpc.health.v1.",
                                          "grpc.health.v1.Healthy",
                                          "grpc.health.v1.Health.Checking",
                                          "grpc.health.v1.Health.Check.x"};
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        expect_error(SYMBOL, symbols[i], RPC_NOT_FOUND);
    expect_error(FILENAME, "nothing.proto", RPC_NOT_FOUND);
    expect_error(0, NULL, RPC_INVALID_ARGUMENT);
}
END_TEST

START_TEST(test_services)
{
    Response *response = ask(SERVICES, "");
    const Grpc__Reflection__V1__ListServiceResponse *list = response->list_services_response;
    ck_assert_uint_eq(list->n_service, 2);
    ck_assert_str_eq(list->service[0]->name, "grpc.reflection.v1.ServerReflection");
    ck_assert_str_eq(list->service[1]->name, "grpc.reflection.v1alpha.ServerReflection");
    protobuf_c_message_free_unpacked(&response->base, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/module_reflection");
    TCase *tcase = tcase_create("module_reflection");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_files);
    tcase_add_test(tcase, test_unknown);
    tcase_add_test(tcase, test_services);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
