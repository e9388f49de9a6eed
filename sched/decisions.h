/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a group's rebalancer has decided, for operators: the last decisions with what was measured,
 * and how many there were of each kind.
 *
 * A reader keeps a place, which it begins at decisions_begin:
 *
 *     while (decisions_read(decisions, &place, &decision, &lost))
 *         ...
 *
 * Ownership: embedded in the group. Threads: one writer, the thread that rebalances; any readers.
 */
#ifndef SCHED_DECISIONS_H
#define SCHED_DECISIONS_H

#include "mailbox/tape.h"
#include "sched/balance.h"
#include "sched/engine.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Read once a second: a rebalancer that decides more often than every 4 ms loses the oldest. */
#define DECISIONS_KEPT 256u

struct decision {
    uint64_t at_ns; /* CLOCK_MONOTONIC */
    char engine[ENGINE_NAME_BYTES];
    struct balance_move move; /* but for `engine`, a position that says nothing any more */
};

#define DECISION_WORDS ((sizeof(struct decision) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

struct decisions {
    uint64_t serial; /* of all that ever were: memory may be used again */
    struct tape tape;
    _Atomic uint64_t words[TAPE_WORDS(DECISIONS_KEPT, DECISION_WORDS)];
    _Atomic uint64_t counts[BALANCE_ACTION_END]; /* by action */
};

/* Where a reader stands. */
struct decisions_place {
    uint64_t serial, position;
};

/* None yet. Control's thread. */
void decisions_init(struct decisions *decisions);
/* The writer's. */
void decisions_add(struct decisions *decisions, uint64_t now, const char *engine,
                   const struct balance_move *move);

/* Sets a place before the first decision. */
void decisions_begin(const struct decisions *decisions, struct decisions_place *place);
/* Copies the next one; *lost grows by those that were written over before. False: no more yet. */
bool decisions_read(const struct decisions *decisions, struct decisions_place *place,
                    struct decision *decision, uint64_t *lost);
/* How many there were. */
uint64_t decisions_count(const struct decisions *decisions, enum balance_action action);

#endif
