/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/atomic.h"

#include "engines/elements/words.h"
#include "engines/pony/payload.h"
#include "engines/pony/region.h"

SADDLE_STATIC_ASSERT(__atomic_always_lock_free(WORD_BYTES, 0),
                     "an application's atomics and the engine's are the same instructions");

/* The value from before. */
static uint64_t carry_out(uint64_t *word, const struct wire_atomic *atomic, uint8_t type)
{
    uint64_t before = atomic->expected;

    if (type == WIRE_OP_FETCH_ADD)
        return __atomic_fetch_add(word, atomic->operand, __ATOMIC_SEQ_CST);
    __atomic_compare_exchange_n(word, &before, atomic->operand, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return before;
}

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
        served->value = carry_out((uint64_t *)(void *)memory, &atomic, op->type);
        counter_add(&connection->upper->counters.atomics_served, 1);
        counter_add(&connection->upper->counters.served_bytes, WORD_BYTES);
        region_served(session, atomic.key, SADDLE_RIGHT_ATOMIC, WORD_BYTES, true);
    }
    served_finish(served, error);
}
