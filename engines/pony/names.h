/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of services, for operators to see: each is kept once, however many connections have it, so
 * that a connection carries a small number instead of a name. The table is fixed; when it is full,
 * further connections have no name to show, and nothing else comes of it.
 *
 * Ownership: embedded. Threads: the engine's. Trust: names are applications' and peers'.
 */
#ifndef ENGINES_PONY_NAMES_H
#define ENGINES_PONY_NAMES_H

#include <stdint.h>

#include <saddle/abi.h>

#define NAMES_MAX 256u /* different ones at a time */

struct names {
    uint32_t hashes[NAMES_MAX];
    uint32_t uses[NAMES_MAX]; /* 0: free */
    char texts[NAMES_MAX][SADDLE_NAME_BYTES];
};

/* The number of a name of `length` bytes, one use more; 0 if there is no place or it is too long.
 */
uint16_t names_take(struct names *names, const char *name, uint32_t length);
/* One use less. 0 is fine. */
void names_give(struct names *names, uint16_t number);
/* "" of 0. */
const char *names_text(const struct names *names, uint16_t number);

#endif
