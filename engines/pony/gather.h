/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathered data: the pieces of an application's memory that one SEND or WRITE is made of.
 *
 * Ownership: a table in the engine, shared out among sessions; an operation holds its entry until
 * it has answered its application. Threads: the engine's.
 *
 * Trust: the array lies in memory that its application may change at any time: it is copied once,
 * the copy is checked, and the copy alone is used.
 */
#ifndef ENGINES_PONY_GATHER_H
#define ENGINES_PONY_GATHER_H

#include "engines/pony/session.h"

#define GATHER_SHARE 4u  /* one entry to so many operations of the engine's table */
#define GATHER_LEAST 64u /* entries of the table */

struct gather {
    uint32_t count; /* of pieces; 0: free */
    struct saddle_gather pieces[SADDLE_SEGMENTS_MAX];
};

/* The pieces that a command names, copied and checked: 0, -EINVAL (no array, a piece that is empty
 * or outside the heap, a sum that is not `len`), -ENOBUFS (the session's share is used up). */
int gather_take(struct pony_session *session, const struct saddle_command *command,
                struct gather **gather);
/* The same for `count` pieces that are private already: for loading. */
int gather_make(struct pony_session *session, const struct saddle_gather *pieces, uint32_t count,
                uint32_t len, struct gather **gather);
void gather_give(struct pony_session *session, struct gather *gather);

/* Copies `bytes` from `offset` of the whole on, and continues `crc` over the copy, in one pass.
 * They lie within the whole. */
uint32_t gather_copy(const struct pony_session *session, const struct gather *gather,
                     uint32_t offset, uint8_t *to, uint32_t bytes, uint32_t crc);

#endif
