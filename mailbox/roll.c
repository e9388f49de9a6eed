/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/roll.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64u
#define LINE_WORDS (CACHE_LINE / sizeof(uint64_t))
#define BYTES_MAX  (16u << 20) /* far above what a host's engines need */

/* Each row: how many places have ever been used, on a cache line of its own, then the places. */
struct roll {
    uint32_t rows, places;
    uint64_t stride; /* words of a row */
    _Alignas(CACHE_LINE) _Atomic uint64_t words[];
};

static _Atomic uint64_t *row_of(const struct roll *roll, uint32_t row)
{
    return (_Atomic uint64_t *)&roll->words[row * roll->stride];
}

int roll_create(struct roll **roll, uint32_t rows, uint32_t places)
{
    uint64_t stride = LINE_WORDS + (places + LINE_WORDS - 1) / LINE_WORDS * LINE_WORDS;
    struct roll *made;

    if (rows == 0 || places == 0 || rows > BYTES_MAX / sizeof(uint64_t) / stride)
        return -EINVAL;
    made = aligned_alloc(CACHE_LINE, sizeof(*made) + rows * stride * sizeof(uint64_t));
    if (!made)
        return -ENOMEM;
    made->rows = rows;
    made->places = places;
    made->stride = stride;
    for (uint64_t i = 0; i < rows * stride; i++)
        atomic_init(&made->words[i], 0);
    *roll = made;
    return 0;
}

void roll_destroy(struct roll *roll)
{
    free(roll);
}

static bool row_has(const struct roll *roll, uint32_t row, uint64_t key)
{
    _Atomic uint64_t *words = row_of(roll, row);
    uint64_t used = atomic_load_explicit(&words[0], memory_order_seq_cst);

    for (uint64_t i = 0; i < used; i++) {
        if (atomic_load_explicit(&words[LINE_WORDS + i], memory_order_seq_cst) == key)
            return true;
    }
    return false;
}

uint32_t roll_find(const struct roll *roll, uint32_t row, uint64_t key)
{
    for (uint32_t i = 0; i < roll->rows; i++) {
        if (i != row && row_has(roll, i, key))
            return i;
    }
    return ROLL_NOBODY;
}

bool roll_enter(struct roll *roll, uint32_t row, uint32_t place, uint64_t key)
{
    _Atomic uint64_t *words = row_of(roll, row);

    if (place >= atomic_load_explicit(&words[0], memory_order_relaxed))
        atomic_store_explicit(&words[0], place + 1, memory_order_seq_cst);
    atomic_store_explicit(&words[LINE_WORDS + place], key, memory_order_seq_cst);
    if (roll_find(roll, row, key) == ROLL_NOBODY)
        return true;
    roll_leave(roll, row, place);
    return false;
}

void roll_leave(struct roll *roll, uint32_t row, uint32_t place)
{
    atomic_store_explicit(&row_of(roll, row)[LINE_WORDS + place], 0, memory_order_seq_cst);
}
