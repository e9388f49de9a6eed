/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as JSON, and JSON as messages, by their descriptors.
 *
 * Names are those of the descriptions (.proto); every field is there; 64-bit numbers are numbers;
 * an enumeration's value is its name without the prefix, in lower case. Ownership: the caller's.
 */
#ifndef TOOLS_SADDLECTL_MESSAGE_H
#define TOOLS_SADDLECTL_MESSAGE_H

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#define MESSAGE_FAULT_BYTES 160u

/* NULL if there is no memory. */
struct json_object *message_to_json(const ProtobufCMessage *message);
/* One JSON document and nothing else; NULL if `text` is none. */
struct json_object *message_parse(const char *text);
/* A packed message; *bytes is freed by the caller. 0, or -EINVAL with one line in `fault`. */
int message_from_json(const ProtobufCMessageDescriptor *descriptor, struct json_object *object,
                      uint8_t **bytes, size_t *length, char fault[MESSAGE_FAULT_BYTES]);

#endif
