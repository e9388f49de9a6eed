/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/crc32c.h"

#include <isa-l/crc.h>
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__) && defined(__SSE4_2__)
#include <x86intrin.h>
#endif

/* Copied at a time: source and copy together stay in a first-level cache of 32 KiB. */
#define COPY_BLOCK_BYTES 4096u
/* The library takes an int. */
#define UPDATE_BLOCK_BYTES (1u << 30)

#if defined(__x86_64__) && defined(__SSE4_2__)
/* A header, or a small message: the library is made for more, and takes longer to begin. */
#define SHORT_BYTES 64u

/* Like the library, without the inversions. */
static uint32_t update_short(uint32_t crc, const uint8_t *bytes, size_t length)
{
    uint64_t sum = crc, word;

    for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum = _mm_crc32_u64(sum, word);
    }
    for (; length > 0; length--)
        sum = _mm_crc32_u8((uint32_t)sum, *bytes++);
    return (uint32_t)sum;
}
#else
#define SHORT_BYTES 0u

static uint32_t update_short(uint32_t crc, const uint8_t *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    return crc;
}
#endif

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t length)
{
    if (length <= SHORT_BYTES)
        return ~update_short(~crc, bytes, length);

    /* The library only reads, but does not say so; and it leaves the inversions to the caller. */
    unsigned char *next = (unsigned char *)(uintptr_t)bytes;

    crc = ~crc;
    while (length > 0) {
        size_t block = length < UPDATE_BLOCK_BYTES ? length : UPDATE_BLOCK_BYTES;

        crc = crc32_iscsi(next, (int)block, crc);
        next += block;
        length -= block;
    }
    return ~crc;
}

/* `own`: nobody else changes `from`, so its CRC is that of the copy. */
static inline uint32_t copy(uint32_t crc, uint8_t *to, const uint8_t *from, size_t length, bool own)
{
    while (length > 0) {
        size_t block = length < COPY_BLOCK_BYTES ? length : COPY_BLOCK_BYTES;

        if (own)
            crc = crc32c_update(crc, from, block);
        memcpy(to, from, block);
        if (!own) {
            /* The compiler must not read the source again in place of the copy. */
            __asm__ volatile("" : : "r"(to) : "memory");
            crc = crc32c_update(crc, to, block);
        }
        to += block;
        from += block;
        length -= block;
    }
    return crc;
}

uint32_t crc32c_copy(uint32_t crc, void *to, const void *from, size_t length)
{
    return copy(crc, to, from, length, false);
}

uint32_t crc32c_copy_own(uint32_t crc, void *to, const void *from, size_t length)
{
    return copy(crc, to, from, length, true);
}
