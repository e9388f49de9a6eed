/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers on the wire: big-endian, at any alignment.
 *
 * Pure functions; the caller has proven that the bytes are there.
 */
#ifndef ENGINES_PONY_WIRE_BYTES_H
#define ENGINES_PONY_WIRE_BYTES_H

#include <rte_byteorder.h>
#include <stdint.h>
#include <string.h>

static inline void put16(uint8_t *at, uint16_t value)
{
    uint16_t big = rte_cpu_to_be_16(value);

    memcpy(at, &big, sizeof(big));
}

static inline void put32(uint8_t *at, uint32_t value)
{
    uint32_t big = rte_cpu_to_be_32(value);

    memcpy(at, &big, sizeof(big));
}

static inline void put64(uint8_t *at, uint64_t value)
{
    uint64_t big = rte_cpu_to_be_64(value);

    memcpy(at, &big, sizeof(big));
}

static inline uint16_t get16(const uint8_t *at)
{
    uint16_t big;

    memcpy(&big, at, sizeof(big));
    return rte_be_to_cpu_16(big);
}

static inline uint32_t get32(const uint8_t *at)
{
    uint32_t big;

    memcpy(&big, at, sizeof(big));
    return rte_be_to_cpu_32(big);
}

static inline uint64_t get64(const uint8_t *at)
{
    uint64_t big;

    memcpy(&big, at, sizeof(big));
    return rte_be_to_cpu_64(big);
}

#endif
