/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/state.h"

#include <endian.h>
#include <errno.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

/* Header: magic (4), format version (2), zero (2), CRC32C of the body (4), zero (4), body length
 * (8). */
#define HEADER_BYTES     24u
#define HEADER_MAGIC     0x54534453u /* "SDST" in memory */
#define HEADER_VERSION   1u
#define HEADER_CRC_AT    8u
#define HEADER_LENGTH_AT 16u
/* Record: type (2), version (2), length (4). */
#define RECORD_BYTES     8u
#define RECORD_LENGTH_AT 4u

#define FIRST_CAPACITY 4096u      /* bytes; doubled when full */
#define CRC_PIECE      (1u << 30) /* ISA-L counts in int */
#define CRC_INVERT     0xffffffffu

static uint32_t body_crc(const uint8_t *bytes, size_t length)
{
    uint32_t crc = CRC_INVERT;
    while (length > 0) {
        size_t piece = length < CRC_PIECE ? length : CRC_PIECE;
        /* ISA-L takes a pointer to mutable bytes and only reads them. */
        crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)piece, crc);
        bytes += piece;
        length -= piece;
    }
    return crc ^ CRC_INVERT;
}

static void store_u16(uint8_t *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof(value));
}

static void store_u32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

static void store_u64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
}

static uint16_t fetch_u16(const uint8_t *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return le16toh(value);
}

static uint32_t fetch_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

static uint64_t fetch_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return le64toh(value);
}

/* ---- Writer ---- */

static void writer_fail(struct state_writer *writer, int error)
{
    if (!writer->error)
        writer->error = error;
}

/* Room for `length` more bytes, or NULL after an error. */
static uint8_t *writer_extend(struct state_writer *writer, size_t length)
{
    if (writer->error)
        return NULL;
    if (length > writer->capacity - writer->length) {
        size_t capacity = writer->capacity ? writer->capacity : FIRST_CAPACITY;
        while (length > capacity - writer->length && capacity <= SIZE_MAX / 2)
            capacity *= 2;
        uint8_t *bytes = NULL;
        if (length <= capacity - writer->length)
            bytes = realloc(writer->bytes, capacity);
        if (!bytes) {
            writer_fail(writer, -ENOMEM);
            return NULL;
        }
        writer->bytes = bytes;
        writer->capacity = capacity;
    }
    uint8_t *at = writer->bytes + writer->length;
    writer->length += length;
    return at;
}

/* Room for a field: only inside a record. */
static uint8_t *writer_field(struct state_writer *writer, size_t length)
{
    if (!writer->record)
        writer_fail(writer, -EINVAL);
    return writer_extend(writer, length);
}

void state_writer_init(struct state_writer *writer)
{
    *writer = (struct state_writer){0};
    uint8_t *header = writer_extend(writer, HEADER_BYTES);
    if (header)
        memset(header, 0, HEADER_BYTES);
}

int state_writer_finish(struct state_writer *writer)
{
    if (writer->record)
        writer_fail(writer, -EINVAL);
    if (writer->error)
        return writer->error;
    size_t body = writer->length - HEADER_BYTES;
    store_u32(writer->bytes, HEADER_MAGIC);
    store_u16(writer->bytes + 4, HEADER_VERSION);
    store_u32(writer->bytes + HEADER_CRC_AT, body_crc(writer->bytes + HEADER_BYTES, body));
    store_u64(writer->bytes + HEADER_LENGTH_AT, body);
    return 0;
}

void state_writer_destroy(struct state_writer *writer)
{
    free(writer->bytes);
    *writer = (struct state_writer){0};
}

void state_record_begin(struct state_writer *writer, uint16_t type, uint16_t version)
{
    if (writer->record)
        writer_fail(writer, -EINVAL);
    uint8_t *at = writer_extend(writer, RECORD_BYTES);
    if (!at)
        return;
    writer->record = (size_t)(at - writer->bytes);
    store_u16(at, type);
    store_u16(at + 2, version);
    store_u32(at + RECORD_LENGTH_AT, 0);
}

void state_record_end(struct state_writer *writer)
{
    if (!writer->record)
        writer_fail(writer, -EINVAL);
    if (writer->error)
        return;
    size_t length = writer->length - writer->record - RECORD_BYTES;
    if (length > UINT32_MAX)
        writer_fail(writer, -EOVERFLOW);
    else
        store_u32(writer->bytes + writer->record + RECORD_LENGTH_AT, (uint32_t)length);
    writer->record = 0;
}

void state_put_u8(struct state_writer *writer, uint8_t value)
{
    uint8_t *at = writer_field(writer, sizeof(value));
    if (at)
        *at = value;
}

void state_put_u16(struct state_writer *writer, uint16_t value)
{
    uint8_t *at = writer_field(writer, sizeof(value));
    if (at)
        store_u16(at, value);
}

void state_put_u32(struct state_writer *writer, uint32_t value)
{
    uint8_t *at = writer_field(writer, sizeof(value));
    if (at)
        store_u32(at, value);
}

void state_put_u64(struct state_writer *writer, uint64_t value)
{
    uint8_t *at = writer_field(writer, sizeof(value));
    if (at)
        store_u64(at, value);
}

void state_put_bytes(struct state_writer *writer, const void *bytes, uint32_t length)
{
    state_put_u32(writer, length);
    uint8_t *at = writer_field(writer, length);
    if (at && length)
        memcpy(at, bytes, length);
}

/* ---- Reader ---- */

void state_put_counters(struct state_writer *writer, const uint64_t *counters, uint32_t count)
{
    state_put_u32(writer, count);
    for (uint32_t i = 0; i < count; i++)
        state_put_u64(writer, counters[i]);
}

void state_get_counters(struct state_reader *reader, uint64_t *counters, uint32_t count)
{
    uint32_t written = state_get_u32(reader);

    for (uint32_t i = 0; i < written && i < count; i++)
        __atomic_store_n(&counters[i], state_get_u64(reader), __ATOMIC_RELAXED);
}

void state_reader_fail(struct state_reader *reader, int error)
{
    if (!reader->error)
        reader->error = error;
}

int state_reader_init(struct state_reader *reader, const void *bytes, size_t length)
{
    *reader = (struct state_reader){.bytes = bytes, .length = length};
    const uint8_t *header = bytes;
    if (length < HEADER_BYTES)
        state_reader_fail(reader, -EBADMSG);
    else if (fetch_u32(header) != HEADER_MAGIC || fetch_u16(header + 4) != HEADER_VERSION ||
             fetch_u16(header + 6) != 0 || fetch_u32(header + 12) != 0)
        state_reader_fail(reader, -EPROTO);
    else if (fetch_u64(header + HEADER_LENGTH_AT) != length - HEADER_BYTES ||
             fetch_u32(header + HEADER_CRC_AT) !=
                 body_crc(header + HEADER_BYTES, length - HEADER_BYTES))
        state_reader_fail(reader, -EBADMSG);
    else
        reader->position = reader->record_end = HEADER_BYTES;
    return reader->error;
}

bool state_record_next(struct state_reader *reader, uint16_t *type, uint16_t *version)
{
    if (reader->error || reader->record_end == reader->length)
        return false;
    if (reader->length - reader->record_end < RECORD_BYTES) {
        state_reader_fail(reader, -EBADMSG);
        return false;
    }
    const uint8_t *record = reader->bytes + reader->record_end;
    size_t left = reader->length - reader->record_end - RECORD_BYTES;
    uint32_t length = fetch_u32(record + RECORD_LENGTH_AT);
    if (length > left) {
        state_reader_fail(reader, -EBADMSG);
        return false;
    }
    *type = fetch_u16(record);
    *version = fetch_u16(record + 2);
    reader->position = reader->record_end + RECORD_BYTES;
    reader->record_end = reader->position + length;
    return true;
}

/* The next `length` bytes of the open record, or NULL with the error set. */
static const uint8_t *reader_field(struct state_reader *reader, size_t length)
{
    if (reader->error)
        return NULL;
    if (length > reader->record_end - reader->position) {
        state_reader_fail(reader, -EBADMSG);
        return NULL;
    }
    const uint8_t *at = reader->bytes + reader->position;
    reader->position += length;
    return at;
}

uint8_t state_get_u8(struct state_reader *reader)
{
    const uint8_t *at = reader_field(reader, sizeof(uint8_t));
    return at ? *at : 0;
}

uint16_t state_get_u16(struct state_reader *reader)
{
    const uint8_t *at = reader_field(reader, sizeof(uint16_t));
    return at ? fetch_u16(at) : 0;
}

uint32_t state_get_u32(struct state_reader *reader)
{
    const uint8_t *at = reader_field(reader, sizeof(uint32_t));
    return at ? fetch_u32(at) : 0;
}

uint64_t state_get_u64(struct state_reader *reader)
{
    const uint8_t *at = reader_field(reader, sizeof(uint64_t));
    return at ? fetch_u64(at) : 0;
}

const void *state_get_bytes(struct state_reader *reader, uint32_t max, uint32_t *length)
{
    *length = 0;
    uint32_t claimed = state_get_u32(reader);
    if (claimed > max)
        state_reader_fail(reader, -EBADMSG);
    const uint8_t *at = reader_field(reader, claimed);
    if (at)
        *length = claimed;
    return at;
}
