/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Strangers' bytes as a message of protobuf's: checked before they are unpacked, unpacked within
 * bounds.
 *
 * protobuf-c descends as deep as a message says, takes as much memory as it says, and cuts a string
 * at its first NUL; all of that is decided here before it sees a byte.
 *
 * Ownership: the caller's. Threads: any. Trust: the bytes are hostile, the descriptors ours.
 */
#ifndef CONTROL_RPC_WIRE_H
#define CONTROL_RPC_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_WIRE_FAULT_BYTES 160u

/* 0 with *message, to be freed with protobuf_c_message_free_unpacked; -EINVAL with one line in
 * `fault`: it is no such message, a string in it is no UTF-8, it is deeper than RPC_DEPTH_MAX, or
 * takes more than RPC_UNPACK_MAX; or -ENOMEM. */
int rpc_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                    size_t length, ProtobufCMessage **message, char fault[RPC_WIRE_FAULT_BYTES]);

#endif
