/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that an application exposes, and what must be true of it: words that others change
 * atomically, entries that point into the application's newest region to be read, and such entries
 * to be scanned.
 *
 * Where entry i points to, but for the region's key, is the same in all tables. Of the words, even
 * ones are counted up by one, and odd ones swapped for values that are used once; so each outcome
 * tells a place in an order that no other may have. The application itself counts in the upper half
 * of even words.
 *
 * Ownership: the region's. Threads: one.
 */
#ifndef TESTS_SIM_TABLE_H
#define TESTS_SIM_TABLE_H

#include "tests/sim/ledger.h"

#define TABLE_WORDS    8u
#define TABLE_POINTERS 40u
#define TABLE_EMPTY    (TABLE_POINTERS - 1) /* the entry that points nowhere */
#define TABLE_OUTSIDE  (TABLE_POINTERS - 2) /* the entry that points past the end */
#define TABLE_MATCHES  1024u
#define TABLE_BYTES                                                                                \
    (TABLE_WORDS * 8 + TABLE_POINTERS * sizeof(struct saddle_pointer) +                            \
     TABLE_MATCHES * sizeof(struct saddle_match))
#define TABLE_LENGTH_MAX 9000u /* bytes that an entry points to */

struct table_word {
    uint32_t asked;   /* changes that may have been made */
    uint32_t done;    /* that are known to have been */
    uint64_t local;   /* changes of the application itself */
    uint64_t current; /* what it held when it was last heard of */
    uint64_t *before; /* what each done found, in no order */
    uint32_t capacity;
};

struct table {
    struct table_word words[TABLE_WORDS];
    bool closed;
    uint64_t last[TABLE_WORDS]; /* what they held at the end */
};

void table_init(struct table *table, uint8_t *memory);
void table_fini(struct table *table);
/* Points all entries into the region `key` of `bytes`. */
void table_point(uint8_t *memory, saddle_key key, uint32_t bytes);
/* The application counts, too. */
void table_touch(struct table *table, uint8_t *memory);

/* Where things lie in the region, and what pointers point to. Match i points to what pointer i %
 * TABLE_POINTERS points to. */
uint64_t table_word_at(uint32_t word);
uint64_t table_pointer_at(uint32_t index);
uint64_t table_match_at(uint32_t index);
uint64_t table_match_value(uint32_t index);
uint64_t table_offset(uint32_t index);
uint32_t table_length(uint32_t index);
/* How reading up to `most` bytes by way of this entry has to end. */
int32_t table_outcome(uint32_t index, size_t most);

/* A change of a word ended. NULL, or what is wrong with it. */
const char *table_changed(struct table *table, uint32_t word, uint64_t before, bool swapped,
                          uint64_t after);
/* It did not happen. */
void table_unchanged(struct table *table, uint32_t word);
/* No peer changes anything any more. NULL, or what is wrong. */
const char *table_close(struct table *table, const uint8_t *memory);

#endif
