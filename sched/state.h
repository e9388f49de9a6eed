/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state: how an engine writes itself down and is read back, in this process or another.
 *
 * Format: a header (magic, format version, body length, CRC32C of the body), then records. A record
 * is a type, a version and a length, then fields in little-endian order; a reader skips records of
 * types it does not know and fields past those it knows. The bytes are parsed as untrusted.
 * docs/state.md has every record, field by field, and the rules by which versions understand each
 * other.
 *
 * Ownership: a writer grows its own buffer (save never runs inside an engine's run) and frees it in
 * state_writer_destroy; a reader borrows the bytes it reads.
 * Threads: one at a time.
 *
 * Errors stick: after the first one every call is harmless and returns zeroes, so that code reads
 * straight through and checks once: `error` of the reader, or what state_writer_finish answers.
 */
#ifndef SCHED_STATE_H
#define SCHED_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_writer {
    uint8_t *bytes;
    size_t length;   /* used */
    size_t capacity; /* allocated */
    size_t record;   /* start of the open record, 0 if none */
    int error;       /* 0 or negative errno */
};

struct state_reader {
    const uint8_t *bytes;
    size_t length;
    size_t position;
    size_t record_end; /* end of the open record */
    int error;         /* 0 or negative errno */
};

/* Starts a document. */
void state_writer_init(struct state_writer *writer);
/* Completes the header. 0 or the sticky error; then bytes[0..length) is the document. */
int state_writer_finish(struct state_writer *writer);
void state_writer_destroy(struct state_writer *writer);

void state_record_begin(struct state_writer *writer, uint16_t type, uint16_t version);
void state_record_end(struct state_writer *writer);
void state_put_u8(struct state_writer *writer, uint8_t value);
void state_put_u16(struct state_writer *writer, uint16_t value);
void state_put_u32(struct state_writer *writer, uint32_t value);
void state_put_u64(struct state_writer *writer, uint64_t value);
/* Length-prefixed bytes. */
void state_put_bytes(struct state_writer *writer, const void *bytes, uint32_t length);

/* Checks the header and the checksum: 0, -EBADMSG (damaged), -EPROTO (not ours, or a version that
 * cannot be read). */
int state_reader_init(struct state_reader *reader, const void *bytes, size_t length);
/* Enters the next record: true with its type and version, false at the end or after an error. */
bool state_record_next(struct state_reader *reader, uint16_t *type, uint16_t *version);
uint8_t state_get_u8(struct state_reader *reader);
uint16_t state_get_u16(struct state_reader *reader);
uint32_t state_get_u32(struct state_reader *reader);
uint64_t state_get_u64(struct state_reader *reader);
/* Borrows length-prefixed bytes: NULL (and the error set) if longer than `max` or than the record.
 */
const void *state_get_bytes(struct state_reader *reader, uint32_t max, uint32_t *length);

/* Counters: how many, and each. Read are as many as are there, into as many as are known; they are
 * stored as their readers on other threads load them, relaxed. */
void state_put_counters(struct state_writer *writer, const uint64_t *counters, uint32_t count);
void state_get_counters(struct state_reader *reader, uint64_t *counters, uint32_t count);

/* Marks the document as wrong, by a caller that found a value it cannot accept. */
void state_reader_fail(struct state_reader *reader, int error);

#endif
