/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/rpc_wire.h"

#include "control/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARINT_BYTES_MAX 10u /* of 64 bits, seven to a byte */
#define TAG_TYPE_BITS    3u
#define TAG_TYPE_MASK    7u
#define FIXED64_BYTES    8u
#define FIXED32_BYTES    4u

/* Protocol Buffers encoding, "Wire types"; groups are a thing of the past and refused. */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_FIXED32 = 5,
};

struct cursor {
    const uint8_t *at, *end;
    char *fault;
};

static int __attribute__((format(printf, 2, 3)))
fail(const struct cursor *cursor, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cursor->fault, RPC_WIRE_FAULT_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static int read_varint(struct cursor *cursor, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;

        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            return 0;
    }
    return fail(cursor, "the request is no message: a number has no end");
}

static int skip(struct cursor *cursor, uint64_t bytes)
{
    if (bytes > (uint64_t)(cursor->end - cursor->at))
        return fail(cursor, "the request is no message: it ends in the middle of a field");
    cursor->at += bytes;
    return 0;
}

/* Bytes of the character that begins here, 0 if none does (RFC 3629 section 4). */
static unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
    static const struct {
        uint8_t first, last; /* of the first byte */
        uint8_t second_low, second_high;
        unsigned length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (*at < forms[i].first || *at > forms[i].last)
            continue;
        if ((size_t)(end - at) < forms[i].length)
            return 0;
        if (forms[i].length > 1 && (at[1] < forms[i].second_low || at[1] > forms[i].second_high))
            return 0;
        for (unsigned j = 2; j < forms[i].length; j++) {
            if ((at[j] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

/* NUL is valid UTF-8, and ends a string in C: it is refused as well. */
static bool is_text(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        unsigned length = utf8_length(at, end);

        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

static int check_message(struct cursor *cursor, const ProtobufCMessageDescriptor *descriptor,
                         unsigned depth);

static int check_bytes(struct cursor *cursor, const ProtobufCMessageDescriptor *descriptor,
                       const ProtobufCFieldDescriptor *field, unsigned depth)
{
    struct cursor inner = *cursor;
    uint64_t length;
    int error = read_varint(cursor, &length);

    inner.at = cursor->at;
    if (!error)
        error = skip(cursor, length);
    if (error || !field)
        return error;
    inner.end = cursor->at;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(&inner, field->descriptor, depth + 1);
    if (field->type == PROTOBUF_C_TYPE_STRING && !is_text(inner.at, inner.end))
        return fail(cursor, "%s of %s is no UTF-8 text, or has a NUL in it", field->name,
                    descriptor->short_name);
    return 0;
}

static int check_field(struct cursor *cursor, const ProtobufCMessageDescriptor *descriptor,
                       unsigned depth)
{
    const ProtobufCFieldDescriptor *field = NULL;
    uint64_t tag;
    int error = read_varint(cursor, &tag);

    if (error)
        return error;
    if (tag >> TAG_TYPE_BITS == 0 || tag > UINT32_MAX)
        return fail(cursor, "the request is no message: a field has a wrong number");
    field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> TAG_TYPE_BITS));
    switch (tag & TAG_TYPE_MASK) {
    case WIRE_VARINT:
        return read_varint(cursor, &tag);
    case WIRE_FIXED64:
        return skip(cursor, FIXED64_BYTES);
    case WIRE_FIXED32:
        return skip(cursor, FIXED32_BYTES);
    case WIRE_LENGTH:
        return check_bytes(cursor, descriptor, field, depth);
    default:
        return fail(cursor, "the request is no message: a field has an unknown type");
    }
}

/* Descends no deeper than RPC_DEPTH_MAX. */
static int check_message(struct cursor *cursor, const ProtobufCMessageDescriptor *descriptor,
                         unsigned depth)
{
    if (depth > RPC_DEPTH_MAX)
        return fail(cursor, "the request has messages within messages, more than %u deep",
                    RPC_DEPTH_MAX);
    while (cursor->at < cursor->end) {
        int error = check_field(cursor, descriptor, depth);

        if (error)
            return error;
    }
    return 0;
}

struct budget {
    size_t left;
    bool spent;
};

static void *take(void *data, size_t bytes)
{
    struct budget *budget = data;

    if (bytes > budget->left) {
        budget->spent = true;
        return NULL;
    }
    budget->left -= bytes;
    return malloc(bytes);
}

static void give(void *data, void *memory)
{
    (void)data;
    free(memory);
}

int rpc_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                    size_t length, ProtobufCMessage **message, char fault[RPC_WIRE_FAULT_BYTES])
{
    struct cursor cursor = {bytes, bytes + length, fault};
    struct budget budget = {.left = RPC_UNPACK_MAX};
    ProtobufCAllocator allocator = {take, give, &budget};
    int error = check_message(&cursor, descriptor, 0);

    if (error)
        return error;
    /* What it allocates can be freed by the default allocator, which is free() too. */
    *message = protobuf_c_message_unpack(descriptor, &allocator, length, bytes);
    if (*message)
        return 0;
    if (budget.spent)
        return fail(&cursor, "the request takes more than %u bytes in memory", RPC_UNPACK_MAX);
    return fail(&cursor, "the request is no %s", descriptor->name);
}
