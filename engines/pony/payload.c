/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/payload.h"

#include "engines/pony/wire_bytes.h"

#include <rte_byteorder.h>
#include <string.h>

#include <saddle/abi.h>

struct shape {
    uint16_t least, most; /* bytes of payload */
    uint8_t flags;        /* that it may carry */
    bool data;
};

#define FRAGMENT_MOST UINT16_MAX
#define ENTRY_BYTES   8u /* of the payloads that hold a list */

SADDLE_STATIC_ASSERT(WIRE_DELIVERED_BYTES == ENTRY_BYTES && WIRE_OFFSET_BYTES == ENTRY_BYTES &&
                         WIRE_ITEM_BYTES == ENTRY_BYTES,
                     "the same in all of them");

static const struct shape shapes[WIRE_OP_COUNT] = {
    [WIRE_OP_OPEN] = {WIRE_OPEN_BYTES + 1, WIRE_OPEN_BYTES + PAYLOAD_SERVICE_MAX, 0, false},
    [WIRE_OP_OPENED] = {WIRE_OPENED_BYTES, WIRE_OPENED_BYTES, 0, false},
    [WIRE_OP_CLOSE] = {WIRE_CLOSE_BYTES, WIRE_CLOSE_BYTES, 0, false},
    [WIRE_OP_MESSAGE] = {1, FRAGMENT_MOST, WIRE_OP_LAST | WIRE_OP_UNORDERED, true},
    [WIRE_OP_OFFER] = {0, 0, WIRE_OP_UNORDERED, false},
    [WIRE_OP_PULL] = {0, 0, WIRE_OP_UNORDERED, false},
    [WIRE_OP_BULK] = {1, FRAGMENT_MOST, WIRE_OP_LAST | WIRE_OP_UNORDERED, true},
    [WIRE_OP_DELIVERED] = {WIRE_DELIVERED_BYTES, FRAGMENT_MOST, 0, false},
    [WIRE_OP_SKIP] = {0, 0, WIRE_OP_LAST | WIRE_OP_UNORDERED, false},
    [WIRE_OP_READ] = {WIRE_ACCESS_BYTES, WIRE_ACCESS_BYTES, 0, false},
    [WIRE_OP_READ_DATA] = {1, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_WRITE] = {WIRE_ACCESS_BYTES, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_ECHO] = {0, FRAGMENT_MOST, 0, false},
    [WIRE_OP_ECHOED] = {0, FRAGMENT_MOST, 0, false},
    [WIRE_OP_READ_INDIRECT] = {WIRE_ACCESS_BYTES, WIRE_ACCESS_BYTES, 0, false},
    [WIRE_OP_READ_BATCH] = {WIRE_BATCH_BYTES + WIRE_OFFSET_BYTES, WIRE_BATCH_MOST, 0, false},
    [WIRE_OP_SCAN_READ] = {WIRE_SCAN_BYTES, WIRE_SCAN_BYTES, 0, false},
    [WIRE_OP_COMPARE_SWAP] = {WIRE_SWAP_BYTES, WIRE_SWAP_BYTES, 0, false},
    [WIRE_OP_FETCH_ADD] = {WIRE_ATOMIC_BYTES, WIRE_ATOMIC_BYTES, 0, false},
    [WIRE_OP_RESULT] = {WIRE_RESULT_BYTES, WIRE_RESULT_MOST, 0, false},
};

static bool known(uint8_t type)
{
    return (type >= WIRE_OP_OPEN && type <= WIRE_OP_RESULT) || type == WIRE_OP_ELSEWHERE;
}

bool payload_fits(const struct wire_op *op)
{
    if (!known(op->type) || op->reserved != 0)
        return false;
    const struct shape *shape = &shapes[op->type];
    if ((op->flags & ~shape->flags) || op->length < shape->least || op->length > shape->most)
        return false;
    if (op->type == WIRE_OP_DELIVERED || op->type == WIRE_OP_READ_BATCH ||
        op->type == WIRE_OP_RESULT)
        return (op->length - shape->least) % ENTRY_BYTES == 0;
    return true;
}

bool payload_is_data(const struct wire_op *op)
{
    return op->type < WIRE_OP_COUNT && shapes[op->type].data;
}

bool payload_is_request(const struct wire_op *op)
{
    return op->type == WIRE_OP_READ || op->type == WIRE_OP_WRITE ||
           (op->type >= WIRE_OP_READ_INDIRECT && op->type <= WIRE_OP_FETCH_ADD);
}

void payload_put_open(uint8_t *bytes, const struct wire_open *open)
{
    put32(bytes, open->credits);
}

void payload_get_open(struct wire_open *open, const uint8_t *bytes)
{
    open->credits = get32(bytes);
}

void payload_put_opened(uint8_t *bytes, const struct wire_opened *opened)
{
    put32(bytes, opened->connection);
    put32(bytes + 4, opened->credits);
    put32(bytes + 8, opened->error);
}

void payload_get_opened(struct wire_opened *opened, const uint8_t *bytes)
{
    opened->connection = get32(bytes);
    opened->credits = get32(bytes + 4);
    opened->error = get32(bytes + 8);
}

void payload_put_close(uint8_t *bytes, const struct wire_close *close)
{
    put32(bytes, close->reason);
    put32(bytes + 4, close->answers);
}

void payload_get_close(struct wire_close *close, const uint8_t *bytes)
{
    close->reason = get32(bytes);
    close->answers = get32(bytes + 4);
}

void payload_put_delivered(uint8_t *bytes, const struct wire_delivered *delivered)
{
    put16(bytes, delivered->stream);
    put16(bytes + 2, delivered->status);
    put32(bytes + 4, delivered->id);
}

void payload_get_delivered(struct wire_delivered *delivered, const uint8_t *bytes)
{
    delivered->stream = get16(bytes);
    delivered->status = get16(bytes + 2);
    delivered->id = get32(bytes + 4);
}

void payload_put_access(uint8_t *bytes, const struct wire_access *access)
{
    put64(bytes, access->key);
    put64(bytes + 8, access->offset);
    put32(bytes + 16, access->length);
}

void payload_get_access(struct wire_access *access, const uint8_t *bytes)
{
    access->key = get64(bytes);
    access->offset = get64(bytes + 8);
    access->length = get32(bytes + 16);
}

void payload_put_batch(uint8_t *bytes, const struct wire_batch *batch, uint32_t count)
{
    put64(bytes, batch->key);
    put32(bytes + 8, batch->length);
    for (uint32_t i = 0; i < count; i++)
        put64(bytes + WIRE_BATCH_BYTES + (size_t)i * WIRE_OFFSET_BYTES, batch->offsets[i]);
}

uint32_t payload_get_batch(struct wire_batch *batch, const uint8_t *bytes, uint32_t length)
{
    uint32_t count = (length - WIRE_BATCH_BYTES) / WIRE_OFFSET_BYTES;

    batch->key = get64(bytes);
    batch->length = get32(bytes + 8);
    for (uint32_t i = 0; i < count; i++)
        batch->offsets[i] = get64(bytes + WIRE_BATCH_BYTES + (size_t)i * WIRE_OFFSET_BYTES);
    return count;
}

void payload_put_scan(uint8_t *bytes, const struct wire_scan *scan)
{
    put64(bytes, scan->key);
    put64(bytes + 8, scan->offset);
    put64(bytes + 16, scan->match);
    put32(bytes + 24, scan->entries);
    put32(bytes + 28, scan->length);
}

void payload_get_scan(struct wire_scan *scan, const uint8_t *bytes)
{
    scan->key = get64(bytes);
    scan->offset = get64(bytes + 8);
    scan->match = get64(bytes + 16);
    scan->entries = get32(bytes + 24);
    scan->length = get32(bytes + 28);
}

void payload_put_atomic(uint8_t *bytes, const struct wire_atomic *atomic, uint32_t length)
{
    put64(bytes, atomic->key);
    put64(bytes + 8, atomic->offset);
    put64(bytes + 16, atomic->operand);
    if (length == WIRE_SWAP_BYTES)
        put64(bytes + 24, atomic->expected);
}

void payload_get_atomic(struct wire_atomic *atomic, const uint8_t *bytes, uint32_t length)
{
    atomic->key = get64(bytes);
    atomic->offset = get64(bytes + 8);
    atomic->operand = get64(bytes + 16);
    atomic->expected = length == WIRE_SWAP_BYTES ? get64(bytes + 24) : 0;
}

void payload_put_result(uint8_t *bytes, const struct wire_result *result, uint32_t count)
{
    put64(bytes, result->value);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *item = bytes + WIRE_RESULT_BYTES + (size_t)i * WIRE_ITEM_BYTES;
        put32(item, result->items[i].status);
        put32(item + 4, result->items[i].length);
    }
}

uint32_t payload_get_result(struct wire_result *result, const uint8_t *bytes, uint32_t length)
{
    uint32_t count = (length - WIRE_RESULT_BYTES) / WIRE_ITEM_BYTES;

    result->value = get64(bytes);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *item = bytes + WIRE_RESULT_BYTES + (size_t)i * WIRE_ITEM_BYTES;
        result->items[i].status = get32(item);
        result->items[i].length = get32(item + 4);
    }
    return count;
}
