/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet grammar against arbitrary bytes behind a UDP header.
 *
 * Input: the packet. It is checked twice: as it came, and sealed, so that what lies behind the
 * checksum is reached too. What is accepted must be whole: its operations follow each other without
 * a gap to its very end, none reaches past it, and written again they are the same bytes. A bitmap
 * written again is the same bytes too, in each version.
 */
#include "engines/pony/wire.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wire_addresses addresses = {
    .source = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
    .destination = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2},
    .source_port = 50000,
    .destination_port = WIRE_UDP_PORT,
};

static void require(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void walk(const uint8_t *ops, uint32_t bytes)
{
    uint8_t again[WIRE_OP_BYTES];
    uint32_t at = 0, count = 0, start = 0;
    const uint8_t *payload;
    struct wire_op op;

    while (wire_op_next(ops, bytes, &at, &op, &payload)) {
        require(payload == ops + start + WIRE_OP_BYTES, "a gap between operations");
        require(op.length <= bytes && payload - ops <= bytes - op.length, "past the end");
        wire_op_encode(&op, again);
        require(memcmp(again, ops + start, sizeof(again)) == 0, "an operation changed");
        start = at;
        count++;
    }
    require(at == bytes, "bytes behind the last operation");
    require(count > 0 && count <= WIRE_OPS_MAX, "the number of operations");
}

/* What follows the flow header of an ACK. */
static void weigh(const struct wire_flow *flow, const uint8_t *body, uint32_t bytes)
{
    const struct wire_codec *codec = wire_codec(flow->version);
    uint8_t sack[WIRE_SACK_BYTES], again[WIRE_SACK_BYTES];

    require(codec && bytes <= WIRE_SACK_BYTES, "the length of a bitmap");
    codec->get_sack(body, bytes, sack);
    require(codec->put_sack(sack, again) == bytes && memcmp(again, body, bytes) == 0,
            "a bitmap changed");
}

/* A part lies inside the whole, in whole units. */
static void measure(const uint8_t *body, uint32_t bytes)
{
    uint8_t again[WIRE_PART_BYTES];
    struct wire_part part;
    uint32_t end;

    require(bytes > WIRE_PART_BYTES, "an empty part");
    wire_part_decode(&part, body);
    wire_part_encode(&part, again);
    require(memcmp(again, body, sizeof(again)) == 0, "a part header changed");
    end = part.offset + bytes - WIRE_PART_BYTES;
    require(part.offset % WIRE_PART_UNIT == 0 && end <= part.total, "a part outside of the whole");
    require(end == part.total || end % WIRE_PART_UNIT == 0, "half a unit");
}

static void examine(const uint8_t *packet, uint32_t bytes)
{
    uint8_t again[WIRE_FLOW_BYTES];
    struct wire_hello hello;
    struct wire_flow flow;

    if (wire_check(packet, bytes, &addresses, &flow) != 0)
        return;
    if (flow.type == WIRE_HELLO) {
        wire_hello_decode(&hello, packet);
        return;
    }
    wire_flow_encode(&flow, again);
    require(memcmp(again, packet, sizeof(again)) == 0, "a flow header changed");
    if (flow.type == WIRE_DATA)
        walk(packet + WIRE_FLOW_BYTES, bytes - WIRE_FLOW_BYTES);
    else if (flow.type == WIRE_ACK)
        weigh(&flow, packet + WIRE_FLOW_BYTES, bytes - WIRE_FLOW_BYTES);
    else if (flow.type == WIRE_PART)
        measure(packet + WIRE_FLOW_BYTES, bytes - WIRE_FLOW_BYTES);
    else if (flow.type != WIRE_SEARCH)
        require(bytes == WIRE_FLOW_BYTES, "the length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *sealed;

    if (size > WIRE_PACKET_MAX)
        return 0;
    examine(data, (uint32_t)size);
    if (size < WIRE_FLOW_BYTES)
        return 0;
    sealed = malloc(size);
    require(sealed != NULL, "memory");
    memcpy(sealed, data, size);
    wire_seal(sealed, (uint32_t)size, &addresses);
    examine(sealed, (uint32_t)size);
    free(sealed);
    return 0;
}
