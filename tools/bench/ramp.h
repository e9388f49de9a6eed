/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that count up from a stamp: the cheapest bytes of which each word still says which message
 * it belongs to, and where in it. Writing and comparing them costs about what any application pays
 * that fills and reads its messages, so that what carries them is what is measured.
 *
 * A stamp is the number of a sequence and the message's number in it; it is the message's first
 * word, by which a receiver tells what it has got.
 *
 * Ownership: the caller's memory. Threads: any.
 */
#ifndef BENCH_RAMP_H
#define BENCH_RAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAMP_BYTES_MIN 8u /* a stamp */

uint64_t ramp_stamp(uint32_t sequence, uint64_t number);
uint32_t ramp_sequence(uint64_t stamp);
/* Of a message of RAMP_BYTES_MIN bytes at least. */
uint64_t ramp_read(const void *bytes);
/* `len` bytes, of any alignment; less than a word at the end is fine. */
void ramp_fill(void *bytes, size_t len, uint64_t stamp);
bool ramp_check(const void *bytes, size_t len, uint64_t stamp);

#endif
