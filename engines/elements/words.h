/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies from and to memory that another process changes and reads at the same time.
 *
 * A word is 8 bytes at an address that is a multiple of 8. Words of the shared side are loaded and
 * stored at once, each exactly once and in ascending order, whatever the alignment of the private
 * side; so nobody sees half a word. What is left at both ends, less than a word each, is copied
 * byte by byte. Nothing is promised for several words together.
 *
 * Plain functions; any thread. The two sides do not overlap.
 */
#ifndef ENGINES_ELEMENTS_WORDS_H
#define ENGINES_ELEMENTS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORD_BYTES 8u

static inline bool words_aligned(const void *shared)
{
    return (uintptr_t)shared % WORD_BYTES == 0;
}

/* From shared memory. */
void words_load(void *to, const void *shared, size_t length);
/* To shared memory. */
void words_store(void *shared, const void *from, size_t length);

#endif
