/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/payload.h"

#include "engines/pony/wire_bytes.h"

#include <rte_byteorder.h>
#include <string.h>

struct shape {
    uint16_t least, most; /* bytes of payload */
    uint8_t flags;        /* that it may carry */
    bool data;
};

#define FRAGMENT_MOST UINT16_MAX

static const struct shape shapes[WIRE_OP_COUNT] = {
    [WIRE_OP_OPEN] = {WIRE_OPEN_BYTES + 1, WIRE_OPEN_BYTES + PAYLOAD_SERVICE_MAX, 0, false},
    [WIRE_OP_OPENED] = {WIRE_OPENED_BYTES, WIRE_OPENED_BYTES, 0, false},
    [WIRE_OP_CLOSE] = {WIRE_CLOSE_BYTES, WIRE_CLOSE_BYTES, 0, false},
    [WIRE_OP_MESSAGE] = {1, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_BULK] = {1, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_DELIVERED] = {WIRE_DELIVERED_BYTES, FRAGMENT_MOST, 0, false},
    [WIRE_OP_READ] = {WIRE_ACCESS_BYTES, WIRE_ACCESS_BYTES, 0, false},
    [WIRE_OP_READ_DATA] = {1, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_WRITE] = {WIRE_ACCESS_BYTES, FRAGMENT_MOST, WIRE_OP_LAST, true},
    [WIRE_OP_ECHO] = {0, FRAGMENT_MOST, 0, false},
    [WIRE_OP_ECHOED] = {0, FRAGMENT_MOST, 0, false},
};

static bool known(uint8_t type)
{
    return (type >= WIRE_OP_OPEN && type <= WIRE_OP_ECHOED) || type == WIRE_OP_ELSEWHERE;
}

bool payload_fits(const struct wire_op *op)
{
    if (!known(op->type) || op->reserved != 0)
        return false;
    const struct shape *shape = &shapes[op->type];
    if ((op->flags & ~shape->flags) || op->length < shape->least || op->length > shape->most)
        return false;
    if (op->type == WIRE_OP_DELIVERED)
        return op->length % WIRE_DELIVERED_BYTES == 0;
    return true;
}

bool payload_is_data(const struct wire_op *op)
{
    return op->type < WIRE_OP_COUNT && shapes[op->type].data;
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
