/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071), as a sum that is folded late.
 *
 * Plain functions; any thread. Sums are of 16-bit words in memory order; the folded result is
 * stored as it is, without swapping bytes.
 */
#ifndef ENGINES_ELEMENTS_CHECKSUM_H
#define ENGINES_ELEMENTS_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds `length` bytes, padded with zero to a whole word. Sums of up to 2^48 words do not overflow.
 */
static inline uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    uint32_t four;
    uint16_t two = 0;

    for (; length >= sizeof(four); length -= sizeof(four), next += sizeof(four)) {
        memcpy(&four, next, sizeof(four));
        sum += four;
    }
    if (length >= sizeof(two)) {
        memcpy(&two, next, sizeof(two));
        sum += two;
        length -= sizeof(two);
        next += sizeof(two);
    }
    if (length > 0) {
        two = 0;
        memcpy(&two, next, 1);
        sum += two;
    }
    return sum;
}

/* The ones' complement sum in 16 bits; its inverse is the checksum. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Whether a sum over data that contains its own checksum is right. */
static inline int checksum_valid(uint64_t sum)
{
    return checksum_fold(sum) == 0xffff;
}

#endif
