/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A bit for each of the packets of a window, kept as a ring: packet number modulo its size. Turning
 * the ring gives the SACK bitmap of the wire, and back, in a few shifts.
 *
 * Pure functions. Private to the windows (tx_window.c, rx_window.c).
 */
#ifndef ENGINES_PONY_RING_BITS_H
#define ENGINES_PONY_RING_BITS_H

#include "engines/pony/wire.h"

#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RING_BITS  WIRE_SACK_BITS /* packets of a window, a power of two */
#define RING_WORDS (RING_BITS / 64u)

struct ring_bits {
    uint64_t words[RING_WORDS];
};

static inline bool ring_bits_get(const struct ring_bits *ring, uint32_t seq)
{
    return ring->words[seq % RING_BITS / 64] >> seq % 64 & 1;
}

static inline void ring_bits_set(struct ring_bits *ring, uint32_t seq)
{
    ring->words[seq % RING_BITS / 64] |= 1ull << seq % 64;
}

static inline void ring_bits_clear(struct ring_bits *ring, uint32_t seq)
{
    ring->words[seq % RING_BITS / 64] &= ~(1ull << seq % 64);
}

/* Bytes of the wire whose first bit is packet `first`. */
static inline void ring_bits_to_wire(const struct ring_bits *ring, uint32_t first,
                                     uint8_t bytes[WIRE_SACK_BYTES])
{
    uint32_t word = first % RING_BITS / 64, shift = first % 64;

    for (uint32_t i = 0; i < RING_WORDS; i++) {
        uint64_t low = ring->words[(word + i) % RING_WORDS] >> shift;
        uint64_t high = ring->words[(word + i + 1) % RING_WORDS];
        uint64_t little = rte_cpu_to_le_64(shift == 0 ? low : low | high << (64 - shift));

        memcpy(bytes + 8 * i, &little, sizeof(little));
    }
}

static inline void ring_bits_from_wire(struct ring_bits *ring, uint32_t first,
                                       const uint8_t bytes[WIRE_SACK_BYTES])
{
    uint32_t word = first % RING_BITS / 64, shift = first % 64;

    memset(ring, 0, sizeof(*ring));
    for (uint32_t i = 0; i < RING_WORDS; i++) {
        uint64_t little, value;

        memcpy(&little, bytes + 8 * i, sizeof(little));
        value = rte_le_to_cpu_64(little);
        ring->words[(word + i) % RING_WORDS] |= value << shift;
        if (shift != 0)
            ring->words[(word + i + 1) % RING_WORDS] |= value >> (64 - shift);
    }
}

#endif
