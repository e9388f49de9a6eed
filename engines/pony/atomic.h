/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Atomic operations that peers ask of this host: compare-and-swap and fetch-and-add of 8 aligned
 * bytes in a region with SADDLE_RIGHT_ATOMIC.
 *
 * They are carried out when the request is delivered, which the flow does once, by the processor's
 * own instruction: so they are atomic toward each other, toward those of other engines and toward
 * the application's, and sequentially consistent with them. The value from before is kept with the
 * served operation until RESULT has been written.
 *
 * Threads: the engine's. Trust: requests say anything, and so does the memory.
 */
#ifndef ENGINES_PONY_ATOMIC_H
#define ENGINES_PONY_ATOMIC_H

#include "engines/pony/served.h"

/* COMPARE_SWAP or FETCH_ADD. */
void atomic_on_request(struct connection *connection, const struct wire_op *op,
                       const uint8_t *payload);

#endif
