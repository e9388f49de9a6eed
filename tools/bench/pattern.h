/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that are known from a key, so that whoever gets them can tell whether they are the right
 * ones: those of another key, or of another place, differ.
 *
 * Ownership: the caller's memory. Threads: any.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* A key of several numbers; never 0. */
uint64_t pattern_key(uint64_t first, uint64_t second, uint64_t third);
void pattern_fill(void *bytes, size_t len, uint64_t key);
/* Where the first wrong byte is; `len` if there is none. */
size_t pattern_check(const void *bytes, size_t len, uint64_t key);

#endif
