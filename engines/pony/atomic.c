/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/atomic.h"

#include "engines/pony/payload.h"
#include "engines/pony/region.h"
#include "mailbox/words.h"

void atomic_on_request(struct connection *connection, const struct wire_op *op,
                       const uint8_t *payload)
{
    struct pony_session *session = connection->session;
    struct served *served = served_begin(connection, op);
    struct wire_atomic atomic;
    uint8_t *memory;

    if (!served)
        return;
    payload_get_atomic(&atomic, payload, op->length);
    int error =
        region_access(session, atomic.key, SADDLE_RIGHT_ATOMIC, atomic.offset, WORD_BYTES, &memory);
    if (!error && !words_aligned(memory))
        error = -EINVAL;
    if (!error) {
        served->value = op->type == WIRE_OP_FETCH_ADD
                            ? words_add(memory, atomic.operand)
                            : words_swap(memory, atomic.expected, atomic.operand);
        counter_add(&connection->upper->counters.atomics_served, 1);
        counter_add(&connection->upper->counters.served_bytes, WORD_BYTES);
        region_served(session, atomic.key, SADDLE_RIGHT_ATOMIC, WORD_BYTES, true);
    }
    served_finish(served, error);
}
