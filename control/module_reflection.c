/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's reflection, versions v1 and v1alpha, whose messages are the same on the wire: descriptions
 * of all methods, from those that were made when Saddle was built.
 *
 * The descriptions are a FileDescriptorSet (google/protobuf/descriptor.proto); of it this reads
 * names alone, and hands on files as they are.
 */
#include "control/module.h"
#include "descriptors.h"
#include "grpc_reflection_v1_reflection.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX     32u
#define SYMBOL_BYTES  256u
#define SERVICES_MAX  64u
#define NESTED_MAX    8u /* messages within messages; ours have none */
#define VARINT_BITS   7u
#define VARINT_MORE   0x80u
#define TAG_TYPE_BITS 3u
#define TYPE_LENGTH   2u

/* Fields of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    ANY_NAME = 1,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    SERVICE_METHOD = 2,
};

/* What has a name, and in which field of what holds it. */
enum thing {
    THING_NONE, /* the end of a list */
    THING_MESSAGE,
    THING_ENUM,
    THING_SERVICE,
    THING_METHOD,
};

struct kind {
    uint32_t field;
    enum thing thing;
};

struct piece {
    const uint8_t *at;
    size_t length;
};

struct reflection {
    const struct module_world *world;
    struct piece files[FILES_MAX];
    uint32_t file_count;
};

static uint64_t varint(struct piece *from)
{
    uint64_t value = 0;
    unsigned shift = 0;

    while (from->length > 0) {
        uint8_t byte = *from->at++;

        from->length--;
        value |= (uint64_t)(byte & ~VARINT_MORE) << shift;
        shift += VARINT_BITS;
        if (!(byte & VARINT_MORE))
            break;
    }
    return value;
}

/* The next field that has a length, which all that have names are; false at the end. */
static bool next(struct piece *from, uint32_t *number, struct piece *field)
{
    while (from->length > 0) {
        uint64_t tag = varint(from);
        uint64_t length = varint(from);

        if ((tag & ((1u << TAG_TYPE_BITS) - 1)) != TYPE_LENGTH)
            continue; /* a number, read just now */
        *number = (uint32_t)(tag >> TAG_TYPE_BITS);
        *field = (struct piece){from->at, length < from->length ? length : from->length};
        from->at += field->length;
        from->length -= field->length;
        return true;
    }
    return false;
}

static struct piece first(struct piece from, uint32_t wanted)
{
    struct piece field;
    uint32_t number;

    while (next(&from, &number, &field)) {
        if (number == wanted)
            return field;
    }
    return (struct piece){0};
}

static bool is(struct piece piece, const char *text)
{
    return piece.at && piece.length == strlen(text) && !memcmp(piece.at, text, piece.length);
}

/* If the symbol goes on with this name, what is behind it: "" or ".more"; else NULL. */
static const char *behind(const char *symbol, struct piece name)
{
    if (!name.at || strncmp(symbol, (const char *)name.at, name.length) != 0)
        return NULL;
    symbol += name.length;
    return *symbol == '\0' || *symbol == '.' ? symbol : NULL;
}

/* Whether one of the things of these kinds in `from` is the symbol, or holds it. */
static bool holds(struct piece from, const struct kind *kinds, const char *symbol, unsigned depth);

static bool is_or_holds(struct piece piece, enum thing thing, const char *symbol, unsigned depth)
{
    static const struct kind in_message[] = {{MESSAGE_NESTED, THING_MESSAGE},
                                             {MESSAGE_ENUM, THING_ENUM},
                                             {0, THING_NONE}};
    static const struct kind in_service[] = {{SERVICE_METHOD, THING_METHOD}, {0, THING_NONE}};
    const char *rest = behind(symbol, first(piece, ANY_NAME));

    if (!rest || *rest == '\0')
        return rest != NULL;
    if (depth == NESTED_MAX || (thing != THING_MESSAGE && thing != THING_SERVICE))
        return false;
    return holds(piece, thing == THING_SERVICE ? in_service : in_message, rest + 1, depth + 1);
}

static bool holds(struct piece from, const struct kind *kinds, const char *symbol, unsigned depth)
{
    struct piece field;
    uint32_t number;

    while (next(&from, &number, &field)) {
        for (const struct kind *kind = kinds; kind->thing != THING_NONE; kind++) {
            if (number == kind->field && is_or_holds(field, kind->thing, symbol, depth))
                return true;
        }
    }
    return false;
}

static bool file_has(struct piece file, const char *symbol)
{
    static const struct kind in_file[] = {{FILE_MESSAGE, THING_MESSAGE},
                                          {FILE_ENUM, THING_ENUM},
                                          {FILE_SERVICE, THING_SERVICE},
                                          {0, THING_NONE}};
    const char *rest = behind(symbol, first(file, FILE_PACKAGE));

    return rest && *rest == '.' && holds(file, in_file, rest + 1, 0);
}

static int find_file(const struct reflection *reflection, const char *name)
{
    for (uint32_t i = 0; i < reflection->file_count; i++) {
        if (is(first(reflection->files[i], FILE_NAME), name))
            return (int)i;
    }
    return -1;
}

static int find_symbol(const struct reflection *reflection, const char *symbol)
{
    for (uint32_t i = 0; i < reflection->file_count; i++) {
        if (file_has(reflection->files[i], symbol))
            return (int)i;
    }
    return -1;
}

/* The file, and what it imports, each once. */
static uint32_t collect(const struct reflection *reflection, uint32_t file,
                        uint32_t list[FILES_MAX])
{
    uint32_t count = 1;

    list[0] = file;
    for (uint32_t i = 0; i < count; i++) {
        struct piece from = reflection->files[list[i]];
        struct piece field;
        uint32_t number;

        while (next(&from, &number, &field)) {
            for (uint32_t j = 0; number == FILE_DEPENDENCY && j < reflection->file_count; j++) {
                struct piece name = first(reflection->files[j], FILE_NAME);
                uint32_t k = 0;

                while (k < count && list[k] != j)
                    k++;
                if (k == count && name.length == field.length &&
                    !memcmp(name.at, field.at, name.length))
                    list[count++] = j;
            }
        }
    }
    return count;
}

/* ---- Answers ---- */

typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;
#define ASKED(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWER(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

/* A client that asks faster than it reads loses the conversation, not its answers one by one. What
 * the answer points to is of the caller, who takes it out again. */
static void answer(struct rpc_call *call, const response_type *response)
{
    if (rpc_send(call, &response->base))
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "answers are not read");
}

static void answer_error(struct rpc_call *call, response_type *response, enum rpc_status code,
                         const char *what)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    char text[SYMBOL_BYTES];

    snprintf(text, sizeof(text), "there is no %s", what);
    error.error_code = (int32_t)code;
    error.error_message = text;
    response->message_response_case = ANSWER(ERROR_RESPONSE);
    response->error_response = &error;
    answer(call, response);
    response->error_response = NULL;
}

static void answer_file(const struct reflection *reflection, struct rpc_call *call,
                        response_type *response, int file, const char *name)
{
    Grpc__Reflection__V1__FileDescriptorResponse files =
        GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData data[FILES_MAX];
    uint32_t list[FILES_MAX];

    if (file < 0) {
        answer_error(call, response, RPC_NOT_FOUND, name);
        return;
    }
    files.n_file_descriptor_proto = collect(reflection, (uint32_t)file, list);
    for (size_t i = 0; i < files.n_file_descriptor_proto; i++) {
        const struct piece *from = &reflection->files[list[i]];

        data[i] = (ProtobufCBinaryData){from->length, (uint8_t *)(uintptr_t)from->at};
    }
    files.file_descriptor_proto = data;
    response->message_response_case = ANSWER(FILE_DESCRIPTOR_RESPONSE);
    response->file_descriptor_response = &files;
    answer(call, response);
    response->file_descriptor_response = NULL;
}

/* Adds the service of "package.Service/Method", once. */
static void add_service(char names[SERVICES_MAX][SYMBOL_BYTES], uint32_t *count, const char *method)
{
    int length = (int)strcspn(method, "/");
    char name[SYMBOL_BYTES];

    snprintf(name, sizeof(name), "%.*s", length, method);
    for (uint32_t i = 0; i < *count; i++) {
        if (!strcmp(names[i], name))
            return;
    }
    if (*count < SERVICES_MAX)
        memcpy(names[(*count)++], name, sizeof(name));
}

static void answer_services(const struct reflection *reflection, struct rpc_call *call,
                            response_type *response)
{
    Grpc__Reflection__V1__ListServiceResponse list =
        GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX], *pointers[SERVICES_MAX];
    char names[SERVICES_MAX][SYMBOL_BYTES];
    uint32_t service_count, count = 0;
    const struct rpc_service *tables = rpc_services(reflection->world->rpc, &service_count);

    for (uint32_t i = 0; i < service_count; i++) {
        for (uint32_t j = 0; j < tables[i].method_count; j++) {
            /* What has no message is not for clients. */
            if (tables[i].methods[j].request)
                add_service(names, &count, tables[i].methods[j].name);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        grpc__reflection__v1__service_response__init(&services[i]);
        services[i].name = names[i];
        pointers[i] = &services[i];
    }
    list.n_service = count;
    list.service = pointers;
    response->message_response_case = ANSWER(LIST_SERVICES_RESPONSE);
    response->list_services_response = &list;
    answer(call, response);
    response->list_services_response = NULL;
}

static void handle(void *state, struct rpc_call *call, const ProtobufCMessage *message)
{
    const struct reflection *reflection = state;
    const request_type *request = (const void *)message;
    response_type response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

    response.valid_host = request->host;
    response.original_request = (request_type *)(uintptr_t)request;
    switch (request->message_request_case) {
    case ASKED(LIST_SERVICES):
        answer_services(reflection, call, &response);
        break;
    case ASKED(FILE_BY_FILENAME):
        answer_file(reflection, call, &response, find_file(reflection, request->file_by_filename),
                    request->file_by_filename);
        break;
    case ASKED(FILE_CONTAINING_SYMBOL):
        answer_file(reflection, call, &response,
                    find_symbol(reflection, request->file_containing_symbol),
                    request->file_containing_symbol);
        break;
    case ASKED(FILE_CONTAINING_EXTENSION):
    case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_error(call, &response, RPC_NOT_FOUND, "extension: Saddle uses none");
        break;
    default:
        answer_error(call, &response, RPC_INVALID_ARGUMENT, "question in the request");
        break;
    }
}

static const struct rpc_method methods[] = {
    {.name = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .request = &grpc__reflection__v1__server_reflection_request__descriptor,
     .handle = handle,
     .stream = true,
     .converse = true},
    {.name = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .request = &grpc__reflection__v1__server_reflection_request__descriptor,
     .handle = handle,
     .stream = true,
     .converse = true},
};

static int create(struct module_world *world, void **state)
{
    struct reflection *made = calloc(1, sizeof(*made));
    struct piece set = {descriptor_set, descriptor_set_bytes};
    struct piece file;
    uint32_t number;

    if (!made)
        return -ENOMEM;
    made->world = world;
    while (next(&set, &number, &file) && made->file_count < FILES_MAX) {
        if (number == SET_FILE)
            made->files[made->file_count++] = file;
    }
    *state = made;
    return 0;
}

const struct module module_reflection = {
    .name = "reflection",
    .about = "descriptions of all methods, for clients that know none",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .create = create,
    .destroy = free,
};
