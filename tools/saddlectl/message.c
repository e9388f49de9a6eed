/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/message.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ENUM_BYTES 64u

/* The name of a value without that of its enumeration: of EVENT_KIND_ENGINE_BACK of EventKind what
 * follows EVENT_KIND_. */
static const char *short_name(const ProtobufCEnumDescriptor *descriptor, const char *name)
{
    const char *prefix = descriptor->short_name, *at = name;

    while (*prefix && *at) {
        if (*at == '_') {
            at++;
        } else if (tolower((unsigned char)*at++) != tolower((unsigned char)*prefix++)) {
            return name;
        }
    }
    return !*prefix && *at == '_' ? at + 1 : name;
}

/* "CONDITION_OK" of Condition is "ok". */
static struct json_object *enum_to_json(const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);
    char text[ENUM_BYTES];

    if (!found)
        return json_object_new_int(value);
    snprintf(text, sizeof(text), "%s", short_name(descriptor, found->name));
    for (char *at = text; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return json_object_new_string(text);
}

static struct json_object *value_to_json(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return json_object_new_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_object_new_int64(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_object_new_int(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_object_new_uint64(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_object_new_int64(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_to_json(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_object_new_string(*(char *const *)at ? *(char *const *)at : "");
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(ProtobufCMessage *const *)at ? message_to_json(*(ProtobufCMessage *const *)at)
                                              : NULL;
    default:
        return NULL; /* none of ours */
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

struct json_object *message_to_json(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    struct json_object *object = json_object_new_object();

    for (unsigned i = 0; object && i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        const uint8_t *at = (const uint8_t *)message + field->offset;
        struct json_object *value;

        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            value = value_to_json(field, at);
        } else {
            size_t count = *(const size_t *)(const void *)((const uint8_t *)message +
                                                           field->quantifier_offset);
            const uint8_t *list = *(uint8_t *const *)(const void *)at;

            value = json_object_new_array();
            for (size_t j = 0; j < count; j++)
                json_object_array_add(value, value_to_json(field, list + j * size_of(field)));
        }
        json_object_object_add(object, field->name, value);
    }
    return object;
}

/* ---- From JSON: the flat messages that requests are ---- */

static int set_enum(const ProtobufCEnumDescriptor *descriptor, int *at, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return -EINVAL;
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        if (strcasecmp(short_name(descriptor, descriptor->values[i].name),
                       json_object_get_string(value)) != 0)
            continue;
        *at = descriptor->values[i].value;
        return 0;
    }
    return -EINVAL;
}

static int set_value(const ProtobufCFieldDescriptor *field, void *at, struct json_object *value)
{
    bool whole = json_object_is_type(value, json_type_int);

    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM:
        return set_enum(field->descriptor, at, value);
    case PROTOBUF_C_TYPE_STRING:
        if (!json_object_is_type(value, json_type_string) ||
            strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
            return -EINVAL;
        *(char **)at = strdup(json_object_get_string(value));
        return *(char **)at ? 0 : -ENOMEM;
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_object_is_type(value, json_type_boolean))
            return -EINVAL;
        *(protobuf_c_boolean *)at = json_object_get_boolean(value);
        return 0;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)at = json_object_get_uint64(value);
        return whole && json_object_get_string(value)[0] != '-' ? 0 : -EINVAL;
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)at = (uint32_t)json_object_get_uint64(value);
        return whole && json_object_get_int64(value) >= 0 &&
                       json_object_get_int64(value) <= UINT32_MAX
                   ? 0
                   : -EINVAL;
    default:
        return -EINVAL;
    }
}

static int set_list(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                    struct json_object *value)
{
    size_t *count = (size_t *)(void *)((uint8_t *)message + field->quantifier_offset);
    uint8_t **list = (uint8_t **)(void *)((uint8_t *)message + field->offset);
    size_t wanted;

    if (!json_object_is_type(value, json_type_array))
        return -EINVAL;
    wanted = json_object_array_length(value);
    *list = calloc(wanted + 1, size_of(field));
    if (!*list)
        return -ENOMEM;
    for (size_t i = 0; i < wanted; i++) {
        int error =
            set_value(field, *list + i * size_of(field), json_object_array_get_idx(value, i));

        if (error)
            return error;
        *count = i + 1;
    }
    return 0;
}

static int set_field(ProtobufCMessage *message, const char *name, struct json_object *value,
                     char fault[MESSAGE_FAULT_BYTES])
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    int error;

    if (!field) {
        snprintf(fault, MESSAGE_FAULT_BYTES, "%s has no field \"%s\"",
                 message->descriptor->short_name, name);
        return -EINVAL;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        error = set_list(field, message, value);
    else
        error = set_value(field, (uint8_t *)message + field->offset, value);
    if (error)
        snprintf(fault, MESSAGE_FAULT_BYTES, "%s: %s is no value for it", name,
                 json_object_to_json_string(value));
    return error;
}

/* Whether json-c can tell each number from its neighbours: one beyond 64 bits it takes for the
 * largest. */
static bool numbers_fit(const char *text)
{
    bool within = false; /* a string */
    char *end;

    while (*text) {
        if (*text == '"')
            within = !within;
        if (within && text[0] == '\\' && text[1])
            text++;
        if (within || *text < '0' || *text > '9') {
            text++;
            continue;
        }
        errno = 0;
        strtoull(text, &end, 10);
        if (errno == ERANGE)
            return false;
        text = end;
    }
    return true;
}

struct json_object *message_parse(const char *text)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object = NULL;

    if (!tokener)
        return NULL;
    /* Else what follows the object is overlooked. */
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    if (numbers_fit(text))
        object = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    json_tokener_free(tokener);
    return object;
}

int message_from_json(const ProtobufCMessageDescriptor *descriptor, struct json_object *object,
                      uint8_t **bytes, size_t *length, char fault[MESSAGE_FAULT_BYTES])
{
    ProtobufCMessage *message = calloc(1, descriptor->sizeof_message);
    int error = 0;

    snprintf(fault, MESSAGE_FAULT_BYTES, "the request is no JSON object");
    if (!message || !json_object_is_type(object, json_type_object)) {
        free(message);
        return -EINVAL;
    }
    protobuf_c_message_init(descriptor, message);
    json_object_object_foreach(object, name, value)
    {
        error = set_field(message, name, value, fault);
        if (error)
            break;
    }
    if (!error) {
        *length = protobuf_c_message_get_packed_size(message);
        *bytes = malloc(*length + 1);
        if (*bytes)
            protobuf_c_message_pack(message, *bytes);
        else
            error = -ENOMEM;
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return error;
}
