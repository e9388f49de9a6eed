/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/pattern.h"

#include <string.h>

#define GOLDEN    0x9e3779b97f4a7c15ull /* 2^64 over the golden ratio: spreads what is near */
#define HALF_BITS 32u

static uint64_t stir(uint64_t value)
{
    value *= GOLDEN;
    return value ^ value >> HALF_BITS;
}

uint64_t pattern_key(uint64_t first, uint64_t second, uint64_t third)
{
    return stir(stir(stir(first + 1) + second) + third) | 1;
}

static uint64_t word_at(uint64_t key, size_t index)
{
    return stir(key + index);
}

void pattern_fill(void *bytes, size_t len, uint64_t key)
{
    uint8_t *to = bytes;
    size_t index = 0;
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), to += sizeof(uint64_t)) {
        uint64_t word = word_at(key, index++);
        memcpy(to, &word, sizeof(word));
    }
    uint64_t word = word_at(key, index);
    memcpy(to, &word, len);
}

/* Of those that differ, or of none. */
static size_t first_wrong(const uint8_t *bytes, size_t len, uint64_t wanted)
{
    uint8_t right[sizeof(wanted)];
    size_t at = 0;
    memcpy(right, &wanted, sizeof(right));
    while (at < len && bytes[at] == right[at])
        at++;
    return at;
}

size_t pattern_check(const void *bytes, size_t len, uint64_t key)
{
    const uint8_t *from = bytes;
    size_t at = 0, index = 0;
    for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t), index++) {
        uint64_t word;
        memcpy(&word, from + at, sizeof(word));
        if (word != word_at(key, index))
            return at + first_wrong(from + at, sizeof(word), word_at(key, index));
    }
    return at + first_wrong(from + at, len - at, word_at(key, index));
}
