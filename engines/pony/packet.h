/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet's operations while they are being written, just before it leaves.
 *
 * Ownership: lives on the stack of `fill`; the bytes are the transport's. Threads: the engine's.
 */
#ifndef ENGINES_PONY_PACKET_H
#define ENGINES_PONY_PACKET_H

#include "engines/elements/crc32c.h"
#include "engines/pony/wire.h"

#include <string.h>

/* A fragment shorter than this is written only if it is the last: a sliver costs a header. */
#define PACKET_FRAGMENT_MIN 256u
/* Entries of tables that scans may look at for one packet: 8 KiB, about the work of filling it. */
#define PACKET_SCAN_ENTRIES 256u

/* Bytes of a packet after which a session is charged for what it wrote: some small messages of as
 * many connections, each of which takes less time than it takes to read the clock. */
#define PACKET_CHARGE_BYTES 256u

struct packet {
    uint8_t *bytes;
    uint32_t room; /* bytes */
    uint32_t used; /* bytes */
    uint32_t operations;
    uint32_t data;    /* bytes of applications' data, looked at or copied */
    uint32_t scanned; /* entries of tables */
    uint32_t charged; /* of `used`, to accounts */
    /* One-sided requests in this packet, and the write that goes on in it. A peer may decline a
     * packet with requests; what completes a write must not be declined with it. */
    uint32_t requests;
    const void *write;
};

/* Bytes of payload that one more operation could carry; -1 if there is no room for its header. */
static inline int64_t packet_payload_room(const struct packet *packet)
{
    if (packet->operations == WIRE_OPS_MAX || packet->room - packet->used < WIRE_OP_BYTES)
        return -1;
    uint32_t room = packet->room - packet->used - WIRE_OP_BYTES;
    return room > UINT16_MAX ? UINT16_MAX : room;
}

/* How many of `remaining` bytes the next fragment carries behind `prefix` bytes: 0 if the packet is
 * too full to bother. */
static inline uint32_t packet_fragment(const struct packet *packet, uint32_t prefix,
                                       uint32_t remaining)
{
    int64_t room = packet_payload_room(packet) - (int64_t)prefix;
    if (room >= (int64_t)remaining)
        return remaining;
    return room >= (int64_t)PACKET_FRAGMENT_MIN ? (uint32_t)room : 0;
}

/* Where the payload of the next operation goes. */
static inline uint8_t *packet_payload(const struct packet *packet)
{
    return packet->bytes + packet->used + WIRE_OP_BYTES;
}

/* Adds an operation whose `length` bytes of payload lie in place and whose payload_crc is set. */
static inline void packet_add(struct packet *packet, const struct wire_op *op)
{
    wire_op_encode(op, packet->bytes + packet->used);
    packet->used += WIRE_OP_BYTES + op->length;
    packet->operations++;
}

/* Adds an operation with its payload (op->length bytes, NULL if 0): false if there is no room. */
static inline bool packet_put(struct packet *packet, struct wire_op *op, const void *payload)
{
    if (packet_payload_room(packet) < (int64_t)op->length)
        return false;
    op->payload_crc = 0;
    if (op->length)
        op->payload_crc = crc32c_copy(0, packet_payload(packet), payload, op->length);
    packet_add(packet, op);
    return true;
}

#endif
