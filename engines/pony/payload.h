/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of control operations: between the structures of wire.h and their bytes.
 *
 * Threads: pure functions. Trust: decoders read exactly the fixed size, which the caller has
 * checked with payload_fits.
 */
#ifndef ENGINES_PONY_PAYLOAD_H
#define ENGINES_PONY_PAYLOAD_H

#include "engines/pony/wire.h"

#include <stdbool.h>

/* A service name on the wire: its longest form without the NUL that the ABI carries. */
#define PAYLOAD_SERVICE_MAX 63u

/* Is the payload's length right for this type of operation? False too for unknown types, flags and
 * reserved bits: an operation that a peer of this version cannot have written. */
bool payload_fits(const struct wire_op *op);
/* True for operations whose payload is the application's data: a damaged one fails that operation.
 * A damaged payload of any other operation is treated as a lost packet. */
bool payload_is_data(const struct wire_op *op);
/* True for what asks for one-sided work, and so takes a place among the operations served. */
bool payload_is_request(const struct wire_op *op);

void payload_put_open(uint8_t *bytes, const struct wire_open *open);
void payload_get_open(struct wire_open *open, const uint8_t *bytes);
void payload_put_opened(uint8_t *bytes, const struct wire_opened *opened);
void payload_get_opened(struct wire_opened *opened, const uint8_t *bytes);
void payload_put_close(uint8_t *bytes, const struct wire_close *close);
void payload_get_close(struct wire_close *close, const uint8_t *bytes);
void payload_put_delivered(uint8_t *bytes, const struct wire_delivered *delivered);
void payload_get_delivered(struct wire_delivered *delivered, const uint8_t *bytes);
void payload_put_access(uint8_t *bytes, const struct wire_access *access);
void payload_get_access(struct wire_access *access, const uint8_t *bytes);
/* `count` is of offsets or items; decoders answer it. */
void payload_put_batch(uint8_t *bytes, const struct wire_batch *batch, uint32_t count);
uint32_t payload_get_batch(struct wire_batch *batch, const uint8_t *bytes, uint32_t length);
void payload_put_scan(uint8_t *bytes, const struct wire_scan *scan);
void payload_get_scan(struct wire_scan *scan, const uint8_t *bytes);
/* `length` says whether there is an `expected`. */
void payload_put_atomic(uint8_t *bytes, const struct wire_atomic *atomic, uint32_t length);
void payload_get_atomic(struct wire_atomic *atomic, const uint8_t *bytes, uint32_t length);
void payload_put_result(uint8_t *bytes, const struct wire_result *result, uint32_t count);
uint32_t payload_get_result(struct wire_result *result, const uint8_t *bytes, uint32_t length);

#endif
