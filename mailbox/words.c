/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/words.h"

#include <string.h>

/* Words are copied by so many bytes, without a branch between them: compilers leave a loop of
 * atomic accesses as it is written. */
#define LINE_BYTES (8 * WORD_BYTES)

/* Bytes up to the next word's start, or `length` if that is less. */
static size_t to_word(const void *shared, size_t length)
{
    size_t bytes = (WORD_BYTES - (uintptr_t)shared % WORD_BYTES) % WORD_BYTES;

    return bytes < length ? bytes : length;
}

static void load_bytes(uint8_t *to, const uint8_t *shared, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = __atomic_load_n(shared + i, __ATOMIC_RELAXED);
}

static void store_bytes(uint8_t *shared, const uint8_t *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        __atomic_store_n(shared + i, from[i], __ATOMIC_RELAXED);
}

static void load_word(uint8_t *to, const uint8_t *shared)
{
    uint64_t word = __atomic_load_n((const uint64_t *)(const void *)shared, __ATOMIC_RELAXED);

    memcpy(to, &word, WORD_BYTES);
}

static void store_word(uint8_t *shared, const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, WORD_BYTES);
    __atomic_store_n((uint64_t *)(void *)shared, word, __ATOMIC_RELAXED);
}

static void load_line(uint8_t *to, const uint8_t *shared)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < LINE_BYTES; at += WORD_BYTES)
        load_word(to + at, shared + at);
}

static void store_line(uint8_t *shared, const uint8_t *from)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < LINE_BYTES; at += WORD_BYTES)
        store_word(shared + at, from + at);
}

void words_load(void *to, const void *shared, size_t length)
{
    const uint8_t *in = shared;
    uint8_t *out = to;
    size_t done = to_word(in, length);

    load_bytes(out, in, done);
    for (; length - done >= LINE_BYTES; done += LINE_BYTES)
        load_line(out + done, in + done);
    for (; length - done >= WORD_BYTES; done += WORD_BYTES)
        load_word(out + done, in + done);
    load_bytes(out + done, in + done, length - done);
}

void words_store(void *shared, const void *from, size_t length)
{
    const uint8_t *in = from;
    uint8_t *out = shared;
    size_t done = to_word(out, length);

    store_bytes(out, in, done);
    for (; length - done >= LINE_BYTES; done += LINE_BYTES)
        store_line(out + done, in + done);
    for (; length - done >= WORD_BYTES; done += WORD_BYTES)
        store_word(out + done, in + done);
    store_bytes(out + done, in + done, length - done);
}
