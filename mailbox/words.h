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
#ifndef MAILBOX_WORDS_H
#define MAILBOX_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <saddle/abi.h>

#define WORD_BYTES 8u

static inline bool words_aligned(const void *shared)
{
    return (uintptr_t)shared % WORD_BYTES == 0;
}

SADDLE_STATIC_ASSERT(__atomic_always_lock_free(WORD_BYTES, 0),
                     "both sides' atomic operations are the processor's own");

/* Sees what the other side stored before it published this word. */
static inline uint64_t words_first(const void *shared)
{
    return __atomic_load_n((const uint64_t *)shared, __ATOMIC_ACQUIRE);
}

static inline void words_publish(void *shared, uint64_t value)
{
    __atomic_store_n((uint64_t *)shared, value, __ATOMIC_RELEASE);
}

/* Atomic toward everybody's atomic operations on the word, and sequentially consistent with them.
 * Both answer the value from before; words_swap has stored `desired` if that is `expected`. */
static inline uint64_t words_swap(void *shared, uint64_t expected, uint64_t desired)
{
    __atomic_compare_exchange_n((uint64_t *)shared, &expected, desired, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return expected;
}

static inline uint64_t words_add(void *shared, uint64_t addend)
{
    return __atomic_fetch_add((uint64_t *)shared, addend, __ATOMIC_SEQ_CST);
}

/* From shared memory. */
void words_load(void *to, const void *shared, size_t length);
/* To shared memory. */
void words_store(void *shared, const void *from, size_t length);

#endif
