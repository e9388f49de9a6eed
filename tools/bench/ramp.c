/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ramp.h"

#include <string.h>

#define NUMBER_BITS 40u                   /* a million messages a second for twelve days */
#define STEP        0x9e3779b97f4a7c15ull /* odd: no two places of a message have the same word */

uint64_t ramp_stamp(uint32_t sequence, uint64_t number)
{
    return (uint64_t)sequence << NUMBER_BITS | (number & ((1ull << NUMBER_BITS) - 1));
}

uint32_t ramp_sequence(uint64_t stamp)
{
    return (uint32_t)(stamp >> NUMBER_BITS);
}

uint64_t ramp_read(const void *bytes)
{
    uint64_t stamp;
    memcpy(&stamp, bytes, sizeof(stamp));
    return stamp;
}

void ramp_fill(void *bytes, size_t len, uint64_t stamp)
{
    uint8_t *to = bytes;
    for (; len >= sizeof(stamp); len -= sizeof(stamp), to += sizeof(stamp), stamp += STEP)
        memcpy(to, &stamp, sizeof(stamp));
    memcpy(to, &stamp, len);
}

bool ramp_check(const void *bytes, size_t len, uint64_t stamp)
{
    const uint8_t *from = bytes;
    uint64_t wrong = 0;
    /* Not ended at the first difference: there is none, and a branch for each word costs. */
    for (; len >= sizeof(stamp); len -= sizeof(stamp), from += sizeof(stamp), stamp += STEP)
        wrong |= ramp_read(from) ^ stamp;
    return wrong == 0 && memcmp(from, &stamp, len) == 0;
}
