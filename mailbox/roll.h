/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A roll: which of several threads holds which key, each key at most once among them all. Each
 * thread has a row that it alone writes and everybody reads; nobody waits for anybody.
 *
 * Whoever enters a key writes it down and then looks at the other rows. Writes and looks have one
 * order (they are sequentially consistent), so of two that enter the same key at the same time at
 * least one sees the other. Whoever sees another takes its key back: never do two hold a key; when
 * two enter it at the same moment, it may be that neither gets it.
 *
 * Ownership: made and destroyed by control. Threads: a row's writer is one thread at a time;
 * reading is anybody's. Trust: keys are numbers; what they stand for is the caller's affair.
 */
#ifndef MAILBOX_ROLL_H
#define MAILBOX_ROLL_H

#include <stdbool.h>
#include <stdint.h>

#define ROLL_NOBODY UINT32_MAX /* in place of a row */

struct roll;

/* Rows of so many places each, all empty. 0, -EINVAL or -ENOMEM. */
int roll_create(struct roll **roll, uint32_t rows, uint32_t places);
void roll_destroy(struct roll *roll);

/* Enters a key, not 0, at a free place of the row. False if another row has it: then it is not
 * entered. A row's own keys are its writer's to compare. */
bool roll_enter(struct roll *roll, uint32_t row, uint32_t place, uint64_t key);
/* Takes out what is at a place. */
void roll_leave(struct roll *roll, uint32_t row, uint32_t place);
/* A row other than this one that has the key, or ROLL_NOBODY. Any `row` but theirs: of all. */
uint32_t roll_find(const struct roll *roll, uint32_t row, uint64_t key);

#endif
