/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Zeroing what is taken for each operation.
 *
 * Of a memset of more than some 90 bytes compilers make a string instruction, which takes as long
 * as fifty others to get going; of one of 64 bytes they make four stores.
 *
 * Threads: any. Example: zero(entry, offsetof(struct entry, payload));
 */
#ifndef ENGINES_PONY_ZERO_H
#define ENGINES_PONY_ZERO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ZERO_PIECE 64u /* bytes */

/* `bytes`: a constant. */
static inline void zero(void *memory, size_t bytes)
{
    uint8_t *at = memory;

#pragma GCC unroll 8
    for (size_t left = bytes; left >= ZERO_PIECE; left -= ZERO_PIECE, at += ZERO_PIECE)
        memset(at, 0, ZERO_PIECE);
    memset(at, 0, bytes % ZERO_PIECE);
}

#endif
