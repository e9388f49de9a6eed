/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/pattern.h"

#include <string.h>

#define WORD sizeof(uint64_t)

/* The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA'14). */
static uint64_t word(uint64_t id, uint64_t index)
{
    uint64_t z = id * 0xd1342543de82ef95ull + (index + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* A piece of `length` bytes at `offset` that lies within one word. */
static void piece(uint64_t id, uint64_t offset, void *bytes, size_t length)
{
    uint64_t value = word(id, offset / WORD);
    memcpy(bytes, (const uint8_t *)&value + offset % WORD, length);
}

/* Bytes up to the next word's start, or `length` if that is less. */
static size_t to_boundary(uint64_t offset, size_t length)
{
    size_t bytes = (WORD - offset % WORD) % WORD;
    return bytes < length ? bytes : length;
}

void pattern_fill(uint64_t id, uint64_t offset, void *bytes, size_t length)
{
    uint8_t *to = bytes;
    size_t part = to_boundary(offset, length);
    piece(id, offset, to, part);
    for (; length - part >= WORD; part += WORD) {
        uint64_t value = word(id, (offset + part) / WORD);
        memcpy(to + part, &value, WORD);
    }
    piece(id, offset + part, to + part, length - part);
}

bool pattern_matches(uint64_t id, uint64_t offset, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint8_t want[WORD];
    size_t part = to_boundary(offset, length);
    piece(id, offset, want, part);
    if (memcmp(from, want, part) != 0)
        return false;
    for (; length - part >= WORD; part += WORD) {
        uint64_t value = word(id, (offset + part) / WORD);
        if (memcmp(from + part, &value, WORD) != 0)
            return false;
    }
    piece(id, offset + part, want, length - part);
    return memcmp(from + part, want, length - part) == 0;
}
