/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/tape.h"

/* Of the slot of a record once it is written; odd while that is under way. */
static uint64_t stamp_of(uint64_t position)
{
    return 2 * (position + 1);
}

static _Atomic uint64_t *slot_of(const struct tape *tape, uint64_t position)
{
    return &tape->words[(position & (tape->slots - 1)) * (tape->record + 1)];
}

void tape_init(struct tape *tape, _Atomic uint64_t *words, uint32_t slots, uint32_t record)
{
    tape->words = words;
    tape->slots = slots;
    tape->record = record;
    atomic_init(&tape->written, 0);
}

void tape_write(struct tape *tape, const uint64_t *record)
{
    uint64_t position = atomic_load_explicit(&tape->written, memory_order_relaxed);
    _Atomic uint64_t *slot = slot_of(tape, position);

    atomic_store_explicit(slot, stamp_of(position) - 1, memory_order_relaxed);
    /* Each word orders the odd stamp before itself: whoever has read it does not find the stamp of
     * the record that was there. */
    for (uint32_t i = 0; i < tape->record; i++)
        atomic_store_explicit(&slot[1 + i], record[i], memory_order_release);
    /* Orders the words before the even stamp, and that before the count. */
    atomic_store_explicit(slot, stamp_of(position), memory_order_release);
    atomic_store_explicit(&tape->written, position + 1, memory_order_release);
}

/* Whether it was there, and whole. */
static bool copy(const struct tape *tape, uint64_t position, uint64_t *record)
{
    _Atomic uint64_t *slot = slot_of(tape, position);

    if (atomic_load_explicit(slot, memory_order_acquire) != stamp_of(position))
        return false;
    /* Each load orders the second look at the stamp after itself. */
    for (uint32_t i = 0; i < tape->record; i++)
        record[i] = atomic_load_explicit(&slot[1 + i], memory_order_acquire);
    return atomic_load_explicit(slot, memory_order_relaxed) == stamp_of(position);
}

bool tape_read(const struct tape *tape, uint64_t *position, uint64_t *record, uint64_t *lost)
{
    uint64_t written = atomic_load_explicit(&tape->written, memory_order_acquire);

    if (written > tape->slots && *position < written - tape->slots) {
        *lost += written - tape->slots - *position;
        *position = written - tape->slots;
    }
    /* A record that is no more itself was run over; all up to `written` were there once. */
    for (; *position < written; (*position)++) {
        if (copy(tape, *position, record)) {
            (*position)++;
            return true;
        }
        (*lost)++;
    }
    return false;
}
