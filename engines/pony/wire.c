/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/wire.h"

#include "engines/elements/crc32c.h"
#include "engines/pony/wire_bytes.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <string.h>

/* Every packet, of every version, starts with the version and type in byte 0 and has header_crc at
 * this place. */
#define CRC_AT    4u
#define CRC_BYTES 4u

#define OP_LENGTH_AT 2u /* in an operation's header */

#define UDP_HEADER_BYTES 8u  /* RFC 768; the pseudo-header holds the UDP length */
#define PSEUDO_BYTES     40u /* two addresses, two ports, length in 32 bits */

void wire_flow_encode(const struct wire_flow *flow, uint8_t *bytes)
{
    bytes[0] = (uint8_t)(flow->version << 4 | (flow->type & 0x0f));
    bytes[1] = flow->flags;
    put16(bytes + 2, flow->ack_delay);
    put32(bytes + CRC_AT, flow->header_crc);
    put64(bytes + 8, flow->token);
    put32(bytes + 16, flow->seq);
    put32(bytes + 20, flow->ack);
}

void wire_flow_decode(struct wire_flow *flow, const uint8_t *bytes)
{
    flow->version = bytes[0] >> 4;
    flow->type = bytes[0] & 0x0f;
    flow->flags = bytes[1];
    flow->ack_delay = get16(bytes + 2);
    flow->header_crc = get32(bytes + CRC_AT);
    flow->token = get64(bytes + 8);
    flow->seq = get32(bytes + 16);
    flow->ack = get32(bytes + 20);
}

void wire_op_encode(const struct wire_op *op, uint8_t *bytes)
{
    bytes[0] = op->type;
    bytes[1] = op->flags;
    put16(bytes + OP_LENGTH_AT, op->length);
    put32(bytes + 4, op->connection);
    put16(bytes + 8, op->stream);
    put16(bytes + 10, op->reserved);
    put32(bytes + 12, op->id);
    put32(bytes + 16, op->offset);
    put32(bytes + 20, op->payload_crc);
}

void wire_op_decode(struct wire_op *op, const uint8_t *bytes)
{
    op->type = bytes[0];
    op->flags = bytes[1];
    op->length = get16(bytes + OP_LENGTH_AT);
    op->connection = get32(bytes + 4);
    op->stream = get16(bytes + 8);
    op->reserved = get16(bytes + 10);
    op->id = get32(bytes + 12);
    op->offset = get32(bytes + 16);
    op->payload_crc = get32(bytes + 20);
}

void wire_hello_encode(const struct wire_hello *hello, uint8_t bytes[WIRE_HELLO_BYTES])
{
    memset(bytes, 0, WIRE_HELLO_BYTES);
    bytes[0] = WIRE_HELLO_VERSION << 4 | WIRE_HELLO;
    bytes[1] = hello->kind;
    bytes[2] = hello->version_min;
    bytes[3] = hello->version_max;
    put16(bytes + 8, hello->error);
    put16(bytes + 10, hello->mtu);
    put32(bytes + 12, hello->features);
    put32(bytes + 16, hello->seq);
    put16(bytes + 20, hello->udp_port);
    put64(bytes + 24, hello->token);
    put64(bytes + 32, hello->nonce);
    put64(bytes + 40, hello->cookie);
    put64(bytes + 48, hello->epoch);
}

void wire_hello_decode(struct wire_hello *hello, const uint8_t bytes[WIRE_HELLO_BYTES])
{
    hello->kind = bytes[1];
    hello->version_min = bytes[2];
    hello->version_max = bytes[3];
    hello->error = get16(bytes + 8);
    hello->mtu = get16(bytes + 10);
    hello->features = get32(bytes + 12);
    hello->seq = get32(bytes + 16);
    hello->udp_port = get16(bytes + 20);
    hello->token = get64(bytes + 24);
    hello->nonce = get64(bytes + 32);
    hello->cookie = get64(bytes + 40);
    hello->epoch = get64(bytes + 48);
}

void wire_part_encode(const struct wire_part *part, uint8_t bytes[WIRE_PART_BYTES])
{
    put16(bytes, part->total);
    put16(bytes + 2, part->offset);
}

void wire_part_decode(struct wire_part *part, const uint8_t bytes[WIRE_PART_BYTES])
{
    part->total = get16(bytes);
    part->offset = get16(bytes + 2);
}

/* Where the operation that begins at `at` ends; 0 if there is no whole one. */
static uint32_t op_end(const uint8_t *ops, uint32_t bytes, uint32_t at)
{
    if (at > bytes || bytes - at < WIRE_OP_BYTES)
        return 0;
    uint32_t length = get16(ops + at + OP_LENGTH_AT);
    return length <= bytes - at - WIRE_OP_BYTES ? at + WIRE_OP_BYTES + length : 0;
}

bool wire_op_next(const uint8_t *ops, uint32_t bytes, uint32_t *at, struct wire_op *op,
                  const uint8_t **payload)
{
    uint32_t end = op_end(ops, bytes, *at);

    if (end == 0)
        return false;
    wire_op_decode(op, ops + *at);
    *payload = ops + *at + WIRE_OP_BYTES;
    *at = end;
    return true;
}

/* Operation headers, payloads skipped. Stops at what is no whole operation: the caller has checked,
 * or will. */
static uint32_t crc_operations(uint32_t crc, const uint8_t *ops, uint32_t bytes)
{
    uint32_t end;

    for (uint32_t at = 0; (end = op_end(ops, bytes, at)) != 0; at = end)
        crc = crc32c_update(crc, ops + at, WIRE_OP_BYTES);
    return crc;
}

/* header_crc of a packet of at least WIRE_FLOW_BYTES. */
static uint32_t header_crc(const uint8_t *packet, uint32_t bytes,
                           const struct wire_addresses *addresses)
{
    uint8_t start[PSEUDO_BYTES + WIRE_FLOW_BYTES];
    uint32_t crc;

    memcpy(start, addresses->source, sizeof(addresses->source));
    memcpy(start + 16, addresses->destination, sizeof(addresses->destination));
    put16(start + 32, addresses->source_port);
    put16(start + 34, addresses->destination_port);
    put32(start + 36, bytes + UDP_HEADER_BYTES);
    memcpy(start + PSEUDO_BYTES, packet, WIRE_FLOW_BYTES);
    memset(start + PSEUDO_BYTES + CRC_AT, 0, CRC_BYTES);
    crc = crc32c_update(CRC32C_START, start, sizeof(start));
    packet += WIRE_FLOW_BYTES;
    bytes -= WIRE_FLOW_BYTES;
    if ((start[PSEUDO_BYTES] & 0x0f) == WIRE_DATA)
        crc = crc_operations(crc, packet, bytes);
    else
        crc = crc32c_update(crc, packet, bytes);
    return crc;
}

void wire_seal(uint8_t *packet, uint32_t bytes, const struct wire_addresses *addresses)
{
    put32(packet + CRC_AT, header_crc(packet, bytes, addresses));
}

bool wire_operations_fit(const uint8_t *ops, uint32_t bytes)
{
    uint32_t at = 0, count = 0, end;

    for (; count < WIRE_OPS_MAX && (end = op_end(ops, bytes, at)) != 0; at = end)
        count++;
    return count > 0 && at == bytes;
}

int wire_check(const uint8_t *packet, uint32_t bytes, const struct wire_addresses *addresses,
               struct wire_flow *flow)
{
    const struct wire_codec *codec;

    if (bytes < WIRE_FLOW_BYTES || bytes > WIRE_PACKET_MAX)
        return -EBADMSG;
    wire_flow_decode(flow, packet);
    if (flow->type == WIRE_HELLO) {
        if (flow->version != WIRE_HELLO_VERSION || bytes < WIRE_HELLO_BYTES)
            return -EBADMSG;
    } else {
        codec = wire_codec(flow->version);
        if (!codec)
            return -EPROTONOSUPPORT;
        if ((flow->flags & ~WIRE_FLAGS_KNOWN) != 0 ||
            !codec->fits(flow, packet + WIRE_FLOW_BYTES, bytes - WIRE_FLOW_BYTES))
            return -EBADMSG;
    }
    return header_crc(packet, bytes, addresses) == flow->header_crc ? 0 : -EBADMSG;
}
