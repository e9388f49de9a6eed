/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A tape: one thread puts records on it, which run over the oldest ones; others read at their own
 * pace and learn how many were gone before they came. Nobody waits for anybody.
 *
 * A record is some words of 8 bytes in a slot that has a stamp. The writer makes the stamp odd,
 * writes the words, and makes it even; a reader takes a record only if the stamp was the same even
 * one before and after. The order is that of the words themselves: a reader that sees one of a
 * newer record sees its stamp as well.
 *
 * Ownership: the owner embeds struct tape and gives it an array of words for the slots. Threads:
 * one writer, any readers, all of one process.
 */
#ifndef MAILBOX_TAPE_H
#define MAILBOX_TAPE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tape {
    _Atomic uint64_t *words; /* slots * (record + 1) of them */
    uint32_t slots, record;
    _Atomic uint64_t written; /* records, since ever */
};

/* How many words the slots of a tape take. */
#define TAPE_WORDS(slots, record) ((slots) * ((record) + 1))

/* An empty tape of so many slots, a power of two, for records of so many words. `words` are
 * TAPE_WORDS of zeros. */
void tape_init(struct tape *tape, _Atomic uint64_t *words, uint32_t slots, uint32_t record);
/* The writer's: one more record. */
void tape_write(struct tape *tape, const uint64_t *record);
/* A reader's: copies the record at *position, or the first after it that is still there, and moves
 * *position beyond it. *lost grows by what was skipped. False if there is none yet. Positions count
 * from 0. */
bool tape_read(const struct tape *tape, uint64_t *position, uint64_t *record, uint64_t *lost);

#endif
